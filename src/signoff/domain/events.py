"""Everything that can happen to a release, as facts in the past tense.

The ledger stores events; state is a fold over them. Streams: `deployment/<id>` for one release, `model/<name>` for the
kill switch of all releases of a model, `people` for who may sign, `policy` for the floor of every release.
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
    """The phase of a live release."""

    SHADOW = "shadow"
    LIMITED = "limited"
    FULL = "full"


class PauseReason(StrEnum):
    """Each of these blocks an advance and never a rollback."""

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
    """The level of a monitored figure against its thresholds. Unknown is never good."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class DeadlineName(StrEnum):
    """The deadlines of a rollback."""

    IMMEDIATE = "immediate"
    REVERT = "revert"
    REVIEW = "review"
    POST_MORTEM = "post_mortem"


class Vote(StrEnum):
    """The verdict of a signatory."""

    APPROVE = "approve"
    CONDITIONAL = "conditional"
    REJECT = "reject"
    OVERRIDE = "override"
    ADOPT = "adopt"
    REARM = "rearm"
    PROPOSE_POLICY = "propose_policy"
    CONFIRM_POLICY = "confirm_policy"


def key_mark(made_by: str, replaced: str) -> str:
    """The mark of a signature whose key another person made, or whose key replaced one in use."""
    mark = f" (key made by {made_by})" if made_by else ""
    return f"{mark} (key replaced {replaced})" if replaced else mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One person's signed decision; `envelope` is the DSSE envelope as JSON, verified before it got here.

    Of tier webauthn it carries an authenticator's assertion, and `key_id` is that of the credential. `key_made_by`
    names another person who made the private key and may have signed with it, or is empty. `key_replaced` says when and
    by whom the key replaced one in use; empty for a first key.
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
        """The kind of signature for tables, with the maker of the key if it was another person."""
        return f"{self.tier.value} {self.key_id[:12]}…" + key_mark(self.key_made_by, self.key_replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A WebAuthn credential: what a person's authenticator signs with, at one origin.

    `id` and `public_key` are as the authenticator gave them: base64url, and COSE in hex. `attestation` names the format
    of its maker's statement, `none` without one. `is_backed_up` says that a provider keeps copies of the key.
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
    """Why a person may not sign for a release."""

    SUBMITTED = "submitted"
    ISSUED_TOKEN = "issued_token"
    DEPLOYS = "deploys"
    WROTE = "wrote"
    PRODUCED_EVIDENCE = "produced_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """A person who may not sign for a release: an enrolled one, or a name that matches no enrolled person.

    `known_as` has every name in the source, so that a person who is matched later is barred too.
    """

    name: str
    because: Because
    source: str
    known_as: tuple[str, ...] = ()
    is_enrolled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events; `kind` is the name in the ledger."""


class Enrolment:
    """A change of one person that a second person confirms: an event, of a kind that says what changes."""

    __slots__ = ()
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """A release was opened, with its policy and the people who may not approve it.

    `grounds` has the reasons of each barred person, `unread` what could not be read. `floor` names the installation's
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
    """A version that was live before Signoff is recorded as the champion and as never validated here.

    `bound` is the registered version at that time; without one `unbound` says why.
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
    """A finding in the ledger."""

    key: str
    outcome: Outcome
    is_blocking: bool
    statistic: float | None
    threshold: float | None
    n: int
    is_near_miss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated(Event):
    """Every gate ran; `package` is the digest of the manifest of the validated files.

    `replay_seed` drew the dates of the point-in-time replay; older versions used 0. `bound` is the registered version
    of the package's files, `bound_previous` the fallback, both at that time; without them `unbound` says why. `profile`
    is the reference for live data; an older Signoff kept none.
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
    """Alarm: another registration has the tag of a version that was approved under its own number."""

    kind: Literal["registered_again"] = "registered_again"
    version: str
    number: int
    approved_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesChanged(Event):
    """Alarm: an approved number of the registry has other bytes than those approved.

    `found` names each file with its expected and found digests.
    """

    kind: Literal["files_changed"] = "files_changed"
    version: str
    number: int
    approved_digest: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideSigned(Event):
    """A person overrode the gates that block."""

    kind: Literal["override_signed"] = "override_signed"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """The memo was issued for approval; later signatures are over this manifest."""

    kind: Literal["approval_requested"] = "approval_requested"
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSigned(Event):
    kind: Literal["approval_signed"] = "approval_signed"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRejected(Event):
    """A signatory rejected the release, which ends it."""

    kind: Literal["approval_rejected"] = "approval_rejected"
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Event):
    """Every required role has signed the same manifest."""

    kind: Literal["approved"] = "approved"
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsVoided(Event):
    """Signed bytes changed, so all signatures are void."""

    kind: Literal["approvals_voided"] = "approvals_voided"
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionMet(Event):
    """The role that set a condition cleared it."""

    kind: Literal["condition_met"] = "condition_met"
    role: Role
    condition: str
    person: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """One certification of section 12 in an edition of the memo; `against` is empty if it is evidenced.

    Contradicted means that the evidence says the opposite; otherwise evidence is lacking.
    """

    certification: CertifiedSentence
    against: str = ""
    is_contradicted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoIssued(Event):
    """An edition of a memo was written, with the digest of its manifest and the certifications of section 12."""

    kind: Literal["memo_issued"] = "memo_issued"
    edition: str
    manifest: str
    certified: tuple[Certified, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployerSigned(Event):
    """The person who starts the rollout signed section 12, over the approved manifest. This is not an approval."""

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
    """A person did an item of section 9: a meeting, a dashboard, a document, a message."""

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

    It has `n` data of `needed`, the newest from `as_of`; None if not counted. `is_young` says that it is unknown only
    because the release has lived through too few sessions.
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
        """The level in words; unknown because the newest datum is too old is "stale"."""
        return "stale" if self.level == Level.UNKNOWN and "stale: " in self.detail else self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Event):
    """One day of monitoring. `fired` names the rollback triggers that hold, `unmet` what blocks an advance.

    `concerns` are the critical and unknown readings, or "no data". An older Signoff recorded None, and such a day
    counts neither as silence nor as judged. A session observed before its data came is observed again. `open_until` is
    the close of a session observed before its close, which is printed and never recorded. `reference` is the drift
    reference of that day; the first one of a release counts.
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
        """Whether the session was not silent: data came, and unknown readings only wait for more sessions."""
        return self.is_conclusive or (
            self.counts
            and any(reading.is_young for reading in self.readings)
            and all(reading.level != Level.UNKNOWN or reading.is_young for reading in self.readings)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalCut(Event):
    """Capital was cut after so many sessions in a row without conclusive data; only a person restores it."""

    kind: Literal["capital_cut"] = "capital_cut"
    allocation_pct: int
    sessions: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotHeld(Event):
    """A person declared that the venue did not hold a session; it counts neither as silence nor as a day of a phase."""

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
    """A step of the rollback finished, with its detail and the kind of venue.

    Older versions of Signoff had the simulated venue alone. `restored_digest` is of the files that the alias names
    since the step `revert`; None if no version was restored or its artefacts are not bound.
    """

    kind: Literal["step_done"] = "step_done"
    step: Step
    seconds: float
    detail: str
    venue: VenueKind = VenueKind.SIMULATED
    restored_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatAttested(Event):
    """A person attests, without a venue, that the model has no open order and no unwanted position.

    `venue` is the kind of venue of the installation.
    """

    kind: Literal["flat_attested"] = "flat_attested"
    person: str
    reason: str
    venue: VenueKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackStuck(Event):
    """A step could not finish: people are paged, and orders stay halted."""

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
    """How a notice was sent; an older Signoff did not record it."""

    UNRECORDED = ""
    FILE = "file"
    RECEIVER = "receiver"
    EMAIL = "email"


def receipt_in_words(delivery: Delivery, receiver: str, channel: str) -> str:
    """What became of a notice; "sent by email" only if a mail server accepted it."""
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
    """A rollback was rehearsed, with the seconds of each step and whether the budgets held.

    `restored_version` was loaded and run. The events are those acknowledged by a process before it was killed, and
    those of them that were lost; None if not measured. `venue` is its kind; older rehearsals had the simulated one.
    Without a venue the orders left are unknown; `left_because` is why a venue did not name them. `failed` is the step
    that could not be done, and why.
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
    """A notice was sent once, with its delivery and who accepted it. `channel` is its intended channel."""

    kind: Literal["notice_sent"] = "notice_sent"
    notice: str
    audience: tuple[str, ...]
    channel: str
    delivery: Delivery = Delivery.UNRECORDED
    receiver: str = ""
    at: datetime | None = None

    @property
    def words(self) -> str:
        """What became of the notice, in words."""
        return receipt_in_words(self.delivery, self.receiver, self.channel)

    @property
    def is_received(self) -> bool:
        """Whether a service or mail server accepted it; a file in the home does not count."""
        return self.delivery is not Delivery.FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed(Event):
    """The 30-day review was closed with its figures. `ended` says how an unsuccessful release ended."""

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
class PersonEnrolled(Event, Enrolment):
    """A person may sign in these roles with this key.

    `logins` are the names in git, the experiment tracker or the machine; without any, known ones stay. `key_made_by`
    names another person who made the private key. `replaces_key` confirms that a key in use is replaced; `key_replaced`
    says when that took effect and by whom.
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
    """A post-mortem of a rollback was held; without a `root_cause` the cause stays open."""

    kind: Literal["post_mortem_held"] = "post_mortem_held"
    notes: str
    root_cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutiesGranted(Event, Enrolment):
    """A person received these access roles beside those of their roles."""

    kind: Literal["duties_granted"] = "duties_granted"
    name: str
    duties: tuple[AccessRole, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DutiesWithdrawn(Event):
    """A person lost these access roles and roles. Earlier signatures stay valid."""

    kind: Literal["duties_withdrawn"] = "duties_withdrawn"
    name: str
    duties: tuple[AccessRole, ...]
    roles: tuple[Role, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectBound(Event, Enrolment):
    """A subject of the identity provider was bound to a person."""

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
    """A token was issued until then; only the digest of its secret is kept."""

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


EnrolmentEvent = PersonEnrolled | DutiesGranted | SubjectBound


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentProposed(Event):
    """A person proposed roles, access roles or a subject for another; a second person has to confirm."""

    kind: Literal["enrolment_proposed"] = "enrolment_proposed"
    proposal: str
    change: Enrolment
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentConfirmed(Event):
    """A second person confirmed; the change itself is the next event."""

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
    """A person enrolled this authenticator.

    `registration` is its answer when the credential was made. `voucher` is an envelope over the credential, signed with
    an earlier key or credential of the person; empty if there was none.
    """

    kind: Literal["credential_enrolled"] = "credential_enrolled"
    name: str
    credential: Credential
    registration: str
    voucher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialWithdrawn(Event):
    """An authenticator was withdrawn. Its earlier signatures stay valid."""

    kind: Literal["credential_withdrawn"] = "credential_withdrawn"
    name: str
    credential: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposed(Event):
    """A person signed a new policy of the installation, which is in force once a second person signs it.

    `content` is the policy's canonical JSON, `number` its version, `replaces` the digest of the policy confirmed
    before, or empty.
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
    """A second person signed the policy: it is in force, and all other proposals are void."""

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
    """How an actor's name was proved.

    `unauthenticated` is an unchecked name given on the machine itself, by --as or the account. `authenticated` came to
    a server with a token or a sign-in. `program` is the worker of the installation. An older Signoff recorded nothing.
    """

    UNRECORDED = ""
    UNAUTHENTICATED = "unauthenticated"
    AUTHENTICATED = "authenticated"
    PROGRAM = "program"

    @property
    def mark(self) -> str:
        """The mark beside an unchecked name; empty beside a checked one."""
        return f" ({self.value})" if self is ActorProof.UNAUTHENTICATED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event with its actor, time, stream and revision. `proof` is of the actor's name."""

    stream: str
    revision: int
    at: datetime
    actor: str
    event: AnyEvent
    proof: ActorProof = ActorProof.UNRECORDED
