"""VaR compliance: the value at risk is within its limit, and its forecasts held out of sample.

A limit is worth no more than the forecast of its figure. So the gate also forecasts each session from the window before
it and tests whether exceptions are as frequent and as independent as the level says.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.charts import ExceptionChart
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Days, Evidence, Floats, Returns
from signoff.domain.filled import Filled, idle
from signoff.domain.finding import Comparison, Finding
from signoff.domain.frequency import Frequency
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.figures import figure
from signoff.domain.gates.track import track_record, windowed
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded, has_and_needs
from signoff.domain.policy import Policy, VarGate
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.domain.sampling import Sampling
from signoff.stats.coverage import Christoffersen, LikelihoodRatio, christoffersen, kupiec
from signoff.stats.value_at_risk import (
    SHORTFALL_CONVENTION,
    SHORTFALLS,
    ConditionalValueAtRisk,
    ValueAtRisk,
    conditional_value_at_risk,
    rolling_value_at_risk,
    value_at_risk,
    volatility_scaled,
)

FILTERED: Final = "filtered_historical"
MIN_FORECASTS: Final = 250
FEWEST_BEFORE: Final = 100
"""Rows for a 95% quantile, with five of them beyond it. Both minima count rows of any length."""


VAR: Final = GateDefinition(
    key="var",
    title="VaR Compliance",
    asks="Is the risk within its limit, and was it forecast well?",
    formula=(
        "Value at risk of the record by the policy's method, within the limit; and the days on which a loss "
        "was larger than its forecast: neither their number (LR of a binomial) nor their order (LR of a "
        "Markov chain) is rejected."
    ),
    paper=(
        "Kupiec (1995), Techniques for verifying risk measurement models; Christoffersen (1998), Evaluating "
        "interval forecasts"
    ),
    needs="the returns: a window of forecasts, and days after it",
    names=r"V[.·\s-]{1,2}a[.·\s-]{1,2}R|values?[\s-]at[\s-]risk|tail[\s-]risk|Kupiec|Christoffersen",
    shown=(("kupiec_p", "Kupiec p {}"), ("independence_p", "Christoffersen p {}")),
    is_of_record=True,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """One forecast a session, each from the sessions before it alone."""

    dates: Days
    value_at_risk: Floats
    is_exception: NDArray[np.bool_]


def value_at_risk_compliance(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The backtest's VaR against the limit, with Kupiec's and Christoffersen's tests of its rolling forecasts."""
    gate, time = policy.gates.var, evidence.backtest.time
    length = windowed(gate.window_sessions, forecast_window(gate, evidence.backtest), time)
    rule = Rule(
        key=VAR.key,
        title=VAR.title,
        comparison=Comparison.AT_LEAST,
        threshold=gate.limit_pct / 100,
        unit=Unit.PERCENT,
        digits=2,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"{gate.method} VaR of one {time.unit} at {number(gate.level, Unit.PERCENT, 0)}% over the whole "
        f"backtest, and the coverage of one-{time.unit} forecasts from the {length} before",
    )

    def measure() -> GateMeasurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        backtest = evidence.backtest
        quiet = idle(backtest.dates, returns)
        backtest = _without(backtest, quiet)
        returns = backtest.returns
        needed = forecast_window(gate, backtest) + MIN_FORECASTS
        if returns.size < needed:
            return Lack(
                f"The backtest has {time.counted(returns.size)}{_and_idle(quiet)}; {length} before the first forecast "
                f"and {MIN_FORECASTS} forecasts are needed to test coverage, {time.counted(needed)} in all. "
                f"{_ways_out(needed, returns.size, gate, time)}",
                has_and_needs("var", "forecasts", max(0, returns.size - needed + MIN_FORECASTS), MIN_FORECASTS),
            )
        estimate = value_at_risk(returns, level=gate.level, method=gate.method)
        forecasts = rolling_forecasts(backtest, gate)
        coverage = christoffersen(forecasts.is_exception, level=gate.level)
        exceptions, n = int(forecasts.is_exception.sum()), forecasts.dates.size
        expected = (1 - gate.level) * n
        rejections = tuple(_rejections(coverage, gate.significance))
        return GateMeasurement(
            value=estimate.value,
            n=returns.size,
            source=backtest.source.name,
            convention=f"{estimate.convention}; {coverage.unconditional.convention}; "
            f"{coverage.independence.convention}; {coverage.conditional.convention}; rejected where p < "
            f"{gate.significance:g}",
            explanation=f"{exceptions} of {n:,} forecasts out of sample were exceeded; {expected:.1f} were expected."
            + "".join(f" Left out: {note}." for note in quiet.notes)
            + (_advice(backtest, gate) if rejections else ""),
            figures=(
                *_figures(evidence, gate, coverage, exceptions, n),
                count("gates.var.rows_left_out", int(quiet.rows.sum())),
            ),
            objections=rejections,
            turning_point=_turning_point(estimate.value, exceptions, n, gate),
            charts=(_picture(backtest, forecasts, gate),),
        )

    return guarded(rule, measure)


def _advice(backtest: Returns, gate: VarGate) -> str:
    """The effect of two known remedies on these returns; neither changes the verdict."""
    texts = []
    if gate.method != FILTERED:
        outcome = _exceeded(backtest.returns, replace(gate, method=FILTERED), backtest)
        texts.append(f"Filtered historical simulation (gates.var.method: {FILTERED}, Hull and White 1998) {outcome}")
    scaled = _exceeded(volatility_scaled(backtest.returns), gate, backtest)
    texts.append(
        f"With positions scaled by forecast volatility (EWMA, decay 0.94; before costs) {gate.method} VaR {scaled}"
    )
    return "".join(f" {one}." for one in texts)


def _exceeded(returns: Floats, gate: VarGate, backtest: Returns) -> str:
    """How often forecasts of this method would have been exceeded, and whether the tests would reject them."""
    window = forecast_window(gate, backtest)
    rolling = rolling_value_at_risk(returns, window=window, level=gate.level, method=gate.method)
    coverage = christoffersen(rolling.is_exception, level=gate.level)
    rejected = [
        f"{key} p {number(test.p_value, Unit.PROBABILITY)}"
        for key, _, test in _tests(coverage)
        if not test.p_value >= gate.significance
    ]
    ends = f"would be rejected too ({', '.join(rejected)})" if rejected else "its coverage would not be rejected"
    return f"would have been exceeded {rolling.exceptions:,} times of {rolling.n:,}, and {ends}"


def _ways_out(needed: int, has: int, gate: VarGate, time: Sampling) -> str:
    """Remedies for a record that is too short: more years, shorter rows, or a change of the policy."""
    longer = f"{time.counted(needed - has)} more (a record of {needed / time.rows_a_year:.1f} years)"
    hand_in = f"Hand in {longer}"
    shorter = ""
    if time.frequency is not Frequency.DAILY:
        hand_in = f"Hand in the daily returns of the same book, or {longer}"
    elif gate.window_sessions > FEWEST_BEFORE:
        shorter = (
            f" shorten the window (gates.var.window_sessions: {gate.window_sessions}, at least {FEWEST_BEFORE}) or"
        )
    return (
        f"{hand_in}. A firm may{shorter} make the gate advisory (gates.var.blocking: false) in its policy; the number "
        "of forecasts is fixed."
    )


def _turning_point(estimate: float, exceptions: int, n: int, gate: VarGate) -> str:
    """How much more risk fits in the limit, and how many exceptions Kupiec's test would accept."""
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
    """The fewest and the most exceptions that are not rejected; the p-value falls on both sides of the expected."""

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
    day = backtest.time.of_one_row
    return ExceptionChart(
        "var_exceptions",
        f"{backtest.time.frequency.title()} returns against the VaR forecast of the {day} before; {count_of:,} "
        f"exceptions in {backtest.time.counted(dates.size)}, {dates[0]} to {dates[-1]}.",
        dates,
        backtest.returns[forecast_window(gate, backtest) :],
        forecasts.value_at_risk,
    )


def forecast_window(gate: VarGate, backtest: Returns) -> int:
    """The rows before a forecast: the policy's sessions in rows of the table, at least enough for a quantile."""
    return backtest.time.rows(gate.window_sessions, fewest=FEWEST_BEFORE)


def rolling_forecasts(backtest: Returns, gate: VarGate) -> Forecasts:
    """The VaR of every session that has a full window before it, and whether its return fell below that."""
    window = forecast_window(gate, backtest)
    rolling = rolling_value_at_risk(backtest.returns, window=window, level=gate.level, method=gate.method)
    return Forecasts(
        dates=backtest.dates[window:],
        value_at_risk=rolling.forecasts,
        is_exception=rolling.is_exception,
    )


def _without(returns: Returns, quiet: Filled) -> Returns:
    """The record without long stretches of zeros, in which there was no position and no risk to forecast."""
    if not quiet.rows.any():
        return returns
    keep = ~quiet.rows
    return Returns(
        source=returns.source, dates=returns.dates[keep], returns=returns.returns[keep], sampling=returns.time
    )


def _and_idle(quiet: Filled) -> str:
    return f" beside {int(quiet.rows.sum()):,} in stretches of zeros" if quiet.rows.any() else ""


def value_at_risk_figure(name: str, returns: Returns, gate: VarGate) -> Quantity:
    """The VaR of a backtest by the policy's method."""
    return _tail_figure(name, returns, gate, value_at_risk)


def conditional_value_at_risk_figure(name: str, returns: Returns, gate: VarGate) -> Quantity:
    """The mean at or below the VaR of the distribution that the policy's method takes returns from."""
    convention = f"; {SHORTFALL_CONVENTION}: {SHORTFALLS[gate.method]}"
    return _tail_figure(name, returns, gate, conditional_value_at_risk, convention)


def _tail_figure(
    name: str,
    returns: Returns,
    gate: VarGate,
    estimate: Callable[..., ValueAtRisk | ConditionalValueAtRisk],
    convention: str = "",
) -> Quantity:
    at_risk = _without(returns, idle(returns.dates, returns.returns))
    return figure(
        name,
        lambda: estimate(at_risk.returns, level=gate.level, method=gate.method).value,
        unit=Unit.PERCENT,
        digits=2,
        n=at_risk.returns.size,
        source=f"{returns.source.name}{convention}",
    )


def _tests(coverage: Christoffersen) -> Iterator[tuple[str, str, LikelihoodRatio]]:
    yield "kupiec", "their number (Kupiec)", coverage.unconditional
    yield "independence", "their independence (Christoffersen)", coverage.independence
    yield "conditional", "number and independence together (Christoffersen)", coverage.conditional


def _rejections(coverage: Christoffersen, significance: float) -> Iterator[str]:
    """The tests that reject; a p-value that is NaN rejects too."""
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
