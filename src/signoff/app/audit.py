"""Taking the ledger out, and checking it: every byte re-hashed, every signature verified, the machine replayed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from signoff.app.record import Record, replay
from signoff.domain.errors import NotFoundError, UnavailableError
from signoff.ledger.export import export_files
from signoff.ledger.source import Source
from signoff.ledger.verification import Kept, StampCheck, Verification, verify_export

ATTEMPTS: Final = 20


def export(record: Record, *, public_key: bytes, anchors: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Every file of an export, ready to be written: events, states, checkpoint, key, anchors, blobs, manifest."""
    for _ in range(ATTEMPTS):
        checkpoint = record.store.checkpoint()
        if checkpoint is None:
            raise NotFoundError("Expected a ledger with events, found an empty one; there is nothing to export yet.")
        rows = [row.body for row in record.store.rows()]
        states = {s.stream: s.state for s in record.store.streams("")}
        if record.store.checkpoint() == checkpoint:
            break
    else:
        raise UnavailableError("The ledger kept growing while it was read; export it again in a moment.")
    return export_files(
        rows=rows,
        states=states,
        checkpoint=checkpoint,
        public_key=public_key,
        anchors=anchors,
        blobs=((digest, record.store.blob(digest)) for digest in record.store.blobs()),
    )


def verify(
    files: Mapping[str, bytes] | Source,
    *,
    expected_fingerprint: str | None = None,
    kept: Sequence[Kept] = (),
    check_stamp: StampCheck | None = None,
) -> Verification:
    """Check an export offline."""
    return verify_export(files, replay, expected_fingerprint=expected_fingerprint, kept=kept, check_stamp=check_stamp)
