"""The way back under fire: stuck, late, interrupted, raced; and never to a version that was itself rolled back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from desk_in_memory import POLICY, ROLES, Crash, World, order_id

from signoff.adapters.kill_journal import KillFolders
from signoff.app.champion import name_champions
from signoff.app.kill import LIFT
from signoff.app.notices import deliver
from signoff.app.order_halt import EVERY_REVISION
from signoff.app.overdue import ESCALATION, check_deadlines
from signoff.app.people import withdraw
from signoff.app.reconcile import reconcile_orders
from signoff.app.record import decided_again, deployment_stream
from signoff.app.rollback import order_scope
from signoff.domain.deployment import State
from signoff.domain.errors import RefusedError, StaleRevisionError, UnavailableError
from signoff.domain.events import DeadlineBreached, PauseReason, RollbackCause, Step
from signoff.domain.policy import Role
from signoff.ports.kills import Kill
from signoff.ports.venue import OpenOrder


def raised(world, version, previous, *, to=State.FULL):
    """A release of m, signed and lived up to a state."""
    house = world.house()
    house.rehearse("m")
    state = house.submit("m", version, previous)
    for role in ROLES:
        state = house.approvals.approve(state.id, world.signatory(role))
    if to is State.APPROVED:
        return state
    state = house.rollout.start(state.id, actor="t")
    while state.state is not to:
        for _ in range(2):
            world.clock.moment += timedelta(days=1)
            house.watch("good").observe(state.id, actor="t")
        state = house.rollout.advance(state.id, actor="t")
    return state


def back(world, state):
    return world.house().rollback.begin(state.id, RollbackCause.BUSINESS, "person", "test", actor="t")


def trading(world, model="m"):
    flags = world.house().record.flags(model)
    order = OpenOrder(client_order_id=order_id(model, 1), symbol="A", side="buy", quantity=1.0)
    world.broker.place([order], flags.revision)


def kinds(world, state):
    return [r.event.kind for r in world.house().record.history(deployment_stream(state.id))]


@pytest.fixture
def world(desk):
    return World().opened("m")


def test_a_rollback_that_was_stuck_at_open_orders_asks_for_them_again_and_ends(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    trading(world)
    world.broker.is_stubborn = True
    stuck = back(world, state)
    assert (stuck.state, stuck.rollback.stuck_at) == (State.ROLLBACK_STUCK, Step.VERIFY_FLAT)
    assert not world.house().record.flags("m").enabled
    world.broker.is_stubborn = False
    assert back(world, state).state is State.ROLLED_BACK
    assert world.broker.open_orders(order_scope("m")) == ()


def test_a_broker_that_cannot_be_reached_makes_the_rollback_stuck_and_pages(world, monkeypatch):
    state = raised(world, "2", "1", to=State.LIMITED)

    def gone(*_):
        raise UnavailableError("the venue does not answer")

    monkeypatch.setattr(world.broker, "fence", gone)
    stuck = back(world, state)
    assert (stuck.state, stuck.rollback.stuck_at) == (State.ROLLBACK_STUCK, Step.FENCE)
    deliver(world.house().record, world.inbox)
    assert any("PAGE: rollback stuck at fence" in subject for _, subject, _ in world.inbox.told.values())


def test_people_are_called_again_until_it_moves_and_then_no_more(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.registry.works = False
    back(world, state)
    record = world.house().record

    def told():
        check_deadlines(record)
        check_deadlines(world.house().record)
        deliver(record, world.inbox)
        return [(c, s) for c, s, _ in world.inbox.told.values() if "PAGE" in s or c == ESCALATION]

    assert len(told()) == 1
    world.clock.moment += timedelta(minutes=16)
    assert len(told()) == 2
    world.clock.moment += timedelta(minutes=16)
    assert [channel for channel, _ in told()].count(ESCALATION) == 1
    world.registry.works = True
    assert back(world, state).state is State.ROLLED_BACK
    before = len(told())
    world.clock.moment += timedelta(hours=3)
    assert len(told()) == before


def test_every_deadline_that_passes_is_recorded_once_whoever_looks_and_however_often(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.registry.works = False
    back(world, state)
    for minutes in (1, 20, 130):
        world.clock.moment += timedelta(minutes=minutes)
        check_deadlines(world.house().record)
        check_deadlines(world.house().record)
    world.registry.works = True
    back(world, state)
    world.clock.moment += timedelta(hours=50)
    check_deadlines(world.house().record)
    history = world.house().record.history(deployment_stream(state.id))
    breached = [r.event.name for r in history if isinstance(r.event, DeadlineBreached)]
    assert breached == ["revert", "review", "post_mortem"]


def test_a_post_mortem_in_time_meets_its_deadline(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    back(world, state)
    with pytest.raises(RefusedError, match="in words"):
        world.house().rollback.hold_post_mortem(state.id, " ", actor="t")
    world.house().rollback.hold_post_mortem(state.id, "the feed was late", actor="t")
    world.clock.moment += timedelta(hours=50)
    assert check_deadlines(world.house().record) == ()


def test_deadlines_are_absolute_so_that_a_restart_resets_none(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.fuse.left = 2
    with pytest.raises(Crash):
        back(world, state)
    world.restarted()
    began = world.house().record.deployment(state.id).rollback
    world.clock.moment += timedelta(minutes=6)
    found = check_deadlines(world.house().record)
    assert [(breach.name, breach.due) for _, breach in found] == [("immediate", began.deadlines[0].due)]
    assert back(world, state).rollback.deadlines == began.deadlines


def test_what_replaced_a_bad_version_falls_back_behind_it(world):
    second = raised(world, "2", "1")
    third = raised(world, "3", "2", to=State.LIMITED)
    back(world, second)
    assert world.registry.aliases["m", "champion"] == "1"
    assert world.house().record.flags("m").version == "1"
    back(world, third)
    assert world.registry.aliases["m", "champion"] == "1"
    restored = world.house().record.history(deployment_stream(third.id))[-1].event
    assert (restored.kind, restored.restored_version) == ("rolled_back", "1")


def test_full_allocation_supersedes_whatever_is_champion_then(world):
    second = raised(world, "2", "1")
    third = raised(world, "3", "2", to=State.LIMITED)
    back(world, second)
    house = world.house()
    for _ in range(2):
        world.clock.moment += timedelta(days=1)
        house.watch("good").observe(third.id, actor="t")
    house.rollout.advance(third.id, actor="t")
    assert [d.state for d in house.record.deployments("m")] == [State.SUPERSEDED, State.ROLLED_BACK, State.FULL]
    back(world, third)
    assert house.record.flags("m").version == "1"


def test_the_end_of_a_rollback_does_not_lift_the_fence_of_a_killed_model(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.house().kill_switch.kill("m", reason="smoke", actor="t")
    flags = world.house().record.flags("m")
    assert back(world, state).state is State.ROLLED_BACK
    with pytest.raises(RefusedError, match="fenced"):
        trading_at(world, flags.revision)


def trading_at(world, epoch):
    order = OpenOrder(client_order_id=order_id("m", 2), symbol="A", side="buy", quantity=1.0)
    world.broker.place([order], epoch)


def test_a_kill_that_a_crash_cut_off_is_finished_by_the_next_pass(world):
    raised(world, "2", "1", to=State.LIMITED)
    trading(world)
    world.fuse.left = 2  # after the journal, before the fence
    with pytest.raises(Crash):
        world.house().kill_switch.kill("m", reason="smoke", actor="t")
    house = world.restarted().house()
    assert len(world.broker.open_orders(order_scope("m"))) == 1
    assert house.kill_switch.reconcile() == 0
    assert house.orders.open_orders(order_scope("m")) == ()
    assert house.record.latch("m").is_latched
    assert reconcile_orders(house.record, house.orders, "m") == 0
    assert world.broker.open_orders(order_scope("m")) == ()


def test_no_model_is_halted_with_another_whose_name_begins_like_its_own(desk):
    world = World().opened("m", "m-x", "m:x")
    for model in ("m", "m-x", "m:x"):
        trading(world, model)
    world.house().kill_switch.kill("m", reason="smoke", actor="t")
    assert [len(world.broker.open_orders(order_scope(model))) for model in ("m", "m-x", "m:x")] == [0, 1, 1]


def test_a_trigger_and_its_rollback_are_one_commit(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.clock.moment += timedelta(days=1)
    world.fuse.left = 2  # after the first commit
    with pytest.raises(Crash):
        world.house().watch("bad").observe(state.id, actor="t")
    assert kinds(world, state)[-2:] == ["observed", "rollback_started"]
    assert not world.restarted().house().record.flags("m").enabled


def test_people_who_sign_at_the_same_time_do_not_get_in_each_others_way(world):
    house = world.house()
    house.rehearse("m")
    state = house.submit("m", "2", "1")
    first, second, third = (world.signatory(role) for role in ROLES)
    world.fuse.interlude = lambda: world.house().approvals.approve(state.id, second)
    house.approvals.approve(state.id, first)
    assert {s.person for s in house.record.deployment(state.id).approvals} == {first.person, second.person}
    assert house.approvals.approve(state.id, third).state is State.APPROVED


def test_a_kill_that_is_recorded_while_a_release_advances_comes_first(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    house = world.house()
    for _ in range(2):
        world.clock.moment += timedelta(days=1)
        house.watch("good").observe(state.id, actor="t")
    world.fuse.interlude = lambda: world.house().kill_switch.kill("m", reason="ten times the size", actor="t")
    with pytest.raises(StaleRevisionError):
        house.rollout.advance(state.id, actor="t")
    assert house.record.deployment(state.id).state is State.LIMITED
    with pytest.raises(RefusedError, match="killed"):
        house.rollout.advance(state.id, actor="t")


def test_the_registry_names_who_trades_with_all_of_the_capital_and_a_registry_that_was_away_hears_of_it_later(world):
    house = world.house()
    name_champions(house.record, house.registry)
    assert world.registry.aliases["m", "champion"] == "1"
    state = raised(world, "2", "1")
    world.fuse.left = 0
    with pytest.raises(Crash):
        name_champions(house.record, house.registry)
    assert world.registry.aliases["m", "champion"] == "1"
    name_champions(world.restarted().house().record, house.registry)
    assert world.registry.aliases["m", "champion"] == "2"
    back(world, state)
    name_champions(house.record, house.registry)
    assert world.registry.aliases["m", "champion"] == "1"
    assert [effect for effect in world.store.pending() if effect.kind == "champion"] == []


def test_a_worker_that_was_held_up_while_it_named_a_champion_names_the_one_there_is_now(world):
    state = raised(world, "2", "1")
    house, slow = world.house(), world.registry

    class Slow:
        def point(self, model, alias, version):
            if version == "2" and world.house().record.deployment(state.id).state is State.FULL:
                back(world, state)
            slow.point(model, alias, version)

    name_champions(house.record, Slow())
    assert world.registry.aliases["m", "champion"] == "1"


def test_a_signature_that_no_longer_makes_sense_is_refused_by_its_guard_and_not_retried_into_the_record(world):
    house = world.house()
    house.rehearse("m")
    state = house.submit("m", "2", "1")
    first, second = (world.signatory(role) for role in ROLES[:2])
    world.fuse.interlude = lambda: world.house().approvals.reject(state.id, second, reason="no")
    with pytest.raises(RefusedError, match="'state'"):
        house.approvals.approve(state.id, first)
    assert house.record.deployment(state.id).state is State.REJECTED


def test_a_rollback_is_not_refused_because_somebody_paused_at_the_same_moment(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.fuse.interlude = lambda: world.house().rollout.pause(state.id, PauseReason.FREEZE, "n", actor="p")
    assert back(world, state).state is State.ROLLED_BACK


def test_two_workers_on_one_rollback_record_each_step_once(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.house().rollback.start(state.id, RollbackCause.ERROR, "error_rate", "x", actor="t")
    world.fuse.interlude = lambda: world.house().rollback.carry_out(state.id, actor="other worker")
    assert world.house().rollback.carry_out(state.id, actor="worker").state is State.ROLLED_BACK
    assert kinds(world, state).count("step_done") == len(Step)


def test_attempts_are_bounded():
    tried = []

    def always_late():
        tried.append(1)
        raise StaleRevisionError("another commit came first")

    with pytest.raises(StaleRevisionError):
        decided_again(always_late, attempts=3)
    assert len(tried) == 3


def test_after_a_kill_the_adopted_champion_returns_through_the_phases_before_the_candidate(world):
    second = raised(world, "2", "1", to=State.LIMITED)
    house = world.house()
    house.kill_switch.kill("m", reason="smoke", actor="t")
    for role in ROLES[:2]:
        house.kill_switch.rearm("m", world.signatory(role), reason="safe")
    first = house.record.deployments("m")[0]
    assert {d.state for d in house.record.deployments("m")} == {State.SHADOW}
    for state in (first, second):
        for _ in range(2):
            world.clock.moment += timedelta(days=1)
            house.watch("good").observe(state.id, actor="t")
    with pytest.raises(RefusedError, match="'one_candidate'"):
        house.rollout.advance(second.id, actor="t")
    assert house.rollout.advance(first.id, actor="t").state is State.LIMITED


def test_a_signature_for_arming_that_has_expired_counts_no_more(world):
    raised(world, "2", "1", to=State.LIMITED)
    house = world.house()
    house.kill_switch.kill("m", reason="smoke", actor="t")
    first, second = ROLES[:2]
    signed = house.kill_switch.rearm("m", world.signatory(first), reason="safe").rearm_signatures[0]
    world.clock.moment = signed.expires_at
    assert house.kill_switch.rearm("m", world.signatory(second), reason="safe").is_latched
    assert not house.kill_switch.rearm("m", world.signatory(first), reason="safe").is_latched


def test_only_a_role_whose_duty_arms_signs_for_arming(world):
    house = world.house()
    house.kill_switch.kill("m", reason="smoke", actor="t")
    with pytest.raises(RefusedError, match="found lead_quant"):
        house.kill_switch.rearm("m", replace(world.signatory(ROLES[0]), role=Role.LEAD_QUANT), reason="safe")


def test_a_model_without_a_previous_version_rehearses_the_halt(desk):
    house = World().opened().house()
    result = house.rehearse("m")
    assert (result.restored_version, result.residual_orders, result.within_budget) == (None, 0, True)
    assert [step for step, _ in result.seconds] == list(Step)
    assert house.record.latch("m").rehearsal.result == result


def test_a_rehearsal_touches_neither_the_flags_nor_the_orders_of_production(world):
    raised(world, "2", "1", to=State.LIMITED)
    trading(world)
    house = world.house()
    before = house.record.flags("m").for_version("2")
    world.registry.aliases = {("m", "champion"): "what the operator set"}
    house.rehearse("m")
    after = house.record.flags("m").for_version("2")
    assert (after.enabled, after.allocation_pct) == (before.enabled, before.allocation_pct) == (True, 10)
    assert len(world.broker.open_orders(order_scope("m"))) == 1
    assert world.registry.aliases == {("m", "champion"): "what the operator set", ("m", "rehearsal"): "1"}


def test_a_rehearsal_whose_version_does_not_load_stands_for_nothing(world):
    world.registry.works = False
    house = world.house()
    assert not house.rehearse("m").within_budget
    world.registry.works = True
    assert house.submit("m", "2", "1").state is State.VALIDATED
    house.rehearse("m")
    assert house.submit("m", "2", "1").state is State.AWAITING_APPROVAL


def test_a_rehearsal_that_grew_old_between_two_signatures_refuses_the_second(world):
    house = world.house()
    house.rehearse("m")
    state = house.submit("m", "2", "1")
    house.approvals.approve(state.id, world.signatory(ROLES[0]))
    world.clock.moment += timedelta(days=POLICY.rollback.rehearsal_max_age_days + 1)
    with pytest.raises(RefusedError, match="rehearsed 91 days before"):
        house.approvals.approve(state.id, world.signatory(ROLES[1]))


def test_the_registry_is_asked_by_the_name_that_it_knows_the_model_by(world, monkeypatch):
    house = world.house()
    asked = []
    verify = world.registry.verify
    monkeypatch.setattr(world.registry, "verify", lambda model, version: asked.append(model) or verify(model, version))
    house.rehearse("m", registered_model="prod.m")
    assert asked == ["prod.m"]
    assert world.registry.aliases == {("prod.m", "rehearsal"): "1"}


def ordered(world):
    """A kill that is in the journal and nowhere else."""
    kill = Kill(id="1" * 32, model="m", reason="smoke", actor="t", at=datetime(2019, 1, 2, tzinfo=UTC))
    world.kills.write(kill)
    world.house().kill_switch.halt(kill)
    return kill


def fence(world):
    return world.broker._fences[order_scope("m")]


def test_a_kill_that_is_only_journaled_keeps_its_fence_when_a_rollback_ends(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    ordered(world)
    assert back(world, state).state is State.ROLLED_BACK
    assert fence(world) == EVERY_REVISION


def test_a_kill_ordered_at_the_moment_a_rollback_lifts_the_fence_stands(world, monkeypatch):
    state = raised(world, "2", "1", to=State.LIMITED)
    lift = world.broker.lift

    def late(scope, epoch):
        ordered(world)
        lift(scope, epoch)

    monkeypatch.setattr(world.broker, "lift", late)
    assert back(world, state).state is State.ROLLED_BACK
    assert fence(world) == EVERY_REVISION


def test_a_kill_ordered_at_the_moment_a_model_is_armed_keeps_its_fence(world, monkeypatch):
    house, lift = world.house(), world.broker.lift
    house.kill_switch.kill("m", reason="smoke", actor="t")

    def late(scope, epoch):
        ordered(world)
        lift(scope, epoch)

    monkeypatch.setattr(world.broker, "lift", late)
    for role in ROLES[:2]:
        house.kill_switch.rearm("m", world.signatory(role), reason="safe")
    assert fence(world) == EVERY_REVISION
    assert not [effect for effect in house.record.store.pending() if effect.kind == LIFT]
    house.kill_switch.reconcile()
    assert house.record.latch("m").is_latched


def test_a_model_is_not_armed_while_a_rollback_would_bring_a_version_back_around_shadow(world):
    state = raised(world, "2", "1")
    trading(world)
    world.broker.is_stubborn = True
    assert back(world, state).state is State.ROLLBACK_STUCK
    switch = world.house().kill_switch
    switch.kill("m", reason="smoke", actor="t")
    with pytest.raises(RefusedError, match="rollback_stuck"):
        switch.rearm("m", world.signatory(ROLES[0]), reason="safe")
    world.broker.is_stubborn = False
    assert back(world, state).state is State.ROLLED_BACK
    for role in ROLES[:2]:
        switch.rearm("m", world.signatory(role), reason="safe")
    flags = world.house().record.flags("m")
    assert (flags.state, flags.allocation_pct, flags.shadow_mode) == ("shadow", 0, True)


def test_a_fence_that_arming_could_not_lift_yet_is_lifted_when_the_way_back_has_ended(world, monkeypatch):
    state = raised(world, "2", "1", to=State.LIMITED)
    switch = world.house().kill_switch
    switch.kill("m", reason="smoke", actor="t")
    with monkeypatch.context() as patch:
        patch.setattr(type(switch), "lift_armed", lambda _: None)  # the process ends before it
        for role in ROLES[:2]:
            switch.rearm("m", world.signatory(role), reason="safe")
    world.broker.is_stubborn = True
    trading_before_the_fence = OpenOrder(client_order_id=order_id("m", 2), symbol="A", side="buy", quantity=1.0)
    world.broker.place([trading_before_the_fence], EVERY_REVISION + 1)
    assert back(world, state).state is State.ROLLBACK_STUCK
    switch.reconcile()
    assert fence(world) == EVERY_REVISION
    world.broker.is_stubborn = False
    assert back(world, state).state is State.ROLLED_BACK
    switch.reconcile()
    assert fence(world) < world.house().record.flags("m").revision
    assert world.store.pending() == () or all(effect.kind != "lift" for effect in world.store.pending())


@pytest.mark.parametrize("spoilt", ["it expired", "the role was withdrawn"])
def test_a_signature_for_arming_that_no_longer_counts_does_not_arm(world, spoilt):
    switch = world.house().kill_switch
    switch.kill("m", reason="smoke", actor="t")
    first, second, third = ROLES
    switch.rearm("m", world.signatory(first), reason="safe")
    if spoilt == "it expired":
        world.clock.moment += timedelta(days=POLICY.approvals.expires_days + 1)
    else:
        withdraw(world.house().record, first.value, frozenset({first}), reason="left", actor="t")
    assert switch.rearm("m", world.signatory(second), reason="safe").is_latched
    assert not switch.rearm("m", world.signatory(third), reason="safe").is_latched


def test_a_step_that_failed_for_one_process_and_was_done_by_another_is_not_stuck(world, monkeypatch):
    state = raised(world, "2", "1", to=State.LIMITED)
    world.house().rollback.start(state.id, RollbackCause.BUSINESS, "person", "test", actor="t")
    point = world.registry.point

    def slow(*arguments):
        monkeypatch.setattr(world.registry, "point", point)
        world.house().rollback.step(state.id, actor="faster")
        raise UnavailableError("the registry does not answer")

    monkeypatch.setattr(world.registry, "point", slow)
    assert world.house().rollback.carry_out(state.id, actor="slower").state is State.ROLLED_BACK
    assert "rollback_stuck" not in kinds(world, state)


def test_a_broker_that_fails_in_any_way_keeps_no_kill_from_the_ledger(world, monkeypatch):
    def garbled(*_):
        raise RefusedError("the broker's book is no book")

    monkeypatch.setattr(world.broker, "fence", garbled)
    house = world.house()
    assert house.kill_switch.kill("m", reason="smoke", actor="t").is_recorded
    kill = Kill(id="2" * 32, model="m", reason="again", actor="t", at=datetime(2019, 1, 2, tzinfo=UTC))
    world.kills = KillFolders(())
    world.kills._unwritten[kill.id] = replace(kill)
    assert world.house().kill_switch.reconcile() == 0


def test_a_session_that_has_not_come_is_not_observed_since_none_before_it_can_be_then(world):
    state = raised(world, "2", "1", to=State.LIMITED)
    ahead = world.clock.moment.date() + timedelta(days=2)
    with pytest.raises(RefusedError, match="none before it"):
        world.house().watch("no data").observe(state.id, ahead, actor="t")
    world.clock.moment += timedelta(days=1)
    assert world.house().watch("bad").observe(state.id, actor="t")[0].state is State.ROLLED_BACK
