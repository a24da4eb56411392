"""Whether returns are autocorrelated, and its effect on annual figures.

A Sharpe ratio is annualised by √q only if returns are uncorrelated. Otherwise Lo (2002) scales by η(q): 0.79 a year by
√252 is 0.46 if each return carries half of the one before.
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import chdtrc
from signoff.stats.sample import Floats, share, unit_scaled, varying, vector

MIN_OBSERVATIONS: Final = 20
MOST_LAGS: Final = 20
MOST_ORDER: Final = 10
_SWITCH: Final = 2.4
"""Escanciano and Lobato's constant between the two penalties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autocorrelation:
    """The first autocorrelation, and the test that all are zero; `lags` is the number that the test chose."""

    first: float
    statistic: float
    p_value: float
    lags: int
    n: int
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnualScale:
    """The factor from a ratio per period to a year; `relative_error` is the standard error of its logarithm.

    `order` is that of the autoregression in use, 0 for √q. `by_lo` is Lo's scale if the test of autocorrelation
    rejects, used or not.
    """

    value: float
    by_lo: float | None
    relative_error: float
    order: int
    autocorrelation: Autocorrelation | None
    convention: str


def autocorrelation_test(returns: ArrayLike) -> Autocorrelation:
    """Escanciano and Lobato's (2009) automatic portmanteau test, robust to volatility that clusters.

    Parameters
    ----------
    returns : (T,) returns per period, oldest first.

    Notes
    -----
    With ρ̃ⱼ² = γⱼ²/τⱼ and τⱼ the mean of squares of (x_t − x̄)(x_{t−j} − x̄), the statistic is T Σ ρ̃ⱼ² over the first p
    lags, and p maximises it less a penalty: p ln T, or 2p where one √T|ρ̃ⱼ| exceeds √(2.4 ln T). It is χ²₁ without
    autocorrelation. At most 20 lags, and a quarter of the record.

    Raises
    ------
    InputError
        NaN, infinite or misshapen input, with the row.
    InsufficientData
        Fewer than 20 returns, or constant ones.
    """
    array = varying(vector(returns, "returns", at_least=MIN_OBSERVATIONS), "returns")
    scaled, _ = unit_scaled(array)
    centred = scaled - scaled.mean()
    n = centred.size
    most = min(MOST_LAGS, n // 4)
    products = [centred[lag:] * centred[:-lag] for lag in range(1, most + 1)]
    squares = np.array([float(part.sum()) ** 2 / max(float(part @ part), np.finfo(float).tiny) for part in products])
    sizes = np.arange(1, most + 1)
    is_clear = squares.max() > _SWITCH * log(n)
    chosen = int(np.argmax(np.cumsum(squares) - sizes * (2 if is_clear else log(n))))
    statistic = float(squares[: chosen + 1].sum())
    return Autocorrelation(
        first=float(products[0].sum() / (centred @ centred)),
        statistic=statistic,
        p_value=chdtrc(1, statistic),
        lags=chosen + 1,
        n=n,
        convention="Escanciano and Lobato (2009), automatic portmanteau test, robust to clusters of volatility",
    )


def annual_scale(
    returns: ArrayLike, *, periods: float, significance: float = 0.05, material: float = 0.1
) -> AnnualScale:
    """√q, or Lo's (2002) η(q) = q/√(q + 2 Σ (q − k) ρ_k) if autocorrelation matters.

    It matters if the test of autocorrelation rejects and η(q) differs from √q by more than the share `material`: in a
    long record the test rejects for immaterial autocorrelation.

    Parameters
    ----------
    returns : (T,) returns per period, oldest first.
    periods : q, periods a year.
    significance : below which the p-value of `autocorrelation_test` rejects.
    material : the least relative change of the scale, above 0 and below 1.

    Notes
    -----
    The ρ_k up to lag q − 1 are those of an autoregression by Yule and Walker, its order by BIC: 251 sample
    autocorrelations of a daily record would be noise. Fewer than 20 returns are scaled by √q.

    Raises
    ------
    InputError, InsufficientData
        As `autocorrelation_test`, but for short records.
    """
    array = varying(vector(returns, "returns", at_least=2), "returns")
    share(significance, "significance")
    share(material, "material")
    whole_year = max(round(periods), 1)
    tested = autocorrelation_test(array) if array.size >= MIN_OBSERVATIONS and whole_year > 1 else None
    if tested is None or tested.p_value >= significance:
        return _by_square_root(periods, tested, None)
    rho = _sample_autocorrelations(array)
    order = _order(rho, array.size)
    coefficients = _yule_walker(rho, order)
    spread = _coefficient_covariance(rho, coefficients, array.size)
    centre = log(_lo(coefficients, whole_year))
    slope = np.array([(log(_lo(moved, whole_year)) - centre) / _STEP for moved in coefficients + _STEP * np.eye(order)])
    scale = _lo(coefficients, whole_year) * sqrt(periods / whole_year)
    if abs(scale / sqrt(periods) - 1) <= material:
        return _by_square_root(periods, tested, scale)
    return AnnualScale(
        value=scale,
        by_lo=scale,
        relative_error=sqrt(float(slope @ spread @ slope)),
        order=order,
        autocorrelation=tested,
        convention=f"Lo's (2002) η({whole_year}), autocorrelations of an AR({order}) by BIC",
    )


def _by_square_root(periods: float, tested: Autocorrelation | None, by_lo: float | None) -> AnnualScale:
    return AnnualScale(
        value=sqrt(periods),
        by_lo=by_lo,
        relative_error=0.0,
        order=0,
        autocorrelation=tested,
        convention=f"scaled by √{periods:g}",
    )


_STEP: Final = 1e-5


def _sample_autocorrelations(returns: Floats) -> Floats:
    """ρ_0 to ρ_p of the largest order that is tried, divided by T so that they are positive definite."""
    scaled, _ = unit_scaled(returns)
    centred = scaled - scaled.mean()
    most = min(MOST_ORDER, returns.size // 5)
    sums = [centred @ centred, *(centred[lag:] @ centred[:-lag] for lag in range(1, most + 1))]
    return np.asarray(np.asarray(sums) / sums[0], dtype=np.float64)


def _order(rho: Floats, n: int) -> int:
    """The order from 1 on with the least BIC."""
    orders = range(1, rho.size)
    return min(orders, key=lambda p: n * log(_innovation(rho, _yule_walker(rho, p))) + p * log(n))


def _yule_walker(rho: Floats, order: int) -> Floats:
    return np.asarray(np.linalg.solve(_toeplitz(rho, order), rho[1 : order + 1]), dtype=np.float64)


def _toeplitz(rho: Floats, order: int) -> Floats:
    place = np.arange(order)
    return np.asarray(rho[np.abs(place[:, np.newaxis] - place)], dtype=np.float64)


def _innovation(rho: Floats, coefficients: Floats) -> float:
    """The innovation variance as a share, bounded away from zero."""
    return max(1 - float(coefficients @ rho[1 : coefficients.size + 1]), 1e-12)


def _coefficient_covariance(rho: Floats, coefficients: Floats, n: int) -> Floats:
    inverse = np.linalg.inv(_toeplitz(rho, coefficients.size))
    return np.asarray(_innovation(rho, coefficients) * inverse / n, dtype=np.float64)


def _lo(coefficients: Floats, periods: int) -> float:
    """η(q) of an autoregression, by the autocorrelations that it implies."""
    order = coefficients.size
    first = _implied_first(coefficients)
    rho = [*first, *([0.0] * max(periods - 1 - order, 0))]
    for lag in range(order, periods - 1):
        rho[lag] = float(sum(coefficients[back] * rho[lag - 1 - back] for back in range(order)))
    implied = np.asarray(rho[: periods - 1])
    weighted = float(((periods - np.arange(1, periods)) * implied).sum())
    return periods / sqrt(max(periods + 2 * weighted, np.finfo(float).tiny))


def _implied_first(coefficients: Floats) -> list[float]:
    """ρ_1 to ρ_p that solve ρ_k = Σ φ_i ρ_{|k − i|}."""
    order = coefficients.size
    system, right = np.eye(order), coefficients.copy()
    for row in range(order):
        for back in range(order):
            gap = abs(row - back)
            if back != row:
                system[row, gap - 1] -= coefficients[back]
    return [float(value) for value in np.linalg.solve(system, right)]
