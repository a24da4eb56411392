"""Signed checkpoints: C2SP signed notes over the tree's size and root, with one or two signatures.

The note is ``origin``, size, base64 root, an empty line, then for each key ``— name base64(key hash ‖ signature)``. The
key hash is the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). 0x01 names Ed25519; ML-DSA-44 (FIPS 204)
has no type byte for plain notes yet, so it is written as 0xff and its name, as C2SP specifies.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.domain.errors import TamperedError, UnavailableError
from signoff.ledger.text import decoded, encoded

ORIGIN: Final = "signoff.ledger"
Sign = Callable[[bytes], bytes]


class Algorithm(Enum):
    """A key's algorithm; the value is its type in notes."""

    ED25519 = b"\x01"
    ML_DSA_44 = b"\xffsignoff/ml-dsa-44\n"

    @property
    def key_bytes(self) -> int:
        """The length of a public key."""
        return {Algorithm.ED25519: 32, Algorithm.ML_DSA_44: 1312}[self]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name in its notes."""

    name: str
    content: bytes
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def hash(self) -> bytes:
        """Four bytes that identify the key."""
        spelled = self.name.encode() + b"\n" + self.algorithm.value + self.content
        return hashlib.sha256(spelled).digest()[:4]

    @property
    def line(self) -> bytes:
        """The key as C2SP writes it: name+hash+base64(type ‖ key)."""
        return f"{self.name}+{self.hash.hex()}+{encoded(self.algorithm.value + self.content)}\n".encode()

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature or ValueError unless this key signed the message."""
        if self.algorithm is Algorithm.ED25519:
            Ed25519PublicKey.from_public_bytes(self.content).verify(signature, message)
        else:
            _check_ml_dsa(self.content, signature, message)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree at a size."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The signed text."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"


def note_of(text: str, signers: Sequence[tuple[VerifierKey, Sign]]) -> bytes:
    """A text with one signature for each key."""
    lines = [f"— {key.name} {encoded(key.hash + sign(text.encode()))}\n" for key, sign in signers]
    return f"{text}\n{''.join(lines)}".encode()


def text_of(note: bytes, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that exactly these keys signed, in this order; else TamperedError."""
    try:
        text, _, signatures = note.decode().partition("\n\n")
        text += "\n"
        lines = [line.split(" ") for line in signatures.removesuffix("\n").split("\n")]
        signed = [(mark, signer, decoded(spelled)) for mark, signer, spelled in lines]
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"The checkpoint is no signed note: {error}") from error
    if (
        "".join([text, "\n", *(f"— {signer} {encoded(signature)}\n" for _, signer, signature in signed)]).encode()
        != note
    ):
        raise TamperedError("The checkpoint is not in its canonical form; it was altered.")
    signers = [(signer, signature[:4]) for _, signer, signature in signed]
    if signers != [(key.name, key.hash) for key in keys]:
        raise TamperedError(
            f"The checkpoint was not signed by the key of this ledger: expected {len(keys)} signature(s), by "
            f"{' and '.join(key.hash.hex() for key in keys)}, found {' and '.join(h.hex() for _, h in signers)}."
        )
    for key, (_, _, signature) in zip(keys, signed, strict=True):
        _check(key, signature[4:], text)
    return text


def opened(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note that exactly these keys signed."""
    checkpoint = claimed(note)
    if text_of(note, keys) != checkpoint.body:
        raise TamperedError("The checkpoint is not in its canonical form; it was altered.")
    if any(key.name != checkpoint.origin for key in keys):
        raise TamperedError("The checkpoint was not signed by the key of this ledger.")
    return checkpoint


def claimed(note: bytes) -> Checkpoint:
    """The checkpoint that a note claims, not verified."""
    try:
        origin, size, root = note.decode().partition("\n\n")[0].split("\n")
        return Checkpoint(origin, int(size), decoded(root))
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"The checkpoint is no signed note: {error}") from error


def parsed_key(line: bytes) -> VerifierKey:
    """The public key of a verifier key line, whose hash must match."""
    try:
        name, _, spelled = line.decode().removesuffix("\n").split("+", 2)
        content = decoded(spelled)
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"The key file is no verifier key: {error}") from error
    for algorithm in Algorithm:
        key = VerifierKey(name, content[len(algorithm.value) :], algorithm)
        if len(key.content) == algorithm.key_bytes and key.line == line:
            return key
    raise TamperedError("The key file does not agree with its own hash; it was altered.")


def signed_note(checkpoint: Checkpoint, public_key: bytes, sign: Sign) -> bytes:
    """The note with one Ed25519 signature by the key of the origin's name."""
    return note_of(checkpoint.body, ((VerifierKey(checkpoint.origin, public_key), sign),))


def key_line(name: str, public_key: bytes) -> bytes:
    """The verifier key line of an Ed25519 key."""
    return VerifierKey(name, public_key).line


def open_note(note: bytes, name: str, public_key: bytes) -> Checkpoint:
    """The checkpoint of a note that one Ed25519 key signed."""
    return opened(note, (VerifierKey(name, public_key),))


def _check(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        key.check(signature, text.encode())
    except (InvalidSignature, ValueError) as error:
        raise TamperedError("The signature of the checkpoint does not hold; it was altered.") from error


def _check_ml_dsa(public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415 - newer than ours

        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (ImportError, UnsupportedAlgorithm) as error:
        raise UnavailableError(
            "A signature by ML-DSA-44 cannot be checked here: the installed `cryptography` does not know it. Nothing "
            "can be said of it; install a newer one and verify again."
        ) from error
