"""Trading days: which days count, when each closes, and to which one an instant belongs.

A calendar holds an exchange's published sessions. `TradingDays` counts days by a release's policy: by sessions, or by
every day of the calendar's zone.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from signoff.domain.policy import DayCount, PhasePolicy

LONGEST_BREAK: Final = timedelta(days=30)


class Calendar(Protocol):
    def days(self, name: str, start: date, end: date) -> tuple[date, ...]:
        """The sessions of an exchange from `start` to `end`, both included, in order.

        Raises BadInputError for an unknown calendar.
        """

    def close(self, name: str, session: date) -> datetime:
        """When a session of an exchange closes, in UTC. Raises BadInputError for a day without a session."""

    def opens(self, name: str, start: date, end: date) -> tuple[tuple[date, datetime], ...]:
        """The sessions of `days`, each with its opening time in UTC."""

    def zone(self, name: str) -> str:
        """The exchange's time zone, UTC for an unknown calendar."""


@dataclass(frozen=True, slots=True)
class TradingDays:
    """The trading days by a release's policy."""

    calendar: Calendar
    phases: PhasePolicy

    @property
    def zone(self) -> str:
        return self.calendar.zone(self.phases.calendar)

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """The days that count from `start` to `end`, both included."""
        if self.phases.days is DayCount.CALENDAR:
            return tuple(start + timedelta(days=n) for n in range((end - start).days + 1))
        return self.calendar.days(self.phases.calendar, start, end)

    def close(self, session: date) -> datetime:
        """When a day closes: at its exchange's close, or at midnight in the calendar's zone if every day counts."""
        if self.phases.days is DayCount.SESSIONS:
            return self.calendar.close(self.phases.calendar, session)
        midnight = datetime.combine(session + timedelta(days=1), time(), tzinfo=ZoneInfo(self.zone))
        return midnight.astimezone(UTC)

    def opened_before(self, start: date, end: date) -> tuple[tuple[date, datetime], ...]:
        """The sessions that open on the day before their date in their zone, as for futures."""
        if self.phases.days is DayCount.CALENDAR:
            return ()
        zone = ZoneInfo(self.zone)
        opens = self.calendar.opens(self.phases.calendar, start, end)
        return tuple((day, at) for day, at in opens if at.astimezone(zone).date() < day)

    def of(self, instant: datetime) -> date:
        """The day that an instant belongs to: the date in the exchange's zone, or the session that opened before it."""
        local = instant.astimezone(ZoneInfo(self.zone)).date()
        overnight = self.opened_before(local, local + timedelta(days=7))
        return max([local, *(day for day, at in overnight if at < instant)])

    def open_at(self, now: datetime) -> date | None:
        """The session that is open, or opens later on its day; None if today's is over or today has none."""
        today = self.of(now)
        return today if self.between(today, today) and self.close(today) > now else None

    def next_closed(self, start: date, now: datetime) -> date | None:
        """The first closed session from `start` on."""
        session = next(iter(self.between(start, self.of(now))), None)
        return session if session is not None and self.close(session) <= now else None

    def last_closed(self, now: datetime) -> date | None:
        """The newest closed session."""
        today = self.of(now)
        before = self.between(today - LONGEST_BREAK, today)
        return next((day for day in reversed(before) if self.close(day) <= now), None)
