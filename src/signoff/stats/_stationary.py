"""The inner loop of the stationary bootstrap, compiled.

A resample is a list of blocks, and a block's sum is the difference of two rows of prefix sums, so that a resample costs
one visit per block instead of one per row. Only the largest statistic of each resample is kept.

The kernel gets only input validated by `bootstrap`. It is compiled without fast-math; any set of resamples can be
computed apart from the others.
"""

import numpy as np
from numpy.typing import NDArray

from signoff.stats._compiled import compiled
from signoff.stats.sample import Floats

TILE = 96
"""The most columns in a tile, whose prefix sums stay in a core's cache for all resamples."""


@compiled()
def largest_statistics(
    prefix: Floats,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    ends: NDArray[np.int64],
    weights: Floats,
    offsets: Floats,
    largest: Floats,
) -> None:  # pragma: no cover - compiled
    """Raise (R, C) `largest` to each resample's and test's largest weights[c, k] × (mean_k + offsets[c, k]).

    `prefix` is (tiles, n + 1, width) sums of demeaned columns, the last tile padded with unused columns; resample r has
    the blocks from `ends[r]` to `ends[r + 1]`, each `lengths` rows from row `starts` on, wrapping around at most once.
    """
    n, tests, columns = prefix.shape[1] - 1, offsets.shape[0], offsets.shape[1]
    width = prefix.shape[2]
    total = np.empty(width)
    for tile in range(prefix.shape[0]):
        here, base = prefix[tile], tile * width
        used = min(width, columns - base)
        for resample in range(largest.shape[0]):
            total[:] = 0.0
            for block in range(ends[resample], ends[resample + 1]):
                start, stop = starts[block], starts[block] + lengths[block]
                if stop <= n:
                    high, low = here[stop], here[start]
                    for column in range(width):
                        total[column] += high[column] - low[column]
                else:
                    low, high, whole = here[start], here[stop - n], here[n]
                    for column in range(width):
                        total[column] += whole[column] - low[column] + high[column]
            for test in range(tests):
                best = largest[resample, test]
                for column in range(used):
                    value = weights[test, base + column] * (total[column] / n + offsets[test, base + column])
                    best = max(best, value)
                largest[resample, test] = best
