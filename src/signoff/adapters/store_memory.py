"""A store in memory: for rehearsals and unit tests. It passes the same contract as the real one."""

from collections.abc import Callable, Iterator
from datetime import datetime

from signoff.domain.errors import ConflictError, NotFoundError, StaleRevisionError
from signoff.domain.events import Recorded
from signoff.ledger.canonical import digest
from signoff.ledger.codec import encode
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ports.store import Append, Commit, Committed, Effect, LedgerRow, StoredStream

SignCheckpoint = Callable[[int, bytes], bytes]


class MemoryStore:
    """Everything in dictionaries; nothing survives the process."""

    def __init__(self, sign: SignCheckpoint | None = None) -> None:
        self._sign = sign
        self._rows: list[tuple[str, bytes]] = []
        self._streams: dict[str, StoredStream] = {}
        self._commands: dict[str, tuple[str, int]] = {}
        self._effects: dict[str, tuple[Effect, str | None]] = {}
        self._blobs: dict[str, bytes] = {}
        self._tree = Frontier()
        self._note: bytes | None = None

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""
        return self._streams.get(stream)

    def streams(self, prefix: str) -> tuple[StoredStream, ...]:
        """Every stream whose name starts with `prefix`, by name."""
        return tuple(s for name, s in sorted(self._streams.items()) if name.startswith(prefix))

    def commit(self, commit: Commit) -> Committed:
        """All of the commit, or an error and none of it."""
        if commit.key in self._commands:
            request, seq = self._commands[commit.key]
            if request != commit.request:
                raise conflict(commit.key)
            return Committed(seq=seq, is_replay=True)
        for append in commit.appends:
            expect(append, self._streams[append.stream].revision if append.stream in self._streams else 0)
        for append in commit.appends:
            bodies = bodies_of(append, commit, self.load(append.stream))
            for body in bodies:
                self._rows.append((append.stream, body))
                self._tree = self._tree.append(leaf_hash(body))
            revision = revision_of(self.load(append.stream)) + len(bodies)
            self._streams[append.stream] = StoredStream(stream=append.stream, revision=revision, state=append.state)
        for effect in commit.effects:
            self._effects.setdefault(effect.identity, (effect, None))
        self._commands[commit.key] = (commit.request, len(self._rows))
        if self._sign is not None:
            self._note = self._sign(self._tree.size, self._tree.root)
        return Committed(seq=len(self._rows), is_replay=False)

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order."""
        for seq, (name, body) in enumerate(self._rows, start=1):
            if seq > after and stream in {None, name}:
                yield LedgerRow(seq=seq, body=body)

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done."""
        return tuple(effect for effect, result in self._effects.values() if result is None)

    def done(self, identity: str, result: str, at: datetime) -> None:  # noqa: ARG002 - the port's signature
        """Record that an effect was carried out."""
        effect, before = self._effects[identity]
        self._effects[identity] = (effect, before or result)

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint."""
        return self._note

    def size(self) -> int:
        """How many events there are."""
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


def expect(append: Append, revision: int) -> None:
    """Refuse an append that was decided on another revision."""
    if append.expected_revision is not None and append.expected_revision != revision:
        raise StaleRevisionError(
            f"Expected {append.stream} at revision {append.expected_revision}, found it at {revision}: somebody was "
            "faster. Look at it again and repeat the request if it still makes sense."
        )


def conflict(key: str) -> ConflictError:
    """The same idempotency key with another request."""
    return ConflictError(f"The request {key!r} was made before with other contents; nothing was done.")


def revision_of(stored: StoredStream | None) -> int:
    """The revision of a stream, 0 before its first event."""
    return 0 if stored is None else stored.revision


def bodies_of(append: Append, commit: Commit, before: StoredStream | None) -> tuple[bytes, ...]:
    """The exact bytes of an append's events."""
    first = revision_of(before) + 1
    return tuple(
        encode(Recorded(stream=append.stream, revision=first + n, at=commit.at, actor=commit.actor, event=event))
        for n, event in enumerate(append.events)
    )
