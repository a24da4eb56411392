"""An export of the ledger: plain files that an auditor opens without Signoff, and `verify` checks byte by byte.

`events.jsonl` holds the exact bytes of each event, a line each, and `leaves.txt` their hashes; `states.json` the states
they lead to; `checkpoint` and `key.pub` the signed root and the keys; `blobs/` every file by its SHA-256; `anchors/`
checkpoints kept outside the database. `README.txt`, `events.csv` and `index.pdf` are for reading. `SHA256SUMS` and
`manifest.json` list all of these, and `manifest.note` is the ledger's own signature over the manifest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from signoff.ledger.canonical import canonical, digest
from signoff.ledger.checkpoint import ORIGIN
from signoff.ledger.manifest import Entry, Manifest
from signoff.ledger.source import FileSource, Hashed

EVENTS: Final = "events.jsonl"
LEAVES: Final = "leaves.txt"
STATES: Final = "states.json"
CHECKPOINT: Final = "checkpoint"
KEY: Final = "key.pub"
MANIFEST: Final = "manifest.json"
NOTE: Final = "manifest.note"
SUMS: Final = "SHA256SUMS"
README: Final = "README.txt"
TABLE: Final = "events.csv"
INDEX: Final = "index.pdf"
BLOBS: Final = "blobs/"
ANCHORS: Final = "anchors/"
FOR_READING: Final = frozenset({README, TABLE, INDEX, SUMS})
SignText = Callable[[str], bytes]


def closed(source: FileSource, sign: SignText | None = None) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Every file of an export in chunks, then the lists of all files; read each file whole before the next."""
    entries: list[Entry] = []
    for name in source.names():
        pieces = Hashed(source.chunks(name))
        yield name, pieces
        entries.append(Entry(path=name, size=pieces.size, sha256=pieces.sha256))
    if sign is not None:
        sums = sums_of(entries)
        entries.append(Entry(path=SUMS, size=len(sums), sha256=digest(sums)))
        yield SUMS, (sums,)
    manifest = Manifest(entries=tuple(sorted(entries, key=lambda e: e.path))).to_bytes()
    yield MANIFEST, (manifest,)
    if sign is not None:
        yield NOTE, (sign(statement_of(manifest)),)


def sums_of(entries: Iterable[Entry]) -> bytes:
    """`SHA256SUMS`, as `sha256sum -c` reads it."""
    return "".join(f"{e.sha256}  {e.path}\n" for e in sorted(entries, key=lambda e: e.path)).encode()


def statement_of(manifest: bytes) -> str:
    """The statement over an export that the ledger's keys sign."""
    return f"{ORIGIN}/export\n{digest(manifest)}\n"


def states_file(states: Mapping[str, bytes]) -> bytes:
    """`states.json`."""
    return canonical({stream: state.decode() for stream, state in states.items()})
