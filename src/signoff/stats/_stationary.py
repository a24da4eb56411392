"""The inner loop of the stationary bootstrap, compiled.

A resample is a list of blocks, and a block's sum is the difference of two rows of prefix sums, so that a resample costs
one visit per block instead of one per row. Only the largest statistic of each resample is kept.

The kernel sees only what `bootstrap` has validated. It is compiled without fast-math and runs in one thread.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from signoff.stats.sample import Floats


@njit(cache=True, nogil=True)
def largest_statistics(
    prefix: Floats,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    ends: NDArray[np.int64],
    weights: Floats,
    offsets: Floats,
    floor: float,
) -> Floats:  # pragma: no cover - compiled
    """(R, C) of each resample and recentring, the largest weights[k] × (mean_k + offsets[c, k]), at least `floor`.

    `prefix` is (n + 1, K) sums of demeaned columns; resample r consists of the blocks from `ends[r]` to `ends[r + 1]`,
    each `lengths` rows from row `starts` on, wrapping around once at most.
    """
    n, columns = prefix.shape[0] - 1, prefix.shape[1]
    resamples, recentrings = ends.size - 1, offsets.shape[0]
    largest = np.full((resamples, recentrings), floor)
    total = np.empty(columns)
    for resample in range(resamples):
        total[:] = 0.0
        for block in range(ends[resample], ends[resample + 1]):
            start, stop = starts[block], starts[block] + lengths[block]
            if stop <= n:
                for column in range(columns):
                    total[column] += prefix[stop, column] - prefix[start, column]
            else:
                for column in range(columns):
                    total[column] += prefix[n, column] - prefix[start, column] + prefix[stop - n, column]
        for recentring in range(recentrings):
            best = floor
            for column in range(columns):
                value = weights[column] * (total[column] / n + offsets[recentring, column])
                best = max(best, value)
            largest[resample, recentring] = best
    return largest
