"""Drift distances against scipy, by Monte Carlo without drift, and on heavy tails."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference_implementation
from scipy.spatial import distance

from signoff.stats.drift import (
    jensen_shannon,
    kolmogorov_smirnov,
    population_stability_index,
    reference_edges,
)
from signoff.stats.errors import InputError, InsufficientData

DISTANCES = (population_stability_index, kolmogorov_smirnov, jensen_shannon)


def normal(n, seed=0, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1, n)


def test_the_index_by_hand():
    reference = np.repeat(np.arange(10.0), 50)
    current = np.repeat(np.arange(10.0), [100, *[50] * 8, 0])

    result = population_stability_index(reference, current)

    # Nine bins as before but the first doubled; the last holds nobody, which counts as half an observation.
    assert result.value == pytest.approx(0.1 * np.log(2) + (0.5 / 500 - 0.1) * np.log(0.5 / 500 / 0.1))
    assert (result.bins, result.empty_bins) == (10, 1)
    assert result.bias == pytest.approx(9 * (1 / 500 + 1 / 500))
    assert result.adjusted == pytest.approx(result.value - result.bias)


def test_the_distance_of_kolmogorov_and_smirnov_is_that_of_scipy():
    for seed in range(10):
        before, after = np.round(normal(300, seed), 1), np.round(normal(250, seed + 100, 0.1), 1)
        theirs = reference_implementation.ks_2samp(before, after, method="asymp")

        ours = kolmogorov_smirnov(before, after)

        assert ours.value == pytest.approx(theirs.statistic)
        assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.05)


def test_the_distance_of_jensen_and_shannon_is_that_of_scipy():
    before, after = normal(1000), normal(800, 1, 0.3)
    edges = np.concatenate([[-np.inf], reference_edges(before, 64), [np.inf]])
    shares = [np.diff([np.mean(sample <= edge) for edge in edges[:-1]] + [1.0]) for sample in (before, after)]

    assert jensen_shannon(before, after).value == pytest.approx(distance.jensenshannon(*shares, base=2))


@pytest.mark.parametrize("figure", [population_stability_index, jensen_shannon])
def test_without_drift_the_bias_is_what_remains_and_the_p_value_is_fair(figure):
    found = [figure(normal(1000, seed), normal(500, seed + 10_000)) for seed in range(400)]
    raw = [result.value if figure is population_stability_index else result.divergence_bits for result in found]
    bias = found[0].bias if figure is population_stability_index else found[0].bias_bits

    assert np.mean(raw) == pytest.approx(bias, rel=0.1)
    assert np.mean([result.p_value < 0.05 for result in found]) == pytest.approx(0.05, abs=0.035)


def test_the_index_without_drift_has_the_published_tail():
    """BASELINES.md: 99th percentile with 10 bins 0.105 at n = 200 and 0.023 at n = 1,000."""
    for n, percentile in ((200, 0.105), (1000, 0.023)):
        found = [population_stability_index(normal(50_000), normal(n, seed + 1)).value for seed in range(60)]

        assert max(found) < 1.5 * percentile


def test_one_wild_tick_hides_no_drift():
    before, after = normal(5000), normal(5000, 1, 0.2)
    wild = np.concatenate([before, [1e4]])

    for figure in DISTANCES:
        assert figure(wild, after).value == pytest.approx(figure(before, after).value, rel=0.05)
        assert figure(wild, after).p_value < 1e-6


def test_values_in_few_classes_keep_their_own_bins():
    before = np.repeat([0.0, 1.0], [900, 100])
    after = np.repeat([0.0, 1.0], [500, 500])

    result = population_stability_index(before, after)

    assert result.bins == 2
    assert result.value == pytest.approx(0.4 * np.log(5) + (0.5 - 0.9) * np.log(0.5 / 0.9))
    assert population_stability_index(1 - before, after).value == pytest.approx(result.value)
    assert population_stability_index(1 - before * 0.01, after).bins == 2


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(DISTANCES), st.integers(0, 2**32), st.sampled_from([np.exp, np.cbrt, lambda x: 3 * x + 1]))
def test_only_the_order_of_values_matters(figure, seed, monotone):
    before, after = normal(300, seed), normal(200, seed + 1)

    assert figure(monotone(before), monotone(after)).value == pytest.approx(figure(before, after).value)
    assert figure(before[::-1], after).value == figure(before, after).value


@pytest.mark.parametrize("figure", DISTANCES)
class TestRefusals:
    def test_equal_samples_have_no_distance(self, figure):
        result = figure(normal(500), normal(500))

        assert result.value == 0
        assert result.p_value == pytest.approx(1)

    def test_a_short_sample_is_no_answer(self, figure):
        for before, after in ((normal(199), normal(500)), (normal(500), normal(199)), ([], []), (normal(500), [])):
            with pytest.raises(InsufficientData):
                figure(before, after)
        figure(normal(50), normal(50), minimum=50)

    def test_a_constant_reference_is_no_answer(self, figure):
        with pytest.raises(InsufficientData, match="reference"):
            figure([1.0] * 500, normal(500))

    def test_a_current_sample_that_stopped_moving_is_drift(self, figure):
        assert figure(normal(500), [0.0] * 500).p_value < 1e-6

    @pytest.mark.parametrize("broken", [np.nan, np.inf])
    def test_a_broken_value_is_refused_with_its_row(self, figure, broken):
        sample = normal(500)
        sample[123] = broken
        with pytest.raises(InputError, match="current: row 123"):
            figure(normal(500), sample)


def test_one_bin_tells_nothing():
    with pytest.raises(InputError, match="bins"):
        population_stability_index(normal(500), normal(500), bins=1)
