"""Reads numbers as people write them: decimal commas, thousands separators, percent and currency signs, brackets.

One file has one decimal mark. A cell proves it if it reads in only one way: `0,012`, `1.234,5`, `12,5`. Without
proof, `1,234` may be a thousand or a little more than one, and the file is refused until the user says which.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from signoff.domain.errors import BadInputError

Decimal = Literal["point", "comma"]
_MARKS: Final[dict[Decimal, str]] = {"point": ".", "comma": ","}
_MISSING: Final = ("", "nan", "na", "n/a", "#n/a", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity")
_SIGN: Final = r"[+\-−]?"
_SPACES: Final = r"[ \x{a0}\x{202f}\x{2009}]"
_APOSTROPHES: Final = r"['’]"
_SIGNS: Final = r"[$€£¥]"
_MONEY: Final = rf"{_SIGNS}?"
_DIGITS: Final = r"\d[\d.,'’\x{a0}\x{202f}\x{2009} ]*|[.,]\d+"
BROAD: Final = rf"^\s*\(?{_SIGN}\s*{_MONEY}\s*{_SIGN}(?:{_DIGITS})(?:[eE][+\-]?\d+)?\s*(?:%|{_SIGNS})?\)?\s*$"
_EXPONENT: Final = r"(?:[eE][+\-]?\d+)?"


@dataclass(frozen=True, slots=True)
class _Place:
    column: str
    row: int
    text: str

    @property
    def words(self) -> str:
        return f"{self.text!r} (row {self.row + 1}, column {self.column})"


def plain_figures(frame: pl.DataFrame, where: str, decimal: Decimal | None, *, is_point_usual: bool) -> pl.DataFrame:
    """The texts of a table, with figures in the notation of a programming language.

    `decimal` is the mark that the user states for a file that does not prove it. `is_point_usual` says that commas
    between columns make a point the decimal mark, unless a cell proves otherwise.
    """
    bare = {name: _bare(frame[name]) for name in frame.columns if _is_of_figures(frame[name])}
    mark = _mark_of(bare, where, decimal, is_point_usual=is_point_usual)
    columns = [_plain(frame[name], texts, mark, where) for name, texts in bare.items()]
    return frame.with_columns(columns) if columns else frame


def has_odd_figures(frame: pl.DataFrame) -> bool:
    """Whether a column of texts has figures that a programming language would not read."""
    return any(_is_of_figures(column) and _odd(column).any() for column in frame.iter_columns())


def _odd(column: pl.Series) -> pl.Series:
    return column.is_not_null() & column.cast(pl.Float64, strict=False).is_null() & ~_is_missing(column)


def _is_missing(column: pl.Series) -> pl.Series:
    return column.str.strip_chars().str.to_lowercase().is_in(_MISSING)


def _is_of_figures(column: pl.Series) -> bool:
    """Whether every filled cell looks like a figure; dates such as 31.12.2020 do not."""
    if column.dtype != pl.String:
        return False
    filled = column.filter(column.is_not_null() & ~_is_missing(column))
    if not filled.len() or not filled.head(20).str.contains(BROAD).all():
        return False
    is_date = filled.str.contains(r"^\s*(?:\d{1,4}[.]\d{1,2}[.]\d{2,4}|(?:19|20|21|22)\d{6} \d{6})\s*$")
    return bool(filled.str.contains(BROAD).all()) and not is_date.all()


def _bare(column: pl.Series) -> pl.Series:
    """Digits and marks alone: without sign, currency, percent, brackets, and with one kind of space."""
    texts = column.str.strip_chars().str.replace_all(r"[$€£¥%()+\-−]", "").str.strip_chars()
    texts = texts.str.replace(r"[eE]\d+$", "e")
    return texts.str.replace_all(_SPACES, " ").str.replace_all(_APOSTROPHES, "'")


def _mark_of(bare: Mapping[str, pl.Series], where: str, decimal: Decimal | None, *, is_point_usual: bool) -> Decimal:
    comma, point, either = _first(bare, _proof(",")), _first(bare, _proof(".")), _first(bare, r"^[1-9]\d{0,2},\d{3}$")
    if comma is not None and point is not None:
        raise BadInputError(
            f"{where}: expected one decimal mark in the whole file, found {comma.words} with a comma and {point.words} "
            "with a point. Write all figures alike. Nothing was written."
        )
    if comma is not None or point is not None:
        return "comma" if comma is not None else "point"
    if decimal is not None:
        return decimal
    if either is None and not is_point_usual:
        either = _first(bare, r"^[1-9]\d{0,2}\.\d{3}$")
    if either is None:
        return "point"
    text = either.text
    raise BadInputError(
        f"{where}: row {either.row + 1}, column {either.column}: expected a figure that reads in one way, found "
        f"{text!r}, which is {re.sub(r'[.,]', '', text)} or {text.replace(',', '.')}; no cell of the file shows which "
        "mark is the decimal one. Write figures with a decimal point and no thousands separator, or convert the file "
        "with `signoff import` and --decimal point or --decimal comma. Nothing was written."
    )


def _proof(mark: str) -> str:
    """The pattern of texts that can be read only with this decimal mark."""
    other = r"\." if mark == "," else ","
    own = re.escape(mark)
    return "|".join(
        (
            rf"^0*{own}\d+e?$",  # 0,012
            rf"^\d+{own}(?:\d{{1,2}}|\d{{4,}})?e?$",  # 12,5 or 12,3456
            rf"^\d{{4,}}{own}\d+e?$",  # 1234,567
            rf"^\d+{own}\d+e$",  # 1,234E-05
            rf"^\d{{1,3}}(?:[ ']\d{{3}})+{own}\d+$",  # 1 234,567
            rf"^\d{{1,3}}(?:{other}\d{{3}})+{own}\d*$",  # 1.234,5
            rf"^\d{{1,3}}(?:{other}\d{{3}}){{2,}}$",  # 1.234.567
        )
    )


def _first(bare: Mapping[str, pl.Series], pattern: str) -> _Place | None:
    places: Iterator[_Place] = (
        _Place(name, row, texts[row])
        for name, texts in bare.items()
        if (row := _at(texts.str.contains(pattern).fill_null(value=False))) is not None
    )
    return next(places, None)


def _at(matches: pl.Series) -> int | None:
    return matches.arg_max() if matches.any() else None


def _plain(column: pl.Series, bare: pl.Series, decimal: Decimal, where: str) -> pl.Series:
    """One column with decimal points and no separators between digits."""
    mark, group = _MARKS[decimal], _MARKS["comma" if decimal == "point" else "point"]
    own, other = re.escape(mark), re.escape(group)
    shape = rf"^(?:\d+|\d{{1,3}}(?:{other}\d{{3}})+|\d{{1,3}}(?: \d{{3}})+|\d{{1,3}}(?:'\d{{3}})+)?(?:{own}\d*)?e?$"
    missing = column.is_null() | _is_missing(column)
    wrong = ~missing & ~bare.str.contains(shape).fill_null(value=False)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise BadInputError(
            f"{where}: row {row + 1}, column {column.name}: expected a figure with a decimal {decimal}, as in the rest "
            f"of the file, found {column[row]!r}. Correct the cell. Nothing was written."
        )
    texts = column.str.strip_chars()
    percent = texts.str.ends_with("%") | texts.str.ends_with("%)")
    _refuse_mixed(column, percent.fill_null(value=False), missing, where)
    is_negative = texts.str.contains(r"^\(|^\s*[$€£¥]?\s*[\-−]")
    exponent = texts.str.extract(r"([eE][+\-]?\d+)\s*%?\)?$").fill_null("")
    digits = bare.str.replace(r"e$", "").str.replace_all(rf"[ '{other}]", "").str.replace(own, ".")
    shown = pl.select(
        pl.when(missing)
        .then(texts)
        .otherwise(pl.when(is_negative).then(pl.lit("-")).otherwise(pl.lit("")) + digits + exponent)
    ).to_series()
    if percent.any():
        shown = (shown.cast(pl.Float64, strict=False) / 100).cast(pl.String)
    return shown.alias(column.name)


def _refuse_mixed(column: pl.Series, percent: pl.Series, missing: pl.Series, where: str) -> None:
    bare = ~percent & ~missing
    if percent.any() and bare.any():
        row = int(bare.arg_true()[0])
        raise BadInputError(
            f"{where}: row {row + 1}, column {column.name}: expected a percent sign as on the other rows, found "
            f"{column[row]!r}. Write the whole column in percent, or none of it. Nothing was written."
        )
