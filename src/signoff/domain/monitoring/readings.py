"""The figure that a metric computes for a session, with its data, before it is compared with a threshold."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from signoff.domain.evidence import Days

SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value or None, its number of data and how many it needs, its newest datum, and why it is unknown.

    `sure` is the certain bound of the figure whatever is unknown. `is_critical` says that a limit outside the policy is
    passed, and `is_young` that the figure only waits for more sessions.
    """

    value: float | None = None
    n: int | None = None
    needed: int | None = None
    as_of: date | None = None
    why: str = ""
    detail: str = ""
    sure: float | None = None
    is_critical: bool = False
    is_young: bool = False

    @property
    def known(self) -> float | None:
        """The value, if it is finite and nothing makes it unknown."""
        is_known = self.value is not None and np.isfinite(self.value) and not self.why
        return float(self.value) if self.value is not None and is_known else None

    @property
    def at_least(self) -> float | None:
        """The value if it is known, else its certain bound."""
        return self.known if self.known is not None or self.sure is None else float(self.sure)

    @property
    def because(self) -> str:
        """Why the figure is unknown."""
        if self.why:
            return self.why
        if self.n is not None and self.needed is not None and self.n < self.needed:
            return too_few(self.n, self.needed)
        return self.detail or "it cannot be computed from these data"


NOT_YET: Final = Figure(why="not read yet")
"""The result of a metric that has no reading in this session."""


def too_few(n: int, needed: int) -> str:
    """The standard words for too few data."""
    return f"n {n}, needs {needed}"


def some(names: list[str]) -> str:
    """The first of many names."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def newest(days: Days) -> date | None:
    """The last of these days."""
    return as_date(days.max()) if days.size else None


def as_date(day: np.datetime64) -> date:
    """A day of an array as a date."""
    value = day.astype("datetime64[D]").item()
    assert isinstance(value, date)
    return value
