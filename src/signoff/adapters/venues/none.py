"""No venue: nobody connected one, so nothing can be asked and nothing stopped there.

Every call raises, so that no caller takes a silence for a fence that stands or for a model that is flat. The flags are
then all that holds a model back.
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
    """Where a venue would stand."""

    @property
    def kind(self) -> VenueKind:
        """None."""
        return VenueKind.NONE

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:  # noqa: ARG002 - the port's signature
        """Nobody refuses orders."""
        _refuse()

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:  # noqa: ARG002 - the port's signature
        """Nobody cancels orders."""
        _refuse()

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:  # noqa: ARG002 - the port's signature
        """Nobody knows."""
        _refuse()

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:  # noqa: ARG002 - the port's signature
        """Nobody knows."""
        _refuse()

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:  # noqa: ARG002 - the port's signature
        """There is no fence to lift."""
        _refuse()


def _refuse() -> NoReturn:
    raise NoVenueError
