"""A hotfix and a redeployment leave out what the policy says they may, and never everything."""

from dataclasses import replace
from datetime import timedelta

import pytest
from desk_in_memory import ROLES, World

from signoff.domain.deployment import State
from signoff.domain.dossier import DeploymentType
from signoff.domain.errors import RefusedError
from signoff.domain.events import RollbackCause
from signoff.domain.policy import GatePolicy, Policy, Role, ShortenedPolicy, VarGate
from signoff.domain.shortened import shortened, shortenings

FIRM = Policy(name="firm", version="1")
HURRIED = [DeploymentType.HOTFIX, DeploymentType.ROLLBACK]
WEEK = timedelta(days=7)


@pytest.mark.parametrize("kind", [DeploymentType.INITIAL, DeploymentType.UPGRADE])
def test_an_initial_deployment_and_an_upgrade_leave_out_nothing(kind):
    assert shortened(FIRM, kind) == FIRM
    assert shortenings(FIRM, kind) == ()


@pytest.mark.parametrize("kind", HURRIED)
def test_point_in_time_and_value_at_risk_block_whatever_the_firm_asks_of_other_releases(kind):
    lax = replace(FIRM, gates=GatePolicy(var=VarGate(blocking=False)))
    gates = shortened(lax, kind).gates
    assert gates.var.blocking
    assert gates.point_in_time.blocking


@pytest.mark.parametrize("kind", HURRIED)
def test_risk_and_the_head_of_trading_sign_even_when_the_policy_names_others(kind):
    short = ShortenedPolicy(roles=(Role.CTO,))
    held_to = shortened(replace(FIRM, hotfix=short, redeployment=short), kind)
    assert held_to.approvals.required == (Role.RISK_MANAGER, Role.HEAD_OF_TRADING, Role.CTO)


@pytest.mark.parametrize("kind", HURRIED)
def test_a_session_of_each_phase_is_lived_and_never_more_than_the_firm_asks_of_others(kind):
    phases = shortened(FIRM, kind).phases
    assert 1 <= phases.shadow_days < FIRM.phases.shadow_days
    assert 1 <= phases.limited_days < FIRM.phases.limited_days
    long = ShortenedPolicy(shadow_days=99, limited_days=99)
    assert shortened(replace(FIRM, hotfix=long, redeployment=long), kind).phases == FIRM.phases


@pytest.mark.parametrize("kind", HURRIED)
def test_what_is_left_out_names_its_rule_and_applying_it_twice_changes_nothing(kind):
    once = shortened(FIRM, kind)
    assert shortened(once, kind) == once
    told = shortenings(once, kind)
    left_out = {"advisory_gates", "shadow_days", "limited_days", "notice_hours", "roles"}
    assert {s.rule.partition(".")[2] for s in told} == left_out
    (hours,) = (s.text for s in told if s.rule.endswith("notice_hours"))
    assert hours == f"people are told {once.sign_off.notice_hours:g} h before the start"
    (days,) = (s.text for s in told if s.rule.endswith("shadow_days"))
    assert f"{once.phases.shadow_days} sessions" in days


class Live:
    """Version 2 at full allocation over the adopted version 1."""

    def __init__(self, world):
        self.world, self.house = world, world.house()
        self.raised("2")

    def raised(self, version, previous="1", kind=DeploymentType.UPGRADE):
        self.house.rehearse("m")
        state = self.house.submit("m", version, previous, kind)
        for role in ROLES:
            state = self.house.approvals.approve(state.id, self.world.signatory(role))
        self.house.rollout.start(state.id, actor="t")
        for _ in range(2):
            for _ in range(2):
                self.world.clock.moment += WEEK
                self.house.watch("good").observe(state.id, actor="t")
            state = self.house.rollout.advance(state.id, actor="t")
        assert state.state is State.FULL
        return state


@pytest.fixture
def live(desk):
    return Live(World().opened("m"))


def test_a_version_that_was_live_is_redeployed_and_supersedes_the_one_that_replaced_it(live):
    state = live.raised("1", previous="2", kind=DeploymentType.ROLLBACK)
    assert [d.state for d in live.house.record.deployments("m")] == [State.SUPERSEDED, State.SUPERSEDED, State.FULL]
    assert live.house.record.flags("m").version == "1"
    assert state.previous_version == "2"


def test_a_version_that_was_never_live_is_not_redeployed(live):
    with pytest.raises(RefusedError, match=r"v9 was never live .* it is not on record"):
        live.house.submit("m", "9", "2", DeploymentType.ROLLBACK)


def test_a_version_that_was_rolled_back_is_not_redeployed(live):
    state = live.house.record.deployments("m")[-1]
    live.house.rollback.begin(state.id, RollbackCause.BUSINESS, "person", "test", actor="t")
    with pytest.raises(RefusedError, match="v2 was itself rolled back"):
        live.house.submit("m", "2", "1", DeploymentType.ROLLBACK)


def test_a_version_that_no_longer_loads_is_not_redeployed(live):
    live.world.registry.works = False
    with pytest.raises(RefusedError, match="v1 cannot be redeployed"):
        live.house.submit("m", "1", "2", DeploymentType.ROLLBACK)


def test_there_is_no_hotfix_of_a_model_that_has_nothing_live(desk):
    with pytest.raises(RefusedError, match="nothing of m is live"):
        World().opened().house().submit("m", "1", None, DeploymentType.HOTFIX)


def test_an_initial_deployment_beside_a_live_version_is_refused(live):
    with pytest.raises(RefusedError, match="'initial'"):
        live.house.submit("m", "3", None, DeploymentType.INITIAL)


def test_a_release_names_the_live_version_it_would_fall_back_to(live):
    with pytest.raises(RefusedError, match="previous_version is missing"):
        live.house.submit("m", "3", None, DeploymentType.UPGRADE)


def test_one_release_of_a_model_at_a_time_and_models_do_not_wait_for_each_other(desk):
    world = World().opened("m", "n")
    house = world.house()
    for model in ("m", "n"):
        house.rehearse(model)
        assert house.submit(model, "2", "1").state is State.AWAITING_APPROVAL
    with pytest.raises(RefusedError, match="one release a model at a time"):
        house.submit("m", "3", "1")


def test_of_two_releases_opened_at_the_same_moment_one_is_refused(desk):
    world = World().opened("m")
    house = world.house()
    house.rehearse("m")
    world.fuse.interlude = lambda: world.house().submit("m", "3", "1")
    with pytest.raises(RefusedError, match=r"m v3 .* one release a model at a time"):
        house.submit("m", "2", "1")
    assert [d.version for d in house.record.deployments("m")] == ["1", "3"]
