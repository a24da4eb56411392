"""More risk only when every condition holds; less risk always."""

from datetime import timedelta

import pytest
from worlds import INTACT, MANIFEST, NOW, REHEARSAL, after, approved, awaiting, day, lived, opened, shadowing, signature

from signoff.domain import decisions
from signoff.domain.deployment import LIVE, IllegalHistoryError, State
from signoff.domain.errors import GuardError
from signoff.domain.events import (
    ApprovalRequested,
    Approved,
    DeadlineBreached,
    Paused,
    PauseReason,
    Phase,
    PhaseEntered,
    Recorded,
    Resumed,
    RollbackCause,
    RolledBack,
    Step,
    StepDone,
)
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import Role


def refused_by(guard):
    return pytest.raises(GuardError, match=f"guard '{guard}'")


def rolled(state):
    state = after(state, *decisions.rollback.begin_rollback(state, RollbackCause.BUSINESS, "person", "test", NOW))
    for step in Step:
        state = after(state, *decisions.rollback.finish_step(state, step, 0.1, "ok", "1", NOW))
    return state


def limited():
    state = lived(shadowing(), 7)
    return after(state, *decisions.rollout.advance(state, INTACT, None, NOW))


def test_shadow_lasts_seven_counted_days():
    with refused_by("phase_clock"):
        decisions.rollout.advance(lived(shadowing(), 6), INTACT, None, NOW)
    state = lived(shadowing(), 7)
    (entered,) = decisions.rollout.advance(state, INTACT, None, NOW)
    assert (entered.phase, entered.allocation_pct) == (Phase.LIMITED, 10)


def test_a_condition_that_does_not_hold_keeps_the_phase():
    with refused_by("conditions"):
        decisions.rollout.advance(lived(shadowing(), 7, unmet=("psi_max is critical",)), INTACT, None, NOW)


def test_a_day_without_data_does_not_count_and_pauses():
    state = lived(shadowing(), 3)
    state = after(
        state, *decisions.observation.record_day(state, day(3, counts=False, is_conclusive=False, unmet=("no data",)))
    )
    assert state.phase_days == 3
    assert state.pause_reasons == (PauseReason.NO_DATA,)
    state = lived(state, 1)
    assert (state.phase_days, state.pause_reasons) == (4, ())


def test_a_manual_pause_stops_the_clock_until_a_person_resumes():
    state = after(lived(shadowing(), 3), Paused(reason=PauseReason.MANUAL))
    state = lived(state, 10)
    assert state.phase_days == 3
    with refused_by("paused"):
        decisions.rollout.advance(state, INTACT, None, NOW)


def test_a_session_is_observed_once():
    with refused_by("session"):
        decisions.observation.record_day(lived(shadowing(), 3), day(2))


def test_a_latched_model_does_not_advance():
    latch = KillSwitchState(model="m", is_latched=True, kill_count=1, reason="smoke")
    with refused_by("kill_latch"):
        decisions.rollout.advance(lived(shadowing(), 7), INTACT, latch, NOW)


@pytest.mark.parametrize("reason", list(PauseReason))
@pytest.mark.parametrize("build", [opened, awaiting, approved, shadowing, limited])
def test_nothing_blocks_a_rollback_from_a_live_or_waiting_state(build, reason):
    state = build()
    if state.state in LIVE:
        state = after(state, Paused(reason=reason))
    assert rolled(state).state is State.ROLLED_BACK


def test_a_second_rollback_changes_nothing():
    state = after(limited(), *decisions.rollback.begin_rollback(limited(), RollbackCause.ERROR, "error_rate", "x", NOW))
    assert decisions.rollback.begin_rollback(state, RollbackCause.BUSINESS, "person", "again", NOW) == ()


def test_steps_are_done_in_order_only():
    state = after(limited(), *decisions.rollback.begin_rollback(limited(), RollbackCause.ERROR, "error_rate", "x", NOW))
    with refused_by("order"):
        decisions.rollback.finish_step(state, Step.REVERT, 0.1, "", "1", NOW)
    with pytest.raises(IllegalHistoryError):
        after(state, StepDone(step=Step.REVERT, seconds=0.1, detail=""))


def test_a_step_after_its_deadline_records_the_breach():
    state = after(limited(), *decisions.rollback.begin_rollback(limited(), RollbackCause.ERROR, "error_rate", "x", NOW))
    late = decisions.rollback.finish_step(state, Step.FENCE, 0.1, "", "1", NOW + timedelta(minutes=6))
    assert isinstance(late[1], DeadlineBreached)


def test_flags_follow_the_state_and_nothing_else():
    off = (False, 0, False)
    expected = {
        State.AWAITING_APPROVAL: off,
        State.APPROVED: off,
        State.SHADOW: (True, 0, True),
        State.LIMITED: (True, 10, False),
        State.ROLLED_BACK: off,
    }
    for state in (awaiting(), approved(), shadowing(), limited(), rolled(limited())):
        read = flags("m", [state], None)
        assert (read.enabled, read.allocation_pct, read.shadow_mode) == expected[state.state]


def test_a_latch_turns_every_flag_off_whatever_the_state():
    read = flags("m", [limited()], KillSwitchState(model="m", revision=1, is_latched=True, kill_count=1))
    assert (read.enabled, read.allocation_pct, read.state) == (False, 0, "killed")


def test_no_event_jumps_a_phase():
    with pytest.raises(IllegalHistoryError):
        after(shadowing(), PhaseEntered(phase=Phase.FULL, allocation_pct=100))
    with pytest.raises(IllegalHistoryError):
        after(approved(), PhaseEntered(phase=Phase.LIMITED, allocation_pct=10))
    with pytest.raises(IllegalHistoryError):
        after(limited(), RolledBack(restored_version="1"))


def test_a_history_in_which_a_guard_was_passed_by_is_not_replayed():
    with pytest.raises(IllegalHistoryError, match="without every required role"):
        after(awaiting(), Approved(manifest=MANIFEST))
    with pytest.raises(IllegalHistoryError, match="gates blocked"):
        after(opened(blocking=("pbo",)), ApprovalRequested(manifest=MANIFEST))


def test_a_gap_in_the_revisions_is_not_replayed():
    from signoff.domain.deployment import evolve

    state = shadowing()
    event = Recorded(
        stream="deployment/m-2", revision=state.revision + 2, at=NOW, actor="x", event=Paused(reason=PauseReason.MANUAL)
    )
    with pytest.raises(IllegalHistoryError):
        evolve(state, event)


def test_an_unsigned_role_keeps_capital_at_zero():
    state = awaiting()
    state = after(state, *decisions.approvals.approve(state, signature(Role.CTO), INTACT, REHEARSAL, NOW))
    with refused_by("state"):
        decisions.rollout.start(state, INTACT, None, NOW)


def test_full_has_the_whole_capital():
    (entered,) = decisions.rollout.advance(lived(limited(), 14), INTACT, None, NOW)
    assert entered == PhaseEntered(phase=Phase.FULL, allocation_pct=100, reason="limited conditions all hold")


def test_a_pause_is_recorded_once_with_its_reason_and_note():
    state = shadowing()
    paused = decisions.rollout.pause(state, PauseReason.FREEZE, "month end")
    assert paused == (Paused(reason=PauseReason.FREEZE, note="month end"),)
    assert decisions.rollout.pause(after(state, *paused), PauseReason.FREEZE, "again") == ()


def test_a_pause_ends_by_its_own_reason_alone():
    state = after(shadowing(), Paused(reason=PauseReason.FREEZE, note="month end"))
    with pytest.raises(GuardError, match="not paused for manual; pause reasons are: freeze"):
        decisions.rollout.resume(state, PauseReason.MANUAL, "")
    with pytest.raises(GuardError, match="pause reasons are: none"):
        decisions.rollout.resume(shadowing(), PauseReason.MANUAL, "")
    assert decisions.rollout.resume(state, PauseReason.FREEZE, "over") == (
        Resumed(reason=PauseReason.FREEZE, note="over"),
    )


@pytest.mark.parametrize("act", [decisions.rollout.pause, decisions.rollout.resume])
def test_only_a_live_release_is_paused_or_resumed(act):
    with refused_by("state"):
        act(approved(), PauseReason.MANUAL, "")


def test_a_pause_for_silence_comes_with_a_cut_alone():
    with refused_by("reason"):
        decisions.rollout.pause(shadowing(), PauseReason.SILENCE, "")
