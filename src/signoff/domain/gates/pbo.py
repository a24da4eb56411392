"""Probability of backtest overfitting: how often the best configuration in-sample disappoints out of sample."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from signoff.domain.charts import HistogramChart, ReferenceLine, ScatterChart
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import OF_TRIALS, GateDefinition
from signoff.domain.gates.sub_families import better_half, junk
from signoff.domain.gates.trials import MIN_FAMILY, Bets, Family, bets_of, difference, judged_family, membership
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.policy import PboGate, Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.domain.sampling import Sampling
from signoff.stats.overfitting import (
    ProbabilityOfBacktestOverfitting,
    probability_of_backtest_overfitting,
)

PBO: Final = GateDefinition(
    key="pbo",
    title="PBO (Probability of Backtest Overfitting)",
    asks="Would the configuration that looked best have been below the median afterwards?",
    formula=(
        "Cut the rows into S blocks. For each of the C(S, S/2) halves choose the trial with the highest "
        "Sharpe ratio. ω is its rank, of N + 1, in the other half, and λ = ln(ω / (1 − ω)). PBO is the share "
        "of halves with λ ≤ 0."
    ),
    paper="Bailey, Borwein, López de Prado and Zhu (2015), The probability of backtest overfitting",
    needs=OF_TRIALS,
    names=r"P[.·\s-]{1,2}B[.·\s-]{1,2}O|(?:backtest[\s-]+)?over-?\s?fit\w*|CSCV",
    shown=(
        ("partitions", "{} partitions"),
        ("trials", "{} trials"),
        ("effective_trials", "{} effective"),
        ("rows_trimmed", "{} rows trimmed"),
        ("without_junk", "{} without junk"),
    ),
    parts=(("better_half", "{} over the better half"), ("as_tried", "{} with copies counted")),
    is_of_record=True,
    is_of_trials=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubFamilies:
    """PBO over the same trials with other ways of counting; None where it equals the statistic itself.

    `as_tried` counts every distinct column, reversals and near copies too. `better_signs` takes a bet that was tried
    with both signs with the profitable one. `without_junk` leaves out `junk` bets, which would never be chosen, and
    `left` remain. `better_half` has the bets with a Sharpe ratio above the median; it is printed and never an
    objection, because the better half of an honest grid is alike.
    """

    as_tried: float | None
    better_signs: float | None
    without_junk: float | None
    better_half: float | None
    junk: int
    left: int

    def objections(self, pbo: float, threshold: float, junk_share: float) -> Iterator[str]:
        """Every way of counting by which the trials fail although the statistic passes."""
        if pbo >= threshold:
            return
        beaten = f"{100 * junk_share:g}"
        for value, counted in (
            (self.as_tried, "with every distinct column counted, near copies and reversals too"),
            (self.better_signs, "with each reversed bet taken with the sign under which it earned"),
            (
                self.without_junk,
                f"without the {self.junk:,} that the best one beats in {beaten}% of the halves or more, with three "
                "times their Sharpe ratio, or that are two standard errors worse than the better ones",
            ),
        ):
            if value is not None and value >= threshold:
                yield f"The verdict hangs on how the trials are counted: {counted}, PBO is {_percent(value)}%."

    def words(self, bets: Bets, pbo: float, threshold: float) -> str:
        """The results of the other ways of counting, in words."""
        texts = []
        if self.as_tried is not None:
            hangs = "; the verdict hangs on them" if pbo >= threshold > self.as_tried else ""
            texts.append(
                f"With {bets.alike:,} near copies ({bets.reversals:,} of them reversed) counted as trials it would be "
                f"{_percent(self.as_tried)}%{hangs}."
            )
        if self.without_junk is not None:
            texts.append(f"Over the {self.left:,} without junk it is {_percent(self.without_junk)}%.")
        elif self.left < MIN_FAMILY:
            texts.append("One trial beats every other in nearly every half, so no family is left without junk.")
        if self.better_half is not None:
            half = f"ver the better half it is {_percent(self.better_half)}%."
            turns = pbo < threshold <= self.better_half
            texts.append(f"The verdict hangs on the poorer half of the trials: o{half}" if turns else f"O{half}")
        return "".join(f" {sentence}" for sentence in texts)

    def figures(self) -> Iterator[Quantity]:
        """The figures that were computed."""
        yield count("gates.pbo.junk", self.junk)
        named = (
            ("as_tried", self.as_tried),
            ("better_signs", self.better_signs),
            ("without_junk", self.without_junk),
            ("better_half", self.better_half),
        )
        yield from (percent(f"gates.pbo.{name}", value) for name, value in named if value is not None)


def backtest_overfitting(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """CSCV over every distinct tried configuration (Bailey, Borwein, López de Prado and Zhu 2015)."""
    gate = policy.gates.pbo
    rule = Rule(
        key=PBO.key,
        title=PBO.title,
        comparison=Comparison.BELOW,
        threshold=gate.threshold,
        unit=Unit.PERCENT,
        digits=1,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"CSCV with {gate.partitions} partitions, copies of a trial dropped at any leverage and sign",
    )

    def measure() -> GateMeasurement | Lack:
        trials = judged_family(evidence, "pbo", at_any_leverage=True)
        if isinstance(trials, Lack):
            return trials
        bets = bets_of(trials, policy.gates.same_trial_correlation)
        if isinstance(bets, Lack):
            return bets
        time = evidence.backtest.time
        result = probability_of_backtest_overfitting(time.excess(bets.returns), partitions=gate.partitions)
        others = _sub_families(trials, bets, gate, time)
        return GateMeasurement(
            value=result.pbo,
            n=result.n,
            source=trials.source,
            convention=result.convention,
            explanation=f"In {_percent(result.pbo)}% of {result.splits:,} splits the best of "
            f"{bets.size} configurations in-sample came in the lower half out of sample."
            f"{others.words(bets, result.pbo, gate.threshold)} Pure noise stays under 50% "
            "37 to 53% of the time, so read it beside the deflated Sharpe ratio."
            f"{difference(trials.nearest)}",
            figures=(
                *_figures(result, trials, gate),
                *bets.figures("pbo"),
                *others.figures(),
                *membership(trials.nearest, "pbo"),
            ),
            objections=tuple(others.objections(result.pbo, gate.threshold, gate.junk_share)),
            turning_point=_turning_point(result, gate.threshold),
            charts=tuple(_pictures(result, time)),
        )

    return guarded(rule, measure)


def _sub_families(trials: Family, bets: Bets, gate: PboGate, time: Sampling) -> SubFamilies:
    def pbo(returns: Floats) -> float:
        return probability_of_backtest_overfitting(time.excess(returns), partitions=gate.partitions).pbo

    chosen = ~junk(bets, time, partitions=gate.partitions, share=gate.junk_share)
    left = int(chosen.sum())
    upper = better_half(time.excess(bets.better))
    is_smaller = MIN_FAMILY <= left < bets.size
    return SubFamilies(
        as_tried=pbo(trials.returns) if bets.alike else None,
        better_signs=pbo(bets.better) if bets.has_turned else None,
        without_junk=pbo(np.ascontiguousarray(bets.better[:, chosen])) if is_smaller else None,
        better_half=pbo(np.ascontiguousarray(bets.better[:, upper])) if upper.sum() >= MIN_FAMILY else None,
        junk=bets.size - left,
        left=left,
    )


def _percent(share: float) -> str:
    return number(share, Unit.PERCENT, 1)


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
        ReferenceLine(0.0, "0: the median"),
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
