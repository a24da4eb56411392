"""Errors and latency of one session's predictions, which act at once, even in an open session.

An unknown value never hides a fault. A duplicated prediction counts once, by its worse row. Up to the minimum number of
predictions, missing ones count as good, so a limit that is exceeded is exceeded for sure. Missing good predictions
therefore silence no rule, and each rule fires at the latest when Clopper and Pearson's one-sided 95% lower bound is
above its limit.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Floats
from signoff.domain.monitoring.cadence import bars
from signoff.domain.monitoring.measurement import SessionPredictions
from signoff.domain.monitoring.readings import Figure, some, too_few

MIN_PREDICTIONS: Final = 5
SLOW_SHARE: Final = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """The outcome of each prediction, counted once; `incomplete` says why some are missing."""

    session: date
    symbols: NDArray[np.str_]
    failed: NDArray[np.bool_]
    unknown: NDArray[np.bool_]
    unflagged: NDArray[np.bool_]
    unpredicted: NDArray[np.bool_]
    untimed: NDArray[np.bool_]
    latency_ms: Floats
    doubled: int
    incomplete: str
    needed: int = MIN_PREDICTIONS

    @classmethod
    def of(
        cls,
        session: date,
        predictions: SessionPredictions,
        incomplete: str = "",
        needed: int = MIN_PREDICTIONS,
        apart_s: float = 0.0,
    ) -> "Outcomes":
        """Fold rows of one symbol and bar into one, by the worse row.

        `needed` is how many predictions a figure of the session needs, `apart_s` how far apart two bars are.
        """
        n = predictions.timestamps.size
        of = bars(predictions.timestamps, predictions.symbols, apart_s)
        unique, first = np.unique(of, return_index=True)
        values = np.full(n, np.nan) if predictions.values is None else predictions.values
        failed, unflagged, gone, untimed = (np.zeros(unique.size) for _ in range(4))
        np.maximum.at(failed, of, np.nan_to_num(predictions.errors, nan=0.0) != 0.0)
        np.maximum.at(unflagged, of, np.isnan(predictions.errors))
        np.maximum.at(gone, of, ~np.isfinite(values))
        timed = np.isfinite(predictions.latency_ms) & (predictions.latency_ms >= 0)
        slow = np.full(unique.size, -np.inf)
        np.maximum.at(untimed, of, ~timed)
        np.maximum.at(slow, of[timed], predictions.latency_ms[timed])
        is_failed = failed > 0
        return cls(
            session=session,
            symbols=predictions.symbols[first],
            failed=is_failed,
            unknown=~is_failed & ((unflagged > 0) | (gone > 0)),
            unflagged=~is_failed & (unflagged > 0),
            unpredicted=~is_failed & (gone > 0),
            untimed=untimed > 0,
            latency_ms=slow,
            doubled=n - unique.size,
            incomplete=incomplete,
            needed=needed,
        )

    @property
    def n(self) -> int:
        return int(self.failed.size)

    @property
    def n_failed(self) -> int:
        return int(self.failed.sum())

    @cached_property
    def slowest(self) -> Floats:
        """The known latencies in order."""
        return np.sort(self.latency_ms[np.isfinite(self.latency_ms)])

    @property
    def as_of(self) -> date | None:
        """The session, if anything was predicted."""
        return self.session if self.n else None


def error_rate(outcomes: Outcomes) -> Figure:
    """The share of predictions that failed; if some are missing, its certain bound is over the minimum number."""
    n = outcomes.n
    text = f"{outcomes.n_failed} of {n} predictions failed"
    few = f", fewer than the minimum of {MIN_PREDICTIONS}" if n < MIN_PREDICTIONS else ""
    least = 100.0 if n and outcomes.n_failed == n else 100.0 * outcomes.n_failed / max(n, outcomes.needed)
    if n < outcomes.needed:
        why = too_few(n, outcomes.needed) + (f"; {text}" if outcomes.n_failed else "")
    elif (unknown := int(outcomes.unknown.sum())) > 0:
        why = f"whether {unknown} of {n} predictions failed is not known; {outcomes.n_failed} did"
    else:
        why = _incomplete(outcomes)
    return Figure(
        value=100.0 * outcomes.n_failed / n if n else None,
        n=n,
        needed=outcomes.needed,
        as_of=outcomes.as_of,
        why=why,
        detail=text + few + (", and those that are missing count as good" if n < outcomes.needed else ""),
        sure=least if n else None,
    )


def latency(outcomes: Outcomes) -> Figure:
    """The nearest-rank 95th percentile, which is a measured latency.

    Of fewer than twenty it is the largest, which further ones up to the minimum cannot lower.
    """
    slowest, gaps = outcomes.slowest, int(outcomes.untimed.sum())
    value = float(slowest[slowest.size - floor(SLOW_SHARE * slowest.size) - 1]) if slowest.size else None
    if slowest.size < outcomes.needed:
        why = too_few(int(slowest.size), outcomes.needed)
    elif gaps:
        why = f"{gaps} of {outcomes.n} latencies are missing, infinite or below zero"
    else:
        why = _incomplete(outcomes)
    return Figure(
        value=value,
        n=int(slowest.size),
        needed=outcomes.needed,
        as_of=outcomes.session if slowest.size else None,
        why=why,
        detail=f"of {slowest.size} latencies, fewer than the minimum of {MIN_PREDICTIONS}"
        if slowest.size < MIN_PREDICTIONS
        else "",
        sure=value,
    )


def predicted(outcomes: Outcomes) -> Figure:
    """How many predictions there are."""
    return _count(outcomes, outcomes.n)


def symbols(outcomes: Outcomes) -> Figure:
    """How many symbols are predicted."""
    return _count(outcomes, np.unique(outcomes.symbols).size)


def gaps(outcomes: Outcomes) -> Figure:
    """Predictions that are neither a number nor a failure."""
    return _gap(outcomes, outcomes.unpredicted, "predictions that are no number and no failure")


def unflagged(outcomes: Outcomes) -> Figure:
    """Predictions without an error flag."""
    return _gap(outcomes, outcomes.unflagged, "predictions without an error flag")


def _incomplete(outcomes: Outcomes) -> str:
    return f"{outcomes.doubled} rows occur more than once" if outcomes.doubled else outcomes.incomplete


def _count(outcomes: Outcomes, count: int) -> Figure:
    why = "" if outcomes.n else f"no prediction is journaled for {outcomes.session}"
    return Figure(value=count, n=outcomes.n, needed=1, as_of=outcomes.as_of, why=why)


def _gap(outcomes: Outcomes, gone: NDArray[np.bool_], what: str) -> Figure:
    names = [str(name) for name in np.unique(outcomes.symbols[gone])]
    detail = f"{int(gone.sum())} of {outcomes.n} {what}: {some(names)}" if names else ""
    return replace(_count(outcomes, int(gone.sum())), detail=detail)
