"""What a killed process takes with it is measured by killing one."""

import pytest

from signoff.adapters import killed_writer
from signoff.adapters.killed_writer import EVENTS, KilledWriter
from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import UnavailableError


def writer(tmp_path):
    return KilledWriter(database=f"sqlite:///{tmp_path / 'signoff.db'}", beside=tmp_path / "home")


def test_a_killed_writer_loses_nothing_that_it_had_acknowledged_and_leaves_nothing_behind(tmp_path):
    kept = writer(tmp_path).measure()

    assert (kept.acknowledged >= EVENTS, kept.lost) == (True, 0)
    assert list((tmp_path / "home").iterdir()) == []


def test_an_event_that_was_acknowledged_and_is_gone_is_counted_as_lost(tmp_path, monkeypatch):
    real = SqlStore.rows
    monkeypatch.setattr(SqlStore, "rows", lambda self: list(real(self))[: EVENTS - 3])

    assert writer(tmp_path).measure().lost >= 3


def test_a_writer_that_cannot_write_is_said_and_never_counts_as_nothing_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(killed_writer.sys, "executable", "/bin/false")

    with pytest.raises(UnavailableError, match="25 events"):
        writer(tmp_path).measure()


def test_a_database_that_is_no_file_here_is_not_measured(tmp_path):
    assert KilledWriter(database="postgresql://somewhere/signoff", beside=tmp_path).measure() is None
