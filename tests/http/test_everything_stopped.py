"""Everything, or a desk, stopped over the API: by one person, at once, and however the database is."""

import json
import sqlite3
import time
from dataclasses import replace

import pytest
from http_server import Served
from standing import way_to

from signoff.adapters.signing_keys import KeyFile
from signoff.app.grandfather import Adoption, adopt
from signoff.app.record import StreamChange, deployment_stream
from signoff.cli.main import main
from signoff.desk.client import FlagClient
from signoff.domain.deployment import State
from signoff.domain.events import Killed
from signoff.domain.policy import Policy, Role

BY_ALL = {"momentum", "carry", "value"}


@pytest.fixture
def server(tmp_path):
    served = Served(tmp_path / "home")
    house = served.house
    signatories = tuple(house.signatory(role) for role in (Role.RISK_MANAGER, Role.CTO))
    for model in ("carry", "value"):
        adopt(
            house.record,
            Adoption(model=model, version="1", policy=Policy(name="p", version="1"), reason="r"),
            signatories,
        )
    first, *later = way_to(State.VALIDATED)
    first = replace(first, deployment="value-2", model="value", version="2", desk="equities", previous_version=None)
    first = replace(first, previous_deployment=None)
    change = StreamChange(stream=deployment_stream("value-2"), state=None, events=(first, *later))
    house.record.commit(change, actor="t", key="opened:value")
    yield served.start()
    served.stop()


@pytest.fixture
def desk(server):
    key = KeyFile.load(server.settings.home / "ledger.key")
    client = FlagClient(
        [server.url], token=server.tokens["machine"], keys={key.key_id: key.public_key}, models=sorted(BY_ALL)
    ).start()
    assert all(client.wait_for(model).enabled for model in BY_ALL)
    yield client
    client.stop()


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not holds():
        time.sleep(0.02)
    assert holds()


def killed(served):
    return [r.event.model for r in served.house.record.history() if isinstance(r.event, Killed)]


def stopped(desk):
    return {model for model in BY_ALL if desk.flags(model).state == "killed"}


@pytest.mark.abuse
def test_one_request_stops_every_model_at_every_desk_and_is_recorded_for_each(server, desk):
    answer = server.client().post("/api/v1/kill", json={"reason": "smoke"})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["journaled"], said["complete"], said["desk"]) == (True, True, None)
    assert {row["model"] for row in said["models"]} == BY_ALL
    until(lambda: stopped(desk) == BY_ALL)
    until(lambda: sorted(killed(server)) == sorted(BY_ALL))


def test_one_request_stops_a_desk_and_no_other(server, desk):
    said = server.client().post("/api/v1/kill", json={"reason": "smoke", "desk": "equities"}).json()
    assert [row["model"] for row in said["models"]] == ["value"]
    until(lambda: stopped(desk) == {"value"})
    assert desk.flags("carry").enabled


def test_a_desk_that_nobody_knows_is_not_found_and_the_answer_names_those_that_are(server, desk):
    answer = server.client().post("/api/v1/kill", json={"reason": "smoke", "desk": "equity"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "Known are equities" in answer.json()["detail"]
    assert stopped(desk) == set()
    assert killed(server) == []


def test_with_the_database_locked_every_desk_hears_of_it_and_it_is_recorded_once_afterwards(server, desk):
    lock = sqlite3.connect(server.settings.home / "signoff.db", isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        said = server.client().post("/api/v1/kill", json={"reason": "smoke"}).json()
        assert (said["journaled"], said["recorded"]) == (True, False)
        assert {row["model"] for row in said["models"]} == BY_ALL
        until(lambda: stopped(desk) == BY_ALL)
        other = server.client().post("/api/v1/kill", json={"reason": "smoke", "desk": "no such desk"})
        assert other.json().get("journaled") is True or other.status_code == 404
    finally:
        lock.rollback()
        lock.close()
    for _ in range(2):
        assert main(["worker", "--home", str(server.settings.home)]) == 0
    assert sorted(killed(server)) == sorted(BY_ALL)
    assert server.house.kills.pending() == ()


def test_a_kill_of_everything_sent_again_under_its_key_is_not_a_second_one(server):
    client, headers = server.client(), {"idempotency-key": "now"}
    first = client.post("/api/v1/kill", json={"reason": "smoke"}, headers=headers)
    until(lambda: sorted(killed(server)) == sorted(BY_ALL))
    again = client.post("/api/v1/kill", json={"reason": "smoke"}, headers=headers)
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", first.json())
    assert len(killed(server)) == len(BY_ALL)
    other = client.post("/api/v1/kill", json={"reason": "smoke", "desk": "equities"}, headers=headers)
    assert other.json()["kill"] != first.json()["kill"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "r", "desks": ["a"]}, {"reason": "r", "desk": "\x00"}])
def test_what_is_not_understood_stops_nobody(server, body):
    assert server.client().post("/api/v1/kill", json=body).status_code == 422
    assert killed(server) == []


def test_who_may_stop_a_model_may_stop_all_and_who_may_not_may_not(server):
    assert server.client("machine").post("/api/v1/kill", json={"reason": "smoke"}).status_code == 200
    client = server.client()
    client.headers.clear()
    assert client.post("/api/v1/kill", json={"reason": "smoke"}).status_code == 401


def test_the_command_line_stops_everything_at_a_server(server, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SIGNOFF_TOKEN", server.tokens["risk_manager"])
    arguments = ["--server", server.url, "--home", str(tmp_path / "none"), "--json"]
    assert main(["kill", "--desk", "equity", "--reason", "smoke", *arguments]) == 2
    assert "Known are equities" in capsys.readouterr().err
    assert main(["kill", "--all", "--reason", "smoke", *arguments]) == 0
    assert {row["model"] for row in json.loads(capsys.readouterr().out)["models"]} == BY_ALL
    assert not (tmp_path / "none").exists()
