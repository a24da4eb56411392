"""The store in a SQL database: events, states, outbox and checkpoint change in one transaction.

SQLite's triggers catch slips; the signed Merkle tree is the defence against insiders. Blobs are files named by their
hash, written before the commit that needs them.
"""

import os
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Row, bindparam, case, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from signoff.adapters.database import Database
from signoff.adapters.folders import write_file
from signoff.adapters.tables_sql import commands, events, head, outbox, streams
from signoff.domain.errors import NotFoundError, StaleRevisionError, TamperedError, UnavailableError
from signoff.ledger.appending import SignCheckpoint, bodies_of, conflict, expect, last_lease, no_effect
from signoff.ledger.canonical import digest
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ports.store import (
    LONGEST_WAIT,
    Append,
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
OpenCheckpoint = Callable[[bytes], tuple[int, bytes]]
PAGE: Final = 5000
# Statements of a commit, built once: building one costs as much as running it.
_COMMAND: Final = select(commands.c.request, commands.c.seq).where(commands.c.key == bindparam("key"))
_STREAM: Final = select(streams.c.revision, streams.c.state).where(streams.c.stream == bindparam("stream"))
_TREE: Final = select(head.c.size, head.c.edge, head.c.note)
_EVENT: Final = insert(events)
_BORN: Final = insert(streams)
_MOVED: Final = update(streams).where(streams.c.stream == bindparam("moved"))
_KNOWN: Final = select(outbox.c.identity).where(outbox.c.identity.in_(bindparam("identities", expanding=True)))
_POSITION: Final = select(func.max(outbox.c.position))
_EFFECT: Final = insert(outbox)
_DONE: Final = insert(commands)
_FIRST_HEAD: Final = insert(head)
_HEAD: Final = update(head).where(head.c.one == bindparam("only"))


class SqlStore:
    """One database and one folder of blobs."""

    def __init__(
        self,
        url: str,
        *,
        sign: SignCheckpoint,
        blobs: Path,
        open_note: OpenCheckpoint | None = None,
        is_patient: bool = False,
    ) -> None:
        self._sign, self._folder, self._open = sign, blobs, open_note
        self._trusted: tuple[bytes, Frontier] | None = None
        self.database = Database(url, is_patient=is_patient)

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""
        with self.database.reading() as connection:
            return _load(connection, stream)

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
        name = streams.c.stream
        query = select(streams).where(name.startswith(prefix, autoescape=True))
        if models is not None:
            query = query.where(streams.c.model.in_(models))
        if labels is not None:
            query = query.where(streams.c.label.in_(labels))
        with self.database.reading() as connection:
            ordered = name.collate("C") if connection.dialect.name == "postgresql" else name
            if after is not None:
                query = query.where(ordered > after)
            rows = connection.execute(query.order_by(ordered).limit(limit))
            return tuple(StoredStream(stream=r.stream, revision=r.revision, state=r.state) for r in rows)

    def names(self, prefix: str) -> dict[str, str]:
        """The model of each stream whose name starts with `prefix`."""
        query = select(streams.c.stream, streams.c.model).where(streams.c.stream.startswith(prefix, autoescape=True))
        with self.database.reading() as connection:
            return {row.stream: row.model for row in connection.execute(query)}

    def commit(self, commit: Commit) -> Committed:
        """Apply the whole commit in one transaction, or raise and apply no part of it."""
        try:
            with self.database.adding() as connection:
                return self._committed(connection, commit)
        except IntegrityError as error:
            raise StaleRevisionError(
                f"Another commit changed {', '.join(a.stream for a in commit.appends)} first; look at it "
                "again and repeat the request if it still makes sense."
            ) from error
        except UnavailableError:
            if (committed := self._made_after_all(commit)) is not None:
                return committed
            raise

    def _made_after_all(self, commit: Commit) -> Committed | None:
        """The commit's record, if a lost connection had committed after all; a new connection looks the key up."""
        with self.database.reading() as connection:
            recorded = connection.execute(_COMMAND, {"key": commit.key}).one_or_none()
        if recorded is None or recorded.request != commit.request:
            return None
        return Committed(seq=recorded.seq, is_replay=False)

    def request_of(self, key: str) -> str | None:
        """The request committed under this key."""
        with self.database.reading() as connection:
            recorded = connection.execute(_COMMAND, {"key": key}).one_or_none()
            return None if recorded is None else recorded.request

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order, or one stream of it."""
        query = select(events.c.seq, events.c.body, events.c.leaf).order_by(events.c.seq).limit(PAGE)
        if stream is not None:
            query = query.where(events.c.stream == stream)
        while True:
            with self.database.reading() as connection:
                page = connection.execute(query.where(events.c.seq > after)).all()
            yield from map(_row, page)
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """Rows of these streams in order: the index gives their numbers, then only these bodies are read."""
        number = events.c.seq
        wanted = select(number).where(events.c.stream.in_(streams), number > after).order_by(number).limit(limit)
        query = select(number, events.c.body, events.c.leaf).where(number.in_(wanted)).order_by(number)
        with self.database.reading() as connection:
            return tuple(map(_row, connection.execute(query)))

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(outbox).where(outbox.c.result.is_(None)).order_by(outbox.c.position))
            return tuple(map(_effect, rows))

    def claim(self, kind: str, limit: int, holder: str, until: datetime, now: datetime) -> tuple[Effect, ...]:
        """Effects of a kind that are due, leased to one holder; lanes take turns."""
        place = func.row_number().over(partition_by=outbox.c.lane, order_by=outbox.c.position)
        waiting = (
            select(outbox, (place + outbox.c.attempts).label("turn"))
            .where(outbox.c.result.is_(None), outbox.c.dead_at.is_(None), outbox.c.kind == kind)
            .subquery()
        )
        due = (
            select(waiting)
            .where(_is_over(waiting.c.claimed_until, now, last_lease(until, now)))
            .where(_is_over(waiting.c.due_at, now, now + LONGEST_WAIT))
            .order_by(waiting.c.turn, waiting.c.position)
            .limit(limit)
        )
        with self.database.adding() as connection:  # claims do not overlap
            rows = connection.execute(due).all()
            if rows:
                mine = outbox.c.identity.in_([r.identity for r in rows])
                connection.execute(update(outbox).where(mine).values(holder=holder, claimed_until=until.timestamp()))
        return tuple(map(_effect, rows))

    def queue(self, kinds: Collection[str], effect_id: str | None = None) -> tuple[Queued, ...]:
        """Effects of these kinds not yet done, with their attempts."""
        query = select(outbox).where(outbox.c.result.is_(None), outbox.c.kind.in_(kinds))
        if effect_id is not None:
            query = query.where(outbox.c.identity == effect_id)
        with self.database.reading() as connection:
            return tuple(map(_queued, connection.execute(query.order_by(outbox.c.position))))

    def backlog(self, kinds: Collection[str], *, attempts: int, since: datetime) -> Backlog:
        """Counts of these kinds, computed by the database."""
        is_dead = outbox.c.dead_at.is_not(None)
        is_failing = (outbox.c.attempts >= attempts) | (outbox.c.failing_since <= since.timestamp())
        progress = case((is_dead, "dead"), (is_failing, "failing"), else_="waiting").label("standing")
        waits = outbox.c.result.is_(None) & outbox.c.kind.in_(kinds)
        query = select(progress, func.count()).where(waits).group_by(progress)
        with self.database.reading() as connection:
            counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
        failing = counts.get("failing", 0)
        return Backlog(waiting=counts.get("waiting", 0) + failing, failing=failing, dead=counts.get("dead", 0))

    def put_off(self, effect_id: str, holder: str, tried: Tried) -> None:
        """Give a leased effect back and record the attempt."""
        columns = {
            "attempts": tried.attempts,
            "failing_since": _seconds(tried.failing_since),
            "due_at": _seconds(tried.due_at),
            "dead_at": _seconds(tried.dead_at),
            "problem": tried.problem,
        }
        with self.database.adding() as connection:
            mine = (outbox.c.identity == effect_id) & (outbox.c.holder == holder)
            connection.execute(update(outbox).where(mine).values(holder=None, claimed_until=None, **columns))

    def give_back(self, holder: str) -> None:
        """Give back every effect that this holder still leases."""
        with self.database.adding() as connection:
            mine = (outbox.c.holder == holder) & outbox.c.result.is_(None)
            connection.execute(update(outbox).where(mine).values(holder=None, claimed_until=None))

    def retry(self, kinds: Collection[str], effect_id: str | None = None) -> int:
        """Make dead letters due now, or only the effect with this id."""
        meant = outbox.c.dead_at.is_not(None) if effect_id is None else outbox.c.identity == effect_id
        waits = outbox.c.result.is_(None) & outbox.c.kind.in_(kinds)
        fresh = {"attempts": 0, "failing_since": None, "due_at": None, "dead_at": None}
        with self.database.adding() as connection:
            return connection.execute(update(outbox).where(waits & meant).values(**fresh)).rowcount

    def release(self, effect_id: str, holder: str) -> None:
        """Give a leased effect back before its lease ends."""
        with self.database.adding() as connection:
            mine = (outbox.c.identity == effect_id) & (outbox.c.holder == holder)
            connection.execute(update(outbox).where(mine).values(holder=None, claimed_until=None))

    def done(self, effect_id: str, result: str, at: datetime) -> None:
        """Record that an effect was carried out; a repetition changes nothing."""
        with self.database.adding() as connection:
            if connection.execute(select(outbox.c.position).where(outbox.c.identity == effect_id)).scalar() is None:
                raise no_effect(effect_id)
            connection.execute(
                update(outbox)
                .where(outbox.c.identity == effect_id, outbox.c.result.is_(None))
                .values(result=result, done_at=at.isoformat())
            )

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint."""
        with self.database.reading() as connection:
            note: bytes | None = connection.execute(select(head.c.note)).scalar()
            return note

    def size(self) -> int:
        """The number of events."""
        with self.database.reading() as connection:
            return int(connection.execute(select(head.c.size)).scalar() or 0)

    def put_blob(self, content: bytes) -> str:
        """Keep bytes by their SHA-256."""
        name = digest(content)
        path = self._blob_path(name)
        if not path.exists():
            try:
                write_file(path, content)
                _sync(path.parent, self._folder)
            except OSError as error:
                raise UnavailableError(
                    f"Cannot keep a file under {self._folder}: {error.strerror}. Nothing was recorded; make room and "
                    "repeat the command."
                ) from error
        return name

    def blob(self, digest: str) -> bytes:
        """The bytes with this SHA-256."""
        path = self._blob_path(digest)
        if not path.is_file():
            raise NotFoundError(f"Expected the blob {digest[:12]}… in {self._folder}, found none.")
        content = path.read_bytes()
        if _digest(content) != digest:
            raise TamperedError(f"The blob {path} no longer has the hash that names it; it was altered.")
        return content

    def blobs(self) -> tuple[str, ...]:
        """Every digest kept."""
        return tuple(sorted(p.parent.name + p.name for p in self._folder.glob("??/*") if not p.name.startswith(".")))

    def _blob_path(self, name: str) -> Path:
        return self._folder / name[:2] / name[2:]

    def _committed(self, connection: Connection, commit: Commit) -> Committed:
        earlier = connection.execute(_COMMAND, {"key": commit.key}).one_or_none()
        if earlier is not None:
            if earlier.request != commit.request:
                raise conflict(commit.key)
            return Committed(seq=earlier.seq, is_replay=True)
        for stream, revision in commit.unchanged:
            expect(stream, revision, revision_of(_load(connection, stream)))
        before = self._trusted_tree(connection)
        tree = before
        for append in commit.appends:
            tree = _append(connection, append, commit, tree)
        if commit.effects:
            _enqueue(connection, commit.effects)
        connection.execute(_DONE, {"key": commit.key, "request": commit.request, "seq": tree.size})
        if tree.size > before.size:
            note = self._sign(tree.size, tree.root)
            _save_head(connection, tree, note, is_first=before.size == 0)
            self._trusted = (note, tree)
        return Committed(seq=tree.size, is_replay=False)

    def with_tree(self, act: Callable[[int, bytes], T]) -> T:
        """Call `act` with the tree's size and root, while no commit adds to it."""
        with self.database.adding() as connection:
            tree = self._trusted_tree(connection)
            return act(tree.size, tree.root)

    def _trusted_tree(self, connection: Connection) -> Frontier:
        """The tree, checked against its signed checkpoint, so that an altered database is never signed."""
        tree, note = _tree(connection)
        if self._open is None or tree.size == 0 or self._trusted == (note, tree):
            return tree
        if self._open(note) != (tree.size, tree.root):
            raise TamperedError(
                f"The database {self.database.name} says that its tree has {tree.size} events, and its signed "
                "checkpoint says something else: it was altered. Nothing was recorded or signed; stop changes, keep a "
                "copy, run `signoff verify`, and restore the database from a backup."
            )
        return tree


def _sync(*folders: Path) -> None:
    """Sync these folders, so that file names survive a power cut as their bytes do."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _row(row: Row[int, bytes, bytes]) -> LedgerRow:
    return LedgerRow(seq=row.seq, body=_exact(row.seq, row.body), leaf=row.leaf)


def _exact(seq: int, body: object) -> bytes:
    if not isinstance(body, bytes):
        raise TamperedError(f"Event {seq} is not kept as the bytes that Signoff wrote; the database was altered.")
    return body


def _load(connection: Connection, stream: str) -> StoredStream | None:
    row = connection.execute(_STREAM, {"stream": stream}).one_or_none()
    return None if row is None else StoredStream(stream=stream, revision=row.revision, state=row.state)


def _append(connection: Connection, append: Append, commit: Commit, tree: Frontier) -> Frontier:
    before = _load(connection, append.stream)
    revision, rows = revision_of(before), []
    for body in bodies_of(
        append.stream,
        append.events,
        after=revision,
        expected=append.expected_revision,
        at=commit.at,
        actor=commit.actor,
        proof=commit.proof,
    ):
        leaf = leaf_hash(body)
        tree, revision = tree.append(leaf), revision + 1
        rows.append({"seq": tree.size, "stream": append.stream, "revision": revision, "body": body, "leaf": leaf})
    connection.execute(_EVENT, rows)
    reached = {
        "stream": append.stream,
        "revision": revision,
        "state": append.state,
        "model": append.model,
        "label": append.label,
    }
    if before is None:
        connection.execute(_BORN, reached)
    else:
        connection.execute(_MOVED, {**reached, "moved": append.stream})
    return tree


def _enqueue(connection: Connection, effects: tuple[Effect, ...]) -> None:
    asked = {effect.identity: effect for effect in reversed(effects)}  # of two alike, the first
    recorded = set(connection.execute(_KNOWN, {"identities": list(asked)}).scalars())
    position = connection.execute(_POSITION).scalar() or 0
    rows = [
        {
            "identity": effect.identity,
            "position": position + n,
            "kind": effect.kind,
            "payload": effect.payload,
            "lane": effect.lane,
            "attempts": 0,
            "problem": "",
        }
        for n, effect in enumerate(reversed(asked.values()), start=1)
        if effect.identity not in recorded
    ]
    if rows:
        connection.execute(_EFFECT, rows)


def _effect(row: Row[Any]) -> Effect:
    return Effect(identity=row.identity, kind=row.kind, payload=row.payload, lane=row.lane)


def _queued(row: Row[Any]) -> Queued:
    tried = Tried(
        attempts=row.attempts,
        failing_since=_moment(row.failing_since),
        due_at=_moment(row.due_at),
        dead_at=_moment(row.dead_at),
        problem=row.problem,
    )
    return Queued(effect=_effect(row), tried=tried)


def _is_over(ends: ColumnElement[float], now: datetime, latest: datetime) -> ColumnElement[bool]:
    """Whether a time is past, or so late that a clock must have been ahead."""
    return ends.is_(None) | (ends <= now.timestamp()) | (ends > latest.timestamp())


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _tree(connection: Connection) -> tuple[Frontier, bytes]:
    row = connection.execute(_TREE).one_or_none()
    if row is None:
        return Frontier(), b""
    edge = tuple(row.edge[i : i + 32] for i in range(0, len(row.edge), 32))
    return Frontier(row.size, edge), row.note


def _save_head(connection: Connection, tree: Frontier, note: bytes, *, is_first: bool) -> None:
    values = {"size": tree.size, "edge": b"".join(tree.edge), "note": note}
    if is_first:
        connection.execute(_FIRST_HEAD, {"one": 1, **values})
    else:
        connection.execute(_HEAD, {"only": 1, **values})


_digest = digest
