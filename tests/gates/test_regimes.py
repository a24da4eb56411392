"""Section 3.3: regimes that could be named in time, and whether they differ beyond chance."""

import numpy as np
import pytest
from releases import backtest

from signoff.domain.gates.regimes import regime_contrasts, regime_rows, relative_volatility, trailing_trend
from signoff.stats.sharpe import sharpe_ratio, sharpe_standard_error

SESSIONS = 1600


class TestRegimes:
    def test_a_session_is_classified_by_what_was_known_before_it(self):
        market = np.random.default_rng(1).normal(0, 0.01, 700)
        changed = market.copy()
        changed[500:] *= -3

        for classify in (trailing_trend, relative_volatility):
            np.testing.assert_array_equal(classify(market)[:501], classify(changed)[:501])
            assert not np.array_equal(classify(market)[501:], classify(changed)[501:])

    def test_the_trend_is_the_return_of_the_two_hundred_sessions_before(self):
        market = np.random.default_rng(1).normal(0, 0.01, 203)

        trend = trailing_trend(market)

        assert np.isnan(trend[:200]).all()
        assert np.exp(trend[202]) == pytest.approx(np.prod(1 + market[2:202]))

    def test_a_market_that_stands_still_is_no_bull_market(self):
        given = backtest(np.random.default_rng(8).normal(0, 0.01, 300), benchmark=np.zeros(300))

        bull, bear, high, low = regime_rows(given)

        assert (bull.days, bear.days, high.days, low.days) == (0, 100, 0, 240)

    @pytest.mark.parametrize(("sessions", "is_enough"), [(259, False), (260, True)])
    def test_sixty_sessions_make_a_regime(self, sessions, is_enough):
        given = backtest(np.random.default_rng(9).normal(0, 0.01, sessions), benchmark=np.full(sessions, 0.001))

        assert regime_rows(given)[0].sharpe.is_provided is is_enough

    def test_each_session_lies_on_one_side_once_there_is_history(self, evidence):
        bull, bear, high, low = regime_rows(evidence.backtest)

        assert bull.days + bear.days == SESSIONS - 200
        assert high.days + low.days == SESSIONS - 60

    def test_a_market_that_only_rises_has_no_bear(self):
        rng = np.random.default_rng(2)
        given = backtest(rng.normal(0.001, 0.01, 600), benchmark=np.abs(rng.normal(0, 0.01, 600)))

        bull, bear, *_ = regime_rows(given)

        assert bull.days == 400
        assert bull.sharpe.is_provided
        assert bear.days == 0
        assert not bear.sharpe.is_provided
        assert "0 sessions" in bear.sharpe.source

    def test_a_strong_gain_has_a_small_p_value_and_a_loss_a_large_one(self):
        market = np.resize([0.01, 0.01, -0.005], 800)
        noise = np.random.default_rng(3).normal(0, 0.01, 800)

        gain, loss = (regime_rows(backtest(noise + mean, benchmark=market))[0] for mean in (0.003, -0.003))

        assert gain.p_value.value < 0.001
        assert loss.p_value.value > 0.999

    def test_without_a_benchmark_regimes_are_not_provided(self):
        rows = regime_rows(backtest(np.random.default_rng(4).normal(0, 0.01, 600)))

        assert [row.title for row in rows] == ["Bull market", "Bear market", "High volatility", "Low volatility"]
        assert all(row.days == 0 and not row.sharpe.is_provided for row in rows)

    def test_volatility_is_held_against_the_median_so_far(self):
        calm, wild = np.resize([0.001, -0.001], 200), np.resize([0.02, -0.02], 100)

        excess = relative_volatility(np.concatenate([calm, wild]))

        assert np.isnan(excess[:60]).all()
        assert (excess[60:200] <= 1e-12).all()
        assert (excess[262:] > 0).all()


class TestContrasts:
    def test_a_model_that_lives_on_rising_markets_is_found_out(self):
        rng = np.random.default_rng(11)
        market = np.concatenate([rng.normal(0.002, 0.01, 800), rng.normal(-0.002, 0.01, 800)])
        rising = trailing_trend(market) > 0
        dependent = backtest(rng.normal(0, 0.01, 1600) + np.where(rising, 0.003, -0.001), benchmark=market)
        indifferent = backtest(rng.normal(0.0005, 0.01, 1600), benchmark=market)

        assert regime_contrasts(dependent)[0].p_value.value < 0.001
        assert regime_contrasts(indifferent)[0].p_value.value > 0.05

    def test_the_difference_is_that_of_the_two_regimes_with_both_errors(self, evidence):
        bull, bear, *_ = regime_rows(evidence.backtest)
        trend = trailing_trend(evidence.backtest.benchmark)
        errors = [sharpe_standard_error(evidence.backtest.returns[s], method="hac") for s in (trend > 0, trend <= 0)]

        contrast = regime_contrasts(evidence.backtest)[0]

        assert contrast.difference.value == pytest.approx(bull.sharpe.value - bear.sharpe.value)
        assert contrast.difference.standard_error == pytest.approx(np.hypot(*errors))
        assert sharpe_ratio(evidence.backtest.returns[trend > 0]) == pytest.approx(bull.sharpe.value)

    def test_too_few_sessions_of_one_regime_leave_the_contrast_unknown(self):
        rng = np.random.default_rng(2)
        given = backtest(rng.normal(0.001, 0.01, 600), benchmark=np.abs(rng.normal(0, 0.01, 600)))

        assert not regime_contrasts(given)[0].p_value.is_provided

    def test_without_a_benchmark_there_is_no_contrast(self):
        contrasts = regime_contrasts(backtest(np.random.default_rng(4).normal(0, 0.01, 600)))

        assert all(not c.difference.is_provided for c in contrasts)

    def test_two_regimes_that_do_not_differ_are_told_apart_one_time_in_twenty(self):
        """The size of the test: 400 worlds without any difference, binomial error of four standard deviations."""
        rng, rejected, worlds = np.random.default_rng(17), 0, 400
        market = np.concatenate([rng.normal(0.002, 0.01, 500), rng.normal(-0.002, 0.01, 500)])
        for _ in range(worlds):
            contrast = regime_contrasts(backtest(rng.standard_t(5, 1000) * 0.01, benchmark=market))[0]
            rejected += contrast.p_value.value < 0.05

        assert abs(rejected / worlds - 0.05) < 4 * np.sqrt(0.05 * 0.95 / worlds) + 0.01
