"""Page one, approvals and certifications say what the record shows, and nothing better."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
import sample

from signoff.domain.artifacts import PreviousCheck
from signoff.domain.assessment import PitStatus, PitSummary
from signoff.domain.charts import ExceptionChart
from signoff.domain.dossier import DeploymentType, Grade, Risk
from signoff.domain.events import ActorProof as Named
from signoff.domain.events import Delivery, DeployerSigned, ItemDone, NoticeSent, Vote
from signoff.domain.evidence import PitEvidence, PitFinding, ReportedTest, SuiteName, SuiteResult
from signoff.domain.memo.communication import unsent_before
from signoff.domain.memo.document import Mark, Paragraph
from signoff.domain.memo.plan import false_alarm_rate, rollback_triggers
from signoff.domain.memo.proof import NO_JOURNAL, Proof, ProofOutcome
from signoff.domain.memo.risk import risk_level
from signoff.domain.memo.sign_off import guarded
from signoff.domain.memo.standing import Standing
from signoff.domain.outcome import Outcome
from signoff.domain.policy import CertifiedSentence, Policy, Role, SignOffPolicy
from signoff.domain.shortened import shortened

GATES = "All validation gates have been passed"
RISK = "Risk assessment is complete and documented"
ROLLBACK = "Rollback plan is tested and ready"
MONITORING = "Monitoring and alerts are configured"
STAKEHOLDERS = "All stakeholders have been notified"
GOVERNANCE = "This deployment meets governance requirements"


LINKS = {**sample.standing().links, "policy7.pdf": True}
DASHBOARD = "https://grafana/momentum"
TESTED = "test_limits::test_refuses"


def governed(**changed) -> dict:
    """A dossier whose every requirement that applies names a test that passed; the last one may be changed."""
    dossier = sample.dossier()
    *others, policy7 = dossier.governance.requirements
    others = [replace(each, applies=False) for each in others]
    requirements = (*others, replace(policy7, **{"test": TESTED, "applies": False, **changed}))
    return {"dossier": replace(dossier, governance=replace(dossier.governance, requirements=requirements))}


def good() -> dict:
    return {
        "assessment": replace(sample.assessment(), findings=sample.PASSING),
        **standing(),
        **governed(),
    }


def standing(**changed) -> dict:
    return {"standing": replace(sample.standing(), **{"links": LINKS, **changed})}


def rehearsed(at: datetime = sample.REHEARSAL.at, **changed) -> dict:
    return standing(rehearsal=replace(sample.REHEARSAL, at=at, result=replace(sample.REHEARSAL.result, **changed)))


def assessed(**changed) -> dict:
    return {"assessment": replace(sample.assessment(), findings=sample.PASSING, **changed)}


def tagged(**tags: str) -> dict:
    return {"evidence": replace(sample.evidence(), candidate=replace(sample.CANDIDATE, tags=tags))}


def with_gate(index: int, **changed) -> dict:
    findings = [replace(f, **changed) if i == index else f for i, f in enumerate(sample.PASSING)]
    return {"assessment": replace(sample.assessment(), findings=tuple(findings))}


def test_every_certification_holds_when_the_record_shows_all_of_it() -> None:
    assert {text: item.is_checked for text, item in sample.boxes(sample.memo(**good()), "12").items()} == dict.fromkeys(
        (GATES, RISK, ROLLBACK, MONITORING, STAKEHOLDERS, GOVERNANCE), True
    )


@pytest.mark.parametrize(
    ("certification", "changed"),
    [
        (GATES, with_gate(0, outcome=Outcome.FAIL)),
        (GATES, with_gate(2, outcome=Outcome.INCONCLUSIVE)),
        (GATES, with_gate(4, outcome=Outcome.ERROR)),
        (GATES, with_gate(3, outcome=Outcome.FAIL, is_blocking=False)),
        (GATES, with_gate(5, is_blocking=True)),
        (GATES, {"assessment": replace(sample.assessment(), findings=sample.PASSING[:4])}),
        (RISK, assessed(regimes=())),
        (RISK, assessed(stress=())),
        (ROLLBACK, standing(rehearsal=None)),
        (ROLLBACK, rehearsed(within_budget=False)),
        (ROLLBACK, rehearsed(residual_orders=1)),
        (ROLLBACK, rehearsed(at=datetime(2018, 10, 3, tzinfo=UTC))),
        (ROLLBACK, rehearsed(at=datetime(2019, 1, 3, tzinfo=UTC))),
        (ROLLBACK, rehearsed(seconds=sample.REHEARSAL.result.seconds[:3])),
        (MONITORING, standing(links={**LINKS, DASHBOARD: None})),
        (MONITORING, standing(links={**LINKS, DASHBOARD: False})),
        (STAKEHOLDERS, standing(notices=())),
        (STAKEHOLDERS, standing(notices=sample.standing().notices[:3])),
        (GOVERNANCE, governed(applies=True)),
        (GOVERNANCE, {**governed(applies=True), **standing(links={**LINKS, "policy7.pdf": False})}),
        (GOVERNANCE, governed(applies=True, test=None)),
        (GOVERNANCE, governed(applies=True, test=None, declared_by="S. Brandt")),
        (GOVERNANCE, governed(applies=True, test="test_limits::test_other")),
        *(
            (GOVERNANCE, standing(trail=replace(sample.standing().trail, **{claim: proof})))
            for claim in ("predictions", "trades")
            for proof in (
                NO_JOURNAL,
                Proof(ProofOutcome.REFUTED, "1 of 20 sessions"),
                Proof(ProofOutcome.NOT_COMPARABLE, "2018"),
            )
        ),
        (GOVERNANCE, tagged()),
        (GOVERNANCE, tagged(governance_ready="True")),
        (GOVERNANCE, {"evidence": replace(sample.evidence(), candidate=None)}),
    ],
)
def test_no_certification_is_ticked_when_it_is_untrue(certification: str, changed: dict) -> None:
    boxes = sample.boxes(sample.memo(**{**good(), **changed}), "12")

    assert not boxes[certification].is_checked
    assert boxes[certification].note
    assert [text for text, item in boxes.items() if not item.is_checked] == [certification]


def test_a_rehearsal_exactly_as_old_as_the_policy_allows_still_counts() -> None:
    memo = sample.memo(**good() | rehearsed(at=datetime(2018, 10, 4, tzinfo=UTC)))

    assert sample.boxes(memo, "12")[ROLLBACK].is_checked


def overriding(role: Role, person: str = "") -> object:
    person = person or f"{role.value} person"
    return sample.signature(role, Vote.OVERRIDE, person=person, reason="The limit is reviewed next week.")


TWO = (overriding(Role.RISK_MANAGER), overriding(Role.CTO))


def test_an_override_is_a_notice_on_page_one_with_both_persons_the_gates_and_the_reason() -> None:
    memo = sample.memo(**standing(overrides=TWO), **governed())

    assert memo.notices == (
        "Gates that did not pass were overridden by risk_manager person (Risk manager) and cto person "
        "(CTO / Head of Tech). Gates: VaR Compliance FAIL. Reason: The limit is reviewed next week.",
    )


def test_an_override_does_not_certify_the_gates_and_is_named_there() -> None:
    item = sample.boxes(sample.memo(**standing(overrides=TWO)), "12")[GATES]

    assert not item.is_checked
    assert "overridden by risk_manager person" in item.note


@pytest.mark.parametrize("overrides", [TWO[:1], (TWO[0], overriding(Role.CTO, TWO[0].person))])
def test_one_person_is_no_override_however_often_they_sign(overrides: tuple) -> None:
    (notice,) = sample.memo(**standing(overrides=overrides), **governed()).notices

    assert notice.startswith("Blocked by gates that did not pass: VaR Compliance FAIL.")
    assert "1 of 2 persons" in notice


def test_a_failed_replay_is_a_notice_on_page_one() -> None:
    pit = PitSummary(status=PitStatus.FAILED, reason="1 feature uses what was not yet known: f1.")
    leak = PitEvidence(
        findings=(PitFinding(feature="f1", kind="truncation", first_date="2017-02-01", size=0.5),),
        dates_checked=24,
        features_checked=75,
        seed=0,
    )
    memo = sample.memo(**assessed(pit=pit), **standing(), **governed(), evidence=replace(sample.evidence(), pit=leak))

    assert memo.notices == ("Point-in-time validation failed: 1 feature uses what was not yet known: f1.",)
    assert sample.cell(memo, "2.3", "PIT Compliance").mark is Mark.FAIL
    assert not sample.boxes(memo, "2.3")["Historical replay verification"].is_checked
    assert sample.cell(memo, "2.3", "PIT Issues Identified").text.startswith("f1: truncation")


def test_a_replay_that_looked_at_nothing_ticks_nothing() -> None:
    empty = PitEvidence(findings=(), dates_checked=0, features_checked=0, seed=0)
    memo = sample.memo(evidence=replace(sample.evidence(), pit=empty))

    assert not sample.boxes(memo, "2.3")["Historical replay verification"].is_checked


@pytest.mark.parametrize(
    ("changed", "mark"),
    [
        ({}, Mark.APPROVED),
        ({"is_approved": False}, Mark.PENDING),
        ({"is_rejected": True}, Mark.REJECTED),
        (
            {"approvals": (sample.signature(Role.CTO, Vote.CONDITIONAL, conditions=("Watch latency",)),)},
            Mark.CONDITIONAL,
        ),
    ],
)
def test_the_decision_follows_the_record(changed: dict, mark: Mark) -> None:
    memo = sample.memo(**standing(**changed))

    assert memo.decision is mark
    assert memo.status is mark


def test_a_draft_shows_who_is_to_sign_and_that_nobody_did() -> None:
    memo = sample.memo(standing=Standing(required=sample.standing().required))
    rows = sample.tables(memo, "4.3")[0].rows

    assert [row[1].text for row in rows] == [f"{role.value} person" for role in Role]
    assert {row[2].mark for row in rows} == {Mark.PENDING}
    assert memo.key_figures[2].text == "0 of 6"
    assert memo.key_figures[3].text == "not performed"


def test_a_signature_over_another_memo_does_not_count() -> None:
    stale = sample.signature(Role.CTO, subject="ff" * 32)
    memo = sample.memo(**standing(approvals=(stale,)))
    row = next(row for row in sample.tables(memo, "4.3")[0].rows if row[0].text.startswith("CTO"))

    assert memo.key_figures[2].text == "0 of 6"
    assert row[2].text.startswith("void")


def test_a_signature_by_someone_not_named_for_the_role_is_shown_as_that() -> None:
    memo = sample.memo(**standing(approvals=(sample.signature(Role.CTO, person="Somebody"),)))
    row = next(row for row in sample.tables(memo, "4.3")[0].rows if row[0].text.startswith("CTO"))

    assert row[1].text == "Somebody (named: cto person)"


def test_a_role_that_the_policy_does_not_ask_for_reads_not_required() -> None:
    memo = sample.memo(**standing(required=(Role.MODEL_OWNER,)))
    rows = {row[0].text: row[2].text for row in sample.tables(memo, "4.3")[0].rows}

    assert rows["Compliance (if required)"] == "not required"
    assert memo.key_figures[2].text == "1 of 1"


def test_the_five_figures_of_page_one() -> None:
    assert [(f.label, f.text) for f in sample.memo().key_figures] == [
        ("Gates", "4 of 6"),
        ("Point in time", "verified"),
        ("Approvals", "6 of 6"),
        ("Rehearsal", "RTO 41 s"),
        ("VaR 95%", "−1.3%"),
    ]


def test_page_one_shows_backtest_and_gates_as_sketched() -> None:
    backtest, gates = sample.memo().front

    assert (backtest.number, backtest.title) == ("2.1", "Backtest, 2017-01-01 to 2017-12-31")
    assert [line.label for line in backtest.blocks[0].lines] == ["v2.0.0", "v1.1.0"]
    (table,) = gates.blocks
    assert [column.title for column in table.columns] == ["Gate", "Threshold", "Result", "How", "Status"]
    assert [row[0].text for row in table.rows] == [
        "SPA (Symmetric Prediction Accuracy)",
        "DSR (Downside Sensitivity Ratio)",
        "PBO (Probability of Backtest Overfitting)",
        "Walk-Forward Consistency",
        "VaR Compliance",
        "Deflated Sharpe Ratio (policy: advisory)",
    ]
    assert table.rows[2][3].text == "16 partitions, 36 trials, 3 rows trimmed"
    assert [row[4].mark for row in table.rows] == [
        *(Mark.PASS, Mark.PASS, Mark.NEAR_MISS, Mark.PASS, Mark.FAIL, Mark.FAIL)
    ]


def test_the_exceptions_are_drawn_on_the_days_that_had_a_forecast() -> None:
    chart = next(b for b in sample.section(sample.memo(), "2.2").blocks if isinstance(b, ExceptionChart))

    assert chart.dates.size == chart.returns.size == chart.value_at_risk.size == 65
    assert np.array_equal(chart.returns, sample.RETURNS[300:])


def test_a_near_miss_without_an_explanation_says_that_it_has_none() -> None:
    dossier = sample.dossier()
    silent = replace(dossier, validation=replace(dossier.validation, near_misses={}))

    assert sample.cell(sample.memo(), "2.2", "PBO").text.startswith("declared by K. Example: Close to half")
    assert sample.cell(sample.memo(dossier=silent), "2.2", "PBO").mark is Mark.NOT_PROVIDED


@pytest.mark.parametrize(
    ("likelihood", "impact", "level"),
    [("low", "medium", "low"), ("low", "high", "medium"), ("medium", "medium", "medium"), ("medium", "high", "high")],
)
def test_the_level_is_the_worst_product_of_likelihood_and_impact(likelihood: str, impact: str, level: str) -> None:
    worst = Risk(risk="a", likelihood=Grade(likelihood), impact=Grade(impact), mitigation="b", owner="c")
    small = replace(worst, likelihood=Grade.LOW, impact=Grade.LOW)

    assert risk_level([small, worst]) is Grade(level)


def test_the_triggers_are_the_policys_and_the_dossiers_where_it_is_stricter() -> None:
    dossier = sample.dossier()
    strict = replace(dossier, plan=replace(dossier.plan, tighten={"triggers.latency_p95_ms": 150.0}))
    loose = replace(dossier, plan=replace(dossier.plan, tighten={"triggers.latency_p95_ms": 900.0}))

    assert rollback_triggers(Policy(name="firm", version="1")) == (
        "Sharpe < 0.5 for 10 consecutive days (annualised, rolling 30 days, judged from 20 live days on)",
        "VaR breach attributed to model: 5 or more exceptions within 30 days",
        "Error rate > 5%",
        "Latency p95 > 200 ms",
    )
    for given, printed in ((strict, "Latency p95 > 150 ms"), (loose, "Latency p95 > 200 ms")):
        bullets = [b for b in sample.section(sample.memo(dossier=given), "4.1").blocks if hasattr(b, "items")]
        assert any(printed in block.items for block in bullets)


def test_the_false_alarm_rate_agrees_with_simulated_windows() -> None:
    rng = np.random.default_rng(20190102)
    daily = rng.normal(2.0 / np.sqrt(252), 1.0, size=(20_000, 21))
    sharpes = daily.mean(axis=1) / daily.std(axis=1, ddof=1) * np.sqrt(252)

    assert false_alarm_rate(2.0, 0.5, 21) == pytest.approx((sharpes < 0.5).mean(), abs=0.015)
    assert false_alarm_rate(0.5, 0.5, 30) == pytest.approx(0.5)


def test_the_previous_version_is_verified_only_by_a_check_of_that_very_version() -> None:
    other = PreviousCheck(version="1.0.0", run_id="r0", is_working=True, detail="ran")
    broken = PreviousCheck(version="1.1.0", run_id="r1", is_working=False, detail="cannot be loaded")

    assert sample.cell(sample.memo(), "5.2", "Verified working").mark is Mark.PASS
    assert sample.cell(sample.memo(**standing(previous_check=other)), "5.2", "Verified working").text == "not provided"
    assert sample.cell(sample.memo(**standing(previous_check=broken)), "5.2", "Verified working").mark is Mark.FAIL


def test_recovery_is_measured_from_the_decision_to_the_verified_revert() -> None:
    partial = replace(
        sample.REHEARSAL, result=replace(sample.REHEARSAL.result, seconds=sample.REHEARSAL.result.seconds[:2])
    )

    assert sample.cell(sample.memo(), "3.2", "RTO (Recovery Time Objective)").text == "41 s"
    memo = sample.memo(**standing(rehearsal=partial))
    assert sample.cell(memo, "3.2", "RTO (Recovery Time Objective)").text == "not provided"


def requirement(cases: tuple = sample.CASES[SuiteName.UNIT], link: bool | None = True, **changed):
    """The box of 15c3-5 with this declaration, these reported tests and this finding about its evidence."""
    dossier, evidence = sample.dossier(), sample.evidence()
    given = replace(dossier.governance.requirements[0], **changed)
    unit = replace(evidence.suites[SuiteName.UNIT], cases=cases)
    memo = sample.memo(
        dossier=replace(dossier, governance=replace(dossier.governance, requirements=(given,))),
        evidence=replace(evidence, suites={SuiteName.UNIT: unit}),
        **standing(links={"limits.md": link}),
    )
    return next(item for text, item in sample.boxes(memo, "8.1").items() if "15c3-5" in text)


def test_a_requirement_with_a_passed_test_in_a_report_says_whose_word_it_is_and_is_not_ticked() -> None:
    item = requirement()

    assert not item.is_checked
    assert item.note == (
        "declared by K. Example: limits.md; by the report unit.xml, test test_limits::test_refuses passed on "
        "2018-12-19, not run by Signoff"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test": None}, "not evidenced: limits.md, no test of it is named"),
        (
            {"test": None, "declared_by": "S. Brandt"},
            "declared by K. Example: S. Brandt answers for it: limits.md, no test of it is named",
        ),
        ({"test": "test_limits::test_other"}, "not evidenced: limits.md, no report holds the test"),
        ({"cases": ()}, "not evidenced: limits.md, no report holds the test"),
        (
            {"cases": (ReportedTest("test_limits", "test_refuses", has_passed=False, day="2018-12-19"),)},
            "not evidenced: limits.md, the test test_limits::test_refuses did not pass",
        ),
        (
            {"cases": (ReportedTest("test_limits", "test_refuses", has_passed=True),)},
            "not evidenced: limits.md, the report of the test test_limits::test_refuses gives no day",
        ),
        ({"link": False}, "not evidenced: limits.md does not exist"),
        ({"applies": False}, "not evidenced: does not apply"),
        (
            {"applies": False, "declared_by": "S. Brandt"},
            "declared by K. Example: S. Brandt answers for it: does not apply",
        ),
    ],
)
def test_no_requirement_is_ticked_by_a_file_or_a_word_alone(changed: dict, said: str) -> None:
    item = requirement(**changed)

    assert not item.is_checked
    assert item.note.startswith(said)


def test_a_report_of_tests_ticks_nothing_and_a_failure_in_it_is_one() -> None:
    suites = {
        SuiteName.UNIT: SuiteResult(passed=8, total=9, source=sample.source("unit.xml")),
        SuiteName.PIT: SuiteResult(passed=0, total=0, source=sample.source("pit.xml")),
        SuiteName.PERFORMANCE: SuiteResult(passed=3, total=3, source=sample.source("perf.xml")),
    }
    boxes = sample.boxes(sample.memo(evidence=replace(sample.evidence(), suites=suites)), "8.3")

    assert not any(item.is_checked for item in boxes.values())
    assert {text: (item.mark, item.note) for text, item in boxes.items()} == {
        "Unit tests": (Mark.FAIL, "8/9 passed by the report unit.xml"),
        "Integration tests": (None, "not provided"),
        "PIT validation tests": (Mark.FAIL, "0/0 passed by the report pit.xml"),
        "Performance benchmarks": (
            None,
            "declared by K. Example: 3/3 passed by the report perf.xml, not run by Signoff",
        ),
    }


def test_a_notice_is_ticked_only_when_it_was_sent() -> None:
    boxes = sample.boxes(sample.memo(**standing(notices=sample.standing().notices[:1])), "9.1")

    assert [text for text, item in boxes.items() if item.is_checked] == ["Trading desk notified"]


def test_a_meeting_is_ticked_by_the_person_who_held_it_and_by_no_reminder() -> None:
    week, month = (NoticeSent(notice=f"{at}: Retrospective", audience=(), channel="email") for at in ("T+7d", "T+30d"))
    held = (
        ItemDone(item="Retrospective", person="A. Berg", note="minutes kept"),
        datetime(2019, 2, 4, 9, tzinfo=UTC),
        Named.AUTHENTICATED,
    )
    reminded = sample.boxes(sample.memo(**standing(notices=(week, month))), "9.1")["Deployment retrospective"]
    done = sample.boxes(sample.memo(**standing(notices=(week,), done=(held,))), "9.1")["Deployment retrospective"]
    claimed = (*held[:2], Named.UNAUTHENTICATED)
    unchecked = sample.boxes(sample.memo(**standing(done=(claimed,))), "9.1")["Deployment retrospective"]

    assert not reminded.is_checked
    assert reminded.note.startswith("not evidenced: no person says that it was done; announced: T+7d sent on")
    assert (done.is_checked, done.note) == (True, "A. Berg, 2019-02-04 09:00 UTC: minutes kept")
    assert unchecked.note == "A. Berg (unauthenticated), 2019-02-04 09:00 UTC: minutes kept"


CONDITIONS = {
    "while limited: daily review with the risk team": "(blocks limited)",
    "while full: a second desk looks": "(blocks full)",
    "Do not start while the full risk review is open": "(blocks the start)",
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_says_which_phase_waits_for_it_and_a_daily_review_of_the_limited_phase_stands_in_4_1(text) -> None:
    signed = sample.signature(Role.RISK_MANAGER, Vote.CONDITIONAL, conditions=(text,))
    every = {"approvals": (signed,), "open_conditions": ((Role.RISK_MANAGER, text),)}
    memo = sample.memo(**standing(**every))
    said = f"Risk manager ({signed.person}): {text} {CONDITIONS[text]}"
    assert said in str(memo.worst)
    assert said in str(sample.section(memo, "4.3"))
    assert (f"Daily review with risk team: {said}" in str(sample.section(memo, "4.1"))) is ("daily" in text)
    met = sample.memo(**standing(**every | {"open_conditions": ()}))
    assert f"{text} (met)" in str(sample.section(met, "4.3"))
    assert (f"{text} (met)" in str(sample.section(met, "4.1"))) is ("daily" in text)


RECEIPTS = {
    Delivery.FILE: (False, "written to notices.jsonl on 2019-01-01 00:00 UTC"),
    Delivery.RECEIVER: (True, "taken by notices.jsonl on 2019-01-01 00:00 UTC"),
    Delivery.EMAIL: (True, "sent by email, taken by notices.jsonl on 2019-01-01 00:00 UTC"),
    Delivery.UNRECORDED: (True, "sent on the channel email, by whom it was taken was not recorded on 2019-01-01"),
}


@pytest.mark.parametrize("delivery", Delivery)
def test_a_notice_says_who_took_it_and_a_file_in_the_home_ticks_nothing(delivery) -> None:
    at = datetime(2019, 1, 1, tzinfo=UTC)
    sent = NoticeSent(
        notice="Trading desk", audience=(), channel="email", delivery=delivery, receiver="notices.jsonl", at=at
    )
    box = sample.boxes(sample.memo(**standing(notices=(sent,))), "9.1")["Trading desk notified"]
    is_checked, note = RECEIPTS[delivery]
    assert (box.is_checked, box.note.startswith(note)) == (is_checked, True)
    assert ("sent by email" in box.note) == (delivery is Delivery.EMAIL)


@pytest.mark.parametrize("number", ["9.2"])
def test_no_document_and_no_training_is_ticked_by_a_declaration(number) -> None:
    boxes = sample.boxes(sample.memo(), number)
    assert boxes
    assert not [text for text, item in boxes.items() if item.is_checked]


def test_what_lacks_evidence_and_is_accepted_stands_on_page_one() -> None:
    (said,) = (
        n
        for n in sample.memo(**good() | standing(links={}, notices=()) | governed(applies=True, test=None)).notices
        if "Not evidenced" in n
    )
    assert said.endswith("(sign_off.accepted_not_evidenced): monitoring, stakeholders, governance.")
    assert not any("Not evidenced" in n for n in sample.memo(**good()).notices)


def test_section_12_shows_who_started_the_rollout_and_whether_they_signed() -> None:
    signed = DeployerSigned(
        person="O. Perez",
        manifest=sample.MANIFEST,
        signed_at=datetime(2019, 1, 2, 9, tzinfo=UTC),
        key_id="ab" * 32,
        envelope="{}",
        key_made_by="T. Adeyemi",
    )
    memo = sample.memo(**standing(deployer=signed))
    assert sample.cell(memo, "12", "Deployed By").text == "O. Perez"
    assert sample.cell(memo, "12", "Date").text == "2019-01-02"
    assert "(key made by T. Adeyemi) over manifest" in sample.cell(memo, "12", "Signature").text
    unsigned = sample.memo(**standing(started_by="O. Perez"))
    assert sample.cell(unsigned, "12", "Deployed By").text == "O. Perez, who started it and did not sign"
    for label in ("Date", "Signature"):
        assert sample.cell(unsigned, "12", label).mark is Mark.NOT_EVIDENCED


@pytest.mark.parametrize("claim", ["predictions", "trades"])
def test_a_count_that_the_journal_refutes_is_no_lack_of_evidence_that_a_policy_may_accept(claim) -> None:
    refuted = replace(sample.standing().trail, **{claim: Proof(ProofOutcome.REFUTED, "1 of 20 sessions")})
    memo = sample.memo(**good() | standing(trail=refuted))
    (governance,) = (one for one in memo.certified if one.certification is CertifiedSentence.GOVERNANCE)

    assert governance.is_contradicted
    assert "refuted: 1 of 20 sessions" in governance.against
    assert not any("Not evidenced" in notice for notice in memo.notices)


ALL = tuple(CertifiedSentence)
WAITS = {
    (): (
        "Shadow waits for the gates, the risk assessment, the rollback plan and the stakeholders' notices; the limited "
        "phase waits for monitoring and governance."
    ),
    ALL[4:]: (
        "Shadow waits for the gates, the risk assessment and the rollback plan; the limited phase waits for "
        "monitoring. The policy lets a release go on without evidence of the stakeholders' notices and governance "
        "(sign_off.accepted_not_evidenced), unless the evidence contradicts it."
    ),
    ALL: (
        "Shadow waits for the gates and the rollback plan; the limited phase waits for none of these. The policy lets "
        "a release go on without evidence of the risk assessment, monitoring, the stakeholders' notices and governance "
        "(sign_off.accepted_not_evidenced), unless the evidence contradicts it."
    ),
}


@pytest.mark.parametrize("accepted", WAITS, ids=len)
def test_section_12_says_which_phase_waits_for_what_under_this_policy(accepted) -> None:
    policy = Policy(name="firm", version="1", sign_off=SignOffPolicy(accepted_not_evidenced=accepted))

    assert guarded(policy) == WAITS[accepted]


@pytest.mark.parametrize(
    ("kind", "hours", "short", "said"),
    [
        (DeploymentType.UPGRADE, 24, 0, "Due 24 h before the deployment (policy, sign_off.notice_hours)"),
        (DeploymentType.UPGRADE, 0, 0, "Due before the start (policy, sign_off.notice_hours: 0)"),
        (DeploymentType.HOTFIX, 24, 2, "Due 2 h before the deployment (policy, hotfix.notice_hours)"),
        (DeploymentType.HOTFIX, 1, 2, "Due 1 h before the deployment (policy, sign_off.notice_hours)"),
        (DeploymentType.ROLLBACK, 24, 0, "Due before the start (policy, redeployment.notice_hours: 0)"),
    ],
)
@pytest.mark.parametrize("accepted", [(), (CertifiedSentence.STAKEHOLDERS,)], ids=["held", "accepted"])
def test_when_notices_are_due_names_the_rule_that_says_so(kind, hours, short, said, accepted) -> None:
    dossier, firm = sample.dossier(), Policy(name="firm", version="1")
    policy = replace(
        firm,
        sign_off=SignOffPolicy(notice_hours=hours, accepted_not_evidenced=accepted),
        hotfix=replace(firm.hotfix, notice_hours=short),
        redeployment=replace(firm.redeployment, notice_hours=short),
    )
    header = replace(dossier.header, deployment_type=kind)
    memo = sample.memo(dossier=replace(dossier, header=header), policy=shortened(policy, kind))
    (note,) = (b.text for b in sample.section(memo, "9.1").blocks if isinstance(b, Paragraph))

    assert note.startswith(f"{said}; ")
    assert ("lets a start go ahead without them" in note) == bool(accepted)


def test_the_day_of_the_last_update_is_that_of_the_latest_signature_unless_told() -> None:
    assert sample.cell(sample.memo(), "12", "Last Updated").text == str(date(2018, 12, 20))


@pytest.mark.parametrize(
    ("delivery", "is_checked"), [(Delivery.EMAIL, True), (Delivery.RECEIVER, False), (Delivery.FILE, False)]
)
@pytest.mark.parametrize("item", ["Email to stakeholders", "e-mail to all desks", "E-Mails of the release"])
def test_an_e_mail_is_ticked_where_a_mail_server_took_it(item: str, delivery: Delivery, is_checked: bool) -> None:
    dossier = sample.dossier()
    dossier = replace(dossier, communication=replace(dossier.communication, at_deployment=(item,)))
    sent = NoticeSent(notice=item, audience=(), channel="email", delivery=delivery, receiver="hooks.firm")
    boxes = sample.boxes(sample.memo(dossier=dossier, **standing(notices=(sent,))), "9.1")
    (box,) = (box for text, box in boxes.items() if item.lower() in text.lower())

    assert box.is_checked is is_checked
    assert ("no mail server took it" in box.note) is not is_checked


HOOK = "the webhook at hooks.slack.com"


@pytest.mark.parametrize(
    ("item", "delivery", "receiver", "why"),
    [
        ("Slack #trading", Delivery.RECEIVER, HOOK, ""),
        ("Announce on Slack", Delivery.RECEIVER, HOOK, ""),
        ("Slack #trading", Delivery.EMAIL, "mail.firm", "Slack did not take it"),
        ("Slack #trading", Delivery.FILE, "notices.jsonl", "Slack did not take it"),
        ("Slack #trading", Delivery.UNRECORDED, "", "Slack did not take it"),
        ("Slack #trading", Delivery.RECEIVER, "the webhook at hooks.firm", "Slack did not take it"),
        ("Slack #trading", Delivery.RECEIVER, "the webhook at slack.com.evil.example", "Slack did not take it"),
        ("Slack #trading", Delivery.RECEIVER, "the webhook at notslack.com", "Slack did not take it"),
        ("Slack #trading", Delivery.RECEIVER, "the webhook at discord.com", "Slack did not take it"),
        ("Discord #desk", Delivery.RECEIVER, "the webhook at discord.com", ""),
        ("Discord #desk", Delivery.RECEIVER, HOOK, "Discord did not take it"),
        ("Post in Teams", Delivery.RECEIVER, "the webhook at firm.webhook.office.com", ""),
        ("Microsoft Teams", Delivery.RECEIVER, "the webhook at hooks.firm", "Microsoft Teams did not take it"),
        ("PagerDuty", Delivery.RECEIVER, "the pager at events.pagerduty.com", ""),
        ("PagerDuty", Delivery.EMAIL, "mail.firm", "PagerDuty did not take it"),
        ("SMS to the desk", Delivery.RECEIVER, HOOK, "no receiver of Signoff's shows “SMS”"),
        ("Both risk teams", Delivery.RECEIVER, "the webhook at hooks.firm", ""),
    ],
)
def test_a_notice_is_ticked_by_the_service_that_its_item_names(
    item: str, delivery: Delivery, receiver: str, why: str
) -> None:
    dossier = sample.dossier()
    dossier = replace(dossier, communication=replace(dossier.communication, at_deployment=(item,)))
    sent = NoticeSent(notice=item, audience=(), channel="email", delivery=delivery, receiver=receiver)
    boxes = sample.boxes(sample.memo(dossier=dossier, **standing(notices=(sent,))), "9.1")
    (box,) = (box for text, box in boxes.items() if item.lower() in text.lower())

    assert (box.is_checked, why in box.note) == (not why, True)
    assert sent.words in box.note


def test_a_notice_before_the_deployment_that_slack_did_not_take_still_holds_the_start() -> None:
    item, dossier = "Slack the desk", sample.dossier()
    dossier = replace(dossier, communication=replace(dossier.communication, before=(item,)))

    def unsent(delivery: Delivery, receiver: str) -> tuple[str, ...]:
        sent = NoticeSent(notice=item, audience=(), channel="email", delivery=delivery, receiver=receiver)
        return unsent_before(sample.release(dossier=dossier, **standing(notices=(sent,))))

    assert unsent(Delivery.RECEIVER, "the webhook at hooks.firm") == (item,)
    assert unsent(Delivery.RECEIVER, HOOK) == unsent(Delivery.UNRECORDED, "") == ()


def test_the_environment_of_7_1_is_whose_word_it_is() -> None:
    assert sample.cell(sample.memo(), "7.1", "Environment").text.endswith("(declared by K. Example)")
