"""What of the record survives when a process that writes it is killed."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Events that a process had acknowledged before it was killed, and how many of them were gone afterwards."""

    acknowledged: int
    lost: int


class Durability(Protocol):
    """Measured on a store of its own; the record itself is never touched, so that a retry costs only time."""

    def measure(self) -> Kept:
        """Kill a writing process and count. Raises UnavailableError, and says why, where that cannot be done."""
