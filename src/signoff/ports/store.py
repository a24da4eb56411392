"""Where events, state and outbox live: one commit changes all three or none."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from signoff.domain.events import AnyEvent

T = TypeVar("T")


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
    """Something to be done outside after the commit; the identity makes a repetition harmless."""

    identity: str
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One request's whole consequence.

    `key` is the idempotency key and `request` the digest of the request's body: the same pair returns the stored
    result, the same key with another body is a conflict. `unchanged` are the revisions of other streams that were
    decided upon: a commit that lets a release trade must not pass a kill that was recorded meanwhile.
    """

    key: str
    request: str
    at: datetime
    actor: str
    appends: tuple[Append, ...]
    effects: tuple[Effect, ...] = ()
    unchanged: tuple[tuple[str, int], ...] = ()


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
        """Effects of a kind not yet done, oldest first, leased to one holder until then, so that nobody else gets them.

        A lease that ends later than any that could have been given now, by a clock that was ahead, is over.
        """

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
