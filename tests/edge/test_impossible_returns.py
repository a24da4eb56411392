"""Returns that cannot be are refused in every table; those that were filled in are left out by a printed rule."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import release_folder
from damage import alter, edit, refused, with_value

from signoff.adapters.evidence.reader import FolderReader
from signoff.cli.main import main
from signoff.domain.evidence import Evidence
from signoff.domain.filled import STRETCH, filled, idle
from signoff.domain.gates import assess


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=700)
    backtest = pl.read_parquet(folder / "backtest.parquet")
    backtest.select("date", "return", "benchmark").write_parquet(folder / "stress.parquet")
    days = backtest["date"]
    assets = [pl.DataFrame({"date": days, "symbol": name, "return": backtest["benchmark"]}) for name in ("AAA", "BBB")]
    pl.concat(assets).sort("date", "symbol").write_parquet(folder / "asset_returns.parquet")
    return folder


@pytest.fixture
def folder(small, tmp_path):
    return shutil.copytree(small, tmp_path / "dossier")


def read(folder) -> Evidence:
    return FolderReader().read(folder, None).evidence


def assessed(folder):
    given = FolderReader().read(folder, None)
    return assess(given.evidence, given.dossier, given.policy)


TABLES = {
    "backtest": "return",
    "backtest_previous": "return",
    "paper_returns": "return",
    "stress": "return",
    "trials": "try3",
    "asset_returns": "return",
}
IMPOSSIBLE = {
    "ruin and rows after it": (-1.0, ("loss of 100% ends the record",)),
    "beyond ruin": (-1.5, ("at least −1",)),
    "a day of +120%": (1.2, ("extreme_returns", "found 1.2")),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("value", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_every_table_has_the_same_limits(folder, name, value, words):
    alter(folder / f"{name}.parquet", with_value(TABLES[name], 11, value))
    refused(folder, f"{name}.parquet", "row 11", f"column {TABLES[name]}", *words)


def declare(folder, text):
    edit(folder / "dossier.yaml", "\nheader:", f"\nevidence: {text}\nheader:")


@pytest.mark.parametrize("name", ["backtest", "asset_returns", "stress"])
def test_a_true_gain_of_120_percent_is_declared_by_its_date_and_value(folder, name):
    alter(folder / f"{name}.parquet", with_value("return", 11, 1.2))
    day = pl.read_parquet(folder / f"{name}.parquet")["date"][10]
    declare(folder, f"{{extreme_returns: [{{date: {day}, value: 1.2}}]}}")

    assert read(folder).largest_return == 1.2

    alter(folder / f"{name}.parquet", with_value("return", 31, 1.2))
    refused(folder, "row 31", "extreme_returns")


# the declaration, where D and E are the days of rows 11 and 12, and what the refusal says
MISMATCHED = {
    "another day": ("{date: E, value: 1.2}", ("write under evidence.extreme_returns - {date: D, value: 1.2}",
                    "declares the date E instead")),
    "another value": ("{date: D, value: 1.3}", ("- {date: D, value: 1.2}", "declares the value 1.3 instead")),
    "a percentage": ("{date: D, value: 120}", ("- {date: D, value: 1.2}", "declares the value 120 instead")),
    "one line right, one of another day": ("{date: D, value: 1.2}, {date: 1999-01-04, value: 2}",
                                           ("line 2", "the date 1999-01-04", "no row of that date", "remove the line")),
    "a day that has no such return": ("{date: D, value: 1.2}, {date: E, value: 1.5}",
                                      ("line 2", "the value 1.5", "no return above 100% on that day", "Remove")),
    "the day after, beside the right one": ("{date: D, value: 1.2}, {date: E, value: 1.2}",
                                            ("line 2", "the date E", "found 1.2 on D in backtest.parquet",
                                             "Write - {date: D, value: 1.2}")),
}  # fmt: skip


@pytest.mark.parametrize("name", MISMATCHED)
def test_a_declaration_that_names_another_row_is_told_what_to_write(folder, name):
    lines, words = MISMATCHED[name]
    alter(folder / "backtest.parquet", with_value("return", 11, 1.2))
    first, second = map(str, pl.read_parquet(folder / "backtest.parquet")["date"][10:12])
    declare(folder, f"{{extreme_returns: [{lines.replace('D', first).replace('E', second)}]}}")
    refused(folder, *(word.replace("D,", f"{first},").replace("D in", f"{first} in").replace("E", second)
                      for word in words))  # fmt: skip


def test_a_declaration_of_another_symbol_is_told_which_one_it_is(folder):
    alter(folder / "asset_returns.parquet", with_value("return", 11, 1.2))
    row = pl.read_parquet(folder / "asset_returns.parquet").row(10, named=True)
    declare(folder, f"{{extreme_returns: [{{date: {row['date']}, value: 1.2, symbol: ZZZ}}]}}")
    line = f"- {{date: {row['date']}, value: 1.2, symbol: {row['symbol']}}}"
    refused(folder, "asset_returns.parquet", line, "declares the symbol ZZZ instead")


def test_a_declaration_of_a_trial_names_its_column(folder):
    alter(folder / "trials.parquet", with_value("try3", 11, 1.2))
    day = pl.read_parquet(folder / "trials.parquet")["date"][10]
    refused(folder, "trials.parquet", f"- {{date: {day}, value: 1.2, symbol: try3}}")


def test_a_declared_gain_is_judged_and_not_refused_by_a_gate(folder):
    alter(folder / "backtest.parquet", with_value("return", 11, 1.2))
    alter(folder / "trials.parquet", with_value("try0", 11, 1.2))
    day = pl.read_parquet(folder / "backtest.parquet")["date"][10]
    declare(folder, f"{{extreme_returns: [{{date: {day}, value: 1.2}}]}}")

    found = {finding.key: finding for finding in assessed(folder).findings}

    assert found["dsr"].statistic.value is not None
    assert found["pbo"].statistic.value is not None


def percent(*names):
    return lambda table: table.with_columns(pl.col(names) * 100)


def test_a_table_of_percentages_is_asked_about_and_read_where_it_is_declared(folder):
    expected = read(folder)
    for name in ("backtest", "backtest_previous", "paper_returns", "stress"):
        alter(folder / f"{name}.parquet", percent("return", "benchmark"))
    alter(folder / "asset_returns.parquet", percent("return"))
    alter(folder / "trials.parquet", percent(*(f"try{n}" for n in range(8))))
    refused(folder, "percent", "evidence.return_unit")

    declare(folder, "{return_unit: percent}")
    found = read(folder)

    np.testing.assert_allclose(found.backtest.returns, expected.backtest.returns)
    np.testing.assert_allclose(found.trials.returns, expected.trials.returns)
    np.testing.assert_allclose(found.asset_returns.returns, expected.asset_returns.returns)


def scaled(folder, factor):
    """Every table of returns times a factor."""
    for name in ("backtest", "backtest_previous", "paper_returns", "stress"):
        alter(folder / f"{name}.parquet", lambda table: table.with_columns(pl.col("return", "benchmark") * factor))
    alter(folder / "asset_returns.parquet", lambda table: table.with_columns(pl.col("return") * factor))
    names = [f"try{n}" for n in range(8)]
    alter(folder / "trials.parquet", lambda table: table.with_columns(pl.col(names) * factor))


@pytest.mark.parametrize("leverage", [0.3, 1, 2, 3])
def test_fractions_that_are_declared_as_percent_are_refused(folder, leverage):
    scaled(folder, leverage)
    declare(folder, "{return_unit: percent}")
    refused(folder, "backtest.parquet", "column return", "expected percentages", "evidence.return_unit", "fractions")


def test_asset_returns_in_fractions_beside_percentages_are_refused(folder):
    scaled(folder, 100)
    alter(folder / "asset_returns.parquet", lambda table: table.with_columns(pl.col("return") / 100))
    declare(folder, "{return_unit: percent}")
    refused(folder, "asset_returns.parquet", "expected percentages", "evidence.return_unit")


def test_one_wild_row_does_not_make_fractions_percent(folder):
    alter(folder / "backtest.parquet", with_value("return", 11, 40.0))
    alter(folder / "trials.parquet", with_value("try0", 11, 40.0))
    declare(folder, "{return_unit: percent}")
    refused(folder, "backtest.parquet", "expected percentages")


@pytest.mark.parametrize("unit", ["percent", "fraction"])
def test_percentages_that_are_declared_as_fractions_are_refused(folder, unit):
    scaled(folder, 35)
    for name in ("backtest", "backtest_previous", "paper_returns", "stress"):
        alter(folder / f"{name}.parquet", lambda table: table.with_columns(pl.col("return").clip(-0.9, 0.9)))
    declare(folder, f"{{return_unit: {unit}}}")
    if unit == "percent":
        assert read(folder).backtest.returns.std() < 0.01
    else:
        refused(folder, "backtest.parquet", "expected fractions", "looks like percent", "evidence.return_unit")


def test_a_quiet_book_and_a_benchmark_of_a_rate_may_be_declared_in_percent(folder):
    scaled(folder, 20)
    for name in ("backtest", "backtest_previous", "paper_returns", "stress"):
        alter(folder / f"{name}.parquet", lambda table: table.with_columns(pl.lit(0.004).alias("benchmark")))
    declare(folder, "{return_unit: percent}")
    found = read(folder).backtest
    assert found.returns.std() * 252**0.5 > 0.01
    assert found.benchmark[0] == pytest.approx(0.00004)


def test_the_declared_unit_is_printed(folder):
    assert "declared in" not in read(folder).backtest.time.words
    scaled(folder, 100)
    declare(folder, "{return_unit: percent}")
    assert "returns declared in percent by evidence.return_unit" in assessed(folder).time.words


def test_two_tables_of_two_units_are_refused(folder):
    alter(folder / "stress.parquet", lambda table: table.with_columns(pl.col("return") / 100))
    refused(folder, "stress.parquet", "looks like percent", "evidence.return_unit")


@pytest.mark.parametrize("curve", ["worth", "sum"])
def test_a_curve_given_as_returns_is_refused(folder, curve):
    change = {
        "worth": lambda r: 0.5 * (1 + r).cum_prod() / (1 + r).cum_prod().max() + 0.3,
        "sum": lambda r: r.cum_sum() / 10,
    }[curve]
    alter(folder / "backtest.parquet", lambda table: table.with_columns(change(pl.col("return")).alias("return")))
    refused(folder, "backtest.parquet", "column return", "read as")


def days_of(first, count):
    return np.datetime64(first) + np.arange(count)


def weekday_returns(count, seed=0):
    """Every day of the calendar, with returns on weekdays and zeros on weekends; 2018-01-01 is a Monday."""
    days = days_of("2018-01-01", count)
    returns = np.random.default_rng(seed).normal(0, 0.01, count)
    returns[np.arange(count) % 7 >= 5] = 0.0
    return days, returns


def test_weekends_of_zeros_are_left_out_and_the_rule_is_printed():
    days, returns = weekday_returns(700)
    found = filled(days, returns)

    assert found.rows.tolist() == (np.arange(700) % 7 >= 5).tolist()
    assert "200 weekend rows" in found.notes[0]
    assert "are left out" in found.notes[0]


@pytest.mark.parametrize("kind", ["carried forward", "one weekend of a splice", "trades at weekends", "mostly idle"])
def test_other_weekends(kind):
    days, returns = weekday_returns(700)
    weekend = np.arange(700) % 7 >= 5
    if kind == "carried forward":
        returns[5::7], returns[6::7] = returns[4::7], returns[4::7]
        expected = weekend
    elif kind == "one weekend of a splice":
        returns[5] = 0.004
        expected = weekend & (np.arange(700) != 5)
    elif kind == "trades at weekends":
        returns = np.random.default_rng(1).normal(0, 0.03, 700)
        expected = np.zeros(700, dtype=bool)
    else:
        returns = np.where(np.arange(700) % 7 == 2, 0.01 * np.sin(np.arange(700)), 0.0)
        expected = np.zeros(700, dtype=bool)
    assert filled(days, returns).rows.tolist() == expected.tolist()


@pytest.mark.parametrize("length", [STRETCH - 1, STRETCH, 40])
def test_a_stretch_of_one_value_is_left_out_but_for_its_first_row(length):
    days, returns = days_of("2018-01-01", 300), np.random.default_rng(2).normal(0, 0.01, 300)
    returns[100 : 100 + length] = 0.0123

    expected = np.zeros(300, dtype=bool)
    expected[101 : 100 + length] = length >= STRETCH
    found = filled(days, returns)
    assert found.rows.tolist() == expected.tolist()
    assert bool(found.notes) == (length >= STRETCH)
    assert not idle(days, returns).rows.any()


def test_a_stretch_of_zeros_is_left_out_of_the_value_at_risk_alone():
    days, returns = days_of("2018-01-01", 300), np.random.default_rng(2).normal(0, 0.01, 300)
    returns[100:140] = 0.0
    assert not filled(days, returns).rows.any()
    assert np.flatnonzero(idle(days, returns).rows).tolist() == list(range(100, 140))


def spread_over_the_week(folder):
    """The same record, with the weekends filled by zeros."""
    for name in ("backtest", "trials"):
        table = pl.read_parquet(folder / f"{name}.parquet")
        every = pl.DataFrame({"date": pl.date_range(table["date"][0], table["date"][-1], eager=True)})
        every.join(table, on="date", how="left").fill_null(0.0).write_parquet(folder / f"{name}.parquet")


def test_weekends_of_zeros_change_no_verdict(folder):
    expected, before = read(folder), assessed(folder)
    spread_over_the_week(folder)
    found = read(folder)

    np.testing.assert_array_equal(found.backtest.dates, expected.backtest.dates)
    np.testing.assert_array_equal(found.trials.returns, expected.trials.returns)
    after = assessed(folder)
    assert [one.outcome for one in after.findings] == [one.outcome for one in before.findings]
    assert after.value_at_risk_new.value == before.value_at_risk_new.value
    var = next(one for one in after.findings if one.key == "var")
    assert "weekend rows" in var.reason


def test_zeros_carried_into_the_record_do_not_make_it_quieter(folder):
    """A third of the rows are zeros: the quantile of the others is the value at risk."""
    changed = pl.read_parquet(folder / "backtest.parquet")
    values = changed["return"].to_numpy().copy()
    values[100:330] = 0.0
    alter(folder / "backtest.parquet", lambda table: table.with_columns(pl.Series("return", values)))
    alter(folder / "trials.parquet", lambda table: table.with_columns(pl.Series("try0", values)))

    found = assessed(folder)

    assert found.value_at_risk_new.value == pytest.approx(np.quantile(np.delete(values, np.s_[100:330]), 0.05))
    var = next(one for one in found.findings if one.key == "var")
    assert "left out" in var.reason.lower() or var.statistic.value is None


@pytest.mark.parametrize(("sessions", "status"), [(6, "inconclusive"), (60, "inconclusive"), (251, "inconclusive")])
def test_a_metric_of_a_short_record_is_inconclusive(folder, sessions, status, capsys):
    for name in ("backtest", "backtest_previous", "trials"):
        alter(folder / f"{name}.parquet", lambda table: table.tail(sessions))
    for name in ("paper", "paper_returns", "stress", "asset_returns", "predictions_previous"):
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    alter(folder / "predictions.parquet", lambda table: table.tail(3 * sessions))

    main(["check", str(folder), "--json"])

    said = json.loads(capsys.readouterr().out)
    assert {metric["status"] for metric in said["metrics"]} <= {status, "not provided"}
    assert said["metrics"][0]["status"] == status


def test_returns_that_are_constant_to_rounding_are_judged_by_no_gate(folder):
    noise = np.random.default_rng(3).normal(0, 1e-12, 700)
    alter(folder / "backtest.parquet", lambda table: table.with_columns(pl.Series("return", 0.001 + noise)))

    found = {one.key: one for one in assessed(folder).findings}

    for key in ("dsr", "walk_forward", "var", "deflated_sharpe"):
        assert found[key].outcome.value == "inconclusive", found[key].reason
        assert "equal to rounding" in found[key].reason


def held(folder, *books):
    """One book a session, the last ones of the backtest."""
    days = pl.read_parquet(folder / "backtest.parquet")["date"].tail(len(books))
    rows = [(day, symbol, weight) for day, book in zip(days, books, strict=True) for symbol, weight in book.items()]
    pl.DataFrame(rows, schema=["date", "symbol", "weight"], orient="row").write_parquet(folder / "positions.parquet")


FIRST = {"AAA": 0.213, "CCC": 0.1}
SECOND = {"BBB": 0.213, "CCC": 0.11}


def test_a_weight_that_goes_over_to_a_new_name_is_asked_about(folder):
    held(folder, FIRST, FIRST, SECOND)
    refused(folder, "positions.parquet", "row 5", "BBB begins", "AAA", "evidence.renames: {AAA: BBB}")
    declare(folder, "{renames: {AAA: BBB}}")
    assert set(read(folder).positions.symbols) == {"BBB", "CCC"}


@pytest.mark.parametrize(
    "books",
    [
        (FIRST, FIRST, {"BBB": 0.2, "CCC": 0.1}),
        ({"AAA": 0.1, "CCC": 0.1}, {"BBB": 0.1, "CCC": 0.1}),
        (FIRST, FIRST | {"BBB": 0.213}, SECOND),
        (FIRST, SECOND, FIRST),
    ],
    ids=["another weight", "equal weights", "both held", "it comes back"],
)
def test_a_book_that_changes_is_no_new_name(folder, books):
    held(folder, *books)
    assert read(folder).positions is not None


def test_one_that_is_declared_to_be_another_symbol_stays(folder):
    held(folder, FIRST, FIRST, SECOND)
    declare(folder, "{renames: {AAA: AAA}}")
    assert set(read(folder).positions.symbols) == {"AAA", "BBB", "CCC"}
