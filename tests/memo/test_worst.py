"""Page one tells what is red or missing anywhere in the memo, and nothing of it is lost on the way there."""

from dataclasses import replace

import pytest
import sample

from signoff.app.assess import AssessedRelease, refusals
from signoff.domain.events import Vote
from signoff.domain.evidence import PitAudit
from signoff.domain.floor import Floor, Origin
from signoff.domain.memo.document import Bullets, Cell, CheckItem, Checklist, Column, Fields, Mark, Memo, Section, Table
from signoff.domain.memo.worst import WorstLine, worst
from signoff.domain.policy import Policy, Role
from signoff.ports.releases import Inputs
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.terminal import reasons
from signoff.verbs.documents import gate_document

RED = (Mark.FAIL, Mark.ERROR, Mark.REJECTED, Mark.MISSED, Mark.INCONCLUSIVE)
MISSING = (Mark.NOT_PROVIDED, Mark.NOT_EVIDENCED, Mark.NOT_COMPARABLE)
CONDITION = "daily review"


def told(memo: Memo) -> dict[str, str]:
    """The block of page one, by label."""
    (block,) = memo.worst
    assert isinstance(block, Fields)
    return {label: cell.text for label, cell in block.rows}


@pytest.mark.parametrize("mark", [*RED, *MISSING])
@pytest.mark.parametrize(
    "block",
    [
        lambda cell: Fields((("Uptime", cell),)),
        lambda cell: Table((Column("Feed"), Column("SLA")), ((Cell("Uptime"), cell),)),
        lambda cell: Table((Column("Kind"), Column("Feed"), Column("SLA")), ((Cell("Data"), Cell("Uptime"), cell),)),
        lambda cell: Checklist((CheckItem("Uptime", is_checked=False, mark=cell.mark),)),
    ],
    ids=["field", "row", "grouped row", "box"],
)
def test_a_line_with_a_red_or_missing_mark_is_found_wherever_it_stands(mark: Mark, block) -> None:
    sections = (Section("7", "Outer", sections=(Section("7.3", "Inner", (block(Cell("99%", mark=mark)),)),)),)

    assert worst(sections) == (WorstLine(mark.value, "7.3", "Uptime"),)


@pytest.mark.parametrize(
    ("block", "word"),
    [
        (Fields((("RTO", Cell("not measured, no venue connected")),)), "NOT MEASURED"),
        (Fields((("RTO", Cell("unknown since Monday")),)), "UNKNOWN"),
        (Fields((("RTO", Cell("not rehearsed with a venue: not measured")),)), "NOT MEASURED"),
        (Fields((("RTO", Cell("stale: of 2018")),)), "STALE"),
        (Bullets(("RTO: not evidenced, nobody looked",)), "NOT EVIDENCED"),
        (Checklist((CheckItem("RTO", is_checked=False, note="not provided"),)), "NOT PROVIDED"),
    ],
)
def test_a_line_that_says_so_in_words_alone_is_found_too(block, word: str) -> None:
    assert worst((Section("3.2", "Operational Risk", (block,)),)) == (WorstLine(word, "3.2", "RTO"),)


@pytest.mark.parametrize(
    "block",
    [
        Fields((("RTO", Cell("41 s", mark=Mark.PASS)), ("PBO", Cell("0.47", mark=Mark.NEAR_MISS)))),
        Checklist((CheckItem("Tests", is_checked=True, note="not provided elsewhere"),)),
        Bullets(("Unknown regimes are not traded",)),
        Fields((("Unknown figures", Cell("unknown ADV is taken as $50,000,000, by policy")),)),
    ],
)
def test_what_is_good_is_not_told_as_bad(block) -> None:
    assert worst((Section("3.2", "Operational Risk", (block,)),)) == ()


def test_every_open_certification_is_told() -> None:
    box = CheckItem("Monitoring and alerts are configured", is_checked=False, note="the dashboard was not checked")

    assert worst((Section("12", "Sign-off", (Checklist((box,)),)),)) == (
        WorstLine("NOT CERTIFIED", "12", "Monitoring and alerts are configured"),
    )


def test_page_one_counts_the_lines_and_lists_them_by_section() -> None:
    memo = sample.memo()
    lines = worst(memo.sections)

    assert f"{len(lines)} lines red or missing" in told(memo)
    assert "2.2 VaR Compliance, Deflated Sharpe Ratio" in told(memo)["FAIL"]
    assert "3.3 2008 financial crisis" in told(memo)["NOT PROVIDED"]
    assert "8.1 MiFID II, FINRA 3110, Internal policies" in told(memo)["NOT EVIDENCED"]
    listed = "; ".join(told(memo).values())
    assert all(line.subject in listed for line in lines)


def test_paper_tradings_sharpe_stands_with_its_interval_beside_the_backtests() -> None:
    assert told(sample.memo())["Sharpe Ratio"] == (
        "backtest 0.66 (95%: 0.25 to 1.07); paper trading 0.90 (95%: −1.26 to 3.06) over 44 days"
    )
    assert told(sample.bare_memo())["Sharpe Ratio"].endswith("paper trading not provided")


def conditional(**changed) -> Memo:
    signed = sample.signature(Role.RISK_MANAGER, Vote.CONDITIONAL, conditions=(CONDITION,))
    return sample.memo(standing=replace(sample.standing(), approvals=(signed,), **changed))


def test_open_conditions_stand_on_page_one_until_they_are_met() -> None:
    said = f"Risk manager (risk_manager person): {CONDITION} (blocks the start)"

    assert told(conditional())["Open conditions"] == said
    assert told(conditional(open_conditions=((Role.RISK_MANAGER, CONDITION),)))["Open conditions"] == said
    assert told(conditional(open_conditions=()))["Open conditions"] == "none"


def test_overrides_stand_on_page_one_with_their_reason() -> None:
    by = sample.signature(Role.CTO, Vote.OVERRIDE, reason="The limit is reviewed.")
    memo = sample.memo(standing=replace(sample.standing(), overrides=(by,)))

    assert told(memo)["Overrides"] == "cto person (CTO / Head of Tech): The limit is reviewed."


def test_the_block_is_in_every_form_of_the_memo() -> None:
    memo = sample.memo()
    (count, *_) = told(memo)

    assert count in html(memo).decode()
    assert count in markdown(memo)[0].decode()


def test_two_audits_that_fail_are_two_lines() -> None:
    names = ("membership", "restatement")
    audits = tuple(PitAudit(name=n, rows_checked=9, dates_checked=3, features_checked=2, findings=1) for n in names)
    evidence = sample.evidence()
    memo = sample.memo(evidence=replace(evidence, pit=replace(evidence.pit, audits=audits)))

    assert "2.3 Audit of membership, Audit of restatement" in told(memo)["FAIL"]


def test_a_missed_target_is_missed_and_red() -> None:
    missed = sample.metric("win_loss_ratio", 0.97, 0.98, 1.0)
    memo = sample.memo(assessment=replace(sample.assessment(), metrics=(*sample.METRICS[:4], missed)))

    assert Mark.MISSED.tone == "bad"
    assert told(memo)["MISSED"] == "2.1 Win Loss Ratio"


def test_what_submit_refuses_is_told_before_with_its_key() -> None:
    dossier = sample.dossier()
    silent = replace(dossier, validation=replace(dossier.validation, near_misses={}))
    floor = Floor(origin=Origin.BUILT_IN, name="firm", version="1", digest="ab" * 32)
    inputs = Inputs(
        dossier=silent,
        policy=Policy(name="firm", version="1"),
        evidence=sample.evidence(),
        files={},
        links={},
        floor=floor,
    )

    (said,) = refusals(AssessedRelease(inputs=inputs, assessment=sample.assessment(), figures=()))

    assert said.startswith("validation.near_misses.pbo: ")


def test_the_terminal_names_reason_and_turning_point_of_every_gate_that_is_no_plain_pass() -> None:
    found = [replace(f, turning_point=f"{f.key} turns.") for f in sample.FINDINGS]
    said = [text.plain for text in reasons(map(gate_document, found))]

    assert said == [
        "pbo, near miss: The reason of pbo. Turning point: pbo turns. `signoff submit` asks for its "
        "explanation in the dossier, validation.near_misses.pbo.",
        "var, fail: The reason of var. Turning point: var turns.",
        "deflated_sharpe, fail: The reason of deflated_sharpe. Turning point: deflated_sharpe turns.",
    ]


def test_two_assumptions_that_fail_are_two_lines() -> None:
    def assumption(number: int, mark: Mark) -> Fields:
        return Fields(((f"{number}. Drift", Cell("stays low")), ("Validation", Cell("x", mark=mark))))

    blocks = (assumption(1, Mark.FAIL), assumption(2, Mark.FAIL), assumption(3, Mark.PASS))
    lines = worst((Section("6.1", "Key Assumptions", blocks),))

    assert [(line.word, line.subject) for line in lines] == [("FAIL", "1. Validation"), ("FAIL", "2. Validation")]
