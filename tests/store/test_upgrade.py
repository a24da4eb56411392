"""A home of each released schema is opened by this Signoff, from the very rows that it left."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from released import FIRST, SCHEMAS, restore_file, with_blobs
from small_ledger import LEDGER_KEY, NOW, append, commit, exported, verified

from signoff.adapters.database import schema_of
from signoff.adapters.schema_number import SCHEMA
from signoff.adapters.store_sql import SqlStore


def opened(folder):
    return SqlStore(f"sqlite:///{folder / 'signoff.db'}", sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


@pytest.fixture(params=SCHEMAS)
def schema(request):
    return request.param


@pytest.fixture
def home(tmp_path, schema):
    restore_file(tmp_path / "signoff.db", schema)
    return tmp_path


def test_its_ledger_is_the_same_to_the_byte_and_a_copy_is_kept(home, schema):
    upgraded = opened(home)

    assert [(row.seq, row.body, row.leaf) for row in upgraded.rows()] == FIRST
    assert schema_of(f"sqlite:///{home / 'signoff.db'}")[0] == SCHEMA
    with closing(sqlite3.connect(home / f"signoff.db.schema-{schema}")) as copy:
        assert copy.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == (schema,)
        assert copy.execute("SELECT seq, body, leaf FROM events ORDER BY seq").fetchall() == FIRST


def test_it_is_intact_when_it_is_verified_afterwards(home):
    found = verified(exported(with_blobs(opened(home))))

    assert (found.exit_code, found.events, found.findings) == (0, len(FIRST), ())


def test_its_releases_can_be_looked_for(home):
    found = opened(home).streams("deployment/", models=["m"], labels=["awaiting_approval"])
    assert [s.stream for s in found] == ["deployment/m-2"]


def test_it_goes_on_where_it_was(home):
    store = opened(home)
    assert store.commit(commit(append("deployment/m-2"), key="k5")).is_replay
    assert [effect.identity for effect in store.pending()] == ["signed:m-2:Rae"]
    assert store.commit(commit(append("deployment/m-2", expected=4), key="new")).seq == len(FIRST) + 1


def test_notices_that_waited_are_due_and_take_the_turn_of_their_release(home):
    waited = [("m-2:0123456789abcdef", "notice"), ("a:b-1:fedcba9876543210", "page"), ("armed:m:1", "lift")]
    with closing(sqlite3.connect(home / "signoff.db")) as database:
        for position, (identity, kind) in enumerate(waited, start=100):
            row = (identity, position, kind, b"{}")
            database.execute("INSERT INTO outbox (identity, position, kind, payload) VALUES (?, ?, ?, ?)", row)
        database.commit()
    store, later = opened(home), NOW + timedelta(minutes=1)

    found = {effect.identity: effect.lane for effect in store.pending()}
    assert [found[identity] for identity, _ in waited] == ["m-2", "a:b-1", ""]
    assert [effect.identity for effect in store.claim("page", 9, "one", later, NOW)] == ["a:b-1:fedcba9876543210"]


def test_an_upgrade_that_breaks_leaves_everything_as_it_was(home, schema, monkeypatch):
    from signoff.adapters import database

    real = database.upgrade

    def breaks(connection, present):
        real(connection, present)
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(database, "upgrade", breaks)
        with pytest.raises(RuntimeError):
            opened(home)
    assert schema_of(f"sqlite:///{home / 'signoff.db'}")[0] == schema
    assert opened(home).size() == len(FIRST)


def test_a_home_that_was_upgraded_is_built_like_a_new_one(home, tmp_path):
    opened(home)
    new = tmp_path / "new"
    new.mkdir()
    opened(new)
    assert built(home) == built(new)


def built(folder):
    with closing(sqlite3.connect(folder / "signoff.db")) as database:
        found = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in found}
