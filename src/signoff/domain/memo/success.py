"""Section 10: what the first 30 days are held against, and who looks at them."""

from signoff.domain.live_thresholds import targets
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.pieces import lead_in, one
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
    held_to = targets(release.policy, release.dossier.success)

    def target(title: str, key: str) -> tuple[str, Cell]:
        return title, Cell(held_to[key].text, is_figure=True)

    return (
        lead_in("Performance Targets"),
        Fields(
            (
                target("Sharpe Ratio", "sharpe"),
                target("Hit Rate", "hit_rate_pct"),
                target("Max Drawdown", "max_drawdown_pct"),
                target("Correlation with backtest", "correlation_with_backtest"),
            )
        ),
        lead_in("Operational Targets"),
        Fields(
            (
                target("Uptime", "uptime_pct"),
                target("Latency p95", "latency_p95_ms"),
                target("Error rate", "error_rate_pct"),
            )
        ),
        lead_in("Risk Targets"),
        Bullets(
            (
                "No VaR breaches attributed to model",
                f"Drift metrics within acceptable ranges (PSI {held_to['psi_max'].text})",
                "No critical incidents",
            )
        ),
    )


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
