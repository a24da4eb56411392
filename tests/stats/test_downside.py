"""Downside Sensitivity Ratio by hand and at its edges."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.stats.downside import downside_sensitivity_ratio
from signoff.stats.errors import InputError, InsufficientData


def test_it_is_the_root_mean_square_of_losses_over_that_of_gains():
    result = downside_sensitivity_ratio(np.tile([0.03, -0.04, 0.0], 100))

    assert result.ratio == pytest.approx(4 / 3)
    assert result.downside == pytest.approx(np.sqrt(0.04**2 / 3))
    assert (result.n, result.losses, result.gains, result.ties) == (300, 100, 100, 100)


def test_the_threshold_moves_the_line():
    assert downside_sensitivity_ratio(np.tile([0.04, 0.01], 150), threshold=0.02).ratio == pytest.approx(0.5)


def test_no_losses_is_zero_and_no_gains_is_infinite():
    assert downside_sensitivity_ratio([0.01] * 252).ratio == 0
    assert downside_sensitivity_ratio([-0.01] * 252).ratio == inf


def test_nothing_won_or_lost_is_no_answer():
    with pytest.raises(InsufficientData):
        downside_sensitivity_ratio([0.0] * 300)


def test_one_return_is_no_answer():
    with pytest.raises(InsufficientData, match="at least 2"):
        downside_sensitivity_ratio([0.01])


def test_broken_input_is_refused():
    with pytest.raises(InputError, match="row 7"):
        downside_sensitivity_ratio([0.01] * 7 + [np.nan] + [0.01] * 300)
    with pytest.raises(InputError, match="threshold"):
        downside_sensitivity_ratio([0.01] * 300, threshold=np.inf)


@given(st.integers(0, 2**32), st.sampled_from([1e-200, 1e-9, 1.0, 1e9]))
def test_the_scale_does_not_matter_and_turning_the_signs_inverts_it(seed, scale):
    returns = np.random.default_rng(seed).normal(0, 1, 252)
    ratio = downside_sensitivity_ratio(returns).ratio

    assert downside_sensitivity_ratio(returns * scale).ratio == pytest.approx(ratio)
    assert downside_sensitivity_ratio(-returns).ratio == pytest.approx(1 / ratio)
