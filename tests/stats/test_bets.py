"""Trials are told apart by what they did: clusters against a slow derivation, whatever the order of the columns."""

import itertools

import numpy as np
import pytest

from signoff.stats.bets import resemblance
from signoff.stats.errors import InputError

LIMIT = 0.95


def cosine(one, other):
    one, other = one - one.mean(), other - other.mean()
    return abs(one @ other) / np.sqrt((one @ one) * (other @ other))


def by_definition(trials, limit):
    """Complete linkage, pair by pair: join the two clusters whose least alike members are the most alike."""
    clusters = [{column} for column in range(trials.shape[1])]
    while True:
        pairs = {
            (i, j): min(cosine(trials[:, a], trials[:, b]) for a in clusters[i] for b in clusters[j])
            for i, j in itertools.combinations(range(len(clusters)), 2)
        }
        if not pairs or max(pairs.values()) <= limit:
            return {frozenset(cluster) for cluster in clusters}
        i, j = max(pairs, key=pairs.get)
        clusters[i] |= clusters[j]
        del clusters[j]


def family(seed, rows=400, columns=14):
    """Random loadings on three factors: correlations of every size and sign."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.01, (rows, 3))
    return factors @ rng.normal(0, 1, (3, columns)) + rng.normal(0, 0.002, (rows, columns))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("limit", [0.5, 0.8, 0.95])
def test_the_clusters_are_those_of_complete_linkage(seed, limit):
    trials = family(seed)

    found = resemblance(trials, lowest=0.5).bets(limit)

    assert {frozenset(bet.columns) for bet in found} == by_definition(trials, limit)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_trials_does_not_matter(seed):
    trials = family(seed, columns=40)
    order = np.random.default_rng(seed).permutation(40)

    one = resemblance(trials, lowest=0.5).bets(0.8)
    other = resemblance(trials[:, order], lowest=0.5).bets(0.8)

    assert {frozenset(bet.columns) for bet in one} == {frozenset(order[list(bet.columns)].tolist()) for bet in other}


SAME = {
    "a copy": lambda x, _: x,
    "twice the leverage": lambda x, _: 2 * x,
    "a thousandth of it": lambda x, _: x / 1000,
    "the reversal": lambda x, _: -x,
    "half the reversal": lambda x, _: -x / 2,
    "noise of a billionth": lambda x, rng: x + 1e-9 * rng.normal(size=x.size),
    "noise of a tenth of its deviation": lambda x, rng: x + 1e-3 * rng.normal(size=x.size),
    "a basis point less a session": lambda x, _: x - 1e-4,
    "reversed, levered and noisy": lambda x, rng: -3 * x + 1e-3 * rng.normal(size=x.size),
}
OTHER = {
    "another draw": lambda x, rng: rng.normal(0, 0.01, x.size),
    "its own yesterday": lambda x, _: np.roll(x, 1),
    "noise as large as itself": lambda x, rng: x + 0.01 * rng.normal(size=x.size),
    "its size without its sign": lambda x, _: np.abs(x) - np.abs(x).mean(),
}


@pytest.mark.parametrize("made", SAME.values(), ids=SAME)
def test_the_same_bet_is_recognised(made):
    rng = np.random.default_rng(1)
    base = rng.normal(0.0004, 0.01, 1500)
    trials = np.column_stack([rng.normal(0, 0.01, 1500), base, rng.normal(0, 0.01, 1500), made(base, rng)])

    assert [bet.columns for bet in resemblance(trials, lowest=0.5).bets(LIMIT)] == [(0,), (1, 3), (2,)]


@pytest.mark.parametrize("made", OTHER.values(), ids=OTHER)
def test_another_bet_stays_another(made):
    rng = np.random.default_rng(1)
    base = rng.normal(0.0004, 0.01, 1500)

    assert len(resemblance(np.column_stack([base, made(base, rng)]), lowest=0.5).bets(LIMIT)) == 2


def test_neighbours_of_a_grid_do_not_join_its_ends():
    """Each is like the next one; the ends have nothing in common, and single linkage would make all one bet."""
    rng = np.random.default_rng(2)
    one, other = rng.normal(0, 0.01, (2, 2000))
    angles = np.linspace(0, np.pi / 2, 30)
    grid = np.cos(angles) * one[:, np.newaxis] + np.sin(angles) * other[:, np.newaxis]

    found = resemblance(grid, lowest=0.5).bets(LIMIT)

    assert 3 <= len(found) <= 8
    for bet in found:
        assert all(cosine(grid[:, a], grid[:, b]) > LIMIT for a, b in itertools.combinations(bet.columns, 2))


def test_a_reversal_is_known_by_its_sign():
    base = np.random.default_rng(3).normal(0.0004, 0.01, 500)

    (bet,) = resemblance(np.column_stack([base, -base, 2 * base]), lowest=0.5).bets(LIMIT)

    assert (bet.columns, bet.reversed, bet.central, bet.sign) == ((0, 1, 2), (1,), 0, 1.0)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_entries_are_refused_by_row_and_column(broken):
    trials = family(0)
    trials[17, 4] = broken

    with pytest.raises(InputError, match="row 17, column 4"):
        resemblance(trials, lowest=0.5)


def test_a_limit_below_what_was_joined_is_refused():
    with pytest.raises(InputError, match="limit"):
        resemblance(family(0), lowest=0.5).bets(0.4)


def rarely(seed, share=0.05):
    """A trial that is at rest on most rows."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(1000) < share, rng.normal(0.001, 0.01, 1000), 0.0)


def after(trial, cost):
    """The trial less a cost on the rows on which it traded."""
    return np.where(trial != 0, trial - cost, 0.0)


COSTS = {
    "on all rows": lambda own: own - 0.002,
    "reversed, on all rows": lambda own: -3 * own - 0.001,
    "where it traded": lambda own: after(own, 0.01),
    "where it traded, with interest where not": lambda own: np.where(own != 0, own - 0.01, 0.0001),
}


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_a_trial_less_a_constant_is_the_same_bet_however_rarely_it_traded(cost, share):
    own, another = rarely(1, share), rarely(2, share)

    bets = resemblance(np.column_stack([cost(own), own, another]), lowest=0.5).bets(LIMIT)

    assert [bet.columns for bet in bets] == [(0, 1), (2,)]
    assert bets[0].central == 1


def test_rare_trials_of_other_days_stay_bets_of_their_own():
    trials = np.column_stack([rarely(seed, 0.02) for seed in range(12)])

    assert len(resemblance(trials, lowest=0.5).bets(LIMIT)) == 12
