"""Which days count."""

from datetime import date
from typing import Protocol


class Calendar(Protocol):
    def days(self, name: str, start: date, end: date) -> tuple[date, ...]:
        """The sessions of an exchange from `start` to `end`, both included, in order.

        Raises BadInputError for a calendar that nobody knows.
        """
