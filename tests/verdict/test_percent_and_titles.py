"""A percent sign in the cells or in the name of a column, and lines of title above the header."""

import re

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest

import signoff
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

DAYS = pd.bdate_range("2019-01-02", "2021-12-31")
RETURNS = np.random.default_rng(5).normal(0.0006, 0.008, len(DAYS)).round(6)


def lines(header, cells, separator=";"):
    days = DAYS.strftime("%d.%m.%Y")
    return "\n".join(
        [separator.join(header), *(f"{day}{separator}{cell}" for day, cell in zip(days, cells, strict=True))]
    )


def comma(value, places):
    return f"{value:.{places}f}".replace(".", ",")


def figures(verdict):
    return {key: one.value for key, one in verdict.metrics.items()}


@pytest.fixture(scope="module")
def plain():
    return figures(signoff.evaluate(pd.Series(RETURNS, index=DAYS)))


IN_PERCENT = [comma(100 * one, 4) for one in RETURNS]
SIGNED = [f"{one} %" for one in IN_PERCENT]
FRACTIONS = [comma(one, 6) for one in RETURNS]
# name of the column, cells, options, words of what was understood
READ = {
    "a name in percent": ("Rendite in %", IN_PERCENT, {}, "percentages, divided by 100"),
    "a name in brackets": ("Return (%)", IN_PERCENT, {}, "percentages, divided by 100"),
    "a name in words": ("daily return pct", IN_PERCENT, {}, "percentages, divided by 100"),
    "Prozent": ("Rendite in Prozent", IN_PERCENT, {}, "percentages, divided by 100"),
    "a name and cells": ("Rendite in %", SIGNED, {}, "percentages as its cells say"),
    "a name, cells and the option": ("Rendite in %", SIGNED, {"unit": "percent"}, "percentages as its cells say"),
    "cells and the option": ("Rendite", SIGNED, {"unit": "percent"}, "percentages as its cells say"),
    "a name above fractions, and the option": ("Rendite (%)", FRACTIONS, {"unit": "fraction"}, "fractions"),
    "the option, without a sign": ("Rendite", IN_PERCENT, {"unit": "percent"}, "percentages, divided by 100"),
}


@pytest.mark.parametrize("name", READ)
def test_one_reading_that_is_not_absurd_is_read_and_said(tmp_path, plain, name):
    column, cells, options, words = READ[name]
    path = tmp_path / "r.csv"
    path.write_text(lines(("Datum", column), cells))
    verdict = signoff.evaluate(path, **options)
    assert figures(verdict) == pytest.approx(plain, rel=1e-3)
    said = str(verdict.understood)
    assert words in said
    assert ("=" in said) or not options


@pytest.mark.parametrize("scale", [0.125, 1.2, 1.8, 2.2])
def test_a_name_of_percent_is_asked_about_where_both_readings_are_plausible(tmp_path, scale):
    path = tmp_path / "r.csv"
    path.write_text(lines(("Datum", "Rendite in %"), [comma(scale * 8 * one, 6) for one in RETURNS]))
    with pytest.raises(BadInputError, match="unit="):
        signoff.evaluate(path)


def workbook(path, head, name, values, shown="General"):
    book = openpyxl.Workbook()
    for row in (*head, ("Datum", name)):
        book.active.append(row)
    for day, value in zip(DAYS, values, strict=True):
        book.active.append((day.to_pydatetime(), value))
        book.active.cell(book.active.max_row, 2).number_format = shown
    book.save(path)
    return path


SHEETS = {
    "fractions that Excel shows in percent": ("Rendite in %", RETURNS, "0.00%"),
    "percentages as numbers": ("Rendite in %", 100 * RETURNS, "0.00"),
    "percentages as texts": ("Rendite in %", SIGNED, "General"),
    "fractions": ("Rendite", RETURNS, "General"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_with_a_title_is_read_and_says_which_rows_were_left_out(tmp_path, plain, name):
    column, values, shown = SHEETS[name]
    head = (("Strategie Alpha - Tagesrenditen",), ("Stand: 31.12.2021",), ())
    path = workbook(tmp_path / "r.xlsx", head, column, values if isinstance(values, list) else values.tolist(), shown)
    verdict = signoff.evaluate(path)
    assert figures(verdict) == pytest.approx(plain, rel=1e-3)
    assert any("rows 1 to 3 above the header left out" in note for note in verdict.understood.notes)


TITLES = {
    "one line": (["Strategie Alpha"], "line 1 above"),
    "two lines": (["Strategie Alpha", "netto"], "lines 1 to 2 above"),
    "an empty line below it": (["Strategie Alpha", ""], "lines 1 to 2 above"),
    "names and values": (["Fonds;Alpha", "Stand;31.12.2021", "NAV;12,5", ""], "lines 1 to 4 above"),
    "two lines in one cell": (['"Strategie', 'Alpha"'], "lines 1 to 2 above"),
}


@pytest.mark.parametrize("name", TITLES)
def test_a_title_above_a_csv_is_left_out_and_said(tmp_path, plain, name):
    head, words = TITLES[name]
    path = tmp_path / "r.csv"
    path.write_text("\n".join(head) + "\n" + lines(("Datum", "Rendite"), FRACTIONS))
    verdict = signoff.evaluate(path)
    assert figures(verdict) == pytest.approx(plain, rel=1e-3)
    assert any(words in note for note in verdict.understood.notes)


@pytest.mark.parametrize("above", ["02.01.2018;0,012", "02.01.2018;0,012\n03.01.2018;0,011"])
def test_a_row_of_data_above_the_header_is_never_left_out(tmp_path, above):
    path = tmp_path / "r.csv"
    path.write_text(above + "\n" + lines(("Datum", "Rendite"), FRACTIONS))
    with pytest.raises(BadInputError):
        signoff.evaluate(path)


@pytest.mark.parametrize("unit", [[], ["--unit", "percent"], ["--unit", "fraction"]])
def test_an_import_takes_the_percent_sign_of_the_cells_for_its_unit(tmp_path, capsys, unit):
    path = tmp_path / "r.csv"
    path.write_text(lines(("Datum", "Rendite in %"), SIGNED))
    code = main(["import", "table", str(path), "--out", str(tmp_path), *unit])
    told = capsys.readouterr()
    assert code == 0, told.err
    found = pl.read_parquet(tmp_path / "backtest.parquet")["return"].to_numpy()
    assert found == pytest.approx(RETURNS, abs=1e-6)
    assert not re.search(r"--unit", told.err)
