"""Durable commits a second: events, state, outbox and signed checkpoint in one transaction, against bare SQLite."""

import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_sql import SqlStore
from signoff.domain.events import Paused, PauseReason
from signoff.ports.store import Append, Commit, Effect

COMMITS = 1000


def ours(folder):
    """Commits a second of the store, with a state of 2 kB and one effect each."""
    key = KeyFile.create(folder / "ledger.key")
    store = SqlStore(f"sqlite:///{folder / 'ledger.db'}", sign=key.sign_checkpoint, blobs=folder / "blobs")
    began = time.perf_counter()
    for n in range(COMMITS):
        append = Append(
            stream="deployment/bench",
            expected_revision=n,
            events=(Paused(reason=PauseReason.MANUAL),),
            state=b"x" * 2048,
        )
        effect = Effect(identity=f"e{n}", kind="notice", payload=b"{}")
        at = datetime(2026, 1, 1, tzinfo=UTC)
        store.commit(Commit(key=f"k{n}", request="r", at=at, actor="bench", appends=(append,), effects=(effect,)))
    return COMMITS / (time.perf_counter() - began)


def bare(folder):
    """Commits a second of one insert in SQLite with the same durability."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (body BLOB)")
    began = time.perf_counter()
    for _ in range(COMMITS):
        connection.execute("INSERT INTO t VALUES (?)", (b"x" * 400,))
    return COMMITS / (time.perf_counter() - began)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, full = bare(folder), ours(folder)
    print(f"bare SQLite insert, WAL, synchronous FULL: {plain:8.0f} commits/s")
    print(f"event, state, outbox, tree and checkpoint: {full:8.0f} commits/s, {full / plain:.2f} of bare")


if __name__ == "__main__":
    main()
