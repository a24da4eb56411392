"""One day of a live release held against the thresholds that its memo prints.

`observe` turns what was measured into an `Observed` event: readings with their levels, the rollback triggers that hold,
and what keeps the release from advancing. A figure that cannot be computed is unknown, and unknown blocks an advance.
"""

import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np

from signoff.domain.events import Observed, Reading
from signoff.domain.evidence import Floats
from signoff.domain.policy import FallingAlert, Policy, RisingAlert
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.performance import sharpe_ratio
from signoff.stats.sequential import mean_difference_sequence

MIN_PREDICTIONS: Final = 5
BETA_SESSIONS: Final = 250
VAR_SESSIONS: Final = 500


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Population stability of one feature, with the largest value that calm history showed for such a window."""

    feature: str
    psi: float
    null_psi: float
    n: int

    @property
    def is_significant(self) -> bool:
        """Whether the window moved more than windows of this length did in the training data, or nobody can say."""
        return not self.psi <= self.null_psi


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measurement:
    """What is known of a release at the close of one session.

    `returns` and `benchmark` are daily and end with the session; the last `live_sessions` of them were lived in the
    rollout, the ones before come from backtest and paper trading, so that long windows exist on the first day.
    `against_champion` is (n, 2): candidate's and champion's returns on the lived sessions that both have.
    """

    session: date
    returns: Floats
    benchmark: Floats
    live_sessions: int
    latency_ms: Floats
    errors: int
    predictions: int
    drift: tuple[Drift, ...]
    gross_exposure_pct: float | None
    universe_size: int
    against_champion: Floats = field(default_factory=lambda: np.empty((0, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class VarException:
    """A loss beyond the value at risk, and whether the market explains it."""

    is_exception: bool
    is_attributed: bool
    value_at_risk: float
    residual_value_at_risk: float


def observe(measured: Measurement, policy: Policy, assumptions: Mapping[str, str]) -> Observed:
    """Assess one session. `assumptions` maps a title to its monitor expression, e.g. ``psi_max < 0.25``."""
    has_data = measured.predictions > 0 and measured.returns.size > 0
    readings = _readings(measured, policy)
    values = {reading.key: reading.value for reading in readings}
    violated = tuple(
        f"assumption violated or unknown: {title} ({monitor})"
        for title, monitor in assumptions.items()
        if not holds(monitor, values)
    )
    critical = tuple(
        f"{reading.key} is {reading.level}{': ' + reading.detail if reading.detail else ''}"
        for reading in readings
        if reading.level in {Level.CRITICAL, Level.UNKNOWN}
    )
    fired = _fired(measured, policy) if has_data else ()
    no_data = () if has_data else ("no data arrived for this session",)
    return Observed(
        session=measured.session,
        counts=has_data,
        readings=readings,
        fired=fired,
        unmet=(*no_data, *(f"trigger holds: {name}" for name in fired), *critical, *violated),
        is_conclusive=has_data and all(reading.level != Level.UNKNOWN for reading in readings),
    )


def explain(trigger: str, observed: Observed, policy: Policy) -> str:
    """Why a trigger fired, in one clause with its figures."""
    values = {reading.key: reading.value for reading in observed.readings}
    triggers = policy.triggers

    def said(key: str) -> str:
        value = values.get(key)
        return "unknown" if value is None else f"{value:.3g}".replace("-", "−")

    match trigger:
        case "sharpe":
            return (
                f"rolling Sharpe ratio {said('rolling_sharpe_30d')}, below {triggers.sharpe.below:g} for "
                f"{said('sharpe_days_below')} sessions in a row (limit {triggers.sharpe.consecutive_days})"
            )
        case "var":
            return (
                f"{said('var_exceptions_attributed')} value-at-risk breaches attributed to the model within "
                f"{triggers.var.window_days} sessions (limit {triggers.var.exceptions})"
            )
        case "error_rate":
            return f"error rate {said('error_rate_pct')}%, limit {triggers.error_rate_pct:g}%"
        case _:
            return f"latency p95 {said('latency_p95_ms')} ms, limit {triggers.latency_p95_ms:g} ms"


def rolling_sharpe(returns: Floats, window: int) -> float | None:
    """The annualised Sharpe ratio of the last `window` sessions, None where it does not exist."""
    tail = returns[-window:]
    if tail.size < window or not np.isfinite(tail).all() or float(np.std(tail)) == 0.0:
        return None
    return float(sharpe_ratio(tail))


def var_exception(returns: Floats, benchmark: Floats, level: float) -> VarException | None:
    """Whether the last return is beyond the value at risk forecast from the sessions before it.

    The loss is attributed to the model when what is left after beta times the benchmark also lies beyond the value at
    risk of such residuals; otherwise the market explains it. None with fewer than 100 earlier sessions, or
    where one of them is no number.
    """
    past, today = returns[:-1][-VAR_SESSIONS:], float(returns[-1])
    if past.size < 100 or benchmark.size != returns.size:
        return None
    if not (np.isfinite(returns[-VAR_SESSIONS - 1 :]).all() and np.isfinite(benchmark[-BETA_SESSIONS - 1 :]).all()):
        return None
    market = benchmark[:-1][-BETA_SESSIONS:]
    own = returns[:-1][-BETA_SESSIONS:]
    variance = float(np.var(market, ddof=1))
    beta = float(np.cov(own, market, ddof=1)[0, 1]) / variance if variance > 0 else 0.0
    limit = float(np.quantile(past, 1 - level))
    residual_limit = float(np.quantile(own - beta * market, 1 - level))
    is_exception = today < limit
    residual = today - beta * float(benchmark[-1])
    return VarException(
        is_exception=is_exception,
        is_attributed=is_exception and residual < residual_limit,
        value_at_risk=limit,
        residual_value_at_risk=residual_limit,
    )


def _var_exceptions(measured: Measurement, policy: Policy) -> tuple[int, int] | None:
    """(all, attributed) exceptions within the trigger's window of live sessions."""
    days = min(measured.live_sessions, policy.triggers.var.window_days)
    found = []
    for back in range(days):
        end = measured.returns.size - back
        exception = var_exception(measured.returns[:end], measured.benchmark[:end], policy.gates.var.level)
        if exception is None:
            return None
        found.append(exception)
    return sum(x.is_exception for x in found), sum(x.is_attributed for x in found)


def _days_below(measured: Measurement, policy: Policy) -> int | None:
    """For how many sessions in a row the Sharpe ratio of the lived window has been below the trigger's floor.

    Sessions with fewer than the minimum of lived ones before them do not count; a window without a Sharpe ratio is
    unknown.
    """
    trigger = policy.triggers.sharpe
    lived = measured.returns[measured.returns.size - measured.live_sessions :]
    judged = max(0, lived.size - trigger.minimum_days + 1)
    for back in range(judged):
        window = lived[: lived.size - back][-trigger.window_days :]
        value = rolling_sharpe(window, window.size)
        if value is None:
            return None
        if value >= trigger.below:
            return back
    return judged


def _fired(measured: Measurement, policy: Policy) -> tuple[str, ...]:
    triggers, fired = policy.triggers, []
    below = _days_below(measured, policy)
    if below is not None and below >= triggers.sharpe.consecutive_days:
        fired.append("sharpe")
    exceptions = _var_exceptions(measured, policy)
    if exceptions is not None and exceptions[1] >= triggers.var.exceptions:
        fired.append("var")
    if measured.predictions >= MIN_PREDICTIONS:
        if 100.0 * measured.errors / measured.predictions > triggers.error_rate_pct:
            fired.append("error_rate")
        known = measured.latency_ms[np.isfinite(measured.latency_ms)]
        if known.size and float(np.quantile(known, 0.95)) > triggers.latency_p95_ms:
            fired.append("latency_p95")
    return tuple(fired)


def _readings(measured: Measurement, policy: Policy) -> tuple[Reading, ...]:
    alerts, returns = policy.alerts, measured.returns
    enough = measured.predictions >= MIN_PREDICTIONS
    latency = float(np.quantile(measured.latency_ms, 0.95)) if enough and measured.latency_ms.size else None
    errors = 100.0 * measured.errors / measured.predictions if enough else None
    sharpe = rolling_sharpe(returns, policy.triggers.sharpe.window_days)
    worst = max(measured.drift, key=lambda drift: drift.psi, default=None)
    significant = [drift for drift in measured.drift if drift.is_significant]
    psi = max((drift.psi for drift in significant), default=None if worst is None else 0.0)
    if not all(np.isfinite(drift.psi) for drift in significant):
        psi = None
    exceptions = _var_exceptions(measured, policy)
    below = _days_below(measured, policy)
    benchmark_30d = measured.benchmark[-30:]
    index_vol = float(np.std(benchmark_30d, ddof=1) * np.sqrt(252) * 100) if benchmark_30d.size == 30 else None
    latency, exposure = _finite(latency), _finite(measured.gross_exposure_pct)
    return (
        _known("daily_return", _finite(float(returns[-1])) if returns.size else None),
        _known("rolling_sharpe_7d", rolling_sharpe(returns, 7)),
        Reading(key="rolling_sharpe_30d", value=sharpe, level=_falling(sharpe, alerts.sharpe_30d)),
        _known("sharpe_days_below", below),
        Reading(key="psi_max", value=psi, level=_rising(psi, alerts.psi), detail=_drift_detail(worst, significant)),
        Reading(key="latency_p95_ms", value=latency, level=_rising(latency, alerts.latency_p95_ms)),
        Reading(key="error_rate_pct", value=errors, level=_rising(errors, alerts.error_rate_pct)),
        _known("var_exceptions", None if exceptions is None else exceptions[0]),
        _known("var_exceptions_attributed", None if exceptions is None else exceptions[1]),
        _known("gross_exposure_pct", exposure),
        _known("index_vol_30d_pct", _finite(index_vol)),
        _known("universe_size", measured.universe_size),
        _known("predictions", measured.predictions),
        *_less_champion(measured),
    )


def _less_champion(measured: Measurement) -> Iterator[Reading]:
    """Candidate less champion a day, by a confidence sequence, which may be looked at every day.

    It appears once there are enough sessions for one. Below zero beyond doubt it keeps the candidate from advancing;
    it never rolls back by itself, for the memo prints no trigger of that kind.
    """
    both = measured.against_champion
    try:
        found = mean_difference_sequence(both[:, 0], both[:, 1])
    except (InputError, InsufficientData):
        return
    low, high = (f"{1e4 * bound:+.1f}".replace("-", "−") for bound in (found.lower, found.upper))
    yield Reading(
        key="less_champion_bps",
        value=1e4 * found.estimate,
        level=Level.CRITICAL if found.upper < 0 else Level.OK,
        detail=f"95% confidence sequence {low} to {high} bps a day after {found.n} sessions",
    )


def _drift_detail(worst: Drift | None, significant: list[Drift]) -> str:
    if worst is None:
        return "no drift could be measured"
    text = f"largest raw PSI {worst.psi:.2f} on {worst.feature} (n {worst.n}; calm windows reach {worst.null_psi:.2f})"
    return text if significant else f"{text}, within what such windows showed in training"


def _finite(value: float | None) -> float | None:
    """The figure, None where it is no number: what was not measured is unknown, and never within a limit."""
    return value if value is not None and np.isfinite(value) else None


def _known(key: str, value: float | None) -> Reading:
    return Reading(key=key, value=value, level=Level.UNKNOWN if value is None else Level.OK)


def _falling(value: float | None, alert: FallingAlert) -> Level:
    if value is None:
        return Level.UNKNOWN
    if value < alert.critical:
        return Level.CRITICAL
    return Level.WARNING if value < alert.warning else Level.OK


def _rising(value: float | None, alert: RisingAlert) -> Level:
    if value is None:
        return Level.UNKNOWN
    if value > alert.critical:
        return Level.CRITICAL
    return Level.WARNING if value > alert.warning else Level.OK


_EXPRESSION: Final = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")
_COMPARE: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(monitor: str, values: Mapping[str, float | None]) -> bool:
    """Whether an assumption's expression holds on these figures; an unknown figure or expression does not hold."""
    match = _EXPRESSION.fullmatch(monitor)
    if match is None:
        return False
    value = values.get(match[1])
    return value is not None and _COMPARE[match[2]](value, float(match[3]))
