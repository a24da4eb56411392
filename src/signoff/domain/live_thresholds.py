"""The one table of thresholds that a live release is held against, by the key of the reading that each judges.

The memo prints it (4.1 triggers, 4.2 alerts, 5.1 occasions, 10.1 targets); monitoring and the review enforce it. Figure
and sign stand in one row, so that what is printed and what is enforced cannot differ.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signoff.domain.dossier import Success
from signoff.domain.policy import FallingAlert, Policy, RisingAlert

NEVER: Final = 0.0
WHOLE_PCT: Final = 100.0


class Kind(StrEnum):
    """What a threshold is for: an alert of 4.2, a rollback trigger of 4.1, or a target of 10.1."""

    WARNING = "warning"
    CRITICAL = "critical"
    TRIGGER = "trigger"
    TARGET = "target"


class Sign(StrEnum):
    """How a figure is held against a threshold."""

    BELOW = "<"
    ABOVE = ">"
    AT_MOST = "≤"
    AT_LEAST = "≥"


_COMPARE: Final[Mapping[Sign, Callable[[float, float], bool]]] = {
    Sign.BELOW: operator.lt,
    Sign.ABOVE: operator.gt,
    Sign.AT_MOST: operator.le,
    Sign.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveThreshold:
    """One row. An alert or a trigger holds where the figure is bad; a target holds where it is met."""

    key: str
    kind: Kind
    sign: Sign
    value: float
    unit: str = ""

    def holds(self, figure: float) -> bool:
        """Whether a figure stands to the threshold as the sign says."""
        return _COMPARE[self.sign](figure, self.value)

    @property
    def text(self) -> str:
        """The row as it is printed: sign, figure, unit."""
        return f"{self.sign} {self.figure}"

    @property
    def figure(self) -> str:
        """The figure as its owner wrote it, with its unit."""
        return f"{self.value:,g}{self.unit}".replace("-", "−")


def threshold(policy: Policy, key: str, kind: Kind) -> LiveThreshold:
    """The row of the policy that judges this reading."""
    return next(row for row in _of_policy(policy) if row.key == key and row.kind is kind)


def targets(policy: Policy, success: Success) -> Mapping[str, LiveThreshold]:
    """The targets of section 10.1, in its order."""
    floor = policy.success
    up = Sign.ABOVE if floor.uptime_pct < WHOLE_PCT else Sign.AT_LEAST  # nothing is above all of them
    rows = (
        _target("sharpe", Sign.AT_LEAST, success.sharpe),
        _target("hit_rate_pct", Sign.AT_LEAST, success.hit_rate_pct, "%"),
        _target("max_drawdown_pct", Sign.AT_LEAST, success.max_drawdown_pct, "%"),
        _target("correlation_with_backtest", Sign.ABOVE, floor.correlation_with_backtest),
        _target("uptime_pct", up, floor.uptime_pct, "%"),
        _target("latency_p95_ms", Sign.BELOW, success.latency_p95_ms, " ms"),
        _target("error_rate_pct", Sign.BELOW, floor.error_rate_pct, "%"),
        _target("var_exceptions_attributed", Sign.AT_MOST, NEVER),
        _target("psi_max", Sign.AT_MOST, policy.alerts.psi.warning),
        _target("critical_incidents", Sign.AT_MOST, NEVER),
    )
    return {row.key: row for row in rows}


def live_thresholds(policy: Policy, success: Success) -> tuple[LiveThreshold, ...]:
    """The whole table."""
    return (*_of_policy(policy), *targets(policy, success).values())


def _of_policy(policy: Policy) -> Iterator[LiveThreshold]:
    alerts, triggers = policy.alerts, policy.triggers
    yield from _alerts("rolling_sharpe_30d", alerts.sharpe_30d)
    yield from _alerts("psi_max", alerts.psi)
    yield from _alerts("latency_p95_ms", alerts.latency_p95_ms, " ms", at_most=triggers.latency_p95_ms)
    yield from _alerts("error_rate_pct", alerts.error_rate_pct, "%", at_most=triggers.error_rate_pct)
    yield _trigger("rolling_sharpe_30d", Sign.BELOW, triggers.sharpe.below)
    yield _trigger("sharpe_days_below", Sign.AT_LEAST, triggers.sharpe.consecutive_days)
    yield _trigger("var_exceptions_attributed", Sign.AT_LEAST, triggers.var.exceptions)
    yield _trigger("error_rate_pct", Sign.ABOVE, triggers.error_rate_pct, "%")
    yield _trigger("latency_p95_ms", Sign.ABOVE, triggers.latency_p95_ms, " ms")


def _alerts(
    key: str, alert: FallingAlert | RisingAlert, unit: str = "", *, at_most: float | None = None
) -> Iterator[LiveThreshold]:
    """Warning and critical level; what rolls back is critical at the latest there."""
    sign = Sign.BELOW if isinstance(alert, FallingAlert) else Sign.ABOVE
    for kind, level in ((Kind.WARNING, alert.warning), (Kind.CRITICAL, alert.critical)):
        value = level if at_most is None else min(level, at_most)
        yield LiveThreshold(key=key, kind=kind, sign=sign, value=value, unit=unit)


def _trigger(key: str, sign: Sign, value: float, unit: str = "") -> LiveThreshold:
    return LiveThreshold(key=key, kind=Kind.TRIGGER, sign=sign, value=value, unit=unit)


def _target(key: str, sign: Sign, value: float, unit: str = "") -> LiveThreshold:
    return LiveThreshold(key=key, kind=Kind.TARGET, sign=sign, value=value, unit=unit)
