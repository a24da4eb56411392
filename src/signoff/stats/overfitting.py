"""Probability of backtest overfitting: how often does the best configuration in-sample disappoint out of sample?

Combinatorially symmetric cross-validation over *all* configurations that were tried. It judges the selection, not the
model: a family of pure noise stays below one half 37 to 53 percent of the time, so `deflated` belongs beside it.
"""

from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sample import Flags, Floats, constant_columns, is_constant, matrix, whole

MIN_FAMILY: Final = 2
MOST_PARTITIONS: Final = 24
MOST_TABLES: Final = 1 << 30
"""Bytes of the four tables of sums and squares over every subset of half the blocks."""
HALVES_AT_A_TIME: Final = 1024
TIED: Final = 1e-9
POOR: Final = 1 / 3
CONVENTION: Final = (
    "CSCV (Bailey, Borwein, López de Prado and Zhu 2015): oldest T mod S rows dropped; Sharpe ratio with ddof = 1, 0 "
    "for a half without any return; first in-sample maximum; average out-of-sample rank / (N + 1); PBO = mean(λ ≤ 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbabilityOfBacktestOverfitting:
    """What CSCV found over `splits` splits, the arrays in lexicographic order of the in-sample blocks.

    `is_oos_ratio` is the median of OOS*/IS* over the splits with IS* > 0, None where there is none; `slope` is that of
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
    given = matrix(trials, "trials")
    rows, columns = given.shape
    partitions = _checked(rows, columns, partitions)
    trimmed = rows % partitions
    returns = _to_unit_scale(given[trimmed:])
    flat_halves = _flat_halves(returns, partitions)
    splits = comb(partitions, partitions // 2)
    rank, inside, outside, tied = _cross_validated(returns, partitions, splits)
    logits = np.log(rank / (columns + 1 - rank))
    in_sample, out_of_sample = _sharpe(inside, returns.shape[0] // 2), _sharpe(outside, returns.shape[0] // 2)
    return ProbabilityOfBacktestOverfitting(
        pbo=float(np.mean(2 * rank <= columns + 1)),
        pbo_strict=float(np.mean(2 * rank < columns + 1)),
        logits=logits,
        in_sample_sharpe=in_sample,
        out_of_sample_sharpe=out_of_sample,
        is_oos_ratio=_median_ratio(in_sample, out_of_sample),
        slope=_slope(in_sample, out_of_sample),
        probability_of_loss=float(np.mean(out_of_sample < 0)),
        n=rows - trimmed,
        trials=columns,
        partitions=partitions,
        splits=splits,
        rows_trimmed=trimmed,
        ties=int((tied > 1).sum()),
        flat_halves=flat_halves,
        convention=CONVENTION,
    )


def unchoosable(trials: ArrayLike, *, partitions: int = 16, share: float = 0.99) -> Flags:
    """Which trials nobody would choose, so that they only push the others above the median.

    The best trial of the record beats such a trial in at least `share` of the halves of CSCV, and its own Sharpe ratio
    over the record is at most a third of the best one's. The second condition spares a grid of honest parameters, whose
    members differ a little and consistently. The best trial itself is never among them.

    Other parameters and refusals are those of `probability_of_backtest_overfitting`.
    """
    given = matrix(trials, "trials")
    rows, columns = given.shape
    partitions = _checked(rows, columns, partitions)
    returns = _to_unit_scale(given[rows % partitions :])
    means = returns.mean(axis=0)
    blocks = (returns - means).reshape(partitions, -1, columns)
    sums, squares = blocks.sum(axis=1), np.einsum("brn,brn->bn", blocks, blocks)
    n = returns.shape[0] // 2
    sharpe = means / np.sqrt(squares.sum(axis=0))
    best = int(np.argmax(sharpe))
    lost = np.zeros(columns)
    chosen = _halves(partitions)
    for begin in range(0, len(chosen), HALVES_AT_A_TIME):
        part = chosen[begin : begin + HALVES_AT_A_TIME]
        centred = part @ sums
        spread = np.maximum(part @ squares - centred**2 / n, 0.0)
        ratio = (centred + n * means) / np.sqrt(np.where(spread > 0, spread, 1.0))
        margin = TIED * np.abs(ratio[:, [best]])
        lost += (ratio < ratio[:, [best]] - margin).sum(axis=0)
    is_poor = sharpe <= sharpe[best] * POOR if sharpe[best] > 0 else sharpe < sharpe[best]
    return np.asarray(is_poor & (lost >= share * len(chosen)), dtype=np.bool_)


def _halves(partitions: int) -> Floats:
    """(splits, S): 1 where a block belongs to the half."""
    masks = np.arange(1 << partitions, dtype=np.uint32)
    bits = (masks[:, np.newaxis] >> np.arange(partitions, dtype=np.uint32)) & 1
    return np.asarray(bits[bits.sum(axis=1) == partitions // 2], dtype=np.float64)


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


def _to_unit_scale(returns: Floats) -> Floats:
    """Each column times a power of two: exact, without effect on its Sharpe ratio, and safe to square."""
    if (still := constant_columns(returns)).size:
        raise InsufficientData(
            f"trials: column {still[0]} is constant ({returns[0, still[0]]:g}) over the {returns.shape[0]} rows used; "
            "it has no Sharpe ratio. Leave out what never traded, and say so."
        )
    _, exponents = np.frexp(np.abs(returns).max(axis=0))
    return np.asarray(np.ldexp(returns, -exponents), dtype=np.float64)


def _flat_halves(returns: Floats, partitions: int) -> int:
    """How many (trial, half) pairs hold only zeros. Any other constant half is refused."""
    half = partitions // 2
    blocks = returns.reshape(partitions, -1, returns.shape[1])
    first = blocks[:, 0, :]
    is_still = (blocks.max(axis=1) == first) & (blocks.min(axis=1) == first)
    count = 0
    for column in np.flatnonzero(is_still.sum(axis=0) >= half):
        values, times = np.unique(first[is_still[:, column], column], return_counts=True)
        if (times[values != 0] >= half).any():
            raise InsufficientData(
                f"trials: column {column} has one and the same return throughout at least half of the record; "
                "a half without variation has no Sharpe ratio."
            )
        count += sum(comb(int(zeros), half) for zeros in times[values == 0])
    return count


def _cross_validated(returns: Floats, partitions: int, splits: int) -> Floats:
    from signoff.stats import _cscv  # noqa: PLC0415 - numba loads only where it is needed
    from signoff.stats._threads import in_pieces  # noqa: PLC0415

    means = returns.mean(axis=0)
    blocks = (returns - means).reshape(partitions, -1, returns.shape[1])
    sums, squares = blocks.sum(axis=1), np.einsum("brn,brn->bn", blocks, blocks)
    half = partitions // 2
    both_sums = (_cscv.subset_sums(sums[:half]), _cscv.subset_sums(sums[half:]))
    both_squares = (_cscv.subset_sums(squares[:half]), _cscv.subset_sums(squares[half:]))
    found = np.empty((4, splits))

    def validate(first: int, last: int) -> None:
        _cscv.cross_validate(returns, means, both_sums, both_squares, partitions, first, last, found)

    in_pieces(validate, splits // 2)
    return found


def _sharpe(key: Floats, n: int) -> Floats:
    """From u|u|/v: (u/n) / √(v/(n − 1))."""
    return np.asarray(np.sign(key) * np.sqrt(np.abs(key) * (n - 1)) / n, dtype=np.float64)


def _median_ratio(in_sample: Floats, out_of_sample: Floats) -> float | None:
    gained = in_sample > 0
    return float(np.median(out_of_sample[gained] / in_sample[gained])) if gained.any() else None


def _slope(in_sample: Floats, out_of_sample: Floats) -> float | None:
    if is_constant(in_sample):
        return None
    centred = in_sample - in_sample.mean()
    return float(centred @ out_of_sample / (centred @ centred))
