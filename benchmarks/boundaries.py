"""Where a process can be killed: before and after every commit, and before and after every change to a file.

Installed in a fork, it counts the boundaries that the process passes, writes each down, and ends the process with
SIGKILL at the one that was asked for. Commits are those of the database's connection, whoever makes them: events with
state and outbox, leases, done marks, stored answers. Files are replaced, renamed and removed through three calls of the
operating system: blobs, folders of releases, the journal of kills, the broker's book, notices, anchors, the registry.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

_lock = threading.Lock()
_passed = [0]


def install(*, trace: str, within: str, at: int = 0) -> None:
    """Count boundaries, tell each to `trace`, and die at the n-th; 0 for never. Files count inside of `within`."""
    told = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def reach(name: str) -> None:
        with _lock:
            _passed[0] += 1
            os.write(told, f"{name}\n".encode())
            if _passed[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    def around(name: Callable[..., str | None], call: Callable[..., Any]) -> Callable[..., Any]:
        def bounded(*arguments: Any, **named: Any) -> Any:
            what = name(*arguments)
            if what is None:
                return call(*arguments, **named)
            reach(f"before {what}")
            result = call(*arguments, **named)
            reach(f"after {what}")
            return result

        return bounded

    def of_file(*paths: Any) -> str | None:
        path = Path(os.fspath(paths[-1])) if isinstance(paths[-1], str | Path) else None
        if path is None or within not in str(path) or path.name.startswith("signoff.db"):
            return None
        return f"file {_kind(path)}"

    Connection.commit = around(lambda *_: f"commit {_caller()}", Connection.commit)  # type: ignore[method-assign]
    os.replace = around(of_file, os.replace)
    os.rename = around(of_file, os.rename)
    os.unlink = around(lambda path: of_file(path) if str(path).endswith(".kill") else None, os.unlink)
    shutil.rmtree = around(lambda path, *_: of_file(path), shutil.rmtree)  # type: ignore[assignment]


def _kind(path: Path) -> str:
    """Which kind of file, without the names that change from run to run."""
    parts = path.relative_to(path.anchor).parts
    start = next((n for n, part in enumerate(parts) if part in {"home", "registry"}), len(parts) - 1)
    kept = [part for part in parts[start : start + 3] if len(part) < 60]
    kind = "/".join("blob" if "blobs" in kept and n else part for n, part in enumerate(kept[:2]))
    return f"{kind}/{path.name}" if kind.endswith("releases") else kind


def _caller() -> str:
    """The function of ours that commits."""
    frame = sys._getframe(2)  # noqa: SLF001 - who commits is known to the stack alone
    while frame is not None:
        code = frame.f_code
        where = Path(code.co_filename)
        if "signoff" in where.parts and where.stem != "database":
            return f"{where.stem}.{code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"


def passed(trace: Path) -> list[str]:
    """The boundaries that a process passed, in order."""
    return trace.read_text().splitlines() if trace.exists() else []
