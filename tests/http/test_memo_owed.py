"""A rollback whose memo cannot be written is done all the same: the memo is owed, tried again, and answers say so."""

import json
import sqlite3
from dataclasses import replace

import pytest
from http_server import Served
from several_models import Several
from standing import standing

from signoff.cli.main import main
from signoff.domain.deployment import State
from signoff.ledger.codec import encode_state

BODY = {"occasion": "error", "reason": "r"}


def in_the_way(world, identity):
    """A file where the folder of the release belongs: nothing can be written there."""
    (world.settings.home / "releases").mkdir(exist_ok=True)
    (world.settings.home / "releases" / identity).write_text("in the way")


def untold(world, identity):
    """A state that says rolled back over a history that does not tell of it, as from a ledger cut short."""
    state = world.house.record.deployment(identity)
    gone = replace(standing(State.ROLLED_BACK), id=identity, model=state.model, revision=state.revision)
    with sqlite3.connect(world.settings.home / "signoff.db") as database:
        database.execute(
            "UPDATE streams SET state = ?, label = 'rolled_back' WHERE stream = ?",
            (encode_state(gone), f"deployment/{identity}"),
        )


FAULTS = {"a file in the way": in_the_way, "a history without its rollback": untold}


@pytest.fixture
def world(tmp_path):
    world = Several(tmp_path / "home")
    yield world
    world.stop()


@pytest.mark.abuse
@pytest.mark.parametrize("fault", FAULTS)
def test_over_http_the_rollback_is_answered_as_done_and_its_memo_as_owed(tmp_path, fault):
    served = Served(tmp_path / "home").start()
    world = Several(tmp_path / "home")
    try:
        identity = world.release("m", State.SHADOW, before=None)
        FAULTS[fault](world, identity)
        client = served.client("head_of_trading")
        answer = client.post(f"/api/v1/deployments/{identity}/rollback", json=BODY)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["state"], said["memo_owed"]) == ("rolled_back", True)
        assert said["memo_owed_because"]
        assert client.get(f"/api/v1/deployments/{identity}").json()["memo_owed"] is True
    finally:
        served.stop()


def test_at_a_desk_the_command_says_that_the_rollback_is_done_and_why_its_memo_is_owed(world, capsys):
    identity = world.release("m", State.SHADOW)
    untold(world, identity)
    assert main(["rollout", "rollback", identity, "--home", str(world.settings.home)]) == 0
    said = capsys.readouterr().out
    assert "the rollback is done; its memo is owed:" in said
    assert "expected an event 'rollback_started'" in said
    assert main(["status", "--home", str(world.settings.home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deployments"][0]["memo_owed"] is True


def test_the_worker_writes_the_memo_once_it_can_be_written(world):
    identity = world.release("m", State.SHADOW)
    leaving = world.leaving_alone("carry")
    in_the_way(world, leaving)
    world.start()
    world.until(lambda: any("its memo is owed" in p and leaving in p for p in world.problems()))
    assert world.house.record.deployment(leaving).state is State.ROLLED_BACK
    (world.settings.home / "releases" / leaving).unlink()
    world.until(lambda: "memo_issued" in world.kinds(leaving))
    assert world.house.record.deployment(identity).state is State.SHADOW


def test_a_memo_that_stays_owed_calls_people(world):
    identity = world.release("m", State.SHADOW)
    untold(world, identity)
    world.start()
    world.until(lambda: any(n["severity"] == "page" for n in world.notices()), 90)
    (page,) = [n for n in world.notices() if n["severity"] == "page"]
    assert "rollback memo of m-2" in page["subject"]
    assert "rollback_started" in page["text"]
