"""Assigns the rows of a column of dates or times to their days, and orders them in time.

A time belongs to the day of its own zone or of the offset written beside it. Instants give the order, so an hour that
a clock repeats in autumn is in order. Midnights of another zone are often stored in UTC, where they fall on the day
before: these are recognised, and asked about if UTC's own days are as likely.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.domain.errors import BadInputError
from signoff.domain.sampling import Days

FIRST: Final = np.datetime64("1900-01-01", "D")
LAST: Final = np.datetime64("2261-12-31", "D")
UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "UCT", "+00:00"})
ZONES: Final = (
    *("Europe/London", "Europe/Berlin", "Europe/Helsinki", "Europe/Moscow", "Asia/Jerusalem", "Africa/Johannesburg"),
    *("Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Shanghai", "Asia/Tokyo"),
    *("Australia/Brisbane", "Australia/Sydney", "Pacific/Auckland"),
)
"""One zone for each set of UTC dates that midnights can have; other zones share the days of one of these."""
DAY_US: Final = 86_400_000_000
A_UNIT: Final = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
MOST_TIMES: Final = 3
RARE: Final = 0.02
OFFSET: Final = r"(Z|[+-]\d{2}:?\d{2})$"
ISO: Final = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?$"

Refuse = Callable[[str], NoReturn]


@dataclass(frozen=True, slots=True, eq=False)
class RowTimes:
    """The day of every row, its instant in microseconds (None for whole days), and the zone of the days."""

    days: Days
    instants: NDArray[np.int64] | None = None
    zone: str = ""
    note: str = ""

    @property
    def order(self) -> NDArray[np.int64]:
        """The values that must be in order: instants, else days."""
        return self.days.astype(np.int64) if self.instants is None else self.instants


def known_zone(name: str, key: str = "") -> ZoneInfo:
    """A zone by its name; `key` names its setting in messages."""
    where = f"{key}: expected" if key else "Expected"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"{where} a zone such as UTC or America/New_York, found {name!r}. Give its IANA name."
        ) from error


def within_years(column: pl.Series, refuse: Refuse) -> None:
    """Refuse days and times outside of 1900 to 2261."""
    if column.dtype == pl.Date:
        days = column.to_physical().cast(pl.Int64)
    elif isinstance(column.dtype, pl.Datetime):
        days = column.to_physical() // (86_400 * A_UNIT[column.dtype.time_unit])
    else:
        return
    far = ((days < int(FIRST.astype(np.int64))) | (days > int(LAST.astype(np.int64)))).arg_true()
    if not far.len():
        return
    row = int(far[0])
    year = 1970 + days[row] / 365.2425
    refuse(
        f"row {row + 1}, column {column.name}: expected a date from 1900 to 2261, found one of about the year "
        f"{year:,.0f} ({column.to_physical()[row]} in {_unit(column)}). Check the unit of its times: "
        "seconds, milliseconds, microseconds or nanoseconds"
    )


def _unit(column: pl.Series) -> str:
    return f"{column.dtype.time_unit} since 1970" if isinstance(column.dtype, pl.Datetime) else "days since 1970"


def moments(column: pl.Series, zone: str | None, key: str, refuse: Refuse) -> RowTimes:
    """The days and instants of a column of days or times without nulls; `key` names the setting of the zone."""
    within_years(column, refuse)
    if column.dtype == pl.Date:
        return RowTimes(column.to_numpy().astype("datetime64[D]"))
    assert isinstance(column.dtype, pl.Datetime)
    own = column.dtype.time_zone
    if own is None:
        return _unzoned(column, zone, key, refuse)
    instants = _us(column.dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    if zone is not None:
        known_zone(zone, key)
        days = _days(column.dt.convert_time_zone(zone))
        if own not in UTC_NAMES and own != zone:
            _refuse_other_days(_days(column), days, own, zone, key, refuse)
        return RowTimes(days, instants, zone)
    if own in UTC_NAMES:
        return _of_utc(column, instants, key, refuse)
    return RowTimes(_days(column), instants, own)


def texts_to_times(column: pl.Series, refuse: Refuse) -> tuple[pl.Series, Days | None]:
    """Parse ISO days and times; return also the days as written if each has an offset.

    With offsets the column is in UTC. A text that is neither is refused by its row.
    """
    days = column.str.to_date("%Y-%m-%d", strict=False)
    is_day = column.str.contains(r"^\d{4}-\d{2}-\d{2}$").fill_null(value=False)
    if bool(is_day.all()) and not days.null_count():
        return days.alias(column.name), None
    has_zone = column.str.contains(OFFSET) & ~is_day
    if has_zone.any() and not has_zone.all():
        row = int((~has_zone).arg_true()[0])
        refuse(f"row {row + 1}: expected a zone as on the other rows, found {column[row]!r}")
    texts = column.str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T").str.replace(" ?Z$", "+00:00").str.replace(" ", "")
    texts = texts.str.replace(r"T(\d{2}:\d{2})($|[+-])", "T${1}:00${2}")
    is_whole = texts.str.contains(r"^\d{4}-\d{2}-\d{2}$")
    texts = pl.select(pl.when(is_whole).then(texts + "T00:00:00").otherwise(texts)).to_series()
    form = "%Y-%m-%dT%H:%M:%S%.f%#z" if has_zone.all() else "%Y-%m-%dT%H:%M:%S%.f"
    times = texts.str.to_datetime(form, strict=False, time_unit="us").alias(column.name)
    wrong = (times.is_null() | ~column.str.contains(ISO)).arg_true()
    if wrong.len():
        row = int(wrong[0])
        refuse(f"row {row + 1}: expected an ISO date or time, found {column[row]!r}")
    if not has_zone.all():
        return times, None
    written = texts.str.slice(0, 10).str.to_date("%Y-%m-%d").to_numpy().astype("datetime64[D]")
    is_utc = bool(texts.str.ends_with("+00:00").all())
    return times, None if is_utc else written


def moments_of_texts(column: pl.Series, zone: str | None, key: str, refuse: Refuse) -> RowTimes:
    """As `moments`, for ISO texts; an offset beside a time decides its day."""
    times, written = texts_to_times(column, refuse)
    if written is not None and zone is None:
        return as_written(times, written, refuse)
    of_rows = moments(times, zone, key, refuse)
    if written is None:
        return of_rows
    if zone is not None:
        _refuse_other_days(written, of_rows.days, "the offsets", zone, key, refuse)
    return of_rows


def as_written(times: pl.Series, written: Days, refuse: Refuse) -> RowTimes:
    """The days by their offsets, and their instants."""
    within_years(times, refuse)
    return RowTimes(written, _us(times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)))


def _unzoned(column: pl.Series, zone: str | None, key: str, refuse: Refuse) -> RowTimes:
    days = _days(column)
    own = _us(column)
    if zone is None or not bool((own % DAY_US != 0).any()):
        return RowTimes(days, own if bool((own % DAY_US != 0).any()) else None, zone or "")
    known_zone(zone, key)
    return RowTimes(days, _instants_of(column, zone, refuse), zone)


def _instants_of(column: pl.Series, zone: str, refuse: Refuse) -> NDArray[np.int64]:
    """The instants of a zone's clock; a repeated hour is its second pass if the first would go back."""
    first, second = (
        column.dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
        for which in ("earliest", "latest")
    )
    if (gone := first.is_null().arg_true()).len():
        row = int(gone[0])
        refuse(f"row {row + 1}: expected a time that {zone} has, found {column[row]}, which its clocks leave out")
    early, late = _us(first), _us(second)
    instants = early.copy()
    for row in np.flatnonzero(early != late).tolist():
        if row and instants[row] <= instants[row - 1]:
            instants[row] = late[row]
    return instants


def _of_utc(column: pl.Series, instants: NDArray[np.int64], key: str, refuse: Refuse) -> RowTimes:
    """The days of times in UTC: UTC's own, unless the times are midnights of another zone."""
    own = instants.astype("datetime64[us]").astype("datetime64[D]")
    clocks = np.unique(instants % DAY_US)
    if clocks.size > MOST_TIMES or (clocks == 0).all():
        return RowTimes(own, instants if clocks.any() else None, "UTC" if clocks.any() else "")
    readings: dict[bytes, tuple[Days, list[str]]] = {own.tobytes(): (own, ["UTC"])}
    for name in ZONES:
        local = column.dt.convert_time_zone(name).dt.replace_time_zone(None)
        if not (_us(local) % DAY_US).any():
            days = _days(local)
            readings.setdefault(days.tobytes(), (days, []))[1].append(name)
    if len(readings) == 1:
        return RowTimes(own, instants, "UTC")
    unique = [one for one in readings.values() if (np.diff(one[0].astype(np.int64)) > 0).all()] or list(
        readings.values()
    )
    left = [one for one in unique if _is_of_weekdays(one[0])] or unique
    if len(left) > 1:
        named = "; ".join(f"{days[0]} as days of {names[0]}" for days, names in left[:3])
        refuse(
            f"row 1, column {column.name}: expected times whose day is clear, found midnights of another zone stored "
            f"in UTC, or times of UTC ({column[0]}): {named}. Say which with {key}"
        )
    days, names = left[0]
    note = "" if names[0] == "UTC" else f"times in UTC are midnights of {names[0]}, and its days are taken"
    return RowTimes(days, instants, names[0], note)


def _is_of_weekdays(days: Days) -> bool:
    return bool(np.mean((days.astype(np.int64) + 3) % 7 > 4) <= RARE)


def _refuse_other_days(own: Days, named: Days, source: str, zone: str, key: str, refuse: Refuse) -> None:
    other = np.flatnonzero(own != named)
    if other.size:
        row = int(other[0])
        refuse(
            f"row {row + 1}: expected days of {zone}, as {key} says, found {own[row]} by {source}, which is "
            f"{named[row]} in {zone}. Correct {key}, or the file"
        )


def _days(column: pl.Series) -> Days:
    days: Days = column.dt.date().to_numpy().astype("datetime64[D]")
    return days


def _us(column: pl.Series) -> NDArray[np.int64]:
    return np.asarray(column.cast(pl.Datetime("us")).to_physical().to_numpy(), dtype=np.int64)
