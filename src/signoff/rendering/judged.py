"""A metric and a finding as plain documents: as numbers, and as people read them.

`check`, `verdict`, the server and the terminal all show these.
"""

from typing_extensions import TypedDict  # pydantic reads its own before Python 3.12

from signoff.domain.assessment import MetricRow, MetricStatus
from signoff.domain.finding import Finding
from signoff.domain.names_of_gates import name_of
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity


class IntervalDocument(TypedDict):
    """A two-sided confidence interval: its level, its limits, and in words how it was found."""

    level: float
    low: float
    high: float
    method: str


class MetricDocument(TypedDict):
    """One metric, new against old against target, as numbers and as people read them.

    ± in a text is half of the interval; `notes` say how it and the annualisation were found.
    """

    key: str
    title: str
    new: float | None
    old: float | None
    change: float | None
    target: float | None
    status: MetricStatus
    new_text: str
    old_text: str
    target_text: str
    new_interval: IntervalDocument | None
    old_interval: IntervalDocument | None
    notes: list[str]


class GateDocument(TypedDict):
    """One gate's finding, as numbers and as people read them."""

    key: str
    name: str
    title: str
    outcome: Outcome
    status: str
    statistic: float | None
    comparison: str
    threshold: float | None
    statistic_text: str
    threshold_text: str
    blocking: bool
    near_miss: bool
    n: int
    method: str
    reason: str
    turning_point: str


def metric_document(row: MetricRow) -> MetricDocument:
    """One metric, new against old against target, as numbers and as people read them."""
    return {
        "key": row.key,
        "title": row.title,
        "new": row.new.value,
        "old": row.old.value,
        "change": row.change,
        "target": row.target.value,
        "status": row.status,
        "new_text": row.new.text,
        "old_text": row.old.text,
        "target_text": f"{row.target_sign} {row.target.text}",
        "new_interval": interval_document(row.new),
        "old_interval": interval_document(row.old),
        "notes": list(row.notes),
    }


def interval_document(found: Quantity) -> IntervalDocument | None:
    """The 95% interval of a figure; None where it is not known."""
    if found.bounds is None:
        return None
    low, high = found.bounds
    return {"level": 0.95, "low": low, "high": high, "method": found.interval}


def gate_document(finding: Finding) -> GateDocument:
    """One gate's finding, as numbers and as people read them."""
    return {
        "key": finding.key,
        "name": name_of(finding.key),
        "title": finding.title,
        "outcome": finding.outcome,
        "status": finding.word,
        "statistic": finding.statistic.value,
        "comparison": finding.comparison.value,
        "threshold": finding.threshold.value,
        "statistic_text": finding.statistic.text,
        "threshold_text": finding.threshold.text,
        "blocking": finding.is_blocking,
        "near_miss": finding.is_near_miss,
        "n": finding.n,
        "method": finding.method,
        "reason": finding.reason,
        "turning_point": finding.turning_point,
    }
