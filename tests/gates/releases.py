"""Evidence made by hand: each part of a release from the numbers that a test cares about."""

from datetime import datetime, timedelta

import numpy as np

from signoff.domain.evidence import AssetReturns, PaperLog, Positions, Predictions, Returns, Source, Trials


def source(name):
    return Source(name=name, sha256="0" * 64, size=1, rows=1)


def weekdays(start, count):
    return np.busday_offset(np.datetime64(start, "D"), np.arange(count), roll="forward")


def backtest(returns, *, start="2012-01-02", name="backtest.parquet", benchmark=None):
    values = np.asarray(returns, dtype=np.float64)
    return Returns(source=source(name), dates=weekdays(start, values.size), returns=values, benchmark=benchmark)


def trials(returns, *, start="2012-01-02"):
    values = np.asarray(returns, dtype=np.float64)
    return Trials(
        source=source("trials.parquet"),
        dates=weekdays(start, values.shape[0]),
        names=tuple(f"run-{column}" for column in range(values.shape[1])),
        returns=values,
    )


def predictions(prediction, realized):
    said = np.asarray(prediction, dtype=np.float64)
    return Predictions(
        source=source("predictions.parquet"),
        timestamps=weekdays("2012-01-02", said.size).astype("datetime64[us]"),
        symbols=np.full(said.size, "AAA"),
        prediction=said,
        realized=np.asarray(realized, dtype=np.float64),
    )


def paper_log(rows, said=None, **bars):
    """From tuples (timestamp, symbol, latency_ms, is_error, side, quantity, decision_price, fill_price)."""
    when, symbol, latency, error, side, quantity, decision, fill = zip(*rows, strict=True)
    return PaperLog(
        source=source("paper.csv"),
        timestamps=np.array(when, dtype="datetime64[us]"),
        symbols=np.array(symbol, dtype=np.str_),
        prediction=np.linspace(0.1, 0.2, len(rows)) if said is None else np.array(said, dtype=np.float64),
        latency_ms=np.array(latency, dtype=np.float64),
        is_error=np.array(error, dtype=np.bool_),
        side=np.array(side, dtype=np.str_),
        quantity=np.array(quantity, dtype=np.float64),
        decision_price=np.array(decision, dtype=np.float64),
        fill_price=np.array(fill, dtype=np.float64),
        **{name: np.array(values, dtype=np.float64) for name, values in bars.items()},
    )


OPEN = datetime(2018, 3, 1, 14, 30)  # noqa: DTZ001 - UTC by the record's promise


def paper_row(
    day=0, symbol="AAA", latency=10.0, *, error=False, side="buy", quantity=100.0, decision=100.0, fill=100.0
):
    price = decision + day * 0.5
    return (OPEN + timedelta(days=day), symbol, latency, error, side, quantity, price, fill + day * 0.5)


def good_predictions(rng, size=4000, accuracy=0.56):
    realized = rng.normal(0, 0.02, size)
    is_right = rng.random(size) < accuracy
    return predictions(np.where(is_right, 1, -1) * np.sign(realized), realized)


def positions(rows):
    """From tuples (date, symbol, weight)."""
    days, symbols, weights = zip(*rows, strict=True)
    return Positions(
        source=source("positions.parquet"),
        dates=np.array(days, dtype="datetime64[D]"),
        symbols=np.array(symbols, dtype=np.str_),
        weight=np.array(weights, dtype=np.float64),
    )


def asset_returns(rows):
    """From tuples (date, symbol, return)."""
    days, symbols, returns = zip(*rows, strict=True)
    return AssetReturns(
        source=source("asset_returns.parquet"),
        dates=np.array(days, dtype="datetime64[D]"),
        symbols=np.array(symbols, dtype=np.str_),
        returns=np.array(returns, dtype=np.float64),
    )
