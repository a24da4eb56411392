"""Downside Sensitivity Ratio: whether the model loses harder than it gains."""

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.track import track_record
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Unit, count
from signoff.stats.downside import downside_sensitivity_ratio


def downside_sensitivity(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """Root mean square of the losses over that of the gains, over every session of the backtest."""
    gate = policy.gates.dsr
    rule = Rule(
        key="dsr",
        title="DSR (Downside Sensitivity Ratio)",
        comparison=Comparison.AT_MOST,
        threshold=gate.threshold,
        unit=Unit.RATIO,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method="losses against gains",
    )

    def measure() -> Measurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        result = downside_sensitivity_ratio(returns)
        return Measurement(
            value=result.ratio,
            n=result.n,
            source=evidence.backtest.source.name,
            convention=result.convention,
            explanation=f"The backtest lost on {result.losses:,} and gained on {result.gains:,} of {result.n:,} "
            "sessions; above 1 the losses are the larger ones.",
            figures=(
                count("gates.dsr.losses", result.losses),
                count("gates.dsr.gains", result.gains),
                count("gates.dsr.unchanged", result.ties),
            ),
        )

    return guarded(rule, measure)
