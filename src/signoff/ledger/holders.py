"""Which authenticators count for which person, folded from the people's events, with the reason if one does not.

A credential counts when its person vouched for it with an earlier credential, or with the key of their first enrolment.
A later key cannot vouch, since the operator may have enrolled it: the operator could then add an authenticator of their
own.
"""

import json
from dataclasses import dataclass, field, replace

from signoff.domain.errors import TamperedError
from signoff.domain.events import AnyEvent, Credential, CredentialEnrolled, CredentialWithdrawn, PersonEnrolled
from signoff.ledger.envelope import opened
from signoff.ledger.webauthn import check_registered, verify_payload, vouching_statement


@dataclass(frozen=True, slots=True)
class Holder:
    """One person's key that may vouch, if any, and the credentials that count.

    `has_held` says that the person ever had a key or a credential; a new credential then needs a voucher.
    """

    first_key: str = ""
    present_key: str = ""
    credentials: tuple[Credential, ...] = ()
    has_held: bool = False

    @property
    def vouching_key(self) -> str:
        """The public key that may vouch, empty without one."""
        return self.first_key if self.first_key == self.present_key else ""


@dataclass(slots=True)
class Holders:
    """All holders, as of the last event taken. Ids and keys belong to one person for ever, even after a withdrawal."""

    by_name: dict[str, Holder] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def holder(self, name: str) -> Holder:
        """The holder of this name, an empty one if unknown."""
        return self.by_name.get(name, Holder())

    def credential(self, name: str, key: str) -> Credential | None:
        """The credential of this person with this key id, None if it does not count."""
        return next((c for c in self.holder(name).credentials if c.key_id == key), None)

    def take(self, event: AnyEvent) -> str | None:
        """Take the next event; returns the reason if it enrols a credential that does not count."""
        match event:
            case PersonEnrolled():
                self._take_key(event.name, event.public_key)
            case CredentialWithdrawn():
                holder = self.holder(event.name)
                left = tuple(c for c in holder.credentials if c.id != event.credential)
                self.by_name[event.name] = replace(holder, credentials=left)
            case CredentialEnrolled():
                try:
                    self._check(event)
                except TamperedError as error:
                    return f"the authenticator {event.credential.label!r} of {event.name} does not count: {error}"
                holder = self.holder(event.name)
                counted = (*holder.credentials, event.credential)
                self.by_name[event.name] = replace(holder, credentials=counted, has_held=True)
                self.taken |= {event.credential.id, event.credential.key_id}
        return None

    def _take_key(self, name: str, public_key: str) -> None:
        if not public_key:
            return
        holder = self.holder(name)
        first = holder.first_key if holder.has_held else public_key
        self.by_name[name] = replace(holder, first_key=first, present_key=public_key, has_held=True)

    def _check(self, event: CredentialEnrolled) -> None:
        check_registered(event)
        if {event.credential.id, event.credential.key_id} & self.taken:
            raise TamperedError("It was enrolled before; a credential belongs to one person and is enrolled once.")
        self._check_voucher(event, self.holder(event.name))

    def _check_voucher(self, event: CredentialEnrolled, holder: Holder) -> None:
        if not holder.has_held:
            if event.voucher:
                raise TamperedError(
                    "It has a voucher, and its person had no earlier key or authenticator to vouch with."
                )
            return
        if not event.voucher:
            raise TamperedError("Its person did not vouch for it with an earlier key or authenticator.")
        if _vouched(event.voucher, holder) != vouching_statement(event.name, event.credential):
            raise TamperedError("Its person vouched for another one.")


def _vouched(envelope: str, holder: Holder) -> bytes:
    named = named_key(envelope)
    credential = next((c for c in holder.credentials if c.key_id == named), None)
    if credential is not None:
        return verify_payload(envelope, credential)
    if holder.vouching_key:
        return opened(envelope, holder.vouching_key)
    raise TamperedError(
        "It was vouched for with something that its person does not hold, or with a key that replaced their first one."
    )


def named_key(envelope: str) -> str:
    """The key id in an envelope. TamperedError if the envelope is malformed."""
    try:
        return str(json.loads(envelope)["signatures"][0]["keyid"])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise TamperedError(f"This is no envelope: {error}") from error
