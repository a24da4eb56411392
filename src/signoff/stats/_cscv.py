"""The inner loop of combinatorially symmetric cross-validation, compiled.

Blocks are summed once (Σ and Σ² of centred returns) and the 2^(S/2) subsets of either half of the blocks are tabulated,
so that every column's sums over a split are one addition of two table rows. Sharpe ratios are only ranked here, and
u|u|/v orders as they do without a square root. A split and its complement are one visit: either is the other's out of
sample.

The kernels see only what `overfitting` has validated. They are compiled without fast-math; any range of splits can be
computed apart from the others.
"""

import numpy as np

from signoff.stats._compiled import compiled
from signoff.stats.sample import Floats

CANCELLED = 1e-6
"""A variance below this share of Σ² has lost digits to cancellation, and is taken again from the rows."""

NIL = 1e-24
"""A key below this share of the rows is zero: a ratio of 1e-12 is what rounding leaves of returns that cancel out."""

TIED = 1e-9
"""Keys that agree to this share are one: trials that traded alike over a half must not be ranked by rounding."""


@compiled()
def subset_sums(blocks: Floats) -> Floats:  # pragma: no cover - compiled
    """(2^B, N) sums over every subset of B rows; the highest bit of the row number stands for the first block."""
    count, columns = blocks.shape
    sums = np.zeros((1 << count, columns))
    for bit in range(count):
        for subset in range(1 << bit):
            for column in range(columns):
                sums[subset | (1 << bit), column] = sums[subset, column] + blocks[count - 1 - bit, column]
    return sums


@compiled()
def cross_validate(
    returns: Floats,
    means: Floats,
    sums: tuple[Floats, Floats],
    squares: tuple[Floats, Floats],
    partitions: int,
    first: int,
    last: int,
    found: Floats,
) -> None:  # pragma: no cover - compiled
    """Fill (4, splits) `found` for the pairs of complements from `first` to `last` of splits / 2.

    Its rows are of each split's in-sample best the rank out of sample, keys in and out of sample, and ties there.

    `returns` is (T, N) with T a multiple of `partitions`; `sums` and `squares` are the subset tables of the first and
    the second half of the blocks, of `returns` less `means`. Splits are in lexicographic order of their in-sample
    blocks. A rank counts from 1 and is the average over ties; a trial alone on its rank has one tie, itself.
    """
    columns, splits = returns.shape[1], found.shape[1]
    one, other = np.empty(columns), np.empty(columns)
    everything = (1 << partitions) - 1
    mask = (1 << (partitions // 2)) - 1
    for place in range(last):
        if place >= first:
            _write_keys(returns, means, sums, squares, partitions, mask, one)
            _write_keys(returns, means, sums, squares, partitions, everything ^ mask, other)
            _compare(one, other, splits - 1 - place, found)
            _compare(other, one, place, found)
        lowest = mask & -mask
        ripple = mask + lowest
        mask = (((ripple ^ mask) >> 2) // lowest) | ripple


@compiled()
def _write_keys(
    returns: Floats,
    means: Floats,
    sums: tuple[Floats, Floats],
    squares: tuple[Floats, Floats],
    partitions: int,
    mask: int,
    keys: Floats,
) -> None:  # pragma: no cover - compiled
    """u|u|/v of every column over the blocks in `mask`: u its sum, v its centred sum of squares."""
    half = partitions // 2
    n = returns.shape[0] // 2
    first, second = mask >> half, mask & ((1 << half) - 1)
    first_sum, second_sum = sums[0][first], sums[1][second]
    first_square, second_square = squares[0][first], squares[1][second]
    doubtful = 0
    for column in range(keys.size):
        centred = first_sum[column] + second_sum[column]
        square = first_square[column] + second_square[column]
        spread = square - centred * centred / n
        total = centred + n * means[column]
        doubtful += 1 if spread <= CANCELLED * square else 0
        keys[column] = _key(total, spread, n)
    if doubtful:
        for column in range(keys.size):
            centred = first_sum[column] + second_sum[column]
            square = first_square[column] + second_square[column]
            if square - centred * centred / n <= CANCELLED * square:
                keys[column] = _exact_key(returns, partitions, mask, column)


@compiled()
def _exact_key(returns: Floats, partitions: int, mask: int, column: int) -> float:  # pragma: no cover - compiled
    """The key in two passes over the rows; 0 where every return is zero."""
    rows = returns.shape[0] // partitions
    total = 0.0
    for block in range(partitions):
        if (mask >> (partitions - 1 - block)) & 1:
            for row in range(block * rows, (block + 1) * rows):
                total += returns[row, column]
    mean = total / (returns.shape[0] // 2)
    spread = 0.0
    for block in range(partitions):
        if (mask >> (partitions - 1 - block)) & 1:
            for row in range(block * rows, (block + 1) * rows):
                spread += (returns[row, column] - mean) ** 2
    return _key(total, spread, returns.shape[0] // 2) if spread > 0.0 else 0.0


@compiled(inline="always")
def _key(total: float, spread: float, n: int) -> float:  # pragma: no cover - compiled
    key = total * abs(total) / (spread if spread > 0.0 else 1.0)
    return key if abs(key) > NIL * n else 0.0


@compiled()
def _compare(within: Floats, beyond: Floats, place: int, found: Floats) -> None:  # pragma: no cover - compiled
    """Write where the first maximum of `within` stands in `beyond`."""
    largest = within[0]
    for column in range(1, within.size):
        largest = max(largest, within[column])
    best = 0
    while within[best] < largest - TIED * abs(largest):
        best += 1
    chosen = beyond[best]
    margin = TIED * abs(chosen)
    below, equal = 0, 0
    for column in range(beyond.size):
        below += 1 if beyond[column] < chosen - margin else 0
        equal += 1 if abs(beyond[column] - chosen) <= margin else 0
    found[0, place] = below + (equal + 1) / 2
    found[1, place] = within[best]
    found[2, place] = chosen
    found[3, place] = equal
