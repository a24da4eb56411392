"""A release whose every gate passes, so that each test can break one thing and see that gate, alone, refuse."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from releases import backtest, good_predictions, trials

from signoff.domain import dossier as d
from signoff.domain.evidence import Evidence, PitEvidence
from signoff.domain.policy import Policy, Role

SESSIONS = 1600
TRIALS = 12


@pytest.fixture(scope="session")
def evidence():
    rng = np.random.default_rng(20180131)
    market = rng.normal(0.0003, 0.01, SESSIONS)
    skill = np.linspace(0.0000, 0.0013, TRIALS)
    family = skill + rng.normal(0, 0.01, (SESSIONS, TRIALS))
    return Evidence(
        backtest=backtest(family[:, -1], benchmark=market),
        backtest_previous=backtest(family[:, 5], name="backtest_previous.parquet"),
        trials=trials(family),
        predictions=good_predictions(rng),
        pit=PitEvidence(findings=(), dates_checked=24, features_checked=7, seed=0),
    )


@pytest.fixture(scope="session")
def policy():
    """The firm's floor as it ships, but for Hansen's ten thousand resamples: a thousand tell these tests as much."""
    floor = Policy(name="Firm floor", version="1")
    return replace(floor, gates=replace(floor.gates, hansen_spa=replace(floor.gates.hansen_spa, repetitions=1000)))


@pytest.fixture(scope="session")
def dossier():
    person = d.Person(name="Ada", role="Quant")
    return d.Dossier(
        header=d.Header(
            model="momentum",
            version="2.0",
            previous_version="1.0",
            deployment_date=date(2018, 3, 1),
            deployed_by=person,
            deployment_type=d.DeploymentType.UPGRADE,
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
            position_limits=d.PositionLimits(
                max_portfolio_weight_pct=100, max_single_position_pct=10, max_sector_pct=30
            ),
        ),
        plan=d.Plan(
            monitoring=d.Monitoring(dashboard="grafana", pager="pager", channels=("#desk",)),
            signatories=(d.Signatory(role=Role.MODEL_OWNER, name="Ada"),),
        ),
        rollback=d.RollbackDeclaration(
            incident_channel="#incidents", fallback=d.Fallback.MANUAL, deployment_package="model.tar"
        ),
        boundaries=d.Boundaries(
            assumptions=(d.Assumption(title="Liquid", description="It is", monitor="adv > 1", if_violated="pause"),),
            does_not=("Trade options",),
            restrictions=d.Restrictions(min_adv_usd=1e6),
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
        communication=d.Communication(
            before=("desk",), at_deployment=("desk",), after=("desk",), documents={}, training={}
        ),
        success=d.Success(
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


@pytest.fixture
def with_gate(policy):
    """`with_gate("pbo", threshold=0.4)`: the policy with one gate changed."""

    def changed(key, **values):
        gate = replace(getattr(policy.gates, key), **values)
        return replace(policy, gates=replace(policy.gates, **{key: gate}))

    return changed
