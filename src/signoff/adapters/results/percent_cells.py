"""Finds the columns whose cells carry a percent sign, written in the cell or as the number format of Excel.

The readers of figures turn `0,53 %` into 0.0053, and Excel stores 0.0053 where it shows 0.53%. So these columns hold
fractions whatever their name says.
"""

import csv
from collections.abc import Iterable
from io import BytesIO
from itertools import islice
from typing import Final

from signoff.adapters.evidence.csv_text import csv_text
from signoff.adapters.evidence.file_formats import unpacked
from signoff.adapters.evidence.titles import LOOKED, header_below
from signoff.adapters.results.workbooks import WORKBOOKS

_GZIP: Final = b"\x1f\x8b"
_HEAD: Final = 1 << 20
_ROWS: Final = 2000
_NO_TEXTS: Final = (".parquet", ".arrow", ".feather", ".pickle", ".pkl", ".p")


def may_show_percent(content: bytes, kind: str) -> bool:
    """Whether a file can hold a percent sign in a cell, without reading it."""
    return kind in WORKBOOKS or (kind not in _NO_TEXTS and (b"%" in content or content[:2] == _GZIP))


def with_percent_sign(content: bytes, kind: str, where: str, sheet: str | None = None) -> frozenset[str]:
    """The names of the columns whose first filled cell shows a percent sign; mixed columns are refused elsewhere."""
    if kind in WORKBOOKS:
        return _of_rows(_shown(content, sheet))
    if not may_show_percent(content, kind):
        return frozenset()
    text = csv_text(unpacked(content, where) if content[:2] == _GZIP else content, where, skips_title=True)
    lines = text.content[:_HEAD].decode("utf-8", "replace").splitlines()
    return _of_rows(csv.reader(lines[:_ROWS], delimiter=text.separator))


def _of_rows(rows: Iterable[list[str]]) -> frozenset[str]:
    header, *body = [row for row in rows if any(cell.strip() for cell in row)] or [[]]
    firsts = {
        name.strip(): next((row[n].strip() for row in body if n < len(row) and row[n].strip()), "")
        for n, name in enumerate(header)
    }
    return frozenset(name for name, cell in firsts.items() if cell.removesuffix(")").endswith("%"))


def _shown(content: bytes, sheet: str | None) -> list[list[str]]:
    """The rows of a sheet from its header on, with a percent sign where Excel shows one."""
    import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415 - only workbooks need it

    book = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
    sheets = [one for one in book.worksheets if sheet in {None, one.title}]
    for one in sheets:
        cells = list(islice(one.iter_rows(), _ROWS))
        place = header_below([[cell.value for cell in row] for row in cells[:LOOKED]]) or 0
        rows = [[_cell(cell.value, getattr(cell, "number_format", "")) for cell in row] for row in cells[place:]]
        if sum(1 for row in rows if any(row)) > 1:
            return rows
    return []


def _cell(value: object, shown_as: str) -> str:
    if value is None:
        return ""
    is_percent = isinstance(value, int | float) and "%" in (shown_as or "")
    return f"{value}%" if is_percent else str(value)
