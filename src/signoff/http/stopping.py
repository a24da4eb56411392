"""The kill. One person, no prompt, no revision; nothing on this path waits for the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from signoff.app.board import Board
from signoff.app.kill import Stopped
from signoff.domain.access import Principal, Verb
from signoff.http.access import Installation, allowed_at_once
from signoff.http.bodies import Name
from signoff.http.commands import REPLAYED, name_of
from signoff.http.streaming import Hub, Streams
from signoff.ledger.canonical import canonical, digest
from signoff.verbs.documents import StoppedDocument, stopped_document
from signoff.wiring import House

router = APIRouter(prefix="/api/v1", tags=["kill"])
MOST_REASON: Final = 2000
MOST_KEPT: Final = 1000
# Two lines, so that kills whose orders or records are waited for keep no later kill from being in force.
_BEGINNING: Final = ThreadPoolExecutor(8, "kill-begin")
_FINISHING: Final = ThreadPoolExecutor(8, "kill-finish")
Killer = Annotated[Principal, Depends(allowed_at_once(Verb.KILL))]


class KillRequest(BaseModel):
    """Why; it is printed and kept."""

    reason: Annotated[str, Field(min_length=1, max_length=MOST_REASON)]


class KilledDocument(StoppedDocument):
    """A kill, and whether the model was known: a slip of the keyboard shows."""

    known: bool


Killing = asyncio.Task[KilledDocument]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Kills that this server was sent under a key of late, so that one sent again is not a second one.

    In memory, since a kill asks no database; and only while the model is killed, since no key may keep anybody from
    stopping it again.
    """

    by_name: dict[str, Killing] = field(default_factory=dict)

    def again(self, name: str, model: str, board: Board) -> Killing | None:
        """The kill that was sent under this name, unless it failed or the model was armed since."""
        earlier = self.by_name.get(name)
        if earlier is None or not earlier.done():
            return earlier
        told = board.flags(model)
        is_in_force = earlier.exception() is None and told is not None and told.state == "killed"
        return earlier if is_in_force else None

    def note(self, name: str, killing: Killing) -> None:
        """Remember a kill; the one that was sent longest ago makes room."""
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
    house: Installation,
    hub: Streams,
    ordered: Annotated[Ordered, Depends(ordered_of)],
    request: Request,
    response: Response,
) -> KilledDocument:
    """Stop trading a model now: journaled, in force, pushed to every desk; then orders are halted and it is recorded.

    A model that nobody knows is killed as well, and the answer says so: a slip of the keyboard must not cost time.
    Its name may hold whatever names could hold once, a slash too.
    """
    name = digest(canonical([name_of(request, request.headers.get("idempotency-key", "")), model, body.reason]))
    is_named = "idempotency-key" in request.headers
    if is_named and (earlier := ordered.again(name, model, hub.board)) is not None:
        response.headers[REPLAYED] = "true"
        return await asyncio.shield(earlier)
    killing = asyncio.create_task(_killed(house, hub, model, reason=body.reason, actor=principal.name))
    if is_named:
        ordered.note(name, killing)
    return await asyncio.shield(killing)


async def _killed(house: House, hub: Hub, model: str, *, reason: str, actor: str) -> KilledDocument:
    is_known = hub.board.flags(model) is not None
    return {**stopped_document(await stop(house, hub, model, reason=reason, actor=actor)), "known": is_known}


async def stop(house: House, hub: Hub, model: str, *, reason: str, actor: str) -> Stopped:
    """The kill itself, whichever way it was ordered."""
    loop = asyncio.get_running_loop()
    switch = house.kill_switch
    begun = await loop.run_in_executor(_BEGINNING, partial(switch.begin, model, reason=reason, actor=actor))
    hub.publish(hub.board.kill(begun.kill))
    return await loop.run_in_executor(_FINISHING, switch.finish, begun)
