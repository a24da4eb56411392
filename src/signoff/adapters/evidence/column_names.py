"""Normalises column names to one form of Unicode, and drops the index that pandas wrote.

`Größe` has two encodings that look alike (NFC and NFD; macOS writes the second). Names are compared in NFC.
"""

import re
from collections import Counter
from typing import Final

import numpy as np
import polars as pl

from signoff.domain.errors import BadInputError

PANDAS_INDEX: Final = "__index_level_0__"
_UNNAMED: Final = re.compile(r"(?:|Unnamed: \d+|_duplicated_\d+)")
LABELS: Final = ("date", "timestamp")


def meant_columns(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The table with its names in NFC, without row numbers and without columns that have neither name nor content.

    A first column without a name that has dates becomes `date`, if the table has no other label.
    """
    frame = _in_one_form(frame, where)
    unnamed = [name for name in frame.columns if _UNNAMED.fullmatch(name) or name == PANDAS_INDEX]
    is_labelled = any(label in frame.columns for label in LABELS)
    for name in unnamed:
        column = frame[name]
        if _is_empty(column) or _counts(column):
            frame = frame.drop(name)
        elif not is_labelled and _is_of_days(column) and name in {frame.columns[0], PANDAS_INDEX}:
            frame, is_labelled = frame.rename({name: "date"}), True
        else:
            place = frame.columns.index(name) + 1
            raise BadInputError(
                f"{where}: column {place}: expected a name in the header, found none above {column.drop_nulls()[0]}. "
                "Name the column, or remove it. Nothing was written."
            )
    return frame


def in_one_form(texts: pl.Series) -> pl.Series:
    """Names without spaces around them, in NFC."""
    return texts.str.strip_chars().str.normalize("NFC")


def _in_one_form(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    names = in_one_form(pl.Series(frame.columns, dtype=pl.String)).to_list()
    if names == frame.columns:
        return frame
    twice = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if twice:
        raise BadInputError(
            f"{where}: expected every column once, found {', '.join(twice)} twice: the names differ only in spaces or "
            "in how Unicode writes an accent. Rename or remove one. Nothing was written."
        )
    unnamed = iter(range(len(names)))
    return frame.rename(
        {old: new or f"Unnamed: {next(unnamed)}" for old, new in zip(frame.columns, names, strict=True) if old != new}
    )


def _is_empty(column: pl.Series) -> bool:
    return column.null_count() == column.len()


def _counts(column: pl.Series) -> bool:
    """Whether a column only numbers the rows, from 0 or from 1."""
    if not column.dtype.is_numeric() or column.null_count() or not column.len():
        return False
    values = column.to_numpy()
    return values[0] in {0, 1} and np.array_equal(values, np.arange(values.size) + values[0])


def _is_of_days(column: pl.Series) -> bool:
    if column.dtype == pl.String:
        return bool(column.drop_nulls()[:1].str.contains(r"\d{4}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2}").any())
    return column.dtype.is_temporal()
