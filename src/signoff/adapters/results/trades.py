"""Turns a broker's list of trades into daily returns of an account with a stated capital.

A day's return is the account's gain after fees over its equity at the end of the day before; the equity begins as the
stated capital. Positions held over a close need a closing price for their value. So without prices a list is read
only if every day ends flat: the fills alone are then complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.column_names import in_one_form
from signoff.adapters.evidence.file_formats import Hints
from signoff.adapters.results.looks_of_trades import looks_like_trades, plain_words
from signoff.adapters.results.named_columns import refuse_near_misses, without
from signoff.adapters.results.position_events import (
    NOTHING_HAPPENED,
    Events,
    after_splits,
    of_another_name,
    open_positions,
    perhaps_renamed,
    refuse_far_fills,
    refuse_splits,
    refuse_strangers,
    renamed,
    renamed_closes,
    successions,
)
from signoff.adapters.results.series import DAY, Labelled, labelled, numbers, read_labelled, read_table, to_days
from signoff.domain.costs import BEFORE_FEES
from signoff.domain.errors import BadInputError

MOST_CARRIED: Final = 5
_ROUND: Final = 9
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "datetime", "date time", "trade date", "timestamp", "time", "trade time", "execution time"),
    "symbol": ("symbol", "ticker", "instrument", "security"),
    "side": ("side", "action", "buy sell", "b s", "direction"),
    "quantity": ("quantity", "qty", "shares", "units"),
    "price": (
        "price",
        "fill price",
        "trade price",
        "t price",
        "trade px",
        "execution price",
        "avg price",
        "average price",
    ),
    "multiplier": ("multiplier", "contract multiplier"),
    "currency": ("currency", "ccy", "currency primary"),
}
_FEES: Final = frozenset(
    {"ib commission", "fees", "fee", "commission", "commissions", "comm fee", "comm", "taxes", "tax", "charges"}
)
_BUYS: Final = frozenset({"buy", "b", "bot", "bought", "bto", "btc", "buy to open", "buy to close", "buy to cover"})
_SELLS: Final = frozenset(
    {"sell", "s", "sld", "sold", "sto", "stc", "short", "sell short", "sell to open", "sell to close"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a list of trades lacks: the capital, the clock's zone, and the sessions if no prices are given."""

    capital: float | None
    zone: str | None
    calendar: str | None
    hints: Hints
    events: Events = NOTHING_HAPPENED
    ignored: tuple[str, ...] = ()


def read_trades(trades: tuple[bytes, Path], prices: tuple[bytes, Path] | None, account: Account) -> Labelled:
    """Daily returns, turnover and cost of one account in one currency."""
    where = str(trades[1])
    capital = _capital(account, where)
    fills, notes = _fills(trades, account)
    fills = renamed(fills, account.events)
    refuse_strangers(account.events, fills["symbol"])
    if prices is None:
        _refuse_held(fills, where)
        days, worth = _sessions(fills, account, where), None
        notes.append(
            f"no closing prices were given and every day ends with nothing held: days are those of {account.calendar}"
        )
    else:
        days, worth, carried = _worth(fills, prices, account, where)
        notes += [f"what is held is worth its close in {prices[1].name}", *account.events.notes, *carried]
    daily = fills.group_by(DAY).agg(
        pl.col("cash").sum(), pl.col("fee").sum(), (pl.col("change") * pl.col("unit")).abs().sum().alias("traded")
    )
    frame = pl.DataFrame({DAY: days}).join(daily, on=DAY, how="left").sort(DAY).fill_null(0.0)
    worth_held = np.zeros(frame.height) if worth is None else worth
    equity = capital + frame["cash"].cum_sum().to_numpy() + worth_held
    ruined = np.flatnonzero(~(equity > 0))
    if ruined.size:
        raise BadInputError(
            f"{where}: expected an account whose equity stays above 0, found {equity[ruined[0]]:,.2f} on "
            f"{frame[DAY][int(ruined[0])]} after a capital of {capital:,.2f}. Is --capital what the account held "
            "before the first trade? Nothing was written."
        )
    before = np.concatenate([[capital], equity[:-1]])
    table = pl.DataFrame(
        {
            DAY: frame[DAY],
            "return": equity / before - 1,
            "turnover": frame["traded"].to_numpy() / before,
            "cost": frame["fee"].to_numpy() / before,
        }
    )
    said_capital = f"returns are on the equity of an account that begins with {capital:,.2f} and holds nothing"
    return Labelled(table, where, (said_capital, *notes))


def reads_as_trades(frame: pl.DataFrame) -> bool:
    """Whether a table has the columns of a list of trades: date, symbol, quantity and price."""
    names = _by_usual_names(frame)
    return all(wanted in names.values() for wanted in ("date", "symbol", "quantity", "price"))


def trades_unread(frame: pl.DataFrame) -> str:
    """Why a table that looks like a list of trades cannot be read as one; "" if it does not look like one."""
    return looks_like_trades(frame.columns, _by_usual_names(frame).values())


def _capital(account: Account, where: str) -> float:
    if account.capital is None:
        raise BadInputError(
            f"{where}: expected the capital that the trades were made with, found none: a gain is no return without "
            "it. Say it with --capital, in the currency of the prices. Nothing was written."
        )
    if not (np.isfinite(account.capital) and account.capital > 0):
        raise BadInputError(f"Expected --capital above 0, found {account.capital:g}.")
    return account.capital


def _fills(trades: tuple[bytes, Path], account: Account) -> tuple[pl.DataFrame, list[str]]:
    """One row a fill: its day, symbol, signed quantity (`change`), price of one (`unit`), fee and cash."""
    frame, read = read_table(trades[0], trades[1], account.hints)
    where, notes = str(trades[1]), list(read)
    frame = _named(frame, where, account.ignored)
    _refuse_currencies(frame, where)
    table = labelled(frame, where, (), account.hints.dates)
    fees = [name for name in table.columns if name.startswith("fee ")]
    wanted = ["quantity", "price", *(name for name in ("multiplier",) if name in table.columns)]
    amounts = numbers(table, *wanted).frame
    _refuse_sign(amounts["price"], "price", "a price above 0", amounts["price"] > 0, table)
    fee, said_fees = _fee(table, fees)
    signed = _signed(table, amounts["quantity"])
    multiplier = amounts["multiplier"] if "multiplier" in wanted else pl.Series([1.0]).new_from_index(0, amounts.height)
    unit = amounts["price"] * multiplier
    rows = pl.DataFrame(
        {
            DAY: table.frame[DAY],
            "symbol": in_one_form(table.frame["symbol"].cast(pl.String)),
            "change": signed,
            "unit": unit,
            "price": amounts["price"],
            "fee": fee,
            "cash": -signed * unit - fee,
            "multiplier": multiplier,
        }
    )
    places = rows.with_row_index().sort(DAY, maintain_order=True)["index"].to_numpy()
    written = None if table.written is None else table.written[places]
    return to_days(Labelled(rows[places], where, (), written), account.zone).frame, [*notes, *said_fees]


def _named(frame: pl.DataFrame, where: str, ignored: tuple[str, ...] = ()) -> pl.DataFrame:
    """The table with the columns of a list of trades under their own names."""
    frame = without(Labelled(frame, where), ignored).frame
    names = _by_usual_names(frame)
    missing = [c for c in ("date", "symbol", "quantity", "price") if c not in names.values()]
    if missing:
        raise BadInputError(
            f"{where}: expected a list of trades with the columns date, symbol, side, quantity, price and fees, found "
            f"{', '.join(frame.columns)[:300]}; {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. "
            "Rename the columns. Nothing was written."
        )
    known = {word for words in _COLUMNS.values() for word in words} | _FEES
    others = [name for name in frame.columns if name not in names and plain_words(name) not in known]
    refuse_near_misses(Labelled(frame.select(others), where), known)
    return frame.select(list(names)).rename(names)


def _by_usual_names(frame: pl.DataFrame) -> dict[str, str]:
    """A table's column names, mapped to the usual names of a list of trades."""
    plain = {name: plain_words(name) for name in frame.columns}
    names: dict[str, str] = {}
    for wanted, words in _COLUMNS.items():
        name_found = next((name for word in words for name in frame.columns if plain[name] == word), None)
        if name_found is not None:
            names[name_found] = wanted
    return names | {name: f"fee {name}" for name in frame.columns if plain[name] in _FEES}


def _refuse_currencies(frame: pl.DataFrame, where: str) -> None:
    if "currency" in frame.columns:
        currencies = frame["currency"].drop_nulls().unique().sort().to_list()
        if len(currencies) > 1:
            raise BadInputError(
                f"{where}: expected trades in one currency, found {', '.join(map(str, currencies))}. Convert prices "
                "and fees to one. Nothing was written."
            )


def _signed(table: Labelled, quantity: pl.Series) -> pl.Series:
    """Quantities signed by side: bought above 0, sold below; signed quantities need no side."""
    if "side" not in table.columns:
        if not (quantity < 0).any():
            raise table.refuse(
                "expected a column side with buy and sell, or quantities below 0 for what was sold, found neither. Add "
                "the side."
            )
        return quantity
    sides = table.frame["side"].cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    sides = sides.str.replace_all(r"[_\- ]+", " ")
    is_buy, is_sell = sides.is_in(list(_BUYS)), sides.is_in(list(_SELLS))
    strange = (~is_buy & ~is_sell).arg_true()
    if strange.len():
        row = int(strange[0])
        raise table.refuse(
            f"row {row + 1}, column side: expected buy or sell, found {table.frame['side'][row]!r}. A dividend, "
            "deposit or split is no trade: leave it out, and say so in the dossier."
        )
    _refuse_sign(quantity, "quantity", "a quantity below 0 only where it was sold", ~(is_buy & (quantity < 0)), table)
    return pl.select(pl.when(is_buy).then(quantity.abs()).otherwise(-quantity.abs())).to_series()


def _refuse_sign(values: pl.Series, name: str, wanted: str, is_right: pl.Series, table: Labelled) -> None:
    wrong = (~is_right).arg_true()
    if wrong.len():
        row = int(wrong[0])
        raise table.refuse(f"row {row + 1}, column {name}: expected {wanted}, found {values[row]:g}. Correct the row.")


def _fee(table: Labelled, names: list[str]) -> tuple[pl.Series, list[str]]:
    """The cost of each trade, above 0; brokers use either sign for costs, but one sign per file."""
    rows = table.frame.height
    if not names:
        return pl.Series(np.zeros(rows)), [BEFORE_FEES]
    total, notes = np.zeros(rows), []
    for name in names:
        filled = table.frame.with_columns(pl.col(name).cast(pl.String).fill_null("0").alias(name))
        values = numbers(Labelled(filled, table.said), name).frame[name].to_numpy()
        above, below = np.flatnonzero(values > 0), np.flatnonzero(values < 0)
        if above.size and below.size:
            raise table.refuse(
                f"row {int(max(above[0], below[0])) + 1}, column {name[4:]}: expected fees of one sign, found "
                f"{values[max(above[0], below[0])]:g} beside {values[min(above[0], below[0])]:g}; a cost and a rebate "
                "cannot be told apart. Write costs above 0 and rebates as a lower cost."
            )
        if below.size:
            notes.append(f"{name[4:]} are below 0 throughout and were read as costs")
        total += np.abs(values)
    return pl.Series(total), notes


def _refuse_held(fills: pl.DataFrame, where: str) -> None:
    """Refuse positions at the end of a day, since their value is unknown without a price."""
    by_day = fills.group_by(DAY, "symbol").agg(pl.col("change").sum()).sort("symbol", DAY)
    positions = by_day.with_columns(pl.col("change").cum_sum().over("symbol").round(_ROUND).alias("held"))
    open_ = positions.filter(pl.col("held") != 0).sort(DAY, "symbol")
    if open_.height:
        raise BadInputError(
            f"{where}: expected closing prices, since {open_['held'][0]:g} {open_['symbol'][0]} are held at the end of "
            f"{open_[DAY][0]}, and fills alone do not say what they are worth. Give --prices with date, symbol, close. "
            "Nothing was written."
        )


def _sessions(fills: pl.DataFrame, account: Account, where: str) -> list[date]:
    """The sessions from the first trade to the last; a day without trades counts as a return of 0."""
    first, last = fills[DAY].min(), fills[DAY].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    if account.calendar is None:
        raise BadInputError(
            f"{where}: expected the sessions between {first} and {last}, found trades alone: days without a trade "
            "count as returns of 0. Name the exchange with --calendar, e.g. XNYS or 24/7, or give --prices."
        )
    days = list(ExchangeCalendar().days(account.calendar, first, last))
    strangers = sorted(set(fills[DAY].to_list()) - set(days))
    if strangers:
        raise BadInputError(
            f"{where}: expected trades on sessions of {account.calendar}, found one on {strangers[0]}. Name the "
            "calendar of the market, or the zone of the clock with --zone. Nothing was written."
        )
    return days


def _worth(
    fills: pl.DataFrame, prices: tuple[bytes, Path], account: Account, where: str
) -> tuple[list[date], np.ndarray, list[str]]:
    """The priced days from the first trade on, the value of the positions at their ends, and notes."""
    closes = renamed_closes(_closes(prices, account.hints), account.events, str(prices[1]))
    _refuse_unpriced(fills, closes, prices[1])
    refuse_far_fills(fills, closes, account.events, where)
    grid = _grid(fills, closes, account.events)
    last = fills[DAY].max()
    if not grid.filter((pl.col(DAY) > last) & (pl.col("quantity") != 0)).height:
        grid = grid.filter(pl.col(DAY) <= last)
    needed = grid.filter(pl.col("quantity") != 0).sort(DAY, "symbol")
    _refuse_missing(needed, closes, prices[1])
    refuse_splits(grid, account.events, where, may_be_booked=False)
    multiplier = fills.group_by("symbol").agg(pl.col("multiplier").last())
    worth = (pl.col("quantity") * pl.col("worth").fill_null(0.0) * pl.col("multiplier")).sum().alias("worth")
    total = grid.join(multiplier, on="symbol", how="left").group_by(DAY).agg(worth).sort(DAY)
    carried = needed.filter("carried")
    note = (
        [f"{carried.height} closes are missing while held and are those of a session before, first "
         f"{carried['symbol'][0]} on {carried[DAY][0]}"]
        if carried.height
        else []
    )  # fmt: skip
    return total[DAY].to_list(), total["worth"].to_numpy(), [*note, *open_positions(grid)]


def _grid(fills: pl.DataFrame, closes: pl.DataFrame, events: Events) -> pl.DataFrame:
    """The quantity and close (`worth`) of each traded symbol on each day, in the last day's shares.

    A missing close is carried from the day before (`carried`), for a few days.
    """
    traded = fills.group_by(DAY, "symbol").agg(pl.col("change").sum())
    symbols = traded.select("symbol").unique().sort("symbol")
    days = pl.concat([closes.select(DAY), traded.select(DAY)]).unique().filter(pl.col(DAY) >= fills[DAY].min())
    grid = days.join(symbols, how="cross").join(closes, on=[DAY, "symbol"], how="left")
    grid = after_splits(grid.join(traded, on=[DAY, "symbol"], how="left"), events)
    return grid.with_columns(
        pl.col("close").forward_fill(MOST_CARRIED).over("symbol").alias("worth"),
        pl.col("close").is_null().alias("carried"),
    )


def _refuse_unpriced(fills: pl.DataFrame, closes: pl.DataFrame, prices: Path) -> None:
    unpriced = sorted(set(fills["symbol"].to_list()) - set(closes["symbol"].to_list()))
    if unpriced:
        raise BadInputError(
            f"{prices}: expected closes of {', '.join(unpriced)[:200]}, found none. Add them."
            f"{of_another_name(unpriced[0], fills, closes)} Nothing was written."
        )


def _refuse_missing(needed: pl.DataFrame, closes: pl.DataFrame, prices: Path) -> None:
    """Refuse a position without a close, and ask about a held symbol that ends as another begins."""
    missing = needed.filter(pl.col("worth").is_null())
    if missing.height:
        symbol, day = missing["symbol"][0], missing[DAY][0]
        question = perhaps_renamed(symbol, closes)
        raise BadInputError(
            f"{prices}: expected a close of {symbol} on {day}, when {missing['quantity'][0]:g} are held, found none in "
            f"the {MOST_CARRIED} days before either.{question or ' Add it.'} Nothing was written."
        )
    carried = needed.filter("carried")
    for old, _ in successions(closes):
        end = closes.filter(pl.col("symbol") == old)[DAY].max()
        after = carried.filter((pl.col("symbol") == old) & (pl.col(DAY) > end))
        if after.height:
            raise BadInputError(
                f"{prices}: expected a close of {old} on {after[DAY][0]}, when {after['quantity'][0]:g} are held, "
                f"found none.{perhaps_renamed(old, closes)} If it has not, add its closes until it is sold. Nothing "
                "was written."
            )


def _closes(prices: tuple[bytes, Path], hints: Hints) -> pl.DataFrame:
    table = read_labelled(*prices, Hints(decimal=hints.decimal, dates=hints.dates))
    if "symbol" not in table.columns:
        raise table.refuse(f"expected closing prices as date, symbol, close, found {', '.join(table.columns)}.")
    frame = numbers(table, "close").frame.with_columns(
        in_one_form(table.frame["symbol"].cast(pl.String)).alias("symbol"), pl.col(DAY).cast(pl.Date)
    )
    wrong = (~(frame["close"] > 0)).arg_true()
    if wrong.len():
        row = int(wrong[0])
        raise table.refuse(f"row {row + 1}, column close: expected a price above 0, found {frame['close'][row]:g}.")
    if frame.select(DAY, "symbol").is_duplicated().any():
        raise table.refuse("expected one close for a day and symbol, found several.")
    return frame
