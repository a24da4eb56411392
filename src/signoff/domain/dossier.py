"""What people declare about a release: one record a file, one class a section of the memo.

A dossier states intentions, risks, contacts and plans, never results: these are computed from evidence. `dossier.yaml`
is parsed straight into these records, so each bound is written once, beside its field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from annotated_types import Ge, Gt, Interval, Le, MaxLen, MinLen

from signoff.domain.commitments import Assumption, Commitments, Communication, DeploymentType, Success, Text
from signoff.domain.costs import CostBasis
from signoff.domain.frequency import Frequency
from signoff.domain.limits import PositionLimits, Restrictions
from signoff.domain.names import name_objection
from signoff.domain.policy import Percentage, Role, Strict

MOST_OF_SUMMARY: Final = 4000
"""Characters, since each number of a summary is compared with every figure."""


class Trigger(StrEnum):
    """Why now: the seven boxes of section 1.3."""

    SCHEDULED_REFRESH = "scheduled_refresh"
    PERFORMANCE_DEGRADATION = "performance_degradation"
    NEW_DATA = "new_data"
    RESEARCH = "research"
    REGULATORY = "regulatory"
    BUG_FIX = "bug_fix"
    OTHER = "other"


class Grade(StrEnum):
    """Likelihood and impact of a risk."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Environment(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Fallback(StrEnum):
    """What runs if the previous version cannot: the boxes of section 5.2."""

    MANUAL = "manual_trading"
    RULES = "rule_based_baseline"
    ENSEMBLE = "ensemble"
    OTHER = "other"


class PredictionKind(StrEnum):
    """A score is neutral at 0, a probability at 0.5."""

    SCORE = "score"
    PROBABILITY = "probability"

    @property
    def neutral(self) -> float:
        return 0.5 if self is PredictionKind.PROBABILITY else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPerson(Strict):
    name: Text
    role: Text
    email: str = ""
    slack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Strict):
    """Who deploys which version when."""

    model: Annotated[str, MinLen(1)]
    version: Text
    previous_version: str | None
    deployment_date: date
    deployed_by: NamedPerson
    deployment_type: DeploymentType
    document_version: str = "1.0"
    summary: Annotated[str, MaxLen(MOST_OF_SUMMARY)] | None = None
    desk: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Justifications(Strict):
    """Why each category of section 1.2 changed; a category that did not change needs none."""

    features: str | None = None
    architecture: str | None = None
    training_data: str | None = None
    hyperparameters: str | None = None
    infrastructure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rationale(Strict):
    """Section 1."""

    goal: Text
    justifications: Justifications
    triggers: Annotated[tuple[Trigger, ...], MinLen(1)]
    trigger_other: str | None = None
    timing: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets(Strict):
    """The targets of the backtest in section 2.1."""

    sharpe: float
    annual_return_pct: Percentage
    max_drawdown_pct: Annotated[float, Interval(ge=-100.0, le=0.0)]
    hit_rate_pct: Percentage
    win_loss_ratio: Annotated[float, Gt(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PitAudits(Strict):
    """Optional files for faults that a replay cannot see; docs/point-in-time.md describes them.

    `first_prints` is by the name of the input that it belongs to; `membership` is the universe through time, compared
    with the predictions; `training_labels` and `test_windows` belong together.
    """

    first_prints: Mapping[str, str] = field(default_factory=dict)
    membership: str | None = None
    warm_up_dates: Annotated[int, Ge(0)] = 0
    training_labels: str | None = None
    test_windows: str | None = None
    live_features: str | None = None

    def __post_init__(self) -> None:
        if (self.training_labels is None) != (self.test_windows is None):
            raise ValueError("training_labels and test_windows are compared with each other; name both, or neither")

    @property
    def files(self) -> Mapping[str, str]:
        """Every file by the key that names it."""
        single = {
            "membership": self.membership,
            "training_labels": self.training_labels,
            "test_windows": self.test_windows,
            "live_features": self.live_features,
        }
        several = {f"first_prints.{name}": path for name, path in self.first_prints.items()}
        return several | {key: path for key, path in single.items() if path is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PitDeclaration(Strict):
    """Section 2.3: the feature function that is replayed, and what people verified by hand.

    `strategy` is a function of the same inputs that gives signals, sizes and trades, one row a time and symbol; it is
    replayed like the features. `from_times` declares features made of times and symbols alone, which are not checked
    against memory; the memo says so.
    """

    compute: Annotated[str, MinLen(3)]
    inputs: Annotated[Mapping[str, str], MinLen(1)]
    strategy: Annotated[str, MinLen(3)] | None = None
    from_times: tuple[Text, ...] = ()
    sample_dates: Annotated[int, Ge(1)] = 24
    audits: PitAudits = field(default_factory=PitAudits)
    code_review_by: str | None = None
    third_party_audit: str | None = None
    issues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDeclaration(Strict):
    """Section 2.4: how the paper period was made, and how its anomalies are explained."""

    method: Text
    explanations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation(Strict):
    """Section 2.

    `prediction_horizon` is the number of sessions that one realised return covers; by default it is inferred from their
    overlap. `score_neutral` confirms that scores which could be probabilities are scores: 0 means no view.
    """

    prediction: PredictionKind
    targets: Targets
    near_misses: Mapping[str, Text] = field(default_factory=dict)
    pit: PitDeclaration
    paper: PaperDeclaration
    prediction_horizon: Annotated[int, Interval(ge=1, le=1000)] | None = None
    score_neutral: Annotated[float, Interval(ge=0.0, le=0.0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk(Strict):
    """One row of the matrix in section 3.1."""

    risk: Text
    likelihood: Grade
    impact: Grade
    mitigation: Text
    owner: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(Strict):
    name: Text
    sla: str = ""
    fallback: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePoint(Strict):
    """A single point of failure and its mitigation."""

    name: Text
    mitigation: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class StressWindow(Strict):
    """A period of one's own for section 3.3, from its first to its last day."""

    title: Text
    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"the window {self.title!r} ends on {self.end}, before it starts on {self.start}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAssessment(Strict):
    """Section 3."""

    risks: Annotated[tuple[Risk, ...], MinLen(1)]
    external_services: tuple[Dependency, ...]
    data_feeds: tuple[Dependency, ...]
    infrastructure: tuple[Dependency, ...]
    single_points_of_failure: tuple[SinglePoint, ...]
    position_limits: PositionLimits
    stress_windows: tuple[StressWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring(Strict):
    """Section 4.2: the dashboard and who is alerted."""

    dashboard: Text
    pager: Text
    channels: Annotated[tuple[Text, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory(Strict):
    """The person who holds a role of section 4.3 in this release."""

    role: Role
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Strict):
    """Section 4: what this release tightens, and who signs."""

    tighten: Mapping[str, float] = field(default_factory=dict)
    monitoring: Monitoring
    signatories: Annotated[tuple[Signatory, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackDeclaration(Strict):
    """Section 5."""

    incident_channel: Text
    fallback: Fallback
    fallback_other: str | None = None
    deployment_package: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries(Strict):
    """Section 6."""

    assumptions: Annotated[tuple[Assumption, ...], MinLen(1)]
    does_not: Annotated[tuple[Text, ...], MinLen(1)]
    restrictions: Restrictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed(Strict):
    """One row of section 7.3."""

    name: Text
    provider: Text
    sla: Text
    fallback: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureService(Strict):
    endpoint: Text
    sla: Text
    caching: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure(Strict):
    """Section 7. `lock` is a file of the folder that pins every package of production."""

    environment: Environment
    platform: Text
    container: Text
    resources: Text
    autoscaling: Text
    configuration: Mapping[str, str | int | float | bool]
    flag_service: Text
    feeds: Annotated[tuple[Feed, ...], MinLen(1)]
    feature_service: FeatureService
    lock: Text | None = None

    @property
    def image_digest(self) -> str | None:
        """The digest in `container`, None if it names its image by a tag alone."""
        _, _, named = self.container.partition("@sha256:")
        digits = named.strip().lower()
        is_digest = len(digits) == 64 and not set(digits) - set("0123456789abcdef")
        return f"sha256:{digits}" if is_digest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement(Strict):
    """One regulation of section 8.1 with the evidence that it is met.

    `test` is a test in one of the dossier's JUnit reports that shows it; `declared_by` answers for it without a test.
    """

    name: Text
    evidence: Text
    applies: bool = True
    test: Text | None = None
    declared_by: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRange(Strict):
    """The commits of this version, in a local clone: those of `until` that `since` does not have.

    `since` and `until` default to the commits of the previous and of this version in the model registry; without a
    previous one, everything up to `until` counts.
    """

    repository: Text
    since: Text | None = None
    until: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance(Strict):
    """Section 8."""

    requirements: Annotated[tuple[Requirement, ...], MinLen(1)]
    model_card: Text
    experiment: Text
    ticket: Text
    pull_request: Text
    reviewers: Annotated[tuple[Text, ...], MinLen(1)]
    commit_authors: tuple[Text, ...] = ()
    commits: CommitRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Strict):
    """A link of section 11.1: a path beside the dossier, or a URL."""

    title: Text
    link: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts(Strict):
    owner: NamedPerson
    tech_lead: NamedPerson
    on_call: Text
    escalation: Annotated[tuple[Text, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appendix(Strict):
    """Section 11."""

    references: Annotated[tuple[Reference, ...], MinLen(1)]
    model_file: Text
    feature_schema: Text
    inference_script: Text
    contacts: Contacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification(Strict):
    """Section 12: who signs the release off."""

    signed_by: Text


class ReturnUnit(StrEnum):
    """The meaning of 1 in every table of returns: all of the capital, or one percent of it."""

    FRACTION = "fraction"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtremeReturn(Strict):
    """A true return of more than 100% in one period, with its date and value in the table.

    `symbol` names the asset or the column of the trials; without it, any of them may be meant.
    """

    date: date
    value: float
    symbol: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HighSharpe(Strict):
    """Why an annual Sharpe ratio above the limit of the policy is true, and up to which ratio. The memo prints it."""

    up_to: Annotated[float, Gt(0), Le(1000)]
    reason: Annotated[str, MinLen(10), MaxLen(1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverTraded(Strict):
    """Configurations that were tried and never traded. They have no returns and count as trials.

    `names` is optional; the gate refuses a name that is a column of the trials.
    """

    trials: Annotated[int, Ge(1), Le(1_000_000)]
    names: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.names and len(set(self.names)) != self.trials:
            raise ValueError(f"trials says {self.trials}, and names has {len(set(self.names))} different names")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDeclaration(Strict):
    """Who produced the evidence, the unit of its returns, and what its dates cannot show about time.

    The users of tracked runs come from the tracker and need no line here. Without `return_unit` returns are fractions,
    and tables that read as percentages are refused. Undeclared facts about time come from the dates; declared ones that
    disagree with the dates are refused. `risk_free_pct` is an annual rate; `benchmark_lag` is how many rows the
    benchmark is before the backtest (a book in Tokyo moves with New York's session of the day before), and
    `benchmark_calendar` names the exchange of a benchmark with other trading days. `costs` says whether every table of
    returns is net of costs. `outside_the_backtest` says why the backtest leaves out sessions of other measurements.
    """

    produced_by: tuple[Text, ...] = ()
    return_unit: ReturnUnit | None = None
    extreme_returns: tuple[ExtremeReturn, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    frequency: Frequency | None = None
    rows_a_year: Annotated[float, Ge(1), Le(366)] | None = None
    calendar: Text | None = None
    zone: Text | None = None
    risk_free_pct: Annotated[float, Interval(ge=-2.0, le=50.0)] = 0.0
    benchmark_lag: Annotated[int, Interval(ge=-5, le=5)] | None = None
    benchmark_calendar: Text | None = None
    high_sharpe: HighSharpe | None = None
    never_traded: NeverTraded | None = None
    costs: CostBasis | None = None
    outside_the_backtest: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier(Strict):
    """The whole declaration, in the memo's order."""

    header: Header
    rationale: Rationale
    validation: Validation
    risk: RiskAssessment
    plan: Plan
    rollback: RollbackDeclaration
    boundaries: Boundaries
    infrastructure: Infrastructure
    governance: Governance
    communication: Communication
    success: Success
    appendix: Appendix
    sign_off: Certification
    registered_model: str | None = None
    evidence: EvidenceDeclaration = field(default_factory=EvidenceDeclaration)

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def version(self) -> str:
        return self.header.version

    def _documents(self) -> dict[str, str]:
        """The links of the model card and the code repository, by these names."""
        links = {"model_card": self.governance.model_card}
        repository = next((r.link for r in self.appendix.references if _is_repository(r)), None)
        return links | ({"repository": repository} if repository else {})

    @property
    def undertakings(self) -> Commitments:
        """The commitments that the record keeps and that are enforced."""
        return Commitments(
            communication=self.communication,
            assumptions=self.boundaries.assumptions,
            success=self.success,
            restrictions=self.boundaries.restrictions,
            position_limits=self.risk.position_limits,
            incident_channel=self.rollback.incident_channel,
            documents=self._documents(),
            deployment_date=self.header.deployment_date,
            risk_free_pct=self.evidence.risk_free_pct,
        )


def _is_repository(reference: Reference) -> bool:
    return "repository" in reference.title.lower()


def inconsistencies(dossier: Dossier) -> tuple[tuple[str, str], ...]:
    """Errors across fields: (dotted key, what is wrong and what to do)."""
    header = dossier.header
    names = [("header.model", header.model), ("header.version", header.version)]
    names += [] if header.desk is None else [("header.desk", header.desk)]
    faults = [(key, objection) for key, name in names if (objection := name_objection(name)) is not None]
    is_initial = header.deployment_type is DeploymentType.INITIAL
    if is_initial and header.previous_version is not None:
        faults.append(
            (
                "header.previous_version",
                f"an initial deployment has no previous version, found {header.previous_version!r}; "
                "write null, or make deployment_type 'upgrade'",
            )
        )
    if not is_initial and header.previous_version is None:
        faults.append(
            (
                "header.previous_version",
                f"deployment_type {header.deployment_type.value!r} needs the version it replaces, found null",
            )
        )
    if Trigger.OTHER in dossier.rationale.triggers and not dossier.rationale.trigger_other:
        faults.append(("rationale.trigger_other", "trigger 'other' needs a text that says what it is"))
    if dossier.rollback.fallback is Fallback.OTHER and not dossier.rollback.fallback_other:
        faults.append(("rollback.fallback_other", "fallback 'other' needs a text that says what it is"))
    roles = [signatory.role for signatory in dossier.plan.signatories]
    faults.extend(
        ("plan.signatories", f"role {role.value!r} is named twice; name one person a role")
        for role in sorted(set(roles))
        if roles.count(role) > 1
    )
    if dossier.success.review_date <= header.deployment_date:
        faults.append(("success.review_date", "the 30-day review must lie after header.deployment_date"))
    return tuple(faults)
