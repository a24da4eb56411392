"""The audit trail of section 8.1: what a journal proves, what it refutes, and what was not checked.

A claim holds only where a check of a live journal ran. Paper trading proves nothing about live trading, and two periods
without a moment in common prove nothing about each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.events import Observed, RollbackCause
from signoff.domain.evidence import CodedSymbols, Floats, PaperLog, Predictions, Symbols
from signoff.domain.live_metrics import cause, threshold
from signoff.domain.monitoring import Level, explain
from signoff.domain.policy import Policy
from signoff.domain.thresholds import ThresholdKind


class ProofOutcome(StrEnum):
    """The result of a check, or why it did not run."""

    PROVEN = "checked"
    REFUTED = "refuted"
    NOT_EVIDENCED = "not evidenced"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of one claim, with its sample."""

    outcome: ProofOutcome
    detail: str

    @property
    def words(self) -> str:
        """The result and its sample in one clause."""
        return f"{self.outcome.value}: {self.detail}"


BREACH_SESSIONS: Final = 30
SAME_VALUE: Final = 1e-6
"""Of the prediction: the tolerance of a logged value, since tables round."""
NO_JOURNAL: Final = Proof(ProofOutcome.NOT_EVIDENCED, "no live journal")
NO_ORDERS: Final = Proof(ProofOutcome.NOT_EVIDENCED, "the live journal holds no orders")
NOT_RECOMPUTED: Final = Proof(ProofOutcome.NOT_EVIDENCED, "no journaled prediction was recomputed")
_OF_PERFORMANCE: Final = {RollbackCause.PERFORMANCE, RollbackCause.RISK_BREACH}
NO_PAPER: Final = Proof(ProofOutcome.NOT_EVIDENCED, "no paper log beside a predictions file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The three claims of the audit trail, and what the paper log shows of its own predictions."""

    predictions: Proof = NO_JOURNAL
    trades: Proof = NO_JOURNAL
    reproducibility: Proof = NO_JOURNAL
    paper: Proof = NO_PAPER


def journaled(observed: Sequence[Observed], paper: Proof = NO_PAPER) -> Trail:
    """What the sessions that monitoring read prove. The journal has no orders, and predictions are not recomputed."""
    if not observed:
        return Trail(paper=paper)
    return Trail(predictions=_predictions(observed), trades=NO_ORDERS, reproducibility=NOT_RECOMPUTED, paper=paper)


def _predictions(observed: Sequence[Observed]) -> Proof:
    """Whether every observed session has predictions, of every symbol of the session before."""
    latest = {each.session: each for each in observed}
    sessions = [latest[session] for session in sorted(latest)]
    period = f"{len(sessions)} sessions, {sessions[0].session} to {sessions[-1].session}"
    counts = [_value(each, "predictions") for each in sessions]
    if not any(counts):
        return NO_JOURNAL
    silent = [each for each, n in zip(sessions, counts, strict=True) if not n]
    if silent:
        return Proof(
            ProofOutcome.REFUTED,
            f"{len(silent)} of {period} have no journaled prediction, the first {silent[0].session}",
        )
    for key, what in (("symbols_lost", "lack predictions"), ("prediction_gaps", "hold predictions that are no number")):
        lacking = [each for each in sessions if _value(each, key) != 0]
        if lacking:
            return Proof(ProofOutcome.REFUTED, f"{len(lacking)} of {period} {what}, the first {lacking[0].session}")
    total = sum(int(n or 0) for n in counts)
    return Proof(ProofOutcome.PROVEN, f"{period}, {total:,} predictions; no symbol of the session before is missing")


def _value(observed: Observed, key: str) -> float | None:
    """A reading's figure; a count of faults is a figure even if its level is unknown."""
    row = next((reading for reading in observed.readings if reading.key == key), None)
    return None if row is None or (row.value is None and row.level == Level.UNKNOWN) else row.value


def performance_breach(observed: Sequence[Observed], policy: Policy) -> str:
    """The last breach of performance in a version's newest sessions, with its figures; "" without one."""
    latest = {each.session: each for each in observed}
    for session in sorted(latest, reverse=True)[:BREACH_SESSIONS]:
        each = latest[session]
        fired = [explain(name, each, policy) for name in each.fired if cause(name) in _OF_PERFORMANCE]
        sharpe = next((r for r in each.readings if r.key == "rolling_sharpe_30d" and r.level == Level.CRITICAL), None)
        if not fired and sharpe is not None and sharpe.value is not None:
            level = threshold(policy, sharpe.key, ThresholdKind.CRITICAL)
            fired = [f"rolling Sharpe ratio {level.shown(sharpe.value, '.2f')}, critical below {level.figure}"]
        if fired:
            return f"{session}: {'; '.join(fired)}"
    return ""


def paper_log(paper: PaperLog | None, predictions: Predictions | None) -> Proof:
    """Whether the log has a line for each prediction of the shared period, and a prediction for each order."""
    if paper is None or predictions is None or not paper.timestamps.size or not predictions.timestamps.size:
        return NO_PAPER
    start = max(paper.timestamps.min(), predictions.timestamps.min())
    end = min(paper.timestamps.max(), predictions.timestamps.max())
    moments = np.intersect1d(paper.timestamps, predictions.timestamps)
    if not moments.size:
        periods = f"predictions {_period(predictions.timestamps)}, paper log {_period(paper.timestamps)}"
        return Proof(ProofOutcome.NOT_COMPARABLE, f"{periods}, no moment in common")
    inside = (predictions.timestamps >= start) & (predictions.timestamps <= end)
    values = _by_key(predictions.timestamps[inside], predictions.symbols[inside], predictions.prediction[inside])
    logged = set(_keys(paper))
    ordered = (paper.quantity != 0) & (paper.timestamps >= start) & (paper.timestamps <= end)
    based = sum(key in values for key, is_order in zip(_keys(paper), ordered.tolist(), strict=True) if is_order)
    others = _with_other_values(paper, values)
    value = (
        f"{others:,} {'line has' if others == 1 else 'lines have'} another value than the prediction"
        if others
        else "each with the value of its prediction"
    )
    text = (
        f"{len(values.keys() & logged):,} of {len(values):,} predictions {_day(start)} to {_day(end)} have their line, "
        f"{value} (tolerance {SAME_VALUE:.0e} of it), {based:,} of {int(ordered.sum()):,} orders a prediction"
    )
    if beside := sum(key not in values for key in _keys(paper)):
        text += f"; {beside:,} lines have no prediction to compare with"
    is_whole = values.keys() <= logged and not others and based == int(ordered.sum())
    return Proof(ProofOutcome.PROVEN if is_whole else ProofOutcome.REFUTED, text)


def _by_key(
    timestamps: NDArray[np.datetime64], symbols: Symbols | CodedSymbols, values: Floats
) -> Mapping[tuple[object, str], float]:
    return dict(zip(zip(timestamps.tolist(), symbols.tolist(), strict=True), values.tolist(), strict=True))


def _keys(paper: PaperLog) -> list[tuple[object, str]]:
    return list(zip(paper.timestamps.tolist(), paper.symbols.tolist(), strict=True))


def _with_other_values(paper: PaperLog, by_key: Mapping[tuple[object, str], float]) -> int:
    """How many lines of the log have the key of a prediction and another value or no value."""
    lines = zip(_keys(paper), paper.prediction.tolist(), strict=True)
    pairs = [(logged, by_key[key]) for key, logged in lines if key in by_key]
    both: Floats = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    logged: Floats = both[:, 0]
    predicted: Floats = both[:, 1]
    with np.errstate(invalid="ignore"):
        is_same = (logged == predicted) | (np.abs(logged - predicted) <= SAME_VALUE * np.abs(predicted))
    return int((~(is_same | (np.isnan(logged) & np.isnan(predicted)))).sum())


def _period(timestamps: NDArray[np.datetime64]) -> str:
    return f"{_day(timestamps.min())} to {_day(timestamps.max())}"


def _day(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[D]"))
