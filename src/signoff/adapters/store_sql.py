"""The store in a SQL database: events, states, outbox and checkpoint change in one transaction.

SQLite runs with a write-ahead log and full fsync. Its triggers are hygiene against slips, not the defence against an
insider: that is the signed Merkle tree. Blobs stand in files by their hash, written before the commit that needs them.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from signoff.adapters.folders import write_file
from signoff.adapters.schema_sql import SCHEMA, grant, upgrade
from signoff.adapters.store_memory import SignCheckpoint, bodies_of, conflict, last_lease, no_effect, revision_of
from signoff.domain.errors import (
    BadInputError,
    NotFoundError,
    SignoffError,
    StaleRevisionError,
    TamperedError,
    UnavailableError,
)
from signoff.ledger.canonical import digest
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ports.store import Append, Commit, Committed, Effect, LedgerRow, StoredStream

T = TypeVar("T")
OpenCheckpoint = Callable[[bytes], tuple[int, bytes]]
LOCK: Final = 7_366_010_244_001
PAGE: Final = 5000
metadata = MetaData()
meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("stream", String, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    UniqueConstraint("stream", "revision"),
)
streams = Table(
    "streams",
    metadata,
    Column("stream", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("model", String, nullable=False, index=True),
    Column("label", String, nullable=False, index=True),
)
commands = Table(
    "commands",
    metadata,
    Column("key", String, primary_key=True),
    Column("request", String, nullable=False),
    Column("seq", Integer, nullable=False),
)
outbox = Table(
    "outbox",
    metadata,
    Column("identity", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("result", String),
    Column("done_at", String),
    Column("holder", String),
    Column("claimed_until", Float),
)
head = Table(
    "head",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
)
# Statements of a commit, made once: building them anew would cost as much as running them.
_COMMAND: Final = select(commands.c.request, commands.c.seq).where(commands.c.key == bindparam("key"))
_STREAM: Final = select(streams.c.revision, streams.c.state).where(streams.c.stream == bindparam("stream"))
_TREE: Final = select(head.c.size, head.c.edge, head.c.note).with_for_update()
_EVENT: Final = insert(events)
_BORN: Final = insert(streams)
_MOVED: Final = update(streams).where(streams.c.stream == bindparam("moved"))
_KNOWN: Final = select(outbox.c.identity).where(outbox.c.identity.in_(bindparam("identities", expanding=True)))
_POSITION: Final = select(func.max(outbox.c.position))
_EFFECT: Final = insert(outbox)
_DONE: Final = insert(commands)
_FIRST_HEAD: Final = insert(head)
_HEAD: Final = update(head).where(head.c.one == bindparam("only"))


class SchemaError(UnavailableError):
    """The database answers, and has another schema than this Signoff reads."""


class SqlStore:
    """One database and one folder of blobs.

    A patient store may be made while its database does not answer: what is asked of it fails until it does.
    """

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
        self._engine = _engine(url)
        self._name = self._engine.url.render_as_string(hide_password=True)
        self._is_ready, self._readying = False, Lock()
        try:
            self._be_ready()
        except SchemaError:
            raise
        except UnavailableError:
            if not is_patient:
                raise

    def _be_ready(self) -> None:
        """Look at the schema once, as soon as the database answers."""
        if self._is_ready:
            return
        with self._readying:
            if not self._is_ready:
                self._check_schema()
                self._is_ready = True

    def _check_schema(self) -> None:
        with self._connected(is_reading=True) as connection:
            found = _schema(connection)
        if found is None or (found < SCHEMA and self._engine.dialect.name == "sqlite"):
            self._upgrade(found)
        elif found < SCHEMA:
            raise SchemaError(
                f"The database {self._name} has schema {found}, this Signoff reads schema {SCHEMA}. Bring it up to "
                "date with `signoff db upgrade`, after a backup."
            )
        elif found > SCHEMA:
            raise SchemaError(
                f"The database {self._name} has schema {found}, this Signoff reads schema {SCHEMA}; use the version of "
                "Signoff that wrote it."
            )

    def _upgrade(self, found: str | None) -> None:
        """Bring the schema up to date in one transaction; a file of an older one is copied first."""
        if found is not None:
            self._back_up(found)
        with self._connected() as connection:
            upgrade(connection, _schema(connection))

    def _back_up(self, schema: str) -> None:
        copy = Path(f"{self._engine.url.database}.schema-{schema}")
        if not copy.exists():
            with self._engine.connect() as connection:
                connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""
        with self._transaction(is_reading=True) as connection:
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
        with self._transaction(is_reading=True) as connection:
            ordered = name.collate("C") if connection.dialect.name == "postgresql" else name
            if after is not None:
                query = query.where(ordered > after)
            found = connection.execute(query.order_by(ordered).limit(limit))
            return tuple(StoredStream(stream=r.stream, revision=r.revision, state=r.state) for r in found)

    def commit(self, commit: Commit) -> Committed:
        """All of the commit in one transaction, or an error and none of it."""
        try:
            with self._transaction() as connection:
                return self._committed(connection, commit)
        except IntegrityError as error:
            raise StaleRevisionError(
                f"Somebody else changed {', '.join(a.stream for a in commit.appends)} at the same moment; look at it "
                "again and repeat the request if it still makes sense."
            ) from error
        except UnavailableError:
            if (made := self._made_after_all(commit)) is not None:
                return made
            raise

    def _made_after_all(self, commit: Commit) -> Committed | None:
        """A connection lost while it committed leaves open whether it did; a new one knows the key, or does not."""
        with self._transaction(is_reading=True) as connection:
            made = connection.execute(_COMMAND, {"key": commit.key}).one_or_none()
        if made is None or made.request != commit.request:
            return None
        return Committed(seq=made.seq, is_replay=False)

    def request_of(self, key: str) -> str | None:
        """The request committed under this key."""
        with self._transaction(is_reading=True) as connection:
            made = connection.execute(_COMMAND, {"key": key}).one_or_none()
            return None if made is None else made.request

    def rows(self, *, after: int = 0, stream: str | None = None) -> Iterator[LedgerRow]:
        """The ledger in order, or one stream of it."""
        query = select(events.c.seq, events.c.body, events.c.leaf).order_by(events.c.seq).limit(PAGE)
        if stream is not None:
            query = query.where(events.c.stream == stream)
        while True:
            with self._transaction(is_reading=True) as connection:
                page = connection.execute(query.where(events.c.seq > after)).all()
            yield from map(_row, page)
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """Rows of these streams alone, in order: their numbers by the index, then the bodies of so many of them."""
        number = events.c.seq
        wanted = select(number).where(events.c.stream.in_(streams), number > after).order_by(number).limit(limit)
        query = select(number, events.c.body, events.c.leaf).where(number.in_(wanted)).order_by(number)
        with self._transaction(is_reading=True) as connection:
            return tuple(map(_row, connection.execute(query)))

    def pending(self) -> tuple[Effect, ...]:
        """Effects not yet done, oldest first."""
        with self._transaction(is_reading=True) as connection:
            found = connection.execute(select(outbox).where(outbox.c.result.is_(None)).order_by(outbox.c.position))
            return tuple(Effect(identity=r.identity, kind=r.kind, payload=r.payload) for r in found)

    def claim(self, limit: int, holder: str, until: datetime, now: datetime) -> tuple[Effect, ...]:
        """Effects not yet done, leased to one holder."""
        until_when, over, stray = outbox.c.claimed_until, now.timestamp(), last_lease(until, now).timestamp()
        due = (
            select(outbox)
            .where(outbox.c.result.is_(None))
            .where(until_when.is_(None) | (until_when <= over) | (until_when > stray))
            .order_by(outbox.c.position)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._transaction() as connection:
            found = connection.execute(due).all()
            mine = outbox.c.identity.in_([r.identity for r in found])
            connection.execute(update(outbox).where(mine).values(holder=holder, claimed_until=until.timestamp()))
        return tuple(Effect(identity=r.identity, kind=r.kind, payload=r.payload) for r in found)

    def release(self, identity: str, holder: str) -> None:
        """Give a leased effect back before its time."""
        with self._transaction() as connection:
            mine = (outbox.c.identity == identity) & (outbox.c.holder == holder)
            connection.execute(update(outbox).where(mine).values(holder=None, claimed_until=None))

    def done(self, identity: str, result: str, at: datetime) -> None:
        """Record that an effect was carried out; a repetition changes nothing."""
        with self._transaction() as connection:
            if connection.execute(select(outbox.c.position).where(outbox.c.identity == identity)).scalar() is None:
                raise no_effect(identity)
            connection.execute(
                update(outbox)
                .where(outbox.c.identity == identity, outbox.c.result.is_(None))
                .values(result=result, done_at=at.isoformat())
            )

    def checkpoint(self) -> bytes | None:
        """The latest signed checkpoint."""
        with self._transaction(is_reading=True) as connection:
            found: bytes | None = connection.execute(select(head.c.note)).scalar()
            return found

    def size(self) -> int:
        """How many events there are."""
        with self._transaction(is_reading=True) as connection:
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
        """Do something with the tree's size and root while nobody adds to it."""
        with self._transaction() as connection:
            tree = self._trusted_tree(connection)
            return act(tree.size, tree.root)

    def _trusted_tree(self, connection: Connection) -> Frontier:
        """The tree as the last checkpoint signed it: what the database says beside it is never signed unseen."""
        tree, note = _tree(connection)
        if self._open is None or tree.size == 0 or self._trusted == (note, tree):
            return tree
        if self._open(note) != (tree.size, tree.root):
            raise TamperedError(
                f"The database {self._name} says that its tree has {tree.size} events, and its signed checkpoint says "
                "something else: it was altered. Nothing was recorded and nothing signed; stop changes, keep a copy, "
                "run `signoff verify`, and restore the database from a backup."
            )
        return tree

    @property
    def engine(self) -> Engine:
        """The connections, for the shelf beside the ledger."""
        self._be_ready()
        return self._engine

    @contextmanager
    def _transaction(self, *, is_reading: bool = False) -> Iterator[Connection]:
        self._be_ready()
        with self._connected(is_reading=is_reading) as connection:
            yield connection

    @contextmanager
    def _connected(self, *, is_reading: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                if not is_reading:
                    _one_at_a_time(connection)
                yield connection
                if not is_reading:
                    connection.commit()
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise _refusal(self._name, error) from error


def initialise(url: str, *, role: str | None = None, password: str | None = None) -> str:
    """Bring a database's schema up to date as its owner, and let a role use it; the schema it has then."""
    engine = _engine(url)
    if role is not None and engine.dialect.name != "postgresql":
        raise BadInputError(f"Expected PostgreSQL for --role, found {engine.dialect.name}; a file has no roles.")
    try:
        with engine.connect() as connection:
            _one_at_a_time(connection)
            upgrade(connection, _schema(connection))
            if role is not None:
                grant(connection, role, password)
            connection.commit()
    except SQLAlchemyError as error:
        raise _refusal(engine.url.render_as_string(hide_password=True), error) from error
    finally:
        engine.dispose()
    return SCHEMA


def schema_of(url: str) -> tuple[str | None, str]:
    """The schema that a database has, None for none, and the one that this Signoff knows."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return _schema(connection), SCHEMA
    except SQLAlchemyError as error:
        raise _refusal(engine.url.render_as_string(hide_password=True), error) from error
    finally:
        engine.dispose()


def _refusal(name: str, error: SQLAlchemyError) -> SignoffError:
    """What a database's complaint means for people."""
    cause = str(getattr(error, "orig", None) or error)
    if "not a database" in cause:
        return BadInputError(
            f"Expected Signoff's own database at {name}, found a file of another kind ({cause}). Nothing was changed; "
            "name another with --database, or restore the database from its backup."
        )
    if "permission denied" in cause:
        return UnavailableError(
            f"The database {name} does not let this role do that ({cause.splitlines()[0]}). Nothing was recorded; let "
            "its owner run `signoff db init --role ROLE` or `signoff db upgrade`."
        )
    if "malformed" in cause:
        return TamperedError(
            f"The database {name} is damaged ({cause}). Nothing was recorded; restore it from its backup and check it "
            "with `signoff verify`."
        )
    return UnavailableError(
        f"The database {name} did not do what was asked ({cause}). Nothing was recorded; the same command can be "
        "repeated when it answers again."
    )


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url, **_how(url))
    except (ArgumentError, ModuleNotFoundError) as error:
        scheme = url.partition(":")[0]
        raise BadInputError(
            f"Expected the URL of a database such as sqlite:///.signoff/signoff.db, and cannot open one of the kind "
            f"{scheme!r} ({type(error).__name__}). Correct --database, or install the driver it names."
        ) from error
    path = engine.url.database or ":memory:"
    if engine.dialect.name == "sqlite" and not path.startswith((":memory:", "file:")):
        _make_room(Path(path).parent)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _how(url: str) -> dict[str, Any]:
    """A database on the network answers within seconds, or is treated as away."""
    if not url.startswith("postgresql"):
        return {}
    options = "-c statement_timeout=20000 -c lock_timeout=8000 -c idle_in_transaction_session_timeout=30000"
    arguments = {"connect_timeout": 2, "options": options, "tcp_user_timeout": 5000}
    return {"connect_args": arguments, "pool_pre_ping": True, "pool_size": 10, "max_overflow": 20, "pool_timeout": 5}


def _make_room(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"Cannot make the folder {folder} for the database: {error.strerror}. Choose another with --home."
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table(meta.name):
        return None
    return connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()


def _one_at_a_time(connection: Connection) -> None:
    """Whoever writes waits for the writer before: the ledger has one end."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _sync(*folders: Path) -> None:
    """Make the names in these folders survive a power cut, as the bytes behind them do already."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _row(found: Row[int, bytes, bytes]) -> LedgerRow:
    return LedgerRow(seq=found.seq, body=_exact(found.seq, found.body), leaf=found.leaf)


def _exact(seq: int, body: object) -> bytes:
    if not isinstance(body, bytes):
        raise TamperedError(f"Event {seq} is not kept as the bytes that Signoff wrote; the database was altered.")
    return body


def _load(connection: Connection, stream: str) -> StoredStream | None:
    found = connection.execute(_STREAM, {"stream": stream}).one_or_none()
    return None if found is None else StoredStream(stream=stream, revision=found.revision, state=found.state)


def _append(connection: Connection, append: Append, commit: Commit, tree: Frontier) -> Frontier:
    before = _load(connection, append.stream)
    revision, rows = revision_of(before), []
    for body in bodies_of(append, commit, before):
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
    known = set(connection.execute(_KNOWN, {"identities": list(asked)}).scalars())
    position = connection.execute(_POSITION).scalar() or 0
    rows = [
        {"identity": effect.identity, "position": position + n, "kind": effect.kind, "payload": effect.payload}
        for n, effect in enumerate(reversed(asked.values()), start=1)
        if effect.identity not in known
    ]
    if rows:
        connection.execute(_EFFECT, rows)


def _tree(connection: Connection) -> tuple[Frontier, bytes]:
    found = connection.execute(_TREE).one_or_none()
    if found is None:
        return Frontier(), b""
    edge = tuple(found.edge[i : i + 32] for i in range(0, len(found.edge), 32))
    return Frontier(found.size, edge), found.note


def _save_head(connection: Connection, tree: Frontier, note: bytes, *, is_first: bool) -> None:
    values = {"size": tree.size, "edge": b"".join(tree.edge), "note": note}
    if is_first:
        connection.execute(_FIRST_HEAD, {"one": 1, **values})
    else:
        connection.execute(_HEAD, {"only": 1, **values})


_digest = digest
