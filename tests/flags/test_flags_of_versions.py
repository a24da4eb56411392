"""Flags answer for the version that asks: the pure function, over every mix of versions."""

from dataclasses import replace
from datetime import timedelta

import pytest
from standing import POLICY, standing

from signoff.domain.deployment import LIVE, State
from signoff.domain.flag_notices import Format, NoControlError, control_in, read_control
from signoff.domain.flags import FlagState, InvalidContext, answer, closed, killed, off
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.policy import ChampionShare, PhasePolicy

OFF = (False, 0, False)
LATCHED = KillSwitchState(model="m", revision=1, is_latched=True, kill_count=1)


def release(version, state, *, days=0, **changed):
    made = standing(state)
    return replace(made, id=f"m-{version}", version=version, opened_at=made.opened_at + timedelta(days=days), **changed)


def read(told, version):
    view = told.for_version(version)
    return view.enabled, view.allocation_pct, view.shadow_mode


CHAMPION = release("1", State.FULL)


@pytest.mark.parametrize(
    ("state", "champion", "candidate"),
    [
        (State.APPROVED, (True, 100, False), OFF),
        (State.SHADOW, (True, 100, False), (True, 0, True)),
        (State.LIMITED, (True, 90, False), (True, 10, False)),
        (State.ROLLING_BACK, OFF, OFF),
        (State.ROLLBACK_STUCK, OFF, OFF),
        (State.ROLLED_BACK, (True, 100, False), OFF),
        (State.REJECTED, (True, 100, False), OFF),
    ],
)
def test_each_version_reads_flags_of_its_own_in_every_phase(state, champion, candidate):
    told = flags("m", (CHAMPION, release("2", state, days=1)), None)
    assert (read(told, "1"), read(told, "2")) == (champion, candidate)


def test_a_candidate_at_full_allocation_leaves_nothing_to_the_version_that_it_replaced():
    told = flags("m", (release("1", State.SUPERSEDED), release("2", State.FULL, days=1)), None)
    assert (read(told, "1"), read(told, "2")) == (OFF, (True, 100, False))


def test_the_champion_trades_all_of_the_capital_in_the_limited_phase_where_the_policy_says_so():
    phases = PhasePolicy(champion_share_while_limited=ChampionShare.ALL)
    limited = release("2", State.LIMITED, days=1, policy=replace(POLICY, phases=phases))
    told = flags("m", (CHAMPION, limited), None)
    assert (read(told, "1"), read(told, "2")) == ((True, 100, False), (True, 10, False))


@pytest.mark.parametrize(("own", "expected"), [(10, (True, 10, False)), (0, OFF), (95, (True, 90, False))])
def test_the_own_allocation_of_a_champion_decides_and_the_rest_is_only_its_limit(own, expected):
    told = flags("m", (replace(CHAMPION, allocation_pct=own), release("2", State.LIMITED, days=1)), None)
    assert read(told, "1") == expected


def test_a_candidate_cut_to_nothing_is_not_enabled_and_leaves_the_whole_to_the_champion():
    told = flags("m", (CHAMPION, release("2", State.LIMITED, days=1, allocation_pct=0)), None)
    assert (read(told, "1"), read(told, "2")) == ((True, 100, False), OFF)


@pytest.mark.parametrize("state", list(State))
def test_no_version_is_enabled_that_is_not_live(state):
    told = flags("m", (release("2", state),), None)
    assert (state in LIVE) == told.for_version("2").enabled


@pytest.mark.parametrize("asked", [None, "1", "2", "3", ""])
@pytest.mark.parametrize(
    "told",
    [
        flags("m", (CHAMPION, release("2", State.SHADOW, days=1)), LATCHED),
        killed(flags("m", (CHAMPION, release("2", State.SHADOW, days=1)), None), 1),
        flags("m", (CHAMPION, release("2", State.ROLLING_BACK, days=1)), None),
        flags("m", (release("2", State.ROLLED_BACK),), None),
        off("m"),
    ],
    ids=["latched", "killed", "on its way back", "nothing live", "nothing known"],
)
def test_a_model_that_is_off_answers_everybody_that_it_is(told, asked):
    said = answer(told, asked)
    assert not isinstance(said, InvalidContext)
    assert (said.enabled, said.allocation_pct, said.shadow_mode) == OFF


@pytest.mark.parametrize("asked", [None, "3", "", "1 ", "v1"])
def test_a_reader_without_a_known_version_is_told_what_to_send(asked):
    said = answer(flags("m", (CHAMPION, release("2", State.SHADOW, days=1)), None), asked)
    assert isinstance(said, InvalidContext)
    for part in ("`version`", "m@1", "1 (full)", "2 (shadow)", "models.m.control"):
        assert part in said.details


def test_even_of_one_version_alone_a_reader_without_one_is_told_what_to_send():
    assert isinstance(answer(flags("m", (CHAMPION,), None), None), InvalidContext)


def test_without_a_version_the_flat_flags_are_those_of_the_only_one_alive_and_closed_beside_another():
    alone = flags("m", (CHAMPION, release("2", State.APPROVED, days=1)), None)
    beside = flags("m", (CHAMPION, release("2", State.SHADOW, days=1)), None)
    assert (alone.enabled, alone.allocation_pct) == (True, 100)
    assert (beside.enabled, beside.allocation_pct, beside.shadow_mode) == OFF


def test_a_version_that_was_released_again_reads_as_its_live_release():
    again = (release("2", State.ROLLED_BACK), replace(release("2", State.SHADOW, days=9), id="m-2-again"))
    assert read(flags("m", (CHAMPION, *again), None), "2") == (True, 0, True)
    back = (release("2", State.SUPERSEDED), replace(release("2", State.ROLLED_BACK, days=9), id="m-2-again"))
    assert flags("m", (CHAMPION, *back), None).for_version("2").state == "rolled_back"


def test_shares_never_add_up_to_more_than_the_capital():
    for own in range(0, 101, 7):
        for candidate in range(0, 51, 5):
            limited = release("2", State.LIMITED, days=1, allocation_pct=candidate)
            told = flags("m", (replace(CHAMPION, allocation_pct=own), limited), None)
            assert sum(share.allocation_pct for share in told.versions) <= 100


MIXES = {
    "one": (CHAMPION,),
    "shadow": (CHAMPION, release("2", State.SHADOW, days=1)),
    "limited": (CHAMPION, release("2", State.LIMITED, days=1)),
    "first": (release("2", State.LIMITED),),
    "back": (CHAMPION, release("2", State.ROLLED_BACK, days=1)),
    "leaving": (CHAMPION, release("2", State.ROLLING_BACK, days=1)),
    "none": (),
}


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
@pytest.mark.parametrize("latch", [None, LATCHED])
def test_a_notice_of_the_second_format_is_read_as_it_was_meant(mix, latch):
    told = flags("m", mix, latch)
    assert read_control(Format.SECOND, control_in(Format.SECOND, told)) == told


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_a_notice_of_the_first_format_opens_nothing_that_the_version_may_not_do(mix):
    told = flags("m", mix, None)
    heard = read_control(Format.FIRST, control_in(Format.FIRST, told))
    for version in ("1", "2", "3"):
        view = heard.for_version(version)
        assert not view.enabled or read(heard, version) == read(told, version)
    assert heard.is_off or len([share for share in told.versions if share.enabled]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"versions": None},
        {"versions": {"1": None}},
        {"versions": {"1": {"state": "full", "enabled": 1, "allocation_pct": 100, "shadow_mode": False}}},
        {"versions": {"1": {"state": "full", "enabled": True, "allocation_pct": 101, "shadow_mode": False}}},
        {"versions": {"1": {"state": "full", "enabled": True, "allocation_pct": True, "shadow_mode": False}}},
        {"versions": {"1": {"state": "full", "enabled": True, "allocation_pct": 100}}},
        {"flags_revision": "5"},
        {"kill_count": -1},
        {"model": 3},
        {"version": 2},
    ],
)
def test_a_control_with_a_part_missing_or_of_another_kind_is_none(changed):
    said = control_in(Format.SECOND, flags("m", (CHAMPION,), None)) | changed
    with pytest.raises(NoControlError):
        read_control(Format.SECOND, said)


def test_closed_flags_keep_what_is_known_and_allow_nothing():
    told = closed(flags("m", (CHAMPION,), None), "closed")
    assert (told.version, told.state, told.enabled, told.allocation_pct) == ("1", "closed", False, 0)


def test_every_state_of_a_release_is_one_that_desks_are_told():
    assert {state.value for state in State} < {state.value for state in FlagState}
    assert {"off", "killed", "unknown", "closed"} == {s.value for s in FlagState} - {s.value for s in State}


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("state", ["FULL", "", "trading", "full "])
def test_a_state_that_nobody_knows_tells_no_flags(form, state):
    said = {**control_in(form, off("m")), "state": state}
    with pytest.raises(NoControlError):
        read_control(form, said)
    assert read_control(form, {**said, "state": "rolling_back"}).state is FlagState.ROLLING_BACK
