"""The middleware before every route is cheap, so that it never delays a kill."""

import time

import anyio
import pytest

from signoff.http import middleware as edges
from signoff.http.middleware import (
    MOST_BRACKETS,
    MOST_JSON,
    MOST_OF_STRANGERS,
    MOST_ORDER,
    MOST_QUOTES,
    Edges,
    depth,
    repeated_key,
)
from signoff.http.uploads import ARCHIVE

JSON = "application/json"


def asked(path, kind, *parts, app=None, further=((b"authorization", b"Bearer x"),)):
    """The status of one request that comes in these parts, and how many bytes were taken of it."""
    waiting, taken, answers = list(parts), 0, []

    async def receive():
        nonlocal taken
        part = waiting.pop(0) if waiting else b""
        taken += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message):
        answers.append(message)

    async def refuses_unread(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    headers = [(b"content-type", kind.encode()), *further]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    anyio.run(Edges(app or refuses_unread), scope, receive, send)
    return answers[0]["status"], taken


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b'\\"' * (MOST_JSON // 2 - 1),
        b'"' * MOST_JSON,
        b'{"' + b"\\\n" * (MOST_JSON // 2 - 1),
        b'{"' + b"\\" * (MOST_JSON - 2),
        b"[" * MOST_JSON,
    ],
    ids=["escaped quotes", "quotes", "escaped line ends", "backslashes", "brackets"],
)
def test_no_body_takes_long_to_measure(body):
    """Every request passes here before authentication, so a body that took minutes would delay every kill."""
    began = time.perf_counter()
    depth(body)
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize("before", [b"", b" ", b"\n\t", b"\xef\xbb\xbf"])
def test_bytes_before_a_body_hide_no_depth(before):
    assert asked("/api/v1/tokens", JSON, before + b"[" * 41 + b"]" * 41)[0] == 422


@pytest.mark.parametrize(
    ("body", "levels"),
    [(b'{"a":"[[[["}', 1), (b'{"a\\"[[":1}', 1), (b'{"a\\\\":[[1]]}', 3), (b'{"a":"[[', 1), (b"", 0), (b"[[]]{}", 2)],
)
def test_brackets_within_texts_are_not_counted(body, levels):
    assert depth(body) == levels


@pytest.mark.parametrize(
    "path", ["/api/v1/models/m/kill", "/api/v1/tokens", "/ofrep/v1/evaluate/flags", "/api/v1/deployments/m/pause"]
)
def test_the_content_type_of_an_archive_raises_no_limit_where_archives_are_not_taken(path):
    status, taken = asked(path, ARCHIVE, *[bytes(MOST_JSON)] * 5)
    assert status == 413
    assert taken <= 2 * MOST_JSON


ORDERS = [
    "/api/v1/kill",
    "/api/v1/models/m/kill",
    "/api/v1/models/a\nb/c/kill",
    "/stop",
    "/ofrep/v1/evaluate/flags/k",
    "/api/v1/deployments/d/rollback",
    "/api/v1/deployments/d/attest-flat",
]


@pytest.mark.parametrize("path", ORDERS)
def test_the_body_of_an_exit_has_a_small_limit(path):
    assert asked(path, JSON, b" " * MOST_ORDER)[0] == 401
    assert asked(path, JSON, b" " * (MOST_ORDER + 1), b" ") == (413, MOST_ORDER + 1)


@pytest.mark.parametrize("path", [*ORDERS, "/api/v1/tokens", "/auth/sign-out", "/nowhere"])
def test_a_stranger_is_told_so_before_a_long_body_is_read(path):
    parts = [b" " * MOST_OF_STRANGERS, b" ", b" " * 100]
    assert asked(path, JSON, *parts, further=()) == (401, MOST_OF_STRANGERS + 1)
    announced = ((b"content-length", b"%d" % (MOST_OF_STRANGERS + 1)),)
    assert asked(path, JSON, *parts, further=announced) == (401, 0)
    other = (*announced, (b"cookie", b"theme=dark; signoff-x=1; xsignoff=2"))
    assert asked(path, JSON, *parts, further=other) == (401, 0)


@pytest.mark.parametrize("name", [b"signoff", b"__Host-signoff"])
def test_a_request_with_a_session_gets_the_limit_of_accounts(name):
    by_cookie = ((b"cookie", b"theme=dark; " + name + b"=abc"),)
    assert asked("/api/v1/policy/proposals", JSON, b" " * 100_000, further=by_cookie) == (401, 100_000)


@pytest.mark.parametrize("length", [b"1e9", b"9" * 5000, b"\xb2", b"-1"])
def test_an_invalid_content_length_breaks_nothing(length):
    assert asked("/api/v1/kill", JSON, b"{}", further=((b"content-length", length),))[0] in {401, 413}


@pytest.mark.parametrize("pair", [b"[],", b"{},", b"]", b"[[]],"])
def test_many_brackets_are_refused_unmeasured(pair, monkeypatch):
    monkeypatch.setattr(edges, "depth", lambda _: pytest.fail("it was measured"))
    assert asked("/api/v1/tokens", JSON, pair * MOST_BRACKETS + pair)[0] == 422


@pytest.mark.parametrize("text", [b'""', b'"a":1,', b'\\"\\"'])
def test_many_quotes_are_refused_unmeasured(text, monkeypatch):
    monkeypatch.setattr(edges, "depth", lambda _: pytest.fail("it was measured"))
    assert asked("/api/v1/tokens", JSON, text * MOST_QUOTES)[0] == 422


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"desk":"nope","reason":"r","desk":null}', "desk"),
        (b'{"desk":"nope","reason":"r","d\\u0065sk":null}', "desk"),
        (b'{"reason":"r","reason":"r"}', "reason"),
        (b'{"a":[{"b":1,"b":1}]}', "b"),
        ('{"desk":"x","desk":null}'.encode("utf-16"), "desk"),
        (b'{"desk":"desk","reason":{"desk":1}}', None),
        (b"a=1&a=2", None),
        (b"", None),
        (b"1" * 5000, None),
    ],
)
def test_a_repeated_key_is_found(body, key):
    assert repeated_key(body) == key
    assert asked("/api/v1/kill", JSON, body)[0] == (401 if key is None else 422)


@pytest.mark.parametrize("path", ["deployments", "checks", "memos", "models/m/rehearsals"])
def test_an_archive_is_not_read_before_its_sender_is_known(path):
    assert asked(f"/api/v1/{path}", ARCHIVE, *[bytes(MOST_JSON)] * 5) == (401, 0)


def test_an_archive_is_read_up_to_its_limit_and_no_further(monkeypatch):
    from fastapi import FastAPI, Request

    from signoff.http.problems import answer_problems

    monkeypatch.setattr(edges, "MOST_BYTES", 1000)
    app = FastAPI()
    answer_problems(app)

    @app.post("/api/v1/checks")
    async def check(request: Request):
        return len(await request.body())

    assert asked("/api/v1/checks", ARCHIVE, bytes(500), bytes(500), app=app)[0] == 200
    assert asked("/api/v1/checks", ARCHIVE, *[bytes(500)] * 9, app=app) == (413, 1500)
