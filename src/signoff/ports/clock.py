"""The time, passed in: the wall clock in production, a simulated one in replays."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present time, UTC-aware."""

    def monotonic(self) -> float:
        """Seconds that only grow, for measuring how long something took."""
