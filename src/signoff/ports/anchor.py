"""Where checkpoints are kept out of the ledger's own reach."""

from typing import Protocol


class Anchor(Protocol):
    """One place that keeps checkpoints."""

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint over `size` events, and say where. The same again changes nothing.

        TamperedError when another tree of that size is kept there: one of the two was rewritten. UnavailableError when
        the place did not take it, and then it is not kept.
        """
