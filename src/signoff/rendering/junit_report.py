"""The gates as a JUnit report, so that a CI pipeline shows them among its tests.

A gate that blocks is a failure (or an error, where it broke); an advisory one that did not pass is skipped with its
reason, because a pipeline has no third colour. Inconclusive is a failure: unknown is never good.
"""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from signoff.domain.finding import Finding, Outcome

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(model: str, version: str, findings: tuple[Finding, ...]) -> bytes:
    """One suite, one case a gate."""
    suite = Element("testsuite", {"name": _plain(f"signoff check {model} v{version}"), **_counts(findings)})
    for finding in findings:
        case = SubElement(suite, "testcase", {"classname": "signoff.gates", "name": finding.key})
        _outcome(case, finding)
        SubElement(case, "system-out").text = _plain(f"{finding.reason}\n{finding.method}\n{finding.turning_point}")
    suites = Element("testsuites", _counts(findings))
    suites.append(suite)
    body: bytes = tostring(suites, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _outcome(case: Element, finding: Finding) -> None:
    tag = _tag(finding)
    if tag:
        said = f"{finding.word}: {finding.statistic.text} {finding.comparison.value} {finding.threshold.text}"
        SubElement(case, tag, {"message": _plain(said), "type": finding.word}).text = _plain(finding.reason)


def _tag(finding: Finding) -> str:
    if finding.outcome is Outcome.PASS:
        return ""
    if not finding.is_blocking:
        return "skipped"
    return "error" if finding.outcome is Outcome.ERROR else "failure"


def _counts(findings: tuple[Finding, ...]) -> dict[str, str]:
    tags = [_tag(finding) for finding in findings]
    return {
        "tests": str(len(findings)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
    }


def _plain(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return _FORBIDDEN.sub("\ufffd", text)
