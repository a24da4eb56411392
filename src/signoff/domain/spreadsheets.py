"""Text for tables that a spreadsheet may open."""

from typing import Final

# Also in full width, which East Asian spreadsheets treat alike.
FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text
