"""The Sharpe ratio and how far it can be trusted.

The ratio is the mean return over its standard deviation (ddof = 1), annualised by √periods. Its standard error is
Lo's: under independent returns, or with the serial dependence of the sample taken in (HAC).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.long_run import automatic_lags, long_run_covariance
from signoff.stats.returns import simple_returns, unsteady
from signoff.stats.sample import Floats, finite, one_of, positive, unit_scaled, whole
from signoff.stats.shown import Shown

METHODS: Final = frozenset({"iid", "hac"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SharpeStandardError(Shown):
    """A Sharpe ratio and its standard error, per period and annualised (both by √periods)."""

    sharpe: float
    standard_error: float
    annual_sharpe: float
    annual_standard_error: float
    n: int
    method: str
    lags: int
    convention: str


def sharpe_ratio(returns: ArrayLike, *, periods: float = 252) -> float:
    """Annualised Sharpe ratio, mean / standard deviation × √periods.

    Parameters
    ----------
    returns : (T,) simple returns per period, in excess of whatever rate the caller has subtracted.
    periods : periods a year; 1 leaves the ratio per period.

    Returns
    -------
    A plain float: the ratio with ddof = 1.

    Raises
    ------
    InputError
        NaN, infinite or not one-dimensional input, with the row.
    InsufficientData
        Fewer than two returns, or constant ones.
    """
    positive(periods, "periods")
    array = unsteady(simple_returns(returns, at_least=2), "returns")
    return per_period(array) * float(np.sqrt(periods))


def per_period(returns: Floats) -> float:
    """The ratio of validated, varying returns, not annualised."""
    scaled, _ = unit_scaled(returns)
    return float(scaled.mean() / scaled.std(ddof=1))


def influence(returns: Floats) -> Floats:
    """(T,) what each of the validated, varying returns adds to the estimated ratio: z − SR (z² − 1)/2, z standardised.

    It is the delta method over both moments at once, the gradient of μ / √(m₂ − μ²) times their deviations, without
    the difference of two squares in which returns around a large mean lose their digits. Its mean is zero, and its
    long-run variance over T is that of the ratio. Both moments have ddof = 0.
    """
    scaled, _ = unit_scaled(returns)
    centred = scaled - scaled.mean()
    deviation = centred.std()
    standard = centred / deviation
    return np.asarray(standard - scaled.mean() / deviation * (standard**2 - 1) / 2, dtype=np.float64)


def sharpe_standard_error(returns: ArrayLike, *, periods: float = 252, method: str = "iid") -> float:
    """Annualised standard error of `sharpe_ratio`, as a plain float; `sharpe_error` tells the whole story.

    Takes and refuses what `sharpe_error` does: (T,) simple returns, NaN and infinities refused with their row.
    """
    return sharpe_error(returns, periods=periods, method=method).annual_standard_error


def sharpe_error(
    returns: ArrayLike, *, periods: float = 252, method: str = "iid", lags: int | None = None
) -> SharpeStandardError:
    """Standard error of the Sharpe ratio (Lo 2002, "The Statistics of Sharpe Ratios").

    Parameters
    ----------
    returns : (T,) simple returns per period.
    periods : periods a year.
    method : "iid" is Lo's equation 9, √((1 + SR²/2) / T); it takes returns as independent and normal. "hac" is the
        delta method over the first two moments with a Bartlett-weighted long-run covariance (Lo's section on GMM),
        which holds for skewed, fat-tailed and serially dependent returns.
    lags : of the HAC covariance; by default ⌊4 (T/100)^(2/9)⌋ (Newey and West 1994). Ignored by "iid".

    Raises
    ------
    InputError
        NaN, infinite or misshapen input, an unknown method, negative lags.
    InsufficientData
        Fewer than two returns, or constant ones.
    """
    one_of(method, "method", METHODS)
    root = float(np.sqrt(positive(periods, "periods")))
    array = unsteady(simple_returns(returns, at_least=2), "returns")
    sharpe = per_period(array)
    used = 0 if method == "iid" else automatic_lags(array.size) if lags is None else whole(lags, "lags", at_least=0)
    error = lo_standard_error(sharpe, array.size) if method == "iid" else _hac_error(array, used)
    return SharpeStandardError(
        sharpe=sharpe,
        standard_error=error,
        annual_sharpe=sharpe * root,
        annual_standard_error=error * root,
        n=array.size,
        method=method,
        lags=used,
        convention="Lo (2002), independent returns" if method == "iid" else f"delta method, Bartlett HAC, {used} lags",
    )


def lo_standard_error(sharpe: float, n: int) -> float:
    """√((1 + SR²/2) / T), for a ratio per period over T independent periods (Lo 2002, equation 9)."""
    return float(np.sqrt((1 + finite(sharpe, "sharpe") ** 2 / 2) / positive(n, "n")))


def _hac_error(returns: Floats, lags: int) -> float:
    return float(np.sqrt(long_run_covariance(influence(returns)[:, np.newaxis], lags)[0, 0] / returns.size))
