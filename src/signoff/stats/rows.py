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
from signoff.stats.spacing import EVERY_DAY, WEEKDAYS, spacing

UNDATED: Final = 252.0
"""Rows a year of a series without dates: trading days."""
AGREES: Final = 1.05
"""The largest ratio of declared to found rows a year that is a matter of convention (250, 252 and 260 days)."""
AGREES_ROUGHLY: Final = 3.0
"""The same where the dates are too irregular to be read."""
WITHIN_DAYS: Final = 0.2

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
    if (rows > 1).mean() > WITHIN_DAYS:
        a_day = float(np.median(rows))
        daily = _spaced(days).a_year if days.size > 1 else WEEKDAYS
        return Rows(daily * max(a_day, 2.0), f"several rows within days ({a_day:g} on most)", is_clear=False)
    return _spaced(days)


def _spaced(days: Days) -> Rows:
    found = spacing(days)
    if found.unclear:
        return Rows(found.a_year, _rows(found.unclear), is_clear=False, agrees=AGREES_ROUGHLY)
    words = "rows on every day of the week" if found.a_year == EVERY_DAY else f"{found.frequency} dates"
    return Rows(found.a_year, words)


def _rows(found: str) -> str:
    return found if found.startswith("row") else f"rows of {found}"
