"""The 30-day review: what the dossier promised against what the release did."""

from datetime import date, timedelta
from typing import Final, TypeGuard

import numpy as np

from signoff.app.observe import Watch, live_since
from signoff.app.record import Change, Record, deployment_stream
from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.errors import RefusedError
from signoff.domain.events import DeadlineBreached, Observed, PhaseEntered, Reading, Reviewed
from signoff.domain.monitoring import Level, Track
from signoff.stats.performance import hit_rate, max_drawdown, sharpe_ratio

MIN_SESSIONS: Final = 5
GRACE: Final = timedelta(days=1)


def review(record: Record, watch: Watch, identity: str, *, notes: str, actor: str) -> Reviewed:
    """Hold the lived sessions against the targets of section 10.1; a target without data is not met."""
    state = record.deployment(identity)
    if state.undertakings is None:
        raise RefusedError(f"{identity} was adopted and has no targets to be reviewed against.")
    found = {r.event.session: r.event for r in record.history(deployment_stream(identity)) if _is_observed(r.event)}
    if not found:
        raise RefusedError(f"{identity} has no observed session yet; run `signoff observe {identity}` first.")
    observed = tuple(found[session] for session in sorted(found))
    readings = _readings(record, watch, state, observed)
    event = Reviewed(readings=readings, targets_met=all(r.level == Level.OK for r in readings), notes=notes)
    record.commit(
        Change(stream=deployment_stream(identity), state=state, events=(event,)),
        actor=actor,
        key=record.key(f"review:{identity}:{state.revision}"),
    )
    return event


def _is_observed(event: object) -> TypeGuard[Observed]:
    return isinstance(event, Observed)


def _readings(record: Record, watch: Watch, state: Deployment, observed: tuple[Observed, ...]) -> tuple[Reading, ...]:
    assert state.undertakings is not None
    targets, policy, last = state.undertakings.success, state.policy, observed[-1].session
    late = [r for r in record.history(deployment_stream(state.id)) if isinstance(r.event, DeadlineBreached)]
    return (
        *_performance(watch, state, last),
        _uptime(record, watch, state, observed),
        _largest("latency_p95_ms", observed, targets.latency_p95_ms),
        _largest("error_rate_pct", observed, policy.success.error_rate_pct),
        _largest("var_exceptions_attributed", observed, 0.0),
        _largest("psi_max", observed, policy.alerts.psi.critical),
        Reading(
            key="critical_incidents",
            value=float(len(late)),
            level=Level.CRITICAL if late else Level.OK,
            detail="target ≤ 0",
            as_of=last,
        ),
    )


def _performance(watch: Watch, state: Deployment, last: date) -> tuple[Reading, ...]:
    """What the lived returns say; unknown where one of them is missing, doubled or no number."""
    assert state.undertakings is not None
    targets, phases = state.undertakings.success, state.policy.phases
    track = Track.of(watch.feed.measure(state.model, state.version, last, live_since(state), phases=phases))
    n = track.n_lived
    lived = track.returns[track.returns.size - n :]
    why = track.flaw(max(n, MIN_SESSIONS)) or ("" if float(np.std(lived)) > 0 else f"the {n} returns do not vary")
    found = {
        "sharpe": (None if why else float(sharpe_ratio(lived)), targets.sharpe),
        "hit_rate_pct": (None if why else 100.0 * hit_rate(lived), targets.hit_rate_pct),
        "max_drawdown_pct": (None if why else 100.0 * max_drawdown(lived), targets.max_drawdown_pct),
    }
    return tuple(
        Reading(
            key=key,
            value=value,
            level=_level(value, is_met=value is not None and value >= target),
            detail=f"target ≥ {target:g}{'; ' + why if why else ''}",
            n=n,
            needed=MIN_SESSIONS,
            as_of=track.newest,
        )
        for key, (value, target) in found.items()
    )


def _uptime(record: Record, watch: Watch, state: Deployment, observed: tuple[Observed, ...]) -> Reading:
    """Sessions with data, of all that the calendar names from the start of shadow on.

    One that closed a day ago and was not observed is one without data, while the release is live.
    """
    days, target, now = watch.days(state), state.policy.success.uptime_pct, record.now()
    entered = next(
        (r.at for r in record.history(deployment_stream(state.id)) if isinstance(r.event, PhaseEntered)), None
    )
    end = observed[-1].session
    if state.state in LIVE and (closed := days.last_closed(now - GRACE)) is not None:
        end = max(end, closed)
    start = live_since(state) if entered is None else days.of(entered)
    named = [day for day in days.between(start, end) if entered is None or days.close(day) > entered]
    held = {each.session for each in observed if each.counts}
    without = [day for day in named if day not in held]
    value = 100.0 * (len(named) - len(without)) / len(named) if named else None
    said = f"{len(named) - len(without)} of {len(named)} sessions had data"
    first = f", the first without is {without[0]}" if without else ""
    return Reading(
        key="uptime_pct",
        value=value,
        level=_level(value, is_met=value is not None and value >= target),
        detail=f"target ≥ {target:g}; {said}{first}",
        n=len(named),
        needed=1,
        as_of=max(held, default=None),
    )


def _largest(key: str, observed: tuple[Observed, ...], target: float) -> Reading:
    """The largest reading of all sessions. One that was unknown may have been larger, so it is not within the target.

    A session that had too few data for it, as drift has at first, is none of these; at least one must have had enough.
    """
    found = [(each.session, reading) for each in observed for reading in each.readings if reading.key == key]
    known = [(day, r.value) for day, r in found if r.value is not None and r.level != Level.UNKNOWN]
    unknown = [day for day, r in found if r.level == Level.UNKNOWN and not _has_too_few(r)]
    value = max((value for _, value in known), default=None)
    is_over = value is not None and value > target
    if unknown and not is_over:
        value = None
    why = f"; unknown on {len(unknown)} of {len(observed)} sessions, first on {unknown[0]}" if unknown else ""
    return Reading(
        key=key,
        value=value,
        level=_level(value, is_met=not is_over),
        detail=f"target ≤ {target:g}{why}",
        n=len(known),
        needed=1,
        as_of=max((day for day, _ in known), default=None),
    )


def _has_too_few(reading: Reading) -> bool:
    return reading.n is not None and reading.needed is not None and reading.n < reading.needed


def _level(value: float | None, *, is_met: bool) -> Level:
    if value is None:
        return Level.UNKNOWN
    return Level.OK if is_met else Level.CRITICAL
