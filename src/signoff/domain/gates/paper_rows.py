"""Rows of a paper log: orders, priced orders, and each order's cost against its decision price."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats, PaperLog

_SIDES: Final = {"buy": 1.0, "sell": -1.0}

Mask = NDArray[np.bool_]


def slippage_bps(log: PaperLog, rows: Mask) -> Floats:
    """Signed by side: positive if the fill was worse than the decision price."""
    decision = log.decision_price[rows]
    cost: Floats = signs(log)[rows] * (log.fill_price[rows] - decision) / decision * 1e4
    return cost


def days(log: PaperLog) -> Days:
    return log.timestamps.astype("datetime64[D]")


def is_order(log: PaperLog) -> Mask:
    return np.abs(log.quantity) > 0


def is_priced(log: PaperLog) -> Mask:
    with np.errstate(invalid="ignore"):
        positive = (log.decision_price > 0) & (log.fill_price > 0)
    finite = np.isfinite(log.decision_price) & np.isfinite(log.fill_price) & np.isfinite(log.quantity)
    priced: Mask = is_order(log) & positive & finite & (signs(log) != 0)
    return priced


def signs(log: PaperLog) -> Floats:
    return np.array([_SIDES.get(side.strip().lower()) or 0.0 for side in log.side.tolist()])


def run_lengths(values: Floats) -> NDArray[np.int64]:
    if values.size == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths: NDArray[np.int64] = np.diff(np.append(starts, values.size))
    return lengths


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
