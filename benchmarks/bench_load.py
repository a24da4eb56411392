"""A ledger as large as years make it: ten thousand releases and a million events. Are lists, flags and commits quick?

The peer in the same run is SQLite itself: the same rows inserted bare, one transaction each, with the same settings.
`--database postgresql` starts a PostgreSQL of its own, with its defaults.
"""

import argparse
import math
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_sql import SqlStore
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.record import Record, StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.events import Adopted, Paused, PauseReason, Resumed
from signoff.domain.policy import Policy
from signoff.installation import Installation
from signoff.worker.work import Worker

POLICY = Policy(name="bench", version="1")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--releases", type=int, default=2_000)
    asked.add_argument("--events", type=int, default=50_000)
    asked.add_argument("--minutes", type=float, default=math.inf, help="add no further events after so many")
    asked.add_argument("--database", help="a URL, or postgresql; default: SQLite in a temporary folder")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        database = given.database
        if database == "postgresql":
            from servers import postgres

            database = stack.enter_context(postgres(Path(folder) / "postgresql"))
        run(Path(folder), given.releases, given.events, database, given.minutes)


def run(folder: Path, releases: int, events: int, database: str | None, minutes: float) -> None:
    key = KeyFile(Ed25519PrivateKey.generate())
    url = database or f"sqlite:///{folder / 'signoff.db'}"
    store = SqlStore(url, sign=key.sign_checkpoint, blobs=folder)
    record = Record(store, WallClock())
    began = time.perf_counter()
    for n in range(releases):
        adopt(record, n)
    took = time.perf_counter() - began
    print(f"{releases} releases opened, a durable commit each: {releases / took:,.0f} commits/s")
    bare = bare_rate(folder / "bare.db", 1000)
    print(f"  the same machine inserts bare rows into SQLite at {bare:,.0f}/s: ratio {releases / took / bare:.2f}")
    began = time.perf_counter()
    added = fill(record, events - releases, seconds=60 * minutes - took)
    took = time.perf_counter() - began
    print(f"{added} further events in commits of 1,000: {added / took:,.0f} events/s; {store.size():,} events in all")
    last = f"m{releases - 1}-1-adopted"
    measured("status of one release", lambda: record.deployment(last))
    measured(
        "a page of 100", lambda: record.page(model=None, state=None, after=f"m{releases // 2}-1-adopted", limit=100)
    )
    measured("a page of 100 in one state", lambda: record.page(model=None, state=State.FULL, after=None, limit=100))
    measured("flags of one model, from the record", lambda: record.flags(f"m{releases - 1}"))
    numbers = iter(range(10_000_000, 20_000_000))
    measured("a commit", lambda: adopt(record, next(numbers)))
    board = FlagCache(record, KillFolders(()), FlagSigner(key_id=key.key_id, sign=key.private.sign))
    began = time.perf_counter()
    board.refresh()
    print(f"the board read from nothing: {time.perf_counter() - began:.1f} s")
    measured("the board, nothing new", board.refresh)
    measured("the board after one commit", lambda: (adopt(record, next(numbers)), board.refresh()))
    measured("a signed notice", lambda: board.notice(f"m{releases - 1}"))
    worker = Worker(Installation(settings(home=str(folder / "home"), database=url)))
    measured("a pass of the worker, nothing to do", worker.work, times=50)


def adopt(record: Record, n: int) -> None:
    identity = f"m{n}-1-adopted"
    event = Adopted(deployment=identity, model=f"m{n}", version="1", policy=POLICY, signatures=(), reason="bench")
    record.commit(
        StreamChange(stream=deployment_stream(identity), state=None, events=(event,)), actor="b", key=identity
    )


def fill(record: Record, events: int, *, seconds: float = math.inf) -> int:
    """Add so many events, or as many as that time allows."""
    added, end = 0, time.perf_counter() + seconds
    while added < events and time.perf_counter() < end:
        state = record.deployment(f"m{added // 1000}-1-adopted")
        pair = (Paused(reason=PauseReason.MANUAL, note="bench"), Resumed(reason=PauseReason.MANUAL, note="bench"))
        change = StreamChange(stream=deployment_stream(state.id), state=state, events=pair * 500)
        record.commit(change, actor="b", key=f"fill:{added}")
        added += 1000
    return added


def measured(what: str, act: Callable[[], object], times: int = 200) -> None:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    print(f"{what}: p50 {taken[times // 2]:.2f} ms, p99 {taken[int(0.99 * times)]:.2f} ms")


def bare_rate(path: Path, rows: int) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY, body BLOB, at TEXT)")
        body, at = b"x" * 900, "2026-03-02T09:00:00Z"
        began = time.perf_counter()
        for n in range(rows):
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (n, body, at))
        return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
