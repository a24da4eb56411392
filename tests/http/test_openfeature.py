"""Flags read by the clients that firms already have: OpenFeature's Python and JavaScript providers."""

import json
import subprocess
from pathlib import Path

import pytest
from http_server import Served
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from two_versions import CANDIDATE, CHAMPION, MODEL, candidate

from signoff.domain.deployment import State

NODE = Path(__file__).parents[1] / "node"


def by_version(version):
    return {"version": version}


def by_targeting_key(version):
    return {"targetingKey": f"{MODEL}@{version}"}


class Script:
    """The JavaScript client for servers, asked a line at a time."""

    name = "flags.mjs"

    def __init__(self, server):
        line = ["node", self.name, server.url, server.tokens["machine"], MODEL]
        self.process = subprocess.Popen(
            line, cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def read(self, context):
        return self.said(context)

    def said(self, line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class InBrowsers(Script):
    """The JavaScript client for browsers; one provider for the whole session."""

    name = "web_flags.mjs"
    cache_mode = "disabled"

    def read(self, context):
        return self.said({"context": context, "session": "one", "cacheMode": self.cache_mode})


class InBrowsersWithCache(InBrowsers):
    """The same as it comes: it keeps what it fetched."""

    cache_mode = "local-cache-first"


class Python:
    """The Python client."""

    def __init__(self, server):
        token = server.tokens["machine"]
        api.set_provider(OFREPProvider(server.url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}))
        self.client = api.get_client()

    def read(self, context):
        key = f"models.{MODEL}."
        named = EvaluationContext(
            context.get("targetingKey"), {name: value for name, value in context.items() if name != "targetingKey"}
        )
        enabled = self.client.get_boolean_details(key + "enabled", False, named)
        return {
            "enabled": enabled.value,
            "reason": str(enabled.reason),
            "error": enabled.error_code and enabled.error_code.value,
            "details": enabled.error_message,
            "allocation_pct": self.client.get_integer_value(key + "allocation_pct", -1, named),
            "shadow_mode": self.client.get_boolean_value(key + "shadow_mode", False, named),
            "control": dict(self.client.get_object_value(key + "control", {"state": "unknown"}, named)),
        }

    def close(self):
        api.shutdown()


EVERY = pytest.mark.parametrize(
    "kind", [Python, Script, InBrowsers, InBrowsersWithCache], ids=["python", "javascript", "browser", "cache"]
)


def flat(said):
    return said["enabled"], said["allocation_pct"], said["shadow_mode"]


@pytest.mark.parametrize("kind", [Python, Script, InBrowsers], ids=["python", "javascript", "browser"])
def test_a_real_client_reads_all_four_sees_a_kill_and_falls_back(own_server, kind):
    client, context = kind(own_server), {"version": CHAMPION}
    try:
        said = client.read(context)
        assert flat(said) == (True, 100, False)
        assert said["control"]["version"] == "1.1.0"
        assert said["reason"] == "TARGETING_MATCH"
        own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
        said = client.read(context | {"again": 1})
        assert (said["enabled"], said["allocation_pct"], said["control"]["state"]) == (False, 0, "killed")
        assert said["reason"] == "DISABLED"
        own_server.stop(hard=True)
        # A browser keeps what its session read; a new one falls back.
        said = client.said({"context": context}) if kind is InBrowsers else client.read(context)
        assert flat(said) == (False, -1, False)
        assert said["control"] == {"state": "unknown"}
        assert said["error"] is not None
    finally:
        client.close()


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory):
    """A champion at all of the capital, whose candidate is in shadow."""
    server = Served(tmp_path_factory.mktemp("shadowed") / "home")
    candidate(server.house.record, State.SHADOW)
    server.start()
    yield server
    server.stop()


@EVERY
@pytest.mark.parametrize("named", [by_version, by_targeting_key])
def test_a_real_client_reads_the_flags_of_its_version_when_that_changes_in_mid_session_and_is_dropped(
    shadowed, kind, named
):
    client = kind(shadowed)
    try:
        for _ in range(2):
            assert flat(client.read(named(CHAMPION))) == (True, 100, False)
            assert flat(client.read(named(CANDIDATE))) == (True, 0, True)
        for dropped in ({}, {"targetingKey": "desk-1"}, named("9.9.9"), named(CHAMPION + " ")):
            said = client.read(dropped)
            assert (flat(said), said["error"]) == ((False, -1, False), "INVALID_CONTEXT")
            assert said["control"]["versions"][CANDIDATE]["shadow_mode"] is True
        assert flat(client.read(named(CHAMPION))) == (True, 100, False)
    finally:
        client.close()


@EVERY
def test_a_real_client_whose_model_is_killed_in_mid_session_reads_off_whatever_it_names(tmp_path, kind):
    server = Served(tmp_path / "home")
    candidate(server.house.record, State.LIMITED)
    server.start()
    client = kind(server)
    try:
        assert flat(client.read({"version": CHAMPION})) == (True, 90, False)
        assert flat(client.read({"version": CANDIDATE})) == (True, 10, False)
        server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
        for context in ({"version": CHAMPION}, {"version": CANDIDATE}, {"version": "9"}, {"targetingKey": "x"}, {}):
            said = client.read(context)
            assert (flat(said), said["reason"], said["error"]) == ((False, 0, False), "DISABLED", None)
    finally:
        client.close()
        server.stop()


class Starts:
    """Browsers that start one after another over one storage, which is keyed by the targeting key alone."""

    def __init__(self, server):
        self.script, self.count = InBrowsers(server), 0

    def start(self, context):
        self.count += 1
        line = {"context": context, "session": f"start {self.count}", "cacheMode": "local-cache-first", "shared": True}
        return self.script.said(line)


@pytest.fixture
def starts(shadowed):
    browsers = Starts(shadowed)
    yield browsers
    browsers.script.close()


def test_a_cached_start_of_another_version_is_overwritten_by_the_first_answer(starts):
    starts.start({"targetingKey": "desk-1", "version": CHAMPION})
    said = starts.start({"targetingKey": "desk-1", "version": CANDIDATE})
    assert said["first"]["reason"] == "CACHED"
    assert flat(said) == (True, 0, True)


def test_a_cached_start_without_a_version_is_overwritten_by_errors_and_control_stays_readable(starts):
    starts.start({"targetingKey": "desk-1", "version": CHAMPION})
    said = starts.start({"targetingKey": "desk-1"})
    assert said["first"]["reason"] == "CACHED"
    assert (flat(said), said["error"]) == ((False, -1, False), "INVALID_CONTEXT")
    assert said["control"]["versions"][CHAMPION]["allocation_pct"] == 100


def test_a_cached_start_by_targeting_key_never_reads_what_was_kept_for_another_version(starts):
    starts.start(by_targeting_key(CHAMPION))
    said = starts.start(by_targeting_key(CANDIDATE))
    assert (flat(said["first"]), flat(said)) == ((True, 0, True), (True, 0, True))
    assert said["first"]["reason"] == "TARGETING_MATCH"


def test_a_cached_start_of_the_same_version_keeps_what_it_has(starts):
    starts.start(by_targeting_key(CHAMPION))
    said = starts.start(by_targeting_key(CHAMPION))
    assert (said["reason"], flat(said)) == ("CACHED", (True, 100, False))


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
