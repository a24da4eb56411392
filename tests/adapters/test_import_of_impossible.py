"""What no account can show is refused where it is imported: a day twice, a split as a loss, a percentage."""

import polars as pl
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

DAYS = [f"2020-03-{day:02}" for day in range(2, 7)]


def written(tmp_path, times, values, name="r.csv"):
    pl.DataFrame({"time": times, "r": values}).write_csv(tmp_path / name)
    return tmp_path / name


def imported(path, **options):
    return convert(ConversionRequest(format="pyfolio", source=path, **options)).frame["return"].to_list()


@pytest.mark.parametrize(
    ("times", "options", "words"),
    [
        (["2020-03-02", "2020-03-03", "2020-03-03"], {}, ("row 3", "2020-03-03", "row 2", "no clock")),
        (["2020-03-02", "2020-03-03", "2020-03-03"], {"is_values": True}, ("row 3", "no clock")),
        (["2020-03-02 00:00:00", "2020-03-03 00:00:00", "2020-03-03 00:00:00"], {}, ("row 3", "no clock")),
        (["2020-03-02T14:45:00Z", "2020-03-03T14:45:00Z", "2020-03-03T14:45:00Z"], {}, ("row 3", "row 2")),
        (["2020-03-02", "2020-03-02", "2020-03-03"], {"table": "trials"}, ("row 2", "no clock")),
    ],
)
def test_a_time_that_stands_twice_is_refused(tmp_path, times, options, words):
    with pytest.raises(BadInputError) as caught:
        convert(ConversionRequest(format="pyfolio", source=written(tmp_path, times, [0.1, 0.2, 0.3]), **options))
    for word in (*words, "Nothing was written"):
        assert word in str(caught.value)


def test_a_day_whose_rows_carry_a_clock_is_compounded(tmp_path):
    path = written(tmp_path, ["2020-03-02T15:00:00Z", "2020-03-02T20:00:00Z"], [0.1, 0.2])
    assert imported(path) == pytest.approx([1.1 * 1.2 - 1])


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([0.01, -1.0, 0.01, 0.02, 0.01], {}, ("2020-03-03", "loss of 100%", "3 rows follow")),
        ([0.01, 1.2, 0.01, 0.02, 0.01], {}, ("found 1.2", "--extreme 2020-03-03=1.2", "extreme_returns")),
        ([1.5, -1.2, 0.3, 0.8, -0.4], {}, ("row 2", "--unit percent")),
        ([100.0, 101.0, 99.0, 98.0, 99.0], {}, ("--values",)),
        ([1.0, 1.01, 0.99, 0.98, 0.97], {}, ("equity curve", "--values")),
        ([100.0, 50.0, 0.0, 10.0, 20.0], {"is_values": True}, ("above 0", "ends")),
        ([0.01, 0.0, 0.0, 0.0, 0.0], {"unit": "basis points"}, ("--unit fraction or --unit percent",)),
        ([0.01, 1.2, 0.01, 0.02, 0.01], {"extremes": ("2020-03-03",)}, ("--extreme DATE=RETURN",)),
        ([0.01, 1.2, 0.01, 0.02, 0.01], {"extremes": ("2020-03-04=1.2",)}, ("found 1.2",)),
    ],
)
def test_what_no_return_is_is_refused(tmp_path, values, options, words):
    with pytest.raises(BadInputError) as caught:
        imported(written(tmp_path, DAYS, values), **options)
    for word in (*words, "Nothing was written" if "unit" not in options else "--unit"):
        assert word in str(caught.value)


@pytest.mark.parametrize("scale", [0.02, 0.005, 2.0])
def test_fractions_that_are_imported_as_percent_are_refused(tmp_path, scale):
    days = [f"2020-{month:02}-{day:02}" for month in (3, 4) for day in range(1, 29)]
    path = written(tmp_path, days, [scale * (-1) ** n * (1 + n % 5) / 3 for n in range(len(days))])
    if scale > 1:
        assert max(imported(path, unit="percent")) < 0.04
        return
    with pytest.raises(BadInputError, match=r"expected percentages.*Leave --unit percent out\. Nothing was written"):
        imported(path, unit="percent")


def test_what_is_declared_is_read(tmp_path):
    path = written(tmp_path, DAYS, [0.01, 1.2, 0.01, 0.02, 0.01])
    assert imported(path, extremes=("2020-03-03=1.2",)) == pytest.approx([0.01, 1.2, 0.01, 0.02, 0.01])
    path = written(tmp_path, DAYS, [1.5, -1.2, 0.3, 0.8, -0.4])
    assert imported(path, unit="percent") == pytest.approx([0.015, -0.012, 0.003, 0.008, -0.004])
    path = written(tmp_path, DAYS, [100.0, 50.0, 75.0, 60.0, 0.0])
    assert imported(path, is_values=True) == pytest.approx([-0.5, 0.5, -0.2, -1.0])


ACCOUNT = """ts_event,total,currency,account_type
2020-03-02 00:00:00+00:00,1000,USD,CASH
2020-03-03 10:00:00+00:00,500,USD,CASH
"""
FILL = "2020-03-03 10:00:00+00:00,AAA.X,BUY,10\n"


def account(tmp_path, closes, fills=FILL, symbols=None):
    """1,000 in cash; 10 shares bought at 50 on the second day."""
    (tmp_path / "a.csv").write_text(ACCOUNT)
    (tmp_path / "f.csv").write_text("ts_event,instrument_id,order_side,last_qty\n" + fills)
    rows = [f"{day},{symbol},{close}" for day, symbol, close in closes]
    (tmp_path / "p.csv").write_text("\n".join(["date,symbol,close", *rows]) + "\n")
    return {"source": tmp_path / "a.csv", "fills": tmp_path / "f.csv", "prices": tmp_path / "p.csv"}


def returns_of(files, **options):
    return convert(ConversionRequest(format="nautilus", **files, **options)).frame["return"].to_list()


def closes(*values, symbol="AAA.X"):
    return [(f"2020-03-{2 + n:02}", symbol, value) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("after", "ratio"), [(25.0, "2"), (25.6, "2"), (16.7, "3"), (5.0, "10"), (500.0, "0.1"), (33.2, "1.5")]
)
def test_a_price_that_moves_as_a_split_does_is_asked_about(tmp_path, after, ratio):
    with pytest.raises(BadInputError, match=rf"--split AAA\.X:2020-03-04={ratio}[,\d]") as caught:
        returns_of(account(tmp_path, closes(49, 50, after, after)))
    assert "split" in str(caught.value)


def test_a_split_that_is_declared_is_no_loss(tmp_path):
    """500 in cash and 10 shares at 50, then 20 at 25: 1,000 before and after; then 20 at 26: 1,020."""
    files = account(tmp_path, closes(49, 50, 25, 26))
    assert returns_of(files, splits=("AAA.X:2020-03-04=2",)) == pytest.approx([0, 0, 0.02])


def test_a_fall_that_is_no_split_is_a_loss_once_that_is_said(tmp_path):
    """500 in cash and 10 shares at 25 are 750 of 1,000."""
    files = account(tmp_path, closes(49, 50, 25, 25))
    assert returns_of(files, splits=("AAA.X:2020-03-04=1",)) == pytest.approx([0, -0.25, 0])


def test_a_price_that_halves_while_the_quantity_doubles_is_no_loss(tmp_path):
    """A broker books the new shares as a fill without a price."""
    files = account(tmp_path, closes(49, 50, 25, 26), fills=FILL + "2020-03-04 00:00:00+00:00,AAA.X,BUY,10\n")
    assert returns_of(files) == pytest.approx([0, 0, 0.02])


def test_a_fall_while_nothing_is_held_is_not_asked_about(tmp_path):
    sold = FILL + "2020-03-03 11:00:00+00:00,AAA.X,SELL,10\n"
    assert len(returns_of(account(tmp_path, closes(49, 50, 25, 25), fills=sold))) == 3


def test_a_symbol_that_ends_as_another_begins_is_asked_about_as_a_rename(tmp_path):
    files = account(tmp_path, [*closes(49, 50), ("2020-03-04", "BBB.X", 51), ("2020-03-05", "BBB.X", 52)])
    with pytest.raises(BadInputError, match=r"--rename AAA\.X=BBB\.X"):
        returns_of(files)
    assert returns_of(files, renames=("AAA.X=BBB.X",)) == pytest.approx([0, 0.01, 1020 / 1010 - 1])


@pytest.mark.parametrize(
    "options", [{"splits": ("AAA.X=2",)}, {"splits": ("AAA.X:2020-03-04=0",)}, {"renames": ("AAA.X",)}]
)
def test_an_answer_that_cannot_be_read_says_how_it_is_written(tmp_path, options):
    with pytest.raises(BadInputError, match="such as AAA"):
        returns_of(account(tmp_path, closes(49, 50, 25, 25)), **options)


MISMATCHED = {
    "a date without a row": ("2020-03-07=1.2", ("no row of that date", "2020-03-02 to 2020-03-06")),
    "another value": ("2020-03-03=1.3", ("--extreme 2020-03-03=1.3 is another row", "say --extreme 2020-03-03=1.2")),
    "another day": ("2020-03-04=1.2", ("say --extreme 2020-03-03=1.2", "2020-03-04=1.2 is another")),
    "a day too many": ("2020-03-05=1.1", ("--extreme 2020-03-05=0.02", "expected 1.1 on 2020-03-05")),
}


@pytest.mark.parametrize("name", MISMATCHED)
def test_a_declared_day_that_is_not_there_is_refused_with_what_was_found(tmp_path, name):
    said, words = MISMATCHED[name]
    pl.DataFrame({"date": DAYS, "return": [0.01, 1.2, 0.01, 0.02, 0.01]}).write_csv(tmp_path / "r.csv")
    extremes = (said,) if name.startswith("another") else (said, "2020-03-03=1.2")
    with pytest.raises(BadInputError) as caught:
        convert(ConversionRequest(format="table", source=tmp_path / "r.csv", extremes=extremes))
    assert [word for word in words if word not in str(caught.value)] == [], caught.value
