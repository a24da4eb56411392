"""Sessions of people who signed in: an opaque number in a cookie; the TTL store has the rest under its digest.

A session ends twelve hours after the sign-in, or after one hour without a request. A change by cookie must carry the
session's own token, in `X-CSRF-Token` or in the form, and come from this site, so that another page cannot send it.
"""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from signoff.domain.errors import UnavailableError
from signoff.domain.permissions import ForbiddenError, Principal
from signoff.installation import Installation
from signoff.ledger.canonical import canonical, digest

KIND: Final = "session"
ENDED: Final = "signed-out"
PREFIX: Final = "signoff-session_"
COOKIE: Final = "signoff"
SECURE_COOKIE: Final = "__Host-signoff"
WHOLE: Final = timedelta(hours=12)
IDLE: Final = timedelta(hours=1)
HANDED_OVER: Final = timedelta(minutes=30)
EXTENDED_EACH: Final = timedelta(minutes=5)
MOST_SEEN: Final = 10_000
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInSession:
    """A person's session: their name, their identity at the provider, the sign-in, and the session's end."""

    name: str
    issuer: str
    subject: str
    signed_in_at: datetime | None
    begun_at: datetime
    ends_at: datetime
    csrf: str

    def to_bytes(self) -> bytes:
        """The stored form."""
        seen = self.signed_in_at.isoformat() if self.signed_in_at else None
        times = {"begun_at": self.begun_at.isoformat(), "ends_at": self.ends_at.isoformat()}
        names = {"name": self.name, "issuer": self.issuer, "subject": self.subject}
        return canonical({**names, "signed_in_at": seen, "csrf": self.csrf, **times})

    @classmethod
    def from_bytes(cls, content: bytes) -> "SignedInSession":
        """Read the stored form; a session of an earlier Signoff has no identity and is valid for nobody."""
        fields = json.loads(content)
        seen = datetime.fromisoformat(fields["signed_in_at"]) if fields["signed_in_at"] else None
        begun, ends = (datetime.fromisoformat(fields[name]) for name in ("begun_at", "ends_at"))
        return cls(
            name=fields["name"],
            issuer=fields.get("issuer", ""),
            subject=fields.get("subject", ""),
            signed_in_at=seen,
            begun_at=begun,
            ends_at=ends,
            csrf=fields["csrf"],
        )


def begin(
    house: Installation,
    name: str,
    signed_in_at: datetime | None,
    *,
    issuer: str,
    subject: str,
    whole: timedelta = WHOLE,
) -> tuple[str, SignedInSession]:
    """Begin a session for an identity of the provider; return the number that opens it, which is not stored."""
    now, number = house.clock.now(), secrets.token_urlsafe(32)
    session = SignedInSession(
        name=name,
        issuer=issuer,
        subject=subject,
        signed_in_at=signed_in_at,
        begun_at=now,
        ends_at=now + whole,
        csrf=secrets.token_urlsafe(24),
    )
    house.shelf.put(KIND, digest(number.encode()), session.to_bytes(), min(now + IDLE, session.ends_at))
    return number, session


def found(house: Installation, number: str) -> SignedInSession | None:
    """The session that a number opens."""
    now = house.clock.now()
    content = house.shelf.get(KIND, digest(number.encode()), now)
    if content is None:
        return None
    session = SignedInSession.from_bytes(content)
    return None if session.ends_at <= now or _is_ended(house, session, now) else session


def extend(house: Installation, number: str, session: SignedInSession) -> None:
    """Extend the idle time; a session that was ended meanwhile stays ended."""
    now = house.clock.now()
    house.shelf.prolong(KIND, digest(number.encode()), min(now + IDLE, session.ends_at), now)


def end(house: Installation, number: str) -> None:
    """Sign out."""
    house.shelf.drop(KIND, digest(number.encode()))


def end_all(house: Installation, name: str) -> None:
    """Sign a person out of every session begun until now."""
    now = house.clock.now()
    house.shelf.put(ENDED, name, now.isoformat().encode(), now + WHOLE)


def _is_ended(house: Installation, session: SignedInSession, now: datetime) -> bool:
    ended = house.shelf.get(ENDED, session.name, now)
    return ended is not None and session.begun_at <= datetime.fromisoformat(ended.decode())


@dataclass(frozen=True, slots=True)
class RecentSessions:
    """A cache of recent sessions, so that signed-in people can stop a model during an outage."""

    by_digest: dict[str, tuple[SignedInSession, datetime]] = field(default_factory=dict)

    def note(self, number: str, session: SignedInSession | None, now: datetime) -> bool:
        """Remember the session of a number; return whether its idle time should be extended.

        The oldest entry is evicted.
        """
        name = digest(number.encode())
        before, extended_at = self.by_digest.pop(name, (None, now))
        if session is None:
            return False
        is_due = before is None or now - extended_at > EXTENDED_EACH
        self.by_digest[name] = (session, now if is_due else extended_at)
        if len(self.by_digest) > MOST_SEEN:
            del self.by_digest[next(iter(self.by_digest))]
        return is_due

    def last_known(self, number: str, now: datetime) -> SignedInSession | None:
        """The cached session of a number, unless it has expired."""
        session, extended_at = self.by_digest.get(digest(number.encode()), (None, now))
        return session if session is not None and now < min(session.ends_at, extended_at + IDLE) else None


def by_bearer(house: Installation, request: Request, presented: str, *, as_last_known: bool) -> Principal | None:
    """The principal of a session that was handed over to a command line."""
    return _who(house, request, presented.removeprefix(PREFIX), as_last_known=as_last_known)


def by_cookie(house: Installation, request: Request, *, as_last_known: bool) -> Principal | None:
    """The principal of a browser's cookie; ForbiddenError for a change that another site may have sent."""
    number = request.cookies.get(cookie_name(house))
    return _who(house, request, number, as_last_known=as_last_known, is_cookie=True) if number else None


def of_cookie(house: Installation, request: Request) -> SignedInSession | None:
    """The session of a browser, unless its identity was unbound since."""
    number = request.cookies.get(cookie_name(house))
    session = found(house, number) if number else None
    return session if session is not None and principal_of(house, session) is not None else None


def principal_of(house: Installation, session: SignedInSession, *, as_last_known: bool = False) -> Principal | None:
    """The principal of a session; None once its identity was unbound."""
    return house.accounts.signed_in(
        session.name,
        session.signed_in_at,
        issuer=session.issuer,
        subject=session.subject,
        as_last_known=as_last_known,
    )


def check_origin(request: Request, session: SignedInSession) -> None:
    """Refuse a request by cookie without the session's own token, or from another site.

    A page without a script carries the token in its form, which was read into the request's state.
    """
    presented = request.headers.get("x-csrf-token") or str(getattr(request.state, "csrf", ""))
    if not hmac.compare_digest(digest(presented.encode()), digest(session.csrf.encode())):
        raise ForbiddenError(
            "Expected the session's own X-CSRF-Token, which /auth/session tells; a form opened before the last sign-in "
            "holds an old one."
        )
    origin = request.headers.get("origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForbiddenError("This request was sent by a page of another site; nothing was done.")


def give_cookie(house: Installation, response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=is_secure(house))


def cookie_name(house: Installation) -> str:
    """The cookie's name; over https its prefix makes browsers pin it to this host."""
    return SECURE_COOKIE if is_secure(house) else COOKIE


def is_secure(house: Installation) -> bool:
    """Whether this server's public address is https."""
    provider = house.settings.oidc
    return provider is not None and provider.public_url.startswith("https://")


def _who(
    house: Installation, request: Request, number: str, *, as_last_known: bool, is_cookie: bool = False
) -> Principal | None:
    """The principal of a session; with `as_last_known`, from the cache if the database does not answer."""
    seen: RecentSessions = request.app.state.seen
    now = house.clock.now()
    if not as_last_known:
        try:
            session = found(house, number)
            if seen.note(number, session, now) and session is not None:
                extend(house, number, session)
        except UnavailableError:
            as_last_known = True
    if as_last_known:
        session = seen.last_known(number, now)
    if session is None:
        return None
    if is_cookie and request.method not in SAFE:
        check_origin(request, session)
    return principal_of(house, session, as_last_known=as_last_known)
