"""Sessions without conclusive data: people are told once, capital falls, and only a person brings it back."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standing import after, standing

from signoff.app import observe
from signoff.domain import decisions
from signoff.domain import events as e
from signoff.domain.deployment import IllegalHistoryError, State, evolve
from signoff.domain.errors import GuardError
from signoff.domain.flag_notices import Format, control_in, read_control
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import Policy, SilencePolicy
from signoff.domain.silence import outlook, rule
from signoff.domain.trading import trading
from signoff.ledger.codec import decode_state, encode_state

FIRST = date(2019, 1, 3)
GOOD = e.Observed(session=FIRST, counts=True, readings=(), is_conclusive=True)
KINDS = {
    "good": GOOD,
    "none": replace(GOOD, counts=False, is_conclusive=False, unmet=("no data arrived",)),
    "unknown": replace(
        GOOD, is_conclusive=False, readings=(e.Reading(key="psi_max", value=None, level="unknown"),), unmet=("psi",)
    ),
    "critical": replace(GOOD, readings=(e.Reading(key="psi_max", value=0.4, level="critical"),), unmet=("psi",)),
    "bad": replace(GOOD, fired=("error_rate",), unmet=("trigger holds: error_rate",)),
}
SILENT = ("none", "unknown")


def lived(state, *kinds, begin=0):
    """The release after a session of each of these kinds, a day apart."""
    for n, kind in enumerate(kinds, begin):
        day = replace(KINDS[kind], session=FIRST + timedelta(days=n))
        state = after(state, *decisions.observation.record_day(state, day))
    return state


def share(state):
    return flags("m", [state], None).allocation_pct


@pytest.mark.parametrize("kind", SILENT)
def test_capital_falls_to_the_limited_share_and_then_to_zero(kind):
    state, seen = standing(State.FULL), []
    for n in range(5):
        state = lived(state, kind, begin=n)
        seen.append((share(state), flags("m", [state], None).enabled))
    assert seen == [(100, True), (10, True), (10, True), (10, True), (0, False)]
    told = flags("m", [state], None)
    assert (told.state, told.shadow_mode) == ("full", False)
    assert told.reason == "capital cut to 0% after 5 sessions without conclusive data"


def test_no_data_and_unknown_readings_make_one_run():
    assert share(lived(standing(State.FULL), "good", "none", "unknown")) == 10


def test_a_limited_release_keeps_its_share_until_it_falls_to_zero():
    assert share(lived(standing(State.LIMITED), *["none"] * 4)) == 10
    assert share(lived(standing(State.LIMITED), *["none"] * 5)) == 0


def test_a_release_in_shadow_has_nothing_to_cut_and_stays_in_shadow():
    state = lived(standing(State.SHADOW), *["none"] * 9)
    told = flags("m", [state], None)
    assert (told.enabled, told.shadow_mode, told.allocation_pct, state.cut) == (True, True, 0, "")
    assert state.silent_sessions == 9


def test_a_conclusive_session_begins_the_count_again():
    assert share(lived(standing(State.FULL), "none", "good", "none", "critical", "none")) == 100


def test_conclusive_sessions_alone_bring_no_capital_back():
    state = lived(standing(State.FULL), "none", "none", *["good"] * 30)
    assert share(state) == 10
    assert "silence" in state.pause_reasons


def test_one_person_brings_the_approved_share_back_once_the_model_is_heard():
    silent = lived(standing(State.FULL), *["none"] * 5)
    with pytest.raises(GuardError, match="5 sessions without conclusive data up to 2019-01-07: no data"):
        decisions.rollout.resume(silent, e.PauseReason.SILENCE, "n")
    heard = lived(silent, "good", begin=5)
    latched = KillSwitchState(model="m", is_latched=True, kill_count=1, reason="orders")
    with pytest.raises(GuardError, match="guard 'kill_latch'"):
        decisions.rollout.resume(heard, e.PauseReason.SILENCE, "n", latched)
    state = after(heard, *decisions.rollout.resume(heard, e.PauseReason.SILENCE, "feed mended"))
    assert (share(state), state.cut, state.pause_reasons) == (100, "", ())


def test_a_limited_release_gets_its_limited_share_back():
    state = lived(standing(State.LIMITED), *["unknown"] * 5, "good")
    assert share(after(state, *decisions.rollout.resume(state, e.PauseReason.SILENCE, "n"))) == 10


FORGED = {
    "a resume during silence": [e.Resumed(reason=e.PauseReason.SILENCE)],
    "a cut that gives": [e.CapitalCut(allocation_pct=100, sessions=3, reason="r")],
    "a declaration of a judged session": [e.SessionNotHeld(session=date(2019, 1, 3), reason="r")],
    "a session observed twice": [replace(GOOD, concerns=())],
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_history_in_which_capital_returns_is_refused(forged):
    state = lived(standing(State.FULL), "good", "none", "none")
    with pytest.raises(IllegalHistoryError):
        after(state, *FORGED[forged])


def test_a_limited_release_that_silence_cut_enters_full_in_no_history():
    state = lived(standing(State.LIMITED), *["none"] * 5, "good", "good", "good")
    with pytest.raises(IllegalHistoryError, match="during silence"):
        after(state, e.PhaseEntered(phase=e.Phase.FULL, allocation_pct=100))


def test_a_version_that_silence_cut_is_reinstated_with_its_cut_share():
    state = after(lived(standing(State.FULL), "none", "none"), e.Superseded(by_deployment="m-3"))
    assert share(after(state, e.Reinstated(after_deployment="m-3"))) == 10


def test_arming_after_a_kill_gives_no_capital_back_that_silence_cut():
    state = lived(standing(State.FULL), *["none"] * 5)
    state = after(state, e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0))
    assert share(state) == 0
    with pytest.raises(GuardError, match="silence"):
        decisions.rollout.advance(
            replace(lived(state, *["good"] * 9, begin=5)),
            decisions.guards.Package(manifest=state.manifest or "a" * 64, changed=()),
            None,
            datetime(2019, 1, 20, tzinfo=UTC),
        )


def beside(state, *kinds):
    """A champion 1 that lived through these sessions, and a candidate 2 in this state."""
    champion = replace(lived(standing(State.FULL), *kinds), id="m-1", version="1")
    return champion, replace(standing(state), opened_at=champion.opened_at + timedelta(days=1))


@pytest.mark.parametrize(
    ("state", "kinds", "of_champion", "of_candidate"),
    [
        (State.LIMITED, ["none"] * 2, (True, 10), (True, 10)),
        (State.LIMITED, ["none"] * 5, (False, 0), (True, 10)),
        (State.SHADOW, ["none"] * 2, (True, 10), (True, 0)),
        (State.SHADOW, ["unknown"] * 5, (False, 0), (True, 0)),
        (State.LIMITED, ["good"], (True, 90), (True, 10)),
    ],
)
def test_each_version_reads_its_own_share_while_silence_cuts_the_champions(state, kinds, of_champion, of_candidate):
    champion, candidate = beside(state, *kinds)
    told = flags("m", [champion, candidate], None)
    read = [told.for_version(release.version) for release in (champion, candidate)]
    assert [(one.enabled, one.allocation_pct) for one in read] == [of_champion, of_candidate]
    assert [one.state for one in read] == ["full", state.value]
    assert [trading(release, told).share_pct for release in (champion, candidate)] == [
        one.allocation_pct for one in read
    ]


def test_the_reason_of_a_cut_is_that_of_the_version_that_asks_and_names_it_where_nobody_asks():
    told = flags("m", beside(State.SHADOW, "none", "none"), None)
    why = "capital cut to 10% after 2 sessions without conclusive data"
    assert (told.for_version("1").reason, told.for_version("2").reason, told.reason) == (why, "", f"v1: {why}")
    assert told.for_version("9").reason == ""


@pytest.mark.parametrize("form", Format)
def test_no_notice_says_why_capital_was_cut(form):
    told = flags("m", beside(State.SHADOW, "none", "none")[:1], None)
    assert told.reason
    assert "silence" not in str(control_in(form, told))
    assert told.reason not in str(control_in(form, told))
    assert read_control(form, control_in(form, told)).for_version("1").allocation_pct == 10


def test_silence_is_no_reason_of_a_version_that_is_on_its_way_back():
    silent = lived(standing(State.FULL), "none", "none")
    told = flags("m", [replace(silent, state=State.ROLLING_BACK, allocation_pct=0)], None)
    assert silent.is_cut
    assert (told.state, told.is_off, told.reason, told.for_version("2").reason) == ("rolling_back", True, "", "")


def test_a_kill_and_a_rollback_hold_off_a_version_that_silence_cut_and_are_the_reason_then():
    champion, candidate = beside(State.ROLLING_BACK, "none", "none")
    latched = KillSwitchState(model="m", is_latched=True, kill_count=1, reason="orders")
    for told in (flags("m", [champion], latched), flags("m", [champion, candidate], None)):
        assert (told.enabled, told.for_version("1").enabled, told.reason) == (False, False, "")


def test_a_person_pauses_for_no_silence():
    with pytest.raises(GuardError, match="cut of capital alone"):
        decisions.rollout.pause(standing(State.FULL), e.PauseReason.SILENCE, "n")


# Sessions that were not held.


def declared(state, n, **changes):
    given_ = {"has_data": False, "today": date(2019, 2, 1)} | changes
    return decisions.observation.declare_not_held(state, FIRST + timedelta(days=n), "storm", **given_)


def test_a_declared_session_is_no_silence_whether_it_was_looked_at_or_not():
    state = lived(standing(State.FULL), "good", "none")
    state = after(state, *declared(state, 1))
    state = after(state, *declared(state, 2))
    assert (state.silent_sessions, state.not_held) == (0, (date(2019, 1, 4), date(2019, 1, 5)))
    state = lived(state, "none", begin=3)
    assert (share(state), state.silent_sessions) == (100, 1)


def test_a_declared_session_is_no_day_of_a_phase():
    state = lived(standing(State.SHADOW), "good")
    assert after(state, *declared(state, 1)).phase_days == 1


def test_declaring_a_session_twice_changes_nothing():
    state = lived(standing(State.FULL), "none")
    assert declared(after(state, *declared(state, 0)), 0) == ()


@pytest.mark.parametrize(
    ("n", "changes", "why"),
    [
        (0, {}, "no session without conclusive data"),
        (1, {"has_data": True}, "data were journaled"),
        (40, {}, "once it is over"),
        (-9, {}, "went live"),
    ],
)
def test_a_declaration_is_refused_for_a_session_with_data_or_out_of_time(n, changes, why):
    with pytest.raises(GuardError, match=why):
        declared(lived(standing(State.FULL), "good", "none"), n, **changes)


def test_data_of_a_declared_session_are_judged_all_the_same():
    state = lived(standing(State.FULL), "good", "none")
    state = after(state, *declared(state, 1))
    late = decisions.observation.record_day(state, replace(KINDS["bad"], session=date(2019, 1, 4)))
    assert after(state, *late).not_held == ()
    with pytest.raises(GuardError, match="declared as not held"):
        decisions.observation.record_day(lived(state, begin=0), replace(KINDS["none"], session=date(2019, 1, 4)))


# Sessions whose data came late.


def test_a_day_that_was_looked_at_before_its_data_came_is_judged_when_they_come():
    state = lived(standing(State.SHADOW), "good", "none", "none")
    assert state.phase_days == 1
    state = lived(state, "good", begin=1)
    assert (state.silent_sessions, state.phase_days) == (1, 2)
    state = lived(state, "good", begin=2)
    assert (state.silent_sessions, state.phase_days, state.pause_reasons, state.unmet) == (0, 3, (), ())


@pytest.mark.parametrize("kind", SILENT)
def test_a_late_look_that_shows_nothing_new_is_refused(kind):
    with pytest.raises(GuardError, match="still inconclusive"):
        lived(lived(standing(State.FULL), "none", "good"), kind, begin=0)


def test_a_session_that_was_judged_is_judged_once():
    with pytest.raises(GuardError, match="observed already"):
        lived(lived(standing(State.FULL), "good", "none"), "good", begin=0)


def test_a_late_day_of_an_earlier_phase_is_no_day_of_this_one():
    state = lived(standing(State.SHADOW), "none", "good")
    entered = e.Recorded(
        stream="deployment/m-2",
        revision=state.revision + 1,
        at=datetime(2019, 1, 5, tzinfo=UTC),
        actor="t",
        event=e.PhaseEntered(phase=e.Phase.LIMITED, allocation_pct=10),
    )
    assert lived(evolve(state, entered), "good", begin=0).phase_days == 0


# What an older Signoff left.


def test_days_that_an_older_signoff_recorded_count_for_nothing():
    state = standing(State.FULL)
    for n in range(9):
        state = after(state, replace(KINDS["none"], session=FIRST + timedelta(days=n)))
    assert (state.unjudged, state.silent_sessions, share(state)) == ((), 0, 100)
    assert share(lived(state, "none", begin=9)) == 100
    assert share(lived(state, "none", "none", begin=9)) == 10


def test_a_policy_without_the_rule_has_the_usual_one():
    old = encode_state(Policy(name="p", version="1")).replace(
        b'"silence":{"limited_after_sessions":2,"zero_after_sessions":5},', b""
    )
    assert b"silence" not in old
    assert decode_state(Policy, old).silence == SilencePolicy()


# What is said.


def test_the_rule_is_told_in_the_policys_numbers():
    policy = Policy(name="p", version="1", silence=SilencePolicy(limited_after_sessions=1, zero_after_sessions=3))
    assert rule(policy).startswith("After 1 session in a row without conclusive data")
    assert "capital falls to 10%, after 3 sessions to zero" in rule(policy)
    assert "it comes back only by a person" in rule(policy)


@pytest.mark.parametrize(
    ("state", "kinds", "said"),
    [
        (State.FULL, 1, "After 1 more such session capital falls to 10%; after 4 more such sessions to 0%."),
        (State.FULL, 3, "After 2 more such sessions capital falls to 0%."),
        (State.LIMITED, 1, "After 4 more such sessions capital falls to 0%."),
        (State.FULL, 5, "No capital is left to cut; only a person brings it back."),
        (State.SHADOW, 1, "The release is in shadow and has no capital to cut; it does not advance meanwhile."),
    ],
)
def test_what_silence_will_do_next_is_told(state, kinds, said):
    assert outlook(lived(standing(state), *["none"] * kinds)) == said


# Whatever happens.

DAYS = st.lists(st.sampled_from([kind for kind in KINDS if kind != "bad"]), max_size=12)


def concerned(state, kind, n):
    """Whether people are told of this session."""
    day = replace(KINDS[kind], session=FIRST + timedelta(days=n))
    events = decisions.observation.record_day(state, day)
    return bool(observe._told(state, events)), after(state, *events)


@given(kinds=DAYS, lost=st.sets(st.integers(0, 11)), phase=st.sampled_from([State.SHADOW, State.LIMITED, State.FULL]))
def test_removing_data_never_raises_the_allocation(kinds, lost, phase):
    with_all = lived(standing(phase), *kinds)
    without = lived(standing(phase), *["none" if n in lost else kind for n, kind in enumerate(kinds)])
    assert share(without) <= share(with_all)


@given(kinds=DAYS, phase=st.sampled_from([State.SHADOW, State.LIMITED, State.FULL]))
def test_every_change_for_the_worse_is_told_and_nothing_else(kinds, phase):
    state = standing(phase)
    for n, kind in enumerate(kinds):
        before = state
        is_told, state = concerned(state, kind, n)
        assert is_told == (state.concerns != before.concerns or state.allocation_pct != before.allocation_pct)
        if kind != "good" and before.concerns == ():
            assert is_told


@given(kinds=DAYS, n=st.integers(0, 11))
def test_losing_the_data_of_a_session_silences_no_notice(kinds, n):
    """The first session without data after one that was well is told, whatever it would have shown."""
    state = lived(standing(State.FULL), *kinds[:n])
    is_told, _ = concerned(state, "none", len(kinds[:n]))
    assert is_told or state.concerns == ("no data",)
