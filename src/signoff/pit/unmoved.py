"""Features that do not come from their inputs: scramble every value, of the past too, and they stay as they were.

Removing the future shows nothing of a feature that was never computed: one that is read from a cache, a file of the
package or a table that was fitted earlier has the same values whatever it is given. What is made of times and symbols
alone stays too, such as a weekday. So the times are moved to where nothing was ever recorded: a calendar goes on there,
and a table has nothing to say, or says what it said before.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from functools import cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.features import Compute, at, computed, gap_sizes, has_value, names
from signoff.pit.knowledge import (
    DAY_US,
    Inputs,
    has_values,
    instants,
    last_instant,
    latest_knowledge,
    moved_in_time,
    scrambled,
)
from signoff.pit.report import Finding

RUNS: Final = 2
SHARE: Final = 0.25
"""The part of the dates on which a feature of many different values must stay, to be found: chance explains none."""
FEW_DATES: Final = 5
MANY_VALUES: Final = 0.5
ANSWERS: Final = 0.5
"""The part of the rows on which something made of times has a value at other times."""
COLLAPSED: Final = 0.25
"""Values at other times, as a part of those before: the last value of a table, again and again, is few."""
OFFSET_DAYS: Final = 3_663
_LINEAR: Final = 1e-9

Mask = NDArray[np.bool_]


def unmoved_by(
    compute: Compute,
    inputs: Inputs,
    full: pl.DataFrame,
    dates: pl.Series,
    scales: dict[str, float],
    *,
    seed: int,
    tolerance: float,
) -> dict[str, Finding]:
    """A finding for each feature that stayed on the sampled dates, however the values of the inputs were scrambled.

    A computation that refuses scrambled values shows nothing here.
    """
    if dates.is_empty() or not has_values(inputs):
        return {}
    others = list(_scrambled_runs(compute, inputs, seed))
    if not others:
        return {}
    elsewhere = cache(lambda: _elsewhere(compute, inputs, full))
    found = {}
    for feature in names(full):
        stayed = _dates_stayed(full, others, dates, feature, scales[feature], tolerance)
        if stayed is None:
            continue
        looked, unmoved = stayed
        if _is_odd(full, feature, len(unmoved), looked) and not _is_of_times(full, elsewhere(), feature):
            found[feature] = Finding(
                feature=feature,
                kind="unmoved",
                first_date=unmoved[0],
                size=0.0,
                detail=f"stays the same on {len(unmoved)} of {looked} dates when every value of the inputs is "
                "scrambled, those of the past too: it does not come from its inputs. Compute it from them; declare "
                "it in from_times if it is made of times and symbols alone.",
                n=len(unmoved),
                of=looked,
            )
    return found


def _scrambled_runs(compute: Compute, inputs: Inputs, seed: int) -> Iterator[pl.DataFrame]:
    for run in range(RUNS):
        rng = np.random.default_rng([seed, 2, run])
        with suppress(Exception):  # a user's function may refuse values that no market ever gave
            yield computed(compute, scrambled(inputs, rng))


def _dates_stayed(
    full: pl.DataFrame, others: list[pl.DataFrame], dates: pl.Series, feature: str, scale: float, tolerance: float
) -> tuple[int, list[date | datetime]] | None:
    """How many sampled dates have a value, and those on which no symbol's moved in any run; None without a value."""
    looked, unmoved = 0, list[date | datetime]()
    for when in dates:
        instant = int(latest_knowledge(pl.Series([when], dtype=dates.dtype))[0])
        own = at(full, instant).filter(pl.Series(has_value(at(full, instant)[feature])))
        if not own.height:
            continue
        looked += 1
        if all(_stays(own, at(other, instant), feature, scale, tolerance) for other in others):
            unmoved.append(when)
    return (looked, unmoved) if looked else None


def _stays(own: pl.DataFrame, other: pl.DataFrame, feature: str, scale: float, tolerance: float) -> bool:
    if feature not in other.columns:
        return False
    after = own.select("symbol").join(other, on="symbol", how="left", maintain_order="left")[feature]
    return not (gap_sizes(own[feature], after, scale, tolerance) > 0).any()


def _is_odd(full: pl.DataFrame, feature: str, unmoved: int, looked: int) -> bool:
    """Whether staying on so many dates is more than chance: a feature of few values may stay by luck."""
    values = full[feature].drop_nulls()
    if values.n_unique() > MANY_VALUES * values.len():
        return unmoved >= 1 and unmoved >= SHARE * looked
    return unmoved >= FEW_DATES and unmoved == looked


def _is_of_times(full: pl.DataFrame, elsewhere: pl.DataFrame | None, feature: str) -> bool:
    """Whether a feature is made of times, rows and names: at other times it has other values, and as many of them."""
    own = full.filter(pl.Series(has_value(full[feature])))
    kinds = own[feature].n_unique()
    if kinds <= 1 or _is_label(own, feature) or _counts_rows(own, feature):
        return True
    if elsewhere is None or feature not in elsewhere.columns:
        return False
    there = own.select("timestamp", "symbol", feature).join(
        elsewhere.select("timestamp", "symbol", there=feature),
        on=("timestamp", "symbol"),
        how="left",
        maintain_order="left",
    )
    answers = has_value(there["there"])
    if answers.mean() < ANSWERS or there["there"].n_unique() <= max(1.0, COLLAPSED * kinds):
        return False
    return bool(there[feature].ne_missing(there["there"]).any())


def _is_label(own: pl.DataFrame, feature: str) -> bool:
    """Whether a feature is a static attribute that symbols share, such as a sector."""
    each = own.group_by("symbol").agg(pl.col(feature).n_unique())
    return each[feature].max() == 1 and own[feature].n_unique() * 2 <= each.height


def _counts_rows(own: pl.DataFrame, feature: str) -> bool:
    """Whether a feature counts rows: by symbol, a line in the number of the row."""
    if not own[feature].dtype.is_numeric():
        return False
    for _, part in own.group_by("symbol"):
        values = part.sort("timestamp")[feature].cast(pl.Float64).to_numpy()
        steps = np.diff(values)
        if values.size < FEW_DATES or not np.isfinite(values).all():
            return False
        if np.abs(steps - steps[0]).max() > _LINEAR * max(float(np.abs(values).max()), 1.0):
            return False
    return True


def _elsewhere(compute: Compute, inputs: Inputs, full: pl.DataFrame) -> pl.DataFrame | None:
    """What is computed where every time is twice as far from the next, long after the last: at its own times again.

    None where that fails.
    """
    first = min(int(instants(table["timestamp"]).min() or 0) for table in inputs.values() if table.height)  # type: ignore[arg-type]
    last = last_instant(inputs)
    offset = (2 * (last - first) // DAY_US + OFFSET_DAYS) * DAY_US
    with suppress(Exception):
        moved = computed(compute, {name: moved_in_time(table, first, offset) for name, table in inputs.items()})
        there = moved_in_time(full.select("timestamp", "symbol"), first, offset)
        back = there.with_columns(full["timestamp"].alias("own"))
        back = back.with_columns(instants(back["timestamp"]).alias("at"))
        moved = moved.with_columns(instants(moved["timestamp"]).alias("at")).drop("timestamp")
        return (
            back.select("own", "at", "symbol").join(moved, on=("at", "symbol"), how="left").rename({"own": "timestamp"})
        )
    return None
