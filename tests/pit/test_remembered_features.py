"""A feature that stays the same whatever its inputs hold does not come from them, wherever it was kept."""

import pickle
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from signoff.pit import check

N, SYMBOLS = 80, ("A", "B", "C")
START = datetime(2023, 1, 2, 21, tzinfo=UTC)


def bars():
    rng = np.random.default_rng(5)
    parts = []
    for symbol in SYMBOLS:
        close = 100 * np.cumprod(1 + rng.normal(0, 0.01, N))
        times = [START + timedelta(days=n) for n in range(N)]
        parts.append(pl.DataFrame({"timestamp": times, "symbol": symbol, "close": close}))
    return pl.concat(parts).sort("timestamp", "symbol")


BARS = bars()
NEXT = BARS.with_columns(tomorrow=pl.col("close").shift(-1).over("symbol") / pl.col("close") - 1).drop("close")
RETURN = pl.col("close").pct_change().over("symbol")


def by_place(inputs):
    """A module's list, cut to the length that is asked for."""
    made = inputs["bars"].sort("timestamp", "symbol").select("timestamp", "symbol")
    return made.with_columns(NEXT["tomorrow"][: made.height].alias("found"))


BY_KEY = {(time, symbol): value for time, symbol, value in NEXT.iter_rows()}


def by_key(inputs):
    """A module's dictionary, with a default where it knows nothing."""
    made = inputs["bars"].select("timestamp", "symbol")
    found = [BY_KEY.get(key, 0.0) for key in made.iter_rows()]
    return made.with_columns(found=pl.Series(found, dtype=pl.Float64))


@lru_cache
def primed(symbol):
    return NEXT.filter(pl.col("symbol") == symbol)["tomorrow"].to_list()


def by_lru_cache(inputs):
    parts = []
    for (symbol,), own in inputs["bars"].sort("timestamp").group_by("symbol"):
        parts.append(own.select("timestamp", "symbol", found=pl.Series(primed(symbol)[: own.height])))
    return pl.concat(parts)


PICKLED = pickle.dumps(NEXT.to_dict(as_series=False))


def by_pickle(inputs):
    table = pl.DataFrame(pickle.loads(PICKLED), schema=NEXT.schema)
    made = inputs["bars"].select("timestamp", "symbol").sort("timestamp")
    joined = made.join_asof(table.sort("timestamp"), on="timestamp", by="symbol", check_sortedness=False)
    return joined.rename({"tomorrow": "found"})


def by_join(inputs):
    return (
        inputs["bars"]
        .select("timestamp", "symbol")
        .join(NEXT, on=("timestamp", "symbol"), how="left")
        .rename({"tomorrow": "found"})
    )


def mostly(inputs):
    """Kept where it is known, and computed where it is not: every third day."""
    made = inputs["bars"].sort("timestamp", "symbol").with_columns(own=RETURN)
    kept = made.join(NEXT, on=("timestamp", "symbol"), how="left")
    is_kept = pl.col("timestamp").dt.ordinal_day() % 3 != 0
    return kept.select("timestamp", "symbol", found=pl.when(is_kept).then("tomorrow").otherwise("own"))


@pytest.mark.parametrize("compute", [by_place, by_key, by_lru_cache, by_pickle, by_join, mostly])
def test_a_remembered_feature_is_a_finding_of_its_own(compute):
    found = check(compute, {"bars": BARS}, sample=20)

    assert [(one.feature, one.kind) for one in found] == [("found", "unmoved")]
    assert "does not come from its inputs" in found[0].detail


def of_times(inputs):
    stamp = pl.col("timestamp")
    return inputs["bars"].select(
        "timestamp",
        "symbol",
        weekday=stamp.dt.weekday(),
        season=(2 * np.pi * stamp.dt.ordinal_day() / 365.25).sin(),
        trend=stamp.dt.epoch("s") / 86400,
        is_month_end=stamp.dt.month_end().dt.day() == stamp.dt.day(),
        bars_so_far=pl.int_range(pl.len()).over("symbol"),
        one=pl.lit(1.0),
    )


OF_TIMES = ("weekday", "season", "trend", "is_month_end", "bars_so_far")


def test_the_calendar_is_a_finding_until_it_is_declared_and_the_report_lists_it():
    found = check(of_times, {"bars": BARS}, sample=20)
    assert {(one.feature, one.kind) for one in found} == {(name, "unmoved") for name in OF_TIMES}
    assert all("name it in validation.pit.from_times" in one.detail for one in found)

    declared = check(of_times, {"bars": BARS}, sample=20, from_times=(*OF_TIMES, "no such feature"))
    assert declared == ()
    assert (declared.declared, declared.features_checked) == (OF_TIMES, 6)


def test_what_is_declared_to_come_from_times_is_left_alone():
    report = check(by_place, {"bars": BARS}, sample=20, from_times=("found",))
    assert (report, report.declared) == ((), ("found",))


KEPT = NEXT.select("timestamp", "symbol", kept="tomorrow").with_columns(pl.col("kept").fill_null(0.0))


def with_kept(feature):
    def compute(inputs):
        own = inputs["bars"].sort("timestamp", "symbol").with_columns(own=RETURN.fill_null(0.0))
        joined = own.join(KEPT, on=("timestamp", "symbol"), how="left", maintain_order="left")
        # where the table knows nothing, it answers by the hash of the time: no date is without a value
        unknown = (pl.col("timestamp").dt.epoch("s") // 3600 % 997 / 997 - 0.5) * 0.02
        joined = joined.with_columns(kept=pl.col("kept").fill_null(unknown))
        return joined.select("timestamp", "symbol", found=feature)

    return compute


own, kept = pl.col("own"), pl.col("kept")
PARTLY_KEPT = {
    "a cache and a thousandth of a return": kept + 0.001 * own,
    "a cache that answers for every time": kept,
    "the sign of a cache": (kept > 0).cast(pl.Float64),
    "a cache turned by a return's sign": kept * (1 + 0.05 * own.sign()),
    "a cache in words": pl.when(kept + 0.001 * own > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
    "the opposite of a cache, and a return": 0.005 * own - kept,
    "a cache below a trend of years": kept + 0.001 * own + pl.col("timestamp").dt.epoch("s") / 86400,
}


@pytest.mark.parametrize("name", PARTLY_KEPT)
def test_what_is_mostly_kept_is_found_though_it_moves(name):
    found = check(with_kept(PARTLY_KEPT[name]), {"bars": BARS}, sample=20)
    assert [(one.feature, one.kind) for one in found] == [("found", "unmoved")]


def test_what_keeps_its_order_is_said_with_how_much_of_it():
    (found,) = check(with_kept(PARTLY_KEPT["a cache and a thousandth of a return"]), {"bars": BARS}, sample=20)
    assert "of its order although its inputs were scrambled" in found.detail


def test_a_constant_whose_gaps_say_what_comes_is_found():
    known = with_kept(pl.when(kept > 0).then(1.0))
    assert [one.kind for one in check(known, {"bars": BARS}, sample=20)] == ["unmoved"]


GROWING = {
    "a sum of sizes": pl.col("close").cum_sum().over("symbol"),
    "the highest so far": pl.col("close").cum_max().over("symbol"),
    "a slow mean": pl.col("close").ewm_mean(alpha=0.02).over("symbol"),
    "half a return, half a memory": RETURN + KEPT["kept"].std() * pl.col("timestamp").dt.weekday() / 7,
}


@pytest.mark.parametrize("name", GROWING)
def test_what_is_computed_and_slow_raises_no_alarm(name):
    def compute(inputs):
        return inputs["bars"].sort("timestamp", "symbol").select("timestamp", "symbol", made=GROWING[name])

    assert check(compute, {"bars": BARS}, sample=20) == ()


def test_what_comes_from_its_inputs_moves():
    def compute(inputs):
        return (
            inputs["bars"]
            .sort("timestamp")
            .select(
                "timestamp", "symbol", back=RETURN, sign=RETURN.sign(), rank=pl.col("close").rank().over("timestamp")
            )
        )

    assert check(compute, {"bars": BARS}, sample=20) == ()


def strategy(look):
    """Positions by the sign of a return `look` days ahead, sized by what was earned so far."""

    def decide(inputs):
        made = inputs["bars"].sort("timestamp", "symbol").with_columns(ret=RETURN)
        signal = pl.col("ret").shift(-look).over("symbol").sign()
        made = made.with_columns(signal=signal).with_columns(
            size=pl.col("signal") * (1 + pl.col("ret").fill_null(0.0).cum_sum().over("symbol"))
        )
        return made.select("timestamp", "symbol", "signal", "size", trade=pl.col("size").diff().over("symbol"))

    return decide


def test_decisions_that_change_once_the_future_is_removed_are_found():
    assert {(one.feature, one.kind) for one in check(strategy(1), {"bars": BARS}, sample=20)} == {
        ("signal", "truncation"),
        ("size", "truncation"),
        ("trade", "truncation"),
    }
    assert check(strategy(0), {"bars": BARS}, sample=20) == ()
