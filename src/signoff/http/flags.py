"""Flags over OpenFeature's remote evaluation protocol, answered from the flag cache.

A flag is one of `models.<name>.enabled`, `.allocation_pct`, `.shadow_mode`, which answer for the asking version, and
`.control`, which has every version of the model at one moment. The evaluation context names the version as `version`,
or as `targetingKey: model@version`. An unknown value is an error, so that a client falls back to its own safe
default; among all flags it is an entry like the others, so that it replaces the client's cached value.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response

from signoff.app.flag_cache import FlagCache
from signoff.domain.flag_notices import control
from signoff.domain.flags import Flags, InvalidContext, answer
from signoff.domain.names import MOST as MOST_OF_NAMES
from signoff.domain.names import NEVER
from signoff.http.access import InstallationDep
from signoff.http.streaming import CHANGES, Reader, Streams
from signoff.installation import Installation
from signoff.ledger.canonical import canonical, digest

PREFIX: Final = "models."
MOST_SHOWN: Final = 60
router = APIRouter(prefix="/ofrep/v1", tags=["flags"])
Evaluation = dict[str, object]
FAILURE: Final[dict[str, Any]] = {"description": "Why there is no value.", "content": {"application/json": {}}}
FAILURES: Final[dict[int | str, dict[str, Any]]] = {400: FAILURE, 500: FAILURE}
CONTEXT: Final = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}


@dataclass(frozen=True, slots=True)
class Asking:
    """The caller: a version, else a targeting key that may name model and version; `found` is the invalid value."""

    version: str | None = None
    key: str | None = None
    found: str = "none"

    def version_of(self, model: str) -> str | None:
        """The calling version of this model."""
        if self.version is None and self.key is not None and self.key.startswith(f"{model}@"):
            return self.key.removeprefix(f"{model}@")
        return self.version


@router.post("/evaluate/flags/{key}", responses=FAILURES | {404: FAILURE}, openapi_extra=CONTEXT)
async def evaluate_one(key: str, request: Request, _principal: Reader, hub: Streams) -> JSONResponse:
    """One flag's value for the version that the context names."""
    asking = await _asking(request)
    if not isinstance(asking, Asking):
        return JSONResponse({"key": key, **asking}, HTTPStatus.BAD_REQUEST)
    if not hub.board.is_known:
        return _unknown()
    evaluation = _flag(hub.board, key, asking)
    if evaluation is None:
        details = (
            f"Expected models.<name>.enabled, allocation_pct, shadow_mode or control of a known model; found {key!r}."
        )
        missing = {"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details}
        return JSONResponse(missing, HTTPStatus.NOT_FOUND)
    return JSONResponse(evaluation, HTTPStatus.BAD_REQUEST if "errorCode" in evaluation else HTTPStatus.OK)


@router.post("/evaluate/flags", responses=FAILURES | {304: {"description": "As before."}}, openapi_extra=CONTEXT)
async def evaluate_all(
    request: Request,
    _principal: Reader,
    house: InstallationDep,
    hub: Streams,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Every flag's value for the version that the context names; 304 when nothing changed since the entity tag given.

    A flag that cannot answer for this version is an entry that says why.
    """
    asking = await _asking(request)
    if not isinstance(asking, Asking):
        return JSONResponse(asking, HTTPStatus.BAD_REQUEST)
    if not hub.board.is_known:
        return _unknown()
    content, tag = _bulk(hub.board.told(), asking, _events(request, house))
    if if_none_match is not None and _is_known(tag, if_none_match):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})
    return Response(content, media_type="application/json", headers={"etag": tag})


@router.get("/configuration")
async def configuration(_principal: Reader) -> dict[str, object]:
    """The capabilities of this flag system."""
    return {
        "name": "signoff",
        "capabilities": {
            "cacheInvalidation": {"polling": {"enabled": True, "minPollingIntervalMs": 1000}},
            "flagEvaluation": {"supportedTypes": ["int", "boolean", "object"]},
            "caching": {"enabled": False},
        },
    }


def evaluations(flags: Flags, asking: Asking) -> tuple[Evaluation, ...]:
    """The four flags of a model in the protocol's form; a disabled one says DISABLED.

    The flat flags depend on the caller and say TARGETING_MATCH; `control` is the same for all.
    """
    whole = {**control(flags), "rev": flags.revision, "epoch": flags.kill_count}
    named = f"{PREFIX}{flags.model}.control"
    everything = _evaluation(named, whole, flags, "DISABLED" if flags.is_off else "STATIC")
    answered = answer(flags, asking.version_of(flags.model), sent=asking.found)
    if isinstance(answered, InvalidContext):
        wrong: Evaluation = {"errorCode": "INVALID_CONTEXT", "errorDetails": answered.details}
        return (*({"key": key, **wrong} for key, _ in flags.as_keys()), everything)
    reason = "TARGETING_MATCH" if answered.enabled else "DISABLED"
    return (*(_evaluation(key, value, answered, reason) for key, value in answered.as_keys()), everything)


def _evaluation(key: str, value: object, flags: Flags, reason: str) -> Evaluation:
    about: dict[str, object] = {
        "flags_revision": flags.revision,
        "kill_count": flags.kill_count,
        "state": flags.state,
        "rev": flags.revision,
        "epoch": flags.kill_count,
    }
    about |= {"reason": flags.reason} if flags.reason else {}
    return {"key": key, "value": value, "variant": flags.state, "reason": reason, "metadata": about}


def _events(request: Request, house: Installation) -> str:
    """The address of the change notices, below the server's public address if it has one."""
    server = str(request.base_url).rstrip("/") if house.settings.public_url is None else house.settings.public_url
    return f"{server}{CHANGES}"


def _is_known(tag: str, header: str) -> bool:
    """Whether a client has this tag; a star and a weak tag count too."""
    return header.strip() == "*" or tag in {other.strip().removeprefix("W/") for other in header.split(",")}


@lru_cache(maxsize=16)
def _bulk(flags_of_models: tuple[Flags, ...], asking: Asking, events: str) -> tuple[bytes, str]:
    """Every flag in the protocol's form with its entity tag, cached for all callers of the same version.

    Two versions have different tags, even if their flags are equal.
    """
    every = [evaluation for flags in flags_of_models for evaluation in evaluations(flags, asking)]
    content = canonical({"flags": every, "eventStreams": [{"type": "sse", "url": events}]})
    who = canonical([asking.version, asking.key, asking.found])
    return content, f'"{digest(who + content)[:32]}"'


def _flag(board: FlagCache, key: str, asking: Asking) -> Evaluation | None:
    model = key.removeprefix(PREFIX).rpartition(".")[0]
    flags = board.flags(model) if key.startswith(PREFIX) else None
    return None if flags is None else next((e for e in evaluations(flags, asking) if e["key"] == key), None)


def _unknown() -> JSONResponse:
    details = "The record could not be read since this server started, so no flag is known; use your safe default."
    return JSONResponse({"errorCode": "GENERAL", "errorDetails": details}, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _asking(request: Request) -> Asking | dict[str, str]:
    """The caller from the evaluation context; else the error of the request."""
    body = await request.body()
    if not body:
        return Asking()
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {"errorCode": "PARSE_ERROR", "errorDetails": "Expected a JSON object, found something else."}
    if not isinstance(document, dict) or not isinstance(context := document.get("context", {}), dict):
        return {"errorCode": "INVALID_CONTEXT", "errorDetails": 'Expected {"context": {...}}, found something else.'}
    version, key = context.get("version"), context.get("targetingKey")
    if version is not None:
        return Asking(version) if _is_name(version) else Asking(found=_shown(version))
    if isinstance(key, str) and "@" in key:
        return Asking(key=key) if _is_name(key) else Asking(found=_shown(key))
    return Asking()


def _is_name(text: object) -> bool:
    """Whether this can be a version, or a model and a version."""
    return isinstance(text, str) and 0 < len(text) <= 2 * MOST_OF_NAMES and NEVER.search(text) is None


def _shown(value: object) -> str:
    """The invalid value, cut to what a message can show."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(text)} characters)"
