"""Exponential back-off with jitter, which keeps several workers from retrying at the same moment.

A wait is between half of the step and the whole step; jitter over the whole step could retry without a wait.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# Every ceiling is reached before this exponent; the limit avoids an overflow.
STEEPEST: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """The first step and the ceiling; each step is twice the one before."""

    first: timedelta
    ceiling: timedelta

    def after(self, failures: int, jitter: float) -> timedelta:
        """The wait after this many failures; `jitter` is between 0 and 1."""
        doubled = 2.0 ** min(max(failures - 1, 0), STEEPEST)
        step = min(self.first.total_seconds() * doubled, self.ceiling.total_seconds())
        return timedelta(seconds=step * (1 + min(max(jitter, 0.0), 1.0)) / 2)
