"""A small market: daily bars of five symbols, hourly bars, quarterly figures with revisions, splits, a universe.

Its prices also stand in `CLOSES`, days by symbols, from which `hindsight` works out what a replay must find.
"""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

DAYS = 45
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
START = datetime(2024, 1, 1, 21, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SECTORS = {"AAA": "bank", "BBB": "bank", "CCC": "oil", "DDD": "oil", "EEE": "oil"}

_RNG = np.random.default_rng(2024)
_RETURNS = 0.01 * _RNG.normal(size=(DAYS, 1)) + 0.015 * _RNG.normal(size=(DAYS, len(SYMBOLS)))
CLOSES = 100 * np.exp(np.cumsum(_RETURNS, axis=0))
IS_QUOTED = _RNG.uniform(size=CLOSES.shape) > 0.3
VOLUMES = _RNG.integers(1_000, 9_000, CLOSES.shape)
CLOSE = pl.col("close")


def day(number):
    return START + int(number) * DAY


@cache
def daily():
    """Bars of a day, stamped and known at its close; `quote` is the close with holes."""
    frame = pl.DataFrame(
        {
            "timestamp": [day(number) for number in range(DAYS) for _ in SYMBOLS],
            "symbol": list(SYMBOLS) * DAYS,
            "close": CLOSES.ravel(),
            "volume": VOLUMES.ravel(),
            "is_quoted": IS_QUOTED.ravel(),
        }
    )
    return {"bars": frame.with_columns(quote=pl.when("is_quoted").then("close"))}


@cache
def opening():
    """Bars of a day, stamped at its open and known at its close."""
    bars = daily()["bars"]
    return {"bars": bars.with_columns(timestamp=pl.col("timestamp") - 6 * HOUR, available_at="timestamp")}


@cache
def hourly():
    """Four bars a day of one symbol, stamped and known at the end of their hour."""
    days, hours = 12, (15, 16, 17, 18)
    stamps = [START.replace(hour=hour) + number * DAY for number in range(days) for hour in hours]
    rng = np.random.default_rng(7)
    closes = 50 + np.cumsum(rng.normal(0, 0.3, len(stamps)))
    return {"bars": pl.DataFrame({"timestamp": stamps, "symbol": "AAA", "close": closes})}


@cache
def figures():
    """Bars, and earnings of periods that end every ten days from before the first bar, published six days later."""
    rows = [
        (day(10 * period - 10), symbol, float(10 * period + place), day(10 * period - 4))
        for period in range(5)
        for place, symbol in enumerate(SYMBOLS)
    ]
    frame = pl.DataFrame(rows, schema=["timestamp", "symbol", "eps", "available_at"], orient="row")
    return {**daily(), "earnings": frame}


@cache
def vintages():
    """Bars, and two publications of every period: the first after six days, a revision, 0.75 higher, after thirteen."""
    first = figures()["earnings"]
    revised = first.with_columns(pl.col("eps") + 0.75, pl.col("available_at") + 7 * DAY)
    return {**daily(), "earnings": pl.concat([first, revised])}


@cache
def splits():
    """Bars, and two-for-one splits of one symbol, each announced five days ahead."""
    days = (18, 32)
    frame = pl.DataFrame({"timestamp": [day(number) for number in days], "symbol": "BBB", "ratio": 2.0}).with_columns(
        available_at=pl.col("timestamp") - 5 * DAY
    )
    return {**daily(), "splits": frame}


@cache
def tokyo():
    """Two markets of one date: Tokyo closes fifteen hours before New York."""
    new_york = daily()["bars"].select("timestamp", "symbol", "close")
    early = new_york.with_columns(timestamp=pl.col("timestamp") - 15 * HOUR, symbol=pl.lit("T") + pl.col("symbol"))
    return {"tokyo": early, "new_york": new_york.filter(pl.col("symbol") == "AAA").drop("symbol")}


def membership():
    """A universe in which two names died and one came late."""
    return pl.DataFrame(
        {
            "symbol": [*SYMBOLS, "FFF", "GGG"],
            "listed_from": [day(0), day(0), day(0), day(0), day(12), day(0), day(0)],
            "listed_until": [None, None, None, None, None, day(8), day(30)],
        }
    )


def traded(**symbols):
    """Predictions: the days of each symbol."""
    rows = [(day(number), symbol) for symbol, days in symbols.items() for number in days]
    return pl.DataFrame(rows, schema=["timestamp", "symbol"], orient="row").sort("timestamp", "symbol")


def by_symbol(bars="bars", **columns):
    """A feature function whose columns are expressions of one symbol's rows."""

    def compute(inputs):
        frame = inputs[bars].sort("symbol", "timestamp")
        return frame.select("timestamp", "symbol", **{name: made.over("symbol") for name, made in columns.items()})

    return compute


def per_symbol(function, name):
    """A feature function from one of a symbol's closes as an array."""

    def compute(inputs):
        frame = inputs["bars"].sort("symbol", "timestamp")
        parts = [
            part.select("timestamp", "symbol", pl.Series(name, function(part["close"].to_numpy())))
            for part in frame.partition_by("symbol", maintain_order=True)
        ]
        return pl.concat(parts)

    return compute


def asof(bars, figures, at, strategy="backward"):
    """Bars with the figures whose time `at` is the nearest on one side of theirs, symbol by symbol."""
    options = {"by": "symbol", "strategy": strategy, "check_sortedness": False}
    figures = figures.sort(at, maintain_order=True)
    return bars.sort("timestamp").join_asof(figures, left_on="timestamp", right_on=at, **options)


def returns_by_date(bars):
    """Log returns, a row for each date on which every symbol has one."""
    made = bars.sort("timestamp").with_columns(ret=CLOSE.log().diff().over("symbol"))
    return made.pivot(on="symbol", index="timestamp", values="ret").drop_nulls()


def warm(values, days):
    """Values from the given day on; NaN before."""
    values = np.asarray(values, dtype=float).copy()
    values[:days] = np.nan
    return values


def hindsight(function, *panels):
    """First day and largest size by which a function of one symbol's arrays depends on later rows.

    It is computed again from every day's past alone; the last day has no later rows.
    """
    panels = panels or (CLOSES,)
    first, size = None, 0.0
    for column in range(panels[0].shape[1]):
        arrays = [panel[:, column] for panel in panels]
        whole = function(*arrays)
        for now in range(len(whole) - 1):
            then = function(*(array[: now + 1] for array in arrays))[now]
            if np.isnan(whole[now]) and np.isnan(then):
                continue
            gap = abs(whole[now] - then)
            gap = np.inf if np.isnan(gap) else gap
            if gap > 1e-9 * max(abs(whole[now]), abs(then)):
                first = now if first is None else min(first, now)
                size = max(size, gap)
    return day(first), float(size)
