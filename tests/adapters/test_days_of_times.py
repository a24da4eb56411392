"""A time belongs to the day of its own zone, whatever file it comes from; order is that of instants."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from small_dossier import every_day, small, weekdays

from signoff.adapters.evidence.reader import FolderReader
from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

WEST = ("America/New_York", "America/Los_Angeles", "America/Sao_Paulo")
EAST = ("Europe/Berlin", "Europe/London", "Asia/Shanghai", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney")


def midnights(zone, days):
    return [datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(zone)) for day in days]


def noise(size):
    return np.random.default_rng(1).normal(0.0005, 0.01, size)


def backtest(tmp_path, times=None, text=None, **options):
    tables = {"backtest.csv": text} if text else {}
    if times is not None:
        tables["backtest.parquet"] = pl.DataFrame({"date": times, "return": noise(len(times))})
    return (
        FolderReader()
        .read(small(tmp_path / "dossier", tables, deployed="2019-01-31", **options), None)
        .evidence.backtest
    )


def imported(tmp_path, what, **options):
    path = tmp_path / ("r.csv" if isinstance(what, str) else "r.parquet")
    if isinstance(what, str):
        path.write_text(what)
    else:
        what.write_parquet(path)
    return convert(ConversionRequest(format="pyfolio", source=path, **options))


def csv_of(times, form=lambda time: time.isoformat(sep=" "), name="returns"):
    lines = (f"{form(time)},{value!r}" for time, value in zip(times, noise(len(times)).tolist(), strict=True))
    return "\n".join([f"date,{name}", *lines])


FORMS = {
    "2024-01-08 00:00:00+01:00": lambda time: time.isoformat(sep=" "),
    "2024-01-08T00:00:00+01:00": lambda time: time.isoformat(),
    "2024-01-08T00:00:00+0100": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    "2024-01-08 00:00+01:00": lambda time: time.isoformat(sep=" ", timespec="minutes"),
    "2024-01-08T00:00:00.000000+01:00": lambda time: time.isoformat(timespec="microseconds"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zone", [*WEST, *EAST])
def test_offsets_in_csv_keep_their_own_day(tmp_path, zone, form):
    days = weekdays(300).tolist()  # a summer and a winter
    times = midnights(zone, days)
    frame = pl.DataFrame({"date": pl.Series(times).dt.convert_time_zone(zone), "returns": noise(len(times))})
    assert imported(tmp_path, csv_of(times, FORMS[form])).frame["date"].to_list() == days
    assert imported(tmp_path, frame).frame["date"].to_list() == days


@pytest.mark.parametrize("zone", [*WEST, *EAST])
def test_offsets_in_a_table_of_evidence_keep_their_own_day(tmp_path, zone):
    days = weekdays(300)
    times = midnights(zone, days.tolist())
    read = backtest(tmp_path / "a", text=csv_of(times, name="return"))
    np.testing.assert_array_equal(read.dates, days)
    read = backtest(tmp_path / "b", pl.Series(times).dt.convert_time_zone(zone))
    np.testing.assert_array_equal(read.dates, days)


@pytest.mark.parametrize("zone", [*WEST, *EAST])
@pytest.mark.parametrize("form", ["parquet", "Z", "+00:00"])
def test_a_local_midnight_stored_in_utc_is_noticed(tmp_path, zone, form):
    days = weekdays(700)
    stored = [time.astimezone(UTC) for time in midnights(zone, days.tolist())]
    if form == "parquet":
        frame = pl.DataFrame({"date": pl.Series(stored), "returns": noise(len(stored))})
        found, read = imported(tmp_path, frame), backtest(tmp_path, pl.Series(stored))
    else:
        text = csv_of(stored, lambda time: time.isoformat().replace("+00:00", form))
        found, read = imported(tmp_path, text), backtest(tmp_path, text=text.replace("returns", "return", 1))
    assert found.frame["date"].to_list() == days.tolist()
    np.testing.assert_array_equal(read.dates, days)
    assert read.time.rows_a_year == 252
    if zone in EAST:
        assert "midnights of" in " ".join(found.notes)


@pytest.mark.parametrize("hour", [16, 21, 22])
def test_closing_times_in_utc_are_no_midnights(tmp_path, hour):
    days = weekdays(500)
    times = [datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=hour) for day in days.tolist()]
    np.testing.assert_array_equal(backtest(tmp_path, pl.Series(times)).dates, days)


def test_closes_of_new_york_in_utc_are_no_midnights(tmp_path):
    days = weekdays(500)
    closes = [time + timedelta(hours=16) for time in midnights("America/New_York", days.tolist())]
    np.testing.assert_array_equal(backtest(tmp_path, pl.Series(closes).dt.convert_time_zone("UTC")).dates, days)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata"])
def test_midnights_of_every_day_could_be_either_and_are_asked_about(tmp_path, zone):
    days = every_day(400)
    stored = pl.Series([time.astimezone(UTC) for time in midnights(zone, days.tolist())])
    with pytest.raises(BadInputError, match=r"evidence\.zone"):
        backtest(tmp_path / "a", stored)
    (tmp_path / "i").mkdir()
    with pytest.raises(BadInputError, match="--zone"):
        imported(tmp_path / "i", pl.DataFrame({"date": stored, "returns": noise(400)}))
    np.testing.assert_array_equal(backtest(tmp_path / "b", stored, evidence={"zone": zone}).dates, days)
    utc = backtest(tmp_path / "c", stored, evidence={"zone": "UTC"})
    np.testing.assert_array_equal(utc.dates, days - 1)
    assert "days of UTC" in utc.time.words


def test_midnights_of_london_on_every_day_can_only_be_londons(tmp_path):
    days = every_day(400)
    stored = pl.Series([time.astimezone(UTC) for time in midnights("Europe/London", days.tolist())])
    np.testing.assert_array_equal(backtest(tmp_path, stored).dates, days)


def test_a_declared_zone_that_the_file_denies_is_refused(tmp_path):
    times = pl.Series(midnights("Asia/Tokyo", weekdays(300).tolist())).dt.convert_time_zone("Asia/Tokyo")
    with pytest.raises(BadInputError) as caught:
        backtest(tmp_path, times, evidence={"zone": "America/New_York"})
    for word in ("row 1", "America/New_York", "evidence.zone", "found", "Asia/Tokyo"):
        assert word in str(caught.value), str(caught.value)


FALL_BACK = {"America/New_York": datetime(2018, 11, 3, tzinfo=UTC), "Europe/Berlin": datetime(2018, 10, 27, tzinfo=UTC)}
FALL_BACK |= {
    "Australia/Sydney": datetime(2018, 3, 31, tzinfo=UTC),
    "Europe/London": datetime(2018, 10, 27, tzinfo=UTC),
}


@pytest.mark.parametrize("zone", FALL_BACK)
@pytest.mark.parametrize("minutes", [30, 60])
@pytest.mark.parametrize("form", ["UTC, zone named", "zone's own times", "offsets", "clock alone, zone named"])
def test_the_hour_that_a_clock_repeats_is_in_order(tmp_path, zone, minutes, form):
    start = FALL_BACK[zone]
    instants = [start + timedelta(minutes=minutes * n) for n in range(4 * 24 * 60 // minutes)]
    local = [time.astimezone(ZoneInfo(zone)) for time in instants]
    values = np.full(len(local), 0.0001)
    table, named = pl.Series(instants), zone
    if form == "zone's own times":
        table, named = table.dt.convert_time_zone(zone), None
    if form == "clock alone, zone named":
        table = pl.Series([time.replace(tzinfo=None) for time in local])
    if form == "offsets":
        found = imported(tmp_path, csv_of(local)).frame
    else:
        found = imported(tmp_path, pl.DataFrame({"date": table, "returns": values}), zone=named).frame
        by_day = {day: sum(time.date() == day for time in local) for day in sorted({time.date() for time in local})}
        np.testing.assert_allclose(found["return"], [1.0001**bars - 1 for bars in by_day.values()], atol=1e-15)
    assert found["date"].to_list() == sorted({time.date() for time in local})


@pytest.mark.parametrize("form", ["UTC", "clock alone"])
def test_what_truly_goes_back_is_refused(tmp_path, form):
    times = [datetime(2018, 11, 4, 1, 30) + timedelta(minutes=30 * n) for n in (0, 1, 3, 2, 4)]  # noqa: DTZ001
    table = pl.Series(times).dt.replace_time_zone("UTC") if form == "UTC" else pl.Series(times)
    with pytest.raises(BadInputError, match=r"row 4.*order of time"):
        imported(tmp_path, pl.DataFrame({"date": table, "returns": noise(5)}), zone="America/New_York")


def test_a_time_that_a_clock_leaves_out_is_refused(tmp_path):
    table = pl.Series([datetime(2018, 3, 11, 1, 30), datetime(2018, 3, 11, 2, 30)])  # noqa: DTZ001
    with pytest.raises(BadInputError, match=r"row 2.*leave out"):
        imported(tmp_path, pl.DataFrame({"date": table, "returns": noise(2)}), zone="America/New_York")


FAR = {
    "seconds read as milliseconds": pl.Series([1_600_000_000_000_000 + n * 86_400_000_000 for n in range(3)]).cast(
        pl.Datetime("ms")
    ),
    "milliseconds read as microseconds, far back": pl.Series([-9_000_000_000_000_000 + n for n in range(3)]).cast(
        pl.Datetime("us")
    ),
    "with a zone": pl.Series([9_999_999_999_999_999] * 3).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    "days": pl.Series([4_000_000, 4_000_001, 4_000_002], dtype=pl.Int32).cast(pl.Date),
    "the year 1600": pl.Series([date(1600, 1, n) for n in (4, 5, 6)]),
    "the year 2500": pl.Series([date(2500, 1, n) for n in (4, 5, 6)]),
}


@pytest.mark.parametrize("kind", FAR)
def test_dates_beyond_1900_to_2261_are_a_sentence(tmp_path, kind):
    for read in (
        lambda: backtest(tmp_path, FAR[kind]),
        lambda: imported(tmp_path, pl.DataFrame({"date": FAR[kind], "returns": noise(3)})),
    ):
        with pytest.raises(BadInputError) as caught:
            read()
        assert "row 1, column date: expected a date from 1900 to 2261" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1600-01-04", "2400-05-05", "1600-01-04T00:00:00+01:00", "9999-12-31T23:00:00Z"])
def test_dates_beyond_them_in_csv_are_too(tmp_path, text):
    with pytest.raises(BadInputError, match="1900 to 2261"):
        backtest(tmp_path, text=f"date,return\n{text},0.01\n")
    with pytest.raises(BadInputError, match="1900 to 2261"):
        imported(tmp_path, f"date,returns\n{text},0.01\n")


@pytest.mark.parametrize("text", ["9999-12-31T21:00:00Z", "1700-12-31T21:00:00+01:00", "0001-01-01T00:30:00+02:00"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_times_of_predictions_beyond_them_are_too(tmp_path, text, form):
    tables = {"backtest.parquet": pl.DataFrame({"date": weekdays(3), "return": noise(3)})}
    if form == "csv":
        tables["predictions.csv"] = f"timestamp,symbol,prediction,realized\n{text},A,0.1,0.1\n"
    else:
        stamps = FAR["seconds read as milliseconds"].dt.replace_time_zone("UTC")
        values = {"symbol": ["A"] * 3, "prediction": noise(3), "realized": noise(3)}
        tables["predictions.parquet"] = pl.DataFrame({"timestamp": stamps} | values)
    with pytest.raises(BadInputError, match="1900 to 2261"):
        FolderReader().read(small(tmp_path / "dossier", tables), None)


@pytest.mark.parametrize("time", [float("nan"), 1420434000000, -9e12, float("inf")])
def test_a_point_of_lean_out_of_range_is_a_sentence(tmp_path, time):
    shown = {"NaN": "nan"}.get(str(time), str(time))
    points = f"[[{'NaN' if shown == 'nan' else 'Infinity' if shown == 'inf' else time}, 100.0], [1420520400, 101.0]]"
    (tmp_path / "l.json").write_text(
        f'{{"charts": {{"Strategy Equity": {{"series": {{"Equity": {{"values": {points}}}}}}}}}}}'
    )
    with pytest.raises(BadInputError, match="Unix times in seconds or milliseconds from 1900 to 2261"):
        convert(ConversionRequest(format="lean", source=tmp_path / "l.json"))
