"""Expensive bodies, with and without credentials, do not hold up kills and flags."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from http_server import Served

LARGE = 1 << 20
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
KEYS = b"{" + b",".join(b'"%x":0' % n for n in range(LARGE // 10)) + b"}"
FLOODS = {
    "fields": ("/stop", FORM, b"a=1&" * (LARGE // 4)),
    "escaped fields": ("/stop", FORM, b"%41=%41&" * (LARGE // 8)),
    "brackets": ("/api/v1/models/momentum/kill", JSON, b"[" + b"[]," * (LARGE // 3) + b"0]"),
    "keys": ("/api/v1/kill", JSON, KEYS),
    "texts": ("/api/v1/models/momentum/kill", JSON, b"[" + b'"",' * (LARGE // 3) + b"0]"),
    "closers": ("/healthz", JSON, b"[]" * (LARGE // 2)),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("floods") / "home").start()
    yield server
    server.stop()


def goes_on(server):
    """A kill and a question for flags are answered."""
    assert server.client().post("/api/v1/models/momentum/kill", json={"reason": "drill"}).status_code == 200
    assert server.client("machine").post("/ofrep/v1/evaluate/flags").status_code == 200


def memory_of(server):
    """Bytes that the server's process holds."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def answers_to(server, path, kind, body, *, times, token=None):
    """The statuses of so many requests with the same body over one connection."""
    headers = {"content-type": kind} | ({} if token is None else {"authorization": f"Bearer {token}"})
    peer = HTTPConnection("127.0.0.1", server.port, timeout=60)
    found = []
    for _ in range(times):
        peer.request("POST", path, body, headers)
        with peer.getresponse() as answer:
            answer.read()
            found.append(answer.status)
    peer.close()
    return found


def withstood(server, path, kind, body, token=None):
    """The statuses that a flood is answered with, while kills go on."""
    before = memory_of(server)
    with ThreadPoolExecutor(8) as pool:
        flood = [pool.submit(answers_to, server, path, kind, body, times=6, token=token) for _ in range(8)]
        for _ in range(4):
            began = time.monotonic()
            goes_on(server)
            assert time.monotonic() - began < 3
    assert memory_of(server) - before < 200 << 20
    return {status for each in flood for status in each.result()}


@pytest.mark.abuse
@pytest.mark.parametrize("name", FLOODS)
def test_large_bodies_of_strangers_are_refused_unread(served, name):
    assert withstood(served, *FLOODS[name]) == {401}


@pytest.mark.abuse
@pytest.mark.parametrize("name", FLOODS)
def test_large_bodies_under_a_token_that_is_none_are_refused_unread(served, name):
    assert withstood(served, *FLOODS[name], token="made-up") == {413}


@pytest.mark.abuse
@pytest.mark.parametrize("name", FLOODS)
def test_bodies_as_large_as_an_order_may_be_hold_up_no_kill(served, name):
    path, kind, body = FLOODS[name]
    assert withstood(served, path, kind, body[:32_000], token="made-up") <= {400, 401, 404, 405, 422}


def test_a_form_of_many_fields_stops_nothing_and_says_so(served):
    said = served.client().post("/stop", content=b"a=1&" * 1000, headers={"content-type": FORM})
    assert (said.status_code, "at most 20 fields" in said.text) == (422, True)


def test_many_slips_are_told_in_few_words(served):
    body = b"{" + b",".join(b'"%x":0' % n for n in range(9_000)) + b"}"
    client = served.client("head_of_trading")
    said = client.post("/api/v1/deployments/momentum-1.1.0-adopted/pause", content=body, headers={"content-type": JSON})
    assert (said.status_code, len(said.json()["errors"])) == (422, 20)
    assert "more of these" in said.json()["detail"]
    assert len(said.content) < 40_000


@pytest.mark.parametrize("key", ["k" * 200_000, "\\ud800", "\\u0000" * 1000])
def test_a_key_that_nobody_can_read_is_told_shortly(served, key):
    body = f'{{"{key}":0}}'.encode()
    client = served.client("head_of_trading")
    said = client.post("/api/v1/deployments/momentum-1.1.0-adopted/pause", content=body, headers={"content-type": JSON})
    assert said.status_code == 422
    assert len(said.content) < 10_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"desk":"nope","reason":"r","desk":null}',
        b'{"desk":null,"reason":"r","desk":"nope"}',
        b'{"reason":"r","reason":"s"}',
        b'{"desk":"nope","reason":"r","d\\u0065sk":null}',
    ],
)
def test_an_order_that_says_two_things_is_not_guessed_at(served, body):
    said = served.client().post("/api/v1/kill", content=body, headers={"content-type": JSON})
    assert said.status_code == 422
    assert "twice" in said.json()["detail"]


@pytest.mark.parametrize("reason", [b"\\ud83d", b"cut off \\udc00", b"\\udfff\\ud800", b"\\u0000\\ud800"])
@pytest.mark.parametrize("path", ["/api/v1/models/momentum/kill", "/api/v1/kill"])
def test_half_a_character_in_a_reason_costs_no_kill(served, path, reason):
    body = b'{"reason":"' + reason + b'"}'
    said = served.client().post(path, content=body, headers={"content-type": JSON, "idempotency-key": repr(body)})
    assert said.status_code == 200, said.text


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u4e2d", "\U0001f600"])
@pytest.mark.parametrize("path", ["/api/v1/models/momentum/kill", "/api/v1/kill"])
def test_the_longest_reason_still_stops_however_it_is_written(served, path, letter):
    said = served.client().post(path, content=json.dumps({"reason": letter * 2000}), headers={"content-type": JSON})
    assert said.status_code == 200, said.text
