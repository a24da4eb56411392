"""How often a table has a row, by name."""

from enum import StrEnum


class Frequency(StrEnum):
    """The period of one row."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half-yearly"
    YEARLY = "yearly"

    @property
    def rows_a_year(self) -> float:
        """By convention; a daily table has 252 rows, or 365 if it trades every day."""
        from signoff.stats.spacing import CONVENTIONS  # noqa: PLC0415 - a verifier needs the name, and no arithmetic

        return CONVENTIONS[self.value]

    @property
    def unit(self) -> str:
        """One row in words."""
        from signoff.stats.spacing import UNITS  # noqa: PLC0415 - as above

        return UNITS[self.value]
