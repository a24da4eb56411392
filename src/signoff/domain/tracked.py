"""What monitoring reads of a live release every session: each reading by its key, and in words.

The memo prints this table, so that it names no figure that nobody measures.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """The rows of section 4.2; the last two are beside the template's."""

    PERFORMANCE = "Performance"
    PREDICTIONS = "Predictions"
    DRIFT = "Drift"
    OPERATIONS = "Operations"
    RISK = "Risk"
    CHAMPION = "Against the champion"
    DATA = "Data"


@dataclass(frozen=True, slots=True)
class Tracked:
    """One reading; `{window}` in its words stands for the sessions of the policy's Sharpe trigger."""

    key: str
    group: Group
    words: str


TRACKED: Final = (
    Tracked("rolling_sharpe_7d", Group.PERFORMANCE, "rolling Sharpe (7d)"),
    Tracked("rolling_sharpe_30d", Group.PERFORMANCE, "rolling Sharpe ({window}d)"),
    Tracked("sharpe_days_below", Group.PERFORMANCE, "sessions below the trigger's floor"),
    Tracked("daily_return", Group.PERFORMANCE, "daily return"),
    Tracked("predictions", Group.PREDICTIONS, "number"),
    Tracked("universe_size", Group.PREDICTIONS, "symbols"),
    Tracked("symbols_new", Group.PREDICTIONS, "new symbols"),
    Tracked("symbols_lost", Group.PREDICTIONS, "lost symbols"),
    Tracked("prediction_gaps", Group.PREDICTIONS, "predictions that are not a number"),
    Tracked("predictions_alike", Group.PREDICTIONS, "predictions more alike than is usual"),
    Tracked("predictions_frozen", Group.PREDICTIONS, "frozen predictions"),
    Tracked("predictions_out_of_range", Group.PREDICTIONS, "predictions outside the usual range, once that is known"),
    Tracked("psi_max", Group.DRIFT, "largest PSI of the watched features"),
    Tracked("missing_features", Group.DRIFT, "lost features"),
    Tracked("feature_gaps", Group.DRIFT, "features with more gaps than in training"),
    Tracked("features_out_of_range", Group.DRIFT, "features outside the training range"),
    Tracked("features_jumped", Group.DRIFT, "features that jumped"),
    Tracked("features_frozen", Group.DRIFT, "frozen features"),
    Tracked("reference_changed", Group.DRIFT, "changes to the training data's file"),
    Tracked("latency_p95_ms", Group.OPERATIONS, "latency p95"),
    Tracked("error_rate_pct", Group.OPERATIONS, "error rate"),
    Tracked("error_gaps", Group.OPERATIONS, "predictions without an error flag"),
    Tracked("var_exceptions", Group.RISK, "VaR exceptions"),
    Tracked("var_exceptions_attributed", Group.RISK, "VaR exceptions attributed to the model"),
    Tracked("gross_exposure_pct", Group.RISK, "gross exposure"),
    Tracked("index_vol_30d_pct", Group.RISK, "volatility of the benchmark (30d)"),
    Tracked("less_champion_bps", Group.CHAMPION, "mean daily difference with its 95% confidence sequence"),
    Tracked("missing_returns", Group.DATA, "missing returns"),
    Tracked("returns_implausible", Group.DATA, "returns too large for one session"),
    Tracked("future_rows", Group.DATA, "rows dated in the future"),
    Tracked("duplicate_rows", Group.DATA, "duplicate rows"),
    Tracked("unordered_rows", Group.DATA, "rows out of order"),
)


def tracked(*, has_champion: bool) -> tuple[Tracked, ...]:
    """What is read of a release; against the champion only where there is one."""
    return tuple(each for each in TRACKED if has_champion or each.group is not Group.CHAMPION)
