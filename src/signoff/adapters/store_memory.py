"""A store in memory: for rehearsals and unit tests. It passes the same contract as the real one."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from operator import itemgetter
from threading import Lock
from typing import TypeVar

from signoff.domain.errors import NotFoundError
from signoff.ledger.appending import SignCheckpoint, bodies_of, conflict, expect, is_over, last_lease, no_effect
from signoff.ledger.canonical import digest
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ports.store import (
    LONGEST_WAIT,
    Backlog,
    Commit,
    Committed,
    Effect,
    LedgerRow,
    Queued,
    StoredStream,
    Tried,
    revision_of,
)

T = TypeVar("T")


class MemoryStore:
    """Everything in dictionaries; nothing survives the process."""

    def __init__(self, sign: SignCheckpoint | None = None) -> None:
        self._lock = Lock()
        self._sign = sign
        self._rows: list[tuple[str, bytes]] = []
        self._streams: dict[str, StoredStream] = {}
        self._named: dict[str, tuple[str, str]] = {}
        self._claims: dict[str, tuple[str, datetime]] = {}
        self._commands: dict[str, tuple[str, int]] = {}
        self._effects: dict[str, tuple[Effect, str | None]] = {}
        self._tried: dict[str, Tried] = {}
        self._blobs: dict[str, bytes] = {}
        self._tree = Frontier()
        self._note: bytes | None = None

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""
        return self._streams.get(stream)

    def streams(
        self,
        prefix: str,
        *,
        models: Collection[str] | None = None,
        labels: Collection[str] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[StoredStream, ...]:
        """Streams whose name starts with `prefix`, by name."""
        matching = (
            stored
            for name, stored in sorted(self._streams.items())
            if name.startswith(prefix)
            and (after is None or name > after)
            and (models is None or self._named[name][0] in models)
            and (labels is None or self._named[name][1] in labels)
        )
        return tuple(islice(matching, limit))

    def names(self, prefix: str) -> dict[str, str]:
        """The model of each stream whose name starts with `prefix`."""
        return {name: model for name, (model, _) in self._named.items() if name.startswith(prefix)}

    def commit(self, commit: Commit) -> Committed:
        """Apply the whole commit, or raise and apply no part of it."""
        with self._lock:
            return self._committed(commit)

    def _committed(self, commit: Commit) -> Committed:
        if commit.key in self._commands:
            request, seq = self._commands[commit.key]
            if request != commit.request:
                raise conflict(commit.key)
            return Committed(seq=seq, is_replay=True)
        for name, revision in commit.unchanged:
            expect(name, revision, revision_of(self._streams.get(name)))
        rows, streams, tree = list[tuple[str, bytes]](), dict[str, StoredStream](), self._tree
        for append in commit.appends:
            before = streams.get(append.stream) or self._streams.get(append.stream)
            after = revision_of(before)
            bodies = bodies_of(
                append.stream,
                append.events,
                after=after,
                expected=append.expected_revision,
                at=commit.at,
                actor=commit.actor,
                proof=commit.proof,
            )
            for body in bodies:
                rows.append((append.stream, body))
                tree = tree.append(leaf_hash(body))
            revision = after + len(bodies)
            streams[append.stream] = StoredStream(stream=append.stream, revision=revision, state=append.state)
        if self._sign is not None and rows:
            self._note = self._sign(tree.size, tree.root)
        self._rows += rows
        self._streams |= streams
        self._named |= {append.stream: (append.model, append.label) for append in commit.appends}
        self._tree = tree
        for effect in commit.effects:
            self._effects.setdefault(effect.identity, (effect, None))
        self._commands[commit.key] = (commit.request, tree.size)
        return Committed(seq=tree.size, is_replay=False)

    def with_tree(self, act: Callable[[int, bytes], T]) -> T:
        """Call `act` with the tree's size and root, while no commit adds to it."""
        with self._lock:
            return act(self._tree.size, self._tree.root)

    def request_of(self, key: str) -> str | None:
        """The request committed under this key."""
        return self._commands.get(key, (None, 0))[0]

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order."""
        for seq, (name, body) in enumerate(tuple(self._rows), start=1):
            if seq > after and stream in {None, name}:
                yield LedgerRow(seq=seq, body=body, leaf=leaf_hash(body))

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """Rows of these streams alone, in order."""
        wanted = (
            LedgerRow(seq=seq, body=body, leaf=leaf_hash(body))
            for seq, (name, body) in enumerate(tuple(self._rows), start=1)
            if seq > after and name in streams
        )
        return tuple(islice(wanted, limit))

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done."""
        return tuple(effect for effect, result in self._effects.values() if result is None)

    def claim(self, kind: str, limit: int, holder: str, until: datetime, now: datetime) -> tuple[Effect, ...]:
        """Effects of a kind that are due, leased to one holder; lanes take turns."""
        with self._lock:
            latest = last_lease(until, now)
            claimed = {name for name, (_, ends) in self._claims.items() if not is_over(ends, now, latest)}
            alive = (q for q in self.queue([kind]) if q.tried.dead_at is None)
            free = (q for q in in_turns(alive) if q.effect.identity not in claimed)
            due = (q.effect for q in free if is_over(q.tried.due_at, now, now + LONGEST_WAIT))
            effects = tuple(islice(due, limit))
            self._claims |= {effect.identity: (holder, until) for effect in effects}
            return effects

    def _fared(self, effect: Effect) -> Tried:
        return self._tried.get(effect.identity, Tried())

    def queue(self, kinds: Collection[str], effect_id: str | None = None) -> tuple[Queued, ...]:
        """Effects of these kinds not yet done, with their attempts."""
        return tuple(
            Queued(effect=effect, tried=self._fared(effect))
            for effect in self.pending()
            if effect.kind in kinds and effect_id in {None, effect.identity}
        )

    def backlog(self, kinds: Collection[str], *, attempts: int, since: datetime) -> Backlog:
        """Counts of these kinds."""
        every = [queued.tried for queued in self.queue(kinds)]
        waiting = [tried for tried in every if tried.dead_at is None]
        failing = [t for t in waiting if t.attempts >= attempts or (t.failing_since and t.failing_since <= since)]
        return Backlog(waiting=len(waiting), failing=len(failing), dead=len(every) - len(waiting))

    def put_off(self, effect_id: str, holder: str, tried: Tried) -> None:
        """Give a leased effect back and record the attempt."""
        with self._lock:
            if self._claims.get(effect_id, ("",))[0] == holder:
                del self._claims[effect_id]
                self._tried[effect_id] = tried

    def give_back(self, holder: str) -> None:
        """Give back every effect that this holder still leases."""
        with self._lock:
            self._claims = {name: claim for name, claim in self._claims.items() if claim[0] != holder}

    def retry(self, kinds: Collection[str], effect_id: str | None = None) -> int:
        """Make dead letters due now, or only the effect with this id."""
        with self._lock:
            meant = [q for q in self.queue(kinds, effect_id) if effect_id is not None or q.tried.dead_at is not None]
            self._tried |= {q.effect.identity: Tried(problem=q.tried.problem) for q in meant}
            return len(meant)

    def release(self, effect_id: str, holder: str) -> None:
        """Give a leased effect back before its lease ends."""
        with self._lock:
            if self._claims.get(effect_id, ("",))[0] == holder:
                del self._claims[effect_id]

    def done(self, effect_id: str, result: str, at: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Record that an effect was carried out."""
        if effect_id not in self._effects:
            raise no_effect(effect_id)
        effect, before = self._effects[effect_id]
        self._effects[effect_id] = (effect, result if before is None else before)

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint."""
        return self._note

    def size(self) -> int:
        """The number of events."""
        return len(self._rows)

    def put_blob(self, content: bytes) -> str:
        """Keep bytes by their SHA-256."""
        name = digest(content)
        self._blobs[name] = content
        return name

    def blob(self, digest: str) -> bytes:
        """The bytes with this SHA-256."""
        try:
            return self._blobs[digest]
        except KeyError:
            raise NotFoundError(f"Expected a blob {digest[:12]}…, found none.") from None

    def blobs(self) -> tuple[str, ...]:
        """Every digest kept."""
        return tuple(sorted(self._blobs))


def in_turns(queued: Iterable[Queued]) -> tuple[Queued, ...]:
    """The first of each lane, then the second of each, and so on; a failed effect moves back a turn per attempt."""
    places, turns = Counter[str](), list[tuple[int, Queued]]()
    for one in queued:
        places[one.effect.lane] += 1
        turns.append((places[one.effect.lane] + one.tried.attempts, one))
    return tuple(one for _, one in sorted(turns, key=itemgetter(0)))
