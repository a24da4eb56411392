"""Evidence made by hand: each part of a release from the numbers that a test cares about."""

import numpy as np

from signoff.domain.evidence import PaperLog, Predictions, Returns, Source, Trials


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


def paper_log(rows):
    """From tuples (timestamp, symbol, latency_ms, is_error, side, quantity, decision_price, fill_price)."""
    when, symbol, latency, error, side, quantity, decision, fill = zip(*rows, strict=True)
    return PaperLog(
        source=source("paper.csv"),
        timestamps=np.array(when, dtype="datetime64[us]"),
        symbols=np.array(symbol, dtype=np.str_),
        prediction=np.full(len(rows), 0.1),
        latency_ms=np.array(latency, dtype=np.float64),
        is_error=np.array(error, dtype=np.bool_),
        side=np.array(side, dtype=np.str_),
        quantity=np.array(quantity, dtype=np.float64),
        decision_price=np.array(decision, dtype=np.float64),
        fill_price=np.array(fill, dtype=np.float64),
    )


def good_predictions(rng, size=4000, accuracy=0.56):
    realized = rng.normal(0, 0.02, size)
    is_right = rng.random(size) < accuracy
    return predictions(np.where(is_right, 1, -1) * np.sign(realized), realized)
