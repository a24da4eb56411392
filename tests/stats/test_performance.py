"""The desk's first figures, by hand and by a second route."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from signoff.stats import performance as p
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.long_run import long_run_covariance
from signoff.stats.sharpe import lo_standard_error

FIGURES = (
    p.sharpe_ratio,
    p.sharpe_standard_error,
    p.annualized_return,
    p.max_drawdown,
    p.hit_rate,
    p.win_loss_ratio,
    p.total_return,
)
RETURNS = hnp.arrays(np.float64, st.integers(5, 60), elements=st.floats(-0.2, 0.2).map(lambda x: round(x, 6)))


def noise(n=500, seed=0, mean=0.0005):
    return np.random.default_rng(seed).normal(mean, 0.01, n)


@pytest.mark.parametrize(("n", "published"), [(12, 0.306), (60, 0.137)])
def test_the_standard_error_is_that_of_lo_2002(n, published):
    assert lo_standard_error(0.5, n) == pytest.approx(published, abs=5e-4)


def test_the_sharpe_ratio_is_mean_over_sample_deviation_annualised():
    assert p.sharpe_ratio([0.01, 0.02, 0.03]) == pytest.approx(0.02 / 0.01 * np.sqrt(252))
    assert p.sharpe_ratio([0.01, 0.02, 0.03], periods=1) == pytest.approx(2)


def test_the_hac_error_of_independent_normal_returns_is_that_of_lo():
    error = p.sharpe_error(noise(200_000), method="hac")

    assert error.standard_error == pytest.approx(lo_standard_error(error.sharpe, error.n), rel=0.04)
    assert error.degrees > 0


def test_the_hac_error_knows_serial_dependence_which_the_simple_one_does_not():
    shocks = noise(40_000, mean=0)
    persistent = shocks[1:] + 0.9 * shocks[:-1]

    ratio = p.sharpe_standard_error(persistent, method="hac") / p.sharpe_standard_error(persistent, method="iid")

    # An MA(1) with θ = 0.9 has long-run over short-run variance (1 + θ)² / (1 + θ²) = 1.99.
    assert ratio == pytest.approx(np.sqrt(1.99), rel=0.08)


def test_the_standard_error_covers_the_spread_of_repeated_samples():
    ratios = [p.sharpe_ratio(noise(252, seed=seed), periods=1) for seed in range(2000)]

    assert np.std(ratios) == pytest.approx(lo_standard_error(0.05, 252), rel=0.05)


def test_returns_compound():
    assert p.annualized_return([0.1, -0.1], periods=2) == pytest.approx(-0.01)
    assert p.annualized_return([0.21] * 12, periods=6) == pytest.approx(1.21**6 - 1)
    assert p.annualized_return([0.5, 0.5, -1.0]) == -1
    assert p.total_return([0.1, 0.1]) == pytest.approx(0.21)


def test_the_starting_capital_is_a_peak():
    assert p.max_drawdown([-0.1, 0.05]) == pytest.approx(-0.1)
    assert p.max_drawdown([0.1, 0.1]) == 0
    assert p.drawdowns([0.25, -0.2, -0.5]) == pytest.approx([0, -0.2, -0.6])


def test_days_without_return_are_neither_hit_nor_miss():
    assert p.hit_rate([0.1, 0, 0, -0.1, 0.2]) == pytest.approx(2 / 3)
    assert p.win_loss_ratio([0.3, 0, -0.1, 0.1]) == pytest.approx(2)


def test_the_information_ratio_is_the_sharpe_ratio_of_the_active_return():
    own, other = noise(seed=1), noise(seed=2)

    assert p.information_ratio(own, other) == pytest.approx(p.sharpe_ratio(own - other))
    with pytest.raises(InsufficientData):
        p.information_ratio(own, own - 0.001)
    with pytest.raises(InputError, match="align"):
        p.information_ratio(own, other[1:])


def test_the_rolling_ratio_is_the_ratio_of_every_window():
    returns = noise(60)

    rolling = p.rolling_sharpe(returns, 20)

    assert rolling == pytest.approx([p.sharpe_ratio(returns[end - 20 : end]) for end in range(20, 61)])
    assert np.isnan(p.rolling_sharpe([0.01] * 5 + [0.02], 5)[0])


@given(RETURNS)
def test_a_drawdown_is_the_worst_of_all_holdings(returns):
    worth = np.concatenate([[1.0], np.cumprod(1 + returns)])
    worst = min(later / earlier - 1 for earlier, later in itertools.combinations(worth, 2))

    assert p.max_drawdown(returns) == pytest.approx(min(worst, 0), abs=1e-12)


@given(RETURNS, st.floats(0.01, 1))
def test_the_sharpe_ratio_does_not_depend_on_the_scale(returns, scale):
    try:
        expected = p.sharpe_ratio(returns)
    except InsufficientData:
        return
    assert p.sharpe_ratio(returns * scale) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("figure", FIGURES)
class TestNothingIsNoNumber:
    @pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
    def test_a_broken_value_is_refused_with_its_row(self, figure, broken):
        with pytest.raises(InputError, match="row 3"):
            figure([0.1, -0.1, 0.1, broken, 0.1])

    def test_an_empty_record_is_too_little(self, figure):
        with pytest.raises(InsufficientData):
            figure([])

    def test_words_and_tables_are_refused(self, figure):
        with pytest.raises(InputError):
            figure(["up", "down"])
        with pytest.raises(InputError):
            figure([[0.1, 0.2], [0.3, 0.4]])


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.003])
def test_a_constant_record_has_no_risk_to_divide_by(constant):
    for figure in (p.sharpe_ratio, p.sharpe_standard_error, p.win_loss_ratio):
        with pytest.raises(InsufficientData):
            figure([constant] * 300)


def test_a_loss_beyond_everything_is_refused():
    for figure in (p.annualized_return, p.max_drawdown, p.total_return):
        with pytest.raises(InputError, match="row 1"):
            figure([0.1, -1.5])
    with pytest.raises(InputError, match="percentages"):
        p.annualized_return([500.0, 800.0])
    with pytest.raises(InputError, match="percentages"):
        p.max_drawdown([1e200, 1e200])


def test_impossible_parameters_are_refused():
    with pytest.raises(InputError, match="periods"):
        p.sharpe_ratio(noise(), periods=0)
    with pytest.raises(InputError, match="method"):
        p.sharpe_standard_error(noise(), method="magic")
    with pytest.raises(InputError, match="lags"):
        p.sharpe_error(noise(50), method="hac", lags=50)
    with pytest.raises(InputError, match="window"):
        p.rolling_sharpe(noise(), 1)


def test_the_hac_error_of_skewed_returns_is_that_of_mertens():
    """Mertens (2002): T var = 1 + SR²/2 − γ₃ SR + (γ₄ − 3) SR²/4, here of an exponential: SR = 1, γ₃ = 2, γ₄ = 9."""
    returns = np.random.default_rng(0).exponential(0.01, 400_000)

    assert p.sharpe_error(returns, method="hac", lags=0).standard_error == pytest.approx(
        np.sqrt((1 + 0.5 - 2 + 6 / 4) / 400_000), rel=0.02
    )


def test_the_long_run_covariance_has_bartlett_weights():
    x = np.array([[1.0], [-2.0], [3.0], [-2.0]])

    # Γ₀ = 18/4 and Γ₁ = (−2 − 6 − 6)/4, which counts twice at weight 1/2.
    assert long_run_covariance(x, 1)[0, 0] == pytest.approx((18 + 2 * 0.5 * -14) / 4)
    assert long_run_covariance(x, 0)[0, 0] == pytest.approx(18 / 4)
