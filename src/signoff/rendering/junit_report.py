"""The gates as a JUnit report, so that a CI pipeline shows them among its tests.

A gate that blocks is a failure (or an error, where it broke); an advisory one that did not pass is skipped with its
reason, because a pipeline has no third colour. Inconclusive is a failure: unknown is never good.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from signoff.domain.outcome import Outcome

Gate = Mapping[str, Any]
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(model: str, version: str, gates: Sequence[Gate], placeholders: Sequence[str] = ()) -> bytes:
    """One suite, one case a gate, and a failure where the dossier is not finished."""
    counts = _counts(gates, unfinished=bool(placeholders))
    suite = Element("testsuite", {"name": _plain(f"signoff check {model} v{version}"), **counts})
    for gate in gates:
        case = SubElement(suite, "testcase", {"classname": "signoff.gates", "name": gate["key"]})
        _outcome(case, gate)
        SubElement(case, "system-out").text = _plain(f"{gate['reason']}\n{gate['method']}\n{gate['turning_point']}")
    if placeholders:
        case = SubElement(suite, "testcase", {"classname": "signoff.dossier", "name": "placeholders"})
        said = f"The dossier is not finished: {len(placeholders)} left to fill in"
        SubElement(case, "failure", {"message": said, "type": "UNFINISHED"}).text = _plain("\n".join(placeholders))
    suites = Element("testsuites", counts)
    suites.append(suite)
    body: bytes = tostring(suites, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _outcome(case: Element, gate: Gate) -> None:
    tag = _tag(gate)
    if tag:
        said = f"{gate['status']}: {gate['statistic_text']} {gate['comparison']} {gate['threshold_text']}"
        SubElement(case, tag, {"message": _plain(said), "type": gate["status"]}).text = _plain(gate["reason"])


def _tag(gate: Gate) -> str:
    if gate["outcome"] == Outcome.PASS.value:
        return ""
    if not gate["blocking"]:
        return "skipped"
    return "error" if gate["outcome"] == Outcome.ERROR.value else "failure"


def _counts(gates: Sequence[Gate], *, unfinished: bool) -> dict[str, str]:
    tags = [_tag(gate) for gate in gates] + ["failure"] * unfinished
    return {
        "tests": str(len(tags)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
    }


def _plain(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return _FORBIDDEN.sub("\ufffd", text)
