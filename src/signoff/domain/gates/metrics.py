"""Section 2.1: five figures of the backtest, new against old against target, and whether the Sharpe ratio moved.

All five are better when higher (a drawdown is negative), so a row passes at its target or above. A near miss is a pass
by at most five percent of the target; any figure below the target fails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.domain.assessment import MetricRow, MetricStatus
from signoff.domain.costs import Costs
from signoff.domain.dossier import Targets
from signoff.domain.evidence import Evidence, Returns
from signoff.domain.gates.figures import absent, figure
from signoff.domain.gates.high_sharpe import TooHigh
from signoff.domain.gates.track import less_than_a_year
from signoff.domain.gates.uncertainty import annual_ratio, autocorrelation_figures, of_annual_sharpe, sharpe_notes
from signoff.domain.quantity import Quantity, Uncertainty, Unit, beside, relative_change
from signoff.stats.comparison import SharpeDifference, sharpe_difference_test
from signoff.stats.performance import (
    annualized_return,
    hit_rate,
    max_drawdown,
    win_loss_ratio,
)

MARGIN: Final = 0.05
SHARPE: Final = "sharpe"
REPETITIONS: Final = 9_999
NO_PREVIOUS: Final = "no backtest_previous file was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the table: its computation and its target."""

    key: str
    title: str
    compute: Callable[[Returns], float]
    target: Callable[[Targets], float]
    unit: Unit
    uncertainty: Callable[[Returns], Uncertainty] | None = None


METRICS: Final = (
    Metric(
        key=SHARPE,
        title="Sharpe Ratio",
        compute=annual_ratio,
        target=lambda targets: targets.sharpe,
        unit=Unit.RATIO,
        uncertainty=of_annual_sharpe,
    ),
    Metric(
        key="annual_return",
        title="Ann. Return",
        compute=lambda of: annualized_return(of.returns, periods=of.time.rows_a_year),
        target=lambda targets: targets.annual_return_pct / 100,
        unit=Unit.PERCENT,
    ),
    Metric(
        key="max_drawdown",
        title="Max Drawdown",
        compute=lambda of: max_drawdown(of.returns),
        target=lambda targets: targets.max_drawdown_pct / 100,
        unit=Unit.PERCENT,
    ),
    Metric(
        key="hit_rate",
        title="Hit Rate",
        compute=lambda of: hit_rate(of.returns),
        target=lambda targets: targets.hit_rate_pct / 100,
        unit=Unit.PERCENT,
    ),
    Metric(
        key="win_loss_ratio",
        title="Win/Loss Ratio",
        compute=lambda of: win_loss_ratio(of.returns),
        target=lambda targets: targets.win_loss_ratio,
        unit=Unit.RATIO,
    ),
)


def metric_rows(
    evidence: Evidence, targets: Targets, high: TooHigh | None = None, note: str = ""
) -> tuple[MetricRow, ...]:
    """The five rows in the memo's order; `high` is a Sharpe ratio above the policy's limit, `note` a further note."""
    return tuple(_row(metric, evidence, targets, high, note) for metric in METRICS)


def _row(metric: Metric, evidence: Evidence, targets: Targets, high: TooHigh | None, note: str) -> MetricRow:
    name = f"metrics.{metric.key}"
    new = _measured(metric, f"{name}.new", evidence.backtest)
    if evidence.backtest_previous is None:
        old = absent(f"{name}.old", NO_PREVIOUS, unit=metric.unit)
    else:
        shared, _ = on_shared_dates(evidence.backtest_previous, evidence.backtest)
        old = _measured(metric, f"{name}.old", shared)
    target = metric.target(targets)
    shown, limit = beside(new, Quantity(name=f"{name}.target", value=target, unit=metric.unit, source="dossier.yaml"))
    return MetricRow(
        key=metric.key,
        title=metric.title,
        new=shown,
        old=old,
        change=relative_change(new.value, old.value),
        target=limit,
        target_sign="≥",
        status=metric_status(
            new.value,
            target,
            is_short=less_than_a_year(evidence) is not None or (high is not None and not high.is_declared),
        ),
        notes=tuple(filter(None, (high.words if high else "", note, *_notes(evidence))))
        if metric.key == SHARPE
        else (),
        figures=autocorrelation_figures(evidence.backtest) if metric.key == SHARPE else (),
    )


def _notes(evidence: Evidence) -> tuple[str, ...]:
    before = (f"Backtest returns are {evidence.costs}.",) if evidence.backtest.costs is Costs.BEFORE else ()
    new = (*before, *sharpe_notes("New", evidence.backtest))
    if evidence.backtest_previous is None:
        return new
    shared, _ = on_shared_dates(evidence.backtest_previous, evidence.backtest)
    return (*new, *sharpe_notes("Old", shared))


def metric_status(value: float | None, target: float, *, is_short: bool = False) -> MetricStatus:
    """The status of a figure against its target; a record too short or too good has no status."""
    if value is None:
        return MetricStatus.NOT_PROVIDED
    if is_short:
        return MetricStatus.INCONCLUSIVE
    if not value >= target:
        return MetricStatus.MISSED
    return MetricStatus.WARN if value - target <= MARGIN * abs(target) else MetricStatus.PASS


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """New less old, with the p-values of no difference by the delta method and by the studentised bootstrap."""

    difference: Quantity
    p_value: Quantity
    bootstrap_p: Quantity


def sharpe_comparison(new: Returns, old: Returns | None) -> VersionComparison:
    """Over the shared dates (Ledoit and Wolf 2008); not provided without an old version."""
    names = tuple(f"sharpe_difference.{part}" for part in ("value", "p_value", "bootstrap_p_value"))
    if old is None:
        return VersionComparison(
            absent(names[0], NO_PREVIOUS),
            absent(names[1], NO_PREVIOUS, unit=Unit.PROBABILITY),
            absent(names[2], NO_PREVIOUS, unit=Unit.PROBABILITY),
        )
    first, second = on_shared_dates(new, old)
    n, files = first.returns.size, f"{new.source.name}, {old.source.name}"

    def test(method: str = "hac") -> SharpeDifference:
        return sharpe_difference_test(
            first.time.excess(first.returns),
            first.time.excess(second.returns),
            method=method,
            repetitions=REPETITIONS,
            periods=first.time.rows_a_year,
        )

    def p_value(name: str, method: str, how: str) -> Quantity:
        source = f"{files}; Ledoit and Wolf (2008), {how}, two-sided"
        return figure(name, lambda: test(method).p_value, unit=Unit.PROBABILITY, n=n, source=source)

    return VersionComparison(
        figure(
            names[0],
            lambda: test().difference,
            n=n,
            source=files,
            uncertainty=lambda: _uncertainty(test(), first.time.rows_a_year),
        ),
        p_value(names[1], "hac", "HAC"),
        p_value(names[2], "bootstrap", f"studentised circular bootstrap of {REPETITIONS:,} resamples"),
    )


def _uncertainty(tested: SharpeDifference, rows_a_year: float) -> Uncertainty:
    return Uncertainty(
        standard_error=tested.standard_error,
        half_width=tested.half_width,
        method=f"√{rows_a_year:g}; {tested.convention}",
    )


def on_shared_dates(one: Returns, other: Returns) -> tuple[Returns, Returns]:
    """Both series on their shared dates, since different periods cannot be compared."""
    dates, at_one, at_other = np.intersect1d(one.dates, other.dates, return_indices=True)
    return (
        Returns(source=one.source, dates=dates, returns=one.returns[at_one], sampling=one.time),
        Returns(source=other.source, dates=dates, returns=other.returns[at_other], sampling=other.time),
    )


def _measured(metric: Metric, name: str, returns: Returns) -> Quantity:
    error = metric.uncertainty
    return figure(
        name,
        lambda: metric.compute(returns),
        unit=metric.unit,
        n=returns.returns.size,
        source=returns.source.name,
        uncertainty=None if error is None else lambda: error(returns),
    )
