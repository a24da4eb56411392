"""What a summary says of gates that do not pass: their outcome, or it is refused. Each row holds the gates' state."""

from dataclasses import replace

import pytest
import sample
from test_summary import WORDS, known

from signoff.domain.finding import Comparison, Outcome
from signoff.domain.memo.claims import contradictions
from signoff.domain.memo.computed_lines import gates_line
from signoff.domain.quantity import Quantity

BESIDE = (
    sample.finding("hansen_spa", "Superior Predictive Ability (Hansen)", 0.01, 0.05, comparison=Comparison.AT_MOST),
    sample.finding("sessions", "Sessions of the Calendar", 0.0, 0.0, comparison=Comparison.AT_MOST),
    sample.finding("point_in_time", "Point-in-Time Integrity", 0.0, 0.0, comparison=Comparison.AT_MOST),
)
EVERY = tuple(replace(f, outcome=Outcome.PASS) for f in (*sample.PASSING, *BESIDE))
OUTCOMES = {"fails": Outcome.FAIL, "inconclusive": Outcome.INCONCLUSIVE, "error": Outcome.ERROR}
PBO_FAILS = {"pbo": "fails"}
ALL_PASS: dict[str, str] = {}


def where(state: dict[str, str]) -> tuple[Quantity, ...]:
    """The facts of a release in which these gates fail or are inconclusive, and all others pass."""
    findings = tuple(replace(f, outcome=OUTCOMES[state[f.key]]) if f.key in state else f for f in EVERY)
    return known(replace(sample.assessment(), findings=findings))


REFUSED = (
    # A gate that does not pass is named, and its outcome is not.
    ("PBO: pass.", PBO_FAILS),
    ("DSR passes; so does PBO.", PBO_FAILS),
    ("DSR passes, as does PBO.", PBO_FAILS),
    ("DSR passes, PBO likewise.", PBO_FAILS),
    ("SPA and DSR pass, and PBO too.", PBO_FAILS),
    ("PBO is in line with SPA.", PBO_FAILS),
    ("Overfitting is under control.", PBO_FAILS),
    ("The probability of backtest overfitting is comfortably low.", PBO_FAILS),
    ("P.B.O. is fine.", PBO_FAILS),
    ("ＰＢＯ is fine.", PBO_FAILS),
    ("РВО is fine.", PBO_FAILS),
    ("P\u200bBO is fine.", PBO_FAILS),
    ("PB0 is fine.", PBO_FAILS),
    ("PBO does not fail.", PBO_FAILS),
    ("PBO never fails.", PBO_FAILS),
    ("PBO would fail only in a crisis.", PBO_FAILS),
    ("PBO failed earlier and now passes.", PBO_FAILS),
    ("PBO used to fail.", PBO_FAILS),
    ("PBO fails nothing.", PBO_FAILS),
    ("PBO no longer fails.", PBO_FAILS),
    ("PBO is not blocked.", PBO_FAILS),
    ("PBO is inconclusive.", PBO_FAILS),
    ("PBO is 47%, DSR fails.", {"pbo": "fails", "dsr": "fails"}),
    ("VaR fails, PBO does not.", {"pbo": "fails", "var": "fails"}),
    ("Failing models were dropped; PBO is sound.", PBO_FAILS),
    ("Unlike failed trials, PBO is sound.", PBO_FAILS),
    ("PBO is below its limit.", PBO_FAILS),
    ("The deflated Sharpe is above what is asked for.", {"deflated_sharpe": "fails"}),
    ("The deflated Sharpe, see below, is solid.", {"deflated_sharpe": "fails"}),
    ("Multiple testing is accounted for.", {"deflated_sharpe": "fails"}),
    ("Walk-forward is convincing.", {"walk_forward": "inconclusive"}),
    ("Value at risk stays within its limit.", {"var": "fails"}),
    ("Hansen's SPA test is clear.", {"hansen_spa": "fails"}),
    ("Nothing looks ahead, and point in time is verified.", {"point_in_time": "fails"}),
    ("VaR could be computed.", {"var": "error"}),
    # A sentence over all of them.
    ("Nothing blocks.", PBO_FAILS),
    ("Nothing stands in the way.", PBO_FAILS),
    ("Nothing is red.", PBO_FAILS),
    ("All criteria are met.", PBO_FAILS),
    ("Every requirement is satisfied.", PBO_FAILS),
    ("The criteria are all met.", PBO_FAILS),
    ("Meets the criteria.", PBO_FAILS),
    ("All checks clear.", PBO_FAILS),
    ("No check fails.", PBO_FAILS),
    ("No test was failed.", PBO_FAILS),
    ("No issues.", PBO_FAILS),
    ("No open issues remain.", PBO_FAILS),
    ("There are no blockers.", PBO_FAILS),
    ("Zero failures.", PBO_FAILS),
    ("None fails.", PBO_FAILS),
    ("Without a single failure.", PBO_FAILS),
    ("Everything is fine.", PBO_FAILS),
    ("Everything that was measured is good.", PBO_FAILS),
    ("All good.", PBO_FAILS),
    ("All is well.", PBO_FAILS),
    ("All of it is green.", PBO_FAILS),
    ("Αll gates pass.", PBO_FAILS),
    ("𝐀ll gates pass.", PBO_FAILS),
    ("Ａｌｌ gates pass.", PBO_FAILS),
    ("A\u00adll gates pass.", PBO_FAILS),
    ("All thresholds are respected.", PBO_FAILS),
    ("A clean sweep.", PBO_FAILS),
    ("Validation is successful across the board.", PBO_FAILS),
    ("The model is fully validated.", PBO_FAILS),
    ("No override is needed.", PBO_FAILS),
    ("No issue in the data or the gates.", PBO_FAILS),
    ("Every gate is fine.", {"hansen_spa": "inconclusive"}),
    ("All checks pass with Sharpe {metrics.sharpe.new}.", PBO_FAILS),
    ("PBO {gates.pbo.statistic}.", PBO_FAILS),
    ("PBO {gates.dsr.outcome}.", PBO_FAILS),
    ("PBO {gates.pbo.outcome}, and nothing blocks.", PBO_FAILS),
    # A failure that nothing shows.
    ("PBO fails.", ALL_PASS),
    ("PBO does not pass.", ALL_PASS),
    ("We ask for an override, since VaR fails.", PBO_FAILS),
)
ACCEPTED = (
    ("PBO fails.", PBO_FAILS),
    ("PBO fails because the trials resemble each other.", PBO_FAILS),
    ("PBO: fail.", PBO_FAILS),
    ("PBO (47%) fails.", PBO_FAILS),
    ("PBO, the probability of overfitting, does not pass.", PBO_FAILS),
    ("PBO is 47%, above the limit asked for.", PBO_FAILS),
    ("PBO is 47% and fails.", PBO_FAILS),
    ("PBO exceeds its threshold.", PBO_FAILS),
    ("We ask for an override of PBO.", PBO_FAILS),
    ("PBO blocks this release.", PBO_FAILS),
    ("PBO was overridden by two people.", PBO_FAILS),
    ("The release is blocked by PBO.", PBO_FAILS),
    ("DSR passes, PBO fails.", PBO_FAILS),
    ("DSR passes; PBO does not.", PBO_FAILS),
    ("PBO fails; DSR does not.", PBO_FAILS),
    ("DSR and SPA pass but PBO fails.", PBO_FAILS),
    ("While SPA passes, PBO fails.", PBO_FAILS),
    ("PBO and VaR fail.", {"pbo": "fails", "var": "fails"}),
    ("PBO, VaR and the deflated Sharpe fail.", {"pbo": "fails", "var": "fails", "deflated_sharpe": "fails"}),
    ("The gates that fail: PBO and VaR.", {"pbo": "fails", "var": "fails"}),
    ("The one gate that fails is PBO.", PBO_FAILS),
    ("Fails PBO, passes everything else.", PBO_FAILS),
    ("All gates except PBO pass.", PBO_FAILS),
    ("PBO fails to reach its threshold.", PBO_FAILS),
    ("PBO {gates.pbo.outcome}.", PBO_FAILS),
    ("PBO ({gates.pbo.statistic}) {gates.pbo.outcome}.", PBO_FAILS),
    ("DSR {gates.dsr.outcome}, PBO {gates.pbo.outcome}.", PBO_FAILS),
    ("PBO is inconclusive.", {"pbo": "inconclusive"}),
    ("PBO is inconclusive for want of trials.", {"pbo": "inconclusive"}),
    ("VaR could not be computed.", {"var": "error"}),
    ("Value at risk fails its backtest.", {"var": "fails"}),
    ("The deflated Sharpe is below what is asked for.", {"deflated_sharpe": "fails"}),
    ("PBO passes.", ALL_PASS),
    ("DSR passes; so does PBO.", ALL_PASS),
    ("Nothing blocks.", ALL_PASS),
    ("Nothing blocks.", {"deflated_sharpe": "fails"}),
    ("No override is needed.", {"deflated_sharpe": "fails"}),
    ("All criteria are met.", ALL_PASS),
    ("All good.", ALL_PASS),
    ("No issues.", ALL_PASS),
    ("No gate was changed.", PBO_FAILS),
    ("No gate was removed, and no test was skipped.", PBO_FAILS),
    ("A near miss counts as a pass within the margin.", PBO_FAILS),
    ("All unit tests pass.", PBO_FAILS),
    ("Not all criteria are met.", PBO_FAILS),
    ("No failed orders in paper trading.", PBO_FAILS),
    ("All features are computed before the close.", PBO_FAILS),
    ("All of the universe is traded on one exchange.", PBO_FAILS),
    ("Every window of the track record was used.", PBO_FAILS),
    ("Nothing in the universe changed.", PBO_FAILS),
    ("No issue with data feeds is known.", PBO_FAILS),
    ("We do not deploy before the desk agrees.", PBO_FAILS),
    ("Replaces the forest by boosting; the desk asked for it.", PBO_FAILS),
    ("All test data are out of sample.", PBO_FAILS),
    ("The universe and the costs stay as they were.", PBO_FAILS),
)


@pytest.mark.parametrize(("text", "state"), REFUSED)
def test_a_sentence_that_hides_an_outcome_is_refused(text: str, state: dict[str, str]) -> None:
    assert contradictions(text, where(state), WORDS) != ()


@pytest.mark.parametrize(("text", "state"), ACCEPTED)
def test_a_sentence_that_says_what_is_so_is_accepted(text: str, state: dict[str, str]) -> None:
    found = [said for said in contradictions(text, where(state), WORDS) if "agrees with no figure" not in said]
    assert not found


def test_the_refusal_gives_the_outcome_and_how_to_write_it() -> None:
    (said,) = contradictions("PBO looks sound.", where(PBO_FAILS), WORDS)

    assert said == (
        "“PBO looks sound” names PBO, which fails, and does not say so; write its outcome beside it, as in “PBO fails” "
        "or “PBO {gates.pbo.outcome}”."
    )
