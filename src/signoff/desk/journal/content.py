"""The records of a segment; a frame whose checksum holds and whose records do not is damage too."""

from collections.abc import Iterator

from signoff.desk.journal.records import Entry, Prediction, records_in
from signoff.desk.journal.segments import JournalDamagedError, Segment


def content(segment: Segment, names: dict[int, str]) -> Iterator[Prediction | Entry]:
    """Every record of a segment's frames, in order; `names` gathers what its numbers stand for."""
    for frame in segment.frames:
        try:
            records = records_in(frame.payload, names)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise JournalDamagedError(
                f"{segment.path}: expected records in the frame at byte {frame.offset}, found {error!r}. Another "
                "program or another version wrote them."
            ) from error
        yield from records
