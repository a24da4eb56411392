"""Figures that others printed, beside those of STATISTICS.md, which stand with the functions they are about."""

from math import sqrt

import numpy as np
import pytest

from signoff.stats.coverage import christoffersen, kupiec
from signoff.stats.deflated import deflated_sharpe_ratio, expected_maximum_sharpe, minimum_backtest_length
from signoff.stats.drift import kolmogorov_smirnov
from signoff.stats.sequential import mean_difference_sequence
from signoff.stats.symmetry import wilson_bound


@pytest.mark.parametrize(
    ("level", "regions"),
    [
        (0.99, {255: (0, 7), 510: (1, 11), 1000: (4, 17)}),
        (0.975, {255: (2, 12), 510: (6, 21), 1000: (15, 36)}),
        (0.95, {255: (6, 21), 510: (16, 36), 1000: (37, 65)}),
        (0.925, {255: (11, 28), 510: (27, 51), 1000: (59, 92)}),
        (0.90, {255: (16, 36), 510: (38, 65), 1000: (81, 120)}),
    ],
)
def test_the_whole_table_of_regions_that_kupiec_1995_does_not_reject(level, regions):
    """Read as low < x < high. The table prints x < 7 in its first cell; the ratio itself rejects x = 0 there too."""
    found = {
        n: (accepted[0] - 1, accepted[-1] + 1)
        for n in regions
        for accepted in [[x for x in range(n // 4) if kupiec(x, n, level=level).p_value > 0.05]]
    }

    assert found == regions


def hits(quiet, sudden, over, again):
    """A series with exactly these transitions that starts and ends in quiet; `sudden` = `over`."""
    clusters = [[1] * (1 + again), *[[1]] * (sudden - 1)]
    spells = [0] * (quiet + 1)
    for cluster in clusters:
        spells += [*cluster, 0]
    found = np.array(spells)
    assert christoffersen(found).transitions == ((quiet, sudden), (over, again))
    return found


def test_the_example_of_the_matlab_risk_toolbox():
    """`varbacktest.cc`, equity index at 95%: 1,043 days, 57 failures, N00 932, N01 53, N10 53, N11 4."""
    result = christoffersen(hits(932, 53, 53, 4))

    assert (result.unconditional.n, result.unconditional.exceptions) == (1043, 57)
    assert result.unconditional.statistic == pytest.approx(0.46147, abs=5e-6)
    assert result.unconditional.p_value == pytest.approx(0.49694, abs=5e-6)
    assert result.independence.statistic == pytest.approx(0.25866, abs=5e-6)
    assert result.independence.p_value == pytest.approx(0.61104, abs=5e-6)
    assert result.conditional.statistic == pytest.approx(0.72013, abs=5e-6)
    assert result.conditional.p_value == pytest.approx(0.69763, abs=5e-6)


def test_the_exercise_of_jorion_on_bunched_exceptions():
    """Value at Risk, chapter 6, question 10: six exceptions in 252 days at 99%, four of them after another."""
    assert kupiec(6, 252, level=0.99).statistic == pytest.approx(3.498, abs=1e-3)
    assert christoffersen(hits(244, 2, 2, 4), level=0.99).independence.statistic == pytest.approx(25.837, abs=1e-3)


def test_the_bound_of_wilson_is_that_of_r():
    """R's `prop.test(5, 10, conf.level = 0.9, correct = FALSE)` starts at 0.2692718; half of the 10% lies below."""
    assert wilson_bound(0.5, 10) == pytest.approx(0.2692718, abs=5e-8)


def test_the_confidence_sequence_has_the_boundary_of_howard_and_others_2021():
    """Their software's own test: two-sided normal mixture, tuned for 100 at α = 0.05, is 30.35209 at time 100."""
    signs = np.tile([1.0, -1.0], 50)
    result = mean_difference_sequence(signs, np.zeros(100), horizon=100)

    assert 100 * result.upper == pytest.approx(30.35209, abs=5e-6)
    assert 100 * result.lower == pytest.approx(-30.35209, abs=5e-6)


@pytest.mark.parametrize(("trials", "skew", "kurtosis"), [(46, -3, 10), (88, 0, 3)])
def test_how_many_trials_the_example_of_the_deflated_sharpe_ratio_could_bear(trials, skew, kurtosis):
    """The paper's example stays at 0.9505 with 46 trials, and with 88 had the returns been normal."""
    result = deflated_sharpe_ratio(
        2.5 / sqrt(250), 1250, skew=skew, kurtosis=kurtosis, trials=trials, trial_sharpe_variance=0.5 / 250
    )

    assert result.probability == pytest.approx(0.9505, abs=5e-5)


@pytest.mark.parametrize(("trials", "expected"), [(10, 1.57), (45, sqrt(4.998))])
def test_the_expected_best_of_bailey_and_others_2014(trials, expected):
    assert expected_maximum_sharpe(trials, 1.0) == pytest.approx(expected, abs=6e-3)
    assert minimum_backtest_length(trials, 1.0) == pytest.approx(expected**2, abs=2e-2)


def test_five_years_are_enough_for_45_trials_and_not_for_46():
    """Their conclusion: with five years of data no more than 45 independent configurations should be tried."""
    assert minimum_backtest_length(45, 1.0) < 5 < minimum_backtest_length(46, 1.0)


@pytest.mark.parametrize(("distance", "tail"), [(1.2238, 0.10), (1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)])
def test_the_tail_of_kolmogorov_is_that_of_the_tables(distance, tail):
    """Critical values of Smirnov (1948), which the p-value approaches in long samples."""
    n = 200_000
    shift = round(distance * sqrt(2 / n) * n)
    before, after = np.arange(n), np.arange(n) + shift
    result = kolmogorov_smirnov(before, after)

    assert result.value == pytest.approx(shift / n)
    assert result.p_value == pytest.approx(tail, rel=0.01)
