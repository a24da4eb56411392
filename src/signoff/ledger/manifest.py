"""The manifest: every file that a signature covers, by path, size and SHA-256.

The bytes of nearly every file are kept with it. Of a large file of a registered version they are not: its entry says
`"kept":false`, and its digest stands for it alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from signoff.domain.errors import BadInputError, TamperedError
from signoff.ledger.canonical import canonical, digest

ARTIFACTS: Final = "artifacts/"
"""Where a manifest names the files of the registered version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    size: int
    sha256: str
    is_kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Entries sorted by path; its digest is what people sign."""

    entries: tuple[Entry, ...]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical({"files": [_said(entry) for entry in self.entries]})

    @property
    def digest(self) -> str:
        return digest(self.to_bytes())


def manifest_of(files: Mapping[str, bytes], unkept: Iterable[Entry] = ()) -> Manifest:
    """The manifest over these files, and over others whose bytes are not kept."""
    kept = (Entry(path=path, size=len(content), sha256=digest(content)) for path, content in files.items())
    return Manifest(entries=tuple(sorted((*kept, *unkept), key=lambda entry: entry.path)))


def parse(content: bytes) -> Manifest:
    """A manifest from its bytes; any other form than the canonical one is refused."""
    try:
        said = json.loads(content)
        manifest = Manifest(entries=tuple(_entry(f) for f in said["files"]))
        is_canonical = manifest.to_bytes() == content
    except (ValueError, KeyError, TypeError, RecursionError, BadInputError) as error:
        raise TamperedError(f"These bytes are no manifest: {error}") from error
    paths = [entry.path for entry in manifest.entries]
    if not is_canonical or paths != sorted(set(paths)):
        raise TamperedError("This manifest is not in its canonical form; it was altered.")
    return manifest


def differences(manifest: Manifest, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Paths whose bytes changed, or that are missing, or that nobody listed; bytes that are not kept may be missing."""
    listed = {e.path: e for e in manifest.entries}
    changed = [path for path, entry in listed.items() if not _is_there(entry, files)]
    extra = [path for path in files if path not in listed]
    return tuple(sorted(changed + extra))


def _is_there(entry: Entry, files: Mapping[str, bytes]) -> bool:
    return _is_of(entry, files[entry.path]) if entry.path in files else not entry.is_kept


def _said(entry: Entry) -> dict[str, object]:
    said: dict[str, object] = {"path": entry.path, "sha256": entry.sha256, "size": entry.size}
    return said if entry.is_kept else {**said, "kept": False}


def _is_of(entry: Entry, content: bytes) -> bool:
    return len(content) == entry.size and digest(content) == entry.sha256


def _entry(said: dict[str, object]) -> Entry:
    match said:
        case {"path": str(path), "size": int(size), "sha256": str(sha256)} if not isinstance(size, bool):
            return Entry(path=path, size=size, sha256=sha256, is_kept=said.get("kept") is not False)
        case _:
            raise ValueError("an entry is not a path, a size and a sha256")
