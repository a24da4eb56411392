"""Survivorship: whether a backtest trades the universe of its time, or that of today.

Listed names that are missing flatter a backtest if they are those that died. Names with rows before their listing
flatter it because only those that thrived were listed. The check judges names, not weights, and reports no gap between
a name's first and last row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.errors import ReplayError
from signoff.pit.knowledge import instants, latest_knowledge
from signoff.pit.report import PitReport, ReplayFinding

Ints = NDArray[np.int64]

_FOREVER: Final = np.iinfo(np.int64).max
_SHOWN_NAMES: Final = 10


def survivorship(membership: pl.DataFrame, traded: pl.DataFrame, *, warm_up: int = 0, grace: int = 0) -> PitReport:
    """Compare the names that a backtest predicted, or today's listing, with the universe of each date.

    Parameters
    ----------
    membership : the universe through time. Either a row for each listing with `symbol`, `listed_from` and
        `listed_until` (the last day; null for names still listed), or a row for each member and date with `symbol` and
        `date` or `timestamp`, where a name belongs until the first later date of the table that it has no row on.
    traded : `timestamp` and `symbol` of the backtest's predictions; or `symbol` alone, a listing that was used for
        every date, which is compared with the universe on each date that it changed.
    warm_up : on how many of the backtest's dates a name may be absent after its listing, as its features fill.
    grace : on how many of them it may be absent before it leaves.

    Returns
    -------
    A `PitReport` about the feature "universe". "survivorship": names that were listed on dates of the backtest and are
    missing, altogether or at either end; `n` of the names that were listed, `size` the largest share of the listed
    names that is missing on one date. "unlisted": names with rows outside of their listing, `size` the largest share of
    a date's names. "unverified": names that the membership does not know.

    Raises
    ------
    ReplayError
        No members or no names, so that there is nothing to judge; times that cannot be read.
    """
    if warm_up < 0 or grace < 0:
        raise ReplayError(f"expected warm_up ≥ 0 and grace ≥ 0, found {warm_up} and {grace}.")
    if "timestamp" not in membership.columns and "date" in membership.columns:
        membership = membership.rename({"date": "timestamp"})
    listings = _listings(membership)
    calendar, rows = _traded(traded, membership)
    universe = _Universe.on(calendar, listings, rows)
    return PitReport(
        (*universe.missing(warm_up, grace), *universe.unlisted(), *universe.unknown()),
        checks=("survivorship",),
        dates_checked=calendar.len(),
        features_checked=int(universe.has_due_names(warm_up, grace)),
        rows_checked=rows.height,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Universe:
    """Listings and rows, both placed on the sorted dates of the backtest.

    `listings` has symbol, first, last (positions of dates) and has_left; `rows` has symbol, position and, for symbols
    that the membership knows, is_listed.
    """

    calendar: pl.Series
    listings: pl.DataFrame
    rows: pl.DataFrame

    @classmethod
    def on(cls, calendar: pl.Series, listings: pl.DataFrame, rows: pl.DataFrame) -> "_Universe":
        opens, closes = instants(calendar).to_numpy(), latest_knowledge(calendar).to_numpy()
        placed = listings.with_columns(
            first=pl.Series(np.searchsorted(closes, listings["from"].to_numpy(), side="left")),
            last=pl.Series(np.searchsorted(opens, listings["until"].to_numpy(), side="right") - 1),
            has_left=pl.Series(listings["until"].to_numpy() < opens[-1]),
        )
        is_inside = (pl.col("position") >= pl.col("first")) & (pl.col("position") <= pl.col("last"))
        listed = (
            rows.join(placed, on="symbol", how="left")
            .group_by("symbol", "position")
            .agg(is_listed=pl.when(pl.col("first").is_not_null().any()).then(is_inside.any()))
        )
        alive = placed.filter(pl.col("first") <= pl.col("last"))
        return cls(calendar=calendar, listings=alive, rows=listed)

    def missing(self, warm_up: int, grace: int) -> Iterator[ReplayFinding]:
        """Listed names without rows, or without rows near an end of their listing."""
        absent = self._absences(warm_up, grace)
        if not absent.height:
            return
        gone = self._by_date(absent["first"], absent["last"])
        listed = self._by_date(self.listings["first"], self.listings["last"])
        share = np.divide(gone, listed, out=np.zeros(gone.size), where=listed > 0)
        names = absent["symbol"].unique().sort()
        left, whole = (set(absent.filter(claim)["symbol"]) for claim in ("has_left", "is_whole"))
        n, of = names.len(), self.listings["symbol"].n_unique()
        yield ReplayFinding(
            feature="universe",
            kind="survivorship",
            first_date=self.calendar[int(np.flatnonzero(gone)[0])],
            size=float(share.max()),
            detail=f"{n:,} of {of:,} listed names are missing, {len(whole):,} of them on every date of a listing; "
            f"{len(left):,} of them have left since: {_shown(names)}",
            n=n,
            of=of,
        )

    def has_due_names(self, warm_up: int, grace: int) -> bool:
        """Whether any name should have had a row, so that an absence could show."""
        due = self.listings["last"] - self.listings["first"] >= warm_up + grace
        return bool(due.any())

    def unlisted(self) -> Iterator[ReplayFinding]:
        """Names with rows before they were listed, or after they left."""
        outside = self.rows.filter(~pl.col("is_listed"))
        if not outside.height:
            return
        wrong, present = (np.bincount(rows["position"], minlength=self.calendar.len()) for rows in (outside, self.rows))
        names, of = outside["symbol"].unique().sort(), self.rows["symbol"].n_unique()
        yield ReplayFinding(
            feature="universe",
            kind="unlisted",
            first_date=self.calendar[int(np.flatnonzero(wrong)[0])],
            size=float(np.max(wrong / np.maximum(present, 1))),
            detail=f"{names.len():,} of {of:,} names have rows before they were listed or after they left, on "
            f"{outside.height:,} of {self.rows.height:,} rows: {_shown(names)}",
            n=names.len(),
            of=of,
        )

    def unknown(self) -> Iterator[ReplayFinding]:
        """Names that the membership does not have."""
        strangers = self.rows.filter(pl.col("is_listed").is_null())
        if not strangers.height:
            return
        names, of = strangers["symbol"].unique().sort(), self.rows["symbol"].n_unique()
        first = strangers["position"].min()
        assert isinstance(first, int)
        yield ReplayFinding(
            feature="universe",
            kind="unverified",
            first_date=self.calendar[first],
            size=inf,
            detail=f"{names.len():,} of {of:,} names stand nowhere in the membership: {_shown(names)}",
            n=names.len(),
            of=of,
        )

    def _absences(self, warm_up: int, grace: int) -> pl.DataFrame:
        """For each listing, the dates at its start and at its end on which the name should have had a row."""
        inside = (
            self.listings.with_row_index("listing")
            .join(self.rows, on="symbol", how="left")
            .group_by("listing", "symbol", "first", "last", "has_left", maintain_order=True)
            .agg(
                pl.col("position")
                .filter(pl.col("position").is_between(pl.col("first"), pl.col("last")))
                .min()
                .alias("begins"),
                pl.col("position")
                .filter(pl.col("position").is_between(pl.col("first"), pl.col("last")))
                .max()
                .alias("ends"),
            )
            .with_columns(
                due=pl.col("first") + warm_up, until=pl.col("last") - grace, is_whole=pl.col("begins").is_null()
            )
        )
        keep = ("symbol", "has_left", "is_whole")
        late = inside.select(*keep, first="due", last=pl.min_horizontal("until", pl.col("begins") - 1))
        early = inside.select(*keep, first=pl.max_horizontal("due", pl.col("ends") + 1), last="until")
        whole = pl.col("is_whole")
        return pl.concat([late, early.filter(~whole)]).filter(pl.col("first") <= pl.col("last"))

    def _by_date(self, first: pl.Series, last: pl.Series) -> Ints:
        """The number of spans that cover each date."""
        changes = np.zeros(self.calendar.len() + 1, dtype=np.int64)
        np.add.at(changes, first.to_numpy(), 1)
        np.add.at(changes, last.to_numpy() + 1, -1)
        return np.cumsum(changes)[:-1]


def _listings(membership: pl.DataFrame) -> pl.DataFrame:
    """Symbol, from and until in microseconds, both included."""
    _require(membership, "membership", ("symbol",))
    if "listed_from" in membership.columns:
        _require(membership, "membership", ("listed_from", "listed_until"))
        return _spans(membership)
    _require(membership, "membership", ("timestamp",))
    return _islands(membership)


def _spans(membership: pl.DataFrame) -> pl.DataFrame:
    opens = instants(_times(membership, "membership", "listed_from"))
    closes = membership["listed_until"]
    if closes.dtype == pl.Null:
        until = pl.repeat(_FOREVER, membership.height, dtype=pl.Int64, eager=True)
    else:
        until = latest_knowledge(_times(membership, "membership", "listed_until", may_be_empty=True)).fill_null(
            _FOREVER
        )
    if (until < opens).any():
        row = (until < opens).arg_max()
        assert row is not None
        raise ReplayError(
            f"membership, row {row}: {membership['symbol'][row]} is listed until {closes[row]}, before it is listed "
            f"from {membership['listed_from'][row]}."
        )
    return pl.DataFrame({"symbol": membership["symbol"].cast(pl.String), "from": opens, "until": until})


def _islands(membership: pl.DataFrame) -> pl.DataFrame:
    """Snapshots as spans: a name in one snapshot belongs until the next snapshot without it."""
    taken = instants(_times(membership, "membership", "timestamp"))
    dates = taken.unique().sort()
    ends = pl.concat([dates[1:] - 1, pl.Series(dates.name, [_FOREVER], dtype=pl.Int64)])
    position = pl.Series(np.searchsorted(dates.to_numpy(), taken.to_numpy()))
    stood = pl.DataFrame({"symbol": membership["symbol"].cast(pl.String), "position": position})
    return (
        stood.unique()
        .sort("symbol", "position")
        .with_columns(island=pl.col("position") - pl.int_range(pl.len()).over("symbol"))
        .group_by("symbol", "island", maintain_order=True)
        .agg(first=pl.col("position").min(), last=pl.col("position").max())
        .select(
            "symbol",
            pl.col("first").map_batches(lambda at: dates[at], return_dtype=pl.Int64).alias("from"),
            pl.col("last").map_batches(lambda at: ends[at], return_dtype=pl.Int64).alias("until"),
        )
    )


def _traded(traded: pl.DataFrame, membership: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """The sorted dates of the backtest, and its rows by symbol and position among them."""
    _require(traded, "traded names", ("symbol",))
    symbols = traded["symbol"].cast(pl.String)
    if "timestamp" not in traded.columns:
        calendar = _changes(membership)
        positions = pl.DataFrame({"position": np.arange(calendar.len())})
        return calendar, pl.DataFrame({"symbol": symbols.unique().sort()}).join(positions, how="cross")
    times = _times(traded, "traded names", "timestamp")
    calendar = times.unique().sort()
    position = pl.Series(np.searchsorted(instants(calendar).to_numpy(), instants(times).to_numpy()))
    return calendar, pl.DataFrame({"symbol": symbols, "position": position}).unique(maintain_order=True)


def _changes(membership: pl.DataFrame) -> pl.Series:
    """The dates on which the universe changed."""
    columns = ("listed_from", "listed_until") if "listed_from" in membership.columns else ("timestamp",)
    times = [membership[column].drop_nulls() for column in columns if membership[column].count()]
    changes = pl.concat([instants(_times(series.to_frame(), "membership", series.name)).alias("") for series in times])
    dates = changes.unique().sort().cast(pl.Datetime("us", "UTC")).alias("timestamp")
    return dates.dt.date() if all(series.dtype == pl.Date for series in times) else dates


def _require(frame: pl.DataFrame, name: str, columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in frame.columns:
            raise ReplayError(f"{name}: the column {column} is missing; found {', '.join(frame.columns)}.")
    if not frame.height:
        raise ReplayError(f"{name}: no rows, so that nothing can be judged; expected at least one.")
    if "symbol" in columns and frame["symbol"].null_count():
        raise ReplayError(f"{name}, column symbol: row {frame['symbol'].is_null().arg_max()} is empty.")


def _times(frame: pl.DataFrame, name: str, column: str, *, may_be_empty: bool = False) -> pl.Series:
    times = frame[column]
    if not isinstance(times.dtype, pl.Datetime | pl.Date):
        raise ReplayError(f"{name}, column {column}: expected dates or timestamps, found {times.dtype}.")
    if times.null_count() and not may_be_empty:
        raise ReplayError(f"{name}, column {column}: row {times.is_null().arg_max()} is empty; expected a time.")
    return times


def _shown(names: pl.Series) -> str:
    more = names.len() - _SHOWN_NAMES
    return ", ".join(names.head(_SHOWN_NAMES)) + (f" and {more:,} more" if more > 0 else "")
