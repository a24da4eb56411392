"""Authentication by tokens and by the identity provider.

Reading people is quick, and works while the database is down. The cached people then allow only stopping
(`domain/permissions.POSSIBLE_IN_OUTAGE`): a token that was revoked during an outage can still stop, and nothing else.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, Protocol

from signoff.app.record import PEOPLE, Record, StreamChange
from signoff.domain import decisions
from signoff.domain.errors import SignoffError, TamperedError, UnavailableError
from signoff.domain.events import AnyEvent, TokenIssued, TokenRevoked
from signoff.domain.people import People, Token
from signoff.domain.permissions import Permission, Principal
from signoff.ledger.canonical import digest
from signoff.ledger.codec import decode_state

PREFIX: Final = "signoff"
TOKEN_DAYS: Final = 90
FRESH_S: Final = 0.1
# Compared with if no token has this id, so that an unknown id takes the same path as a wrong secret.
NO_TOKEN: Final = Token(
    id="", digest="0" * 64, person="", scopes=(), expires_at=datetime.min.replace(tzinfo=UTC), is_machine=True
)


class CachedPeople(Protocol):
    """The file that caches the people for an outage."""

    def load(self) -> bytes | None:
        """The cached bytes."""

    def keep(self, content: bytes) -> None:
        """Cache these bytes; it may fail silently."""


@dataclass(slots=True)
class KnownPeople:
    """The people, read again when their stream changed, and cached for an outage.

    A file caches them too, so that a process that starts in an outage knows who may stop a model. Of two concurrent
    readings the one that began later counts, whichever ends last.
    """

    record: Record
    kept: CachedPeople | None = None
    _known: People | None = None
    _read_at: float = float("-inf")
    _forgotten_at: float = float("-inf")
    _noting: Lock = field(default_factory=Lock)

    @property
    def is_fresh(self) -> bool:
        """Whether the people were read a moment ago, so that a thousand desks cause one reading."""
        return self._known is not None and self.record.clock.monotonic() - self._read_at < FRESH_S

    def forget(self) -> None:
        """Read again next time; a reading that has begun already does not count."""
        with self._noting:
            self._read_at, self._forgotten_at = float("-inf"), self.record.clock.monotonic()

    def now(self, *, as_last_known: bool = False) -> tuple[People, bool]:
        """The people, and whether they are cached because the database is unreachable or slow."""
        people = self._known
        if as_last_known:
            if (people := people or self._last_kept()) is None:
                raise UnavailableError("The database does not answer, and no people are cached; try again.")
            return people, True
        if people is not None and self.is_fresh:
            return people, False
        began = self.record.clock.monotonic()
        try:
            stored = self.record.store.load(PEOPLE)
            if stored is None:
                now = People()
            elif people is None or people.revision != stored.revision:
                now = decode_state(People, stored.state)
            else:
                now = people
        except SignoffError:  # unreachable or damaged: the present people are unknown
            if (people := people or self._last_kept()) is None:
                raise
            return people, True
        if self.kept is not None and stored is not None and now is not people:
            self.kept.keep(stored.state)
        with self._noting:
            if began >= max(self._read_at, self._forgotten_at):
                self._known, self._read_at = now, began
        return now, False

    def _last_kept(self) -> People | None:
        """The people in the cache file."""
        content = None if self.kept is None else self.kept.load()
        try:
            return None if content is None else decode_state(People, content)
        except TamperedError:
            return None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with its secret, which is shown once."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Principals and their tokens; each change of a token is recorded."""

    record: Record
    known: KnownPeople

    def bearer(self, presented: str, *, as_last_known: bool = False) -> Principal | None:
        """The principal of this token; None if it is unknown, wrong, revoked or expired, without saying which."""
        people, is_last_known = self.known.now(as_last_known=as_last_known)
        token_id, secret = _parts(presented)
        token = people.tokens.get(token_id, NO_TOKEN)
        is_right = hmac.compare_digest(token.digest, digest(secret.encode()))
        if not is_right or token.expires_at <= self.record.now():
            return None
        return replace(people.bearer(token), is_last_known=is_last_known)

    def issue_token(
        self,
        holder: str,
        *,
        scopes: frozenset[Permission],
        actor: str,
        by: Principal | None = None,
        days: int = TOKEN_DAYS,
        is_machine: bool = False,
    ) -> IssuedToken:
        """Issue a token to a person or a machine. `by` is who asks over the network, and may give only their own
        duties.

        Only the result holds the secret.
        """
        people = self.record.people()
        decisions.credentials.issue_token(people, holder, scopes=scopes, days=days, by=by, is_machine=is_machine)
        token_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        issued = TokenIssued(
            token=token_id,
            digest=digest(secret.encode()),
            person=holder,
            scopes=tuple(sorted(scopes)),
            expires_at=self.record.now() + timedelta(days=days),
            is_machine=is_machine,
        )
        self._commit(people, issued, actor=actor, key=f"token:{token_id}")
        token = self.record.people().tokens[token_id]
        return IssuedToken(token=token, secret=f"{PREFIX}_{token_id}_{secret}")

    def widest(self, holder: str, *, is_machine: bool, by: Principal | None = None) -> frozenset[Permission]:
        """The duties that this person may give to a token of this holder."""
        return decisions.credentials.widest(self.record.people(), holder, by=by, is_machine=is_machine)

    def revoke_token(self, token_id: str, *, actor: str, by: Principal | None = None) -> None:
        """Revoke a token at once. Over the network people revoke their own, and administrators any."""
        people = self.record.people()
        decisions.credentials.revoke_token(people.tokens.get(token_id), token_id, by)
        self._commit(people, TokenRevoked(token=token_id), actor=actor, key=f"untoken:{token_id}")

    def signed_in(
        self,
        name: str,
        signed_in_at: datetime | None,
        *,
        issuer: str,
        subject: str,
        as_last_known: bool = False,
    ) -> Principal | None:
        """A signed-in person with their present duties; None if this identity is no longer bound to them."""
        people, is_last_known = self.known.now(as_last_known=as_last_known)
        if people.bound_to(issuer, subject) != name and not is_last_known:
            self.known.forget()  # another process may have bound the identity since the people were read
            people, is_last_known = self.known.now()
        if people.bound_to(issuer, subject) != name:
            return None
        return replace(people.principal(name, signed_in_at=signed_in_at), is_last_known=is_last_known)

    def _commit(self, people: People, *events: AnyEvent, actor: str, key: str) -> None:
        state = people if people.revision else None
        self.record.commit(StreamChange(stream=PEOPLE, state=state, events=events), actor=actor, key=key)
        self.known.forget()


def _parts(presented: str) -> tuple[str, str]:
    prefix, _, rest = presented.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX else ("", presented)
