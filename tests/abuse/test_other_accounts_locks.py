"""Another local account can neither delay a kill with locks nor make root use a home that it created."""

import atexit
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import forked
import pytest
from http_server import Served
from other_account import NOBODY, needs_root, reachable_folder

from signoff.adapters.folders import held
from signoff.adapters.store_sql import SqlStore
from signoff.config.settings import settings
from signoff.domain.errors import UnavailableError
from signoff.domain.events import Killed
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder

pytestmark = pytest.mark.abuse
WRITE_LOCK = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 120, 1, 0)
# Stays until its standard input ends; says what became of each file it tries to lock.
LOCKER = """
import fcntl, os, sys
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
kept = []
for path in sys.argv[1:]:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        print("refused", flush=True)
        continue
    if path.endswith("-shm"):
        fcntl.fcntl(handle, fcntl.F_SETLK, {lock!r})
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    kept.append(handle)
    print("locked", flush=True)
sys.stdin.read()
"""
LOCKABLE = ["signoff.db", "signoff.db-shm", "signoff.db-wal", "simulated_broker.lock", "notices.lock"]


@pytest.fixture
def folder():
    with reachable_folder() as found:
        yield found


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def opened(home):
    """An installation of its own with a ledger, an open order of each of two models, and every lock file."""
    shutil.copytree(made(), home)
    house = Installation(settings(home=str(home), venue="simulated"))
    house.store.size()
    return house


@cache
def made():
    """The same, made once and copied: people, keys and a champion take a second."""
    home = Path(tempfile.mkdtemp(), "home")
    atexit.register(shutil.rmtree, home.parent, ignore_errors=True)
    house = Served(home).house
    orders = [OpenOrder(client_order_id=f"{m}:1", symbol="A", side="buy", quantity=1.0) for m in ("momentum", "carry")]
    house.simulated_venue.place(orders, flags_revision=0)
    house.notifier.send("n", "#c", "s", "t", "info")
    return home


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def as_older_versions_left_it(home):
    """Everything open to be read, as under the usual umask before."""
    for path in (home, *home.rglob("*")):
        if path.is_dir() and path.name not in {"keys", "kills"}:
            path.chmod(0o755)
        elif path.is_file() and path.parent == home and not path.name.endswith(".key"):
            path.chmod(0o644)


class Other:
    """Another account that locks whatever of these files it can open."""

    def __init__(self, *paths):
        script = LOCKER.format(uid=NOBODY, lock=WRITE_LOCK)
        line = [sys.executable, "-S", "-c", script, *map(str, paths)]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")
        self.said = [self.process.stdout.readline().strip() for _ in paths]

    def __enter__(self):
        return self.said

    def __exit__(self, *_):
        self.process.communicate()


VENUE = {"SIGNOFF_VENUE": "simulated"}


def ran(*command, cwd="/", **environment):
    status, said = forked.ran(*command, cwd=cwd, **(VENUE | environment))
    return status, " ".join(said.split())


def test_a_new_home_is_its_owners_alone(folder):
    house = opened(folder / "home")
    house.ledger.verify()
    home = house.settings.home
    assert mode(home) == 0o700
    assert {name: mode(home / name) for name in ("blobs", "releases", "anchors", "keys")} == dict.fromkeys(
        ("blobs", "releases", "anchors", "keys"), 0o700
    )
    files = [*LOCKABLE, "notices.jsonl", "simulated_broker.json", "verified.json"]
    assert {name: oct(mode(home / name)) for name in files} == dict.fromkeys(files, oct(0o600))


def test_a_home_that_a_kill_makes_is_its_owners_alone(folder):
    ran("kill", "momentum", "--reason", "r", "--home", str(folder / "home"))
    assert mode(folder / "home") == 0o700


@needs_root
@pytest.mark.parametrize("name", LOCKABLE)
def test_another_account_cannot_open_what_a_kill_waits_for(folder, name):
    home = opened(folder / "home").settings.home
    home.chmod(0o755)
    with Other(home / name) as said:
        assert said == ["refused"]


@needs_root
def test_a_home_of_an_older_version_is_closed_when_it_is_opened_and_keeps_its_own_mode(folder):
    home = opened(folder / "home").settings.home
    as_older_versions_left_it(home)
    house = Installation(settings(home=str(home), venue="simulated"))
    house.store.size()
    assert mode(home) == 0o755
    with Other(*(home / name for name in LOCKABLE)) as said:
        assert said == ["refused"] * len(LOCKABLE)
        assert ran("kill", "carry", "--reason", "r", "--home", str(home))[0] == 1  # no release has that name
    house.kill_switch.record.store.size()
    assert [row.event.model for row in house.record.history() if isinstance(row.event, Killed)] == ["carry"]
    assert [order.client_order_id for order in house.broker.open_orders("")] == ["momentum:1"]


def test_closing_the_database_drops_no_lock_of_this_process(folder):
    house = opened(folder / "home")
    database = house.settings.home / "signoff.db"
    database.chmod(0o644)
    with house.store.database.adding():
        Installation(house.settings).refuse_open_home()
        SqlStore(house.settings.database, sign=lambda *_: b"", blobs=house.settings.blobs).size()
        probe = f"import sqlite3;sqlite3.connect({str(database)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert "locked" in done.stderr
    assert mode(database) == 0o600


@needs_root
def test_what_root_writes_into_a_home_its_owner_can_still_read(folder):
    home = opened(folder / "home").settings.home
    shutil.rmtree(home / "anchors")
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    (home / "simulated_broker.lock").unlink()
    status, said = ran("kill", "carry", "--reason", "r", "--home", str(home))
    assert "carry is killed" in said
    assert status == (0 if "CANNOT BE TOLD" in said else 1), said  # 1 where no release has that name
    names = ("anchors", "simulated_broker.lock", "simulated_broker.json", "signoff.db")
    assert {name: (home / name).stat().st_uid for name in names} == dict.fromkeys(names, NOBODY)


@needs_root
def test_a_second_name_of_another_file_is_left_as_it_is(folder):
    home = opened(folder / "home").settings.home
    (folder / "passwords").write_text("root")
    (folder / "passwords").chmod(0o644)
    for name in ("notices.lock", "people.known", "verified.json"):
        (home / name).unlink(missing_ok=True)
        (home / name).hardlink_to(folder / "passwords")
    with held(home / "notices.lock"):
        Installation(settings(home=str(home))).store.size()
    assert mode(folder / "passwords") == 0o644


def test_a_kill_says_that_open_orders_are_unknown_where_the_brokers_lock_is_kept(folder):
    home = opened(folder / "home").settings.home
    with held(home / "simulated_broker.lock"):
        status, said = ran("kill", "carry", "--reason", "r", "--home", str(home))
    assert "open orders and positions are unknown: the simulated venue failed (" in said
    assert status == 1


@pytest.fixture
def planted(folder):
    """A folder of another account with an installation of its own in it."""
    home = opened(folder / ".signoff").settings.home
    for path in (folder, home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return home


@needs_root
@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["verify"],
        ["worker"],
        ["check", "."],
        ["people", "add", "R", "--make-key", "--role", "cto"],
        ["policy", "show"],
    ],
)
def test_root_believes_no_home_of_another_account_that_lies_in_the_current_folder(planted, command):
    before = sorted(planted.rglob("*"))
    status, said = ran(*command, cwd=planted.parent)
    assert (status, str(planted) in said, "--home" in said, "Traceback" in said) == (2, True, True, False), said
    assert sorted(planted.rglob("*")) == before


@needs_root
@pytest.mark.parametrize("how", ["option", "environment"])
def test_root_uses_a_home_of_another_account_that_was_named(planted, how):
    if how == "option":
        assert ran("status", "--home", str(planted), cwd=planted.parent)[0] == 0
    else:
        assert ran("status", cwd=planted.parent, SIGNOFF_HOME=str(planted))[0] == 0


@needs_root
@pytest.mark.parametrize("scope", [["carry"], ["--all"]])
def test_a_kill_in_a_planted_home_goes_on_and_says_where_it_went(planted, scope):
    status, said = ran("kill", *scope, "--reason", "r", cwd=planted.parent)
    assert status in {0, 1, 2}, said
    assert "expected a home of root" in said
    assert f"Home: {planted}" in said


@pytest.mark.parametrize("name", ["anchors", "blobs", "releases", "uploads", "live", "keys", "signoff.db"])
def test_nothing_is_written_through_a_link_in_the_home(folder, name):
    home = opened(folder / "home").settings.home
    victim = folder / "victim"
    victim.mkdir()
    if name == "signoff.db":
        (home / name).unlink()
    else:
        shutil.rmtree(home / name, ignore_errors=True)
    (home / name).symlink_to(victim)
    status, said = ran("worker", "--home", str(home))
    assert (status, str(home / name) in said, "Traceback" in said) == (2, True, False), said
    assert list(victim.iterdir()) == []
    status, said = ran("kill", "carry", "--reason", "r", "--home", str(home))
    assert "carry is killed" in said
    assert status == (0 if "CANNOT BE TOLD" in said else 1), said  # 1 where no release has that name
    assert "carry is killed" in said


@needs_root
def test_a_database_that_another_account_put_there_is_refused(folder):
    home = opened(folder / "home").settings.home
    os.chown(home / "signoff.db", NOBODY, NOBODY)
    status, said = ran("verify", "--home", str(home))
    assert (status, str(home / "signoff.db") in said) == (2, True), said


def test_a_lock_that_somebody_keeps_is_not_waited_for(folder):
    with held(folder / "a.lock"), pytest.raises(UnavailableError), held(folder / "a.lock", seconds=0.1):
        pass
