"""To add a verb takes a row, the use case and its test: a toy verb is reached on every face by its row alone."""

import json
from typing import Annotated

import pytest
from fastapi.testclient import TestClient
from pydantic import Field
from signed_in import begun
from typing_extensions import TypedDict

from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.people import grant
from signoff.config.settings import settings
from signoff.domain.errors import ConflictError, NotFoundError
from signoff.domain.permissions import AccessRole, ForbiddenError, Permission
from signoff.http import sessions
from signoff.http.app import create_app
from signoff.installation import Installation
from signoff.verbs.bodies import Body, Name, Text
from signoff.verbs.catalogue import CATALOGUE, Row, UnwrittenError, plain
from signoff.verbs.local import Local
from signoff.verbs.remote import Remote


class ToastDocument(TypedDict):
    """What was toasted, and how often."""

    model: str
    slices: int
    by: str
    note: str


class ToastRequest(Body):
    note: Text = ""
    browning: Annotated[tuple[Name, ...], Field(max_length=3)] = ()


def toasts(local: Local, model: str, *, slices: int = 1) -> ToastDocument:
    """Look at the toasts of a model."""
    if model == "nothing":
        raise NotFoundError("Expected a model, found 'nothing'.")
    return {"model": model, "slices": slices, "by": local.actor, "note": ""}


def toast(local: Local, model: str, *, note: str, browning: tuple[Name, ...] = ()) -> ToastDocument:
    """Toast a model."""
    if note == "burn":
        raise ConflictError("Expected a note that burns nothing, found 'burn'.")
    return {"model": model, "slices": len(browning), "by": local.actor, "note": note}


SLICES = {"slices": (Annotated[int, Field(ge=1, le=9)], 1)}
LOOKED = Row(Permission.READ, "GET", "/toasts/{model}", tag="toys", name="toasts", carry_out=toasts, query=SLICES)
TOASTED = Row(
    Permission.REVIEW,
    "POST",
    "/toasts/{model}",
    tag="toys",
    name="toast",
    says="Toast a model.",
    carry_out=toast,
    body=ToastRequest,
)


class Toasting(Remote):
    """The verbs at a server with the toy, declared as the catalogue declares its own."""

    @plain(Permission.REVIEW, "POST /toasts/{model}", tag="toys", carry_out=toast, body=ToastRequest)
    def toast(self, model: str, *, note: str, browning: tuple[str, ...] = ()) -> ToastDocument:
        """Toast a model."""
        raise UnwrittenError


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    home = settings(home=str(tmp_path_factory.mktemp("toys") / "home"))
    made = Installation(home).with_parts(store=MemoryStore(), shelf=MemoryTtlStore())
    grant(made.record, "R. Moreau", frozenset({AccessRole.RISK}), actor="owner")
    grant(made.record, "L. Adler", frozenset({AccessRole.AUDITOR}), actor="owner")
    return made


@pytest.fixture(scope="module")
def app(house):
    return create_app(house, rows=(*CATALOGUE, LOOKED, TOASTED))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, base_url="http://testserver/api/v1", raise_server_exceptions=False) as client:
        yield client


def bearing(house, name):
    return {"authorization": f"Bearer {sessions.PREFIX}{begun(house, name)[0]}"}


@pytest.fixture
def remote(client, house):
    client.headers.update(bearing(house, "R. Moreau"))
    yield Toasting(client, keys=lambda person: None)
    del client.headers["authorization"]


def test_a_row_is_a_route_that_takes_its_path_and_query_and_answers_the_document(client, house):
    answered = client.get("/toasts/momentum", params={"slices": 3}, headers=bearing(house, "L. Adler"))
    assert (answered.status_code, answered.json()) == (
        200,
        {"model": "momentum", "slices": 3, "by": "L. Adler", "note": ""},
    )


def test_its_permission_is_held_and_nobody_comes_in_without_one(client, house):
    assert client.post("/toasts/momentum", json={"note": "n"}).status_code == 401
    answered = client.post("/toasts/momentum", json={"note": "n"}, headers=bearing(house, "L. Adler"))
    assert (answered.status_code, answered.json()["type"]) == (403, "urn:signoff:forbidden")
    assert client.post("/toasts/momentum", json={}, headers=bearing(house, "R. Moreau")).status_code == 200


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"json": {"note": 1}}, 422, "badinput"),
        ({"json": {"crumbs": "yes"}}, 422, "badinput"),
        ({"json": {"browning": ["a", "b", "c", "d"]}}, 422, "badinput"),
        ({"json": {"note": "burn"}}, 409, "conflict"),
        ({"content": b"no json"}, 422, "badinput"),
    ],
)
def test_its_body_and_its_errors_are_answered_as_those_of_every_verb(client, house, how, status, code):
    answered = client.post("/toasts/momentum", headers=bearing(house, "R. Moreau"), **how)
    assert (answered.status_code, answered.json()["type"]) == (status, f"urn:signoff:{code}")


def test_its_answer_is_kept_for_the_same_idempotency_key(client, house):
    headers = bearing(house, "R. Moreau") | {"idempotency-key": "once"}
    first, second = (client.post("/toasts/momentum", json={"note": "n"}, headers=headers) for _ in range(2))
    assert (first.json(), second.headers["idempotent-replayed"]) == (second.json(), "true")
    assert client.post("/toasts/momentum", json={"note": "other"}, headers=headers).status_code == 409


def test_it_is_asked_of_a_server_by_its_row_and_by_its_name(remote):
    assert remote.ask(LOOKED, model="a b", slices=2) == {"model": "a b", "slices": 2, "by": "R. Moreau", "note": ""}
    assert remote.toast("m", note="n", browning=("x", "y")) == {
        "model": "m",
        "slices": 2,
        "by": "R. Moreau",
        "note": "n",
    }
    assert remote.toast("m", note="n")["slices"] == 0


def test_its_errors_come_back_to_who_asked_as_what_they_are(remote, client, house):
    with pytest.raises(NotFoundError, match="found 'nothing'"):
        remote.ask(LOOKED, model="nothing")
    with pytest.raises(ConflictError, match="burns nothing"):
        remote.toast("m", note="burn")
    client.headers.update(bearing(house, "L. Adler"))
    with pytest.raises(ForbiddenError, match="to review takes one of"):
        remote.toast("m", note="n")


def test_it_stands_in_the_description_with_its_words_its_answers_and_who_may(app):
    described = app.openapi()
    looked, toasted = (described["paths"]["/api/v1/toasts/{model}"][method] for method in ("get", "post"))
    assert (toasted["tags"], toasted["description"]) == (["toys"], "Toast a model.")
    assert toasted["security"] == [{"token": []}, {"session": [], "csrf": []}]
    assert {"200", "401", "403", "404", "409", "413", "422", "500", "503"} <= set(toasted["responses"])
    assert "ToastRequest" in json.dumps(toasted["requestBody"])
    assert "ToastDocument" in described["components"]["schemas"]
    assert {(parameter["name"], parameter["in"]) for parameter in looked["parameters"]} == {
        ("model", "path"),
        ("slices", "query"),
    }
    assert "Idempotency-Key" in {parameter["name"] for parameter in toasted["parameters"]}


def test_without_its_row_there_is_no_such_route(house):
    with TestClient(create_app(house), base_url="http://testserver/api/v1") as client:
        assert client.get("/toasts/momentum", headers=bearing(house, "R. Moreau")).status_code == 404
