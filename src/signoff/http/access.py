"""Who is asking: every route names the verb that it carries out, and the matrix decides.

A program comes with `Authorization: Bearer`, a browser with the cookie of its session.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from signoff.domain.access import ForbiddenError, Permission, Principal, may
from signoff.domain.errors import SignoffError
from signoff.http import sessions
from signoff.installation import Installation

AT_ONCE_S: Final = 0.2
# Threads kept for rollbacks, so that none waits behind requests that take risk, or look.
LEAVING: Final = CapacityLimiter(8)
_AT_ONCE: Final = ThreadPoolExecutor(8, "at-once")
UNKNOWN: Final = (
    "Expected a token that is valid now, or a session; found neither. Sign in, or send `Authorization: Bearer TOKEN` "
    "with a token of `signoff token issue`."
)
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="signoff"'}


def house_of(request: Request) -> Installation:
    """The installation behind this server."""
    house: Installation = request.app.state.house
    return house


async def installation(request: Request) -> Installation:
    """The same as a dependency; like all that a kill depends on it is a coroutine and waits for no free thread."""
    return house_of(request)


InstallationDep = Annotated[Installation, Depends(installation)]


def authenticated(request: Request, house: InstallationDep) -> Principal:
    """The person or token behind a request; 401 when there is none."""
    return _identified(request, house)


def _identified(request: Request, house: Installation, *, as_last_known: bool = False) -> Principal:
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    presented = presented.strip() if scheme.lower() == "bearer" else ""
    if presented.startswith(sessions.PREFIX):
        principal = sessions.by_bearer(house, request, presented, as_last_known=as_last_known)
    elif presented:
        principal = house.accounts.bearer(presented, as_last_known=as_last_known)
    else:
        principal = sessions.by_cookie(house, request, as_last_known=as_last_known)
    if principal is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            UNKNOWN,
            headers=CHALLENGE,
        )
    request.state.principal = principal.name
    return principal


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dependency: the principal, once the matrix allows the verb."""

    verb: Permission

    def __call__(self, principal: Annotated[Principal, Depends(authenticated)], house: InstallationDep) -> Principal:
        """The principal; ForbiddenError when they may not."""
        may(principal, self.verb, house.clock.now())
        return principal


class AllowedAtOnce(Allowed):
    """The same for stopping and for flags: it waits for nobody else's request, and hardly for the database."""

    async def __call__(self, request: Request, house: InstallationDep) -> Principal:  # type: ignore[override]
        """The principal, on the word of people as last known when the database takes too long."""
        if house.accounts.known.is_fresh and _is_by_token(request):
            principal = authenticated(request, house)
            may(principal, self.verb, house.clock.now())
            return principal
        loop = asyncio.get_running_loop()
        try:
            asked = loop.run_in_executor(_AT_ONCE, authenticated, request, house)
            principal = await asyncio.wait_for(asked, AT_ONCE_S)
        except TimeoutError:
            principal = _identified(request, house, as_last_known=True)
        may(principal, self.verb, house.clock.now())
        return principal


class AllowedToLeave(Allowed):
    """The same for a rollback: it waits for the database, since it is a record, but for nobody else's request."""

    async def __call__(self, request: Request, house: InstallationDep) -> Principal:  # type: ignore[override]
        """The principal, once the matrix allows the verb."""
        principal = await run_sync(authenticated, request, house, limiter=LEAVING)
        may(principal, self.verb, house.clock.now())
        return principal


def _is_by_token(request: Request) -> bool:
    """Whether whoever asks is known from the people alone; a session is looked up on the shelf."""
    presented = request.headers.get("authorization", "").partition(" ")[2].strip()
    return bool(presented) and not presented.startswith(sessions.PREFIX)


def allowed_at_once(verb: Permission) -> AllowedAtOnce:
    """What a route depends on that must answer whatever else is going on."""
    return AllowedAtOnce(verb)


def allowed_to_leave(verb: Permission) -> AllowedToLeave:
    """What a route depends on that takes risk away."""
    return AllowedToLeave(verb)


def allowed(verb: Permission) -> Allowed:
    """What a route that carries out this verb depends on."""
    return Allowed(verb)


def still_allowed(request: Request, verb: Permission) -> Callable[[], bool]:
    """Whether whoever opened this request may still do this, by the people as last read; asks no database."""

    def ask() -> bool:
        house = house_of(request)
        try:
            may(_identified(request, house, as_last_known=True), verb, house.clock.now())
        except (HTTPException, ForbiddenError):
            return False
        except SignoffError:  # nobody knows who people are
            return True
        return True

    return ask


def verb_of(route: APIRoute) -> Permission | None:
    """The verb that a route carries out; None for a route that asks nobody who they are."""
    found = dependency_of(route)
    return None if found is None else found.verb


def dependency_of(route: APIRoute) -> Allowed | None:
    """What of a route's dependencies asks who it is."""
    waiting = list(route.dependant.dependencies)
    while waiting:
        dependency = waiting.pop()
        if isinstance(dependency.call, Allowed):
            return dependency.call
        waiting += dependency.dependencies
    return None
