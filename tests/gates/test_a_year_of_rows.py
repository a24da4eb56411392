"""A gate needs a year of the calendar, however many sessions that year had."""

import numpy as np
import pytest
from small_dossier import every_day, month_ends, returns, small, weekdays, weeks

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.gates.dsr import downside_sensitivity
from signoff.domain.gates.track import less_than_a_year
from signoff.domain.outcome import Outcome


def year_of(exchange, year):
    return np.array(
        ExchangeCalendar().days(exchange, *(np.datetime64(f"{year}-{day}").item() for day in ("01-01", "12-31"))),
        dtype="datetime64[D]",
    )


YEARS = {
    "New York, 251 sessions": (lambda: year_of("XNYS", 2017), 251),
    "New York, 250 sessions in 2012": (lambda: year_of("XNYS", 2012), 250),
    "Tokyo, 245 sessions": (lambda: year_of("XTKS", 2018), 245),
    "Shanghai, 243 sessions": (lambda: year_of("XSHG", 2018), 243),
    "New York without three sessions": (lambda: np.delete(year_of("XNYS", 2017), [50, 90, 200]), 248),
    "every day": (lambda: every_day(365), 365),
    "52 weeks": (lambda: weeks(52), 52),
    "24 months": (lambda: month_ends(24), 24),
}
SHORT = {
    "eleven months of New York": lambda: year_of("XNYS", 2017)[:230],
    "New York without its worst twentieth": lambda: np.delete(year_of("XNYS", 2017), np.arange(5, 245, 20)),
    "a week less than a year of Tokyo": lambda: year_of("XTKS", 2018)[5:],
    "364 days": lambda: every_day(364),
    "51 weeks": lambda: weeks(51),
    "23 months": lambda: month_ends(23),
    "251 weekdays": lambda: weekdays(251),
}


def evidence(tmp_path, dates):
    values = np.random.default_rng(2).normal(0.001, 0.01, dates.size)
    return FolderReader().read(small(tmp_path / "dossier", {"backtest.parquet": returns(dates, values)}), None)


@pytest.mark.parametrize("kind", YEARS)
def test_a_year_of_the_calendar_is_enough(tmp_path, kind):
    made, count = YEARS[kind]
    dates = made()
    assert dates.size == count
    read = evidence(tmp_path, dates)
    assert less_than_a_year(read.evidence) is None
    found = downside_sensitivity(read.evidence, read.dossier, read.policy)
    assert found.outcome is not Outcome.INCONCLUSIVE, found.reason


@pytest.mark.parametrize("kind", SHORT)
def test_less_than_a_year_is_not(tmp_path, kind):
    lack = less_than_a_year(evidence(tmp_path, SHORT[kind]()).evidence)
    assert lack is not None
    assert "a year of" in lack.reason
