"""A lease from a clock that was ahead holds nothing up; one from a clock that agrees is kept."""

from datetime import timedelta
from pathlib import Path

import pytest
from small_ledger import LEDGER_KEY, NOW, append, commit, memory_store, sqlite_url

from signoff.adapters.store_sql import SqlStore
from signoff.ports.store import Effect

EFFECT = Effect(identity="e", kind="notice", payload=b"x")
LEASE = timedelta(minutes=2)


def sql_store(folder: Path) -> SqlStore:
    return SqlStore(sqlite_url(folder), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


@pytest.fixture(params=[lambda _: memory_store(), sql_store], ids=["memory", "sqlite"])
def store(request, tmp_path):
    made = request.param(tmp_path)
    made.commit(commit(append("s"), key="k", effects=(EFFECT,)))
    return made


def test_a_lease_given_a_day_ahead_is_over_once_the_clock_is_right(store):
    ahead = NOW + timedelta(days=1)
    assert store.claim("notice", 9, "the dead", ahead + LEASE, ahead) == (EFFECT,)
    assert store.claim("notice", 9, "the next", NOW + LEASE, NOW) == (EFFECT,)


def test_a_lease_given_by_a_clock_a_few_seconds_ahead_is_kept(store):
    ahead = NOW + timedelta(seconds=20)
    assert store.claim("notice", 9, "one", ahead + LEASE, ahead) == (EFFECT,)
    assert store.claim("notice", 9, "two", NOW + LEASE, NOW) == ()
