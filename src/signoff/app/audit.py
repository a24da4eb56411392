"""Export and verify the ledger: every byte is hashed, every signature verified, every state replayed.

The ledger is read in pages, as of one checkpoint. Events added meanwhile are left for the next export.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain as joined
from typing import Final

from signoff.app.record import Record, replay
from signoff.domain.deployment import Deployment
from signoff.domain.errors import NotFoundError, TamperedError, UnavailableError
from signoff.domain.events import Killed, Recorded
from signoff.ledger import export as names
from signoff.ledger import table
from signoff.ledger.checkpoint import claimed
from signoff.ledger.codec import decode, decode_state
from signoff.ledger.export import SignText, closed, states_file
from signoff.ledger.keychain import KeyChain
from signoff.ledger.source import FileSource
from signoff.ledger.verification import KeptCheckpoint, StampCheck, Verification, verify_export
from signoff.ports.store import LedgerRow
from signoff.rendering.ledger_index import LedgerStory, index_pdf, readme

ATTEMPTS: Final = 20
BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A ledger as of one checkpoint, as the files of an export; only the states are in memory."""

    record: Record
    chain: KeyChain
    anchors: Mapping[str, bytes]
    checkpoint: bytes
    states: Mapping[str, bytes]
    blobs: Collection[str]
    for_reading: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many events the checkpoint covers."""
        return claimed(self.checkpoint).size

    def names(self) -> Collection[str]:
        """Every file, in the order of an export."""
        return (
            *self.for_reading,
            names.EVENTS,
            names.LEAVES,
            *((names.TABLE,) if self.for_reading else ()),
            names.STATES,
            names.CHECKPOINT,
            names.KEY,
            *(f"{names.ANCHORS}{name}" for name in sorted(self.anchors)),
            *(f"{names.BLOBS}{digest}" for digest in self.blobs),
        )

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        folder, _, rest = name.rpartition("/")
        match name:
            case names.EVENTS:
                yield from _batched(row.body + b"\n" for row in self.rows())
            case names.LEAVES:
                yield from _batched(f"{row.leaf.hex()}\n".encode() for row in self.rows())
            case names.TABLE:
                yield from _batched(joined((table.header(),), (table.line_of(r.seq, r.body) for r in self.rows())))
            case names.STATES:
                yield states_file(self.states)
            case names.CHECKPOINT:
                yield self.checkpoint
            case names.KEY:
                yield self.chain.to_bytes()
            case _ if f"{folder}/" == names.BLOBS:
                yield self._blob(rest)
            case _ if f"{folder}/" == names.ANCHORS:
                yield self.anchors[rest]
            case _:
                yield self.for_reading.get(name, b"")

    def rows(self, after: int = 0) -> Iterator[LedgerRow]:
        """The events that the checkpoint covers, and any later ones that no checkpoint covers."""
        size = self.size
        for row in self.record.store.rows(after=after):
            if row.seq > size and row.seq <= claimed(self.record.store.checkpoint() or self.checkpoint).size:
                return
            yield row

    def _blob(self, digest: str) -> bytes:
        try:
            return self.record.store.blob(digest)
        except TamperedError:
            return b""  # its hash then shows that it was altered


def snapshot(record: Record, *, chain: KeyChain, anchors: Mapping[str, bytes]) -> Snapshot:
    """The ledger as it is now."""
    for _ in range(ATTEMPTS):
        checkpoint = record.store.checkpoint()
        if checkpoint is None:
            raise NotFoundError("Expected a ledger with events, found an empty one; there is nothing to export yet.")
        states = {s.stream: s.state for s in record.store.streams("")}
        if record.store.checkpoint() == checkpoint:
            return Snapshot(
                record=record,
                chain=chain,
                anchors=anchors,
                checkpoint=checkpoint,
                states=states,
                blobs=record.store.blobs(),
            )
    raise UnavailableError("The ledger kept growing while it was read; ask again in a moment.")


def export(
    record: Record, *, chain: KeyChain, anchors: Mapping[str, bytes], sign: SignText
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Every file of an export in chunks, ready to be written; read each file whole before the next."""
    taken = snapshot(record, chain=chain, anchors=anchors)
    story = _story(taken)
    for_reading = {names.README: readme(story.releases), names.INDEX: index_pdf(story)}
    whole = Snapshot(
        record=record,
        chain=chain,
        anchors=anchors,
        checkpoint=taken.checkpoint,
        states=taken.states,
        blobs=taken.blobs,
        for_reading=for_reading,
    )
    return closed(whole, sign)


def verify(
    files: Mapping[str, bytes] | FileSource,
    *,
    expected_fingerprint: str | None = None,
    kept: Sequence[KeptCheckpoint] = (),
    check_stamp: StampCheck | None = None,
) -> Verification:
    """Check an export offline."""
    return verify_export(files, replay, expected_fingerprint=expected_fingerprint, kept=kept, check_stamp=check_stamp)


def _story(taken: Snapshot) -> LedgerStory:
    """The contents of the index page: the releases, and the kills of every model."""
    states = (state for stream, state in taken.states.items() if stream.startswith("deployment/"))
    releases = tuple(sorted((decode_state(Deployment, s) for s in states), key=lambda d: (d.opened_at, d.id)))
    checkpoint = claimed(taken.checkpoint)
    return LedgerStory(
        events=checkpoint.size,
        root=checkpoint.root.hex(),
        fingerprints=taken.chain.fingerprints,
        releases=releases,
        kills=tuple(r for r in _of_models(taken) if isinstance(r.event, Killed)),
    )


def _of_models(taken: Snapshot) -> Iterator[Recorded]:
    for stream in sorted(stream for stream in taken.states if stream.startswith("model/")):
        rows = taken.record.store.rows(stream=stream)
        yield from (decode(row.body) for row in rows if row.seq <= taken.size)


def _batched(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines joined in batches of a thousand, as a chunk for each line would be slow."""
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield b"".join(batch)
            batch.clear()
    yield b"".join(batch)
