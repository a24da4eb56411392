"""How a figure becomes a reading: with its level, what it rests on, and why it is unknown where it is.

A figure that is no finite number is unknown, whatever its thresholds say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np

from signoff.domain.events import Reading
from signoff.domain.evidence import Days
from signoff.domain.live_thresholds import Kind, threshold
from signoff.domain.policy import Policy

SHOWN: Final = 3


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value or None, how much data it rests on and needs, its newest datum, and in words why it is unknown."""

    value: float | None = None
    n: int | None = None
    needed: int | None = None
    as_of: date | None = None
    why: str = ""


def reading(key: str, figure: Figure, judge: Callable[[float], Level] | None = None, *, detail: str = "") -> Reading:
    """The figure with its level; unknown, without a value, unless it is a finite number that nothing speaks against."""
    value = float(figure.value) if figure.value is not None and np.isfinite(figure.value) and not figure.why else None
    level = Level.UNKNOWN if value is None else (judge(value) if judge is not None else Level.OK)
    because = detail if value is not None else _unknown(figure, detail)
    return Reading(
        key=key, value=value, level=level, detail=because, n=figure.n, needed=figure.needed, as_of=figure.as_of
    )


def finding(key: str, count: int, figure: Figure, detail: str) -> Reading:
    """A count of what is wrong with the data: unknown as soon as it is above zero."""
    if figure.why:
        return reading(key, figure)
    level = Level.UNKNOWN if count else Level.OK
    return Reading(
        key=key, value=float(count), level=level, detail=detail, n=figure.n, needed=figure.needed, as_of=figure.as_of
    )


def judged(policy: Policy, key: str) -> Callable[[float], Level]:
    """Judge a figure by the alerts that the table of thresholds has for it."""
    critical, warning = (threshold(policy, key, kind) for kind in (Kind.CRITICAL, Kind.WARNING))
    return lambda value: (
        Level.CRITICAL if critical.holds(value) else Level.WARNING if warning.holds(value) else Level.OK
    )


def too_few(n: int, needed: int) -> str:
    """That there is too little data, in one form everywhere."""
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
    found = day.astype("datetime64[D]").item()
    assert isinstance(found, date)
    return found


def _unknown(figure: Figure, detail: str) -> str:
    if figure.why:
        return figure.why
    if figure.n is not None and figure.needed is not None and figure.n < figure.needed:
        return too_few(figure.n, figure.needed)
    return detail or "it cannot be computed from these data"
