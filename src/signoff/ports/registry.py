"""The model registry: where versions live, and where a release's documents are attached."""

from collections.abc import Collection, Mapping
from typing import Protocol

from signoff.domain.artifacts import Pin, PreviousCheck, RegisteredArtifacts
from signoff.domain.evidence import RegisteredModel, RegisteredVersion


class Registry(Protocol):
    """Every call may be repeated; attaching the same bytes again changes nothing.

    `number` is the registry's own number of a registration. Without it the latest one that carries the version counts,
    which somebody may have registered a moment ago.
    """

    def version(self, model: str, version: str, *, number: int | None = None) -> RegisteredVersion | None:
        """What the registry knows of a version, None where it knows nothing."""

    def artifacts(self, model: str, version: str, *, number: int | None = None) -> RegisteredArtifacts | None:
        """Every file of a version's model with size and digest, None where there is no such version."""

    def stamp(self, model: str, version: str, *, number: int | None = None) -> str | None:
        """A mark of a version's files by their sizes and, on this machine, their inodes and times; nothing is read.

        Files whose mark is another one may have changed. None where there is no such version.
        """

    def verify(self, model: str, version: str, *, pin: Pin | None = None) -> PreviousCheck:
        """Load a version and run it on its recorded input; a failure is a result, not an exception.

        With a pin, the bytes that are run are the pinned ones, and any others are such a failure.
        """

    def attach(
        self, model: str, version: str, files: Mapping[str, bytes], *, number: int | None = None
    ) -> tuple[str, ...]:
        """Attach documents under ``governance/`` and set or remove ``governance_ready`` by what is then attached.

        Returns the names of required documents that are still missing.
        """

    def point(self, model: str, alias: str, version: str, *, number: int | None = None) -> None:
        """Let an alias name a version."""

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """Which of these versions are there, and which version an alias names; nothing is loaded."""
