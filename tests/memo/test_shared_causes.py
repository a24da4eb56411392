"""Page one says a cause once that several gates wait for, and names the gates."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.memo.shared_causes import BELOW, shared_causes
from signoff.domain.outcome import Outcome
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.once import once

FAMILY = "The backtest is none of the trials. The nearest is try3, equal on 12% of its dates. Add its column."
SHORT = "The backtest has 200 sessions; at least 252 are needed (a year of daily rows)."
HIGH = "The backtest's annual Sharpe ratio is 14.20, expected at most 10.00. Check for look-ahead."


def with_reasons(reasons, outcome=Outcome.INCONCLUSIVE):
    """The sample's gates, some of them without a verdict for a reason."""
    return tuple(
        replace(one, outcome=outcome, reason=reasons[one.key], is_near_miss=False) if one.key in reasons else one
        for one in sample.assessment().findings
    )


def front(findings):
    memo = sample.memo(assessment=replace(sample.assessment(), findings=findings))
    return memo, memo.front[1].blocks


CASES = {
    "one missing family": ({"pbo": FAMILY, "deflated_sharpe": FAMILY}, FAMILY, {}),
    "a short record": ({"dsr": SHORT, "deflated_sharpe": SHORT, "walk_forward": SHORT}, SHORT, {}),
    "a high ratio, and each gate's own words": (
        {"dsr": f"{HIGH} 0.9 is at most 1.5.", "var": f"{HIGH} −1.2% is at least −2.5%."},
        HIGH,
        {"dsr": "0.9 is at most 1.5.", "var": "−1.2% is at least −2.5%."},
    ),
    "one gate has no more to say": (
        {"dsr": HIGH, "var": f"{HIGH} −1.2% is at least −2.5%."},
        HIGH,
        {"var": "−1.2% is at least −2.5%."},
    ),
}


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.ERROR])
@pytest.mark.parametrize("name", CASES)
def test_a_cause_of_several_gates_stands_once_with_their_names(name, outcome):
    reasons, cause, own = CASES[name]
    _, (gates, causes) = front(with_reasons(reasons, outcome))
    titles = {finding.key: finding.title for finding in sample.assessment().findings}

    ((names, said),) = causes.rows
    assert said.text == cause
    assert all(titles[key].partition(" (")[0] in names.text for key in reasons)
    how = {row[0].text.removesuffix(" (policy: advisory)"): row[3].text for row in gates.rows}
    assert {key: how[titles[key]] for key in reasons} == {
        key: f"{BELOW} {own.get(key, '')}".rstrip() for key in reasons
    }


def test_two_causes_are_two_lines():
    _, (_, causes) = front(
        with_reasons({"pbo": FAMILY, "deflated_sharpe": FAMILY, "dsr": SHORT, "walk_forward": SHORT})
    )
    assert sorted(row[1].text for row in causes.rows) == sorted((FAMILY, SHORT))


@pytest.mark.parametrize(
    "reasons",
    [{}, {"pbo": FAMILY}, {"pbo": FAMILY, "dsr": SHORT}, {"pbo": "0.61 is more. A.", "dsr": "0.62 is more. A."}],
)
def test_a_cause_of_one_gate_stands_in_its_own_row(reasons):
    findings = with_reasons(reasons)
    _, blocks = front(findings)

    assert shared_causes(findings) == ()
    assert len(blocks) == 1
    assert {row[3].text for row in blocks[0].rows} >= set(reasons.values())


def test_failures_of_one_reason_are_verdicts_and_no_shared_cause():
    assert shared_causes(with_reasons({"pbo": FAMILY, "dsr": FAMILY}, Outcome.FAIL)) == ()


def test_every_form_of_the_memo_has_the_cause_and_a_paged_one_shows_its_table_once():
    memo, (_, causes) = front(with_reasons({"pbo": FAMILY, "deflated_sharpe": FAMILY}))

    assert FAMILY in markdown(memo)[0].decode()
    assert FAMILY in html(memo).decode()
    paged = [block for section in once(memo).sections for inner in section.sections for block in inner.blocks]
    assert causes not in paged
