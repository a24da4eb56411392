"""How much of the record a killed process takes with it: a child commits events, is killed, and the store is read.

The child writes to a store of the same kind beside the real one: to a file on the same disk, or on PostgreSQL to the
schema of rehearsals in the same database, under the rights that the server itself has. There nothing is ever deleted,
as in the record: each measurement leaves some thirty events in a stream of its own. Killing a process is not losing
power or a disk: what those take is the business of backups and replicas.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Timer
from typing import Final

from sqlalchemy import make_url

from signoff.adapters.database import schema_of
from signoff.adapters.schema_sql import SCRATCH, scratch_of
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_sql import SqlStore
from signoff.domain.database_urls import sqlite_url
from signoff.domain.errors import UnavailableError
from signoff.domain.events import NoticeSent
from signoff.ports.durability import Kept
from signoff.ports.store import Append, Commit

EVENTS: Final = 25
PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledWriter:
    """Measures in a temporary folder under `beside`, and in the schema of rehearsals when the database is no file."""

    database: str
    beside: Path

    def measure(self) -> Kept:
        """Kill the child in the middle of its work, and count what it had acknowledged and what is there."""
        self.beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.beside, prefix="rehearsal-") as name:
            folder = Path(name)
            url = _scratch(self.database, folder)
            acknowledged = _killed(url, folder)
            there = sum(1 for _ in _store(url, folder).rows(stream=_stream(folder)))
        return Kept(acknowledged=acknowledged, lost=max(acknowledged - there, 0))


def _scratch(database: str, folder: Path) -> str:
    """A database of the same kind, in which a rehearsal may write."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        return sqlite_url(str(folder / "record.db"))
    if url.get_backend_name() != "postgresql":
        raise UnavailableError(
            f"Expected a SQLite file or PostgreSQL, found {url.render_as_string()}. What a killed process loses of it "
            "cannot be measured, and no release stands on a rehearsal without that; keep the record in one of the two."
        )
    scratch = scratch_of(database)
    if schema_of(scratch)[0] is None:
        raise UnavailableError(
            f"Expected the schema {SCRATCH} in {url.render_as_string()}, where a rehearsal measures what a killed "
            "process loses; found none that this role may use. Let the database's owner run `signoff db init --role "
            "ROLE`, and rehearse again."
        )
    return scratch


def _killed(url: str, folder: Path) -> int:
    """How many events the child said it had committed, up to the signal that ended it."""
    command = [sys.executable, "-P", "-m", "signoff.adapters.killed_writer", str(folder)]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:  # noqa: S603 - ourselves
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        patience = Timer(PATIENCE_SECONDS, child.kill)
        patience.start()
        said = 0
        try:
            child.stdin.write(os.fsencode(url))  # not an argument: those are for every process of the machine to read
            child.stdin.close()
            while said < EVENTS and child.stdout.readline():
                said += 1
        except BrokenPipeError:
            said = 0  # it ended before it read where to write, and its complaint says why
        finally:
            patience.cancel()
            child.kill()
        if said < EVENTS:
            problem = child.stderr.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise UnavailableError(
                f"Expected a process to write {EVENTS} events in {folder}, found {said}: {problem[0]}. "
                "The rehearsal cannot measure what a killed process loses; repair that and rehearse again."
            )
        return said + len(child.stdout.readlines())


def _store(url: str, folder: Path) -> SqlStore:
    key = KeyFile.held(folder / "ledger.key")
    return SqlStore(url, sign=key.sign_checkpoint, blobs=folder / "blobs")


def _stream(folder: Path) -> str:
    return f"model/{folder.name}"


def _write_until_killed(url: str, folder: Path) -> None:
    """Commit one event after the other, and say each once it is durable."""
    store, stream, at, number = _store(url, folder), _stream(folder), datetime(2000, 1, 1, tzinfo=UTC), 0
    while True:
        event = NoticeSent(notice=str(number), audience=(), channel="rehearsal")
        append = Append(stream=stream, expected_revision=number, events=(event,), state=b"{}")
        store.commit(Commit(key=f"{stream}:{number}", request="", at=at, actor="rehearsal", appends=(append,)))
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _write_until_killed(os.fsdecode(sys.stdin.buffer.read()), Path(sys.argv[1]))
