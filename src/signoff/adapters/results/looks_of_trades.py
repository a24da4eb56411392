"""Recognises a table that looks like a list of trades and cannot be read as one, and says what it lacks.

Its columns are quantities and prices. Judged as returns they would give figures without a meaning.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from signoff.adapters.results.named_columns import plain

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SYMBOL: Final = frozenset(
    {"symbol", "ticker", "instrument", "security", "isin", "cusip", "conid", "asset", "contract", "pair", "underlying"}
)
_QUANTITY: Final = frozenset({"quantity", "qty", "shares", "units", "size", "lots", "contracts", "filled", "stück"})
_PRICE: Final = frozenset({"price", "px", "kurs", "fill"})
_SIDE: Final = frozenset({"side", "buy", "sell", "action", "direction"})
_ENTRY: Final = frozenset({"entry", "buy", "bought", "opened", "opening"})
_EXIT: Final = frozenset({"exit", "sell", "sold", "closed", "closing"})
_OPEN: Final = frozenset({"open"})
_CLOSE: Final = frozenset({"close"})
_TIME: Final = frozenset({"date", "time", "datetime", "timestamp"})
FILLS: Final = "one row for each fill, with the columns date, symbol, side, quantity, price and fees"


def plain_words(name: str) -> str:
    """A column's name for comparison, also one in camel case: `IBCommission` is `ib commission`."""
    return plain(_CAMEL.sub(" ", name))


def looks_like_trades(columns: Sequence[str], read_as: Collection[str]) -> str:
    """What a list of trades lacks here; "" if the table does not look like one.

    `read_as` are the columns of a list of trades that were found under a known name.
    """
    words = {name: set(plain_words(name).split()) for name in columns}
    is_of_assets = any(of & (_SYMBOL | _QUANTITY | _SIDE) for of in words.values())
    if (pairs := _round_trips(words, is_of_assets=is_of_assets)) is not None:
        return f"this looks like a list of trades, one row for each round trip ({pairs}): expected {FILLS}"
    has = [
        any(of & kind for of in words.values()) or known in read_as
        for known, kind in (("symbol", _SYMBOL), ("quantity", _QUANTITY), ("price", _PRICE), ("side", _SIDE))
    ]
    if not has[2] or sum(has) < 3:
        return ""
    missing = [name for name in ("date", "symbol", "quantity", "price") if name not in read_as]
    lacks = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else "it has another form"
    return f"this looks like a list of trades: expected {FILLS}; {lacks} under a known name"


def _round_trips(words: dict[str, set[str]], *, is_of_assets: bool) -> str | None:
    """The columns of entry and exit, if the table has a date and a price of both; bars open and close as well."""
    found = []
    for side in (_ENTRY | _OPEN, _EXIT | _CLOSE) if is_of_assets else (_ENTRY, _EXIT):
        for kind in (_TIME, _PRICE):
            name = next((name for name, of in words.items() if of & side and of & kind), None)
            if name is None:
                return None
            found.append(name)
    return ", ".join(found)
