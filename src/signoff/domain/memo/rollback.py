"""Section 5: when and how the release is rolled back, and what runs if that fails."""

from typing import Final

from signoff.domain.dossier import Fallback
from signoff.domain.events import RollbackCause
from signoff.domain.live_metrics import threshold
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    CheckItem,
    Checklist,
    Column,
    Fields,
    Mark,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.markup import NO_PREVIOUS, checked_version, declared, lead_in, one, plain, versioned, words
from signoff.domain.memo.promises import untrue
from signoff.domain.memo.release import Release
from signoff.domain.rollback_drill import Rehearsal, budget_in_words, left_in_words, step_in_words
from signoff.domain.thresholds import ThresholdKind
from signoff.domain.venue import NO_VENUE, VenueKind

_FALLBACKS: Final = {
    Fallback.MANUAL: "Disable model completely, use manual trading",
    Fallback.RULES: "Fall back to baseline rule-based system",
    Fallback.ENSEMBLE: "Use ensemble of other models",
    Fallback.OTHER: "Other",
}


def rollback(release: Release) -> Section:
    """Chapter 5."""
    return Section(
        "5",
        "Rollback Plan",
        sections=(
            Section(
                "5.1",
                "Rollback Procedure",
                (*_causes(release), *_steps(release), *_flatness(release), *_rehearsal(release)),
            ),
            Section("5.2", "Fallback Strategy", _fallback(release)),
        ),
    )


def _causes(release: Release) -> tuple[Block, ...]:
    floor, days = (
        threshold(release.policy, key, ThresholdKind.TRIGGER) for key in ("rolling_sharpe_30d", "sharpe_days_below")
    )
    words = {
        RollbackCause.PERFORMANCE: f"Performance falls below Sharpe {floor.figure} for {days.figure} days",
        RollbackCause.ERROR: "Critical bug or error discovered",
        RollbackCause.RISK_BREACH: "Risk breach attributed to model",
        RollbackCause.COMPLIANCE: "Regulatory or compliance issue",
        RollbackCause.BUSINESS: "Business decision by leadership",
    }
    causes = tuple(words[cause] for cause in RollbackCause if cause is not RollbackCause.REHEARSAL)
    return lead_in("When to Rollback"), Bullets(causes, is_numbered=True)


def _steps(release: Release) -> tuple[Block, ...]:
    header, budget = release.dossier.header, release.policy.rollback
    channel = release.dossier.rollback.incident_channel
    previous = header.previous_version
    redeploy = (
        f"Redeploy previous version: {versioned(previous)}"
        if previous
        else "No previous version to redeploy (initial deployment): the fallback of 5.2 takes over"
    )
    return (
        lead_in("Rollback Steps"),
        lead_in(f"1. Immediate Action (< {plain(budget.immediate_minutes)} min)"),
        Bullets(
            (
                f"Disable model via feature flag: models.{header.model}.enabled = false",
                f"Halt all open orders from this model{_halted(release)}",
                f"Alert stakeholders via {channel}: a notice is addressed to it, a channel {declared(release.author)}",
            )
        ),
        lead_in(f"2. Revert (< {plain(budget.revert_minutes)} min)"),
        Bullets(
            (
                redeploy,
                f"Verify previous version functioning correctly{_verified(release)}",
                "Re-enable trading if appropriate",
            )
        ),
        lead_in(f"3. Post-Rollback (< {plain(budget.review_minutes / 60)} hours)"),
        Bullets(
            (
                "Root cause analysis: by a person",
                f"Notify all stakeholders: a notice is addressed to {channel}",
                f"Schedule post-mortem (within {plain(budget.post_mortem_hours)} hours): by a person, a breach if late",
            )
        ),
    )


def _halted(release: Release) -> str:
    """Who would halt the orders, as far as a rehearsal showed it."""
    rehearsal = release.standing.rehearsal
    if rehearsal is None:
        return ": not evidenced, not rehearsed"
    match rehearsal.result.venue:
        case VenueKind.NONE:
            return f": not by Signoff, {NO_VENUE}"
        case VenueKind.SIMULATED:
            return ": rehearsed at the simulated venue"
        case VenueKind.CONNECTED:
            return ""


def _verified(release: Release) -> str:
    """Whether the previous version was verified by running it."""
    if release.dossier.header.previous_version is None:
        return f": {NO_PREVIOUS}"
    check = release.standing.previous_check
    if check is None:
        return ": not evidenced, no registry holds it"
    return ": run on its known input" if check.is_working is not None else f": {check.detail}"


def _rehearsal(release: Release) -> tuple[Block, ...]:
    rehearsal = release.standing.rehearsal
    if rehearsal is None:
        return (one("Rollback Rehearsal", Cell("Not performed", mark=Mark.NOT_PROVIDED)),)
    objections = release.rehearsal_objections()
    done = f"Completed on {rehearsal.at.date()} with {rehearsal.result.venue.words}"
    cell = Cell("; ".join((done, *objections)), mark=Mark.FAIL if objections else _mark(rehearsal))
    rows = tuple(
        (
            Cell(step.value.replace("_", " ").capitalize()),
            Cell(step_in_words(rehearsal.result, step), is_figure=True),
        )
        for step, _ in rehearsal.result.seconds
    )
    note = f"{left_in_words(rehearsal.result)}; {budget_in_words(rehearsal.result)}."
    return (
        one("Rollback Rehearsal", cell),
        Table((Column("Step as rehearsed"), Column("Took", Align.RIGHT)), rows),
        Paragraph(note, is_note=True),
    )


def _mark(rehearsal: Rehearsal) -> Mark:
    """A rehearsal without a real venue is conditional, even if the policy accepts it."""
    return Mark.PASS if rehearsal.result.venue is VenueKind.CONNECTED else Mark.CONDITIONAL


def _flatness(release: Release) -> tuple[Block, ...]:
    """What the policy means by flat, and which venue a rehearsal needs."""
    budget = release.policy.rollback
    return (
        Fields(
            (
                ("Positions after a rollback", Cell(f"{budget.positions.value} (policy)")),
                ("Weakest venue of a rehearsal", Cell(f"{budget.rehearsal_venue.words} (policy)")),
            )
        ),
    )


def _fallback(release: Release) -> tuple[Block, ...]:
    plan = release.dossier.rollback
    items = []
    for fallback, title in _FALLBACKS.items():
        is_named = fallback is Fallback.OTHER and bool(plan.fallback_other)
        text = f"{title}: {plan.fallback_other}" if is_named else title
        note = ""
        if plan.fallback is fallback:
            broken = untrue(text, release.dossier, release.policy)
            note = "; ".join((f"{declared(release.author)}, not checked", *(one.text for one in broken)))
        items.append(CheckItem(text, is_checked=False, note=note))
    return (
        lead_in("If rollback to previous version not possible"),
        Checklist(tuple(items)),
        lead_in("Previous Stable Version"),
        Fields(_previous(release)),
    )


def _previous(release: Release) -> tuple[tuple[str, Cell], ...]:
    previous, champion = release.dossier.header.previous_version, release.evidence.champion
    check = release.standing.previous_check
    package = ("Deployment package", Cell(declared(release.author, release.dossier.rollback.deployment_package)))
    if previous is None:
        nothing = Cell(NO_PREVIOUS)
        return ("Version", nothing), ("MLflow Run ID", nothing), package, ("Verified working", nothing)
    if check is not None and check.version != previous:
        check = None
    run_id = check.run_id if check else (champion.run_id if champion else None)
    return (
        ("Version", Cell(versioned(previous))),
        ("MLflow Run ID", words(run_id)),
        package,
        ("Verified working", checked_version(check)),
    )
