"""Train/serve skew: whether the live system's logged features equal those that the research code computes.

Rows are joined by exact timestamp and symbol. The check does not say which side is right.
"""

from collections.abc import Iterator
from math import inf

import polars as pl

from signoff.pit.comparison import SharedRows, compared, earliest
from signoff.pit.errors import ReplayError
from signoff.pit.features import names
from signoff.pit.report import PitReport, ReplayFinding


def skew(logged: pl.DataFrame, recomputed: pl.DataFrame, *, tolerance: float = 1e-9) -> PitReport:
    """Compare features as logged live with features recomputed for the same timestamps and symbols.

    Parameters
    ----------
    logged, recomputed : frames with `timestamp`, `symbol` and one column per feature, one row for a timestamp and
        symbol, both cut to the same period. Null and NaN are both missing, and equal only to each other.
    tolerance : relative difference that is rounding, against the value or the feature's median size.

    Returns
    -------
    A `PitReport` with a finding of kind "skew" for each feature that differs, its size the largest difference, and one
    of kind "missing" for each feature that one side lacks and for the rows ("rows") that one side lacks. Features
    without any value on shared rows are neither findings nor counted as checked.

    Raises
    ------
    ReplayError
        Either frame is empty or has no feature, so that there is nothing to compare; or rows that cannot be placed.
    """
    if not tolerance >= 0:
        raise ReplayError(f"expected tolerance ≥ 0, found {tolerance}.")
    for name, frame in (("logged", logged), ("recomputed", recomputed)):
        if not frame.height:
            raise ReplayError(f"{name} features: no rows, so there is nothing to compare; expected at least one.")
    both = compared(logged, recomputed, left_name="logged features", right_name="recomputed features")
    if not names(logged) or not names(recomputed):
        raise ReplayError("features: expected at least one beside timestamp and symbol on both sides.")
    checked = both.checked_features
    return PitReport(
        (*_mismatches(both, tolerance), *_missing_features(both), *_missing_rows(both)),
        checks=("skew",),
        dates_checked=both.dates,
        features_checked=len(checked),
        rows_checked=both.left_rows.size,
        unchecked_features=tuple(feature for feature in both.shared_features if feature not in checked),
        tolerance=tolerance,
    )


def _mismatches(both: SharedRows, tolerance: float) -> Iterator[ReplayFinding]:
    rows = both.left_rows.size
    for difference in both.differences(tolerance):
        yield ReplayFinding(
            feature=difference.feature,
            kind="skew",
            first_date=difference.first_date,
            size=difference.size,
            detail=f"logged and recomputed values differ on {difference.n:,} of {rows:,} rows",
            n=difference.n,
            of=rows,
        )


def _missing_features(both: SharedRows) -> Iterator[ReplayFinding]:
    sides = ((both.left, both.right, "logged", "recomputed"), (both.right, both.left, "recomputed", "logged"))
    for frame, other, here, elsewhere in sides:
        for feature in names(frame):
            if feature not in other.columns:
                yield ReplayFinding(
                    feature=feature,
                    kind="missing",
                    first_date=earliest(frame["timestamp"]),
                    size=inf,
                    detail=f"{here} and not {elsewhere}",
                    n=frame.height,
                    of=frame.height,
                )


def _missing_rows(both: SharedRows) -> Iterator[ReplayFinding]:
    sides = (
        (both.only_left, both.left.height, "logged", "recomputed"),
        (both.only_right, both.right.height, "recomputed", "logged"),
    )
    for frame, of, here, elsewhere in sides:
        if frame.height:
            first = frame.sort("timestamp", "symbol")
            yield ReplayFinding(
                feature="rows",
                kind="missing",
                first_date=earliest(frame["timestamp"]),
                size=inf,
                detail=f"{frame.height:,} of {of:,} rows are {here} and not {elsewhere}, first {first['symbol'][0]}",
                n=frame.height,
                of=of,
            )
