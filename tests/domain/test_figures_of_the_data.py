"""What the data-quality and operational metrics say of small tables, whole: value, count, need, date and words."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from live_days import SESSION, SYMBOLS, baseline, days, doubled, features, measured, predictions, with_today

from signoff.domain.monitoring import Baseline, DailyReturns, Features, quality
from signoff.domain.monitoring.cadence import bars, cadence_s
from signoff.domain.monitoring.drift import Drift, TrainingFeature, window_sessions
from signoff.domain.monitoring.measurement import Ahead, Earlier
from signoff.domain.monitoring.metric_inputs import MetricInputs
from signoff.domain.monitoring.operational import (
    Outcomes,
    error_rate,
    gaps,
    latency,
    predicted,
    symbols,
    unflagged,
)
from signoff.domain.monitoring.quality import Doubled
from signoff.domain.monitoring.readings import Figure, some, too_few
from signoff.domain.policy import Policy
from signoff.domain.profiles import ApprovedProfile, Pinned

NONE = "no prediction is journaled for 2019-02-01"


def outcomes(rows=None, **options):
    return Outcomes.of(SESSION, predictions() if rows is None else rows, **options)


def at(*seconds):
    return np.datetime64("2019-02-01T21:00:00", "us") + np.array(seconds, dtype="timedelta64[s]")


class TestOutcomes:
    def test_of_rows_of_one_symbol_and_bar_the_worse_counts(self):
        rows = replace(
            predictions(6),
            timestamps=at(0, 10, 0, 0, 60, 0),
            symbols=np.array(["A", "A", "B", "B", "B", "C"]),
            values=np.array([1.0, 2.0, np.nan, 3.0, 4.0, np.inf]),
            errors=np.array([0.0, 1.0, 0.0, 0.0, np.nan, 0.0]),
            latency_ms=np.array([5.0, 9.0, 7.0, 0.0, -1.0, np.inf]),
        )

        found = Outcomes.of(SESSION, rows, "some are late", 3, 60.0)

        assert found.symbols.tolist() == ["A", "B", "B", "C"]
        assert found.failed.tolist() == [True, False, False, False]
        assert found.unknown.tolist() == [False, True, True, True]
        assert found.unflagged.tolist() == [False, False, True, False]
        assert found.unpredicted.tolist() == [False, True, False, True]
        assert found.untimed.tolist() == [False, False, True, True]
        assert found.latency_ms.tolist() == [9.0, 7.0, -np.inf, -np.inf]
        assert (found.session, found.doubled, found.incomplete, found.needed) == (SESSION, 2, "some are late", 3)
        assert (found.n, found.n_failed, found.slowest.tolist()) == (4, 1, [7.0, 9.0])

    def test_by_default_nothing_is_known_to_be_missing_and_five_are_needed(self):
        found = outcomes()

        assert (found.incomplete, found.needed, found.as_of) == ("", 5, SESSION)
        assert outcomes(predictions(0)).as_of is None
        assert Outcomes.of(SESSION, doubled(predictions(), [0])).doubled == 1
        apart = replace(predictions(2), symbols=np.array(["A", "A"]), timestamps=at(0, 1))
        assert Outcomes.of(SESSION, apart).doubled == 0

    @pytest.mark.parametrize("error", [1.0, -1.0, 0.5])
    def test_an_error_flag_other_than_zero_is_a_failure(self, error):
        assert outcomes(predictions(1, errors=np.array([error]))).n_failed == 1


ERRORS = {
    "none failed": (
        outcomes(),
        Figure(value=0.0, n=20, needed=5, as_of=SESSION, detail="0 of 20 predictions failed", sure=0.0),
    ),
    "three failed": (
        outcomes(predictions(failed=3)),
        Figure(value=15.0, n=20, needed=5, as_of=SESSION, detail="3 of 20 predictions failed", sure=15.0),
    ),
    "as many as are needed": (
        outcomes(predictions(5, failed=1)),
        Figure(value=20.0, n=5, needed=5, as_of=SESSION, detail="1 of 5 predictions failed", sure=20.0),
    ),
    "one fewer": (
        outcomes(predictions(4, failed=1)),
        Figure(
            value=25.0, n=4, needed=5, as_of=SESSION, why="n 4, needs 5; 1 of 4 predictions failed", sure=20.0,
            detail="1 of 4 predictions failed, fewer than the minimum of 5, and those that are missing count as good",
        ),
    ),
    "one fewer and none failed": (
        outcomes(predictions(4)),
        Figure(
            value=0.0, n=4, needed=5, as_of=SESSION, why="n 4, needs 5", sure=0.0,
            detail="0 of 4 predictions failed, fewer than the minimum of 5, and those that are missing count as good",
        ),
    ),
    "all of few failed": (
        outcomes(predictions(2, failed=2)),
        Figure(
            value=100.0, n=2, needed=5, as_of=SESSION, why="n 2, needs 5; 2 of 2 predictions failed", sure=100.0,
            detail="2 of 2 predictions failed, fewer than the minimum of 5, and those that are missing count as good",
        ),
    ),
    "few of a model of few": (
        outcomes(predictions(2, failed=1), needed=2),
        Figure(
            value=50.0, n=2, needed=2, as_of=SESSION, sure=50.0,
            detail="1 of 2 predictions failed, fewer than the minimum of 5",
        ),
    ),
    "no flag": (
        outcomes(predictions(failed=2, errors=np.append([1, 1, np.nan], np.zeros(17)))),
        Figure(
            value=10.0, n=20, needed=5, as_of=SESSION, sure=10.0, detail="2 of 20 predictions failed",
            why="whether 1 of 20 predictions failed is not known; 2 did",
        ),
    ),
    "doubled": (
        outcomes(doubled(predictions(), [0, 1])),
        Figure(
            value=0.0, n=20, needed=5, as_of=SESSION, sure=0.0, detail="0 of 20 predictions failed",
            why="2 rows occur more than once",
        ),
    ),
    "incomplete": (
        outcomes(incomplete="S07 is lost"),
        Figure(value=0.0, n=20, needed=5, as_of=SESSION, sure=0.0, detail="0 of 20 predictions failed",
               why="S07 is lost"),
    ),
    "none": (
        outcomes(predictions(0)),
        Figure(
            n=0, needed=5, why="n 0, needs 5",
            detail="0 of 0 predictions failed, fewer than the minimum of 5, and those that are missing count as good",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_the_error_rate(kind):
    found, figure = ERRORS[kind]
    assert error_rate(found) == figure


def timed(*latencies):
    return predictions(len(latencies), latency_ms=np.array(latencies))


LATENCIES = {
    "of twenty the second largest": (
        outcomes(timed(*range(1, 21))),
        Figure(value=19.0, n=20, needed=5, as_of=SESSION, sure=19.0),
    ),
    "of nineteen the largest": (
        outcomes(timed(*range(19, 0, -1))),
        Figure(value=19.0, n=19, needed=5, as_of=SESSION, sure=19.0),
    ),
    "of five": (outcomes(timed(1, 5, 2, 3, 4)), Figure(value=5.0, n=5, needed=5, as_of=SESSION, sure=5.0)),
    "of four": (
        outcomes(timed(1, 2, 3, 4)),
        Figure(
            value=4.0, n=4, needed=5, as_of=SESSION, sure=4.0, why="n 4, needs 5",
            detail="of 4 latencies, fewer than the minimum of 5",
        ),
    ),
    "of a model of one": (
        outcomes(timed(0.0), needed=1),
        Figure(
            value=0.0, n=1, needed=1, as_of=SESSION, sure=0.0, detail="of 1 latencies, fewer than the minimum of 5"
        ),
    ),
    "with gaps": (
        outcomes(timed(1, 2, 3, 4, 5, -1, np.inf, np.nan)),
        Figure(
            value=5.0, n=5, needed=5, as_of=SESSION, sure=5.0,
            why="3 of 8 latencies are missing, infinite or below zero",
        ),
    ),
    "incomplete": (
        outcomes(timed(1, 2, 3, 4, 5), incomplete="S07 is lost"),
        Figure(value=5.0, n=5, needed=5, as_of=SESSION, sure=5.0, why="S07 is lost"),
    ),
    "none": (
        outcomes(predictions(0)),
        Figure(n=0, needed=5, why="n 0, needs 5", detail="of 0 latencies, fewer than the minimum of 5"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LATENCIES)
def test_the_latency(kind):
    found, figure = LATENCIES[kind]
    assert latency(found) == figure


class TestCounts:
    def test_of_a_healthy_session(self):
        plain = Figure(n=20, needed=1, as_of=SESSION)

        assert predicted(outcomes()) == replace(plain, value=20)
        assert symbols(outcomes()) == replace(plain, value=20)
        assert gaps(outcomes()) == replace(plain, value=0)
        assert unflagged(outcomes()) == replace(plain, value=0)

    def test_of_one_without_predictions(self):
        nothing = Figure(value=0, n=0, needed=1, why=NONE)

        assert [of(outcomes(predictions(0))) for of in (predicted, symbols, gaps, unflagged)] == [nothing] * 4

    def test_a_symbol_is_counted_once_and_named_once(self):
        rows = replace(
            predictions(4),
            symbols=np.array(["A", "A", "B", "C"]),
            timestamps=at(0, 60, 0, 0),
            values=np.array([np.nan, np.nan, 1.0, np.inf]),
            errors=np.array([0.0, 0.0, np.nan, 1.0]),
        )
        found = outcomes(rows)

        assert symbols(found).value == 3
        assert gaps(found) == Figure(
            value=2, n=4, needed=1, as_of=SESSION,
            detail="2 of 4 predictions that are no number and no failure: A",
        )  # fmt: skip
        assert unflagged(found) == Figure(
            value=1, n=4, needed=1, as_of=SESSION, detail="1 of 4 predictions without an error flag: B"
        )


def test_of_many_names_three_are_said():
    assert some([]) == ""
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert too_few(3, 5) == "n 3, needs 5"


class TestFigure:
    @pytest.mark.parametrize(
        ("figure", "known", "at_least", "because"),
        [
            (Figure(value=2), 2.0, 2.0, "it cannot be computed from these data"),
            (Figure(value=2, why="late"), None, None, "late"),
            (Figure(value=2, why="late", sure=1), None, 1.0, "late"),
            (Figure(value=np.nan, sure=1), None, 1.0, "it cannot be computed from these data"),
            (Figure(value=np.inf), None, None, "it cannot be computed from these data"),
            (Figure(value=2, sure=1), 2.0, 2.0, "it cannot be computed from these data"),
            (Figure(n=4, needed=5), None, None, "n 4, needs 5"),
            (Figure(n=5, needed=5, detail="so it is"), None, None, "so it is"),
            (Figure(n=4, detail="so it is"), None, None, "so it is"),
        ],
    )
    def test_what_is_known_and_what_is_sure(self, figure, known, at_least, because):
        assert (figure.known, figure.at_least, figure.because) == (known, at_least, because)


class TestCadence:
    @pytest.mark.parametrize(
        ("seconds", "names", "found"),
        [
            ((), (), None),
            ((0,), ("A",), None),
            ((0, 60), ("A", "B"), None),
            ((0, 60), ("A", "A"), 60.0),
            ((60, 0), ("A", "A"), 60.0),
            ((0, 0, 60), ("A", "A", "A"), 60.0),
            ((0, 60, 90), ("A", "A", "A"), 30.0),
            ((0, 60, 10, 80), ("A", "A", "B", "B"), 60.0),
            ((0, 1), ("A", "A"), 1.0),
        ],
    )
    def test_the_distance_that_nine_in_ten_keep(self, seconds, names, found):
        assert cadence_s(at(*seconds), np.array(names, dtype=np.str_)) == found

    def test_one_distance_in_ten_may_be_shorter(self):
        steps = [10] * 1 + [60] * 10
        of_one = np.cumsum([0, *steps])
        assert cadence_s(at(*of_one), None) == 60.0
        assert cadence_s(at(*np.cumsum([0, 10, 10, *steps])), None) == 10.0

    @pytest.mark.parametrize(("apart", "found"), [(0.0, [0, 0, 1, 2]), (30.0, [0, 0, 1, 2]), (30.000001, [0, 0, 0, 1])])
    def test_rows_at_least_so_far_apart_are_of_two_bars(self, apart, found):
        assert bars(at(0, 0, 30, 90), None, apart).tolist() == found

    def test_bars_are_numbered_by_symbol_and_time_and_told_in_the_order_of_rows(self):
        names = np.array(["B", "A", "B", "A"])
        assert bars(at(60, 0, 0, 60), names, 30.0).tolist() == [3, 0, 2, 1]
        assert bars(at(60, 0, 0, 60), names, 90.0).tolist() == [1, 0, 1, 0]


def without(rows, **names):
    """A table of features less the rows of today's symbols that are named."""
    (gone,) = names.values()
    kept = ~(np.isin(rows.symbols, gone) & (rows.sessions == np.datetime64(SESSION)))
    return replace(
        rows,
        timestamps=rows.timestamps[kept],
        sessions=rows.sessions[kept],
        symbols=rows.symbols[kept],
        columns={name: column[kept] for name, column in rows.columns.items()},
    )


class TestInputs:
    """What several metrics share of a session."""

    def inputs(self, *, is_open=False, **changes):
        return MetricInputs(measured=measured(**changes), policy=Policy(name="p", version="1"), is_open=is_open)

    @pytest.mark.parametrize(("before", "needed"), [(20, 5), (6, 5), (4, 4), (1, 1), (0, 5)])
    def test_a_model_of_few_symbols_needs_no_more_than_it_has(self, before, needed):
        names = frozenset(SYMBOLS[:before])
        assert self.inputs(previous_symbols=names).outcomes.needed == needed
        assert self.inputs(previous_symbols=names, is_open=True).outcomes.needed == needed
        first = replace(baseline(), symbols=names)
        assert self.inputs(previous_symbols=None, baseline=first).outcomes.needed == needed

    def test_lost_symbols_make_a_closed_session_incomplete(self):
        few = predictions(17)
        gone = "no prediction for S17, S18, S19, which the session before had"

        assert self.inputs(predictions=few).outcomes.incomplete == gone
        assert self.inputs(predictions=few, is_open=True).outcomes.incomplete == ""
        assert self.inputs().outcomes.incomplete == ""

    def test_a_row_that_comes_again_within_half_a_bar_is_one_after_the_close(self):
        names = np.array([*SYMBOLS[:19], "S00"])
        rows = replace(predictions(symbols=names), timestamps=at(*[0] * 19, 60))

        assert self.inputs(predictions=rows).outcomes.doubled == 1
        assert self.inputs(predictions=rows, is_open=True).outcomes.doubled == 0

    def test_a_session_has_data_with_predictions_and_a_return(self):
        assert self.inputs().has_data
        assert not self.inputs(predictions=predictions(0)).has_data
        assert not self.inputs(live=DailyReturns()).has_data
        rate = replace(self.inputs(), risk_free_pct=5.0).track.rate
        assert rate == pytest.approx(1.05 ** (1 / 252) - 1)
        assert self.inputs().track.rate == 0.0


class TestSymbols:
    PLAIN = Figure(n=20, as_of=SESSION)

    def added(self, **changes):
        return quality.added_symbols(measured(**changes), outcomes(changes.get("predictions")))

    def gone(self, **changes):
        return quality.gone_symbols(measured(**changes), outcomes(changes.get("predictions")))

    def test_of_a_healthy_session(self):
        assert self.added() == replace(self.PLAIN, value=0)
        assert self.gone() == replace(self.PLAIN, value=0)

    def test_without_predictions(self):
        nothing = Figure(value=0, n=0, why=NONE)
        assert self.added(predictions=predictions(0)) == nothing
        assert self.gone(predictions=predictions(0)) == nothing

    def test_new_ones_are_those_that_nobody_knew_and_those_without_a_feature(self):
        names = np.array([*SYMBOLS[:-1], "NEW"])
        detail = "never seen before this session, or without a feature: NEW"

        assert self.added(predictions=predictions(symbols=names)) == replace(self.PLAIN, value=1, detail=detail)
        assert self.added(features=without(features(), symbols=["S03", "S01"])).detail == detail.replace(
            "NEW", "S01, S03"
        )
        unnamed = replace(features(), symbols=None)
        assert self.added(features=unnamed) == replace(self.PLAIN, value=0)
        assert self.added(features=without(features(), symbols=list(SYMBOLS))) == replace(self.PLAIN, value=0)

    def test_lost_ones_are_those_of_the_session_before_or_of_the_end_of_training(self):
        detail = "no longer predicted: S18, S19"
        short = predictions(18)

        assert self.gone(predictions=short) == Figure(value=2, n=18, as_of=SESSION, detail=detail)
        assert self.gone(predictions=short, previous_symbols=None).value == 2
        assert self.gone(predictions=short, previous_symbols=frozenset(SYMBOLS[:18])).value == 0
        assert quality.lost_symbols(measured(previous_symbols=frozenset({"Z", "Y"}))) == ("Y", "Z")

    @pytest.mark.parametrize(("lived", "is_young"), [(1, True), (2, False)])
    def test_nothing_is_new_where_nothing_is_old_and_only_the_first_session_waits(self, lived, is_young):
        assert self.added(seen=frozenset(), lived=lived) == replace(
            self.PLAIN,
            why="neither the training period nor an earlier session names a symbol",
            is_young=is_young,
        )


def minutes(n, apart_s, name="A"):
    moments = np.datetime64("2019-01-01", "us") + np.arange(n) * np.timedelta64(apart_s, "s")
    return Earlier(
        timestamps=moments,
        sessions=np.repeat(days(n // 2), 2)[:n],
        symbols=np.full(n, name),
        values=np.zeros(n),
    )


class TestApart:
    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({}, 43200.0),
            ({"earlier": minutes(38, 60)}, 0.0),
            ({"earlier": minutes(40, 60)}, 30.0),
            ({"earlier": minutes(40, 60), "approved": ApprovedProfile(cadence_s=10.0)}, 5.0),
            ({"earlier": minutes(40, 60), "approved": ApprovedProfile(cadence_s=100.0)}, 30.0),
            ({"earlier": Earlier(), "approved": ApprovedProfile(cadence_s=100.0)}, 50.0),
            ({"earlier": Earlier(), "approved": ApprovedProfile()}, 0.0),
            ({"earlier": Earlier(), "baseline": replace(baseline(), cadence_s=300.0)}, 150.0),
            (
                {
                    "earlier": Earlier(),
                    "baseline": replace(baseline(), cadence_s=300.0),
                    "approved": ApprovedProfile(cadence_s=100.0),
                },
                50.0,
            ),
            (
                {
                    "earlier": replace(minutes(40, 60), symbols=np.array([f"S{n}" for n in range(40)])),
                    "approved": ApprovedProfile(cadence_s=100.0),
                },
                0.0,
            ),
        ],
    )
    def test_half_of_the_smallest_distance_that_is_known(self, changes, found):
        assert quality.apart_s(measured(**changes)) == found


class TestDoubled:
    def test_every_table_says_how_many_rows_stand_again_and_which_is_the_first(self):
        own = measured()
        live, n = own.live, np.array([*range(20), 19, 18, 18])
        champion = DailyReturns(name="champion's returns", dates=days(3)[[0, 1, 1, 2]], returns=np.zeros(4))
        rows = features()
        again = np.array([*range(rows.sessions.size), 7, 3])
        changed = replace(
            own,
            live=replace(live, dates=live.dates[n], returns=live.returns[n], benchmark=live.benchmark[n]),
            champion=champion,
            predictions=doubled(predictions(), [4, 4, 2]),
            features=replace(
                rows,
                timestamps=rows.timestamps[again],
                sessions=rows.sessions[again],
                symbols=rows.symbols[again],
                columns={name: column[again] for name, column in rows.columns.items()},
            ),
            baseline=replace(baseline(), duplicates=5),
            gross_exposure_pct=np.array([95.0, 95.0, 95.0]),
        )
        tables = (
            Doubled(table="champion's returns", rows=1, first="2019-01-31"),
            Doubled(table="returns", rows=3, first="2019-01-31"),
            Doubled(table="predictions", rows=3, first="S02 at 2019-02-01T21:00:00.000000 UTC"),
            Doubled(table="features", rows=2, first="S03 at 2019-01-13T21:00:00.000000 UTC"),
            Doubled(table="baseline_features", rows=5, first="in training"),
            Doubled(table="exposure", rows=2, first="2019-02-01"),
        )

        assert quality.doubled_rows(changed) == tables
        assert quality.doubled(changed, outcomes(changed.predictions)) == Figure(
            value=16,
            n=603 + 20 + 402,
            as_of=SESSION,
            detail="; ".join(f"{each.table}: {each.rows} row(s) again, first {each.first}" for each in tables),
        )

    def test_a_healthy_measurement_has_none(self):
        assert quality.doubled_rows(measured()) == ()
        assert quality.doubled(measured(), outcomes()) == Figure(value=0, n=600 + 20 + 400, as_of=SESSION)

    def test_features_half_a_bar_apart_are_two_and_nearer_ones_are_one(self):
        moments = at(0, 30)
        rows = Features(timestamps=moments, sessions=days(1)[[0, 0]], symbols=np.array(["A", "A"]), columns={})
        for cadence, found in ((60.0, ()), (61.0, ("features",)), (None, ())):
            own = measured(features=rows, baseline=replace(baseline(), cadence_s=cadence))
            assert tuple(each.table for each in quality.doubled_rows(own)) == found


class TestOrder:
    def test_every_table_says_where_it_steps_back(self):
        own = measured()
        live, history, n = own.live, own.history, np.array([*range(18), 19, 18])
        rows = predictions()
        moments = rows.timestamps.copy()
        moments[[0, 2]] += np.timedelta64(5, "m")
        champion = DailyReturns(name="champion's returns", dates=days(3)[::-1], returns=np.zeros(3))
        changed = replace(
            own,
            history=replace(history, dates=history.dates[::-1]),
            live=replace(live, dates=live.dates[n]),
            champion=champion,
            predictions=replace(rows, timestamps=moments),
            features=replace(features(), timestamps=features().timestamps[::-1]),
        )
        first, last = history.dates[[0, -1]]

        assert quality.unordered(changed) == Figure(
            value=579 + 1 + 2 + 2 + 19,
            n=40,
            as_of=SESSION,
            detail=f"history: {last - 1} comes after {last}; returns: 2019-01-31 comes after 2019-02-01; "
            "champion's returns: 2019-01-31 comes after 2019-02-01; "
            "predictions: 2019-02-01T21:00:00.000000 comes after 2019-02-01T21:05:00.000000; "
            "features: 2019-01-31T21:00:00.000000 comes after 2019-02-01T21:00:00.000000. "
            "Journal rows in the order of their time",
        )
        assert first < last

    def test_a_healthy_measurement_goes_forward(self):
        assert quality.unordered(measured()) == Figure(value=0, n=40, as_of=SESSION)


def test_rows_ahead_are_counted_and_named():
    ahead = (
        Ahead(table="returns", rows=2, newest=date(2019, 3, 1)),
        Ahead(table="features", rows=3, newest=date(2020, 1, 1)),
    )

    assert quality.future_rows(measured(ahead=ahead)) == Figure(
        value=5,
        n=40,
        as_of=SESSION,
        detail="dated after the moment of reading: returns: 2 row(s), up to 2019-03-01, "
        "features: 3 row(s), up to 2020-01-01",
    )
    assert quality.future_rows(measured()) == Figure(value=0, n=40, as_of=SESSION)


class TestMissingFeatures:
    PINNED = Pinned(sha256="a" * 64, features=("y", "z"))

    @pytest.mark.parametrize(
        ("changes", "value", "n", "detail"),
        [
            ({}, 0, 2, ""),
            ({"features": Features()}, 2, 2, "of 2 features of the training period not journaled: x, y"),
            (
                {"baseline": baseline(w=np.ones(6000))},
                1, 3, "of 3 features of the training period not journaled: w",
            ),
            (
                {"approved": ApprovedProfile(features=("x", "v"))},
                1, 3, "of 3 features of the registered version not journaled: v",
            ),
            (
                {"approved": ApprovedProfile(pinned=PINNED)},
                1, 3, "of 3 features of the training period not journaled: z",
            ),
            (
                {"approved": ApprovedProfile(features=("v", "x")), "features": features(v=np.ones(400))},
                1, 3, "of 3 features of the registered version without a reference in baseline_features.parquet: v",
            ),
            (
                {"approved": ApprovedProfile(features=("v", "u")), "features": features(v=np.ones(400))},
                2, 4,
                "of 4 features of the registered version not journaled: u; "
                "without a reference in baseline_features.parquet: v",
            ),
        ],
    )  # fmt: skip
    def test_they_are_counted_and_named(self, changes, value, n, detail):
        assert quality.missing_features(measured(**changes)) == Figure(value=value, n=n, needed=1, detail=detail)

    def test_without_a_feature_there_is_nothing_to_miss(self):
        assert quality.missing_features(measured(baseline=Baseline())) == Figure(
            value=0, n=0, needed=1, why="the training period has no feature"
        )


class TestFeatureGaps:
    def test_a_healthy_session_has_none(self):
        assert quality.feature_gaps(measured()) == Figure(value=0, n=20, needed=1, as_of=SESSION)

    @pytest.mark.parametrize(("gap", "count"), [(np.nan, 1), (np.nan, 20), (np.inf, 3)])
    def test_one_with_gaps_names_them(self, gap, count):
        rows = with_today(features(), "y", [gap] * count)
        said = f"y: {5 * count}% of 20 values are null, NaN or infinite, at most 0% were in training"

        assert quality.feature_gaps(measured(features=rows)) == Figure(
            value=1, n=20, needed=1, as_of=SESSION, detail=said
        )
        assert quality.unjudged(measured(features=rows)) == {"y": said}

    def test_yesterdays_gaps_are_not_todays(self):
        column = features().columns["x"].copy()
        column[:380] = np.nan
        rows = replace(features(), columns={**features().columns, "x": column})
        assert quality.feature_gaps(measured(features=rows)).value == 0

    def test_a_share_that_training_had_is_usual_and_a_larger_one_is_not(self):
        known = replace(baseline(), columns={"x": training([[np.nan, 1, 2, 3]] * 40)})
        for count, found in ((5, 0), (6, 1)):
            rows = with_today(features(), "x", [np.nan] * count)
            rows = replace(rows, columns={"x": rows.columns["x"]})
            assert quality.feature_gaps(measured(features=rows, baseline=known)).value == found

    def test_without_a_row_of_today_nothing_can_be_said(self):
        rows = replace(features(), sessions=features().sessions - 1)
        assert quality.feature_gaps(measured(features=rows)) == Figure(
            value=0, n=0, needed=1, as_of=days(2)[0].item(), why="no feature is journaled for 2019-02-01"
        )

    def test_a_column_that_is_lost_is_not_judged_either(self):
        assert quality.unjudged(measured(features=Features())) == {
            "x": "x is not journaled",
            "y": "y is not journaled",
        }


def training(sessions):
    """A feature of these sessions, a list of values each."""
    at_ = days(len(sessions))
    return TrainingFeature(
        values=np.concatenate([np.asarray(each, dtype=float) for each in sessions]),
        sessions=np.repeat(at_, [len(each) for each in sessions]),
    )


class TestDrift:
    def test_the_gap_limit_is_what_one_session_in_twenty_exceeded_and_half_at_most(self):
        assert training([[1.0, 2.0]] * 10).gap_limit == 0.0
        assert training([[np.nan, 2.0, 3.0, 4.0]] * 10).gap_limit == 0.25
        assert training([[np.nan, np.nan, np.nan, 4.0]] * 10).gap_limit == 0.5
        assert training([[1.0, 2.0]] * 20 + [[np.nan, 2.0]]).gap_limit == pytest.approx(0.0)
        assert training([[1.0, 2.0]] * 18 + [[np.nan, 2.0]] * 3).gap_limit == pytest.approx(0.5)
        assert TrainingFeature(values=np.empty(0), sessions=days(0)).gap_limit == 0.0

    @pytest.mark.parametrize(
        ("known", "window", "why", "n", "is_waiting"),
        [
            (500, 199, "f has too few live values: n 199, needs 200", 199, True),
            (199, 500, "f has too few training values: n 199, needs 200", 199, False),
            (199, 199, "f has too few live values: n 199, needs 200", 199, True),
        ],
    )
    def test_too_few_values_are_waited_for_where_they_are_live_ones(self, known, window, why, n, is_waiting):
        rng = np.random.default_rng(0)
        feature = TrainingFeature(values=rng.normal(size=known), sessions=days(known))

        assert feature.drift("f", rng.normal(size=window), 10) == Drift(
            feature="f", psi=None, null_psi=0.0, n=n, needed=200, why=why, is_waiting=is_waiting
        )

    def test_what_never_moved_drifts_when_it_moves(self):
        feature = training([[3.0] * 20] * 20)

        assert feature.drift("f", np.full(300, 3.0), 10) == Drift(feature="f", psi=0.0, n=300)
        assert feature.drift("f", np.append(np.full(299, 3.0), 4.0), 10) == Drift(
            feature="f", psi=None, n=300, why="f was always 3 in training and is not now"
        )

    def test_an_index_is_significant_above_what_calm_windows_reach_or_where_nobody_knows(self):
        assert not Drift(feature="f", psi=0.2, null_psi=0.2, n=1).is_significant
        assert Drift(feature="f", psi=0.21, null_psi=0.2, n=1).is_significant
        assert Drift(feature="f", psi=None, null_psi=0.2, n=1).is_significant
        assert Drift(feature="f", psi=np.nan, null_psi=0.2, n=1).is_significant

    @pytest.mark.parametrize(
        ("rows", "found"),
        [
            ([20] * 29, 29), ([20] * 31, 30), ([1] * 201, 200), ([6] * 40, 34), ([7] * 40, 30), ([0] * 251, 250),
            ([200] + [0] * 29, 30), ([200] + [0] * 30, 31), ([], 0),
        ],
    )  # fmt: skip
    def test_a_window_has_thirty_sessions_or_until_there_are_enough_rows(self, rows, found):
        assert window_sessions(rows) == found

    def test_calm_windows_by_hand(self):
        """Forty starts over the training, of which the 99th percentile of their own stability indices is taken."""
        rng = np.random.default_rng(3)
        sessions = np.repeat(days(60), 20)
        values = rng.normal(size=1200)
        feature = TrainingFeature(values=values, sessions=sessions)
        edges = np.quantile(values, np.arange(1, 10) / 10)

        def counts(part):
            return np.bincount(np.searchsorted(edges, part), minlength=10)

        def index(part):
            own, whole = counts(part) / part.size, counts(values) / values.size
            held = np.maximum(own, 1e-12)
            return float(((own - whole) * np.log(held / whole)).sum())

        starts = np.linspace(0, 45, 40).astype(int)
        expected = np.quantile([index(values[20 * at : 20 * (at + 15)]) for at in starts], 0.99)

        assert feature.calm(15) == pytest.approx(expected, rel=0.02)
        assert feature.calm(9) == 0.0
        assert feature.drift("f", values[:300], 15).null_psi == feature.calm(15)
        assert feature.drift("f", values[:300], 15).psi == pytest.approx(index(values[:300]), rel=0.02)


class TestPsi:
    def test_a_calm_window(self):
        found = quality.psi(measured())
        drift = {each.feature: each for each in quality.drifts(measured())}
        worst = max(drift.values(), key=lambda each: each.psi)

        assert set(drift) == {"x", "y"}
        assert all(each.n == 400 and not each.is_significant for each in drift.values())
        assert found == Figure(
            value=0.0, n=400, needed=200, as_of=SESSION, sure=0.0,
            detail=f"largest raw PSI {worst.psi:.2f} on {worst.feature} (n 400; calm windows reach "
            f"{worst.null_psi:.2f}), within what such windows showed in training",
        )  # fmt: skip

    def moved(self, **changes):
        rows = replace(features(), columns={**features().columns, "x": features().columns["x"] + 2})
        return measured(**({"features": rows} | changes))

    def test_one_that_moved(self):
        own = self.moved()
        worst = quality.drifts(own)[0]

        assert quality.psi(own) == Figure(
            value=worst.psi, n=400, needed=200, as_of=SESSION, sure=worst.psi,
            detail=f"largest raw PSI {worst.psi:.2f} on x (n 400; calm windows reach {worst.null_psi:.2f})",
        )  # fmt: skip
        assert worst.psi > 1

    def test_of_doubled_rows_nothing_is_sure(self):
        own = self.moved(baseline=replace(baseline(), duplicates=1))

        assert quality.psi(own).sure is None
        assert quality.psi(own).why == "rows of the features occur more than once"

    @pytest.mark.parametrize(
        ("changes", "why", "n"),
        [
            ({"baseline": Baseline()}, "no drift could be measured: the training period has no feature", 0),
            ({"features": Features()}, "no drift could be measured: no feature is journaled for 2019-02-01", 0),
            (
                {"features": replace(features(), sessions=features().sessions - 1)},
                "stale: the newest features are of 2019-01-31",
                400,
            ),
            (
                {"features": replace(features(), columns={"x": features().columns["x"]})},
                "no drift could be measured: y is not journaled",
                0,
            ),
            (
                {"approved": ApprovedProfile(features=("v", "w"))},
                "no drift could be measured: v is not journaled (and 1 more features)",
                0,
            ),
            (
                {"features": features(v=np.ones(400)), "approved": ApprovedProfile(features=("v",))},
                "no drift could be measured: v is not in baseline_features.parquet",
                0,
            ),
            (
                {"features": with_today(features(), "y", [np.nan] * 5)},
                "no drift could be measured: y: 25% of 20 values are null, NaN or infinite, "
                "at most 0% were in training",
                395,
            ),
            (
                {
                    "approved": ApprovedProfile(pinned=Pinned(sha256="a" * 64, features=("x", "y"))),
                    "baseline": replace(baseline(), pinned=Pinned(sha256="b" * 64, features=("x", "y"))),
                },
                "the reference for drift is another one than the release began with",
                400,
            ),
        ],
    )
    def test_why_it_is_unknown(self, changes, why, n):
        found = quality.psi(measured(**changes))
        assert (found.why, found.n, found.is_young) == (why, n, False)

    @pytest.mark.parametrize(("lived", "is_young"), [(5, True), (6, False)])
    def test_only_a_release_with_the_features_of_all_its_sessions_waits(self, lived, is_young):
        found = quality.psi(measured(features=features(5), lived=lived))

        assert (found.n, found.is_young) == (100, is_young)
        assert found.why == (
            "no drift could be measured: x has too few live values: n 100, needs 200 (and 1 more features)"
        )


class TestReference:
    OWN = Pinned(sha256="a" * 64, features=("x", "y"))
    OTHER = Pinned(sha256="b" * 64, features=("y", "z"))

    def found(self, now, **approved):
        own = measured(baseline=replace(baseline(), pinned=now), approved=ApprovedProfile(**approved))
        return quality.reference(own)

    def test_the_same_or_that_of_a_later_release_or_none_is_no_fault(self):
        sound = Figure(value=0, n=2, needed=1, as_of=SESSION)

        assert quality.reference(measured()) == sound
        assert self.found(self.OWN, pinned=self.OWN) == sound
        assert self.found(self.OTHER, pinned=self.OWN, later=(self.OTHER,)) == sound
        assert self.found(None, pinned=self.OWN) == sound
        assert self.found(self.OWN) == sound

    @pytest.mark.parametrize(
        ("now", "how"),
        [
            (OTHER, "without x and with z"),
            (Pinned(sha256="b" * 64, features=("x", "y")), "with the same features and other values"),
            (Pinned(sha256="b" * 64, features=("x",)), "without y"),
            (Pinned(sha256="b" * 64, features=("x", "y", "z")), "with z"),
        ],
    )
    def test_another_one_is_told_by_its_digest_and_features(self, now, how):
        assert self.found(now, pinned=self.OWN) == Figure(
            value=1, n=2, needed=1, as_of=SESSION,
            detail="baseline_features.parquet is not the file that the release began with (SHA-256 aaaaaaaaaaaa, "
            f"found bbbbbbbbbbbb), {how}. Put that file back",
        )  # fmt: skip


class TestExposure:
    ANY = "critical above 1000%, the limit that any dossier may state"
    OWN = "critical above 150%, the limit of the dossier"
    PAST = np.linspace(90, 110, 30)

    def found(self, *values, earlier=(), **approved):
        return quality.exposure(
            measured(
                gross_exposure_pct=np.array(values, dtype=float),
                earlier_exposures=np.array(earlier, dtype=float),
                approved=ApprovedProfile(**approved) if approved else None,
            )
        )

    @pytest.mark.parametrize(
        ("values", "approved", "figure"),
        [
            ((95.0,), {}, Figure(value=95.0, detail=ANY)),
            ((0.0,), {}, Figure(value=0.0, detail=ANY)),
            ((1000.000001,), {}, Figure(value=1000.000001, detail=ANY)),
            ((1000.00001,), {}, Figure(value=1000.00001, detail=ANY, is_critical=True)),
            ((150.0,), {"greatest_exposure_pct": 150.0}, Figure(value=150.0, detail=OWN)),
            ((151.0,), {"greatest_exposure_pct": 150.0}, Figure(value=151.0, detail=OWN, is_critical=True)),
            (
                (-1.0,), {"greatest_exposure_pct": 150.0},
                Figure(value=-1.0, detail=OWN, why="the gross exposure of 2019-02-01 is below zero"),
            ),
        ],
    )  # fmt: skip
    def test_it_is_held_to_its_limit(self, values, approved, figure):
        assert self.found(*values, **approved) == replace(figure, n=1, needed=1, as_of=SESSION)

    def test_one_row_is_expected_and_a_number(self):
        assert self.found() == Figure(n=0, needed=1, detail=self.ANY, why="no exposure is journaled for 2019-02-01")
        assert self.found(95.0, 96.0) == Figure(
            n=2, needed=1, as_of=SESSION, detail=self.ANY, why="2 rows of 2019-02-01, expected one"
        )
        assert self.found(np.inf).why == "the exposure of 2019-02-01 is no number"
        assert not self.found(np.inf).is_critical

    def test_without_a_limit_on_record_earlier_sessions_say_what_is_usual(self):
        asked = {"features": ("x",)}

        assert self.found(100.0, earlier=self.PAST, **asked) == Figure(
            value=100.0, n=1, needed=1, as_of=SESSION, detail=self.ANY
        )
        far = self.found(200.0, earlier=self.PAST, **asked)
        assert (far.why, far.is_young) == (
            "no limit is on record, and 200% is far from 90.02% to 110% in 30 sessions before",
            False,
        )
        few = self.found(100.0, earlier=[*self.PAST[:19], np.nan], **asked)
        assert (few.why, few.is_young) == (
            "no limit is on record, nor enough sessions to hold it against: n 19, needs 20",
            True,
        )
        assert self.found(5000.0, earlier=self.PAST, **asked).is_critical
        assert self.found(5000.0, earlier=self.PAST, **asked).why == ""
