"""Who is asking: every route names the verb that it carries out, and the matrix decides.

A program comes with `Authorization: Bearer`, a browser with the cookie of its session.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from signoff.domain.access import Principal, Verb, may
from signoff.wiring import House

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="signoff"'}


def house_of(request: Request) -> House:
    """The installation behind this server."""
    house: House = request.app.state.house
    return house


Installation = Annotated[House, Depends(house_of)]


def authenticated(request: Request, house: Installation) -> Principal:
    """The person or token behind a request; 401 when there is none."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    principal = house.accounts.bearer(presented.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "Expected a token that is valid now, or a session; found neither. Sign in, or send `Authorization: Bearer "
            "TOKEN` with a token of `signoff token issue`.",
            headers=CHALLENGE,
        )
    return principal


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dependency: the principal, once the matrix allows the verb."""

    verb: Verb

    def __call__(self, principal: Annotated[Principal, Depends(authenticated)], house: Installation) -> Principal:
        """The principal; ForbiddenError when they may not."""
        may(principal, self.verb, house.clock.now())
        return principal


def allowed(verb: Verb) -> Allowed:
    """What a route that carries out this verb depends on."""
    return Allowed(verb)


def verb_of(route: APIRoute) -> Verb | None:
    """The verb that a route carries out; None for a route that asks nobody who they are."""
    waiting = list(route.dependant.dependencies)
    while waiting:
        dependency = waiting.pop()
        if isinstance(dependency.call, Allowed):
            return dependency.call.verb
        waiting += dependency.dependencies
    return None
