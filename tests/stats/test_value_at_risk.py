"""Value at risk: the quantile, what lies beyond it, and forecasts out of sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.value_at_risk import (
    CONVENTIONS,
    EWMA_DECAY,
    conditional_value_at_risk,
    rolling_value_at_risk,
    value_at_risk,
)

METHODS = tuple(CONVENTIONS)


def noise(n=1000, seed=0, scale=0.01):
    return np.random.default_rng(seed).normal(0, scale, n)


def test_the_historical_quantile_lies_between_order_statistics():
    returns = np.random.default_rng(0).permutation(np.arange(-50, 51) / 1000)

    assert value_at_risk(returns).value == pytest.approx(-0.045)
    assert value_at_risk(returns[returns < 0.05]).value == pytest.approx(-0.05 + 0.05 * 99 / 1000)
    assert conditional_value_at_risk(returns).value == pytest.approx(-0.0475)
    assert conditional_value_at_risk(returns).exceedances == 6


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_quantile_of_a_normal_sample(method):
    returns = noise(50_000)
    truth = reference.norm.ppf(0.05) * 0.01

    # The filtered forecast moves with the last volatilities, so it may stray further.
    assert value_at_risk(returns, method=method).value == pytest.approx(
        truth, rel=0.25 if "filtered" in method else 0.03
    )


def test_the_tail_mean_of_a_normal_sample_is_the_textbook_one():
    truth = -reference.norm.pdf(reference.norm.ppf(0.05)) / 0.05 * 0.01

    assert conditional_value_at_risk(noise(200_000)).value == pytest.approx(truth, rel=0.02)


def test_the_filtered_method_by_a_plain_loop():
    returns = noise(300, seed=5)
    variance, shocks = np.mean(returns**2), []
    for value in returns:
        shocks.append(value / np.sqrt(variance))
        variance = EWMA_DECAY * variance + (1 - EWMA_DECAY) * value**2

    assert value_at_risk(returns, method="filtered_historical").value == pytest.approx(
        np.quantile(shocks, 0.05) * np.sqrt(variance)
    )


def test_the_filtered_forecast_follows_volatility():
    calm_then_wild = np.concatenate([noise(500), noise(60, seed=1, scale=0.05)])

    filtered = value_at_risk(calm_then_wild, method="filtered_historical").value
    assert filtered < 1.5 * value_at_risk(calm_then_wild).value


@pytest.mark.parametrize("method", METHODS)
def test_a_forecast_is_the_estimate_from_the_window_before_it_alone(method):
    returns = noise(150)

    result = rolling_value_at_risk(returns, window=100, method=method)
    again = rolling_value_at_risk(np.concatenate([returns[:120], [-0.5] * 30]), window=100, method=method)

    assert result.forecasts == pytest.approx(
        [value_at_risk(returns[start : start + 100], method=method).value for start in range(50)]
    )
    assert (again.forecasts[:21] == result.forecasts[:21]).all()
    assert (result.is_exception == (returns[100:] < result.forecasts)).all()
    assert (result.n, result.exceptions) == (50, result.is_exception.sum())


@given(st.sampled_from(METHODS), st.sampled_from([0.9, 0.95, 0.99]), st.floats(1e-9, 10), st.integers(0, 2**32))
def test_risk_scales_with_the_returns(method, level, scale, seed):
    returns = noise(120, seed=seed)

    assert value_at_risk(returns * scale, level=level, method=method).value == pytest.approx(
        value_at_risk(returns, level=level, method=method).value * scale
    )


def test_a_higher_level_looks_further_into_the_tail():
    assert value_at_risk(noise(), level=0.99).value < value_at_risk(noise(), level=0.9).value


@pytest.mark.parametrize("method", METHODS)
def test_too_little_or_too_uniform_is_no_answer(method):
    for figure in (value_at_risk, conditional_value_at_risk):
        for returns in ([], noise(19), [0.01] * 100):
            with pytest.raises(InsufficientData):
                figure(returns, method=method)
        figure(noise(20), method="historical")
    for returns in (noise(100), np.concatenate([noise(50), np.zeros(101), noise(5)])):
        with pytest.raises(InsufficientData):
            rolling_value_at_risk(returns, window=100, method=method)


def test_a_model_may_put_the_value_at_risk_beyond_every_return():
    """A normal tail has a mean whether or not the sample reaches into it: −σ φ(z)/0.05, with σ² = 1e-4 × 100/99."""
    found = conditional_value_at_risk([0.01, -0.01] * 50, method="parametric")

    assert found.exceedances == 0
    assert found.value == pytest.approx(-0.01 * np.sqrt(100 / 99) * reference.norm.pdf(reference.norm.ppf(0.05)) / 0.05)


def test_broken_input_is_refused():
    with pytest.raises(InputError, match="row 2"):
        value_at_risk([0.1, 0.2, np.nan, *noise()])
    with pytest.raises(InputError, match="method"):
        value_at_risk(noise(), method="magic")
    for level in (0, 1, 95, np.nan):
        with pytest.raises(InputError, match="level"):
            value_at_risk(noise(), level=level)


def test_returns_equal_to_the_value_at_risk_are_in_its_tail_and_are_no_exceptions():
    returns = np.tile([-0.02, *[0.01] * 9], 11)

    assert value_at_risk(returns).value == -0.02
    assert conditional_value_at_risk(returns).value == pytest.approx(-0.02)
    assert rolling_value_at_risk(returns, window=100).exceptions == 0


def test_the_parametric_method_by_hand():
    returns = noise(25)

    assert value_at_risk(returns, method="parametric").value == pytest.approx(
        returns.mean() + reference.norm.ppf(0.05) * returns.std(ddof=1)
    )
