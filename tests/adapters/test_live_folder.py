"""A journal is read by its exchange's sessions, and what is wrong with it is judged and not repaired."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.live_folder import LiveFolder
from signoff.domain.errors import BadInputError
from signoff.domain.monitoring import Level, observe
from signoff.domain.policy import DayCount, PhasePolicy, Policy
from signoff.domain.profiles import ApprovedProfile
from signoff.ports.calendar import TradingDays

POLICY = Policy(name="test", version="1")
SINCE, SESSION = date(2019, 1, 2), date(2019, 1, 4)
PAGE = (Path(__file__).parents[2] / "docs" / "live-data.md").read_text()


def days(calendar, count=DayCount.SESSIONS):
    return TradingDays(ExchangeCalendar(), PhasePolicy(days=count, calendar=calendar))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """The folder that the page on live data writes."""
    place = tmp_path_factory.mktemp("live")
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        exec(snippet, {})
    return place / "live" / "my-model"


@pytest.fixture
def journal(pristine, tmp_path):
    for path in pristine.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def alter(folder, name, change):
    path = folder / f"{name}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def judged(folder, session=SESSION, phases=POLICY.phases):
    measured = LiveFolder(folder).measure("m", "1.0.0", session, SINCE, phases=phases)
    return observe(measured, POLICY, {})


def reading(observed, key):
    return next(r for r in observed.readings if r.key == key)


def unknown(observed):
    return {r.key for r in observed.readings if r.level == Level.UNKNOWN}


def test_the_folder_that_the_page_writes_is_sound_and_too_young_for_drift_alone(journal):
    observed = judged(journal)
    assert observed.counts
    assert unknown(observed) == {"psi_max"}
    assert "n 15, needs 200" in reading(observed, "psi_max").detail


def test_every_reading_of_the_page_exists_and_every_reading_is_on_the_page(journal):
    told = set(re.findall(r"`(\w+)`", PAGE.partition("## What is read")[2]))
    assert {r.key for r in judged(journal).readings} <= told


def today(column, value, where=None):
    is_today = pl.col("timestamp").dt.date() == SESSION
    held = is_today if where is None else is_today & where
    return lambda t: t.with_columns(pl.when(held).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def as_before(table, column):
    """The values of the session as they were in the one before it."""
    before = pl.col(column).shift(5)
    return table.with_columns(pl.when(pl.col("timestamp").dt.date() == SESSION).then(before).otherwise(pl.col(column)))


def later(table, by):
    """Every row of the session again, so much later."""
    again = table.filter(pl.col("timestamp").dt.date() == SESSION)
    return pl.concat([table, again.with_columns(pl.col("timestamp").dt.offset_by(by))]).sort("timestamp")


def ahead(table, column):
    """The last row again, a hundred years later."""
    return pl.concat([table, table.tail(1).with_columns(pl.col(column).dt.offset_by("100y"))])


DAMAGE = {
    "NaN predictions": ("predictions", today("prediction", float("nan")), {"prediction_gaps", "error_rate_pct"}),
    "null predictions": ("predictions", today("prediction", None), {"prediction_gaps", "error_rate_pct"}),
    "null errors": ("predictions", today("error", None), {"error_gaps", "error_rate_pct"}),
    "no error at all": (
        "predictions",
        lambda t: t.with_columns(error=pl.lit(None)),
        {"error_gaps", "error_rate_pct"},
    ),
    "no column of predictions": ("predictions", lambda t: t.drop("prediction"), {"prediction_gaps", "error_rate_pct"}),
    "infinite latencies": ("predictions", today("latency_ms", float("inf")), {"latency_p95_ms"}),
    "a lost feature": ("features", lambda t: t.drop("momentum"), {"missing_features"}),
    "a null feature": ("features", lambda t: t.with_columns(momentum=pl.lit(None)), {"feature_gaps"}),
    "a NaN feature": ("features", today("momentum", float("nan")), {"feature_gaps"}),
    "an infinite feature": ("features", today("momentum", float("-inf"), pl.col("symbol") == "CCC"), {"feature_gaps"}),
    "a mostly missing feature": ("features", today("momentum", None, pl.col("symbol") != "AAA"), {"feature_gaps"}),
    "a swapped symbol": (
        "predictions",
        today("symbol", "ZZZ", pl.col("symbol") == "EEE"),
        {"symbols_new", "symbols_lost", "error_rate_pct"},
    ),
    "a new symbol": ("predictions", today("symbol", "NEW", pl.col("symbol") == "AAA"), {"symbols_new"}),
    "a lost symbol": ("predictions", lambda t: t.head(14), {"symbols_lost", "error_rate_pct", "latency_p95_ms"}),
    "doubled predictions": ("predictions", lambda t: pl.concat([t, t]), {"duplicate_rows", "error_rate_pct"}),
    "doubled returns": ("returns", lambda t: pl.concat([t, t]).sort("date"), {"duplicate_rows", "rolling_sharpe_7d"}),
    "doubled history": ("history", lambda t: pl.concat([t, t]).sort("date"), {"duplicate_rows", "var_exceptions"}),
    "doubled features": ("features", lambda t: pl.concat([t, t]).sort("timestamp"), {"duplicate_rows", "psi_max"}),
    "doubled training": ("baseline_features", lambda t: pl.concat([t, t]), {"duplicate_rows", "psi_max"}),
    "returns backwards": ("returns", lambda t: t.reverse(), {"unordered_rows"}),
    "a lost return": ("returns", lambda t: t.filter(pl.col("date") != date(2019, 1, 3)), {"missing_returns"}),
    "a NaN return": ("returns", lambda t: t.with_columns(pl.lit(float("nan")).alias("return")), {"daily_return"}),
    "one prediction for all": ("predictions", today("prediction", 0.1), {"predictions_alike"}),
    "a feature of 1e9": ("features", today("momentum", 1e9, pl.col("symbol") == "AAA"), {"features_out_of_range"}),
    "a feature times a hundred": (
        "features",
        lambda t: t.with_columns(
            momentum=pl.col("momentum") * pl.when(pl.col("timestamp").dt.date() == SESSION).then(100).otherwise(1)
        ),
        {"features_out_of_range"},
    ),
    "frozen features": ("features", lambda t: as_before(t, "momentum"), {"features_frozen"}),
    "a return of three": ("returns", lambda t: t.with_columns(pl.lit(3.0).alias("return")), {"returns_implausible"}),
    "a loss of three": ("returns", lambda t: t.with_columns(pl.lit(-3.0).alias("return")), {"returns_implausible"}),
    "a benchmark of three": ("returns", lambda t: t.with_columns(benchmark=pl.lit(3.0)), {"returns_implausible"}),
    "rows a microsecond later": ("predictions", lambda t: later(t, "1us"), {"duplicate_rows", "error_rate_pct"}),
    "features a second later": ("features", lambda t: later(t, "1s"), {"duplicate_rows", "psi_max"}),
    "predictions years ahead": ("predictions", lambda t: ahead(t, "timestamp"), {"future_rows"}),
    "features years ahead": ("features", lambda t: ahead(t, "timestamp"), {"future_rows"}),
    "returns years ahead": ("returns", lambda t: ahead(t, "date"), {"future_rows"}),
    "history years ahead": ("history", lambda t: ahead(t, "date"), {"future_rows"}),
    "an exposure of 1e9": ("exposure", lambda t: t.with_columns(gross_exposure_pct=1e9), set()),
    "doubled exposure": ("exposure", lambda t: pl.concat([t, t]), {"gross_exposure_pct", "duplicate_rows"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_with_the_data_is_a_reading_of_its_own_with_its_reason(journal, damage):
    name, change, keys = DAMAGE[damage]
    alter(journal, name, change)
    observed = judged(journal)
    assert keys <= unknown(observed), unknown(observed)
    assert not observed.is_conclusive
    assert observed.unmet
    for key in keys:
        assert reading(observed, key).detail


def shifted(folder, hours):
    for name in ("predictions", "features"):
        alter(folder, name, lambda t: t.with_columns(pl.col("timestamp") + timedelta(hours=hours)))


SYDNEY = PhasePolicy(calendar="XASX")


def test_a_session_of_sydney_is_whole_though_it_lies_on_two_days_of_utc(journal):
    def at(symbol, hour, minute):
        stamp = datetime(2019, 1, 3, hour, minute, tzinfo=UTC)
        return {"timestamp": stamp, "symbol": symbol}

    rows = [at("AAA", 23, 30), at("BBB", 23, 45)]
    rows += [{**at(s, 1, 0), "timestamp": datetime(2019, 1, 4, 1, 0, tzinfo=UTC)} for s in ("CCC", "DDD", "EEE")]
    common = {"version": "1.0.0", "prediction": 0.1, "latency_ms": 1.0, "error": False}
    pl.DataFrame([row | common for row in rows]).write_parquet(journal / "predictions.parquet")
    observed = judged(journal, phases=SYDNEY)
    assert reading(observed, "predictions").value == 5
    assert LiveFolder(journal).sessions("m", SYDNEY) == (SESSION,)


@pytest.mark.parametrize(
    ("calendar", "instant", "expected"),
    [
        ("XASX", datetime(2019, 1, 3, 23, 30, tzinfo=UTC), date(2019, 1, 4)),
        ("XTKS", datetime(2019, 1, 7, 0, 10, tzinfo=UTC), date(2019, 1, 7)),
        ("XNYS", datetime(2019, 1, 4, 2, 0, tzinfo=UTC), date(2019, 1, 3)),
        ("CMES", datetime(2019, 1, 3, 23, 30, tzinfo=UTC), date(2019, 1, 4)),
        ("CMES", datetime(2019, 1, 6, 23, 30, tzinfo=UTC), date(2019, 1, 7)),
        ("24/7", datetime(2019, 1, 6, 0, 0, tzinfo=UTC), date(2019, 1, 6)),
    ],
)
def test_an_instant_belongs_to_the_day_of_its_exchange(journal, calendar, instant, expected):
    assert days(calendar).of(instant) == expected
    alter(journal, "predictions", lambda t: t.head(1).with_columns(timestamp=pl.lit(instant)))
    assert LiveFolder(journal).sessions("m", PhasePolicy(calendar=calendar)) == (expected,)


def test_a_timestamp_without_a_zone_is_read_as_utc(journal):
    alter(journal, "predictions", lambda t: t.with_columns(pl.col("timestamp").dt.replace_time_zone(None)))
    assert reading(judged(journal), "predictions").value == 5


@pytest.mark.parametrize(
    ("calendar", "session", "close"),
    [
        ("XNYS", date(2019, 1, 4), datetime(2019, 1, 4, 21, tzinfo=UTC)),
        ("XNYS", date(2019, 7, 3), datetime(2019, 7, 3, 17, tzinfo=UTC)),
        ("XASX", date(2019, 1, 4), datetime(2019, 1, 4, 5, tzinfo=UTC)),
        ("XLON", date(2019, 6, 4), datetime(2019, 6, 4, 15, 30, tzinfo=UTC)),
    ],
)
def test_a_session_closes_when_its_exchange_does(calendar, session, close):
    found = days(calendar)
    assert found.close(session) == close
    assert found.last_closed(close) == session
    assert found.last_closed(close - timedelta(minutes=1)) < session
    assert found.open_at(close - timedelta(minutes=1)) == session
    assert found.open_at(close) is None


@pytest.mark.parametrize(
    ("zone", "close"),
    [
        ("XASX", datetime(2019, 1, 4, 13, tzinfo=UTC)),
        ("nobody's", datetime(2019, 1, 5, tzinfo=UTC)),
        ("XNYS", datetime(2019, 1, 5, 5, tzinfo=UTC)),
    ],
)
def test_a_calendar_day_is_over_at_midnight_of_its_zone(zone, close):
    assert days(zone, DayCount.CALENDAR).close(date(2019, 1, 4)) == close


def test_an_open_session_is_read_again_only_when_its_file_changed(journal):
    feed = LiveFolder(journal)
    first = feed.measure_open("m", "1.0.0", SESSION, SINCE, POLICY.phases)
    assert first.predictions.symbols.size == 5
    assert feed.measure_open("m", "1.0.0", SESSION, SINCE, POLICY.phases) is first
    alter(journal, "predictions", lambda t: t.head(12))
    assert feed.measure_open("m", "1.0.0", SESSION, SINCE, POLICY.phases).predictions.symbols.size == 2
    (journal / "predictions.parquet").unlink()
    assert feed.measure_open("m", "1.0.0", SESSION, SINCE, POLICY.phases).predictions.symbols.size == 0


FILES = ("returns", "history", "predictions", "features", "exposure", "baseline_features")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_the_page_that_says_what_it_holds(journal, name):
    (journal / f"{name}.parquet").unlink()
    with pytest.raises(BadInputError, match=rf"{name}\.parquet.* is missing.*docs/live-data\.md"):
        judged(journal)


def test_a_journal_that_nobody_wrote_is_named_with_the_page_too(tmp_path):
    with pytest.raises(BadInputError, match=r"live/m/predictions\.parquet.*the folder is missing.*docs/live-data\.md"):
        judged(tmp_path / "live" / "m")


def test_rows_within_two_days_of_now_are_not_ahead_and_those_after_it_are_named(journal):
    moment = datetime(2019, 1, 3, 12, tzinfo=UTC)
    found = LiveFolder(journal, now=lambda: moment).measure("m", "1.0.0", date(2019, 1, 3), SINCE, phases=POLICY.phases)
    assert found.ahead == ()
    moment = datetime(2019, 1, 1, 12, tzinfo=UTC)
    found = LiveFolder(journal, now=lambda: moment).measure("m", "1.0.0", date(2019, 1, 3), SINCE, phases=POLICY.phases)
    assert {each.table: each.rows for each in found.ahead} == {
        "predictions": 10,
        "features": 10,
        "returns": 1,
        "exposure": 1,
    }
    told = reading(observe(found, POLICY, {}), "future_rows")
    assert "predictions: 10 row(s), up to 2019-01-04" in told.detail


def test_a_feature_dropped_from_both_files_is_missed_by_what_the_release_was_approved_with(journal):
    for name in ("features", "baseline_features"):
        alter(journal, name, lambda t: t.with_columns(volatility=pl.col("momentum") * 2))
    before = LiveFolder(journal).reference()
    for name in ("features", "baseline_features"):
        alter(journal, name, lambda t: t.drop("volatility"))
    feed = LiveFolder(journal, approved=lambda version: ApprovedProfile(pinned=before))
    observed = observe(feed.measure("m", "1.0.0", SESSION, SINCE, phases=POLICY.phases), POLICY, {})
    assert {"missing_features", "reference_changed", "psi_max"} <= unknown(observed)
    assert "volatility" in reading(observed, "missing_features").detail
    assert "without volatility" in reading(observed, "reference_changed").detail
