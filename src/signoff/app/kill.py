"""Kill a model, and re-arm it. One person kills; two people re-arm, and every live release re-enters shadow.

A kill takes effect before the database is asked: `begin` journals it, `halt` stops the orders, and `settle` records it
in the ledger exactly once, however often it is called.
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
# A kill recorded later than this after its order is dated no earlier than the newest event of its model's stream.
PROMPT: Final = timedelta(minutes=1)
BROKERS_AT_ONCE: Final = 8
LIFT: Final = "lift"
# At most this many models are named in the page about a kill of many.
MOST_NAMED: Final = 20
log = logging.getLogger("signoff.kills")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A kill in force, and whether the journal on disk holds it."""

    kill: Kill
    is_journaled: bool
    handed_over: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a kill did: whether it is on disk and in the ledger, and what the venue says is still open.

    An account that cannot write the journal leaves the kill at `handed_over`. No venue was asked then, and `left` is
    None.
    """

    kill: Kill
    is_journaled: bool
    is_recorded: bool
    left: VenueReport | None
    handed_over: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedMany:
    """What a kill of a desk or of everything did, model by model.

    `is_complete` says that the record could be read, and that all models are listed. Otherwise the models that are
    missing here are stopped too.
    """

    kill: Kill
    is_journaled: bool
    is_recorded: bool
    is_complete: bool
    models: tuple[Stopped, ...]
    handed_over: Path | None = None

    @property
    def is_flat(self) -> bool:
        """Whether all models are listed, and the venue reports each of them flat."""
        return self.is_complete and all(one.left is not None and one.left.is_flat for one in self.models)

    @property
    def left_in_words(self) -> str:
        """What is open at the venue, summed over all models."""
        return total([one.left for one in self.models if one.left is not None])


def written(text: str) -> str:
    """The text in UTF-8, as the ledger holds it: a terminal's wrong encoding must not prevent a kill."""
    return text.encode("utf-8", "replace").decode()


def soon(settle: Callable[[], bool]) -> bool:
    """Whether `settle` succeeded within `PATIENCE_S`; a slower one goes on in the background."""
    done: list[bool] = []
    thread = Thread(target=lambda: done.append(settle()), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return done == [True]


def as_long_as_it_moves(settle: Callable[[], bool], moved: Callable[[], int]) -> bool:
    """Whether `settle` succeeded; it is waited for while `moved` grows within each `PATIENCE_S`."""
    done: list[bool] = []
    thread = Thread(target=lambda: done.append(settle()), daemon=True)
    thread.start()
    before = -1
    while thread.is_alive() and (now := moved()) > before:
        before = now
        thread.join(PATIENCE_S)
    return done == [True]


def answer_within(ask: Callable[[], T], seconds: float) -> T | None:
    """The answer; None when it takes longer, or when asking raises SignoffError."""
    answers: list[T] = []

    def asking() -> None:
        try:
            answers.append(ask())
        except SignoffError:
            return

    thread = Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def until_kept(keep: Callable[[], bool]) -> None:
    """Call `keep` every second in the background until it succeeds, as only memory holds the kill."""

    def insist() -> None:
        while not keep():
            Event().wait(AGAIN_S)

    Thread(target=insist, daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """The latch of each model, the journal of kills, and the orders behind them.

    `policy` is the installation's; it says who re-arms a model without a live release. A kill reads no policy.
    """

    record: Record
    orders: OrderHalt
    journal: KillJournal
    in_time: Callable[[Callable[[], bool]], bool] = soon
    insist: Callable[[Callable[[], bool]], None] = until_kept
    while_it_moves: Callable[[Callable[[], bool], Callable[[], int]], bool] = as_long_as_it_moves
    policy: Callable[[], Policy] = lambda: BUILT_IN

    def kill(self, model: str, *, reason: str, actor: str) -> Stopped:
        """Journal the kill, halt the orders, record it. One person suffices; an unreachable database delays only the
        record.
        """
        return self.finish(self.begin(model, reason=reason, actor=actor))

    def begin(self, model: str, *, reason: str, actor: str) -> Begun:
        """Journal a kill; it is then in force for every process that reads the journal."""
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
        """Kill every model of a desk; without a desk, every model."""
        return self.finish_many(self.begin_many(reason=reason, actor=actor, desk=desk))

    def begin_many(self, *, reason: str, actor: str, desk: str | None = None) -> Begun:
        """Journal one kill of many models; it is in force for all of them at once."""
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
        """Halt the orders and record the kill, with a bounded wait for the database.

        If neither the journal nor the ledger holds the kill, this process keeps trying both.
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

    def finish_many(self, begun: Begun, models: Collection[str] = ()) -> StoppedMany:
        """Halt the orders of every stopped model independently, and record each kill.

        `models` are those that the caller knows to be stopped. NotFoundError for a desk that no release names.
        """
        kill, recorded = begun.kill, set[str]()
        still_open = self._halted(kill, {*models, *self._with_something_open(kill)})  # these need no database
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
        """Every model on record that a kill stops, by name; an unreadable release counts as stopped."""
        if kill.reach is Reach.MODEL:
            return (kill.model,)
        every = self._desks_of_all()
        return tuple(sorted(model for model, names in every.items() if names is None or kill.covers(model, names)))

    def _desks_of_all(self) -> dict[str, frozenset[str] | None]:
        """The desks of each model; None where a release cannot be read."""
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
        by_model: dict[str, frozenset[str] | None] = {model: frozenset() for model in latched}
        by_model |= {model: desks(states) for model, states in released.items()}
        return by_model | dict.fromkeys(filter(None, unreadable))

    def _refuse_unknown(self, kill: Kill) -> None:
        """Withdraw a kill of a desk that no release names, and raise NotFoundError."""
        self.journal.settle(kill.id)
        self.in_time(lambda: self._is_told(kill, ()))
        named = (names for names in self._desks_of_all().values() if names)
        decisions.kill.refuse_unknown_desk(kill.desk, frozenset[str]().union(*named))

    def _with_something_open(self, kill: Kill) -> frozenset[str]:
        """For a kill of everything: the models with something open at the venue, on record or not."""
        if kill.reach is not Reach.ALL or self.orders.kind is VenueKind.NONE:
            return frozenset()
        try:
            order_ids = [order.client_order_id for order in self.orders.open_orders("")]
            order_ids += [position.scope for position in self.orders.positions("")]
        except (SignoffError, OSError):
            return frozenset()
        named = (order_id.partition(":") for order_id in order_ids)
        return frozenset(unquote(model) for model, colon, _ in named if colon)

    def _halted(self, kill: Kill, models: Iterable[str]) -> dict[str, VenueReport]:
        """Halt the models in parallel, as a venue may answer slowly; what is still open of each."""
        with ThreadPoolExecutor(BROKERS_AT_ONCE, "halt") as brokers:
            asked = {model: brokers.submit(self.halt, kill.part(model)) for model in models}
            return {model: waiting.result() for model, waiting in asked.items()}

    def halt(self, kill: Kill) -> VenueReport:
        """Fence and cancel a model's orders, and read what is still open; unknown without the venue's answer."""
        kind, scope = self.orders.kind, order_scope(kill.model)
        if kind is VenueKind.NONE:
            return VenueReport(kind=kind)
        orders = positions = None
        try:
            with suppress(SignoffError, OSError):  # cancel even if the fence fails
                self.orders.fence(scope, EVERY_REVISION)
            self.orders.cancel(scope, EVERY_REVISION)
            orders = len(self.orders.open_orders(scope))
            positions = len(self.orders.positions(scope))
        except (SignoffError, OSError) as error:
            return VenueReport(kind=kind, orders=orders, cause=described(error).rstrip("."))
        return VenueReport(kind=kind, orders=orders, positions=positions)

    def settle(self, kill: Kill) -> bool:
        """Record a kill in the ledger once; False when that failed and the kill stays pending.

        A kill that cannot be recorded does not keep later ones from the ledger.
        """
        if kill.is_wide:
            return self._settle_parts(kill, set())
        if not self._is_put(kill):
            return False
        self.journal.settle(kill.id)
        return True

    def _is_put(self, kill: Kill, *, is_told: bool = False) -> bool:
        """Whether the ledger now holds the kill of one model; `is_told` where the page is sent for a wider kill."""
        try:
            decided_again(lambda: self._record(kill, is_told=is_told))
        except SignoffError:
            return False
        return True

    def _settle_parts(self, kill: Kill, recorded: set[str], *, is_halting: bool = False) -> bool:
        """Record the kill of each model that is not yet in `recorded`, each under its own key.

        The kill is settled once all models are, including those added meanwhile.
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
        """Halt the orders of every kill that is not on record; no database is needed.

        Only the record knows the models of a desk, so `reconcile` halts those.
        """
        for kill in self.journal.pending():
            models = self._with_something_open(kill) if kill.is_wide else (kill.model,)
            for part in map(kill.part, sorted(models)):
                if not answer_within(partial(self._is_on_record, part), LISTED_S):
                    self.halt(part)

    def reconcile(self) -> int:
        """Record the kills that the ledger lacks, and halt their orders again; how many are left.

        Then lift the fence of re-armed models where a crash prevented it. An error with one kill is raised after all
        others were tried.
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
        if not self._is_on_record(kill):  # a re-armed model must not be fenced again
            self.halt(kill)
        return self.settle(kill)

    def _is_told(self, kill: Kill, models: Sequence[str]) -> bool:
        """Whether the one page about a kill of many models is in the outbox or was sent."""
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
            return  # recorded by a process that died, with a kill count that is not the next one now
        model = written_out(kill.model)  # characters that a database refuses must not keep a kill from the ledger
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
        """The proof of the actor's name; a kill that was read from a file has none."""
        is_marking = self.record.proof is not ActorProof.UNRECORDED
        return ActorProof.UNAUTHENTICATED if is_marking and kill.proof is ActorProof.UNRECORDED else kill.proof

    def _told(self, kill: Kill, model: str, actor: str) -> Effect:
        """The page about a kill, which a worker sends; it leaves out what cannot be read from the record."""
        try:
            released = self.record.deployments(model)
        except SignoffError:
            return killed(kill, model, actor, releases=None, venue=self.orders.kind)
        return killed(kill, model, actor, releases=released, venue=self.orders.kind)

    def _actor(self, kill: Kill) -> str:
        """Who ordered a kill: the person with this login, else the local account."""
        if not kill.account:
            return kill.actor
        try:
            people = self.record.people().by_name.values()
        except TamperedError:
            return kill.actor
        named = [person.name for person in people if kill.account in person.known_as]
        return named[0] if len(named) == 1 else kill.actor

    def _dated(self, kill: Kill, model: str) -> datetime:
        """The time of a kill: at most now, and if recorded late, at least that of its stream's newest event."""
        now = self.record.now()
        if kill.at >= now - PROMPT:
            return min(kill.at, now)
        last = deque(self.record.store.rows(stream=model_stream(model)), 1)
        try:
            return max(kill.at, *(decode(row.body).at for row in last)) if last else kill.at
        except TamperedError:
            return kill.at  # a fault in earlier events must not keep a kill from the ledger

    def statement(self, model: str, *, person: str, role: Role, reason: str) -> bytes:
        """The statement that this person has to sign to re-arm the model."""
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
        """Sign to re-arm a model; the second person's signature re-arms it."""
        if self.record.was_carried_out():
            self.lift_armed()
            return self.record.latch(model) or KillSwitchState(model=model)
        latch, live = self._latched(model, signatory.person), self._live(model)
        decisions.kill.signed_in_a_role_that_arms(signatory.role)
        decision = self._rearming(latch, live, reason)
        signature = sign(self.record, decision, signatory)
        signatures = decisions.kill.standing(latch, self.record.people(), self.record.now())
        persons = (*(s.person for s in signatures), signatory.person)
        if len(persons) < decision.policy.approvals.override_persons:
            self._commit(latch, (RearmSigned(signature=signature),), (), actor=signatory.person)
        else:
            self._commit(
                latch, (RearmSigned(signature=signature), Rearmed(persons=persons)), live, actor=signatory.person
            )
            self.lift_armed()
        return self.record.latch(model) or latch

    def lift_armed(self) -> None:
        """Lift the fence of re-armed models at the venue.

        A model that was killed again stays fenced; one that is rolling back is fenced until the rollback ends.
        """
        for owed in self.record.store.pending():
            if owed.kind == LIFT:
                model = owed.payload.decode()
                halt = lift(self.record, self.orders, self.journal, model, order_scope(model))
                if halt is None or halt.is_killed:
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


def killed(kill: Kill, model: str, actor: str, releases: tuple[Deployment, ...] | None, venue: VenueKind) -> Effect:
    """The page about the kill of one model: who, when and why; `releases` is None where they cannot be read."""
    live = [d for d in releases or () if d.state in LIVE]
    unfinished = [d for d in releases or () if d.undertakings is not None]
    channel = unfinished[-1].undertakings.incident_channel if unfinished and unfinished[-1].undertakings else CHANNEL
    if releases is None:
        what = "Its releases cannot be read"
    elif not releases:
        what = "No release of this name is on record; if the name was a slip, stop the right one now"
    else:
        model_flags = flags(model, releases, None)
        shares = ", ".join(f"v{d.version} ({d.state}, {trading(d, model_flags).share_pct}%)" for d in live)
        what = f"Live: {shares or 'no version'}"
    text = f"{_ordered(kill, actor, model)} {what}. Its flags are off; {venue.look}."
    return _page(kill, f"PAGE: {model} was killed", text, channel)


def killed_many(kill: Kill, models: Sequence[str], actor: str, venue: VenueKind) -> Effect:
    """The one page about a kill of many models."""
    what = f"every model of the desk {kill.desk}" if kill.desk else "every model"
    named = ", ".join(models[:MOST_NAMED]) + (
        f" and {len(models) - MOST_NAMED} more" if len(models) > MOST_NAMED else ""
    )
    detail = (
        f"Known here: {named}. Their flags are off; {venue.look}."
        if models
        else f"It stopped nobody: {_unknown(kill)}."
    )
    return _page(kill, f"PAGE: {what} was killed", f"{_ordered(kill, actor, what)} {detail}", CHANNEL)


def _unknown(kill: Kill) -> str:
    return f"no release on record names the desk {kill.desk!r}" if kill.desk else "there is no model on record"


def told_as(kill_id: str) -> str:
    """The idempotency key of the page about a kill of many models."""
    return f"told:{kill_id}"


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
    """The outbox entry that lifts the fence; it is in the commit that re-arms, so that a crash cannot lose it."""
    return Effect(identity=f"{LIFT}:{latch.model}:{latch.kill_count}", kind=LIFT, payload=latch.model.encode())


def _model_in(state: bytes) -> str:
    """The model that an undecodable state names; "" where it names none."""
    try:
        model = json.loads(state)["model"]
    except (ValueError, KeyError, TypeError):
        return ""
    return model if isinstance(model, str) else ""
