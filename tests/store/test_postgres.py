"""PostgreSQL where it differs from a file: a role with few rights, a server that restarts, an older schema."""

import subprocess
import sys
import threading
from pathlib import Path

import postgres
import psycopg
import pytest
from released import FIRST, SCHEMAS, restore_server, with_blobs
from small_ledger import LEDGER_KEY, append, commit, exported, verified
from sqlalchemy import text

from signoff.adapters.database import initialise, schema_of
from signoff.adapters.schema_number import SCHEMA
from signoff.adapters.store_sql import SqlStore
from signoff.cli.main import main
from signoff.domain.errors import BadInputError, StaleRevisionError, UnavailableError

pytestmark = pytest.mark.real
ROLE = "signoff_app"


def opened(url, folder):
    return SqlStore(url, sign=LEDGER_KEY.sign_checkpoint, blobs=folder)


@pytest.fixture
def url():
    return postgres.fresh_database()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '' WHERE seq = 1",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DELETE FROM commands",
        "DELETE FROM head",
        "CREATE TABLE mine (n int)",
        "CREATE OR REPLACE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    ],
)
def test_the_servers_role_cannot_change_the_ledger(url, tmp_path, statement):
    initialise(url, role=ROLE)
    store = opened(postgres.as_role(url, ROLE), tmp_path)
    store.commit(commit(append(), key="1"))
    with (
        store.database.engine.connect() as connection,
        pytest.raises(Exception, match=r"permission denied|must be owner"),
    ):
        connection.execute(text(statement))
    assert len(list(store.rows())) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '' WHERE seq = 1",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events VALUES (9, 'x', 1, '', '')",
    ],
)
def test_a_slip_of_the_owner_does_not_change_the_ledger_either(url, tmp_path, statement):
    store = opened(url, tmp_path)
    store.commit(commit(append(), key="1"))
    with store.database.engine.connect() as connection, pytest.raises(Exception, match="events are"):
        connection.execute(text(statement))


def test_db_init_makes_tables_and_role(url, capsys, tmp_path):
    asked = ["db", "init", "--owner-url", url, "--role", ROLE, "--home", str(tmp_path)]
    assert main(asked) == 0
    assert ROLE in capsys.readouterr().out
    assert main(asked) == 0
    assert schema_of(url) == (SCHEMA, SCHEMA)
    assert main(["db", "status", "--database", postgres.as_role(url, ROLE), "--home", str(tmp_path)]) == 0


def test_a_role_without_rights_is_told_what_its_owner_must_do(url, tmp_path):
    initialise(postgres.fresh_database(), role=ROLE)
    with pytest.raises(UnavailableError, match="db init"):
        opened(postgres.as_role(url, ROLE), tmp_path)


def test_a_file_has_no_roles(tmp_path):
    with pytest.raises(BadInputError, match="PostgreSQL"):
        initialise(f"sqlite:///{tmp_path / 'x.db'}", role=ROLE)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_older_schema_is_refused_until_its_owner_upgrades_it_and_is_intact_then(url, tmp_path, schema):
    restore_server(url, schema)
    with pytest.raises(UnavailableError, match="db upgrade"):
        opened(url, tmp_path)
    assert main(["db", "upgrade", "--owner-url", url, "--home", str(tmp_path)]) == 0
    store = with_blobs(opened(url, tmp_path))
    found = store.streams("deployment/", models=["m"], labels=["awaiting_approval"])
    assert [s.stream for s in found] == ["deployment/m-2"]
    assert [(row.seq, row.body, row.leaf) for row in store.rows()] == FIRST
    assert verified(exported(store)).exit_code == 0
    assert store.commit(commit(append("deployment/m-2", expected=4), key="new")).seq == len(FIRST) + 1


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_database_that_was_upgraded_is_built_like_a_new_one(url, schema):
    restore_server(url, schema)
    new = postgres.fresh_database()
    for each in (url, new):
        initialise(each)
    assert built(url) == built(new)


def built(url):
    """Columns, keys and triggers, as PostgreSQL says them."""
    asked = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE t.tgrelid = 'public.events'::regclass ORDER BY 1",
    )
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return [connection.execute(one).fetchall() for one in asked]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_upgrade_that_breaks_leaves_the_old_schema(url, monkeypatch, schema):
    restore_server(url, schema)
    monkeypatch.setattr("signoff.adapters.database.grant", broken)
    with pytest.raises(RuntimeError):
        initialise(url, role=ROLE)
    assert schema_of(url)[0] == schema


def broken(*_):
    raise RuntimeError("the power went")


def test_the_first_commit_of_two_at_once_is_one(url, tmp_path):
    stores = [opened(url, tmp_path) for _ in range(4)]
    together, outcomes = threading.Barrier(4), []

    def one(store, number):
        together.wait()
        try:
            outcomes.append(store.commit(commit(append("s", expected=0), key=str(number))).seq)
        except StaleRevisionError:
            outcomes.append(None)

    threads = [threading.Thread(target=one, args=(s, n)) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [1, None, None, None]


def test_a_server_that_is_away_is_an_error_within_seconds_and_nothing_is_recorded(tmp_path):
    with pytest.raises(UnavailableError, match="Nothing was recorded"):
        opened("postgresql+psycopg://nobody@127.0.0.1:9/none", tmp_path)


WRITER = """
import sys
import time
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from small_ledger import LEDGER_KEY, append, commit
from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import UnavailableError
store = SqlStore(sys.argv[1], sign=LEDGER_KEY.sign_checkpoint, blobs=Path(sys.argv[2]))
for n in range(100000):
    for attempt in range(2400):
        try:
            store.commit(commit(append("s"), append(f"t{n % 7}"), key=f"{n}"))
        except UnavailableError:
            time.sleep(0.05)
            continue
        print(n, flush=True)
        break
    else:
        sys.exit("the database stayed away")
"""


def writer(url, folder):
    here = Path(__file__).parents[1]
    paths = [str(here / "ledger"), str(here / "support")]
    return subprocess.Popen([sys.executable, "-c", WRITER, url, str(folder), *paths], stdout=subprocess.PIPE, text=True)


def whole(store, acknowledged):
    """Nothing acknowledged is missing, nothing is there twice, and the states are those of the events."""
    bodies = [row.body for row in store.rows()]
    assert [row.seq for row in store.rows()] == list(range(1, len(bodies) + 1))
    assert len(set(bodies)) == len(bodies)
    with store.database.engine.connect() as connection:
        keys = {row.key for row in connection.execute(text("SELECT key FROM commands"))}
    assert {str(n) for n in range(acknowledged + 1)} <= keys
    assert len(bodies) == 2 * len(keys)
    assert store.size() == len(bodies)
    assert store.load("s").revision == len(keys)


@pytest.mark.slow
@pytest.mark.parametrize("stops", ["writer killed", "server restarted"])
def test_what_was_acknowledged_survives(url, tmp_path, stops):
    store = opened(url, tmp_path)
    acknowledged = -1
    for _ in range(3):
        with writer(url, tmp_path) as child:
            for _ in range(30):
                acknowledged = max(acknowledged, int(child.stdout.readline()))
            if stops == "server restarted":
                postgres.control("restart")
                for _ in range(10):
                    acknowledged = max(acknowledged, int(child.stdout.readline()))
            child.kill()
            acknowledged = max([acknowledged, *map(int, child.stdout.read().split())])
        whole(store, acknowledged)


def test_a_dead_connection_in_the_pool_is_replaced(url, tmp_path):
    store = opened(url, tmp_path)
    store.commit(commit(append(), key="1"))
    with psycopg.connect(url.replace("+psycopg", "")) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    store.commit(commit(append(), key="2"))
    assert store.size() == 2
