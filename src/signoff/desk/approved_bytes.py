"""The bytes of an approved version: every file of a folder, read once, hashed, and compared with its pin.

What was hashed is what is returned, so nothing can change between the check and the use. Links are not followed, and
anything but a regular file is refused.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from signoff.domain.artifacts import MOST_NAMED, Artifact, OddArtifactError, OtherBytesError, Pin
from signoff.domain.errors import NotFoundError, UnavailableError

CHUNK: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def approved_bytes(folder: Path, pin: Pin) -> Mapping[str, bytes]:
    """The content of every file beneath the folder, by path; OtherBytesError unless all of it is as pinned."""
    pinned = {file.path for file in pin.files}
    found: list[Artifact] = []
    contents: dict[str, bytes] = {}
    try:
        for path, handle in _opened(folder):
            size, sha256, content = _read(handle, is_kept=path in pinned)
            found.append(Artifact(path=path, size=size, sha256=sha256))
            contents[path] = content
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{folder}: expected a folder with the approved files of {pin.model} number {pin.number}, found none. Copy "
            "them there with signoff.registry.fetch."
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"{error.filename or folder}: expected a file that this process can read, found: {error.strerror}."
        ) from error
    if differences := pin.differences(found):
        rest = len(differences) - MOST_NAMED
        named = "; ".join(differences[:MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
        raise OtherBytesError(
            f"Refused: the files in {folder} are not the ones of {pin.model} number {pin.number} that were approved: "
            f"{named}. Nothing was loaded. Copy the approved files there again, or release what is there now as a "
            "version of its own."
        )
    return contents


def _opened(folder: Path) -> Iterator[tuple[str, int]]:
    """Each file by its path beneath the folder, with a descriptor that is closed afterwards."""

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, names, at in os.fwalk(folder, onerror=refuse):
        beneath = Path(place).relative_to(folder)
        for name in folders:
            if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                raise _odd(folder / beneath / name)
        for name in names:
            handle = _regular(name, at, folder / beneath / name)
            try:
                yield (beneath / name).as_posix(), handle
            finally:
                os.close(handle)


def _regular(name: str, at: int, path: Path) -> int:
    if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        raise _odd(path)
    try:
        handle = os.open(name, _FLAGS, dir_fd=at)
    except OSError as error:
        error.filename = str(path)
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _odd(path)
    return handle


def _odd(path: Path) -> OddArtifactError:
    return OddArtifactError(
        f"{path}: expected a regular file of an approved version, found a link, a device or a pipe. Nothing was "
        "loaded. Copy the file itself there."
    )


def _read(handle: int, *, is_kept: bool) -> tuple[int, str, bytes]:
    digest, size, pieces = hashlib.sha256(), 0, []
    while piece := os.read(handle, CHUNK):
        digest.update(piece)
        size += len(piece)
        if is_kept:
            pieces.append(piece)
    return size, digest.hexdigest(), b"".join(pieces)
