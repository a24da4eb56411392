"""The desk's journal beside SQLite (WAL, FULL) and the disk's own sync, in one run: caller's cost, rate, waiting."""

import os
import sqlite3
import struct
import tempfile
import time
from pathlib import Path

from signoff.desk.journal import Journal, JournalFullError, check

ROW = struct.pack("<50d", *range(50))
RECORDS = 200_000
PACED = 18_000
BATCH = 100
WAITS = 200


def quantile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def floor(folder):
    """Milliseconds that the disk takes for an append of one record and its sync, p50."""
    times = []
    with (folder / "floor").open("wb", buffering=0) as file:
        for _ in range(WAITS):
            began = time.perf_counter()
            file.write(bytes(456))
            os.fdatasync(file.fileno())
            times.append(1e3 * (time.perf_counter() - began))
    return quantile(times, 0.5)


def sqlite_rate(folder):
    """Rows a second of SQLite, committed in batches of 100."""
    connection = sqlite3.connect(folder / "peer.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY, at INTEGER, version, symbol, prediction, features)")
    began, rows = time.perf_counter(), 0
    while time.perf_counter() - began < 3:
        connection.execute("BEGIN")
        now = time.time_ns()
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)",
            [(rows + n, now, "2.0.0", "AAPL", 0.4, ROW) for n in range(BATCH)],
        )
        connection.execute("COMMIT")
        rows += BATCH
    return rows / (time.perf_counter() - began)


def saturated_rate(folder):
    """Records a second, all of them durable, from one caller that never waits but for room."""
    with Journal.open(folder / "saturated") as journal:
        began, seq = time.perf_counter(), 0
        while seq < RECORDS:
            try:
                seq = journal.predict("momentum-2", "2.0.0", "AAPL", 0.4, features=ROW)
            except JournalFullError:
                time.sleep(0.0005)
        assert journal.wait_durable(seq, 30)
        rate = RECORDS / (time.perf_counter() - began)
    assert check(folder / "saturated").gaps == ()
    return rate


def paced(folder):
    """Microseconds that a caller pays at 18,000 predictions a second."""
    costs = []
    with Journal.open(folder / "paced") as journal:
        due = time.perf_counter()
        for _ in range(2 * PACED):
            due += 1 / PACED
            while time.perf_counter() < due:
                time.sleep(0)
            began = time.perf_counter_ns()
            journal.predict("momentum-2", "2.0.0", "AAPL", 0.4, features=ROW)
            costs.append((time.perf_counter_ns() - began) / 1e3)
    return costs


def waiting(folder):
    """Milliseconds from a record to its durability, for a caller that waits."""
    times = []
    with Journal.open(folder / "waiting") as journal:
        for _ in range(WAITS):
            began = time.perf_counter()
            assert journal.wait_durable(journal.predict("momentum-2", "2.0.0", "AAPL", 0.4, features=ROW), 30)
            times.append(1e3 * (time.perf_counter() - began))
    return times


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        least = floor(folder)
        costs, rate, peer, waits = paced(folder), saturated_rate(folder), sqlite_rate(folder), waiting(folder)
        least = (least + floor(folder)) / 2
    print(f"caller's cost at 18k/s: p50 {quantile(costs, 0.5):.2f} µs, p99 {quantile(costs, 0.99):.1f} µs")
    print(f"durable records a second: {rate:,.0f}")
    print(f"  SQLite WAL FULL, batches of 100: {peer:,.0f}; the journal's rate is {rate / peer:.1f} of it")
    half, most = quantile(waits, 0.5), quantile(waits, 0.99)
    print(f"wait_durable: p50 {half:.2f} ms, p99 {most:.2f} ms")
    print(f"  append and fdatasync of the disk: p50 {least:.2f} ms; waiting takes {half / least:.1f} of it")


if __name__ == "__main__":
    main()
