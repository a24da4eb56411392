"""A venue of an installed package: each call has a time budget, and every failure there means "unknown" here.

It is opened by its first call, so that an unreachable venue cannot keep a kill from turning the flags off. Its errors
become UnavailableError: orders and positions are then unknown, never zero.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from signoff.adapters.exits import kept_alive
from signoff.adapters.outside import Breaker, Outside
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind
from signoff.ports.budget import Budget
from signoff.ports.venue import OpenOrder, OpenPosition, OrderHalt

T = TypeVar("T")
Make = Callable[[], OrderHalt]
BUDGET: Final = Budget(total_s=5.0)
# A venue is asked to cancel even after many failures.
NEVER_OPEN: Final = Breaker(most_failures=1 << 30)


class PackagedVenue:
    """The venue of this name, opened by its first call.

    `find` loads the function that creates it, and says whether the package calls it simulated.
    """

    def __init__(self, name: str, find: Callable[[], tuple[Make, bool]], budget: Budget = BUDGET) -> None:
        self._name, self._find = name, find
        self._outside = Outside(f"the venue {name}", budget, breaker=NEVER_OPEN)
        self._venue: OrderHalt | None = None

    @property
    def kind(self) -> VenueKind:
        """Connected, unless the function of the package says `is_simulated`."""
        try:
            _, is_simulated = self._within("load", lambda: self._found)
        except SignoffError:
            return VenueKind.CONNECTED
        return VenueKind.SIMULATED if is_simulated else VenueKind.CONNECTED

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Refuse new orders of this scope made under this revision of the flags or an older one."""
        self._ask(f"fence {scope}*", lambda venue: venue.fence(scope, flags_revision))

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:
        """Ask for every open order of this scope to be cancelled."""
        return self._ask(f"cancel {scope}*", lambda venue: _a_number(venue.cancel(scope, flags_revision)))

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """The open orders."""
        return self._ask(f"open orders of {scope}*", lambda venue: _all(venue.open_orders(scope), OpenOrder))

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:
        """The open positions of this scope."""
        return self._ask(f"positions of {scope}*", lambda venue: _all(venue.positions(scope), OpenPosition))

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Accept orders made under this revision or later."""
        self._ask(f"lift the fence of {scope}*", lambda venue: venue.lift(scope, flags_revision))

    def _ask(self, what: str, call: Callable[[OrderHalt], T]) -> T:
        return self._within(what, lambda: call(self._opened()))

    def _within(self, what: str, call: Callable[[], T]) -> T:
        try:
            return self._outside.ask(what, lambda: kept_alive(call))
        except SignoffError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # a broker's library may end its process
            raise UnavailableError(
                f"The venue {self._name} failed ({what}): {type(error).__name__}: {error}. What it did is unknown."
            ) from error

    def _opened(self) -> OrderHalt:
        if self._venue is None:
            make, _ = self._found
            self._venue = make()
        return self._venue

    @cached_property
    def _found(self) -> tuple[Make, bool]:
        try:
            return self._find()
        except SignoffError as error:
            raise UnavailableError(str(error)) from error


def _all(answer: Any, kind: type[T]) -> tuple[T, ...]:  # noqa: ANN401 - what a foreign package answers
    """The rows of an answer; TypeError for any other content."""
    rows = tuple(answer)
    if not all(isinstance(row, kind) for row in rows):
        raise TypeError(f"expected {kind.__name__} alone, found {', '.join(sorted({type(r).__name__ for r in rows}))}")
    return rows


def _a_number(answer: Any) -> int:  # noqa: ANN401 - as above
    if isinstance(answer, bool) or not isinstance(answer, int) or answer < 0:
        raise TypeError(f"expected how many orders were asked for, found {answer!r}")
    return answer
