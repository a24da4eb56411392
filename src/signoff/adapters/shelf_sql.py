"""The shelf beside the ledger, in the same database: one table, and each call one statement or transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Float,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from signoff.domain.errors import UnavailableError

shelf: Final = Table(
    "shelf",
    MetaData(),
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False),
)


class SqlShelf:
    """Values by kind and name in a database that `SqlStore` has opened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, kind: str, name: str, now: datetime) -> bytes | None:
        """The value, None when there is none or it has expired."""
        query = select(shelf.c.value).where(_at(kind, name), shelf.c.expires_at > now.timestamp())
        try:
            with self._engine.connect() as connection:
                found: bytes | None = connection.execute(query).scalar()
                return found
        except SQLAlchemyError as error:
            raise _away(error) from error

    def put(self, kind: str, name: str, value: bytes, expires_at: datetime) -> None:
        """Keep a value until then."""

        def replace(connection: Connection) -> None:
            connection.execute(delete(shelf).where(_at(kind, name)))
            connection.execute(insert(shelf).values(_row(kind, name, value, expires_at)))

        try:
            self._write(replace)
        except IntegrityError:
            self._write(replace)  # of two at once the later one stays

    def add(self, kind: str, name: str, value: bytes, expires_at: datetime, now: datetime) -> bool:
        """Keep a value unless one that has not expired is there; the table's key decides between two."""

        def keep(connection: Connection) -> None:
            connection.execute(delete(shelf).where(_at(kind, name), shelf.c.expires_at <= now.timestamp()))
            connection.execute(insert(shelf).values(_row(kind, name, value, expires_at)))

        try:
            self._write(keep)
        except IntegrityError:
            return False
        return True

    def prolong(self, kind: str, name: str, expires_at: datetime, now: datetime) -> bool:
        """Put off the end of a value that is still there, in one statement."""
        found: list[int] = []
        is_there = _at(kind, name) & (shelf.c.expires_at > now.timestamp())
        put_off = update(shelf).where(is_there).values(expires_at=expires_at.timestamp())
        self._write(lambda connection: found.append(connection.execute(put_off).rowcount))
        return found == [1]

    def take(self, kind: str, name: str, now: datetime) -> bytes | None:
        """Get and remove in one statement."""
        found: list[tuple[bytes, float]] = []

        def remove(connection: Connection) -> None:
            removed = delete(shelf).where(_at(kind, name)).returning(shelf.c.value, shelf.c.expires_at)
            found.extend((row.value, row.expires_at) for row in connection.execute(removed))

        self._write(remove)
        return next((value for value, expires_at in found if expires_at > now.timestamp()), None)

    def drop(self, kind: str, name: str) -> None:
        """Remove a value."""
        self._write(lambda connection: connection.execute(delete(shelf).where(_at(kind, name))))

    def sweep(self, now: datetime) -> int:
        """Remove what has expired."""
        gone: list[int] = []
        expired = delete(shelf).where(shelf.c.expires_at <= now.timestamp())
        self._write(lambda connection: gone.append(connection.execute(expired).rowcount))
        return gone[0]

    def _write(self, change: Callable[[Connection], object]) -> None:
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                change(connection)
                connection.commit()
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise _away(error) from error


def _at(kind: str, name: str) -> ColumnElement[bool]:
    return (shelf.c.kind == kind) & (shelf.c.name == name)


def _row(kind: str, name: str, value: bytes, expires_at: datetime) -> dict[str, object]:
    return {"kind": kind, "name": name, "value": value, "expires_at": expires_at.timestamp()}


def _away(error: SQLAlchemyError) -> UnavailableError:
    cause = str(getattr(error, "orig", None) or error)
    return UnavailableError(f"The database did not do what was asked ({cause}); try again when it answers.")
