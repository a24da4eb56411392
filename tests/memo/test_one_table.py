"""One table of thresholds: each row is printed in the memo at the figure that monitoring and the review enforce."""

import re
from dataclasses import replace

import numpy as np
import pytest
import sample
from enforced_thresholds import live_thresholds
from live_days import measured, predictions

from signoff.domain.live_metrics import LIVE_METRICS, targets, threshold, triggers
from signoff.domain.monitoring import Track, explain, observe, rolling_sharpe
from signoff.domain.monitoring.returns import days_below
from signoff.domain.policy import Policy, tighten
from signoff.domain.thresholds import Sign, ThresholdKind

STRICTER = {
    "alerts.psi.warning": 0.07,
    "alerts.psi.critical": 0.2,
    "alerts.latency_p95_ms.warning": 60,
    "triggers.latency_p95_ms": 150,
    "triggers.error_rate_pct": 3,
    "triggers.sharpe.below": 0.6,
    "triggers.sharpe.consecutive_days": 6,
    "triggers.var.exceptions": 3,
    "success.uptime_pct": 99.95,
    "success.correlation_with_backtest": 0.8,
}
POLICIES = {
    "as it comes": Policy(name="p", version="1"),
    "as a dossier tightened it": tighten(Policy(name="p", version="1"), STRICTER)[0],
}
PLACES = {
    ThresholdKind.WARNING: "4.2",
    ThresholdKind.CRITICAL: "4.2",
    ThresholdKind.TRIGGER: "4.1",
    ThresholdKind.TARGET: "10.1",
}
UP = {Sign.ABOVE, Sign.AT_LEAST}
IN_WORDS = {
    "var_exceptions_attributed": "No VaR breaches attributed to model",
    "critical_incidents": "No critical incidents",
}


def rows(name):
    return live_thresholds(POLICIES[name], sample.dossier().success)


@pytest.fixture(params=POLICIES)
def name(request):
    return request.param


def test_every_row_is_printed_where_the_memo_has_its_kind(name):
    memo = sample.memo(policy=POLICIES[name])
    for row in rows(name):
        printed = repr(sample.section(memo, PLACES[row.kind]))
        wanted = IN_WORDS[row.key] if row.kind is ThresholdKind.TARGET and row.key in IN_WORDS else row.figure
        assert wanted in printed, row


def level(name, key, value):
    """The level of a reading that a row computes as this value."""
    table = tuple(replace(row, compute=lambda _: value) for row in LIVE_METRICS if row.key == key)
    return observe(measured(), POLICIES[name], {}, table=table).readings[0].level


def test_every_printed_threshold_acts_just_beyond_itself_and_neither_at_it_nor_before(name):
    """The row's own sign says on which side it acts; a level that a worse one covers reads as the worse one."""
    for row in rows(name):
        beyond, before = (
            np.nextafter(row.value, way) for way in ((np.inf, -np.inf) if row.sign in UP else (-np.inf, np.inf))
        )
        acts = row.sign in {Sign.AT_LEAST, Sign.AT_MOST}
        assert [row.holds(each) for each in (before, row.value, beyond)] == [False, acts, True]
        if row.kind in {ThresholdKind.WARNING, ThresholdKind.CRITICAL}:
            worst = {row.kind.value, "critical"}
            found = [level(name, row.key, float(each)) in worst for each in (before, row.value, beyond)]
            is_covered = row.kind is ThresholdKind.WARNING and level(name, row.key, float(before)) == "critical"
            assert is_covered or found == [False, acts, True], row


def test_every_trigger_trips_at_its_printed_level_and_prints_the_reading_that_tripped_it(name):
    policy = POLICIES[name]
    for metric, trigger in triggers():
        limit = metric.threshold(policy, ThresholdKind.TRIGGER)
        beyond, before = (float(np.nextafter(limit.value, way)) for way in (np.inf, -np.inf))
        for value, is_held in ((before, False), (limit.value, limit.sign is Sign.AT_LEAST), (beyond, True)):
            row = replace(metric, compute=lambda _, value=value: value)
            observed = observe(measured(), policy, {}, table=(row,))
            assert observed.fired == ((trigger.name,) if is_held else ()), (metric.key, value)
            assert is_held is (observed.readings[0].level == "critical" and limit.holds(value))
            said = explain(trigger.name, observed, policy)
            assert limit.holds(shown(said, limit)) is limit.holds(observed.readings[0].value), said


def shown(said, limit):
    """The figure of the reading in a reason."""
    figures = [float(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?", said)]
    return figures[1] if limit.key == "sharpe_days_below" else figures[0]


@pytest.mark.parametrize(("key", "fault"), [("error_rate", "failed"), ("latency_p95", "slow")])
def test_an_operational_trigger_fires_above_its_row_and_not_at_it(name, key, fault):
    policy = POLICIES[name]
    row = threshold(
        policy, {"error_rate": "error_rate_pct", "latency_p95": "latency_p95_ms"}[key], ThresholdKind.TRIGGER
    )
    if fault == "slow":
        at, above = (predictions(latency_ms=np.full(20, row.value + more)) for more in (0.0, 0.5))
    else:
        at, above = predictions(), predictions(failed=2)  # 0% and 10%
    assert [key in observe(measured(predictions=seen), policy, {}).fired for seen in (at, above)] == [False, True]


def test_the_sharpe_trigger_fires_at_the_days_of_its_row():
    track = Track.of(measured(returns=np.where(np.arange(600) % 2, 0.001, -0.0012), lived=30))
    days = days_below(track, POLICIES["as it comes"]).days
    assert days > 1
    for consecutive, is_fired in ((days, True), (days + 1, False)):
        policy = POLICIES["as it comes"]
        trigger = replace(policy.triggers.sharpe, consecutive_days=consecutive)
        policy = replace(policy, triggers=replace(policy.triggers, sharpe=trigger))
        assert threshold(policy, "sharpe_days_below", ThresholdKind.TRIGGER).value == consecutive
        assert ("sharpe" in observe(track.measured, policy, {}).fired) is is_fired


def test_the_sharpe_floor_counts_a_session_just_below_itself_and_not_at_it(name):
    track = Track.of(measured(returns=np.where(np.arange(600) % 2, 0.001, -0.0012), lived=30))
    value = rolling_sharpe(track.returns, 30)
    for floor, is_counted in (
        (np.nextafter(value, -np.inf), False),
        (value, False),
        (np.nextafter(value, np.inf), True),
    ):
        trigger = replace(POLICIES[name].triggers.sharpe, below=float(floor))
        policy = replace(POLICIES[name], triggers=replace(POLICIES[name].triggers, sharpe=trigger))
        assert threshold(policy, "rolling_sharpe_30d", ThresholdKind.TRIGGER).value == floor
        assert (days_below(track, policy).days > 0) is is_counted


def test_the_target_for_drift_is_the_figure_that_monitoring_warns_at(name):
    target = targets(POLICIES[name], sample.dossier().success)["psi_max"]
    assert level(name, "psi_max", target.value) == "ok"
    assert level(name, "psi_max", target.value + 1e-9) == "warning"
    assert target.holds(target.value)
    assert not target.holds(target.value + 1e-9)
