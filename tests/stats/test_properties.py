"""What must not change a figure, and which way it must move: each property holds by proof, not by habit."""

import dataclasses
from math import isclose

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import signoff.stats as s
from signoff.stats.deflated import expected_maximum_sharpe
from signoff.stats.symmetry import wilson_bound

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=30, deadline=None)
NUMBERS = st.floats(-0.3, 0.3)


def returns(seed, n=300, mean=0.0005):
    return np.random.default_rng(seed).normal(mean, 0.01, n)


def same(one, other):
    """Equal in every field, to the last bit; the convention names the parameters and may differ."""
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(left):
            same(left, right)
        elif field.name != "convention":
            assert np.array_equal(left, right), field.name


class TestScale:
    """Ratios do not know the unit; amounts carry it; and what has a fixed line feels it."""

    @FEW
    @given(SEEDS, st.integers(-300, 2))
    def test_ratios_to_the_last_bit_under_powers_of_two(self, seed, power):
        a, b = returns(seed), returns(seed + 1)

        assert s.downside_sensitivity_ratio(np.ldexp(a, power)).ratio == s.downside_sensitivity_ratio(a).ratio
        for figure in (
            lambda a: s.sharpe_error(a, method="hac"),
            lambda a: s.sharpe_difference_test(a, np.ldexp(b, min(-power, 2))),
            lambda a: s.probability_of_backtest_overfitting(np.column_stack([a, b]), partitions=4),
        ):
            same(figure(a), figure(np.ldexp(a, power)))

    @FEW
    @given(SEEDS, st.floats(1e-6, 4), st.sampled_from(["historical", "parametric", "filtered_historical"]))
    def test_amounts_scale_with_the_unit(self, seed, scale, method):
        sample = returns(seed)

        assert s.value_at_risk(sample * scale, method=method).value == pytest.approx(
            s.value_at_risk(sample, method=method).value * scale
        )
        forecasts = s.rolling_value_at_risk(sample * scale, window=100, method=method)
        assert (
            forecasts.is_exception == s.rolling_value_at_risk(sample, window=100, method=method).is_exception
        ).mean() > 0.99

    @FEW
    @given(SEEDS)
    def test_compounding_is_not_free_of_scale(self, seed):
        """A doubled return is not a doubled year, and a drawdown of twice the size is not twice as deep."""
        sample = returns(seed, mean=0.002)

        assert not isclose(s.annualized_return(2 * sample), 2 * s.annualized_return(sample), rel_tol=1e-3)
        assert not isclose(s.max_drawdown(2 * sample), 2 * s.max_drawdown(sample), rel_tol=1e-6)

    @FEW
    @given(SEEDS, st.floats(0.0005, 0.01))
    def test_a_threshold_is_not_free_of_scale(self, seed, threshold):
        sample = returns(seed)

        plain = s.downside_sensitivity_ratio(sample, threshold=threshold)
        assert s.downside_sensitivity_ratio(2 * sample, threshold=2 * threshold).ratio == pytest.approx(plain.ratio)
        assert s.downside_sensitivity_ratio(2 * sample, threshold=threshold).ratio < plain.ratio

    @FEW
    @given(SEEDS, st.integers(-200, 200), st.booleans())
    def test_data_snooping_does_not_know_the_unit_of_the_losses(self, seed, power, studentize):
        rng = np.random.default_rng(seed)
        benchmark, models = rng.normal(0, 1, 60), rng.normal(0, 1, (60, 4))
        settings_ = {"block": 3, "repetitions": 40, "seed": 1, "studentize": studentize}

        one = s.superior_predictive_ability(benchmark, models, **settings_)
        other = s.superior_predictive_ability(np.ldexp(benchmark, power), np.ldexp(models, power), **settings_)

        assert (one.lower, one.consistent, one.upper) == (other.lower, other.consistent, other.upper)
        assert other.statistic == pytest.approx(one.statistic if studentize else np.ldexp(one.statistic, power))

    @FEW
    @given(SEEDS)
    def test_studentising_takes_out_each_models_own_scale(self, seed):
        """d_k times c_k: the studentised test sees no difference, White's does."""
        rng = np.random.default_rng(seed)
        d, scale = rng.normal(0.1, 1, (60, 4)), 4.0 ** rng.integers(-3, 4, 4)
        assume(np.unique(scale).size > 1)
        still, how = np.zeros(60), {"block": 3, "repetitions": 60, "seed": 1}

        one, other = (s.superior_predictive_ability(still, -x, **how) for x in (d, d * scale))

        assert (one.lower, one.consistent, one.upper) == (other.lower, other.consistent, other.upper)
        white = s.reality_check(still, -d, **how)
        d[:, white.best_model] *= 4
        assert s.reality_check(still, -d, **how).statistic != white.statistic


class TestOrder:
    @FEW
    @given(SEEDS, st.permutations(range(5)))
    def test_the_order_of_models_is_only_a_name(self, seed, order):
        rng = np.random.default_rng(seed)
        benchmark, models = rng.normal(0, 1, 60), rng.normal(0, 1, (60, 5))
        how = {"block": 3, "repetitions": 40, "seed": 1}

        one, other = (s.reality_check(benchmark, m, **how) for m in (models, models[:, order]))

        assert one.p_value == other.p_value
        assert order[other.best_model] == one.best_model

    @FEW
    @given(SEEDS)
    def test_time_order_does_not_matter_to_what_only_counts(self, seed):
        a, b = returns(seed), returns(seed + 1)
        order = np.random.default_rng(seed).permutation(a.size)

        days = np.arange(a.size) // 3
        moved = s.symmetric_prediction_accuracy(a[order], b[order], dates=days[order])
        assert moved.score == pytest.approx(s.symmetric_prediction_accuracy(a, b, dates=days).score)
        for figure in (s.sharpe_ratio, s.hit_rate, s.win_loss_ratio, s.annualized_return):
            assert figure(a[order]) == pytest.approx(figure(a))
        plain = s.sharpe_standard_error(a, method="iid")
        assert s.sharpe_standard_error(a[order], method="iid") == pytest.approx(plain)
        assert s.value_at_risk(a[order]).value == s.value_at_risk(a).value
        assert s.downside_sensitivity_ratio(a[order]).ratio == pytest.approx(s.downside_sensitivity_ratio(a).ratio)
        for distance in (s.population_stability_index, s.kolmogorov_smirnov, s.jensen_shannon):
            assert distance(a[order], b) == distance(a, b)

    @FEW
    @given(SEEDS)
    def test_time_turned_round_does_not_matter_to_what_looks_at_neighbours(self, seed):
        """Lags have no direction, and blocks turn with the record."""
        a, b = returns(seed), returns(seed + 1)

        assert s.sharpe_error(a[::-1], method="hac").standard_error == pytest.approx(
            s.sharpe_error(a, method="hac").standard_error
        )
        assert s.sharpe_difference_test(a[::-1], b[::-1]).p_value == pytest.approx(
            s.sharpe_difference_test(a, b).p_value
        )
        family = np.column_stack([a, b, returns(seed + 2)])
        forwards, backwards = (s.probability_of_backtest_overfitting(f, partitions=6) for f in (family, family[::-1]))
        assert sorted(forwards.logits) == pytest.approx(sorted(backwards.logits))
        assert forwards.pbo == backwards.pbo

    @FEW
    @given(SEEDS)
    def test_time_order_does_matter_to_what_looks_at_neighbours(self, seed):
        hits = np.repeat([True, False], [15, 285])
        mixed = np.random.default_rng(seed).permutation(hits)

        assert s.christoffersen(mixed).unconditional == s.christoffersen(hits).unconditional
        assert s.christoffersen(mixed).independence.p_value > s.christoffersen(hits).independence.p_value

    @FEW
    @given(SEEDS)
    def test_blocks_may_be_shuffled_inside_and_among_themselves(self, seed):
        """CSCV looks at blocks as sets: the logits come in another order, and are the same."""
        rng = np.random.default_rng(seed)
        family = rng.normal(0, 0.01, (60, 4))
        blocks = [rng.permutation(block) for block in np.split(family, 6)]
        shuffled = np.concatenate([blocks[place] for place in rng.permutation(6)])

        one, other = (s.probability_of_backtest_overfitting(f, partitions=6) for f in (family, shuffled))

        assert sorted(one.logits) == pytest.approx(sorted(other.logits))
        assert (one.pbo, one.pbo_strict) == (other.pbo, other.pbo_strict)


class TestThreads:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_the_number_of_threads_changes_no_bit(self, threads):
        rng = np.random.default_rng(1)
        family, benchmark = rng.normal(0, 0.01, (200, 37)), rng.normal(0, 0.01, 200)
        most = numba.config.NUMBA_NUM_THREADS

        def figures():
            yield s.probability_of_backtest_overfitting(family, partitions=10)
            yield s.superior_predictive_ability(benchmark, family, block=4, repetitions=300, seed=1)
            yield s.reality_check(benchmark, family, block=4, repetitions=300, seed=1)
            yield s.sharpe_difference_test(family[:, 0], benchmark, method="bootstrap", repetitions=99)

        expected = list(figures())
        numba.set_num_threads(min(threads, most))
        try:
            for one, other in zip(expected, figures(), strict=True):
                same(one, other)
        finally:
            numba.set_num_threads(most)

    def test_a_seed_is_a_promise_and_another_seed_is_another_draw(self):
        a, b = returns(1), returns(2)[:, None]
        one, again, other = (s.reality_check(a, b, block=4, repetitions=999, seed=seed).p_value for seed in (7, 7, 8))

        assert one == again != other


class TestDirection:
    @FEW
    @given(st.integers(100, 1000), st.sampled_from([0.9, 0.95, 0.99]))
    def test_the_further_the_count_from_its_expectation_the_larger_the_ratio(self, n, level):
        ratios = [s.kupiec(x, n, level=level).statistic for x in range(n + 1)]
        middle = int((1 - level) * n)

        assert (np.diff(ratios[middle + 1 :]) > 0).all()
        assert (np.diff(ratios[: middle + 1]) < 0).all()

    @FEW
    @given(st.floats(-0.2, 0.4), st.floats(0.001, 0.2), st.integers(20, 3000))
    def test_a_higher_ratio_is_more_probable_above_a_benchmark_that_it_beats(self, sharpe, step, n):
        """For normal returns at every ratio: z = (SR − SR₀)/√(1 + SR²/2) rises as long as SR·SR₀ > −2."""
        low, high = (
            s.probabilistic_sharpe_ratio(sharpe_per_period=x, n=n, benchmark=0.05) for x in (sharpe, sharpe + step)
        )

        assert low <= high

    @FEW
    @given(st.floats(0.06, 0.4), st.integers(20, 3000), st.integers(1, 500))
    def test_a_longer_record_makes_a_ratio_above_its_benchmark_more_probable(self, sharpe, n, more):
        shorter, longer = (
            s.probabilistic_sharpe_ratio(sharpe_per_period=sharpe, n=size, benchmark=0.05) for size in (n, n + more)
        )

        assert shorter <= longer

    @FEW
    @given(st.floats(-3, 0), st.floats(0.01, 2), st.floats(0.01, 0.3))
    def test_worse_tails_make_a_positive_ratio_less_probable(self, skew, worse, sharpe):
        kurtosis = 12 + 3 * (skew - worse) ** 2
        kinder, harsher = (
            s.probabilistic_sharpe_ratio(sharpe, 250, skew=g, kurtosis=k)
            for g, k in ((skew, kurtosis), (skew - worse, kurtosis + 1))
        )

        assert harsher <= kinder

    @FEW
    @given(st.integers(2, 5000), st.integers(1, 5000), st.floats(1e-6, 0.1), st.floats(-0.1, 0.4))
    def test_more_trials_or_more_spread_among_them_deflate_more(self, trials, more, variance, sharpe):
        def deflated(count, spread):
            return s.deflated_sharpe_ratio(
                sharpe_per_period=sharpe, n=500, skew=0, kurtosis=3, trials=count, trial_variance_per_period=spread
            )

        base = deflated(trials, variance)
        assert deflated(trials + more, variance).threshold > base.threshold
        assert deflated(trials + more, variance).probability <= base.probability
        # For two or three trials the approximation is above zero too, so more spread always raises the bar.
        assert deflated(trials, 2 * variance).threshold == pytest.approx(np.sqrt(2) * base.threshold)
        assert deflated(trials, 2 * variance).probability <= base.probability

    def test_the_expected_best_of_any_number_rises_without_end(self):
        found = [expected_maximum_sharpe(n, 1.0) for n in range(2, 400)]

        assert found[0] > 0
        assert (np.diff(found) > 0).all()
        assert expected_maximum_sharpe(10**300, 1.0) > 35

    @FEW
    @given(st.integers(1, 400), st.data())
    def test_one_more_hit_raises_the_bound_and_one_more_miss_lowers_it(self, n, data):
        hits = data.draw(st.integers(0, n))

        bound = wilson_bound(hits / n, n)
        assert wilson_bound((hits + 1) / (n + 1), n + 1) > bound
        assert wilson_bound(hits / (n + 1), n + 1) <= bound
        assert 0 <= bound <= hits / n

    @FEW
    @given(SEEDS, st.floats(0.001, 0.5))
    def test_a_model_that_is_worse_everywhere_changes_no_statistic(self, seed, penalty):
        """T is a maximum, so a column below another in every period never holds it; the p-value may move either way,
        for the new column has resamples of its own, but White's cannot fall: its maximum runs over more columns."""
        rng = np.random.default_rng(seed)
        benchmark, models = rng.normal(0, 1, 60), rng.normal(0, 1, (60, 3))
        worse = np.column_stack([models, models[:, 0] + penalty + np.abs(rng.normal(0, 0.5, 60))])
        how = {"block": 3, "repetitions": 60, "seed": 1}

        assert s.reality_check(benchmark, worse, **how).statistic == s.reality_check(benchmark, models, **how).statistic
        assert s.reality_check(benchmark, worse, **how).p_value >= s.reality_check(benchmark, models, **how).p_value

    @FEW
    @given(SEEDS, st.floats(0.0, 1.0))
    def test_adding_any_model_cannot_lower_the_studentised_upper_p_value_unless_it_is_the_best(self, seed, edge):
        rng = np.random.default_rng(seed)
        benchmark, models = rng.normal(0, 1, 60), rng.normal(0, 1, (60, 4))
        models[:, 3] -= edge
        how = {"block": 3, "repetitions": 60, "seed": 1}
        few, many = (s.superior_predictive_ability(benchmark, m, **how) for m in (models[:, :3], models))

        assert many.statistic >= few.statistic
        if many.statistic == few.statistic:
            assert many.upper >= few.upper
            assert many.lower >= few.lower

    @FEW
    @given(SEEDS)
    def test_a_model_far_below_the_benchmark_moves_whites_p_value_and_not_hansens(self, seed):
        rng = np.random.default_rng(seed)
        benchmark, models = rng.normal(0, 1, 80), rng.normal(0, 1, (80, 3))
        models[:, 0] -= 0.2
        hopeless = np.column_stack([models, rng.normal(9, 3, 80)])
        how = {"block": 3, "repetitions": 60, "seed": 1}

        few, many = (s.superior_predictive_ability(benchmark, m, **how) for m in (models, hopeless))

        assert (few.lower, few.consistent) == (many.lower, many.consistent)
        assert s.reality_check(benchmark, hopeless, **how).p_value >= s.reality_check(benchmark, models, **how).p_value

    @FEW
    @given(SEEDS, st.floats(0.0001, 0.02))
    def test_a_lower_return_lowers_what_is_better_high(self, seed, loss):
        sample = returns(seed)
        worse = sample - loss

        assert s.annualized_return(worse) < s.annualized_return(sample)
        assert s.max_drawdown(worse) <= s.max_drawdown(sample)
        assert s.hit_rate(worse) <= s.hit_rate(sample)
        assert s.downside_sensitivity_ratio(worse).ratio > s.downside_sensitivity_ratio(sample).ratio
        for method in ("historical", "parametric"):
            assert s.value_at_risk(worse, method=method).value == pytest.approx(
                s.value_at_risk(sample, method=method).value - loss
            )
        assert s.sharpe_ratio(worse) < s.sharpe_ratio(sample)

    @FEW
    @given(st.lists(NUMBERS, min_size=100, max_size=160), st.floats(0.5, 0.98), st.floats(0.001, 0.01))
    def test_the_tail_lies_beyond_the_quantile_and_the_quantile_falls_with_the_level(self, values, level, step):
        assume(np.ptp(values) > 1e-6)
        risk, tail = s.value_at_risk(values, level=level).value, s.conditional_value_at_risk(values, level=level)
        assert tail.value <= risk + 1e-12 * abs(risk)  # a mean of equal returns may end on another bit
        assert s.value_at_risk(values, level=level + step).value <= risk
        assert tail.exceedances > (1 - level) * (len(values) - 1) - 1e-6

    @FEW
    @given(SEEDS, st.floats(0.5, 0.98))
    def test_more_confidence_is_a_wider_sequence_that_contains_the_narrower(self, seed, confidence):
        a, b = returns(seed, 120), returns(seed + 1, 120)
        wide, narrow = (s.mean_difference_sequence(a, b, confidence=c) for c in (confidence + 0.01, confidence))

        assert (wide.lower_path < narrow.lower_path).all()
        assert (wide.upper_path > narrow.upper_path).all()
        assert (narrow.lower_path < narrow.estimates).all()

    @FEW
    @given(SEEDS, st.floats(0.01, 3))
    def test_distances_keep_to_their_range_and_grow_with_the_shift(self, seed, shift):
        before, after = np.random.default_rng(seed).normal(0, 1, (2, 400))

        for distance, most in ((s.kolmogorov_smirnov, 1), (s.jensen_shannon, 1), (s.population_stability_index, 99)):
            assert 0 <= distance(before, after).value <= distance(before, before + 50).value <= most
        near, far = (s.kolmogorov_smirnov(before, before + x).value for x in (shift, 2 * shift))
        assert near <= far

    @FEW
    @given(SEEDS)
    def test_turning_a_and_b_round_turns_every_sign(self, seed):
        a, b = returns(seed), returns(seed + 1)
        one, other = s.sharpe_difference_test(a, b), s.sharpe_difference_test(b, a)

        assert (one.difference, one.statistic, one.p_value) == (-other.difference, -other.statistic, other.p_value)
        up, down = s.mean_difference_sequence(a, b), s.mean_difference_sequence(b, a)
        assert np.array_equal(up.lower_path, -down.upper_path)
        assert up.first_above == down.first_below
