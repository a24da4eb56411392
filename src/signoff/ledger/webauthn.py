"""Signatures by WebAuthn: an authenticator's assertion whose challenge is the digest of what is signed.

The signed statement is the same as with a key file, in DSSE's encoding. Its SHA-256 is the challenge, so that an
assertion is valid for this statement only. The assertion is kept as the authenticator and the browser made it, and
checked from those bytes alone, without the server.
"""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import Credential, CredentialEnrolled
from signoff.domain.statement import Statement
from signoff.ledger import cbor
from signoff.ledger.authenticators import (
    ATTESTED,
    BACKED_UP,
    BACKUP_ELIGIBLE,
    PRESENT,
    VERIFIED,
    AuthenticatorData,
    algorithm_of,
    check_client_data,
    read_authenticator_data,
    verify_signature,
)
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode_state
from signoff.ledger.envelope import PAYLOAD_TYPE, STATEMENT_TYPE, encoding, read_statement
from signoff.ledger.text import decoded, encoded, url_encoded

CREDENTIAL_TYPE: Final = "https://signoff.example/credential/v1"
UNREADABLE: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, BadInputError)


def challenge_of(payload: bytes) -> bytes:
    """The challenge for a payload: the digest of its encoding."""
    return sha256(encoding(payload)).digest()


def verify_decision(text: str, credential: Credential) -> Statement:
    """The decision that an authenticator signed, else TamperedError."""
    return read_statement(verify_payload(text, credential))


def verify_payload(text: str, credential: Credential) -> bytes:
    """The payload of an envelope whose assertion this credential verifies, else TamperedError."""
    try:
        document: dict[str, Any] = json.loads(text)
        (signature,) = document["signatures"]
        parts = {name: signature[name] for name in ("authenticatorData", "clientDataJSON", "sig")}
        if _written(document["payload"], {**parts, "credential": credential.id, "keyid": credential.key_id}) != text:
            raise TamperedError("The envelope is not in its canonical form, or names another credential.")
        payload, client_data = decoded(document["payload"]), decoded(parts["clientDataJSON"])
        data = decoded(parts["authenticatorData"])
        _check_authenticator(read_authenticator_data(data), credential)
        challenge = challenge_of(payload)
        check_client_data(client_data, kind="webauthn.get", challenge=challenge, origin=credential.origin)
        signed = data + sha256(client_data).digest()
        verify_signature(bytes.fromhex(credential.public_key), decoded(parts["sig"]), signed)
    except UNREADABLE as error:
        raise TamperedError(f"This assertion does not hold: {error}") from error
    return payload


def _written(payload: object, signature: dict[str, object]) -> str:
    return canonical({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": [signature]}).decode()


def _check_authenticator(data: AuthenticatorData, credential: Credential) -> None:
    _check_presence(data, credential.rp_id)
    if data.has(ATTESTED):
        raise TamperedError("Expected a signature by the authenticator, found a new credential.")
    if data.has(BACKUP_ELIGIBLE) != credential.is_backup_eligible:
        raise TamperedError("The credential's backup eligibility differs from the one at its enrolment.")


def _check_presence(data: AuthenticatorData, rp_id: str) -> None:
    if data.rp_id_hash != sha256(rp_id.encode()).digest():
        raise TamperedError(f"The authenticator answered for another site than {rp_id}.")
    if not data.has(PRESENT):
        raise TamperedError("Nobody touched the authenticator.")
    if not data.has(VERIFIED):
        raise TamperedError("The authenticator did not verify who touched it (PIN, finger or face).")


def registration_text(attestation_object: bytes, client_data: bytes) -> str:
    """An authenticator's answer to a registration, as canonical JSON."""
    parts = {"attestationObject": encoded(attestation_object), "clientDataJSON": encoded(client_data)}
    return canonical(parts).decode()


def read_registration(text: str, *, rp_id: str, origin: str, label: str, challenge: bytes | None = None) -> Credential:
    """The credential that an authenticator made for this site, else TamperedError.

    The manufacturer's attestation is kept and not relied upon: a credential counts because its person vouched for it.
    """
    try:
        document: dict[str, str] = json.loads(text)
        attestation, client_data = decoded(document["attestationObject"]), decoded(document["clientDataJSON"])
        if registration_text(attestation, client_data) != text:
            raise TamperedError("The registration is not in its canonical form.")
        _check_site(rp_id, origin)
        check_client_data(client_data, kind="webauthn.create", challenge=challenge, origin=origin)
        match cbor.read(attestation):
            case {"fmt": str(form), "attStmt": dict(), "authData": bytes(content), **further} if not further:
                return _credential(read_authenticator_data(content), form, rp_id, origin, label)
        raise TamperedError("The registration holds another attestation object than authenticators write.")
    except UNREADABLE as error:
        raise TamperedError(f"This registration does not hold: {error}") from error


def _credential(data: AuthenticatorData, form: str, rp_id: str, origin: str, label: str) -> Credential:
    _check_presence(data, rp_id)
    new = data.credential
    if new is None:
        raise TamperedError("The registration holds no credential.")
    return Credential(
        id=url_encoded(new.id),
        public_key=new.public_key.hex(),
        key_id=digest(new.public_key),
        algorithm=algorithm_of(new.public_key),
        rp_id=rp_id,
        origin=origin,
        aaguid=new.aaguid.hex(),
        attestation=form,
        is_backup_eligible=data.has(BACKUP_ELIGIBLE),
        is_backed_up=data.has(BACKED_UP),
        label=label,
    )


def _check_site(rp_id: str, origin: str) -> None:
    """A credential belongs to one host or a parent domain, over https; only localhost may use http."""
    scheme, _, rest = origin.partition("://")
    host = rest.partition(":")[0]
    is_safe = scheme == "https" or (scheme == "http" and host == "localhost")
    if not is_safe or "/" in rest or not rp_id or not (host == rp_id or host.endswith(f".{rp_id}")):
        raise TamperedError(f"A credential of {rp_id!r} cannot be made at {origin!r}.")


def vouching_statement(name: str, credential: Credential) -> bytes:
    """The canonical statement that a person signs to vouch for a credential."""
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "credential", "digest": {"sha256": credential.key_id}}],
            "predicateType": CREDENTIAL_TYPE,
            "predicate": {"person": name, "credential": asdict(credential)},
        }
    )


def read_vouching(content: bytes) -> tuple[str, Credential]:
    """The person and credential of a vouching statement. TamperedError if it is malformed."""
    try:
        predicate = json.loads(content)["predicate"]
        name, credential = str(predicate["person"]), decode_state(Credential, canonical(predicate["credential"]))
        if vouching_statement(name, credential) != content:
            raise TamperedError("Expected a statement that a credential belongs to its person, found another.")
    except UNREADABLE as error:
        raise TamperedError(f"This is no statement about a credential: {error}") from error
    return name, credential


def check_registered(event: CredentialEnrolled) -> None:
    """Raise TamperedError unless a credential matches its authenticator's answer."""
    credential = event.credential
    answered = read_registration(
        event.registration, rp_id=credential.rp_id, origin=credential.origin, label=credential.label
    )
    if answered != credential:
        raise TamperedError("The credential differs from the one in the authenticator's answer.")
