"""How closely two records move together, and how well that is known."""

from dataclasses import dataclass
from math import atanh, inf, sqrt, tanh
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import ndtri
from signoff.stats.sample import Floats, confidence_level, pair, unit_scaled, varying
from signoff.stats.shown import Shown

MIN_PAIRS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PearsonCorrelation(Shown):
    """The correlation between `low` and `high`, its two-sided confidence limits."""

    correlation: float
    low: float
    high: float
    confidence: float
    n: int
    convention: str


def pearson_correlation(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> PearsonCorrelation:
    """Pearson's correlation with Fisher's (1921) interval, tanh(artanh r ± z/√(n − 3)).

    Parameters
    ----------
    a, b : (n,) values of the same periods.
    confidence : of the two-sided interval, above 0 and below 1.

    Notes
    -----
    The interval takes pairs as independent and bivariate normal; returns are close enough to the first, and fat tails
    make it a little too narrow. A perfect correlation has an interval of no width.

    Raises
    ------
    InputError
        NaN, infinite or misaligned input, with the row; a confidence outside (0, 1).
    InsufficientData
        Fewer than four pairs, or a constant side.
    """
    confidence_level(confidence, "confidence")
    first, second = pair(a, b, ("a", "b"), at_least=MIN_PAIRS)
    x, y = _standardised(varying(first, "a")), _standardised(varying(second, "b"))
    r = float(np.clip(np.mean(x * y), -1.0, 1.0))
    centre = atanh(r) if abs(r) < 1 else inf * r
    half = ndtri((1 + confidence) / 2) / sqrt(x.size - 3)
    return PearsonCorrelation(
        correlation=r,
        low=tanh(centre - half),
        high=tanh(centre + half),
        confidence=confidence,
        n=x.size,
        convention=f"Pearson, Fisher's (1921) {100 * confidence:g}% interval",
    )


def _standardised(values: Floats) -> Floats:
    """Mean 0 and standard deviation 1, at every scale that numbers have."""
    scaled, _ = unit_scaled(values)
    centred = scaled - scaled.mean()
    return np.asarray(centred / centred.std(), dtype=np.float64)
