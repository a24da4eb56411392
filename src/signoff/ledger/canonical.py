"""Canonical JSON (RFC 8785) and the SHA-256 digest of bytes.

Almost everything that is recorded, signed or verified passes here several times, so this code is written for speed. A
test compares its bytes and its refusals with those of the `rfc8785` library.
"""

import hashlib
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import Any, Final

from signoff.domain.errors import BadInputError

MOST_EXACT: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exact (RFC 8785, appendix D)."""


def canonical(value: object) -> bytes:
    """The canonical JSON of a value. NaN and infinity have none and are refused."""
    try:
        return _text(value).encode()
    except (ValueError, TypeError, RecursionError) as error:
        message = f"Expected a value that JSON can hold (no NaN, no infinity), found one that it cannot: {error}."
        raise BadInputError(message) from error


def digest(content: bytes) -> str:
    """SHA-256, in lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def _text(value: object) -> str:
    return _WRITERS.get(type(value), _rare)(value)


def _rare(value: object) -> str:
    """A value of a subclass, such as a StrEnum, as its base class is written."""
    match value:
        case str():
            return encode_basestring(str.__str__(value))
        case int():
            return _whole(int(value))
        case float():
            return _real(float(value))
        case dict():
            return _object(value)
        case list() | tuple():
            return _array(value)
        case _:
            raise TypeError(f"{type(value).__name__} is no value of JSON")


def _whole(value: int) -> str:
    if -MOST_EXACT <= value <= MOST_EXACT:
        return repr(value)
    raise ValueError(f"{value} is beyond the whole numbers that every reader of JSON keeps exact")


def _real(value: float) -> str:
    written = repr(value)
    if written.endswith(".0"):
        return written[:-2] if value else "0"
    if "n" in written:
        raise ValueError(f"{written} is no number of JSON")
    return _with_exponent(written) if "e" in written else written


def _with_exponent(written: str) -> str:
    """Python's shortest form as ECMAScript writes it, which has an exponent from 1e21 and below 1e-6 only."""
    mantissa, _, power = written.partition("e")
    sign, (whole, _, rest) = "-" * mantissa.startswith("-"), mantissa.lstrip("-").partition(".")
    digits, exponent = whole + rest, int(power)
    if len(digits) <= exponent + 1 <= 21:
        return sign + digits.ljust(exponent + 1, "0")
    if -7 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return f"{sign}{whole}{'.' if rest else ''}{rest}e{exponent:+d}"


def _array(values: Iterable[object]) -> str:
    return "[" + ",".join([_text(value) for value in values]) + "]"


def _object(members: dict[Any, object]) -> str:
    if not {str}.issuperset(map(type, members)):
        members = {_name(name): value for name, value in members.items()}
    names = sorted(members) if "".join(members).isascii() else sorted(members, key=_utf16)
    return "{" + ",".join([f"{encode_basestring(name)}:{_text(members[name])}" for name in names]) + "}"


def _name(name: object) -> str:
    if isinstance(name, str):
        return str.__str__(name)
    raise TypeError(f"the name of a member is text in JSON, not {name!r}")


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
