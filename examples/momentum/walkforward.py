"""Out-of-sample predictions by yearly refits, and what a portfolio on them would have earned.

Each year is predicted by a model that was fitted on the years before it, less a purge of the label's horizon and an
embargo. Costs are charged on every trade.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from momentum.models import Book, Configuration, fit, predict

Floats = NDArray[np.float64]
HORIZON: Final = 5
EMBARGO: Final = 5
COST_BPS: Final = 5.0
TARGET_VOLATILITY: Final = 0.12
VOLATILITY_SESSIONS: Final = 63
HELD: Final = 7
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2018
TRAIN_EVERY: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Dates by symbols: features (T, N, K), closes and labels (T, N). The label at t is known at t + HORIZON."""

    dates: NDArray[np.datetime64]
    timestamps: pl.Series
    symbols: tuple[str, ...]
    names: tuple[str, ...]
    features: Floats
    closes: Floats
    label: Floats
    benchmark: Floats

    @property
    def returns(self) -> Floats:
        """Simple daily returns; the first row is zero."""
        change = self.closes[1:] / self.closes[:-1] - 1.0
        return np.vstack([np.zeros((1, self.closes.shape[1])), change])

    def stamps(self, rows: NDArray[np.int_]) -> pl.Series:
        """The timestamps of these rows, once a symbol."""
        return self.timestamps.gather(np.repeat(rows, len(self.symbols)))

    def columns(self, names: tuple[str, ...]) -> list[int]:
        position = {name: k for k, name in enumerate(self.names)}
        return [position[name] for name in names]


def panel(features: pl.DataFrame, prices: pl.DataFrame, index: pl.DataFrame) -> Panel:
    """Line features and prices up."""
    names = tuple(c for c in features.columns if c not in {"timestamp", "symbol"})
    symbols = tuple(sorted(prices["symbol"].unique().to_list()))
    wide = prices.pivot(on="symbol", index="timestamp", values="close").sort("timestamp").select("timestamp", *symbols)
    closes = wide.select(symbols).to_numpy()
    cube = features.sort("timestamp", "symbol").select(names).to_numpy().reshape(len(wide), len(symbols), len(names))
    ahead = np.full_like(closes, np.nan)
    ahead[:-HORIZON] = closes[HORIZON:] / closes[:-HORIZON] - 1.0
    label = ahead - ahead.mean(axis=1, keepdims=True)
    market = index.sort("timestamp")["close"].to_numpy()
    benchmark = np.concatenate([[0.0], market[1:] / market[:-1] - 1.0])
    return Panel(
        dates=wide["timestamp"].dt.date().to_numpy().astype("datetime64[D]"),
        timestamps=wide["timestamp"],
        symbols=symbols,
        names=names,
        features=np.ascontiguousarray(cube, dtype=np.float64),
        closes=closes,
        label=label,
        benchmark=benchmark,
    )


def training_rows(data: Panel, configuration: Configuration, before: date) -> NDArray[np.int_]:
    """Rows whose labels were known, with the embargo, before the first predicted day."""
    first_test = int(np.searchsorted(data.dates, np.datetime64(before)))
    last = first_test - HORIZON - EMBARGO
    first = int(np.searchsorted(data.dates, np.datetime64(date(before.year - configuration.training_years, 1, 1))))
    return np.arange(max(first, 1), last, TRAIN_EVERY)


def fit_before(data: Panel, configuration: Configuration, before: date) -> lgb.Booster:
    """A model that knows nothing of `before` or later."""
    rows, columns = training_rows(data, configuration, before), data.columns(configuration.features)
    x = data.features[rows][:, :, columns].reshape(-1, len(columns))
    y = data.label[rows].reshape(-1)
    return fit(configuration, x, y)


def predict_rows(model: lgb.Booster, data: Panel, configuration: Configuration, rows: NDArray[np.int_]) -> Floats:
    """Scores for these rows: (rows, symbols)."""
    columns = data.columns(configuration.features)
    x = data.features[rows][:, :, columns].reshape(-1, len(columns))
    return predict(model, x).reshape(rows.size, len(data.symbols))


def out_of_sample(data: Panel, configuration: Configuration) -> Floats:
    """Scores (T, N) for FIRST_YEAR to LAST_YEAR, NaN elsewhere."""
    scores = np.full(data.closes.shape, np.nan)
    years = data.dates.astype("datetime64[Y]").astype(int) + 1970
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        model = fit_before(data, configuration, date(year, 1, 1))
        rows = np.flatnonzero(years == year)
        scores[rows] = predict_rows(model, data, configuration, rows)
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A portfolio's days: returns net of costs, turnover, cost, and the weights held into each day's close."""

    rows: NDArray[np.int_]
    returns: Floats
    turnover: Floats
    cost: Floats
    weights: Floats


def track(data: Panel, configuration: Configuration, scores: Floats) -> Track:
    """Trade on the scores of each rebalancing close; a day's return is earned by what was held at the close before."""
    rows = np.flatnonzero(~np.isnan(scores).any(axis=1))
    returns, n = data.returns, len(data.symbols)
    held = np.zeros(n)
    net, turnover, cost = (np.zeros(rows.size) for _ in range(3))
    kept = np.zeros((rows.size, n))
    for k, row in enumerate(rows):
        gross = float(held @ returns[row])
        held = held * (1.0 + returns[row]) / (1.0 + gross)
        if k % configuration.holding_sessions == 0:
            past = returns[max(0, row - VOLATILITY_SESSIONS) : row + 1]
            wanted = weights(configuration.book, scores[row], past)
            turnover[k] = float(np.abs(wanted - held).sum())
            held = wanted
        cost[k] = turnover[k] * COST_BPS / 10_000
        net[k] = gross - cost[k]
        kept[k] = held
    return Track(rows=rows, returns=net, turnover=turnover, cost=cost, weights=kept)


def weights(book: Book, scores: Floats, past: Floats) -> Floats:
    """Long-only: the best seven, equally, scaled down to the volatility target. Long-short: by rank, gross of one."""
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable").astype(np.float64)
    if book is Book.LONG_SHORT:
        raw = order - order.mean()
        return np.asarray(raw / np.abs(raw).sum(), dtype=np.float64)
    raw = np.where(order >= scores.size - HELD, 1.0 / HELD, 0.0)
    volatility = float(np.std(past @ raw) * np.sqrt(252))
    scale = min(1.0, TARGET_VOLATILITY / volatility) if volatility > 0 else 1.0
    return np.asarray(raw * scale, dtype=np.float64)
