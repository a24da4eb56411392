"""Telling people: what is due joins the outbox with the commit that makes it due, and is recorded once it was sent."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Final
from uuid import uuid4

from signoff.app.record import Change, Record, decided_again, deployment_stream
from signoff.domain.deployment import Deployment
from signoff.domain.errors import UnavailableError
from signoff.domain.events import NoticeSent
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode_state
from signoff.ports.notices import Notifier, Severity
from signoff.ports.store import Effect

# Each has a kind of its own in the outbox, so that no number of notices keeps a call from being found.
IN_ORDER: Final = (Severity.PAGE, Severity.NOTICE)
LEASE: Final = timedelta(minutes=2)
MOST: Final = 500
# After so many refusals the rest of a channel waits for the next pass, so that a dead one does not hold a worker up.
# Other channels are tried, so that what one of them never takes keeps no page from another.
TRIED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message of one release to one channel. What joined the outbox before there were severities has none."""

    deployment: str
    notice: str
    channel: str
    subject: str
    text: str
    severity: Severity = Severity.NOTICE


def effect(notice: Notice) -> Effect:
    """A notice as an outbox entry; the same notice has the same identity."""
    return Effect(
        identity=f"{notice.deployment}:{digest(canonical([notice.channel, notice.notice]))[:16]}",
        kind=notice.severity.value,
        payload=canonical(
            {
                "deployment": notice.deployment,
                "notice": notice.notice,
                "channel": notice.channel,
                "subject": notice.subject,
                "text": notice.text,
                "severity": notice.severity.value,
            }
        ),
    )


def before_deployment(state: Deployment) -> tuple[Effect, ...]:
    """The notices of T-24h, due once the release is approved."""
    items = state.undertakings.communication.before if state.undertakings else ()
    return _all(state, items, f"{state.model} v{state.version} is approved; shadow mode follows")


def at_deployment(state: Deployment) -> tuple[Effect, ...]:
    """The notices of T=0."""
    items = state.undertakings.communication.at_deployment if state.undertakings else ()
    return _all(state, items, f"{state.model} v{state.version} entered shadow mode")


def after_deployment(state: Deployment, since: datetime, now: datetime) -> tuple[Effect, ...]:
    """The notices of T+7d and T+30d, as they fall due."""
    items = state.undertakings.communication.after if state.undertakings else ()
    due = [days for days in (7, 30) if now >= since + timedelta(days=days)]
    return tuple(
        effect(
            Notice(
                deployment=state.id,
                notice=f"T+{days}d: {item}",
                channel="email",
                subject=f"{state.model} v{state.version}: T+{days}d",
                text=item,
            )
        )
        for days in due
        for item in items
    )


def incident(state: Deployment, notice: str, text: str) -> Effect:
    """A message to the incident channel."""
    return effect(_of_incident(state, notice, text, Severity.NOTICE))


def call(state: Deployment, notice: str, text: str) -> Effect:
    """A call for people, beside the incident channel: somebody must act now."""
    return effect(_of_incident(state, notice, text, Severity.PAGE))


def _of_incident(state: Deployment, notice: str, text: str, severity: Severity) -> Notice:
    channel = state.undertakings.incident_channel if state.undertakings else "#incidents"
    return Notice(
        deployment=state.id,
        notice=notice,
        channel=channel,
        subject=f"{state.model} v{state.version}: {notice}",
        text=text,
        severity=severity,
    )


def _all(state: Deployment, items: tuple[str, ...], subject: str) -> tuple[Effect, ...]:
    return tuple(
        effect(Notice(deployment=state.id, notice=item, channel="email", subject=subject, text=item)) for item in items
    )


def waiting(record: Record) -> tuple[Notice, ...]:
    """Notices that are due and were not sent yet, oldest first."""
    kinds = {severity.value for severity in IN_ORDER}
    return tuple(decode_state(Notice, due.payload) for due in record.store.pending() if due.kind in kinds)


def deliver(
    record: Record, notifier: Notifier, severities: tuple[Severity, ...] = IN_ORDER
) -> tuple[int, tuple[str, ...]]:
    """Send what is due, calls first; what a channel refuses stays due. Returns how many were sent, and what went wrong.

    A messenger that is dead keeps no call from going out, and a pager that is dead no notice.

    Each notice is leased while it is sent, so that of several workers one sends it. A worker that dies between sending
    and saying so leaves it to the next, and the notifier knows the identity of what it has sent.
    """
    holder, sent, problems = uuid4().hex, 0, list[str]()
    until, refused = record.now() + LEASE, Counter[tuple[Severity, str]]()
    due = (record.store.claim(severity.value, MOST, holder, until, record.now()) for severity in severities)
    for pending in chain.from_iterable(due):
        notice = decode_state(Notice, pending.payload)
        way = (notice.severity, notice.channel)
        if refused[way] >= TRIED:
            record.store.release(pending.identity, holder)
            continue
        try:
            notifier.send(pending.identity, notice.channel, notice.subject, notice.text, notice.severity)
        except UnavailableError as error:
            refused[way] += 1
            problems.append(f"{notice.channel}: {error}")
            record.store.release(pending.identity, holder)
            continue
        decided_again(partial(_record_sent, record, notice, pending.identity))
        record.store.done(pending.identity, "sent", record.now())
        sent += 1
    return sent, tuple(problems)


def _record_sent(record: Record, notice: Notice, identity: str) -> None:
    if (state := record.find(notice.deployment)) is None:
        return  # a notice of the installation itself, which no release tells of
    event = NoticeSent(notice=notice.notice, audience=(), channel=notice.channel)
    change = Change(stream=deployment_stream(state.id), state=state, events=(event,))
    record.commit(change, actor="outbox", key=f"sent:{identity}")
