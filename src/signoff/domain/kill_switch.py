"""The kill switch of a model and its last rehearsal, for all releases, folded from the stream `model/<name>`.

One person can kill without conditions. Re-arming takes two people, and a later kill voids earlier signatures.
"""

from dataclasses import dataclass, replace
from typing import Final

from signoff.domain import events as e
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.events import Signature
from signoff.domain.flags import NO_KILL, KillCount
from signoff.domain.rollback_drill import Rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchState:
    """`kill_count` grows with every kill; an order made under a smaller count is refused."""

    model: str
    revision: int = 0
    is_latched: bool = False
    kill_count: KillCount = NO_KILL
    reason: str = ""
    killed_by: str = ""
    rearm_signatures: tuple[Signature, ...] = ()
    rehearsal: Rehearsal | None = None


# Arming takes two people, whatever the policy says.
FEWEST: Final = 2


def evolve_latch(state: KillSwitchState | None, recorded: e.Recorded) -> KillSwitchState:
    """The kill switch after one more event of its stream."""
    model = recorded.stream.partition("/")[2]
    latch = state or KillSwitchState(model=model)
    if recorded.revision != latch.revision + 1:
        message = f"revision {recorded.revision} of {recorded.stream} follows {latch.revision}"
        raise IllegalHistoryError(message)
    latch = replace(latch, revision=recorded.revision)
    match recorded.event:
        case e.Killed() as killed:
            _must(killed.epoch > latch.kill_count, recorded, f"was kill number {killed.epoch} after {latch.kill_count}")
            return replace(
                latch,
                is_latched=True,
                kill_count=KillCount(killed.epoch),
                reason=killed.reason,
                killed_by=recorded.actor,
                rearm_signatures=(),
            )
        case e.RearmSigned() as signed:
            return replace(latch, rearm_signatures=(*latch.rearm_signatures, signed.signature))
        case e.Rearmed() as armed:
            people = {signature.person for signature in latch.rearm_signatures}
            is_by_two = len(set(armed.persons)) >= FEWEST and people.issuperset(armed.persons)
            _must(latch.is_latched and is_by_two, recorded, "was armed without a kill, or without two who signed")
            return replace(latch, is_latched=False, rearm_signatures=())
        case e.Rehearsed() as rehearsed:
            return replace(latch, rehearsal=Rehearsal(at=recorded.at, result=rehearsed))
        case e.NoticeSent():
            return latch
        case other:
            message = f"{other.kind!r} does not belong to {recorded.stream}"
            raise IllegalHistoryError(message)


def _must(holds: bool, recorded: e.Recorded, what: str) -> None:
    """Refuse a history that violates a guard."""
    if not holds:
        message = f"{recorded.stream} {what}"
        raise IllegalHistoryError(message)
