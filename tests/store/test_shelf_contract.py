"""What every shelf promises, whichever it is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import postgres
import pytest

from signoff.adapters.database import Database, initialise
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.adapters.ttl_store_sql import SqlTtlStore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def sql(url):
    return SqlTtlStore(Database(url))


def least_privileged(folder):
    url = postgres.fresh_database()
    initialise(url, role="signoff_app")
    return sql(postgres.as_role(url, "signoff_app"))


SHELVES = {
    "memory": lambda folder: MemoryTtlStore(),
    "sqlite": lambda folder: sql(f"sqlite:///{folder / 's.db'}"),
    "postgresql": lambda folder: sql(postgres.fresh_database()),
    "least privileged": least_privileged,
}
REAL = {"postgresql", "least privileged"}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.real] * (name in REAL)) for name in SHELVES])
def shelf(request, tmp_path):
    return SHELVES[request.param](tmp_path)


def test_what_was_put_is_there_until_its_time(shelf):
    shelf.put("k", "n", b"\x00value", LATER)
    assert shelf.get("k", "n", NOW) == b"\x00value"
    assert shelf.get("k", "n", LATER) is None
    assert shelf.get("k", "other", NOW) is None
    assert shelf.get("other", "n", NOW) is None


def test_put_replaces(shelf):
    shelf.put("k", "n", b"1", LATER)
    shelf.put("k", "n", b"2", LATER)
    assert shelf.get("k", "n", NOW) == b"2"


def test_add_keeps_the_first_until_it_expires(shelf):
    assert shelf.add("k", "n", b"1", LATER, NOW)
    assert not shelf.add("k", "n", b"2", LATER, NOW)
    assert shelf.get("k", "n", NOW) == b"1"
    assert shelf.add("k", "n", b"3", LATER + timedelta(minutes=5), LATER)
    assert shelf.get("k", "n", LATER) == b"3"


def test_what_is_prolonged_stays_longer_and_what_is_gone_does_not_come_back(shelf):
    much_later = LATER + timedelta(minutes=5)
    shelf.put("k", "n", b"1", LATER)
    assert shelf.prolong("k", "n", much_later, NOW)
    assert shelf.get("k", "n", LATER) == b"1"
    assert not shelf.prolong("k", "n", much_later + timedelta(minutes=5), much_later)
    shelf.drop("k", "n")
    assert not shelf.prolong("k", "n", much_later, NOW)
    assert shelf.get("k", "n", NOW) is None


def test_take_gives_once(shelf):
    shelf.put("k", "n", b"1", LATER)
    assert shelf.take("k", "n", NOW) == b"1"
    assert shelf.take("k", "n", NOW) is None


def test_take_gives_nothing_that_has_expired(shelf):
    shelf.put("k", "n", b"1", NOW)
    assert shelf.take("k", "n", NOW) is None


def test_drop_removes_and_an_absent_value_is_no_error(shelf):
    shelf.put("k", "n", b"1", LATER)
    shelf.drop("k", "n")
    shelf.drop("k", "n")
    assert shelf.get("k", "n", NOW) is None


def test_sweep_removes_what_has_expired_and_nothing_else(shelf):
    shelf.put("k", "old", b"1", NOW)
    shelf.put("k", "new", b"1", LATER)
    assert shelf.sweep(NOW) == 1
    assert shelf.sweep(NOW) == 0
    assert shelf.get("k", "new", NOW) == b"1"


@pytest.mark.parametrize("act", ["add", "take"])
def test_of_many_at_once_one_wins(shelf, act):
    for number in range(5):
        together = Barrier(6)
        name = str(number)
        if act == "take":
            shelf.put("k", name, b"1", LATER)

        def one(who, name=name, together=together):
            together.wait()
            if act == "add":
                return shelf.add("k", name, str(who).encode(), LATER, NOW)
            return shelf.take("k", name, NOW) is not None

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(one, range(6))).count(True) == 1
