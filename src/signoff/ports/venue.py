"""The venue: a model's orders and positions there, and the means to stop its orders."""

from dataclasses import dataclass
from typing import Protocol

from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that could still fill, acknowledged or in flight."""

    client_order_id: str
    symbol: str
    side: str
    quantity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """A model's position in one symbol, negative if short. `scope` is that of the model's orders."""

    scope: str
    symbol: str
    quantity: float


class OrderHalt(Protocol):
    """Every call may be repeated. `scope` is the prefix of a model's client order ids; other orders are not touched.

    With kind none, no venue is connected: every call but `kind` raises NoVenueError, as nothing is known or done.
    """

    @property
    def kind(self) -> VenueKind:
        """The kind of venue."""

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Refuse new orders of this scope that were made under this revision of the flags or an older one."""

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:
        """Request a cancel of every open order of this scope; returns how many."""

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """The open orders, including those in flight."""

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:
        """The positions of the models of this scope; of every model for an empty scope."""

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Accept orders that were made under this revision or a later one; older ones stay refused."""
