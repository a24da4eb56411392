from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import small_study

from momentum import evidence
from momentum.walkforward import HORIZON
from signoff.pit import purge

RETURNS = ["date", "return", "benchmark", "turnover", "cost"]
PREDICTIONS = ["timestamp", "symbol", "prediction", "realized"]
COLUMNS = {
    "backtest": RETURNS,
    "backtest_previous": RETURNS,
    "trials": ["date", *(c.name for c in small_study.EVERY)],
    "predictions": PREDICTIONS,
    "predictions_previous": PREDICTIONS,
    "positions": ["date", "symbol", "weight", "sector"],
    "asset_returns": ["date", "symbol", "return"],
    "paper": [
        *("timestamp", "symbol", "prediction", "latency_ms", "error"),
        *("side", "quantity", "decision_price", "fill_price"),
    ],
    "inputs/prices": ["timestamp", "symbol", "close"],
    "inputs/index": ["timestamp", "close"],
}
SPLITS = ("training_labels", "test_windows")
WHEN = {name: columns[0] for name, columns in COLUMNS.items()}
SUBMITTED = date(2018, 12, 31)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    evidence.write(study, folder, small_study.silent)
    return folder


def read(folder, name):
    return pl.read_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize("name", COLUMNS)
def test_a_file_has_the_columns_that_the_interface_promises(folder, name):
    assert read(folder, name).columns == COLUMNS[name]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_are_in_order_and_never_twice(folder, name):
    table = read(folder, name)
    keys = [key for key in (WHEN[name], "symbol") if key in table.columns]
    assert table[WHEN[name]].is_sorted()
    assert not table.select(keys).is_duplicated().any()


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_are_finite(folder, name):
    numbers = read(folder, name).select(pl.selectors.float())
    assert all(numbers[column].drop_nulls().is_finite().all() for column in numbers.columns)


@pytest.mark.parametrize("name", list(COLUMNS))
def test_evidence_for_a_release_at_the_end_of_2018_holds_nothing_from_after_it(folder, name):
    last = read(folder, name)[WHEN[name]].max()
    assert (last.date() if WHEN[name] == "timestamp" else last) <= SUBMITTED


def test_every_configuration_tried_is_a_trial_and_the_deployed_one_is_the_backtest(study, folder):
    trials, backtest = read(folder, "trials"), read(folder, "backtest")
    assert trials["date"].equals(backtest["date"])
    assert trials[study.chosen.name].equals(backtest["return"].alias(study.chosen.name))


def test_what_was_realized_is_the_return_over_the_horizon_above_the_mean_of_the_twenty(folder):
    closes = small_study.inputs()["prices"].sort("symbol", "timestamp")
    ahead = (pl.col("close").shift(-HORIZON) / pl.col("close") - 1).over("symbol")
    known = closes.with_columns(ahead=ahead).with_columns(
        above=pl.col("ahead") - pl.col("ahead").mean().over("timestamp")
    )
    found = read(folder, "predictions").join(known, on=["timestamp", "symbol"], how="left")
    np.testing.assert_allclose(found["realized"], found["above"], atol=1e-12)


def test_the_benchmark_is_the_return_of_the_index(folder):
    index = small_study.inputs()["index"].with_columns(
        change=pl.col("close").pct_change(), date=pl.col("timestamp").dt.date()
    )
    found = read(folder, "backtest").join(index, on="date", how="left")
    np.testing.assert_allclose(found["benchmark"], found["change"], atol=1e-12)


def test_paper_predictions_are_those_of_the_walk_forward(folder):
    both = read(folder, "paper").join(read(folder, "predictions"), on=["timestamp", "symbol"], suffix="_before")
    assert both.height > 1000
    np.testing.assert_array_equal(both["prediction"], both["prediction_before"])


def test_paper_has_prices_and_a_side_exactly_where_an_order_followed(folder):
    paper = read(folder, "paper")
    is_order = paper["quantity"] > 0
    assert is_order.any()
    for column in ("side", "decision_price", "fill_price"):
        assert paper[column].is_not_null().equals(is_order.alias(column))


def test_paper_latencies_were_measured(folder):
    latency = read(folder, "paper")["latency_ms"]
    assert (latency > 0).all()
    assert latency.n_unique() > 100


def test_the_same_inputs_give_the_same_bytes_but_for_measured_latencies(cache, folder, tmp_path):
    evidence.write(small_study.study(cache), tmp_path, small_study.silent)
    for name in COLUMNS:
        if name == "paper":
            assert read(tmp_path, name).drop("latency_ms").equals(read(folder, name).drop("latency_ms"))
        else:
            assert (tmp_path / f"{name}.parquet").read_bytes() == (folder / f"{name}.parquet").read_bytes()


def test_paper_of_another_study_is_not_kept(cache, folder, tmp_path, monkeypatch):
    evidence.write(small_study.study(cache), tmp_path, small_study.silent)
    monkeypatch.setattr(evidence, "PAPER_CAPITAL", 2 * evidence.PAPER_CAPITAL)
    evidence.write(small_study.study(cache), tmp_path, small_study.silent)
    assert read(tmp_path, "paper")["quantity"].sum() > 1.5 * read(folder, "paper")["quantity"].sum()


def test_no_label_of_a_training_row_reaches_into_the_year_that_is_predicted(folder):
    labels, tests = (read(folder, f"inputs/{name}") for name in SPLITS)

    report = purge(labels, tests.with_columns(embargo=pl.lit(timedelta(days=7))))

    assert not report
    assert report.features_checked == tests.height == labels["fold"].n_unique()


def test_without_the_purge_they_would(folder):
    labels, tests = (read(folder, f"inputs/{name}") for name in SPLITS)
    late = labels.with_columns(pl.col("label_end") + timedelta(days=40))

    assert {finding.kind for finding in purge(late, tests)} == {"purge"}
