"""What a killed process takes with it is measured by killing one."""

import postgres
import pytest
from sqlalchemy import create_engine, text

from signoff.adapters import killed_writer
from signoff.adapters.database import initialise
from signoff.adapters.killed_writer import EVENTS, KilledWriter
from signoff.adapters.schema_sql import SCRATCH
from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import UnavailableError

ROLE = "signoff_app"


def file_writer(tmp_path):
    return KilledWriter(database=f"sqlite:///{tmp_path / 'signoff.db'}", beside=tmp_path / "home")


def server_writer(tmp_path, url=None):
    """On the real PostgreSQL, under the role that may add to the ledger and change nothing."""
    url = url or postgres.fresh_database()
    initialise(url, role=ROLE)
    return KilledWriter(database=postgres.as_role(url, ROLE), beside=tmp_path / "home")


@pytest.fixture(params=[file_writer, server_writer], ids=["sqlite", "postgresql, least privileged"])
def writer(request, tmp_path):
    return request.param(tmp_path)


def counted(url, table):
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
    engine.dispose()
    return found


def test_a_killed_writer_loses_nothing_that_it_had_acknowledged_and_leaves_no_file(writer):
    kept = writer.measure()

    assert (kept.acknowledged >= EVENTS, kept.lost) == (True, 0)
    assert list(writer.beside.iterdir()) == []


def test_an_event_that_was_acknowledged_and_is_gone_is_counted_as_lost(writer, monkeypatch):
    real = SqlStore.rows
    monkeypatch.setattr(SqlStore, "rows", lambda self, **asked: list(real(self, **asked))[: EVENTS - 3])

    assert writer.measure().lost >= 3


def test_a_writer_that_cannot_write_is_said_and_never_counts_as_nothing_lost(writer, monkeypatch):
    monkeypatch.setattr(killed_writer.sys, "executable", "/bin/false")

    with pytest.raises(UnavailableError, match="25 events"):
        writer.measure()


def test_on_postgresql_it_writes_apart_from_the_record_and_again_beside_what_it_wrote_before(tmp_path):
    owner = postgres.fresh_database()
    writer = server_writer(tmp_path, owner)

    first, second = writer.measure(), writer.measure()

    assert (first.lost, second.lost) == (0, 0)
    assert counted(owner, "public.events") == 0
    assert counted(owner, f"{SCRATCH}.events") >= first.acknowledged + second.acknowledged


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE TABLE {SCRATCH}.mine (n int)",
        f"DELETE FROM {SCRATCH}.events",
        f"DROP SCHEMA {SCRATCH} CASCADE",
    ],
)
def test_the_schema_of_rehearsals_gives_the_servers_role_nothing_more_than_the_record_does(tmp_path, statement):
    engine = create_engine(server_writer(tmp_path).database)
    with engine.connect() as connection, pytest.raises(Exception, match=r"permission denied|must be owner"):
        connection.execute(text(statement))
    engine.dispose()


def test_without_the_schema_of_rehearsals_the_owner_is_told_to_make_it(tmp_path):
    url = postgres.fresh_database()
    SqlStore(url, sign=lambda size, root: b"", blobs=tmp_path)

    with pytest.raises(UnavailableError, match=r"signoff_rehearsal.*db init --role"):
        KilledWriter(database=url, beside=tmp_path / "home").measure()


def test_a_role_that_was_not_given_the_schema_of_rehearsals_is_told_so_too(tmp_path):
    owner = postgres.fresh_database()
    writer, engine = server_writer(tmp_path, owner), create_engine(owner)
    with engine.begin() as connection:
        connection.execute(text(f"REVOKE ALL ON SCHEMA {SCRATCH} FROM {ROLE}"))
    engine.dispose()

    with pytest.raises(UnavailableError, match=r"signoff_rehearsal.*db init --role"):
        writer.measure()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://somewhere/signoff"])
def test_a_database_that_cannot_be_measured_is_refused_and_never_counts_as_nothing_lost(tmp_path, url):
    with pytest.raises(UnavailableError, match="cannot be measured"):
        KilledWriter(database=url, beside=tmp_path / "home").measure()
