"""Back-off for the worker's tasks: retries after pauses that double, and an alert once a failure persists.

Kept in memory, so a restarted worker tries everything at once. `now` is monotonic.
"""

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0
# The fifth failure in a row comes fifteen seconds after the first.
STAYS_AFTER: Final = 5
ALERT_AGAIN_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubject:
    """A task of the worker, and the one release or model that it concerns, if any."""

    task: str
    of: str = ""
    deployment: str = ""

    def __str__(self) -> str:
        return f"{self.task} of {self.of}" if self.of else self.task


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureStreak:
    """Failures in a row, the time of the next attempt, and the time of the last alert."""

    failures: int = 0
    due: float = float("-inf")
    alerted_at: float | None = None

    @property
    def pause_s(self) -> float:
        """The pause after the last failure."""
        return min(LONGEST_S, FIRST_S * 2.0 ** min(self.failures - 1, 30))

    @property
    def is_news(self) -> bool:
        """Whether to log the last failure of a task that is tried every second: the first, second, fourth, eighth…"""
        return self.failures.bit_count() == 1

    def failed(self, now: float) -> "FailureStreak":
        """The streak after one more failure."""
        longer = replace(self, failures=self.failures + 1)
        return replace(longer, due=now + longer.pause_s)

    def needs_alert(self, now: float) -> bool:
        """Whether to alert people: the failure persists, and the last alert is long enough ago."""
        is_new = self.alerted_at is None or now - self.alerted_at >= ALERT_AGAIN_S
        return self.failures >= STAYS_AFTER and is_new


@dataclass(slots=True)
class Streaks:
    """The streaks of the subjects that fail now; safe for several threads."""

    _failing: dict[TaskSubject, FailureStreak] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def is_due(self, subject: TaskSubject, now: float) -> bool:
        """Whether the subject may be tried now."""
        with self._lock:
            streak = self._failing.get(subject)
        return streak is None or now >= streak.due

    def failed(self, subject: TaskSubject, now: float) -> FailureStreak:
        """Note a failure, and return its streak."""
        with self._lock:
            streak = self._failing.get(subject, FailureStreak()).failed(now)
            self._failing[subject] = streak
        return streak

    def alerted(self, subject: TaskSubject, now: float) -> None:
        """Note that people were alerted."""
        with self._lock:
            if subject in self._failing:
                self._failing[subject] = replace(self._failing[subject], alerted_at=now)

    def recovered(self, subject: TaskSubject) -> FailureStreak | None:
        """End the streak of a subject, and return it; None where there was none."""
        with self._lock:
            return self._failing.pop(subject, None)
