"""A number with its unit, its sample and its source: the only way a number reaches a memo.

All formatting is here, so that a number reads the same in every document and terminal, and a text that people wrote can
be checked against the evidence.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

NOT_PROVIDED: Final = "not provided"
_MINUS: Final = "−"


class Unit(StrEnum):
    """How a value is stored (a fraction for PERCENT) and printed."""

    RATIO = "ratio"
    PERCENT = "percent"
    PROBABILITY = "probability"
    BPS = "bps"
    MILLISECONDS = "ms"
    SECONDS = "s"
    MINUTES = "min"
    MEGABYTES = "MB"
    PER_SECOND = "per second"
    COUNT = "count"
    DAYS = "days"


_SUFFIX: Final = {
    Unit.RATIO: "",
    Unit.PERCENT: "%",
    Unit.PROBABILITY: "",
    Unit.BPS: " bps",
    Unit.MILLISECONDS: " ms",
    Unit.SECONDS: " s",
    Unit.MINUTES: " min",
    Unit.MEGABYTES: " MB",
    Unit.PER_SECOND: "/s",
    Unit.COUNT: "",
    Unit.DAYS: " days",
}
_DIGITS: Final = {
    Unit.RATIO: 2,
    Unit.PERCENT: 1,
    Unit.PROBABILITY: 3,
    Unit.BPS: 1,
    Unit.MILLISECONDS: 1,
    Unit.SECONDS: 1,
    Unit.MINUTES: 0,
    Unit.MEGABYTES: 0,
    Unit.PER_SECOND: 0,
    Unit.COUNT: 0,
    Unit.DAYS: 0,
}


MOST_MORE_DIGITS: Final = 6
PLUS_MINUS: Final = "± is half of the 95% interval"
NORMAL_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """The uncertainty of a figure: standard error, half of its 95% interval, and the method in words."""

    standard_error: float
    half_width: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One figure; `value` is None if it was not provided or computed.

    `half_width` is half of the 95% interval, printed after ±; `interval` is its method in words.
    """

    name: str
    value: float | None
    unit: Unit = Unit.RATIO
    digits: int | None = None
    standard_error: float | None = None
    half_width: float | None = None
    interval: str = ""
    n: int | None = None
    source: str = ""

    @property
    def text(self) -> str:
        """The value with its unit and half of its 95% interval."""
        if self.value is None:
            return NOT_PROVIDED
        body = number(self.value, self.unit, self.digits)
        if self.margin is None:
            return body + _SUFFIX[self.unit]
        return f"{body} ±{number(self.margin, self.unit, self.digits)}{_SUFFIX[self.unit]}"

    @property
    def margin(self) -> float | None:
        """Half of the 95% interval, by the normal distribution if only a standard error is known."""
        if self.half_width is not None or self.standard_error is None:
            return self.half_width
        return NORMAL_95 * self.standard_error

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95% interval; None if it is not known."""
        if self.value is None or self.margin is None:
            return None
        return self.value - self.margin, self.value + self.margin

    @property
    def label(self) -> str:
        """The last part of the dotted name as words: `gates.pbo.rows_trimmed` reads "rows trimmed"."""
        return self.name.rpartition(".")[2].replace("_", " ")

    @property
    def is_provided(self) -> bool:
        return self.value is not None and not math.isnan(self.value)


def number(value: float, unit: Unit, digits: int | None = None) -> str:
    """The bare number in the unit's scale, with a typographic minus and thousands separators."""
    if math.isnan(value):
        return NOT_PROVIDED
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    scaled = value * 100 if unit is Unit.PERCENT else value
    places = _places(scaled, unit) if digits is None else digits
    body = f"{abs(scaled):,.{places}f}"
    is_negative = scaled < 0 and float(body.replace(",", "")) != 0
    return _MINUS + body if is_negative else body


def digits_apart(value: float, limit: float, unit: Unit, digits: int | None = None) -> int | None:
    """The digits for a figure and its limit: more than `digits` only if both would print the same.

    51.987% beside a target of 52% reads as 51.99% and 52.00%. Figures that are equal, or closer than six more digits
    show, keep their usual digits.
    """
    if value == limit or not (math.isfinite(value) and math.isfinite(limit)):
        return digits
    usual = max(_places(value * (100 if unit is Unit.PERCENT else 1), unit) if digits is None else digits, 0)
    for places in range(usual, usual + MOST_MORE_DIGITS + 1):
        if number(value, unit, places) != number(limit, unit, places):
            return digits if places == usual else places
    return digits


def beside(figure: Quantity, limit: Quantity) -> tuple[Quantity, Quantity]:
    """A figure and its limit with enough digits to tell them apart."""
    if figure.value is None or limit.value is None:
        return figure, limit
    digits = digits_apart(figure.value, limit.value, figure.unit, figure.digits)
    if digits == figure.digits:
        return figure, limit
    return replace(figure, digits=digits), replace(limit, digits=digits)


def _places(scaled: float, unit: Unit) -> int:
    """Decimals to print; durations under one keep two significant digits, so that 40 ms never reads as nothing."""
    if unit in {Unit.MILLISECONDS, Unit.SECONDS} and 0 < abs(scaled) < 1:
        return min(6, 1 - math.floor(math.log10(abs(scaled))))
    return _DIGITS[unit]


def percent(name: str, value: float | None, *, n: int | None = None, source: str = "", digits: int = 1) -> Quantity:
    """A share, stored as a fraction."""
    return Quantity(name=name, value=value, unit=Unit.PERCENT, n=n, source=source, digits=digits)


def count(name: str, value: float | None, *, source: str = "") -> Quantity:
    """A whole number of things."""
    return Quantity(name=name, value=value, unit=Unit.COUNT, source=source)


def relative_change(new: float | None, old: float | None) -> float | None:
    """(new - old) / |old| as a fraction; None if it has no meaning."""
    if new is None or old is None or old == 0 or not (math.isfinite(new) and math.isfinite(old)):
        return None
    return (new - old) / abs(old)


def signed_percent(change: float | None) -> str:
    """A change in words: +8.0%, −3.1%, or not provided."""
    if change is None:
        return NOT_PROVIDED
    body = number(change, Unit.PERCENT, 0 if abs(change) >= 0.1 else 1)
    return f"{body}%" if body.startswith(_MINUS) else f"+{body}%"
