"""Files as the world writes them: each is read right, or refused with its true cause and the place of it.

Every file says the same three returns on the same three days, unless it is there to be refused.
"""

import codecs
import gzip
import io
import zipfile
from datetime import date

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from signoff.adapters.evidence.file_formats import read_frame
from signoff.adapters.evidence.tables import table_of
from signoff.adapters.evidence.titles import header_below
from signoff.adapters.results.conversion import ConversionRequest, convert, hints_of
from signoff.domain.errors import BadInputError

DAYS = [date(2020, 1, 13), date(2020, 1, 14), date(2020, 1, 15)]
RETURNS = [0.0125, -0.003, 0.0004]
PLAIN = "date,return\n2020-01-13,0.0125\n2020-01-14,-0.003\n2020-01-15,0.0004\n"
GERMAN = PLAIN.replace(",", ";").replace(".", ",")


def returned(**columns):
    return pl.DataFrame({"date": DAYS, "return": RETURNS} | columns)


def parquet(frame):
    frame.write_parquet(file := io.BytesIO())
    return file.getvalue()


# name of the file, its content
READ_IN_PLACE = {
    "plain": PLAIN,
    "a byte order mark": "\ufeff" + PLAIN,
    "UTF-16 as Notepad saves it": codecs.BOM_UTF16_LE + PLAIN.encode("utf-16-le"),
    "UTF-16 in the other order": codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-16 with semicolons": codecs.BOM_UTF16_LE + GERMAN.encode("utf-16-le"),
    "lines of Windows": PLAIN.replace("\n", "\r\n"),
    "lines of an old Mac": PLAIN.replace("\n", "\r"),
    "lines that Python wrote twice on Windows": PLAIN.replace("\n", "\r\r\n"),
    "old lines among new ones": PLAIN.replace("\n", "\r", 2),
    "no line end at the end": PLAIN.rstrip("\n"),
    "blank lines": PLAIN.replace("\n", "\n\n"),
    "semicolons and decimal commas": GERMAN,
    "semicolons and decimal points": PLAIN.replace(",", ";"),
    "semicolons, no leading zero": GERMAN.replace("0,0", ",0"),
    "semicolons at the ends of lines": GERMAN.replace("\n", ";\n"),
    "tabs": PLAIN.replace(",", "\t"),
    "tabs and decimal commas": GERMAN.replace(";", "\t"),
    "bars": PLAIN.replace(",", "|"),
    "a first line for Excel": "sep=;\n" + GERMAN,
    "commas in quotes": 'date,return\n2020-01-13,"0,0125"\n2020-01-14,"-0,003"\n2020-01-15,"0,0004"\n',
    "percent signs": "date,return\n2020-01-13,1.25%\n2020-01-14,-0.3%\n2020-01-15,0.04%\n",
    "percent signs and commas": "date;return\n2020-01-13;1,25 %\n2020-01-14;-0,3 %\n2020-01-15;0,04 %\n",
    "brackets for minus": PLAIN.replace("-0.003", "(0.003)"),
    "the minus of typography": PLAIN.replace("-0.003", "\N{MINUS SIGN}0.003"),
    "exponents with commas": GERMAN.replace("0,0004", "4E-04").replace("0,0125", "1,25E-02"),
    "the index of pandas": pd.DataFrame({"date": DAYS, "return": RETURNS}).to_csv(),
    "the index of pandas, saved twice": PLAIN.replace("date", "Unnamed: 0,date")
    .replace("2020-01-13", "0,2020-01-13")
    .replace("2020-01-14", "1,2020-01-14")
    .replace("2020-01-15", "2,2020-01-15"),
    "the dates of pandas in a nameless index": pd.Series(RETURNS, pd.DatetimeIndex(DAYS), name="return").to_csv(),
    "midnights of pandas": PLAIN.replace("-13,", "-13 00:00:00,").replace("-14,", "-14 00:00:00,").replace(
        "-15,", "-15 00:00:00,"),
    "an empty column without name": PLAIN.replace("\n", ",\n"),
    "spaces in the header": PLAIN.replace("date,return", "date, return"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ_IN_PLACE)
def test_a_file_of_this_shape_is_read_where_it_lies(name):
    content = READ_IN_PLACE[name]
    table = table_of(content if isinstance(content, bytes) else content.encode(), "backtest.csv", "backtest.csv")
    table.require("date", "return")
    assert table.unique_days().tolist() == DAYS
    np.testing.assert_allclose(table.returns("return"), RETURNS, rtol=1e-15)


def dated(*days):
    return "date,return\n" + "".join(f"{day},{value}\n" for day, value in zip(days, RETURNS, strict=True))


def sheet(write, name="Returns", **options):
    book = xlsxwriter.Workbook(file := io.BytesIO(), {"in_memory": True, **options})
    write(book.add_worksheet(name), book)
    book.close()
    return file.getvalue()


def rows(*lines):
    def write(page, book):
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for n, line in enumerate(lines):
            for m, cell in enumerate(line):
                if isinstance(cell, date):
                    page.write_datetime(n, m, cell, day)
                elif cell is not None:
                    page.write(n, m, cell)

    return write


def percentages(page, book):
    rows(*SHEET[:1], *[(day, None) for day in DAYS])(page, book)
    for n, value in enumerate(RETURNS, start=1):
        page.write_number(n, 1, value, book.add_format({"num_format": "0.00%"}))


def two_rows_of_header(page, book):
    rows((None, None), (None, "net"), *SHEET[1:])(page, book)
    page.merge_range(0, 0, 1, 0, "date")
    page.write(0, 1, "return")


SHEET = [("date", "return"), *zip(DAYS, RETURNS, strict=True)]
GROWN = np.cumprod([100.0, *(1 + np.array(RETURNS))])

# suffix, content, options
IMPORTED = {
    "days before months": (".csv", dated("13/01/2020", "14/01/2020", "15/01/2020"), {}),
    "months before days": (".csv", dated("01/13/2020", "01/14/2020", "01/15/2020"), {}),
    "dates of Germany": (".csv", dated("13.01.2020", "14.01.2020", "15.01.2020").replace(",", ";"), {}),
    "dates without separators": (".csv", dated("20200113", "20200114", "20200115"), {}),
    "dates with slashes, year first": (".csv", dated("2020/01/13", "2020/1/14", "2020/1/15"), {}),
    "names of months": (".csv", dated("13-Jan-2020", "14-Jan-2020", "15-Jan-2020"), {}),
    "American dates": (".csv", dated('"January 13, 2020"', '"Jan 14, 2020"', '"Jan 15, 2020"'), {}),
    "a clock of twelve hours": (".csv", dated(*(f"{n}/1/2020 4:00 PM" for n in (13, 14, 15))), {"zone": "UTC"}),
    "thousands and decimal commas": (".csv", "date;value\n2020-01-10;1.000.000,00\n2020-01-13;1.012.500,00\n"
                                     "2020-01-14;1.009.462,50\n2020-01-15;1.009.866,285\n", {"is_values": True}),
    "thousands and decimal points": (".csv", 'date,value\n2020-01-10,"1,000,000.00"\n2020-01-13,"1,012,500.00"\n'
                                     '2020-01-14,"1,009,462.50"\n2020-01-15,"1,009,866.285"\n', {"is_values": True}),
    "thousands of Switzerland": (".csv", "date;value\n2020-01-10;1'000'000.00\n2020-01-13;1'012'500.00\n"
                                 "2020-01-14;1'009'462.50\n2020-01-15;1'009'866.285\n", {"is_values": True}),
    "thousands with narrow spaces": (".csv", "date;value\n2020-01-10;1\u202f000\u202f000,00\n2020-01-13;1\u202f012"
                                     "\u202f500,00\n2020-01-14;1\u202f009\u202f462,50\n2020-01-15;1\u202f009\u202f866"
                                     ",285\n", {"is_values": True}),
    "a currency": (".csv", 'date,value\n2020-01-10,"$1,000,000.00"\n2020-01-13,"$1,012,500.00"\n2020-01-14,'
                   '"$1,009,462.50"\n2020-01-15,"$1,009,866.285"\n', {"is_values": True}),
    "one figure that reads in two ways, and an option": (
        ".csv", "date;value\n2020-01-10;100.000\n2020-01-13;101.250\n2020-01-14;100.946\n2020-01-15;100.987\n",
        {"is_values": True, "decimal": "point"}),
    "a workbook": (".xlsx", sheet(rows(*SHEET)), {}),
    "a workbook of texts": (".xlsx", sheet(rows(("date", "return"), ("13.01.2020", "0,0125"), ("14.01.2020", "-0,003"),
                                                ("15.01.2020", "0,0004"))), {}),
    "a workbook whose dates begin in 1904": (".xlsx", sheet(rows(*SHEET), date_1904=True), {}),
    "a workbook with an index": (".xlsx", sheet(rows((None, "date", "return"), *[(n, *line) for n, line in
                                                                                enumerate(SHEET[1:])])), {}),
    "a head without numbers": (".csv", "date,return\n2020-01-09,\n2020-01-10,NaN\n" + PLAIN.partition("\n")[2],
                               {"drop_head": True}),
    "percent signs on cells of Excel": (".xlsx", sheet(percentages), {}),
    "a currency behind the figure": (".csv", "date;value\n2020-01-10;1.000.000,00 €\n2020-01-13;1.012.500,00 €\n"
                                     "2020-01-14;1.009.462,50 €\n2020-01-15;1.009.866,285 €\n", {"is_values": True}),
    "thin spaces": (".csv", "date;value\n2020-01-10;1\u2009000\u2009000,00\n2020-01-13;1\u2009012\u2009500,00\n"
                    "2020-01-14;1\u2009009\u2009462,50\n2020-01-15;1\u2009009\u2009866,285\n", {"is_values": True}),
    "brackets around percentages": (".csv", "date,return\n"
                                    "2020-01-13,1.25%\n2020-01-14,(0.30%)\n2020-01-15,0.04%\n", {}),
    "days of UTC": (".csv", dated("2020-01-13Z", "2020-01-14Z", "2020-01-15Z"), {}),
    "a line end within a name": (".csv", PLAIN.replace("return", '"daily\nreturn"'), {}),
    "a name that says percent, and an option": (".csv", "date,return (%)\n2020-01-13,1.25\n2020-01-14,-0.3\n"
                                                "2020-01-15,0.04\n", {"unit": "percent"}),
    "tabs in a text": (".txt", PLAIN.replace(",", "\t"), {}),
}  # fmt: skip


def imported(tmp_path, suffix, content, **options):
    path = tmp_path / f"returns{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = {name: options.pop(name, None) for name in ("decimal", "dates", "sheet")}
    hints = hints_of(**said, drop_head=options.pop("drop_head", False))
    return convert(ConversionRequest(format="table", source=path, hints=hints, **options))


@pytest.mark.parametrize("name", IMPORTED)
def test_a_file_of_this_shape_is_imported(tmp_path, name):
    suffix, content, options = IMPORTED[name]
    frame = imported(tmp_path, suffix, content, **options).frame
    assert frame["date"].to_list() == DAYS
    tolerance = 1e-5 if "two ways" in name else 1e-8 if options.get("is_values") else 1e-15
    np.testing.assert_allclose(frame["return"], RETURNS, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("order", "days"),
    [
        ("day-first", [date(2020, 2, 1), date(2020, 3, 1), date(2020, 4, 1)]),
        ("month-first", [date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 4)]),
    ],
)
def test_dates_that_read_in_two_ways_are_read_as_somebody_says(tmp_path, order, days):
    content = dated("01/02/2020", "01/03/2020", "01/04/2020")
    assert imported(tmp_path, ".csv", content, dates=order).frame["date"].to_list() == days


# name of the file, content, words of the refusal
REFUSED_IN_PLACE = {
    "a decimal comma among commas": ("backtest.csv", PLAIN.replace("0.0125", "0,0125"), ("line 2", "expected 2 fields",
                                     "found 3", "decimal commas")),
    "another encoding": ("backtest.csv", "date,return,Größe\n".encode("cp1252"), ("line 1", "Windows-1252", "UTF-8")),
    "UTF-32": ("backtest.csv", codecs.BOM_UTF32_LE + PLAIN.encode("utf-32-le"), ("UTF-32",)),
    "half of a UTF-16 character": ("backtest.csv", codecs.BOM_UTF16_LE + PLAIN.encode("utf-16-le")[:-1],
                                   ("UTF-16", "breaks off")),
    "two decimal marks": ("backtest.csv", GERMAN.replace("0,0004", "0.0004"), ("one decimal mark", "row 1", "row 3",
                          "'0.0004'", "column return")),
    "figures that read in two ways": ("backtest.csv", "date;return;cost\n2020-01-13;1,250;0\n", ("row 1", "'1,250'",
                                      "1250 or 1.250", "--decimal")),
    "percent on some rows": ("backtest.csv", PLAIN.replace("-0.003", "-0.3%"), ("row 1", "percent sign", "0.0125")),
    "lines above it": ("backtest.csv", "My strategy\n" + PLAIN, ("line 1", "'My strategy'", "above the header")),
    "a title with empty cells": ("backtest.csv", "Fund XYZ,\n,\n" + PLAIN, ("line 1", "'Fund XYZ,'",
                                 "looks like a title", "in line 3", "above the header")),
    "a title with commas of its own": ("backtest.csv", "Fund, net, in USD\n" + GERMAN, ("title", "in line 2")),
    "two lines of title": ("backtest.csv", "Fund XYZ\nas of today\n" + PLAIN, ("title", "in line 3")),
    "a title below an empty line": ("backtest.csv", "\nFund XYZ\n" + PLAIN, ("line 2 ('Fund XYZ')", "in line 3")),
    "a month without a day": ("backtest.csv", dated("2020-01", "2020-02", "2020-03"), ("row 1", "2020-01",
                              "`signoff import table`", "2020-01-31")),
    "the name of a month": ("backtest.csv", dated("Jan 2020", "Feb 2020", "Mar 2020"), ("Jan 2020", "2020-01-31",
                            "`signoff import table`")),
    "a month and two digits": ("backtest.csv", dated("Jan-16", "Feb-16", "Mar-16"), ("'Jan-16'", "a year or a day",
                               "`signoff import table`")),
    "no header": ("backtest.csv", PLAIN.partition("\n")[2], ("2020-01-13", "names of the columns")),
    "columns separated by spaces": ("backtest.csv", PLAIN.replace(",", "   "), ("spaces", "semicolons or tabs")),
    "a short row": ("backtest.csv", PLAIN.replace(",-0.003", ""), ("row 2 (line 3)", "nothing")),
    "a nameless column": ("backtest.csv", "date,return,\n2020-01-13,0.1,x\n", ("column 3", "a name in the header")),
    "names that look alike": ("trials.csv", "date,caf\u00e9,cafe\u0301\n2020-01-13,0.1,0.1\n", ("caf\u00e9 twice",)),
    "a workbook named .csv": ("backtest.csv", sheet(rows(*SHEET)), ("Excel workbook", ".xlsx", "signoff import")),
    "an .xls named .csv": ("backtest.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), (".xls", "Save it")),
    "a page of a web site": ("backtest.csv", "<html><table><tr><td>1</td></tr></table></html>", ("HTML page",)),
    "JSON named .csv": ("backtest.csv", '[{"date": "2020-01-13"}]', ("JSON",)),
    "a packed CSV without .gz": ("backtest.csv", gzip.compress(PLAIN.encode()), ("gzip", ".csv.gz")),
    "Parquet named .csv": ("backtest.csv", parquet(returned()), ("Parquet file", "Name it .parquet")),
    "CSV named .parquet": ("backtest.parquet", PLAIN, ("expected a parquet file", "a text")),
    "a pointer of Git LFS": ("backtest.parquet", "version https://git-lfs.github.com/spec/v1\n", ("git lfs pull",)),
    "Parquet named .arrow": ("backtest.arrow", parquet(returned()), ("Parquet file", "Name it .parquet")),
    "half a Parquet file": ("backtest.parquet", parquet(returned())[:-9], ("may be truncated",)),
    "days before months": ("backtest.csv", dated("13/01/2020", "14/01/2020", "15/01/2020"), ("row 1 (line 2)",
                           "column date", "13/01/2020", "2020-01-13", "signoff import")),
    "day numbers of Excel": ("backtest.csv", dated("43843", "43844", "43845"), ("43843", "day number of Excel",
                             "2020-01-13")),
    "Unix times": ("backtest.csv", dated("1578873600", "1578960000", "1579046400"), ("Unix time in seconds",)),
    "a head without numbers": ("backtest.csv", PLAIN.replace("0.0125", "NaN"), ("row 1 (line 2)", "first 1 rows",
                               "--drop-head")),
    "error cells of Excel": ("backtest.csv", PLAIN.replace("0.0125", "#DIV/0!"), ("row 1 (line 2)", "#DIV/0!")),
}  # fmt: skip


def read(file, content):
    table = table_of(content, file, file)
    table.require("date", "return")
    table.unique_days()
    table.returns("return")


@pytest.mark.parametrize("name", REFUSED_IN_PLACE)
def test_a_file_of_this_shape_is_refused_with_its_cause(name):
    file, content, words = REFUSED_IN_PLACE[name]
    with pytest.raises(BadInputError) as caught:
        read(file, content if isinstance(content, bytes) else content.encode())
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    assert [word for word in words if word not in said] == [], said
    assert ("truncated" in said) == ("breaks off" in said or "half" in name), said


TITLED = {
    "an empty row below it": ((("Fund XYZ",), (), ("Datum", "Rendite")), 3),
    "none below it": ((("Fund XYZ",), ("Datum", "Rendite")), 2),
    "two of them": ((("Fund XYZ",), ("Net of fees",), ("date", "return")), 3),
    "as wide as the header": ((("Fund XYZ", "net of fees"), ("date", "return")), 2),
}


@pytest.mark.parametrize("name", TITLED)
def test_a_title_above_a_table_is_left_out_and_said_with_the_row_of_the_header(tmp_path, name):
    head, place = TITLED[name]
    found = imported(tmp_path, ".xlsx", sheet(rows(*head, *SHEET[1:])))
    assert found.frame.height == len(SHEET) - 1
    assert any(f"left out, as a title ('Fund XYZ'); the header is in row {place}" in note for note in found.notes)


@pytest.mark.parametrize(
    "head", [["date,return"], ["Datum,Rendite"], ["a,b"], ["date,return", "TT.MM.JJJJ,%"], ["Tag,Rendite", "TT.MM.,%"]]
)
def test_a_header_is_no_title(head):
    assert header_below([line.split(",") for line in (*head, *PLAIN.splitlines()[1:])]) is None


MONTHS = {
    "ISO": ("2020-01", "2020-02", "2020-03"),
    "slashes": ("2020/1", "2020/2", "2020/3"),
    "month before year": ("01/2020", "02/2020", "03/2020"),
    "digits alone": ("202001", "202002", "202003"),
    "short names": ("Jan 2020", "Feb 2020", "Mar 2020"),
    "long names": ("January-2020", "February-2020", "March-2020"),
    "year before name": ("2020 Jan", "2020 Feb", "2020 Mar"),
}


@pytest.mark.parametrize("name", MONTHS)
def test_months_are_read_as_their_last_days_and_noted(tmp_path, name):
    found = imported(tmp_path, ".csv", dated(*MONTHS[name]))
    assert found.frame["date"].to_list() == [date(2020, 1, 31), date(2020, 2, 29), date(2020, 3, 31)]
    assert f"months were read as their last days: {MONTHS[name][0]} as 2020-01-31" in found.notes


BENCHMARKED = ["date,return,benchmark", "date,Returns,Benchmark", "Datum,Rendite,Benchmark", "date,returns,benchmark"]


@pytest.mark.parametrize("head", BENCHMARKED)
def test_a_benchmark_is_taken_along(tmp_path, head):
    content = head + "\n" + "".join(f"{day},{value},{value / 2}\n" for day, value in zip(DAYS, RETURNS, strict=True))
    found = imported(tmp_path, ".csv", content).frame
    assert found.columns == ["date", "return", "benchmark"]
    np.testing.assert_allclose(found["return"], RETURNS, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found["benchmark"], np.array(RETURNS) / 2, rtol=0, atol=1e-15)


def two_sheets():
    book = xlsxwriter.Workbook(file := io.BytesIO(), {"in_memory": True})
    for name in ("Model A", "Model B"):
        rows(*SHEET)(book.add_worksheet(name), book)
    book.close()
    return file.getvalue()


def uncalculated():
    book = openpyxl.Workbook()
    book.active.title = "Returns"
    for line in (("date", "return"), (DAYS[0], "=B3*2"), (DAYS[1], 0.01)):
        book.active.append(line)
    book.save(file := io.BytesIO())
    return file.getvalue()


REFUSED_AT_IMPORT = {
    "dates of two senses": (".csv", dated("01/02/2020", "02/02/2020", "03/02/2020"), {}, ("row 1", "column date",
                                    "'01/02/2020'", "--dates day-first or --dates month-first")),
    "months with two digits": (".csv", dated("Jan-16", "Feb-16", "Mar-16"), {}, ("row 1", "'Jan-16'", "a year or a day",
                               "2016-01")),
    "months beside a day": (".csv", dated("2020-01", "2020-02", "2020-03-31"), {}, ("row 3", "2020-03-31", "no month")),
    "a month that is none": (".csv", dated("2020-01", "2020-13", "2020-03"), {}, ("row 2", "2020-13", "no month")),
    "an order that is disproved": (".csv", dated("13/01/2020", "14/01/2020", "15/01/2020"), {"dates": "month-first"},
                                   ("row 1", "is day-first", "Leave the option out")),
    "days and months exchanged half-way": (".csv", dated("01/13/2020", "14/01/2020", "15/01/2020"), {}, ("row 2",
                                           "'14/01/2020'", "row 1 says '01/13/2020'")),
    "dates of two forms": (".csv", dated("2020-01-13", "14.01.2020", "2020-01-15"), {}, ("row 2", "'14.01.2020'",
                           "spreadsheet")),
    "years of two digits": (".csv", dated("13/01/20", "14/01/20", "15/01/20"), {}, ("row 1", "two digits")),
    "months of another language": (".csv", dated("13 Janv 2020", "14 Janv 2020", "15 Janv 2020"), {}, ("row 1",
                                   "English")),
    "Unix times in milliseconds": (".csv", dated(*(1578873600000 + n for n in range(3))), {}, ("milliseconds",)),
    "a head without numbers": (".csv", PLAIN.replace("0.0125", ""), {}, ("row 1", "column return", "--drop-head")),
    "a gap in the middle": (".csv", PLAIN.replace("-0.003", ""), {"drop_head": True}, ("row 2", "Correct it")),
    "a total below": (".csv", PLAIN + "Total,0.0099\n", {}, ("row 4", "'Total'", "remove it")),
    "a total below a sheet": (".xlsx", sheet(rows(*SHEET, ("Summe", 0.0099))), {}, ("row 4", "'Summe'", "remove it")),
    "a total without a name": (".csv", PLAIN + ",0.0099\n", {}, ("row 4", "column date", "found none", "a total")),
    "the header again": (".csv", PLAIN + PLAIN, {}, ("row 4", "'date'", "another line of the header")),
    "the header again in a sheet": (".xlsx", sheet(rows(*SHEET[:3], SHEET[0], SHEET[3])), {}, ("row 3", "'date'",
                                    "another line of the header")),
    "a line of units": (".csv", PLAIN.replace("2020-01-13", "YYYY-MM-DD,%\n2020-01-13", 1), {}, ("row 1",
                        "'YYYY-MM-DD'", "another line of the header")),
    "a line of units in a sheet": (".xlsx", sheet(rows(SHEET[0], ("UTC", "net"), *SHEET[1:])), {}, ("row 1", "'UTC'",
                                   "another line of the header")),
    "a merged header": (".xlsx", sheet(two_rows_of_header), {}, ("row 1", "found none", "second line of the header")),
    "a remark below": (".csv", PLAIN + "Source: the desk,\n", {}, ("row 4", "'Source: the desk'", "a remark")),
    "months of Germany": (".csv", dated("13. März 2020", "14. März 2020", "15. März 2020"), {}, ("row 1", "English")),
    "months of Spain": (".csv", dated("13-ene-2020", "14-ene-2020", "15-ene-2020"), {}, ("row 1", "English")),
    "truths": (".csv", "date,return\n2020-01-13,true\n2020-01-14,false\n", {}, ("column return", "found true")),
    "a name that says percent": (".csv", "date,return (%)\n2020-01-13,0.125\n2020-01-14,-0.03\n", {},
                                 ("column return (%)", "--unit percent", "--unit fraction")),
    "a name that says basis points": (".csv", "date,net bps\n2020-01-13,0.5\n2020-01-14,-0.3\n", {},
                                      ("column net bps", "divide basis points")),
    "a remark in quotes": (".csv", 'date,return,note\n2020-01-13,0.1,"a\nb"\n', {}, ("row 1", "column note")),
    "two sheets": (".xlsx", two_sheets(), {}, ("Model A, Model B", "--sheet")),
    "a sheet that is not there": (".xlsx", two_sheets(), {"sheet": "Model C"}, ("'Model C'", "Model A, Model B")),
    "a date that Excel left as text": (".xlsx", sheet(rows(*SHEET[:2], ("14.01.2020", 0.1), *SHEET[3:])), {},
                                       ("row 2", "column date", "14.01.2020", "spreadsheet")),
    "day numbers without a format": (".xlsx", sheet(rows(("date", "return"), (43843, 0.1), (43844, 0.1))), {},
                                     ("43843", "day number of Excel", "2020-01-13")),
    "a formula that nobody calculated": (".xlsx", uncalculated(), {}, ("cell B2", "never calculated")),
    "an error cell": (".xlsx", sheet(rows(*SHEET[:3], (DAYS[2], "#N/A"))), {}, ("row 3", "column return", "#N/A")),
    "half a workbook": (".xlsx", sheet(rows(*SHEET))[:-30], {}, ("may be truncated",)),
    "a CSV named .xlsx": (".xlsx", PLAIN, {}, ("expected an Excel workbook",)),
    "an old workbook": (".xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", {}, (".xlsx",)),
    "a sheet of LibreOffice": (".ods", b"PK\x03\x04", {}, (".ods", ".xlsx")),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_AT_IMPORT)
def test_a_file_of_this_shape_is_not_imported_and_the_cause_is_said(tmp_path, name):
    suffix, content, options, words = REFUSED_AT_IMPORT[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, suffix, content, **options)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert ("truncated" in said) == ("half a" in name), said
    assert "Traceback" not in said


def test_a_named_sheet_is_read_and_noted(tmp_path):
    found = imported(tmp_path, ".xlsx", two_sheets(), sheet="Model B")
    np.testing.assert_allclose(found.frame["return"], RETURNS, rtol=0, atol=1e-15)
    assert "the table is the sheet Model B" in found.notes
    assert b'"sheet":"Model B"' in found.files["backtest.import.json"]


def test_what_was_left_out_of_the_head_is_noted(tmp_path):
    content = "date,return\n2020-01-09,\n2020-01-10,\n" + PLAIN.partition("\n")[2]
    notes = imported(tmp_path, ".csv", content, drop_head=True).notes
    assert any("first 2 rows (2020-01-09 to 2020-01-10)" in note for note in notes)


def test_a_workbook_that_unpacks_to_very_much_is_refused_before_it_is_opened(tmp_path):
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        archive.writestr("xl/sharedStrings.xml", bytes(600 << 20))
    with pytest.raises(BadInputError, match="unpacks to at most"):
        imported(tmp_path, ".xlsx", file.getvalue())


def test_names_in_two_forms_of_unicode_are_one_name():
    composed, apart = "caf\u00e9", "cafe\u0301"
    table = table_of(f"date,symbol,{apart}\n2020-01-13,{apart},0.1\n".encode(), "t.csv", "t.csv")
    table.require("date", "symbol", composed)
    assert table.symbols().tolist() == [composed]


def test_row_numbers_of_pandas_are_no_trial():
    frame = pd.DataFrame({"date": DAYS, "a": RETURNS, "b": RETURNS})
    assert table_of(frame.to_csv().encode(), "trials.csv", "trials.csv").frame.columns == ["date", "a", "b"]
    saved = returned(__index_level_0__=[0, 1, 2])
    assert table_of(parquet(saved), "backtest.parquet", "x").frame.columns == ["date", "return"]


# what stands on all rows but the last, and on the last
LATE = {
    "a number after whole ones": ("1", "0.5"),
    "a text after numbers": ("0.1", "x"),
    "a number after nothing": ("", "0.5"),
    "nothing after numbers": ("0.1", ""),
    "a number too large for 64 bits": ("1", "99999999999999999999"),
    "a truth after numbers": ("1", "true"),
    "a number after truths": ("true", "0.5"),
    "the same": ("0.1", "0.2"),
}


@pytest.mark.parametrize("name", LATE)
def test_a_column_has_the_kind_that_all_its_rows_have(name):
    usual, last = LATE[name]
    content = ("date,symbol,a\n" + f"2020-01-13,7,{usual}\n" * 3000 + f"2020-01-14,x,{last}\n").encode()
    wanted = pl.read_csv(content, infer_schema_length=None, schema_overrides={"symbol": pl.String})
    assert_frame_equal(read_frame(content, ".csv", "x").frame, wanted)
