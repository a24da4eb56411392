"""The little CBOR that is read: what another library writes, and nothing in another spelling."""

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signoff.ledger import cbor
from signoff.ledger.authenticators import algorithm_of

KEYS = st.integers(-(2**63), 2**63) | st.text(max_size=5)
LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=30) | st.booleans() | st.none()
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=4).map(tuple) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12
)


@given(VALUES)
def test_what_another_library_writes_is_read_back(value):
    try:
        read = cbor.read(cbor2.dumps(value))
    except ValueError as error:
        assert "deeper" in str(error)  # noqa: PT017 - deep values are the one thing that is not read
    else:
        assert read == value


def in_tuples(value):
    """What the other library reads, with its lists as tuples."""
    if isinstance(value, dict):
        return {key: in_tuples(item) for key, item in value.items()}
    return tuple(map(in_tuples, value)) if isinstance(value, (list, tuple)) else value


@given(st.binary(max_size=60))
@example(b"\x80")
@example(b"\x81\x80")
@example(b"\xa1\x01\x80")
def test_any_bytes_are_read_or_refused(content):
    try:
        read = cbor.read(content)
    except (ValueError, RecursionError):
        return
    assert in_tuples(cbor2.loads(content)) == read


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x18\x17",  # 23 in two bytes
        b"\x19\x00\xff",
        b"\x1a\x00\x00\xff\xff",
        b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff",
        b"\x5f\x41a\xff",  # of indefinite length
        b"\xf9\x3c\x00",  # a fraction
        b"\xc0\x00",  # a tag
        b"\x42a",
        b"\xa2\x01\x01\x01\x02",  # a name twice
        b"\xa1\xf5\x01",
        b"\xa1\x41a\x01",
        b"\x01\x01",
        b"\x81" * 20 + b"\x01",
        b"\x9a\xff\xff\xff\xff",
        b"\xf7",
        b"\x62\xff\xfe",
    ],
)
def test_another_spelling_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        cbor.read(content)


X = bytes(range(32))


@pytest.mark.parametrize(
    "key",
    [
        {},
        (1, 2),
        {1: 2, 3: -7, -1: 1, -2: X},
        {1: 2, 3: -7, -1: 1, -2: X, -3: X[:31]},
        {1: 2, 3: -7, -1: 1, -2: X, -3: X, -4: X},
        {3: -7, 1: 2, -1: 1, -2: X, -3: X},
        {1: 2, 3: -7, -1: True, -2: X, -3: X},
        {1: 2, 3: -7, -1: 2, -2: X, -3: X},
        {1: 2, 3: -8, -1: 1, -2: X, -3: X},
        {1: 1, 3: -7, -1: 6, -2: X},
        {1: 1, 3: -8, -1: 6, -2: X + b"\0"},
        {1: 3, 3: -257, -1: X, -2: b"\1\0\1"},
        {1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\3"},
        {1: 3, 3: -257, -1: b"\0" + b"\xff" * 256, -2: b"\1\0\1"},
        {1: 3, 3: -65535, -1: b"\xff" * 256, -2: b"\1\0\1"},
        {1: 4, 3: 5, -1: X},
    ],
)
def test_any_other_key_is_refused(key):
    with pytest.raises(ValueError, match="public key"):
        algorithm_of(cbor2.dumps(key))
