"""A kill is taken whatever has become of the database, of the broker's book, or of the letters in its reason."""

import os
import subprocess
import sys

import pytest

from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.accounts import KnownPeople
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.errors import TamperedError, UnavailableError
from signoff.installation import Installation


@pytest.fixture
def home(tmp_path):
    assert main(["people", "add", "Rae", "--make-key", "--role", "risk_manager", "--home", str(tmp_path)]) == 0
    return tmp_path


def killed(home, reason="smoke"):
    arguments = [sys.executable, "-m", "signoff", "kill", "momentum", "--reason", reason, "--home", str(home)]
    arguments += ["--venue", "simulated"]
    return subprocess.run(
        arguments, capture_output=True, check=False, env={**os.environ, "PYTHONUTF8": "1"}, timeout=60
    )


def damage(home):
    for beside in home.glob("signoff.db-*"):
        beside.unlink()
    (home / "signoff.db").write_bytes(b"no database" * 1000)


def test_a_damaged_database_keeps_no_kill_from_the_journal(home):
    damage(home)
    done = killed(home)
    assert (done.returncode, b"does not hold it yet" in done.stdout) == (0, True), done.stderr
    assert [kill.model for kill in KillFolders.beside(home).pending()] == ["momentum"]


def test_a_ledger_without_its_key_keeps_no_kill_from_the_journal(home):
    (home / "ledger.key").unlink()
    for public in home.glob("ledger.*"):
        public.unlink()
    assert killed(home).returncode == 0
    assert [kill.model for kill in KillFolders.beside(home).pending()] == ["momentum"]


def test_a_reason_in_another_encoding_stops_nobody(home):
    assert killed(home, b"gr\xf6sser als erlaubt").returncode == 1  # no release has that name
    assert Installation(settings(home=str(home))).record.latch("momentum").reason == "gr?sser als erlaubt"


def test_a_brokers_book_that_is_no_book_keeps_no_kill_from_the_ledger(home):
    (home / "simulated_broker.json").write_bytes(b"{")
    with pytest.raises(UnavailableError, match="is no book"):
        SimulatedBroker(home / "simulated_broker.json").open_orders("momentum:")
    stopped = Installation(settings(home=str(home), venue="simulated")).kill_switch.kill(
        "momentum", reason="smoke", actor="t"
    )
    assert (stopped.is_recorded, stopped.left.orders) == (True, None)


def test_people_who_cannot_be_read_any_more_are_the_last_known_and_may_stop(home, monkeypatch):
    house = Installation(settings(home=str(home)))
    known = KnownPeople(house.record)
    assert known.now()[1] is False
    known.forget()

    def damaged(_stream):
        raise TamperedError("the database is damaged")

    monkeypatch.setattr(house.store, "load", damaged)
    people, is_last_known = known.now()
    assert ("Rae" in people.by_name, is_last_known) == (True, True)
