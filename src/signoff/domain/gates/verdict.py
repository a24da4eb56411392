"""How a measurement becomes a finding, the same way for every gate.

A gate measures; `guarded` judges. Only a finite statistic over at least one observation that meets its threshold,
without an objection, passes. Missing data are inconclusive, a fault is an error, and both block.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan
from typing import Final

import numpy as np

from signoff.domain.charts import Chart
from signoff.domain.finding import Comparison, Finding
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit, count, digits_apart, number
from signoff.stats.errors import InputError, InsufficientData


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The threshold of a gate, and how it is compared."""

    key: str
    title: str
    comparison: Comparison
    threshold: float
    unit: Unit
    digits: int
    is_blocking: bool
    near_miss_pct: float
    method: str
    ceiling: float = inf

    def quantity(self, name: str, value: float | None, n: int | None = None, source: str = "") -> Quantity:
        """A figure on the statistic's own scale."""
        return Quantity(
            name=f"gates.{self.key}.{name}", value=value, unit=self.unit, digits=self.digits, n=n, source=source
        )

    def is_near(self, value: float) -> bool:
        """Whether `value` lies within the near-miss margin of the threshold, on either side.

        The margin is relative to the threshold, or to the room below a ceiling if that is smaller:
        otherwise no probability could pass a threshold of 0.95 clearly.
        """
        room = min(abs(self.threshold), abs(self.ceiling - self.threshold))
        return room > 0 and abs(value - self.threshold) <= self.near_miss_pct / 100 * room


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMeasurement:
    """A statistic with its sample and method. An objection fails the gate whatever the statistic is.

    `unsettled` names unknown figures that a pass depends on: such a pass is inconclusive, and a failure stays a
    failure. `turning_point` says what would change the verdict, in the gate's terms.
    """

    value: float
    n: int
    source: str
    convention: str
    explanation: str
    figures: tuple[Quantity, ...] = ()
    objections: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    turning_point: str = ""
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """Why nothing could be measured, what to do about it, and the figures that show it."""

    reason: str
    figures: tuple[Quantity, ...] = ()


def has_and_needs(key: str, what: str, has: int, needs: int) -> tuple[Quantity, ...]:
    """Figures of how much of something a gate has and needs."""
    return count(f"gates.{key}.{what}", has), count(f"gates.{key}.{what}_needed", needs)


_HOLDS: Final = {
    Comparison.AT_LEAST: "is at least",
    Comparison.AT_MOST: "is at most",
    Comparison.BELOW: "is below",
    Comparison.ABOVE: "is above",
}
_MISSES: Final = {
    Comparison.AT_LEAST: "is less than",
    Comparison.AT_MOST: "is more than",
    Comparison.BELOW: "is not below",
    Comparison.ABOVE: "is not above",
}


def guarded(rule: Rule, measure: Callable[[], GateMeasurement | Lack]) -> Finding:
    """The finding of one gate. It never raises on evidence, and never passes what it could not measure."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            measured = measure()
    except InsufficientData as lack:
        return _unmeasured(rule, Outcome.INCONCLUSIVE, str(lack))
    except (InputError, ArithmeticError, ValueError, IndexError) as trouble:
        return _unmeasured(rule, Outcome.ERROR, f"The gate could not be computed: {trouble}")
    if isinstance(measured, Lack):
        return _unmeasured(rule, Outcome.INCONCLUSIVE, measured.reason, measured.figures)
    if measured.n <= 0:
        return _unmeasured(rule, Outcome.INCONCLUSIVE, "Nothing was measured: the sample is empty.")
    if isnan(measured.value):
        return _unmeasured(rule, Outcome.ERROR, "The statistic is not a number; check the evidence for broken values.")
    return _judged(rule, measured)


def _judged(rule: Rule, measured: GateMeasurement) -> Finding:
    value = float(measured.value)
    holds = rule.comparison.holds(value, rule.threshold)
    digits = digits_apart(value, rule.threshold, rule.unit, rule.digits)
    rule = replace(rule, digits=rule.digits if digits is None else digits)
    if holds and not isfinite(value):
        return _unmeasured(rule, Outcome.ERROR, "The statistic is infinite in the direction that would pass.")
    is_settled = not measured.unsettled
    passes = holds and not measured.objections and is_settled
    hangs = holds and not measured.objections and not is_settled
    return Finding(
        key=rule.key,
        title=rule.title,
        outcome=Outcome.PASS if passes else Outcome.INCONCLUSIVE if hangs else Outcome.FAIL,
        statistic=rule.quantity("statistic", value, measured.n, measured.source),
        comparison=rule.comparison,
        threshold=rule.quantity("threshold", rule.threshold),
        is_blocking=rule.is_blocking,
        is_near_miss=passes and rule.is_near(value),
        n=measured.n,
        method=f"{rule.method}; {measured.convention}",
        reason=" ".join(filter(None, (_outcome_first(rule, value, measured), measured.explanation))),
        figures=tuple(_defined(quantity) for quantity in measured.figures),
        turning_point=_turning_point(measured, holds=holds, passes=passes),
        charts=measured.charts,
    )


def _turning_point(measured: GateMeasurement, *, holds: bool, passes: bool) -> str:
    """What would change the verdict; no figure at which a statistic fails, where the gate does not pass already."""
    if holds and not passes and measured.turning_point.startswith("It would fail"):
        return "The statistic would pass already; only what the reason says first would change the verdict."
    return measured.turning_point


def _outcome_first(rule: Rule, value: float, measured: GateMeasurement) -> str:
    """The reason of the verdict; if the statistic alone would pass, the outcome comes first."""
    compared = _comparison(rule, value)
    if not rule.comparison.holds(value, rule.threshold):
        return " ".join((compared, *measured.objections))
    because, outcome = (measured.objections, "Fails.") if measured.objections else (measured.unsettled, "Inconclusive.")
    return " ".join((outcome, *because, f"The statistic alone would pass: {compared}")) if because else compared


def _defined(quantity: Quantity) -> Quantity:
    """A figure that is not a number is not provided."""
    is_undefined = quantity.value is not None and isnan(quantity.value)
    return replace(quantity, value=None) if is_undefined else quantity


def _comparison(rule: Rule, value: float) -> str:
    holds = rule.comparison.holds(value, rule.threshold)
    statistic = rule.quantity("statistic", value).text
    threshold = rule.quantity("threshold", rule.threshold).text
    sentence = f"{statistic} {(_HOLDS if holds else _MISSES)[rule.comparison]} {threshold}"
    if not isfinite(value) or rule.threshold == 0 or not rule.is_near(value):
        return f"{sentence}."
    distance = number(abs(value - rule.threshold) / abs(rule.threshold), Unit.PERCENT, 1)
    return f"{sentence}, but only by {distance}% of the threshold." if holds else f"{sentence}, short by {distance}%."


def _unmeasured(rule: Rule, outcome: Outcome, reason: str, figures: tuple[Quantity, ...] = ()) -> Finding:
    return Finding(
        key=rule.key,
        title=rule.title,
        outcome=outcome,
        statistic=rule.quantity("statistic", None, source=reason),
        comparison=rule.comparison,
        threshold=rule.quantity("threshold", rule.threshold),
        is_blocking=rule.is_blocking,
        n=0,
        method=rule.method,
        reason=reason,
        figures=tuple(_defined(quantity) for quantity in figures),
    )
