"""Make a person's signature: the statement says what is signed, the envelope proves who signed it.

A private key never leaves its holder. A remote holder gets the statement from `prepare` and returns the envelope as
`Presented`. The envelope must state exactly what will be recorded, and be fresh.
"""

from dataclasses import dataclass
from datetime import datetime

from signoff.app.record import Record
from signoff.domain.decisions import signing
from signoff.domain.deployment import Deployment
from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import DeployerSigned, Signature
from signoff.domain.people import Person
from signoff.domain.policy import Role, Tier
from signoff.domain.statement import Decision
from signoff.ledger.envelope import deployer_signed_at, deployer_statement, opened, statement, verify
from signoff.ledger.holders import named_key
from signoff.ledger.webauthn import verify_decision
from signoff.ports.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningPerson:
    """A person about to sign in a role with their key."""

    person: str
    role: Role
    signer: Signer


@dataclass(frozen=True, slots=True)
class Presented:
    """An envelope that was signed elsewhere, used in place of a key."""

    envelope: str

    @property
    def key_id(self) -> str:
        """The key that the envelope names."""
        try:
            return named_key(self.envelope)
        except TamperedError as error:
            raise BadInputError(f"Expected the envelope of a decision, found something else: {error}") from error

    def sign_statement(self, statement: bytes) -> str:  # noqa: ARG002 - the port's signature; `sign` compares
        """The presented envelope."""
        return self.envelope


def prepare(record: Record, decision: Decision, *, person: str, role: Role) -> bytes:
    """The statement that this person has to sign in this role, which they must hold."""
    record.people().holding(person, role)
    return statement(decision.stated_by(person, role, record.now()))


def sign(record: Record, decision: Decision, by: SigningPerson) -> Signature:
    """Sign a decision; the person must hold the role and the enrolled key."""
    holder = record.people().holding(by.person, by.role)
    credential = signing.enrolled(holder, by.signer.key_id)
    expected = decision.stated_by(by.person, by.role, record.now())
    envelope = by.signer.sign_statement(statement(expected))
    try:
        signed = verify(envelope, holder.public_key) if credential is None else verify_decision(envelope, credential)
    except TamperedError as error:
        signing.refuse_broken(error)
    signing.says_what_was_asked(signed, expected)
    signature = Signature(
        person=by.person,
        role=by.role,
        verdict=decision.verdict,
        subject=decision.subject,
        conditions=decision.conditions,
        reason=decision.reason,
        signed_at=signed.signed_at,
        expires_at=signed.expires_at,
        key_id=by.signer.key_id,
        envelope=envelope,
        tier=Tier.KEY if credential is None else Tier.WEBAUTHN,
        key_made_by=holder.key_made_by if credential is None else "",
        key_replaced=holder.key_replaced if credential is None else "",
    )
    signing.counts_outside_of_a_release(decision.policy, signature)
    return signature


def deployer_prepared(record: Record, state: Deployment, person: str) -> bytes:
    """The statement that this person has to sign to start a rollout; they need an enrolled key and no role."""
    _deployer(record, person)
    return _of_start(state, person, record.now())


def sign_start(record: Record, signer: Signer, state: Deployment, person: str) -> DeployerSigned:
    """The deployer's signature under section 12, over the manifest. People with a conflict of interest may sign it."""
    holder = _deployer(record, person)
    signing.with_their_key(holder, signer.key_id)
    now = record.now()
    envelope = signer.sign_statement(_of_start(state, person, now))
    try:
        payload = opened(envelope, holder.public_key)
        signed_at = deployer_signed_at(payload)
    except TamperedError as error:
        signing.refuse_broken(error)
    is_what_was_asked = payload == _of_start(state, person, signed_at)
    signing.starts(state, person, signed_at, now, is_what_was_asked=is_what_was_asked)
    return DeployerSigned(
        person=person,
        manifest=state.manifest or "",
        signed_at=signed_at,
        key_id=signer.key_id,
        envelope=envelope,
        key_made_by=holder.key_made_by,
        key_replaced=holder.key_replaced,
    )


def _deployer(record: Record, person: str) -> Person:
    holder = record.people().named(person)
    signing.with_a_key(holder)
    return holder


def _of_start(state: Deployment, person: str, at: datetime) -> bytes:
    return deployer_statement(
        manifest=state.manifest or "",
        deployment=state.id,
        model=state.model,
        version=state.version,
        person=person,
        signed_at=at,
    )
