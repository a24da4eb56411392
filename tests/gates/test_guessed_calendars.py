"""Where two calendars explain the dates of a book equally well, the one that is taken is printed as a guess."""

import numpy as np
import pytest
from small_dossier import returns, small

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader


def sessions(exchange):
    days = (np.datetime64(day).item() for day in ("2016-01-06", "2018-12-28"))
    return np.array(ExchangeCalendar().days(exchange, *days), dtype="datetime64[D]")


def time_of(tmp_path, dates, *, benchmark=False, **declared):
    rng = np.random.default_rng(6)
    more = {"benchmark": rng.normal(0, 0.01, dates.size)} if benchmark else {}
    table = returns(dates, rng.standard_t(4, dates.size) * 0.01, **more)
    folder = small(tmp_path / "dossier", {"backtest.parquet": table}, evidence=declared)
    return FolderReader().read(folder, None).evidence.backtest.time


@pytest.mark.parametrize(
    ("own", "other", "benchmark"),
    [("XTKS", "XNYS", True), ("XTKS", "XNYS", False), ("XLON", "XNYS", False), ("XASX", "XNYS", True)],
)
def test_common_days_are_read_as_one_of_two_and_it_is_called_a_guess(tmp_path, own, other, benchmark):
    found = time_of(tmp_path, np.intersect1d(sessions(own), sessions(other)), benchmark=benchmark)

    assert {own, other} <= {found.calendar, *found.rivals}
    assert f"calendar {found.calendar} (a guess: " in found.words
    assert "the dates as well, and evidence.calendar decides)" in found.words


@pytest.mark.parametrize(("own", "other"), [("XTKS", "XNYS"), ("XLON", "XNYS"), ("XTKS", "XLON")])
def test_the_days_of_either_market_are_a_guess_too(tmp_path, own, other):
    found = time_of(tmp_path, np.union1d(sessions(own), sessions(other)), benchmark=True)

    assert {found.calendar, *found.rivals} == {own, other}
    assert "evidence.calendar decides" in found.words


@pytest.mark.parametrize(("own", "other"), [("XTKS", "XNYS"), ("XLON", "XNYS"), ("XASX", "XNYS")])
def test_a_declared_calendar_is_no_guess(tmp_path, own, other):
    found = time_of(tmp_path, np.intersect1d(sessions(own), sessions(other)), benchmark=True, calendar=own)

    assert found.rivals == ()
    assert f"calendar {own} (declared)" in found.words


@pytest.mark.parametrize("exchange", ["XNYS", "XTKS", "XLON"])
@pytest.mark.parametrize("lacking", [0, 3])
def test_dates_that_one_calendar_explains_are_no_guess(tmp_path, exchange, lacking):
    dates = np.delete(sessions(exchange), np.arange(100, 100 + lacking))
    found = time_of(tmp_path, dates)

    assert (found.calendar, found.rivals) == (exchange, ())
    assert f"calendar {exchange} (read from the dates)" in found.words
