"""Reading the files of a submitted folder: regular files inside it, and no file outside of it.

A link is followed only to a regular file inside the folder. The resolved path is then opened one component at a time
without following links, so a folder that is swapped for a link in between is refused.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from signoff.adapters.foreign_files import ForeignFileError, read_regular
from signoff.domain.errors import BadInputError

_READING: Final[ContextVar[dict[Path, tuple[int, int]] | None]] = ContextVar("reading", default=None)


def read_inside(path: Path, folder: Path, *, limit: int) -> bytes:
    """The content of a regular file in a folder; ForeignFileError for others, OSError where it cannot be read."""
    root, real = resolved(folder), resolved(path)
    if not real.is_relative_to(root) or real == root:
        raise ForeignFileError(
            f"{path} points outside of {folder}, to {real}. Copy the file itself into the folder; links out of it are "
            "not followed."
        )
    opened = [_opened(root, folder)]
    try:
        for name in real.relative_to(root).parts[:-1]:
            step = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            opened.append(os.open(name, step, dir_fd=opened[-1]))
        return read_regular(path, limit=limit, at=(opened[-1], real.name))
    finally:
        for handle in opened:
            os.close(handle)


@contextmanager
def one_reading() -> Iterator[None]:
    """Refuse, while this context is open, a folder that was swapped for another since its first reading."""
    token = _READING.set({})
    try:
        yield
    finally:
        _READING.reset(token)


def _opened(root: Path, folder: Path) -> int:
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    seen, info = _READING.get(), os.fstat(handle)
    is_same = seen is None or seen.setdefault(folder, (info.st_dev, info.st_ino)) == (info.st_dev, info.st_ino)
    if not is_same:
        os.close(handle)
        raise ForeignFileError(f"{folder}: expected one folder throughout, found that it was exchanged for another.")
    return handle


def read_named(path: Path, *, limit: int) -> bytes:
    """The content of a file named on the command line; links are followed, since the user chose the path."""
    return read_regular(resolved(path), limit=limit)


def resolved(path: Path) -> Path:
    """The path with every link resolved. ForeignFileError for links in a circle."""
    try:
        return path.resolve()
    except RuntimeError as error:
        raise ForeignFileError(f"{path}: expected a file, found links that lead in a circle. Remove them.") from error


def unreadable(path: Path, error: OSError) -> BadInputError:
    """The error to raise for a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return BadInputError(f"{path}: expected a file, found nothing or a link to nothing. Write it again.")
    return BadInputError(f"Expected to read {path}, and cannot: {error.strerror}.")
