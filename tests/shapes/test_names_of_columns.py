"""Columns of an import by their names: what has the unit of returns, what is an amount, and what is nearly a name."""

import json

import numpy as np
import polars as pl
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

DATES = ("2020-01-13", "2020-01-14", "2020-01-15", "2020-01-16")
RETURNS = (1.25, -0.3, 0.4, 0.9)


def lines(header, *columns):
    return "\n".join((f"date,{header}", *(",".join(map(str, row)) for row in zip(DATES, *columns, strict=True)))) + "\n"


def imported(tmp_path, content, **options):
    file = tmp_path / "result.csv"
    file.write_text(content)
    return convert(ConversionRequest(format=options.pop("format", "table"), source=file, **options))


def refusal(tmp_path, content, **options):
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, content, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("header", "columns", "kept"),
    [
        ("return,turnover", (RETURNS, (0.4, 0.2, 0.0, 0.4)), {"turnover": [0.4, 0.2, 0.0, 0.4]}),
        ("return,cost", (RETURNS, (0.0002,) * 4), {"cost": [0.0002] * 4}),
        ("Return,Turnover,Cost", (RETURNS, (40,) * 4, (0.02,) * 4), {"turnover": [40.0] * 4, "cost": [0.02] * 4}),
        ("pnl,turnover", (RETURNS, (0.4,) * 4), {"turnover": [0.4] * 4}),
    ],
)
def test_percent_is_the_unit_of_returns_and_of_no_amount(header, columns, kept, tmp_path):
    found = imported(tmp_path, lines(header, *columns), unit="percent")

    np.testing.assert_allclose(found.frame["return"], np.array(RETURNS) / 100)
    for name, values in kept.items():
        assert found.frame[name].to_list() == values
    assert any("no return and kept as written" in note for note in found.notes)


def test_a_benchmark_has_the_unit_of_returns(tmp_path):
    found = imported(tmp_path, lines("return,benchmark,turnover", RETURNS, RETURNS[::-1], (0.4,) * 4), unit="percent")

    np.testing.assert_allclose(found.frame["benchmark"], np.array(RETURNS[::-1]) / 100)


@pytest.mark.parametrize("turnover", [0.4, 40.0, 2.5, 400.0])
@pytest.mark.parametrize("unit", [None, "fraction", "percent"])
def test_a_turnover_of_any_size_is_not_asked_about_as_a_return(turnover, unit, tmp_path):
    returns = np.array(RETURNS) / (1 if unit == "percent" else 100)

    found = imported(tmp_path, lines("return,turnover", returns, (turnover,) * 4), unit=unit)

    assert found.frame["turnover"].to_list() == [turnover] * 4


def test_amounts_of_a_day_are_summed_where_its_returns_are_compounded(tmp_path):
    times = "date,return,turnover\n2020-01-13T15:00Z,0.01,0.4\n2020-01-13T16:00Z,0.02,0.5\n2020-01-14T16:00Z,0,0\n"

    found = imported(tmp_path, times, zone="UTC")

    assert found.frame["turnover"].to_list() == pytest.approx([0.9, 0.0])
    assert found.frame["return"][0] == pytest.approx(0.0302)


def test_a_turnover_beside_values_is_no_value(tmp_path):
    found = imported(tmp_path, lines("equity,turnover", (100, 101, 102, 103), (0.4, 0.3, 0.0, 0.2)), is_values=True)

    assert found.frame["turnover"].to_list() == [0.3, 0.0, 0.2]
    assert found.frame["return"][0] == pytest.approx(0.01)


TRADES = "date,symbol,side,quantity,price,{}\n2020-01-13,AAA,buy,10,5,1\n2020-01-13,AAA,sell,10,6,1\n"


@pytest.mark.parametrize(
    ("content", "options", "found", "meant"),
    [
        (lines("return,tunover", RETURNS, RETURNS), {"unit": "percent"}, "tunover", "turnover"),
        (lines("return,benchmrk", RETURNS, RETURNS), {"unit": "percent"}, "benchmrk", "benchmark"),
        (lines("return,Costs", RETURNS, RETURNS), {"unit": "percent"}, "Costs", "cost"),
        (lines("return,turn_over", RETURNS, RETURNS), {"unit": "percent"}, "turn_over", "turnover"),
        (lines("equity,depsits", (1, 2, 3, 4), (0, 0, 0, 0)), {"is_values": True}, "depsits", "deposits"),
        (lines("equity,withdrawls", (1, 2, 3, 4), (0, 0, 0, 0)), {"is_values": True}, "withdrawls", "withdrawals"),
        (lines("equity,cash_flw", (1, 2, 3, 4), (0, 0, 0, 0)), {"is_values": True}, "cash_flw", "cash flow"),
        (TRADES.format("Comission"), {"format": "trades"}, "Comission", "commission"),
        (TRADES.format("multipler"), {"format": "trades"}, "multipler", "multiplier"),
    ],
)
def test_a_name_that_is_nearly_known_is_asked_about(content, options, found, meant, tmp_path):
    if options.get("format") == "trades":
        options = {**options, "capital": 1000.0, "calendar": "XNYS"}

    said = refusal(tmp_path, content, **options)

    assert f"column {found!r} is not read; did you mean {meant!r}?" in said
    assert f"--ignore {found!r}" in said


def test_a_near_miss_can_be_ignored_and_is_noted(tmp_path):
    found = imported(tmp_path, lines("return,tunover", RETURNS, (0.4,) * 4), unit="percent", ignored=("tunover",))

    assert found.frame.columns == ["date", "return"]
    assert "left out as --ignore says: tunover" in found.notes
    assert json.loads(found.files["backtest.import.json"])["ignored"] == ["tunover"]
    assert "--ignore to name a column" in refusal(tmp_path, lines("return", RETURNS), ignored=("tunover",))


def test_fees_of_an_ignored_column_are_not_read_and_the_others_are(tmp_path):
    content = TRADES.format("Comission")

    found = imported(tmp_path, content, format="trades", capital=1000.0, calendar="XNYS", ignored=("Comission",))

    assert found.frame["cost"].to_list() == [0.0]


@pytest.mark.parametrize(
    "header", ["exposure,leverage", "drawdown,positions", "net_exposure,vix", "cash,close", "hit_rate,gross"]
)
def test_other_columns_are_named_and_left_out(header, tmp_path):
    found = imported(tmp_path, lines(f"return,{header}", RETURNS, (5000,) * 4, (7,) * 4), unit="percent")

    assert found.frame.columns == ["date", "return"]
    assert any(note.endswith(header.replace(",", ", ")) for note in found.notes)


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (("1.25%", "-0.3%", "oops", "0.9%"), 3),
        (("1.25%", "broken", "0.4%", "0.9%"), 2),
        (("0.01", "0.02", "0.03", "--"), 4),
        (("1.2e-2", "0.02", "n.a. (holiday)", "0.01"), 3),
    ],
)
def test_a_bad_cell_is_blamed_on_its_own_row(cells, row, tmp_path):
    assert f"row {row}, column return" in refusal(tmp_path, lines("return", cells))


def run(*arguments):
    return main([str(one) for one in arguments])


def test_an_import_writes_over_another_table_only_where_somebody_says_so(tmp_path, capsys):
    first, second, out = tmp_path / "first.csv", tmp_path / "second.csv", tmp_path / "release"
    first.write_text(lines("return", np.array(RETURNS) / 100))
    second.write_text(lines("return", np.array(RETURNS) / 200))
    home = ("--home", tmp_path / "home")
    assert not run("import", "table", first, "--out", out, *home)
    assert not run("import", "table", first, "--out", out, *home)  # the same bytes again
    before = (out / "backtest.parquet").read_bytes()
    capsys.readouterr()

    assert run("import", "table", second, "--out", out, *home) not in (0, None)
    assert "--replace" in capsys.readouterr().err
    assert (out / "backtest.parquet").read_bytes() == before

    assert not run("import", "table", second, "--out", out, "--replace", *home)
    assert "replaced" in capsys.readouterr().out
    assert pl.read_parquet(out / "backtest.parquet")["return"][0] == pytest.approx(RETURNS[0] / 200)
