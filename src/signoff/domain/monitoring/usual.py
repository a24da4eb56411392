"""Usual ranges of a column by session: its level, its spread, its steps, and its share of repeated values.

Each figure of a session is compared with that of the sessions before the rollout. It is unusual if it exceeds their
range by more than the distance from median to the end of the range. All columns have the same rule, so one that moves
once a month, or has one symbol, is compared with a similar past.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats, Symbols
from signoff.domain.profiles import Range, Usual

# The least number of sessions for usual ranges.
MIN_SESSIONS: Final = 20
# Values are compared with this many earlier sessions, so that neither yesterday nor last Tuesday is repeated unseen.
LAGS: Final = 5
# Values that differ by less than this part of the usual spread are alike but for noise.
ALIKE: Final = 1e-3
# Values that differ by less than this part are the same number, computed twice.
SAME: Final = 1e-9
MIN_PAIRS: Final = 5
OUTER: Final = 0.001

HIGHEST, LOWEST, LEVEL, SPREAD = "highest", "lowest", "level", "spread"
STEP, AGREEMENT, STILL = "step", "agreement", "still"
COMMONEST, DISTINCT, SIZE = "commonest", "distinct", "size"
SHARES: Final = frozenset({STILL, COMMONEST, DISTINCT})
IS_LOW_BAD: Final = frozenset({LOWEST, LEVEL, SPREAD, AGREEMENT, DISTINCT, SIZE})
IS_HIGH_BAD: Final = frozenset({HIGHEST, LEVEL, SPREAD, STEP, STILL, COMMONEST, SIZE})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The place of each row in a table with one row a session and one column a symbol.

    Without names, the first row of a session belongs to the first row of the next.
    """

    days: Days
    day_of: NDArray[np.intp]
    place: NDArray[np.intp]
    width: int

    @classmethod
    def of(cls, sessions: Days, symbols: Symbols | None) -> "Layout":
        """The layout of these rows, which are in order of time."""
        days, day_of = np.unique(sessions, return_inverse=True)
        day_of = day_of.reshape(-1)
        if symbols is not None:
            names, place = np.unique(symbols, return_inverse=True)
            return cls(days=days, day_of=day_of, place=place.reshape(-1), width=names.size)
        order = np.argsort(day_of, kind="stable")
        first = np.searchsorted(day_of[order], np.arange(days.size))
        place = np.empty(day_of.size, dtype=np.intp)
        place[order] = np.arange(day_of.size) - first[day_of[order]]
        return cls(days=days, day_of=day_of, place=place, width=int(place.max()) + 1 if place.size else 0)

    def table(self, values: Floats) -> Floats:
        """(S, N) the last value of each symbol in each session, NaN if missing."""
        last = np.full((self.days.size, self.width), np.nan)
        last[self.day_of, self.place] = np.where(np.isfinite(values), values, np.nan)
        return last


def figures(table: Floats, scale: float, *, alike: bool = False) -> dict[str, Floats]:
    """Every figure of every session, NaN if missing. `alike` adds those of equal values."""
    count = np.isfinite(table).sum(axis=1)
    ordered = np.sort(table, axis=1)
    rows, last = np.arange(table.shape[0]), np.maximum(count - 1, 0)
    some = count > 0

    def at(place: NDArray[np.intp]) -> Floats:
        return np.where(some, ordered[rows, place], np.nan) if table.shape[1] else np.full(rows.size, np.nan)

    level = (at(last // 2) + at((last + 1) // 2)) / 2
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.nan_to_num(np.abs(table - level[:, None]), nan=0.0).sum(axis=1) / np.maximum(count, 1)
        spread = np.where(count > 1, np.log(np.maximum(distance, max(ALIKE * ALIKE * scale, 1e-300))), np.nan)
        every = {HIGHEST: at(last), LOWEST: at(np.zeros_like(last)), LEVEL: level, SPREAD: spread}
        still = _still(table, scale * (ALIKE if alike else SAME))
        every |= {STEP: _steps(table), AGREEMENT: _agreement(table), STILL: still}
        least = max(ALIKE * ALIKE * scale, 1e-300)
        size = np.log(np.maximum(np.nan_to_num(np.abs(table), nan=0.0).max(axis=1, initial=0.0), least))
    return every | ({SIZE: np.where(some, size, np.nan)} | _equal(ordered, count, scale) if alike else {})


def usual(table: Floats, *, alike: bool = False, days: Days | None = None) -> Usual:
    """The ranges of each figure over these sessions, without figures that too few sessions have."""
    scale = scale_of(table)
    gaps = np.diff(days).astype(np.int64) if days is not None and days.size > 1 else np.ones(1)
    ranges = _ranges(figures(table, scale, alike=alike))
    return Usual(scale=scale, ranges=ranges, is_daily=float(np.median(gaps)) <= 1)


def usual_so_far(table: Floats, *, alike: bool = False) -> Usual | None:
    """The same for a past that was not approved, without values that were unusual when they came; None with too few.

    The first twenty sessions are admitted, for figures that are not shares until twenty differ; later ones if they are
    not unusual by those before.
    """
    if table.shape[0] < MIN_SESSIONS:
        return None
    scale, n = scale_of(table), np.isfinite(table).sum(axis=1)
    every = figures(table, scale, alike=alike)
    ranges = {key: span for key, values in every.items() if (span := _admitted(key, values, n)) is not None}
    return Usual(scale=scale, ranges=ranges)


def _admitted(key: str, values: Floats, n: NDArray[np.intp]) -> Range | None:
    finite = np.isfinite(values)
    values, n = values[finite], n[finite]
    counted = np.arange(1, values.size + 1)
    if key not in SHARES:  # a value that stays for weeks is one value and shows little
        first = np.zeros(values.size, dtype=np.bool_)
        first[np.unique(values, return_index=True)[1]] = True
        counted = np.cumsum(first)
    begun = int(np.searchsorted(counted, MIN_SESSIONS)) + 1
    if begun > values.size:
        return None
    admitted = list(values[:begun])
    for at in range(begun, values.size, MIN_SESSIONS):
        span = range_of(np.array(admitted))
        assert span is not None
        rows = range(at, min(at + MIN_SESSIONS, values.size))
        admitted += [values[row] for row in rows if not beyond(key, float(values[row]), span, int(n[row]))]
    return range_of(np.array(admitted))


def scale_of(table: Floats) -> float:
    """The spread of the middle nine tenths of all values, or of all values if that is zero."""
    finite = table[np.isfinite(table)]
    if not finite.size:
        return 0.0
    low, high = np.quantile(finite, (0.05, 0.95))
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(high - low) / 3.3 or float(np.std(finite))
    return spread if np.isfinite(spread) else 0.0


def _ranges(every: Mapping[str, Floats]) -> dict[str, Range]:
    return {key: span for key, values in every.items() if (span := range_of(values))}


def range_of(values: Floats) -> Range | None:
    """The range of all but one in a thousand of these; None with too few."""
    finite = values[np.isfinite(values)]
    if finite.size < MIN_SESSIONS:
        return None
    least, median, most = (float(each) for each in np.quantile(finite, (OUTER, 0.5, 1 - OUTER)))
    if not np.isfinite((least, median, most)).all():
        return None
    return Range(least=least, median=median, most=most, n=int(finite.size))


def beyond(key: str, value: float, span: Range, n: int) -> bool:
    """Whether a figure of a session of `n` values is unusual; a share also if it is nearer to 1 than to its limit."""
    if np.isnan(value):
        return False
    if key in {STILL, COMMONEST}:
        limit = min(span.high, (1 + span.most) / 2)
        # One of several may repeat, or equal another one, by chance.
        return bool(value > max(limit, (1 if key == STILL else 2) / n if n > 1 else 0.0) + SAME)
    if key == DISTINCT:
        limit = max(span.low, span.least / 2)
        return bool(value < min(limit, (n - 1) / n if n > 1 else 1.0) - SAME)
    return bool((key in IS_HIGH_BAD and value > span.high) or (key in IS_LOW_BAD and value < span.low))


def unusual(now: Mapping[str, Floats], norm: Usual, keys: tuple[str, ...], n: int) -> tuple[str, float, Range] | None:
    """The first unusual one of these figures in the last session, with its value and usual range."""
    for key in keys:
        if key in now and key in norm.ranges:
            value = float(now[key][-1])
            if beyond(key, value, norm.ranges[key], n):
                return key, value, norm.ranges[key]
    return None


def _steps(table: Floats) -> Floats:
    """The largest move of a symbol since the session before."""
    moved = np.abs(np.diff(table, axis=0, prepend=np.full((1, table.shape[1]), np.nan)))
    finite = np.isfinite(moved)
    return np.where(finite.any(axis=1), np.where(finite, moved, -np.inf).max(axis=1, initial=-np.inf), np.nan)


def _agreement(table: Floats) -> Floats:
    """The correlation of a session's values with those of the session before, by Fisher's transformation."""
    result = np.full(table.shape[0], np.nan)
    if table.shape[0] < 2:
        return result
    both = np.isfinite(table[1:]) & np.isfinite(table[:-1])
    n = both.sum(axis=1)
    now, before = (np.where(both, each, 0.0) for each in (table[1:], table[:-1]))
    # Values of 1e300 have squares of no size: each session is measured by its own largest value.
    now, before = (each / np.maximum(np.abs(each).max(axis=1, initial=0.0), 1e-300)[:, None] for each in (now, before))
    now, before = (np.where(both, each - (each.sum(axis=1) / np.maximum(n, 1))[:, None], 0.0) for each in (now, before))
    of = np.sqrt((now * now).sum(axis=1) * (before * before).sum(axis=1))
    is_known = (n >= MIN_PAIRS) & (of > 1e-12)
    ratio = np.where(is_known, (now * before).sum(axis=1) / np.where(is_known, of, 1.0), np.nan)
    result[1:] = np.arctanh(np.clip(ratio, -1 + 1e-9, 1 - 1e-9))
    return result


def _still(table: Floats, tolerance: float) -> Floats:
    """The largest share of symbols that repeat their values of one of the last few sessions."""
    largest = np.full(table.shape[0], np.nan)
    for lag in range(1, min(LAGS, table.shape[0] - 1) + 1):
        both = np.isfinite(table[lag:]) & np.isfinite(table[:-lag])
        same = both & (np.abs(table[lag:] - table[:-lag]) <= tolerance)
        n = both.sum(axis=1)
        share = np.where(n > 0, same.sum(axis=1) / np.maximum(n, 1), np.nan)
        largest[lag:] = np.fmax(largest[lag:], share)
    return largest


def _equal(ordered: Floats, count: NDArray[np.intp], scale: float) -> dict[str, Floats]:
    """The share of the commonest value in each session, and the share of distinct values."""
    is_held = np.isfinite(ordered)
    starts = is_held.copy()
    starts[:, 1:] &= ~(np.diff(ordered, axis=1) <= ALIKE * scale)
    distinct = starts.sum(axis=1)
    run = np.where(is_held, np.cumsum(starts, axis=1), 0)
    commonest = np.array([np.bincount(each[each > 0]).max(initial=0) for each in run], dtype=np.float64)
    several = np.where(count > 1, count, 1)
    return {
        COMMONEST: np.where(count > 1, commonest / several, np.nan),
        DISTINCT: np.where(count > 1, distinct / several, np.nan),
    }
