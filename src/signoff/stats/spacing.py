"""The frequency of dates: daily, weekly, monthly, …, or ambiguous.

Gates and Python functions annualise by this one rule. It takes ordered, unique days since 1970.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]

WEEKDAYS: Final = 252.0
EVERY_DAY: Final = 365.0
DAILY: Final = "daily"
WEEKLY: Final = "weekly"
CONVENTIONS: Final = {
    DAILY: WEEKDAYS,
    WEEKLY: 52.0,
    "monthly": 12.0,
    "quarterly": 4.0,
    "half-yearly": 2.0,
    "yearly": 1.0,
}
"""Rows of a year; a daily table has 365 if every day trades."""
UNITS: Final = {
    DAILY: "session",
    WEEKLY: "week",
    "monthly": "month",
    "quarterly": "quarter",
    "half-yearly": "half-year",
    "yearly": "year",
}
PLACED: Final = 0.9
"""The least share of rows on the usual day of a week, month or quarter; holidays move the others."""
REGULAR: Final = 0.8
TRADED: Final = 0.5
KEPT: Final = 0.7
REST: Final = 7
"""Longer gaps in days are rests, which say nothing about the usual days."""
SHORT: Final = 5
SUNDAY_LAST: Final = 3
"""1970-01-01 was a Thursday: days since then plus 3 count from a Monday."""
_YEAR: Final = 365.25
_MONTHS: Final = {"monthly": 1, "quarterly": 3, "half-yearly": 6, "yearly": 12}
_GAPS: Final = {
    WEEKLY: (5, 9),
    "monthly": (25, 36),
    "quarterly": (80, 101),
    "half-yearly": (170, 195),
    "yearly": (350, 381),
}
_WHOLE_WEEKS: Final = {
    "monthly": (28, 35),
    "quarterly": (84, 91, 98),
    "half-yearly": (175, 182, 189),
    "yearly": (364, 371),
}
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Spacing:
    """The frequency of dates and their rows a year. `unclear` says what was found if they are ambiguous.

    `remedy` is what to do if no declaration helps.
    """

    frequency: str
    a_year: float
    unclear: str = ""
    remedy: str = ""


def spacing(days: Days, *, moves_at_weekends: bool = True) -> Spacing:
    """The frequency of ordered, unique days; weekends without moves are not sessions."""
    gaps = np.diff(days)
    if gaps.size == 0:
        return Spacing(DAILY, WEEKDAYS)
    typical = float(np.median(gaps))
    if typical <= 2 or (days.size < SHORT and gaps.max() <= SHORT - 1):
        return _daily(days, gaps, moves_at_weekends=moves_at_weekends)
    for frequency, (least, most) in _GAPS.items():
        if least <= typical <= most:
            regular = float(np.mean((gaps >= least - 1) & (gaps <= most)))
            twice = days.size - np.unique(period_numbers(days, frequency)).size
            if regular >= REGULAR and twice <= (1 - REGULAR) * gaps.size and not _is_four_weekly(frequency, gaps):
                return wandering(days, frequency) or Spacing(frequency, CONVENTIONS[frequency])
    text = f"rows that are mostly {typical:g} days apart, from {gaps.min()} to {gaps.max()}"
    return Spacing("", _YEAR / typical, text)


def wandering(days: Days, frequency: str) -> Spacing | None:
    """Why rows do not cover whole weeks (months, …), as rows of selected days do not.

    Weekly rows are on one weekday, and monthly ones within three days of one day of the month, counted from its
    beginning or its end; holidays may move one row in ten. Months and quarters of whole weeks are on one weekday,
    evenly spaced.
    """
    if frequency == DAILY or days.size < 3:
        return None
    on = np.bincount(weekday(days), minlength=7)
    gaps = np.diff(days)
    if frequency == WEEKLY:
        is_placed = _most(int(on.max()), days.size)
        typical = float(np.median(gaps))
        is_placed &= typical <= _GAPS[frequency][1] or _most(int((np.abs(gaps - typical) <= 2).sum()), gaps.size)
        place = "on one weekday"
    else:
        is_placed = _most(_of_one_day(days), days.size) or (
            _most(int(on.max()), days.size) and _most(int(np.isin(gaps, _WHOLE_WEEKS[frequency]).sum()), gaps.size)
        )
        place = "at the end or beginning of the month, or within three days of one day of it"
    if is_placed:
        return None
    unit = UNITS[frequency]
    named = zip(days[:4].astype("datetime64[D]"), weekday(days[:4]).tolist(), strict=True)
    first = ", ".join(f"{day} ({_NAMES[at]})" for day, at in named)
    return Spacing(
        "",
        CONVENTIONS[frequency],
        f"one row for most {unit}s, but on days that wander ({first}, …)",
        f"Rows of a {unit} lie {place}, but for holidays; picked days leave the others of the {unit} out. Give the "
        "full daily table, with a row for every session.",
    )


def weekday(days: Days) -> Days:
    """Monday is 0."""
    return (days + SUNDAY_LAST) % 7


def period_numbers(days: Days, frequency: str) -> Days:
    """The number of each day's day, week (from Monday), month, quarter, half-year or year."""
    if frequency == DAILY:
        return days
    if frequency == WEEKLY:
        return (days + SUNDAY_LAST) // 7
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months // _MONTHS[frequency]


def first_days(periods: Days, frequency: str) -> Days:
    """The first day of each numbered period."""
    if frequency == DAILY:
        return periods
    if frequency == WEEKLY:
        return periods * 7 - SUNDAY_LAST
    months = (periods * _MONTHS[frequency]).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


def _most(rows: int, of: int) -> bool:
    """All but one in ten, or but one."""
    return of - rows <= max(1, (1 - PLACED) * of)


def _of_one_day(days: Days) -> int:
    """The most rows within three days of one day of the month, from its beginning or its end."""
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    day = days - month.astype("datetime64[D]").astype(np.int64) + 1
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    around_the_end = np.where(day <= 15, day, day - length)
    near = (np.abs(place[:, None] - np.arange(-15, 32)) <= 3 for place in (day, around_the_end))
    return max(int(one.sum(axis=0).max()) for one in near)


def _is_four_weekly(frequency: str, gaps: Days) -> bool:
    """Thirteen rows a year look monthly by their distance alone."""
    return frequency == "monthly" and gaps.size > 2 and bool((gaps % 7 == 0).mean() > REGULAR)


def _daily(days: Days, gaps: Days, *, moves_at_weekends: bool) -> Spacing:
    """252 a year, or 365 if every day of the week has rows. A long gap (a missing year) does not matter."""
    every = np.arange(days[0], days[-1] + 1)
    if (rests := np.flatnonzero(gaps > REST)).size:
        rested = np.concatenate([np.arange(days[at] + 1, days[at + 1]) for at in rests.tolist()])
        every = np.setdiff1d(every, rested, assume_unique=True)
    possible = np.bincount(weekday(every), minlength=7)
    counts = np.bincount(weekday(days), minlength=7)
    if not moves_at_weekends:
        counts[5:] = 0
    trades = counts > TRADED * np.maximum(possible, 1)
    named = int(trades.sum())
    if named == np.count_nonzero(possible) and trades[5:].all():
        return Spacing(DAILY, EVERY_DAY)
    share = counts[trades].sum() / max(1, possible[trades].sum()) if named else 0.0
    if every.size < 14 and not trades[5:].any():
        return Spacing(DAILY, WEEKDAYS)
    if named <= 5 and share >= KEPT and possible[trades].sum() >= KEPT * 5 / 7 * every.size:
        return Spacing(DAILY, WEEKDAYS)
    rate = _YEAR * (days.size - 1) / max(1, every.size - 1)
    text = f"about {rate:.0f} rows a year, on {named} days of the week"
    return Spacing("", rate, text)
