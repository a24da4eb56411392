"""One monitoring pass: measure a session, record the readings, and act on them.

A session is judged once it has closed. While it is open, only the operational rules are checked, and they act at once.
A trigger starts the same rollback as a person's command. When every condition holds, the release may advance; the
caller decides whether it advances by itself. The commit that records critical, unknown or missing readings notifies
people once; a cut of capital pages them.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NoReturn

from signoff.app.notices import after_deployment, call, incident
from signoff.app.record import Record, StreamChange, decided_again, deployment_stream
from signoff.app.rollback import RollbackProcedure, started
from signoff.domain import decisions
from signoff.domain.decisions.observation import live_since
from signoff.domain.deployment import LIVE, Deployment, State, foreseen
from signoff.domain.errors import SignoffError, described
from signoff.domain.events import AnyEvent, CapitalCut, Observed, Reinstated
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.live_metrics import LIVE_METRICS, Table, cause
from signoff.domain.monitoring import explain, interim, observe
from signoff.domain.silence import in_sessions, outlook
from signoff.ports.calendar import LONGEST_BREAK, Calendar, TradingDays
from signoff.ports.live import LiveFeed
from signoff.ports.store import Effect

INTERIM = "interim"


# A pass looks again at up to this many of the newest sessions without a conclusive day.
LOOKED_AT_AGAIN: Final = 10
UNREADABLE: Final = "the live journal cannot be read"
# The last closed session of an adopted version is searched within this many days before now.
ADOPTED_SINCE: Final = timedelta(days=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Observes live releases and starts the rollback when a trigger holds, in the commit that records it."""

    record: Record
    feed: LiveFeed
    calendar: Calendar
    rollback: RollbackProcedure
    table: Table = LIVE_METRICS

    def days(self, state: Deployment) -> TradingDays:
        """The trading days by the release's policy."""
        return TradingDays(self.calendar, state.policy.phases)

    def next_session(self, state: Deployment) -> date | None:
        """The first closed session that was not observed yet; one without a journal shows no data."""
        return self.days(state).next_closed(self._first(state), self.record.now())

    def open_session(self, state: Deployment) -> date | None:
        """The session that is open now, if the release is live in it."""
        session = self.days(state).open_at(self.record.now())
        return session if session is not None and session >= self._first(state) else None

    def next_due(self, state: Deployment) -> date | None:
        """The first closed session that was neither observed nor declared as not held."""
        while (day := self.next_session(state)) is not None and day in state.not_held:
            state = replace(state, last_session=day)
        return day

    def first_due(self, state: Deployment, last: date) -> date | None:
        """The next session to observe up to `last`; an adopted version begins with the last closed one."""
        if not state.was_adopted or state.last_session is not None:
            day = self.next_due(state)
            return day if day is not None and day <= last else None
        since = max(self._first(state), last - ADOPTED_SINCE) - timedelta(days=1)
        due, seen = None, replace(state, last_session=since)
        while (day := self.next_due(seen)) is not None and day <= last:
            due, seen = day, replace(seen, last_session=day)
        return due

    def observe(
        self, deployment_id: str, session: date | None = None, *, actor: str, is_due: bool = False
    ) -> tuple[Deployment, Observed]:
        """Observe and record one session; a trigger that holds starts the rollback at once.

        If no session has closed, the open one is checked in the interim; only a rollback is recorded. `is_due` says
        that the session is over and its data are due: an unreadable journal is then recorded as silence.
        """
        is_repeated = self.record.was_carried_out()
        state = self.record.deployment(deployment_id)
        if session is None and (is_repeated or self.next_due(state) is None):
            if (looked := self._looked(state, is_repeated=is_repeated, actor=actor)) is not None:
                return looked
            session = state.last_session if is_repeated else None
        else:
            session = session or self.next_due(state)
        if session is None:
            self._refuse_without_session(state)
        if not is_repeated:
            self._refuse_open(state, session)
        try:
            observed = self._observed(state, session)
        except SignoffError as error:
            if not is_due:
                raise
            observed = _nothing_readable(session, error)
        if not is_repeated:
            decided_again(lambda: self._record(deployment_id, session, observed, actor=actor))
        if observed.fired:
            self.rollback.carry_out(deployment_id, actor=actor)
        return self.record.deployment(deployment_id), observed

    def look_again(self, deployment_id: str, *, actor: str) -> tuple[date, ...]:
        """Judge again the newest sessions that were observed without data; returns those that could be judged."""
        judged: list[date] = []
        state = self.record.deployment(deployment_id)
        waiting = {
            day for day in (*state.unjudged, *state.not_held) if state.last_session and day <= state.last_session
        }
        for session in sorted(day for day in waiting if self._has_data(state, day))[-LOOKED_AT_AGAIN:]:
            if state.state in LIVE and self._can_be_judged(state, session):
                state, _ = self.observe(deployment_id, session, actor=actor)
                judged.append(session)
        return tuple(judged)

    def refuse_unreadable(self, state: Deployment) -> None:
        """Raise the journal's read error if the last session was recorded as silent because of it."""
        if state.last_session is not None and any(UNREADABLE in reason for reason in state.unmet):
            self._observed(state, state.last_session)

    def _can_be_judged(self, state: Deployment, session: date) -> bool:
        """Whether a session's data end its silence, hold a trigger, or show that it was held after all."""
        try:
            observed = self._observed(state, session)
        except SignoffError:
            return False
        was_held = session in state.not_held and observed.counts
        return observed.is_heard or bool(observed.fired) or was_held

    def declare_not_held(self, deployment_id: str, session: date, reason: str, *, actor: str) -> Deployment:
        """Record that the venue did not hold a session; refused for a session with data."""

        def commit() -> None:
            state = self.record.deployment(deployment_id)
            if state.state in LIVE and session not in state.not_held:
                self._refuse_open(state, session)
            events = decisions.observation.declare_not_held(
                state,
                session,
                reason,
                has_data=self._was_journaled(state, session),
                today=self.record.now().date(),
            )
            self.record.append(
                state, events, actor=actor, key=self.record.key(f"not-held:{deployment_id}:{session}:{state.revision}")
            )

        if not self.record.was_carried_out():
            decided_again(commit)
        return self.record.deployment(deployment_id)

    def _was_journaled(self, state: Deployment, session: date) -> bool:
        """Whether a session has data: False if no journal was written; raises if the journal cannot be read."""
        try:
            return session in self.feed.sessions(state.model)
        except SignoffError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise

    def _has_data(self, state: Deployment, session: date) -> bool:
        """Whether anything was journaled; an unreadable journal does not contradict the person."""
        try:
            return session in self.feed.sessions(state.model)
        except SignoffError:
            return False

    def _observed(self, state: Deployment, session: date) -> Observed:
        measured = self.feed.measure(
            state.model,
            state.version,
            session,
            live_since(state),
            champion=state.previous_version,
            phases=state.policy.phases,
        )
        monitors = {a.title: a.monitor for a in state.undertakings.assumptions} if state.undertakings else {}
        risk_free_pct = state.undertakings.risk_free_pct if state.undertakings else 0.0
        return observe(measured, state.policy, monitors, risk_free_pct, self.table)

    def interim(self, deployment_id: str, *, actor: str) -> Observed | None:
        """Check the open session, and start the rollback if an operational trigger holds; None without one."""
        state = self.record.deployment(deployment_id)
        session = self.open_session(state) if state.state in LIVE else None
        return None if session is None else self._interim(state, session, actor=actor)

    def _looked(self, state: Deployment, *, is_repeated: bool, actor: str) -> tuple[Deployment, Observed] | None:
        """The interim check of now; for a repeated request, the one that started its rollback."""
        if not is_repeated:
            observed = self.interim(state.id, actor=actor)
        else:
            begun = state.rollback.started_at if state.rollback and state.rollback.reason.startswith(INTERIM) else None
            observed = None if begun is None else self._interim(state, self.days(state).of(begun), actor=actor)
        return None if observed is None else (self.record.deployment(state.id), observed)

    def _interim(self, state: Deployment, session: date, *, actor: str) -> Observed:
        phases = state.policy.phases
        measured = self.feed.measure_open(state.model, state.version, session, live_since(state), phases=phases)
        observed = interim(measured, state.policy, self.days(state).close(session), self.table)
        if observed.fired:
            if state.state in LIVE:
                decided_again(lambda: self._roll_back_interim(state.id, session, observed, actor=actor))
            self.rollback.carry_out(state.id, actor=actor)
        return observed

    def _roll_back_interim(self, deployment_id: str, session: date, observed: Observed, *, actor: str) -> None:
        state, now, trigger = self.record.deployment(deployment_id), self.record.now(), observed.fired[0]
        reasons = "; ".join(explain(name, observed, state.policy, self.table) for name in observed.fired)
        reason = f"{INTERIM}, before the close of {session}: {reasons}"
        self.record.commit(
            StreamChange(
                stream=deployment_stream(deployment_id),
                state=state,
                events=decisions.rollback.begin_rollback(state, cause(trigger, self.table), trigger, reason, now),
            ),
            actor=actor,
            key=self.record.key(f"interim:{deployment_id}:{session}"),
            effects=started(state, trigger, reason),
        )

    def _first(self, state: Deployment) -> date:
        """The day after the last observed session; without one, the first day not over at the release's start."""
        if state.last_session is not None:
            following = state.last_session + timedelta(days=1)
            return max(following, self._first_after_return(state, following) or following)
        return live_since(state) if state.phase_since is None else self._begun(state, state.phase_since)

    def _begun(self, state: Deployment, since: datetime) -> date:
        """The exchange's day of an instant, or the next day if its session had closed."""
        days = self.days(state)
        day = days.of(since)
        is_over = bool(days.between(day, day)) and days.close(day) <= since
        return day + timedelta(days=1) if is_over else day

    def _first_after_return(self, state: Deployment, following: date) -> date | None:
        """The first day on which a restored version trades again; it was not silent while another version traded."""
        since = state.phase_since
        if state.state is not State.FULL or since is None or self.days(state).of(since) <= following:
            return None
        history = self.record.history(deployment_stream(state.id))
        if not any(isinstance(each.event, Reinstated) and each.at == since for each in history):
            return None
        return self._begun(state, since)

    def _refuse_open(self, state: Deployment, session: date) -> None:
        days = self.days(state)
        decisions.observation.closed(
            state,
            session,
            first=None if state.last_session is not None else self._first(state),
            close=days.close(session) if days.between(session, session) else None,
            now=self.record.now(),
        )

    def _refuse_without_session(self, state: Deployment) -> NoReturn:
        days, first = self.days(state), self._first(state)
        coming = next(iter(days.between(first, first + LONGEST_BREAK)), None)
        close = None if coming is None else days.close(coming)
        decisions.observation.refuse_without_session(state, coming, close, self.record.now())

    def _record(self, deployment_id: str, session: date, observed: Observed, *, actor: str) -> None:
        state, now = self.record.deployment(deployment_id), self.record.now()
        events = decisions.observation.record_day(state, observed)
        is_late = state.last_session is not None and session <= state.last_session
        again = f":{state.revision}" if is_late else ""
        effects = (
            *after_deployment(state, state.phase_since or state.opened_at, now),
            *_told(state, events, self.record.latch(state.model)),
        )
        if observed.fired:
            trigger = observed.fired[0]
            reason = "; ".join(explain(name, observed, state.policy, self.table) for name in observed.fired)
            events += decisions.rollback.begin_rollback(state, cause(trigger, self.table), trigger, reason, now)
            effects += started(state, trigger, reason)
        self.record.append(
            state,
            events,
            actor=actor,
            key=self.record.key(f"observe:{deployment_id}:{session}{again}"),
            effects=effects,
        )


def _told(state: Deployment, events: tuple[AnyEvent, ...], latch: KillSwitchState | None = None) -> tuple[Effect, ...]:
    """The notices of a day: critical, unknown or missing readings when they change, and every cut of capital.

    A cut of a killed model pages no one, as it does not trade.
    """
    observed = next(event for event in events if isinstance(event, Observed))
    cut = next((event for event in events if isinstance(event, CapitalCut)), None)
    then = foreseen(state, *events)
    day, name = observed.session, f"{state.model} v{state.version}"
    notices: list[Effect] = []
    if text := _changed(state, then, observed):
        is_late = state.last_session is not None and day <= state.last_session
        notice = f"monitoring of {day}{', judged late' if is_late else ''}"
        notices.append(incident(state, notice, f"{name}, session {day}: {text}"))
    if cut is not None and latch is not None and latch.is_latched:
        text = f"{name}, session {day}: {cut.reason}. The model is killed and trades nothing."
        notices.append(incident(state, f"capital cut to {cut.allocation_pct}% on {day}", text))
    elif cut is not None:
        text = f"{name}, session {day}: {cut.reason} ({'; '.join(then.concerns)}). {outlook(then)}"
        back = f"`signoff rollout resume {state.id} --for silence` restores it after a conclusive session."
        notices.append(call(state, f"PAGE: capital cut to {cut.allocation_pct}% on {day}", f"{text} {back}"))
    return tuple(notices)


def _changed(state: Deployment, then: Deployment, observed: Observed) -> str:
    """New and ended concerns, and what silence will do next; empty if nothing changed."""
    concerns = observed.concerns or ()
    is_late = then.last_session != observed.session
    new = [concern for concern in concerns if concern not in state.concerns]
    ended = [] if is_late else [concern for concern in state.concerns if concern not in concerns]
    if not new and not ended:
        return ""
    sentences = [f"New: {'; '.join(new)}." if new else "", f"Ended: {'; '.join(ended)}." if ended else ""]
    if then.silent_sessions:
        why = "; ".join(observed.unmet) if not observed.counts else ""
        sentences += [why and f"{why}.", f"Silent for {in_sessions(then.silent_sessions)}.", outlook(then)]
    return " ".join(part for part in sentences if part)


def _nothing_readable(session: date, error: SignoffError) -> Observed:
    """The measurement of an unreadable session: it counts as one without data."""
    unmet = (f"no data arrived for this session; {UNREADABLE}: {described(error)}",)
    return Observed(session=session, counts=False, readings=(), unmet=unmet, is_conclusive=False)
