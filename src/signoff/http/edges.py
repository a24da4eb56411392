"""What stands around every request: an id, a line in the log, a limit on its size and depth, and quiet headers.

Plain ASGI, so that a stream passes through untouched. Nobody is known here yet, so little is read and less is computed:
whatever holds this up holds up a kill. An archive is read by its route, once it knows who sent it.
"""

import json
import logging
import re
import time
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.config.logs import REQUEST, about
from signoff.http.access import CHALLENGE, UNKNOWN
from signoff.http.problems import broken, problem
from signoff.http.sessions import COOKIE, SECURE_COOKIE
from signoff.http.uploads import ARCHIVE, MOST_BYTES

log = logging.getLogger("signoff.http")
# An envelope of 64 KiB, or a policy of 100,000 characters, beside the rest of its request.
MOST_JSON: Final = 256 << 10
# The longest reason of a kill with every character escaped, 12 bytes each, beside the model's name.
MOST_ORDER: Final = 32 << 10
MOST_OF_STRANGERS: Final = 16 << 10
MOST_LOOKED_THROUGH: Final = 32 << 10
MOST_DEPTH: Final = 40
MOST_BRACKETS: Final = 5000
MOST_QUOTES: Final = 20_000
# What takes risk away, and what trading processes ask: answered also where an address has too many connections.
ALWAYS: Final = re.compile(
    r"(?s)/api/v1/kill|/api/v1/models/.+/kill|/api/v1/deployments/[^/]+/(rollback|attest-flat)|/stop|/ofrep/v1/.+"
)
FLAGS: Final = "/ofrep/"
# The routes that take an archive; each knows who sent it before it reads it.
TAKES_ARCHIVE: Final = re.compile(r"/api/v1/(deployments|checks|memos|models/[^/]+/rehearsals)")
# A text is skipped in one step, also one that never ends: no byte is looked at twice.
QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKET: Final = re.compile(rb"[\[\]{}]")
BRACKETS: Final = (b"[", b"]", b"{", b"}")
MOST_DIGITS: Final = 20
MOST_SHOWN: Final = 60
ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
}

Refusal = tuple[int, str]


class Edges:
    """One request from its first byte to its last."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here when it is too large or too deep."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = identity
        REQUEST.set(identity)
        began, status = time.monotonic(), HTTPStatus.INTERNAL_SERVER_ERROR.value
        is_begun = False

        async def answer(message: Message) -> None:
            nonlocal status, is_begun
            if message["type"] == "http.response.start":
                status, is_begun = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = identity
                for name, value in QUIET.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refused, replay = await _bounded(scope, receive)
            if refused is not None:
                await _refusal(*refused, identity)(scope, receive, answer)
            else:
                await self._app(scope, replay, answer)
        except Exception:
            log.exception("something broke")
            if is_begun:
                raise
            await broken(identity)(scope, receive, answer)
        finally:
            _tell(scope, status, 1000 * (time.monotonic() - began))


def takes_archive(path: str, kind: str) -> bool:
    """Whether a request of this path and content type is one that sends an archive."""
    return kind.partition(";")[0].strip() == ARCHIVE and TAKES_ARCHIVE.fullmatch(path) is not None


async def _bounded(scope: Scope, receive: Receive) -> tuple[Refusal | None, Receive]:
    """The body read within its limits, to be received again; or the status and reason of a refusal."""
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return None, receive
    headers = Headers(scope=scope)
    if takes_archive(scope["path"], headers.get("content-type", "")):
        return None, _counted(receive)
    limit, too_much = _limit(scope["path"], headers)
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:MOST_DIGITS]) > limit:
        return too_much, receive
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return (HTTPStatus.BAD_REQUEST, "Expected a whole body, found a part of one. Nothing was done."), receive
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            return too_much, receive
        if not message.get("more_body", False):
            break
    body = b"".join(chunks)
    return _wrong_with(body, scope["path"]), _again(body, receive)


def _limit(path: str, headers: Headers) -> tuple[int, Refusal]:
    """How large a body may be, and how one that is larger is refused."""
    limit = MOST_ORDER if ALWAYS.fullmatch(path) else MOST_JSON
    if limit > MOST_OF_STRANGERS and not _says_who(headers):
        return MOST_OF_STRANGERS, (HTTPStatus.UNAUTHORIZED, UNKNOWN)
    return limit, (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit))


def _says_who(headers: Headers) -> bool:
    """Whether a request carries what could tell who sent it; whether it does is found out later."""
    names = (cookie.partition("=")[0].strip() for cookie in headers.get("cookie", "").split(";"))
    return "authorization" in headers or not {COOKIE, SECURE_COOKIE}.isdisjoint(names)


def _wrong_with(body: bytes, path: str) -> Refusal | None:
    """Why a body is refused before anybody looks into it."""
    if sum(map(body.count, BRACKETS)) > MOST_BRACKETS:
        return HTTPStatus.UNPROCESSABLE_ENTITY, f"Expected at most {MOST_BRACKETS:,} brackets in a body, found more."
    if body.count(b'"') > MOST_QUOTES:
        return HTTPStatus.UNPROCESSABLE_ENTITY, f"Expected at most {MOST_QUOTES:,} quotes in a body, found more."
    if depth(body) > MOST_DEPTH:
        return HTTPStatus.UNPROCESSABLE_ENTITY, f"Expected at most {MOST_DEPTH} levels in a body."
    if len(body) > MOST_LOOKED_THROUGH or path.startswith(FLAGS):
        return None
    key = repeated_key(body)
    if key is None:
        return None
    shown = key[:MOST_SHOWN].encode("utf-8", "replace").decode()
    return (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Expected each key once in a body, found {shown!r} twice; it cannot be told which is meant. Nothing was done.",
    )


class _RepeatedError(Exception):
    """A key that an object holds twice."""


def repeated_key(body: bytes) -> str | None:
    """A key that an object of a JSON text holds twice; None where there is none, or no JSON."""
    try:
        json.loads(body, object_pairs_hook=_each_once)
    except _RepeatedError as error:
        return str(error)
    except (ValueError, RecursionError):
        return None  # the route says what it expected
    return None


def _each_once(members: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in members:
        if key in seen:
            raise _RepeatedError(key)
        seen.add(key)


def _counted(receive: Receive) -> Receive:
    """The archive as its route reads it, up to its limit."""
    size = 0

    async def next_part() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(MOST_BYTES))
        return message

    return next_part


def _refusal(status: int, detail: str, identity: str) -> Response:
    answer = problem(status, detail, request_id=identity)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers.update(CHALLENGE)
    return answer


def _too_large(limit: int) -> str:
    return f"Expected a body of at most {limit} bytes; send less, or a zip archive where one is taken."


def _again(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def depth(body: bytes) -> int:
    """How deep brackets nest outside of texts, without parsing."""
    level = most = 0
    for bracket in BRACKET.findall(QUOTED.sub(b"", body)):
        level += 1 if bracket in {b"{", b"["} else -1
        most = max(most, level)
    return most


def _tell(scope: Scope, status: int, took_ms: float) -> None:
    """One line; no header, body or query, where secrets might be. An answer may say which release or model it is of."""
    state, named = scope["state"], scope.get("path_params", {})
    told = about(
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(took_ms, 1),
        who=state.get("principal"),
        deployment=state.get("deployment", named.get("identity")),
        model=state.get("model", named.get("model")),
    )
    log.info("request", extra=told)
