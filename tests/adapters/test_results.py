"""Results that other tools wrote become the tables that the gates read, day by day and with nothing invented."""

import csv
import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import release_folder

from signoff.adapters.evidence.reader import FolderReader
from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

FILES = Path(__file__).parent / "files"


def converted(kind, name, **options):
    return convert(ConversionRequest(format=kind, source=FILES / name, **options))


def column(name, column):
    with (FILES / name).open() as lines:
        return [float(row[column]) for row in csv.DictReader(lines)]


def refused(words, kind, source, **options):
    with pytest.raises(BadInputError) as caught:
        convert(ConversionRequest(format=kind, source=source, **options))
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["pickle", "parquet", "csv"])
def test_returns_of_vectorbt_are_what_it_wrote(suffix):
    frame = converted("vectorbt", f"vectorbt_returns.{suffix}").frame
    assert frame.columns == ["date", "return"]
    assert frame["date"].to_list() == pd.bdate_range("2020-01-01", periods=40).date.tolist()
    np.testing.assert_allclose(frame["return"], column("vectorbt_returns.csv", "close"), rtol=0, atol=1e-15)


def test_values_of_vectorbt_give_its_returns_from_the_second_day_on():
    found = converted("vectorbt", "vectorbt_value.pickle", is_values=True)
    np.testing.assert_allclose(found.frame["return"], column("vectorbt_returns.csv", "close")[1:], rtol=0, atol=1e-12)
    assert "2020-01-01 has a value and no return before it" in " ".join(found.notes)
    refused(("--values",), "vectorbt", FILES / "vectorbt_value.pickle")


def test_a_grid_of_vectorbt_is_the_family_of_trials():
    frame = converted("vectorbt", "vectorbt_family_returns.pickle", table="trials").frame
    assert frame.columns[1:] == [f"fast_window={f}, slow_window={s}" for f, s in ((3, 5), (3, 8), (5, 8))]
    for name, written in zip(frame.columns[1:], ("3/5", "3/8", "5/8"), strict=True):
        np.testing.assert_allclose(frame[name], column("vectorbt_family_returns.csv", written), rtol=0, atol=1e-15)
    refused(("one column of returns for backtest, found 3", "--table trials"), "vectorbt",
            FILES / "vectorbt_family_returns.pickle")  # fmt: skip


def test_a_whole_portfolio_of_vectorbt_is_no_table():
    refused(("Pickle the returns, not the whole result",), "vectorbt", FILES / "vectorbt_portfolio.pickle")


def test_zipline_gives_returns_and_benchmark():
    found = converted("zipline", "zipline_perf.pickle")
    value = np.array(column("zipline_values.csv", "portfolio_value"))
    np.testing.assert_allclose(found.frame["return"][1:], value[1:] / value[:-1] - 1, rtol=0, atol=1e-12)
    assert found.frame["return"][0] == pytest.approx(value[0] / 100_000 - 1, abs=1e-12)
    np.testing.assert_allclose(found.frame["benchmark"], column("zipline_values.csv", "benchmark"), rtol=0, atol=1e-12)
    assert found.frame["date"].to_list()[:3] == [date(2018, 1, 2), date(2018, 1, 3), date(2018, 1, 4)]
    assert {"transactions", "positions", "orders"} == set(found.notes[0].rpartition(": ")[2].split(", "))


def test_pyfolio_and_zipline_agree():
    first, second = converted("pyfolio", "pyfolio_returns.pickle"), converted("zipline", "zipline_perf.pickle")
    assert first.frame.equals(second.frame.select("date", "return"))


@pytest.mark.parametrize("fills", ["nautilus_fills.csv", "nautilus_order_fills.csv"])
@pytest.mark.parametrize("suffix", ["pickle", "parquet", "csv"])
def test_equity_of_nautilus_is_cash_and_what_is_held(suffix, fills):
    closes = np.array(column("nautilus_closes.csv", "close"))
    held = np.array([500.0 if n % 4 in (0, 1) else 0.0 for n in range(40)])
    equity = 100_000 + np.concatenate([[0.0], np.cumsum(held[:-1] * np.diff(closes))])
    found = converted("nautilus", f"nautilus_account.{suffix}", fills=FILES / fills,
                      prices=FILES / "nautilus_closes.csv")  # fmt: skip
    np.testing.assert_allclose(found.frame["return"], equity[1:] / equity[:-1] - 1, rtol=0, atol=1e-12)
    assert found.frame["date"].to_list() == pd.bdate_range("2020-01-02", periods=39).date.tolist()


def nautilus(tmp_path, **changes):
    options = {}
    for option, name in (("source", "account"), ("fills", "fills"), ("prices", "closes")):
        frame = pl.read_csv(FILES / f"nautilus_{name}.csv")
        options[option] = tmp_path / f"{name}.csv"
        changes.get(name, lambda f: f)(frame).write_csv(options[option])
    return options


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": lambda f: f.with_columns(account_type=pl.lit("MARGIN"))}, ("found MARGIN", "close of 2020-01-01")),
        ({"account": lambda f: f.with_columns(pl.Series("currency", ["USD", "EUR"] * (f.height // 2) + ["USD"] *
          (f.height % 2)))}, ("one currency", "EUR, USD")),
        ({"account": lambda f: f.drop("total")}, ("account report of NautilusTrader",)),
        ({"closes": lambda f: pl.concat([f.filter(pl.col("date") != "2020-01-02"),
          f.with_columns(symbol=pl.lit("MSFT.XNAS"))])}, ("close of AAPL.XNAS on 2020-01-02, when it was held",)),
        ({"closes": lambda f: f.with_columns(symbol=pl.lit("MSFT.XNAS"))}, ("closes of AAPL.XNAS",)),
        ({"closes": lambda f: pl.concat([f, f.tail(1)])}, ("several",)),
        ({"closes": lambda f: f.rename({"close": "price"})}, ("close",)),
        ({"fills": lambda f: f.rename({"last_qty": "size"})}, ("report of fills",)),
        ({"fills": lambda f: f.with_columns(order_side=pl.lit("HOLD"))}, ("BUY and SELL", "HOLD")),
    ],
)  # fmt: skip
def test_reports_of_nautilus_that_do_not_give_equity_are_refused(tmp_path, changes, words):
    refused(words, "nautilus", **nautilus(tmp_path, **changes))


def test_a_margin_account_that_holds_nothing_overnight_is_its_balance(tmp_path):
    def by_day(frame):
        return frame.with_columns(pl.col("ts_event").str.replace("2020-01-03 21", "2020-01-01 22")).head(2)

    balance = pl.read_csv(FILES / "nautilus_account.csv")["total"].to_list()
    doubled = f"2020-01-03={balance[2] / balance[1] - 1}"  # what was bought is sold again, and the balance returns
    found = convert(ConversionRequest(format="nautilus", extremes=(doubled,), **nautilus(
        tmp_path, account=lambda f: f.head(3).with_columns(account_type=pl.lit("MARGIN")), fills=by_day)))  # fmt: skip
    assert found.frame["return"][0] == 0.0
    assert found.frame["return"][1] == pytest.approx(balance[2] / balance[1] - 1)


def test_the_balance_of_an_account_alone_is_no_backtest():
    refused(("--fills and --prices", "not its equity"), "nautilus", FILES / "nautilus_account.csv")


@pytest.mark.parametrize("name", ["lean_result.json", "lean_result_old.json"])
def test_the_documented_forms_of_lean_give_returns_by_session(name):
    """Made by hand after LEAN's published form, see files/make_lean.py; the clocks change within it."""
    found = converted("lean", name)
    assert found.frame["date"].to_list() == [date(2020, 3, day) for day in (5, 6, 9, 10, 11, 12)]
    np.testing.assert_allclose(found.frame["return"], [0, 0.01, -1 / 202, 0.02, 0, -0.03], atol=1e-12)
    np.testing.assert_allclose(found.frame["benchmark"], [0, 0.01, 0.01, -0.02, 0.02, 0], atol=1e-12)
    if name == "lean_result.json":
        assert found.frame["turnover"].to_list() == [0.0, 0.5, 0.0, 0.25, 0.0, 1.0]
    assert "midnight of America/New_York" in " ".join(found.notes)


def test_a_zone_of_its_own_moves_the_days_of_lean():
    assert converted("lean", "lean_result.json", zone="UTC").frame["date"].to_list()[0] == date(2020, 3, 6)
    refused(("zone", "Mars/Olympus"), "lean", FILES / "lean_result.json", zone="Mars/Olympus")


def lean(change):
    result = json.loads((FILES / "lean_result.json").read_text())
    return json.dumps(change(result)).encode()


def without_benchmark_day(result):
    del result["charts"]["Benchmark"]["series"]["Benchmark"]["values"][3]
    return result


def with_point(point):
    def change(result):
        result["charts"]["Strategy Equity"]["series"]["Equity"]["values"][2] = point
        return result

    return change


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("empty",)),
        (b'{"charts": {', ("truncated",)),
        (b"[" * 100_000, ("truncated",)),
        (b"[1, 2]", ("JSON of another tool", "list")),
        (b'{"trades": [], "equity": []}', ("JSON of another tool", "equity, trades")),
        (b'{"charts": {"Drawdown": {}}}', ("Strategy Equity", "Drawdown")),
        (lean(without_benchmark_day), ("benchmark on every day", "2020-03-09")),
        (lean(with_point([1, 2, 3])), ("point 3 of equity", "[1, 2, 3]")),
        (lean(with_point(["x", 2])), ("point 3 of equity",)),
        (lean(with_point([1583470800, -5])), ("above 0",)),
        (lean(with_point([1583470800, None])), ("finite number",)),
        (lean(with_point([0, 5.0])), ("in order",)),
    ],
)
def test_json_that_is_not_leans_is_refused(tmp_path, content, words):
    (tmp_path / "result.json").write_bytes(content)
    refused(words, "lean", tmp_path / "result.json")


def written(tmp_path, frame, name="r.csv"):
    frame.write_csv(tmp_path / name) if name.endswith("csv") else frame.write_parquet(tmp_path / name)
    return tmp_path / name


def table(times, **columns):
    return pl.DataFrame({"time": times, **(columns or {"r": [0.01 * n for n in range(len(times))]})})


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (table(["2020-01-01 16:00:00", "2020-01-02 16:00:00"]), ("row 1", "zone", "--zone")),
        (table(["2020-01-01 16:00:00Z", "2020-01-02 16:00:00"]), ("row 2", "zone as on the other rows")),
        (table(["2020-01-02", "2020-01-01"]), ("order",)),
        (table(["02/01/2020", "03/01/2020"]), ("row 1", "ISO")),
        (table([1, 2]), ("labelled by dates", "1")),
        (table(["2020-01-01", None]), ("row 2", "found none")),
        (table(["2020-01-01", "2020-01-02"], r=["0.1", "x"]), ("row 2", "column r", "x")),
        (table(["2020-01-01", "2020-01-02"], r=[0.1, None]), ("row 2", "column r")),
        (table(["2020-01-01", "2020-01-02"], a=[0.1, 0.2], b=[0.1, 0.2]), ("found 2: a, b",)),
    ],
)
def test_a_table_of_returns_that_is_wrong_is_refused_with_its_row(tmp_path, frame, words):
    refused(words, "pyfolio", written(tmp_path, frame))


def test_times_within_a_day_are_compounded_in_the_zone_that_is_given(tmp_path):
    times = ["2020-01-01T20:00:00Z", "2020-01-02T03:00:00Z", "2020-01-02T20:00:00Z"]
    path = written(tmp_path, table(times, r=[0.1, 0.2, 0.3]))
    there = convert(ConversionRequest(format="pyfolio", source=path, zone="America/New_York"))
    assert there.frame["date"].to_list() == [date(2020, 1, 1), date(2020, 1, 2)]
    np.testing.assert_allclose(there.frame["return"], [1.1 * 1.2 - 1, 0.3])
    assert "3 rows are 2 days: returns are compounded within each day" in there.notes
    np.testing.assert_allclose(
        convert(ConversionRequest(format="pyfolio", source=path)).frame["return"], [0.1, 1.2 * 1.3 - 1]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "backtrader"}, ("lean, nautilus", "backtrader")),
        ({"table": "trails"}, ("backtest", "trails")),
        ({"source": FILES / "nowhere.pickle"}, ("it does not exist",)),
        ({"source": FILES / "README.md"}, (".pickle", "README.md")),
        ({"kind": "zipline", "source": FILES / "pandas_1.5.3.pickle", "zone": "Nowhere"}, ("Nowhere",)),
        ({"kind": "zipline", "source": FILES / "vectorbt_returns.pickle"}, ("column returns, found close",)),
    ],
)
def test_what_cannot_be_imported_is_said(options, words):
    given = {"kind": "vectorbt", "source": FILES / "vectorbt_returns.pickle"} | options
    refused(words, given.pop("kind"), given.pop("source"), **given)


@pytest.fixture
def folder(tmp_path):
    """A release whose backtest is as long as it must be, written by pandas as a result of another tool."""
    folder = release_folder.make(tmp_path / "dossier")
    given = pl.read_parquet(folder / "backtest.parquet")
    index = pd.DatetimeIndex(given["date"].to_list(), tz="UTC")
    pd.Series(given["return"].to_numpy(), index=index, name="returns").to_pickle(tmp_path / "returns.pickle")
    (folder / "backtest.parquet").unlink()
    return folder


def test_what_was_imported_is_read_with_its_note_and_signed_with_it(folder, tmp_path, capsys):
    assert main(["import", "pyfolio", str(tmp_path / "returns.pickle"), "--out", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == release_folder.DAYS
    inputs = FolderReader().read(folder, None)
    note = json.loads(inputs.files["backtest.import.json"])
    assert note["table_sha256"] == inputs.evidence.backtest.source.sha256
    assert note["sources"][0]["name"] == "returns.pickle"
    assert note["format"] == "pyfolio"


def test_a_table_changed_after_its_import_is_refused(folder, tmp_path):
    main(["import", "pyfolio", str(tmp_path / "returns.pickle"), "--out", str(folder)])
    frame = pl.read_parquet(folder / "backtest.parquet")
    frame.with_columns(pl.col("return") + 0.001).write_parquet(folder / "backtest.parquet")
    with pytest.raises(BadInputError, match=r"changed since\. Import it again"):
        FolderReader().read(folder, None)
    (folder / "backtest.import.json").write_text("{}")
    with pytest.raises(BadInputError, match="note of `signoff import`"):
        FolderReader().read(folder, None)


def test_an_import_does_not_add_a_second_file_of_one_name(folder, tmp_path, capsys):
    (folder / "backtest.csv").write_text("date,return\n")
    assert main(["import", "pyfolio", str(tmp_path / "returns.pickle"), "--out", str(folder)]) == 2
    assert "holds one backtest" in capsys.readouterr().err
    assert not (folder / "backtest.parquet").exists()


def test_a_result_laid_into_the_folder_as_it_is_points_to_the_import(folder, tmp_path):
    shutil.copy(tmp_path / "returns.pickle", folder / "backtest.pickle")
    with pytest.raises(BadInputError, match=r"backtest\.pickle: .*`signoff import`"):
        FolderReader().read(folder, None)


def test_a_hostile_result_ends_the_command_and_nothing_is_written(tmp_path, capsys):
    (tmp_path / "perf.pickle").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    assert main(["import", "zipline", str(tmp_path / "perf.pickle"), "--out", str(tmp_path / "out")]) == 2
    assert "os.system, which is not on the closed list" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out").exists()
