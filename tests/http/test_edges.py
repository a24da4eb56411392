"""What stands before every route: it may hold nobody up, least of all somebody who stops a model."""

import time

import anyio
import pytest

from signoff.http import edges
from signoff.http.edges import MOST_JSON, Edges, depth
from signoff.http.uploads import ARCHIVE

JSON = "application/json"


def asked(path, kind, *parts, app=None):
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

    headers = [(b"content-type", kind.encode())]
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
    """It is measured where every request passes, before anybody is known: one that takes minutes stops all kills."""
    began = time.perf_counter()
    depth(body)
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize("before", [b"", b" ", b"\n\t", b"\xef\xbb\xbf"])
def test_what_stands_before_a_body_hides_no_depth(before):
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
def test_to_call_a_body_an_archive_makes_no_room_where_none_is_taken(path):
    status, taken = asked(path, ARCHIVE, *[bytes(MOST_JSON)] * 5)
    assert (status, taken) == (413, 2 * MOST_JSON)


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
