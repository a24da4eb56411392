"""Compares two tables of returns of different frequencies at the coarser one.

Rows of the finer table are compounded over the week, month or quarter of a row of the coarser one. A period that the
finer table covers in part is left out.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats, Returns
from signoff.domain.frequency import Frequency
from signoff.domain.sampling import row_spans

EDGE: Final = np.timedelta64(3, "D")
"""Days that may lie between the edge of a period and its first row: a weekend and a holiday."""
ORDER: Final = tuple(Frequency)


def comparable(one: Returns, other: Returns) -> tuple[Returns, Returns]:
    """Both tables at the coarser of their frequencies; unchanged if they have the same."""
    first, second = (ORDER.index(each.time.frequency) for each in (one, other))
    if first == second or not one.dates.size or not other.dates.size:
        return one, other
    return (coarsened(one, other), other) if first < second else (one, coarsened(other, one))


def compared_by(one: Returns, other: Returns) -> str:
    """The frequency at which two tables are compared, in words; "" if they have the same."""
    if one.time.frequency is other.time.frequency:
        return ""
    coarser = max(one, other, key=lambda each: ORDER.index(each.time.frequency)).time
    return (
        f"compared by {coarser.unit}, since {one.source.name} has {one.time.frequency.value} rows and "
        f"{other.source.name} {other.time.frequency.value} ones"
    )


def coarsened(fine: Returns, like: Returns) -> Returns:
    """A table at the frequency of another: its whole periods, with the other's dates where they match."""
    first, last = row_spans(fine.dates, like.time.frequency, like.dates)
    begins = np.flatnonzero(np.concatenate(([True], np.diff(first.astype(np.int64)) != 0)))
    keep = np.ones(begins.size, dtype=np.bool_)
    keep[0] &= bool(fine.dates[0] - first[0] <= EDGE)
    keep[-1] &= bool(last[-1] - fine.dates[-1] <= EDGE)
    dates = _dated(last[begins], like)

    def summed(values: Floats | None) -> Floats | None:
        return None if values is None else np.add.reduceat(values, begins)[keep]

    return replace(
        fine,
        dates=dates[keep],
        returns=_compounded(fine.returns, begins)[keep],
        benchmark=None if fine.benchmark is None else _compounded(fine.benchmark, begins)[keep],
        turnover=summed(fine.turnover),
        cost=summed(fine.cost),
        sampling=like.time,
        bars=None,
    )


def _compounded(returns: Floats, begins: NDArray[np.intp]) -> Floats:
    growth: Floats = np.multiply.reduceat(1 + returns, begins) - 1
    return growth


def _dated(ends: Days, like: Returns) -> Days:
    _, last_days = row_spans(like.dates, like.time.frequency, like.dates)
    at = np.minimum(np.searchsorted(last_days, ends), last_days.size - 1)
    dates: Days = np.where(last_days[at] == ends, like.dates[at], ends)
    return dates
