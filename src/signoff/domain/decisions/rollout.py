"""The phases: start, advance, pause and resume."""

from datetime import datetime

from signoff.domain import events as e
from signoff.domain.decisions.guards import Package, expired, in_state, unchanged
from signoff.domain.decisions.notices import notice_objections
from signoff.domain.deployment import CANDIDATE, LIVE, Deployment, State
from signoff.domain.errors import GuardError
from signoff.domain.events import AnyEvent, PauseReason, Phase
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import CertifiedSentence
from signoff.domain.profiles import Pinned
from signoff.domain.silence import in_sessions


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
    """Enter shadow: approved, unchanged, unexpired, on its day, conditions cleared, certified, announced, not killed.

    `deployer` is the signature of the person who starts it, `unrehearsed` what the last rehearsal lacks, `reference`
    the drift reference from here on.
    """
    in_state(state, State.APPROVED, action="start")
    if package.changed or package.manifest != state.manifest:
        return (e.ApprovalsVoided(changed=package.changed or ("manifest.json",)),)
    _free_to_trade(state, latch, now, Phase.SHADOW)
    _on_its_day(state, now)
    if unrehearsed:
        raise GuardError(
            "rehearsal",
            f"no rollback rehearsal counts for this release: {'; '.join(unrehearsed)}. Run `signoff rehearse "
            f"{state.model}`, then start again.",
        )
    _certified(state, Phase.SHADOW)
    if untold := notice_objections(state, now):
        raise GuardError("notices", f"{'; '.join(untold)} (policy, sign_off.notice_hours).")
    if deployer is None and state.policy.sign_off.deployer_signs:
        raise GuardError(
            "deployer",
            "whoever starts a rollout signs section 12; that signature is missing (policy, sign_off.deployer_signs). "
            "Start it as an enrolled person with a key: `signoff rollout start ID --as NAME`, or with --key FILE.",
        )
    signed = () if deployer is None else (deployer,)
    why = "approved by every required role"
    return (*signed, e.PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason=why, reference=reference))


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
        unchanged(state, package)
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
    """Remove one reason for the pause; silence only once data are conclusive again, which restores the capital."""
    if state.state not in LIVE:
        raise GuardError("state", f"the release is {state.state.value}; only a live one can be resumed.")
    if reason not in state.pause_reasons:
        reasons = ", ".join(state.pause_reasons) or "none"
        raise GuardError("paused", f"not paused for {reason.value}; pause reasons are: {reasons}.")
    if reason is PauseReason.SILENCE:
        _heard_again(state, latch)
    return (e.Resumed(reason=reason, note=note),)


def _on_its_day(state: Deployment, now: datetime) -> None:
    day = state.deployment_date
    if day is not None and now.date() < day:
        raise GuardError(
            "deployment_date",
            f"the deployment date is {day} (header.deployment_date), and it is {now:%Y-%m-%d %H:%M} UTC. Start it on "
            "that day, or submit the release with another date.",
        )


def _certified(state: Deployment, phase: Phase) -> None:
    """Refuse a phase whose certification of section 12 lacks evidence, unless the policy accepts that.

    Gates, rehearsal and notices have guards of their own, which check the present state. A release of an older Signoff
    has no certifications on record, and the rules of its approval apply.
    """
    accepted = state.policy.sign_off.accepted_not_evidenced
    own = {CertifiedSentence.GATES, CertifiedSentence.ROLLBACK, CertifiedSentence.STAKEHOLDERS}
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


def _free_to_trade(state: Deployment, latch: KillSwitchState | None, now: datetime, phase: Phase) -> None:
    if latch is not None and latch.is_latched:
        raise GuardError("kill_latch", f"{state.model} was killed ({latch.reason}); re-arm it first, with two people.")
    if state.missing_roles and not state.was_adopted:
        raise GuardError("approvals", f"not signed by: {', '.join(r.value for r in state.missing_roles)}.")
    if state.phase is None and (stale := expired(state, now)):
        raise GuardError("expiry", f"the approval of {stale} has expired; submit again.")
    if state.phase is None and not state.is_free_at(now):
        raise GuardError("expiry", f"an override of {', '.join(state.blocking)} has expired; submit again.")
    if unmet := state.conditions_before(phase):
        texts = "; ".join(f"{c.role.value}: {c.text}" for c in unmet)
        raise GuardError("approval_conditions", f"conditions not met yet, which {phase.value} waits for: {texts}.")
