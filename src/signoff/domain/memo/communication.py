"""Section 9: who is told when, and who was trained.

A notice is ticked once a service or mail server accepted it; a file in the home is no receipt. A meeting, dashboard or
document is ticked once a person says that it was done.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from signoff.domain.events import Delivery, NoticeSent
from signoff.domain.memo.document import Block, CheckItem, Checklist, Paragraph, Section
from signoff.domain.memo.markup import TemplateLine, declared, declared_by, lead_in, placed, plain
from signoff.domain.memo.release import Release
from signoff.domain.policy import CertifiedSentence
from signoff.domain.quantity import NOT_PROVIDED
from signoff.domain.shortened import shortening_of

# A week and a month after the deployment; an item of that list is done once both were sent.
_MOMENTS_AFTER: Final = ("T+7d", "T+30d")
# Acts of a person, which no message can show.
_ACTS: Final = ("meeting", "retrospective", "dashboard", "document", "review", "walkthrough", "handoff", "training")
_EMAIL: Final = re.compile(r"\be-?mails?\b", re.IGNORECASE)
_CALL: Final = re.compile(r"\b(?:SMS|text messages?|phone calls?|fax)\b", re.IGNORECASE)
# Services that an item may name, and their hosts.
_SERVICES: Final = (
    ("Slack", r"\bslack\b", ("slack.com", "slack-gov.com")),
    (
        "Microsoft Teams",
        r"\b(?:microsoft|ms) teams\b|\bteams (?:announcement|channel|message|post|chat)\b|\b(?:in|on|via) teams\b",
        ("webhook.office.com", "outlook.office.com", "logic.azure.com", "powerplatform.com"),
    ),
    ("PagerDuty", r"\bpager ?duty\b", ("pagerduty.com",)),
    ("Opsgenie", r"\bops ?genie\b", ("opsgenie.com",)),
    ("Discord", r"\bdiscord\b", ("discord.com", "discordapp.com")),
    ("Telegram", r"\btelegram\b", ("telegram.org",)),
    ("Google Chat", r"\bgoogle chat\b", ("chat.googleapis.com",)),
    ("Jira", r"\bjira\b", ("atlassian.net", "atlassian.com")),
)
NOT_EVIDENCED: Final = "not evidenced"
_BEFORE: Final = (
    TemplateLine("Trading desk notified", "desk"),
    TemplateLine("Risk management briefed", "risk"),
    TemplateLine("Operations team prepared", "operation"),
    TemplateLine("Executive summary distributed", "summary"),
)
_AT_DEPLOYMENT: Final = (
    TemplateLine("Slack announcement", "slack"),
    TemplateLine("Email to stakeholders", "email"),
    TemplateLine("Dashboard updated with new version", "dashboard"),
)
_AFTER: Final = (
    TemplateLine("Performance review meeting", "review"),
    TemplateLine("Deployment retrospective", "retrospective"),
    TemplateLine("Updated documentation", "document"),
)
_DOCUMENTS: Final = (
    TemplateLine("Model card", "card"),
    TemplateLine("API documentation", "api"),
    TemplateLine("Runbooks", "runbook"),
    TemplateLine("Troubleshooting guide", "troubleshoot"),
)
_TRAINING: Final = (
    TemplateLine("Trading desk walkthrough", "desk"),
    TemplateLine("Operations handoff", "operation"),
    TemplateLine("On-call runbook review", "on call"),
)


def communication(release: Release) -> Section:
    """Chapter 9."""
    plan = release.dossier.communication
    return Section(
        "9",
        "Communication Plan",
        sections=(
            Section(
                "9.1",
                "Stakeholder Notifications",
                (
                    declared_by("Notices and their words", release.author),
                    lead_in("Pre-Deployment (T-24h)"),
                    Paragraph(_hold(release), is_note=True),
                    _notices(release, _BEFORE, plan.before),
                    lead_in("At Deployment (T=0)"),
                    _notices(release, _AT_DEPLOYMENT, plan.at_deployment),
                    lead_in("Post-Deployment (T+7d, T+30d)"),
                    _notices(release, _AFTER, plan.after, _MOMENTS_AFTER),
                ),
            ),
            Section("9.2", "Training & Documentation", _training(release)),
        ),
    )


def unsent_before(release: Release) -> tuple[str, ...]:
    """Declared notices of T-24h without a receipt and without a person who says that they told people."""
    return tuple(
        item
        for item in release.dossier.communication.before
        if not any(
            sent.is_received and (sent.delivery is Delivery.UNRECORDED or not _not_taken(item, sent))
            for sent in release.notices(item)
        )
        and not release.done(item)
    )


def _hold(release: Release) -> str:
    """When the notices of T-24h are due, and whether the start waits for them."""
    policy, short = release.policy, shortening_of(release.dossier.header.deployment_type)
    hours = policy.sign_off.notice_hours
    is_short = short is not None and getattr(policy, short).notice_hours == hours
    rule = f"policy, {short if is_short else 'sign_off'}.notice_hours"
    due = f"Due {plain(hours)} h before the deployment ({rule})" if hours else f"Due before the start ({rule}: 0)"
    if CertifiedSentence.STAKEHOLDERS in policy.sign_off.accepted_not_evidenced:
        return f"{due}; the policy lets a start go ahead without them (sign_off.accepted_not_evidenced)."
    had = " for so long" if hours else ""
    return f"{due}; the start waits until everybody has had them{had}."


def _notices(
    release: Release, lines: tuple[TemplateLine, ...], declared: Iterable[str], moments: tuple[str, ...] = ()
) -> Checklist:
    return Checklist(tuple(_notice(release, title, text, moments) for title, text in placed(lines, declared)))


def _notice(release: Release, title: str, declared: str | None, moments: tuple[str, ...]) -> CheckItem:
    if declared is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    text = title if declared.lower() in title.lower() else f"{title}: {declared}"
    done, sent = release.done(declared), release.notices(declared)
    if done:
        return CheckItem(text, is_checked=True, note="; ".join(done))
    if is_an_act(text):
        reminded = f"; announced: {'; '.join(map(_sending, sent))}" if sent else ""
        return CheckItem(text, is_checked=False, note=f"{NOT_EVIDENCED}: no person says that it was done{reminded}")
    if not sent:
        return CheckItem(text, is_checked=False, note="not sent")
    missing = [moment for moment in moments if not any(n.notice.startswith(moment) for n in sent)]
    still = f"; not yet sent: {', '.join(missing)}" if missing else ""
    wrong = dict.fromkeys(why for notice in sent if (why := _not_taken(text, notice)))
    other = "".join(f"; {why}" for why in wrong)
    is_received = not other and all(notice.is_received for notice in sent)
    note = f"{'; '.join(_sending(notice) for notice in sent)}{other}{still}"
    return CheckItem(text, not missing and is_received, note)


def _not_taken(text: str, notice: NoticeSent) -> str:
    """Why a notice does not tick an item; an item that names a service is ticked by that service alone.

    Older versions of Signoff sent notices by e-mail only and did not record it.
    """
    if _EMAIL.search(text) and notice.delivery not in {Delivery.EMAIL, Delivery.UNRECORDED}:
        return "no mail server took it"
    if (call := _CALL.search(text)) is not None:
        return f"no receiver of Signoff's shows “{call[0]}”"
    host = notice.receiver.rpartition(" ")[2].lower().rstrip(".") if notice.delivery is Delivery.RECEIVER else ""
    for name, words, hosts in _SERVICES:
        if re.search(words, text, re.IGNORECASE) and not any(host == own or host.endswith(f".{own}") for own in hosts):
            return f"{name} did not take it"
    return ""


def is_an_act(text: str) -> bool:
    """Whether an item is an act of a person, which no notice proves."""
    return any(word in text.lower() for word in _ACTS)


def _sending(notice: NoticeSent) -> str:
    moment = notice.notice.rpartition(": ")[0]
    when = f" on {notice.at:%Y-%m-%d %H:%M} UTC" if notice.at else ""
    return f"{moment} {notice.words}{when}".strip()


def _training(release: Release) -> tuple[Block, ...]:
    plan = release.dossier.communication
    return (
        lead_in("Documentation Updated"),
        _declared(release, _DOCUMENTS, plan.documents),
        lead_in("Training Provided"),
        _declared(release, _TRAINING, plan.training),
    )


def _declared(release: Release, lines: tuple[TemplateLine, ...], answers: Mapping[str, bool]) -> Checklist:
    items = []
    for title, name in placed(lines, answers):
        done = () if name is None else release.done(name)
        word = NOT_PROVIDED if name is None else declared(release.author, "done" if answers[name] else "not done")
        items.append(CheckItem(title, bool(done), "; ".join(done) or word))
    return Checklist(tuple(items))
