"""kill -9 at every boundary of a commit: the store that is opened afterwards has everything of it or nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from small_ledger import LEDGER_KEY, append, commit, paused, sqlite_url
from sqlalchemy import event

from signoff.adapters.store_sql import SqlStore
from signoff.domain.events import Killed
from signoff.ports.store import Effect

# A process that does nothing but fork: each child repeats the commit and kills itself at its point.
HERE = Path(__file__).parent
VICTIMS = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from test_store_killed import endings
print(*endings(sys.argv[2:]), sep="\\n")
"""


def opened(folder: Path) -> SqlStore:
    return SqlStore(sqlite_url(folder), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


def first():
    return commit(append("a", paused("first"), state=b"[1]"), key="1")


def second():
    return commit(
        append("a", paused("one"), paused("two"), expected=1, state=b"[2]"),
        append("b", Killed(model="m", reason="test", epoch=1), expected=0, state=b"[3]"),
        key="2",
        effects=(Effect(identity="e", kind="notice", payload=b"hello"),),
    )


def endings(places: list[str]) -> list[int]:
    """For each ``point=folder``, the signal that ended the child that worked there."""
    found = []
    for place in places:
        point, _, folder = place.partition("=")
        child = os.fork()
        if child == 0:
            die_at(point, Path(folder))
            os._exit(0)
        found.append(os.WTERMSIG(os.waitpid(child, 0)[1]))
    return found


def die_at(point: str, folder: Path) -> None:
    """The second commit, cut short by a signal that nothing can catch."""
    seen = [0]

    def now(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*_: object) -> None:
        now(f"after statement {seen[0]}")
        seen[0] += 1
        now(f"before statement {seen[0]}")

    if point == "within a blob":
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    store = opened(folder)
    event.listen(store.database.engine, "before_cursor_execute", counted)
    event.listen(store.database.engine, "commit", lambda _: now("before commit"))
    store.put_blob(b"evidence" * 100_000)
    now("after blob")
    store.commit(second())
    now("after commit")
    (folder / "statements").write_text(str(seen[0]))


def kill_at(places: dict[str, Path]) -> list[int]:
    arguments = [f"{point}={folder}" for point, folder in places.items()]
    command = [sys.executable, "-c", VICTIMS, f"{HERE}:{HERE.parent / 'support'}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [int(line) for line in ended.stdout.split()]


def contents(store: SqlStore):
    return ([row.body for row in store.rows()], store.streams(""), store.pending(), store.checkpoint())


def test_a_killed_commit_is_whole_or_absent_and_can_be_repeated(tmp_path_factory):
    def begun(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        opened(folder).commit(first())
        return folder

    undisturbed = begun("undisturbed")
    nothing = contents(opened(undisturbed))
    assert kill_at({"nowhere": undisturbed}) == [0]
    everything = contents(opened(undisturbed))
    count = int((undisturbed / "statements").read_text())
    assert count >= 8
    points = ["within a blob", "after blob", *(f"before statement {n}" for n in range(1, count + 1))]
    places = {point: begun("killed") for point in (*points, "before commit", "after commit")}
    assert kill_at(places) == [signal.SIGKILL] * len(places)
    for point, folder in places.items():
        store, is_done = opened(folder), point == "after commit"
        assert contents(store) == (everything if is_done else nothing), point
        done = store.commit(second())
        assert (done.seq, done.is_replay) == (4, is_done), point
        assert contents(store) == everything, point


def test_a_blob_killed_half_way_is_not_there(tmp_path):
    opened(tmp_path).commit(first())
    assert kill_at({"within a blob": tmp_path}) == [signal.SIGKILL]
    store = opened(tmp_path)
    assert store.blobs() == ()
    assert store.blob(store.put_blob(b"evidence" * 100_000)) == b"evidence" * 100_000
