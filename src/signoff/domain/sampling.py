"""The sampling of a table: its frequency, rows a year, calendar, and the zone of its days.

Every annual figure depends on the rows a year, so they are read from the dates, and a dossier that disagrees is
refused. If the dates are ambiguous Signoff asks, since a wrong guess scales every Sharpe ratio.
"""

from dataclasses import dataclass, replace
from math import ceil, expm1, log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.bars import BarCount
from signoff.domain.frequency import Frequency
from signoff.stats import spacing

Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]

EVERY_DAY: Final = "24/7"
WEEKDAYS: Final = "24/5"
FEWEST: Final = 24
"""The fewest rows for skewness and kurtosis, as in the smallest published sample."""
OF_BOTH: Final = 0.9
NOT_EXPLAINED: Final = 0.002
A_YEAR: Final = 365
OF_A_YEAR: Final = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The sampling of a table. `risk_free_pct` is an annual rate, `lag` the benchmark's lag in rows.

    `calendar` is the code of an exchange, "24/5" for every weekday, "24/7" for every day, or "" if unknown. `rivals`
    are calendars that explain the dates equally well if none was declared, so that this one is a guess. `folded` is the
    number of rows within days that were compounded. `return_unit` is the declared unit of returns, or "".
    """

    frequency: Frequency = Frequency.DAILY
    rows_a_year: float = Frequency.DAILY.rows_a_year
    calendar: str = ""
    zone: str = ""
    risk_free_pct: float = 0.0
    lag: int = 0
    declared: tuple[str, ...] = ()
    folded: int = 0
    return_unit: str = ""
    rivals: tuple[str, ...] = ()

    @property
    def is_every_day(self) -> bool:
        return self.calendar == EVERY_DAY

    @property
    def sessions_a_year(self) -> float:
        """The trading days a year of the calendar."""
        if self.frequency is Frequency.DAILY:
            return self.rows_a_year
        return 365.0 if self.is_every_day else Frequency.DAILY.rows_a_year

    @property
    def unit(self) -> str:
        return self.frequency.unit

    @property
    def of_one_row(self) -> str:
        """The period of one row in words: a day, a week, a month."""
        return "day" if self.frequency is Frequency.DAILY else self.unit

    @property
    def year(self) -> int:
        """The rows that a gate needs: a year's, at least 24."""
        return max(ceil(self.rows_a_year), FEWEST)

    @property
    def year_words(self) -> str:
        """How that number was derived."""
        few = f", and never fewer than {FEWEST}" if self.rows_a_year < FEWEST else ""
        return f"a year of {self.frequency.value} rows{few}"

    def rows(self, sessions: int, *, fewest: int = 1) -> int:
        """The rows that cover so many sessions; a daily table has a row for each."""
        if self.frequency is Frequency.DAILY:
            return sessions
        return max(fewest, round(sessions * self.rows_a_year / self.sessions_a_year))

    def counted(self, rows: int) -> str:
        """A number of rows in words, as `63 sessions` or `1 month`."""
        return f"{rows:,} {self.unit}" if rows == 1 else f"{rows:,} {self.unit}s"

    @property
    def row_rate(self) -> float:
        """The risk-free return of one row."""
        return expm1(log1p(self.risk_free_pct / 100) / self.rows_a_year)

    def excess(self, returns: Floats) -> Floats:
        """The returns in excess of the risk-free rate."""
        return returns if self.risk_free_pct == 0 else returns - self.row_rate

    @property
    def rate_words(self) -> str:
        """The rate that Sharpe ratios are in excess of."""
        return f"excess of {self.risk_free_pct:g}% a year (declared)" if self.risk_free_pct else "excess of 0"

    @property
    def words(self) -> str:
        """The whole record in words, for the memo."""
        calendar = {"": "calendar not known", EVERY_DAY: "every day (24/7)", WEEKDAYS: "every weekday (24/5)"}
        how = {True: "declared", False: "read from the dates"}
        texts = [
            f"{self.frequency.value} rows, {self.rows_a_year:g} a year "
            f"({how[bool({'frequency', 'rows_a_year'} & set(self.declared))]})",
            calendar.get(self.calendar, f"calendar {self.calendar}")
            + (f" ({self._guess or how['calendar' in self.declared]})" if self.calendar else ""),
        ]
        texts += [f"days of {self.zone}"] if self.zone else []
        texts += [f"{self.folded:,} rows within days were compounded by day, and are judged by day"] * bool(self.folded)
        if self.return_unit:
            texts.append(f"returns declared in {self.return_unit} by evidence.return_unit of the dossier")
        texts.append(f"Sharpe ratios are in {self.rate_words}")
        texts += [f"benchmark_lag {self.lag} (declared)"] if "benchmark_lag" in self.declared else []
        return "; ".join(texts)

    @property
    def _guess(self) -> str:
        """That the calendar is a guess, and which key decides; empty if it is not a guess."""
        if not self.rivals:
            return ""
        verb = "explains" if len(self.rivals) == 1 else "explain"
        return f"a guess: {', '.join(self.rivals)} {verb} the dates as well, and evidence.calendar decides"


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why the dates do not show a frequency; `remedy` is what to do if no declaration helps."""

    fault: str
    remedy: str = ""


def inferred(dates: Days, returns: Floats | None = None) -> Sampling | Unclear:
    """The sampling of ordered, unique dates.

    Weekends on which nothing ever moves (`returns` are 0) are not sessions, even with rows.
    """
    days = _numbered(dates)
    rhythm = spacing.spacing(days, moves_at_weekends=returns is None or _moves_on(returns, spacing.weekday(days)))
    if rhythm.unclear:
        return Unclear(rhythm.unclear, rhythm.remedy)
    calendar = EVERY_DAY if rhythm.a_year == spacing.EVERY_DAY else ""
    return Sampling(frequency=Frequency(rhythm.frequency), rows_a_year=rhythm.a_year, calendar=calendar)


def wandering(dates: Days, frequency: Frequency) -> Unclear | None:
    """Why rows do not cover whole weeks (months, …); None if they do."""
    fault = spacing.wandering(_numbered(dates), frequency.value)
    return None if fault is None else Unclear(fault.unclear, fault.remedy)


def _numbered(dates: Days) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = dates.astype("datetime64[D]").astype(np.int64)
    return numbers


def _weekday(dates: Days) -> NDArray[np.int64]:
    """Monday is 0."""
    return spacing.weekday(_numbered(dates))


def _moves_on(returns: Floats, weekday: NDArray[np.int64]) -> bool:
    """Whether returns move at weekends, and prices were not only carried forward."""
    weekend = returns[weekday >= 5]
    others = returns[weekday < 5]
    return weekend.size == 0 or others.size == 0 or bool((weekend != 0).mean() > 0.1 * (others != 0).mean())


def period_of(dates: Days, frequency: Frequency) -> NDArray[np.int64]:
    """The number of each date's day, week (from Monday), month, quarter, half-year or year."""
    return spacing.period_numbers(_numbered(dates), frequency.value)


def first_day(periods: NDArray[np.int64], frequency: Frequency) -> Days:
    """The first day of each numbered period."""
    return spacing.first_days(periods, frequency.value).astype("datetime64[D]")


def row_spans(dates: Days, frequency: Frequency, like: Days) -> tuple[Days, Days]:
    """The first and last day of each date's day, week, month, …

    A week ends on the commonest weekday of `like`, since a weekly row covers the seven days up to it.
    """
    if frequency is Frequency.DAILY:
        return dates, dates
    if frequency is Frequency.WEEKLY:
        ends = int(np.bincount(_weekday(like), minlength=7).argmax())
        last = dates + ((ends - _weekday(dates)) % 7).astype("timedelta64[D]")
        return last - np.timedelta64(6, "D"), last
    periods = period_of(dates, frequency)
    return first_day(periods, frequency), first_day(periods + 1, frequency) - np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """The rows that a calendar expects from a table's first to its last, and the differences."""

    table: str
    calendar: str
    expected: int
    missing: Days
    shut: Days
    frequency: Frequency = Frequency.DAILY
    bars: BarCount | None = None
    beside: str = ""
    one_open: Days | None = None
    """Days on which only one of the own market and the benchmark's (`beside`) is open, which are not faults."""
    reach: int = 0
    """The days from the session before the first row to the one after the last, these two left out."""

    def spans_a_year(self, rows: int) -> bool:
        """Whether so many rows cover a year of this calendar: a year of days with 97% of its sessions."""
        if self.reach < A_YEAR:
            return False
        return rows >= OF_A_YEAR * self.expected * A_YEAR / self.reach

    @property
    def share(self) -> float:
        """The share of missing and extra rows, of those expected; missing bars are parts of their days."""
        of_bars = 0.0 if self.bars is None else self.bars.share
        return (self.missing.size + self.shut.size) / max(1, self.expected) + of_bars


def beside_another(table: Coverage, own: Days, other: Days, name: str, *, is_declared: bool) -> Coverage | None:
    """The coverage if the benchmark's market explains the differences from the own calendar, else None.

    `own` and `other` are their sessions. A table of both markets has nearly all days on which only the other is open,
    or lacks nearly all on which only its own is. A table that lacks only some of them is a selection.
    """
    only_own, only_other = np.setdiff1d(own, other), np.setdiff1d(other, own)
    lacks, has = np.intersect1d(table.missing, only_own), np.intersect1d(table.shut, only_other)
    lacks = lacks if lacks.size >= OF_BOTH * only_own.size else lacks[:0]
    has = has if is_declared or has.size >= OF_BOTH * only_other.size else has[:0]
    missing, shut = np.setdiff1d(table.missing, lacks), np.setdiff1d(table.shut, has)
    expected = table.expected - lacks.size
    if not lacks.size and not has.size:
        return None
    if not is_declared and missing.size + shut.size > NOT_EXPLAINED * expected:
        return None
    both = np.union1d(lacks, has)
    return replace(table, expected=expected, missing=missing, shut=shut, beside=name, one_open=both)


def coverage(table: str, dates: Days, sampling: Sampling, sessions: Days | None) -> Coverage:
    """`sessions` are those of the calendar from the first to the last date; None if every (week)day is one."""
    frequency = sampling.frequency
    if dates.size == 0:
        return Coverage(
            table=table, calendar=sampling.calendar, expected=0, missing=dates, shut=dates, frequency=frequency
        )
    own = np.unique(period_of(dates, frequency))
    if frequency is not Frequency.DAILY:
        named = np.arange(own[0], own[-1] + 1)
        again = dates[1:][np.diff(period_of(dates, frequency)) == 0]
    else:
        days = np.arange(dates[0], dates[-1] + np.timedelta64(1, "D"))
        if sessions is None and not sampling.is_every_day:
            sessions = days[_weekday(days) < 5]
        named = period_of(days if sessions is None else sessions, frequency)
        again = first_day(np.setdiff1d(own, named), frequency)
    missing = first_day(np.setdiff1d(named, own), frequency)
    return Coverage(
        table=table,
        calendar=sampling.calendar,
        expected=named.size,
        missing=missing,
        shut=again,
        frequency=frequency,
        reach=_reach(dates, sampling),
    )


def _reach(dates: Days, sampling: Sampling) -> int:
    """The days that the rows cover, without the edges up to the neighbouring sessions; by weekdays."""
    if sampling.frequency is Frequency.DAILY and not sampling.is_every_day:
        before = np.busday_offset(dates[0] - 1, 0, roll="backward")
        after = np.busday_offset(dates[-1] + 1, 0, roll="forward")
        return int((after - before).astype(np.int64)) - 1
    first, last = row_spans(dates, sampling.frequency, dates)
    days = int((last[-1] - first[0]).astype(np.int64)) + 1
    return days + 6 if sampling.frequency is Frequency.WEEKLY else days  # 52 weeks are a year
