"""A model's orders and positions at the venue, and stopping its orders there."""

from dataclasses import dataclass
from typing import Protocol

from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that could still fill; acknowledged or in flight."""

    client_order_id: str
    symbol: str
    side: str
    quantity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """What a model holds of one symbol; negative where it is short. `scope` is the one of the model's orders."""

    scope: str
    symbol: str
    quantity: float


class OrderHalt(Protocol):
    """Every call may be repeated. `scope` is the prefix of a model's client order ids, so that others are spared.

    Of kind none there is no venue: every call but `kind` raises NoVenueError, since nothing is known and nothing done.
    """

    @property
    def kind(self) -> VenueKind:
        """What is asked here."""

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Refuse new orders of this scope made under this revision of the flags or an older one."""

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:
        """Ask for every open order of this scope to be cancelled; how many were asked for."""

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """What is still open, in-flight orders included."""

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:
        """What the models of this scope still hold; every model for an empty scope."""

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Accept orders made under this revision or later again; the ones from before stay refused."""
