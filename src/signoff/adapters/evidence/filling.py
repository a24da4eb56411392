"""Drops filled rows, which no market made, from the evidence and from every table compared with it row by row."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Evidence, Floats, Returns, Trials
from signoff.domain.filled import Filled, filled


def left_out(evidence: Evidence) -> Evidence:
    """The evidence without filled rows; the trials lose the backtest's, since both are compared row by row."""
    filled_rows = filled(evidence.backtest.dates, evidence.backtest.returns)
    return replace(
        evidence,
        backtest=without_rows(evidence.backtest, filled_rows),
        trials=trials_without(evidence.trials, filled_rows),
        backtest_previous=None if evidence.backtest_previous is None else _without(evidence.backtest_previous),
        paper_returns=None if evidence.paper_returns is None else _without(evidence.paper_returns),
        stress=None if evidence.stress is None else _without(evidence.stress),
    )


def without_rows(returns: Returns, filled_rows: Filled) -> Returns:
    """A table without its filled rows, which it then names."""
    if not filled_rows.rows.any():
        return returns
    keep = ~filled_rows.rows
    return replace(
        returns,
        dates=returns.dates[keep],
        returns=returns.returns[keep],
        benchmark=_kept(returns.benchmark, keep),
        turnover=_kept(returns.turnover, keep),
        cost=_kept(returns.cost, keep),
        left_out=(*returns.left_out, *(f"{returns.source.name}: {note}" for note in filled_rows.notes)),
    )


def trials_without(trials: Trials | None, filled_rows: Filled) -> Trials | None:
    """The trials without the rows that their backtest lost."""
    if trials is None or not filled_rows.rows.any():
        return trials
    keep = ~filled_rows.rows
    return replace(trials, dates=trials.dates[keep], returns=np.ascontiguousarray(trials.returns[keep]))


def _without(returns: Returns) -> Returns:
    return without_rows(returns, filled(returns.dates, returns.returns))


def _kept(values: Floats | None, keep: NDArray[np.bool_]) -> Floats | None:
    return None if values is None else values[keep]
