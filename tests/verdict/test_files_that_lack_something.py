"""A file that is not there, one without numbers, months of two-digit years, and columns under the file's own name."""

from datetime import date, timedelta

import numpy as np
import pytest

import signoff
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RATES = np.random.default_rng(6).normal(0.01, 0.02, 200).round(4)


def told(path, capsys):
    capsys.readouterr()
    code = main(["verdict", str(path)])
    said = capsys.readouterr()
    return code, " ".join((said.out + said.err).split())


MISSING = {
    "a letter too few": ("retuns.csv", "returns.csv"),
    "another case": ("Returns.CSV", "returns.csv"),
    "another suffix": ("equity.csv", "equity.xlsx"),
    "nothing near": ("zzzzzzz.json", "has a similar name"),
    "a folder that is misspelt": ("dat/returns.csv", "data"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_file_that_does_not_exist_is_called_so_with_the_names_near_it(tmp_path, capsys, name):
    asked, words = MISSING[name]
    (tmp_path / "data").mkdir()
    for one in ("returns.csv", "equity.xlsx"):
        (tmp_path / one).write_text("x")
    code, said = told(tmp_path / asked, capsys)
    assert code == 2
    assert "not exist" in said
    assert words in said.replace(str(tmp_path / asked), "")
    assert "Write it again" not in said


def test_a_link_to_nothing_is_called_a_link(tmp_path, capsys):
    (tmp_path / "r.csv").symlink_to(tmp_path / "gone.csv")
    assert "found a link to a file that does not exist" in told(tmp_path / "r.csv", capsys)[1]


TEXTS = {
    "one column of text": "comment\ngood day\nbad day\nflat\n",
    "dates and a text": "date,comment\n2020-01-02,good\n2020-01-03,bad\n",
    "two texts": "name,comment\na,good\nb,bad\n",
    "dates alone": "date\n2020-01-02\n2020-01-03\n",
    "numbers that are missing": "date,return\n2020-01-02,\n2020-01-03,\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_without_numbers_is_told_that_it_has_none(tmp_path, capsys, name):
    (tmp_path / "r.csv").write_text(TEXTS[name])
    code, said = told(tmp_path / "r.csv", capsys)
    assert code == 2
    assert "found no column of numbers" in said


def months(form, years=range(2017, 2024), every=1):
    return [form(SHORT[month], month + 1, year) for year in years for month in range(every - 1, 12, every)]


YEARS = {
    "Jan-19": months(lambda name, _, year: f"{name}-{year % 100:02d}"),
    "Jan 19": months(lambda name, _, year: f"{name} {year % 100:02d}"),
    "Jan'19": months(lambda name, _, year: f"{name}'{year % 100:02d}"),
    "19-Jan": months(lambda name, _, year: f"{year % 100:02d}-{name}"),
    "01/19": months(lambda _, month, year: f"{month:02d}/{year % 100:02d}"),
    "newest first": months(lambda name, _, year: f"{name}-{year % 100:02d}")[::-1],
    "over the turn of the century": months(lambda name, _, year: f"{name}-{year % 100:02d}", range(1997, 2004)),
}


@pytest.mark.parametrize("name", YEARS)
def test_two_digits_that_repeat_for_the_months_of_a_year_are_a_year(tmp_path, capsys, name):
    labels = YEARS[name]
    rows = "\n".join(f"{label},{rate}" for label, rate in zip(labels, RATES, strict=False))
    (tmp_path / "r.csv").write_text(f"Month,Return\n{rows}\n")
    code, said = told(tmp_path / "r.csv", capsys)
    assert code in {0, 1}, said
    first = "1997-01-31" if "century" in name else "2017-01-31"
    assert f"84 monthly returns from {first}" in said
    assert "since its number repeats for the months of a year" in said


UNCLEAR = {
    "one year": months(lambda name, _, __: f"{name}-19", range(1)),
    "days of a month": [f"Jan-{day:02d}" for day in range(2, 30)],
    "days of two months": [f"{name}-{day:02d}" for name in ("Jan", "Feb") for day in range(2, 28)],
    "out of order": ["Mar-19", "Jan-19", "Feb-20", "Apr-19", "May-19", "Jun-20"],
    "the same month twice": ["Jan-19", "Jan-19", "Feb-19", "Mar-19", "Apr-19", "Jan-20"],
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_two_digits_that_may_be_a_day_are_asked_about_by_the_column_of_the_file(tmp_path, capsys, name):
    rows = "\n".join(f"{label},{rate}" for label, rate in zip(UNCLEAR[name], RATES, strict=False))
    (tmp_path / "r.csv").write_text(f"Month,Return\n{rows}\n")
    code, said = told(tmp_path / "r.csv", capsys)
    assert code == 2
    assert "column Month: " in said
    assert "a year or a day" in said


@pytest.mark.parametrize("title", ["Month", "Datum", "Trade Day", "Timestamp"])
def test_a_refusal_of_a_date_names_the_column_as_the_file_does(tmp_path, title):
    days = [(date(2020, 1, 1) + timedelta(days=n)).isoformat() for n in range(20)]
    rows = "\n".join(f"{day},{rate}" for day, rate in zip([*days, "1/2/2020"], RATES, strict=False))
    (tmp_path / "r.csv").write_text(f"{title},Return\n{rows}\n")
    with pytest.raises(BadInputError, match=f"column {title}: "):
        signoff.evaluate(tmp_path / "r.csv")
