"""Converts dates as people write them to ISO: `31/12/2020`, `12/31/2020`, `20201231`, `31-Dec-2020`.

A column has one form. A number above 12 proves which is the day; without one, the user must say. A spreadsheet that
converted half of a column to its own dates leaves two forms, which are refused with the row.
"""

from typing import Final, Literal

import polars as pl

Order = Literal["day-first", "month-first"]
_CLOCK: Final = r"(?:[T ,;]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?|\d{6})\s*([AaPp][Mm])?\s*(Z|[+-]\d{2}:?\d{2})?)?"
_ISO: Final = r"^\d{4}-\d{2}-\d{2}(?:$|[T ])"
_YEAR_FIRST: Final = rf"^(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_CLOCK}$"
_COMPACT: Final = rf"^((?:19|20|21|22)\d{{2}})(\d{{2}})(\d{{2}}){_CLOCK}$"
_YEAR_LAST: Final = rf"^(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){_CLOCK}$"
_DAY_NAMED: Final = rf"^(\d{{1,2}})[-/. ]+(\pL{{3,10}})\.?[-/., ]+(\d{{4}}){_CLOCK}$"
_MONTH_NAMED: Final = rf"^(\pL{{3,10}})\.?[-/. ]+(\d{{1,2}}),?[-/. ]+(\d{{4}}){_CLOCK}$"
_SHORT_YEAR: Final = r"^\d{1,2}[-/.](?:\d{1,2}|[A-Za-z]{3})[-/.]\d{2}(?:\D.*)?$"
_MONTH_SHAPES: Final = (
    r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})$",
    r"^(?P<month>\d{1,2})[-/.](?P<year>\d{4})$",
    r"^(?P<year>(?:19|20|21|22)\d{2})[Mm]?(?P<month>0[1-9]|1[0-2])$",
    r"^(?P<month>\pL{3,10})\.?[-/., ]+(?P<year>\d{4})$",
    r"^(?P<year>\d{4})[-/., ]+(?P<month>\pL{3,10})\.?$",
)
_SHORT_MONTH: Final = r"^[A-Za-z]{3,9}\.?[-/., ]*['’]?\d{2}$|^\d{2}[-/ ][A-Za-z]{3,9}$"
_SHORT_YEARS: Final = (
    r"^(?P<month>\pL{3,10})\.?[-/., ]*['’]?(?P<year>\d{2})$",
    r"^['’]?(?P<year>\d{2})[-/., ]*(?P<month>\pL{3,10})\.?$",
    r"^(?P<month>\d{1,2})[-/.](?P<year>\d{2})$",
)
_MONTHS_OF_A_YEAR: Final = 4
"""The months that share a number in a table of quarters; as days of a month, numbers would not repeat so."""
_CENTURY: Final = 70
"""Two digits from here on are of the 20th century, as POSIX reads them."""
_DAY_OF_UTC: Final = r"^\d{4}-\d{2}-\d{2}Z$"
_SHAPES: Final = (_ISO, _YEAR_FIRST, _COMPACT, _YEAR_LAST, _DAY_NAMED, _MONTH_NAMED)
_NAMES: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS: Final = {
    name: f"{number:02d}" for number, names in enumerate(_NAMES, start=1) for name in {names, names[:3], names[:4]}
}
_OLDEST, _NEWEST = 19_000_101, 22_621_231
_FIRST_SERIAL, _LAST_SERIAL = 10_000, 100_000
_SECONDS: Final = 10**8


class OddDateError(ValueError):
    """A date that cannot be read: its row, counted from 0 (None for the whole column), and the reason."""

    def __init__(self, row: int | None, problem: str) -> None:
        super().__init__(problem)
        self.row, self.problem = row, problem


def iso_texts(column: pl.Series, order: Order | None = None) -> pl.Series:
    """Dates and times as ISO texts; ISO texts are unchanged. Raises OddDateError."""
    texts = column.str.strip_chars()
    filled = texts.drop_nulls()
    if not filled.len():
        return column
    shape = next((shape for shape in _SHAPES if filled[0] and _matches(filled[:1], shape).all()), None)
    if shape is None:
        _refuse_short_year(texts)
        if _matches(filled, _DAY_OF_UTC).all():
            return texts.str.strip_suffix("Z")
        _refuse_no_date(texts)
        return column
    fits = _matches(texts, shape)
    if not fits.fill_null(value=True).all():
        _refuse_second_form(texts, fits)
    if shape == _ISO:
        return texts
    return _written(texts, shape, order)


def days_of_numbers(column: pl.Series) -> pl.Series:
    """Whole numbers such as 20201231 as ISO texts; OddDateError for day numbers of Excel and for Unix times."""
    numbers = column.cast(pl.Float64).drop_nulls()
    if not numbers.len():
        return column.cast(pl.String)
    values = numbers.to_numpy()
    least, most = float(values.min()), float(values.max())
    if least >= _OLDEST and most <= _NEWEST:
        return iso_texts(column.cast(pl.Int64).cast(pl.String))
    shown = f"{column.drop_nulls()[0]}"
    if least >= _FIRST_SERIAL and most < _LAST_SERIAL:
        day = pl.select(pl.lit("1899-12-30").str.to_date().dt.offset_by(f"{int(least)}d")).item()
        raise OddDateError(None, f"{shown}, a day number of Excel ({day} is its {int(least)}). Format it as a date")
    if least >= _SECONDS:
        unit = "seconds" if most < _SECONDS * 10**3 else "milliseconds" if most < _SECONDS * 10**6 else "nanoseconds"
        raise OddDateError(None, f"{shown}, which reads like a Unix time in {unit}. Write the day, as 2018-12-31")
    raise OddDateError(None, f"rows labelled by the number {shown}. Set the index to the dates before writing it")


def month_ends(column: pl.Series) -> pl.Series | None:
    """Months such as `2016-01` or `Jan 2016` as the ISO texts of their last days; None for other texts.

    OddDateError if a month has another form than the first, or is not a month.
    """
    if column.dtype.is_float() or not (column.dtype == pl.String or column.dtype.is_integer()):
        return None
    texts = column.cast(pl.String).str.strip_chars()
    filled = texts.drop_nulls()[:1]
    shape = next((shape for shape in _MONTH_SHAPES if filled.len() and _matches(filled, shape).all()), None)
    if shape is None:
        return _ends_of_short_years(texts)
    parts = texts.str.extract_groups(shape).struct
    year, month = parts.field("year"), parts.field("month")
    if r"\pL" in shape:
        month = _months(texts, month)
    days = (year + "-" + month.str.zfill(2) + "-01").str.to_date("%Y-%m-%d", strict=False)
    strange = (days.is_null() & texts.is_not_null()).arg_true()
    if strange.len():
        row, first = int(strange[0]), int(texts.is_not_null().arg_true()[0])
        raise OddDateError(row, f"{texts[row]!r}, which is no month as {texts[first]!r} in row {first + 1} is")
    return days.dt.month_end().cast(pl.String).alias(column.name)


def _ends_of_short_years(texts: pl.Series) -> pl.Series | None:
    """The last days of months such as `Jan-19`, if the whole column shows that its number is a year; else None.

    As years the numbers put the rows in order, each month once. They change, and most repeat for the months of a year.
    """
    if texts.null_count():
        return None
    shape = next((shape for shape in _SHORT_YEARS if _matches(texts, shape).all()), None)
    if shape is None:
        return None
    parts = texts.str.extract_groups(shape).struct
    number, month = parts.field("year").cast(pl.Int64), parts.field("month")
    if r"\pL" in shape:
        month = month.str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.String)
    year = number + pl.select(pl.when(number < _CENTURY).then(2000).otherwise(1900)).to_series()
    days = (year.cast(pl.String) + "-" + month.str.zfill(2) + "-01").str.to_date("%Y-%m-%d", strict=False)
    if days.null_count() or days.n_unique() < days.len() or not (days.is_sorted() or days.is_sorted(descending=True)):
        return None
    repeats = number.value_counts()["count"].to_list()
    if len(repeats) < 2 or max(repeats) < _MONTHS_OF_A_YEAR:
        return None
    return days.dt.month_end().cast(pl.String).alias(texts.name)


def _matches(texts: pl.Series, shape: str) -> pl.Series:
    return texts.str.contains(shape)


def _refuse_short_year(texts: pl.Series) -> None:
    if _matches(texts.drop_nulls()[:1], _SHORT_YEAR).all():
        row = int(texts.is_not_null().arg_true()[0])
        raise OddDateError(row, f"{texts[row]!r}, whose year has two digits. Write all four, as 2018-12-31")
    if _matches(texts.drop_nulls()[:1], _SHORT_MONTH).all():
        row = int(texts.is_not_null().arg_true()[0])
        raise OddDateError(
            row,
            f"{texts[row]!r}, whose two digits may be a year or a day. Write months with all four digits of the year, "
            "as Jan 2016 or 2016-01: `signoff import table` reads them as month ends",
        )


def _refuse_second_form(texts: pl.Series, fits: pl.Series) -> None:
    """Name the first row in another known form; the reader refuses other texts."""
    row = int((~fits).fill_null(value=False).arg_true()[0])
    first_row = int(texts.is_not_null().arg_true()[0])
    if any(_matches(texts[row : row + 1], shape).all() for shape in _SHAPES):
        raise OddDateError(
            row,
            f"{texts[row]!r}, where row {first_row + 1} is written {texts[first_row]!r}. A spreadsheet may have read "
            "some of the dates with day and month exchanged: write the column again from its source, in one form",
        )
    raise OddDateError(
        row, f"{texts[row]!r}, where row {first_row + 1} is written {texts[first_row]!r}{no_session(texts[row])}"
    )


def no_session(text: str) -> str:
    """Advice for a row with a text without digits in place of its date."""
    if any(sign.isdigit() for sign in text):
        return ""
    return ". It is the row of no session: remove it, if it is a total, a remark or another line of the header"


def _refuse_no_date(texts: pl.Series) -> None:
    """Refuse a second header line above the first date, and name it."""
    row = int(texts.is_not_null().arg_true()[0])
    if (advice := no_session(texts[row])) and texts[row + 1 :].str.contains(r"\d").any():
        raise OddDateError(row, f"{texts[row]!r}{advice}")


def _written(texts: pl.Series, shape: str, order: Order | None) -> pl.Series:
    parts = [texts.str.extract(shape, place) for place in range(1, 7)]
    first, second, third, clock, half, zone = parts
    if shape in {_YEAR_FIRST, _COMPACT}:
        year, month, day = first, second, third
    elif shape == _YEAR_LAST:
        order = _order_of(texts, first, second, order)
        year = third
        day, month = (first, second) if order == "day-first" else (second, first)
    else:
        year = third
        day, named = (first, second) if shape == _DAY_NAMED else (second, first)
        month = _months(texts, named)
    days = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    if not clock.is_not_null().any():
        return days.alias(texts.name)
    return (days + _clock(clock, half) + zone.fill_null("")).fill_null(days).alias(texts.name)


def _order_of(texts: pl.Series, first: pl.Series, second: pl.Series, order: Order | None) -> Order:
    above = [part.cast(pl.Int64).fill_null(0) > 12 for part in (first, second)]
    days, months = (_first(is_above) for is_above in above)
    if days is not None and months is not None:
        row, other = max(days, months), min(days, months)
        raise OddDateError(
            row,
            f"{texts[row]!r}, where row {other + 1} says {texts[other]!r}: day and month are in another order. Write "
            "the column again from its source, in one form",
        )
    proven: Order | None = "day-first" if days is not None else "month-first" if months is not None else None
    if order is not None and proven is not None and order != proven:
        at = days if days is not None else months
        assert at is not None
        raise OddDateError(at, f"{texts[at]!r}, which is {proven}, and --dates says {order}. Leave the option out")
    if proven is None and order is None:
        differs = (first.str.zfill(2) != second.str.zfill(2)).fill_null(value=False)
        if differs.any():
            row = int(differs.arg_true()[0])
            raise OddDateError(
                row,
                f"{texts[row]!r}, and no row shows whether the day or the month comes first. Write ISO dates, or "
                "convert the file with `signoff import` and --dates day-first or --dates month-first",
            )
    return proven or order or "day-first"


def _first(matches: pl.Series) -> int | None:
    return int(matches.arg_true()[0]) if matches.any() else None


def _months(texts: pl.Series, named: pl.Series) -> pl.Series:
    months = named.str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.String)
    strange = (months.is_null() & named.is_not_null()).arg_true()
    if strange.len():
        row = int(strange[0])
        raise OddDateError(row, f"{texts[row]!r}, whose month is no English name. Write ISO dates")
    return months


def _clock(clock: pl.Series, half: pl.Series) -> pl.Series:
    """`T16:00:00` of `4:00 PM`."""
    clock = clock.str.replace(r"^(\d{2})(\d{2})(\d{2})$", "${1}:${2}:${3}")
    parts = clock.str.split_exact(":", 2).struct
    hour, minute, second = (parts.field(f"field_{n}") for n in range(3))
    turned = (
        hour.cast(pl.Int64) % 12 + pl.select(pl.when(half.str.to_lowercase() == "pm").then(12).otherwise(0)).to_series()
    )
    hours = pl.select(pl.when(half.is_null()).then(hour.cast(pl.Int64)).otherwise(turned)).to_series()
    return "T" + hours.cast(pl.String).str.zfill(2) + ":" + minute + ":" + second.fill_null("00")
