"""Filled-in rows of a daily table: weekends of zeros, and values that were carried forward.

A filled-in row is not an observation. It makes a record longer and quieter: weekends of zeros turn a value at risk that
fails into one that passes. So a fixed rule leaves such rows out, and the rule is printed with the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats

STRETCH: Final = 5
"""The fewest equal returns in a row that count as filled in: two may be chance, five are not."""
WEEKENDS: Final = 0.9
MOST_QUIET: Final = 0.5
BY_CHANCE: Final = 0.001
"""The largest probability of so many quiet rows by chance for them to count as filled in."""
LISTED: Final = 3
WEEKEND_RULE: Final = (
    f"weekend rows that are zero or repeat the row before are left out, where at least {WEEKENDS:.0%} of the weekend "
    f"rows are such and at most {MOST_QUIET:.0%} of the others"
)
HOLIDAY_RULE: Final = (
    f"rows while the market is shut that are zero or repeat the row before are left out, where at least {WEEKENDS:.0%} "
    f"of such rows are so and at most {MOST_QUIET:.0%} of the others"
)
STRETCH_RULE: Final = f"of {STRETCH} or more equal returns in a row, other than zero, all but the first are left out"
ZERO_RULE: Final = f"{STRETCH} or more zeros in a row are left out of VaR, CVaR and their coverage"

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """The filled-in rows, with notes on them and the rule that leaves them out."""

    rows: Mask
    notes: tuple[str, ...]


def filled(dates: Days, returns: Floats) -> Filled:
    """The rows of a record that are left out of every figure: weekends without trading, and filled stretches."""
    weekend = _quiet_weekends(dates, returns)
    stretch = np.zeros(returns.size, dtype=np.bool_)
    rows = np.flatnonzero(~weekend)
    stretches = [] if _is_one_value(returns) else list(_stretches(returns[rows]))
    stretches = [(first, last) for first, last in stretches if returns[rows[first]] != 0]
    for first, last in stretches:
        stretch[rows[first + 1 : last + 1]] = True
    notes = []
    if weekend.any():
        notes.append(f"{int(weekend.sum()):,} weekend rows from {dates[weekend][0]} on ({WEEKEND_RULE})")
    if stretch.any():
        spans = _spans(dates[rows], stretches)
        notes.append(f"{int(stretch.sum()):,} filled rows in {spans} ({STRETCH_RULE})")
    return Filled(weekend | stretch, tuple(notes))


def filled_holidays(dates: Days, returns: Floats, calendar: str, sessions: Days) -> Filled:
    """The rows on weekdays when an exchange is shut, if prices were only carried forward on them."""
    nothing = Filled(np.zeros(returns.size, dtype=np.bool_), ())
    shut = np.is_busday(dates) & ~np.isin(dates, sessions)
    if not shut.any():
        return nothing
    is_quiet = quiet(returns)
    usual = float(is_quiet[~shut].mean()) if not shut.all() else 1.0
    by_chance = usual ** int(is_quiet[shut].sum())
    if is_quiet[shut].mean() < WEEKENDS or usual > MOST_QUIET or by_chance > BY_CHANCE:
        return nothing
    rows: Mask = shut & is_quiet
    listed = ", ".join(str(day) for day in dates[rows][:LISTED])
    rest = f" and {int(rows.sum()) - LISTED:,} more" if rows.sum() > LISTED else ""
    return Filled(rows, (f"{int(rows.sum()):,} rows while {calendar} is shut, {listed}{rest} ({HOLIDAY_RULE})",))


def idle(dates: Days, returns: Floats) -> Filled:
    """The rows in long stretches of zeros, which say nothing about the risk of a position."""
    rows = np.zeros(returns.size, dtype=np.bool_)
    if _is_one_value(returns):
        return Filled(rows, ())
    stretches = [(first, last) for first, last in _stretches(returns) if returns[first] == 0]
    for first, last in stretches:
        rows[first : last + 1] = True
    if not stretches:
        return Filled(rows, ())
    return Filled(rows, (f"{int(rows.sum()):,} rows without any return in {_spans(dates, stretches)} ({ZERO_RULE})",))


def _quiet_weekends(dates: Days, returns: Floats) -> Mask:
    is_weekend = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    is_quiet = quiet(returns)
    if is_weekend.sum() < 2 or is_weekend.all():
        return np.zeros(returns.size, dtype=np.bool_)
    if is_quiet[is_weekend].mean() < WEEKENDS or is_quiet[~is_weekend].mean() > MOST_QUIET:
        return np.zeros(returns.size, dtype=np.bool_)
    rows: Mask = is_weekend & is_quiet
    return rows


def quiet(returns: Floats) -> Mask:
    """Rows that are zero or repeat the row before."""
    repeats = np.concatenate([[False], returns[1:] == returns[:-1]]) if returns.size else np.zeros(0, dtype=np.bool_)
    rows: Mask = (returns == 0) | repeats
    return rows


def _stretches(returns: Floats) -> Iterator[tuple[int, int]]:
    """First and last row of every run of equal values that is long enough."""
    if returns.size < STRETCH:
        return
    begins = np.flatnonzero(np.concatenate([[True], np.diff(returns) != 0]))
    ends = np.concatenate([begins[1:], [returns.size]])
    for first, after in zip(begins.tolist(), ends.tolist(), strict=True):
        if after - first >= STRETCH:
            yield first, after - 1


def _is_one_value(returns: Floats) -> bool:
    return returns.size == 0 or bool((returns == returns[0]).all())


def _spans(dates: Days, stretches: list[tuple[int, int]]) -> str:
    listed = ", ".join(f"{dates[first]} to {dates[last]}" for first, last in stretches[:LISTED])
    rest = len(stretches) - LISTED
    return f"{len(stretches)} stretches: {listed}" + (f" and {rest} more" if rest > 0 else "")
