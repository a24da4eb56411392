"""The audits beside the replay: restated values, survivors, labels across a split, live against recomputed features."""

from datetime import UTC, date, datetime, timedelta
from math import inf

import numpy as np
import polars as pl
import pytest

from signoff.pit import ReplayError, check, purge, restatements, skew, survivorship, together

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def days(*numbers):
    return [MONDAY + number * DAY for number in numbers]


def frame(**columns):
    return pl.DataFrame(columns)


def shown(report):
    return [(finding.feature, finding.kind, finding.first_date, finding.size, finding.n) for finding in report]


class TestSkew:
    @pytest.fixture
    def logged(self):
        return frame(
            timestamp=days(0, 0, 1, 1, 2, 2),
            symbol=["A", "B"] * 3,
            momentum=[0.1, 0.2, 0.3, 0.4, None, float("nan")],
            sector=["x", "y"] * 3,
            is_liquid=[True, False] * 3,
        )

    def test_equal_features_have_none(self, logged):
        report = skew(logged, logged.sample(fraction=1, shuffle=True, seed=0))

        assert report == ()
        assert (report.dates_checked, report.features_checked, report.rows_checked) == (3, 3, 6)

    def test_every_feature_that_differs_is_named_with_its_first_date_and_largest_size(self, logged):
        second_day = (pl.col("timestamp") == days(1)[0]) & (pl.col("symbol") == "B")
        recomputed = logged.with_columns(
            momentum=pl.col("momentum") + pl.when(second_day).then(0.25).otherwise(0.0),
            sector=pl.when(pl.col("timestamp") > days(0)[0]).then(pl.lit("z")).otherwise("sector"),
        )

        found = {finding.feature: finding for finding in skew(logged, recomputed)}

        assert set(found) == {"momentum", "sector"}
        assert (found["momentum"].first_date, found["momentum"].n, found["momentum"].of) == (days(1)[0], 1, 6)
        assert found["momentum"].size == pytest.approx(0.25)
        assert (found["sector"].first_date, found["sector"].size, found["sector"].share) == (days(1)[0], inf, 4 / 6)

    def test_a_value_that_only_one_side_has_is_a_difference(self, logged):
        recomputed = logged.with_columns(pl.col("momentum").fill_nan(None).fill_null(0.0))

        assert shown(skew(logged, recomputed)) == [("momentum", "skew", days(2)[0], inf, 2)]

    def test_rows_and_features_that_one_side_lacks_are_findings(self, logged):
        recomputed = logged.drop("sector").with_columns(extra=pl.lit(1)).filter(pl.col("timestamp") > days(0)[0])

        assert shown(skew(logged, recomputed)) == [
            ("sector", "missing", days(0)[0], inf, 6),
            ("extra", "missing", days(1)[0], inf, 4),
            ("rows", "missing", days(0)[0], inf, 2),
        ]

    def test_rows_are_joined_exactly_and_never_to_a_neighbour(self, logged):
        late = logged.with_columns(pl.col("timestamp") + timedelta(microseconds=1))

        report = skew(logged, late)

        assert [(finding.kind, finding.n) for finding in report] == [("missing", 6), ("missing", 6)]
        assert report.features_checked == 0

    def test_other_units_and_zones_of_the_same_instant_are_joined(self, logged):
        tokyo = logged.with_columns(pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms"))

        assert skew(logged, tokyo) == ()

    def test_a_feature_without_any_value_is_not_called_checked(self, logged):
        empty = logged.with_columns(momentum=pl.lit(None, pl.Float64))

        report = skew(empty, empty.with_columns(momentum=np.nan))

        assert report == ()
        assert (report.features_checked, report.unchecked_features) == (2, ("momentum",))

    def test_bytes_durations_and_categories_are_compared(self, logged):
        made = logged.with_columns(
            raw=pl.lit(b"\xff"), age=pl.col("timestamp") - days(0)[0], kind=pl.col("sector").cast(pl.Categorical)
        )
        other = made.with_columns(raw=pl.lit(b"\xfe"), age=timedelta(days=-1), kind=pl.lit("x").cast(pl.Categorical))

        assert skew(made, made) == ()
        assert [(finding.feature, finding.n) for finding in skew(made, other)] == [("raw", 6), ("age", 6), ("kind", 3)]

    def test_rounding_is_no_skew_until_it_is_said_to_be(self, logged):
        rounded = logged.with_columns(pl.col("momentum") * (1 + 1e-12))

        assert skew(logged, rounded) == ()
        assert [finding.feature for finding in skew(logged, rounded, tolerance=0.0)] == ["momentum"]

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda made: made.clear(), "nothing to compare"),
            (lambda made: pl.concat([made, made]), "more than one row"),
            (lambda made: made.drop("symbol"), "symbol is missing"),
            (lambda made: made.select("timestamp", "symbol"), "at least one"),
            (lambda made: made.with_columns(pl.col("timestamp").dt.date()), "times in both"),
            (lambda made: made.with_columns(momentum=pl.lit([1.0])), "one plain value"),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, logged, spoil, message):
        with pytest.raises(ReplayError, match=message):
            skew(logged, spoil(logged))
        with pytest.raises(ReplayError, match=message):
            skew(spoil(logged), logged)


class TestPurge:
    def test_labels_that_end_before_the_test_are_clean(self):
        training = frame(timestamp=days(0, 1, 2), label_end=days(3, 4, 5))

        report = purge(training, frame(start=days(6), end=days(9)))

        assert report == ()
        assert (report.rows_checked, report.dates_checked, report.features_checked) == (3, 3, 1)

    def test_labels_that_reach_into_the_test_are_counted_with_the_days_shared(self):
        training = frame(timestamp=days(0, 1, 2, 3), label_end=days(5, 6, 7, 8))

        (finding,) = purge(training, frame(start=days(6), end=days(9)))

        assert (finding.feature, finding.kind, finding.first_date) == ("labels", "purge", days(1)[0])
        assert (finding.n, finding.of, finding.size) == (3, 4, 2.0)

    @pytest.mark.parametrize(
        ("begins", "ends"),
        [(7, 8), (5, 7), (8, 11), (5, 11), (6, 6), (9, 9)],
        ids=["inside", "into", "out of", "around", "touches the start", "touches the end"],
    )
    def test_every_way_of_overlapping_is_found(self, begins, ends):
        training = frame(timestamp=days(begins), label_end=days(ends))

        assert [finding.kind for finding in purge(training, frame(start=days(6), end=days(9)))] == ["purge"]

    def test_training_within_the_embargo_is_found_with_its_depth(self):
        training = frame(timestamp=days(10, 12, 13), label_end=days(11, 13, 14))
        tests = frame(start=days(6), end=days(9), embargo=[3 * DAY])

        assert shown(purge(training, tests)) == [("labels", "embargo", days(10)[0], 2.0, 2)]
        assert purge(training, tests.drop("embargo")) == ()
        assert purge(training, tests.with_columns(embargo=timedelta(0))) == ()

    def test_each_fold_is_held_against_its_own_windows(self):
        training = frame(fold=[1, 1, 2, 2], timestamp=days(0, 1, 0, 7), label_end=days(1, 2, 1, 8))
        tests = frame(fold=[1, 2], start=days(6, 1), end=days(9, 3))

        assert shown(purge(training, tests)) == [("2", "purge", days(0)[0], 0.0, 1)]

    def test_it_agrees_with_a_search_over_every_pair_of_row_and_window(self):
        rng = np.random.default_rng(5)
        starts, lengths = rng.integers(0, 200, 300), rng.integers(0, 8, 300)
        opens = np.sort(rng.choice(200, 12, replace=False))
        closes = opens + rng.integers(0, 6, 12)
        training = frame(timestamp=days(*starts.tolist()), label_end=days(*(starts + lengths).tolist()))
        tests = frame(start=days(*opens.tolist()), end=days(*closes.tolist()), embargo=[2 * DAY] * 12)

        found = {finding.kind: finding.n for finding in purge(training, tests)}

        shares = [
            any(set(range(t, t + n + 1)) & set(range(a, b + 1)) for a, b in zip(opens, closes, strict=True))
            for t, n in zip(starts, lengths, strict=True)
        ]
        follows = [any(b < t <= b + 2 for b in closes) for t in starts]
        assert found == {
            "purge": sum(shares),
            "embargo": sum(f and not s for f, s in zip(follows, shares, strict=True)),
        }

    def test_a_row_without_label_end_is_unverified(self):
        training = frame(timestamp=days(0, 1), label_end=[days(1)[0], None])
        tests = frame(start=days(6), end=days(9))

        assert shown(purge(training, tests)) == [("labels", "unverified", days(1)[0], inf, 1)]
        assert [finding.n for finding in purge(training.with_columns(label_end=None), tests)] == [2]

    def test_dates_are_whole_days(self):
        training = frame(timestamp=[date(2024, 1, 1)], label_end=[date(2024, 1, 3)])
        tests = frame(start=[datetime(2024, 1, 3, 16, tzinfo=UTC)], end=[datetime(2024, 1, 9, tzinfo=UTC)])

        assert [finding.kind for finding in purge(training, tests)] == ["purge"]

    @pytest.mark.parametrize(
        ("training", "tests", "message"),
        [
            ({"timestamp": [], "label_end": []}, {}, "none were given"),
            ({}, {"start": [], "end": []}, "none were given"),
            ({"label_end": days(-1)}, {}, "before it begins"),
            ({}, {"end": days(2)}, "before it begins"),
            ({"fold": [1]}, {}, "only one side has the column fold"),
            ({"fold": [1]}, {"fold": [2]}, "fold 1: found 1 training rows and 0 test windows"),
            ({"fold": [None]}, {"fold": [2]}, "row 0 is empty"),
            ({"timestamp": ["Monday"]}, {}, "parse them"),
            ({}, {"embargo": [3]}, "durations"),
            ({}, {"embargo": [-DAY]}, "≥ 0"),
            ({}, {"embargo": pl.Series([None], dtype=pl.Duration)}, "≥ 0"),
            ({}, {"start": [None]}, "expected dates"),
        ],
    )
    def test_splits_that_cannot_be_judged_are_refused(self, training, tests, message):
        rows = frame(**{"timestamp": days(0), "label_end": days(1)} | training)
        windows = frame(**{"start": days(6), "end": days(9)} | tests)

        with pytest.raises(ReplayError, match=message):
            purge(rows, windows)


class TestSurvivorship:
    @pytest.fixture
    def membership(self):
        return frame(symbol=["LIVES", "DIED", "NEW"], listed_from=days(0, 0, 6), listed_until=[None, days(5)[0], None])

    @staticmethod
    def rows(**symbols):
        return pl.concat(
            [frame(timestamp=days(*numbers), symbol=[name] * len(numbers)) for name, numbers in symbols.items()]
        )

    def test_the_universe_of_its_time_is_clean(self, membership):
        report = survivorship(membership, self.rows(LIVES=range(10), DIED=range(6), NEW=range(6, 10)))

        assert report == ()
        assert (report.dates_checked, report.features_checked, report.rows_checked) == (10, 1, 20)

    def test_names_that_died_and_are_missing(self, membership):
        (finding,) = survivorship(membership, self.rows(LIVES=range(10), NEW=range(6, 10)))

        assert (finding.feature, finding.kind, finding.first_date) == ("universe", "survivorship", days(0)[0])
        assert (finding.n, finding.of, finding.size) == (1, 3, 0.5)
        assert "DIED" in finding.detail
        assert "1 of them have left since" in finding.detail

    def test_a_name_that_is_dropped_before_it_dies(self, membership):
        traded = self.rows(LIVES=range(10), DIED=range(4), NEW=range(6, 10))

        (finding,) = survivorship(membership, traded)

        assert (finding.kind, finding.first_date, finding.n) == ("survivorship", days(4)[0], 1)
        assert survivorship(membership, traded, grace=2) == ()

    def test_names_that_are_there_before_they_were_listed(self, membership):
        (finding,) = survivorship(membership, self.rows(LIVES=range(10), DIED=range(6), NEW=range(3, 10)))

        assert (finding.kind, finding.first_date, finding.n, finding.of) == ("unlisted", days(3)[0], 1, 3)
        assert finding.size == pytest.approx(1 / 3)

    def test_todays_listing_is_held_against_the_universe_through_time(self, membership):
        assert [
            (finding.kind, finding.first_date) for finding in survivorship(membership, frame(symbol=["LIVES"]))
        ] == [("survivorship", days(0)[0])]
        assert [finding.kind for finding in survivorship(membership, frame(symbol=["LIVES", "NEW", "DIED"]))] == [
            "unlisted"
        ]

    def test_features_may_take_time_to_fill_and_holidays_are_no_absence(self, membership):
        traded = self.rows(LIVES=[2, 3, 6, 7, 8, 9], DIED=range(2, 6), NEW=[8, 9], DUAL=[0, 1])
        membership = membership.vstack(frame(symbol=["DUAL"], listed_from=days(0), listed_until=days(1)))

        assert survivorship(membership, traded, warm_up=2) == ()
        assert [finding.n for finding in survivorship(membership, traded)] == [3]

    def test_names_that_the_membership_does_not_know_are_unverified(self, membership):
        traded = self.rows(LIVES=range(10), DIED=range(6), NEW=range(6, 10), WHO=[4])

        assert shown(survivorship(membership, traded)) == [("universe", "unverified", days(4)[0], inf, 1)]

    def test_ten_names_are_shown_and_the_rest_is_counted(self):
        names = [f"N{number:02}" for number in range(13)]
        membership = frame(symbol=["LIVES", *names], listed_from=days(0) * 14, listed_until=[None] * 14)

        (finding,) = survivorship(membership, self.rows(LIVES=range(3)))

        assert finding.detail.endswith("N08, N09 and 3 more")
        assert survivorship(membership[:11], self.rows(LIVES=range(3)))[0].detail.endswith("N08, N09")

    def test_where_no_name_was_due_nothing_was_checked(self, membership):
        report = survivorship(membership, self.rows(LIVES=range(10), DIED=range(6), NEW=range(6, 10)), warm_up=100)

        assert report == ()
        assert report.features_checked == 0

    def test_snapshots_hold_until_the_next_one(self):
        snapshots = frame(timestamp=days(0, 0, 5, 5, 10), symbol=["A", "B", "A", "C", "B"])

        traded = self.rows(A=range(10), B=[*range(5), 10, 11], C=range(5, 10))
        assert survivorship(snapshots, traded) == ()
        assert survivorship(snapshots.select("symbol", date=pl.col("timestamp").dt.date()), traded) == ()
        assert [
            (finding.kind, finding.first_date)
            for finding in survivorship(snapshots, self.rows(A=range(11), B=[0, 1, 2, 10, 11], C=range(5, 10)))
        ] == [("survivorship", days(3)[0]), ("unlisted", days(10)[0])]

    def test_a_name_that_was_listed_twice(self):
        membership = frame(symbol=["A", "A", "B"], listed_from=days(0, 6, 0), listed_until=[days(2)[0], None, None])

        assert survivorship(membership, self.rows(A=[0, 1, 2, 6, 7], B=range(8))) == ()
        assert [finding.first_date for finding in survivorship(membership, self.rows(A=[0, 1, 2], B=range(8)))] == [
            days(6)[0]
        ]

    @pytest.mark.parametrize(
        ("membership", "traded", "message"),
        [
            ({"symbol": [], "listed_from": [], "listed_until": []}, {}, "membership: no rows"),
            ({}, {"symbol": [], "timestamp": []}, "traded names: no rows"),
            ({"symbol": [None]}, {}, "row 0 is empty"),
            ({"listed_until": days(-3)}, {}, "before it is listed"),
            ({"listed_from": ["long ago"]}, {}, "expected dates"),
            ({}, {"timestamp": ["long ago"]}, "expected dates"),
        ],
    )
    def test_what_cannot_be_judged_is_refused(self, membership, traded, message):
        members = frame(**{"symbol": ["A"], "listed_from": days(0), "listed_until": [None]} | membership)
        names = frame(**{"symbol": ["A"], "timestamp": days(0)} | traded)

        with pytest.raises(ReplayError, match=message):
            survivorship(members, names)


class TestRestatements:
    @pytest.fixture
    def published(self):
        """Two quarters, the first revised once: 10 on day 3, 12 from day 8."""
        return frame(
            timestamp=days(0, 0, 5),
            symbol=["A"] * 3,
            available_at=days(3, 8, 9),
            eps=[10.0, 12.0, 20.0],
        )

    def test_every_vintage_at_its_time_is_clean(self, published):
        report = restatements({"fundamentals": published}, {"fundamentals": published})

        assert report == ()
        assert (report.rows_checked, report.features_checked, report.dates_checked) == (3, 1, 2)

    def test_the_revised_value_on_the_date_of_the_first(self, published):
        read = frame(timestamp=days(0, 5), symbol=["A"] * 2, available_at=days(3, 9), eps=[12.0, 20.0])

        (finding,) = restatements({"fundamentals": published}, {"fundamentals": read})

        assert (finding.feature, finding.kind, finding.first_date) == ("fundamentals.eps", "restatement", days(0)[0])
        assert (finding.n, finding.of, finding.size) == (1, 2, 2.0)
        assert "1 of them one that was published later" in finding.detail

    def test_first_prints_alone_show_what_was_revised(self, published):
        first = published.filter(pl.col("eps") != 12.0)
        read = first.with_columns(eps=pl.col("eps") + 0.5)

        assert shown(restatements({"f": first}, {"f": read})) == [("f.eps", "restatement", days(0)[0], 0.5, 2)]

    def test_an_old_value_where_a_newer_was_known_is_stale_and_no_leak(self, published):
        read = published.with_columns(eps=pl.Series([10.0, 10.0, 20.0]))

        assert restatements({"f": published}, {"f": read}) == ()

    def test_a_value_read_before_it_was_published(self, published):
        early = published.with_columns(available_at=pl.col("timestamp") + DAY)[1:]

        assert shown(restatements({"f": published}, {"f": early})) == [("f.eps", "knowledge_time", days(0)[0], inf, 2)]

    def test_a_row_without_first_print_is_unverified(self, published):
        assert shown(restatements({"f": published[:2]}, {"f": published})) == [
            ("f.eps", "unverified", days(5)[0], inf, 1)
        ]

    def test_it_names_the_features_that_would_have_been_other_ones(self, published):
        read = frame(timestamp=days(0, 5), symbol=["A"] * 2, available_at=days(3, 9), eps=[12.0, 20.0])

        def doubled(inputs):
            return inputs["f"].select("timestamp", "symbol", twice=2 * pl.col("eps"), constant=1)

        report = restatements({"f": published}, {"f": read}, compute=doubled)

        assert shown(report)[1:] == [("twice", "restatement", days(0)[0], 4.0, 1)]

    def test_it_names_rows_of_features_that_would_not_have_been_there(self, published):
        report = restatements(
            {"f": published[:2]},
            {"f": published},
            compute=lambda inputs: inputs["f"].unique(["timestamp", "symbol"]).drop("available_at"),
        )

        assert shown(report)[-1] == ("rows", "restatement", days(5)[0], inf, 1)

    def test_an_input_without_first_prints_is_named_as_unchecked(self, published):
        report = restatements({"f": published}, {"f": published, "prices": published})

        assert report.unchecked_features == ("prices",)

    def test_a_column_without_any_value_is_not_called_checked(self, published):
        read = published.with_columns(guidance=pl.lit(None, pl.Float64))

        report = restatements({"f": read}, {"f": read})
        published_only = restatements({"f": read.with_columns(guidance=1.0)}, {"f": read})

        assert (report, report.features_checked, report.unchecked_features) == ((), 1, ("f.guidance",))
        assert [finding.feature for finding in published_only] == ["f.guidance"]
        assert (published_only.features_checked, published_only.unchecked_features) == (2, ())

    def test_market_wide_series_have_no_symbol(self):
        gdp = frame(timestamp=days(0, 0), available_at=days(1, 9), gdp=[2.0, 2.6])

        assert shown(
            restatements({"gdp": gdp}, {"gdp": gdp[1:].with_columns(available_at=gdp["available_at"][:1])})
        ) == [("gdp.gdp", "restatement", days(0)[0], pytest.approx(0.6), 1)]

    def test_what_cannot_be_judged_is_refused(self, published):
        for first, read, message in (
            ({"g": published}, {"f": published}, "no such input"),
            ({"f": published.clear()}, {"f": published}, "nothing can be judged"),
            ({"f": published}, {"f": published.clear()}, "nothing can be judged"),
            ({"f": published.drop("eps")}, {"f": published}, "nothing to judge"),
            ({"f": published.drop("symbol")}, {"f": published}, "only one side"),
            ({"f": pl.concat([published, published])}, {"f": published}, "more than once"),
            ({}, {"f": published}, "none were given"),
        ):
            with pytest.raises(ReplayError, match=message):
                restatements(first, read)


def test_one_report_shows_all_and_counts_the_least_of_its_parts():
    training, tests = frame(timestamp=days(0), label_end=days(7)), frame(start=days(6), end=days(9))
    logged = frame(timestamp=days(0, 1), symbol=["A", "A"], x=[1.0, 2.0])
    replay = check(lambda inputs: inputs["p"], {"p": logged}, sample=3, seed=4)

    report = together(replay, purge(training, tests), skew(logged, logged))

    assert [finding.kind for finding in report] == ["purge"]
    assert report.checks == ("replay", "purge", "skew")
    assert (report.dates_checked, report.features_checked, report.rows_checked, report.seed) == (1, 1, 3, 4)
