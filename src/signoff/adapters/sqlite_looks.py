"""Reads an installation's SQLite file by the standard library, for commands that only look.

Importing SQLAlchemy takes longer than the rest of such a command. Only the statements of a look are here. The SQL store
takes over for every other call, and where anything is unusual: no file, a lock, damage, another schema, a value of
another type. So upgrades, waits and refusals have one place.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from signoff.adapters.own_files import close_to_others
from signoff.adapters.schema_number import SCHEMA
from signoff.adapters.sqlite_files import sqlite_file
from signoff.ports.store import LedgerRow, Store, StoredStream
from signoff.ports.ttl_store import TtlStore

T = TypeVar("T")
Row = tuple[Any, ...]
# The types of each statement's columns; a file may hold others, since SQLite enforces none.
STREAM: Final = (str, int, bytes)
EVENT: Final = (int, bytes, bytes)
SCHEMA_OF: Final = "SELECT value FROM meta WHERE name = 'schema'"
ONE: Final = "SELECT stream, revision, state FROM streams WHERE stream = ?"
NAMES: Final = "SELECT stream, model FROM streams WHERE stream LIKE ? || '%' ESCAPE '/'"
# Lists are given as JSON; without a list, the condition is met.
MANY: Final = """
SELECT stream, revision, state FROM streams WHERE stream LIKE ?1 || '%' ESCAPE '/'
AND (?2 IS NULL OR model IN (SELECT value FROM json_each(?2)))
AND (?3 IS NULL OR label IN (SELECT value FROM json_each(?3)))
AND (?4 IS NULL OR stream > ?4) ORDER BY stream LIMIT ?5
"""
# The index gives the numbers of the rows, then only these bodies are read.
PAGE: Final = """
SELECT seq, body, leaf FROM events WHERE seq IN (
SELECT seq FROM events WHERE stream IN (SELECT value FROM json_each(?1)) AND seq > ?2 ORDER BY seq LIMIT ?3
) ORDER BY seq
"""
SHELVED: Final = "SELECT value FROM shelf WHERE kind = ? AND name = ? AND expires_at > ?"


class UnusualError(Exception):
    """The file is not as a look expects it; the SQL store says what is wrong with it, if anything is."""


def looked_at(url: str) -> Path | None:
    """The SQLite file of this URL, None for other databases, and for URLs with options."""
    return None if "?" in url else sqlite_file(url)


class SqliteLooks:
    """The reads of a `Store` that a look needs, from one file. `otherwise` opens the store for every other call."""

    def __init__(self, file: Path, *, otherwise: Callable[[], Store]) -> None:
        self._file, self._open_store = file, otherwise

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has under this name
        return getattr(self.store, name)

    @cached_property
    def store(self) -> Store:
        """The SQL store."""
        return self._open_store()

    def load(self, stream: str) -> StoredStream | None:
        """The present state of one stream."""
        return self._looked(
            lambda: next(map(_stream, self._rows(ONE, (stream,), STREAM)), None), lambda store: store.load(stream)
        )

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
        given = (_escaped(prefix), _listed(models), _listed(labels), after, _most(limit))
        return self._looked(
            lambda: tuple(map(_stream, self._rows(MANY, given, STREAM))),
            lambda store: store.streams(prefix, models=models, labels=labels, after=after, limit=limit),
        )

    def names(self, prefix: str) -> dict[str, str]:
        """The model of each stream whose name starts with `prefix`."""
        return self._looked(
            lambda: {row[0]: row[1] for row in self._rows(NAMES, (_escaped(prefix),), (str, str))},
            lambda store: store.names(prefix),
        )

    def page(self, streams: Collection[str], *, after: int = 0, limit: int | None = None) -> tuple[LedgerRow, ...]:
        """Rows of these streams in order."""
        given = (_listed(streams), after, _most(limit))
        return self._looked(
            lambda: tuple(map(_event, self._rows(PAGE, given, EVENT))),
            lambda store: store.page(streams, after=after, limit=limit),
        )

    def kept(self, kind: str, name: str, now: datetime) -> bytes | None:
        """A value of the TTL store, None if it is missing or expired. Raises UnusualError."""
        return next((row[0] for row in self._rows(SHELVED, (kind, name, now.timestamp()), (bytes,))), None)

    def _looked(self, look: Callable[[], T], otherwise: Callable[[Store], T]) -> T:
        if "store" not in vars(self):
            try:
                return look()
            except UnusualError:
                pass
        return otherwise(self.store)

    def _rows(self, query: str, given: Iterable[object], kinds: tuple[type, ...]) -> list[Row]:
        try:
            rows = self._connection.execute(query, tuple(given)).fetchall()
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            raise UnusualError from error
        if any(type(value) is not kind for row in rows for value, kind in zip(row, kinds, strict=True)):
            raise UnusualError
        return rows

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        """A connection that changes nothing, once the schema is known to be this Signoff's."""
        for suffix in ("", "-wal", "-shm"):
            close_to_others(self._file.with_name(self._file.name + suffix))
        place = quote(str(self._file.absolute()).encode(errors="surrogateescape"))
        connection = sqlite3.connect(f"file:{place}?mode=rw", timeout=0, uri=True)
        connection.execute("PRAGMA query_only=ON")
        if connection.execute(SCHEMA_OF).fetchall() != [(SCHEMA,)]:
            raise UnusualError
        return connection


class ShelfLooks:
    """The one read of a `TtlStore` that a look needs. `otherwise` opens the TTL store for every other call."""

    def __init__(self, looks: SqliteLooks, *, otherwise: Callable[[], TtlStore]) -> None:
        self._looks, self._open_shelf = looks, otherwise

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the shelf has under this name
        return getattr(self.shelf, name)

    @cached_property
    def shelf(self) -> TtlStore:
        """The SQL store's own."""
        return self._open_shelf()

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value; None if it is missing or expired."""
        if "shelf" not in vars(self):
            try:
                return self._looks.kept(kind, name, now)
            except UnusualError:
                pass
        return self.shelf.get(kind, name, now)


def _escaped(prefix: str) -> str:
    return prefix.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _listed(values: Collection[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values), ensure_ascii=False)


def _most(limit: int | None) -> int:
    return -1 if limit is None else limit


def _stream(row: Row) -> StoredStream:
    return StoredStream(stream=row[0], revision=row[1], state=row[2])


def _event(row: Row) -> LedgerRow:
    return LedgerRow(seq=row[0], body=row[1], leaf=row[2])
