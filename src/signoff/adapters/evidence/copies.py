"""Refuses columns that repeat another: realised returns equal to predictions, a benchmark equal to the backtest.

A column agrees perfectly with its own copy, and no statistic can tell that from skill.
"""

from pathlib import Path
from typing import Final

import numpy as np

from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence, Floats, Predictions, Returns

FEWEST: Final = 10
SHARE: Final = 0.99
MANY: Final = 100_000
"""The most predictions to compare, evenly spaced; a copy shows on every row."""
WITHIN: Final = 1e-9


def refuse_copies(folder: Path, evidence: Evidence) -> None:
    """Refuse columns that repeat another one, and name both."""
    for predictions in (evidence.predictions, evidence.predictions_previous):
        if predictions is not None:
            _refuse_realized(folder, predictions)
    backtest, previous = evidence.backtest, evidence.backtest_previous
    if backtest.benchmark is not None and _equal(backtest.returns, backtest.benchmark):
        raise BadInputError(
            f"{folder / backtest.source.name}: expected a benchmark of its own, found column benchmark equal to column "
            f"return on at least {SHARE:.0%} of the dates. Give the benchmark's returns, or leave the column out. "
            "Nothing was written."
        )
    if previous is not None and _equal(*_on_shared(backtest, previous)):
        raise BadInputError(
            f"{folder / previous.source.name}: expected the returns of the previous version, found those of "
            f"{backtest.source.name} on at least {SHARE:.0%} of the shared dates. Give the previous version's own run, "
            "or leave the file out. Nothing was written."
        )


def _refuse_realized(folder: Path, predictions: Predictions) -> None:
    step = max(1, predictions.prediction.size // MANY)
    predicted, came = predictions.prediction[::step], predictions.realized[::step]
    moved = predicted != 0
    if moved.sum() < FEWEST:
        return
    ratio = came[moved] / predicted[moved]
    multiple = float(np.median(ratio))
    if multiple == 0 or not np.ptp(predicted[moved]) > 0:
        return
    if float(np.mean(np.abs(ratio - multiple) <= 1e-6 * abs(multiple))) >= SHARE:
        times = "" if abs(multiple - 1) <= WITHIN else f" times {multiple:.4g}".replace("-", "−")
        raise BadInputError(
            f"{folder / predictions.source.name}: expected in column realized what happened after each prediction, "
            f"found column prediction{times}. Give the returns that came, as fractions. Nothing was written."
        )


def _on_shared(one: Returns, other: Returns) -> tuple[Floats, Floats]:
    _, mine, others = np.intersect1d(one.dates, other.dates, return_indices=True)
    return one.returns[mine], other.returns[others]


def _equal(one: Floats, other: Floats) -> bool:
    return bool(one.size >= FEWEST and np.ptp(one) > 0 and np.mean(np.abs(one - other) <= WITHIN) >= SHARE)
