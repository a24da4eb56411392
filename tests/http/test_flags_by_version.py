"""Flags over HTTP for the version that asks: by OFREP, and by the desk's stream in both of its formats."""

import base64
import json
import time
from dataclasses import replace

import httpx
import pytest
from http_server import Served
from standing import POLICY
from two_versions import CANDIDATE, CHAMPION, MODEL, candidate, flat

from signoff.desk.client import FlagClient, pinned
from signoff.domain.deployment import State
from signoff.domain.policy import ChampionShare

BULK, ONE = "/ofrep/v1/evaluate/flags", f"/ofrep/v1/evaluate/flags/models.{MODEL}"
NAMES = ("enabled", "allocation_pct", "shadow_mode")
OFF, WHOLE, SHADOW = (False, 0, False), (True, 100, False), (True, 0, True)
INVALID = ("INVALID_CONTEXT",) * 3


def at(tmp_path_factory, state, **how):
    server = Served(tmp_path_factory.mktemp(state.value) / "home")
    candidate(server.house.record, state, **how)
    return server.start()


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory):
    server = at(tmp_path_factory, State.SHADOW)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def machine(shadowed):
    return shadowed.client("machine")


def bulk(client, **context):
    answer = client.post(BULK, content=json.dumps({"context": context}))
    assert answer.status_code == 200
    return flat(answer.json())


def single(client, **context):
    answers = [client.post(f"{ONE}.{name}", json={"context": context}) for name in NAMES]
    return tuple(a.json()["value"] if a.status_code == 200 else a.json()["errorCode"] for a in answers)


def everywhere(client, **context):
    """What both routes say, which must be the same."""
    said = bulk(client, **context)
    assert single(client, **context) == said
    return said


def test_a_champion_keeps_its_hundred_percent_while_its_candidate_is_in_shadow(machine):
    assert everywhere(machine, version=CHAMPION) == WHOLE
    assert everywhere(machine, version=CANDIDATE) == SHADOW


def test_the_targeting_key_names_model_and_version(machine):
    assert everywhere(machine, targetingKey=f"{MODEL}@{CHAMPION}") == WHOLE
    assert everywhere(machine, targetingKey=f"{MODEL}@{CANDIDATE}") == SHADOW


def test_a_version_in_the_context_goes_before_the_targeting_key(machine):
    assert everywhere(machine, version=CHAMPION, targetingKey=f"{MODEL}@{CANDIDATE}") == WHOLE


UNNAMED = {
    "none": {},
    "null": {"version": None},
    "unknown": {"version": "9.9.9"},
    "blank": {"version": ""},
    "with a blank": {"version": f"{CHAMPION} "},
    "with a v": {"version": f"v{CHAMPION}"},
    "a number": {"version": 1.1},
    "a list": {"version": [CHAMPION]},
    "true": {"version": True},
    "endless": {"version": "1" * 20_000},
    "half a character": {"version": "\ud800"},
    "a control character": {"version": f"{CHAMPION}\n"},
    "lists in lists": {"version": [[[[CHAMPION]]]]},
    "an object": {"version": {"version": CHAMPION}},
    "half a character in a key": {"targetingKey": f"{MODEL}@\ud800"},
    "another key": {"targetingKey": "desk-1"},
    "a key of another model": {"targetingKey": f"other@{CHAMPION}"},
    "a key without a version": {"targetingKey": f"{MODEL}@"},
    "a key of an unknown version": {"targetingKey": f"{MODEL}@9.9.9"},
    "a key that is a number": {"targetingKey": 7},
}


@pytest.mark.parametrize("context", UNNAMED.values(), ids=UNNAMED)
def test_without_a_known_version_each_flat_flag_says_what_to_send_and_control_stays_readable(machine, context):
    for name in NAMES:
        answer = machine.post(f"{ONE}.{name}", content=json.dumps({"context": context}))
        said = answer.json()
        assert (answer.status_code, said["key"]) == (400, f"models.{MODEL}.{name}")
        assert said["errorCode"] == "INVALID_CONTEXT"
        assert "`version`" in said["errorDetails"]
        assert f"{MODEL}@{CHAMPION}" in said["errorDetails"]
        assert len(said["errorDetails"]) < 800
    answer = machine.post(BULK, content=json.dumps({"context": context}))
    assert answer.status_code == 200
    entries = {entry["key"]: entry for entry in answer.json()["flags"]}
    for name in NAMES:
        entry = entries[f"models.{MODEL}.{name}"]
        assert (entry["errorCode"], "value" in entry) == ("INVALID_CONTEXT", False)
    for control in (
        entries[f"models.{MODEL}.control"],
        machine.post(f"{ONE}.control", content=json.dumps({"context": context})).json(),
    ):
        versions = control["value"]["versions"]
        assert versions[CHAMPION] == {"state": "full", "enabled": True, "allocation_pct": 100, "shadow_mode": False}
        assert versions[CANDIDATE] == {"state": "shadow", "enabled": True, "allocation_pct": 0, "shadow_mode": True}


def test_a_request_without_a_body_names_no_version(machine):
    assert flat(machine.post(BULK).json()) == INVALID
    assert machine.post(f"{ONE}.enabled").status_code == 400


def test_control_counts_revisions_and_kills_under_their_names(machine):
    value = machine.post(f"{ONE}.control", json={}).json()["value"]
    assert value["flags_revision"] > 0
    assert (value["kill_count"], value["version"], value["candidate"]) == (0, CHAMPION, CANDIDATE)


def tag(client, known=None, **context):
    headers = {} if known is None else {"if-none-match": known}
    answer = client.post(BULK, json={"context": context}, headers=headers)
    return answer.status_code, answer.headers["etag"]


WHO = [
    {"version": CHAMPION},
    {"version": CANDIDATE},
    {},
    {"version": "9"},
    {"version": 9},
    {"targetingKey": f"{MODEL}@{CHAMPION}"},
]


def test_entity_tags_differ_by_version_and_only_the_same_one_is_as_before(machine):
    tags = [tag(machine, **who)[1] for who in WHO]
    assert len(set(tags)) == len(tags)
    for mine, who in zip(tags, WHO, strict=True):
        assert tag(machine, mine, **who) == (304, mine)
        assert {tag(machine, other, **who)[0] for other in tags if other != mine} == {200}


def test_entity_tags_differ_by_version_even_while_both_read_the_same(own_server):
    own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
    client = own_server.client("machine")
    tags = {tag(client, **who)[1] for who in WHO}
    assert len(tags) == len(WHO)


def test_a_desk_that_sends_its_own_name_as_targeting_key_shares_its_tag(machine):
    assert tag(machine, targetingKey="desk-1") == tag(machine, targetingKey="desk-2")


@pytest.mark.parametrize("context", [*WHO, {"version": CHAMPION + " "}])
def test_a_killed_model_is_off_for_everybody_version_or_not(own_server, context):
    candidate(own_server.house.record, State.LIMITED)
    own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
    client = own_server.client("machine")
    assert everywhere(client, **context) == OFF
    said = client.post(f"{ONE}.enabled", json={"context": context}).json()
    assert (said["reason"], said["variant"]) == ("DISABLED", "killed")


@pytest.mark.parametrize(
    ("state", "champion", "gone"),
    [(State.ROLLED_BACK, WHOLE, OFF), (State.ROLLING_BACK, OFF, OFF), (State.ROLLBACK_STUCK, OFF, OFF)],
)
def test_a_version_on_its_way_back_reads_off_and_the_champion_returns_when_it_is_over(
    tmp_path_factory, state, champion, gone
):
    server = at(tmp_path_factory, state)
    try:
        client = server.client("machine")
        assert everywhere(client, version=CANDIDATE) == gone
        assert everywhere(client, version=CHAMPION) == champion
        said = client.post(f"{ONE}.enabled", json={"context": {"version": CANDIDATE}}).json()
        assert (said["reason"], said["variant"]) == ("DISABLED", state.value)
        assert everywhere(client) == (INVALID if champion == WHOLE else OFF)
    finally:
        server.stop()


@pytest.mark.parametrize(("share", "champion"), [("rest", 90), ("all", 100)])
def test_in_the_limited_phase_the_champion_trades_what_the_policy_says(tmp_path_factory, share, champion):
    phases = replace(POLICY.phases, champion_share_while_limited=ChampionShare(share))
    server = at(tmp_path_factory, State.LIMITED, policy=replace(POLICY, phases=phases))
    try:
        client = server.client("machine")
        assert everywhere(client, version=CHAMPION) == (True, champion, False)
        assert everywhere(client, version=CANDIDATE) == (True, 10, False)
        said = server.client().get(f"/api/v1/models/{MODEL}/flags", params={"version": CHAMPION}).json()
        assert said["flags"][f"models.{MODEL}.allocation_pct"] == champion
        assert said["versions"][CANDIDATE]["allocation_pct"] == 10
    finally:
        server.stop()


def test_a_candidate_that_reaches_full_allocation_is_told_to_whoever_asks_for_either_version(tmp_path_factory):
    server = at(tmp_path_factory, State.FULL)
    try:
        client = server.client("machine")
        assert (everywhere(client, version=CHAMPION), everywhere(client, version=CANDIDATE)) == (OFF, WHOLE)
    finally:
        server.stop()


# The desk's stream


def desk_of(server):
    key = server.house.ledger_key
    return FlagClient([server.url], token=server.tokens["machine"], keys={key.key_id: key.public_key}, models=[MODEL])


def read(desk, version=None):
    view = desk.flags(MODEL, version)
    return view.enabled, view.allocation_pct, view.shadow_mode


def test_a_desk_follows_the_flags_of_its_version(shadowed):
    desk = desk_of(shadowed).start()
    try:
        assert desk.wait_for(MODEL, CHAMPION).allocation_pct == 100
        assert (read(desk, CHAMPION), read(desk, CANDIDATE), read(desk), read(desk, "9")) == (WHOLE, SHADOW, OFF, OFF)
        assert desk.refused == {}
    finally:
        desk.stop()


def test_a_desk_sees_a_candidate_come_trade_and_go_while_its_champion_goes_on(own_server):
    record, desk = own_server.house.record, desk_of(own_server).start()

    def until(champion, of_candidate, unnamed):
        deadline = time.monotonic() + 20
        expected = (champion, of_candidate, unnamed)
        while (found := (read(desk, CHAMPION), read(desk, CANDIDATE), read(desk))) != expected:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    try:
        until(WHOLE, OFF, WHOLE)
        candidate(record, State.APPROVED)
        until(WHOLE, OFF, WHOLE)
        candidate(record, State.SHADOW)
        until(WHOLE, SHADOW, OFF)
        candidate(record, State.LIMITED)
        until((True, 90, False), (True, 10, False), OFF)
        candidate(record, State.ROLLING_BACK)
        until(OFF, OFF, OFF)
        candidate(record, State.ROLLED_BACK)
        until(WHOLE, OFF, WHOLE)
        assert desk.flags(MODEL, CANDIDATE).state == "rolled_back"
        own_server.client().post(f"/api/v1/models/{MODEL}/kill", json={"reason": "smoke"})
        until(OFF, OFF, OFF)
        assert {desk.flags(MODEL, version).state for version in (CHAMPION, CANDIDATE, "9", None)} == {"killed"}
        assert desk.refused == {}
    finally:
        desk.stop()


def notices(server, **query):
    """The first control that a stream tells, with the words under which it is signed."""
    headers = {"authorization": f"Bearer {server.tokens['machine']}"}
    asked = {"model": MODEL, "nonce": "n", **query}
    with httpx.stream("GET", f"{server.url}/api/v1/stream", params=asked, headers=headers, timeout=20) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        next(line for line in lines if line == "event: control")
        sealed = json.loads(next(lines).removeprefix("data: "))
    key = server.house.ledger_key
    verify, payload = pinned({key.key_id: key.public_key}), sealed["payload"].encode()
    signature = base64.b64decode(sealed["sig"])
    words = [f"signoff.flags.v{n}\n".encode() for n in (1, 2)]
    signed = [word.decode().strip() for word in words if verify(sealed["keyid"], signature, word + payload)]
    return signed, json.loads(payload)["control"]


def test_the_second_format_tells_each_version_with_its_share(shadowed):
    signed, control = notices(shadowed, notices=2)
    assert signed == ["signoff.flags.v2"]
    assert set(control) == {"model", "state", "version", "candidate", "versions", "flags_revision", "kill_count"}
    assert {v: s["allocation_pct"] for v, s in control["versions"].items()} == {CHAMPION: 100, CANDIDATE: 0}


EARLIER = {"rev", "model", "state", "version", "candidate", "enabled", "allocation_pct", "shadow_mode", "epoch"}


def test_a_desk_of_an_earlier_release_reads_closed_beside_a_candidate(shadowed):
    signed, control = notices(shadowed)
    assert (signed, set(control)) == (["signoff.flags.v1"], EARLIER)
    assert tuple(control[name] for name in NAMES) == OFF


def test_a_desk_of_an_earlier_release_reads_the_only_version_alive(served):
    signed, control = notices(served)
    assert signed == ["signoff.flags.v1"]
    assert (tuple(control[name] for name in NAMES), control["version"]) == (WHOLE, CHAMPION)


@pytest.mark.parametrize("asked", ["0", "3", "two", ""])
def test_a_format_that_is_none_is_refused(served, asked):
    answer = served.client("machine").get("/api/v1/stream", params={"notices": asked})
    assert answer.status_code == 422
