"""Is the new record's Sharpe ratio above the old one's, or is the difference luck?

Two records of the same periods share markets, tails and quiet spells; the test takes that dependence in. It compares
ratios, not returns, and a large p-value does not show that they are equal.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.long_run import automatic_lags, long_run_covariance
from signoff.stats.sample import Floats, one_of, pair, positive, varying
from signoff.stats.sharpe import per_period

MIN_OBSERVATIONS: Final = 20
MIN_BLOCKS: Final = 10
METHODS: Final = frozenset({"hac", "bootstrap"})
_INDISTINCT: Final = 1e-9
_CHUNK: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpeDifference:
    """Sharpe(a) − Sharpe(b), annualised as its standard error is, with the two-sided p-value of no difference.

    `block`, `repetitions` and `seed` are None unless the p-value is bootstrapped.
    """

    difference: float
    standard_error: float
    statistic: float
    p_value: float
    sharpe_a: float
    sharpe_b: float
    n: int
    lags: int
    block: int | None
    repetitions: int | None
    seed: int | None
    convention: str


def sharpe_difference_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    periods: float = 252,
    method: str = "hac",
    lags: int | None = None,
    block: int | None = None,
    repetitions: int = 999,
    seed: int = 0,
) -> SharpeDifference:
    """Test of equal Sharpe ratios (Ledoit and Wolf 2008, "Robust performance hypothesis testing").

    Parameters
    ----------
    a, b : (T,) simple returns of the same periods, oldest first.
    periods : periods a year.
    method : "hac" is the delta method over means and raw second moments with a Bartlett-weighted long-run covariance
        times T/(T − 4), against the normal distribution. "bootstrap" is their studentised circular
        block bootstrap, which keeps its size better in short or heavy-tailed records.
    lags : of the HAC covariance; by default ⌊4 (T/100)^(2/9)⌋.
    block, repetitions, seed : of the bootstrap; `block` is by default one more than `lags`.

    Notes
    -----
    The bootstrap's p-value is (1 + #{|Δ* − Δ|/s* ≥ |Δ|/s}) / (repetitions + 1).

    Raises
    ------
    InputError
        NaN, infinite or misaligned input, an unknown method, impossible lags, block or repetitions.
    InsufficientData
        Fewer than 20 periods or 10 blocks, a constant record, or two records that are multiples of each other.
    """
    one_of(method, "method", METHODS)
    root = float(np.sqrt(positive(periods, "periods")))
    first, second = pair(a, b, ("a", "b"), at_least=MIN_OBSERVATIONS)
    sample = np.column_stack([varying(first, "a") / first.std(), varying(second, "b") / second.std()])
    used = automatic_lags(first.size) if lags is None else lags
    error = _delta_error(sample, long_run_covariance(_moments(sample), used) * first.size / (first.size - 4))
    if error == 0 or np.abs(sample[:, 0] - sample[:, 1]).max() < _INDISTINCT:
        raise InsufficientData("a and b: one is a multiple of the other; there is no difference to test.")
    sharpe_a, sharpe_b = per_period(first), per_period(second)
    statistic = (sharpe_a - sharpe_b) / error
    is_bootstrap = method == "bootstrap"
    held = (used + 1 if block is None else block) if is_bootstrap else None
    return SharpeDifference(
        difference=(sharpe_a - sharpe_b) * root,
        standard_error=error * root,
        statistic=statistic,
        p_value=float(2 * ndtr(-abs(statistic)))
        if held is None
        else _bootstrapped_p(sample, abs(statistic), held, repetitions, seed),
        sharpe_a=sharpe_a * root,
        sharpe_b=sharpe_b * root,
        n=first.size,
        lags=used,
        block=held,
        repetitions=repetitions if is_bootstrap else None,
        seed=seed if is_bootstrap else None,
        convention=f"Ledoit and Wolf (2008), two-sided, Bartlett HAC with {used} lags and T/(T − 4)"
        + (f"; studentised circular bootstrap, blocks of {held}, p = (b + 1)/(B + 1)" if is_bootstrap else ""),
    )


def _moments(sample: Floats) -> Floats:
    """(T, 4) deviations of both returns and both squares from their means."""
    stacked = np.hstack([sample, sample**2])
    return np.asarray(stacked - stacked.mean(axis=0), dtype=np.float64)


def _delta_error(sample: Floats, covariance: Floats) -> float:
    gradient = _gradient(sample)
    return float(np.sqrt(max(gradient @ covariance @ gradient, 0.0) / sample.shape[0]))


def _gradient(sample: Floats) -> Floats:
    """Of the difference of ratios in (μ_a, μ_b, γ_a, γ_b), γ the raw second moments."""
    mean, second = sample.mean(axis=0), np.mean(sample**2, axis=0)
    cubed = (second - mean**2) ** 1.5
    by_mean, by_second = second / cubed, -mean / (2 * cubed)
    return np.array([by_mean[0], -by_mean[1], by_second[0], -by_second[1]])


def _bootstrapped_p(sample: Floats, statistic: float, block: int, repetitions: int, seed: int) -> float:
    """The share of resamples further from the sample's difference, in their own standard errors, than it is from 0.

    A resample is ⌊n/b⌋ blocks, whose sums come from prefix sums; its standard error takes them as independent.
    """
    n = sample.shape[0]
    if block < 1 or repetitions < 1:
        raise InputError(f"expected block ≥ 1 and repetitions ≥ 1, found {block} and {repetitions}.")
    if n // block < MIN_BLOCKS:
        raise InsufficientData(f"block: {n} periods hold {n // block} blocks of {block}; {MIN_BLOCKS} are needed.")
    rng, blocks = np.random.default_rng(seed), n // block
    ratios = sample.mean(axis=0) / sample.std(axis=0)
    centre = float(ratios[0] - ratios[1])
    moments = np.hstack([sample, sample**2])
    wrapped = np.vstack([np.zeros((1, 4)), moments, moments[: block - 1]]).cumsum(axis=0)
    sums_from = wrapped[block:] - wrapped[:-block]
    reached = 0
    for done in range(0, repetitions, _CHUNK):
        sums = sums_from[rng.integers(0, n, (min(_CHUNK, repetitions - done), blocks))]
        difference, error = _resampled(sums, block)
        reached += int((np.abs(difference - centre) >= statistic * error).sum())
    return (reached + 1) / (repetitions + 1)


def _resampled(sums: Floats, block: int) -> tuple[Floats, Floats]:
    """Difference of ratios and its standard error in each resample, from (R, L, 4) block sums of a, b, a², b²."""
    blocks = sums.shape[1]
    mean = sums.sum(axis=1) / (blocks * block)
    first, second = mean[:, :2], mean[:, 2:]
    variance = second - first**2
    cubed = variance**1.5
    gradient = np.hstack([second / cubed, -first / (2 * cubed)]) * np.array([1.0, -1.0, 1.0, -1.0])
    along = np.einsum("rlm,rm->rl", sums, gradient) - block * np.einsum("rm,rm->r", mean, gradient)[:, np.newaxis]
    ratios = first / np.sqrt(variance)
    error = np.sqrt(np.mean(along**2, axis=1) / block / (blocks * block))
    return ratios[:, 0] - ratios[:, 1], error
