"""The journal of a trading process about one release, as raw columns, neither cleaned nor judged.

Rows are in the journal's order, with duplicates. A missing number is NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from signoff.domain.evidence import Days, Floats, Instants, Symbols
from signoff.domain.monitoring.cadence import bars, cadence_s
from signoff.domain.monitoring.drift import TrainingFeature
from signoff.domain.monitoring.usual import Layout
from signoff.domain.profiles import ApprovedProfile, Pinned

NO_DAYS: Final[Days] = np.empty(0, dtype="datetime64[D]")
NO_FLOATS: Final[Floats] = np.empty(0)
NO_INSTANTS: Final[Instants] = np.empty(0, dtype="datetime64[us]")
NO_SYMBOLS: Final[Symbols] = np.empty(0, dtype=np.str_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DailyReturns:
    """Returns of one version from one table; `benchmark` is None if the table lacks that column."""

    name: str = "returns"
    dates: Days = field(default_factory=lambda: NO_DAYS)
    returns: Floats = field(default_factory=lambda: NO_FLOATS)
    benchmark: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionPredictions:
    """The predictions of one session. `values` is None if they are not journaled; `errors` is 1, 0 or NaN."""

    timestamps: Instants = field(default_factory=lambda: NO_INSTANTS)
    symbols: Symbols = field(default_factory=lambda: NO_SYMBOLS)
    values: Floats | None = None
    latency_ms: Floats = field(default_factory=lambda: NO_FLOATS)
    errors: Floats = field(default_factory=lambda: NO_FLOATS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """The rows of the drift window, each with its session; `symbols` is None if no row names one."""

    timestamps: Instants = field(default_factory=lambda: NO_INSTANTS)
    sessions: Days = field(default_factory=lambda: NO_DAYS)
    symbols: Symbols | None = None
    columns: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """The features of the training period, the reference for drift. `symbols` are those of its last session.

    `cadence_s` is the distance between rows of a symbol, `pinned` identifies the file.
    """

    columns: Mapping[str, TrainingFeature] = field(default_factory=dict)
    symbols: frozenset[str] = frozenset()
    duplicates: int = 0
    cadence_s: float | None = None
    pinned: Pinned | None = None

    @classmethod
    def of(
        cls,
        timestamps: Instants,
        sessions: Days,
        symbols: Symbols | None,
        columns: Mapping[str, Floats],
        pinned: Pinned | None = None,
    ) -> "Baseline":
        """The rows of the training period in order of time; every column is a feature."""
        shared, cadence = Layout.of(sessions, symbols), cadence_s(timestamps, symbols)
        named = {
            name: TrainingFeature(values=values, sessions=sessions, symbols=symbols, shared=shared)
            for name, values in columns.items()
        }
        if symbols is None:
            return cls(columns=named, pinned=pinned)
        bar = bars(timestamps, symbols, (cadence or 0.0) / 2)
        return cls(
            columns=named,
            symbols=frozenset(symbols[sessions == sessions[-1]].tolist()) if sessions.size else frozenset(),
            duplicates=int(bar.size - np.unique(bar).size),
            cadence_s=cadence,
            pinned=pinned,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Earlier:
    """Predictions of the version before the session, NaN if one failed or is not a number."""

    timestamps: Instants = field(default_factory=lambda: NO_INSTANTS)
    sessions: Days = field(default_factory=lambda: NO_DAYS)
    symbols: Symbols = field(default_factory=lambda: NO_SYMBOLS)
    values: Floats = field(default_factory=lambda: NO_FLOATS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Rows of a file dated after the moment of reading, and the newest of these dates."""

    table: str
    rows: int
    newest: date


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """The journal of a release up to the end of one session.

    `history` is from backtest and paper trading, `live` from the rollout; together they fill long windows on the first
    day. `backtest` is the registered version run again over the lived sessions, None if not journaled. `expected` are
    the lived sessions that must have a return. `seen` are the symbols known before the session, `previous_symbols`
    those of the release's session before, None on its first. `earlier` and `earlier_exposures` are of the version's
    earlier sessions. `approved` is the release's approved profile, if it was asked for.
    """

    session: date
    live_since: date
    history: DailyReturns = field(default_factory=lambda: DailyReturns(name="history"))
    live: DailyReturns = field(default_factory=DailyReturns)
    champion: DailyReturns | None = None
    backtest: DailyReturns | None = None
    expected: Days = field(default_factory=lambda: NO_DAYS)
    predictions: SessionPredictions = field(default_factory=SessionPredictions)
    features: Features = field(default_factory=Features)
    baseline: Baseline = field(default_factory=Baseline)
    gross_exposure_pct: Floats = field(default_factory=lambda: NO_FLOATS)
    seen: frozenset[str] = frozenset()
    previous_symbols: frozenset[str] | None = None
    earlier: Earlier = field(default_factory=Earlier)
    earlier_exposures: Floats = field(default_factory=lambda: NO_FLOATS)
    ahead: tuple[Ahead, ...] = ()
    approved: ApprovedProfile | None = None
