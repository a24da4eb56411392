"""Parts that other statistics rest on, by hand: pieces for threads, cosines, portmanteau, bets, drifts and tables."""

import itertools
import threading
from math import cos, log, log2, pi, sqrt
from statistics import fmean

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats as reference

from signoff.stats import _threads
from signoff.stats.autocorrelation import annual_scale, autocorrelation_test
from signoff.stats.bets import Bet, resemblance
from signoff.stats.bootstrap import reality_check
from signoff.stats.clusters import inferred_horizon
from signoff.stats.drift import (
    _of_ranks,
    bins_of,
    jensen_shannon,
    kolmogorov_smirnov,
    population_stability_index,
    reference_edges,
    stability_of_counts,
)
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, column_names, floats, named, refuse_disorder, row_name, times
from signoff.stats.long_run import LongRunVariance, automatic_degrees, long_run_covariance, long_run_variance
from signoff.stats.overfitting import _median_ratio, _sharpe, _slope, probability_of_backtest_overfitting
from signoff.stats.sequential import mean_difference_sequence
from signoff.stats.spacing import _is_four_weekly, _most
from signoff.stats.symmetry import symmetric_prediction_accuracy
from signoff.stats.value_at_risk import conditional_value_at_risk, rolling_value_at_risk, value_at_risk
from signoff.stats.walk_forward import first_windows

NOISE = np.random.default_rng(1).normal(0.0005, 0.01, 400)


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    monkeypatch.setattr(_threads, "get_num_threads", lambda: request.param)
    return request.param


class TestThreads:
    @pytest.mark.parametrize("total", [1, 2, 7, 8, 9, 100])
    def test_pieces_cover_everything_once_in_order(self, threads, total):
        pieces = []
        _threads.in_pieces(lambda first, last: pieces.append((first, last)), total)
        pieces.sort()

        assert [item for piece in pieces for item in range(*piece)] == list(range(total))
        assert len(pieces) == (1 if min(threads, total) == 1 else min(total, 4 * min(threads, total)))

    @pytest.mark.parametrize(
        "work", [[1] * 9, [5, 0, 0, 1, 20, 1], [1], [0, 0, 7], [100, *[1] * 30]], ids=lambda work: str(len(work))
    )
    def test_pieces_of_about_equal_work_cover_everything_once(self, threads, work):
        starts, pieces = [0, *itertools.accumulate(work)], []
        _threads.draw(lambda first, last: pieces.append((first, last)), starts)
        assert threads > 1 or pieces == sorted(pieces)
        pieces.sort()

        assert [item for piece in pieces for item in range(*piece)] == list(range(len(work)))
        share = sum(work) / (4 * min(threads, len(work)))
        for first, last in pieces:
            assert last - first == 1 or sum(work[first : last - 1]) <= share

    @pytest.mark.parametrize("of", [lambda work: _threads.in_pieces(work, 8), lambda w: _threads.draw(w, range(9))])
    def test_two_threads_work_at_once_and_their_first_error_is_raised(self, monkeypatch, of):
        monkeypatch.setattr(_threads, "get_num_threads", lambda: 2)
        together, names = threading.Barrier(2, timeout=30), set()

        def work(_first, _last):
            if not names or (len(names) == 1 and threading.current_thread().name not in names):
                names.add(threading.current_thread().name)
                together.wait()

        of(work)
        assert len(names) == 2

        def fails(first, _last):
            raise ValueError(f"piece {first}")

        with pytest.raises(ValueError, match="piece"):
            of(fails)


class TestLongRun:
    @pytest.mark.parametrize(("n", "degrees"), [(4, 2), (31, 5), (400, None)])
    def test_the_variance_is_that_of_equal_weighted_cosines(self, n, degrees):
        values = NOISE[:n]
        used = degrees or int(0.4 * n ** (2 / 3))
        weights = [
            sqrt(2 / n) * sum(x * cos(pi * j * (t - 0.5) / n) for t, x in enumerate(values, start=1))
            for j in range(1, used + 1)
        ]
        found = long_run_variance(values, degrees=degrees)

        assert found == LongRunVariance(variance=pytest.approx(fmean(w * w for w in weights)), n=n, degrees=used)
        assert found.standard_error == pytest.approx(sqrt(found.variance / n))
        assert found.half_width() == pytest.approx(reference.t.ppf(0.975, used) * found.standard_error)
        assert found.half_width(0.8) == pytest.approx(reference.t.ppf(0.9, used) * found.standard_error)
        assert found.upper_tail(0.001) == pytest.approx(reference.t.sf(0.001 / found.standard_error, used))
        assert found.words == f"HAC by {used} equal-weighted cosines (Lazarus et al. 2018), Student's t"

    def test_bounds(self):
        still = LongRunVariance(variance=0.0, n=9, degrees=2)

        assert (still.upper_tail(0.1), still.upper_tail(0.0), still.upper_tail(-0.1)) == (0.0, 1.0, 1.0)
        assert [automatic_degrees(*each) for each in ((4,), (20,), (400,), (400, 5), (400, 50), (1001,))] == [
            2, 2, 21, 20, 2, 40,
        ]  # fmt: skip
        with pytest.raises(InputError) as caught:
            long_run_variance(NOISE[:3])
        assert str(caught.value) == "values: 3 observations; at least 4 are needed for a long-run variance."
        for lags in (-1, 9):
            with pytest.raises(InputError, match=f"^lags: expected 0 to 8 for 9 observations, found {lags}.$"):
                long_run_covariance(NOISE[:9, np.newaxis], lags)
        assert long_run_covariance(NOISE[:9, np.newaxis] - NOISE[:9].mean(), 8).shape == (1, 1)


class TestPortmanteau:
    @pytest.mark.parametrize("made", ["noise", "moving", "short"])
    def test_by_loops(self, made):
        rng = np.random.default_rng(5)
        shocks = rng.normal(0, 0.01, 301)
        values = {"noise": shocks, "moving": shocks[1:] + 0.5 * shocks[:-1], "short": shocks[:23]}[made].tolist()
        n, mean = len(values), fmean(values)
        centred = [x - mean for x in values]
        squares = []
        for lag in range(1, min(20, n // 4) + 1):
            products = [centred[t] * centred[t - lag] for t in range(lag, n)]
            squares.append(sum(products) ** 2 / sum(p * p for p in products))
        clear = max(squares) > 2.4 * log(n)
        scores = [sum(squares[:p]) - p * (2 if clear else log(n)) for p in range(1, len(squares) + 1)]
        lags = scores.index(max(scores)) + 1

        found = autocorrelation_test(values)

        assert (found.lags, found.n) == (lags, n)
        assert found.statistic == pytest.approx(sum(squares[:lags]))
        assert found.p_value == pytest.approx(reference.chi2.sf(found.statistic, 1))
        assert found.first == pytest.approx(
            sum(centred[t] * centred[t - 1] for t in range(1, n)) / sum(c * c for c in centred)
        )
        assert found.convention.startswith("Escanciano and Lobato (2009), automatic portmanteau test")

    def test_lo_of_a_first_order_autoregression(self):
        """η(q) with ρ_k = φ^k, φ the first sample autocorrelation where the order is 1."""
        rng = np.random.default_rng(6)
        shocks, values = rng.normal(0, 0.01, 1200), [0.0]
        for shock in shocks:
            values.append(0.4 * values[-1] + shock)
        values = np.array(values[200:])
        found = annual_scale(values, periods=12.0)
        centred = values - values.mean()
        first = float(centred[1:] @ centred[:-1] / (centred @ centred))
        lo = 12 / sqrt(12 + 2 * sum((12 - k) * first**k for k in range(1, 12)))

        assert found.order == 1
        assert found.value == found.by_lo == pytest.approx(lo)
        assert 0 < found.relative_error < 0.2
        assert found.autocorrelation == autocorrelation_test(values)
        slope = (log(12 / sqrt(12 + 2 * sum((12 - k) * (first + 1e-5) ** k for k in range(1, 12)))) - log(lo)) / 1e-5
        assert found.relative_error == pytest.approx(abs(slope) * sqrt((1 - first**2) / values.size), rel=1e-3)
        immaterial = annual_scale(values, periods=12.0, material=0.9)
        assert (immaterial.value, immaterial.order) == (pytest.approx(sqrt(12)), 0)
        assert immaterial.by_lo == found.by_lo
        tolerant = annual_scale(values, periods=12.0, significance=1e-300)
        assert (tolerant.value, tolerant.by_lo) == (pytest.approx(sqrt(12)), None)
        for short in (annual_scale(values[:19], periods=12.0), annual_scale(values, periods=1.0)):
            assert short.autocorrelation is short.by_lo is None
            assert short.order == 0
        assert annual_scale(values[:19], periods=12.0).convention == "scaled by √12"


class TestBets:
    TRIALS = np.random.default_rng(7).normal(0, 0.01, (300, 3))

    def test_a_bet_knows_its_centre_and_its_reversals(self):
        base, noise = self.TRIALS[:, 0], np.random.default_rng(8).normal(0, 0.004, (300, 3))
        family = np.column_stack(
            [base + noise[:, 0], -base, self.TRIALS[:, 1], base + noise[:, 1], -base + noise[:, 2]]
        )
        found = resemblance(family, lowest=0.5).bets(0.8)

        assert found == (
            Bet(columns=(0, 1, 3, 4), central=1, reversed=(1, 4)),
            Bet(columns=(2,), central=2, reversed=()),
        )
        assert [bet.sign for bet in found] == [-1.0, 1.0]

    def test_of_equally_central_ones_the_best_for_its_risk_stands_and_of_equals_the_first(self):
        base = self.TRIALS[:, 0]
        costly = np.column_stack([base - 1e-4, base, 2 * base])

        assert resemblance(costly, lowest=0.5).bets(0.9) == (Bet(columns=(0, 1, 2), central=1, reversed=()),)
        assert resemblance(costly[:, [2, 1, 0]], lowest=0.5).bets(0.9)[0].central == 0

    @pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
    def test_each_trial_has_a_scale_of_its_own(self, scale):
        base, other = self.TRIALS[:, 0], self.TRIALS[:, 1]
        family = np.column_stack([base, scale * base, -scale * other, other])
        assert [bet.columns for bet in resemblance(family, lowest=0.5).bets(0.9)] == [(0, 1), (2, 3)]

    def test_what_was_found_says_what_it_rests_on(self):
        base = self.TRIALS[:, 0]
        found = resemblance(np.column_stack([self.TRIALS[:, 1], base, base]), lowest=0.5)

        assert (found.trials, found.lowest, found.alike.tolist()) == (3, 0.5, [1, 2])
        assert found.similarity.shape == (2, 2)
        assert found.sharpes == pytest.approx([x.mean() / x.std() for x in (self.TRIALS[:, 1], base, base)])
        ((one, other, likeness),) = found.joined
        assert ({one, other}, likeness) == ({0, 1}, pytest.approx(1.0, abs=1e-6))
        with pytest.raises(InputError) as caught:
            found.bets(0.4)
        assert str(caught.value) == "limit: expected at least 0.5, down to which trials were joined; found 0.4."
        assert len(found.bets(0.5)) == 2

    def test_rows_of_rest_are_told_apart_from_a_constant_cost(self):
        """At rest on half of its rows, with and without a rate on the others alone, it is one bet."""
        rng = np.random.default_rng(9)
        resting = np.where(rng.random(300) < 0.5, 0.0, self.TRIALS[:, 0])
        rated = np.where(resting == 0, 0.0, resting + 0.02)

        assert len(resemblance(np.column_stack([resting, rated]), lowest=0.5).bets(0.99)) == 1
        assert len(resemblance(np.column_stack([self.TRIALS[:, 0], np.zeros(300)]), lowest=0.5).bets(0.5)) == 2


class TestDrift:
    BEFORE, AFTER = np.round(NOISE * 1000), np.round(np.random.default_rng(4).normal(2, 14, 300))

    def test_the_stability_index_and_what_it_rests_on(self):
        found = population_stability_index(self.BEFORE, self.AFTER, bins=5)
        edges = [-np.inf, *reference_edges(self.BEFORE, 5), np.inf]
        counts = [[np.sum((s > a) & (s <= b)) for a, b in itertools.pairwise(edges)] for s in (self.BEFORE, self.AFTER)]
        p, q = (np.array(row) / sum(row) for row in counts)

        assert found.value == pytest.approx(((q - p) * np.log(q / p)).sum())
        assert found.bias == pytest.approx(4 * (1 / 400 + 1 / 300))
        assert found.adjusted == pytest.approx(found.value - found.bias)
        assert found.p_value == pytest.approx(reference.chi2_contingency(counts, correction=False).pvalue)
        assert (found.n_reference, found.n_current, found.bins, found.empty_bins) == (400, 300, 5, 0)
        assert found.convention == (
            "5 bins by reference quantiles, natural logarithm, empty bins count 0.5; adjusted by (B − 1)(1/n + 1/m)"
        )
        assert population_stability_index(self.BEFORE, self.AFTER + 500).empty_bins == 9
        for few in (self.BEFORE[:199], np.ones(300)):
            with pytest.raises(InsufficientData, match="reference"):
                population_stability_index(few, self.AFTER)
        assert population_stability_index(self.BEFORE[:200], self.AFTER[:200]).n_current == 200
        assert population_stability_index([1, 2], [1, 2], bins=2, minimum=2).value == 0

    def test_an_empty_bin_counts_half(self):
        expected = (0.5 / 10 - 4 / 8) * log(0.5 / 10 / (4 / 8)) + (10 / 10 - 4 / 8) * log(10 / 10 / (4 / 8))
        assert float(stability_of_counts(np.array([4, 4]), np.array([0, 10]))) == pytest.approx(expected)
        many = stability_of_counts(np.array([4, 4]), np.array([[0, 10], [4, 4]]))
        assert many.tolist() == [pytest.approx(expected), 0.0]

    def test_the_distances(self):
        js, ks = jensen_shannon(self.BEFORE, self.AFTER, bins=8), kolmogorov_smirnov(self.BEFORE, self.AFTER)
        edges = [-np.inf, *reference_edges(self.BEFORE, 8), np.inf]
        p, q = (
            [float(np.mean((s > a) & (s <= b))) for a, b in itertools.pairwise(edges)]
            for s in (self.BEFORE, self.AFTER)
        )
        divergence = sum(x * log2(2 * x / (x + y)) + y * log2(2 * y / (x + y)) for x, y in zip(p, q, strict=True)) / 2
        bias = 7 * (1 / 400 + 1 / 300) / (8 * log(2))

        assert js.divergence_bits == pytest.approx(divergence)
        assert (js.value, js.bias_bits) == (pytest.approx(sqrt(divergence)), pytest.approx(bias))
        assert js.adjusted == pytest.approx(sqrt(max(divergence - bias, 0)))
        assert (js.n_reference, js.n_current, js.bins) == (400, 300, 8)
        assert js.convention == (
            "distance √JS in base 2, 8 bins by reference quantiles; adjusted by (B − 1)(1/n + 1/m) / (8 ln 2)"
        )
        assert ks.value == pytest.approx(reference.ks_2samp(self.BEFORE, self.AFTER).statistic)
        assert (ks.n_reference, ks.n_current) == (400, 300)
        assert ks.ties == 700 - len({*self.BEFORE, *self.AFTER})
        assert ks.convention == "two-sample, two-sided, exact distance; p-value by Stephens (1970)"

    @pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200, 0.0])
    def test_values_of_some_ranks_are_those_of_a_sorted_list(self, scale):
        rng = np.random.default_rng(2)
        for values in (rng.normal(size=500), np.round(rng.normal(size=500)), rng.normal(size=500) ** 9):
            ranks = np.unique(rng.integers(0, 500, 12))
            assert _of_ranks(scale * values, ranks).tolist() == np.sort(scale * values)[ranks].tolist()

    @pytest.mark.parametrize(
        ("values", "bins", "edges"),
        [
            (range(1, 11), 5, [2, 4, 6, 8]),
            (range(1, 11), 3, [4, 7]),
            ([1, 2], 2, [1]),
            ([1] * 9 + [2], 10, [1]),
            ([1] + [2] * 99, 10, [1]),
            ([1, 2, 2, 2, 3], 2, [2]),
        ],
    )
    def test_edges_are_observed_quantiles(self, values, bins, edges):
        assert reference_edges(np.array(list(values), dtype=float), bins).tolist() == edges

    @pytest.mark.parametrize("count", [1, 16, 17])
    def test_a_value_at_an_edge_lies_below_it(self, count):
        edges = np.arange(float(count))
        assert bins_of(np.array([-1.0, 0.0, 0.5, count - 1, count]), edges).tolist() == [
            0, 0, 1, count - 1, count,
        ]  # fmt: skip


class TestEffectiveNumber:
    """Korn and Graubard (1998): the rows whose accuracy is as uncertain, by sums over dates; the smaller of two."""

    @pytest.mark.parametrize("kind", ["one a date", "five a date", "alternating", "persistent", "dated"])
    def test_of_one_side(self, kind):
        rng = np.random.default_rng(3)
        rows = {"one a date": 120, "five a date": 120, "alternating": 120, "persistent": 120, "dated": 200}[kind]
        hits = rng.random(rows) < 0.6
        if kind == "alternating":
            hits = np.arange(rows) % 2 == 0
        if kind == "persistent":
            hits = np.arange(rows) // 12 % 2 == 0
        dates = np.arange(rows) // (5 if kind == "five a date" else 1)
        is_dated = kind != "one a date"
        found = symmetric_prediction_accuracy(
            np.ones(rows), np.where(hits, 1.0, -1.0), dates=dates if is_dated else None, horizon=2
        )
        share, count = hits.mean(), dates[-1] + 1
        sums = np.array([(hits[dates == day] - share).sum() for day in range(count)])
        degrees = min(automatic_degrees(int(count), 2), 10**6 if is_dated else 8)

        def worth(variance, freedom):
            of_mean = count**2 / (count - 1) * variance / rows**2
            return min(share * (1 - share) / of_mean, rows) * (1.6448536 / reference.t.ppf(0.95, freedom)) ** 2

        by_cosines = long_run_variance(sums, degrees=degrees).variance
        expected = min(worth(by_cosines, degrees), worth(fmean(sums**2), int(count) - 1))

        assert found.long_effective_n == pytest.approx(expected, rel=1e-6)
        assert (found.long_accuracy, found.short_effective_n) == (share, 0.0)

    @pytest.mark.parametrize(("hits", "rows", "expected"), [(1.0, 40, 20.0), (-1.0, 40, 20.0), (None, 7, 3.5)])
    def test_a_side_of_few_dates_or_always_right_counts_its_dates(self, hits, rows, expected):
        came = np.where(np.arange(rows) % 2, 1.0, -1.0) if hits is None else np.full(rows, hits)
        assert symmetric_prediction_accuracy(np.ones(rows), came, horizon=2).long_effective_n == expected


class TestClusteredTest:
    """Pesaran and Timmermann's excess over its standard error by sums over dates, row by row."""

    @pytest.mark.parametrize(("rows", "a_date", "horizon"), [(160, 4, 1), (96, 3, 2), (60, 1, 1), (32, 4, 1)])
    def test_by_loops(self, rows, a_date, horizon):
        rng = np.random.default_rng(rows)
        said, came = rng.normal(0.2, 1, rows), rng.normal(0.1, 1, rows)
        dates = (np.arange(rows) // a_date).tolist()
        count = dates[-1] + 1
        x, y = (said > 0).astype(float), (came > 0).astype(float)
        parts = [2 * (a - x.mean()) * (b - y.mean()) for a, b in zip(x, y, strict=True)]
        excess = fmean(parts)

        def error(values):
            sums = np.zeros(count)
            for day, value in zip(dates, values, strict=True):
                sums[day] += value
            known = long_run_variance(sums, degrees=automatic_degrees(count, horizon))
            return sqrt(known.variance / count) * count / rows, known.degrees

        own, degrees = error([part - excess for part in parts])
        beside = 4 * (error(x - x.mean())[0] * error(y - y.mean())[0]) ** 2
        statistic = excess / sqrt(own**2 + beside)

        found = symmetric_prediction_accuracy(said, came, dates=dates, horizon=horizon)

        assert found.pesaran_timmermann == pytest.approx(statistic)
        assert found.pesaran_timmermann_p_value == pytest.approx(reference.t.sf(statistic, degrees))
        assert (found.degrees, found.dates, found.horizon) == (degrees, count, horizon)
        hits = [x[y == 1].mean(), 1 - x[y == 0].mean()]
        assert found.balanced_accuracy == pytest.approx(fmean(hits))
        long, short = y[x == 1].mean(), 1 - y[x == 0].mean()
        assert (found.long_accuracy, found.short_accuracy) == (pytest.approx(long), pytest.approx(short))
        assert found.harmonic_mean == pytest.approx(2 * long * short / (long + short))
        assert found.gap == pytest.approx(abs(long - short))
        assert found.plain_minimum == pytest.approx(min(long, short))

    @pytest.mark.parametrize(
        ("said", "came"),
        [
            (np.ones(40), np.tile([1.0, -1.0], 20)),
            (-np.ones(40), np.tile([1.0, -1.0], 20)),
            (np.tile([1.0, -1.0], 20), np.ones(40)),
            (np.tile([1.0, -1.0], 20), -np.ones(40)),
            (np.tile([1.0, -1.0], 3), np.tile([1.0, 1.0, -1.0], 2)),
        ],
    )
    def test_there_is_none_of_one_direction_or_seven_dates(self, said, came):
        found = symmetric_prediction_accuracy(said, came)
        assert found.pesaran_timmermann is found.pesaran_timmermann_p_value is found.degrees is None


def test_the_range_of_first_windows():
    found = first_windows([0.1, -0.2, 0.3, 0.1, -0.05, 0.2, 0.1], 3)
    worth = np.cumprod([1, 1.1, 0.8, 1.3, 1.1, 0.95, 1.2, 1.1])
    shares = [np.mean([worth[at + 3] > worth[at] for at in range(first, 5, 3)]) for first in range(3)]

    assert found.shares.tolist() == shares
    assert (found.lowest, found.highest) == (min(shares), max(shares))
    assert [found.at_least(level) for level in (0.0, 0.5, 0.51, 1.0)] == [
        sum(share >= level for share in shares) for level in (0.0, 0.5, 0.51, 1.0)
    ]
    with pytest.raises(InsufficientData, match="at least 5 are needed"):
        first_windows(NOISE[:4], 3)
    assert first_windows(NOISE[:5], 3).shares.size == 3


def test_a_filtered_shortfall_by_a_loop():
    """Hull and White's quantile, and the mean at or below it, both times next period's volatility."""
    own = (NOISE[:80] * 7).tolist()
    variance, shocks = fmean(x * x for x in own), []
    for x in own:
        shocks.append(x / sqrt(variance))
        variance = 0.94 * variance + 0.06 * x * x
    limit = float(np.quantile(shocks, 0.1))
    beyond = [shock for shock in shocks if shock <= limit]
    found = conditional_value_at_risk(own, level=0.9, method="filtered_historical")

    assert found.value_at_risk == pytest.approx(limit * sqrt(variance))
    assert (found.value, found.exceedances) == (pytest.approx(fmean(beyond) * sqrt(variance)), len(beyond))
    normal = conditional_value_at_risk(own, level=0.9, method="parametric")
    z = reference.norm.ppf(0.1)
    mean, deviation = fmean(own), float(np.std(own, ddof=1))
    assert normal.value == pytest.approx(mean - reference.norm.pdf(z) / 0.1 * deviation)
    assert normal.exceedances == sum(x <= mean + z * deviation for x in own)
    plain = conditional_value_at_risk(own, level=0.9)
    limit = float(np.quantile(own, 0.1))
    assert plain.value == pytest.approx(fmean(x for x in own if x <= limit))
    assert plain.exceedances == sum(x <= limit for x in own)
    rolled = rolling_value_at_risk(own, window=40, level=0.9, method="filtered_historical")
    assert rolled.forecasts[5] == pytest.approx(value_at_risk(own[5:45], level=0.9, method="filtered_historical").value)


def test_losses_may_be_flags_of_hits_and_misses():
    rng = np.random.default_rng(5)
    benchmark, models = rng.random(100) < 0.5, rng.random((100, 2)) < 0.5
    options = {"block": 3, "repetitions": 20, "seed": 0}

    assert reality_check(benchmark, models, **options).raw == reality_check(
        benchmark.astype(float), models.astype(float), **options
    ).raw  # fmt: skip


class TestOverfitting:
    def test_the_middle_of_the_ratios(self):
        assert _median_ratio(np.array([2.0, -1.0, 4.0]), np.array([1.0, 9.0, 4.0])) == 0.75
        assert _median_ratio(np.array([1.0, 1.0, 1.0]), np.array([3.0, 1.0, 2.0])) == 2.0
        assert _median_ratio(np.array([1.0]), np.array([3.0])) == 3.0
        assert _median_ratio(np.array([0.0, -1.0]), np.array([1.0, 1.0])) is None

    def test_the_slope_of_out_on_in(self):
        inside, outside = np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 3.0])
        assert _slope(inside, outside) == pytest.approx(np.polyfit(inside, outside, 1)[0])
        assert _slope(np.ones(3), outside) is None

    def test_a_ratio_from_its_square(self):
        values = np.array([0.01, -0.03, 0.02, -0.01])
        total, spread = values.sum(), ((values - values.mean()) ** 2).sum()
        assert _sharpe(np.array([total * abs(total) / spread]), 4)[0] == pytest.approx(
            values.mean() / values.std(ddof=1)
        )

    def test_tables_of_more_than_a_gigabyte_are_refused(self):
        wide = np.tile(NOISE[:24, np.newaxis], (1, 8193))
        with pytest.raises(InputError) as caught:
            probability_of_backtest_overfitting(wide, partitions=24)
        assert str(caught.value) == (
            "partitions: 24 blocks of 8,193 trials take 1,024 MiB of sums, and 1,024 are the most; take an even number "
            "up to 24, 16 unless the record is short."
        )


class TestSequence:
    @pytest.mark.parametrize("seed", range(6))
    def test_short_records_by_starting_again_every_day(self, seed):
        """Persistent differences, from few observations on, so that every bound of the widening is met."""
        rng = np.random.default_rng(seed)
        a = np.cumsum(rng.normal(0, 0.01, 30)) * (seed % 3 - 1) + rng.normal(0, 0.01, 30)
        b = rng.normal(0, 0.002, 30)
        minimum, horizon = 2 + seed, 5 * seed + 1
        found = mean_difference_sequence(a, b, confidence=0.9, horizon=horizon, minimum=minimum)
        rho2 = (-2 * log(0.1) + log(1 - 2 * log(0.1))) / horizon
        above, below = [], []
        for t in range(minimum, 31):
            held = (a - b)[:t]
            centred = held - held.mean()
            first = float(centred[1:] @ centred[:-1] / (centred @ centred))
            phi = min(max(first + (1 + 3 * first) / t + 1 / sqrt(t), 0), 0.95)
            width = held.std() * sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * log(sqrt(t * rho2 + 1) / 0.1))
            width *= sqrt((1 + phi) / (1 - phi))
            assert found.estimates[t - minimum] == pytest.approx(held.mean())
            assert found.lower_path[t - minimum] == pytest.approx(held.mean() - width)
            assert found.upper_path[t - minimum] == pytest.approx(held.mean() + width)
            above += [t] * bool(held.mean() - width > 0)
            below += [t] * bool(held.mean() + width < 0)

        assert (found.first_above, found.first_below) == (min(above, default=None), min(below, default=None))
        assert (found.estimate, found.lower, found.upper) == (
            found.estimates[-1], found.lower_path[-1], found.upper_path[-1],
        )  # fmt: skip
        assert (found.n, found.minimum, found.confidence, found.horizon) == (30, minimum, 0.9, horizon)

    def test_a_falling_autocorrelation_never_narrows(self):
        turning = np.tile([0.01, -0.01], 200) + NOISE / 100
        for dependence in ("autoregressive", "independent"):
            found = mean_difference_sequence(turning, np.zeros(400), dependence=dependence)
            width = (found.upper_path - found.estimates)[-1]
            rho2 = (-2 * log(0.05) + log(1 - 2 * log(0.05))) / 60
            t = 400
            plain = turning.std() * sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * log(sqrt(t * rho2 + 1) / 0.05))
            assert width == pytest.approx(plain)


class TestSpacing:
    @pytest.mark.parametrize(
        ("frequency", "gaps", "found"),
        [
            ("monthly", [28] * 4 + [30], False),
            ("monthly", [28] * 5 + [30], True),
            ("monthly", [28, 35, 28], True),
            ("monthly", [28, 28], False),
            ("quarterly", [91] * 5, False),
        ],
    )
    def test_four_weeks_by_their_gaps(self, frequency, gaps, found):
        assert _is_four_weekly(frequency, np.array(gaps)) is found

    @pytest.mark.parametrize(
        ("rows", "of", "found"),
        [(0, 1, True), (1, 2, True), (4, 5, True), (3, 5, False), (28, 30, True), (26, 30, False)],
    )
    def test_all_but_one_or_one_in_ten(self, rows, of, found):
        assert _most(rows, of) is found


class TestHorizon:
    @pytest.mark.parametrize("horizon", [1, 2, 5, 10])
    def test_overlapping_sums_are_told(self, horizon):
        rng = np.random.default_rng(horizon)
        daily = rng.normal(0, 0.01, (800, 3))
        sums = np.array([daily[at : at + horizon].sum(axis=0) for at in range(700)])
        dates, symbols = np.repeat(np.arange(700), 3), np.tile(["a", "b", "c"], 700)

        assert inferred_horizon(sums.ravel(), dates, symbols) == horizon
        assert abs(inferred_horizon(sums[:, 0], np.arange(700)) - horizon) <= 1

    def test_too_little_says_one(self):
        assert inferred_horizon(NOISE[:7], np.arange(7)) == 1
        assert inferred_horizon(np.zeros(40), np.arange(40)) == 1


class TestTables:
    FRAME = pd.DataFrame({"one": [1.0, None], "two": [2, 3]}, index=pd.to_datetime(["2019-01-02", "2019-01-03"]))

    def test_names_of_rows_and_columns(self):
        assert column_names(self.FRAME) == ("one", "two")
        assert column_names(pl.DataFrame({"a": [1]})) == ("a",)
        assert column_names([1.0]) is None
        assert (column_name(self.FRAME, 1), column_name([[1]], 1)) == ("column 'two'", "column 1")
        assert (named(self.FRAME, 1), named([[1]], 1)) == ("two", 1)
        assert row_name(self.FRAME, 1) == "row 1 (2019-01-03 00:00:00)"
        assert row_name(pd.DataFrame({"a": [1]}), 0) == row_name([1], 0) == "row 0"

    def test_numbers_of_every_kind(self):
        assert np.isnan(floats(self.FRAME, "x")[1, 0])
        assert floats(self.FRAME, "x")[:, 1].tolist() == [2.0, 3.0]
        assert floats(pl.DataFrame({"a": [1, 2]}), "x").tolist() == [[1.0], [2.0]]
        assert floats([1, 2.5], "x").tolist() == [1.0, 2.5]
        assert np.isnan(floats([1.0, None], "x")[1])
        assert np.isnan(floats(np.ma.array([1.0, 2.0], mask=[False, True]), "x")[1])
        assert floats([True, False], "x", flags=True).tolist() == [1.0, 0.0]
        assert floats(np.array([[1, None], [2, 3]], dtype=object), "x")[1].tolist() == [2.0, 3.0]

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            (["a", "b"], "x: expected numbers, found texts. Pass a series of numbers."),
            (
                np.array(["2019-01-01"], dtype="datetime64[D]"),
                "x: expected numbers, found datetime64[D]. Pass a series of numbers.",
            ),
            (
                [1.0, True],
                "x: expected numbers, found a boolean at entry 1. Pass numbers, such as returns, and no marks of gains "
                "and losses.",
            ),
            (
                np.array([False, True]),
                "x: expected numbers, found a boolean at entry 0. Pass numbers, such as returns, and no marks of gains "
                "and losses.",
            ),
            (np.array([1, "b"], dtype=object), "x, row 1: expected numbers, found 'b'. Pass numbers."),
            (np.array([1, "2"], dtype=object), "x, row 1: expected numbers, found '2'. Pass numbers."),
            (
                pd.DataFrame({"a": ["b"]}), "x: column 'a', row 0: expected numbers, found 'b'. Pass numbers.",
            ),
            (
                pd.DataFrame({"a": pd.to_datetime(["2019-01-01"])}),
                "x: column 'a': expected numbers, found datetime64[",
            ),
            (np.array([[1, "b"]], dtype=object), "x: column 1, row 0: expected numbers, found 'b'. Pass numbers."),
            ({"a": 1}, "x: expected numbers, found a value of type dict. Pass a series of numbers."),
        ],
    )  # fmt: skip
    def test_what_is_no_number_is_named(self, values, why):
        with pytest.raises(InputError) as caught:
            floats(values, "x")
        assert str(caught.value).startswith(why)

    def series(self, *labels):
        return pd.Series(range(len(labels)), index=list(labels))

    @pytest.mark.parametrize(
        ("labels", "why"),
        [
            ((1, 2, 1), "x: row 2 (1) repeats a label of an earlier row; expected each time once. Remove or compound "
             "the rows of one time."),
            ((1, 3, 2), "x: row 2 (2) comes after 3; expected rows in order of time, oldest first. Sort them, e.g. by "
             "sort_index()."),
            (("2019-01-02", "2019-01-01"), "x: row 1 (2019-01-01) comes after 2019-01-02; expected rows in order of "
             "time, oldest first. Sort them, e.g. by sort_index()."),
            (("b", "a"), None),
            ((1, 2, 3), None),
            ((2,), None),
        ],
    )  # fmt: skip
    def test_times_are_in_order_and_each_once(self, labels, why):
        if why is None:
            assert refuse_disorder(self.series(*labels), "x") is None
            return
        with pytest.raises(InputError) as caught:
            refuse_disorder(self.series(*labels), "x")
        assert str(caught.value) == why

    def test_times_of_labels(self):
        days = ["2019-01-02", "2019-01-03"]

        assert times([1.0, 2.0]) is times(pd.Series([1, 2])) is times(self.series("a", "b")) is None
        assert times(self.series("2019-13-01")) is None
        assert times(self.series(*days)).astype(str).tolist() == days
        assert times(self.series(*pd.to_datetime(days))).astype("datetime64[D]").astype(str).tolist() == days
        zoned = pd.to_datetime(days).tz_localize("Asia/Tokyo")
        assert times(self.series(*zoned)).astype("datetime64[s]").astype(str).tolist() == [
            f"{d}T00:00:00" for d in days
        ]
        months = pd.Series([1, 2], index=pd.period_range("2019-01", periods=2, freq="M"))
        assert times(months).astype("datetime64[D]").astype(str).tolist() == ["2019-01-01", "2019-02-01"]
        plain = self.series(*(pd.Timestamp(day).date() for day in days))
        assert times(plain).astype("datetime64[D]").astype(str).tolist() == days
        moments = self.series(*(pd.Timestamp(day).to_pydatetime().replace(hour=9) for day in days))
        mixed = pd.Series([1, 2], index=pd.Index(list(moments.index.to_pydatetime()), dtype=object))
        for series in (plain, mixed, months, self.series(*days)):
            assert times(series).dtype.kind == "M"
        assert times(mixed).astype("datetime64[h]").astype(str).tolist() == [f"{day}T09" for day in days]
        assert times(pd.Series([], dtype=float, index=pd.to_datetime([]))) is None
