"""Pre-trade checks of an order: the limits and restrictions that the memo prints.

Every refusal lists all of its reasons. An order that reduces risk always passes, so that a desk can get out. An order
that adds risk needs every figure of the limits: an unknown figure is within no limit. The policy may name a substitute
for an unknown figure, and a judgement by a substitute says so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le

from signoff.domain.flags import Flags, FlagsRevision
from signoff.domain.policy import OrderGatePolicy, Strict, UnknownEvent

ROUNDING_PCT: Final = 1e-9
"""Twenty weights of 5% add up to a little more than 100% in binary."""
NO_EVENT: Final = "none"
"""No event is scheduled; a symbol without an entry is unknown."""

Kind = Literal["adv_usd", "events", "sectors", "vix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionLimits(Strict):
    """Enforced before each order."""

    max_portfolio_weight_pct: Annotated[float, Gt(0), Le(1000)]
    max_single_position_pct: Annotated[float, Gt(0), Le(100)]
    max_sector_pct: Annotated[float, Gt(0), Le(100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions(Strict):
    """Section 6.2, enforced before each order."""

    min_adv_usd: Annotated[float, Ge(0)]
    excluded_symbols: tuple[str, ...] = ()
    event_window_days: Annotated[int, Ge(0), Le(30)] = 2
    halt_if_vix_above: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order: `weight_change_pct` is signed, of the model's capital at full allocation.

    `flags_revision` is the revision of the flags it was made under, `version` the model version, `prediction` the
    number of the prediction in the desk's journal. The gate writes `assumed`, the substitutes of its admission.
    """

    client_order_id: str
    symbol: str
    weight_change_pct: float
    flags_revision: FlagsRevision
    version: str = ""
    assumed: tuple[str, ...] = field(default=(), compare=False)
    prediction: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The market, and the weights held or reserved by the order's version, in percent of capital at full allocation.

    A symbol without a weight is not held. A missing sector, average daily volume or event is unknown, as are None, NaN
    and infinity. `NO_EVENT` says that no event is scheduled. `as_of` is the day of each kind of figure, needed if the
    policy has a greatest age.
    """

    weights_pct: Mapping[str, float | None] = field(default_factory=dict)
    sectors: Mapping[str, str | None] = field(default_factory=dict)
    adv_usd: Mapping[str, float | None] = field(default_factory=dict)
    events: Mapping[str, date | Literal["none"] | None] = field(default_factory=dict)
    vix: float | None = None
    as_of: Mapping[Kind, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules for one release's orders. `releases` has the state of each version on record, for messages."""

    limits: PositionLimits
    restrictions: Restrictions
    unknown: OrderGatePolicy = field(default_factory=OrderGatePolicy)
    releases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Every reason to refuse an order, and every substitute that the judgement used."""

    reasons: tuple[str, ...]
    assumed: tuple[str, ...] = ()


def refusals(
    order: Order,
    book: Book,
    *,
    flags: Flags,
    limits: PositionLimits,
    restrictions: Restrictions,
    today: date,
    unknown: OrderGatePolicy | None = None,
) -> tuple[str, ...]:
    """Every reason to refuse this order; an empty tuple admits it."""
    rules = Rules(limits=limits, restrictions=restrictions, unknown=unknown or OrderGatePolicy())
    return judged(order, book, flags=flags, rules=rules, today=today).reasons


def judged(order: Order, book: Book, *, flags: Flags, rules: Rules, today: date) -> Judgement:
    """Whether this order may leave, with the policy's substitutes that were used."""
    if reduces_risk(order, book):
        return Judgement(reasons=())
    assumed: list[str] = []
    look = _Look(book=book, rules=rules, today=_day(today) or today, assume=assumed.append)
    reasons = (*_of_version(order, flags, rules), *_of_positions(order, look, flags), *_of_market(order.symbol, look))
    texts = (*reasons, f"judged with substitutes: {'; '.join(assumed)}") if reasons and assumed else reasons
    return Judgement(reasons=texts, assumed=tuple(assumed))


def reduces_risk(order: Order, book: Book) -> bool:
    """Whether the position becomes smaller on the same side; through zero, an order adds risk on the other side."""
    before, change = _number(book.weights_pct.get(order.symbol, 0.0)), _number(order.weight_change_pct)
    if before is None or change is None:
        return False
    after = before + change
    if not abs(after) < abs(before):
        return False
    return abs(after) <= ROUNDING_PCT or (after > 0) == (before > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The book under the policy: an unknown or stale figure is None, or the policy's substitute."""

    book: Book
    rules: Rules
    today: date
    assume: Callable[[str], None]

    def is_current(self, kind: Kind) -> bool:
        greatest = self.rules.unknown.max_age_days
        if greatest is None:
            return True
        day = _day(self.book.as_of.get(kind))
        return day is not None and timedelta() <= self.today - day <= timedelta(days=greatest)

    def state_of(self, kind: Kind) -> str:
        """The word "stale" or "unknown" for a figure of this kind."""
        greatest = self.rules.unknown.max_age_days
        if self.is_current(kind):
            return "unknown"
        day = _day(self.book.as_of.get(kind))
        return "unknown in age" if day is None else f"stale (of {day}, and at most {greatest} days old counts)"

    def weight(self, symbol: str) -> float | None:
        return _number(self.book.weights_pct.get(symbol, 0.0))

    def sector(self, symbol: str) -> str | None:
        name = self.book.sectors.get(symbol) if self.is_current("sectors") else None
        if isinstance(name, str) and name.strip():
            return name
        if (substitute := self.rules.unknown.unknown_sector) is not None:
            self.assume(f"the unknown sector of {symbol} is taken as {substitute}, by policy")
        return substitute

    def adv(self, symbol: str) -> float | None:
        adv = _number(self.book.adv_usd.get(symbol)) if self.is_current("adv_usd") else None
        if adv is None and (substitute := self.rules.unknown.unknown_adv_usd) is not None:
            self.assume(f"the unknown ADV of {symbol} is taken as ${substitute:,.0f}, by policy")
            return substitute
        return adv

    def vix(self) -> float | None:
        vix = _number(self.book.vix) if self.is_current("vix") else None
        if vix is not None and vix > 0:  # a volatility index of zero is a missing figure
            return vix
        if (substitute := self.rules.unknown.unknown_vix) is not None:
            self.assume(f"the unknown VIX is taken as {substitute:g}, by policy")
        return substitute

    def event(self, symbol: str) -> date | Literal["none"] | None:
        value = self.book.events.get(symbol) if self.is_current("events") else None
        if isinstance(value, str) and value == NO_EVENT:
            return "none"
        if (day := _day(value)) is not None:
            return day
        if self.rules.unknown.unknown_event is UnknownEvent.ASSUME_NONE:
            self.assume(f"the unknown event date of {symbol} is taken as none scheduled, by policy")
            return "none"
        return None


def _of_version(order: Order, flags: Flags, rules: Rules) -> Iterator[str]:
    """A version trades by its own flags, whatever other versions are live."""
    share = flags.share(order.version) if order.version else None
    if flags.is_off:
        yield f"{flags.model} is not enabled (state {flags.state}){_because(flags.reason)}"
    if not order.version:
        yield "the order names no version; expected Order.version, the model version that made it"
    elif share is None or order.version not in {flags.version, flags.candidate}:
        yield _does_not_trade(order.version, flags, rules)
    elif share.shadow_mode:
        yield f"v{order.version} of {flags.model} is in shadow mode: predictions are logged, not traded"
    elif not share.enabled and not flags.is_off:
        yield f"v{order.version} of {flags.model} is allocated 0% (state {share.state}){_because(share.reason)}"
    if (flags_revision := _number(order.flags_revision)) is None:
        yield f"the order names no flags revision that it was made on, present is {flags.revision}"
    elif flags_revision < flags.revision:
        yield f"made on flags revision {order.flags_revision}, present is {flags.revision}"
    elif flags_revision > flags.revision:
        yield (
            f"made on flags revision {order.flags_revision}, later than the {flags.revision} that this gate knows: "
            "what it says is unknown here; read the flags again"
        )


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _does_not_trade(version: str, flags: Flags, rules: Rules) -> str:
    trading = " and ".join(
        f"{word} v{named}" for word, named in (("champion", flags.version), ("candidate", flags.candidate)) if named
    )
    named = f"the flags name {trading or 'no version'}"
    listed = {share.version: share.state for share in flags.versions if not flags.is_off}
    state = (listed | dict(rules.releases)).get(version)
    if state is not None:
        return f"v{version} of {flags.model} may not trade: on record it is {state.replace('_', ' ')}, and {named}"
    if rules.releases:
        return f"v{version} of {flags.model} is an unknown version: no release of it is on record, and {named}"
    return f"v{version} of {flags.model} may not trade: {named}; it was rolled back, superseded, or is unknown"


def _share_pct(order: Order, flags: Flags) -> int:
    """The capital share of the order's version; 100 if it may not trade, which is a reason of its own."""
    share = flags.share(order.version)
    return 100 if share is None or not share.allocation_pct else share.allocation_pct


def _of_positions(order: Order, look: _Look, flags: Flags) -> Iterator[str]:
    limits, symbol = look.rules.limits, order.symbol
    before, change = look.weight(symbol), _number(order.weight_change_pct)
    if change is None:
        yield f"the weight change of {symbol} is no number: it is within no limit {limits.max_single_position_pct:g}%"
    if before is None:
        yield f"the position in {symbol} is unknown"
    others = {other: look.weight(other) for other in look.book.weights_pct if other != symbol}
    blank = [other for other, weight in others.items() if weight is None]
    if blank:
        yield f"gross exposure is unknown: no weight of {', '.join(sorted(map(str, blank)))} is known"
    after = None if before is None or change is None else abs(before + change)
    if after is not None and not after <= limits.max_single_position_pct:
        signed = (before or 0.0) + (change or 0.0)
        yield f"{symbol} would be {signed:.2f}%, limit {limits.max_single_position_pct:g}%"
    weights = {other: abs(weight) for other, weight in others.items() if weight is not None}
    if after is not None and not blank:
        share = _share_pct(order, flags)
        gross, most = sum(weights.values()) + after, limits.max_portfolio_weight_pct * share / 100
        if not gross <= most + ROUNDING_PCT:
            allocated = "" if share == 100 else f", which is {share}% allocated"
            yield f"gross exposure would be {gross:.2f}%, limit {most:g}%{allocated}"
    yield from _of_sector(symbol, after, weights, blank, look)


def _of_sector(
    symbol: str, after: float | None, weights: Mapping[str, float], blank: list[str], look: _Look
) -> Iterator[str]:
    """A position of unknown sector counts in every sector."""
    limit, sector = look.rules.limits.max_sector_pct, look.sector(symbol)
    if sector is None:
        yield f"the sector of {symbol} is {look.state_of('sectors')}, and the sector limit is {limit:g}%"
        return
    sectors = {other: look.sector(other) for other in (*weights, *blank) if weights.get(other, 1.0) > 0}
    inside = [other for other, named in sectors.items() if named in {sector, None}]
    if hidden := sorted(map(str, set(inside) & set(blank))):
        yield f"sector {sector} is unknown in size: no weight of {', '.join(hidden)} is known"
        return
    unknown = sorted(str(other) for other in inside if sectors[other] is None)
    total = sum(weights[other] for other in inside) + (after or 0.0)
    if not total <= limit + ROUNDING_PCT:
        counted = f", with {', '.join(unknown)}, whose sector is unknown, counted in it" if unknown else ""
        yield f"sector {sector} would be {total:.2f}%, limit {limit:g}%{counted}"


def _of_market(symbol: str, look: _Look) -> Iterator[str]:
    asked = look.rules.restrictions
    if symbol in asked.excluded_symbols:
        yield f"{symbol} is excluded"
    if asked.min_adv_usd > 0:
        adv = look.adv(symbol)
        if adv is None:
            yield (
                f"the average daily volume of {symbol} is {look.state_of('adv_usd')}, and the floor is "
                f"${asked.min_adv_usd:,.0f}"
            )
        elif not adv >= asked.min_adv_usd:
            yield f"{symbol} trades ${adv:,.0f} a day, floor ${asked.min_adv_usd:,.0f}"
    event = look.event(symbol)
    if event is None:
        yield (
            f"the event date of {symbol} is {look.state_of('events')}, and the event window is "
            f"±{asked.event_window_days} days"
        )
    elif isinstance(event, date) and abs((event - look.today).days) <= asked.event_window_days:
        yield f"{symbol} has an event on {event}, window ±{asked.event_window_days} days"
    if (ceiling := asked.halt_if_vix_above) is not None:
        vix = look.vix()
        if vix is None:
            yield f"VIX is {look.state_of('vix')}, and trading halts above {ceiling:g}"
        elif not vix <= ceiling:
            yield f"VIX is {vix:g}, trading halts above {ceiling:g}"


def held_after(weight: object, change: object) -> float | None:
    """The weight after an order is filled; None if either is not a number."""
    first, second = _number(weight), _number(change)
    return None if first is None or second is None else first + second


def _number(value: object) -> float | None:
    """A finite number, None for anything else, including booleans and texts."""
    if value is None or isinstance(value, bool | str | bytes):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # a number of another library has no common type
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _day(value: object) -> date | None:
    """A day, None for anything else; pandas' NaT does not equal itself."""
    if not isinstance(value, date) or value != value:  # noqa: PLR0124 - see above
        return None
    return value.date() if isinstance(value, datetime) else value
