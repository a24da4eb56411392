"""Every table has a frequency and a calendar of its own; two of different frequencies are compared at the coarser."""

from itertools import pairwise

import numpy as np
import pytest
from small_dossier import month_ends, returns, small, weeks, with_sharpe

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Returns, Source
from signoff.domain.frequency import Frequency
from signoff.domain.gates.anomalies import _enough
from signoff.domain.gates.comparable import comparable, compared_by
from signoff.domain.gates.sessions import calendar_sessions
from signoff.domain.outcome import Outcome

SESSIONS = np.array(
    ExchangeCalendar().days("XNYS", *(np.datetime64(day).item() for day in ("2017-01-03", "2018-12-31"))),
    dtype="datetime64[D]",
)
LIVED = with_sharpe(0.8, 252, SESSIONS.size, seed=3)


def table(name, dates, values):
    source = Source(name=name, sha256="", size=0, rows=dates.size)
    return Returns(source=source, dates=dates, returns=values)


def judged(tmp_path, dates, a_year, paper=SESSIONS, lived=LIVED, **declared):
    tables = {
        "backtest.parquet": returns(dates, with_sharpe(0.5, a_year, dates.size)),
        "paper_returns.parquet": returns(paper, lived),
    }
    read = FolderReader().read(small(tmp_path / "dossier", tables, evidence=declared), None)
    return calendar_sessions(read.evidence, read.dossier, read.policy), read.evidence


@pytest.mark.parametrize(
    ("dates", "a_year", "unit"), [(weeks(52 * 8), 52, "week"), (month_ends(120), 12, "month"), (weeks(60), 52, "week")]
)
def test_daily_paper_rows_beside_coarser_ones_follow_their_exchange(tmp_path, dates, a_year, unit):
    found, evidence = judged(tmp_path, dates, a_year)
    assert found.outcome is Outcome.PASS, found.reason
    assert evidence.paper_returns.time.calendar == "XNYS"
    assert f"backtest.parquet has every {unit} of the calendar" in found.reason
    assert f"paper_returns.parquet has every session of XNYS ({SESSIONS.size})" in found.reason


def test_sessions_that_the_daily_paper_table_lacks_are_called_sessions(tmp_path):
    kept = np.delete(np.arange(SESSIONS.size), [40, 80, 81, 200])
    found, _ = judged(tmp_path, weeks(52 * 8), 52, SESSIONS[kept], LIVED[kept])
    assert found.blocks
    assert f"paper_returns.parquet lacks 4 of {SESSIONS.size} sessions of XNYS" in found.reason
    assert "sessions" in found.turning_point


def test_a_declared_frequency_is_that_of_the_backtest(tmp_path):
    found, evidence = judged(tmp_path, weeks(52 * 8), 52, frequency="weekly", rows_a_year=52, calendar="XNYS")
    assert found.outcome is Outcome.PASS, found.reason
    assert evidence.paper_returns.time.rows_a_year == 252
    assert "read from the dates" in evidence.paper_returns.time.words


COARSER = {
    "weeks to Friday": (weeks(100), 5),
    "weeks to Wednesday": (weeks(100, "2018-12-26"), 5),
    "months": (month_ends(20), 21),
}


@pytest.mark.parametrize("kind", COARSER)
def test_two_frequencies_are_compared_at_the_coarser_one(kind):
    dates, _ = COARSER[kind]
    daily = table("paper", SESSIONS, LIVED)
    spans = [(before < SESSIONS) & (at >= SESSIONS) for before, at in pairwise(dates)]
    coarse = table("backtest", dates[1:], np.array([np.prod(1 + LIVED[rows]) - 1 for rows in spans]))
    own, theirs = comparable(daily, coarse)
    shared, mine, other = np.intersect1d(own.dates, theirs.dates, return_indices=True)
    assert shared.size >= theirs.dates.size - 1
    np.testing.assert_allclose(own.returns[mine], theirs.returns[other], atol=1e-12)
    assert own.time.frequency is coarse.time.frequency
    assert f"compared by {coarse.time.unit}" in compared_by(daily, coarse)


def test_one_frequency_is_compared_as_it_is():
    one, other = table("a", SESSIONS, LIVED), table("b", SESSIONS[5:], LIVED[5:])
    assert comparable(one, other) == (one, other)
    assert compared_by(one, other) == ""


def test_weekly_returns_are_held_against_weekly_returns():
    given, reference, how = _enough(table("paper", SESSIONS, LIVED), table("backtest", weeks(300), LIVED[:300]))
    assert how == "Weekly"
    assert given.size == np.count_nonzero(weeks(300) > SESSIONS[0])
    assert reference.size == 300
    assert given.std() > 1.5 * LIVED.std()


def test_the_frequency_of_a_table_is_one_of_the_known(tmp_path):
    _, evidence = judged(tmp_path, weeks(52 * 8), 52)
    assert (evidence.backtest.time.frequency, evidence.paper_returns.time.frequency) == (
        Frequency.WEEKLY,
        Frequency.DAILY,
    )


def test_trials_of_another_frequency_are_not_comparable(tmp_path):
    dates = weeks(52 * 8)
    tables = {
        "backtest.parquet": returns(dates, with_sharpe(0.5, 52, dates.size)),
        "trials.parquet": returns(SESSIONS, LIVED),
    }
    with pytest.raises(BadInputError, match="not comparable: the trials have daily rows and the backtest weekly ones"):
        FolderReader().read(small(tmp_path / "dossier", tables), None)
