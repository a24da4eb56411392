"""The backtest's returns, where there is something in them to judge."""

import numpy as np

from signoff.domain.evidence import Evidence, Floats
from signoff.domain.gates.verdict import Lack
from signoff.stats.sample import is_constant


def track_record(evidence: Evidence) -> Floats | Lack:
    """The daily returns, or why they say nothing: a model whose returns never vary was not run."""
    returns = evidence.backtest.returns
    if returns.size == 0:
        return Lack("The file `backtest` holds no returns; run the backtest and add its daily returns.")
    if np.isfinite(returns).all() and is_constant(returns):  # a broken value is for the statistic to refuse
        return Lack(
            f"All {returns.size:,} returns of the file `backtest` are equal ({returns[0]:g}), which no traded model "
            "produces; check how the file was made."
        )
    return returns
