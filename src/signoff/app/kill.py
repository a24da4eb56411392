"""Stop a model now, and arm it again. One person stops; two arm, and every live release re-enters at shadow.

A kill is journaled, effective and pushed before the database is asked: `begin` needs no database, `halt` stops the
orders, `settle` puts the kill into the ledger exactly once, however often it is tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final
from uuid import uuid4

from signoff.app.approvals import Signatory
from signoff.app.fence import EVERY_EPOCH, lift
from signoff.app.record import Change, Record, decided_again, deployment_stream, model_stream
from signoff.app.rollback import order_scope
from signoff.app.signing import prepare, sign
from signoff.domain.access import DUTY_OF, MATRIX, Verb
from signoff.domain.deployment import LIVE, RETREATING, Deployment
from signoff.domain.errors import RefusedError, SignoffError
from signoff.domain.events import Killed, Phase, PhaseEntered, Rearmed, RearmSigned, Signature, Verdict
from signoff.domain.floor import BUILT_IN
from signoff.domain.latch import Latch
from signoff.domain.names import written_out
from signoff.domain.policy import Policy, Role
from signoff.ledger.canonical import digest
from signoff.ports.kills import Kill, KillJournal
from signoff.ports.orders import OrderHalt
from signoff.ports.store import Effect

PATIENCE_S: Final = 0.7
AGAIN_S: Final = 1.0
LIFT: Final = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A kill that is in force, and whether a disk took it."""

    kill: Kill
    is_journaled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a kill did: whether it is on disk and in the ledger, and what is still open; None where nobody could say."""

    kill: Kill
    is_journaled: bool
    is_recorded: bool
    open_orders: int | None


def recorded_as(identity: str) -> str:
    """The key under which the ledger holds a kill."""
    return f"kill:{identity}"


def written(text: str) -> str:
    """A text as the ledger can hold it: what a terminal sent in another encoding must not cost a kill."""
    return text.encode("utf-8", "replace").decode()


def soon(settle: Callable[[], bool]) -> bool:
    """Whether it was settled by now; what takes longer goes on by itself, and is reconciled if this process ends."""
    done: list[bool] = []
    thread = Thread(target=lambda: done.append(settle()), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return done == [True]


def until_kept(keep: Callable[[], bool]) -> None:
    """Try again every second, as long as this process lives, until something keeps what only its memory holds."""

    def insist() -> None:
        while not keep():
            Event().wait(AGAIN_S)

    Thread(target=insist, daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """The latch of each model, the journal of kills, and the orders behind them.

    `policy` is the installation's: what arming takes where no release is live. A kill asks for none.
    """

    record: Record
    orders: OrderHalt
    journal: KillJournal
    in_time: Callable[[Callable[[], bool]], bool] = soon
    insist: Callable[[Callable[[], bool]], None] = until_kept
    policy: Callable[[], Policy] = lambda: BUILT_IN

    def kill(self, model: str, *, reason: str, actor: str) -> Stopped:
        """Journal, halt the orders, record. Needs nobody else; a database that is away delays only the record."""
        return self.finish(self.begin(model, reason=reason, actor=actor))

    def begin(self, model: str, *, reason: str, actor: str) -> Begun:
        """Journal a kill; from here on it is in force wherever the journal is read."""
        kill = Kill(id=uuid4().hex, model=model, reason=written(reason), actor=written(actor), at=self.record.now())
        return Begun(kill=kill, is_journaled=self.journal.write(kill))

    def finish(self, begun: Begun) -> Stopped:
        """Halt the orders and record the kill, without waiting long for a database that does not answer.

        A kill that neither a disk nor the ledger took is known to this process alone, which goes on trying both.
        """
        stopped = Stopped(
            kill=begun.kill,
            is_journaled=begun.is_journaled,
            open_orders=self.halt(begun.kill),
            is_recorded=self.in_time(lambda: self.settle(begun.kill)),
        )
        if not stopped.is_journaled and not stopped.is_recorded:
            self.insist(lambda: self.settle(begun.kill) or self.journal.write(begun.kill))
        return stopped

    def halt(self, kill: Kill) -> int | None:
        """Fence and cancel; how many orders are still open, None when the broker did not say."""
        scope = order_scope(kill.model)
        try:
            self.orders.fence(scope, EVERY_EPOCH)
            self.orders.cancel(scope, EVERY_EPOCH)
            return len(self.orders.open_orders(scope))
        except (SignoffError, OSError):
            return None

    def settle(self, kill: Kill) -> bool:
        """Put a kill into the ledger, once; False when that could not be done and it stays pending.

        Whatever is wrong with one kill, the ones after it are recorded all the same.
        """
        try:
            decided_again(lambda: self._record(kill))
        except SignoffError:
            return False
        self.journal.settle(kill.id)
        return True

    def reconcile(self) -> int:
        """Record the kills that the ledger does not hold yet, and halt their orders again; how many are left.

        Then let orders through of models whose arming was cut off before the broker knew of it.
        """
        left = 0
        for kill in self.journal.pending():
            self.halt(kill)
            left += not self.settle(kill)
        self.lift_armed()
        return left

    def _record(self, kill: Kill) -> None:
        key = recorded_as(kill.id)
        if self.record.store.request_of(key) is not None:
            return  # by a process that died before it could say so, and at another epoch than would be next now
        model = written_out(kill.model)  # what no database can hold must not keep a kill from ever being recorded
        latch = self.record.latch(model) or Latch(model=model)
        event = Killed(model=model, reason=kill.reason, epoch=latch.epoch + 1, kill=kill.id)
        self.record.commit(
            Change(stream=model_stream(model), state=latch if latch.revision else None, events=(event,)),
            actor=kill.actor,
            key=key,
            at=kill.at,
        )

    def statement(self, model: str, *, person: str, role: Role, reason: str) -> bytes:
        """What this person would sign to arm the model again."""
        latch = self._latched(model, person)
        live = self._live(model)
        _may_arm(role)
        return prepare(
            self.record,
            person=person,
            role=role,
            verdict=Verdict.REARM,
            subject=digest(f"{model}:{latch.epoch}".encode()),
            model=model,
            version=",".join(d.version for d in live),
            deployment=model_stream(model),
            policy=self._held_to(live),
            reason=reason,
        )

    def _held_to(self, live: tuple[Deployment, ...]) -> Policy:
        return live[-1].policy if live else self.policy()

    def _latched(self, model: str, person: str) -> Latch:
        latch = self.record.latch(model)
        if any(kill.model == model for kill in self.journal.pending()):
            raise RefusedError(f"A kill of {model} is not in the ledger yet; arm it again once it is.")
        if latch is None or not latch.is_latched:
            raise RefusedError(f"{model} is not killed; there is nothing to arm.")
        if any(s.person == person for s in self._standing(latch)):
            raise RefusedError(f"{person} has signed already; arming takes two different people.")
        return latch

    def _standing(self, latch: Latch) -> tuple[Signature, ...]:
        """The signatures for arming that still count: not expired, by people who hold their role and key today."""
        people, now = self.record.people().by_name, self.record.now()
        return tuple(
            s
            for s in latch.rearm_signatures
            if now < s.expires_at
            and (holder := people.get(s.person)) is not None
            and s.role in holder.roles
            and (s.key_id == holder.key_id or holder.credential(s.key_id) is not None)
        )

    def _live(self, model: str) -> tuple[Deployment, ...]:
        """What re-enters at shadow. What a rollback would bring back after the arming never would, so it ends first."""
        released = self.record.deployments(model)
        if (leaving := next((d for d in released if d.state in RETREATING), None)) is not None:
            raise RefusedError(
                f"{leaving.id} is {leaving.state.value}; what it brings back would trade and never re-enter at shadow. "
                f"Finish it with `signoff rollout rollback {leaving.id}`, then arm {model} again."
            )
        return tuple(d for d in released if d.state in LIVE)

    def rearm(self, model: str, signatory: Signatory, *, reason: str) -> Latch:
        """Sign for arming again; the second person's signature arms."""
        if self.record.was_carried_out():
            self.lift_armed()
            return self.record.latch(model) or Latch(model=model)
        latch, live = self._latched(model, signatory.person), self._live(model)
        _may_arm(signatory.role)
        policy = self._held_to(live)
        signature = sign(
            self.record,
            signatory.signer,
            person=signatory.person,
            role=signatory.role,
            verdict=Verdict.REARM,
            subject=digest(f"{model}:{latch.epoch}".encode()),
            model=model,
            version=",".join(d.version for d in live),
            deployment=model_stream(model),
            policy=policy,
            reason=reason,
        )
        persons = (*(s.person for s in self._standing(latch)), signatory.person)
        if len(persons) < policy.approvals.override_persons:
            self._commit(latch, (RearmSigned(signature=signature),), (), actor=signatory.person)
        else:
            self._commit(
                latch, (RearmSigned(signature=signature), Rearmed(persons=persons)), live, actor=signatory.person
            )
            self.lift_armed()
        return self.record.latch(model) or latch

    def lift_armed(self) -> None:
        """Let the broker take orders again of models that were armed.

        Of one that was killed again, not; of one that is on its way back, once it has come there.
        """
        for effect in self.record.store.pending():
            if effect.kind == LIFT:
                model = effect.payload.decode()
                kept = lift(self.record, self.orders, self.journal, model, order_scope(model))
                if kept is None or kept.is_killed:
                    self.record.store.done(effect.identity, LIFT, self.record.now())

    def _commit(
        self,
        latch: Latch,
        events: tuple[RearmSigned | Rearmed, ...],
        live: tuple[Deployment, ...],
        *,
        actor: str,
    ) -> None:
        entered = PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason="re-armed after a kill")
        self.record.commit(
            Change(stream=model_stream(latch.model), state=latch, events=events),
            *(Change(stream=deployment_stream(d.id), state=d, events=(entered,)) for d in live),
            actor=actor,
            key=self.record.key(f"rearm:{latch.model}:{latch.revision}"),
            effects=(lifting(latch),) if any(isinstance(event, Rearmed) for event in events) else (),
        )


def lifting(latch: Latch) -> Effect:
    """What follows from arming at the broker; in the commit that arms, so that a crash cannot leave it undone."""
    return Effect(identity=f"{LIFT}:{latch.model}:{latch.epoch}", kind=LIFT, payload=latch.model.encode())


def _may_arm(role: Role) -> None:
    """Refuse a signature in a role whose duty does not arm: a person may hold that duty beside it."""
    if Verb.REARM not in MATRIX[DUTY_OF[role]]:
        armed = ", ".join(known.value for known in DUTY_OF if Verb.REARM in MATRIX[DUTY_OF[known]])
        raise RefusedError(f"To arm a model again takes a signature as one of {armed}; found {role.value}.")
