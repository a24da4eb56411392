"""The watermark: the last sequence number that is on the disk, in a mapped file that every process can read."""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

_RECORD: Final = struct.Struct("<8sQ")
_MAGIC: Final = b"SGNWMRK\n"


def mapped(folder: Path) -> mmap.mmap:
    """The folder's watermark, to be moved by the one process that writes the journal."""
    fd = os.open(folder / "watermark", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_size < mmap.PAGESIZE:
            os.posix_fallocate(fd, 0, mmap.PAGESIZE)
        return mmap.mmap(fd, mmap.PAGESIZE)
    finally:
        os.close(fd)


def acknowledge(watermark: mmap.mmap, seq: int) -> None:
    """Say that everything up to this sequence number is on the disk."""
    _RECORD.pack_into(watermark, 0, _MAGIC, seq)


def acknowledged(folder: Path) -> int | None:
    """The last sequence number that a writer of this folder acknowledged; None where the file is not there."""
    try:
        with (folder / "watermark").open("rb") as file:
            magic, seq = _RECORD.unpack(file.read(_RECORD.size))
    except (FileNotFoundError, struct.error):
        return None
    return int(seq) if magic == _MAGIC else None
