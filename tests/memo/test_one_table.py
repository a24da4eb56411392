"""One table of thresholds: each row is printed in the memo at the figure that monitoring and the review enforce."""

from dataclasses import replace

import numpy as np
import pytest
import sample
from live_days import measured, predictions

from signoff.domain.live_thresholds import Kind, Sign, live_thresholds, targets, threshold
from signoff.domain.monitoring import Track, observe
from signoff.domain.monitoring.readings import judged
from signoff.domain.monitoring.returns import days_below
from signoff.domain.policy import Policy, tighten

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
PLACES = {Kind.WARNING: "4.2", Kind.CRITICAL: "4.2", Kind.TRIGGER: "4.1", Kind.TARGET: "10.1"}
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
        wanted = IN_WORDS[row.key] if row.kind is Kind.TARGET and row.key in IN_WORDS else row.figure
        assert wanted in printed, row


def test_every_alert_is_the_level_of_its_reading(name):
    for row in rows(name):
        if row.kind not in {Kind.WARNING, Kind.CRITICAL}:
            continue
        step = 1e-9 if row.sign is Sign.ABOVE else -1e-9
        level = judged(POLICIES[name], row.key)
        assert level(row.value + step) in {row.kind.value, "critical"}
        assert level(row.value) != row.kind.value or row.kind is Kind.WARNING
        if row.kind is Kind.CRITICAL:
            assert (level(row.value + step), level(row.value) == "critical") == ("critical", False)


@pytest.mark.parametrize(("key", "fault"), [("error_rate", "failed"), ("latency_p95", "slow")])
def test_an_operational_trigger_fires_above_its_row_and_not_at_it(name, key, fault):
    policy = POLICIES[name]
    row = threshold(policy, {"error_rate": "error_rate_pct", "latency_p95": "latency_p95_ms"}[key], Kind.TRIGGER)
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
        assert threshold(policy, "sharpe_days_below", Kind.TRIGGER).value == consecutive
        assert ("sharpe" in observe(track.measured, policy, {}).fired) is is_fired


def test_the_target_for_drift_is_the_figure_that_monitoring_warns_at(name):
    target = targets(POLICIES[name], sample.dossier().success)["psi_max"]
    assert judged(POLICIES[name], "psi_max")(target.value) == "ok"
    assert judged(POLICIES[name], "psi_max")(target.value + 1e-9) == "warning"
    assert target.holds(target.value)
    assert not target.holds(target.value + 1e-9)
