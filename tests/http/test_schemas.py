"""Requests made up by schemathesis, against our own description of the API and against the protocol of the flags."""

import itertools
from collections import Counter
from pathlib import Path

import httpx
import postgres
import pytest
import schemathesis
import yaml
from cast_of_six import PEOPLE
from http_server import Served
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)
from signed_in import begun

from signoff.adapters.database import initialise
from signoff.app.people import grant
from signoff.domain.permissions import AccessRole, Permission
from signoff.http import sessions

OFREP = Path(__file__).parent / "ofrep" / "openapi.yaml"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 6
SILENT = ("/stream", "/events", "/export", "/rehearsals")  # these go on, or take long
# What is there, so that a request gets past the look-up of what it names.
KNOWN = {
    "deployment_id": "momentum-1.1.0-adopted",
    "model": "momentum",
    "name": "momentum",
    "key": "models.momentum.enabled",
}


@schemathesis.serializer("application/zip")
def as_bytes(_context, value):
    """What is sent where an archive is taken: seldom one."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def every_operation(schema):
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith(SILENT):
            yield operation


def held_against(operation, check, examples=EXAMPLES):
    """Requests made up for one operation, each sent and checked."""
    effort = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @effort
    @given(case=operation.as_strategy())
    def one(case):
        check(case)

    one()


def callers(server):
    """People of several duties who signed in a moment ago, a person's token, and a machine's."""
    house = server.house
    grant(house.record, "N. Weiss", frozenset({AccessRole.ADMINISTRATOR}), actor="t")
    grant(house.record, "L. Adler", frozenset({AccessRole.AUDITOR}), actor="t")
    people = [PEOPLE[role] for role in ("head_of_trading", "risk_manager", "model_owner", "compliance")]
    opened = [begun(house, name) for name in (*people, "N. Weiss", "L. Adler")]
    return [sessions.PREFIX + number for number, _ in opened] + [server.tokens["head_of_trading"]]


def held_by_its_own_word(server, only="/", examples=EXAMPLES):
    """Every operation asked by one caller after the other, of what is there and of what is not; the answers by status.

    The description is the server's own: what it does not mention is not answered.
    """
    described = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    spare = server.house.accounts.issue_token("desk-9", scopes={Permission.READ}, actor="t", is_machine=True).token.id
    caller, is_known = itertools.cycle(callers(server)), itertools.cycle((True, True, False))
    answered = Counter()

    def check(case):
        if next(is_known):
            known = {"identity": spare} if "/tokens/" in case.path else KNOWN
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        headers = {"Authorization": f"Bearer {next(caller)}"}  # the check of ignored credentials reads it so
        answer = case.call_and_validate(base_url=server.url, headers=headers, checks=[*CHECKS, ignored_auth])
        answered[answer.status_code] += 1

    for operation in every_operation(schemathesis.openapi.from_dict(described)):
        if operation.path.startswith(only):
            held_against(operation, check, examples)
    return answered


def test_every_answer_is_one_that_the_description_tells(own_server):
    answered = held_by_its_own_word(own_server)
    assert sum(answered.values()) > 300
    assert {200, 401, 403, 404, 409, 422} <= set(answered)


@pytest.mark.real
def test_the_same_holds_over_postgresql(tmp_path):
    url = postgres.fresh_database()
    initialise(url, role="signoff_app")
    server = Served(tmp_path / "home", database=postgres.as_role(url, "signoff_app")).start()
    try:
        answered = held_by_its_own_word(server, only="/api/v1/", examples=3)
    finally:
        server.stop()
    assert {200, 403, 404, 422} <= set(answered)


def test_the_description_is_of_the_openapi_that_it_names(served):
    described = httpx.get(f"{served.url}/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert schemathesis.openapi.from_dict(described).validate() is None
    kill = described["paths"]["/api/v1/models/{model}/kill"]["post"]
    assert kill["security"] == [{"token": []}, {"session": [], "csrf": []}]
    assert set(described["components"]["securitySchemes"]) == {"token", "session", "csrf"}
    submit = described["paths"]["/api/v1/deployments"]["post"]
    assert set(submit["requestBody"]["content"]) == {"application/zip"}
    assert "Idempotency-Key" in {parameter["name"] for parameter in submit["parameters"]}
    assert set(submit["responses"]["422"]["content"]) == {"application/problem+json"}
    assert "HTTPValidationError" not in str(described)


def described_by_the_protocol():
    """The protocol's own description, but for one word.

    It says that a value is exactly one of its kinds. A whole number is always an integer and a number, and every value
    has the kind without any, so no answer at all could hold: one kind at least is meant.
    """
    described = yaml.safe_load(OFREP.read_text())
    success = described["components"]["schemas"]["evaluationSuccess"]["allOf"]
    kinds = next(part for part in success if "oneOf" in part)
    kinds["anyOf"] = kinds.pop("oneOf")
    return described


def test_the_flags_answer_as_the_protocol_describes(served):
    headers = {"authorization": f"Bearer {served.tokens['machine']}"}

    def check(case):
        answer = case.call(base_url=served.url, headers=headers)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code != 429

    operations = list(every_operation(schemathesis.openapi.from_dict(described_by_the_protocol())))
    assert len(operations) >= 2
    for operation in operations:
        held_against(operation, check)
