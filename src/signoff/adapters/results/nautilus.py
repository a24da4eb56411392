"""Computes NautilusTrader's daily equity from its account report, its fills and closing prices.

A cash account's balance falls by each purchase, and a margin account's excludes open positions: neither is equity.
With fills and daily closes, equity is the balance plus the value of the positions. A margin account is read only if
every day closes flat.
"""

from pathlib import Path
from typing import Final

import polars as pl

from signoff.adapters.results.position_events import (
    Events,
    after_splits,
    open_positions,
    perhaps_renamed,
    refuse_splits,
    refuse_strangers,
    renamed,
    renamed_closes,
)
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
    closes = renamed_closes(_closes(prices), events, str(prices[1]))
    worth_held, still_open = _held(_fills(fills), closes, zone, events)
    if kinds != ["CASH"] and worth_held.filter(pl.col("worth") != 0).height:
        day = worth_held.filter(pl.col("worth") != 0)[DAY][0]
        raise balance.refuse(
            f"expected a cash account, or nothing held over a close, found {', '.join(map(str, kinds)) or 'no type'} "
            f"with open positions at the close of {day}. Log the equity each day and import it as vectorbt --values."
        )
    cash = last_of_day(to_days(numbers(balance, "total"), zone)).frame
    days = worth_held.filter(pl.col(DAY) >= cash[DAY].min()).sort(DAY)
    joined = days.join_asof(cash.sort(DAY), on=DAY)
    equity = joined.select(DAY, (pl.col("total") + pl.col("worth")).alias("equity"))
    returns = changes(Labelled(equity, str(account[1])))
    note = f"equity is the balance of the account and what is held at the closes of {prices[1].name}"
    return Labelled(
        returns.frame.rename({"equity": "return"}), returns.said, (*returns.notes, note, *events.notes, *still_open)
    )


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
    table = read_labelled(*prices)
    if "symbol" not in table.columns:
        raise table.refuse(f"expected closing prices as date, symbol, close, found {', '.join(table.columns)}.")
    frame = numbers(table, "close").frame.with_columns(table.frame["symbol"].cast(pl.String), pl.col(DAY).cast(pl.Date))
    if frame.select(DAY, "symbol").is_duplicated().any():
        raise table.refuse("expected one close for a day and symbol, found several.")
    return frame


def _fills(fills: tuple[bytes, Path]) -> Labelled:
    """The bought and sold quantities with time and instrument, from either report of fills."""
    frame, _ = read_table(*fills)
    for time, side, quantity in FILLS:
        if {time, side, quantity, "instrument_id"} <= set(frame.columns):
            renamed = frame.select(
                pl.col(time).alias(DAY),
                pl.col(side).alias("side"),
                pl.col(quantity).alias("quantity"),
                pl.col("instrument_id").alias("symbol"),
            )
            table = labelled(renamed, str(fills[1]))
            return Labelled(table.frame.sort(DAY), table.said)
    raise BadInputError(
        f"{fills[1]}: expected a report of fills of NautilusTrader, found {', '.join(frame.columns)[:200]}. "
        "Nothing was written."
    )


def _held(fills: Labelled, closes: pl.DataFrame, zone: str | None, events: Events) -> tuple[pl.DataFrame, list[str]]:
    """The value of the positions at each close by day (`worth`, in the account's currency), and a note of open ones."""
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
    daily = renamed(dated, events).group_by(DAY, "symbol").agg(pl.col("change").sum())
    refuse_strangers(events, daily["symbol"])
    strangers = sorted(set(daily["symbol"].to_list()) - set(closes["symbol"].to_list()))
    if strangers:
        raise BadInputError(f"{fills.said}: expected closes of {', '.join(strangers)}, found none. Add them.")
    days = pl.concat([closes.select(DAY), daily.select(DAY)]).unique()
    grid = days.join(closes.select("symbol").unique(), how="cross").join(closes, on=[DAY, "symbol"], how="left")
    grid = grid.join(daily, on=[DAY, "symbol"], how="left").sort("symbol", DAY)
    grid = grid.with_columns(pl.col("change").fill_null(0.0).cum_sum().over("symbol").round(9).alias("quantity"))
    grid = after_splits(grid, events)
    unpriced = grid.filter(pl.col("close").is_null() & (pl.col("quantity") != 0))
    if unpriced.height:
        raise BadInputError(
            f"{fills.said}: expected a close of {unpriced['symbol'][0]} on {unpriced[DAY][0]}, when it was held, "
            f"found none. Add it.{perhaps_renamed(unpriced['symbol'][0], closes)}"
        )
    refuse_splits(grid, events, fills.said)
    worth = (pl.col("quantity") * pl.col("close").fill_null(0.0)).sum().alias("worth")
    return grid.group_by(DAY).agg(worth).sort(DAY), open_positions(grid)
