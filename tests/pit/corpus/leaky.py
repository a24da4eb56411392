"""Leaks that people have shipped."""

from math import inf

import numpy as np
import polars as pl
from scipy import signal

from corpus.market import (
    CLOSE,
    CLOSES,
    DAY,
    DAYS,
    HOUR,
    IS_QUOTED,
    START,
    SYMBOLS,
    asof,
    by_symbol,
    daily,
    day,
    figures,
    hindsight,
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
from corpus.registry import Leak, leaky
from signoff.pit import purge, restatements, skew, survivorship

RETURN = CLOSE / CLOSE.shift(1) - 1
ROW = pl.int_range(pl.len())


def moved(feature, function, *panels):
    """A truncation leak whose first date and size follow from a function of one symbol's arrays."""

    def expected():
        first, size = hindsight(function, *panels)
        return Leak(feature=feature, kind="truncation", first=first, size=size)

    return expected


def z_scores(close):
    return warm((close - close.mean()) / close.std(ddof=1), 20) if close.size > 20 else np.full(close.size, np.nan)


def returns(close):
    return np.concatenate([[np.nan], close[1:] / close[:-1] - 1])


def centred(close):
    return np.array([close[max(0, t - 2) : t + 3].mean() for t in range(close.size)])


def back_filled(close, is_quoted):
    later = [np.flatnonzero(is_quoted[t:]) for t in range(close.size)]
    return np.array([close[t + at[0]] if at.size else np.nan for t, at in enumerate(later)])


def interpolated(close, is_quoted):
    known = np.flatnonzero(is_quoted)
    if not known.size:
        return np.full(close.size, np.nan)
    return np.interp(np.arange(close.size), known, close[known], left=np.nan, right=np.nan)


def weekday_means(close):
    made = returns(close)
    return np.array([np.nanmean(made[t % 5 :: 5]) if t >= 15 else np.nan for t in range(close.size)])


def backwards(close):
    made = np.empty(close.size)
    made[-1] = close[-1]
    for t in range(close.size - 2, -1, -1):
        made[t] = 0.3 * close[t] + 0.7 * made[t + 1]
    return made


def deciles(close):
    made = returns(close)[1:]
    edges = np.quantile(made, [0.2, 0.4, 0.6, 0.8]) if made.size else []
    return warm(np.concatenate([[np.nan], np.searchsorted(edges, made)]), 10)


@leaky(moved("z", z_scores), daily)
def global_z_score(inputs):
    return by_symbol(z=pl.when(ROW >= 20).then((CLOSE - CLOSE.mean()) / CLOSE.std()))(inputs)


@leaky(moved("quote", back_filled, CLOSES, IS_QUOTED), daily)
def back_fill(inputs):
    return by_symbol(quote=pl.col("quote").fill_null(strategy="backward"))(inputs)


@leaky(moved("quote", interpolated, CLOSES, IS_QUOTED), daily)
def interpolation_over_gaps(inputs):
    return by_symbol(quote=pl.col("quote").interpolate())(inputs)


@leaky(moved("mean", centred), daily)
def centred_rolling_window(inputs):
    return by_symbol(mean=CLOSE.rolling_mean(5, center=True, min_samples=1))(inputs)


@leaky(moved("momentum", lambda x: np.concatenate([x[1:] / x[:-1] - 1, [np.nan]])), daily)
def label_in_features_by_a_shift(inputs):
    return by_symbol(momentum=CLOSE.shift(-1) / CLOSE - 1)(inputs)


@leaky(moved("scaled", lambda x: warm((x - x.min()) / max(x.max() - x.min(), 1e-300), 5)), daily)
def min_max_over_all(inputs):
    span = CLOSE.max() - CLOSE.min()
    return by_symbol(scaled=pl.when(ROW >= 5).then((CLOSE - CLOSE.min()) / span))(inputs)


@leaky(moved("drawdown", lambda x: x / x.max() - 1), daily)
def drawdown_from_the_peak_of_all_time(inputs):
    return by_symbol(drawdown=CLOSE / CLOSE.max() - 1)(inputs)


@leaky(moved("seasonal", weekday_means), daily)
def target_encoding_over_the_full_sample(inputs):
    frame = inputs["bars"].sort("symbol", "timestamp").with_columns(ret=RETURN.over("symbol"), row=ROW.over("symbol"))
    encoded = pl.col("ret").mean().over("symbol", pl.col("row") % 5)
    return frame.select("timestamp", "symbol", seasonal=pl.when(pl.col("row") >= 15).then(encoded))


@leaky(moved("clipped", lambda x: warm(np.clip(x, *np.quantile(x, [0.05, 0.95])), 5)), daily)
def winsorised_at_quantiles_of_all(inputs):
    low, high = (CLOSE.quantile(level, "linear") for level in (0.05, 0.95))
    return by_symbol(clipped=pl.when(ROW >= 5).then(CLOSE.clip(low, high)))(inputs)


@leaky(moved("bucket", deciles), daily)
def buckets_with_edges_of_all(inputs):
    def bucketed(close):
        made = close[1:] / close[:-1] - 1
        edges = np.quantile(made, np.linspace(0.2, 0.8, 4)) if made.size else np.zeros(4)
        return warm(np.concatenate([[np.nan], (made[:, None] > edges).sum(axis=1)]), 10)

    return per_symbol(bucketed, "bucket")(inputs)


@leaky(
    moved("quote", lambda x, has: np.where(has, x, np.median(x[has]) if has.any() else np.nan), CLOSES, IS_QUOTED),
    daily,
)
def imputed_with_the_median_of_all(inputs):
    return by_symbol(quote=pl.col("quote").fill_null(pl.col("quote").median()))(inputs)


@leaky(moved("smooth", lambda x: warm(signal.filtfilt([0.3], [1, -0.7], x) if x.size > 6 else x, 8)), daily)
def filtfilt_smoothing(inputs):
    def smoothed(close):
        return warm(signal.filtfilt([0.3], [1, -0.7], close) if close.size > 6 else close, 8)

    return per_symbol(smoothed, "smooth")(inputs)


@leaky(moved("smooth", backwards), daily)
def ewma_from_the_end(inputs):
    return by_symbol(smooth=CLOSE.reverse().ewm_mean(alpha=0.3, adjust=False).reverse())(inputs)


@leaky(
    moved(
        "residual",
        lambda x: warm(x - np.polyval(np.polyfit(np.arange(x.size), x, min(1, x.size - 1)), np.arange(x.size)), 5),
    ),
    daily,
)
def detrended_by_a_line_through_all(inputs):
    def residual(close):
        trend = signal.detrend(close) if close.size > 1 else close - close
        return warm(trend, 5)

    return per_symbol(residual, "residual")(inputs)


def first_component_moves():
    made = np.diff(np.log(CLOSES), axis=0)

    def score(known, now):
        values, vectors = np.linalg.eigh(np.cov(known, rowvar=False))
        return abs(made[now] @ vectors[:, np.argmax(values)])

    sizes = [abs(score(made, now) - score(made[: now + 1], now)) for now in range(30, DAYS - 2)]
    return Leak(feature="component", kind="truncation", first=day(31), size=max(sizes))


@leaky(first_component_moves, daily)
def full_sample_pca(inputs):
    wide = returns_by_date(inputs["bars"])
    made = wide.select(SYMBOLS).to_numpy()
    score = np.full(len(made), np.nan)
    if len(made) > 30:
        vector = np.linalg.svd(made - made.mean(axis=0), full_matrices=False)[2][0]
        score[30:] = np.abs(made[30:] @ vector)
    return wide.select("timestamp", symbol=pl.lit("MARKET"), component=pl.Series(score, dtype=pl.Float64))


def whole_days_at_their_start():
    bars = hourly()["bars"]["close"].to_numpy().reshape(-1, 4)
    return Leak(
        feature="close", kind="truncation", first=START.replace(hour=15), size=np.abs(bars[:, 3] - bars[:, 0]).max()
    )


@leaky(whole_days_at_their_start, hourly)
def resample_labelled_left(inputs):
    days = (
        inputs["bars"].sort("timestamp").group_by_dynamic("timestamp", every="1d", label="datapoint", group_by="symbol")
    )
    return days.agg(close=CLOSE.last())


@leaky(lambda: Leak(feature="eps", kind="truncation", first=day(0), size=inf), figures)
def merge_asof_forward(inputs):
    known = inputs["earnings"].select("symbol", "eps", "available_at")
    joined = asof(inputs["bars"], known, "available_at", strategy="forward")
    return joined.select("timestamp", "symbol", "eps")


@leaky(lambda: Leak(feature="gain", kind="knowledge_time", first=day(1) - 6 * HOUR, size=inf), opening)
def close_of_the_bar_at_its_open(inputs):
    return by_symbol(gain=RETURN)(inputs)


@leaky(lambda: Leak(feature="eps", kind="knowledge_time", first=day(0), size=10.0), figures)
def joined_at_the_period_end_without_publication_lag(inputs):
    figures = inputs["earnings"].select("symbol", "eps", "timestamp").sort("timestamp")
    joined = inputs["bars"].sort("timestamp").join_asof(figures, on="timestamp", by="symbol", check_sortedness=False)
    return joined.select("timestamp", "symbol", "eps")


@leaky(lambda: Leak(feature="eps", kind="knowledge_time", first=day(0), size=0.75), vintages)
def last_vintage_of_every_period(inputs):
    """Joined at the first publication, with the value of the last."""
    latest = (
        inputs["earnings"]
        .sort("available_at")
        .group_by("timestamp", "symbol", maintain_order=True)
        .agg(pl.col("eps").last(), published=pl.col("available_at").first())
        .select("symbol", "eps", "published")
    )
    joined = asof(inputs["bars"], latest, "published")
    return joined.select("timestamp", "symbol", "eps")


def halved_before_each_split():
    column, factors = SYMBOLS.index("BBB"), np.array([4.0] * 18 + [2.0] * 14 + [1.0] * (DAYS - 32))
    prices = CLOSES[:, column]
    unknown = [
        prices[now] / np.where(now < 13, 1, np.where(now < 27, factors[now] / 2 if now >= 18 else 2, factors[now]))
        for now in range(DAYS)
    ]
    gaps = [abs(prices[now] / factors[now] - unknown[now]) for now in range(DAYS)]
    return Leak(feature="adjusted", kind="truncation", first=day(0), size=float(max(gaps)))


@leaky(halved_before_each_split, splits)
def prices_adjusted_for_later_splits(inputs):
    later = inputs["bars"].join(inputs["splits"].select("symbol", "ratio", ex="timestamp"), on="symbol", how="left")
    factor = pl.when(pl.col("ex") > pl.col("timestamp")).then("ratio").otherwise(1.0).product()
    return later.group_by("timestamp", "symbol").agg(adjusted=CLOSE.first() / factor)


@leaky(lambda: Leak(feature="lead", kind="truncation", first=day(0) - 15 * HOUR, size=inf), tokyo)
def joined_by_calendar_date_across_time_zones(inputs):
    """New York's close of a date, given to Tokyo, which closed fifteen hours before."""
    far = inputs["new_york"].select(lead="close", date=pl.col("timestamp").dt.date())
    near = inputs["tokyo"].with_columns(date=pl.col("timestamp").dt.date())
    return near.join(far, on="date", how="left").select("timestamp", "symbol", "lead")


@leaky(lambda: Leak(feature="close", kind="truncation", first=day(0), size=inf), daily)
def universe_of_those_that_rose(inputs):
    risen = inputs["bars"].sort("timestamp").group_by("symbol").agg(up=CLOSE.last() >= CLOSE.first() * 1.02)
    kept = risen.filter("up")["symbol"].to_list()
    return inputs["bars"].filter(pl.col("symbol").is_in(kept)).select("timestamp", "symbol", "close")


@leaky(lambda: Leak(feature="earnings.eps", kind="restatement", first=day(-10), size=0.75))
def restated_fundamentals():
    """The database overwrote first prints with revisions, and kept the dates of the first publication."""
    published = vintages()["earnings"]
    overwritten = figures()["earnings"].with_columns(pl.col("eps") + 0.75)
    return restatements({"earnings": published}, {"earnings": overwritten})


@leaky(lambda: Leak(feature="yield", kind="restatement", first=day(0), size=float((0.75 / CLOSES[:, :]).max())))
def features_of_restated_fundamentals():
    def compute(inputs):
        known = inputs["earnings"].select("symbol", "eps", "available_at")
        joined = asof(inputs["bars"], known, "available_at")
        return joined.select("timestamp", "symbol", **{"yield": pl.col("eps") / CLOSE})

    overwritten = {**figures(), "earnings": figures()["earnings"].with_columns(pl.col("eps") + 0.75)}
    report = restatements({"earnings": figures()["earnings"]}, overwritten, compute=compute)
    return type(report)(report[1:], **vars(report))


@leaky(lambda: Leak(feature="universe", kind="survivorship", first=day(0), size=2 / 6))
def survivor_universe():
    """Only names that are still listed were predicted: FFF and GGG were two of six."""
    return survivorship(membership(), traded(**dict.fromkeys(SYMBOLS[:4], range(DAYS)), EEE=range(12, DAYS)))


@leaky(lambda: Leak(feature="universe", kind="survivorship", first=day(21), size=1 / 6))
def names_dropped_before_they_died():
    """Rows without a full forward window were dropped, and with them the last days of GGG."""
    living = dict.fromkeys(SYMBOLS[:4], range(DAYS))
    return survivorship(membership(), traded(**living, EEE=range(12, DAYS), FFF=range(9), GGG=range(21)))


@leaky(lambda: Leak(feature="universe", kind="unlisted", first=day(0), size=1 / 6))
def back_filled_history_before_listing():
    living = dict.fromkeys(SYMBOLS, range(DAYS))
    return survivorship(membership(), traded(**living, FFF=range(9), GGG=range(31)))


@leaky(lambda: Leak(feature="labels", kind="purge", first=day(26), size=4.0))
def overlapping_labels_without_purge():
    """Five-day labels up to the eve of the test: the last four reach into it, and one more touches it."""
    times = [day(number) for number in range(30)]
    training = pl.DataFrame({"timestamp": times, "label_end": [time + 5 * DAY for time in times]})
    return purge(training.filter(pl.col("timestamp") != day(25)), pl.DataFrame({"start": [day(30)], "end": [day(40)]}))


@leaky(lambda: Leak(feature="3", kind="embargo", first=day(36), size=4.0))
def cross_validation_without_embargo():
    """Purged folds, of which the third one trains from the day after its test window."""
    width = 9
    training, tests = [], []
    for fold in range(5):
        opens, closes = fold * width, (fold + 1) * width - 1
        delay = 6 if fold != 3 else 1
        training += [(str(fold), day(t), day(t)) for t in range(DAYS) if t < opens or t >= closes + delay]
        tests.append((str(fold), day(opens), day(closes), 5 * DAY))
    return purge(
        pl.DataFrame(training, schema=["fold", "timestamp", "label_end"], orient="row"),
        pl.DataFrame(tests, schema=["fold", "start", "end", "embargo"], orient="row"),
    )


@leaky(
    lambda: Leak(
        feature="momentum",
        kind="skew",
        first=day(30),
        size=float(np.abs(CLOSES[30:] / CLOSES[25:-5] - CLOSES[30:] / CLOSES[20:-10]).max()),
    )
)
def live_service_with_another_window():
    """From the thirtieth day a release of the live service looks five days back instead of ten."""
    research = by_symbol(momentum=CLOSE / CLOSE.shift(10))(daily())
    other = by_symbol(momentum=CLOSE / CLOSE.shift(5))(daily())
    live = pl.concat([research.filter(pl.col("timestamp") < day(30)), other.filter(pl.col("timestamp") >= day(30))])
    return skew(live, research)


@leaky(lambda: Leak(feature="rows", kind="missing", first=day(3), size=inf))
def live_service_that_was_down():
    research = by_symbol(close=CLOSE)(daily())
    return skew(research.filter(~pl.col("timestamp").is_between(day(3), day(4))), research)


@leaky(lambda: Leak(feature="quote", kind="skew", first=day(np.flatnonzero(~IS_QUOTED.all(axis=1))[0]), size=inf))
def live_service_that_fills_gaps_with_zero():
    research = by_symbol(quote=pl.col("quote"))(daily())
    return skew(research.with_columns(pl.col("quote").fill_null(0.0)), research)


@leaky(lambda: Leak(feature="close", kind="missing", first=day(0), size=inf))
def feature_that_was_never_logged():
    research = by_symbol(close=CLOSE, volume=pl.col("volume"))(daily())
    return skew(research.drop("close"), research)


@leaky(lambda: Leak(feature="vote", kind="perturbation", first=day(0), size=1.0), daily)
def peeks_only_where_the_data_go_on(inputs):
    """A crash tomorrow, false where there is no tomorrow: truncated data look innocent, as no crash ever came."""
    tomorrow = CLOSE.shift(-1) < 0.8 * CLOSE
    return by_symbol(vote=tomorrow.fill_null(value=False))(inputs)
