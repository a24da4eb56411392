"""Series and tables of pandas and polars as arrays, with their names of rows and columns.

Neither library is imported: anything with columns that converts to an array is read. A value that is not a number (a
date, a text, a duration) is refused and never counted in days since 1970.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError

_NUMBERS: Final = "fiub"
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}(-\d{2})?")


def floats(values: ArrayLike, name: str, *, flags: bool = False) -> NDArray[np.float64]:
    """`values` as float64, in their dimensions.

    A missing entry (None, NA, null, masked) becomes NaN, which is refused later. Booleans are refused unless `flags`.
    """
    names = column_names(values)
    if names is None:
        return _numbers(values, values, name, "", flags=flags)
    table: Any = values
    array = np.empty((len(table), len(names)))
    for place, column in enumerate(names):
        series = table.iloc[:, place] if hasattr(table, "iloc") else table.to_series(place)
        array[:, place] = _numbers(series, table, name, f"column {column!r}", flags=flags)
    return array


def column_names(values: ArrayLike) -> tuple[str, ...] | None:
    """The names of a table's columns; None for a series, an array or a list."""
    columns = getattr(values, "columns", None)
    return None if columns is None else tuple(str(column) for column in columns)


def row_name(values: ArrayLike, row: int) -> str:
    """A row in messages: its place, and its label if the table has labels."""
    labels = _labels(values)
    return f"row {row}" if labels is None else f"row {row} ({labels[row]})"


def column_name(values: ArrayLike, column: int) -> str:
    """A column in messages: its name, or its place."""
    names = column_names(values)
    return f"column {column}" if names is None else f"column {names[column]!r}"


def named(values: ArrayLike, column: int) -> str | int:
    """The name of a table's column, or its place if columns have no names."""
    names = column_names(values)
    return column if names is None else names[column]


def refuse_misaligned(first: ArrayLike, second: ArrayLike, names: tuple[str, str]) -> None:
    """Refuse two series whose labels differ, since entries of different days would be compared."""
    left, right = _labels(first), _labels(second)
    if left is None or right is None or len(left) != len(right):
        return
    for row, (mine, other) in enumerate(zip(left, right, strict=True)):
        if mine != other:
            raise InputError(
                f"{names[0]} and {names[1]}: row {row} is labelled {mine} in one and {other} in the other; "
                "align them first, e.g. with an inner join on the date."
            )


def refuse_disorder(values: ArrayLike, name: str) -> None:
    """Refuse a table or series whose labels repeat or run backwards."""
    labels = _labels(values)
    if labels is None or len(labels) < 2:
        return
    if (again := np.flatnonzero(np.asarray(labels.duplicated()))).size:
        row = int(again[0])
        raise InputError(
            f"{name}: {row_name(values, row)} repeats a label of an earlier row; expected each time once. Remove or "
            "compound the rows of one time."
        )
    if not _has_order(labels):
        return
    if not labels.is_monotonic_increasing:
        row = next(row for row in range(1, len(labels)) if not labels[row - 1] <= labels[row])
        raise InputError(
            f"{name}: {row_name(values, row)} comes after {labels[row - 1]}; expected rows in order of time, oldest "
            "first. Sort them, e.g. by sort_index()."
        )


def times(values: ArrayLike) -> NDArray[np.datetime64] | None:
    """The times in a pandas index, by the clock of its zone; None without."""
    labels = _labels(values)
    if labels is None or len(labels) == 0:
        return None
    if hasattr(labels, "to_timestamp"):  # periods, by their beginning
        return np.asarray(labels.to_timestamp(), dtype="datetime64[ns]")
    if hasattr(labels, "tz_localize"):
        return np.asarray(labels.tz_localize(None), dtype="datetime64[ns]")
    if all(isinstance(label, date) for label in labels):
        shown = [label.replace(tzinfo=None) if isinstance(label, datetime) else label for label in labels]
        return np.array(shown, dtype="datetime64[us]")
    if all(isinstance(label, str) and _ISO_DATE.fullmatch(label) for label in labels):
        return _of_texts(labels)
    return None


def _of_texts(labels: Iterable[str]) -> NDArray[np.datetime64] | None:
    try:
        return np.array([np.datetime64(label, "D") for label in labels], dtype="datetime64[D]")
    except ValueError:  # such as 2020-13-01, which is a name and not a date
        return None


def _has_order(labels: Any) -> bool:  # noqa: ANN401 - an index of pandas, which is not imported
    """Whether labels are times, numbers or ISO dates, whose order is that of time."""
    first = labels[0]
    if isinstance(first, str):
        return all(isinstance(label, str) and _ISO_DATE.match(label) for label in labels)
    return not isinstance(first, tuple)


def _labels(values: ArrayLike) -> Any:  # noqa: ANN401 - an index of pandas, which is not imported
    """The index of a pandas object, unless it is a row count."""
    index = getattr(values, "index", None) if hasattr(values, "iloc") else None
    return None if index is None or (hasattr(index, "step") and hasattr(index, "start")) else index


def _numbers(values: ArrayLike, table: ArrayLike, name: str, column: str, *, flags: bool) -> NDArray[np.float64]:
    where = f"{name}: {column}" if column else name
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as trouble:
        raise InputError(f"{where}: expected numbers, found something else ({trouble}).") from trouble
    if not flags and (place := _boolean(values, array)) is not None:
        raise InputError(
            f"{where}: expected numbers, found a boolean at entry {place}. Pass numbers, such as returns, and no marks "
            "of gains and losses."
        )
    if array.dtype.kind == "O" and array.ndim == 1:
        return _from_objects(array, table, where)
    if array.dtype.kind == "O" and array.ndim == 2 and array.size:
        columns = (_from_objects(cells, table, f"{where}: column {place}") for place, cells in enumerate(array.T))
        return np.column_stack(tuple(columns))
    if array.dtype.kind not in _NUMBERS:
        kind = _kind(values, array)
        advice = "Leave that column out" if column else "Pass a series of numbers"
        raise InputError(f"{where}: expected numbers, found {kind}. {advice}.")
    with np.errstate(over="ignore"):  # a number beyond float64 becomes infinite and is refused with its row
        numbers = np.asarray(array, dtype=np.float64)
    return np.where(np.ma.getmaskarray(values), np.nan, numbers) if isinstance(values, np.ma.MaskedArray) else numbers


def _kind(values: ArrayLike, array: NDArray[Any]) -> str:
    """The kind of values that are not numbers."""
    if array.dtype.kind == "O":
        return f"a value of type {type(values).__name__}" if array.ndim == 0 else "objects of other types"
    return "texts" if array.dtype.kind in "UST" else str(array.dtype)


def _boolean(values: ArrayLike, array: NDArray[Any]) -> int | None:
    """The first boolean entry; of a list itself, since its array has converted booleans to numbers."""
    if array.dtype.kind == "b" and array.size:
        return 0
    entries = values if isinstance(values, list | tuple) else array.flat if array.dtype.kind == "O" else ()
    return next((place for place, one in enumerate(entries) if isinstance(one, bool | np.bool_)), None)


def _from_objects(array: NDArray[Any], table: ArrayLike, where: str) -> NDArray[np.float64]:
    """Numbers kept as Python objects (Decimal, None among integers), each by itself so that a wrong one is named."""
    numbers = np.empty(array.size)
    for row, value in enumerate(array):
        if value is None or type(value).__name__ in {"NAType", "NaTType"}:
            numbers[row] = np.nan
            continue
        try:
            if isinstance(value, str | bytes):
                raise TypeError  # noqa: TRY301 - a text is no number, also where it reads like one
            numbers[row] = float(value)
        except (TypeError, ValueError, OverflowError) as trouble:
            raise InputError(
                f"{where}, {row_name(table, row)}: expected numbers, found {str(value)[:40]!r}. Pass numbers."
            ) from trouble
    return numbers
