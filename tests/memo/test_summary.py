"""The drafted summary is true, and a written one is held against the facts."""

import time
from dataclasses import replace

import pytest
import sample
from contradicted import contradictions

from signoff.domain.memo.compose import compose
from signoff.domain.memo.summary import draft, known_facts, known_words
from signoff.domain.quantity import Quantity, Unit, count


def assessed(assessment=None) -> tuple[Quantity, ...]:
    """What gates.facts gives of the sample, as far as these tests need it."""
    a = assessment or sample.assessment()
    metrics = [
        fact
        for m in a.metrics
        for fact in (
            *(m.new, m.old, m.target),
            Quantity(name=f"metrics.{m.key}.change", value=m.change, unit=Unit.PERCENT),
        )
    ]
    gates = [fact for f in a.findings for fact in (f.statistic, f.threshold, *f.figures)]
    paper = [] if a.paper is None else [a.paper.sharpe, a.paper.slippage, a.paper.latency_p99, a.paper.error_rate]
    return (
        *metrics,
        *gates,
        *paper,
        *(a.sharpe_difference, a.sharpe_difference_p),
        *(a.value_at_risk_new, a.value_at_risk_old, a.conditional_value_at_risk, a.latency_p95_new, a.latency_p95_old),
        *(q for row in a.regimes for q in (row.sharpe, row.annual_return, row.p_value)),
        *(q for row in a.stress for q in (row.sharpe, row.max_drawdown)),
        count("gates.passed", a.passed_gates),
        count("gates.total", len(a.memo_gates)),
        count("gates.walk_forward.windows", 40),
        count("gates.dsr.n", 2516),
    )


def known(assessment=None) -> tuple[Quantity, ...]:
    r = sample.release()
    return known_facts(r.policy, r.evidence, assessment or r.assessment, assessed(assessment))


FACTS = known()
WORDS = known_words(sample.dossier())


def test_the_draft_says_what_changed_how_the_sharpe_ratio_moved_how_gates_fell_and_what_is_asked() -> None:
    assert draft(sample.release()) == (
        "Replaces random forest by gradient boosting (50 → 75 features). "
        "Sharpe 0.66 against 0.61, net of costs (declared): a difference the data cannot tell from zero (p 0.71). "
        "Four of the memo's five gates pass; VaR Compliance does not. "
        "Beside them the Deflated Sharpe Ratio, advisory by policy, does not pass. "
        "Asks for 10% of capital in the limited phase, then for all of it."
    )


@pytest.mark.parametrize("findings", [sample.FINDINGS, sample.PASSING])
def test_the_draft_never_contradicts_the_evidence(findings: tuple) -> None:
    release = sample.release(assessment=replace(sample.assessment(), findings=findings))

    assert contradictions(draft(release), known(release.assessment), WORDS) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Deploying momentum v2.0.0 with an expanded feature set (50 → 75 features), +8% Sharpe.",
        "Deploying momentum v2.0 on 2019-01-02, which meets 15c3-5, FINRA 3110 and MiFID II.",
        "momentum 2.0 replaces 1.1 on 2 January 2019.",
        "Sharpe 0.66 ±0.41 against 0.61, hit rate 53.8% and a drawdown of 24%.",
        "Sharpe of 0.7, drawdown of −24.1%, hit rate of 54%.",
        "VaR 95% improved by 8%, from −1.4% to −1.3%, and the VaR gate fails.",
        "The VaR gate fails, though the 95% VaR of −1.3% stays within −2%.",
        "Inference is 29% faster (120ms → 85ms p95 latency).",
        "p95 latency 0.085 s; slippage 4.2 bps; error rate 40 bps.",
        "Slippage of 0.042% in paper trading, p99 latency 140 ms.",
        "Lookback extended from 1yr to 2yr.",
        "Adds 25 features, from 50 to 75.",
        "4 of 5 gates pass, one gate fails.",
        "Four of the memo's five gates pass. PBO is 47% over 36 trials.",
        "Not all is well: 1 of 5 gates fails.",
        "In bear markets the Sharpe is −0.20; in 2020 it was −1.20 in the COVID crash.",
        "Asks for 10% of capital after 7 days in shadow.",
        "Over 2,516 sessions.",
        "The deflated Sharpe is 62%, below the 95% asked for.",
        "Hit rate up 0.3 percentage points.",
        "We are ready for 10% allocation.",
        "4/5 gates pass.",
        "Sharpe 0.66±0.41 in the 1st of two periods.",
        "Shadow for 7 sessions, then T+7d and T-24h notices, see section 2.2.",
    ],
)
def test_a_summary_that_agrees_with_the_facts_is_accepted(text: str) -> None:
    assert contradictions(text, FACTS, WORDS) == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Delivers +15% Sharpe improvement in walk-forward tests.", "+15%"),
        ("Sharpe improved by 15%.", "15%"),
        ("−8% Sharpe.", "−8%"),
        ("Sharpe fell by 8%.", "8%"),
        ("Sharpe 0.67.", "0.67"),
        ("Sharpe 0.660 and 0.62.", "0.62"),
        ("Sharpe 0.66%.", "0.66%"),
        ("Sharpe 0.66 ±0.21.", "±0.21"),
        ("Sharpe 0.61 against 0.66.", "0.61"),
        ("Sharpe rises from 0.66 to 0.61.", "0.66"),
        ("Sharpe is 1.31.", "1.31"),
        ("Sharpe is 2.0.", "2.0"),
        ("Expanded feature set (50 → 80 features).", "80"),
        ("Expanded feature set (75 → 50 features).", "75"),
        ("Adds 30 features.", "30"),
        ("p95 latency 85 s.", "85 s"),
        ("p95 latency of 85 bps.", "85 bps"),
        ("Latency rose by 29%.", "29%"),
        ("Latency from 85ms to 120ms.", "85ms"),
        ("Drawdown of +24.1%.", "+24.1%"),
        ("VaR 99% of −1.3%.", "99%"),
        ("VaR 95% worsened by 8%.", "8%"),
        ("All gates pass.", "All gates"),
        ("Five of five gates pass.", "Five of five gates"),
        ("5 of 5 gates pass.", "5 of 5 gates"),
        ("3 of 6 gates pass.", "3 of 6 gates"),
        ("Two of five gates fail.", "Two of five gates"),
        ("Ready for 20% allocation.", "20%"),
        ("Slippage 42 bps.", "42 bps"),
        ("Trades 2.5× as much.", "2.5×"),
        ("Saves $3M a year.", "$3M"),
        ("Hit rate 0.538.", "0.538"),
        ("Inference 30% faster.", "30%"),
        ("Runs in 17 countries.", "17"),
        ("Runs in 3 countries.", "3"),
        ("3/6 gates pass.", "3/6 gates"),
        ("Sharpe 0.66±0.20.", "±0.20"),
        ("Sharpe 6.6e-1.", "6.6e-1"),
        ("Sharpe improved fifteen percent.", "fifteen percent"),
        ("Sharpe doubled.", "doubled"),
        ("Sharpe of ½.", "½"),
    ],
)
def test_a_number_that_no_fact_supports_is_a_contradiction_that_names_it(text: str, named: str) -> None:
    found = contradictions(text, FACTS, WORDS)

    assert found
    assert any(f"“{named}" in sentence for sentence in found), found


def test_a_contradiction_names_the_nearest_fact() -> None:
    (sentence,) = contradictions("Delivers +15% Sharpe.", FACTS, WORDS)

    assert sentence == ("“+15%” agrees with no figure of the evidence; the nearest is metrics.sharpe.change = 8.2%.")


def test_nothing_is_supported_where_there_are_no_facts() -> None:
    assert contradictions("Sharpe 0.66.", (), ()) == (
        "“0.66” agrees with no figure of the evidence; there is no fact to hold it against.",
    )


def test_a_written_summary_that_is_wrong_says_so_on_page_one() -> None:
    r = sample.release()
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary="+15% Sharpe for momentum v2.0.0."))
    parts = (dossier, r.policy, r.evidence, r.assessment, r.standing)

    held = compose(*parts, evidence_digest="", facts=assessed())
    unheld = compose(*parts, evidence_digest="")

    assert held.tldr == "+15% Sharpe for momentum v2.0.0."
    assert held.notices[-1].startswith("The summary contradicts the evidence: “+15%”")
    assert unheld.notices[-1] == "People wrote the summary, and it was not checked against the evidence."


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "all ", "all the ", "p ", "p  ", "1 to ", "Sharpe 1 ", "1 memo ", "1 gates "]
)
def test_a_text_that_repeats_itself_is_judged_at_once(piece: str) -> None:
    began = time.process_time()
    contradictions((piece * 20_000)[:20_000], FACTS, WORDS)
    assert time.process_time() - began < 20


def test_more_numbers_than_are_held_against_the_evidence_are_a_contradiction() -> None:
    (said,) = contradictions("Sharpe 1 " * 151, FACTS, WORDS)
    assert said == "expected at most 150 numbers to check against the evidence, found 151; shorten it."
