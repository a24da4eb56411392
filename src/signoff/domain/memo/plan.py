"""Section 4: how the release is rolled out, watched and approved.

Every threshold stands here as the policy has it, which is also where the monitoring reads it.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

from signoff.domain.dossier import Signatory
from signoff.domain.events import Signature, Verdict
from signoff.domain.independence import told
from signoff.domain.memo.document import Block, Bullets, Cell, Column, Fields, Mark, Paragraph, Section, Table
from signoff.domain.memo.pieces import ABSENT, lead_in, linked, listed, one, plain, words
from signoff.domain.memo.release import Release
from signoff.domain.policy import DayCount, FallingAlert, Policy, RisingAlert, Role, Tier
from signoff.domain.quantity import NOT_PROVIDED, Unit, number
from signoff.domain.silence import rule

SESSIONS_A_YEAR: Final = 252

_VERDICT_MARK: Final = {
    Verdict.APPROVE: Mark.APPROVED,
    Verdict.CONDITIONAL: Mark.CONDITIONAL,
    Verdict.REJECT: Mark.REJECTED,
}
_METRICS_TRACKED: Final = (
    ("Performance", "Rolling Sharpe (1d, 7d, 30d), daily P&L"),
    ("Predictions", "Distribution, confidence scores, volume"),
    ("Drift", "PSI, KS test, feature distributions"),
    ("Against the champion", "Mean daily difference with its 95% confidence sequence; below zero, no advance"),
    ("Operations", "Latency, error rate, throughput"),
    ("Risk", "VaR, position concentration, exposure"),
)


def plan(release: Release) -> Section:
    """Chapter 4."""
    return Section(
        "4",
        "Deployment Plan",
        sections=(
            Section("4.1", "Phased Rollout", _rollout(release)),
            Section("4.2", "Monitoring Plan", _monitoring(release)),
            Section("4.3", "Approval Checklist", _approvals(release)),
        ),
    )


def false_alarm_rate(annual_sharpe: float, threshold: float, window_days: int) -> float:
    """P(Sharpe ratio over a window < threshold) on one day, if the true ratio is `annual_sharpe`.

    Normal approximation with the standard error of Lo (2002) for independent returns, √((1 + SR²/2) / n) per session.
    """
    session_sharpe = annual_sharpe / SESSIONS_A_YEAR**0.5
    error = ((1 + session_sharpe**2 / 2) / window_days * SESSIONS_A_YEAR) ** 0.5
    return NormalDist(annual_sharpe, error).cdf(threshold)


def _rollout(release: Release) -> tuple[Block, ...]:
    policy = release.policy
    phases = policy.phases
    shadow, limited = phases.shadow_days, phases.shadow_days + phases.limited_days
    days = f"sessions of {phases.calendar}" if phases.days is DayCount.SESSIONS else "calendar days"
    tightened = release.dossier.plan.tighten
    return (
        Paragraph(f"Days are {days}; a day counts only when it was observed and nothing was paused.", is_note=True),
        lead_in(f"Phase 1: Shadow Mode (Days 1-{shadow})"),
        Bullets(
            (
                "Model runs in parallel, predictions logged but not traded",
                "Compare predictions with live market outcomes",
                "Monitor for anomalies",
            )
        ),
        lead_in(f"Phase 2: Limited Deployment (Days {shadow + 1}-{limited})"),
        Bullets(
            (
                f"Enable trading with {phases.limited_allocation_pct}% of target allocation",
                "Monitor performance, latency, error rates",
                "Daily review with risk team",
            )
        ),
        lead_in(f"Phase 3: Full Deployment (Days {limited + 1}+)"),
        Bullets(
            (
                "Ramp to 100% allocation if Phase 2 successful",
                f"Continue enhanced monitoring for {phases.enhanced_monitoring_days} days",
            )
        ),
        lead_in("Rollback Triggers (any phase)"),
        Bullets(rollback_triggers(policy)),
        Paragraph(_false_alarm(release), is_note=True),
        lead_in("Silence (any phase)"),
        Bullets((rule(policy),)),
        *([_tightened(tightened)] if tightened else []),
        *(one(f"Shortened by {s.rule}", Cell(s.text)) for s in release.shortenings),
    )


def rollback_triggers(policy: Policy) -> tuple[str, ...]:
    """The four triggers in the policy's numbers."""
    sharpe, var = policy.triggers.sharpe, policy.triggers.var
    return (
        f"Sharpe < {plain(sharpe.below)} for {sharpe.consecutive_days} consecutive days "
        f"(annualised, rolling {sharpe.window_days} days, judged from {sharpe.minimum_days} live days on)",
        f"VaR breach attributed to model: {var.exceptions} or more exceptions within {var.window_days} days",
        f"Error rate > {plain(policy.triggers.error_rate_pct)}%",
        f"Latency p95 > {plain(policy.triggers.latency_p95_ms)} ms",
    )


def _tightened(values: Mapping[str, float]) -> Block:
    stricter = "; ".join(f"{path} = {plain(value)}" for path, value in values.items())
    return one("Stricter than the policy by this dossier", Cell(stricter))


def _false_alarm(release: Release) -> str:
    trigger = release.policy.triggers.sharpe
    row = next((row for row in release.assessment.metrics if row.key == "sharpe"), None)
    if row is None or row.new.value is None:
        return f"False-alarm rate of the Sharpe trigger: {NOT_PROVIDED}."
    rate = false_alarm_rate(row.new.value, trigger.below, trigger.window_days)
    return (
        f"False-alarm rate of the Sharpe trigger (single day, normal approximation): if the true Sharpe ratio is the "
        f"backtest's {number(row.new.value, Unit.RATIO)}, the rolling {trigger.window_days}-day figure lies below "
        f"{plain(trigger.below)} on {number(rate, Unit.PERCENT, 0)}% of days by chance (standard error of Lo 2002). "
        f"The trigger asks for {trigger.consecutive_days} such days in a row."
    )


def _monitoring(release: Release) -> tuple[Block, ...]:
    declared = release.dossier.plan.monitoring
    alerts = f"{declared.pager}; {', '.join(declared.channels)}"
    return (
        lead_in("Real-Time Monitoring"),
        Fields(
            (
                ("Dashboard", linked(declared.dashboard, release.standing.links)),
                ("Alerts", words(alerts)),
            )
        ),
        lead_in("Metrics Tracked"),
        Fields(tuple((title, Cell(text)) for title, text in _METRICS_TRACKED)),
        lead_in("Alert Thresholds"),
        _alerts(release.policy),
    )


def _alerts(policy: Policy) -> Table:
    alerts = policy.alerts
    rows = (
        _alert("Sharpe (30d)", alerts.sharpe_30d, ""),
        _alert("PSI", alerts.psi, ""),
        _alert("Latency p95", alerts.latency_p95_ms, " ms"),
        _alert("Error rate", alerts.error_rate_pct, "%"),
    )
    return Table(tuple(Column(title) for title in ("Metric", "Warning", "Critical", "Action")), rows)


def _alert(title: str, alert: FallingAlert | RisingAlert, suffix: str) -> tuple[Cell, ...]:
    sign = "<" if isinstance(alert, FallingAlert) else ">"
    levels = (f"{sign} {plain(level)}{suffix}" for level in (alert.warning, alert.critical))
    return Cell(title), *(Cell(level, is_figure=True) for level in levels), Cell(alert.action)


def _approvals(release: Release) -> tuple[Block, ...]:
    columns = tuple(Column(t) for t in ("Role", "Name", "Verdict", "Date", "Signed with", "Conditions"))
    return (
        lead_in("Pre-Deployment Sign-offs"),
        Table(columns, tuple(_approval(role, release) for role in Role)),
        *_tier_asked(release),
        one("Deployment Approval", Cell(release.decision.value.capitalize(), mark=release.decision)),
        lead_in("Conditions"),
        listed(release.conditions, "None."),
        lead_in("May not sign"),
        listed(_may_not_sign(release), "Put on record, with the reasons, when the release is submitted."),
    )


def _may_not_sign(release: Release) -> tuple[str, ...]:
    """Everybody whose own work this is, with every reason; a release of an older Signoff has the names alone."""
    grounds = release.standing.grounds
    reasons: dict[str, list[str]] = {} if grounds else {name: [] for name in release.standing.barred}
    for ground in grounds:
        reasons.setdefault(ground.name, []).append(told(ground))
    return tuple(f"{name}: {'; '.join(why)}" if why else name for name, why in reasons.items())


def _tier_asked(release: Release) -> tuple[Block, ...]:
    """Which roles sign with an authenticator; nothing where a key is enough for all."""
    approvals = release.policy.approvals
    asked = [role.title for role in release.standing.required if approvals.tier_for(role) is Tier.WEBAUTHN]
    return (one("Signed with an authenticator (webauthn)", Cell(", ".join(asked))),) if asked else ()


def _approval(role: Role, release: Release) -> tuple[Cell, ...]:
    """A role's line: what counts first, else what was said and why it does not count."""
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
    if signature.verdict is Verdict.REJECT:
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
