"""Health checks: whether this process is alive, and whether it can work."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from signoff.app.notices import backlog
from signoff.app.registry_findings import standing
from signoff.domain.errors import SignoffError
from signoff.http.access import InstallationDep
from signoff.http.streaming import Streams
from signoff.installation import Installation
from signoff.ports.store import Backlog

router = APIRouter(tags=["health"])
STALE_S: Final = 5.0
EVERY_S: Final = 5.0
AGAIN_S: Final = 1.0
PATIENCE_S: Final = 2.0
KIND: Final = "written"
KEPT: Final = timedelta(minutes=1)


class Trial:
    """Whether the database accepts a write, tested by a small one at most every five seconds.

    A failed write is repeated after a second. While a write hangs, no second one starts, and callers get an answer
    after two seconds.
    """

    def __init__(self, write: Callable[[], None], monotonic: Callable[[], float]) -> None:
        self._write, self._monotonic = write, monotonic
        self._writer = ThreadPoolExecutor(1, "trial")
        self._latest: asyncio.Future[str | None] | None = None
        self._next_at = 0.0

    async def problem(self) -> str | None:
        """The fault of writing; None without one."""
        if self._latest is None or (self._latest.done() and self._monotonic() >= self._next_at):
            self._latest = asyncio.get_running_loop().run_in_executor(self._writer, self._try)
        try:
            return await asyncio.wait_for(asyncio.shield(self._latest), PATIENCE_S)
        except TimeoutError:
            return f"The database has not taken a write for {PATIENCE_S:.0f} s; another process may keep it locked."

    def _try(self) -> str | None:
        try:
            self._write()
        except SignoffError as error:
            self._next_at = self._monotonic() + AGAIN_S
            return str(error)
        self._next_at = self._monotonic() + EVERY_S
        return None


def trial_of(house: Installation) -> Trial:
    """A trial that writes to the TTL store, where the value expires."""

    def write() -> None:
        house.shelf.put(KIND, house.board.boot, b"", house.clock.now() + KEPT)

    return Trial(write, house.clock.monotonic)


class Undelivered:
    """The numbers of waiting, failing and dead notices, counted at most every five seconds and once at a time.

    A page shows the last count and never waits for the database.
    """

    def __init__(self, count: Callable[[], Backlog], monotonic: Callable[[], float]) -> None:
        self._count, self._monotonic = count, monotonic
        self._counter = ThreadPoolExecutor(1, "undelivered")
        self._under_way: asyncio.Future[None] | None = None
        self._next_at = 0.0
        self._latest: Backlog | None = None

    def last_known(self) -> Backlog | None:
        """The last count, and start another; None before the first count and if counting failed."""
        self._begun()
        return self._latest

    async def counted(self) -> Backlog | None:
        """The present count; None if the database does not answer within two seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._begun()), PATIENCE_S)
            return self._latest
        return None

    def _begun(self) -> asyncio.Future[None]:
        if self._under_way is None or (self._under_way.done() and self._monotonic() >= self._next_at):
            self._under_way = asyncio.get_running_loop().run_in_executor(self._counter, self._try)
        return self._under_way

    def _try(self) -> None:
        try:
            self._latest = self._count()
        except SignoffError:
            self._latest = None
        self._next_at = self._monotonic() + EVERY_S


def undelivered_of(house: Installation) -> Undelivered:
    """The count of this installation's undelivered notices."""
    return Undelivered(lambda: backlog(house.record, house.settings.notice_attempts), house.clock.monotonic)


async def _undelivered(request: Request) -> Undelivered:
    counter: Undelivered = request.app.state.undelivered
    return counter


async def _trial(request: Request) -> Trial:
    trial: Trial = request.app.state.trial
    return trial


def _differing(house: Installation) -> int | None:
    """The number of differences between the registry and the ledger; None if unknown."""
    try:
        return sum(len(texts) for texts in standing(house.shelf, house.clock.now()).values())
    except SignoffError:
        return None


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers; it may still be of no use, see /readyz."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready, and why.", "content": {"application/json": {}}}})
async def ready(
    house: InstallationDep,
    hub: Streams,
    trial: Annotated[Trial, Depends(_trial)],
    undelivered: Annotated[Undelivered, Depends(_undelivered)],
) -> JSONResponse:
    """Whether the database can be read and written and the flags are up to date; kills are taken either way.

    Failing notices and the registry's last known differences are counted. `observing` says whether a
    worker observes sessions. None of them makes a server unready.
    """
    age = hub.board.age_s
    try:
        events: int | None = await run_in_threadpool(house.store.size)
        problem = await trial.problem()
    except SignoffError as error:
        events, problem = None, str(error)
    waiting = await undelivered.counted() if problem is None else None
    differing = await run_in_threadpool(_differing, house) if problem is None else None
    is_ready = problem is None and age is not None and age < STALE_S
    report = {
        "status": "ready" if is_ready else "not ready",
        "events": events,
        "flags_age_s": None if age is None else round(age, 2),
        "kills_to_record": len(await run_in_threadpool(house.kills.pending)),
        "registry_differences": differing,
        "observing": await run_in_threadpool(house.is_observing) if problem is None else None,
        "notices": None if waiting is None else asdict(waiting),
        "problem": problem,
    }
    return JSONResponse(report, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
