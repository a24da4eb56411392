"""The locations from which a run's artefacts may be read.

Any writer to the registry chooses the location of a run's artefacts, and this process reads and writes there. A `file:`
location could name the installation's keys, and an `http:` location a host in the firm's network. So only locations of
the operator are allowed: the tracking server, an object store, the folder of a registry that is a local file, and what
SIGNOFF_ARTIFACTS names.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from signoff.adapters.outside import bare
from signoff.adapters.sqlite_files import sqlite_file
from signoff.domain.artifacts import OddArtifactError
from signoff.domain.errors import UnavailableError

# The operator's credentials and settings choose the host; the location names only a bucket and a path.
OBJECT_STORES: Final = frozenset({"s3", "gs"})
BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}")
SERVED: Final = "mlflow-artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPlaces:
    """The locations of one registry. `allowed` are folders or address prefixes that the operator named."""

    registry: str
    allowed: tuple[str, ...] = ()

    def check(self, location: str) -> None:
        """Raise UnavailableError, which names the location, unless artefacts are allowed there."""
        if not self._is_allowed(location):
            raise UnavailableError(
                f"Expected artefacts with the registry, in an object store or where SIGNOFF_ARTIFACTS says, found a "
                f"run that keeps them at {bare(location)}; nothing there was read or written. If they belong there, "
                "the operator adds that folder or address to SIGNOFF_ARTIFACTS."
            )

    def check_links(self, location: str, path: str) -> None:
        """Raise UnavailableError for symbolic links in a local artefact: a copy of it would contain their targets."""
        if urlsplit(location).scheme not in {"", "file"}:
            return
        start = _local(location) / path
        for entry in (start, *start.rglob("*")):
            if entry.is_symlink():
                raise OddArtifactError(f"{entry}: expected an artefact, found a symbolic link. Log the file itself.")

    def _is_allowed(self, location: str) -> bool:
        parts = urlsplit(location)
        if parts.scheme in {"", "file"}:
            return parts.netloc in {"", "localhost"} and self._is_inside(_local(location))
        if parts.scheme in OBJECT_STORES:
            return BUCKET.fullmatch(parts.netloc) is not None
        if parts.scheme == SERVED and parts.netloc in {"", urlsplit(self.registry).netloc}:
            return True
        return any(_begins(location, prefix) for prefix in self.allowed if "://" in prefix)

    def _is_inside(self, path: Path) -> bool:
        """Whether a local path, with every link resolved, is inside an allowed folder."""
        real = path.resolve()
        return any(real != folder and real.is_relative_to(folder) for folder in self._folders())

    def _folders(self) -> list[Path]:
        named = [Path(part).resolve() for part in self.allowed if "://" not in part]
        if (database := sqlite_file(self.registry)) is not None:
            named.append(database.resolve().parent)
        return named


def local_folder(location: str) -> Path | None:
    """The local folder of a location; None if it is elsewhere."""
    return _local(location) if urlsplit(location).scheme in {"", "file"} else None


def _local(location: str) -> Path:
    """The path that MLflow reads at a local location: only a `file:` address has a query or a fragment."""
    return Path(unquote(urlsplit(location).path if location.startswith("file:") else location))


def _begins(location: str, prefix: str) -> bool:
    """Whether a location is beneath an allowed address, also after a client decodes `%2e` and removes `..`."""
    return ".." not in unquote(unquote(location)) and location.startswith(prefix.rstrip("/") + "/")
