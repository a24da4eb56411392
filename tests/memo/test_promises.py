"""A promise of an action at a figure is held against the thing that acts; other words stay a declaration."""

from dataclasses import replace

import pytest
import sample

from signoff.app.assess import AssessedRelease, submission_errors
from signoff.domain.errors import BadInputError
from signoff.domain.floor import Floor, Origin
from signoff.domain.memo.document import Mark
from signoff.domain.memo.promises import is_kept, promised, untrue, untrue_in_dossier
from signoff.domain.policy import Policy
from signoff.domain.venue import PositionsAfter
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
        ("Capital is halved at a PSI of 0.3", "which silence alone does, knows no PSI"),
        ("Positions are scaled back above a drawdown of 8%", "knows no drawdown"),
        ("Exposure is trimmed above a volatility of 25%", "knows no volatility"),
        ("The desk cuts the allocation if the Sharpe ratio is below 0.5", "knows no Sharpe ratio"),
        ("Capital falls to zero at an error rate of 4%", "which alone takes the capital away, of the error rate is 5%"),
        ("Everything is unwound above 150 ms", "200 ms"),
        ("Liquidated at a drawdown of 10%", "knows no drawdown"),
        ("Positions flattened after 3 VaR breaches", "VaR exceptions is 5"),
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


@pytest.mark.parametrize(
    ("text", "is_marked"),
    [
        ("rollback above 200 ms", False),
        ("The release rolls back at a latency of 0.2 s.", False),
        ("The release rolls back at 0.2 s.", True),
        ("No advance above a PSI of 0.25", False),
        ("Capital falls to zero at an error rate of 5%", False),
        ("rollback above 200 ms; the desk phones the broker", True),
        ("Exposure is mothballed above a PSI of 0.9", True),
        ("The model sleeps at 300 ms", True),
        ("Trading dwindles when correlation passes 0.9", True),
        ("rollback above 200 ms within 5 heartbeats", True),
        ("Whatever happens, capital is protected", True),
        ("The risk manager watches it", True),
        ("Capital falls to 0.5 when markets close", True),
    ],
)
def test_words_that_nothing_checked_are_printed_as_the_authors_own(text: str, is_marked: bool) -> None:
    row = sample.tables(sample.memo(dossier=promising(text)), "3.1")[0].rows[0]

    assert row[3].text == (f"{text} (declared by the author, not checked)" if is_marked else text)
    assert row[3].mark is None


# One row each: words that name an act, a measure and a figure that are enforced, and say more or other than that.
SAYS_MORE = (
    "The release never rolls back at 200 ms",
    "Rollback below 200 ms",
    "Rollback above 200 ms of the median latency",
    "Rollback at 200 ms of market data delay",
    "The desk is paged at 200 ms of p50 latency",
    "Rollback at 200 ms p99 latency",
    "Rollback within 200 ms",
    "Rollback latency is 200 ms",
    "Rollback above 200 ms?",
    "The broker rolls back at 200 ms",
    "The release may roll back above 200 ms",
    "Rollback above 200 ms unless the desk objects",
    "Rollback above an average latency of 200 ms",
    "Rollback at 5 VaR exceptions in a row",
    "Rollback at 5 VaR exceptions",
    "Rollback after 5 VaR breaches of the desk's limit within 30 days",
    "Orders are refused at 10% of a position's daily volume",
    "Orders are refused above 100% exposure to one country",
    "Orders refused at 100% gross exposure overnight",
    "Trading halts above an exposure of 100%",
    "Sharpe 0.5 over a year rolls back",
    "Rollback when the Sharpe ratio is below 0.5",
    "Rollback when the Sharpe ratio is above 0.5 for 10 days",
    "Rollback when the Sharpe ratio is below 0.5 for 10 days of live trading in Japan",
    "The whole firm stops at 5% error rate",
    "Rollback at an error rate of 5% of orders rejected",
    "Orders halt above VIX 40 worldwide",
    "No advance above 0.25 drift of returns",
    "No advance below a PSI of 0.25",
    "Trading is held above a PSI of 0.25",
    "Not a single rollback at a 5% error rate",
    "Holdings above a PSI of 0.25",
)
SAYS_NO_MORE = (
    "Rollback at a latency p95 of 200 ms",
    "If p95 latency exceeds 200 ms the release is rolled back",
    "The model reverts when the Sharpe ratio is below 0.5 for 10 consecutive days",
    "Rolled back when Sharpe stays under 0.5 for 10 days in a row",
    "Revert after 5 VaR breaches within 30 days",
    "Halt if VIX > 40",
    "Orders are refused beyond 10% in one position",
    "New orders are rejected above 30% in a sector",
    "Orders are refused above an exposure of 100%",
    "Alert above a 5% error rate",
    "The release does not advance above a PSI of 0.25",
)


@pytest.mark.parametrize("text", SAYS_MORE)
def test_a_word_beyond_what_acts_leaves_a_promise_the_authors_own(text: str) -> None:
    assert not is_kept(text, sample.dossier(), POLICY)
    assert promised(text, sample.dossier(), POLICY).text != text


@pytest.mark.parametrize("text", SAYS_NO_MORE)
def test_what_acts_in_plain_words_is_held(text: str) -> None:
    assert promised(text, sample.dossier(), POLICY).text == text


def test_positions_are_closed_by_a_rollback_only_where_the_policy_closes_them() -> None:
    closed, kept = (replace(POLICY, rollback=replace(POLICY.rollback, positions=each)) for each in PositionsAfter)
    text = "Positions are liquidated at an error rate of 5%"

    assert is_kept(text, sample.dossier(), closed)
    assert not is_kept(text, sample.dossier(), kept)
    assert is_kept("Capital falls to zero at an error rate of 5%", sample.dossier(), kept)


def test_a_monitor_that_stands_on_the_other_side_keeps_no_promise_of_this_one() -> None:
    dossier = sample.dossier()
    (first, *rest) = dossier.boundaries.assumptions

    def kept(monitor: str) -> bool:
        assumptions = (replace(first, monitor=monitor), *rest)
        other = replace(dossier, boundaries=replace(dossier.boundaries, assumptions=assumptions))
        return is_kept("No advance above an index volatility of 7%", other, POLICY)

    assert kept("index_vol_30d_pct < 7")
    assert not kept("index_vol_30d_pct > 7")


def test_a_fallback_is_held_against_what_acts_as_a_mitigation_is() -> None:
    dossier = sample.dossier()
    feed = replace(dossier.risk.data_feeds[0], fallback="halved above 90 ms")
    dossier = replace(dossier, risk=replace(dossier.risk, data_feeds=(feed,)))
    dossier = replace(dossier, rollback=replace(dossier.rollback, fallback="other", fallback_other="unwound at 90 ms"))

    keys = [key for key, _ in untrue_in_dossier(dossier, POLICY)]
    assert keys == ["risk.data_feeds.0.fallback", "rollback.fallback_other"]
    rows = sample.tables(sample.memo(dossier=dossier), "3.2")[0].rows
    assert any("is not so" in row[3].text for row in rows)


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
    release = AssessedRelease(inputs=inputs, assessment=sample.assessment(), figures=())

    with pytest.raises(BadInputError, match=r"risk\.risks\.0\.mitigation: .*is not so: the rollback trigger"):
        submission_errors(release)
