"""Downside Sensitivity Ratio: whether losses are larger than gains.

The deflated Sharpe ratio has the same letters and is in `deflated`.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.errors import InsufficientData
from signoff.stats.returns import simple_returns
from signoff.stats.sample import Floats, difference, finite
from signoff.stats.shown import Shown

MIN_OBSERVATIONS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DownsideSensitivityRatio(Shown):
    """Root mean square below the threshold over root mean square above it; infinite without a gain."""

    ratio: float
    downside: float
    upside: float
    n: int
    losses: int
    gains: int
    ties: int
    threshold: float
    convention: str


def downside_sensitivity_ratio(returns: ArrayLike, *, threshold: float = 0.0) -> DownsideSensitivityRatio:
    """√mean(min(r − τ, 0)²) / √mean(max(r − τ, 0)²), both means over all T.

    Parameters
    ----------
    returns : (T,) simple returns per period.
    threshold : τ, per period. Returns equal to it are `ties`: they count in T and on neither side.

    Raises
    ------
    InputError
        NaN, infinite or misshapen input, with the row.
    InsufficientData
        Fewer than two returns, or all of them equal to the threshold. No losses give 0, no gains infinity. A gate asks
        for a year of them.
    """
    line = np.float64(finite(threshold, "threshold"))
    excess = difference(simple_returns(returns, at_least=MIN_OBSERVATIONS), np.array(line), "returns − threshold")
    losses, gains = int((excess < 0).sum()), int((excess > 0).sum())
    if losses + gains == 0:
        raise InsufficientData(
            f"returns: all {excess.size} equal the threshold {threshold:g}; nothing was won or lost."
        )
    downside, upside = _root_mean_square(np.minimum(excess, 0)), _root_mean_square(np.maximum(excess, 0))
    return DownsideSensitivityRatio(
        ratio=downside / upside if gains else inf,
        downside=downside,
        upside=upside,
        n=excess.size,
        losses=losses,
        gains=gains,
        ties=excess.size - losses - gains,
        threshold=threshold,
        convention=f"√mean(min(r − τ, 0)²) / √mean(max(r − τ, 0)²) over all T, τ = {threshold:g}",
    )


def _root_mean_square(values: Floats) -> float:
    """Scaled by its largest entry, so that tiny returns do not vanish when squared."""
    largest = float(np.abs(values).max())
    return largest * float(np.sqrt(np.mean((values / largest) ** 2))) if largest else 0.0
