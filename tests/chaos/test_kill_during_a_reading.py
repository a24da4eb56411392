"""A kill that is ordered while the board reads the database stays in force."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.kill import KillSwitch
from signoff.app.record import Record
from signoff.config.settings import settings
from signoff.installation import Installation
from signoff.ports.kills import Kill


class SlowStore:
    """A store whose size takes so long to read that somebody orders a kill meanwhile."""

    def __init__(self, store):
        self._store, self.meanwhile = store, lambda: None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def size(self):
        self.meanwhile()
        return self._store.size()


@pytest.fixture
def journal(tmp_path):
    return KillFolders((tmp_path / "kills",))


def test_a_kill_ordered_while_the_board_reads_is_not_taken_for_one_that_was_settled(tmp_path, journal):
    house = Installation(settings(home=str(tmp_path / "home")))
    store = SlowStore(house.store)
    board = FlagCache(Record(store, WallClock()), journal, FlagSigner(key_id="k", sign=lambda _: b""))
    kill = Kill(id=uuid4().hex, model="momentum", reason="smoke", actor="t", at=datetime.now(UTC))

    def order():
        journal.write(kill)
        board.kill(kill)

    store.meanwhile = order
    board.refresh()
    assert board.flags("momentum").state == "killed"


def test_a_kill_whose_file_is_gone_stays_in_force_until_the_ledger_holds_it(tmp_path, journal):
    record = Record(Installation(settings(home=str(tmp_path / "home"))).store, WallClock())
    board = FlagCache(record, journal, FlagSigner(key_id="k", sign=lambda _: b""))
    kill = Kill(id=uuid4().hex, model="momentum", reason="smoke", actor="t", at=datetime.now(UTC))
    journal.write(kill)
    board.kill(kill)
    journal.settle(kill.id)
    board.refresh()
    assert board.flags("momentum").state == "killed"
    switch = KillSwitch(record=record, orders=SimulatedBroker(), journal=journal)
    assert switch.settle(kill)
    before = board.flags("momentum")
    board.refresh()
    assert board.flags("momentum") == before
    assert record.latch("momentum").is_latched
