"""Sessions of the calendar: whether each table of returns has a row for every one, and none while the market is shut.

A record without its worst days is another record. Nothing in the remaining rows shows it: only the calendar does.
"""

from dataclasses import replace
from math import floor
from typing import Final

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.track import less_than_a_year, track_record
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Unit, count
from signoff.domain.sampling import EVERY_DAY, WEEKDAYS, Coverage, Days, Frequency, coverage
from signoff.stats.sample import vector

MOST_NAMED: Final = 5
_NAMED: Final = {"": "every weekday", WEEKDAYS: "every weekday (24/5)", EVERY_DAY: "every day (24/7)"}


def calendar_sessions(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The share of sessions that a table lacks or has while the market is shut, of the table with the most."""
    gate, time = policy.gates.sessions, evidence.backtest.time
    rule = Rule(
        key="sessions",
        title="Sessions of the Calendar",
        comparison=Comparison.AT_MOST,
        threshold=gate.limit_pct / 100,
        unit=Unit.PERCENT,
        digits=2,
        is_blocking=gate.blocking,
        near_miss_pct=0.0,
        method=f"{time.unit}s of {named(time.calendar, time.frequency)} that a table lacks, and rows while it is shut, "
        "of those named from its first row to its last",
    )

    def measure() -> Measurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return _beside(returns, evidence)
        if (lack := less_than_a_year(evidence)) is not None:
            return _beside(lack, evidence)
        vector(returns, "backtest")
        held = _held(evidence)
        worst = max(held, key=lambda one: one.share)
        return Measurement(
            value=worst.share,
            n=worst.expected,
            source=", ".join(one.table for one in held),
            convention="the worst table counts",
            explanation=" ".join(_said(one, time.frequency) for one in held),
            figures=(
                count("gates.sessions.expected", worst.expected),
                count("gates.sessions.missing", worst.missing.size),
                count("gates.sessions.while_shut", worst.shut.size),
            ),
            objections=()
            if worst.share <= gate.limit_pct / 100
            else (
                f"Add the rows that {worst.table} lacks and remove those while it is shut; if it follows another "
                "calendar, name it in the dossier as evidence.calendar.",
            ),
            turning_point=_turning_point(worst, gate.limit_pct / 100, time.unit),
        )

    return guarded(rule, measure)


def differences(evidence: Evidence) -> tuple[str, ...]:
    """Each table that lacks sessions or has rows while the market is shut: how many, and the first of them by date."""
    frequency = evidence.backtest.time.frequency
    return tuple(_said(one, frequency) for one in _held(evidence) if one.missing.size or one.shut.size)


def _held(evidence: Evidence) -> tuple[Coverage, ...]:
    backtest = evidence.backtest
    return evidence.coverage or (coverage("backtest", backtest.dates, backtest.time, None),)


def _beside(lack: Lack, evidence: Evidence) -> Lack:
    """Why nothing was judged, with what the tables lack all the same."""
    return replace(lack, reason=" ".join((lack.reason, *differences(evidence))))


def _turning_point(worst: Coverage, limit: float, unit: str) -> str:
    wrong, allowed = worst.missing.size + worst.shut.size, floor(limit * worst.expected)
    if wrong <= allowed:
        return f"It would fail with {allowed - wrong + 1:,} more; {worst.table} may differ in {allowed:,} {unit}s."
    return f"It would pass with {wrong - allowed:,} fewer; {worst.table} may differ in {allowed:,} {unit}s."


def named(calendar: str, frequency: Frequency) -> str:
    """The calendar in words."""
    return "the calendar" if frequency is not Frequency.DAILY else _NAMED.get(calendar, calendar)


def _said(one: Coverage, frequency: Frequency) -> str:
    own = named(one.calendar, frequency)
    if not one.missing.size and not one.shut.size:
        return f"{one.table} has every {frequency.unit} of {own} ({one.expected:,})."
    parts = [
        f"lacks {one.missing.size:,} of {one.expected:,} {frequency.unit}s of {own} ({_first(one.missing)})"
        if one.missing.size
        else "",
        f"has {one.shut.size:,} rows while it is shut ({_first(one.shut)})"
        if one.shut.size and frequency is Frequency.DAILY
        else "",
        f"has {one.shut.size:,} rows beyond the first of a {frequency.unit} ({_first(one.shut)})"
        if one.shut.size and frequency is not Frequency.DAILY
        else "",
    ]
    return f"{one.table} {' and '.join(filter(None, parts))}."


def _first(days: Days) -> str:
    shown = ", ".join(str(day) for day in days[:MOST_NAMED])
    return f"{shown} and {days.size - MOST_NAMED:,} more" if days.size > MOST_NAMED else shown
