"""What may happen next: pure guards from a release's state and a request to the events that follow.

Every refusal names its guard, what it found and what to do. Nothing here can refuse a kill or the rollback of a live
release.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NoReturn

from signoff.domain import events as e
from signoff.domain.conflict_of_interest import objection
from signoff.domain.deployment import (
    CANDIDATE,
    LIVE,
    RETREATING,
    REVERSIBLE,
    SIGNED,
    Deployment,
    State,
    approval_is_valid,
    foreseen,
)
from signoff.domain.errors import RefusedError
from signoff.domain.events import AnyEvent, Deadline, Occasion, PauseReason, Phase, Signature, Step, Verdict
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.look_alikes import are_alike
from signoff.domain.policy import Certification, Policy, Role
from signoff.domain.profiles import Pinned
from signoff.domain.rollback_drill import Rehearsal, objections
from signoff.domain.silence import concerns_of, cut_by, in_sessions
from signoff.domain.venue import VenueKind


class GuardError(RefusedError):
    """A guard refused; `guard` is its name."""

    code = "guard"

    def __init__(self, guard: str, message: str) -> None:
        super().__init__(f"Refused by guard '{guard}': {message}")
        self.guard = guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What the signed files look like now: the manifest's digest and which paths differ from it."""

    manifest: str
    changed: tuple[str, ...]


def refuse_changed(package: Package) -> NoReturn:
    """Refuse a request whose files are not the ones that were signed."""
    changed = ", ".join(package.changed) or "manifest.json"
    raise GuardError(
        "bytes", f"the files changed since they were submitted ({changed}); every approval is void. Submit again."
    )


def sign_override(state: Deployment, signature: Signature, now: datetime) -> tuple[AnyEvent, ...]:
    """A person takes responsibility for the blocking gates; the signature is over the validated package."""
    _in_state(state, State.VALIDATED, action="override")
    if not state.blocking:
        raise GuardError("nothing_to_override", "no gate blocks this release; ask for approval instead.")
    _may_sign(state, signature, earlier=state.overrides_at(now), roles=state.policy.approvals.override_roles)
    if signature.subject != state.package:
        raise GuardError("subject", f"the override signs {signature.subject[:12]}…, expected {_short(state.package)}.")
    if not signature.reason.strip():
        raise GuardError("reason", "an override needs a reason; it is printed on page one of the memo.")
    return (e.OverrideSigned(signature=signature),)


def rehearsal_objections(state: Deployment, rehearsal: Rehearsal | None, now: datetime) -> tuple[str, ...]:
    """What keeps the last rehearsal from standing for this release at this time."""
    return objections(rehearsal, state.policy, state.previous_version, now.date())


def request_approval(
    state: Deployment, manifest: str, rehearsal: Rehearsal | None, now: datetime
) -> tuple[AnyEvent, ...]:
    """Issue the memo for signature; blocked gates need their override first, and the rollback its rehearsal.

    The memo prints the rehearsal's times, so that people sign them; hence it is asked for before the first signature.
    """
    _in_state(state, State.VALIDATED, action="submit for approval")
    if not state.is_free_at(now):
        needed = state.policy.approvals.override_persons - len({s.person for s in state.overrides_at(now)})
        raise GuardError(
            "gates",
            f"blocked by {', '.join(state.blocking)}; {needed} more override signature(s) needed from the roles "
            f"{', '.join(state.policy.approvals.override_roles)}, or let the release be rejected.",
        )
    _rehearsed(state, rehearsal, now)
    return (e.ApprovalRequested(manifest=manifest),)


def redeployment_objection(version: str, earlier: Iterable[Deployment]) -> str | None:
    """Why a version cannot be redeployed as one that was live before; None when it can.

    It must have held all of the capital and have been replaced by a newer one; what was rolled back since never returns
    in a hurry.
    """
    mine = [d for d in earlier if d.version == version]
    if any(d.state is State.ROLLED_BACK for d in mine):
        return f"v{version} was itself rolled back"
    if not any(d.state is State.SUPERSEDED for d in mine):
        found = ", ".join(d.state.value for d in mine) or "not on record"
        return f"v{version} was never live with all of the capital and then replaced: it is {found}"
    return None


def approve(
    state: Deployment, signature: Signature, package: Package, rehearsal: Rehearsal | None, now: datetime
) -> tuple[AnyEvent, ...]:
    """A signature over the manifest; the last one needed approves the release."""
    _in_state(state, State.AWAITING_APPROVAL, action="approve")
    _unchanged(state, package)
    _rehearsed(state, rehearsal, now)
    if signature.subject != state.manifest:
        raise GuardError(
            "subject", f"the signature is over {signature.subject[:12]}…, expected {_short(state.manifest)}."
        )
    _may_sign(state, signature, earlier=state.approvals, roles=state.policy.approvals.required)
    if signature.verdict is Verdict.CONDITIONAL and not signature.conditions:
        raise GuardError("conditions", "a conditional approval needs at least one condition.")
    if signature.expires_at <= now:
        raise GuardError("expiry", "the signature has expired already; sign again.")
    signed = e.ApprovalSigned(signature=signature)
    remaining = set(state.missing_roles) - {signature.role}
    if remaining:
        return (signed,)
    if stale := _expired(state, now):
        raise GuardError("expiry", f"the approval of {stale} has expired; submit again.")
    return (signed, e.Approved(manifest=signature.subject))


def reject(state: Deployment, signature: Signature) -> tuple[AnyEvent, ...]:
    """One rejection by a role that is asked ends the release; it sticks."""
    if state.state not in {State.VALIDATED, State.AWAITING_APPROVAL, State.APPROVED}:
        raise GuardError("state", f"the release is {state.state.value}; only one before its rollout can be rejected.")
    if signature.role not in state.policy.approvals.required:
        raise GuardError("role", f"role {signature.role.value} is not asked to sign this release.")
    if not signature.reason.strip():
        raise GuardError("reason", "a rejection needs a reason.")
    return (e.ApprovalRejected(signature=signature),)


def meet_condition(state: Deployment, role: Role, condition: str, person: str, note: str) -> tuple[AnyEvent, ...]:
    """The person who set a condition says that it is met."""
    if state.state not in SIGNED | LIVE:
        raise GuardError(
            "state", f"the release is {state.state.value}; conditions are met of one that is signed, or live."
        )
    setter = next((s for s in state.approvals if s.role is role and condition in s.conditions), None)
    if setter is None or all(c.text != condition or c.role is not role for c in state.open_conditions):
        found = "; ".join(f"{c.role.value}: {c.text}" for c in state.open_conditions) or "none"
        raise GuardError("conditions", f"no open condition {condition!r} of {role.value}; open are: {found}.")
    if setter.person != person:
        raise GuardError("conditions", f"only {setter.person}, who set this condition, can say that it is met.")
    return (e.ConditionMet(role=role, condition=condition, person=person, note=note),)


def start(
    state: Deployment,
    package: Package,
    latch: KillSwitchState | None,
    now: datetime,
    *,
    deployer: e.DeployerSigned | None = None,
    unrehearsed: tuple[str, ...] = (),
    reference: Pinned | None = None,
) -> tuple[AnyEvent, ...]:
    """Enter shadow: approved, unchanged, unexpired, on its day, every condition met, certified, told, not latched.

    `deployer` is the signature of who starts it, `unrehearsed` what the last rehearsal lacks by now, `reference` what
    the live data stand beside now: the release is held to it from here on.
    """
    _in_state(state, State.APPROVED, action="start")
    if package.changed or package.manifest != state.manifest:
        return (e.ApprovalsVoided(changed=package.changed or ("manifest.json",)),)
    _free_to_trade(state, latch, now, Phase.SHADOW)
    _on_its_day(state, now)
    if unrehearsed:
        raise GuardError(
            "rehearsal",
            f"no rollback rehearsal stands for this release: {'; '.join(unrehearsed)}. Run `signoff rehearse "
            f"{state.model}`, then start again.",
        )
    _certified(state, Phase.SHADOW)
    if untold := notice_objections(state, now):
        raise GuardError("notices", f"{'; '.join(untold)} (policy, sign_off.notice_hours).")
    if deployer is None and state.policy.sign_off.deployer_signs:
        raise GuardError(
            "deployer",
            "who starts a rollout signs section 12, and nobody did (policy, sign_off.deployer_signs). Start it as an "
            "enrolled person whose key is at hand: `signoff rollout start ID --as NAME`, or with --key FILE.",
        )
    signed = () if deployer is None else (deployer,)
    why = "approved by every required role"
    return (*signed, e.PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason=why, reference=reference))


def _on_its_day(state: Deployment, now: datetime) -> None:
    day = state.deployment_date
    if day is not None and now.date() < day:
        raise GuardError(
            "deployment_date",
            f"the deployment date is {day} (header.deployment_date), and it is {now:%Y-%m-%d %H:%M} UTC. Start it on "
            "that day, or submit the release with another date.",
        )


def _certified(state: Deployment, phase: Phase) -> None:
    """Refuse a phase that a certification of section 12 guards, unless the policy accepts that it lacks evidence.

    Gates, rehearsal and notices have guards of their own, which look at what is so now. A release whose memo an older
    Signoff wrote has no certifications on record, and is held to what it was approved under.
    """
    accepted = state.policy.sign_off.accepted_not_evidenced
    own = {Certification.GATES, Certification.ROLLBACK, Certification.STAKEHOLDERS}
    lacking = [
        f"{c.certification.value}: {c.against}"
        for c in state.certified
        if c.certification.phase == phase.value and c.certification not in own and c.against
        if c.is_contradicted or c.certification not in accepted
    ]
    if lacking:
        raise GuardError(
            "certification",
            f"section 12 does not certify what {phase.value} waits for: {'; '.join(lacking)}. Mend it and submit "
            "again; where evidence is lacking, the policy may accept that (sign_off.accepted_not_evidenced).",
        )


def notices_due(state: Deployment) -> datetime | None:
    """When the notices of T-24h are due: so many hours before the deployment date begins, UTC; None without a date."""
    if state.deployment_date is None:
        return None
    begins = datetime.combine(state.deployment_date, time(), UTC)
    return begins - timedelta(hours=state.policy.sign_off.notice_hours)


def notice_objections(state: Deployment, now: datetime) -> tuple[str, ...]:
    """What keeps the notices of T-24h from letting the start through; empty where the policy accepts their lack."""
    sign_off, undertakings = state.policy.sign_off, state.undertakings
    if undertakings is None or Certification.STAKEHOLDERS in sign_off.accepted_not_evidenced:
        return ()
    told = {one.item: one.at for one in state.told}
    if missing := [item for item in undertakings.communication.before if item not in told]:
        return (
            f"nobody took these notices of T-24h: {', '.join(missing)}. A worker sends them to the webhook; a person "
            f"who told people says so with `signoff done {state.id} ITEM`",
        )
    last = max(told[item] for item in undertakings.communication.before)
    free = last + timedelta(hours=sign_off.notice_hours)
    if now >= free:
        return ()
    return (
        f"people were told at {last:%Y-%m-%d %H:%M} UTC, and have {sign_off.notice_hours:g} h: start at "
        f"{free:%Y-%m-%d %H:%M} UTC or later",
    )


def mark_done(state: Deployment, item: str, person: str, note: str) -> tuple[AnyEvent, ...]:
    """A person says that they did what section 9 announces; once for each item and person."""
    if state.undertakings is None:
        raise GuardError("item", f"{state.id} was adopted, and announces nothing.")
    declared = state.undertakings.communication
    known = (
        *declared.before,
        *declared.at_deployment,
        *declared.after,
        *declared.documents,
        *declared.training,
    )
    if item not in known:
        raise GuardError("item", f"expected an item of section 9, found {item!r}; there are: {'; '.join(known)}.")
    if known.count(item) > 1:
        raise GuardError("item", f"{item!r} names {known.count(item)} items of section 9; give each a name of its own.")
    return (e.ItemDone(item=item, person=person, note=note),)


def advance(
    state: Deployment,
    package: Package,
    latch: KillSwitchState | None,
    now: datetime,
    *,
    first: Deployment | None = None,
) -> tuple[AnyEvent, ...]:
    """From shadow to limited, from limited to full, when every condition holds.

    After a kill the champion re-enters at shadow too, so that a model may have two candidates; `first` is the older
    one, which the flags show and which goes first.
    """
    if state.state not in CANDIDATE:
        raise GuardError("state", f"the release is {state.state.value}; only shadow and limited advance.")
    if first is not None and first.id != state.id:
        raise GuardError(
            "one_candidate", f"{first.id} is {first.state.value}; it goes first. Advance it, or roll it back."
        )
    if not state.was_adopted:
        _unchanged(state, package)
    _free_to_trade(state, latch, now, Phase.LIMITED if state.state is State.SHADOW else Phase.FULL)
    if state.state is State.SHADOW:
        _certified(state, Phase.LIMITED)
    if state.pause_reasons:
        reasons = ", ".join(state.pause_reasons)
        raise GuardError("paused", f"paused for: {reasons}; `signoff rollout resume {state.id}` when resolved.")
    phases = state.policy.phases
    needed = phases.shadow_days if state.state is State.SHADOW else phases.limited_days
    if state.phase_days < needed:
        raise GuardError(
            "phase_clock", f"{state.phase_days} of {needed} {phases.days.value} of {state.state.value} done."
        )
    if state.unmet:
        raise GuardError("conditions", "not every condition holds: " + "; ".join(state.unmet) + ".")
    if state.state is State.SHADOW:
        return (
            e.PhaseEntered(
                phase=Phase.LIMITED, allocation_pct=phases.limited_allocation_pct, reason="shadow conditions all hold"
            ),
        )
    return (e.PhaseEntered(phase=Phase.FULL, allocation_pct=100, reason="limited conditions all hold"),)


def pause(state: Deployment, reason: PauseReason, note: str) -> tuple[AnyEvent, ...]:
    """Stop the phase clock; the flags stay as they are."""
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; only a live one can be paused.")
    if reason is PauseReason.SILENCE:
        raise GuardError("reason", "a pause for silence comes with a cut of capital alone; pause for manual instead.")
    return () if reason in state.pause_reasons else (e.Paused(reason=reason, note=note),)


def resume(
    state: Deployment, reason: PauseReason, note: str, latch: KillSwitchState | None = None
) -> tuple[AnyEvent, ...]:
    """Take one reason for the pause away; of silence, once the model is heard again, which restores its capital."""
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; only a live one can be resumed.")
    if reason not in state.pause_reasons:
        found = ", ".join(state.pause_reasons) or "none"
        raise GuardError("paused", f"not paused for {reason.value}; pause reasons are: {found}.")
    if reason is PauseReason.SILENCE:
        _heard_again(state, latch)
    return (e.Resumed(reason=reason, note=note),)


def _heard_again(state: Deployment, latch: KillSwitchState | None) -> None:
    if latch is not None and latch.is_latched:
        raise GuardError("kill_latch", f"{state.model} was killed ({latch.reason}); re-arm it first, with two people.")
    if not state.is_heard:
        raise GuardError(
            "silence",
            f"expected a conclusive last session, found {in_sessions(state.silent_sessions)} without conclusive data "
            f"up to {state.last_session}: {'; '.join(state.concerns) or 'no session was judged'}. Mend the feed, let "
            f"the sessions be observed (`signoff observe {state.id} --session DATE`), then resume.",
        )
    if state.last_judged != state.last_session:
        raise GuardError(
            "silence",
            f"expected the last observed session, {state.last_session}, to be conclusive, found it declared as not "
            f"held; the last conclusive one is {state.last_judged}. Resume after the next session that is heard.",
        )


AUTOMATIC: Final = (PauseReason.INCONCLUSIVE, PauseReason.NO_DATA)


def record_day(state: Deployment, observed: e.Observed) -> tuple[AnyEvent, ...]:
    """A day of monitoring; inconclusive days pause the clock until a conclusive one follows, and then cut capital.

    A day is recorded once. One that was looked at before its data came is recorded again when they make it conclusive,
    or when a trigger holds; one that was declared as not held, as soon as it has data.
    """
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; only a live one is observed.")
    observed = replace(observed, concerns=concerns_of(observed))
    if observed.session in state.not_held and not observed.counts:
        raise GuardError(
            "not_held", f"session {observed.session} was declared as not held, and no data tell otherwise."
        )
    if is_late := state.last_session is not None and observed.session <= state.last_session:
        _better_informed(state, observed)
    seen = foreseen(state, observed)
    if not observed.is_conclusive:
        reason = PauseReason.INCONCLUSIVE if observed.counts else PauseReason.NO_DATA
        is_paused = is_late or reason in state.pause_reasons
        paused = () if is_paused else (e.Paused(reason=reason, note="; ".join(observed.unmet)),)
        return (*paused, observed, *(() if is_late else cut_by(seen)))
    note = "a conclusive day followed"
    ended = AUTOMATIC if seen.is_heard else ()
    return (*(e.Resumed(reason=r, note=note) for r in ended if r in state.pause_reasons), observed)


def _better_informed(state: Deployment, observed: e.Observed) -> None:
    """Refuse a second look at a session that was judged, or that still shows nothing to act on."""
    day = observed.session
    if day not in state.unjudged and day not in state.not_held:
        raise GuardError("session", f"session {day} was observed already; last is {state.last_session}.")
    was_held = day in state.not_held and observed.counts  # data tell otherwise, whatever they are worth
    if not observed.is_heard and not observed.fired and not was_held:
        found = "; ".join(observed.concerns or ())
        raise GuardError("session", f"session {day} was looked at already and is still inconclusive: {found}.")


def declare_not_held(
    state: Deployment, session: date, reason: str, *, has_data: bool, today: date
) -> tuple[AnyEvent, ...]:
    """One person says that the venue did not hold a session; data that come all the same are judged."""
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; sessions are declared for a live one alone.")
    if not reason.strip():
        raise GuardError("reason", "a session that was not held needs a reason; it is kept on record.")
    if session > today:
        raise GuardError("session", f"expected a session up to {today}, found {session}; declare it once it is over.")
    if session < (since := state.live_since or state.opened_at.date()):
        raise GuardError("session", f"expected a session since {since}, when the release went live, found {session}.")
    if has_data:
        raise GuardError("session", f"data were journaled for {session}, so it was held. Observe it instead.")
    if session in state.not_held:
        return ()
    last = state.last_session
    if last is not None and session <= last and session not in state.unjudged:
        found = ", ".join(map(str, state.unjudged)) or "none"
        raise GuardError(
            "session", f"{session} is no session without conclusive data up to {last}; those are: {found}."
        )
    return (e.SessionNotHeld(session=session, reason=reason),)


def begin_rollback(
    state: Deployment, occasion: Occasion, trigger: str, reason: str, now: datetime
) -> tuple[AnyEvent, ...]:
    """Start the way back. No pause, condition or approval can refuse it; asking twice changes nothing."""
    if state.state in {State.ROLLING_BACK, State.ROLLBACK_STUCK, State.ROLLED_BACK}:
        return ()
    if state.state not in REVERSIBLE:
        raise GuardError("state", f"the release is {state.state.value}; there is nothing to roll back.")
    budget = state.policy.rollback
    deadlines = (
        Deadline(name="immediate", due=now + timedelta(minutes=budget.immediate_minutes)),
        Deadline(name="revert", due=now + timedelta(minutes=budget.revert_minutes)),
        Deadline(name="review", due=now + timedelta(minutes=budget.review_minutes)),
        Deadline(name="post_mortem", due=now + timedelta(hours=budget.post_mortem_hours)),
    )
    return (
        e.RollbackStarted(
            occasion=occasion, trigger=trigger, reason=reason, from_phase=state.phase, deadlines=deadlines
        ),
    )


DEADLINE_OF = {
    Step.FENCE: "immediate",
    Step.CANCEL: "immediate",
    Step.VERIFY_FLAT: "immediate",
    Step.REVERT: "revert",
    Step.VERIFY_REVERT: "revert",
    Step.REVIEW: "review",
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
    """A step is done; a deadline that has passed is recorded as breached, and the last step ends the rollback."""
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
    """A person vouches for a flat model, which does the step that no venue could do; once, however often asked."""
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
    said = e.FlatAttested(person=person, reason=reason, venue=venue)
    seconds = max(0.0, (now - began).total_seconds())
    detail = f"attested flat by {person}: {reason}"
    return (said, *finish_step(state, Step.VERIFY_FLAT, seconds, detail, None, now, venue))


def overdue(state: Deployment, now: datetime) -> tuple[e.DeadlineBreached, ...]:
    """The deadlines of a rollback that have passed, are not met and are not on record as breached yet.

    They are absolute times that were set when the rollback started, so that a restart resets none of them.
    """
    rollback = state.rollback
    if rollback is None:
        return ()
    open_steps = set(Step) - {step for step, _ in rollback.done}
    waiting = {DEADLINE_OF[step] for step in open_steps} | (
        {"post_mortem"} if rollback.post_mortem_at is None else set()
    )
    return tuple(
        e.DeadlineBreached(name=d.name, due=d.due)
        for d in rollback.deadlines
        if d.due < now and d.name in waiting and d.name not in rollback.breached
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A call for people over a rollback that is stuck; `number` counts from 1, the first repetition."""

    number: int
    minutes: float
    is_escalated: bool


def page_due(state: Deployment, now: datetime) -> Page | None:
    """The repetition of the call that is due by now; the first call went out with the event itself."""
    if state.state is not State.ROLLBACK_STUCK or state.rollback is None or state.rollback.stuck_since is None:
        return None
    minutes = (now - state.rollback.stuck_since) / timedelta(minutes=1)
    number = int(minutes // state.policy.rollback.page_every_minutes)
    if number < 1:
        return None
    return Page(number=number, minutes=minutes, is_escalated=minutes >= state.policy.rollback.escalate_after_minutes)


def hold_post_mortem(state: Deployment, notes: str, root_cause: str = "") -> tuple[AnyEvent, ...]:
    """Put the post-mortem of a rollback on record. The root cause is a statement; the trigger's name is none."""
    _in_state(state, State.ROLLED_BACK, action="hold a post-mortem")
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


def _in_state(state: Deployment, expected: State, *, action: str) -> None:
    if state.state is not expected:
        message = f"cannot {action}: the release is {state.state.value}, expected {expected.value}."
        raise GuardError("state", message)


def _rehearsed(state: Deployment, rehearsal: Rehearsal | None, now: datetime) -> None:
    if found := rehearsal_objections(state, rehearsal, now):
        raise GuardError(
            "rehearsal",
            f"no rollback rehearsal stands for this release: {'; '.join(found)}. Run `signoff rehearse {state.model}`, "
            "then submit again.",
        )


def _unchanged(state: Deployment, package: Package) -> None:
    if package.changed or package.manifest != state.manifest:
        refuse_changed(package)


def _may_sign(
    state: Deployment, signature: Signature, *, earlier: tuple[Signature, ...], roles: tuple[Role, ...]
) -> None:
    if signature.role not in roles:
        raise GuardError("role", f"role {signature.role.value} is not among {', '.join(r.value for r in roles)}.")
    if (weak := too_weak(state.policy, signature)) is not None:
        raise GuardError("tier", weak)
    if (against := objection((signature.person,), state.barred, state.grounds)) is not None:
        raise GuardError("independence", f"{signature.person} {against}, and may not sign for this release.")
    if (twice := next((s.person for s in earlier if are_alike((s.person,), (signature.person,))), None)) is not None:
        alike = "" if twice == signature.person else f", whose name looks like {signature.person},"
        raise GuardError("person_twice", f"{twice}{alike} has signed already; a person counts once over all roles.")
    if any(s.role is signature.role for s in earlier):
        raise GuardError("role_twice", f"role {signature.role.value} has signed already.")


def too_weak(policy: Policy, signature: Signature) -> str | None:
    """Why a signature does not count for the way in which it was made; None when it does."""
    needed = policy.approvals.tier_for(signature.role)
    if signature.tier.reaches(needed):
        return None
    return (
        f"the policy takes signatures of tier {needed.value} in the role {signature.role.value}, and this one is of "
        f"tier {signature.tier.value}. Sign in the browser with an enrolled authenticator (/credentials enrols one)."
    )


def _expired(state: Deployment, now: datetime) -> str | None:
    assert state.manifest is not None
    return next((s.person for s in state.approvals if not approval_is_valid(s, state.manifest, now)), None)


def _free_to_trade(state: Deployment, latch: KillSwitchState | None, now: datetime, phase: Phase) -> None:
    if latch is not None and latch.is_latched:
        raise GuardError("kill_latch", f"{state.model} was killed ({latch.reason}); re-arm it first, with two people.")
    if state.missing_roles and not state.was_adopted:
        raise GuardError("approvals", f"not signed by: {', '.join(r.value for r in state.missing_roles)}.")
    if state.phase is None and (stale := _expired(state, now)):
        raise GuardError("expiry", f"the approval of {stale} has expired; submit again.")
    if state.phase is None and not state.is_free_at(now):
        raise GuardError("expiry", f"an override of {', '.join(state.blocking)} has expired; submit again.")
    if unmet := state.conditions_before(phase):
        found = "; ".join(f"{c.role.value}: {c.text}" for c in unmet)
        raise GuardError("approval_conditions", f"conditions not met yet, which {phase.value} waits for: {found}.")


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "nothing yet"
