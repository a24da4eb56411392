"""Symmetric Prediction Accuracy by hand, by Monte Carlo, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.symmetry import pesaran_timmermann, symmetric_prediction_accuracy, wilson_bound


def sides(long_hits, long_misses, short_hits, short_misses):
    prediction = [1] * (long_hits + long_misses) + [-1] * (short_hits + short_misses)
    realized = [1] * long_hits + [-1] * long_misses + [-1] * short_hits + [1] * short_misses
    mixed = np.random.default_rng(0).permutation(len(prediction))  # rows in order of success would be one long streak
    return np.array(prediction, dtype=float)[mixed], np.array(realized, dtype=float)[mixed]


def test_the_weaker_side_counts_less_its_sampling_error():
    result = symmetric_prediction_accuracy(*sides(60, 40, 110, 90))

    assert (result.long_accuracy, result.short_accuracy) == (0.6, 0.55)
    assert (result.long_n, result.short_n, result.n) == (100, 200, 300)
    assert result.score == min(result.long_bound, result.short_bound)
    assert result.plain_minimum == 0.55
    assert result.gap == pytest.approx(0.05)
    assert result.harmonic_mean == pytest.approx(2 / (1 / 0.6 + 1 / 0.55))
    # 60 of 150 rises and 110 of 150 falls were called: recall, by what came.
    assert result.balanced_accuracy == pytest.approx((60 / 150 + 110 / 150) / 2)


@pytest.mark.parametrize(("hits", "n"), [(1, 3), (5, 10), (60, 100), (499, 1000), (7, 7)])
def test_the_bound_is_where_the_score_test_just_rejects(hits, n):
    """The Wilson bound b solves (a − b) = z √(b (1 − b) / n): a second derivation, from the test that it inverts."""
    bound = wilson_bound(hits / n, n)

    assert hits / n - bound == pytest.approx(1.6448536269514722 * np.sqrt(bound * (1 - bound) / n))


def test_the_bound_lies_below_the_truth_nineteen_times_in_twenty():
    hits = np.random.default_rng(1).binomial(400, 0.52, 4000)

    assert np.mean([wilson_bound(int(hit) / 400, 400) <= 0.52 for hit in hits]) == pytest.approx(0.95, abs=0.015)


def test_flat_predictions_and_zero_returns_are_excluded_and_counted():
    result = symmetric_prediction_accuracy([0.5, 0.5, 0.7, 0.7, 0.2, 0.9], [1, 0, 0, 1, -1, 1], neutral=0.5)

    assert (result.flat_excluded, result.zero_excluded, result.n) == (2, 1, 3)
    assert (result.long_accuracy, result.short_accuracy) == (1, 1)


def test_an_empty_side_scores_zero():
    result = symmetric_prediction_accuracy(*sides(60, 40, 0, 0))

    assert (result.score, result.short_accuracy, result.short_n, result.harmonic_mean) == (0, 0, 0, 0)
    assert result.long_bound > 0.45
    assert result.pesaran_timmermann is None


def test_nothing_left_to_judge_is_no_score():
    for prediction, realized in (([], []), ([0, 0], [1, -1]), ([1, -1], [0, 0])):
        with pytest.raises(InsufficientData):
            symmetric_prediction_accuracy(prediction, realized)


def test_broken_rows_are_named():
    with pytest.raises(InputError, match="prediction: row 1"):
        symmetric_prediction_accuracy([1, np.nan], [1, 1])
    with pytest.raises(InputError, match="realized: row 0"):
        symmetric_prediction_accuracy([1, 1], [np.inf, 1])
    with pytest.raises(InputError, match="align"):
        symmetric_prediction_accuracy([1, 1], [1])
    with pytest.raises(InputError, match="neutral"):
        symmetric_prediction_accuracy([1, 1], [1, 1], neutral=np.nan)


@given(*[st.integers(1, 200) for _ in range(4)])
def test_turning_every_sign_swaps_the_sides(long_hits, long_misses, short_hits, short_misses):
    prediction, realized = sides(long_hits, long_misses, short_hits, short_misses)

    one = symmetric_prediction_accuracy(prediction, realized)
    other = symmetric_prediction_accuracy(-prediction, -realized)

    assert (one.long_accuracy, one.short_accuracy) == (other.short_accuracy, other.long_accuracy)
    assert one.score == other.score
    assert one.score <= one.plain_minimum


def test_pesaran_and_timmermann_reject_a_coin_one_time_in_twenty():
    rng = np.random.default_rng(2)
    drawn = [pesaran_timmermann(rng.random(300) < 0.7, rng.random(300) < 0.55) for _ in range(4000)]

    assert np.mean([statistic > 1.6449 for statistic in drawn]) == pytest.approx(0.05, abs=0.012)


def test_always_saying_up_in_a_rising_market_is_no_skill():
    rng = np.random.default_rng(3)
    mostly_up = rng.random(2000) < 0.9
    result = symmetric_prediction_accuracy(np.where(rng.random(2000) < 0.9, 1, -1), np.where(mostly_up, 1, -1))

    assert result.long_accuracy > 0.85
    assert result.pesaran_timmermann_p_value > 0.05
    assert result.score < 0.2


def test_skill_has_a_small_p_value():
    assert symmetric_prediction_accuracy(*sides(130, 70, 120, 80)).pesaran_timmermann_p_value < 1e-3
    assert symmetric_prediction_accuracy(*sides(70, 130, 80, 120)).pesaran_timmermann_p_value > 0.999
