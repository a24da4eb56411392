"""Hashes the files of a local model folder, and reads the bytes of those that are kept."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from signoff.adapters.foreign_files import kind_of, open_regular
from signoff.domain.artifacts import Artifact, OddArtifactError, OtherBytesError, Pin, is_kept, refusal
from signoff.domain.errors import BadInputError

MOST_FILES: Final = 10_000
CHUNK: Final = 1 << 20


def hashed(folder: Path, *, keeps: bool = False) -> tuple[tuple[Artifact, ...], dict[str, bytes]]:
    """Every file beneath a folder in path order, and with `keeps` the bytes of the kept ones.

    OddArtifactError for anything but a file or folder, whose copy would have other content.
    """
    artifacts: list[Artifact] = []
    contents: dict[str, bytes] = {}
    together = 0
    for path, place in sorted(_files(folder)):
        is_wanted = keeps and is_kept(place.stat().st_size, together)
        size, sha256, content = _read(place, is_wanted=is_wanted)
        artifacts.append(Artifact(path=path, size=size, sha256=sha256))
        if is_wanted and is_kept(size, together):
            contents[path] = content
            together += size
    return tuple(artifacts), contents


def stamped(folder: Path) -> str:
    """A mark that changes with any file beneath a folder: path, size, inode, mtime and ctime."""
    marks: list[str] = []
    for path, place in sorted(_files(folder)):
        seen = place.lstat()
        marks.append(f"{path}\0{seen.st_size}\0{seen.st_ino}\0{seen.st_mtime_ns}\0{seen.st_ctime_ns}")
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()


def refuse_others(folder: Path, pin: Pin) -> None:
    """Raise OtherBytesError, which names each file, unless the folder holds exactly what is pinned."""
    if differences := pin.differences(hashed(folder)[0]):
        raise OtherBytesError(f"Refused: {refusal(pin, differences)}")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each file by its path beneath the folder; links are not followed."""
    count = 0
    for place, folders, names in os.walk(folder, followlinks=False):
        for name in (*names, *folders):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise OddArtifactError(f"{path}: expected an artefact, found {kind_of(path)}. Log the file itself.")
            if path.is_dir():
                continue
            if (count := count + 1) > MOST_FILES:
                raise BadInputError(f"Expected at most {MOST_FILES:,} files in a registered version, found more.")
            if not relative.isprintable():
                raise BadInputError(
                    f"Expected a file's name without control characters, found {relative!r}. Log again."
                )
            yield relative, path


def _read(path: Path, *, is_wanted: bool) -> tuple[int, str, bytes]:
    handle = open_regular(path)
    try:
        digest, size, content = hashlib.sha256(), 0, bytearray()
        while chunk := os.read(handle, CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if is_wanted:
                content += chunk
        return size, digest.hexdigest(), bytes(content)
    finally:
        os.close(handle)
