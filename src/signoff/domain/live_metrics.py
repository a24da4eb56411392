"""The table of live metrics: each with its computation, words, thresholds and effects.

Readings, rollback triggers and their reasons, sections 4.1, 4.2, 5.1 and 10.1 of the memo and the 30-day review derive
from it, so that printed and enforced levels cannot differ. A new metric is a new row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from signoff.domain.commitments import Success
from signoff.domain.events import Level, Reading, RollbackCause
from signoff.domain.monitoring import operational, plausible, quality, returns
from signoff.domain.monitoring.metric_inputs import MetricInputs
from signoff.domain.monitoring.readings import Figure
from signoff.domain.monitoring.usual import STILL
from signoff.domain.policy import FallingAlert, Policy, RisingAlert
from signoff.domain.thresholds import LiveThreshold, Sign, ThresholdKind

NEVER: Final = 0.0
WHOLE_PCT: Final = 100.0
WEEK: Final = 7


Compute = Callable[[MetricInputs], Figure | float | None]
Promised = Callable[[Policy, Success], float]


class MetricGroup(StrEnum):
    """The rows of section 4.2; the last two are beside the template's."""

    PERFORMANCE = "Performance"
    PREDICTIONS = "Predictions"
    DRIFT = "Drift"
    OPERATIONS = "Operations"
    RISK = "Risk"
    CHAMPION = "Against the champion"
    DATA = "Data"


class Heading(StrEnum):
    """The parts of section 10.1."""

    PERFORMANCE = "Performance Targets"
    OPERATIONS = "Operational Targets"
    RISK = "Risk Targets"


@dataclass(frozen=True, slots=True)
class Alert:
    """Warning and critical level with their action, from one key of the policy."""

    of: Callable[[Policy], FallingAlert | RisingAlert]


@dataclass(frozen=True, slots=True)
class RollbackTrigger:
    """An automatic rollback, when the reading compared with `level` by `sign` holds.

    `name` is the trigger in the ledger. The first of several that hold, by `precedence`, gives the `cause`. `printed`
    is its line in 4.1 and `reason` its clause in the ledger, both with {limit}; the reason has {reading} as well.
    """

    name: str
    cause: RollbackCause
    level: Callable[[Policy], float]
    sign: Sign = Sign.ABOVE
    precedence: int = 9
    printed: str = "{name} {limit.text}"
    reason: str = "{title} {reading}, limit {limit.figure}"


@dataclass(frozen=True, slots=True)
class Target:
    """A line of section 10.1; `words` if the template has a sentence."""

    heading: Heading
    sign: Sign
    level: Promised
    words: str = ""


@dataclass(frozen=True, slots=True)
class LiveMetric:
    """One row. `title` names the metric in lists, `name` at the beginning of a line.

    `compute` gives the figure of a session, None if unknown. The review computes a row without it, over the whole
    period. `window` is its length in sessions by the policy, and `floor` a threshold by which another row counts
    sessions. `is_fault` marks a count of faults in the data, which is unknown above zero. `while_open` marks rows read
    before the close. `spoken` and `spoken_window` are the names of metric and window in promises.
    """

    key: str
    group: MetricGroup
    title: str
    compute: Compute | None = None
    _: KW_ONLY
    name: str = ""
    unit: str = ""
    spoken: str = ""
    spoken_window: str = ""
    window: Callable[[Policy], int] | None = None
    floor: Callable[[Policy], LiveThreshold] | None = None
    alert: Alert | None = None
    trigger: RollbackTrigger | None = None
    target: Target | None = None
    is_fault: bool = False
    while_open: bool = False

    def worded(self, text: str, policy: Policy, **more: object) -> str:
        """A text of the row with the policy's figures filled in."""
        window = "" if self.window is None else self.window(policy)
        floor = returns.sharpe_floor(policy)
        title, name = (each.format(window=window) for each in (self.title, self.name or self.title))
        name = f"{name[:1].upper()}{name[1:]}"
        return text.format(title=title, name=name, window=window, floor=floor, policy=policy, **more)

    def thresholds(self, policy: Policy) -> Iterator[LiveThreshold]:
        """The levels of its alert and trigger; the critical level is never beyond the trigger."""
        if (alert := self.alert) is not None:
            levels = alert.of(policy)
            sign, worse = (Sign.BELOW, max) if isinstance(levels, FallingAlert) else (Sign.ABOVE, min)
            most = (self.trigger.level(policy),) if self.trigger is not None and self.trigger.sign is sign else ()
            yield self._threshold(ThresholdKind.WARNING, sign, worse((levels.warning, *most)))
            yield self._threshold(ThresholdKind.CRITICAL, sign, worse((levels.critical, *most)))
        if self.trigger is not None:
            yield self._threshold(ThresholdKind.TRIGGER, self.trigger.sign, self.trigger.level(policy))
        if self.floor is not None:
            yield self.floor(policy)

    def threshold(self, policy: Policy, kind: ThresholdKind) -> LiveThreshold | None:
        """Its level of one kind."""
        return next((each for each in self.thresholds(policy) if each.kind is kind), None)

    def held_to(self, policy: Policy, success: Success) -> LiveThreshold | None:
        """Its target of section 10.1."""
        if (target := self.target) is None:
            return None
        value, sign = target.level(policy, success), target.sign
        if sign is Sign.ABOVE and self.unit == "%" and value >= WHOLE_PCT:
            sign = Sign.AT_LEAST  # nothing is above all of them
        return self._threshold(ThresholdKind.TARGET, sign, value)

    def bounds(self, policy: Policy) -> str:
        """Its alert levels in words."""
        levels = (each for each in self.thresholds(policy) if each.kind is not ThresholdKind.TRIGGER)
        return ", ".join(f"{each.kind} {each.sign.word} {each.figure}" for each in levels)

    def _threshold(self, kind: ThresholdKind, sign: Sign, value: float) -> LiveThreshold:
        return LiveThreshold(key=self.key, kind=kind, sign=sign, value=value, unit=self.unit)


Table = tuple[LiveMetric, ...]


def _never(_policy: Policy, _success: Success) -> float:
    return NEVER


def _reviewed(
    key: str, title: str, heading: Heading, sign: Sign, level: Promised, unit: str = "", *, words: str = ""
) -> LiveMetric:
    """A row that the review computes over the whole period."""
    return LiveMetric(key, MetricGroup[heading.name], title, unit=unit, target=Target(heading, sign, level, words))


_fault: Final = partial(LiveMetric, is_fault=True)

LIVE_METRICS: Final[Table] = (
    LiveMetric("daily_return", MetricGroup.PERFORMANCE, "daily return", lambda s: returns.daily_return(s.track)),
    LiveMetric(
        "rolling_sharpe_7d",
        MetricGroup.PERFORMANCE,
        "rolling Sharpe (7d)",
        lambda s: returns.sharpe(s.track, s.policy, WEEK),
        spoken="Sharpe ratio",
    ),
    LiveMetric(
        "rolling_sharpe_30d",
        MetricGroup.PERFORMANCE,
        "rolling Sharpe ({window}d)",
        lambda s: returns.sharpe(s.track, s.policy),
        name="Sharpe ({window}d)",
        spoken="Sharpe ratio",
        window=lambda p: p.triggers.sharpe.window_days,
        floor=returns.sharpe_floor,
        alert=Alert(lambda p: p.alerts.sharpe_30d),
    ),
    LiveMetric(
        "sharpe_days_below",
        MetricGroup.PERFORMANCE,
        "sessions below the trigger's floor",
        lambda s: returns.below(s.track, s.policy),
        spoken="Sharpe ratio's days in a row",
        window=lambda p: p.triggers.sharpe.window_days,
        trigger=RollbackTrigger(
            "sharpe",
            RollbackCause.PERFORMANCE,
            lambda p: p.triggers.sharpe.consecutive_days,
            Sign.AT_LEAST,
            precedence=1,
            printed="Sharpe {floor.text} for {limit.figure} consecutive days (annualised, rolling {window} days, "
            "judged from {policy.triggers.sharpe.minimum_days} live days on)",
            reason="Sharpe ratio of the lived sessions below {floor.figure} for {reading} sessions in a row "
            "(limit {limit.figure})",
        ),
    ),
    _reviewed("sharpe", "Sharpe Ratio", Heading.PERFORMANCE, Sign.AT_LEAST, lambda _, s: s.sharpe),
    _reviewed("hit_rate_pct", "Hit Rate", Heading.PERFORMANCE, Sign.AT_LEAST, lambda _, s: s.hit_rate_pct, "%"),
    _reviewed(
        "max_drawdown_pct", "Max Drawdown", Heading.PERFORMANCE, Sign.AT_LEAST, lambda _, s: s.max_drawdown_pct, "%"
    ),
    _reviewed(
        "correlation_with_backtest",
        "Correlation with backtest",
        Heading.PERFORMANCE,
        Sign.ABOVE,
        lambda p, _: p.success.correlation_with_backtest,
    ),
    LiveMetric(
        "var_exceptions",
        MetricGroup.RISK,
        "VaR exceptions",
        lambda s: returns.exceptions(s.track, s.exceptions, s.exceptions.exceptions),
        spoken="VaR exceptions",
    ),
    LiveMetric(
        "var_exceptions_attributed",
        MetricGroup.RISK,
        "VaR exceptions attributed to the model",
        lambda s: returns.exceptions(s.track, s.exceptions, s.exceptions.attributed),
        spoken="VaR exceptions",
        spoken_window="VaR exceptions' window in days",
        window=lambda p: p.triggers.var.window_days,
        trigger=RollbackTrigger(
            "var",
            RollbackCause.RISK_BREACH,
            lambda p: p.triggers.var.exceptions,
            Sign.AT_LEAST,
            precedence=2,
            printed="VaR breach attributed to model: {limit.figure} or more exceptions within {window} days",
            reason="{reading} value-at-risk breaches attributed to the model within {window} sessions "
            "(limit {limit.figure})",
        ),
        target=Target(Heading.RISK, Sign.AT_MOST, _never, words="No VaR breaches attributed to model"),
    ),
    LiveMetric(
        "psi_max",
        MetricGroup.DRIFT,
        "largest PSI of all features",
        lambda s: quality.psi(s.measured),
        name="PSI",
        spoken="PSI",
        alert=Alert(lambda p: p.alerts.psi),
        target=Target(
            Heading.RISK,
            Sign.AT_MOST,
            lambda p, _: p.alerts.psi.warning,
            words="Drift metrics within acceptable ranges (PSI {limit.text})",
        ),
    ),
    _reviewed("uptime_pct", "Uptime", Heading.OPERATIONS, Sign.ABOVE, lambda p, _: p.success.uptime_pct, "%"),
    LiveMetric(
        "latency_p95_ms",
        MetricGroup.OPERATIONS,
        "latency p95",
        lambda s: operational.latency(s.outcomes),
        unit=" ms",
        spoken="latency p95",
        alert=Alert(lambda p: p.alerts.latency_p95_ms),
        trigger=RollbackTrigger("latency_p95", RollbackCause.ERROR, lambda p: p.triggers.latency_p95_ms, precedence=4),
        target=Target(Heading.OPERATIONS, Sign.BELOW, lambda _, s: s.latency_p95_ms),
        while_open=True,
    ),
    LiveMetric(
        "error_rate_pct",
        MetricGroup.OPERATIONS,
        "error rate",
        lambda s: operational.error_rate(s.outcomes),
        unit="%",
        spoken="error rate",
        alert=Alert(lambda p: p.alerts.error_rate_pct),
        trigger=RollbackTrigger("error_rate", RollbackCause.ERROR, lambda p: p.triggers.error_rate_pct, precedence=3),
        target=Target(Heading.OPERATIONS, Sign.BELOW, lambda p, _: p.success.error_rate_pct),
        while_open=True,
    ),
    LiveMetric(
        "gross_exposure_pct",
        MetricGroup.RISK,
        "gross exposure",
        lambda s: quality.exposure(s.measured),
        unit="%",
        spoken="exposure",
    ),
    LiveMetric(
        "index_vol_30d_pct",
        MetricGroup.RISK,
        "volatility of the benchmark (30d)",
        lambda s: returns.volatility(s.track, s.policy),
        unit="%",
        spoken="volatility",
    ),
    LiveMetric(
        "predictions", MetricGroup.PREDICTIONS, "number", lambda s: operational.predicted(s.outcomes), while_open=True
    ),
    LiveMetric(
        "universe_size", MetricGroup.PREDICTIONS, "symbols", lambda s: operational.symbols(s.outcomes), while_open=True
    ),
    LiveMetric(
        "less_champion_bps",
        MetricGroup.CHAMPION,
        "mean daily difference with its 95% confidence sequence",
        lambda s: returns.less_champion(s.track),
        unit=" bps",
    ),
    _fault("missing_returns", MetricGroup.DATA, "missing returns", lambda s: returns.missing(s.track)),
    _fault(
        "returns_implausible",
        MetricGroup.DATA,
        "returns too large for one session",
        lambda s: returns.too_large(s.track),
    ),
    _fault(
        "prediction_gaps",
        MetricGroup.PREDICTIONS,
        "predictions that are not a number",
        lambda s: operational.gaps(s.outcomes),
        while_open=True,
    ),
    _fault(
        "error_gaps",
        MetricGroup.OPERATIONS,
        "predictions without an error flag",
        lambda s: operational.unflagged(s.outcomes),
        while_open=True,
    ),
    _fault("duplicate_rows", MetricGroup.DATA, "duplicate rows", lambda s: quality.doubled(s.measured, s.outcomes)),
    _fault("unordered_rows", MetricGroup.DATA, "rows out of order", lambda s: quality.unordered(s.measured)),
    _fault("missing_features", MetricGroup.DRIFT, "lost features", lambda s: quality.missing_features(s.measured)),
    _fault(
        "feature_gaps",
        MetricGroup.DRIFT,
        "features with more gaps than in training",
        lambda s: quality.feature_gaps(s.measured),
    ),
    _fault(
        "reference_changed",
        MetricGroup.DRIFT,
        "changes to the training data's file",
        lambda s: quality.reference(s.measured),
    ),
    _fault("future_rows", MetricGroup.DATA, "rows dated in the future", lambda s: quality.future_rows(s.measured)),
    _fault(
        "features_out_of_range",
        MetricGroup.DRIFT,
        "features outside the training range",
        lambda s: s.feature_values.unusual(plausible.SIZES),
    ),
    _fault(
        "features_jumped",
        MetricGroup.DRIFT,
        "features that jumped",
        lambda s: s.feature_values.unusual(plausible.MOVES, has_past=True),
    ),
    _fault(
        "features_frozen",
        MetricGroup.DRIFT,
        "frozen features",
        lambda s: s.feature_values.unusual((STILL,), has_past=True),
    ),
    _fault(
        "predictions_alike",
        MetricGroup.PREDICTIONS,
        "predictions more alike than is usual",
        lambda s: s.prediction_values.alike(),
    ),
    _fault("predictions_frozen", MetricGroup.PREDICTIONS, "frozen predictions", lambda s: s.prediction_values.frozen()),
    _fault(
        "predictions_out_of_range",
        MetricGroup.PREDICTIONS,
        "predictions outside the usual range, once that is known",
        lambda s: s.prediction_values.out_of_range(),
    ),
    _fault(
        "symbols_new", MetricGroup.PREDICTIONS, "new symbols", lambda s: quality.added_symbols(s.measured, s.outcomes)
    ),
    _fault(
        "symbols_lost", MetricGroup.PREDICTIONS, "lost symbols", lambda s: quality.gone_symbols(s.measured, s.outcomes)
    ),
    _reviewed(
        "critical_incidents", "Critical incidents", Heading.RISK, Sign.AT_MOST, _never, words="No critical incidents"
    ),
)


def tracked(*, has_champion: bool, table: Table = LIVE_METRICS) -> Table:
    """The rows that are read every session; those against the champion only if there is one."""
    read = (each for each in table if each.compute is not None)
    return tuple(each for each in read if has_champion or each.group is not MetricGroup.CHAMPION)


def metric(key: str, table: Table = LIVE_METRICS) -> LiveMetric:
    """The row of a key."""
    return next(each for each in table if each.key == key)


def triggers(table: Table = LIVE_METRICS) -> tuple[tuple[LiveMetric, RollbackTrigger], ...]:
    """The rows with an automatic rollback, by precedence of the cause."""
    rows = ((each, each.trigger) for each in table if each.trigger is not None)
    return tuple(sorted(rows, key=lambda pair: pair[1].precedence))


def cause(trigger: str, table: Table = LIVE_METRICS) -> RollbackCause:
    """The recorded cause of a rollback by this trigger; an unknown trigger has one too, since nothing may stop it."""
    return next((one.cause for _, one in triggers(table) if one.name == trigger), RollbackCause.ERROR)


def reason(trigger: str, readings: Mapping[str, Reading], policy: Policy, table: Table = LIVE_METRICS) -> str:
    """Why a trigger holds, with the figure of its reading, or "unknown"."""
    match = next(((row, one) for row, one in triggers(table) if one.name == trigger), None)
    if match is None:
        return f"trigger {trigger}, which this Signoff does not know"
    row, one = match
    limit, read = row.threshold(policy, ThresholdKind.TRIGGER), readings.get(row.key)
    assert limit is not None
    if read is None or read.value is None:
        text = row.worded(one.reason, policy, limit=limit, reading="unknown")
        return f"{text}: {read.detail}" if read is not None and read.detail else text
    shown, is_few = limit.shown(read.value), read.n is not None and read.n < operational.MIN_PREDICTIONS
    if read.level == Level.UNKNOWN:
        bound = "at most" if limit.sign in {Sign.BELOW, Sign.AT_MOST} else "at least"
        text = row.worded(one.reason, policy, limit=limit, reading=f"{bound} {shown}")
        return f"{text}; the exact figure is unknown: {read.detail}"
    text = row.worded(one.reason, policy, limit=limit, reading=shown)
    return f"{text}: {read.detail}" if is_few else text


def threshold(policy: Policy, key: str, kind: ThresholdKind, table: Table = LIVE_METRICS) -> LiveThreshold:
    """The threshold of one kind that judges this reading."""
    level = metric(key, table).threshold(policy, kind)
    if level is None:
        raise LookupError(f"{key} has no {kind} level")
    return level


def targets(policy: Policy, success: Success, table: Table = LIVE_METRICS) -> Mapping[str, LiveThreshold]:
    """The targets of section 10.1, in its order."""
    return {row.key: limit for row, _ in targeted(table) if (limit := row.held_to(policy, success)) is not None}


def targeted(table: Table = LIVE_METRICS) -> tuple[tuple[LiveMetric, Target], ...]:
    """The rows that section 10.1 has a target for, in its order."""
    rows = [(each, each.target) for each in table if each.target is not None]
    return tuple(sorted(rows, key=lambda pair: list(Heading).index(pair[1].heading)))
