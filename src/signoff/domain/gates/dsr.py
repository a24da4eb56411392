"""Downside Sensitivity Ratio: whether losses are larger than gains."""

from math import isfinite
from typing import Final

from signoff.domain.charts import HistogramChart, ReferenceLine
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import OF_RETURNS, GateDefinition
from signoff.domain.gates.track import less_than_a_year, track_record
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Unit, count, number
from signoff.stats.downside import DownsideSensitivityRatio, downside_sensitivity_ratio

DSR: Final = GateDefinition(
    key="dsr",
    title="DSR (Downside Sensitivity Ratio)",
    asks="Are losses larger than gains?",
    formula="√mean(min(r, 0)²) / √mean(max(r, 0)²)",
    paper="none; it is the ratio of the two semi-deviations about zero",
    needs=OF_RETURNS,
    names=r"downside sensitivity|D[.·\s-]{1,2}S[.·\s-]{1,2}R",
    is_of_record=True,
)


def downside_sensitivity(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """Root mean square of the losses over that of the gains, over every session of the backtest."""
    gate = policy.gates.dsr
    rule = Rule(
        key=DSR.key,
        title=DSR.title,
        comparison=Comparison.AT_MOST,
        threshold=gate.threshold,
        unit=Unit.RATIO,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method="losses against gains",
    )

    def measure() -> GateMeasurement | Lack:
        returns, time = track_record(evidence), evidence.backtest.time
        if isinstance(returns, Lack):
            return returns
        if (lack := less_than_a_year(evidence)) is not None:
            return lack
        result = downside_sensitivity_ratio(returns)
        return GateMeasurement(
            value=result.ratio,
            n=result.n,
            source=evidence.backtest.source.name,
            convention=result.convention,
            explanation=f"The backtest lost on {result.losses:,} and gained on {result.gains:,} of "
            f"{time.counted(result.n)}; above 1 the losses are the larger ones.",
            figures=(
                count("gates.dsr.losses", result.losses),
                count("gates.dsr.gains", result.gains),
                count("gates.dsr.unchanged", result.ties),
            ),
            turning_point=_turning_point(result, gate.threshold),
            charts=(
                HistogramChart(
                    "dsr",
                    f"{time.frequency.title()} returns, losses shaded; n = {time.counted(result.n)}.",
                    100 * returns,
                    ReferenceLine(0.0, "0"),
                    f"{time.frequency} return %",
                ),
            ),
        )

    return guarded(rule, measure)


def _turning_point(result: DownsideSensitivityRatio, threshold: float) -> str:
    if not isfinite(result.ratio) or result.ratio == 0:
        return "There is nothing to weigh against each other; gains and losses are both needed."
    change = threshold / result.ratio - 1
    size = number(abs(change), Unit.PERCENT, 0)
    if change >= 0:
        return f"It would fail if every loss had been more than {size}% larger, the gains the same."
    return f"It would pass if every loss had been at least {size}% smaller, the gains the same."
