"""Signed checkpoints: a C2SP signed note over the tree's size and root, with Ed25519 signatures.

The note is ``origin``, size, base64 root, an empty line, then ``— name base64(key hash ‖ signature)``. The key hash is
the first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key); 0x01 names Ed25519.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.domain.errors import TamperedError
from signoff.ledger.text import decoded, encoded

ED25519: Final = b"\x01"
ORIGIN: Final = "signoff.ledger"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree at a size."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"


def signed_note(checkpoint: Checkpoint, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """The note with one signature by the key of the origin's name."""
    signature = key_hash(checkpoint.origin, public_key) + sign(checkpoint.body.encode())
    return f"{checkpoint.body}\n— {checkpoint.origin} {encoded(signature)}\n".encode()


def key_hash(name: str, public_key: bytes) -> bytes:
    """Four bytes that tell keys apart."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def key_line(name: str, public_key: bytes) -> bytes:
    """The verifier key as C2SP writes it: name+hash+base64(type ‖ key)."""
    return f"{name}+{key_hash(name, public_key).hex()}+{encoded(ED25519 + public_key)}\n".encode()


def parse_key_line(content: bytes) -> tuple[str, bytes]:
    """Name and public key of a verifier key; its hash must agree."""
    try:
        name, _, spelled = content.decode().removesuffix("\n").split("+", 2)
        public_key = decoded(spelled)[1:]
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"The key file is no verifier key: {error}") from error
    if key_line(name, public_key) != content:
        raise TamperedError("The key file does not agree with its own hash; it was altered.")
    return name, public_key


def open_note(note: bytes, name: str, public_key: bytes) -> Checkpoint:
    """The checkpoint of a note, its signature verified. TamperedError says what does not hold."""
    try:
        body, _, signatures = note.decode().partition("\n\n")
        origin, size, root = body.split("\n")
        mark, signer, spelled = signatures.removesuffix("\n").split(" ")
        checkpoint = Checkpoint(origin, int(size), decoded(root))
        signature = decoded(spelled)
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"The checkpoint is no signed note: {error}") from error
    if mark != "—" or signer != name or origin != name or signature[:4] != key_hash(name, public_key):
        raise TamperedError("The checkpoint was not signed by the key of this ledger.")
    if f"{checkpoint.body}\n— {signer} {encoded(signature)}\n".encode() != note:
        raise TamperedError("The checkpoint is not in its canonical form; it was altered.")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature[4:], checkpoint.body.encode())
    except (InvalidSignature, ValueError) as error:
        raise TamperedError("The signature of the checkpoint does not hold; it was altered.") from error
    return checkpoint
