"""A release made by hand, whole and small: what the contract suite of gates judges."""

from datetime import date

import numpy as np

from signoff.domain import dossier as d
from signoff.domain.commitments import Assumption, Communication, DeploymentType, Success
from signoff.domain.evidence import Evidence, Floats, PitEvidence, Predictions, Returns, Source, Trials
from signoff.domain.limits import PositionLimits, Restrictions
from signoff.domain.policy import Role

SESSIONS = 1600
TRIALS = 12


def evidence() -> Evidence:
    """Six years of daily returns of twelve trials, the best of which is the backtest, and 4,000 predictions."""
    rng = np.random.default_rng(20180131)
    market = rng.normal(0.0003, 0.01, SESSIONS)
    family = np.linspace(0.0, 0.0013, TRIALS) + rng.normal(0, 0.01, (SESSIONS, TRIALS))
    realized = rng.normal(0, 0.02, 4000)
    said = np.where(rng.random(realized.size) < 0.56, 1, -1) * np.sign(realized)
    days = np.busday_offset(np.datetime64("2012-01-02"), np.arange(realized.size), roll="forward")
    return Evidence(
        backtest=_returns("backtest.parquet", family[:, -1], market),
        backtest_previous=_returns("backtest_previous.parquet", family[:, 5], None),
        trials=Trials(
            source=_source("trials.parquet"),
            dates=days[:SESSIONS],
            names=tuple(f"run-{column}" for column in range(TRIALS)),
            returns=family,
        ),
        predictions=Predictions(
            source=_source("predictions.parquet"),
            timestamps=days.astype("datetime64[us]"),
            symbols=np.full(realized.size, "AAA"),
            prediction=said,
            realized=realized,
        ),
        pit=PitEvidence(findings=(), dates_checked=24, features_checked=7, seed=0),
    )


def _source(name: str) -> Source:
    return Source(name=name, sha256="0" * 64, size=1, rows=1)


def _returns(name: str, values: Floats, benchmark: Floats | None) -> Returns:
    days = np.busday_offset(np.datetime64("2012-01-02"), np.arange(values.size), roll="forward")
    return Returns(source=_source(name), dates=days, returns=values, benchmark=benchmark)


def dossier() -> d.Dossier:
    """An upgrade of a model of scores, with every section filled."""
    person = d.NamedPerson(name="Ada", role="Quant")
    return d.Dossier(
        header=d.Header(
            model="momentum",
            version="2.0",
            previous_version="1.0",
            deployment_date=date(2018, 3, 1),
            deployed_by=person,
            deployment_type=DeploymentType.UPGRADE,
        ),
        rationale=d.Rationale(
            goal="Earn", justifications=d.Justifications(), triggers=(d.Trigger.RESEARCH,), timing="Now"
        ),
        validation=d.Validation(
            prediction=d.PredictionKind.SCORE,
            targets=d.Targets(
                sharpe=1.0, annual_return_pct=10.0, max_drawdown_pct=-30.0, hit_rate_pct=50.0, win_loss_ratio=0.9
            ),
            pit=d.PitDeclaration(compute="pkg:compute", inputs={"prices": "prices.parquet"}, code_review_by="Grace"),
            paper=d.PaperDeclaration(method="simulated fills"),
        ),
        risk=d.RiskAssessment(
            risks=(d.Risk(risk="Drift", likelihood=d.Grade.LOW, impact=d.Grade.LOW, mitigation="Watch", owner="Ada"),),
            external_services=(),
            data_feeds=(),
            infrastructure=(),
            single_points_of_failure=(),
            position_limits=PositionLimits(max_portfolio_weight_pct=100, max_single_position_pct=10, max_sector_pct=30),
        ),
        plan=d.Plan(
            monitoring=d.Monitoring(dashboard="grafana", pager="pager", channels=("#desk",)),
            signatories=(d.Signatory(role=Role.MODEL_OWNER, name="Ada"),),
        ),
        rollback=d.RollbackDeclaration(
            incident_channel="#incidents", fallback=d.Fallback.MANUAL, deployment_package="model.tar"
        ),
        boundaries=d.Boundaries(
            assumptions=(Assumption(title="Liquid", description="It is", monitor="adv > 1", if_violated="pause"),),
            does_not=("Trade options",),
            restrictions=Restrictions(min_adv_usd=1e6),
        ),
        infrastructure=d.Infrastructure(
            environment=d.Environment.STAGING,
            platform="bare metal",
            container="none",
            resources="2 cores",
            autoscaling="none",
            configuration={},
            flag_service="signoff",
            feeds=(d.Feed(name="Prices", provider="Exchange", sla="99.9%", fallback="none"),),
            feature_service=d.FeatureService(endpoint="local", sla="none", caching="none"),
        ),
        governance=d.Governance(
            requirements=(d.Requirement(name="SEC 15c3-5", evidence="limits"),),
            model_card="card.md",
            experiment="momentum",
            ticket="RISK-1",
            pull_request="1",
            reviewers=("Grace",),
        ),
        communication=Communication(
            before=("desk",), at_deployment=("desk",), after=("desk",), documents={}, training={}
        ),
        success=Success(
            sharpe=1.0,
            hit_rate_pct=50.0,
            max_drawdown_pct=-10.0,
            latency_p95_ms=100.0,
            review_date=date(2018, 4, 1),
            attendees=("Ada",),
        ),
        appendix=d.Appendix(
            references=(d.Reference(title="Card", link="card.md"),),
            model_file="model.bin",
            feature_schema="schema.json",
            inference_script="run.py",
            contacts=d.Contacts(owner=person, tech_lead=person, on_call="pager", escalation=("Ada",)),
        ),
        sign_off=d.Certification(signed_by="Ada"),
    )
