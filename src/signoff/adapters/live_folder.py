"""A live feed from a folder of Parquet files, as a trading process or a replay journals them.

- `returns.parquet`: `date`, `version`, `return` [, `benchmark`]: daily, of every version
- `predictions.parquet`: `timestamp`, `version`, `symbol`, `prediction`, `latency_ms`, `error`
- `features.parquet`: `timestamp` [, `symbol`] and one column a feature
- `exposure.parquet`: `date`, `version`, `gross_exposure_pct`
- `baseline_features.parquet`: the features of the training period, the reference for drift
- `history.parquet`: as `returns.parquet`, from backtest and paper trading, before the release was live
- `backtest.parquet`, if there is one: `date`, `version`, `return`: the registered version run over the lived sessions

A timestamp belongs to the session of its exchange; one without a zone is UTC. This module checks types and judges
nothing: doubled, missing and non-finite values are passed on.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.clocks import WallClock
from signoff.adapters.foreign_files import open_regular
from signoff.domain.errors import BadInputError, SignoffError, described, is_fault, one_line
from signoff.domain.evidence import Days, Floats, Symbols
from signoff.domain.monitoring import Baseline, DailyReturns, Features, Measurement, SessionPredictions
from signoff.domain.monitoring.drift import window_sessions
from signoff.domain.monitoring.measurement import Ahead, Earlier
from signoff.domain.policy import DayCount, PhasePolicy
from signoff.domain.profiles import ApprovedProfile, Pinned
from signoff.ports.calendar import Calendar, TradingDays

UTC_DAYS: Final = PhasePolicy(days=DayCount.CALENDAR, calendar="UTC")
EARLIEST: Final = date(1990, 1, 15)
LATEST: Final = date(2040, 12, 1)
# A zone ahead of UTC, or a session named after the next day, explains this much.
AHEAD: Final = timedelta(days=2)
MOST_EARLIER: Final = 500
KEYS: Final = frozenset({"timestamp", "symbol", "session"})
MAY_LACK: Final = frozenset({"backtest"})


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """The content that a column must have, in words and as a test of its type; `is_full` forbids empty rows."""

    words: str
    suits: Callable[[pl.DataType], bool]
    is_full: bool = True


DAY: Final = ColumnKind("dates", lambda dtype: dtype == pl.Date)
MOMENT: Final = ColumnKind("timestamps", lambda dtype: dtype == pl.Datetime)
TEXT: Final = ColumnKind("texts", lambda dtype: dtype in {pl.String, pl.Categorical, pl.Enum})
NUMBER: Final = ColumnKind("numbers", lambda dtype: dtype.is_numeric() or dtype == pl.Null, is_full=False)
FEATURE: Final = ColumnKind(
    "numbers", lambda dtype: dtype.is_numeric() or dtype in {pl.Boolean, pl.Null}, is_full=False
)
FLAG: Final = ColumnKind(
    "true or false", lambda dtype: dtype in {pl.Boolean, pl.Null} or dtype.is_integer(), is_full=False
)
COLUMNS: Final[Mapping[str, Mapping[str, ColumnKind]]] = {
    "returns": {"date": DAY, "version": TEXT, "return": NUMBER},
    "history": {"date": DAY, "version": TEXT, "return": NUMBER},
    "backtest": {"date": DAY, "version": TEXT, "return": NUMBER},
    "predictions": {"timestamp": MOMENT, "version": TEXT, "symbol": TEXT, "latency_ms": NUMBER, "error": FLAG},
    "features": {"timestamp": MOMENT},
    "baseline_features": {"timestamp": MOMENT},
    "exposure": {"date": DAY, "version": TEXT, "gross_exposure_pct": NUMBER},
}
OPTIONAL: Final[Mapping[str, Mapping[str, ColumnKind]]] = {
    "returns": {"benchmark": NUMBER},
    "history": {"benchmark": NUMBER},
    "predictions": {"prediction": NUMBER},
    "features": {"symbol": TEXT},
    "baseline_features": {"symbol": TEXT},
}


def _nothing_approved(_version: str) -> ApprovedProfile | None:
    return None


@dataclass(frozen=True)
class LiveFolder:
    """Reads the journal up to a session; of later rows it only counts those dated after `now`.

    `looks` caches the last reading of an open session while the file is unchanged. `baselines` caches the training
    period by its bytes, since its usual ranges take long to compute. `approved` gives the profile that a version was
    approved with.
    """

    folder: Path
    calendar: Calendar = field(default_factory=ExchangeCalendar)
    looks: dict[tuple[object, ...], Measurement] = field(default_factory=dict)
    baselines: dict[tuple[object, ...], tuple[Baseline, frozenset[str]]] = field(default_factory=dict)
    approved: Callable[[str], ApprovedProfile | None] = _nothing_approved
    now: Callable[[], datetime] = WallClock().now

    def sessions(self, model: str, phases: PhasePolicy | None = None) -> tuple[date, ...]:  # noqa: ARG002 - one a model
        """Sessions with a journaled prediction."""
        with self._telling():
            predictions = self._sessioned("predictions", self._days(phases))
            return tuple(predictions["session"].unique().sort().to_list())

    def measure(
        self,
        model: str,  # noqa: ARG002 - one folder a model
        version: str,
        session: date,
        live_since: date,
        champion: str | None = None,
        phases: PhasePolicy | None = None,
    ) -> Measurement:
        """Everything journaled up to `session`."""
        with self._telling():
            return self._measured(version, session, live_since, champion, self._days(phases))

    def measure_open(
        self,
        model: str,  # noqa: ARG002 - one folder a model
        version: str,
        session: date,
        live_since: date,
        phases: PhasePolicy | None = None,
    ) -> Measurement:
        """The predictions of an open session, cached until the file changes."""
        with self._telling():
            try:
                seen = (self.folder / "predictions.parquet").lstat()
            except FileNotFoundError:
                return Measurement(session=session, live_since=live_since)  # nothing was predicted yet
            except OSError as error:
                raise _unreadable(self.folder / "predictions.parquet", error.strerror or str(error)) from error
            key = (version, session, seen.st_ino, seen.st_size, seen.st_mtime_ns)
            if key not in self.looks:
                rows = self._sessioned("predictions", self._days(phases), since=session)
                today = rows.filter((pl.col("version") == version) & (pl.col("session") == session))
                self._forget(version)
                self.looks[key] = Measurement(session=session, live_since=live_since, predictions=_predictions(today))
            return self.looks[key]

    def _forget(self, version: str) -> None:
        for key in [key for key in self.looks if key[0] == version]:
            del self.looks[key]

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Translate every error and panic of polars and numpy into one of ours that names the journal."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, SignoffError) or not is_fault(error):
                raise
            raise BadInputError(
                f"Expected a live journal in {self.folder} that can be measured, found one that cannot: "
                f"{described(error)}. Journal it again."
            ) from error

    def _days(self, phases: PhasePolicy | None) -> TradingDays:
        return TradingDays(self.calendar, phases or UTC_DAYS)

    def _measured(
        self, version: str, session: date, live_since: date, champion: str | None, days: TradingDays
    ) -> Measurement:
        predictions = self._of(version, self._sessioned("predictions", days), session)
        today = predictions.filter(pl.col("session") == session)
        earlier = predictions.filter((pl.col("session") < session) & (pl.col("session") >= live_since))
        live = self._daily("returns", version, session)
        exposures = self._table("exposure").filter((pl.col("version") == version) & (pl.col("date") <= session))
        exposure = exposures.filter(pl.col("date") == session)
        baseline, seen = self._baseline(days)
        return Measurement(
            session=session,
            live_since=live_since,
            history=self._daily("history", version, session),
            live=live,
            champion=None if champion is None else self._daily("returns", champion, session, name="champion's returns"),
            backtest=self._daily("backtest", version, session) if self._has("backtest") else None,
            expected=_expected(live, predictions, live_since, session, days),
            predictions=_predictions(today),
            features=self._features(days, live_since, session),
            baseline=baseline,
            gross_exposure_pct=_numbers(exposure["gross_exposure_pct"]),
            seen=seen | self._seen_before(session, days),
            previous_symbols=_last_symbols(earlier),
            earlier=_earlier(predictions.filter(pl.col("session") < session)),
            earlier_exposures=_numbers(exposures.filter(pl.col("date") < session)["gross_exposure_pct"]),
            ahead=tuple(self._ahead()),
            approved=self.approved(version),
        )

    def _has(self, table: str) -> bool:
        """Whether there is such a file; an unreadable one counts, and is refused later."""
        return os.path.lexists(self.folder / f"{table}.parquet")

    def _ahead(self) -> Iterator[Ahead]:
        """Rows of each file, of any version, that are dated too far after now for any time zone."""
        now = self.now()
        for name, columns in COLUMNS.items():
            if name in MAY_LACK and not self._has(name):
                continue
            rows = self._table(name)
            if "date" in columns:
                days = rows["date"].filter(rows["date"] > (now + AHEAD).date())
            else:
                at = _utc(rows)
                days = at.filter(at > now + AHEAD).dt.date()
            if days.len() and isinstance(newest := days.max(), date):
                yield Ahead(table=name, rows=days.len(), newest=newest)

    def _daily(self, table: str, version: str, session: date, *, name: str | None = None) -> DailyReturns:
        rows = self._table(table).filter((pl.col("version") == version) & (pl.col("date") <= session))
        return DailyReturns(
            name=name or table,
            dates=_dates(rows["date"]),
            returns=_numbers(rows["return"]),
            benchmark=_numbers(rows["benchmark"]) if "benchmark" in rows.columns else None,
        )

    def _of(self, version: str, table: pl.DataFrame, session: date) -> pl.DataFrame:
        return table.filter((pl.col("version") == version) & (pl.col("session") <= session))

    def _seen_before(self, session: date, days: TradingDays) -> frozenset[str]:
        """Symbols of any version's earlier predictions."""
        before = self._sessioned("predictions", days).filter(pl.col("session") < session)
        return frozenset(before["symbol"].cast(pl.String).unique().to_list())

    def _features(self, days: TradingDays, live_since: date, session: date) -> Features:
        """The rows of the last sessions of the rollout."""
        self._check_features()
        inside = self._sessioned("features", days).filter(pl.col("session").is_between(live_since, session))
        rows = inside.group_by("session").len().sort("session")
        last = rows["session"].tail(window_sessions(rows["len"].to_list()))
        window = inside.filter(pl.col("session").is_in(last.implode()))
        return Features(
            timestamps=_instants(window["timestamp"]),
            sessions=_dates(window["session"]),
            symbols=_symbols(window["symbol"]) if "symbol" in window.columns else None,
            columns={name: _numbers(window[name]) for name in window.columns if name not in KEYS},
        )

    def _check_features(self) -> None:
        """Training must have every live feature; a feature that is missing live is judged later."""
        live, training = self._table("features"), self._table("baseline_features")
        for name, table, of in (
            ("features", live, live),
            ("baseline_features", training, training),
            ("baseline_features", training, live),
        ):
            wanted = dict.fromkeys((c for c in of.columns if c not in KEYS), FEATURE)
            _check(self.folder / f"{name}.parquet", table, wanted)

    def _baseline(self, days: TradingDays) -> tuple[Baseline, frozenset[str]]:
        """The training period and its symbols, prepared once for all measurements."""
        table = self._table("baseline_features")
        key = (self._digests["baseline_features"], days.zone)
        if key not in self.baselines:
            rows = _with_session(table, days, is_overnight=False).sort("timestamp", maintain_order=True)
            sessions, at = _dates(rows["session"]), _instants(rows["timestamp"])
            names = [name for name in rows.columns if name not in KEYS]
            symbols = _symbols(rows["symbol"]) if "symbol" in rows.columns else None
            pinned = Pinned(sha256=self._digests["baseline_features"], features=tuple(names))
            baseline = Baseline.of(at, sessions, symbols, {name: _numbers(rows[name]) for name in names}, pinned)
            self.baselines.clear()
            self.baselines[key] = (baseline, _named(rows) if symbols is not None else frozenset())
        return self.baselines[key]

    def reference(self) -> Pinned | None:
        """The pin of the drift reference; None if it cannot be read."""
        try:
            table = self._table("baseline_features")
        except SignoffError:
            return None
        names = tuple(name for name in table.columns if name not in KEYS)
        return Pinned(sha256=self._digests["baseline_features"], features=names)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}

    @cached_property
    def _tables(self) -> dict[str, pl.DataFrame]:
        return {}

    def _table(self, name: str) -> pl.DataFrame:
        """One file of the journal, read once, so that one measurement sees one state of it."""
        if name not in self._tables:
            self._tables[name] = self._read(name)
        return self._tables[name]

    def _sessioned(self, name: str, days: TradingDays, *, since: date | None = None) -> pl.DataFrame:
        """A table with the session of each row; `since` reads anew, and only those days."""
        if since is not None:
            return _with_session(self._read(name), days, since=since)
        key = f"{name} by session"
        if key not in self._tables:
            self._tables[key] = _with_session(self._table(name), days)
        return self._tables[key]

    def _read(self, name: str) -> pl.DataFrame:
        """One file of the journal; a file with a fault is refused whole."""
        path = self.folder / f"{name}.parquet"
        try:
            handle = open_regular(path)
        except FileNotFoundError as error:
            raise _missing(path) from error
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        with os.fdopen(handle, "rb") as file:
            try:
                content = file.read()
                self._digests[name] = sha256(content).hexdigest()
                table = pl.read_parquet(content)
            except BaseException as error:
                if not is_fault(error):
                    raise
                raise _unreadable(path, one_line(str(error))) from error
        optional = {c: kind for c, kind in OPTIONAL.get(name, {}).items() if c in table.columns}
        _check(path, table, {**optional, **COLUMNS[name]})
        return table


def _with_session(
    table: pl.DataFrame, days: TradingDays, *, since: date | None = None, is_overnight: bool = True
) -> pl.DataFrame:
    """Each row's day in the exchange's zone, or the session that was open then."""
    at = pl.col("timestamp")
    table = table.with_columns(timestamp=_utc(table))
    if since is not None:
        near = (pl.lit(since) - pl.duration(days=5)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        table = table.filter(at >= near)
    table = table.with_columns(session=at.dt.convert_time_zone(days.zone).dt.date())
    if table.is_empty() or not is_overnight:
        return table
    first, last = table["session"].min(), table["session"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    overnight = days.opened_before(max(first, EARLIEST), min(last, LATEST) + timedelta(days=7))
    if not overnight:
        return table
    opened = np.array([_naive(opened) for _, opened in overnight], dtype="datetime64[us]")
    named = np.array([day for day, _ in overnight], dtype="datetime64[D]")
    local = _dates(table["session"])
    place = np.searchsorted(opened, _instants(table["timestamp"]), side="left") - 1
    session = np.where(place >= 0, np.maximum(local, named[place]), local)
    return table.with_columns(session=pl.Series(session.astype("datetime64[D]")))


def _utc(table: pl.DataFrame) -> pl.Series:
    """The timestamps of a table; those without a zone are UTC."""
    at = table["timestamp"]
    has_zone = isinstance(at.dtype, pl.Datetime) and at.dtype.time_zone is not None
    instant = at.dt.convert_time_zone("UTC") if has_zone else at.dt.replace_time_zone("UTC")
    return instant.dt.cast_time_unit("us")


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _expected(
    live: DailyReturns, predictions: pl.DataFrame, live_since: date, session: date, days: TradingDays
) -> Days:
    """The sessions of the rollout that must have a return: the exchange's, or every day with a prediction.

    They begin with the first that has a row, since a release may enter shadow after the close.
    """
    predicted = np.unique(_dates(predictions["session"]))
    begun = np.datetime64(live_since, "D")
    lived = np.concatenate([live.dates[live.dates >= begun], predicted[predicted >= begun]])
    if not lived.size:
        return lived
    if days.phases.days is DayCount.CALENDAR:
        return np.asarray(predicted[predicted >= begun], dtype="datetime64[D]")
    first = lived.min().item()
    return np.array(days.between(first, session), dtype="datetime64[D]")


def _predictions(rows: pl.DataFrame) -> SessionPredictions:
    return SessionPredictions(
        timestamps=_instants(rows["timestamp"]),
        symbols=_symbols(rows["symbol"]),
        values=_numbers(rows["prediction"]) if "prediction" in rows.columns else None,
        latency_ms=_numbers(rows["latency_ms"]),
        errors=_numbers(rows["error"]),
    )


def _earlier(rows: pl.DataFrame) -> Earlier:
    """The predictions of the newest of these sessions, without failed ones."""
    days = rows["session"].unique().sort().tail(MOST_EARLIER)
    near = rows.filter(pl.col("session") >= days.min()).sort("timestamp", maintain_order=True) if days.len() else rows
    predictions = _predictions(near)
    values = np.full(near.height, np.nan) if predictions.values is None else predictions.values
    return Earlier(
        timestamps=predictions.timestamps,
        sessions=_dates(near["session"]),
        symbols=predictions.symbols,
        values=np.where(np.nan_to_num(predictions.errors, nan=0.0) != 0.0, np.nan, values),
    )


def _last_symbols(earlier: pl.DataFrame) -> frozenset[str] | None:
    return None if earlier.is_empty() else _named(earlier.filter(pl.col("session") == pl.col("session").max()))


def _named(rows: pl.DataFrame) -> frozenset[str]:
    return frozenset(rows["symbol"].cast(pl.String).unique().to_list())


def _numbers(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _dates(column: pl.Series) -> Days:
    return column.to_numpy().astype("datetime64[D]")


def _instants(column: pl.Series) -> NDArray[np.datetime64]:
    return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")


def _symbols(column: pl.Series) -> Symbols:
    return column.cast(pl.String).to_numpy().astype(np.str_)


def _check(path: Path, table: pl.DataFrame, needed: Mapping[str, ColumnKind]) -> None:
    """Refuse a table that lacks a column or has other content in it."""
    for name, kind in needed.items():
        if name not in table.columns:
            present = ", ".join(table.columns[:20]) or "no column at all"
            raise BadInputError(
                f"{path}: expected a column {name!r} with {kind.words}, found {present}. Journal it again."
            )
        column = table[name]
        if column.is_empty():
            continue
        if not kind.suits(column.dtype):
            raise BadInputError(
                f"{path}, column {name!r}: expected {kind.words}, found {column.dtype}, {str(column[0])[:60]!r} in row "
                "1. Journal it again."
            )
        if kind.is_full and column.null_count():
            row = int(column.is_null().arg_true()[0]) + 1
            raise BadInputError(
                f"{path}, column {name!r}, row {row}: expected {kind.words}, found nothing. Journal it again."
            )


def _missing(path: Path) -> BadInputError:
    """The error for a missing journal; the page that it names says what to write."""
    what = f"the file {path.name}" if path.parent.is_dir() else "the folder"
    return BadInputError(
        f"Expected the live journal {path}, found no such file: {what} is missing. The trading process writes it; "
        "docs/live-data.md names every file and its columns, and has a program that writes them."
    )


def _unreadable(path: Path, because: str) -> BadInputError:
    return BadInputError(f"Expected the live journal {path}, found it unreadable: {because}. Journal it again.")
