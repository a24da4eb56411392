"""Where the files of a release stand: what people submitted, what they signed, and the editions that followed."""

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
    """One folder as it was read: declarations, measurements, and the exact bytes of every file behind them.

    `floor` says which policy it was read against; `policy` is that one for this type of deployment, with the dossier's
    stricter thresholds. `placeholders` are the declarations that nobody has filled in yet, each with its line.
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
        """Parse and check a dossier folder. Raises BadInputError naming everything that is wrong.

        A policy file, given or in the folder, is taken as a trial; without one the policy in force counts. A submission
        is always held to the policy in force: a file that differs from it is a RefusedError. Placeholders are wrong
        unless the dossier `may_be_unfinished`.
        """


class Releases(Protocol):
    """Folders of files, each written whole or not at all."""

    def write(self, deployment: str, edition: str, files: Mapping[str, bytes]) -> Path:
        """Write an edition and return its folder; the same content again changes nothing."""

    def read(self, deployment: str, edition: str) -> Mapping[str, bytes]:
        """Every file of an edition by its relative path. Raises NotFoundError."""

    def folder(self, deployment: str, edition: str) -> Path:
        """Where an edition stands, whether or not it was written."""

    def origin(self, deployment: str) -> Mapping[str, bytes] | None:
        """The files of the folder that people submitted, as they are now; None when it is gone."""

    def remember_origin(self, deployment: str, folder: Path, files: Mapping[str, bytes]) -> None:
        """Note which of the submitted files this folder holds; a policy or table from elsewhere is not among them."""
