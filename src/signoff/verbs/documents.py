"""The answers to people and programs: plain documents, the same on the command line and over HTTP.

Each document's type is also its schema in the API's description.
"""

import json
from collections.abc import Iterable
from datetime import date

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from signoff.app.assess import AssessedRelease, computed_lines, named_figures, refusals
from signoff.app.credentials import Waiting
from signoff.app.kill import Stopped, StoppedMany
from signoff.domain.assessment import BenchmarkSummary, PaperSummary
from signoff.domain.deployment import Deployment, State
from signoff.domain.events import (
    Credential,
    DutiesGranted,
    EnrolmentEvent,
    GateResult,
    Observed,
    PersonEnrolled,
    Reading,
    Rehearsed,
    Reviewed,
    SubjectBound,
)
from signoff.domain.evidence import PitEvidence
from signoff.domain.flags import off
from signoff.domain.gates.point_in_time import range_words
from signoff.domain.gates.sessions import differences
from signoff.domain.isolation import Protection
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.look_alikes import look_alikes
from signoff.domain.memo.placeholders import printed
from signoff.domain.monitoring import Level, still_open
from signoff.domain.people import People, Person, Proposal, Token
from signoff.domain.permissions import AccessRole, Permission
from signoff.domain.policy import Policy, Role
from signoff.domain.recognition import Recognition
from signoff.domain.rollback_drill import HALTING, budget_in_words, left_in_words, recovery_time_in_words
from signoff.domain.venue import NOBODY_ASKED, VenueKind
from signoff.ledger.codec import encode_state
from signoff.ledger.text import encoded
from signoff.rendering.judged import GateDocument, MetricDocument, gate_document, metric_document
from signoff.verbs.policy_documents import FloorDocument, floor_document
from signoff.verbs.release_documents import ConditionDocument, FlagValues, condition_document


class StatementDocument(TypedDict):
    """A statement to sign: its bytes in base64, and its text."""

    statement: str
    says: str


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
