"""The manifest: every file that a signature covers, by path, size and SHA-256."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from signoff.domain.errors import TamperedError
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
        entries = tuple(Entry(path=f["path"], size=f["size"], sha256=f["sha256"]) for f in said["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise TamperedError(f"These bytes are no manifest: {error}") from error
    manifest = Manifest(entries=entries)
    if manifest.to_bytes() != content:
        raise TamperedError("This manifest is not in its canonical form; it was altered.")
    return manifest


def differences(manifest: Manifest, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Paths whose bytes changed, or that are missing, or that nobody listed."""
    listed = {e.path: e.sha256 for e in manifest.entries}
    changed = [path for path, sha in listed.items() if path not in files or digest(files[path]) != sha]
    extra = [path for path in files if path not in listed]
    return tuple(sorted(changed + extra))
