"""Kills that take effect before any database knows of them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from signoff.domain.events import ActorProof


class Reach(StrEnum):
    """How far a kill reaches."""

    MODEL = "model"
    DESK = "desk"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One person's order to stop a model, those of a desk, or all; `id` makes its entry in the ledger happen once.

    `account` is the local account that a drop folder had the order from: `actor` is then replaced by the person whose
    login it is, once the record says who that is. `proof` is of the actor's name, for as long as the process lives that
    took the order: what is read back from a file proves nothing.
    """

    id: str
    model: str = ""
    reason: str
    actor: str
    at: datetime
    reach: Reach = Reach.MODEL
    desk: str = ""
    account: str = ""
    proof: ActorProof = ActorProof.UNRECORDED

    @property
    def is_wide(self) -> bool:
        """Whether it stops more than one model."""
        return self.reach is not Reach.MODEL

    def covers(self, model: str, desks: Collection[str]) -> bool:
        """Whether it stops this model, which trades for these desks."""
        match self.reach:
            case Reach.MODEL:
                return self.model == model
            case Reach.DESK:
                return self.desk in desks
            case Reach.ALL:
                return True

    def part(self, model: str) -> "Kill":
        """The kill of one model that this one comes down to, under an id that follows from both."""
        if not self.is_wide:
            return self
        identity = sha256(f"{self.id}:{model}".encode("utf-8", "replace")).hexdigest()[:32]
        return replace(self, id=identity, model=model, reach=Reach.MODEL, desk="")


class KillJournal(Protocol):
    """Every call may be repeated. A kill is pending from `write` until `settle`, across processes and restarts."""

    def write(self, kill: Kill) -> bool:
        """Keep a kill durably, before it takes effect; False where nothing could be written, which stops nobody."""

    def pending(self) -> tuple[Kill, ...]:
        """Kills that the ledger does not hold yet, oldest first."""

    def settle(self, identity: str) -> None:
        """The ledger holds this kill."""

    def hand_over(self, kill: Kill) -> Path | None:
        """Leave a kill for the installation to take, where this account cannot write its journal; where it was left."""

    def collect(self) -> int:
        """Take what members of the drop folder's group left there into the journal; how many there were."""

    def objections(self) -> tuple[str, ...]:
        """What people must look at: folders and files that are not what they must be, and were not believed."""
