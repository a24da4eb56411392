"""Code of packages that would end the process: `os._exit` in its thread raises SystemExit, and leaves others alone."""

import os
import threading
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

T = TypeVar("T")
_FOREIGN: Final = threading.local()
_real = os._exit


def kept_alive(call: Callable[[], T]) -> T:
    """The answer of a call, in a thread in which nothing ends the process before what was done is said."""
    if os._exit is not _refusing:
        os._exit = _refusing
    _FOREIGN.pid = os.getpid()
    try:
        return call()
    finally:
        _FOREIGN.pid = None


def _refusing(status: int) -> NoReturn:
    if getattr(_FOREIGN, "pid", None) == os.getpid():  # a process that was forked there ends as it wants
        raise SystemExit(status)
    _real(status)
