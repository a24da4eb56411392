"""Coverage: the decisions of a record that a replay can check, and those without inputs.

A replay draws its dates from those with features. If inputs begin late, end early or have gaps, the decisions there are
never drawn, and a clean replay does not cover them. Decisions are counted by their UTC day.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.knowledge import DAY_US, TIME_COLUMNS, Inputs, instants

DayNumbers = NDArray[np.int64]  # days since 1970

LEAST_REACH_DAYS: Final = 4
"""A decision after a weekend or a holiday uses the features of the session before."""
LEAST_INPUT_REACH: Final = {"row": 7.0, "session": 1.0}
"""A row is valid for the week that it begins, and for the sessions of its day and the next."""
ALLOWANCE: Final = 1.5
MOST_STEPS: Final = 6
STRETCHES: Final = 8
FEWEST_DAYS_OF_AN_INPUT: Final = 20
"""A table of fewer days, such as a list of sectors, is not a history that could begin late."""
FEWEST_ROWS_OF_A_SYMBOL: Final = 8
_KEYS: Final = (*TIME_COLUMNS, "symbol")
_DAY: Final = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The days of a record's decisions, distinct and in order, and their symbols if it names them.

    `pairs` has one row a day (days since 1970) and symbol; None if the record names no symbols.
    """

    days: DayNumbers
    pairs: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A run of decision dates that the replay could not cover."""

    first: date
    last: date
    dates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSymbol:
    """A symbol with decisions that the replay could not cover, and its replayed days, if any."""

    symbol: str
    replayed: int
    of: int
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCoverage:
    """The number of the `of` decision dates, and of the `of_pairs` dates and symbols, that the replay covers."""

    dates: int
    of: int
    first: date | None = None
    last: date | None = None
    gaps: tuple[Gap, ...] = ()
    pairs: int = 0
    of_pairs: int = 0
    symbols: tuple[LateSymbol, ...] = ()


def coverage(decisions: Decisions, carried: pl.DataFrame, inputs: Inputs) -> ReplayCoverage:
    """Compare the decisions with the rows that have a feature (`carried`: timestamp, symbol) and with the inputs.

    A date counts if it has features and every input with a history has rows by then. A symbol's date counts if the same
    holds for the symbol.
    """
    features = _by_day(carried)
    seen = _within_features(decisions.days, features[_DAY].to_numpy())
    for table in _histories(inputs):
        seen &= _within_rows(decisions.days, table)
    days = decisions.days[seen]
    pairs = None if decisions.pairs is None else _pairs(decisions.pairs, features, inputs, days)
    if pairs is not None:
        days = np.intersect1d(days, np.union1d(pairs.filter(pl.col("seen"))[_DAY].to_numpy(), _unpaired(decisions)))
        seen = np.isin(decisions.days, days)
    return ReplayCoverage(
        dates=int(seen.sum()),
        of=decisions.days.size,
        first=_day(days[0]) if days.size else None,
        last=_day(days[-1]) if days.size else None,
        gaps=tuple(_gaps(decisions.days, seen)),
        pairs=0 if pairs is None else int(pairs["seen"].sum()),
        of_pairs=0 if pairs is None else pairs.height,
        symbols=() if pairs is None else tuple(_late(pairs)),
    )


def _unpaired(decisions: Decisions) -> DayNumbers:
    """Decision dates without a symbol in the record."""
    assert decisions.pairs is not None
    return np.setdiff1d(decisions.days, decisions.pairs[_DAY].to_numpy())


def _by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """The distinct days and symbols of rows, ordered by day."""
    symbols = [pl.col("symbol").cast(pl.String)] if "symbol" in rows.columns else []
    if not rows.height:
        return pl.DataFrame(schema={_DAY: pl.Int64, **({"symbol": pl.String} if symbols else {})})
    pairs = rows.select((instants(rows["timestamp"]) // DAY_US).alias(_DAY), *symbols)
    return pairs.unique().sort(pairs.columns)


def _histories(inputs: Inputs) -> Iterator[pl.DataFrame]:
    """Days and symbols of each input with values on enough days to have a beginning and an end."""
    for table in inputs.values():
        values = [column for column in table.columns if column not in _KEYS]
        valued = table.filter(pl.any_horizontal(pl.col(*values).is_not_null())) if values else table
        if values and (floats := [name for name in values if table.schema[name].is_float()]) == values:
            valued = valued.filter(pl.any_horizontal(pl.col(*floats).is_not_nan()))
        rows = _by_day(valued)
        if rows[_DAY].n_unique() >= FEWEST_DAYS_OF_AN_INPUT:
            yield rows


def _within_features(days: DayNumbers, features: DayNumbers) -> NDArray[np.bool_]:
    """The days with features: of the day itself, or of shortly before if the two use different days."""
    features = np.unique(features)
    if not features.size:
        return np.zeros(days.size, dtype=np.bool_)
    same = np.isin(days, features)
    if _keeps_days(days, features, same):
        return same
    return _after(days, features, _reach_of_features(features))


def _keeps_days(days: DayNumbers, features: DayNumbers, same: NDArray[np.bool_]) -> bool:
    """Whether features have the day of the decision, unlike those of a month's end."""
    amid = (days >= features[0]) & (days <= features[-1])
    return bool(same[amid].mean() >= 0.5) if amid.any() else True


def _reach_of_features(features: DayNumbers) -> float:
    usual = float(np.median(np.diff(features))) if features.size > 1 else 0.0
    return max(LEAST_REACH_DAYS, 1.5 * usual)


def _after(days: DayNumbers, rows: DayNumbers, reach: float) -> NDArray[np.bool_]:
    """Whether the last row by each day is at most `reach` days old."""
    place = np.searchsorted(rows, days, side="right") - 1
    is_near: NDArray[np.bool_] = (place >= 0) & (days - rows[np.maximum(place, 0)] <= reach)
    return is_near


def _within_rows(
    days: DayNumbers, rows: pl.DataFrame, clocks: Collection[str] = tuple(LEAST_INPUT_REACH)
) -> NDArray[np.bool_]:
    """Whether an input has rows of any symbol around each day, as often as one symbol usually has."""
    whole = pl.lit("").alias("symbol")
    own = rows if "symbol" in rows.columns and rows.height > rows["symbol"].n_unique() else rows.with_columns(whole)
    reaches = {clock: _reach(_placed(own, days), clock, days) for clock in clocks}
    asked = pl.DataFrame({_DAY: days}).with_columns(whole)
    return _near(asked, rows.select(_DAY, whole).unique(), days, reaches).to_numpy()


def _placed(rows: pl.DataFrame, days: DayNumbers) -> pl.DataFrame:
    """Rows in order of days, with their place on each clock: "row" in calendar days, "session" in the record's own."""
    rows = rows.sort(_DAY, maintain_order=True)
    return rows.with_columns(row=pl.col(_DAY), session=pl.Series(np.searchsorted(days, rows[_DAY].to_numpy())))


def _near(asked: pl.DataFrame, rows: pl.DataFrame, days: DayNumbers, reaches: Mapping[str, float]) -> pl.Series:
    """Whether each day and symbol asked for, in order of days, has a row of that symbol within reach on each clock.

    In the record's own sessions a holiday takes no time. A symbol without rows in this input is not judged by it.
    """
    had, wanted = _placed(rows, days), _placed(asked, days)
    begins = had.group_by("symbol").agg(pl.col("row", "session").min().name.suffix("_first"))
    wanted = wanted.join_asof(had, on=_DAY, by="symbol", check_sortedness=False, suffix="_before")
    wanted = wanted.join(begins, on="symbol", how="left", maintain_order="left")
    near = [
        (pl.col(clock) - pl.coalesce(f"{clock}_before", f"{clock}_first")).abs() <= reach
        for clock, reach in reaches.items()
    ]
    return wanted.select(near=pl.all_horizontal(near).fill_null(value=True))["near"]


def _reach(rows: pl.DataFrame, clock: str, days: DayNumbers) -> float:
    """How long one row of an input is valid, from the steps between its rows within the record.

    It is the typical step of a symbol with an allowance. An input of events has uneven steps, so it is the longest step
    in the densest part of the record; a part that lacks rows does not extend it. Symbols with many rows decide for
    those with few.
    """
    steps = rows.with_columns(step=pl.col(clock).diff().over("symbol")).drop_nulls("step")
    inside = steps.filter(pl.col(_DAY).is_between(int(days[0]), int(days[-1])))
    steps = steps if inside.is_empty() else inside
    if steps.is_empty():
        return LEAST_INPUT_REACH[clock]
    length = -(-int(days[-1] - days[0] + 1) // STRETCHES)
    longest = steps.group_by("symbol", (pl.col(_DAY) - int(days[0])) // length).agg(pl.col("step").max(), n=pl.len())
    closest = longest.group_by("symbol").agg(pl.col("step").min() * ALLOWANCE, pl.col("n").sum())
    usual = steps.group_by("symbol").agg(usual=pl.col("step").median()).join(closest, on="symbol")
    uneven = pl.min_horizontal("step", MOST_STEPS * pl.col("usual"))
    reaches = usual.select("n", reach=pl.max_horizontal(ALLOWANCE * pl.col("usual"), uneven)).sort("reach")
    quarter = np.searchsorted(reaches["n"].cum_sum().to_numpy(), steps.height / 4)
    return max(LEAST_INPUT_REACH[clock], float(reaches["reach"][int(quarter)]))


def _pairs(pairs: pl.DataFrame, features: pl.DataFrame, inputs: Inputs, days: DayNumbers) -> pl.DataFrame | None:
    """The pairs, each with whether it is `seen`; None if features and decisions share no symbol."""
    named = set(pairs["symbol"].unique().to_list())
    if not named & set(features["symbol"].unique().to_list()):
        return None
    marked = pairs.sort(_DAY).with_columns(pl.Series("seen", _paired(pairs.sort(_DAY), features)))
    marked = marked.with_columns(pl.col("seen") & pl.col(_DAY).is_in(pl.Series(days).implode()))
    days_of_record = np.unique(pairs[_DAY].to_numpy())
    for table in _histories(inputs):
        if "symbol" in table.columns:
            marked = _within_symbol(marked, table.filter(pl.col("symbol").is_in(named)), days_of_record)
    return marked


def _paired(pairs: pl.DataFrame, features: pl.DataFrame) -> NDArray[np.bool_]:
    of_all = np.unique(features[_DAY].to_numpy())
    days = np.unique(pairs[_DAY].to_numpy())
    if _keeps_days(days, of_all, np.isin(days, of_all)):
        marked = features.with_columns(seen=pl.lit(value=True))
        same = pairs.join(marked, on=(_DAY, "symbol"), how="left", maintain_order="left")["seen"]
        return same.fill_null(value=False).to_numpy()
    rows = features.with_columns(row=pl.col(_DAY))
    last = pairs.join_asof(rows.sort(_DAY), on=_DAY, by="symbol", check_sortedness=False)["row"]
    return (pairs[_DAY] - last <= _reach_of_features(of_all)).fill_null(value=False).to_numpy()


def _within_symbol(pairs: pl.DataFrame, table: pl.DataFrame, days: DayNumbers) -> pl.DataFrame:
    """Remove the pairs where an input lacks rows of their symbol: before, between or after those it has."""
    rows = table.group_by("symbol").len()["len"].to_numpy()
    if not rows.size or np.quantile(rows, 0.75) < FEWEST_ROWS_OF_A_SYMBOL:
        return pairs
    reaches = {clock: _reach(_placed(table, days), clock, days) for clock in LEAST_INPUT_REACH}
    near = _near(pairs.select(_DAY, "symbol"), table, days, reaches)
    return pairs.with_columns(pl.col("seen") & near)


def _gaps(days: DayNumbers, seen: NDArray[np.bool_]) -> Iterator[Gap]:
    missing = np.flatnonzero(~seen)
    for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        if run.size:
            yield Gap(first=_day(days[run[0]]), last=_day(days[run[-1]]), dates=int(run.size))


def _late(pairs: pl.DataFrame) -> Iterator[LateSymbol]:
    """The symbols that lack decisions, the worst first."""
    lacking = (
        pairs.group_by("symbol")
        .agg(
            replayed=pl.col("seen").sum(),
            of=pl.len(),
            first=pl.col(_DAY).filter(pl.col("seen")).min(),
            last=pl.col(_DAY).filter(pl.col("seen")).max(),
        )
        .filter(pl.col("replayed") < pl.col("of"))
        .sort(pl.col("of") - pl.col("replayed"), "symbol", descending=(True, False))
    )
    for symbol, replayed, of, first, last in lacking.iter_rows():
        yield LateSymbol(
            symbol=symbol,
            replayed=replayed,
            of=of,
            first=None if first is None else _day(first),
            last=None if last is None else _day(last),
        )


def _day(number: int | np.int64) -> date:
    day: date = np.datetime64(int(number), "D").item()
    return day


def around(of_rows: DayNumbers, days: DayNumbers) -> NDArray[np.bool_]:
    """Whether a table has rows around each calendar day as often as usual."""
    rows = np.unique(of_rows)
    return np.isin(days, rows) if rows.size < 2 else _within_rows(days, pl.DataFrame({_DAY: rows}), ("row",))
