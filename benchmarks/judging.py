"""What must be true of an installation, whatever happened to it: nothing lost, nothing doubled, nothing illegal."""

import json
from collections import Counter
from dataclasses import dataclass

from signoff.app.audit import verify
from signoff.app.record import replay
from signoff.app.rollback import order_scope
from signoff.domain.deployment import RETREATING
from signoff.domain.errors import SignoffError
from signoff.domain.events import (
    AnyEvent,
    ApprovalSigned,
    DeadlineBreached,
    Killed,
    MemoIssued,
    NoticeSent,
    Observed,
    OverrideSigned,
    Paused,
    RearmSigned,
    Recorded,
    Resumed,
    StepDone,
)
from signoff.installation import Installation


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found in one installation; `wrong` is empty when everything held."""

    events: int
    doubled: tuple[str, ...]
    undone: tuple[str, ...]
    illegal: tuple[str, ...]
    left_behind: int

    @property
    def wrong(self) -> tuple[str, ...]:
        return (*self.doubled, *self.undone, *self.illegal)


def judge(house: Installation) -> Judged:
    """Everything that can be asked of an installation at rest."""
    history = house.record.history()
    return Judged(
        events=len(history),
        doubled=(*_told_twice(history), *_sent_twice(house)),
        undone=tuple(_undone(house)),
        illegal=tuple(_illegal(house, history)),
        left_behind=sum(1 for path in house.settings.home.rglob(".*") if path.is_file()),
    )


def _told_twice(history: tuple[Recorded, ...]) -> list[str]:
    """Events that stand for the same act more than once."""
    counted = Counter((r.stream, r.event.kind, act) for r in history if (act := _act(r.event)) is not None)
    return [f"recorded {count} times: {name}" for name, count in counted.items() if count > 1]


def _act(event: AnyEvent) -> str | None:  # noqa: PLR0911 - one line a kind
    """What makes two events of a stream the same act; None for kinds that may come again."""
    match event:
        case Killed():
            return event.kill
        case Paused() | Resumed():
            return event.note or None
        case NoticeSent():
            return f"{event.channel}: {event.notice}"
        case StepDone():
            return event.step.value
        case Observed():
            return event.session.isoformat()
        case DeadlineBreached():
            return event.name
        case MemoIssued():
            return f"{event.edition} {event.manifest}"
        case ApprovalSigned() | OverrideSigned() | RearmSigned():
            return event.signature.envelope
        case _:
            single = {"opened", "adopted", "approval_requested", "approved", "rollback_started", "rolled_back"}
            return "once" if event.kind in single else None


def _sent_twice(house: Installation) -> list[str]:
    counted = Counter(sent(house))
    return [f"sent {count} times: {name}" for name, count in counted.items() if count > 1]


def sent(house: Installation) -> list[str]:
    """The identities of the notices that went out."""
    path = house.settings.home / "notices.jsonl"
    return [json.loads(line)["identity"] for line in path.read_text().splitlines()] if path.exists() else []


def _undone(house: Installation) -> list[str]:
    """What was due and is not done."""
    found = [f"not sent: {effect.identity}" for effect in house.store.pending()]
    found += [f"not in the ledger: kill {kill.id} of {kill.model}" for kill in house.kills.pending()]
    told = sum(isinstance(r.event, NoticeSent) for r in house.record.history())
    of_releases = [name for name in sent(house) if not name.startswith(":")]  # of the installation's no release tells
    if told != len(of_releases):
        found.append(f"{told} notices on record as sent, {len(of_releases)} went out")
    for model in house.record.models():
        latch = house.record.latch(model)
        is_stopped = latch is not None and latch.is_latched
        is_stopped |= any(d.state in RETREATING for d in house.record.deployments(model))
        if is_stopped and (still := house.broker.open_orders(order_scope(model))):
            found.append(f"{len(still)} open orders of {model}, which is stopped")
    return found


def _illegal(house: Installation, history: tuple[Recorded, ...]) -> list[str]:
    try:
        found = [f"verify: {where}: {what}" for where, what in verify(house.ledger.export()).findings]
        if replay(history) != {s.stream: s.state for s in house.store.streams("")}:
            found.append("replay differs from the tables")
    except SignoffError as error:
        return [f"{type(error).__name__}: {error}"]
    return found
