"""Section 9: who is told when, and who was trained. A notice is ticked only when the ledger says that it was sent."""

from collections.abc import Iterable, Mapping
from typing import Final

from signoff.domain.memo.document import Block, CheckItem, Checklist, Section
from signoff.domain.memo.pieces import Line, lead_in, placed
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED

BEFORE: Final = "before"
AT_DEPLOYMENT: Final = "at_deployment"
AFTER: Final = "after"

_BEFORE: Final = (
    Line("Trading desk notified", "desk"),
    Line("Risk management briefed", "risk"),
    Line("Operations team prepared", "operation"),
    Line("Executive summary distributed", "summary"),
)
_AT_DEPLOYMENT: Final = (
    Line("Slack announcement", "slack"),
    Line("Email to stakeholders", "email"),
    Line("Dashboard updated with new version", "dashboard"),
)
_AFTER: Final = (
    Line("Performance review meeting", "review"),
    Line("Deployment retrospective", "retrospective"),
    Line("Updated documentation", "document"),
)
_DOCUMENTS: Final = (
    Line("Model card", "card"),
    Line("API documentation", "api"),
    Line("Runbooks", "runbook"),
    Line("Troubleshooting guide", "troubleshoot"),
)
_TRAINING: Final = (
    Line("Trading desk walkthrough", "desk"),
    Line("Operations handoff", "operation"),
    Line("On-call runbook review", "on call"),
)


def communication(release: Release) -> Section:
    """Chapter 9."""
    declared = release.dossier.communication
    return Section(
        "9",
        "Communication Plan",
        sections=(
            Section(
                "9.1",
                "Stakeholder Notifications",
                (
                    lead_in("Pre-Deployment (T-24h)"),
                    _notices(release, BEFORE, _BEFORE, declared.before),
                    lead_in("At Deployment (T=0)"),
                    _notices(release, AT_DEPLOYMENT, _AT_DEPLOYMENT, declared.at_deployment),
                    lead_in("Post-Deployment (T+7d, T+30d)"),
                    _notices(release, AFTER, _AFTER, declared.after),
                ),
            ),
            Section("9.2", "Training & Documentation", _training(release)),
        ),
    )


def unsent_before(release: Release) -> tuple[str, ...]:
    """Declared notices of T-24h that nobody was sent yet."""
    return tuple(t for t in release.dossier.communication.before if release.notice(BEFORE, t) is None)


def _notices(release: Release, moment: str, lines: tuple[Line, ...], declared: Iterable[str]) -> Checklist:
    return Checklist(tuple(_notice(release, moment, title, text) for title, text in placed(lines, declared)))


def _notice(release: Release, moment: str, title: str, declared: str | None) -> CheckItem:
    if declared is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    text = title if declared.lower() in title.lower() else f"{title}: {declared}"
    sent = release.notice(moment, declared)
    if sent is None:
        return CheckItem(text, is_checked=False, note="not sent")
    return CheckItem(text, is_checked=True, note=f"sent to {', '.join(sent.audience)} by {sent.channel}")


def _training(release: Release) -> tuple[Block, ...]:
    declared = release.dossier.communication
    return (
        lead_in("Documentation Updated"),
        _declared(_DOCUMENTS, declared.documents),
        lead_in("Training Provided"),
        _declared(_TRAINING, declared.training),
    )


def _declared(lines: tuple[Line, ...], given: Mapping[str, bool]) -> Checklist:
    items = []
    for title, name in placed(lines, given):
        note = NOT_PROVIDED if name is None else "declared" if given[name] else "declared as not done"
        items.append(CheckItem(title, name is not None and given[name], note))
    return Checklist(tuple(items))
