"""The journal of kills, which take effect before they are in the database."""

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
    """One person's order to stop a model, the models of a desk, or all; `id` makes its ledger entry idempotent.

    `account` is the local account that left the order in a drop folder; the record later replaces `actor` by the person
    with this login. `proof` says how the actor's name was proven. It lasts as long as the process, since a file proves
    nothing.
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
        """Whether it stops this model, which trades for these `desks`."""
        match self.reach:
            case Reach.MODEL:
                return self.model == model
            case Reach.DESK:
                return self.desk in desks
            case Reach.ALL:
                return True

    def part(self, model: str) -> "Kill":
        """The part of this kill for one model, under an id derived from both."""
        if not self.is_wide:
            return self
        part_id = sha256(f"{self.id}:{model}".encode("utf-8", "replace")).hexdigest()[:32]
        return replace(self, id=part_id, model=model, reach=Reach.MODEL, desk="")


class KillJournal(Protocol):
    """Every call may be repeated. A kill is pending from `write` to `settle`, across processes and restarts."""

    def write(self, kill: Kill) -> bool:
        """Write a kill to disk before it takes effect; False if that failed, which must not prevent the kill."""

    def pending(self) -> tuple[Kill, ...]:
        """Kills that the ledger lacks, oldest first."""

    def settle(self, kill_id: str) -> None:
        """Note that the ledger holds this kill."""

    def hand_over(self, kill: Kill) -> Path | None:
        """Leave a kill for the installation if this account cannot write its journal; returns where."""

    def collect(self) -> int:
        """Move the kills in the drop folder into the journal; returns how many."""

    def objections(self) -> tuple[str, ...]:
        """Folders and files that are not as required and were ignored; people must look at them."""
