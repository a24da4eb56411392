"""Every annual figure rests on the rows that a table has a year, read from its dates, and on nothing else."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from math import sqrt
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from small_dossier import every_day, month_ends, returns, small, weekdays, weeks, with_sharpe

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.cli.main import main
from signoff.domain.errors import BadInputError
from signoff.domain.frequency import Frequency
from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.dsr import downside_sensitivity
from signoff.domain.gates.metrics import metric_rows
from signoff.domain.gates.pbo import backtest_overfitting
from signoff.domain.gates.regimes import regime_rows
from signoff.domain.gates.stress import stress_rows
from signoff.domain.gates.track import track_charts
from signoff.domain.gates.uncertainty import annual_ratio
from signoff.domain.gates.value_at_risk import value_at_risk_compliance
from signoff.domain.gates.walk_forward import walk_forward
from signoff.domain.monitoring import DailyReturns, observe, rolling_sharpe
from signoff.domain.monitoring.measurement import Measurement
from signoff.domain.outcome import Outcome
from signoff.domain.policy import DayCount, PhasePolicy, Policy
from signoff.domain.sampling import Sampling, inferred


def sessions(exchange, first, last):
    start, end = (np.datetime64(day).astype("datetime64[D]").item() for day in (first, last))
    return np.array(ExchangeCalendar().days(exchange, start, end), dtype="datetime64[D]")


KINDS = {
    "weekdays": (weekdays(2000), 252, "daily"),
    "sessions of New York": (sessions("XNYS", "2010-01-04", "2018-12-31"), 252, "daily"),
    "sessions of Tokyo": (sessions("XTKS", "2010-01-04", "2018-12-28"), 252, "daily"),
    "every day": (every_day(365 * 6), 365, "daily"),
    "every day of seven weeks": (every_day(49), 365, "daily"),
    "Fridays": (weeks(52 * 14), 52, "weekly"),
    "Wednesdays": (weeks(60, "2018-12-26"), 52, "weekly"),
    "month ends": (month_ends(12 * 28), 12, "monthly"),
    "last weekdays of months": (np.busday_offset(month_ends(120), 0, roll="backward"), 12, "monthly"),
    "first days of months": (month_ends(60) + 1 - 31 * (np.arange(60) == -1), 12, "monthly"),
    "quarter ends": (month_ends(80, 3), 4, "quarterly"),
}


POLICY = Policy(name="Firm floor", version="1")


def read(tmp_path, tables, **options):
    return FolderReader().read(small(tmp_path / "dossier", tables, **options), None)


def family(rng, own, count=8):
    return {f"try{n}": own if n == 0 else rng.normal(0, own.std(), own.size) for n in range(count)}


def figures(inputs):
    rows = metric_rows(inputs.evidence, inputs.dossier.validation.targets)
    return {row.key: row.new.value for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_sharpe_and_annual_return_are_those_of_the_rows_a_year(tmp_path, kind):
    dates, a_year, frequency = KINDS[kind]
    own = with_sharpe(0.5, a_year, dates.size)
    inputs = read(tmp_path, {"backtest.parquet": returns(dates, own)}, deployed="2019-02-02")
    found = figures(inputs)
    assert inputs.evidence.backtest.time.frequency == frequency
    assert found["sharpe"] == pytest.approx(0.5, abs=1e-9)
    assert found["annual_return"] == pytest.approx(np.prod(1 + own) ** (a_year / own.size) - 1)


@pytest.mark.parametrize("kind", ["weekdays", "every day", "Fridays", "month ends"])
def test_every_other_annual_figure_is_too(tmp_path, kind):
    dates, a_year, _ = KINDS[kind]
    own, rng = with_sharpe(1.2, a_year, dates.size), np.random.default_rng(5)
    market = rng.normal(0.0, 0.01, own.size)
    tried = family(rng, own)
    tables = {"backtest.parquet": returns(dates, own, benchmark=market), "trials.parquet": returns(dates, own)}
    tables["trials.parquet"] = pl.DataFrame({"date": dates} | tried)
    inputs = read(tmp_path, tables)
    evidence, dossier, policy = inputs.evidence, inputs.dossier, inputs.policy

    deflated = deflated_sharpe(evidence, dossier, policy)
    assert "it is 1.20" in deflated.turning_point
    assert "backtest 1.20" in {mark.label for mark in deflated.charts[0].beside}

    scatter = backtest_overfitting(evidence, dossier, policy).charts[1]
    rows = (own.size // 16) * 16
    halves = np.column_stack(list(tried.values()))[own.size - rows :]
    best = (halves[: rows // 2].mean(axis=0) / halves[: rows // 2].std(axis=0, ddof=1)).max() * sqrt(a_year)
    assert np.isclose(scatter.x, best).any()

    (rolling,) = track_charts(evidence, "new", None)[0].lines
    last = own[-evidence.backtest.time.year :]
    assert rolling.values[-1] == pytest.approx(last.mean() / last.std(ddof=1) * sqrt(a_year))

    windows = walk_forward(evidence, dossier, policy)
    length = {"weekdays": 63, "every day": 63, "Fridays": 13, "month ends": 3}[kind]
    held = own[: own.size // length * length].reshape(-1, length)
    mean = (held.mean(axis=1) / held.std(axis=1, ddof=1)).mean() * sqrt(a_year)
    assert {q.name: q.value for q in windows.figures}["gates.walk_forward.mean_sharpe"] == pytest.approx(mean)
    assert windows.n == own.size // length

    for row in regime_rows(evidence.backtest):
        assert row.sharpe.value is None or abs(row.sharpe.value) < 10
    bull = regime_rows(evidence.backtest)[0]
    if bull.sharpe.value is not None:
        sessions_before = {"weekdays": 200, "every day": 200, "Fridays": 41, "month ends": 10}[kind]
        level = np.concatenate(([0.0], np.cumsum(np.log1p(market))))
        rises = level[sessions_before:-1] > level[: -sessions_before - 1]
        inside = own[sessions_before:][rises]
        assert bull.sharpe.value == pytest.approx(inside.mean() / inside.std(ddof=1) * sqrt(a_year))


def test_a_table_of_its_own_has_a_frequency_of_its_own(tmp_path):
    weekly, daily = weeks(52 * 8), weekdays(60)
    lived = with_sharpe(0.8, 252, 60, seed=3)
    tables = {
        "backtest.parquet": returns(weekly, with_sharpe(0.5, 52, weekly.size)),
        "paper_returns.parquet": returns(daily, lived),
    }
    evidence = read(tmp_path, tables).evidence
    assert annual_ratio(evidence.paper_returns) == pytest.approx(0.8)
    assert annual_ratio(evidence.backtest) == pytest.approx(0.5)


def test_a_stress_window_is_annualised_by_its_own_rows(tmp_path):
    dates = every_day(365 * 9)
    own = with_sharpe(0.5, 365, dates.size)
    evidence = read(tmp_path, {"backtest.parquet": returns(dates, own)}).evidence
    row = next(row for row in stress_rows(evidence) if row.title.startswith("February 2018"))
    inside = own[(dates >= np.datetime64("2018-01-26")) & (dates <= np.datetime64("2018-02-08"))]
    assert row.sharpe.value == pytest.approx(inside.mean() / inside.std(ddof=1) * sqrt(365))


@pytest.mark.parametrize(
    ("phases", "a_year"),
    [
        (PhasePolicy(), 252),
        (PhasePolicy(days=DayCount.CALENDAR), 365),
        (PhasePolicy(calendar="24/7"), 365),
        (PhasePolicy(calendar="XTKS"), 252),
    ],
)
def test_live_sharpe_ratios_are_annualised_by_the_days_that_the_policy_counts(phases, a_year):
    lived = with_sharpe(1.0, a_year, 30)
    assert rolling_sharpe(lived, 30, phases.sessions_a_year) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "a_year"), [(3.0, 252), (5.0, 12), (-0.5, 52), (4.0, 365)])
def test_the_declared_rate_is_subtracted_and_printed(tmp_path, rate, a_year):
    dates = {252: weekdays(1500), 365: every_day(1500), 52: weeks(500), 12: month_ends(240)}[a_year]
    own = with_sharpe(0.5, a_year, dates.size)
    inputs = read(tmp_path, {"backtest.parquet": returns(dates, own)}, evidence={"risk_free_pct": rate})
    excess = own - ((1 + rate / 100) ** (1 / a_year) - 1)
    assert figures(inputs)["sharpe"] == pytest.approx(excess.mean() / excess.std(ddof=1) * sqrt(a_year))
    assert f"excess of {rate:g}% a year (declared)" in inputs.evidence.backtest.time.words


def test_no_declared_rate_is_said_too(tmp_path):
    inputs = read(tmp_path, {"backtest.parquet": returns(weekdays(300), with_sharpe(0.5, 252, 300))})
    assert "excess of 0" in inputs.evidence.backtest.time.words


@pytest.mark.parametrize(
    ("kind", "declared", "words"),
    [
        ("month ends", {"frequency": "daily"}, ("expected daily rows", "evidence.frequency", "found monthly")),
        ("weekdays", {"frequency": "weekly"}, ("expected weekly rows", "found daily")),
        ("Fridays", {"rows_a_year": 252}, ("expected 252 rows a year", "evidence.rows_a_year", "are 52 a year")),
        ("every day", {"rows_a_year": 252}, ("expected 252 rows a year", "are 365 a year")),
        ("weekdays", {"calendar": "24/7"}, ("days of 24/7", "evidence.calendar", "no rows at weekends")),
        ("every day", {"calendar": "XNYS"}, ("days of XNYS", "every day of the week")),
        ("weekdays", {"calendar": "XNYX"}, ("evidence.calendar", "'XNYX'", "nearest is XNYS")),
        ("weekdays", {"zone": "America/Nowhere"}, ("evidence.zone", "America/Nowhere")),
    ],
)
def test_a_dossier_that_disagrees_with_the_dates_is_refused(tmp_path, kind, declared, words):
    dates, a_year, _ = KINDS[kind]
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, {"backtest.parquet": returns(dates, with_sharpe(0.5, a_year, dates.size))}, evidence=declared)
    for word in ("expected", "found", *words):
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("kind", "declared", "a_year"),
    [
        ("weekdays", {"rows_a_year": 260}, 260),
        ("sessions of Tokyo", {"rows_a_year": 245, "calendar": "XTKS"}, 245),
        ("month ends", {"frequency": "monthly"}, 12),
        ("every day", {"calendar": "24/7"}, 365),
    ],
)
def test_a_dossier_that_agrees_is_taken_at_its_word(tmp_path, kind, declared, a_year):
    dates, _, _ = KINDS[kind]
    own = with_sharpe(0.5, a_year, dates.size)
    inputs = read(tmp_path, {"backtest.parquet": returns(dates, own)}, evidence=declared)
    assert figures(inputs)["sharpe"] == pytest.approx(0.5)
    assert "(declared)" in inputs.evidence.backtest.time.words


UNCLEAR = {
    "every other week": np.datetime64("2010-01-08") + 14 * np.arange(200),
    "every fourth week": np.datetime64("2010-01-08") + 28 * np.arange(100),
    "six days a week": every_day(1500)[((every_day(1500).astype(int) + 3) % 7) != 6],
    "days on which something was traded": np.sort(np.random.default_rng(2).choice(weekdays(2000), 700, replace=False)),
    "Mondays and Thursdays": np.sort(np.concatenate([weeks(300, "2018-12-24"), weeks(300, "2018-12-27")])),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_dates_that_allow_two_readings_are_asked_about(tmp_path, kind):
    dates = UNCLEAR[kind]
    with pytest.raises(BadInputError, match=r"evidence\.frequency"):
        read(tmp_path, {"backtest.parquet": returns(dates, with_sharpe(0.5, 252, dates.size))})


def best_of(dates, values, period, count=1):
    """The best days of each week or month: rows as somebody picks them who leaves the others out."""
    of = dates.astype("datetime64[M]").astype(int) if period == "month" else (dates.astype(int) + 3) // 7
    if period == "quarter":
        of = dates.astype("datetime64[M]").astype(int) // 3
    if period == "two weeks":
        of = of // 2
    kept = [row for one in np.unique(of) for row in np.flatnonzero(of == one)[np.argsort(-values[of == one])[:count]]]
    return dates[np.sort(kept)]


DAYS = weekdays(3000)
FRIDAYS = weeks(600)
PICKED = {
    "the best day of each week": (best_of(DAYS, with_sharpe(0.5, 252, 3000), "week"), {}),
    "the same, declared": (best_of(DAYS, with_sharpe(0.5, 252, 3000), "week"), {"frequency": "weekly"}),
    "the two best days, declared": (
        best_of(DAYS, with_sharpe(0.5, 252, 3000), "week", 2),
        {"frequency": "weekly", "rows_a_year": 104},
    ),
    "the best day of each month": (best_of(DAYS, with_sharpe(0.5, 252, 3000), "month"), {"frequency": "monthly"}),
    "the best day of each quarter": (best_of(DAYS, with_sharpe(0.5, 252, 3000), "quarter"), {"frequency": "quarterly"}),
    "the best Friday of each month": (best_of(FRIDAYS, with_sharpe(0.5, 52, 600), "month"), {"frequency": "monthly"}),
    "the better of two Fridays": (
        best_of(FRIDAYS, with_sharpe(0.5, 52, 600), "two weeks"),
        {"frequency": "weekly", "rows_a_year": 26},
    ),
}


@pytest.mark.parametrize("kind", PICKED)
def test_days_that_somebody_picked_are_no_weeks_or_months(tmp_path, kind):
    dates, declared = PICKED[kind]
    tables = {"backtest.parquet": returns(dates, with_sharpe(2.0, 52, dates.size))}
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, tables, evidence=declared)
    for word in ("backtest.parquet", str(dates[0]), "full daily table", "Nothing was written"):
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("dates", "declared", "frequency"),
    [
        (weeks(400) - (np.arange(400) % 12 == 5), {}, "weekly"),
        (np.datetime64("2010-01-08") + 14 * np.arange(200), {"frequency": "weekly", "rows_a_year": 26}, "weekly"),
        (np.datetime64("2010-01-08") + 28 * np.arange(100), {"frequency": "monthly", "rows_a_year": 13}, "monthly"),
        (
            np.busday_offset(month_ends(120).astype("datetime64[M]"), 2, "forward", weekmask="Fri"),
            {"frequency": "monthly"},
            "monthly",
        ),
        (np.busday_offset(month_ends(120) + 1, 0, roll="forward"), {}, "monthly"),
        (month_ends(120) - 14, {}, "monthly"),
        (np.busday_offset(month_ends(40, 3), 0, roll="backward"), {}, "quarterly"),
    ],
)
def test_whole_weeks_and_months_are_read_wherever_they_end(tmp_path, dates, declared, frequency):
    tables = {"backtest.parquet": returns(dates, with_sharpe(0.5, 52, dates.size))}
    found = read(tmp_path, tables, evidence=declared, deployed="2019-02-02").evidence.backtest
    assert found.time.frequency == frequency


def test_two_versions_of_different_frequencies_are_not_compared(tmp_path):
    tables = {
        "backtest.parquet": returns(weekdays(600), with_sharpe(0.5, 252, 600)),
        "backtest_previous.parquet": returns(weeks(500), with_sharpe(0.5, 52, 500)),
    }
    with pytest.raises(BadInputError, match="backtest"):
        read(tmp_path, tables)


@pytest.mark.parametrize(
    ("frequency", "dates", "is_enough"),
    [
        ("monthly", month_ends(120), True),
        ("monthly", month_ends(24), True),
        ("monthly", month_ends(23), False),
        ("weekly", weeks(52), True),
        ("weekly", weeks(51), False),
        ("daily", weekdays(252), True),
        ("daily", weekdays(251), False),
        ("every day", every_day(364), False),
    ],
)
def test_a_gate_needs_a_year_and_never_fewer_than_24_rows(tmp_path, frequency, dates, is_enough):
    own, rng = with_sharpe(1.0, 52, dates.size), np.random.default_rng(0)
    tables = {"backtest.parquet": returns(dates, own), "trials.parquet": returns(dates, own)}
    tables["trials.parquet"] = pl.DataFrame({"date": dates} | family(rng, own))
    inputs = read(tmp_path, tables)
    for gate in (downside_sensitivity, deflated_sharpe):
        found = gate(inputs.evidence, inputs.dossier, inputs.policy)
        assert (found.outcome is not Outcome.INCONCLUSIVE) == is_enough, found.reason
        assert is_enough or "a year of" in found.reason
    own_words = "daily" if frequency == "every day" else frequency
    assert inputs.evidence.backtest.time.frequency == own_words


def test_ten_years_of_months_cannot_test_the_coverage_of_a_var(tmp_path):
    dates = month_ends(120)
    inputs = read(tmp_path, {"backtest.parquet": returns(dates, with_sharpe(1.0, 12, 120))})
    found = value_at_risk_compliance(inputs.evidence, inputs.dossier, inputs.policy)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "120 months; 100 months (the policy's 500 sessions) before the first forecast and 250" in found.reason


def test_a_weekly_var_forecasts_from_as_many_sessions(tmp_path):
    dates = weeks(103 + 300)
    inputs = read(tmp_path, {"backtest.parquet": returns(dates, with_sharpe(1.0, 52, dates.size))})
    found = value_at_risk_compliance(inputs.evidence, inputs.dossier, inputs.policy)
    assert {q.name: q.value for q in found.figures}["gates.var.forecasts"] == 300
    assert "VaR of one week" in found.method


@pytest.mark.parametrize("bars", [2, 7, 13])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_bars_within_a_day_are_judged_by_day_and_said_so(tmp_path, bars, form):
    days = weekdays(300)
    zone = ZoneInfo("America/New_York")
    times = [
        datetime.combine(day, datetime.min.time(), tzinfo=zone) + timedelta(hours=9, minutes=30 + 30 * bar)
        for day in days.tolist()
        for bar in range(bars)
    ]
    within = np.random.default_rng(1).normal(0.0002, 0.003, (days.size, bars))
    by_day = np.prod(1 + within, axis=1) - 1
    if form == "csv":
        lines = [f"{time.isoformat()},{value!r}" for time, value in zip(times, within.ravel().tolist(), strict=True)]
        tables = {"backtest.csv": "\n".join(["date,return", *lines])}
    else:
        stamps = pl.Series(times).dt.convert_time_zone("America/New_York")
        tables = {"backtest.parquet": pl.DataFrame({"date": stamps, "return": within.ravel()})}
        other = np.random.default_rng(2).normal(0, 0.003, within.size)
        tables["trials.parquet"] = pl.DataFrame({"date": stamps, "a": within.ravel(), "b": other})
    inputs = read(tmp_path, tables)
    backtest = inputs.evidence.backtest
    np.testing.assert_array_equal(backtest.dates, days)
    np.testing.assert_allclose(backtest.returns, by_day, rtol=0, atol=1e-15)
    assert figures(inputs)["sharpe"] == pytest.approx(by_day.mean() / by_day.std(ddof=1) * sqrt(252))
    assert f"{within.size:,} rows within days were compounded by day, and are judged by day" in backtest.time.words
    assert backtest.source.rows == within.size


def test_a_rows_time_is_read_once_and_needs_no_dossier():
    assert inferred(month_ends(30)) == Sampling(frequency=Frequency.MONTHLY, rows_a_year=12.0)
    assert inferred(every_day(5)) == Sampling(rows_a_year=365.0, calendar="24/7")
    assert [inferred(weekdays(n)) for n in (0, 1)] == [Sampling()] * 2


def test_weekends_on_which_nothing_moves_are_no_sessions():
    dates = every_day(700)
    values = with_sharpe(0.5, 252, 700)
    values[((dates.astype(int) + 3) % 7) > 4] = 0.0
    assert inferred(dates, values).rows_a_year == 252
    assert replace(inferred(dates), zone="").rows_a_year == 365


@pytest.mark.slow
def test_check_says_what_it_annualised_by(tmp_path, capsys):
    dates = month_ends(200)
    folder = small(tmp_path / "dossier", {"backtest.parquet": returns(dates, with_sharpe(0.5, 12, 200))})
    main(["check", str(folder), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["time"].startswith("monthly rows, 12 a year (read from the dates)")
    assert document["figures"]["time.rows_a_year"] == 12
    assert document["figures"]["metrics.sharpe.new"] == pytest.approx(0.5)
    main(["check", str(folder)])
    assert "Time: monthly rows, 12 a year" in capsys.readouterr().out


@pytest.mark.parametrize(("phases", "a_year"), [(PhasePolicy(), 252), (PhasePolicy(days=DayCount.CALENDAR), 365)])
def test_the_declared_rate_is_subtracted_in_live_sessions_too(phases, a_year):
    assert phases.session_rate(4.0) == pytest.approx(1.04 ** (1 / a_year) - 1)
    lived = with_sharpe(1.0, 252, 30)
    day = np.datetime64("2019-01-02")
    live = DailyReturns(name="live", dates=weekdays(30, "2019-02-12"), returns=lived)
    measured = Measurement(session=(day + 41).item(), live_since=day.item(), live=live)
    seen = observe(measured, replace(POLICY, phases=phases), {}, 4.0)
    value = next(reading.value for reading in seen.readings if reading.key == "rolling_sharpe_30d")
    excess = lived - (1.04 ** (1 / a_year) - 1)
    assert value == pytest.approx(excess.mean() / excess.std(ddof=1) * sqrt(a_year))
