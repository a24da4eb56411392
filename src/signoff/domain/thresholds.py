"""A threshold of a live figure: sign, value and unit, in one record that prints and judges."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DIGITS: Final = 6
ALL_DIGITS: Final = 17


class ThresholdKind(StrEnum):
    """What a threshold is for: an alert of 4.2, a rollback trigger of 4.1, or a target of 10.1."""

    WARNING = "warning"
    CRITICAL = "critical"
    TRIGGER = "trigger"
    TARGET = "target"


class Sign(StrEnum):
    """How a figure is compared with a threshold."""

    BELOW = "<"
    ABOVE = ">"
    AT_MOST = "≤"
    AT_LEAST = "≥"

    @property
    def word(self) -> str:
        """The sign in words."""
        return {"<": "below", ">": "above", "≤": "at most", "≥": "at least"}[self.value]


_COMPARE: Final[Mapping[Sign, Callable[[float, float], bool]]] = {
    Sign.BELOW: operator.lt,
    Sign.ABOVE: operator.gt,
    Sign.AT_MOST: operator.le,
    Sign.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveThreshold:
    """One threshold. An alert or a trigger holds if the figure is bad; a target holds if it is met."""

    key: str
    kind: ThresholdKind
    sign: Sign
    value: float
    unit: str = ""

    def holds(self, figure: float) -> bool:
        """Whether the comparison of a figure with the threshold is true."""
        return _COMPARE[self.sign](figure, self.value)

    @property
    def text(self) -> str:
        """The threshold in words: sign, figure, unit."""
        return f"{self.sign} {self.figure}"

    @property
    def figure(self) -> str:
        """The threshold's figure as written in the policy, with its unit."""
        return f"{self.value:,g}{self.unit}".replace("-", "−")

    def shown(self, figure: float, form: str = "") -> str:
        """A figure in six digits, or in more so that it prints on its side of the threshold."""
        first = max(DIGITS, len(str(int(abs(figure)))))
        texts = [f"{figure:{each}}" for each in (form, *(f".{n}g" for n in range(first, ALL_DIGITS + 1))) if each]
        text = next((text for text in texts if self.holds(float(text)) is self.holds(figure)), f"{figure!r}")
        return f"{text}{self.unit}".replace("-", "−")
