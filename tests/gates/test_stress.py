"""Section 3.3: named windows for the model, for a model run again, and for the book it holds today."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from releases import asset_returns, backtest, positions, weekdays

from signoff.domain.dossier import StressWindow
from signoff.domain.evidence import Evidence, RegisteredVersion, TrackedTable
from signoff.domain.gates.stress import WINDOWS, stress_rows

CANDIDATE = RegisteredVersion(
    model="momentum", version="2.0.0", run_id="run-2", experiment="", parameters={}, metrics={}, features=(),
    training_start=None, training_end=None, git_commit=None, architecture="", tags={}, aliases=(), artifacts=(),
    model_uri="",
)  # fmt: skip


def made_by(*runs):
    """A stress file of these runs, beside a registered version whose run is run-2."""
    return {
        "candidate": CANDIDATE,
        "tracked": (TrackedTable(name="stress", runs=len(runs), users={}, ids=runs),),
    }


def rows_of(given, own=(), **more):
    return stress_rows(Evidence(backtest=given, **more), own)


class TestStress:
    def rows(self, start, sessions, returns=None):
        values = np.resize([0.01, -0.012, 0.003], sessions) if returns is None else returns
        given = backtest(values, start=start, benchmark=np.full(sessions, -0.001))
        return {window.key: row for window, row in zip(WINDOWS, rows_of(given), strict=True)}

    def test_a_crisis_after_the_data_end_is_unknown_and_says_so(self):
        rows = self.rows("2006-01-02", 3391)  # to 2018-12-31

        covid = rows["covid_2020"]
        assert "data end on 2018-12-31" in covid.note
        assert [covid.sharpe.text, covid.max_drawdown.text, covid.total_return.text, covid.benchmark_return.text] == [
            "not provided"
        ] * 4
        assert rows["crisis_2008"].sharpe.is_provided
        assert rows["crisis_2008"].note == ""

    def test_a_crisis_that_is_only_half_covered_is_unknown(self):
        crisis = self.rows("2008-06-02", 1000)["crisis_2008"]

        assert crisis.max_drawdown.value is None
        assert "data begin on 2008-06-02" in crisis.note

    def test_a_hole_in_the_data_during_the_crisis_is_unknown(self):
        given = backtest(np.resize([0.01, -0.012, 0.003], 3400), start="2006-01-02")
        kept = (given.dates < np.datetime64("2008-09-01")) | (given.dates > np.datetime64("2009-02-01"))
        holed = replace(given, dates=given.dates[kept], returns=given.returns[kept])

        assert rows_of(holed)[0].total_return.value is None

    def test_a_flash_crash_is_told_apart_from_what_daily_data_can_show(self):
        row = self.rows("2009-01-01", 1000)["flash_crash_day"]

        assert row.total_return.is_provided
        assert row.total_return.n == 1
        assert not row.sharpe.is_provided
        assert "within the day" in row.note

    def test_a_window_that_is_covered_to_the_day_counts(self):
        sessions = np.busday_count("2007-10-09", "2009-03-10")

        assert self.rows("2007-10-09", sessions)["crisis_2008"].note == ""
        assert self.rows("2007-10-10", sessions)["crisis_2008"].note != ""
        assert self.rows("2007-10-09", sessions - 1)["crisis_2008"].note != ""

    def test_the_figures_are_those_of_the_window(self):
        dates = weekdays("2006-01-02", 3400)
        returns = np.resize([0.001, -0.0005], 3400)
        inside = (dates >= np.datetime64("2010-05-03")) & (dates <= np.datetime64("2010-05-10"))
        returns[inside] = [0.1, -0.5, 0.1, 0.1, -0.1, 0.2]

        row = self.rows("2006-01-02", 3400, returns)["flash_crash_week"]

        assert row.total_return.value == pytest.approx(1.1 * 0.5 * 1.1 * 1.1 * 0.9 * 1.2 - 1)
        assert row.max_drawdown.value == pytest.approx(-0.5)
        assert row.benchmark_return.value == pytest.approx(0.999**6 - 1)


class TestWindows:
    def test_the_catalogue_holds_the_crises_that_people_ask_for(self):
        years = {window.start.year for window in WINDOWS}

        assert years >= {2007, 2010, 2015, 2018, 2020, 2022}

    def test_a_window_of_ones_own_stands_after_the_catalogue(self):
        own = StressWindow(title="Taper tantrum", start=date(2013, 5, 22), end=date(2013, 6, 24))
        given = backtest(np.resize([0.01, -0.012, 0.003], 2000), start="2010-01-01")

        row = rows_of(given, (own,))[-1]

        assert (row.title, row.note) == ("Taper tantrum", "")
        assert row.total_return.is_provided
        assert row.total_return.name == "stress.own_1.total_return"

    def test_a_window_from_sunday_to_sunday_is_that_of_its_weekdays(self):
        week = StressWindow(title="A week", start=date(2013, 5, 19), end=date(2013, 5, 26))
        given = backtest([0.01] * 4 + [-0.02], start="2013-05-20")

        assert rows_of(given, (week,))[-1].total_return.value == pytest.approx(1.01**4 * 0.98 - 1)

    def test_a_window_that_ends_before_it_starts_is_refused(self):
        with pytest.raises(ValueError, match="before it starts"):
            StressWindow(title="Backwards", start=date(2013, 6, 1), end=date(2013, 5, 1))

    def test_a_window_without_a_weekday_is_not_covered(self):
        weekend = StressWindow(title="Weekend", start=date(2013, 5, 18), end=date(2013, 5, 19))
        given = backtest([0.01] * 40, start="2013-05-01")

        assert "no weekday" in rows_of(given, (weekend,))[-1].note


class TestRunAgain:
    def test_a_model_run_again_covers_what_the_backtest_does_not(self):
        given = backtest(np.resize([0.01, -0.012, 0.003], 800), start="2016-01-01")
        again = backtest(np.full(40, -0.01), start="2020-02-17", name="stress.parquet", benchmark=np.full(40, -0.02))

        covid = next(row for row in rows_of(given, stress=again, **made_by("run-2")) if "COVID" in row.title)

        assert covid.total_return.value == pytest.approx(0.99**24 - 1)
        assert covid.benchmark_return.value == pytest.approx(0.98**24 - 1)
        assert covid.total_return.source == "stress.parquet"
        assert covid.note == "By the registered version's run (stress.parquet)."

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"candidate": CANDIDATE},
            made_by("run-1"),
            made_by("run-2", "run-3"),
            made_by(""),
            {**made_by("run-2"), "candidate": None},
            {"candidate": CANDIDATE, "tracked": (TrackedTable(name="backtest", runs=1, users={}, ids=("run-2",)),)},
        ],
        ids=["a file", "not tracked", "another run", "two runs", "unnamed run", "no registry", "another table's run"],
    )
    def test_returns_that_no_run_of_the_registered_version_made_are_not_provided(self, more):
        given = backtest(np.resize([0.01, -0.012, 0.003], 800), start="2016-01-01")
        again = backtest(np.full(40, -0.01), start="2020-02-17", name="stress.parquet")

        covid = next(row for row in rows_of(given, stress=again, **more) if "COVID" in row.title)

        assert not any(q.is_provided for q in (covid.sharpe, covid.max_drawdown, covid.total_return))
        assert "stress.parquet is declared: no run of the registered version made it" in covid.note

    def test_the_backtest_comes_first_where_both_cover_a_window(self):
        given = backtest(np.full(800, 0.001), start="2018-01-01")
        again = backtest(np.full(40, -0.01), start="2020-02-17", name="stress.parquet")

        covid = next(row for row in rows_of(given, stress=again, **made_by("run-2")) if "COVID" in row.title)

        assert covid.total_return.source == "backtest.parquet"
        assert covid.note == ""

    def test_a_run_that_covers_half_of_the_window_leaves_it_unknown(self):
        given = backtest(np.full(200, 0.001), start="2016-01-01")
        again = backtest(np.full(10, -0.01), start="2020-02-19", name="stress.parquet")

        covid = next(row for row in rows_of(given, stress=again, **made_by("run-2")) if "COVID" in row.title)

        assert not covid.total_return.is_provided


class TestPortfolio:
    OWN = StressWindow(title="Own", start=date(2013, 5, 20), end=date(2013, 5, 22))
    GIVEN = backtest(np.full(200, 0.001), start="2013-03-01")

    def row(self, held, moved):
        return rows_of(self.GIVEN, (self.OWN,), positions=positions(held), asset_returns=asset_returns(moved))[-1]

    def moves(self, **paths):
        days = weekdays("2013-05-20", 3)
        return [(day, symbol, path[n]) for n, day in enumerate(days) for symbol, path in paths.items()]

    def test_the_book_last_held_is_bought_and_held_through_the_window(self):
        held = [("2013-05-01", "AAA", 0.9), ("2013-05-10", "AAA", 0.5), ("2013-05-10", "BBB", -0.25)]
        row = self.row(held, self.moves(AAA=(0.1, -0.5, 0.0), BBB=(0.2, 0.0, 0.1)))
        worth = [1 + 0.5 * (a - 1) - 0.25 * (b - 1) for a, b in ((1.1, 1.2), (0.55, 1.2), (0.55, 1.32))]

        assert row.portfolio_return.value == pytest.approx(worth[-1] - 1)
        assert row.portfolio_drawdown.value == pytest.approx(worth[-1] / max(1.0, worth[0]) - 1)
        assert "2013-05-10" in row.portfolio_return.source

    def test_a_book_that_is_mostly_unknown_has_no_figure_and_names_what_is_missing(self):
        held = [("2013-05-10", "AAA", 0.5), ("2013-05-10", "NEW", 0.5)]
        row = self.row(held, self.moves(AAA=(0.1, -0.5, 0.0)))

        assert not row.portfolio_return.is_provided
        assert "50% of the gross weight" in row.note
        assert "NEW" in row.note

    def test_a_few_percent_without_returns_are_left_out_and_said(self):
        held = [("2013-05-10", "AAA", 0.96), ("2013-05-10", "NEW", 0.04)]
        row = self.row(held, self.moves(AAA=(0.1, -0.5, 0.0)))

        assert row.portfolio_return.value == pytest.approx(0.96 * (0.55 - 1))
        assert "96.0% of its gross weight" in row.note

    def test_a_symbol_with_a_hole_in_the_window_counts_as_unknown(self):
        held = [("2013-05-10", "AAA", 0.5), ("2013-05-10", "BBB", 0.5)]
        moved = [m for m in self.moves(AAA=(0.1, -0.5, 0.0), BBB=(0.2, 0.0, 0.1)) if m[1] != "BBB" or m[2] != 0.0]

        assert not self.row(held, moved).portfolio_return.is_provided

    def test_without_positions_or_asset_returns_nothing_is_claimed(self):
        row = rows_of(self.GIVEN, (self.OWN,))[-1]

        assert row.portfolio_return.source == "no positions were given"
        assert rows_of(self.GIVEN, (self.OWN,), positions=positions([("2013-05-10", "AAA", 0.5)]))[
            -1
        ].portfolio_return.source == ("no asset_returns were given")

    def test_asset_returns_that_miss_the_window_give_no_figure(self):
        days = weekdays("2011-01-03", 3)
        row = self.row([("2013-05-10", "AAA", 0.5)], [(day, "AAA", 0.01) for day in days])

        assert "does not cover the window" in row.portfolio_return.source
