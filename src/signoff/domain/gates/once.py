"""What several gates compute of the same evidence is computed once in an assessment, and forgotten with it."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

T = TypeVar("T")
# What was computed, by its name, the object that it is of, and how; the object stays alive, so that its id stays its.
_FOUND: Final[ContextVar[dict[Hashable, tuple[object, Any]] | None]] = ContextVar("found", default=None)


@contextmanager
def one_assessment() -> Iterator[None]:
    """Keep what `once` computes until this assessment ends."""
    token = _FOUND.set({})
    try:
        yield
    finally:
        _FOUND.reset(token)


def once(name: str, of: object, how: Hashable, compute: Callable[[], T]) -> T:
    """The result of `compute` on this very object; computed anew outside an assessment, and after an error."""
    found = _FOUND.get()
    if found is None:
        return compute()
    key = (name, id(of), how)
    if key not in found:
        found[key] = (of, compute())
    result: T = found[key][1]
    return result
