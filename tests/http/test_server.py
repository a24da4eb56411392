"""The server as programs and people meet it: over HTTP, in a process of its own."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pytest
from cast_of_six import PEOPLE
from signed_in import begun

from signoff.adapters.archives import zipped
from signoff.adapters.signing_keys import KeyFile
from signoff.app.accounts import FRESH_S
from signoff.app.record import Caller, CallerRequest
from signoff.cli.main import main
from signoff.desk.client import FlagClient
from signoff.domain.errors import UnavailableError
from signoff.domain.events import Killed, PauseReason
from signoff.domain.permissions import Permission
from signoff.http import sessions
from signoff.http.health import Trial
from signoff.http.middleware import MOST_DEPTH, MOST_JSON
from signoff.http.streaming import HEARTBEAT_S
from signoff.verbs.remote import Remote


def killed_events(server):
    return [r.event for r in server.house.record.history() if isinstance(r.event, Killed)]


def test_health_needs_nobody_and_everything_else_needs_somebody(served):
    assert httpx.get(f"{served.url}/healthz").json() == {"status": "alive"}
    assert httpx.get(f"{served.url}/readyz").json()["status"] == "ready"
    refused = httpx.get(f"{served.url}/api/v1/deployments")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_server_whose_database_somebody_keeps_locked_is_alive_and_not_ready(own_server):
    lock = sqlite3.connect(own_server.settings.home / "signoff.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        until(lambda: httpx.get(f"{own_server.url}/readyz").status_code == 503)
        assert "write" in httpx.get(f"{own_server.url}/readyz").json()["problem"]
        assert httpx.get(f"{own_server.url}/healthz").status_code == 200
    finally:
        lock.rollback()
        lock.close()
    until(lambda: httpx.get(f"{own_server.url}/readyz").json()["status"] == "ready", seconds=20)


def test_whether_the_database_can_be_written_is_tried_seldom_however_often_it_is_asked():
    now, written = [100.0], []

    def write():
        written.append(now[0])
        if now[0] == 105.0:
            raise UnavailableError("cannot execute INSERT in a read-only transaction")

    async def asked():
        trial, said = Trial(write, lambda: now[0]), []
        for now[0] in (100.0, 100.1, 104.9, 105.0, 105.9, 106.0, 110.9):
            said.append(await trial.problem())
        return said

    said = asyncio.run(asked())
    assert written == [100.0, 105.0, 106.0]
    assert [problem is None for problem in said] == [True, True, True, False, False, True, True]


def test_the_api_describes_itself(served):
    described = httpx.get(f"{served.url}/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert "/api/v1/models/{model}/kill" in described["paths"]


def test_every_answer_carries_the_request_id_and_the_log_tells_it(served):
    answer = served.client().get("/api/v1/deployments/momentum-1.1.0-adopted", headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    until(lambda: any(line.get("request") == "abc-1" for line in served.logged()))  # it is written after the answer
    line = next(line for line in served.logged() if line.get("request") == "abc-1")
    assert line["status"] == 200
    assert line["who"] == PEOPLE["risk_manager"]
    assert line["deployment"] == "momentum-1.1.0-adopted"


def test_a_kill_is_in_the_log_with_its_model(own_server):
    own_server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"}, headers={"x-request-id": "k-1"})
    until(lambda: any(line.get("request") == "k-1" for line in own_server.logged()))
    line = next(line for line in own_server.logged() if line.get("request") == "k-1")
    assert (line["model"], line["status"], line["message"]) == ("momentum", 200, "request")


def test_every_line_of_a_server_from_start_to_stop_is_json_with_a_time_and_a_level(own_server):
    own_server.client().get("/api/v1/me")
    own_server.process.terminate()
    own_server.process.wait(20)
    lines = own_server.logged()
    assert {line["logger"] for line in lines} >= {"signoff.http", "uvicorn.error"}
    for line in lines:
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
        assert line["level"] in {"info", "warning", "error"}
        assert line["message"]


def test_what_nobody_foresaw_is_answered_with_the_id_under_which_the_log_tells_it(own_server):
    """A session that somebody overwrote in the database: nothing that a request could bring about."""
    number, _ = begun(own_server.house, PEOPLE["cto"])
    database = sqlite3.connect(own_server.settings.home / "signoff.db")
    database.execute("UPDATE shelf SET value = ? WHERE kind = 'session'", (b"nonsense",))
    database.commit()
    database.close()
    headers = {"authorization": f"Bearer {sessions.PREFIX}{number}", "x-request-id": "broken-1"}
    answer = httpx.get(f"{own_server.url}/api/v1/deployments/momentum-1.1.0-adopted", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "broken-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Traceback" not in answer.text
    until(lambda: sum(line.get("request") == "broken-1" for line in own_server.logged()) == 2)
    broke, told = (line for line in own_server.logged() if line.get("request") == "broken-1")
    assert broke["level"] == "error"
    assert "Traceback" in broke["exception"]
    assert (told["status"], told["deployment"]) == (500, "momentum-1.1.0-adopted")


def test_no_secret_is_in_the_log_or_the_ledger(served):
    served.client().get("/api/v1/me")
    kept = (served.settings.home / "serve.log").read_text() + str(list(served.house.store.rows()))
    for token in served.tokens.values():
        assert token.rpartition("_")[2] not in kept


def test_errors_are_problems_with_what_to_do(served):
    answer = served.client().get("/api/v1/deployments/nothing")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:signoff:notfound"
    assert "known are" in answer.json()["detail"]


def test_an_unknown_field_is_refused(served):
    client = served.client("head_of_trading")
    answer = client.post("/api/v1/deployments/momentum-1.1.0-adopted/pause", json={"raeson": "manual"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body/raeson"


def test_the_same_key_and_body_is_done_once_and_another_body_is_a_conflict(own_server):
    client = own_server.client("head_of_trading")
    path, key = "/api/v1/deployments/momentum-1.1.0-adopted/pause", {"idempotency-key": "k1"}
    first = client.post(path, json={"note": "month end"}, headers=key)
    again = client.post(path, json={"note": "month end"}, headers=key)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post(path, json={"note": "something else"}, headers=key)
    assert other.status_code == 409
    another = own_server.client("cto").post(path, json={"note": "mine"}, headers=key)
    assert another.status_code == 200
    assert "idempotent-replayed" not in another.headers


def test_an_answer_kept_for_a_repeated_request_is_not_for_a_token_that_was_revoked(own_server):
    house, name = own_server.house, PEOPLE["head_of_trading"]
    made = house.accounts.issue_token(name, scopes=frozenset({Permission.PAUSE}), actor="t")
    headers = {"authorization": f"Bearer {made.secret}", "idempotency-key": "k1"}
    path = f"{own_server.url}/api/v1/deployments/momentum-1.1.0-adopted/pause"
    assert httpx.post(path, json={}, headers=headers).status_code == 200
    assert httpx.post(path, json={}, headers=headers).headers["idempotent-replayed"] == "true"
    house.accounts.revoke_token(made.token.id, actor="t")
    time.sleep(2 * FRESH_S)
    again = httpx.post(path, json={}, headers=headers)
    assert (again.status_code, "deployment" in again.json()) == (401, False)


def test_a_request_made_again_after_a_crash_is_done_once(own_server):
    """The answer was never stored: only the ledger knows that the request was carried out."""
    identity, house = "momentum-1.1.0-adopted", own_server.house

    def pause():
        return house.for_request(Caller(CallerRequest("r1", "asked"))).rollout.pause(
            identity, PauseReason.MANUAL, "month end", actor="t"
        )

    pause()
    house.rollout.resume(identity, PauseReason.MANUAL, "", actor="t")
    state = pause()
    assert state.pause_reasons == ()
    assert [r.event.kind for r in house.record.history(f"deployment/{identity}")] == ["adopted", "paused", "resumed"]


def test_a_request_decided_on_an_old_revision_is_refused(own_server):
    client = own_server.client("head_of_trading")
    path = "/api/v1/deployments/momentum-1.1.0-adopted"
    seen = client.get(path)
    tag = seen.headers["etag"]
    assert client.post(f"{path}/pause", json={}, headers={"if-match": tag}).status_code == 200
    stale = client.post(f"{path}/resume", json={}, headers={"if-match": tag})
    assert stale.status_code == 412
    assert "another commit came first" in stale.json()["detail"]
    assert client.post(f"{path}/resume", json={}).status_code == 200


def test_of_many_with_the_same_revision_one_wins(own_server):
    path = "/api/v1/deployments/momentum-1.1.0-adopted"
    tag = own_server.client().get(path).headers["etag"]

    def pause(reason):
        client = own_server.client("head_of_trading")
        return client.post(f"{path}/pause", json={"reason": reason}, headers={"if-match": tag}).status_code

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(pause, ["manual", "freeze", "no_data", "gate_error"]))
    assert found == [200, 412, 412, 412]


def test_the_command_line_is_a_client_of_the_server(own_server, capsys, tmp_path):
    asked = [
        "--server",
        own_server.url,
        "--token",
        own_server.tokens["risk_manager"],
        "--home",
        str(tmp_path),
        "--json",
    ]
    assert main(["status", *asked]) == 0
    assert json.loads(capsys.readouterr().out)["deployments"][0]["deployment"] == "momentum-1.1.0-adopted"
    assert main(["kill", "momentum", "--reason", "smoke", *asked]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["flags"]["models.momentum.enabled"] is False
    assert main(["history", "momentum", *asked]) == 0
    assert "KILLED" in capsys.readouterr().out
    assert main(["rollout", "start", "momentum-1.1.0-adopted", *asked]) == 1
    assert "head_of_trading" in capsys.readouterr().err
    assert not (tmp_path / "signoff.db").exists()


def test_a_person_signs_with_their_own_key_on_their_own_machine(own_server, capsys):
    """Two people arm a killed model again; their private keys are read by the client, and never sent."""
    kill = ["kill", "momentum", "--reason", "smoke", "--server", own_server.url]
    assert main([*kill, "--token", own_server.tokens["cto"]]) == 0
    capsys.readouterr()
    token = own_server.tokens["risk_manager"]
    keys = own_server.house.key_path(PEOPLE["risk_manager"])
    line = ["rearm", "momentum", "--role", "risk_manager", "--key", str(keys), "--server", own_server.url]
    assert main([*line, "--token", token]) == 1
    assert "sign-in of the last five minutes" in capsys.readouterr().err


def test_bodies_have_limits(served):
    client = served.client("head_of_trading")
    path = "/api/v1/deployments/momentum-1.1.0-adopted/pause"
    kind = {"content-type": "application/json"}
    assert client.post(path, content=b" " * (MOST_JSON + 1), headers=kind).status_code == 413
    deep = b'{"note":' + b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1) + b"}"
    assert client.post(path, content=deep, headers=kind).status_code == 422
    quoted = json.dumps({"note": "[" * 300, "reason": "manual"}).encode()
    assert client.post(path, content=quoted, headers=kind).status_code == 200


@pytest.mark.parametrize("name", ["../escape.yaml", "/etc/passwd", "a/../../b", "c:\\x", "a\\..\\b"])
def test_an_archive_that_leaves_its_folder_is_refused(served, name):
    content = zipped({"dossier.yaml": b"", name: b"x"})
    answer = served.client("model_owner").post(
        "/api/v1/checks", content=content, headers={"content-type": "application/zip"}
    )
    assert answer.status_code == 422
    assert "inside the dossier folder" in answer.json()["detail"]


def test_what_is_no_archive_is_refused(served):
    for content in (b"", b"PK\x03\x04 nonsense", b"\x00" * 1000):
        answer = served.client("model_owner").post(
            "/api/v1/checks", content=content, headers={"content-type": "application/zip"}
        )
        assert answer.status_code == 422


def test_a_desk_follows_the_kill_and_its_own_exit_needs_nobody(own_server):
    key = KeyFile.load(own_server.settings.home / "ledger.key")
    desk = FlagClient(
        [own_server.url],
        token=own_server.tokens["machine"],
        keys={key.key_id: key.public_key},
        models=["momentum"],
    ).start()
    try:
        assert desk.wait_for("momentum").enabled
        own_server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
        until(lambda: desk.flags("momentum").state == "killed")
        assert desk.flags("momentum").allocation_pct == 0
    finally:
        desk.stop()


def test_a_kill_works_while_the_database_is_locked_and_is_recorded_once_afterwards(own_server):
    key = KeyFile.load(own_server.settings.home / "ledger.key")
    desk = FlagClient(
        [own_server.url], token=own_server.tokens["machine"], keys={key.key_id: key.public_key}, models=["momentum"]
    ).start()
    lock = sqlite3.connect(own_server.settings.home / "signoff.db", isolation_level=None)
    try:
        assert desk.wait_for("momentum").enabled
        lock.execute("BEGIN EXCLUSIVE")
        answer = own_server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
        assert answer.status_code == 200
        assert answer.json()["journaled"]
        assert not answer.json()["recorded"]
        until(lambda: desk.flags("momentum").state == "killed")
    finally:
        lock.rollback()
        lock.close()
        desk.stop()
    until(lambda: len(killed_events(own_server)) == 1)
    own_server.house.kill_switch.reconcile()
    assert len(killed_events(own_server)) == 1
    assert own_server.house.kills.pending() == ()


def test_a_kill_stands_in_no_line_behind_requests_that_wait_for_the_database(own_server):
    """More of them than the server has threads for; the kill is answered before any of those behind it."""
    asked, own_way = own_server.client("head_of_trading"), own_server.client()
    pause = "/api/v1/deployments/momentum-1.1.0-adopted/pause"
    lock = sqlite3.connect(own_server.settings.home / "signoff.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        with ThreadPoolExecutor(120) as crowd:
            waiting = [crowd.submit(asked.post, pause, json={"note": "month end"}) for _ in range(120)]
            time.sleep(1)
            answer = own_way.post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
            still = sum(not request.done() for request in waiting)
            lock.rollback()
    finally:
        lock.close()
    assert (answer.status_code, answer.json()["journaled"]) == (200, True)
    assert still == len(waiting)


def test_a_kill_that_the_server_could_not_record_before_it_died_is_recorded_by_the_next(own_server):
    lock = sqlite3.connect(own_server.settings.home / "signoff.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    own_server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
    own_server.stop(hard=True)
    lock.rollback()
    lock.close()
    assert killed_events(own_server) == []
    own_server.start()
    flags = own_server.client("machine").post("/ofrep/v1/evaluate/flags/models.momentum.enabled").json()
    assert flags["value"] is False
    assert main(["worker", "--home", str(own_server.settings.home)]) == 0
    assert len(killed_events(own_server)) == 1
    assert own_server.house.record.latch("momentum").is_latched


def test_a_kill_ordered_at_one_server_is_told_by_another_over_the_same_database(own_server, tmp_path):
    """The other has a home and a journal of its own: it hears of the kill from the database alone."""
    other = own_server.another(tmp_path / "elsewhere").start()
    key = KeyFile.load(other.settings.home / "ledger.key")
    desk = FlagClient(
        [other.url], token=other.tokens["machine"], keys={key.key_id: key.public_key}, models=["momentum"]
    ).start()
    try:
        assert desk.wait_for("momentum").enabled
        own_server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"})
        until(lambda: desk.flags("momentum").state == "killed")
    finally:
        desk.stop()
        other.stop()
    assert other.house.kills.pending() == ()


def test_a_desk_is_sent_a_sign_of_life_every_two_seconds(served):
    assert HEARTBEAT_S == 2
    headers = {"authorization": f"Bearer {served.tokens['machine']}"}
    signs = []
    with httpx.stream("GET", f"{served.url}/api/v1/stream", headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        while len(signs) < 2:
            if next(lines) == "event: heartbeat":
                signs.append(json.loads(json.loads(next(lines).removeprefix("data: "))["payload"]))
    assert signs[0]["tick_ms"] < signs[1]["tick_ms"]
    assert "momentum" in signs[0]["models"]  # beside those that other tests killed


def test_an_unknown_model_is_killed_as_well_and_said_to_be_unknown(own_server):
    answer = own_server.client().post("/api/v1/models/momentun/kill", json={"reason": "a slip"})
    assert answer.status_code == 200
    assert answer.json()["known"] is False


@pytest.mark.parametrize("model", ["team/momentum", "a b?c#d%2F", "modèle"])
def test_a_model_is_killed_from_elsewhere_whatever_it_is_called(served, model, tmp_path):
    remote = Remote.reach(served.url, served.tokens["risk_manager"], keys=lambda person: tmp_path)
    with remote.client:
        assert remote.kill(model, reason="smoke")["model"] == model
    until(lambda: (latch := served.house.record.latch(model)) is not None and latch.is_latched)


def test_a_stop_ends_streams_and_leaves_in_order(own_server):
    headers = {"authorization": f"Bearer {own_server.tokens['machine']}"}
    with httpx.stream("GET", f"{own_server.url}/api/v1/stream", headers=headers, timeout=20) as stream:
        lines = stream.iter_lines()
        next(lines)
        began = time.monotonic()
        os.kill(own_server.process.pid, signal.SIGTERM)
        assert own_server.process.wait(20) in {0, -signal.SIGTERM}
        for _ in lines:
            pass
    assert time.monotonic() - began < 15


def test_pages_follow_one_another(own_server):
    client = own_server.client()
    first = client.get("/api/v1/history/momentum", params={"limit": 1}).json()
    assert len(first["history"]) == 1
    assert client.get("/api/v1/deployments", params={"limit": 1}).json()["next"] is None
    assert client.get("/api/v1/deployments", params={"limit": 0}).status_code == 422


def test_the_export_over_http_verifies(own_server, tmp_path, capsys):
    remote = Remote.reach(own_server.url, own_server.tokens["risk_manager"], keys=lambda person: tmp_path)
    files = remote.export()
    remote.client.close()
    assert "events.jsonl" in files
    from signoff.app.audit import verify

    assert verify(files).findings == ()
    line = ["--server", own_server.url, "--token", own_server.tokens["risk_manager"], "--home", str(tmp_path / "mine")]
    assert main(["export", str(tmp_path / "out"), *line]) == 0
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == files["events.jsonl"]
    for own in (["anchor"], ["ledger", "rotate-key"]):
        assert main([*own, *line]) == 2
        assert "without --server" in " ".join(capsys.readouterr().err.split())


def until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.mark.parametrize("path", ["/api/v1/stream", "/ofrep/v1/events"])
def test_a_stream_ends_soon_after_its_token_was_revoked_and_no_other_does(served, path):
    accounts = served.house.accounts
    gone, stays = (
        accounts.issue_token(f"desk-{name}", scopes=frozenset({Permission.READ_FLAGS}), actor="t", is_machine=True)
        for name in ("gone", "stays")
    )
    time.sleep(2 * FRESH_S)  # until the server has read people anew
    with (
        httpx.Client(base_url=served.url, timeout=5 * HEARTBEAT_S) as client,
        client.stream("GET", path, headers={"authorization": f"Bearer {gone.secret}"}) as ended,
        client.stream("GET", path, headers={"authorization": f"Bearer {stays.secret}"}) as going_on,
    ):
        assert (ended.status_code, going_on.status_code) == (200, 200)
        heard, others = ended.iter_lines(), going_on.iter_lines()
        next(heard), next(others)
        accounts.revoke_token(gone.token.id, actor="t")
        until(lambda: next(heard, None) is None)
        began = time.monotonic()
        while time.monotonic() - began < 2 * HEARTBEAT_S:
            assert next(others) is not None
