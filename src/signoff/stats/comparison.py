"""Whether the new record's Sharpe ratio is above the old one's beyond luck.

Two records of the same periods share markets, tails and quiet spells, and the test allows for this dependence. It
compares ratios, not returns, and a large p-value does not show that they are equal.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats._special import ndtr, ndtri, stdtr
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.long_run import LongRunVariance, automatic_lags, long_run_covariance, long_run_variance
from signoff.stats.returns import simple_returns, unsteady
from signoff.stats.rows import rows_a_year
from signoff.stats.sample import Floats, one_of, pair, unit_scaled, whole
from signoff.stats.sharpe import influence, per_period
from signoff.stats.shown import Shown

MIN_OBSERVATIONS: Final = 20
MIN_BLOCKS: Final = 10
METHODS: Final = frozenset({"hac", "bootstrap"})
_INDISTINCT: Final = 1e-9
_CHUNK: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SharpeDifference(Shown):
    """Sharpe(a) − Sharpe(b) and its standard error, both annualised, with the two-sided p-value for no difference.

    `half_width` is that of the 95% interval. `block`, `repetitions` and `seed` are None unless the p-value is
    bootstrapped; `lags` are those of a Bartlett estimate, `degrees` those of Student's distribution, None without.
    """

    difference: float
    standard_error: float
    half_width: float
    statistic: float
    p_value: float
    sharpe_a: float
    sharpe_b: float
    n: int
    lags: int | None
    degrees: int | None
    block: int | None
    repetitions: int | None
    seed: int | None
    convention: str


def sharpe_difference_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    periods: float | None = None,
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
    periods : periods a year; by default what the dates of a pandas index say, and 252 without dates.
    method : "hac" is the delta method over means and raw second moments with a long-run covariance. "bootstrap" is
        their studentised circular block bootstrap, which keeps its size better in short or heavy-tailed records.
    lags : of a Bartlett-weighted covariance times T/(T − 4), against the normal distribution. By default "hac" takes
        the variance of ⌊0.4 T^(2/3)⌋ equal-weighted cosines instead (Lazarus, Lewis, Stock and Watson 2018), against
        Student's distribution, and "bootstrap" ⌊4 (T/100)^(2/9)⌋ lags.
    block, repetitions, seed : of the bootstrap; `block` is by default one more than the lags.

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
    first, second = simple_returns(a, "a"), simple_returns(b, "b")
    pair(a, b, ("a", "b"), at_least=MIN_OBSERVATIONS)
    root = float(np.sqrt(rows_a_year(periods, a, b)))
    sample = np.column_stack([_standardised(unsteady(first, "a")), _standardised(unsteady(second, "b"))])
    is_bootstrap = method == "bootstrap"
    parts = _influence(sample)
    used = whole(lags, "lags", at_least=0) if lags is not None else automatic_lags(first.size) if is_bootstrap else None
    variance = long_run_variance(parts) if used is None else None
    error = variance.standard_error if variance else _bartlett_error(parts, used or 0)
    if error == 0 or np.abs(sample[:, 0] - sample[:, 1]).max() < _INDISTINCT:
        raise InsufficientData("a and b: one is a multiple of the other; there is no difference to test.")
    sharpe_a, sharpe_b = per_period(first), per_period(second)
    statistic = (sharpe_a - sharpe_b) / error
    length = ((used or 0) + 1 if block is None else block) if is_bootstrap else None
    return SharpeDifference(
        difference=(sharpe_a - sharpe_b) * root,
        standard_error=error * root,
        half_width=(variance.half_width() if variance else ndtri(0.975) * error) * root,
        statistic=statistic,
        p_value=_two_sided(statistic, variance)
        if length is None
        else _bootstrapped_p(sample, abs(statistic), length, repetitions, seed),
        sharpe_a=sharpe_a * root,
        sharpe_b=sharpe_b * root,
        n=first.size,
        lags=used,
        degrees=variance.degrees if variance else None,
        block=length,
        repetitions=repetitions if is_bootstrap else None,
        seed=seed if is_bootstrap else None,
        convention="Ledoit and Wolf (2008), two-sided, "
        + (variance.words if variance else f"Bartlett HAC with {used} lags and T/(T − 4)")
        + (f"; studentised circular bootstrap, blocks of {length}, p = (b + 1)/(B + 1)" if is_bootstrap else ""),
    )


def _two_sided(statistic: float, variance: LongRunVariance | None) -> float:
    return 2 * (ndtr(-abs(statistic)) if variance is None else stdtr(variance.degrees, -abs(statistic)))


def _standardised(returns: Floats) -> Floats:
    """Divided by the standard deviation, which leaves ratios unchanged."""
    scaled, _ = unit_scaled(returns)
    return np.asarray(scaled / scaled.std(), dtype=np.float64)


def _influence(sample: Floats) -> Floats:
    """(T,) each period's influence on the difference of ratios: ∇′y, gradient times moments, in the paper's terms."""
    return influence(sample[:, 0]) - influence(sample[:, 1])


def _bartlett_error(parts: Floats, lags: int) -> float:
    n = parts.size
    return float(np.sqrt(max(long_run_covariance(parts[:, np.newaxis], lags)[0, 0], 0.0) / (n - 4)))


def _bootstrapped_p(sample: Floats, statistic: float, block: int, repetitions: int, seed: int) -> float:
    """The share of resamples further from the sample's difference, in their own standard errors, than it is from 0.

    A resample is ⌊n/b⌋ blocks, whose sums come from prefix sums; its standard error takes them as independent.
    """
    n = sample.shape[0]
    if whole(block, "block", at_least=1) > n:
        raise InputError(f"block: {block} periods are more than the {n} observed; pass at most {n // MIN_BLOCKS}.")
    whole(repetitions, "repetitions", at_least=1)
    whole(seed, "seed", at_least=0)
    if n // block < MIN_BLOCKS:
        raise InsufficientData(f"block: {n} periods hold {n // block} blocks of {block}; {MIN_BLOCKS} are needed.")
    from signoff.stats._threads import in_pieces  # noqa: PLC0415 - numba loads only where it is needed

    blocks, level = n // block, sample.mean(axis=0)
    ratios = level / sample.std(axis=0, ddof=1)
    centre, centred = float(ratios[0] - ratios[1]), sample - level
    moments = np.vstack([centred.T, centred.T**2])
    wrapped = np.hstack([np.zeros((4, 1)), moments, moments[:, : block - 1]]).cumsum(axis=1)
    sums_from = wrapped[:, block:] - wrapped[:, :-block]
    seeds = np.random.SeedSequence(seed).spawn(-(-repetitions // _CHUNK))
    reached = np.zeros(len(seeds), dtype=np.int64)

    def visit(first: int, last: int) -> None:
        for place in range(first, last):
            size = min(_CHUNK, repetitions - place * _CHUNK)
            starts = np.random.default_rng(seeds[place]).integers(0, n, (size, blocks), dtype=np.int32)
            with np.errstate(divide="ignore", invalid="ignore"):
                difference, error = _resampled(sums_from.take(starts, axis=1), block, level)
                is_nearer = np.abs(difference - centre) < statistic * error
            reached[place] = int((~is_nearer).sum())  # a resample that never varies has no ratio and does not count

    in_pieces(visit, len(seeds))
    return (int(reached.sum()) + 1) / (repetitions + 1)


def _resampled(sums: Floats, block: int, level: Floats) -> tuple[Floats, Floats]:
    """Difference of ratios and its standard error in each resample, from (4, R, L) block sums of a, b, a², b².

    The sums are of deviations from `level`, the two means, so that differences of squares keep their digits. Ratios
    have ddof = 1, like the record's; the gradient is in the moments of the deviations.
    """
    size = sums.shape[2] * block
    mean = sums.sum(axis=2) / size
    first, second = mean[:2], mean[2:]
    variance = second - first**2
    ratios = (level[:, np.newaxis] + first) / np.sqrt(variance)
    by_first, by_second = 1 / np.sqrt(variance) + ratios * first / variance, -ratios / (2 * variance)
    gradient = np.vstack([by_first, by_second]) * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    along = -block * np.repeat((gradient * mean).sum(axis=0)[:, np.newaxis], sums.shape[2], axis=1)
    for part, weight in zip(sums, gradient, strict=True):
        along += weight[:, np.newaxis] * part
    error = np.sqrt(np.mean(along**2, axis=1) / block / size)
    return (ratios[0] - ratios[1]) * np.sqrt((size - 1) / size), error
