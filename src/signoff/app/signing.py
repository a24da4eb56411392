"""Making a person's signature: the statement says what is signed, the envelope proves who signed it.

A private key never leaves its holder. Where the holder sits elsewhere, `prepare` gives the statement to be signed and
`Presented` brings the envelope back; it must say exactly what would be recorded, and have been signed just now.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from signoff.app.record import Record
from signoff.domain.decisions import too_weak
from signoff.domain.errors import BadInputError, RefusedError, TamperedError
from signoff.domain.events import Signature, Verdict
from signoff.domain.policy import Policy, Role, Tier
from signoff.ledger.envelope import Statement, read_statement, statement, verify
from signoff.ledger.holders import named_key
from signoff.ledger.webauthn import verify_decision
from signoff.ports.signing import Signer

JUST_NOW: Final = timedelta(minutes=5)
# Signed outside of a release, whose own guards ask for the tier.
_OF_NO_RELEASE: Final = frozenset(
    {Verdict.ADOPT, Verdict.REARM, Verdict.PROPOSE_POLICY, Verdict.CONFIRM_POLICY},
)


@dataclass(frozen=True, slots=True)
class Presented:
    """An envelope that was signed elsewhere, in the place of a key."""

    envelope: str

    @property
    def key_id(self) -> str:
        """The key that the envelope names."""
        try:
            return named_key(self.envelope)
        except TamperedError as error:
            raise BadInputError(f"Expected the envelope of a decision, found something else: {error}") from error

    def sign_statement(self, statement: bytes) -> str:  # noqa: ARG002 - the port's signature; `sign` compares
        """The envelope as it came."""
        return self.envelope


def prepare(
    record: Record,
    *,
    person: str,
    role: Role,
    verdict: Verdict,
    subject: str,
    model: str,
    version: str,
    deployment: str,
    policy: Policy,
    conditions: tuple[str, ...] = (),
    reason: str = "",
) -> bytes:
    """The statement that this person would sign in this role now; they must hold it."""
    record.people().holding(person, role)
    signed_at = record.now()
    return statement(
        subject=subject,
        deployment=deployment,
        model=model,
        version=version,
        person=person,
        role=role,
        verdict=verdict,
        conditions=conditions,
        reason=reason,
        signed_at=signed_at,
        expires_at=signed_at + timedelta(days=policy.approvals.expires_days),
    )


def sign(
    record: Record,
    signer: Signer,
    *,
    person: str,
    role: Role,
    verdict: Verdict,
    subject: str,
    model: str,
    version: str,
    deployment: str,
    policy: Policy,
    conditions: tuple[str, ...] = (),
    reason: str = "",
) -> Signature:
    """Sign a decision over the digest `subject`; the person must hold the role and the enrolled key."""
    holder = record.people().holding(person, role)
    credential = holder.credential(signer.key_id)
    if credential is None and signer.key_id != holder.key_id:
        message = (
            f"{person} is enrolled with key {holder.key_id[:16]}… and {len(holder.credentials)} authenticator(s), and "
            f"the key given is {signer.key_id[:16]}…. Sign with what is enrolled, or enrol the new one."
        )
        raise RefusedError(message)
    prepared = prepare(
        record,
        person=person,
        role=role,
        verdict=verdict,
        subject=subject,
        model=model,
        version=version,
        deployment=deployment,
        policy=policy,
        conditions=conditions,
        reason=reason,
    )
    envelope = signer.sign_statement(prepared)
    try:
        said = verify(envelope, holder.public_key) if credential is None else verify_decision(envelope, credential)
    except TamperedError as error:
        raise RefusedError(f"The envelope does not hold, and nothing was recorded: {error} Sign again.") from error
    _must_say(said, read_statement(prepared))
    signature = Signature(
        person=person,
        role=role,
        verdict=verdict,
        subject=subject,
        conditions=conditions,
        reason=reason,
        signed_at=said.signed_at,
        expires_at=said.expires_at,
        key_id=signer.key_id,
        envelope=envelope,
        tier=Tier.KEY if credential is None else Tier.WEBAUTHN,
        key_made_by=holder.key_made_by if credential is None else "",
    )
    if verdict in _OF_NO_RELEASE and (weak := too_weak(policy, signature)) is not None:
        raise RefusedError(f"This signature does not count: {weak}")
    return signature


def _must_say(said: Statement, expected: Statement) -> None:
    """Refuse an envelope over anything but the decision at hand, or one that was not signed just now."""
    told = replace(said, signed_at=expected.signed_at, expires_at=expected.expires_at)
    if told != expected:
        raise RefusedError(
            f"The envelope says {said.verdict.value} as {said.role.value} of {said.deployment} over "
            f"{said.subject[:12]}…, and what is asked for is {expected.verdict.value} as {expected.role.value} of "
            f"{expected.deployment} over {expected.subject[:12]}…, with its own conditions and reason. Sign what the "
            "server prepared for this request."
        )
    if abs(said.signed_at - expected.signed_at) > JUST_NOW:
        raise RefusedError(
            f"The envelope was signed at {said.signed_at:%Y-%m-%d %H:%M:%S}Z and it is "
            f"{expected.signed_at:%Y-%m-%d %H:%M:%S}Z: a signature is presented within five minutes. Sign again."
        )
    if said.expires_at - said.signed_at != expected.expires_at - expected.signed_at:
        raise RefusedError("The envelope gives itself another validity than the policy does. Sign again.")
