"""What an order must satisfy before it leaves: the limits and restrictions that the memo prints.

Every refusal lists all of its reasons, and what is no number is within no limit. An order that reduces risk always
passes: no limit may keep a desk from getting out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from signoff.domain.dossier import PositionLimits, Restrictions
from signoff.domain.flags import Flags

ROUNDING_PCT: Final = 1e-9
"""Twenty weights of 5% add up to a little more than 100% in binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A wish to trade: `weight_change_pct` is signed, of the model's capital at full allocation.

    `epoch` is the flags' revision it knew.
    """

    client_order_id: str
    symbol: str
    weight_change_pct: float
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is held and reserved by open orders, in percent of capital at full allocation, and the market."""

    weights_pct: Mapping[str, float] = field(default_factory=dict)
    sectors: Mapping[str, str] = field(default_factory=dict)
    adv_usd: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, date] = field(default_factory=dict)
    vix: float | None = None


def refusals(  # noqa: C901, PLR0912 - one visible list of reasons
    order: Order, book: Book, *, flags: Flags, limits: PositionLimits, restrictions: Restrictions, today: date
) -> tuple[str, ...]:
    """Every reason why this order must not leave; an empty tuple lets it go."""
    held = book.weights_pct.get(order.symbol, 0.0)
    after = held + order.weight_change_pct
    if abs(after) < abs(held) and after * held >= 0:
        return ()
    found = []
    if not flags.enabled:
        found.append(f"{flags.model} is not enabled (state {flags.state})")
    if flags.shadow_mode:
        found.append(f"{flags.model} is in shadow mode: predictions are logged, not traded")
    if order.epoch < flags.revision:
        found.append(f"made on flags revision {order.epoch}, present is {flags.revision}")
    if not abs(after) <= limits.max_single_position_pct:
        found.append(f"{order.symbol} would be {after:.2f}%, limit {limits.max_single_position_pct:g}%")
    gross = sum(abs(w) for s, w in book.weights_pct.items() if s != order.symbol) + abs(after)
    most = limits.max_portfolio_weight_pct * flags.allocation_pct / 100
    if not gross <= most + ROUNDING_PCT:
        share = "" if flags.allocation_pct == 100 else f", which is {flags.allocation_pct}% allocated"
        found.append(f"gross exposure would be {gross:.2f}%, limit {most:g}%{share}")
    if (sector := book.sectors.get(order.symbol)) is not None:
        others = sum(abs(w) for s, w in book.weights_pct.items() if s != order.symbol and book.sectors.get(s) == sector)
        if not others + abs(after) <= limits.max_sector_pct:
            found.append(f"sector {sector} would be {others + abs(after):.2f}%, limit {limits.max_sector_pct:g}%")
    if order.symbol in restrictions.excluded_symbols:
        found.append(f"{order.symbol} is excluded")
    adv = book.adv_usd.get(order.symbol)
    if adv is not None and not adv >= restrictions.min_adv_usd:
        found.append(f"{order.symbol} trades ${adv:,.0f} a day, floor ${restrictions.min_adv_usd:,.0f}")
    if adv is None and book.adv_usd:
        found.append(f"the average daily volume of {order.symbol} is unknown")
    event = book.events.get(order.symbol)
    if event is not None and abs((event - today).days) <= restrictions.event_window_days:
        found.append(f"{order.symbol} has an event on {event}, window ±{restrictions.event_window_days} days")
    ceiling = restrictions.halt_if_vix_above
    if ceiling is not None and book.vix is not None and not book.vix <= ceiling:
        found.append(f"VIX is {book.vix:g}, trading halts above {ceiling:g}")
    return tuple(found)
