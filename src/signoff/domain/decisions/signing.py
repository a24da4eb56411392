"""Which signatures count: made with an enrolled key or authenticator, over exactly this decision, and just now."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

from signoff.domain.decisions.approvals import too_weak
from signoff.domain.deployment import Deployment
from signoff.domain.errors import RefusedError, TamperedError
from signoff.domain.events import Credential, Signature, Vote
from signoff.domain.people import Person
from signoff.domain.policy import Policy
from signoff.domain.statement import Statement

JUST_NOW: Final = timedelta(minutes=5)
# Signed outside of a release; a release's guards check the tier.
_OF_NO_RELEASE: Final = frozenset({Vote.ADOPT, Vote.REARM, Vote.PROPOSE_POLICY, Vote.CONFIRM_POLICY})


def enrolled(holder: Person, key_id: str) -> Credential | None:
    """The authenticator with this key, None if it is the person's key file; any other key is refused."""
    credential = holder.credential(key_id)
    if credential is None and key_id != holder.key_id:
        raise RefusedError(
            f"{holder.name} is enrolled with key {holder.key_id[:16]}… and {len(holder.credentials)} authenticator(s), "
            f"and the key given is {key_id[:16]}…. Sign with what is enrolled, or enrol the new one."
        )
    return credential


def refuse_broken(error: TamperedError) -> NoReturn:
    """Refuse an invalid envelope."""
    raise RefusedError(f"The envelope does not hold, and nothing was recorded: {error} Sign again.") from error


def says_what_was_asked(signed: Statement, expected: Statement) -> None:
    """Refuse an envelope over another decision, or one that was not signed just now."""
    if replace(signed, signed_at=expected.signed_at, expires_at=expected.expires_at) != expected:
        raise RefusedError(
            f"The envelope says {signed.verdict.value} as {signed.role.value} of {signed.deployment} over "
            f"{signed.subject[:12]}…, and what is asked for is {expected.verdict.value} as {expected.role.value} of "
            f"{expected.deployment} over {expected.subject[:12]}…, with its own conditions and reason. Sign what the "
            "server prepared for this request."
        )
    if abs(signed.signed_at - expected.signed_at) > JUST_NOW:
        raise RefusedError(
            f"The envelope was signed at {signed.signed_at:%Y-%m-%d %H:%M:%S}Z and it is "
            f"{expected.signed_at:%Y-%m-%d %H:%M:%S}Z: a signature is presented within five minutes. Sign again."
        )
    if signed.expires_at - signed.signed_at != expected.expires_at - expected.signed_at:
        raise RefusedError("The envelope gives itself another validity than the policy does. Sign again.")


def counts_outside_of_a_release(policy: Policy, signature: Signature) -> None:
    """Refuse a signature of too low a tier outside of a release."""
    if signature.verdict in _OF_NO_RELEASE and (weak := too_weak(policy, signature)) is not None:
        raise RefusedError(f"This signature does not count: {weak}")


def with_a_key(person: Person) -> None:
    """Refuse the start of a rollout by a person without a key for section 12."""
    if not person.key_id:
        raise RefusedError(
            f"{person.name} is enrolled without a key, and who starts a rollout signs section 12. Enrol the public "
            f'half of their key: `signoff people add "{person.name}" --public-key FILE`.'
        )


def with_their_key(person: Person, key_id: str) -> None:
    """Refuse the start of a rollout with another key than the enrolled one."""
    if key_id != person.key_id:
        raise RefusedError(
            f"{person.name} is enrolled with key {person.key_id[:16]}…, and the key given is {key_id[:16]}…. Sign "
            "with what is enrolled."
        )


def starts(state: Deployment, person: str, signed_at: datetime, now: datetime, *, is_what_was_asked: bool) -> None:
    """Refuse an envelope over anything but the start of this release, or one not signed just now."""
    if not is_what_was_asked or abs(signed_at - now) > JUST_NOW:
        raise RefusedError(
            f"The envelope signs something else than the start of {state.id} over {(state.manifest or '')[:12]}… by "
            f"{person}, or was not made within the last five minutes. Sign again."
        )
