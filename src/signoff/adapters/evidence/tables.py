"""Tables from Parquet, CSV and Arrow, and the checks that each table must pass.

A refusal names file, row (1 is the first row of data; in a CSV the line too) and column, says what was expected and
found, and what to do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.adapters.evidence.clock import FIRST, LAST, RowTimes, moments, moments_of_texts, within_years
from signoff.adapters.evidence.column_names import in_one_form, meant_columns
from signoff.adapters.evidence.extremes import SAME, line_for, nearly_declared
from signoff.adapters.evidence.file_formats import MAX_BYTES, read_frame, suffix_of
from signoff.adapters.evidence.nearby_names import no_such_file
from signoff.adapters.evidence.written_dates import OddDateError, days_of_numbers, iso_texts, month_ends
from signoff.adapters.folder_files import read_inside, read_named, unreadable
from signoff.domain.costs import Costs
from signoff.domain.dossier import EvidenceDeclaration, ReturnUnit
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import CodedSymbols, Days, Floats, Instants, Source, Symbols
from signoff.ledger.canonical import digest
from signoff.stats.returns import LARGEST as LARGEST_RETURN
from signoff.stats.returns import QUIETEST, RUIN, WILDEST, impossible, is_percent, typical_volatility, worths

MAX_NAME: Final = 64
ZONE: Final = "evidence.zone of dossier.yaml"
CLOCK: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d"
MOST_LISTED: Final = 20
LARGEST_COST: Final = 0.1
BASIS_POINTS: Final = 15.0
"""The median size from which returns read as basis points: no strategy gains or loses 15% in a typical period."""
MONEY: Final = 1000.0
PIECE: Final = 1 << 20
"""The median size from which they read as money: 1,000 basis points are 10%."""
_WHOLE_TIME: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})$"
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
_NOTHING_DECLARED: Final = EvidenceDeclaration()


@dataclass(frozen=True, slots=True, eq=False)
class ByDay:
    """Distinct days in order, and the row at which each day begins; None if every row is a day."""

    days: Days
    starts: NDArray[np.intp] | None
    of: RowTimes

    def compounded(self, returns: Floats) -> Floats:
        """Compound the returns of the rows to daily returns."""
        if self.starts is None:
            return returns
        grown: Floats = np.multiply.reduceat(1 + returns, self.starts) - 1
        return grown

    def summed(self, values: Floats) -> Floats:
        """Sum the values of the rows by day."""
        if self.starts is None:
            return values
        total: Floats = np.add.reduceat(values, self.starts)
        return total


@dataclass(frozen=True, eq=False)
class EvidenceTable:
    """One file as read: `name` is its name in the manifest, `where` its name in messages."""

    name: str
    where: str
    content: bytes
    frame: pl.DataFrame
    declared: EvidenceDeclaration = _NOTHING_DECLARED
    first_line: int | None = None
    imported_costs: Costs | None = None

    @cached_property
    def source(self) -> Source:
        return Source(name=self.name, sha256=digest(self.content), size=len(self.content), rows=self.frame.height)

    def require(self, *columns: str, optional: tuple[str, ...] = ()) -> None:
        """Refuse a table that lacks a column or misspells one."""
        present = self.frame.columns
        missing = [c for c in columns if c not in present]
        if missing:
            near = "".join(f"; {similar} reads like {c}" for c in missing if (similar := self._nearly(c)) is not None)
            self.refuse(
                f"expected the columns {', '.join(columns)}, found {_listed(present)}{near}{_no_header(present)}"
            )
        for column in optional:
            if column not in present and (similar := self._nearly(column, *columns, *optional)) is not None:
                self.refuse(
                    f"column {similar} reads like {column}, and would be passed over. Name it {column}, or remove it"
                )

    def _nearly(self, column: str, *excluded: str) -> str | None:
        """The column with the most similar name; None if no name is similar."""
        lowered = {name.strip().lower(): name for name in self.frame.columns if name not in excluded}
        close = get_close_matches(column, lowered, n=1, cutoff=0.7)
        return lowered[close[0]] if close else None

    def days(self, zone: str | None = None) -> Days:
        """The `date` column: ISO days, or the days of its times."""
        return self.moments(zone).days

    def moments(self, zone: str | None = None) -> RowTimes:
        """The `date` column as days and, where it has times, as instants; `zone` is the dossier's."""
        column = self.frame["date"]
        if column.dtype.is_numeric():
            self._refuse_written(column)
        self._no_nulls(column, "date")
        if column.dtype == pl.String:
            if not column.str.contains(CLOCK).any():
                return moments(self._iso_days(column), zone, ZONE, self.refuse)
            return moments_of_texts(column, zone, ZONE, self.refuse)
        if column.dtype != pl.Date and not isinstance(column.dtype, pl.Datetime):
            self.refuse(f"column date: expected ISO dates, found {column.dtype}. Write dates as 2018-12-31")
        return moments(column, zone, ZONE, self.refuse)

    def unique_days(self) -> Days:
        """The `date` column; its days must be unique and in order."""
        days = self.days()
        self._ordered(days, "date")
        return days

    def by_day(self, zone: str | None = None) -> ByDay:
        """The distinct days in order; several times of one day must be in order too."""
        times = self.moments(zone)
        if times.instants is None:
            self._ordered(times.days, "date")
            return ByDay(times.days, None, times)
        back = np.flatnonzero(np.diff(times.instants) <= 0)
        if back.size:
            row = int(back[0]) + 1
            word = "repeats" if times.instants[row] == times.instants[row - 1] else "goes back from"
            column = self.frame["date"]
            self.refuse(
                f"{self.row(row)}, column date: {column[row]} {word} {column[row - 1]}; times are unique and in order"
            )
        if (np.diff(times.days.astype(np.int64)) > 0).all():
            return ByDay(times.days, None, times)
        starts = np.flatnonzero(np.concatenate(([True], np.diff(times.days.astype(np.int64)) != 0)))
        self._ordered(times.days[starts], "date")
        return ByDay(times.days[starts], starts, times)

    def instants(self) -> Instants:
        """The `timestamp` column: times with a zone, given in UTC."""
        column = self.frame["timestamp"]
        if column.dtype == pl.String:
            return self._iso_times(column)
        if not isinstance(column.dtype, pl.Datetime):
            self.refuse(f"column timestamp: expected times, found {column.dtype}")
        if column.dtype.time_zone is None:
            self.refuse(
                "column timestamp: expected times with a zone, found times without one (row 1: "
                f"{column[0]}). Say which zone they are in, e.g. by dt.replace_time_zone('America/New_York')"
            )
        self._no_nulls(column, "timestamp")
        within_years(column, self.refuse)
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy()

    def symbols(self, name: str = "symbol") -> Symbols:
        """A column of names."""
        return np.asarray(self.coded(name))

    def coded(self, name: str = "symbol") -> CodedSymbols:
        """A column of names as codes into the list of names, which follows the order of first rows."""
        column = self.frame[name]
        if column.dtype not in _TEXTS:
            self.refuse(f"column {name}: expected names, found {column.dtype}. Write them as text")
        self._no_nulls(column, name)
        if isinstance(column.dtype, pl.Enum):
            categories = column.dtype.categories
        else:
            texts = column.cast(pl.String)
            categories = texts.unique(maintain_order=True)
            column = texts.cast(pl.Enum(categories))
        codes = column.to_physical().to_numpy()
        names = in_one_form(categories)
        self._refuse_names(names, codes, name)
        places = names.unique(maintain_order=True)
        if places.len() < names.len():
            codes = names.cast(pl.Enum(places)).to_physical().to_numpy()[codes]
        return _of_those_used(codes, places.to_numpy().astype(np.str_))

    def _refuse_names(self, names: pl.Series, codes: np.ndarray, column: str) -> None:
        """Refuse empty and long names: an array of names reserves the longest name's size for each."""
        length = names.str.len_chars().to_numpy()
        wrong = (length == 0) | (length > MAX_NAME)
        if wrong.any() and wrong[codes].any():
            row = int(np.argmax(wrong[codes]))
            if length[codes[row]] == 0:
                self.refuse(f"{self.row(row)}, column {column}: expected a name, found an empty one")
            self._short(self.frame[column].cast(pl.String), column)

    def texts(self, name: str) -> Symbols:
        """A column of short texts; a missing text is empty."""
        texts = self.frame[name].cast(pl.String).fill_null("")
        self._short(texts, name)
        return texts.to_numpy().astype(np.str_)

    def numbers(self, name: str) -> Floats:
        """A column of finite numbers."""
        values = self._floats(name)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            self.refuse(
                f"{self.row(row)}, column {name}: expected a finite number, found {_said(self.frame[name][row])}. "
                f"{_head_hint(values, row)}Correct or remove the row; Signoff guesses no value"
            )
        return values

    def numbers_where(self, name: str, needed: np.ndarray) -> Floats:
        """A column that must be finite on some rows, and may be empty on the others."""
        values = self._floats(name)
        broken = np.flatnonzero(~np.isfinite(values) & needed)
        if broken.size:
            self.refuse(
                f"{self.row(int(broken[0]))}, column {name}: expected a number, found "
                f"{_said(self.frame[name][int(broken[0])])}; this row needs it"
            )
        return values

    def returns(self, name: str, *, may_rest: bool = False) -> Floats:
        """A column of simple returns as fractions, from the unit that the dossier declares.

        With `may_rest`, zeros may follow a total loss: one column of several cannot end before the others.
        """
        raw = self.numbers(name)
        if (problem := worths(raw)) is not None:
            self.refuse(f"column {name}: {problem.removesuffix('.')}")
        values = self._fractions(name, raw)
        if name == "return" or (name == "benchmark" and (raw < 0).any()):
            self._refuse_declared_unit(name, raw, values, raw.size)
        fault = impossible(values, self._admitted(raw, values, column=name), may_rest=may_rest)
        if fault is not None:
            self._refuse_return(name, raw, *fault)
        return values

    def asset_returns(self, name: str, symbols: Symbols) -> Floats:
        """A column of simple returns of several assets; each asset may end on its own date."""
        raw = self.numbers(name)
        values = self._fractions(name, raw)
        if self.declared.return_unit is not None:
            self._refuse_declared_unit(name, raw, values, np.unique(self.days(self.declared.zone)).size)
        admitted = self._admitted(raw, values, symbols=symbols)
        for row in np.flatnonzero(values <= RUIN).tolist():
            own = np.flatnonzero(symbols == symbols[row])
            if (fault := impossible(values[own], admitted[own])) is not None:
                self._refuse_return(name, raw, int(own[fault[0]]), fault[1], symbols)
        if (large := np.flatnonzero((values > LARGEST_RETURN) & ~admitted)).size:
            row = int(large[0])
            fault = impossible(values[row : row + 1])
            assert fault is not None
            self._refuse_return(name, raw, row, fault[1], symbols)
        return values

    def _fractions(self, name: str, raw: Floats) -> Floats:
        """A column of returns in the declared unit as fractions."""
        if self.declared.return_unit is ReturnUnit.PERCENT:
            return np.asarray(raw / 100, dtype=np.float64)
        if self.declared.return_unit is None and is_percent(raw):
            row = int(np.argmax(np.abs(raw)))
            self.refuse(
                f"column {name}: expected simple returns such as 0.012, found sizes such as {raw[row]:g} "
                f"({self.row(row)}); {_unit_of(raw)} (say evidence.return_unit: fraction in dossier.yaml, if they "
                "are fractions)"
            )
        return raw

    def _refuse_declared_unit(self, name: str, raw: Floats, values: Floats, periods: int) -> None:
        """Refuse a declared unit that the sizes contradict.

        A benchmark that never falls is an interest rate and does not show the unit. All trials together are compared
        with the backtest, since one quiet configuration does not show another unit.
        """
        unit = self.declared.return_unit
        if unit is None:
            return
        days = self.days(self.declared.zone)
        years = float((days.max() - days.min()).astype(np.int64) + 1) / 365.25
        annual = typical_volatility(values, periods / years)
        if annual is None:
            return
        size = float(np.median(np.abs(raw[raw != 0])))
        as_declared = f"as evidence.return_unit of dossier.yaml says, found a median size of {size:.2g}"
        if unit is ReturnUnit.PERCENT and annual < QUIETEST:
            self.refuse(
                f"column {name}: expected percentages such as 1.2, {as_declared}, which is a volatility of "
                f"{100 * annual:.2g}% a year if it is percent; this looks like fractions. Remove evidence.return_unit, "
                "or, if returns truly are as small, write them as fractions"
            )
        if unit is ReturnUnit.FRACTION and annual > WILDEST and is_percent(raw):
            self.refuse(
                f"column {name}: expected fractions such as 0.012, {as_declared}, which is a volatility of "
                f"{100 * annual:,.0f}% a year if it is a fraction; this looks like percent. Divide by 100, or say "
                "evidence.return_unit: percent"
            )

    def _admitted(self, raw: Floats, values: Floats, *, column: str = "", symbols: Symbols | None = None) -> np.ndarray:
        """The gains above 100% that the dossier declares, by date, value and symbol."""
        admitted = np.zeros(values.size, dtype=np.bool_)
        if not self.declared.extreme_returns or not (values > LARGEST_RETURN).any():
            return admitted
        days = self.days(self.declared.zone)
        for one in self.declared.extreme_returns:
            same = (days == np.datetime64(one.date)) & (np.abs(raw - one.value) <= SAME * abs(one.value))
            if one.symbol is not None:
                same &= (symbols == one.symbol) if symbols is not None else (column in (one.symbol, "return"))
            admitted |= same
        return admitted

    def _refuse_return(
        self, name: str, raw: Floats, row: int, problem: str, symbols: Symbols | None = None
    ) -> NoReturn:
        advice = ""
        if raw[row] > 0:
            day, value = self.days(self.declared.zone)[row].item(), float(raw[row])
            symbol = str(symbols[row]) if symbols is not None else None if name in ("return", "benchmark") else name
            advice = (
                "? This looks like percent: divide by 100, or say evidence.return_unit: percent in dossier.yaml. If "
                f"the return is true, write under evidence.extreme_returns {line_for(day, value, symbol)}"
                f"{nearly_declared(day, value, symbol, self.declared.extreme_returns)}"
            )
        elif problem.endswith("money"):
            advice = "? This looks like percent: divide by 100, or say evidence.return_unit: percent in dossier.yaml"
        self.refuse(f"{self.row(row)}, column {name}: found {raw[row]:g}; {problem}{advice}")

    def weights(self, name: str) -> Floats:
        """A column of shares of capital; a row above ten times the capital has a wrong unit."""
        return self._within(name, 10.0, "a share of capital such as 0.05")

    def at_least_zero(self, name: str) -> Floats:
        """A column of numbers that cannot be negative."""
        values = self.numbers(name)
        wrong = np.flatnonzero(values < 0)
        if wrong.size:
            self.refuse(f"{self.row(int(wrong[0]))}, column {name}: expected 0 or more, found {values[wrong[0]]:g}")
        return values

    def costs(self, name: str) -> Floats:
        """A column of costs as shares of capital; a row above a tenth of it has a wrong unit."""
        values = self.numbers(name)
        if (wrong := np.flatnonzero(np.abs(values) > LARGEST_COST)).size:
            row = int(wrong[0])
            self.refuse(
                f"{self.row(row)}, column {name}: expected a share of capital such as 0.0002, at most "
                f"{LARGEST_COST:g} a row, found {values[row]:g}. Divide percentages by 100, basis points by 10,000, "
                "money by the capital"
            )
        return values

    def prices(self, name: str, needed: np.ndarray) -> Floats:
        """A column of prices, positive on the rows that need one."""
        values = self.numbers_where(name, needed)
        wrong = np.flatnonzero(needed & ~(values > 0))
        if wrong.size:
            self.refuse(
                f"{self.row(int(wrong[0]))}, column {name}: expected a price above 0, found {values[wrong[0]]:g}"
            )
        return values

    def truths(self, name: str) -> np.ndarray:
        """A column of true and false (or 1 and 0)."""
        column = self.frame[name]
        self._no_nulls(column, name)
        if column.dtype == pl.Boolean:
            return column.to_numpy().astype(np.bool_)
        values = self.numbers(name)
        wrong = np.flatnonzero(~np.isin(values, (0.0, 1.0)))
        if wrong.size:
            self.refuse(f"{self.row(int(wrong[0]))}, column {name}: expected true or false, found {values[wrong[0]]:g}")
        return values.astype(np.bool_)

    def unique_pairs(self, times: np.ndarray, symbols: Symbols | CodedSymbols, what: str) -> None:
        """Refuse a repeated or disordered (time, symbol)."""
        back = times[1:] < times[:-1]
        if back.any():
            row = int(np.argmax(back)) + 1
            self.refuse(
                f"{self.row(row)}, column {what}: expected times in order, found {times[row]} after {times[row - 1]}"
            )
        if isinstance(symbols, CodedSymbols) and not _repeats(times, symbols):
            return
        pairs = pl.DataFrame({"time": times.astype("int64"), "symbol": np.asarray(symbols)})
        again = pairs.select(~pl.struct("time", "symbol").is_first_distinct()).to_series().arg_true()
        if again.len():
            row = int(again[0])
            self.refuse(f"{self.row(row)}: repeats {pairs['symbol'][row]} at {times[row]}; each may stand once")

    def row(self, index: int) -> str:
        """The row's name in messages: its number from 1, and its line if the file has lines."""
        line = "" if self.first_line is None else f" (line {index + self.first_line})"
        return f"row {index + 1}{line}"

    def refuse(self, problem: str) -> NoReturn:
        """Raise with the file's name."""
        raise BadInputError(f"{self.where}: {problem}. Nothing was written.")

    def _floats(self, name: str) -> Floats:
        column = self.frame[name]
        if column.dtype in _TEXTS:
            texts = column.cast(pl.String)
            column = texts.cast(pl.Float64, strict=False)
            self._refuse_unread(texts, column, "a number")
        elif not column.dtype.is_numeric() and column.dtype != pl.Null:
            self.refuse(f"{self.row(0)}, column {name}: expected a number, found {_said(column[0])} ({column.dtype})")
        whole = column.cast(pl.Float64)
        if whole.null_count():
            whole = whole.fill_null(float("nan"))
        return np.asarray(whole.to_numpy(), dtype=np.float64)

    def _within(self, name: str, limit: float, wanted: str) -> Floats:
        values = self.numbers(name)
        wild = np.flatnonzero(np.abs(values) > limit)
        if wild.size:
            row = int(wild[0])
            self.refuse(
                f"{self.row(row)}, column {name}: expected {wanted}, found {values[row]:g}; this looks like percent. "
                "Divide by 100"
            )
        return values

    def _refuse_written(self, column: pl.Series) -> None:
        """Refuse dates in another form than ISO; name the form and the command that rewrites it."""
        try:
            if (ends := month_ends(column)) is not None:
                self.refuse(
                    f"{self.row(0)}, column {column.name}: expected an ISO date such as 2018-12-31, found {column[0]}, "
                    f"a month without a day. `signoff import table` reads it as the end of the month, {ends[0]}"
                )
            texts = days_of_numbers(column) if column.dtype.is_numeric() else iso_texts(column)
        except OddDateError as error:
            place = "" if error.row is None else f"{self.row(error.row)}, "
            self.refuse(f"{place}column {column.name}: expected an ISO date such as 2018-12-31, found {error.problem}")
        changed = (texts != column.cast(pl.String)).fill_null(value=False).arg_true()
        if changed.len():
            row = int(changed[0])
            self.refuse(
                f"{self.row(row)}, column {column.name}: expected an ISO date such as 2018-12-31, found {column[row]}, "
                f"which reads like {texts[row]}. Write ISO dates; `signoff import` rewrites those of returns"
            )

    def _iso_days(self, column: pl.Series) -> pl.Series:
        column = column.str.replace(r"[T ]00:00(?::00(?:\.0+)?)?$", "")
        if not column.str.contains(r"^\d{4}-\d{2}-\d{2}$").all():
            self._refuse_written(column)
        parsed = column.str.to_date("%Y-%m-%d", strict=False)
        shaped = column.str.contains(r"^\d{4}-\d{2}-\d{2}$")
        parsed = pl.select(pl.when(shaped).then(parsed)).to_series()
        self._refuse_unread(column, parsed, "an ISO date such as 2018-12-31")
        return parsed

    def _iso_times(self, column: pl.Series) -> Instants:
        self._no_nulls(column, column.name)
        if column.str.contains(_WHOLE_TIME).all():
            texts = column.str.replace("T", " ", literal=True).str.replace("Z$", "+00:00")
            parsed = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us")
            if not parsed.null_count():
                within_years(parsed, self.refuse)
                return parsed.dt.replace_time_zone(None).to_numpy()
        times = []
        for index, text in enumerate(column.to_list()):
            time = _iso_time(text)
            if time is None:
                self.refuse(
                    f"{self.row(index)}, column {column.name}: expected an ISO time such as 2018-12-31T21:00:00Z, "
                    f"found {text!r}"
                )
            if time.tzinfo is None:
                self.refuse(
                    f"{self.row(index)}, column {column.name}: expected a time with a zone, found {text!r}. "
                    "Write Z for UTC, or an offset such as -05:00"
                )
            if not FIRST.item().year <= time.year <= LAST.item().year:
                self.refuse(
                    f"{self.row(index)}, column {column.name}: expected a date from 1900 to 2261, found {text!r}. "
                    "Correct it at its source"
                )
            times.append(time.astimezone(UTC).replace(tzinfo=None))
        return np.array(times, dtype="datetime64[us]")

    def _refuse_unread(self, written: pl.Series, parsed: pl.Series, wanted: str) -> None:
        bad = (parsed.is_null() & written.is_not_null()).arg_true()
        if bad.len():
            row = int(bad[0])
            self.refuse(f"{self.row(row)}, column {written.name}: expected {wanted}, found {written[row]}")

    def _short(self, texts: pl.Series, name: str) -> None:
        """Refuse texts that are too long for a name: an array reserves the longest text's size for each."""
        long = (texts.str.len_chars() > MAX_NAME).arg_true()
        if long.len():
            row = int(long[0])
            self.refuse(
                f"{self.row(row)}, column {name}: expected a name of at most {MAX_NAME} characters, found "
                f"{len(texts[row]):,}. Shorten it"
            )

    def _no_nulls(self, column: pl.Series, name: str) -> None:
        empty = column.is_null().arg_true()
        if empty.len():
            self.refuse(f"{self.row(int(empty[0]))}, column {name}: expected a value, found none")

    def _ordered(self, days: Days, name: str) -> None:
        step = np.diff(days.astype("int64"))
        wrong = np.flatnonzero(step <= 0)
        if wrong.size:
            row = int(wrong[0]) + 1
            word = "repeats" if step[wrong[0]] == 0 else "goes back from"
            self.refuse(
                f"{self.row(row)}, column {name}: {days[row]} {word} {days[row - 1]}; dates are unique and in order"
            )


def read(path: Path, folder: Path) -> EvidenceTable:
    """Read one whole file. A link out of the folder and an empty, huge or broken file are refused."""
    return table_of(read_bytes(path, folder), path.name, str(path))


def table_of(content: bytes, name: str, where: str) -> EvidenceTable:
    """The table in the bytes of a file of this name; `where` names it in messages."""
    suffix = suffix_of(name)
    located = read_frame(content, suffix, where, is_coded=True)
    table = EvidenceTable(name, where, content, meant_columns(located.frame, where), first_line=located.first_line)
    if table.frame.height == 0:
        table.refuse("expected rows of data, found none")
    return table


def read_bytes(path: Path, folder: Path | None = None) -> bytes:
    """The content of an evidence file, inside a folder or named by itself."""
    try:
        content = read_named(path, limit=MAX_BYTES) if folder is None else read_inside(path, folder, limit=MAX_BYTES)
    except FileNotFoundError as error:
        raise (no_such_file(path) if folder is None else unreadable(path, error)) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not content:
        raise BadInputError(f"{path}: expected a table, found an empty file. Write it again.")
    return content


def _unit_of(raw: Floats) -> str:
    """Advice for returns whose typical size is too large for fractions; nothing is converted."""
    size = float(np.median(np.abs(raw[raw != 0])))
    if size < BASIS_POINTS:
        return "this looks like percent. Divide by 100, or say evidence.return_unit: percent in dossier.yaml"
    if size < MONEY:
        return (
            f"a median size of {size:.3g} looks like basis points: divide by 10,000; if it is a profit in money or a "
            "number of shares, divide the profit by the capital it was made with"
        )
    return (
        f"a median size of {size:,.0f} looks like a profit in money or a number of shares, which is no return: divide "
        "the profit of each period by the capital at its beginning. Of an equity curve give the changes, "
        "worth[t] / worth[t − 1] − 1"
    )


def _of_those_used(codes: np.ndarray, names: Symbols) -> CodedSymbols:
    """The names that occur; a column of categories may list others."""
    is_used = np.zeros(names.size, dtype=np.bool_)
    for first in range(0, codes.size, PIECE):  # in pieces: numpy widens each index to eight bytes
        is_used[codes[first : first + PIECE]] = True
    if is_used.all():
        return CodedSymbols(codes, names)
    places = np.cumsum(is_used) - 1
    return CodedSymbols(places.astype(codes.dtype)[codes], names[is_used])


def _repeats(times: np.ndarray, symbols: CodedSymbols) -> bool:
    """Whether a symbol occurs twice at one time; times are in order."""
    same = times[1:] == times[:-1]
    codes = symbols.codes
    if (codes[1:] > codes[:-1])[same].all():
        return False
    ranks = np.empty(symbols.names.size, dtype=codes.dtype)
    ranks[np.argsort(symbols.names)] = np.arange(symbols.names.size, dtype=codes.dtype)
    ordered = ranks[codes]
    if (ordered[1:] > ordered[:-1])[same].all():
        return False
    keys = np.concatenate([[0], np.cumsum(~same)]) * np.int64(symbols.names.size) + codes
    keys.sort()
    return bool((keys[1:] == keys[:-1]).any())


def _iso_time(text: str) -> datetime | None:
    """A time in ISO 8601 with date and clock; None for any other text."""
    try:
        return datetime.fromisoformat(text) if len(text) > len("2018-12-31") else None
    except ValueError:
        return None


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(name[:MAX_NAME] for name in names[:MOST_LISTED]) or 'none'}{rest}"


def _no_header(names: Sequence[str]) -> str:
    """A hint for a file that has data in place of its header."""
    is_data = any(re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|[-+]?\d*[.,]\d+", name) for name in names)
    return ". The first line reads like data: put the names of the columns above it" if is_data else ""


def _head_hint(values: Floats, row: int) -> str:
    """Advice for a table whose first rows have no value yet."""
    filled = np.flatnonzero(np.isfinite(values))
    if row or not filled.size or not np.isfinite(values[filled[0] :]).all():
        return ""
    return (
        f"The first {filled[0]} rows have none, as before a window is full: `signoff import` leaves them out with "
        "--drop-head. "
    )


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)
