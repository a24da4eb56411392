"""Places for checkpoints that a writer of the ledger cannot write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class Anchor(Protocol):
    """One place that keeps checkpoints."""

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint over `size` events, and return where. Repeating it changes nothing.

        TamperedError if the place keeps another tree of that size: one of the two was rewritten. UnavailableError if
        the checkpoint could not be kept.
        """


class Anchors(Protocol):
    """The anchors of one installation."""

    def kept(self) -> Mapping[str, bytes]:
        """The checkpoints and time stamps that are kept beside the database, by file name."""

    def beside(self) -> Anchor:
        """The anchor beside the database."""

    def at(self, target: str, tsa_root: Path | None) -> Anchor:
        """The anchor that an operator names; BadInputError where it names none."""

    def trust(self, tsa_root: Path) -> None:
        """Keep the root certificates that time stamps of this installation need."""
