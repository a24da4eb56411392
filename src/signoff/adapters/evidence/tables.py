"""Tables from Parquet, CSV and Arrow, and the checks that every one of them must pass.

A refusal names file, row (1 is the first row of data) and column, says what was expected and found, and what to do.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import polars as pl

from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Days, Floats, Instants, Source, Symbols
from signoff.ledger.canonical import digest

SUFFIXES: Final = (".parquet", ".csv", ".arrow")
MAX_BYTES: Final = 2_000_000_000


@dataclass(frozen=True, eq=False)
class EvidenceTable:
    """One file as it was read."""

    path: Path
    content: bytes
    frame: pl.DataFrame

    @property
    def source(self) -> Source:
        return Source(name=self.path.name, sha256=digest(self.content), size=len(self.content), rows=self.frame.height)

    def require(self, *columns: str) -> None:
        """Refuse a table that lacks a column."""
        missing = [c for c in columns if c not in self.frame.columns]
        if missing:
            self.refuse(f"expected the columns {', '.join(columns)}, found {', '.join(self.frame.columns)}")

    def days(self) -> Days:
        """The `date` column: ISO days, unique and in order."""
        column = self.frame["date"]
        if column.dtype == pl.String:
            column = self._parsed(column, pl.Date)
        elif isinstance(column.dtype, pl.Datetime):
            column = column.dt.date()
        elif column.dtype != pl.Date:
            self.refuse(f"column date: expected ISO dates, found {column.dtype}. Write dates as 2018-12-31")
        self._no_nulls(column, "date")
        return column.to_numpy().astype("datetime64[D]")

    def unique_days(self) -> Days:
        """The `date` column where each day stands once, in order."""
        found = self.days()
        self._ordered(found, "date")
        return found

    def instants(self) -> Instants:
        """The `timestamp` column: times with a zone, given in UTC."""
        column = self.frame["timestamp"]
        if column.dtype == pl.String:
            for row, text in enumerate(column.to_list(), start=1):
                if text is None or not (text.endswith("Z") or "+" in text[10:] or "-" in text[10:]):
                    self.refuse(f"row {row}, column timestamp: expected a time with a zone, found {text!r}. Write …Z")
            column = self._parsed(column, pl.Datetime("us", "UTC"))
        if not isinstance(column.dtype, pl.Datetime):
            self.refuse(f"column timestamp: expected times, found {column.dtype}")
        if column.dtype.time_zone is None:
            self.refuse(
                "column timestamp: expected times with a zone, found times without one (row 1: "
                f"{column[0]}). Say which zone they are in, e.g. by dt.replace_time_zone('America/New_York')"
            )
        self._no_nulls(column, "timestamp")
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy()

    def symbols(self, name: str = "symbol") -> Symbols:
        """A column of names."""
        column = self.frame[name]
        if column.dtype not in {pl.String, pl.Categorical}:
            self.refuse(f"column {name}: expected names, found {column.dtype}")
        self._no_nulls(column, name)
        return column.cast(pl.String).to_numpy().astype(np.str_)

    def numbers(self, name: str) -> Floats:
        """A column of finite numbers."""
        values = self._floats(name)
        broken = np.flatnonzero(~np.isfinite(values))
        if broken.size:
            row = int(broken[0])
            self.refuse(
                f"row {row + 1}, column {name}: expected a finite number, found {_said(self.frame[name][row])}. "
                "Correct or remove the row; Signoff guesses no value"
            )
        return values

    def numbers_where(self, name: str, needed: np.ndarray) -> Floats:
        """A column that must be finite on some rows, and may be empty on the others."""
        values = self._floats(name)
        broken = np.flatnonzero(~np.isfinite(values) & needed)
        if broken.size:
            self.refuse(f"row {int(broken[0]) + 1}, column {name}: expected a number, found none; an order needs it")
        return values

    def returns(self, name: str) -> Floats:
        """A column of simple returns; a loss beyond all or a gain above 100% in a day is a wrong unit."""
        values = self.numbers(name)
        wild = np.flatnonzero(np.abs(values) > 1.0)
        if wild.size:
            row = int(wild[0])
            self.refuse(
                f"row {row + 1}, column {name}: expected a simple return such as 0.012, found {values[row]:g}; "
                "this looks like percent. Divide by 100"
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
            self.refuse(f"row {int(wrong[0]) + 1}, column {name}: expected true or false, found {values[wrong[0]]:g}")
        return values.astype(np.bool_)

    def unique_pairs(self, times: np.ndarray, symbols: Symbols, what: str) -> None:
        """Refuse a repeated or disordered (time, symbol)."""
        step = np.diff(times.astype("int64"))
        back = np.flatnonzero(step < 0)
        if back.size:
            row = int(back[0]) + 2
            self.refuse(
                f"row {row}, column {what}: expected times in order, found {times[row - 1]} after {times[row - 2]}"
            )
        seen: set[tuple[object, str]] = set()
        for row, pair in enumerate(zip(times.tolist(), symbols.tolist(), strict=True), start=1):
            if pair in seen:
                self.refuse(f"row {row}: repeats {pair[1]} at {times[row - 1]}; each may stand once")
            seen.add(pair)

    def refuse(self, problem: str) -> NoReturn:
        """Raise with the file's name."""
        raise BadInputError(f"{self.path}: {problem}. Nothing was written.")

    def _floats(self, name: str) -> Floats:
        column = self.frame[name]
        if not column.dtype.is_numeric() and column.dtype != pl.Null:
            for row, text in enumerate(column.to_list(), start=1):
                if not _is_number(text):
                    self.refuse(f"row {row}, column {name}: expected a number, found {_said(text)}")
        return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)

    def _parsed(self, column: pl.Series, kind: pl.Date | type[pl.Date] | pl.Datetime) -> pl.Series:
        found = (
            column.str.to_date(strict=False)
            if kind == pl.Date
            else column.str.to_datetime(time_zone="UTC", time_unit="us", strict=False)
        )
        bad = (found.is_null() & column.is_not_null()).arg_true()
        if bad.len():
            row = int(bad[0])
            self.refuse(f"row {row + 1}, column {column.name}: expected an ISO date or time, found {column[row]!r}")
        return found

    def _no_nulls(self, column: pl.Series, name: str) -> None:
        empty = column.is_null().arg_true()
        if empty.len():
            self.refuse(f"row {int(empty[0]) + 1}, column {name}: expected a value, found none")

    def _ordered(self, days: Days, name: str) -> None:
        step = np.diff(days.astype("int64"))
        wrong = np.flatnonzero(step <= 0)
        if wrong.size:
            row = int(wrong[0]) + 2
            word = "repeats" if step[wrong[0]] == 0 else "goes back from"
            self.refuse(
                f"row {row}, column {name}: {days[row - 1]} {word} {days[row - 2]}; dates are unique and in order"
            )


def find(folder: Path, name: str) -> Path | None:
    """The file of this name with one of the known suffixes; two of them are refused."""
    found = [folder / f"{name}{suffix}" for suffix in SUFFIXES if (folder / f"{name}{suffix}").exists()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise BadInputError(f"{folder}: expected one file of evidence named {name}, found {names}. Remove one.")
    return found[0] if found else None


def read(path: Path, folder: Path) -> EvidenceTable:
    """One file, whole. A link out of the folder, an empty or a broken file is refused."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadInputError(f"{path} points outside of {folder}; evidence lies inside the dossier's folder.")
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        raise BadInputError(f"Expected to read {path}, and cannot: {error.strerror}.") from error
    if not content:
        raise BadInputError(f"{path}: expected a table, found an empty file (or one over 2 GB). Write it again.")
    try:
        frame = _frame(path.suffix, content)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise BadInputError(
            f"{path}: expected a whole {path.suffix[1:]} file, found one that cannot be read ({reason}). "
            "It may be truncated; write it again. Nothing was written."
        ) from error
    table = EvidenceTable(path, content, frame)
    if frame.height == 0:
        table.refuse("expected rows of data, found none")
    return table


def _frame(suffix: str, content: bytes) -> pl.DataFrame:
    match suffix:
        case ".parquet":
            return pl.read_parquet(content)
        case ".arrow":
            return pl.read_ipc(content)
        case _:
            return pl.read_csv(content, infer_schema_length=None)


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return text is not None


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)
