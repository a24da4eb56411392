"""Drift of a feature: the population stability of its live window against its training period.

Features are autocorrelated: a month of a one-year momentum always differs from its ten-year distribution. Drift is a
window unlike the windows of the past, so a figure is compared with that of calm windows of its length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats, Symbols
from signoff.domain.monitoring.usual import Layout, usual
from signoff.domain.profiles import Usual
from signoff.stats.drift import MIN_OBSERVATIONS, PSI_BINS, bins_of, reference_edges, stability_of_counts
from signoff.stats.errors import InsufficientData

WINDOW_SESSIONS: Final = 30
# A model with few symbols has few rows a session, so its window is longer.
MOST_SESSIONS: Final = 250
NULL_WINDOWS: Final = 40
NULL_QUANTILE: Final = 0.99
GAP_QUANTILE: Final = 0.95
MOST_GAPS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Population stability of one feature, with its largest value in calm windows of this length.

    `psi` is None if unknown, and `why` has the reason; `is_waiting` says that only live rows are too few.
    """

    feature: str
    psi: float | None
    null_psi: float = 0.0
    n: int
    needed: int = MIN_OBSERVATIONS
    why: str = ""
    is_waiting: bool = False

    @property
    def is_significant(self) -> bool:
        """Whether the window moved more than windows of this length in training, or whether this is unknown."""
        return self.psi is None or not self.psi <= self.null_psi


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingFeature:
    """One feature in the training period: its values with their sessions, NaN if missing.

    The figures of past windows are computed once for each length, since they are needed daily. The features of one file
    share one layout.
    """

    values: Floats
    sessions: Days
    symbols: Symbols | None = None
    shared: Layout | None = None

    @cached_property
    def usual(self) -> Usual:
        """The feature's usual ranges in a session of training."""
        return usual((self.shared or Layout.of(self.sessions, self.symbols)).table(self.values))

    def drift(self, feature: str, window: Floats, n_sessions: int) -> Drift:
        """The drift of a window of so many sessions from the training period."""
        current = window[np.isfinite(window)]
        few = min(self._finite.size, current.size)
        if few < MIN_OBSERVATIONS:
            where = "live" if current.size <= self._finite.size else "training"
            why = f"{feature} has too few {where} values: n {few}, needs {MIN_OBSERVATIONS}"
            return Drift(feature=feature, psi=None, n=few, why=why, is_waiting=where == "live")
        if self._finite.min() == self._finite.max():
            return self._against_constant(feature, current)
        try:
            edges = self._edges
        except InsufficientData as error:
            return Drift(feature=feature, psi=None, n=current.size, why=f"{feature}: {error}")
        counts = np.bincount(bins_of(current, edges), minlength=edges.size + 1)
        psi = float(stability_of_counts(self._counts[-1], counts))
        return Drift(feature=feature, psi=psi, null_psi=self.calm(n_sessions), n=current.size)

    def calm(self, n_sessions: int) -> float:
        """The 99th percentile of the PSI of windows of this length within the training period."""
        if n_sessions not in self._calm:
            self._calm[n_sessions] = self._calm_of(n_sessions)
        return self._calm[n_sessions]

    @cached_property
    def gap_limit(self) -> float:
        """The largest usual share of missing values in a session, at most half.

        It is the share that one training session in twenty exceeded.
        """
        if not self.values.size:
            return 0.0
        missing = np.bincount(self._day_of, weights=~np.isfinite(self.values))
        shares = missing / np.bincount(self._day_of)
        return min(float(np.quantile(shares, GAP_QUANTILE)), MOST_GAPS)

    def _against_constant(self, feature: str, current: Floats) -> Drift:
        """The drift of a feature that was constant in training: none for the same value, unknown for another."""
        if bool(np.all(current == self._finite[0])):
            return Drift(feature=feature, psi=0.0, n=current.size)
        why = f"{feature} was always {self._finite[0]:g} in training and is not now"
        return Drift(feature=feature, psi=None, n=current.size, why=why)

    @cached_property
    def _finite(self) -> Floats:
        return np.asarray(self.values[np.isfinite(self.values)], dtype=np.float64)

    @cached_property
    def _day_of(self) -> NDArray[np.intp]:
        if self.shared is not None:
            return self.shared.day_of
        return np.unique(self.sessions, return_inverse=True)[1].reshape(-1)

    @cached_property
    def _calm(self) -> dict[int, float]:
        return {}

    @cached_property
    def _edges(self) -> Floats:
        return reference_edges(self._finite, PSI_BINS)

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """(S + 1, B) the number of values of the first s sessions in each bin."""
        finite = np.isfinite(self.values)
        edges = self._edges
        bins, days = edges.size + 1, int(self._day_of.max()) + 1
        flat = self._day_of[finite] * bins + bins_of(self.values[finite], edges)
        each = np.bincount(flat, minlength=days * bins).reshape(days, bins)
        return np.vstack([np.zeros((1, bins), dtype=np.int64), np.cumsum(each, axis=0)])

    def _calm_of(self, n_sessions: int) -> float:
        days = self._counts.shape[0] - 1
        starts = np.linspace(0, max(0, days - n_sessions), NULL_WINDOWS).astype(int)
        windows = self._counts[np.minimum(starts + n_sessions, days)] - self._counts[starts]
        enough = windows[windows.sum(axis=1) >= MIN_OBSERVATIONS]
        if not len(enough):
            return 0.0
        return float(np.quantile(stability_of_counts(self._counts[-1], enough), NULL_QUANTILE))


def window_sessions(rows: Sequence[int]) -> int:
    """How many of the newest sessions a drift window takes, from the rows of each session, the newest last."""
    total, sessions = 0, 0
    for of_session in reversed(rows):
        if sessions >= MOST_SESSIONS or (sessions >= WINDOW_SESSIONS and total >= MIN_OBSERVATIONS):
            break
        total, sessions = total + of_session, sessions + 1
    return sessions
