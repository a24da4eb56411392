"""The policy changes while a release is being opened, or while a model is to be armed again."""

import pytest

from signoff.app.kill import KillSwitch
from signoff.app.policy import Policies
from signoff.domain.errors import RefusedError
from signoff.domain.floor import BUILT_IN
from signoff.domain.policy import ApprovalPolicy, Policy, Role

NEWER = Policy(name="newer", version="2")
MAKERS = (Role.RISK_MANAGER, Role.CTO)


@pytest.fixture
def world(desk, monkeypatch):
    """A world whose releases are held to the policy that its ledger has."""
    made = desk.World().opened("m")
    monkeypatch.setattr(desk._Assessor, "in_force", lambda self: policies_of(self._world).in_force())
    return made


def policies_of(world):
    return Policies(record=world.house().record, read=lambda _: BUILT_IN)


def confirm(world, policy):
    first, second = map(world.signatory, MAKERS)
    policies_of(world).confirm(policies_of(world).propose(policy, first).id, second)


def test_a_policy_that_is_confirmed_at_the_last_moment_keeps_the_release_out(world):
    house = world.house()
    house.rehearse("m")
    world.fuse.interlude = lambda: confirm(world, NEWER)
    with pytest.raises(RefusedError, match="assessed under the built-in policy"):
        house.submit("m", "2", "1")
    assert [d.version for d in house.record.deployments("m")] == ["1"]


def test_a_policy_that_is_only_proposed_keeps_nothing_out_for_good(world):
    house = world.house()
    house.rehearse("m")
    first = world.signatory(MAKERS[0])
    world.fuse.interlude = lambda: policies_of(world).propose(NEWER, first)
    state = house.submit("m", "2", "1")
    assert state.floor.name == "default"


def test_arming_where_nothing_is_live_takes_as_many_people_as_the_installation_says(desk):
    world = desk.World()
    house = world.opened().house()
    three = Policy(name="three", version="1", approvals=ApprovalPolicy(override_persons=3))
    confirm(world, three)
    switch = KillSwitch(
        record=house.record,
        orders=house.orders,
        journal=world.kills,
        in_time=lambda settle: settle(),
        policy=lambda: policies_of(world).in_force().policy,
    )
    switch.kill("m", reason="smoke", actor="t")
    roles = (Role.RISK_MANAGER, Role.CTO, Role.HEAD_OF_TRADING)
    latched = [switch.rearm("m", world.signatory(role), reason="fixed").is_latched for role in roles]
    assert latched == [True, True, False]
