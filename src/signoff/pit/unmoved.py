"""Features that do not come from their inputs, since they stay the same when every value is scrambled.

Removing the future does not change a feature that is read from a cache, a packaged file or an earlier fitted table. A
stored feature with a little of the inputs added keeps its order. A feature made of times and symbols, such as a
weekday, stays the same too: the check cannot tell it from a stored table, so its author has to declare it.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from typing import Final

import numpy as np
import polars as pl

from signoff.pit.features import Compute, at, computed, gap_sizes, has_value, names
from signoff.pit.knowledge import (
    Inputs,
    has_values,
    latest_knowledge,
    scrambled,
)
from signoff.pit.report import ReplayFinding

RUNS: Final = 2
SHARE: Final = 0.25
"""The least share of dates on which a feature of many values stays the same for a finding; chance explains none."""
FEW_DATES: Final = 5
MANY_VALUES: Final = 0.5
KEPT_ORDER: Final = 0.9
"""The absolute rank correlation with the scrambled values from which a feature keeps its order."""
CONFIRMING: Final = 6
"""Further scrambled runs before a kept order is a finding, since slow series or few rows may agree by luck."""
FEWEST_ROWS: Final = 30
MOST_ROWS: Final = 5_000
_REMEDY: Final = "Compute it from them; if it is made of times and symbols alone, name it in validation.pit.from_times."


def unmoved_by(
    compute: Compute,
    inputs: Inputs,
    full: pl.DataFrame,
    dates: pl.Series,
    scales: dict[str, float],
    *,
    seed: int,
    tolerance: float,
) -> dict[str, ReplayFinding]:
    """A finding for each feature that stayed the same on the sampled dates in every scrambled run.

    A computation that refuses scrambled values gives no findings.
    """
    if dates.is_empty() or not has_values(inputs):
        return {}
    runs = _scrambled_runs(compute, inputs, seed)
    others = list(islice(runs, RUNS))
    if not others:
        return {}
    findings = {}
    at_dates = _OfDates(full=full, others=tuple(others), dates=dates)
    for feature in names(full):
        stayed = _dates_stayed(at_dates, feature, scales[feature], tolerance)
        if stayed is None:
            continue
        looked, unmoved = stayed
        if _is_odd(full, feature, len(unmoved), looked) and not _is_constant(full, feature):
            findings[feature] = ReplayFinding(
                feature=feature,
                kind="unmoved",
                first_date=unmoved[0],
                size=0.0,
                detail=f"stays the same on {len(unmoved)} of {looked} dates when every value of the inputs is "
                f"scrambled, those of the past too: it does not come from its inputs. {_REMEDY}",
                n=len(unmoved),
                of=looked,
            )
    return findings | _of_kept_order(full, others, runs, [name for name in names(full) if name not in findings])


def _of_kept_order(
    full: pl.DataFrame, others: list[pl.DataFrame], further: Iterator[pl.DataFrame], features: list[str]
) -> dict[str, ReplayFinding]:
    """A finding for each feature whose values keep their order in every scrambled run."""
    rows = _spread(full)
    orders = _kept_orders(rows, others, dict.fromkeys(features, 1.0))
    if orders:
        orders = _kept_orders(rows, list(islice(further, CONFIRMING)), orders)
    dates = rows["timestamp"].n_unique()
    return {
        feature: ReplayFinding(
            feature=feature,
            kind="unmoved",
            first_date=rows["timestamp"].min(),  # type: ignore[arg-type]
            size=0.0,
            detail=f"keeps {order:.2f} of its order although its inputs were scrambled, those of the past too (rank "
            f"correlation on {dates} dates): most of it does not come from its inputs. {_REMEDY}",
            n=dates,
            of=dates,
        )
        for feature, order in orders.items()
    }


def _spread(full: pl.DataFrame) -> pl.DataFrame:
    """The rows of every nth date, enough for the check."""
    dates = full["timestamp"].unique().sort()
    every = max(1, -(-full.height // MOST_ROWS))
    return full.filter(full["timestamp"].is_in(dates.gather_every(every).implode()))


def _kept_orders(rows: pl.DataFrame, others: list[pl.DataFrame], weakest: dict[str, float]) -> dict[str, float]:
    """The features whose order is kept in all runs, with their weakest rank correlation."""
    for other in others:
        after = rows.select("timestamp", "symbol").join(
            other.with_columns(pl.col("timestamp").cast(rows.schema["timestamp"])),
            on=("timestamp", "symbol"),
            how="left",
            maintain_order="left",
        )
        orders = {name: _order(rows, name, after) for name in weakest if name in after.columns}
        weakest = {name: min(weakest[name], order) for name, order in orders.items() if order > KEPT_ORDER}
    return weakest


def _order(rows: pl.DataFrame, feature: str, after: pl.DataFrame) -> float:
    """The absolute rank correlation of a feature with itself after scrambling, 0 if too few data.

    A feature that only grows, such as a cumulative volume, keeps its order anyway, so its steps are compared instead.
    """
    both = has_value(rows[feature]) & has_value(after[feature])
    if both.sum() < FEWEST_ROWS or rows["timestamp"].filter(pl.Series(both)).n_unique() < FEW_DATES:
        return 0.0
    table = pl.DataFrame(
        {
            "symbol": rows["symbol"],
            "when": rows["timestamp"].rank("dense").cast(pl.Float64),
            "own": _ranked(rows[feature]),
            "other": _ranked(after[feature]),
        }
    ).filter(pl.Series(both))
    order = _correlation(table["own"], table["other"])
    if order <= KEPT_ORDER or not _follows_time(table):
        return order
    numbers = rows[feature].dtype.is_numeric()
    steps = table.select("symbol", "when").with_columns(
        own=rows[feature].filter(pl.Series(both)) if numbers else table["own"],
        other=after[feature].filter(pl.Series(both)) if numbers else table["other"],
    )
    steps = steps.sort("symbol", "when").with_columns(pl.col("own", "other").cast(pl.Float64).diff().over("symbol"))
    steps = steps.drop_nulls()
    return _correlation(steps["own"].rank(), steps["other"].rank()) if steps.height >= FEWEST_ROWS else order


def _follows_time(table: pl.DataFrame) -> bool:
    """Whether the values of most symbols are in the order of their dates."""
    each = [_correlation(part["own"].rank(), part["when"].rank()) for _, part in table.group_by("symbol")]
    return float(np.median(each)) > KEPT_ORDER


def _ranked(values: pl.Series) -> pl.Series:
    plain = values if values.dtype.is_numeric() or values.dtype == pl.Boolean else values.cast(pl.String)
    return plain.rank().cast(pl.Float64)


def _correlation(first: pl.Series, second: pl.Series) -> float:
    one, two = first.to_numpy(), second.to_numpy()
    if one.size < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return abs(float(np.corrcoef(one, two)[0, 1]))


def _scrambled_runs(compute: Compute, inputs: Inputs, seed: int) -> Iterator[pl.DataFrame]:
    for run in range(RUNS + CONFIRMING):
        rng = np.random.default_rng([seed, 2, run])
        with suppress(Exception):  # a user's function may refuse unrealistic values
            yield computed(compute, scrambled(inputs, rng))


class _OfDates:
    """The rows of each sampled date in the full computation and in the scrambled runs; each is cut out once."""

    def __init__(self, *, full: pl.DataFrame, others: tuple[pl.DataFrame, ...], dates: pl.Series) -> None:
        self.full = [(when, instant, at(full, instant)) for when, instant in _instants(dates)]
        self._others = others
        self._cut: dict[tuple[int, int], pl.DataFrame] = {}

    def others(self, instant: int) -> Iterator[pl.DataFrame]:
        """The rows of one date, run after run."""
        for run, other in enumerate(self._others):
            if (run, instant) not in self._cut:
                self._cut[run, instant] = at(other, instant)
            yield self._cut[run, instant]


def _instants(dates: pl.Series) -> Iterator[tuple[date | datetime, int]]:
    return zip(dates, latest_knowledge(dates).to_list(), strict=True)


def _dates_stayed(
    at_dates: _OfDates, feature: str, scale: float, tolerance: float
) -> tuple[int, list[date | datetime]] | None:
    """The number of sampled dates with a value, and the dates without a change in any run; None without a value."""
    looked, unmoved = 0, list[date | datetime]()
    for when, instant, rows in at_dates.full:
        own = rows.filter(pl.Series(has_value(rows[feature])))
        if not own.height:
            continue
        looked += 1
        if all(_stays(own, other, feature, scale, tolerance) for other in at_dates.others(instant)):
            unmoved.append(when)
    return (looked, unmoved) if looked else None


def _stays(own: pl.DataFrame, other: pl.DataFrame, feature: str, scale: float, tolerance: float) -> bool:
    if feature not in other.columns:
        return False
    after = own.select("symbol").join(other, on="symbol", how="left", maintain_order="left")[feature]
    return not (gap_sizes(own[feature], after, scale, tolerance) > 0).any()


def _is_odd(full: pl.DataFrame, feature: str, unmoved: int, looked: int) -> bool:
    """Whether staying the same on so many dates is more than chance, as it may be for a feature of few values."""
    values = full[feature].drop_nulls()
    if values.n_unique() > MANY_VALUES * values.len():
        return unmoved >= 1 and unmoved >= SHARE * looked
    return unmoved >= FEW_DATES and unmoved == looked


def _is_constant(full: pl.DataFrame, feature: str) -> bool:
    """Whether a feature is constant: one value, and none missing after a symbol's first."""
    has = pl.Series("has", has_value(full[feature]))
    if full[feature].filter(has).n_unique() > 1:
        return False
    begun = full.select("timestamp", "symbol").with_columns(has).sort("timestamp")
    return bool(begun.select((pl.col("has").cum_max().over("symbol") == pl.col("has")).all()).item())
