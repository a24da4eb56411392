"""Stopping a model's orders at the broker."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that could still fill; acknowledged or in flight."""

    client_order_id: str
    symbol: str
    side: str
    quantity: float


class OrderHalt(Protocol):
    """Every call may be repeated. `scope` is the prefix of a model's client order ids, so that others are spared."""

    def fence(self, scope: str, epoch: int) -> None:
        """Refuse new orders of this scope made under this epoch or an older one."""

    def cancel(self, scope: str, epoch: int) -> int:
        """Ask for every open order of this scope to be cancelled; how many were asked for."""

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """What is still open, in-flight orders included."""

    def lift(self, scope: str, epoch: int) -> None:
        """Accept orders made under this epoch or later again; the ones from before stay refused."""
