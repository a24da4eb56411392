"""What every store asks of what is added to the ledger, and of whoever holds one of its effects."""

from collections.abc import Callable, Sequence
from datetime import datetime

from signoff.domain.errors import BadInputError, ConflictError, NotFoundError, StaleRevisionError, TamperedError
from signoff.domain.events import ActorProof, AnyEvent, Recorded
from signoff.ledger.codec import decode, encode

SignCheckpoint = Callable[[int, bytes], bytes]


def expect(stream: str, expected: int | None, found: int) -> None:
    """Refuse what was decided on another revision of a stream."""
    if expected is not None and expected != found:
        raise StaleRevisionError(
            f"Expected {stream} at revision {expected}, found it at {found}: somebody was faster. Look at it again and "
            "repeat the request if it still makes sense."
        )


def conflict(key: str) -> ConflictError:
    """The same idempotency key with another request."""
    return ConflictError(f"The request {key!r} was made before with other contents; nothing was done.")


def no_effect(identity: str) -> NotFoundError:
    """Somebody carried out what nobody asked for."""
    return NotFoundError(f"Expected an effect {identity!r} in the outbox, found none; nothing was recorded.")


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
    """The exact bytes of events that follow this revision of a stream, decided on it and readable again."""
    expect(stream, expected, after)
    if not events:
        raise BadInputError(f"Expected events for {stream}, found none; state changes only by events.")
    return tuple(
        _readable(Recorded(stream=stream, revision=revision, at=at, actor=actor, event=event, proof=proof))
        for revision, event in enumerate(events, start=after + 1)
    )


def _readable(recorded: Recorded) -> bytes:
    """The bytes of an event. What could not be read again must not be kept: nothing is ever taken out of the ledger."""
    body = encode(recorded)
    try:
        decode(body)
    except TamperedError as error:
        raise BadInputError(f"The event {recorded.event.kind!r} of {recorded.stream} is not valid: {error}") from error
    return body


def last_lease(until: datetime, now: datetime) -> datetime:
    """The latest that a lease can end which was given by a clock that agrees with ours; one beyond it is a stray.

    Without this, a lease given while a clock was a day ahead would hold an effect up for that day. Clocks may differ by
    the length of a lease.
    """
    return until + (until - now)


def is_over(ends: datetime | None, now: datetime, latest: datetime) -> bool:
    """Whether a time has come, or was set by a clock that was ahead."""
    return ends is None or ends <= now or ends > latest
