"""Parse and check what authenticators write (WebAuthn level 3): keys, authenticator data, and the browser's client
data.

The original bytes are parsed strictly. Three algorithms are supported, those of the authenticators in use. A key names
its algorithm, and a signature is checked with that algorithm only.
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
    """A new credential, as its authenticator reports it."""

    aaguid: bytes
    id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """What an authenticator reports about itself and the person's presence."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    credential: NewCredential | None

    def has(self, flag: int) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)


def read_authenticator_data(content: bytes) -> AuthenticatorData:
    """Parse authenticator data; ValueError if it is malformed."""
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
        raise ValueError("a credential that cannot be backed up is marked as backed up")
    count = int.from_bytes(content[33:37])
    return AuthenticatorData(rp_id_hash=content[:32], flags=flags, sign_count=count, credential=credential)


def _new_credential(content: bytes) -> tuple[NewCredential, bytes]:
    length = int.from_bytes(content[16:18])
    credential_id, after = content[18 : 18 + length], content[18 + length :]
    if len(content) < 18 or not 1 <= length <= 1023 or len(credential_id) != length:
        raise ValueError("a credential's id has 1 to 1023 bytes")
    _, rest = cbor.read_first(after)
    key = after[: len(after) - len(rest)]
    return NewCredential(aaguid=content[:16], id=credential_id, public_key=key), rest


def algorithm_of(public_key: bytes) -> str:
    """The algorithm of a COSE key; ValueError for an unknown algorithm or another encoding."""
    return ALGORITHMS[_read_key(public_key)[0]]


def verify_signature(public_key: bytes, signature: bytes, signed: bytes) -> None:
    """Raise ValueError unless the signature is valid."""
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
    """The algorithm and parameters of a COSE key, whose labels must be in canonical order."""
    cose = cbor.read(content)
    if not isinstance(cose, dict) or any(isinstance(part, bool) for part in cose.values()):
        raise ValueError("a public key is a map of numbers and bytes")
    labels = tuple(cose)
    match cose:
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
        "the public key is not ES256 on P-256, EdDSA on Ed25519 or RS256 with at least 2048 bits, or is written "
        "in another way than authenticators do"
    )


def check_client_data(content: bytes, *, kind: str, challenge: bytes | None, origin: str) -> None:
    """Raise TamperedError unless the browser signed for this purpose, origin and challenge.

    Without a `challenge` any is accepted: the challenge of a registration is not kept.
    """
    client_data = _client_data(content)
    if client_data.get("type") != kind:
        raise TamperedError(f"Expected client data of type {kind!r}, found {client_data.get('type')!r}.")
    if challenge is not None and client_data.get("challenge") != url_encoded(challenge):
        raise TamperedError("The authenticator answered another challenge: it signed another statement.")
    if client_data.get("origin") != origin:
        raise TamperedError(f"Expected a request from {origin!r}, found one from {client_data.get('origin')!r}.")
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise TamperedError(
            "Expected a request from the site's own page, found one from a frame in another site's page."
        )


def _client_data(content: bytes) -> dict[str, Any]:
    try:
        client_data = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TamperedError(f"The browser's client data are not JSON: {error}") from error
    if not isinstance(client_data, dict):
        raise TamperedError("The browser's client data are not a JSON object.")
    return client_data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
