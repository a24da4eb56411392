"""The only sources of time."""

import time
from datetime import UTC, datetime, timedelta


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present time in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads it

    def monotonic(self) -> float:
        """The monotonic clock."""
        return time.monotonic()


class SimulatedClock:
    """A clock that a replay sets; it then runs at the machine's pace, so that delays show in its times."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._since = time.monotonic()
        self._last = start

    def now(self) -> datetime:
        """The set time plus the time since; never the same twice, so that events keep their order."""
        moment = self._start + timedelta(seconds=time.monotonic() - self._since)
        self._last = max(moment, self._last + timedelta(microseconds=1))
        return self._last

    def monotonic(self) -> float:
        """The machine's monotonic clock, since durations in a replay are real."""
        return time.monotonic()

    def set(self, moment: datetime) -> None:
        """Move forward; time never runs backwards."""
        self._start = max(self._last, moment)
        self._since = time.monotonic()
