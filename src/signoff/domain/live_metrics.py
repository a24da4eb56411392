"""The one table of what is watched of a live release: each metric with its figure, words, thresholds and effects.

Readings, rollback triggers and their reasons, sections 4.1, 4.2, 5.1 and 10.1 of the memo and the 30-day review derive
from it, so that what is printed and what is enforced cannot differ. A new metric is a new row.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signoff.domain.dossier import Success
from signoff.domain.events import Occasion, Reading
from signoff.domain.monitoring import operational, plausible, quality, returns
from signoff.domain.monitoring.readings import Figure
from signoff.domain.monitoring.session import Session
from signoff.domain.monitoring.usual import STILL
from signoff.domain.policy import FallingAlert, Policy, RisingAlert
from signoff.domain.thresholds import Kind, LiveThreshold, Sign

NEVER: Final = 0.0
WHOLE_PCT: Final = 100.0
WEEK: Final = 7


class Group(StrEnum):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Warning and critical level with their action, as the policy has them under one key.

    What rolls back is critical at the latest there: `at_most` is the trigger's level.
    """

    of: Callable[[Policy], FallingAlert | RisingAlert]
    at_most: Callable[[Policy], float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A rollback that begins by itself where the reading stands to `level` as `sign` says.

    `name` is the trigger in the ledger. The first of several that hold, by `precedence`, gives the `cause`. `printed`
    is its line in 4.1 and `reason` its clause in the ledger, both with {limit}; the reason has {reading} as well.
    """

    name: str
    cause: Occasion
    level: Callable[[Policy], float]
    sign: Sign = Sign.ABOVE
    precedence: int = 9
    printed: str = "{name} {limit.text}"
    reason: str = "{title} {reading}, limit {limit.figure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A line of section 10.1. `words` stands for title and threshold where the template has a sentence."""

    heading: Heading
    title: str = ""
    sign: Sign
    level: Callable[[Policy, Success], float]
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMetric:
    """One row. `title` names the metric in lists and `name` where it stands first.

    `compute` gives the figure of a session, None where it is unknown. The review computes a row without it, over the
    whole period. `window` is its length in sessions by the policy, and `floor` what another row counts sessions by.
    `is_fault` marks a count of what is wrong with the data, which is unknown above zero. `while_open` marks what is
    looked at before the close. `spoken` and `spoken_window` are what people's promises call metric and window.
    """

    key: str
    group: Group
    title: str
    name: str = ""
    unit: str = ""
    spoken: str = ""
    spoken_window: str = ""
    compute: Callable[[Session], Figure | float | None] | None = None
    window: Callable[[Policy], int] | None = None
    floor: Callable[[Policy], LiveThreshold] | None = None
    alert: Alert | None = None
    trigger: Trigger | None = None
    target: Target | None = None
    is_fault: bool = False
    while_open: bool = False

    def worded(self, text: str, policy: Policy, **more: object) -> str:
        """A text of the row with the policy's figures in their places."""
        window = "" if self.window is None else self.window(policy)
        floor = returns.sharpe_floor(policy)
        names = {"title": self.title, "name": self.name or f"{self.title[:1].upper()}{self.title[1:]}"}
        filled = {key: each.format(window=window) for key, each in names.items()}
        return text.format(**filled, window=window, floor=floor, policy=policy, **more)

    def thresholds(self, policy: Policy) -> Iterator[LiveThreshold]:
        """The levels of its alert and of its trigger."""
        if (alert := self.alert) is not None:
            given, most = alert.of(policy), None if alert.at_most is None else alert.at_most(policy)
            sign = Sign.BELOW if isinstance(given, FallingAlert) else Sign.ABOVE
            for kind, level in ((Kind.WARNING, given.warning), (Kind.CRITICAL, given.critical)):
                yield self._threshold(kind, sign, level if most is None else min(level, most))
        if self.trigger is not None:
            yield self._threshold(Kind.TRIGGER, self.trigger.sign, self.trigger.level(policy))
        if self.floor is not None:
            yield self.floor(policy)

    def threshold(self, policy: Policy, kind: Kind) -> LiveThreshold | None:
        """Its level of one kind."""
        return next((each for each in self.thresholds(policy) if each.kind is kind), None)

    def held_to(self, policy: Policy, success: Success) -> LiveThreshold | None:
        """Its target of section 10.1."""
        if (target := self.target) is None:
            return None
        value, sign = target.level(policy, success), target.sign
        if sign is Sign.ABOVE and self.unit == "%" and value >= WHOLE_PCT:
            sign = Sign.AT_LEAST  # nothing is above all of them
        return self._threshold(Kind.TARGET, sign, value)

    def bounds(self, policy: Policy) -> str:
        """Its alert levels in words."""
        levels = (each for each in self.thresholds(policy) if each.kind is not Kind.TRIGGER)
        return ", ".join(f"{each.kind} {each.sign.word} {each.figure}" for each in levels)

    def _threshold(self, kind: Kind, sign: Sign, value: float) -> LiveThreshold:
        return LiveThreshold(key=self.key, kind=kind, sign=sign, value=value, unit=self.unit)


Table = tuple[LiveMetric, ...]


def _never(_policy: Policy, _success: Success) -> float:
    return NEVER


LIVE_METRICS: Final[Table] = (
    LiveMetric(
        key="daily_return",
        group=Group.PERFORMANCE,
        title="daily return",
        compute=lambda session: returns.daily_return(session.track),
    ),
    LiveMetric(
        key="rolling_sharpe_7d",
        group=Group.PERFORMANCE,
        title="rolling Sharpe (7d)",
        spoken="Sharpe ratio",
        compute=lambda session: returns.sharpe(session.track, WEEK, session.policy),
    ),
    LiveMetric(
        key="rolling_sharpe_30d",
        group=Group.PERFORMANCE,
        title="rolling Sharpe ({window}d)",
        name="Sharpe ({window}d)",
        spoken="Sharpe ratio",
        window=lambda policy: policy.triggers.sharpe.window_days,
        compute=lambda session: returns.sharpe(
            session.track, session.policy.triggers.sharpe.window_days, session.policy
        ),
        floor=returns.sharpe_floor,
        alert=Alert(of=lambda policy: policy.alerts.sharpe_30d),
    ),
    LiveMetric(
        key="sharpe_days_below",
        group=Group.PERFORMANCE,
        title="sessions below the trigger's floor",
        spoken="Sharpe ratio's days in a row",
        window=lambda policy: policy.triggers.sharpe.window_days,
        compute=lambda session: returns.below(session.track, session.policy),
        trigger=Trigger(
            name="sharpe",
            cause=Occasion.PERFORMANCE,
            level=lambda policy: policy.triggers.sharpe.consecutive_days,
            sign=Sign.AT_LEAST,
            precedence=1,
            printed="Sharpe {floor.text} for {limit.figure} consecutive days (annualised, rolling {window} days, "
            "judged from {policy.triggers.sharpe.minimum_days} live days on)",
            reason="Sharpe ratio of the lived sessions below {floor.figure} for {reading} sessions in a row "
            "(limit {limit.figure})",
        ),
    ),
    LiveMetric(
        key="sharpe",
        group=Group.PERFORMANCE,
        title="Sharpe ratio over the whole period",
        target=Target(
            heading=Heading.PERFORMANCE,
            title="Sharpe Ratio",
            sign=Sign.AT_LEAST,
            level=lambda _, success: success.sharpe,
        ),
    ),
    LiveMetric(
        key="hit_rate_pct",
        group=Group.PERFORMANCE,
        title="hit rate",
        unit="%",
        target=Target(
            heading=Heading.PERFORMANCE,
            title="Hit Rate",
            sign=Sign.AT_LEAST,
            level=lambda _, success: success.hit_rate_pct,
        ),
    ),
    LiveMetric(
        key="max_drawdown_pct",
        group=Group.PERFORMANCE,
        title="largest drawdown",
        unit="%",
        target=Target(
            heading=Heading.PERFORMANCE,
            title="Max Drawdown",
            sign=Sign.AT_LEAST,
            level=lambda _, success: success.max_drawdown_pct,
        ),
    ),
    LiveMetric(
        key="correlation_with_backtest",
        group=Group.PERFORMANCE,
        title="correlation with the backtest",
        target=Target(
            heading=Heading.PERFORMANCE,
            title="Correlation with backtest",
            sign=Sign.ABOVE,
            level=lambda policy, _: policy.success.correlation_with_backtest,
        ),
    ),
    LiveMetric(
        key="var_exceptions",
        group=Group.RISK,
        title="VaR exceptions",
        spoken="VaR exceptions",
        window=lambda policy: policy.triggers.var.window_days,
        compute=lambda session: returns.exceptions(session.track, session.exceptions, session.exceptions.exceptions),
    ),
    LiveMetric(
        key="var_exceptions_attributed",
        group=Group.RISK,
        title="VaR exceptions attributed to the model",
        spoken="VaR exceptions",
        spoken_window="VaR exceptions' window in days",
        window=lambda policy: policy.triggers.var.window_days,
        compute=lambda session: returns.exceptions(session.track, session.exceptions, session.exceptions.attributed),
        trigger=Trigger(
            name="var",
            cause=Occasion.RISK_BREACH,
            level=lambda policy: policy.triggers.var.exceptions,
            sign=Sign.AT_LEAST,
            precedence=2,
            printed="VaR breach attributed to model: {limit.figure} or more exceptions within {window} days",
            reason="{reading} value-at-risk breaches attributed to the model within {window} sessions "
            "(limit {limit.figure})",
        ),
        target=Target(
            heading=Heading.RISK, sign=Sign.AT_MOST, level=_never, words="No VaR breaches attributed to model"
        ),
    ),
    LiveMetric(
        key="psi_max",
        group=Group.DRIFT,
        title="largest PSI of all features",
        name="PSI",
        spoken="PSI",
        compute=lambda session: quality.psi(session.measured),
        alert=Alert(of=lambda policy: policy.alerts.psi),
        target=Target(
            heading=Heading.RISK,
            sign=Sign.AT_MOST,
            level=lambda policy, _: policy.alerts.psi.warning,
            words="Drift metrics within acceptable ranges (PSI {limit.text})",
        ),
    ),
    LiveMetric(
        key="uptime_pct",
        group=Group.OPERATIONS,
        title="uptime",
        unit="%",
        target=Target(
            heading=Heading.OPERATIONS,
            title="Uptime",
            sign=Sign.ABOVE,
            level=lambda policy, _: policy.success.uptime_pct,
        ),
    ),
    LiveMetric(
        key="latency_p95_ms",
        group=Group.OPERATIONS,
        title="latency p95",
        unit=" ms",
        spoken="latency p95",
        compute=lambda session: operational.latency(session.outcomes),
        alert=Alert(
            of=lambda policy: policy.alerts.latency_p95_ms, at_most=lambda policy: policy.triggers.latency_p95_ms
        ),
        trigger=Trigger(
            name="latency_p95",
            cause=Occasion.ERROR,
            level=lambda policy: policy.triggers.latency_p95_ms,
            precedence=4,
        ),
        target=Target(
            heading=Heading.OPERATIONS,
            title="Latency p95",
            sign=Sign.BELOW,
            level=lambda _, success: success.latency_p95_ms,
        ),
        while_open=True,
    ),
    LiveMetric(
        key="error_rate_pct",
        group=Group.OPERATIONS,
        title="error rate",
        unit="%",
        spoken="error rate",
        compute=lambda session: operational.error_rate(session.outcomes),
        alert=Alert(
            of=lambda policy: policy.alerts.error_rate_pct, at_most=lambda policy: policy.triggers.error_rate_pct
        ),
        trigger=Trigger(
            name="error_rate",
            cause=Occasion.ERROR,
            level=lambda policy: policy.triggers.error_rate_pct,
            precedence=3,
        ),
        target=Target(
            heading=Heading.OPERATIONS,
            title="Error rate",
            sign=Sign.BELOW,
            level=lambda policy, _: policy.success.error_rate_pct,
        ),
        while_open=True,
    ),
    LiveMetric(
        key="gross_exposure_pct",
        group=Group.RISK,
        title="gross exposure",
        unit="%",
        spoken="exposure",
        compute=lambda session: quality.exposure(session.measured),
    ),
    LiveMetric(
        key="index_vol_30d_pct",
        group=Group.RISK,
        title="volatility of the benchmark (30d)",
        unit="%",
        spoken="volatility",
        compute=lambda session: returns.volatility(session.track, session.policy),
    ),
    LiveMetric(
        key="predictions",
        group=Group.PREDICTIONS,
        title="number",
        compute=lambda session: operational.predicted(session.outcomes),
        while_open=True,
    ),
    LiveMetric(
        key="universe_size",
        group=Group.PREDICTIONS,
        title="symbols",
        compute=lambda session: operational.symbols(session.outcomes),
        while_open=True,
    ),
    LiveMetric(
        key="less_champion_bps",
        group=Group.CHAMPION,
        title="mean daily difference with its 95% confidence sequence",
        unit=" bps",
        compute=lambda session: returns.less_champion(session.track),
    ),
    LiveMetric(
        key="missing_returns",
        group=Group.DATA,
        title="missing returns",
        compute=lambda session: returns.missing(session.track),
        is_fault=True,
    ),
    LiveMetric(
        key="returns_implausible",
        group=Group.DATA,
        title="returns too large for one session",
        compute=lambda session: returns.too_large(session.track),
        is_fault=True,
    ),
    LiveMetric(
        key="prediction_gaps",
        group=Group.PREDICTIONS,
        title="predictions that are not a number",
        compute=lambda session: operational.gaps(session.outcomes),
        is_fault=True,
        while_open=True,
    ),
    LiveMetric(
        key="error_gaps",
        group=Group.OPERATIONS,
        title="predictions without an error flag",
        compute=lambda session: operational.unflagged(session.outcomes),
        is_fault=True,
        while_open=True,
    ),
    LiveMetric(
        key="duplicate_rows",
        group=Group.DATA,
        title="duplicate rows",
        compute=lambda session: quality.doubled(session.measured, session.outcomes),
        is_fault=True,
    ),
    LiveMetric(
        key="unordered_rows",
        group=Group.DATA,
        title="rows out of order",
        compute=lambda session: quality.unordered(session.measured),
        is_fault=True,
    ),
    LiveMetric(
        key="missing_features",
        group=Group.DRIFT,
        title="lost features",
        compute=lambda session: quality.missing_features(session.measured),
        is_fault=True,
    ),
    LiveMetric(
        key="feature_gaps",
        group=Group.DRIFT,
        title="features with more gaps than in training",
        compute=lambda session: quality.feature_gaps(session.measured),
        is_fault=True,
    ),
    LiveMetric(
        key="reference_changed",
        group=Group.DRIFT,
        title="changes to the training data's file",
        compute=lambda session: quality.reference(session.measured),
        is_fault=True,
    ),
    LiveMetric(
        key="future_rows",
        group=Group.DATA,
        title="rows dated in the future",
        compute=lambda session: quality.future_rows(session.measured),
        is_fault=True,
    ),
    LiveMetric(
        key="features_out_of_range",
        group=Group.DRIFT,
        title="features outside the training range",
        compute=lambda session: session.feature_values.unusual(plausible.SIZES),
        is_fault=True,
    ),
    LiveMetric(
        key="features_jumped",
        group=Group.DRIFT,
        title="features that jumped",
        compute=lambda session: session.feature_values.unusual(plausible.MOVES, has_past=True),
        is_fault=True,
    ),
    LiveMetric(
        key="features_frozen",
        group=Group.DRIFT,
        title="frozen features",
        compute=lambda session: session.feature_values.unusual((STILL,), has_past=True),
        is_fault=True,
    ),
    LiveMetric(
        key="predictions_alike",
        group=Group.PREDICTIONS,
        title="predictions more alike than is usual",
        compute=lambda session: session.prediction_values.alike(),
        is_fault=True,
    ),
    LiveMetric(
        key="predictions_frozen",
        group=Group.PREDICTIONS,
        title="frozen predictions",
        compute=lambda session: session.prediction_values.frozen(),
        is_fault=True,
    ),
    LiveMetric(
        key="predictions_out_of_range",
        group=Group.PREDICTIONS,
        title="predictions outside the usual range, once that is known",
        compute=lambda session: session.prediction_values.out_of_range(),
        is_fault=True,
    ),
    LiveMetric(
        key="symbols_new",
        group=Group.PREDICTIONS,
        title="new symbols",
        compute=lambda session: quality.added_symbols(session.measured, session.outcomes),
        is_fault=True,
    ),
    LiveMetric(
        key="symbols_lost",
        group=Group.PREDICTIONS,
        title="lost symbols",
        compute=lambda session: quality.gone_symbols(session.measured, session.outcomes),
        is_fault=True,
    ),
    LiveMetric(
        key="critical_incidents",
        group=Group.RISK,
        title="critical incidents",
        target=Target(heading=Heading.RISK, sign=Sign.AT_MOST, level=_never, words="No critical incidents"),
    ),
)


def tracked(*, has_champion: bool, table: Table = LIVE_METRICS) -> Table:
    """What is read of a release every session; against the champion only where there is one."""
    read = (each for each in table if each.compute is not None)
    return tuple(each for each in read if has_champion or each.group is not Group.CHAMPION)


def metric(key: str, table: Table = LIVE_METRICS) -> LiveMetric:
    """The row of a key."""
    return next(each for each in table if each.key == key)


def triggers(table: Table = LIVE_METRICS) -> tuple[tuple[LiveMetric, Trigger], ...]:
    """The rows that roll back by themselves, the one that names the cause first."""
    found = ((each, each.trigger) for each in table if each.trigger is not None)
    return tuple(sorted(found, key=lambda pair: pair[1].precedence))


def cause(trigger: str, table: Table = LIVE_METRICS) -> Occasion:
    """What a rollback by this trigger is recorded as; an error of one that is in no row, since nothing may stop it."""
    return next((one.cause for _, one in triggers(table) if one.name == trigger), Occasion.ERROR)


def reason(trigger: str, readings: Mapping[str, Reading], policy: Policy, table: Table = LIVE_METRICS) -> str:
    """Why a trigger holds, with the figure of the very reading that it was judged by; unknown where there is none."""
    found = next(((row, one) for row, one in triggers(table) if one.name == trigger), None)
    if found is None:
        return f"trigger {trigger}, which this Signoff does not know"
    row, one = found
    limit, read = row.threshold(policy, Kind.TRIGGER), readings.get(row.key)
    assert limit is not None
    if read is None or read.value is None:
        said = row.worded(one.reason, policy, limit=limit, reading="unknown")
        return f"{said}: {read.detail}" if read is not None and read.detail else said
    shown, is_few = limit.shown(read.value), read.n is not None and read.n < operational.MIN_PREDICTIONS
    if read.level == "unknown":
        bound = "at most" if limit.sign in {Sign.BELOW, Sign.AT_MOST} else "at least"
        said = row.worded(one.reason, policy, limit=limit, reading=f"{bound} {shown}")
        return f"{said}; the exact figure is unknown: {read.detail}"
    said = row.worded(one.reason, policy, limit=limit, reading=shown)
    return f"{said}: {read.detail}" if is_few else said


def threshold(policy: Policy, key: str, kind: Kind, table: Table = LIVE_METRICS) -> LiveThreshold:
    """The threshold of one kind that judges this reading."""
    found = metric(key, table).threshold(policy, kind)
    if found is None:
        raise LookupError(f"{key} has no {kind} level")
    return found


def targets(policy: Policy, success: Success, table: Table = LIVE_METRICS) -> Mapping[str, LiveThreshold]:
    """The targets of section 10.1, in its order."""
    return {row.key: found for row, _ in targeted(table) if (found := row.held_to(policy, success)) is not None}


def targeted(table: Table = LIVE_METRICS) -> tuple[tuple[LiveMetric, Target], ...]:
    """The rows that section 10.1 has a target for, in its order."""
    found = [(each, each.target) for each in table if each.target is not None]
    return tuple(sorted(found, key=lambda pair: list(Heading).index(pair[1].heading)))


def live_thresholds(policy: Policy, success: Success, table: Table = LIVE_METRICS) -> tuple[LiveThreshold, ...]:
    """Every threshold that acts."""
    return (*(each for row in table for each in row.thresholds(policy)), *targets(policy, success, table).values())
