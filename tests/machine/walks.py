"""Walks through the life of two models: every command, with crashes, duplicates, races and clock jumps.

What must hold after every step is written as invariants, each over the record, the flags, the broker and the registry
alone; none of them trusts the guards it is there to check.
"""

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from desk_in_memory import KEYS, ROLES, UNDERTAKINGS, Crash, World, order_id
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signoff.app.champion import name_champions
from signoff.app.notices import LEASE, deliver
from signoff.app.overdue import check_deadlines
from signoff.app.reconcile import reconcile_orders
from signoff.app.record import fold_of
from signoff.app.rollback import is_unfinished, order_scope
from signoff.desk.gate import OrderGate
from signoff.domain.deployment import CANDIDATE, ENDED, LIVE, RETREATING, State
from signoff.domain.dossier import DeploymentType
from signoff.domain.errors import RefusedError, SignoffError
from signoff.domain.events import (
    DeadlineBreached,
    NoticeSent,
    PauseReason,
    Phase,
    PhaseEntered,
    RollbackCause,
    RolledBack,
    Step,
    StepDone,
    Vote,
)
from signoff.domain.limits import NO_EVENT, Book, Order
from signoff.ledger.codec import decode, encode_state
from signoff.ledger.envelope import verify
from signoff.ledger.manifest import manifest_of
from signoff.ports.venue import OpenOrder

MODELS = ("m", "m-x")  # the name of one begins like the other's
models = st.sampled_from(MODELS)
roles = st.sampled_from(ROLES)
shows = st.sampled_from(["good", "good", "good", "good", "bad", "holding back", "inconclusive", "no data"])


class Walk(RuleBasedStateMachine):
    """One walk; a subclass may begin it elsewhere."""

    def __init__(self):
        super().__init__()
        self.world = self.begin()
        self.versions = dict.fromkeys(MODELS, 1)
        self.last = None
        self.orders_made = 0
        self.read = 0
        self.folded = {}
        self.revisions = dict.fromkeys(MODELS, 0)
        self.verified = {}
        self.halted = dict.fromkeys(MODELS, -1)
        self.facts = []

    def begin(self):
        return World().opened(*MODELS)

    # How commands are given

    def give(self, command):
        """Give a command as a person does: what is refused is refused, and a crash is answered by a restart."""
        self.last = command
        try:
            return command(self.world.house())
        except (SignoffError, Crash):
            return None
        finally:
            self.world.restarted()

    def mine(self, model, *states):
        found = [d for d in self.world.house().record.deployments(model) if not states or d.state in states]
        return found[-1].id if found else None

    @initialize(
        stages=st.tuples(*[st.integers(0, 6)] * len(MODELS)), is_altered=st.sampled_from([False, False, False, True])
    )
    def somewhere_in_their_lives(self, stages, is_altered):
        for model, stage in zip(MODELS, stages, strict=True):
            for _ in range(stage):
                self.go_on(model, is_altered)

    @rule(left=st.integers(1, 12))
    def crash_soon(self, left):
        self.world.fuse.left = left

    @precondition(lambda self: self.last is not None)
    @rule(is_race=st.booleans())
    def give_it_again(self, is_race):
        """Once more; or by another process, between the decision and the commit of the next command."""
        last = self.last
        if not is_race:
            self.give(last)
            return

        def interlude():
            with suppress(SignoffError):
                last(self.world.house())

        self.world.fuse.interlude = interlude

    @rule(minutes=st.sampled_from([-24 * 60, 24 * 60, 4, 16, 130, 49 * 60]))
    def the_clock_jumps(self, minutes):
        self.world.clock.moment += timedelta(minutes=minutes)

    @rule(venue=st.booleans(), registry=st.booleans())
    def something_outside_breaks_or_is_repaired(self, venue, registry):
        self.world.broker.is_stubborn, self.world.registry.works = venue, registry

    @rule(model=models, is_altered=st.sampled_from([False, False, True]))
    def go_on(self, model, is_altered):
        """The next thing that people would do, so that walks get somewhere; a signed memo may be altered before it."""
        states = {d.state for d in self.world.house().record.deployments(model)}
        if states & RETREATING:
            self.carry_out(model)
        elif self.is_latched(model):
            for role in ROLES[:2]:
                self.rearm(model, role)
            self.an_order_made_before_the_halt_arrives_late(model, 0)
        elif states & CANDIDATE:
            self.observe(model, "good")
            self.observe(model, "good")
            self.advance(model, older=True)
        elif State.APPROVED in states:
            if is_altered:
                self.the_signed_memo_is_altered(model)
            self.start(model)
        else:
            self.rehearse(model)
            self.submit(model)
            for role in ROLES:
                self.approve(model, role)

    # Releases

    @rule(model=models)
    def rehearse(self, model):
        self.give(lambda house: house.rehearse(model))

    @rule(model=models)
    def submit(self, model):
        champion = self.mine(model, State.FULL)
        previous = None if champion is None else self.world.house().record.deployment(champion).version
        kind = DeploymentType.INITIAL if previous is None else DeploymentType.UPGRADE
        self.versions[model] += 1
        version = str(self.versions[model])
        self.give(lambda house: house.submit(model, version, previous, kind))

    @rule(model=models)
    def submit_again(self, model):
        identity = self.mine(model, State.VALIDATED)
        if identity is not None:
            release = self.world.submitted[identity]
            header = release.inputs.dossier.header
            self.give(
                lambda house: house.submit(model, header.version, header.previous_version, header.deployment_type)
            )

    @rule(model=models, role=roles)
    def approve(self, model, role):
        if (identity := self.mine(model, State.AWAITING_APPROVAL)) is not None:
            self.give(lambda house: house.approvals.approve(identity, self.world.signatory(role)))

    @rule(model=models)
    def two_sign_at_the_same_time(self, model):
        if (identity := self.mine(model, State.AWAITING_APPROVAL)) is not None:
            first, second = (self.world.signatory(role) for role in ROLES[:2])
            self.world.fuse.interlude = lambda: self.world.house().approvals.approve(identity, second)
            self.give(lambda house: house.approvals.approve(identity, first))

    def the_signed_memo_is_altered(self, model):
        if (identity := self.mine(model, State.APPROVED)) is not None:
            files = self.world.folders.editions.get((identity, "submitted"))
            if files is not None:
                files["deployment_memo.pdf"] = b"another"

    @precondition(lambda self: self.orders_made % 3 == 1)
    @rule(model=models, role=roles)
    def reject(self, model, role):
        identity = self.mine(model, State.VALIDATED, State.AWAITING_APPROVAL, State.APPROVED)
        if identity is not None:
            self.give(lambda house: house.approvals.reject(identity, self.world.signatory(role), reason="no"))

    @rule(model=models)
    def start(self, model):
        if (identity := self.mine(model)) is not None:
            self.give(lambda house: house.rollout.start(identity, actor="t"))

    @rule(model=models, older=st.booleans())
    def advance(self, model, older):
        live = [d.id for d in self.world.house().record.deployments(model) if d.state in CANDIDATE]
        if live:
            self.give(lambda house: house.rollout.advance(live[0 if older else -1], actor="t"))

    @rule(model=models, reason=st.sampled_from(PauseReason), resume=st.booleans())
    def pause_or_resume(self, model, reason, resume):
        if (identity := self.mine(model, *LIVE)) is not None:
            self.give(
                lambda house: (house.rollout.resume if resume else house.rollout.pause)(
                    identity, reason, "n", actor="t"
                )
            )

    @rule(model=models, shown=shows)
    def observe(self, model, shown):
        if (identity := self.mine(model, *CANDIDATE) or self.mine(model, *LIVE)) is None:
            return
        self.trade(model)
        self.world.clock.moment += timedelta(days=1)
        self.give(lambda house: house.watch(shown).observe(identity, actor="monitor"))

    # The way back

    @rule(model=models, older=st.booleans(), stubborn=st.booleans())
    def roll_back(self, model, older, stubborn):
        """While the model trades, at a venue that cancels or does not."""
        self.trade(model)
        self.world.broker.is_stubborn = stubborn
        every = [d.id for d in self.world.house().record.deployments(model) if d.state not in ENDED]
        if not every:
            return
        identity, record = every[0 if older else -1], self.world.house().record
        before, was = record.flags(model).revision, record.deployment(identity).state
        ordered = (RollbackCause.BUSINESS, "person", "test")
        done = self.give(lambda house: house.rollback.begin(identity, *ordered, actor="person"))
        if was not in RETREATING and done is not None and done.rollback is not None and done.rollback.done:
            self.halted[model] = max(self.halted[model], before)

    @rule(model=models)
    def carry_out(self, model):
        if (identity := self.mine(model, *RETREATING)) is not None:
            self.give(lambda house: house.rollback.carry_out(identity, actor="worker"))

    @rule(model=models)
    def hold_post_mortem(self, model):
        if (identity := self.mine(model, State.ROLLED_BACK)) is not None:
            self.give(lambda house: house.rollback.hold_post_mortem(identity, "learned", actor="t"))

    @rule(model=models)
    def kill(self, model):
        done = self.give(lambda house: house.kill_switch.kill(model, reason="test", actor="person"))
        if done is not None:
            self.halted[model] = self.world.house().record.flags(model).revision

    @rule(model=models, role=roles)
    def rearm(self, model, role):
        self.give(lambda house: house.kill_switch.rearm(model, self.world.signatory(role), reason="safe"))

    @rule()
    def worker(self):
        self.give(self.passed)

    def passed(self, house):
        """One pass of the background work."""
        house.kill_switch.reconcile()
        for state in house.record.deployments():
            if is_unfinished(state):
                house.rollback.carry_out(state.id, actor="worker")
        for model in MODELS:
            reconcile_orders(house.record, house.orders, model)
        name_champions(house.record, house.registry)
        check_deadlines(house.record)
        deliver(house.record, house.notifier)

    # The desk

    @rule(model=models)
    def trade(self, model):
        """An order on the present flags: through the gate, and to the broker."""
        flags = self.world.house().record.flags(model)
        flags = flags.for_version(flags.candidate or flags.version or "")
        self.orders_made += 1
        order = Order(
            client_order_id=order_id(model, self.orders_made),
            symbol="A",
            weight_change_pct=1.0,
            flags_revision=flags.revision,
            version=flags.candidate or flags.version or "",
        )
        gate = OrderGate(limits=UNDERTAKINGS.position_limits, restrictions=UNDERTAKINGS.restrictions)
        book = Book(sectors={"A": "one"}, events={"A": NO_EVENT})
        admitted, _ = gate.admit([order], book, flags=flags, today=self.world.clock.moment.date())
        phases = {d.state for d in self.world.house().record.deployments(model)}
        if phases & CANDIDATE == {State.SHADOW} or not phases & LIVE:
            assert not admitted, f"an order left while {model} was in {phases}"
        if not admitted:
            return
        if any(kill.model == model for kill in self.world.house().kill_switch.journal.pending()):
            with pytest.raises(RefusedError):  # a kill that was cut off before its record is in force at the broker
                self.place(order, flags.revision)
        else:
            self.place(order, flags.revision)

    def place(self, order, flags_revision):
        placed = OpenOrder(client_order_id=order.client_order_id, symbol="A", side="buy", quantity=1.0)
        self.world.broker.place([placed], flags_revision)

    @rule(model=models, behind=st.integers(0, 3))
    def an_order_made_before_the_halt_arrives_late(self, model, behind):
        if self.halted[model] < 0:
            return
        self.orders_made += 1
        epoch = max(self.halted[model] - behind, 0)
        late = Order(
            client_order_id=order_id(model, self.orders_made), symbol="A", weight_change_pct=1.0, flags_revision=epoch
        )
        try:
            self.place(late, epoch)
        except RefusedError:
            return
        raise AssertionError(f"an order of {model} made on revision {epoch} was accepted after the halt of it")

    # What must hold

    @invariant()
    def all_holds(self):
        self.the_record_is_what_its_events_say()
        self.capital_needs_valid_approvals_of_exactly_this_manifest()
        self.flags_follow()
        self.nothing_is_recorded_twice()

    def the_record_is_what_its_events_say(self):
        """Replay equals tables, event by event; a break would show in the first step after it."""
        rows = list(self.world.store.rows(after=self.read))
        for row in rows:
            recorded = decode(row.body)
            self.folded[recorded.stream] = fold_of(recorded.stream)(self.folded.get(recorded.stream), recorded)
            self.facts.append(recorded)
            self.happened(recorded)
        self.read += len(rows)
        stored = {s.stream: s.state for s in self.world.store.streams("")}
        touched = {decode(row.body).stream for row in rows}
        assert stored.keys() == self.folded.keys()
        for stream in touched:
            assert stored[stream] == encode_state(self.folded[stream]), stream

    def happened(self, recorded):
        match recorded.event:
            case StepDone(step=Step.VERIFY_FLAT):
                model = self.folded[recorded.stream].model
                residual = self.world.broker.open_orders(order_scope(model))
                assert residual == (), f"{recorded.stream} was called flat with {residual}"
            case RolledBack(restored_version=version):
                state = self.folded[recorded.stream]
                steps = [
                    r.event.step for r in self.facts if r.stream == recorded.stream and isinstance(r.event, StepDone)
                ]
                assert steps == list(Step), f"{recorded.stream} ended after {steps}"
                gone = [d.version for d in self.deployments(state.model) if d.state is State.ROLLED_BACK]
                assert version is None or version not in gone, f"v{version} was restored and had been rolled back"
            case PhaseEntered(phase=phase):
                state = self.folded[recorded.stream]
                assert phase is Phase.SHADOW or not self.is_latched(state.model), "advanced while killed"
                if state.phase_days == 0 and state.live_days == 0 and not state.was_adopted and phase is Phase.SHADOW:
                    kept = dict(self.world.folders.editions[state.id, "submitted"])
                    kept.pop("manifest.json")
                    assert manifest_of(kept).digest == state.manifest, f"{state.id} started on other bytes"
            case _:
                pass

    def deployments(self, model):
        return [s for name, s in self.folded.items() if name.startswith("deployment/") and s.model == model]

    def is_latched(self, model):
        latch = self.folded.get(f"model/{model}")
        return latch is not None and latch.is_latched

    def capital_needs_valid_approvals_of_exactly_this_manifest(self):
        for state in (d for model in MODELS for d in self.deployments(model)):
            if state.allocation_pct == 0 or state.state not in LIVE:
                continue
            signed = {s.role for s in state.approvals if self.is_valid(s, state)}
            if state.was_adopted:
                assert len(signed) >= state.policy.approvals.override_persons
            else:
                assert signed >= set(state.policy.approvals.required), f"{state.id}: {signed} of {state.manifest}"

    def is_valid(self, signature, state):
        if signature.envelope not in self.verified:
            self.verified[signature.envelope] = verify(signature.envelope, KEYS[signature.role].public_key)
        said = self.verified[signature.envelope]
        if state.was_adopted:
            return signature.verdict is Vote.ADOPT and said.deployment == state.id
        is_same = said.subject == state.manifest == signature.subject and said.deployment == state.id
        return is_same and said.role is signature.role and said.verdict in {Vote.APPROVE, Vote.CONDITIONAL}

    def flags_follow(self):
        for model in MODELS:
            flags = self.world.house().record.flags(model)
            states = [d.state for d in self.deployments(model)]
            assert flags.revision >= self.revisions[model], "the revision of the flags fell"
            self.revisions[model] = flags.revision
            if self.is_latched(model) or set(states) & RETREATING:
                assert (flags.enabled, flags.allocation_pct) == (False, 0), f"{model} is {states} and enabled"
                assert flags.is_off, f"{model} is {states} and {flags.versions}"
            for share in flags.versions:
                alive = {d.state for d in self.deployments(model) if d.version == share.version} & LIVE
                assert alive or not share.enabled, f"{model} v{share.version} is over and enabled"
                assert not share.shadow_mode or share.allocation_pct == 0
            assert sum(share.allocation_pct for share in flags.versions) <= 100, f"{model}: {flags.versions}"
            assert states.count(State.FULL) <= 1, f"{model} has {states.count(State.FULL)} champions"

    def nothing_is_recorded_twice(self):
        breaches = Counter((r.stream, r.event.name) for r in self.facts if isinstance(r.event, DeadlineBreached))
        assert max(breaches.values(), default=1) == 1, breaches
        sent = Counter(
            (r.stream, r.event.notice, r.event.channel) for r in self.facts if isinstance(r.event, NoticeSent)
        )
        assert max(sent.values(), default=1) == 1, sent

    def teardown(self):
        """With everything repaired and leases over, one quiet pass ends all; every effect was applied exactly once."""
        self.world.restarted()
        self.world.broker.is_stubborn, self.world.registry.works = False, True
        self.world.clock.moment += LEASE  # of a worker that died with notices in its hands
        house = self.world.house()
        for state in house.record.deployments():
            if state.state in RETREATING:
                house.rollback.carry_out(state.id, actor="worker")
        self.passed(house)
        self.all_holds()
        assert house.record.store.pending() == ()
        assert not [d.id for d in house.record.deployments() if d.state in RETREATING]
        notices = sum(isinstance(r.event, NoticeSent) for r in self.facts)
        of_releases = [identity for identity in self.world.inbox.told if not identity.startswith(":")]
        assert notices == len(of_releases), "an effect was lost or told twice"
        for model in MODELS:
            if self.is_latched(model):
                assert self.world.broker.open_orders(order_scope(model)) == ()
            for champion in (d for d in self.deployments(model) if d.state is State.FULL):
                assert self.world.registry.aliases[model, "champion"] == champion.version
