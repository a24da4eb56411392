"""The public keys of a ledger, for desks and auditors who verify it from outside."""

from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signoff.ledger import envelope
from signoff.ledger.canonical import digest
from signoff.ledger.keychain import KeyChain


class FlagsKeyDocument(TypedDict):
    """The key that signs the flags: its id, and its public half as raw Ed25519 in hex."""

    key_id: str
    public_key: str


class LedgerKeyDocument(TypedDict):
    """A key that signs the ledger from an event on."""

    fingerprint: str
    key_id: str
    public_key: str
    pem: str
    from_event: int
    is_present: bool


class KeysDocument(TypedDict):
    """The keys of an installation."""

    flags: FlagsKeyDocument
    ledger: list[LedgerKeyDocument]


def public_keys(chain: KeyChain) -> KeysDocument:
    """The Ed25519 keys in order; the last one also signs the flags."""
    raw = [chain.first[0].content, *(handover.keys[0].content for handover in chain.handovers)]
    starts = [1, *(handover.size + 1 for handover in chain.handovers)]
    return {
        "flags": {"key_id": envelope.key_id(raw[-1]), "public_key": raw[-1].hex()},
        "ledger": [
            {
                "fingerprint": digest(content),
                "key_id": envelope.key_id(content),
                "public_key": content.hex(),
                "pem": _pem(content),
                "from_event": start,
                "is_present": number == len(raw),
            }
            for number, (content, start) in enumerate(zip(raw, starts, strict=True), start=1)
        ],
    }


def _pem(content: bytes) -> str:
    key = Ed25519PublicKey.from_public_bytes(content)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
