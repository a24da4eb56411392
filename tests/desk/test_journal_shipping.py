"""Journals of many hosts in one PostgreSQL: each record once, whatever breaks on the way."""

import hashlib
import os
import signal
import struct
import subprocess
import sys

import postgres
import psycopg
import pytest

from signoff.adapters.journal_postgres import ship
from signoff.cli.main import main
from signoff.desk.journal import Journal, Kind, check
from signoff.desk.journal.records import Mark
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, UnavailableError

real = pytest.mark.real


@pytest.fixture
def url():
    return postgres.fresh_database().replace("+psycopg", "")


def written(folder, count, first=0.0):
    with Journal.open(folder) as journal:
        for value in range(count):
            journal.predict("m-1", "2.0.0", "AAPL", first + value, features=struct.pack("<2d", 1.0, value))
        journal.event(Kind.ORDER, "m-1", {"symbol": "AAPL", "quantity": 100})
        assert journal.wait_durable(journal._seq, 10)
    return folder


def asked(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@real
def test_every_record_is_there_once_however_often_it_is_shipped(tmp_path, url):
    written(tmp_path, 100)
    assert [ship(tmp_path, url, host="a") for _ in range(3)] == [101] * 3
    written(tmp_path, 50, first=1000.0)
    assert ship(tmp_path, url, host="a") == 152

    assert asked(url, "SELECT count(*), count(DISTINCT seq), max(prediction) FROM journal_predictions") == [
        (150, 150, 1049.0)
    ]
    assert asked(url, "SELECT seq, kind, says FROM journal_events ORDER BY seq") == [
        (101, "order", {"symbol": "AAPL", "quantity": 100}),
        (152, "order", {"symbol": "AAPL", "quantity": 100}),
    ]
    ((features,),) = asked(url, "SELECT features FROM journal_predictions WHERE seq = 3")
    assert struct.unpack("<2d", features) == (1.0, 2.0)


@real
def test_two_hosts_share_a_database(tmp_path, url):
    for host in ("a", "b"):
        ship(written(tmp_path / host, 10), url, host=host)
    assert asked(url, "SELECT host, last_seq FROM journals ORDER BY host") == [("a", 11), ("b", 11)]
    assert asked(url, "SELECT count(*) FROM journal_predictions") == [(20,)]


@real
def test_a_shipper_that_is_killed_leaves_no_double_and_no_gap(tmp_path, url):
    written(tmp_path / "j", 60_000)
    code = (
        "import sys; from pathlib import Path; from signoff.adapters import journal_postgres as shipping\n"
        "shipping.BATCH = 500\n"
        "shipping.ship(Path(sys.argv[1]), sys.argv[2], host='a', progress=lambda seq: print(seq, flush=True))"
    )
    for turn in range(4):
        shipper = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "j", url], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        for _ in range(1 + 3 * turn):
            shipper.stdout.readline()
        shipper.send_signal(signal.SIGKILL)
        shipper.communicate()
    assert ship(tmp_path / "j", url, host="a") == check(tmp_path / "j").last_seq
    assert asked(url, "SELECT count(*), count(DISTINCT seq), max(seq) FROM journal_predictions") == [
        (60_000, 60_000, 60_000)
    ]


@real
def test_a_server_without_a_standby_is_refused_where_one_is_needed(tmp_path, url, capsys):
    written(tmp_path, 3)
    with pytest.raises(RefusedError, match="synchronous_standby_names ''"):
        ship(tmp_path, url, host="a", needs_standby=True)
    assert main(["journal", "ship", str(tmp_path), "--to", url, "--json"]) == 0
    assert '"last_seq": 4' in capsys.readouterr().out


@real
def test_a_digest_is_shipped_as_one(tmp_path, url):
    digest = hashlib.sha256(b"row").digest()
    with Journal.open(tmp_path) as journal:
        journal.predict("m-1", "2", "B", 9.0, features=digest, confidence=0.5, marks=Mark.DIGEST_OF_FEATURES)
    ship(tmp_path, url, host="a")
    assert asked(url, "SELECT features, features_sha256, confidence FROM journal_predictions") == [
        (None, digest.hex(), 0.5)
    ]


def test_a_database_that_is_away_is_said(tmp_path):
    written(tmp_path, 3)
    with pytest.raises(UnavailableError, match="ship again to go on"):
        ship(tmp_path, "postgresql://desk@127.0.0.1:9/journals", host="a")


@pytest.mark.parametrize("url", ["sqlite:///journal.db", "journals", ""])
def test_what_is_no_postgresql_is_refused(tmp_path, url):
    written(tmp_path, 3)
    with pytest.raises(BadInputError, match="Expected the address of a PostgreSQL database"):
        ship(tmp_path, url, host="a")


def test_a_folder_without_a_journal_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="found no segment"):
        ship(tmp_path, "postgresql://desk@127.0.0.1:9/journals", host="a")
