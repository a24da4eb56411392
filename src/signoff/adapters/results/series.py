"""Turns tables whose rows are labelled with times into one row a day of simple returns.

A time belongs to the day of its own zone or offset. Without one, it must be midnight, or its zone must be named.
Values become returns from one day's last value to the next's; the first day has no return and is dropped.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from signoff.adapters.evidence.clock import (
    Refuse,
    RowTimes,
    as_written,
    known_zone,
    moments,
    texts_to_times,
    within_years,
)
from signoff.adapters.evidence.column_names import meant_columns
from signoff.adapters.evidence.file_formats import NO_HINTS, SUFFIXES, Hints, read_frame, suffix_of
from signoff.adapters.evidence.written_dates import OddDateError, Order, days_of_numbers, iso_texts, month_ends
from signoff.adapters.results.pandas_pickles import INDEX, read_pickle
from signoff.adapters.results.workbooks import OTHERS, WORKBOOKS, read_workbook
from signoff.domain.errors import BadInputError
from signoff.domain.sampling import Days
from signoff.stats.returns import QUIETEST, RUIN, is_percent, typical_volatility, worths

PERCENT: Final = "percent"
TEXTS: Final = (".tsv", ".tab", ".txt")
PICKLES: Final = (".pickle", ".pkl", ".p")
TIMES: Final = (INDEX, "__index_level_0__", "date", "timestamp", "datetime", "time", "index", "ts_event")
DAY: Final = "date"
_FIGURE: Final = r"^\s*[-+−(]?\s*[$€£]?\d[\d.,'_ ]*(?:[eE][-+]?\d+)?\s*%?\s*\)?\s*$"
VALUED: Final = 3.0
"""A gain beyond which a column holds values and not returns."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A table whose column `date` holds days or times; `said` is its name in messages."""

    frame: pl.DataFrame
    said: str
    notes: tuple[str, ...] = ()
    written: Days | None = None
    """The days by the offsets in the texts, if they have offsets."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in self.frame.columns if name != DAY)

    def refuse(self, problem: str) -> BadInputError:
        """The refusal of this file, to be raised."""
        return BadInputError(f"{self.said}: {problem} Nothing was written.")


def read_labelled(content: bytes, path: Path, hints: Hints = NO_HINTS, *, may_be_months: bool = False) -> Labelled:
    """A table with rows labelled by dates or times, or by months if `may_be_months`."""
    frame, notes = read_table(content, path, hints)
    if may_be_months:
        return labelled_by_months(frame, str(path), notes, hints.dates)
    return labelled(frame, str(path), notes, hints.dates)


def labelled_by_months(
    frame: pl.DataFrame, where: str, notes: tuple[str, ...] = (), order: Order | None = None
) -> Labelled:
    """The table labelled by dates, times, or months; a month becomes its last day."""
    frame, notes = _at_month_ends(frame, where, notes)
    return labelled(frame, where, notes, order)


def read_table(
    content: bytes, path: Path, hints: Hints = NO_HINTS, *, kind: str = ""
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A table by its file's suffix (a pickle, Parquet, CSV, Arrow, Feather, a workbook), and what to note of it.

    `kind` is the suffix that fits its content, if the content was examined.
    """
    where, suffix = str(path), kind or path.suffix.lower()
    if suffix in PICKLES:
        pickled = read_pickle(content, where)
        note = f"columns of objects were left out: {', '.join(pickled.left_out)}"
        return pickled.frame, (note,) if pickled.left_out else ()
    if suffix in WORKBOOKS:
        frame, notes = read_workbook(content, where, hints)
        return meant_columns(frame, where), notes
    if suffix_known := ".csv" if suffix in TEXTS else suffix_of(kind or path.name.lower()):
        located = read_frame(content, suffix_known, where, hints, skips_title=True)
        return meant_columns(located.frame, where), located.notes
    if suffix in OTHERS:
        raise BadInputError(
            f"{path}: expected a workbook of the format .xlsx, found {suffix}. Save it as .xlsx or CSV."
        )
    suffix_known = ", ".join((*PICKLES, *SUFFIXES, *TEXTS, *WORKBOOKS))
    raise BadInputError(f"{path}: expected a file ending in {suffix_known}, found {path.name!r}. Name the result file.")


def labelled(frame: pl.DataFrame, where: str, notes: tuple[str, ...] = (), order: Order | None = None) -> Labelled:
    """The table with its column of dates or times renamed to `date`: found by name, else the first column."""
    label = _label(frame)
    if label is None or frame.height == 0:
        raise BadInputError(f"{where}: expected rows that begin with a date or time, found none. Write it again.")
    times, written = _times(frame[label], where, order)  # before the rename: messages name the column of the file
    if label != DAY:
        frame = frame.drop(DAY, strict=False).rename({label: DAY})
    return Labelled(frame.with_columns(times), where, notes, written)


def _label(frame: pl.DataFrame) -> str | None:
    lowered = {name.lower(): name for name in reversed(frame.columns)}
    return next((lowered[name] for name in TIMES if name in lowered), frame.columns[0] if frame.width else None)


def _at_month_ends(frame: pl.DataFrame, where: str, notes: tuple[str, ...]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table with months turned into their last days, and a note about it."""
    if (label := _label(frame)) is None or not frame.height:
        return frame, notes
    try:
        ends = month_ends(frame[label])
    except OddDateError as error:
        raise _odd(error, label, where) from error
    if ends is None:
        return frame, notes
    first = frame[label][0]
    is_short = not re.search(r"\d{4}", str(first))
    why = ", since its number repeats for the months of a year and orders the rows as a year" if is_short else ""
    note = f"months were read as their last days: {first} as {ends[0]}{why}"
    return frame.with_columns(ends.alias(label)), (*notes, note)


def to_days(table: Labelled, zone: str | None) -> Labelled:
    """The rows with their days, in order of their instants; a day may occur more than once."""
    column, times = table.frame[DAY], _moments(table, zone)
    back = np.flatnonzero(np.diff(times.order) < 0)
    if back.size:
        row = int(back[0]) + 2
        raise table.refuse(
            f"row {row}: expected rows in order of time, found {column[row - 1]} after {column[row - 2]}. Sort and "
            "write it again."
        )
    notes = (*table.notes, *([times.note] if times.note else []))
    return Labelled(table.frame.with_columns(pl.Series(DAY, times.days).cast(pl.Date)), table.said, notes)


def last_of_day(table: Labelled) -> Labelled:
    """One row a day, the last."""
    frame = table.frame.unique(DAY, keep="last", maintain_order=True)
    return Labelled(frame, table.said, table.notes + _intraday(table, frame, "the last value of each day is kept"))


def compounded(table: Labelled, amounts: Collection[str] = ()) -> Labelled:
    """Compound returns by day, and sum amounts such as the traded amount."""
    columns = [
        pl.col(name).sum() if name in amounts else ((1 + pl.col(name)).product() - 1).alias(name)
        for name in table.columns
    ]
    frame = table.frame.group_by(DAY, maintain_order=True).agg(columns)
    return Labelled(frame, table.said, table.notes + _intraday(table, frame, "returns are compounded within each day"))


def changes(table: Labelled) -> Labelled:
    """Simple returns of values, from each day to the next."""
    for name in table.columns:
        values = table.frame[name]
        if not ((values[:-1] > 0).all() and (values[-1:] >= 0).all()):
            raise table.refuse(
                f"column {name}: expected values above 0 to take returns of, found {values.to_numpy().min():g}. A "
                "worth of 0 ends the record; no row follows it."
            )
    frame = table.frame.with_columns(pl.col(name).pct_change() for name in table.columns).slice(1)
    note = f"{table.frame[DAY][0]} has a value and no return before it, and falls away"
    return Labelled(frame, table.said, (*table.notes, note))


def funded(table: Labelled, *names: str, drop_head: bool) -> Labelled:
    """Drop the rows before every column has money; without --drop-head they are refused."""
    values = table.frame.select(names).to_numpy()
    has_money = (values != 0).all(axis=1)
    if not has_money.any() or has_money[0]:
        return table
    head = int(np.argmax(has_money))
    first, last = table.frame[DAY][0], table.frame[DAY][head - 1]
    rows = f"in the first row ({first})" if head == 1 else f"in the first {head} rows ({first} to {last})"
    if not drop_head:
        name = next(name for name, value in zip(names, values[head - 1], strict=True) if value == 0)
        raise table.refuse(
            f"column {name}: expected values above 0 to take returns of, found 0 {rows}, as before an account is "
            "funded. Leave these rows out with --drop-head."
        )
    note = f"a value of 0 {rows}, as before an account is funded: left out as --drop-head says"
    written = None if table.written is None else table.written[head:]
    return Labelled(table.frame.slice(head), table.said, (*table.notes, note), written)


def without_head(table: Labelled, *names: str) -> Labelled:
    """Drop the rows before every column has a number."""
    columns = [table.frame[name].cast(pl.Float64, strict=False) for name in names if name in table.columns]
    filled = pl.Series(np.logical_and.reduce([c.is_finite().fill_null(value=False).to_numpy() for c in columns]))
    if not columns or not filled.any():
        return table
    head = int(filled.arg_true()[0])
    if not head:
        return table
    first, last = table.frame[DAY][0], table.frame[DAY][head - 1]
    note = f"the first {head} rows ({first} to {last}) lack a number, and were left out as --drop-head says"
    written = None if table.written is None else table.written[head:]
    return Labelled(table.frame.slice(head), table.said, (*table.notes, note), written)


def numbers(table: Labelled, *names: str) -> Labelled:
    """Only these columns, as finite numbers."""
    missing = [name for name in names if name not in table.frame.columns]
    if missing:
        raise table.refuse(
            f"expected the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}, found "
            f"{', '.join(table.columns)[:300] or 'none'}. Is it a file of this tool?"
        )
    frame = table.frame.select(DAY, *names)
    for name in names:
        if frame[name].dtype == pl.Boolean:
            raise table.refuse(
                f"row 1, column {name}: expected a number, found {str(frame[name][0]).lower()}. Leave the column out."
            )
        column = frame[name].cast(pl.Float64, strict=False)
        wrong = (column.is_null() | ~column.is_finite()).fill_null(value=True).arg_true()
        if wrong.len():
            row = _to_blame(frame[name], wrong)
            raise table.refuse(
                f"row {row + 1}, column {name}: expected a finite number, found {frame[name][row]}. "
                f"{_remedy(column, row)}"
            )
        frame = frame.with_columns(column.alias(name))
    return Labelled(frame, table.said, table.notes, table.written)


def _to_blame(written: pl.Series, wrong: pl.Series) -> int:
    """The row to name in the refusal: the cell that is not a figure, if it makes a column of percentages unreadable."""
    if written.dtype == pl.String:
        is_figure = written[wrong].str.contains(_FIGURE).fill_null(value=True)
        if is_figure.any() and not is_figure.all():
            return int(wrong[int((~is_figure).arg_true()[0])])
    return int(wrong[0])


def _remedy(column: pl.Series, row: int) -> str:
    """Advice for a column with gaps; gaps only at its head are those of an incomplete window."""
    if row and column[:row].is_null().all():
        return "Correct it at its source."
    finite = column.is_finite().fill_null(value=False)
    head = int(finite.arg_true()[0]) if finite.any() else 0
    if head and finite[head:].all():
        return f"The first {head} rows have none, as before a window is full: leave them out with --drop-head."
    return "Correct it at its source."


def as_returns(table: Labelled, zone: str | None, *, unit: str | None = None, amounts: Sequence[str] = ()) -> Labelled:
    """One row a day of returns as fractions, from returns.

    `amounts` are columns such as turnover and cost: the unit does not apply to them, and those of a day are summed.
    """
    refuse_repeats(table, zone)
    daily = to_days(table, zone)
    returns = [name for name in daily.columns if name not in amounts]
    if unit == PERCENT:
        frame = daily.frame.with_columns(pl.col(name) / 100 for name in returns)
        note = "percentages were divided by 100"
        if as_is := [name for name in daily.columns if name in amounts]:
            note += f"; {' and '.join(as_is)} {'is' if len(as_is) == 1 else 'are'} no return and kept as written"
        daily = Labelled(frame, daily.said, (*daily.notes, note))
    for name in returns:
        _refuse_values(daily, name, unit)
    if unit == PERCENT:
        refuse_fractions(daily, returns)
    return compounded(daily, amounts)


def refuse_fractions(table: Labelled, returns: Sequence[str]) -> None:
    """Refuse fractions that are declared as percentages, judged by the sizes of all columns together."""
    if table.frame.height == 0:
        return
    values = table.frame.select(returns).to_numpy()
    days = table.frame[DAY].cast(pl.Date).to_physical().to_numpy()
    years = (int(days.max()) - int(days.min()) + 1) / 365.25
    annual = typical_volatility(values.ravel(), values.shape[0] / years)
    if annual is not None and annual < QUIETEST:
        raise table.refuse(
            f"expected percentages such as 1.2, as --unit percent says, found sizes that are a volatility of "
            f"{100 * annual:.2g}% a year if they are percent; they read as fractions. Leave --unit percent out."
        )


def _moments(table: Labelled, zone: str | None) -> RowTimes:
    column, refuse = table.frame[DAY], refusing(table.said)
    _refuse_no_zone(column, zone, table)
    if table.written is not None and zone is None:
        return as_written(column, table.written, refuse)
    return moments(column, None if column.dtype == pl.Date else zone, "--zone", refuse)


def refuse_repeats(table: Labelled, zone: str | None) -> None:
    """Refuse a repeated day without a clock, and a repeated instant, since either row may be meant."""
    column, order = table.frame[DAY], pl.Series(_moments(table, zone).order)
    again = (~order.is_first_distinct()).arg_true()
    if again.len() == 0:
        return
    row = int(again[0])
    first = int((order == order[row]).arg_true()[0])
    when = column.cast(pl.String)[row]
    clock = "" if isinstance(column.dtype, pl.Datetime) and _has_clock(column) else ", and it carries no clock"
    raise table.refuse(
        f"row {row + 1}: expected each time once, found {when} again, which is in row {first + 1} "
        f"already{clock}. Remove one of them, or write the time of day of each row."
    )


def _refuse_values(table: Labelled, name: str, unit: str | None) -> None:
    """Refuse values or percentages before they are compounded as returns."""
    values = table.frame[name].to_numpy()
    problem = worths(values)
    if problem is not None or (values > VALUED).any():
        reason = problem or f"expected returns such as 0.012, found {values.max():g}."
        raise table.refuse(
            f"column {name}: {reason} If it holds portfolio values, say --values; if percentages, --unit percent."
        )
    if unit is None and (is_percent(values) or (values < RUIN).any()):
        row = int(np.argmin(values)) if (values < RUIN).any() else int(np.argmax(np.abs(values)))
        raise table.refuse(
            f"row {row + 1}, column {name}: expected returns such as 0.012, found {values[row]:g}, which reads as a "
            "percentage. Say --unit percent, or --unit fraction if it is one."
        )


def zone_of(name: str) -> ZoneInfo:
    """A zone by its name."""
    return known_zone(name)


def refusing(where: str) -> Refuse:
    """The function by which the reader of times refuses this file."""

    def refuse(problem: str) -> NoReturn:
        raise BadInputError(f"{where}: {problem}. Nothing was written.")

    return refuse


def _times(column: pl.Series, where: str, order: Order | None) -> tuple[pl.Series, Days | None]:
    """Parse days and times, also from texts and numbers; with the days by their own offsets."""
    if column.null_count():
        raise BadInputError(
            f"{where}: row {int(column.is_null().arg_true()[0]) + 1}, column {column.name}: expected a date or "
            "time, found none. Remove the row, if it is a total or a second line of the header. Nothing was written."
        )
    if column.dtype == pl.String or column.dtype.is_numeric():
        times, written = texts_to_times(_iso(column, where, order), refusing(where))
        return times.alias(DAY), written
    if column.dtype != pl.Date and not isinstance(column.dtype, pl.Datetime):
        raise BadInputError(
            f"{where}: expected rows labelled by dates or times, found {column.dtype} ({column[0]}). Set the index to "
            "the dates before writing it."
        )
    within_years(column, refusing(where))
    return column.alias(DAY), None


def _iso(column: pl.Series, where: str, order: Order | None) -> pl.Series:
    try:
        return days_of_numbers(column) if column.dtype.is_numeric() else iso_texts(column, order)
    except OddDateError as error:
        raise _odd(error, column.name, where) from error


def _odd(error: OddDateError, name: str, where: str) -> BadInputError:
    place = "" if error.row is None else f"row {error.row + 1}, "
    return BadInputError(
        f"{where}: {place}column {name}: expected rows labelled by dates, found {error.problem}. Nothing was written."
    )


def _refuse_no_zone(column: pl.Series, zone: str | None, table: Labelled) -> None:
    is_unzoned = isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None
    if is_unzoned and zone is None and _has_clock(column):
        row = int((column.dt.truncate("1d") != column).arg_true()[0]) + 1
        raise table.refuse(
            f"row {row}: expected a time with a zone, found {column[row - 1]}. Say which zone it is with --zone, e.g. "
            "--zone America/New_York."
        )


def _has_clock(column: pl.Series) -> bool:
    return bool((column.dt.truncate("1d") != column).any())


def _intraday(before: Labelled, after: pl.DataFrame, note: str) -> tuple[str, ...]:
    return (
        () if before.frame.height == after.height else (f"{before.frame.height} rows are {after.height} days: {note}",)
    )
