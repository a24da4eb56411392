"""Finds a title above the header of a table, as spreadsheets have.

A row is a header if all its cells are names and the next non-empty row has a date or a number. A first row
above such a header is a title when it has fewer cells, or when only the header names a column of dates.
"""

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Final

LOOKED: Final = 30
_VALUE: Final = re.compile(r"\s*[-+(\N{MINUS SIGN}]?\s*[$€£]?\s*[.,]?\d")
_LABELS: Final = frozenset({"date", "datum", "day", "month", "time", "timestamp", "datetime", "period", "index"})


def header_below(rows: Sequence[Sequence[object]]) -> int | None:
    """The index of the header below a title; None without a title."""
    filled = [(n, cells) for n, row in enumerate(rows[:LOOKED]) if (cells := _filled(row))]
    if not filled or _has_label(title := filled[0][1]):
        return None
    for (place, cells), (_, below) in pairwise(filled[1:]):
        if any(map(_is_value, cells)):
            return None
        if len(cells) > 1 and len(below) > 1 and any(map(_is_value, below)):
            return place if len(title) < len(cells) or _has_label(cells) else None
    return None


def _filled(row: Sequence[object]) -> list[object]:
    return [cell for cell in row if cell is not None and str(cell).strip()]


def _has_label(cells: Sequence[object]) -> bool:
    return any(isinstance(cell, str) and cell.strip().lower() in _LABELS for cell in cells)


def _is_value(cell: object) -> bool:
    return isinstance(cell, int | float | date) or (isinstance(cell, str) and _VALUE.match(cell) is not None)
