"""The only places where the time comes from."""

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
    """A clock that a replay sets; durations are still measured by the machine."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time last set, plus one microsecond a reading, so that events keep their order."""
        self._now += timedelta(microseconds=1)
        return self._now

    def monotonic(self) -> float:
        """The machine's monotonic clock: what is timed in a replay really took that long."""
        return time.monotonic()

    def set(self, moment: datetime) -> None:
        """Move forward; a replay's time never runs backwards."""
        self._now = max(self._now, moment)
