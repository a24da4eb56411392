"""Accept a model's orders again, once no kill and no rollback holds them back.

A kill is journaled, and a rollback recorded, before it fences. Both are read before the fence is lifted and again
afterwards, so that a fence that was lifted wrongly is restored.
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

# If the flags' revision is unknown, every order of the model is refused until it is re-armed.
EVERY_REVISION: Final = FlagsRevision(2**53 - 1)


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """Why orders stay refused, and up to which revision of the flags."""

    why: str
    flags_revision: FlagsRevision
    is_killed: bool


def recorded_as(kill_id: str) -> str:
    """The key under which the ledger holds a kill."""
    return f"kill:{kill_id}"


def ordered(record: Record, journal: KillJournal, model: str) -> Kill | None:
    """A journaled kill that stops this model, and that the ledger lacks."""
    for kill in journal.pending():
        if kill.is_wide:
            is_open = record.store.request_of(recorded_as(kill.part(model).id)) is None
            if is_open and kill.covers(model, desks(record.deployments(model))):
                return kill
        elif kill.model == model:
            return kill
    return None


def kept_back(record: Record, journal: KillJournal, model: str, *, besides: str | None = None) -> HaltRecord | None:
    """What holds a model's orders back, None if nothing does; `besides` is a release whose own rollback is ignored."""
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
    """Lift the fence for orders made under the present flags or later ones; if something holds them back, return it
    instead.

    Without a venue there is no fence: only the flags hold orders back.
    """
    halt = kept_back(record, journal, model, besides=besides)
    if orders.kind is VenueKind.NONE:
        return halt
    if halt is None:
        revision = record.flags(model).revision
        orders.lift(scope, revision if besides is None else FlagsRevision(revision + 1))
        halt = kept_back(record, journal, model, besides=besides)
    if halt is not None:
        orders.fence(scope, halt.flags_revision)
    return halt
