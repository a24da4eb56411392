"""The record of all releases, as use cases see it: present states, histories, and one way to append to them.

Only this module writes state. The domain decides a change on the state that was read. The store refuses the change if
another commit came first.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from threading import Event
from typing import Final, TypeVar

from signoff.app.commits_in_flight import CommitInFlight, CommitsInFlight
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
# How many decoded releases are cached, the most recently used ones.
MOST_KEPT: Final = 1024
T = TypeVar("T")


def deployment_stream(deployment: str) -> str:
    """The stream of one release."""
    return f"deployment/{deployment}"


def model_stream(model: str) -> str:
    """The stream of a model's kill switch and rehearsals."""
    return f"model/{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChange:
    """Events to append to a stream, decided on this state."""

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
    """One request of one caller: its idempotency key, and the digest of its content."""

    name: str
    asked: str


@dataclass(frozen=True, slots=True)
class Caller:
    """What a caller sends beside the command: the idempotency key, and the expected revision of the release."""

    request: CallerRequest | None = None
    expected: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The store and the clock as one caller uses them. `proof` says how the actor's name was proven.

    The caller's expected revision applies until their own request changes the release; `has_changed` says so.
    """

    store: Store
    clock: Clock
    caller: Caller = Caller()
    undertakings: CommitsInFlight | None = None
    proof: ActorProof = ActorProof.UNRECORDED
    has_changed: Event = field(default_factory=Event, repr=False, compare=False)

    def key(self, otherwise: str) -> str:
        """The idempotency key of a commit that is the whole request: the request's own key, so that it is done once."""
        return otherwise if self.caller.request is None else f"request:{self.caller.request.name}"

    def was_carried_out(self) -> bool:
        """Whether this request is on record already: it was repeated because its answer was lost.

        It is then answered with the present state. Deciding it again would refuse it because of its own effect.
        """
        request = self.caller.request
        if request is None or (earlier := self.store.request_of(self.key(""))) is None:
            return False
        decisions.requests.is_the_same(earlier, request.asked)
        self.has_changed.set()
        return True

    def now(self) -> datetime:
        """The present time in UTC."""
        return self.clock.now()

    def deployment(self, deployment_id: str) -> Deployment:
        """One release. NotFoundError lists the ids that are nearest to this one."""
        stored = self.store.load(deployment_stream(deployment_id))
        if stored is None:
            ids = (_name(stream) for stream in self.store.names(deployment_stream("")))
            decisions.requests.refuse_unknown_release(deployment_id, ids)
        state = _release(stored.state)
        expected = self.caller.expected
        if expected is not None and not self.has_changed.is_set() and not self.was_carried_out():
            decisions.requests.is_as_seen(state, expected.identity, expected.revision)
        return state

    def find(self, deployment_id: str) -> Deployment | None:
        """One release, or None."""
        stored = self.store.load(deployment_stream(deployment_id))
        return None if stored is None else _release(stored.state)

    def deployments(self, model: str | None = None) -> tuple[Deployment, ...]:
        """Every release, oldest first, of one model or of all."""
        releases = (_release(s.state) for s in self.store.streams("deployment/", models=_only(model)))
        return tuple(sorted(releases, key=age))

    def in_states(self, *states: DeploymentState, model: str | None = None) -> tuple[Deployment, ...]:
        """Releases in one of these states, oldest first."""
        return tuple(sorted((release_of(stored) for stored in self.stored_in(*states, model=model)), key=age))

    def stored_in(self, *states: DeploymentState, model: str | None = None) -> tuple[StoredStream, ...]:
        """The same releases as stored, so that the caller can skip an unreadable one."""
        labels = [state.value for state in states]
        return self.store.streams("deployment/", models=_only(model), labels=labels)

    def page(
        self, *, model: str | None, state: DeploymentState | None, after: str | None, limit: int
    ) -> tuple[Deployment, ...]:
        """At most `limit` releases by id, after the last of the previous page."""
        stored = self.store.streams(
            "deployment/",
            models=_only(model),
            labels=None if state is None else [state.value],
            after=None if after is None else deployment_stream(after),
            limit=limit,
        )
        return tuple(_release(s.state) for s in stored)

    def models(self) -> tuple[str, ...]:
        """Every model with a release or a kill switch, by name."""
        released = set(self.store.names(deployment_stream("")).values())
        return tuple(sorted(released | {_name(stream) for stream in self.store.names(model_stream(""))}))

    def names(self) -> frozenset[str]:
        """Every model, and the id of every release."""
        released = self.store.names(deployment_stream(""))
        latched = self.store.names(model_stream(""))
        return frozenset({*released.values(), *(_name(stream) for stream in (*released, *latched))})

    def recognised(self, name: str) -> Recognition:
        """Whether the model has a release or a rehearsal; a kill alone does not make a name known."""
        latches = (decode_state(KillSwitchState, stored.state) for stored in self.store.streams("model/"))
        rehearsed = frozenset(latch.model for latch in latches if latch.rehearsal is not None)
        models = {_name(stream): model for stream, model in self.store.names(deployment_stream("")).items()}
        return recognition(name, models, rehearsed)

    def halted(self) -> tuple[str, ...]:
        """Every model that is killed or rolling back, by name."""
        leaving = {d.model for d in self.in_states(*RETREATING)}
        latches = (decode_state(KillSwitchState, s.state) for s in self.store.streams("model/"))
        return tuple(sorted(leaving | {latch.model for latch in latches if latch.is_latched}))

    def killed(self) -> dict[str, str]:
        """Every killed model, even without a release: by whom, and why."""
        latches = (decode_state(KillSwitchState, stored.state) for stored in self.store.streams(model_stream("")))
        return {latch.model: f"{latch.killed_by}: {latch.reason}" for latch in latches if latch.is_latched}

    def latch(self, model: str) -> KillSwitchState | None:
        """The kill switch of a model, None if it was never killed or rehearsed."""
        stored = self.store.load(model_stream(model))
        return None if stored is None else decode_state(KillSwitchState, stored.state)

    def people(self) -> People:
        """Who may sign."""
        stored = self.store.load(PEOPLE)
        return People() if stored is None else decode_state(People, stored.state)

    def policy(self) -> InstallationPolicy:
        """The installation's confirmed policy, and the proposals that wait for a second person."""
        stored = self.store.load(POLICY)
        return InstallationPolicy() if stored is None else decode_state(InstallationPolicy, stored.state)

    def flags(self, model: str) -> Flags:
        """The flags of a model."""
        return flags(model, self.deployments(model), self.latch(model))

    def flags_of(self, models: Collection[str]) -> dict[str, Flags]:
        """The flags of these models, from one read."""
        mine: dict[str, list[Deployment]] = {model: [] for model in models}
        for stored in self.store.streams("deployment/", models=models):
            released = _release(stored.state)
            mine[released.model].append(released)
        latches = {
            s.stream: decode_state(KillSwitchState, s.state) for s in self.store.streams("model/", models=models)
        }
        return {model: flags(model, released, latches.get(model_stream(model))) for model, released in mine.items()}

    def history(self, stream: str | None = None) -> tuple[Recorded, ...]:
        """The events of a stream, in the ledger's order."""
        return tuple(decode(row.body) for row in self.store.rows(stream=stream))

    def streams_of(self, name: str) -> frozenset[str]:
        """The streams of a model and its releases, or of one release."""
        released = (s.stream for s in self.store.streams("deployment/", models=[name]))
        return frozenset({deployment_stream(name), model_stream(name), *released})

    def told(
        self, streams: Collection[str], *, after: int = 0, limit: int | None = None
    ) -> tuple[tuple[int, Recorded], ...]:
        """The events of these streams with their sequence numbers, in the ledger's order."""
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
        """Append all events or none, provided that the `unchanged` streams are still at these revisions.

        Repeating the same key and events changes nothing. `proof` overrides the record's for this actor.
        """
        at = at or self.now()
        changes = tuple(change for change in changes if change.events)
        if not changes and not effects:
            return
        asked = [[c.stream, [encode_state(event).decode() for event in c.events]] for c in changes]
        request = digest(canonical([key, actor, asked]))
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
        """Append events to one release, decided on this state."""
        change = StreamChange(stream=deployment_stream(state.id), state=state, events=events)
        self.commit(change, actor=actor, key=key, effects=effects)

    def decide(
        self,
        deployment_id: str,
        decide: Callable[[Deployment], tuple[AnyEvent, ...]],
        *,
        actor: str,
        verb: str,
        effects: Callable[[Deployment, tuple[AnyEvent, ...]], tuple[Effect, ...]] = lambda *_: (),
        is_whole: bool = True,
    ) -> Deployment:
        """Decide on the present state of a release and commit, again if another commit came first; returns the release.

        `is_whole` says that this is all that a request does; a request on record is then not carried out again.
        """

        def attempt() -> Deployment:
            state = self.deployment(deployment_id)
            events, key = decide(state), f"{verb}:{deployment_id}:{state.revision}"
            follows = effects(state, events)
            self.append(state, events, actor=actor, key=self.key(key) if is_whole else key, effects=follows)
            return self.deployment(deployment_id)

        return self.deployment(deployment_id) if is_whole and self.was_carried_out() else decided_again(attempt)


def decided_again(attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """The result of `attempt`, which reads, decides and commits; repeated when another commit came first.

    Each attempt decides on the state that it reads, so its guard refuses what no longer applies. The refusal of the
    last attempt is raised.
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
    """A release from its stored bytes. Releases are immutable, so the decoded one is cached."""
    return decode_state(Deployment, content)


def release_of(stored: StoredStream) -> Deployment:
    """A release from its stream."""
    return _release(stored.state)


def _name(stream: str) -> str:
    """The id of the release or model that a stream belongs to."""
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
