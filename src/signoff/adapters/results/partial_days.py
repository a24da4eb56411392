"""Finds a first or last day of which an intraday curve has only a part.

A day's return is taken from its last value. A last day that breaks off at noon would count as a whole day, so it is
left out. A first day that begins at noon gives only the value before the first return: it is kept if it ends as usual.
"""

from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.results.series import DAY, Labelled

FEWEST_DAYS: Final = 7
RARE: Final = 0.005
"""The share of days that may end as early, or begin as late: a day that others resemble is a short session."""
ALIKE: Final = 0.8
"""The share of days that must have about the usual number of rows, so that there is a usual number."""
NEAR: Final = 0.1
_SECONDS: Final = 86_400


def of_whole_days(daily: Labelled, times: pl.Series, zone: str | None) -> Labelled:
    """The rows without a partial day at either end, with a note; `times` are the times of its rows."""
    if not isinstance(times.dtype, pl.Datetime) or not daily.frame.height:
        return daily
    shown = times.dt.convert_time_zone(zone) if zone is not None and times.dtype.time_zone is not None else times
    bare = shown.dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy()
    days, starts, counts = np.unique(daily.frame[DAY].to_numpy(), return_index=True, return_counts=True)
    usual = int(np.median(counts[1:-1])) if days.size >= FEWEST_DAYS else 0
    if usual < 2 or np.mean(np.abs(counts[1:-1] - usual) <= max(1, NEAR * usual)) < ALIKE:
        return daily
    lasts = starts + counts - 1
    midnights = days.astype("datetime64[us]")
    begins, ends = (((bare[at] - midnights) / np.timedelta64(1, "s")).astype(np.int64) for at in (starts, lasts))
    is_short, ends_early = counts < usual, np.array([np.mean(ends[1:-1] <= ends[at]) <= RARE for at in (0, -1)])
    begins_late = np.mean(begins[1:-1] >= begins[0]) <= RARE
    notes, first, last = [], 0, daily.frame.height

    def found(at: int, word: str, verb: str, clock: int) -> str:
        return f"the {word} day ({days[at]}) {verb} at {_clock(clock)}, {counts[at]} of {usual} rows: "

    if is_short[0] and ends_early[0]:
        first = int(starts[1])
        notes.append(found(0, "first", "ends", ends[0]) + "its last value is not the day's last, and it was left out")
    elif is_short[0] and begins_late:
        why = "its last value is the day's last, and it is kept as the value before the first return"
        notes.append(found(0, "first", "begins", begins[0]) + why)
    if is_short[-1] and ends_early[1]:
        last = int(starts[-1])
        notes.append(found(-1, "last", "ends", ends[-1]) + "its last value is not the day's last, and it was left out")
    return Labelled(daily.frame[first:last], daily.said, (*daily.notes, *notes)) if notes else daily


def _clock(seconds: int) -> str:
    minutes = (seconds % _SECONDS) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
