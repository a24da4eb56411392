"""Crowds and poor trials by exact values: the bounds at which a window, a crowd and a poor trial begin."""

from itertools import pairwise
from math import erf, log, sqrt

import numpy as np
import pytest

from signoff.stats.crowds import _densest, _divergence, _within, crowd, poor


def unrelated(_places):
    return 0.0


def normal(below):
    return (1 + erf(below / sqrt(2))) / 2


def spread(count, *, by=1.0):
    """Ratios at the quantiles of a normal distribution, so that no window is denser than chance."""
    grid = np.linspace(-6, 6, 20001)
    cumulative = np.array([normal(x) for x in grid])
    return by * np.interp((np.arange(count) + 0.5) / count, cumulative, grid)


class TestDivergence:
    @pytest.mark.parametrize(("share", "chance"), [(0.5, 0.1), (0.9, 0.2), (0.11, 0.1), (1.0, 0.25)])
    def test_it_is_that_of_two_coins(self, share, chance):
        beyond = 0.0 if share == 1 else (1 - share) * log((1 - share) / (1 - chance))

        assert _divergence(np.array([share]), np.array([chance]))[0] == pytest.approx(
            share * log(share / chance) + beyond
        )

    @pytest.mark.parametrize(("share", "chance"), [(0.1, 0.1), (0.1, 0.5), (0.0, 0.3)])
    def test_a_share_that_is_not_larger_says_nothing(self, share, chance):
        assert _divergence(np.array([share]), np.array([chance]))[0] == 0

    @pytest.mark.parametrize(("share", "chance", "found"), [(0.5, 0.0, 13.12236), (1.0, 0.0, 27.63102)])
    def test_a_chance_of_nothing_is_held_at_one_in_a_million_million(self, share, chance, found):
        assert _divergence(np.array([share]), np.array([chance]))[0] == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize(
    ("low", "middle", "mean", "deviation"), [(0.0, 0.5, 0.0, 1.0), (-1.0, 0.25, 0.5, 2.0), (1.0, 1.5, -1.0, 0.5)]
)
def test_a_window_is_as_wide_above_its_middle_as_below(low, middle, mean, deviation):
    high = middle + (middle - low)
    expected = normal((high - mean) / deviation) - normal((low - mean) / deviation)

    assert _within(np.array([low]), np.array([middle]), mean, deviation)[0] == pytest.approx(expected, rel=1e-9)


class TestCrowd:
    @pytest.mark.parametrize("error", [0.0, -1.0])
    def test_without_an_error_nothing_is_told(self, error):
        assert not crowd(np.full(50, 0.3), error, unrelated).any()

    @pytest.mark.parametrize(("count", "out"), [(9, 0), (10, 9), (11, 10), (30, 29)])
    def test_a_crowd_is_told_among_ten_trials_and_the_one_in_its_middle_stays(self, count, out):
        """All of one ratio: ten of them say 10 ln(1/chance), which is more than ln(10 · 9/0.01)."""
        found = crowd(np.full(count, 0.5), 1.0, unrelated)

        assert found.sum() == out
        if out:
            assert np.flatnonzero(~found).tolist() == [count // 2]

    def test_the_members_of_a_crowd_are_those_within_its_window_wherever_they_stand(self):
        sharpes = np.concatenate([spread(40, by=3.0), np.full(25, 1.0)])
        order = np.random.default_rng(2).permutation(65)

        found = crowd(sharpes[order], 1.0, unrelated)

        members = order >= 40
        assert found[~members].sum() <= 1
        assert found[members].sum() >= 24

    def test_each_of_two_crowds_counts_as_one_trial(self):
        sharpes = np.concatenate([spread(30, by=4.0), np.full(30, -2.0), np.full(30, 3.0)])

        found = crowd(sharpes, 1.0, unrelated)

        assert not found[:30].any()
        assert found[30:60].sum() == 29
        assert found[60:].sum() == 29

    def test_eight_crowds_are_the_most(self):
        """Ten of equal size, far from each other: two are left as they are."""
        sharpes = np.repeat(np.arange(10) * 100.0, 40)

        found = crowd(sharpes, 1.0, unrelated).reshape(10, 40).sum(axis=1)

        assert sorted(found.tolist()) == [0, 0, *[39] * 8]

    def test_correlation_is_asked_of_the_trials_places_in_their_own_order(self):
        sharpes = np.concatenate([spread(20, by=5.0)[::-1], np.full(20, 0.1)])
        asked = []

        crowd(sharpes, 1.0, lambda places: asked.append(set(places.tolist())) or 0.0)

        assert asked[0] == set(range(40))
        assert set(range(20, 40)) in asked


class TestDensest:
    """Where the trials of a window agree, and the bound ln(n · 9/0.01) from which chance no longer explains it."""

    def test_places_that_chance_explains_are_none(self):
        assert _densest(spread(60, by=2.0), 1.0, unrelated) is None

    def test_the_narrowest_window_that_holds_all_equals_is_taken(self):
        ordered = np.sort(np.concatenate([spread(20, by=5.0), np.full(20, 0.1)]))

        places = _densest(ordered, 1.0, unrelated)

        assert ordered[places].tolist() == [0.1] * 20
        assert all(after == before + 1 for before, after in pairwise(places.tolist()))

    @pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0])
    def test_a_window_may_be_as_wide_as_two_standard_errors(self, share):
        """Forty at even steps over a window's whole width, among sixty that lie ten times wider than chance."""
        crowded = np.linspace(0.0, 0.999 * share, 400)
        ordered = np.sort(np.concatenate([crowded, 40.0 + spread(60, by=30.0), -40.0 - spread(60, by=30.0)]))

        places = _densest(ordered, 1.0, unrelated)

        assert set(crowded) <= set(ordered[places].tolist())
        assert np.ptp(ordered[places]) <= share + 1e-9

    @pytest.mark.parametrize(("own", "is_crowd"), [(0.0, True), (0.09, True), (0.99, False), (1.0, False)])
    def test_trials_that_correlate_more_than_the_family_agree_for_that_reason(self, own, is_crowd):
        ordered = np.sort(np.concatenate([spread(40, by=5.0), np.linspace(0.1, 0.12, 10)]))

        found = _densest(ordered, 1.0, lambda places: own if places.size < 40 else 0.0)

        assert (found is not None) is is_crowd

    def test_related_families_are_held_to_a_smaller_error(self):
        """At a correlation of 0.96 the ratios lie five times as close; a window is as much narrower."""
        ordered = np.sort(np.concatenate([spread(40, by=5.0), np.linspace(0.0, 1.9, 30)]))

        assert _densest(ordered, 1.0, unrelated) is not None
        assert _densest(ordered, 1.0, lambda _: 0.96) is None


def derived(ordered, error, correlation):
    """The windows one by one, in Python's own numbers, as the docstrings of the module say them."""
    n = len(ordered)
    needed, together = log(n * 9 / 0.01), correlation(range(n))
    alone = error * sqrt(max(1 - together, 1e-6))
    mean = sum(ordered) / n
    deviation = max(sqrt(sum((x - mean) ** 2 for x in ordered) / (n - 1)), alone)

    def says(count, chance):
        share, chance = count / n, min(max(chance, 1e-12), 1 - 1e-12)
        if share <= chance:
            return 0.0
        beyond = 0.0 if share == 1 else (1 - share) * log((1 - share) / (1 - chance))
        return n * (share * log(share / chance) + beyond)

    best, found = needed, None
    for width in (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0):
        windows = []
        for first, low in enumerate(ordered):
            places = [place for place in range(first, n) if ordered[place] <= low + width * alone]
            chance = normal((low + width * alone - mean) / deviation) - normal((low - mean) / deviation)
            windows.append((says(len(places), chance) if len(places) >= 5 else 0.0, -first, places, chance))
        weight, _, places, chance = max(windows)
        if weight <= best:
            continue
        own = correlation(places)
        if own > together + 0.1:
            half = width * alone / 2 / (error * sqrt(max(1 - own, 1e-6)))
            if says(len(places), max(normal(half) - normal(-half), chance)) <= needed:
                continue
        best, found = weight, places
    return found


@pytest.mark.parametrize("seed", range(48))
def test_the_densest_window_by_another_derivation(seed):
    """Families of ten to forty with a crowd of some width and correlation, so that some are told and some are not."""
    rng = np.random.default_rng(seed)
    error, size = float(rng.uniform(0.02, 3.0)), int(rng.integers(4, 16))
    inner, together = float(rng.uniform(0.2, 1.0)), float(rng.choice([0.0, 0.3]))
    crowded = rng.uniform(-1, 1) + rng.uniform(0.0, 0.8) * error * rng.random(size)
    ordered = np.sort(np.concatenate([crowded, rng.normal(0, rng.uniform(0.5, 6) * error, int(rng.integers(6, 25)))]))

    def correlation(places):
        return together if len(places) > ordered.size / 2 else inner if seed % 2 else together + 0.1

    ours, theirs = _densest(ordered, error, correlation), derived(ordered.tolist(), error, correlation)

    assert (None if ours is None else ours.tolist()) == theirs


@pytest.mark.parametrize(("count", "is_crowd"), [(4, False), (5, True)])
def test_a_crowd_has_five_members(count, is_crowd):
    """Equal ones among eight that lie ten thousand times as wide."""
    ordered = np.sort(np.concatenate([np.full(count, 0.5), np.arange(-4, 4) * 1e4]))
    assert (_densest(ordered, 1e-3, unrelated) is not None) is is_crowd


class TestPoor:
    @pytest.mark.parametrize(
        ("sharpes", "found"),
        [
            ([3.0, 3.0, 0.9], [2]),
            ([3.0, 3.0, 1.0], [2]),  # a third of the best one is poor
            ([3.0, 3.0, 1.01], []),
            ([3.0, 2.0, -0.1, 0.4], [2, 3]),  # below 2.5 by more than two errors
            ([3.0, 2.0, 0.5], []),  # by two errors
            ([3.0, 2.0, 0.49], [2]),
            ([0.0, -5.0], []),  # a best one that is not above zero has no better half
            ([-1.0, -9.0], []),
            ([0.9, 0.9, -2.0], [2]),
        ],
        ids=str,
    )
    def test_the_bounds(self, sharpes, found):
        error = 1.0 if sharpes[1] == 2.0 else 0.5

        flags = poor(np.array(sharpes), error)
        assert np.flatnonzero(flags).tolist() == found
        assert flags.dtype == np.bool_
