"""The honesty suite: for every sentence of the memo that can be false, a release in which it is false.

Each row names a release that differs from the rich one at one point, and the sentences that are untrue of it: the memo
of that release must not say them. A sentence of any world below that no row makes false fails the suite, so that a new
sentence cannot be added without its negative row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sample
from sentences import PAGE_ONE, Said, changed, said

from signoff.domain.artifacts import MOST_KEPT, Artifact, Pin, PreviousCheck
from signoff.domain.assessment import BenchmarkSummary, PitStatus, PitSummary
from signoff.domain.costs import Costs
from signoff.domain.dossier import DeploymentType, Dossier, Fallback, PitAudits, Reference, Requirement, Trigger
from signoff.domain.events import ActorProof as Named
from signoff.domain.events import (
    Barred,
    Because,
    Delivery,
    DeployerSigned,
    ItemDone,
    NoticeSent,
    Observed,
    Phase,
    PhaseEntered,
    PostMortemHeld,
    Reading,
    Recorded,
    RollbackCause,
    RollbackStarted,
    Vote,
)
from signoff.domain.evidence import PitAudit, PitEvidence, PitFinding, ReportedTest, SuiteName, TrackedTable
from signoff.domain.floor import Floor, Origin
from signoff.domain.frequency import Frequency
from signoff.domain.isolation import IN_PLACE, Hazard, Protection
from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Memo
from signoff.domain.memo.lived import lived
from signoff.domain.memo.proof import Proof, ProofOutcome, Trail, journaled
from signoff.domain.outcome import Outcome
from signoff.domain.policy import DayCount, OrderGatePolicy, Policy, Role, tighten
from signoff.domain.quantity import Quantity, Unit
from signoff.domain.sampling import Sampling
from signoff.domain.shortened import shortened
from signoff.domain.venue import PositionsAfter, VenueKind

Changes = Mapping[str, Any]
POLICY = Policy(name="firm", version="1")
TESTS = tuple(ReportedTest("test_rules", name, has_passed=True, day="2018-12-19") for name in ("a", "b", "c", "d"))
NAMES = ("SEC 15c3-5", "MiFID II", "FINRA 3110", "Internal policy 7")
REQUIREMENTS = tuple(
    Requirement(name=name, evidence=f"rule{n}.md", test=f"test_rules::{test.name}")
    for n, (name, test) in enumerate(zip(NAMES, TESTS, strict=True))
)
LINKS = (
    *(f"rule{n}.md" for n in range(4)),
    *("https://grafana/momentum", "card.md", "https://git/momentum", "backtest.html", "research.md", "momentum"),
    *("model.txt", "schema.json", "predict.py"),
)
ARTIFACTS = ("model_card.md", "deployment_memo.pdf", "backtest_report.pdf", "validation_results.pdf", "repository.txt")
SAFE = Protection(layers=("Landlock 7",), stopped=frozenset(Hazard))
GROUND = Barred(name="Q. Ferrari", because=Because.WROTE, source="c0ffee")


DOCUMENTS = ("model card", "api", "runbooks", "troubleshooting")
TRAINING = ("Trading desk walkthrough", "Operations handoff", "On-call review")
RUN = sample.CANDIDATE.run_id
PIN = Pin(
    model="momentum",
    number=7,
    run_id=RUN,
    files=(
        Artifact(path="model.txt", size=3, sha256="1" * 64),
        Artifact(path="weights.bin", size=MOST_KEPT + 1, sha256="2" * 64),
    ),
)


def made_by_run(*ids: str) -> tuple[TrackedTable, ...]:
    """Every table of the evidence, made by these runs."""
    return tuple(TrackedTable(name=name, runs=1, users={}, ids=ids) for name in ("backtest", "predictions", "paper"))


def receipts(full: Dossier, delivery: Delivery, receiver: str = "", at: datetime | None = None) -> tuple:
    """Every notice of section 9, delivered alike."""
    given = full.communication
    moments = (("", given.before), ("", given.at_deployment), ("T+7d: ", given.after), ("T+30d: ", given.after))
    return tuple(
        NoticeSent(notice=f"{at_}{text}", audience=(), channel="email", delivery=delivery, receiver=receiver, at=at)
        for at_, texts in moments
        for text in texts
    )


def rich() -> dict[str, Any]:
    """Everything provided, checked, signed, sent and good, as far as a release can be."""
    full, evidence, assessment, standing = sample.dossier(), sample.evidence(), sample.assessment(), sample.standing()
    dossier = full
    for path, value in (
        ("governance.requirements", REQUIREMENTS),
        ("governance.commit_authors", ("Q. Ferrari",)),
        ("validation.pit.third_party_audit", "Audit Installation"),
        ("validation.pit.issues", ("one feature was renamed",)),
        ("validation.pit.audits", PitAudits(membership="members.parquet")),
        ("validation.near_misses", {"pbo": "Trials resemble.", "deflated_sharpe": "Every trial counts."}),
        ("validation.paper.explanations", ("a slow gateway",)),
        ("risk.external_services", (replace(full.risk.data_feeds[0], name="gateway"),)),
        ("risk.infrastructure.0.sla", "99.9%"),
        ("communication.documents", dict.fromkeys(DOCUMENTS, True)),
        ("communication.training", dict.fromkeys(TRAINING, True)),
        ("infrastructure.configuration", {"latency_sla_ms": 100, "allocation_percent": 10}),
        (
            "appendix.references",
            tuple(
                Reference(title=title, link=link)
                for title, link in (
                    *(("Code Repository", "https://git/momentum"), ("Backtest report", "backtest.html")),
                    ("Research memo", "research.md"),
                )
            ),
        ),
        ("plan.tighten", {"triggers.latency_p95_ms": 150.0}),
    ):
        dossier = changed(dossier, path, value)
    candidate = replace(sample.CANDIDATE, artifacts=ARTIFACTS, pin=PIN)
    audit = PitAudit(name="survivorship", rows_checked=900, dates_checked=12, features_checked=75, findings=0)
    pit = replace(evidence.pit, audits=(audit,), protection=SAFE)
    unit = replace(evidence.suites[SuiteName.UNIT], cases=TESTS)
    return {
        "dossier": dossier,
        "policy": POLICY,
        "evidence": replace(
            evidence,
            candidate=candidate,
            pit=pit,
            suites={**evidence.suites, SuiteName.UNIT: unit},
            predictions=object(),
            paper=object(),
            has_registry=True,
            tracked=made_by_run(candidate.run_id),
        ),
        "assessment": replace(
            assessment, findings=sample.PASSING, stress=covered(assessment.stress), benchmark=benchmarked()
        ),
        "standing": replace(
            standing,
            links=dict.fromkeys(LINKS, True),
            notices=receipts(full, Delivery.EMAIL, "mail.firm", datetime(2019, 1, 1, 9, tzinfo=UTC)),
            done=tuple(
                (
                    ItemDone(item=item, person="A. Berg", note="minutes kept"),
                    datetime(2019, 2, 4, 9, tzinfo=UTC),
                    Named.AUTHENTICATED,
                )
                for item in (*full.communication.at_deployment[2:], *full.communication.after, *DOCUMENTS, *TRAINING)
            ),
            grounds=(GROUND,),
            barred=(GROUND.name,),
            floor=Floor(
                origin=Origin.CONFIRMED, name="firm", version="1", digest="ab" * 32, number=2, confirmed_by=("R", "C")
            ),
        ),
    }


def benchmarked() -> BenchmarkSummary:
    """What `signoff benchmark` measured of the registered version."""
    units = {"median": Unit.MILLISECONDS, "p95": Unit.MILLISECONDS, "p99": Unit.MILLISECONDS}
    units |= {"memory": Unit.MEGABYTES, "rate": Unit.PER_SECOND}
    figures = {key: Quantity(name=f"benchmark.{key}", value=9.0, unit=unit, n=1000) for key, unit in units.items()}
    return BenchmarkSummary(**figures, words="measured by signoff benchmark on registered version 7")


def covered(rows: tuple) -> tuple:
    """Every window with all of its figures."""
    return tuple(
        sample.stress(key, row.title, -0.5, f"A note on {key}.")
        for key, row in zip(("crisis_2008", "covid_2020", "flash"), rows, strict=True)
    )


RICH = rich()
MANY = tuple(replace(f, outcome=Outcome.FAIL, statistic=replace(f.statistic, value=-9.0)) for f in sample.PASSING)


def of(part: str, path: str, value: Any, base: Changes | None = None) -> dict[str, Any]:
    """A release with one part of one input replaced."""
    world = dict(RICH if base is None else base)
    return {**world, part: changed(world[part], path, value)}


def dossier(path: str, value: Any) -> dict[str, Any]:
    return of("dossier", path, value)


NO_RULES = dossier("governance.requirements", tuple(replace(r, applies=False) for r in REQUIREMENTS))


def policy(path: str, value: Any) -> dict[str, Any]:
    return of("policy", path, value)


def evidence(path: str, value: Any) -> dict[str, Any]:
    return of("evidence", path, value)


def assessed(path: str, value: Any) -> dict[str, Any]:
    return of("assessment", path, value)


def standing(path: str, value: Any) -> dict[str, Any]:
    return of("standing", path, value)


def rehearsed(base: Changes | None = None, **result: Any) -> dict[str, Any]:
    world = dict(RICH if base is None else base)
    done = world["standing"].rehearsal
    return {
        **world,
        "standing": replace(world["standing"], rehearsal=replace(done, result=replace(done.result, **result))),
    }


def typed(kind: DeploymentType) -> dict[str, Any]:
    world, policy = dossier("header.deployment_type", kind), shortened(POLICY, kind)
    return {
        **world,
        "policy": policy,
        "standing": replace(RICH["standing"], required=policy.approvals.required),
    }


def initial() -> dict[str, Any]:
    header = replace(RICH["dossier"].header, deployment_type=DeploymentType.INITIAL, previous_version=None)
    full = RICH["assessment"]
    unknown = {
        name: replace(getattr(full, name), value=None)
        for name in ("sharpe_difference", "sharpe_difference_p", "value_at_risk_old", "latency_p95_old")
    }
    metrics = tuple(replace(m, old=replace(m.old, value=None), change=None) for m in full.metrics)
    return {
        **RICH,
        "dossier": replace(RICH["dossier"], header=header),
        "evidence": replace(RICH["evidence"], champion=None),
        "assessment": replace(full, metrics=metrics, **unknown),
        "standing": replace(
            RICH["standing"],
            previous_check=None,
            rehearsal=replace(sample.REHEARSAL, result=replace(sample.REHEARSAL.result, restored_version=None)),
        ),
    }


def overridden(*roles: Role) -> dict[str, Any]:
    by = tuple(sample.signature(role, Vote.OVERRIDE, reason="It is reviewed.") for role in roles)
    world = standing("overrides", by)
    return {**world, "assessment": replace(RICH["assessment"], findings=sample.FINDINGS)}


def conditional(text: str = "daily review", **more: Any) -> dict[str, Any]:
    signed = sample.signature(Role.RISK_MANAGER, Vote.CONDITIONAL, conditions=(text,))
    others = tuple(s for s in RICH["standing"].approvals if s.role is not Role.RISK_MANAGER)
    return {**RICH, "standing": replace(RICH["standing"], approvals=(signed, *others), **more)}


def observed(predictions: float) -> tuple[Observed, ...]:
    readings = (
        Reading(key="predictions", value=predictions, level="ok"),
        Reading(key="symbols_lost", value=0.0, level="ok"),
        Reading(key="prediction_gaps", value=0.0, level="ok"),
    )
    return (Observed(session=date(2019, 1, 2), counts=True, readings=readings, is_conclusive=True),)


def with_keys_of(other: str, base: Changes, replaced: str = "") -> dict[str, Any]:
    """Every signature made with a private key that somebody else made, or that replaced one in use."""
    standing = base["standing"]
    approvals, overrides = (
        tuple(replace(s, key_made_by=other, key_replaced=replaced) for s in signatures)
        for signatures in (standing.approvals, standing.overrides)
    )
    return {**base, "standing": replace(standing, approvals=approvals, overrides=overrides)}


SIGNED = DeployerSigned(
    person="O. Perez",
    manifest=sample.MANIFEST,
    signed_at=datetime(2019, 1, 2, 9, tzinfo=UTC),
    key_id="ab" * 32,
    envelope="{}",
    key_made_by="T. Adeyemi",
    key_replaced="on 2019-01-01 by T. Adeyemi (unauthenticated)",
)
LIVED = (
    PhaseEntered(phase=Phase.SHADOW, allocation_pct=0),
    SIGNED,
    NoticeSent(notice="Trading desk", audience=(), channel="email", delivery=Delivery.FILE, receiver="notices.jsonl"),
    ItemDone(item="Retrospective", person="A. Berg", note="minutes kept"),
    Observed(
        session=date(2019, 1, 4),
        counts=True,
        readings=(
            Reading(key="psi_max", value=0.31, level="critical", detail="f7"),
            Reading(key="error_rate_pct", value=0.1, level="ok"),
        ),
        is_conclusive=True,
    ),
    RollbackStarted(
        occasion=RollbackCause.PERFORMANCE, trigger="latency_p95", reason="slow", from_phase=Phase.SHADOW, deadlines=()
    ),
)


def living(*events: Any, actor: str = "O. Perez", day: int = 4) -> dict[str, Any]:
    """The living memo after these events."""
    at = datetime(2019, 1, day, 9, tzinfo=UTC)
    told = tuple(
        Recorded(stream="deployment-momentum-2", revision=n, at=at, actor=actor, event=event)
        for n, event in enumerate(events)
    )
    signed = any(isinstance(event, DeployerSigned) for event in events)
    return {**standing("deployer", SIGNED if signed else None), "history": told, "now": at}


def without(part: str) -> dict[str, Any]:
    return evidence(part, None)


def no_more(path: str) -> dict[str, Any]:
    """An assessment in which one figure is unknown."""
    figure = RICH["assessment"]
    for head in path.split("."):
        figure = figure[int(head)] if head.isdigit() else getattr(figure, head)
    return assessed(path, replace(figure, value=None, standard_error=None))


WORLDS: dict[str, Changes] = {
    "rich": RICH,
    "initial": initial(),
    "hotfix": typed(DeploymentType.HOTFIX),
    "simulated": rehearsed(venue=VenueKind.SIMULATED),
    "no venue": rehearsed(venue=VenueKind.NONE, residual_orders=None),
    "overridden": overridden(Role.RISK_MANAGER, Role.CTO),
    "overridden by one": overridden(Role.CTO),
    "conditional": conditional(),
    "daily review": conditional("while limited: daily review"),
    "unchecked names": standing("done", tuple((*told[:2], Named.UNAUTHENTICATED) for told in RICH["standing"].done)),
    "keys replaced": with_keys_of("", overridden(Role.RISK_MANAGER, Role.CTO), "on 2019-01-01 by T. Adeyemi"),
    "live": standing("trail", journaled(observed(400.0))),
    "trial policy": standing(
        "floor", Floor(origin=Origin.TRIAL, name="mine", version="9", digest="cd" * 32, source="p")
    ),
    "advisory": of("assessment", "findings", tuple(replace(f, is_blocking=f.key != "pbo") for f in sample.PASSING)),
    "breached": of(
        "standing",
        "breach",
        "v1.1.0, 2018-12-18: rolling Sharpe ratio 0.10",
        dossier("rationale.triggers", (Trigger.PERFORMANCE_DEGRADATION, Trigger.RESEARCH, Trigger.OTHER)),
    ),
    "all regimes": assessed(
        "regimes", tuple(replace(r, p_value=replace(r.p_value, value=0.001)) for r in RICH["assessment"].regimes)
    ),
    "before costs": evidence("backtest.costs", Costs.BEFORE),
    "costs not stated": evidence("backtest.costs", Costs.NOT_STATED),
    "written summary": dossier("header.summary", "Net Sharpe 9.99."),
    "nobody did it": standing("done", ()),
    "notices of an older Signoff": standing("notices", receipts(RICH["dossier"], Delivery.UNRECORDED)),
    "notices in a file": standing("notices", receipts(RICH["dossier"], Delivery.FILE, "notices.jsonl")),
    "no notices": standing("notices", ()),
    "unbound": of("evidence", "candidate.pin", None, of("evidence", "tracked", (), evidence("has_registry", False))),
    "made by another run": evidence("tracked", made_by_run("r6")),
    "not checked": standing("links", {}),
    "signed start": standing("deployer", SIGNED),
    "unsigned start": standing("started_by", "O. Perez"),
    "keys of others": with_keys_of("T. Adeyemi", overridden(Role.RISK_MANAGER, Role.CTO)),
    "nothing accepted": policy("sign_off.accepted_not_evidenced", ()),
    "refuted": standing("trail.predictions", Proof(ProofOutcome.REFUTED, "1 of 20 sessions")),
    "living": living(*LIVED),
    "living, not started": living(),
}


@dataclass(frozen=True)
class Row:
    """A release that differs from a world at one point, and the sentences of that world that are untrue of it."""

    what: str
    changes: Changes
    untrue: tuple[tuple[str, str], ...]
    world: str = "rich"


def row(what: str, changes: Changes, *untrue: tuple[str, str], world: str = "rich") -> Row:
    return Row(what, changes, untrue, world)


EVERY_GATE = tuple(
    (place, rf"^{gate}.* [≥≤<] ")
    for place in ("2.2", PAGE_ONE)
    for gate in ("SPA", "DSR", "PBO", "Walk", "VaR C", "Deflated")
)


def notified(delivery: Delivery, receiver: str) -> dict[str, Any]:
    """Every notice delivered in this way."""
    return standing("notices", receipts(RICH["dossier"], delivery, receiver))


FIGURES = ("sharpe", "max_drawdown", "total_return", "benchmark_return", "portfolio_return")
DAY = date(2011, 5, 5)

ROWS: tuple[Row, ...] = (
    # Page one
    row(
        "another model",
        dossier("header.model", "value"),
        (PAGE_ONE, "^Model:"),
        ("5.1", "^Disable model"),
        ("7.2", r"models\."),
    ),
    row(
        "another version",
        dossier("header.version", "3.0.0"),
        (PAGE_ONE, "^Version:|v2.0.0"),
        ("7.1", "model_version"),
        ("7.2", "v2.0.0"),
    ),
    row(
        "another champion",
        dossier("header.previous_version", "1.0.9"),
        (PAGE_ONE, "^Previous:"),
        ("5.1", "^Redeploy"),
        ("5.2", "^Version:|^Verified working"),
        ("4.1", "^Compare"),
        ("7.2", r"v1\.1\.0"),
        ("5.1", "^Rollback Rehearsal"),
    ),
    row("another day", dossier("header.deployment_date", DAY), (PAGE_ONE, "^Date:")),
    row(
        "another deployer",
        dossier("header.deployed_by", replace(RICH["dossier"].header.deployed_by, name="Z. Other")),
        (PAGE_ONE, "^Deployed by:"),
        *(
            (n, "declared by K. Example|Declared by K. Example")
            for n in (
                "1.1",
                "1.2",
                "1.3",
                "2.3",
                "2.4",
                "3.2",
                "3.1",
                "4.2",
                "4.3",
                "5.1",
                "5.2",
                "6.1",
                "6.2",
                "7.1",
                "7.2",
                "7.3",
                "8.3",
                "9.1",
                "10.2",
                "11.1",
                "11.2",
                "11.3",
                "12",
            )
        ),
    ),
    row("another type", typed(DeploymentType.HOTFIX), (PAGE_ONE, "^Type:")),
    row(
        "another document",
        dossier("header.document_version", "2.0"),
        (PAGE_ONE, "^Document version:"),
        ("12", "^Document Version"),
    ),
    row("other evidence", RICH, (PAGE_ONE, "^Evidence:")),
    row(
        "a pending approval",
        standing("is_approved", False),
        (PAGE_ONE, "^(Decision|Status):"),
        ("4.3", "^Deployment Approval"),
        ("12", "^Status"),
    ),
    row(
        "a rejected release",
        standing("is_rejected", True),
        (PAGE_ONE, "^(Decision|Status):"),
        ("4.3", "^Deployment Approval"),
        ("12", "^Status"),
    ),
    row(
        "another policy",
        standing("floor", Floor(origin=Origin.BUILT_IN, name="x", version="1", digest="cd" * 32)),
        (PAGE_ONE, "^Colophon"),
    ),
    row("no floor", standing("floor", None), (PAGE_ONE, "^Notice: Trial policy|^Colophon"), world="trial policy"),
    row("no paper log", without("paper"), (PAGE_ONE, "^Attachment: Paper")),
    row(
        "failing gates",
        assessed("findings", MANY),
        *EVERY_GATE,
        (PAGE_ONE, "^TL;DR: All five|^Figure: Gates|^Computed:"),
        ("12", "All validation gates"),
    ),
    row(
        "one gate fails",
        assessed("findings", sample.FINDINGS),
        (PAGE_ONE, "^TL;DR: All five|^Figure: Gates|^Computed:|^VaR C"),
        ("12", "All validation gates"),
    ),
    row(
        "four gates ran",
        assessed("findings", sample.PASSING[:4]),
        (PAGE_ONE, "^TL;DR: All five|^Figure: Gates|^Computed:"),
        ("12", "All validation gates"),
        ("2.2", "^All gates must"),
    ),
    row(
        "other gates advise",
        assessed("findings", tuple(replace(f, is_blocking=False) for f in sample.PASSING)),
        ("2.2", "^All gates must|^SPA .*Wilson|^DSR .*≤|^PBO .*<|^Walk.*≥|^VaR.*≥"),
        (PAGE_ONE, r"^SPA \("),
    ),
    row("every gate blocks", RICH, ("2.2", "^Must PASS|^PBO .*advisory"), world="advisory"),
    row(
        "the deflated ratio passes",
        assessed("findings", tuple(replace(f, outcome=Outcome.PASS) for f in sample.PASSING)),
        (PAGE_ONE, "^TL;DR: Beside them|^Computed:|^FAIL"),
        ("2.2", "^Deflated Sharpe Ratio:"),
    ),
    row(
        "nothing is explained",
        dossier("validation.near_misses", {}),
        ("2.2", "^PBO:|^Deflated Sharpe Ratio:"),
        (PAGE_ONE, "lines red or missing|^NOT PROVIDED"),
    ),
    row(
        "another architecture",
        evidence("candidate.architecture", "a tree"),
        (PAGE_ONE, "^TL;DR: Replaces"),
        ("1.2", "^Architecture"),
    ),
    row(
        "another Sharpe ratio",
        assessed("metrics.0.new.value", 0.11),
        (PAGE_ONE, "^TL;DR: Sharpe|^Sharpe"),
        ("1.1", "^Performance"),
        ("2.1", r"^Sharpe \|"),
        ("4.1", "^False-alarm"),
    ),
    row(
        "a difference beyond chance",
        assessed("sharpe_difference_p.value", 0.01),
        (PAGE_ONE, "cannot tell from zero"),
        ("1.1", "^Performance"),
        ("2.1", "^p for no difference"),
    ),
    row(
        "returns before costs",
        evidence("backtest.costs", Costs.BEFORE),
        (PAGE_ONE, "^TL;DR: Sharpe|^Picture: Growth"),
        ("1.1", "^Performance"),
        ("2.1", "^Costs of the backtest: net|^Picture: Growth"),
    ),
    row(
        "nobody said whether returns are net",
        evidence("backtest.costs", Costs.NOT_STATED),
        (PAGE_ONE, "^TL;DR: Sharpe|^Picture: Growth"),
        ("2.1", "^Costs of the backtest: net"),
    ),
    row(
        "fees were imported after all",
        evidence("backtest.costs", Costs.IMPORTED),
        (PAGE_ONE, "^TL;DR: Sharpe|^FAIL: .*2.1 Backtest returns are before costs|lines? red or missing"),
        ("1.1", "^Performance"),
        ("2.1", "^Backtest returns are before costs"),
        world="before costs",
    ),
    row(
        "costs were stated after all",
        RICH,
        (PAGE_ONE, "^TL;DR: Sharpe|^NOT PROVIDED: .*2.1 Costs|lines? red or missing"),
        ("1.1", "^Performance"),
        ("2.1", "^Costs of the backtest: costs not stated"),
        world="costs not stated",
    ),
    row(
        "another share of capital",
        policy("phases.limited_allocation_pct", 20),
        (PAGE_ONE, "^TL;DR: Asks for"),
        ("4.1", "^Enable trading|^After 2 sessions"),
        ("7.2", "allocation_pct"),
    ),
    row(
        "another replay",
        assessed("pit", PitSummary(status=PitStatus.FAILED, reason="It looks ahead.")),
        (PAGE_ONE, "^Figure: Point in time"),
        ("2.3", "^PIT Compliance|^Nothing moved"),
    ),
    row(
        "nobody has signed",
        standing("approvals", ()),
        (PAGE_ONE, "^Figure: Approvals"),
        ("4.3", r"\| +\[APPROVED\]"),
        ("12", "^Last Updated"),
    ),
    row(
        "signed over another memo",
        standing("approved_manifest", "ff" * 32),
        (PAGE_ONE, "^Figure: Approvals"),
        ("4.3", r"\| +\[APPROVED\]"),
    ),
    row(
        "not rehearsed",
        standing("rehearsal", None),
        (PAGE_ONE, "^Figure: Rehearsal"),
        ("3.2", "^RTO|^RPO"),
        (
            "5.1",
            "^Rollback Rehearsal|^(Fence|Cancel|Verify flat|Revert|Verify revert|Review) |^0 orders|^Halt all open",
        ),
        ("12", "Rollback plan"),
    ),
    row(
        "another value at risk",
        assessed("value_at_risk_new.value", -0.05),
        (PAGE_ONE, "^Figure: VaR"),
        ("1.1", "^Risk"),
    ),
    row("another level", policy("gates.var.level", 0.99), (PAGE_ONE, "^Figure: VaR"), ("1.1", "^Risk")),
    row(
        "another period",
        assessed("period", (DAY, date(2012, 5, 5))),
        (PAGE_ONE, "^Heading: Backtest|^Picture: Growth"),
        ("2.1", "^Test Period|^Picture"),
    ),
    row(
        "another frequency",
        assessed("time", Sampling(frequency=Frequency.MONTHLY, rows_a_year=12.0, calendar="XTKS", risk_free_pct=3.0)),
        ("2.1", "^Time:|^Test Period"),
    ),
    row(
        "paper trading differs",
        assessed("paper.sharpe.value", -1.77),
        (PAGE_ONE, "^Sharpe Ratio:"),
        ("2.4", "^Sharpe Ratio"),
    ),
    row(
        "no paper trading",
        assessed("paper", None),
        (PAGE_ONE, "^Sharpe Ratio:|lines red"),
        (
            "2.4",
            "^(Paper Trading (Period|Artifacts)|Sharpe|Correlation|Execution|Model latency|Error|Anomalies)",
        ),
    ),
    row(
        "more is missing",
        standing("previous_check", None),
        (PAGE_ONE, "lines red or missing|^NOT PROVIDED"),
        ("5.2", "^Verified working"),
        ("5.1", "^Verify previous"),
    ),
    row(
        "more is not evidenced",
        standing("trail", Trail()),
        (PAGE_ONE, "lines red or missing|^NOT EVIDENCED"),
        ("8.1", "^All predictions|^All trades|^Full repro|^Paper log"),
    ),
    row(
        "phase promises are read from 4.1",
        initial(),
        (PAGE_ONE, "^Previous"),
        ("4.1", "^Monitor for anomalies|^Compare"),
    ),
    row(
        "a certification falls", standing("notices", ()), (PAGE_ONE, "lines red or missing"), ("12", "All stakeholders")
    ),
    row(
        "nothing is certified",
        {**RICH, "assessment": replace(RICH["assessment"], regimes=())},
        ("12", "Risk assessment"),
        ("3.3", "Performs well|^(Bull|Bear|High|Low) "),
    ),
    row("conditions were met", conditional(open_conditions=()), (PAGE_ONE, "^Open conditions: R"), world="conditional"),
    row(
        "the daily review is declared",
        conditional("while limited: daily review", open_conditions=()),
        ("4.1", "^Daily review"),
        ("4.3", "blocks limited"),
        (PAGE_ONE, "^Open conditions: R"),
        world="daily review",
    ),
    row("nobody asks for a daily review", RICH, ("4.1", "^Daily review"), world="daily review"),
    row(
        "the names were checked", RICH, ("9.1", "unauthenticated"), ("9.2", "unauthenticated"), world="unchecked names"
    ),
    row(
        "no key was replaced",
        overridden(Role.RISK_MANAGER, Role.CTO),
        (PAGE_ONE, "^Notice: Signed with a key that replaced"),
        ("4.3", "key replaced"),
        world="keys replaced",
    ),
    row(
        "a condition is open",
        conditional(),
        (PAGE_ONE, "^Open conditions: none|^Decision|^Status"),
        ("4.3", "^None|^Risk manager|^Deployment Approval"),
        ("12", "^Status"),
    ),
    row("nobody set a condition", RICH, ("4.3", "^Risk manager"), (PAGE_ONE, "^Decision|^Status"), world="conditional"),
    row("somebody overrode", overridden(Role.RISK_MANAGER, Role.CTO), (PAGE_ONE, "^Overrides: none")),
    row(
        "nobody overrode",
        {**RICH, "assessment": replace(RICH["assessment"], findings=sample.FINDINGS)},
        (PAGE_ONE, "^Notice: Gates that did|^Overrides:"),
        ("2.2", "^Override"),
        ("12", "All validation"),
        world="overridden",
    ),
    row(
        "two overrode",
        overridden(Role.RISK_MANAGER, Role.CTO),
        (PAGE_ONE, "^Notice: Blocked|^Overrides:"),
        ("2.2", "^Override"),
        ("12", "All validation"),
        world="overridden by one",
    ),
    row(
        "gates passed after all",
        RICH,
        (PAGE_ONE, "^TL;DR: Four|^Figure: Gates|^VaR C|^FAIL|^NOT CERTIFIED"),
        ("2.2", "^VaR C.* [≥≤<] |^VaR Compliance: not provided"),
        world="overridden",
    ),
    row(
        "a full release",
        RICH,
        (PAGE_ONE, "^Notice: Shortened|^Type"),
        ("4.1", "^Shortened|^Phase"),
        ("4.3", "not required"),
        world="hotfix",
    ),
    row(
        "the real venue",
        RICH,
        (PAGE_ONE, "^Notice: The rollback was|^Figure: Rehearsal"),
        ("3.2", "^RTO"),
        ("5.1", "simulated"),
        ("12", "Rollback plan"),
        world="simulated",
    ),
    row(
        "the policy asks for a venue",
        of("policy", "rollback.rehearsal_venue", VenueKind.CONNECTED, rehearsed(venue=VenueKind.SIMULATED)),
        (PAGE_ONE, "^Notice: The rollback was"),
        ("12", "Rollback plan"),
        world="simulated",
    ),
    row(
        "a venue is there",
        NO_RULES,
        (PAGE_ONE, "^Notice: The rollback was|^Figure: Rehearsal|^NOT CERTIFIED|^NOT MEASURED: 3.2"),
        ("3.2", "^RTO|^The RTO"),
        ("5.1", "^(?!Weakest).*no venue|not rehearsed|^Rollback Rehearsal|left open|unknown"),
        ("12", "Rollback plan"),
        world="no venue",
    ),
    row("the code ran in place", evidence("pit.protection", IN_PLACE), ("2.3", "Historical replay")),
    row("nothing was traded on paper", without("paper"), (PAGE_ONE, "^Paper trading: S"), world="written summary"),
    row(
        "nobody wrote a summary",
        dossier("header.summary", None),
        (PAGE_ONE, "^TL;DR: Net Sharpe 9|^Notice: People wrote the summary"),
        world="written summary",
    ),
    row(
        "another champion at first",
        RICH,
        (PAGE_ONE, "^Previous|^TL;DR: First|^Type"),
        ("1.1", "previous version"),
        ("1.2", "N/A"),
        ("5.1", "^No previous|N/A"),
        ("5.2", "N/A"),
        ("7.2", "^Derived"),
        ("4.1", "^Compare|^Monitor for"),
        ("2.1", r"N/A|previous"),
        world="initial",
    ),
    # 1
    row("another goal", dossier("rationale.goal", "Sell."), ("1.1", "^Primary Goal")),
    row("another latency", assessed("latency_p95_new.value", 500.0), ("1.1", "^Operations")),
    row(
        "the same version again",
        of("evidence", "candidate", replace(sample.CHAMPION, version="2.0.0", artifacts=ARTIFACTS)),
        *(("1.2", f"^{c}") for c in ("Features", "Architecture", "Training", "Hyper", "Infra")),
        (PAGE_ONE, "^TL;DR: Replaces"),
    ),
    row(
        "nothing is justified",
        dossier(
            "rationale.justifications",
            replace(
                RICH["dossier"].rationale.justifications,
                features=None,
                architecture=None,
                training_data=None,
                hyperparameters=None,
                infrastructure=None,
            ),
        ),
        *(("1.2", f"^{c}") for c in ("Features", "Architecture", "Training", "Hyper", "Infra")),
    ),
    row(
        "other triggers",
        dossier(
            "rationale.triggers",
            (
                Trigger.NEW_DATA,
                Trigger.REGULATORY,
                Trigger.BUG_FIX,
                Trigger.SCHEDULED_REFRESH,
                Trigger.PERFORMANCE_DEGRADATION,
            ),
        ),
        *(("1.3", t) for t in ("Scheduled", "Performance", "New data", "Research", "Regulatory", "Bug fix", "Other")),
    ),
    row(
        "no breach is on record",
        of("standing", "breach", "", WORLDS["breached"]),
        ("1.3", r"\[x\] Performance"),
        world="breached",
    ),
    row("another time", dossier("rationale.timing", "Now."), ("1.3", "^Timing")),
    # 2
    row(
        "metrics miss their targets",
        assessed(
            "metrics",
            tuple(
                sample.metric(m.key, m.target.value - 0.01, m.old.value, m.target.value, m.target.unit)
                for m in sample.METRICS
            ),
        ),
        *(("2.1", rf"^{m.title} \|") for m in sample.METRICS),
        *((PAGE_ONE, rf"^{m.title} \|") for m in sample.METRICS),
    ),
    row("another difference", assessed("sharpe_difference.value", -0.4), ("2.1", "^Sharpe difference")),
    row("another file", evidence("backtest.source.sha256", "ee" * 32), ("2.1", "^Backtest Artifacts")),
    row(
        "gates without pictures",
        assessed("findings", tuple(replace(f, charts=()) for f in sample.PASSING)),
        ("2.2", "^Picture"),
    ),
    row(
        "other reasons",
        assessed("findings", tuple(replace(f, reason="Else.", method="another", n=3) for f in sample.PASSING)),
        *(
            ("2.2", rf"^{g} \| 2,516")
            for g in ("SPA", "DSR", "PBO", "Walk-Forward Consistency", "VaR Compliance", "Deflated Sharpe Ratio")
        ),
    ),
    row("no reviewer", dossier("validation.pit.code_review_by", None), ("2.3", "Manual code review")),
    row("an audit looked at nothing", evidence("pit.audits.0.features_checked", 0), ("2.3", "Audit of surv")),
    row("no audit", dossier("validation.pit.third_party_audit", None), ("2.3", "Third-party")),
    row(
        "a test failed",
        of("evidence", "suites", {n: replace(s, passed=8) for n, s in RICH["evidence"].suites.items()}),
        ("2.3", "Automated PIT"),
        ("8.3", r"^\[ \] (Unit|Integration|PIT|Perf)"),
    ),
    row(
        "no test ran",
        evidence("suites", {}),
        ("2.3", "Automated PIT"),
        ("8.3", "passed by the report"),
        ("8.1", "passed on"),
    ),
    row(
        "the replay found a leak",
        evidence("pit.findings", (PitFinding(feature="f1", kind="future", first_date="2017-02-01", size=0.5),)),
        ("2.3", "Historical replay|^PIT Issues"),
    ),
    row(
        "the replay looked at nothing",
        evidence("pit", PitEvidence(findings=(), dates_checked=0, features_checked=0, seed=0)),
        ("2.3", "Historical replay|Audit of surv"),
    ),
    row("the replay broke", evidence("pit.error", "no such module"), ("2.3", "Historical replay")),
    row("an audit found something", evidence("pit.audits.0.findings", 3), ("2.3", "Audit of surv")),
    row("no issue is known", dossier("validation.pit.issues", ()), ("2.3", "^PIT Issues")),
    row("another method", dossier("validation.paper.method", "Live."), ("2.4", "^Method")),
    row("another paper period", assessed("paper.start", DAY), ("2.4", "^Paper Trading Period")),
    row("paper trading is not its backtest", assessed("paper.correlation.value", 0.1), ("2.4", "^Correlation")),
    row("paper trading costs more", assessed("paper.slippage.value", 40.0), ("2.4", "^Execution")),
    row("paper trading is slow", assessed("paper.latency_p95.value", 900.0), ("2.4", "^Model latency")),
    row("paper trading errs", assessed("paper.error_rate.value", 0.4), ("2.4", "^Error rate")),
    row("no check of the paper log ran", assessed("paper.checks", ()), ("2.4", "^Anomalies")),
    row("nothing is explained of it", dossier("validation.paper.explanations", ()), ("2.4", "^Explanations")),
    row("fewer rows on paper", assessed("paper.predictions", 3), ("2.4", "^Paper Trading Artifacts")),
    # 3
    row("lower risks", dossier("risk.risks", RICH["dossier"].risk.risks[1:]), ("3.1", "^Risk Level|^Feature drift")),
    row(
        "a mitigation that nothing keeps",
        dossier("risk.risks.1.mitigation", "rollback above 999 ms"),
        ("3.1", "^Latency spike"),
    ),
    row("other dependencies", dossier("risk.external_services", ()), ("3.2", "^External services")),
    row("no feed", dossier("risk.data_feeds", ()), ("3.2", "^Data feeds")),
    row("no host", dossier("risk.infrastructure", ()), ("3.2", "^Infrastructure")),
    row(
        "a weakness whose mitigation nothing keeps",
        dossier("risk.single_points_of_failure.0.mitigation", "rollback above 999 ms"),
        ("3.2", "^broker"),
        (PAGE_ONE, "^FAIL|lines red"),
    ),
    row(
        "the rehearsal restored another version",
        rehearsed(restored_version="0.9.0"),
        ("5.1", "^Rollback Rehearsal"),
        ("12", "Rollback plan"),
        (PAGE_ONE, "^Figure: Rehearsal|^FAIL|lines red"),
    ),
    row("another weakness", dossier("risk.single_points_of_failure", ()), ("3.2", "^broker")),
    row(
        "the rehearsal was slower",
        rehearsed(seconds=tuple((step, 99.0) for step, _ in sample.REHEARSAL.result.seconds)),
        ("3.2", r"^RTO \("),
        ("5.1", "^(Fence|Cancel|Verify flat|Revert|Verify revert|Review) "),
        (PAGE_ONE, "^Figure: Rehearsal"),
    ),
    row("events were lost", rehearsed(events_lost=3), ("3.2", "^RPO"), ("5.1", "^Rollback Rehearsal")),
    row(
        "orders stayed open",
        rehearsed(residual_orders=2, within_budget=False),
        ("5.1", "^0 orders|^Rollback Rehearsal"),
    ),
    row(
        "rehearsed on another day",
        standing("rehearsal.at", datetime(2018, 12, 9, tzinfo=UTC)),
        ("3.2", "^RTO as measured"),
        ("5.1", "^Rollback Rehearsal"),
    ),
    row("no regime differs", assessed("trend_contrast.p_value.value", 0.9), ("3.3", "Regime-specific")),
    row("volatility matters", assessed("volatility_contrast.p_value.value", 0.001), ("3.3", "Volatility-dependent")),
    row("a regime loses", RICH, ("3.3", r"\[x\] Performs well"), world="all regimes"),
    row("every regime gains", WORLDS["all regimes"], ("3.3", "Performs well|^(Bear|High|Low) ")),
    *(
        row(
            f"the {n}. window is not covered",
            assessed(f"stress.{n}", replace(r, **{k: replace(getattr(r, k), value=None) for k in FIGURES})),
            ("3.3", f"^{re.escape(r.title)}, "),
        )
        for n, r in enumerate(RICH["assessment"].stress)
    ),
    row(
        "windows without a note",
        assessed("stress", tuple(replace(r, note="") for r in RICH["assessment"].stress)),
        ("3.3", ": A note on"),
    ),
    row(
        "other limits",
        dossier(
            "risk.position_limits",
            replace(
                RICH["dossier"].risk.position_limits,
                max_portfolio_weight_pct=50,
                max_single_position_pct=5,
                max_sector_pct=9,
            ),
        ),
        ("3.3", "^Maximum"),
        ("7.1", "max_position"),
    ),
    row(
        "other substitutes",
        policy("order_gate", OrderGatePolicy(unknown_vix=20)),
        ("3.3", "Unknown figures"),
        ("6.2", "^Unknown figures"),
    ),
    # 4
    row("calendar days", policy("phases.days", DayCount.CALENDAR), ("4.1", "^Days are")),
    row(
        "longer phases",
        policy("phases", replace(POLICY.phases, shadow_days=20, limited_days=20, enhanced_monitoring_days=90)),
        ("4.1", "^Phase|^Continue enhanced"),
    ),
    row(
        "other triggers of the policy",
        policy(
            "triggers",
            replace(
                POLICY.triggers,
                sharpe=replace(POLICY.triggers.sharpe, below=0.9, window_days=60),
                var=replace(POLICY.triggers.var, exceptions=2),
                error_rate_pct=1.0,
            ),
        ),
        ("4.1", "^Sharpe <|^VaR breach|^Error rate|^False-alarm"),
        ("4.2", "^Performance|^Sharpe"),
        ("5.1", "^Performance falls"),
    ),
    row(
        "a tighter dossier",
        dossier("plan.tighten", {"triggers.latency_p95_ms": 99.0}),
        ("4.1", "^Latency p95|^Stricter"),
    ),
    row(
        "other silence",
        policy("silence", replace(POLICY.silence, limited_after_sessions=1, zero_after_sessions=3)),
        ("4.1", "^After 2 sessions"),
    ),
    row(
        "no dashboard",
        standing("links", {}),
        ("4.2", "^Dashboard"),
        ("12", "Monitoring and alerts"),
        ("8.2", "^Model Card"),
        ("11.1", "exists"),
        ("11.2", "exists"),
    ),
    row(
        "files are gone",
        standing("links", dict.fromkeys(LINKS, False)),
        ("8.1", "passed on"),
        ("11.1", "exists"),
        ("11.2", "exists"),
        ("4.2", "^Dashboard"),
    ),
    row(
        "other channels",
        dossier("plan.monitoring", replace(RICH["dossier"].plan.monitoring, pager="none", channels=("#x",))),
        ("4.2", "^Alerts"),
    ),
    row("no champion to be held against", initial(), ("4.2", "^Against the champion"), ("4.1", "^Compare")),
    row(
        "other alerts",
        policy(
            "alerts",
            replace(
                POLICY.alerts,
                **{
                    k: replace(getattr(POLICY.alerts, k), warning=w, critical=c, action="Look")
                    for k, w, c in (
                        ("sharpe_30d", 2.0, 1.5),
                        ("psi", 0.01, 0.02),
                        ("latency_p95_ms", 5.0, 9.0),
                        ("error_rate_pct", 0.1, 0.2),
                    )
                },
            ),
        ),
        ("4.2", "^(Sharpe|PSI|Latency|Error rate) "),
    ),
    row(
        "another incident channel",
        dossier("rollback.incident_channel", "#other"),
        ("4.2", "^By itself"),
        ("5.1", "^Alert stakeholders|^Notify all"),
    ),
    row("a policy of another name", policy("name", "other"), ("4.2", "^By itself")),
    row(
        "other signatories",
        dossier("plan.signatories", tuple(replace(s, name="Z") for s in RICH["dossier"].plan.signatories)),
        ("4.3", "person"),
    ),
    row("nobody is barred", standing("grounds", ()), ("4.3", "^Q. Ferrari")),
    row(
        "no role is asked to sign",
        standing("required", ()),
        ("4.3", r"\| +\[APPROVED\]"),
        (PAGE_ONE, "^Figure: Approvals"),
    ),
    # 5
    row(
        "other budgets",
        policy(
            "rollback",
            replace(
                POLICY.rollback,
                immediate_minutes=1,
                revert_minutes=2,
                review_minutes=30,
                post_mortem_hours=9,
                positions=PositionsAfter.KEPT,
                rehearsal_venue=VenueKind.SIMULATED,
            ),
        ),
        ("5.1", "^[123]\\. |^Schedule|^Positions|^Weakest"),
    ),
    row(
        "no venue answered",
        rehearsed(venue=VenueKind.NONE, residual_orders=None),
        ("5.1", "^Halt all|^(Fence|Cancel|Verify flat) |^0 orders|^Rollback Rehearsal"),
        ("3.2", "^RTO"),
        ("12", "Rollback plan"),
    ),
    row("another fallback", dossier("rollback.fallback", Fallback.MANUAL), ("5.2", "Disable model|Fall back")),
    row("another fallback still", {**dossier("rollback.fallback", Fallback.ENSEMBLE)}, ("5.2", "Use ensemble")),
    row(
        "a fallback of one's own",
        of("dossier", "rollback.fallback_other", "Cash.", dossier("rollback.fallback", Fallback.OTHER)),
        ("5.2", "Other"),
    ),
    row("another package", dossier("rollback.deployment_package", "none"), ("5.2", "^Deployment package")),
    row(
        "the champion does not run",
        standing("previous_check", PreviousCheck(version="1.1.0", run_id="r9", is_working=False, detail="broken")),
        ("5.2", "^Verified working|^MLflow Run ID"),
    ),
    # 6
    row(
        "another assumption",
        dossier(
            "boundaries.assumptions.0",
            replace(
                RICH["dossier"].boundaries.assumptions[0],
                description="x",
                monitor="latency_p95_ms < 9",
                if_violated="y",
            ),
        ),
        ("6.1", "^1. Liquid|^Validation|^If violated"),
    ),
    row("a monitor of nothing", dossier("boundaries.assumptions.0.monitor", "adv_min > 5"), ("6.1", "^Validation")),
    row(
        "an action that nothing takes",
        dossier("boundaries.assumptions.0.if_violated", "halt if VIX > 12"),
        ("6.1", "^If violated"),
    ),
    row("a model that can", dossier("boundaries.does_not", ("Fly",)), ("6.2", "^Predict")),
    row(
        "other restrictions",
        dossier(
            "boundaries.restrictions",
            replace(
                RICH["dossier"].boundaries.restrictions,
                min_adv_usd=1,
                excluded_symbols=(),
                event_window_days=9,
                halt_if_vix_above=None,
            ),
        ),
        ("6.2", "^(Minimum|Excluded|Event|Market)"),
    ),
    # 7
    row(
        "another place",
        dossier(
            "infrastructure",
            replace(
                RICH["dossier"].infrastructure,
                environment=type(RICH["dossier"].infrastructure.environment)("staging"),
                platform="x",
                container="x",
                resources="x",
                autoscaling="x",
                configuration={},
                flag_service="x",
                feeds=(replace(RICH["dossier"].infrastructure.feeds[0], name="x"),),
                feature_service=replace(
                    RICH["dossier"].infrastructure.feature_service, endpoint="x", sla="x", caching="x"
                ),
            ),
        ),
        ("7.1", "^(Environment|Platform|Container|Resources|Auto|latency|allocation)"),
        ("7.2", "^Controlled"),
        ("7.3", "^(closes|Endpoint|SLA|Caching)"),
    ),
    row(
        "the champion keeps all",
        policy("phases.champion_share_while_limited", type(POLICY.phases.champion_share_while_limited)("all")),
        ("7.2", "^Derived|^v1.1.0 .*allocation"),
    ),
    # 8
    row(
        "a file of hello",
        dossier("governance.requirements", tuple(replace(r, test=None) for r in REQUIREMENTS)),
        ("8.1", "passed on"),
    ),
    row(
        "declared without a test",
        dossier("governance.requirements", tuple(replace(r, test=None, declared_by="S. Brandt") for r in REQUIREMENTS)),
        ("8.1", "passed on"),
    ),
    row(
        "the tests did not pass",
        of(
            "evidence",
            "suites",
            {
                SuiteName.UNIT: replace(
                    RICH["evidence"].suites[SuiteName.UNIT], cases=tuple(replace(t, has_passed=False) for t in TESTS)
                )
            },
        ),
        ("8.1", "passed on"),
    ),
    row(
        "the tests have no day",
        of(
            "evidence",
            "suites",
            {
                SuiteName.UNIT: replace(
                    RICH["evidence"].suites[SuiteName.UNIT], cases=tuple(replace(t, day="") for t in TESTS)
                )
            },
        ),
        ("8.1", "passed on"),
    ),
    row("no rule is met", dossier("governance.requirements", REQUIREMENTS[:1]), ("8.1", "MiFID|FINRA|Internal")),
    row("no live journal", standing("trail", Trail()), ("8.1", "^All predictions"), world="live"),
    row("a journal of trades", RICH, ("8.1", "not evidenced"), (PAGE_ONE, "^NOT EVIDENCED|lines red"), world="live"),
    row(
        "a journal with a gap",
        standing(
            "trail",
            Trail(
                predictions=Proof(ProofOutcome.REFUTED, "1 of 20 sessions"),
                trades=Proof(ProofOutcome.NOT_EVIDENCED, "no orders"),
                reproducibility=Proof(ProofOutcome.REFUTED, "it differs"),
                paper=Proof(ProofOutcome.NOT_COMPARABLE, "other years"),
            ),
        ),
        ("8.1", "^All predictions|^All trades|^Full repro|^Paper log"),
    ),
    row(
        "this version does not run",
        standing("candidate_check", replace(RICH["standing"].candidate_check, is_working=False, detail="broken")),
        ("8.1", "^Known input"),
    ),
    row("nothing ran this version", standing("candidate_check", None), ("8.1", "^Known input")),
    row("another card", dossier("governance.model_card", "other.md"), ("8.2", "^Model Card"), ("11.1", "^Model Card")),
    row(
        "another run",
        of("evidence", "candidate", replace(RICH["evidence"].candidate, run_id="r9", experiment="e9", tags={})),
        ("8.2", "^Experiment|^Run ID|^Governance tag"),
        ("12", "governance requirements"),
    ),
    row(
        "nothing is attached",
        evidence(
            "candidate.artifacts",
            ("not_model_card.txt.bak", "data/repository_dump.csv", "old_backtest_report_notes.md"),
        ),
        ("8.2", r"\[x\]"),
    ),
    row(
        "another change",
        dossier("governance", replace(RICH["dossier"].governance, ticket="X-9", pull_request="#9", reviewers=("Z",))),
        ("8.3", "^(Jira|Pull|Code Review)"),
    ),
    row("another author", standing("grounds", (replace(GROUND, name="Z"),)), ("8.3", "^Commit Authors")),
    row("a reviewer wrote it", dossier("governance.commit_authors", ("A", "Q. Ferrari")), ("8.3", "^Code Review")),
    # 9
    row("no notice was sent", standing("notices", ()), ("9.1", "sent by email"), ("12", "All stakeholders")),
    row(
        "notices lie in a file",
        WORLDS["notices in a file"],
        ("9.1", "sent by email"),
        ("12", "All stakeholders"),
    ),
    row("a webhook took them", notified(Delivery.RECEIVER, "hooks.firm"), ("9.1", "sent by email")),
    row("nobody recorded who took them", WORLDS["notices of an older Signoff"], ("9.1", "sent by email")),
    row("another server took them", notified(Delivery.EMAIL, "mail.other"), ("9.1", "taken by mail.firm")),
    row("a mail server took them", RICH, ("9.1", "not recorded"), world="notices of an older Signoff"),
    row(
        "a mail server took what lay in a file",
        RICH,
        ("9.1", "written to"),
        ("12", "All stakeholders"),
        (PAGE_ONE, "^Notice: Not evidenced|^NOT CERTIFIED|lines red"),
        world="notices in a file",
    ),
    row(
        "notices were sent after all",
        RICH,
        ("9.1", "not sent"),
        ("12", "All stakeholders"),
        (PAGE_ONE, "^Notice: Not evidenced|^NOT CERTIFIED|lines red"),
        world="no notices",
    ),
    row("another moment", policy("sign_off.notice_hours", 48.0), ("9.1", "^Due 24 h")),
    row("the start waits for the notices", policy("sign_off.accepted_not_evidenced", ()), ("9.1", "^Due 24 h")),
    row("the start does not wait for them", RICH, ("9.1", "^Due 24 h"), world="nothing accepted"),
    row(
        "a hotfix has hours of its own",
        of("policy", "sign_off.notice_hours", 4.0, typed(DeploymentType.HOTFIX)),
        ("9.1", "^Due before"),
        world="hotfix",
    ),
    row(
        "nobody did it",
        WORLDS["nobody did it"],
        ("9.1", "^.x. (Dashboard|Performance|Deployment retro|Updated)"),
        ("9.2", r"\[x\]"),
    ),
    row(
        "another person did it",
        standing("done", tuple((replace(one, person="Z", note=""), *how) for one, *how in RICH["standing"].done)),
        ("9.1", "A. Berg"),
        ("9.2", "A. Berg"),
    ),
    row(
        "people did it",
        RICH,
        ("9.1", "no person says"),
        ("9.2", "declared by"),
        (PAGE_ONE, "^NOT EVIDENCED|lines red"),
        world="nobody did it",
    ),
    row(
        "nothing was written",
        of(
            "dossier",
            "communication",
            replace(
                RICH["dossier"].communication,
                documents=dict.fromkeys(DOCUMENTS, False),
                training=dict.fromkeys(TRAINING, False),
            ),
            WORLDS["nobody did it"],
        ),
        ("9.2", ": done"),
        world="nobody did it",
    ),
    # 10
    row(
        "other targets",
        dossier(
            "success",
            replace(
                RICH["dossier"].success,
                sharpe=9,
                hit_rate_pct=99,
                max_drawdown_pct=-1,
                latency_p95_ms=1,
                review_date=DAY,
                attendees=("Z",),
            ),
        ),
        ("10.1", "^(Sharpe|Hit|Max|Latency)"),
        ("10.2", "^30-Day|^Attendees"),
    ),
    row(
        "other floors",
        policy("success", replace(POLICY.success, correlation_with_backtest=0.9, uptime_pct=99.0, error_rate_pct=0.5)),
        ("10.1", "^(Correlation|Uptime|Error)"),
    ),
    row("another drift", policy("alerts.psi.warning", 0.05), ("10.1", "^Drift metrics")),
    # 11
    row(
        "no reference",
        dossier("appendix.references", (Reference(title="x", link="y"),)),
        ("11.1", "^(Backtest|Research|Code)"),
    ),
    row("another experiment", dossier("governance.experiment", "e9"), ("11.1", "^MLflow")),
    row(
        "nothing is bound",
        WORLDS["unbound"],
        ("11.2", r"^Registered version|\| bytes|\| digest alone|^(Backtest|Predictions|Paper log): run"),
    ),
    row(
        "other bytes",
        evidence("candidate.pin", replace(PIN, files=(Artifact(path="model.txt", size=4, sha256="3" * 64),))),
        ("11.2", r"^Registered version|\| bytes|\| digest alone"),
    ),
    row("it came as files", evidence("tracked", ()), ("11.2", "^(Backtest|Predictions|Paper log): run")),
    row(
        "another run made it",
        WORLDS["made by another run"],
        ("11.2", "^(Backtest|Predictions|Paper log): run"),
    ),
    row(
        "the run of the version made it",
        RICH,
        ("11.2", "not the run"),
        (PAGE_ONE, "^FAIL|lines red"),
        world="made by another run",
    ),
    row(
        "all is bound",
        RICH,
        ("11.2", "not bound|: declared"),
        (PAGE_ONE, "^NOT EVIDENCED|lines red"),
        world="unbound",
    ),
    row(
        "a registry was asked",
        of("evidence", "has_registry", True, WORLDS["unbound"]),
        ("11.2", "not bound"),
        world="unbound",
    ),
    row(
        "no benchmark",
        assessed("benchmark", None),
        ("11.2", "^(Inference time|Memory|Throughput|Source)"),
    ),
    row(
        "other contacts",
        dossier(
            "appendix.contacts",
            replace(
                RICH["dossier"].appendix.contacts,
                owner=replace(RICH["dossier"].appendix.contacts.owner, name="Z"),
                tech_lead=replace(RICH["dossier"].appendix.contacts.owner, name="Z"),
                on_call="x",
                escalation=("x",),
            ),
        ),
        ("11.3", "^(Model Owner|Tech Lead|On-Call|Owner)"),
    ),
    # 12
    row("another certifier", dossier("sign_off.signed_by", "Nobody"), ("12", "^Deployed By")),
    row(
        "the deployer signed",
        standing("deployer", SIGNED),
        ("12", "^Deployed By|^Date|^Signature"),
        (PAGE_ONE, "^NOT PROVIDED|lines red"),
    ),
    row(
        "another deployer signed, with a key of their own",
        standing(
            "deployer",
            replace(
                SIGNED,
                person="Z",
                key_id="cd" * 32,
                key_made_by="",
                key_replaced="",
                signed_at=datetime(2019, 1, 3, 9, tzinfo=UTC),
            ),
        ),
        ("12", "^Deployed By|^Date|^Signature"),
        world="signed start",
    ),
    row(
        "over another manifest",
        standing("deployer", replace(SIGNED, manifest="ff" * 32)),
        ("12", "^Signature"),
        world="signed start",
    ),
    row(
        "who started it signed after all",
        standing("deployer", SIGNED),
        ("12", "^Deployed By|^Date|^Signature"),
        (PAGE_ONE, "^NOT EVIDENCED"),
        world="unsigned start",
    ),
    row(
        "everybody made their own key",
        overridden(Role.RISK_MANAGER, Role.CTO),
        (PAGE_ONE, "^Notice: Signed with a private key"),
        ("4.3", "key made by"),
        world="keys of others",
    ),
    row(
        "another person made the keys",
        with_keys_of("Z", overridden(Role.RISK_MANAGER, Role.CTO)),
        (PAGE_ONE, "^Notice: Signed with a private key"),
        ("4.3", "key made by"),
        world="keys of others",
    ),
    row("no policy accepts a lack of evidence", policy("sign_off.accepted_not_evidenced", ()), ("12", "^Shadow waits")),
    row("the policy accepts a lack of evidence", RICH, ("12", "^Shadow waits"), world="nothing accepted"),
    row(
        "the policy accepts nothing that is not checked",
        of("policy", "sign_off.accepted_not_evidenced", (), WORLDS["not checked"]),
        (PAGE_ONE, "^Notice: Not evidenced"),
        world="not checked",
    ),
    row(
        "everything was checked",
        RICH,
        (PAGE_ONE, "^Notice: Not evidenced|^NOT CERTIFIED|lines red"),
        *((place, "not checked") for place in ("4.2", "8.2", "11.1", "11.2")),
        ("12", "Monitoring and alerts"),
        world="not checked",
    ),
    row(
        "the journal holds every prediction",
        NO_RULES,
        ("8.1", "^All predictions"),
        ("12", "governance requirements"),
        (PAGE_ONE, "^NOT CERTIFIED|lines red|^(FAIL|REFUTED)"),
        world="refuted",
    ),
    row(
        "the journal refutes it",
        WORLDS["refuted"],
        ("8.1", "^All predictions"),
        ("12", "governance requirements"),
    ),
    # 13
    row("another day, another history", living(day=5), (PAGE_ONE, "^Notice: Living"), world="living"),
    row("a longer history", living(*LIVED), (PAGE_ONE, "^Notice: Living"), world="living, not started"),
    row(
        "something happened",
        living(*LIVED),
        ("13", "^Not started|^None went|^Nothing is on|^Not live|^No session"),
        world="living, not started",
    ),
    row(
        "nothing happened",
        living(),
        ("13", "^Started|^By|^Section 12|Trading desk|^Retrospective|^2019|psi|error rate|^Session|^Root"),
        (PAGE_ONE, "^Notice: Readings"),
        world="living",
    ),
    row("others acted", living(*LIVED, actor="Z"), ("13", "^By"), world="living"),
    row("nobody signed section 12", living(LIVED[0], *LIVED[2:]), ("13", "^Section 12"), world="living"),
    row(
        "a receiver took the notice",
        living(*LIVED[:2], replace(LIVED[2], delivery=Delivery.RECEIVER), *LIVED[3:]),
        ("13", "Trading desk"),
        world="living",
    ),
    row(
        "the last session was good",
        living(*LIVED, replace(LIVED[4], session=date(2019, 1, 5), readings=observed(20.0)[0].readings)),
        ("13", "psi|error rate|^Session"),
        (PAGE_ONE, "^Notice: Readings"),
        world="living",
    ),
    row(
        "a person stated the root cause",
        living(*LIVED, PostMortemHeld(notes="n", root_cause="A full disk")),
        ("13", "^Root cause: open"),
        world="living",
    ),
)

# Rules of reading, the template's own headings and questions, and promises that read as kept by nobody.
NO_CLAIM = (
    ("4.1", "^Daily review.*: not evidenced"),
    ("5.1", "^(Critical bug|Risk breach|Regulatory or|Business decision|Re-enable)"),
    ("7.1", "^# Key configuration"),
    ("10.1", "^No (VaR|critical)"),
    ("10.2", "^(Actual|Operational|Drift|Risk|Lessons)"),
    (PAGE_ONE, "^Attachment: Detailed|^Heading: Risk|^NOT MEASURED: 4.1 Compare"),
    ("9.1", "^(Pre-Deployment|At Deployment|Post-Deployment)"),
)

# What no release can make false, since Signoff itself keeps it: each names the test that shows that it is kept.
KEPT = (
    (
        "2.1",
        "^New Sharpe ratio: ± is half of the 95% interval",
        "gates/test_uncertainty.py",
        "test_the_half_width_is_that_of_the_student_interval",
    ),
    (
        PAGE_ONE,
        "^± is half of the 95% interval, HAC",
        "gates/test_uncertainty.py",
        "test_the_notes_say_the_method_and_show_the_autocorrelation",
    ),
    (
        "2.4",
        "^± is half of the 95% interval",
        "gates/test_uncertainty.py",
        "test_the_paper_periods_intervals_are_hac",
    ),
    (
        "3.1",
        "^Level: likelihood",
        "memo/test_standing.py",
        "test_the_level_is_the_worst_product_of_likelihood_and_impact",
    ),
    ("3.3", "^The model's own figures", "gates/test_stress.py", "test_the_figures_are_those_of_the_window"),
    (
        "3.3",
        "Portfolio today: the weights last held",
        "gates/test_stress.py",
        "test_the_book_last_held_is_bought_and_held_through_the_window",
    ),
    ("4.1", "^Model runs in parallel", "domain/test_rollout.py", "test_a_day_without_data_does_not_count_and_pauses"),
    (
        "4.1",
        "^Monitor performance",
        "domain/test_monitoring.py",
        "test_what_cannot_be_computed_is_unknown_says_why_and_blocks",
    ),
    ("4.1", "^Ramp to 100%", "domain/test_rollout.py", "test_a_condition_that_does_not_hold_keeps_the_phase"),
    (
        "4.2",
        "^(Predictions|Drift|Operations|Risk|Data): ",
        "domain/test_tracked.py",
        "test_the_catalogue_is_what_an_observation_reads",
    ),
    (
        "5.1",
        "^Root cause analysis: by a person",
        "domain/test_sign_off_guards.py",
        "test_the_name_of_a_trigger_is_no_root_cause_and_a_statement_may_come_later",
    ),
    ("6.2", "^Held by the order gate", "domain/test_limits.py", "test_every_restriction_of_the_memo_is_enforced"),
    (
        PAGE_ONE,
        "^Attachment: Risk",
        "rendering/test_documents.py",
        "test_the_risk_matrix_holds_every_risk_and_no_formula",
    ),
    (
        PAGE_ONE,
        "^Attachment: Validation",
        "memo/test_layout.py",
        "test_raw_figures_stand_in_the_validation_report_and_not_in_the_memo",
    ),
    (
        "2.2",
        "^Validation report",
        "memo/test_layout.py",
        "test_raw_figures_stand_in_the_validation_report_and_not_in_the_memo",
    ),
)
TESTS_FOLDER = Path(__file__).parents[1]


def answered() -> list[tuple[str, str]]:
    """Every place and pattern of a sentence that has a row, makes no claim, or is kept by Signoff itself."""
    kept = [(place, pattern) for place, pattern, _, _ in KEPT]
    return [entry for one in ROWS for entry in one.untrue] + list(NO_CLAIM) + kept


@cache
def memo_of(world: str) -> Memo:
    return composed(WORLDS[world])


def composed(changes: Changes, digest: str = "9f2c" * 16) -> Memo:
    policy, _ = tighten(changes["policy"], changes["dossier"].plan.tighten)
    parts = (changes[part] for part in ("evidence", "assessment", "standing"))
    memo = compose(changes["dossier"], policy, *parts, evidence_digest=digest)
    return lived(memo, changes["history"], changes["now"]) if "history" in changes else memo


def matching(sentences: tuple[Said, ...], place: str, pattern: str) -> tuple[Said, ...]:
    return tuple(s for s in sentences if s.place == place and re.search(pattern, s.text))


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one.what)
def test_the_memo_does_not_say_what_is_not_so(one: Row) -> None:
    claimed = said(memo_of(one.world))
    denied = said(composed(one.changes, "0000" if one.what == "other evidence" else "9f2c" * 16))

    for place, pattern in one.untrue:
        untrue = matching(claimed, place, pattern)
        assert untrue, f"{place}: nothing there says {pattern!r}"
        assert not (still := set(untrue) & set(denied)), f"{one.what}: {place} still says {still}"


@pytest.mark.parametrize("world", WORLDS)
def test_every_sentence_has_a_release_in_which_it_is_false(world: str) -> None:
    rows = answered()
    alone = [s for s in said(memo_of(world)) if not any(matching((s,), place, pattern) for place, pattern in rows)]

    assert not alone, f"no row of the honesty suite makes these false: {alone}"


def test_a_sentence_without_a_row_would_be_found() -> None:
    rows = answered()

    for place in ("4.1", "8.1", PAGE_ONE):
        assert not any(matching((Said(place, "Everything is fine."),), *entry) for entry in rows)


@pytest.mark.parametrize(("file", "test"), sorted({(file, test) for _, _, file, test in KEPT}))
def test_what_signoff_keeps_itself_names_a_test_that_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (TESTS_FOLDER / file).read_text()


@pytest.mark.parametrize(("place", "pattern"), [*NO_CLAIM, *((place, pattern) for place, pattern, _, _ in KEPT)])
def test_what_needs_no_row_is_said_by_the_memo(place: str, pattern: str) -> None:
    assert matching(said(memo_of("rich")), place, pattern)


def test_no_box_is_ticked_by_a_declaration() -> None:
    """Everything that people only declare, in the richest release: not one tick rests on it."""
    ticked = [s for s in said(memo_of("rich")) if s.text.startswith("[x]")]

    assert ticked
    assert not [s for s in ticked if "declared" in s.text]
