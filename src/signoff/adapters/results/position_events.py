"""Splits and renames of held symbols: the user declares them, and undeclared ones that prices show are asked about.

A split keeps the value of a position and changes its shares. A list of fills does not show it. So a close that moves
as in a split, while the symbol is held, is never taken for a return: the user is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf, log
from typing import Final

import polars as pl

from signoff.adapters.results.series import DAY
from signoff.domain.errors import BadInputError

RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
"""The usual ratios of new shares for one; a reverse split has the inverse."""
NEAR: Final = 0.1
"""How far, in logarithms, a price may move on the day of its split besides the split."""
WILD: Final = log(2) + NEAR
"""A move, in logarithms, beyond which a close is asked about at any ratio."""
FAR: Final = 0.5
"""How far a fill may be from the close of its day, as a fraction of the close."""
SOON: Final = 5
"""Sessions between the end of one symbol and the start of another that may be the same."""


@dataclass(frozen=True, slots=True)
class Events:
    """Splits by symbol and day as new shares for one, and renamed symbols."""

    splits: Mapping[tuple[str, date], float] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, splits: tuple[str, ...], renames: tuple[str, ...]) -> "Events":
        """From texts such as AAA.X:2020-03-04=2 and AAA.X=BBB.X; a split may name the symbol by its old name."""
        names = dict(map(_rename, renames))
        last = {old: _last_name(old, names) for old in names}
        ratios = dict(map(_split, splits))
        return cls({(last.get(symbol, symbol), day): ratio for (symbol, day), ratio in ratios.items()}, last)

    @property
    def notes(self) -> list[str]:
        """The declarations, for a table's notes."""
        splits = [
            f"{symbol} has {ratio:g} shares for one from {day} on, as --split says"
            for (symbol, day), ratio in self.splits.items()
            if ratio != 1
        ]
        return splits + [f"{old} and {new} are one, as --rename says" for old, new in self.renames.items()]


NOTHING_HAPPENED: Final = Events()


NO_EVENTS: Final = Events()


def _split(text: str) -> tuple[tuple[str, date], float]:
    place, _, ratio = text.rpartition("=")
    symbol, _, day = place.rpartition(":")
    try:
        split = (symbol, date.fromisoformat(day)), float(ratio)
    except ValueError:
        split = ("", date.min), 0.0
    if not (symbol and 0 < split[1] < inf):
        raise BadInputError(
            f"Expected --split SYMBOL:DATE=RATIO such as AAA.X:2020-03-04=2 for two new shares for one, found "
            f"{text!r}. Nothing was written."
        )
    return split


def _rename(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not (old and new):
        raise BadInputError(f"Expected --rename OLD=NEW such as AAA.X=BBB.X, found {text!r}. Nothing was written.")
    return old, new


def _last_name(old: str, names: Mapping[str, str]) -> str:
    name = old
    for _ in names:
        name = names.get(name, name)
    if name in names:
        raise BadInputError(f"Expected --rename to end in a last name, found that {name} becomes {names[name]} again.")
    return name


def renamed(frame: pl.DataFrame, events: Events) -> pl.DataFrame:
    """Every symbol under its last name."""
    return frame.with_columns(pl.col("symbol").replace(dict(events.renames))) if events.renames else frame


def renamed_closes(closes: pl.DataFrame, events: Events, where: str) -> pl.DataFrame:
    """Closes under the last names; refused if two names of one symbol have closes on one day."""
    under_last_names = renamed(closes, events)
    twice = under_last_names.filter(under_last_names.select(DAY, "symbol").is_duplicated()).sort(DAY)
    if twice.height:
        raise BadInputError(
            f"{where}: expected one close of {twice['symbol'][0]} on {twice[DAY][0]} after --rename, found several: "
            "both names have closes on that day. Correct --rename, or leave one of them out. Nothing was written."
        )
    return under_last_names


def refuse_strangers(events: Events, symbols: pl.Series) -> None:
    """Refuse an event of a symbol that was never traded, since it would change nothing."""
    traded = set(symbols.to_list())
    for option, symbol in (
        *(("--split", symbol) for symbol, _ in events.splits),
        *(("--rename", new) for new in events.renames.values()),
    ):
        if symbol not in traded:
            raise BadInputError(
                f"Expected {option} of a symbol that was traded, found {symbol}. Traded are "
                f"{', '.join(sorted(traded))[:200]}. Correct the option. Nothing was written."
            )


def after_splits(grid: pl.DataFrame, events: Events) -> pl.DataFrame:
    """The grid with quantities and closes adjusted to the shares of its last day."""
    for (symbol, day), ratio in events.splits.items():
        _refuse_unmoved(grid, symbol, day, ratio)
    for (symbol, day), ratio in events.splits.items():
        before = (pl.col("symbol") == symbol) & (pl.col(DAY) < day)
        grid = grid.with_columns(
            pl.when(before).then(pl.col("change") * ratio).otherwise(pl.col("change")).alias("change"),
            pl.when(before).then(pl.col("close") / ratio).otherwise(pl.col("close")).alias("close"),
        )
    quantity = pl.col("change").fill_null(0.0).cum_sum().over("symbol").round(9).alias("quantity")
    return grid.sort("symbol", DAY).with_columns(quantity)


def _refuse_unmoved(grid: pl.DataFrame, symbol: str, day: date, ratio: float) -> None:
    """Refuse a split at which the closes do not move, since they are adjusted already."""
    if abs(log(ratio)) <= 2 * NEAR:
        return
    own = grid.filter((pl.col("symbol") == symbol) & pl.col("close").is_not_null()).sort(DAY)
    before, after = own.filter(pl.col(DAY) < day)["close"], own.filter(pl.col(DAY) >= day)["close"]
    if before.len() and after.len() and abs(log(before[-1] / after[0])) <= NEAR:
        raise BadInputError(
            f"Expected the closes of {symbol} to move with --split {symbol}:{day}={ratio:g}, found {after[0]:g} after "
            f"{before[-1]:g}: they are adjusted for it already, or the day is another one. Give the closes as they "
            "were on the day, or correct the option. Nothing was written."
        )


def refuse_splits(grid: pl.DataFrame, events: Events, where: str, *, may_be_booked: bool = True) -> None:
    """Ask about a close that moves as in a split while the symbol is held and its quantity does not move.

    `may_be_booked` is false if every change of a quantity is a paid purchase or sale.
    """
    frame = grid.sort("symbol", DAY).filter(pl.col("close").is_not_null())
    frame = frame.with_columns(
        pl.col("close").shift(1).over("symbol").alias("before"),
        pl.col("quantity").shift(1).over("symbol").alias("held"),
    ).filter((pl.col("held").fill_null(0.0) != 0) & (pl.col("before") > 0) & (pl.col("close") > 0))
    for row in frame.iter_rows(named=True):
        fall = row["before"] / row["close"]
        ratio, is_like = nearest_ratio(fall)
        if not (is_like or abs(log(fall)) > WILD) or (row["symbol"], row[DAY]) in events.splits:
            continue
        if may_be_booked and abs(row["quantity"] / row["held"] / ratio - 1) <= NEAR:
            continue
        words = f"{ratio:g} for 1" if ratio > 1 else f"1 for {1 / ratio:g}"
        place = f"{row['symbol']}:{row[DAY]}"
        raise BadInputError(
            f"{where}: {row['symbol']} closes at {row['close']:g} on {row[DAY]} after {row['before']:g}, while "
            f"{row['held']:g} are held: a split of {words}, or a return of {row['close'] / row['before'] - 1:+.0%}? "
            f"Say --split {place}={ratio:g}, or --split {place}=1 if there was none. Nothing was written."
        )


def nearest_ratio(fall: float) -> tuple[float, bool]:
    """The nearest usual ratio, and whether the move is close to it."""
    ratio = min((*RATIOS, *(1 / r for r in RATIOS)), key=lambda r: abs(log(fall / r)))
    return ratio, abs(log(fall / ratio)) <= (NEAR if abs(log(ratio)) > log(1.9) else NEAR / 2)


def refuse_far_fills(fills: pl.DataFrame, closes: pl.DataFrame, events: Events, where: str) -> None:
    """Ask about a fill (`price`) far from the close of its day: one of them may be adjusted for a split."""
    both = fills.join(closes.select(DAY, "symbol", "close"), on=[DAY, "symbol"]).sort(DAY, "symbol")
    for row in both.iter_rows(named=True):
        symbol, day, price, close = row["symbol"], row[DAY], row["price"], row["close"]
        ratio, is_like = nearest_ratio(price / close)
        is_far = is_like or abs(price / close - 1) > FAR or abs(close / price - 1) > FAR
        if not is_far or events.splits.get((symbol, day)) == 1:
            continue
        times = f"{ratio:g} times the close" if ratio > 1 else f"the close divided by {1 / ratio:g}"
        like = f", about {times}" if is_like else ""
        raise BadInputError(
            f"{where}: {symbol} was traded at {price:g} on {day}, when it closes at {close:g}{like}. Are the closes "
            "adjusted for splits and the fills not, or is one of them in another unit or currency? Give the closes as "
            "they were on the day, or adjust quantities and prices of the fills alike. If both are right, say --split "
            f"{symbol}:{day}=1. Nothing was written."
        )


def perhaps_renamed(symbol: str, closes: pl.DataFrame) -> str:
    """The question whether a symbol that ends or begins within the closes is another one renamed."""
    pairs = [pair for pair in successions(closes) if symbol in pair]
    if not pairs:
        return ""
    old, new = pairs[0]
    of_old, of_new = (closes.filter(pl.col("symbol") == name)[DAY].sort() for name in (old, new))
    return (
        f" The closes of {old} end on {of_old[-1]} and those of {new} begin on {of_new[0]}: if {old} has a new "
        f"name, say --rename {old}={new}."
    )


def successions(closes: pl.DataFrame) -> list[tuple[str, str]]:
    """Pairs of symbols, one ending as the other begins, nearest prices first."""
    days = closes[DAY].unique().sort()
    place = {day: n for n, day in enumerate(days.to_list())}
    ends = closes.sort(DAY).group_by("symbol", maintain_order=True).agg(
        pl.col(DAY).first().alias("first"),
        pl.col(DAY).last().alias("last"),
        pl.col("close").first().alias("opens"),
        pl.col("close").last().alias("closes"),
    )  # fmt: skip
    begun = ends.filter(pl.col("first") > days[0]).to_dicts() if days.len() else []
    pairs = [
        (abs(log(old["closes"] / new["opens"])), old["symbol"], new["symbol"])
        for old in ends.filter(pl.col("last") < days[-1]).to_dicts()
        for new in begun
        if 0 < place[new["first"]] - place[old["last"]] <= SOON and old["closes"] > 0 and new["opens"] > 0
    ]
    return [(old, new) for _, old, new in sorted(pairs)]


def of_another_name(symbol: str, fills: pl.DataFrame, closes: pl.DataFrame) -> str:
    """The question whether a symbol without closes is one whose closes are near its fills."""
    own = fills.filter(pl.col("symbol") == symbol)
    traded = set(fills["symbol"].to_list())
    beside = own.select(DAY, "price").join(closes, on=DAY)
    near = (pl.col("price") / pl.col("close")).log().abs().max().alias("far")
    near_fills = beside.group_by("symbol").agg(near, pl.len().alias("met")).filter(pl.col("met") == own.height)
    near_fills = near_fills.filter(pl.col("far") <= NEAR).sort("far", "symbol")
    names = [name for name in near_fills["symbol"].to_list() if name not in traded] or near_fills["symbol"].to_list()
    if not names:
        return ""
    return f" {names[0]} closes near its fills: if both are one, say --rename {symbol}={names[0]}."


def open_positions(grid: pl.DataFrame) -> list[str]:
    """A note of the open positions on the grid's last day."""
    last = grid.sort(DAY).group_by("symbol").agg(pl.col("quantity").last()).filter(pl.col("quantity") != 0)
    quantities = [f"{quantity:g} {symbol}" for symbol, quantity in last.sort("symbol").iter_rows()]
    return [f"the account ends with open positions: {', '.join(quantities)}"] if quantities else []
