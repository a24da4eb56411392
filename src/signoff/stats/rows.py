"""Rows a year, read from the dates of a series.

Annual figures depend on the rows a year. A series without dates has 252 unless its caller says otherwise. A series with
dates has the number that they show.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError
from signoff.stats.frames import times
from signoff.stats.sample import positive
from signoff.stats.spacing import EVERY_DAY, WEEKDAYS, spacing

UNDATED: Final = 252.0
"""Rows a year of a series without dates: trading days."""
AGREES: Final = 1.05
"""The largest ratio of declared to found rows a year that is a matter of convention (250, 252 and 260 days)."""
AGREES_ROUGHLY: Final = 3.0
"""The same for irregular dates."""
WITHIN_DAYS: Final = 0.2

Days = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows a year, their description, whether the dates are unambiguous, and how far a declared number may differ."""

    a_year: float
    words: str
    is_clear: bool = True
    agrees: float = AGREES


def rows_a_year(periods: float | None, *series: ArrayLike) -> float:
    """`periods` if given and consistent with the dates, else the dates' number, else 252.

    The first of the series that has dates counts. A figure per row (`periods=1`) needs no dates.

    Raises
    ------
    InputError
        `periods` that is not a number above 0 or not consistent with the dates; without it, dates within days or
        irregular ones.
    """
    if periods is not None:
        positive(periods, "periods")
    dated = next((read for one in series if (read := _read(one)) is not None), None)
    if dated is None:
        return UNDATED if periods is None else periods
    if periods is None:
        if not dated.is_clear:
            raise InputError(
                f"periods: expected it to be given, found {dated.words}, about {dated.a_year:,.0f} a year. Pass "
                f"periods=… (rows a year), or returns by day, week or month."
            )
        return dated.a_year
    apart = max(periods / dated.a_year, dated.a_year / periods)
    if periods != 1 and apart > dated.agrees:
        raise InputError(
            f"periods: expected about {dated.a_year:,.0f} rows a year, since the index has {dated.words}, found "
            f"{periods:g}. Leave periods out, or pass rows with the dates that they belong to."
        )
    return periods


def _read(series: ArrayLike) -> Rows | None:
    moments = times(series)
    return None if moments is None or moments.size < 2 else read_rows(moments)


def read_rows(dates: NDArray[np.datetime64]) -> Rows:
    """The rows a year of ordered times, at least two of them."""
    days, rows = np.unique(dates.astype("datetime64[D]").astype(np.int64), return_counts=True)
    if (rows > 1).mean() > WITHIN_DAYS:
        a_day = float(np.median(rows))
        daily = _spaced(days).a_year if days.size > 1 else WEEKDAYS
        return Rows(daily * max(a_day, 2.0), f"several rows within days ({a_day:g} on most)", is_clear=False)
    return _spaced(days)


def _spaced(days: Days) -> Rows:
    rhythm = spacing(days)
    if rhythm.unclear:
        return Rows(rhythm.a_year, _rows(rhythm.unclear), is_clear=False, agrees=AGREES_ROUGHLY)
    words = "rows on every day of the week" if rhythm.a_year == EVERY_DAY else f"{rhythm.frequency} dates"
    return Rows(rhythm.a_year, words)


def _rows(words: str) -> str:
    return words if words.startswith("row") else f"rows of {words}"
