"""What should hold at the broker against what was done: a kill or a rollback whose effects a crash cut off.

Level-triggered: it looks at the record alone, and every call to the broker may be repeated, so that any number of
workers may run it at any time.
"""

from signoff.app.record import Record
from signoff.app.rollback import order_scope
from signoff.domain.deployment import RETREATING
from signoff.domain.venue import VenueKind
from signoff.ports.venue import OrderHalt


def reconcile_orders(record: Record, orders: OrderHalt, model: str) -> int:
    """Fence and cancel again while the model is killed or on its way back; how many orders were asked to be cancelled.

    A model that trades is left alone: orders carry the revision of the flags they knew, and the ones from before the
    halt stay refused whether or not the fence was lifted. Without a venue there is nothing to hold against the record.
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
