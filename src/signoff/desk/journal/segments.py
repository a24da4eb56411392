"""Segments and frames: how the journal's records lie in files.

A frame is what one commit made durable: its header, then records. A segment is a file of frames with a header that says
how many bytes of its predecessor count, so that a successor seals what came before it. Only the last frame of the last
segment can be torn. A whole frame behind a broken one is damage, not a torn tail.
"""

import errno
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.domain.errors import NotFoundError, TamperedError

FORMAT: Final = 1
SUFFIX: Final = ".segment"
_SEGMENT_MAGIC: Final = b"SGNJRNL\n"
_FRAME_MAGIC: Final = 0x464A4753
_SEGMENT: Final = struct.Struct("<8sHH16sIQQ")
SEGMENT_BYTES: Final = 64
_FRAME: Final = struct.Struct("<IIIIQQI")
FRAME_BYTES: Final = _FRAME.size
_CRC: Final = struct.Struct("<I")
ZLIB_CRC32: Final = 1
NO_SEGMENT: Final = "{}: expected a journal, found no segment. Name the folder that the desk writes."


class JournalDamagedError(TamperedError):
    """Bytes of a desk's journal that were durable are no longer what was written (exit 1)."""

    code = "journaldamaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """What a segment says of itself. `predecessor_bytes` of the segment before it count; what lies behind is void."""

    journal: bytes
    number: int
    first_seq: int
    predecessor_bytes: int

    def to_bytes(self) -> bytes:
        """The header's 64 bytes, which end in their CRC."""
        body = _SEGMENT.pack(
            _SEGMENT_MAGIC, FORMAT, ZLIB_CRC32, self.journal, self.number, self.first_seq, self.predecessor_bytes
        ).ljust(SEGMENT_BYTES - _CRC.size, b"\0")
        return body + _CRC.pack(zlib.crc32(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One commit. `durable_before` is the last sequence number that was durable when it was written."""

    offset: int
    size: int
    first_seq: int
    count: int
    durable_before: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment as it was found: its header, whole frames, and the bytes behind them that form none."""

    path: Path
    header: SegmentHeader
    frames: tuple[Frame, ...]
    torn_bytes: int

    @property
    def whole_bytes(self) -> int:
        """How many bytes belong to the header and to whole frames."""
        return self.frames[-1].offset + self.frames[-1].size if self.frames else SEGMENT_BYTES


def path_of(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:08d}{SUFFIX}"


def segment_paths(folder: Path) -> tuple[Path, ...]:
    """The segments of a journal, in order."""
    return tuple(sorted(folder.glob(f"*{SUFFIX}")))


def frame_header(
    payload: bytes | memoryview, *, first_seq: int, count: int, durable_before: int, segment: int
) -> bytes:
    """The header of a frame; its CRC covers the rest of the header and the payload."""
    rest = _FRAME.pack(0, _FRAME_MAGIC, len(payload), count, first_seq, durable_before, segment)[_CRC.size :]
    return _CRC.pack(zlib.crc32(payload, zlib.crc32(rest))) + rest


def extents(folder: Path) -> Iterator[tuple[Path, int | None]]:
    """Every segment's file, with how many of its bytes count where its successor says so."""
    paths = segment_paths(folder)
    if not paths:
        raise NotFoundError(NO_SEGMENT.format(folder))
    headers = [read_header(path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        if path != path_of(folder, header.number):
            raise JournalDamagedError(
                f"{path}: expected the name of segment {header.number}, {path_of(folder, header.number).name}. Give "
                "the file its name again."
            )
    for path, before, header in zip(paths[1:], headers, headers[1:], strict=False):
        if (header.journal, header.number) != (before.journal, before.number + 1):
            raise JournalDamagedError(
                f"{path}: expected segment {before.number + 1} of the same journal, found segment {header.number}"
                f"{'' if header.journal == before.journal else ' of another'}. Restore the files that are missing."
            )
    counted = (*(header.predecessor_bytes for header in headers[1:]), None)
    yield from zip(paths, counted, strict=True)


def read_segment(path: Path, *, up_to: int | None = None) -> Segment:
    """A segment; `up_to` bytes of it where its successor says how many count.

    Raises JournalDamagedError where bytes that were durable have changed.
    """
    content = path.read_bytes()
    header = _header(path, content)
    if up_to is not None and up_to > len(content):
        raise JournalDamagedError(
            f"{path}: expected {up_to} bytes, which the next segment counts, found {len(content)}. Restore the file."
        )
    content = content[:up_to]
    frames = tuple(_frames(content, header.number))
    end = frames[-1].offset + frames[-1].size if frames else SEGMENT_BYTES
    if up_to is not None and end != up_to:
        raise JournalDamagedError(
            f"{path}: expected whole frames up to byte {up_to}, found the last that is whole ending at byte {end}. "
            "Its bytes were changed after they were durable. Restore the file."
        )
    _refuse_whole_frame_behind(path, content, end, header.number)
    return Segment(path=path, header=header, frames=frames, torn_bytes=len(content[end:].rstrip(b"\0")))


def read_header(path: Path) -> SegmentHeader:
    """What a segment says of itself."""
    with path.open("rb") as file:
        return _header(path, file.read(SEGMENT_BYTES))


def _header(path: Path, content: bytes) -> SegmentHeader:
    body, crc = content[: SEGMENT_BYTES - _CRC.size], content[SEGMENT_BYTES - _CRC.size : SEGMENT_BYTES]
    if len(content) < SEGMENT_BYTES or not body.startswith(_SEGMENT_MAGIC):
        raise JournalDamagedError(f"{path}: expected a segment of a journal, found other bytes. Restore the file.")
    _, form, checksum, journal, number, first_seq, predecessor_bytes = _SEGMENT.unpack_from(body)
    if crc != _CRC.pack(zlib.crc32(body)):
        raise JournalDamagedError(f"{path}: the header's checksum does not match its bytes. Restore the file.")
    if (form, checksum) != (FORMAT, ZLIB_CRC32):
        raise JournalDamagedError(
            f"{path}: expected a journal of format {FORMAT}, found format {form}. Use the Signoff that wrote it."
        )
    return SegmentHeader(journal=journal, number=number, first_seq=first_seq, predecessor_bytes=predecessor_bytes)


def _frames(content: bytes, segment: int) -> Iterator[Frame]:
    offset = SEGMENT_BYTES
    while (frame := _frame_at(content, offset, segment)) is not None:
        yield frame
        offset += frame.size


def _frame_at(content: bytes, offset: int, segment: int) -> Frame | None:
    """The whole frame that begins here, if one does."""
    if offset + FRAME_BYTES > len(content):
        return None
    crc, magic, length, count, first_seq, durable_before, number = _FRAME.unpack_from(content, offset)
    end = offset + FRAME_BYTES + length
    if magic != _FRAME_MAGIC or number != segment or end > len(content):
        return None
    if zlib.crc32(memoryview(content)[offset + _CRC.size : end]) != crc:
        return None
    return Frame(
        offset=offset,
        size=FRAME_BYTES + length,
        first_seq=first_seq,
        count=count,
        durable_before=durable_before,
        payload=content[offset + FRAME_BYTES : end],
    )


def _refuse_whole_frame_behind(path: Path, content: bytes, end: int, segment: int) -> None:
    """Only the last frame can be torn: a whole frame behind a broken one means that durable bytes were changed."""
    magic = struct.pack("<I", _FRAME_MAGIC)
    at = content.find(magic, end)
    while at != -1:
        behind = at - _CRC.size
        if behind > end and _frame_at(content, behind, segment) is not None:
            raise JournalDamagedError(
                f"{path}: the frame at byte {end} is broken, and a whole frame follows it at byte {behind}. "
                "Bytes that were durable have changed. Restore the file."
            )
        at = content.find(magic, at + 1)


def write_durably(fd: int, parts: Sequence[bytes | memoryview], offset: int) -> None:
    """Write the parts one after the other and wait until the disk has them. OSError where it has not all of them."""
    size = sum(map(len, parts))
    if hasattr(os, "RWF_DSYNC"):
        written = os.pwritev(fd, parts, offset, os.RWF_DSYNC)
    else:
        written = os.pwritev(fd, parts, offset)
        os.fsync(fd)
    if written != size:
        raise OSError(errno.EIO, f"the disk took {written} of {size} bytes")
