"""Kills that take effect before any database knows of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One person's order to stop a model; `id` makes its entry in the ledger happen once."""

    id: str
    model: str
    reason: str
    actor: str
    at: datetime


class KillJournal(Protocol):
    """Every call may be repeated. A kill is pending from `write` until `settle`, across processes and restarts."""

    def write(self, kill: Kill) -> bool:
        """Keep a kill durably, before it takes effect; False where nothing could be written, which stops nobody."""

    def pending(self) -> tuple[Kill, ...]:
        """Kills that the ledger does not hold yet, oldest first."""

    def settle(self, identity: str) -> None:
        """The ledger holds this kill."""
