"""The memo has every line of the template, in its order."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.dossier import DeploymentType
from signoff.domain.evidence import Evidence
from signoff.domain.memo.document import Bullets, Cell, Checklist, Code, Fields, Mark, Memo, Paragraph, Section, Table
from signoff.domain.memo.standing import Standing
from signoff.domain.policy import OrderGatePolicy, Policy

HEADINGS = """
1 Deployment Rationale
1.1 Business Objective
1.2 What Changed?
1.3 Why Now?
2 Validation & Testing
2.1 Backtest Performance
2.2 Risk Validation Gates
2.3 Point-In-Time (PIT) Validation
2.4 Paper Trading Results
3 Risk Assessment
3.1 Model Risk
3.2 Operational Risk
3.3 Market Risk
4 Deployment Plan
4.1 Phased Rollout
4.2 Monitoring Plan
4.3 Approval Checklist
5 Rollback Plan
5.1 Rollback Procedure
5.2 Fallback Strategy
6 Assumptions & Limitations
6.1 Key Assumptions
6.2 Known Limitations
7 Infrastructure & Operations
7.1 Deployment Environment
7.2 Feature Flags
7.3 Data Dependencies
8 Compliance & Governance
8.1 Regulatory Compliance
8.2 Model Governance
8.3 Change Management
9 Communication Plan
9.1 Stakeholder Notifications
9.2 Training & Documentation
10 Success Criteria & Review
10.1 Success Metrics (30 days)
10.2 Post-Deployment Review
11 Appendix
11.1 References
11.2 Technical Specifications
11.3 Contact Information
12 Sign-off
""".strip().splitlines()

# Every bold label of the template and every item under it, by section; what stands in brackets there is filled in.
LINES = {
    "1.1": ["Primary Goal", "Expected Impact", "Performance", "Risk", "Operations"],
    "1.2": [
        "Changes from Previous Version",
        *("Category", "Change", "Justification"),
        *("Features", "Architecture", "Training Data", "Hyperparameters", "Infrastructure"),
    ],
    "1.3": [
        "Deployment Triggers",
        "Scheduled model refresh (quarterly/annual)",
        "Performance degradation of current model",
        "New data sources available",
        "Research breakthrough",
        "Regulatory requirement",
        "Bug fix / critical issue",
        "Other: desk request",
        "Timing Considerations",
    ],
    "2.1": [
        *("Test Period", "Performance Metrics", "Metric", "v2.0.0", "v1.1.0", "Change", "Target", "Status"),
        *("Sharpe", "Annual Return", "Max Drawdown", "Hit Rate", "Win Loss Ratio", "Backtest Artifacts"),
    ],
    "2.2": [
        "All gates must PASS for production deployment",
        *("Gate", "Threshold", "Result", "Status"),
        "SPA (Symmetric Prediction Accuracy)",
        "DSR (Downside Sensitivity Ratio)",
        "PBO (Probability of Backtest Overfitting)",
        "Walk-Forward Consistency",
        "VaR Compliance",
        "Details",
    ],
    "2.3": [
        "PIT Compliance",
        "Verification Method",
        "Manual code review",
        "Automated PIT validation tests",
        "Third-party audit",
        "Historical replay verification",
        "PIT Issues Identified",
    ],
    "2.4": [
        "Paper Trading Period",
        "Results",
        *(
            "Sharpe Ratio",
            "Correlation with backtest",
            "Execution slippage",
            "Model latency",
            "p95",
            "p99",
            "Error rate",
        ),
        "Anomalies / Issues",
        "Paper Trading Artifacts",
    ],
    "3.1": ["Risk Level", "Identified Risks", "Risk", "Likelihood", "Impact", "Mitigation", "Owner"],
    "3.2": [
        *("Dependencies", "External services", "Data feeds", "Infrastructure", "Single Points of Failure"),
        *("Disaster Recovery", "RTO (Recovery Time Objective)", "RPO (Recovery Point Objective)"),
    ],
    "3.3": [
        "Market Conditions Sensitivity",
        *("Performs well in all regimes", "Regime-specific", "Volatility-dependent"),
        *("Stress Testing", "2008", "2020 COVID", "Flash crash"),
        *("Position Limits", "Maximum portfolio weight", "Maximum single position", "Maximum sector exposure"),
    ],
    "4.1": [
        "Phase 1: Shadow Mode (Days 1-7)",
        "Model runs in parallel, predictions logged but not traded",
        "Compare predictions with live market outcomes",
        "Monitor for anomalies",
        "Phase 2: Limited Deployment (Days 8-14)",
        "Enable trading with 10% of target allocation",
        "Monitor performance, latency, error rates",
        "Daily review with risk team",
        "Phase 3: Full Deployment (Days 15+)",
        "Ramp to 100% allocation if Phase 2 successful",
        "Continue enhanced monitoring for 30 days",
        "Rollback Triggers (any phase)",
        *("Sharpe < 0.5 for 10 consecutive days", "VaR breach attributed to model"),
        *("Error rate > 5%", "Latency p95 > 200 ms"),
    ],
    "4.2": [
        *("Real-Time Monitoring", "Dashboard", "Alerts", "Metrics Tracked"),
        *("Performance", "rolling Sharpe (7d), rolling Sharpe (30d)"),
        *("Predictions", "number, symbols"),
        *("Drift", "largest PSI of all features"),
        *("Operations", "latency p95, error rate"),
        *("Risk", "VaR exceptions", "gross exposure"),
        *("Alert Thresholds", "Metric", "Warning", "Critical", "Action"),
        *("Sharpe (30d)", "< 1", "< 0.5", "Review / Disable"),
        *("PSI", "> 0.1", "> 0.25", "Investigate / Retrain"),
        *("Latency p95", "> 100 ms", "> 200 ms", "Scale / Optimise"),
        *("Error rate", "> 1%", "> 5%", "Investigate / Rollback"),
    ],
    "4.3": [
        "Pre-Deployment Sign-offs",
        *("Model owner", "Lead quant", "Risk manager", "Head of trading", "CTO / Head of Tech"),
        *("Compliance (if required)", "Deployment Approval", "Conditions"),
    ],
    "5.1": [
        "When to Rollback",
        "Performance falls below Sharpe 0.5 for 10 days",
        "Critical bug or error discovered",
        "Risk breach attributed to model",
        "Regulatory or compliance issue",
        "Business decision by leadership",
        "Rollback Steps",
        "Immediate Action (< 5 min)",
        "models.momentum.enabled = false",
        "Halt all open orders from this model",
        "Alert stakeholders via Slack #incidents",
        "Revert (< 15 min)",
        "Redeploy previous version: v1.1.0",
        "Verify previous version functioning correctly",
        "Re-enable trading if appropriate",
        "Post-Rollback (< 2 hours)",
        "Root cause analysis",
        "Notify all stakeholders",
        "Schedule post-mortem (within 48 hours)",
        "Rollback Rehearsal",
    ],
    "5.2": [
        "If rollback to previous version not possible",
        "Disable model completely, use manual trading",
        "Fall back to baseline rule-based system",
        "Use ensemble of other models",
        "Other",
        *("Previous Stable Version", "Version", "MLflow Run ID", "Deployment package", "Verified working"),
    ],
    "6.1": ["Critical Assumptions (model performance depends on these)", "1. Liquid", "Validation", "If violated"],
    "6.2": [
        *("The model does NOT", "Predict swans", "Trading Restrictions"),
        *("Minimum liquidity", "Excluded symbols", "Market conditions"),
    ],
    "7.1": [
        *("Environment", "Infrastructure", "Platform", "Container", "Resources", "Auto-scaling", "Configuration"),
        *("model_version", "allocation_percent", "latency_sla_ms", "max_position_size_percent"),
    ],
    "7.2": [
        *("Controlled via", "Flags", "models.momentum.enabled", "models.momentum.allocation_pct"),
        "models.momentum.shadow_mode",
    ],
    "7.3": [
        *("Critical Data Feeds", "Feed", "Provider", "SLA", "Fallback"),
        *("Feature Service", "Endpoint", "SLA", "Caching"),
    ],
    "8.1": [
        "Regulatory Requirements Met",
        "SEC Rule 15c3-5: Pre-trade risk checks enabled",
        "MiFID II: Algo registration filed, documentation complete",
        "FINRA 3110: Supervisory procedures updated",
        "Internal policies",
        *("Audit Trail", "All predictions logged", "All trades attributed", "Full reproducibility"),
    ],
    "8.2": [
        *("Model Card", "MLflow Tracking", "Experiment", "Run ID", "Governance tag", "governance_ready=true"),
        *("Artifacts Attached", "Model card", "This deployment memo", "Backtest report", "Validation report"),
        "Code repository link",
    ],
    "8.3": [
        *("Jira Ticket", "Pull Request", "Code Review", "Approved by: A, B"),
        *("Tests Passed", "Unit tests", "Integration tests", "PIT validation tests", "Performance benchmarks"),
    ],
    "9.1": [
        "Pre-Deployment (T-24h)",
        *("Trading desk notified", "Risk management briefed", "Operations team prepared"),
        "Executive summary distributed",
        "At Deployment (T=0)",
        *("Slack announcement", "Email to stakeholders", "Dashboard updated with new version"),
        "Post-Deployment (T+7d, T+30d)",
        *("Performance review meeting", "Deployment retrospective", "Updated documentation"),
    ],
    "9.2": [
        *("Documentation Updated", "Model card", "API documentation", "Runbooks", "Troubleshooting guide"),
        *("Training Provided", "Trading desk walkthrough", "Operations handoff", "On-call runbook review"),
    ],
    "10.1": [
        *("Performance Targets", "Sharpe Ratio", "Hit Rate", "Max Drawdown", "Correlation with backtest", "> 0.7"),
        *("Operational Targets", "Uptime", "> 99.9%", "Latency p95", "< 100 ms", "Error rate", "< 1%"),
        *("Risk Targets", "No VaR breaches attributed to model", "Drift metrics within acceptable ranges"),
        "No critical incidents",
    ],
    "10.2": [
        *("30-Day Review", "Scheduled for 2019-02-15", "Review Agenda", "Actual vs. expected performance"),
        *("Operational issues encountered", "Drift detection results", "Risk metric compliance", "Lessons learned"),
        "Attendees",
    ],
    "11.1": ["Model Card", "Backtest Report", "Research Paper/Memo", "Code Repository", "MLflow Experiment"],
    "11.2": [
        *("Model Artifacts", "Model file", "Feature schema", "Inference script"),
        *("Performance Benchmarks", "Inference time", "Memory usage", "Throughput"),
    ],
    "11.3": ["Deployment Team", "Model Owner", "Tech Lead", "On-Call", "Escalation", "Owner → Lead quant"],
    "12": [
        "I certify that",
        "All validation gates have been passed",
        "Risk assessment is complete and documented",
        "Rollback plan is tested and ready",
        "Monitoring and alerts are configured",
        "All stakeholders have been notified",
        "This deployment meets governance requirements",
        *("Deployed By", "Date", "Signature", "Document Version", "Last Updated", "Status"),
    ],
}


def headings(memo: Memo) -> list[str]:
    return [f"{s.number} {s.title}" for top in memo.sections for s in (top, *top.sections)]


def cells(section: Section) -> list[Cell]:
    found: list[Cell] = []
    for block in section.blocks:
        match block:
            case Fields():
                found += [cell for _, cell in block.rows]
            case Table():
                found += [cell for row in block.rows for cell in row]
    return found


def words(section: Section) -> list[str]:
    """Every text of a section, in its order."""
    found: list[str] = []
    for block in section.blocks:
        match block:
            case Paragraph() | Code():
                found.append(block.text)
            case Bullets():
                found += block.items
            case Checklist():
                found += [f"{item.text} {item.note}" for item in block.items]
            case Fields():
                found += [text for label, cell in block.rows for text in (label, cell.text)]
            case Table():
                found += [column.title for column in block.columns]
                found += [cell.text for row in block.rows for cell in row]
    return found


def initial_memo() -> Memo:
    dossier = sample.dossier()
    header = replace(dossier.header, deployment_type=DeploymentType.INITIAL, previous_version=None)
    full = sample.assessment()
    metrics = tuple(replace(m, old=replace(m.old, value=None), change=None) for m in full.metrics)
    assessment = replace(
        full,
        metrics=metrics,
        sharpe_difference=replace(full.sharpe_difference, value=None),
        sharpe_difference_p=replace(full.sharpe_difference_p, value=None),
        value_at_risk_old=replace(full.value_at_risk_old, value=None),
        latency_p95_old=replace(full.latency_p95_old, value=None),
        curves=replace(full.curves, previous=None, previous_dates=None),
    )
    return sample.memo(
        dossier=replace(dossier, header=header),
        evidence=replace(sample.evidence(), champion=None),
        assessment=assessment,
    )


@pytest.mark.parametrize("memo", [sample.memo(), sample.bare_memo(), initial_memo()], ids=["full", "bare", "initial"])
def test_every_heading_of_the_template_appears_in_its_order(memo: Memo) -> None:
    assert headings(memo) == HEADINGS


@pytest.mark.parametrize("number", LINES)
def test_every_line_of_the_template_appears_in_its_order(number: str) -> None:
    said = words(sample.section(sample.memo(), number))

    at = 0
    for line in LINES[number]:
        rest = "\n".join(said[at:]).lower()
        assert line.lower() in rest, f"{line!r} is missing, or not in its place, in {number}: {said[at:]}"
        at += next(i for i, text in enumerate(said[at:]) if line.lower() in text.lower())


def test_every_section_has_its_lines_written_down() -> None:
    assert set(LINES) == {h.split()[0] for h in HEADINGS if "." in h.split()[0]} | {"12"}


def test_the_header_and_the_end_carry_what_the_template_asks_for() -> None:
    memo = sample.memo()

    assert (memo.model, memo.version, memo.previous_version) == ("momentum", "2.0.0", "1.1.0")
    assert str(memo.deployment_date) == "2019-01-02"
    assert memo.deployed_by == "K. Example, model owner"
    assert memo.deployment_type == "upgrade"
    assert memo.document_version == "1.0"
    assert [text.partition(":")[0] for text in memo.attachments] == [
        "Detailed backtest report (PDF)",
        "Validation test results (PDF)",
        "Paper trading logs (CSV)",
        "Risk assessment matrix (XLSX)",
    ]


def test_what_nobody_provided_reads_not_provided_and_is_marked() -> None:
    memo = sample.bare_memo()
    unknown = [
        ("1.1", "Risk"),
        ("1.1", "Operations"),
        ("2.1", "Sharpe difference, new − old"),
        ("2.3", "PIT Compliance"),
        ("2.3", "PIT Issues Identified"),
        ("2.4", "Paper Trading Period"),
        ("2.4", "Sharpe Ratio"),
        ("2.4", "Model latency"),
        ("2.4", "Anomalies / Issues"),
        ("3.2", "RTO (Recovery Time Objective)"),
        ("3.2", "RPO (Recovery Point Objective)"),
        ("5.2", "Verified working"),
        ("5.2", "MLflow Run ID"),
        ("8.2", "Run ID"),
        ("8.2", "Governance tag"),
        ("11.1", "Backtest Report"),
        ("12", "Date"),
        ("12", "Signature"),
        ("12", "Last Updated"),
    ]

    for number, label in unknown:
        assert sample.cell(memo, number, label) == Cell("not provided", mark=Mark.NOT_PROVIDED), (number, label)
    for label in ("Inference time", "Memory usage", "Throughput"):
        assert sample.cell(memo, "11.2", label) == Cell("not measured", mark=Mark.NOT_PROVIDED), label
    for label in ("All predictions logged", "All trades attributed", "Full reproducibility"):
        said = Cell("not evidenced: no live journal", mark=Mark.NOT_EVIDENCED)
        assert sample.cell(memo, "8.1", label) == said
    for title in ("Unit tests", "Integration tests", "PIT validation tests", "Performance benchmarks"):
        assert sample.boxes(memo, "8.3")[title].note == "not provided"
        assert not sample.boxes(memo, "8.3")[title].is_checked


@pytest.mark.parametrize("memo", [sample.bare_memo(), sample.memo()], ids=["bare", "full"])
def test_every_cell_that_reads_not_provided_is_marked_so(memo: Memo) -> None:
    sections = [s for top in memo.sections for s in (top, *top.sections)]

    for cell in (cell for section in (*sections, *memo.front) for cell in cells(section)):
        assert "nan" not in cell.text.lower().split()
        assert cell.text != "None" or cell.mark is None
        if cell.text == "not provided":
            assert cell.mark is Mark.NOT_PROVIDED, cell


def test_no_box_is_ticked_by_a_release_of_which_nothing_is_known() -> None:
    memo = sample.bare_memo()

    ticked = {
        (section.number, item.text)
        for top in memo.sections
        for section in (top, *top.sections)
        for block in section.blocks
        if isinstance(block, Checklist)
        for item in block.items
        if item.is_checked
    }

    assert ticked == set()


def test_an_initial_deployment_composes_without_a_previous_version() -> None:
    memo = initial_memo()

    assert memo.previous_version is None
    assert memo.tldr.startswith("First deployment of momentum v2.0.0 (architecture: gradient boosting, 75 features).")
    assert "no previous version is measured beside it" in memo.tldr
    assert sample.cell(memo, "5.2", "Version").text == "N/A - Initial Deployment"
    assert sample.cell(memo, "5.2", "Verified working").mark is None
    assert {row[1].text for row in sample.tables(memo, "1.2")[0].rows} == {"N/A - Initial Deployment"}
    assert memo.notices[0] == "Blocked by gates that did not pass: VaR Compliance FAIL."
    assert all(not line.label.startswith("v1") for block in memo.front[0].blocks[:1] for line in block.lines)


def test_a_template_window_outside_the_catalogue_is_said_to_be_unknown() -> None:
    assessment = replace(sample.assessment(), stress=())
    rows = sample.tables(sample.memo(assessment=assessment), "3.3")[1].rows

    assert [row[0].text for row in rows] == ["2008 Financial Crisis", "2020 COVID Crash", "Flash Crash Scenarios"]
    assert {cell.text for row in rows for cell in row[1:6]} == {"not provided"}


def test_an_evidence_folder_with_a_backtest_alone_is_enough_to_compose() -> None:
    nothing = Evidence(backtest=sample.evidence().backtest)

    assert sample.memo(evidence=nothing, standing=Standing(required=())).sections[0].number == "1"


@pytest.mark.parametrize("number", ["3.3", "6.2"])
@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            OrderGatePolicy(),
            "an order that adds risk is refused while its ADV or VIX or event date or sector is unknown",
        ),
        (OrderGatePolicy(unknown_adv_usd=5e7), "unknown ADV is taken as $50,000,000, by policy"),
    ],
)
def test_what_the_policy_takes_for_unknown_figures_stands_beside_the_limits(
    number: str, taken: OrderGatePolicy, said: str
) -> None:
    memo = sample.memo(policy=Policy(name="firm", version="1", order_gate=taken))
    assert any(said in text for text in words(sample.section(memo, number)))
