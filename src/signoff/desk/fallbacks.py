"""What a desk does where the champion has no valid answer: the declared range, the declared fallback, and the signal.

The dossier's section 5.2 names what runs if the previous version cannot be restored. What a single prediction falls
back to is declared here, by one of four names; `rule_based_baseline` is the dossier's own word.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from signoff.domain.errors import BadInputError

Baseline = Callable[[str, memoryview], float]
"""A rule of the desk's own: symbol and row to value."""
NANOSECONDS: Final = 1e9


class Fallback(StrEnum):
    """What stands in for the champion's answer."""

    PREVIOUS_VALID = "previous_valid"
    REDUCED = "reduced"
    FLAT = "flat"
    RULES = "rule_based_baseline"


class Signal(NamedTuple):
    """An answer of the desk. A tuple, since one is made for every prediction.

    `seq` is the number of its record in the journal, which an order names as `Order.prediction`; 0 where the record was
    dropped. `reason` says why the fallback answered.
    """

    value: float
    version: str
    seq: int
    is_fallback: bool = False
    reason: str = ""
    symbol: str = ""
    deployment: str = ""
    is_shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a valid answer is, and what happens without one.

    `neutral` is the value that says no view: 0 of a score, 0.5 of a probability. `reduced_by` is the share of the
    previous value's distance from neutral that REDUCED takes away. A previous value is used for `previous_s` at most.
    Without `most_feature_age_s` the age of features is not looked at.
    """

    lowest: float = -math.inf
    highest: float = math.inf
    neutral: float = 0.0
    fallback: Fallback = Fallback.FLAT
    baseline: Baseline | None = None
    reduced_by: float = 0.5
    previous_s: float = 60.0
    most_feature_age_s: float | None = None

    def __post_init__(self) -> None:
        if self.fallback not in tuple(Fallback):
            raise BadInputError(f"Expected a fallback among {', '.join(Fallback)}, found {self.fallback!r}.")
        if not self.lowest <= self.neutral <= self.highest or not math.isfinite(self.neutral):
            raise BadInputError(
                f"Expected a range with the neutral value {self.neutral:g} in it, found {self.lowest:g} to "
                f"{self.highest:g}."
            )
        if (self.fallback is Fallback.RULES) != (self.baseline is not None):
            raise BadInputError(
                f"Expected a baseline with the fallback {Fallback.RULES.value} and with no other, found "
                f"{'one' if self.baseline is not None else 'none'} with {self.fallback}."
            )
        if not 0 < self.reduced_by < 1:
            raise BadInputError(f"Expected reduced_by between 0 and 1, found {self.reduced_by!r}.")

    def objection(self, value: float) -> str:
        """Why this is no valid answer; nothing where it is one."""
        if self.lowest <= value <= self.highest and math.isfinite(value):
            return ""
        if not math.isfinite(value):
            return f"the model answered {value}"
        return f"the model answered {value:g}, outside its range {self.lowest:g} to {self.highest:g}"

    def stand_in(
        self, symbol: str, row: memoryview, previous: tuple[float, int] | None, now_ns: int
    ) -> tuple[Fallback, float, str]:
        """The fallback that is executed, its value, and why it is another one than the declared."""
        if self.fallback is Fallback.FLAT:
            return Fallback.FLAT, self.neutral, ""
        if self.fallback is Fallback.RULES:
            return self._by_rules(symbol, row)
        if previous is None or now_ns - previous[1] > self.previous_s * NANOSECONDS:
            age = "none" if previous is None else f"one {(now_ns - previous[1]) / NANOSECONDS:.1f} s old"
            return Fallback.FLAT, self.neutral, f"flat: found {age} as the previous valid value"
        if self.fallback is Fallback.PREVIOUS_VALID:
            return self.fallback, previous[0], ""
        return self.fallback, self.neutral + (1 - self.reduced_by) * (previous[0] - self.neutral), ""

    def _by_rules(self, symbol: str, row: memoryview) -> tuple[Fallback, float, str]:
        assert self.baseline is not None
        try:
            value = float(self.baseline(symbol, row.toreadonly()))
        except Exception as error:  # noqa: BLE001 - a rule of the desk's own may raise anything
            return Fallback.FLAT, self.neutral, f"flat: the baseline raised {type(error).__name__}: {str(error)[:100]}"
        if objection := self.objection(value):
            return Fallback.FLAT, self.neutral, f"flat: {objection.replace('the model', 'the baseline')}"
        return Fallback.RULES, value, ""
