"""The record of all releases as use cases see it: present states, histories, and one way to add to them.

Nothing else in the application writes state. A change is decided by the domain on the state that was read, and is
refused by the store when that state has moved on meanwhile.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from threading import Event
from typing import Final, TypeVar

from signoff.app.undertaken import CommitInFlight, CommitsInFlight
from signoff.domain import decisions
from signoff.domain.deployment import RETREATING, Deployment, age
from signoff.domain.deployment import State as DeploymentState
from signoff.domain.errors import ConflictError, StaleRevisionError
from signoff.domain.events import ActorProof, AnyEvent, Recorded
from signoff.domain.flags import Flags
from signoff.domain.flags_of_releases import flags
from signoff.domain.installation_policy import InstallationPolicy
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.people import People
from signoff.domain.recognition import Recognition, recognition
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode, decode_state, encode_state
from signoff.ledger.replay import PEOPLE, POLICY, State, fold_of, replay
from signoff.ports.clock import Clock
from signoff.ports.store import Append, Commit, Effect, Store, StoredStream

ATTEMPTS: Final = 8
# Releases that stay decoded, the ones asked for last.
MOST_KEPT: Final = 1024
T = TypeVar("T")


def deployment_stream(deployment: str) -> str:
    """The stream of one release."""
    return f"deployment/{deployment}"


def model_stream(model: str) -> str:
    """The stream of a model's kill latch and rehearsals."""
    return f"model/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChange:
    """Events that follow one state of one stream."""

    stream: str
    state: State | None
    events: tuple[AnyEvent, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The revision at which a caller saw a release."""

    identity: str
    revision: int


@dataclass(frozen=True, slots=True)
class CallerRequest:
    """One request of one caller: the name it was sent under, and the digest of all that it asks."""

    name: str
    asked: str


@dataclass(frozen=True, slots=True)
class Caller:
    """What a caller says beside what they ask: their request by name, and the release as they saw it."""

    request: CallerRequest | None = None
    expected: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The store and the clock as one caller uses them. `proof` is of the names of those who act by it.

    What the caller expects holds until their own request has changed it, which `has_changed` says.
    """

    store: Store
    clock: Clock
    caller: Caller = Caller()
    undertakings: CommitsInFlight | None = None
    proof: ActorProof = ActorProof.UNRECORDED
    has_changed: Event = field(default_factory=Event, repr=False, compare=False)

    def key(self, otherwise: str) -> str:
        """The key of a commit that is all a request does: the request's own name, so that it is done once."""
        return otherwise if self.caller.request is None else f"request:{self.caller.request.name}"

    def was_carried_out(self) -> bool:
        """Whether this very request is on record: it was made before, and the answer to it was lost.

        It is then answered by what is true now; deciding it again would refuse it for what it did itself.
        """
        request = self.caller.request
        if request is None or (made := self.store.request_of(self.key(""))) is None:
            return False
        decisions.requests.is_the_same(made, request.asked)
        self.has_changed.set()
        return True

    def now(self) -> datetime:
        """The present time in UTC."""
        return self.clock.now()

    def deployment(self, identity: str) -> Deployment:
        """One release. NotFoundError lists the ids that are nearest to this one."""
        found = self.store.load(deployment_stream(identity))
        if found is None:
            known = (_name(stream) for stream in self.store.names(deployment_stream("")))
            decisions.requests.refuse_unknown_release(identity, known)
        state = _release(found.state)
        expected = self.caller.expected
        if expected is not None and not self.has_changed.is_set() and not self.was_carried_out():
            decisions.requests.is_as_seen(state, expected.identity, expected.revision)
        return state

    def find(self, identity: str) -> Deployment | None:
        """One release, or None."""
        found = self.store.load(deployment_stream(identity))
        return None if found is None else _release(found.state)

    def deployments(self, model: str | None = None) -> tuple[Deployment, ...]:
        """Every release, oldest first, of one model or of all."""
        found = (_release(s.state) for s in self.store.streams("deployment/", models=_only(model)))
        return tuple(sorted(found, key=age))

    def in_states(self, *states: DeploymentState, model: str | None = None) -> tuple[Deployment, ...]:
        """Releases in one of these states, oldest first."""
        return tuple(sorted((release_of(stored) for stored in self.stored_in(*states, model=model)), key=age))

    def stored_in(self, *states: DeploymentState, model: str | None = None) -> tuple[StoredStream, ...]:
        """The same as they are stored, so that one that cannot be read keeps nobody from the others."""
        labels = [state.value for state in states]
        return self.store.streams("deployment/", models=_only(model), labels=labels)

    def page(
        self, *, model: str | None, state: DeploymentState | None, after: str | None, limit: int
    ) -> tuple[Deployment, ...]:
        """Releases by id, at most so many, after one that was the last of the page before."""
        found = self.store.streams(
            "deployment/",
            models=_only(model),
            labels=None if state is None else [state.value],
            after=None if after is None else deployment_stream(after),
            limit=limit,
        )
        return tuple(_release(s.state) for s in found)

    def models(self) -> tuple[str, ...]:
        """Every model with a release or a latch, by name."""
        released = set(self.store.names(deployment_stream("")).values())
        return tuple(sorted(released | {_name(stream) for stream in self.store.names(model_stream(""))}))

    def recognised(self, name: str) -> Recognition:
        """Whether a model of this name has a release or a rehearsal here; a kill alone makes no name known."""
        latches = (decode_state(KillSwitchState, stored.state) for stored in self.store.streams("model/"))
        rehearsed = frozenset(latch.model for latch in latches if latch.rehearsal is not None)
        models = {_name(stream): model for stream, model in self.store.names(deployment_stream("")).items()}
        return recognition(name, models, rehearsed)

    def halted(self) -> tuple[str, ...]:
        """Every model that is killed or on its way back, by name."""
        leaving = {d.model for d in self.in_states(*RETREATING)}
        latches = (decode_state(KillSwitchState, s.state) for s in self.store.streams("model/"))
        return tuple(sorted(leaving | {latch.model for latch in latches if latch.is_latched}))

    def killed(self) -> dict[str, str]:
        """Every model that is killed, also one of which there is no release: by whom, and why."""
        latches = (decode_state(KillSwitchState, stored.state) for stored in self.store.streams(model_stream("")))
        return {latch.model: f"{latch.killed_by}: {latch.reason}" for latch in latches if latch.is_latched}

    def latch(self, model: str) -> KillSwitchState | None:
        """The kill latch of a model, None where nothing was ever killed or rehearsed."""
        found = self.store.load(model_stream(model))
        return None if found is None else decode_state(KillSwitchState, found.state)

    def people(self) -> People:
        """Who may sign."""
        found = self.store.load(PEOPLE)
        return People() if found is None else decode_state(People, found.state)

    def policy(self) -> InstallationPolicy:
        """The installation's policy, as far as two people confirmed one, and what waits for a second person."""
        found = self.store.load(POLICY)
        return InstallationPolicy() if found is None else decode_state(InstallationPolicy, found.state)

    def flags(self, model: str) -> Flags:
        """What trading processes read of a model."""
        return flags(model, self.deployments(model), self.latch(model))

    def flags_of(self, models: Collection[str]) -> dict[str, Flags]:
        """What trading processes read of each of these models, all read at once."""
        mine: dict[str, list[Deployment]] = {model: [] for model in models}
        for stored in self.store.streams("deployment/", models=models):
            released = _release(stored.state)
            mine[released.model].append(released)
        latches = {
            s.stream: decode_state(KillSwitchState, s.state) for s in self.store.streams("model/", models=models)
        }
        return {model: flags(model, released, latches.get(model_stream(model))) for model, released in mine.items()}

    def history(self, stream: str | None = None) -> tuple[Recorded, ...]:
        """What happened, in the ledger's order."""
        return tuple(decode(row.body) for row in self.store.rows(stream=stream))

    def streams_of(self, name: str) -> frozenset[str]:
        """The streams that tell of a model, its releases among them, or of one release."""
        released = (s.stream for s in self.store.streams("deployment/", models=[name]))
        return frozenset({deployment_stream(name), model_stream(name), *released})

    def told(
        self, streams: Collection[str], *, after: int = 0, limit: int | None = None
    ) -> tuple[tuple[int, Recorded], ...]:
        """What happened in these streams, in the ledger's order, with the sequence number of each event."""
        return tuple((row.seq, decode(row.body)) for row in self.store.page(streams, after=after, limit=limit))

    def commit(
        self,
        *changes: StreamChange,
        actor: str,
        key: str,
        effects: tuple[Effect, ...] = (),
        at: datetime | None = None,
        unchanged: tuple[tuple[str, int], ...] = (),
        proof: ActorProof | None = None,
    ) -> None:
        """Add events to their streams, all or none, as long as the `unchanged` streams are at these revisions.

        The same key and events again change nothing. `proof` is of this actor's name, where it is not the record's.
        """
        at = at or self.now()
        changes = tuple(change for change in changes if change.events)
        if not changes and not effects:
            return
        said = [[c.stream, [encode_state(event).decode() for event in c.events]] for c in changes]
        request = digest(canonical([key, actor, said]))
        if self.caller.request is not None and key == self.key(""):
            request = self.caller.request.asked
        appends = tuple(partial(_append, at=at, actor=actor)(change) for change in changes)
        if self.undertakings is not None:
            events = tuple((change.stream, event) for change in changes for event in change.events)
            self.undertakings.append(CommitInFlight(store=self.store, key=key, request=request, events=events))
        self.store.commit(
            Commit(
                key=key,
                request=request,
                at=at,
                actor=actor,
                appends=appends,
                effects=effects,
                unchanged=unchanged,
                proof=self.proof if proof is None else proof,
            )
        )
        self.has_changed.set()

    def append(
        self,
        state: Deployment,
        events: tuple[AnyEvent, ...],
        *,
        actor: str,
        key: str,
        effects: tuple[Effect, ...] = (),
    ) -> None:
        """Add events to one release, which were decided on in this state of it."""
        change = StreamChange(stream=deployment_stream(state.id), state=state, events=events)
        self.commit(change, actor=actor, key=key, effects=effects)

    def decide(
        self,
        identity: str,
        decide: Callable[[Deployment], tuple[AnyEvent, ...]],
        *,
        actor: str,
        verb: str,
        effects: Callable[[Deployment, tuple[AnyEvent, ...]], tuple[Effect, ...]] = lambda *_: (),
        is_whole: bool = True,
    ) -> Deployment:
        """Commit what is decided on a release as it is now, again where somebody was faster; the release then.

        Where it is the whole of what a request does (`is_whole`), a request that was carried out does it no more.
        """

        def attempt() -> Deployment:
            state = self.deployment(identity)
            events, key = decide(state), f"{verb}:{identity}:{state.revision}"
            follows = effects(state, events)
            self.append(state, events, actor=actor, key=self.key(key) if is_whole else key, effects=follows)
            return self.deployment(identity)

        return self.deployment(identity) if is_whole and self.was_carried_out() else decided_again(attempt)


def decided_again(attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """The result of an attempt that reads, decides and commits, made again when somebody else was faster.

    Each attempt decides on the state it reads itself, so that what no longer makes sense is refused by its guard; the
    refusal of the last attempt stands.
    """
    for _ in range(attempts - 1):
        try:
            return attempt()
        except (StaleRevisionError, ConflictError):
            continue
    return attempt()


def _append(change: StreamChange, *, at: datetime, actor: str) -> Append:
    revision = _revision(change.state)
    state = change.state
    for offset, event in enumerate(change.events, start=1):
        recorded = Recorded(stream=change.stream, revision=revision + offset, at=at, actor=actor, event=event)
        state = fold_of(change.stream)(state, recorded)
    assert state is not None
    return Append(
        stream=change.stream,
        expected_revision=revision,
        events=change.events,
        state=encode_state(state),
        model=state.model if isinstance(state, Deployment | KillSwitchState) else "",
        label=state.state.value if isinstance(state, Deployment) else "",
    )


@lru_cache(maxsize=MOST_KEPT)
def _release(content: bytes) -> Deployment:
    """A release from its stored bytes. It is frozen all through, so that who asks again may be given the same."""
    return decode_state(Deployment, content)


def release_of(stored: StoredStream) -> Deployment:
    """A release from its stream."""
    return _release(stored.state)


def _name(stream: str) -> str:
    """What a stream is of: the id of a release, or a model."""
    return stream.partition("/")[2]


def _only(model: str | None) -> tuple[str, ...] | None:
    return None if model is None else (model,)


def _revision(state: State | None) -> int:
    return 0 if state is None else state.revision


__all__ = [
    "PEOPLE",
    "POLICY",
    "Caller",
    "CallerRequest",
    "Expectation",
    "Record",
    "State",
    "StreamChange",
    "decided_again",
    "deployment_stream",
    "fold_of",
    "model_stream",
    "replay",
]
