"""What a summary says of gates, of paper trading, of the previous version, is held against these and nothing else."""

import time
from dataclasses import replace

import pytest
import sample
from contradicted import contradictions
from test_summary import FACTS, WORDS, known

from signoff.domain.memo.gate_names import is_outcome
from signoff.domain.quantity import Quantity

PAPER = Quantity(name="paper.sharpe", value=-1.77)
SOME_FAIL = (*(fact for fact in FACTS if fact.name != "paper.sharpe"), PAPER)
ADVISORY_FAILS = known(replace(sample.assessment(), findings=sample.PASSING))
ALL_PASS = known(
    replace(sample.assessment(), findings=tuple(replace(f, outcome=sample.Outcome.PASS) for f in sample.FINDINGS))
)


@pytest.mark.parametrize(
    "text",
    [
        "Every gate passes, the deflated Sharpe ratio included. Paper trading earned a Sharpe of 0.65.",
        "Every gate passes with a Sharpe of 9.99.",
        "All gates pass with a drawdown of 3%.",
        "No gate fails.",
        "None of the gates was missed.",
        "Not one gate failed.",
        "Each gate is green.",
        "6 of 6 gates pass.",
        "All six gates pass.",
        "Thirteen gates pass.",
        "Every single one of the gates is met.",
        "The gates all pass.",
        "Gates: all green.",
        "The model clears its gates.",
        "The gates pass.",
        "Passes everything.",
        "Everything passes.",
        "The deflated Sharpe passes.",
        "Passes the deflated Sharpe gate.",
        "VaR Compliance passes.",
        "VaR and PBO pass.",
        "SPA, DSR and VaR pass.",
        "PBO fails.",
        "No gate passes.",
        "Without a failing gate.",
        "Without any gate failing.",
        "There are no failing gates.",
        "Zero gates fail.",
        "No gate is blocking.",
        "No blocking gate fails.",
        "Every blocking gate passes.",
        "All gates except the deflated Sharpe ratio pass.",
        "All gates pass, except for VaR.",
        "All gates but one pass.",
        "Every gate but VaR passes.",
        "All gates pass except for the one on luck.",
        "All gates, PBO excepted, pass.",
        "Every gate other than PBO and VaR passes.",
        "All advisory gates pass.",
        "No gate other than VaR fails.",
        "All gates except the advisory ones pass.",
        "In paper trading the Sharpe was 0.66.",
        "Sharpe of 0.66 on paper.",
        "A Sharpe of 0.66, earned on paper.",
        "The previous version had a Sharpe of 0.66.",
        "The champion's hit rate was 53.8%.",
        "Live trading showed a Sharpe of 0.66.",
        "Walk-forward Sharpe of 0.66.",
        "In the walk-forward windows the Sharpe was 0.66.",
        "Every gate in this memo passes.",
        "Nearly all gates pass.",
        "All of our validation checks pass.",
        "All mandatory gates pass.",
        "Even the deflated Sharpe clears.",
        "No gates are red.",
        "All five of the memo's gates pass, and the deflated Sharpe passes too.",
        "100% of gates pass.",
        "Clears every hurdle.",
        "If the VaR gate passes, we go on.",
        "VaR improved by 8% and four of five gates pass.",
        "The 95% VaR of −1.3% stays within −2%.",
    ],
)
def test_an_outcome_or_a_figure_of_another_circumstance_is_a_contradiction(text: str) -> None:
    assert contradictions(text, SOME_FAIL, WORDS) != ()


@pytest.mark.parametrize(
    "text",
    [
        "Not every gate passes.",
        "Four of the memo's five gates pass; VaR Compliance does not.",
        "All gates except VaR and the deflated Sharpe ratio pass.",
        "All gates pass, except VaR Compliance and Deflated Sharpe Ratio.",
        "All gates but two pass.",
        "Every gate other than VaR and deflated Sharpe passes.",
        "VaR fails.",
        "PBO passes.",
        "VaR and the deflated Sharpe fail.",
        "SPA and DSR pass, VaR does not.",
        "Passes SPA, DSR and PBO but fails VaR.",
        "Paper trading earned a Sharpe of −1.77.",
        "The previous version had a Sharpe of 0.61.",
        "The champion's Sharpe was 0.61, the new one's is 0.66.",
        "The deflated Sharpe is 62% and fails its 95%.",
        "The VaR gate fails; if it passes, we go on.",
        "Beside them the Deflated Sharpe Ratio, advisory by policy, does not pass.",
        "4 of 5 gates pass, VaR being the exception.",
        "VaR improved by 8% but the VaR gate fails, and four of five gates pass.",
        "All gates are computed on 2,516 sessions.",
        "Not all gates pass.",
        "The walk-forward gate passes with 75%.",
        "Sharpe 0.66, and walk-forward consistency 75%.",
        "VaR (−1.3%) improved, but the VaR gate fails.",
        "Sharpe 0.66 against 0.61 for the previous version.",
        "No gate blocks except VaR.",
        "We would not deploy if a gate failed on paper.",
        "Goes live on 2019-01-02 with 10% of capital.",
        "In 40 walk-forward windows.",
        "Sharpe 0.66, paper slippage 4.2 bps.",
        "Sharpe 0.66, up from the previous 0.61.",
    ],
)
def test_a_sentence_that_gives_gates_their_outcome_is_accepted(text: str) -> None:
    assert contradictions(text, SOME_FAIL, WORDS) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Every gate passes.",
        "No gate fails.",
        "All six gates pass.",
        "Each gate is green.",
        "No gate is blocking.",
        "None of the gates was missed.",
        "Every gate passes, the deflated Sharpe ratio included.",
        "The gates pass.",
        "Everything passes.",
    ],
)
def test_every_gate_passes_where_each_of_them_does(text: str) -> None:
    assert contradictions(text, ALL_PASS, WORDS) == ()


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("All five of the memo's gates pass.", True),
        ("All five gates pass.", True),
        ("Every blocking gate passes.", True),
        ("No gate is blocking.", True),
        ("All gates except the deflated Sharpe pass.", True),
        ("All gates except the advisory ones pass.", True),
        ("All but one of the gates pass.", True),
        ("Every gate passes.", False),
        ("No gate fails.", False),
        ("All six gates pass.", False),
    ],
)
def test_a_failing_advisory_gate_counts_unless_the_sentence_leaves_it_out(text: str, *, is_so: bool) -> None:
    assert (contradictions(text, ADVISORY_FAILS, WORDS) == ()) is is_so


@pytest.mark.parametrize(
    "text",
    [
        "All gates except PBO pass.",
        "No gate passes.",
        "Not every gate passes.",
        "All gates fail.",
        "VaR fails.",
    ],
)
def test_a_failure_that_nothing_shows_is_a_contradiction_too(text: str) -> None:
    assert contradictions(text, ALL_PASS, WORDS) != ()


@pytest.mark.parametrize("facts", [SOME_FAIL, ADVISORY_FAILS], ids=["some fail", "an advisory one fails"])
def test_a_count_of_all_the_gates_is_held_against_all_of_them(facts: tuple[Quantity, ...]) -> None:
    every = [fact.value for fact in facts if is_outcome(fact)]
    passed = every.count(1)
    for text in (f"{passed} of {len(every)} gates pass.", f"{len(every) - passed} of {len(every)} gates fail."):
        assert contradictions(text, facts, WORDS) == (), text
    for wrong in (f"{passed + 1} of {len(every)} gates pass.", f"{passed} of {len(every) + 1} gates pass."):
        assert contradictions(wrong, facts, WORDS) != (), wrong


def test_a_figure_behind_every_gate_passes_is_read() -> None:
    (said,) = contradictions("Every gate passes with a Sharpe of 9.99.", ALL_PASS, WORDS)

    assert said.startswith("“9.99” agrees with no figure of the evidence")


def test_a_contradiction_says_which_gates_did_not_pass() -> None:
    (said,) = contradictions("Every gate passes.", ADVISORY_FAILS, WORDS)

    assert said == (
        "“Every gate passes” is not so: expected every one of the 6 gates to pass, found 5 of 6; "
        "not passed: deflated_sharpe."
    )


@pytest.mark.parametrize(
    "piece",
    ["all gates pass ", "VaR, ", "except VaR ", "the gates ", "no ", "paper ", "{a} ", "{risk.value_at_risk.new} "],
)
def test_outcomes_that_repeat_themselves_are_judged_at_once(piece: str) -> None:
    began = time.process_time()
    contradictions((piece * 4_000)[:4_000], FACTS, WORDS)
    assert time.process_time() - began < 20
