"""The volatility of one period against another, and its uncertainty."""

from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import ndtri
from signoff.stats.sample import Floats, confidence_level, unit_scaled, varying, vector, whole
from signoff.stats.shown import Shown

MIN_OBSERVATIONS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VolatilityRatio(Shown):
    """The standard deviation of the current sample over that of the reference, with its confidence limits."""

    value: float
    low: float
    high: float
    confidence: float
    p_value: float
    kurtosis: float
    n_reference: int
    n_current: int
    convention: str


def volatility_ratio(
    reference: ArrayLike, current: ArrayLike, *, confidence: float = 0.99, minimum: int = MIN_OBSERVATIONS
) -> VolatilityRatio:
    """s₂/s₁ with Bonett's (2006) standard error, which allows for fat tails.

    Parameters
    ----------
    reference, current : (n,) and (m,) values, in any order.
    confidence : of the two-sided interval, above 0 and below 1.
    minimum : observations that either sample must have.

    Notes
    -----
    ln(s₂²/s₁²) is asymptotically normal with variance (κ − k₁)/(n − 1) + (κ − k₂)/(m − 1), where kᵢ = (nᵢ − 3)/nᵢ and κ
    is the pooled kurtosis (n + m) ΣΣ(x − x̃ᵢ)⁴ / (ΣΣ(x − x̄ᵢ)²)², taken about trimmed means x̃ᵢ with the trimming
    proportion 1/(2 √(nᵢ − 4)). The p-value is two-sided, of equal variances. Values are taken as independent: clusters
    of volatility make the interval too narrow.

    Raises
    ------
    InputError
        NaN or infinite input, with the row; a confidence outside (0, 1).
    InsufficientData
        Fewer observations than `minimum`, or a constant sample.
    """
    confidence_level(confidence, "confidence")
    least = whole(minimum, "minimum", at_least=6)
    before, after = (
        varying(vector(values, name, at_least=least), name)
        for values, name in ((reference, "reference"), (current, "current"))
    )
    together, _ = unit_scaled(np.concatenate([before, after]))
    first, second = together[: before.size], together[before.size :]
    kurtosis = _pooled_kurtosis(first, second)
    error = sqrt(sum((kurtosis - (x.size - 3) / x.size) / (x.size - 1) for x in (first, second))) / 2
    centre = log(float(second.std(ddof=1)) / float(first.std(ddof=1)))
    half = ndtri((1 + confidence) / 2) * error
    return VolatilityRatio(
        value=exp(centre),
        low=exp(centre - half),
        high=exp(centre + half),
        confidence=confidence,
        p_value=erfc(abs(centre) / error / sqrt(2)),
        kurtosis=kurtosis,
        n_reference=before.size,
        n_current=after.size,
        convention=f"ratio of standard deviations, Bonett's (2006) {100 * confidence:g}% interval",
    )


def _pooled_kurtosis(first: Floats, second: Floats) -> float:
    """About trimmed means, which are robust to skewness in the fourth power."""
    fourth = sum(float(np.sum((x - _trimmed_mean(x)) ** 4)) for x in (first, second))
    squares = sum(float(np.sum((x - x.mean()) ** 2)) for x in (first, second))
    return (first.size + second.size) * fourth / squares**2


def _trimmed_mean(values: Floats) -> float:
    cut = int(values.size / (2 * sqrt(values.size - 4)))
    return float(np.sort(values)[cut : values.size - cut].mean())
