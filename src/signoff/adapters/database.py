"""Opens a database, orders its writers, and translates its errors.

SQLite runs with a write-ahead log and full fsync. Its waiting writers retry with growing pauses, so that some of eight
threads wait half a second for a lock that is mostly free. So the threads of one process queue here. Between processes,
and after too long in the queue, SQLite decides: threads that wait for another process's lock must not add up their
waits.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from signoff.adapters.own_files import PRIVATE_FILE, close_to_others, make_private
from signoff.adapters.schema_number import SCHEMA
from signoff.adapters.schema_sql import grant, upgrade
from signoff.adapters.sqlite_files import sqlite_file
from signoff.adapters.tables_sql import meta
from signoff.domain.errors import BadInputError, SignoffError, TamperedError, UnavailableError

LOCK: Final = 7_366_010_244_001
PATIENCE_S: Final = 1.0
# Longer than PostgreSQL's own statement timeout, so that a server that answers reports its own error.
ANSWER_S: Final = 25.0
T = TypeVar("T")


class SchemaError(UnavailableError):
    """The database answers, but has another schema than this Signoff reads."""

    code = "schema"


class Database:
    """The connections to one database; its schema is checked once, at the first answer.

    A patient one may be created while the database is down: calls fail until it answers.
    """

    def __init__(self, url: str, *, is_patient: bool = False) -> None:
        self.engine = _engine(url)
        self._asking = _asking(self.engine)
        self.name = _shown(self.engine.url)
        self._line = Lock() if self.engine.dialect.name == "sqlite" else None
        self._is_ready, self._readying = False, Lock()
        try:
            self._be_ready()
        except SchemaError:
            raise
        except UnavailableError:
            if not is_patient:
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading beside writers; each statement sees what is committed by then."""
        self._be_ready()
        with self._connected(self._asking) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end."""
        self._be_ready()
        with self._turn(), self._connected() as connection:
            _begin(connection)
            yield connection
            connection.commit()

    @contextmanager
    def adding(self) -> Iterator[Connection]:
        """A transaction that excludes others of its kind, since the ledger has one end."""
        with self.writing() as connection:
            _alone(connection)
            yield connection

    @contextmanager
    def _connected(self, engine: Engine | None = None) -> Iterator[Connection]:
        try:
            with (engine or self.engine).connect() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise _refusal(self.name, error) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        has_turn = self._line is not None and self._line.acquire(timeout=PATIENCE_S)
        try:
            yield
        finally:
            if has_turn and self._line is not None:
                self._line.release()

    def _be_ready(self) -> None:
        if self._is_ready:
            return
        with self._readying:
            if not self._is_ready:
                self._check_schema()
                self._is_ready = True

    def _check_schema(self) -> None:
        with self._connected() as connection:
            schema = _schema(connection)
        if schema is None or (schema < SCHEMA and self.engine.dialect.name == "sqlite"):
            self._upgrade(schema)
        elif schema < SCHEMA:
            raise SchemaError(
                f"The database {self.name} has schema {schema}, this Signoff reads schema {SCHEMA}. Bring it up to "
                "date with `signoff db upgrade`, after a backup."
            )
        elif schema > SCHEMA:
            raise SchemaError(
                f"The database {self.name} has schema {schema}, this Signoff reads schema {SCHEMA}; use the version of "
                "Signoff that wrote it."
            )

    def _upgrade(self, schema: str | None) -> None:
        """Upgrade the schema in one transaction; an older file is copied first."""
        if schema is not None:
            self._back_up(schema)
        with self._connected() as connection:
            _upgraded(connection)
            connection.commit()

    def _back_up(self, schema: str) -> None:
        copy = Path(f"{self.engine.url.database}.schema-{schema}")
        if not copy.exists():
            with self._connected() as connection:
                connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))


def initialise(url: str, *, role: str | None = None, password: str | None = None) -> str:
    """Upgrade a database's schema as its owner and grant a role access; return the schema."""
    engine = _engine(url)
    if role is not None and engine.dialect.name != "postgresql":
        raise BadInputError(f"Expected PostgreSQL for --role, found {engine.dialect.name}; a file has no roles.")
    with _once(engine) as connection:
        _upgraded(connection)
        if role is not None:
            grant(connection, role, password)
        connection.commit()
    return SCHEMA


def schema_of(url: str) -> tuple[str | None, str]:
    """The schema of a database (None without one) and the schema of this Signoff."""
    with _once(_engine(url)) as connection:
        return _schema(connection), SCHEMA


@contextmanager
def _once(engine: Engine) -> Iterator[Connection]:
    """One connection; the engine is closed after it."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _refusal(_shown(engine.url), error) from error
    finally:
        engine.dispose()


def _upgraded(connection: Connection) -> None:
    """Upgrade the schema, alone."""
    _begin(connection)
    _alone(connection)
    upgrade(connection, _schema(connection))


def _begin(connection: Connection) -> None:
    """Begin now: SQLite's default transactions begin too late to keep another writer out."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _alone(connection: Connection) -> None:
    """Wait for other PostgreSQL writers, even before there is a row to lock; SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _refusal(name: str, error: SQLAlchemyError) -> SignoffError:
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
        engine = create_engine(url, **_how(make_url(url)))
    except (ArgumentError, ModuleNotFoundError) as error:
        scheme = url.partition(":")[0]
        raise BadInputError(
            f"Expected the URL of a database such as sqlite:///.signoff/signoff.db, and cannot open one of the kind "
            f"{scheme!r} ({type(error).__name__}). Correct --database, or install the driver it names."
        ) from error
    if (path := sqlite_file(url)) is not None:
        _make_room(path.parent)
        event.listen(engine, "do_connect", lambda *_: _keep_private(path))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    if engine.dialect.driver == "psycopg":
        event.listen(engine, "connect", _limit_waits)
    return engine


def _shown(url: URL) -> str:
    """A database's name in messages: a file by its path, which may have bytes that no URL can."""
    if url.get_backend_name() == "sqlite" and not url.query:
        return f"{url.drivername}:///{url.database or ''}"
    return url.render_as_string(hide_password=True)


def _how(url: URL) -> dict[str, Any]:
    """Connection options: a database on the network must answer within seconds. Options of the URL win."""
    if url.get_backend_name() != "postgresql":
        return {}
    limits = "-c statement_timeout=20000 -c lock_timeout=8000 -c idle_in_transaction_session_timeout=30000"
    options = " ".join((limits, *url.normalized_query.get("options", ())))
    alive = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    arguments = {"connect_timeout": 2, "options": options, "tcp_user_timeout": 5000, **alive}
    return {"connect_args": arguments, "pool_pre_ping": True, "pool_size": 10, "max_overflow": 20, "pool_timeout": 5}


def _limit_waits(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    """Limit each wait here too: a server that accepts a request and never answers does not apply its own timeouts."""
    waiting = connection.wait

    def wait(steps: Generator[int, int, T], *further: float, **named: float) -> T:
        try:
            answer: T = waiting(_limited(steps, monotonic() + ANSWER_S), *further, **named)
        except TimeoutError as error:
            connection.close()
            raise OperationalError(f"no answer within {ANSWER_S:g} s") from error
        return answer

    from psycopg import OperationalError  # noqa: PLC0415 - an optional driver

    connection.wait = wait


def _limited(steps: Generator[int, int, T], end: float) -> Generator[int, int, T]:
    """The driver's steps, resumed ten times a second while waiting, until the time is over."""
    ready: int | None = None
    while True:
        try:
            wanted = next(steps) if ready is None else steps.send(ready)
        except StopIteration as stopped:
            answer: T = stopped.value
            return answer
        ready = yield wanted
        if not ready and monotonic() >= end:
            raise TimeoutError


def _asking(engine: Engine) -> Engine:
    """The same connections in autocommit, which saves PostgreSQL's answers to BEGIN and COMMIT."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="AUTOCOMMIT")


def _make_room(folder: Path) -> None:
    try:
        make_private(folder)
    except OSError as error:
        raise UnavailableError(
            f"Cannot make the folder {folder} for the database: {error.strerror}. Choose another with --home."
        ) from error


def _keep_private(path: Path) -> None:
    """Restrict the file to its owner; SQLite gives its own side files the same mode."""
    with suppress(OSError):  # SQLite opens the file next and reports the error
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    for suffix in ("", "-wal", "-shm"):
        close_to_others(path.with_name(path.name + suffix))


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table(meta.name):
        return None
    return connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar()
