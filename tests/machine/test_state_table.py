"""Every state and every command: where it leads, or that it is refused."""

from dataclasses import replace
from pathlib import Path

import desk_in_memory as desk_of
import pytest
from standing import MANIFEST, ROLES, after, signature, standing
from standing import START as AT

from signoff.domain import decisions
from signoff.domain import events as e
from signoff.domain.deployment import TRANSITIONS, IllegalHistoryError, State
from signoff.domain.errors import GuardError
from signoff.domain.policy import Role
from signoff.domain.rollback_drill import Rehearsal
from signoff.domain.venue import VenueKind

DOCUMENT = Path(__file__).parents[2] / "docs" / "state-machine.md"
INTACT = decisions.guards.Package(manifest=MANIFEST, changed=())
REHEARSAL = Rehearsal(
    at=AT,
    result=e.Rehearsed(
        seconds=tuple((step, 0.1) for step in e.Step),
        residual_orders=0,
        within_budget=True,
        restored_version="1",
        events_acknowledged=25,
        events_lost=0,
    ),
)

# Each command is given with everything else in its favour, so that only the state decides. A dot is a refusal, an
# equals sign an answer that changes no state.
EXPECTED = """
| state | override | request approval | approve, last | reject | meet condition | start | advance | pause, resume | \
observe | roll back | step done, last | step fails | attest flat | post-mortem | supersede | reinstate | re-arm |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
| validating | · | · | · | · | · | · | · | · | · | rolling_back | · | · | · | · | · | · | · |
| validated | = | awaiting_approval | · | rejected | · | · | · | · | · | rolling_back | · | · | · | · | · | · | · |
| rejected | · | · | · | · | · | · | · | · | · | · | · | · | · | · | · | · | · |
| awaiting_approval | · | · | approved | rejected | = | · | · | · | · | rolling_back | · | · | · | · | · | · | · |
| approved | · | · | · | rejected | = | shadow | · | · | · | rolling_back | · | · | · | · | · | · | · |
| shadow | · | · | · | · | · | · | limited | = | = | rolling_back | · | · | · | · | · | · | = |
| limited | · | · | · | · | · | · | full | = | = | rolling_back | · | · | · | · | · | · | shadow |
| full | · | · | · | · | · | · | · | = | = | rolling_back | · | · | · | · | superseded | · | shadow |
| superseded | · | · | · | · | · | · | · | · | · | · | · | · | · | · | · | full | · |
| rolling_back | · | · | · | · | · | · | · | · | · | = | rolled_back | rollback_stuck | = | · | · | · | · |
| rollback_stuck | · | · | · | · | · | · | · | · | · | = | rolled_back | · | rolling_back | · | · | · | · |
| rolled_back | · | · | · | · | · | · | · | · | · | = | · | · | · | = | · | · | · |
""".strip()


DAY = desk_of.DAYS["good"]
COMMANDS = {
    "override": lambda s: decisions.approvals.sign_override(s, signature(Role.CTO, e.Vote.OVERRIDE), AT),
    "request approval": lambda s: decisions.approvals.request_approval(s, MANIFEST, REHEARSAL, AT),
    "approve, last": lambda s: decisions.approvals.approve(s, signature(ROLES[0]), INTACT, REHEARSAL, AT),
    "reject": lambda s: decisions.approvals.reject(s, signature(ROLES[0], e.Vote.REJECT)),
    "meet condition": lambda s: decisions.approvals.meet_condition(s, ROLES[0], "daily review", ROLES[0].title, "done"),
    "start": lambda s: decisions.rollout.start(s, INTACT, None, AT),
    "advance": lambda s: decisions.rollout.advance(s, INTACT, None, AT),
    "pause, resume": lambda s: decisions.rollout.pause(s, e.PauseReason.MANUAL, "n"),
    "observe": lambda s: decisions.observation.record_day(s, DAY),
    "roll back": lambda s: decisions.rollback.begin_rollback(s, e.RollbackCause.ERROR, "t", "r", AT),
    "step done, last": lambda s: decisions.rollback.finish_step(s, e.Step.REVIEW, 0.1, "", "1", AT),
    "step fails": lambda s: (e.RollbackStuck(step=e.Step.REVIEW, detail="d"),),
    "attest flat": lambda s: decisions.rollback.attest_flat(s, "t", "looked", VenueKind.NONE, AT),
    "post-mortem": lambda s: decisions.rollback.hold_post_mortem(s, "learned"),
    "supersede": lambda s: (e.Superseded(by_deployment="m-3"),),
    "reinstate": lambda s: (e.Reinstated(after_deployment="m-3"),),
    "re-arm": lambda s: (e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0),),
}


def favourable(state, command):
    """The release in this state with everything but the state in favour of the command."""
    blocked = command == "override" and state is State.VALIDATED
    conditional = command == "meet condition" and state in {State.AWAITING_APPROVAL, State.APPROVED}
    found = standing(state, blocked=blocked, conditional=conditional)
    if command == "attest flat" and state in {State.ROLLING_BACK, State.ROLLBACK_STUCK}:
        return unverified(state)
    return replace(found, phase_days=9, unmet=()) if command == "advance" else found


def unverified(state):
    """The same with only its first two steps done, so that nobody has said yet whether it is flat."""
    done = tuple((step, AT) for step in (e.Step.FENCE, e.Step.CANCEL))
    stuck = e.Step.VERIFY_FLAT if state is State.ROLLBACK_STUCK else None
    found = standing(state)
    return replace(found, rollback=replace(found.rollback, done=done, stuck_at=stuck))


def outcome(state, command):
    found = favourable(state, command)
    if command == "re-arm" and state is State.APPROVED:
        return "·"  # arming again touches live releases alone; from here the same event is the start
    try:
        then = after(found, *COMMANDS[command](found))
    except (GuardError, IllegalHistoryError):
        return "·"
    return "=" if then.state is state else then.state.value


def table():
    lines = ["| state | " + " | ".join(COMMANDS) + " |", "|---" * (len(COMMANDS) + 1) + "|"]
    lines += [f"| {s.value} | " + " | ".join(outcome(s, c) for c in COMMANDS) + " |" for s in State]
    return "\n".join(lines)


def cells(text):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {(row[0], command): cell for row in rows[2:] for command, cell in zip(rows[0][1:], row[1:], strict=True)}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", State)
def test_every_command_in_every_state_leads_where_the_table_says(state, command):
    assert outcome(state, command) == cells(EXPECTED)[state.value, command]


def test_the_documentation_shows_this_very_table():
    assert EXPECTED in DOCUMENT.read_text()


def test_a_state_is_left_only_along_the_transitions():
    moves = {(s, State(to)) for s in State for c in COMMANDS if (to := outcome(s, c)) not in {"·", "="}}
    assert len(moves) > 15
    for before, to in moves - {(State.ROLLBACK_STUCK, State.ROLLED_BACK)}:
        assert to in TRANSITIONS[before]
    # The last step of a rollback that was stuck is two moves in one commit.
    assert State.ROLLING_BACK in TRANSITIONS[State.ROLLBACK_STUCK]
    assert State.ROLLED_BACK in TRANSITIONS[State.ROLLING_BACK]


def test_a_rollback_leads_out_of_every_state_that_is_live_or_waiting():
    waiting = set(State) - {State.REJECTED, State.SUPERSEDED, State.ROLLED_BACK}
    assert {s for s in State if outcome(s, "roll back") != "·"} == waiting | {State.ROLLED_BACK}
