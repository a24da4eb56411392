"""Stop a model now, and arm it again. One person stops; two arm, and every live release re-enters at shadow.

A kill is journaled, effective and pushed before the database is asked: `begin` needs no database, `halt` stops the
orders, `settle` puts the kill into the ledger exactly once, however often it is tried.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Final, TypeVar
from urllib.parse import unquote
from uuid import uuid4

from signoff.app.notices import Notice, effect
from signoff.app.order_halt import EVERY_REVISION, lift, ordered, recorded_as
from signoff.app.record import Record, StreamChange, decided_again, deployment_stream, model_stream
from signoff.app.rollback import order_scope
from signoff.app.signing import SigningPerson, prepare, sign
from signoff.app.trouble import CHANNEL
from signoff.domain import decisions
from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.desks import desks
from signoff.domain.errors import SignoffError, TamperedError, described, is_fault
from signoff.domain.events import ActorProof, Killed, Phase, PhaseEntered, Rearmed, RearmSigned, Vote
from signoff.domain.flags_of_releases import flags
from signoff.domain.floor import BUILT_IN
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.names import written_out
from signoff.domain.policy import Policy, Role
from signoff.domain.statement import Decision
from signoff.domain.trading import trading
from signoff.domain.venue import VenueKind, VenueReport, total
from signoff.ledger.canonical import digest
from signoff.ledger.codec import decode, decode_state
from signoff.ports.kills import Kill, KillJournal, Reach
from signoff.ports.notices import Severity
from signoff.ports.store import Effect
from signoff.ports.venue import OrderHalt

PATIENCE_S: Final = 0.7
AGAIN_S: Final = 1.0
LISTED_S: Final = 2.0
# A kill that is recorded this long after it was ordered is dated no earlier than what its model's stream tells already.
PROMPT: Final = timedelta(minutes=1)
BROKERS_AT_ONCE: Final = 8
LIFT: Final = "lift"
# So many models are named in the call to people over a kill of many.
MOST_NAMED: Final = 20
log = logging.getLogger("signoff.kills")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A kill that is in force, and whether a disk took it."""

    kill: Kill
    is_journaled: bool
    handed_over: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a kill did: whether it is on disk and in the ledger, and what the venue says is still open.

    `handed_over` is where it was left for the installation, by an account that cannot write its journal; `left` is then
    None, since no venue was asked.
    """

    kill: Kill
    is_journaled: bool
    is_recorded: bool
    left: VenueReport | None
    handed_over: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedMany:
    """What a kill of a desk or of everything did, model by model.

    `is_complete` says that the record could be read, so that these are all of them. Where it could not, the others are
    stopped as well, and are not known here.
    """

    kill: Kill
    is_journaled: bool
    is_recorded: bool
    is_complete: bool
    models: tuple[Stopped, ...]
    handed_over: Path | None = None

    @property
    def is_flat(self) -> bool:
        """Whether all models are known here, and the venue said of each that nothing is open."""
        return self.is_complete and all(one.left is not None and one.left.is_flat for one in self.models)

    @property
    def left_in_words(self) -> str:
        """What is open of all of them together."""
        return total([one.left for one in self.models if one.left is not None])


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


def as_long_as_it_moves(settle: Callable[[], bool], moved: Callable[[], int]) -> bool:
    """The same for what is settled piece by piece: it is waited for as long as a piece was done within the patience."""
    done: list[bool] = []
    thread = Thread(target=lambda: done.append(settle()), daemon=True)
    thread.start()
    before = -1
    while thread.is_alive() and (now := moved()) > before:
        before = now
        thread.join(PATIENCE_S)
    return done == [True]


def answer_within(ask: Callable[[], T], seconds: float) -> T | None:
    """An answer, None when it takes longer, or when there is none."""
    found: list[T] = []

    def asking() -> None:
        try:
            found.append(ask())
        except SignoffError:
            return

    thread = Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


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
    while_it_moves: Callable[[Callable[[], bool], Callable[[], int]], bool] = as_long_as_it_moves
    policy: Callable[[], Policy] = lambda: BUILT_IN

    def kill(self, model: str, *, reason: str, actor: str) -> Stopped:
        """Journal, halt the orders, record. Needs nobody else; a database that is away delays only the record."""
        return self.finish(self.begin(model, reason=reason, actor=actor))

    def begin(self, model: str, *, reason: str, actor: str) -> Begun:
        """Journal a kill; from here on it is in force wherever the journal is read."""
        kill = Kill(
            id=uuid4().hex,
            model=model,
            reason=written(reason),
            actor=written(actor),
            at=self.record.now(),
            proof=self.record.proof,
        )
        return self._begun(kill)

    def _begun(self, kill: Kill) -> Begun:
        is_journaled = self.journal.write(kill)
        return Begun(
            kill=kill,
            is_journaled=is_journaled,
            handed_over=None if is_journaled else self.journal.hand_over(kill),
        )

    def kill_many(self, *, reason: str, actor: str, desk: str | None = None) -> StoppedMany:
        """The same for every model of a desk; for every model where no desk is named."""
        return self.finish_many(self.begin_many(reason=reason, actor=actor, desk=desk))

    def begin_many(self, *, reason: str, actor: str, desk: str | None = None) -> Begun:
        """Journal one kill of many models: as quick as a kill of one, and in force for all of them at once."""
        kill = Kill(
            id=uuid4().hex,
            reach=Reach.ALL if desk is None else Reach.DESK,
            desk=written(desk or ""),
            reason=written(reason),
            actor=written(actor),
            at=self.record.now(),
            proof=self.record.proof,
        )
        return self._begun(kill)

    def finish(self, begun: Begun) -> Stopped:
        """Halt the orders and record the kill, without waiting long for a database that does not answer.

        A kill that neither a disk nor the ledger took is known to this process alone, which goes on trying both.
        """
        stopped = Stopped(
            kill=begun.kill,
            is_journaled=begun.is_journaled,
            left=None if begun.handed_over else self.halt(begun.kill),
            is_recorded=self.in_time(lambda: self.settle(begun.kill)),
            handed_over=begun.handed_over,
        )
        self._see_it_kept(begun, is_recorded=stopped.is_recorded)
        return stopped

    def _see_it_kept(self, begun: Begun, *, is_recorded: bool) -> None:
        if not begun.is_journaled and not is_recorded and begun.handed_over is None:
            self.insist(lambda: self.settle(begun.kill) or self.journal.write(begun.kill))

    def finish_many(self, begun: Begun, known: Collection[str] = ()) -> StoppedMany:
        """Halt the orders of every model that is stopped, each whatever becomes of the others, and record each kill.

        `known` are models that the caller knows to be stopped. NotFoundError for a desk that the record does not know.
        """
        kill, recorded = begun.kill, set[str]()
        still_open = self._halted(kill, {*known, *self._with_something_open(kill)})  # these wait for no database
        listed = answer_within(lambda: self.stopped_by(kill), LISTED_S)
        if listed == () and kill.reach is Reach.DESK:
            self._refuse_unknown(kill)
        still_open |= self._halted(kill, {*(listed or ())} - still_open.keys())
        is_recorded = self.while_it_moves(lambda: self._settle_parts(kill, recorded), lambda: len(recorded))
        self._see_it_kept(begun, is_recorded=is_recorded)
        return StoppedMany(
            kill=kill,
            is_journaled=begun.is_journaled,
            is_recorded=is_recorded,
            is_complete=listed is not None,
            handed_over=begun.handed_over,
            models=tuple(
                Stopped(
                    kill=kill.part(model),
                    is_journaled=begun.is_journaled,
                    is_recorded=model in recorded,
                    left=still_open[model],
                )
                for model in sorted(still_open)
            ),
        )

    def stopped_by(self, kill: Kill) -> tuple[str, ...]:
        """Every model on record that a kill stops, by name; one that cannot be read is stopped as well."""
        if kill.reach is Reach.MODEL:
            return (kill.model,)
        every = self._desks_of_all()
        return tuple(sorted(model for model, names in every.items() if names is None or kill.covers(model, names)))

    def _desks_of_all(self) -> dict[str, frozenset[str] | None]:
        """For which desks each model trades; None where a release cannot be read, so that nobody can say."""
        released: dict[str, list[Deployment]] = {}
        unreadable: list[str] = []
        for stored in self.record.store.streams(deployment_stream("")):
            try:
                state = decode_state(Deployment, stored.state)
            except TamperedError:
                unreadable.append(_model_in(stored.state))
            else:
                released.setdefault(state.model, []).append(state)
        latched = (stored.stream.partition("/")[2] for stored in self.record.store.streams(model_stream("")))
        found: dict[str, frozenset[str] | None] = {model: frozenset() for model in latched}
        found |= {model: desks(states) for model, states in released.items()}
        return found | dict.fromkeys(filter(None, unreadable))

    def _refuse_unknown(self, kill: Kill) -> None:
        """Take a kill of a desk back that no release on record names: it stops nobody."""
        self.journal.settle(kill.id)
        self.in_time(lambda: self._is_told(kill, ()))
        named = (names for names in self._desks_of_all().values() if names)
        decisions.kill.refuse_unknown_desk(kill.desk, frozenset[str]().union(*named))

    def _with_something_open(self, kill: Kill) -> frozenset[str]:
        """The models with something open, where all are stopped: the venue knows them although no record does."""
        if kill.reach is not Reach.ALL or self.orders.kind is VenueKind.NONE:
            return frozenset()
        try:
            found = [order.client_order_id for order in self.orders.open_orders("")]
            found += [position.scope for position in self.orders.positions("")]
        except (SignoffError, OSError):
            return frozenset()
        named = (identity.partition(":") for identity in found)
        return frozenset(unquote(model) for model, colon, _ in named if colon)

    def _halted(self, kill: Kill, models: Iterable[str]) -> dict[str, VenueReport]:
        """What is still open of each model, several asked for at once: one may take its time."""
        with ThreadPoolExecutor(BROKERS_AT_ONCE, "halt") as brokers:
            asked = {model: brokers.submit(self.halt, kill.part(model)) for model in models}
            return {model: waiting.result() for model, waiting in asked.items()}

    def halt(self, kill: Kill) -> VenueReport:
        """Fence and cancel, and what is still open then; nothing is known of what the venue does not say."""
        kind, scope = self.orders.kind, order_scope(kill.model)
        if kind is VenueKind.NONE:
            return VenueReport(kind=kind)
        orders = positions = None
        try:
            with suppress(SignoffError, OSError):  # a fence that fails keeps nothing from being cancelled
                self.orders.fence(scope, EVERY_REVISION)
            self.orders.cancel(scope, EVERY_REVISION)
            orders = len(self.orders.open_orders(scope))
            positions = len(self.orders.positions(scope))
        except (SignoffError, OSError) as error:
            return VenueReport(kind=kind, orders=orders, cause=described(error).rstrip("."))
        return VenueReport(kind=kind, orders=orders, positions=positions)

    def settle(self, kill: Kill) -> bool:
        """Put a kill into the ledger, once; False when that could not be done and it stays pending.

        Whatever is wrong with one kill, the ones after it are recorded all the same.
        """
        if kill.is_wide:
            return self._settle_parts(kill, set())
        if not self._is_put(kill):
            return False
        self.journal.settle(kill.id)
        return True

    def _is_put(self, kill: Kill, *, is_told: bool = False) -> bool:
        """Whether the ledger holds the kill of one model, now or already; `is_told` where a wider one calls people."""
        try:
            decided_again(lambda: self._record(kill, is_told=is_told))
        except SignoffError:
            return False
        return True

    def _settle_parts(self, kill: Kill, recorded: set[str], *, is_halting: bool = False) -> bool:
        """Record the kill of each model that is not `recorded` yet, each under a key of its own.

        The kill is settled once all of them are, those that came meanwhile too.
        """
        left = True
        while left:
            try:
                left = bool(models := [m for m in self.stopped_by(kill) if m not in recorded])
            except SignoffError:
                return False
            for model in models:
                part = kill.part(model)
                if is_halting and not self._is_on_record(part):
                    self.halt(part)
                if self._is_put(part, is_told=True):
                    recorded.add(model)
            if not self._is_told(kill, models or sorted(recorded)) or any(m not in recorded for m in models):
                return False
        if not recorded:
            log.warning("the kill %s by %s stopped nobody: %s", kill.id, kill.actor, _unknown(kill))
        self.journal.settle(kill.id)
        return True

    def _is_on_record(self, kill: Kill) -> bool:
        try:
            return self.record.store.request_of(recorded_as(kill.id)) is not None
        except SignoffError:
            return False

    def halt_pending(self) -> None:
        """Halt the orders of every kill that is not on record, without waiting for a database that does not answer.

        A kill of a desk, whose models the record alone knows, is left to `reconcile`.
        """
        for kill in self.journal.pending():
            models = self._with_something_open(kill) if kill.is_wide else (kill.model,)
            for part in map(kill.part, sorted(models)):
                if not answer_within(partial(self._is_on_record, part), LISTED_S):
                    self.halt(part)

    def reconcile(self) -> int:
        """Record the kills that the ledger does not hold yet, and halt their orders again; how many are left.

        Then let orders through of models whose arming was cut off before the broker knew of it. What goes wrong with
        one kill is raised once every other was tried.
        """
        left, faults = 0, list[BaseException]()
        for kill in self.journal.pending():
            try:
                left += not self._is_carried_out(kill)
            except BaseException as error:
                if not is_fault(error):
                    raise
                faults.append(error)
        self.lift_armed()
        if faults:
            raise faults[0]
        return left

    def _is_carried_out(self, kill: Kill) -> bool:
        if kill.is_wide:
            return self._settle_parts(kill, set(), is_halting=True)
        if not self._is_on_record(kill):  # else it may have been armed since, and a fence would stay
            self.halt(kill)
        return self.settle(kill)

    def _is_told(self, kill: Kill, models: Sequence[str]) -> bool:
        """Whether the call to people over a kill of many models is on its way, now or already: one for all of them."""
        try:
            if self.record.store.request_of(told_as(kill.id)) is None:
                actor = self._actor(kill)
                page = killed_many(kill, models, actor, self.orders.kind)
                decided_again(partial(self.record.commit, actor=actor, key=told_as(kill.id), effects=(page,)))
        except SignoffError:
            return False
        return True

    def _record(self, kill: Kill, *, is_told: bool) -> None:
        key = recorded_as(kill.id)
        if self.record.store.request_of(key) is not None:
            return  # by a process that died before it could say so, and with another count than would be next now
        model = written_out(kill.model)  # what no database can hold must not keep a kill from ever being recorded
        latch = self.record.latch(model) or KillSwitchState(model=model)
        event = Killed(model=model, reason=kill.reason, epoch=latch.kill_count + 1, kill=kill.id)
        actor = self._actor(kill)
        self.record.commit(
            StreamChange(stream=model_stream(model), state=latch if latch.revision else None, events=(event,)),
            actor=actor,
            key=key,
            at=self._dated(kill, model),
            effects=() if is_told else (self._told(kill, model, actor),),
            proof=self._proof(kill),
        )

    def _proof(self, kill: Kill) -> ActorProof:
        """What the actor's name rests on; of an order that was read back from a file, on nothing."""
        is_marking = self.record.proof is not ActorProof.UNRECORDED
        return ActorProof.UNAUTHENTICATED if is_marking and kill.proof is ActorProof.UNRECORDED else kill.proof

    def _told(self, kill: Kill, model: str, actor: str) -> Effect:
        """The call to people over a kill, which a worker sends; what of the record cannot be read is left out of it."""
        try:
            released = self.record.deployments(model)
        except SignoffError:
            return killed(kill, model, actor, known=None, venue=self.orders.kind)
        return killed(kill, model, actor, known=released, venue=self.orders.kind)

    def _actor(self, kill: Kill) -> str:
        """Who ordered a kill: the person whose login a local account is; the account where it is nobody's."""
        if not kill.account:
            return kill.actor
        try:
            people = self.record.people().by_name.values()
        except TamperedError:
            return kill.actor
        named = [person.name for person in people if kill.account in person.known_as]
        return named[0] if len(named) == 1 else kill.actor

    def _dated(self, kill: Kill, model: str) -> datetime:
        """When a kill was ordered: not after now, and if late, not before what its model's stream tells already."""
        now = self.record.now()
        if kill.at >= now - PROMPT:
            return min(kill.at, now)
        last = deque(self.record.store.rows(stream=model_stream(model)), 1)
        try:
            return max(kill.at, *(decode(row.body).at for row in last)) if last else kill.at
        except TamperedError:
            return kill.at  # what is wrong with earlier events keeps no kill from the ledger

    def statement(self, model: str, *, person: str, role: Role, reason: str) -> bytes:
        """What this person would sign to arm the model again."""
        latch = self._latched(model, person)
        live = self._live(model)
        decisions.kill.signed_in_a_role_that_arms(role)
        return prepare(self.record, self._rearming(latch, live, reason), person=person, role=role)

    def _rearming(self, latch: KillSwitchState, live: tuple[Deployment, ...], reason: str) -> Decision:
        return Decision(
            verdict=Vote.REARM,
            subject=digest(f"{latch.model}:{latch.kill_count}".encode()),
            model=latch.model,
            version=",".join(d.version for d in live),
            deployment=model_stream(latch.model),
            policy=self._held_to(live),
            reason=reason,
        )

    def _held_to(self, live: tuple[Deployment, ...]) -> Policy:
        return live[-1].policy if live else self.policy()

    def _latched(self, model: str, person: str) -> KillSwitchState:
        return decisions.kill.rearm(
            model,
            self.record.latch(model),
            person=person,
            people=self.record.people(),
            now=self.record.now(),
            is_ordered=ordered(self.record, self.journal, model) is not None,
        )

    def _live(self, model: str) -> tuple[Deployment, ...]:
        return decisions.kill.reentering(model, self.record.deployments(model))

    def rearm(self, model: str, signatory: SigningPerson, *, reason: str) -> KillSwitchState:
        """Sign for arming again; the second person's signature arms."""
        if self.record.was_carried_out():
            self.lift_armed()
            return self.record.latch(model) or KillSwitchState(model=model)
        latch, live = self._latched(model, signatory.person), self._live(model)
        decisions.kill.signed_in_a_role_that_arms(signatory.role)
        decision = self._rearming(latch, live, reason)
        signature = sign(self.record, decision, signatory)
        standing = decisions.kill.standing(latch, self.record.people(), self.record.now())
        persons = (*(s.person for s in standing), signatory.person)
        if len(persons) < decision.policy.approvals.override_persons:
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
        for owed in self.record.store.pending():
            if owed.kind == LIFT:
                model = owed.payload.decode()
                kept = lift(self.record, self.orders, self.journal, model, order_scope(model))
                if kept is None or kept.is_killed:
                    self.record.store.done(owed.identity, LIFT, self.record.now())

    def _commit(
        self,
        latch: KillSwitchState,
        events: tuple[RearmSigned | Rearmed, ...],
        live: tuple[Deployment, ...],
        *,
        actor: str,
    ) -> None:
        entered = PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason="re-armed after a kill")
        self.record.commit(
            StreamChange(stream=model_stream(latch.model), state=latch, events=events),
            *(StreamChange(stream=deployment_stream(d.id), state=d, events=(entered,)) for d in live),
            actor=actor,
            key=self.record.key(f"rearm:{latch.model}:{latch.revision}"),
            effects=(lifting(latch),) if any(isinstance(event, Rearmed) for event in events) else (),
        )


def killed(kill: Kill, model: str, actor: str, known: tuple[Deployment, ...] | None, venue: VenueKind) -> Effect:
    """The call to people over the kill of one model: who, when, why, and what is known of the model."""
    live = [d for d in known or () if d.state in LIVE]
    unfinished = [d for d in known or () if d.undertakings is not None]
    channel = unfinished[-1].undertakings.incident_channel if unfinished and unfinished[-1].undertakings else CHANNEL
    if known is None:
        what = "Its releases cannot be read"
    elif not known:
        what = "No release of this name is on record; if the name was a slip, stop the right one now"
    else:
        told = flags(model, known, None)
        shares = ", ".join(f"v{d.version} ({d.state}, {trading(d, told).share_pct}%)" for d in live)
        what = f"Live: {shares or 'no version'}"
    text = f"{_ordered(kill, actor, model)} {what}. Its flags are off; {venue.look}."
    return _page(kill, f"PAGE: {model} was killed", text, channel)


def killed_many(kill: Kill, models: Sequence[str], actor: str, venue: VenueKind) -> Effect:
    """The call to people over a kill of many models, one for all of them."""
    what = f"every model of the desk {kill.desk}" if kill.desk else "every model"
    named = ", ".join(models[:MOST_NAMED]) + (
        f" and {len(models) - MOST_NAMED} more" if len(models) > MOST_NAMED else ""
    )
    found = (
        f"Known here: {named}. Their flags are off; {venue.look}."
        if models
        else f"It stopped nobody: {_unknown(kill)}."
    )
    return _page(kill, f"PAGE: {what} was killed", f"{_ordered(kill, actor, what)} {found}", CHANNEL)


def _unknown(kill: Kill) -> str:
    return f"no release on record names the desk {kill.desk!r}" if kill.desk else "there is no model on record"


def told_as(identity: str) -> str:
    """The key under which people are called over a kill of many models."""
    return f"told:{identity}"


def _ordered(kill: Kill, actor: str, what: str) -> str:
    return f"{actor} ordered at {kill.at:%Y-%m-%d %H:%M:%S}Z to stop {what}: {kill.reason}."


def _page(kill: Kill, subject: str, text: str, channel: str) -> Effect:
    return effect(
        Notice(
            deployment="",
            notice=f"kill {kill.id}",
            channel=channel,
            subject=subject,
            text=text,
            severity=Severity.PAGE,
        )
    )


def lifting(latch: KillSwitchState) -> Effect:
    """What follows from arming at the broker; in the commit that arms, so that a crash cannot leave it undone."""
    return Effect(identity=f"{LIFT}:{latch.model}:{latch.kill_count}", kind=LIFT, payload=latch.model.encode())


def _model_in(state: bytes) -> str:
    """The model that a state names which is otherwise none; nothing where it does not."""
    try:
        model = json.loads(state)["model"]
    except (ValueError, KeyError, TypeError):
        return ""
    return model if isinstance(model, str) else ""
