"""Series and tables of pandas and polars give what their arrays give, and what is wrong in them is named."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from signoff import stats

RNG = np.random.default_rng(3)
DAYS = pd.bdate_range("2019-01-01", periods=600)
FIRST, SECOND = RNG.normal(0.0004, 0.01, (2, 600))
FAMILY = RNG.normal(0.0002, 0.01, (600, 6))
HITS = (FIRST < -0.015).astype(int)
NAMES = [f"try{n}" for n in range(6)]

ONE_SERIES = [
    stats.annualized_return, stats.conditional_value_at_risk, stats.downside_sensitivity_ratio, stats.drawdowns,
    stats.equity_curve, stats.hit_rate, stats.max_drawdown, stats.sharpe_error, stats.sharpe_ratio,
    stats.sharpe_standard_error, stats.total_return, stats.value_at_risk, stats.win_loss_ratio,
    lambda r: stats.rolling_sharpe(r, 60), lambda r: stats.rolling_value_at_risk(r, window=250),
    lambda r: stats.walk_forward_consistency([r[part] for part in stats.windows(600, 50)]),
]  # fmt: skip
TWO_SERIES = [
    stats.information_ratio, stats.jensen_shannon, stats.kolmogorov_smirnov, stats.mean_difference_sequence,
    stats.population_stability_index, stats.symmetric_prediction_accuracy,
    stats.sharpe_difference_test,
]  # fmt: skip
AS_SERIES = [
    lambda values: pd.Series(values, index=DAYS, name="strategy"),
    lambda values: pd.Series(values, dtype="Float64"),
    lambda values: pl.Series("strategy", values),
    lambda values: pl.Series("strategy", values).to_frame().to_series(),
    list,
]
AS_TABLE = [
    lambda values: pd.DataFrame(values, index=DAYS, columns=NAMES),
    lambda values: pd.DataFrame(values, columns=NAMES).astype("Float64"),
    lambda values: pl.DataFrame(values, schema=NAMES),
]


def same(found, expected):
    """Records by the text of their fields (NaN and arrays included), arrays by value."""
    if isinstance(expected, np.ndarray | float):
        return bool(np.array_equal(found, expected, equal_nan=True))
    return repr(found) == repr(expected)


@pytest.mark.parametrize("statistic", ONE_SERIES)
@pytest.mark.parametrize("convert", AS_SERIES)
def test_a_series_gives_what_its_array_gives(statistic, convert):
    assert same(statistic(convert(FIRST)), statistic(FIRST))


@pytest.mark.parametrize("statistic", TWO_SERIES)
@pytest.mark.parametrize("convert", AS_SERIES)
def test_two_series_give_what_their_arrays_give(statistic, convert):
    assert same(statistic(convert(FIRST), convert(SECOND)), statistic(FIRST, SECOND))


@pytest.mark.parametrize("convert", AS_TABLE)
def test_a_table_gives_what_its_array_gives(convert):
    found = stats.probability_of_backtest_overfitting(convert(FAMILY), partitions=6)
    expected = stats.probability_of_backtest_overfitting(FAMILY, partitions=6)
    assert found.pbo == expected.pbo
    np.testing.assert_array_equal(found.logits, expected.logits)
    options = {"block": 5.0, "repetitions": 99, "seed": 1}
    again = stats.superior_predictive_ability(FIRST, convert(FAMILY), **options)
    plain = stats.superior_predictive_ability(FIRST, FAMILY, **options)
    assert same(again, replace(plain, best_model=again.best_model))
    assert again.best_model == convert(FAMILY).columns[plain.best_model]
    assert found.best_trial == convert(FAMILY).columns[expected.best_trial]


@pytest.mark.parametrize(
    "convert", [pd.Series, pl.Series, lambda h: pd.Series(h == 1), lambda h: pl.Series(h == 1), lambda h: h == 1]
)
def test_hits_may_be_numbers_or_truths_of_either_library(convert):
    assert stats.christoffersen(convert(HITS)) == stats.christoffersen(HITS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pd.Series([0.1, np.nan], index=DAYS[:2]), ("row 1", "2019-01-02", "nan")),
        (pd.Series([0.1, None], dtype="Float64"), ("row 1", "nan")),
        (pd.Series([0.1, None], dtype=object), ("row 1", "nan")),
        (pl.Series([0.1, None]), ("row 1", "nan")),
        (pl.Series([0.1, float("inf")]), ("row 1", "inf")),
        (pd.Series(DAYS), ("expected numbers", "datetime64")),
        (pl.Series([date(2020, 1, 1)]), ("expected numbers", "datetime64")),
        (pd.Series(["0.1", "0.2"]), ("expected numbers",)),
        (pl.Series(["0.1", "0.2"]), ("expected numbers",)),
        (pd.Series([0.1, "x"], index=["mon", "tue"]), ("row 1 (tue)", "'x'")),
    ],
)
def test_what_is_missing_or_no_number_in_a_series_is_refused_with_its_row(values, words):
    with pytest.raises(stats.InputError) as caught:
        stats.hit_rate(values)
    for word in ("returns", *words):
        assert word in str(caught.value)


def spoilt(place, value):
    columns = {name: FAMILY[:, n].tolist() for n, name in enumerate(NAMES)}
    columns["try4"][place] = value
    return columns


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_missing_in_a_table_is_refused_with_row_and_column(value):
    for table, words in (
        (pd.DataFrame(spoilt(7, value), index=DAYS), ("row 7 (2019-01-10", "column 'try4'")),
        (pl.DataFrame(spoilt(7, value)), ("row 7", "column 'try4'")),
    ):
        with pytest.raises(stats.InputError) as caught:
            stats.probability_of_backtest_overfitting(table)
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_column_of_dates_is_no_configuration(kind):
    table = kind({"date": DAYS.date} | spoilt(0, 0.0))
    with pytest.raises(stats.InputError, match="column 'date'"):
        stats.probability_of_backtest_overfitting(table)


def test_series_of_different_days_are_not_held_against_each_other():
    first, second = pd.Series(FIRST, index=DAYS), pd.Series(SECOND, index=DAYS.shift(1))
    with pytest.raises(stats.InputError, match=r"row 0 is labelled 2019-01-01.*2019-01-02.*align"):
        stats.information_ratio(first, second)
    shifted = pd.DataFrame(FAMILY, index=DAYS.shift(1))
    with pytest.raises(stats.InputError, match="align"):
        stats.superior_predictive_ability(first, shifted, block=5.0, repetitions=9, seed=1)
    stats.information_ratio(first, second.reset_index(drop=True))


def test_numbers_kept_as_decimals_are_numbers():
    values = [Decimal("0.01"), Decimal("-0.02")]
    assert stats.total_return(pl.Series(values)) == pytest.approx(stats.total_return([0.01, -0.02]))


def test_neither_library_is_imported_by_the_statistics():
    code = (
        "import sys; from signoff import stats; stats.hit_rate([0.1, -0.1]); "
        "assert not {'pandas', 'polars'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
