"""The OpenAPI description; a test compares it with the answers.

A route's problems, permission and headers follow from its dependencies and are derived from them, so no route repeats
them. A route states only its successful answers.
"""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from signoff.http.access import authenticated, installation, verb_of
from signoff.http.idempotency import Command, expecting
from signoff.http.kill import kill, kill_many
from signoff.http.problems import MEDIA_TYPE, Problem
from signoff.http.sessions import SAFE, cookie_name
from signoff.http.sign_in import BY_COOKIE
from signoff.installation import Installation

Operation = dict[str, Any]
SCHEMAS: Final = "#/components/schemas/"
PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}}}
THEIRS: Final = ("HTTPValidationError", "ValidationError")
WHY: Final = {
    HTTPStatus.UNAUTHORIZED: "The request has no valid token or session.",
    HTTPStatus.FORBIDDEN: "The permission matrix does not allow it.",
    HTTPStatus.NOT_FOUND: "What the request names does not exist.",
    HTTPStatus.CONFLICT: "A guard refused it now, or the same key came with another request.",
    HTTPStatus.PRECONDITION_FAILED: "The release has moved on from the revision in `If-Match`.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than is taken.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request is not of the expected form.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something broke on our side, or stored bytes do not match what was signed.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database, or another part that is needed, cannot be reached.",
}
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "A name for this request: sent again with the same body, it is answered again and not done twice.",
}


def describe(app: FastAPI, house: Installation) -> None:
    """Install this description in the application."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, house)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to say more


def routes_of(routes: Iterable[object]) -> Iterator[APIRoute]:
    """Every route of an application, also in nested routers."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif inner := getattr(getattr(route, "original_router", route), "routes", None):
            yield from routes_of(inner)


def _described(app: FastAPI, house: Installation) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0")
    for route in (route for route in routes_of(app.routes) if route.include_in_schema):
        for method in route.methods or ():
            _tell(document["paths"][route.path_format][method.lower()], route, method)
    components = document["components"]
    components["schemas"] = {n: schema for n, schema in components["schemas"].items() if n not in THEIRS}
    problem = TypeAdapter(Problem).json_schema(ref_template=SCHEMAS + "{model}")
    components["schemas"] |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `signoff token issue`."},
        "session": {"type": "apiKey", "in": "cookie", "name": cookie_name(house)},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "As /auth/session tells it."},
    }
    return document


def _tell(operation: Operation, route: APIRoute, method: str) -> None:
    asked = tuple(_calls(route))
    if by := _security(route, method):
        operation["security"] = by
    if method not in SAFE and (isinstance(route, Command) or route.endpoint in {kill, kill_many}):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    answers = operation["responses"]
    if any(THEIRS[0] in str(schema) for schema in answers.get("422", {}).get("content", {}).values()):
        del answers["422"]
    for code, answer in answers.items():
        if int(code) >= HTTPStatus.BAD_REQUEST:
            answer.setdefault("content", dict(PROBLEM))
    for status in sorted(_problems(operation, route, method, asked)):
        answer = answers.setdefault(str(status.value), {"description": WHY[status]})
        answer.setdefault("content", {}).update(PROBLEM)


def _security(route: APIRoute, method: str) -> list[dict[str, list[str]]]:
    is_safe = method in SAFE
    by_session: dict[str, list[str]] = {"session": []} if is_safe else {"session": [], "csrf": []}
    if route.endpoint in BY_COOKIE:
        return [by_session]
    return [] if verb_of(route) is None else [{"token": []}, by_session]


def _problems(
    operation: Operation, route: APIRoute, method: str, asked: tuple[Callable[..., Any] | None, ...]
) -> Iterator[HTTPStatus]:
    is_change = method not in SAFE
    if route.endpoint in BY_COOKIE or verb_of(route) is not None:
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if installation in asked:
        yield from (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
    is_recorded = is_change and (authenticated in asked or expecting in asked)
    if "{" in route.path_format or is_recorded:
        yield HTTPStatus.NOT_FOUND
    if is_recorded:
        yield HTTPStatus.CONFLICT
    if expecting in asked:
        yield HTTPStatus.PRECONDITION_FAILED
    if is_change:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if is_change or operation.get("parameters"):
        yield HTTPStatus.UNPROCESSABLE_ENTITY


def _calls(route: APIRoute) -> Iterator[Callable[..., Any] | None]:
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        yield dependant.call
        waiting += dependant.dependencies
