"""A live release judged from what its trading process journaled: returns, operation, drift, and the data themselves."""

from signoff.domain.assumptions import holds
from signoff.domain.monitoring.drift import Drift, Reference
from signoff.domain.monitoring.judge import explain, interim, observe, still_open
from signoff.domain.monitoring.measurement import Baseline, DailyReturns, Features, Measurement, Predictions
from signoff.domain.monitoring.operational import MIN_PREDICTIONS
from signoff.domain.monitoring.readings import Level
from signoff.domain.monitoring.returns import (
    BETA_SESSIONS,
    VAR_SESSIONS,
    Track,
    VarException,
    rolling_sharpe,
    var_exception,
)

__all__ = [
    "BETA_SESSIONS",
    "MIN_PREDICTIONS",
    "VAR_SESSIONS",
    "Baseline",
    "DailyReturns",
    "Drift",
    "Features",
    "Level",
    "Measurement",
    "Predictions",
    "Reference",
    "Track",
    "VarException",
    "explain",
    "holds",
    "interim",
    "observe",
    "rolling_sharpe",
    "still_open",
    "var_exception",
]
