"""Read a journal's folder from any process, up to its watermark, and check that nothing is missing in it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from signoff.desk.journal.content import content
from signoff.desk.journal.records import Entry, Kind, Prediction
from signoff.desk.journal.segments import (
    NO_SEGMENT,
    JournalDamagedError,
    Segment,
    extents,
    read_header,
    read_segment,
    segment_paths,
)
from signoff.desk.journal.watermark import acknowledged
from signoff.domain.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a journal holds. A gap is the first and last sequence number of a run that is missing."""

    records: int
    by_kind: Mapping[str, int]
    last_seq: int
    gaps: tuple[tuple[int, int], ...]
    dropped: int
    clock_went_back: int
    segments: int
    torn_bytes: int


def read(folder: Path, *, after: int = 0) -> Iterator[Prediction | Entry]:
    """The records behind the sequence number `after`, up to what is acknowledged, in order.

    Raises JournalDamagedError where one of them is missing.
    """
    most, last = acknowledged(folder), 0
    for record in _read(folder, most):
        if record.seq != last + 1:
            raise _missing(folder, last + 1, record.seq - 1)
        last = record.seq
        if last > after:
            yield record
    if last < most:
        raise _missing(folder, last + 1, most)


def _missing(folder: Path, first: int, last: int) -> JournalDamagedError:
    return JournalDamagedError(
        f"{folder}: expected every acknowledged record, found none of numbers {first} to {last}. Look with `signoff "
        "journal check`, and restore the segments."
    )


def _read(folder: Path, most: int) -> Iterator[Prediction | Entry]:
    for segment in _segments(folder):
        for record in content(segment, {}):
            if record.seq > most:
                return
            yield record


def check(folder: Path) -> Check:
    """Read everything and count. JournalDamagedError where durable bytes changed or a segment is missing."""
    kinds: Counter[str] = Counter()
    gaps: list[tuple[int, int]] = []
    last_seq = dropped = clock_went_back = 0
    most = acknowledged(folder)  # once: a process that writes meanwhile moves it
    for record in _read(folder, most):
        if record.seq != last_seq + 1:
            gaps.append((last_seq + 1, record.seq - 1))
        last_seq = record.seq
        clock_went_back += record.clock_went_back
        if isinstance(record, Prediction):
            kinds[Kind.PREDICTION.name.lower()] += 1
            continue
        kinds[record.kind.name.lower()] += 1
        if record.kind is Kind.DROPPED:
            dropped += int(record.says["records"])
    if most > last_seq:
        gaps.append((last_seq + 1, most))
    paths = segment_paths(folder)
    return Check(
        records=kinds.total(),
        by_kind=dict(sorted(kinds.items())),
        last_seq=last_seq,
        gaps=tuple(gaps),
        dropped=dropped,
        clock_went_back=clock_went_back,
        segments=len(paths),
        torn_bytes=read_segment(paths[-1]).torn_bytes,
    )


def identity(folder: Path) -> str:
    """What tells this journal from every other, on any host."""
    paths = segment_paths(folder)
    if not paths:
        raise NotFoundError(NO_SEGMENT.format(folder))
    return read_header(paths[-1]).journal.hex()


def sealed_segments(folder: Path) -> Iterator[tuple[int, Callable[[], Segment]]]:
    """Each segment that another follows, by its number, with what reads it."""
    for path, up_to in extents(folder):
        if up_to is not None:
            yield int(path.stem), partial(read_segment, path, up_to=up_to)


def _segments(folder: Path) -> Iterator[Segment]:
    return (read_segment(path, up_to=up_to) for path, up_to in extents(folder))
