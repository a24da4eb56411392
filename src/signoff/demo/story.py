"""The demonstration, step by step. Each step looks at the record first, so that an interrupted run continues.

Prices, models, gates, signatures, ledger and registry are real; the people, their keys, the paper fills, the broker
and the clock are simulated, and the output says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Final

from rich.console import Console
from rich.text import Text

from signoff.adapters.clocks import WallClock
from signoff.adapters.documents import load_dossier, load_policy
from signoff.adapters.live_folder import LiveFolder
from signoff.app.assess import AssessedRelease
from signoff.app.champion import name_champions
from signoff.app.grandfather import adopt
from signoff.app.notices import tell_before
from signoff.app.observe import Watch
from signoff.app.package import latest_rehearsal
from signoff.app.record import Record, deployment_stream
from signoff.app.rollback import order_scope
from signoff.app.rollback_drill import rehearse
from signoff.demo.cast import Cast, enrol_cast
from signoff.demo.example import Example
from signoff.desk.gate import OrderGate
from signoff.domain.decisions.adoption import Adoption
from signoff.domain.decisions.notices import notices_due
from signoff.domain.deployment import CANDIDATE, LIVE, Deployment, State
from signoff.domain.errors import GuardError
from signoff.domain.events import Observed, Phase, RollbackCause
from signoff.domain.gates.assess import Progress
from signoff.domain.limits import Book, Order
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Role
from signoff.domain.rollback_drill import budget_in_words, recovery_time_in_words
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder
from signoff.rendering.judged import gate_document, metric_document
from signoff.rendering.story import sentence
from signoff.rendering.terminal import gate_table, metric_table, reasons

CLOSE: Final = time(21, 0, tzinfo=UTC)
LAST_SESSION: Final = date(2020, 12, 31)
POLICY_MAKERS: Final = (Role.RISK_MANAGER, Role.CTO)
CONDITION: Final = "while limited: daily review with the risk team"
OVERRIDE_REASON: Final = (
    "Demonstration: capital begins at the limited phase's share, and every trigger rolls back by itself"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStory:
    """The house it happens in, and where it is told."""

    house: Installation
    example: Example
    console: Console
    set_time: Callable[[datetime], None]
    progress: Progress

    def tell(self) -> Deployment:
        """From candidate to production and back; the release as it ends."""
        self.at(self.example.submitted_at)
        cast = enrol_cast(self.house, load_dossier(self.example.dossier).value)
        self.say("People", f"{len(cast.by_role)} example people with keys made here; they stand for yours")
        self.install_policy(cast)
        release = self.assess()
        self.adopt(cast, release)
        self.rehearse(release)
        state = self.approve(cast, self.submit(release, cast))
        if state.state is State.REJECTED:
            return state
        state = self.roll_out(state, cast)
        self.house.deliver_notices()
        self.house.ledger.anchor()
        return state

    def install_policy(self, cast: Cast) -> None:
        """The firm's policy, proposed by one person and confirmed by another, as `signoff policy` does it."""
        policies, wanted = self.house.policies, load_policy(self.example.policy).value
        if not policies.in_force().floor.is_confirmed:
            first, second = (self.house.signatory(role, cast.by_role[role]) for role in POLICY_MAKERS)
            policies.confirm(policies.propose(wanted, first).id, second)
        self.say("Policy", f"every release is held to {policies.in_force().floor.words}")

    def assess(self) -> AssessedRelease:
        """Every gate, on the real evidence."""
        release = self.house.assessor.assess(self.example.dossier, None, self.progress, is_submission=True)
        assessment = release.assessment
        self.say("Gates", f"{release.inputs.dossier.model} v{release.inputs.dossier.version}, as the evidence has it")
        self.console.print(metric_table(map(metric_document, assessment.metrics)))
        for note in (note for row in assessment.metrics for note in row.notes):
            self.console.print(note, highlight=False)
        gates = [gate_document(finding) for finding in assessment.findings]
        self.console.print(gate_table(gates))
        for text in reasons(gates):
            self.console.print(text)
        self.console.print(f"Point in time: {assessment.pit.status.value}. {assessment.pit.reason}")
        return release

    def adopt(self, cast: Cast, release: AssessedRelease) -> Deployment:
        """Put the version that is live on record."""
        previous = release.inputs.dossier.header.previous_version
        assert previous is not None
        signatories = tuple(
            self.house.signatory(role, cast.by_role[role])
            for role in release.inputs.policy.approvals.override_roles
            if role in cast.by_role
        )[: release.inputs.policy.approvals.override_persons]
        adoption = Adoption(
            model=release.inputs.dossier.model,
            version=previous,
            policy=self.house.policies.in_force().policy,
            reason="it was trading before Signoff was installed",
        )
        state = adopt(self.house.record, adoption, signatories, self.house.registry)
        signed = " and ".join(s.person for s in signatories)
        self.say("Champion", f"v{previous} is adopted as it trades, never validated here; signed by {signed}")
        return state

    def rehearse(self, release: AssessedRelease) -> None:
        """Roll back once before anything is at stake."""
        model = release.inputs.dossier.model
        found = latest_rehearsal(self.house.record, model)
        result = (
            found.result
            if found
            else rehearse(
                self.house.record,
                self.house.stage(),
                model=model,
                policy=release.inputs.policy,
                undertakings=release.inputs.dossier.undertakings,
                actor="demo",
                registered_model=release.inputs.dossier.registered_model,
            )
        )
        self.say("Rehearsal", f"on staging flags: RTO {recovery_time_in_words(result)}; {budget_in_words(result)}")

    def submit(self, release: AssessedRelease, cast: Cast) -> Deployment:
        """Submit; when gates block, show the override, with its reason on page one."""
        self.progress("composing the memo", 0, 1)
        state = self.house.approvals.submit(self.example.dossier, release, actor=cast.submitter)
        self.say("Submitted", f"{state.id} by {cast.submitter}; the memo rests on {len(release.files)} files")
        if state.state is State.VALIDATED and state.blocking:
            failed = ", ".join(
                f"{f.key} ({f.outcome.value})" for f in release.assessment.findings if f.outcome is not Outcome.PASS
            )
            self.say("Blocked", f"the policy lets these gates block: {', '.join(state.blocking)}. Not passed: {failed}")
        for role in state.policy.approvals.override_roles:
            if not (state.state is State.VALIDATED and state.blocking and not state.is_overridden):
                break
            if any(s.role is role for s in state.overrides) or role not in cast.by_role:
                continue
            state = self.house.approvals.override(
                state.id, self.house.signatory(role, cast.by_role[role]), reason=OVERRIDE_REASON
            )
            self.say("Override", f"{cast.by_role[role]} ({role.title}) takes responsibility; printed on page one")
        if state.state is State.VALIDATED:
            state = self.house.approvals.submit(self.example.dossier, release, actor=cast.submitter)
        return state

    def approve(self, cast: Cast, state: Deployment) -> Deployment:
        """Each role signs the manifest; the risk manager with a condition, which is met before the start."""
        for role in state.policy.approvals.required:
            if state.state is not State.AWAITING_APPROVAL:
                break
            if role not in state.missing_roles:
                continue
            conditions = (CONDITION,) if role is Role.RISK_MANAGER else ()
            state = self.house.approvals.approve(
                state.id, self.house.signatory(role, cast.by_role[role]), conditions=conditions
            )
            self.say("Signed", f"{cast.by_role[role]} as {role.title}{': on condition' if conditions else ''}")
        for condition in state.open_conditions:
            person = cast.by_role[condition.role]
            state = self.house.approvals.meet(
                state.id, person=person, role=condition.role, condition=condition.text, note="the review is scheduled"
            )
            self.say("Condition", f"{person} says it is met: {condition.text}")
        return self.house.record.deployment(state.id)

    def announce(self, state: Deployment) -> None:
        """The notices of T-24h, when they are due; a file takes them here, and nobody else."""
        due = notices_due(state)
        if due is not None and due > self.house.record.now():
            self.at(due)
        tell_before(self.house.record, actor="demo")
        sent, _ = self.house.deliver_notices()
        self.say(
            "T-24h", f"{due:%Y-%m-%d %H:%M} UTC: {sent} notices written to notices.jsonl; no receiver is connected"
        )

    def roll_out(self, state: Deployment, cast: Cast) -> Deployment:
        """Live through 2019 and 2020, session by session, until a trigger fires or the time is over."""
        watch, model = _replayed(self.house.watch(state.model), self.house.feed(state.model)), state.model
        sessions = watch.calendar.days(state.policy.phases.calendar, watch.feed.sessions(model)[0], LAST_SESSION)
        if state.state is State.APPROVED:
            self.announce(state)
            self.at(datetime.combine(sessions[0], time(13, 30, tzinfo=UTC)))
            deployer = cast.submitter
            state = self.house.rollout.start(state.id, actor=deployer, signer=self.house.key_of(deployer))
            self.house.deliver_notices()
            self.say("Shadow", f"{sessions[0]}: {deployer} signs section 12; predictions are logged, none is traded")
            self.say("Order gate", state.policy.order_gate.words)
        for done, session in enumerate(sessions):
            if state.last_session is not None and session <= state.last_session:
                continue
            if state.state not in LIVE:
                break
            self.at(datetime.combine(session, CLOSE))
            self.trade(state, session)
            state, observed = watch.observe(state.id, session, actor="monitor")
            self.progress(f"{session} {state.state.value}", done, len(sessions))
            state = self.after_close(state, observed)
        if state.state in {State.ROLLING_BACK, State.ROLLED_BACK}:
            state = self.house.rollback.carry_out(state.id, actor="monitor")
        if state.state in LIVE:
            self.say(
                "No trigger", "none fired on the real data until the end of 2020; so one rollback by a person's word"
            )
            reason = "end of the demonstration: nothing fired, the procedure is shown all the same"
            state = self.house.rollback.begin(state.id, RollbackCause.BUSINESS, "person", reason, actor="demo")
        self.tell_rollback(state)
        return state

    def after_close(self, state: Deployment, observed: Observed) -> Deployment:
        """Advance when every condition holds; say why when one does not."""
        if observed.fired and state.state not in LIVE:
            self.say(
                "TRIGGER",
                f"{observed.session}: {', '.join(observed.fired)} holds; the rollback began by itself",
                "bold red",
            )
            return state
        phases = state.policy.phases
        needed = {State.SHADOW: phases.shadow_days, State.LIMITED: phases.limited_days}.get(state.state)
        if needed is None or state.phase_days < needed:
            return state
        try:
            before = state.phase
            state = self.house.rollout.advance(state.id, actor="scheduler")
        except GuardError as refusal:
            if state.phase_days == needed:
                self.say("Held back", f"{observed.session}: {refusal}")
            return state
        name_champions(self.house.record, self.house.registry)
        word = "Limited" if state.phase is Phase.LIMITED else "Full"
        self.say(word, f"{observed.session}: every condition of {before} holds; {state.allocation_pct}% of capital")
        return state

    def trade(self, state: Deployment, session: date) -> None:
        """Yesterday's orders are done; today's leave through the gate, and stay open until the next session."""
        broker = self.house.simulated_venue
        flags = self.house.record.flags(state.model).for_version(state.version)
        scope = order_scope(state.model)
        broker.cancel(scope, flags.revision)
        if state.state not in CANDIDATE | {State.FULL} or flags.shadow_mode or state.undertakings is None:
            return
        gate = OrderGate(
            limits=state.undertakings.position_limits,
            restrictions=state.undertakings.restrictions,
            unknown=state.policy.order_gate,
            releases={d.version: d.state.value for d in self.house.record.deployments(state.model)},
        )
        before, wanted = self.example.weights(state.version, session)
        allocated = float(flags.allocation_pct)  # percent of capital for each unit of weight
        orders = [
            Order(
                client_order_id=f"{scope}{session:%Y%m%d}-{symbol}",
                symbol=symbol,
                weight_change_pct=allocated * (weight - before.get(symbol, 0.0)),
                flags_revision=flags.revision,
                version=state.version,
            )
            for symbol, weight in wanted.items()
            if abs(weight - before.get(symbol, 0.0)) > 1e-4
        ]
        held = Book(weights_pct={s: allocated * w for s, w in before.items()}, sectors=self.example.sectors)
        admitted, _ = gate.admit(orders, held, flags=flags, today=session)
        broker.place(
            (
                OpenOrder(
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                    side="buy" if order.weight_change_pct > 0 else "sell",
                    quantity=abs(order.weight_change_pct),
                )
                for order in admitted
            ),
            flags_revision=flags.revision,
        )

    def tell_rollback(self, state: Deployment) -> None:
        """Each step with its measured time against its budget."""
        rollback = state.rollback
        if rollback is None:
            return
        for recorded in self.house.record.history(deployment_stream(state.id)):
            if recorded.event.kind in {"rollback_started", "step_done", "rollback_stuck", "rolled_back"}:
                self.say("Rollback", sentence(recorded.event))

    def at(self, moment: datetime) -> None:
        """Move the simulated clock."""
        self.set_time(moment)

    def say(self, label: str, text: str, style: str = "bold #1f4e79") -> None:
        """One line of the story."""
        self.console.print(Text.assemble((f"{label:<12}", style), text), soft_wrap=False)


KEPT: Final = frozenset(
    {
        "opened",
        "adopted",
        "validated",
        "override_signed",
        "approval_requested",
        "approval_signed",
        "approved",
        "condition_met",
        "phase_entered",
        "rollback_started",
        "step_done",
        "rollback_stuck",
        "rolled_back",
        "rehearsed",
        "deadline_breached",
        "superseded",
        "reinstated",
    }
)


def timeline(record: Record, state: Deployment) -> tuple[tuple[str, str, str], ...]:
    """When, who and what of everything but the daily observations; a trigger's day is kept."""
    return tuple(
        (f"{r.at:%Y-%m-%d %H:%M}", r.actor, sentence(r.event))
        for r in record.history()
        if (r.stream.startswith("deployment/") or r.stream == f"model/{state.model}")
        and (r.event.kind in KEPT or (isinstance(r.event, Observed) and r.event.fired))
    )


def _replayed(watch: Watch, feed: LiveFolder) -> Watch:
    """The same over a journal that was written before the replay began: its rows are ahead of the replay's clock."""
    return replace(watch, feed=replace(feed, now=WallClock().now))
