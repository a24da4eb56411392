"""The SQL store where it differs from a dictionary: files, other processes, triggers, broken disks."""

import re
import sqlite3
from contextlib import closing

import pytest
from small_ledger import LEDGER_KEY, append, approved_release, commit, exported, sqlite_url, verified

from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import BadInputError, SignoffError, TamperedError


def opened(folder, url=None) -> SqlStore:
    return SqlStore(url or sqlite_url(folder), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


@pytest.fixture
def store(tmp_path) -> SqlStore:
    made = opened(tmp_path)
    made.commit(commit(append(), append("other"), key="1"))
    return made


def test_everything_is_there_after_reopening(tmp_path):
    before = exported(approved_release(opened(tmp_path)))
    after = exported(opened(tmp_path))
    assert after == before
    assert verified(after).exit_code == 0


def test_sqlite_is_set_to_survive_a_power_cut(store):
    with store.database.engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "recursive_triggers")
        }
    assert (values["journal_mode"], values["synchronous"], values["recursive_triggers"]) == ("wal", 2, 1)
    assert values["busy_timeout"] >= 1000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = x'00' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events",
        "INSERT INTO events (seq, stream, revision, body, leaf) VALUES (9, 'x', 1, x'00', x'00')",
        "INSERT INTO events (seq, stream, revision, body, leaf) VALUES (2, 'x', 1, x'00', x'00')",
        "INSERT OR REPLACE INTO events (seq, stream, revision, body, leaf) VALUES (1, 'x', 1, x'00', x'00')",
        "REPLACE INTO events (seq, stream, revision, body, leaf) VALUES (2, 'other', 1, x'00', x'00')",
        "REPLACE INTO events (seq, stream, revision, body, leaf) VALUES (3, 'other', 1, x'00', x'00')",
    ],
)
def test_a_slip_in_a_database_shell_does_not_change_the_ledger(store, tmp_path, statement):
    with closing(sqlite3.connect(tmp_path / "signoff.db")) as shell:
        with pytest.raises(sqlite3.IntegrityError, match="events are"):
            shell.execute(statement)
        assert shell.execute("SELECT COUNT(*) FROM events").fetchone() == (2,)


def test_an_insider_who_drops_the_triggers_is_found_out(tmp_path):
    approved_release(opened(tmp_path))
    with closing(sqlite3.connect(tmp_path / "signoff.db")) as shell:
        for (name,) in shell.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            shell.execute(f"DROP TRIGGER {name}")
        shell.execute("UPDATE events SET body = CAST(replace(body, 'lunch', 'spoon') AS BLOB) WHERE seq = 6")
        shell.commit()
        assert verified(exported(opened(tmp_path))).exit_code == 1
        shell.execute("UPDATE events SET body = 'text' WHERE seq = 6")
        shell.commit()
    with pytest.raises(TamperedError, match="Event 6"):
        exported(opened(tmp_path))


def test_a_blob_altered_on_disk_is_refused(tmp_path):
    store = opened(tmp_path)
    name = store.put_blob(b"content")
    (tmp_path / "blobs" / name[:2] / name[2:]).write_bytes(b"contenu")
    with pytest.raises(TamperedError, match="altered"):
        store.blob(name)


def test_half_written_blobs_are_not_listed(tmp_path):
    store = opened(tmp_path)
    name = store.put_blob(b"content")
    (tmp_path / "blobs" / name[:2] / f".{name[2:]}.tmp").write_bytes(b"con")
    assert store.blobs() == (name,)


def is_a_paragraph(error: SignoffError) -> bool:
    return "\n" not in str(error).strip() and len(str(error)) > 40 and "Traceback" not in str(error)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "signoff.db").write_bytes(b"this is a spreadsheet" * 100)
    with pytest.raises(SignoffError, match="not a database") as refusal:
        opened(tmp_path)
    assert is_a_paragraph(refusal.value)


def test_a_newer_schema_is_refused(store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "signoff.db")) as shell:
        shell.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        shell.commit()
    with pytest.raises(SignoffError, match="schema 99") as refusal:
        opened(tmp_path)
    assert is_a_paragraph(refusal.value)


def test_a_locked_database_is_reported_and_the_same_command_succeeds_later(store, tmp_path):
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with closing(sqlite3.connect(tmp_path / "signoff.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SignoffError, match="locked") as refusal:
            store.commit(commit(append("late"), key="late"))
        other.execute("ROLLBACK")
    assert is_a_paragraph(refusal.value)
    assert store.commit(commit(append("late"), key="late")).seq == 3


def test_a_full_disk_is_reported_and_nothing_is_half_written(store):
    with store.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(SignoffError, match="full") as refusal:
        store.commit(commit(append("s", state=b"x" * 100_000), key="big"))
    assert is_a_paragraph(refusal.value)
    assert store.load("s").state == b'{"state":1}'


def test_a_database_that_may_only_be_read_can_be_read(store, tmp_path):
    url = f"sqlite:///file:{tmp_path / 'signoff.db'}?mode=ro&uri=true"
    reader = opened(tmp_path, url)
    assert list(reader.rows()) == list(store.rows())
    with pytest.raises(SignoffError, match="readonly") as refusal:
        reader.commit(commit(append("s"), key="2"))
    assert is_a_paragraph(refusal.value)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "home").write_bytes(b"a file")
    with pytest.raises(SignoffError, match="--home") as refusal:
        opened(tmp_path, f"sqlite:///{tmp_path / 'home' / 'signoff.db'}")
    assert is_a_paragraph(refusal.value)


@pytest.mark.parametrize("url", ["nonsense", "sqlight:///x.db", "oracle+nodriver://u:secret@h/d"])
def test_a_url_that_names_no_database_is_refused_without_repeating_its_password(tmp_path, url):
    with pytest.raises(BadInputError) as refusal:
        opened(tmp_path, url)
    assert is_a_paragraph(refusal.value)
    assert "secret" not in str(refusal.value)


def test_opening_to_read_does_not_wait_for_a_writer(store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "signoff.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert opened(tmp_path).load("s").revision == 1
        other.execute("ROLLBACK")


def test_two_stores_of_one_database_are_one_ledger(store, tmp_path):
    again = opened(tmp_path)
    again.commit(commit(append("s", expected=1), key="2"))
    store.commit(commit(append("s", expected=2), key="3"))
    assert len(list(again.rows())) == 4
    assert again.checkpoint() == store.checkpoint()


def test_reading_goes_on_while_another_writes(store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "signoff.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.load("s").revision == 1
        assert len(list(store.rows())) == 2
        other.execute("ROLLBACK")


def test_no_table_has_a_type_that_only_sqlite_knows():
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    from signoff.adapters.tables_sql import metadata

    for table in metadata.sorted_tables:
        assert re.match(r"\s*CREATE TABLE", str(CreateTable(table).compile(dialect=postgresql.dialect())))
