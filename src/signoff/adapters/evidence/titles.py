"""Finds a title above the header of a table, as spreadsheets have.

A row is a header if all its cells are names and the next non-empty row has a date or a number. A first row
above such a header is a title when it has fewer cells, or when only the header names a column of dates. Rows of a
name and a value, such as "Period: 2019 to 2024", may stand above a header that names a column of dates.
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
    if not filled or _has_label(title := filled[0][1]) or _is_data(title):
        return None
    has_facts = any(map(_is_value, title[1:]))
    for (place, cells), (_, below) in pairwise(filled[1:]):
        if any(map(_is_value, cells)):
            if _is_data(cells):
                return None
            has_facts = True
        elif len(cells) > 1 and len(below) > 1 and any(map(_is_value, below)):
            is_wider = len(title) < len(cells) and not has_facts
            if is_wider or _has_label(cells):
                return place
            if not has_facts:
                return None
    return None


def left_out(rows: Sequence[Sequence[object]], place: int, *, first: int = 1, word: str = "row") -> str:
    """The note on the rows above the header, which were not read; `first` numbers the first of them."""
    at, title = next((n, cells[0]) for n, row in enumerate(rows) if (cells := _filled(row)))
    start, end = first + at, first + place - 1
    span = f"{word} {start}" if start == end else f"{word}s {start} to {end}"
    return (
        f"{span} above the header left out, as a title ({str(title).strip()[:60]!r}); the header is in {word} {end + 1}"
    )


def _filled(row: Sequence[object]) -> list[object]:
    return [cell for cell in row if cell is not None and str(cell).strip()]


def _has_label(cells: Sequence[object]) -> bool:
    return any(isinstance(cell, str) and cell.strip().lower() in _LABELS for cell in cells)


def _is_data(cells: Sequence[object]) -> bool:
    """Whether a row could be one of data: it begins with a date or a number, and has further cells."""
    return len(cells) > 1 and _is_value(cells[0])


def _is_value(cell: object) -> bool:
    return isinstance(cell, int | float | date) or (isinstance(cell, str) and _VALUE.match(cell) is not None)
