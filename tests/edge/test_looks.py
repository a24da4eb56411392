"""A look reads the ledger's file by the standard library, and says what it said when the SQL store read it."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from several_models import Several

from signoff import home as homes
from signoff.adapters.private_keys import is_usual
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.sqlite_files import PLAIN, sqlite_file
from signoff.cli.main import main
from signoff.domain.deployment import State

LINES = [
    ("status",),
    ("status", "--json"),
    ("status", "--model", "carry", "--json"),
    ("status", "--model", "cary"),
    ("status", "--state", "limited"),
    ("status", "--after", "carry-2", "--limit", "1"),
    ("status", "value-2", "--json"),
    ("status", "no-such-release"),
    ("history", "momentum"),
    ("history", "momentum", "--limit", "2", "--json"),
    ("history", "value-2"),
]
# What a look must not load, since each takes longer than the look itself.
HEAVY = {"alembic", "cryptography", "httpx", "mlflow", "numpy", "polars", "scipy", "signoff.installation", "sqlalchemy"}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    found = Several(tmp_path_factory.mktemp("looks") / "h")
    found.release("momentum", State.FULL)
    found.release("carry", State.LIMITED)
    found.release("value", State.VALIDATED)
    return found


@pytest.fixture
def home(several, tmp_path):
    return shutil.copytree(several.settings.home, tmp_path / "home")


def sql(home, statement, *given):
    with closing(sqlite3.connect(home / "signoff.db")) as connection, connection:
        connection.execute(statement, given)


def without(home, *names):
    for name in names:
        (home / name).unlink(missing_ok=True)


def older(home):
    sql(home, "UPDATE meta SET value = '99' WHERE name = 'schema'")


def overwritten(home):
    with closing(sqlite3.connect(home / "signoff.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (home / "signoff.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)


def another_file(home):
    without(home, "signoff.db", "signoff.db-wal", "signoff.db-shm")
    (home / "signoff.db").write_text("a text, and no database at all\n" * 40)


def rollback_journal(home):
    with closing(sqlite3.connect(home / "signoff.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def event_as_text(home):
    with closing(sqlite3.connect(home / "signoff.db")) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE events SET body = CAST(body AS TEXT)")


DAMAGE = {
    "as it was left": lambda _: None,
    "without its database": lambda home: without(home, "signoff.db", "signoff.db-wal", "signoff.db-shm"),
    "of a newer schema": older,
    "without a schema": lambda home: sql(home, "DROP TABLE meta"),
    "overwritten": overwritten,
    "with a text for a database": another_file,
    "with an empty file for a database": lambda home: (
        without(home, "signoff.db-wal", "signoff.db-shm"),
        (home / "signoff.db").write_bytes(b""),
    ),
    "in another journal mode": rollback_journal,
    "with states as text": lambda home: sql(home, "UPDATE streams SET state = CAST(state AS TEXT)"),
    "with states that are no states": lambda home: sql(home, "UPDATE streams SET state = x'7b7d'"),
    "with an event as text": event_as_text,
    "without streams": lambda home: sql(home, "DROP TABLE streams"),
    "without a shelf": lambda home: sql(home, "DROP TABLE shelf"),
    "without its key": lambda home: without(home, "ledger.key"),
    "with a damaged key": lambda home: (home / "ledger.key").write_text("no key"),
    "with a key that others can read": lambda home: (home / "ledger.key").chmod(0o644),
}


def said(capsys, home, line):
    code = main(["--home", str(home), *line])
    told = capsys.readouterr()
    return code, told.out, told.err


def both(capsys, monkeypatch, home, line, tmp_path):
    """What a look says, and what the SQL store's way says of a copy of the same home at the same path."""
    kept = shutil.copytree(home, tmp_path / "kept")
    looked = said(capsys, home, line)
    shutil.rmtree(home)
    shutil.copytree(kept, home)
    with monkeypatch.context() as patched:
        patched.setattr(homes, "looked_at", lambda _: None)
        stored = said(capsys, home, line)
    shutil.rmtree(kept)
    return looked, stored


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_look_says_what_the_sql_store_said(line, home, tmp_path, capsys, monkeypatch):
    looked, stored = both(capsys, monkeypatch, home, line, tmp_path)

    assert looked == stored
    assert looked[1] or looked[2]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("line", [("status", "--json"), ("history", "momentum")], ids=" ".join)
def test_a_damaged_home_is_answered_as_before(damage, line, home, tmp_path, capsys, monkeypatch):
    DAMAGE[damage](home)

    looked, stored = both(capsys, monkeypatch, home, line, tmp_path)

    assert looked == stored


def test_a_home_with_a_kill_that_the_ledger_lacks_is_answered_as_before(home, tmp_path, capsys, monkeypatch):
    name = home / "signoff.db"
    name.rename(tmp_path / "away")
    name.mkdir()
    assert "momentum is killed" in "".join(said(capsys, home, ("kill", "momentum", "--reason", "no ledger"))[1:])
    name.rmdir()
    (tmp_path / "away").rename(name)

    looked, stored = both(capsys, monkeypatch, home, ("status", "--json"), tmp_path)

    assert looked == stored
    assert json.loads(looked[1])["killed"]["momentum"].endswith("no ledger")


def test_a_locked_ledger_is_refused_as_before(home, tmp_path, capsys, monkeypatch):
    rollback_journal(home)
    impatient = lambda connection, _: connection.execute("PRAGMA busy_timeout=50")  # noqa: E731
    monkeypatch.setattr("signoff.adapters.database._prepare_sqlite", impatient)
    with closing(sqlite3.connect(home / "signoff.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        looked = said(capsys, home, ("status",))
        monkeypatch.setattr(homes, "looked_at", lambda _: None)
        stored = said(capsys, home, ("status",))

    assert looked == stored
    assert looked[0] == 2
    assert "locked" in looked[2]


def test_a_look_loads_nothing_that_it_does_not_need(several):
    program = (
        f"import sys; from signoff.cli.main import main; main(['--home', {str(several.settings.home)!r}, 'status']); "
        f"main(['--home', {str(several.settings.home)!r}, 'history', 'momentum']); "
        f"print(sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "momentum" in ended.stdout
    assert ended.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "path", ["/a/b.db", "a.db", "/a b/c-d_e.db", ".signoff/signoff.db", "//a.db", "/a/./b.db", " a.db", "a/../b.db"]
)
def test_a_plain_path_is_read_as_the_library_reads_it(path, monkeypatch):
    url = f"sqlite:///{path}"
    assert PLAIN.fullmatch(url)
    quick = sqlite_file(url)
    monkeypatch.setattr("signoff.adapters.sqlite_files.PLAIN", re.compile("never"))
    assert quick == sqlite_file(url)


@pytest.mark.parametrize("path", ["/a%20b.db", "/a?b.db", ":memory:", "", "file:x.db", "/ä.db", "/a.db?mode=ro"])
def test_any_other_path_is_left_to_the_library(path):
    assert PLAIN.fullmatch(f"sqlite:///{path}") is None


def test_every_key_that_is_made_here_is_a_usual_one_and_no_cut_or_foreign_one(tmp_path):
    for n in range(200):
        KeyFile.create(tmp_path / f"{n}.key")
        assert is_usual(tmp_path / f"{n}.key")
    content = (tmp_path / "0.key").read_bytes()
    for n, other in enumerate(
        (b"", content[:-1], content + b"\n", content.replace(b"MC4C", b"MC4D"), b"\xff" + content)
    ):
        (tmp_path / f"other{n}").write_bytes(other)
        (tmp_path / f"other{n}").chmod(0o600)
        assert not is_usual(tmp_path / f"other{n}")
    assert not is_usual(tmp_path / "missing")
