"""A kill that no disk and no database took is kept by the first of them that comes back."""

import pytest
from small_ledger import memory_store

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.kill import KillSwitch
from signoff.app.record import Record
from signoff.domain.errors import UnavailableError


class Away:
    """A store that refuses to commit while it is away."""

    def __init__(self, store):
        self._store, self.is_away = store, True

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, commit):
        if self.is_away:
            raise UnavailableError("the disk is full")
        return self._store.commit(commit)


@pytest.fixture
def world(tmp_path):
    """A journal whose only folder cannot be made, a store that is away, and what would be tried again."""
    blocked = tmp_path / "kills"
    blocked.write_text("in the way")
    store, journal, again = Away(memory_store()), KillFolders((blocked,)), []
    switch = KillSwitch(
        record=Record(store, WallClock()),
        orders=SimulatedBroker(),
        journal=journal,
        in_time=lambda settle: settle(),
        insist=again.append,
    )
    return switch, store, journal, again, blocked


def test_the_process_goes_on_trying_until_the_ledger_takes_it(world):
    switch, store, journal, again, _ = world
    stopped = switch.kill("momentum", reason="smoke", actor="t")
    assert (stopped.is_journaled, stopped.is_recorded) == (False, False)
    assert not again[0]()
    store.is_away = False
    assert again[0]()
    assert switch.record.latch("momentum").is_latched
    assert journal.pending() == ()


def test_a_disk_with_room_again_is_enough(world):
    switch, _, journal, again, blocked = world
    stopped = switch.kill("momentum", reason="smoke", actor="t")
    blocked.unlink()
    assert again[0]()
    assert KillFolders((blocked,)).pending() == (stopped.kill,) == journal.pending()


def test_a_kill_on_disk_is_left_to_the_worker(world):
    switch, _, _, again, blocked = world
    blocked.unlink()
    assert switch.kill("momentum", reason="smoke", actor="t").is_journaled
    assert again == []
