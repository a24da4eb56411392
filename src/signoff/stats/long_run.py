"""The long-run covariance of dependent observations, and the uncertainty of their mean.

There are two estimates. Bartlett weights over a chosen number of lags (Newey and West 1987) are positive semidefinite
by construction; there is no pre-whitening. Equal-weighted cosines (Müller 2004; Lazarus, Lewis, Stock and Watson 2018)
are the default of every printed interval: a handful of cosine averages is nearly independent whatever the dependence,
so a Student distribution with as many degrees of freedom keeps its level where Newey and West's normal one does not.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from signoff.stats._special import stdtr, stdtrit
from signoff.stats.errors import InputError
from signoff.stats.sample import Floats

MIN_DEGREES: Final = 2
_SESSIONS_PER_DEGREE: Final = 4
"""A cosine average must be longer than the overlap of observations, which would otherwise look independent."""


def automatic_lags(n: int) -> int:
    """⌊4 (n/100)^(2/9)⌋, the plug-in of Newey and West (1994), below n."""
    return min(int(4 * (n / 100) ** (2 / 9)), n - 1)


def long_run_covariance(centred: Floats, lags: int) -> Floats:
    """Γ₀ + Σ (1 − i/(L+1)) (Γᵢ + Γᵢ′) of T×K columns that have mean zero; Γᵢ = Σ x_t x′_{t−i} / T."""
    n = centred.shape[0]
    if not 0 <= lags < n:
        raise InputError(f"lags: expected 0 to {n - 1} for {n} observations, found {lags}.")
    total: Floats = centred.T @ centred / n
    for lag in range(1, lags + 1):
        covariance = centred[lag:].T @ centred[:-lag] / n
        total = total + (1 - lag / (lags + 1)) * (covariance + covariance.T)
    return np.asarray(total, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRunVariance:
    """An estimate with the degrees of freedom of its Student distribution."""

    variance: float
    n: int
    degrees: int

    @property
    def standard_error(self) -> float:
        """Of the mean of the n observations."""
        return sqrt(self.variance / self.n)

    def half_width(self, confidence: float = 0.95) -> float:
        """Of the two-sided interval of the mean."""
        return stdtrit(self.degrees, (1 + confidence) / 2) * self.standard_error

    def upper_tail(self, mean: float) -> float:
        """The one-sided p-value of a mean that is not above zero."""
        if self.variance == 0:
            return 0.0 if mean > 0 else 1.0
        return stdtr(self.degrees, -mean / self.standard_error)

    @property
    def words(self) -> str:
        return f"HAC by {self.degrees} equal-weighted cosines (Lazarus et al. 2018), Student's t"


def automatic_degrees(n: int, horizon: int = 1) -> int:
    """⌊0.4 n^(2/3)⌋ (Lazarus et al. 2018), fewer where each observation overlaps `horizon` others, at least 2."""
    return max(MIN_DEGREES, min(int(0.4 * n ** (2 / 3)), int(n / (_SESSIONS_PER_DEGREE * horizon))))


def long_run_variance(values: Floats, *, horizon: int = 1, degrees: int | None = None) -> LongRunVariance:
    """By equal-weighted cosines: the mean of (√(2/n) Σ x_t cos(πj(t − ½)/n))² over j = 1 to `degrees`.

    Parameters
    ----------
    values : (n,) observations, oldest first; cosines are blind to their mean. At least four.
    horizon : periods that one observation covers; 5 where five-session returns are observed every session.
    degrees : of freedom; by default `automatic_degrees`.
    """
    n = values.size
    if n < 2 * MIN_DEGREES:
        raise InputError(f"values: {n} observations; at least {2 * MIN_DEGREES} are needed for a long-run variance.")
    used = automatic_degrees(n, horizon) if degrees is None else degrees
    order = np.arange(1, used + 1)
    turned = np.fft.rfft(values - values.mean(), 2 * n)[1 : used + 1] * np.exp(-0.5j * np.pi * order / n)
    return LongRunVariance(variance=float(2 / n * np.mean(turned.real**2)), n=n, degrees=used)
