"""The authenticators that people sign with, beside or instead of a key file: register, vouch for, withdraw.

A browser makes a credential. It counts once its person has vouched for it with an earlier key or authenticator. A
person without credentials may enrol the first one unvouched (`ledger/holders`). Until then it waits here, and the
person compares its key id.
"""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from secrets import token_bytes
from typing import Final
from urllib.parse import urlsplit

from signoff.app.record import PEOPLE, Record, StreamChange
from signoff.domain import decisions
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, TamperedError
from signoff.domain.events import AnyEvent, Credential, CredentialEnrolled
from signoff.domain.people import Person
from signoff.ledger.canonical import digest
from signoff.ledger.codec import decode_state, encode_state
from signoff.ledger.holders import Holders
from signoff.ledger.text import url_decoded, url_encoded
from signoff.ledger.webauthn import read_registration, registration_text, vouching_statement
from signoff.ports.ttl_store import TtlStore

ASKED: Final = "credential-asked"
WAITING: Final = "credential-waiting"
TO_MAKE: Final = timedelta(minutes=10)
TO_VOUCH: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Site:
    """The site where people sign in the browser; credentials are bound to it."""

    id: str
    origin: str

    @classmethod
    def at(cls, public_url: str) -> "Site":
        """The site of this URL. BadInputError for IP addresses, where browsers offer no authenticators."""
        parts = urlsplit(public_url)
        host = parts.hostname or ""
        try:
            ip_address(host)
        except ValueError:
            return cls(host, f"{parts.scheme}://{parts.netloc.lower()}")
        raise BadInputError(
            f"Expected SIGNOFF_PUBLIC_URL with the name of a host, found {public_url}: browsers use authenticators at "
            "names only, by https or at localhost."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A credential that its person has not vouched for yet."""

    name: str
    credential: Credential
    registration: str

    @property
    def statement(self) -> bytes:
        """The statement that its person signs to vouch for it."""
        return vouching_statement(self.name, self.credential)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticators:
    """People's recorded changes of their own authenticators. `public_url` is None without a browser sign-in."""

    record: Record
    shelf: TtlStore
    public_url: str | None

    @property
    def site(self) -> Site:
        """The site that credentials are made for."""
        if self.public_url is None:
            raise NotFoundError(
                "Authenticators need a sign-in in the browser. Expected an identity provider, found none; "
                "SIGNOFF_OIDC_ISSUER names one."
            )
        return Site.at(self.public_url)

    def ask(self, name: str) -> bytes:
        """A challenge for making a credential; it works once."""
        self.record.people().named(name)
        _ = self.site
        challenge = token_bytes(32)
        self.shelf.put(ASKED, _asked(name, url_encoded(challenge)), b"1", self.record.now() + TO_MAKE)
        return challenge

    def register(
        self, name: str, *, attestation_object: bytes, client_data: bytes, challenge: str, label: str
    ) -> Waiting | None:
        """Register the credential that a browser made. It counts at once, or waits for its person to vouch for it."""
        person, site = self.record.people().named(name), self.site
        decisions.credentials.register_authenticator(person)
        if self.shelf.take(ASKED, _asked(name, challenge), self.record.now()) is None:
            raise RefusedError("This challenge is unknown, used or expired. Begin again.")
        registration = registration_text(attestation_object, client_data)
        try:
            credential = read_registration(
                registration, rp_id=site.id, origin=site.origin, label=label, challenge=url_decoded(challenge)
            )
        except (TamperedError, ValueError) as error:
            raise RefusedError(f"This authenticator cannot be enrolled: {error}") from error
        waiting = Waiting(name=name, credential=credential, registration=registration)
        if not self._holders().holder(name).has_held:
            self._enrol(waiting, voucher="")
            return None
        self.shelf.put(WAITING, digest(name.encode()), encode_state(waiting), self.record.now() + TO_VOUCH)
        return waiting

    def waiting(self, name: str) -> Waiting | None:
        """The person's waiting credential, None without one."""
        content = self.shelf.get(WAITING, digest(name.encode()), self.record.now())
        return None if content is None else decode_state(Waiting, content)

    def vouch(self, name: str, envelope: str) -> Credential:
        """Vouch for the waiting credential: the person's earlier key or authenticator signed the envelope."""
        waiting = self.waiting(name)
        if waiting is None:
            raise NotFoundError(f"No authenticator of {name} waits to be vouched for; make one at /credentials.")
        self._enrol(waiting, voucher=envelope)
        self.shelf.drop(WAITING, digest(name.encode()))
        return waiting.credential

    def withdraw(self, name: str, credential_id: str, *, reason: str) -> Person:
        """Withdraw an authenticator; its earlier signatures stay valid."""
        event = decisions.credentials.withdraw_authenticator(self.record.people().named(name), credential_id, reason)
        self._commit(event, actor=name, key=f"uncredential:{credential_id}")
        return self.record.people().named(name)

    def _enrol(self, waiting: Waiting, *, voucher: str) -> None:
        event = CredentialEnrolled(
            name=waiting.name, credential=waiting.credential, registration=waiting.registration, voucher=voucher
        )
        if problem := self._holders().take(event):
            raise RefusedError(f"Not enrolled: {problem}")
        self._commit(event, actor=waiting.name, key=f"credential:{waiting.credential.key_id}")

    def _holders(self) -> Holders:
        holders = Holders()
        for recorded in self.record.history(PEOPLE):
            holders.take(recorded.event)
        return holders

    def _commit(self, event: AnyEvent, *, actor: str, key: str) -> None:
        people = self.record.people()
        self.record.commit(StreamChange(stream=PEOPLE, state=people, events=(event,)), actor=actor, key=key)


def _asked(name: str, challenge: str) -> str:
    return digest(f"{challenge}:{name}".encode())
