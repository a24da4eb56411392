"""The kill. One person, no prompt, no revision; nothing on this path waits for the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from signoff.app.kill import Stopped
from signoff.domain.access import Principal, Verb
from signoff.http.access import Installation, allowed_at_once
from signoff.http.streaming import Hub, Streams
from signoff.verbs.documents import Document, stopped_document
from signoff.wiring import House

router = APIRouter(prefix="/api/v1", tags=["kill"])
MOST_REASON: Final = 2000
# Two lines, so that kills whose orders or records are waited for keep no later kill from being in force.
_BEGINNING: Final = ThreadPoolExecutor(8, "kill-begin")
_FINISHING: Final = ThreadPoolExecutor(8, "kill-finish")
Killer = Annotated[Principal, Depends(allowed_at_once(Verb.KILL))]


class KillRequest(BaseModel):
    """Why; it is printed and kept."""

    reason: Annotated[str, Field(min_length=1, max_length=MOST_REASON)]


@router.post("/models/{model:path}/kill")
async def kill(model: str, body: KillRequest, principal: Killer, house: Installation, hub: Streams) -> Document:
    """Stop trading a model now: journaled, in force, pushed to every desk; then orders are halted and it is recorded.

    A model that nobody knows is killed as well, and the answer says so: a slip of the keyboard must not cost time.
    Its name may hold whatever names could hold once, a slash too.
    """
    is_known = hub.board.flags(model) is not None
    return stopped_document(await stop(model, body.reason, principal, house, hub)) | {"known": is_known}


async def stop(model: str, reason: str, principal: Principal, house: House, hub: Hub) -> Stopped:
    """The kill itself, whichever way it was ordered."""
    loop = asyncio.get_running_loop()
    switch = house.kill_switch
    begun = await loop.run_in_executor(_BEGINNING, partial(switch.begin, model, reason=reason, actor=principal.name))
    hub.publish(hub.board.kill(begun.kill))
    return await loop.run_in_executor(_FINISHING, switch.finish, begun)
