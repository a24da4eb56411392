"""The TTL store in the ledger's database: one table, and each call one statement or transaction."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from signoff.adapters.database import Database
from signoff.adapters.tables_sql import shelf

Row = Mapping[str, object]


class SqlTtlStore:
    """Values by kind and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value; None if it is missing or expired."""
        query = select(shelf.c.value).where(_at(kind, name), shelf.c.expires_at > now.timestamp())
        with self._database.reading() as connection:
            value: bytes | None = connection.execute(query).scalar()
            return value

    def put(self, kind: str, name: str, value: bytes, expires_at: datetime) -> None:
        """Keep a value until then."""
        row = _row(kind, name, value, expires_at)
        try:
            self._replace(kind, name, row)
        except IntegrityError:
            self._replace(kind, name, row)  # of two concurrent puts the later one wins

    def add(self, kind: str, name: str, value: bytes, expires_at: datetime, now: datetime) -> bool:
        """Keep a value unless an unexpired one exists; the table's key decides between two calls."""
        try:
            with self._database.writing() as connection:
                connection.execute(delete(shelf).where(_at(kind, name), shelf.c.expires_at <= now.timestamp()))
                connection.execute(insert(shelf).values(_row(kind, name, value, expires_at)))
        except IntegrityError:
            return False
        return True

    def prolong(self, kind: str, name: str, expires_at: datetime, now: datetime) -> bool:
        """Extend an unexpired value, in one statement."""
        is_there = _at(kind, name) & (shelf.c.expires_at > now.timestamp())
        put_off = update(shelf).where(is_there).values(expires_at=expires_at.timestamp())
        with self._database.writing() as connection:
            return connection.execute(put_off).rowcount == 1

    def take(self, kind: str, name: str, now: datetime) -> bytes | None:
        """Get and remove in one statement."""
        removed = delete(shelf).where(_at(kind, name)).returning(shelf.c.value, shelf.c.expires_at)
        with self._database.writing() as connection:
            row = connection.execute(removed).one_or_none()
        return None if row is None or row.expires_at <= now.timestamp() else row.value

    def drop(self, kind: str, name: str) -> None:
        """Remove a value."""
        with self._database.writing() as connection:
            connection.execute(delete(shelf).where(_at(kind, name)))

    def sweep(self, now: datetime) -> int:
        """Remove what has expired."""
        with self._database.writing() as connection:
            return connection.execute(delete(shelf).where(shelf.c.expires_at <= now.timestamp())).rowcount

    def _replace(self, kind: str, name: str, row: Row) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(shelf).where(_at(kind, name)))
            connection.execute(insert(shelf).values(row))


def _at(kind: str, name: str) -> ColumnElement[bool]:
    return (shelf.c.kind == kind) & (shelf.c.name == name)


def _row(kind: str, name: str, value: bytes, expires_at: datetime) -> Row:
    return {"kind": kind, "name": name, "value": value, "expires_at": expires_at.timestamp()}
