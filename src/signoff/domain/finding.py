"""The finding of a gate: its outcome with statistic, threshold, sample and method."""

from dataclasses import dataclass, field
from enum import StrEnum

from signoff.domain.charts import Chart
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity


class Comparison(StrEnum):
    """How a statistic is compared with its threshold."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    BELOW = "<"
    ABOVE = ">"

    def holds(self, value: float, threshold: float) -> bool:
        """Whether `value` satisfies the threshold; NaN does not."""
        match self:
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.AT_MOST:
                return value <= threshold
            case Comparison.BELOW:
                return value < threshold
            case Comparison.ABOVE:
                return value > threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One gate's verdict. `key` is the name in the policy; `figures` let a reader judge it again.

    `turning_point` says what would change the verdict; `charts` are drawn from the arrays that were judged.
    """

    key: str
    title: str
    outcome: Outcome
    statistic: Quantity
    comparison: Comparison
    threshold: Quantity
    is_blocking: bool
    is_near_miss: bool = False
    n: int
    method: str
    reason: str
    figures: tuple[Quantity, ...] = ()
    turning_point: str = ""
    charts: tuple[Chart, ...] = field(default=(), compare=False)

    @property
    def blocks(self) -> bool:
        """Whether this finding alone blocks a release."""
        return self.is_blocking and self.outcome is not Outcome.PASS

    @property
    def word(self) -> str:
        """The status as a word: PASS, NEAR MISS, FAIL, INCONCLUSIVE, ERROR."""
        if self.is_near_miss:
            return "NEAR MISS"
        return self.outcome.value.upper()
