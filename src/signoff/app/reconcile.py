"""Reconcile the broker with the record after a crash interrupted a kill or a rollback.

It is level-triggered: it reads only the record, and every call to the broker may be repeated, so any number of workers
may run it at any time.
"""

from signoff.app.record import Record
from signoff.app.rollback import order_scope
from signoff.domain.deployment import RETREATING
from signoff.domain.venue import VenueKind
from signoff.ports.venue import OrderHalt


def reconcile_orders(record: Record, orders: OrderHalt, model: str) -> int:
    """Fence and cancel again while the model is killed or rolling back; returns how many cancels were requested.

    A trading model needs nothing: orders carry the revision of their flags, so older ones stay refused with or without
    a fence. Without a venue there is nothing to reconcile.
    """
    if orders.kind is VenueKind.NONE:
        return 0
    latch = record.latch(model)
    is_killed = latch is not None and latch.is_latched
    if not is_killed and not any(d.state in RETREATING for d in record.deployments(model)):
        return 0
    scope, flags_revision = order_scope(model), record.flags(model).revision
    orders.fence(scope, flags_revision)
    return orders.cancel(scope, flags_revision) if orders.open_orders(scope) else 0
