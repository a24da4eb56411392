"""ASGI middleware around every request: a request id, a log line, limits on size and depth, and security headers.

Plain ASGI, so that streamed answers pass through unbuffered. It runs before authentication and before every kill, so it
must stay cheap. The route of an archive reads it after authentication.
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
# Holds a signed envelope of 64 KiB or a policy of 100,000 characters, with the rest of the request.
MOST_JSON: Final = 256 << 10
# Holds the longest reason of a kill with every character escaped to 12 bytes, and the model's name.
MOST_ORDER: Final = 32 << 10
MOST_OF_STRANGERS: Final = 16 << 10
MOST_LOOKED_THROUGH: Final = 32 << 10
MOST_DEPTH: Final = 40
MOST_BRACKETS: Final = 5000
MOST_QUOTES: Final = 20_000
# Exits and feature flags: answered even when an address has too many connections.
ALWAYS: Final = re.compile(
    r"(?s)/api/v1/kill|/api/v1/models/.+/kill|/api/v1/deployments/[^/]+/(rollback|attest-flat)|/stop|/ofrep/v1/.+"
)
FLAGS: Final = "/ofrep/"
# The routes that take an archive; they authenticate before they read it.
TAKES_ARCHIVE: Final = re.compile(r"/api/v1/(deployments|checks|memos|models/[^/]+/rehearsals)")
# The possessive quantifier keeps the match linear, also for a text without an end.
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
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it here when it is too large or too deep."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        presented = Headers(scope=scope).get("x-request-id", "")
        request_id = presented if ID.fullmatch(presented) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST.set(request_id)
        began, status = time.monotonic(), HTTPStatus.INTERNAL_SERVER_ERROR.value
        is_begun = False

        async def answer(message: Message) -> None:
            nonlocal status, is_begun
            if message["type"] == "http.response.start":
                status, is_begun = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in QUIET.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refused, replay = await _bounded(scope, receive)
            if refused is not None:
                await _refusal(*refused, request_id)(scope, receive, answer)
            else:
                await self._app(scope, replay, answer)
        except Exception:
            log.exception("something broke")
            if is_begun:
                raise
            await broken(request_id)(scope, receive, answer)
        finally:
            _tell(scope, status, 1000 * (time.monotonic() - began))


def takes_archive(path: str, kind: str) -> bool:
    """Whether a request with this path and content type sends an archive."""
    return kind.partition(";")[0].strip() == ARCHIVE and TAKES_ARCHIVE.fullmatch(path) is not None


async def _bounded(scope: Scope, receive: Receive) -> tuple[Refusal | None, Receive]:
    """Read the body within its limits: the refusal, or None and a `receive` that replays the body."""
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
    return _objection(body, scope["path"]), _replayed(body, receive)


def _limit(path: str, headers: Headers) -> tuple[int, Refusal]:
    """The size limit of a body, and the refusal of a larger one."""
    limit = MOST_ORDER if ALWAYS.fullmatch(path) else MOST_JSON
    if limit > MOST_OF_STRANGERS and not _has_credentials(headers):
        return MOST_OF_STRANGERS, (HTTPStatus.UNAUTHORIZED, UNKNOWN)
    return limit, (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit))


def _has_credentials(headers: Headers) -> bool:
    """Whether a request carries a token or session cookie; it is verified later."""
    names = (cookie.partition("=")[0].strip() for cookie in headers.get("cookie", "").split(";"))
    return "authorization" in headers or not {COOKIE, SECURE_COOKIE}.isdisjoint(names)


def _objection(body: bytes, path: str) -> Refusal | None:
    """The refusal of a body that is too complex to parse safely, or ambiguous."""
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
    """An object holds this key twice."""


def repeated_key(body: bytes) -> str | None:
    """A key that occurs twice in an object of a JSON text; None where keys are unique, or the text is not JSON."""
    try:
        json.loads(body, object_pairs_hook=_each_once)
    except _RepeatedError as error:
        return str(error)
    except (ValueError, RecursionError):
        return None  # the route refuses it with a better message
    return None


def _each_once(members: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in members:
        if key in seen:
            raise _RepeatedError(key)
        seen.add(key)


def _counted(receive: Receive) -> Receive:
    """A `receive` that refuses an archive above its size limit."""
    size = 0

    async def next_part() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(MOST_BYTES))
        return message

    return next_part


def _refusal(status: int, detail: str, request_id: str) -> Response:
    answer = problem(status, detail, request_id=request_id)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers.update(CHALLENGE)
    return answer


def _too_large(limit: int) -> str:
    return f"Expected a body of at most {limit} bytes; send less, or a zip archive where one is taken."


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns a body that was read already."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def depth(body: bytes) -> int:
    """The nesting depth of brackets outside of texts, counted without parsing."""
    level = most = 0
    for bracket in BRACKET.findall(QUOTED.sub(b"", body)):
        level += 1 if bracket in {b"{", b"["} else -1
        most = max(most, level)
    return most


def _tell(scope: Scope, status: int, took_ms: float) -> None:
    """Log one line, without headers, body and query, which may hold secrets. The route may name release and model."""
    state, named = scope["state"], scope.get("path_params", {})
    fields = about(
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(took_ms, 1),
        who=state.get("principal"),
        deployment=state.get("deployment", named.get("deployment_id")),
        model=state.get("model", named.get("model")),
    )
    log.info("request", extra=fields)
