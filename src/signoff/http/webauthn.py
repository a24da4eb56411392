"""Authenticators over HTTP: their enrolment, and the plain pages in which people enrol and sign.

The pages hold no data and load no foreign script: they fetch data by the public routes, and show what a person signs
from the very bytes that are signed. An approval made here is presented like any other envelope.
"""

from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic import Field
from typing_extensions import TypedDict

from signoff.domain.errors import BadInputError, NotFoundError
from signoff.domain.permissions import Permission, Principal
from signoff.http.access import InstallationDep, allowed
from signoff.http.idempotency import Command
from signoff.ledger.text import decoded, encoded
from signoff.verbs.bodies import Body, Text
from signoff.verbs.documents import CredentialsDocument
from signoff.verbs.local import Local

router = APIRouter(prefix="/api/v1", route_class=Command, tags=["authenticators"])
pages = APIRouter(tags=["pages"])
Holding = Annotated[Principal, Depends(allowed(Permission.MANAGE_CREDENTIALS))]
Bytes = Annotated[str, Field(min_length=1, max_length=65_536)]
KINDS: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
PAGE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/html": {}}}}
PART: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/css": {}, "text/javascript": {}}}}
# Only our own scripts, styles and addresses; and only these pages may use authenticators.
STRICT: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    "cache-control": "no-cache",
}


class RegistrationRequest(Body):
    """A browser's answer after it created a credential; bytes in base64."""

    label: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
    challenge: Annotated[str, Field(max_length=100)]
    attestation_object: Bytes
    client_data: Bytes


class WithdrawalOfCredential(Body):
    reason: Text


class CredentialSite(TypedDict):
    """The site for which a credential is valid."""

    id: str
    name: str


class OptionsDocument(TypedDict):
    """The options with which a browser creates a credential."""

    challenge: str
    rp: CredentialSite
    user: str
    exclude: list[str]


@router.post("/credentials/options")
def options(house: InstallationDep, principal: Holding) -> OptionsDocument:
    """The options with which a browser creates a credential; the challenge works once."""
    authenticators = house.authenticators
    challenge, credentials = authenticators.ask(principal.name), house.record.people().named(principal.name).credentials
    return {
        "challenge": encoded(challenge),
        "rp": {"id": authenticators.site.id, "name": "Signoff"},
        "user": principal.name,
        "exclude": [credential.id for credential in credentials],
    }


@router.post("/credentials", status_code=201)
def register(body: RegistrationRequest, house: InstallationDep, principal: Holding) -> CredentialsDocument:
    """Enrol an authenticator. It counts at once if you held nothing before, else once you have vouched for it."""
    house.authenticators.register(
        principal.name,
        attestation_object=_bytes(body.attestation_object),
        client_data=_bytes(body.client_data),
        challenge=body.challenge,
        label=body.label,
    )
    return Local(house, principal.name).credentials()


@router.post("/credentials/{credential}/withdraw")
def withdraw(
    credential: str, body: WithdrawalOfCredential, house: InstallationDep, principal: Holding
) -> CredentialsDocument:
    """Withdraw one of your authenticators; it can sign no more."""
    return Local(house, principal.name).withdraw_credential(credential, reason=body.reason)


@pages.get("/credentials", response_class=Response, responses=PAGE)
def credentials_page() -> Response:
    """Your authenticators."""
    return Response(_page("credentials.html"), headers=STRICT, media_type="text/html")


@pages.get("/sign/{deployment_id}", response_class=Response, responses=PAGE)
def signing_page(deployment_id: str) -> Response:  # noqa: ARG001 - the page reads it from its own address
    """The content that you will sign, in plain words, and the button for your authenticator."""
    return Response(_page("sign.html"), headers=STRICT, media_type="text/html")


@pages.get("/rearm/{model}", response_class=Response, responses=PAGE)
def rearming_page(model: str) -> Response:  # noqa: ARG001 - the page reads it from its own address
    """The same for arming a killed model again."""
    return Response(_page("sign.html"), headers=STRICT, media_type="text/html")


@pages.get("/pages/{name}", response_class=Response, responses=PART)
def page_part(name: str) -> Response:
    """The script and the style of the pages."""
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None or name not in {part.name for part in files("signoff.http").joinpath("pages").iterdir()}:
        raise NotFoundError(f"Expected a part of a page, found {name[:40]!r}.")
    return Response(_page(name), headers=STRICT, media_type=kind)


def _page(name: str) -> bytes:
    return files("signoff.http").joinpath("pages", name).read_bytes()


def _bytes(text: str) -> bytes:
    try:
        return decoded(text)
    except ValueError as error:
        raise BadInputError(f"Expected base64 with padding, found something else: {error}.") from error
