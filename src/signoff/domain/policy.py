"""The firm's floor: thresholds, roles, phases and triggers for every release.

A dossier may tighten a threshold and never loosen it; the annotation of each number says which way is stricter.
`tighten` applies a dossier's stricter values and returns every attempt to loosen.
"""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from math import expm1, isfinite, log1p
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Lt, MinLen, MultipleOf

from signoff.domain.venue import PositionsAfter, VenueKind


class Stricter(StrEnum):
    """Which direction of a threshold is the stricter one."""

    HIGHER = "higher"
    LOWER = "lower"


HIGHER: Final = Stricter.HIGHER
LOWER: Final = Stricter.LOWER

Share = Annotated[float, Interval(ge=0.0, le=1.0)]
Percentage = Annotated[float, Interval(ge=0.0, le=100.0)]


class Strict:
    """Parsed at the edge with unknown keys refused."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "allow_inf_nan": False}
    __slots__ = ()


class Role(StrEnum):
    """The six people of the memo's section 4.3."""

    MODEL_OWNER = "model_owner"
    LEAD_QUANT = "lead_quant"
    RISK_MANAGER = "risk_manager"
    HEAD_OF_TRADING = "head_of_trading"
    CTO = "cto"
    COMPLIANCE = "compliance"

    @property
    def title(self) -> str:  # type: ignore[override]  # a role's title is its name as people print it
        return {"cto": "CTO / Head of Tech"}.get(self.value, self.value.replace("_", " ").capitalize())


class Tier(StrEnum):
    """The means of a signature: a key in a file, or an authenticator that a person touched and unlocked."""

    KEY = "key"
    WEBAUTHN = "webauthn"

    def reaches(self, needed: "Tier") -> bool:
        """Whether this tier is the one needed or a stronger one."""
        order = tuple(Tier)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaGate(Strict):
    """Symmetric Prediction Accuracy.

    `realized_agreement` is the least share of rows on which the realised returns equal those of `asset_returns` over
    the declared horizon, if a release has both.
    """

    threshold: Annotated[Share, HIGHER] = 0.45
    minimum_per_side: Annotated[int, Ge(1), HIGHER] = 30
    realized_agreement: Annotated[Share, HIGHER] = 0.95
    blocking: bool = True
    long_only_waiver: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DsrGate(Strict):
    """Downside Sensitivity Ratio."""

    threshold: Annotated[float, Gt(0), LOWER] = 1.5
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PboGate(Strict):
    """Probability of Backtest Overfitting, by CSCV.

    A trial is junk if the best trial of the record has three times its Sharpe ratio and beats it in at least
    `junk_share` of the halves: it would never be chosen, and its presence alone puts the others above the median.
    """

    threshold: Annotated[Share, LOWER] = 0.5
    partitions: Annotated[int, Ge(4), Le(20), MultipleOf(2)] = 16
    junk_share: Annotated[float, Gt(0.5), Le(1), LOWER] = 0.99
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForwardGate(Strict):
    """Share of positive out-of-sample windows."""

    threshold: Annotated[Share, HIGHER] = 0.70
    window_sessions: Annotated[int, Ge(5)] = 63
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VarGate(Strict):
    """Value at risk within its limit, with coverage that the tests do not reject."""

    limit_pct: Annotated[float, Interval(ge=-100.0, lt=0.0), HIGHER] = -2.5
    level: Annotated[float, Gt(0.5), Lt(1)] = 0.95
    method: Literal["historical", "parametric", "filtered_historical"] = "historical"
    window_sessions: Annotated[int, Ge(100)] = 500
    significance: Annotated[float, Gt(0), Lt(1), HIGHER] = 0.05
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PointInTimeGate(Strict):
    """No feature uses the future; there is no threshold to loosen.

    `minimum_replayed_share` of the decision dates must have features and inputs for the replay.
    """

    minimum_dates: Annotated[int, Ge(1), HIGHER] = 10
    minimum_replayed_share: Annotated[Share, HIGHER] = 0.95
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflatedSharpeGate(Strict):
    """Probability that the true Sharpe ratio is above the expected best of N worthless trials."""

    threshold: Annotated[Share, HIGHER] = 0.95
    blocking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HansenSpaGate(Strict):
    """Whether the best of all trials beats the benchmark, by Hansen's test with the stationary bootstrap."""

    threshold: Annotated[float, Gt(0), Lt(1), LOWER] = 0.05
    benchmark: Literal["cash", "previous"] = "cash"
    mean_block_sessions: Annotated[float, Ge(1)] = 10.0
    repetitions: Annotated[int, Ge(100), Le(1_000_000)] = 10_000
    seed: Annotated[int, Ge(0)] = 0
    blocking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsGate(Strict):
    """Missing rows of the calendar and rows while the market is shut, in percent of the calendar's rows."""

    limit_pct: Annotated[Percentage, LOWER] = 0.2
    blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy(Strict):
    """Thresholds of the gates, and which of them block.

    Trials whose correlation is above `same_trial_correlation` in size are one bet: at any leverage, reversed or not.
    A declared risk-free rate below `lowest_risk_free_pct` a year is refused, since it lifts every Sharpe ratio.
    A backtest whose annual Sharpe ratio is above `largest_sharpe` is asked for a declaration.
    """

    spa: SpaGate = field(default_factory=SpaGate)
    dsr: DsrGate = field(default_factory=DsrGate)
    pbo: PboGate = field(default_factory=PboGate)
    walk_forward: WalkForwardGate = field(default_factory=WalkForwardGate)
    var: VarGate = field(default_factory=VarGate)
    point_in_time: PointInTimeGate = field(default_factory=PointInTimeGate)
    deflated_sharpe: DeflatedSharpeGate = field(default_factory=DeflatedSharpeGate)
    hansen_spa: HansenSpaGate = field(default_factory=HansenSpaGate)
    sessions: SessionsGate = field(default_factory=SessionsGate)
    near_miss_pct: Percentage = 10.0
    same_trial_correlation: Annotated[float, Ge(0.5), Lt(1)] = 0.95
    lowest_risk_free_pct: Annotated[float, Interval(ge=-2.0, le=0.0), HIGHER] = -1.0
    largest_sharpe: Annotated[float, Gt(0), Le(1000), LOWER] = 10.0

    def thresholds_of(self, key: str) -> tuple[str, ...]:
        """Every number and choice of a gate."""
        gate = getattr(self, key)
        return tuple(f"{one.name} {getattr(gate, one.name)}" for one in fields(gate))


class OnUnknown(StrEnum):
    """What follows if the authors of a release's work are not known."""

    BLOCK = "block"
    TELL = "tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy(Strict):
    """Who must sign, how long a signature is valid, what an override takes, and the required strength of a signature.

    `minimum_tier` is for every role; `webauthn_roles` need that tier in any case. `unread_commits` is for a declared
    range of commits whose authors cannot be read, `unknown_makers` for authors and users of runs who match no enrolled
    person. `tell` prints it in the memo that people sign.
    """

    roles: Annotated[tuple[Role, ...], MinLen(1)] = (
        Role.MODEL_OWNER,
        Role.LEAD_QUANT,
        Role.RISK_MANAGER,
        Role.HEAD_OF_TRADING,
        Role.CTO,
    )
    compliance_required: bool = True
    expires_days: Annotated[int, Ge(1), LOWER] = 30
    override_persons: Annotated[int, Ge(2), HIGHER] = 2
    override_roles: Annotated[tuple[Role, ...], MinLen(1)] = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING, Role.CTO)
    minimum_tier: Tier = Tier.KEY
    webauthn_roles: tuple[Role, ...] = ()
    unread_commits: OnUnknown = OnUnknown.BLOCK
    unknown_makers: OnUnknown = OnUnknown.TELL

    def tier_for(self, role: Role) -> Tier:
        """The weakest tier whose signature counts in this role."""
        return Tier.WEBAUTHN if role in self.webauthn_roles else self.minimum_tier

    @property
    def required(self) -> tuple[Role, ...]:
        """Every role whose approval a release needs."""
        if self.compliance_required and Role.COMPLIANCE not in self.roles:
            return (*self.roles, Role.COMPLIANCE)
        return self.roles


class CertifiedSentence(StrEnum):
    """The six sentences that section 12 certifies, each with the phase that waits for it, when it can first be true."""

    GATES = "gates"
    RISK = "risk"
    ROLLBACK = "rollback"
    MONITORING = "monitoring"
    STAKEHOLDERS = "stakeholders"
    GOVERNANCE = "governance"

    @property
    def phase(self) -> Literal["shadow", "limited"]:
        """The phase that it guards."""
        late = {CertifiedSentence.MONITORING, CertifiedSentence.GOVERNANCE}
        return "limited" if self in late else "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOffPolicy(Strict):
    """The rules of section 12.

    The notices of T-24h are due `notice_hours` before the start, and delay it unless `stakeholders` is accepted.
    `accepted_not_evidenced` are certifications that may lack evidence; page one lists them. A contradicted one is never
    accepted. `deployer_signs` refuses a start without the deployer's signature.
    """

    notice_hours: Annotated[float, Ge(0), HIGHER] = 24.0
    accepted_not_evidenced: tuple[CertifiedSentence, ...] = (
        CertifiedSentence.RISK,
        CertifiedSentence.MONITORING,
        CertifiedSentence.STAKEHOLDERS,
        CertifiedSentence.GOVERNANCE,
    )
    deployer_signs: bool = False


class DayCount(StrEnum):
    """The days that a phase counts."""

    SESSIONS = "sessions"
    CALENDAR = "calendar"


class ChampionShare(StrEnum):
    """What the champion trades while its candidate is in the limited phase."""

    REST = "rest"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePolicy(Strict):
    """The rollout's phases.

    While a candidate trades its limited share, the champion trades the rest of the capital, or all of it.
    """

    days: DayCount = DayCount.SESSIONS
    calendar: str = "XNYS"
    shadow_days: Annotated[int, Ge(1), HIGHER] = 7
    limited_days: Annotated[int, Ge(1), HIGHER] = 7
    limited_allocation_pct: Annotated[int, Interval(ge=1, le=50), LOWER] = 10
    enhanced_monitoring_days: Annotated[int, Ge(1), HIGHER] = 30
    champion_share_while_limited: ChampionShare = ChampionShare.REST

    @property
    def sessions_a_year(self) -> float:
        """The factor that annualises live Sharpe ratios: 252 sessions of an exchange, or every day."""
        return 365.0 if self.days is DayCount.CALENDAR or self.calendar == "24/7" else 252.0

    def session_rate(self, annual_pct: float) -> float:
        """The risk-free return of one of these days."""
        return expm1(log1p(annual_pct / 100) / self.sessions_a_year)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpeTrigger(Strict):
    """Roll back when the rolling Sharpe ratio stays below a floor for n days in a row.

    Only lived sessions count, once there are `minimum_days` of them: earlier ones were known at the approval and are no
    reason to roll back.
    """

    below: Annotated[float, HIGHER] = 0.5
    consecutive_days: Annotated[int, Ge(1), LOWER] = 10
    window_days: Annotated[int, Ge(5)] = 30
    minimum_days: Annotated[int, Ge(5), LOWER] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VarTrigger(Strict):
    """Roll back on VaR breaches attributed to the model: `exceptions` or more within `window_days`."""

    exceptions: Annotated[int, Ge(1), LOWER] = 5
    window_days: Annotated[int, Ge(1)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPolicy(Strict):
    """The rollback triggers, in any phase."""

    sharpe: SharpeTrigger = field(default_factory=SharpeTrigger)
    var: VarTrigger = field(default_factory=VarTrigger)
    error_rate_pct: Annotated[Percentage, LOWER] = 5.0
    latency_p95_ms: Annotated[float, Gt(0), LOWER] = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencePolicy(Strict):
    """After how many sessions in a row without conclusive data capital is cut to the limited share, then to zero.

    A session without data and one with an unknown reading count alike. Only a person restores capital. If the second
    number is smaller, capital is cut to zero at once.
    """

    limited_after_sessions: Annotated[int, Interval(ge=1, le=60), LOWER] = 2
    zero_after_sessions: Annotated[int, Interval(ge=1, le=60), LOWER] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FallingAlert(Strict):
    """An alert on a figure that is bad when low."""

    warning: Annotated[float, HIGHER]
    critical: Annotated[float, HIGHER]
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingAlert(Strict):
    """An alert on a figure that is bad when high."""

    warning: Annotated[float, LOWER]
    critical: Annotated[float, LOWER]
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy(Strict):
    """Warning and critical levels of what is monitored, each with its action."""

    sharpe_30d: FallingAlert = field(
        default_factory=lambda: FallingAlert(warning=1.0, critical=0.5, action="Review / Disable")
    )
    psi: RisingAlert = field(
        default_factory=lambda: RisingAlert(warning=0.1, critical=0.25, action="Investigate / Retrain")
    )
    latency_p95_ms: RisingAlert = field(
        default_factory=lambda: RisingAlert(warning=100.0, critical=200.0, action="Scale / Optimise")
    )
    error_rate_pct: RisingAlert = field(
        default_factory=lambda: RisingAlert(warning=1.0, critical=5.0, action="Investigate / Rollback")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPolicy(Strict):
    """The budgets of a rollback, the greatest age of its rehearsal, and how often a stuck one pages people.

    `positions` says whether a model with positions counts as flat, `rehearsal_venue` the least venue of a rehearsal.
    """

    immediate_minutes: Annotated[float, Gt(0), LOWER] = 5.0
    revert_minutes: Annotated[float, Gt(0), LOWER] = 15.0
    review_minutes: Annotated[float, Gt(0), LOWER] = 120.0
    post_mortem_hours: Annotated[float, Gt(0), LOWER] = 48.0
    rehearsal_max_age_days: Annotated[int, Ge(1), LOWER] = 90
    page_every_minutes: Annotated[float, Gt(0), LOWER] = 15.0
    escalate_after_minutes: Annotated[float, Gt(0), LOWER] = 30.0
    positions: PositionsAfter = PositionsAfter.CLOSED
    rehearsal_venue: VenueKind = VenueKind.NONE


AdvisoryGate = Literal["spa", "dsr", "pbo", "walk_forward", "deflated_sharpe", "hansen_spa"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortenedPolicy(Strict):
    """What a hotfix or redeployment may leave out, which is never everything.

    Value at risk and point in time are not among the gates that may become advisory; the risk manager and the head of
    trading sign whether they are listed or not. A dossier tightens the phases themselves.
    """

    advisory_gates: tuple[AdvisoryGate, ...] = ()
    shadow_days: Annotated[int, Ge(1)] = 1
    limited_days: Annotated[int, Ge(1)] = 1
    roles: Annotated[tuple[Role, ...], MinLen(1)] = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING)
    notice_hours: Annotated[float, Ge(0)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessPolicy(Strict):
    """The floors of the 30-day targets in section 10.1."""

    correlation_with_backtest: Annotated[float, Interval(ge=-1.0, le=1.0), HIGHER] = 0.7
    uptime_pct: Annotated[Percentage, HIGHER] = 99.9
    error_rate_pct: Annotated[Percentage, LOWER] = 1.0


class UnknownEvent(StrEnum):
    """What follows for an order that adds risk if the date of the next event is unknown."""

    REFUSE = "refuse"
    ASSUME_NONE = "assume_none"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGatePolicy(Strict):
    """The pre-trade checks' substitutes for unknown figures. Without one, an order that adds risk is refused.

    Only the firm names a substitute: no key here is a threshold, so a dossier can neither set nor loosen one.
    `max_age_days` makes every figure unknown that is older or has no day.
    """

    unknown_adv_usd: Annotated[float, Ge(0)] | None = None
    unknown_vix: Annotated[float, Gt(0)] | None = None
    unknown_event: UnknownEvent = UnknownEvent.REFUSE
    unknown_sector: Annotated[str, MinLen(1)] | None = None
    max_age_days: Annotated[int, Ge(0)] | None = None

    @property
    def substitutes(self) -> tuple[str, ...]:
        """Each substitute in one clause, for the memo and the commands."""
        texts = []
        if self.unknown_adv_usd is not None:
            texts.append(f"unknown ADV is taken as ${self.unknown_adv_usd:,.0f}, by policy")
        if self.unknown_vix is not None:
            texts.append(f"unknown VIX is taken as {self.unknown_vix:g}, by policy")
        if self.unknown_event is UnknownEvent.ASSUME_NONE:
            texts.append("an unknown event date is taken as none scheduled, by policy")
        if self.unknown_sector is not None:
            texts.append(f"an unknown sector is taken as {self.unknown_sector}, by policy")
        return tuple(texts)

    @property
    def words(self) -> str:
        """What happens to an order that adds risk while a figure is unknown."""
        figures = {
            "ADV": self.unknown_adv_usd,
            "VIX": self.unknown_vix,
            "event date": None if self.unknown_event is UnknownEvent.REFUSE else self.unknown_event,
            "sector": self.unknown_sector,
        }
        refused = [name for name, substitute in figures.items() if substitute is None]
        texts = [*self.substitutes]
        if refused:
            texts.append(f"an order that adds risk is refused while its {' or '.join(refused)} is unknown")
        if self.max_age_days is not None:
            texts.append(f"a figure older than {self.max_age_days} days is unknown")
        return "; ".join(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Strict):
    """The whole floor, as one file."""

    name: str
    version: str
    gates: GatePolicy = field(default_factory=GatePolicy)
    approvals: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    phases: PhasePolicy = field(default_factory=PhasePolicy)
    triggers: TriggerPolicy = field(default_factory=TriggerPolicy)
    silence: SilencePolicy = field(default_factory=SilencePolicy)
    alerts: AlertPolicy = field(default_factory=AlertPolicy)
    rollback: RollbackPolicy = field(default_factory=RollbackPolicy)
    hotfix: ShortenedPolicy = field(
        default_factory=lambda: ShortenedPolicy(
            advisory_gates=("spa", "pbo", "walk_forward"), shadow_days=2, limited_days=3
        )
    )
    redeployment: ShortenedPolicy = field(
        default_factory=lambda: ShortenedPolicy(advisory_gates=("spa", "dsr", "pbo", "walk_forward"))
    )
    success: SuccessPolicy = field(default_factory=SuccessPolicy)
    order_gate: OrderGatePolicy = field(default_factory=OrderGatePolicy)
    sign_off: SignOffPolicy = field(default_factory=SignOffPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One number of the policy that a dossier may tighten."""

    path: str
    value: float
    stricter: Stricter
    annotation: Any

    def allows(self, value: float) -> bool:
        """Whether `value` is as strict as the policy or stricter."""
        return value >= self.value if self.stricter is HIGHER else value <= self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosening:
    """A dossier's attempt to go below the firm's floor."""

    path: str
    policy_value: float
    dossier_value: float
    stricter: Stricter


def thresholds(policy: Policy) -> tuple[Threshold, ...]:
    """Every threshold of the policy that has a stricter direction, by dotted path."""
    return tuple(_walk(policy, ""))


def tighten(policy: Policy, stricter: Mapping[str, float]) -> tuple[Policy, tuple[Loosening, ...]]:
    """The policy with a dossier's stricter values applied, and every attempt to loosen (none of which is applied).

    Paths must be among `thresholds(policy)`; the edge that parsed the dossier has checked that.
    """
    allowed = {threshold.path: threshold for threshold in thresholds(policy)}
    loosenings = []
    for path, value in stricter.items():
        threshold = allowed[path]
        if threshold.allows(value):
            policy = _replaced(policy, path.split("."), value)
        else:
            loosenings.append(
                Loosening(path=path, policy_value=threshold.value, dossier_value=value, stricter=threshold.stricter)
            )
    return policy, tuple(loosenings)


def _walk(node: object, prefix: str) -> Iterator[Threshold]:
    assert is_dataclass(node)
    hints = get_type_hints(type(node), include_extras=True)
    for item in fields(node):
        value = getattr(node, item.name)
        path = f"{prefix}{item.name}"
        if is_dataclass(value):
            yield from _walk(value, f"{path}.")
        elif (direction := _direction(hints[item.name])) is not None:
            yield Threshold(path=path, value=value, stricter=direction, annotation=hints[item.name])


def out_of_bounds(node: Strict, prefix: str = "") -> str | None:
    """The first number of a policy outside what its annotation allows, in words; None where all are within."""
    for name, bounds in _bounds_of(type(node)):  # type: ignore[arg-type]  # a class is hashable
        value, path = getattr(node, name), f"{prefix}{name}"
        if value is not None and not all(_is_within(value, bound) for bound in bounds):
            return f"{path} is {value!r}, outside what a policy may say"
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Strict) and (wrong := out_of_bounds(part, f"{path}.")) is not None:
                return wrong
    return None


@cache
def _bounds_of(kind: type) -> tuple[tuple[str, tuple[object, ...]], ...]:
    hints = get_type_hints(kind, include_extras=True)
    names = (item.name for item in fields(kind))
    return tuple((name, tuple(_bounds(hints[name]))) for name in names)


def _bounds(annotation: object) -> Iterator[object]:
    """Every bound in an annotation, also of a value that may be left out."""
    for part in get_args(annotation):
        yield from part if isinstance(part, GroupedMetadata) else _bounds(part)
        yield part


def _is_within(value: Any, bound: object) -> bool:  # noqa: ANN401 - whatever the bound is about
    match bound:
        case Ge() | Gt() | Le() | Lt():
            ((name, limit),) = asdict(bound).items()
            return bool(getattr(operator, name)(value, limit))
        case MinLen(min_length=least):
            return len(value) >= least
        case MultipleOf(multiple_of=step):
            return bool(value % step == 0)
        case _:
            return not isinstance(value, float) or isfinite(value)


def _direction(annotation: object) -> Stricter | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((part for part in get_args(annotation) if isinstance(part, Stricter)), None)


def _replaced(node: Any, path: list[str], value: float) -> Any:  # noqa: ANN401 - any dataclass of the policy tree
    head, *rest = path
    new = _replaced(getattr(node, head), rest, value) if rest else type(getattr(node, head))(value)
    return replace(node, **{head: new})
