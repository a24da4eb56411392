"""Whether each table of returns has a row for every session of the calendar, and no row while the market is shut.

Only the calendar shows that a record lacks its worst days; the remaining rows do not.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import floor
from typing import Final

import numpy as np

from signoff.domain.bars import BarCount
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.finding import Comparison, Finding
from signoff.domain.frequency import Frequency
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.track import less_than_a_year, track_record
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.domain.sampling import EVERY_DAY, WEEKDAYS, Coverage, Days, coverage
from signoff.stats.sample import vector

MOST_NAMED: Final = 5
_METHOD_OF_BARS: Final = "; bars that a day lacks of those usual on its weekday count as parts of a day"
_NAMED: Final = {"": "every weekday", WEEKDAYS: "every weekday (24/5)", EVERY_DAY: "every day (24/7)"}


SESSIONS: Final = GateDefinition(
    key="sessions",
    title="Sessions of the Calendar",
    asks="Does the record lack sessions, or have rows while the market is shut?",
    formula="(sessions that are missing + rows while the market is shut) / sessions that the calendar names",
    paper="none; it is a count",
    needs="the returns with their dates; --calendar where the dates follow no calendar that is known",
    names=r"(?:missing|absent) sessions|calendar (?:gate|check)s?",
    shown=(
        ("missing", "{} missing"),
        ("while_shut", "{} while shut"),
        ("expected", "of {}"),
        ("bars_missing", "{} bars missing"),
        ("short_days", "{} short days"),
    ),
)


def calendar_sessions(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The share of sessions missing, or present while the market is shut, in the worst table."""
    gate, time = policy.gates.sessions, evidence.backtest.time
    rule = Rule(
        key=SESSIONS.key,
        title=SESSIONS.title,
        comparison=Comparison.AT_MOST,
        threshold=gate.limit_pct / 100,
        unit=Unit.PERCENT,
        digits=2,
        is_blocking=gate.blocking,
        near_miss_pct=0.0,
        method=f"{time.unit}s of {named(time.calendar, time.frequency)} that a table lacks, and rows while it is shut, "
        "of those named from its first row to its last" + _METHOD_OF_BARS * any(one.bars for one in evidence.coverage),
    )

    def measure() -> GateMeasurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return _beside(returns, evidence)
        if (lack := less_than_a_year(evidence)) is not None:
            return _beside(lack, evidence)
        vector(returns, "backtest")
        tables = _tables(evidence)
        if (loose := next((one for one in tables if one.bars and not one.bars.keeps_a_clock), None)) is not None:
            return Lack(
                f"The rows within days of {loose.table} keep no clock: too few times of the day recur, so whether bars "
                "are missing is unknown. Give bars at fixed times of the day, or one return a day."
            )
        worst = max(tables, key=lambda one: one.share)
        return GateMeasurement(
            value=worst.share,
            n=worst.expected,
            source=", ".join(one.table for one in tables),
            convention="the worst table counts",
            explanation=" ".join(_words(one) for one in tables),
            figures=tuple(_figures(worst)),
            objections=()
            if worst.share <= gate.limit_pct / 100
            else (
                f"Add the rows that {worst.table} lacks and remove those while it is shut; if it follows another "
                "calendar, name it in the dossier as evidence.calendar.",
            ),
            turning_point=_turning_point(worst, gate.limit_pct / 100),
        )

    return guarded(rule, measure)


def _figures(worst: Coverage) -> Iterator[Quantity]:
    yield count("gates.sessions.expected", worst.expected)
    yield count("gates.sessions.missing", worst.missing.size)
    yield count("gates.sessions.while_shut", worst.shut.size)
    if (bars := worst.bars) is not None:
        yield count("gates.sessions.bars_expected", bars.expected)
        yield count("gates.sessions.bars_missing", bars.missing)
        yield count("gates.sessions.short_days", len(bars.short))


def differences(evidence: Evidence) -> tuple[str, ...]:
    """Each table with rows missing, or present while the market is shut: their number and the first dates."""
    return tuple(
        _words(one) for one in _tables(evidence) if one.missing.size or one.shut.size or (one.bars and one.bars.short)
    )


def at_their_worst(evidence: Evidence, returns: Floats) -> Floats | None:
    """The record with its worst return on every missing session; None if no session is missing."""
    missing = _tables(evidence)[0].missing.size
    if not missing or not returns.size:
        return None
    return np.concatenate([returns, np.full(missing, returns.min())])


def hangs_on_missing(evidence: Evidence, worst: float, effect: str) -> str:
    """Why a pass is inconclusive: it would fail with the `worst` return on the missing sessions."""
    table = _tables(evidence)[0]
    own = named(table.calendar, table.frequency)
    return (
        f"The verdict hangs on the {table.missing.size:,} of {table.expected:,} {table.frequency.unit}s of {own} that "
        f"{table.table} lacks ({_first(table.missing)}): had each carried the "
        f"worst return of the record ({number(worst, Unit.PERCENT, 2)}%), {effect}. Add their rows."
    )


def _tables(evidence: Evidence) -> tuple[Coverage, ...]:
    backtest = evidence.backtest
    return evidence.coverage or (coverage("backtest", backtest.dates, backtest.time, None),)


def _beside(lack: Lack, evidence: Evidence) -> Lack:
    """Why nothing was judged, with the rows that the tables lack."""
    return replace(lack, reason=" ".join((lack.reason, *differences(evidence))))


def _turning_point(worst: Coverage, limit: float) -> str:
    """By how many rows the verdict holds; by how many bars if only bars are missing."""
    wrong, of, unit = worst.missing.size + worst.shut.size, worst.expected, worst.frequency.unit
    if worst.bars is not None and not wrong:
        wrong, of, unit = worst.bars.missing, worst.bars.expected, "bar"
    elif worst.bars is not None:
        limit = max(0.0, limit - worst.bars.share)
    allowed = floor(limit * of)
    if wrong <= allowed:
        return f"It would fail with {allowed - wrong + 1:,} more; {worst.table} may differ in {allowed:,} {unit}s."
    return f"It would pass with {wrong - allowed:,} fewer; {worst.table} may differ in {allowed:,} {unit}s."


def named(calendar: str, frequency: Frequency) -> str:
    """The calendar in words."""
    return "the calendar" if frequency is not Frequency.DAILY else _NAMED.get(calendar, calendar)


def _words(one: Coverage) -> str:
    frequency, own = one.frequency, named(one.calendar, one.frequency)
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
    facts = " and ".join(filter(None, parts)) or f"has every {frequency.unit} of {own} ({one.expected:,})"
    return " ".join(filter(None, (f"{one.table} {facts}.", _of_both(one), _of_bars(one.bars))))


def _of_both(one: Coverage) -> str:
    if one.one_open is None:
        return ""
    return (
        f"{one.one_open.size:,} days on which only one of {one.calendar} and {one.beside}, the market of its "
        f"benchmark, is open are no fault ({_first(one.one_open)})."
    )


def _of_bars(bars: BarCount | None) -> str:
    if bars is None:
        return ""
    usual = f"Its days usually have {bars.usual:,} bar{'s' * (bars.usual != 1)}"
    blind = f" A single missing bar of {bars.loose:,} early closes is not counted." if bars.loose else ""
    if not bars.short:
        return f"{usual}, and none has fewer than are usual on it ({bars.expected:,} bars).{blind}"
    shown = ", ".join(f"{one.day} has {one.bars:,} of {one.usual:,}" for one in bars.short[:MOST_NAMED])
    rest = f" and {len(bars.short) - MOST_NAMED:,} more days" if len(bars.short) > MOST_NAMED else ""
    return (
        f"{usual}; {len(bars.short):,} days are short and lack {bars.missing:,} of {bars.expected:,} bars "
        f"({shown}{rest}).{blind}"
    )


def _first(days: Days) -> str:
    shown = ", ".join(str(day) for day in days[:MOST_NAMED])
    return f"{shown} and {days.size - MOST_NAMED:,} more" if days.size > MOST_NAMED else shown
