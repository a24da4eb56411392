"""A confidence sequence keeps its promise on every day at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sequential import mean_difference_sequence


def pair(n=250, seed=0, edge=0.0):
    a, b = np.random.default_rng(seed).standard_t(6, (2, n)) * 0.01
    return a + edge, b


def test_watching_every_day_errs_less_than_one_time_in_twenty():
    ever_wrong = [
        result.first_above is not None or result.first_below is not None
        for result in (mean_difference_sequence(*pair(500, seed)) for seed in range(1500))
    ]

    assert np.mean(ever_wrong) <= 0.05


def test_an_ordinary_interval_watched_every_day_errs_far_more_often():
    """Why this module exists."""
    wrong = 0
    for seed in range(300):
        a, b = pair(500, seed)
        count = np.arange(1, 501)
        mean = np.cumsum(a - b) / count
        wrong += (np.abs(mean)[19:] > 1.96 * (a - b).std() / np.sqrt(count)[19:]).any()

    assert wrong / 300 > 0.2


def test_the_bounds_by_hand():
    """At t = 60 = horizon, α = 0.05: ρ² t = 5.9915 + ln 6.9915 = 7.9362, so the width is 0.4190 deviations."""
    a, b = pair(60)
    result = mean_difference_sequence(a, b, minimum=60)

    assert (result.upper - result.estimate) / (a - b).std() == pytest.approx(
        np.sqrt(2 * 8.9362 / (60 * 7.9362) * np.log(np.sqrt(8.9362) / 0.05)), rel=1e-4
    )
    assert result.estimate == pytest.approx((a - b).mean())


def test_an_edge_is_found_and_dated():
    better, worse = (mean_difference_sequence(*pair(edge=edge)) for edge in (0.01, -0.01))

    assert better.lower > 0
    assert better.first_below is None
    assert better.lower_path[better.first_above - better.minimum] > 0
    assert (better.lower_path[: better.first_above - better.minimum] <= 0).all()
    assert worse.first_below is not None
    assert worse.upper < 0


def test_a_forecast_of_yesterday_is_not_changed_by_today():
    a, b = pair()
    long, short = mean_difference_sequence(a, b), mean_difference_sequence(a[:100], b[:100])

    assert long.lower_path[: short.lower_path.size] == pytest.approx(short.lower_path)
    assert long.upper_path[80] == pytest.approx(short.upper)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 1e6))
def test_bounds_scale_with_returns_and_turn_with_the_order(seed, scale):
    a, b = pair(60, seed)
    plain, turned = mean_difference_sequence(a, b), mean_difference_sequence(b * scale, a * scale)

    assert turned.upper == pytest.approx(-plain.lower * scale)
    assert turned.first_above == plain.first_below


def test_too_little_is_no_answer():
    a, b = pair()
    for one, other in ((a[:19], b[:19]), (a, a), (a, a + 0.01), ([], [])):
        with pytest.raises(InsufficientData):
            mean_difference_sequence(one, other)


def test_broken_input_is_refused():
    a, b = pair()
    with pytest.raises(InputError, match="a: row 0"):
        mean_difference_sequence([np.inf, *a[1:]], b)
    for wrong in ({"confidence": 95}, {"horizon": 0}, {"minimum": 1}):
        with pytest.raises(InputError):
            mean_difference_sequence(a, b, **wrong)
