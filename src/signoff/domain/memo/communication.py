"""Section 9: who is told when, and who was trained. A notice is ticked only when the ledger says that it was sent."""

from collections.abc import Iterable, Mapping
from typing import Final

from signoff.domain.events import NoticeSent
from signoff.domain.memo.document import Block, CheckItem, Checklist, Section
from signoff.domain.memo.pieces import Line, declared, lead_in, placed
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED

# Once a week and once a month after the deployment: an item of that list is done when both were sent.
_MOMENTS_AFTER: Final = ("T+7d", "T+30d")
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
                    _notices(release, _BEFORE, declared.before),
                    lead_in("At Deployment (T=0)"),
                    _notices(release, _AT_DEPLOYMENT, declared.at_deployment),
                    lead_in("Post-Deployment (T+7d, T+30d)"),
                    _notices(release, _AFTER, declared.after, _MOMENTS_AFTER),
                ),
            ),
            Section("9.2", "Training & Documentation", _training(release)),
        ),
    )


def unsent_before(release: Release) -> tuple[str, ...]:
    """Declared notices of T-24h that nobody was sent yet."""
    return tuple(t for t in release.dossier.communication.before if not release.notices(t))


def _notices(
    release: Release, lines: tuple[Line, ...], declared: Iterable[str], moments: tuple[str, ...] = ()
) -> Checklist:
    return Checklist(tuple(_notice(release, title, text, moments) for title, text in placed(lines, declared)))


def _notice(release: Release, title: str, declared: str | None, moments: tuple[str, ...]) -> CheckItem:
    if declared is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    text = title if declared.lower() in title.lower() else f"{title}: {declared}"
    sent = release.notices(declared)
    if not sent:
        return CheckItem(text, is_checked=False, note="not sent")
    missing = [moment for moment in moments if not any(n.notice.startswith(moment) for n in sent)]
    still = f"; not yet sent: {', '.join(missing)}" if missing else ""
    return CheckItem(text, not missing, f"sent {'; '.join(_sending(notice) for notice in sent)}{still}")


def _sending(notice: NoticeSent) -> str:
    moment = notice.notice.rpartition(": ")[0]
    to = f" to {', '.join(notice.audience)}" if notice.audience else ""
    return f"{moment}{to} by {notice.channel}".strip()


def _training(release: Release) -> tuple[Block, ...]:
    given, author = release.dossier.communication, release.author
    return (
        lead_in("Documentation Updated"),
        _declared(_DOCUMENTS, given.documents, author),
        lead_in("Training Provided"),
        _declared(_TRAINING, given.training, author),
    )


def _declared(lines: tuple[Line, ...], given: Mapping[str, bool], author: str) -> Checklist:
    items = []
    for title, name in placed(lines, given):
        note = NOT_PROVIDED if name is None else declared(author, "done" if given[name] else "not done")
        items.append(CheckItem(title, is_checked=False, note=note))
    return Checklist(tuple(items))
