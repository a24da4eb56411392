"""Events and states as canonical bytes, and back; strict, so that no two byte strings mean the same.

An event written by an older Signoff may lack a field that has a default since; it may never hold one that is unknown.
"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import ActorProof, AnyEvent, Recorded
from signoff.ledger.canonical import canonical

SCHEMA: Final = 1
T = TypeVar("T")
_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}


def encode(recorded: Recorded) -> bytes:
    """The exact bytes that the ledger keeps of an event."""
    return canonical(_written(recorded))


def decode(body: bytes) -> Recorded:
    """The event behind these bytes. TamperedError when they are not what `encode` writes, or ever wrote."""
    try:
        said = json.loads(body, parse_int=_number)
        recorded = _recorded(said)
        is_canonical = canonical(said) == body
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError, BadInputError) as error:
        raise TamperedError(f"These bytes are no event of the ledger: {str(error)[:200]}") from error
    if not is_canonical or not holds(_written(recorded), said):
        raise TamperedError("These bytes are not the canonical form of the event they hold.")
    return recorded


def encode_state(state: object) -> bytes:
    """A frozen record, a state or an event, as canonical JSON."""
    return canonical(_plain(state))


def decode_state(kind: type[T], content: bytes) -> T:
    """A frozen record from its canonical JSON."""
    try:
        state: T = _adapter(kind).validate_json(content)
    except ValidationError as error:
        raise TamperedError(f"Stored state is no {kind.__name__}: {str(error)[:200]}") from error
    return state


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


def _recorded(said: Any) -> Recorded:  # noqa: ANN401 - whatever JSON held
    if said["schema"] != SCHEMA:
        raise ValueError(f"schema {said['schema']}, and this Signoff reads schema {SCHEMA}; use a newer one")
    match said:
        case {"stream": str(stream), "revision": int(revision), "at": str(at), "actor": str(actor), "event": dict()}:
            if isinstance(revision, bool):
                raise TypeError("a revision is a number")
            kind = _kinds()[said["event"]["kind"]]
            event = _adapter(kind).validate_python(said["event"])
        case _:
            raise ValueError("a field is missing or of another type")
    proof = ActorProof(said.get("proof", ""))
    moment = datetime.fromisoformat(at)
    return Recorded(stream=stream, revision=revision, at=moment, actor=actor, event=event, proof=proof)


def holds(written: object, said: object) -> bool:
    """Whether everything that was said is there; what was written may hold more, by defaults of a later Signoff."""
    match written, said:
        case dict(), dict():
            return all(key in written and holds(written[key], said[key]) for key in said)
        case list(), list():
            return len(written) == len(said) and all(map(holds, written, said))
        case _:
            return written == said and isinstance(written, bool) == isinstance(said, bool)


def _number(text: str) -> int | float:
    """RFC 8785 writes whole numbers beyond 2^53 without a point; they were floats."""
    return int(text) if len(text) < 16 or abs(int(text)) < 2**53 else float(text)


def _plain(value: object) -> object:
    return _adapter(type(value)).dump_python(value, mode="json", warnings=False)


def _instant(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise BadInputError(f"Expected a time with a zone, found {moment.isoformat()} without; pass UTC.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _kinds() -> dict[str, type]:
    return {kind.__dataclass_fields__["kind"].default: kind for kind in get_args(AnyEvent)}


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
