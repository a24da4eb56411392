"""A figure beside the name of a metric is a figure of that metric; its refusal gives the metric's own."""

from dataclasses import replace

import pytest
import sample
from contradicted import contradictions
from test_summary import assessed

from signoff.domain.memo.summary import known_facts, known_words
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit, count


def known() -> tuple[Quantity, ...]:
    """Figures of the sample, every gate passed, with those that are easily taken for each other."""
    r = sample.release()
    full = replace(r.assessment, findings=tuple(replace(f, outcome=Outcome.PASS) for f in r.assessment.findings))
    p = Unit.PROBABILITY
    return (
        *known_facts(r.policy, r.evidence, full, assessed(full)),
        Quantity(name="gates.deflated_sharpe.probabilistic_sharpe_ratio", value=0.996, unit=p),
        Quantity(name="gates.deflated_sharpe.skew", value=-0.11, digits=2),
        Quantity(name="gates.deflated_sharpe.kurtosis", value=2.68),
        Quantity(name="gates.deflated_sharpe.expected_best_sharpe", value=0.0426, digits=4),
        Quantity(name="gates.hansen_spa.statistic", value=0.0002, unit=p, digits=4),
        Quantity(name="gates.hansen_spa.consistent_p", value=0.0003, unit=p, digits=4),
        Quantity(name="gates.spa.pesaran_timmermann_p", value=0.191, unit=p),
        Quantity(name="gates.pbo.probability_of_loss", value=0.006, unit=Unit.PERCENT),
        Quantity(name="gates.pbo.better_half", value=0.793, unit=Unit.PERCENT),
        Quantity(name="paper.latency_p50", value=12.0, unit=Unit.MILLISECONDS),
        Quantity(name="declared.configuration.turnover_pct", value=0.10, unit=Unit.PERCENT),
        count("paper.orders", 26),
    )


FACTS, WORDS = known(), known_words(sample.dossier())


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("PSR p = 0.0002.", "0.996"),
        ("PSR of 0.0002.", "0.996"),
        ("p95 latency 12 ms.", "latency_p95.new = 85 ms"),
        ("The median latency is 85 ms.", "latency_p50 = 12"),
        ("p99 latency: 85 ms.", "140"),
        ("A probability of loss of 47%.", "0.6%"),
        ("PBO is 0.6%.", "47.0%"),
        ("PBO of 79.3%.", "47.0%"),
        ("Sharpe 0.05.", "0.66"),
        ("Expected best Sharpe 0.66.", "0.0426"),
        ("Skew of 2.68.", "0.11"),
        ("Sharpe 0.66 against 0.61 (p 0.191).", "0.712"),
        ("Hansen SPA p = 0.71.", "0.0002"),
        ("Sortino ratio 0.66.", "no figure has that name"),
        ("The information ratio is 0.61.", "no figure has that name"),
        ("Volatility of 7.9%.", "no figure has that name"),
        ("0.66 Calmar ratio.", "no figure has that name"),
        ("Turnover of 7.9%.", "10.0%"),
        ("Average latency 85 ms.", "no figure has that name"),
        ("Total return 7.9%.", "no figure has that name"),
        ("A Sortino of {metrics.sharpe.new}.", "not what its words say"),
        ("PSR {gates.hansen_spa.statistic}.", "not what its words say"),
        ("The median latency is {latency_p95.new}.", "not what its words say"),
    ],
)
def test_a_figure_of_one_metric_is_not_put_on_another(text: str, own: str) -> None:
    found = contradictions(text, FACTS, WORDS)

    assert len(found) == 1
    assert own in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "PSR 0.996.",
        "The probabilistic Sharpe ratio is 0.996.",
        "p95 latency 85 ms, p99 latency 140 ms.",
        "The median latency is 12 ms.",
        "Latency p95 120 ms → 85 ms.",
        "A probability of loss of 0.6%.",
        "PBO is 47% over 36 trials.",
        "PBO (36 trials) passes.",
        "Sharpe 0.66 against 0.61 (p 0.71).",
        "The Sharpe difference is 0.05.",
        "Hansen's test gives p = 0.0002, at 0.0003 as published.",
        "Hansen SPA 0.0002.",
        "SPA is 0.50 (p 0.191).",
        "Skew −0.11, kurtosis 2.68.",
        "Win rate 53.8%, win/loss 1.02.",
        "CAGR 7.9%, drawdown 24.1%.",
        "Slippage of 4.2 bps over 26 orders.",
        "Turnover of 10%.",
        "+8% Sharpe.",
        "The deflated Sharpe is 62%.",
        "A lower turnover; Sharpe 0.66.",
        "VaR 95% of −1.3%.",
        "Sharpe 0.66, beyond its target of 0.60.",
        "The median latency is {paper.latency_p50}, PSR {gates.deflated_sharpe.probabilistic_sharpe_ratio}.",
    ],
)
def test_a_figure_beside_its_own_name_is_accepted(text: str) -> None:
    assert contradictions(text, FACTS, WORDS) == ()
