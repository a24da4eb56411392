"""The server over a real PostgreSQL, under the role that can only add, while the database goes away and comes back."""

import postgres
import pytest
from http_server import Served
from test_server import killed_events, until

from signoff.adapters.database import initialise
from signoff.adapters.signing_keys import KeyFile
from signoff.cli.main import main
from signoff.desk.client import FlagClient

pytestmark = pytest.mark.real


@pytest.fixture
def production(tmp_path):
    url = postgres.fresh_database()
    initialise(url, role="signoff_app")
    server = Served(tmp_path / "home", database=postgres.as_role(url, "signoff_app")).start()
    yield server
    server.stop()


def test_the_server_works_under_the_role_that_can_only_add(production):
    client = production.client("head_of_trading")
    path = "/api/v1/deployments/momentum-1.1.0-adopted/pause"
    first = client.post(path, json={"note": "month end"}, headers={"idempotency-key": "k"})
    again = client.post(path, json={"note": "month end"}, headers={"idempotency-key": "k"})
    assert (first.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    asked = ["--home", str(production.settings.home), "--database", production.settings.database]
    assert main(["verify", *asked]) in {0, 2}


def test_a_server_that_is_started_in_an_outage_knows_who_may_kill_and_enables_nothing(production):
    assert production.client().get("/api/v1/me").status_code == 200  # the people are read, and kept for a bad day
    production.house.store.database.engine.dispose()
    production.stop()
    postgres.control("stop")
    try:
        production.start(until="/healthz")
        assert production.client().get("/readyz").status_code == 503
        flag = production.client().post("/ofrep/v1/evaluate/flags/models.momentum.enabled", json={}).json()
        assert flag.get("value") in {None, False}
        answer = production.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
        assert (answer.status_code, answer.json()["journaled"], answer.json()["recorded"]) == (200, True, False)
        guessed = {"authorization": "Bearer signoff_0123456789abcdef_" + "0" * 64}
        refused = production.client().post("/api/v1/models/momentum/kill", json={"reason": "r"}, headers=guessed)
        assert refused.status_code == 401
    finally:
        postgres.control("start")
    until(lambda: production.client().get("/readyz").status_code == 200)
    production.house.kill_switch.reconcile()
    until(lambda: len(killed_events(production)) == 1)
    assert production.client("head_of_trading").get("/api/v1/people").status_code == 200


def test_a_kill_is_in_force_while_postgresql_can_only_be_read_and_is_recorded_once_it_can_be_written(production):
    key = KeyFile.load(production.settings.home / "ledger.key")
    desk = FlagClient(
        [production.url], token=production.tokens["machine"], keys={key.key_id: key.public_key}, models=["momentum"]
    ).start()
    try:
        assert desk.wait_for("momentum").enabled
        with postgres.read_only():
            until(lambda: production.client().get("/readyz").status_code == 503)
            assert "read-only" in production.client().get("/readyz").json()["problem"]
            answer = production.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
            assert answer.status_code == 200
            assert (answer.json()["journaled"], answer.json()["recorded"]) == (True, False)
            until(lambda: desk.flags("momentum").state == "killed")
            assert killed_events(production) == []
            assert production.house.kill_switch.reconcile() == 1
            refused = production.client().post("/api/v1/deployments/momentum-1.1.0-adopted/pause", json={})
            assert refused.status_code == 503
    finally:
        desk.stop()
    until(lambda: production.client().get("/readyz").status_code == 200)
    assert production.house.kill_switch.reconcile() == production.house.kill_switch.reconcile() == 0
    assert len(killed_events(production)) == 1
    assert production.house.record.latch("momentum").is_latched
    assert production.house.kills.pending() == ()


def test_a_kill_works_while_postgresql_is_stopped_and_is_recorded_once_it_is_back(production):
    key = KeyFile.load(production.settings.home / "ledger.key")
    desk = FlagClient(
        [production.url], token=production.tokens["machine"], keys={key.key_id: key.public_key}, models=["momentum"]
    ).start()
    assert desk.wait_for("momentum").enabled
    production.house.store.database.engine.dispose()
    postgres.control("stop")
    try:
        answer = production.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
        assert answer.status_code == 200
        assert (answer.json()["journaled"], answer.json()["recorded"]) == (True, False)
        until(lambda: desk.flags("momentum").state == "killed")
        assert production.client().get("/readyz").status_code == 503
        refused = production.client().post("/api/v1/deployments/momentum-1.1.0-adopted/pause", json={})
        assert refused.status_code == 503
    finally:
        postgres.control("start")
        desk.stop()
    production.house.kill_switch.reconcile()
    until(lambda: len(killed_events(production)) == 1)
    assert production.house.record.latch("momentum").is_latched
    assert production.house.kills.pending() == ()
