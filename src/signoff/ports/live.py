"""The journal of a live release, session by session."""

from datetime import date
from typing import Protocol

from signoff.domain.monitoring import Measurement
from signoff.domain.policy import PhasePolicy


class LiveFeed(Protocol):
    """Reads the trading process's journal; a session without data gives a measurement without data.

    `phases` gives the calendar by which a row's timestamp is assigned to a session.
    """

    def sessions(self, model: str, phases: PhasePolicy | None = None) -> tuple[date, ...]:
        """Sessions with journaled data, in order."""

    def measure(
        self,
        model: str,
        version: str,
        session: date,
        live_since: date,
        champion: str | None = None,
        phases: PhasePolicy | None = None,
    ) -> Measurement:
        """Everything that was journaled up to `session`, and nothing later."""

    def measure_open(
        self, model: str, version: str, session: date, live_since: date, phases: PhasePolicy | None = None
    ) -> Measurement:
        """The predictions of an open session, and nothing else; it is called every second."""
