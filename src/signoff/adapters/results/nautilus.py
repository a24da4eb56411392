"""NautilusTrader: equity by day from its account report, its fills and closing prices.

The balance of a cash account falls by what is bought, and that of a margin account knows nothing of what is open: of
itself neither is equity. With the fills and a close a day, it is: balance plus what is held at its close. A margin
account is read where nothing is held over a close.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf, log
from pathlib import Path
from typing import Final

import polars as pl

from signoff.adapters.results.series import (
    DAY,
    Labelled,
    changes,
    labelled,
    last_of_day,
    numbers,
    read_labelled,
    read_table,
    to_days,
)
from signoff.domain.errors import BadInputError

FILLS: Final = (("ts_event", "order_side", "last_qty"), ("ts_last", "side", "filled_qty"))
_SIGN: Final = {"BUY": 1.0, "SELL": -1.0}
RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
"""New shares for one, as companies split them; the other way round in a reverse split."""
NEAR: Final = 0.1
"""How far, in logarithms, a price may move beside its split on one day."""


@dataclass(frozen=True, slots=True)
class Events:
    """What happened to what is held: splits by symbol and day as new shares for one, and names that changed."""

    splits: Mapping[tuple[str, date], float] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, splits: tuple[str, ...], renames: tuple[str, ...]) -> "Events":
        """From texts such as AAA.X:2020-03-04=2 and AAA.X=BBB.X."""
        return cls(dict(map(_split, splits)), dict(map(_rename, renames)))


def _split(text: str) -> tuple[tuple[str, date], float]:
    place, _, ratio = text.rpartition("=")
    symbol, _, day = place.rpartition(":")
    try:
        found = (symbol, date.fromisoformat(day)), float(ratio)
    except ValueError:
        found = ("", date.min), 0.0
    if not (symbol and 0 < found[1] < inf):
        raise BadInputError(
            f"Expected --split SYMBOL:DATE=RATIO such as AAA.X:2020-03-04=2 for two new shares for one, found "
            f"{text!r}. Nothing was written."
        )
    return found


def _rename(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not (old and new):
        raise BadInputError(f"Expected --rename OLD=NEW such as AAA.X=BBB.X, found {text!r}. Nothing was written.")
    return old, new


def read_nautilus(
    account: tuple[bytes, Path],
    fills: tuple[bytes, Path],
    prices: tuple[bytes, Path],
    zone: str | None,
    events: Events,
) -> Labelled:
    """Daily returns of one account in one currency."""
    balance = read_labelled(*account)
    _refuse_several_currencies(balance)
    kinds = balance.frame["account_type"].unique().to_list() if "account_type" in balance.columns else []
    closes = _renamed(_closes(prices), events)
    held = _held(_fills(fills), closes, zone, events)
    if kinds != ["CASH"] and held.filter(pl.col("worth") != 0).height:
        day = held.filter(pl.col("worth") != 0)[DAY][0]
        raise balance.refuse(
            f"expected a cash account, or nothing held over a close, found {', '.join(map(str, kinds)) or 'no type'} "
            f"with open positions at the close of {day}. Log the equity each day and import it as vectorbt --values."
        )
    cash = last_of_day(to_days(numbers(balance, "total"), zone)).frame
    days = held.filter(pl.col(DAY) >= cash[DAY].min()).sort(DAY)
    joined = days.join_asof(cash.sort(DAY), on=DAY)
    equity = joined.select(DAY, (pl.col("total") + pl.col("worth")).alias("equity"))
    returns = changes(Labelled(equity, str(account[1])))
    note = f"equity is the balance of the account and what is held at the closes of {prices[1].name}"
    return Labelled(returns.frame.rename({"equity": "return"}), returns.said, (*returns.notes, note))


def _refuse_several_currencies(balance: Labelled) -> None:
    if "currency" not in balance.columns or "total" not in balance.columns:
        raise balance.refuse(
            "expected the account report of NautilusTrader with total and currency, found "
            f"{', '.join(balance.columns)[:200]}."
        )
    currencies = balance.frame["currency"].unique().sort().to_list()
    if len(currencies) > 1:
        raise balance.refuse(f"expected one currency, found {', '.join(map(str, currencies))}. Convert them to one.")


def _closes(prices: tuple[bytes, Path]) -> pl.DataFrame:
    """Closing prices by day and symbol."""
    table = read_labelled(*prices)
    if "symbol" not in table.columns:
        raise table.refuse(f"expected closing prices as date, symbol, close, found {', '.join(table.columns)}.")
    frame = numbers(table, "close").frame.with_columns(table.frame["symbol"].cast(pl.String), pl.col(DAY).cast(pl.Date))
    if frame.select(DAY, "symbol").is_duplicated().any():
        raise table.refuse("expected one close for a day and symbol, found several.")
    return frame


def _fills(fills: tuple[bytes, Path]) -> Labelled:
    """Quantities bought and sold, with their time and instrument, from either report of fills."""
    frame, _ = read_table(*fills)
    for time, side, quantity in FILLS:
        if {time, side, quantity, "instrument_id"} <= set(frame.columns):
            found = frame.select(
                pl.col(time).alias(DAY),
                pl.col(side).alias("side"),
                pl.col(quantity).alias("quantity"),
                pl.col("instrument_id").alias("symbol"),
            )
            table = labelled(found, str(fills[1]))
            return Labelled(table.frame.sort(DAY), table.said)
    raise BadInputError(
        f"{fills[1]}: expected a report of fills of NautilusTrader, found {', '.join(frame.columns)[:200]}. "
        "Nothing was written."
    )


def _held(fills: Labelled, closes: pl.DataFrame, zone: str | None, events: Events) -> pl.DataFrame:
    """What is held at each close, by day: `worth` in the account's currency."""
    sides = fills.frame["side"].cast(pl.String)
    unknown = sides.filter(~sides.is_in(list(_SIGN)))
    if unknown.len():
        raise fills.refuse(f"expected the sides BUY and SELL, found {unknown[0]}.")
    traded = numbers(Labelled(fills.frame.select(DAY, "quantity"), fills.said), "quantity")
    signed = traded.frame.with_columns(
        (pl.col("quantity") * sides.replace_strict(_SIGN, return_dtype=pl.Float64)).alias("change"),
        fills.frame["symbol"].cast(pl.String),
    )
    dated = to_days(Labelled(signed, fills.said, (), fills.written), zone).frame
    daily = _renamed(dated, events).group_by(DAY, "symbol").agg(pl.col("change").sum())
    strangers = sorted(set(daily["symbol"].to_list()) - set(closes["symbol"].to_list()))
    if strangers:
        raise BadInputError(f"{fills.said}: expected closes of {', '.join(strangers)}, found none. Add them.")
    days = pl.concat([closes.select(DAY), daily.select(DAY)]).unique()
    grid = days.join(closes.select("symbol").unique(), how="cross").join(closes, on=[DAY, "symbol"], how="left")
    grid = grid.join(daily, on=[DAY, "symbol"], how="left").sort("symbol", DAY)
    grid = grid.with_columns(pl.col("change").fill_null(0.0).cum_sum().over("symbol").round(9).alias("quantity"))
    grid = _after_splits(grid, events)
    unpriced = grid.filter(pl.col("close").is_null() & (pl.col("quantity") != 0))
    if unpriced.height:
        raise BadInputError(
            f"{fills.said}: expected a close of {unpriced['symbol'][0]} on {unpriced[DAY][0]}, when it was held, "
            f"found none. Add it.{_perhaps_renamed(unpriced, closes)}"
        )
    _refuse_splits(grid, events, fills.said)
    worth = (pl.col("quantity") * pl.col("close").fill_null(0.0)).sum().alias("worth")
    return grid.group_by(DAY).agg(worth).sort(DAY)


def _renamed(frame: pl.DataFrame, events: Events) -> pl.DataFrame:
    return frame.with_columns(pl.col("symbol").replace(dict(events.renames))) if events.renames else frame


def _perhaps_renamed(unpriced: pl.DataFrame, closes: pl.DataFrame) -> str:
    """The symbols whose closes begin on the day on which those of a held one end."""
    old, day = unpriced["symbol"][0], unpriced[DAY][0]
    begun = closes.group_by("symbol").agg(pl.col(DAY).min()).filter(pl.col(DAY) == day)["symbol"].sort().to_list()
    if not begun or day == closes[DAY].min():
        return ""
    return (
        f" The closes of {', '.join(begun)} begin on that day: if {old} has a new name, say --rename {old}={begun[0]}."
    )


def _after_splits(grid: pl.DataFrame, events: Events) -> pl.DataFrame:
    """The grid with every quantity and close in the shares of its last day."""
    for (symbol, day), ratio in events.splits.items():
        before = (pl.col("symbol") == symbol) & (pl.col(DAY) < day)
        grid = grid.with_columns(
            pl.when(before).then(pl.col("change") * ratio).otherwise(pl.col("change")).alias("change"),
            pl.when(before).then(pl.col("close") / ratio).otherwise(pl.col("close")).alias("close"),
        )
    quantity = pl.col("change").fill_null(0.0).cum_sum().over("symbol").round(9).alias("quantity")
    return grid.with_columns(quantity) if events.splits else grid


def _refuse_splits(grid: pl.DataFrame, events: Events, said: str) -> None:
    """Ask where a close moves as a split moves it while a quantity is held, and the quantity did not move with it."""
    frame = grid.sort("symbol", DAY).filter(pl.col("close").is_not_null())
    frame = frame.with_columns(
        pl.col("close").shift(1).over("symbol").alias("before"),
        pl.col("quantity").shift(1).over("symbol").alias("held"),
    ).filter((pl.col("held").fill_null(0.0) != 0) & (pl.col("before") > 0) & (pl.col("close") > 0))
    for row in frame.iter_rows(named=True):
        fall = row["before"] / row["close"]
        ratio = min((*RATIOS, *(1 / r for r in RATIOS)), key=lambda r: abs(log(fall / r)))
        is_like = abs(log(fall / ratio)) <= (NEAR if abs(log(ratio)) > log(1.9) else NEAR / 2)
        if not is_like or (row["symbol"], row[DAY]) in events.splits:
            continue
        if abs(row["quantity"] / row["held"] / ratio - 1) <= NEAR:
            continue
        words = f"{ratio:g} for 1" if ratio > 1 else f"1 for {1 / ratio:g}"
        place = f"{row['symbol']}:{row[DAY]}"
        raise BadInputError(
            f"{said}: {row['symbol']} closes at {row['close']:g} on {row[DAY]} after {row['before']:g}, while "
            f"{row['held']:g} are held: a split of {words}, or a return of {row['close'] / row['before'] - 1:+.0%}? "
            f"Say --split {place}={ratio:g}, or --split {place}=1 if there was none. Nothing was written."
        )
