"""Compares one day of a live release with the thresholds that its memo prints.

`observe` turns measurements into an `Observed` event: readings with their levels, the rollback triggers that hold, and
what blocks an advance. `interim` does so for the rows read while a session is open. Each figure is computed once, and
its level, trigger and reason come from one reading. A figure that cannot be computed is unknown and blocks an advance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.assumptions import holds
from signoff.domain.errors import described
from signoff.domain.events import Level, Observed, Reading
from signoff.domain.live_metrics import LIVE_METRICS, LiveMetric, Table, reason, triggers
from signoff.domain.monitoring.measurement import Measurement
from signoff.domain.monitoring.metric_inputs import MetricInputs
from signoff.domain.monitoring.readings import NOT_YET, Figure
from signoff.domain.policy import Policy
from signoff.domain.thresholds import ThresholdKind


def observe(
    measured: Measurement,
    policy: Policy,
    assumptions: Mapping[str, str],
    risk_free_pct: float = 0.0,
    table: Table = LIVE_METRICS,
) -> Observed:
    """Assess one session. `assumptions` maps a title to its monitor expression, e.g. ``psi_max < 0.25``.

    Sharpe ratios are in excess of the dossier's `risk_free_pct` a year.
    """
    session = MetricInputs(measured=measured, policy=policy, risk_free_pct=risk_free_pct)
    judged = tuple(_judged(session, table))
    readings, fired = tuple(each.reading for each in judged), _fired(judged, table)
    values = {reading.key: reading.value for reading in readings if reading.level != Level.UNKNOWN}
    violated = tuple(
        f"assumption violated or unknown: {title} ({monitor})"
        for title, monitor in assumptions.items()
        if not holds(monitor, values)
    )
    no_data = () if session.has_data else ("no data arrived for this session",)
    return Observed(
        session=measured.session,
        counts=session.has_data,
        readings=readings,
        fired=fired,
        unmet=(*no_data, *_unmet(fired, readings), *violated),
        is_conclusive=session.has_data and all(reading.level != Level.UNKNOWN for reading in readings),
        reference=measured.baseline.pinned,
    )


def interim(measured: Measurement, policy: Policy, open_until: datetime, table: Table = LIVE_METRICS) -> Observed:
    """The rules that act at once on an open session; such a session does not count yet."""
    judged = tuple(_judged(MetricInputs(measured=measured, policy=policy, is_open=True), table))
    readings, fired = tuple(each.reading for each in judged), _fired(judged, table)
    return Observed(
        session=measured.session,
        counts=False,
        readings=readings,
        fired=fired,
        unmet=(still_open(open_until), *_unmet(fired, readings)),
        is_conclusive=False,
        open_until=open_until,
    )


def still_open(until: datetime) -> str:
    """The mark of every statement before a session's close."""
    return f"interim: the session is open until {until:%H:%M} UTC"


def explain(trigger: str, observed: Observed, policy: Policy, table: Table = LIVE_METRICS) -> str:
    """Why a trigger fired, in one clause with its reading."""
    return reason(trigger, {reading.key: reading for reading in observed.readings}, policy, table)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The reading of a row, and whether it trips the row's trigger."""

    row: LiveMetric
    reading: Reading
    is_tripped: bool


def _judged(session: MetricInputs, table: Table) -> Iterator[_Judged]:
    for row in table:
        if row.compute is None or (session.is_open and not row.while_open):
            continue
        try:
            figure = row.compute(session)
        except Exception as error:  # noqa: BLE001 - the fault of one metric must not silence another one's trigger
            figure = Figure(why=f"it could not be computed: {described(error)}")
        if figure is not NOT_YET:
            yield _compared(row, figure if isinstance(figure, Figure) else Figure(value=figure), session)


def _compared(row: LiveMetric, figure: Figure, session: MetricInputs) -> _Judged:
    """One figure compared with every threshold of its row.

    An unknown figure is compared by its certain bound, and keeps that bound if it trips the trigger.
    """
    value = figure.at_least
    acts = row.trigger is not None and (row.while_open or session.has_data)
    is_tripped = acts and _holds(row, ThresholdKind.TRIGGER, value, session.policy)
    level = _level(row, figure, session.policy)
    is_shown = is_tripped or level != Level.UNKNOWN or figure.known is not None
    return _Judged(
        row=row,
        reading=Reading(
            key=row.key,
            value=value if is_shown else None,
            level=level,
            detail=_detail(row, figure, level, session.policy),
            n=figure.n,
            needed=figure.needed,
            as_of=figure.as_of,
            is_young=figure.is_young and level == Level.UNKNOWN,
        ),
        is_tripped=is_tripped,
    )


def _level(row: LiveMetric, figure: Figure, policy: Policy) -> Level:
    value = figure.known
    if figure.is_critical or _holds(row, ThresholdKind.CRITICAL, figure.at_least, policy):
        return Level.CRITICAL
    if value is None or (row.is_fault and value != 0):
        return Level.UNKNOWN
    if row.trigger is not None and _holds(row, ThresholdKind.TRIGGER, value, policy):
        return Level.CRITICAL
    return Level.WARNING if _holds(row, ThresholdKind.WARNING, value, policy) else Level.OK


def _holds(row: LiveMetric, kind: ThresholdKind, value: float | None, policy: Policy) -> bool:
    threshold = row.threshold(policy, kind)
    return threshold is not None and value is not None and threshold.holds(value)


def _detail(row: LiveMetric, figure: Figure, level: Level, policy: Policy) -> str:
    if level == Level.UNKNOWN and figure.known is None:
        return figure.because
    critical = row.threshold(policy, ThresholdKind.CRITICAL)
    if figure.detail and critical is not None and level == Level.CRITICAL:
        return f"{figure.detail}, critical {critical.sign.word} {critical.figure}"
    return figure.detail or row.bounds(policy)


def _fired(judged: tuple[_Judged, ...], table: Table) -> tuple[str, ...]:
    """The triggers that hold, by precedence of the cause."""
    tripped = {each.row.key for each in judged if each.is_tripped}
    return tuple(trigger.name for row, trigger in triggers(table) if row.key in tripped)


def _unmet(fired: tuple[str, ...], readings: tuple[Reading, ...]) -> tuple[str, ...]:
    bad = (reading for reading in readings if reading.level in {Level.CRITICAL, Level.UNKNOWN})
    return (
        *(f"trigger holds: {name}" for name in fired),
        *(f"{reading.key} is {reading.word}{': ' + reading.detail if reading.detail else ''}" for reading in bad),
    )
