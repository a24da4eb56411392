"""Where a run's artefacts may lie. Whoever writes to the registry says where, and this process reads and writes there.

A run whose artefacts lie in `file:///` of the installation would have its keys read for it, and one at an address of
the firm's network would have that address asked. So a place counts only where the operator keeps artefacts: with the
tracking server itself, in an object store, beside a registry that is a local file, or where SIGNOFF_ARTIFACTS says.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from signoff.adapters.sqlite_files import sqlite_file
from signoff.domain.errors import UnavailableError

# Read with the operator's own credentials at the store's own address: what follows names a bucket and no host.
OBJECT_STORES: Final = frozenset({"s3", "gs"})
BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}")
SERVED: Final = "mlflow-artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPlaces:
    """The places of one registry. `allowed` are folders, or beginnings of addresses, that the operator named."""

    registry: str
    allowed: tuple[str, ...] = ()

    def check(self, location: str) -> None:
        """Nothing where artefacts may lie at this location; UnavailableError names it where they may not."""
        if not self._is_allowed(location):
            raise UnavailableError(
                f"Expected artefacts with the registry, in an object store or where SIGNOFF_ARTIFACTS says, found a "
                f"run that keeps them at {_bare(location)}; nothing there was read or written. If they belong there, "
                "the operator adds that folder or address to SIGNOFF_ARTIFACTS."
            )

    def check_links(self, location: str, path: str) -> None:
        """Nothing where no link lies beneath a path of a local location; a copy of it would hold what they lead to."""
        if urlsplit(location).scheme not in {"", "file"}:
            return
        start = _local(location) / path
        for found in (start, *start.rglob("*")):
            if found.is_symlink():
                raise UnavailableError(f"{found}: expected an artefact, found a symbolic link. Log the file itself.")

    def _is_allowed(self, location: str) -> bool:
        parts = urlsplit(location)
        if parts.scheme in {"", "file"}:
            return parts.netloc in {"", "localhost"} and self._is_inside(_local(location))
        if parts.scheme in OBJECT_STORES:
            return BUCKET.fullmatch(parts.netloc) is not None
        if parts.scheme == SERVED and parts.netloc in {"", urlsplit(self.registry).netloc}:
            return True
        return any(_begins(location, beginning) for beginning in self.allowed if "://" in beginning)

    def _is_inside(self, path: Path) -> bool:
        """Whether a local path, once every link on it is followed, lies in a folder for artefacts."""
        found = path.resolve()
        return any(found != folder and found.is_relative_to(folder) for folder in self._folders())

    def _folders(self) -> list[Path]:
        named = [Path(part).resolve() for part in self.allowed if "://" not in part]
        if (database := sqlite_file(self.registry)) is not None:
            named.append(database.resolve().parent)
        return named


def _local(location: str) -> Path:
    """The path that MLflow reads at a location of this machine: only a `file:` address has a query or a fragment."""
    return Path(unquote(urlsplit(location).path if location.startswith("file:") else location))


def _begins(location: str, beginning: str) -> bool:
    return ".." not in location and location.startswith(beginning.rstrip("/") + "/")


def _bare(location: str) -> str:
    """The location without a name and password, which an address may hold."""
    scheme, separator, rest = location.partition("://")
    return location if not separator else f"{scheme}://{rest.rpartition('@')[2]}"
