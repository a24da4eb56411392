"""The manifest: every file that a signature covers, by path, size and SHA-256.

The bytes of almost every file are kept. Those of a large file of a registered version are not: its entry says
`"kept":false`, and only its digest is on record.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from signoff.domain.errors import BadInputError, TamperedError
from signoff.ledger.canonical import canonical, digest

ARTIFACTS: Final = "artifacts/"
"""The folder of the registered version's files in a manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    size: int
    sha256: str
    is_kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Entries sorted by path. People sign its digest."""

    entries: tuple[Entry, ...]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical({"files": [_fields(entry) for entry in self.entries]})

    @property
    def digest(self) -> str:
        return digest(self.to_bytes())


def manifest_of(files: Mapping[str, bytes], unkept: Iterable[Entry] = ()) -> Manifest:
    """The manifest over these files and the `unkept` entries."""
    entries = (Entry(path=path, size=len(content), sha256=digest(content)) for path, content in files.items())
    return Manifest(entries=tuple(sorted((*entries, *unkept), key=lambda entry: entry.path)))


def parse(content: bytes) -> Manifest:
    """Parse a manifest; only its canonical form is accepted."""
    try:
        document = json.loads(content)
        manifest = Manifest(entries=tuple(_entry(f) for f in document["files"]))
        is_canonical = manifest.to_bytes() == content
    except (ValueError, KeyError, TypeError, RecursionError, BadInputError) as error:
        raise TamperedError(f"Malformed manifest: {error}") from error
    paths = [entry.path for entry in manifest.entries]
    if not is_canonical or paths != sorted(set(paths)):
        raise TamperedError("This manifest is not in its canonical form; it was altered.")
    return manifest


def differences(manifest: Manifest, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Paths that changed, are missing or are not listed; files that are not kept may be missing."""
    listed = {e.path: e for e in manifest.entries}
    changed = [path for path, entry in listed.items() if not _is_there(entry, files)]
    extra = [path for path in files if path not in listed]
    return tuple(sorted(changed + extra))


def _is_there(entry: Entry, files: Mapping[str, bytes]) -> bool:
    return _is_of(entry, files[entry.path]) if entry.path in files else not entry.is_kept


def _fields(entry: Entry) -> dict[str, object]:
    fields: dict[str, object] = {"path": entry.path, "sha256": entry.sha256, "size": entry.size}
    return fields if entry.is_kept else {**fields, "kept": False}


def _is_of(entry: Entry, content: bytes) -> bool:
    return len(content) == entry.size and digest(content) == entry.sha256


def _entry(fields: dict[str, object]) -> Entry:
    match fields:
        case {"path": str(path), "size": int(size), "sha256": str(sha256)} if not isinstance(size, bool):
            return Entry(path=path, size=size, sha256=sha256, is_kept=fields.get("kept") is not False)
        case _:
            raise ValueError("expected an entry with path, size and sha256 (text, number, text), found another")
