"""A live feed from a folder of Parquet files, as a trading process or a replay journals them.

- `returns.parquet`: `date`, `version`, `return` [, `benchmark`]: daily, net of costs, of every version
- `predictions.parquet`: `timestamp`, `version`, `symbol`, `prediction`, `latency_ms`, `error`
- `features.parquet`: `timestamp`, `symbol` and one column a feature
- `exposure.parquet`: `date`, `version`, `gross_exposure_pct`
- `baseline_features.parquet`: the features of the training period, the reference for drift
- `history.parquet`: as `returns.parquet`, from backtest and paper trading, before the release was live
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.foreign_files import open_regular
from signoff.domain.errors import BadInputError, SignoffError, described, is_fault, one_line
from signoff.domain.evidence import Floats
from signoff.domain.monitoring import Drift, Measurement
from signoff.stats.drift import population_stability_index
from signoff.stats.errors import InsufficientData

WINDOW_SESSIONS: Final = 30
NULL_WINDOWS: Final = 40
NULL_QUANTILE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column must hold, in words and as a test of its type; `is_full` where no row may be empty."""

    words: str
    suits: Callable[[pl.DataType], bool]
    is_full: bool = True


DAY: Final = Kind("dates", lambda found: found == pl.Date)
MOMENT: Final = Kind("timestamps", lambda found: found == pl.Datetime)
TEXT: Final = Kind("texts", lambda found: found in {pl.String, pl.Categorical, pl.Enum})
NUMBER: Final = Kind("numbers", lambda found: found.is_numeric(), is_full=False)
FEATURE: Final = Kind("numbers", lambda found: found.is_numeric() or found == pl.Boolean, is_full=False)
FLAG: Final = Kind("true or false", lambda found: found == pl.Boolean or found.is_integer())
COLUMNS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "returns": {"date": DAY, "version": TEXT, "return": NUMBER},
    "history": {"date": DAY, "version": TEXT, "return": NUMBER},
    "predictions": {"timestamp": MOMENT, "version": TEXT, "symbol": TEXT, "latency_ms": NUMBER, "error": FLAG},
    "features": {"timestamp": MOMENT},
    "baseline_features": {"timestamp": MOMENT},
    "exposure": {"date": DAY, "version": TEXT, "gross_exposure_pct": NUMBER},
}
OPTIONAL: Final = {"benchmark": NUMBER}


@dataclass(frozen=True)
class LiveFolder:
    """Reads the journal up to a session, and nothing from after it."""

    folder: Path
    drift_features: int = 12

    def sessions(self, model: str) -> tuple[date, ...]:  # noqa: ARG002 - one folder a model
        """Sessions with a journaled prediction."""
        with self._telling():
            return tuple(self._predictions["session"].unique().sort().to_list())

    def measure(
        self,
        model: str,  # noqa: ARG002 - one folder a model
        version: str,
        session: date,
        live_since: date,
        champion: str | None = None,
    ) -> Measurement:
        """Everything known at the close of `session`."""
        with self._telling():
            return self._measured(version, session, live_since, champion)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn whatever polars and numpy raise, panics too, into an error of ours that names the journal."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, SignoffError) or not is_fault(error):
                raise
            raise BadInputError(
                f"Expected a live journal in {self.folder} that can be measured, found one that cannot: "
                f"{described(error)}. Journal it again."
            ) from error

    def _measured(self, version: str, session: date, live_since: date, champion: str | None) -> Measurement:
        mine = self._returns.filter((pl.col("version") == version) & (pl.col("date") <= session)).sort("date")
        today = self._predictions.filter((pl.col("version") == version) & (pl.col("session") == session))
        lived = mine.filter(pl.col("date") >= live_since).height
        is_journaled = mine.height > 0 and mine["date"][-1] == session
        exposure = self._exposure.filter((pl.col("version") == version) & (pl.col("date") == session))
        return Measurement(
            session=session,
            returns=mine["return"].to_numpy(),
            benchmark=mine["benchmark"].to_numpy() if "benchmark" in mine.columns else np.empty(0),
            live_sessions=lived,
            latency_ms=today["latency_ms"].to_numpy(),
            errors=int(today["error"].sum()),
            predictions=today.height if is_journaled else 0,
            drift=self._drift(session, live_since),
            gross_exposure_pct=exposure["gross_exposure_pct"].item() if exposure.height == 1 else None,
            universe_size=today["symbol"].n_unique(),
            against_champion=self._against(champion, mine.filter(pl.col("date") >= live_since)),
        )

    def _against(self, champion: str | None, lived: pl.DataFrame) -> Floats:
        """(n, 2) the candidate's and the champion's returns on the days that both were journaled."""
        theirs = self._returns.filter(pl.col("version") == champion).select("date", champion="return")
        both = lived.join(theirs, on="date", how="inner").sort("date")
        return both.select("return", "champion").to_numpy().astype(np.float64)

    @cached_property
    def _returns(self) -> pl.DataFrame:
        return pl.concat([self._read("history"), self._read("returns")], how="diagonal_relaxed")

    @cached_property
    def _predictions(self) -> pl.DataFrame:
        return self._read("predictions").with_columns(session=pl.col("timestamp").dt.date())

    @cached_property
    def _features(self) -> pl.DataFrame:
        return self._read("features").with_columns(session=pl.col("timestamp").dt.date())

    @cached_property
    def _baseline(self) -> pl.DataFrame:
        return self._read("baseline_features").with_columns(session=pl.col("timestamp").dt.date())

    @cached_property
    def _exposure(self) -> pl.DataFrame:
        return self._read("exposure")

    def _read(self, name: str) -> pl.DataFrame:
        """One file of the journal, refused unless it is what it must be: nothing is measured from half of it."""
        path = self.folder / f"{name}.parquet"
        try:
            handle = open_regular(path)
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        with os.fdopen(handle, "rb") as file:
            try:
                table = pl.read_parquet(file)
            except BaseException as error:
                if not is_fault(error):
                    raise
                raise _unreadable(path, one_line(str(error))) from error
        optional = OPTIONAL if name in {"returns", "history"} else {}
        _check(path, table, {**{c: kind for c, kind in optional.items() if c in table.columns}, **COLUMNS[name]})
        return table

    def _drift(self, session: date, live_since: date) -> tuple[Drift, ...]:
        inside = self._features.filter(pl.col("session").is_between(live_since, session))
        self._check_watched()
        days = inside["session"].unique().sort()
        window = inside.filter(pl.col("session").is_in(days.tail(WINDOW_SESSIONS).implode()))
        if window.height == 0:
            return ()
        n_days = min(days.len(), WINDOW_SESSIONS)
        return tuple(
            found
            for feature in self._watched
            if (found := self._drift_of(feature, window[feature].to_numpy(), n_days)) is not None
        )

    @cached_property
    def _watched(self) -> tuple[str, ...]:
        names = [c for c in self._features.columns if c not in {"timestamp", "symbol", "session"}]
        step = max(1, len(names) // self.drift_features)
        return tuple(names[::step])

    def _check_watched(self) -> None:
        watched = dict.fromkeys(self._watched, FEATURE)
        for name, table in (("features", self._features), ("baseline_features", self._baseline)):
            _check(self.folder / f"{name}.parquet", table, watched)

    def _drift_of(self, feature: str, current: Floats, n_days: int) -> Drift | None:
        try:
            psi = population_stability_index(self._reference(feature), current[np.isfinite(current)])
        except InsufficientData:
            return None
        return Drift(feature=feature, psi=psi.value, null_psi=self._null(feature, n_days), n=current.size)

    def _reference(self, feature: str) -> Floats:
        values = self._baseline[feature].to_numpy()
        return np.asarray(values[np.isfinite(values)], dtype=np.float64)

    @cached_property
    def _nulls(self) -> dict[tuple[str, int], float]:
        return {}

    def _null(self, feature: str, n_days: int) -> float:
        """The 99th percentile of the PSI that windows of this length showed within the training period itself.

        Features are autocorrelated: a month of a one-year momentum always differs from its ten-year distribution. What
        counts as drift is a window unlike the windows of the past.
        """
        key = (feature, n_days)
        if key not in self._nulls:
            table = self._baseline.select("session", feature)
            days = table["session"].unique().sort().to_list()
            starts = np.linspace(0, max(0, len(days) - n_days), NULL_WINDOWS).astype(int) if days else ()
            reference, found = self._reference(feature), []
            for start in starts:
                part = table.filter(pl.col("session").is_between(days[start], days[min(start + n_days, len(days)) - 1]))
                values = part[feature].to_numpy()
                try:
                    found.append(population_stability_index(reference, values[np.isfinite(values)]).value)
                except InsufficientData:
                    continue
            self._nulls[key] = float(np.quantile(found, NULL_QUANTILE)) if found else 0.0
        return self._nulls[key]


def _check(path: Path, table: pl.DataFrame, needed: Mapping[str, Kind]) -> None:
    """Refuse a table that lacks a column, or holds something else in it."""
    for name, kind in needed.items():
        if name not in table.columns:
            found = ", ".join(table.columns[:20]) or "no column at all"
            raise BadInputError(
                f"{path}: expected a column {name!r} with {kind.words}, found {found}. Journal it again."
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


def _unreadable(path: Path, because: str) -> BadInputError:
    return BadInputError(f"Expected the live journal {path}, found it unreadable: {because}. Journal it again.")
