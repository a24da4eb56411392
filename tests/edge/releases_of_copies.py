"""Evidence of few columns, for what compares one column with another."""

import numpy as np

from signoff.domain.evidence import Evidence, Predictions, Returns, Source


def evidence_of(returns, *, benchmark=None, previous=None, prediction=None, realized=None):
    def source(name):
        return Source(name=name, sha256="0" * 64, size=1, rows=1)

    def dates(count):
        return np.busday_offset(np.datetime64("2012-01-02", "D"), np.arange(count), roll="forward")

    said = None
    if prediction is not None:
        said = Predictions(
            source=source("predictions.csv"),
            timestamps=dates(prediction.size).astype("datetime64[us]"),
            symbols=np.full(prediction.size, "AAA"),
            prediction=prediction,
            realized=realized,
        )
    older = None
    if previous is not None:
        older = Returns(source=source("backtest_previous.csv"), dates=dates(previous.size), returns=previous)
    own = Returns(source=source("backtest.csv"), dates=dates(returns.size), returns=returns, benchmark=benchmark)
    return Evidence(backtest=own, backtest_previous=older, predictions=said)
