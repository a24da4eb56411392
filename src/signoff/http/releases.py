"""Releases over HTTP: the verbs of the command line, each behind the permission matrix."""

from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from typing_extensions import TypedDict

from signoff.adapters.archives import zipped
from signoff.adapters.folders import read_folder
from signoff.app.approvals import SUBMITTED
from signoff.domain.errors import NotFoundError
from signoff.domain.permissions import AccessRole, Permission, Principal
from signoff.domain.policy import Role
from signoff.http.access import InstallationDep, allowed
from signoff.http.idempotency import Command
from signoff.http.uploads import ARCHIVE, ASSESSING, archive_of, carried_out, unpacked, written_folder
from signoff.installation import Installation
from signoff.ledger.canonical import canonical
from signoff.verbs.bodies import Name
from signoff.verbs.documents import AssessmentDocument, RehearsedDocument, ToSignDocument
from signoff.verbs.local import Local
from signoff.verbs.release_documents import Document, ReleaseDocument

router = APIRouter(prefix="/api/v1", route_class=Command)
Answers = dict[int | str, dict[str, Any]]
MEDIA: Final = {"pdf": "application/pdf", "md": "text/markdown; charset=utf-8", "json": "application/json"}
OTHER: Final = "application/octet-stream"
BINARY: Final = {"schema": {"type": "string", "contentMediaType": ARCHIVE}}
ARCHIVE_BODY: Final = {"requestBody": {"required": True, "content": {ARCHIVE: BINARY}}}
AN_ARCHIVE: Final[Answers] = {200: {"content": {ARCHIVE: BINARY}}}


class PrincipalDocument(TypedDict):
    """Your identity and permissions at this server."""

    name: str
    duties: list[AccessRole]
    roles: list[Role]
    is_machine: bool


@router.get("/me", tags=["people"])
def who_am_i(principal: Annotated[Principal, Depends(allowed(Permission.READ))]) -> PrincipalDocument:
    """Who the server takes you for."""
    return {
        "name": principal.name,
        "duties": sorted(principal.duties),
        "roles": list(principal.roles),
        "is_machine": principal.is_machine,
    }


@router.post(
    "/deployments", tags=["releases"], status_code=201, response_model=ReleaseDocument, openapi_extra=ARCHIVE_BODY
)
async def submit(
    request: Request, house: InstallationDep, principal: Annotated[Principal, Depends(allowed(Permission.SUBMIT))]
) -> Document:
    """Open a release from a dossier folder, sent as a zip archive: every gate runs, and the memo is issued."""
    async with archive_of(request, house) as content:
        opened = await run_sync(_carried_out, house, principal.name, "submit", "", content, limiter=ASSESSING)
    request.state.deployment, request.state.model = opened["deployment"], opened["model"]
    return opened


@router.post("/checks", tags=["releases"], response_model=AssessmentDocument, openapi_extra=ARCHIVE_BODY)
async def check(
    request: Request, house: InstallationDep, principal: Annotated[Principal, Depends(allowed(Permission.CHECK))]
) -> Document:
    """Run every gate on a dossier folder, sent as a zip archive; nothing is recorded."""
    async with archive_of(request, house) as content:
        return await run_sync(_carried_out, house, principal.name, "check", "", content, limiter=ASSESSING)


@router.post("/memos", tags=["releases"], response_class=Response, responses=AN_ARCHIVE, openapi_extra=ARCHIVE_BODY)
async def memo(
    request: Request, house: InstallationDep, principal: Annotated[Principal, Depends(allowed(Permission.CHECK))]
) -> Response:
    """The memo of a dossier folder, both as zip archives, with the findings as `answer.json`; nothing is recorded."""
    async with archive_of(request, house) as content:
        composed = await run_sync(_composed, house, principal.name, content, limiter=ASSESSING)
    return Response(composed, media_type="application/zip")


@router.get(
    "/deployments/{deployment_id}/editions/{edition}/{path:path}",
    tags=["releases"],
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in (*MEDIA.values(), OTHER)}}},
)
def edition_file(
    deployment_id: Name,
    edition: Name,
    path: str,
    house: InstallationDep,
    _principal: Annotated[Principal, Depends(allowed(Permission.READ))],
) -> Response:
    """One file of an edition of the memo, as it was written."""
    state = house.record.deployment(deployment_id)
    if edition not in dict(state.editions):
        raise NotFoundError(
            f"Expected an edition of {deployment_id}, found {edition!r}; there are: {dict(state.editions)}."
        )
    files = house.releases.read(deployment_id, edition)
    if path not in files:
        raise NotFoundError(f"Expected a file of the edition {edition}, found {path!r}; there are: {sorted(files)}.")
    kind = MEDIA.get(path.rpartition(".")[2], OTHER)
    safe = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return Response(files[path], media_type=kind, headers=safe)


@router.get("/deployments/{deployment_id}/to-sign", tags=["signatures"])
def to_sign(
    deployment_id: Name, house: InstallationDep, principal: Annotated[Principal, Depends(allowed(Permission.READ))]
) -> ToSignDocument:
    """The content that an approval will sign: the memo's path, its manifest, the gates, open conditions."""
    document = Local(house, principal.name).to_sign(deployment_id)
    memo = f"/api/v1/deployments/{quote(deployment_id, safe='')}/editions/{SUBMITTED}/deployment_memo.pdf"
    return {**document, "memo": None if document["memo"] is None else memo}


@router.get(
    "/deployments/{deployment_id}/living-memo", tags=["releases"], response_class=Response, responses=AN_ARCHIVE
)
async def living_memo(
    deployment_id: Name, house: InstallationDep, principal: Annotated[Principal, Depends(allowed(Permission.READ))]
) -> Response:
    """The memo with the events since its signature, as a zip archive; the signed editions do not change."""
    composed = await run_sync(_living, house, principal.name, deployment_id, limiter=ASSESSING)
    return Response(composed, media_type="application/zip")


@router.post(
    "/models/{model}/rehearsals",
    tags=["models"],
    response_model=RehearsedDocument,
    openapi_extra={"requestBody": {"content": {ARCHIVE: BINARY, "application/json": {"schema": {"type": "object"}}}}},
)
async def rehearse(
    model: Name,
    request: Request,
    house: InstallationDep,
    principal: Annotated[Principal, Depends(allowed(Permission.REHEARSE))],
) -> Document:
    """Rehearse the rollback, by the plan of a dossier folder sent as a zip archive, or of the last release."""
    if request.headers.get("content-type", "").startswith("application/zip"):
        async with archive_of(request, house) as content:
            return await run_sync(_carried_out, house, principal.name, "rehearse", model, content, limiter=ASSESSING)
    return await run_sync(_carried_out, house, principal.name, "rehearse", model, limiter=ASSESSING)


@router.get("/export", tags=["audit"], response_class=Response, responses=AN_ARCHIVE)
def export(house: InstallationDep, _principal: Annotated[Principal, Depends(allowed(Permission.EXPORT))]) -> Response:
    """The ledger and its files as a zip archive, to be verified offline."""
    return Response(zipped(house.ledger.export()), media_type="application/zip")


def _carried_out(
    house: Installation, actor: str, verb: str, subject: str = "", content: BinaryIO | None = None
) -> Document:
    if content is None:
        return carried_out(house, actor, verb, subject)
    with unpacked(house, content) as folder:
        return carried_out(house, actor, verb, subject, folder=folder)


def _composed(house: Installation, actor: str, content: BinaryIO) -> bytes:
    with unpacked(house, content) as folder, written_folder(house) as out:
        return _archive(carried_out(house, actor, "memo", folder=folder, out=out), out)


def _living(house: Installation, actor: str, deployment_id: str) -> bytes:
    house.record.deployment(deployment_id)
    with written_folder(house) as out:
        return _archive(carried_out(house, actor, "living_memo", deployment_id, out=out), out)


def _archive(document: Document, out: Path) -> bytes:
    return zipped({**read_folder(out), "answer.json": canonical(document)})
