"""Trials that dilute a family: crowds of one Sharpe ratio, and trials that would clearly never be chosen.

Deflation uses the spread of the trials' Sharpe ratios, and overfitting their ranks. A crowd of unrelated trials of
about one ratio makes the spread small. Many poor trials put every other above the median. Both are found whatever their
share of the family.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.stats.sample import Floats

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

FEWEST: Final = 10
"""The fewest trials in which to look for a crowd."""
FEWEST_IN_CROWD: Final = 5
WIDTHS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0)
"""The widths of a crowd in standard errors of a Sharpe ratio; beyond, its members differ by more than chance."""
LEVEL: Final = 0.01
"""An upper bound of the share of honest families in which a crowd is found; Chernoff's bound keeps it far below."""
MOST_CROWDS: Final = 8
RELATED: Final = 0.1
POOR: Final = 1 / 3
"""A trial with at most this share of the best one's Sharpe ratio may be poor."""
CLEARLY: Final = 2.0
"""The number of standard errors by which a poor trial is worse: estimation error explains 2 in 100."""


def crowd(sharpes: Floats, error: float, correlation: Callable[[Places], float]) -> Flags:
    """The trials to leave out so that each crowd of one Sharpe ratio counts as one trial.

    Estimated Sharpe ratios spread by at least their standard error. A crowd is more of them in a narrow window than a
    normal distribution as wide as the family allows. Related trials agree for a better reason, so their window is
    compared with the spread that their correlation leaves them. The middle member stays.

    Parameters
    ----------
    sharpes : (N,) per period.
    error : the standard error of one of them.
    correlation : the mean correlation of two of the trials at these places.
    """
    out = np.zeros(sharpes.size, np.bool_)
    if error <= 0:
        return out
    order = np.argsort(sharpes, kind="stable")
    for _ in range(MOST_CROWDS):
        left = order[~out[order]]
        if left.size < FEWEST:
            break
        window = _densest(sharpes[left], error, lambda places, left=left: correlation(left[places]))  # type: ignore[misc]
        if window is None:
            break
        members = left[window]
        out[members] = True
        out[members[members.size // 2]] = False
    return out


def _densest(ordered: Floats, error: float, correlation: Callable[[Places], float]) -> Places | None:
    """The places of the least likely window; None if chance explains all."""
    n = ordered.size
    needed = np.log(n * len(WIDTHS) / LEVEL)
    together = correlation(np.arange(n))
    alone = error * np.sqrt(max(1 - together, 1e-6))
    deviation = max(float(ordered.std(ddof=1)), alone)
    best, window = needed, None
    for width in WIDTHS:
        ends = np.searchsorted(ordered, ordered + width * alone, side="right")
        counts = ends - np.arange(n)
        middle = ordered + width * alone / 2
        chance = _within(ordered, middle, ordered.mean(), deviation)
        weight = np.where(counts >= FEWEST_IN_CROWD, n * _divergence(counts / n, chance), 0.0)
        first = int(np.argmax(weight))
        if weight[first] <= best:
            continue
        places = np.arange(first, ends[first])
        own = correlation(places)
        if own > together + RELATED:
            spread = error * np.sqrt(max(1 - own, 1e-6))
            related = _within(np.zeros(1), np.full(1, width * alone / 2), width * alone / 2, spread)
            if n * _divergence(counts[first : first + 1] / n, np.maximum(related, chance[first]))[0] <= needed:
                continue
        best, window = float(weight[first]), places
    return window


def _within(low: Floats, middle: Floats, mean: float, deviation: float) -> Floats:
    """The probability of a normal variable in the window from `low` that is symmetric about `middle`."""
    from scipy.special import ndtr  # noqa: PLC0415 - half a second that no kill and no flag waits for

    high = 2 * middle - low
    return np.asarray(ndtr((high - mean) / deviation) - ndtr((low - mean) / deviation), dtype=np.float64)


def _divergence(share: Floats, chance: Floats) -> Floats:
    """Kullback-Leibler divergence of two coins if the share is the larger; n times it bounds −log P(share or more)."""
    from scipy.special import xlogy  # noqa: PLC0415 - as above

    chance = np.clip(chance, 1e-12, 1 - 1e-12)
    bound = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
    return np.where(share > chance, bound, 0.0)


def poor(sharpes: Floats, error: float) -> Flags:
    """The trials that are clearly worse than the better ones, however many they are.

    The better ones have more than a third of the best one's Sharpe ratio. A poor trial has less than that, and is below
    the median of the better ones by more than two standard errors: estimation error explains it in 2 of 100.
    """
    best = float(sharpes.max())
    if not best > 0:
        return np.zeros(sharpes.size, np.bool_)
    is_low = sharpes <= POOR * best
    return np.asarray(is_low & (sharpes < np.median(sharpes[~is_low]) - CLEARLY * error), dtype=np.bool_)
