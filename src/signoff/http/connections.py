"""One connection and its limits: the size of a header, the time for header and body, the number of waiting requests.

Uvicorn's protocol accepts a header of any size, and waits for the rest of a request without a limit. This subclass ends
such a connection with a problem document. Where another answer has begun, it closes the connection without one.
"""

import asyncio
import json
from enum import Enum, auto
from http import HTTPStatus
from typing import ClassVar, Final, NoReturn

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from signoff.http.crowd import Crowd, site_of
from signoff.http.middleware import ALWAYS, takes_archive
from signoff.http.problems import MEDIA_TYPE, problem

MOST_HEADER: Final = 32 << 10
MOST_HEADERS: Final = 100
MOST_PIPELINED: Final = 16
# The bytes around a chunked body: sizes of chunks, their extensions, and trailers.
MOST_FRAMING: Final = 1 << 20
ARCHIVE_S: Final = 60.0
ARCHIVE_RATE: Final = 100_000
ARCHIVE_MOST_S: Final = 900.0
# After a refusal the peer gets this time to read it, and this many of its bytes are discarded meanwhile.
LINGER_S: Final = 2.0
LINGER_BYTES: Final = 4 << 20
# A request that was answered before its end may send this many bytes more.
UNHEARD_BYTES: Final = 64 << 20


class ConnectionPhase(Enum):
    """The state of a connection."""

    HEAD = auto()
    BODY = auto()
    ARCHIVE = auto()
    ANSWER = auto()
    IDLE = auto()
    # A refusal was sent, and the peer has LINGER_S to read it.
    REFUSED = auto()
    # Waiting requests are answered, then the connection ends; further bytes are discarded.
    DEAF = auto()


class _RefusedError(Exception):
    """Stops the parser after a refusal."""


class LimitedConnection(HttpToolsProtocol):
    """A connection of one peer; `crowd` holds all connections of the server."""

    crowd: ClassVar[Crowd]
    address: str
    since: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Register the connection, and wait for a header."""
        super().connection_made(transport)
        self.address = site_of(self.client[0]) if self.client else "unknown"
        self._phase = ConnectionPhase.HEAD
        self._header_bytes = self._raw_header = self._body_bytes = self._raw_body = self._thrown = 0
        self._is_behind_body = self._began_in_chunk = False
        self._running: RequestResponseCycle | None = None
        self._refusal: tuple[int, str] | None = None
        self._seen = self.loop.time()
        self.crowd.enter(self, self._seen)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the running request that its peer is gone, also when other requests wait behind it."""
        self.crowd.leave(self)
        self._end_running()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, and check their size against the limits."""
        if self._phase in {ConnectionPhase.REFUSED, ConnectionPhase.DEAF}:
            self._throw_away(len(data))
            return
        self._unset_keepalive_if_required()
        if self._phase is ConnectionPhase.IDLE:
            self._enter(ConnectionPhase.HEAD)
        self._began_in_chunk = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # A client that offers to upgrade to another protocol is answered in HTTP/1.1; then the connection ends.
            self.cycle.keep_alive = False
            self._enter(ConnectionPhase.DEAF)
        except httptools.HttpParserError:
            self.refuse(*(self._refusal or (HTTPStatus.BAD_REQUEST, "Expected HTTP/1.1, found something else.")))
        else:
            self._measure(len(data))

    def on_message_begin(self) -> None:
        """Note that a request begins, perhaps behind one that is being answered."""
        super().on_message_begin()
        self._began_in_chunk, self._is_behind_body = True, False
        self._header_bytes = self._raw_header = 0
        if self._phase is not ConnectionPhase.HEAD:
            self._enter(ConnectionPhase.HEAD)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        super().on_url(url)
        self._add_to_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers, which follow the body, are dropped."""
        self._add_to_header(len(name) + len(value) + 4)
        if self._is_behind_body:
            return
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            self._give_up(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"Expected at most {MOST_HEADERS} headers, found more."
            )

    def on_headers_complete(self) -> None:
        """Start the request, and wait for its body."""
        path = self.url.partition(b"?")[0].decode("latin-1")
        if self.crowd.is_full(self) and not ALWAYS.fullmatch(path):
            self._give_up(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"Expected at most {self.crowd.limits.per_address:,} connections from one address, found more. Close "
                "some, or set SIGNOFF_CONNECTIONS_PER_ADDRESS. Kills and flags are answered all the same.",
            )
        super().on_headers_complete()
        self._is_behind_body = True
        self._header_bytes = self._body_bytes = self._raw_body = 0
        kind = next((value for name, value in self.headers if name == b"content-type"), b"").decode("latin-1")
        self._enter(ConnectionPhase.ARCHIVE if takes_archive(path, kind) else ConnectionPhase.BODY)
        if len(self.pipeline) > MOST_PIPELINED:
            self.pipeline[0] = (self.cycle, _too_many)  # type: ignore[assignment]  # the same ASGI in starlette's types
            self._enter(ConnectionPhase.DEAF)
            raise _RefusedError

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        super().on_message_complete()
        self._enter(ConnectionPhase.IDLE if self.cycle.response_complete else ConnectionPhase.ANSWER)

    def on_response_complete(self) -> None:
        """Note that the response was sent; a request that is still incomplete gets the time limit of a body."""
        super().on_response_complete()
        if not self.cycle.response_complete:
            return
        if self._phase is ConnectionPhase.ANSWER:
            self._enter(ConnectionPhase.IDLE)
        elif self._phase in {ConnectionPhase.BODY, ConnectionPhase.ARCHIVE}:
            self._enter(ConnectionPhase.BODY)

    def expire(self, now: float) -> None:
        """End the connection if its request took too long; time in which we paused reading does not count."""
        if self.flow.read_paused and self._phase in {ConnectionPhase.BODY, ConnectionPhase.ARCHIVE}:
            self.since += now - self._seen
        self._seen = now
        took, limits = now - self.since, self.crowd.limits
        match self._phase:
            case ConnectionPhase.REFUSED if took > LINGER_S:
                self.transport.abort()
            case ConnectionPhase.HEAD if took > limits.header_s:
                self.refuse(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"Expected a whole header within {limits.header_s:g} s, found none or a part of one. Send it at "
                    "once.",
                )
            case ConnectionPhase.BODY if took > limits.body_s:
                self.refuse(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"Expected a whole body within {limits.body_s:g} s, found {self._body_bytes:,} bytes of one. Send "
                    "it at once.",
                )
            case ConnectionPhase.ARCHIVE if took > min(ARCHIVE_MOST_S, ARCHIVE_S + self._body_bytes / ARCHIVE_RATE):
                self.refuse(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"Expected an archive at {ARCHIVE_RATE:,} bytes/s after {ARCHIVE_S:g} s, and within "
                    f"{ARCHIVE_MOST_S:g} s, found {self._body_bytes:,} bytes in {took:.0f} s. Send it over a faster "
                    "line, or thin it out.",
                )
            case _:
                pass

    def refuse(self, status: int, detail: str) -> None:
        """Answer with a problem unless another answer has begun, and close the connection."""
        if self._phase in {ConnectionPhase.REFUSED, ConnectionPhase.DEAF} or self.transport.is_closing():
            return
        self.crowd.note(self, status)
        is_free = self._can_answer()
        self._end_running()
        if not is_free:
            self.transport.close()
            return
        self._enter(ConnectionPhase.REFUSED)
        self.transport.write(_answer(status, detail))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _can_answer(self) -> bool:
        """Whether the peer would take a problem document as the answer to its present request."""
        running = self._running
        if self._phase is ConnectionPhase.IDLE:
            return False
        if running is None:
            return True
        is_heard = self._phase in {ConnectionPhase.BODY, ConnectionPhase.ARCHIVE} and running is self.cycle
        return not running.response_started if is_heard else running.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _end_running(self) -> None:
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _measure(self, size: int) -> None:
        """Count bytes that the parser reports in no callback: an unfinished header, and the framing of a body."""
        if self._phase is ConnectionPhase.HEAD and not self._began_in_chunk:
            self._raw_header += size
            if self._raw_header > MOST_HEADER:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _LARGE)
        elif self._phase in {ConnectionPhase.BODY, ConnectionPhase.ARCHIVE}:
            self._raw_body += size
            if self._raw_body - self._body_bytes > MOST_FRAMING:
                self.refuse(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"Expected at most {MOST_FRAMING:,} bytes around the chunks of a body, found more. Send fewer.",
                )
            elif self.cycle.response_complete and self._raw_body > UNHEARD_BYTES:
                self.transport.abort()

    def _add_to_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MOST_HEADER:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _LARGE)

    def _give_up(self, status: int, detail: str) -> NoReturn:
        self._refusal = (status, detail)
        raise _RefusedError

    def _throw_away(self, size: int) -> None:
        self._thrown += size
        if self._thrown > LINGER_BYTES:
            self.flow.pause_reading()

    def _enter(self, phase: ConnectionPhase) -> None:
        self._phase, self._seen = phase, self.loop.time()
        match phase:
            case ConnectionPhase.HEAD | ConnectionPhase.BODY:
                self.crowd.count_half(self, self._seen)
            case ConnectionPhase.ARCHIVE | ConnectionPhase.REFUSED:
                self.crowd.count_timed(self, self._seen)
            case ConnectionPhase.IDLE:
                self.crowd.count_idle(self)
            case ConnectionPhase.ANSWER | ConnectionPhase.DEAF:
                self.crowd.count_busy(self)


_LARGE: Final = (
    f"Expected a header of at most {MOST_HEADER:,} bytes, found a larger one. Send fewer or shorter headers."
)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """The last answer to a peer that sends too many requests without waiting for answers."""
    answer = problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"Expected at most {MOST_PIPELINED} requests that wait on one connection, found more. Wait for the answers.",
    )
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)


def _answer(status: int, detail: str) -> bytes:
    """The bytes of a response with a problem document, which ends the connection."""
    title = HTTPStatus(status).phrase
    body = json.dumps({"type": "about:blank", "title": title, "status": int(status), "detail": detail}).encode()
    lines = (
        f"HTTP/1.1 {int(status)} {title}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
        "x-content-type-options: nosniff",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def connections_of(crowd: Crowd) -> type[LimitedConnection]:
    """The protocol class of one server, whose connections share a crowd."""
    return type("Connection", (LimitedConnection,), {"crowd": crowd})
