"""The rollback of a live release, step by step. Nothing here can refuse to start it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.domain import events as e
from signoff.domain.decisions.guards import in_state
from signoff.domain.deployment import RETREATING, REVERSIBLE, Deployment, State
from signoff.domain.errors import GuardError, NotFoundError
from signoff.domain.events import AnyEvent, Deadline, DeadlineName, RollbackCause, Step
from signoff.domain.venue import VenueKind


def begin_rollback(
    state: Deployment, occasion: RollbackCause, trigger: str, reason: str, now: datetime
) -> tuple[AnyEvent, ...]:
    """Start a rollback. No pause, condition or approval can refuse it; a second request changes nothing."""
    if state.state in {State.ROLLING_BACK, State.ROLLBACK_STUCK, State.ROLLED_BACK}:
        return ()
    if state.state not in REVERSIBLE:
        raise GuardError("state", f"the release is {state.state.value}; there is nothing to roll back.")
    budget = state.policy.rollback
    deadlines = (
        Deadline(name=DeadlineName.IMMEDIATE, due=now + timedelta(minutes=budget.immediate_minutes)),
        Deadline(name=DeadlineName.REVERT, due=now + timedelta(minutes=budget.revert_minutes)),
        Deadline(name=DeadlineName.REVIEW, due=now + timedelta(minutes=budget.review_minutes)),
        Deadline(name=DeadlineName.POST_MORTEM, due=now + timedelta(hours=budget.post_mortem_hours)),
    )
    return (
        e.RollbackStarted(
            occasion=occasion, trigger=trigger, reason=reason, from_phase=state.phase, deadlines=deadlines
        ),
    )


def rehearse(champion: Deployment | None, *, has_registry: bool) -> None:
    """Refuse to rehearse without the registry of the fallback version."""
    if champion is not None and not has_registry:
        raise NotFoundError(
            f"Expected a model registry to load {champion.model} v{champion.version} from, found none; a rehearsal "
            "runs the version that a release falls back to. Install `signoff[mlflow]` and give --registry."
        )


DEADLINE_OF = {
    Step.FENCE: DeadlineName.IMMEDIATE,
    Step.CANCEL: DeadlineName.IMMEDIATE,
    Step.VERIFY_FLAT: DeadlineName.IMMEDIATE,
    Step.REVERT: DeadlineName.REVERT,
    Step.VERIFY_REVERT: DeadlineName.REVERT,
    Step.REVIEW: DeadlineName.REVIEW,
}


def finish_step(
    state: Deployment,
    step: Step,
    seconds: float,
    detail: str,
    restored: str | None,
    now: datetime,
    venue: VenueKind = VenueKind.NONE,
    *,
    restored_digest: str | None = None,
) -> tuple[AnyEvent, ...]:
    """Finish a step; a passed deadline is recorded as breached, and the last step ends the rollback."""
    rollback = state.rollback
    if rollback is None or rollback.next_step is not step:
        expected = rollback.next_step if rollback else None
        raise GuardError("order", f"step {step.value} is not next; next is {expected.value if expected else 'none'}.")
    digest = restored_digest if step is Step.REVERT else None
    done = e.StepDone(step=step, seconds=seconds, detail=detail, venue=venue, restored_digest=digest)
    late = tuple(breach for breach in overdue(state, now) if breach.name == DEADLINE_OF[step])
    ended = e.RolledBack(restored_version=restored, restored_digest=restored_digest)
    last = (ended,) if step is Step.REVIEW else ()
    return (done, *late, *last)


def attest_flat(state: Deployment, person: str, reason: str, venue: VenueKind, now: datetime) -> tuple[AnyEvent, ...]:
    """A person attests that a model is flat, which finishes the step without a venue; repeating it changes nothing."""
    rollback = state.rollback
    if rollback is None or state.state not in {*RETREATING, State.ROLLED_BACK}:
        raise GuardError("state", f"the release is {state.state.value}; only on its way back is it attested flat.")
    if not reason.strip():
        raise GuardError(
            "reason", "to attest that a model is flat takes a reason in words: what was looked at, and where."
        )
    if rollback.attested_by is not None:
        return ()
    if rollback.next_step is not Step.VERIFY_FLAT:
        expected = rollback.next_step.value if rollback.next_step else "none"
        raise GuardError(
            "order", f"verify_flat is not next, so that there is nothing to attest; the next step is {expected}."
        )
    began = rollback.done[-1][1] if rollback.done else rollback.started_at
    attested = e.FlatAttested(person=person, reason=reason, venue=venue)
    seconds = max(0.0, (now - began).total_seconds())
    detail = f"attested flat by {person}: {reason}"
    return (attested, *finish_step(state, Step.VERIFY_FLAT, seconds, detail, None, now, venue))


def overdue(state: Deployment, now: datetime) -> tuple[e.DeadlineBreached, ...]:
    """The deadlines of a rollback that have passed, are not met and are not on record as breached yet.

    They are absolute times set at the start of the rollback, so that a restart does not reset them.
    """
    rollback = state.rollback
    if rollback is None:
        return ()
    open_steps = set(Step) - {step for step, _ in rollback.done}
    waiting = {DEADLINE_OF[step] for step in open_steps} | (
        {DeadlineName.POST_MORTEM} if rollback.post_mortem_at is None else set()
    )
    return tuple(
        e.DeadlineBreached(name=d.name, due=d.due)
        for d in rollback.deadlines
        if d.due < now and d.name in waiting and d.name not in rollback.breached
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A repeated page for a stuck rollback; `number` counts repetitions from 1."""

    number: int
    minutes: float
    is_escalated: bool


def page_due(state: Deployment, now: datetime) -> Page | None:
    """The repetition that is due by now; the event itself sent the first page."""
    if state.state is not State.ROLLBACK_STUCK or state.rollback is None or state.rollback.stuck_since is None:
        return None
    minutes = (now - state.rollback.stuck_since) / timedelta(minutes=1)
    number = int(minutes // state.policy.rollback.page_every_minutes)
    if number < 1:
        return None
    return Page(number=number, minutes=minutes, is_escalated=minutes >= state.policy.rollback.escalate_after_minutes)


def hold_post_mortem(state: Deployment, notes: str, root_cause: str = "") -> tuple[AnyEvent, ...]:
    """Record the post-mortem of a rollback. The root cause is a statement; the trigger's name is not a root cause."""
    in_state(state, State.ROLLED_BACK, action="hold a post-mortem")
    if not notes.strip():
        raise GuardError("notes", "a post-mortem needs its findings in words.")
    is_held = state.rollback is not None and state.rollback.post_mortem_at is not None
    if is_held and not root_cause.strip():
        return ()
    trigger = state.rollback.trigger if state.rollback is not None else ""
    if root_cause.strip() and root_cause.strip() == trigger:
        raise GuardError(
            "root_cause", f"{trigger!r} names the trigger, and not its cause. Say in words why it fired, or leave it."
        )
    return (e.PostMortemHeld(notes=notes, root_cause=root_cause.strip()),)
