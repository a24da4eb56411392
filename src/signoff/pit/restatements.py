"""Restatements: whether a backtest used values as published at the time, or as revised since.

A replay cannot see a value that was revised before it reached the files. A comparison with first prints, or with every
vintage and its date of publication, can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.comparison import compared, earliest
from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute, computed, gap_sizes, has_value
from signoff.pit.knowledge import TIME_COLUMNS, Inputs, check_inputs, instants, known_times
from signoff.pit.report import PitReport, ReplayFinding

_KEYS = ("timestamp", "symbol")


def restatements(
    first_print: Inputs, revised: Inputs, *, compute: Compute | None = None, tolerance: float = 1e-9
) -> PitReport:
    """Compare the inputs of a backtest with what had been published when it took them as known.

    Parameters
    ----------
    first_print : by name of the input, its values as published: `timestamp` (what the row is about), `symbol` where the
        input has it, `available_at` (when it was published; `timestamp` where absent), and values. Several rows for one
        timestamp and symbol are vintages, of which the latest one published by then was known.
    revised : by name, what the backtest read, in the same form. A row was taken as known from its `available_at`.
    compute : the feature function, to find which of its features would differ.
    tolerance : relative difference that is rounding.

    Returns
    -------
    A `PitReport` with findings by "input.column" over the rows that were read: "restatement" where the value is neither
    the one known then nor an earlier one, "knowledge_time" where nothing had been published yet, "unverified" where
    nothing was ever published for the row. With `compute`, also a "restatement" for each feature that differs when only
    what was known is read, and for the rows ("rows") that are then not there. `size` is the largest difference from the
    value known then; infinity if there was none.

    Raises
    ------
    ReplayError
        Inputs without first prints or without a shared column; rows that cannot be placed in time, or that repeat.
    """
    if not tolerance >= 0:
        raise ReplayError(f"expected tolerance ≥ 0, found {tolerance}.")
    check_inputs(first_print)
    check_inputs(revised)
    read = {name: _Vintages.of(name, first_print, table) for name, table in revised.items() if name in first_print}
    if unknown := [name for name in first_print if name not in revised]:
        raise ReplayError(f"first prints of {unknown[0]!r}: no such input was read; found {', '.join(revised)}.")
    findings = [finding for one in read.values() for finding in one.findings(tolerance)]
    if compute is not None:
        findings += _features(compute, dict(revised), {name: one.as_known() for name, one in read.items()}, tolerance)
    return PitReport(
        findings,
        checks=("restatements",),
        dates_checked=min(one.used["timestamp"].n_unique() for one in read.values()),
        features_checked=sum(len(one.judged()) for one in read.values()),
        rows_checked=sum(one.used.height for one in read.values()),
        unchecked_features=(
            *(name for name in revised if name not in first_print),
            *(f"{one.name}.{column}" for one in read.values() for column in one.columns if column not in one.judged()),
        ),
        tolerance=tolerance,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vintages:
    """One input as read, and its vintages; `published` is the row of the vintage known then, null where none was."""

    name: str
    used: pl.DataFrame
    vintages: pl.DataFrame
    published: pl.Series
    pairs: pl.DataFrame
    columns: tuple[str, ...]

    @classmethod
    def of(cls, name: str, first_print: Inputs, used: pl.DataFrame) -> "_Vintages":
        vintages = first_print[name]
        columns = tuple(c for c in used.columns if c in vintages.columns and c not in (*_KEYS, *TIME_COLUMNS))
        for place, table in ((f"input {name!r}", used), (f"first prints of {name!r}", vintages)):
            if not table.height:
                raise ReplayError(f"{place}: no rows, so that nothing can be judged; expected at least one.")
        if not columns:
            raise ReplayError(f"input {name!r}: its first prints have none of its columns but keys; nothing to judge.")
        if ("symbol" in used.columns) != ("symbol" in vintages.columns):
            raise ReplayError(f"input {name!r}: only one side has the column symbol; expected it on both.")
        left, right = _keyed(used, "row"), _keyed(vintages, "vintage")
        keys = [column for column in ("about", "symbol") if column in left.columns]
        _refuse_repeated(right, [*keys, "known_at"], f"first prints of {name!r}")
        pairs = left.join(right, on=keys, how="inner", suffix="_vintage").sort("row", "known_at_vintage", "vintage")
        was_known = pairs.filter(pl.col("known_at_vintage") <= pl.col("known_at"))
        latest = was_known.group_by("row").agg(pl.col("vintage").last())
        published = left.select("row").join(latest, on="row", how="left", maintain_order="left")["vintage"]
        return cls(name=name, used=used, vintages=vintages, published=published, pairs=pairs, columns=columns)

    def findings(self, tolerance: float) -> Iterator[ReplayFinding]:
        """The findings of each column."""
        has_vintage, was_known = self._has_vintage(), self.published.is_not_null().to_numpy()
        for column in self.columns:
            used, then = self.used[column], self.vintages[column].gather(self.published)
            sizes = np.where(was_known, gap_sizes(used, then, 0.0, tolerance), 0.0)
            sizes[self._equals(column, tolerance, is_later=False)] = 0.0
            if (differs := sizes > 0).any():
                later = int((differs & self._equals(column, tolerance, is_later=True)).sum())
                what = f"carry another value than was known then, {later:,} of them one that was published later"
                yield self._finding(column, "restatement", differs, float(sizes.max()), what)
            carries = has_value(used)
            if (is_early := carries & has_vintage & ~was_known).any():
                yield self._finding(column, "knowledge_time", is_early, inf, "were read before anything was published")
            if (is_unknown := carries & ~has_vintage).any():
                yield self._finding(column, "unverified", is_unknown, inf, "have no first print to judge by")

    def judged(self) -> tuple[str, ...]:
        """The columns with any value."""
        return tuple(
            column
            for column in self.columns
            if has_value(self.used[column]).any() or has_value(self.vintages[column]).any()
        )

    def as_known(self) -> pl.DataFrame:
        """The input with the values known then, without rows that were not known."""
        values = {column: self.vintages[column].gather(self.published) for column in self.columns}
        return self.used.with_columns(**values).filter(self.published.is_not_null())

    def _has_vintage(self) -> NDArray[np.bool_]:
        has = np.zeros(self.used.height, dtype=bool)
        has[self.pairs["row"].to_numpy()] = True
        return has

    def _equals(self, column: str, tolerance: float, *, is_later: bool) -> NDArray[np.bool_]:
        """Whether the value read equals one published after, or by, the time that the row was taken as known."""
        pairs = self.pairs.filter((pl.col("known_at_vintage") > pl.col("known_at")) == is_later)
        gaps = gap_sizes(self.used[column][pairs["row"]], self.vintages[column][pairs["vintage"]], 0.0, tolerance)
        equals = np.zeros(self.used.height, dtype=bool)
        equals[pairs["row"].to_numpy()[gaps == 0]] = True
        return equals

    def _finding(self, column: str, kind: str, shows: NDArray[np.bool_], size: float, what: str) -> ReplayFinding:
        n, of = int(shows.sum()), self.used.height
        return ReplayFinding(
            feature=f"{self.name}.{column}",
            kind=kind,
            first_date=earliest(self.used["timestamp"].filter(pl.Series(shows))),
            size=size,
            detail=f"{n:,} of {of:,} rows {what}",
            n=n,
            of=of,
        )


def _features(
    compute: Compute, revised: dict[str, pl.DataFrame], published: Mapping[str, pl.DataFrame], tolerance: float
) -> Iterator[ReplayFinding]:
    """The features that would differ if only known values had been read."""
    used, then = computed(compute, revised), computed(compute, {**revised, **published})
    both = compared(used, then, left_name="features", right_name="features of what was known")
    for difference in both.differences(tolerance):
        yield ReplayFinding(
            feature=difference.feature,
            kind="restatement",
            first_date=difference.first_date,
            size=difference.size,
            detail=f"differs on {difference.n:,} of {both.left_rows.size:,} rows from what was known then",
            n=difference.n,
            of=both.left_rows.size,
        )
    if both.only_left.height:
        yield ReplayFinding(
            feature="rows",
            kind="restatement",
            first_date=earliest(both.only_left["timestamp"]),
            size=inf,
            detail=f"{both.only_left.height:,} of {used.height:,} rows of features rest on what was not known then",
            n=both.only_left.height,
            of=used.height,
        )


def _keyed(table: pl.DataFrame, row: str) -> pl.DataFrame:
    keys = {
        "about": instants(table["timestamp"]),
        "known_at": instants(known_times(table)),
        row: np.arange(table.height),
    }
    if "symbol" in table.columns:
        keys["symbol"] = table["symbol"].cast(pl.String)
    return pl.DataFrame(keys)


def _refuse_repeated(keyed: pl.DataFrame, keys: list[str], place: str) -> None:
    repeated = keyed.select(keys).is_duplicated()
    if repeated.any():
        row = repeated.arg_max()
        raise ReplayError(
            f"{place}, row {row}: published more than once at the same time for the same row; expected once."
        )
