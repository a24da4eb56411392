"""What a CI pipeline sees of the gates."""

from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest

from signoff.adapters.junit import read_reports
from signoff.domain.finding import Comparison, Finding
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity
from signoff.rendering.junit_report import junit_report
from signoff.verbs.documents import gate_document

PASSED = Finding(
    key="spa",
    title="SPA",
    outcome=Outcome.PASS,
    statistic=Quantity(name="gates.spa.statistic", value=0.5),
    comparison=Comparison.AT_LEAST,
    threshold=Quantity(name="gates.spa.threshold", value=0.45),
    is_blocking=True,
    n=10,
    method="a method",
    reason="0.50 is at least 0.45.",
)


def gates(*findings):
    return [gate_document(finding) for finding in findings]


def case_of(finding):
    return fromstring(junit_report("momentum", "2.0", gates(finding))).find("testsuite/testcase")


@pytest.mark.parametrize(
    ("outcome", "is_blocking", "tag"),
    [
        (Outcome.FAIL, True, "failure"),
        (Outcome.INCONCLUSIVE, True, "failure"),
        (Outcome.ERROR, True, "error"),
        (Outcome.FAIL, False, "skipped"),
        (Outcome.INCONCLUSIVE, False, "skipped"),
        (Outcome.ERROR, False, "skipped"),
    ],
)
def test_what_did_not_pass_is_never_green(outcome, is_blocking, tag):
    case = case_of(replace(PASSED, outcome=outcome, is_blocking=is_blocking))

    assert [child.tag for child in case] == [tag, "system-out"]
    assert case[0].get("message").startswith(outcome.value.upper())


def test_a_pass_has_no_complaint_and_says_how_it_was_computed():
    case = case_of(PASSED)

    assert [child.tag for child in case] == ["system-out"]
    assert "a method" in case[0].text


def test_the_counts_are_those_of_the_cases():
    failed = replace(PASSED, key="dsr", outcome=Outcome.FAIL)
    root = fromstring(
        junit_report("momentum", "2.0", gates(PASSED, failed, replace(failed, key="x", is_blocking=False)))
    )

    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1"}


def test_text_of_people_breaks_no_xml():
    case = case_of(replace(PASSED, outcome=Outcome.FAIL, reason='<a> & "b" \x00 \x1b]]>'))

    assert case.find("failure").text == '<a> & "b" \ufffd \ufffd]]>'


def test_signoff_reads_the_report_that_it_wrote(tmp_path):
    (tmp_path / "junit").mkdir()
    (tmp_path / "junit" / "unit.xml").write_bytes(
        junit_report("momentum", "2.0", gates(PASSED, replace(PASSED, outcome=Outcome.FAIL)))
    )

    (suite,) = read_reports(tmp_path).suites.values()
    assert (suite.passed, suite.total) == (1, 2)
