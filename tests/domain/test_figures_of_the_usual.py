"""What is usual for a column, by hand on small tables: layout, every figure, ranges, and the bounds of the unusual."""

from dataclasses import replace
from math import atanh, inf, log, nan, nextafter, sqrt

import numpy as np
import pytest
from live_days import SESSION, baseline, days, features, measured, predictions
from numpy.testing import assert_allclose

from signoff.domain.monitoring import Baseline, Features
from signoff.domain.monitoring import usual as of
from signoff.domain.monitoring.measurement import Earlier
from signoff.domain.monitoring.operational import Outcomes
from signoff.domain.monitoring.plausible import FeatureValues, PredictionValues, unusual_text
from signoff.domain.monitoring.readings import NOT_YET, Figure
from signoff.domain.monitoring.usual import Layout, beyond, figures, range_of, scale_of, unusual, usual, usual_so_far
from signoff.domain.profiles import ApprovedProfile, Range, Usual

FOUR = days(4)


def table(*rows):
    return np.array(rows, dtype=float)


class TestLayout:
    def test_named_rows_stand_in_the_column_of_their_name(self):
        layout = Layout.of(FOUR[[1, 0, 1, 2]], np.array(["B", "B", "A", "C"]))

        assert (layout.days.tolist(), layout.width) == (FOUR[:3].tolist(), 3)
        assert layout.day_of.tolist() == [1, 0, 1, 2]
        assert layout.place.tolist() == [1, 1, 0, 2]
        assert_allclose(layout.table(table(1, 2, inf, 4)), table((nan, 2, nan), (nan, 1, nan), (nan, nan, 4)))

    def test_of_rows_of_one_place_the_last_counts(self):
        layout = Layout.of(FOUR[[0, 0]], np.array(["A", "A"]))
        assert layout.table(table(1, 2)).tolist() == [[2.0]]

    def test_unnamed_rows_stand_in_the_order_in_which_they_come(self):
        layout = Layout.of(FOUR[[1, 0, 1, 1, 0]], None)

        assert (layout.width, layout.place.tolist()) == (3, [0, 0, 1, 2, 1])
        assert_allclose(layout.table(table(1, 2, 3, 4, 5)), table((2, 5, nan), (1, 3, 4)))

    @pytest.mark.parametrize("symbols", [None, np.array([], dtype=np.str_)])
    def test_no_rows_are_no_table(self, symbols):
        layout = Layout.of(days(0), symbols)
        assert (layout.days.size, layout.width) == (0, 0)
        assert layout.table(np.empty(0)).shape == (0, 0)


def mean_distance(*values):
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return sum(abs(value - middle) for value in values) / len(values)


class TestFigures:
    HELD = table((1, 5, nan, 2), (2, nan, nan, nan), (nan, nan, nan, nan), (4, 4, 7, 1))

    def test_sizes_by_hand(self):
        found = figures(self.HELD, 1.0)

        assert set(found) == {of.HIGHEST, of.LOWEST, of.LEVEL, of.SPREAD, of.STEP, of.AGREEMENT, of.STILL}
        assert_allclose(found[of.HIGHEST], [5, 2, nan, 7])
        assert_allclose(found[of.LOWEST], [1, 2, nan, 1])
        assert_allclose(found[of.LEVEL], [2, 2, nan, 4])
        assert_allclose(found[of.SPREAD], [log(mean_distance(1, 5, 2)), nan, nan, log(mean_distance(4, 4, 7, 1))])
        assert_allclose(found[of.STEP], [nan, 1, nan, nan])

    def test_equal_values_have_the_least_spread_that_is_told(self):
        assert_allclose(figures(table((3, 3)), 2.0)[of.SPREAD], log(2e-6))
        assert_allclose(figures(table((3, 3)), 0.0)[of.SPREAD], log(1e-300))

    def test_steps_are_the_largest_of_those_that_have_a_session_before(self):
        assert_allclose(figures(table((1, 5, 0), (3, nan, -1), (4, 9, nan), (4, 3, 8)), 1.0)[of.STEP], [nan, 2, 1, 6])

    def test_sizes_of_predictions(self):
        found = figures(table((1, -8, nan), (0, 0, nan), (nan, nan, nan)), 2.0, alike=True)
        assert_allclose(found[of.SIZE], [log(8), log(2e-6), nan])
        assert_allclose(figures(table((0, 0)), 0.0, alike=True)[of.SIZE], log(1e-300))

    def test_shares_of_equal_values_by_hand(self):
        found = figures(
            table((1, 1, 1, 2, nan), (1, 2, 3, 4, 5), (7, nan, nan, nan, nan), (nan,) * 5, (2, 2, 1, 1, 2)),
            1.0,
            alike=True,
        )
        assert_allclose(found[of.COMMONEST], [0.75, 0.2, nan, nan, 0.6])
        assert_allclose(found[of.DISTINCT], [0.5, 1.0, nan, nan, 0.4])

    @pytest.mark.parametrize(("apart", "distinct"), [(0.9e-3, 0.5), (1.1e-3, 1.0)])
    def test_values_within_a_thousandth_of_the_scale_are_one(self, apart, distinct):
        assert figures(table((0.0, 2 * apart)), 2.0, alike=True)[of.DISTINCT].tolist() == [distinct]

    @pytest.mark.parametrize(("alike", "apart", "share"), [
        (True, 0.9e-3, 1.0), (True, 1.1e-3, 0.0), (False, 0.9e-9, 1.0), (False, 1.1e-9, 0.0),
    ])  # fmt: skip
    def test_what_stands_still_is_within_a_part_of_the_scale(self, alike, apart, share):
        assert_allclose(figures(table((0.0,), (2 * apart,)), 2.0, alike=alike)[of.STILL], [nan, share])

    def test_the_largest_share_of_the_last_five_sessions_counts(self):
        sessions = table((1, 2, 3), (4, 5, 6), (7, 2, 9), (4, 5, nan), (0, 0, 0), (0.5, 0.5, 3), (1, 2, 3))
        assert_allclose(figures(sessions, 1.0)[of.STILL], [nan, 0, 1 / 3, 1, 0, 1 / 3, 1 / 3])
        assert figures(sessions[[0, 4, 4, 4, 4, 0]], 1.0)[of.STILL][-1] == 1.0
        assert figures(sessions[[0, 4, 1, 4, 1, 4, 0]], 1.0)[of.STILL][-1] == 0.0

    def test_agreement_is_a_correlation_of_five_pairs_or_more(self):
        rng = np.random.default_rng(1)
        before, now = rng.normal(size=(2, 6))
        rho = np.corrcoef(before, now)[0, 1]

        assert_allclose(figures(table(before, now), 1.0)[of.AGREEMENT], [nan, atanh(rho)])
        assert_allclose(figures(1e300 * table(before, now), 1.0)[of.AGREEMENT], [nan, atanh(rho)])
        third = rng.normal(size=6)
        third[0] = before[0] = nan
        rhos = [np.corrcoef(*each)[0, 1] for each in ((before[1:], now[1:]), (now[1:], third[1:]))]
        assert_allclose(figures(table(before, now, third), 1.0)[of.AGREEMENT], [nan, *map(atanh, rhos)])
        before[0] = third[0] = 0.3
        holed = np.where(np.arange(6) == 2, nan, now)
        rhos = [np.corrcoef(np.delete(each, 2), np.delete(now, 2))[0, 1] for each in (before, third)]
        assert_allclose(figures(table(before, holed, third), 1.0)[of.AGREEMENT], [nan, *map(atanh, rhos)])
        gap = np.where(np.arange(6) == 2, nan, now)
        five = np.corrcoef(np.delete(before, 2), np.delete(now, 2))[0, 1]
        assert_allclose(figures(table(before, gap), 1.0)[of.AGREEMENT], [nan, atanh(five)])
        gap[4] = nan
        assert_allclose(figures(table(before, gap), 1.0)[of.AGREEMENT], [nan, nan])
        assert_allclose(figures(table(before, np.ones(6)), 1.0)[of.AGREEMENT], [nan, nan])
        assert_allclose(figures(table(before, before), 1.0)[of.AGREEMENT], [nan, atanh(1 - 1e-9)])
        assert_allclose(figures(table(before, -before), 1.0)[of.AGREEMENT], [nan, atanh(-1 + 1e-9)])
        assert_allclose(figures(table(before), 1.0)[of.AGREEMENT], [nan])

    def test_an_empty_table_has_no_figures(self):
        found = figures(np.empty((2, 0)), 1.0, alike=True)
        assert all(np.isnan(values).all() and values.size == 2 for values in found.values())


class TestScale:
    @pytest.mark.parametrize(
        ("values", "found"),
        [
            (np.arange(101.0), 90 / 3.3),
            (np.append(np.arange(101.0), [nan, inf]), 90 / 3.3),
            ([2.0, 2.0], 0.0),
            ([], 0.0),
            ([nan], 0.0),
            ([0.0] * 99 + [1.0], sqrt(0.01 * 0.99)),
            ([-1e308] * 10 + [1e308] * 10, 0.0),
        ],
    )
    def test_it_is_that_of_the_middle_nine_tenths_or_else_of_all(self, values, found):
        assert scale_of(np.array(values)) == pytest.approx(found)


class TestRange:
    def test_all_but_one_in_a_thousand(self):
        values = np.append(np.arange(1001.0), nan)
        assert range_of(values) == Range(least=1.0, median=500.0, most=999.0, n=1001)

    def test_twenty_are_needed(self):
        assert range_of(np.append(np.ones(19), [nan, inf])) is None
        assert range_of(np.ones(20)) == Range(least=1.0, median=1.0, most=1.0, n=20)

    def test_the_usual_ends_as_far_beyond_the_farthest_as_that_is_from_the_median(self):
        known = Range(least=1.0, median=3.0, most=4.0, n=20)
        assert known.low == pytest.approx(-1.0, abs=1e-7)
        assert known.high == pytest.approx(5.0, abs=1e-7)
        assert known.low < -1.0
        assert known.high > 5.0
        assert Range(least=-8.0, median=3.0, most=4.0, n=20).high == 5.0 + 8e-9


KNOWN = Range(least=0.2, median=0.4, most=0.5, n=30)


class TestBeyond:
    @pytest.mark.parametrize("key", [of.LEVEL, of.SPREAD, of.SIZE])
    def test_both_sides_are_unusual_for_some(self, key):
        for value, found in ((KNOWN.low, False), (KNOWN.high, False), (-0.01, True), (0.61, True), (nan, False)):
            assert beyond(key, value, KNOWN, 9) is found

    @pytest.mark.parametrize("key", [of.HIGHEST, of.STEP])
    def test_only_high_ones_for_others(self, key):
        for value, found in ((-9.0, False), (KNOWN.high, False), (nextafter(KNOWN.high, 9), True)):
            assert beyond(key, value, KNOWN, 9) is found

    @pytest.mark.parametrize("key", [of.LOWEST, of.AGREEMENT])
    def test_only_low_ones_for_others_still(self, key):
        for value, found in ((9.0, False), (KNOWN.low, False), (nextafter(KNOWN.low, -9), True)):
            assert beyond(key, value, KNOWN, 9) is found

    @pytest.mark.parametrize(
        ("key", "known", "n", "limit"),
        [
            (of.STILL, Range(least=0.0, median=0.4, most=0.5, n=30), 20, 0.6),  # as far beyond as beyond the median
            (of.STILL, Range(least=0.0, median=0.0, most=0.5, n=30), 20, 0.75),  # or half of the way to all
            (of.STILL, Range(least=0.0, median=0.0, most=0.0, n=30), 20, 1 / 20),  # one of several may stand still
            (of.STILL, Range(least=0.0, median=0.0, most=0.0, n=30), 2, 1 / 2),
            (of.STILL, Range(least=0.0, median=0.0, most=0.0, n=30), 1, 0.0),
            (of.COMMONEST, Range(least=0.0, median=0.4, most=0.5, n=30), 20, 0.6),
            (of.COMMONEST, Range(least=0.0, median=0.0, most=0.0, n=30), 20, 2 / 20),  # or be as one other
            (of.COMMONEST, Range(least=0.0, median=0.0, most=0.0, n=30), 1, 0.0),
        ],
    )
    def test_a_share_that_is_bad_where_it_is_high(self, key, known, n, limit):
        assert not beyond(key, limit + 1e-9, known, n)
        assert beyond(key, limit + 3e-9, known, n)

    @pytest.mark.parametrize(
        ("known", "n", "limit"),
        [
            (Range(least=0.8, median=0.9, most=1.0, n=30), 20, 0.7),
            (Range(least=0.8, median=1.9, most=2.0, n=30), 20, 0.4),
            (Range(least=1.0, median=1.0, most=1.0, n=30), 20, 19 / 20),
            (Range(least=1.0, median=1.0, most=1.0, n=30), 2, 1 / 2),
            (Range(least=1.0, median=1.0, most=1.0, n=30), 1, 1.0),
        ],
    )
    def test_the_share_of_different_values(self, known, n, limit):
        assert not beyond(of.DISTINCT, limit - 0.5e-9, known, n)
        assert beyond(of.DISTINCT, limit - 4e-9, known, n)
        assert not beyond(of.DISTINCT, limit, known, n)

    def test_the_first_unusual_figure_is_told(self):
        known = Usual(scale=1.0, ranges={of.LEVEL: KNOWN, of.STEP: KNOWN})
        now = {of.LEVEL: np.array([9.0, 0.4]), of.STEP: np.array([0.1, 0.9]), of.SIZE: np.array([99.0])}

        assert unusual(now, known, (of.LEVEL, of.STEP), 9) == (of.STEP, 0.9, KNOWN)
        assert unusual(now, known, (of.LEVEL, of.SIZE, of.HIGHEST), 9) is None


class TestUsual:
    PAST = np.random.default_rng(2).normal(size=(40, 6))

    def test_it_holds_the_range_of_every_figure(self):
        found = usual(self.PAST)

        assert found.scale == scale_of(self.PAST)
        assert found.ranges == {key: range_of(values) for key, values in figures(self.PAST, found.scale).items()}
        assert found.is_daily
        assert set(usual(self.PAST, alike=True).ranges) == set(found.ranges) | {of.SIZE, of.COMMONEST, of.DISTINCT}
        assert usual(self.PAST[:19]).ranges == {}

    @pytest.mark.parametrize(("every", "is_daily"), [(1, True), (2, False), (7, False)])
    def test_it_is_daily_where_most_days_have_a_row(self, every, is_daily):
        assert usual(self.PAST, days=days(400)[: 40 * every : every]).is_daily is is_daily
        assert usual(self.PAST[:1], days=days(1)).is_daily

    def test_what_was_unusual_when_it_came_shows_nothing(self):
        damaged = self.PAST.copy()
        damaged[30] *= 50
        sound, found = usual_so_far(self.PAST), usual_so_far(damaged)

        assert found.ranges[of.HIGHEST].most < 6
        assert found.ranges[of.HIGHEST].n == sound.ranges[of.HIGHEST].n - 1
        early = self.PAST.copy()
        early[5] *= 50
        assert usual_so_far(early).ranges[of.HIGHEST].most > 20
        assert usual_so_far(self.PAST[:19]) is None
        assert usual_so_far(self.PAST[:20]).ranges[of.LEVEL].n == 20
        assert usual_so_far(self.PAST).scale == scale_of(self.PAST)

    def test_twenty_different_figures_begin_it_and_of_shares_twenty(self):
        monthly = np.repeat(self.PAST[:10], 4, axis=0)
        found = usual_so_far(monthly, alike=True)

        assert of.LEVEL not in found.ranges
        assert found.ranges[of.STILL].n == 39
        assert found.ranges[of.DISTINCT].n == 40
        assert usual_so_far(np.repeat(self.PAST[:20], 2, axis=0)).ranges[of.LEVEL].n >= 39


class TestWords:
    @pytest.mark.parametrize(
        ("key", "value", "known", "text"),
        [
            (of.HIGHEST, 12345.678, (1, 2, 3), "highest value 1.235e+04, 1 to 3 in 1,234 sessions of training"),
            (of.LOWEST, -0.5, (-1, 2, 3), "lowest value −0.5, −1 to 3 in 1,234 sessions of training"),
            (of.LEVEL, 0.5, (-1, 2, 3), "median 0.5, −1 to 3 in 1,234 sessions of training"),
            (of.SPREAD, log(7), (log(1), 0, log(3)), "spread 7, 1 to 3 in 1,234 sessions of training"),
            (of.SIZE, log(7), (log(1), 0, log(3)), "largest size 7, 1 to 3 in 1,234 sessions of training"),
            (
                of.STEP, 5, (1, 2, 3),
                "largest move since the session before 5, 1 to 3 in 1,234 sessions of training",
            ),
            (
                of.AGREEMENT, atanh(-0.5), (atanh(0.25), 0, atanh(0.75)),
                "correlation with the session before −0.50, 0.25 to 0.75 in 1,234 sessions of training",
            ),
            (
                of.STILL, 0.5, (0.1, 0.2, 0.3),
                "share of values as in an earlier session 50%, 10% to 30% in 1,234 sessions of training",
            ),
            (
                of.COMMONEST, 0.5, (0.1, 0.2, 0.3),
                "share of the commonest value 50%, 10% to 30% in 1,234 sessions of training",
            ),
            (
                of.DISTINCT, 0.5, (0.1, 0.2, 0.3),
                "share of different values 50%, 10% to 30% in 1,234 sessions of training",
            ),
        ],
    )  # fmt: skip
    def test_a_figure_is_said_beside_what_is_usual(self, key, value, known, text):
        least, middle, most = known
        assert unusual_text(key, value, Range(least=least, median=middle, most=most, n=1234), "training") == text


def outcomes(rows=None, **options):
    return Outcomes.of(SESSION, predictions() if rows is None else rows, **options)


class TestFeatureValues:
    PLAIN = Figure(value=0, n=20, needed=1, as_of=SESSION)
    KEYS = (of.HIGHEST, of.LOWEST, of.SPREAD)

    def values(self, unjudged=None, **changes):
        return FeatureValues.of(measured(**changes), unjudged or {})

    def test_the_last_six_sessions_are_looked_at(self):
        found = self.values()

        assert found.layout.days.tolist() == days(6).tolist()
        assert found.layout.width == 20
        assert int(found.recent.sum()) == 120
        assert found.n == 20
        assert found.figures["x"][1] == 20
        later = replace(features(), sessions=features().sessions + 2)
        assert self.values(features=later).layout.days.tolist() == days(6).tolist()
        assert self.values(features=replace(features(), symbols=None)).layout.width == 20

    def test_a_healthy_session(self):
        assert self.values().unusual(self.KEYS) == self.PLAIN
        assert self.values().unusual(self.KEYS, has_past=True) == self.PLAIN

    def test_unusual_and_unjudged_ones_are_counted_and_named(self):
        column = features().columns["x"].copy()
        column[-1] = 1e6
        rows = replace(features(), columns={**features().columns, "x": column})
        known = baseline().columns["x"].usual.ranges[of.HIGHEST]
        fault = f"x: highest value 1e+06, {known.least:.4g} to {known.most:.4g} in 300 sessions of training"

        assert self.values(features=rows).unusual(self.KEYS) == replace(self.PLAIN, value=1, detail=fault)
        assert self.values({"y": "y: gaps"}, features=rows).unusual(self.KEYS) == replace(
            self.PLAIN, value=2, detail=f"y: gaps, {fault}"
        )
        assert self.values({"x": "x: gaps"}, features=rows).unusual(self.KEYS) == replace(
            self.PLAIN, value=1, detail="x: gaps"
        )

    @pytest.mark.parametrize(
        ("changes", "why", "n"),
        [
            ({"features": Features()}, "no feature is journaled for 2019-02-01", 0),
            ({"baseline": Baseline()}, "the training period has no feature", 20),
        ],
    )
    def test_without_features_or_training_nothing_is_judged(self, changes, why, n):
        found = self.values(**changes).unusual(self.KEYS)
        assert found == Figure(value=0, n=n, needed=1, as_of=SESSION if n else None, why=why)

    def test_training_of_too_few_sessions_says_how_many(self):
        short = replace(baseline(), columns={})
        columns = {
            name: replace(each, values=each.values[: 20 * count], sessions=each.sessions[: 20 * count])
            for (name, each), count in zip(baseline().columns.items(), (7, 19), strict=True)
        }
        found = self.values(baseline=replace(short, columns=columns)).unusual(self.KEYS)
        assert found.why == "training has too few sessions to say what is usual: n 19, needs 20"

    def test_the_first_session_waits_and_one_after_a_lost_one_does_not(self):
        first = self.values(features=features(1), lived=1)
        why = "no session before 2019-02-01 to tell what moved: n 0, needs 1"

        assert first.unusual(self.KEYS) == self.PLAIN
        assert first.unusual(self.KEYS, has_past=True) == replace(self.PLAIN, why=why, is_young=True)
        second = self.values(features=features(2), lived=2)
        assert second.unusual(self.KEYS, has_past=True) == self.PLAIN
        lost = self.values(features=features(1), lived=2).unusual(self.KEYS, has_past=True)
        assert (lost.why, lost.is_young) == (
            "the features of 2019-01-31 are missing, and an earlier session is needed to tell what moved",
            False,
        )


class TestPredictionValues:
    PLAIN = Figure(value=0, n=20, needed=1, as_of=SESSION)

    def values(self, rows=None, earlier=None, outcome=None, **changes):
        if rows is not None:
            changes["predictions"] = rows
        if earlier is not None:
            changes["earlier"] = earlier
        own = measured(**changes)
        return PredictionValues.of(own, outcome or outcomes(own.predictions))

    def short(self, n):
        full = measured().earlier
        part = slice(len(full.values) - 20 * n, None)
        return Earlier(
            timestamps=full.timestamps[part],
            sessions=full.sessions[part],
            symbols=full.symbols[part],
            values=full.values[part],
        )

    def test_a_healthy_session(self):
        found = self.values()

        assert (found.sessions, found.why, found.evidence) == (60, "", ())
        assert found.journal[0][1] == "the journal"
        assert found.recent.shape == (6, 20)
        assert found.alike() == found.frozen() == found.out_of_range() == self.PLAIN

    def test_evidence_goes_before_the_journal(self):
        known = usual(np.random.default_rng(1).uniform(-1, 1, (40, 20)), alike=True)
        found = self.values(approved=ApprovedProfile(predictions=known))

        assert found.evidence == ((known, "the evidence"),)
        same = predictions(values=np.full(20, 0.5))
        detail = self.values(same, approved=ApprovedProfile(predictions=known)).alike().detail
        assert detail.startswith("predictions: share of the commonest value 100%, 5% to 10% in 40 sessions of the evid")
        weekly = replace(known, is_daily=False)
        again = predictions(values=measured().earlier.values[-20:])
        still = self.values(again, approved=ApprovedProfile(predictions=weekly)).frozen()
        assert still.detail.endswith("sessions of the journal")
        assert self.values(again, approved=ApprovedProfile(predictions=known)).frozen().detail.endswith("the evidence")

    @pytest.mark.parametrize(
        ("rows", "options", "why"),
        [
            (predictions(0), {}, "no prediction is journaled for 2019-02-01"),
            (predictions(values=np.append(nan, np.ones(19))), {}, "1 of 20 predictions are no number"),
            (predictions(values=None), {}, "20 of 20 predictions are no number"),
            (predictions(failed=20), {}, "none of 20 predictions has a value"),
            (predictions(), {"incomplete": "S07 is lost"}, "S07 is lost"),
        ],
    )
    def test_why_nothing_can_be_said(self, rows, options, why):
        found = self.values(rows, outcome=outcomes(rows, **options))

        assert found.why == why
        for figure in (found.alike(), found.frozen(), found.out_of_range()):
            assert (figure.value, figure.why, figure.detail) == (0, why, "")
            assert figure.as_of == (SESSION if figure.n else None)

    def test_what_failed_has_no_value(self):
        assert np.isnan(self.values(predictions(failed=3)).values).tolist() == [True] * 3 + [False] * 17
        errors = np.append(nan, np.zeros(19))
        assert np.isfinite(self.values(predictions(errors=errors)).values).all()

    @pytest.mark.parametrize(
        ("distinct", "text"),
        [
            (1, "20 predictions have 1 value"),
            (2, "20 predictions have 2 values"),
            (10, "20 predictions have 10 values"),
            (11, ""),
        ],
    )
    def test_few_answers_are_waited_for_while_nothing_shows_what_is_usual(self, distinct, text):
        rows = predictions(values=np.arange(20) % distinct + 0.5)
        waits = Figure(
            n=7, needed=20, as_of=SESSION, is_young=True,
            why=f"{text}, and nothing shows yet whether that is usual: n 7, needs 20 sessions",
        )  # fmt: skip
        found = self.values(rows, earlier=self.short(7), lived=8)

        assert found.journal == ()
        assert found.alike() == (waits if text else self.PLAIN)
        assert found.out_of_range() is NOT_YET

    def test_one_prediction_is_not_few_answers(self):
        rows = predictions(1)
        assert self.values(rows, earlier=self.short(7), outcome=outcomes(rows, needed=1)).alike().why == ""

    def test_a_session_that_comes_again_is_waited_for_too(self):
        again = predictions(values=measured().earlier.values[-20:])
        nearly = predictions(values=np.append(measured().earlier.values[-20:-1], 9.0))
        text = (
            "every prediction is as in an earlier session, and nothing shows yet whether that is usual: n 7, needs 20"
        )

        assert self.values(again, earlier=self.short(7)).frozen().why == f"{text} sessions"
        assert self.values(nearly, earlier=self.short(7)).frozen() == self.PLAIN
        assert self.values(again, earlier=Earlier(), lived=1).frozen() == self.PLAIN

    def test_a_lost_session_before_is_told(self):
        full = measured().earlier
        kept = full.sessions != days(2)[0]
        gone = Earlier(
            timestamps=full.timestamps[kept],
            sessions=full.sessions[kept],
            symbols=full.symbols[kept],
            values=full.values[kept],
        )

        found = self.values(earlier=gone)
        assert found.frozen().why == (
            "the predictions of 2019-01-31 are missing, and an earlier session is needed to tell"
        )
        assert found.alike() == self.PLAIN

    @pytest.mark.parametrize(("lived", "kept", "is_told"), [(21, 19, True), (20, 18, False), (21, 20, False)])
    def test_too_many_lost_sessions_are_told(self, lived, kept, is_told):
        found = self.values(earlier=self.short(kept), lived=lived).out_of_range()
        first = days(21)[0]

        if is_told:
            why = f"of 20 lived sessions 1 have no predictions, the first {first}: n 19, needs 20 to show what is usual"
            assert found == Figure(n=20, needed=1, as_of=SESSION, why=why)
        else:
            assert found in (NOT_YET, self.PLAIN)

    def test_another_size_is_told(self):
        rows = predictions(values=np.linspace(-50, 50, 20))
        found = self.values(rows).out_of_range()

        assert (found.value, found.n, found.why) == (1, 20, "")
        assert found.detail.startswith("predictions: largest size 50, 0.")
        assert found.detail.endswith(" in 60 sessions of the journal")


def test_training_knows_its_symbols_cadence_and_doubled_rows():
    moments = np.datetime64("2019-01-01T21:00:00", "us") + np.array([0, 0, 1, 1, 1], dtype="timedelta64[D]")
    sessions = moments.astype("datetime64[D]")
    names = np.array(["A", "B", "A", "A", "C"])
    found = Baseline.of(moments, sessions, names, {"x": np.arange(5.0)})

    assert found.symbols == {"A", "C"}
    assert (found.duplicates, found.cadence_s, found.pinned) == (1, 86400.0, None)
    assert found.columns["x"].shared.width == 3
    unnamed = Baseline.of(moments, sessions, None, {"x": np.arange(5.0)})
    assert (unnamed.symbols, unnamed.duplicates, unnamed.cadence_s) == (frozenset(), 0, None)
    empty = Baseline.of(moments[:0], sessions[:0], names[:0], {})
    assert (empty.symbols, empty.duplicates, empty.cadence_s) == (frozenset(), 0, None)
    hours = np.append(np.arange(0, 24 * 22, 24), 24 * 20 + 9.6)
    daily = np.datetime64("2019-01-01", "us") + np.sort(hours * 3600).astype("timedelta64[s]")
    again = Baseline.of(daily, daily.astype("datetime64[D]"), np.full(23, "A"), {})
    assert (again.cadence_s, again.duplicates) == (86400.0, 1)  # 0.4 of a bar after another is the same bar
    assert Baseline.of(moments[:3], sessions[:3], names[:3], {}).symbols == {"A"}
    near = Baseline.of(moments[:2], sessions[:2], np.array(["A", "A"]), {})
    assert near.duplicates == 1
