"""The kill: one person, no prompt, no revision. Nothing on this path waits for the database."""

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from signoff.app.flag_cache import FlagCache
from signoff.app.kill import Stopped, StoppedMany, written
from signoff.domain.flags import KILLED
from signoff.domain.permissions import Permission, Principal
from signoff.http.access import InstallationDep, allowed_at_once
from signoff.http.idempotency import REPLAYED, name_of
from signoff.http.streaming import Hub, Streams
from signoff.installation import Installation
from signoff.ledger.canonical import canonical, digest
from signoff.ports.kills import Kill, Reach
from signoff.verbs.bodies import Body, Name
from signoff.verbs.documents import KilledDocument, StoppedManyDocument, killed_document, stopped_many_document

router = APIRouter(prefix="/api/v1", tags=["kill"])
MOST_REASON: Final = 2000
MOST_KEPT: Final = 1000
# Two thread pools, so that kills that wait for orders or the ledger never delay a later kill.
_BEGINNING: Final = ThreadPoolExecutor(8, "kill-begin")
_FINISHING: Final = ThreadPoolExecutor(8, "kill-finish")
Killer = Annotated[Principal, Depends(allowed_at_once(Permission.KILL))]


def _held(value: object) -> object:
    """A reason as the ledger stores it: a truncated character must not refuse a kill."""
    return written(value) if isinstance(value, str) else value


Reason = Annotated[str, BeforeValidator(_held), Field(min_length=1, max_length=MOST_REASON)]


class KillRequest(BaseModel):
    """The reason, which is printed and recorded."""

    reason: Reason


class KillManyRequest(Body):
    """The reason, and the desk; all models without a desk."""

    reason: Reason
    desk: Name | None = None


Killing = asyncio.Task[KilledDocument] | asyncio.Task[StoppedManyDocument]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Recent kills with an idempotency key, so that a repeated request is not a second kill.

    Kept in memory, since a kill does not wait for the database. A key counts only while its models are still killed:
    it must never keep anyone from stopping a model again.
    """

    by_name: dict[str, Killing] = field(default_factory=dict)

    def again(self, name: str, models: Collection[str], board: FlagCache) -> Killing | None:
        """The earlier kill of this name, unless it failed or one of these models was re-armed since."""
        earlier = self.by_name.get(name)
        if earlier is None or not earlier.done():
            return earlier
        flags_of_models = [board.flags(model) for model in models]
        is_in_force = not earlier.cancelled() and earlier.exception() is None
        is_in_force = is_in_force and all(flags is not None and flags.state == KILLED for flags in flags_of_models)
        return earlier if is_in_force else None

    def note(self, name: str, killing: Killing) -> None:
        """Remember a kill; the oldest is evicted."""
        self.by_name.pop(name, None)
        self.by_name[name] = killing
        if len(self.by_name) > MOST_KEPT:
            del self.by_name[next(iter(self.by_name))]


async def ordered_of(request: Request) -> Ordered:
    """The kills of this server."""
    ordered: Ordered = request.app.state.ordered
    return ordered


@router.post("/models/{model:path}/kill")
async def kill(
    model: Name,
    body: KillRequest,
    principal: Killer,
    house: InstallationDep,
    hub: Streams,
    ordered: Annotated[Ordered, Depends(ordered_of)],
    request: Request,
    response: Response,
) -> KilledDocument:
    """Stop trading a model now: journaled, in force, pushed to every desk; then orders are halted and it is recorded.

    An unknown model is killed as well, and the answer says so: a typing error must not cost time.
    Its name may have every character that was once allowed, also a slash.
    """
    name = _name(request, model, body.reason)
    if name is not None and (earlier := ordered.again(name, (model,), hub.board)) is not None:
        response.headers[REPLAYED] = "true"
        return cast("KilledDocument", await asyncio.shield(earlier))
    killing = asyncio.create_task(_killed(house, hub, model, reason=body.reason, actor=principal.name))
    if name is not None:
        ordered.note(name, killing)
    return await asyncio.shield(killing)


@router.post("/kill", responses={404: {"description": "No release names this desk; nothing was stopped."}})
async def kill_many(
    body: KillManyRequest,
    principal: Killer,
    house: InstallationDep,
    hub: Streams,
    ordered: Annotated[Ordered, Depends(ordered_of)],
    request: Request,
    response: Response,
) -> StoppedManyDocument:
    """Stop trading every model now, or every model of a desk: one order, in force for all of them at once.

    A desk that no release names is answered with those that are; while the database is away it is taken all the same.
    """
    name = _name(request, "" if body.desk is None else f"desk {body.desk}", body.reason)
    whole = Kill(id="", reach=_reach(body.desk), desk=body.desk or "", reason="", actor="", at=house.clock.now())
    if name is not None and (earlier := ordered.again(name, hub.board.stopped_by(whole), hub.board)) is not None:
        response.headers[REPLAYED] = "true"
        return cast("StoppedManyDocument", await asyncio.shield(earlier))
    killing = asyncio.create_task(_many_killed(house, hub, desk=body.desk, reason=body.reason, actor=principal.name))
    if name is not None:
        ordered.note(name, killing)
    return await asyncio.shield(killing)


def _reach(desk: str | None) -> Reach:
    return Reach.ALL if desk is None else Reach.DESK


def _name(request: Request, what: str, reason: str) -> str | None:
    """The name of a kill with an idempotency key; None without a key."""
    if "idempotency-key" not in request.headers:
        return None
    return digest(canonical([name_of(request, request.headers["idempotency-key"]), request.url.path, what, reason]))


async def _killed(house: Installation, hub: Hub, model: str, *, reason: str, actor: str) -> KilledDocument:
    stopped = await stop(house, hub, model, reason=reason, actor=actor)
    recognition = await asyncio.get_running_loop().run_in_executor(_FINISHING, hub.board.recognised, model)
    return killed_document(stopped, recognition)


async def _many_killed(
    house: Installation, hub: Hub, *, desk: str | None, reason: str, actor: str
) -> StoppedManyDocument:
    return stopped_many_document(await stop_many(house, hub, desk=desk, reason=reason, actor=actor))


async def stop(house: Installation, hub: Hub, model: str, *, reason: str, actor: str) -> Stopped:
    """Carry out a kill, whatever its route."""
    loop = asyncio.get_running_loop()
    switch = house.kill_switch
    begun = await loop.run_in_executor(_BEGINNING, partial(switch.begin, model, reason=reason, actor=actor))
    hub.publish(hub.board.kill(begun.kill))
    return await loop.run_in_executor(_FINISHING, switch.finish, begun)


async def stop_many(house: Installation, hub: Hub, *, desk: str | None, reason: str, actor: str) -> StoppedMany:
    """Carry out the kill of a desk, or of all models."""
    loop = asyncio.get_running_loop()
    switch = house.kill_switch
    begin = partial(switch.begin_many, reason=reason, actor=actor, desk=desk)
    begun = await loop.run_in_executor(_BEGINNING, begin)
    changed = hub.board.kill(begun.kill)
    hub.publish({*changed, *(hub.followed() if desk is None else ())})
    stopped = hub.board.stopped_by(begun.kill)
    return await loop.run_in_executor(_FINISHING, switch.finish_many, begun, stopped)
