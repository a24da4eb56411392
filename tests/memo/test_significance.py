"""Words that call a comparison more than chance are held against the p-value of its test."""

from dataclasses import replace

import pytest
import sample
from contradicted import contradictions
from test_summary import FACTS

from signoff.domain.memo.summary import known_words
from signoff.domain.quantity import Quantity

WORDS = known_words(sample.dossier())


def held(text: str, p_value: float | None, **more: float) -> list[str]:
    """What is said of a text where the Sharpe difference has this p-value."""
    values = {"sharpe_difference.p_value": p_value, **more}
    given = [replace(fact, value=values.get(fact.name, fact.value)) for fact in FACTS]
    given += [Quantity(name=name, value=p) for name, p in more.items() if name not in {f.name for f in FACTS}]
    return [said for said in contradictions(text, given, WORDS) if "is not so" in said]


CLAIMS = (
    "The new version is significantly better than the previous one.",
    "A statistically significant improvement of the Sharpe ratio.",
    "Sharpe {metrics.sharpe.new}, a significant gain over v1.1.0.",
    "It robustly beats the champion.",
    "It beats the champion robustly.",
    "A robust outperformance.",
    "The difference in returns is highly significant.",
    "The improvement is statistically sound.",
    "Its edge is not due to chance.",
    "The Sharpe ratio rose, significantly so.",
    "Returns improved with statistical significance.",
    "It is significantly faster, and its Sharpe is significantly higher.",
)


@pytest.mark.parametrize("text", CLAIMS)
def test_what_is_called_significant_needs_a_small_p_value(text: str) -> None:
    (said,) = held(text, 0.712)

    assert "sharpe_difference.p_value = 0.712" in said
    assert held(text, 0.012) == []


@pytest.mark.parametrize("text", CLAIMS[:4])
def test_what_nothing_tested_is_not_significant(text: str) -> None:
    (said,) = held(text, None)

    assert "found no test of it" in said


@pytest.mark.parametrize(
    ("text", "name", "is_so"),
    [
        ("In bull markets its return is significantly above zero.", "regimes.bull.p_value", True),
        ("In bear markets its return is significantly above zero.", "regimes.bear.p_value", False),
        ("Hansen's test is significant.", "gates.hansen_spa.statistic", True),
        ("Its directional accuracy is significant.", "gates.spa.pesaran_timmermann_p", False),
    ],
)
def test_each_comparison_is_held_against_its_own_test(text: str, name: str, *, is_so: bool) -> None:
    assert (held(text, 0.712, **{name: 0.001 if is_so else 0.7}) == []) is is_so


@pytest.mark.parametrize(
    "text",
    [
        "Its risk features make the Sharpe ratio significantly higher than v1.1.0's.",
        "The data show a significantly higher Sharpe ratio than v1.1.0.",
        "The new code of the pipeline makes its returns significantly better.",
        "Without any tuning, the Sharpe ratio is significantly higher.",
        "No reviewer doubts it: the Sharpe ratio is significantly higher.",
        "Not only significantly better, but faster.",
        "If costs are included, the improvement in Sharpe is significant.",
        "In bull markets and overall, the new version is significantly better than v1.1.0.",
        "Hansen's test shows that v2.0.0 is significantly better than v1.1.0.",
    ],
)
def test_no_other_word_of_a_sentence_excuses_a_claim_on_the_difference(text: str) -> None:
    (said,) = held(text, 0.712, **{"regimes.bull.p_value": 0.001, "gates.hansen_spa.statistic": 0.001})

    assert "sharpe_difference.p_value = 0.712" in said


@pytest.mark.parametrize(
    "text",
    [
        "The difference of the Sharpe ratios is not significant.",
        "No statistically significant difference in returns.",
        "We cannot say whether the Sharpe is significantly better.",
        "The difference isn't statistically significant.",
        "Latency is significantly lower.",
        "The feature code was significantly rewritten.",
        "A significant change of the data pipeline.",
        "The risks are significant.",
        "The order path is robust.",
        "The Sharpe is held against a significance level of the policy.",
        "Costs fell significantly.",
        "It lacks a significant edge.",
    ],
)
def test_a_denial_and_what_is_no_comparison_of_returns_are_accepted(text: str) -> None:
    assert held(text, 0.712) == []
