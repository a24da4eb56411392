"""A broker's list of trades: returns of an account that begins with a stated capital, each value by hand."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert, hints_of
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

HEAD = "date,symbol,side,quantity,price,fees\n"
HELD = HEAD + "2020-01-13,AAA,buy,10,100,1\n2020-01-15,AAA,sell,10,110,1\n"
CLOSES = "date,symbol,close\n2020-01-13,AAA,102\n2020-01-14,AAA,99\n2020-01-15,AAA,111\n2020-01-16,AAA,120\n"
# Bought at 100 and worth 102, 99, then sold at 110; a fee of 1 each time.
EQUITY = [10_000, 10_000 + 10 * 2 - 1, 10_000 - 10 * 1 - 1, 10_000 + 10 * 10 - 2]


def returns(equity):
    return np.array(equity[1:]) / np.array(equity[:-1]) - 1


def imported(tmp_path, trades, closes=None, *, suffix=".csv", dates=None, decimal=None, **options):
    (tmp_path / f"trades{suffix}").write_text(trades)
    if closes is not None:
        (tmp_path / "closes.csv").write_text(closes)
        options["prices"] = tmp_path / "closes.csv"
    hints = hints_of(decimal=decimal, dates=dates, sheet=None, drop_head=False)
    return convert(ConversionRequest(format="trades", source=tmp_path / f"trades{suffix}", hints=hints, **options))


def test_what_is_held_is_worth_its_close_and_the_gain_is_over_the_equity_before(tmp_path):
    found = imported(tmp_path, HELD, CLOSES, capital=10_000)
    assert found.frame["date"].to_list() == [date(2020, 1, 13), date(2020, 1, 14), date(2020, 1, 15)]
    np.testing.assert_allclose(found.frame["return"], returns(EQUITY), rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.frame["cost"], [1 / EQUITY[0], 0, 1 / EQUITY[2]], rtol=0, atol=1e-18)
    np.testing.assert_allclose(found.frame["turnover"], [1000 / EQUITY[0], 0, 1100 / EQUITY[2]], rtol=0, atol=1e-15)
    assert any("begins with 10,000.00" in note for note in found.notes)
    assert b'"capital":10000' in found.files["backtest.import.json"]


SAME_TRADES = {
    "newest first": HEAD + "2020-01-15,AAA,sell,10,110,1\n2020-01-13,AAA,buy,10,100,1\n",
    "sold quantities below 0": HELD.replace("sell,10", "sell,-10"),
    "signs without a side": "date,symbol,quantity,price,fees\n2020-01-13,AAA,10,100,1\n2020-01-15,AAA,-10,110,1\n",
    "fees below 0": HELD.replace(",1\n", ",-1\n"),
    "other names": HELD.replace(HEAD, "Trade Date,Ticker,Action,Qty,Fill Price,Commission\n"),
    "other sides": HELD.replace("buy", "BOT").replace("sell", "SLD"),
    "short words": HELD.replace("buy", "B").replace("sell", "S"),
    "semicolons, commas, days first": "Datum;symbol;side;quantity;price;fees\n".replace("Datum", "date")
    + "13.01.2020;AAA;buy;10,0;100,00;1,00\n15.01.2020;AAA;sell;10,0;110,00;1,00\n",
    "two columns of costs": "date,symbol,side,quantity,price,commission,tax\n2020-01-13,AAA,buy,10,100,0.75,0.25\n"
    "2020-01-15,AAA,sell,10,110,1,0\n",
    "a contract of ten": "date,symbol,side,quantity,price,fees,multiplier\n2020-01-13,AAA,buy,1,100,1,10\n"
    "2020-01-15,AAA,sell,1,110,1,10\n",
    "two fills of one order": HEAD + "2020-01-13,AAA,buy,4,100,0.5\n2020-01-13,AAA,buy,6,100,0.5\n"
    "2020-01-15,AAA,sell,10,110,1\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_TRADES)
def test_a_list_of_this_shape_says_the_same(tmp_path, name):
    found = imported(tmp_path, SAME_TRADES[name], CLOSES, capital=10_000)
    np.testing.assert_allclose(found.frame["return"], returns(EQUITY), rtol=0, atol=1e-15)


def test_what_is_sold_short_gains_when_it_falls(tmp_path):
    trades = HEAD + "2020-01-13,AAA,sell short,10,100,0\n2020-01-15,AAA,buy to cover,10,90,0\n"
    closes = CLOSES.replace("102", "101").replace("99", "95")
    found = imported(tmp_path, trades, closes, capital=2_000)
    np.testing.assert_allclose(found.frame["return"], returns([2000, 1990, 2050, 2100]), rtol=0, atol=1e-15)


def test_what_is_still_held_is_followed_to_the_last_close(tmp_path):
    found = imported(tmp_path, HEAD + "2020-01-15,AAA,buy,10,110,1\n", CLOSES, capital=2_000)
    np.testing.assert_allclose(found.frame["return"], returns([2000, 2009, 2099]), rtol=0, atol=1e-15)


def test_a_holiday_of_one_market_leaves_its_last_close_and_is_noted(tmp_path):
    closes = CLOSES.replace("2020-01-14,AAA,99\n", "2020-01-14,7203.T,70\n")
    found = imported(tmp_path, HELD, closes, capital=10_000)
    np.testing.assert_allclose(found.frame["return"], returns([10_000, 10_019, 10_019, 10_098]), rtol=0, atol=1e-15)
    assert any("1 closes are missing while held" in note and "AAA on 2020-01-14" in note for note in found.notes)


DAY_TRADES = (
    f"{HEAD}2020-01-13,AAA,buy,10,100,1\n2020-01-13,AAA,sell,10,103,1\n"
    "2020-01-16,AAA,buy,5,100,0\n2020-01-16,AAA,sell,5,98,0\n"
)


def test_fills_alone_are_enough_where_every_day_ends_with_nothing_held(tmp_path):
    found = imported(tmp_path, DAY_TRADES, capital=1_000, calendar="XNYS")
    assert found.frame["date"].to_list() == [date(2020, 1, n) for n in (13, 14, 15, 16)]
    np.testing.assert_allclose(found.frame["return"], returns([1000, 1028, 1028, 1028, 1018]), rtol=0, atol=1e-15)
    assert any("no closing prices were given" in note for note in found.notes)


ASKED = {"capital": 1e4}
REFUSED = {
    "no capital": (HELD, CLOSES, {}, ("--capital", "a gain is no return without it")),
    "a capital below 0": (HELD, CLOSES, {"capital": -5.0}, ("--capital above 0",)),
    "held without prices": (HELD, None, {"capital": 1e4, "calendar": "XNYS"}, ("10 AAA are held at the end of 2020",
                            "--prices")),
    "day trades without sessions": (DAY_TRADES, None, ASKED, ("--calendar", "returns of 0")),
    "a trade on a holiday": (DAY_TRADES.replace("01-16", "01-20"), None, {"capital": 1e4, "calendar": "XNYS"},
                             ("sessions of XNYS", "2020-01-20")),
    "another side": (HELD.replace("sell", "dividend"), CLOSES, ASKED, ("row 2", "column side", "'dividend'")),
    "no side": (HELD.replace("side,", "").replace("buy,", "").replace("sell,", ""), CLOSES, ASKED, ("side",)),
    "bought below 0": (HELD.replace("buy,10", "buy,-10"), CLOSES, ASKED, ("row 1", "column quantity", "-10")),
    "fees of two signs": (HELD.replace("110,1", "110,-1"), CLOSES, ASKED, ("row 2", "column fees", "one sign")),
    "a price of 0": (HELD.replace("110", "0"), CLOSES, ASKED, ("row 2", "column price", "above 0")),
    "two currencies": (HELD.replace("fees", "fees,currency").replace(",1\n", ",1,USD\n", 1).replace(",1\n", ",1,EUR\n"),
                       CLOSES, ASKED, ("EUR, USD",)),
    "another table": (CLOSES, CLOSES, ASKED, ("quantity, price are missing",)),
    "no close of a symbol": (HELD.replace("AAA", "BBB"), CLOSES, ASKED, ("closes of BBB",)),
    "no close for a week": (HELD.replace("01-15", "01-28"), CLOSES.replace("01-14,AAA", "01-14,B").replace("01-15,AAA",
        "01-15,B").replace("01-16,AAA", "01-16,B") + "".join(f"2020-01-{n},B,9\n" for n in (17, 21, 22, 23, 28)),
        ASKED, ("close of AAA on 2020-01-22", "10 are held")),
    "an account that is ruined": (HELD, CLOSES, {"capital": 5.0}, ("stays above 0", "2020-01-14", "5.00")),
    "days or months": (HELD.replace("2020-01-13", "02/01/2020").replace("2020-01-15", "03/01/2020"), CLOSES,
                       ASKED, ("--dates day-first",)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_that_does_not_say_its_returns_is_refused_with_the_place(tmp_path, name):
    trades, closes, options, words = REFUSED[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, trades, closes, **options)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


BOUGHT = HEAD + "2020-01-13,AAA,buy,10,100,0\n"


def closes_of(**symbols):
    """Closes of 13, 14, 15 and 16 January, where there are any."""
    return "date,symbol,close\n" + "".join(
        f"2020-01-{13 + n},{symbol},{close}\n"
        for symbol, closes in symbols.items()
        for n, close in enumerate(closes)
        if close is not None
    )


# What is sold on the 15th, the closes, the split: each ends with 10 shares of 100 that became worth 1,100.
SPLITS = {
    "4 for 1": ("40,27.5", (100, 100, 25, 26), "4"),
    "3 for 2": ("15,73.3333333333", (100, 102, 68, 70), "1.5"),
    "20 for 1": ("200,5.5", (100, 97, 5.1, 5.2), "20"),
    "1 for 10": ("1,1100", (100, 100, 1050, 1060), "0.1"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_of_what_is_held_is_asked_about_and_once_declared_is_no_loss(tmp_path, name):
    sold, closes, ratio = SPLITS[name]
    trades = BOUGHT + f"2020-01-15,AAA,sell,{sold},0\n"
    place = "--split AAA:2020-01-15="
    with pytest.raises(BadInputError, match="while 10 are held: a split of") as caught:
        imported(tmp_path, trades, closes_of(AAA=closes), capital=10_000)
    assert f"Say {place}{ratio}," in str(caught.value)
    found = imported(tmp_path, trades, closes_of(AAA=closes), capital=10_000, splits=(f"AAA:2020-01-15={ratio}",))
    equity = [10_000, 10_000, 10_000 + 10 * (closes[1] - 100), 10_100]
    np.testing.assert_allclose(found.frame["return"], returns(equity), rtol=0, atol=1e-9)
    assert not any("open positions" in note for note in found.notes)
    assert any("as --split says" in note for note in found.notes)
    assert b'"splits":["AAA:2020-01-15=' in found.files["backtest.import.json"]


def test_shares_bought_on_the_day_of_a_split_do_not_pass_for_it(tmp_path):
    trades = BOUGHT + "2020-01-15,AAA,buy,30,25,0\n"
    with pytest.raises(BadInputError, match="--split AAA:2020-01-15=4"):
        imported(tmp_path, trades, closes_of(AAA=(100, 100, 25, 25)), capital=10_000)


def test_a_loss_that_is_no_split_is_a_loss_once_that_is_said(tmp_path):
    found = imported(tmp_path, BOUGHT, closes_of(AAA=(100, 100, 25, 25)), capital=2_000, splits=("AAA:2020-01-15=1",))
    np.testing.assert_allclose(found.frame["return"], returns([2000, 2000, 2000, 1250, 1250]), rtol=0, atol=1e-15)
    assert "the account ends with open positions: 10 AAA" in found.notes


def test_a_short_position_that_stays_open_is_noted(tmp_path):
    trades = HEAD + "2020-01-13,AAA,sell,10,100,0\n2020-01-14,BBB,buy,2,50,0\n"
    found = imported(tmp_path, trades, closes_of(AAA=(100, 99, 98, 97), BBB=(50, 50, 51, 52)), capital=10_000)
    assert "the account ends with open positions: -10 AAA, 2 BBB" in found.notes


FAR = {
    "closes adjusted for 4 for 1": ("409", "102", True),
    "closes adjusted for 1 for 10": ("11", "108", True),
    "closes in pence": ("4.02", "401", True),
    "a wrong figure": ("100", "45", True),
    "twice and a half": ("250", "100", True),
    "a wild day": ("120", "100", False),
    "a bad day": ("100", "75", False),
}


@pytest.mark.parametrize("name", FAR)
def test_a_fill_far_from_the_close_of_its_day_is_asked_about(tmp_path, name):
    price, close, is_far = FAR[name]
    trades, closes = BOUGHT.replace("100", price), closes_of(AAA=(close, close, close, close))
    if is_far:
        with pytest.raises(BadInputError, match=rf"AAA was traded at {price} on 2020-01-13, when it closes at {close}"):
            imported(tmp_path, trades, closes, capital=10_000)
    said = ("AAA:2020-01-13=1",) if is_far else ()
    found = imported(tmp_path, trades, closes, capital=10_000, splits=said)
    gain = 10 * (float(close) - float(price))
    np.testing.assert_allclose(found.frame["return"], returns([10_000, *4 * [10_000 + gain]]), rtol=0, atol=1e-15)


SOLD_AS_BBB = BOUGHT + "2020-01-16,BBB,sell,10,104,0\n"
RENAMES = {
    "sold under the new name": (SOLD_AS_BBB, {"AAA": (100, 101), "BBB": (None, None, 102, 103)}),
    "still held": (BOUGHT, {"AAA": (100, 101), "BBB": (None, None, 102, 103)}),
    "fills under the new name": (BOUGHT.replace("AAA", "BBB"), {"AAA": (100, 101), "BBB": (None, None, 102, 103)}),
    "another begins that day too": (BOUGHT, {"AAA": (100, 101), "BBB": (None, None, 102, 103), "CCC": (None, 7, 7, 7)}),
    "closes under the new name": (BOUGHT, {"BBB": (100, 101, 102, 103)}),
    "fills under both names, closes under the new one": (SOLD_AS_BBB, {"BBB": (100, 101, 102, 103)}),
}


@pytest.mark.parametrize("name", RENAMES)
def test_a_symbol_that_ends_as_another_begins_is_asked_about_as_a_rename(tmp_path, name):
    trades, symbols = RENAMES[name]
    with pytest.raises(BadInputError, match="--rename AAA=BBB"):
        imported(tmp_path, trades, closes_of(**symbols), capital=2_000)
    found = imported(tmp_path, trades, closes_of(**symbols), capital=2_000, renames=("AAA=BBB",))
    last = 2040 if "sell" in trades else 2030
    np.testing.assert_allclose(found.frame["return"], returns([2000, 2000, 2010, 2020, last]), rtol=0, atol=1e-15)
    assert any("open positions: 10 BBB" in note for note in found.notes) == ("sell" not in trades)


DECLARED_WRONGLY = {
    "a split of another symbol": ({"splits": ("AAB:2020-01-15=2",)}, "found AAB"),
    "a rename of another symbol": ({"renames": ("AAB=AAC",)}, "found AAC"),
    "closes adjusted already": ({"splits": ("AAA:2020-01-15=2",)}, "adjusted for it already"),
    "names in a circle": ({"renames": ("AAA=BBB", "BBB=AAA")}, "--rename"),
}


@pytest.mark.parametrize("name", DECLARED_WRONGLY)
def test_a_declaration_that_the_files_disprove_is_refused(tmp_path, name):
    options, words = DECLARED_WRONGLY[name]
    with pytest.raises(BadInputError, match=words):
        imported(tmp_path, BOUGHT, closes_of(AAA=(100, 101, 102, 103)), capital=2_000, **options)


def test_the_command_asks_for_the_capital_and_writes_the_table_with_it(tmp_path, capsys):
    (tmp_path / "trades.csv").write_text(HELD)
    (tmp_path / "closes.csv").write_text(CLOSES)
    given = ["import", "trades", str(tmp_path / "trades.csv"), "--prices", str(tmp_path / "closes.csv")]
    given += ["--out", str(tmp_path / "out")]
    assert main(given) == 2
    assert "--capital" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
    assert main([*given, "--capital", "10000"]) == 0
    written = pl.read_parquet(tmp_path / "out" / "backtest.parquet")
    np.testing.assert_allclose(written["return"], returns(EQUITY), rtol=0, atol=1e-15)
