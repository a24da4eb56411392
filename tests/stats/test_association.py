"""Pearson's correlation and Fisher's interval: published figures, coverage, and what is refused."""

import numpy as np
import pytest

from signoff.stats import InputError, InsufficientData, pearson_correlation


def correlated(rng, n, rho):
    x = rng.standard_normal(n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n)


def exactly(n, r):
    """Two records whose sample correlation is r."""
    x = np.linspace(-1, 1, n)
    y = np.resize([1.0, -1.0], n)
    x, y = (v - v.mean() for v in (x, y))
    y -= x * (x @ y) / (x @ x)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    return x, r * x + np.sqrt(1 - r * r) * y


def test_a_textbook_interval():
    """r = 0.6 with n = 34: artanh 0.6 = 0.6931, half width 1.96/√31 = 0.3520: tanh 0.3411 and tanh 1.0452."""
    result = pearson_correlation(*exactly(34, 0.6), method="fisher")

    assert result.correlation == pytest.approx(0.6)
    assert (result.low, result.high) == pytest.approx((0.3285, 0.7799), abs=1e-4)
    assert result.n == 34


def test_it_is_numpys_correlation():
    x, y = correlated(np.random.default_rng(0), 500, -0.3)

    assert pearson_correlation(x, y).correlation == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng, worlds, covered = np.random.default_rng(1), 2000, 0
    for _ in range(worlds):
        result = pearson_correlation(*correlated(rng, 40, 0.7), confidence=0.9)
        covered += result.low <= 0.7 <= result.high

    assert abs(covered / worlds - 0.9) < 4 * np.sqrt(0.9 * 0.1 / worlds)


def test_scale_and_order_change_nothing_and_a_sign_turns_it_round():
    x, y = correlated(np.random.default_rng(2), 100, 0.5)
    plain = pearson_correlation(x, y)

    assert pearson_correlation(1e-9 * x + 4, 1e6 * y).correlation == pytest.approx(plain.correlation)
    assert pearson_correlation(y, x).low == pytest.approx(plain.low)
    assert pearson_correlation(x, -y).high == pytest.approx(-plain.low)


def test_a_perfect_correlation_has_no_width():
    x = np.arange(10.0)

    assert (pearson_correlation(x, 2 * x).low, pearson_correlation(x, -x).high) == (1.0, -1.0)


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 1.5, np.nan])
def test_a_confidence_outside_of_zero_to_one_is_refused(confidence):
    with pytest.raises(InputError, match="confidence"):
        pearson_correlation([1, 2, 3, 4], [2, 1, 4, 3], confidence=confidence)


def test_what_says_nothing_is_insufficient_or_refused():
    with pytest.raises(InsufficientData):
        pearson_correlation([1, 2, 3], [1, 3, 2])
    with pytest.raises(InsufficientData):
        pearson_correlation([1, 1, 1, 1], [1, 3, 2, 4])
    with pytest.raises(InputError, match="row 2"):
        pearson_correlation([1, 2, np.nan, 4], [1, 3, 2, 4])
