"""Signatures by WebAuthn: an authenticator's assertion whose challenge is the digest of what is signed.

What is signed is the same statement as with a key in a file, in DSSE's encoding; its SHA-256 is the challenge, so that
an assertion stands for these words and no others. The assertion is kept as the authenticator and the browser made it,
and checked from those bytes alone, with nothing of the server.
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
    """What an authenticator is asked to sign for a payload: the digest of its encoding."""
    return sha256(encoding(payload)).digest()


def verify_decision(text: str, credential: Credential) -> Statement:
    """The decision that an authenticator signed. TamperedError on anything that is off."""
    return read_statement(verify_payload(text, credential))


def verify_payload(text: str, credential: Credential) -> bytes:
    """The payload of an envelope, the assertion verified with this credential. TamperedError if anything is off."""
    try:
        said: dict[str, Any] = json.loads(text)
        (given,) = said["signatures"]
        parts = {name: given[name] for name in ("authenticatorData", "clientDataJSON", "sig")}
        if _written(said["payload"], {**parts, "credential": credential.id, "keyid": credential.key_id}) != text:
            raise TamperedError("The envelope is not in its canonical form, or names another credential.")
        payload, client_data = decoded(said["payload"]), decoded(parts["clientDataJSON"])
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
        raise TamperedError("The authenticator made a credential, where it was to sign with one.")
    if data.has(BACKUP_ELIGIBLE) != credential.is_backup_eligible:
        raise TamperedError("Whether the key may be backed up is another than when it was enrolled.")


def _check_presence(data: AuthenticatorData, rp_id: str) -> None:
    if data.rp_id_hash != sha256(rp_id.encode()).digest():
        raise TamperedError(f"The authenticator answered for another site than {rp_id}.")
    if not data.has(PRESENT):
        raise TamperedError("Nobody touched the authenticator.")
    if not data.has(VERIFIED):
        raise TamperedError("The authenticator did not verify who touched it (PIN, finger or face).")


def registration_text(attestation_object: bytes, client_data: bytes) -> str:
    """What an authenticator answered when it made a credential, as canonical JSON."""
    parts = {"attestationObject": encoded(attestation_object), "clientDataJSON": encoded(client_data)}
    return canonical(parts).decode()


def read_registration(text: str, *, rp_id: str, origin: str, label: str, challenge: bytes | None = None) -> Credential:
    """The credential that an authenticator made for this site. TamperedError on anything that is off.

    What its maker attests is kept and not relied upon: a credential counts because its person vouched for it.
    """
    try:
        said: dict[str, str] = json.loads(text)
        attestation, client_data = decoded(said["attestationObject"]), decoded(said["clientDataJSON"])
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
    made = data.credential
    if made is None:
        raise TamperedError("The registration holds no credential.")
    return Credential(
        id=url_encoded(made.id),
        public_key=made.public_key.hex(),
        key_id=digest(made.public_key),
        algorithm=algorithm_of(made.public_key),
        rp_id=rp_id,
        origin=origin,
        aaguid=made.aaguid.hex(),
        attestation=form,
        is_backup_eligible=data.has(BACKUP_ELIGIBLE),
        is_backed_up=data.has(BACKED_UP),
        label=label,
    )


def _check_site(rp_id: str, origin: str) -> None:
    """A credential belongs to one host, or to a domain above it, by https; only this machine itself needs none."""
    scheme, _, rest = origin.partition("://")
    host = rest.partition(":")[0]
    is_safe = scheme == "https" or (scheme == "http" and host == "localhost")
    if not is_safe or "/" in rest or not rp_id or not (host == rp_id or host.endswith(f".{rp_id}")):
        raise TamperedError(f"A credential of {rp_id!r} cannot be made at {origin!r}.")


def vouching_statement(name: str, credential: Credential) -> bytes:
    """What a person signs to say that a credential is theirs, canonical."""
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "credential", "digest": {"sha256": credential.key_id}}],
            "predicateType": CREDENTIAL_TYPE,
            "predicate": {"person": name, "credential": asdict(credential)},
        }
    )


def read_vouching(content: bytes) -> tuple[str, Credential]:
    """For whom and for which credential a person is about to vouch. TamperedError when it is no such statement."""
    try:
        predicate = json.loads(content)["predicate"]
        name, credential = str(predicate["person"]), decode_state(Credential, canonical(predicate["credential"]))
        if vouching_statement(name, credential) != content:
            raise TamperedError("The statement says something else than that a credential is its person's.")
    except UNREADABLE as error:
        raise TamperedError(f"This is no statement about a credential: {error}") from error
    return name, credential


def check_registered(event: CredentialEnrolled) -> None:
    """Nothing when a credential is what its authenticator answered; TamperedError says what differs."""
    said = event.credential
    made = read_registration(event.registration, rp_id=said.rp_id, origin=said.origin, label=said.label)
    if made != said:
        raise TamperedError("The credential is not the one that the authenticator's answer tells of.")
