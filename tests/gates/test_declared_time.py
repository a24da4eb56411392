"""What a dossier declares of time may not lift a Sharpe ratio beyond what its dates say."""

import numpy as np
import pytest
from small_dossier import every_day, month_ends, returns, small, weekdays, weeks, with_sharpe

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.errors import BadInputError


def sessions(exchange):
    days = (np.datetime64(day).item() for day in ("2012-01-04", "2018-12-28"))
    return np.array(ExchangeCalendar().days(exchange, *days), dtype="datetime64[D]")


def read(tmp_path, dates, policy=None, **declared):
    values = with_sharpe(0.5, 252, dates.size)
    folder = small(tmp_path / "dossier", {"backtest.parquet": returns(dates, values)}, evidence=declared, policy=policy)
    return FolderReader().read(folder, None).evidence.backtest


@pytest.mark.parametrize(
    ("dates", "rows", "counted"),
    [
        (sessions("XNYS"), 272, 252),
        (sessions("XTKS"), 262, 246),
        (sessions("XSHG"), 260, 244),
        (every_day(2000), 390 - 25, None),
        (every_day(2000), 340, 365),
        (weeks(300), 56, 52),
        (weeks(300), 54.6, 52),
        (month_ends(120), 13, 12),
        (month_ends(120), 12.6, 12),
        (weekdays(200), 268, 252),
        (weekdays(200), 230, 252),
    ],
)
def test_declared_rows_a_year_are_held_to_the_dates_within_a_twentieth(tmp_path, dates, rows, counted):
    if counted is None:
        assert read(tmp_path, dates, rows_a_year=rows).time.rows_a_year == rows
        return
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, dates, rows_a_year=rows)
    assert f"expected {rows} rows a year" in str(caught.value)
    assert f"which are {counted} a year" in str(caught.value)


@pytest.mark.parametrize(
    ("dates", "rows"),
    [
        (sessions("XNYS"), 250),
        (sessions("XTKS"), 245),
        (sessions("XTKS"), 252),
        (sessions("XSHG"), 243),
        (weekdays(1500), 260),
        (weekdays(200), 260),
        (weeks(300), 52.18),
    ],
)
def test_declared_rows_a_year_that_the_dates_have_are_taken(tmp_path, dates, rows):
    assert read(tmp_path, dates, rows_a_year=rows).time.rows_a_year == rows


@pytest.mark.parametrize("rate", [-2.0, -1.5, -1.01])
def test_a_rate_below_the_floor_of_the_policy_is_refused(tmp_path, rate):
    with pytest.raises(BadInputError, match=rf"risk_free_pct: expected .* at least -1% .* found {rate:g}%"):
        read(tmp_path, weekdays(400), risk_free_pct=rate)


@pytest.mark.parametrize("rate", [-1.0, -0.5, 0.0, 4.0])
def test_a_rate_above_it_is_read(tmp_path, rate):
    assert read(tmp_path, weekdays(400), risk_free_pct=rate).time.risk_free_pct == rate


@pytest.mark.parametrize(("lowest", "rate"), [(-2.0, -1.5), (0.0, -0.1)])
def test_the_floor_is_the_policys(tmp_path, lowest, rate):
    def floor(text):
        return text.replace("gates:\n", f"gates:\n  lowest_risk_free_pct: {lowest}\n", 1)

    if rate >= lowest:
        assert read(tmp_path, weekdays(400), floor, risk_free_pct=rate).time.risk_free_pct == rate
    else:
        with pytest.raises(BadInputError, match="at least 0% a year"):
            read(tmp_path, weekdays(400), floor, risk_free_pct=rate)
