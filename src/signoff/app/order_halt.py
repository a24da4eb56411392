"""Letting a model's orders through again, once nothing keeps them back.

Whoever stops a model writes that down before fencing: a kill in the journal, a rollback in the ledger. So one looks
before the fence is lifted and once more afterwards, and a fence that was undone meanwhile stands again.
"""

from dataclasses import dataclass
from typing import Final

from signoff.app.record import Record
from signoff.domain.deployment import RETREATING
from signoff.domain.desks import desks
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind
from signoff.ports.kills import Kill, KillJournal
from signoff.ports.venue import OrderHalt

# Where the flags' revision cannot be known, every order of the model is refused until it is armed again.
EVERY_REVISION: Final = FlagsRevision(2**53 - 1)


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """Why orders stay refused, and up to which revision of the flags."""

    why: str
    flags_revision: FlagsRevision
    is_killed: bool


def recorded_as(identity: str) -> str:
    """The key under which the ledger holds a kill."""
    return f"kill:{identity}"


def ordered(record: Record, journal: KillJournal, model: str) -> Kill | None:
    """A kill in the journal that stops this model, and that the ledger does not hold of it yet."""
    for kill in journal.pending():
        if kill.is_wide:
            is_open = record.store.request_of(recorded_as(kill.part(model).id)) is None
            if is_open and kill.covers(model, desks(record.deployments(model))):
                return kill
        elif kill.model == model:
            return kill
    return None


def kept_back(record: Record, journal: KillJournal, model: str, *, besides: str | None = None) -> HaltRecord | None:
    """What keeps the orders of a model back, `besides` a release whose own rollback asks; None when nothing does."""
    latch = record.latch(model)
    if latch is not None and latch.is_latched:
        return HaltRecord(f"the model is killed ({latch.reason})", EVERY_REVISION, is_killed=True)
    if (kill := ordered(record, journal, model)) is not None:
        return HaltRecord(f"the model is killed ({kill.reason})", EVERY_REVISION, is_killed=True)
    leaving = next((d for d in record.deployments(model) if d.id != besides and d.state in RETREATING), None)
    if leaving is None:
        return None
    return HaltRecord(f"{leaving.id} is {leaving.state.value}", record.flags(model).revision, is_killed=False)


def lift(
    record: Record, orders: OrderHalt, journal: KillJournal, model: str, scope: str, *, besides: str | None = None
) -> HaltRecord | None:
    """Accept orders made under the present flags or later ones; what keeps them back, and then the fence stands.

    Without a venue there is no fence: the flags alone hold orders back or let them through.
    """
    kept = kept_back(record, journal, model, besides=besides)
    if orders.kind is VenueKind.NONE:
        return kept
    if kept is None:
        revision = record.flags(model).revision
        orders.lift(scope, revision if besides is None else FlagsRevision(revision + 1))
        kept = kept_back(record, journal, model, besides=besides)
    if kept is not None:
        orders.fence(scope, kept.flags_revision)
    return kept
