"""Reads a sheet of an Excel workbook (`.xlsx`) as a table: the values that Excel stored; no formula is computed.

The unpacked size is limited before the workbook is opened. Cells that Excel formats as dates are dates. A column that
mixes dates and texts is refused with its row: a spreadsheet may have mistaken some texts for dates.
"""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from io import BytesIO
from itertools import islice
from typing import Any, Final

import polars as pl

from signoff.adapters.evidence.figures import plain_figures
from signoff.adapters.evidence.file_formats import NAMES, Hints
from signoff.adapters.evidence.file_signatures import kind_of
from signoff.adapters.evidence.titles import LOOKED, header_below, left_out
from signoff.adapters.evidence.written_dates import no_session
from signoff.domain.errors import BadInputError

WORKBOOKS: Final = (".xlsx", ".xlsm")
OTHERS: Final = (".xls", ".xlsb", ".ods", ".numbers")
MAX_UNPACKED: Final = 512 << 20
MAX_PARTS: Final = 2_000
MAX_CELLS: Final = 5_000_000


def read_workbook(content: bytes, where: str, hints: Hints) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """One sheet as a table, and a note that names it; several sheets need --sheet."""
    _refuse_other(content, where)
    name, rows, title = _rows(content, where, hints.sheet)
    frame = _table(rows, where, name)
    figures = frame.select(c for c in frame.columns if frame[c].dtype == pl.String and c.lower() not in NAMES)
    plain = plain_figures(figures, where, hints.decimal, is_point_usual=True)
    return frame.with_columns(plain.get_columns()), (f"the table is the sheet {name}", *([title] if title else []))


def _refuse_other(content: bytes, where: str) -> None:
    if not content.startswith(b"PK"):
        kind, remedy = kind_of(content) or ("other content", "Save it as .xlsx or as CSV")
        raise BadInputError(f"{where}: expected an Excel workbook, found {kind}. {remedy}. Nothing was written.")
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadInputError(
            f"{where}: expected a whole Excel workbook, found one that breaks off ({error}). It may be truncated; save "
            "it again. Nothing was written."
        ) from error
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise BadInputError(
            f"{where}: expected a workbook that unpacks to at most {MAX_UNPACKED:,} bytes in {MAX_PARTS:,} parts, "
            "found a larger one. Save the sheet as CSV. Nothing was written."
        )
    if not any(part.filename == "xl/workbook.xml" for part in parts):
        raise BadInputError(
            f"{where}: expected an Excel workbook, found another zip archive. Unpack it and name the table itself. "
            "Nothing was written."
        )


def _rows(content: bytes, where: str, sheet: str | None) -> tuple[str, list[tuple[Any, ...]], str]:
    """The name of one sheet, its non-empty rows from its header on, and a note on a title above them."""
    try:
        import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415 - only workbooks need it
    except ImportError as error:
        raise BadInputError(
            f"{where}: reading a workbook needs openpyxl, which is not installed. Install it with `pip install "
            "'signoff[excel]'`, or save the sheet as CSV."
        ) from error
    try:
        book = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
        name, rows = _chosen(book, where, sheet)
        above, title = _title(book[name])
        rows = rows[above:]
        _refuse_uncalculated(openpyxl, content, name, rows, where)
    except BadInputError:
        raise
    except Exception as error:  # broken XML can raise anything
        raise BadInputError(
            f"{where}: expected an Excel workbook, found one that cannot be read ({type(error).__name__}: "
            f"{str(error)[:120]}). Save it again in Excel, or as CSV. Nothing was written."
        ) from error
    return name, rows, title


def _chosen(book: Any, where: str, sheet: str | None) -> tuple[str, list[tuple[Any, ...]]]:  # noqa: ANN401 - untyped
    named = [one.title for one in book.worksheets if one.sheet_state == "visible" or one.title == sheet]
    if sheet is not None and sheet not in named:
        raise BadInputError(f"{where}: expected a sheet named {sheet!r}, found {', '.join(named)}. Correct --sheet.")
    sheets = {name: _filled(book[name], where) for name in ([sheet] if sheet is not None else named)}
    tables = {name: rows for name, rows in sheets.items() if len(rows) > 1}
    if len(tables) > 1:
        raise BadInputError(
            f"{where}: expected one sheet with a table, found {len(tables)}: {', '.join(tables)}. Name it with --sheet."
        )
    if not tables:
        raise BadInputError(
            f"{where}: expected a sheet with a header and rows of data, found none. Name it with --sheet."
        )
    return next(iter(tables.items()))


def _title(sheet: Any) -> tuple[int, str]:  # noqa: ANN401 - untyped
    """The number of filled rows above the header, and a note that they were left out."""
    rows = list(islice(sheet.iter_rows(values_only=True), LOOKED))
    place = header_below(rows)
    if place is None:
        return 0, ""
    return sum(1 for row in rows[:place] if any(cell is not None and cell != "" for cell in row)), left_out(rows, place)


def _filled(sheet: Any, where: str) -> list[tuple[Any, ...]]:  # noqa: ANN401 - untyped
    rows, cells = [], 0
    for row in sheet.iter_rows(values_only=True):
        cells += max(len(row), 1)
        if cells > MAX_CELLS:
            raise BadInputError(
                f"{where}: expected at most {MAX_CELLS:,} cells in sheet {sheet.title}, found more. Save it as CSV."
            )
        if any(value is not None and value != "" for value in row):
            rows.append(tuple(row))
    return rows


def _refuse_uncalculated(
    openpyxl: Any,  # noqa: ANN401 - untyped
    content: bytes,
    name: str,
    rows: Sequence[tuple[Any, ...]],
    where: str,
) -> None:
    """Refuse formulas that were never calculated, since they would read as empty cells."""
    if not any(value is None for row in rows for value in row):
        return
    stored = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)[name]
    written = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=False, keep_links=False)[name]
    for values, formulas in zip(stored.iter_rows(), written.iter_rows(), strict=False):
        for value, formula in zip(values, formulas, strict=False):
            if value.value is None and isinstance(formula.value, str) and formula.value.startswith("="):
                raise BadInputError(
                    f"{where}: sheet {name}, cell {formula.coordinate}: expected a value, found a formula that was "
                    "never calculated. Open the workbook in Excel and save it. Nothing was written."
                )


def _table(rows: Sequence[tuple[Any, ...]], where: str, sheet: str) -> pl.DataFrame:
    header, body = rows[0], rows[1:]
    width = max(len(row) for row in rows)
    names = [str(header[n]).strip() if n < len(header) and header[n] is not None else "" for n in range(width)]
    columns = [pl.Series([row[n] if n < len(row) else None for row in body], dtype=pl.Object) for n in range(width)]
    series: dict[str, pl.Series] = {}
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        values = column.to_list()
        if not name and all(value is None for value in values):
            continue
        if name in series:
            raise BadInputError(f"{where}: expected every column once, found {name} twice. Rename or remove one.")
        series[name or f"Unnamed: {place}"] = _column(name, values, where, sheet)
    return pl.DataFrame(series)


def _column(name: str, values: Sequence[Any], where: str, sheet: str) -> pl.Series:
    filled = [value for value in values if value is not None]
    times = [isinstance(value, date) for value in filled]
    if any(times) and not all(times):
        row = next(n for n, value in enumerate(values) if value is not None and isinstance(value, date) != times[0])
        _refuse_no_session(name, values, where, sheet)
        raise BadInputError(
            f"{where}: sheet {sheet}, row {row + 1} of the data, column {name}: expected "
            f"{'a date' if times[0] else 'no date'}, as in row 1, found {values[row]!s}. A spreadsheet may have read "
            "some of the dates with day and month exchanged: write the column again from its source."
        )
    if filled and all(times):
        return _times(values)
    if all(isinstance(value, bool) for value in filled):
        return pl.Series(values, dtype=pl.Boolean)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in filled):
        is_whole = all(isinstance(value, int) for value in filled)
        return pl.Series(values, dtype=pl.Int64 if is_whole else pl.Float64, strict=False)
    return pl.Series([None if value is None else _text(value) for value in values], dtype=pl.String)


def _refuse_no_session(name: str, values: Sequence[Any], where: str, sheet: str) -> None:
    """Refuse a total, a remark or a header among dates, and name it."""
    odd = ((n, value) for n, value in enumerate(values) if isinstance(value, str) and no_session(value))
    if (odd_one := next(odd, None)) is not None:
        row, text = odd_one
        raise BadInputError(
            f"{where}: sheet {sheet}, row {row + 1} of the data, column {name}: expected a date, found "
            f"{text!r}{no_session(text)}. Nothing was written."
        )


def _times(values: Sequence[Any]) -> pl.Series:
    clocks: Iterator[datetime | None] = (
        None if v is None else v if isinstance(v, datetime) else datetime(v.year, v.month, v.day)  # noqa: DTZ001 - Excel has no zone
        for v in values
    )
    times = pl.Series(list(clocks), dtype=pl.Datetime("us"))
    return times.dt.date() if bool((times.dt.truncate("1d") == times).all()) else times


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
