"""CSCV against a brute-force derivation, by Monte Carlo, and at its edges."""

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.overfitting import probability_of_backtest_overfitting as cscv


def noise(rows=320, columns=10, seed=0):
    return np.random.default_rng(seed).normal(0.0002, 0.01, (rows, columns))


def by_brute_force(trials, partitions):
    """The definition, split by split, on the returns themselves."""
    trials = trials[trials.shape[0] % partitions :]
    blocks = np.split(trials, partitions)
    logits, inside, outside = [], [], []
    for chosen in itertools.combinations(range(partitions), partitions // 2):
        training = np.concatenate([blocks[block] for block in chosen])
        testing = np.concatenate([blocks[block] for block in range(partitions) if block not in chosen])
        is_sharpe = training.mean(axis=0) / training.std(axis=0, ddof=1)
        oos_sharpe = testing.mean(axis=0) / testing.std(axis=0, ddof=1)
        best = int(np.argmax(is_sharpe))
        omega = reference.rankdata(oos_sharpe)[best] / (trials.shape[1] + 1)
        logits.append(np.log(omega / (1 - omega)))
        inside.append(is_sharpe[best])
        outside.append(oos_sharpe[best])
    return np.array(logits), np.array(inside), np.array(outside)


@pytest.mark.parametrize(
    ("rows", "columns", "partitions"), [(40, 2, 2), (83, 7, 4), (120, 10, 6), (97, 5, 8), (150, 30, 10), (64, 3, 12)]
)
@pytest.mark.parametrize("level", [0.0, 0.5, -0.5])
def test_it_is_the_definition(rows, columns, partitions, level):
    trials = noise(rows, columns, seed=rows) + level
    logits, inside, outside = by_brute_force(trials, partitions)

    result = cscv(trials, partitions=partitions)

    assert result.logits == pytest.approx(logits, abs=1e-9)
    assert result.in_sample_sharpe == pytest.approx(inside, rel=1e-6)
    assert result.out_of_sample_sharpe == pytest.approx(outside, rel=1e-6)
    assert result.pbo == pytest.approx(np.mean(logits <= 1e-12))
    assert result.pbo_strict == pytest.approx(np.mean(logits < -1e-12))
    assert result.probability_of_loss == np.mean(outside < 0)
    assert result.slope == pytest.approx(np.polyfit(inside, outside, 1)[0], rel=1e-4, abs=1e-9)
    if (inside > 0).any():
        assert result.is_oos_ratio == pytest.approx(np.median((outside / inside)[inside > 0]), rel=1e-6)
    assert result.splits == comb(partitions, partitions // 2) == logits.size
    assert (result.rows_trimmed, result.n) == (rows % partitions, rows - rows % partitions)


def test_sixteen_partitions_are_twelve_thousand_eight_hundred_and_seventy_splits():
    result = cscv(noise(325))

    assert result.splits == 12_870
    assert (result.rows_trimmed, result.n, result.trials) == (5, 320, 10)


def test_the_oldest_rows_are_the_ones_dropped():
    trials = noise(85)
    changed = trials.copy()
    changed[0] = 0.5

    assert (cscv(trials, partitions=12).logits == cscv(changed, partitions=12).logits).all()
    changed[1] = 0.5
    assert (cscv(trials, partitions=12).logits != cscv(changed, partitions=12).logits).any()


def test_true_skill_is_not_overfit():
    trials = noise(640, 20)
    trials[:, 7] += 0.005

    assert cscv(trials).pbo == 0
    assert cscv(trials).probability_of_loss == 0


def test_pure_noise_passes_about_half_of_the_time():
    """No test of skill: STATISTICS.md says that worthless families stay below one half 37 to 53% of the time."""
    found = np.array([cscv(noise(320, 30, seed=seed) - 0.0002, partitions=8).pbo for seed in range(200)])

    assert 0.3 < np.mean(found < 0.5) < 0.6
    assert 0.4 < found.mean() < 0.65


def test_equal_trials_share_their_rank():
    trials = np.repeat(noise(columns=1), 4, axis=1)

    result = cscv(trials, partitions=8)

    # Rank (1 + 2 + 3 + 4) / 4 of 4 is the middle: λ = 0, which PBO counts and its strict variant does not.
    assert (result.logits == 0).all()
    assert (result.pbo, result.pbo_strict, result.ties) == (1, 0, result.splits)


def test_the_first_of_equal_maxima_is_chosen():
    """Both trials are equal in the first block and differ in the second, where the one to the right does better."""
    early, late = noise(50, 1, seed=1), noise(50, 1, seed=2)
    trials = np.column_stack([np.vstack([early, late]), np.vstack([early, late + 0.01])])

    assert cscv(trials, partitions=2).logits[0] == pytest.approx(np.log(1 / 2))
    assert cscv(trials[:, ::-1], partitions=2).logits[0] == pytest.approx(np.log(2))


def test_a_trial_and_its_leveraged_copy_tie():
    trials = noise(columns=4)
    doubled = cscv(np.column_stack([trials, trials * 3.3]), partitions=8)
    copied = cscv(np.column_stack([trials, trials]), partitions=8)

    assert (doubled.logits == copied.logits).all()
    assert doubled.ties == copied.ties == doubled.splits


def test_a_half_without_any_trade_has_sharpe_zero_and_is_counted():
    trials = noise(160, 4)
    trials[:80, 2] = 0
    filled = trials.copy()
    filled[:80:2, 2], filled[1:80:2, 2] = 1e-12, -1e-12  # practically nothing, at Sharpe exactly zero in a full half

    result = cscv(trials, partitions=8)

    assert result.flat_halves == 1
    assert result.logits == pytest.approx(cscv(filled, partitions=8).logits)


def test_a_tiny_spread_around_a_large_mean_keeps_its_digits():
    trials = 0.5 + np.random.default_rng(1).normal(0, 1e-7, (96, 6))
    logits, _, outside = by_brute_force(trials - 0.5 + 0.0, 6)
    result = cscv(trials, partitions=6)

    exact = by_brute_force(trials, 6)
    assert result.out_of_sample_sharpe == pytest.approx(exact[2], rel=1e-6)
    assert result.logits == pytest.approx(exact[0])
    assert logits.size == outside.size == result.splits


def test_a_quiet_half_beside_a_wild_one_keeps_its_digits():
    trials = noise(160, 5)
    trials[:80] = 0.3 + trials[:80] * 1e-7
    logits, inside, outside = by_brute_force(trials, 4)

    result = cscv(trials, partitions=4)

    assert result.logits == pytest.approx(logits)
    assert result.in_sample_sharpe == pytest.approx(inside, rel=1e-5)
    assert result.out_of_sample_sharpe == pytest.approx(outside, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.permutations(range(6)), st.lists(st.integers(-30, 0), min_size=6, max_size=6))
def test_neither_the_order_of_trials_nor_their_scale_matters(seed, order, exponents):
    trials = noise(64, 6, seed=seed)

    expected, found = cscv(trials, partitions=8), cscv(trials[:, order] * 10.0 ** np.array(exponents), partitions=8)

    assert found.logits == pytest.approx(expected.logits)
    assert found.pbo == expected.pbo
    assert found.slope == pytest.approx(expected.slope)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_adding_the_worst_trial_again_cannot_make_the_figures_leave_their_range(seed):
    trials = noise(64, 5, seed=seed)

    result = cscv(np.column_stack([trials, trials[:, 0]]), partitions=4)

    assert 0 <= result.pbo_strict <= result.pbo <= 1
    assert np.isfinite(result.logits).all()


def test_a_family_of_one_is_no_answer():
    for trials in (noise(columns=1), np.empty((100, 0)), np.empty((0, 5)), noise(1), noise(3)):
        with pytest.raises(InsufficientData):
            cscv(trials, partitions=2)


@pytest.mark.parametrize("constant", [0.0, 0.001, 0.1])
def test_a_constant_trial_is_no_answer_and_is_named(constant):
    trials = noise()
    trials[:, 3] = constant

    with pytest.raises(InsufficientData, match="column 3"):
        cscv(trials)


def test_a_trial_with_one_return_over_half_of_the_record_is_no_answer():
    trials = noise(320, 4)
    trials[:160, 2] = 0.001

    with pytest.raises(InsufficientData, match="column 2"):
        cscv(trials)


@pytest.mark.parametrize("partitions", [0, 1, 15, -2, 26])
def test_an_impossible_number_of_partitions_is_refused(partitions):
    with pytest.raises(InputError, match="even"):
        cscv(noise(), partitions=partitions)


def test_more_partitions_than_rows_says_what_to_do():
    with pytest.raises(InputError, match="at most 14"):
        cscv(noise(15), partitions=16)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_entries_are_refused_by_row_and_column(broken):
    trials = noise()
    trials[17, 4] = broken

    with pytest.raises(InputError, match="row 17, column 4"):
        cscv(trials)
    with pytest.raises(InputError, match="two dimensions"):
        cscv(trials[:, 0])
