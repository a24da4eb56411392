"""Independent pieces of one computation on every core.

The compiled kernels release Python's lock and write to separate places, so the number of threads changes only the time.
numba sets the number of threads (`NUMBA_NUM_THREADS`, `numba.set_num_threads`).
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

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


def draw(work: Callable[[int, int], None], starts: Sequence[int] | NDArray[np.int64]) -> None:
    """Call `work(first, last)` until every item is covered; `starts[i]` is the work before item i.

    Pieces have about equal work. The caller and one thread fewer than cores take them from one list, which costs less
    than a pool. The first error is raised once all have ended.
    """
    items, total = len(starts) - 1, int(starts[-1])
    threads = min(get_num_threads(), items)
    wanted = total * np.arange(1, threads * PIECES_PER_THREAD) / (threads * PIECES_PER_THREAD)
    edges = np.unique(np.concatenate([[0], np.searchsorted(np.asarray(starts), wanted), [items]])).tolist()
    left = list(itertools.pairwise(edges))[::-1]
    errors: list[BaseException] = []

    def take() -> None:
        try:
            while (piece := _next(left)) is not None and not errors:
                work(*piece)
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            errors.append(error)

    others = [threading.Thread(target=take, daemon=True) for _ in range(threads - 1)]
    for other in others:
        other.start()
    take()
    for other in others:
        other.join()
    if errors:
        raise errors[0]


def _next(left: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The next piece, or None; two threads may ask at once."""
    try:
        return left.pop()
    except IndexError:
        return None
