"""When something that failed is tried again: exponential back-off, with jitter so that not all come back at once.

A wait lies between a half and the whole of the step that is due. Jitter over the whole step would repeat some attempts
at once.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# The exponent at which every ceiling is reached long since; beyond it a power is only large.
STEEPEST: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """The first step and the ceiling; each step is twice the one before."""

    first: timedelta
    ceiling: timedelta

    def after(self, failures: int, jitter: float) -> timedelta:
        """How long to wait after so many failures; `jitter` lies between 0 and 1."""
        doubled = 2.0 ** min(max(failures - 1, 0), STEEPEST)
        step = min(self.first.total_seconds() * doubled, self.ceiling.total_seconds())
        return timedelta(seconds=step * (1 + min(max(jitter, 0.0), 1.0)) / 2)
