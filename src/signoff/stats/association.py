"""The correlation of two records and its uncertainty."""

from dataclasses import dataclass
from math import atanh, inf, sqrt, tanh
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import ndtri
from signoff.stats.long_run import long_run_variance
from signoff.stats.sample import Floats, confidence_level, one_of, pair, unit_scaled, varying
from signoff.stats.shown import Shown

MIN_PAIRS: Final = 4
METHODS: Final = frozenset({"hac", "fisher"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PearsonCorrelation(Shown):
    """The correlation between `low` and `high`, its two-sided confidence limits."""

    correlation: float
    low: float
    high: float
    confidence: float
    n: int
    convention: str


def pearson_correlation(
    a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, method: str = "hac"
) -> PearsonCorrelation:
    """Pearson's correlation with an interval on Fisher's scale, tanh(artanh r ± half width).

    Parameters
    ----------
    a, b : (n,) values of the same periods, oldest first.
    confidence : of the two-sided interval, above 0 and below 1.
    method : "hac" takes the half width from the pairs themselves; "fisher" is Fisher's (1921) z/√(n − 3).

    Notes
    -----
    "hac" is the jackknife of artanh r, its pseudo-values' long-run variance by equal-weighted cosines (Lazarus, Lewis,
    Stock and Watson 2018), and Student's t. Coverage of the 95% interval by simulation, n = 30 to 1000: 93 to 96% for
    normal pairs, t₃ and t₅, a skewness of −2 and AR(1) of .2 and .5.

    "fisher" takes pairs as independent and bivariate normal, and is valid only then: two records that share their
    volatility (bivariate t₃) are covered 72% of the time at n = 60 and 49% at n = 1000, AR(1) of .5 in both 88%.

    A perfect correlation has an interval of no width.

    Raises
    ------
    InputError
        NaN, infinite or misaligned input, with the row; a confidence outside (0, 1); an unknown method.
    InsufficientData
        Fewer than four pairs, or a constant side.
    """
    confidence_level(confidence, "confidence")
    one_of(method, "method", METHODS)
    first, second = pair(a, b, ("a", "b"), at_least=MIN_PAIRS)
    x, y = _standardised(varying(first, "a")), _standardised(varying(second, "b"))
    r = float(np.clip(np.mean(x * y), -1.0, 1.0))
    is_perfect = abs(r) >= 1 - _PERFECT
    centre = inf * r if is_perfect else atanh(r)
    if method == "fisher":
        half = ndtri((1 + confidence) / 2) / sqrt(x.size - 3)
        interval = f"Fisher's (1921) {100 * confidence:g}% interval, of independent and bivariate normal pairs"
    else:
        variance = None if is_perfect else long_run_variance(_pseudo_values(x, y))
        half = 0.0 if variance is None else variance.half_width(confidence)
        interval = f"{100 * confidence:g}% interval by the jackknife on Fisher's scale" + (
            "" if variance is None else f", {variance.words}"
        )
    return PearsonCorrelation(
        correlation=r,
        low=tanh(centre - half),
        high=tanh(centre + half),
        confidence=confidence,
        n=x.size,
        convention=f"Pearson, {interval}",
    )


_PERFECT: Final = 1e-14


def _pseudo_values(x: Floats, y: Floats) -> Floats:
    """(n,) n artanh r less n − 1 times the same without pair i, x and y standardised."""
    n = x.size
    left = n - 1
    without_x, without_y = -x, -y  # the sums without a pair, for both sum to zero
    covariance = n * np.mean(x * y) - x * y - without_x * without_y / left
    spread_x, spread_y = n - x**2 - without_x**2 / left, n - y**2 - without_y**2 / left
    with np.errstate(divide="ignore", invalid="ignore"):
        others = covariance / np.sqrt(spread_x * spread_y)
    others = np.clip(np.nan_to_num(others), -1 + _PERFECT, 1 - _PERFECT)
    return np.asarray(n * np.arctanh(np.mean(x * y)) - left * np.arctanh(others), dtype=np.float64)


def _standardised(values: Floats) -> Floats:
    """Mean 0 and standard deviation 1, for numbers of any scale."""
    scaled, _ = unit_scaled(values)
    centred = scaled - scaled.mean()
    return np.asarray(centred / centred.std(), dtype=np.float64)
