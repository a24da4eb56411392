"""The files of a release: the submitted inputs, the signed edition, and later editions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.floor import Floor, InForce
from signoff.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One folder as read: declarations, measurements, and the exact bytes of their files.

    `floor` names the policy that applied; `policy` is that policy for this type of deployment, with the dossier's
    stricter thresholds. `placeholders` are the declarations that are not filled in yet, each with its line.
    """

    dossier: Dossier
    policy: Policy
    evidence: Evidence
    files: Mapping[str, bytes]
    links: Mapping[str, bool | None]
    floor: Floor
    placeholders: tuple[str, ...] = ()


class InputReader(Protocol):
    def read(
        self,
        folder: Path,
        policy: Path | None,
        in_force: Callable[[], InForce],
        *,
        is_submission: bool = False,
        may_be_unfinished: bool = False,
    ) -> Inputs:
        """Parse and check a dossier folder. Raises BadInputError that names every fault.

        A policy file, passed or in the folder, is a trial; without one the policy in force applies. A submission always
        uses the policy in force: a different file is a RefusedError. Placeholders are faults
        unless the dossier `may_be_unfinished`.
        """


class Releases(Protocol):
    """Folders of files, each written whole or not at all."""

    def write(self, deployment: str, edition: str, files: Mapping[str, bytes]) -> Path:
        """Write an edition and return its folder; repeating it changes nothing."""

    def read(self, deployment: str, edition: str) -> Mapping[str, bytes]:
        """Every file of an edition by its relative path. Raises NotFoundError."""

    def folder(self, deployment: str, edition: str) -> Path:
        """The folder of an edition, whether or not it was written."""

    def origin(self, deployment: str) -> Mapping[str, bytes] | None:
        """The present files of the submitted folder; None if it is gone."""

    def remember_origin(self, deployment: str, folder: Path, files: Mapping[str, bytes]) -> None:
        """Note which submitted files come from this folder; a policy or table may come from elsewhere."""
