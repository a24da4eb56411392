"""The model registry, which holds versions and the documents attached to them."""

from collections.abc import Collection, Mapping
from typing import Protocol

from signoff.domain.artifacts import Pin, PreviousCheck, RegisteredArtifacts
from signoff.domain.evidence import RegisteredModel, RegisteredVersion


class Registry(Protocol):
    """Every call may be repeated; attaching the same bytes again changes nothing.

    `number` is the registry's own number of a registration. Without it, the latest registration with the version
    counts; it may be a moment old.
    """

    def version(self, model: str, version: str, *, number: int | None = None) -> RegisteredVersion | None:
        """A registered version, None if the registry lacks it."""

    def artifacts(self, model: str, version: str, *, number: int | None = None) -> RegisteredArtifacts | None:
        """Every file of a version's model with size and digest, None if the registry lacks the version."""

    def stamp(self, model: str, version: str, *, number: int | None = None) -> str | None:
        """A stamp of a version's files from their sizes and, on this machine, inodes and times; no file is read.

        If the stamp changes, the files may have changed. None if the registry lacks the version.
        """

    def verify(self, model: str, version: str, *, pin: Pin | None = None) -> PreviousCheck:
        """Load a version and run it on its recorded input; a failure is a result, not an exception.

        With a pin, other bytes than the pinned ones are a failure too.
        """

    def attach(
        self, model: str, version: str, files: Mapping[str, bytes], *, number: int | None = None
    ) -> tuple[str, ...]:
        """Attach documents under ``governance/``, and set or remove ``governance_ready`` accordingly.

        Returns the names of required documents that are still missing.
        """

    def point(self, model: str, alias: str, version: str, *, number: int | None = None) -> None:
        """Point an alias at a version."""

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """Which of these versions exist, and which version the alias names; nothing is loaded."""
