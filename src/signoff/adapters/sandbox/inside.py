"""The child: it gives up what it does not need, tries whether that holds, and only then loads foreign code.

Started as a script by a bare interpreter (`-I -S`): no environment, no site packages, no `.pth` file. Requests come in
on standard input and answers go out on what was standard output, each as kind, length and bytes. Everything that is
said before foreign code is loaded is this program's own word, and everything after it is not.
"""

import importlib
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

MESSAGE = struct.Struct(">cQ")
SPECIFICATION, COMPUTE, MODEL = b"S", b"C", b"M"
READY, TABLE, NUMBERS, PROBLEM = b"R", b"T", b"N", b"P"


def main() -> None:
    """Serve requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    os.chdir("/")
    kind, content = _received(requests)
    assert kind == SPECIFICATION
    specification = json.loads(content)
    sys.path[:] = specification["modules"]
    layers = _confined(specification)
    stopped = [name for name, is_stopped in PROBES.items() if is_stopped(specification)]
    _answer(answers, READY, json.dumps({"layers": layers, "stopped": stopped}).encode())
    _serve(specification, requests, answers)


def _confined(specification: dict[str, Any]) -> list[str]:
    """Standard streams lead nowhere, and every layer that this kernel has is in force."""
    from signoff.adapters.sandbox import confinement  # noqa: PLC0415 - found once the path is set

    nowhere = os.open(os.devnull, os.O_RDWR)
    if (
        specification["parent"] is not None
    ):  # in a namespace of its own it sees no parent, and ends with it all the same
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
    """Whether none of the installation's own files opens; what is not there is no secret."""
    return all(_is_refused(partial(os.open, path, os.O_RDONLY)) for path in specification["hidden"])


def _no_writes(specification: dict[str, Any]) -> bool:
    """Whether no file can be made in any of these folders; the parent removes one that could."""
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
    """Whether no other process is in reach: the parent's, or, where none is seen, the first of all."""
    parent = specification["parent"]
    return _is_refused(partial(os.kill, parent or 1, 0))


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        made = act()
    except OSError:
        return True
    if isinstance(made, int):
        os.close(made)
    return False


# By the names of `domain.isolation.Hazard`.
PROBES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "network": _no_network,
    "secrets": _no_secrets,
    "writes": _no_writes,
    "processes": _no_processes,
    "signals": _no_signals,
}


def _serve(specification: dict[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    from signoff.adapters.sandbox import columns, models  # noqa: PLC0415 - after confinement, for they bring numpy

    compute: Callable[[dict[str, Any]], Any] | None = None
    while (message := _received(requests))[0]:
        kind, content = message
        try:
            if kind == MODEL:
                declared = json.loads(content)
                if declared["format"] == "lightgbm-text":
                    _without_what_lightgbm_can_do_without()
                expected, predict = models.known(specification["folder"], declared)
                _answer(answers, NUMBERS, expected.tobytes())
                answer = NUMBERS, models.predicted(predict).tobytes()
            else:
                compute = compute or function(specification["compute"], specification["folder"])
                answer = TABLE, columns.pack(compute(_tables(content, columns.unpack)))
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, also what ends a process
            answer = PROBLEM, json.dumps([type(error).__name__, str(error)[:4000]]).encode()
        _answer(answers, *answer)


def _without_what_lightgbm_can_do_without() -> None:
    """It looks for these when it is imported, which takes ten times as long as the rest."""
    for name in ("dask", "graphviz", "matplotlib", "pandas", "sklearn"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so that importing it fails at once


def function(name: str, folder: str) -> Callable[..., Any]:
    """`package.module:function`, from this folder first."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, folder)
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


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
