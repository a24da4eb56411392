"""Bars of a day: how many a table usually has, and on which days it has fewer.

Rows within days are compounded by day. A day without its worst bar still has a row, and a better one, so days alone do
not show the gap. Clock times do: a bar that other days of the weekday have is expected on each.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Whole = NDArray[np.int64]

RECURS: Final = 0.1
"""The least share of a weekday's days with a clock time for it to be usual: one bar in ten may be kept of each."""
BY_WEEKDAY: Final = 10
"""The fewest days of a weekday for a usual number of its own: Fridays and Sundays are often shorter."""
ALIKE: Final = 3
"""The fewest early closes of one length to tell their usual bars."""
OF_EARLY: Final = 0.5
"""The least share of early closes of one length with a bar for it to be expected on each."""
KEEPS_A_CLOCK: Final = 0.5
ONE_A_DAY: Final = 0.8
"""The least share of days with one row within an hour of the usual time for a table to be daily."""
DAY: Final = 1440
HOUR: Final = 60
_CLOSEST: Final = 0.05
_MONDAY: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bars:
    """The rows of a table with times: the day of each, its instant in microseconds, and the zone of the days."""

    days: Days
    instants: Whole
    zone: str = ""


@dataclass(frozen=True, slots=True)
class ShortDay:
    """A day with fewer bars than usual."""

    day: np.datetime64
    bars: int
    usual: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarCount:
    """The bars that a table has and lacks. Without a clock (`keeps_a_clock`) missing bars are unknown.

    `loose` early closes are too few of one length to tell their usual bars; on them one missing bar is not counted.
    """

    usual: int
    expected: int
    missing: int
    short: tuple[ShortDay, ...] = ()
    keeps_a_clock: bool = True
    loose: int = 0

    @property
    def share(self) -> float:
        return self.missing / max(1, self.expected)


def best_clock(days: Days, instants: Whole, clocks: Iterable[Whole]) -> Whole:
    """The first clock, in minutes of the day, that puts ordered rows at the fewest different times.

    Bars of New York in UTC shift in summer; by New York's clock they do not.
    """
    of, step = _of_days(days), _step(days, instants)
    best, fewest = np.zeros(0, dtype=np.int64), -1
    for clock in clocks:
        bins = _binned(clock, step)
        groups, usual = _usual(of, bins)
        times = sum(each.size for each in usual)
        if fewest < 0 or times < fewest:
            best, fewest = clock, times
        counts = of.distinct(bins)
        if all(each.size <= _commonest(counts[rows]) for rows, each in zip(groups, usual, strict=True)):
            break
    return best


def is_daily(days: Days, clock: Whole) -> bool:
    """Whether every day has one row, at nearly the same time of the day."""
    if np.unique(days).size < days.size:
        return False
    usual = int(np.median(clock))
    apart = np.abs(clock - usual)
    return bool((np.minimum(apart, DAY - apart) <= HOUR).mean() >= ONE_A_DAY)


def count_bars(
    days: Days,
    instants: Whole,
    clock: Whole,
    *,
    open_share: Mapping[np.datetime64, float] | None = None,
    spare: Mapping[np.datetime64, float] | None = None,
) -> BarCount | None:
    """The bars of ordered rows; None if there is one row a day at one time.

    `open_share` is a day's share of the longest session, so that an early close is not a gap. `spare` are the hours
    that a change of clocks takes from a day. No bars are expected before the first row or after the last.
    """
    if days.size == 0 or is_daily(days, clock):
        return None
    of, bins = _of_days(days), _binned(clock, _step(days, instants))
    groups, usual = _usual(of, bins)
    is_usual = np.zeros(bins.size, dtype=np.bool_)
    expected, counts = np.zeros(of.days.size, dtype=np.int64), of.distinct(bins)
    for rows, times in zip(groups, usual, strict=True):
        is_usual |= rows[of.row] & np.isin(bins, times)
        expected[rows] = max(len(times), _commonest(counts[rows]))
    if is_usual.mean() < KEEPS_A_CLOCK:
        return BarCount(usual=_commonest(expected), expected=days.size, missing=0, keeps_a_clock=False)
    whole, early = expected, open_share or {}
    expected = _shortened(of.days, whole, early, spare or {})
    of_early, loose = _of_early_closes(of, bins, early)
    expected = np.maximum(expected, np.minimum(of_early, whole))
    most = _commonest(expected)
    for rows, times in zip(groups, usual, strict=True):
        if rows[0]:
            expected[0] = max(counts[0], expected[0] - int((times < bins[0]).sum()))
        if rows[-1]:
            expected[-1] = max(counts[-1], expected[-1] - int((times > bins[-1]).sum()))
    lacking = np.maximum(expected - counts, 0)
    short = tuple(ShortDay(of.days[at], int(counts[at]), int(expected[at])) for at in np.flatnonzero(lacking).tolist())
    return BarCount(usual=most, expected=int(expected.sum()), missing=int(lacking.sum()), short=short, loose=loose)


@dataclass(frozen=True, slots=True, eq=False)
class _OfDays:
    """The days of rows, each once, and the place of each row's day among them."""

    days: Days
    row: NDArray[np.intp]

    def pairs(self, bins: Whole) -> tuple[Whole, Whole]:
        """Each distinct time of each day, with the place of the day."""
        seen = np.zeros(self.days.size * DAY, dtype=np.bool_)
        seen[self.row * DAY + bins] = True
        day, time = np.divmod(np.flatnonzero(seen), DAY)
        return day, time

    def distinct(self, bins: Whole) -> Whole:
        """How many different times every day has."""
        return np.bincount(self.pairs(bins)[0], minlength=self.days.size).astype(np.int64)


def _of_days(days: Days) -> _OfDays:
    begins = np.concatenate(([True], np.diff(days.astype(np.int64)) != 0))
    return _OfDays(days[begins], np.cumsum(begins) - 1)


def _step(days: Days, instants: Whole) -> int:
    """The minutes from one bar to the next, of those that stand closest."""
    gaps = (np.diff(instants) // 60_000_000)[np.diff(days.astype(np.int64)) == 0]
    return max(1, int(np.quantile(gaps, _CLOSEST, method="lower"))) if gaps.size else HOUR


def _binned(clock: Whole, step: int) -> Whole:
    """Each time rounded to the first one within half a step, since a bar may be stamped a minute late."""
    firsts, first = np.zeros(DAY, dtype=np.int64), -DAY
    for time in np.flatnonzero(np.bincount(clock, minlength=DAY)).tolist():
        if 2 * (time - first) >= step:
            first = time
        firsts[time] = first
    return firsts[clock]


def _usual(of: _OfDays, bins: Whole) -> tuple[list[NDArray[np.bool_]], list[Whole]]:
    """The days of each weekday with enough of them, the other days together, and the usual times of each group."""
    weekday = (of.days.astype(np.int64) + _MONDAY) % 7
    own = [at for at in range(7) if (weekday == at).sum() >= BY_WEEKDAY]
    groups = [weekday == at for at in own]
    if (rest := ~np.isin(weekday, own)).any():
        groups.append(rest)
    day, time = of.pairs(bins)
    usual = []
    for rows in groups:
        times, days = np.unique(time[rows[day]], return_counts=True)
        usual.append(times[days >= max(min(2, rows.sum()), RECURS * rows.sum())])
    return groups, usual


def _commonest(counts: Whole) -> int:
    """The commonest number; of a tie the larger."""
    values, times = np.unique(counts, return_counts=True)
    return int(values[times == times.max()].max())


def _of_early_closes(of: _OfDays, bins: Whole, open_share: Mapping[np.datetime64, float]) -> tuple[Whole, int]:
    """The bars that early closes of one length share, 0 on other days, and the number of days too few to tell.

    A book may trade other hours than an exchange publishes, so the bars themselves decide.
    """
    bars, loose = np.zeros(of.days.size, dtype=np.int64), 0
    lengths = np.array([open_share.get(day, 0.0) for day in of.days])
    day, time = of.pairs(bins)
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows = lengths == length
        if rows.sum() < ALIKE:
            loose += int(rows.sum())
            continue
        _, counts = np.unique(time[rows[day]], return_counts=True)
        bars[rows] = (counts > OF_EARLY * rows.sum()).sum()
    return bars, loose


def _shortened(
    days: Days, expected: Whole, open_share: Mapping[np.datetime64, float], spare: Mapping[np.datetime64, float]
) -> Whole:
    """The bars of days that close early or lose an hour to a change of clocks."""
    bars = expected.copy()
    for at, day in enumerate(days):
        if day in open_share:
            bars[at] = int(np.floor(bars[at] * open_share[day] + 1e-9))
        if day in spare:
            bars[at] -= int(np.ceil(bars[at] * spare[day] / 24))
    return bars
