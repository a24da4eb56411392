"""Counts the bars of a table by their clock, and finds the days on which fewer bars are no gap.

An exchange publishes its early closes. On a market that never closes, a clock change takes an hour from a day.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.clock import UTC_NAMES, RowTimes
from signoff.domain.bars import BarCount, Bars, Whole, best_clock, count_bars
from signoff.domain.evidence import Returns
from signoff.domain.sampling import EVERY_DAY, WEEKDAYS

CLOCKS: Final = ("America/New_York", "Europe/London", "Australia/Sydney")
"""Zones that change their clocks on different days; other zones change with one of these or never."""
A_MINUTE: Final = 60_000_000
A_DAY: Final = 1440
_NO_EXCHANGE: Final = frozenset({"", EVERY_DAY, WEEKDAYS})


def bars_of(rows: RowTimes) -> Bars | None:
    """The bars of rows with times; None for rows of whole days."""
    if rows.instants is None:
        return None
    return Bars(days=rows.days, instants=rows.instants, zone=rows.zone)


def counted_bars(table: Returns, calendar: str) -> BarCount | None:
    """The bars of the days of a table; None for rows of whole days."""
    bars = table.bars
    if bars is None or table.dates.size == 0:
        return None
    rows = np.isin(bars.days, table.dates)
    days, instants = bars.days[rows], bars.instants[rows]
    zones = [bars.zone, "" if calendar in _NO_EXCHANGE else ExchangeCalendar().zone(calendar), *CLOCKS]
    named = dict.fromkeys(zone for zone in zones if zone and zone not in UTC_NAMES)
    clocks = (_clock(instants, zone) for zone in named)
    clock = best_clock(days, instants, chain((_minutes(instants),), clocks))
    first, last = table.period
    return count_bars(
        days,
        instants,
        clock,
        open_share=_open_share(calendar, first, last),
        spare=_lost_hours(bars.zone, first, last),
    )


def _minutes(instants: Whole) -> Whole:
    minutes: Whole = instants // A_MINUTE % A_DAY
    return minutes


def _clock(instants: Whole, zone: str) -> Whole:
    """The local time of the zone at each instant."""
    times = pl.Series(instants).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return _minutes(times.dt.replace_time_zone(None).to_physical().to_numpy().astype(np.int64))


def _open_share(calendar: str, first: date, last: date) -> Mapping[np.datetime64, float]:
    """The length of each session as a share of the longest."""
    if calendar in _NO_EXCHANGE:
        return {}
    sessions = ExchangeCalendar().minutes(calendar, first, last)
    longest = max((minutes for _, minutes in sessions), default=0.0)
    return {np.datetime64(day): minutes / longest for day, minutes in sessions if 0 < minutes < longest}


def _lost_hours(zone: str, first: date, last: date) -> Mapping[np.datetime64, float]:
    """The days of a zone that are shorter than 24 hours, and by how much."""
    if not zone or zone in UTC_NAMES:
        return {}
    own = ZoneInfo(zone)
    days = [first + timedelta(days=n) for n in range((last - first).days + 2)]
    begins = [datetime.combine(day, datetime.min.time(), tzinfo=own).timestamp() / 3600 for day in days]
    return {
        np.datetime64(day): 24 - (after - before)
        for day, (before, after) in zip(days, pairwise(begins), strict=False)
        if after - before < 24
    }
