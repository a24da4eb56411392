"""Probability of backtest overfitting: how often the best configuration in-sample disappoints out of sample."""

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.trials import Family, family
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import PboGate, Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.overfitting import ProbabilityOfBacktestOverfitting, probability_of_backtest_overfitting


def backtest_overfitting(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """CSCV over every distinct configuration that was tried (Bailey, Borwein, López de Prado and Zhu 2015)."""
    gate = policy.gates.pbo
    rule = Rule(
        key="pbo",
        title="PBO (Probability of Backtest Overfitting)",
        comparison=Comparison.BELOW,
        threshold=gate.threshold,
        unit=Unit.PERCENT,
        digits=1,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"CSCV with {gate.partitions} partitions, exact copies of a trial dropped",
    )

    def measure() -> Measurement | Lack:
        trials = family(evidence)
        if isinstance(trials, Lack):
            return trials
        result = _cscv(trials, gate)
        return Measurement(
            value=result.pbo,
            n=result.n,
            source=trials.source,
            convention=result.convention,
            explanation=f"In {number(result.pbo, Unit.PERCENT, 1)}% of {result.splits:,} splits the best of "
            f"{trials.size} configurations in-sample came in the lower half out of sample. Pure noise stays under 50% "
            "37 to 53% of the time, so read it beside the deflated Sharpe ratio.",
            figures=_figures(result, trials, gate),
        )

    return guarded(rule, measure)


def overfitting_logits(evidence: Evidence, policy: Policy) -> Floats | None:
    """The logits behind the gate, for its picture; None where the gate has none."""
    trials = family(evidence)
    if isinstance(trials, Lack):
        return None
    try:
        return _cscv(trials, policy.gates.pbo).logits
    except (InputError, InsufficientData):
        return None


def _cscv(trials: Family, gate: PboGate) -> ProbabilityOfBacktestOverfitting:
    return probability_of_backtest_overfitting(trials.returns, partitions=gate.partitions)


def _figures(result: ProbabilityOfBacktestOverfitting, trials: Family, gate: PboGate) -> tuple[Quantity, ...]:
    return (
        count("gates.pbo.partitions", gate.partitions),
        count("gates.pbo.trials", trials.size),
        count("gates.pbo.copies_dropped", trials.copies),
        count("gates.pbo.splits", result.splits),
        count("gates.pbo.rows_trimmed", result.rows_trimmed),
        count("gates.pbo.ties", result.ties),
        count("gates.pbo.flat_halves", result.flat_halves),
        percent("gates.pbo.strict", result.pbo_strict, n=result.splits),
        Quantity(name="gates.pbo.out_of_sample_to_in_sample", value=result.is_oos_ratio, n=result.splits),
        Quantity(name="gates.pbo.slope", value=result.slope, n=result.splits),
        percent("gates.pbo.probability_of_loss", result.probability_of_loss, n=result.splits),
    )
