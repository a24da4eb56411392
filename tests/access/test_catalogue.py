"""The catalogue and the server say the same: every route has its row, and every verb can be asked on both sides."""

import inspect

import pytest

from signoff.domain.permissions import NEEDS_FRESH_SIGN_IN, Permission
from signoff.http.access import verb_of
from signoff.http.description import routes_of
from signoff.http.idempotency import Command
from signoff.verbs import catalogue
from signoff.verbs.catalogue import CATALOGUE, Basis, Verbs
from signoff.verbs.local import Local
from signoff.verbs.remote import Remote

API = "/api/v1"
GIVEN = {"self", "signing", "by"}
DECLARED = {name: declared for name, declared in vars(Verbs).items() if inspect.isfunction(declared) and name[0] != "_"}
PLAIN = [name for name, declared in DECLARED.items() if hasattr(declared, "__wrapped__")]
GENERATED = [row for row in CATALOGUE if not row.is_by_hand]


def routed(app):
    """The routes of the API that ask who it is."""
    return [
        (method, route.path_format.removeprefix(API), verb_of(route), route)
        for route in routes_of(app.routes)
        if route.path.startswith(API) and verb_of(route) is not None
        for method in route.methods
    ]


def test_every_route_has_one_row_and_every_row_one_route_with_the_same_permission(app):
    rows = sorted((row.method, row.path, row.permission) for row in CATALOGUE)
    assert rows == sorted((method, path, verb) for method, path, verb, _ in routed(app))
    assert len({(row.method, row.path) for row in CATALOGUE}) == len(CATALOGUE) > 50


def test_every_verb_that_may_be_allowed_is_asked_by_some_row():
    assert {row.permission for row in CATALOGUE} == set(Permission)


def test_an_answer_that_holds_a_secret_is_kept_for_no_key(app):
    kept = {(method, path): isinstance(route, Command) for method, path, _, route in routed(app)}
    for row in GENERATED:
        assert kept[row.method, row.path] is row.is_repeatable
    assert not kept["POST", "/tokens"]


def test_which_verbs_need_a_fresh_sign_in_is_read_from_the_matrix():
    assert {row.permission for row in CATALOGUE if row.needs_fresh_sign_in} == NEEDS_FRESH_SIGN_IN


def test_every_exit_waits_for_no_other_request_and_no_entry_does():
    leaving = {row.permission for row in CATALOGUE if row.is_leaving}
    assert leaving == {Permission.ROLLBACK, Permission.ATTEST_FLAT}


def test_what_changes_a_release_may_be_held_to_the_revision_that_was_seen():
    changing = [
        row
        for row in GENERATED
        if row.method == "POST"
        and row.path.startswith("/deployments/{deployment_id}/")
        and row.name != "start_statement"
    ]
    assert len(changing) > 10
    assert all(row.basis is Basis.REVISION for row in changing)


@pytest.mark.parametrize("row", GENERATED, ids=lambda row: row.name)
def test_a_route_gives_its_verb_every_argument_that_it_needs(row):
    taken = inspect.signature(row.carry_out).parameters
    given = {*row.named_in_path, *row.query} | GIVEN
    if row.body is not None:
        told = row.body.__dict__.get("arguments")
        given |= set(row.body.model_fields) | ({"change", "name", "text"} if told else set())
    needed = {name for name, parameter in taken.items() if parameter.default is parameter.empty}
    assert needed <= given
    assert {*row.named_in_path, *row.query} <= set(taken)
    assert row.says
    assert row.answer is not None


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_plain_verb_takes_has_its_place_in_the_request(name):
    row, taken = DECLARED[name].row, inspect.signature(DECLARED[name]).parameters
    assert set(row.named_in_path) <= set(taken)
    if not row.is_by_hand:
        placed = {*row.named_in_path, *row.query, *(row.body.model_fields if row.body else ())}
        assert set(taken) - {"self"} <= placed


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_a_verb_is_carried_out_here_and_asked_of_a_server(name):
    assert inspect.isfunction(inspect.getattr_static(Local, name))
    assert (name in vars(Remote)) is (name not in PLAIN)


class Recorded(Remote):
    """The verbs at a server that notes what it is asked and says it back."""

    def _send(self, method, path, **how):
        return {"method": method, "path": path, **how}


ASKED = [
    (("pause", "a b/c", catalogue.PauseReason.MANUAL), {"note": "n"}, {"reason": "manual", "note": "n"}),
    (("rollback", "d", catalogue.RollbackCause.BUSINESS), {"reason": "r"}, {"occasion": "business", "reason": "r"}),
    (("observe", "d"), {}, {}),
    (("observe", "d", catalogue.date(2026, 3, 2)), {}, {"session": "2026-03-02"}),
    (("post_mortem", "d"), {"notes": "n", "root_cause": ""}, {"notes": "n"}),
    (("kill_many",), {"reason": "r", "desk": None}, {"reason": "r"}),
    (("withdraw", "N", (catalogue.Role.CTO,)), {"reason": "r"}, {"name": "N", "powers": ["cto"], "reason": "r"}),
]


@pytest.mark.parametrize(("given", "named", "body"), ASKED)
def test_arguments_reach_the_server_as_they_are_written_in_json(given, named, body):
    name, *positional = given
    said = getattr(Recorded(None, None), name)(*positional, **named)
    row = DECLARED[name].row
    assert (said["method"], said["json"]) == (row.method, body)
    assert "a b" not in said["path"]


def test_a_query_leaves_out_what_is_the_servers_default():
    said = Recorded(None, None).deployments(model="m", state=catalogue.State.LIMITED, after=None, limit=100)
    assert (said["path"], said["params"]) == ("/deployments", {"model": "m", "state": "limited"})
