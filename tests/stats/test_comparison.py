"""Ledoit and Wolf's test: size, power, and a second derivation of its standard error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.stats.comparison import sharpe_difference_test
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.performance import sharpe_ratio


def records(n=500, seed=0, correlation=0.8, edge=0.0):
    rng = np.random.default_rng(seed)
    market, own, other = rng.standard_t(6, (3, n)) * 0.01
    mix = np.sqrt(1 - correlation)
    return np.sqrt(correlation) * market + mix * own + 0.0003 + edge, np.sqrt(
        correlation
    ) * market + mix * other + 0.0003


def test_the_difference_is_that_of_the_annual_ratios():
    a, b = records()

    result = sharpe_difference_test(a, b)

    assert result.difference == pytest.approx(sharpe_ratio(a) - sharpe_ratio(b))
    assert result.statistic == pytest.approx(result.difference / result.standard_error)
    assert (result.n, result.lags, result.degrees, result.seed) == (500, None, 25, None)  # ⌊0.4 × 500^(2/3)⌋


def test_the_error_of_independent_normal_records_is_that_of_jobson_korkie_and_memmel():
    """Memmel (2003): T var = 2 − 2ρ + (s_a² + s_b² − 2 s_a s_b ρ²)/2 for normal returns."""
    rng = np.random.default_rng(0)
    a = rng.normal(0.05, 1, 200_000)
    b = 0.6 * (a - 0.05) + 0.8 * rng.normal(0, 1, 200_000) + 0.1
    a, b = a / 8, b / 8  # which no ratio feels
    variance = 2 - 1.2 + (0.05**2 + 0.1**2 - 2 * 0.05 * 0.1 * 0.36) / 2

    result = sharpe_difference_test(a, b, periods=1, lags=0)

    assert result.standard_error == pytest.approx(np.sqrt(variance / 200_000), rel=0.01)


def test_equal_ratios_are_rejected_one_time_in_twenty():
    found = [sharpe_difference_test(*records(seed=seed)).p_value for seed in range(800)]

    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.025)


def test_the_bootstrap_agrees_with_the_normal_approximation_on_long_records():
    a, b = records(2000, edge=0.0002)

    plain = sharpe_difference_test(a, b)
    boot = sharpe_difference_test(a, b, method="bootstrap", repetitions=400, seed=1)

    assert boot.p_value == pytest.approx(plain.p_value, abs=0.04)
    assert 0.1 < plain.p_value < 0.7
    assert boot.difference == plain.difference
    assert (boot.block, boot.repetitions, boot.seed) == (boot.lags + 1, 400, 1)


def test_the_bootstrap_rejects_equal_ratios_one_time_in_twenty():
    found = [
        sharpe_difference_test(*records(120, seed=seed), method="bootstrap", repetitions=99, seed=seed).p_value
        for seed in range(150)
    ]

    assert np.mean(np.array(found) <= 0.05) < 0.11


def test_a_large_edge_is_found():
    for method in ("hac", "bootstrap"):
        assert sharpe_difference_test(*records(1000, edge=0.002), method=method, repetitions=199).p_value < 0.01


def test_the_same_seed_gives_the_same_p_value():
    one, other = (sharpe_difference_test(*records(), method="bootstrap", repetitions=50, seed=7) for _ in range(2))

    assert one == other


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 10))
def test_neither_leverage_nor_the_order_matters(seed, leverage):
    a, b = records(60, seed=seed)
    result = sharpe_difference_test(a, b)
    swapped = sharpe_difference_test(b * leverage, a)

    assert swapped.difference == pytest.approx(-result.difference)
    assert swapped.p_value == pytest.approx(result.p_value)


def test_too_little_or_the_same_record_is_no_answer():
    a, b = records()
    for one, other in ((a[:19], b[:19]), (a, a), (a, 3 * a), (a, np.full(500, 0.01)), ([], [])):
        with pytest.raises(InsufficientData):
            sharpe_difference_test(one, other)
    with pytest.raises(InsufficientData, match="blocks"):
        sharpe_difference_test(a, b, method="bootstrap", block=51)


def test_broken_input_is_refused():
    a, b = records()
    with pytest.raises(InputError, match="b: row 4"):
        sharpe_difference_test(a, [*b[:4], np.nan, *b[5:]])
    for wrong in ({"method": "magic"}, {"lags": -1}, {"periods": 0}):
        with pytest.raises(InputError):
            sharpe_difference_test(a, b, **wrong)
    for wrong in ({"block": 0}, {"repetitions": 0}):
        with pytest.raises(InputError):
            sharpe_difference_test(a, b, method="bootstrap", **wrong)
    with pytest.raises(InputError, match="align"):
        sharpe_difference_test(a, b[1:])


def test_the_error_of_a_short_record_by_numerical_differentiation():
    a, b = records(40)
    moments = np.column_stack([a, b, a**2, b**2])

    def difference(means):
        return means[0] / np.sqrt(means[2] - means[0] ** 2) - means[1] / np.sqrt(means[3] - means[1] ** 2)

    centre = moments.mean(axis=0)
    steps = np.eye(4) * 1e-6 * np.abs(centre)
    gradient = np.array([(difference(centre + s) - difference(centre - s)) / (2 * s.sum()) for s in steps])
    covariance = np.cov(moments.T, bias=True) * 40 / 36

    assert sharpe_difference_test(a, b, lags=0, periods=1).standard_error == pytest.approx(
        np.sqrt(gradient @ covariance @ gradient / 40), rel=1e-4
    )


def test_a_resample_without_variation_counts_against_the_difference():
    """Two trades in sixty periods: most resamples hold neither, and say nothing against luck."""
    a, b = np.zeros(60), np.zeros(60)
    a[7], a[20], b[40], b[50] = 0.01, 0.02, -0.01, 0.005

    assert sharpe_difference_test(a, b, method="bootstrap", repetitions=200).p_value > 0.2
