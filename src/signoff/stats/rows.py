"""Rows a year, read from the dates that a series carries.

An annual figure is the figure of a row times a power of the rows a year, so a wrong number of them is a wrong figure.
A series without dates has 252 unless its caller says otherwise. A series with dates has what its dates say.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError
from signoff.stats.frames import times
from signoff.stats.sample import positive

UNDATED: Final = 252.0
"""Rows a year of a series without dates: trading days."""
WEEKDAYS: Final = 252.0
EVERY_DAY: Final = 365.0
AGREES: Final = 1.25
"""The largest ratio of declared to found rows a year that is a matter of convention (250, 252 and 260 days)."""
AGREES_ROUGHLY: Final = 3.0
"""The same where the dates are too irregular to be read."""
REGULAR: Final = 0.8
SHORT: Final = 5
_YEAR: Final = 365.25
_REST: Final = 7
_MONDAY: Final = 3
_GAPS: Final = (
    ("weekly", 52.0, 5, 9),
    ("monthly", 12.0, 25, 36),
    ("quarterly", 4.0, 80, 101),
    ("half-yearly", 2.0, 170, 195),
    ("yearly", 1.0, 350, 381),
)

Days = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows a year, what they are in words, whether the dates leave no doubt, and how far a declared number may be."""

    a_year: float
    words: str
    is_clear: bool = True
    agrees: float = AGREES


def rows_a_year(periods: float | None, *series: ArrayLike) -> float:
    """`periods` where it is given and agrees with the dates, what the dates say where it is not, else 252.

    The first of the series that has dates counts. A figure per row (`periods=1`) needs no dates.

    Raises
    ------
    InputError
        `periods` that is no number above 0 or is not what the dates say; dates within days, or without regularity, and
        no `periods`.
    """
    if periods is not None:
        positive(periods, "periods")
    found = next((read for one in series if (read := _read(one)) is not None), None)
    if found is None:
        return UNDATED if periods is None else periods
    if periods is None:
        if not found.is_clear:
            raise InputError(
                f"periods: expected it to be given, found {found.words}, about {found.a_year:,.0f} a year. Pass "
                f"periods=… (rows a year), or returns by day, week or month."
            )
        return found.a_year
    apart = max(periods / found.a_year, found.a_year / periods)
    if periods != 1 and apart > found.agrees:
        raise InputError(
            f"periods: expected about {found.a_year:,.0f} rows a year, since the index has {found.words}, found "
            f"{periods:g}. Leave periods out, or pass rows with the dates that they belong to."
        )
    return periods


def _read(series: ArrayLike) -> Rows | None:
    found = times(series)
    return None if found is None or found.size < 2 else read_rows(found)


def read_rows(dates: NDArray[np.datetime64]) -> Rows:
    """The rows a year of ordered times, at least two of them."""
    days, rows = np.unique(dates.astype("datetime64[D]").astype(np.int64), return_counts=True)
    if (rows > 1).mean() > 1 - REGULAR:
        a_day = float(np.median(rows))
        daily = _spaced(days).a_year if days.size > 1 else WEEKDAYS
        return Rows(daily * max(a_day, 2.0), f"several rows within days ({a_day:g} on most)", is_clear=False)
    return _spaced(days)


def _spaced(days: Days) -> Rows:
    gaps = np.diff(days)
    typical = float(np.median(gaps))
    if typical <= 2 or (days.size < SHORT and gaps.max() <= 4):
        return _daily(days, gaps)
    for words, a_year, least, most in _GAPS:
        if least <= typical <= most:
            is_regular = float(((gaps >= least - 1) & (gaps <= most)).mean()) >= REGULAR
            if is_regular and not (words == "monthly" and _is_by_weeks(gaps)):
                return Rows(a_year, f"{words} dates")
    return Rows(_YEAR / typical, f"rows that are mostly {typical:g} days apart", is_clear=False, agrees=AGREES_ROUGHLY)


def _daily(days: Days, gaps: Days) -> Rows:
    """252 a year, or 365 where weekends have rows too. A long rest, such as a year left out, changes neither."""
    weekday = (days + _MONDAY) % 7
    possible = np.bincount((np.arange(days[0], days[-1] + 1) + _MONDAY) % 7, minlength=7)
    held = np.bincount(weekday, minlength=7)
    if (held[5:] > possible[5:] / 2).all():
        return Rows(EVERY_DAY, "rows on every day of the week")
    spread = _YEAR / float(gaps[gaps <= _REST].mean())
    if days.size >= SHORT and max(spread / WEEKDAYS, WEEKDAYS / spread) > AGREES:
        words = f"rows on some days of the week, or of a month ({days.size:,} days)"
        return Rows(spread, words, is_clear=False, agrees=AGREES_ROUGHLY)
    return Rows(WEEKDAYS, "daily dates")


def _is_by_weeks(gaps: Days) -> bool:
    """Thirteen rows a year look monthly by their distance alone."""
    return gaps.size > 2 and bool((gaps % 7 == 0).mean() > REGULAR)
