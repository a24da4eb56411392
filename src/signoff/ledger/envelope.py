"""A person's decision as a DSSE envelope over an in-toto Statement; its subject is the signed digest.

The envelope and its pre-authentication encoding are those of DSSE v1. They are written here in fifteen lines with
strict parsing, since a lenient parser would accept altered bytes.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import Vote
from signoff.domain.policy import Role
from signoff.domain.statement import Statement
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.text import decoded, encoded

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://signoff.example/decision/v1"
DEPLOYMENT_TYPE: Final = "https://signoff.example/deployment/v1"


def key_id(public_key: bytes) -> str:
    """The id of a raw Ed25519 public key."""
    return digest(public_key)


def statement(decided: Statement) -> bytes:
    """The in-toto statement of a decision, canonical."""
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "manifest.json", "digest": {"sha256": decided.subject}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "deployment": decided.deployment,
                "model": decided.model,
                "version": decided.version,
                "person": decided.person,
                "role": decided.role.value,
                "verdict": decided.verdict.value,
                "conditions": list(decided.conditions),
                "reason": decided.reason,
                "signed_at": decided.signed_at.astimezone(UTC).isoformat(),
                "expires_at": decided.expires_at.astimezone(UTC).isoformat(),
            },
        }
    )


def envelope(payload: bytes, public_key: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The DSSE envelope of a payload, as canonical JSON."""
    return canonical(
        {
            "payload": encoded(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id(public_key), "sig": encoded(sign(encoding(payload)))}],
        }
    ).decode()


def verify(text: str, public_key_hex: str) -> Statement:
    """The statement in an envelope whose signature this key verifies, else TamperedError."""
    return read_statement(opened(text, public_key_hex))


def opened(text: str, public_key_hex: str) -> bytes:
    """The payload of an envelope whose signature this key verifies, else TamperedError."""
    try:
        document: dict[str, Any] = json.loads(text)
        payload = decoded(document["payload"])
        (signature,) = document["signatures"]
        public_key = bytes.fromhex(public_key_hex)
        named = {"keyid": key_id(public_key), "sig": signature["sig"]}
        expected = {"payload": document["payload"], "payloadType": PAYLOAD_TYPE, "signatures": [named]}
        if canonical(expected).decode() != text:
            raise TamperedError("The envelope is not in its canonical form, or names another key.")
        Ed25519PublicKey.from_public_bytes(public_key).verify(decoded(signature["sig"]), encoding(payload))
    except InvalidSignature as error:
        raise TamperedError("The signature does not hold for this statement and key.") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, BadInputError) as error:
        raise TamperedError(f"This is no envelope of a decision: {error}") from error
    return payload


def encoding(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def deployer_statement(
    *, manifest: str, deployment: str, model: str, version: str, person: str, signed_at: datetime
) -> bytes:
    """The deployer's statement: section 12 of the memo in this manifest. It approves nothing."""
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "manifest.json", "digest": {"sha256": manifest}}],
            "predicateType": DEPLOYMENT_TYPE,
            "predicate": {
                "deployment": deployment,
                "model": model,
                "version": version,
                "person": person,
                "signed_at": signed_at.astimezone(UTC).isoformat(),
            },
        }
    )


def deployer_signed_at(payload: bytes) -> datetime:
    """The signing time of a deployer's statement. TamperedError if it is malformed."""
    try:
        return datetime.fromisoformat(json.loads(payload)["predicate"]["signed_at"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TamperedError(f"This is no statement of who starts a rollout: {error}") from error


def read_statement(payload: bytes) -> Statement:
    """Parse an unsigned statement. TamperedError unless it is the canonical statement of a decision."""
    try:
        return _statement(payload)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, BadInputError) as error:
        raise TamperedError(f"This is no statement of a decision: {error}") from error


def _statement(payload: bytes) -> Statement:
    document = json.loads(payload)
    predicate = document["predicate"]
    if document["_type"] != STATEMENT_TYPE or document["predicateType"] != PREDICATE_TYPE:
        raise ValueError("the payload is another kind of statement")
    read = Statement(
        subject=document["subject"][0]["digest"]["sha256"],
        deployment=predicate["deployment"],
        model=predicate["model"],
        version=predicate["version"],
        person=predicate["person"],
        role=Role(predicate["role"]),
        verdict=Vote(predicate["verdict"]),
        conditions=tuple(predicate["conditions"]),
        reason=predicate["reason"],
        signed_at=datetime.fromisoformat(predicate["signed_at"]),
        expires_at=datetime.fromisoformat(predicate["expires_at"]),
    )
    if statement(read) != payload:
        raise ValueError("the statement is not in its canonical form, or says more than a decision")
    return read
