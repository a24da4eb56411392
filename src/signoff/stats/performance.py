"""The main figures of a record: return, Sharpe ratio, drawdown, hit rate, and their curves.

They describe a record and judge nothing. Each takes (T,) simple returns per period as fractions, oldest
first, and gives a plain float (the curves give arrays); NaN and infinities raise `InputError` with the row, too little
data `InsufficientData`. Without `periods`, the dates of a pandas index say how many rows a
year has, and without dates it is 252.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.returns import compoundable, simple_returns, unsteady
from signoff.stats.rows import rows_a_year
from signoff.stats.sample import (
    Floats,
    constant_columns,
    difference,
    pair,
    unit_scaled,
    whole,
)
from signoff.stats.sharpe import annual_sharpe, per_period, sharpe_error, sharpe_ratio, sharpe_standard_error

__all__ = [
    "annual_sharpe",
    "annualized_return",
    "drawdowns",
    "equity_curve",
    "hit_rate",
    "information_ratio",
    "max_drawdown",
    "rolling_sharpe",
    "sharpe_error",
    "sharpe_ratio",
    "sharpe_standard_error",
    "total_return",
    "win_loss_ratio",
]

_LARGEST_LOG: Final = 700.0
_WINDOWS_AT_ONCE: Final = 4096


def total_return(returns: ArrayLike) -> float:
    """Compounded return over the whole (T,) record as a fraction, Π(1 + r) − 1.

    Refuses an empty record, NaN, infinities and returns below −1, with their row.
    """
    return float(np.expm1(_log_growth(compoundable(simple_returns(returns)))))


def annualized_return(returns: ArrayLike, *, periods: float | None = None) -> float:
    """Geometric annual return of (T,) returns, Π(1 + r)^(periods/T) − 1, a fraction (0.05 is five percent).

    A return of −1 anywhere gives −1. Returns below −1, NaN and infinities are refused with their row.
    """
    array = compoundable(simple_returns(returns))
    log_growth = _log_growth(array) * rows_a_year(periods, returns) / array.size
    if log_growth > _LARGEST_LOG:
        raise InputError(f"returns: {array.size} of them compound beyond any number a year; are these percentages?")
    return float(np.expm1(log_growth))


def max_drawdown(returns: ArrayLike) -> float:
    """The deepest fall from a peak as a negative fraction, 0 where nothing fell; the starting capital is a peak too.

    min over t of W_t / max(1, max_{s ≤ t} W_s) − 1, W the equity curve of (T,) returns. Refuses what `total_return`
    does.
    """
    return float(drawdowns(returns).min())


def hit_rate(returns: ArrayLike) -> float:
    """Share of the nonzero (T,) returns that are above zero; zero returns are left out.

    Refuses NaN and infinities with their row, and as insufficient a record without a nonzero return.
    """
    array = simple_returns(returns)
    active = int(np.count_nonzero(array))
    if active == 0:
        raise InsufficientData(f"returns: all {array.size} are zero; there is nothing to hit or miss.")
    return int((array > 0).sum()) / active


def win_loss_ratio(returns: ArrayLike) -> float:
    """Mean gain over the mean loss's size, of (T,) returns; zeros are neither.

    A record without a gain or without a loss is refused as insufficient; NaN and infinities are refused with their row.
    """
    array, _ = unit_scaled(simple_returns(returns))
    gains, losses = array[array > 0], array[array < 0]
    if gains.size == 0 or losses.size == 0:
        raise InsufficientData(f"returns: {gains.size} gains and {losses.size} losses; one of each is needed.")
    return float(gains.mean() / -losses.mean())


def information_ratio(returns: ArrayLike, benchmark: ArrayLike, *, periods: float | None = None) -> float:
    """Annualised mean of the active return over its standard deviation (ddof = 1).

    `returns` and `benchmark` are (T,) simple returns of the same periods. NaN and infinities are refused with their
    row; a record that tracks its benchmark exactly has no ratio, and is refused as insufficient.
    """
    own, other = simple_returns(returns), simple_returns(benchmark, "benchmark")
    pair(returns, benchmark, ("returns", "benchmark"), at_least=2)
    active = difference(own, other, "active returns")
    return per_period(unsteady(active, "active returns")) * float(np.sqrt(rows_a_year(periods, returns, benchmark)))


def equity_curve(returns: ArrayLike) -> Floats:
    """(T,) worth of 1 invested before the first period, at the end of each period. Refuses what `total_return` does."""
    with np.errstate(over="ignore", invalid="ignore"):
        curve = np.asarray(np.cumprod(1 + compoundable(simple_returns(returns))), dtype=np.float64)
    if not np.isfinite(curve[-1]):
        raise InputError(f"returns: {curve.size} of them compound beyond any number; are these percentages?")
    return curve


def drawdowns(returns: ArrayLike) -> Floats:
    """(T,) distance below the highest worth so far, as fractions from −1 to 0. Refuses what `total_return` does."""
    curve = equity_curve(returns)
    return np.asarray(curve / np.maximum(np.maximum.accumulate(curve), 1.0) - 1, dtype=np.float64)


def rolling_sharpe(returns: ArrayLike, window: int, *, periods: float | None = None) -> Floats:
    """(T − window + 1,) annualised Sharpe ratio of each trailing window, oldest first.

    NaN marks a window whose returns are all equal: a curve may have gaps, a decision may not rest on one. NaN and
    infinities among the (T,) returns are refused with their row.
    """
    window = whole(window, "window", at_least=2)
    array = simple_returns(returns, at_least=window)
    root = float(np.sqrt(rows_a_year(periods, returns)))
    windows = np.lib.stride_tricks.sliding_window_view(array, window)
    sharpes = np.full(windows.shape[0], np.nan)
    for first in range(0, sharpes.size, _WINDOWS_AT_ONCE):
        part = windows[first : first + _WINDOWS_AT_ONCE]
        varies = np.ones(part.shape[0], dtype=np.bool_)
        varies[constant_columns(part.T)] = False
        own = part[varies]
        own = np.ldexp(own, -np.frexp(np.abs(own).max(axis=1))[1][:, np.newaxis])  # by exact powers of two
        sharpes[first : first + varies.size][varies] = root * own.mean(axis=1) / own.std(axis=1, ddof=1)
    return sharpes


def _log_growth(returns: Floats) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log1p(returns).sum())
