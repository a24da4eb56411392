"""Coverage of value at risk: whether exceptions are as frequent and as independent as the level says.

Likelihood-ratio tests with 0·ln 0 = 0. A small p-value rejects the forecasts. A large one proves little in a short
sample, so samples with less than one expected exception are refused.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import chdtrc, xlogy
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import floats, row_name
from signoff.stats.sample import Flags, confidence_level, whole
from signoff.stats.shown import Shown

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LikelihoodRatio(Shown):
    """A likelihood-ratio statistic with its upper-tail p-value under χ² with `degrees` degrees of freedom.

    `n` is the sample size: periods, or for independence the transitions between them, one less.
    """

    statistic: float
    p_value: float
    degrees: int
    n: int
    exceptions: int
    level: float
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Christoffersen(Shown):
    """Tests of the number of exceptions, of their independence, and of both together."""

    unconditional: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio
    transitions: tuple[tuple[int, int], tuple[int, int]]
    """Counts of transitions between quiet (0) and exceptional (1) periods."""


def kupiec(exceptions: int, n: int, *, level: float = 0.95) -> LikelihoodRatio:
    """Unconditional coverage, LRuc ~ χ²₁ (Kupiec 1995, proportion of failures).

    2 ln [x̂^x (1 − x̂)^(n − x)] − 2 ln [p^x (1 − p)^(n − x)] for x exceptions of n, x̂ = x/n and p = 1 − level. Too few
    exceptions are rejected as well as too many.

    Parameters
    ----------
    exceptions : x, periods whose return fell below the forecast.
    n : periods forecast.
    level : of the value at risk; 1 − level is the share of exceptions expected.

    Raises
    ------
    InputError
        Counts that are negative, not whole or disagree, a level outside 0 to 1.
    InsufficientData
        Not one exception expected, n (1 − level) < 1.
    """
    expected = 1 - confidence_level(level, "level")
    exceptions, n = whole(exceptions, "exceptions", at_least=0), whole(n, "n", at_least=0)
    if exceptions > n:
        raise InputError(f"exceptions: expected 0 to n = {n}, found {exceptions}; count both over the same periods.")
    if n * expected < 1 - _ROUNDING:
        raise InsufficientData(f"n: {n} forecasts at {level:g} expect {n * expected:.2f} exceptions; one is needed.")
    observed = exceptions / n
    statistic = 2 * (_log_likelihood(exceptions, n, observed) - _log_likelihood(exceptions, n, expected))
    return _result(statistic, 1, n, exceptions, level, "Kupiec (1995) LRuc")


def christoffersen(hits: ArrayLike, *, level: float = 0.95) -> Christoffersen:
    """Coverage with independence, LRind ~ χ²₁ and LRcc = LRuc + LRind ~ χ²₂ (Christoffersen 1998).

    LRind = 2 ln [(1 − π₀)^n₀₀ π₀^n₀₁ (1 − π₁)^n₁₀ π₁^n₁₁] − 2 ln [(1 − π)^(n₀₀ + n₁₀) π^(n₀₁ + n₁₁)], with n_ij the
    transitions from i to j, π_i = n_i1/(n_i0 + n_i1) and π the share of all transitions that end in an exception.

    Parameters
    ----------
    hits : (n,) booleans, or zeros and ones, in time order: whether each forecast was exceeded.
    level : of the value at risk.

    Notes
    -----
    LRuc counts all n periods, LRind the n − 1 transitions. Without any exception there is nothing to cluster, and LRind
    is 0 by 0·ln 0 = 0; only LRuc counts then.

    Raises
    ------
    InputError
        Anything but zeros and ones, NaN included, with the row.
    InsufficientData
        As `kupiec`, or fewer than two periods.
    """
    flags = _flags(hits)
    n, exceptions = flags.size, int(flags.sum())
    unconditional = kupiec(exceptions, n, level=level)
    before, after = flags[:-1], flags[1:]
    quiet, sudden = int((~before & ~after).sum()), int((~before & after).sum())
    over, again = int((before & ~after).sum()), int((before & after).sum())
    pooled = _log_likelihood(sudden + again, n - 1, (sudden + again) / (n - 1))
    parted = sum(
        _log_likelihood(hit, size, hit / size)
        for hit, size in ((sudden, quiet + sudden), (again, over + again))
        if size
    )
    independence = 2 * (parted - pooled)
    return Christoffersen(
        unconditional=unconditional,
        independence=_result(
            independence, 1, n - 1, exceptions, level, "Christoffersen (1998) LRind, first-order Markov"
        ),
        conditional=_result(
            unconditional.statistic + independence, 2, n, exceptions, level, "Christoffersen (1998) LRcc = LRuc + LRind"
        ),
        transitions=((quiet, sudden), (over, again)),
    )


def _flags(hits: ArrayLike) -> Flags:
    array = floats(hits, "hits", flags=True)
    if array.ndim != 1:
        raise InputError(f"hits: expected one dimension, found shape {array.shape}.")
    if array.size < 2:
        raise InsufficientData(f"hits: {array.size} periods; independence takes at least 2.")
    if not (is_flag := (array == 0) | (array == 1)).all():
        row = int(np.argmin(is_flag))
        raise InputError(f"hits: {row_name(hits, row)} is {array[row]:g}; expected true or false, 1 or 0.")
    return np.asarray(array == 1, dtype=np.bool_)


def _log_likelihood(hits: int, n: int, probability: float) -> float:
    return xlogy(hits, probability) + xlogy(n - hits, 1 - probability)


def _result(statistic: float, degrees: int, n: int, exceptions: int, level: float, convention: str) -> LikelihoodRatio:
    statistic = max(statistic, 0.0)
    return LikelihoodRatio(
        statistic=statistic,
        p_value=chdtrc(degrees, statistic),
        degrees=degrees,
        n=n,
        exceptions=exceptions,
        level=level,
        convention=f"{convention} ~ χ² with {degrees} degrees of freedom, 0·ln 0 = 0",
    )
