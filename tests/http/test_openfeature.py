"""Flags read by the clients that firms already have: OpenFeature's Python and JavaScript providers."""

import json
import subprocess
from pathlib import Path

import pytest
from http_server import Served
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider

NODE = Path(__file__).parents[1] / "node"
MODEL = "momentum"


class Script:
    """The JavaScript client for servers, asked a line at a time."""

    name = "flags.mjs"

    def __init__(self, server):
        line = ["node", self.name, server.url, server.tokens["machine"], MODEL]
        self.process = subprocess.Popen(
            line, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def read(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class InBrowsers(Script):
    """The JavaScript client for browsers."""

    name = "web_flags.mjs"


class Python:
    """The Python client."""

    def __init__(self, server):
        token = server.tokens["machine"]
        api.set_provider(OFREPProvider(server.url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}))
        self.client = api.get_client()

    def read(self):
        key = f"models.{MODEL}."
        enabled = self.client.get_boolean_details(key + "enabled", False)
        return {
            "enabled": enabled.value,
            "reason": str(enabled.reason),
            "error": enabled.error_code and enabled.error_code.value,
            "allocation_pct": self.client.get_integer_value(key + "allocation_pct", -1),
            "shadow_mode": self.client.get_boolean_value(key + "shadow_mode", False),
            "control": dict(self.client.get_object_value(key + "control", {"state": "unknown"})),
        }

    def close(self):
        api.shutdown()


@pytest.mark.parametrize("kind", [Python, Script, InBrowsers], ids=["python", "javascript", "browser"])
def test_a_real_client_reads_all_four_sees_a_kill_and_falls_back(own_server, kind):
    client = kind(own_server)
    try:
        said = client.read()
        assert (said["enabled"], said["allocation_pct"], said["shadow_mode"]) == (True, 100, False)
        assert said["control"]["version"] == "1.1.0"
        assert said["reason"] == "STATIC"
        own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
        said = client.read()
        assert (said["enabled"], said["allocation_pct"], said["control"]["state"]) == (False, 0, "killed")
        assert said["reason"] == "DISABLED"
        own_server.stop(hard=True)
        said = client.read()
        assert said["enabled"] is False
        assert said["allocation_pct"] == -1
        assert said["control"] == {"state": "unknown"}
        assert said["error"] is not None
    finally:
        client.close()


def test_an_unknown_flag_says_so_as_the_protocol_asks(served):
    client = served.client("machine")
    for key in ("models.nobody.enabled", "models.momentum.nothing", "nonsense", "models..enabled"):
        answer = client.post(f"/ofrep/v1/evaluate/flags/{key}")
        assert answer.status_code == 404
        assert answer.json()["errorCode"] == "FLAG_NOT_FOUND"
        assert answer.json()["errorDetails"]


def test_a_bulk_answer_is_not_sent_twice(served):
    client = served.client("machine")
    first = client.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "x"}})
    assert {f["key"] for f in first.json()["flags"]} >= {f"models.{MODEL}.control", f"models.{MODEL}.enabled"}
    again = client.post("/ofrep/v1/evaluate/flags", json={}, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("known", ["{tag}", "W/{tag}", '"other", W/{tag}', "*"])
def test_an_entity_tag_is_compared_as_http_says(served, known):
    client = served.client("machine")
    tag = client.post("/ofrep/v1/evaluate/flags", json={}).headers["etag"]
    headers = {"if-none-match": known.format(tag=tag)}
    again = client.post("/ofrep/v1/evaluate/flags", json={}, headers=headers)
    assert (again.status_code, again.headers["etag"]) == (304, tag)


@pytest.mark.parametrize("known", ['"other"', 'W/"other"', '"*"', ""])
def test_another_entity_tag_is_no_match(served, known):
    answer = served.client("machine").post("/ofrep/v1/evaluate/flags", json={}, headers={"if-none-match": known})
    assert answer.status_code == 200


def test_a_change_is_told_on_the_event_stream_after_which_the_flags_are_new_once(own_server):
    client = own_server.client("machine")
    first = client.post("/ofrep/v1/evaluate/flags", json={})
    ((stream,),) = [first.json()["eventStreams"]]
    assert stream == {"type": "sse", "url": f"{own_server.url}/ofrep/v1/events"}
    with client.stream("GET", stream["url"]) as events:
        said = events.iter_lines()
        assert next(said) == ": connected"
        own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
        data = next(line for line in said if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: ")) == {"type": "refetchEvaluation"}
    tag = {"if-none-match": first.headers["etag"]}
    fetched = client.post("/ofrep/v1/evaluate/flags", json={}, headers=tag)
    assert fetched.status_code == 200
    assert {f["key"]: f["value"] for f in fetched.json()["flags"]}[f"models.{MODEL}.enabled"] is False
    tag = {"if-none-match": fetched.headers["etag"]}
    assert client.post("/ofrep/v1/evaluate/flags", json={}, headers=tag).status_code == 304


def test_the_event_stream_is_at_the_address_that_people_reach_the_server_by(tmp_path, monkeypatch):
    """Whatever a request's Host header says."""
    monkeypatch.setenv("SIGNOFF_PUBLIC_URL", "https://signoff.firm.example/")
    server = Served(tmp_path / "home").start()
    try:
        asked = server.client("machine").post("/ofrep/v1/evaluate/flags", headers={"host": "evil.example"})
        assert asked.json()["eventStreams"][0]["url"] == "https://signoff.firm.example/ofrep/v1/events"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", "PARSE_ERROR"), (b"[]", "INVALID_CONTEXT"), (b'{"context": 3}', "INVALID_CONTEXT")]
)
def test_a_context_that_is_none_is_said(served, body, code):
    for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/models.momentum.enabled"):
        answer = served.client("machine").post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["errorCode"] == code
