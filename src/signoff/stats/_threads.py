"""Independent pieces of one computation on every core.

The compiled kernels release the interpreter and write to separate places, so that the number of threads can change
nothing but the time. numba says how many threads there may be (`NUMBA_NUM_THREADS`, `numba.set_num_threads`).
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from numba import get_num_threads

PIECES_PER_THREAD: Final = 4


def in_pieces(work: Callable[[int, int], None], total: int) -> None:
    """Call `work(first, last)` until 0 to `total` is covered; the first error is raised once all have ended."""
    threads = min(get_num_threads(), total)
    if threads <= 1:
        work(0, total)
        return
    count = min(total, threads * PIECES_PER_THREAD)
    edges = [total * piece // count for piece in range(count + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, first, last) for first, last in itertools.pairwise(edges)]:
            done.result()
