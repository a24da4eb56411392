"""Starting the child process that runs foreign code, and exchanging messages with it within a time limit.

The child first reports which hazards its probes found stopped. Under full isolation, a child with an open hazard is
ended before it loads foreign code. Otherwise it is ended when its work is done, its time is over, or its answer is
invalid.
"""

import json
import os
import selectors
import shutil
import signal
import site
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import polars as pl

import signoff
from signoff.adapters import child_processes
from signoff.adapters.sandbox import child_main, columns
from signoff.domain.environment import Distribution, PythonEnvironment
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.isolation import Hazard, Isolation, Protection

CHUNK: Final = 1 << 20
MOST_ANSWER: Final = 1 << 30
MOST_TASKS: Final = 256
"""The most threads and processes of a child; it needs a few, and a machine has room for some thousands."""
LOOKING_S: Final = 0.2
STARTING_S: Final = 60.0
# Read by the loader, the interpreter and the C library of any program; nothing here is secret.
SYSTEM: Final = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")
PASSED_ON: Final = ("LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class ForeignCodeError(SignoffError):
    """An error that foreign code raised, in its own words."""

    code = "foreigncode"


class BrokenChildError(SignoffError):
    """The child ended early, took too long, or sent an invalid answer: there is no result."""

    code = "brokenchild"


class IsolationError(UnavailableError):
    """Foreign code was not run, since a hazard was not stopped."""

    code = "isolation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The isolation of foreign code at an installation.

    `hidden` are files that the child must not be able to open, `folders` those in which it must not be able to write.
    `packages` are folders of installed modules that foreign code may import, beside those of the interpreter.
    """

    isolation: Isolation = Isolation.FULL
    hidden: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    packages: tuple[Path, ...] = ()
    seconds: float = 600.0
    memory_bytes: int = 4 << 30

    def start(self, folder: Path, *, compute: str = "") -> "Child":
        """A child that may read this folder; `compute` names the function that `Child.compute` calls."""
        return Child(self, folder, compute=compute)

    def specification(self, folder: Path, compute: str) -> dict[str, Any]:
        """The first message to the child: its limits, its paths and what to probe."""
        modules = self.modules
        hidden = [str(path.resolve()) for path in self.hidden if path.exists()]
        return {
            "parent": os.getpid(),
            "modules": modules,
            "readable": [*SYSTEM, *_interpreter(), *modules, str(folder)],
            "hidden": hidden,
            "folders": [str(path.resolve()) for path in (*self.folders, folder, Path("/tmp"), *_own_home())],  # noqa: S108 - tried, and expected to be refused
            "probe": f".signoff-probe-{uuid4().hex}",
            "folder": str(folder),
            "compute": compute,
            "is_confined": sys.platform == "linux",
            "memory_bytes": self.memory_bytes,
            "cpu_seconds": max(1, int(2 * self.seconds)),
        }

    @property
    def modules(self) -> list[str]:
        """The folders of modules: the interpreter's, ours and `packages`, without any that contains hidden files."""
        own = Path(signoff.__file__).parents[1]
        folders = [*_interpreter_modules(), own, *self.packages]
        protected = [path.resolve() for path in (*self.hidden, *self.folders)]
        return list(
            dict.fromkeys(
                str(path)
                for path in (one.resolve() for one in folders)
                if not any(k.is_relative_to(path) for k in protected)
            )
        )


def environment_of(captured: Mapping[str, Any]) -> PythonEnvironment:
    """An environment as it was captured."""
    return PythonEnvironment(
        python=captured["python"], distributions=tuple(Distribution(**each) for each in captured["distributions"])
    )


def detected(sandbox: Sandbox) -> Protection:
    """The protection on this machine, probed now by a child that gets no foreign code."""
    with TemporaryDirectory() as name, replace(sandbox, isolation=Isolation.WEAK).start(Path(name)) as child:
        return child.protection


def _bubble(specification: Mapping[str, Any]) -> tuple[str, ...]:
    """The bubblewrap command that runs the child in its own namespaces; empty where it is not installed."""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None or not specification["is_confined"]:
        return ()
    shown = (part for path in specification["readable"] for part in ("--ro-bind-try", path, path))
    return (
        bubblewrap,
        *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", "65534", "--gid", "65534"),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--dev", "/dev", *shown, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"),
    )


def _interpreter() -> tuple[str, ...]:
    own = (sys.executable, str(Path(sys.prefix, "pyvenv.cfg")))
    return tuple(dict.fromkeys((sys.base_prefix, sys.base_exec_prefix, *own)))


def _interpreter_modules() -> list[Path]:
    paths = sysconfig.get_paths()
    standard = [Path(paths["stdlib"]), Path(paths["platstdlib"]), Path(paths["stdlib"]) / "lib-dynload"]
    return [*standard, *(Path(name) for name in dict.fromkeys((paths["purelib"], paths["platlib"])))]


def installed_packages() -> tuple[Path, ...]:
    """Folders of modules that the operator added to Python, by PYTHONPATH and by `.pth` files."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)  # noqa: TID251 - Python's own setting
    named = [Path(part) for part in entries if part.startswith("/")]
    for place in (*site.getsitepackages(), sysconfig.get_paths()["purelib"]):
        for note in sorted(Path(place).glob("*.pth")):
            with suppress(OSError, UnicodeDecodeError):
                named += [Path(line) for line in note.read_text().splitlines() if line.startswith("/")]
    return tuple(dict.fromkeys(path for path in named if path.is_dir()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The child's measurements as bytes of doubles, and this process's own.

    `singles` are seconds of each call with one row, `batches` the rows of the large table, then seconds of each call
    with it. `took` are this process's seconds for all of these calls, `memory` the child's peak in bytes.
    """

    expected: bytes
    predicted: bytes
    singles: bytes
    batches: bytes
    took: float
    memory: int | None


class Child:
    """One child process for one folder, as a context manager. Every call may raise BrokenChildError."""

    def __init__(self, sandbox: Sandbox, folder: Path, *, compute: str) -> None:
        self._sandbox, self._folder, self._compute = sandbox, folder.resolve(), compute
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0
        self.protection = Protection()
        self.failure: str | None = None

    def __enter__(self) -> Self:
        """Start the child; where Landlock and seccomp do not stop every hazard, start it under bubblewrap instead."""
        specification = self._sandbox.specification(self._folder, self._compute)
        self._begin(specification, ())
        if not self.protection.is_full and (bubble := _bubble(specification)):
            seen = self.protection
            try:
                self._begin(specification, bubble)
            except BrokenChildError:  # bubblewrap is installed, but cannot create namespaces here
                self.failure = None
                self._begin(specification, ())
                self.protection = seen
        if self._sandbox.isolation is Isolation.FULL and not self.protection.is_full:
            self.close()
            within = ", ".join(hazard.words for hazard in self.protection.open_hazards)
            raise IsolationError(
                f"Expected foreign code to be out of reach of everything but its inputs, found within its reach: "
                f"{within}. It was not run. Use a Linux kernel with Landlock (5.13 or newer) and seccomp, or install "
                "bubblewrap; or set SIGNOFF_ISOLATION=weak, which page one of every memo then prints; or, for code of "
                "your own on your own machine, give --trusted."
            )
        self._deadline = time.monotonic() + self._sandbox.seconds
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, specification: Mapping[str, Any], around: tuple[str, ...]) -> None:
        """Start a process and read its report; an earlier process is ended."""
        self.close()
        self._deadline = time.monotonic() + min(STARTING_S, self._sandbox.seconds)
        line = [*around, sys.executable, "-I", "-S", "-B", child_main.__file__]
        self._process = child_processes.start(line, _environment())
        specified = json.dumps({**specification, "parent": None if around else specification["parent"]}).encode()
        try:
            _, content = self._asked(child_main.SPECIFICATION, specified, child_main.READY)
        except BaseException:
            self.close()
            raise
        # A probe file exists where the child could write; the child may be unable to remove it.
        for folder in specification["folders"]:
            with suppress(OSError):
                Path(folder, specification["probe"]).unlink(missing_ok=True)
        report = json.loads(content)
        self.protection = Protection(
            layers=(*(("bubblewrap",) if around else ()), *(str(layer) for layer in report["layers"])),
            stopped=frozenset(Hazard(name) for name in report["stopped"]),
        )

    def compute(self, inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """The features that the function computes from these inputs."""
        packed = [(name, columns.pack(table)) for name, table in inputs.items()]
        names = json.dumps([(name, len(content)) for name, content in packed]).encode()
        request = b"".join((struct.pack(">I", len(names)), names, *(content for _, content in packed)))
        _, content = self._asked(child_main.COMPUTE, request, child_main.TABLE)
        try:
            return columns.unpack(content)
        except columns.ColumnsError as error:
            raise self._broken(f"it answered with no table ({error})") from error

    def environment(self) -> PythonEnvironment:
        """The interpreter and the distributions that the child can import; to be asked before it loads foreign code."""
        _, content = self._asked(child_main.ENVIRONMENT, b"", child_main.LISTED)
        return environment_of(json.loads(content))

    def model(self, declared: Mapping[str, str]) -> tuple[bytes, bytes]:
        """The recorded output for a model's known input, and its present output, as the bytes of doubles."""
        _, expected = self._asked(child_main.MODEL, json.dumps(dict(declared)).encode(), child_main.NUMBERS)
        _, predictions = self._answered(b"", child_main.NUMBERS)
        return expected, predictions

    def benchmark(self, declared: Mapping[str, str], *, calls: int, batch_rows: int, seconds: float) -> "Timings":
        """The times of a registered model in this process, and the most memory that the process used."""
        asked = {**declared, "calls": calls, "batch_rows": batch_rows, "seconds": seconds}
        _, expected = self._asked(child_main.BENCHMARK, json.dumps(asked).encode(), child_main.NUMBERS)
        self._answered(b"", child_main.NUMBERS)  # the model is ready
        began = time.monotonic()
        _, singles = self._answered(b"", child_main.NUMBERS)
        _, batches = self._answered(b"", child_main.NUMBERS)
        took = time.monotonic() - began
        _, predictions = self._answered(b"", child_main.NUMBERS)
        return Timings(
            expected=expected,
            predicted=predictions,
            singles=singles,
            batches=batches,
            took=took,
            memory=self._peak_memory(),
        )

    def _peak_memory(self) -> int | None:
        """The peak memory of the child and its wrapper in bytes; None if the system does not report it."""
        peaks = [peak for process in _descendants(self._started.pid) if (peak := _peak_of(process)) is not None]
        return max(peaks, default=None)

    def close(self) -> None:
        """End the child and its process group."""
        if self._process is not None:
            child_processes.end(self._process)
            self._process = None

    def _asked(self, kind: bytes, content: bytes, wanted: bytes) -> tuple[bytes, bytes]:
        return self._answered(child_main.MESSAGE.pack(kind, len(content)) + content, wanted)

    def _answered(self, request: bytes, wanted: bytes) -> tuple[bytes, bytes]:
        if self.failure is not None:
            raise BrokenChildError(self.failure)
        exchange = _Exchange(self._started, request, self._deadline)
        try:
            kind, content = exchange.result()
        except _EndedError as error:
            raise self._broken(str(error)) from error
        if kind == child_main.PROBLEM:
            raise _raised(content)
        if kind != wanted:
            raise self._broken("it answered something else than it was asked")
        return kind, content

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BrokenChildError("The process that runs foreign code was ended.")
        return self._process

    def _broken(self, reason: str) -> BrokenChildError:
        """End the child and remember why, so that later calls raise the same reason."""
        last_words = "" if self._process is None else _last_words(self._process)
        self.close()
        self.failure = f"the process that ran this code gave no result: {reason}{last_words}"
        return BrokenChildError(self.failure)


class _EndedError(Exception):
    """The reason why the child gave no answer."""


class _Exchange:
    """One request, written while its answer is read, so that full pipes cannot deadlock the two processes."""

    def __init__(self, process: subprocess.Popen[bytes], request: bytes, deadline: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._deadline = process, deadline
        self._to, self._from = process.stdin.fileno(), process.stdout.fileno()
        self._request, self._answer = memoryview(request), bytearray()
        self._look_at = 0.0

    def result(self) -> tuple[bytes, bytes]:
        """The kind and content of the answer."""
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        size = child_main.MESSAGE.size
        with selectors.DefaultSelector() as ready:
            ready.register(self._from, selectors.EVENT_READ)
            if self._request:
                ready.register(self._to, selectors.EVENT_WRITE)
            while len(self._answer) < size or len(self._answer) < size + self._length():
                self._wait(ready)
        kind, _ = child_main.MESSAGE.unpack_from(self._answer)
        return kind, bytes(memoryview(self._answer)[size : size + self._length()])

    def _length(self) -> int:
        _, length = child_main.MESSAGE.unpack_from(self._answer)
        if length > MOST_ANSWER:
            raise _EndedError(f"its answer is {length:,} bytes long, and {MOST_ANSWER:,} are the most")
        return int(length)

    def _wait(self, ready: selectors.BaseSelector) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _EndedError("its time was over before it answered")
        events = ready.select(min(left, LOOKING_S))
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOKING_S
            if (tasks := _tasks_of(self._process.pid)) > MOST_TASKS:
                raise _EndedError(f"it ran {tasks:,} threads at a time, and {MOST_TASKS} are the most")
        for key, _ in events:
            if key.fd == self._to:
                self._write(ready)
            else:
                self._read()

    def _write(self, ready: selectors.BaseSelector) -> None:
        try:
            written = os.write(self._to, self._request[:CHUNK])
        except BlockingIOError:
            return
        except OSError:
            ready.unregister(self._to)  # the child reads no more; it may still have answered
            return
        self._request = self._request[written:]
        if not self._request:
            ready.unregister(self._to)

    def _read(self) -> None:
        wanted = child_main.MESSAGE.size - len(self._answer)
        if wanted <= 0:
            wanted += self._length()
        try:
            part = os.read(self._from, min(CHUNK, wanted))
        except BlockingIOError:
            return
        if not part:
            raise _EndedError(_end_of(self._process))
        self._answer += part


def _descendants(root: int) -> list[int]:
    processes, waiting = list[int](), [root]
    while waiting and len(processes) <= MOST_TASKS:
        processes.append(process := waiting.pop())
        with suppress(OSError):
            for thread in Path("/proc", str(process), "task").iterdir():
                with suppress(OSError):
                    waiting += [int(child) for child in (thread / "children").read_text().split()]
    return processes


def _peak_of(process: int) -> int | None:
    """The peak of a process's resident memory in bytes.

    The kernel's mark covers this process image alone. `ru_maxrss` of a child would include its parent's peak, since
    both share memory until the child is executed.
    """
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc", str(process), "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return None


def _tasks_of(root: int) -> int:
    """The number of threads of a process and its descendants; 0 if the system does not report it.

    The kernel's limit cannot bound one child: it counts every process of the account, the server among them.
    """
    count, waiting = 0, [root]
    while waiting and count <= MOST_TASKS:
        process = Path("/proc", str(waiting.pop()), "task")
        with suppress(OSError):
            for thread in process.iterdir():
                count += 1
                with suppress(OSError):
                    waiting += [int(child) for child in (thread / "children").read_text().split()]
    return count


def _end_of(process: subprocess.Popen[bytes]) -> str:
    with suppress(subprocess.TimeoutExpired):
        status = process.wait(2)
        if status >= 0:
            return f"it ended itself with status {status} before it answered"
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-status).name}, as by a limit on memory or processor time"
    return "it closed its answers"


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """The last line on standard error, which the child writes only while it starts."""
    if process.stderr is None:
        return ""
    os.set_blocking(process.stderr.fileno(), False)
    lines = (process.stderr.read() or b"").decode(errors="replace").strip().splitlines()
    return f" ({lines[-1][:300]})" if lines else ""


def _raised(content: bytes) -> ForeignCodeError:
    try:
        name, text = json.loads(content)
        return ForeignCodeError(f"{name}: {text}")
    except (ValueError, TypeError):
        return ForeignCodeError("an error that it did not describe")


def _environment() -> dict[str, str]:
    """The child's environment: what it needs to run, and nothing else from this process."""
    own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}  # noqa: TID251 - handed on
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2", "NUMBA_NUM_THREADS": "1"}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", **threads, **own}


def _own_home() -> tuple[Path, ...]:
    """The home of this account; empty if a service account has none."""
    try:
        return (Path.home(),)
    except RuntimeError:
        return ()
