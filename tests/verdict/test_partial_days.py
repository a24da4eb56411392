"""A first or last day that an intraday equity curve has only in part is no whole day, and a note says so."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

import signoff

FIRST = datetime(2022, 1, 1)  # noqa: DTZ001 - each case names its zone


def curve(times):
    values = 1e5 * np.cumprod(1 + np.random.default_rng(4).normal(0.00005, 0.002, len(times)))
    return pl.DataFrame({"timestamp": times, "equity": values})


def hourly(days, begin=0, end=23, every=1):
    """Hours of whole days; the first day begins at `begin`, the last ends at `end`."""
    return [FIRST + timedelta(hours=n) for n in range(begin, 24 * (days - 1) + end + 1) if (n % 24) % every == 0]


def bars(days, last_end, *, early=()):
    """Half-hour bars from 9:30 to 16:00 on weekdays; the days of `early` end at 13:00."""
    found = []
    sessions = [FIRST + timedelta(days=n) for n in range(2 * days) if (FIRST + timedelta(days=n)).weekday() < 5][:days]
    for place, day in enumerate(sessions):
        end = last_end if place == days - 1 else 13 if place in early else 16
        found += [day + timedelta(hours=9.5 + n / 2) for n in range(14) if 9.5 + n / 2 <= end]
    return found


# times, days of returns, words of a note or of what was dropped
PARTIAL = {
    "an hourly curve to noon": (hourly(120, end=12), 118, "last day (2022-04-30) ends at 12:00, 13 of 24 rows"),
    "one row of the last day": (hourly(120, end=0), 118, "last day (2022-04-30) ends at 00:00, 1 of 24 rows"),
    "four-hour bars": (hourly(120, end=8, every=4), 118, "last day (2022-04-30) ends at 08:00, 3 of 6 rows"),
    "a session that breaks off": (bars(90, 11), 88, "ends at 11:00, 4 of 14 rows"),
    "a first day from noon": (hourly(120, begin=12), 119, "first day (2022-01-01) begins at 12:00, 12 of 24 rows"),
    "both": (hourly(120, begin=12, end=5), 118, "ends at 05:00, 6 of 24 rows"),
}
WHOLE = {
    "whole days": (hourly(120), 119),
    "an early close as others": (bars(90, 13, early=(20, 60)), 89),
    "a whole session": (bars(90, 16), 89),
    "one value a day": ([FIRST + timedelta(days=n) for n in range(120)], 119),
}


def judged(times):
    zoned = [one.isoformat() + "Z" for one in times]
    return signoff.evaluate(curve(zoned), equity=True).understood


@pytest.mark.parametrize("name", PARTIAL)
def test_a_partial_day_is_said_with_its_clock_and_rows(name):
    times, returns, words = PARTIAL[name]
    found = judged(times)
    assert words in " ".join((*found.notes, *found.dropped))
    assert found.rows == returns


@pytest.mark.parametrize("name", WHOLE)
def test_whole_days_and_short_sessions_are_kept_without_a_word(name):
    times, returns = WHOLE[name]
    found = judged(times)
    assert "rows:" not in " ".join((*found.notes, *found.dropped))
    assert found.rows == returns


def test_the_last_day_in_part_is_dropped_and_the_first_is_kept():
    found = judged(hourly(120, begin=12, end=12))
    assert any("last day" in one and "left out" in one for one in found.dropped)
    assert any("first day" in one and "it is kept" in one for one in found.notes)


def test_the_clock_is_that_of_the_named_zone():
    times = [one.isoformat() + "Z" for one in hourly(120, begin=5, end=16)]
    found = signoff.evaluate(curve(times), equity=True, zone="America/New_York").understood
    assert "ends at 12:00" in " ".join((*found.notes, *found.dropped))
