"""Beneath the table of gates one cause is said once, with the gates that wait for it."""

import pytest

from signoff.rendering.terminal import reasons

MISSING = "The file `trials` is missing; add it."


def gate(key, status="INCONCLUSIVE", reason=MISSING, turning_point="", *, near_miss=False):
    return {"key": key, "status": status, "reason": reason, "turning_point": turning_point, "near_miss": near_miss}


GATES = {
    "one cause for three gates": (
        [gate("pbo"), gate("spa", "FAIL", "too low"), gate("dsr"), gate("hansen_spa")],
        ["pbo, dsr, hansen_spa, inconclusive: ", "spa, fail: "],
    ),
    "two causes": ([gate("pbo"), gate("dsr", reason="other")], ["pbo, inconclusive: ", "dsr, inconclusive: "]),
    "one cause, two outcomes": ([gate("pbo"), gate("dsr", "ERROR")], ["pbo, inconclusive: ", "dsr, error: "]),
    "two turning points": ([gate("pbo", turning_point="a"), gate("dsr", turning_point="b")], ["pbo, ", "dsr, "]),
    "near misses explain themselves": (
        [gate("pbo", "NEAR MISS", near_miss=True), gate("dsr", "NEAR MISS", near_miss=True)],
        ["pbo, near miss: ", "dsr, near miss: "],
    ),
    "plain passes": ([gate("pbo", "PASS")], []),
}


@pytest.mark.parametrize("name", GATES)
def test_a_cause_is_said_once_with_every_gate_that_waits_for_it(name):
    gates, heads = GATES[name]
    said = [text.plain for text in reasons(gates)]
    assert [text.startswith(head) for text, head in zip(said, heads, strict=True)] == [True] * len(heads), said
    if name == "one cause for three gates":
        assert "".join(said).count(MISSING) == 1
