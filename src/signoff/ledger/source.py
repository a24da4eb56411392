"""The sources of an export: a folder, an archive, an installation, or memory; read in chunks.

A whole ledger is never in memory at once.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

NEWLINE: Final = b"\n"


class FileSource(Protocol):
    """Files by name. Reading a file twice gives the same bytes."""

    def names(self) -> Collection[str]:
        """Every file there is."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file in chunks of any size; empty for a missing file."""


@dataclass(frozen=True, slots=True)
class FilesInMemory:
    """Files in memory."""

    files: Mapping[str, bytes]

    def names(self) -> Collection[str]:
        """Every file there is."""
        return self.files.keys()

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        yield from (self.files[name],) if name in self.files else ()


def content(source: FileSource, name: str) -> bytes:
    """A whole small file."""
    return b"".join(source.chunks(name))


@dataclass(slots=True)
class Hashed:
    """Chunks, hashed and counted while they are read."""

    pieces: Iterable[bytes]
    size: int = 0
    sha256: str = ""

    def __iter__(self) -> Iterator[bytes]:
        state = hashlib.sha256()
        for piece in self.pieces:
            state.update(piece)
            self.size += len(piece)
            yield piece
        self.sha256 = state.hexdigest()


@dataclass(slots=True)
class Lines:
    """Lines from chunks, without line ends; `rest` is what follows the last line end."""

    pieces: Iterable[bytes]
    rest: bytes = b""

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            *lines, self.rest = (self.rest + piece).split(NEWLINE)
            yield from lines
