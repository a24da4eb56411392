"""A kill that is in the ledger and still in the journal holds up nobody: a process died between the two."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from small_ledger import memory_store

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.kill import KillSwitch
from signoff.app.record import Record
from signoff.domain.errors import UnavailableError
from signoff.ports.kills import Kill


@pytest.fixture
def switch(tmp_path):
    journal = KillFolders((tmp_path / "kills",))
    return KillSwitch(record=Record(memory_store(), WallClock()), orders=SimulatedBroker(), journal=journal)


def order():
    return Kill(id=uuid4().hex, model="momentum", reason="smoke", actor="t", at=datetime.now(UTC))


def test_a_kill_recorded_by_a_process_that_died_is_settled_and_those_after_it_recorded(switch):
    first, second, third = order(), order(), order()
    for kill in (first, second):
        switch.journal.write(kill)
        assert switch.settle(kill)
    switch.journal.write(first)  # as if its process had died before it could remove it
    switch.journal.write(third)
    assert switch.reconcile() == 0
    assert switch.journal.pending() == ()
    assert [r.event.kill for r in switch.record.history()] == [first.id, second.id, third.id]


def test_a_broker_whose_book_cannot_be_written_is_away_not_broken(tmp_path):
    (tmp_path / "book.lock").mkdir()
    with pytest.raises(UnavailableError, match="could not be written"):
        SimulatedBroker(tmp_path / "book.json").cancel("momentum:", 1)
