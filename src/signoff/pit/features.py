"""The features of one date, and the difference of two computations of them."""

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.errors import ReplayError
from signoff.pit.knowledge import is_at

Compute = Callable[[dict[str, pl.DataFrame]], pl.DataFrame]
Floats = NDArray[np.float64]

_KEYS: Final = ("timestamp", "symbol")


def computed(compute: Compute, inputs: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The features that `compute` gives for the inputs, or a refusal; it may change the dictionary."""
    return placed(_computed(compute, inputs), "features")


def computed_at(compute: Compute, inputs: dict[str, pl.DataFrame], instant: int) -> pl.DataFrame:
    """The rows of one instant of the features that `compute` gives; the others are not read."""
    return placed(at(_computed(compute, inputs), instant), "features")


def placed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The frame with symbols as text, refused if rows share a timestamp and symbol."""
    _check_keys(frame, name)
    if any(frame[key].null_count() for key in _KEYS):
        raise ReplayError(f"{name}: a row without timestamp or symbol cannot be placed; drop such rows.")
    if nested := [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Object]:
        raise ReplayError(f"{name}, column {nested[0]}: expected one plain value, found {frame.schema[nested[0]]}.")
    if (repeated := _repeated(frame)).height:
        raise ReplayError(
            f"{name}: {repeated['symbol'][0]} has more than one row at {repeated['timestamp'][0]}; expected one."
        )
    return frame if frame.schema["symbol"] == pl.String else frame.with_columns(pl.col("symbol").cast(pl.String))


def _repeated(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose timestamp and symbol another row has too; rows of as many symbols are not compared."""
    if frame["symbol"].n_unique() == frame.height:
        return frame.clear()
    return frame.filter(frame.select(_KEYS).is_duplicated())


def names(frame: pl.DataFrame) -> tuple[str, ...]:
    """The feature columns, in order."""
    return tuple(column for column in frame.columns if column not in _KEYS)


def at(frame: pl.DataFrame, instant: int) -> pl.DataFrame:
    """The rows of one instant."""
    return frame.filter(is_at("timestamp", frame.schema["timestamp"], instant)) if frame.height else frame


def gaps(used: pl.DataFrame, replayed: pl.DataFrame, scales: dict[str, float], tolerance: float) -> dict[str, float]:
    """By feature, the largest change over the symbols of either frame, without features that did not change.

    A missing value (null, NaN, or no row) equals only another one. A difference counts from `tolerance` times the
    larger of both values and the feature's scale.
    """
    if used.equals(replayed):
        return {}
    symbols = pl.DataFrame({"symbol": pl.concat([used["symbol"], replayed["symbol"]]).unique().sort()})
    before = symbols.join(used, on="symbol", how="left", maintain_order="left")
    after = symbols.join(replayed, on="symbol", how="left", maintain_order="left")
    sizes = {}
    for feature, scale in scales.items():
        other = after[feature] if feature in after.columns else pl.Series(feature, [None] * after.height)
        if (size := float(gap_sizes(before[feature], other, scale, tolerance).max(initial=0.0))) > 0:
            sizes[feature] = size
    return sizes


def scales(frame: pl.DataFrame) -> dict[str, float]:
    """The typical size of every feature: the median of its absolute values, or 0."""
    return {feature: _scale(frame[feature]) for feature in names(frame)}


def has_value(values: pl.Series) -> NDArray[np.bool_]:
    """Whether each entry is neither null nor NaN."""
    present = values.is_not_null()
    if values.dtype.is_float():
        present &= values.is_not_nan().fill_null(value=False)
    return present.to_numpy()


def _computed(compute: Compute, inputs: dict[str, pl.DataFrame]) -> pl.DataFrame:
    frame: object = compute(dict(inputs))
    if not isinstance(frame, pl.DataFrame):
        raise ReplayError(f"compute: expected a polars DataFrame, got {type(frame).__name__}.")
    _check_keys(frame, "features")
    return frame


def _check_keys(frame: pl.DataFrame, name: str) -> None:
    if missing := [key for key in _KEYS if key not in frame.columns]:
        raise ReplayError(f"{name}: the column {missing[0]} is missing; found {', '.join(frame.columns)}.")
    if frame.height and not isinstance(frame.schema["timestamp"], pl.Datetime | pl.Date):
        raise ReplayError(f"{name}, column timestamp: expected timestamps, found {frame.schema['timestamp']}.")


def _scale(values: pl.Series) -> float:
    if not _is_number(values):
        return 0.0
    numbers = _numbers(values)
    finite = np.abs(numbers[np.isfinite(numbers)])
    return float(np.median(finite)) if finite.size else 0.0


def gap_sizes(before: pl.Series, after: pl.Series, scale: float, tolerance: float) -> Floats:
    """Row by row, the difference of two columns: 0 if they agree, infinity if they are not comparable numbers."""
    if not (_is_number(before) and _is_number(after)):
        differs = _text(before).ne_missing(_text(after))
        return np.where(differs.to_numpy(), np.inf, 0.0)
    first, second = _numbers(before), _numbers(after)
    differs = (first != second) & ~(np.isnan(first) & np.isnan(second))
    sizes = np.zeros(first.size)
    rows = np.flatnonzero(differs)
    first, second = first[rows], second[rows]
    is_comparable = np.isfinite(first) & np.isfinite(second)
    gap = np.full(rows.size, np.inf)
    np.subtract(first, second, out=gap, where=is_comparable)
    gap = np.abs(gap)
    limits = tolerance * np.maximum(np.maximum(np.abs(first), np.abs(second)), scale)
    sizes[rows] = np.where(~is_comparable | (gap > limits), gap, 0.0)
    return sizes


def _is_number(values: pl.Series) -> bool:
    return values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)


def _text(values: pl.Series) -> pl.Series:
    """Values as text that preserves equality; polars casts neither durations nor all bytes."""
    if isinstance(values.dtype, pl.Duration):
        values = values.dt.total_microseconds()
    elif values.dtype == pl.Binary:
        values = values.bin.encode("hex")
    return values.cast(pl.String)


def _numbers(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
