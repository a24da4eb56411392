"""The answers to people and programs: plain documents, the same on the command line and over HTTP.

Each document's type is also its schema in the API's description.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from signoff.app.assess import AssessedRelease, computed_lines, named_figures, refusals
from signoff.app.credentials import Waiting
from signoff.app.kill import Stopped, StoppedMany
from signoff.app.rollback import is_memo_owed
from signoff.domain.assessment import BenchmarkSummary, PaperSummary
from signoff.domain.deployment import Condition, Deployment, State
from signoff.domain.dossier import DeploymentType
from signoff.domain.events import (
    ActorProof,
    Credential,
    DutiesGranted,
    EnrolmentEvent,
    GateResult,
    Observed,
    PersonEnrolled,
    Phase,
    Reading,
    Recorded,
    Rehearsed,
    Reviewed,
    Signature,
    Step,
    SubjectBound,
    Vote,
)
from signoff.domain.evidence import PitEvidence
from signoff.domain.flags import Flags, off
from signoff.domain.gates.point_in_time import range_words
from signoff.domain.gates.sessions import differences
from signoff.domain.isolation import Protection
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.look_alikes import look_alikes
from signoff.domain.memo.placeholders import printed
from signoff.domain.monitoring import Level, still_open
from signoff.domain.people import People, Person, Proposal, Token
from signoff.domain.permissions import AccessRole, Permission
from signoff.domain.policy import Policy, Role, Tier
from signoff.domain.recognition import Recognition
from signoff.domain.rollback_drill import HALTING, budget_in_words, left_in_words, recovery_time_in_words
from signoff.domain.silence import in_sessions
from signoff.domain.trading import Trading, trading
from signoff.domain.venue import NO_VENUE, NOBODY_ASKED, VenueKind
from signoff.ledger.codec import encode_state
from signoff.ledger.text import encoded
from signoff.rendering.judged import GateDocument, MetricDocument, gate_document, metric_document
from signoff.rendering.story import sentence
from signoff.verbs.policy_documents import FloorDocument, floor_document

# Any document, as printers take it.
Document = Mapping[str, object]
FlagValues = dict[str, bool | int]


class StatementDocument(TypedDict):
    """A statement to sign: its bytes in base64, and its text."""

    statement: str
    says: str


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


class GateSignedDocument(TypedDict):
    """A gate's result in the ledger."""

    gate: str
    outcome: str
    blocking: bool
    statistic: float | None
    threshold: float | None
    n: int
    near_miss: bool


class ToSignDocument(TypedDict):
    """The content that an approval will sign; `memo` is the memo's path, at a server its URL path."""

    deployment: str
    model: str
    version: str
    manifest: str | None
    memo: str | None
    gates: list[GateSignedDocument]
    overridden_by: list[str]
    open_conditions: list[ConditionDocument]
    missing_roles: list[Role]


def to_sign_document(state: Deployment, results: Iterable[GateResult], memo: str | None) -> ToSignDocument:
    """The content that an approval of this release signs."""
    return {
        "deployment": state.id,
        "model": state.model,
        "version": state.version,
        "manifest": state.manifest,
        "memo": memo,
        "gates": [
            {
                "gate": r.key,
                "outcome": r.outcome,
                "blocking": r.is_blocking,
                "statistic": r.statistic,
                "threshold": r.threshold,
                "n": r.n,
                "near_miss": r.is_near_miss,
            }
            for r in results
        ],
        "overridden_by": [f"{s.person} ({s.role.value})" for s in state.overrides],
        "open_conditions": [condition_document(c) for c in state.open_conditions],
        "missing_roles": list(state.missing_roles),
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


class ReadingDocument(TypedDict):
    """One monitored figure: its value, its level against the thresholds in force, and the reason.

    `word` is the level for people, which calls an unknown figure of old data stale. The figure rests on `n` of `needed`
    data, the newest `age_days` old at the session.
    """

    value: float | None
    level: str
    word: str
    detail: str
    n: int | None
    needed: int | None
    as_of: str | None
    age_days: int | None


class ObservedDocument(TypedDict):
    """One session of monitoring; `interim` says how long it is still open, if it was observed before its close."""

    deployment: str
    session: str
    interim: str | None
    state: State
    fired: list[str]
    unmet: list[str]
    readings: dict[str, ReadingDocument]


def observed_document(state: Deployment, observed: Observed) -> ObservedDocument:
    """One session of monitoring."""
    return {
        "deployment": state.id,
        "session": observed.session.isoformat(),
        "interim": None if observed.open_until is None else still_open(observed.open_until),
        "state": state.state,
        "fired": list(observed.fired),
        "unmet": list(observed.unmet),
        "readings": _readings(observed.readings, observed.session),
    }


class ReviewedDocument(TypedDict):
    """The 30-day review. `result` sums it up: targets met, missed or not measured, or that it was rolled back."""

    deployment: str
    result: str
    targets_met: bool
    notes: str
    readings: dict[str, ReadingDocument]


def reviewed_document(deployment_id: str, reviewed: Reviewed, today: date) -> ReviewedDocument:
    """The 30-day review."""
    return {
        "deployment": deployment_id,
        "result": reviewed.ended or _result(reviewed),
        "targets_met": reviewed.targets_met,
        "notes": reviewed.notes,
        "readings": _readings(reviewed.readings, today),
    }


def _result(reviewed: Reviewed) -> str:
    """Every target met, or the targets that were missed or not measured."""
    if reviewed.targets_met:
        return "every target met"
    missed = [r.key for r in reviewed.readings if r.level == Level.CRITICAL]
    unknown = [r.key for r in reviewed.readings if r.level == Level.UNKNOWN]
    parts = (("targets missed", missed), ("not measured", unknown))
    return "; ".join(f"{title}: {', '.join(keys)}" for title, keys in parts if keys)


class RehearsedDocument(TypedDict):
    """A rehearsed rollback, step by step.

    `venue` is the kind of the venue. Without one, its steps have no seconds, and `rto` says so. `rehearsal_venue` is
    the weakest kind that the policy accepts. `failed` names the step that failed.
    """

    model: str
    venue: str
    rto: str
    within_budget: bool
    budget: str
    residual_orders: int | None
    left: str
    seconds: dict[str, float | None]
    restored_version: str | None
    events_acknowledged: int | None
    events_lost: int | None
    rehearsal_venue: str
    counts: bool
    failed: str | None
    failed_because: str


def rehearsed_document(model: str, rehearsed: Rehearsed, policy: Policy) -> RehearsedDocument:
    """A rehearsed rollback, step by step."""
    is_blind, needed = rehearsed.venue is VenueKind.NONE, policy.rollback.rehearsal_venue
    return {
        "model": model,
        "venue": rehearsed.venue.value,
        "rto": recovery_time_in_words(rehearsed),
        "within_budget": rehearsed.within_budget,
        "budget": budget_in_words(rehearsed),
        "residual_orders": rehearsed.residual_orders,
        "left": left_in_words(rehearsed),
        "seconds": {
            step.value: None if is_blind and step in HALTING else seconds for step, seconds in rehearsed.seconds
        },
        "restored_version": rehearsed.restored_version,
        "events_acknowledged": rehearsed.events_acknowledged,
        "events_lost": rehearsed.events_lost,
        "rehearsal_venue": needed.value,
        "counts": rehearsed.venue.reaches(needed),
        "failed": None if rehearsed.failed is None else rehearsed.failed.value,
        "failed_because": rehearsed.failed_because,
    }


class StoppedDocument(TypedDict):
    """A kill: what is in force, what is not recorded yet, and what is open at the venue.

    `venue` is null if no venue was asked. `left` is the same in words; a null number is unknown.
    """

    model: str
    kill: str
    flags: FlagValues
    journaled: bool
    recorded: bool
    venue: str | None
    open_orders: int | None
    open_positions: int | None
    flat: bool
    left: str
    handed_over: str | None


def stopped_document(stopped: Stopped) -> StoppedDocument:
    """A kill: what is in force, what is not recorded yet, and what is open at the venue."""
    model, left = stopped.kill.model, stopped.left
    return {
        "model": model,
        "kill": stopped.kill.id,
        "flags": dict(off(model).as_keys()),
        "journaled": stopped.is_journaled,
        "recorded": stopped.is_recorded,
        "venue": None if left is None else left.kind.value,
        "open_orders": None if left is None else left.orders,
        "open_positions": None if left is None else left.positions,
        "flat": left is not None and left.is_flat,
        "left": NOBODY_ASKED if left is None else left.words,
        "handed_over": None if stopped.handed_over is None else str(stopped.handed_over),
    }


class KilledDocument(StoppedDocument):
    """A kill, and whether its model is known, so that a typing error shows.

    `known` is null if the ledger cannot be read. `nearest` are recorded names similar to an unknown one, and
    `models_known` is the number of recorded models.
    """

    known: bool | None
    nearest: list[str]
    models_known: int | None


def killed_document(stopped: Stopped, recognition: Recognition) -> KilledDocument:
    """A kill of one model, and whether its name is known."""
    return {
        **stopped_document(stopped),
        "known": recognition.is_known,
        "nearest": list(recognition.nearest),
        "models_known": recognition.models,
    }


class StoppedManyDocument(TypedDict):
    """A kill of a desk, or of all models if `desk` is null: a row for each model.

    `complete` says that the ledger could be read and the list is whole; otherwise unlisted models are stopped too.
    """

    kill: str
    desk: str | None
    journaled: bool
    recorded: bool
    complete: bool
    flat: bool
    left: str
    handed_over: str | None
    models: list[StoppedDocument]


def stopped_many_document(stopped: StoppedMany) -> StoppedManyDocument:
    """A kill of a desk or of all models, model by model."""
    return {
        "kill": stopped.kill.id,
        "desk": stopped.kill.desk or None,
        "journaled": stopped.is_journaled,
        "recorded": stopped.is_recorded,
        "complete": stopped.is_complete,
        "flat": stopped.is_flat,
        "left": stopped.left_in_words,
        "handed_over": None if stopped.handed_over is None else str(stopped.handed_over),
        "models": [stopped_document(one) for one in stopped.models],
    }


class LatchDocument(TypedDict):
    """The kill latch of a model."""

    model: str
    latched: bool
    epoch: int
    reason: str
    killed_by: str
    signed: list[str]


def latch_document(latch: KillSwitchState) -> LatchDocument:
    """The kill latch of a model."""
    return {
        "model": latch.model,
        "latched": latch.is_latched,
        "epoch": latch.kill_count,
        "reason": latch.reason,
        "killed_by": latch.killed_by,
        "signed": [s.person for s in latch.rearm_signatures],
    }


class AnomalyDocument(TypedDict):
    """One anomaly of the paper period."""

    kind: str
    count: int
    text: str


class PaperCheckDocument(TypedDict):
    """One check of the paper period; `not_checked` is the reason why it could not run, else null."""

    name: str
    n: int
    not_checked: str | None


class PaperDocument(TypedDict):
    """The paper period's anomalies, its checks, and its author's declarations."""

    says: str
    correlation_refused: str | None
    anomalies: list[AnomalyDocument]
    checks: list[PaperCheckDocument]
    declared: list[str]


class ReplayGapDocument(TypedDict):
    """A range of decision dates that no replay could cover."""

    first: str
    last: str
    dates: int


class ReplayedDocument(TypedDict):
    """The replayed part of the record: decision dates, and dates and symbols if the data name them."""

    says: str
    first: str | None
    last: str | None
    dates: int
    of: int
    pairs: int
    of_pairs: int
    share: float
    backtest: list[str]
    backtest_rows: int
    missing: list[ReplayGapDocument]
    symbols: list[str]


class AssessmentDocument(TypedDict):
    """The findings of `check` and `memo`: every metric, every gate and every figure."""

    model: str
    version: str
    package: str
    backtest: list[str]
    passed: bool
    blocking: list[str]
    point_in_time: str
    point_in_time_reason: str
    replayed: ReplayedDocument | None
    feature_code_ran: str | None
    replay_seed: int | None
    metrics: list[MetricDocument]
    gates: list[GateDocument]
    figures: dict[str, float | None]
    summary_figures: dict[str, str]
    summary_computed: list[str]
    paper: PaperDocument | None
    inference: str
    time: str
    sessions: list[str]
    policy: FloorDocument
    refused: list[str]
    submit_refused: list[str]
    cannot_sign: list[str]
    placeholders: list[str]


def assessment_document(
    release: AssessedRelease, submit_refused: tuple[str, ...] = (), cannot_sign: tuple[str, ...] = ()
) -> AssessmentDocument:
    """The findings of `check` and `memo`: every metric, every gate and every figure.

    `refused` are the refusals of both `memo` and `submit`, `submit_refused` those of `submit` alone, and `cannot_sign`
    the roles that no enrolled person could sign in. `placeholders` are left in an unfinished dossier.
    """
    refused = refusals(release)
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
        "replayed": _replayed(release.inputs.evidence.pit),
        "feature_code_ran": None if (protection := _protection(release)) is None else protection.words,
        "replay_seed": None if release.inputs.evidence.pit is None else release.inputs.evidence.pit.seed,
        "metrics": [metric_document(row) for row in assessment.metrics],
        "gates": [gate_document(finding) for finding in assessment.findings],
        "figures": {q.name: q.value for q in release.figures},
        "summary_figures": {q.name: printed(q) for q in named_figures(release)},
        "summary_computed": list(computed_lines(release)),
        "paper": _paper_document(assessment.paper, dossier.validation.paper.explanations),
        "inference": _inference(assessment.benchmark),
        "time": assessment.time.words,
        "sessions": list(differences(release.inputs.evidence)),
        "policy": floor_document(release.inputs.floor),
        "refused": list(refused),
        "submit_refused": [text for text in submit_refused if text not in refused],
        "cannot_sign": list(cannot_sign),
        "placeholders": list(release.inputs.placeholders),
    }


def _replayed(replay: PitEvidence | None) -> ReplayedDocument | None:
    if replay is None or (range_replayed := replay.replayed) is None:
        return None
    begin, end = range_replayed.record
    return {
        "says": range_words(replay),
        "first": None if range_replayed.first is None else range_replayed.first.isoformat(),
        "last": None if range_replayed.last is None else range_replayed.last.isoformat(),
        "dates": range_replayed.dates,
        "of": range_replayed.of,
        "pairs": range_replayed.pairs,
        "of_pairs": range_replayed.of_pairs,
        "share": range_replayed.share,
        "backtest": [begin.isoformat(), end.isoformat()],
        "backtest_rows": range_replayed.record_dates,
        "missing": [
            {"first": gap.first.isoformat(), "last": gap.last.isoformat(), "dates": gap.dates}
            for gap in range_replayed.gaps
        ],
        "symbols": list(range_replayed.symbols),
    }


def _inference(measured: BenchmarkSummary | None) -> str:
    """The dossier's benchmark in words, or the reason why it does not count."""
    if measured is None:
        return "not measured: the dossier has no benchmark.json of signoff benchmark"
    return measured.words or f"not measured: benchmark.json does not count, {measured.refused}"


def _paper_document(paper: PaperSummary | None, declared: tuple[str, ...]) -> PaperDocument | None:
    if paper is None:
        return None
    return {
        "says": paper.anomalies_text,
        "correlation_refused": paper.correlation_refused or None,
        "anomalies": [{"kind": a.kind.value, "count": a.count, "text": a.text} for a in paper.anomalies],
        "checks": [{"name": c.name, "n": c.n, "not_checked": c.not_checked or None} for c in paper.checks],
        "declared": list(declared),
    }


def _protection(release: AssessedRelease) -> Protection | None:
    replay = release.inputs.evidence.pit
    return None if replay is None else replay.protection


class PersonDocument(TypedDict):
    """A person: their signing roles, their access roles, and whether they are bound to the identity provider."""

    name: str
    roles: list[Role]
    duties: list[AccessRole]
    key_id: str
    public_key: str
    key_made_by: str | None
    key_replaced: str | None
    logins: list[str]
    is_bound: bool


class PeoplePage(TypedDict):
    """People by name; `next` is the `after` of the page that follows."""

    people: list[PersonDocument]
    next: str | None


def person_document(person: Person, people: People) -> PersonDocument:
    """One person in the ledger."""
    return {
        "name": person.name,
        "roles": list(person.roles),
        "duties": sorted(person.duties),
        "key_id": person.key_id,
        "public_key": person.public_key,
        "key_made_by": person.key_made_by or None,
        "key_replaced": person.key_replaced or None,
        "logins": list(person.logins),
        "is_bound": any(subject.name == person.name for subject in people.subjects),
    }


class ProposalDocument(TypedDict):
    """A change that waits for a second person; `looks_like` are people with similar names."""

    looks_like: list[str]
    proposal: str
    says: str
    change: dict[str, object]
    proposed_by: str
    expires_at: str


class ConfirmedProposalDocument(ProposalDocument):
    """A change that took effect."""

    confirmed_by: str


class DeclinedProposalDocument(ProposalDocument):
    """A change that was declined."""

    declined_by: str


class ProposalsPage(TypedDict):
    """Proposals by expiry; `next` is the `after` of the page that follows."""

    proposals: list[ProposalDocument]
    next: str | None


def proposal_document(proposal: Proposal, people: People) -> ProposalDocument:
    """A change that waits for a second person."""
    change = proposal.change
    logins = change.logins if isinstance(change, PersonEnrolled) else ()
    return {
        "looks_like": list(looking_like(change.name, logins, people)),
        "proposal": proposal.id,
        "says": proposed(proposal.event),
        "change": json.loads(encode_state(proposal.change)),
        "proposed_by": proposal.proposed_by,
        "expires_at": proposal.expires_at.isoformat(),
    }


def looking_like(name: str, logins: tuple[str, ...], people: People) -> tuple[str, ...]:
    """Other people who are enrolled under similar names."""
    return look_alikes(name, logins, {person.name: person.known_as for person in people.by_name.values()})


def proposed(change: EnrolmentEvent) -> str:
    """A proposed change in plain words."""
    match change:
        case PersonEnrolled():
            roles = ", ".join(role.value for role in change.roles)
            known_as = f", known as {', '.join(change.logins)}" if change.logins else ""
            maker = f", which {change.key_made_by} made" if change.key_made_by else ""
            maker += ", in the place of the key in use" if change.replaces_key else ""
            as_whom = roles or "a person without a role"
            return f"enrol {change.name} as {as_whom} with the key {change.key_id[:16]}…{maker}{known_as}"
        case DutiesGranted():
            return f"let {change.name} act as {', '.join(duty.value for duty in change.duties)}"
        case SubjectBound():
            return f"let {change.subject} at {change.issuer} sign in as {change.name}"


class CredentialDocument(TypedDict):
    """An authenticator's credential, with the label that its owner gave it."""

    id: str
    label: str
    key_id: str
    algorithm: str
    is_backed_up: bool
    attestation: str
    rp_id: str
    origin: str


def credential_document(credential: Credential) -> CredentialDocument:
    """An authenticator's credential, with the label that its owner gave it."""
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


class WaitingCredentialDocument(CredentialDocument):
    """The credential that waits to be vouched for, with the statement to sign."""

    statement: str


class CredentialsDocument(TypedDict):
    """A person's authenticators."""

    name: str
    credentials: list[CredentialDocument]
    waiting: WaitingCredentialDocument | None


def credentials_document(name: str, credentials: Iterable[Credential], waiting: Waiting | None) -> CredentialsDocument:
    """A person's authenticators, and the one that waits to be vouched for with its statement."""
    waiting_document: WaitingCredentialDocument | None = (
        None
        if waiting is None
        else {**credential_document(waiting.credential), "statement": encoded(waiting.statement)}
    )
    return {"name": name, "credentials": [credential_document(c) for c in credentials], "waiting": waiting_document}


# Functional syntax, since `for` is a keyword.
TokenDocument = TypedDict(
    "TokenDocument", {"id": str, "for": str, "is_machine": bool, "scopes": list[Permission], "expires_at": str}
)


class IssuedTokenDocument(TokenDocument):
    """A token with its secret, which is shown only once."""

    token: str


class TokensPage(TypedDict):
    """Tokens by expiry; `next` is the `after` of the page that follows."""

    tokens: list[TokenDocument]
    next: str | None


def token_document(token: Token) -> TokenDocument:
    """A token without its secret."""
    return {
        "id": token.id,
        "for": token.person,
        "is_machine": token.is_machine,
        "scopes": sorted(token.scopes),
        "expires_at": token.expires_at.isoformat(),
    }


class EnrolledDocument(TypedDict):
    """A newly enrolled person; `looks_like` are enrolled people with similar names."""

    name: str
    roles: list[Role]
    key_id: str
    key_made_by: str | None
    key_replaced: str | None
    logins: list[str]
    looks_like: list[str]


class DutiesDocument(TypedDict):
    """A person's present access roles."""

    name: str
    duties: list[AccessRole]


class BoundDocument(TypedDict):
    """A person who is now bound to the identity provider."""

    name: str
    issuer: str
    subject: str


class UnboundDocument(TypedDict):
    """An identity of the provider that can no longer sign in."""

    unbound: str
    issuer: str


class InvitationDocument(TypedDict):
    """A one-time sign-in link."""

    name: str
    secret: str


class RevokedDocument(TypedDict):
    """A revoked token."""

    revoked: str


class CountersignedDocument(TypedDict):
    """A live version that waits for a second person's signature."""

    deployment: str
    waits_for_persons: bool


class ModelsPage(TypedDict):
    """Models by name; `next` is the `after` of the page that follows."""

    models: list[str]
    next: str | None


def _readings(readings: Iterable[Reading], day: date) -> dict[str, ReadingDocument]:
    return {
        r.key: {
            "value": r.value,
            "level": str(r.level),
            "word": r.word,
            "detail": r.detail,
            "n": r.n,
            "needed": r.needed,
            "as_of": None if r.as_of is None else r.as_of.isoformat(),
            "age_days": None if r.as_of is None else (day - r.as_of).days,
        }
        for r in readings
    }


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
