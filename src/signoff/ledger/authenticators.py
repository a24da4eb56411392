"""What authenticators write (WebAuthn level 3): their keys, their data, and what the browser signed along.

Read strictly, from the bytes as they came. Only the three algorithms that authenticators in use have: a key says which
one it is for, and a signature is checked with that one and no other.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from signoff.domain.errors import TamperedError
from signoff.ledger import cbor
from signoff.ledger.text import url_encoded

ALGORITHMS: Final = {-7: "ES256", -8: "EdDSA", -257: "RS256"}
LEAST_RSA_BITS: Final = 2048
USUAL_EXPONENT: Final = 65537
PRESENT: Final = 0x01
VERIFIED: Final = 0x04
BACKUP_ELIGIBLE: Final = 0x08
BACKED_UP: Final = 0x10
ATTESTED: Final = 0x40
EXTENDED: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A credential as its authenticator announces it."""

    aaguid: bytes
    id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """What an authenticator says of itself and of the person before it."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    credential: NewCredential | None

    def has(self, flag: int) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)


def read_authenticator_data(content: bytes) -> AuthenticatorData:
    """The data as it is written; ValueError when it is anything else."""
    if len(content) < 37:
        raise ValueError(f"authenticator data has at least 37 bytes, found {len(content)}")
    flags, rest = content[32], content[37:]
    credential = None
    if flags & ATTESTED:
        credential, rest = _new_credential(rest)
    if flags & EXTENDED:
        extensions, rest = cbor.read_first(rest)
        if not isinstance(extensions, dict):
            raise ValueError("the extensions of authenticator data are a map")
    if rest:
        raise ValueError(f"{len(rest)} bytes follow the authenticator data")
    if flags & BACKED_UP and not flags & BACKUP_ELIGIBLE:
        raise ValueError("a key that cannot be backed up is said to be backed up")
    count = int.from_bytes(content[33:37])
    return AuthenticatorData(rp_id_hash=content[:32], flags=flags, sign_count=count, credential=credential)


def _new_credential(content: bytes) -> tuple[NewCredential, bytes]:
    length = int.from_bytes(content[16:18])
    identity, after = content[18 : 18 + length], content[18 + length :]
    if len(content) < 18 or not 1 <= length <= 1023 or len(identity) != length:
        raise ValueError("a credential's id has 1 to 1023 bytes")
    _, rest = cbor.read_first(after)
    key = after[: len(after) - len(rest)]
    return NewCredential(aaguid=content[:16], id=identity, public_key=key), rest


def algorithm_of(public_key: bytes) -> str:
    """The algorithm that a COSE key is for; ValueError for any other key than those we know, or another spelling."""
    return ALGORITHMS[_read_key(public_key)[0]]


def verify_signature(public_key: bytes, signature: bytes, signed: bytes) -> None:
    """Nothing when the signature holds; ValueError when it does not."""
    algorithm, parameters = _read_key(public_key)
    try:
        if algorithm == -7:
            if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                raise ValueError("the signature is not in its canonical form")
            x, y = (int.from_bytes(part) for part in parameters)
            EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key().verify(signature, signed, ECDSA(SHA256()))
        elif algorithm == -8:
            Ed25519PublicKey.from_public_bytes(parameters[0]).verify(signature, signed)
        else:
            n, e = (int.from_bytes(part) for part in parameters)
            RSAPublicNumbers(e, n).public_key().verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise ValueError("the signature does not hold for these bytes and this key") from error


def _read_key(content: bytes) -> tuple[int, tuple[bytes, ...]]:
    """The algorithm and parameters of a COSE key, its labels in their one order."""
    said = cbor.read(content)
    if not isinstance(said, dict) or any(isinstance(part, bool) for part in said.values()):
        raise ValueError("a public key is a map of numbers and bytes")
    labels = tuple(said)
    match said:
        case {1: 2, 3: -7, -1: 1, -2: bytes(x), -3: bytes(y)} if labels == (1, 3, -1, -2, -3):
            if len(x) == len(y) == 32:
                return -7, (x, y)
        case {1: 1, 3: -8, -1: 6, -2: bytes(x)} if labels == (1, 3, -1, -2):
            if len(x) == 32:
                return -8, (x,)
        case {1: 3, 3: -257, -1: bytes(n), -2: bytes(e)} if labels == (1, 3, -1, -2):
            bits = int.from_bytes(n).bit_length()
            if n[:1] != b"\0" and bits >= LEAST_RSA_BITS and int.from_bytes(e) == USUAL_EXPONENT and e[:1] != b"\0":
                return -257, (n, e)
    raise ValueError(
        "the public key is none of ES256 on P-256, EdDSA on Ed25519 and RS256 with at least 2048 bits, or is written "
        "in another way than authenticators do"
    )


def check_client_data(content: bytes, *, kind: str, challenge: bytes | None, origin: str) -> None:
    """Nothing when the browser signed for this, here and for these bytes; TamperedError says what differs.

    Without a `challenge` any will do: what was asked when a credential was made is known to nobody later.
    """
    said = _client_data(content)
    if said.get("type") != kind:
        raise TamperedError(f"The browser was asked for {said.get('type')!r}, and this takes {kind!r}.")
    if challenge is not None and said.get("challenge") != url_encoded(challenge):
        raise TamperedError("The authenticator answered another challenge: it was touched for other words than these.")
    if said.get("origin") != origin:
        raise TamperedError(f"The authenticator was asked at {said.get('origin')!r}, and belongs to {origin!r}.")
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise TamperedError("The authenticator was asked by a page within another site's page.")


def _client_data(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TamperedError(f"The browser's part of the assertion is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise TamperedError("The browser's part of the assertion is no JSON object.")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
