"""Telling people: what is due joins the outbox with the commit that makes it due, and is recorded once it was sent."""

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

# Each has a kind of its own in the outbox, so that no number of notices keeps a call from being found.
IN_ORDER: Final = (Severity.PAGE, Severity.NOTICE)
KINDS: Final = tuple(severity.value for severity in IN_ORDER)
LEASE: Final = timedelta(minutes=2)
# So many are taken up in a pass, each release in its turn.
MOST: Final = 100
# Of a channel that refuses for a reason that is not told, the rest waits for the next pass after so many.
TRIED: Final = 3
# After so many refusals of single messages in a row the rest waits for the next pass: it may refuse everything.
IN_A_ROW: Final = 10
# No message of a severity is begun later than this in a pass, so that a slow receiver does not hold a worker up.
PASS_S: Final = 10.0
BACK_OFF: Final = {
    Severity.NOTICE: BackOff(first=timedelta(seconds=2), ceiling=timedelta(minutes=15)),
    Severity.PAGE: BackOff(first=timedelta(seconds=2), ceiling=timedelta(minutes=1)),
}
# A notice that was refused so often is a dead letter, unless whoever runs the installation says another number.
ATTEMPTS: Final = 20
# While a receiver takes nothing at all, a notice becomes no dead letter before this.
OUTAGE: Final = timedelta(days=3)
REMINDER: Final = "notices reminder"
REMINDED: Final = timedelta(minutes=10)
# What has failed for so long shows as failing, however seldom it was tried.
LONG: Final = timedelta(hours=1)


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
        lane=notice.deployment,
    )


def before_deployment(state: Deployment, now: datetime) -> tuple[Effect, ...]:
    """The notices of T-24h, once they are due: so many hours before the deployment date, of a release that is signed.

    One that is signed later than that has them at once.
    """
    due = decisions.notices.notices_due(state)
    if due is not None and now < due:
        return ()
    items = state.undertakings.communication.before if state.undertakings else ()
    day = f" on {state.deployment_date}" if state.deployment_date else ""
    return _all(state, items, f"{state.model} v{state.version} is approved; shadow mode follows{day}")


def tell_before(record: Record, *, actor: str) -> tuple[str, ...]:
    """Let the notices of T-24h out of every signed release of which they are due by now; which releases these are."""
    now = record.now()
    told = (tell_of(record, state, now, actor=actor) for state in record.in_states(State.APPROVED))
    return tuple(identity for identity in told if identity is not None)


def tell_of(record: Record, state: Deployment, now: datetime, *, actor: str) -> str | None:
    """Let the notices of T-24h out of one signed release; its id, None where they are not due or went out before."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A notice that people were not sent yet, and how it has fared."""

    identity: str
    notice: Notice
    tried: Tried

    def standing(self, attempts: int, now: datetime) -> str:
        """Waiting, failing, or dead: no longer tried until somebody asks for it."""
        if self.tried.dead_at is not None:
            return "dead"
        is_old = self.tried.failing_since is not None and self.tried.failing_since <= now - LONG
        return "failing" if is_old or self.tried.attempts >= attempts else "waiting"


def untold(record: Record) -> tuple[Untold, ...]:
    """Every notice that is due and was not sent yet, dead letters among them, oldest first."""
    return tuple(
        Untold(identity=queued.effect.identity, notice=_shown(queued.effect), tried=queued.tried)
        for queued in record.store.queue(KINDS)
    )


def _shown(due: Effect) -> Notice:
    """A notice to be listed; one that cannot be read must hide no other."""
    try:
        return decode_state(Notice, due.payload)
    except (TamperedError, BadInputError):
        severity = Severity(due.kind)
        return Notice(deployment=due.lane, notice="cannot be read", channel="", subject="", text="", severity=severity)


def backlog(record: Record, attempts: int = ATTEMPTS) -> Backlog:
    """How many notices wait, fail, and are dead letters."""
    return record.store.backlog(KINDS, attempts=attempts, since=record.now() - LONG)


def retry(record: Record, identities: Iterable[str] = ()) -> int:
    """Make every dead letter due again, or the notices named; how many there are."""
    named = tuple(identities)
    if not named:
        return record.store.retry(KINDS)
    for identity in named:
        decisions.notices.retry(identity, is_queued=bool(record.store.queue(KINDS, identity)))
    return sum(record.store.retry(KINDS, identity) for identity in named)


def reminder(record: Record, shelf: TtlStore, attempts: int = ATTEMPTS) -> tuple[str, ...]:
    """What is failing or given up, in a sentence: at once when the numbers change, and again after `REMINDED`."""
    found = backlog(record, attempts)
    if not (found.dead or found.failing):
        return ()
    now, name = record.now(), f"{found.dead} {found.failing}"
    if shelf.get(REMINDER, name, now) is not None or not shelf.add(REMINDER, name, b"", now + REMINDED, now):
        return ()
    return (
        f"{found.failing} notice(s) keep failing and {found.dead} are dead letters, which nobody tries any more; "
        "`signoff notices` says why",
    )


def _whole() -> float:
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms notices are sent: how often one is tried, how waits are spread, and what receivers asked for."""

    attempts: int = ATTEMPTS
    jitter: Callable[[], float] = _whole
    pacing: Pacing | None = None

    def is_held(self, severity: Severity) -> bool:
        """Whether the receiver of these messages is left alone now."""
        return self.pacing is not None and self.pacing.hold(severity) is not None

    def taken(self, severity: Severity) -> None:
        """The receiver took a message."""
        if self.pacing is not None:
            self.pacing.taken(severity)

    def refused(self, severity: Severity, refusal: NotTakenError) -> None:
        """The receiver takes nothing."""
        if self.pacing is not None:
            self.pacing.refused(severity, refusal)


def deliver(
    record: Record,
    notifier: Notifier,
    *,
    severities: tuple[Severity, ...] = IN_ORDER,
    terms: Terms | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Send what is due, calls first; what is refused is tried again later. Returns how many were sent, and what went
    wrong.

    A messenger that is dead keeps no call from going out, and a pager that is dead no notice. Releases take turns. A
    message that is refused keeps no other from being sent; a receiver that takes nothing ends the pass for what goes to
    it, and is left alone for as long as it asked, or longer each time.

    Each notice is leased while it is sent, so that of several workers one sends it. A worker that dies between sending
    and saying so leaves it to the next, and the notifier knows the identity of what it has sent.
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
        """Send what is due, and give back what was not tried."""
        if self.terms.is_held(self.severity):
            return
        store, began = self.record.store, self.record.clock.monotonic()
        now = self.record.now()
        claimed = store.claim(self.severity.value, MOST, self.holder, now + LEASE, now)
        try:
            for due in claimed:
                is_late = self.record.clock.monotonic() - began >= PASS_S
                if self.is_over or is_late or self.terms.is_held(self.severity):  # another worker may have been told
                    break
                self._try(due)
        finally:
            if claimed and self.settled < len(claimed):
                with suppress(UnavailableError):  # the leases run out by themselves
                    store.give_back(self.holder)

    def _try(self, due: Effect) -> None:
        try:
            notice = decode_state(Notice, due.payload)
        except (TamperedError, BadInputError) as error:
            self._put_off(due.identity, f"{due.identity} cannot be read: {error}", is_own=True)
            return
        if self.record.store.request_of(recorded_as(due.identity)) is not None:
            self._is_done(due.identity)  # a worker died between recording it and ending its effect
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

    def _record(self, identity: str, notice: Notice, receipt: Receipt | None) -> None:
        try:
            decided_again(partial(_record_sent, self.record, notice, identity, receipt))
        except (BadInputError, RefusedError) as error:
            said = f"{notice.channel}: a notice was sent and cannot be recorded: {error}"
            self._put_off(identity, said, is_own=True)
            return
        self._is_done(identity)
        self.sent += 1

    def _is_done(self, identity: str) -> None:
        self.record.store.done(identity, "sent", self.record.now())
        self.settled += 1

    def _not_taken(self, identity: str, notice: Notice, refusal: NotTakenError) -> None:
        if refusal.is_of_receiver:
            self.is_over = True
            self.terms.refused(self.severity, refusal)
        else:
            self.in_a_row += 1
            self.is_over = self.in_a_row >= IN_A_ROW
        self._put_off(identity, f"{notice.channel}: {refusal}", is_own=not refusal.is_of_receiver)

    def _fared(self, identity: str) -> Tried:
        found = self.record.store.queue(KINDS, identity)
        return found[0].tried if found else Tried()

    def _put_off(self, identity: str, problem: str, *, is_own: bool) -> None:
        """Keep that an attempt failed, and when the next is due; `is_own` says that this message alone is at fault."""
        tried = failed(
            self._fared(identity),
            problem,
            self.record.now(),
            back_off=BACK_OFF[self.severity],
            jitter=self.terms.jitter(),
        )
        if self.severity is not Severity.PAGE and is_dead(tried, self.record.now(), self.terms.attempts, is_own=is_own):
            tried = replace(tried, dead_at=self.record.now(), due_at=None)
        self.record.store.put_off(identity, self.holder, tried)
        self.settled += 1
        self.problems.append(problem)
        if tried.dead_at is not None:
            self.problems.append(
                f"{identity} was tried {tried.attempts} times and is a dead letter now; mend the cause, then "
                f"`signoff notices --retry {identity}`"
            )


def failed(before: Tried, problem: str, now: datetime, *, back_off: BackOff, jitter: float) -> Tried:
    """How a message has fared after one more attempt that failed."""
    attempts = before.attempts + 1
    return Tried(
        attempts=attempts,
        failing_since=before.failing_since or now,
        due_at=now + back_off.after(attempts, jitter),
        problem=problem,
    )


def is_dead(tried: Tried, now: datetime, attempts: int, *, is_own: bool) -> bool:
    """Whether a message is given up: it was refused so often, and not only because its receiver was away for days."""
    since = tried.failing_since or now
    return tried.attempts >= attempts and (is_own or now - since >= OUTAGE)


def recorded_as(identity: str) -> str:
    """The request under which the record says that a notice was sent."""
    return f"sent:{identity}"


def _record_sent(record: Record, notice: Notice, identity: str, receipt: Receipt | None) -> None:
    key = recorded_as(identity)
    if not notice.deployment or record.store.request_of(key) is not None:
        return  # of the installation itself, which no release tells of; or recorded by another worker meanwhile
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
