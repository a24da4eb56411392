"""What a live release did, session by session."""

from datetime import date
from typing import Protocol

from signoff.domain.monitoring import Measurement


class LiveFeed(Protocol):
    """Reads the journal of the trading process; a session without data gives a measurement without data."""

    def sessions(self, model: str) -> tuple[date, ...]:
        """Sessions for which something was journaled, in order."""

    def measure(
        self, model: str, version: str, session: date, live_since: date, champion: str | None = None
    ) -> Measurement:
        """Everything known at the close of `session`, with nothing from after it."""
