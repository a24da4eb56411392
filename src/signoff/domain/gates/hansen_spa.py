"""Hansen's test for superior predictive ability: whether the best of all trials beats a benchmark beyond luck.

The null is that no tried configuration is better than the benchmark. White's reality check is printed beside it; poor
configurations in the family make that test conservative.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from signoff.domain.charts import HistogramChart, ReferenceLine, Shade
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import OF_TRIALS, GateDefinition
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.trials import difference, judged_family, membership
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.policy import HansenSpaGate, Policy
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.stats.bootstrap import RealityCheck, SuperiorPredictiveAbility, data_snooping

_NAMED: Final = {"cash": "holding nothing", "previous": "the previous version"}


HANSEN_SPA: Final = GateDefinition(
    key="hansen_spa",
    title="Superior Predictive Ability (Hansen)",
    asks="Does the best of all trials beat the benchmark, or was it lucky?",
    formula=(
        "max over k of √T·mean(dₖ)/ωₖ, with dₖ the return of trial k over the benchmark's; its distribution "
        "is that of the stationary bootstrap, centred where a trial is not clearly worse. The consistent "
        "p-value counts."
    ),
    paper=("Hansen (2005), A test for superior predictive ability; White (2000), A reality check for data snooping"),
    needs=OF_TRIALS,
    names=r"Hansen(?:['’]s)?(?:\s+(?:SPA|test))?|superior predictive ability|reality check|data[\s-]snooping",
    shown=(("trials", "{} trials"), ("repetitions", "{} resamples")),
    is_of_record=True,
    is_of_trials=True,
)


def hansen_spa(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The consistent p-value of Hansen (2005) over every distinct trial that is not the benchmark itself."""
    gate = policy.gates.hansen_spa
    rule = Rule(
        key=HANSEN_SPA.key,
        title=HANSEN_SPA.title,
        comparison=Comparison.BELOW,
        threshold=gate.threshold,
        unit=Unit.PROBABILITY,
        digits=4,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"p-value of no trial being better than {_NAMED[gate.benchmark]}, exact copies of a trial dropped",
    )

    def measure() -> GateMeasurement | Lack:
        trials = judged_family(evidence, "hansen_spa", at_any_leverage=False)
        if isinstance(trials, Lack):
            return trials
        benchmark = _benchmark(evidence, gate)
        if isinstance(benchmark, Lack):
            return benchmark
        rivals = trials.returns[:, (trials.returns != benchmark[:, np.newaxis]).any(axis=0)]
        block, repetitions, seed = gate.mean_block_sessions, gate.repetitions, gate.seed
        snooped = data_snooping(-benchmark, -rivals, block=block, repetitions=repetitions, seed=seed)
        tested, checked = snooped.superior_predictive_ability, snooped.reality_check
        return GateMeasurement(
            value=tested.consistent,
            n=tested.n,
            source=trials.source,
            convention=f"{tested.convention}, {tested.repetitions:,} resamples, seed {tested.seed}",
            explanation=f"Were none of the {tested.models} trials better than {_NAMED[gate.benchmark]}, the best one "
            f"would look this good in {_share(tested.consistent, tested.repetitions)} of samples like this one."
            f"{difference(trials.nearest)}",
            figures=(*_figures(tested, checked, trials.copies), *membership(trials.nearest, "hansen_spa")),
            turning_point=_turning_point(tested, gate),
            charts=(_picture(tested, gate),),
        )

    return guarded(rule, measure)


def _benchmark(evidence: Evidence, gate: HansenSpaGate) -> Floats | Lack:
    """The benchmark's returns on the trials' dates."""
    trials = evidence.trials
    assert trials is not None  # `family` has seen it
    if gate.benchmark == "cash":
        return np.zeros(trials.dates.size)
    previous = evidence.backtest_previous
    if previous is None:
        return Lack("The policy compares the trials with the previous version; add the file `backtest_previous`.")
    plausible_returns(previous.returns, "backtest_previous")
    position = np.searchsorted(previous.dates, trials.dates)
    inside = position < previous.dates.size
    is_shared = inside & (previous.dates[np.where(inside, position, 0)] == trials.dates)
    if not is_shared.all():
        missing = trials.dates[~is_shared]
        return Lack(
            f"The file `backtest_previous` has no return on {missing.size:,} of the trials' {trials.dates.size:,} "
            f"dates (first {missing[0]}); run the previous version over the same period."
        )
    return previous.returns[position]


def _turning_point(tested: SuperiorPredictiveAbility, gate: HansenSpaGate) -> str:
    critical = float(np.quantile(tested.resamples, 1 - gate.threshold, method="higher"))
    verb = "pass" if tested.consistent >= gate.threshold else "fail"
    side = "above" if verb == "pass" else "at or below"
    return (
        f"It would {verb} with a best statistic {side} {number(critical, Unit.RATIO)}; it is "
        f"{number(tested.statistic, Unit.RATIO)}. The p-value itself is known to "
        f"±{number(tested.monte_carlo_error.consistent, Unit.PROBABILITY, 4)} (Monte Carlo)."
    )


def _picture(tested: SuperiorPredictiveAbility, gate: HansenSpaGate) -> HistogramChart:
    critical = float(np.quantile(tested.resamples, 1 - gate.threshold, method="higher"))
    return HistogramChart(
        "hansen_spa",
        f"The best trial's statistic in {tested.repetitions:,} resamples in which no trial is better than the "
        f"benchmark; n = {tested.n:,} sessions. Its share at or above the observed one is the p-value.",
        tested.resamples,
        ReferenceLine(tested.statistic, f"observed {number(tested.statistic, Unit.RATIO)}"),
        "largest studentised mean",
        Shade.ABOVE,
        (ReferenceLine(critical, f"{number(1 - gate.threshold, Unit.PERCENT, 0)}% quantile"),),
    )


def _figures(tested: SuperiorPredictiveAbility, checked: RealityCheck, copies: int) -> Iterator[Quantity]:
    def probability(name: str, value: float) -> Quantity:
        return Quantity(name=f"gates.hansen_spa.{name}", value=value, unit=Unit.PROBABILITY, digits=4, n=tested.n)

    yield probability("lower_p", tested.lower)
    yield probability("consistent_p", tested.consistent)
    yield probability("upper_p", tested.upper)
    yield probability("consistent_p_raw", tested.raw.consistent)
    yield probability("monte_carlo_error", tested.monte_carlo_error.consistent)
    yield probability("reality_check_p", checked.p_value)
    yield Quantity(name="gates.hansen_spa.largest_statistic", value=tested.statistic, digits=3, n=tested.n)
    yield count("gates.hansen_spa.trials", tested.models)
    yield count("gates.hansen_spa.copies_dropped", copies)
    yield Quantity(name="gates.hansen_spa.mean_block_sessions", value=tested.block, digits=1)
    yield count("gates.hansen_spa.repetitions", tested.repetitions)
    yield count("gates.hansen_spa.seed", tested.seed)


def _share(value: float, repetitions: int) -> str:
    """A share in percent; one that would round to zero is printed as less than the smallest that does not."""
    if value < 0.0005:
        return f"less than {number(max(0.001, 1 / repetitions), Unit.PERCENT, 1)}%"
    return f"{number(value, Unit.PERCENT, 1)}%"
