"""Walk-forward consistency: how often a stretch of the out-of-sample backtest made money."""

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.track import track_record
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count
from signoff.stats.walk_forward import walk_forward_consistency


def walk_forward(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The share of non-overlapping windows whose compounded return is above zero."""
    gate = policy.gates.walk_forward
    sessions = gate.window_sessions
    rule = Rule(
        key="walk_forward",
        title="Walk-Forward Consistency",
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.PERCENT,
        digits=1,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"non-overlapping windows of {sessions} sessions; the last partial window dropped, a zero window not "
        "positive, at least 10 windows",
    )

    def measure() -> Measurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        windows = returns.size // sessions
        if windows == 0:
            return Lack(f"The backtest has {returns.size} sessions, fewer than one window of {sessions}.")
        result = walk_forward_consistency(returns[: windows * sessions].reshape(windows, sessions))
        dropped = returns.size - windows * sessions
        return Measurement(
            value=result.consistency,
            n=windows,
            source=evidence.backtest.source.name,
            explanation=f"{result.positive} of {windows} windows of {sessions} sessions gained"
            + (f"; the last {dropped} sessions fill no window." if dropped else "."),
            figures=(
                count("gates.walk_forward.windows", windows),
                count("gates.walk_forward.positive_windows", result.positive),
                count("gates.walk_forward.sessions_dropped", dropped),
                Quantity(name="gates.walk_forward.mean_sharpe", value=result.mean_sharpe, n=windows),
            ),
        )

    return guarded(rule, measure)
