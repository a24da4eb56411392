"""A request whose answer was lost is answered as done when it is made again, not refused for what it did itself."""

import pytest
from cast_of_six import PEOPLE

from signoff.app.grandfather import Adoption, adopt
from signoff.app.kill import LIFT
from signoff.app.order_halt import EVERY_REVISION
from signoff.app.people import enrol
from signoff.app.record import Caller, CallerRequest, Expectation
from signoff.app.rollback import order_scope
from signoff.config.settings import settings
from signoff.domain.errors import ConflictError, GuardError
from signoff.domain.events import PauseReason
from signoff.domain.policy import Policy, Role
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder

IDENTITY = "momentum-1.1.0-adopted"
ORDER = OpenOrder(client_order_id="momentum:1", symbol="A", side="buy", quantity=1.0)


class Killed(BaseException):
    """The process is gone; nothing may catch this."""


@pytest.fixture
def house(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home"), actor="t", venue="simulated"))
    for role in (Role.RISK_MANAGER, Role.CTO):
        key, name = house.key_of(PEOPLE[role]), PEOPLE[role]
        enrol(house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="t")
    adoption = Adoption(model="momentum", version="1.1.0", policy=Policy(name="p", version="1"), reason="r")
    adopt(house.record, adoption, tuple(house.signatory(role) for role in (Role.RISK_MANAGER, Role.CTO)))
    return house


def test_a_resume_made_again_is_answered_by_what_is_true_now(house):
    house.rollout.pause(IDENTITY, PauseReason.MANUAL, "", actor="t")
    seen = house.record.deployment(IDENTITY).revision

    def resume():
        mine = house.for_request(Caller(CallerRequest("r", "resume"), Expectation(IDENTITY, seen)))
        return mine.rollout.resume(IDENTITY, PauseReason.MANUAL, "", actor="t")

    assert resume() == resume()
    with pytest.raises(GuardError, match="not paused"):
        house.for_request(Caller(CallerRequest("another", "resume"))).rollout.resume(
            IDENTITY, PauseReason.MANUAL, "", actor="t"
        )


def test_the_same_name_with_other_contents_is_a_conflict_even_when_the_answer_was_lost(house):
    house.for_request(Caller(CallerRequest("r", "pause"))).rollout.pause(IDENTITY, PauseReason.MANUAL, "", actor="t")
    with pytest.raises(ConflictError, match="other contents"):
        house.for_request(Caller(CallerRequest("r", "else"))).rollout.pause(IDENTITY, PauseReason.FREEZE, "", actor="t")


def test_a_model_armed_by_a_process_that_died_gets_its_orders_through_again(house, monkeypatch):
    house.kill_switch.kill("momentum", reason="smoke", actor="t")
    house.kill_switch.rearm("momentum", house.signatory(Role.RISK_MANAGER), reason="fixed")
    with monkeypatch.context() as patch:

        def die(*_):
            raise Killed

        patch.setattr(type(house.broker), "lift", die)
        with pytest.raises(Killed):
            house.kill_switch.rearm("momentum", house.signatory(Role.CTO), reason="fixed")
    assert not house.record.latch("momentum").is_latched
    assert house.kill_switch.reconcile() == 0
    house.broker.place([ORDER], flags_revision=house.record.flags("momentum").revision)
    assert not [effect for effect in house.store.pending() if effect.kind == LIFT]


def test_arming_that_was_cut_off_does_not_lift_the_fence_of_a_later_kill(house, monkeypatch):
    house.kill_switch.kill("momentum", reason="smoke", actor="t")
    house.kill_switch.rearm("momentum", house.signatory(Role.RISK_MANAGER), reason="fixed")
    with monkeypatch.context() as patch:
        patch.setattr(type(house.kill_switch), "lift_armed", lambda _: None)
        house.kill_switch.rearm("momentum", house.signatory(Role.CTO), reason="fixed")
    house.kill_switch.kill("momentum", reason="again", actor="t")
    house.kill_switch.reconcile()
    house.broker._load()
    assert house.broker._fences[order_scope("momentum")] == EVERY_REVISION
    assert not [effect for effect in house.store.pending() if effect.kind == LIFT]
