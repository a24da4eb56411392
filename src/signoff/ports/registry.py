"""The model registry: where versions live, and where a release's documents are attached."""

from collections.abc import Collection, Mapping
from typing import Protocol

from signoff.domain.benchmark import RegisteredBytes
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.domain.memo.standing import PreviousCheck


class Registry(Protocol):
    """Every call may be repeated; attaching the same bytes again changes nothing."""

    def version(self, model: str, version: str) -> RegisteredVersion | None:
        """What the registry knows of a version, None where it knows nothing."""

    def verify(self, model: str, version: str) -> PreviousCheck:
        """Load a version and run it on its recorded input; a failure is a result, not an exception."""

    def registered_bytes(self, model: str, version: str) -> RegisteredBytes | None:
        """Which registration a version is, and the digest of its files as they lie there now; nothing is loaded."""

    def attach(self, model: str, version: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Attach documents under ``governance/`` and set or remove ``governance_ready`` by what is then attached.

        Returns the names of required documents that are still missing.
        """

    def point(self, model: str, alias: str, version: str) -> None:
        """Let an alias name a version."""

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """Which of these versions are there, and which version an alias names; nothing is loaded."""
