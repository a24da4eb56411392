"""One monitoring pass: measure a session, record what it showed, and act on it.

A trigger goes to the same rollback as a person's command. When every condition holds, the release may advance; whether
it does so by itself is the caller's choice.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from signoff.app.notices import after_deployment
from signoff.app.record import Change, Record, decided_again, deployment_stream
from signoff.app.rollback import RollbackProcedure, started
from signoff.domain import decisions
from signoff.domain.deployment import Deployment
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.events import Observed, Occasion
from signoff.domain.monitoring import explain, observe
from signoff.domain.policy import DayCount
from signoff.ports.calendar import Calendar
from signoff.ports.live import LiveFeed

OCCASION_OF = {
    "sharpe": Occasion.PERFORMANCE,
    "var": Occasion.RISK_BREACH,
    "error_rate": Occasion.ERROR,
    "latency_p95": Occasion.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Observes live releases and starts the rollback when a trigger holds, in the commit that records it."""

    record: Record
    feed: LiveFeed
    calendar: Calendar
    rollback: RollbackProcedure

    def next_session(self, state: Deployment) -> date | None:
        """The first day that counts and was not observed yet, up to now; one without a journal will show no data."""
        start = live_since(state) if state.last_session is None else state.last_session + timedelta(days=1)
        today = self.record.now().date()
        phases = state.policy.phases
        if phases.days is DayCount.CALENDAR:
            return start if start <= today else None
        return next(iter(self.calendar.days(phases.calendar, start, today)), None)

    def observe(self, identity: str, session: date | None = None, *, actor: str) -> tuple[Deployment, Observed]:
        """Record one session; a trigger that holds leads straight to the rollback."""
        is_repeated = self.record.was_carried_out()
        state = self.record.deployment(identity)
        session = session or (state.last_session if is_repeated else self.next_session(state))
        if session is None:
            raise NotFoundError(
                f"Expected a session after {state.last_session} to observe for {state.model}, found none up to now. "
                "Observe again when the next session has closed."
            )
        measured = self.feed.measure(
            state.model, state.version, session, live_since(state), champion=state.previous_version
        )
        monitors = {a.title: a.monitor for a in state.undertakings.assumptions} if state.undertakings else {}
        observed = observe(measured, state.policy, monitors)
        if not is_repeated and not observed.counts and session > (today := self.record.now().date()):
            raise RefusedError(
                f"Expected a session up to {today} to observe for {state.model}, found {session}, of which nothing is "
                "journaled: once it was observed, none before it can be."
            )
        if not is_repeated:
            decided_again(lambda: self._record(identity, session, observed, actor=actor))
        if observed.fired:
            self.rollback.carry_out(identity, actor=actor)
        return self.record.deployment(identity), observed

    def _record(self, identity: str, session: date, observed: Observed, *, actor: str) -> None:
        state, now = self.record.deployment(identity), self.record.now()
        events = decisions.record_day(state, observed)
        effects = after_deployment(state, state.phase_since or state.opened_at, now)
        if observed.fired:
            trigger = observed.fired[0]
            reason = "; ".join(explain(name, observed, state.policy) for name in observed.fired)
            events += decisions.begin_rollback(state, OCCASION_OF[trigger], trigger, reason, now)
            effects += started(state, trigger, reason)
        self.record.commit(
            Change(stream=deployment_stream(identity), state=state, events=events),
            actor=actor,
            key=self.record.key(f"observe:{identity}:{session}"),
            effects=effects,
        )


def live_since(state: Deployment) -> date:
    """The day on which the release first entered shadow."""
    if state.live_since is None:
        raise NotFoundError(f"Expected {state.id} to be live, found it {state.state.value}: it never entered shadow.")
    return state.live_since
