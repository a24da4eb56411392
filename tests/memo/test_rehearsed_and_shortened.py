"""What a rehearsal measured, and what a hurried release leaves out, stand in the memo."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.dossier import DeploymentType
from signoff.domain.memo.document import Fields, Mark
from signoff.domain.policy import Policy
from signoff.domain.shortened import shortened

RPO = "RPO (Recovery Point Objective)"


def rehearsed(**changed):
    rehearsal = replace(sample.REHEARSAL, result=replace(sample.REHEARSAL.result, **changed))
    return sample.memo(standing=replace(sample.standing(), rehearsal=rehearsal))


def of_type(kind):
    dossier = sample.dossier()
    dossier = replace(dossier, header=replace(dossier.header, deployment_type=kind))
    return sample.memo(dossier=dossier, policy=shortened(Policy(name="firm", version="1"), kind))


def test_what_a_killed_process_lost_is_the_recovery_point():
    assert sample.cell(sample.memo(), "3.2", RPO).text == "0 s: 0 of 25 acknowledged events lost"
    assert sample.cell(rehearsed(events_lost=3), "3.2", RPO).text == "3 of 25 acknowledged events lost"


def test_what_was_not_measured_is_not_called_nothing():
    memo = rehearsed(events_lost=None, events_acknowledged=None)
    cell = sample.cell(memo, "3.2", RPO)
    assert (cell.text, cell.mark) == ("not measured", Mark.NOT_PROVIDED)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"restored_version": "1.0.0"}, "restored v1.0.0, and this release falls back to v1.1.0"),
        ({"events_lost": 1}, "lost 1 acknowledged events"),
        ({"residual_orders": 2}, "2 orders open"),
    ],
)
def test_the_status_of_the_rehearsal_says_why_it_does_not_stand(changed, said):
    cell = sample.cell(rehearsed(**changed), "5.1", "Rollback Rehearsal")
    assert (cell.mark, said in cell.text) == (Mark.FAIL, True)
    assert sample.cell(sample.memo(), "5.1", "Rollback Rehearsal").mark is Mark.PASS


@pytest.mark.parametrize(
    ("kind", "rule", "days"), [(DeploymentType.HOTFIX, "hotfix", 2), (DeploymentType.ROLLBACK, "redeployment", 1)]
)
def test_page_one_and_the_plan_say_what_was_left_out_and_by_which_rule(kind, rule, days):
    memo = of_type(kind)
    (notice,) = (n for n in memo.notices if n.startswith("Shortened"))
    assert f"(policy, {rule}.advisory_gates)" in notice
    assert f"shadow mode lasts {days} sessions (policy, {rule}.shadow_days)" in notice
    assert sample.cell(memo, "4.1", f"Shortened by {rule}.roles").text == (
        "signed by Risk manager, Head of trading alone"
    )


def test_an_upgrade_leaves_out_nothing_and_says_nothing():
    memo = of_type(DeploymentType.UPGRADE)
    labels = [
        label for block in sample.section(memo, "4.1").blocks if isinstance(block, Fields) for label, _ in block.rows
    ]
    assert not [label for label in labels if label.startswith("Shortened")]
    assert not [notice for notice in memo.notices if notice.startswith("Shortened")]
