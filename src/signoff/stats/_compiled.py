"""Compiled functions, whose code numba caches on disk if it can; otherwise each process compiles anew.

numba caches beside the package, in NUMBA_CACHE_DIR, or in the user's home. A service account may have write access to
none of these; that costs seconds and nothing else.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - numba's own options
    """The decorator of a function that is compiled to run without Python's lock."""

    def decorate(function: Function) -> Function:
        try:
            fast: Function = njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            fast = njit(nogil=True, **options)(function)
        return fast

    return decorate
