"""What is measured is held against the thresholds printed, and unknown is never good."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from signoff.domain.monitoring import Drift, Level, Measurement, holds, observe, rolling_sharpe, var_exception
from signoff.domain.policy import Policy

POLICY = Policy(name="test", version="1")


def measured(**changes):
    rng = np.random.default_rng(7)
    market = rng.normal(0.0004, 0.01, 600)
    healthy = Measurement(
        session=date(2019, 2, 1),
        returns=0.8 * market + rng.normal(0.002, 0.002, 600),
        benchmark=market,
        live_sessions=20,
        latency_ms=np.full(20, 12.0),
        errors=0,
        predictions=20,
        drift=(Drift(feature="f", psi=0.05, null_psi=0.3, n=400),),
        gross_exposure_pct=95.0,
        universe_size=20,
    )
    return replace(healthy, **changes)


def level(observed, key):
    return next(r.level for r in observed.readings if r.key == key)


def test_a_healthy_day_lets_the_release_advance():
    observed = observe(measured(), POLICY, {"drift": "psi_max < 0.25", "universe": "universe_size >= 20"})
    assert observed.unmet == ()
    assert observed.fired == ()
    assert observed.is_conclusive


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"latency_ms": np.array([])}, "latency_p95_ms"),
        ({"latency_ms": np.array([12.0] * 19 + [np.nan])}, "latency_p95_ms"),
        ({"drift": (Drift(feature="f", psi=float("nan"), null_psi=0.3, n=400),)}, "psi_max"),
        ({"gross_exposure_pct": float("nan")}, "gross_exposure_pct"),
        ({"returns": np.append(np.full(599, 0.001), np.nan)}, "var_exceptions"),
        ({"benchmark": np.append(np.full(599, 0.001), np.nan)}, "index_vol_30d_pct"),
        ({"drift": ()}, "psi_max"),
        ({"gross_exposure_pct": None}, "gross_exposure_pct"),
        ({"returns": np.zeros(600)}, "rolling_sharpe_30d"),
    ],
)
def test_what_cannot_be_computed_is_unknown_and_blocks(changes, key):
    observed = observe(measured(**changes), POLICY, {})
    assert level(observed, key) == Level.UNKNOWN
    assert not observed.is_conclusive
    assert any(key in reason for reason in observed.unmet)


def test_a_day_without_predictions_does_not_count():
    observed = observe(measured(predictions=0, latency_ms=np.array([])), POLICY, {})
    assert not observed.counts
    assert not observed.is_conclusive


def test_errors_above_the_trigger_fire_it():
    assert observe(measured(errors=2), POLICY, {}).fired == ("error_rate",)
    assert observe(measured(errors=1), POLICY, {}).fired == ()


def test_slow_predictions_fire_the_latency_trigger():
    assert observe(measured(latency_ms=np.full(20, 201.0)), POLICY, {}).fired == ("latency_p95",)


def test_the_sharpe_trigger_needs_its_days_in_a_row():
    falling = np.concatenate([measured().returns[:-45], np.tile([-0.01, -0.012, -0.008], 15)])
    assert observe(measured(returns=falling, live_sessions=28), POLICY, {}).fired == ()
    assert "sharpe" in observe(measured(returns=falling, live_sessions=29), POLICY, {}).fired


def test_losses_before_the_release_was_live_fire_nothing():
    falling = np.concatenate([measured().returns[:-45], np.tile([-0.01, -0.012, -0.008], 15)])
    assert observe(measured(returns=falling, live_sessions=19), POLICY, {}).fired == ()


def test_a_crash_of_the_whole_market_is_not_attributed_to_the_model():
    world = measured()
    market, own = world.benchmark.copy(), world.returns.copy()
    market[-1], own[-1] = -0.09, -0.072
    found = var_exception(own, market, 0.95)
    assert found.is_exception
    assert not found.is_attributed


def test_a_loss_of_the_models_own_is_attributed_to_it():
    world = measured()
    own = world.returns.copy()
    own[-1] = world.benchmark[-1] * 0.8 - 0.05
    found = var_exception(own, world.benchmark, 0.95)
    assert found.is_exception
    assert found.is_attributed


def test_too_short_a_past_gives_no_value_at_risk():
    assert var_exception(np.full(50, 0.01), np.full(50, 0.01), 0.95) is None


def test_rolling_sharpe_needs_a_full_window():
    assert rolling_sharpe(np.array([0.01, 0.02]), 30) is None


def test_drift_within_what_training_showed_is_not_an_alert():
    calm = observe(measured(drift=(Drift(feature="f", psi=0.6, null_psi=0.9, n=400),)), POLICY, {})
    moved = observe(measured(drift=(Drift(feature="f", psi=0.6, null_psi=0.4, n=400),)), POLICY, {})
    assert level(calm, "psi_max") == Level.OK
    assert level(moved, "psi_max") == Level.CRITICAL


@pytest.mark.parametrize(
    ("monitor", "expected"),
    [
        ("psi_max < 0.25", True),
        ("psi_max >= 0.25", False),
        ("nobody_knows < 1", False),
        ("psi_max < 0.25 or True", False),
        ("__import__('os')", False),
        ("", False),
    ],
)
def test_an_assumption_holds_only_when_its_expression_does(monitor, expected):
    assert holds(monitor, {"psi_max": 0.1, "nothing": None}) is expected


def test_a_violated_assumption_keeps_the_release_from_advancing():
    observed = observe(measured(), POLICY, {"liquid": "universe_size >= 21"})
    assert any("liquid" in reason for reason in observed.unmet)


class TestAgainstTheChampion:
    def pairs(self, n, edge):
        champion = np.random.default_rng(3).normal(0, 0.01, n)
        return np.column_stack([champion + edge + np.random.default_rng(4).normal(0, 0.001, n), champion])

    def reading(self, pairs):
        observed = observe(measured(against_champion=pairs), POLICY, {})
        return next((r for r in observed.readings if r.key == "less_champion_bps"), None), observed

    def test_before_twenty_sessions_nothing_is_said_and_nothing_is_held_up(self):
        reading, observed = self.reading(self.pairs(19, -0.01))

        assert reading is None
        assert observed.unmet == ()

    def test_a_candidate_that_is_worse_beyond_doubt_does_not_advance_and_is_not_rolled_back(self):
        reading, observed = self.reading(self.pairs(40, -0.005))

        assert reading.level == Level.CRITICAL
        assert reading.value == pytest.approx(-50, abs=5)
        assert "after 40 sessions" in reading.detail
        assert any("less_champion_bps" in reason for reason in observed.unmet)
        assert observed.fired == ()

    @pytest.mark.parametrize("edge", [0.0, 0.005])
    def test_one_that_is_as_good_or_better_may(self, edge):
        reading, observed = self.reading(self.pairs(40, edge))

        assert reading.level == Level.OK
        assert observed.unmet == ()
