"""Our own commands as real processes that start in a tenth of a second, to be killed again and again.

Importing takes two seconds, so one process imports everything and forks for each command; what runs in the fork is
`signoff.cli.main.main`, as the console script runs it. A hook named `module:function` may be installed in the fork
before the command begins: that is how faults are injected without a line of it in the product.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, Self

HERE: Final = Path(__file__).parent
HOOKS: Final = "CHAOS_HOOKS"


@dataclass(eq=False)
class Running:
    """One process of ours."""

    pid: int
    log: Path
    ended: threading.Event = field(default_factory=threading.Event)
    status: int | None = None

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: int) -> None:
        if not self.ended.is_set():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float = 60) -> int:
        """The exit status, negative for a signal."""
        if not self.ended.wait(seconds):
            raise TimeoutError(f"The process {self.pid} did not end in {seconds} s; its log is {self.log}")
        assert self.status is not None
        return self.status

    @property
    def is_running(self) -> bool:
        return not self.ended.is_set()


class Forge:
    """Starts commands; whatever it started ends with it."""

    def __init__(self, *, nice: int = 0) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        self._lock, self._running = threading.Lock(), dict[int, Running]()
        self._early = dict[int, int]()
        self._started: list[int] = []
        self._told = threading.Semaphore(0)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=(lambda: os.nice(nice)) if nice else None,  # noqa: PLW1509 - before any thread of ours
        )
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(
        self,
        *command: str,
        log: Path,
        hooks: tuple[tuple[str, dict[str, Any]], ...] = (),
        environment: dict[str, str] | None = None,
    ) -> Running:
        """Run one command of `signoff`."""
        asked = {"command": list(command), "log": str(log), "hooks": hooks, "environment": environment or {}}
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            if not self._told.acquire(timeout=60):
                raise TimeoutError("the forge did not answer")
            pid = self._started.pop()
            running = self._running[pid] = Running(pid, log)
            if pid in self._early:
                self._end(pid, self._early.pop(pid))
        return running

    def run(self, *command: str, log: Path, hooks: tuple[tuple[str, dict[str, Any]], ...] = ()) -> int:
        """Run one command to its end; its exit status."""
        return self.start(*command, log=log, hooks=hooks).wait(120)

    def close(self) -> None:
        """End whatever still runs."""
        assert self._process.stdin is not None
        for running in list(self._running.values()):
            running.signal(signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait(20)
        self._ear.join(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "started" in said:
                self._started.append(said["started"])
                self._told.release()
            elif said["ended"] in self._running:
                self._end(said["ended"], said["status"])
            else:
                self._early[said["ended"]] = said["status"]

    def _end(self, pid: int, status: int) -> None:
        running = self._running.pop(pid)
        running.status = status
        running.ended.set()


IMPORTED = (
    "signoff.cli.main",
    "signoff.cli.rollout",
    "signoff.cli.approving",
    "signoff.http.server",
    "signoff.adapters.store_sql",
    "psycopg",
    "anyio",
)


def forge() -> None:
    """Import, then fork for each line that asks; tell when children end. Single-threaded, as a fork wants it."""
    sys.path.insert(0, str(HERE))
    for name in (
        "signoff.cli.session",
        "signoff.cli.rollout",
        "signoff.cli.approving",
        "signoff.cli.main",
        "signoff.http.server",
        "signoff.adapters.store_sql",
        "psycopg",
        "anyio",
    ):
        import_module(name)
    children, stdin = set[int](), sys.stdin.buffer.raw  # type: ignore[attr-defined]  # the raw end, to be selected on
    waiting = b""
    while True:
        ready, _, _ = select.select([stdin], [], [], 0.02)
        if ready:
            if not (read := os.read(stdin.fileno(), 1 << 16)):
                break
            waiting += read
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            asked = json.loads(line)
            if (pid := os.fork()) == 0:
                _become(asked)
            children.add(pid)
            _tell({"started": pid})
        for pid in tuple(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.discard(pid)
                _tell({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _tell(said: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _become(asked: dict[str, Any]) -> None:
    """The command itself, in the fork; never returns."""
    code = 70
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        os.environ.update(asked["environment"])
        for name, how in asked["hooks"]:
            install(name, how)
        from signoff.cli.main import main

        code = main(asked["command"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - a fork must never return into the forge
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def install(name: str, how: dict[str, Any]) -> None:
    """Install one hook, `module:function`, with its arguments."""
    module, _, function = name.partition(":")
    getattr(import_module(module), function)(**how)


def until(holds: Any, seconds: float = 30.0, every: float = 0.02) -> bool:
    """Whether something came to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(every)
    return False


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for people."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


Output = IO[str]

if __name__ == "__main__":
    forge()
