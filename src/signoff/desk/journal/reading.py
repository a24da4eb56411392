"""Read a journal's folder from any process, up to its watermark, and check that nothing is missing in it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from signoff.desk.journal.records import Entry, Kind, Prediction, records_in
from signoff.desk.journal.segments import JournalDamagedError, Segment, read_header, read_segment, segment_paths
from signoff.desk.journal.watermark import acknowledged
from signoff.domain.errors import NotFoundError

NO_SEGMENT: Final = "{}: expected a journal, found no segment. Name the folder that the desk writes."


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
    """The records behind the sequence number `after`, up to what is acknowledged, in order."""
    return _read(folder, after, acknowledged(folder))


def _read(folder: Path, after: int, most: int | None) -> Iterator[Prediction | Entry]:
    for segment in _segments(folder):
        names: dict[int, str] = {}
        for frame in segment.frames:
            for record in records_in(frame.payload, names):
                if most is not None and record.seq > most:
                    return
                if record.seq > after:
                    yield record


def check(folder: Path) -> Check:
    """Read everything and count. JournalDamagedError where durable bytes changed or a segment is missing."""
    kinds: Counter[str] = Counter()
    gaps: list[tuple[int, int]] = []
    last_seq = dropped = clock_went_back = 0
    most = acknowledged(folder)  # once: a process that writes meanwhile moves it
    for record in _read(folder, 0, most):
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
    if most is not None and most > last_seq:
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
    for path, up_to in _extents(folder):
        if up_to is not None:
            yield int(path.stem), partial(read_segment, path, up_to=up_to)


def _segments(folder: Path) -> Iterator[Segment]:
    return (read_segment(path, up_to=up_to) for path, up_to in _extents(folder))


def _extents(folder: Path) -> Iterator[tuple[Path, int | None]]:
    """Every segment's file, with how many of its bytes count where its successor says so."""
    paths = segment_paths(folder)
    if not paths:
        raise NotFoundError(NO_SEGMENT.format(folder))
    headers = [read_header(path) for path in paths]
    for path, before, header in zip(paths[1:], headers, headers[1:], strict=False):
        if (header.journal, header.number) != (before.journal, before.number + 1):
            raise JournalDamagedError(
                f"{path}: expected segment {before.number + 1} of the same journal, found segment {header.number}"
                f"{'' if header.journal == before.journal else ' of another'}. Restore the files that are missing."
            )
    counted = (*(header.predecessor_bytes for header in headers[1:]), None)
    yield from zip(paths, counted, strict=True)
