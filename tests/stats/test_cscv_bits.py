"""The compiled cross-validation gives what plain numpy gives, to the last bit, whatever the family and the threads."""

import itertools
from dataclasses import fields

import numba
import numpy as np
import pytest
from plain_cscv import plain

from signoff.stats.overfitting import probability_of_backtest_overfitting as cscv
from signoff.stats.overfitting import unchoosable
from signoff.stats.returns import as_lived


def noise(rows=163, columns=9, seed=1):
    return np.random.default_rng(seed).normal(0.0003, 0.01, (rows, columns))


def zeroed(where, columns=slice(None), rows=160, count=6):
    trials = noise(rows, count)
    trials[where, columns] = 0
    return trials


def outliers():
    trials = noise()
    trials[7, 3], trials[100, 5] = 1e6, -1e9
    return trials


def quiet_half():
    trials = noise(160, 5)
    trials[:80] = 0.3 + trials[:80] * 1e-7
    return trials


def dim_halves():
    trials = noise(160, 5)
    trials[:80, 1] *= 1e-9
    trials[80:, 2] *= 1e-12
    return trials


FAMILIES = {
    **{f"S = {s}": (noise(s * 9 + s // 2, 2 + s), s) for s in (2, 4, 6, 8, 10, 12, 14)},
    **{f"N = {n}": (noise(columns=n), 8) for n in (2, 3, 31, 32, 33, 65)},
    **{f"T = {t}": (noise(rows=t), 10) for t in (40, 41, 49, 99)},
    **{f"times {scale:g}": (noise() * scale, 8) for scale in (1e-12, 1e9, 1e-200, 1e200, 1e-300)},
    "each at a scale of its own": (noise() * 10.0 ** np.linspace(-250, 250, 9), 8),
    "rounded to ties": (np.round(noise(), 2), 8),
    "coins": (np.where(noise() > 0, 0.01, -0.01), 8),
    "copies, multiples, mirrors": (np.hstack([noise(), noise(), 2 * noise(), -noise()]), 8),
    "all one": (np.repeat(noise(columns=1), 5, axis=1), 8),
    "a flat half": (zeroed(slice(0, 80), [2]), 8),
    "both halves flat": (np.hstack([zeroed(slice(0, 80), [2]), zeroed(slice(80, 160), [1])]), 8),
    "late starts": (zeroed(slice(0, 70), slice(0, 6, 2)), 8),
    "every other day": (zeroed(slice(0, 160, 2)), 8),
    "outliers": (outliers(), 8),
    "a large mean": (1 + noise() * 1e-5, 8),
    "a quiet half": (quiet_half(), 8),
    "dim halves": (dim_halves(), 8),
    "only losses": (-np.abs(noise()), 8),
    "only gains": (np.abs(noise()), 8),
    "columns contiguous": (np.asfortranarray(noise()), 8),
    "sixteen partitions": (noise(325, 7), 16),
    "eighteen partitions": (noise(181, 3), 18),
}


@pytest.mark.parametrize(("trials", "partitions"), FAMILIES.values(), ids=FAMILIES)
def test_every_field_is_equal_to_the_last_bit(trials, partitions):
    expected = plain(trials, partitions)
    with as_lived():  # at any scale, what no return has too
        found = cscv(trials, partitions=partitions)

    for field in fields(expected):
        wanted, got = getattr(expected, field.name), getattr(found, field.name)
        if field.name == "slope":
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        elif isinstance(wanted, np.ndarray):
            assert got.tobytes() == wanted.tobytes(), field.name
        else:
            assert got == wanted, field.name


def test_the_number_of_threads_changes_no_bit():
    trials = noise(325, 40)
    most = numba.get_num_threads()
    several = cscv(trials)
    numba.set_num_threads(1)
    try:
        one = cscv(trials)
    finally:
        numba.set_num_threads(most)

    assert one.logits.tobytes() == several.logits.tobytes()
    assert one.out_of_sample_sharpe.tobytes() == several.out_of_sample_sharpe.tobytes()


def by_definition(trials, partitions, share):
    """The best trial's Sharpe ratio against each other one's, half by half."""
    blocks = np.split(trials[trials.shape[0] % partitions :], partitions)
    used = np.concatenate(blocks)
    sharpe = used.mean(axis=0) / used.std(axis=0)
    best = int(np.argmax(sharpe))
    lost = []
    for chosen in itertools.combinations(range(partitions), partitions // 2):
        rows = np.concatenate([blocks[block] for block in chosen])
        ratio = rows.mean(axis=0) / rows.std(axis=0, ddof=1)
        lost.append(ratio < ratio[best])
    return (np.mean(lost, axis=0) >= share) & (sharpe <= sharpe[best] / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.8, 0.99])
def test_junk_is_what_the_best_trial_beats_in_nearly_every_half(seed, share):
    trials = noise(330, 20, seed=seed) + np.linspace(-0.003, 0.002, 20)

    found = unchoosable(trials, partitions=8, share=share)

    assert found.any()
    assert not found.all()
    assert (found == by_definition(trials, 8, share)).all()
