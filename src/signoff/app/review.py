"""The 30-day review: compare the dossier's targets with what the release did.

Every target is a row of the thresholds that the memo's section 10.1 prints. A target without data is not met. A release
that was killed or rolled back fails the review, whatever its figures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, TypeGuard

import numpy as np

from signoff.app.observe import Watch
from signoff.app.record import Record, deployment_stream, model_stream
from signoff.domain import decisions
from signoff.domain.decisions.observation import live_since
from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.events import (
    DeadlineBreached,
    Killed,
    Observed,
    PhaseEntered,
    Reading,
    Recorded,
    Reinstated,
    Reviewed,
    RollbackCause,
    RollbackStarted,
    Superseded,
)
from signoff.domain.gates.own_returns import own_returns
from signoff.domain.live_metrics import targets
from signoff.domain.monitoring import Level, Measurement, Track
from signoff.domain.thresholds import LiveThreshold, Sign
from signoff.stats.association import pearson_correlation
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import hit_rate, max_drawdown, sharpe_ratio
from signoff.stats.returns import as_lived

MIN_SESSIONS: Final = 5
MIN_SHARED_SESSIONS: Final = 10
GRACE: Final = timedelta(days=1)
ALL_PCT: Final = 100.0
ROLLED_BACK: Final = "ROLLED BACK"

Targets = Mapping[str, LiveThreshold]


def review(record: Record, watch: Watch, deployment_id: str, *, notes: str, actor: str) -> Reviewed:
    """Compare the lived sessions with the targets of section 10.1, and record the result."""
    state = record.deployment(deployment_id)
    promised = decisions.observation.targets_of(state)
    history = record.history(deployment_stream(deployment_id))
    incidents = _incidents(record, state, history)
    ended = next((f"{ROLLED_BACK}: {incident.text}" for incident in incidents if incident.is_end), "")
    by_session = {r.event.session: r.event for r in history if _is_observed(r.event)}
    decisions.observation.was_lived(state, has_sessions=bool(by_session or ended))
    observed = tuple(by_session[session] for session in sorted(by_session))
    held_to = targets(state.policy, promised.success, watch.table)
    read = {row.key for row in watch.table if row.compute is not None}
    readings = (
        *_performance(watch, state, observed, held_to),
        _uptime(record, watch, state, observed, history, held_to["uptime_pct"]),
        *(_worst(key, observed, target) for key, target in held_to.items() if key in read),
        _of_incidents(incidents, held_to["critical_incidents"], record.now().date()),
    )
    is_met = not ended and all(r.level == Level.OK for r in readings)
    event = Reviewed(readings=readings, targets_met=is_met, notes=notes, ended=ended)
    record.append(state, (event,), actor=actor, key=record.key(f"review:{deployment_id}:{state.revision}"))
    return event


def _is_observed(event: object) -> TypeGuard[Observed]:
    return isinstance(event, Observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something critical that happened to a live release; `is_end` for a kill or a rollback."""

    at: datetime
    text: str
    is_end: bool


def _incidents(record: Record, state: Deployment, history: tuple[Recorded, ...]) -> tuple[Incident, ...]:
    """Kills while the release was live, its rollback, and missed deadlines."""
    incidents = list(_of_release(history))
    begin, end = _lived(state, history, record.now())
    for recorded in record.history(model_stream(state.model)):
        if isinstance(recorded.event, Killed) and begin is not None and begin <= recorded.at <= end:
            text = f"killed on {recorded.at:%Y-%m-%d %H:%M} UTC by {recorded.actor}: {recorded.event.reason}"
            incidents.append(Incident(at=recorded.at, text=text, is_end=True))
    return tuple(sorted(incidents, key=lambda incident: incident.at))


def _of_release(history: tuple[Recorded, ...]) -> Iterator[Incident]:
    for recorded in history:
        event, at = recorded.event, f"{recorded.at:%Y-%m-%d %H:%M} UTC"
        if isinstance(event, RollbackStarted) and event.occasion is not RollbackCause.REHEARSAL:
            text = f"rolled back on {at}, {event.trigger}: {event.reason}"
            yield Incident(at=recorded.at, text=text, is_end=True)
        elif isinstance(event, DeadlineBreached):
            yield Incident(at=recorded.at, text=f"the deadline {event.name} was missed on {at}", is_end=False)


def _lived(state: Deployment, history: tuple[Recorded, ...], now: datetime) -> tuple[datetime | None, datetime]:
    """From when to when a release was live; until now if it still is."""
    entered = next((r.at for r in history if isinstance(r.event, PhaseEntered)), None)
    left = next((r for r in reversed(history) if isinstance(r.event, RollbackStarted | Superseded | Reinstated)), None)
    is_over = left is not None and not isinstance(left.event, Reinstated) and state.state not in LIVE
    return entered, left.at if left is not None and is_over else now


def _of_incidents(incidents: tuple[Incident, ...], target: LiveThreshold, today: date) -> Reading:
    texts = "; ".join(incident.text for incident in incidents)
    return Reading(
        key=target.key,
        value=float(len(incidents)),
        level=_level(len(incidents), target),
        detail=f"target {target.text}" + (f"; {texts}" if texts else ""),
        as_of=incidents[-1].at.date() if incidents else today,
    )


def _performance(
    watch: Watch, state: Deployment, observed: tuple[Observed, ...], held_to: Targets
) -> tuple[Reading, ...]:
    """The performance of the lived returns; unknown if one is missing, duplicated or not a number."""
    keys = ("sharpe", "hit_rate_pct", "max_drawdown_pct")
    if not observed:
        nothing = "not measured: no session was observed"
        return tuple(_judged(held_to[key], None, nothing, 0) for key in (*keys, "correlation_with_backtest"))
    last, phases = observed[-1].session, state.policy.phases
    measured = watch.feed.measure(state.model, state.version, last, live_since(state), phases=phases)
    track = Track.of(measured)
    n = track.n_lived
    lived = track.returns[track.returns.size - n :]
    rate = phases.session_rate(state.undertakings.risk_free_pct if state.undertakings else 0.0)
    why = track.flaw(max(n, MIN_SESSIONS)) or ("" if float(np.std(lived)) > 0 else f"the {n} returns do not vary")
    with as_lived():
        figures = (
            (None, None, None)
            if why
            else (
                float(sharpe_ratio(lived - rate, periods=phases.sessions_a_year)),
                ALL_PCT * hit_rate(lived),
                ALL_PCT * max_drawdown(lived),
            )
        )
    return (
        *(_judged(held_to[key], value, why, n, track.newest) for key, value in zip(keys, figures, strict=True)),
        _correlation(measured, track, why, held_to["correlation_with_backtest"]),
    )


def _correlation(measured: Measurement, track: Track, why: str, target: LiveThreshold) -> Reading:
    """Correlation with the registered version's replayed returns; not measured without their journal."""
    replayed = measured.backtest
    if replayed is None:
        why = "not measured: backtest.parquet, the registered version run over the lived sessions, is not journaled"
        return _judged(target, None, why, 0, needed=MIN_SHARED_SESSIONS)
    lived = track.dates >= np.datetime64(measured.live_since, "D")
    dates, own = track.dates[lived], track.returns[lived]
    shared, at_own, at_theirs = np.intersect1d(dates, replayed.dates, return_indices=True)
    mine, predicted = own[at_own], replayed.returns[at_theirs]
    if np.unique(replayed.dates).size != replayed.dates.size:
        why = why or "backtest.parquet has a day more than once"
    if not np.isfinite(predicted).all():
        why = why or "a return of backtest.parquet is not a number"
    if (missing := int(lived.sum()) - shared.size) > 0:
        why = why or f"{missing} of {int(lived.sum())} lived sessions are not in backtest.parquet"
    if not why and shared.size < MIN_SHARED_SESSIONS:
        why = f"n {shared.size}, needs {MIN_SHARED_SESSIONS}"
    if not why and (copied := own_returns(mine, predicted)) is not None:
        why = f"not evidenced: the live returns are the backtest's own: {copied}"
    value = None
    if not why:
        try:
            value = pearson_correlation(mine, predicted).correlation
        except InsufficientData as error:
            why = str(error)
    return _judged(target, value, why, shared.size, track.newest, needed=MIN_SHARED_SESSIONS)


def _judged(
    target: LiveThreshold, value: float | None, why: str, n: int, as_of: date | None = None, needed: int = MIN_SESSIONS
) -> Reading:
    return Reading(
        key=target.key,
        value=value,
        level=_level(value, target),
        detail=f"target {target.text}{'; ' + why if why else ''}",
        n=n,
        needed=needed,
        as_of=as_of,
    )


def _uptime(
    record: Record,
    watch: Watch,
    state: Deployment,
    observed: tuple[Observed, ...],
    history: tuple[Recorded, ...],
    target: LiveThreshold,
) -> Reading:
    """Served sessions, as a share of the calendar's sessions since the start of shadow.

    While the release is live, a session that closed a day ago without being observed counts as not served.
    """
    days, now = watch.days(state), record.now()
    entered = next((r.at for r in history if isinstance(r.event, PhaseEntered)), None)
    end = observed[-1].session if observed else live_since(state)
    if state.state in LIVE and (closed := days.last_closed(now - GRACE)) is not None:
        end = max(end, closed)
    start = live_since(state) if entered is None else days.of(entered)
    named = [day for day in days.between(start, end) if entered is None or days.close(day) > entered]
    served = {each.session for each in observed if _is_served(each)}
    without = [day for day in named if day not in served]
    value = ALL_PCT * (len(named) - len(without)) / len(named) if named else None
    served_words = f"{len(named) - len(without)} of {len(named)} sessions were served"
    first = f", the first that was not is {without[0]}" if without else ""
    return _judged(target, value, f"{served_words}{first}", len(named), max(served, default=None), needed=1)


def _is_served(observed: Observed) -> bool:
    """Whether the journal has a prediction of the session that did not fail."""
    readings = {reading.key: reading for reading in observed.readings}
    predictions = readings.get("predictions")
    if predictions is None:  # an older Signoff recorded no count
        return observed.counts
    errors = readings.get("error_rate_pct")
    has_failed = errors is not None and errors.value is not None and errors.value >= ALL_PCT
    return predictions.value is not None and predictions.value > 0 and not has_failed


def _worst(key: str, observed: tuple[Observed, ...], target: LiveThreshold) -> Reading:
    """The worst reading of all sessions. An unknown reading may have been worse, so it is not within the target.

    A session with too few data, as for drift at first, does not count as unknown; at least one must have enough.
    """
    readings = [(each.session, reading) for each in observed for reading in each.readings if reading.key == key]
    values = [(day, r.value) for day, r in readings if r.value is not None and r.level != Level.UNKNOWN]
    unknown = [day for day, r in readings if r.level == Level.UNKNOWN and not _has_too_few(r)]
    worst = max if target.sign in {Sign.BELOW, Sign.AT_MOST} else min
    value = worst((value for _, value in values), default=None)
    if unknown and (value is None or target.holds(value)):
        value = None
    why = f"unknown on {len(unknown)} of {len(observed)} sessions, first on {unknown[0]}" if unknown else ""
    return _judged(target, value, why, len(values), max((day for day, _ in values), default=None), needed=1)


def _has_too_few(reading: Reading) -> bool:
    return reading.n is not None and reading.needed is not None and reading.n < reading.needed


def _level(value: float | None, target: LiveThreshold) -> Level:
    if value is None:
        return Level.UNKNOWN
    return Level.OK if target.holds(value) else Level.CRITICAL
