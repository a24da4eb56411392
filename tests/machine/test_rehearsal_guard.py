"""A rehearsal stands for a release only when it is fresh, whole, within budget, and of that release's own fallback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signoff.domain.events import Recorded, Rehearsed, Step
from signoff.domain.kill_switch import evolve_latch
from signoff.domain.policy import Policy, RollbackPolicy
from signoff.domain.rollback_drill import Rehearsal, objections

AT = datetime(2019, 1, 2, 9, tzinfo=UTC)
POLICY = Policy(name="p", version="1")
GOOD = Rehearsed(
    seconds=tuple((step, 1.0) for step in Step),
    residual_orders=0,
    within_budget=True,
    restored_version="1",
    events_acknowledged=25,
    events_lost=0,
)


def found(*, days=1, policy=POLICY, previous="1", **changed):
    rehearsal = Rehearsal(at=AT, result=replace(GOOD, **changed))
    return objections(rehearsal, policy, previous, (AT + timedelta(days=days)).date())


def test_a_fresh_rehearsal_within_budget_of_the_version_fallen_back_to_stands():
    assert found() == ()


def test_it_stands_on_the_last_day_that_the_policy_allows_and_not_one_longer():
    assert found(days=90) == ()
    assert "rehearsed 91 days before" in found(days=91)[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"days": -1}, "after 2019-01-01"),
        ({"residual_orders": 1}, "1 orders open"),
        ({"within_budget": False}, "exceeded its budget"),
        ({"seconds": GOOD.seconds[:3]}, "did not run revert, verify_revert"),
        ({"restored_version": None}, "restored no version, and this release falls back to v1"),
        ({"previous": "2"}, "restored v1, and this release falls back to v2"),
        ({"previous": None}, "falls back to no version"),
        ({"events_lost": 2, "events_acknowledged": 9}, "lost 2 acknowledged events"),
    ],
)
def test_anything_less_is_objected_to_in_words(changed, said):
    (objection,) = found(**changed)
    assert said in objection


def test_the_budget_is_the_releases_own_and_not_the_one_it_was_rehearsed_under():
    strict = replace(POLICY, rollback=RollbackPolicy(immediate_minutes=2.0 / 60.0))
    assert found(policy=strict) == ("the rehearsal exceeded its budget",)


def test_no_rehearsal_is_an_objection():
    assert objections(None, POLICY, None, AT.date()) == ("no rehearsal is recorded",)


def test_the_last_rehearsal_is_part_of_the_models_state():
    later = replace(GOOD, residual_orders=3)
    latch = None
    for revision, event in enumerate((GOOD, later), start=1):
        latch = evolve_latch(latch, Recorded(stream="model/m", revision=revision, at=AT, actor="t", event=event))
    assert latch.rehearsal == Rehearsal(at=AT, result=later)
