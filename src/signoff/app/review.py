"""The 30-day review: what the dossier promised against what the release did."""

import numpy as np

from signoff.app.observe import live_since
from signoff.app.record import Change, Record, deployment_stream
from signoff.domain.deployment import Deployment
from signoff.domain.errors import RefusedError
from signoff.domain.events import DeadlineBreached, Observed, Reading, Reviewed
from signoff.domain.monitoring import Level
from signoff.ports.live import LiveFeed
from signoff.stats.performance import hit_rate, max_drawdown, sharpe_ratio

MIN_SESSIONS = 5


def review(record: Record, feed: LiveFeed, identity: str, *, notes: str, actor: str) -> Reviewed:
    """Hold the lived sessions against the targets of section 10.1; a target without data is not met."""
    state = record.deployment(identity)
    if state.undertakings is None:
        raise RefusedError(f"{identity} was adopted and has no targets to be reviewed against.")
    observed = [r.event for r in record.history(deployment_stream(identity)) if isinstance(r.event, Observed)]
    if not observed:
        raise RefusedError(f"{identity} has no observed session yet; run `signoff observe {identity}` first.")
    readings = _readings(record, feed, state, tuple(observed))
    event = Reviewed(readings=readings, targets_met=all(r.level == Level.OK for r in readings), notes=notes)
    record.commit(
        Change(stream=deployment_stream(identity), state=state, events=(event,)),
        actor=actor,
        key=record.key(f"review:{identity}:{state.revision}"),
    )
    return event


def _readings(record: Record, feed: LiveFeed, state: Deployment, observed: tuple[Observed, ...]) -> tuple[Reading, ...]:
    assert state.undertakings is not None
    targets, policy = state.undertakings.success, state.policy
    since = live_since(state)
    measured = feed.measure(state.model, state.version, observed[-1].session, since)
    lived = measured.returns[-measured.live_sessions :] if measured.live_sessions else measured.returns[:0]
    enough = lived.size >= MIN_SESSIONS and float(np.std(lived)) > 0
    errors = _values(observed, "error_rate_pct")
    latency = _values(observed, "latency_p95_ms")
    drift = _values(observed, "psi_max")
    attributed = _values(observed, "var_exceptions_attributed")
    late = [r for r in record.history(deployment_stream(state.id)) if isinstance(r.event, DeadlineBreached)]
    uptime = 100.0 * sum(o.is_conclusive for o in observed) / len(observed)
    return (
        _at_least("sharpe", float(sharpe_ratio(lived)) if enough else None, targets.sharpe),
        _at_least("hit_rate_pct", 100.0 * hit_rate(lived) if enough else None, targets.hit_rate_pct),
        _at_least("max_drawdown_pct", 100.0 * max_drawdown(lived) if enough else None, targets.max_drawdown_pct),
        _at_least("uptime_pct", uptime, policy.success.uptime_pct),
        _at_most("latency_p95_ms", max(latency, default=None), targets.latency_p95_ms),
        _at_most("error_rate_pct", max(errors, default=None), policy.success.error_rate_pct),
        _at_most("var_exceptions_attributed", max(attributed, default=None), 0.0),
        _at_most("psi_max", max(drift, default=None), policy.alerts.psi.critical),
        _at_most("critical_incidents", float(len(late)), 0.0),
    )


def _values(observed: tuple[Observed, ...], key: str) -> list[float]:
    return [r.value for o in observed for r in o.readings if r.key == key and r.value is not None]


def _at_least(key: str, value: float | None, target: float) -> Reading:
    return _against(key, value, is_met=value is not None and value >= target, detail=f"target ≥ {target:g}")


def _at_most(key: str, value: float | None, target: float) -> Reading:
    return _against(key, value, is_met=value is not None and value <= target, detail=f"target ≤ {target:g}")


def _against(key: str, value: float | None, *, is_met: bool, detail: str) -> Reading:
    level = Level.UNKNOWN if value is None else (Level.OK if is_met else Level.CRITICAL)
    return Reading(key=key, value=value, level=level, detail=detail)
