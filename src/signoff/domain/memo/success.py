"""Section 10: what the first 30 days are held against, and who looks at them."""

from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.pieces import lead_in, one, plain
from signoff.domain.memo.release import Release


def success(release: Release) -> Section:
    """Chapter 10."""
    return Section(
        "10",
        "Success Criteria & Review",
        sections=(
            Section("10.1", "Success Metrics (30 days)", _metrics(release)),
            Section("10.2", "Post-Deployment Review", _review(release)),
        ),
    )


def _metrics(release: Release) -> tuple[Block, ...]:
    declared, floor = release.dossier.success, release.policy.success
    return (
        lead_in("Performance Targets"),
        Fields(
            (
                ("Sharpe Ratio", _target("≥", declared.sharpe)),
                ("Hit Rate", _target("≥", declared.hit_rate_pct, "%")),
                ("Max Drawdown", _target("≥", declared.max_drawdown_pct, "%")),
                ("Correlation with backtest", _target(">", floor.correlation_with_backtest)),
            )
        ),
        lead_in("Operational Targets"),
        Fields(
            (
                ("Uptime", _target(">", floor.uptime_pct, "%")),
                ("Latency p95", _target("<", declared.latency_p95_ms, " ms")),
                ("Error rate", _target("<", floor.error_rate_pct, "%")),
            )
        ),
        lead_in("Risk Targets"),
        Bullets(
            (
                "No VaR breaches attributed to model",
                f"Drift metrics within acceptable ranges (PSI ≤ {plain(release.policy.alerts.psi.warning)})",
                "No critical incidents",
            )
        ),
    )


def _target(sign: str, value: float, suffix: str = "") -> Cell:
    return Cell(f"{sign} {plain(value)}{suffix}", is_figure=True)


def _review(release: Release) -> tuple[Block, ...]:
    declared = release.dossier.success
    return (
        one("30-Day Review", Cell(f"Scheduled for {declared.review_date}")),
        lead_in("Review Agenda"),
        Bullets(
            (
                "Actual vs. expected performance",
                "Operational issues encountered",
                "Drift detection results",
                "Risk metric compliance",
                "Lessons learned",
            )
        ),
        one("Attendees", Cell(", ".join(declared.attendees))),
    )
