"""Exchange sessions from exchange_calendars, with the instants at which they open and close."""

import warnings
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from signoff.domain.errors import BadInputError, one_line


class ExchangeCalendar:
    """Holidays, closures and shortened sessions as the exchanges publish them."""

    def days(self, name: str, start: date, end: date) -> tuple[date, ...]:
        """The sessions between two days, both included."""
        return () if end < start else _days(name, start, end)

    def close(self, name: str, session: date) -> datetime:
        """The close of a session in UTC; a shortened session closes early."""
        if not self.days(name, session, session):
            raise BadInputError(
                f"Expected a session of {name}, found {session} ({session:%A}), on which it is closed. Name a day on "
                "which it trades."
            )
        return _instant(_published(name, session.year, session.year).session_close(str(session)))

    def opens(self, name: str, start: date, end: date) -> tuple[tuple[date, datetime], ...]:
        """The sessions between two days, each with the instant at which it opens."""
        if end < start:
            return ()
        opens = _published(name, start.year, end.year).opens.loc[str(start) : str(end)]
        return tuple((day.date(), _instant(at)) for day, at in opens.items())

    def minutes(self, name: str, start: date, end: date) -> tuple[tuple[date, float], ...]:
        """The sessions between two days, each with its open minutes without the break."""
        if end < start:
            return ()
        calendar = _published(name, start.year, end.year)
        opens, closes, begins, ends = (
            column.loc[str(start) : str(end)]
            for column in (calendar.opens, calendar.closes, calendar.break_starts, calendar.break_ends)
        )
        shut = (ends - begins).where(ends <= closes)
        length = ((closes - opens).dt.total_seconds() - shut.dt.total_seconds().fillna(0.0)) / 60
        return tuple((day.date(), float(minutes)) for day, minutes in length.items())

    def zone(self, name: str) -> str:
        """The exchange's time zone, UTC for an unknown calendar."""
        return _zone(name)


@lru_cache(maxsize=128)
def _days(name: str, start: date, end: date) -> tuple[date, ...]:
    """The sessions between two days, cached: a record whose exchange is not declared is compared more than once."""
    calendar = _published(name, start.year, end.year)
    return tuple(session.date() for session in calendar.sessions_in_range(str(start), str(end)))


def _published(name: str, first: int, last: int) -> Any:  # noqa: ANN401 - the package has no types
    """A calendar that has at least these years.

    It has the twenty years around each end: building takes a tenth of a second however many years a calendar has, so
    that one serves every question about an exchange. Where the package knows fewer years, it has only those asked for.
    """
    for begin, end in ((first - first % 20, last - last % 20 + 19), (first, last)):
        made = _made(name, begin, end)
        if not isinstance(made, str):
            return made
    raise BadInputError(made)


@lru_cache(maxsize=64)
def _made(name: str, first: int, last: int) -> Any:  # noqa: ANN401 - as above
    """Build a calendar over whole years; a text says why the package has none.

    Both answers are cached. Each takes a tenth of a second, a worker asks every second, and a record whose exchange is
    not declared is compared with every calendar.
    """
    import exchange_calendars as published  # noqa: PLC0415 - the import takes a second; only observing pays

    if name not in published.get_calendar_names():
        close = get_close_matches(name, published.get_calendar_names(), n=1)
        nearest = f"; nearest is {close[0]}" if close else ""
        return f"phases.calendar: expected an exchange such as XNYS, found {name!r}{nearest}."
    start, end = date(first, 1, 1) - timedelta(days=10), date(last, 12, 31) + timedelta(days=10)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pandas warns about the package's holiday rules
            return published.get_calendar(name, start=str(start), end=str(end))
    except ValueError as error:
        return f"Expected years that the calendar {name} covers, found {first} to {last}: {one_line(str(error))}"


@lru_cache(maxsize=32)
def _zone(name: str) -> str:
    import exchange_calendars as published  # noqa: PLC0415 - as above

    if name not in published.get_calendar_names():
        return "UTC"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        return str(published.get_calendar(name).tz)


def _instant(at: Any) -> datetime:  # noqa: ANN401 - a pandas timestamp
    moment = at.tz_convert(UTC).to_pydatetime()
    assert isinstance(moment, datetime)
    return moment
