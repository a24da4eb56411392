"""Errors and latency of one session's predictions, which act at once, also while the session is open.

What is unknown never hides a fault. A prediction that stands twice counts once, by the worse of its rows. Up to the
minimum of predictions the missing ones count as good: what exceeds a limit even so, exceeds it for sure. Hence no rule
falls silent because good predictions are missing, and each fires where the one-sided 95% lower bound of Clopper and
Pearson lies above its limit, and earlier.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.events import Reading
from signoff.domain.evidence import Floats
from signoff.domain.live_thresholds import Kind, threshold
from signoff.domain.monitoring.cadence import bars
from signoff.domain.monitoring.measurement import Predictions
from signoff.domain.monitoring.readings import Figure, Level, finding, judged, reading, some, too_few
from signoff.domain.policy import Policy

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
        predictions: Predictions,
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


def fired(found: Outcomes, policy: Policy) -> Iterator[str]:
    """The operational triggers that hold for sure, whatever is unknown."""
    errors, latency = (threshold(policy, key, Kind.TRIGGER) for key in ("error_rate_pct", "latency_p95_ms"))
    if found.n and (found.n_failed == found.n or errors.holds(_failed_pct(found))):
        yield "error_rate"
    slow = sum(latency.holds(each) for each in found.slowest.tolist())
    if slow > floor(SLOW_SHARE * max(found.slowest.size, MIN_PREDICTIONS)):
        yield "latency_p95"


def readings(found: Outcomes, policy: Policy) -> Iterator[Reading]:
    """The error rate and the latency, and what is missing among the predictions."""
    yield _latency(found, policy)
    yield _error_rate(found, policy)
    yield reading("predictions", _count(found, found.n))
    yield reading("universe_size", _count(found, np.unique(found.symbols).size))
    seen = _count(found, None)
    yield _gap("prediction_gaps", found, seen, found.unpredicted, "predictions that are no number and no failure")
    yield _gap("error_gaps", found, seen, found.unflagged, "predictions without an error flag")


def explain_errors(found: Outcomes) -> str:
    """The failures of a session that has fewer predictions than a rate needs."""
    return f"{found.n_failed} of {found.n} predictions failed, fewer than the minimum of {MIN_PREDICTIONS}"


def _failed_pct(found: Outcomes) -> float:
    """The error rate at least, with what is unknown or missing taken as good."""
    return 100.0 * found.n_failed / max(found.n, MIN_PREDICTIONS)


def _error_rate(found: Outcomes, policy: Policy) -> Reading:
    critical, n = threshold(policy, "error_rate_pct", Kind.CRITICAL), found.n
    least = _failed_pct(found) if n else 0.0
    is_fired = "error_rate" in fired(found, policy)
    said = f"{found.n_failed} of {n} predictions failed"
    figure = Figure(n=n, needed=found.needed, as_of=found.as_of)
    if is_fired or critical.holds(least):
        value = 100.0 * found.n_failed / n
        detail = f"{said}, critical above {critical.figure}"
        if n < MIN_PREDICTIONS:
            detail = explain_errors(found)
        counted = Figure(value=value, n=n, needed=figure.needed, as_of=figure.as_of)
        return reading("error_rate_pct", counted, lambda _: Level.CRITICAL, detail=detail)
    if n < found.needed:
        why = too_few(n, found.needed) + (f"; {said}" if found.n_failed else "")
    elif (unknown := int(found.unknown.sum())) > 0:
        why = f"whether {unknown} of {n} predictions failed is not known; {found.n_failed} did"
    elif found.doubled:
        why = f"{found.doubled} rows stand there more than once"
    else:
        why = found.incomplete
    rate = 100.0 * found.n_failed / n if n else None
    counted = Figure(value=rate, n=n, needed=found.needed, as_of=found.as_of, why=why)
    return reading("error_rate_pct", counted, judged(policy, "error_rate_pct"), detail=said)


def _latency(found: Outcomes, policy: Policy) -> Reading:
    """The nearest-rank 95th percentile: a latency that was measured, not one between two."""
    critical, known = threshold(policy, "latency_p95_ms", Kind.CRITICAL), found.slowest
    gaps = int(found.untimed.sum())
    rank = known.size - floor(SLOW_SHARE * known.size) - 1
    value = float(known[rank]) if known.size else None
    detail = f"critical above {critical.figure}"
    as_of = found.session if known.size else None
    figure = Figure(value=value, n=int(known.size), needed=found.needed, as_of=as_of)
    if "latency_p95" in fired(found, policy):
        return reading("latency_p95_ms", figure, lambda _: Level.CRITICAL, detail=detail)
    if known.size < found.needed:
        why = too_few(int(known.size), found.needed)
    elif gaps:
        why = f"{gaps} of {found.n} latencies are missing, infinite or below zero"
    elif found.doubled:
        why = f"{found.doubled} rows stand there more than once"
    else:
        why = found.incomplete
    if why and value is not None and known.size >= found.needed and critical.holds(value):
        why = ""  # what is known is too slow already
    known_so_far = Figure(value=value, n=figure.n, needed=figure.needed, as_of=as_of, why=why)
    return reading("latency_p95_ms", known_so_far, judged(policy, "latency_p95_ms"), detail=detail)


def _count(found: Outcomes, count: int | None) -> Figure:
    why = "" if found.n else f"no prediction is journaled for {found.session}"
    return Figure(value=count, n=found.n, needed=1, as_of=found.as_of, why=why)


def _gap(key: str, found: Outcomes, seen: Figure, gone: NDArray[np.bool_], what: str) -> Reading:
    names = [str(name) for name in np.unique(found.symbols[gone])]
    detail = f"{int(gone.sum())} of {found.n} {what}: {some(names)}" if names else ""
    return finding(key, int(gone.sum()), seen, detail)
