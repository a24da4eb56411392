"""Every function has one idea of a return: what no return can be is refused, and the message says what was expected."""

from warnings import catch_warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from signoff import stats
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.returns import returns_up_to

RNG = np.random.default_rng(15)
OWN = RNG.normal(0.0005, 0.01, 300)
DAYS = pd.bdate_range("2020-01-01", periods=300)
OF_ONE_RECORD = {
    "annualized_return": stats.annualized_return,
    "conditional_value_at_risk": stats.conditional_value_at_risk,
    "downside_sensitivity_ratio": stats.downside_sensitivity_ratio,
    "equity_curve": stats.equity_curve,
    "hit_rate": stats.hit_rate,
    "max_drawdown": stats.max_drawdown,
    "rolling_sharpe": lambda r: stats.rolling_sharpe(r, 20),
    "rolling_value_at_risk": lambda r: stats.rolling_value_at_risk(r, window=100),
    "sharpe_difference_test": lambda r: stats.sharpe_difference_test(r, pd.Series(OWN[::-1].copy(), index=DAYS)),
    "sharpe_error": stats.sharpe_error,
    "sharpe_ratio": stats.sharpe_ratio,
    "total_return": stats.total_return,
    "value_at_risk": stats.value_at_risk,
    "win_loss_ratio": stats.win_loss_ratio,
}


def with_value(row, value):
    changed = OWN.copy()
    changed[row] = value
    return changed


IMPOSSIBLE = {
    "a loss beyond everything": (with_value(7, -1.2), "row 7"),
    "percentages": (100 * OWN, "percentages"),
    "a day of +120%": (with_value(7, 1.2), r"row 7 is 1\.2"),
    "rows after a loss of everything": (with_value(7, -1.0), "292 rows follow"),
    "an equity curve": (100 * np.cumprod(1 + OWN), "row 0 is"),
    "an equity curve from 1, never above it": (np.linspace(1.0, 0.7, 300), "equity curve"),
    "a sum of returns so far": (np.cumsum(OWN) / 10, "sum of returns so far"),
}


@pytest.mark.parametrize("function", OF_ONE_RECORD.values(), ids=OF_ONE_RECORD)
@pytest.mark.parametrize(("returns", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_no_record_of_returns_can_be_is_refused(function, returns, words):
    with pytest.raises(InputError, match=words):
        function(returns)


@pytest.mark.parametrize("function", OF_ONE_RECORD.values(), ids=OF_ONE_RECORD)
@pytest.mark.parametrize(
    ("index", "words"),
    [
        (DAYS[::-1], "order of time"),
        (DAYS[RNG.permutation(300)], "order of time"),
        (DAYS[[0, *range(299)]], "row 1 .* repeats"),
        ([str(day.date()) for day in DAYS[::-1]], "order of time"),
        (RNG.permutation(300), "order of time"),
    ],
    ids=["newest first", "shuffled", "a day twice", "texts of days", "shuffled numbers"],
)
def test_rows_out_of_order_or_twice_are_refused(function, index, words):
    with pytest.raises(InputError, match=words):
        function(pd.Series(OWN, index=index))


def test_a_declared_gain_is_a_return():
    """Two periods: +120%, then −50%: (1 + 1.2)(1 − 0.5) − 1 = 10%."""
    with returns_up_to(1.2):
        assert stats.total_return([1.2, -0.5]) == pytest.approx(0.1)
        with pytest.raises(InputError):
            stats.total_return([1.3, -0.5])
    with pytest.raises(InputError):
        stats.total_return([1.2, -0.5])


def test_a_loss_of_everything_may_be_the_last_row():
    assert stats.total_return([0.1, -1.0]) == -1
    assert stats.max_drawdown([0.1, 0.2, -1.0]) == -1


def test_a_trial_that_lost_everything_rests_at_zero_and_no_other_way():
    family = RNG.normal(0.0005, 0.01, (320, 4))
    family[100:, 2] = 0.0
    family[100, 2] = -1.0
    assert stats.probability_of_backtest_overfitting(family, partitions=4).trials == 4
    family[101:, 2] = 0.001
    with pytest.raises(InputError, match="row 100, column 2"):
        stats.probability_of_backtest_overfitting(family, partitions=4)


def test_a_window_after_a_loss_of_everything_is_refused():
    with pytest.raises(InputError, match="window 1"):
        stats.walk_forward_consistency([[0.1, 0.2], [0.1, -1.0], [0.1, 0.2]])


@pytest.mark.parametrize(
    "returns",
    [
        0.001 + RNG.normal(0, 1e-12, 300),
        np.diff(np.round(1e6 * 1.0004 ** np.arange(301), 2)) / np.round(1e6 * 1.0004 ** np.arange(300), 2),
        (np.diff((1.001 ** np.arange(301)).astype(np.float32)) / (1.001 ** np.arange(300)).astype(np.float32)),
        np.round(np.full(300, 1e-3), 10) + np.tile([0, 1e-10], 150),
    ],
    ids=["noise of 1e-12", "an account in cents", "single precision", "the last digit"],
)
def test_returns_that_are_constant_to_rounding_have_no_sharpe_ratio(returns):
    for function in (stats.sharpe_ratio, stats.sharpe_error):
        with pytest.raises(InsufficientData, match="equal"):
            function(np.asarray(returns, dtype=np.float64))


LEVELS = {
    "value_at_risk": lambda v: stats.value_at_risk(OWN, level=v),
    "conditional_value_at_risk": lambda v: stats.conditional_value_at_risk(OWN, level=v),
    "rolling_value_at_risk": lambda v: stats.rolling_value_at_risk(OWN, window=100, level=v),
    "kupiec": lambda v: stats.kupiec(12, 250, level=v),
    "christoffersen": lambda v: stats.christoffersen(OWN < -0.01, level=v),
    "pearson_correlation": lambda v: stats.pearson_correlation(OWN[1:], OWN[:-1], confidence=v),
    "mean_difference_sequence": lambda v: stats.mean_difference_sequence(OWN[1:], OWN[:-1], confidence=v),
    "volatility_ratio": lambda v: stats.volatility_ratio(OWN[:100], OWN[100:], confidence=v),
    "minimum_track_record_length": lambda v: stats.minimum_track_record_length(0.1, confidence=v),
}


@pytest.mark.parametrize("function", LEVELS.values(), ids=LEVELS)
def test_a_tail_given_as_a_level_is_refused_with_the_level_that_was_meant(function):
    with pytest.raises(InputError, match=r"found 0\.05; pass 0\.95"):
        function(0.05)
    function(0.9)


@pytest.mark.parametrize("ratio", [1.585, 2.5, -1.4])
def test_an_annual_sharpe_ratio_is_caught_unless_it_is_named_per_period(ratio):
    for call in (
        lambda: stats.probabilistic_sharpe_ratio(ratio, 24),
        lambda: stats.deflated_sharpe_ratio(ratio, 24, skew=0, kurtosis=3, trials=9, trial_sharpe_variance=0.01),
        lambda: stats.minimum_track_record_length(ratio),
        lambda: stats.probabilistic_sharpe_ratio(0.1, 24, benchmark=ratio),
    ):
        with pytest.raises(InputError, match="per period"):
            call()
    assert 0 <= stats.probabilistic_sharpe_ratio(sharpe_per_period=ratio, n=24) <= 1


NAMED = {"skew": 0, "kurtosis": 3, "trials": 20}


@pytest.mark.parametrize("ratio", [0.8, 0.35, -0.5])
@pytest.mark.parametrize("n", [252, 1260, 2520])
def test_an_annual_sharpe_ratio_below_one_is_caught_in_a_record_of_days(ratio, n):
    """0.35 a day is 5.6 a year."""
    for call in (
        lambda: stats.probabilistic_sharpe_ratio(ratio, n),
        lambda: stats.probabilistic_sharpe_ratio(ratio, n=n),
        lambda: stats.deflated_sharpe_ratio(ratio, n, **NAMED, trial_sharpe_variance=0.001),
        lambda: stats.probabilistic_sharpe_ratio(0.1, n, benchmark=ratio),
    ):
        with pytest.raises(InputError, match=r"reads as an annual one. Divide it by the root of the periods a year"):
            call()
    assert 0 <= stats.probabilistic_sharpe_ratio(sharpe_per_period=ratio, n=n) <= 1
    assert 0 <= stats.probabilistic_sharpe_ratio(ratio, 60) <= 1


@pytest.mark.parametrize("variance", [0.25, 0.5, 0.03, 1.0])
def test_an_annual_variance_of_trials_is_caught_in_a_record_of_days(variance):
    with pytest.raises(InputError, match=f"found {variance:g} for 2520 periods, which reads as that of annual ones"):
        stats.deflated_sharpe_ratio(0.05, 2520, **NAMED, trial_sharpe_variance=variance)
    with pytest.raises(InputError, match="annual"):
        stats.deflated_sharpe_ratio(sharpe_per_period=0.05, n=252, **NAMED, trial_sharpe_variance=variance)
    believed = stats.deflated_sharpe_ratio(0.05, 2520, **NAMED, trial_variance_per_period=variance)
    assert believed.trial_sharpe_variance == variance
    assert stats.deflated_sharpe_ratio(0.05, 60, **NAMED, trial_sharpe_variance=variance).threshold > 0


@pytest.mark.parametrize("given", [{}, {"trial_sharpe_variance": 0.001, "trial_variance_per_period": 0.001}])
def test_a_deflation_takes_one_variance(given):
    with pytest.raises(InputError, match=r"neither|both"):
        stats.deflated_sharpe_ratio(0.05, 2520, **NAMED, **given)


def test_the_old_name_of_a_ratio_is_taken_with_a_warning():
    with pytest.warns(DeprecationWarning, match="sharpe_per_period"):
        old = stats.probabilistic_sharpe_ratio(sharpe=0.1, n=250)
    with catch_warnings():
        assert stats.probabilistic_sharpe_ratio(0.1, 250) == old


def test_results_name_trials_and_not_their_places():
    family = pd.DataFrame(RNG.normal(0, 0.01, (320, 3)), columns=["slow", "fast", "both"])
    family["fast"] += 0.01
    assert stats.probability_of_backtest_overfitting(family, partitions=4).best_trial == "fast"
    options = {"block": 5.0, "repetitions": 50, "seed": 1}
    benchmark = pd.Series(np.zeros(320))
    assert stats.superior_predictive_ability(benchmark, -family, **options).best_model == "fast"
    assert stats.reality_check(benchmark, pl.from_pandas(-family), **options).best_model == "fast"
    family["slow"] = 0.0
    with pytest.raises(InsufficientData, match="'slow'"):
        stats.probability_of_backtest_overfitting(family, partitions=4)


@pytest.mark.parametrize(
    "result",
    [
        stats.probability_of_backtest_overfitting(RNG.normal(0, 0.01, (320, 3))),
        stats.rolling_value_at_risk(OWN, window=100),
        stats.walk_forward_consistency([OWN[n : n + 5] for n in range(0, 300, 5)]),
        stats.mean_difference_sequence(OWN[1:], OWN[:-1]),
        stats.superior_predictive_ability(OWN, RNG.normal(0, 0.01, (300, 3)), block=5.0, repetitions=900, seed=1),
        stats.christoffersen(OWN < -0.01),
        stats.sharpe_error(OWN),
    ],
    ids=lambda result: type(result).__name__,
)
def test_the_text_of_a_result_fits_a_screen_and_names_every_field(result):
    lines = repr(result).splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 100
    assert all(f"{name}=" in "".join(lines).replace("\n", "") for name in result.__dataclass_fields__)


def test_the_downside_of_two_years_of_months_is_a_figure():
    """Bacon's kind of table: 24 months, by the definition."""
    months = np.array([0.03, 0.026, 0.011, -0.009, 0.014, 0.024, 0.015, 0.066, -0.014, 0.04, -0.005, 0.081] * 2)
    below = np.sqrt(np.mean(np.minimum(months, 0) ** 2))
    above = np.sqrt(np.mean(np.maximum(months, 0) ** 2))
    assert stats.downside_sensitivity_ratio(months).ratio == pytest.approx(below / above)


ANNUAL = {
    "annual_sharpe": lambda r, **o: stats.annual_sharpe(r, **o).value,
    "annualized_return": stats.annualized_return,
    "information_ratio": lambda r, **o: stats.information_ratio(r, OTHER[: len(r)], **o),
    "rolling_sharpe": lambda r, **o: stats.rolling_sharpe(r, 30, **o)[-1],
    "sharpe_difference_test": lambda r, **o: stats.sharpe_difference_test(OTHER[: len(r)], r, **o).difference,
    "sharpe_error": lambda r, **o: stats.sharpe_error(r, **o).annual_sharpe,
    "sharpe_ratio": stats.sharpe_ratio,
    "sharpe_standard_error": stats.sharpe_standard_error,
    "walk_forward_consistency": lambda r, **o: stats.walk_forward_consistency([r[:40], r[40:]], **o).mean_sharpe,
}
OTHER = RNG.normal(0.0003, 0.01, 300)
BY_DATES = {
    "weekdays": (DAYS, 252),
    "every day": (pd.date_range("2020-01-01", periods=300), 365),
    "exchange days in New York": (DAYS.delete(range(20, 290, 27)).tz_localize("America/New_York"), 252),
    "weeks": (pd.date_range("2015-01-02", periods=300, freq="W-FRI"), 52),
    "month ends": (pd.date_range("2000-01-31", periods=120, freq="ME"), 12),
    "last business days": (pd.date_range("2000-01-31", periods=120, freq="BME"), 12),
    "periods of a month": (pd.period_range("2000-01", periods=120, freq="M"), 12),
    "texts of months": (pd.Index([f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(120)], dtype=object), 12),
    "dates of quarters": (pd.Index(pd.date_range("1960-03-31", periods=160, freq="QE").date), 4),
    "a year left out": (DAYS[:150].append(DAYS[150:] + pd.Timedelta(days=364)), 252),
}
WITHIN_DAYS = {
    "hours": (pd.date_range("2024-01-01", periods=300, freq="h"), 8760),
    "half hours of a session": (
        pd.DatetimeIndex([day + pd.Timedelta(hours=9.5 + n / 2) for day in DAYS[:24] for n in range(13)])[:300],
        13 * 252,
    ),
    "open and close": (pd.DatetimeIndex([day + pd.Timedelta(hours=h) for day in DAYS[:150] for h in (9, 16)]), 504),
}


@pytest.mark.parametrize("function", ANNUAL.values(), ids=ANNUAL)
@pytest.mark.parametrize(("index", "rows"), BY_DATES.values(), ids=BY_DATES)
def test_the_dates_of_a_series_say_how_many_rows_a_year_has(function, index, rows):
    returns = pd.Series(OWN[: len(index)], index=index)
    assert function(returns) == function(returns.to_numpy(), periods=rows)
    assert function(returns.to_numpy()) == function(returns.to_numpy(), periods=252)


def test_ten_years_of_months_have_the_sharpe_ratio_of_months():
    months = pd.Series(0.03 * OWN[:120] / OWN[:120].std(), index=pd.date_range("2010-01-31", periods=120, freq="ME"))
    assert stats.sharpe_ratio(months) == pytest.approx(months.mean() / months.std() * np.sqrt(12))
    assert stats.annualized_return(months) == pytest.approx((1 + months).prod() ** (12 / 120) - 1)


@pytest.mark.parametrize("function", ANNUAL.values(), ids=ANNUAL)
@pytest.mark.parametrize(("index", "rows"), BY_DATES.values(), ids=BY_DATES)
def test_periods_that_the_dates_deny_are_refused(function, index, rows):
    returns = pd.Series(OWN[: len(index)], index=index)
    wrong = 12 if rows == 252 else 252
    with pytest.raises(InputError, match=rf"expected about {rows} rows a year.*found {wrong}\. "):
        function(returns, periods=wrong)
    assert function(returns, periods=1) == function(returns.to_numpy(), periods=1)
    assert function(returns, periods=1.04 * rows) == function(returns.to_numpy(), periods=1.04 * rows)


@pytest.mark.parametrize("function", ANNUAL.values(), ids=ANNUAL)
@pytest.mark.parametrize(("index", "rows"), WITHIN_DAYS.values(), ids=WITHIN_DAYS)
def test_returns_within_days_are_asked_how_many_a_year_has(function, index, rows):
    returns = pd.Series(OWN[: len(index)], index=index)
    with pytest.raises(InputError, match=f"periods: expected it to be given, .* within days .* {rows:,} a year"):
        function(returns)
    with pytest.raises(InputError, match=f"expected about {rows:,} rows a year"):
        function(returns, periods=252)
    assert function(returns, periods=rows) == function(returns.to_numpy(), periods=rows)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2020-01-03", periods=60, freq="14D"),
        pd.date_range("2020-01-03", periods=60, freq="28D"),
        pd.bdate_range("2020-01-01", periods=180, freq="C", weekmask="Mon Wed Fri"),
        DAYS[::3],
    ],
    ids=["fortnights", "four weeks", "three days a week", "every third session"],
)
def test_dates_that_no_convention_knows_are_asked_about(index):
    with pytest.raises(InputError, match=r"periods: expected it to be given, found rows"):
        stats.sharpe_ratio(pd.Series(OWN[: len(index)], index=index))


@pytest.mark.parametrize("days", [["2020-01-02", "2020-01-03"], ["2020-01-03", "2020-01-06"], ["2020-01-02"]])
def test_a_few_days_are_daily(days):
    returns = pd.Series([0.01, 0.02][: len(days)], index=pd.to_datetime(days))
    assert stats.annualized_return(returns) == stats.annualized_return(returns.to_numpy(), periods=252)


NO_SERIES = {
    "None": (None, "NoneType"),
    "a dict": ({"a": 0.01}, "dict"),
    "a set": ({0.01, 0.02}, "set"),
    "a generator": ((r for r in OWN), "generator"),
    "a function": (len, "builtin_function_or_method"),
    "a text": ("0.01, 0.02", "texts"),
    "texts": (["0.01", "0.02"], "texts"),
}


@pytest.mark.parametrize("function", OF_ONE_RECORD.values(), ids=OF_ONE_RECORD)
@pytest.mark.parametrize(("given", "found"), NO_SERIES.values(), ids=NO_SERIES)
def test_what_is_no_series_is_refused_by_its_true_type(function, given, found):
    with pytest.raises(InputError, match=f"expected numbers, found .*{found}"):
        function(given)


FLAGS = {
    "an array": OWN > 0,
    "a Series": pd.Series(OWN > 0, index=DAYS),
    "a nullable Series": pd.Series(OWN > 0, index=DAYS, dtype="boolean"),
    "a polars Series": pl.Series(OWN > 0),
    "a list": (OWN > 0).tolist(),
    "a list with one": [*OWN[:299].tolist(), True],
    "objects with one": np.array([*OWN[:299].tolist(), np.True_], dtype=object),
}


@pytest.mark.parametrize("function", OF_ONE_RECORD.values(), ids=OF_ONE_RECORD)
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_booleans_are_no_returns(function, flags):
    with pytest.raises(InputError, match="found a boolean at entry"):
        function(flags)


def test_a_column_of_booleans_is_no_trial():
    family = pd.DataFrame({"slow": OWN, "fast": OWN[::-1], "gained": OWN > 0})
    with pytest.raises(InputError, match="column 'gained': expected numbers, found a boolean"):
        stats.probability_of_backtest_overfitting(family, partitions=4)


IN_PLACE_OF_A_NUMBER = {
    "windows": lambda v: stats.windows(v, 63),
    "rolling_sharpe": lambda v: stats.rolling_sharpe(OWN, v),
    "first_windows": lambda v: stats.first_windows(OWN, v),
    "periods": lambda v: stats.sharpe_ratio(OWN, periods=v),
    "level": lambda v: stats.value_at_risk(OWN, level=v),
    "method": lambda v: stats.sharpe_error(OWN, method=v),
    "a ratio": lambda v: stats.probabilistic_sharpe_ratio(v, 100),
    "trials": lambda v: stats.expected_maximum_sharpe(v, 0.01),
    "returns_up_to": lambda v: stats.returns_up_to(v).__enter__(),
}


@pytest.mark.parametrize("function", IN_PLACE_OF_A_NUMBER.values(), ids=IN_PLACE_OF_A_NUMBER)
@pytest.mark.parametrize(
    "series",
    [OWN, pd.Series(OWN, index=DAYS), pl.Series(OWN), OWN.tolist(), pd.DataFrame({"a": OWN})],
    ids=["array", "Series", "polars", "list", "table"],
)
def test_a_series_in_place_of_a_number_is_named_and_not_printed(function, series):
    with pytest.raises(InputError, match=rf"found {type(series).__name__} of 300 .*entries") as refusal:
        function(series)
    assert len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


def test_one_error_names_broken_input_and_too_little_of_it():
    for broken in ([0.01, None], [0.01]):
        with pytest.raises(stats.StatisticsError):
            stats.sharpe_ratio(broken)
    assert issubclass(stats.StatisticsError, ValueError)
    assert not issubclass(stats.InsufficientData, stats.InputError)


def test_the_package_lists_its_functions():
    assert set(stats.__all__) <= set(dir(stats))
    assert {name for name in dir(stats) if not name.startswith("_")} == {*stats.__all__, "returns_up_to"}
