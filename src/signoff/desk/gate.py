"""The last look before an order leaves: flags, limits and restrictions, and a note of every refusal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from signoff.domain.flags import Flags
from signoff.domain.limits import Book, Order, PositionLimits, Restrictions, Rules, held_after, judged
from signoff.domain.policy import OrderGatePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An order that did not leave, with every reason, and the policy's substitutes that it was judged with."""

    order: Order
    reasons: tuple[str, ...]
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGate:
    """The limits of one release, as its memo prints them, and what its policy takes for an unknown figure.

    `releases` is the state of each version on record; with it, a refusal says why a version may not trade.
    """

    limits: PositionLimits
    restrictions: Restrictions
    unknown: OrderGatePolicy = field(default_factory=OrderGatePolicy)
    releases: Mapping[str, str] = field(default_factory=dict)

    def admit(
        self, orders: Iterable[Order], book: Book, *, flags: Flags, today: date
    ) -> tuple[tuple[Order, ...], tuple[Refusal, ...]]:
        """Which orders may leave and which not; an admitted order counts against the limits of the ones after it.

        An order that leaves on the policy's substitutes names them in `assumed`.
        """
        rules = Rules(limits=self.limits, restrictions=self.restrictions, unknown=self.unknown, releases=self.releases)
        admitted, refused = [], []
        weights = dict(book.weights_pct)
        for order in orders:
            judgement = judged(order, replace(book, weights_pct=weights), flags=flags, rules=rules, today=today)
            if judgement.reasons:
                refused.append(Refusal(order=order, reasons=judgement.reasons, assumed=judgement.assumed))
                continue
            weights[order.symbol] = held_after(weights.get(order.symbol, 0.0), order.weight_change_pct)
            admitted.append(replace(order, assumed=judgement.assumed) if judgement.assumed else order)
        return tuple(admitted), tuple(refused)
