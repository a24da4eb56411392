"""A promise of an action at a figure is held against the thing that acts; other words stay a declaration."""

from dataclasses import replace

import pytest
import sample

from signoff.app.assess import Release, submission_errors
from signoff.domain.errors import BadInputError
from signoff.domain.floor import Floor, Origin
from signoff.domain.memo.document import Mark
from signoff.domain.memo.promises import untrue
from signoff.domain.policy import Policy
from signoff.ports.releases import Inputs

POLICY = Policy(name="firm", version="1")


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("One call for the whole universe; rollback above 150 ms", "the rollback trigger of the latency p95 is 200 ms"),
        ("The release rolls back at a latency of 0.1 s", "200 ms"),
        ("Latency is watched, auto-disabled above 300ms", "200 ms"),
        ("Daily PSI monitoring, auto-disable if PSI > 0.25", "the rollback trigger knows no PSI"),
        ("rollback at an error rate of 4.5 percent", "the rollback trigger of the error rate is 5%"),
        ("Reverted when the Sharpe ratio is below 0.3 for 10 days", "the rollback trigger of the Sharpe ratio is 0.5"),
        ("Rolled back when Sharpe stays under 0.5 for 5 days", "days in a row is 10"),
        ("roll back after 3 VaR breaches", "VaR exceptions is 5"),
        ("No advance above a PSI of 0.3", "0.25"),
        ("Desk is paged at 2% errors", "5%"),
        ("Halt if VIX > 35", "what stops orders of the VIX is 40"),
        ("Orders are refused beyond 20% in one position", "single position is 10%"),
        ("Orders of a sector are rejected at 50%", "sector exposure is 30%"),
        ("rollback above two hundred milliseconds", "write it in digits"),
        ("Rolled back at a drawdown of 10%", "the rollback trigger knows no drawdown"),
        ("Slippage is watched, disabled beyond 20 bps", "the rollback trigger knows no slippage"),
        ("roll back if the correlation falls below 0.5", "the rollback trigger knows no correlation"),
        ("Orders are refused above an exposure of 150%", "exposure is 100%"),
    ],
)
def test_a_promise_that_nothing_keeps_names_what_acts_instead(text: str, instead: str) -> None:
    (found,) = untrue(text, sample.dossier(), POLICY)

    assert instead in found.text


@pytest.mark.parametrize(
    "text",
    [
        "rollback above 200 ms",
        "The release rolls back at 0.2 s.",
        "rollback to v1.1.0 if the Sharpe ratio is below 0.5 for 10 consecutive days",
        "revert after 5 VaR breaches within 30 days",
        "Daily PSI against windows of the past, no advance above 0.25",
        "Halt if VIX > 40",
        "Volatility target of 12%, position and sector limits before each order",
        "Disable model for illiquid symbols, alert trader",
        "Load testing completed, auto-scaling configured",
        "All twenty stocks have a price; roll back is rehearsed on 20 stocks",
        "The 95th percentile of latency stays below 150 ms.",
    ],
)
def test_what_is_so_or_names_no_threshold_is_left_alone(text: str) -> None:
    assert untrue(text, sample.dossier(), POLICY) == ()


def promising(mitigation: str):
    dossier = sample.dossier()
    (first, *rest) = dossier.risk.risks
    return replace(dossier, risk=replace(dossier.risk, risks=(replace(first, mitigation=mitigation), *rest)))


def test_the_memo_marks_a_mitigation_beside_a_trigger_that_says_otherwise() -> None:
    tightened = promising("rollback above 200 ms")
    tightened = replace(tightened, plan=replace(tightened.plan, tighten={"triggers.latency_p95_ms": 150.0}))
    row = sample.tables(sample.memo(dossier=tightened), "3.1")[0].rows[0]

    assert row[3].mark is Mark.FAIL
    assert row[3].text.endswith("is not so: the rollback trigger of the latency p95 is 150 ms")


def test_an_untrue_promise_is_refused_at_submission_by_its_key() -> None:
    dossier = promising("rollback above 150 ms")
    floor = Floor(origin=Origin.BUILT_IN, name="firm", version="1", digest="ab" * 32)
    inputs = Inputs(dossier=dossier, policy=POLICY, evidence=sample.evidence(), files={}, links={}, floor=floor)
    release = Release(inputs=inputs, assessment=sample.assessment(), figures=())

    with pytest.raises(BadInputError, match=r"risk\.risks\.0\.mitigation: .*is not so: the rollback trigger"):
        submission_errors(release)
