"""Every statistic derived again from its paper, by loops, exact arithmetic, integration or enumeration.

Nothing here shares a line with the implementation but its input. What has a derivation beside its own tests (the
bootstrap row by row, the filtered value at risk) is not repeated.
"""

import itertools
from decimal import Decimal
from fractions import Fraction
from math import comb, erf, exp, fsum, log, pi, prod, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize
from scipy import stats as reference

from signoff.stats.bootstrap import reality_check, superior_predictive_ability
from signoff.stats.comparison import sharpe_difference_test
from signoff.stats.coverage import christoffersen, kupiec
from signoff.stats.deflated import expected_maximum_sharpe, probabilistic_sharpe_ratio
from signoff.stats.downside import downside_sensitivity_ratio
from signoff.stats.drift import jensen_shannon, kolmogorov_smirnov, population_stability_index
from signoff.stats.errors import InsufficientData
from signoff.stats.long_run import automatic_lags, long_run_covariance
from signoff.stats.overfitting import probability_of_backtest_overfitting
from signoff.stats.performance import annualized_return, max_drawdown, sharpe_ratio
from signoff.stats.sequential import mean_difference_sequence
from signoff.stats.sharpe import influence, sharpe_error
from signoff.stats.symmetry import pesaran_timmermann, symmetric_prediction_accuracy
from signoff.stats.value_at_risk import conditional_value_at_risk, value_at_risk
from signoff.stats.walk_forward import walk_forward_consistency


class TestCrossValidation:
    """In rational arithmetic, where a tie is a tie."""

    @staticmethod
    def key(values):
        """SR |SR| up to one factor: ratios order as it does, and it has no square root."""
        total = sum(values)
        spread = sum(Fraction(value) ** 2 for value in values) - Fraction(total) ** 2 / len(values)
        return Fraction(total * abs(total)) / spread if spread else Fraction(0)

    @classmethod
    def ranks(cls, rows, partitions):
        """Twice each split's out-of-sample rank, and whether it is shared."""
        size = len(rows) // partitions
        blocks = [rows[at * size : (at + 1) * size] for at in range(partitions)]
        for chosen in itertools.combinations(range(partitions), partitions // 2):
            within = [row for block in chosen for row in blocks[block]]
            beyond = [row for block in range(partitions) if block not in chosen for row in blocks[block]]
            inside, outside = ([cls.key(column) for column in zip(*part, strict=True)] for part in (within, beyond))
            mine = outside[inside.index(max(inside))]
            below, equal = sum(other < mine for other in outside), outside.count(mine)
            yield 2 * below + equal + 1, equal > 1

    @settings(max_examples=150, deadline=None)
    @given(
        st.integers(0, 2**32), st.sampled_from([(2, 5), (4, 4), (6, 3), (6, 5)]), st.integers(2, 6), st.integers(0, 3)
    )
    def test_ties_and_all(self, seed, shape, columns, largest):
        """Small whole returns: many ratios are equal, and many are zero."""
        partitions, size = shape
        rows = np.random.default_rng(seed).integers(-largest - 1, largest + 2, (partitions * size, columns))
        try:
            result = probability_of_backtest_overfitting(rows / 8, partitions=partitions)
        except InsufficientData:
            assume(False)
        doubled, shared = zip(*self.ranks(rows.tolist(), partitions), strict=True)

        assert result.pbo == np.mean([rank <= columns + 1 for rank in doubled])
        assert result.pbo_strict == np.mean([rank < columns + 1 for rank in doubled])
        assert result.ties == sum(shared)
        assert result.logits == pytest.approx([log(rank / (2 * (columns + 1) - rank)) for rank in doubled])

    def test_sixteen_blocks_on_a_sample_of_the_splits(self):
        trials = np.random.default_rng(16).normal(0, 0.01, (163, 9))
        result = probability_of_backtest_overfitting(trials)
        blocks = np.split(trials[3:], 16)
        splits = list(itertools.combinations(range(16), 8))
        for place in np.random.default_rng(0).choice(len(splits), 200, replace=False):
            within = np.concatenate([blocks[block] for block in splits[place]])
            beyond = np.concatenate([blocks[block] for block in range(16) if block not in splits[place]])
            best = int(np.argmax(within.mean(axis=0) / within.std(axis=0, ddof=1)))
            ratios = beyond.mean(axis=0) / beyond.std(axis=0, ddof=1)
            rank = reference.rankdata(ratios)[best]

            assert result.logits[place] == pytest.approx(log(rank / (10 - rank)))
            assert result.out_of_sample_sharpe[place] == pytest.approx(ratios[best])

    def test_two_columns_are_a_comparison_that_needs_no_ranks(self):
        """With N = 2 the split is overfit exactly where the order of the two ratios turns over."""
        trials = np.random.default_rng(3).normal(0, 0.01, (60, 2))
        halves = [
            [part.mean(axis=0) / part.std(axis=0, ddof=1) for part in (trials[rows], np.delete(trials, rows, axis=0))]
            for chosen in itertools.combinations(range(6), 3)
            for rows in [np.concatenate([np.arange(10 * block, 10 * block + 10) for block in chosen])]
        ]

        assert probability_of_backtest_overfitting(trials, partitions=6).pbo == np.mean(
            [(one[0] - one[1]) * (other[0] - other[1]) < 0 for one, other in halves]
        )


class TestBootstrap:
    """By a generator of its own, row by row, and exactly where the resampled mean is a binomial count."""

    @staticmethod
    def rows(n, block, rng):
        """Politis and Romano (1994): go on to the next row, or with probability 1/block to any."""
        row = rng.integers(n)
        for _ in range(n):
            yield row
            row = rng.integers(n) if rng.random() < 1 / block else (row + 1) % n

    @pytest.mark.parametrize("studentize", [True, False])
    def test_an_independent_generator_agrees_within_monte_carlo_error(self, studentize):
        rng = np.random.default_rng(1)
        benchmark, models = rng.normal(0, 1, 60), rng.normal(0, 1, (60, 4))
        models[:, 0] -= 0.25
        models[:, 3] += 1.5
        d = benchmark[:, None] - models
        draws = np.array([d[list(self.rows(60, 4, rng))].mean(axis=0) for _ in range(4000)])
        scale = np.sqrt(60) * draws.std(axis=0)  # the variance that the bootstrap gives the mean is what ω² is
        mean, weight = d.mean(axis=0), np.sqrt(60) / (scale if studentize else 1.0)
        statistic = max(0.0, (weight * mean).max())
        hopeless = np.sqrt(60) * mean / scale < -sqrt(2 * log(log(60)))
        centres = (np.maximum(mean, 0), np.where(hopeless, 0, mean), mean)

        result = superior_predictive_ability(
            benchmark, models, block=4, repetitions=4000, seed=2, studentize=studentize
        )

        assert hopeless.tolist() == [False, False, False, True]
        assert result.statistic == pytest.approx(statistic, rel=0.06)
        for centre, ours in zip(centres, (result.raw.lower, result.raw.consistent, result.raw.upper), strict=True):
            theirs = np.mean((weight * (draws - centre)).max(axis=1) >= statistic)
            assert ours == pytest.approx(theirs, abs=5 * sqrt(2 * 0.25 / 4000))

    @pytest.mark.parametrize(("n", "gains"), [(40, 23), (40, 25), (100, 54)])
    def test_one_model_that_wins_or_loses_one_is_a_binomial_count(self, n, gains):
        """Blocks of one: the resampled mean is (2X − n)/n with X binomial, and the p-value its exact tail."""
        outcomes = np.repeat([1.0, -1.0], [gains, n - gains])
        exact = reference.binom.sf(2 * gains - n // 2 - 1, n, gains / n)
        repetitions = 20_000

        white = reality_check(outcomes, np.zeros((n, 1)), block=1, repetitions=repetitions, seed=3)
        hansen = superior_predictive_ability(outcomes, np.zeros((n, 1)), block=1, repetitions=repetitions, seed=4)

        for found in (white.raw, hansen.raw.upper, hansen.raw.consistent, hansen.raw.lower):
            assert found == pytest.approx(exact, abs=5 * sqrt(exact * (1 - exact) / repetitions))
        share = gains / n
        assert hansen.statistic == pytest.approx(sqrt(n) * (2 * share - 1) / (2 * sqrt(share * (1 - share))))


class TestCoverage:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.4]))
    def test_the_ratios_are_those_of_likelihoods_maximised_numerically(self, seed, share):
        hits = np.random.default_rng(seed).random(200) < share
        transitions = [[0, 0], [0, 0]]
        for before, after in itertools.pairwise(hits.tolist()):
            transitions[before][after] += 1

        def supremum(pairs):
            """Of one success probability over (misses, hits)."""
            misses, found = (sum(side) for side in zip(*pairs, strict=True))
            if misses * found == 0:
                return 0.0
            fit = optimize.minimize_scalar(
                lambda p: -(found * log(p) + misses * log(1 - p)), bounds=(1e-9, 1 - 1e-9), method="bounded"
            )
            return -fit.fun

        independence = 2 * (supremum(transitions[:1]) + supremum(transitions[1:]) - supremum(transitions))
        count = int(hits.sum())
        unconditional = 2 * (supremum([(200 - count, count)]) - count * log(0.05) - (200 - count) * log(0.95))

        result = christoffersen(hits)

        assert result.transitions == tuple(map(tuple, transitions))
        assert result.independence.statistic == pytest.approx(max(independence, 0), abs=1e-5)
        assert result.unconditional.statistic == pytest.approx(unconditional, abs=1e-5)
        assert result.conditional.statistic == pytest.approx(max(independence, 0) + unconditional, abs=2e-5)
        assert result.independence.p_value == pytest.approx(
            reference.chi2.sf(result.independence.statistic, 1), abs=1e-12
        )
        assert result.conditional.p_value == pytest.approx(reference.chi2.sf(result.conditional.statistic, 2))

    def test_the_tails_are_those_of_a_squared_and_of_two_squared_normals(self):
        """One degree of freedom is 2Φ(−√x), two are exp(−x/2)."""
        result = christoffersen(np.tile([1, 1, *[0] * 23], 20))

        assert kupiec(20, 250).p_value == pytest.approx(1 - erf(sqrt(kupiec(20, 250).statistic / 2)))
        assert result.conditional.p_value == pytest.approx(exp(-result.conditional.statistic / 2))


class TestSharpe:
    @pytest.mark.parametrize("lags", [0, 1, 5])
    def test_the_hac_error_is_the_delta_method_over_a_covariance_summed_by_hand(self, lags):
        returns = np.random.default_rng(lags).standard_t(5, 80) * 0.01 + 0.002
        moments = np.column_stack([returns, returns**2])
        centred = moments - moments.mean(axis=0)
        covariance = self.newey_west(centred, lags)
        mean, second = moments.mean(axis=0)
        variance = second - mean**2
        gradient = np.array([1 / sqrt(variance) + mean**2 / variance**1.5, -mean / (2 * variance**1.5)])

        error = sharpe_error(returns, method="hac", lags=lags)

        assert error.standard_error == pytest.approx(sqrt(gradient @ covariance @ gradient / 80))
        assert error.annual_standard_error == pytest.approx(error.standard_error * sqrt(252))

    @staticmethod
    def newey_west(centred, lags):
        n, columns = centred.shape
        total = np.zeros((columns, columns))
        for i, j in itertools.product(range(n), repeat=2):
            if abs(i - j) <= lags:
                total += (1 - abs(i - j) / (lags + 1)) * np.outer(centred[i], centred[j])
        return total / n

    @pytest.mark.parametrize("lags", [0, 3, 11])
    def test_the_long_run_covariance_is_a_double_sum_over_near_pairs(self, lags):
        centred = np.random.default_rng(lags).normal(0, 1, (40, 3))

        assert long_run_covariance(centred, lags) == pytest.approx(self.newey_west(centred, lags))

    @pytest.mark.parametrize(("n", "lags"), [(2, 1), (50, 3), (100, 4), (250, 4), (1000, 6), (2520, 8)])
    def test_the_lags_are_the_integer_part_of_the_rule(self, n, lags):
        """⌊x⌋ for x = 4 (n/100)^(2/9), found as the last integer whose ninth power fits, in integers."""
        fits = [k for k in range(20) if k**9 * 100**2 <= 4**9 * n**2]

        assert automatic_lags(n) == min(fits[-1], n - 1) == lags

    def test_the_ratio_of_one_return_more_moves_by_its_influence(self):
        returns = np.random.default_rng(5).normal(0.001, 0.01, 4000)
        parts = influence(returns)

        def ratio(weights):
            mean = np.average(returns, weights=weights)
            return mean / sqrt(np.average((returns - mean) ** 2, weights=weights))

        for at in (0, 17, 3999):
            weights = np.ones(4000)
            weights[at] += 1e-4
            assert (ratio(weights) - ratio(np.ones(4000))) * 4000 / 1e-4 == pytest.approx(parts[at], rel=1e-3)
        assert parts.mean() == pytest.approx(0, abs=1e-12)

    def test_the_first_figures_in_exact_arithmetic(self):
        returns = [Fraction(k, 1000) for k in (12, -7, 3, 0, 25, -30, 8, 8, -1, 14)]
        mean = sum(returns) / 10
        variance = sum((r - mean) ** 2 for r in returns) / 9
        worth = [Fraction(1), *itertools.accumulate((1 + r for r in returns), lambda a, b: a * b)]
        given_returns = [float(r) for r in returns]

        assert sharpe_ratio(given_returns, periods=1) == pytest.approx(float(mean) / sqrt(variance))
        assert annualized_return(given_returns, periods=10) == pytest.approx(float(worth[-1] - 1))
        assert max_drawdown(given_returns) == pytest.approx(
            float(min(worth[j] / worth[i] - 1 for i in range(11) for j in range(i, 11)))
        )


class TestSharpeDifference:
    """Ledoit and Wolf's four moments, gradient and block covariance, as the paper writes them."""

    @staticmethod
    def records(n=90):
        rng = np.random.default_rng(n)
        market, own, other = rng.standard_t(5, (3, n)) * 0.01
        return market + own + 0.002, market + 0.7 * other

    @staticmethod
    def gradient(a, b):
        (mu_a, mu_b), (gamma_a, gamma_b) = (a.mean(), b.mean()), ((a**2).mean(), (b**2).mean())
        cubed_a, cubed_b = (gamma_a - mu_a**2) ** 1.5, (gamma_b - mu_b**2) ** 1.5
        return np.array([gamma_a / cubed_a, -gamma_b / cubed_b, -mu_a / (2 * cubed_a), mu_b / (2 * cubed_b)])

    @pytest.mark.parametrize("lags", [0, 2, 6])
    def test_the_hac_error(self, lags):
        a, b = self.records()
        moments = np.column_stack([a, b, a**2, b**2])
        psi = TestSharpe.newey_west(moments - moments.mean(axis=0), lags) * 90 / 86
        error = sqrt(self.gradient(a, b) @ psi @ self.gradient(a, b) / 90)
        difference = a.mean() / a.std(ddof=1) - b.mean() / b.std(ddof=1)

        result = sharpe_difference_test(a, b, lags=lags, periods=1)

        assert result.standard_error == pytest.approx(error)
        assert result.difference == pytest.approx(difference)
        assert result.p_value == pytest.approx(1 - erf(abs(difference) / error / sqrt(2)))

    def test_the_studentised_bootstrap_on_the_same_blocks(self):
        a, b = self.records()
        block, repetitions, seed = 4, 150, 9
        statistic = abs(sharpe_difference_test(a, b, lags=3).statistic)

        def delta(x, y):
            return x.mean() / x.std(ddof=1) - y.mean() / y.std(ddof=1)

        (own,) = np.random.SeedSequence(seed).spawn(1)  # one chunk of resamples
        drawn = np.random.default_rng(own).integers(0, 90, (repetitions, 90 // block), dtype=np.int32)
        reached = 0
        for starts in drawn:
            rows = [(start + step) % 90 for start in starts for step in range(block)]
            x, y = a[rows], b[rows]
            moments = np.column_stack([x, y, x**2, y**2])
            centred = moments - moments.mean(axis=0)
            zeta = [sum(centred[at : at + block]) / sqrt(block) for at in range(0, len(rows), block)]
            psi = sum(np.outer(z, z) for z in zeta) / len(zeta)
            error = sqrt(self.gradient(x, y) @ psi @ self.gradient(x, y) / len(rows))
            reached += abs(delta(x, y) - delta(a, b)) / error >= statistic

        result = sharpe_difference_test(
            a, b, lags=3, method="bootstrap", block=block, repetitions=repetitions, seed=seed
        )

        assert result.p_value == (reached + 1) / (repetitions + 1)
        assert 0.05 < result.p_value < 0.95


class TestDeflation:
    @pytest.mark.parametrize("n", [60, 250, 1250])
    @pytest.mark.parametrize("benchmark", [0.0, 0.05])
    @pytest.mark.parametrize("sharpe", [-0.05, 0.05, 0.15])
    def test_normal_returns_have_a_noncentral_t(self, n, benchmark, sharpe):
        """√n times the estimated ratio of normal returns is noncentral t, which the paper's normal approximates."""
        exact = reference.nct.cdf(sharpe * sqrt(n), n - 1, benchmark * sqrt(n))

        assert probabilistic_sharpe_ratio(sharpe, n, benchmark=benchmark) == pytest.approx(exact, abs=0.006)

    @pytest.mark.parametrize("trials", [5, 10, 45, 100, 1000])
    def test_the_expected_best_lies_just_above_the_integral(self, trials):
        """E[max] = ∫ 1 − Φᴺ over the right less ∫ Φᴺ over the left, which the approximation overstates by 1 to 3%."""
        cdf = reference.norm.cdf
        right, _ = integrate.quad(lambda x: 1 - cdf(x) ** trials, 0, 12)
        left, _ = integrate.quad(lambda x: cdf(x) ** trials, -12, 0)

        assert 0.001 < expected_maximum_sharpe(trials, 1.0) / (right - left) - 1 < 0.035

    def test_the_probability_by_integrating_the_density(self):
        deviation = sqrt((1 + 3 * 0.1 + 9 * 0.1**2 / 4) / 499)
        density = reference.norm(0.1, deviation).pdf
        probability, _ = integrate.quad(density, 0.04, 0.1 + 12 * deviation)

        assert probabilistic_sharpe_ratio(0.1, 500, skew=-3, kurtosis=10, benchmark=0.04) == pytest.approx(probability)


class TestSymmetry:
    @pytest.mark.parametrize(("said", "came"), [(0.3, 0.6), (0.5, 0.5), (8 / 15, 4 / 15)])
    def test_the_variance_of_chance_hits_is_exact(self, said, came):
        """V(P*) is the variance of 1 − X − Y + 2XY for two independent binomial shares, here by enumeration."""
        n = 15
        ups, longs = round(came * n), round(said * n)
        weights = [[comb(n, k) * (p / n) ** k * (1 - p / n) ** (n - k) for k in range(n + 1)] for p in (longs, ups)]
        chance = [[1 - i / n - j / n + 2 * i * j / n**2 for j in range(n + 1)] for i in range(n + 1)]
        pairs = list(itertools.product(range(n + 1), repeat=2))
        mean = fsum(weights[0][i] * weights[1][j] * chance[i][j] for i, j in pairs)
        spread = fsum(weights[0][i] * weights[1][j] * (chance[i][j] - mean) ** 2 for i, j in pairs)
        is_long = np.arange(n) < longs
        is_up = np.arange(n) % 15 < ups
        hit = np.mean(is_long == is_up)
        by_chance = chance[longs][ups]

        assert pesaran_timmermann(is_long, is_up) == pytest.approx(
            (hit - by_chance) / sqrt(by_chance * (1 - by_chance) / n - spread)
        )

    def test_its_square_is_pearsons_on_long_samples(self):
        rng = np.random.default_rng(7)
        is_long, is_up = rng.random(40_000) < 0.6, rng.random(40_000) < 0.55
        is_up[:600] = is_long[:600]
        table = [[np.sum((is_long == i) & (is_up == j)) for j in (True, False)] for i in (True, False)]

        assert pesaran_timmermann(is_long, is_up) ** 2 == pytest.approx(
            reference.chi2_contingency(table, correction=False).statistic, rel=1e-3
        )

    def test_the_score_by_a_loop_over_rows(self):
        rng = np.random.default_rng(8)
        prediction, realized = np.round(rng.normal(0, 1, 400), 1), np.round(rng.normal(0, 1, 400), 1)
        sides = {1: [0, 0], -1: [0, 0]}
        flat = zero = 0
        for said, came in zip(prediction, realized, strict=True):
            flat += said == 0
            zero += said != 0 and came == 0
            if said != 0 and came != 0:
                sides[int(np.sign(said))][1] += 1
                sides[int(np.sign(said))][0] += np.sign(said) == np.sign(came)
        result = symmetric_prediction_accuracy(prediction, realized)
        bounds = [
            optimize.brentq(lambda b, a=h / n, n=e: a - b - 1.6448536269514722 * sqrt(b * (1 - b) / n), 1e-9, h / n)
            for (h, n), e in zip(sides.values(), (result.long_effective_n, result.short_effective_n), strict=True)
        ]

        assert result.score == pytest.approx(min(bounds))
        assert (result.flat_excluded, result.zero_excluded) == (flat, zero)
        assert result.n == 400 - flat - zero
        assert result.long_accuracy == sides[1][0] / sides[1][1]


class TestConfidenceSequence:
    @pytest.mark.parametrize(("confidence", "horizon"), [(0.95, 60), (0.9, 20), (0.99, 250)])
    def test_the_bound_is_where_the_mixture_of_likelihood_ratios_reaches_one_over_alpha(self, confidence, horizon):
        """Robbins (1970): ∫ exp(λS − λ²t/2) dN(λ; 0, ρ²) = 1/α, solved for the sum S by quadrature."""
        alpha = 1 - confidence
        rho = sqrt((-2 * log(alpha) + log(1 - 2 * log(alpha))) / horizon)
        a = np.tile([1.0, -1.0], 100)
        result = mean_difference_sequence(a, np.zeros(200), confidence=confidence, horizon=horizon)
        for t in (20, 60, 200):
            total = t * result.upper_path[t - result.minimum]
            peak = rho**2 * total / (1 + rho**2 * t)
            mixture, _ = integrate.quad(
                lambda m, s=total, t=t: exp(m * s - m**2 * t / 2 - m**2 / (2 * rho**2)) / (rho * sqrt(2 * pi)),
                peak - 12 * rho,
                peak + 12 * rho,
                points=[peak],
            )
            assert mixture == pytest.approx(1 / alpha, rel=1e-6)

    def test_the_paths_by_starting_again_every_day(self):
        a, b = np.random.default_rng(4).normal(0, 0.01, (2, 80))
        result = mean_difference_sequence(a, b)
        for t in range(20, 81):
            held = (a - b)[:t]
            assert result.estimates[t - 20] == pytest.approx(held.mean())
            centred = held - held.mean()
            first = float(centred[1:] @ centred[:-1] / (centred @ centred))
            upper = min(max(first + (1 + 3 * first) / t + 1 / sqrt(t), 0), 0.95)
            expected = self.width(t, 0.05, 60) * sqrt((1 + upper) / (1 - upper))
            assert (result.upper_path - result.estimates)[t - 20] / held.std() == pytest.approx(expected)

    @staticmethod
    def width(t, alpha, horizon):
        rho2 = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / horizon
        return sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * log(sqrt(t * rho2 + 1) / alpha))


class TestDrift:
    @staticmethod
    def samples(seed=0):
        rng = np.random.default_rng(seed)
        return np.round(rng.normal(0, 1, 400), 1), np.round(rng.normal(0.2, 1.2, 300), 1)

    @staticmethod
    def bins(before, wanted):
        """Upper edges: for each k the smallest reference value with at least a share k/B at or below it."""
        ordered = sorted(before)
        edges = sorted({ordered[-(-k * len(ordered) // wanted) - 1] for k in range(1, wanted)} - {ordered[-1]})
        return [-np.inf, *edges, np.inf]

    def test_the_index_by_counting(self):
        before, after = self.samples()
        edges = self.bins(before, 10)
        shares = [
            [(sum(low < x <= high for x in sample) or 0.5) / len(sample) for low, high in itertools.pairwise(edges)]
            for sample in (before, after)
        ]

        result = population_stability_index(before, after)

        assert result.bins == len(edges) - 1
        assert result.value == pytest.approx(fsum((q - p) * log(q / p) for p, q in zip(*shares, strict=True)))
        assert result.p_value == pytest.approx(self.homogeneity(before, after, edges))

    @staticmethod
    def homogeneity(before, after, edges):
        table = [[sum(low < x <= high for x in s) for low, high in itertools.pairwise(edges)] for s in (before, after)]
        return reference.chi2_contingency(table, correction=False).pvalue

    def test_the_divergence_as_the_entropy_that_the_mixture_gains(self):
        before, after = self.samples(1)
        edges = self.bins(before, 64)
        p, q = (
            np.array([np.mean((s > low) & (s <= high)) for low, high in itertools.pairwise(edges)])
            for s in (before, after)
        )

        def entropy(shares):
            return -fsum(x * np.log2(x) for x in shares if x > 0)

        result = jensen_shannon(before, after)

        assert result.divergence_bits == pytest.approx(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2)
        assert result.value == pytest.approx(sqrt(result.divergence_bits))
        assert result.p_value == pytest.approx(self.homogeneity(before, after, edges))

    def test_the_largest_gap_by_trying_every_value(self):
        before, after = self.samples(2)

        result = kolmogorov_smirnov(before, after)

        assert result.value == pytest.approx(
            max(abs(np.mean(before <= x) - np.mean(after <= x)) for x in (*before, *after))
        )

    def test_the_tail_by_its_alternating_series(self):
        before, after = np.random.default_rng(3).normal(0, 1, (2, 500))
        result = kolmogorov_smirnov(before, after)
        root = sqrt(250)
        x = (root + 0.12 + 0.11 / root) * result.value
        series = 2 * fsum((-1) ** (k - 1) * exp(-2 * k**2 * x**2) for k in range(1, 200))

        assert result.p_value == pytest.approx(series)
        assert result.p_value == pytest.approx(reference.ks_2samp(before, after, method="exact").pvalue, abs=0.02)


class TestRecords:
    @pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
    @pytest.mark.parametrize("n", [100, 101, 253])
    def test_the_historical_quantile_between_order_statistics(self, n, level):
        """Hyndman and Fan's type 7: position (n − 1)(1 − level) counted from 0."""
        returns = np.random.default_rng(n).normal(0, 0.01, n)
        ordered = sorted(returns)
        position = Fraction(n - 1) * (1 - Fraction(str(level)))
        whole = position.numerator // position.denominator
        expected = ordered[whole] + float(position - whole) * (ordered[whole + 1] - ordered[whole])

        tail = conditional_value_at_risk(returns, level=level)

        assert value_at_risk(returns, level=level).value == pytest.approx(expected)
        assert tail.value == pytest.approx(fsum(r for r in ordered if r <= expected) / tail.exceedances)
        assert tail.exceedances == whole + 1

    def test_the_downside_ratio_in_exact_arithmetic(self):
        returns = [Fraction(k % 17 - 7, 1000) for k in range(300)]
        line = Fraction(1, 500)
        down = sum(min(r - line, Fraction(0)) ** 2 for r in returns)
        up = sum(max(r - line, Fraction(0)) ** 2 for r in returns)

        result = downside_sensitivity_ratio([float(r) for r in returns], threshold=float(line))

        assert result.ratio == pytest.approx(sqrt(down / up))
        assert result.ties == sum(r == line for r in returns)

    def test_windows_that_gain_in_decimal_arithmetic(self):
        """Products of decimals are exact, so a window that returns to its start is seen to."""
        windows = [
            ("0.1", "-0.05"),
            ("0.25", "-0.2"),
            ("-0.5", "1"),
            ("0.02", "-0.02"),
            ("0.6", "-0.375"),
            *[("0.01", "0.02")] * 5,
        ]
        totals = [prod(1 + Decimal(r) for r in window) - 1 for window in windows]

        result = walk_forward_consistency([[float(r) for r in window] for window in windows])

        assert result.positive == sum(total > 0 for total in totals)
        assert result.zero == sum(total == 0 for total in totals) == 3
        assert result.window_returns == pytest.approx([float(total) for total in totals])
