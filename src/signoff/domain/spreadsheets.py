"""Text on its way into a table that a spreadsheet may open."""

from typing import Final

FORMULA: Final = frozenset("=+-@\t\r")


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text
