"""Section 4: how the release is rolled out, watched and approved.

Every threshold comes from the policy, as in monitoring. A line of the template that nothing measures reads
"not measured" or "not evidenced"; what people ask for is a declaration.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

from signoff.domain.conflict_of_interest import ground_text
from signoff.domain.dossier import Signatory
from signoff.domain.events import Signature, Vote
from signoff.domain.live_metrics import (
    LIVE_METRICS,
    Alert,
    LiveMetric,
    MetricGroup,
    Table,
    tracked,
    triggers,
)
from signoff.domain.memo.document import Block, Bullets, Cell, Column, Fields, Mark, Paragraph, Section
from signoff.domain.memo.document import Table as Rows
from signoff.domain.memo.markup import (
    ABSENT,
    declared,
    declared_by,
    lead_in,
    linked,
    listed,
    one,
    plain,
    versioned,
    words,
)
from signoff.domain.memo.release import Release
from signoff.domain.policy import DayCount, Policy, Role, Tier
from signoff.domain.quantity import NOT_PROVIDED, Unit, number
from signoff.domain.silence import rule
from signoff.domain.thresholds import ThresholdKind

_VERDICT_MARK: Final = {
    Vote.APPROVE: Mark.APPROVED,
    Vote.CONDITIONAL: Mark.CONDITIONAL,
    Vote.REJECT: Mark.REJECTED,
}


def plan(release: Release, table: Table = LIVE_METRICS) -> Section:
    """Chapter 4, whose thresholds and readings are those of the table of metrics."""
    return Section(
        "4",
        "Deployment Plan",
        sections=(
            Section("4.1", "Phased Rollout", _rollout(release, table)),
            Section("4.2", "Monitoring Plan", _monitoring(release, table)),
            Section("4.3", "Approval Checklist", _approvals(release)),
        ),
    )


def false_alarm_rate(annual_sharpe: float, threshold: float, window_days: int, sessions_a_year: float = 252.0) -> float:
    """P(Sharpe ratio over a window < threshold) on one day, if the true ratio is `annual_sharpe`.

    Normal approximation with the standard error of Lo (2002) for independent returns, √((1 + SR²/2) / n) per session.
    """
    session_sharpe = annual_sharpe / sessions_a_year**0.5
    error = ((1 + session_sharpe**2 / 2) / window_days * sessions_a_year) ** 0.5
    return NormalDist(annual_sharpe, error).cdf(threshold)


def _rollout(release: Release, table: Table) -> tuple[Block, ...]:
    policy = release.policy
    phases = policy.phases
    shadow, limited = phases.shadow_days, phases.shadow_days + phases.limited_days
    days = f"sessions of {phases.calendar}" if phases.days is DayCount.SESSIONS else "calendar days"
    tightened = release.dossier.plan.tighten
    previous = release.dossier.header.previous_version
    beside = f"; its returns are compared with {versioned(previous)}'s" if previous else ""
    readings = len(tracked(has_champion=previous is not None, table=table))
    return (
        Paragraph(f"Days are {days}; a day counts only when it was observed and nothing was paused.", is_note=True),
        lead_in(f"Phase 1: Shadow Mode (Days 1-{shadow})"),
        Bullets(
            (
                "Model runs in parallel, predictions logged but not traded: no day counts without a journaled one",
                f"Compare predictions with live market outcomes: not measured{beside}",
                f"Monitor for anomalies: the {readings} readings of 4.2, every session",
            )
        ),
        lead_in(f"Phase 2: Limited Deployment (Days {shadow + 1}-{limited})"),
        Bullets(
            (
                f"Enable trading with {phases.limited_allocation_pct}% of target allocation",
                "Monitor performance, latency, error rates: a reading that is critical or unknown holds the advance",
                _daily_review(release),
            )
        ),
        lead_in(f"Phase 3: Full Deployment (Days {limited + 1}+)"),
        Bullets(
            (
                "Ramp to 100% allocation if Phase 2 successful: no trigger holds and every assumption does",
                f"Continue enhanced monitoring for {phases.enhanced_monitoring_days} days: not evidenced, "
                "every session is monitored alike",
            )
        ),
        lead_in("Rollback Triggers (any phase)"),
        Bullets(rollback_triggers(policy, table)),
        Paragraph(_false_alarm(release), is_note=True),
        lead_in("Silence (any phase)"),
        Bullets((rule(policy),)),
        *([_tightened(tightened)] if tightened else []),
        *(one(f"Shortened by {s.rule}", Cell(s.text)) for s in release.shortenings),
    )


def _daily_review(release: Release) -> str:
    """The condition of an approval that asks for a daily review, if there is one."""
    asked = "; ".join(release.daily_reviews)
    return f"Daily review with risk team: {asked or 'not evidenced, no step waits for it'}"


def rollback_triggers(policy: Policy, table: Table = LIVE_METRICS) -> tuple[str, ...]:
    """The triggers in the policy's numbers."""
    return tuple(
        row.worded(trigger.printed, policy, limit=row.threshold(policy, ThresholdKind.TRIGGER))
        for row, trigger in triggers(table)
    )


def _tightened(values: Mapping[str, float]) -> Block:
    stricter = "; ".join(f"{path} = {plain(value)}" for path, value in values.items())
    return one("Stricter than the policy by this dossier", Cell(stricter))


def _false_alarm(release: Release) -> str:
    trigger = release.policy.triggers.sharpe
    row = next((row for row in release.assessment.metrics if row.key == "sharpe"), None)
    if row is None or row.new.value is None:
        return f"False-alarm rate of the Sharpe trigger: {NOT_PROVIDED}."
    rate = false_alarm_rate(row.new.value, trigger.below, trigger.window_days, release.policy.phases.sessions_a_year)
    return (
        f"False-alarm rate of the Sharpe trigger (single day, normal approximation): if the true Sharpe ratio is the "
        f"backtest's {number(row.new.value, Unit.RATIO)}, the rolling {trigger.window_days}-day figure lies below "
        f"{plain(trigger.below)} on {number(rate, Unit.PERCENT, 0)}% of days by chance (standard error of Lo 2002). "
        f"The trigger asks for {trigger.consecutive_days} such days in a row."
    )


def _monitoring(release: Release, table: Table) -> tuple[Block, ...]:
    monitoring = release.dossier.plan.monitoring
    alerts = declared(release.author, f"{monitoring.pager}; {', '.join(monitoring.channels)}")
    return (
        lead_in("Real-Time Monitoring"),
        Fields(
            (
                ("Dashboard", linked(monitoring.dashboard, release.standing.links)),
                ("Alerts", Cell(alerts)),
            )
        ),
        lead_in("Metrics Tracked"),
        _tracked(release, table),
        lead_in("Alert Thresholds"),
        _alerts(release.policy, table),
        Paragraph(_acts(release), is_note=True),
    )


def _tracked(release: Release, table: Table) -> Fields:
    """What monitoring reads every session, and nothing else."""
    read = tracked(has_champion=release.dossier.header.previous_version is not None, table=table)
    texts = {
        group: [row.worded(row.title, release.policy) for row in read if row.group is group] for group in MetricGroup
    }
    return Fields(tuple((group.value, Cell(", ".join(titles))) for group, titles in texts.items() if titles))


def _acts(release: Release) -> str:
    """What follows automatically, and who declares the actions."""
    policy = release.policy
    return (
        "By itself: a warning is shown; a critical or unknown reading is a notice addressed to "
        f"{release.dossier.rollback.incident_channel} and holds the advance; a trigger of 4.1 rolls back. The actions "
        f"are declared by policy {policy.name} {policy.version}, for people."
    )


def _alerts(policy: Policy, table: Table) -> Rows:
    columns = tuple(Column(title) for title in ("Metric", "Warning", "Critical", "Action"))
    return Rows(columns, tuple(_alert(policy, row, row.alert) for row in table if row.alert is not None))


def _alert(policy: Policy, row: LiveMetric, alert: Alert) -> tuple[Cell, ...]:
    levels = (
        each.text for each in row.thresholds(policy) if each.kind in {ThresholdKind.WARNING, ThresholdKind.CRITICAL}
    )
    figures = (Cell(level, is_figure=True) for level in levels)
    return Cell(row.worded("{name}", policy)), *figures, Cell(alert.of(policy).action)


def _approvals(release: Release) -> tuple[Block, ...]:
    columns = tuple(Column(t) for t in ("Role", "Name", "Verdict", "Date", "Signed with", "Conditions"))
    return (
        declared_by("Pre-Deployment Sign-offs, who holds which role", release.author),
        Rows(columns, tuple(_approval(role, release) for role in Role)),
        *_tier_asked(release),
        one("Deployment Approval", Cell(release.decision.value.capitalize(), mark=release.decision)),
        lead_in("Conditions"),
        listed(release.conditions, "None."),
        lead_in("May not sign"),
        listed(_may_not_sign(release), "Put on record, with the reasons, when the release is submitted."),
    )


def _may_not_sign(release: Release) -> tuple[str, ...]:
    """Everyone with a conflict of interest, with every reason; a release of an older Signoff has names only."""
    grounds = release.standing.grounds
    reasons: dict[str, list[str]] = {} if grounds else {name: [] for name in release.standing.barred}
    for ground in grounds:
        reasons.setdefault(ground.name, []).append(ground_text(ground))
    return tuple(f"{name}: {'; '.join(why)}" if why else name for name, why in reasons.items())


def _tier_asked(release: Release) -> tuple[Block, ...]:
    """Which roles sign with an authenticator; empty if a key is enough for all."""
    approvals = release.policy.approvals
    asked = [role.title for role in release.standing.required if approvals.tier_for(role) is Tier.WEBAUTHN]
    return (one("Signed with an authenticator (webauthn)", Cell(", ".join(asked))),) if asked else ()


def _approval(role: Role, release: Release) -> tuple[Cell, ...]:
    """A role's line: the signature that counts, else the latest one and why it does not count."""
    signatory = next((s for s in release.dossier.plan.signatories if s.role is role), None)
    title = f"{role.title} (if required)" if role is Role.COMPLIANCE else role.title
    every = [s for s in release.standing.approvals if s.role is role]
    signature = release.approval(role) or (every[-1] if every else None)
    if role not in release.standing.required:
        return Cell(title), _person(signatory), Cell("not required"), Cell(""), Cell(""), Cell("")
    if signature is None:
        return Cell(title), _person(signatory), Cell("", mark=Mark.PENDING), ABSENT, ABSENT, Cell("")
    return (
        Cell(title),
        _signer(signature, signatory),
        _verdict(signature, release),
        Cell(str(signature.signed_at.date()), is_figure=True),
        Cell(signature.made_with, is_figure=True),
        Cell("; ".join(signature.conditions) or (signature.reason or "none")),
    )


def _verdict(signature: Signature, release: Release) -> Cell:
    if signature.verdict is Vote.REJECT:
        return Cell("", mark=Mark.REJECTED)
    if not release.counts(signature):
        return Cell("void: not over this memo", mark=Mark.PENDING)
    return Cell("", mark=_VERDICT_MARK[signature.verdict])


def _signer(signature: Signature, named: Signatory | None) -> Cell:
    is_named = named is not None and named.name == signature.person
    return Cell(
        signature.person if is_named else f"{signature.person} (named: {named.name if named else NOT_PROVIDED})"
    )


def _person(signatory: Signatory | None) -> Cell:
    return words(signatory.name if signatory else None)
