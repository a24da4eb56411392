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
from signoff.stats.sample import Floats, is_constant, matrix

MIN_FAMILY: Final = 2
MOST_PARTITIONS: Final = 24
CONVENTION: Final = (
    "CSCV (Bailey, Borwein, López de Prado and Zhu 2015): oldest T mod S rows dropped; Sharpe ratio with ddof = 1, 0 for "
    "a half without any return; first in-sample maximum; average out-of-sample rank / (N + 1); PBO = mean(λ ≤ 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbabilityOfBacktestOverfitting:
    """What CSCV found over `splits` splits, the arrays in lexicographic order of the in-sample blocks.

    `is_oos_ratio` is the median of OOS*/IS* over the splits with IS* > 0, None where there is none; `slope` that of OOS*
    on IS*, None where IS* does not vary; both Sharpe ratios are per period. `ties` counts the splits whose chosen trial
    shared its out-of-sample rank, `flat_halves` the (trial, half) pairs without a single nonzero return.
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


def probability_of_backtest_overfitting(
    trials: ArrayLike, *, partitions: int = 16
) -> ProbabilityOfBacktestOverfitting:
    """CSCV over a family of trials (Bailey, Borwein, López de Prado and Zhu 2015, section 2.2).

    Parameters
    ----------
    trials : (T, N) returns per period, a column for every configuration that was tried, oldest row first.
    partitions : S, even; the rows are cut into S blocks, and each of the C(S, S/2) halves is in-sample once.

    Notes
    -----
    n* is the first in-sample argmax of the Sharpe ratio, ω its average rank out of sample over N + 1, λ = ln(ω/(1 − ω)).
    `pbo` = mean(λ ≤ 0), `pbo_strict` = mean(λ < 0). `n` is the number of rows used.

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
    _check(rows, columns, partitions)
    trimmed = rows % partitions
    returns = _to_unit_scale(given[trimmed:])
    flat_halves = _flat_halves(returns, partitions)
    splits = comb(partitions, partitions // 2)
    rank, inside, outside = _cross_validated(returns, partitions, splits)
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
        flat_halves=flat_halves,
        convention=CONVENTION,
    )
