"""The last look before an order leaves: flags, limits and restrictions, and a note of every refusal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from signoff.domain.dossier import PositionLimits, Restrictions
from signoff.domain.flags import Flags
from signoff.domain.limits import Book, Order, refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An order that did not leave, with every reason."""

    order: Order
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGate:
    """The limits of one release, as its memo prints them."""

    limits: PositionLimits
    restrictions: Restrictions

    def admit(
        self, orders: Iterable[Order], book: Book, *, flags: Flags, today: date
    ) -> tuple[tuple[Order, ...], tuple[Refusal, ...]]:
        """Which orders may leave and which not; an admitted order counts against the limits of the ones after it."""
        admitted, refused = [], []
        weights = dict(book.weights_pct)
        for order in orders:
            present = Book(
                weights_pct=weights, sectors=book.sectors, adv_usd=book.adv_usd, events=book.events, vix=book.vix
            )
            reasons = refusals(
                order, present, flags=flags, limits=self.limits, restrictions=self.restrictions, today=today
            )
            if reasons:
                refused.append(Refusal(order=order, reasons=reasons))
                continue
            weights[order.symbol] = weights.get(order.symbol, 0.0) + order.weight_change_pct
            admitted.append(order)
        return tuple(admitted), tuple(refused)
