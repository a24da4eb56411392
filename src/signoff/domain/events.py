"""Everything that can happen to a release, as facts in the past tense.

An event is what the ledger stores; state is only ever a fold over events. Streams: `deployment/<id>` for one release,
`model/<name>` for the kill latch that spans a model's releases, `people` for who may sign, `policy` for the floor that
every release is held to.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from signoff.domain.artifacts import BEFORE_BINDING, Pin
from signoff.domain.commitments import Commitments, DeploymentType
from signoff.domain.floor import Floor
from signoff.domain.outcome import Outcome
from signoff.domain.permissions import AccessRole, Permission
from signoff.domain.policy import CertifiedSentence, Policy, Role, Tier
from signoff.domain.profiles import Pinned, Profile
from signoff.domain.venue import VenueKind


class Phase(StrEnum):
    """Where a live release stands."""

    SHADOW = "shadow"
    LIMITED = "limited"
    FULL = "full"


class PauseReason(StrEnum):
    """Any of these blocks an advance; none ever blocks a rollback."""

    MANUAL = "manual"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    STALE_METRICS = "stale_metrics"
    GATE_ERROR = "gate_error"
    FREEZE = "freeze"
    SILENCE = "silence"


class RollbackCause(StrEnum):
    """The five occasions for a rollback in section 5.1, and its rehearsal."""

    PERFORMANCE = "performance"
    ERROR = "error"
    RISK_BREACH = "risk_breach"
    COMPLIANCE = "compliance"
    BUSINESS = "business"
    REHEARSAL = "rehearsal"


class Step(StrEnum):
    """The steps of a rollback, in order."""

    FENCE = "fence"
    CANCEL = "cancel"
    VERIFY_FLAT = "verify_flat"
    REVERT = "revert"
    VERIFY_REVERT = "verify_revert"
    REVIEW = "review"


class Level(StrEnum):
    """How a monitored figure stands to its thresholds. What cannot be told is unknown, and never good."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class DeadlineName(StrEnum):
    """By when something of a rollback must have happened."""

    IMMEDIATE = "immediate"
    REVERT = "revert"
    REVIEW = "review"
    POST_MORTEM = "post_mortem"


class Vote(StrEnum):
    """What a signatory says."""

    APPROVE = "approve"
    CONDITIONAL = "conditional"
    REJECT = "reject"
    OVERRIDE = "override"
    ADOPT = "adopt"
    REARM = "rearm"
    PROPOSE_POLICY = "propose_policy"
    CONFIRM_POLICY = "confirm_policy"


def key_mark(made_by: str, replaced: str) -> str:
    """What is said of a signature whose key its person did not make, or that took the place of one in use."""
    made = f" (key made by {made_by})" if made_by else ""
    return f"{made} (key replaced {replaced})" if replaced else made


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One person's signed decision; `envelope` is the DSSE envelope as JSON, verified before it got here.

    Of tier webauthn it carries an authenticator's assertion, and `key_id` is that of the credential. `key_made_by`
    names who else made the private key, and so may have signed with it; empty where nobody else did. `key_replaced`
    says when and by whom the key took the place of one in use; empty where it is the first.
    """

    person: str
    role: Role
    verdict: Vote
    subject: str
    conditions: tuple[str, ...] = ()
    reason: str = ""
    signed_at: datetime
    expires_at: datetime
    key_id: str
    envelope: str
    tier: Tier = Tier.KEY
    key_made_by: str = ""
    key_replaced: str = ""

    @property
    def made_with(self) -> str:
        """What made the signature, as tables print it; who made the key is said where it was not the person."""
        return f"{self.tier.value} {self.key_id[:12]}…" + key_mark(self.key_made_by, self.key_replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A WebAuthn credential: what a person's authenticator signs with, at one origin.

    `id` and `public_key` are as the authenticator gave them: base64url, and COSE in hex. `attestation` names the format
    of what its maker says of it; `none` says nothing. `is_backed_up` tells that a provider keeps copies of the key.
    """

    id: str
    public_key: str
    key_id: str
    algorithm: str
    rp_id: str
    origin: str
    aaguid: str
    attestation: str
    is_backup_eligible: bool
    is_backed_up: bool
    label: str


class Because(StrEnum):
    """Why somebody may not sign for a release."""

    SUBMITTED = "submitted"
    ISSUED_TOKEN = "issued_token"
    DEPLOYS = "deploys"
    WROTE = "wrote"
    PRODUCED_EVIDENCE = "produced_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """Somebody who may not sign for a release: the enrolled person, or whoever the source means where nobody fits.

    `known_as` is everything that the source calls them, so that a person who is found to be them later is barred too.
    """

    name: str
    because: Because
    source: str
    known_as: tuple[str, ...] = ()
    is_enrolled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events; each one's `kind` names it in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """A release was opened with the policy it will be held to and the people who may not approve it.

    `grounds` says of each of the barred why, `unread` whose work could not be read. `floor` names the installation's
    policy; `policy` is that one for this type of deployment, with the dossier's stricter thresholds. A release that an
    older Signoff opened has no floor: its policy came with it.
    """

    kind: Literal["opened"] = "opened"
    deployment: str
    model: str
    version: str
    previous_version: str | None
    previous_deployment: str | None
    deployment_type: DeploymentType
    submitted_by: str
    barred: tuple[str, ...]
    policy: Policy
    undertakings: Commitments
    dossier_digest: str
    registered_model: str | None = None
    grounds: tuple[Barred, ...] = ()
    unread: tuple[str, ...] = ()
    desk: str | None = None
    floor: Floor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(Event):
    """A version that was live before Signoff came is recorded as the champion: never validated here, and said so.

    `bound` is the registered version as it was then; where there is none, `unbound` says why.
    """

    kind: Literal["adopted"] = "adopted"
    deployment: str
    model: str
    version: str
    policy: Policy
    signatures: tuple[Signature, ...]
    reason: str
    bound: Pin | None = None
    unbound: str = BEFORE_BINDING


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A finding as the ledger keeps it."""

    key: str
    outcome: Outcome
    is_blocking: bool
    statistic: float | None
    threshold: float | None
    n: int
    is_near_miss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated(Event):
    """Every gate ran; `package` is the digest of the manifest of what was validated.

    `replay_seed` is what the dates of the point-in-time replay were drawn with; it was always 0 before it was drawn.
    `bound` is the registered version whose files the package names, `bound_previous` the version that the release falls
    back to, as both were then. Where nothing is bound, `unbound` says why. `profile` is what live data will be held
    against; an older Signoff kept none.
    """

    kind: Literal["validated"] = "validated"
    results: tuple[GateResult, ...]
    package: str
    replay_seed: int = 0
    bound: Pin | None = None
    bound_previous: Pin | None = None
    unbound: str = BEFORE_BINDING
    profile: Profile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAgain(Event):
    """Another registration carries the tag of a version that was approved under its own number: an alarm."""

    kind: Literal["registered_again"] = "registered_again"
    version: str
    number: int
    approved_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesChanged(Event):
    """The registry holds other bytes under an approved number than the ones that were approved: an alarm.

    `found` names each file with the digest that was expected and the one that was found.
    """

    kind: Literal["files_changed"] = "files_changed"
    version: str
    number: int
    approved_digest: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideSigned(Event):
    """A person took responsibility for the gates that block."""

    kind: Literal["override_signed"] = "override_signed"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """The memo was issued for approval; signatures from here on are over this manifest."""

    kind: Literal["approval_requested"] = "approval_requested"
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSigned(Event):
    kind: Literal["approval_signed"] = "approval_signed"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRejected(Event):
    """A rejection sticks: the release ends here."""

    kind: Literal["approval_rejected"] = "approval_rejected"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Event):
    """Every required role has signed the same manifest."""

    kind: Literal["approved"] = "approved"
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsVoided(Event):
    """Bytes changed beneath the signatures; all of them are void."""

    kind: Literal["approvals_voided"] = "approvals_voided"
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionMet(Event):
    """The role that set a condition says that it is met."""

    kind: Literal["condition_met"] = "condition_met"
    role: Role
    condition: str
    person: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What an edition of the memo says of one certification of section 12; `against` is empty where it is evidenced.

    Contradicted is what the evidence says the opposite of; the rest lacks evidence.
    """

    certification: CertifiedSentence
    against: str = ""
    is_contradicted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoIssued(Event):
    """An edition of a memo was written: its manifest's digest, and what it is, with what section 12 certifies in it."""

    kind: Literal["memo_issued"] = "memo_issued"
    edition: str
    manifest: str
    certified: tuple[Certified, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployerSigned(Event):
    """Who starts the rollout signed section 12, over the manifest that was approved; this approves nothing."""

    kind: Literal["deployer_signed"] = "deployer_signed"
    person: str
    manifest: str
    signed_at: datetime
    key_id: str
    envelope: str
    key_made_by: str = ""
    key_replaced: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDone(Event):
    """A person did what section 9 announces: a meeting, a dashboard, a document, a word to somebody."""

    kind: Literal["item_done"] = "item_done"
    item: str
    person: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEntered(Event):
    kind: Literal["phase_entered"] = "phase_entered"
    phase: Phase
    allocation_pct: int
    reason: str = ""
    reference: Pinned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One monitored figure on one day: its value, and its level against the thresholds in force.

    It rests on `n` data where `needed` are needed, the newest of them from `as_of`; None where nobody counted.
    `is_young` says that it is unknown only because too few sessions have passed since the release was live.
    """

    key: str
    value: float | None
    level: Level
    detail: str = ""
    n: int | None = None
    needed: int | None = None
    as_of: date | None = None
    is_young: bool = False

    @property
    def word(self) -> str:
        """The level as people read it: what is unknown because its newest datum is too old is called stale."""
        return "stale" if self.level == Level.UNKNOWN and "stale: " in self.detail else self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Event):
    """One day of monitoring. `fired` names the rollback triggers that hold; `unmet` what keeps it from advancing.

    `concerns` are the critical and unknown readings, or "no data". An older Signoff recorded None, and such a day
    counts neither as silence nor as judged. A session that was looked at before its data came is observed once more.
    `open_until` is the close of a session that was looked at before it: such a look is told and never recorded.
    `reference` is the reference for drift that was found; the first one of a release is the one it is held to.
    """

    kind: Literal["observed"] = "observed"
    session: date
    counts: bool
    readings: tuple[Reading, ...]
    fired: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    is_conclusive: bool
    concerns: tuple[str, ...] | None = None
    open_until: datetime | None = None
    reference: Pinned | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the session was no silence: data came, and what is still unknown only waits for more sessions."""
        return self.is_conclusive or (
            self.counts
            and any(reading.is_young for reading in self.readings)
            and all(reading.level != Level.UNKNOWN or reading.is_young for reading in self.readings)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalCut(Event):
    """Capital fell because of so many sessions in a row without conclusive data; only a person brings it back."""

    kind: Literal["capital_cut"] = "capital_cut"
    allocation_pct: int
    sessions: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotHeld(Event):
    """A person declared that the venue did not hold a session: it is not silence, and no day of a phase."""

    kind: Literal["session_not_held"] = "session_not_held"
    session: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    kind: Literal["paused"] = "paused"
    reason: PauseReason
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    kind: Literal["resumed"] = "resumed"
    reason: PauseReason
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """An absolute time by which something must have happened."""

    name: DeadlineName
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackStarted(Event):
    kind: Literal["rollback_started"] = "rollback_started"
    occasion: RollbackCause
    trigger: str
    reason: str
    from_phase: Phase | None
    deadlines: tuple[Deadline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(Event):
    """A step of the rollback finished, with what was seen, and which venue there was to ask.

    Older Signoffs had the simulated venue alone. `restored_digest` is that of the files which the alias names since the
    step `revert`; None where no version was restored, or its artefacts are not bound.
    """

    kind: Literal["step_done"] = "step_done"
    step: Step
    seconds: float
    detail: str
    venue: VenueKind = VenueKind.SIMULATED
    restored_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatAttested(Event):
    """A person says that no order and no unwanted position of the model is open; no venue said so.

    `venue` is what the installation had to ask.
    """

    kind: Literal["flat_attested"] = "flat_attested"
    person: str
    reason: str
    venue: VenueKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackStuck(Event):
    """A step could not finish: people are paged, and the model stays fenced."""

    kind: Literal["rollback_stuck"] = "rollback_stuck"
    step: Step
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Event):
    kind: Literal["rolled_back"] = "rolled_back"
    restored_version: str | None
    restored_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineBreached(Event):
    kind: Literal["deadline_breached"] = "deadline_breached"
    name: DeadlineName
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(Event):
    """A newer version reached full allocation."""

    kind: Literal["superseded"] = "superseded"
    by_deployment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstated(Event):
    """The version that replaced this one was rolled back."""

    kind: Literal["reinstated"] = "reinstated"
    after_deployment: str


class Delivery(StrEnum):
    """How a notice went out. An older Signoff did not record it."""

    UNRECORDED = ""
    FILE = "file"
    RECEIVER = "receiver"
    EMAIL = "email"


def receipt_in_words(delivery: Delivery, receiver: str, channel: str) -> str:
    """What became of a notice; "sent by email" only where a mail server took it."""
    match delivery:
        case Delivery.FILE:
            return f"written to {receiver}"
        case Delivery.RECEIVER:
            return f"taken by {receiver}"
        case Delivery.EMAIL:
            return f"sent by email, taken by {receiver}"
        case Delivery.UNRECORDED:
            return f"sent on the channel {channel}, by whom it was taken was not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed(Event):
    """A rollback was rehearsed; seconds a step, and whether each budget held.

    `restored_version` is what was loaded and run. The events are those that a process had acknowledged before it was
    killed, and how many of them were gone afterwards; None where that was not measured. `venue` is the kind that was
    there; older rehearsals had the simulated one. Without a venue nobody knows which orders were left. `left_because`
    is why a venue did not say it. `failed` is the step that could not be done, and why.
    """

    kind: Literal["rehearsed"] = "rehearsed"
    seconds: tuple[tuple[Step, float], ...]
    residual_orders: int | None
    within_budget: bool
    restored_version: str | None = None
    events_acknowledged: int | None = None
    events_lost: int | None = None
    venue: VenueKind = VenueKind.SIMULATED
    failed: Step | None = None
    failed_because: str = ""
    left_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Event):
    """A notice went out, once: by which delivery, and who took it. `channel` is the one that it was meant for."""

    kind: Literal["notice_sent"] = "notice_sent"
    notice: str
    audience: tuple[str, ...]
    channel: str
    delivery: Delivery = Delivery.UNRECORDED
    receiver: str = ""
    at: datetime | None = None

    @property
    def words(self) -> str:
        """What became of the notice, as pages print it."""
        return receipt_in_words(self.delivery, self.receiver, self.channel)

    @property
    def is_received(self) -> bool:
        """Whether somebody else took it; a file in the home is nobody's."""
        return self.delivery is not Delivery.FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed(Event):
    """The 30-day review, closed with its figures. `ended` says how a release that is no success came to its end."""

    kind: Literal["reviewed"] = "reviewed"
    readings: tuple[Reading, ...]
    targets_met: bool
    notes: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed(Event):
    """Trading of the model stopped. `epoch` is the model's count of kills with this one."""

    kind: Literal["killed"] = "killed"
    model: str
    reason: str
    epoch: int
    kill: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RearmSigned(Event):
    kind: Literal["rearm_signed"] = "rearm_signed"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearmed(Event):
    kind: Literal["rearmed"] = "rearmed"
    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEnrolled(Event):
    """A person may sign in these roles with this key.

    `logins` is what git, the experiment tracker or the machine call them; none says nothing new about that.
    `key_made_by` names who made the private key where it was not the person. `replaces_key` says that another key of
    theirs was in use, and that this was meant; `key_replaced` says when that took effect and by whom.
    """

    kind: Literal["person_enrolled"] = "person_enrolled"
    name: str
    roles: tuple[Role, ...]
    key_id: str
    public_key: str
    note: str = ""
    logins: tuple[str, ...] = ()
    key_made_by: str = ""
    replaces_key: bool = False
    key_replaced: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortemHeld(Event):
    """People met over a rollback and wrote down what they learned; without a `root_cause` that stays open."""

    kind: Literal["post_mortem_held"] = "post_mortem_held"
    notes: str
    root_cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutiesGranted(Event):
    """A person may do what these duties allow, beside those that their roles bring."""

    kind: Literal["duties_granted"] = "duties_granted"
    name: str
    duties: tuple[AccessRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DutiesWithdrawn(Event):
    """A person may no longer act in these duties, nor sign in these roles. What they signed stands."""

    kind: Literal["duties_withdrawn"] = "duties_withdrawn"
    name: str
    duties: tuple[AccessRole, ...]
    roles: tuple[Role, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectBound(Event):
    """Whoever the identity provider calls this subject is this person."""

    kind: Literal["subject_bound"] = "subject_bound"
    name: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectUnbound(Event):
    kind: Literal["subject_unbound"] = "subject_unbound"
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Event):
    """A token may be used until then; only the digest of its secret is kept."""

    kind: Literal["token_issued"] = "token_issued"
    token: str
    digest: str
    person: str
    scopes: tuple[Permission, ...]
    expires_at: datetime
    is_machine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    kind: Literal["token_revoked"] = "token_revoked"
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentProposed(Event):
    """One person wants another to hold roles, duties or a subject; it takes effect when a second person confirms."""

    kind: Literal["enrolment_proposed"] = "enrolment_proposed"
    proposal: str
    change: PersonEnrolled | DutiesGranted | SubjectBound
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentConfirmed(Event):
    """A second person agreed; the change itself is the next event."""

    kind: Literal["enrolment_confirmed"] = "enrolment_confirmed"
    proposal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentDeclined(Event):
    kind: Literal["enrolment_declined"] = "enrolment_declined"
    proposal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapIssued(Event):
    """A person may sign in once by a link as an administrator, until the identity provider knows one."""

    kind: Literal["bootstrap_issued"] = "bootstrap_issued"
    name: str
    digest: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapUsed(Event):
    kind: Literal["bootstrap_used"] = "bootstrap_used"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEnrolled(Event):
    """A person may sign with this authenticator too.

    `registration` is what it answered when the credential was made. `voucher` is an envelope over the credential,
    signed with what the person held before; it is empty for a person who never held a key or a credential.
    """

    kind: Literal["credential_enrolled"] = "credential_enrolled"
    name: str
    credential: Credential
    registration: str
    voucher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialWithdrawn(Event):
    """A person no longer signs with this authenticator. What it signed stands."""

    kind: Literal["credential_withdrawn"] = "credential_withdrawn"
    name: str
    credential: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposed(Event):
    """A person signed for another policy of the installation; it is in force once a second person signs the same.

    `content` is the policy's canonical JSON, `number` the version that it would be, `replaces` the digest of the policy
    that was confirmed before, empty where none was.
    """

    kind: Literal["policy_proposed"] = "policy_proposed"
    proposal: str
    number: int
    replaces: str
    content: str
    expires_at: datetime
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfirmed(Event):
    """A second person signed the same policy: it is in force, and every other proposal is void."""

    kind: Literal["policy_confirmed"] = "policy_confirmed"
    proposal: str
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDeclined(Event):
    kind: Literal["policy_declined"] = "policy_declined"
    proposal: str


AnyEvent = (
    Opened
    | Adopted
    | Validated
    | RegisteredAgain
    | FilesChanged
    | OverrideSigned
    | ApprovalRequested
    | ApprovalSigned
    | ApprovalRejected
    | Approved
    | ApprovalsVoided
    | ConditionMet
    | MemoIssued
    | DeployerSigned
    | ItemDone
    | PhaseEntered
    | Observed
    | CapitalCut
    | SessionNotHeld
    | Paused
    | Resumed
    | RollbackStarted
    | StepDone
    | FlatAttested
    | RollbackStuck
    | RolledBack
    | DeadlineBreached
    | Superseded
    | Reinstated
    | Rehearsed
    | NoticeSent
    | Reviewed
    | Killed
    | RearmSigned
    | Rearmed
    | PersonEnrolled
    | PostMortemHeld
    | DutiesGranted
    | DutiesWithdrawn
    | SubjectBound
    | SubjectUnbound
    | TokenIssued
    | TokenRevoked
    | EnrolmentProposed
    | EnrolmentConfirmed
    | EnrolmentDeclined
    | BootstrapIssued
    | BootstrapUsed
    | CredentialEnrolled
    | CredentialWithdrawn
    | PolicyProposed
    | PolicyConfirmed
    | PolicyDeclined
)


class ActorProof(StrEnum):
    """What the name of an actor rests on.

    `unauthenticated` is a name that was given on the machine itself, with --as or by the account: nobody checked it.
    `authenticated` came in at a server, by a token or a sign-in. `program` is the worker of the installation. An older
    Signoff recorded nothing.
    """

    UNRECORDED = ""
    UNAUTHENTICATED = "unauthenticated"
    AUTHENTICATED = "authenticated"
    PROGRAM = "program"

    @property
    def mark(self) -> str:
        """What is said beside a name that nobody checked; nothing beside another."""
        return f" ({self.value})" if self is ActorProof.UNAUTHENTICATED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it happened: who, when, in which stream, as which revision of it. `proof` is of the actor's name."""

    stream: str
    revision: int
    at: datetime
    actor: str
    event: AnyEvent
    proof: ActorProof = ActorProof.UNRECORDED
