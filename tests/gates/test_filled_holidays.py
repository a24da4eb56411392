"""Holidays over which prices were carried on are no sessions, and do not turn an exchange into every weekday."""

import numpy as np
import polars as pl
import pytest
from small_dossier import returns, small, weekdays

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.gates.sessions import calendar_sessions
from signoff.domain.outcome import Outcome


def sessions(exchange, first="2016-01-04", last="2018-12-28"):
    days = (np.datetime64(day).item() for day in (first, last))
    return np.array(ExchangeCalendar().days(exchange, *days), dtype="datetime64[D]")


def noise(size, seed=4):
    return np.random.default_rng(seed).standard_t(4, size) * 0.01 + 0.0005


def carried(exchange, count=None, *, repeats=False, first="2016-01-04"):
    """The sessions of an exchange and its holidays, of which each is zero or repeats the day before."""
    own = sessions(exchange, first)
    every = np.arange(own[0], own[-1] + 1)
    holidays = np.setdiff1d(every[np.is_busday(every)], own)[:count]
    dates = np.sort(np.concatenate([own, holidays]))
    values = noise(dates.size)
    for row in np.flatnonzero(np.isin(dates, holidays)):
        values[row] = values[row - 1] if repeats and row else 0.0
    return dates, values, holidays


def judged(tmp_path, dates, values, *, family=False, **declared):
    tables = {"backtest.parquet": returns(dates, values, benchmark=noise(dates.size, 9))}
    if family:
        tables["trials.parquet"] = pl.DataFrame({"date": dates, "a": values, "b": noise(dates.size, 5)})
    inputs = FolderReader().read(small(tmp_path / "dossier", tables, evidence=declared), None)
    return calendar_sessions(inputs.evidence, inputs.dossier, inputs.policy), inputs.evidence


FILLED = {
    "five holidays of a year of New York": (carried("XNYS", 5, first="2018-01-02"), "XNYS"),
    "five holidays of New York that repeat the day before": (
        carried("XNYS", 5, repeats=True, first="2018-01-02"),
        "XNYS",
    ),
    "every holiday of New York": (carried("XNYS"), "XNYS"),
    "every holiday of London": (carried("XLON"), "XLON"),
    "every holiday of Tokyo that repeats the day before": (carried("XTKS", repeats=True), "XTKS"),
}


@pytest.mark.parametrize("kind", FILLED)
@pytest.mark.parametrize("is_declared", [False, True])
def test_filled_holidays_are_left_out_and_listed(tmp_path, kind, is_declared):
    (dates, values, holidays), exchange = FILLED[kind]
    found, evidence = judged(tmp_path, dates, values, family=True, **({"calendar": exchange} if is_declared else {}))
    assert evidence.backtest.time.calendar == exchange
    assert found.outcome is Outcome.PASS, found.reason
    np.testing.assert_array_equal(evidence.backtest.dates, np.setdiff1d(dates, holidays))
    np.testing.assert_array_equal(evidence.trials.dates, evidence.backtest.dates)
    assert evidence.backtest.benchmark.size == evidence.backtest.dates.size
    (note,) = evidence.backtest.left_out
    assert f"{holidays.size} rows while {exchange} is shut, {holidays[0]}" in note


NOT_FILLED = {
    "every weekday, with returns on all": (weekdays(700), noise(700)),
    "every weekday of a model that often holds nothing": (
        weekdays(700),
        noise(700) * (np.random.default_rng(1).random(700) < 0.3),
    ),
    "every weekday with some zeros": (weekdays(700), noise(700) * (np.random.default_rng(2).random(700) < 0.9)),
}


@pytest.mark.parametrize("kind", NOT_FILLED)
def test_every_weekday_stays_every_weekday(tmp_path, kind):
    found, evidence = judged(tmp_path, *NOT_FILLED[kind])
    assert evidence.backtest.time.calendar == "24/5"
    assert found.outcome is Outcome.PASS, found.reason
    assert evidence.backtest.left_out == ()
