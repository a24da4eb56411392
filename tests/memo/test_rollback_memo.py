"""The memo of a rollback tells the events and asks what they do not say."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sample

from signoff.domain import events as e
from signoff.domain.dossier import Commitments, DeploymentType
from signoff.domain.memo.document import Mark, Memo
from signoff.domain.memo.rollback_memo import compose_rollback
from signoff.domain.policy import Policy
from signoff.domain.venue import VenueKind

START = datetime(2019, 1, 20, 14, 30, tzinfo=UTC)
POLICY = Policy(name="firm", version="1")
DOSSIER = sample.dossier()
UNDERTAKINGS = Commitments(
    communication=DOSSIER.communication,
    assumptions=DOSSIER.boundaries.assumptions,
    success=DOSSIER.success,
    restrictions=DOSSIER.boundaries.restrictions,
    position_limits=DOSSIER.risk.position_limits,
    incident_channel="#incidents",
)
SECONDS = dict(zip(e.Step, (1, 6, 11, 31, 41, 1800), strict=True))


def recorded(revision: int, seconds: float, event, actor: str = "worker", stream: str = "deployment/momentum-2"):
    return e.Recorded(stream=stream, revision=revision, at=START + timedelta(seconds=seconds), actor=actor, event=event)


def opened(deployment: str, version: str, previous: str | None) -> e.Opened:
    return e.Opened(
        deployment=deployment,
        model="momentum",
        version=version,
        previous_version=previous,
        previous_deployment=None,
        deployment_type=DeploymentType.UPGRADE,
        submitted_by="K",
        barred=(),
        policy=POLICY,
        undertakings=UNDERTAKINGS,
        dossier_digest="",
    )


def history(
    until: e.Step | None = None, extra: tuple = (), delay: float = 0, venue=VenueKind.CONNECTED
) -> tuple[e.Recorded, ...]:
    deadlines = tuple(
        e.Deadline(name=name, due=START + timedelta(minutes=minutes))
        for name, minutes in (("immediate", 5), ("revert", 15), ("review", 120), ("post_mortem", 2880))
    )
    validated = e.Validated(results=(), package="p")
    phases = (
        validated,
        e.ApprovalRequested(manifest=sample.MANIFEST),
        *(e.ApprovalSigned(signature=sample.signature(role)) for role in POLICY.approvals.required),
        e.Approved(manifest=sample.MANIFEST),
        e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0),
        e.PhaseEntered(phase=e.Phase.LIMITED, allocation_pct=10),
    )
    observed = e.Observed(
        session=date(2019, 1, 18),
        counts=True,
        readings=(
            e.Reading(key="sharpe_30d", value=-1.2, level="critical", detail="below 0.5 for 10 days"),
            e.Reading(key="psi_max", value=None, level="unknown"),
        ),
        fired=("sharpe",),
        is_conclusive=True,
    )
    started = e.RollbackStarted(
        occasion=e.RollbackCause.PERFORMANCE,
        trigger="sharpe",
        reason="Sharpe below 0.5 for 10 days.",
        from_phase=e.Phase.LIMITED,
        deadlines=deadlines,
    )
    before = [(-90, event) for event in (opened("momentum-2", "2.0.0", "1.1.0"), *phases)]
    story = [*before, (-60, observed), (0, started)]
    for step, seconds in SECONDS.items():
        if step is until:
            break
        story.append((seconds + delay, e.StepDone(step=step, seconds=5.0, detail=f"saw {step.value}", venue=venue)))
    else:
        story.append((SECONDS[e.Step.REVIEW] + delay, e.RolledBack(restored_version="1.1.0")))
    story += [(2000, event) for event in extra]
    return tuple(recorded(i, seconds, event) for i, (seconds, event) in enumerate(story, start=1))


CHAMPION = (
    recorded(
        1,
        -9000,
        e.Adopted(
            deployment="momentum-1", model="momentum", version="1.1.0", policy=POLICY, signatures=(), reason="was live"
        ),
        stream="deployment/momentum-1",
    ),
)


def told(events: tuple[e.Recorded, ...], restored: str | None = "1.1.0") -> Memo:
    return compose_rollback(
        deployment_id="momentum-2", model="momentum", version="2.0.0", restored_version=restored, events=events
    )


def test_a_finished_rollback_says_what_when_and_how_fast() -> None:
    memo = told(history())

    assert memo.kind == "Rollback memo"
    assert memo.decision is Mark.PASS
    assert memo.notices == ()
    assert memo.tldr == (
        "momentum v2.0.0 was taken back from limited at 2019-01-20 14:30:00 UTC (performance): Sharpe below 0.5 for 10 "
        "days. Verified flat after 11 s; v1.1.0 was restored, verified after 41 s. Every deadline held."
    )
    assert sample.cell(memo, "1", "Trigger").text == "sharpe"


def test_every_step_stands_beside_its_budget() -> None:
    (table,) = sample.tables(told(history()), "2")

    assert [row[0].text for row in table.rows] == [
        *("fence", "cancel", "verify flat", "revert", "verify revert", "review")
    ]
    assert [row[2].text for row in table.rows] == ["1.0 s", "6.0 s", "11 s", "31 s", "41 s", "30 min"]
    assert [row[3].text for row in table.rows] == [
        *("< 5 min", "< 5 min", "< 5 min", "< 15 min", "< 15 min", "< 120 min")
    ]
    assert {row[6].mark for row in table.rows} == {Mark.PASS}
    assert {row[4].text for row in table.rows} == {"worker"}


def test_a_late_step_fails_and_is_a_notice_even_where_no_event_says_so() -> None:
    memo = told(history(delay=600))

    assert memo.decision is Mark.FAIL
    assert memo.notices == ("Deadline breached: immediate, due 2019-01-20 14:35:00 UTC.",)
    assert "Why was the deadline 'immediate' missed?" in sample.section(memo, "6").blocks[0].items


def test_a_stuck_rollback_says_so_and_leaves_the_rest_open() -> None:
    stuck = e.RollbackStuck(step=e.Step.VERIFY_FLAT, detail="2 orders still open")
    memo = told(history(until=e.Step.VERIFY_FLAT, extra=(stuck,)))

    assert memo.decision is Mark.FAIL
    assert memo.notices == ("Stuck at verify flat: 2 orders still open. The model stays off.",)
    assert sample.cell(memo, "3", "Residual orders and positions").mark is Mark.FAIL
    assert sample.cell(memo, "3", "Previous version").mark is Mark.NOT_PROVIDED
    assert "Which orders and positions of this model are still open?" in sample.section(memo, "6").blocks[0].items


def test_a_rollback_under_way_is_pending() -> None:
    memo = told(history(until=e.Step.REVERT))

    assert memo.decision is Mark.PENDING
    assert memo.tldr.endswith("The rollback is under way.")


def test_the_post_mortem_is_due_within_the_policys_hours() -> None:
    rows = {row[0].text: row for row in sample.tables(told(history()), "5")[0].rows}

    assert rows["Post mortem"][1].text == "2019-01-22 14:30:00 UTC"
    assert rows["Post mortem"][3].mark is Mark.PENDING
    assert rows["Immediate"][3].mark is Mark.PASS


def flags_after(memo: Memo) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for version, flag, value in sample.tables(memo, "3")[0].rows:
        found.setdefault(version.text, {})[flag.text.removeprefix("models.momentum.")] = value.text
    return found


def test_the_flags_follow_from_every_stream_that_matters_and_are_unknown_without_them() -> None:
    whole, part = told((*CHAMPION, *history())), told(history())

    assert flags_after(whole) == {
        "v2.0.0": {"enabled": "false", "allocation_pct": "0", "shadow_mode": "false"},
        "v1.1.0": {"enabled": "true", "allocation_pct": "100", "shadow_mode": "false"},
    }
    assert sample.cell(part, "3", "models.momentum").text == "not provided"


def test_a_killed_model_stays_off() -> None:
    killed = recorded(
        1, 5, e.Killed(model="momentum", reason="fat finger", epoch=1), actor="desk", stream="model/momentum"
    )
    memo = told((*CHAMPION, *history(), killed))

    assert {flags["enabled"] for flags in flags_after(memo).values()} == {"false"}
    assert [row[3].text for row in sample.tables(memo, "4")[0].rows if row[1].text == "desk"] == ["fat finger"]


def test_the_timeline_is_in_order_and_names_who() -> None:
    rows = sample.tables(told(history()), "4")[0].rows

    assert [row[2].text for row in rows] == ["observed", "rollback started", *["step done"] * 6, "rolled back"]
    assert [row[0].text for row in rows] == sorted(row[0].text for row in rows)


def test_unknown_readings_become_an_open_question() -> None:
    assert "What were the figures that could not be computed: psi max?" in (
        sample.section(told(history()), "6").blocks[0].items
    )


def test_events_without_a_rollback_are_refused() -> None:
    with pytest.raises(ValueError, match="rollback_started"):
        told(CHAMPION)
