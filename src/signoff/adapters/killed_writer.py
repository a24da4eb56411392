"""How much of the record a killed process takes with it: a child commits events, is killed, and the store is read.

The child writes to a store of the same kind beside the real one, on the same disk, and says each event once the commit
returned. Killing a process is not losing power or a disk: what those take is the business of backups and replicas.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Final

from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import UnavailableError
from signoff.domain.events import NoticeSent
from signoff.ports.durability import Kept
from signoff.ports.store import Append, Commit

EVENTS: Final = 25
PATIENCE_SECONDS: Final = 60.0
STREAM: Final = "model/rehearsal"
SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledWriter:
    """Measures in a temporary folder under `beside`; a database that is no file is not measured from here."""

    database: str
    beside: Path

    def measure(self) -> Kept | None:
        """Kill the child in the middle of its work, and count what it had acknowledged and what is there."""
        if not self.database.startswith(SQLITE):
            return None
        self.beside.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.beside, prefix="rehearsal-") as folder:
            acknowledged = _killed(Path(folder))
            there = sum(1 for _ in _store(Path(folder)).rows())
        return Kept(acknowledged=acknowledged, lost=max(acknowledged - there, 0))


def _killed(folder: Path) -> int:
    """How many events the child said it had committed, up to the signal that ended it."""
    command = [sys.executable, "-m", "signoff.adapters.killed_writer", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:  # noqa: S603 - ourselves
        assert child.stdout is not None
        assert child.stderr is not None
        patience = Timer(PATIENCE_SECONDS, child.kill)
        patience.start()
        said = 0
        try:
            while said < EVENTS and child.stdout.readline():
                said += 1
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


def _store(folder: Path) -> SqlStore:
    key = KeyFile.held(folder / "ledger.key")
    return SqlStore(f"{SQLITE}{folder / 'record.db'}", sign=key.sign_checkpoint, blobs=folder / "blobs")


def _write_until_killed(folder: Path) -> None:
    """Commit one event after the other, and say each once it is durable."""
    store, at, number = _store(folder), datetime(2000, 1, 1, tzinfo=UTC), 0
    while True:
        event = NoticeSent(notice=str(number), audience=(), channel="rehearsal")
        append = Append(stream=STREAM, expected_revision=number, events=(event,), state=b"{}")
        store.commit(Commit(key=str(number), request="", at=at, actor="rehearsal", appends=(append,)))
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _write_until_killed(Path(sys.argv[1]))
