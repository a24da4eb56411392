"""Features that do not come from their inputs: scramble every value, of the past too, and they stay as they were.

Removing the future shows nothing of a feature that was never computed: one that is read from a cache, a file of the
package or a table that was fitted earlier has the same values whatever it is given. Features of the calendar are made
of times alone, which no scrambling touches; they are recognised and left alone.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.features import Compute, at, computed, gap_sizes, has_value, names
from signoff.pit.knowledge import Inputs, has_values, instants, latest_knowledge, scrambled
from signoff.pit.report import Finding

RUNS: Final = 2
SHARE: Final = 0.25
"""The part of the dates on which a feature of many different values must stay, to be found: chance explains none."""
FEW_DATES: Final = 4
MANY_VALUES: Final = 0.5
DATES_PER_GROUP: Final = 2.0
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
    found = {}
    for feature in names(full):
        stayed = _dates_stayed(full, others, dates, feature, scales[feature], tolerance)
        if stayed is None or _is_of_times(full, feature):
            continue
        looked, unmoved = stayed
        if unmoved and (len(unmoved) == looked or _is_odd(full, feature, len(unmoved), looked)):
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
    """Whether staying on some dates is more than chance: a feature of few values may stay by luck."""
    values = full[feature].drop_nulls()
    return unmoved >= FEW_DATES and unmoved >= SHARE * looked and values.n_unique() > MANY_VALUES * values.len()


def _is_of_times(full: pl.DataFrame, feature: str) -> bool:
    """Whether a feature is one value, a part of the calendar, or a count of days or rows."""
    frame = full.filter(pl.Series(has_value(full[feature])))
    values = frame[feature]
    if values.n_unique() <= 1:
        return True
    when = frame["timestamp"]
    groups = {name: part(when) for name, part in _CALENDAR.items() if name not in _CLOCK or when.dtype != pl.Date}
    if any(_is_function_of(values, group, when.n_unique()) for group in groups.values()):
        return True
    if not values.dtype.is_numeric():
        return False
    return any(_is_wave(values, groups[name], period) for name, period in _PERIODS.items() if name in groups) or (
        _is_linear(frame, feature)
    )


def _is_function_of(values: pl.Series, group: pl.Series, dates: int) -> bool:
    """Whether each group has one value, and most groups have several dates: otherwise anything would be a function."""
    paired = pl.DataFrame({"value": values, "group": group})
    each = paired.group_by("group").agg(pl.col("value").n_unique().alias("kinds"), pl.len().alias("rows"))
    return each["kinds"].max() == 1 and each.height * DATES_PER_GROUP <= dates


def _is_wave(values: pl.Series, part: pl.Series, period: float) -> bool:
    """Whether a feature is a sine, a cosine or a line of a part of the calendar: a season without a jump."""
    number = part.cast(pl.Float64).to_numpy()
    turn = 2 * np.pi * number / period
    waves = (np.sin(turn), np.cos(turn), np.sin(number / period), np.cos(number / period))
    basis = np.column_stack([np.ones(number.size), number, *waves])
    if np.unique(number).size <= 2 * basis.shape[1]:
        return False
    wanted = values.cast(pl.Float64).to_numpy()
    rest = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    return bool(np.abs(rest).max() <= _LINEAR * max(np.abs(wanted).max(), 1.0))


def _is_linear(frame: pl.DataFrame, feature: str) -> bool:
    """Whether a feature counts time or rows: by symbol, a line in either."""
    for _, own in frame.group_by("symbol"):
        ordered = own.sort("timestamp")
        values = ordered[feature].cast(pl.Float64).to_numpy()
        times = instants(ordered["timestamp"]).to_numpy().astype(np.float64)
        if not any(_is_line(values, line) for line in (times, np.arange(values.size, dtype=np.float64))):
            return False
    return True


def _is_line(values: NDArray[np.float64], line: NDArray[np.float64]) -> bool:
    if values.size < 3:
        return False
    centred = line - line.mean()
    spread = float(centred @ centred)
    if spread == 0:
        return False
    slope = float(centred @ values) / spread
    rest = values - values.mean() - slope * centred
    return bool(np.abs(rest).max() <= _LINEAR * max(np.abs(values).max(), 1.0))


_PERIODS: Final = {"month": 12.0, "day": 31.0, "week": 52.0, "day of the year": 365.0, "hour": 24.0, "minute": 1440.0}
_CLOCK: Final = frozenset({"hour", "minute"})
_CALENDAR: Final[dict[str, Callable[[pl.Series], pl.Series]]] = {
    "weekday": lambda when: when.dt.weekday(),
    "day": lambda when: when.dt.day(),
    "days left": lambda when: when.dt.month_end().dt.day() - when.dt.day(),
    "week": lambda when: when.dt.week(),
    "month": lambda when: when.dt.month(),
    "quarter": lambda when: when.dt.quarter(),
    "year": lambda when: when.dt.year(),
    "day of the year": lambda when: when.dt.ordinal_day(),
    "hour": lambda when: when.dt.hour(),
    "minute": lambda when: when.dt.hour().cast(pl.Int32) * 60 + when.dt.minute().cast(pl.Int32),
}
