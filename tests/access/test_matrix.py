"""Every route, asked as every duty: the table and nothing else decides."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from signoff.adapters.store_memory import MemoryStore
from signoff.app.people import enrol
from signoff.config.settings import settings
from signoff.domain.access import (
    APART,
    DUTY_OF,
    MATRIX,
    NEEDS_FRESH_SIGN_IN,
    NEEDS_SIGN_IN,
    PERSONAL,
    Duty,
    Verb,
    compatible,
    permitted,
)
from signoff.domain.errors import RefusedError
from signoff.domain.policy import Role
from signoff.http.access import verb_of
from signoff.http.app import create_app
from signoff.wiring import House

DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"
APPROVING = {Verb.APPROVE, Verb.REJECT, Verb.MEET, Verb.OVERRIDE, Verb.ADOPT, Verb.REARM}
# The first three say nothing of any model or person; the others are how somebody becomes known, or tell of themselves.
OPEN = {"/healthz", "/readyz", "/api/v1/permissions"} | {
    f"/auth/{name}" for name in ("sign-in", "callback", "session", "hand-over", "sign-out", "sign-out-everywhere")
}
STREAMS = {"/api/v1/stream", "/ofrep/v1/events"}


def routes_of(app):
    """Every route with its verb, through routers that were included."""

    def walk(routes):
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            elif inner := getattr(getattr(route, "original_router", route), "routes", None):
                yield from walk(inner)

    return list(walk(app.routes))


def test_every_route_names_its_verb_or_is_open_on_purpose(app):
    found = routes_of(app)
    assert len(found) > 20
    assert {route.path for route in found if verb_of(route) is None} == OPEN


def test_the_page_shows_the_matrix():
    shown = {}
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    duties = [Duty(cell.strip().replace(" ", "_")) for cell in lines[0].strip("|").split("|")[1:]]
    for line in lines[1:]:
        verb, *cells = [cell.strip() for cell in line[1:-1].split("|")]
        shown |= {(duty, Verb(verb)): cell == "●" for duty, cell in zip(duties, cells, strict=True)}
    assert shown == {(duty, verb): verb in MATRIX[duty] for duty in Duty for verb in Verb}


def test_the_server_answers_the_matrix(client):
    said = client.get("/api/v1/permissions").json()["duties"]
    assert said == {duty.value: sorted(MATRIX[duty]) for duty in Duty}


def test_an_auditor_changes_nothing_and_an_administrator_approves_nothing():
    assert MATRIX[Duty.AUDITOR] == {Verb.READ, Verb.READ_FLAGS, Verb.EXPORT}
    assert not MATRIX[Duty.ADMINISTRATOR] & APPROVING
    assert not MATRIX[Duty.MACHINE] & (PERSONAL | {Verb.START, Verb.ADVANCE, Verb.RESUME})


@pytest.mark.parametrize("apart", sorted(APART))
def test_a_duty_that_stands_apart_gains_nothing_from_another(apart):
    assert permitted({apart, Duty.RISK}) == MATRIX[apart]
    with pytest.raises(RefusedError, match=apart.value):
        compatible({apart, Duty.RISK})


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A server, and a token of every scope that it may have, for each duty that a role brings and for a machine."""
    house = House(settings(home=str(tmp_path_factory.mktemp("home"))))
    house.__dict__["store"] = MemoryStore()
    secrets = {}
    for role in Role:
        enrol(house.record, name=role.value, roles=(role,), key_id=role.value, public_key="p", actor="owner")
        scopes = MATRIX[DUTY_OF[role]]
        secrets[DUTY_OF[role]] = house.accounts.issue_token(role.value, scopes=scopes, actor="owner").secret
    scopes = MATRIX[Duty.MACHINE]
    issued = house.accounts.issue_token("ci", scopes=scopes, is_machine=True, actor="owner")
    secrets[Duty.MACHINE] = issued.secret
    with TestClient(create_app(house), raise_server_exceptions=False) as client:
        yield client, secrets


@pytest.mark.parametrize("duty", [*DUTY_OF.values(), Duty.MACHINE])
def test_every_route_refuses_exactly_those_whom_the_table_refuses(installation, duty):
    client, secrets = installation
    wrong = []
    for route in routes_of(client.app):
        verb = verb_of(route)
        if verb is None or (route.path in STREAMS and verb in MATRIX[duty]):
            continue  # a stream that is allowed does not end
        for method in route.methods:
            path = route.path.replace("{", "x-").replace("}", "")
            status = client.request(method, path, headers={"Authorization": f"Bearer {secrets[duty]}"}).status_code
            is_expected = verb not in MATRIX[duty] or verb in NEEDS_SIGN_IN | NEEDS_FRESH_SIGN_IN
            if status in {401, 500} or (status == 403) != is_expected:
                wrong.append((method, route.path, verb.value, status))
    assert wrong == []


def test_nobody_without_a_token_gets_past_any_route(installation):
    client, _ = installation
    for route in routes_of(client.app):
        if verb_of(route) is not None:
            for method in route.methods:
                assert client.request(method, route.path).status_code == 401, (method, route.path)
