"""The part of CBOR (RFC 8949) that authenticators write, parsed strictly: each value has one encoding.

Integers, bytes, text, lists, maps, true, false and null, in their shortest form and of definite length.
"""

from typing import Final

Value = int | bytes | str | bool | None | tuple["Value", ...] | dict[int | str, "Value"]
MOST_DEPTH: Final = 8
SIMPLE: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


def read(content: bytes) -> Value:
    """The value that these bytes encode; ValueError if they are malformed, or longer."""
    value, rest = read_first(content)
    if rest:
        raise ValueError(f"{len(rest)} bytes follow the value")
    return value


def read_first(content: bytes, depth: int = 0) -> tuple[Value, bytes]:
    """The first value in these bytes, and the remaining bytes."""
    if depth > MOST_DEPTH:
        raise ValueError(f"values nest deeper than {MOST_DEPTH}")
    if not content:
        raise ValueError("a value is missing")
    kind, short = content[0] >> 5, content[0] & 0x1F
    if kind == 7:
        return _simple(short), content[1:]
    number, rest = _number(short, content[1:])
    if kind in {2, 3}:
        taken, rest = _taken(number, rest)
        return (taken if kind == 2 else taken.decode()), rest
    if kind in {4, 5}:
        return (_list if kind == 4 else _map)(number, rest, depth)
    if kind == 6:
        raise ValueError("a tag, which authenticators do not write")
    return (number if kind == 0 else -1 - number), rest


def _simple(short: int) -> bool | None:
    if short not in SIMPLE:
        raise ValueError(f"a simple value or fraction ({short}) that authenticators do not write")
    return SIMPLE[short]


def _number(short: int, content: bytes) -> tuple[int, bytes]:
    if short < 24:
        return short, content
    if short not in _WIDTHS:
        raise ValueError("a value of indefinite length")
    width = _WIDTHS[short]
    encoded, rest = _taken(width, content)
    number = int.from_bytes(encoded)
    if number < (24 if width == 1 else 1 << (4 * width)):
        raise ValueError("a number that is not in its shortest form")
    return number, rest


def _taken(length: int, content: bytes) -> tuple[bytes, bytes]:
    if length > len(content):
        raise ValueError(f"{length} bytes are announced, and {len(content)} are there")
    return content[:length], content[length:]


def _list(length: int, content: bytes, depth: int) -> tuple[Value, bytes]:
    items: list[Value] = []
    if length > len(content):
        raise ValueError("a list is longer than what is there")
    for _ in range(length):
        item, content = read_first(content, depth + 1)
        items.append(item)
    return tuple(items), content


def _map(length: int, content: bytes, depth: int) -> tuple[Value, bytes]:
    entries: dict[int | str, Value] = {}
    if length > len(content):
        raise ValueError("a map is longer than what is there")
    for _ in range(length):
        key, content = read_first(content, depth + 1)
        if isinstance(key, bool) or not isinstance(key, int | str) or key in entries:
            raise ValueError(f"a map's key {key!r} is not a number or text, or is repeated")
        entries[key], content = read_first(content, depth + 1)
    return entries, content
