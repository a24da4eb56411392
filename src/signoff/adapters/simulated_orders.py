"""A broker that exists only in a file: it accepts, fences and cancels orders, and fills none.

It stands in for a real one in demonstrations and rehearsals, and says so. Orders survive a crash, so that a rollback
continues against what was really open.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from signoff.adapters.folders import write_file
from signoff.domain.errors import RefusedError
from signoff.ports.orders import OpenOrder


class SimulatedBroker:
    """Open orders and fences, kept in memory or, with a path, in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._orders: dict[str, OpenOrder] = {}
        self._fences: dict[str, int] = {}
        if path is not None and path.exists():
            said = json.loads(path.read_bytes())
            self._orders = {o["client_order_id"]: OpenOrder(**o) for o in said["orders"]}
            self._fences = said["fences"]

    def place(self, orders: Iterable[OpenOrder], epoch: int) -> None:
        """Accept orders made under an epoch; a fenced scope refuses older ones."""
        for order in orders:
            for scope, fence in self._fences.items():
                if order.client_order_id.startswith(scope) and epoch <= fence:
                    raise RefusedError(
                        f"Order {order.client_order_id} was made under revision {epoch}; {scope}* is fenced at {fence}."
                    )
            self._orders[order.client_order_id] = order
        self._save()

    def fence(self, scope: str, epoch: int) -> None:
        """Refuse new orders of this scope made under this epoch or an older one."""
        self._fences[scope] = max(epoch, self._fences.get(scope, epoch))
        self._save()

    def cancel(self, scope: str, epoch: int) -> int:  # noqa: ARG002 - the port's signature
        """Cancel every open order of this scope."""
        mine = [identity for identity in self._orders if identity.startswith(scope)]
        for identity in mine:
            del self._orders[identity]
        self._save()
        return len(mine)

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """What is still open."""
        return tuple(order for identity, order in self._orders.items() if identity.startswith(scope))

    def lift(self, scope: str, epoch: int) -> None:
        """Accept orders of this scope again, made under this epoch or later; the ones from before stay refused."""
        if scope in self._fences:
            self._fences[scope] = max(epoch - 1, self._fences[scope])
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        orders = [
            {"client_order_id": o.client_order_id, "symbol": o.symbol, "side": o.side, "quantity": o.quantity}
            for o in self._orders.values()
        ]
        write_file(self._path, json.dumps({"orders": orders, "fences": self._fences}).encode())
