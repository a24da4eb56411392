"""Which files an ONNX model keeps its weights in: they are among the approved ones, or the model is refused.

ONNX Runtime would look for them in the working directory, where nobody approved anything. A model is a tree of protocol
buffers; only the branches that lead to a tensor are read, so no further library is needed.
"""

from collections.abc import Iterator
from typing import Final

_TENSOR: Final = "tensor"
# For each message, the fields that lead to tensors, by the numbers in onnx.proto3.
_LEADS_TO: Final = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    "node": {5: "attribute"},
    "function": {7: "node", 11: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    _TENSOR: {13: "entry"},
}
_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}


def locations(model: bytes) -> frozenset[str]:
    """The paths that the model's external tensors name. ValueError where the bytes are no ONNX model."""
    return frozenset(_locations(memoryview(model), "model"))


def _locations(content: memoryview, kind: str) -> Iterator[str]:
    for number, value in _fields(content):
        inner = _LEADS_TO[kind].get(number)
        if inner == "entry":
            entry = dict(_fields(value))
            if bytes(entry.get(1, b"")) == b"location":
                yield bytes(entry.get(2, b"")).decode()
        elif inner is not None:
            yield from _locations(value, inner)


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields that hold bytes, with their numbers."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _, at = _varint(content, at)
            continue
        if kind == _BYTES:
            size, at = _varint(content, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"a field of kind {kind} at byte {at}")
        if at + size > len(content):
            raise ValueError(f"a field of {size} bytes at byte {at} of {len(content)}")
        if kind == _BYTES:
            yield number, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError(f"a number without an end at byte {at}")
