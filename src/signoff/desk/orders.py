"""The orders of a trading process: each attributed to its prediction, and none away before that is on the disk.

What became of an order is recorded, never refused. An exit or a cancel is held back by nothing.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from signoff.desk.fallbacks import Signal
from signoff.desk.journal.records import Kind
from signoff.desk.journal.writing import Journal
from signoff.domain.errors import RefusedError, SignoffError, UnavailableError
from signoff.domain.flags import Flags

if TYPE_CHECKING:  # the limits bring the whole policy, and a desk starts fast
    from signoff.domain.limits import Order

REMEMBERED: Final = 1 << 16
"""Predictions and orders that the desk can still attribute; a power of two."""
DURABLE_S: Final = 1.0
log = logging.getLogger("signoff.desk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A part of an order that was executed; `quantity` is signed."""

    client_order_id: str
    symbol: str
    quantity: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attribution:
    deployment: str
    version: str
    prediction: int


class Orders:
    """The orders of one process. `deployment` is the release that an order of no known prediction is recorded under.

    `flags` tells the flags of a version: an order that is no exit is refused where they are off, closed or in shadow.
    """

    def __init__(self, journal: Journal, deployment: str, flags: Callable[[str], Flags] | None) -> None:
        self._journal, self.deployment, self._flags = journal, deployment, flags
        self._recent: list[Signal | None] = [None] * REMEMBERED
        self._orders: OrderedDict[str, _Attribution] = OrderedDict()
        self.refused = self.unrecorded = 0

    def predicted(self, signal: Signal) -> None:
        """Remember a prediction, whose number an order may name."""
        self._recent[signal.seq & (REMEMBERED - 1)] = signal

    def submitted(self, order: "Order", *, is_exit: bool = False) -> int:
        """Record an order and wait until it and its prediction are on the disk: only then may it leave.

        Raises RefusedError for an order whose prediction is unknown, of another symbol or version, or of a version in
        shadow, and UnavailableError where the disk does not answer in time. An exit is never held back: `is_exit`
        records what can be recorded, and returns.
        """
        objection = self._objection(order)
        if objection and not is_exit:
            self.refuse("order", objection, symbol=order.symbol, order=order.client_order_id)
            raise RefusedError(f"The order {order.client_order_id} does not leave: {objection}.")
        of = self._attribution(order)
        says = {
            "order": order.client_order_id,
            "symbol": order.symbol,
            "weight_change_pct": _plain(order.weight_change_pct),
            "flags_revision": _plain(order.flags_revision),
            **({"is_exit": True} if is_exit else {}),
            **({"objection": objection} if objection else {}),
        }
        if is_exit:
            self._remember(order.client_order_id, of)
            return self._recorded(Kind.ORDER, of, says)
        seq = self._journal.event(Kind.ORDER, of.deployment, {**says, **_ids(of)})
        if not self._journal.wait_durable(seq, DURABLE_S):
            why = self._journal.reason or f"the disk did not answer within {DURABLE_S:g} s"
            self.refuse("order", f"not durable: {why}", symbol=order.symbol, order=order.client_order_id)
            raise UnavailableError(
                f"The order {order.client_order_id} does not leave: expected its prediction {order.prediction} on the "
                f"disk, found that {why}. Take no new risk until the journal is open again."
            )
        self._remember(order.client_order_id, of)
        return seq

    def acknowledged(self, order: "Order | str") -> int:
        """The venue has the order. Never refused: what happened is recorded."""
        return self._followed(Kind.ACKNOWLEDGED, _identity(order), {})

    def filled(self, fill: Fill) -> int:
        """A part of an order was executed."""
        says = {"symbol": fill.symbol, "quantity": _plain(fill.quantity), "price": _plain(fill.price)}
        return self._followed(Kind.FILLED, fill.client_order_id, says)

    def cancelled(self, order: "Order | str") -> int:
        """The order was cancelled. Never refused and never held back."""
        return self._followed(Kind.CANCELLED, _identity(order), {})

    def refuse(self, what: str, reason: str, **more: str) -> None:
        """Count and record a refusal."""
        self.refused += 1
        try:
            self._journal.event(Kind.REFUSED, self.deployment, {"what": what, "reason": reason[:1000], **more})
        except SignoffError as error:
            self.unrecorded += 1
            log.warning("a refusal was not recorded: %s (%s)", reason, error)

    def _objection(self, order: "Order") -> str:
        """Why this order must not leave; nothing where it may."""
        signal = self._signal(order.prediction)
        if signal is None:
            return (
                f"expected the number of one of the last {REMEMBERED:,} predictions in Order.prediction, found "
                f"{order.prediction!r:.30}"
            )
        if signal.is_shadow:
            return f"prediction {signal.seq} is of v{signal.version} in shadow: it is logged, never traded"
        if (order.version, order.symbol) != (signal.version, signal.symbol):
            return (
                f"expected v{signal.version} and {signal.symbol}, of which prediction {signal.seq} is, found "
                f"v{order.version} and {order.symbol}"
            )
        if self._flags is not None:
            found = self._flags(order.version)
            if found.shadow_mode:
                return f"v{order.version} is in shadow mode: predictions are logged, not traded"
            if not found.enabled:
                return f"v{order.version} takes no new risk: its flags are {found.state}"
        return self._odd(order)

    def _odd(self, order: "Order") -> str:
        if order.client_order_id in self._orders:
            return f"expected an identity of its own, found {order.client_order_id} submitted already"
        if _plain(order.weight_change_pct) is not order.weight_change_pct:
            return f"expected a weight change that is a number, found {order.weight_change_pct!r:.30}"
        return ""

    def _signal(self, prediction: object) -> Signal | None:
        if type(prediction) is not int or prediction <= 0:
            return None
        signal = self._recent[prediction & (REMEMBERED - 1)]
        return signal if signal is not None and signal.seq == prediction else None

    def _attribution(self, order: "Order") -> _Attribution:
        signal = self._signal(order.prediction)
        deployment = self.deployment if signal is None else signal.deployment
        return _Attribution(
            deployment=deployment, version=order.version, prediction=0 if signal is None else signal.seq
        )

    def _remember(self, identity: str, of: _Attribution) -> None:
        self._orders[identity] = of
        if len(self._orders) > REMEMBERED:
            self._orders.popitem(last=False)

    def _followed(self, kind: Kind, identity: str, says: Mapping[str, Any]) -> int:
        """Record what became of an order; one that this desk did not submit is an orphan, and said to be one."""
        of = self._orders.get(identity)
        known = {"order": identity, **says}
        if of is None:
            return self._recorded(kind, None, {**known, "is_orphan": True})
        return self._recorded(kind, of, known)

    def _recorded(self, kind: Kind, of: _Attribution | None, says: Mapping[str, Any]) -> int:
        """Record without holding anything back; what cannot be recorded is counted and logged."""
        deployment = self.deployment if of is None else of.deployment
        try:
            return self._journal.event(kind, deployment, {**says, **({} if of is None else _ids(of))})
        except SignoffError as error:
            self.unrecorded += 1
            log.warning("not recorded, %d so far: %s of %s: %s", self.unrecorded, kind.name, says.get("order"), error)
            return 0


def _ids(of: _Attribution) -> dict[str, Any]:
    return {"version": of.version, "prediction": of.prediction}


def _identity(order: "Order | str") -> str:
    return order if isinstance(order, str) else order.client_order_id


def _plain(value: object) -> object:
    """A finite number as it is, anything else as text: JSON has no NaN."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return repr(value)[:60]
