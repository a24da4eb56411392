"""What a live release did, session by session."""

from datetime import date
from typing import Protocol

from signoff.domain.monitoring import Measurement
from signoff.domain.policy import PhasePolicy


class LiveFeed(Protocol):
    """Reads the journal of the trading process; a session without data gives a measurement without data.

    `phases` says which calendar a row's timestamp is read by, and so to which session it belongs.
    """

    def sessions(self, model: str, phases: PhasePolicy | None = None) -> tuple[date, ...]:
        """Sessions for which something was journaled, in order."""

    def measure(
        self,
        model: str,
        version: str,
        session: date,
        live_since: date,
        champion: str | None = None,
        phases: PhasePolicy | None = None,
    ) -> Measurement:
        """Everything journaled up to `session`, and nothing from after it."""

    def measure_open(
        self, model: str, version: str, session: date, live_since: date, phases: PhasePolicy | None = None
    ) -> Measurement:
        """The predictions of a session that is still open, and nothing else; it is asked for every second."""
