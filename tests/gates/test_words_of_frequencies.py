"""Words and windows follow the frequency of a table: a month's VaR is no day's, and a crisis is placed by months."""

import numpy as np
import pytest
from small_dossier import month_ends, returns, small, weeks, with_sharpe

from signoff.cli.main import main
from signoff.domain.evidence import Evidence, Returns, Source
from signoff.domain.gates.metrics import sharpe_comparison
from signoff.domain.gates.stress import stress_rows


def table(dates, a_year):
    source = Source(name="backtest.parquet", sha256="", size=0, rows=dates.size)
    return Returns(source=source, dates=dates, returns=with_sharpe(0.5, a_year, dates.size))


MONTHS = table(month_ends(240), 12)
WEEKS = table(weeks(1000), 52)
WEDNESDAYS = table(weeks(1000, "2018-12-26"), 52)


def row(found, word, key="backtest"):
    return next(each for each in stress_rows(Evidence(**{key: found})) if word in each.title)


COVERED = {
    "months of 2008": (MONTHS, "2008", "2007-10-31", "2009-03-31"),
    "months of COVID": (table(month_ends(240, end="2020-12"), 12), "COVID", "2020-02-29", "2020-03-31"),
    "weeks of 2008": (WEEKS, "2008", "2007-10-12", "2009-03-13"),
    "weeks of February 2018": (WEEKS, "February 2018", "2018-01-26", "2018-02-09"),
    "weeks to Wednesday of August 2015": (WEDNESDAYS, "August 2015", "2015-08-19", "2015-08-26"),
}


@pytest.mark.parametrize("kind", COVERED)
def test_a_window_of_coarser_rows_holds_every_row_that_it_touches(kind):
    found, word, first, last = COVERED[kind]
    inside = (found.dates >= np.datetime64(first)) & (found.dates <= np.datetime64(last))
    seen = row(found, word)
    assert seen.total_return.value == pytest.approx(np.prod(1 + found.returns[inside]) - 1)
    assert f"The whole {found.time.unit}s that the window touches: {inside.sum()} {found.time.unit}s" in seen.note


@pytest.mark.parametrize(
    ("found", "word", "unit"),
    [(MONTHS, "6 May 2010", "month"), (MONTHS, "August 2015", "month"), (WEEKS, "6 May 2010", "week")],
)
def test_a_crisis_that_is_shorter_than_a_row_is_not_covered(found, word, unit):
    seen = row(found, word)
    assert not seen.total_return.is_provided
    assert f"shorter than a {unit}" in seen.note
    assert "Daily returns" not in seen.note


def test_a_month_that_is_missing_is_named():
    keep = MONTHS.dates != np.datetime64("2008-09-30")
    seen = row(table(MONTHS.dates[keep], 12), "2008")
    assert "the data have 17 of the 18 months that the window touches" in seen.note


def test_the_difference_of_sharpe_ratios_names_its_root():
    found = sharpe_comparison(MONTHS, table(MONTHS.dates, 12))
    assert "√252" not in found.difference.interval


@pytest.mark.parametrize(("dates", "unit"), [(month_ends(400), "month"), (weeks(800), "week")])
def test_a_memo_of_coarser_rows_does_not_speak_of_days(tmp_path, dates, unit, capsys):
    values = with_sharpe(0.9, 12 if unit == "month" else 52, dates.size)
    folder = small(tmp_path / "dossier", {"backtest.parquet": returns(dates, values, benchmark=values[::-1])})
    main(["memo", str(folder), "--out", str(tmp_path / "memo")])
    capsys.readouterr()
    text = next((tmp_path / "memo").glob("*.md")).read_text()
    assert f"One-{unit} VaR" in text
    assert "One-day VaR" not in text
    assert f"| {unit.title()}s |" in text
