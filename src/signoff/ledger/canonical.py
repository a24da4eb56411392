"""One way to write a value as bytes: RFC 8785 JSON; and the digest that names them."""

import hashlib

import rfc8785

from signoff.domain.errors import BadInputError


def canonical(value: object) -> bytes:
    """The canonical JSON of a value. NaN and infinity have none and are refused."""
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it checks the types itself
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        message = f"Expected a value that JSON can hold (no NaN, no infinity), found one that it cannot: {error}."
        raise BadInputError(message) from error


def digest(content: bytes) -> str:
    """SHA-256, in lower-case hex."""
    return hashlib.sha256(content).hexdigest()
