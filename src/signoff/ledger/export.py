"""An export of the ledger: plain files that an auditor can open without us, and that `verify` checks byte by byte.

`events.jsonl` holds the exact bytes of each event, a line each; `states.json` the states they lead to; `checkpoint` and
`key.pub` the signed root and the key; `blobs/` every file by its SHA-256; `anchors/` checkpoints kept outside the
database; `manifest.json` all of these.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from signoff.ledger.canonical import canonical
from signoff.ledger.manifest import Entry, Manifest, manifest_of

EVENTS: Final = "events.jsonl"
STATES: Final = "states.json"
CHECKPOINT: Final = "checkpoint"
KEY: Final = "key.pub"
MANIFEST: Final = "manifest.json"
BLOBS: Final = "blobs/"
ANCHORS: Final = "anchors/"


def export_files(
    *,
    rows: Sequence[bytes],
    states: Mapping[str, bytes],
    checkpoint: bytes,
    public_key: bytes,
    anchors: Mapping[str, bytes],
    blobs: Iterable[tuple[str, bytes]],
) -> Iterator[tuple[str, bytes]]:
    """Every file of an export by name, the manifest last; `public_key` is the verifier key line."""
    entries: list[Entry] = []
    for name, content in _contents(rows, states, checkpoint, public_key, anchors, blobs):
        entries.extend(manifest_of({name: content}).entries)
        yield name, content
    yield MANIFEST, Manifest(entries=tuple(sorted(entries, key=lambda e: e.path))).to_bytes()


def _contents(
    rows: Sequence[bytes],
    states: Mapping[str, bytes],
    checkpoint: bytes,
    public_key: bytes,
    anchors: Mapping[str, bytes],
    blobs: Iterable[tuple[str, bytes]],
) -> Iterator[tuple[str, bytes]]:
    yield EVENTS, b"".join(row + b"\n" for row in rows)
    yield STATES, canonical({stream: state.decode() for stream, state in states.items()})
    yield CHECKPOINT, checkpoint
    yield KEY, public_key
    yield from ((f"{ANCHORS}{name}", content) for name, content in sorted(anchors.items()))
    yield from ((f"{BLOBS}{digest}", content) for digest, content in blobs)
