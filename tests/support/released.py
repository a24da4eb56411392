"""Databases as released versions left them, restored from the dumps in `tests/store/released`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from small_ledger import BLOBS

from signoff.adapters.store_sql import SqlStore

DUMPS = Path(__file__).parents[1] / "store" / "released"


SCHEMAS = ("1", "2", "3")


def events_of(dump: str) -> list[tuple[int, bytes, bytes]]:
    """What the dump of a file holds, read without any code of ours."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript((DUMPS / dump).read_text())
        return database.execute("SELECT seq, body, leaf FROM events ORDER BY seq").fetchall()


FIRST = events_of("schema-1.sqlite.sql")


def restore_file(path: Path, schema: str) -> None:
    """A file as this schema left it."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript((DUMPS / f"schema-{schema}.sqlite.sql").read_text())


def restore_server(url: str, schema: str) -> None:
    """A PostgreSQL database as this schema left it."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute((DUMPS / f"schema-{schema}.postgresql.sql").read_bytes())


def with_blobs(store: SqlStore) -> SqlStore:
    """The files beside it, as they were."""
    for content in BLOBS:
        store.put_blob(content)
    return store
