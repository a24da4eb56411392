"""Who comes in by what: tokens, and people whom the identity provider saw.

Reading who people are is quick, and goes on while the database is down: the last people known then vouch for stopping
only (`domain/access.POSSIBLE_IN_OUTAGE`), so a token revoked during an outage can still stop, and nothing else.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, Protocol

from signoff.app.record import PEOPLE, Record, StreamChange
from signoff.domain import decisions
from signoff.domain.access import Permission, Principal
from signoff.domain.errors import SignoffError, TamperedError, UnavailableError
from signoff.domain.events import AnyEvent, TokenIssued, TokenRevoked
from signoff.domain.people import People, Token
from signoff.ledger.canonical import digest
from signoff.ledger.codec import decode_state

PREFIX: Final = "signoff"
TOKEN_DAYS: Final = 90
FRESH_S: Final = 0.1
# Compared with when no token has the id given, so that an unknown id takes the same path as a wrong secret.
NO_TOKEN: Final = Token(
    id="", digest="0" * 64, person="", scopes=(), expires_at=datetime.min.replace(tzinfo=UTC), is_machine=True
)


class CachedPeople(Protocol):
    """Where the people are kept for an outage."""

    def load(self) -> bytes | None:
        """What was kept last."""

    def keep(self, content: bytes) -> None:
        """Keep this; it may fail silently."""


@dataclass(slots=True)
class KnownPeople:
    """The people, read anew when their stream has moved on, and kept for when it cannot be read.

    They are kept beside the process too, so that one that is started in an outage still knows who may stop a model.
    Of two readings at once the one that began later counts, however late the other one ends.
    """

    record: Record
    kept: CachedPeople | None = None
    _known: People | None = None
    _read_at: float = float("-inf")
    _forgotten_at: float = float("-inf")
    _noting: Lock = field(default_factory=Lock)

    @property
    def is_fresh(self) -> bool:
        """Whether the people were read within the last instants, so that a thousand desks need not ask again."""
        return self._known is not None and self.record.clock.monotonic() - self._read_at < FRESH_S

    def forget(self) -> None:
        """Read anew at the next question; a reading that has begun already does not count."""
        with self._noting:
            self._read_at, self._forgotten_at = float("-inf"), self.record.clock.monotonic()

    def now(self, *, as_last_known: bool = False) -> tuple[People, bool]:
        """The people, and whether these are only the last known because the database cannot be reached, or is slow."""
        known = self._known
        if as_last_known:
            if (known := known or self._last_kept()) is None:
                raise UnavailableError("The database does not answer, and who people are was never read; try again.")
            return known, True
        if known is not None and self.is_fresh:
            return known, False
        began = self.record.clock.monotonic()
        try:
            stored = self.record.store.load(PEOPLE)
            if stored is None:
                now = People()
            elif known is None or known.revision != stored.revision:
                now = decode_state(People, stored.state)
            else:
                now = known
        except SignoffError:  # away, or damaged: either way nobody can say who people are today
            if (known := known or self._last_kept()) is None:
                raise
            return known, True
        if self.kept is not None and stored is not None and now is not known:
            self.kept.keep(stored.state)
        with self._noting:
            if began >= max(self._read_at, self._forgotten_at):
                self._known, self._read_at = now, began
        return now, False

    def _last_kept(self) -> People | None:
        """Who people were when some process of this installation read them last."""
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
    """Who comes in, and the tokens they come in by; each act on a token is recorded."""

    record: Record
    known: KnownPeople

    def bearer(self, presented: str, *, as_last_known: bool = False) -> Principal | None:
        """Who acts by this token; None when it is unknown, wrong, revoked or expired, without saying which."""
        people, is_last_known = self.known.now(as_last_known=as_last_known)
        identity, secret = _parts(presented)
        token = people.tokens.get(identity, NO_TOKEN)
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
        """A new token for a person or a machine. `by` is who asks over the network, and may give only what is theirs.

        The secret is in the result and nowhere else.
        """
        people = self.record.people()
        decisions.credentials.issue_token(people, holder, scopes=scopes, days=days, by=by, is_machine=is_machine)
        identity, secret = secrets.token_hex(8), secrets.token_hex(32)
        issued = TokenIssued(
            token=identity,
            digest=digest(secret.encode()),
            person=holder,
            scopes=tuple(sorted(scopes)),
            expires_at=self.record.now() + timedelta(days=days),
            is_machine=is_machine,
        )
        self._commit(people, issued, actor=actor, key=f"token:{identity}")
        token = self.record.people().tokens[identity]
        return IssuedToken(token=token, secret=f"{PREFIX}_{identity}_{secret}")

    def widest(self, holder: str, *, is_machine: bool, by: Principal | None = None) -> frozenset[Permission]:
        """Everything that a token of this holder may be for, when this person asks for it."""
        return decisions.credentials.widest(self.record.people(), holder, by=by, is_machine=is_machine)

    def revoke_token(self, identity: str, *, actor: str, by: Principal | None = None) -> None:
        """End a token at once. Over the network one ends one's own, an administrator any."""
        people = self.record.people()
        decisions.credentials.revoke_token(people.tokens.get(identity), identity, by)
        self._commit(people, TokenRevoked(token=identity), actor=actor, key=f"untoken:{identity}")

    def signed_in(
        self,
        name: str,
        signed_in_at: datetime | None,
        *,
        issuer: str,
        subject: str,
        as_last_known: bool = False,
    ) -> Principal | None:
        """A person who signed in, with the duties they hold now; None when this identity is not theirs any more."""
        people, is_last_known = self.known.now(as_last_known=as_last_known)
        if people.bound_to(issuer, subject) != name and not is_last_known:
            self.known.forget()  # another process may have bound them since the people were read
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
    identity, _, secret = rest.partition("_")
    return (identity, secret) if prefix == PREFIX else ("", presented)
