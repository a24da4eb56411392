"""Two frames of features, joined exactly by timestamp and symbol, and their differences."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.errors import ReplayError
from signoff.pit.features import gap_sizes, has_value, names, placed, scales
from signoff.pit.knowledge import instants

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDifference:
    """One feature that differs on `n` of the shared rows."""

    feature: str
    first_date: date | datetime
    size: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRows:
    """Both frames, the positions of their shared rows, and the rows of only one of them."""

    left: pl.DataFrame
    right: pl.DataFrame
    left_rows: Rows
    right_rows: Rows
    only_left: pl.DataFrame
    only_right: pl.DataFrame

    @property
    def shared_features(self) -> tuple[str, ...]:
        """The features of both, in the order of the left frame."""
        return tuple(feature for feature in names(self.left) if feature in self.right.columns)

    @property
    def checked_features(self) -> tuple[str, ...]:
        """The shared features that have a value on a shared row of either side."""
        return tuple(
            feature
            for feature in self.shared_features
            if has_value(self.left[feature])[self.left_rows].any()
            or has_value(self.right[feature])[self.right_rows].any()
        )

    @property
    def dates(self) -> int:
        """The number of distinct timestamps of the shared rows."""
        return self.left["timestamp"][self.left_rows].n_unique()

    def differences(self, tolerance: float) -> Iterator[FeatureDifference]:
        """The shared features that differ on shared rows; a missing value (null or NaN) equals only another one."""
        times = self.left["timestamp"][self.left_rows]
        typical = scales(self.left)
        for feature in self.shared_features:
            before, after = self.left[feature][self.left_rows], self.right[feature][self.right_rows]
            sizes = gap_sizes(before, after, typical[feature], tolerance)
            if (differs := sizes > 0).any():
                first = earliest(times.filter(pl.Series(differs)))
                size, n = float(sizes.max()), int(differs.sum())
                yield FeatureDifference(feature=feature, first_date=first, size=size, n=n)


def compared(left: pl.DataFrame, right: pl.DataFrame, *, left_name: str, right_name: str) -> SharedRows:
    """Join two frames of features; the names are for errors."""
    left, right = placed(left, left_name), placed(right, right_name)
    if left.height and right.height and (left.schema["timestamp"] == pl.Date) != (right.schema["timestamp"] == pl.Date):
        raise ReplayError(
            f"{left_name} has timestamps of type {left.schema['timestamp']} and {right_name} of type "
            f"{right.schema['timestamp']}; expected dates in both or times in both."
        )
    left_keys, right_keys = _keys(left, "left"), _keys(right, "right")
    pairs = left_keys.join(right_keys, on=("instant", "symbol"), how="inner").sort("left")
    return SharedRows(
        left=left,
        right=right,
        left_rows=pairs["left"].to_numpy().astype(np.intp),
        right_rows=pairs["right"].to_numpy().astype(np.intp),
        only_left=left[left_keys.join(right_keys, on=("instant", "symbol"), how="anti")["left"]],
        only_right=right[right_keys.join(left_keys, on=("instant", "symbol"), how="anti")["right"]],
    )


def earliest(times: pl.Series) -> date | datetime:
    """The first of at least one time."""
    first = times.min()
    assert isinstance(first, date)
    return first


def _keys(frame: pl.DataFrame, row: str) -> pl.DataFrame:
    instant = instants(frame["timestamp"]) if frame.height else pl.Series([], dtype=pl.Int64)
    return pl.DataFrame({"instant": instant, "symbol": frame["symbol"], row: np.arange(frame.height)})
