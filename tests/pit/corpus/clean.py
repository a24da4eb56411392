"""Pipelines without a leak, of kinds that a careless check would call one."""

import zlib

import numpy as np
import polars as pl
from scipy import signal

from corpus.market import (
    CLOSE,
    DAY,
    DAYS,
    HOUR,
    SECTORS,
    SYMBOLS,
    asof,
    by_symbol,
    daily,
    day,
    figures,
    hourly,
    membership,
    opening,
    per_symbol,
    returns_by_date,
    splits,
    tokyo,
    traded,
    vintages,
    warm,
)
from corpus.registry import clean
from signoff.pit import purge, restatements, skew, survivorship

RETURN = CLOSE / CLOSE.shift(1) - 1
ROW = pl.int_range(pl.len())


@clean(daily)
def expanding_z_score(inputs):
    count = ROW + 1
    mean = CLOSE.cum_sum() / count
    variance = (CLOSE**2).cum_sum() / count - mean**2
    return by_symbol(z=pl.when(count > 5).then((CLOSE - mean) / variance.sqrt()))(inputs)


@clean(daily)
def ewma_and_its_volatility(inputs):
    return by_symbol(mean=CLOSE.ewm_mean(half_life=5), volatility=RETURN.ewm_std(half_life=10))(inputs)


@clean(daily)
def rank_across_symbols(inputs):
    made = inputs["bars"].sort("symbol", "timestamp").with_columns(ret=RETURN.rolling_mean(5).over("symbol"))
    return made.select("timestamp", "symbol", rank=pl.col("ret").rank().over("timestamp") / pl.len().over("timestamp"))


@clean(daily, from_times=("sector",))
def neutral_to_its_sector(inputs):
    """A lookup of static attributes, and a mean across the symbols of one."""
    made = (
        inputs["bars"]
        .sort("symbol", "timestamp")
        .with_columns(ret=RETURN.over("symbol"), sector=pl.col("symbol").replace_strict(SECTORS))
    )
    return made.select(
        "timestamp", "symbol", "sector", excess=pl.col("ret") - pl.col("ret").mean().over("timestamp", "sector")
    )


@clean(figures)
def joined_backward_when_published(inputs):
    known = inputs["earnings"].select("symbol", "eps", "available_at")
    joined = asof(inputs["bars"], known, "available_at")
    return joined.select("timestamp", "symbol", "eps", cheapness=pl.col("eps") / CLOSE)


@clean(vintages)
def vintages_as_of_each_date(inputs):
    """The newest publication of any period, revisions included."""
    known = inputs["earnings"].sort("available_at", "timestamp").select("symbol", "eps", "available_at")
    joined = asof(inputs["bars"], known, "available_at")
    return joined.select("timestamp", "symbol", "eps")


@clean(daily)
def components_fitted_on_the_past(inputs):
    wide = returns_by_date(inputs["bars"])
    made = wide.select(SYMBOLS).to_numpy() if wide.height else np.empty((0, len(SYMBOLS)))
    score = np.full(len(made), np.nan)
    for now in range(20, len(made)):
        known = made[: now + 1]
        vector = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][0]
        score[now] = abs(made[now] @ vector)
    return wide.select("timestamp", symbol=pl.lit("MARKET"), component=pl.Series(score, dtype=pl.Float64))


@clean(daily)
def warm_up_of_nulls_and_of_nans(inputs):
    made = by_symbol(null=CLOSE.rolling_mean(20), nan=CLOSE.rolling_mean(20).fill_null(np.nan))(inputs)
    return made.with_columns(pl.col("nan").fill_nan(None) if made.height % 2 else pl.col("nan"))


@clean(daily)
def rows_of_the_warm_up_dropped(inputs):
    return by_symbol(mean=CLOSE.rolling_mean(10))(inputs).drop_nulls()


@clean(daily)
def symbols_with_calendars_of_their_own(inputs):
    """Each symbol has rows on its own trading days; the panel carries the last one known forward."""
    own = inputs["bars"].filter("is_quoted")
    every = own.select("timestamp").unique().join(own.select("symbol").unique(), how="cross").sort("timestamp")
    panel = every.join_asof(own.sort("timestamp"), on="timestamp", by="symbol", check_sortedness=False)
    return panel.drop_nulls("close").select("timestamp", "symbol", "close", mean=CLOSE.mean().over("timestamp"))


@clean(tokyo)
def yesterday_of_the_market_that_closes_later(inputs):
    joined = (
        inputs["tokyo"]
        .sort("timestamp")
        .join_asof(inputs["new_york"].sort("timestamp").rename({"close": "lead"}), on="timestamp")
    )
    return joined.select("timestamp", "symbol", "lead", near=CLOSE)


@clean(daily, from_times=("noise",))
def noise_seeded_by_timestamp_and_symbol(inputs):
    frame = inputs["bars"]
    keys = frame.select(pl.format("{}{}", pl.col("timestamp").dt.epoch("us"), "symbol")).to_series()
    noise = [np.random.default_rng(zlib.crc32(key.encode())).normal() for key in keys]
    return frame.select(
        "timestamp",
        "symbol",
        noise=pl.Series(noise, dtype=pl.Float64),
        noisy=CLOSE + pl.Series(noise, dtype=pl.Float64),
    )


@clean(daily, from_times=("day", "age"))
def columns_of_many_types(inputs):
    made = by_symbol(
        whole=pl.col("volume").rolling_max(3),
        flag=RETURN > 0,
        text=pl.when(RETURN > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
        day=pl.col("timestamp").dt.date(),
        age=pl.col("timestamp") - pl.col("timestamp").first(),
        small=CLOSE.cast(pl.Float32),
        nothing=pl.lit(None),
    )(inputs)
    return made.with_columns(category=pl.col("text").cast(pl.Categorical), symbol=pl.col("symbol").cast(pl.Categorical))


@clean(daily)
def features_of_whole_days(inputs):
    """Stamped with dates; all of the day is known by then."""
    return by_symbol(ret=RETURN)(inputs).with_columns(pl.col("timestamp").dt.date())


@clean(hourly)
def resample_labelled_by_its_last_bar(inputs):
    """A day's mean so far, stamped with each bar, and its close of the last bar."""
    frame = inputs["bars"].sort("timestamp").with_columns(date=pl.col("timestamp").dt.date())
    so_far = CLOSE.cum_sum() / (ROW + 1)
    return frame.select(
        "timestamp", "symbol", mean=so_far.over("symbol", "date"), high=CLOSE.cum_max().over("symbol", "date")
    )


@clean(opening)
def close_of_the_bar_when_it_is_known(inputs):
    made = by_symbol(gain=RETURN, known=pl.col("available_at"))(inputs)
    return made.with_columns(timestamp="known").drop("known")


@clean(opening)
def gap_at_the_open_from_the_closes_before(inputs):
    """Features at the opens of a calendar made beforehand, from closes that were known by then."""
    calendar = pl.DataFrame({"timestamp": [day(number) - 6 * HOUR for number in range(2, DAYS - 1)]})
    known = inputs["bars"].select("symbol", "close", "available_at")
    every = calendar.join(pl.DataFrame({"symbol": SYMBOLS}), how="cross").with_columns(
        pl.col("timestamp").dt.cast_time_unit("us")
    )
    joined = asof(every, known, "available_at")
    return joined.select("timestamp", "symbol", last=CLOSE)


@clean(splits, from_times=("days_until_split",))
def split_that_was_announced(inputs):
    """Days until the next split announced by then; it lies ahead, and is known."""
    pairs = inputs["bars"].join(
        inputs["splits"].select("symbol", "available_at", ex="timestamp"), on="symbol", how="left"
    )
    is_known = (pl.col("available_at") <= pl.col("timestamp")) & (pl.col("ex") > pl.col("timestamp"))
    until = pl.when(is_known).then((pl.col("ex") - pl.col("timestamp")).dt.total_days()).min()
    return pairs.group_by("timestamp", "symbol").agg(close=CLOSE.first(), days_until_split=until)


@clean(daily)
def causal_filter(inputs):
    return per_symbol(lambda close: signal.lfilter([0.3], [1, -0.7], close), "smooth")(inputs)


@clean(daily)
def residual_of_a_trailing_line(inputs):
    def residual(close):
        made = np.zeros(close.size)
        for now in range(10, close.size):
            window = close[now - 9 : now + 1]
            made[now] = window[-1] - np.polyval(np.polyfit(np.arange(10), window, 1), 9)
        return warm(made, 10)

    return per_symbol(residual, "residual")(inputs)


@clean(daily)
def forward_fill_and_staleness(inputs):
    quote = pl.col("quote")
    last = pl.when(quote.is_not_null()).then(ROW).forward_fill()
    return by_symbol(filled=quote.fill_null(strategy="forward"), stale_days=ROW - last)(inputs)


@clean(daily, from_times=("weekday", "days_to_month_end"))
def calendar_features(inputs):
    """The calendar is known ahead."""
    stamp = pl.col("timestamp")
    return inputs["bars"].select(
        "timestamp",
        "symbol",
        weekday=stamp.dt.weekday(),
        days_to_month_end=(stamp.dt.month_end() - stamp).dt.total_days(),
    )


@clean(daily)
def target_encoding_of_past_labels(inputs):
    """The mean of labels that had ended: tomorrow's return is a label, known from tomorrow."""
    frame = inputs["bars"].sort("symbol", "timestamp").with_columns(ret=RETURN.over("symbol"), row=ROW.over("symbol"))
    past = (pl.col("ret").cum_sum() / pl.col("ret").cum_count()).over("symbol", pl.col("row") % 5)
    return frame.select("timestamp", "symbol", seasonal=pl.when(pl.col("row") >= 15).then(past))


@clean(daily)
def infinite_values(inputs):
    return by_symbol(log_of_zero=(CLOSE * 0).log(), ratio=RETURN / (CLOSE * 0))(inputs)


@clean()
def first_prints_read_as_published():
    return restatements({"earnings": vintages()["earnings"]}, figures(), compute=joined_backward_when_published)


@clean()
def every_vintage_read_at_its_time():
    return restatements({"earnings": vintages()["earnings"]}, vintages(), compute=vintages_as_of_each_date)


@clean()
def universe_of_each_date():
    """With five days of warm-up, holidays, and names that died."""
    living = dict.fromkeys(SYMBOLS[:3], range(5, DAYS))
    with_holidays = [number for number in range(3, DAYS) if number % 7]
    rows = traded(**living, DDD=with_holidays, EEE=range(15, DAYS), FFF=range(4, 9), GGG=range(2, 31))
    return survivorship(membership(), rows, warm_up=5)


@clean()
def labels_purged_and_embargoed():
    """Five folds; labels last three days, and the test's own labels end within its window."""
    training, tests, horizon = [], [], 3
    for fold in range(5):
        opens, closes = fold * 9, fold * 9 + 8
        training += [
            (fold, day(start), day(start + horizon))
            for start in range(DAYS - horizon)
            if start + horizon < opens or start > closes + 2
        ]
        tests.append((fold, day(opens), day(closes), 2 * DAY))
    return purge(
        pl.DataFrame(training, schema=["fold", "timestamp", "label_end"], orient="row"),
        pl.DataFrame(tests, schema=["fold", "start", "end", "embargo"], orient="row"),
    )


@clean()
def walk_forward_with_a_day_between():
    times = [day(number) for number in range(20)]
    training = pl.DataFrame({"timestamp": times, "label_end": [time + DAY for time in times]})
    return purge(training, pl.DataFrame({"start": [day(21)], "end": [day(40)], "embargo": [3 * DAY]}))


@clean()
def live_features_in_another_order_and_sum():
    """The same features summed in another order, and logged in another row and column order, with nulls for NaN."""
    made = by_symbol(mean=CLOSE.rolling_mean(5), flag=RETURN > 0, text=pl.lit("x"))(daily())
    research = made.with_columns(mean=(pl.col("mean") * 3 / 3).fill_null(np.nan))
    return skew(made.select("symbol", "text", "flag", "timestamp", "mean").reverse(), research)
