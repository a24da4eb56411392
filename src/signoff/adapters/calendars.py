"""Exchange sessions from exchange_calendars; every calendar day for those whose policy says so."""

from datetime import date, timedelta
from difflib import get_close_matches

from signoff.domain.errors import BadInputError


class ExchangeCalendar:
    """Holidays and closures as the exchanges publish them."""

    def days(self, name: str, start: date, end: date) -> tuple[date, ...]:
        """The sessions between two days, both included."""
        if end < start:
            return ()
        import exchange_calendars as published  # noqa: PLC0415 - the import takes a second; only observing pays

        if name not in published.get_calendar_names():
            close = get_close_matches(name, published.get_calendar_names(), n=1)
            nearest = f"; nearest is {close[0]}" if close else ""
            raise BadInputError(f"phases.calendar: expected an exchange such as XNYS, found {name!r}{nearest}.")
        calendar = published.get_calendar(
            name, start=str(start - timedelta(days=10)), end=str(end + timedelta(days=10))
        )
        return tuple(session.date() for session in calendar.sessions_in_range(str(start), str(end)))
