"""Walk-forward consistency: the share of out-of-sample windows that made money.

It takes windows that are out of sample, purged and embargoed, and cannot check that they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.returns import RUIN, is_steady, simple_returns
from signoff.stats.rows import rows_a_year
from signoff.stats.sample import Floats, finite, whole
from signoff.stats.sharpe import per_period
from signoff.stats.shown import Shown

MIN_WINDOWS: Final = 1
_SPANS_AT_ONCE: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FirstWindows(Shown):
    """The consistency for every possible first session, that of the file first.

    `lowest` and `highest` are its range; `at_least` counts the beginnings that reach a threshold.
    """

    shares: Floats
    n: int
    window: int
    convention: str

    @property
    def lowest(self) -> float:
        return float(self.shares.min())

    @property
    def highest(self) -> float:
        return float(self.shares.max())

    def at_least(self, threshold: float) -> int:
        return int((self.shares >= threshold).sum())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WalkForwardConsistency(Shown):
    """The share of windows that gained. `mean_sharpe` is annualised, over the windows that have a Sharpe ratio.

    `constant` windows have none, because their returns do not vary; they still count in `n`.
    """

    consistency: float
    mean_sharpe: float
    n: int
    positive: int
    zero: int
    constant: int
    window_returns: Floats
    convention: str


def walk_forward_consistency(
    window_returns: Iterable[ArrayLike], *, periods: float | None = None, rate: float = 0.0
) -> WalkForwardConsistency:
    """The share of windows whose compounded return Π(1 + r) − 1 is above zero, and their mean Sharpe ratio.

    Parameters
    ----------
    window_returns : (windows, sessions) simple returns, or a sequence of one-dimensional windows of any lengths;
        not one total per window, from which no Sharpe ratio could be had.
    periods : sessions a year, for the Sharpe ratio; by default what the dates of the longest window say, and 252
        without dates.
    rate : the risk-free return of a session, subtracted for the Sharpe ratio alone.

    Notes
    -----
    A window that ends where it began, within rounding, is not positive.

    Raises
    ------
    InputError
        NaN, infinite or misshapen windows, with window and row.
    InsufficientData
        No window, or not one whose returns vary. A gate asks for ten windows.
    """
    listed = list(window_returns)
    checked = [simple_returns(window, f"window {place}") for place, window in enumerate(listed)]
    longest = sorted(listed, key=np.size, reverse=True)  # with the most dates
    root = float(np.sqrt(rows_a_year(periods, *longest)))
    if len(checked) < MIN_WINDOWS:
        raise InsufficientData(f"windows: {len(checked)} complete out-of-sample windows; {MIN_WINDOWS} is needed.")
    _refuse_after_ruin(checked)
    totals = np.array([_compounded(window) for window in checked])
    if not np.isfinite(totals).all():
        place = int(np.argmin(np.isfinite(totals)))
        raise InputError(f"window {place}: its returns compound beyond any number; are these percentages?")
    free = finite(rate, "rate")
    sharpes = [per_period(window - free if free else window) * root for window in checked if not is_steady(window)]
    if not sharpes:
        raise InsufficientData(f"windows: in none of the {len(checked)} do the returns vary.")
    gained = int((totals > 0).sum())
    return WalkForwardConsistency(
        consistency=gained / len(checked),
        mean_sharpe=float(np.mean(sharpes)),
        n=len(checked),
        positive=gained,
        zero=int((totals == 0).sum()),
        constant=len(checked) - len(sharpes),
        window_returns=totals,
        convention="compounded return above zero; a zero window is not positive; mean of the windows' annualised "
        "Sharpe ratios (ddof = 1), constant windows left out",
    )


def windows(dates_count: int, window: int) -> tuple[slice, ...]:
    """Contiguous windows of `window` rows from the first of `dates_count` on, without overlap, as slices.

    The last partial one is dropped. Refuses numbers that are not whole, and windows without a row.
    """
    whole(dates_count, "dates_count", at_least=0)
    whole(window, "window", at_least=1)
    return tuple(slice(start, start + window) for start in range(0, dates_count - window + 1, window))


def _refuse_after_ruin(series: list[Floats]) -> None:
    """Refuse windows after a loss of 100%, which ends the record."""
    for place, window in enumerate(series[:-1]):
        if window.size and window[-1] == RUIN:
            raise InputError(
                f"window {place}: its last return is −1; a loss of 100% ends the record, and {len(series) - place - 1} "
                "windows follow it. End the record there, or correct the return."
            )


def first_windows(returns: ArrayLike, window: int) -> FirstWindows:
    """The consistency of contiguous windows for each session that the first may begin on.

    Parameters
    ----------
    returns : (T,) simple returns per session, oldest first.
    window : sessions of a window; the beginnings are the first to the `window`-th session.

    Raises
    ------
    InputError
        NaN, infinite or misshapen input, with the row; a window that is not a whole number of at least 1.
    InsufficientData
        No complete window is left after the last beginning.
    """
    whole(window, "window", at_least=1)
    array = simple_returns(returns, at_least=2 * window - 1)
    growth = np.empty(array.size - window + 1)
    spans = np.lib.stride_tricks.sliding_window_view(1 + array, window)
    with np.errstate(over="ignore"):
        for first in range(0, growth.size, _SPANS_AT_ONCE):
            growth[first : first + _SPANS_AT_ONCE] = np.prod(spans[first : first + _SPANS_AT_ONCE], axis=1)
    is_positive = growth - 1 > window * np.finfo(np.float64).eps
    return FirstWindows(
        shares=np.array([is_positive[first::window].mean() for first in range(window)]),
        n=array.size,
        window=window,
        convention=f"share of contiguous windows of {window} sessions whose compounded return is above zero, for each "
        f"of the {window} sessions that the first may begin on; the last partial window is dropped",
    )


def _compounded(returns: Floats) -> float:
    with np.errstate(over="ignore"):
        growth = float(np.prod(1 + returns)) - 1
    return 0.0 if abs(growth) <= returns.size * np.finfo(np.float64).eps else growth
