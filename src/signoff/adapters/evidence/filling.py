"""Leaving out rows of the evidence that no market made, from every table that is held against them row by row."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Evidence, Floats, Returns
from signoff.domain.filled import filled


def left_out(evidence: Evidence) -> Evidence:
    """The evidence without filled rows; the trials lose those of the backtest, since they are compared row by row."""
    rows = filled(evidence.backtest.dates, evidence.backtest.returns).rows
    trials = evidence.trials
    if trials is not None and rows.any():
        trials = replace(trials, dates=trials.dates[~rows], returns=np.ascontiguousarray(trials.returns[~rows]))
    return replace(
        evidence,
        backtest=_without(evidence.backtest),
        trials=trials,
        backtest_previous=None if evidence.backtest_previous is None else _without(evidence.backtest_previous),
        paper_returns=None if evidence.paper_returns is None else _without(evidence.paper_returns),
        stress=None if evidence.stress is None else _without(evidence.stress),
    )


def _without(returns: Returns) -> Returns:
    found = filled(returns.dates, returns.returns)
    if not found.rows.any():
        return returns
    keep = ~found.rows
    return replace(
        returns,
        dates=returns.dates[keep],
        returns=returns.returns[keep],
        benchmark=_kept(returns.benchmark, keep),
        turnover=_kept(returns.turnover, keep),
        cost=_kept(returns.cost, keep),
        left_out=tuple(f"{returns.source.name}: {note}" for note in found.notes),
    )


def _kept(values: Floats | None, keep: NDArray[np.bool_]) -> Floats | None:
    return None if values is None else values[keep]
