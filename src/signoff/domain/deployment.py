"""One release as a state: a fold over its events.

`evolve` applies events and does not judge them; `decisions` decides what may happen.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import reduce
from typing import Final

from signoff.domain import events as e
from signoff.domain.artifacts import BEFORE_BINDING, Pin
from signoff.domain.commitments import Commitments, DeploymentType
from signoff.domain.conflict_of_interest import objection, read_alike
from signoff.domain.events import (
    AnyEvent,
    Barred,
    Deadline,
    DeadlineName,
    PauseReason,
    Phase,
    RollbackCause,
    Signature,
    Step,
    Vote,
)
from signoff.domain.floor import Floor
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy, Role
from signoff.domain.profiles import Pinned, Profile


class State(StrEnum):
    """The state of a release."""

    VALIDATING = "validating"
    VALIDATED = "validated"
    REJECTED = "rejected"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SHADOW = "shadow"
    LIMITED = "limited"
    FULL = "full"
    SUPERSEDED = "superseded"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_STUCK = "rollback_stuck"
    ROLLED_BACK = "rolled_back"


# The edition of a release's files that has the memo of its rollback.
ROLLBACK_EDITION: Final = "rollback"
LIVE: Final = frozenset({State.SHADOW, State.LIMITED, State.FULL})
CANDIDATE: Final = frozenset({State.SHADOW, State.LIMITED})
ENDED: Final = frozenset({State.REJECTED, State.SUPERSEDED, State.ROLLED_BACK})
# A release keeps this many of its newest sessions without a conclusive day, and of its declared ones.
SESSIONS_KEPT: Final = 60
REVERSIBLE: Final = frozenset(State) - ENDED - {State.ROLLING_BACK, State.ROLLBACK_STUCK}

# Every change of state that an event may cause; `evolve` refuses any other, so that a forged history fails.
TRANSITIONS: Final[dict[State | None, frozenset[State]]] = {
    None: frozenset({State.VALIDATING, State.FULL}),
    State.VALIDATING: frozenset({State.VALIDATED, State.REJECTED, State.ROLLING_BACK}),
    State.VALIDATED: frozenset({State.AWAITING_APPROVAL, State.REJECTED, State.ROLLING_BACK}),
    State.AWAITING_APPROVAL: frozenset({State.APPROVED, State.REJECTED, State.ROLLING_BACK}),
    State.APPROVED: frozenset({State.SHADOW, State.REJECTED, State.AWAITING_APPROVAL, State.ROLLING_BACK}),
    State.SHADOW: frozenset({State.LIMITED, State.SHADOW, State.ROLLING_BACK}),
    State.LIMITED: frozenset({State.FULL, State.SHADOW, State.ROLLING_BACK}),
    State.FULL: frozenset({State.SUPERSEDED, State.SHADOW, State.ROLLING_BACK}),
    State.SUPERSEDED: frozenset({State.FULL}),
    State.ROLLING_BACK: frozenset({State.ROLLED_BACK, State.ROLLBACK_STUCK}),
    State.ROLLBACK_STUCK: frozenset({State.ROLLING_BACK}),
    State.ROLLED_BACK: frozenset(),
    State.REJECTED: frozenset(),
}

SIGNED: Final = frozenset({State.AWAITING_APPROVAL, State.APPROVED})
RETREATING: Final = frozenset({State.ROLLING_BACK, State.ROLLBACK_STUCK})
# The states in which each event may happen; an event that is not listed does not belong to a release.
HAPPENS_IN: Final[dict[type[e.Event], frozenset[State]]] = {
    e.Validated: frozenset({State.VALIDATING}),
    e.OverrideSigned: frozenset({State.VALIDATED}),
    e.ApprovalRequested: frozenset({State.VALIDATED}),
    e.ApprovalSigned: frozenset({State.AWAITING_APPROVAL}),
    e.ApprovalRejected: frozenset({State.VALIDATED}) | SIGNED,
    e.Approved: frozenset({State.AWAITING_APPROVAL}),
    e.ApprovalsVoided: SIGNED,
    e.ConditionMet: SIGNED | LIVE,
    e.PhaseEntered: frozenset({State.APPROVED}) | LIVE,
    e.Observed: LIVE,
    e.CapitalCut: LIVE,
    e.SessionNotHeld: LIVE,
    e.Paused: LIVE,
    e.Resumed: LIVE,
    e.RollbackStarted: REVERSIBLE,
    e.StepDone: RETREATING,
    e.FlatAttested: RETREATING,
    e.RollbackStuck: frozenset({State.ROLLING_BACK}),
    e.RolledBack: frozenset({State.ROLLING_BACK}),
    e.DeadlineBreached: RETREATING | {State.ROLLED_BACK},
    e.PostMortemHeld: frozenset({State.ROLLED_BACK}),
    e.Superseded: frozenset({State.FULL}),
    e.Reinstated: frozenset({State.SUPERSEDED}),
    e.MemoIssued: frozenset(State),
    e.DeployerSigned: frozenset({State.APPROVED}),
    e.ItemDone: frozenset(State),
    e.RegisteredAgain: frozenset(State),
    e.FilesChanged: frozenset(State),
    e.NoticeSent: frozenset(State),
    e.Reviewed: frozenset(State),
}


_LEADING: Final = re.compile(r"\s*while (limited|full)\s*[:,]", re.IGNORECASE | re.ASCII)
_ANYWHERE: Final = re.compile(r"\bwhile (?:in )?(?:the )?(shadow|limited|full)\b", re.IGNORECASE | re.ASCII)
PHASES: Final = tuple(Phase)


def phase_blocked(condition: str) -> Phase:
    """The phase that a condition blocks: that of its first words "while limited:" or "while full:", else shadow.

    A "while …" later in the text changes nothing. If the text also names an earlier phase, it blocks that one.
    """
    leading = _LEADING.match(condition)
    if leading is None:
        return Phase.SHADOW
    return min(Phase(leading[1].lower()), phase_blocked_once(condition), key=PHASES.index)


def phase_blocked_once(condition: str) -> Phase:
    """The phase that a condition blocked in an older Signoff, for replaying its histories."""
    named = [Phase(word.lower()) for word in _ANYWHERE.findall(condition)]
    return min(named, key=PHASES.index, default=Phase.SHADOW)


def block_words(condition: str) -> str:
    """What a condition blocks until it is cleared, in words."""
    phase = phase_blocked(condition)
    return "blocks the start" if phase is Phase.SHADOW else f"blocks {phase.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of an approval."""

    role: Role
    text: str

    @property
    def phase(self) -> Phase:
        """The phase that the condition blocks."""
        return phase_blocked(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """When people were told something: by a delivered notice, or as a person says."""

    item: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A rollback under way or finished."""

    occasion: RollbackCause
    trigger: str
    reason: str
    from_phase: Phase | None
    started_at: datetime
    deadlines: tuple[Deadline, ...]
    done: tuple[tuple[Step, datetime], ...] = ()
    stuck_at: Step | None = None
    stuck_since: datetime | None = None
    stuck_because: str = ""
    breached: tuple[DeadlineName, ...] = ()
    post_mortem_at: datetime | None = None
    attested_by: str | None = None
    restored_digest: str | None = None

    @property
    def next_step(self) -> Step | None:
        """The first step that has not been done."""
        finished = {step for step, _ in self.done}
        return next((step for step in Step if step not in finished), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The state of one release. `revision` counts its events; `phase_days` only days that counted.

    `unjudged` are observed sessions without a conclusive day, `not_held` sessions that a person declared not held by
    the venue; of both the newest. `cut` says why silence cut capital, and `approved_pct` is then the share that a
    resume restores. `concerns` are those of the last observed session. `certified` is section 12 of the last edition
    with one, `told` has the time at which each notice was delivered, `deployer` signed for the start. `bound` is the
    registered version with its files, `bound_previous` the fallback; without them `unbound` says why.
    `registered_again` are numbers of later registrations of the same version, and `changed_files` says which other
    bytes the approved number had. `profile` is what was validated, and `reference` the drift reference: the one
    `started_with`, or first observed.
    """

    id: str
    model: str
    version: str
    previous_version: str | None
    previous_deployment: str | None
    deployment_type: DeploymentType
    submitted_by: str
    barred: tuple[str, ...]
    policy: Policy
    undertakings: Commitments | None
    dossier_digest: str
    state: State
    revision: int
    opened_at: datetime
    was_adopted: bool = False
    package: str | None = None
    replay_seed: int = 0
    blocking: tuple[str, ...] = ()
    overrides: tuple[Signature, ...] = ()
    manifest: str | None = None
    approvals: tuple[Signature, ...] = ()
    rejection: Signature | None = None
    met: tuple[Condition, ...] = ()
    allocation_pct: int = 0
    phase_since: datetime | None = None
    phase_days: int = 0
    live_days: int = 0
    live_since: date | None = None
    last_session: date | None = None
    unmet: tuple[str, ...] = ("no day observed yet",)
    fired: tuple[str, ...] = ()
    pause_reasons: tuple[PauseReason, ...] = ()
    rollback: Rollback | None = None
    editions: tuple[tuple[str, str], ...] = ()
    superseded_by: str | None = None
    registered_model: str | None = None
    grounds: tuple[Barred, ...] = ()
    unread: tuple[str, ...] = ()
    desk: str | None = None
    floor: Floor | None = None
    unjudged: tuple[date, ...] = ()
    last_judged: date | None = None
    not_held: tuple[date, ...] = ()
    concerns: tuple[str, ...] = ()
    approved_pct: int | None = None
    cut: str = ""
    certified: tuple[e.Certified, ...] = ()
    told: tuple[Told, ...] = ()
    deployer: e.DeployerSigned | None = None
    bound: Pin | None = None
    bound_previous: Pin | None = None
    unbound: str = BEFORE_BINDING
    registered_again: tuple[int, ...] = ()
    changed_files: tuple[str, ...] = ()
    profile: Profile | None = None
    reference: Pinned | None = None
    started_with: Pinned | None = None

    @property
    def registry_name(self) -> str:
        """What the model registry calls the model."""
        return self.registered_model or self.model

    @property
    def deployment_date(self) -> date | None:
        """The earliest day of the start; None for a release of an older Signoff."""
        return None if self.undertakings is None else self.undertakings.deployment_date

    @property
    def phase(self) -> Phase | None:
        return Phase(self.state.value) if self.state in LIVE else None

    @property
    def silent_sessions(self) -> int:
        """The number of sessions without a conclusive day, up to the last one observed."""
        return sum(self.last_judged is None or day > self.last_judged for day in self.unjudged)

    @property
    def is_cut(self) -> bool:
        """Whether silence cut the capital and no person restored it."""
        return PauseReason.SILENCE in self.pause_reasons

    @property
    def is_heard(self) -> bool:
        """Whether the last session observed was conclusive; sessions that were not held do not count."""
        return self.last_judged is not None and self.silent_sessions == 0

    @property
    def open_conditions(self) -> tuple[Condition, ...]:
        """Conditions of the approvals that are not cleared."""
        every = (
            Condition(role=signature.role, text=text) for signature in self.approvals for text in signature.conditions
        )
        return tuple(condition for condition in every if condition not in self.met)

    def conditions_before(self, phase: Phase) -> tuple[Condition, ...]:
        """Open conditions that block this phase."""
        reached = PHASES[: PHASES.index(phase) + 1]
        return tuple(condition for condition in self.open_conditions if condition.phase in reached)

    def entered_against(self, phase: Phase) -> bool:
        """Whether an older Signoff, too, would have blocked this phase for its open conditions."""
        reached = PHASES[: PHASES.index(phase) + 1]
        return any(phase_blocked_once(condition.text) in reached for condition in self.open_conditions)

    @property
    def missing_roles(self) -> tuple[Role, ...]:
        """Required roles that have not signed yet."""
        signed = {signature.role for signature in self.approvals}
        return tuple(role for role in self.policy.approvals.required if role not in signed)

    def is_signed_over(self, manifest: str | None) -> bool:
        """Whether every approval is over exactly this manifest."""
        return manifest is not None and all(signature.subject == manifest for signature in self.approvals)

    @property
    def is_overridden(self) -> bool:
        """Whether enough different persons took responsibility for the blocking gates."""
        return len({signature.person for signature in self.overrides}) >= self.policy.approvals.override_persons

    def overrides_at(self, now: datetime) -> tuple[Signature, ...]:
        """The overrides that have not expired."""
        return tuple(signature for signature in self.overrides if now < signature.expires_at)

    def is_free_at(self, now: datetime) -> bool:
        """Whether no gate blocks, or enough different persons still take responsibility for those that do."""
        persons = {signature.person for signature in self.overrides_at(now)}
        return not self.blocking or len(persons) >= self.policy.approvals.override_persons


def age(state: Deployment) -> tuple[datetime, str]:
    """The sort key of a model's releases, oldest first."""
    return state.opened_at, state.id


def is_memo_owed(state: Deployment) -> bool:
    """Whether a rollback is done and its memo is not written yet."""
    return state.state is State.ROLLED_BACK and ROLLBACK_EDITION not in dict(state.editions)


class IllegalHistoryError(ValueError):
    """An event that cannot follow those before it: the history was altered, or two versions of Signoff disagree."""


def evolve(state: Deployment | None, recorded: e.Recorded) -> Deployment:
    """The state after one more event of the same stream."""
    event = recorded.event
    if state is None:
        return _born(recorded)
    if recorded.revision != state.revision + 1:
        message = f"revision {recorded.revision} of {recorded.stream} follows {state.revision}"
        raise IllegalHistoryError(message)
    return replace(_after(state, event, recorded.at), revision=recorded.revision)


def foreseen(state: Deployment, *events: AnyEvent) -> Deployment:
    """The state after these events, if their times do not matter."""
    for event in events:
        revision = state.revision + 1
        recorded = e.Recorded(stream=state.id, revision=revision, at=state.opened_at, actor="", event=event)
        state = evolve(state, recorded)
    return state


def replay(history: Iterable[e.Recorded]) -> Deployment:
    """The state after a whole stream, which must not be empty."""
    state: Deployment | None = reduce(evolve, history, None)
    if state is None:
        raise IllegalHistoryError("a deployment's stream has no events")
    return state


def _born(recorded: e.Recorded) -> Deployment:
    event = recorded.event
    match event:
        case e.Opened():
            return Deployment(
                id=event.deployment,
                model=event.model,
                version=event.version,
                previous_version=event.previous_version,
                previous_deployment=event.previous_deployment,
                deployment_type=event.deployment_type,
                submitted_by=event.submitted_by,
                barred=event.barred,
                policy=event.policy,
                undertakings=event.undertakings,
                dossier_digest=event.dossier_digest,
                registered_model=event.registered_model,
                grounds=event.grounds,
                unread=event.unread,
                desk=event.desk,
                floor=event.floor,
                state=State.VALIDATING,
                revision=recorded.revision,
                opened_at=recorded.at,
            )
        case e.Adopted():
            return Deployment(
                id=event.deployment,
                model=event.model,
                version=event.version,
                previous_version=None,
                previous_deployment=None,
                deployment_type=DeploymentType.INITIAL,
                submitted_by=recorded.actor,
                barred=(),
                policy=event.policy,
                undertakings=None,
                dossier_digest="",
                state=State.FULL,
                revision=recorded.revision,
                opened_at=recorded.at,
                was_adopted=True,
                approvals=event.signatures,
                allocation_pct=100,
                phase_since=recorded.at,
                bound=event.bound,
                unbound=event.unbound,
            )
        case _:
            message = f"{recorded.stream} begins with {event.kind!r}, expected 'opened' or 'adopted'"
            raise IllegalHistoryError(message)


def _must(holds: bool, state: Deployment, what: str) -> None:
    """Refuse a history that violates a guard."""
    if not holds:
        message = f"deployment {state.id} {what}"
        raise IllegalHistoryError(message)


def _moved(state: Deployment, to: State) -> Deployment:
    if to not in TRANSITIONS[state.state]:
        message = f"deployment {state.id} cannot go from {state.state.value} to {to.value}"
        raise IllegalHistoryError(message)
    return replace(state, state=to)


def _strong(state: Deployment, signature: Signature) -> None:
    needed = state.policy.approvals.tier_for(signature.role)
    message = f"was signed by {signature.person} with a {signature.tier.value}, and the policy takes {needed.value}"
    _must(signature.tier.reaches(needed), state, message)


def _independent(state: Deployment, signature: Signature) -> None:
    against = objection((signature.person,), state.barred, state.grounds, are_same=read_alike)
    _must(against is None, state, f"was signed by {signature.person}, who {against}")


def _after(state: Deployment, event: AnyEvent, at: datetime) -> Deployment:  # noqa: C901, PLR0911, PLR0912 - one visible table
    _must(state.state in HAPPENS_IN.get(type(event), ()), state, f"cannot have {event.kind!r} in {state.state.value}")
    match event:
        case e.Validated():
            blocking = tuple(r.key for r in event.results if r.is_blocking and r.outcome != Outcome.PASS)
            validated = _moved(state, State.VALIDATED)
            return replace(
                validated,
                package=event.package,
                replay_seed=event.replay_seed,
                blocking=blocking,
                bound=event.bound,
                bound_previous=event.bound_previous,
                unbound=event.unbound,
                profile=event.profile,
            )
        case e.RegisteredAgain():
            return replace(state, registered_again=tuple(sorted({*state.registered_again, event.number})))
        case e.FilesChanged():
            return replace(state, changed_files=(*state.changed_files, event.found))
        case e.OverrideSigned():
            _strong(state, event.signature)
            _independent(state, event.signature)
            return replace(state, overrides=(*state.overrides, event.signature))
        case e.ApprovalRequested():
            _must(not state.blocking or state.is_overridden, state, "asked for signatures with gates blocked")
            return replace(_moved(state, State.AWAITING_APPROVAL), manifest=event.manifest, approvals=(), met=())
        case e.ApprovalSigned():
            _strong(state, event.signature)
            _independent(state, event.signature)
            return replace(state, approvals=(*state.approvals, event.signature))
        case e.ApprovalRejected():
            return replace(_moved(state, State.REJECTED), rejection=event.signature)
        case e.Approved():
            _must(not state.missing_roles, state, "was approved without every required role")
            _must(state.is_signed_over(event.manifest), state, "was approved by signatures over other bytes")
            return _moved(state, State.APPROVED)
        case e.ApprovalsVoided():
            moved = _moved(state, State.AWAITING_APPROVAL) if state.state is State.APPROVED else state
            return replace(moved, approvals=(), met=(), deployer=None)
        case e.DeployerSigned():
            _must(event.manifest == state.manifest, state, "was signed for its start over other bytes")
            return replace(state, deployer=event)
        case e.NoticeSent() if event.is_received:
            return _notified(state, event.notice, at)
        case e.ItemDone():
            return _notified(state, event.item, at)
        case e.ConditionMet():
            return replace(state, met=(*state.met, Condition(role=event.role, text=event.condition)))
        case e.MemoIssued():
            editions = (*state.editions, (event.edition, event.manifest))
            return replace(state, editions=editions, certified=event.certified or state.certified)
        case e.PhaseEntered():
            _must(not state.entered_against(event.phase), state, "entered a phase with conditions open")
            _must(event.allocation_pct in _allocations(state, event.phase), state, "was given another share of capital")
            _must(not state.is_cut or event.phase is Phase.SHADOW, state, "was given capital back during silence")
            return _in_phase(_moved(state, State(event.phase.value)), event, at)
        case e.Observed():
            return _observed(state, event)
        case e.CapitalCut():
            return _cut(state, event)
        case e.SessionNotHeld():
            return _not_held(state, event.session)
        case e.Paused():
            return replace(state, pause_reasons=tuple(sorted({*state.pause_reasons, event.reason})))
        case e.Resumed():
            return _resumed(state, event.reason)
        case e.RollbackStarted():
            return _rolling_back(state, event, at)
        case e.StepDone() | e.FlatAttested() | e.RollbackStuck() | e.RolledBack():
            return _stepped(state, event, at)
        case e.Superseded():
            return replace(_moved(state, State.SUPERSEDED), superseded_by=event.by_deployment)
        case e.Reinstated():
            back = replace(_moved(state, State.FULL), superseded_by=None, phase_since=at, phase_days=0)
            return back if state.is_cut else replace(back, allocation_pct=100)
        case e.DeadlineBreached() | e.PostMortemHeld():
            return replace(state, rollback=_reckoned(state, event, at))
        case _:
            return state


def _notified(state: Deployment, item: str, at: datetime) -> Deployment:
    """The state after people were told of an item of T-24h; the first time counts."""
    before = state.undertakings.communication.before if state.undertakings else ()
    if item not in before or any(notice.item == item for notice in state.told):
        return state
    return replace(state, told=(*state.told, Told(item=item, at=at)))


def _allocations(state: Deployment, phase: Phase) -> range:
    """The shares of capital, in percent, that a phase may have."""
    limit = {Phase.SHADOW: 0, Phase.LIMITED: state.policy.phases.limited_allocation_pct, Phase.FULL: 100}[phase]
    return range(limit if phase is not Phase.LIMITED else 1, limit + 1)


def _in_phase(state: Deployment, event: e.PhaseEntered, at: datetime) -> Deployment:
    return replace(
        state,
        allocation_pct=event.allocation_pct,
        phase_since=at,
        live_since=state.live_since or at.date(),
        phase_days=0,
        unmet=("no day of this phase observed yet",),
        fired=(),
        approved_pct=event.allocation_pct if state.is_cut else None,
        reference=state.reference or event.reference,
        started_with=state.started_with or event.reference,
    )


def _observed(state: Deployment, event: e.Observed) -> Deployment:
    last = state.last_session
    is_late = last is not None and event.session < last
    was_looked_at = event.session in {*state.unjudged, *state.not_held}
    is_new = last is None or event.session > last or event.concerns is None
    _must(is_new or was_looked_at, state, f"observed {event.session} twice")
    counted = int(event.counts and not _held_up(state, event) and _belongs_to_phase(state, event.session))
    counting = replace(
        state,
        phase_days=state.phase_days + counted,
        live_days=state.live_days + counted,
        reference=state.reference or event.reference,
    )
    judged = _judged(counting, event)
    if is_late:
        return replace(judged, fired=event.fired or judged.fired)
    return replace(judged, last_session=event.session, unmet=event.unmet, fired=event.fired)


def _held_up(state: Deployment, event: e.Observed) -> bool:
    """Whether a pause keeps the day from counting; a pause ends once the days that caused it are judged."""
    is_judged_late = event.is_heard and event.session in state.unjudged
    ended = {PauseReason.NO_DATA, PauseReason.INCONCLUSIVE} if is_judged_late else set[PauseReason]()
    return bool(set(state.pause_reasons) - ended)


def _belongs_to_phase(state: Deployment, session: date) -> bool:
    """Whether a session counts for the present phase; late data may be of an earlier phase."""
    is_new = state.last_session is None or session > state.last_session
    return is_new or state.phase_since is None or session >= state.phase_since.date()


def _judged(state: Deployment, event: e.Observed) -> Deployment:
    """Whether the session was judged, by this or a later version of Signoff."""
    if event.concerns is None:
        return state
    last, day = state.last_judged, event.session
    others = tuple(other for other in state.unjudged if other != day)
    is_newest = state.last_session is None or day >= state.last_session
    return replace(
        state,
        unjudged=others if event.is_heard else tuple(sorted((*others, day)))[-SESSIONS_KEPT:],
        last_judged=max(last or day, day) if event.is_heard else last,
        not_held=tuple(other for other in state.not_held if other != day),
        concerns=event.concerns if is_newest else state.concerns,
    )


def _cut(state: Deployment, event: e.CapitalCut) -> Deployment:
    _must(0 <= event.allocation_pct < state.allocation_pct, state, "was given more capital by a cut")
    approved = state.allocation_pct if state.approved_pct is None else state.approved_pct
    paused = tuple(sorted({*state.pause_reasons, PauseReason.SILENCE}))
    return replace(
        state, allocation_pct=event.allocation_pct, approved_pct=approved, cut=event.reason, pause_reasons=paused
    )


def _not_held(state: Deployment, session: date) -> Deployment:
    is_judged = state.last_session is not None and session <= state.last_session and session not in state.unjudged
    _must(not is_judged, state, f"declared {session} as not held, which was observed")
    return replace(
        state,
        not_held=tuple(sorted({*state.not_held, session}))[-SESSIONS_KEPT:],
        unjudged=tuple(other for other in state.unjudged if other != session),
    )


def _resumed(state: Deployment, reason: PauseReason) -> Deployment:
    left = replace(state, pause_reasons=tuple(r for r in state.pause_reasons if r is not reason))
    if reason is not PauseReason.SILENCE:
        return left
    _must(state.is_heard, state, "was given capital back without a conclusive session")
    restored = state.allocation_pct if state.approved_pct is None else state.approved_pct
    return replace(left, allocation_pct=restored, approved_pct=None, cut="")


def _rolling_back(state: Deployment, event: e.RollbackStarted, at: datetime) -> Deployment:
    rollback = Rollback(
        occasion=event.occasion,
        trigger=event.trigger,
        reason=event.reason,
        from_phase=event.from_phase,
        started_at=at,
        deadlines=event.deadlines,
    )
    return replace(_moved(state, State.ROLLING_BACK), rollback=rollback, allocation_pct=0)


def _stepped(
    state: Deployment, event: e.StepDone | e.FlatAttested | e.RollbackStuck | e.RolledBack, at: datetime
) -> Deployment:
    if state.rollback is None:
        message = f"{event.kind!r} before any rollback of deployment {state.id}"
        raise IllegalHistoryError(message)
    match event:
        case e.RolledBack():
            return _moved(state, State.ROLLED_BACK)
        case e.FlatAttested():
            _must(state.rollback.next_step is Step.VERIFY_FLAT, state, "was attested flat at another step")
            return replace(state, rollback=replace(state.rollback, attested_by=event.person))
        case e.RollbackStuck():
            stuck = replace(state.rollback, stuck_at=event.step, stuck_since=at, stuck_because=event.detail)
            return replace(_moved(state, State.ROLLBACK_STUCK), rollback=stuck)
        case e.StepDone():
            if event.step is not state.rollback.next_step:
                message = f"rollback step {event.step.value!r} of {state.id} is out of order"
                raise IllegalHistoryError(message)
            back = _moved(state, State.ROLLING_BACK) if state.state is State.ROLLBACK_STUCK else state
            done = (*state.rollback.done, (event.step, at))
            digest = event.restored_digest or state.rollback.restored_digest
            moving = replace(
                state.rollback, done=done, stuck_at=None, stuck_since=None, stuck_because="", restored_digest=digest
            )
            return replace(back, rollback=moving)


def _reckoned(state: Deployment, event: e.DeadlineBreached | e.PostMortemHeld, at: datetime) -> Rollback:
    rollback = state.rollback
    if rollback is None:
        message = f"{event.kind!r} before any rollback of deployment {state.id}"
        raise IllegalHistoryError(message)
    if isinstance(event, e.PostMortemHeld):
        return replace(rollback, post_mortem_at=rollback.post_mortem_at or at)
    return replace(rollback, breached=(*rollback.breached, event.name))


def approval_is_valid(signature: Signature, manifest: str, now: datetime) -> bool:
    """Whether a signature approves exactly this manifest at this time."""
    approves = signature.verdict in {Vote.APPROVE, Vote.CONDITIONAL}
    return approves and signature.subject == manifest and now < signature.expires_at
