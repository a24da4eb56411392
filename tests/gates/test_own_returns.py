"""The correlation with the backtest is refused where paper trading was not lived, or another model lived it."""

from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, paper_log
from releases import paper_row as row

from signoff.domain.evidence import RegisteredVersion
from signoff.domain.gates.own_returns import own_returns
from signoff.domain.gates.paper import paper_summary

DAYS = 60
RNG = np.random.default_rng(5)
OWN = RNG.normal(0.0005, 0.01, DAYS)
TURNOVER = np.abs(RNG.normal(0.2, 0.1, DAYS))
FEES = np.abs(RNG.normal(0.0001, 0.00005, DAYS))
NOISE = RNG.normal(0.0, 0.003, DAYS)

COPIES = {
    "the same": OWN,
    "a constant cost a day": OWN - 0.0001,
    "a constant added": OWN + 0.0004,
    "leverage and a constant": 1.5 * OWN - 0.0002,
    "a fee of a tenth": 0.9 * OWN,
    "rounded to four decimals": np.round(OWN - 0.0001, 4),
    "scaled, shifted and rounded": np.round(0.97 * OWN - 0.00013, 5),
    "stated turnover at seven basis points": OWN - 0.0007 * TURNOVER,
    "stated turnover and stated fees": OWN - 0.0005 * TURNOVER - FEES,
    "gross of the stated fees": OWN + FEES,
    "a cost that grows with the move": OWN - 0.01 * np.abs(OWN),
    "logarithmic returns": np.log1p(OWN),
    "compounded with a cost": (1 + OWN) * (1 - 0.0002) - 1,
    "a third of the days altered": np.where(np.arange(DAYS) % 3 == 0, OWN + NOISE, OWN - 0.0001),
    "costs that nobody stated, with a little noise": OWN - 0.0001 + 0.00002 * RNG.normal(size=DAYS),
    "flat days in both": np.where(np.arange(DAYS) % 3 == 0, 0.0, OWN),
}
LIVED = {
    "fills of a market": 0.9 * OWN + NOISE,
    "close to the backtest": OWN + 0.1 * NOISE,
    "rounded fills of a market": np.round(OWN + NOISE, 4),
    "another market": RNG.normal(0.0005, 0.01, DAYS),
    "the opposite": -OWN,
}


@pytest.mark.parametrize("name", COPIES)
def test_the_backtests_own_returns_are_known_whatever_was_taken_off(name):
    source = np.where(np.arange(DAYS) % 3 == 0, 0.0, OWN) if name == "flat days in both" else OWN
    assert own_returns(COPIES[name], source, (TURNOVER, FEES)) is not None


@pytest.mark.parametrize("name", LIVED)
def test_returns_that_a_market_made_are_left_alone(name):
    assert own_returns(LIVED[name], OWN, (TURNOVER, FEES)) is None


def test_independent_returns_of_few_days_are_hardly_ever_taken_for_copies():
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        own = np.round(rng.normal(0, 0.005, 20), 4)
        found += (
            own_returns(np.round(0.9 * own + rng.normal(0, 0.002, 20), 4), own, (np.abs(rng.normal(size=20)),))
            is not None
        )
    assert found == 0


def test_days_on_which_both_stood_still_show_nothing():
    still = np.where(np.arange(DAYS) < 50, 0.0, OWN)
    assert own_returns(still + np.where(np.arange(DAYS) < 50, 0.0, NOISE), still) is None


@pytest.fixture
def lived(evidence):
    def made(returns, own=OWN, **log):
        own_track = backtest(own, start="2018-01-01")
        rows = [row(day, symbol) for day in range(30) for symbol in ("AAA", "BBB")]
        return replace(
            evidence,
            backtest=own_track,
            paper=replace(paper_log(rows), **log),
            paper_returns=backtest(returns, start="2018-01-01", name="paper_returns.csv"),
        )

    return made


@pytest.mark.parametrize("name", ["the same", "a constant cost a day", "scaled, shifted and rounded"])
def test_a_copy_has_no_correlation_and_the_summary_says_why(lived, name):
    summary = paper_summary(lived(COPIES[name]))
    assert not summary.correlation.is_provided
    assert not summary.correlation_low.is_provided
    assert "the backtest's own less costs: on 60 of 60 days they are" in summary.correlation_refused


def test_returns_less_what_the_logs_own_orders_cost_are_a_copy(lived):
    rows = [row(day, "AAA", quantity=100.0 + 7 * (day % 9), fill=100.05) for day in range(DAYS)]
    log = paper_log(rows)
    own = backtest(OWN, start="2018-03-01")
    cost = np.zeros(DAYS)
    at = np.searchsorted(own.dates, log.timestamps.astype("datetime64[D]"))
    np.add.at(cost, at[at < DAYS], (log.quantity * (log.fill_price - log.decision_price) / 1e5)[at < DAYS])
    copied = replace(lived(OWN), backtest=own, paper=log, paper_returns=replace(own, returns=OWN - cost))
    assert "own less costs" in paper_summary(copied).correlation_refused


def test_a_market_s_returns_have_their_correlation(lived):
    summary = paper_summary(lived(LIVED["fills of a market"]), "2.0.0")
    assert summary.correlation_refused == ""
    assert summary.correlation.value == pytest.approx(np.corrcoef(LIVED["fills of a market"], OWN)[0, 1])
    assert "model declared" in summary.correlation.source


@pytest.mark.parametrize(
    ("versions", "is_refused"),
    [(("2.0.0",), False), (("v2.0.0",), False), (("1.1.0",), True), (("1.1.0", "2.0.0"), True), (("", "2.0.0"), True)],
)
def test_a_log_of_another_version_has_no_correlation(lived, versions, is_refused):
    summary = paper_summary(lived(LIVED["fills of a market"], versions=versions), "2.0.0")
    assert summary.correlation.is_provided is not is_refused
    assert ("another model than the registered one" in summary.correlation_refused) is is_refused


@pytest.mark.parametrize(("runs", "is_refused"), [(("run-of-2",), False), (("run-of-3",), True)])
def test_a_log_of_another_run_has_no_correlation(lived, runs, is_refused):
    registered = RegisteredVersion(
        model="m",
        version="2.0.0",
        run_id="run-of-2",
        experiment="",
        parameters={},
        metrics={},
        features=(),
        training_start=None,
        training_end=None,
        git_commit=None,
        architecture="",
        tags={},
        aliases=(),
        artifacts=(),
        model_uri="",
    )
    summary = paper_summary(replace(lived(LIVED["fills of a market"], runs=runs), candidate=registered), "2.0.0")
    assert summary.correlation.is_provided is not is_refused
