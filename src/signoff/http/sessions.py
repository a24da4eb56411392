"""Sessions of people who signed in: an opaque number in a cookie, everything else on the shelf under its digest.

A session ends twelve hours after the sign-in and after one hour without a request. What changes something by cookie
also carries the session's own token in `X-CSRF-Token` and comes from this site, so that another page cannot send it.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from signoff.domain.access import ForbiddenError, Principal
from signoff.ledger.canonical import canonical, digest
from signoff.wiring import House

KIND: Final = "session"
PREFIX: Final = "signoff-session_"
WHOLE: Final = timedelta(hours=12)
IDLE: Final = timedelta(hours=1)
HANDED_OVER: Final = timedelta(minutes=30)
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who signed in, when the provider saw them, and until when it holds."""

    name: str
    signed_in_at: datetime | None
    ends_at: datetime
    csrf: str

    def to_bytes(self) -> bytes:
        """As the shelf keeps it."""
        seen = self.signed_in_at.isoformat() if self.signed_in_at else None
        said = {"name": self.name, "signed_in_at": seen, "ends_at": self.ends_at.isoformat(), "csrf": self.csrf}
        return canonical(said)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Session":
        """As it was kept."""
        said = json.loads(content)
        seen = datetime.fromisoformat(said["signed_in_at"]) if said["signed_in_at"] else None
        ends_at = datetime.fromisoformat(said["ends_at"])
        return cls(name=said["name"], signed_in_at=seen, ends_at=ends_at, csrf=said["csrf"])


def begin(house: House, name: str, signed_in_at: datetime | None, *, whole: timedelta = WHOLE) -> tuple[str, Session]:
    """A new session and the number that opens it, which is kept nowhere here."""
    now, number = house.clock.now(), secrets.token_urlsafe(32)
    session = Session(name=name, signed_in_at=signed_in_at, ends_at=now + whole, csrf=secrets.token_urlsafe(24))
    house.shelf.put(KIND, digest(number.encode()), session.to_bytes(), min(now + IDLE, session.ends_at))
    return number, session


def found(house: House, number: str) -> Session | None:
    """The session that a number opens; each look puts off the end by idleness."""
    name, now = digest(number.encode()), house.clock.now()
    content = house.shelf.get(KIND, name, now)
    if content is None:
        return None
    session = Session.from_bytes(content)
    if session.ends_at <= now:
        return None
    house.shelf.put(KIND, name, content, min(now + IDLE, session.ends_at))
    return session


def end(house: House, number: str) -> None:
    """Sign out."""
    house.shelf.drop(KIND, digest(number.encode()))


def by_bearer(house: House, presented: str, *, as_last_known: bool) -> Principal | None:
    """Who acts by a session that was handed over to a command line."""
    session = found(house, presented.removeprefix(PREFIX))
    return None if session is None else _principal(house, session, as_last_known=as_last_known)


def by_cookie(house: House, request: Request, *, as_last_known: bool) -> Principal | None:
    """Who acts by the cookie of a browser; ForbiddenError for a change that another site may have sent."""
    session = of_cookie(house, request)
    if session is None:
        return None
    if request.method not in SAFE:
        check_origin(request, session)
    return _principal(house, session, as_last_known=as_last_known)


def of_cookie(house: House, request: Request) -> Session | None:
    """The session of a browser."""
    number = request.cookies.get(cookie_name(house))
    return found(house, number) if number else None


def check_origin(request: Request, session: Session) -> None:
    """Refuse a request by cookie that does not carry the session's own token, or comes from another site."""
    given = request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(digest(given.encode()), digest(session.csrf.encode())):
        raise ForbiddenError("Expected the session's own X-CSRF-Token; /auth/session tells it.")
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForbiddenError("This request was sent by a page of another site; nothing was done.")


def give_cookie(house: House, response: Response, name: str, value: str, seconds: int) -> None:
    """A cookie that no script reads and no other site sends along with a form."""
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=is_secure(house))


def cookie_name(house: House) -> str:
    """The cookie's name; behind https browsers themselves pin it to this host."""
    return "__Host-signoff" if is_secure(house) else "signoff"


def is_secure(house: House) -> bool:
    """Whether people reach this server by https."""
    provider = house.settings.oidc
    return provider is not None and provider.public_url.startswith("https://")


def _principal(house: House, session: Session, *, as_last_known: bool) -> Principal:
    return house.accounts.signed_in(session.name, session.signed_in_at, as_last_known=as_last_known)
