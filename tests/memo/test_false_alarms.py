"""True sentences on counts of gates, of sessions and on the parts of a gate, and false ones that look like them."""

from dataclasses import replace

import pytest
import sample
from contradicted import contradictions
from test_summary import WORDS, assessed

from signoff.domain.memo.summary import known_facts
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit, count

OUTCOMES = {"var": Outcome.INCONCLUSIVE, "deflated_sharpe": Outcome.FAIL}
FINDINGS = tuple(replace(f, outcome=OUTCOMES.get(f.key, Outcome.PASS)) for f in sample.PASSING)
RELEASE = sample.release()
ASSESSMENT = replace(RELEASE.assessment, findings=FINDINGS)
OWN = (
    count("counts.trading_days", 600),
    count("gates.pbo.trials", 8),
    Quantity(name="gates.pbo.better_half", value=0.793, unit=Unit.PROBABILITY),
    Quantity(name="metrics.max_drawdown.new", value=-0.063, unit=Unit.PERCENT),
)
FOUND = known_facts(RELEASE.policy, RELEASE.evidence, ASSESSMENT, assessed(ASSESSMENT))
KNOWN = [*(fact for fact in FOUND if fact.name not in {own.name for own in OWN}), *OWN]


@pytest.mark.parametrize(
    "text",
    [
        "PBO passes at 47.0%, but over the better half of the trials it is 79.3%.",
        "PBO passes at 47.0%, while over the better half of 8 trials it is 79.3%.",
        "VaR Compliance is inconclusive: 600 sessions where 750 are needed.",
        "The max drawdown over 600 sessions is 6.3%.",
        "Over 600 sessions the Sharpe ratio is 0.66.",
        "4 of 6 gates pass; 1 is inconclusive and 1 fails.",
        "Four of six gates pass, one gate is inconclusive and one fails.",
    ],
)
def test_a_true_sentence_is_accepted(text: str) -> None:
    assert contradictions(text, KNOWN, WORDS) == ()


@pytest.mark.parametrize(
    "text",
    [
        "PBO passes at 47.0%, but over the better half of the trials it is 9.3%.",
        "PBO passes at 47.0%, but over the better half of 9 trials it is 79.3%.",
        "VaR Compliance is inconclusive: 600 sessions where 650 are needed.",
        "The max drawdown over 900 sessions is 6.3%.",
        "4 of 6 gates pass; 2 are inconclusive and 1 fails.",
        "4 of 6 gates pass; 1 is inconclusive and 3 fail.",
        "4 of 6 gates pass and two gates are inconclusive.",
    ],
)
def test_a_false_sentence_of_the_same_words_is_refused(text: str) -> None:
    assert contradictions(text, KNOWN, WORDS) != ()
