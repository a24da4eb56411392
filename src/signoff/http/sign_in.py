"""Signs people in through the firm's identity provider: OpenID Connect, authorization code with PKCE.

Issuer and subject identify a person, by a recorded binding; an e-mail address never does. The provider's `auth_time`
gives the freshness of a sign-in; without it the sign-in is not fresh.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from starlette.exceptions import HTTPException

from signoff.app.people import come_in
from signoff.config.settings import Provider
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError
from signoff.http import sessions
from signoff.http.access import InstallationDep
from signoff.installation import Installation
from signoff.ledger.canonical import canonical, digest

KIND: Final = "sign-in"
TRIES: Final = "sign-in-tries"
UNDER_WAY: Final = timedelta(minutes=10)
MOST_TRIES: Final = 30
WINDOW: Final = timedelta(minutes=1)
LEEWAY_S: Final = 60
COOKIE: Final = "signoff-sign-in"
ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "The provider did not let them in, or no person here is bound to them."},
    404: {"description": "No identity provider is set up."},
    429: {"description": "Too many sign-ins from this address."},
}
router = APIRouter(prefix="/auth", tags=["sign-in"])


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity that the provider authenticated, and when."""

    issuer: str
    subject: str
    seen_at: datetime | None


def provider_of(house: InstallationDep) -> Provider:
    """The identity provider; NotFoundError without one."""
    if house.settings.oidc is None:
        raise NotFoundError("No identity provider is set up; SIGNOFF_OIDC_ISSUER names one. Tokens work without.")
    return house.settings.oidc


AtProvider = Annotated[Provider, Depends(provider_of)]


@router.get("/sign-in", response_class=Response, status_code=HTTPStatus.SEE_OTHER, responses=REFUSED)
def sign_in(
    request: Request,
    house: InstallationDep,
    provider: AtProvider,
    then: str = "/",
    fresh: bool = False,
    bootstrap: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Go to the provider; `fresh` asks it to see the person again, which overriding and re-arming need.

    `bootstrap` is the one-time secret of the first administrator.
    """
    _limit(house, request)
    if not then.startswith("/") or then.startswith(("//", "/\\")):
        raise BadInputError(f"Expected a page of this site to go to after signing in, found {then!r}.")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    begun = canonical({"nonce": nonce, "verifier": verifier, "then": then, "invited": digest(bootstrap.encode())})
    house.shelf.put(KIND, digest(state.encode()), begun, house.clock.now() + UNDER_WAY)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": f"{provider.public_url}/auth/callback",
        "scope": "openid",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if fresh:
        asked |= {"max_age": "0", "prompt": "login"}
    place = _configuration(provider)["authorization_endpoint"]
    answer = RedirectResponse(f"{place}?{urlencode(asked)}", HTTPStatus.SEE_OTHER)
    sessions.give_cookie(house, answer, COOKIE, state, int(UNDER_WAY.total_seconds()))
    return answer


@router.get("/callback", response_class=Response, status_code=HTTPStatus.SEE_OTHER, responses=REFUSED)
def callback(
    request: Request, house: InstallationDep, provider: AtProvider, state: str = "", code: str = "", error: str = ""
) -> Response:
    """Come back from the provider; the state is this browser's own, and works once."""
    _limit(house, request)
    cookie = request.cookies.get(COOKIE, "")
    stored = house.shelf.take(KIND, digest(state.encode()), house.clock.now()) if state else None
    if stored is None or digest(cookie.encode()) != digest(state.encode()):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "This sign-in was not begun in this browser, or is over. Begin again."
        )
    if error or not code:
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"The identity provider did not let you in ({error[:80] or 'no code'})."
        )
    begun = json.loads(stored)
    identity = _identity(house, provider, code, begun)
    name = _invited(house, identity, begun) or house.record.people().bound_to(identity.issuer, identity.subject)
    if name is None:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"No person here is bound to {identity.subject} at {identity.issuer}. Ask an administrator for "
            f"`signoff accounts bind NAME --issuer {identity.issuer} --subject {identity.subject}`.",
        )
    if (old := request.cookies.get(sessions.cookie_name(house))) is not None:
        sessions.end(house, old)
    number, _ = sessions.begin(house, name, identity.seen_at, issuer=identity.issuer, subject=identity.subject)
    answer = RedirectResponse(begun["then"], HTTPStatus.SEE_OTHER)
    sessions.give_cookie(house, answer, sessions.cookie_name(house), number, int(sessions.WHOLE.total_seconds()))
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/session")
def session(request: Request, house: InstallationDep) -> dict[str, object]:
    """The signed-in person, and the CSRF token for changes."""
    login = _session(request, house)
    seen = login.signed_in_at.isoformat() if login.signed_in_at else None
    return {"name": login.name, "signed_in_at": seen, "ends_at": login.ends_at.isoformat(), "csrf": login.csrf}


@router.post("/hand-over")
def hand_over(request: Request, house: InstallationDep) -> dict[str, object]:
    """A session for your command line, as fresh as this one; give it as SIGNOFF_TOKEN."""
    login = _session(request, house)
    sessions.check_origin(request, login)
    number, handed = sessions.begin(
        house,
        login.name,
        login.signed_in_at,
        issuer=login.issuer,
        subject=login.subject,
        whole=sessions.HANDED_OVER,
    )
    return {"token": f"{sessions.PREFIX}{number}", "ends_at": handed.ends_at.isoformat()}


@router.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request, house: InstallationDep) -> JSONResponse:
    """End every session of yours, on every machine."""
    login = _session(request, house)
    sessions.check_origin(request, login)
    sessions.end_all(house, login.name)
    answer = JSONResponse({"signed_out": True})
    answer.delete_cookie(sessions.cookie_name(house), path="/")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, house: InstallationDep) -> JSONResponse:
    """End this session."""
    sessions.check_origin(request, _session(request, house))
    sessions.end(house, request.cookies[sessions.cookie_name(house)])
    answer = JSONResponse({"signed_out": True})
    answer.delete_cookie(sessions.cookie_name(house), path="/")
    return answer


# Routes that accept only a browser's cookie.
BY_COOKIE: Final = (session, hand_over, sign_out_everywhere, sign_out)


def _invited(house: Installation, identity: Identity, begun: dict[str, str]) -> str | None:
    """The name of the first administrator, for a bootstrap link; None for other sign-ins."""
    if begun["invited"] == digest(b""):
        return None
    name = come_in(house.record, begun["invited"], issuer=identity.issuer, subject=identity.subject)
    house.accounts.known.forget()
    return name


def _session(request: Request, house: Installation) -> sessions.SignedInSession:
    login = sessions.of_cookie(house, request)
    if login is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "You are not signed in; begin at /auth/sign-in.")
    return login


def _identity(house: Installation, provider: Provider, code: str, begun: dict[str, str]) -> Identity:
    """Exchange the code for an ID token, and verify it."""
    configuration = _configuration(provider)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{provider.public_url}/auth/callback",
        "code_verifier": begun["verifier"],
    }
    tokens = _told(
        "POST", configuration["token_endpoint"], data=form, auth=(provider.client_id, provider.client_secret)
    )
    keys = KeySet.import_key_set(_keys(configuration["jwks_uri"]))
    try:
        claims = jwt.decode(tokens["id_token"], keys, algorithms=ALGORITHMS).claims
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise HTTPException(HTTPStatus.FORBIDDEN, f"The provider's ID token does not hold: {error}.") from error
    _check_claims(claims, provider, begun["nonce"], house.clock.now())
    return Identity(issuer=provider.issuer, subject=claims["sub"], seen_at=_moment(claims.get("auth_time")))


def _moment(seen: object) -> datetime | None:
    """The time of authentication by the provider; None if missing or invalid."""
    if not isinstance(seen, int) or isinstance(seen, bool):
        return None
    try:
        return datetime.fromtimestamp(seen, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _check_claims(claims: dict[str, Any], provider: Provider, nonce: str, now: datetime) -> None:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    expires, begins = claims.get("exp"), claims.get("iat")
    holds = {
        "issuer": str(claims.get("iss", "")).rstrip("/") == provider.issuer,
        "audience": provider.client_id in listed and (len(listed) == 1 or claims.get("azp") == provider.client_id),
        "nonce": claims.get("nonce") == nonce,
        "subject": isinstance(claims.get("sub"), str) and bool(claims.get("sub")),
        "expiry": isinstance(expires, int | float) and expires > now.timestamp() - LEEWAY_S,
        "time of issue": isinstance(begins, int | float) and begins < now.timestamp() + LEEWAY_S,
    }
    if wrong := [what for what, is_right in holds.items() if not is_right]:
        raise HTTPException(
            HTTPStatus.FORBIDDEN, f"The provider's ID token is not for this sign-in: {', '.join(wrong)}."
        )


def _configuration(provider: Provider) -> dict[str, Any]:
    configuration = _told("GET", f"{provider.issuer}/.well-known/openid-configuration")
    if str(configuration.get("issuer", "")).rstrip("/") != provider.issuer:
        raise UnavailableError(
            f"The provider at {provider.issuer} says it is {configuration.get('issuer')!r}; correct the issuer."
        )
    return configuration


def _keys(url: str) -> KeySetSerialization:
    keys: Any = _told("GET", url)
    return KeySetSerialization(keys=keys.get("keys", []))


def _told(method: str, url: str, **how: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on to the client
    try:
        answer = httpx.request(method, url, timeout=10, **how)
        answered: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise UnavailableError(f"The identity provider did not answer as expected ({type(error).__name__}).") from error
    if not answer.is_success:
        reason = answered.get("error", answer.status_code)
        raise HTTPException(HTTPStatus.FORBIDDEN, f"The identity provider refused ({str(reason)[:80]}). Begin again.")
    return answered


def _limit(house: Installation, request: Request) -> None:
    """Limit the sign-ins per minute from one address; flags and kills have no such limit."""
    now = house.clock.now()
    address = request.client.host if request.client else "unknown"
    window = int(now.timestamp() // WINDOW.total_seconds())
    free = [f"{address}:{window}:{n}" for n in range(MOST_TRIES)]
    is_over = house.shelf.get(TRIES, free[-1], now) is not None  # only a read, so that a flood writes nothing
    if is_over or not any(house.shelf.add(TRIES, name, b"1", now + WINDOW, now) for name in free):
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, "Too many sign-ins from this address; wait a minute.", {"retry-after": "60"}
        )
