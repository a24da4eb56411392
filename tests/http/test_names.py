"""What cannot be a name is refused by every route that takes one, over either database, with what to do."""

import json

import httpx
import postgres
import pytest
from http_server import Served

from signoff.adapters.database import initialise
from signoff.domain.names import MOST

ASKED = [
    ("GET", "/deployments/{}"),
    ("GET", "/deployments?after={}"),
    ("GET", "/deployments?model={}"),
    ("GET", "/history/{}"),
    ("GET", "/models/{}/flags"),
    ("GET", "/people?after={}"),
    ("GET", "/tokens?after={}"),
    ("POST", "/deployments/{}/pause"),
    ("POST", "/models/{}/kill"),
    ("POST", "/proposals/{}/confirm"),
    ("DELETE", "/tokens/{}"),
]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def either(request, tmp_path_factory):
    database = None
    if request.param == "postgresql":
        url = postgres.fresh_database()
        initialise(url, role="signoff_app")
        database = postgres.as_role(url, "signoff_app")
    server = Served(tmp_path_factory.mktemp("named") / "home", database=database).start()
    yield server
    server.stop()


def test_what_cannot_be_a_name_is_refused_and_never_looked_up(either):
    client, found = either.client(), []
    people = either.signed_in("risk_manager")
    for name in ("%00", "a%0Ab", "%7F", "%C2%85", "x" * (MOST + 1)):
        for method, path in ASKED:
            body = {"content": json.dumps({"reason": "r"} if "kill" in path else {})} if method == "POST" else {}
            answer = client.request(method, "/api/v1" + path.format(name), headers=people, **body)
            said = answer.json()["detail"]
            if (answer.status_code, "kill" in path, name) == (404, True, "a%0Ab"):
                continue  # no address of a kill holds the end of a line
            if answer.status_code != 403 and (answer.status_code, "Expected a name of 1 to" in said) != (422, True):
                found.append((method, path, name, answer.status_code, said))
    assert found == []
    assert either.house.kills.pending() == ()


def test_a_kill_that_was_journaled_under_what_no_database_can_hold_is_recorded_all_the_same(either):
    switch = either.house.kill_switch
    switch.begin("mo\x00mentum", reason="an earlier release took it", actor="t")
    assert switch.reconcile() == 0
    assert either.house.record.latch(r"mo\x00mentum").is_latched
    assert either.house.kills.pending() == ()


def test_a_kill_sent_again_under_its_key_is_one_kill_and_another_order_is_another(either):
    key = {"idempotency-key": "k-1"}
    path = "/api/v1/models/carry/kill"
    first = either.client().post(path, json={"reason": "orders at ten times the size"}, headers=key)
    again = either.client().post(path, json={"reason": "orders at ten times the size"}, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = either.client().post(path, json={"reason": "another reason"}, headers=key)
    unnamed = either.client().post(path, json={"reason": "another reason"})
    assert len({answer.json()["kill"] for answer in (first, other, unnamed)}) == 3
    assert either.house.record.latch("carry").kill_count == 3


def test_the_answer_to_a_name_that_is_too_long_does_not_repeat_it(either):
    answer = httpx.get(f"{either.url}/api/v1/deployments/{'x' * 5000}", headers=either.signed_in("risk_manager"))
    assert answer.status_code == 422
    assert len(answer.text) < 1000
