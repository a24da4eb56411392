"""Section 10: what the first 30 days are held against, and who looks at them."""

from signoff.domain.live_metrics import LIVE_METRICS, Heading, LiveMetric, Table, targeted, targets
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.pieces import lead_in, one
from signoff.domain.memo.release import Release
from signoff.domain.thresholds import LiveThreshold


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
    """Every target of the table under its heading: a field where it has a title, else a sentence."""
    blocks: list[Block] = []
    for heading in Heading:
        rows = [(row, target) for row, target in targeted(table) if target.heading is heading]
        fields = tuple(
            (target.title, Cell(_limit(row, release).text, is_figure=True)) for row, target in rows if target.title
        )
        said = tuple(target.words.format(limit=_limit(row, release)) for row, target in rows if not target.title)
        blocks += [lead_in(heading.value)]
        blocks += [Fields(fields)] if fields else []
        blocks += [Bullets(said)] if said else []
    return tuple(blocks)


def _limit(row: LiveMetric, release: Release) -> LiveThreshold:
    return targets(release.policy, release.dossier.success, (row,))[row.key]


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
