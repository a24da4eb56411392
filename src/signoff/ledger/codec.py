"""Events and states as canonical bytes, and back; strict, so that no two byte strings mean the same."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from signoff.domain.errors import TamperedError
from signoff.domain.events import AnyEvent, Recorded
from signoff.ledger.canonical import canonical

SCHEMA: Final = 1
T = TypeVar("T")
_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}


def encode(recorded: Recorded) -> bytes:
    """The exact bytes that the ledger keeps of an event."""
    return canonical(
        {
            "schema": SCHEMA,
            "stream": recorded.stream,
            "revision": recorded.revision,
            "at": _instant(recorded.at),
            "actor": recorded.actor,
            "event": _plain(recorded.event),
        }
    )


def decode(body: bytes) -> Recorded:
    """The event behind these bytes. TamperedError when they are not what `encode` writes."""
    try:
        said = json.loads(body)
        event = _adapter(_kinds()[said["event"]["kind"]]).validate_python(said["event"])
        recorded = Recorded(
            stream=said["stream"],
            revision=said["revision"],
            at=datetime.fromisoformat(said["at"]),
            actor=said["actor"],
            event=event,
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise TamperedError(f"These bytes are no event of the ledger: {str(error)[:200]}") from error
    if encode(recorded) != body:
        raise TamperedError("These bytes are not the canonical form of the event they hold.")
    return recorded


def encode_state(state: object) -> bytes:
    """A frozen record as canonical JSON."""
    return canonical(_plain(state))


def decode_state(kind: type[T], content: bytes) -> T:
    """A frozen record from its canonical JSON."""
    try:
        state: T = _adapter(kind).validate_json(content)
        return state
    except ValidationError as error:
        raise TamperedError(f"Stored state is no {kind.__name__}: {str(error)[:200]}") from error


def _plain(value: object) -> object:
    return _adapter(type(value)).dump_python(value, mode="json")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@cache
def _kinds() -> dict[str, type]:
    return {kind.__dataclass_fields__["kind"].default: kind for kind in get_args(AnyEvent)}


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
