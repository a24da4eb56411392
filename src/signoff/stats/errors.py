"""What the statistics refuse: broken input is an error, too little of it is no answer at all.

Both are StatisticsErrors, which one `except` catches, and ValueErrors, so that arrays can be judged without anything
else of Signoff. A gate turns `InsufficientData`
into *inconclusive*; nothing here ever turns it into a number.
"""


class StatisticsError(ValueError):
    """A statistic has no answer: the input is broken, or too little of it is there."""


class InputError(StatisticsError):
    """The input is broken (NaN, infinite, wrong shape, impossible parameter); the message says where."""


class InsufficientData(StatisticsError):  # noqa: N818 - it is an outcome that gates name, not a fault
    """The input is sound, and too short, too small or too uniform to answer the question."""
