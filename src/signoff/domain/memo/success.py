"""Section 10: the targets of the first 30 days, and who reviews them."""

from signoff.domain.live_metrics import LIVE_METRICS, Heading, Table, targeted, targets
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.markup import declared, lead_in, one
from signoff.domain.memo.release import Release


def success(release: Release, table: Table = LIVE_METRICS) -> Section:
    """Chapter 10."""
    return Section(
        "10",
        "Success Criteria & Review",
        sections=(
            Section("10.1", "Success Metrics (30 days)", _metrics(release, table)),
            Section("10.2", "Post-Deployment Review", _review(release)),
        ),
    )


def _metrics(release: Release, table: Table) -> tuple[Block, ...]:
    """Every target under its heading, as a field, or as a sentence if the row has one."""
    limits = targets(release.policy, release.dossier.success, table)
    blocks: list[Block] = []
    for heading in Heading:
        rows = [(row, target, limits[row.key]) for row, target in targeted(table) if target.heading is heading]
        fields = tuple(
            (row.worded("{name}", release.policy), Cell(limit.text, is_figure=True))
            for row, target, limit in rows
            if not target.words
        )
        texts = tuple(target.words.format(limit=limit) for _, target, limit in rows if target.words)
        blocks += [lead_in(heading.value), *([Fields(fields)] if fields else []), *([Bullets(texts)] if texts else [])]
    return tuple(blocks)


def _review(release: Release) -> tuple[Block, ...]:
    review = release.dossier.success
    return (
        one("30-Day Review", Cell(f"Scheduled for {review.review_date}")),
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
        one("Attendees", Cell(declared(release.author, ", ".join(review.attendees)))),
    )
