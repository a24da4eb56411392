"""The gate that no backtest of a feature from tomorrow can pass."""

from dataclasses import replace

import pytest

from signoff.domain.evidence import PitAudit, PitFinding
from signoff.domain.finding import Outcome
from signoff.domain.gates.point_in_time import point_in_time, point_in_time_integrity

LEAK = PitFinding(feature="momentum_20", kind="truncation", first_date="2014-03-05", size=0.2)


def judged(evidence, dossier, policy, **changes):
    return point_in_time_integrity(replace(evidence, pit=replace(evidence.pit, **changes)), dossier, policy)


def test_one_leaking_feature_blocks(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, findings=(LEAK, replace(LEAK, kind="perturbation")))

    assert finding.outcome is Outcome.FAIL
    assert finding.blocks
    assert finding.statistic.value == 1
    assert "momentum_20" in finding.reason
    assert "once momentum_20 no longer moved" in finding.turning_point
    assert {f.name: f.value for f in finding.figures}["gates.point_in_time.truncation"] == 1


def test_none_is_a_pass_and_no_near_miss(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy)

    assert (finding.outcome, finding.word) == (Outcome.PASS, "PASS")


def test_a_replay_that_broke_is_an_error_and_blocks(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, error="compute raised KeyError")

    assert finding.outcome is Outcome.ERROR
    assert finding.blocks
    assert "compute raised KeyError" in finding.reason


@pytest.mark.parametrize("nothing", [{"dates_checked": 9}, {"dates_checked": 0}, {"features_checked": 0}])
def test_a_replay_that_hardly_looked_is_inconclusive_and_blocks(nothing, evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, **nothing)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.blocks
    assert "sample_dates" in finding.reason


def test_no_replay_is_inconclusive_and_says_what_to_fill_in(evidence, dossier, policy):
    finding = point_in_time_integrity(replace(evidence, pit=None), dossier, policy)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "validation.pit.compute" in finding.reason


def test_an_audit_that_compared_nothing_is_inconclusive_and_a_clean_one_is_named(evidence, dossier, policy):
    clean = PitAudit(name="purge and embargo", dates_checked=40, features_checked=2, rows_checked=900, findings=0)
    idle = replace(clean, name="survivorship", dates_checked=0)

    assert "Clean audits: purge and embargo" in judged(evidence, dossier, policy, audits=(clean,)).reason
    finding = judged(evidence, dossier, policy, audits=(clean, idle))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "survivorship" in finding.reason


def test_what_is_declared_to_come_from_times_is_printed_and_not_counted_as_verified(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, declared=("weekday",), declared_decisions=("strategy: month",))

    assert finding.outcome is Outcome.PASS
    author = dossier.header.deployed_by.name
    said = (
        "1 feature is declared to come from times alone (weekday), not checked against memory (declared by "
        f"{author} in validation.pit.from_times). 1 decision is declared to come from times alone (strategy: month)"
    )
    assert said in finding.reason
    assert {f.name: f.value for f in finding.figures}["gates.point_in_time.features"] == 6
    summary = point_in_time(replace(evidence.pit, declared=("weekday",)), dossier.validation.pit, author)
    assert summary.reason.startswith("6 of 7 features verified; 1 declared. ")
    assert "declared to come from times alone (weekday)" in summary.reason


def test_a_replay_of_declared_features_alone_verifies_nothing(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, features_checked=2, declared=("weekday", "month"))

    assert (finding.outcome, finding.blocks) == (Outcome.INCONCLUSIVE, True)
    assert "all of them are declared" in finding.reason
