"""Authenticates requests; every route names its permission, and the matrix decides.

A program authenticates with `Authorization: Bearer`, a browser with the cookie of its session.
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

from signoff.domain.errors import SignoffError
from signoff.domain.permissions import ForbiddenError, Permission, Principal, may
from signoff.http import sessions
from signoff.installation import Installation

AT_ONCE_S: Final = 0.2
# Threads reserved for rollbacks, so that none waits behind other requests.
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
    """The same as a dependency; a coroutine, since a kill must not wait for a free thread."""
    return house_of(request)


InstallationDep = Annotated[Installation, Depends(installation)]


def authenticated(request: Request, house: InstallationDep) -> Principal:
    """The principal of a request; 401 without one."""
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
    """A dependency: the principal, if the matrix allows the permission."""

    verb: Permission

    def __call__(self, principal: Annotated[Principal, Depends(authenticated)], house: InstallationDep) -> Principal:
        """The principal; ForbiddenError without the permission."""
        may(principal, self.verb, house.clock.now())
        return principal


class AllowedAtOnce(Allowed):
    """The same for kills and flags: it does not wait for other requests, and hardly for the database."""

    async def __call__(self, request: Request, house: InstallationDep) -> Principal:  # type: ignore[override]
        """The principal; falls back to cached accounts on timeout."""
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
    """The same for a rollback: it waits for the database, since it is recorded, but not for other requests."""

    async def __call__(self, request: Request, house: InstallationDep) -> Principal:  # type: ignore[override]
        """The principal, if the matrix allows the permission."""
        principal = await run_sync(authenticated, request, house, limiter=LEAVING)
        may(principal, self.verb, house.clock.now())
        return principal


def _is_by_token(request: Request) -> bool:
    """Whether the caller uses a token, which needs only the accounts; a session needs the TTL store."""
    presented = request.headers.get("authorization", "").partition(" ")[2].strip()
    return bool(presented) and not presented.startswith(sessions.PREFIX)


def allowed_at_once(verb: Permission) -> AllowedAtOnce:
    """The dependency of a route that must always answer at once."""
    return AllowedAtOnce(verb)


def allowed_to_leave(verb: Permission) -> AllowedToLeave:
    """The dependency of a route that takes risk away."""
    return AllowedToLeave(verb)


def allowed(verb: Permission) -> Allowed:
    """The dependency of a route with this permission."""
    return Allowed(verb)


def still_allowed(request: Request, verb: Permission) -> Callable[[], bool]:
    """A check whether the caller of this request still has the permission, from cached accounts."""

    def ask() -> bool:
        house = house_of(request)
        try:
            may(_identified(request, house, as_last_known=True), verb, house.clock.now())
        except (HTTPException, ForbiddenError):
            return False
        except SignoffError:  # accounts cannot be read
            return True
        return True

    return ask


def verb_of(route: APIRoute) -> Permission | None:
    """The permission of a route; None for a route without authentication."""
    dependency = dependency_of(route)
    return None if dependency is None else dependency.verb


def dependency_of(route: APIRoute) -> Allowed | None:
    """The route's authentication dependency."""
    waiting = list(route.dependant.dependencies)
    while waiting:
        dependency = waiting.pop()
        if isinstance(dependency.call, Allowed):
            return dependency.call
        waiting += dependency.dependencies
    return None
