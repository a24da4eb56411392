"""Purge and embargo: whether labels of training rows reach into the model's test windows.

A label is known at its end, not at its prediction. A training row whose label interval overlaps a test window has seen
part of the test's outcome (López de Prado 2018, chapter 7.4.1); one that begins within the embargo after the window may
repeat it through serial correlation (7.4.2). The check judges the split, not the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.comparison import earliest
from signoff.pit.errors import ReplayError
from signoff.pit.knowledge import instants, latest_knowledge
from signoff.pit.report import PitReport, ReplayFinding

Instants = NDArray[np.int64]

_DAY_US: Final = 86_400_000_000


def purge(training: pl.DataFrame, tests: pl.DataFrame) -> PitReport:
    """Find training rows whose labels overlap a test window, or that begin within the embargo after one.

    Parameters
    ----------
    training : `timestamp` (the prediction) and `label_end` (when its outcome was known), with `fold` where folds train
        on different rows. A row without `label_end` cannot be judged, and is reported.
    tests : `start` and `end` (the end of the last test label), with `embargo` (a duration; none where absent) and
        `fold` where the training rows have it.

    Returns
    -------
    A `PitReport` with findings by fold ("labels" where there are none): "purge" where label and window share an
    instant, both ends included as in the book's snippet 7.1, "embargo" where a prediction follows the end by no more
    than the embargo. `size` is the largest time shared, or by which the embargo was entered, in days. Dates without a
    time are whole days.

    Raises
    ------
    ReplayError
        No training rows or windows, folds on one side only, windows or labels that end before they begin.
    """
    _check(training, tests)
    if training.schema["label_end"] == pl.Null:
        training = training.with_columns(pl.col("label_end").cast(pl.Datetime("us", "UTC")))
    folds = _folds(training, tests)
    return PitReport(
        (finding for fold in folds for finding in fold.findings()),
        checks=("purge",),
        dates_checked=training["timestamp"].n_unique(),
        features_checked=sum(fold.label_end.null_count() < fold.label_end.len() for fold in folds),
        rows_checked=sum(fold.label_end.len() - fold.label_end.null_count() for fold in folds),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fold:
    """The training rows and test windows of one model."""

    name: str
    timestamp: pl.Series
    label_end: pl.Series
    tests: pl.DataFrame

    def findings(self) -> Iterator[ReplayFinding]:
        """The overlaps, the entries into an embargo, and what cannot be judged."""
        rows = self.timestamp.len()
        is_known = self.label_end.is_not_null()
        if not rows or not self.tests.height:
            raise ReplayError(
                f"fold {self.name}: found {rows} training rows and {self.tests.height} test windows; expected at least "
                "one of each."
            )
        if not is_known.all():
            yield self._finding("unverified", ~is_known.to_numpy(), inf, "have no label_end and cannot be judged")
        shared, entered = self._depths(is_known)
        if (overlaps := shared >= 0).any():
            yield self._finding("purge", overlaps, shared.max() / _DAY_US, "have labels that overlap a test window")
        if (is_inside := (entered >= 0) & ~overlaps).any():
            size = entered[is_inside].max() / _DAY_US
            yield self._finding("embargo", is_inside, size, "begin within the embargo after a test window")

    def _depths(self, is_known: pl.Series) -> tuple[Instants, Instants]:
        """Row by row, the longest overlap with a window, and the deepest entry into an embargo; -1 for none."""
        starts = instants(self.timestamp).to_numpy()
        ends = latest_knowledge(self.label_end).fill_null(-1).to_numpy()
        shared, entered = np.full(starts.size, -1), np.full(starts.size, -1)
        for opens, closes, embargo in _windows(self.tests):
            common = np.minimum(ends, closes) - np.maximum(starts, opens)
            np.maximum(shared, np.where(is_known.to_numpy() & (common >= 0), common, -1), out=shared)
            left = closes + embargo - starts
            np.maximum(entered, np.where((starts > closes) & (left >= 0), left, -1), out=entered)
        return shared, entered

    def _finding(self, kind: str, shows: NDArray[np.bool_], size: float, what: str) -> ReplayFinding:
        n, of = int(shows.sum()), self.timestamp.len()
        return ReplayFinding(
            feature=self.name,
            kind=kind,
            first_date=earliest(self.timestamp.filter(pl.Series(shows))),
            size=float(size),
            detail=f"{n:,} of {of:,} training rows {what}",
            n=n,
            of=of,
        )


def _windows(tests: pl.DataFrame) -> Iterator[tuple[int, int, int]]:
    opens, closes = instants(tests["start"]), latest_knowledge(tests["end"])
    if "embargo" in tests.columns:
        embargo = tests["embargo"].dt.total_microseconds()
    else:
        embargo = pl.zeros(tests.height, dtype=pl.Int64, eager=True)
    yield from zip(opens.to_list(), closes.to_list(), embargo.to_list(), strict=True)


def _folds(training: pl.DataFrame, tests: pl.DataFrame) -> tuple[_Fold, ...]:
    if "fold" not in training.columns:
        whole = _Fold(name="labels", timestamp=training["timestamp"], label_end=training["label_end"], tests=tests)
        return (whole,)
    trained, tested = training["fold"].cast(pl.String), tests["fold"].cast(pl.String)
    return tuple(
        _Fold(
            name=str(name),
            timestamp=training["timestamp"].filter(trained == name),
            label_end=training["label_end"].filter(trained == name),
            tests=tests.filter(tested == name),
        )
        for name in pl.concat([trained, tested]).unique(maintain_order=True)
    )


def _check(training: pl.DataFrame, tests: pl.DataFrame) -> None:
    for name, frame, columns in (
        ("training rows", training, ("timestamp", "label_end")),
        ("test windows", tests, ("start", "end")),
    ):
        if missing := [column for column in columns if column not in frame.columns]:
            raise ReplayError(f"{name}: the column {missing[0]} is missing; found {', '.join(frame.columns)}.")
        if not frame.height:
            raise ReplayError(f"{name}: none were given, so that nothing can be judged; expected at least one.")
        for column in columns:
            _check_times(frame[column], f"{name}, column {column}", may_be_empty=column == "label_end")
    if ("fold" in training.columns) != ("fold" in tests.columns):
        raise ReplayError("only one side has the column fold; expected it in training rows and test windows.")
    for name, frame in (("training rows", training), ("test windows", tests)):
        if "fold" in frame.columns and frame["fold"].null_count():
            raise ReplayError(f"{name}, column fold: row {frame['fold'].is_null().arg_max()} is empty.")
    if "embargo" in tests.columns:
        _check_embargo(tests["embargo"])
    _check_order(training["timestamp"], training["label_end"], "training rows: the label of row")
    _check_order(tests["start"], tests["end"], "test windows: the window of row")


def _check_times(times: pl.Series, place: str, *, may_be_empty: bool) -> None:
    if times.dtype == pl.Null and may_be_empty:
        return
    if not isinstance(times.dtype, pl.Datetime | pl.Date):
        raise ReplayError(f"{place}: expected dates or timestamps, found {times.dtype}; parse them when reading.")
    if times.null_count() and not may_be_empty:
        raise ReplayError(f"{place}: row {times.is_null().arg_max()} is empty; every row must say when.")


def _check_embargo(embargo: pl.Series) -> None:
    if not isinstance(embargo.dtype, pl.Duration):
        raise ReplayError(f"test windows, column embargo: expected durations, found {embargo.dtype}.")
    is_wrong = (embargo.dt.total_microseconds() < 0).fill_null(value=True)
    if is_wrong.any():
        row = is_wrong.arg_max()
        assert row is not None
        raise ReplayError(f"test windows, column embargo: expected a duration ≥ 0, found {embargo[row]} in row {row}.")


def _check_order(start: pl.Series, end: pl.Series, place: str) -> None:
    if end.dtype == pl.Null:
        return
    is_backward = (latest_knowledge(end) < instants(start)).fill_null(value=False)
    if is_backward.any():
        row = is_backward.arg_max()
        assert row is not None
        raise ReplayError(f"{place} {row} ends at {end[row]}, before it begins at {start[row]}.")
