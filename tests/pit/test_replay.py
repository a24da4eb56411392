"""Leaks that people have shipped, each caught and named, and clean pipelines that raise no alarm."""

import pickle
from datetime import UTC, date, datetime, timedelta
from math import inf

import numpy as np
import polars as pl
import pytest

from signoff.pit import ReplayError, check

DAYS, SYMBOLS = 160, ("AAA", "BBB", "CCC")
START = datetime(2020, 1, 1, 21, tzinfo=UTC)


def prices(days=DAYS, seed=0):
    rng = np.random.default_rng(seed)
    frames = [
        pl.DataFrame(
            {
                "timestamp": [START + timedelta(days=day) for day in range(days)],
                "symbol": [symbol] * days,
                "close": 100 * np.exp(np.cumsum(rng.normal(0, 0.01, days))),
                "volume": rng.integers(1_000, 9_000, days),
            }
        )
        for symbol in SYMBOLS
    ]
    return pl.concat(frames).sort("timestamp", "symbol")


def earnings(lag_days=20):
    """Quarterly figures, known `lag_days` after the quarter's end."""
    ends = [START + timedelta(days=10 + 30 * quarter) for quarter in range(5)]
    rows = [
        (end, symbol, float(place + 10 * quarter))
        for quarter, end in enumerate(ends)
        for place, symbol in enumerate(SYMBOLS)
    ]
    frame = pl.DataFrame(rows, schema=["timestamp", "symbol", "eps"], orient="row")
    return frame.with_columns(available_at=pl.col("timestamp") + timedelta(days=lag_days))


def features(**columns):
    """A pipeline over prices; its columns are expressions of one symbol's rows."""

    def compute(inputs):
        frame = inputs["prices"].sort("symbol", "timestamp")
        return frame.select("timestamp", "symbol", **{name: made.over("symbol") for name, made in columns.items()})

    return compute


def joined_by(time):
    """Earnings joined to prices by the given column of theirs."""

    def compute(inputs):
        figures = inputs["earnings"].select("symbol", "eps", known=time).sort("known")
        frame = (
            inputs["prices"]
            .sort("timestamp")
            .join_asof(figures, left_on="timestamp", right_on="known", by="symbol", check_sortedness=False)
        )
        return frame.select("timestamp", "symbol", "eps")

    return compute


def principal_component(is_full_sample):
    def compute(inputs):
        wide = (
            inputs["prices"]
            .sort("timestamp")
            .with_columns(ret=pl.col("close").log().diff().over("symbol"))
            .pivot(on="symbol", index="timestamp", values="ret")
            .drop_nulls()
        )
        returns = wide.select(SYMBOLS).to_numpy()
        score = np.full(len(returns), np.nan)
        for row in range(30, len(returns)):
            known = returns if is_full_sample else returns[: row + 1]
            vector = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][0]
            score[row] = abs(returns[row] @ vector)
        return wide.select("timestamp", symbol=pl.lit("MARKET"), component=pl.Series(score))

    return compute


CLOSE = pl.col("close")
RETURN = CLOSE / CLOSE.shift(1) - 1
GAPPY = pl.when(pl.col("volume") > 6_000).then(CLOSE)

LEAKS = {
    "next_return": CLOSE.shift(-1) / CLOSE - 1,
    "full_sample_z": (CLOSE - CLOSE.mean()) / CLOSE.std(),
    "full_sample_rank": CLOSE.rank() / pl.len(),
    "centred_mean": CLOSE.rolling_mean(5, center=True),
    "back_filled": GAPPY.fill_null(strategy="backward"),
    "interpolated": GAPPY.interpolate(),
    "forward_label": RETURN.rolling_mean(5).shift(-5),
    "label_in_feature": RETURN + 0.01 * (CLOSE.shift(-1) > CLOSE).cast(pl.Float64),
    "full_sample_scale": CLOSE / CLOSE.max(),
    "last_value": CLOSE - CLOSE.last(),
    "reverse_ewm": CLOSE.reverse().ewm_mean(half_life=3).reverse(),
    "text_of_the_future": pl.when(CLOSE.shift(-1) > CLOSE).then(pl.lit("up")).otherwise(pl.lit("down")),
    "tiny_leak": (RETURN + (CLOSE.shift(-1) / CLOSE - 1).fill_null(0)) * 1e-12,
    "missing_in_hindsight": pl.when((CLOSE.shift(-1) > CLOSE).fill_null(value=True)).then(CLOSE),
}
CLEAN = {
    "trailing_return": RETURN,
    "trailing_mean": CLOSE.rolling_mean(20),
    "trailing_z": (CLOSE - CLOSE.rolling_mean(20)) / CLOSE.rolling_std(20),
    "forward_filled": GAPPY.fill_null(strategy="forward"),
    "ewm": CLOSE.ewm_mean(half_life=5),
    "expanding_max": CLOSE.cum_max(),
    "flag": RETURN > 0,
    "label": pl.when(RETURN > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
    "volume_ratio": pl.col("volume") / pl.col("volume").rolling_median(10),
    "constant": pl.lit(1.0) + 0 * CLOSE,
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_caught_and_named_and_its_clean_neighbour_is_not(name):
    compute = features(**{name: LEAKS[name]}, clean=CLEAN["trailing_mean"])

    report = check(compute, {"prices": prices()}, sample=25)

    assert [finding.feature for finding in report] == [name]
    assert report[0].kind == "truncation"
    assert report[0].size > 0
    assert report[0].first_date >= START
    assert "removed" in report[0].detail
    assert (report.dates_checked, report.features_checked, report.dates_perturbed) == (25, 2, 25)


def test_clean_pipelines_raise_no_alarm():
    report = check(features(**CLEAN), {"prices": prices()}, sample=40)

    assert report == ()
    assert (report.dates_checked, report.features_checked) == (40, len(CLEAN))
    assert report.unchecked_features == ()


def test_a_component_of_the_full_sample_leaks_and_one_of_the_past_does_not():
    inputs = {"prices": prices()}

    assert [finding.feature for finding in check(principal_component(True), inputs, sample=8)] == ["component"]
    assert check(principal_component(False), inputs, sample=8) == ()


def test_figures_joined_when_they_happened_instead_of_when_they_were_known():
    inputs = {"prices": prices(), "earnings": earnings()}

    leaky = check(joined_by("timestamp"), inputs)
    clean = check(joined_by("available_at"), inputs)

    assert [(finding.feature, finding.kind) for finding in leaky] == [("eps", "knowledge_time")]
    assert clean == ()
    assert clean.dates_checked == 50


def test_a_universe_chosen_by_what_came_later_leaks_in_every_feature():
    def survivors(inputs):
        frame = inputs["prices"].sort("symbol", "timestamp")
        alive = frame.group_by("symbol").agg(kept=CLOSE.last() > CLOSE.first()).filter("kept")["symbol"]
        return frame.filter(pl.col("symbol").is_in(alive.to_list())).select("timestamp", "symbol", "close")

    report = check(survivors, {"prices": prices()})

    assert [(finding.feature, finding.size) for finding in report] == [("close", inf)]


def test_a_row_that_is_dropped_in_hindsight_is_a_leak():
    def winners(inputs):
        made = inputs["prices"].sort("symbol", "timestamp").with_columns(tomorrow=CLOSE.shift(-1).over("symbol"))
        return made.filter((pl.col("tomorrow") > CLOSE).fill_null(value=True)).select("timestamp", "symbol", "close")

    (finding,) = check(winners, {"prices": prices()}, sample=25)

    assert (finding.feature, finding.kind, finding.size) == ("close", "truncation", inf)


def test_a_feature_of_a_day_may_know_all_of_that_day():
    def daily(inputs):
        return features(ret=RETURN)(inputs).with_columns(pl.col("timestamp").dt.date())

    assert check(daily, {"prices": prices()}) == ()


def test_a_leak_that_only_scrambling_shows():
    def remembers(inputs):
        """Peeks at tomorrow only where the data go on; truncated data end at the date itself and look innocent."""
        frame = inputs["prices"].sort("symbol", "timestamp")
        tomorrow = CLOSE.shift(-1).over("symbol")
        is_up = (tomorrow > 1e-9) & (tomorrow < CLOSE * 0.8)
        return frame.select("timestamp", "symbol", peek=is_up.fill_null(value=False))

    report = check(remembers, {"prices": prices()})

    assert [(finding.feature, finding.kind, finding.size) for finding in report] == [("peek", "perturbation", 1)]


def test_a_date_that_cannot_be_replayed_is_a_leak():
    def needs_everything(inputs):
        if inputs["prices"].height < DAYS * len(SYMBOLS):
            raise ValueError("expected 160 days")
        return features(mean=CLEAN["trailing_mean"])(inputs)

    (finding,) = check(needs_everything, {"prices": prices()}, sample=5)

    assert (finding.kind, finding.size) == ("truncation", inf)
    assert "expected 160 days" in finding.detail


def test_a_row_that_is_there_only_in_hindsight_is_a_leak():
    def without_last_row(inputs):
        made = features(mean=RETURN)(inputs)
        return made.filter(pl.col("timestamp") < pl.col("timestamp").max())

    (finding,) = check(without_last_row, {"prices": prices()}, sample=5)

    assert (finding.feature, finding.kind, finding.size) == ("mean", "truncation", inf)


def test_a_function_that_refuses_scrambled_values_is_still_replayed():
    honest = prices()["close"].sum()

    def checks_its_input(inputs):
        known = prices().join(inputs["prices"], on=["timestamp", "symbol"], suffix="_given")
        assert (known["close"] == known["close_given"]).all(), honest
        return features(ret=RETURN)(inputs)

    report = check(checks_its_input, {"prices": prices()}, sample=5)

    assert report == ()
    assert (report.dates_checked, report.dates_perturbed) == (5, 0)


def test_a_feature_that_differs_from_run_to_run_proves_nothing():
    rng = np.random.default_rng(0)

    def random_feature(inputs):
        made = features(ret=RETURN)(inputs)
        return made.with_columns(noise=pl.Series(rng.normal(size=made.height)))

    (finding,) = check(random_feature, {"prices": prices()}, sample=5)

    assert (finding.feature, finding.kind, finding.n, finding.of) == ("noise", "nondeterminism", 5, 5)


def test_noise_is_dated_from_where_it_begins():
    rng = np.random.default_rng(0)

    def noisy_from_day_100(inputs):
        made = features(day=pl.int_range(pl.len()))(inputs)
        noise = pl.Series(rng.normal(size=made.height))
        return made.select("timestamp", "symbol", noise=pl.when(pl.col("day") >= 100).then(noise).otherwise(0.0))

    (finding,) = check(noisy_from_day_100, {"prices": prices()}, sample=DAYS)

    assert (finding.kind, finding.first_date, finding.n) == ("nondeterminism", START + timedelta(days=100), 59)


def test_rounding_is_no_leak():
    def rounds_differently(inputs):
        made = features(ret=RETURN)(inputs)
        return made.with_columns(pl.col("ret") * (1 + 1e-12 * made.height))

    assert check(rounds_differently, {"prices": prices()}) == ()
    assert check(rounds_differently, {"prices": prices()}, tolerance=1e-14) != ()


def test_a_feature_without_any_value_is_not_called_checked():
    report = check(
        features(ret=RETURN, empty=CLOSE.shift(DAYS + 1), nan=CLOSE * np.nan), {"prices": prices()}, sample=5
    )

    assert report == ()
    assert report.features_checked == 1
    assert report.unchecked_features == ("empty", "nan")


def test_null_and_nan_are_both_missing_and_equal():
    def alternates(inputs):
        made = features(ret=CLOSE.rolling_mean(5))(inputs)
        return made if made.height == DAYS * len(SYMBOLS) else made.with_columns(pl.col("ret").fill_null(np.nan))

    assert check(alternates, {"prices": prices()}, sample=60) == ()


def test_the_seed_decides_the_dates_and_nothing_else_does():
    compute, inputs = features(next_return=LEAKS["next_return"]), {"prices": prices()}

    assert check(compute, inputs, sample=10, seed=3) == check(compute, inputs, sample=10, seed=3)
    assert len({check(compute, inputs, sample=10, seed=seed)[0].first_date for seed in range(5)}) > 1


def test_dates_without_a_time_are_whole_days():
    daily = {"prices": prices().with_columns(pl.col("timestamp").dt.date())}

    assert check(features(ret=RETURN), daily) == ()
    (finding,) = check(features(next_return=LEAKS["next_return"]), daily)
    assert isinstance(finding.first_date, date)


def test_progress_is_told_after_every_date():
    told = []

    check(features(ret=RETURN), {"prices": prices()}, sample=4, progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_one_date_is_enough_of_a_sample():
    assert check(features(ret=RETURN), {"prices": prices()}, sample=1).dates_checked == 1


def test_the_largest_change_of_a_number_is_told_beside_values_that_appear():
    (finding,) = check(features(z=LEAKS["full_sample_z"]), {"prices": prices()}, sample=DAYS)
    (always,) = check(features(next_return=LEAKS["next_return"]), {"prices": prices()}, sample=3)

    assert finding.size == inf  # the first date has no deviation
    assert "the largest change from one number to another is " in finding.detail
    assert "inf" not in finding.detail
    assert (always.size, "largest" in always.detail) == (inf, False)


def test_a_report_survives_pickling():
    report = check(features(next_return=LEAKS["next_return"]), {"prices": prices()}, sample=3)

    again = pickle.loads(pickle.dumps(report))

    assert again == report
    assert vars(again) == vars(report)


def test_where_nothing_lies_ahead_nothing_was_checked():
    for frame in (prices(1), prices(1).clear()):
        report = check(features(close=CLOSE * 1.0), {"prices": frame})

        assert (report, report.dates_checked, report.features_checked) == ((), 0, 0)


def test_where_no_row_of_features_is_made_nothing_was_checked():
    report = check(lambda _: pl.DataFrame({"timestamp": [], "symbol": [], "ret": []}), {"prices": prices()})

    assert (report, report.dates_checked, report.features_checked) == ((), 0, 0)
    assert report.unchecked_features == ("ret",)


class TestRefusals:
    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({}, "none were given"),
            ({"prices": prices().drop("timestamp")}, "'prices'.*timestamp is missing"),
            ({"prices": prices().with_columns(pl.col("timestamp").cast(pl.String))}, "parse them"),
            ({"prices": prices().with_columns(available_at=pl.lit(None, pl.Datetime))}, "row 0 is empty"),
        ],
    )
    def test_inputs_that_cannot_be_placed_in_time(self, inputs, message):
        with pytest.raises(ReplayError, match=message):
            check(features(ret=RETURN), inputs)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda made: made.to_dict(), "DataFrame"),
            (lambda made: made.drop("symbol"), "symbol is missing"),
            (lambda made: made.drop("ret"), "at least one"),
            (lambda made: pl.concat([made, made]), "more than one row"),
            (lambda made: made.with_columns(timestamp=pl.lit(1)), "expected timestamps"),
            (lambda made: made.with_columns(symbol=pl.lit(None, pl.String)), "cannot be placed"),
        ],
    )
    def test_features_that_cannot_be_read(self, spoil, message):
        with pytest.raises(ReplayError, match=message):
            check(lambda inputs: spoil(features(ret=RETURN)(inputs)), {"prices": prices()})

    def test_impossible_parameters(self):
        for wrong in ({"sample": 0}, {"tolerance": -1.0}, {"tolerance": float("nan")}, {"seed": -1}):
            with pytest.raises(ReplayError, match="sample"):
                check(features(ret=RETURN), {"prices": prices()}, **wrong)
