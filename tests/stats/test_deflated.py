"""Deflated Sharpe ratios against the papers' own figures and by quadrature."""

from math import sqrt

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as reference

from signoff.stats.deflated import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from signoff.stats.errors import InputError, InsufficientData


def test_the_example_of_the_deflated_sharpe_ratio_2014():
    result = deflated_sharpe_ratio(
        2.5 / sqrt(250), 1250, skew=-3, kurtosis=10, trials=100, trial_sharpe_variance=0.5 / 250
    )

    assert result.threshold == pytest.approx(0.1132, abs=5e-5)
    assert result.probability == pytest.approx(0.9004, abs=5e-5)


def test_the_example_of_the_probabilistic_sharpe_ratio_2012():
    probability = probabilistic_sharpe_ratio(1.585 / sqrt(12), 24, skew=-2.448, kurtosis=10.164)

    assert probability == pytest.approx(0.91323, abs=1e-4)


@pytest.mark.parametrize(("periods", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_the_minimum_track_records_of_2012(periods, years):
    length = minimum_track_record_length(2 / sqrt(periods), benchmark=1 / sqrt(periods))

    assert length / periods == pytest.approx(years, abs=5e-3)


def test_the_minimum_backtest_of_2014():
    assert minimum_backtest_length(45, 1.0) == pytest.approx(4.998, abs=1e-3)


@pytest.mark.parametrize(("n", "approximate", "exact"), [(2, 0.520, 0.564), (10, 1.575, 1.539), (100, 2.531, 2.508)])
def test_the_best_of_n_is_near_its_exact_expectation(n, approximate, exact):
    normal = reference.norm
    by_quadrature, _ = integrate.quad(lambda x: x * n * normal.pdf(x) * normal.cdf(x) ** (n - 1), -10, 10)

    assert expected_maximum_sharpe(n, 1.0) == pytest.approx(approximate, abs=5e-4)
    assert by_quadrature == pytest.approx(exact, abs=5e-4)


def test_a_record_as_long_as_the_minimum_has_the_confidence_asked_for():
    length = minimum_track_record_length(0.1, skew=-1, kurtosis=6, benchmark=0.02, confidence=0.9)

    assert probabilistic_sharpe_ratio(0.1, length, skew=-1, kurtosis=6, benchmark=0.02) == pytest.approx(0.9)


def test_the_probability_is_the_share_of_samples_that_show_less():
    """Monte Carlo: with true ratio 0.1, PSR against 0.1 is uniform, so it exceeds 0.95 one time in twenty."""
    samples = np.random.default_rng(0).normal(0.1, 1, (4000, 500))
    drawn = [probabilistic_sharpe_ratio(s.mean() / s.std(ddof=1), 500, benchmark=0.1) for s in samples]

    assert np.mean(np.array(drawn) > 0.95) == pytest.approx(0.05, abs=0.012)


def test_more_trials_deflate_more():
    thresholds = [expected_maximum_sharpe(n, 0.01) for n in (2, 10, 1000, 10**9)]

    assert thresholds == sorted(thresholds)


def test_one_trial_or_equal_trials_are_no_family():
    for trials, variance in ((1, 0.01), (10, 0.0)):
        with pytest.raises(InsufficientData):
            deflated_sharpe_ratio(0.1, 1000, skew=0, kurtosis=3, trials=trials, trial_sharpe_variance=variance)
    with pytest.raises(InsufficientData):
        minimum_backtest_length(1, 1.0)


def test_too_little_is_no_probability():
    with pytest.raises(InsufficientData):
        probabilistic_sharpe_ratio(0.1, 1)
    with pytest.raises(InsufficientData, match="no record"):
        minimum_track_record_length(0.1, benchmark=0.1)


def test_excess_kurtosis_is_noticed():
    with pytest.raises(InputError, match="excess"):
        probabilistic_sharpe_ratio(0.1, 1000, kurtosis=0.0)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_numbers_are_refused(broken):
    for arguments in ({"skew": broken}, {"kurtosis": broken}, {"benchmark": broken}):
        with pytest.raises(InputError):
            probabilistic_sharpe_ratio(0.1, 1000, **arguments)
    with pytest.raises(InputError):
        probabilistic_sharpe_ratio(broken, 1000)
    with pytest.raises(InputError):
        expected_maximum_sharpe(10, broken)
    with pytest.raises(InputError):
        minimum_backtest_length(10, broken)
    with pytest.raises(InputError, match="confidence"):
        minimum_track_record_length(0.1, confidence=0.4)
