"""Section 1: why this release, its expected improvement, what changed, and why now."""

from signoff.domain.dossier import Trigger
from signoff.domain.memo.changes import what_changed
from signoff.domain.memo.document import Block, Cell, CheckItem, Checklist, Fields, Section
from signoff.domain.memo.markup import ABSENT, declared, declared_words, lead_in, one
from signoff.domain.memo.release import Release
from signoff.domain.quantity import Quantity, Unit, number, relative_change, signed_percent

_TRIGGERS = {
    Trigger.SCHEDULED_REFRESH: "Scheduled model refresh (quarterly/annual)",
    Trigger.PERFORMANCE_DEGRADATION: "Performance degradation of current model",
    Trigger.NEW_DATA: "New data sources available",
    Trigger.RESEARCH: "Research breakthrough",
    Trigger.REGULATORY: "Regulatory requirement",
    Trigger.BUG_FIX: "Bug fix / critical issue",
    Trigger.OTHER: "Other",
}


def rationale(release: Release) -> Section:
    """Chapter 1."""
    return Section(
        "1",
        "Deployment Rationale",
        sections=(
            Section("1.1", "Business Objective", _objective(release)),
            Section("1.2", "What Changed?", what_changed(release.dossier, release.evidence)),
            Section("1.3", "Why Now?", _why_now(release)),
        ),
    )


def _objective(release: Release) -> tuple[Block, ...]:
    return (
        one("Primary Goal", declared_words(release.author, release.dossier.rationale.goal)),
        lead_in("Expected Impact"),
        Fields(
            (
                ("Performance", _performance(release)),
                ("Risk", _risk(release)),
                ("Operations", _latency(release)),
            )
        ),
    )


def _performance(release: Release) -> Cell:
    row = next((row for row in release.assessment.metrics if row.key == "sharpe"), None)
    if row is None:
        return ABSENT
    cell = _against(f"Backtest Sharpe ratio, {release.evidence.costs}:", row.new, row.old, release)
    difference = release.assessment.sharpe_difference_p
    if not difference.is_provided or not row.old.is_provided:
        return cell
    return Cell(f"{cell.text}; p {difference.text} for no difference")


def _risk(release: Release) -> Cell:
    """A value at risk is a negative return, so that a rise of it is a smaller loss."""
    new, old = release.assessment.value_at_risk_new, release.assessment.value_at_risk_old
    cell = _against(
        f"One-{release.assessment.time.of_one_row} VaR {release.policy.gates.var.level:.0%}", new, old, release
    )
    change = relative_change(new.value, old.value)
    if change is None or not new.is_provided:
        return cell
    size = f"{number(abs(change), Unit.PERCENT)}% {'smaller' if change >= 0 else 'larger'}"
    return Cell(f"{cell.text.rpartition(' (')[0]} (a loss {size})")


def _latency(release: Release) -> Cell:
    """Old and new, each with its method; a change only if both were measured alike."""
    assessment = release.assessment
    new, old, kinds = assessment.latency_p95_new, assessment.latency_p95_old, assessment.latencies
    subject = "Inference latency p95"
    if kinds.incomparable and new.is_provided and old.is_provided:
        return Cell(
            f"{subject} {new.text} ({kinds.new}); previous version {old.text} ({kinds.old}): not comparable, "
            f"{kinds.incomparable}"
        )
    cell = _against(subject, new, old, release)
    return Cell(f"{cell.text}; by {kinds.new}") if new.is_provided and kinds.new is not None else cell


def _against(subject: str, new: Quantity, old: Quantity, release: Release) -> Cell:
    if not new.is_provided:
        return ABSENT
    if not old.is_provided:
        beside = "no previous version" if release.is_initial else f"previous version {old.text}"
        return Cell(f"{subject} {new.text}; {beside}")
    return Cell(f"{subject} {old.text} → {new.text} ({signed_percent(relative_change(new.value, old.value))})")


def _why_now(release: Release) -> tuple[Block, ...]:
    declaration = release.dossier.rationale
    items = []
    for trigger, title in _TRIGGERS.items():
        is_named = trigger is Trigger.OTHER and bool(declaration.trigger_other)
        text = f"{title}: {declaration.trigger_other}" if is_named else title
        items.append(_trigger(trigger, text, release))
    return (
        lead_in("Deployment Triggers"),
        Checklist(tuple(items)),
        one("Timing Considerations", declared_words(release.author, declaration.timing)),
    )


def _trigger(trigger: Trigger, text: str, release: Release) -> CheckItem:
    """A trigger's box. The ledger can show only one of them: a breach of the version that trades."""
    if trigger not in release.dossier.rationale.triggers:
        return CheckItem(text, is_checked=False)
    breach = release.standing.breach
    if trigger is Trigger.PERFORMANCE_DEGRADATION and breach:
        return CheckItem(text, is_checked=True, note=breach)
    return CheckItem(text, is_checked=False, note=declared(release.author))
