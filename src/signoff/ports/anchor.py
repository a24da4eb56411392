"""Places for checkpoints that a writer of the ledger cannot write."""

from typing import Protocol


class Anchor(Protocol):
    """One place that keeps checkpoints."""

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint over `size` events, and return where. Repeating it changes nothing.

        TamperedError if the place keeps another tree of that size: one of the two was rewritten. UnavailableError if
        the checkpoint could not be kept.
        """
