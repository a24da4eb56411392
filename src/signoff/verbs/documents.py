"""What is answered to people and programs: plain documents, the same on the command line and over HTTP."""

import json
from collections.abc import Iterable

from signoff.app.assess import Release
from signoff.app.credentials import Waiting
from signoff.app.kill import Stopped
from signoff.domain.assessment import MetricRow
from signoff.domain.deployment import Deployment
from signoff.domain.events import (
    Credential,
    DutiesGranted,
    Observed,
    PersonEnrolled,
    Reading,
    Recorded,
    Rehearsed,
    Reviewed,
    Signature,
    SubjectBound,
)
from signoff.domain.finding import Finding
from signoff.domain.flags import Flags, off
from signoff.domain.latch import Latch
from signoff.domain.people import People, Proposal, Token
from signoff.ledger.codec import encode_state
from signoff.ledger.text import encoded
from signoff.rendering.story import sentence

Document = dict[str, object]


def deployment_document(state: Deployment) -> Document:
    """One release as it stands."""
    return {
        "deployment": state.id,
        "model": state.model,
        "version": state.version,
        "previous_version": state.previous_version,
        "type": state.deployment_type.value,
        "state": state.state.value,
        "revision": state.revision,
        "phase_days": state.phase_days,
        "allocation_pct": state.allocation_pct,
        "waits_for": waits_for(state),
        "manifest": state.manifest,
        "blocking": list(state.blocking),
        "is_free": not state.blocking or state.is_overridden,
        "missing_roles": [role.value for role in state.missing_roles],
        "approvals": [_signature(s) for s in state.approvals],
        "overrides": [_signature(s) for s in state.overrides],
        "rejected_by": state.rejection.person if state.rejection else None,
        "open_conditions": [{"role": c.role.value, "condition": c.text} for c in state.open_conditions],
        "pause_reasons": [reason.value for reason in state.pause_reasons],
        "unmet": list(state.unmet),
        "fired": list(state.fired),
        "may_not_sign": [
            {"name": g.name, "because": g.because.value, "source": g.source, "is_enrolled": g.is_enrolled}
            for g in state.grounds
        ],
        "unread": list(state.unread),
        "editions": [edition for edition, _ in state.editions],
        "opened_at": state.opened_at.isoformat(),
    }


def waits_for(state: Deployment) -> str:
    """What would move a release on, in a few words."""
    match state.state.value:
        case "validated":
            return f"override of {', '.join(state.blocking)}"
        case "awaiting_approval":
            return ", ".join(role.value for role in state.missing_roles)
        case "approved":
            return "; ".join(c.text for c in state.open_conditions) or "start"
        case "shadow" | "limited":
            return "; ".join(state.unmet) or "advance"
        case _:
            return ""


def flags_document(flags: Flags) -> Document:
    """The flags of one model."""
    return {
        "model": flags.model,
        "flags": dict(flags.as_keys()),
        "state": flags.state,
        "version": flags.version,
        "candidate": flags.candidate,
        "revision": flags.revision,
        "epoch": flags.epoch,
    }


def event_document(recorded: Recorded) -> Document:
    """One event, with the sentence that tells it."""
    return {
        "at": recorded.at.isoformat(),
        "actor": recorded.actor,
        "stream": recorded.stream,
        "revision": recorded.revision,
        "kind": recorded.event.kind,
        "what": sentence(recorded.event),
    }


def observed_document(state: Deployment, observed: Observed) -> Document:
    """One session of monitoring."""
    return {
        "deployment": state.id,
        "session": observed.session.isoformat(),
        "state": state.state.value,
        "fired": list(observed.fired),
        "unmet": list(observed.unmet),
        "readings": _readings(observed.readings),
    }


def reviewed_document(identity: str, reviewed: Reviewed) -> Document:
    """The 30-day review."""
    return {
        "deployment": identity,
        "targets_met": reviewed.targets_met,
        "notes": reviewed.notes,
        "readings": _readings(reviewed.readings),
    }


def rehearsed_document(model: str, rehearsed: Rehearsed) -> Document:
    """A rehearsed rollback, step by step."""
    return {
        "model": model,
        "within_budget": rehearsed.within_budget,
        "residual_orders": rehearsed.residual_orders,
        "seconds": {step.value: seconds for step, seconds in rehearsed.seconds},
        "restored_version": rehearsed.restored_version,
        "events_acknowledged": rehearsed.events_acknowledged,
        "events_lost": rehearsed.events_lost,
    }


def stopped_document(stopped: Stopped) -> Document:
    """A kill: what is in force now, and what is still to be written down or closed."""
    model = stopped.kill.model
    return {
        "model": model,
        "kill": stopped.kill.id,
        "flags": dict(off(model).as_keys()),
        "journaled": stopped.is_journaled,
        "recorded": stopped.is_recorded,
        "open_orders": stopped.open_orders,
    }


def latch_document(latch: Latch) -> Document:
    """The kill latch of a model."""
    return {
        "model": latch.model,
        "latched": latch.is_latched,
        "epoch": latch.epoch,
        "reason": latch.reason,
        "killed_by": latch.killed_by,
        "signed": [s.person for s in latch.rearm_signatures],
    }


def assessment_document(release: Release) -> Document:
    """What `check` and `memo` found: every metric, every gate and every figure."""
    assessment, dossier = release.assessment, release.inputs.dossier
    return {
        "model": dossier.model,
        "version": dossier.version,
        "package": release.package.digest,
        "backtest": [assessment.period[0].isoformat(), assessment.period[1].isoformat()],
        "passed": not assessment.blocking,
        "blocking": [finding.key for finding in assessment.blocking],
        "point_in_time": assessment.pit.status.value,
        "point_in_time_reason": assessment.pit.reason,
        "metrics": [metric_document(row) for row in assessment.metrics],
        "gates": [gate_document(finding) for finding in assessment.findings],
        "figures": {q.name: q.value for q in release.figures},
    }


def metric_document(row: MetricRow) -> Document:
    """One metric, new against old against target, as numbers and as people read them."""
    return {
        "key": row.key,
        "title": row.title,
        "new": row.new.value,
        "old": row.old.value,
        "change": row.change,
        "target": row.target.value,
        "status": row.status.value,
        "new_text": row.new.text,
        "old_text": row.old.text,
        "target_text": f"{row.target_sign} {row.target.text}",
    }


def gate_document(finding: Finding) -> Document:
    """One gate's finding, as numbers and as people read them."""
    return {
        "key": finding.key,
        "title": finding.title,
        "outcome": finding.outcome.value,
        "status": finding.word,
        "statistic": finding.statistic.value,
        "comparison": finding.comparison.value,
        "threshold": finding.threshold.value,
        "statistic_text": finding.statistic.text,
        "threshold_text": finding.threshold.text,
        "blocking": finding.is_blocking,
        "near_miss": finding.is_near_miss,
        "n": finding.n,
        "method": finding.method,
        "reason": finding.reason,
        "turning_point": finding.turning_point,
    }


def people_document(people: People) -> Document:
    """Who may sign, who may do what, and whom the identity provider knows."""
    bound = {subject.name for subject in people.subjects}
    return {
        "people": [
            {
                "name": p.name,
                "roles": [r.value for r in p.roles],
                "duties": sorted(duty.value for duty in p.duties),
                "key_id": p.key_id,
                "logins": list(p.logins),
                "is_bound": p.name in bound,
            }
            for p in people.by_name.values()
        ]
    }


def proposal_document(proposal: Proposal) -> Document:
    """A change that waits for a second person."""
    return {
        "proposal": proposal.id,
        "says": proposed(proposal.change),
        "change": json.loads(encode_state(proposal.change)),
        "proposed_by": proposal.proposed_by,
        "expires_at": proposal.expires_at.isoformat(),
    }


def proposed(change: PersonEnrolled | DutiesGranted | SubjectBound) -> str:
    """A proposed change in plain words."""
    match change:
        case PersonEnrolled():
            roles = ", ".join(role.value for role in change.roles)
            known_as = f", known as {', '.join(change.logins)}" if change.logins else ""
            return f"enrol {change.name} as {roles} with the key {change.key_id[:16]}…{known_as}"
        case DutiesGranted():
            return f"let {change.name} act as {', '.join(duty.value for duty in change.duties)}"
        case SubjectBound():
            return f"let {change.subject} at {change.issuer} come in as {change.name}"


def credential_document(credential: Credential) -> Document:
    """An authenticator's credential, as its person tells it from others."""
    return {
        "id": credential.id,
        "label": credential.label,
        "key_id": credential.key_id,
        "algorithm": credential.algorithm,
        "is_backed_up": credential.is_backed_up,
        "attestation": credential.attestation,
        "rp_id": credential.rp_id,
        "origin": credential.origin,
    }


def credentials_document(name: str, held: Iterable[Credential], waiting: Waiting | None) -> Document:
    """A person's authenticators, and the one that waits for their word with what they would sign."""
    said = None if waiting is None else credential_document(waiting.credential)
    if waiting is not None and said is not None:
        said |= {"statement": encoded(waiting.statement)}
    return {"name": name, "credentials": [credential_document(c) for c in held], "waiting": said}


def token_document(token: Token) -> Document:
    """A token without its secret."""
    return {
        "id": token.id,
        "for": token.person,
        "is_machine": token.is_machine,
        "scopes": sorted(scope.value for scope in token.scopes),
        "expires_at": token.expires_at.isoformat(),
    }


def _readings(readings: Iterable[Reading]) -> Document:
    return {r.key: {"value": r.value, "level": str(r.level), "detail": r.detail} for r in readings}


def _signature(signature: Signature) -> Document:
    return {
        "person": signature.person,
        "role": signature.role.value,
        "verdict": signature.verdict.value,
        "conditions": list(signature.conditions),
        "reason": signature.reason,
        "signed_at": signature.signed_at.isoformat(),
        "key_id": signature.key_id,
        "tier": signature.tier.value,
    }
