"""Flat is no order and no position, by a venue that says so or by a person who vouches for it."""

from dataclasses import replace

import pytest
from desk_in_memory import World, order_id
from test_way_back import back, raised

from signoff.adapters.venues.none import NoVenue
from signoff.app.notices import deliver
from signoff.app.record import deployment_stream
from signoff.app.rollback import order_scope
from signoff.domain.deployment import State
from signoff.domain.errors import GuardError, UnavailableError
from signoff.domain.events import FlatAttested, RollbackCause, Step, StepDone
from signoff.domain.floor import Tendency, differences, falls_short
from signoff.domain.policy import Policy, RollbackPolicy, thresholds
from signoff.domain.venue import NO_VENUE, PositionsAfter, VenueKind
from signoff.ports.venue import OpenOrder, OpenPosition

HELD = OpenPosition(scope=order_scope("m"), symbol="A", quantity=5.0)


@pytest.fixture
def world(desk):
    return World().opened("m")


def steps(world, state):
    history = world.house().record.history(deployment_stream(state.id))
    return {r.event.step: r.event for r in history if isinstance(r.event, StepDone)}


def test_a_model_that_holds_a_position_is_not_flat_and_goes_on_once_it_is_closed(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.broker.hold([HELD])
    stuck = back(world, state)
    assert (stuck.state, stuck.rollback.stuck_at) == (State.ROLLBACK_STUCK, Step.VERIFY_FLAT)
    assert "1 position(s): A 5" in stuck.rollback.stuck_because
    world.broker.hold([replace(HELD, quantity=0.0)])
    assert back(world, state).state is State.ROLLED_BACK
    said = steps(world, state)[Step.VERIFY_FLAT].detail
    assert said == "no open order and no position at the simulated venue in 2 consecutive reads"


def test_a_venue_that_is_connected_later_is_fenced_and_cancelled_before_it_is_believed(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    house = world.house()
    blind = replace(house.rollback, orders=NoVenue())
    blind.start(state.id, RollbackCause.ERROR, "t", "r", actor="t")
    assert blind.take_back(state.id, actor="t").state is State.ROLLBACK_STUCK
    late = OpenOrder(client_order_id=order_id("m", 7), symbol="A", side="buy", quantity=1.0)
    world.broker.place([late], flags_revision=0)
    world.house().rollback.take_back(state.id, actor="t")
    assert world.broker.open_orders(order_scope("m")) == ()
    assert world.broker._fences[order_scope("m")] > 0


def test_a_policy_that_keeps_positions_is_flat_by_orders_alone_and_the_step_says_so(world, monkeypatch):
    kept = RollbackPolicy(positions=PositionsAfter.KEPT)
    state = raised(world, "2", "1", to=State.LIMITED)
    world.broker.hold([HELD])
    house = world.house()
    real = type(house.record).deployment

    def with_policy(record, identity):
        found = real(record, identity)
        return replace(found, policy=replace(found.policy, rollback=kept))

    monkeypatch.setattr(type(house.record), "deployment", with_policy)
    assert back(world, state).state is State.ROLLED_BACK
    said = steps(world, state)[Step.VERIFY_FLAT].detail
    assert said == "no open order at the simulated venue in 2 consecutive reads; positions are kept by policy"


def test_positions_that_the_venue_does_not_tell_are_unknown_and_never_flat(world, monkeypatch):
    state = raised(world, "2", "1", to=State.LIMITED)

    def silent(_):
        raise UnavailableError("the venue keeps no positions today")

    monkeypatch.setattr(world.broker, "positions", silent)
    assert back(world, state).rollback.stuck_at is Step.VERIFY_FLAT
    stopped = world.house().kill_switch.kill("m", reason="smoke", actor="t")
    assert (stopped.left.orders, stopped.left.positions, stopped.left.is_flat) == (0, None, False)


def test_without_a_venue_a_rollback_waits_for_a_persons_word_and_then_goes_on(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.broker = NoVenue()
    stuck = back(world, state)
    assert (stuck.state, stuck.rollback.stuck_at) == (State.ROLLBACK_STUCK, Step.VERIFY_FLAT)
    house = world.house()
    deliver(house.record, world.inbox)
    (page,) = [text for _, subject, text in world.inbox.told.values() if "PAGE" in subject]
    asked = f"{NO_VENUE}; look at the broker yourself, then `signoff rollout attest-flat {state.id} --reason …`. Due by"
    assert page.startswith(asked)
    with pytest.raises(GuardError, match="takes a reason in words"):
        house.rollback.attest_flat(state.id, "  ", actor="Rita")
    done = house.rollback.attest_flat(state.id, "the desk\nsaid so", actor="Rita")
    assert (done.state, done.rollback.attested_by) == (State.ROLLED_BACK, "Rita")
    assert house.rollback.attest_flat(state.id, "again", actor="Otto").revision == done.revision
    found = steps(world, state)
    assert found[Step.VERIFY_FLAT].detail == "attested flat by Rita: the desk said so"
    assert {step.venue for step in found.values()} == {VenueKind.NONE}
    assert "no venue connected, so no fence was lifted" in found[Step.VERIFY_REVERT].detail
    assert world.registry.aliases["m", "champion"] == "1"
    told = [r.event for r in house.record.history(deployment_stream(state.id)) if isinstance(r.event, FlatAttested)]
    assert [(e.person, e.reason, e.venue) for e in told] == [("Rita", "the desk said so", VenueKind.NONE)]


def test_a_word_counts_where_a_venue_says_otherwise_and_only_while_the_rollback_waits_for_it(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    with pytest.raises(GuardError, match="only on its way back"):
        world.house().rollback.attest_flat(state.id, "r", actor="Rita")
    world.broker.hold([HELD])
    back(world, state)
    done = world.house().rollback.attest_flat(state.id, "the book is wrong", actor="Rita")
    assert done.state is State.ROLLED_BACK
    other = raised(world, "3", "1", to=State.LIMITED)
    world.broker.hold([replace(HELD, quantity=0.0)])
    world.registry.works = False
    assert back(world, other).rollback.stuck_at is Step.VERIFY_REVERT
    with pytest.raises(GuardError, match="next step is verify_revert"):
        world.house().rollback.attest_flat(other.id, "r", actor="Rita")


def test_a_kill_and_arming_work_without_a_venue_and_claim_nothing_about_it(world):
    raised(world, "2", "1", to=State.LIMITED)
    world.broker = NoVenue()
    house = world.house()
    stopped = house.kill_switch.kill("m", reason="smoke", actor="t")
    assert (stopped.is_recorded, stopped.left.words, stopped.left.is_flat) == (True, NO_VENUE, False)
    many = house.kill_switch.kill_many(reason="all of it", actor="t")
    assert (many.is_flat, many.left_in_words) == (False, NO_VENUE)
    assert house.kill_switch.reconcile() == 0
    from desk_in_memory import ROLES

    for role in ROLES[:2]:
        latch = house.kill_switch.rearm("m", world.signatory(role), reason="safe")
    assert not latch.is_latched
    assert [effect for effect in world.store.pending() if effect.kind == "lift"] == []


def test_a_kill_of_everything_finds_what_only_the_venue_knows_positions_too(world):
    world.broker.place(
        [OpenOrder(client_order_id=order_id("x", 1), symbol="A", side="buy", quantity=1.0)], flags_revision=1
    )
    world.broker.hold([replace(HELD, scope=order_scope("y"))])
    many = world.house().kill_switch.kill_many(reason="all of it", actor="t")
    found = {one.kill.model: (one.left.orders, one.left.positions) for one in many.models}
    assert found == {"m": (0, 0), "x": (0, 0), "y": (0, 1)}
    assert (many.is_flat, many.left_in_words) == (False, "no open order and 1 position at the simulated venue")


BASE = Policy(name="p", version="1")


def test_no_dossier_loosens_what_flat_means_or_which_rehearsal_counts():
    loose = replace(BASE, rollback=replace(BASE.rollback, positions=PositionsAfter.KEPT))
    strict = replace(BASE, rollback=replace(BASE.rollback, rehearsal_venue=VenueKind.SIMULATED))
    assert not {"rollback.positions", "rollback.rehearsal_venue"} & {t.path for t in thresholds(BASE)}
    from signoff.domain.dossier import DeploymentType

    assert falls_short(BASE, DeploymentType.UPGRADE, loose) == "rollback.positions"
    assert falls_short(strict, DeploymentType.UPGRADE, BASE) == "rollback.rehearsal_venue"
    assert [d.tendency for d in differences(BASE, loose)] == [Tendency.LOOSER]
    assert [d.tendency for d in differences(BASE, strict)] == [Tendency.TIGHTER]
