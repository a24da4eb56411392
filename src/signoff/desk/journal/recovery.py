"""What an earlier process left in a journal's folder, and how the next one goes on.

A last frame that was not acknowledged is written again into the new segment: after a failed sync, what a read of the
file shows may be in memory alone. What was acknowledged has to be there; where less is found, the journal stays shut.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from signoff.desk.journal.content import content
from signoff.desk.journal.segments import (
    Frame,
    JournalDamagedError,
    Segment,
    SegmentHeader,
    extents,
    read_segment,
    segment_paths,
)
from signoff.desk.journal.watermark import acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The segment to begin, the last record that counts, every name, and the frame to write again."""

    header: SegmentHeader
    last_seq: int
    last_ns: int
    names: Mapping[str, int]
    carried: Frame | None


def recover(folder: Path) -> Recovered:
    """How to go on in this folder. JournalDamagedError where acknowledged records are missing."""
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    paths = segment_paths(folder)
    if not paths:
        _refuse_missing(folder, 0)
        header = SegmentHeader(journal=secrets.token_bytes(16), number=1, first_seq=1, predecessor_bytes=0)
        return Recovered(header=header, last_seq=0, last_ns=0, names={}, carried=None)
    *_, (newest, _) = extents(folder)
    _sync(newest)
    last = read_segment(newest)
    names, last_seq, last_ns = _content(last)
    _refuse_missing(folder, last_seq)
    is_acknowledged = last_seq <= acknowledged(folder)
    carried = last.frames[-1] if last.frames and last.frames[-1].count and not is_acknowledged else None
    header = SegmentHeader(
        journal=last.header.journal,
        number=last.header.number + 1,
        first_seq=carried.first_seq if carried else last_seq + 1,
        predecessor_bytes=carried.offset if carried else last.whole_bytes,
    )
    return Recovered(header=header, last_seq=last_seq, last_ns=last_ns, names=names, carried=carried)


def _content(segment: Segment) -> tuple[dict[str, int], int, int]:
    names: dict[int, str] = {}
    last_seq, last_ns = segment.header.first_seq - 1, 0
    for record in content(segment, names):
        last_seq, last_ns = record.seq, max(last_ns, record.at_ns)
    return {name: number for number, name in names.items()}, last_seq, last_ns


def _refuse_missing(folder: Path, last_seq: int) -> None:
    before = acknowledged(folder)
    if last_seq < before:
        raise JournalDamagedError(
            f"{folder}: expected records up to number {before}, which were acknowledged, found them up to number "
            f"{last_seq}. Restore the segments; to go on without them, begin a journal in another folder."
        )


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
