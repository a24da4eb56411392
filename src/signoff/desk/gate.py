"""The pre-trade check of an order: flags, limits and restrictions, with a note of every refusal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from signoff.domain.flags import Flags
from signoff.domain.limits import Book, Order, PositionLimits, Restrictions, Rules, held_after, judged
from signoff.domain.policy import OrderGatePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused order, with every reason, and the policy's substitutes that were used for unknown figures."""

    order: Order
    reasons: tuple[str, ...]
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGate:
    """The limits of one release, as its memo prints them, and its policy's substitutes for unknown figures.

    With `releases`, the state of each version on record, a refusal says why a version may not trade.
    """

    limits: PositionLimits
    restrictions: Restrictions
    unknown: OrderGatePolicy = field(default_factory=OrderGatePolicy)
    releases: Mapping[str, str] = field(default_factory=dict)

    def admit(
        self, orders: Iterable[Order], book: Book, *, flags: Flags, today: date
    ) -> tuple[tuple[Order, ...], tuple[Refusal, ...]]:
        """The admitted and the refused orders; an admitted order counts against the limits of later ones.

        An order that was admitted with the policy's substitutes names them in `assumed`.
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
