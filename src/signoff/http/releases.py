"""Releases over HTTP: the verbs of the command line, each behind the matrix."""

from functools import partial
from typing import Annotated, Any, BinaryIO, Final
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response
from typing_extensions import TypedDict

from signoff.adapters.archives import zipped
from signoff.adapters.folders import read_folder
from signoff.app.approvals import SUBMITTED, Signatory
from signoff.app.signing import Presented
from signoff.domain.access import Duty, Principal, Verb
from signoff.domain.deployment import State
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import Verdict
from signoff.domain.policy import Role
from signoff.http.access import LEAVING, Installation, allowed, allowed_to_leave
from signoff.http.bodies import (
    AdoptionRequest,
    AdoptionStatementRequest,
    AttestFlatRequest,
    ConditionRequest,
    ItemDoneRequest,
    Limit,
    Name,
    NotHeldRequest,
    ObservationRequest,
    PauseRequest,
    PostMortemRequest,
    RearmRequest,
    ReviewRequest,
    RollbackRequest,
    SignatureRequest,
    StartRequest,
    StatementRequest,
)
from signoff.http.commands import Command, Expecting, Naming
from signoff.http.uploads import ARCHIVE, ASSESSING, archive_of, carried_out, unpacked, written_folder
from signoff.ledger.canonical import canonical
from signoff.ledger.text import encoded
from signoff.verbs.documents import (
    AssessmentDocument,
    CountersignedDocument,
    DeploymentsPage,
    Document,
    FlagsDocument,
    HistoryPage,
    LatchDocument,
    ModelsPage,
    ObservedDocument,
    RehearsedDocument,
    ReleaseDocument,
    ReviewedDocument,
    RolledBackDocument,
    ToSignDocument,
    latch_document,
)
from signoff.verbs.local import Local
from signoff.wiring import House

router = APIRouter(prefix="/api/v1", route_class=Command)
Answers = dict[int | str, dict[str, Any]]
VERB_OF: Final = {
    Verdict.APPROVE: Verb.APPROVE,
    Verdict.CONDITIONAL: Verb.APPROVE,
    Verdict.REJECT: Verb.REJECT,
    Verdict.OVERRIDE: Verb.OVERRIDE,
}
MEDIA: Final = {"pdf": "application/pdf", "md": "text/markdown; charset=utf-8", "json": "application/json"}
OTHER: Final = "application/octet-stream"
BINARY: Final = {"schema": {"type": "string", "contentMediaType": ARCHIVE}}
ARCHIVE_BODY: Final = {"requestBody": {"required": True, "content": {ARCHIVE: BINARY}}}
AN_ARCHIVE: Final[Answers] = {200: {"content": {ARCHIVE: BINARY}}}
TAGGED: Final[Answers] = {200: {"headers": {"ETag": {"description": "The revision.", "schema": {"type": "string"}}}}}


class PrincipalDocument(TypedDict):
    """Who the server takes you for."""

    name: str
    duties: list[Duty]
    roles: list[Role]
    is_machine: bool


class StatementDocument(TypedDict):
    """What somebody would sign: the bytes in base64, and the same to read."""

    statement: str
    says: str


@router.get("/me", tags=["people"])
def who_am_i(principal: Annotated[Principal, Depends(allowed(Verb.READ))]) -> PrincipalDocument:
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
    request: Request, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.SUBMIT))]
) -> Document:
    """Open a release from a dossier folder, sent as a zip archive: every gate runs, and the memo is issued."""
    async with archive_of(request, house) as content:
        opened = await run_sync(_assessed, house, principal.name, content, "submit", limiter=ASSESSING)
    request.state.deployment, request.state.model = opened["deployment"], opened["model"]
    return opened


@router.post("/checks", tags=["releases"], response_model=AssessmentDocument, openapi_extra=ARCHIVE_BODY)
async def check(
    request: Request, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.CHECK))]
) -> Document:
    """Run every gate on a dossier folder, sent as a zip archive; nothing is recorded."""
    async with archive_of(request, house) as content:
        return await run_sync(_assessed, house, principal.name, content, "check", limiter=ASSESSING)


@router.post("/memos", tags=["releases"], response_class=Response, responses=AN_ARCHIVE, openapi_extra=ARCHIVE_BODY)
async def memo(
    request: Request, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.CHECK))]
) -> Response:
    """The memo of a dossier folder, both as zip archives, with what was found as `answer.json`; nothing is recorded."""
    async with archive_of(request, house) as content:
        composed = await run_sync(_composed, house, principal.name, content, limiter=ASSESSING)
    return Response(composed, media_type="application/zip")


@router.get("/deployments", tags=["releases"])
def deployments(
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
    model: Name | None = None,
    state: State | None = None,
    after: Name | None = None,
    limit: Limit = 100,
) -> DeploymentsPage:
    """Releases a page at a time, by id; `next` is the `after` of the page that follows."""
    return Local(house, principal.name).deployments(model=model, state=state, after=after, limit=limit)


@router.get("/deployments/{identity}", tags=["releases"], responses=TAGGED)
def deployment(
    identity: Name,
    house: Installation,
    response: Response,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
) -> ReleaseDocument:
    """One release; the entity tag is its revision."""
    document = Local(house, principal.name).deployment(identity)
    response.headers["etag"] = f'"{document["revision"]}"'
    return document


@router.get(
    "/deployments/{identity}/editions/{edition}/{path:path}",
    tags=["releases"],
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in (*MEDIA.values(), OTHER)}}},
)
def edition_file(
    identity: Name,
    edition: Name,
    path: str,
    house: Installation,
    _principal: Annotated[Principal, Depends(allowed(Verb.READ))],
) -> Response:
    """One file of an edition of the memo, as it was written."""
    state = house.record.deployment(identity)
    if edition not in dict(state.editions):
        raise NotFoundError(f"Expected an edition of {identity}, found {edition!r}; there are: {dict(state.editions)}.")
    files = house.releases.read(identity, edition)
    if path not in files:
        raise NotFoundError(f"Expected a file of the edition {edition}, found {path!r}; there are: {sorted(files)}.")
    kind = MEDIA.get(path.rpartition(".")[2], OTHER)
    safe = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return Response(files[path], media_type=kind, headers=safe)


@router.get("/history/{name}", tags=["releases"])
def history(
    name: Name,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 100,
) -> HistoryPage:
    """What happened to a model or one release, in order; `next` is the `after` of the page that follows."""
    return Local(house, principal.name).history(name, after=after, limit=limit)


@router.post("/deployments/{identity}/statements", tags=["signatures"])
def statement(
    identity: Name,
    body: StatementRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
) -> StatementDocument:
    """What you would sign: the statement, to be put into an envelope with your own key and presented."""
    if body.verdict not in VERB_OF:
        raise BadInputError(f"Expected a verdict on a release, found {body.verdict.value!r}.")
    said = house.approvals.statement(
        identity,
        person=principal.name,
        role=body.role,
        verdict=body.verdict,
        conditions=tuple(body.conditions),
        reason=body.reason,
    )
    return {"statement": encoded(said), "says": said.decode()}


@router.get("/deployments/{identity}/to-sign", tags=["signatures"])
def to_sign(
    identity: Name, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.READ))]
) -> ToSignDocument:
    """What an approval is about to be a signature over: where the memo is, its manifest, the gates, open conditions."""
    document = Local(house, principal.name).to_sign(identity)
    memo = f"/api/v1/deployments/{quote(identity, safe='')}/editions/{SUBMITTED}/deployment_memo.pdf"
    return {**document, "memo": None if document["memo"] is None else memo}


@router.post("/deployments/{identity}/approvals", tags=["signatures"])
def approve(
    identity: Name,
    body: SignatureRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.APPROVE))],
) -> ReleaseDocument:
    """Sign the manifest in a role; with conditions, the approval is conditional."""
    return Local(house, principal.name).approve(
        identity, _signatory(principal, body), conditions=tuple(body.conditions)
    )


@router.post("/deployments/{identity}/overrides", tags=["signatures"])
def override(
    identity: Name,
    body: SignatureRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.OVERRIDE))],
) -> ReleaseDocument:
    """Take responsibility for the gates that block; two people, and a sign-in of the last minutes."""
    return Local(house, principal.name).override(identity, _signatory(principal, body), reason=body.reason)


@router.post("/deployments/{identity}/rejections", tags=["signatures"])
def reject(
    identity: Name,
    body: SignatureRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.REJECT))],
) -> ReleaseDocument:
    """End a release before its rollout; it sticks."""
    return Local(house, principal.name).reject(identity, _signatory(principal, body), reason=body.reason)


@router.post("/deployments/{identity}/conditions", tags=["signatures"])
def meet(
    identity: Name,
    body: ConditionRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.MEET))],
) -> ReleaseDocument:
    """Say that a condition of your own approval is met."""
    signatory = Signatory(person=principal.name, role=body.role, signer=Presented(""))
    return Local(house, principal.name).meet(identity, signatory, condition=body.condition, note=body.note)


@router.post("/deployments/{identity}/start-statement", tags=["rollout"])
def start_statement(
    identity: Name, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.START))]
) -> StatementDocument:
    """What you would sign under section 12 to start this rollout, to be presented with the start."""
    said = Local(house, principal.name).start_statement(identity)
    return {"statement": encoded(said), "says": said.decode()}


@router.post("/deployments/{identity}/start", tags=["rollout"])
def start(
    identity: Name,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.START))],
    body: StartRequest | None = None,
) -> ReleaseDocument:
    """Enter shadow; with an envelope, who starts it signs section 12."""
    state = house.rollout.start(
        identity,
        actor=principal.name,
        signer=None if body is None or body.envelope is None else Presented(body.envelope),
    )
    return Local(house, principal.name).started(state)


@router.post("/deployments/{identity}/items-done", tags=["rollout"])
def mark_done(
    identity: Name,
    body: ItemDoneRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.MARK_DONE))],
) -> ReleaseDocument:
    """Say that you did what section 9 announces: a meeting, a dashboard, a document, a word to somebody."""
    return Local(house, principal.name).mark_done(identity, body.item, note=body.note)


@router.get("/deployments/{identity}/living-memo", tags=["releases"], response_class=Response, responses=AN_ARCHIVE)
async def living_memo(
    identity: Name, house: Installation, principal: Annotated[Principal, Depends(allowed(Verb.READ))]
) -> Response:
    """The memo with what happened since it was signed, as a zip archive; the signed editions are not touched."""
    composed = await run_sync(_living, house, principal.name, identity, limiter=ASSESSING)
    return Response(composed, media_type="application/zip")


@router.post("/deployments/{identity}/advance", tags=["rollout"])
def advance(
    identity: Name, house: Expecting, principal: Annotated[Principal, Depends(allowed(Verb.ADVANCE))]
) -> ReleaseDocument:
    """Go one phase further, when every condition holds."""
    return Local(house, principal.name).advance(identity)


@router.post("/deployments/{identity}/pause", tags=["rollout"])
def pause(
    identity: Name,
    body: PauseRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.PAUSE))],
) -> ReleaseDocument:
    """Stop the phase clock."""
    return Local(house, principal.name).pause(identity, body.reason, note=body.note)


@router.post("/deployments/{identity}/resume", tags=["rollout"])
def resume(
    identity: Name,
    body: PauseRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.RESUME))],
) -> ReleaseDocument:
    """Take one pause reason away."""
    return Local(house, principal.name).resume(identity, body.reason, note=body.note)


@router.post("/deployments/{identity}/rollback", tags=["rollout"])
async def rollback(
    identity: Name,
    body: RollbackRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed_to_leave(Verb.ROLLBACK))],
) -> RolledBackDocument:
    """Go back to the previous version now; one that was interrupted continues."""
    way_back = partial(Local(house, principal.name).rollback, identity, body.occasion, reason=body.reason)
    return await run_sync(way_back, limiter=LEAVING)


@router.post("/deployments/{identity}/attest-flat", tags=["rollout"])
async def attest_flat(
    identity: Name,
    body: AttestFlatRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed_to_leave(Verb.ATTEST_FLAT))],
) -> RolledBackDocument:
    """Vouch for a flat model where no venue says so; the rollback goes on from there."""
    attest = partial(Local(house, principal.name).attest_flat, identity, reason=body.reason)
    return await run_sync(attest, limiter=LEAVING)


@router.post("/deployments/{identity}/observations", tags=["rollout"])
def observe(
    identity: Name,
    body: ObservationRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.OBSERVE))],
) -> ObservedDocument:
    """One monitoring pass; a trigger that holds rolls back."""
    return Local(house, principal.name).observe(identity, body.session)


@router.post("/deployments/{identity}/sessions-not-held", tags=["rollout"])
def not_held(
    identity: Name,
    body: NotHeldRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.NOT_HELD))],
) -> ReleaseDocument:
    """Declare that the venue did not hold a session; it is then neither silence nor a day of a phase."""
    return Local(house, principal.name).not_held(identity, body.session, reason=body.reason)


@router.post("/deployments/{identity}/reviews", tags=["rollout"])
def review(
    identity: Name,
    body: ReviewRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.REVIEW))],
) -> ReviewedDocument:
    """The 30-day review."""
    return Local(house, principal.name).review(identity, notes=body.notes)


@router.post("/deployments/{identity}/post-mortem", tags=["rollout"])
def post_mortem(
    identity: Name,
    body: PostMortemRequest,
    house: Expecting,
    principal: Annotated[Principal, Depends(allowed(Verb.REVIEW))],
) -> ReleaseDocument:
    """Put what was learned from a rollback on record; it is due within 48 hours. The root cause may come later."""
    return Local(house, principal.name).post_mortem(identity, notes=body.notes, root_cause=body.root_cause)


@router.get("/models", tags=["models"])
def models(
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
    after: Name | None = None,
    limit: Limit = 100,
) -> ModelsPage:
    """Models a page at a time, by name."""
    return Local(house, principal.name).models(after=after, limit=limit)


@router.get("/models/{model}/flags", tags=["models"])
def flags(
    model: Name,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ_FLAGS))],
    version: Name | None = None,
) -> FlagsDocument:
    """The flags of one model, from the record: those of this version, or of the only one alive."""
    return Local(house, principal.name).flags(model, version=version)


@router.post("/models/{model}/rearm/statements", tags=["kill"])
def rearm_statement(
    model: Name,
    body: StatementRequest,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
) -> StatementDocument:
    """What you would sign to arm a killed model again."""
    said = house.kill_switch.statement(model, person=principal.name, role=body.role, reason=body.reason)
    return {"statement": encoded(said), "says": said.decode()}


@router.post("/models/{model}/rearm", tags=["kill"])
def rearm(
    model: Name,
    body: RearmRequest,
    house: Naming,
    principal: Annotated[Principal, Depends(allowed(Verb.REARM))],
) -> LatchDocument:
    """Sign for arming a killed model again; the second person arms, and live releases re-enter at shadow."""
    signatory = Signatory(person=principal.name, role=body.role, signer=Presented(body.envelope))
    return latch_document(house.kill_switch.rearm(model, signatory, reason=body.reason))


@router.post("/models/{model}/adoptions/statements", tags=["signatures"])
def adoption_statement(
    model: Name,
    body: AdoptionStatementRequest,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.READ))],
) -> StatementDocument:
    """What you would sign to record a version that was live before Signoff came."""
    said = Local(house, principal.name).adoption_statement(
        model, body.version, person=principal.name, role=body.role, reason=body.reason
    )
    return {"statement": encoded(said), "says": said.decode()}


@router.post("/models/{model}/adoptions", tags=["signatures"])
def adopt(
    model: Name,
    body: AdoptionRequest,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.ADOPT))],
) -> ReleaseDocument | CountersignedDocument:
    """Sign for recording a live version; a second person, with the same words within a day, puts it on record."""
    signatory = Signatory(person=principal.name, role=body.role, signer=Presented(body.envelope))
    return Local(house, principal.name).countersign(model, body.version, signatory, reason=body.reason)


@router.post(
    "/models/{model}/rehearsals",
    tags=["models"],
    response_model=RehearsedDocument,
    openapi_extra={"requestBody": {"content": {ARCHIVE: BINARY, "application/json": {"schema": {"type": "object"}}}}},
)
async def rehearse(
    model: Name,
    request: Request,
    house: Installation,
    principal: Annotated[Principal, Depends(allowed(Verb.REHEARSE))],
) -> Document:
    """Rehearse the rollback, by the plan of a dossier folder sent as a zip archive, or of the last release."""
    if request.headers.get("content-type", "").startswith("application/zip"):
        async with archive_of(request, house) as content:
            return await run_sync(_rehearsed, house, principal.name, model, content, limiter=ASSESSING)
    return await run_sync(carried_out, house, principal.name, "rehearse", model, limiter=ASSESSING)


@router.get("/export", tags=["audit"], response_class=Response, responses=AN_ARCHIVE)
def export(house: Installation, _principal: Annotated[Principal, Depends(allowed(Verb.EXPORT))]) -> Response:
    """The ledger and its files as a zip archive, to be verified offline."""
    return Response(zipped(house.export()), media_type="application/zip")


def _signatory(principal: Principal, body: SignatureRequest) -> Signatory:
    if principal.is_machine:
        raise RefusedError("A machine's token never signs.")
    return Signatory(person=principal.name, role=body.role, signer=Presented(body.envelope))


def _assessed(house: House, actor: str, content: BinaryIO, verb: str) -> Document:
    with unpacked(house, content) as folder:
        return carried_out(house, actor, verb, folder=folder)


def _composed(house: House, actor: str, content: BinaryIO) -> bytes:
    with unpacked(house, content) as folder, written_folder(house) as out:
        document = carried_out(house, actor, "memo", folder=folder, out=out)
        return zipped({**read_folder(out), "answer.json": canonical(document)})


def _living(house: House, actor: str, identity: str) -> bytes:
    house.record.deployment(identity)
    with written_folder(house) as out:
        document = carried_out(house, actor, "living_memo", identity, out=out)
        return zipped({**read_folder(out), "answer.json": canonical(document)})


def _rehearsed(house: House, actor: str, model: str, content: BinaryIO) -> Document:
    with unpacked(house, content) as folder:
        return carried_out(house, actor, "rehearse", model, folder=folder)
