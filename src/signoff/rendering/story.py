"""Each event of the ledger as one sentence, in the desk's words."""

import json
from typing import assert_never

from signoff.domain import events as e
from signoff.domain.artifacts import Pin
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Unit, number
from signoff.domain.rollback_drill import budget_in_words
from signoff.domain.venue import NO_VENUE, VenueKind

AccountEvent = (
    e.DutiesGranted
    | e.DutiesWithdrawn
    | e.SubjectBound
    | e.SubjectUnbound
    | e.TokenIssued
    | e.TokenRevoked
    | e.EnrolmentProposed
    | e.EnrolmentConfirmed
    | e.EnrolmentDeclined
    | e.BootstrapIssued
    | e.BootstrapUsed
)


def sentence(event: e.AnyEvent) -> str:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one visible table, a line an event
    """What happened, for people who were not there."""
    match event:
        case e.Opened():
            before = f", to replace v{event.previous_version}" if event.previous_version else ""
            return f"opened {event.model} v{event.version} ({event.deployment_type}){before}"
        case e.Adopted():
            signers = " and ".join(f"{s.person}{_key(s)}" for s in event.signatures)
            live = f"{event.model} v{event.version} as it was live, never validated here"
            return f"adopted {live}; signed by {signers}; {_bound(event.bound, event.unbound)}"
        case e.Validated():
            passed = sum(r.outcome == Outcome.PASS for r in event.results)
            blocked = [r.key for r in event.results if r.is_blocking and r.outcome != Outcome.PASS]
            blocks = f", blocked by {', '.join(blocked)}" if blocked else ""
            bound = _bound(event.bound, event.unbound)
            return f"ran {len(event.results)} gates: {passed} passed{blocks}; {bound}"
        case e.RegisteredAgain():
            return (
                f"ALARM: v{event.version} was registered again as number {event.number}; number "
                f"{event.approved_number} is the one that this release is bound to"
            )
        case e.FilesChanged():
            return f"ALARM: the files of v{event.version} changed in the registry after approval: {event.found}"
        case e.OverrideSigned():
            return f"overrode the gates as {event.signature.role}{_key(event.signature)}: {event.signature.reason}"
        case e.ApprovalRequested():
            return f"asked for signatures over manifest {event.manifest[:12]}…"
        case e.ApprovalSigned():
            conditions = "; ".join(event.signature.conditions)
            return f"approved as {event.signature.role}{_key(event.signature)}" + (
                f", on condition: {conditions}" if conditions else ""
            )
        case e.ApprovalRejected():
            return f"rejected as {event.signature.role}{_key(event.signature)}: {event.signature.reason}"
        case e.Approved():
            return "every required role has signed"
        case e.ApprovalsVoided():
            return f"every approval is void, bytes changed: {', '.join(event.changed)}"
        case e.ConditionMet():
            return f"condition met ({event.role}): {event.condition}"
        case e.MemoIssued():
            return f"issued the {event.edition} memo, manifest {event.manifest[:12]}…"
        case e.DeployerSigned():
            made = e.key_mark(event.key_made_by, event.key_replaced)
            return f"signed section 12 as the one who starts the rollout, manifest {event.manifest[:12]}…{made}"
        case e.ItemDone():
            return f"says it is done: {event.item}" + (f" ({event.note})" if event.note else "")
        case e.PhaseEntered():
            return f"entered {event.phase} at {event.allocation_pct}%" + (f": {event.reason}" if event.reason else "")
        case e.Observed():
            return _observed(event)
        case e.CapitalCut():
            return event.reason
        case e.SessionNotHeld():
            return f"declared that the session {event.session} was not held: {event.reason}"
        case e.Paused():
            return f"paused ({event.reason})" + (f": {event.note}" if event.note else "")
        case e.Resumed():
            return f"resumed ({event.reason})" + (f": {event.note}" if event.note else "")
        case e.RollbackStarted():
            return f"began the rollback, trigger {event.trigger} ({event.occasion})"
        case e.StepDone():
            return f"rollback step {event.step} done in {number(event.seconds, Unit.SECONDS, 3)} s: {event.detail}"
        case e.FlatAttested():
            return f"attested that the model is flat, on the word of {event.person} alone: {event.reason}"
        case e.RollbackStuck():
            return f"ROLLBACK STUCK at {event.step}: {event.detail}"
        case e.RolledBack():
            return f"rolled back to v{event.restored_version}" if event.restored_version else "rolled back"
        case e.DeadlineBreached():
            return f"deadline {event.name} was missed, it was due {event.due:%Y-%m-%d %H:%M}Z"
        case e.Superseded():
            return f"superseded by {event.by_deployment}"
        case e.Reinstated():
            return f"reinstated after {event.after_deployment} was rolled back"
        case e.Rehearsed():
            return _rehearsed(event)
        case e.NoticeSent():
            return f"notice {event.notice!r}: {event.words}"
        case e.Reviewed():
            return f"reviewed: {event.ended or ('every target met' if event.targets_met else 'targets not met')}"
        case e.Killed():
            return f"KILLED {event.model}: {event.reason}"
        case e.RearmSigned():
            return f"signed for re-arming as {event.signature.role}{_key(event.signature)}"
        case e.Rearmed():
            return f"re-armed by {' and '.join(event.persons)}"
        case e.PersonEnrolled():
            return f"enrolled {event.name} as {', '.join(event.roles) or 'nobody who approves'}{_made(event)}"
        case e.CredentialEnrolled():
            return f"enrolled the authenticator {event.credential.label!r} of {event.name}"
        case e.CredentialWithdrawn():
            return f"withdrew an authenticator of {event.name}: {event.reason}"
        case e.PolicyProposed():
            return f"proposed the policy {_policy_name(event.content)} as version {event.number}{_key(event.signature)}"
        case e.PolicyConfirmed():
            return f"confirmed the policy proposal {event.proposal}{_key(event.signature)}"
        case e.PolicyDeclined():
            return f"declined the policy proposal {event.proposal}"
        case e.PostMortemHeld():
            cause = f"; root cause: {event.root_cause}" if event.root_cause else "; the root cause stays open"
            return f"held the post-mortem: {event.notes}{cause}"
        case _:
            return _of_people(event)


def _of_people(event: AccountEvent) -> str:  # noqa: C901, PLR0911 - one visible table
    match event:
        case e.DutiesGranted():
            return f"granted {event.name} the duties {', '.join(event.duties)}"
        case e.DutiesWithdrawn():
            return f"withdrew from {event.name}: {', '.join((*event.duties, *event.roles))}"
        case e.SubjectBound():
            return f"bound {event.subject} at {event.issuer} to {event.name}"
        case e.SubjectUnbound():
            return f"unbound {event.subject} at {event.issuer}"
        case e.TokenIssued():
            return f"issued token {event.token} to {event.person}, until {event.expires_at:%Y-%m-%d}"
        case e.TokenRevoked():
            return f"revoked token {event.token}"
        case e.EnrolmentProposed():
            return f"proposed for {event.change.name}: {event.change.kind.replace('_', ' ')}"
        case e.EnrolmentConfirmed():
            return f"confirmed proposal {event.proposal}"
        case e.EnrolmentDeclined():
            return f"declined proposal {event.proposal}"
        case e.BootstrapIssued():
            return f"let {event.name} sign in once as the first administrator"
        case e.BootstrapUsed():
            return f"{event.name} signed in as the first administrator"
        case _:
            assert_never(event)


def _key(signature: e.Signature) -> str:
    return e.key_mark(signature.key_made_by, signature.key_replaced)


def _made(event: e.PersonEnrolled) -> str:
    made = f"; their private key was made by {event.key_made_by}" if event.key_made_by else ""
    return f"{made}; key replaced {event.key_replaced}" if event.key_replaced else made


def _rehearsed(event: e.Rehearsed) -> str:
    failed = f"; {event.failed} failed: {event.failed_because}" if event.failed is not None else ""
    if event.venue is VenueKind.NONE:
        return f"rehearsed the rollback: {budget_in_words(event)}; {NO_VENUE}{failed}"
    seconds = number(sum(seconds for _, seconds in event.seconds), Unit.SECONDS, 2)
    return f"rehearsed the rollback in {seconds} s{event.venue.place}, {budget_in_words(event)}{failed}"


def _policy_name(content: str) -> str:
    said = json.loads(content)
    return f"{said['name']} {said['version']}"


def _observed(event: e.Observed) -> str:
    if event.fired:
        return f"observed {event.session}: TRIGGER {', '.join(event.fired)}"
    if event.unmet:
        return f"observed {event.session}: holds back: {event.unmet[0]}" + (
            f" (+{len(event.unmet) - 1} more)" if len(event.unmet) > 1 else ""
        )
    return f"observed {event.session}: every condition holds"


def _bound(pin: Pin | None, unbound: str) -> str:
    """Which registered version a release is bound to."""
    return f"artefacts not bound: {unbound}" if pin is None else f"bound to {pin.words}"
