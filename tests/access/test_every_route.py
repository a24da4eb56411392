"""Every route, asked as every duty, of a release in every state: who may not is refused, and nothing changes.

Three lists make many thousand questions. What a duty forbids is asked in a quarter of the states, another quarter for
each route and duty; what a route does in a state is asked as two of the duties that may, others in each state.
"""

from dataclasses import replace
from itertools import count

import asgi
import pytest
from fastapi.routing import APIRoute
from signed_in import begun
from standing import way_to

from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.people import enrol, grant
from signoff.app.record import PEOPLE, StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.errors import NotFoundError
from signoff.domain.permissions import APART, DUTY_OF, MATRIX, PERSONAL, AccessRole, Permission
from signoff.http import releases, sessions
from signoff.http.access import verb_of
from signoff.http.app import create_app
from signoff.installation import Installation

# The first three say nothing of any model or person; the others are how somebody becomes known, or tell of themselves.
OPEN = {"/healthz", "/readyz", "/api/v1/permissions"} | {
    f"/auth/{name}" for name in ("sign-in", "callback", "session", "hand-over", "sign-out", "sign-out-everywhere")
}
# Pages are scripts and words without data; what they show they ask for by the other routes.
OPEN |= {"/credentials", "/sign/{deployment_id}", "/rearm/{model}", "/pages/{name}"}
ENDLESS = {"/api/v1/stream", "/ofrep/v1/events"}
SIGNATURE = {"role": "cto", "envelope": "{}"}
BODIES = {
    "statements": {"role": "cto", "verdict": "approve"},
    "approvals": SIGNATURE,
    "overrides": SIGNATURE,
    "rejections": SIGNATURE,
    "rearm": SIGNATURE,
    "adoptions": {"version": "1", **SIGNATURE},
    "conditions": {"role": "cto", "condition": "daily review"},
    "pause": {"reason": "manual"},
    "resume": {"reason": "manual"},
    "attest-flat": {"reason": "looked"},
    "items-done": {"item": "Retrospective"},
    "sessions-not-held": {"session": "2019-01-04", "reason": "storm"},
    "proposals": {"change": {"kind": "duties_granted", "name": "New", "duties": ["operator"]}},
    "withdrawals": {"name": "Nobody", "powers": ["cto"]},
    "unbindings": {"issuer": "https://id.example.com", "subject": "nobody"},
    "vouchers": {"envelope": "{}"},
    "withdraw": {"reason": "lost"},
    "tokens": {"holder": "desk-9", "is_machine": True},
}
# What takes an archive is sent none: whether one may is settled before it is looked at.
UPLOADS = {"deployments", "checks", "memos", "rehearsals"}
STATES = list(State)
NUMBERS = count(1)


def routes_of(app):
    def walk(routes):
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            elif inner := getattr(getattr(route, "original_router", route), "routes", None):
                yield from walk(inner)

    return [(verb_of(route), route, method) for route in walk(app.routes) for method in sorted(route.methods)]


@pytest.fixture(scope="module", params=STATES)
def state(request):
    return request.param


@pytest.fixture(scope="module")
def installation(state, tmp_path_factory):
    """A server over memory, with somebody freshly signed in for each duty, and a machine: one for each state."""
    home = settings(home=str(tmp_path_factory.mktemp("home")))
    house = Installation(home).with_parts(store=MemoryStore(), shelf=MemoryTtlStore())
    bearers = {}
    role_of = {duty: role for role, duty in DUTY_OF.items()}
    for duty in AccessRole:
        if duty is AccessRole.MACHINE:
            scopes = MATRIX[duty] - PERSONAL
            bearers[duty] = house.accounts.issue_token("ci", scopes=scopes, is_machine=True, actor="owner").secret
            continue
        if duty in role_of:
            enrol(house.record, name=duty, roles=(role_of[duty],), key_id=duty, public_key="p", actor="owner")
        else:
            grant(house.record, duty, frozenset({duty}), actor="owner")
        bearers[duty] = sessions.PREFIX + begun(house, duty)[0]
    with asgi.running(create_app(house)) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(releases, "carried_out", not_here)
        yield house, client, bearers


def not_here(*_, **__):
    """Stands for a process of its own, whose home is not the memory that is asked here."""
    raise NotFoundError("no such release in the home of another process")


def test_every_route_names_its_verb_or_is_open_on_purpose(installation):
    _, client, _ = installation
    found = routes_of(client.app)
    assert len(found) > 40
    assert {route.path for verb, route, _ in found if verb is None} == OPEN


def test_every_route_and_duty_and_state_have_their_turn(installation):
    _, client, _ = installation
    routes = list(enumerate(routes_of(client.app)))
    for duty in AccessRole:
        refused = [(number, verb) for number, (verb, *_) in routes if verb is not None and verb not in MATRIX[duty]]
        assert all(sum(is_a_turn(duty, state, number) for state in STATES) >= len(STATES) // 4 for number, _ in refused)
    for _, (verb, *_) in routes:
        askers = {
            duty
            for state in STATES
            for duty in AccessRole
            if verb and verb in MATRIX[duty] and is_asked_as(duty, state, verb)
        }
        assert askers == {duty for duty in AccessRole if verb in MATRIX[duty]}


def test_nobody_without_a_token_gets_past_any_route(installation):
    _, client, _ = installation
    for verb, route, method in routes_of(client.app):
        if verb is not None:
            assert client.status_of(method, route.path) == 401, (method, route.path)


def opened(house, state):
    """The name of a model of its own, whose one release came to this state by events."""
    model = f"m{next(NUMBERS)}"
    first, *later = way_to(state)
    first = replace(first, deployment=f"{model}-2", model=model, previous_version=None, previous_deployment=None)
    change = StreamChange(stream=deployment_stream(f"{model}-2"), state=None, events=(first, *later))
    house.record.commit(change, actor="t", key=f"opened:{model}")
    return model


def asked(client, bearer, route, method, model):
    path = route.path_format.format(
        deployment_id=f"{model}-2",
        model=model,
        name=f"{model}-2",
        proposal="0" * 16,
        edition="e",
        path="f",
        key=f"{model}.enabled",
        credential="c",
        token="t",
    )
    last = path.rpartition("/")[2]
    body = {"content": b"no archive"} if last in UPLOADS else {"json": BODIES.get(last, {})}
    headers = {"authorization": f"Bearer {bearer}"} | ({"content-type": "application/zip"} if last in UPLOADS else {})
    return client.status_of(method, path, headers=headers, **(body if method == "POST" else {}))


def is_a_turn(duty, state, number):
    """Whether the route of this number is asked what it forbids this duty in this state."""
    return (number + list(AccessRole).index(duty) + STATES.index(state)) % 4 == 0


def is_asked_as(duty, state, verb):
    """Whether this duty is one of the two that ask a route of this verb in this state."""
    allowed = [other for other in AccessRole if verb in MATRIX[other]]
    first = STATES.index(state) % len(allowed)
    return duty in (allowed[first], allowed[(first + 1) % len(allowed)])


@pytest.mark.parametrize("duty", AccessRole)
def test_what_the_table_forbids_is_refused_in_every_state_and_changes_nothing(installation, duty, state):
    house, client, bearers = installation
    model = opened(house, state)
    wrong = []
    for number, (verb, route, method) in enumerate(routes_of(client.app)):
        if verb is None or verb in MATRIX[duty] or not is_a_turn(duty, state, number):
            continue
        before = house.store.size(), house.store.load(f"deployment/{model}-2"), house.store.load(PEOPLE)
        status = asked(client, bearers[duty], route, method, model)
        after = house.store.size(), house.store.load(f"deployment/{model}-2"), house.store.load(PEOPLE)
        if status != 403 or before != after:
            wrong.append((method, route.path, status))
    assert wrong == []


@pytest.mark.parametrize("duty", AccessRole)
def test_what_the_table_allows_is_judged_by_the_state_and_not_by_the_duty(installation, duty, state):
    house, client, bearers = installation
    wrong, model, size = [], None, None
    for verb, route, method in routes_of(client.app):
        if verb not in MATRIX[duty] or route.path in ENDLESS or not is_asked_as(duty, state, verb):
            continue
        if house.store.size() != size:  # what was asked before changed something: begin with another release
            model, size = opened(house, state), house.store.size()
        status = asked(client, bearers[duty], route, method, model)
        if status in {401, 403, 500} and not _is_anothers(duty, route):
            wrong.append((method, route.path, status))
    assert wrong == []


def _is_anothers(duty, route):
    """Nobody issues what they may not hold themselves: a machine's token with scopes beyond one's own."""
    return duty is AccessRole.MACHINE and route.path.endswith("tokens")


@pytest.mark.parametrize("duty", sorted(APART))
def test_who_stands_apart_changes_no_release_by_any_route_in_any_state(installation, duty, state):
    house, client, bearers = installation
    model = opened(house, state)
    before = house.store.load(f"deployment/{model}-2")
    for verb, route, method in routes_of(client.app):
        if verb is not None and verb is not Permission.KILL and route.path not in ENDLESS:
            asked(client, bearers[duty], route, method, model)
    assert house.store.load(f"deployment/{model}-2") == before
