"""The watermark: the last sequence number that is on the disk, in a mapped file that every process can read."""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

from signoff.desk.journal.segments import JournalDamagedError, segment_paths

_RECORD: Final = struct.Struct("<8sQ")
_MAGIC: Final = b"SGNWMRK\n"


class Watermark:
    """The folder's watermark, moved by the one process that writes the journal."""

    def __init__(self, folder: Path) -> None:
        fd = os.open(folder / "watermark", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(fd).st_size < mmap.PAGESIZE:
                os.posix_fallocate(fd, 0, mmap.PAGESIZE)
            mapped = mmap.mmap(fd, mmap.PAGESIZE)
        finally:
            os.close(fd)
        mapped[: len(_MAGIC)] = _MAGIC
        self._numbers = memoryview(mapped).cast("Q")

    def move(self, seq: int) -> None:
        """Say that everything up to this number is on the disk: one aligned store, which no reader sees in part."""
        self._numbers[1] = seq


def acknowledged(folder: Path) -> int:
    """The last sequence number that a writer of this folder acknowledged; 0 where there is no segment yet.

    JournalDamagedError where segments are there and the watermark is not: without it a missing record is not seen.
    """
    place = folder / "watermark"
    try:
        with place.open("rb") as file:
            magic, seq = _RECORD.unpack(file.read(_RECORD.size))
    except (FileNotFoundError, struct.error):
        magic, seq = b"", 0
    if magic == _MAGIC:
        return int(seq)
    if not segment_paths(folder):
        return 0
    raise JournalDamagedError(
        f"{place}: expected the watermark of the segments beside it, found none. Restore the file; without it "
        "missing records cannot be told from records that were never written."
    )
