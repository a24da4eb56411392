"""Two workers that find the same difference in the registry tell people of it once."""

from datetime import UTC, datetime, timedelta

import pytest

from signoff.adapters.clocks import SimulatedClock
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.record import Record
from signoff.app.registered import Discrepancy, tell, turn
from signoff.app.registry_findings import NAME, standing

NOW = datetime(2019, 1, 2, 15, 0, 30, tzinfo=UTC)
FOUND = Discrepancy(model="m", text="alias champion of m names v7, the record says v2: moved outside Signoff")
OTHER = Discrepancy(model="m", text="m v1, on record as superseded, is not in the registry")


class Interleaved(MemoryTtlStore):
    """A shelf on which the first look at what is known is followed by everything that another worker does."""

    def __init__(self, meanwhile=None):
        super().__init__()
        self.meanwhile = meanwhile

    def get(self, kind, name, now):
        found = super().get(kind, name, now)
        if name == NAME and (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            meanwhile()
        return found


def worker(store, minutes=0):
    return Record(store, SimulatedClock(NOW + timedelta(minutes=minutes)))


def notices(store):
    return store.queue(("notice",))


@pytest.fixture
def store():
    return MemoryStore()


@pytest.mark.parametrize("apart", [0, 1, 59])
@pytest.mark.parametrize("names", [("worker", "worker"), ("one", "two")])
@pytest.mark.parametrize("found", [(FOUND,), (FOUND, OTHER)])
def test_two_interleaved_workers_tell_each_difference_once(store, apart, names, found):
    shelf = Interleaved()
    shelf.meanwhile = lambda: tell(worker(store, apart), shelf, {"m": found}, actor=names[1])
    tell(worker(store), shelf, {"m": found}, actor=names[0])
    assert len(notices(store)) == len(found)
    assert set(standing(shelf, NOW)["m"]) == {each.text for each in found}


def test_a_worker_that_died_before_it_kept_what_it_told_tells_it_once(store):
    shelf = MemoryTtlStore()
    tell(worker(store), shelf, {"m": (FOUND,)}, actor="w")
    shelf.drop("registry", NAME)
    tell(worker(store, 3), shelf, {"m": (FOUND,)}, actor="w")
    assert len(notices(store)) == 1


def test_a_difference_that_ended_and_came_back_is_told_again(store):
    shelf = MemoryTtlStore()
    for minute, found in enumerate([(FOUND,), (FOUND,), (), (), (FOUND,)]):
        tell(worker(store, minute), shelf, {"m": found}, actor="w")
    assert len(notices(store)) == 2


def test_one_worker_at_a_time_looks_and_one_that_died_does_not_keep_the_turn():
    shelf = MemoryTtlStore()
    with turn(shelf, NOW) as first, turn(shelf, NOW) as second:
        assert (first, second) == (True, False)
    shelf.add("registry", "turn", b"died", NOW + timedelta(minutes=10), NOW)
    with turn(shelf, NOW + timedelta(minutes=9)) as early:
        assert not early
    with turn(shelf, NOW + timedelta(minutes=11)) as late:
        assert late
