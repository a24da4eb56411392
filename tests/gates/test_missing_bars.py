"""A day without its worst bars is another day: the clock times of the other days say which bars a day lacks."""

from datetime import date, datetime, timedelta
from functools import cache, partial
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from small_dossier import small

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.bar_clocks import counted_bars
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.bars import Bars
from signoff.domain.evidence import Returns, Source
from signoff.domain.gates.sessions import calendar_sessions
from signoff.domain.gates.uncertainty import annual_ratio
from signoff.domain.outcome import Outcome

FIRST, LAST = date(2016, 1, 4), date(2018, 12, 31)


@cache
def session_bars(exchange, minutes, first=FIRST, last=LAST, *, lunch=None):
    """The ends of all bars of every session, in the exchange's own zone."""
    calendar, zone = ExchangeCalendar(), ZoneInfo(ExchangeCalendar().zone(exchange))
    found = []
    for day, opened in calendar.opens(exchange, first, last):
        at, close = opened + timedelta(minutes=minutes), calendar.close(exchange, day)
        while at <= close + timedelta(minutes=minutes - 1):
            stamp = min(at, close).astimezone(zone)
            if lunch is None or not lunch[0] < stamp.time().isoformat("minutes") <= lunch[1]:
                found.append(stamp)
            at += timedelta(minutes=minutes)
    return found


def round_the_clock(zone, first="2016-01-01", days=800, hours=1):
    begin = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).timestamp()
    own = ZoneInfo(zone)
    return [datetime.fromtimestamp(begin + 3600 * hours * n, own) for n in range(days * 24 // hours)]


def noise(size, seed=4):
    return np.random.default_rng(seed).standard_t(4, size) * 0.003 + 0.00002


def judged(tmp_path, times, values, *, zone=None, table="backtest", **declared):
    column = pl.Series("date", [time.replace(tzinfo=None) for time in times] if zone is None else times)
    if zone is not None:
        column = column.dt.convert_time_zone(zone)
    tables = {f"{table}.parquet": pl.DataFrame({"date": column, "return": values})}
    inputs = FolderReader().read(small(tmp_path / "dossier", tables, evidence=declared), None)
    return calendar_sessions(inputs.evidence, inputs.dossier, inputs.policy), inputs


def figure(finding, name):
    return {quantity.name: quantity.value for quantity in finding.figures}[f"gates.sessions.{name}"]


def without_worst(times, values, each):
    """Without the worst bars of every day."""
    days = np.array([time.date() for time in times], dtype="datetime64[D]")
    keep = np.ones(values.size, dtype=bool)
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        if rows.size > each:
            keep[rows[np.argsort(values[rows])[:each]]] = False
    return [time for time, kept in zip(times, keep, strict=True) if kept], values[keep]


WHOLE = {
    "hours of New York with early closes": (partial(session_bars, "XNYS", 60), "America/New_York", 7),
    "hours of New York stored in UTC": (partial(session_bars, "XNYS", 60), "UTC", 7),
    "half hours of New York, by a local clock without a zone": (partial(session_bars, "XNYS", 30), None, 13),
    "half hours of Tokyo with its lunch": (
        partial(session_bars, "XTKS", 30, lunch=("11:30", "12:30")),
        "Asia/Tokyo",
        10,
    ),
    "half hours of Hong Kong with its lunch": (
        partial(session_bars, "XHKG", 30, lunch=("12:00", "13:00")),
        "Asia/Hong_Kong",
        11,
    ),
    "every hour in UTC": (partial(round_the_clock, "UTC"), "UTC", 24),
    "every hour of Berlin, whose clocks change": (partial(round_the_clock, "Europe/Berlin"), "Europe/Berlin", 24),
    "every four hours of New York": (partial(round_the_clock, "America/New_York", hours=4), "UTC", 6),
    "bars that begin later on the first day": (lambda: session_bars("XNYS", 60)[4:], "America/New_York", 7),
    "bars that end earlier on the last day": (lambda: round_the_clock("UTC")[:-9], "UTC", 24),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_table_with_every_bar_passes(tmp_path, kind):
    made, zone, usual = WHOLE[kind]
    times = made()
    found, _ = judged(tmp_path, times, noise(len(times)), zone=zone)
    assert found.outcome is Outcome.PASS, found.reason
    assert f"Its days usually have {usual} bars, and none has fewer" in found.reason
    assert figure(found, "bars_missing") == 0


@pytest.mark.parametrize("each", [1, 3, 5])
@pytest.mark.parametrize("zone", ["America/New_York", "UTC", None])
def test_the_worst_bars_of_every_day_left_out_block(tmp_path, each, zone):
    times = session_bars("XNYS", 60)
    values = noise(len(times))
    kept, left = without_worst(times, values, each)
    found, inputs = judged(tmp_path, kept, left, zone=zone)
    assert annual_ratio(inputs.evidence.backtest) > 4
    assert found.blocks
    assert figure(found, "bars_missing") >= 0.9 * (len(times) - len(kept))
    assert "days are short" in found.reason
    assert "more days" in found.reason


def test_one_kept_bar_of_every_day_is_no_daily_table(tmp_path):
    times = session_bars("XNYS", 60)
    values = noise(len(times))
    kept, left = without_worst(*without_worst(times, values, 3), 3)
    days = [time.date() for time in kept]
    assert max(days.count(day) for day in set(days[:40])) == 1
    found, _ = judged(tmp_path, kept, left, zone="America/New_York")
    assert found.blocks
    assert figure(found, "short_days") > 600


BROKEN = {
    "random holes of one bar in fifty, round the clock": (partial(round_the_clock, "UTC"), 0.02, "UTC"),
    "random holes of one bar in a hundred, half hours of Tokyo": (
        partial(session_bars, "XTKS", 30, lunch=("11:30", "12:30")),
        0.01,
        "Asia/Tokyo",
    ),
    "random holes of one bar in thirty, hours of Frankfurt": (partial(session_bars, "XFRA", 60), 0.03, "Europe/Berlin"),
}


EARLY = {
    "hours of New York": ("XNYS", 60, "America/New_York", None),
    "half hours of New York stored in UTC": ("XNYS", 30, "UTC", None),
    "hours of Frankfurt": ("XFRA", 60, "Europe/Berlin", None),
    "hours of Xetra, whose day is shorter than that of Frankfurt": ("XFRA", 60, "Europe/Berlin", "17:30"),
    "quarter hours of London": ("XLON", 15, "Europe/London", None),
}


def of_early_closes(kind):
    """Every bar of five years, the zone, and the rows of each early close by its day."""
    exchange, minutes, zone, until = EARLY[kind]
    times = session_bars(exchange, minutes, date(2014, 1, 6))
    if until is not None:
        times = [time for time in times if time.time().isoformat("minutes") <= until]
    days = np.array([time.date() for time in times], dtype="datetime64[D]")
    named, counts = np.unique(days, return_counts=True)
    early = named[counts < np.median(counts)]
    return times, zone, {day: np.flatnonzero(days == day) for day in early}


@pytest.mark.parametrize("kind", EARLY)
def test_one_bar_that_an_early_close_lacks_is_counted(tmp_path, kind):
    times, zone, early = of_early_closes(kind)
    day = sorted(early)[len(early) // 2]
    rows = np.delete(np.arange(len(times)), early[day][1])
    found, _ = judged(tmp_path, [times[row] for row in rows], noise(rows.size), zone=zone)
    assert figure(found, "bars_missing") == 1, found.reason
    assert f"{day} has {early[day].size - 1} of {early[day].size}" in found.reason


@pytest.mark.parametrize("kind", EARLY)
def test_early_closes_with_all_of_their_bars_lack_none(tmp_path, kind):
    times, zone, _ = of_early_closes(kind)
    found, _ = judged(tmp_path, times, noise(len(times)), zone=zone)
    assert figure(found, "bars_missing") == 0, found.reason
    assert "is not counted" not in found.reason


def test_too_few_early_closes_are_said_to_hide_a_bar(tmp_path):
    times = session_bars("XNYS", 60, date(2017, 1, 3), date(2017, 12, 29))
    early = date(2017, 7, 3)
    rows = [row for row, time in enumerate(times) if not (time.date() == early and time.hour == 11)]
    found, _ = judged(tmp_path, [times[row] for row in rows], noise(len(rows)), zone="America/New_York")
    assert figure(found, "bars_missing") == 0
    assert "A single missing bar of 2 early closes is not counted." in found.reason


@pytest.mark.parametrize("kind", BROKEN)
def test_random_holes_are_counted_and_block_beyond_the_limit(tmp_path, kind):
    made, share, zone = BROKEN[kind]
    times = made()
    keep = np.random.default_rng(3).random(len(times)) >= share
    keep[:30] = keep[-30:] = True
    found, _ = judged(tmp_path, [t for t, k in zip(times, keep, strict=True) if k], noise(keep.sum()), zone=zone)
    assert found.blocks
    assert figure(found, "bars_missing") == int((~keep).sum())


def test_few_holes_are_listed_and_pass(tmp_path):
    times = round_the_clock("UTC")
    gone = {5000, 5001, 9000}
    kept = [time for n, time in enumerate(times) if n not in gone]
    found, _ = judged(tmp_path, kept, noise(len(kept)), zone="UTC")
    assert found.outcome is Outcome.PASS, found.reason
    assert (
        "2 days are short and lack 3 of 19,200 bars (2016-07-27 has 22 of 24, 2017-01-10 has 23 of 24)" in found.reason
    )
    assert "may differ in 38 bars" in found.turning_point


def test_rows_that_keep_no_clock_leave_the_gate_inconclusive(tmp_path):
    rng = np.random.default_rng(9)
    stamps = session_bars("XNYS", 60)
    times = [time - timedelta(minutes=int(rng.integers(0, 60)), seconds=int(rng.integers(0, 60))) for time in stamps]
    keep = rng.random(len(times)) < 0.5
    times = sorted({time for time, kept in zip(times, keep, strict=True) if kept})
    found, _ = judged(tmp_path, times, noise(len(times)), zone="America/New_York")
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "keep no clock" in found.reason


def test_closes_of_daily_rows_are_no_bars(tmp_path):
    calendar = ExchangeCalendar()
    closes = [calendar.close("XNYS", day) for day in calendar.days("XNYS", FIRST, LAST)]
    found, _ = judged(tmp_path, closes, noise(len(closes)), zone="UTC")
    assert found.outcome is Outcome.PASS, found.reason
    assert "bars" not in found.reason


def test_hours_that_an_exchange_lengthened_are_no_gap():
    first, last = date(2023, 1, 4), date(2026, 3, 31)
    times = session_bars("XTKS", 30, first, last, lunch=("11:30", "12:30"))
    days = np.array([time.date() for time in times], dtype="datetime64[D]")
    instants = np.array([int(time.timestamp()) * 1_000_000 for time in times])
    sessions, values = np.unique(days), noise(np.unique(days).size)
    source = Source(name="backtest.parquet", sha256="", size=0, rows=days.size)
    bars = Bars(days=days, instants=instants, zone="Asia/Tokyo")
    found = counted_bars(Returns(source=source, dates=sessions, returns=values, bars=bars), "XTKS")
    assert (found.usual, found.missing) == (10, 0)
