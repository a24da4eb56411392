"""One release with everything provided, small enough to read; tests replace the part that they are about."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from signoff.domain import dossier as d
from signoff.domain.artifacts import PreviousCheck
from signoff.domain.assessment import (
    Assessment,
    Curves,
    MetricRow,
    MetricStatus,
    PaperCheck,
    PaperSummary,
    PitStatus,
    PitSummary,
    RegimeContrast,
    RegimeRow,
    StressRow,
)
from signoff.domain.charts import ExceptionChart
from signoff.domain.costs import Costs
from signoff.domain.events import NoticeSent, Rehearsed, Signature, Step, Vote
from signoff.domain.evidence import (
    Evidence,
    PitEvidence,
    RegisteredVersion,
    ReportedTest,
    Returns,
    Source,
    SuiteName,
    SuiteResult,
)
from signoff.domain.finding import Comparison, Finding
from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Checklist, Fields, Memo, Section, Table
from signoff.domain.memo.proof import Proof, ProofOutcome, Trail
from signoff.domain.memo.release import Release
from signoff.domain.memo.standing import Standing
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy, Role
from signoff.domain.quantity import Quantity, Unit, count, percent, relative_change
from signoff.domain.rollback_drill import Rehearsal
from signoff.domain.shortened import effective
from signoff.domain.venue import VenueKind

SIGNED_AT = datetime(2018, 12, 20, 15, tzinfo=UTC)
MANIFEST = "ab" * 32
DAYS = np.arange("2017-01-01", "2018-01-01", dtype="datetime64[D]")
RETURNS = np.sin(np.arange(DAYS.size)) / 100


def dossier() -> d.Dossier:
    owner = d.NamedPerson(name="K. Example", role="model owner", email="k@example.com", slack="@k")
    return d.Dossier(
        header=d.Header(
            model="momentum",
            version="2.0.0",
            previous_version="1.1.0",
            deployment_date=date(2019, 1, 2),
            deployed_by=owner,
            deployment_type=d.DeploymentType.UPGRADE,
        ),
        rationale=d.Rationale(
            goal="Hold the winners.",
            justifications=d.Justifications(
                features="microstructure",
                architecture="interactions",
                training_data="more regimes",
                hyperparameters="searched again",
                infrastructure="new image",
            ),
            triggers=(d.Trigger.RESEARCH, d.Trigger.OTHER),
            trigger_other="desk request",
            timing="Year end is quiet.",
        ),
        validation=d.Validation(
            prediction=d.PredictionKind.SCORE,
            targets=d.Targets(
                sharpe=0.6, annual_return_pct=6, max_drawdown_pct=-25, hit_rate_pct=52, win_loss_ratio=1.0
            ),
            near_misses={"pbo": "Close to half because the trials resemble each other."},
            pit=d.PitDeclaration(
                compute="momentum:compute", inputs={"prices": "prices.parquet"}, code_review_by="R. Eviewer"
            ),
            paper=d.PaperDeclaration(method="Replayed against recorded quotes."),
        ),
        risk=d.RiskAssessment(
            risks=(
                d.Risk(
                    risk="Feature drift", likelihood=d.Grade.MEDIUM, impact=d.Grade.HIGH, mitigation="PSI", owner="Data"
                ),
                d.Risk(
                    risk="Latency spike", likelihood=d.Grade.LOW, impact=d.Grade.MEDIUM, mitigation="Tests", owner="Ops"
                ),
            ),
            external_services=(),
            data_feeds=(d.Dependency(name="closes", sla="18:00", fallback="second vendor"),),
            infrastructure=(d.Dependency(name="one host", fallback="standby"),),
            single_points_of_failure=(d.SinglePoint(name="broker", mitigation="second broker"),),
            position_limits=d.PositionLimits(
                max_portfolio_weight_pct=100, max_single_position_pct=10, max_sector_pct=30
            ),
        ),
        plan=d.Plan(
            monitoring=d.Monitoring(dashboard="https://grafana/momentum", pager="desk-pager", channels=("#incidents",)),
            signatories=tuple(d.Signatory(role=role, name=f"{role.value} person") for role in Role),
        ),
        rollback=d.RollbackDeclaration(
            incident_channel="Slack #incidents", fallback=d.Fallback.RULES, deployment_package="models:/momentum/1"
        ),
        boundaries=d.Boundaries(
            assumptions=(
                d.Assumption(title="Liquid", description="ADV stays", monitor="psi_max < 0.25", if_violated="disable"),
            ),
            does_not=("Predict swans",),
            restrictions=d.Restrictions(min_adv_usd=5_000_000, excluded_symbols=("XYZ",), halt_if_vix_above=40),
        ),
        infrastructure=d.Infrastructure(
            environment=d.Environment.PRODUCTION,
            platform="one host",
            container="momentum:2.0.0",
            resources="2 CPU",
            autoscaling="none",
            configuration={"latency_sla_ms": 100},
            flag_service="Signoff",
            feeds=(d.Feed(name="closes", provider="vendor", sla="18:00", fallback="second vendor"),),
            feature_service=d.FeatureService(endpoint="in process", sla="1 ms", caching="none"),
        ),
        governance=d.Governance(
            requirements=(
                d.Requirement(name="SEC 15c3-5", evidence="limits.md", test="test_limits::test_refuses"),
                d.Requirement(name="MiFID II", evidence="trades US stocks alone", applies=False),
                d.Requirement(name="Internal policy 7", evidence="policy7.pdf"),
            ),
            model_card="card.md",
            experiment="momentum",
            ticket="MOM-1",
            pull_request="#7",
            reviewers=("A", "B"),
        ),
        communication=d.Communication(
            before=("Trading desk", "Risk management", "Operations", "Executive summary"),
            at_deployment=("Slack #trading", "Email", "Dashboard"),
            after=("Performance review", "Retrospective", "Updated documentation"),
            documents={"model card": True, "runbooks": False},
            training={"Trading desk walkthrough": True},
        ),
        success=d.Success(
            sharpe=0.5,
            hit_rate_pct=52,
            max_drawdown_pct=-10,
            latency_p95_ms=100,
            review_date=date(2019, 2, 15),
            attendees=("desk", "risk"),
        ),
        appendix=d.Appendix(
            references=(d.Reference(title="Code Repository", link="https://git/momentum"),),
            model_file="model.txt",
            feature_schema="schema.json",
            inference_script="predict.py",
            contacts=d.Contacts(owner=owner, tech_lead=owner, on_call="rota", escalation=("Owner → Lead quant",)),
        ),
        sign_off=d.Certification(signed_by="model_owner person"),
    )


def version(name: str, **changed: object) -> RegisteredVersion:
    base = RegisteredVersion(
        model="momentum",
        version=name,
        run_id=f"run-{name}",
        experiment="momentum",
        parameters={"depth": "3"},
        metrics={"inference_median_ms": 1.5, "inference_p95_ms": 2.5},
        features=tuple(f"f{i}" for i in range(50)),
        training_start=date(2010, 1, 1),
        training_end=date(2010, 12, 31),
        git_commit="c0ffee",
        architecture="random forest",
        tags={"image": "momentum:1"},
        aliases=(),
        artifacts=("model_card.md", "deployment_memo.pdf"),
        model_uri="models:/momentum/1",
    )
    return replace(base, **changed)


CHAMPION = version("1.1.0")
CANDIDATE = version(
    "2.0.0",
    features=tuple(f"f{i}" for i in range(75)),
    architecture="gradient boosting",
    training_end=date(2011, 12, 31),
    parameters={"depth": "5", "rate": "0.1"},
    tags={"image": "momentum:2", "governance_ready": "true"},
)


CASES = dict.fromkeys(SuiteName, ()) | {
    SuiteName.UNIT: (ReportedTest("test_limits", "test_refuses", has_passed=True, day="2018-12-19"),)
}


def source(name: str) -> Source:
    return Source(name=name, sha256="cd" * 32, size=1, rows=1)


def evidence() -> Evidence:
    return Evidence(
        backtest=Returns(source=source("backtest.csv"), dates=DAYS, returns=RETURNS, costs=Costs.DECLARED),
        suites={
            name: SuiteResult(passed=9, total=9, source=source(f"{name.value}.xml"), cases=CASES[name])
            for name in SuiteName
        },
        pit=PitEvidence(findings=(), dates_checked=24, features_checked=75, seed=0),
        candidate=CANDIDATE,
        champion=CHAMPION,
    )


def metric(
    key: str, new: float, old: float | None, target: float, unit: Unit = Unit.PERCENT, **more: float
) -> MetricRow:
    return MetricRow(
        key=key,
        title=key.replace("_", " ").title(),
        new=Quantity(name=f"metrics.{key}.new", value=new, unit=unit, **more),
        old=Quantity(name=f"metrics.{key}.old", value=old, unit=unit),
        change=relative_change(new, old),
        target=Quantity(name=f"metrics.{key}.target", value=target, unit=unit),
        target_sign="≥",
        status=MetricStatus.PASS if new >= target else MetricStatus.MISSED,
    )


METRICS = (
    replace(
        metric("sharpe", 0.66, 0.61, 0.6, Unit.RATIO, standard_error=0.21),
        notes=("New Sharpe ratio: ± is half of the 95% interval, HAC.",),
    ),
    metric("annual_return", 0.079, 0.071, 0.06),
    metric("max_drawdown", -0.241, -0.244, -0.25),
    metric("hit_rate", 0.538, 0.535, 0.52),
    metric("win_loss_ratio", 1.02, 1.01, 1.0, Unit.RATIO),
)


def finding(
    key: str, title: str, value: float, threshold: float, unit: Unit = Unit.RATIO, **changed: object
) -> Finding:
    base = Finding(
        key=key,
        title=title,
        outcome=Outcome.PASS,
        statistic=Quantity(name=f"gates.{key}.statistic", value=value, unit=unit),
        comparison=Comparison.AT_LEAST,
        threshold=Quantity(name=f"gates.{key}.threshold", value=threshold, unit=unit),
        is_blocking=True,
        n=2516,
        method=f"the method of {key}",
        reason=f"The reason of {key}.",
    )
    return replace(base, **changed)


SPA = finding(
    "spa",
    "SPA (Symmetric Prediction Accuracy)",
    0.502,
    0.45,
    figures=(count("gates.spa.long_predictions", 31204), count("gates.spa.short_predictions", 14377)),
)
DSR = finding("dsr", "DSR (Downside Sensitivity Ratio)", 1.04, 1.5, comparison=Comparison.AT_MOST)
PBO = finding(
    "pbo",
    "PBO (Probability of Backtest Overfitting)",
    0.47,
    0.5,
    Unit.PERCENT,
    comparison=Comparison.BELOW,
    is_near_miss=True,
    figures=(count("gates.pbo.partitions", 16), count("gates.pbo.trials", 36), count("gates.pbo.rows_trimmed", 3)),
)
WALK_FORWARD = finding("walk_forward", "Walk-Forward Consistency", 0.75, 0.7, Unit.PERCENT)
VAR = finding(
    "var",
    "VaR Compliance",
    -0.013,
    -0.02,
    Unit.PERCENT,
    outcome=Outcome.FAIL,
    charts=(ExceptionChart("var_exceptions", "VaR", DAYS[300:], RETURNS[300:], np.full(DAYS.size - 300, -0.009)),),
)
DEFLATED = finding(
    "deflated_sharpe",
    "Deflated Sharpe Ratio",
    0.62,
    0.95,
    Unit.PROBABILITY,
    outcome=Outcome.FAIL,
    is_blocking=False,
    figures=(count("gates.deflated_sharpe.trials", 36),),
)
FINDINGS = (SPA, DSR, PBO, WALK_FORWARD, VAR, DEFLATED)
PASSING = (SPA, DSR, PBO, WALK_FORWARD, replace(VAR, outcome=Outcome.PASS), DEFLATED)


def regime(key: str, title: str, sharpe: float, p: float) -> RegimeRow:
    return RegimeRow(
        title=title,
        days=500,
        sharpe=Quantity(name=f"regimes.{key}.sharpe", value=sharpe),
        annual_return=percent(f"regimes.{key}.annual_return", 0.05),
        p_value=Quantity(name=f"regimes.{key}.p_value", value=p, unit=Unit.PROBABILITY),
    )


def stress(key: str, title: str, sharpe: float | None, note: str = "") -> StressRow:
    def absent_or(name: str, value: float) -> Quantity:
        return percent(f"stress.{key}.{name}", None if sharpe is None else value)

    return StressRow(
        title=title,
        start=date(2008, 1, 1),
        end=date(2008, 12, 31),
        sharpe=Quantity(name=f"stress.{key}.sharpe", value=sharpe),
        max_drawdown=absent_or("max_drawdown", -0.3),
        total_return=absent_or("total_return", -0.2),
        benchmark_return=absent_or("benchmark_return", -0.4),
        portfolio_return=absent_or("portfolio_return", -0.25),
        portfolio_drawdown=absent_or("portfolio_drawdown", -0.33),
        note=note,
    )


def contrast(key: str, title: str, difference: float, p: float) -> RegimeContrast:
    return RegimeContrast(
        title=title,
        difference=Quantity(name=f"regimes.{key}_contrast.difference", value=difference, standard_error=0.4),
        p_value=Quantity(name=f"regimes.{key}_contrast.p_value", value=p, unit=Unit.PROBABILITY),
    )


def assessment() -> Assessment:
    return Assessment(
        findings=FINDINGS,
        period=(date(2017, 1, 1), date(2017, 12, 31)),
        metrics=METRICS,
        sharpe_difference=Quantity(name="sharpe_difference.value", value=0.05),
        sharpe_difference_p=Quantity(name="sharpe_difference.p_value", value=0.712, unit=Unit.PROBABILITY),
        sharpe_difference_bootstrap_p=Quantity(
            name="sharpe_difference.bootstrap_p_value", value=0.41, unit=Unit.PROBABILITY
        ),
        value_at_risk_new=percent("risk.value_at_risk.new", -0.013),
        value_at_risk_old=percent("risk.value_at_risk.old", -0.0141),
        conditional_value_at_risk=percent("risk.conditional_value_at_risk.new", -0.02),
        latency_p95_new=Quantity(name="latency_p95.new", value=85.0, unit=Unit.MILLISECONDS, digits=0),
        latency_p95_old=Quantity(name="latency_p95.old", value=120.0, unit=Unit.MILLISECONDS, digits=0),
        pit=PitSummary(status=PitStatus.VERIFIED, reason="Nothing moved."),
        paper=PaperSummary(
            start=date(2018, 10, 1),
            end=date(2018, 12, 1),
            days=44,
            sharpe=Quantity(name="paper.sharpe", value=0.9, standard_error=1.1),
            correlation=Quantity(name="paper.correlation", value=0.81, n=44),
            correlation_low=Quantity(name="paper.correlation_low", value=0.67),
            correlation_high=Quantity(name="paper.correlation_high", value=0.89),
            slippage=Quantity(name="paper.slippage", value=4.2, unit=Unit.BPS),
            slippage_per_trade=Quantity(name="paper.slippage_per_trade", value=4.4, unit=Unit.BPS),
            slippage_buys=Quantity(name="paper.slippage_buys", value=5.1, unit=Unit.BPS),
            slippage_sells=Quantity(name="paper.slippage_sells", value=3.3, unit=Unit.BPS),
            latency_p50=Quantity(name="paper.latency_p50", value=40.0, unit=Unit.MILLISECONDS),
            latency_p95=Quantity(name="paper.latency_p95", value=85.0, unit=Unit.MILLISECONDS),
            latency_p99=Quantity(name="paper.latency_p99", value=140.0, unit=Unit.MILLISECONDS),
            error_rate=percent("paper.error_rate", 0.004),
            predictions=880,
            orders=120,
            anomalies=(),
            checks=(
                PaperCheck(name="constant predictions", n=880),
                PaperCheck(name="fills outside the bar", n=0, not_checked="no bars were given"),
            ),
        ),
        stress=(
            stress("crisis_2008", "2008 financial crisis", None, "Not covered: the data begin on 2017-01-01."),
            stress("covid_2020", "2020 COVID crash", -1.2),
            stress("flash_crash_day", "Flash crash, 6 May 2010", 1.0),
        ),
        regimes=(
            regime("bull", "Bull market", 1.31, 0.001),
            regime("bear", "Bear market", -0.2, 0.7),
            regime("high_volatility", "High volatility", 0.8, 0.01),
            regime("low_volatility", "Low volatility", 0.9, 0.02),
        ),
        trend_contrast=contrast("trend", "Bull less bear market", 1.51, 0.01),
        volatility_contrast=contrast("volatility", "High less low volatility", -0.1, 0.8),
        curves=Curves(
            dates=DAYS,
            new=RETURNS,
            previous_dates=DAYS,
            previous=RETURNS / 2,
        ),
    )


def signature(role: Role, verdict: Vote = Vote.APPROVE, **changed: object) -> Signature:
    base = Signature(
        person=f"{role.value} person",
        role=role,
        verdict=verdict,
        subject=MANIFEST,
        signed_at=SIGNED_AT,
        expires_at=datetime(2019, 1, 19, tzinfo=UTC),
        key_id=f"key-{role.value}",
        envelope="{}",
    )
    return replace(base, **changed)


REHEARSAL = Rehearsal(
    at=datetime(2018, 12, 1, tzinfo=UTC),
    result=Rehearsed(
        seconds=(
            (Step.FENCE, 1.0),
            (Step.CANCEL, 5.0),
            (Step.VERIFY_FLAT, 5.0),
            (Step.REVERT, 20.0),
            (Step.VERIFY_REVERT, 10.0),
            (Step.REVIEW, 60.0),
        ),
        residual_orders=0,
        within_budget=True,
        restored_version="1.1.0",
        events_acknowledged=25,
        events_lost=0,
        venue=VenueKind.CONNECTED,
    ),
)


def standing() -> Standing:
    """Everything done and signed."""
    return Standing(
        required=Policy(name="firm", version="1").approvals.required,
        approvals=tuple(signature(role) for role in Role),
        is_approved=True,
        deployment_id="momentum-2",
        approved_manifest=MANIFEST,
        rehearsal=REHEARSAL,
        previous_check=PreviousCheck(version="1.1.0", run_id="run-1.1.0", is_working=True, detail="ran on 20 rows"),
        links={"https://grafana/momentum": True, "card.md": True, "limits.md": True, "https://git/momentum": False},
        notices=tuple(NoticeSent(notice=text, audience=(), channel="email") for text in dossier().communication.before),
        trail=Trail(
            predictions=Proof(ProofOutcome.PROVEN, "20 sessions, 400 predictions"),
            trades=Proof(ProofOutcome.PROVEN, "120 of 120 orders"),
            reproducibility=Proof(ProofOutcome.PROVEN, "400 of 400 predictions made again"),
            paper=Proof(ProofOutcome.PROVEN, "880 of 880 predictions have their line, 120 of 120 orders a prediction"),
        ),
        candidate_check=PreviousCheck(version="2.0.0", run_id="run-2.0.0", is_working=True, detail="20 known rows"),
    )


def release(**changed: object) -> Release:
    parts = {
        "dossier": dossier(),
        "policy": Policy(name="firm", version="1"),
        "evidence": evidence(),
        "assessment": assessment(),
        "standing": standing(),
    }
    return Release(**{**parts, **changed})


def memo(**changed: object) -> Memo:
    r = release(**changed)
    policy, _ = effective(r.policy, r.dossier)
    return compose(r.dossier, policy, r.evidence, r.assessment, r.standing, evidence_digest="9f2c" * 16)


def bare_memo() -> Memo:
    """Nothing measured beside the backtest, nothing signed, nothing checked."""
    nothing = Evidence(backtest=evidence().backtest)

    def gone(quantity: Quantity) -> Quantity:
        return replace(quantity, value=None, standard_error=None)

    def unknown(contrast: RegimeContrast) -> RegimeContrast:
        return replace(contrast, difference=gone(contrast.difference), p_value=gone(contrast.p_value))

    full = assessment()
    empty = replace(
        full,
        findings=tuple(
            replace(f, outcome=Outcome.INCONCLUSIVE, statistic=gone(f.statistic), figures=(), is_near_miss=False, n=0)
            for f in FINDINGS
        ),
        metrics=tuple(replace(m, old=gone(m.old), change=None) for m in METRICS),
        sharpe_difference=gone(full.sharpe_difference),
        sharpe_difference_p=gone(full.sharpe_difference_p),
        sharpe_difference_bootstrap_p=gone(full.sharpe_difference_bootstrap_p),
        value_at_risk_new=gone(full.value_at_risk_new),
        value_at_risk_old=gone(full.value_at_risk_old),
        latency_p95_new=gone(full.latency_p95_new),
        latency_p95_old=gone(full.latency_p95_old),
        pit=PitSummary(status=PitStatus.NOT_PROVIDED, reason="The replay did not run."),
        paper=None,
        stress=(),
        regimes=(),
        trend_contrast=unknown(full.trend_contrast),
        volatility_contrast=unknown(full.volatility_contrast),
        curves=replace(full.curves, previous=None, previous_dates=None),
    )
    return memo(evidence=nothing, assessment=empty, standing=Standing(required=standing().required))


def section(memo: Memo, number: str) -> Section:
    return next(s for top in memo.sections for s in (top, *top.sections) if s.number == number)


def cell(memo: Memo, number: str, label: str):
    """The value beside a label, in a section."""
    rows = [row for block in section(memo, number).blocks if isinstance(block, Fields) for row in block.rows]
    return next(value for title, value in rows if title == label)


def boxes(memo: Memo, number: str) -> dict:
    lists = [block for block in section(memo, number).blocks if isinstance(block, Checklist)]
    return {item.text: item for block in lists for item in block.items}


def tables(memo: Memo, number: str) -> list[Table]:
    return [block for block in section(memo, number).blocks if isinstance(block, Table)]
