"""Making a person's signature: the statement says what is signed, the envelope proves who signed it.

A private key never leaves its holder. Where the holder sits elsewhere, `prepare` gives the statement to be signed and
`Presented` brings the envelope back; it must say exactly what would be recorded, and have been signed just now.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from signoff.app.record import Record
from signoff.domain.decisions.approvals import too_weak
from signoff.domain.deployment import Deployment
from signoff.domain.errors import BadInputError, RefusedError, TamperedError
from signoff.domain.events import DeployerSigned, Signature, Verdict
from signoff.domain.people import Person
from signoff.domain.policy import Policy, Role, Tier
from signoff.ledger.envelope import (
    Statement,
    deployer_signed_at,
    deployer_statement,
    opened,
    read_statement,
    statement,
    verify,
)
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
        key_replaced=holder.key_replaced if credential is None else "",
    )
    if verdict in _OF_NO_RELEASE and (weak := too_weak(policy, signature)) is not None:
        raise RefusedError(f"This signature does not count: {weak}")
    return signature


def deployer_prepared(record: Record, state: Deployment, person: str) -> bytes:
    """What this person would sign now to start a rollout; they must be enrolled with a key, in any role or none."""
    _deployer(record, person)
    return _of_start(state, person, record.now())


def sign_start(record: Record, signer: Signer, state: Deployment, person: str) -> DeployerSigned:
    """The signature of who starts a rollout under section 12, over the manifest. Whoever is barred may sign it."""
    holder = _deployer(record, person)
    if signer.key_id != holder.key_id:
        raise RefusedError(
            f"{person} is enrolled with key {holder.key_id[:16]}…, and the key given is {signer.key_id[:16]}…. Sign "
            "with what is enrolled."
        )
    now = record.now()
    envelope = signer.sign_statement(_of_start(state, person, now))
    try:
        payload = opened(envelope, holder.public_key)
        signed_at = deployer_signed_at(payload)
    except TamperedError as error:
        raise RefusedError(f"The envelope does not hold, and nothing was recorded: {error} Sign again.") from error
    if payload != _of_start(state, person, signed_at) or abs(signed_at - now) > JUST_NOW:
        raise RefusedError(
            f"The envelope signs something else than the start of {state.id} over {(state.manifest or '')[:12]}… by "
            f"{person}, or was not made within the last five minutes. Sign again."
        )
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
    if not holder.key_id:
        raise RefusedError(
            f"{person} is enrolled without a key, and who starts a rollout signs section 12. Enrol the public half of "
            f'their key: `signoff people add "{person}" --public-key FILE`.'
        )
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
