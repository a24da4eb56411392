"""Errors and latency of one session's predictions, which act at once, also while the session is open.

What is unknown never hides a fault. A prediction that stands twice counts once, by the worse of its rows. Up to the
minimum of predictions the missing ones count as good: what exceeds a limit even so, exceeds it for sure. Hence no rule
falls silent because good predictions are missing, and each fires where the one-sided 95% lower bound of Clopper and
Pearson lies above its limit, and earlier.
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
    """What became of each prediction, each counted once; `incomplete` says why some are not there to be counted."""

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
        """Fold rows of one symbol and bar into one, by the worse of them.

        `needed` is how many predictions a figure of the session needs, `apart_s` how far apart two bars are.
        """
        n = predictions.timestamps.size
        of = bars(predictions.timestamps, predictions.symbols, apart_s)
        found, first = np.unique(of, return_index=True)
        values = np.full(n, np.nan) if predictions.values is None else predictions.values
        failed, unflagged, gone, untimed = (np.zeros(found.size) for _ in range(4))
        np.maximum.at(failed, of, np.nan_to_num(predictions.errors, nan=0.0) != 0.0)
        np.maximum.at(unflagged, of, np.isnan(predictions.errors))
        np.maximum.at(gone, of, ~np.isfinite(values))
        timed = np.isfinite(predictions.latency_ms) & (predictions.latency_ms >= 0)
        slow = np.full(found.size, -np.inf)
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
            doubled=n - found.size,
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
        """The latencies that are known, in order."""
        return np.sort(self.latency_ms[np.isfinite(self.latency_ms)])

    @property
    def as_of(self) -> date | None:
        """The session, where anything was predicted."""
        return self.session if self.n else None


def error_rate(found: Outcomes) -> Figure:
    """The share of predictions that failed; for sure only of the minimum, where some are missing."""
    n = found.n
    said = f"{found.n_failed} of {n} predictions failed"
    few = f", fewer than the minimum of {MIN_PREDICTIONS}" if n < MIN_PREDICTIONS else ""
    least = 100.0 if n and found.n_failed == n else 100.0 * found.n_failed / max(n, found.needed)
    if n < found.needed:
        why = too_few(n, found.needed) + (f"; {said}" if found.n_failed else "")
    elif (unknown := int(found.unknown.sum())) > 0:
        why = f"whether {unknown} of {n} predictions failed is not known; {found.n_failed} did"
    else:
        why = _incomplete(found)
    return Figure(
        value=100.0 * found.n_failed / n if n else None,
        n=n,
        needed=found.needed,
        as_of=found.as_of,
        why=why,
        detail=said + few + (", and those that are missing count as good" if n < found.needed else ""),
        sure=least if n else None,
    )


def latency(found: Outcomes) -> Figure:
    """The nearest-rank 95th percentile: a latency that was measured, not one between two.

    Of fewer than twenty it is the largest, which no further one can make smaller up to the minimum.
    """
    known, gaps = found.slowest, int(found.untimed.sum())
    value = float(known[known.size - floor(SLOW_SHARE * known.size) - 1]) if known.size else None
    if known.size < found.needed:
        why = too_few(int(known.size), found.needed)
    elif gaps:
        why = f"{gaps} of {found.n} latencies are missing, infinite or below zero"
    else:
        why = _incomplete(found)
    return Figure(
        value=value,
        n=int(known.size),
        needed=found.needed,
        as_of=found.session if known.size else None,
        why=why,
        detail=f"of {known.size} latencies, fewer than the minimum of {MIN_PREDICTIONS}"
        if known.size < MIN_PREDICTIONS
        else "",
        sure=value,
    )


def predicted(found: Outcomes) -> Figure:
    """How many predictions there are."""
    return _count(found, found.n)


def symbols(found: Outcomes) -> Figure:
    """How many symbols are predicted."""
    return _count(found, np.unique(found.symbols).size)


def gaps(found: Outcomes) -> Figure:
    """Predictions that are no number and no failure."""
    return _gap(found, found.unpredicted, "predictions that are no number and no failure")


def unflagged(found: Outcomes) -> Figure:
    """Predictions of which nobody says whether they failed."""
    return _gap(found, found.unflagged, "predictions without an error flag")


def _incomplete(found: Outcomes) -> str:
    return f"{found.doubled} rows stand there more than once" if found.doubled else found.incomplete


def _count(found: Outcomes, count: int) -> Figure:
    why = "" if found.n else f"no prediction is journaled for {found.session}"
    return Figure(value=count, n=found.n, needed=1, as_of=found.as_of, why=why)


def _gap(found: Outcomes, gone: NDArray[np.bool_], what: str) -> Figure:
    names = [str(name) for name in np.unique(found.symbols[gone])]
    detail = f"{int(gone.sum())} of {found.n} {what}: {some(names)}" if names else ""
    return replace(_count(found, int(gone.sum())), detail=detail)
