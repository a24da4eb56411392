"""The documents of releases, flags and histories: what a look at the record answers with.

They are apart from the others, so that a look need not import assessments and memos.
"""

from collections.abc import Mapping

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from signoff.domain.commitments import DeploymentType
from signoff.domain.deployment import Condition, Deployment, State, is_memo_owed
from signoff.domain.events import ActorProof, Phase, Recorded, Signature, Step, Vote
from signoff.domain.flags import Flags
from signoff.domain.policy import Role, Tier
from signoff.domain.silence import in_sessions
from signoff.domain.trading import Trading, trading
from signoff.domain.venue import NO_VENUE
from signoff.rendering.story import sentence
from signoff.verbs.policy_documents import FloorDocument, floor_document

# Any document, as printers take it.
Document = Mapping[str, object]
FlagValues = dict[str, bool | int]


class SignatureDocument(TypedDict):
    """One person's signed decision."""

    person: str
    role: Role
    verdict: Vote
    conditions: list[str]
    reason: str
    signed_at: str
    key_id: str
    tier: Tier
    key_made_by: str | None
    key_replaced: str | None


class ConditionDocument(TypedDict):
    """An open condition of an approval, and the phase that it blocks."""

    role: Role
    condition: str
    blocks: Phase


def condition_document(condition: Condition) -> ConditionDocument:
    """An open condition."""
    return {"role": condition.role, "condition": condition.text, "blocks": condition.phase}


class BarredDocument(TypedDict):
    """A person with a conflict of interest for a release, and the reason."""

    name: str
    because: str
    source: str
    is_enrolled: bool


class FileDocument(TypedDict):
    """A file of a registered version."""

    path: str
    size: int
    sha256: str


class ArtifactsDocument(TypedDict):
    """The registered version that a release is bound to: number, digest and files; `words` sum it up, or say why not.

    `registered_again` lists later registrations of the same version. `changed_files` lists files whose bytes under the
    approved number differ.
    """

    bound: bool
    words: str
    model: str | None
    number: int | None
    run_id: str | None
    digest: str | None
    files: list[FileDocument]
    registered_again: list[int]
    changed_files: list[str]


class DeploymentDocument(TypedDict):
    """The present state of one release."""

    deployment: str
    model: str
    version: str
    previous_version: str | None
    type: DeploymentType
    state: State
    revision: int
    phase_days: int
    standing: str
    allocation_pct: int
    waits_for: str
    manifest: str | None
    blocking: list[str]
    is_free: bool
    missing_roles: list[Role]
    approvals: list[SignatureDocument]
    overrides: list[SignatureDocument]
    rejected_by: str | None
    open_conditions: list[ConditionDocument]
    pause_reasons: list[str]
    unmet: list[str]
    fired: list[str]
    last_session: str | None
    silent_sessions: int
    not_held: list[str]
    concerns: list[str]
    capital_cut: str | None
    memo_owed: bool
    stuck_at: Step | None
    stuck_because: str | None
    may_not_sign: list[BarredDocument]
    unread: list[str]
    editions: list[str]
    deployment_date: str | None
    deployed_by: str | None
    opened_at: str
    policy: FloorDocument | None
    artifacts: ArtifactsDocument
    restored_digest: str | None


class ShareDocument(TypedDict):
    """The share of one version."""

    state: str
    enabled: bool
    allocation_pct: int
    shadow_mode: bool


class ReleaseDocument(DeploymentDocument):
    """The same with the flags of its version, the faults of its rehearsal, and the roles that nobody can sign in."""

    unrehearsed: list[str]
    cannot_sign: list[str]
    flags: FlagValues
    versions: dict[str, ShareDocument]
    flags_revision: int
    observing: bool


class RolledBackDocument(ReleaseDocument):
    """The same after a rollback, with the reason if its memo is still owed; a worker tries again."""

    memo_owed_because: str | None


class DeploymentsPage(TypedDict):
    """Releases by id, with the flags of their models; `next` is the `after` of the page that follows.

    `flags` are those of a model's only live version, and closed if several are live; `versions` has those of each.
    `registry` has the differences that a worker last found between the model registry and the ledger, by model.
    `killed` has every killed model, with who killed it and why, whether or not it has a release.
    """

    deployments: list[DeploymentDocument]
    flags: dict[str, FlagValues]
    versions: dict[str, dict[str, ShareDocument]]
    registry: dict[str, list[str]]
    killed: dict[str, str]
    next: str | None
    observing: bool


def deployment_document(state: Deployment, flags: Flags) -> DeploymentDocument:
    """The present state of one release, by the flags of its model."""
    now = trading(state, flags)
    return {
        "deployment": state.id,
        "model": state.model,
        "version": state.version,
        "previous_version": state.previous_version,
        "type": state.deployment_type,
        "state": state.state,
        "revision": state.revision,
        "phase_days": state.phase_days,
        "standing": now.word,
        "allocation_pct": now.share_pct,
        "waits_for": waits_for(state, now),
        "manifest": state.manifest,
        "blocking": list(state.blocking),
        "is_free": not state.blocking or state.is_overridden,
        "missing_roles": list(state.missing_roles),
        "approvals": [_signature(s) for s in state.approvals],
        "overrides": [_signature(s) for s in state.overrides],
        "rejected_by": state.rejection.person if state.rejection else None,
        "open_conditions": [condition_document(c) for c in state.open_conditions],
        "pause_reasons": [reason.value for reason in state.pause_reasons],
        "unmet": list(state.unmet),
        "fired": list(state.fired),
        "last_session": None if state.last_session is None else state.last_session.isoformat(),
        "silent_sessions": state.silent_sessions,
        "not_held": [day.isoformat() for day in state.not_held],
        "concerns": list(state.concerns),
        "capital_cut": state.cut if state.is_cut else None,
        "memo_owed": is_memo_owed(state),
        "stuck_at": None if state.rollback is None else state.rollback.stuck_at,
        "stuck_because": None if state.rollback is None else state.rollback.stuck_because or None,
        "may_not_sign": [
            {"name": g.name, "because": g.because.value, "source": g.source, "is_enrolled": g.is_enrolled}
            for g in state.grounds
        ],
        "unread": list(state.unread),
        "editions": [edition for edition, _ in state.editions],
        "deployment_date": None if state.deployment_date is None else state.deployment_date.isoformat(),
        "deployed_by": None if state.deployer is None else state.deployer.person,
        "opened_at": state.opened_at.isoformat(),
        "policy": None if state.floor is None else floor_document(state.floor),
        "artifacts": _artifacts(state),
        "restored_digest": None if state.rollback is None else state.rollback.restored_digest,
    }


def _artifacts(state: Deployment) -> ArtifactsDocument:
    pin = state.bound
    return {
        "bound": pin is not None,
        "words": f"artefacts not bound: {state.unbound}" if pin is None else pin.words,
        "model": None if pin is None else pin.model,
        "number": None if pin is None else pin.number,
        "run_id": None if pin is None else pin.run_id,
        "digest": None if pin is None else pin.digest,
        "files": [] if pin is None else [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in pin.files],
        "registered_again": list(state.registered_again),
        "changed_files": list(state.changed_files),
    }


def waits_for(state: Deployment, now: Trading) -> str:  # noqa: PLR0911 - one visible table
    """The next act that a release waits for; empty if it waits for nothing."""
    match now.word:
        case "killed":
            return f"two people to arm it again: signoff rearm {state.model}"
        case "off":
            return silence_of(state) if state.is_cut else "the rollback of another release"
        case "validating":
            return "its gates: submit it again"
        case "validated" if state.blocking and not state.is_overridden:
            return f"override of {', '.join(state.blocking)} by {overriders(state)}"
        case "validated":
            return f"a rollback rehearsal (signoff rehearse {state.model}), then submit it again"
        case "awaiting_approval":
            return ", ".join(role.value for role in state.missing_roles) or "submit it again"
        case "approved":
            return "; ".join(c.text for c in state.conditions_before(Phase.SHADOW)) or "start"
        case "shadow" | "limited" | "full":
            return _in_phase(state)
        case "rolling_back" | "rollback_stuck":
            return _way_back(state)
        case _:
            return ""


def _in_phase(state: Deployment) -> str:
    """What a live release waits for: data, a figure within its limit, or the next phase."""
    if state.is_cut or state.silent_sessions:
        return silence_of(state)
    if state.state is State.FULL:
        return "; ".join(state.concerns)
    return "; ".join(state.unmet) or "advance"


def overriders(state: Deployment) -> str:
    """The number of people who must still override blocked gates, and their roles."""
    asked, signed = state.policy.approvals, {signature.person for signature in state.overrides}
    more = f"{max(asked.override_persons - len(signed), 0)} {'more ' if signed else ''}"
    return f"{more}of {', '.join(asked.override_roles)}"


def silence_of(state: Deployment) -> str:
    """The length of a release's silence, the cut of its capital, and what it waits for."""
    silent = f"silent for {in_sessions(state.silent_sessions)}: {'; '.join(state.concerns)}"
    parts = [state.cut if state.is_cut else "", silent if state.silent_sessions else "a person's resume"]
    return "; ".join(part for part in parts if part)


def _way_back(state: Deployment) -> str:
    """The present step of a rollback, and how it continues."""
    again = f"signoff rollout rollback {state.id}"
    step = None if state.rollback is None else state.rollback.stuck_at or state.rollback.next_step
    at = "its last step" if step is None else f"its step {step.value}"
    if state.state is State.ROLLBACK_STUCK:
        because = "" if state.rollback is None else state.rollback.stuck_because
        if because.startswith(NO_VENUE):
            return because
        return f"{at} to be repaired by people{f' ({because})' if because else ''}, then: {again}"
    return f"{at}; the worker goes on, or: {again}"


class FlagsDocument(TypedDict):
    """The flags of one model: those of the requested or the only live version, and every version's share.

    `revision` and `epoch` are the earlier names of `flags_revision` and `kill_count`.
    """

    model: str
    flags: FlagValues
    state: str
    version: str | None
    candidate: str | None
    versions: dict[str, ShareDocument]
    flags_revision: int
    kill_count: int
    revision: int
    epoch: int
    reason: str


def shares_document(flags: Flags) -> dict[str, ShareDocument]:
    """The share of each version of a model."""
    return {
        share.version: {
            "state": share.state,
            "enabled": share.enabled,
            "allocation_pct": share.allocation_pct,
            "shadow_mode": share.shadow_mode,
        }
        for share in flags.versions
    }


def flags_document(flags: Flags) -> FlagsDocument:
    """The flags of one model, with its versions' shares."""
    return {
        "model": flags.model,
        "flags": dict(flags.as_keys()),
        "state": flags.state,
        "version": flags.version,
        "candidate": flags.candidate,
        "versions": shares_document(flags),
        "flags_revision": flags.revision,
        "kill_count": flags.kill_count,
        "revision": flags.revision,
        "epoch": flags.kill_count,
        "reason": flags.reason,
    }


class EventDocument(TypedDict):
    """One event, with its sentence. `proof` says how the actor's name was checked; an older Signoff recorded none."""

    at: str
    actor: str
    proof: ActorProof | None
    stream: str
    revision: int
    kind: str
    what: str


def event_document(recorded: Recorded) -> EventDocument:
    """One event, with its sentence."""
    return {
        "at": recorded.at.isoformat(),
        "actor": recorded.actor,
        "proof": recorded.proof or None,
        "stream": recorded.stream,
        "revision": recorded.revision,
        "kind": recorded.event.kind,
        "what": sentence(recorded.event),
    }


class HistoryPage(TypedDict):
    """Events in the ledger's order; `next` is the `after` of the page that follows."""

    history: list[EventDocument]
    next: int | None


class ModelsPage(TypedDict):
    """Models by name; `next` is the `after` of the page that follows."""

    models: list[str]
    next: str | None


def _signature(signature: Signature) -> SignatureDocument:
    return {
        "person": signature.person,
        "role": signature.role,
        "verdict": signature.verdict,
        "conditions": list(signature.conditions),
        "reason": signature.reason,
        "signed_at": signature.signed_at.isoformat(),
        "key_id": signature.key_id,
        "tier": signature.tier,
        "key_made_by": signature.key_made_by or None,
        "key_replaced": signature.key_replaced or None,
    }
