"""The validation report: every gate with its picture, its sentence, its conventions, and what would change the verdict.

One list of sections, rendered as PDF and as a page that loads nothing.
"""

from collections.abc import Iterator
from typing import Final

from signoff.domain.assessment import Assessment
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Finding
from signoff.domain.memo.document import Align, Block, Cell, Column, Fields, Mark, Memo, Paragraph, Section, Table
from signoff.domain.memo.markup import lead_in
from signoff.domain.outcome import Outcome
from signoff.rendering.attachments import report_footer
from signoff.rendering.html import escape, page, sections_as_html
from signoff.rendering.pdf import report

TITLE: Final = "Validation results"
_WORDS: Final = {
    Outcome.PASS: "passes",
    Outcome.FAIL: "fails",
    Outcome.INCONCLUSIVE: "is inconclusive",
    Outcome.ERROR: "could not be computed",
}


def validation_pdf(assessment: Assessment, evidence: Evidence, memo: Memo) -> bytes:
    """The report as PDF."""
    sections = validation_sections(assessment, evidence)
    return report(TITLE, f"{memo.model} v{memo.version}", report_footer(memo), sections, is_paged=True)


def validation_html(assessment: Assessment, evidence: Evidence, memo: Memo) -> bytes:
    """The report as one self-contained page."""
    sections = validation_sections(assessment, evidence)
    head = (
        f'<div class="label">{TITLE}</div><h1>{escape(memo.model)} <span class="version">v{escape(memo.version)}</span>'
        f"</h1><nav>{''.join(_link(section) for section in sections)}</nav>"
    )
    body = f"{head}{sections_as_html(sections)}<footer>{escape(report_footer(memo))}</footer>"
    return page(f"{TITLE}: {memo.model} v{memo.version}", body)


def validation_sections(assessment: Assessment, evidence: Evidence) -> tuple[Section, ...]:
    """The verdicts at a glance, each gate, and the track record."""
    parts: list[tuple[str, tuple[Block, ...]]] = [("At a glance", tuple(_overview(assessment)))]
    parts += [(finding.title, tuple(_gate(finding, assessment, evidence))) for finding in assessment.findings]
    parts.append(("New against old", tuple(_comparison(assessment))))
    return tuple(Section(str(n), title, blocks) for n, (title, blocks) in enumerate(parts, start=1))


def _link(section: Section) -> str:
    return f'<a href="#s{escape(section.number)}">{escape(section.number)} {escape(section.title)}</a>'


def _overview(assessment: Assessment) -> Iterator[Block]:
    start, end = assessment.period
    blocking = assessment.blocking
    verdict = (
        f"{len(blocking)} blocking gate{'s' if len(blocking) > 1 else ''} not passed: "
        f"{', '.join(finding.title for finding in blocking)}."
        if blocking
        else "Every gate that blocks has passed."
    )
    yield Paragraph(f"Backtest {start} to {end}, {assessment.curves.dates.size:,} sessions. {verdict}")
    right = Align.RIGHT
    columns = (
        Column("Gate"),
        Column("Threshold", right),
        Column("Result", right),
        Column("n", right),
        Column("In the policy"),
        Column("Status", right),
    )
    yield Table(columns, tuple(_row(finding) for finding in assessment.findings))


def _row(finding: Finding) -> tuple[Cell, ...]:
    return (
        Cell(finding.title),
        Cell(f"{finding.comparison.value} {finding.threshold.text}", is_figure=True),
        Cell(finding.statistic.text, is_figure=finding.statistic.is_provided),
        Cell(f"{finding.n:,}", is_figure=True),
        Cell("blocks" if finding.is_blocking else "advisory"),
        Cell("", mark=Mark(finding.word)),
    )


def _gate(finding: Finding, assessment: Assessment, evidence: Evidence) -> Iterator[Block]:
    yield Fields(
        (
            ("Status", Cell("", mark=Mark(finding.word))),
            ("Result", Cell(finding.statistic.text, is_figure=finding.statistic.is_provided)),
            ("Threshold", Cell(f"{finding.comparison.value} {finding.threshold.text}", is_figure=True)),
            ("Sample", Cell(f"{finding.n:,}", is_figure=True)),
            ("In the policy", Cell("blocks" if finding.is_blocking else "advisory")),
        )
    )
    yield Paragraph(finding.reason)
    yield from finding.charts
    if finding.key == "point_in_time":
        yield from _point_in_time(assessment, evidence)
    yield lead_in("What would change the verdict")
    yield Paragraph(_turning_point(finding))
    yield Paragraph(f"Conventions: {finding.method}.", is_note=True)
    if finding.figures:
        rows = tuple((Cell(q.label), Cell(q.text, is_figure=q.is_provided)) for q in finding.figures)
        yield Table((Column("Figure"), Column("Value", Align.RIGHT)), rows)


def _turning_point(finding: Finding) -> str:
    if finding.outcome in {Outcome.INCONCLUSIVE, Outcome.ERROR}:
        return f"This gate {_WORDS[finding.outcome]}; the reason above says what it needs."
    return finding.turning_point or "Nothing near these data."


def _comparison(assessment: Assessment) -> Iterator[Block]:
    compared = (
        ("Sharpe difference", assessment.sharpe_difference),
        ("p, delta method", assessment.sharpe_difference_p),
        ("p, bootstrap", assessment.sharpe_difference_bootstrap_p),
    )
    yield Fields(tuple((title, Cell(q.text, is_figure=q.is_provided)) for title, q in compared))
    yield Paragraph(
        "The difference of annualised Sharpe ratios, new less old, on the dates that both have. Two-sided p-values of "
        f"no difference: {assessment.sharpe_difference_p.source}; {assessment.sharpe_difference_bootstrap_p.source}. A "
        "large p-value does not show that the two are equal.",
        is_note=True,
    )
    yield from assessment.charts


def _point_in_time(assessment: Assessment, evidence: Evidence) -> Iterator[Block]:
    """The memo's status of section 2.3, which also asks for a code review, and every finding."""
    yield Fields((("In the memo", Cell(assessment.pit.status.value)), ("Reason", Cell(assessment.pit.reason))))
    replay = evidence.pit
    if replay is None:
        return
    if replay.audits:
        rows = tuple(
            (Cell(a.name), *(Cell(f"{n:,}", is_figure=True) for n in (a.rows_checked, a.dates_checked, a.findings)))
            for a in replay.audits
        )
        right = Align.RIGHT
        titles = (Column("Audit"), Column("Rows", right), Column("Dates", right), Column("Findings", right))
        yield Table(titles, rows)
    if replay.findings:
        rows = tuple(
            (
                Cell(f.feature),
                Cell(f.kind.replace("_", " ")),
                Cell(f.first_date),
                Cell(f"{f.size:.3g}", is_figure=True),
                Cell(f.detail),
            )
            for f in replay.findings
        )
        columns = (
            Column("Feature"),
            Column("Kind"),
            Column("First date"),
            Column("Size", Align.RIGHT),
            Column("What was seen"),
        )
        yield Table(columns, rows)
