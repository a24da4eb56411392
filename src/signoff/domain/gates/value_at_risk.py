"""VaR compliance: the value at risk lies within its limit, and the forecasts of it held out of sample.

A limit on a figure that does not hold is no limit, so the gate also forecasts each session from the window before it
and asks whether the exceptions came as often, and as independently, as the level promises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.charts import ExceptionChart
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Days, Evidence, Floats, Returns
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.figures import figure
from signoff.domain.gates.track import track_record
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy, VarGate
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.stats.coverage import Christoffersen, LikelihoodRatio, christoffersen, kupiec
from signoff.stats.value_at_risk import (
    SHORTFALL_CONVENTION,
    SHORTFALLS,
    conditional_value_at_risk,
    rolling_value_at_risk,
    value_at_risk,
)

MIN_FORECASTS: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """One forecast a session, each from the sessions before it alone."""

    dates: Days
    value_at_risk: Floats
    is_exception: NDArray[np.bool_]


def value_at_risk_compliance(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The backtest's VaR against the limit, with Kupiec's and Christoffersen's tests of its rolling forecasts."""
    gate = policy.gates.var
    rule = Rule(
        key="var",
        title="VaR Compliance",
        comparison=Comparison.AT_LEAST,
        threshold=gate.limit_pct / 100,
        unit=Unit.PERCENT,
        digits=2,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"{gate.method} VaR at {number(gate.level, Unit.PERCENT, 0)}% over the whole backtest, and the coverage "
        f"of one-session forecasts from the {gate.window_sessions} sessions before",
    )

    def measure() -> Measurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        backtest = evidence.backtest
        available = returns.size - gate.window_sessions
        if available < MIN_FORECASTS:
            return Lack(
                f"The backtest has {returns.size} sessions; {gate.window_sessions} before the first forecast "
                f"and {MIN_FORECASTS} forecasts are needed to test coverage."
            )
        estimate = value_at_risk(returns, level=gate.level, method=gate.method)
        forecasts = rolling_forecasts(backtest, gate)
        coverage = christoffersen(forecasts.is_exception, level=gate.level)
        exceptions, n = int(forecasts.is_exception.sum()), forecasts.dates.size
        expected = (1 - gate.level) * n
        return Measurement(
            value=estimate.value,
            n=returns.size,
            source=backtest.source.name,
            convention=f"{estimate.convention}; {coverage.unconditional.convention}; "
            f"{coverage.independence.convention}; {coverage.conditional.convention}; rejected where p < "
            f"{gate.significance:g}",
            explanation=f"{exceptions} of {n:,} forecasts out of sample were exceeded; {expected:.1f} were expected.",
            figures=tuple(_figures(evidence, gate, coverage, exceptions, n)),
            objections=tuple(_rejections(coverage, gate.significance)),
            turning_point=_turning_point(estimate.value, exceptions, n, gate),
            charts=(_picture(backtest, forecasts, gate),),
        )

    return guarded(rule, measure)


def _turning_point(estimate: float, exceptions: int, n: int, gate: VarGate) -> str:
    """How much more risk the limit leaves room for, and how many exceptions Kupiec's test would accept."""
    limit = gate.limit_pct / 100
    size = number(abs(limit / estimate - 1), Unit.PERCENT, 0) if estimate < 0 else ""
    if not size:
        room = "The VaR is no loss, so no size of position reaches the limit."
    elif estimate >= limit:
        room = f"Positions {size}% larger would reach the limit."
    else:
        room = f"Positions {size}% smaller would keep within the limit."
    fewest, most = _accepted(n, gate)
    return f"{room} Kupiec's test accepts {fewest} to {most} exceptions of {n:,}; there were {exceptions}."


def _accepted(n: int, gate: VarGate) -> tuple[int, int]:
    """The fewest and the most exceptions that are not rejected: the p-value falls on either side of the expected."""

    def is_accepted(exceptions: int) -> bool:
        inside = 0 <= exceptions <= n
        return inside and kupiec(exceptions, n, level=gate.level).p_value >= gate.significance

    fewest = most = round((1 - gate.level) * n)
    while is_accepted(fewest - 1):
        fewest -= 1
    while is_accepted(most + 1):
        most += 1
    return fewest, most


def _picture(backtest: Returns, forecasts: Forecasts, gate: VarGate) -> ExceptionChart:
    dates, count_of = forecasts.dates, int(forecasts.is_exception.sum())
    return ExceptionChart(
        "var_exceptions",
        f"Daily returns against the VaR forecast of the day before; {count_of:,} exceptions in {dates.size:,} "
        f"sessions, {dates[0]} to {dates[-1]}.",
        dates,
        backtest.returns[gate.window_sessions :],
        forecasts.value_at_risk,
    )


def rolling_forecasts(backtest: Returns, gate: VarGate) -> Forecasts:
    """The VaR of every session that has a full window before it, and whether its return fell below that."""
    rolling = rolling_value_at_risk(backtest.returns, window=gate.window_sessions, level=gate.level, method=gate.method)
    return Forecasts(
        dates=backtest.dates[gate.window_sessions :],
        value_at_risk=rolling.forecasts,
        is_exception=rolling.is_exception,
    )


def value_at_risk_figure(name: str, returns: Returns, gate: VarGate) -> Quantity:
    """The VaR of a backtest by the policy's method."""
    return figure(
        name,
        lambda: value_at_risk(returns.returns, level=gate.level, method=gate.method).value,
        unit=Unit.PERCENT,
        digits=2,
        n=returns.returns.size,
        source=returns.source.name,
    )


def conditional_value_at_risk_figure(name: str, returns: Returns, gate: VarGate) -> Quantity:
    """The mean at or below the VaR of the distribution that the policy's method takes returns from."""
    return figure(
        name,
        lambda: conditional_value_at_risk(returns.returns, level=gate.level, method=gate.method).value,
        unit=Unit.PERCENT,
        digits=2,
        n=returns.returns.size,
        source=f"{returns.source.name}; {SHORTFALL_CONVENTION}: {SHORTFALLS[gate.method]}",
    )


def _tests(coverage: Christoffersen) -> Iterator[tuple[str, str, LikelihoodRatio]]:
    yield "kupiec", "their number (Kupiec)", coverage.unconditional
    yield "independence", "their independence (Christoffersen)", coverage.independence
    yield "conditional", "number and independence together (Christoffersen)", coverage.conditional


def _rejections(coverage: Christoffersen, significance: float) -> Iterator[str]:
    """A p-value that is not a number rejects too: what could not be tested did not hold."""
    for _, subject, test in _tests(coverage):
        if not test.p_value >= significance:
            yield f"The exceptions reject {subject}: p = {number(test.p_value, Unit.PROBABILITY)} < {significance:g}."


def _figures(
    evidence: Evidence, gate: VarGate, coverage: Christoffersen, exceptions: int, n: int
) -> Iterator[Quantity]:
    yield conditional_value_at_risk_figure("gates.var.conditional_value_at_risk", evidence.backtest, gate)
    yield count("gates.var.forecasts", n)
    yield count("gates.var.exceptions", exceptions)
    yield Quantity(name="gates.var.exceptions_expected", value=(1 - gate.level) * n, digits=1, n=n)
    for key, _, test in _tests(coverage):
        yield Quantity(name=f"gates.var.{key}_statistic", value=test.statistic, n=n)
        yield Quantity(name=f"gates.var.{key}_p", value=test.p_value, unit=Unit.PROBABILITY, n=n)
