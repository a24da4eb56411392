"""Makes changing requests idempotent, and refuses those decided on an old state.

`Idempotency-Key` names a request of one caller: the same key and body again returns the stored answer, the same key
with another body is a conflict. A stored answer is given only to a caller who still has access: not to a revoked
token. `If-Match` carries the revision of a release that the caller decided on.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from signoff.app.record import Caller, Expectation
from signoff.app.record import CallerRequest as Named
from signoff.domain.errors import BadInputError, ConflictError
from signoff.http.access import LEAVING, AllowedToLeave, InstallationDep, authenticated, dependency_of, house_of
from signoff.installation import Installation
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.text import decoded, encoded
from signoff.verbs.bodies import Name

KIND: Final = "answer"
KEPT: Final = timedelta(hours=24)
UNDER_WAY: Final = timedelta(seconds=60)
UPLOADING: Final = timedelta(minutes=20)
MOST_KEY: Final = 200
REPLAYED: Final = "idempotent-replayed"
Handler = Callable[[Request], Awaitable[Response]]


class Command(APIRoute):
    """A route whose requests may carry an idempotency key."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The route's own handler, behind the stored answers."""
        carry_out = super().get_route_handler()
        threads = LEAVING if isinstance(dependency_of(self), AllowedToLeave) else None

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None or request.method == "GET":
                answer: Response = await carry_out(request)
                return answer
            await run_sync(authenticated, request, house_of(request), limiter=threads)
            return await _once(request, key, carry_out, threads)

        return once


async def _once(request: Request, key: str, carry_out: Handler, threads: CapacityLimiter | None) -> Response:
    if not 0 < len(key) <= MOST_KEY:
        raise BadInputError(f"Expected an Idempotency-Key of 1 to {MOST_KEY} characters, found {len(key)}.")
    house = house_of(request)
    name, asked = await _named(request, key)
    request.state.asked = asked
    stored = await run_sync(_begun, house, name, asked, _time_for(request), limiter=threads)
    if stored is not None:
        return _replayed(stored, asked, key)
    try:
        answer = await carry_out(request)
    except BaseException:
        await run_sync(house.shelf.drop, KIND, name, limiter=threads)
        raise
    await run_sync(_keep, house, name, asked, answer, limiter=threads)
    return answer


async def _named(request: Request, key: str) -> tuple[str, str]:
    """The name of a caller's request, and the digest of its content."""
    asked = [request.method, request.url.path, str(request.query_params), request.headers.get("if-match", "")]
    body = await request.body()
    return name_of(request, key), digest(canonical([*asked, digest(body)]))


def _time_for(request: Request) -> timedelta:
    return UPLOADING if request.headers.get("content-type", "") == "application/zip" else UNDER_WAY


def _begun(house: Installation, name: str, asked: str, time: timedelta) -> dict[str, Any] | None:
    """None if the request is new and ours to carry out; else the stored state of the earlier one."""
    now = house.clock.now()
    if house.shelf.add(KIND, name, canonical({"asked": asked}), now + time, now):
        return None
    stored = house.shelf.get(KIND, name, now)
    if stored is None:
        return _begun(house, name, asked, time)
    earlier: dict[str, Any] = json.loads(stored)
    return earlier


def _replayed(stored: dict[str, Any], asked: str, key: str) -> Response:
    if stored["asked"] != asked:
        raise ConflictError(f"The request {key!r} was made before with other contents; nothing was done.")
    if "body" not in stored:
        raise ConflictError(f"The request {key!r} is still being carried out; ask again in a moment.")
    headers = {REPLAYED: "true"}
    return Response(decoded(stored["body"]), stored["status"], headers, media_type=stored["type"])


def _keep(house: Installation, name: str, asked: str, answer: Response) -> None:
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        house.shelf.drop(KIND, name)
        return
    kept_answer = {
        "asked": asked,
        "status": answer.status_code,
        "type": answer.headers.get("content-type", "application/json"),
        "body": encoded(bytes(answer.body)),
    }
    house.shelf.put(KIND, name, canonical(kept_answer), house.clock.now() + KEPT)


async def naming(request: Request, house: InstallationDep) -> Installation:
    """The installation for this request, with the request's name."""
    return _for(request, house, None)


async def expecting(
    request: Request,
    house: InstallationDep,
    deployment_id: Name,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description='The revision it was decided on, such as `"7"`.')
    ] = None,
) -> Installation:
    """The same, with the revision that the caller saw."""
    return _for(request, house, None if if_match is None else _expected(deployment_id, if_match))


def _for(request: Request, house: Installation, expected: Expectation | None) -> Installation:
    key = request.headers.get("idempotency-key")
    if key is None and expected is None:
        return house
    named = None if key is None else Named(name_of(request, key), request.state.asked)
    return house.for_request(Caller(named, expected))


def _expected(deployment_id: str, if_match: str) -> Expectation:
    revision = if_match.strip().strip('"')
    if not (revision.isascii() and revision.isdecimal()) or len(revision) > 15:
        raise BadInputError(f'Expected If-Match with a revision such as "7", found {if_match!r}.')
    return Expectation(deployment_id, int(revision))


def name_of(request: Request, key: str) -> str:
    """The name of a caller's request, from which credentials cannot be derived."""
    caller = request.headers.get("authorization", "") + request.headers.get("cookie", "")
    return digest(canonical([caller, key]))


Naming = Annotated[Installation, Depends(naming)]
Expecting = Annotated[Installation, Depends(expecting)]
