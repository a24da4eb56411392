"""Coverage tests against Kupiec's and Christoffersen's own figures, and by simulation."""

import numpy as np
import pytest
from scipy import stats as reference

from signoff.stats.coverage import christoffersen, kupiec
from signoff.stats.errors import InputError, InsufficientData


@pytest.mark.parametrize(("n", "low", "high"), [(255, 6, 21), (510, 16, 36), (1000, 37, 65)])
def test_the_counts_that_are_not_rejected_are_those_of_kupiec_1995(n, low, high):
    accepted = [x for x in range(n // 5) if kupiec(x, n).p_value > 0.05]

    assert accepted == list(range(low + 1, high))


def test_nine_exceptions_of_250_at_one_percent():
    assert kupiec(9, 250, level=0.99).statistic == pytest.approx(10.2290, abs=5e-5)


@pytest.mark.parametrize("x", [0, 1, 12, 13, 100, 250])
def test_the_statistic_is_twice_the_gap_of_binomial_log_likelihoods(x):
    binomial = reference.binom
    expected = 2 * (binomial.logpmf(x, 250, x / 250) - binomial.logpmf(x, 250, 0.05))

    result = kupiec(x, 250)

    assert result.statistic == pytest.approx(expected)
    assert result.p_value == pytest.approx(reference.chi2.sf(expected, 1))


def test_independence_compares_a_chain_with_a_coin():
    hits = np.tile([0] * 16 + [1, 1, 0, 1], 15)
    result = christoffersen(hits)
    (quiet, sudden), (over, again) = result.transitions
    chain = reference.binom.logpmf(sudden, quiet + sudden, sudden / (quiet + sudden)) + reference.binom.logpmf(
        again, over + again, again / (over + again)
    )
    pooled = (sudden + again) / 299
    coin = reference.binom.logpmf(sudden, quiet + sudden, pooled) + reference.binom.logpmf(again, over + again, pooled)

    assert quiet + sudden + over + again == hits.size - 1
    assert result.independence.statistic == pytest.approx(2 * (chain - coin))
    assert result.conditional.statistic == pytest.approx(result.unconditional.statistic + result.independence.statistic)
    assert result.conditional.p_value == pytest.approx(reference.chi2.sf(result.conditional.statistic, 2))


def test_as_many_exceptions_as_promised_all_in_a_row_are_rejected():
    result = christoffersen([True] * 25 + [False] * 475)

    assert result.unconditional.p_value == pytest.approx(1)
    assert result.independence.p_value < 1e-6
    assert result.conditional.p_value < 1e-6


def test_independent_exceptions_are_rejected_one_time_in_twenty():
    rng = np.random.default_rng(0)
    drawn = [christoffersen(rng.random(2000) < 0.05) for _ in range(1500)]

    for test in ("unconditional", "independence", "conditional"):
        assert np.mean([getattr(result, test).p_value < 0.05 for result in drawn]) == pytest.approx(0.05, abs=0.025)


def test_no_exception_and_only_exceptions_are_rejected_by_their_number():
    for hits in (np.zeros(250), np.ones(250)):
        result = christoffersen(hits)

        assert result.unconditional.p_value < 1e-3
        assert result.conditional.p_value < 1e-3
        assert result.independence.statistic == 0


def test_too_few_forecasts_are_no_answer():
    with pytest.raises(InsufficientData):
        kupiec(0, 19)
    with pytest.raises(InsufficientData):
        kupiec(0, 99, level=0.99)
    for hits in ([], [1], [0] * 19):
        with pytest.raises(InsufficientData):
            christoffersen(hits)


def test_broken_counts_are_refused():
    for exceptions in (-1, 251):
        with pytest.raises(InputError, match="exceptions"):
            kupiec(exceptions, 250)
    with pytest.raises(InputError, match="row 3"):
        christoffersen([0, 1, 0, np.nan] + [0] * 100)
    with pytest.raises(InputError, match="dimension"):
        christoffersen([[0, 1], [1, 0]])
    with pytest.raises(InputError, match="level"):
        kupiec(1, 250, level=95)
