"""Symmetric Prediction Accuracy: does the model predict equally well in both directions?

The score is the weaker side's accuracy less its sampling error. It tests symmetry, not skill: a coin tossed often
enough scores close to one half. Pesaran and Timmermann's test, which does ask for skill, stands beside it.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from numpy.typing import ArrayLike

from signoff.stats._special import ndtr
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sample import Flags, finite, pair, whole
from signoff.stats.shown import Shown

WILSON_Z: Final = 1.6448536269514722
"""The 95% quantile of the normal distribution, printed as 1.6449."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SymmetricPredictionAccuracy(Shown):
    """Accuracy by the sign of the prediction; every figure rests on the `n` rows that were not excluded.

    An empty side has accuracy, bound and score 0. `balanced_accuracy` is the mean over the *realised* directions that
    occurred of the share predicted. The Pesaran-Timmermann statistic is None where one direction was never predicted
    or never came; its p-value is one-sided, for accuracy above what independent directions would give.
    """

    score: float
    long_accuracy: float
    short_accuracy: float
    long_bound: float
    short_bound: float
    long_n: int
    short_n: int
    n: int
    flat_excluded: int
    zero_excluded: int
    plain_minimum: float
    harmonic_mean: float
    gap: float
    balanced_accuracy: float
    pesaran_timmermann: float | None
    pesaran_timmermann_p_value: float | None
    neutral: float
    convention: str


def symmetric_prediction_accuracy(
    prediction: ArrayLike, realized: ArrayLike, *, neutral: float = 0.0
) -> SymmetricPredictionAccuracy:
    """The smaller of the one-sided 95% Wilson lower bounds of long and short accuracy.

    Parameters
    ----------
    prediction : (n,) scores or probabilities; above `neutral` is long, below is short, equal is flat and excluded.
    realized : (n,) realised returns of the same rows; a zero is neither a hit nor a miss and is excluded. A row that
        is both flat and zero counts as flat.
    neutral : 0 for scores, 0.5 for probabilities.

    Notes
    -----
    Wilson (1927), recommended by Brown, Cai and DasGupta (2001):
    (a + z²/2n − z √(a(1−a)/n + z²/4n²)) / (1 + z²/n) with z = 1.6449.

    Raises
    ------
    InputError
        NaN, infinite or misaligned input, with the row.
    InsufficientData
        No row is left after the exclusions. One empty side is no such case: it scores 0.
    """
    finite(neutral, "neutral")
    said, came = pair(prediction, realized, ("prediction", "realized"))
    is_flat, is_zero = said == neutral, (said != neutral) & (came == 0)
    counted = ~(is_flat | is_zero)
    if not counted.any():
        raise InsufficientData(
            f"predictions: of {said.size} rows {int(is_flat.sum())} are flat and {int(is_zero.sum())} have a zero "
            "return; none is left to judge."
        )
    is_long, is_up = said[counted] > neutral, came[counted] > 0
    long_hits, long_n = int((is_long & is_up).sum()), int(is_long.sum())
    short_hits, short_n = int((~is_long & ~is_up).sum()), int((~is_long).sum())
    long_accuracy, short_accuracy = _share(long_hits, long_n), _share(short_hits, short_n)
    long_bound, short_bound = wilson_lower_bound(long_hits, long_n), wilson_lower_bound(short_hits, short_n)
    statistic = pesaran_timmermann(is_long, is_up)
    return SymmetricPredictionAccuracy(
        score=min(long_bound, short_bound),
        long_accuracy=long_accuracy,
        short_accuracy=short_accuracy,
        long_bound=long_bound,
        short_bound=short_bound,
        long_n=long_n,
        short_n=short_n,
        n=long_n + short_n,
        flat_excluded=int(is_flat.sum()),
        zero_excluded=int(is_zero.sum()),
        plain_minimum=min(long_accuracy, short_accuracy),
        harmonic_mean=_harmonic_mean(long_accuracy, short_accuracy),
        gap=abs(long_accuracy - short_accuracy),
        balanced_accuracy=_balanced_accuracy(is_long, is_up),
        pesaran_timmermann=statistic,
        pesaran_timmermann_p_value=None if statistic is None else ndtr(-statistic),
        neutral=neutral,
        convention="smaller of the one-sided 95% Wilson lower bounds of long and short accuracy; flat predictions and "
        "zero realised returns excluded",
    )


def wilson_lower_bound(hits: int, n: int) -> float:
    """The one-sided 95% lower bound of the share hits/n (Wilson 1927); 0 for an empty sample.

    Refuses counts that are not whole, negative, or more hits than n.
    """
    if whole(hits, "hits", at_least=0) > whole(n, "n", at_least=0):
        raise InputError(f"hits: expected 0 to {n}, found {hits}.")
    if hits == 0:
        return 0.0
    z, a = WILSON_Z, hits / n
    return (a + z**2 / (2 * n) - z * sqrt(a * (1 - a) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)


def pesaran_timmermann(is_long: Flags, is_up: Flags) -> float | None:
    """Their (1992) S_n, standard normal when predicted and realised directions, both (n,), are independent.

    S = (P − P*) / √(V(P) − V(P*)) with P the share of hits, P* = p_y p_x + (1 − p_y)(1 − p_x), V(P) = P*(1 − P*)/n and
    V(P*) = (2p_y − 1)² p_x(1 − p_x)/n + (2p_x − 1)² p_y(1 − p_y)/n + 4 p_y p_x (1 − p_y)(1 − p_x)/n².
    None where a direction is missing on either side, or the variance vanishes.
    """
    n = is_long.size
    said, came = float(is_long.mean()), float(is_up.mean())
    by_chance = said * came + (1 - said) * (1 - came)
    said_spread, came_spread = said * (1 - said), came * (1 - came)
    chance_variance = (
        (2 * came - 1) ** 2 * said_spread + (2 * said - 1) ** 2 * came_spread + 4 * said_spread * came_spread / n
    ) / n
    variance = by_chance * (1 - by_chance) / n - chance_variance
    if said_spread == 0 or came_spread == 0 or variance <= 0:
        return None
    return (float((is_long == is_up).mean()) - by_chance) / sqrt(variance)


def _share(hits: int, n: int) -> float:
    return hits / n if n else 0.0


def _harmonic_mean(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first * second > 0 else 0.0


def _balanced_accuracy(is_long: Flags, is_up: Flags) -> float:
    recalls = [float((is_long == is_up)[side].mean()) for side in (is_up, ~is_up) if side.any()]
    return sum(recalls) / len(recalls)
