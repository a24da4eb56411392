"""One kill of a desk, or of everything: in force at once, recorded once for each model, whatever is in its way."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from small_ledger import memory_store
from standing import way_to

from signoff.adapters.clocks import WallClock
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.kill import KillSwitch
from signoff.app.order_halt import kept_back
from signoff.app.people import enrol
from signoff.app.record import Record, StreamChange, deployment_stream
from signoff.app.rollback import order_scope
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.desks import desks
from signoff.domain.errors import NotFoundError, RefusedError, TamperedError, UnavailableError
from signoff.domain.events import Killed
from signoff.domain.policy import Role
from signoff.installation import Installation
from signoff.ports.kills import Kill, Reach
from signoff.ports.venue import OpenOrder

AT = ("--venue", "simulated")
SEAL = FlagSigner(key_id="k", sign=lambda _: b"")
MODELS = {"carry": "rates", "momentum": "equities", "value": "equities", "old": None}


class Odd:
    """A store that can be away, that refuses one stream, and that dies after so many commits."""

    def __init__(self, store):
        self._store, self.is_away, self.refuses, self.dies_after = store, False, None, None

    def __getattr__(self, name):
        if self.is_away:
            raise UnavailableError("the database is away")
        return getattr(self._store, name)

    def commit(self, commit):
        if self.is_away or any(append.stream == self.refuses for append in commit.appends):
            raise UnavailableError("the database is away")
        if self.dies_after == 0:
            raise KeyboardInterrupt
        self.dies_after = None if self.dies_after is None else self.dies_after - 1
        return self._store.commit(commit)


def released(record, model, desk, *, version="1", state=State.FULL):
    """A release of this desk that came to this state by events."""
    first, *later = way_to(state)
    identity = f"{model}-{version}"
    first = replace(
        first,
        deployment=identity,
        model=model,
        version=version,
        desk=desk,
        previous_version=None,
        previous_deployment=None,
    )
    change = StreamChange(stream=deployment_stream(identity), state=None, events=(first, *later))
    record.commit(change, actor="t", key=f"opened:{identity}")


@pytest.fixture
def store():
    return Odd(memory_store())


@pytest.fixture
def record(store):
    record = Record(store, WallClock())
    for model, desk in MODELS.items():
        released(record, model, desk)
    return record


@pytest.fixture
def journal(tmp_path):
    return KillFolders((tmp_path / "kills",))


@pytest.fixture
def broker():
    broker = SimulatedBroker()
    for model in (*MODELS, "unheard of"):
        broker.place(
            [OpenOrder(client_order_id=f"{order_scope(model)}1", symbol="A", side="buy", quantity=1)], flags_revision=1
        )
    return broker


@pytest.fixture
def switch(record, journal, broker):
    return KillSwitch(
        record=record,
        orders=broker,
        journal=journal,
        while_it_moves=lambda settle, _: settle(),
        insist=lambda _: None,
    )


def latched(record):
    return {model for model in record.models() if (latch := record.latch(model)) is not None and latch.is_latched}


def killed(record):
    return [r for r in record.history() if isinstance(r.event, Killed)]


def wide(reach=Reach.ALL, desk=""):
    return Kill(id=uuid4().hex, reach=reach, desk=desk, reason="smoke", actor="t", at=datetime.now(UTC))


@pytest.mark.abuse
def test_a_kill_of_everything_stops_every_model_and_its_orders_by_one_file(switch, record, broker, journal, tmp_path):
    begun = switch.begin_many(reason="smoke", actor="Rae")
    assert len(list((tmp_path / "kills").iterdir())) == 1
    stopped = switch.finish_many(begun)
    assert (stopped.is_journaled, stopped.is_recorded, stopped.is_complete) == (True, True, True)
    assert latched(record) == set(MODELS)
    assert {(r.actor, r.event.reason) for r in killed(record)} == {("Rae", "smoke")}
    assert broker.open_orders("") == ()
    assert {one.kill.model: one.left.orders for one in stopped.models} == dict.fromkeys((*MODELS, "unheard of"), 0)
    assert journal.pending() == ()


def test_a_kill_of_a_desk_stops_its_models_and_no_other(switch, record, broker):
    stopped = switch.kill_many(reason="smoke", actor="Rae", desk="equities")
    assert latched(record) == {"momentum", "value"} == {one.kill.model for one in stopped.models}
    assert len(broker.open_orders("")) == 3


def test_a_desk_that_nobody_knows_is_answered_with_those_that_are_and_stops_nobody(switch, record, journal):
    with pytest.raises(NotFoundError, match=r"found 'equity'; nothing was stopped\. Known are equities, rates"):
        switch.kill_many(reason="smoke", actor="Rae", desk="equity")
    assert killed(record) == []
    assert journal.pending() == ()


def test_with_the_database_away_it_is_journaled_and_recorded_for_every_model_later(switch, record, store, broker):
    store.is_away = True
    stopped = switch.kill_many(reason="smoke", actor="Rae")
    assert (stopped.is_journaled, stopped.is_recorded, stopped.is_complete) == (True, False, False)
    assert broker.open_orders("") == ()
    assert [kill.reach for kill in switch.journal.pending()] == [Reach.ALL]
    store.is_away = False
    assert switch.reconcile() == 0
    assert latched(record) == set(MODELS)
    assert len(killed(record)) == len(MODELS)


def test_a_desk_with_the_database_away_is_journaled_and_stops_its_models_later(switch, record, store, journal):
    store.is_away = True
    assert switch.kill_many(reason="smoke", actor="Rae", desk="rates").is_journaled
    store.is_away = False
    assert switch.reconcile() == 0
    assert latched(record) == {"carry"}
    assert journal.pending() == ()


def test_an_unknown_desk_with_the_database_away_ends_with_a_line_in_the_log(switch, record, store, journal, caplog):
    store.is_away = True
    assert switch.kill_many(reason="smoke", actor="Rae", desk="equity").is_journaled
    store.is_away = False
    assert switch.reconcile() == 0
    assert journal.pending() == ()
    assert killed(record) == []
    assert "no release on record names the desk 'equity'" in caplog.text


@pytest.mark.parametrize("cut_off_after", range(len(MODELS)))
def test_cut_off_after_any_commit_each_model_is_recorded_once(switch, record, store, journal, cut_off_after):
    kill = wide()
    journal.write(kill)
    store.dies_after = cut_off_after
    with pytest.raises(KeyboardInterrupt):
        switch.settle(kill)
    store.dies_after = None
    assert switch.reconcile() == switch.reconcile() == 0
    assert sorted(r.event.model for r in killed(record)) == sorted(MODELS)
    journal.write(kill)  # as if its process had died before it could remove it
    assert switch.reconcile() == 0
    assert len(killed(record)) == len(MODELS)


def test_one_model_that_cannot_be_recorded_keeps_no_other_from_it(switch, record, store, journal, broker):
    store.refuses = "model/momentum"
    stopped = switch.kill_many(reason="smoke", actor="Rae")
    assert not stopped.is_recorded
    assert {one.kill.model for one in stopped.models if not one.is_recorded} == {"momentum", "unheard of"}
    assert latched(record) == set(MODELS) - {"momentum"}
    assert broker.open_orders("") == ()
    assert len(journal.pending()) == 1
    assert kept_back(record, journal, "momentum").is_killed
    store.refuses = None
    assert switch.reconcile() == 0
    assert len(killed(record)) == len(MODELS)


def test_one_model_whose_broker_is_away_is_said_to_be_unknown_and_the_others_are_halted(switch, record, broker):
    class Deaf:
        def __getattr__(self, name):
            return getattr(broker, name)

        def cancel(self, scope, flags_revision):
            if scope == "momentum:":
                raise UnavailableError("no answer")
            return broker.cancel(scope, flags_revision)

    stopped = replace(switch, orders=Deaf()).kill_many(reason="smoke", actor="Rae")
    assert {one.kill.model for one in stopped.models if one.left.orders is None} == {"momentum"}
    assert latched(record) == set(MODELS)


def test_a_release_that_cannot_be_read_is_stopped_with_any_desk(switch, record, store, monkeypatch):
    real = switch.record.store.streams

    def garbled(prefix, **how):
        return tuple(
            replace(s, state=b'{"model":"carry"}') if s.stream == "deployment/carry-1" else s
            for s in real(prefix, **how)
        )

    monkeypatch.setattr(store, "streams", garbled, raising=False)
    assert {one.kill.model for one in switch.kill_many(reason="r", actor="t", desk="equities").models} == {
        "carry",
        "momentum",
        "value",
    }
    with pytest.raises(TamperedError):
        record.deployments()


def test_a_model_may_be_armed_again_while_another_is_still_to_be_recorded(switch, record, store):
    enrol(record, name="Rae", roles=(Role.RISK_MANAGER,), key_id="k", public_key="p", actor="t")
    store.refuses = "model/momentum"
    switch.kill_many(reason="smoke", actor="Rae")
    with pytest.raises(RefusedError, match="A kill of momentum is not in the ledger yet"):
        switch.statement("momentum", person="Rae", role=Role.RISK_MANAGER, reason="safe")
    assert b'"rearm"' in switch.statement("carry", person="Rae", role=Role.RISK_MANAGER, reason="safe")


def board_of(record, journal):
    board = FlagCache(record, journal, SEAL)
    board.listen()
    board.refresh()
    return board


def states(board):
    return {flags.model: flags.state for flags in board.told()}


def test_a_board_tells_every_model_of_a_pending_kill_before_the_database_is_asked(record, journal, store):
    board = board_of(record, journal)
    store.is_away = True
    assert set(board.kill(wide())) == set(MODELS)
    assert set(states(board).values()) == {"killed"}


def test_a_board_tells_the_models_of_a_desk_and_no_other(record, journal):
    board = board_of(record, journal)
    kill = wide(Reach.DESK, "equities")
    journal.write(kill)
    assert set(board.listen()) == {"momentum", "value"}
    assert board.stopped_by(kill) == ("momentum", "value")
    assert board.unrecorded == 1


def test_a_server_that_starts_beside_a_kill_of_everything_tells_no_model_as_enabled(record, journal):
    journal.write(wide())
    board = FlagCache(record, journal, SEAL)
    board.listen()
    board.refresh()
    assert set(states(board).values()) == {"killed"}


def test_a_server_that_starts_when_some_models_are_recorded_counts_each_once(record, journal, switch, store):
    kill = wide()
    journal.write(kill)
    store.refuses = "model/momentum"
    assert not switch.settle(kill)
    store.refuses = None
    board = FlagCache(record, journal, SEAL)
    board.listen()
    board.refresh()
    before = {flags.model: (flags.kill_count, flags.state) for flags in board.told()}
    assert before == dict.fromkeys(MODELS, (1, "killed"))
    assert switch.settle(kill)
    board.refresh()
    board.listen()
    board.refresh()
    assert {flags.model: (flags.kill_count, flags.state) for flags in board.told()} == before


def test_a_model_of_which_nothing_is_known_is_told_as_killed_while_everything_is(record, journal, store):
    store.is_away = True
    board = FlagCache(record, journal, SEAL)
    assert json.loads(json.loads(board.notice("momentum"))["payload"])["control"]["state"] == "off"
    board.kill(wide())
    assert json.loads(json.loads(board.notice("momentum"))["payload"])["control"]["state"] == "killed"


def test_numbers_do_not_move_when_a_kill_of_everything_is_recorded(record, journal, switch):
    board, kill = board_of(record, journal), wide()
    journal.write(kill)
    board.kill(kill)
    before = board.told()
    assert switch.settle(kill)
    board.listen()
    assert board.told() == before
    board.refresh()
    assert board.told() == before
    board.listen()
    assert (board.told(), board.unrecorded) == (before, 0)


def test_a_model_that_appears_while_everything_is_killed_is_killed_too_and_recorded(record, journal, switch):
    board, kill = board_of(record, journal), wide()
    journal.write(kill)
    board.listen()
    released(record, "new", "rates")
    board.refresh()
    assert board.flags("new").state == "killed"
    assert switch.reconcile() == 0
    board.listen()
    board.refresh()
    assert board.flags("new").state == "killed"
    assert "new" in latched(record)


def test_a_model_that_appears_after_everything_was_recorded_is_not_killed_for_ever(record, journal, switch):
    board, kill = board_of(record, journal), wide()
    journal.write(kill)
    board.listen()
    assert switch.settle(kill)
    released(record, "new", "rates")
    board.refresh()  # before it heard that the kill is settled
    assert board.flags("new").state == "killed"
    board.listen()
    board.refresh()
    assert board.flags("new").state == "full"
    assert board.flags("momentum").state == "killed"


def test_the_desks_of_a_model_are_those_of_its_releases_that_have_not_ended():
    record = Record(MemoryStore(), WallClock())
    released(record, "m", "equities", version="1", state=State.FULL)
    released(record, "m", "rates", version="2", state=State.SHADOW)
    assert desks(record.deployments("m")) == {"equities", "rates"}
    released(record, "n", "equities", version="1", state=State.REJECTED)
    released(record, "n", "rates", version="2", state=State.FULL)
    assert desks(record.deployments("n")) == {"rates"}
    released(record, "o", "rates", version="1", state=State.REJECTED)
    assert desks(record.deployments("o")) == {"rates"}
    assert desks(()) == frozenset()


@pytest.fixture
def home(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home")))
    for model, desk in MODELS.items():
        released(house.record, model, desk)
    return tmp_path / "home"


def test_the_command_stops_everything_with_a_row_for_each_model(home, capsys):
    assert main(["--json", "kill", "--all", "--reason", "smoke", "--home", str(home), *AT]) == 0
    document = json.loads(capsys.readouterr().out)
    assert all(document[name] for name in ("journaled", "recorded", "complete"))
    assert document["desk"] is None
    assert {row["model"] for row in document["models"]} == set(MODELS)
    assert {(row["recorded"], row["open_orders"]) for row in document["models"]} == {(True, 0)}


def test_the_command_stops_a_desk_and_names_those_it_knows(home, capsys):
    assert main(["kill", "--desk", "equities", "--reason", "smoke", "--home", str(home), *AT]) == 0
    assert "Every model of equities is killed, 2 known here" in capsys.readouterr().out
    assert main(["kill", "--desk", "equity", "--reason", "smoke", "--home", str(home)]) == 2
    assert "Known are equities, rates" in capsys.readouterr().err


@pytest.mark.parametrize("scope", [[], ["m", "--all"], ["m", "--desk", "d"], ["--all", "--desk", "d"]])
def test_what_is_to_be_stopped_is_named_in_one_way(home, capsys, scope):
    assert main(["kill", *scope, "--reason", "smoke", "--home", str(home)]) == 2
    assert "Expected one of MODEL, --desk NAME and --all" in capsys.readouterr().err
    assert killed(Installation(settings(home=str(home))).record) == []


def test_a_home_that_knows_no_model_is_not_the_one_that_was_meant(tmp_path, capsys):
    assert main(["kill", "--all", "--reason", "smoke", "--home", str(tmp_path / "elsewhere")]) == 2
    assert "Is this the right --home" in capsys.readouterr().out


@pytest.mark.parametrize("scope", [["--all"], ["--desk", "equities"], ["--desk", "no such desk"]])
def test_the_command_works_with_the_database_damaged_and_says_so(home, capsys, scope):
    kept = {path: path.read_bytes() for path in home.glob("signoff.db*")}
    for path in kept:
        path.write_bytes(b"no database" * 1000)
    assert main(["kill", *scope, "--reason", "smoke", "--home", str(home), *AT]) == 1  # not all are known
    told = capsys.readouterr().out
    assert "models that are not listed are stopped too" in told
    assert "The ledger does not hold it yet" in told
    for path, content in kept.items():
        path.write_bytes(content)
    assert main(["worker", "--home", str(home)]) == 0
    stopped = {"--all": set(MODELS), "equities": {"momentum", "value"}, "no such desk": set()}[scope[-1]]
    assert {r.event.model for r in killed(Installation(settings(home=str(home))).record)} == stopped
