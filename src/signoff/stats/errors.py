"""The errors of the statistics: broken input, and too little of it.

Both are StatisticsErrors, which one `except` catches, and ValueErrors, so that the statistics can be used without the
rest of Signoff. A gate turns `InsufficientData` into *inconclusive*; nothing turns it into a number.
"""


class StatisticsError(ValueError):
    """A statistic has no answer: the input is broken or insufficient."""


class InputError(StatisticsError):
    """The input is broken (NaN, infinite, wrong shape, impossible parameter); the message says where."""


class InsufficientData(StatisticsError):  # noqa: N818 - it is an outcome that gates name, not a fault
    """The input is sound but too short, too small or too uniform."""
