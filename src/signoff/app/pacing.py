"""How soon a receiver of messages is asked again: what it asked for, else exponential back-off.

What one worker was told stands on the shelf, so that every worker keeps to it, also one that is started anew. A
receiver that takes a message again is asked freely.
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
from signoff.ports.shelf import Shelf

KIND: Final = "receiver"
BACK_OFF: Final = {
    Severity.NOTICE: BackOff(first=timedelta(seconds=1), ceiling=timedelta(minutes=10)),
    Severity.PAGE: BackOff(first=timedelta(seconds=1), ceiling=timedelta(minutes=1)),
}
# The longest that a receiver may ask for. A page waits less: a wrong answer must not silence calls for a day.
LONGEST_ASKED: Final = {Severity.NOTICE: timedelta(days=1), Severity.PAGE: timedelta(minutes=15)}
# Of what a receiver asks for, this part is added at most, so that workers do not all come back in the same second.
SPREAD: Final = 0.1
# A receiver that was left alone for so long after a failure begins anew.
REMEMBERED: Final = timedelta(hours=1)
# Clocks of two machines agree to within this. What was said later was said by a clock that was ahead.
AGREED: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a receiver last said when it took nothing, and until when it is left alone."""

    receiver: str
    failures: int
    said_at: datetime
    until: Mapping[Severity, datetime]
    because: str
    is_asked: bool = False

    def is_in_force(self, severity: Severity, now: datetime) -> bool:
        """Whether no message of this severity is sent now."""
        return self.said_at <= now + AGREED and now < self.until[severity]

    def to_bytes(self) -> bytes:
        """As it stands on the shelf."""
        said = {
            "failures": self.failures,
            "said_at": self.said_at.timestamp(),
            "until": {severity.value: until.timestamp() for severity, until in self.until.items()},
            "because": self.because,
            "is_asked": self.is_asked,
        }
        return json.dumps(said).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """The receivers by the severity of what they take; two severities may share one."""

    receivers: Mapping[Severity, str]
    shelf: Shelf
    clock: Clock
    jitter: Callable[[], float]

    def hold(self, severity: Severity) -> Hold | None:
        """What keeps messages of this severity waiting, None when nothing does."""
        found, now = self._last(self.receivers[severity]), self.clock.now()
        return found if found is not None and found.is_in_force(severity, now) else None

    def holds(self) -> tuple[Hold, ...]:
        """Every receiver that is left alone now."""
        found = {hold.receiver: hold for severity in self.receivers if (hold := self.hold(severity)) is not None}
        return tuple(found.values())

    def refused(self, severity: Severity, refusal: NotTakenError) -> None:
        """Leave a receiver alone that took nothing. One that is left alone already is not left alone for less."""
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
        """Ask a receiver freely that took a message. What it asked of another worker meanwhile stands."""
        receiver, now = self.receivers[severity], self.clock.now()
        before = self._last(receiver)
        if before is not None and not (before.is_asked and _is_held(before, now)):
            self.shelf.drop(KIND, receiver)

    def forget(self) -> None:
        """Ask every receiver now that did not itself ask for time."""
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
        found = self.shelf.get(KIND, receiver, self.clock.now())
        return None if found is None else _read(receiver, found)


def _is_held(hold: Hold, now: datetime) -> bool:
    return any(hold.is_in_force(severity, now) for severity in Severity)


def _read(receiver: str, content: bytes) -> Hold | None:
    """What stands on the shelf; what cannot be read holds nobody up."""
    try:
        said = json.loads(content)
        return Hold(
            receiver=receiver,
            failures=int(said["failures"]),
            said_at=datetime.fromtimestamp(said["said_at"], UTC),
            until={each: datetime.fromtimestamp(said["until"][each.value], UTC) for each in Severity},
            because=str(said["because"]),
            is_asked=bool(said["is_asked"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
