"""What is told of a release in each of its states."""

from dataclasses import replace

import pytest
from standing import standing

from signoff.domain.deployment import ENDED, LIVE, State
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.verbs.release_documents import deployment_document


@pytest.mark.parametrize("state", State)
def test_only_a_release_that_trades_has_capital(state):
    release = standing(state)
    said = deployment_document(release, flags(release.model, (release,), None))
    assert (said["allocation_pct"] > 0) is (state in {State.LIMITED, State.FULL})
    assert said["standing"] == state.value


@pytest.mark.parametrize("state", sorted(LIVE))
def test_no_release_of_a_killed_model_trades_whatever_its_place_in_the_rollout(state):
    release = standing(state)
    said = deployment_document(
        release, flags(release.model, (release,), KillSwitchState(model="m", is_latched=True, kill_count=1))
    )
    assert (said["standing"], said["allocation_pct"]) == ("killed", 0)
    assert said["waits_for"] == "two people to arm it again: signoff rearm m"


def test_a_champion_trades_nothing_while_another_release_is_on_its_way_back():
    champion, leaving = standing(State.FULL), replace(standing(State.ROLLBACK_STUCK), id="m-3", version="3")
    said = deployment_document(champion, flags("m", (champion, leaving), None))
    assert (said["standing"], said["allocation_pct"]) == ("off", 0)


def test_a_champion_trades_what_its_candidate_leaves():
    champion, candidate = standing(State.FULL), replace(standing(State.LIMITED), id="m-3", version="3")
    told = flags("m", (champion, candidate), None)
    shares = [deployment_document(one, told)["allocation_pct"] for one in (champion, candidate)]
    assert shares == [90, 10]


@pytest.mark.parametrize("state", [s for s in State if s not in ENDED | {State.FULL}])
def test_what_a_release_waits_for_is_never_left_empty(state):
    release = standing(state)
    said = deployment_document(release, flags("m", (release,), None))["waits_for"]
    assert said
    assert not said.endswith(("of ", "of"))


def test_a_gate_that_was_missed_narrowly_is_no_plain_pass_before_signing():
    from signoff.cli.approving import _to_sign
    from signoff.cli.session import Session
    from signoff.domain.policy import Role

    gate = {"gate": "dsr", "outcome": "pass", "blocking": True, "near_miss": True}
    shown = {
        "manifest": "m",
        "memo": None,
        "deployment": "d",
        "gates": [gate],
        "overridden_by": [],
        "open_conditions": [],
    }
    told = list(_to_sign(Session(), shown, Role.CTO, ()))
    assert "  gate dsr: near miss" in told
    assert "  gate dsr: pass" in list(
        _to_sign(Session(), {**shown, "gates": [{**gate, "near_miss": False}]}, Role.CTO, ())
    )
