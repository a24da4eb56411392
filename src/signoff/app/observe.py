"""One monitoring pass: measure a session, record what it showed, and act on it.

A session is judged once it has closed. While it is open the operational rules alone are looked at, and act at once. A
trigger goes to the same rollback as a person's command. When every condition holds, the release may advance; whether it
does so by itself is the caller's choice.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from signoff.app.notices import after_deployment
from signoff.app.record import Change, Record, decided_again, deployment_stream
from signoff.app.rollback import RollbackProcedure, started
from signoff.domain import decisions
from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.events import Observed, Occasion
from signoff.domain.monitoring import explain, interim, observe
from signoff.ports.calendar import Calendar, TradingDays
from signoff.ports.live import LiveFeed

OCCASION_OF = {
    "sharpe": Occasion.PERFORMANCE,
    "var": Occasion.RISK_BREACH,
    "error_rate": Occasion.ERROR,
    "latency_p95": Occasion.ERROR,
}
INTERIM = "interim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Observes live releases and starts the rollback when a trigger holds, in the commit that records it."""

    record: Record
    feed: LiveFeed
    calendar: Calendar
    rollback: RollbackProcedure

    def days(self, state: Deployment) -> TradingDays:
        """The days of a release as its policy counts them."""
        return TradingDays(self.calendar, state.policy.phases)

    def next_session(self, state: Deployment) -> date | None:
        """The first session that has closed and was not observed yet; one without a journal will show no data."""
        return self.days(state).next_closed(self._first(state), self.record.now())

    def open_session(self, state: Deployment) -> date | None:
        """The session of now that has not closed, where the release is live in it."""
        found = self.days(state).open_at(self.record.now())
        return found if found is not None and found >= self._first(state) else None

    def observe(self, identity: str, session: date | None = None, *, actor: str) -> tuple[Deployment, Observed]:
        """Record one session; a trigger that holds leads straight to the rollback.

        With none that has closed, the open one is looked at in the interim, and nothing of that is recorded but a
        rollback.
        """
        is_repeated = self.record.was_carried_out()
        state = self.record.deployment(identity)
        if session is None and (is_repeated or self.next_session(state) is None):
            if (looked := self._looked(state, is_repeated=is_repeated, actor=actor)) is not None:
                return looked
            session = state.last_session if is_repeated else None
        else:
            session = session or self.next_session(state)
        if session is None:
            raise NotFoundError(self._nothing_closed(state))
        if not is_repeated:
            self._refuse_open(state, session)
        measured = self.feed.measure(
            state.model,
            state.version,
            session,
            live_since(state),
            champion=state.previous_version,
            phases=state.policy.phases,
        )
        monitors = {a.title: a.monitor for a in state.undertakings.assumptions} if state.undertakings else {}
        observed = observe(measured, state.policy, monitors)
        if not is_repeated:
            decided_again(lambda: self._record(identity, session, observed, actor=actor))
        if observed.fired:
            self.rollback.carry_out(identity, actor=actor)
        return self.record.deployment(identity), observed

    def interim(self, identity: str, *, actor: str) -> Observed | None:
        """Look at the open session, and start the rollback when an operational trigger holds; None with none open."""
        state = self.record.deployment(identity)
        session = self.open_session(state) if state.state in LIVE else None
        return None if session is None else self._interim(state, session, actor=actor)

    def _looked(self, state: Deployment, *, is_repeated: bool, actor: str) -> tuple[Deployment, Observed] | None:
        """The interim look of now, or the one that began the rollback that a repeated request asks about."""
        if not is_repeated:
            observed = self.interim(state.id, actor=actor)
        else:
            begun = state.rollback.started_at if state.rollback and state.rollback.reason.startswith(INTERIM) else None
            observed = None if begun is None else self._interim(state, self.days(state).of(begun), actor=actor)
        return None if observed is None else (self.record.deployment(state.id), observed)

    def _interim(self, state: Deployment, session: date, *, actor: str) -> Observed:
        phases = state.policy.phases
        measured = self.feed.measure_open(state.model, state.version, session, live_since(state), phases=phases)
        observed = interim(measured, state.policy, self.days(state).close(session))
        if observed.fired:
            if state.state in LIVE:
                decided_again(lambda: self._roll_back_interim(state.id, session, observed, actor=actor))
            self.rollback.carry_out(state.id, actor=actor)
        return observed

    def _roll_back_interim(self, identity: str, session: date, observed: Observed, *, actor: str) -> None:
        state, now, trigger = self.record.deployment(identity), self.record.now(), observed.fired[0]
        said = "; ".join(explain(name, observed, state.policy) for name in observed.fired)
        reason = f"{INTERIM}, before the close of {session}: {said}"
        self.record.commit(
            Change(
                stream=deployment_stream(identity),
                state=state,
                events=decisions.begin_rollback(state, OCCASION_OF[trigger], trigger, reason, now),
            ),
            actor=actor,
            key=self.record.key(f"interim:{identity}:{session}"),
            effects=started(state, trigger, reason),
        )

    def _first(self, state: Deployment) -> date:
        """The first day that was not observed; before any was, the exchange's day on which the release became live."""
        if state.last_session is not None:
            return state.last_session + timedelta(days=1)
        return live_since(state) if state.phase_since is None else self.days(state).of(state.phase_since)

    def _refuse_open(self, state: Deployment, session: date) -> None:
        """Refuse to record a session that is not over: what comes after would never be seen."""
        days = self.days(state)
        if not days.between(session, session):
            raise RefusedError(
                f"Expected a session of {state.policy.phases.calendar} to observe for {state.model}, found {session} "
                f"({session:%A}), on which it is closed."
            )
        if (close := days.close(session)) > (now := self.record.now()):
            raise RefusedError(
                f"Expected a session that has closed by {_said(now)} to observe for {state.model}, found {session}, "
                f"which closes at {_said(close)}: once it was observed, none before it can be. Observe it then, or "
                "leave --session out for an interim look."
            )

    def _nothing_closed(self, state: Deployment) -> str:
        return (
            f"Expected a session after {state.last_session or live_since(state) - timedelta(days=1)} to observe for "
            f"{state.model}, found none that has closed by {_said(self.record.now())}. Observe again when the next "
            "session has closed."
        )

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


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
