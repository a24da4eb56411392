"""An authenticator in software, which does what it is told: also what no authenticator would do.

It writes CBOR with another library than Signoff reads it with.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from signoff.domain.events import Credential, CredentialEnrolled
from signoff.ledger.canonical import canonical
from signoff.ledger.envelope import PAYLOAD_TYPE
from signoff.ledger.text import encoded
from signoff.ledger.webauthn import (
    challenge_of,
    read_registration,
    registration_text,
    vouching_statement,
)

RP_ID, ORIGIN = "signoff.example", "https://signoff.example"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
ALGORITHMS = ("ES256", "EdDSA", "RS256")


def plain(content):
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def assertion_envelope(payload, credential, *, authenticator_data, client_data, signature):
    """A payload with the assertion over it, as the page in the browser writes it."""
    made = {
        "authenticatorData": encoded(authenticator_data),
        "clientDataJSON": encoded(client_data),
        "credential": credential.id,
        "keyid": credential.key_id,
        "sig": encoded(signature),
    }
    return canonical({"payload": encoded(payload), "payloadType": PAYLOAD_TYPE, "signatures": [made]}).decode()


def private_key(algorithm):
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


@dataclass
class SoftAuthenticator:
    """One credential and its private key."""

    algorithm: str = "ES256"
    rp_id: str = RP_ID
    origin: str = ORIGIN
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    count: int = 0
    private: object = None

    def __post_init__(self):
        self.private = self.private or private_key(self.algorithm)

    @property
    def public_key(self):
        """The COSE key."""
        public = self.private.public_key()
        match self.algorithm:
            case "ES256":
                numbers = public.public_numbers()
                return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
            case "EdDSA":
                return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()})
            case _:
                numbers = public.public_numbers()
                return cbor2.dumps({1: 3, 3: -257, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)})

    def client_data(self, kind, challenge, **said):
        content = {"type": kind, "challenge": plain(challenge), "origin": self.origin, "crossOrigin": False, **said}
        return json.dumps({k: v for k, v in content.items() if v is not None}, separators=(",", ":")).encode()

    def data(self, flags, *, rp_id=None, credential=b""):
        rp_id_hash = sha256((rp_id or self.rp_id).encode()).digest()
        return rp_id_hash + bytes([flags]) + self.count.to_bytes(4) + credential

    def registered(self, challenge=b"c" * 32, *, flags=PRESENT | VERIFIED | ATTESTED, form="none", **said):
        """The attestation object and the browser's part, as a browser returns them."""
        made = bytes(16) + len(self.id).to_bytes(2) + self.id + self.public_key
        content = {"fmt": form, "attStmt": {}, "authData": self.data(flags, credential=made)}
        return cbor2.dumps(content), self.client_data("webauthn.create", challenge, **said)

    def sign(self, content):
        match self.algorithm:
            case "ES256":
                return self.private.sign(content, ec.ECDSA(SHA256()))
            case "EdDSA":
                return self.private.sign(content)
            case _:
                return self.private.sign(content, padding.PKCS1v15(), SHA256())

    def assertion(self, challenge, *, flags=PRESENT | VERIFIED, rp_id=None, kind="webauthn.get", **said):
        """Authenticator data, client data and signature over a challenge."""
        self.count += 1
        data, client = self.data(flags, rp_id=rp_id), self.client_data(kind, challenge, **said)
        return data, client, self.sign(data + sha256(client).digest())

    def envelope(self, payload, *, credential=None, challenge=None, **off):
        """A signature over a payload, as the page makes it."""
        data, client, signature = self.assertion(challenge or challenge_of(payload), **off)
        named = credential or self.credential()
        return assertion_envelope(payload, named, authenticator_data=data, client_data=client, signature=signature)

    def credential(self, label="token") -> Credential:
        return read_registration(
            registration_text(*self.registered()), rp_id=self.rp_id, origin=self.origin, label=label
        )

    # What a signer must have, so that it can stand in for a key.
    @property
    def key_id(self):
        return self.credential().key_id

    def sign_statement(self, statement):
        return self.envelope(statement)


def enrolment(authenticator, name, voucher=None, label="token") -> CredentialEnrolled:
    """The event that enrols an authenticator; `voucher` is what signs for it."""
    credential = authenticator.credential(label)
    said = "" if voucher is None else voucher.sign_statement(vouching_statement(name, credential))
    text = registration_text(*authenticator.registered())
    return CredentialEnrolled(name=name, credential=credential, registration=text, voucher=said)
