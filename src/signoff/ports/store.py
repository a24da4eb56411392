"""Where events, state and outbox live: one commit changes all three or none."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from signoff.domain.events import ActorProof, AnyEvent

T = TypeVar("T")
# Nothing is put off for longer. A later time was set by a clock that was ahead, and counts for nothing.
LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """New events of one stream, with the state they lead to (canonical JSON).

    `model` and `label` (a release's state) are kept beside it, so that lists need not read every state.
    """

    stream: str
    expected_revision: int | None
    events: tuple[AnyEvent, ...]
    state: bytes
    model: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something to be done outside after the commit; the identity makes a repetition harmless.

    Effects of one `lane` share their turn: when effects of several lanes are due, each lane gets its turn.
    """

    identity: str
    kind: str
    payload: bytes
    lane: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How an effect has fared: how often it failed, since when, why, and when it is due again.

    One with a `dead_at` is a dead letter: it is kept, and nobody claims it until it is retried.
    """

    attempts: int = 0
    failing_since: datetime | None = None
    due_at: datetime | None = None
    dead_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An effect that is not done yet, and how it has fared."""

    effect: Effect
    tried: Tried = field(default_factory=Tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many effects wait, how many of these are failing, and how many more are dead letters."""

    waiting: int = 0
    failing: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One request's whole consequence.

    `key` is the idempotency key and `request` the digest of the request's body: the same pair returns the stored
    result, the same key with another body is a conflict. `unchanged` are the revisions of other streams that were
    decided upon: a commit that lets a release trade must not pass a kill that was recorded meanwhile. `proof` says what
    the name of the actor rests on.
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
    """What a commit did: the last sequence number of the ledger, and whether it had been done before."""

    seq: int
    is_replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStream:
    stream: str
    revision: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """An event's exact bytes, by sequence number from 1, and its hash as it was kept beside them."""

    seq: int
    body: bytes
    leaf: bytes


def revision_of(stored: StoredStream | None) -> int:
    """The revision of a stream, 0 before its first event."""
    return 0 if stored is None else stored.revision


class Store(Protocol):
    """A retry of `commit` with the same key is safe after any failure: it applies once or returns what was done."""

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
        """Streams whose name starts with `prefix`, by name: of these models, with one of these labels, after a name."""

    def names(self, prefix: str) -> dict[str, str]:
        """The model of each stream whose name starts with `prefix`, by the stream's name; no state is read."""

    def commit(self, commit: Commit) -> Committed:
        """Append events, replace states, enqueue effects and sign a checkpoint, in one transaction.

        Raises StaleRevisionError when a stream has moved on, ConflictError when the key came with another request.
        """

    def with_tree(self, act: Callable[[int, bytes], T]) -> T:
        """Do something with the tree's size and root while nobody adds to it; what it returns. Call it once."""

    def request_of(self, key: str) -> str | None:
        """The digest of the request that was committed under this key; None when none was."""

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order, or one stream of it."""

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """Rows of these streams alone, in the ledger's order, after a sequence number, at most so many."""

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done, oldest first."""

    def claim(self, kind: str, limit: int, holder: str, until: datetime, now: datetime) -> tuple[Effect, ...]:
        """Effects of a kind that are due, leased to one holder until then, so that nobody else gets them.

        Lanes take turns: the oldest of each lane come first, then the second of each. What waits for its time keeps its
        place in its lane, and what failed goes so many turns later as it failed. So no lane gets more turns for being
        refused. A lease that ends later than any that could have been given now, by a clock that was ahead, is over. So
        is a wait that ends later than `LONGEST_WAIT` from now.
        """

    def queue(self, kinds: Collection[str], identity: str | None = None) -> tuple[Queued, ...]:
        """Effects of these kinds not yet done, dead letters among them, oldest first; all or the one of this name."""

    def backlog(self, kinds: Collection[str], *, attempts: int, since: datetime) -> Backlog:
        """Counts of these kinds. One is failing after so many attempts, or when it has been failing since then."""

    def put_off(self, identity: str, holder: str, tried: Tried) -> None:
        """Give a leased effect back and keep how it fared; one that another holds stays theirs."""

    def give_back(self, holder: str) -> None:
        """Give back before its time whatever this holder still has."""

    def retry(self, kinds: Collection[str], identity: str | None = None) -> int:
        """Make dead letters of these kinds due now, or the one effect of this name; how many there were."""

    def release(self, identity: str, holder: str) -> None:
        """Give a leased effect back before its time; one that another holds stays theirs."""

    def done(self, identity: str, result: str, at: datetime) -> None:
        """Record that an effect was carried out; a repetition changes nothing."""

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint (a C2SP note), or None for an empty ledger."""

    def size(self) -> int:
        """How many events there are."""

    def put_blob(self, content: bytes) -> str:
        """Keep bytes by their SHA-256 (hex), which is returned; the same bytes twice is once."""

    def blob(self, digest: str) -> bytes:
        """The bytes with this SHA-256. Raises NotFoundError, or TamperedError when they no longer hash to it."""

    def blobs(self) -> tuple[str, ...]:
        """Every digest kept, sorted."""
