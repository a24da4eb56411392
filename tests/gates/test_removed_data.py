"""No gate, metric or check reads better when a part of the evidence is taken away."""

from dataclasses import fields, replace
from itertools import combinations

import pytest

from signoff.domain.assessment import MetricStatus, PitStatus
from signoff.domain.finding import Outcome
from signoff.domain.gates import assess

PARTS = ("backtest_previous", "trials", "predictions", "pit")
GOOD = {MetricStatus.PASS, MetricStatus.WARN}


def passing(assessment):
    """What reads well: gates that pass, metrics on target, a verified replay."""
    gates = {finding.key for finding in assessment.findings if finding.outcome is Outcome.PASS}
    metrics = {row.key for row in assessment.metrics if row.status in GOOD}
    pit = {"point in time"} if assessment.pit.status is PitStatus.VERIFIED else set()
    return gates | metrics | pit


def poor(evidence):
    """The same release turned round: what it earned it loses."""
    turned = replace(evidence.backtest, returns=-evidence.backtest.returns)
    return replace(evidence, backtest=turned)


@pytest.mark.parametrize("of", [lambda evidence: evidence, poor], ids=["good", "poor"])
@pytest.mark.parametrize("gone", [c for n in (1, 2, 4) for c in combinations(PARTS, n)], ids="+".join)
def test_nothing_reads_better_without_a_part_of_the_evidence(evidence, dossier, policy, of, gone):
    whole = of(evidence)
    less = replace(whole, **dict.fromkeys(gone))
    assert passing(assess(less, dossier, policy)) <= passing(assess(whole, dossier, policy))


def test_every_part_that_can_be_taken_away_is(evidence):
    given = {f.name for f in fields(evidence) if getattr(evidence, f.name) not in (None, (), {})}
    assert given - {"backtest", "suites"} == set(PARTS)


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_nothing_reads_better_with_fewer_predictions_than_a_side_needs(evidence, dossier, policy, kept):
    rows = evidence.predictions
    n = int(kept * 40)
    fewer = replace(
        rows,
        **{f.name: getattr(rows, f.name)[:n] for f in fields(rows) if hasattr(getattr(rows, f.name), "shape")},
    )
    found = assess(replace(evidence, predictions=fewer), dossier, policy)
    assert "spa" not in {finding.key for finding in found.findings if finding.outcome is Outcome.PASS}
