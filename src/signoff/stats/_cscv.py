"""The loops of combinatorially symmetric cross-validation, compiled.

Blocks are summed once (Σ and Σ² of centred returns) and the 2^(S/2) subsets of either half of the blocks are tabulated,
so that every column's sums over a split are one addition of two table rows. Sharpe ratios are only ranked here, and
u|u|/v has the same order without a square root. A split and its complement are one visit, each out of sample for the
other.

The kernels get only input validated by `overfitting`. They are compiled without fast-math, so that no operation is
reordered. Division follows numpy's rules, because a test for zero would prevent vector instructions; every divisor is
positive anyway. Any range of splits can be computed apart from the others.
"""

import numpy as np
from numpy.typing import NDArray

from signoff.stats._compiled import compiled
from signoff.stats.sample import Floats

Places = NDArray[np.int64]

CANCELLED = 1e-6
"""A variance below this share of Σ² has lost digits to cancellation and is recomputed from the rows."""

NIL = 1e-24
"""A key below this share of the rows is zero: rounding leaves a ratio of 1e-12 of returns that cancel out."""

TIED = 1e-9
"""Keys that agree to this share are equal, so that rounding does not rank trials that traded alike."""


@compiled(error_model="numpy")
def survey(returns: Floats, partitions: int) -> tuple[Floats, Floats, Floats]:  # pragma: no cover - compiled
    """The smallest and largest return of each block and column, (S, N) each, and the columns' totals in row order."""
    rows, columns = returns.shape
    length = rows // partitions
    low, high = np.empty((partitions, columns)), np.empty((partitions, columns))
    totals = np.zeros(columns)
    for block in range(partitions):
        for place in range(columns):
            column = np.uint64(place)
            low[block, column] = high[block, column] = returns[block * length, column]
        for row in range(block * length, (block + 1) * length):
            for place in range(columns):
                column = np.uint64(place)
                value = returns[row, column]
                # `min` and `max` have rules for NaN, which prevent vector instructions.
                low[block, column] = value if value < low[block, column] else low[block, column]  # noqa: FURB136
                high[block, column] = value if value > high[block, column] else high[block, column]  # noqa: FURB136
                totals[column] += value
    return low, high, totals


@compiled(error_model="numpy")
def centred_sums(returns: Floats, scale: Floats, means: Floats, partitions: int) -> Floats:  # pragma: no cover
    """(2, S, N): Σ and Σ² of every block, of `returns` times `scale` less `means`."""
    rows, columns = returns.shape
    length = rows // partitions
    sums = np.zeros((2, partitions, columns))
    for block in range(partitions):
        for row in range(block * length, (block + 1) * length):
            for place in range(columns):
                column = np.uint64(place)
                centred = returns[row, column] * scale[column] - means[column]
                sums[0, block, column] += centred
                sums[1, block, column] += centred * centred
    return sums


@compiled(error_model="numpy")
def cross_validate(
    returns: Floats,
    scale: Floats,
    means: Floats,
    traded: Places,
    table: Floats,
    partitions: int,
    order: tuple[Places, Places],
    starts: Places,
    first: int,
    last: int,
    results: Floats,
) -> None:  # pragma: no cover - compiled
    """Fill (4, splits) `results` for the pairs of complements whose first half of the blocks is `first` to `last`.

    Its rows are, for each split's in-sample best: rank out of sample, keys in and out of sample, and ties.

    `returns` is (T, N) with T a multiple of `partitions`, `means` are those of `returns` times `scale`, and `traded`
    has a bit for each block of a column that is not all zero. `order` holds the subsets of half the blocks by their
    number of blocks, and where each number begins. `starts[f]` is how many pairs come before subset f of the first
    half; splits are in lexicographic order of their in-sample blocks. A rank counts from 1 and is the average over
    ties; a trial alone on its rank has one tie, itself.
    """
    columns, splits = returns.shape[1], results.shape[1]
    half = partitions // 2
    everything = (1 << half) - 1
    subsets, begins = order
    one, other, room = np.empty(columns), np.empty(columns), np.empty(1)
    for subset in range(first, last):
        blocks = 0
        for bit in range(half):
            blocks += (subset >> bit) & 1
        begin, end = begins[half - blocks], begins[half - blocks + 1]
        for position in range(begin, end):
            second = subsets[position]
            _write_keys(returns, scale, means, traded, table, partitions, subset, second, one, other, everything)
            place = starts[subset] + position - begin
            _compare(one, other, splits - 1 - place, results, room)
            _compare(other, one, place, results, room)


@compiled(error_model="numpy")
def _write_keys(
    returns: Floats,
    scale: Floats,
    means: Floats,
    traded: Places,
    table: Floats,
    partitions: int,
    subset: int,
    second: int,
    one: Floats,
    other: Floats,
    everything: int,
) -> None:  # pragma: no cover - compiled
    """u|u|/v of every column over the blocks of two subsets, and over all others: u the sum, v the centred squares."""
    n = returns.shape[0] // 2
    nil = NIL * n
    doubtful = 0
    far, beyond = everything ^ subset, everything ^ second
    for place in range(one.size):
        column = np.uint64(place)
        shift = n * means[column]
        centred = table[0, subset, 0, column] + table[1, second, 0, column]
        square = table[0, subset, 1, column] + table[1, second, 1, column]
        spread = square - centred * centred / n
        total = centred + shift
        doubtful += 1 if spread <= CANCELLED * square else 0
        key = total * abs(total) / (spread if spread > 0.0 else 1.0)
        one[column] = key if abs(key) > nil else 0.0
        centred = table[0, far, 0, column] + table[1, beyond, 0, column]
        square = table[0, far, 1, column] + table[1, beyond, 1, column]
        spread = square - centred * centred / n
        total = centred + shift
        doubtful += 1 if spread <= CANCELLED * square else 0
        key = total * abs(total) / (spread if spread > 0.0 else 1.0)
        other[column] = key if abs(key) > nil else 0.0
    if doubtful:
        _repair(returns, scale, traded, table, partitions, subset, second, one)
        _repair(returns, scale, traded, table, partitions, far, beyond, other)


@compiled(error_model="numpy")
def _repair(
    returns: Floats,
    scale: Floats,
    traded: Places,
    table: Floats,
    partitions: int,
    subset: int,
    second: int,
    keys: Floats,
) -> None:  # pragma: no cover - compiled
    """Recompute in two passes the keys of columns whose variance has lost digits; 0 if all returns are zero."""
    n, half = returns.shape[0] // 2, partitions // 2
    length = returns.shape[0] // partitions
    mask = (subset << half) | second
    for column in range(keys.size):
        centred = table[0, subset, 0, column] + table[1, second, 0, column]
        square = table[0, subset, 1, column] + table[1, second, 1, column]
        if square - centred * centred / n > CANCELLED * square:
            continue
        keys[column] = 0.0
        if (traded[column] & mask) == 0:
            continue
        total, spread = 0.0, 0.0
        for visit in range(2):
            mean = total / n
            for row in range(returns.shape[0]):
                if (mask >> (partitions - 1 - row // length)) & 1:
                    value = returns[row, column] * scale[column]
                    if visit == 0:
                        total += value
                    else:
                        spread += (value - mean) ** 2
        if spread > 0.0:
            key = total * abs(total) / spread
            keys[column] = key if abs(key) > NIL * n else 0.0


@compiled(error_model="numpy")
def _compare(
    within: Floats, beyond: Floats, place: int, results: Floats, room: Floats
) -> None:  # pragma: no cover - compiled
    """Write the rank in `beyond` of the first maximum of `within`; `room` is for one number."""
    room.view(np.int64)[0] = _largest_bits(within.view(np.int64))
    largest = room[0]
    edge = largest - TIED * abs(largest)
    near, best = 0, 0
    for position in range(within.size):
        column = np.uint64(position)
        is_near = within[column] >= edge
        near += 1 if is_near else 0
        best += position if is_near else 0
    if near != 1:
        best = 0
        while within[best] < edge:
            best += 1
    chosen = beyond[best]
    margin = TIED * abs(chosen)
    lowest = chosen - margin
    below, equal = 0, 0
    for position in range(beyond.size):
        column = np.uint64(position)
        below += 1 if beyond[column] < lowest else 0
        equal += 1 if abs(beyond[column] - chosen) <= margin else 0
    results[0, place] = below + (equal + 1) / 2
    results[1, place] = within[best]
    results[2, place] = chosen
    results[3, place] = equal


@compiled(error_model="numpy")
def _largest_bits(bits: Places) -> np.int64:  # pragma: no cover - compiled
    """The bits of the largest of some floats without negative zeros.

    Bits of positive floats have the order of integers, and those of negative ones the reverse. A maximum of integers
    uses vector instructions, which one of floats, with its rules for NaN, does not.
    """
    most: np.int64 = bits[0]
    for position in range(bits.size):
        most = max(most, bits[np.uint64(position)])
    if most >= 0:
        return most
    least: np.int64 = bits[0]
    for position in range(bits.size):
        least = min(least, bits[np.uint64(position)])
    return least


@compiled(error_model="numpy")
def count_lost(
    table: Floats, means: Floats, best: int, n: int, order: tuple[Places, Places], lost: Places
) -> None:  # pragma: no cover - compiled
    """Add to (N,) `lost` the number of halves in which each column's key is below that of column `best`."""
    half = order[1].size - 2
    subsets, begins = order
    for subset in range(table.shape[1]):
        blocks = 0
        for bit in range(half):
            blocks += (subset >> bit) & 1
        for position in range(begins[half - blocks], begins[half - blocks + 1]):
            second = subsets[position]
            key = _plain_key(table, means, subset, second, best, n)
            edge = key - TIED * abs(key)
            for column in range(lost.size):
                lost[column] += 1 if _plain_key(table, means, subset, second, column, n) < edge else 0


@compiled(error_model="numpy", inline="always")
def _plain_key(
    table: Floats, means: Floats, subset: int, second: int, column: int, n: int
) -> float:  # pragma: no cover - compiled
    centred = table[0, subset, 0, column] + table[1, second, 0, column]
    spread = table[0, subset, 1, column] + table[1, second, 1, column] - centred * centred / n
    total = centred + n * means[column]
    key: float = total * abs(total) / (spread if spread > 0.0 else 1.0)
    return key
