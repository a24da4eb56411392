"""Routes generated from the catalogue's rows: arguments in, one function of `Local`, a document out."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from signoff.app.signing import Presented, SigningPerson
from signoff.domain.errors import RefusedError
from signoff.domain.permissions import Principal
from signoff.http.access import LEAVING, InstallationDep, allowed, allowed_to_leave
from signoff.http.idempotency import Command, Expecting, Naming
from signoff.installation import Installation
from signoff.ledger.text import encoded
from signoff.verbs.bodies import Name
from signoff.verbs.catalogue import CATALOGUE, Basis, Row
from signoff.verbs.documents import StatementDocument
from signoff.verbs.local import Local

INSTALLATIONS: Final[dict[Basis, Any]] = {Basis.NOTHING: InstallationDep, Basis.KEY: Naming, Basis.REVISION: Expecting}
TAGGED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}}}}
}


@cache
def catalogued() -> APIRouter:
    """The router of the whole catalogue, made once: analysing its signatures takes a fifth of a second."""
    return router_of(CATALOGUE)


def router_of(rows: Iterable[Row]) -> APIRouter:
    """A router with a route for each generated row."""
    router = APIRouter(prefix="/api/v1")
    for row in (row for row in rows if not row.is_by_hand):
        router.add_api_route(
            row.path,
            _endpoint(row),
            methods=[row.method],
            tags=[row.tag],
            status_code=row.status,
            response_model=StatementDocument if row.answer is bytes else row.answer,
            responses=TAGGED if row.is_tagged else None,
            route_class_override=Command if row.is_repeatable else APIRoute,
        )
    return router


def _endpoint(row: Row) -> Callable[..., Any]:
    """A function with the parameters, name and docstring that the framework reads."""
    assert row.carry_out is not None
    carry_out, taken = row.carry_out, signature(row.carry_out).parameters

    def answer(*, house: Installation, principal: Principal, response: Response, body: Any = None, **named: Any) -> Any:  # noqa: ANN401 - of any row
        asked = named | ({} if body is None else body.arguments()) | {"by": principal}
        if row.is_signed:
            asked["signing"] = _signatory(principal, body)
        document = carry_out(Local(house, principal.name), **{name: asked[name] for name in taken if name in asked})
        if row.is_tagged:
            response.headers["etag"] = f'"{document["revision"]}"'
        return {"statement": encoded(document), "says": document.decode()} if isinstance(document, bytes) else document

    async def in_time(**arguments: Any) -> Any:  # noqa: ANN401 - of any row
        return await run_sync(partial(answer, **arguments), limiter=LEAVING)

    endpoint: Any = in_time if row.is_leaving else answer
    endpoint.__name__, endpoint.__doc__, endpoint.__signature__ = row.name, row.says, Signature(_parameters(row))
    return endpoint  # type: ignore[no-any-return]


def _parameters(row: Row) -> list[Parameter]:
    may = (allowed_to_leave if row.is_leaving else allowed)(row.permission)
    asked: dict[str, Any] = {"house": INSTALLATIONS[row.basis], "principal": Annotated[Principal, Depends(may)]}
    asked |= dict.fromkeys(row.named_in_path, Name) | {"response": Response}
    optional = dict(row.query)
    if row.body is not None and row.is_body_optional:
        optional["body"] = (row.body | None, None)
    elif row.body is not None:
        asked["body"] = row.body
    needed = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in asked.items()]
    return needed + [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in optional.items()
    ]


def _signatory(principal: Principal, body: Any) -> SigningPerson:  # noqa: ANN401 - of any row that is signed
    """The signatory: the caller, with the envelope in the body. A cleared condition needs no envelope."""
    if principal.is_machine:
        raise RefusedError("A machine's token never signs.")
    return SigningPerson(person=principal.name, role=body.role, signer=Presented(getattr(body, "envelope", "")))
