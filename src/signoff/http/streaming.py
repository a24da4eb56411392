"""Pushes changes to trading processes: the desk's stream of signed flags, and change notices for OFREP clients.

A notice is built once for all connections. A slow connection delays no other: of each model it gets the latest state
only. One that reads nothing for ten seconds is closed; its lease then expires. A connection whose caller loses access
is ended within seconds.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signoff.app.flag_cache import FlagCache
from signoff.config.logs import about
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.flag_notices import NEWEST, Format
from signoff.domain.permissions import Permission, Principal
from signoff.http.access import allowed_at_once, still_allowed
from signoff.ledger.canonical import canonical

HEARTBEAT_S: Final = 2.0
REFRESH_S: Final = 0.05
COLLECT_S: Final = 0.25
STALLED_S: Final = 10.0
EXPIRY_S: Final = 30.0
# Callers per batch of access checks; a kill waits for one batch at most.
AT_A_STRETCH: Final = 20
MOST_MODELS: Final = 200
MOST_NONCE: Final = 128
CHANGES: Final = "/ofrep/v1/events"
HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
EVENTS: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/event-stream": {}}}}
router = APIRouter()
log = logging.getLogger("signoff.http")
Frame = bytes


def frame(kind: str, data: bytes) -> Frame:
    """One server-sent event."""
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


@dataclass(eq=False, slots=True)
class Subscriber:
    """One connection: its models, and the frames that it has not been sent yet."""

    models: frozenset[str] | None
    is_welcome: Callable[[], bool]
    form: Format = NEWEST
    waiting: dict[str, Frame] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    def offer(self, name: str, content: Frame) -> None:
        """Queue the latest frame of this name; it replaces one that is still waiting."""
        self.waiting.pop(name, None)
        self.waiting[name] = content
        self.wake.set()

    def end(self) -> None:
        """End after the waiting frames."""
        self.is_over = True
        self.wake.set()


class Hub:
    """Every open stream of this server, and the flag cache behind them. It lives in the server's event loop.

    `reread` reads people, and returns another object if they changed; it may wait for the database.
    """

    def __init__(self, board: FlagCache, reread: Callable[[], object]) -> None:
        self.board = board
        self._reread = reread
        self._desks: set[Subscriber] = set()
        self._clients: set[Subscriber] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._reader, self._listener = ThreadPoolExecutor(1, "board"), ThreadPoolExecutor(1, "journal")
        self._doorman, self._collector = ThreadPoolExecutor(1, "people"), ThreadPoolExecutor(1, "drop")

    async def open(self) -> None:
        """Read the kill journal and the ledger once, then follow each at its own pace."""
        listen = partial(self._told_by, self._listener, self.board.listen)
        refresh = partial(self._told_by, self._reader, self.board.refresh)
        collect = partial(self._told_by, self._collector, self.board.collect)
        await listen()
        await refresh()
        following = [asyncio.create_task(_again_and_again(act)) for act in (listen, refresh)]
        for task in following:
            task.add_done_callback(self._fell_silent)
        seeing_off = asyncio.create_task(self._see_off())
        seeing_off.add_done_callback(_left_its_post)
        collecting = asyncio.create_task(_again_and_again(collect, every=COLLECT_S))
        collecting.add_done_callback(_left_the_drop)
        self._tasks = [*following, collecting, asyncio.create_task(self._beat()), seeing_off]

    async def close(self) -> None:
        """End every stream and stop following."""
        self.end_streams()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for reader in (self._reader, self._listener, self._doorman, self._collector):
            reader.shutdown(wait=False, cancel_futures=True)

    def followed(self) -> frozenset[str]:
        """Every model that a desk asked for by name, known or not."""
        return frozenset[str]().union(*(desk.models for desk in self._desks if desk.models is not None))

    def end_streams(self) -> None:
        """End every connection, so that the server can stop."""
        for subscriber in self._desks | self._clients:
            subscriber.end()

    def publish(self, models: Iterable[str]) -> None:
        """Push these models to every connection."""
        changed = tuple(models)
        for model in changed:
            frames: dict[Format, Frame] = {}
            for desk in self._desks:
                if desk.models is None or model in desk.models:
                    if desk.form not in frames:
                        frames[desk.form] = frame("control", self.board.notice(model, desk.form))
                    desk.offer(model, frames[desk.form])
        if changed:
            content = frame("message", canonical({"type": "refetchEvaluation"}))
            for client in self._clients:
                client.offer("refetch", content)

    def desk(
        self, models: frozenset[str] | None, nonce: str, is_welcome: Callable[[], bool], form: Format = NEWEST
    ) -> "Stream":
        """A desk's stream: the greeting, the present state of its models, then each change."""
        subscriber = Subscriber(models, is_welcome, form)
        subscriber.offer("greeting", frame("greeting", self.board.greeting(nonce, form)))
        for model in sorted(models) if models is not None else self.board.models():
            subscriber.offer(model, frame("control", self.board.notice(model, form)))
        return Stream(self._desks, subscriber)

    def client(self, is_welcome: Callable[[], bool]) -> "Stream":
        """A stream of change notices without state; a client fetches the flags again."""
        subscriber = Subscriber(None, is_welcome)
        subscriber.offer("hello", b": connected\n\n")
        return Stream(self._clients, subscriber)

    async def _told_by(self, reader: Executor, ask: Callable[[], tuple[str, ...]]) -> None:
        self.publish(await asyncio.get_running_loop().run_in_executor(reader, ask))

    def _fell_silent(self, task: asyncio.Task[None]) -> None:
        """End the streams if this server no longer follows the ledger; desks then hear only of kills."""
        if not task.cancelled():
            log.critical("the flags are no longer followed", extra=about(because=repr(task.exception())))
            self.publish(self.board.lose())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            signs: dict[tuple[frozenset[str] | None, Format], Frame] = {}
            for desk in self._desks:
                asked = desk.models, desk.form
                if asked not in signs:
                    models = self.board.models() if desk.models is None else desk.models
                    signs[asked] = frame("heartbeat", self.board.heartbeat(models, desk.form))
                desk.offer("heartbeat", signs[asked])
            for client in self._clients:
                client.offer("heartbeat", b": here\n\n")

    async def _see_off(self) -> None:
        """End the streams of callers without access; while people cannot be read, streams go on.

        All callers are checked when people changed, and at intervals for expiry.
        """
        people_before, asked_at = None, float("-inf")
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                people = await asyncio.get_running_loop().run_in_executor(self._doorman, self._reread)
            except SignoffError:
                continue
            if people is people_before and time.monotonic() - asked_at < EXPIRY_S:
                continue
            people_before, asked_at = people, time.monotonic()
            for n, subscriber in enumerate(self._desks | self._clients):
                if not subscriber.is_welcome():
                    subscriber.end()
                if n % AT_A_STRETCH == 0:
                    await asyncio.sleep(0)


def _left_its_post(task: asyncio.Task[None]) -> None:
    """Log a crash of the access check, since revoked callers would silently stay connected."""
    if not task.cancelled():
        log.critical("streams no longer end when access does", extra=about(because=repr(task.exception())))


def _left_the_drop(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.critical("kills in the drop folder are no longer taken", extra=about(because=repr(task.exception())))


async def _again_and_again(act: Callable[[], Awaitable[None]], *, every: float = REFRESH_S) -> None:
    while True:
        await asyncio.sleep(every)
        await act()


class Stream(Response):
    """A response that lasts until either side ends it."""

    def __init__(self, members: set[Subscriber], subscriber: Subscriber) -> None:
        super().__init__()
        self._members, self._subscriber = members, subscriber

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's own shape
        """Send the queued frames until the reader is gone or stops reading."""
        subscriber = self._subscriber
        self._members.add(subscriber)
        gone = asyncio.create_task(_gone(receive, subscriber))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            while not subscriber.is_over:
                await subscriber.wake.wait()
                subscriber.wake.clear()
                body = b"".join(subscriber.waiting.values())
                subscriber.waiting.clear()
                message = {"type": "http.response.body", "body": body, "more_body": True}
                await asyncio.wait_for(send(message), STALLED_S)
            await asyncio.wait_for(send({"type": "http.response.body", "body": b"", "more_body": False}), STALLED_S)
        except (TimeoutError, OSError):
            return
        finally:
            self._members.discard(subscriber)
            gone.cancel()


async def _gone(receive: Receive, subscriber: Subscriber) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    subscriber.end()


async def hub_of(request: Request) -> Hub:
    """The streams of this server."""
    hub: Hub = request.app.state.hub
    return hub


Reader = Annotated[Principal, Depends(allowed_at_once(Permission.READ_FLAGS))]
Streams = Annotated[Hub, Depends(hub_of)]


@router.get("/api/v1/stream", tags=["flags"], response_class=Response, responses=EVENTS)
async def follow_flags(
    request: Request,
    _principal: Reader,
    hub: Streams,
    model: Annotated[list[str] | None, Query(description="Only these models; repeat. Default: all.")] = None,
    nonce: Annotated[str, Query(description="A number used once, answered in the signed greeting.")] = "",
    notices: Annotated[
        Format, Query(description="The format of the notices: 2 tells every version; 1 is for older desks.")
    ] = Format.FIRST,
) -> Stream:
    """Server-sent events with the signed flags inside; a signed heartbeat every two seconds."""
    if model is not None and len(model) > MOST_MODELS:
        raise BadInputError(f"Expected at most {MOST_MODELS} models to follow, found {len(model)}; leave out ?model=.")
    if len(nonce) > MOST_NONCE:
        raise BadInputError(f"Expected a nonce of at most {MOST_NONCE} characters, found {len(nonce)}.")
    return hub.desk(frozenset(model) if model else None, nonce, still_allowed(request, Permission.READ_FLAGS), notices)


@router.get(CHANGES, tags=["flags"], response_class=Response, responses=EVENTS)
async def follow_changes(request: Request, _principal: Reader, hub: Streams) -> Stream:
    """OFREP's event stream: each message says that the flags changed and should be fetched again."""
    return hub.client(still_allowed(request, Permission.READ_FLAGS))
