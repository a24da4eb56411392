"""No venue connected: nothing can be asked or stopped there.

Every call raises, so that no caller mistakes a missing answer for a fence or for a flat model. Only the flags then
stop a model.
"""

from typing import NoReturn

from signoff.domain.errors import UnavailableError
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import NO_VENUE, VenueKind
from signoff.ports.venue import OpenOrder, OpenPosition


class NoVenueError(UnavailableError):
    """There is no venue to ask (exit 2)."""

    code = "novenue"

    def __init__(self) -> None:
        super().__init__(NO_VENUE)


class NoVenue:
    """The absence of a venue, in its port."""

    @property
    def kind(self) -> VenueKind:
        """None."""
        return VenueKind.NONE

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:  # noqa: ARG002 - the port's signature
        """Raise: no fence can be set."""
        _refuse()

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:  # noqa: ARG002 - the port's signature
        """Raise: no order can be cancelled."""
        _refuse()

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:  # noqa: ARG002 - the port's signature
        """Raise: open orders are unknown."""
        _refuse()

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:  # noqa: ARG002 - the port's signature
        """Raise: positions are unknown."""
        _refuse()

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:  # noqa: ARG002 - the port's signature
        """Raise: there is no fence to lift."""
        _refuse()


def _refuse() -> NoReturn:
    raise NoVenueError
