"""The ratio of two volatilities, by a second derivation, by known numbers, and by its size and power."""

import numpy as np
import pytest

from signoff.stats import InputError, InsufficientData, volatility_ratio


def test_the_ratio_is_that_of_the_standard_deviations_at_every_scale():
    rng = np.random.default_rng(1)
    before, after = rng.normal(0, 1, 300), rng.normal(0, 2, 60)
    for scale in (1e-150, 1.0, 1e150):
        found = volatility_ratio(before * scale, after * scale)
        assert found.value == pytest.approx(after.std(ddof=1) / before.std(ddof=1))
        assert found.low < found.value < found.high


def test_for_normal_samples_the_error_is_the_textbook_one():
    """ln s of a normal sample has variance 1/(2(n − 1)), nearly."""
    rng = np.random.default_rng(2)
    found = volatility_ratio(rng.normal(0, 1, 100_000), rng.normal(0, 1, 100_000), confidence=0.95)
    half = np.log(found.high / found.low) / 2
    assert half == pytest.approx(1.959964 * np.sqrt(1 / 100_000), rel=0.03)
    assert found.kurtosis == pytest.approx(3, abs=0.05)


def test_the_p_value_and_the_interval_say_the_same():
    rng = np.random.default_rng(3)
    before = rng.standard_t(5, 400)
    for factor in (0.5, 0.9, 1.0, 1.2, 2.0):
        found = volatility_ratio(before, factor * rng.standard_t(5, 50), confidence=0.95)
        assert (found.p_value < 0.05) == (not found.low <= 1 <= found.high)


def test_swapping_the_samples_inverts_the_ratio():
    rng = np.random.default_rng(4)
    before, after = rng.normal(0, 1, 100), rng.normal(0, 1.5, 40)
    one, other = volatility_ratio(before, after), volatility_ratio(after, before)
    assert one.value == pytest.approx(1 / other.value)
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize("draw", [lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.standard_t(6, n)])
def test_it_is_wrong_about_as_often_as_it_says_and_sees_a_doubled_volatility(draw):
    rng = np.random.default_rng(5)
    equal = [volatility_ratio(draw(rng, 500), draw(rng, 40)).p_value for _ in range(1500)]
    doubled = [volatility_ratio(draw(rng, 500), 2 * draw(rng, 40)).p_value for _ in range(300)]
    assert 0.02 < np.mean(np.array(equal) < 0.05) < 0.09
    assert np.mean(np.array(equal) < 0.01) < 0.03
    assert np.mean(np.array(doubled) < 0.01) > 0.8


@pytest.mark.parametrize(
    ("current", "error"),
    [(np.ones(30), InsufficientData), (np.arange(19.0), InsufficientData), (np.full(30, np.nan), InputError)],
)
def test_what_says_nothing_is_refused(current, error):
    with pytest.raises(error):
        volatility_ratio(np.random.default_rng(1).normal(0, 1, 100), current)
