"""The records of the journal and their bytes, all little-endian.

Every record begins with its length, kind, marks, deployment, sequence number and wall clock. Names (deployments,
versions, symbols) are numbers; a record of kind NAME, which has no sequence number, says what a number stands for.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final

HEAD: Final = struct.Struct("<HBBIQq")
"""Length of the whole record, kind, marks, deployment, sequence number, nanoseconds since 1970."""
PREDICTION: Final = struct.Struct("<HBBIQqIIddQ")
"""As HEAD; then version, symbol, prediction, confidence (NaN: none), latency in nanoseconds. Features follow."""
LONGEST: Final = 0xFFFF
DIGEST_BYTES: Final = 32


class Kind(IntEnum):
    """What a record says."""

    NAME = 1
    PREDICTION = 2
    ORDER = 3
    VERDICT = 4
    ACKNOWLEDGED = 5
    FILLED = 6
    CANCELLED = 7
    FLAGS = 8
    HEARTBEAT = 9
    DROPPED = 10
    FALLBACK = 11
    REFUSED = 12


class Mark(IntFlag):
    """What a record says of itself."""

    NONE = 0
    CLOCK_WENT_BACK = 1
    DIGEST_OF_FEATURES = 2
    SHADOW = 4
    FALLBACK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A prediction of one version for one symbol.

    `features` are the bytes of float64 values in the registered order, or the SHA-256 of these bytes where
    `has_digest_alone`. `confidence` is None where the model has none.
    """

    seq: int
    at_ns: int
    deployment: str
    version: str
    symbol: str
    value: float
    confidence: float | None
    latency_ns: int
    features: bytes
    has_digest_alone: bool = False
    is_shadow: bool = False
    is_fallback: bool = False
    clock_went_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Any other record: an order, a verdict, a fill, with what it says as JSON."""

    seq: int
    at_ns: int
    deployment: str
    kind: Kind
    says: Mapping[str, Any] = field(default_factory=dict)
    clock_went_back: bool = False


def name_record(number: int, name: str) -> bytes:
    """The record that gives a number its name."""
    text = name.encode()
    return HEAD.pack(HEAD.size + len(text), Kind.NAME, 0, number, 0, 0) + text


def records_in(payload: bytes, names: dict[int, str]) -> list[Prediction | Entry]:
    """The records of a frame; names that it defines are added to `names`. ValueError where it is malformed."""
    records: list[Prediction | Entry] = []
    offset = 0
    while offset < len(payload):
        length, kind, marks, deployment, seq, at_ns = HEAD.unpack_from(payload, offset)
        end = offset + length
        if length < HEAD.size or end > len(payload):
            raise ValueError(f"a record of {length} bytes at byte {offset} of a frame of {len(payload)}")
        if kind == Kind.NAME:
            names[deployment] = payload[offset + HEAD.size : end].decode()
        elif kind == Kind.PREDICTION:
            records.append(_prediction(payload, offset, end, names))
        else:
            text = payload[offset + HEAD.size : end]
            records.append(
                Entry(
                    seq=seq,
                    at_ns=at_ns,
                    deployment=names[deployment],
                    kind=Kind(kind),
                    says=json.loads(text) if text else {},
                    clock_went_back=bool(marks & Mark.CLOCK_WENT_BACK),
                )
            )
        offset = end
    return records


def _prediction(payload: bytes, offset: int, end: int, names: Mapping[int, str]) -> Prediction:
    _, _, marks, deployment, seq, at_ns, version, symbol, value, confidence, latency_ns = PREDICTION.unpack_from(
        payload, offset
    )
    return Prediction(
        seq=seq,
        at_ns=at_ns,
        deployment=names[deployment],
        version=names[version],
        symbol=names[symbol],
        value=value,
        confidence=None if math.isnan(confidence) else confidence,
        latency_ns=latency_ns,
        features=payload[offset + PREDICTION.size : end],
        has_digest_alone=bool(marks & Mark.DIGEST_OF_FEATURES),
        is_shadow=bool(marks & Mark.SHADOW),
        is_fallback=bool(marks & Mark.FALLBACK),
        clock_went_back=bool(marks & Mark.CLOCK_WENT_BACK),
    )
