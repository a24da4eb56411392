"""The store of events, states and outbox: one commit changes all three or none."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from signoff.domain.events import ActorProof, AnyEvent

T = TypeVar("T")
# No wait is longer. A later time was set by a clock that is ahead, and is ignored.
LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """New events of one stream, and the state that they lead to (canonical JSON).

    `model` and `label` (a release's state) are stored beside it, so that lists need not read every state.
    """

    stream: str
    expected_revision: int | None
    events: tuple[AnyEvent, ...]
    state: bytes
    model: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An action outside, to be done after the commit; the identity makes a repetition harmless.

    Effects of one `lane` share their turn: when effects of several lanes are due, each lane gets its turn.
    """

    identity: str
    kind: str
    payload: bytes
    lane: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The failed attempts of an effect: how many, since when, why, and when it is due again.

    An effect with a `dead_at` is a dead letter: it is kept, and not claimed until it is retried.
    """

    attempts: int = 0
    failing_since: datetime | None = None
    due_at: datetime | None = None
    dead_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An effect that is not done yet, and its failed attempts."""

    effect: Effect
    tried: Tried = field(default_factory=Tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The numbers of waiting effects, of failing ones among them, and of dead letters."""

    waiting: int = 0
    failing: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """All changes of one request.

    `key` is the idempotency key and `request` the digest of the request's body: the same pair returns the stored
    result, the same key with another body is a conflict. `unchanged` are the revisions of other streams that the
    decision read: a commit that lets a release trade is refused if a kill was recorded meanwhile. `proof` says how the
    actor's name was proven.
    """

    key: str
    request: str
    at: datetime
    actor: str
    appends: tuple[Append, ...]
    effects: tuple[Effect, ...] = ()
    unchanged: tuple[tuple[str, int], ...] = ()
    proof: ActorProof = ActorProof.UNRECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The result of a commit: the last sequence number of the ledger, and whether it was done before."""

    seq: int
    is_replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStream:
    stream: str
    revision: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """An event's sequence number from 1, its exact bytes, and its stored hash."""

    seq: int
    body: bytes
    leaf: bytes


def revision_of(stored: StoredStream | None) -> int:
    """The revision of a stream, 0 before its first event."""
    return 0 if stored is None else stored.revision


class Store(Protocol):
    """The store. `commit` may be retried with the same key after any failure: it applies once."""

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""

    def streams(
        self,
        prefix: str,
        *,
        models: Collection[str] | None = None,
        labels: Collection[str] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[StoredStream, ...]:
        """Streams whose name starts with `prefix`, by name, filtered by models, labels and the name before."""

    def names(self, prefix: str) -> dict[str, str]:
        """The model of each stream whose name starts with `prefix`, by stream name; no state is read."""

    def commit(self, commit: Commit) -> Committed:
        """Append events, replace states, enqueue effects and sign a checkpoint, in one transaction.

        Raises StaleRevisionError if another commit changed a stream, ConflictError if the key has another request.
        """

    def with_tree(self, act: Callable[[int, bytes], T]) -> T:
        """Call `do` once with the tree's size and root, while no event can be appended; returns its result."""

    def request_of(self, key: str) -> str | None:
        """The digest of the request that was committed under this key, None without one."""

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order, or one stream of it."""

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """At most `limit` rows of these streams after a sequence number, in the ledger's order."""

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done, oldest first."""

    def claim(self, kind: str, limit: int, holder: str, until: datetime, now: datetime) -> tuple[Effect, ...]:
        """Lease due effects of a kind to one holder until this time, so that no other holder gets them.

        Lanes take turns: first the oldest effect of each lane, then the second of each. A waiting effect keeps its
        place in its lane, and each failure moves an effect back by a turn, so failures give a lane no extra turns. A
        lease that ends implausibly late was given by a clock that is ahead, and counts as over. So does a wait that
        ends later than `LONGEST_WAIT` from now.
        """

    def queue(self, kinds: Collection[str], effect_id: str | None = None) -> tuple[Queued, ...]:
        """Open effects of these kinds with dead letters, oldest first; all, or the one with this id."""

    def backlog(self, kinds: Collection[str], *, attempts: int, since: datetime) -> Backlog:
        """Counts of these kinds. An effect is failing after `attempts` attempts, or if it has failed since `since`."""

    def put_off(self, effect_id: str, holder: str, tried: Tried) -> None:
        """Release a leased effect and store its attempts; another holder's lease is not touched."""

    def give_back(self, holder: str) -> None:
        """Release all leases of this holder early."""

    def retry(self, kinds: Collection[str], effect_id: str | None = None) -> int:
        """Make dead letters of these kinds due now, or the one effect with this id; returns how many."""

    def release(self, effect_id: str, holder: str) -> None:
        """Release a leased effect early; another holder's lease is not touched."""

    def done(self, effect_id: str, result: str, at: datetime) -> None:
        """Record that an effect was carried out; a repetition changes nothing."""

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint (a C2SP note), or None for an empty ledger."""

    def size(self) -> int:
        """The number of events."""

    def put_blob(self, content: bytes) -> str:
        """Store bytes under their SHA-256 (hex), which is returned; equal bytes are stored once."""

    def blob(self, digest: str) -> bytes:
        """The bytes with this SHA-256. Raises NotFoundError, or TamperedError if their hash differs."""

    def blobs(self) -> tuple[str, ...]:
        """Every stored digest, sorted."""
