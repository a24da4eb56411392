"""Who is asking: every route names the verb that it carries out, and the matrix decides."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from signoff.domain.access import Principal, Verb, may
from signoff.wiring import House


def house_of(request: Request) -> House:
    """The installation behind this server."""
    house: House = request.app.state.house
    return house


Installation = Annotated[House, Depends(house_of)]


def authenticated(request: Request, house: Installation) -> Principal:
    """The person or token behind a request; 401 when there is none."""
    raise NotImplementedError  # the helper `access` writes this


def allowed(verb: Verb) -> Callable[..., Principal]:
    """A dependency: the principal, once the matrix allows the verb."""

    def check(principal: Annotated[Principal, Depends(authenticated)], house: Installation) -> Principal:
        may(principal, verb, house.clock.now())
        return principal

    return check
