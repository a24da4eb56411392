"""Lists of trades under the names and times of brokers; a list that cannot be read is called one, and no trials."""

import polars as pl
import pytest

import signoff
from signoff.adapters.results.looks_of_trades import looks_like_trades, plain_words
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

ROWS = (
    ("2021-01-04", "BUY", 100, 50.0), ("2021-01-04", "SELL", 100, 51.0),
    ("2021-01-05", "BUY", 80, 52.0), ("2021-01-05", "SELL", 80, 51.5),
    ("2021-01-08", "BUY", 90, 50.0), ("2021-01-08", "SELL", 90, 50.5),
)  # fmt: skip
NAMES = {
    "IBKR Flex": ("DateTime", "Symbol", "Buy/Sell", "Quantity", "TradePrice", "IBCommission"),
    "IBKR with a currency": ("TradeDate", "Symbol", "Buy/Sell", "Quantity", "TradePrice", "IBCommission"),
    "camel case": ("tradeDate", "symbol", "side", "quantity", "fillPrice", "commission"),
    "words": ("Trade Date", "Ticker", "Action", "Shares", "Average Price", "Fees"),
    "underscores": ("execution_time", "instrument", "side", "qty", "avg_price", "fee"),
}
TIMES = {
    "20210104;101629": lambda day: day.replace("-", "") + ";101629",
    "20210104 101629": lambda day: day.replace("-", "") + " 101629",
    "2021-01-04, 10:16:29": lambda day: day + ", 10:16:29",
    "2021-01-04;101629": lambda day: day + ";101629",
    "2021-01-04 10:16:29": lambda day: day + " 10:16:29",
    "20210104": lambda day: day.replace("-", ""),
}


def list_of(path, names, time=lambda day: day):
    lines = [",".join(names)]
    for place, (day, side, quantity, price) in enumerate(ROWS):
        sign = -1 if side == "SELL" else 1
        when = time(day) if place % 2 == 0 else time(day).replace("1629", "1759").replace("16:29", "17:59")
        lines.append(f'"{when}",MSFT,{side},{sign * quantity},{price},-1.0')
    path.write_text("\n".join(lines))
    return path


def told(path, capsys, *more):
    capsys.readouterr()
    code = main(["verdict", str(path), *more])
    said = capsys.readouterr()
    return code, " ".join((said.out + said.err).split())


ANSWERS = ("--capital", "10000", "--calendar", "XNYS", "--zone", "America/New_York")


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_trades_is_known_by_the_names_of_its_broker(tmp_path, capsys, name):
    code, said = told(list_of(tmp_path / "t.csv", NAMES[name]), capsys, *ANSWERS)
    assert code in {0, 1}, said
    assert "5 daily returns from 2021-01-04 to 2021-01-08 (a list of trades" in said
    assert "--trials too" not in said


@pytest.mark.parametrize("name", TIMES)
def test_a_time_of_a_broker_is_read(tmp_path, capsys, name):
    code, said = told(list_of(tmp_path / "t.csv", NAMES["IBKR Flex"], TIMES[name]), capsys, *ANSWERS)
    assert code in {0, 1}, said
    assert "5 daily returns from 2021-01-04 to 2021-01-08" in said


UNREAD = {
    "round trips": (
        "Symbol,Entry Date,Exit Date,Quantity,Entry Price,Exit Price,Profit",
        "each round trip",
        "Entry Date",
    ),
    "round trips in camel case": ("ticker,entryTime,exitTime,size,entryPrice,exitPrice,pnl", "each round trip", "size"),
    "open and close": ("Symbol,Open Time,Close Time,Volume,Open Price,Close Price,Profit", "each round trip", "Volume"),
    "no date": ("Symbol,Quantity,Price,Number", "date is missing", "Number"),
    "an unknown price": ("Date,Symbol,Quantity,Px Last", "price is missing", "Px Last"),
    "an unknown symbol": ("Date,ISIN,Side,Quantity,Price", "symbol is missing", "ISIN"),
    "contracts": ("Date,Contract,Lots,Kurs,Saldo", "symbol, quantity, price are missing", "Kurs"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_looks_like_trades_and_is_none_says_what_is_missing(tmp_path, capsys, name):
    header, *words = UNREAD[name]
    is_symbol_first = not header.startswith("Date")
    cells = ["2021-01-04" if "ate" in one or "ime" in one else "12.5" for one in header.split(",")]
    row = ",".join(["MSFT", *cells[1:]] if is_symbol_first else cells)
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n{row}")
    code, said = told(tmp_path / "t.csv", capsys)
    assert code == 2
    assert "this looks like a list of trades" in said
    assert [word for word in words if word not in said] == [], said
    assert "--trials" not in said


@pytest.mark.parametrize(
    "header",
    ["date,return", "Date,Open,High,Low,Close,Volume", "open time,open price,close price,close time,volume",
     "date,fast5_slow30,fast5_slow40", "date,symbol,return", "date,equity,flow", "date,price", "date,MSFT,AAPL"],
)  # fmt: skip
def test_what_is_no_list_of_trades_does_not_look_like_one(header):
    assert looks_like_trades(header.split(","), ()) == ""


def test_trades_in_memory_are_called_trades():
    frame = pl.DataFrame({"date": ["2021-01-04"], "symbol": ["A"], "side": ["buy"], "quantity": [1], "price": [2.0]})
    with pytest.raises(BadInputError, match="looks like a list of trades"):
        signoff.evaluate(frame)


@pytest.mark.parametrize(
    ("name", "words"),
    [("IBCommission", "ib commission"), ("TradePrice", "trade price"), ("Buy/Sell", "buy sell"),
     ("T. Price", "t price"), ("ISIN", "isin"), ("avg_price", "avg price")],
)  # fmt: skip
def test_a_name_in_camel_case_is_words(name, words):
    assert plain_words(name) == words
