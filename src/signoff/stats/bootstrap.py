"""Data snooping: is the best of many models better than the benchmark, or merely the luckiest?

Hansen's test for superior predictive ability and White's reality check, over the stationary bootstrap. The null of both
is that *no* model beats the benchmark; a small p-value says that one does, not that each does. Block length,
repetitions and seed are inputs, and stand in the result.
"""

from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, refuse_misaligned
from signoff.stats.sample import Floats, is_constant, matrix, vector

MIN_BLOCKS: Final = 10
_NO_VARIANCE: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One figure under each of Hansen's three recentrings."""

    lower: float
    consistent: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuperiorPredictiveAbility:
    """p-values (b + 1)/(B + 1) under the three recentrings; `consistent` is the one to read, the others bound it.

    `raw` is b/B and `monte_carlo_error` √(p(1 − p)/B), each of the three; `best_model` the column with the largest
    statistic; `resamples` the (B,) resampled statistics under the consistent recentring.
    """

    lower: float
    consistent: float
    upper: float
    raw: Bounds
    monte_carlo_error: Bounds
    statistic: float
    best_model: int
    n: int
    models: int
    block: float
    repetitions: int
    seed: int
    is_studentized: bool
    resamples: Floats
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RealityCheck:
    """The p-value (b + 1)/(B + 1), with `raw` b/B and its Monte Carlo error."""

    p_value: float
    raw: float
    monte_carlo_error: float
    statistic: float
    best_model: int
    n: int
    models: int
    block: float
    repetitions: int
    seed: int
    convention: str


def superior_predictive_ability(
    benchmark_losses: ArrayLike,
    model_losses: ArrayLike,
    *,
    block: float,
    repetitions: int,
    seed: int,
    studentize: bool = True,
) -> SuperiorPredictiveAbility:
    """Hansen (2005), "A test for superior predictive ability".

    Parameters
    ----------
    benchmark_losses : (n,) losses of the benchmark, oldest first; a loss may be a negative return.
    model_losses : (n, K) losses of the models in the same periods.
    block : mean block length 1/q of the stationary bootstrap (Politis and Romano 1994), at least 1.
    repetitions : B, resamples.
    seed : of the resamples, which all three recentrings and all models share.
    studentize : divide each mean by its ω_k; otherwise plain means are compared, and badly measured models dominate.

    Notes
    -----
    With d_k = benchmark loss − model loss, T = max(0, max_k √n d̄_k/ω_k), where ω_k² = γ₀ + 2Σκᵢγᵢ and
    κᵢ = (1 − i/n)(1 − q)^i + (i/n)(1 − q)^(n − i) is the variance that the bootstrap itself gives √n d̄_k. Resampled
    means are recentred by max(d̄_k, 0) (lower), by d̄_k where √n d̄_k/ω_k ≥ −√(2 ln ln n) (consistent), by d̄_k (upper).
    b counts resamples with T* ≥ T, so that a family in which nothing beats the benchmark has p = 1.

    Raises
    ------
    InputError
        NaN or infinite losses, with row and column; misaligned shapes; impossible block, repetitions or seed.
    InsufficientData
        No model, fewer than 10 blocks of data, or a model whose difference from the benchmark is constant.
    """
    differences = _differences(benchmark_losses, model_losses)
    n = differences.shape[0]
    _check(n, block, repetitions, seed)
    mean, spread = differences.mean(axis=0), long_run_deviation(differences, block)
    weights = sqrt(n) / spread if studentize else np.full(mean.size, sqrt(n))
    is_hopeless = sqrt(n) * mean / spread < -sqrt(2 * log(log(n)))
    offsets = np.vstack([np.minimum(mean, 0), np.where(is_hopeless, mean, 0), np.zeros(mean.size)])
    statistic = max(0.0, float((weights * mean).max()))
    largest = _largest(differences - mean, weights, offsets, 0.0, block, repetitions, seed)
    raw = [float(share) for share in np.mean(largest >= statistic, axis=0)]
    lower, consistent, upper = ((share * repetitions + 1) / (repetitions + 1) for share in raw)
    return SuperiorPredictiveAbility(
        lower=lower,
        consistent=consistent,
        upper=upper,
        raw=_bounds(raw),
        monte_carlo_error=_bounds([_error(share, repetitions) for share in raw]),
        statistic=statistic,
        best_model=int(np.argmax(weights * mean)),
        n=n,
        models=mean.size,
        block=block,
        repetitions=repetitions,
        seed=seed,
        is_studentized=studentize,
        resamples=largest[:, 1].copy(),
        convention=f"Hansen (2005), {'studentised' if studentize else 'not studentised'}, stationary bootstrap with "
        f"mean block {block:g}, p = (b + 1)/(B + 1)",
    )


def reality_check(
    benchmark_losses: ArrayLike, model_losses: ArrayLike, *, block: float, repetitions: int, seed: int
) -> RealityCheck:
    """White (2000), "A reality check for data snooping": max_k √n d̄_k against its resamples, recentred by d̄_k.

    Takes and refuses what `superior_predictive_ability` does. Poor models in the family make it conservative, which is
    what Hansen's test mends.
    """
    differences = _differences(benchmark_losses, model_losses)
    n = differences.shape[0]
    _check(n, block, repetitions, seed)
    mean = differences.mean(axis=0)
    weights = np.full(mean.size, sqrt(n))
    statistic = float((weights * mean).max())
    largest = _largest(differences - mean, weights, np.zeros((1, mean.size)), -inf, block, repetitions, seed)
    raw = float(np.mean(largest[:, 0] >= statistic))
    return RealityCheck(
        p_value=(raw * repetitions + 1) / (repetitions + 1),
        raw=raw,
        monte_carlo_error=_error(raw, repetitions),
        statistic=statistic,
        best_model=int(np.argmax(mean)),
        n=n,
        models=mean.size,
        block=block,
        repetitions=repetitions,
        seed=seed,
        convention=f"White (2000), stationary bootstrap with mean block {block:g}, p = (b + 1)/(B + 1)",
    )


def long_run_deviation(differences: Floats, block: float) -> Floats:
    """ω_k of each column: the standard deviation of √n times the mean of its stationary resamples, exactly."""
    n = differences.shape[0]
    lag = np.arange(n)
    keep = 1 - 1 / block
    kernel = (1 - lag / n) * keep**lag + (lag / n) * keep ** (n - lag)
    kernel[0] = 0.5
    variance = np.empty(differences.shape[1])
    for column, values in enumerate(differences.T):
        centred = (values - values.mean()) / values.std()
        spectrum = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
        covariance = np.fft.irfft(spectrum, 2 * n)[:n] / n
        variance[column] = 2 * float(kernel @ covariance) * values.var()
        if not variance[column] > _NO_VARIANCE * values.var():
            raise InsufficientData(
                f"model_losses: column {column} cancels itself out within blocks of {block:g}; choose another length."
            )
    return np.asarray(np.sqrt(variance), dtype=np.float64)


def stationary_blocks(
    n: int, block: float, repetitions: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of the blocks of every resample, and where each resample's blocks end in them.

    Starts are uniform, lengths geometric with mean `block`, the last cut so that the resample has n rows. Blocks wrap
    around the end of the data.
    """
    starts, lengths, ends = [], [], [0]
    for _ in range(repetitions):
        drawn = np.minimum(rng.geometric(1 / block, size=int(2 * n / block) + 16), n)
        while drawn.sum() < n:
            drawn = np.concatenate([drawn, np.minimum(rng.geometric(1 / block, size=drawn.size), n)])
        reached = np.cumsum(drawn)
        count = int(np.searchsorted(reached, n)) + 1
        drawn = drawn[:count].copy()
        drawn[-1] -= reached[count - 1] - n
        lengths.append(drawn)
        starts.append(rng.integers(0, n, count))
        ends.append(ends[-1] + count)
    return np.concatenate(starts), np.concatenate(lengths), np.array(ends, dtype=np.int64)


def _largest(
    centred: Floats, weights: Floats, offsets: Floats, floor: float, block: float, repetitions: int, seed: int
) -> Floats:
    from signoff.stats import _stationary  # noqa: PLC0415 - numba loads only where it is needed

    prefix = np.zeros((centred.shape[0] + 1, centred.shape[1]))
    np.cumsum(centred, axis=0, out=prefix[1:])
    starts, lengths, ends = stationary_blocks(centred.shape[0], block, repetitions, np.random.default_rng(seed))
    return np.asarray(_stationary.largest_statistics(prefix, starts, lengths, ends, weights, offsets, floor))


def _differences(benchmark_losses: ArrayLike, model_losses: ArrayLike) -> Floats:
    benchmark, models = vector(benchmark_losses, "benchmark_losses"), matrix(model_losses, "model_losses")
    if models.shape[0] != benchmark.size:
        raise InputError(f"benchmark_losses has {benchmark.size} rows and model_losses {models.shape[0]}; align them.")
    refuse_misaligned(benchmark_losses, model_losses, ("benchmark_losses", "model_losses"))
    if models.shape[1] == 0:
        raise InsufficientData("model_losses: no model to compare.")
    differences = benchmark[:, np.newaxis] - models
    for column in range(models.shape[1]):
        if is_constant(differences[:, column]):
            raise InsufficientData(
                f"model_losses: {column_name(model_losses, column)} differs from the benchmark by a constant; "
                "there is nothing to resample."
            )
    return differences


def _check(n: int, block: float, repetitions: int, seed: int) -> None:
    if not (np.isfinite(block) and block >= 1):
        raise InputError(f"block: expected a mean block length of at least 1, found {block}.")
    if repetitions < 1 or seed < 0:
        raise InputError(f"expected repetitions ≥ 1 and seed ≥ 0, found {repetitions} and {seed}.")
    if n < MIN_BLOCKS * block:
        raise InsufficientData(
            f"losses: {n} periods hold {n / block:.1f} blocks of {block:g}; {MIN_BLOCKS} are needed."
        )


def _bounds(values: list[float]) -> Bounds:
    return Bounds(lower=values[0], consistent=values[1], upper=values[2])


def _error(share: float, repetitions: int) -> float:
    return sqrt(share * (1 - share) / repetitions)
