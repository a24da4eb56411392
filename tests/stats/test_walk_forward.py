"""Walk-forward consistency: which windows gained."""

import numpy as np
import pytest

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.performance import sharpe_ratio
from signoff.stats.walk_forward import walk_forward_consistency, windows

GAIN, LOSS = [0.02, -0.01, 0.0], [-0.02, 0.01, 0.0]


def test_windows_that_gained_are_counted():
    result = walk_forward_consistency(np.array([GAIN] * 7 + [LOSS] * 3))

    assert (result.consistency, result.positive, result.n) == (0.7, 7, 10)
    assert result.mean_sharpe == pytest.approx(0.7 * sharpe_ratio(GAIN) + 0.3 * sharpe_ratio(LOSS))


def test_gains_compound_within_a_window():
    """Fifty percent up and forty down average to a gain, and compound to a loss."""
    assert walk_forward_consistency([[0.5, -0.4]] * 10).consistency == 0


@pytest.mark.parametrize("still", [[0.0, 0.0], [0.25, -0.2], [0.29, 0.59, 1 / (1.29 * 1.59) - 1]])
def test_a_window_that_ends_where_it_began_is_not_positive(still):
    result = walk_forward_consistency([still] + [GAIN] * 9)

    assert (result.positive, result.zero, result.n) == (9, 1, 10)


def test_a_window_without_variation_counts_but_has_no_sharpe_ratio():
    result = walk_forward_consistency([[0.0, 0.0, 0.0]] + [GAIN] * 9)

    assert result.constant == 1
    assert result.mean_sharpe == pytest.approx(sharpe_ratio(GAIN))


def test_windows_may_differ_in_length():
    assert walk_forward_consistency([GAIN, [*GAIN, 0.01]] * 5).consistency == 1


def test_few_windows_have_a_share_and_none_has_none():
    assert walk_forward_consistency([GAIN] * 3).consistency == 1
    for given in ([], [[0.01, 0.01]] * 12):
        with pytest.raises(InsufficientData):
            walk_forward_consistency(given)


def test_broken_windows_are_named():
    with pytest.raises(InputError, match="window 2: row 1"):
        walk_forward_consistency([GAIN, GAIN, [0.1, np.nan], *[GAIN] * 9])
    with pytest.raises(InputError, match="one dimension"):
        walk_forward_consistency(np.full(12, 0.01))


def test_the_last_partial_window_is_dropped():
    assert windows(10, 3) == (slice(0, 3), slice(3, 6), slice(6, 9))
    assert windows(2, 3) == ()
    with pytest.raises(InputError, match="window"):
        windows(10, 0)
