"""The one place where a measurement becomes a finding."""

from dataclasses import replace

import numpy as np
import pytest

from signoff.domain.finding import Comparison
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Unit
from signoff.stats.errors import InputError, InsufficientData


def rule(comparison=Comparison.AT_LEAST, threshold=0.5, near_miss_pct=10.0):
    return Rule(
        key="demo",
        title="Demo",
        comparison=comparison,
        threshold=threshold,
        unit=Unit.RATIO,
        digits=3,
        is_blocking=True,
        near_miss_pct=near_miss_pct,
        method="by hand",
    )


def measured(value, n=10, **values):
    return lambda: GateMeasurement(
        value=value, n=n, source="file", convention="the usual", explanation="So it is.", **values
    )


def raising(trouble):
    def measure():
        raise trouble

    return measure


def dividing_zero_by_zero():
    return measured(float(np.zeros(1)[0] / np.zeros(1)[0]))()


@pytest.mark.parametrize(
    ("measure", "outcome"),
    [
        (measured(0.9), Outcome.PASS),
        (measured(0.1), Outcome.FAIL),
        (measured(0.9, objections=("But no.",)), Outcome.FAIL),
        (measured(float("nan")), Outcome.ERROR),
        (measured(float("inf")), Outcome.ERROR),
        (measured(float("-inf")), Outcome.FAIL),
        (measured(0.9, n=0), Outcome.INCONCLUSIVE),
        (lambda: Lack("nothing there"), Outcome.INCONCLUSIVE),
        (raising(InsufficientData("too little")), Outcome.INCONCLUSIVE),
        (raising(InputError("row 3 is NaN")), Outcome.ERROR),
        (raising(ZeroDivisionError("division by zero")), Outcome.ERROR),
        (raising(ValueError("bad shape")), Outcome.ERROR),
        (dividing_zero_by_zero, Outcome.ERROR),
    ],
)
def test_only_a_finite_measured_value_that_holds_passes(measure, outcome):
    finding = guarded(rule(), measure)

    assert finding.outcome is outcome
    assert finding.blocks is (outcome is not Outcome.PASS)
    assert finding.reason


def test_a_defect_of_the_gate_itself_is_not_hidden():
    with pytest.raises(AttributeError):
        guarded(rule(), raising(AttributeError("a typo")))


@pytest.mark.parametrize(
    ("comparison", "value", "word"),
    [
        (Comparison.AT_LEAST, 0.50, "NEAR MISS"),
        (Comparison.AT_LEAST, 0.54, "NEAR MISS"),
        (Comparison.AT_LEAST, 0.56, "PASS"),
        (Comparison.AT_LEAST, 0.49, "FAIL"),
        (Comparison.AT_MOST, 0.50, "NEAR MISS"),
        (Comparison.AT_MOST, 0.44, "PASS"),
        (Comparison.AT_MOST, 0.51, "FAIL"),
        (Comparison.BELOW, 0.50, "FAIL"),
        (Comparison.BELOW, 0.47, "NEAR MISS"),
        (Comparison.ABOVE, 0.50, "FAIL"),
    ],
)
def test_a_near_miss_is_a_narrow_pass_and_a_failure_is_a_failure(comparison, value, word):
    assert guarded(rule(comparison), measured(value)).word == word


def test_a_probability_can_pass_a_high_threshold_clearly():
    high = replace(rule(threshold=0.95), ceiling=1.0)

    assert guarded(high, measured(0.99)).word == "PASS"
    assert guarded(high, measured(0.953)).word == "NEAR MISS"


def test_an_objection_is_never_softened_to_a_near_miss():
    finding = guarded(rule(), measured(0.51, objections=("Coverage is rejected.",)))

    assert finding.word == "FAIL"
    assert "Coverage is rejected." in finding.reason


def test_a_reason_says_how_narrowly():
    assert guarded(rule(), measured(0.49)).reason == "0.490 is less than 0.500, short by 2.0%. So it is."
    assert (
        guarded(rule(), measured(0.51)).reason
        == "0.510 is at least 0.500, but only by 2.0% of the threshold. So it is."
    )
    assert guarded(rule(), measured(0.90)).reason == "0.900 is at least 0.500. So it is."
