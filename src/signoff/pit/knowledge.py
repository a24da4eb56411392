"""The inputs known at an instant, without later rows or with later values scrambled.

An input row is known from its `available_at`, or else from its `timestamp`. Times without a zone are UTC. A date
without a time is a whole day: such a row is known from the day's start, and such a feature may use all of its day.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from signoff.pit.errors import ReplayError

Inputs = Mapping[str, pl.DataFrame]

TIME_COLUMNS: Final = ("timestamp", "available_at")
_KEYS: Final = frozenset({*TIME_COLUMNS, "symbol"})
DAY_US: Final = 86_400_000_000


def check_inputs(inputs: Inputs) -> None:
    """Refuse inputs whose rows cannot be placed in time, naming the input and the column."""
    if not inputs:
        raise ReplayError("inputs: none were given; name at least one table that the features are computed from.")
    for name, table in inputs.items():
        if "timestamp" not in table.columns:
            raise ReplayError(f"input {name!r}: the column timestamp is missing; found {', '.join(table.columns)}.")
        for column in TIME_COLUMNS:
            if column in table.columns:
                _check_times(table[column], f"input {name!r}, column {column}")


def instants(times: pl.Series) -> pl.Series:
    """Microseconds since 1970 in UTC."""
    return times.dt.epoch("us")


def is_at(column: str, kind: pl.DataType, instant: int) -> pl.Expr:
    """Whether features stamped with a column of this kind may know up to this very instant."""
    return pl.col(column).dt.epoch("us") == instant - (DAY_US - 1 if kind == pl.Date else 0)


def latest_knowledge(times: pl.Series) -> pl.Series:
    """The instants up to which features at `times` may know."""
    end = DAY_US - 1 if times.dtype == pl.Date else 0
    return instants(times) + end


def known_times(table: pl.DataFrame) -> pl.Series:
    """When each row became known."""
    return table["available_at"] if "available_at" in table.columns else table["timestamp"]


def known_by(inputs: Inputs, instant: int) -> dict[str, pl.DataFrame]:
    """The inputs without the rows that became known after `instant`."""
    return {
        name: table.filter(pl.col(known_times(table).name).dt.epoch("us") <= instant) for name, table in inputs.items()
    }


def happened_by(inputs: Inputs, instant: int) -> dict[str, pl.DataFrame]:
    """The inputs without the rows with a timestamp after `instant`."""
    return {name: table.filter(pl.col("timestamp").dt.epoch("us") <= instant) for name, table in inputs.items()}


def last_instant(inputs: Inputs) -> int:
    """When the last row of any input became known."""
    return max((_latest(table) for table in inputs.values() if table.height), default=0)


def scrambled_after(inputs: Inputs, instant: int, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """The inputs with everything that became known after `instant` replaced by plausible other values.

    Rows keep their place, times and symbol. Their other values are permuted, and floats are multiplied by a positive
    random factor, so that prices stay prices.
    """
    return {name: _scrambled(table, instants(known_times(table)) > instant, rng) for name, table in inputs.items()}


def scrambled(inputs: Inputs, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """The inputs with every value, of the past too, replaced by plausible other values."""
    return {
        name: _scrambled(table, pl.Series(np.ones(table.height, dtype=np.bool_)), rng) for name, table in inputs.items()
    }


def has_values(inputs: Inputs) -> bool:
    """Whether the inputs can be scrambled: some table has two different values in a column."""
    return any(
        table[column].n_unique() > 1 for table in inputs.values() for column in table.columns if column not in _KEYS
    )


def _scrambled(table: pl.DataFrame, is_future: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    rows = np.flatnonzero(is_future.to_numpy())
    values = [column for column in table.columns if column not in _KEYS]
    if not rows.size or not values:
        return table
    source = np.arange(table.height)
    source[rows] = rng.permutation(rows)
    factors = np.ones(table.height)
    factors[rows] = np.exp(rng.uniform(np.log(0.5), np.log(2), rows.size))
    dealt = table.select(values)[source]
    return table.with_columns(
        (dealt[column] * pl.Series(factors)).cast(dealt[column].dtype)
        if dealt[column].dtype.is_float()
        else dealt[column]
        for column in values
    )


def _latest(table: pl.DataFrame) -> int:
    latest = instants(known_times(table)).max()
    assert isinstance(latest, int)
    return latest


def _check_times(times: pl.Series, place: str) -> None:
    if not isinstance(times.dtype, pl.Datetime | pl.Date):
        raise ReplayError(f"{place}: expected dates or timestamps, found {times.dtype}; parse them when reading.")
    if times.null_count():
        row = times.is_null().arg_max()
        raise ReplayError(f"{place}: row {row} is empty; every row must say when it happened or was known.")
