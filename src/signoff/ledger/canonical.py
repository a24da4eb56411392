"""Canonical JSON (RFC 8785) and the SHA-256 digest of bytes.

Almost everything that is recorded, signed or verified passes here several times, so this code is written for speed. A
test compares its bytes with those of the `rfc8785` library, which still writes the rare cases: exponents, subclasses
and refusals.
"""

import hashlib
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import Any, Final

import rfc8785

from signoff.domain.errors import BadInputError

MOST_EXACT: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exact (RFC 8785, appendix D)."""


def canonical(value: object) -> bytes:
    """The canonical JSON of a value. NaN and infinity have none and are refused."""
    try:
        return _text(value).encode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        message = f"Expected a value that JSON can hold (no NaN, no infinity), found one that it cannot: {error}."
        raise BadInputError(message) from error


def digest(content: bytes) -> str:
    """SHA-256, in lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def _text(value: object) -> str:
    return _WRITERS.get(type(value), _rare)(value)


def _rare(value: object) -> str:
    return rfc8785.dumps(value).decode()  # type: ignore[arg-type]  # it checks the types itself


def _whole(value: int) -> str:
    return repr(value) if -MOST_EXACT <= value <= MOST_EXACT else _rare(value)


def _real(value: float) -> str:
    written = repr(value)
    if written.endswith(".0"):
        return written[:-2] if value else "0"
    return _rare(value) if "e" in written or "n" in written else written


def _array(values: Iterable[object]) -> str:
    return "[" + ",".join([_text(value) for value in values]) + "]"


def _object(members: dict[Any, object]) -> str:
    if not {str}.issuperset(map(type, members)):
        return _rare(members)
    names = sorted(members) if "".join(members).isascii() else sorted(members, key=_utf16)
    return "{" + ",".join([f"{encode_basestring(name)}:{_text(members[name])}" for name in names]) + "}"


def _utf16(name: str) -> bytes:
    """Names are ordered by their UTF-16 code units (RFC 8785, section 3.2.3)."""
    return name.encode("utf-16be")


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    dict: _object,
    str: encode_basestring,
    int: _whole,
    float: _real,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    list: _array,
    tuple: _array,
}
