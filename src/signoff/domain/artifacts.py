"""The files of a registered version, pinned: what was validated, by the registry's own number and by digest.

A tag such as `version` can move to another registration later; the registry's number cannot, and a digest names the
bytes. Code that loads a pinned version compares the files with the pin and refuses any others.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.domain.errors import BadInputError, RefusedError, UnavailableError

BEFORE_BINDING: Final = "registered before Signoff bound artefacts"
NO_REGISTRY: Final = "no registry was connected"
NOT_REGISTERED: Final = "the version was not in the registry"
MOST_NAMED: Final = 5
MOST_KEPT: Final = 32 << 20
"""Larger files of a registered version are in the manifest and the export by digest alone."""
MOST_KEPT_TOGETHER: Final = 128 << 20
"""So does every file from the first one with which the kept files would exceed this together."""


class OtherBytesError(RefusedError):
    """The registry holds other bytes than the ones that were approved."""

    code = "otherbytes"


class OddArtifactError(UnavailableError):
    """An artefact is not a regular file, so its bytes are from another place."""

    code = "oddartifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file by its path, its size in bytes and its SHA-256."""

    path: str
    size: int
    sha256: str

    @property
    def words(self) -> str:
        return f"sha256 {self.sha256} ({self.size:,} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A registered version as it was validated: the registry's number and run, and every file of its model.

    `files` are sorted by path, which is relative to the model's folder.
    """

    model: str
    number: int
    run_id: str
    files: tuple[Artifact, ...]

    @property
    def digest(self) -> str:
        """One digest of all files: the SHA-256 of the lines that `sha256sum` prints of them, sorted by path."""
        listed = "".join(f"{one.sha256}  {one.path}\n" for one in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()

    @property
    def words(self) -> str:
        """Which registration this is."""
        return f"{self.model} number {self.number} (run {self.run_id}), digest sha256:{self.digest}"

    @property
    def by_digest_alone(self) -> tuple[Artifact, ...]:
        """The files whose bytes are not kept."""
        alone: list[Artifact] = []
        together = 0
        for file in self.files:
            if is_kept(file.size, together):
                together += file.size
            else:
                alone.append(file)
        return tuple(alone)

    def differences(self, files: Iterable[Artifact]) -> tuple[str, ...]:
        """Each file that differs from the pin: its path, with expected and found."""
        expected = {one.path: one for one in self.files}
        actual = {one.path: one for one in files}
        return tuple(
            f"{path}: expected {_file_text(expected.get(path))}, found {_file_text(actual.get(path))}"
            for path in sorted(expected.keys() | actual.keys())
            if expected.get(path) != actual.get(path)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousCheck:
    """A version loaded from the registry and run on its known input; `detail` says what was seen.

    `is_working` is None where the registry could not be asked, or the model was not run.
    """

    version: str
    run_id: str
    is_working: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredArtifacts:
    """A registered version's present files in the registry; `contents` are the bytes of those that are kept."""

    pin: Pin
    contents: Mapping[str, bytes] = field(default_factory=dict)


def refusal(pin: Pin, differences: tuple[str, ...]) -> str:
    """The message that the registry has other files than the pinned ones."""
    rest = len(differences) - MOST_NAMED
    named = "; ".join(differences[:MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
    return (
        f"the files of {pin.model} number {pin.number} in the registry are not the ones that were approved: {named}. "
        "Restore these bytes in the registry, or release what is there now as a version of its own."
    )


def pin_of(document: Mapping[str, Any]) -> Pin:
    """The pin of a release from `signoff status ID --json` (the part `artifacts` of the release), or from a file."""
    try:
        files = tuple(Artifact(path=f["path"], size=f["size"], sha256=f["sha256"]) for f in document["files"])
        pin = Pin(
            model=str(document["model"]), number=int(document["number"]), run_id=str(document["run_id"]), files=files
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"Expected model, number, run_id and files of a bound release, found {str(dict(document))[:200]} "
            f"({error!r}). A release whose artefacts are not bound has no pin."
        ) from error
    if not files or pin.digest != document.get("digest", pin.digest):
        raise BadInputError(f"Expected files with the digest {document.get('digest')}, found {pin.digest}.")
    return pin


def is_kept(size: int, together: int) -> bool:
    """Whether to keep a file's bytes beside its digest, given how many bytes are kept already."""
    return size <= MOST_KEPT and together + size <= MOST_KEPT_TOGETHER


def _file_text(file: Artifact | None) -> str:
    return "no such file" if file is None else file.words
