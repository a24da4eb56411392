"""Walk-forward consistency: the share of windows of the out-of-sample backtest that made money."""

from math import ceil
from typing import Final

from signoff.domain.charts import BarChart
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.track import track_record, windowed
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded, has_and_needs
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.domain.sampling import Sampling
from signoff.stats.walk_forward import (
    FirstWindows,
    WalkForwardConsistency,
    first_windows,
    walk_forward_consistency,
    windows,
)

MIN_WINDOWS: Final = 10


WALK_FORWARD: Final = GateDefinition(
    key="walk_forward",
    title="Walk-Forward Consistency",
    asks="How many windows out of sample made money?",
    formula="The share of consecutive windows whose compounded return is above 0, with 10 windows at least.",
    paper="none; Pardo (2008), The evaluation and optimization of trading strategies, describes the practice",
    needs="the returns: ten whole windows at least",
    names=r"walk[\s-]?forward",
    shown=(
        ("windows", "{} windows"),
        ("positive_windows", "{} positive"),
        ("lowest", "lowest {} by the first day"),
        ("highest", "highest {}"),
    ),
    is_of_record=True,
)


def walk_forward(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The share of non-overlapping windows whose compounded return is above zero."""
    gate, time = policy.gates.walk_forward, evidence.backtest.time
    rows = time.rows(gate.window_sessions)
    length = windowed(gate.window_sessions, rows, time)
    rule = Rule(
        key=WALK_FORWARD.key,
        title=WALK_FORWARD.title,
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.PERCENT,
        digits=1,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"non-overlapping windows of {length} from the first on, the last partial one dropped",
    )

    def measure() -> GateMeasurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        if (complete := returns.size // rows) < MIN_WINDOWS:
            return Lack(
                f"The backtest fills {complete} windows of {length}; {MIN_WINDOWS} are needed.",
                has_and_needs("walk_forward", "windows", complete, MIN_WINDOWS),
            )
        result = walk_forward_consistency(
            [returns[window] for window in windows(returns.size, rows)], periods=time.rows_a_year, rate=time.row_rate
        )
        dropped = returns.size - result.n * rows
        begun = first_windows(returns, rows)
        return GateMeasurement(
            value=result.consistency,
            n=result.n,
            source=evidence.backtest.source.name,
            convention=result.convention,
            explanation=f"{result.positive} of {result.n} windows of {length} gained"
            + (f"; the last {time.counted(dropped)} fill no window. " if dropped else ". ")
            + _by_the_first_day(begun, result.consistency, gate.threshold, time),
            figures=(
                count("gates.walk_forward.windows", result.n),
                count("gates.walk_forward.positive_windows", result.positive),
                count("gates.walk_forward.sessions_dropped", dropped),
                percent("gates.walk_forward.lowest", begun.lowest, n=rows),
                percent("gates.walk_forward.highest", begun.highest, n=rows),
                percent("gates.walk_forward.first_days_that_reach", begun.at_least(gate.threshold) / rows, n=rows),
                Quantity(name="gates.walk_forward.mean_sharpe", value=result.mean_sharpe, n=result.n),
            ),
            turning_point=_turning_point(result, gate.threshold),
            charts=(
                BarChart(
                    "walk_forward",
                    f"Return of each of {result.n} windows of {length}, at its last {time.unit}; "
                    f"{result.positive} gained.",
                    evidence.backtest.dates[rows - 1 :: rows],
                    100 * result.window_returns,
                    "return %",
                ),
            ),
        )

    return guarded(rule, measure)


def _by_the_first_day(begun: FirstWindows, handed_in: float, threshold: float, time: Sampling) -> str:
    """How much the figure depends on the first day of the file."""
    n, reaching = begun.shares.size, begun.at_least(threshold)
    if n == 1:
        return ""
    low, high = (number(share, Unit.PERCENT, 1) for share in (begun.lowest, begun.highest))
    text = f"Over all {time.counted(n)} that the first window may begin on it ranges from {low}% to {high}%; "
    text += f"{reaching} of {n} reach the threshold."
    is_minority = reaching < n - reaching if handed_in >= threshold else reaching > n - reaching
    return f"{text} The verdict rests on the {time.unit} that the file begins on." if is_minority else text


def _turning_point(result: WalkForwardConsistency, threshold: float) -> str:
    """By how many windows the verdict holds."""
    needed = next(k for k in range(max(0, ceil(threshold * result.n) - 1), result.n + 1) if k / result.n >= threshold)
    if result.positive >= needed:
        return f"It would fail with {_counted(result.positive - needed + 1)} fewer: {needed} of {result.n} are enough."
    return f"It would pass with {_counted(needed - result.positive)} more: {needed} of {result.n} are needed."


def _counted(windows: int) -> str:
    return "1 positive window" if windows == 1 else f"{windows} positive windows"
