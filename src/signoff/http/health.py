"""Is this process alive, and can it do its work?"""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from signoff.domain.errors import SignoffError
from signoff.http.access import Installation
from signoff.http.streaming import Streams

router = APIRouter(tags=["health"])
STALE_S: Final = 5.0


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers; it may still be of no use, see /readyz."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready, and why.", "content": {"application/json": {}}}})
async def ready(house: Installation, hub: Streams) -> JSONResponse:
    """Whether database and flags are up to date; kills are taken either way."""
    age = hub.board.age_s
    try:
        events: int | None = await run_in_threadpool(house.store.size)
        problem = None
    except SignoffError as error:
        events, problem = None, str(error)
    is_ready = problem is None and age is not None and age < STALE_S
    said = {
        "status": "ready" if is_ready else "not ready",
        "events": events,
        "flags_age_s": None if age is None else round(age, 2),
        "kills_to_record": len(house.kills.pending()),
        "problem": problem,
    }
    return JSONResponse(said, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
