"""Child processes that end with the process that started them.

When a server stops, its threads may be waiting for assessments that take minutes. Ending the child processes ends those
waits. The assessment is then not recorded, and the same request can be sent again.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock

_lock = Lock()
_running: set[subprocess.Popen[bytes]] = set()
_is_over = False


def start(line: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in its own session, with pipes for its three streams."""
    with _lock:
        process = subprocess.Popen(  # noqa: S603 - callers name our own programs
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
        _running.add(process)
        is_late = _is_over
    if is_late:
        end(process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group now, and close its streams."""
    _kill(process)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    with _lock:
        _running.discard(process)


def end_all() -> None:
    """End every child, and every child started from now on, because this process stops."""
    global _is_over  # noqa: PLW0603 - a process stops once
    with _lock:
        _is_over = True
        processes = tuple(_running)
    for process in processes:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
