"""What stands around every request: an id, a line in the log, a limit on its size and depth, and quiet headers.

Plain ASGI, so that a stream passes through untouched. Nobody is known here yet, so little is read and less is computed:
whatever holds this up holds up a kill. An archive is read by its route, once it knows who sent it.
"""

import logging
import re
import time
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.config.logs import REQUEST, about
from signoff.http.problems import broken, problem
from signoff.http.uploads import ARCHIVE, MOST_BYTES

log = logging.getLogger("signoff.http")
MOST_JSON: Final = 1 << 20
MOST_DEPTH: Final = 40
# The routes that take an archive; each knows who sent it before it reads it.
TAKES_ARCHIVE: Final = re.compile(r"/api/v1/(deployments|checks|memos|models/[^/]+/rehearsals)")
# A text is skipped in one step, also one that never ends: no byte is looked at twice.
QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKET: Final = re.compile(rb"[\[\]{}]")
ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
}


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
                await problem(*refused, request_id=identity)(scope, receive, answer)
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


async def _bounded(scope: Scope, receive: Receive) -> tuple[tuple[int, str] | None, Receive]:
    """The body read within its limits, to be received again; or the status and reason of a refusal."""
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return None, receive
    if takes_archive(scope["path"], Headers(scope=scope).get("content-type", "")):
        return None, _counted(receive)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return (HTTPStatus.BAD_REQUEST, "Expected a whole body, found a part of one. Nothing was done."), receive
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MOST_JSON:
            return (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(MOST_JSON)), receive
        if not message.get("more_body", False):
            break
    body = b"".join(chunks)
    if depth(body) > MOST_DEPTH:
        return (HTTPStatus.UNPROCESSABLE_ENTITY, f"Expected at most {MOST_DEPTH} levels in a body."), receive
    return None, _again(body, receive)


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
