"""An assumption's expression is one that monitoring evaluates; any other is refused before anybody signs it."""

import pytest
from live_days import measured

from signoff.domain.assumptions import METRICS, holds, objection
from signoff.domain.monitoring import DailyReturns, observe
from signoff.domain.policy import Policy

POLICY = Policy(name="test", version="1")


def test_every_metric_that_exists_is_a_figure_that_monitoring_reads():
    day = measured(lived=60)
    champion = DailyReturns(name="champion", dates=day.live.dates, returns=day.live.returns[::-1].copy())
    seen = {reading.key for reading in observe(measured(lived=60, champion=champion), POLICY, {}).readings}
    assert set(METRICS) <= seen


@pytest.mark.parametrize("monitor", ["psi_max < 0.25", "universe_size>=20", " sharpe_days_below  <=  9 "])
def test_an_expression_over_a_metric_that_exists_is_taken(monitor):
    assert objection(monitor, has_previous=False) is None


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        ("psi < 0.25", ("'psi < 0.25'", "no metric is called 'psi'", "the nearest first: psi_max,")),
        ("adv_min > 5", ("no metric is called 'adv_min'", "rolling_sharpe_30d")),
        ("latency_p95 < 150", ("the nearest first: latency_p95_ms,",)),
        ("error_rate < 1", ("the nearest first: error_rate_pct,",)),
        ("PSI_MAX < 0.25", ("'PSI_MAX < 0.25'", "the nearest first: psi_max,")),
        ("psi_max <> 0.25", ("not one of them", "< <= > >=")),
        ("psi_max = 0.25", ("not one of them",)),
        ("psi_max != 0", ("not one of them",)),
        ("psi_max ≤ 0.25", ("not one of them",)),
        ("latency_p95_ms < 150 ms", ("a unit", "part of the metric's name")),
        ("latency_p95_ms < 150ms", ("a unit",)),
        ("error_rate_pct < 1%", ("a unit",)),
        ("gross_exposure_pct < 1.5x", ("a unit",)),
        ("psi_max < 0.25 and error_rate_pct < 1", ("more than one comparison",)),
        ("0 < psi_max < 0.25", ("more than one comparison",)),
        ("0.25 > psi_max", ("write the metric first",)),
        ("psi_max", ("expected METRIC",)),
        ("psi_max <", ("expected METRIC",)),
        ("psi_max < nan", ("expected METRIC",)),
        ("psi_max < 1e3", ("expected METRIC",)),
        ("psi_max < 1,000", ("expected METRIC",)),
        ("psi_max < ٠٫٢٥", ("expected METRIC",)),
        ("psi_max < ٣", ("expected METRIC",)),
        (f"psi_max < {'9' * 400}", ("too large",)),
        ("the desk looks at it every morning", ("expected METRIC",)),
        ("psi_max < error_rate_pct", ("expected METRIC",)),
        ("less_champion_bps > -5", ("header.previous_version names none",)),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_refused_with_the_metrics_that_exist(monitor, words):
    said = objection(monitor, has_previous=False)
    assert said is not None
    for word in (*words, "The metrics that exist", "latency_p95_ms"):
        assert word in said
    assert not holds(monitor, dict.fromkeys(METRICS, 0.0)) or monitor.startswith(("less_", "psi_max < 999"))


def test_the_difference_to_a_champion_is_a_metric_where_there_is_one():
    assert objection("less_champion_bps > -5", has_previous=True) is None
