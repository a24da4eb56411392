"""Data snooping: whether the best of many models beats the benchmark beyond luck.

Hansen's test for superior predictive ability and White's reality check, over the stationary bootstrap. The null of both
is that *no* model beats the benchmark; a small p-value says that one does, not that each does. Block length,
repetitions and seed are inputs and part of the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, named, refuse_disorder, refuse_misaligned
from signoff.stats.sample import Floats, constant_columns, finite, matrix, one_of, vector, whole
from signoff.stats.shown import Shown

MIN_BLOCKS: Final = 10
STREAMS: Final = frozenset({"own", "arch"})
_NO_VARIANCE: Final = 1e-12
_TIED: Final = 1e-10
"""Statistics nearer than this, in standard deviations of a difference, are equal: the order of a sum changes its last
bit, and with few values (hits and misses) a third of the resamples may equal the sample."""
_SIZES: Final = (1e-100, 1e100)
_CHUNK: Final = 250
_COLUMNS: Final = 64
_STREAMED: Final = {"own": "", "arch": " by the rows of arch 8.0.0"}


Blocks = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Starts and lengths of the blocks of some resamples, and the end of each resample's blocks."""
Draw = Callable[[int], Blocks]
"""The blocks of one chunk of resamples, by its place."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bounds(Shown):
    """One figure under each of Hansen's three recentrings."""

    lower: float
    consistent: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SuperiorPredictiveAbility(Shown):
    """p-values (b + 1)/(B + 1) under the three recentrings; `consistent` is the one to read, the others bound it.

    `raw` is b/B and `monte_carlo_error` √(p(1 − p)/B), each of the three; `best_model` has the largest statistic, by
    its name or else its place; `resamples` are the (B,) resampled statistics under the consistent recentring.
    """

    lower: float
    consistent: float
    upper: float
    raw: Bounds
    monte_carlo_error: Bounds
    statistic: float
    best_model: str | int
    n: int
    models: int
    block: float
    repetitions: int
    seed: int
    is_studentized: bool
    resamples: Floats
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RealityCheck(Shown):
    """The p-value (b + 1)/(B + 1), with `raw` b/B and its Monte Carlo error."""

    p_value: float
    raw: float
    monte_carlo_error: float
    statistic: float
    best_model: str | int
    n: int
    models: int
    block: float
    repetitions: int
    seed: int
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DataSnooping(Shown):
    """Both tests of one family, over the same resamples."""

    superior_predictive_ability: SuperiorPredictiveAbility
    reality_check: RealityCheck


def superior_predictive_ability(
    benchmark_losses: ArrayLike,
    model_losses: ArrayLike,
    *,
    block: float,
    repetitions: int,
    seed: int,
    studentize: bool = True,
    stream: str = "own",
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
    stream : "own" draws whole blocks. "arch" draws the rows that the package arch 8.0.0 draws from an integer seed, one
        start and one uniform number a row; `raw` of the unstudentised form is then its p-value to the last bit,
        whenever some model beats the benchmark (where none does, its statistic is negative and this one 0).

    Notes
    -----
    With d_k = benchmark loss − model loss, T = max(0, max_k √n d̄_k/ω_k), where ω_k² = γ₀ + 2Σκᵢγᵢ and
    κᵢ = (1 − i/n)(1 − q)^i + (i/n)(1 − q)^(n − i) is the variance that the bootstrap itself gives √n d̄_k. Resampled
    means are recentred by max(d̄_k, 0) (lower), by d̄_k where √n d̄_k/ω_k ≥ −√(2 ln ln n) (consistent), by d̄_k (upper).
    b counts resamples with T* ≥ T, so that a family in which nothing beats the benchmark has p = 1.

    Raises
    ------
    InputError
        NaN or infinite losses, with row and column; misaligned shapes; impossible block, repetitions, seed or stream.
    InsufficientData
        No model, fewer than 10 blocks of data, or a model whose difference from the benchmark is constant.
    """
    return data_snooping(
        benchmark_losses,
        model_losses,
        block=block,
        repetitions=repetitions,
        seed=seed,
        studentize=studentize,
        stream=stream,
    ).superior_predictive_ability


def reality_check(
    benchmark_losses: ArrayLike, model_losses: ArrayLike, *, block: float, repetitions: int, seed: int
) -> RealityCheck:
    """White (2000), "A reality check for data snooping": max_k √n d̄_k against its resamples, recentred by d̄_k.

    Takes and refuses what `superior_predictive_ability` does. Poor models in the family make it conservative; Hansen's
    test does not suffer from them.
    """
    return data_snooping(benchmark_losses, model_losses, block=block, repetitions=repetitions, seed=seed).reality_check


def data_snooping(
    benchmark_losses: ArrayLike,
    model_losses: ArrayLike,
    *,
    block: float,
    repetitions: int,
    seed: int,
    studentize: bool = True,
    stream: str = "own",
) -> DataSnooping:
    """Hansen's and White's tests over the same resamples, for the cost of one; see `superior_predictive_ability`."""
    differences = _differences(benchmark_losses, model_losses)
    n = differences.shape[0]
    _check(n, block, repetitions, seed)
    one_of(stream, "stream", STREAMS)
    mean, spread = differences.mean(axis=0), long_run_deviation(differences, block)
    plain = np.full(mean.size, sqrt(n))
    weights = sqrt(n) / spread if studentize else plain
    is_hopeless = sqrt(n) * mean / spread < -sqrt(2 * log(log(n)))
    resampled = _resampled_maxima(
        differences - mean,
        np.vstack([weights, weights, weights, plain]),
        np.vstack([np.minimum(mean, 0), np.where(is_hopeless, mean, 0), np.zeros((2, mean.size))]),
        np.array([0.0, 0.0, 0.0, -inf]),
        repetitions,
        _drawn_by_arch(n, block, repetitions, seed) if stream == "arch" else _drawn(n, block, repetitions, seed),
    )
    largest = float((weights * mean).max())
    statistics = np.array([max(0.0, largest)] * 3 + [float((plain * mean).max())])
    unit = 1.0 if studentize else float(spread.max())
    tied = _TIED * np.array([unit, unit, unit, float(spread.max())])
    raw = [float(share) for share in np.mean(resampled >= statistics - tied, axis=0)]
    lower, consistent, upper, checked = ((share * repetitions + 1) / (repetitions + 1) for share in raw)
    how = f"stationary bootstrap with mean block {block:g}{_STREAMED[stream]}, p = (b + 1)/(B + 1)"
    return DataSnooping(
        superior_predictive_ability=SuperiorPredictiveAbility(
            lower=lower,
            consistent=consistent,
            upper=upper,
            raw=_bounds(raw),
            monte_carlo_error=_bounds([_error(share, repetitions) for share in raw]),
            statistic=float(statistics[0]),
            best_model=named(model_losses, int(np.argmax(weights * mean))),
            n=n,
            models=mean.size,
            block=block,
            repetitions=repetitions,
            seed=seed,
            is_studentized=studentize,
            resamples=resampled[:, 1].copy(),
            convention=f"Hansen (2005), {'studentised' if studentize else 'not studentised'}, {how}",
        ),
        reality_check=RealityCheck(
            p_value=checked,
            raw=raw[3],
            monte_carlo_error=_error(raw[3], repetitions),
            statistic=float(statistics[3]),
            best_model=named(model_losses, int(np.argmax(mean))),
            n=n,
            models=mean.size,
            block=block,
            repetitions=repetitions,
            seed=seed,
            convention=f"White (2000), {how}",
        ),
    )


def long_run_deviation(differences: Floats, block: float) -> Floats:
    """ω_k of each column: the standard deviation of √n times the mean of its stationary resamples, exactly.

    κᵢ = κ₍ₙ₋ᵢ₎, so that γ₀ + 2Σκᵢγᵢ is a sum over circular autocovariances, and with that one over the periodogram.
    """
    n, columns = differences.shape
    lag = np.arange(n)
    keep = 1 - 1 / block
    kernel = (1 - lag / n) * keep**lag + (lag / n) * keep ** (n - lag)
    kernel[0] = 1.0
    response = np.fft.rfft(kernel).real
    response[1 : (n + 1) // 2] *= 2  # frequencies that count for their mirror image too
    deviation = np.empty(columns)
    for first in range(0, columns, _COLUMNS):
        part = differences[:, first : first + _COLUMNS]
        spread = part.std(axis=0)
        scaled = np.ascontiguousarray(((part - part.mean(axis=0)) / spread).T)
        power = np.abs(np.fft.rfft(scaled, axis=1)) ** 2
        variance = (power * response).sum(axis=1) / n**2  # a matrix product would sum in an order that depends on N
        if (cancelled := ~(variance > _NO_VARIANCE)).any():
            raise InsufficientData(
                f"model_losses: column {first + int(np.argmax(cancelled))} cancels itself out within blocks of "
                f"{block:g}; choose another length."
            )
        deviation[first : first + _COLUMNS] = np.sqrt(variance) * spread
    return deviation


def stationary_blocks(n: int, block: float, repetitions: int, rng: np.random.Generator) -> Blocks:
    """The blocks of every resample.

    Starts are uniform, lengths geometric with mean `block`, the last cut so that the resample has n rows. Blocks wrap
    around the end of the data.
    """
    drawn = _drawn_lengths(n, block, repetitions, rng)
    reached = np.cumsum(drawn, axis=1)
    counts = (reached < n).sum(axis=1) + 1
    rows = np.arange(counts.size)
    drawn[rows, counts - 1] -= reached[rows, counts - 1] - n
    lengths = drawn[np.arange(drawn.shape[1]) < counts[:, np.newaxis]]
    return rng.integers(0, n, lengths.size), lengths, np.concatenate(([0], np.cumsum(counts)))


def _drawn_lengths(n: int, block: float, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(resamples, m) geometric lengths, each row long enough to cover n."""
    columns = int(n / block + 3 * sqrt(n / block)) + 4
    drawn = np.minimum(rng.geometric(1 / block, (resamples, columns)), n)
    while (drawn.sum(axis=1) < n).any():
        drawn = np.hstack([drawn, np.minimum(rng.geometric(1 / block, (resamples, columns)), n)])
    return drawn


def _drawn(n: int, block: float, repetitions: int, seed: int) -> Draw:
    """Chunks of resamples, each with its own seed, so that they can be drawn in parallel and in any order."""
    seeds = np.random.SeedSequence(seed).spawn(-(-repetitions // _CHUNK))

    def chunk(place: int) -> Blocks:
        size = min(_CHUNK, repetitions - place * _CHUNK)
        return stationary_blocks(n, block, size, np.random.default_rng(seeds[place]))

    return chunk


def _drawn_by_arch(n: int, block: float, repetitions: int, seed: int) -> Draw:
    """From a start and a uniform number for each row: a row whose number is above 1/block continues the one before, and
    any other begins a block.
    """
    rng, chunks = np.random.default_rng(seed), []
    for done in range(0, repetitions, _CHUNK):
        starts, lengths, ends = [], [], [0]
        for _ in range(min(_CHUNK, repetitions - done)):
            drawn = rng.integers(n, size=n, dtype=np.int64)
            is_first = rng.random(n) <= 1 / block
            is_first[0] = True
            begins = np.flatnonzero(is_first)
            starts.append(drawn[begins])
            lengths.append(np.diff(begins, append=n))
            ends.append(ends[-1] + begins.size)
        chunks.append((np.concatenate(starts), np.concatenate(lengths), np.array(ends, dtype=np.int64)))
    return chunks.__getitem__


def _resampled_maxima(
    centred: Floats, weights: Floats, offsets: Floats, floors: Floats, repetitions: int, draw: Draw
) -> Floats:
    """(R, C) the largest weighted mean of each resample in each of C tests, at least the test's floor."""
    from signoff.stats import _stationary  # noqa: PLC0415 - numba loads only where it is needed
    from signoff.stats._threads import in_pieces  # noqa: PLC0415

    n, columns = centred.shape
    tiles = -(-columns // _stationary.TILE)
    width = -(-columns // tiles)
    prefix = np.zeros((tiles, n + 1, width))
    for tile in range(tiles):
        part = centred[:, tile * width : (tile + 1) * width]
        np.cumsum(part, axis=0, out=prefix[tile, 1:, : part.shape[1]])
    largest = np.tile(floors, (repetitions, 1))

    def visit(first: int, last: int) -> None:
        for place in range(first, last):
            starts, lengths, ends = draw(place)
            own = largest[place * _CHUNK : (place + 1) * _CHUNK]
            _stationary.largest_statistics(prefix, starts, lengths, ends, weights, offsets, own)

    in_pieces(visit, -(-repetitions // _CHUNK))
    return largest


def _differences(benchmark_losses: ArrayLike, model_losses: ArrayLike) -> Floats:
    refuse_disorder(benchmark_losses, "benchmark_losses")
    refuse_disorder(model_losses, "model_losses")
    benchmark, models = (
        vector(benchmark_losses, "benchmark_losses", flags=True),
        matrix(model_losses, "model_losses", flags=True),
    )
    if models.shape[0] != benchmark.size:
        raise InputError(f"benchmark_losses has {benchmark.size} rows and model_losses {models.shape[0]}; align them.")
    refuse_misaligned(benchmark_losses, model_losses, ("benchmark_losses", "model_losses"))
    if models.shape[1] == 0:
        raise InsufficientData("model_losses: no model to compare.")
    with np.errstate(over="ignore"):
        differences = benchmark[:, np.newaxis] - models
    largest = np.abs(differences).max(axis=0, initial=0.0)
    if (is_odd := (largest > 0) & ((largest < _SIZES[0]) | (largest > _SIZES[1]))).any():
        raise InputError(
            f"model_losses: {column_name(model_losses, int(np.argmax(is_odd)))} differs from the benchmark by up to "
            f"{largest[is_odd][0]:g}, whose square is no number; pass losses in another unit, as fractions of capital."
        )
    if (constant := constant_columns(differences)).size:
        raise InsufficientData(
            f"model_losses: {column_name(model_losses, int(constant[0]))} differs from the benchmark by a constant; "
            "there is nothing to resample."
        )
    return differences


def _check(n: int, block: float, repetitions: int, seed: int) -> None:
    if not 1 <= finite(block, "block") <= max(n, 1):
        raise InputError(f"block: expected a mean length from 1 to the {n} periods given, found {block}; pass n^(1/3).")
    whole(repetitions, "repetitions", at_least=1, advice="pass 1000 or more")
    whole(seed, "seed", at_least=0)
    if n < MIN_BLOCKS * block:
        raise InsufficientData(
            f"losses: {n} periods hold {n / block:.1f} blocks of {block:g}; {MIN_BLOCKS} are needed."
        )


def _bounds(values: list[float]) -> Bounds:
    return Bounds(lower=values[0], consistent=values[1], upper=values[2])


def _error(share: float, repetitions: int) -> float:
    return sqrt(share * (1 - share) / repetitions)
