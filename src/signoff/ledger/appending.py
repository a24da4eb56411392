"""The checks that every store makes before it appends events, and the end of outbox leases."""

from collections.abc import Callable, Sequence
from datetime import datetime

from signoff.domain.errors import BadInputError, ConflictError, NotFoundError, StaleRevisionError, TamperedError
from signoff.domain.events import ActorProof, AnyEvent, Recorded
from signoff.ledger.codec import decode, encode

SignCheckpoint = Callable[[int, bytes], bytes]


def expect(stream: str, expected: int | None, revision: int) -> None:
    """Refuse a change that was decided on another revision of a stream."""
    if expected is not None and expected != revision:
        raise StaleRevisionError(
            f"Expected {stream} at revision {expected}, found it at {revision}: another commit came first. Look at it "
            "again and repeat the request if it still makes sense."
        )


def conflict(key: str) -> ConflictError:
    """The error for an idempotency key that was used with another request."""
    return ConflictError(f"The request {key!r} was made before with other contents; nothing was done.")


def no_effect(effect_id: str) -> NotFoundError:
    """Unknown outbox effect."""
    return NotFoundError(f"Expected an effect {effect_id!r} in the outbox, found none; nothing was recorded.")


def bodies_of(
    stream: str,
    events: Sequence[AnyEvent],
    *,
    after: int,
    expected: int | None,
    at: datetime,
    actor: str,
    proof: ActorProof,
) -> tuple[bytes, ...]:
    """The canonical bytes of new events of a stream, checked to be readable again."""
    expect(stream, expected, after)
    if not events:
        raise BadInputError(f"Expected events for {stream}, found none; state changes only by events.")
    return tuple(
        _readable(Recorded(stream=stream, revision=revision, at=at, actor=actor, event=event, proof=proof))
        for revision, event in enumerate(events, start=after + 1)
    )


def _readable(recorded: Recorded) -> bytes:
    """The bytes of an event. An unreadable event is refused, since the ledger removes nothing."""
    body = encode(recorded)
    try:
        decode(body)
    except TamperedError as error:
        raise BadInputError(f"The event {recorded.event.kind!r} of {recorded.stream} is not valid: {error}") from error
    return body


def last_lease(until: datetime, now: datetime) -> datetime:
    """Latest plausible lease end; a later one comes from a wrong clock.

    Without this, a clock that is a day ahead would delay an effect by a day. Clocks may differ by the length of a
    lease.
    """
    return until + (until - now)


def is_over(ends: datetime | None, now: datetime, latest: datetime) -> bool:
    """Whether a time is past, or is so late that a wrong clock set it."""
    return ends is None or ends <= now or ends > latest
