"""Text on its way into a table that a spreadsheet may open."""

from typing import Final

# Also as East Asian keyboards write them, which spreadsheets there take for the same.
FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text
