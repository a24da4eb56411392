"""The manifest: every file that a signature covers, by path, size and SHA-256."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from signoff.domain.errors import BadInputError, TamperedError
from signoff.ledger.canonical import canonical, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Entries sorted by path; its digest is what people sign."""

    entries: tuple[Entry, ...]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical({"files": [{"path": e.path, "sha256": e.sha256, "size": e.size} for e in self.entries]})

    @property
    def digest(self) -> str:
        return digest(self.to_bytes())


def manifest_of(files: Mapping[str, bytes]) -> Manifest:
    """The manifest over these files."""
    return Manifest(entries=tuple(Entry(path=path, size=len(c), sha256=digest(c)) for path, c in sorted(files.items())))


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
    """Paths whose bytes changed, or that are missing, or that nobody listed."""
    listed = {e.path: e for e in manifest.entries}
    changed = [path for path, entry in listed.items() if path not in files or not _is_of(entry, files[path])]
    extra = [path for path in files if path not in listed]
    return tuple(sorted(changed + extra))


def _is_of(entry: Entry, content: bytes) -> bool:
    return len(content) == entry.size and digest(content) == entry.sha256


def _entry(said: dict[str, object]) -> Entry:
    match said:
        case {"path": str(path), "size": int(size), "sha256": str(sha256)} if not isinstance(size, bool):
            return Entry(path=path, size=size, sha256=sha256)
        case _:
            raise ValueError("an entry is not a path, a size and a sha256")
