"""Errors as problem documents (RFC 9457). Only here does an error become a status code."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NotRequired

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from signoff.domain.errors import (
    BadInputError,
    ConflictError,
    GuardError,
    NotFoundError,
    RefusedError,
    SignoffError,
    StaleRevisionError,
    TamperedError,
    UnavailableError,
)
from signoff.domain.permissions import ForbiddenError

log = logging.getLogger("signoff.http")
MOST_SLIPS: Final = 20
MOST_WHERE: Final = 200
MOST_WHAT: Final = 300
MEDIA_TYPE: Final = "application/problem+json"
OUT_OF_REACH: Final = (
    "The record cannot be asked who you are. Nothing was done; try again in a moment. Kills and flags are answered all "
    "the same, for accounts known at its last answer."
)
# The first matching class decides.
STATUS: Final[tuple[tuple[type[SignoffError], HTTPStatus], ...]] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (BadInputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (StaleRevisionError, HTTPStatus.PRECONDITION_FAILED),
    (ConflictError, HTTPStatus.CONFLICT),
    (GuardError, HTTPStatus.CONFLICT),
    (RefusedError, HTTPStatus.CONFLICT),
    (TamperedError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Slip(TypedDict):
    """One error of a request."""

    where: str
    what: str


class Problem(TypedDict):
    """The error and its remedy; `type` names its kind for programs."""

    type: str
    title: str
    status: int
    detail: str
    guard: NotRequired[str]
    errors: NotRequired[list[Slip]]
    request_id: NotRequired[str]


def problem(status: int, detail: str, *, kind: str = "about:blank", **further: object) -> JSONResponse:
    """One problem document."""
    body = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **further}
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def status_of(error: SignoffError) -> HTTPStatus:
    """The status of one of our errors."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def broken(request: str) -> JSONResponse:
    """The answer to an unexpected error; the log has it under the request's id."""
    detail = f"Something broke on our side; it is in the server's log under request {request}."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, request_id=request)


def answer_problems(app: FastAPI) -> None:
    """Register how each kind of error is answered."""
    app.add_exception_handler(SignoffError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _theirs)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SignoffError)
    if isinstance(error, UnavailableError) and getattr(request.state, "principal", None) is None:
        log.warning("who asks could not be looked up", exc_info=error)
        error = UnavailableError(OUT_OF_REACH)  # strangers must not learn where the record is
    further = {"guard": error.guard} if isinstance(error, GuardError) else {}
    return problem(status_of(error), str(error), kind=f"urn:signoff:{error.code}", **further)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = error.errors()
    errors = [_slip(each) for each in details[:MOST_SLIPS]]
    detail = "The request is not of the expected form: " + "; ".join(f"{e['where']}: {e['what']}" for e in errors)
    if len(details) > MOST_SLIPS:
        detail += f"; and {len(details) - MOST_SLIPS:,} more of these"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=f"urn:signoff:{BadInputError.code}", errors=errors)


def _slip(error: Mapping[str, Any]) -> Slip:
    """One validation error, cut to a readable length, since a key may be as long as the body."""
    where = "/".join(str(part)[:MOST_WHERE] for part in error["loc"])
    return {"where": _readable(where, MOST_WHERE), "what": _readable(error["msg"], MOST_WHAT)}


def _readable(text: str, most: int) -> str:
    shown = text if len(text) <= most else f"{text[:most]}…"
    return shown.encode("utf-8", "replace").decode()  # a lone surrogate has no UTF-8


async def _theirs(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
