"""When messages are sent to a receiver again after a refusal: its `Retry-After`, else exponential back-off.

The shelf holds this for all workers and across restarts. A receiver that accepts a message again has no wait left.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from signoff.domain.errors import NotTakenError
from signoff.domain.retries import BackOff
from signoff.ports.clock import Clock
from signoff.ports.notices import Severity
from signoff.ports.ttl_store import TtlStore

KIND: Final = "receiver"
BACK_OFF: Final = {
    Severity.NOTICE: BackOff(first=timedelta(seconds=1), ceiling=timedelta(minutes=10)),
    Severity.PAGE: BackOff(first=timedelta(seconds=1), ceiling=timedelta(minutes=1)),
}
# The longest wait that a receiver may ask for. Shorter for pages: a wrong answer must not silence them for a day.
LONGEST_ASKED: Final = {Severity.NOTICE: timedelta(days=1), Severity.PAGE: timedelta(minutes=15)}
# The jitter added to a requested wait, at most this part of it, so that workers do not all retry in the same second.
SPREAD: Final = 0.1
# After this time without a message, failures of a receiver no longer count.
REMEMBERED: Final = timedelta(hours=1)
# Clocks of two machines agree within this. A hold from further in the future comes from a wrong clock, and is ignored.
AGREED: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A receiver's last refusal, and the times before which it gets no messages."""

    receiver: str
    failures: int
    said_at: datetime
    until: Mapping[Severity, datetime]
    because: str
    is_asked: bool = False

    def is_in_force(self, severity: Severity, now: datetime) -> bool:
        """Whether messages of this severity are held back now."""
        return self.said_at <= now + AGREED and now < self.until[severity]

    def to_bytes(self) -> bytes:
        """The hold as JSON, for the shelf."""
        document = {
            "failures": self.failures,
            "said_at": self.said_at.timestamp(),
            "until": {severity.value: until.timestamp() for severity, until in self.until.items()},
            "because": self.because,
            "is_asked": self.is_asked,
        }
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """The receivers by severity of their messages; two severities may share one receiver."""

    receivers: Mapping[Severity, str]
    shelf: TtlStore
    clock: Clock
    jitter: Callable[[], float]

    def hold(self, severity: Severity) -> Hold | None:
        """The hold on messages of this severity; None when they may be sent."""
        hold, now = self._last(self.receivers[severity]), self.clock.now()
        return hold if hold is not None and hold.is_in_force(severity, now) else None

    def holds(self) -> tuple[Hold, ...]:
        """The holds in force now, one for each receiver."""
        by_receiver = {hold.receiver: hold for severity in self.receivers if (hold := self.hold(severity)) is not None}
        return tuple(by_receiver.values())

    def refused(self, severity: Severity, refusal: NotTakenError) -> None:
        """Hold a receiver that refused a message; a longer hold in force is never shortened."""
        receiver, now = self.receivers[severity], self.clock.now()
        before = self._last(receiver)
        failures = 1 if before is None else before.failures + 1
        until = {each: now + self._wait(each, failures, refusal.retry_after) for each in Severity}
        is_asked = refusal.retry_after is not None
        if before is not None and _is_held(before, now):  # two workers asked at once, or a page went first
            until = {each: max(until[each], before.until[each]) for each in Severity}
            is_asked = is_asked or before.is_asked
        hold = Hold(
            receiver=receiver,
            failures=failures,
            said_at=now,
            until=until,
            because=str(refusal),
            is_asked=is_asked,
        )
        self.shelf.put(KIND, receiver, hold.to_bytes(), max(until.values()) + REMEMBERED)

    def taken(self, severity: Severity) -> None:
        """Lift the hold on a receiver that accepted a message, unless it asked another worker for time meanwhile."""
        receiver, now = self.receivers[severity], self.clock.now()
        before = self._last(receiver)
        if before is not None and not (before.is_asked and _is_held(before, now)):
            self.shelf.drop(KIND, receiver)

    def forget(self) -> None:
        """Lift every hold that the receiver did not ask for itself."""
        for hold in self.holds():
            if not hold.is_asked:
                self.shelf.drop(KIND, hold.receiver)

    def _wait(self, severity: Severity, failures: int, asked: timedelta | None) -> timedelta:
        backed_off = BACK_OFF[severity].after(failures, self.jitter())
        if asked is None:
            return backed_off
        asked = min(asked, LONGEST_ASKED[severity])
        return max(backed_off, asked * (1 + SPREAD * self.jitter()))

    def _last(self, receiver: str) -> Hold | None:
        content = self.shelf.get(KIND, receiver, self.clock.now())
        return None if content is None else _read(receiver, content)


def _is_held(hold: Hold, now: datetime) -> bool:
    return any(hold.is_in_force(severity, now) for severity in Severity)


def _read(receiver: str, content: bytes) -> Hold | None:
    """The hold on the shelf; None where it cannot be read, so that messages are sent."""
    try:
        document = json.loads(content)
        return Hold(
            receiver=receiver,
            failures=int(document["failures"]),
            said_at=datetime.fromtimestamp(document["said_at"], UTC),
            until={each: datetime.fromtimestamp(document["until"][each.value], UTC) for each in Severity},
            because=str(document["because"]),
            is_asked=bool(document["is_asked"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
