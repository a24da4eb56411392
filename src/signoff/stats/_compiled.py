"""Compiled functions whose code numba keeps on disk where it can. Where no folder takes it, each process compiles anew.

numba keeps it beside the package, in the folder that NUMBA_CACHE_DIR names, or in the user's home. A service account
may have none of these that it can write to: that costs seconds, and keeps nobody from a result.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - numba's own options
    """The decorator of a function that is compiled without Python's lock."""

    def decorate(function: Function) -> Function:
        try:
            made: Function = njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            made = njit(nogil=True, **options)(function)
        return made

    return decorate
