"""What the board tells: in step with the ledger, kill by kill, and silent about what it cannot read."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from small_ledger import memory_store
from standing import standing

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.kill import KillSwitch
from signoff.app.record import Record, StreamChange, model_stream
from signoff.domain.deployment import State
from signoff.domain.events import NoticeSent
from signoff.domain.flags_of_releases import flags
from signoff.http.streaming import Hub
from signoff.ports.kills import Kill

SEAL = FlagSigner(key_id="k", sign=lambda _: b"")


class Hooked:
    """A store whose reading can be held up, or can find what this Signoff does not understand."""

    def __init__(self, store):
        self._store, self.held, self.is_garbled = store, None, False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def size(self):
        if self.held is not None:
            self.held.wait(10)
        return self._store.size()

    def rows(self, *, after=0, stream=None):
        for row in self._store.rows(after=after, stream=stream):
            yield (
                replace(row, body=row.body.replace(b'"notice_sent"', b'"written_by_a_later_one"'))
                if self.is_garbled
                else row
            )


@pytest.fixture
def store():
    return Hooked(memory_store())


@pytest.fixture
def record(store):
    return Record(store, WallClock())


@pytest.fixture
def journal(tmp_path):
    return KillFolders((tmp_path / "kills",))


@pytest.fixture
def board(record, journal):
    return FlagCache(record, journal, SEAL)


@pytest.fixture
def switch(record, journal):
    return KillSwitch(record=record, orders=SimulatedBroker(), journal=journal)


def ordered(model="m"):
    return Kill(id="1" * 32, model=model, reason="smoke", actor="t", at=datetime(2019, 1, 2, tzinfo=UTC))


def tell(record, model="m"):
    latch = record.latch(model)
    event = NoticeSent(notice="n", audience=(), channel="c")
    change = StreamChange(stream=model_stream(model), state=latch, events=(event,))
    record.commit(change, actor="t", key=f"n:{model}:{latch.revision if latch else 0}")


def numbers(board, model="m"):
    told = board.flags(model)
    return told.kill_count, told.revision


def test_a_kill_that_is_recorded_and_still_in_the_journal_counts_once(board, switch, journal):
    board.refresh()
    kill = ordered()
    journal.write(kill)
    board.kill(kill)
    in_force = numbers(board)
    switch.settle(kill)
    journal.write(kill)  # as long as its process has not removed it yet
    board.listen()
    board.refresh()
    assert numbers(board) == in_force == (1, 1)


def test_a_server_that_starts_beside_a_kill_left_in_the_journal_counts_it_once(board, switch, journal):
    kill = ordered()
    switch.settle(kill)
    journal.write(kill)
    board.listen()
    board.refresh()
    assert (board.flags("m").state, numbers(board)) == ("killed", (1, 1))


def test_a_kill_that_a_worker_recorded_before_the_server_told_it_counts_once(board, switch, journal):
    kill = ordered()
    board.refresh()
    switch.settle(kill)
    board.refresh()
    board.kill(kill)
    assert numbers(board) == (1, 1)


def test_numbers_never_fall_from_the_kill_to_the_day_it_is_armed_again(board, switch, journal, record):
    board.refresh()
    kill, seen = ordered(), []

    def look():
        board.listen()
        board.refresh()
        seen.append(numbers(board))

    journal.write(kill)
    board.kill(kill)
    look()
    tell(record)
    look()
    assert switch.settle(kill)
    look()
    tell(record)
    look()
    assert seen == sorted(seen)
    assert seen[-1] == (1, 3)


def test_of_two_candidates_the_board_tells_the_older_one_whatever_it_is_called():
    older = replace(standing(State.LIMITED), id="m-9")
    newer = replace(standing(State.SHADOW), id="m-10", opened_at=older.opened_at + timedelta(days=1))
    assert flags("m", (newer, older), None) == flags("m", (older, newer), None)
    assert flags("m", (newer, older), None).state == "limited"


def test_a_ledger_that_cannot_be_read_any_more_keeps_no_desk_open(board, record, store):
    tell(record)
    board.refresh()
    assert board.is_known
    tell(record)
    store.is_garbled = True
    assert board.refresh() == ("m",)
    heartbeat = json.loads(json.loads(board.heartbeat(["m"]))["payload"])
    assert (board.is_known, board.flags("m"), board.told(), heartbeat["models"]) == (False, None, (), {})


def test_a_kill_is_told_while_the_ledger_cannot_be_read(board, record, store):
    tell(record)
    board.refresh()
    tell(record)
    store.is_garbled = True
    board.refresh()
    assert board.kill(ordered()) == ("m",)
    assert (board.flags("m").state, numbers(board)) == ("killed", (1, 2))


def test_a_ledger_that_can_be_read_again_is_told_of_again(board, record, store):
    tell(record)
    board.refresh()
    tell(record)
    store.is_garbled = True
    board.refresh()
    store.is_garbled = False
    assert board.refresh() == ("m",)
    assert numbers(board) == (0, 2)


def test_a_ledger_that_is_another_one_is_read_from_its_beginning(record, journal):
    board = FlagCache(record, journal, SEAL)
    for model in ("m", "m", "n"):
        tell(record, model)
    board.refresh()
    promoted = Record(memory_store(), WallClock())
    for model in ("n", "n", "n", "m"):
        tell(promoted, model)
    board._record = promoted
    board.refresh()
    assert (numbers(board, "m"), numbers(board, "n")) == ((0, 1), (0, 3))


def test_a_kill_of_another_process_of_this_home_waits_for_no_database(board, store, journal):
    async def heard():
        hub = Hub(board, lambda: None)
        await hub.open()
        store.held = Event()
        await asyncio.sleep(0.2)
        journal.write(ordered())
        await asyncio.sleep(0.5)
        told = board.flags("m")
        store.held.set()
        await hub.close()
        return told

    assert asyncio.run(heard()).state == "killed"


def test_a_server_that_follows_no_longer_tells_of_kills_alone(board, record, journal, monkeypatch):
    async def lost():
        tell(record)
        hub = Hub(board, lambda: None)
        await hub.open()
        assert board.is_known
        monkeypatch.setattr(store_of(board), "size", broken)
        await asyncio.sleep(0.3)
        await hub.close()

    def store_of(board):
        return board._record.store

    def broken():
        raise RuntimeError("a mistake of ours")

    asyncio.run(lost())
    assert (board.is_known, board.flags("m")) == (False, None)


def test_it_is_said_when_nobody_sees_revoked_callers_off_any_more(board, record, monkeypatch, caplog):
    def broken():
        raise RuntimeError("a mistake of ours")

    async def lost():
        tell(record)
        hub = Hub(board, broken)
        await hub.open()
        await asyncio.sleep(0.3)
        await hub.close()
        return board.is_known

    monkeypatch.setattr("signoff.http.streaming.HEARTBEAT_S", 0.05)
    assert asyncio.run(lost())  # desks stay open
    assert "no longer end when access does" in caplog.text
