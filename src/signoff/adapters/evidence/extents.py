"""Limits the unpacked size of a table, however small its file.

A table of evidence has dates, names and numbers. So the number of its values is limited, and its unpacked size is
limited by that number: a few bytes for each, and some room for small tables.
"""

from dataclasses import dataclass
from typing import Final

from signoff.domain.errors import BadInputError

# Ten thousand trials; three thousand symbols on every day of twenty years, with five columns.
MAX_COLUMNS: Final = 20_000
MAX_VALUES: Final = 100_000_000
PER_VALUE: Final = 64
ROOM: Final = 64 << 20
MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The unpacked size of a file, computed from its structure."""

    columns: int = 0
    values: int = 0
    unpacked: int = 0


def refuse_vast(extent: Extent, where: str) -> None:
    """Refuse a table that is too large for evidence; counts so far may be given too."""
    if extent.columns > MAX_COLUMNS:
        raise BadInputError(
            f"{where}: expected at most {MAX_COLUMNS:,} columns, found {extent.columns:,}. Write a column for each "
            "configuration and no more."
        )
    if extent.values > MAX_VALUES:
        raise BadInputError(
            f"{where}: expected at most {MAX_VALUES:,} values, found {extent.values:,} or more. Thin the table out."
        )


def refuse_fat(extent: Extent, where: str) -> None:
    """Refuse a table whose values are too large for dates, names and numbers."""
    most = ROOM + PER_VALUE * extent.values
    if extent.unpacked > most:
        raise BadInputError(
            f"{where}: expected {extent.values:,} values to unpack to at most {most:,} bytes, found "
            f"{extent.unpacked:,}. Is one of its cells no date, name or number? Remove it and write the table again."
        )
