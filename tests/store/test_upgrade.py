"""A home of the first release is opened by this one."""

import sqlite3
from contextlib import closing

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from small_ledger import LEDGER_KEY, append, commit
from sqlalchemy import create_engine, text

from signoff.adapters.database import schema_of
from signoff.adapters.migrations.versions import r0001_spine
from signoff.adapters.store_sql import SqlStore


def opened(folder):
    return SqlStore(f"sqlite:///{folder / 'signoff.db'}", sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


@pytest.fixture
def released(tmp_path):
    """A file as the first release made it, with its rows as it wrote them."""
    modern = tmp_path / "modern"
    modern.mkdir()
    store = opened(modern)
    store.commit(commit(append("deployment/a", state=b'{"model":"m","state":"shadow"}'), append("people"), key="1"))
    engine = create_engine(f"sqlite:///{tmp_path / 'signoff.db'}")
    with engine.connect() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            r0001_spine.upgrade()
        connection.execute(text(f"ATTACH '{modern / 'signoff.db'}' AS modern"))
        for table, columns in {
            "events": "seq, stream, revision, body, leaf",
            "streams": "stream, revision, state",
            "commands": "key, request, seq",
            "head": "one, size, edge, note",
        }.items():
            connection.execute(text(f"INSERT INTO main.{table} SELECT {columns} FROM modern.{table}"))
        connection.commit()
    engine.dispose()
    return store, tmp_path


def test_its_ledger_is_the_same_to_the_byte_and_a_copy_is_kept(released):
    modern, folder = released
    upgraded = opened(folder)
    assert list(upgraded.rows()) == list(modern.rows())
    assert upgraded.checkpoint() == modern.checkpoint()
    assert schema_of(f"sqlite:///{folder / 'signoff.db'}")[0] == "2"
    with closing(sqlite3.connect(folder / "signoff.db.schema-1")) as copy:
        assert copy.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == ("1",)
        assert copy.execute("SELECT COUNT(*) FROM events").fetchone() == (2,)


def test_its_releases_can_be_looked_for(released):
    _, folder = released
    found = opened(folder).streams("deployment/", models=["m"], labels=["shadow"])
    assert [s.stream for s in found] == ["deployment/a"]


def test_it_goes_on_where_it_was(released):
    _, folder = released
    store = opened(folder)
    assert store.commit(commit(append("deployment/a"), key="1")).is_replay
    assert store.commit(commit(append("deployment/a", expected=1), key="2")).seq == 3


def test_an_upgrade_that_breaks_leaves_everything_as_it_was(released, monkeypatch):
    from signoff.adapters import database

    _, folder = released
    real = database.upgrade

    def breaks(connection, present):
        real(connection, present)
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(database, "upgrade", breaks)
        with pytest.raises(RuntimeError):
            opened(folder)
    assert schema_of(f"sqlite:///{folder / 'signoff.db'}")[0] == "1"
    assert opened(folder).size() == 2
