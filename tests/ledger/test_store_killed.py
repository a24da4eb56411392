"""kill -9 at every boundary of a commit: the store that is opened afterwards has everything of it or nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_ledger import LEDGER_KEY, append, commit, exported, paused, sqlite_url, verified

from signoff.adapters.store_sql import SqlStore
from signoff.domain.events import Killed
from signoff.ledger.canonical import canonical
from signoff.ports.store import Effect

# Runs in a process of its own and kills it before, between and after the statements of the second commit.
VICTIM = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from sqlalchemy import event
from test_store_killed import opened, second

point, folder = sys.argv[1], Path(sys.argv[2])
store = opened(folder)
seen = [0]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def count(*_):
    seen[0] += 1
    if point == f"statement {seen[0]}":
        die()

event.listen(store._engine, "before_cursor_execute", count)
event.listen(store._engine, "commit", lambda _: die() if point == "before commit" else None)
store.put_blob(b"evidence")
if point == "after blob":
    die()
store.commit(second())
if point == "after commit":
    die()
print(seen[0])
"""


def opened(folder: Path) -> SqlStore:
    return SqlStore(sqlite_url(folder), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


def first():
    return commit(append("a", paused("first"), state=b"[1]"), key="1")


def second():
    return commit(
        append("a", paused("one"), paused("two"), expected=1, state=b"[2]"),
        append("b", Killed(model="m", reason="test", epoch=1), expected=0, state=canonical({"b": 1})),
        key="2",
        effects=(Effect(identity="e", kind="notice", payload=b"hello"),),
    )


def run(folder: Path, point: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", VICTIM, point, str(folder), str(Path(__file__).parent)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def statements(tmp_path_factory) -> int:
    folder = tmp_path_factory.mktemp("whole")
    opened(folder).commit(first())
    whole = run(folder, "nowhere")
    assert whole.returncode == 0, whole.stderr
    return int(whole.stdout)


def contents(store: SqlStore):
    return ([row.body for row in store.rows()], store.streams(""), store.pending(), store.checkpoint())


def survives(folder: Path, point: str, nothing, everything) -> None:
    opened(folder).commit(first())
    ended = run(folder, point)
    assert ended.returncode == -signal.SIGKILL, f"{point}: {ended.stderr}"
    store = opened(folder)
    found = contents(store)
    assert found in (nothing, everything), point
    assert (found == everything) == (point == "after commit"), point
    done = store.commit(second())
    assert done.seq == 4
    assert done.is_replay == (point == "after commit")
    assert contents(store) == everything


def test_a_killed_commit_is_whole_or_absent_and_can_be_repeated(tmp_path_factory):
    reference = opened(tmp_path_factory.mktemp("reference"))
    reference.commit(first())
    nothing = contents(reference)
    reference.commit(second())
    everything = contents(reference)
    count = statements(tmp_path_factory)
    assert count >= 8
    points = [f"statement {n}" for n in range(1, count + 1)]
    for point in ("after blob", *points, "before commit", "after commit"):
        survives(tmp_path_factory.mktemp("killed"), point, nothing, everything)


def test_the_tree_of_a_store_that_was_killed_verifies(tmp_path):
    opened(tmp_path).commit(first())
    assert run(tmp_path, "before commit").returncode == -signal.SIGKILL
    store = opened(tmp_path)
    store.commit(second())
    files = exported(store, is_anchored=False)
    assert not [f for f in verified(files).findings if f[0] in {"checkpoint", "key.pub", "manifest.json"}]


@pytest.mark.parametrize("half", ["before the rename"])
def test_a_blob_killed_half_way_is_not_there(tmp_path, half):
    script = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from test_store_killed import opened; store = opened(Path(sys.argv[1]));"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL); store.put_blob(b'x' * 10_000_000)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)], check=False)
    assert ended.returncode == -signal.SIGKILL
    store = opened(tmp_path)
    assert store.blobs() == ()
    assert store.blob(store.put_blob(b"x" * 10_000_000)) == b"x" * 10_000_000
