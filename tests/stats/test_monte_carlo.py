"""Size, power and coverage by simulation, with fixed seeds and the sampling error of the rate in every assertion.

A rate over R runs is held against its nominal or exact value within ERRORS binomial standard errors, so that a correct
statistic fails by bad luck less than once in ten thousand seeds, and a wrong one is not excused by a wide margin.
"""

from math import sqrt

import numpy as np
import pytest
from scipy import stats as reference

from signoff.stats.association import pearson_correlation
from signoff.stats.bootstrap import reality_check, superior_predictive_ability
from signoff.stats.comparison import sharpe_difference_test
from signoff.stats.coverage import christoffersen, kupiec
from signoff.stats.deflated import deflated_sharpe_ratio
from signoff.stats.drift import jensen_shannon, kolmogorov_smirnov, population_stability_index
from signoff.stats.overfitting import probability_of_backtest_overfitting
from signoff.stats.sequential import mean_difference_sequence
from signoff.stats.sharpe import sharpe_error
from signoff.stats.symmetry import pesaran_timmermann, symmetric_prediction_accuracy

ERRORS = 4
LEVEL = 0.05


def rate(flags):
    found = np.asarray(list(flags), dtype=float)
    return float(found.mean()), found.size


def margin(probability, runs):
    return ERRORS * sqrt(probability * (1 - probability) / runs)


def assert_rate(flags, expected):
    found, runs = rate(flags)
    assert found == pytest.approx(expected, abs=margin(expected, runs))


def assert_at_most(flags, limit):
    found, runs = rate(flags)
    assert found <= limit + margin(limit, runs)


def assert_above(flags, limit):
    found, runs = rate(flags)
    assert found - margin(found, runs) > limit


class TestBacktestOverfitting:
    def test_the_mean_over_families_of_noise_is_near_one_half(self):
        """Rank in sample says nothing about rank out of sample, but for what a finite record leaves in both halves.

        Halves of one record are not independent: what one half has above the mean of the whole the other has below,
        so the best tends to be below the middle and the mean lies above one half, by less than a fifth here.
        """
        found = [
            probability_of_backtest_overfitting(
                np.random.default_rng(seed).normal(0, 0.01, (400, 21)), partitions=10
            ).pbo
            for seed in range(150)
        ]
        error = ERRORS * np.std(found) / sqrt(len(found))

        assert 0.5 - error < np.mean(found) < 0.6 + error

    def test_a_single_split_of_noise_has_a_uniform_rank(self):
        """With S = 2 the halves of one family are disjoint, so the rank of the chosen is uniform on 1 to N."""
        ranks = np.concatenate(
            [
                np.exp(logits) / (1 + np.exp(logits)) * 10
                for seed in range(1500)
                for logits in [
                    probability_of_backtest_overfitting(
                        np.random.default_rng(seed).normal(0, 0.01, (60, 9)), partitions=2
                    ).logits[:1]
                ]
            ]
        )
        counts = np.bincount(ranks.round().astype(int), minlength=10)[1:]

        assert reference.chisquare(counts).pvalue > 1e-4

    def test_skill_that_lasts_is_found_and_skill_that_turns_is_called_overfitting(self):
        lasting, turning = [], []
        for seed in range(40):
            trials = np.random.default_rng(seed).normal(0, 0.01, (400, 20))
            trials[:, 3] += 0.005
            lasting.append(probability_of_backtest_overfitting(trials, partitions=8).pbo)
            turns = np.where(np.arange(400) < 200, 0.004, -0.004)[:, np.newaxis]
            trials += np.hstack([np.repeat(turns, 10, axis=1), np.repeat(-turns, 10, axis=1)])
            turning.append(probability_of_backtest_overfitting(trials, partitions=2).pbo)

        assert max(lasting) < 0.1
        assert min(turning) == 1


class TestDataSnooping:
    """Least favourable null: every model is exactly as good as the benchmark."""

    RUNS = 1000

    @staticmethod
    def losses(seed, n=120, models=5, persistence=0.0):
        rng = np.random.default_rng(seed)
        shocks = rng.normal(0, 1, (n + 30, models + 1))
        for row in range(1, n + 30):
            shocks[row] += persistence * shocks[row - 1]
        return shocks[30:, 0], shocks[30:, 1:]

    @pytest.fixture(scope="class")
    @classmethod
    def under_the_null(cls):
        return [
            (
                superior_predictive_ability(*cls.losses(seed), block=2, repetitions=199, seed=seed),
                reality_check(*cls.losses(seed), block=2, repetitions=199, seed=seed),
            )
            for seed in range(cls.RUNS)
        ]

    @pytest.mark.parametrize("name", ["lower", "consistent", "upper"])
    @pytest.mark.parametrize("level", [0.05, 0.2])
    def test_the_size_of_hansens_test(self, under_the_null, name, level):
        """`lower` recentres by what luck gave, so it may reject more often than the level; never by half as much."""
        slack = {"lower": 0.5, "consistent": 0.25, "upper": 0.15}[name]

        assert_at_most((getattr(hansen, name) <= level for hansen, _ in under_the_null), level * (1 + slack))

    @pytest.mark.parametrize("level", [0.05, 0.2])
    def test_the_size_of_whites_test(self, under_the_null, level):
        assert_at_most((white.p_value <= level for _, white in under_the_null), level * 1.15)
        assert_above((white.p_value <= level for _, white in under_the_null), level / 4)

    def test_the_three_p_values_keep_their_order(self, under_the_null):
        assert all(hansen.lower <= hansen.consistent <= hansen.upper for hansen, _ in under_the_null)

    def test_longer_blocks_keep_the_size_under_persistence_and_blocks_of_one_do_not(self):
        long, short = (
            [
                superior_predictive_ability(
                    *self.losses(seed, n=200, models=3, persistence=0.6), block=block, repetitions=99, seed=seed
                ).consistent
                <= LEVEL
                for seed in range(300)
            ]
            for block in (10, 1)
        )

        assert_at_most(long, 2 * LEVEL)
        assert_above(short, 2 * LEVEL)

    def test_hansens_test_finds_an_edge_that_poor_models_hide_from_white(self):
        """The reason for Hansen's test: White's least favourable null counts models nobody would choose."""
        hansen, white = [], []
        for seed in range(150):
            benchmark, models = self.losses(seed, models=20)
            models[:, 0] -= 0.45
            models[:, 1:] = 3 * models[:, 1:] + 2
            hansen.append(
                superior_predictive_ability(benchmark, models, block=2, repetitions=199, seed=seed).consistent <= LEVEL
            )
            white.append(reality_check(benchmark, models, block=2, repetitions=199, seed=seed).p_value <= LEVEL)

        assert_above(hansen, 0.75)
        assert np.mean(hansen) > np.mean(white) + 0.3


class TestCoverage:
    @pytest.mark.parametrize(("n", "level"), [(250, 0.95), (250, 0.99), (1000, 0.95), (510, 0.9)])
    def test_kupiecs_rejection_rate_is_the_binomial_mass_of_its_region(self, n, level):
        """Counts are whole, so the size is not 5% but what the region holds: more than 9% for 250 forecasts at 99%."""
        counts = np.arange(n + 1)
        ratio = 2 * (reference.binom.logpmf(counts, n, counts / n) - reference.binom.logpmf(counts, n, 1 - level))
        exact = float(reference.binom.pmf(counts, n, 1 - level)[ratio > reference.chi2.isf(LEVEL, 1)].sum())
        drawn, times = np.unique(np.random.default_rng(n).binomial(n, 1 - level, 40_000), return_counts=True)
        rejected = [kupiec(int(x), n, level=level).p_value < LEVEL for x in drawn]

        assert_rate(np.repeat(rejected, times), exact)
        assert exact > 0.09 if level == 0.99 else 0.045 < exact < 0.06

    def test_christoffersens_rates_are_those_of_the_chain_likelihoods(self):
        """With a hundred exceptions expected the asymptotic sizes hold; with few, LRind cannot reach its own."""
        rng = np.random.default_rng(2)
        drawn = [christoffersen(rng.random(1000) < 0.1, level=0.9) for _ in range(2500)]

        for name in ("unconditional", "independence", "conditional"):
            assert_rate((getattr(result, name).p_value < LEVEL for result in drawn), LEVEL)

    def test_clusters_are_found_and_the_right_number_of_them_is_not_rejected(self):
        rng = np.random.default_rng(3)
        clustered = []
        for _ in range(300):
            hits = np.zeros(1000, dtype=bool)
            for row in range(1, 1000):
                hits[row] = rng.random() < (0.5 if hits[row - 1] else 0.05 * 0.5 / 0.95)
            clustered.append(christoffersen(hits))

        assert_above((result.independence.p_value < LEVEL for result in clustered), 0.95)


class TestSharpe:
    @pytest.mark.parametrize("method", ["iid", "hac"])
    def test_the_interval_covers_the_true_ratio_of_normal_returns(self, method):
        rng = np.random.default_rng(4)
        truth = 0.08
        errors = [sharpe_error(0.01 * rng.normal(truth, 1, 500), method=method) for _ in range(1500)]
        missed = (abs(e.sharpe - truth) > 1.96 * e.standard_error for e in errors)

        assert_rate(missed, 0.05 if method == "iid" else 0.054)

    def test_skewed_returns_need_the_hac_error(self):
        """A short-option seller: independent errors are too small where losses are rare and large."""
        rng = np.random.default_rng(5)
        raw = (1.05 - rng.exponential(1, (1200, 600))) / 100  # mean 0.05%, deviation 1%, skew −2, kurtosis 9
        plain, robust = (
            [abs(e.sharpe - 0.05) > 1.96 * e.standard_error for e in (sharpe_error(r, method=m) for r in raw)]
            for m in ("iid", "hac")
        )

        # T var = 1 − γ₃SR + (γ₄ − 1)SR²/4 = 1.105 against 1.00125: the iid interval misses 6.2 of 100 times.
        assert_rate(plain, 2 * reference.norm.sf(1.96 * sqrt(1.00125 / 1.105)))
        assert_at_most(robust, 0.06)

    @pytest.mark.parametrize(("persistence", "tails"), [(0.0, 4), (0.3, 6)])
    def test_the_difference_test_keeps_its_size_under_tails_and_persistence(self, persistence, tails):
        """The HAC form rejects somewhat too often in short records, as Ledoit and Wolf report of it."""
        rng = np.random.default_rng(6)
        hac, boot = [], []
        for seed in range(1000):
            shocks = rng.standard_t(tails, (280, 3))
            for row in range(1, 280):
                shocks[row] += persistence * shocks[row - 1]
            market, own, other = shocks[40:].T / 1000
            a, b = market + own, 2 * (market + other)  # equal ratios, unequal volatility
            hac.append(sharpe_difference_test(a, b).p_value < LEVEL)
            if seed < 200:
                boot.append(
                    sharpe_difference_test(a, b, method="bootstrap", block=6, repetitions=99, seed=seed).p_value
                    <= LEVEL
                )

        assert_at_most(hac, 0.075)
        assert_above(hac, 0.005)
        assert_at_most(boot, 0.06)

    def test_the_difference_test_finds_a_difference(self):
        rng = np.random.default_rng(7)
        found = []
        for _ in range(300):
            market, own, other = rng.normal(0, 0.01, (3, 500))
            found.append(sharpe_difference_test(market + own + 0.0025, market + other).p_value < LEVEL)

        # Δ = 0.177 and T var ≈ 2 − 2ρ = 1 for ρ = ½: power Φ(0.177 √500 − 1.96) = 0.977.
        assert_above(found, 0.9)

    def test_the_best_of_n_worthless_trials_is_deflated_to_its_size(self):
        """The best of N is compared with its own expectation, so it beats 95% about one time in twenty, not in two."""
        rng = np.random.default_rng(8)
        n, trials, runs = 500, 20, 1500
        deflated, naive = [], []
        for _ in range(runs):
            family = rng.normal(0, 0.01, (n, trials))
            ratios = family.mean(axis=0) / family.std(axis=0, ddof=1)
            best = family[:, int(np.argmax(ratios))]
            z = (best - best.mean()) / best.std()
            moments = {"skew": float((z**3).mean()), "kurtosis": float((z**4).mean())}
            result = deflated_sharpe_ratio(
                float(ratios.max()), n, trials=trials, trial_sharpe_variance=float(ratios.var(ddof=1)), **moments
            )
            deflated.append(result.probability > 0.95)
            naive.append(ratios.max() * sqrt(n) > 1.645)

        assert_at_most(deflated, LEVEL)
        assert_rate(naive, 1 - 0.95**trials)


class TestSymmetry:
    @pytest.mark.parametrize(("said", "came"), [(0.5, 0.5), (0.7, 0.55), (0.85, 0.3)])
    def test_independent_directions_are_rejected_at_the_level(self, said, came):
        rng = np.random.default_rng(9)
        drawn = [pesaran_timmermann(rng.random(600) < said, rng.random(600) < came) for _ in range(3000)]

        assert_rate((value is not None and value > 1.6449 for value in drawn), LEVEL)

    def test_a_symmetric_coin_passes_45_percent_as_the_module_says(self):
        """It tests symmetry: with enough rows a coin scores close to one half, with few it does not."""
        rng = np.random.default_rng(10)

        def passes(n):
            return (symmetric_prediction_accuracy(*rng.normal(0, 1, (2, n))).score >= 0.45 for _ in range(400))

        few, many = rate(passes(100))[0], rate(passes(4000))[0]

        assert few < 0.2
        assert many > 0.95


class TestCorrelation:
    @pytest.mark.parametrize("truth", [0.0, 0.6])
    def test_fishers_interval_covers_the_correlation_of_normal_pairs(self, truth):
        rng = np.random.default_rng(16)
        found = []
        for _ in range(2000):
            x, y = rng.normal(0, 1, (2, 60))
            found.append(pearson_correlation(x, truth * x + sqrt(1 - truth**2) * y))

        assert_rate((not r.low <= truth <= r.high for r in found), LEVEL)


class TestConfidenceSequence:
    @staticmethod
    def ever_wrong(samples, **settings):
        still = np.zeros(samples.shape[1])
        results = (mean_difference_sequence(row, still, **settings) for row in samples)
        return [r.first_above is not None or r.first_below is not None for r in results]

    @pytest.mark.parametrize("confidence", [0.9, 0.95])
    @pytest.mark.parametrize("draw", ["normal", "heavy", "skewed"])
    def test_looking_every_day_errs_no_more_often_than_promised(self, draw, confidence):
        rng = np.random.default_rng(11)
        samples = {
            "normal": lambda shape: rng.normal(0, 1, shape),
            "heavy": lambda shape: rng.standard_t(4, shape),
            "skewed": lambda shape: 4 - rng.gamma(4, 1, shape),  # skewness −1
        }[draw]((1200, 500))

        assert_at_most(self.ever_wrong(samples, confidence=confidence), 1 - confidence)

    def test_the_differences_of_a_short_option_seller_err_as_often_as_the_docstring_says(self):
        """It is asymptotic: skewness −2 makes the first weeks err six times in a hundred, and later ones seldom."""
        samples = 1 - np.random.default_rng(12).exponential(1, (1500, 500))

        assert_at_most(self.ever_wrong(samples), 0.06)
        assert_at_most(self.ever_wrong(samples, minimum=60), 0.05)
        assert_above(self.ever_wrong(samples, dependence="independent"), 0.05)

    def test_a_candidate_that_is_better_is_found_in_time(self):
        """An edge of a quarter of a deviation a day is past the boundary on most days 250 and after."""
        rng = np.random.default_rng(12)
        results = [mean_difference_sequence(rng.normal(0.25, 1, 250), np.zeros(250)) for _ in range(300)]

        assert_above((r.first_above is not None for r in results), 0.6)
        assert_at_most((r.first_below is not None for r in results), 0.025)


class TestDrift:
    @pytest.mark.parametrize("figure", [kolmogorov_smirnov, population_stability_index, jensen_shannon])
    def test_no_drift_is_an_alarm_one_time_in_twenty_at_most(self, figure):
        """Sixty-four bins of a dozen reference values each make the divergence's p-value cautious."""
        rng = np.random.default_rng(13)
        alarms = [figure(rng.standard_t(3, 800), rng.standard_t(3, 400)).p_value < LEVEL for _ in range(1200)]

        assert_at_most(alarms, LEVEL)
        assert_above(alarms, 0.0 if figure is jensen_shannon else 0.01)

    def test_the_usual_alarm_of_the_index_is_rare_without_drift(self):
        """0.2 is read as a shift: 200 current values against many exceed it about never, but 0.1 one time in eighty."""
        rng = np.random.default_rng(14)
        reference_sample = rng.normal(0, 1, 20_000)
        values = [population_stability_index(reference_sample, rng.normal(0, 1, 200)).value for _ in range(1500)]

        assert_at_most((v > 0.2 for v in values), 1e-4)
        # Without drift 200 × PSI is about χ² with 9 degrees of freedom.
        assert_at_most((v > 0.1 for v in values), 1.5 * reference.chi2.sf(0.1 * 200, 9))

    def test_half_a_deviation_is_found(self):
        rng = np.random.default_rng(15)
        for figure in (kolmogorov_smirnov, population_stability_index, jensen_shannon):
            found = [figure(rng.normal(0, 1, 600), rng.normal(0.5, 1, 400)).p_value < 0.01 for _ in range(100)]
            assert_above(found, 0.8)
