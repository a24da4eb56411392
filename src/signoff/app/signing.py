"""Making a person's signature: the statement says what is signed, the envelope proves who signed it."""

from datetime import timedelta

from signoff.app.record import Record
from signoff.domain.errors import RefusedError
from signoff.domain.events import Signature, Verdict
from signoff.domain.policy import Policy, Role
from signoff.ledger.envelope import statement, verify
from signoff.ports.signing import Signer


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
    if signer.key_id != holder.key_id:
        message = (
            f"{person} is enrolled with key {holder.key_id[:16]}…, and the key given is {signer.key_id[:16]}…. "
            "Sign with the enrolled key, or enrol the new one."
        )
        raise RefusedError(message)
    signed_at = record.now()
    expires_at = signed_at + timedelta(days=policy.approvals.expires_days)
    envelope = signer.sign_statement(
        statement(
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
            expires_at=expires_at,
        )
    )
    verify(envelope, holder.public_key)
    return Signature(
        person=person,
        role=role,
        verdict=verdict,
        subject=subject,
        conditions=conditions,
        reason=reason,
        signed_at=signed_at,
        expires_at=expires_at,
        key_id=holder.key_id,
        envelope=envelope,
    )
