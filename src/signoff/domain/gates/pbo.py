"""Probability of backtest overfitting: how often the best configuration in-sample disappoints out of sample."""

from collections.abc import Iterator
from math import ceil

from signoff.domain.charts import HistogramChart, Reference, ScatterChart
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.trials import Family, family
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import PboGate, Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.domain.sampling import Sampling
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
        method=f"CSCV with {gate.partitions} partitions, copies of a trial dropped at any leverage",
    )

    def measure() -> Measurement | Lack:
        trials = family(evidence, at_any_leverage=True)
        if isinstance(trials, Lack):
            return trials
        time = evidence.backtest.time
        result = probability_of_backtest_overfitting(time.excess(trials.returns), partitions=gate.partitions)
        return Measurement(
            value=result.pbo,
            n=result.n,
            source=trials.source,
            convention=result.convention,
            explanation=f"In {number(result.pbo, Unit.PERCENT, 1)}% of {result.splits:,} splits the best of "
            f"{trials.size} configurations in-sample came in the lower half out of sample. Pure noise stays under 50% "
            "37 to 53% of the time, so read it beside the deflated Sharpe ratio.",
            figures=_figures(result, trials, gate),
            turning_point=_turning_point(result, gate.threshold),
            charts=tuple(_pictures(result, time)),
        )

    return guarded(rule, measure)


def _turning_point(result: ProbabilityOfBacktestOverfitting, threshold: float) -> str:
    """How many splits decide the verdict; PBO must stay below its threshold."""
    below = round(result.pbo * result.splits)
    fails_from = ceil(threshold * result.splits)
    if below < fails_from:
        return (
            f"It would fail if {fails_from - below:,} more of the {result.splits:,} splits had chosen a configuration "
            "that came in the lower half out of sample."
        )
    return (
        f"It would pass if {below - fails_from + 1:,} fewer of the {result.splits:,} splits had chosen a configuration "
        "that came in the lower half out of sample."
    )


def _pictures(result: ProbabilityOfBacktestOverfitting, time: Sampling) -> Iterator[HistogramChart | ScatterChart]:
    yield HistogramChart(
        "pbo_logits",
        f"PBO: logits of {result.splits:,} splits; PBO is the share at or below 0. n = {time.counted(result.n)}, "
        f"{result.trials:,} trials.",
        result.logits,
        Reference(0.0, "0: the median"),
        "logit λ = ln(ω / (1 − ω)) of the out-of-sample rank",
    )
    slope = "" if result.slope is None else f" Slope {number(result.slope, Unit.RATIO)}."
    root = time.rows_a_year**0.5
    yield ScatterChart(
        "pbo_scatter",
        f"The best trial in-sample and what it then did out of sample, {result.splits:,} splits; it lost in "
        f"{number(result.probability_of_loss, Unit.PERCENT, 1)}% of them.{slope}",
        result.in_sample_sharpe * root,
        result.out_of_sample_sharpe * root,
        "Sharpe ratio in-sample",
        "out of sample",
        result.slope,
    )


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
