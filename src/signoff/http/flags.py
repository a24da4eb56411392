"""Flags for everyone: OpenFeature's remote evaluation protocol, answered from the board.

A flag is one of `models.<name>.enabled`, `.allocation_pct`, `.shadow_mode`, and `.control`, which holds all of them at
one moment. What cannot be known is an error that says so, so that a client falls back to its own safe default.
"""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response

from signoff.app.board import Board, control
from signoff.domain.flags import Flags
from signoff.http.access import Installation
from signoff.http.streaming import CHANGES, Reader, Streams
from signoff.ledger.canonical import canonical, digest
from signoff.wiring import House

PREFIX: Final = "models."
router = APIRouter(prefix="/ofrep/v1", tags=["flags"])
Evaluation = dict[str, object]
FAILURE: Final[dict[str, Any]] = {"description": "Why there is no value.", "content": {"application/json": {}}}
FAILURES: Final[dict[int | str, dict[str, Any]]] = {400: FAILURE, 500: FAILURE}
CONTEXT: Final = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post("/evaluate/flags/{key}", responses=FAILURES | {404: FAILURE}, openapi_extra=CONTEXT)
async def evaluate_one(key: str, request: Request, _principal: Reader, hub: Streams) -> JSONResponse:
    """One flag's value."""
    if (wrong := await _wrong_context(request)) is not None:
        return JSONResponse({"key": key, **wrong}, HTTPStatus.BAD_REQUEST)
    if not hub.board.is_known:
        return _unknown()
    found = _flag(hub.board, key)
    if found is None:
        details = (
            f"Expected models.<name>.enabled, allocation_pct, shadow_mode or control of a known model; found {key!r}."
        )
        missing = {"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details}
        return JSONResponse(missing, HTTPStatus.NOT_FOUND)
    return JSONResponse(found)


@router.post("/evaluate/flags", responses=FAILURES | {304: {"description": "As before."}}, openapi_extra=CONTEXT)
async def evaluate_all(
    request: Request,
    _principal: Reader,
    house: Installation,
    hub: Streams,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Every flag's value; 304 when nothing changed since the entity tag given."""
    if (wrong := await _wrong_context(request)) is not None:
        return JSONResponse(wrong, HTTPStatus.BAD_REQUEST)
    if not hub.board.is_known:
        return _unknown()
    content, tag = _bulk(hub.board.told(), _events(request, house))
    if if_none_match is not None and _is_known(tag, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})
    return Response(content, media_type="application/json", headers={"etag": tag})


@router.get("/configuration")
async def configuration(_principal: Reader) -> dict[str, object]:
    """What this flag system can do, for clients that ask."""
    return {
        "name": "signoff",
        "capabilities": {
            "cacheInvalidation": {"polling": {"enabled": True, "minPollingIntervalMs": 1000}},
            "flagEvaluation": {"supportedTypes": ["int", "boolean", "object"]},
            "caching": {"enabled": False},
        },
    }


def evaluations(flags: Flags) -> tuple[Evaluation, ...]:
    """The four flags of a model as the protocol writes them; a model that is off says DISABLED."""
    named = (*flags.as_keys(), (f"{PREFIX}{flags.model}.control", control(flags)))
    reason = "STATIC" if flags.enabled else "DISABLED"
    about = {"rev": flags.revision, "epoch": flags.epoch, "state": flags.state}
    about |= {"reason": flags.reason} if flags.reason else {}
    return tuple(
        {"key": key, "value": value, "variant": flags.state, "reason": reason, "metadata": about}
        for key, value in named
    )


def _events(request: Request, house: House) -> str:
    """Where the change notices are: at the address that people reach this server by, where it was given one."""
    server = str(request.base_url).rstrip("/") if house.settings.public_url is None else house.settings.public_url
    return f"{server}{CHANGES}"


def _is_known(tag: str, given: str) -> bool:
    """Whether a client names this tag: by a star, too, and whether it calls the tag weak makes no difference."""
    return given.strip() == "*" or tag in {known.strip().removeprefix("W/") for known in given.split(",")}


@lru_cache(maxsize=4)
def _bulk(told: tuple[Flags, ...], events: str) -> tuple[bytes, str]:
    """Every flag as the protocol writes it, with its entity tag; made once for all who ask."""
    every = [evaluation for flags in told for evaluation in evaluations(flags)]
    content = canonical({"flags": every, "eventStreams": [{"type": "sse", "url": events}]})
    return content, f'"{digest(content)[:32]}"'


def _flag(board: Board, key: str) -> Evaluation | None:
    model = key.removeprefix(PREFIX).rpartition(".")[0]
    flags = board.flags(model) if key.startswith(PREFIX) else None
    return None if flags is None else next((e for e in evaluations(flags) if e["key"] == key), None)


def _unknown() -> JSONResponse:
    details = "The record could not be read since this server started, so no flag is known; use your safe default."
    return JSONResponse({"errorCode": "GENERAL", "errorDetails": details}, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _wrong_context(request: Request) -> dict[str, str] | None:
    """What is wrong with the evaluation context; flags do not depend on it, but nonsense is not passed over."""
    body = await request.body()
    if not body:
        return None
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {"errorCode": "PARSE_ERROR", "errorDetails": "Expected a JSON object, found something else."}
    if not isinstance(said, dict) or not isinstance(said.get("context", {}), dict):
        return {"errorCode": "INVALID_CONTEXT", "errorDetails": 'Expected {"context": {...}}, found something else.'}
    return None
