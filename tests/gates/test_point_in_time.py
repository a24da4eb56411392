"""The gate that no backtest of a feature from tomorrow can pass."""

from dataclasses import replace
from datetime import date

import pytest

from signoff.domain.assessment import PitStatus
from signoff.domain.evidence import PitAudit, PitFinding, Replayed, ReplayGap
from signoff.domain.gates.point_in_time import point_in_time, point_in_time_integrity
from signoff.domain.outcome import Outcome

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


def part(dates, of=1260, **changes):
    gap = ReplayGap(first=date(2019, 1, 2), last=date(2021, 2, 26), dates=of - dates)
    record = (date(2019, 1, 2), date(2023, 12, 29))
    given = {"first": date(2021, 3, 1), "last": date(2023, 12, 29), "gaps": (gap,) if of > dates else (), **changes}
    return Replayed(dates=dates, of=of, record=record, record_dates=of, **given)


def test_a_clean_replay_of_a_part_of_the_record_is_inconclusive_and_names_the_rest(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, replayed=part(712))

    assert (finding.outcome, finding.blocks) == (Outcome.INCONCLUSIVE, True)
    assert "The replay speaks of 2021-03-01 to 2023-12-29: 712 of 1,260 decision dates (56.5%)" in finding.reason
    assert "the backtest runs 2019-01-02 to 2023-12-29 (1,260 rows)" in finding.reason
    assert "Not replayed: 2019-01-02 to 2021-02-26 (548 dates)" in finding.reason
    assert "minimum_replayed_share" in finding.reason
    figures = {f.name: f.value for f in finding.figures}
    assert figures["gates.point_in_time.replayed_dates"] == 712
    assert figures["gates.point_in_time.decision_dates"] == 1260


def test_a_leak_in_the_replayed_part_stays_a_failure(evidence, dossier, policy):
    finding = judged(evidence, dossier, policy, replayed=part(712), findings=(LEAK,))

    assert finding.outcome is Outcome.FAIL
    assert "712 of 1,260 decision dates" in finding.reason


@pytest.mark.parametrize(
    ("replayed", "outcome", "said"),
    [
        (part(1260), Outcome.PASS, "1,260 of 1,260 decision dates (100.0%)"),
        (part(1197), Outcome.PASS, "1,197 of 1,260 decision dates (95.0%)"),
        (part(94_999, 100_000), Outcome.INCONCLUSIVE, "at least 95.000% (gates.point_in_time.minimum_replayed_share)"),
        (part(99_999, 100_000), Outcome.PASS, "(99.999%)"),
        (part(1260, pairs=9120, of_pairs=12600), Outcome.INCONCLUSIVE, "9,120 of 12,600 dates and symbols (72.4%)"),
        (part(0, first=None, last=None), Outcome.INCONCLUSIVE, "The replay speaks of 0 of 1,260 decision dates (0.0%)"),
        (None, Outcome.PASS, "was not recorded"),
    ],
)
def test_the_share_is_held_against_the_policy_and_never_reads_better_than_it_is(
    replayed, outcome, said, evidence, dossier, policy
):
    finding = judged(evidence, dossier, policy, replayed=replayed)

    assert finding.outcome is outcome
    assert said in finding.reason


def test_a_policy_may_ask_for_more_and_a_partial_replay_verifies_nothing(evidence, dossier, policy):
    asked = replace(policy.gates.point_in_time, minimum_replayed_share=1.0)
    stricter = replace(policy, gates=replace(policy.gates, point_in_time=asked))

    assert judged(evidence, dossier, stricter, replayed=part(1259)).outcome is Outcome.INCONCLUSIVE
    reviewed = replace(dossier.validation.pit, code_review_by="L. Okafor")
    pit = replace(evidence.pit, replayed=part(712))
    assert point_in_time(pit, reviewed, "D. Novak", minimum_share=0.95).status is PitStatus.CONDITIONAL
    assert point_in_time(replace(pit, replayed=part(1260)), reviewed, "D. Novak", minimum_share=0.95).status is (
        PitStatus.VERIFIED
    )
