"""A book in one market and a benchmark in another: days on which only one of them is open are no fault."""

import numpy as np
import pytest
from small_dossier import returns, small

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.errors import BadInputError
from signoff.domain.gates.sessions import calendar_sessions
from signoff.domain.outcome import Outcome


def sessions(exchange):
    days = (np.datetime64(day).item() for day in ("2014-01-06", "2018-12-28"))
    return np.array(ExchangeCalendar().days(exchange, *days), dtype="datetime64[D]")


def judged(tmp_path, dates, values=None, **declared):
    rng = np.random.default_rng(6)
    values = rng.standard_t(4, dates.size) * 0.01 if values is None else values
    table = returns(dates, values, benchmark=rng.normal(0, 0.01, dates.size))
    folder = small(tmp_path / "dossier", {"backtest.parquet": table}, evidence=declared)
    inputs = FolderReader().read(folder, None)
    return calendar_sessions(inputs.evidence, inputs.dossier, inputs.policy)


PAIRS = [("XTKS", "XNYS"), ("XLON", "XNYS"), ("XTKS", "XLON"), ("XNYS", "XFRA")]


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_a_table_of_the_days_of_either_passes_and_says_so(tmp_path, own, other, is_declared):
    declared = {"calendar": own, "benchmark_calendar": other} if is_declared else {}
    found = judged(tmp_path, np.union1d(sessions(own), sessions(other)), **declared)
    assert found.outcome is Outcome.PASS, found.reason
    assert "days on which only one of" in found.reason
    assert "the market of its benchmark, is open are no fault" in found.reason


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_a_table_of_the_days_of_both_passes_and_says_so(tmp_path, own, other, is_declared):
    declared = {"calendar": own, "benchmark_calendar": other} if is_declared else {"calendar": own}
    found = judged(tmp_path, np.intersect1d(sessions(own), sessions(other)), **declared)
    assert found.outcome is Outcome.PASS, found.reason
    count = np.setdiff1d(sessions(own), sessions(other)).size
    assert f"{count} days on which only one of {own} and {other}" in found.reason


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_the_worst_of_the_days_of_one_left_out_block(tmp_path, own, other):
    dates = sessions(own)
    values = np.random.default_rng(1).standard_t(4, dates.size) * 0.01
    only = np.flatnonzero(~np.isin(dates, sessions(other)))
    keep = np.setdiff1d(np.arange(dates.size), only[np.argsort(values[only])[: only.size // 2]])
    found = judged(tmp_path, dates[keep], values[keep], calendar=own, benchmark_calendar=other)
    assert found.blocks
    assert f"lacks {only.size // 2} of" in found.reason


def test_days_on_which_both_are_open_may_not_be_lacking(tmp_path):
    dates = np.union1d(sessions("XTKS"), sessions("XNYS"))
    both = np.flatnonzero(np.isin(dates, np.intersect1d(sessions("XTKS"), sessions("XNYS"))))
    found = judged(tmp_path, np.delete(dates, both[50:70]), calendar="XTKS", benchmark_calendar="XNYS")
    assert found.blocks
    assert "lacks 20 of" in found.reason


def test_an_unknown_market_of_the_benchmark_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"evidence\.benchmark_calendar.*'XNYX'.*nearest is XNYS"):
        judged(tmp_path, sessions("XTKS"), benchmark_calendar="XNYX")
