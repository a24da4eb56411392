"""What is measured is held against the thresholds printed, and unknown is never good."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_days import (
    SESSION,
    SYMBOLS,
    baseline,
    days,
    doubled,
    features,
    measured,
    predictions,
    reading,
    with_today,
    world,
)
from scipy.stats import beta

from signoff.domain.monitoring import (
    DailyReturns,
    Level,
    explain,
    holds,
    interim,
    observe,
    rolling_sharpe,
    var_exception,
)
from signoff.domain.monitoring.drift import window_sessions
from signoff.domain.policy import Policy, TriggerPolicy
from signoff.ledger.codec import encode_state

POLICY = Policy(name="test", version="1")


def seen(**changes):
    return observe(measured(**changes), POLICY, {})


def unknown(observed, key, *said):
    """The reading is unknown, says why, and keeps the session from counting as conclusive."""
    found = reading(observed, key)
    assert found.level == Level.UNKNOWN, found
    assert found.detail
    for text in said:
        assert text in found.detail, found.detail
    assert not observed.is_conclusive
    assert any(key in reason for reason in observed.unmet)
    return found


def test_a_healthy_day_lets_the_release_advance():
    observed = observe(measured(), POLICY, {"drift": "psi_max < 0.25", "universe": "universe_size >= 20"})
    assert observed.unmet == ()
    assert observed.fired == ()
    assert observed.is_conclusive


def test_what_is_observed_can_be_written_to_the_ledger():
    assert encode_state(seen())


def test_every_reading_carries_how_much_it_rests_on_and_how_old_that_is():
    for found in seen().readings:
        assert found.n is not None, found.key
        assert found.as_of == SESSION or found.key == "missing_features", found.key


def last(values, **at):
    column = values.copy()
    for back, value in at.items():
        column[-int(back.removeprefix("b"))] = value
    return column


OWN, MARKET = world()


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"predictions": predictions(latency_ms=np.full(20, np.nan))}, "latency_p95_ms", "n 0, needs 5"),
        ({"predictions": predictions(latency_ms=last(np.full(20, 12.0), b1=np.nan))}, "latency_p95_ms", "1 of 20"),
        ({"predictions": predictions(latency_ms=last(np.full(20, 12.0), b3=np.inf))}, "latency_p95_ms", "1 of 20"),
        ({"gross_exposure_pct": np.array([np.nan])}, "gross_exposure_pct", "no number"),
        ({"gross_exposure_pct": np.empty(0)}, "gross_exposure_pct", "no exposure"),
        ({"gross_exposure_pct": np.array([95.0, 95.0])}, "gross_exposure_pct", "2 rows"),
        ({"returns": last(OWN, b1=np.nan)}, "var_exceptions", "2019-02-01 is no number"),
        ({"returns": last(OWN, b25=np.inf)}, "rolling_sharpe_30d", "2019-01-08 is no number"),
        ({"returns": OWN[-50:]}, "var_exceptions", "needs 101"),
        ({"benchmark": last(MARKET, b1=np.nan)}, "index_vol_30d_pct", "benchmark of 2019-02-01"),
        ({"returns": np.zeros(600)}, "rolling_sharpe_30d", "do not vary"),
        ({"features": features(0)}, "psi_max", "no feature is journaled"),
    ],
)
def test_what_cannot_be_computed_is_unknown_says_why_and_blocks(changes, key, said):
    unknown(seen(**changes), key, said)


class TestDoubledRows:
    def test_a_week_that_stands_twice_makes_its_sharpe_ratio_unknown_and_not_higher(self):
        at = np.sort(np.concatenate([days(600), days(3)]))
        of = np.searchsorted(days(600), at)
        twice = DailyReturns(dates=at[580:], returns=OWN[of][580:], benchmark=MARKET[of][580:])
        found = seen(live=twice)
        unknown(found, "rolling_sharpe_7d", "occurs more than once")
        unknown(found, "rolling_sharpe_30d")
        unknown(found, "duplicate_rows", "returns: 3 row(s) again, first 2019-01-30")

    def test_a_day_in_history_and_in_the_rollout_stands_twice(self):
        base = measured()
        history = replace(
            base.history,
            dates=np.append(base.history.dates, base.live.dates[0]),
            returns=np.append(base.history.returns, 0.01),
            benchmark=np.append(base.history.benchmark, 0.01),
        )
        unknown(seen(history=history), "duplicate_rows", "returns: 1 row(s)")

    def test_predictions_that_stand_twice_are_counted_once_and_make_the_rate_unknown(self):
        found = seen(predictions=doubled(predictions(), range(20)))
        unknown(found, "error_rate_pct", "20 rows")
        unknown(found, "latency_p95_ms", "20 rows")
        unknown(found, "duplicate_rows", "predictions: 20 row(s) again, first S00 at 2019-02-01T21:00")
        assert reading(found, "predictions").value == 20

    def test_good_predictions_that_stand_twice_hide_no_failure(self):
        rows = predictions(failed=2)
        assert seen(predictions=doubled(rows, range(2, 20))).fired == ("error_rate",)

    def test_features_that_stand_twice_are_no_larger_sample(self):
        nine = features(9)
        order = np.repeat(np.arange(nine.timestamps.size), 2)
        again = replace(
            nine,
            timestamps=nine.timestamps[order],
            sessions=nine.sessions[order],
            symbols=nine.symbols[order],
            columns={name: column[order] for name, column in nine.columns.items()},
        )
        unknown(seen(features=again), "psi_max", "more than once")

    def test_a_training_period_that_stands_twice_is_no_reference(self):
        unknown(seen(baseline=replace(baseline(), duplicates=6000)), "psi_max", "more than once")

    def test_a_doubled_loss_silences_no_trigger(self):
        falling = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])
        base = measured(returns=falling, lived=29)
        order = np.sort(np.append(np.arange(29), 4))
        twice = replace(
            base.live,
            dates=base.live.dates[order],
            returns=base.live.returns[order],
            benchmark=base.live.benchmark[order],
        )
        observed = observe(replace(base, live=twice), POLICY, {})
        assert "sharpe" in observed.fired
        unknown(observed, "sharpe_days_below")


class TestOrder:
    def test_returns_out_of_order_are_told(self):
        base = measured()
        swapped = np.array([*range(18), 19, 18])
        live = replace(
            base.live,
            dates=base.live.dates[swapped],
            returns=base.live.returns[swapped],
            benchmark=base.live.benchmark[swapped],
        )
        unknown(seen(live=live), "unordered_rows", "returns: 2019-01-31 comes after 2019-02-01")

    def test_predictions_out_of_order_are_told(self):
        rows = predictions()
        at = rows.timestamps.copy()
        at[0] += np.timedelta64(5, "m")
        unknown(seen(predictions=replace(rows, timestamps=at)), "unordered_rows", "predictions")

    def test_features_out_of_order_are_told(self):
        rows = features()
        order = np.roll(np.arange(rows.timestamps.size), 20)
        moved = replace(rows, timestamps=rows.timestamps[order], sessions=rows.sessions[order])
        unknown(seen(features=moved), "unordered_rows", "features")


class TestGaps:
    @pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("share", [0.05, 0.95, 1.0])
    def test_a_feature_with_gaps_is_named_with_their_share(self, gap, share):
        found = seen(features=with_today(features(), "y", [gap] * int(20 * share)))
        unknown(found, "feature_gaps", f"y: {100 * share:.0f}% of 20 values")
        unknown(found, "psi_max", "y: ")

    def test_gaps_as_training_had_them_are_usual_and_infinite_values_never(self):
        rows = with_today(features(), "x", [np.nan])
        assert reading(seen(features=rows, baseline=baseline(0.1)), "feature_gaps").level == Level.OK
        unknown(seen(features=with_today(features(), "x", [np.inf]), baseline=baseline(0.1)), "feature_gaps", "x: ")

    def test_a_column_that_is_mostly_missing_is_unusual_even_where_training_began_without_values(self):
        unknown(seen(features=with_today(features(), "x", [np.nan] * 19), baseline=baseline(0.9)), "feature_gaps")

    def test_a_feature_that_training_had_and_nobody_journals_is_named(self):
        columns = {"x": features().columns["x"]}
        found = seen(features=replace(features(), columns=columns))
        unknown(found, "missing_features", "of 2 features", "y")
        unknown(found, "psi_max", "y is not journaled")

    def test_features_of_the_day_before_are_stale(self):
        rows = features()
        old = replace(rows, sessions=rows.sessions - 1, timestamps=rows.timestamps - np.timedelta64(24, "h"))
        found = unknown(seen(features=old), "psi_max", "stale: the newest features are of 2019-01-31")
        assert found.as_of == days(2)[0].item()
        unknown(seen(features=old), "feature_gaps", "no feature is journaled for 2019-02-01")

    def test_a_drift_that_is_seen_stays_critical_beside_a_feature_that_is_unknown(self):
        rows = replace(features(), columns={**features().columns, "x": features().columns["x"] + 5})
        found = seen(features=with_today(rows, "y", [np.nan] * 20))
        assert reading(found, "psi_max").level == Level.CRITICAL

    @pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
    def test_a_prediction_that_is_no_number_is_neither_a_success_nor_a_failure(self, gap):
        found = seen(predictions=predictions(values=last(np.ones(20), b1=gap, b2=gap)))
        unknown(found, "prediction_gaps", "2 of 20", "S18, S19")
        unknown(found, "error_rate_pct", "2 of 20")

    def test_predictions_that_are_all_nan_are_no_error_rate_of_zero(self):
        found = seen(predictions=predictions(values=np.full(20, np.nan)))
        assert unknown(found, "error_rate_pct").value is None

    def test_predictions_that_nobody_journals_are_unknown(self):
        unknown(seen(predictions=predictions(values=None)), "prediction_gaps", "20 of 20")

    def test_a_prediction_that_failed_need_be_no_number(self):
        found = seen(predictions=predictions(failed=1, values=np.append(np.nan, np.ones(19))))
        assert reading(found, "prediction_gaps").level == Level.OK
        assert reading(found, "error_rate_pct").value == 5.0

    def test_a_prediction_without_an_error_flag_is_no_success(self):
        found = seen(predictions=predictions(errors=last(np.zeros(20), b1=np.nan)))
        unknown(found, "error_gaps", "1 of 20", "S19")
        unknown(found, "error_rate_pct")

    def test_failures_beyond_the_limit_are_critical_whatever_else_is_unknown(self):
        errors = np.full(20, np.nan)
        errors[:2] = 1
        found = seen(predictions=predictions(errors=errors))
        assert reading(found, "error_rate_pct").level == Level.CRITICAL
        assert found.fired == ("error_rate",)

    def test_a_lived_session_without_a_return_is_named(self):
        base = measured()
        kept = np.delete(np.arange(20), 15)
        live = replace(
            base.live,
            dates=base.live.dates[kept],
            returns=base.live.returns[kept],
            benchmark=base.live.benchmark[kept],
        )
        found = seen(live=live)
        unknown(found, "missing_returns", "2019-01-28")
        unknown(found, "rolling_sharpe_7d", "2019-01-28 is missing")


class TestSymbols:
    def test_a_swapped_symbol_is_lost_and_new(self):
        names = np.array([*SYMBOLS[:-1], "ZZZ"])
        found = seen(predictions=predictions(symbols=names))
        unknown(found, "symbols_new", "ZZZ")
        unknown(found, "symbols_lost", "S19")
        unknown(found, "error_rate_pct", "S19")

    def test_a_further_symbol_is_new(self):
        rows = predictions(20)
        names = np.array([*SYMBOLS[:-1], SYMBOLS[-1]])
        names[3] = "NEW"
        unknown(seen(predictions=replace(rows, symbols=names), previous_symbols=frozenset()), "symbols_new", "NEW")

    def test_on_its_first_session_a_release_is_held_against_the_end_of_training(self):
        found = seen(predictions=predictions(18), previous_symbols=None)
        unknown(found, "symbols_lost", "S18, S19")

    def test_a_symbol_without_features_cannot_have_been_predicted(self):
        rows = features()
        kept = ~((rows.symbols == "S05") & (rows.sessions == np.datetime64(SESSION)))
        fewer = replace(
            rows,
            timestamps=rows.timestamps[kept],
            sessions=rows.sessions[kept],
            symbols=rows.symbols[kept],
            columns={name: column[kept] for name, column in rows.columns.items()},
        )
        unknown(seen(features=fewer), "symbols_new", "S05")


@pytest.mark.parametrize("n_sessions", range(1, 10))
def test_the_drift_of_the_first_nine_sessions_is_unknown_and_says_how_much_it_has_and_needs(n_sessions):
    found = unknown(seen(features=features(n_sessions)), "psi_max", f"n {20 * n_sessions}, needs 200")
    assert (found.n, found.needed) == (20 * n_sessions, 200)


@pytest.mark.parametrize("n_sessions", [1, 5, 9])
def test_a_release_that_has_not_lived_long_enough_for_a_figure_is_heard_and_not_conclusive(n_sessions):
    observed = seen(features=features(n_sessions), lived=n_sessions)
    assert reading(observed, "psi_max").is_young
    assert (observed.is_heard, observed.is_conclusive) == (True, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": features(9), "lived": 20},
        {"features": features(0), "lived": 5},
        {"features": features(5), "lived": 5, "predictions": predictions(0)},
        {"features": features(5), "lived": 5, "predictions": predictions(3)},
        {"features": features(5), "lived": 5, "gross_exposure_pct": np.array([np.nan])},
        {"features": features(5), "lived": 5, "returns": last(OWN, b2=np.nan)},
        {"features": features(5), "lived": 5, "returns": OWN[-5:], "expected": days(6)},
    ],
)
def test_data_that_should_be_there_are_missed_however_young_a_release_is(changes):
    assert not seen(**changes).is_heard


@pytest.mark.parametrize("n", [3, 40, 90])
def test_an_adopted_model_without_history_is_young_until_its_windows_are_full(n):
    observed = seen(returns=OWN[-n:], benchmark=MARKET[-n:], lived=n)
    unknown = [r for r in observed.readings if r.level == Level.UNKNOWN]
    assert unknown
    assert all(r.is_young for r in unknown)
    assert observed.is_heard


def test_a_model_of_one_symbol_has_a_drift_once_its_longer_window_is_full():
    assert window_sessions([1] * 300) == 200
    assert window_sessions([20] * 300) == 30
    assert window_sessions([1] * 150) == 150
    assert window_sessions([0] * 400) == 250


def test_from_the_tenth_session_on_drift_is_known():
    assert reading(seen(features=features(10)), "psi_max").level == Level.OK


def test_a_feature_that_never_moved_in_training_drifts_when_it_moves():
    constant = baseline(z=np.ones(6000))
    same = replace(features(), columns={**features().columns, "z": np.ones(400)})
    assert reading(seen(baseline=constant, features=same), "psi_max").level == Level.OK
    moved = replace(features(), columns={**features().columns, "z": np.full(400, 2.0)})
    unknown(seen(baseline=constant, features=moved), "psi_max", "z was always 1 in training")


def test_drift_within_what_training_showed_is_not_an_alert():
    slow = np.repeat(0.5 * np.sin(np.linspace(0, 9, 300)), 20) + np.random.default_rng(5).normal(size=6000)
    calm = replace(features(), columns={"x": slow[2000:2400], "y": features().columns["y"]})
    usual = observe(measured(features=calm, baseline=baseline(x=slow)), POLICY, {})
    assert reading(usual, "psi_max").level == Level.OK
    assert "within what such windows showed" in reading(usual, "psi_max").detail
    far = replace(features(), columns={"x": slow[2000:2400] + 2.0, "y": features().columns["y"]})
    assert reading(seen(features=far, baseline=baseline(x=slow)), "psi_max").level == Level.CRITICAL


class TestNoData:
    def test_a_day_without_predictions_does_not_count_and_its_counts_are_not_zero(self):
        observed = seen(predictions=predictions(0))
        assert not observed.counts
        assert unknown(observed, "predictions", "no prediction is journaled").value is None
        assert unknown(observed, "universe_size").value is None

    def test_a_day_without_a_return_does_not_count_and_its_failures_act_all_the_same(self):
        base = measured()
        live = replace(
            base.live,
            dates=base.live.dates[:-1],
            returns=base.live.returns[:-1],
            benchmark=base.live.benchmark[:-1],
        )
        observed = seen(live=live, predictions=predictions(failed=10))
        assert not observed.counts
        assert observed.fired == ("error_rate",)
        unknown(observed, "daily_return", "stale: the newest return is of 2019-01-31")


class TestOperationalTriggers:
    def test_errors_above_the_trigger_fire_it(self):
        assert seen(predictions=predictions(failed=2)).fired == ("error_rate",)
        assert seen(predictions=predictions(failed=1)).fired == ()

    def test_slow_predictions_fire_the_latency_trigger(self):
        assert seen(predictions=predictions(slow=2)).fired == ("latency_p95",)
        assert seen(predictions=predictions(slow=1)).fired == ()

    def test_four_of_four_that_failed_are_not_silence(self):
        observed = seen(predictions=predictions(4, failed=4), previous_symbols=frozenset(SYMBOLS[:4]))
        assert observed.fired == ("error_rate",)
        said = "4 of 4 predictions failed, fewer than the minimum of 5"
        assert said in reading(observed, "error_rate_pct").detail
        assert said in explain("error_rate", observed, POLICY)

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_every_prediction_failed_whatever_the_trigger(self, n):
        lenient = replace(POLICY, triggers=TriggerPolicy(error_rate_pct=99.0))
        found = observe(measured(predictions=predictions(n, failed=n)), lenient, {})
        assert found.fired == ("error_rate",)

    @pytest.mark.parametrize("n", [1, 2, 3, 4])
    def test_too_few_without_a_failure_are_unknown_with_how_many_there_are(self, n):
        observed = seen(predictions=predictions(n), previous_symbols=frozenset(SYMBOLS[:5]))
        found = unknown(observed, "error_rate_pct", f"n {n}, needs 5")
        assert (found.n, found.needed, found.value) == (n, 5, None)
        unknown(observed, "latency_p95_ms", f"n {n}, needs 5")
        assert observed.fired == ()
        assert not observed.is_heard

    @pytest.mark.parametrize("n", [1, 2, 4])
    def test_a_model_of_few_symbols_needs_no_more_predictions_than_it_makes(self, n):
        observed = seen(predictions=predictions(n), previous_symbols=frozenset(SYMBOLS[:n]))
        assert reading(observed, "error_rate_pct").level == Level.OK
        assert reading(observed, "latency_p95_ms").level == Level.OK
        failing = seen(predictions=predictions(n, failed=1), previous_symbols=frozenset(SYMBOLS[:n]))
        assert failing.fired == ("error_rate",)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 4), st.data(), st.floats(0.1, 99.9))
    def test_a_rate_whose_lower_bound_is_above_the_trigger_fires(self, n, data, limit):
        failed = data.draw(st.integers(0, n))
        policy = replace(POLICY, triggers=TriggerPolicy(error_rate_pct=limit))
        found = observe(measured(predictions=predictions(n, failed=failed)), policy, {})
        lower = 0.0 if failed == 0 else 100 * beta.ppf(0.05, failed, n - failed + 1)
        if lower > limit or failed == n:
            assert "error_rate" in found.fired

    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20), st.data())
    def test_good_predictions_that_go_missing_silence_nothing(self, n, failed, slow, data):
        rows = predictions(n, failed=min(failed, n), slow=min(slow, n))
        good = np.flatnonzero((rows.errors == 0) & (rows.latency_ms < 200))
        gone = data.draw(st.lists(st.sampled_from(list(good)), unique=True)) if good.size else []
        fewer = replace(
            rows,
            **{
                name: np.delete(getattr(rows, name), gone)
                for name in ("timestamps", "symbols", "values", "latency_ms", "errors")
            },
        )
        assert set(seen(predictions=rows).fired) <= set(seen(predictions=fewer).fired)


class TestInterim:
    UNTIL = datetime(2019, 2, 1, 21, tzinfo=UTC)

    def look(self, **changes):
        return interim(measured(**changes), POLICY, self.UNTIL)

    def test_an_open_session_shows_the_operational_rules_alone_and_does_not_count(self):
        found = self.look()
        assert {r.key for r in found.readings} == {
            "latency_p95_ms",
            "error_rate_pct",
            "predictions",
            "universe_size",
            "prediction_gaps",
            "error_gaps",
        }
        assert not found.counts
        assert not found.is_conclusive
        assert found.unmet == ("interim: the session is open until 21:00 UTC",)

    @pytest.mark.parametrize(
        ("rows", "fired"),
        [
            (predictions(failed=10), ("error_rate",)),
            (predictions(slow=9), ("latency_p95",)),
            (predictions(2, failed=2, slow=1), ("error_rate", "latency_p95")),
            (predictions(), ()),
        ],
    )
    def test_operational_triggers_hold_before_the_close(self, rows, fired):
        assert self.look(predictions=rows).fired == fired

    def test_losses_wait_for_the_close(self):
        falling = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])
        assert self.look(returns=falling, lived=29).fired == ()


class TestReturnTriggers:
    FALLING = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])

    def test_the_sharpe_trigger_needs_its_days_in_a_row(self):
        assert seen(returns=self.FALLING, lived=28).fired == ()
        assert "sharpe" in seen(returns=self.FALLING, lived=29).fired

    def test_losses_before_the_release_was_live_fire_nothing(self):
        assert seen(returns=self.FALLING, lived=19).fired == ()

    @pytest.mark.parametrize("gap", [np.nan, np.inf])
    def test_a_return_that_is_no_number_hides_no_losing_streak(self, gap):
        observed = seen(returns=last(self.FALLING, b12=gap), lived=29)
        assert "sharpe" in observed.fired
        unknown(observed, "sharpe_days_below")
        assert "unknown" in explain("sharpe", observed, POLICY)

    def test_a_return_that_is_no_number_hides_no_breaches(self):
        breached = OWN.copy()
        breached[-12:-1:2] = MARKET[-12:-1:2] * 0.8 - 0.08
        assert "var" in seen(returns=breached).fired
        assert "var" in seen(returns=last(breached, b40=np.nan)).fired

    def test_a_crash_of_the_whole_market_is_not_attributed_to_the_model(self):
        own, market = world()
        market[-1], own[-1] = -0.09, -0.072
        found = var_exception(own, market, 0.95)
        assert found.is_exception
        assert not found.is_attributed

    def test_a_loss_of_the_models_own_is_attributed_to_it(self):
        own, market = world()
        own[-1] = market[-1] * 0.8 - 0.05
        found = var_exception(own, market, 0.95)
        assert found.is_exception
        assert found.is_attributed

    def test_too_short_a_past_gives_no_value_at_risk(self):
        assert var_exception(np.full(50, 0.01), np.full(50, 0.01), 0.95) is None

    def test_rolling_sharpe_needs_a_full_window(self):
        assert rolling_sharpe(np.array([0.01, 0.02]), 30) is None


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


def test_an_assumption_on_a_count_that_is_unknown_does_not_hold():
    observed = observe(measured(predictions=doubled(predictions(), [0])), POLICY, {"clean": "duplicate_rows < 9"})
    assert any("clean" in reason for reason in observed.unmet)


class TestAgainstTheChampion:
    def against(self, n, edge, lived=None, **changes):
        theirs = np.random.default_rng(3).normal(0, 0.01, n)
        own = OWN.copy()
        own[-n:] = theirs + edge + np.random.default_rng(4).normal(0, 0.001, n)
        champion = replace(DailyReturns(name="champion's returns", dates=days(n), returns=theirs), **changes)
        observed = seen(returns=own, lived=lived or n, champion=champion)
        return reading(observed, "less_champion_bps"), observed

    def test_before_twenty_sessions_nothing_is_said(self):
        assert self.against(19, 0.0)[0] is None

    def test_a_candidate_that_is_worse_beyond_doubt_does_not_advance_and_is_not_rolled_back(self):
        found, observed = self.against(40, -0.005)
        assert found.level == Level.CRITICAL
        assert found.value == pytest.approx(-50, abs=5)
        assert "after 40 sessions" in found.detail
        assert any("less_champion_bps" in reason for reason in observed.unmet)

    @pytest.mark.parametrize("edge", [0.0, 0.005])
    def test_one_that_is_as_good_or_better_may(self, edge):
        assert self.against(40, edge)[0].level == Level.OK

    def test_a_champions_return_that_is_no_number_does_not_make_the_comparison_vanish(self):
        theirs = np.random.default_rng(3).normal(0, 0.01, 40)
        theirs[7] = np.nan
        _, observed = self.against(40, -0.005, returns=theirs)
        unknown(observed, "less_champion_bps", "no number")

    def test_a_champions_return_that_is_missing_or_doubled_does_not_either(self):
        theirs, at = np.random.default_rng(3).normal(0, 0.01, 40), days(40)
        _, missing = self.against(40, -0.005, returns=np.delete(theirs, 7), dates=np.delete(at, 7))
        unknown(missing, "less_champion_bps", "missing")
        _, twice = self.against(40, -0.005, returns=np.append(theirs, 0.0), dates=np.append(at, at[-1]))
        unknown(twice, "less_champion_bps", "more than once")
        unknown(twice, "duplicate_rows", "champion")


RANK = {Level.OK: 0, Level.WARNING: 1, Level.CRITICAL: 2}


def damaged(kind, base, row, gap):
    """A measurement in which something was replaced by no number, doubled, or taken away."""
    rows, live = base.predictions, base.live
    gone = np.delete(np.arange(20), row)
    twice = np.sort(np.append(np.arange(20), row))

    def gapped(column, value=gap):
        found = column.copy()
        found[row] = value
        return found

    def chosen(table, order, *names):
        return replace(table, **{name: getattr(table, name)[order] for name in names})

    of_day, of_row = ("dates", "returns", "benchmark"), ("timestamps", "symbols", "values", "latency_ms", "errors")
    changes = {
        "latency": lambda: {"predictions": replace(rows, latency_ms=gapped(rows.latency_ms))},
        "values": lambda: {"predictions": replace(rows, values=gapped(rows.values))},
        "errors": lambda: {"predictions": replace(rows, errors=gapped(rows.errors, np.nan))},
        "doubled prediction": lambda: {"predictions": chosen(rows, twice, *of_row)},
        "lost prediction": lambda: {"predictions": chosen(rows, gone, *of_row)},
        "feature": lambda: {"features": with_today(base.features, "x", [gap] * (row + 1))},
        "lost feature": lambda: {"features": replace(base.features, columns={"y": base.features.columns["y"]})},
        "return": lambda: {"live": replace(live, returns=gapped(live.returns))},
        "benchmark": lambda: {"live": replace(live, benchmark=gapped(live.benchmark))},
        "doubled return": lambda: {"live": chosen(live, twice, *of_day)},
        "lost return": lambda: {"live": chosen(live, gone, *of_day)},
        "exposure": lambda: {"gross_exposure_pct": np.array([gap])},
    }
    return changes if kind is None else replace(base, **changes[kind]())


KINDS = sorted(damaged(None, measured(), 0, np.nan))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 19),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.3, 3.0]),
    st.sampled_from([0.0, -0.02]),
)
def test_no_reading_is_better_for_data_that_are_missing_doubled_or_no_number(kind, row, gap, failed, slow, moved, lost):
    own = OWN.copy()
    own[-20:] += lost
    rows = replace(features(), columns={name: column + moved for name, column in features().columns.items()})
    base = measured(returns=own, predictions=predictions(failed=failed, slow=slow), features=rows)
    before, after = observe(base, POLICY, {}), observe(damaged(kind, base, row, gap), POLICY, {})
    for was in before.readings:
        now = reading(after, was.key)
        assert now is not None, was.key
        if was.level == Level.UNKNOWN:
            assert now.level in {Level.UNKNOWN, Level.CRITICAL}, was.key
        elif now.level != Level.UNKNOWN:
            assert RANK[now.level] >= RANK[was.level], was.key
    assert not after.is_conclusive or before.is_conclusive


def test_a_gain_that_nobody_makes_hides_no_losses():
    own, _ = world()
    own[-20:] = np.linspace(-0.02, -0.01, 20)
    assert reading(observe(measured(returns=own), POLICY, {}), "rolling_sharpe_30d").level == Level.CRITICAL
    own[-1] = 1e300
    shown = observe(measured(returns=own), POLICY, {})
    assert not shown.is_conclusive
    for key in ("daily_return", "rolling_sharpe_30d", "missing_returns"):
        assert reading(shown, key).level == Level.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"predictions": predictions(latency_ms=np.full(20, -5.0))}, "latency_p95_ms"),
        ({"gross_exposure_pct": np.array([-50.0])}, "gross_exposure_pct"),
    ],
)
def test_what_cannot_be_below_zero_is_unknown_there(changes, key):
    shown = observe(measured(**changes), POLICY, {})
    assert reading(shown, key).level == Level.UNKNOWN
    assert not shown.is_conclusive
