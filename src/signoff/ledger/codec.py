"""Encode events and states as canonical bytes, and decode them strictly, so that each has one encoding.

An event of an older Signoff may lack fields that now have a default. An unknown field is refused.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar, get_args

import msgspec

from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import ActorProof, AnyEvent, Enrolment, Recorded
from signoff.domain.policy import Strict, out_of_bounds
from signoff.ledger.canonical import canonical

SCHEMA: Final = 1
_FIELDS: Final = {"stream": str, "revision": int, "at": str, "actor": str, "event": dict}
T = TypeVar("T")


def encode(recorded: Recorded) -> bytes:
    """The exact bytes of an event in the ledger."""
    return canonical(_written(recorded))


def decode(body: bytes) -> Recorded:
    """The event in these bytes. TamperedError unless `encode` writes them now, or wrote them in an older version."""
    try:
        document = json.loads(body, parse_int=_number)
        recorded = _recorded(document)
        is_canonical = canonical(document) == body
    except (ValueError, KeyError, TypeError, RecursionError, ArithmeticError, BadInputError) as error:
        raise TamperedError(f"These bytes are no event of the ledger: {str(error)[:200]}") from error
    if not is_canonical or not holds(_written(recorded), document):
        raise TamperedError("These bytes are not the canonical form of the event they hold.")
    return recorded


def encode_state(state: object) -> bytes:
    """A frozen record, a state or an event, as canonical JSON."""
    return canonical(_plain(state))


def decode_state(kind: type[T], content: bytes) -> T:
    """A frozen record from its canonical JSON."""
    try:
        state = msgspec.json.decode(content, type=kind, dec_hook=_enrolment)
        if isinstance(state, Strict):
            _check_strict(state, json.loads(content, parse_int=_number))
    except (ValueError, KeyError, TypeError, RecursionError, ArithmeticError) as error:
        raise TamperedError(f"Stored state is no {kind.__name__}: {str(error)[:200]}") from error
    return state


def _check_strict(state: Strict, document: object) -> None:
    """Raise ValueError where a policy has an unknown key, or a number that no policy may have."""
    if not holds(_plain(state), document):
        raise ValueError("it has a key that this Signoff does not know, or a value in another form")
    if (wrong := out_of_bounds(state)) is not None:
        raise ValueError(wrong)


def _check_bounds(event: AnyEvent) -> None:
    """Raise ValueError where a policy or commitment within an event has a number that none may have."""
    for name in event.__dataclass_fields__:
        part = getattr(event, name)
        if isinstance(part, Strict) and (wrong := out_of_bounds(part, f"{name}.")) is not None:
            raise ValueError(wrong)


def _written(recorded: Recorded) -> object:
    written = {
        "schema": SCHEMA,
        "stream": recorded.stream,
        "revision": recorded.revision,
        "at": _instant(recorded.at),
        "actor": recorded.actor,
        "event": _plain(recorded.event),
    }
    return written if recorded.proof is ActorProof.UNRECORDED else {**written, "proof": recorded.proof.value}


def _recorded(document: Any) -> Recorded:  # noqa: ANN401 - whatever JSON held
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']}, and this Signoff reads schema {SCHEMA}; use a newer one")
    match document:
        case {"stream": str(stream), "revision": int(revision), "at": str(at), "actor": str(actor), "event": dict()}:
            if isinstance(revision, bool):
                raise TypeError("expected revision as a number, found true or false")
            event: AnyEvent = _read(_kinds()[document["event"]["kind"]], document["event"])
            _check_bounds(event)
        case _:
            wrong = (name for name, kind in _FIELDS.items() if not isinstance(document.get(name), kind))
            raise ValueError(f"missing, or of another type: {', '.join(wrong)}")
    proof = ActorProof(document.get("proof", ""))
    moment = datetime.fromisoformat(at)
    return Recorded(stream=stream, revision=revision, at=moment, actor=actor, event=event, proof=proof)


def holds(written: object, stored: object) -> bool:
    """Whether `written` contains all of `stored`; it may have more, from defaults that a later Signoff added."""
    match written, stored:
        case dict(), dict():
            return all(key in written and holds(written[key], stored[key]) for key in stored)
        case list() | tuple(), list():
            return len(written) == len(stored) and all(map(holds, written, stored))
        case _:
            return written == stored and isinstance(written, bool) == isinstance(stored, bool)


def _number(text: str) -> int | float:
    """The number; integers beyond 2^53 were floats, which RFC 8785 writes without a point."""
    return int(text) if len(text) < 16 or abs(int(text)) < 2**53 else float(text)


def _plain(value: object) -> object:
    return msgspec.to_builtins(value, enc_hook=_of_another_library)


def _read(kind: type[T], document: object) -> T:
    return msgspec.convert(document, kind, dec_hook=_enrolment)


def _of_another_library(value: object) -> object:
    """A number or mapping of a class that msgspec does not know, such as NumPy's floats."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise NotImplementedError(f"{type(value).__name__} is no value of an event")


def _enrolment(kind: type, document: Any) -> object:  # noqa: ANN401 - whatever JSON held
    if kind is not Enrolment:
        raise NotImplementedError(f"{kind.__name__} is no part of an event")
    change = _kinds()[document["kind"]]
    if not issubclass(change, Enrolment):
        raise TypeError(f"expected a change of a person, found {change.__name__}")
    return _read(change, document)


def _instant(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise BadInputError(f"Expected a time with a zone, found {moment.isoformat()} without; pass UTC.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _kinds() -> dict[str, type]:
    return {kind.__dataclass_fields__["kind"].default: kind for kind in get_args(AnyEvent)}
