"""The child process: it confines itself, probes the confinement, and only then loads foreign code.

A bare interpreter (`-I -S`) runs it as a script, without site packages and `.pth` files. Requests arrive on standard
input, and answers leave on the original standard output, each as kind, length and bytes. Answers sent before foreign
code is loaded can be trusted; later ones cannot.
"""

import importlib
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, BinaryIO

MESSAGE = struct.Struct(">cQ")
SPECIFICATION, COMPUTE, MODEL, BENCHMARK, ENVIRONMENT = b"S", b"C", b"M", b"B", b"E"
READY, TABLE, NUMBERS, PROBLEM, LISTED = b"R", b"T", b"N", b"P", b"L"


def main() -> None:
    """Confine this process, report the layers and probes, and serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    os.chdir("/")
    kind, content = _received(requests)
    assert kind == SPECIFICATION
    specification = json.loads(content)
    sys.path[:] = specification["modules"]
    layers = _confine(specification)
    stopped = [name for name, is_stopped in PROBES.items() if is_stopped(specification)]
    _answer(answers, READY, json.dumps({"layers": layers, "stopped": stopped}).encode())
    _serve(specification, requests, answers)


def _confine(specification: dict[str, Any]) -> list[str]:
    """Put every layer in force that this kernel has, and point the standard streams at the null device."""
    from signoff.adapters.sandbox import confinement  # noqa: PLC0415 - found once the path is set

    nowhere = os.open(os.devnull, os.O_RDWR)
    if specification["parent"] is not None:  # None under bubblewrap, whose --die-with-parent does the same
        confinement.end_with(specification["parent"])
    layers = [confinement.limit(memory_bytes=specification["memory_bytes"], cpu_seconds=specification["cpu_seconds"])]
    if specification["is_confined"]:
        confinement.drop_privileges()
        layers = [layer for layer in (confinement.landlock(specification["readable"]), confinement.seccomp()) if layer]
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return layers


def _no_network(_specification: dict[str, Any]) -> bool:
    return all(_is_refused(partial(socket.socket, family)) for family in (socket.AF_INET, socket.AF_UNIX))


def _no_secrets(specification: dict[str, Any]) -> bool:
    """Whether every hidden file refuses to be opened; a missing file counts as refused."""
    return all(_is_refused(partial(os.open, path, os.O_RDONLY)) for path in specification["hidden"])


def _no_writes(specification: dict[str, Any]) -> bool:
    """Whether no file can be created in any of these folders; the parent removes the files that could."""
    paths = [f"{folder}/{specification['probe']}" for folder in specification["folders"]]
    return all(_is_refused(partial(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)) for path in paths)


def _no_processes(_specification: dict[str, Any]) -> bool:
    try:
        child = os.fork()
    except OSError:
        return True
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False


def _no_signals(specification: dict[str, Any]) -> bool:
    """Whether other processes cannot be signalled: the parent, or process 1 where the parent is not visible."""
    parent = specification["parent"]
    return _is_refused(partial(os.kill, parent or 1, 0))


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        opened = act()
    except OSError:
        return True
    if isinstance(opened, int):
        os.close(opened)
    return False


# The keys are the values of `domain.isolation.Hazard`.
PROBES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "network": _no_network,
    "secrets": _no_secrets,
    "writes": _no_writes,
    "processes": _no_processes,
    "signals": _no_signals,
}


def _serve(specification: dict[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    from signoff.adapters.sandbox import columns, environment, models  # noqa: PLC0415 - after confinement, since they import numpy

    compute: Callable[[dict[str, Any]], Any] | None = None
    while (message := _received(requests))[0]:
        kind, content = message
        try:
            if kind in {MODEL, BENCHMARK}:
                declared = json.loads(content)
                if declared["format"] == "lightgbm-text":
                    _block_optional_imports()
                expected, predict = models.known(specification["folder"], declared)
                _answer(answers, NUMBERS, expected.tobytes())
                if kind == BENCHMARK:
                    # The clock was bound before the model was loaded: the model may replace functions of `time`.
                    for measured in models.timed(predict, declared, perf_counter):
                        _answer(answers, NUMBERS, measured.tobytes())
                answer = NUMBERS, models.predicted(predict).tobytes()
            elif kind == ENVIRONMENT:
                answer = LISTED, json.dumps(environment.captured(specification["modules"])).encode()
            else:
                compute = compute or function(specification["compute"], specification["folder"])
                answer = TABLE, columns.pack(compute(_tables(content, columns.unpack)))
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, SystemExit included
            answer = PROBLEM, json.dumps([type(error).__name__, str(error)[:4000]]).encode()
        _answer(answers, *answer)


def _block_optional_imports() -> None:
    """Make LightGBM's optional imports fail at once: they take ten times as long as LightGBM itself."""
    for name in ("dask", "graphviz", "matplotlib", "pandas", "sklearn"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None makes `import` raise


def function(name: str, folder: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; modules in this folder come first."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, folder)
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def _tables(content: bytes, unpack: Callable[[bytes], Any]) -> dict[str, Any]:
    """Tables by name: a list of names and sizes, then their bytes."""
    (size,) = struct.unpack_from(">I", content)
    tables, at = {}, 4 + size
    for name, length in json.loads(content[4:at]):
        tables[name] = unpack(content[at : at + length])
        at += length
    return tables


def _received(requests: BinaryIO) -> tuple[bytes, bytes]:
    head = requests.read(MESSAGE.size)
    if len(head) < MESSAGE.size:
        return b"", b""
    kind, length = MESSAGE.unpack(head)
    return kind, requests.read(length)


def _answer(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    answers.write(MESSAGE.pack(kind, len(content)))
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    main()
