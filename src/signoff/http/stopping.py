"""The kill. One person, no prompt, no revision; nothing on this path waits for the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from signoff.domain.access import Principal, Verb
from signoff.http.access import Installation, allowed_at_once
from signoff.http.streaming import Streams
from signoff.verbs.documents import Document, stopped_document

router = APIRouter(prefix="/api/v1", tags=["kill"])
# Two lines, so that kills whose orders or records are waited for keep no later kill from being in force.
_BEGINNING: Final = ThreadPoolExecutor(8, "kill-begin")
_FINISHING: Final = ThreadPoolExecutor(8, "kill-finish")
Killer = Annotated[Principal, Depends(allowed_at_once(Verb.KILL))]


class KillRequest(BaseModel):
    """Why; it is printed and kept."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


@router.post("/models/{model:path}/kill")
async def kill(model: str, body: KillRequest, principal: Killer, house: Installation, hub: Streams) -> Document:
    """Stop trading a model now: journaled, in force, pushed to every desk; then orders are halted and it is recorded.

    A model that nobody knows is killed as well, and the answer says so: a slip of the keyboard must not cost time.
    Its name may hold whatever names could hold once, a slash too.
    """
    loop = asyncio.get_running_loop()
    switch = house.kill_switch
    is_known = hub.board.flags(model) is not None

    order = partial(switch.begin, model, reason=body.reason, actor=principal.name)
    begun = await loop.run_in_executor(_BEGINNING, order)
    hub.publish(hub.board.kill(begun.kill))
    stopped = await loop.run_in_executor(_FINISHING, switch.finish, begun)
    return stopped_document(stopped) | {"known": is_known}
