"""Monitoring of a live release from its trading process's journal: returns, operation, drift, and data quality.

The modules that judge by the table of metrics load on first use, since the table imports this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from signoff.domain.events import Level
from signoff.domain.monitoring.drift import TrainingFeature
from signoff.domain.monitoring.measurement import Baseline, DailyReturns, Features, Measurement, SessionPredictions
from signoff.domain.monitoring.returns import Track, rolling_sharpe, var_exception

if TYPE_CHECKING:
    from signoff.domain.assumptions import holds
    from signoff.domain.monitoring.judge import explain, interim, observe, still_open

__all__ = [
    "Baseline",
    "DailyReturns",
    "Features",
    "Level",
    "Measurement",
    "SessionPredictions",
    "Track",
    "TrainingFeature",
    "explain",
    "holds",
    "interim",
    "observe",
    "rolling_sharpe",
    "still_open",
    "var_exception",
]
_LATE: Final = frozenset({"explain", "holds", "interim", "observe", "still_open"})


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("signoff.domain.monitoring.judge"), name)
