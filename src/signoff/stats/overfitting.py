"""Probability of backtest overfitting: how often the best configuration in-sample disappoints out of sample.

Combinatorially symmetric cross-validation over *all* configurations that were tried. It judges the selection, not the
model: a family of pure noise stays below one half 37 to 53 percent of the time, so `deflated` belongs beside it.
"""

from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, named, refuse_disorder
from signoff.stats.returns import LARGEST, RUIN, simple_return_columns
from signoff.stats.sample import Flags, Floats, constant_columns, is_constant, unchecked_matrix, whole
from signoff.stats.shown import Shown

Places = NDArray[np.int64]

MIN_FAMILY: Final = 2
MOST_PARTITIONS: Final = 24
MOST_TABLES: Final = 1 << 30
"""Bytes of the four tables of sums and squares over every subset of half the blocks."""
SAFE_EXPONENT: Final = 300
POOR: Final = 1 / 3
CONVENTION: Final = (
    "CSCV (Bailey, Borwein, López de Prado and Zhu 2015): oldest T mod S rows dropped; Sharpe ratio with ddof = 1, 0 "
    "for a half without any return; first in-sample maximum; average out-of-sample rank / (N + 1); PBO = mean(λ ≤ 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProbabilityOfBacktestOverfitting(Shown):
    """The result of CSCV over `splits` splits, the arrays in lexicographic order of the in-sample blocks.

    `best_trial` has the largest Sharpe ratio over all rows used, by its name or else its place. `is_oos_ratio` is the
    median of OOS*/IS* over the splits with IS* > 0, None where there is none; `slope` is that of
    OOS* on IS*, None where IS* does not vary; both Sharpe ratios are per period. `ties` counts the splits whose chosen
    trial shared its out-of-sample rank, `flat_halves` the (trial, half) pairs without a single nonzero return.
    """

    pbo: float
    pbo_strict: float
    logits: Floats
    in_sample_sharpe: Floats
    out_of_sample_sharpe: Floats
    is_oos_ratio: float | None
    slope: float | None
    probability_of_loss: float
    n: int
    trials: int
    best_trial: str | int
    partitions: int
    splits: int
    rows_trimmed: int
    ties: int
    flat_halves: int
    convention: str


def probability_of_backtest_overfitting(trials: ArrayLike, *, partitions: int = 16) -> ProbabilityOfBacktestOverfitting:
    """CSCV over a family of trials (Bailey, Borwein, López de Prado and Zhu 2015).

    Parameters
    ----------
    trials : (T, N) returns per period, a column for every configuration that was tried, oldest row first.
    partitions : S, even; the rows are cut into S blocks, and each of the C(S, S/2) halves is in-sample once.

    Notes
    -----
    n* is the first in-sample argmax of the Sharpe ratio, ω its average rank out of sample over N + 1, and
    λ = ln(ω/(1 − ω)). Sharpe ratios that agree to about nine digits are ties. `pbo` = mean(λ ≤ 0), `pbo_strict` =
    mean(λ < 0). `n` is the number of rows used.

    Raises
    ------
    InputError
        NaN or infinite entries, with row and column; S odd, out of range, or more than T.
    InsufficientData
        Fewer than two trials, halves of fewer than two rows, or a trial that is constant over the record, or over a
        half at a value other than zero: it has no Sharpe ratio.
    """
    blocks = _blocks(trials, partitions)
    rank, inside, outside, tied = _cross_validated(blocks)
    half, columns = blocks.rows // 2, blocks.means.size
    logits = np.log(rank / (columns + 1 - rank))
    in_sample, out_of_sample = _sharpe(inside, half), _sharpe(outside, half)
    return ProbabilityOfBacktestOverfitting(
        pbo=float(np.mean(2 * rank <= columns + 1)),
        pbo_strict=float(np.mean(2 * rank < columns + 1)),
        logits=logits,
        in_sample_sharpe=in_sample,
        out_of_sample_sharpe=out_of_sample,
        is_oos_ratio=_median_ratio(in_sample, out_of_sample),
        slope=_slope(in_sample, out_of_sample),
        probability_of_loss=float(np.mean(out_of_sample < 0)),
        n=blocks.rows,
        trials=columns,
        best_trial=named(trials, int(np.argmax(_record_sharpe(blocks)))),
        partitions=blocks.partitions,
        splits=tied.size,
        rows_trimmed=blocks.trimmed,
        ties=int((tied > 1).sum()),
        flat_halves=blocks.flat_halves,
        convention=CONVENTION,
    )


def unchoosable(trials: ArrayLike, *, partitions: int = 16, share: float = 0.99) -> Flags:
    """The trials that would never be chosen and only push the others above the median.

    The best trial of the record beats such a trial in at least `share` of the halves of CSCV, and its own Sharpe ratio
    over the record is at most a third of the best one's. The second condition spares a grid of honest parameters, whose
    members differ little and consistently. The best trial itself is never among them.

    Other parameters and refusals are those of `probability_of_backtest_overfitting`.
    """
    from signoff.stats import _cscv  # noqa: PLC0415 - numba loads only where it is needed

    blocks = _blocks(trials, partitions)
    sharpe = _record_sharpe(blocks)
    best = int(np.argmax(sharpe))
    lost = np.zeros(sharpe.size, np.int64)
    _cscv.count_lost(blocks.table, blocks.means, best, blocks.rows // 2, _order(blocks.partitions // 2), lost)
    is_poor = sharpe <= sharpe[best] * POOR if sharpe[best] > 0 else sharpe < sharpe[best]
    splits = comb(blocks.partitions, blocks.partitions // 2)
    return np.asarray(is_poor & (lost >= share * splits), dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Blocks:
    """The data of the splits: the rows used, and Σ and Σ² over each block.

    `returns` times `scale` are what is judged. The scale of a column is a power of two: exact, without effect on its
    Sharpe ratio, and safe to square. `means` are those of the scaled returns. `low` and `high` are the extremes of each
    block, `sums` is (2, S, N) of centred returns, and `table` has their sums over every subset of half the blocks.
    """

    returns: Floats
    scale: Floats
    means: Floats
    traded: Places
    sums: Floats
    table: Floats
    partitions: int
    trimmed: int
    flat_halves: int

    @property
    def rows(self) -> int:
        return int(self.returns.shape[0])


def _blocks(trials: ArrayLike, partitions: int) -> _Blocks:
    """The trials cut into blocks and summed, or refused."""
    from signoff.stats import _cscv  # noqa: PLC0415 - numba loads only where it is needed

    matrix = unchecked_matrix(trials, "trials")
    refuse_disorder(trials, "trials")
    rows, columns = matrix.shape
    partitions = _checked(rows, columns, partitions)
    trimmed = rows % partitions
    returns = matrix[trimmed:]
    low, high, totals = _cscv.survey(returns, partitions)
    is_sound = np.isfinite(totals).all() and _could_be_returns(low, high)  # the extremes of a column pass over its NaN
    if not (is_sound and _could_be_returns(matrix[:trimmed], matrix[:trimmed])):
        simple_return_columns(trials, "trials")  # names the entry that is not a return
    scale, exponents = _scale(low, high, returns, trials)
    if np.abs(exponents).max() > SAFE_EXPONENT:
        returns = np.ascontiguousarray(np.ldexp(returns, -exponents))
        scale = np.ones(columns)
        low, high, totals = _cscv.survey(returns, partitions)
    means = totals * scale / returns.shape[0]
    sums = _cscv.centred_sums(returns, scale, means, partitions)
    is_zero = (low == 0) & (high == 0)
    bits = np.int64(1) << np.arange(partitions - 1, -1, -1, dtype=np.int64)
    return _Blocks(
        returns=returns,
        scale=scale,
        means=means,
        traded=np.asarray((~is_zero * bits[:, np.newaxis]).sum(axis=0), dtype=np.int64),
        sums=sums,
        table=_subset_sums(sums),
        partitions=partitions,
        trimmed=trimmed,
        flat_halves=_flat_halves(low, high, trials),
    )


def _could_be_returns(low: Floats, high: Floats) -> bool:
    """Whether values between these are surely returns: finite, above −1, and without a gain that must be declared."""
    return bool((low > RUIN).all() and (high <= LARGEST).all())


def _record_sharpe(blocks: _Blocks) -> Floats:
    """Of each trial over all rows used, times a constant."""
    return np.asarray(blocks.means / np.sqrt(blocks.sums[1].sum(axis=0)), dtype=np.float64)


def _checked(rows: int, columns: int, partitions: int) -> int:
    advice = f"take an even number up to {MOST_PARTITIONS}, 16 unless the record is short"
    partitions = whole(partitions, "partitions", at_least=2, advice=advice)
    if partitions % 2 or partitions > MOST_PARTITIONS:
        raise InputError(f"partitions: {partitions} cannot be cut into equal halves in good time; {advice}.")
    if columns < MIN_FAMILY:
        raise InsufficientData(
            f"trials: {columns} column(s); overfitting shows only against at least two. Add every configuration tried."
        )
    if rows < 2:
        raise InsufficientData(f"trials: {rows} row(s); there is nothing to cut into halves.")
    if partitions > rows:
        raise InputError(
            f"partitions: {partitions} blocks cannot be cut from {rows} rows; "
            f"pass at most {min(rows - rows % 2, MOST_PARTITIONS)} or a longer record."
        )
    if (tables := 4 * 8 * columns << (partitions // 2)) > MOST_TABLES:
        raise InputError(
            f"partitions: {partitions} blocks of {columns:,} trials take {tables >> 20:,} MiB of sums, and "
            f"{MOST_TABLES >> 20:,} are the most; {advice}."
        )
    if rows - rows % partitions < 4:
        raise InsufficientData(f"trials: {rows} rows leave halves of fewer than two rows, which have no Sharpe ratio.")
    return partitions


def _subset_sums(sums: Floats) -> Floats:
    """(2, 2^(S/2), 2, N): Σ and Σ² of every subset of both halves of the (2, S, N) blocks.

    The highest bit of a subset is the first block of its half.
    """
    half = sums.shape[1] // 2
    table = np.zeros((2, 1 << half, 2, sums.shape[2]))
    for part in range(2):
        for bit in range(half):
            block = sums[:, (part + 1) * half - 1 - bit]
            np.add(table[part, : 1 << bit], block, out=table[part, 1 << bit : 2 << bit])
    return table


def _scale(low: Floats, high: Floats, returns: Floats, trials: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    """The power of two that brings each column's largest entry between one half and one, and its exponent."""
    extremes = np.stack([low.min(axis=0), high.max(axis=0)])
    if (still := constant_columns(extremes)).size:
        raise InsufficientData(
            f"trials: {column_name(trials, int(still[0]))} is constant ({returns[0, still[0]]:g}) over the "
            f"{returns.shape[0]} rows used; it has no Sharpe ratio. Leave out what never traded, and say so."
        )
    _, exponents = np.frexp(np.abs(extremes).max(axis=0))
    safe = np.clip(exponents, -SAFE_EXPONENT, SAFE_EXPONENT)
    return np.asarray(np.ldexp(1.0, -safe), dtype=np.float64), exponents


def _flat_halves(low: Floats, high: Floats, trials: ArrayLike) -> int:
    """The number of (trial, half) pairs with only zeros; any other constant half is refused."""
    half = low.shape[0] // 2
    is_still = low == high
    count = 0
    for column in np.flatnonzero(is_still.sum(axis=0) >= half):
        values, times = np.unique(low[is_still[:, column], column], return_counts=True)
        if (times[values != 0] >= half).any():
            raise InsufficientData(
                f"trials: {column_name(trials, int(column))} has one and the same return throughout at least "
                "half of the record; a half without variation has no Sharpe ratio."
            )
        count += sum(comb(int(zeros), half) for zeros in times[values == 0])
    return count


def _cross_validated(blocks: _Blocks) -> Floats:
    """(4, splits): rank, keys in and out of sample, and ties of each split's choice."""
    from signoff.stats import _cscv  # noqa: PLC0415 - numba loads only where it is needed
    from signoff.stats._threads import draw  # noqa: PLC0415

    half = blocks.partitions // 2
    order = _order(half)
    results = np.empty((4, comb(blocks.partitions, half)))
    firsts = 1 << (half - 1)  # the subsets without the first block: a pair of complements has one of these
    sizes = np.array([subset.bit_count() for subset in range(firsts)])
    starts = np.concatenate([[0], np.cumsum(np.array([comb(half, count) for count in range(half + 1)])[half - sizes])])

    def validate(first: int, last: int) -> None:
        _cscv.cross_validate(
            blocks.returns,
            blocks.scale,
            blocks.means,
            blocks.traded,
            blocks.table,
            blocks.partitions,
            order,
            starts,
            first,
            last,
            results,
        )

    draw(validate, starts)
    return results


def _order(half: int) -> tuple[Places, Places]:
    """The subsets of `half` blocks by their number of blocks, ascending within each, and where each number begins."""
    blocks = np.array([subset.bit_count() for subset in range(1 << half)])
    begins = np.concatenate([[0], np.cumsum(np.bincount(blocks, minlength=half + 1))])
    return np.argsort(blocks, kind="stable").astype(np.int64), begins.astype(np.int64)


def _sharpe(key: Floats, n: int) -> Floats:
    """From u|u|/v: (u/n) / √(v/(n − 1))."""
    return np.asarray(np.sign(key) * np.sqrt(np.abs(key) * (n - 1)) / n, dtype=np.float64)


def _median_ratio(in_sample: Floats, out_of_sample: Floats) -> float | None:
    gained = in_sample > 0
    ratios = out_of_sample[gained] / in_sample[gained]
    if not ratios.size:
        return None
    middle = ratios.size // 2
    ratios.partition(middle)
    upper = float(ratios[middle])
    return upper if ratios.size % 2 else (float(ratios[:middle].max()) + upper) / 2


def _slope(in_sample: Floats, out_of_sample: Floats) -> float | None:
    """Summed without the linear algebra library, whose threads would wait for the kernel's."""
    if is_constant(in_sample):
        return None
    centred = in_sample - in_sample.mean()
    return float((centred * out_of_sample).sum() / (centred * centred).sum())
