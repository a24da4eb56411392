"""Notices: the commit that makes a notice due puts it in the outbox; it is recorded once it was sent."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from signoff.app.pacing import Pacing
from signoff.app.record import Record, decided_again
from signoff.domain import decisions
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import (
    BadInputError,
    NotTakenError,
    RefusedError,
    TamperedError,
    UnavailableError,
)
from signoff.domain.events import Delivery, NoticeSent
from signoff.domain.retries import BackOff
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode_state
from signoff.ports.notices import Notifier, Receipt, Severity
from signoff.ports.store import Backlog, Effect, Tried
from signoff.ports.ttl_store import TtlStore

# Each severity is a kind of its own in the outbox, so that a long queue of notices does not hide a page.
IN_ORDER: Final = (Severity.PAGE, Severity.NOTICE)
KINDS: Final = tuple(severity.value for severity in IN_ORDER)
LEASE: Final = timedelta(minutes=2)
# At most this many are sent in a pass; releases take turns.
MOST: Final = 100
# After this many refusals without a reason, the rest of a channel waits for the next pass.
TRIED: Final = 3
# After this many refused messages in a row the rest waits for the next pass: the receiver may refuse everything.
IN_A_ROW: Final = 10
# A pass starts no message of a severity after this time, so that a slow receiver does not delay a worker.
PASS_S: Final = 10.0
BACK_OFF: Final = {
    Severity.NOTICE: BackOff(first=timedelta(seconds=2), ceiling=timedelta(minutes=15)),
    Severity.PAGE: BackOff(first=timedelta(seconds=2), ceiling=timedelta(minutes=1)),
}
# A notice that was refused this often is a dead letter; the installation may set another number.
ATTEMPTS: Final = 20
# While a receiver accepts nothing, a notice becomes a dead letter only after this time.
OUTAGE: Final = timedelta(days=3)
REMINDER: Final = "notices reminder"
REMINDED: Final = timedelta(minutes=10)
# A notice that has failed for this long is shown as failing, even after few attempts.
LONG: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message of one release to one channel. Notices of older versions have no severity."""

    deployment: str
    notice: str
    channel: str
    subject: str
    text: str
    severity: Severity = Severity.NOTICE


def effect(notice: Notice) -> Effect:
    """A notice as an outbox entry; equal notices have equal ids."""
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
        lane=notice.deployment,
    )


def before_deployment(state: Deployment, now: datetime) -> tuple[Effect, ...]:
    """The notices of T-24h of a signed release, once they are due: 24 hours before the deployment date.

    If it is signed later, they are due at once.
    """
    due = decisions.notices.notices_due(state)
    if due is not None and now < due:
        return ()
    items = state.undertakings.communication.before if state.undertakings else ()
    day = f" on {state.deployment_date}" if state.deployment_date else ""
    return _all(state, items, f"{state.model} v{state.version} is approved; shadow mode follows{day}")


def tell_before(record: Record, *, actor: str) -> tuple[str, ...]:
    """Queue the due notices of T-24h of every signed release; returns the ids of these releases."""
    now = record.now()
    notified = (tell_of(record, state, now, actor=actor) for state in record.in_states(State.APPROVED))
    return tuple(deployment_id for deployment_id in notified if deployment_id is not None)


def tell_of(record: Record, state: Deployment, now: datetime, *, actor: str) -> str | None:
    """Queue the notices of T-24h of one signed release; its id, None where they are not due or were queued before."""
    effects, key = before_deployment(state, now), f"before:{state.id}:{state.manifest}"
    if state.state is not State.APPROVED or not effects or record.store.request_of(key) is not None:
        return None
    record.commit(actor=actor, key=key, effects=effects)
    return state.id


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
    """A page, beside the incident channel: people must act now."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A notice that was not sent yet, and its attempts."""

    identity: str
    notice: Notice
    tried: Tried

    def standing(self, attempts: int, now: datetime) -> str:
        """Waiting, failing, or dead; a dead letter is tried again only on request."""
        if self.tried.dead_at is not None:
            return "dead"
        is_old = self.tried.failing_since is not None and self.tried.failing_since <= now - LONG
        return "failing" if is_old or self.tried.attempts >= attempts else "waiting"


def untold(record: Record) -> tuple[Untold, ...]:
    """Every notice that is due and was not sent yet, including dead letters, oldest first."""
    return tuple(
        Untold(identity=queued.effect.identity, notice=_shown(queued.effect), tried=queued.tried)
        for queued in record.store.queue(KINDS)
    )


def _shown(due: Effect) -> Notice:
    """A notice to be listed; an unreadable one gets a placeholder, so that the others are listed."""
    try:
        return decode_state(Notice, due.payload)
    except (TamperedError, BadInputError):
        severity = Severity(due.kind)
        return Notice(deployment=due.lane, notice="cannot be read", channel="", subject="", text="", severity=severity)


def backlog(record: Record, attempts: int = ATTEMPTS) -> Backlog:
    """How many notices wait, fail, and are dead letters."""
    return record.store.backlog(KINDS, attempts=attempts, since=record.now() - LONG)


def retry(record: Record, identities: Iterable[str] = ()) -> int:
    """Make every dead letter due again, or the named notices; returns how many."""
    named = tuple(identities)
    if not named:
        return record.store.retry(KINDS)
    for notice_id in named:
        decisions.notices.retry(notice_id, is_queued=bool(record.store.queue(KINDS, notice_id)))
    return sum(record.store.retry(KINDS, notice_id) for notice_id in named)


def reminder(record: Record, shelf: TtlStore, attempts: int = ATTEMPTS) -> tuple[str, ...]:
    """A sentence on failing notices and dead letters: when their numbers change, and again after `REMINDED`."""
    counts = backlog(record, attempts)
    if not (counts.dead or counts.failing):
        return ()
    now, name = record.now(), f"{counts.dead} {counts.failing}"
    if shelf.get(REMINDER, name, now) is not None or not shelf.add(REMINDER, name, b"", now + REMINDED, now):
        return ()
    return (
        f"{counts.failing} notice(s) keep failing and {counts.dead} are dead letters, which are no longer tried; "
        "`signoff notices` says why",
    )


def _whole() -> float:
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How notices are sent: the number of attempts, the jitter of waits, and the waits that receivers asked for."""

    attempts: int = ATTEMPTS
    jitter: Callable[[], float] = _whole
    pacing: Pacing | None = None

    def is_held(self, severity: Severity) -> bool:
        """Whether messages of this severity are held back now."""
        return self.pacing is not None and self.pacing.hold(severity) is not None

    def taken(self, severity: Severity) -> None:
        """Note that the receiver accepted a message."""
        if self.pacing is not None:
            self.pacing.taken(severity)

    def refused(self, severity: Severity, refusal: NotTakenError) -> None:
        """Note that the receiver refused a message."""
        if self.pacing is not None:
            self.pacing.refused(severity, refusal)


def deliver(
    record: Record,
    notifier: Notifier,
    *,
    severities: tuple[Severity, ...] = IN_ORDER,
    terms: Terms | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Send what is due, pages first. Returns how many were sent, and the problems.

    Severities are independent: if the messenger is down, pages still go out, and the reverse. Releases take turns. A
    refused message is tried again later and does not delay others. A receiver that accepts nothing ends the pass for
    its messages, and gets none for as long as it asked, or for a growing time.

    Each notice is leased while it is sent, so that one of several workers sends it. If a worker dies before it records
    the notice, the next one sends it again under the same id, and the notifier recognises it.
    """
    sent, problems = 0, list[str]()
    for severity in severities:
        round_ = _Round(record=record, notifier=notifier, severity=severity, terms=terms or Terms())
        round_.run()
        sent += round_.sent
        problems += round_.problems
    return sent, tuple(problems)


@dataclass(slots=True, kw_only=True)
class _Round:
    """One pass over the messages of one severity."""

    record: Record
    notifier: Notifier
    severity: Severity
    terms: Terms
    holder: str = field(default_factory=lambda: uuid4().hex)
    sent: int = 0
    settled: int = 0
    problems: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    in_a_row: int = 0
    is_over: bool = False

    def run(self) -> None:
        """Send what is due, and release the leases of what was not tried."""
        if self.terms.is_held(self.severity):
            return
        store, began = self.record.store, self.record.clock.monotonic()
        now = self.record.now()
        claimed = store.claim(self.severity.value, MOST, self.holder, now + LEASE, now)
        try:
            for due in claimed:
                is_late = self.record.clock.monotonic() - began >= PASS_S
                if (
                    self.is_over or is_late or self.terms.is_held(self.severity)
                ):  # another worker may have been refused meanwhile
                    break
                self._try(due)
        finally:
            if claimed and self.settled < len(claimed):
                with suppress(UnavailableError):  # the leases expire
                    store.give_back(self.holder)

    def _try(self, due: Effect) -> None:
        try:
            notice = decode_state(Notice, due.payload)
        except (TamperedError, BadInputError) as error:
            self._put_off(due.identity, f"{due.identity} cannot be read: {error}", is_own=True)
            return
        if self.record.store.request_of(recorded_as(due.identity)) is not None:
            self._is_done(due.identity)  # a worker died between recording the notice and completing the outbox entry
            return
        if self.refused[notice.channel] >= TRIED:
            return
        try:
            receipt = self.notifier.send(due.identity, notice.channel, notice.subject, notice.text, notice.severity)
        except NotTakenError as refusal:
            self._not_taken(due.identity, notice, refusal)
            return
        except UnavailableError as error:
            self.refused[notice.channel] += 1
            self._put_off(due.identity, f"{notice.channel}: {error}", is_own=False)
            return
        self.in_a_row = 0
        self.terms.taken(self.severity)
        self._record(due.identity, notice, receipt)

    def _record(self, notice_id: str, notice: Notice, receipt: Receipt | None) -> None:
        try:
            decided_again(partial(_record_sent, self.record, notice, notice_id, receipt))
        except (BadInputError, RefusedError) as error:
            problem = f"{notice.channel}: a notice was sent and cannot be recorded: {error}"
            self._put_off(notice_id, problem, is_own=True)
            return
        self._is_done(notice_id)
        self.sent += 1

    def _is_done(self, notice_id: str) -> None:
        self.record.store.done(notice_id, "sent", self.record.now())
        self.settled += 1

    def _not_taken(self, notice_id: str, notice: Notice, refusal: NotTakenError) -> None:
        if refusal.is_of_receiver:
            self.is_over = True
            self.terms.refused(self.severity, refusal)
        else:
            self.in_a_row += 1
            self.is_over = self.in_a_row >= IN_A_ROW
        self._put_off(notice_id, f"{notice.channel}: {refusal}", is_own=not refusal.is_of_receiver)

    def _fared(self, notice_id: str) -> Tried:
        queued = self.record.store.queue(KINDS, notice_id)
        return queued[0].tried if queued else Tried()

    def _put_off(self, notice_id: str, problem: str, *, is_own: bool) -> None:
        """Record a failed attempt and the time of the next; `is_own` says that this message alone is at fault."""
        tried = failed(
            self._fared(notice_id),
            problem,
            self.record.now(),
            back_off=BACK_OFF[self.severity],
            jitter=self.terms.jitter(),
        )
        if self.severity is not Severity.PAGE and is_dead(tried, self.record.now(), self.terms.attempts, is_own=is_own):
            tried = replace(tried, dead_at=self.record.now(), due_at=None)
        self.record.store.put_off(notice_id, self.holder, tried)
        self.settled += 1
        self.problems.append(problem)
        if tried.dead_at is not None:
            self.problems.append(
                f"{notice_id} was tried {tried.attempts} times and is a dead letter now; mend the cause, then "
                f"`signoff notices --retry {notice_id}`"
            )


def failed(before: Tried, problem: str, now: datetime, *, back_off: BackOff, jitter: float) -> Tried:
    """The attempts of a message after one more failure."""
    attempts = before.attempts + 1
    return Tried(
        attempts=attempts,
        failing_since=before.failing_since or now,
        due_at=now + back_off.after(attempts, jitter),
        problem=problem,
    )


def is_dead(tried: Tried, now: datetime, attempts: int, *, is_own: bool) -> bool:
    """Whether a message is a dead letter: it was refused too often, and not only during an outage of its receiver."""
    since = tried.failing_since or now
    return tried.attempts >= attempts and (is_own or now - since >= OUTAGE)


def recorded_as(notice_id: str) -> str:
    """The idempotency key of the record that a notice was sent."""
    return f"sent:{notice_id}"


def _record_sent(record: Record, notice: Notice, notice_id: str, receipt: Receipt | None) -> None:
    key = recorded_as(notice_id)
    if not notice.deployment or record.store.request_of(key) is not None:
        return  # it concerns no release, or another worker recorded it meanwhile
    state = record.deployment(notice.deployment)
    went = receipt or Receipt(Delivery.UNRECORDED, "")
    event = NoticeSent(
        notice=notice.notice,
        audience=(),
        channel=notice.channel,
        delivery=went.delivery,
        receiver=went.receiver,
        at=record.now(),
    )
    record.append(state, (event,), actor="outbox", key=key)
