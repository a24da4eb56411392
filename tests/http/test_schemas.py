"""Requests made up by schemathesis, against our own description of the API and against the protocol of the flags."""

from pathlib import Path

import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

OFREP = Path(__file__).parent / "ofrep" / "openapi.yaml"
EFFORT = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


SILENT = ("/stream", "/events", "/export", "/rehearsals")  # these go on, or take long


def every_operation(schema):
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith(SILENT) and not operation.path.startswith("/auth/"):
            yield operation


def held_against(operation, check):
    """Requests made up for one operation, each sent and checked."""

    @EFFORT
    @given(case=operation.as_strategy())
    def one(case):
        check(case)

    one()


def test_no_request_breaks_the_api(served):
    """Whatever is sent by somebody who may, the answer is one of ours: never an unexpected error."""
    headers = {"authorization": f"Bearer {served.tokens['head_of_trading']}"}
    asked = 0

    def check(case):
        nonlocal asked
        answer = case.call(base_url=served.url, headers=headers)
        asked += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400:
            kind = answer.headers["content-type"][0]
            assert kind.startswith(("application/problem+json", "application/json")), case.as_curl_command()

    for operation in every_operation(schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")):
        held_against(operation, check)
    assert asked > 300


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
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

    def check(case):
        answer = case.call(base_url=served.url, headers=headers)
        case.validate_response(answer, checks=checks)
        assert answer.status_code != 429

    operations = list(every_operation(schemathesis.openapi.from_dict(described_by_the_protocol())))
    assert len(operations) >= 2
    for operation in operations:
        held_against(operation, check)
