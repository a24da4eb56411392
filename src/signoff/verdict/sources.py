"""Files and values in memory as labelled tables; the content of a file shows which tool wrote it.

pandas is never imported: a Series or a frame is read through its own methods.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl

from signoff.adapters.evidence.csv_text import csv_text
from signoff.adapters.evidence.file_signatures import is_text, kind_of, suffix_by_content
from signoff.adapters.evidence.tables import read_bytes
from signoff.adapters.results.conversion import PERCENT_WORD, ConversionRequest, convert
from signoff.adapters.results.percent_cells import with_percent_sign
from signoff.adapters.results.series import DAY, TEXTS, Labelled, labelled_by_months, read_table
from signoff.adapters.results.trades import reads_as_trades, trades_unread
from signoff.domain.errors import BadInputError
from signoff.verdict.options import Options

LABELS: Final = ("date", "timestamp", "datetime", "time", "index")
ZIPLINE: Final = frozenset({"returns", "portfolio_value", "algorithm_period_return"})
NAUTILUS: Final = frozenset({"account_id", "total", "free", "locked"})
VALUES: Final = "values"
JSON: Final = ".json"
_DATA: Final = re.compile(r"\s*(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|[-+−]?\d*[.,]?\d+(?:[eE][-+]?\d+)?%?)\s*")
"""A column name that is a date or a number, so that the first line is data and not a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An input table, with the bytes of a file and the tool that wrote it, if known."""

    table: Labelled
    content: bytes = b""
    tool: str = ""
    signed: frozenset[str] = frozenset()
    """The columns whose cells carry a percent sign; their values are fractions already."""


def given_file(path: Path, options: Options) -> Given:
    """A file that any importer reads."""
    if path.is_dir():
        advice = "`signoff check` judges a dossier" if (path / "dossier.yaml").exists() else "Name the file of returns"
        raise BadInputError(f"{path}: expected a file of returns, found a folder. {advice}.")
    content = read_bytes(path)
    kind = _kind(path, content)
    if kind == JSON:
        return _converted(path, content, "lean", options)
    frame, notes = read_table(content, path, options.hints, kind=kind)
    if kind in {".csv", *TEXTS} and all(_DATA.fullmatch(name) for name in frame.columns):
        content, notes = _with_header(content, frame.width, str(path)), (*notes, "the file has no header")
        frame, _ = read_table(content, path, options.hints, kind=kind)
    names = {name.lower() for name in frame.columns}
    if names >= ZIPLINE:
        return _converted(path, content, "zipline", options)
    if names >= NAUTILUS:
        return _converted(path, content, "nautilus", options)
    if reads_as_trades(frame):
        return _converted(path, content, "trades", options)
    _refuse_trades(frame, str(path), options)
    says_percent = any(PERCENT_WORD.search(name) for name in frame.columns)
    signed = with_percent_sign(content, kind, str(path), options.sheet) if says_percent or options.unit else frozenset()
    return Given(table=labelled_table(frame, str(path), options, notes), content=content, signed=signed)


def given_values(values: Any, name: str, options: Options, dates: Any = None) -> Given:  # noqa: ANN401 - any table
    """A table in memory: of pandas, polars or numpy, or a mapping."""
    frame = _frame(values, name, dates)
    if options.column is None and reads_as_trades(frame):
        raise BadInputError(
            f"{name}: this looks like a list of trades: expected its file, found a table in memory. Write it as CSV "
            "and give the path, with --capital and --prices."
        )
    _refuse_trades(frame, name, options)
    return Given(table=labelled_table(frame, name, options))


def _refuse_trades(frame: pl.DataFrame, where: str, options: Options) -> None:
    """Refuse a list of trades that cannot be read as one: its quantities and prices are no returns."""
    if options.column is None and (problem := trades_unread(frame)):
        listed = ", ".join(frame.columns)[:200]
        raise BadInputError(
            f"{where}: {problem}, found {listed}. Rename or rewrite them, or name returns with --column."
        )


def labelled_table(frame: pl.DataFrame, where: str, options: Options, notes: tuple[str, ...] = ()) -> Labelled:
    """The table with its column of dates first."""
    if not frame.width or not frame.height:
        raise BadInputError(f"{where}: expected rows of dates and returns, found none.")
    if not any(_may_hold_numbers(column) for column in frame.iter_columns()):
        listed = ", ".join(frame.columns)[:200]
        raise BadInputError(
            f"{where}: expected a column of dates and a column of numbers, found no column of numbers ({listed}). Give "
            "the file with the returns or the equity curve."
        )
    return labelled_by_months(_dates_first(frame), where, notes, options.hints.dates)


def _converted(path: Path, content: bytes, tool: str, options: Options) -> Given:
    """Another tool's file, as `signoff import` reads it."""
    is_held = tool in {"nautilus", "trades"}
    request = ConversionRequest(
        format=tool,
        source=path,
        zone=options.zone,
        flows_complete=options.flows_complete and tool == "lean",
        fills=options.fills,
        prices=options.prices if is_held else None,
        unit=options.unit if tool == "zipline" else None,
        extremes=options.extremes,
        hints=options.hints,
        capital=options.capital if tool == "trades" else None,
        calendar=options.calendar if tool == "trades" else None,
    )
    table = convert(request)
    return Given(table=Labelled(table.frame, str(path), table.notes), content=content, tool=tool)


def _kind(path: Path, content: bytes) -> str:
    """The suffix for a file's content: by content if that shows it, else its own; a text is CSV."""
    if (kind := suffix_by_content(content)) or content.lstrip()[:1] in {b"{", b"["}:
        return kind or JSON
    if path.suffix.lower() in TEXTS:
        return path.suffix.lower()
    if (other := kind_of(content)) is not None:
        raise BadInputError(f"{path}: expected a table of returns, found {other[0]}. {other[1]}.")
    if not is_text(content):
        raise BadInputError(f"{path}: expected a table of returns, found other content. Write it as CSV or Parquet.")
    return ".csv"


def _with_header(content: bytes, width: int, where: str) -> bytes:
    """A CSV with an added header, in its own separator."""
    text = csv_text(content, where)
    names = ["date", VALUES] if width == 2 else ["date", *(f"column {n}" for n in range(2, width + 1))]
    return text.separator.join(names).encode() + b"\n" + text.content


def _dates_first(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns with dates first: the one named so, else the first with dates."""
    lowered = {name.strip().lower(): name for name in reversed(frame.columns)}
    label = next((lowered[name] for name in LABELS if name in lowered), None)
    if label is None and not _holds_dates(frame[:, 0]):
        label = next((name for name in frame.columns if _holds_dates(frame[name])), None)
    if label is None or label == frame.columns[0]:
        return frame
    return frame.select(label, pl.exclude(label))


def _may_hold_numbers(column: pl.Series) -> bool:
    """Whether a column has a number; in memory a column of texts may hold some."""
    if not column.dtype.is_numeric() and column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    return bool(column.cast(pl.String).cast(pl.Float64, strict=False).is_not_null().any())


def _holds_dates(column: pl.Series) -> bool:
    if column.dtype.is_temporal():
        return True
    if column.dtype != pl.String:
        return False
    head = column.drop_nulls().head(20)
    pattern = r"^\s*(?:\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?|\d{1,2}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2,4})"
    return bool(head.len() and head.str.contains(pattern).all())


def _frame(values: Any, name: str, dates: Any) -> pl.DataFrame:  # noqa: ANN401 - any table
    origin = type(values).__module__.partition(".")[0]
    if isinstance(values, pl.DataFrame):
        return values if dates is None else values.insert_column(0, _days(dates))
    if isinstance(values, pl.Series):
        return _dated(values.alias(values.name or VALUES).to_frame(), dates, name)
    if origin == "pandas":
        return _of_pandas(values, name, dates)
    if isinstance(values, Mapping):
        return _of_mapping(values, name, dates)
    return _of_array(values, name, dates)


def _of_array(values: Any, name: str, dates: Any) -> pl.DataFrame:  # noqa: ANN401 - anything that numpy takes
    """An array of one column or of several; a masked value is no value."""
    try:
        masked = np.ma.asarray(values)
        array = np.ma.filled(masked.astype(np.float64), np.nan) if masked.dtype.kind in "biufO" else np.zeros(())
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim not in {1, 2}:
        raise BadInputError(
            f"{name}: expected a Series or DataFrame of pandas or polars, an array of numbers of one or two "
            f"dimensions, a mapping or a path, found {type(values).__name__}."
        )
    columns = array[:, None] if array.ndim == 1 else array
    named = [VALUES] if array.ndim == 1 else [f"trial {n}" for n in range(1, columns.shape[1] + 1)]
    return _dated(pl.DataFrame(columns, schema=named), dates, name)


def _of_mapping(values: Mapping[Any, Any], name: str, dates: Any) -> pl.DataFrame:  # noqa: ANN401
    """Columns by name, or values by date."""
    if not values:
        raise BadInputError(f"{name}: expected rows of dates and returns, found none.")
    parts = list(values.values())
    if all(np.ndim(one) == 0 for one in parts):
        single = pl.DataFrame({VALUES: pl.Series(parts, dtype=pl.Float64, strict=False)})
        return _dated(single, list(values), name)
    indexes = [_index(one, name) for one in parts if hasattr(one, "index") and not isinstance(one, Sequence)]
    if dates is None and len(indexes) == len(parts):
        if odd := [key for key, index in zip(values, indexes, strict=True) if not index.equals(indexes[0])]:
            raise BadInputError(
                f"{name}: expected columns with the same dates, found other dates in {odd[0]!r}. Align them first."
            )
        dates = indexes[0]
    try:
        frame = pl.DataFrame({str(key): _column(one) for key, one in values.items()}, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{name}: expected columns of one length, found others ({str(error).splitlines()[0][:160]})."
        ) from error
    has_own = dates is None and any(column.lower() in LABELS for column in frame.columns)
    return frame if has_own else _dated(frame, dates, name)


def _of_pandas(values: Any, name: str, dates: Any) -> pl.DataFrame:  # noqa: ANN401 - a Series or DataFrame
    if not hasattr(values, "to_numpy") or not hasattr(values, "index"):
        raise BadInputError(f"{name}: expected a Series or DataFrame, found {type(values).__name__}.")
    if not hasattr(values, "columns"):
        title = str(VALUES if values.name is None else values.name)
        return _dated(pl.DataFrame({title: _column(values)}), _index(values, name) if dates is None else dates, name)
    titles = [str(title) for title in values.columns]
    if len(set(titles)) != len(titles):
        raise BadInputError(f"{name}: expected every column once, found a name twice. Rename one.")
    frame = pl.DataFrame({title: _column(values.iloc[:, n]) for n, title in enumerate(titles)})
    if dates is None and type(values.index).__name__ == "RangeIndex":
        return frame
    return _dated(frame, _index(values, name) if dates is None else dates, name)


def _index(values: Any, name: str) -> pl.Series:  # noqa: ANN401 - whatever has an index
    index = values.index
    if getattr(index, "nlevels", 1) > 1:
        raise BadInputError(f"{name}: expected an index of dates, found one of {index.nlevels} levels. Reset one.")
    if hasattr(index, "to_timestamp"):
        index = index.to_timestamp(how="end").normalize()
    return _column(index).alias(DAY)


def _column(values: Any) -> pl.Series:  # noqa: ANN401 - a Series, an index, an array or a list
    """One column for polars; times keep their zone."""
    if isinstance(values, pl.Series):
        return values
    zone = getattr(getattr(values, "dtype", None), "tz", None)
    if zone is not None:
        plain = values.dt if hasattr(values, "dt") else values
        utc = plain.tz_convert("UTC")
        utc = utc.dt.tz_localize(None) if hasattr(utc, "dt") else utc.tz_localize(None)
        times = pl.Series(np.asarray(utc).astype("datetime64[us]")).dt.replace_time_zone("UTC")
        return times.dt.convert_time_zone(str(zone)) if _is_zone(str(zone)) else times
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind == "M":
        missing = np.isnat(array)
        times = pl.Series(array.astype("datetime64[us]"))
        return times.dt.date() if not missing.any() and (times.dt.truncate("1d") == times).all() else times
    if array.dtype.kind == "O":
        return pl.Series(
            [None if isinstance(one, float) and isnan(one) else one for one in array.tolist()], strict=False
        )
    return pl.Series(array)


def _is_zone(name: str) -> bool:

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _days(dates: Any) -> pl.Series:  # noqa: ANN401 - dates in any form
    return (_index(dates, "dates") if hasattr(dates, "to_timestamp") else _column(dates)).alias(DAY)


def _dated(frame: pl.DataFrame, dates: Any, name: str) -> pl.DataFrame:  # noqa: ANN401 - dates in any form
    if dates is None:
        raise BadInputError(
            f"{name}: expected the date of each row, found values alone. Give a Series or DataFrame with an index of "
            "dates, or pass dates=."
        )
    days = _days(dates)
    if days.dtype.is_integer() and days.len() and bool((days == pl.arange(0, days.len(), eager=True)).all()):
        raise BadInputError(
            f"{name}: expected the date of each row, found an index that only numbers them. Set the index to the dates."
        )
    if days.len() != frame.height:
        raise BadInputError(f"{name}: expected one date for each of {frame.height:,} rows, found {days.len():,} dates.")
    return frame.drop(DAY, strict=False).insert_column(0, days)
