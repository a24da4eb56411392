"""One day of a live release held against the thresholds that its memo prints.

`observe` turns what was measured into an `Observed` event: readings with their levels, the rollback triggers that hold,
and what keeps the release from advancing. `interim` does so with the operational rules alone, while a session is open.
A figure that cannot be computed is unknown, and unknown blocks an advance.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from signoff.domain.assumptions import holds
from signoff.domain.events import Observed, Reading
from signoff.domain.live_thresholds import Kind, threshold
from signoff.domain.monitoring import operational, quality, returns
from signoff.domain.monitoring.measurement import Measurement
from signoff.domain.monitoring.operational import MIN_PREDICTIONS, Outcomes
from signoff.domain.monitoring.readings import Level, some
from signoff.domain.policy import Policy


def observe(
    measured: Measurement, policy: Policy, assumptions: Mapping[str, str], risk_free_pct: float = 0.0
) -> Observed:
    """Assess one session. `assumptions` maps a title to its monitor expression, e.g. ``psi_max < 0.25``.

    Sharpe ratios are in excess of `risk_free_pct` a year, which the release's dossier declared.
    """
    track = returns.Track.of(measured, policy.phases.session_rate(risk_free_pct))
    apart = quality.apart_s(measured)
    outcomes = Outcomes.of(measured.session, measured.predictions, _incomplete(measured), _needed(measured), apart)
    has_data = outcomes.n > 0 and track.is_of_session
    readings = _in_order(
        (
            *returns.readings(track, policy),
            *operational.readings(outcomes, policy),
            *quality.readings(measured, outcomes, policy),
        )
    )
    values = {reading.key: reading.value for reading in readings if reading.level != Level.UNKNOWN}
    violated = tuple(
        f"assumption violated or unknown: {title} ({monitor})"
        for title, monitor in assumptions.items()
        if not holds(monitor, values)
    )
    fired = (*(returns.fired(track, policy) if has_data else ()), *operational.fired(outcomes, policy))
    no_data = () if has_data else ("no data arrived for this session",)
    return Observed(
        session=measured.session,
        counts=has_data,
        readings=readings,
        fired=fired,
        unmet=(*no_data, *(f"trigger holds: {name}" for name in fired), *_bad(readings), *violated),
        is_conclusive=has_data and all(reading.level != Level.UNKNOWN for reading in readings),
        reference=measured.baseline.pinned,
    )


def interim(measured: Measurement, policy: Policy, open_until: datetime) -> Observed:
    """The operational rules on a session that is still open; whatever they say, the session does not count by it."""
    outcomes = Outcomes.of(measured.session, measured.predictions, needed=_needed(measured))
    readings = tuple(operational.readings(outcomes, policy))
    fired = tuple(operational.fired(outcomes, policy))
    return Observed(
        session=measured.session,
        counts=False,
        readings=readings,
        fired=fired,
        unmet=(still_open(open_until), *(f"trigger holds: {name}" for name in fired), *_bad(readings)),
        is_conclusive=False,
        open_until=open_until,
    )


def still_open(until: datetime) -> str:
    """How everything is marked that is said before a session has closed."""
    return f"interim: the session is open until {until:%H:%M} UTC"


def explain(trigger: str, observed: Observed, policy: Policy) -> str:
    """Why a trigger fired, in one clause with its figures."""
    values = {reading.key: reading.value for reading in observed.readings}
    triggers = policy.triggers

    def limit(key: str) -> str:
        return threshold(policy, key, Kind.TRIGGER).figure

    def said(key: str) -> str:
        value = values.get(key)
        return "unknown" if value is None else f"{value:.3g}".replace("-", "−")

    match trigger:
        case "sharpe":
            return (
                f"rolling Sharpe ratio {said('rolling_sharpe_30d')}, below {limit('rolling_sharpe_30d')} for "
                f"{said('sharpe_days_below')} sessions in a row (limit {limit('sharpe_days_below')})"
            )
        case "var":
            return (
                f"{said('var_exceptions_attributed')} value-at-risk breaches attributed to the model within "
                f"{triggers.var.window_days} sessions (limit {limit('var_exceptions_attributed')})"
            )
        case "error_rate":
            return f"error rate {said('error_rate_pct')}%, limit {limit('error_rate_pct')}{_of_few(observed)}"
        case _:
            return f"latency p95 {said('latency_p95_ms')} ms, limit {limit('latency_p95_ms')}"


def _of_few(observed: Observed) -> str:
    """That the rate is of fewer predictions than a rate needs."""
    rate = next((reading for reading in observed.readings if reading.key == "error_rate_pct"), None)
    is_few = rate is not None and rate.n is not None and rate.n < MIN_PREDICTIONS
    return f": {rate.detail}" if rate is not None and is_few else ""


def _needed(measured: Measurement) -> int:
    """How many predictions a session's figures need; a model of fewer symbols never has more."""
    before = measured.baseline.symbols if measured.previous_symbols is None else measured.previous_symbols
    return min(MIN_PREDICTIONS, len(before)) or MIN_PREDICTIONS


def _incomplete(measured: Measurement) -> str:
    """Why predictions that belong to the session may not be there."""
    lost = quality.lost_symbols(measured)
    return f"no prediction for {some(list(lost))}, which the session before had" if lost else ""


def _bad(readings: tuple[Reading, ...]) -> tuple[str, ...]:
    return tuple(
        f"{reading.key} is {reading.word}{': ' + reading.detail if reading.detail else ''}"
        for reading in readings
        if reading.level in {Level.CRITICAL, Level.UNKNOWN}
    )


_FIRST: Final = (
    "daily_return",
    "rolling_sharpe_7d",
    "rolling_sharpe_30d",
    "sharpe_days_below",
    "psi_max",
    "latency_p95_ms",
    "error_rate_pct",
    "var_exceptions",
    "var_exceptions_attributed",
    "gross_exposure_pct",
    "index_vol_30d_pct",
    "universe_size",
    "predictions",
    "less_champion_bps",
)


def _in_order(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """What the model did comes before what is wrong with the data."""
    place = {key: n for n, key in enumerate(_FIRST)}
    return tuple(sorted(readings, key=lambda reading: place.get(reading.key, len(place))))
