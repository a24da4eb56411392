"""The frequency and calendar of the evidence, checked against the dossier and against exchange calendars.

The dates give the frequency of a table. Its calendar is the declared one, else the policy's, else the exchange that
agrees best. Ambiguous dates, and dates that disagree with the dossier, are refused with the key that settles them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from math import atanh, sqrt
from pathlib import Path
from typing import Final

import numpy as np

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.bar_clocks import counted_bars
from signoff.adapters.evidence.filling import trials_without, without_rows
from signoff.domain.dossier import Dossier, EvidenceDeclaration
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence, Floats, Returns
from signoff.domain.filled import Filled, filled_holidays, quiet
from signoff.domain.frequency import Frequency
from signoff.domain.policy import GatePolicy, PhasePolicy
from signoff.domain.sampling import (
    A_YEAR,
    EVERY_DAY,
    WEEKDAYS,
    Coverage,
    Days,
    Sampling,
    Unclear,
    beside_another,
    coverage,
    inferred,
    wandering,
)

EXCHANGES: Final = ("XNYS", "XLON", "XFRA", "XPAR", "XTKS", "XHKG", "XSHG", "XTSE", "XASX", "XBOM", "XTAE", "XSAU")
"""Candidates if the dates follow neither every weekday nor the policy's exchange."""
FITS: Final = 0.005
NONE_SHUT: Final = 0.001
"""Shares of rows while an exchange is shut: up to these, the dates follow it even if they lack many sessions."""
ROWS: Final = 1.05
"""How far declared and counted rows a year may differ; they scale every Sharpe ratio."""
ROWS_OF_A_CALENDAR: Final = 1.01
"""The same for weeks, months and longer, whose number a year is the same everywhere."""
FEWEST_LAGGED: Final = 30
CERTAIN: Final = 4.0
"""Standard errors by which another lag must agree better: chance does that once in fifteen thousand."""
LEAST: Final = 0.1
MOST_LAG: Final = 5

_REST: Final = timedelta(days=14)
"""Longer than any market closure."""
_A_DAY: Final = date(2020, 1, 2)


def with_time(folder: Path, evidence: Evidence, dossier: Dossier, phases: PhasePolicy) -> Evidence:
    """The evidence with its frequency and calendar, or a refusal that says what to declare."""
    declared = dossier.evidence
    backtest = _timed(folder, evidence.backtest, declared)
    calendar = _calendar(folder, backtest, declared, phases)
    if declared.benchmark_calendar is not None:
        _known(folder, declared.benchmark_calendar, "benchmark_calendar")
    carried = _carried_on(backtest, calendar)
    backtest, trials = without_rows(backtest, carried), trials_without(evidence.trials, carried)
    backtest = _lagged(folder, _followed(backtest, calendar), declared)
    assert backtest.sampling is not None
    previous = evidence.backtest_previous
    if previous is not None:
        previous = _like(folder, previous, backtest, declared)
        previous = without_rows(previous, _carried_on(previous, calendar))
        _refuse_shifted(folder, backtest, previous)
    paper, stress = (
        None if one is None else _own_time(folder, one, backtest, declared, phases)
        for one in (evidence.paper_returns, evidence.stress)
    )
    judged = [one for one in (backtest, previous, paper) if one is not None]
    coverages = tuple(_held_whole(one, declared.benchmark_calendar) for one in judged)
    rivals = () if declared.calendar is not None else _rivals(backtest, coverages[0])
    return replace(
        evidence,
        backtest=replace(backtest, sampling=replace(backtest.sampling, rivals=rivals)),
        trials=trials,
        backtest_previous=previous,
        paper_returns=paper,
        stress=stress,
        coverage=coverages,
    )


def refuse_low_rate(folder: Path, declared: EvidenceDeclaration, gates: GatePolicy) -> None:
    """Refuse a risk-free rate below the policy's floor, since a low rate raises every Sharpe ratio."""
    rate, lowest = declared.risk_free_pct, gates.lowest_risk_free_pct
    if rate < lowest:
        raise BadInputError(
            f"{folder / 'dossier.yaml'}: evidence.risk_free_pct: expected a rate of at least {lowest:g}% a year, as "
            f"gates.lowest_risk_free_pct of the policy says, found {rate:g}%. Correct the key, or let two people "
            "change the policy. Nothing was written."
        )


def _own_time(
    folder: Path, table: Returns, backtest: Returns, declared: EvidenceDeclaration, phases: PhasePolicy
) -> Returns:
    """A table with its own frequency; it follows the backtest's calendar where both have the same frequency."""
    timed = _timed(folder, table, declared, is_own=True)
    is_alike = timed.time.frequency is backtest.time.frequency
    calendar = backtest.time.calendar if is_alike else _calendar(folder, timed, declared, phases)
    return _followed(without_rows(timed, _carried_on(timed, calendar)), calendar)


def _timed(folder: Path, table: Returns, declared: EvidenceDeclaration, *, is_own: bool = False) -> Returns:
    """The table with its frequency: the declared one, else the one that its dates show.

    A table of its own (`is_own`) may be daily where the backtest is not.
    """
    inferred_rate, where = inferred(table.dates, table.returns), folder / table.source.name
    asked = declared.frequency
    if isinstance(inferred_rate, Unclear):
        if asked is None or (asked is Frequency.DAILY and declared.rows_a_year is None and declared.calendar is None):
            raise _unclear(where, inferred_rate)
        years = (table.dates[-1] - table.dates[0]).astype(np.int64) / 365.25
        measured = declared.rows_a_year is not None and years > 0
        rows_a_year = float((table.dates.size - 1) / years) if measured else asked.rows_a_year
        inferred_rate = Sampling(frequency=asked, rows_a_year=rows_a_year)
    elif asked is not None and asked is not inferred_rate.frequency and table.dates.size > 1 and not is_own:
        raise BadInputError(
            f"{where}: expected {asked.value} rows, as evidence.frequency of dossier.yaml says, found "
            f"{inferred_rate.frequency.value} rows ({table.dates[0]}, {table.dates[1]}, …). Correct the key or the "
            "file. Nothing was written."
        )
    if (picked := wandering(table.dates, inferred_rate.frequency)) is not None:
        raise _unclear(where, picked)
    is_other = is_own and asked is not None and inferred_rate.frequency is not asked
    own = tuple(
        key
        for key in ("frequency", "rows_a_year", "calendar", "zone", "benchmark_lag")
        if getattr(declared, key) is not None and not (key in {"frequency", "rows_a_year"} and is_other)
    )
    read = table.sampling or Sampling()
    zone = declared.zone or read.zone
    unit = "" if declared.return_unit is None else declared.return_unit.value
    sampling = replace(
        inferred_rate,
        risk_free_pct=declared.risk_free_pct,
        zone=zone,
        declared=own,
        folded=read.folded,
        return_unit={"fraction": "fractions"}.get(unit, unit),
    )
    rows = declared.rows_a_year
    if rows is not None and not is_other:
        counted, how = _counted_rows_a_year(table, inferred_rate)
        allowed = ROWS if inferred_rate.frequency is Frequency.DAILY else ROWS_OF_A_CALENDAR
        if table.dates.size > 1 and rows != inferred_rate.rows_a_year and not 1 / allowed <= rows / counted <= allowed:
            raise BadInputError(
                f"{where}: expected {rows:g} rows a year, as evidence.rows_a_year of dossier.yaml says, found "
                f"{inferred_rate.frequency.value} rows, which are {counted:.0f} a year{how}. They may differ by "
                f"{allowed - 1:.0%}. Correct the key or the file. Nothing was written."
            )
        sampling = replace(sampling, rows_a_year=rows)
    return replace(table, sampling=sampling)


def _counted_rows_a_year(table: Returns, sampling: Sampling) -> tuple[float, str]:
    """The rows a year as counted from the dates; for less than a year, those of the frequency."""
    days = int((table.dates[-1] - table.dates[0]).astype(np.int64)) if table.dates.size else 0
    if days < A_YEAR - 14:
        return sampling.rows_a_year, ""
    return 365.25 * (table.dates.size - 1) / days, f" by their dates ({table.dates.size:,} rows over {days:,} days)"


def _unclear(where: Path, unclear: Unclear) -> BadInputError:
    remedy = unclear.remedy or (
        "Declare evidence.frequency, evidence.calendar and evidence.rows_a_year in dossier.yaml, or add a row "
        "for every session, with the return 0 where nothing was held."
    )
    return BadInputError(
        f"{where}: expected dates that are daily, weekly, monthly, quarterly or yearly, found {unclear.fault}. "
        f"{remedy} Nothing was written."
    )


def _followed(table: Returns, calendar: str) -> Returns:
    assert table.sampling is not None
    sampling = replace(table.sampling, calendar=calendar)
    if sampling.frequency is Frequency.DAILY and "rows_a_year" not in sampling.declared:
        sampling = replace(sampling, rows_a_year=365.0 if calendar == EVERY_DAY else Frequency.DAILY.rows_a_year)
    return replace(table, sampling=sampling)


def _like(folder: Path, table: Returns, backtest: Returns, declared: EvidenceDeclaration) -> Returns:
    """The previous version's table, which is compared with the backtest row by row."""
    assert backtest.sampling is not None
    timed = _timed(folder, table, replace(declared, frequency=None, rows_a_year=None))
    assert timed.sampling is not None
    if timed.sampling.frequency is not backtest.sampling.frequency and min(table.dates.size, backtest.dates.size) > 1:
        raise BadInputError(
            f"{folder / table.source.name}: expected {backtest.sampling.frequency.value} rows, as in "
            f"{backtest.source.name}, found {timed.sampling.frequency.value} ones: not comparable. Export both for the "
            "same rows."
        )
    return replace(table, sampling=backtest.sampling)


def _calendar(folder: Path, backtest: Returns, declared: EvidenceDeclaration, phases: PhasePolicy) -> str:
    """The calendar of the daily rows: the declared one, else the policy's, else the best match."""
    sampling = backtest.sampling
    assert sampling is not None
    every_day = sampling.frequency is Frequency.DAILY and sampling.is_every_day
    if (asked := declared.calendar) is not None:
        _known(folder, asked)
        if sampling.frequency is Frequency.DAILY and backtest.dates.size > 1 and every_day != (asked == EVERY_DAY):
            days = "every day of the week" if every_day else "no rows at weekends"
            raise BadInputError(
                f"{folder / backtest.source.name}: expected days of {asked}, as evidence.calendar of dossier.yaml "
                f"says, found {days}. Correct the key or the file. Nothing was written."
            )
        return asked
    if sampling.frequency is not Frequency.DAILY or every_day:
        return sampling.calendar
    return _best_calendar(backtest, phases.calendar)


def _best_calendar(table: Returns, own: str) -> str:
    """Every weekday if none is missing, else the exchange that agrees best; a tie goes to `own`.

    Weekends do not count if Fridays occur, since no exchange trades on both.
    """
    is_weekday, has_benchmark = np.is_busday(table.dates), table.benchmark is not None
    friday = int(((table.dates.astype(np.int64) + 3) % 7 == 4).sum())
    keep = is_weekday if friday else np.ones(table.dates.size, dtype=np.bool_)
    table = replace(
        table, dates=table.dates[keep], returns=table.returns[keep], benchmark=None, turnover=None, cost=None
    )
    best = _held(table, WEEKDAYS)
    if best.share == 0 and not quiet(table.returns).any():
        return WEEKDAYS
    followed: list[Coverage] = []
    for name in dict.fromkeys((own, *EXCHANGES)):
        if name in {EVERY_DAY, WEEKDAYS}:
            continue
        try:
            carried = _carried_on(table, name)
            coverage_of = _held(without_rows(table, carried), name)
        except BadInputError:
            continue
        if best.calendar == WEEKDAYS and best.share == 0 and not carried.rows.any():
            continue
        if coverage_of.share == 0 or (name == own and coverage_of.shut.size <= FITS * coverage_of.expected):
            return name
        if coverage_of.shut.size <= NONE_SHUT * coverage_of.expected:
            followed.append(coverage_of)
        best = min(best, coverage_of, key=lambda one: one.share)
    if followed:
        return min(followed, key=lambda one: one.share).calendar
    two = "" if not has_benchmark or best.share == 0 else _of_two(table.dates, table, own)
    return two or best.calendar


def _rivals(table: Returns, chosen: Coverage) -> tuple[str, ...]:
    """The exchanges that explain the dates as well as the chosen one, if it leaves some unexplained.

    Each row is a session of a rival, and it lacks no more rows than the chosen one, or both lack many. A second market
    beside the chosen one is a rival too: the dates do not show which of the two is the book's.
    """
    own = _held(table, chosen.calendar)
    if chosen.frequency is not Frequency.DAILY or chosen.calendar in {"", EVERY_DAY, WEEKDAYS} or not own.share:
        return ()
    rivals = [chosen.beside] if chosen.beside else []
    for name, days in _candidates(table):
        lacks = np.setdiff1d(days, table.dates).size
        is_followed = np.setdiff1d(table.dates, days).size <= NONE_SHUT * days.size
        both_lack = min(lacks, own.missing.size) > FITS * days.size
        if name != chosen.calendar and is_followed and (lacks <= own.missing.size or both_lack):
            rivals.append(name)
    return tuple(dict.fromkeys(rivals))


def _carried_on(table: Returns, calendar: str) -> Filled:
    """The rows of a daily table on holidays of an exchange over which prices were carried on."""
    if table.time.frequency is not Frequency.DAILY or not table.dates.size or calendar in {"", EVERY_DAY, WEEKDAYS}:
        return Filled(np.zeros(table.returns.size, dtype=np.bool_), ())
    return filled_holidays(table.dates, table.returns, calendar, _sessions(calendar, table))


def _known(folder: Path, calendar: str, key: str = "calendar") -> None:
    if calendar in {EVERY_DAY, WEEKDAYS}:
        return
    try:
        ExchangeCalendar().days(calendar, _A_DAY, _A_DAY)
    except BadInputError as error:
        problem = str(error).removeprefix("phases.calendar: ")
        raise BadInputError(f"{folder / 'dossier.yaml'}: evidence.{key}: {problem} Nothing was written.") from error


def _held(table: Returns, calendar: str) -> Coverage:
    sampling, own = table.time, replace(table.time, calendar=calendar)
    is_of_exchange = calendar not in {"", EVERY_DAY, WEEKDAYS}
    if sampling.frequency is not Frequency.DAILY or table.dates.size == 0 or not is_of_exchange:
        return coverage(table.source.name, table.dates, own, None)
    first, last = table.period
    wide = ExchangeCalendar().days(calendar, first - _REST, last + _REST)
    named = np.array(wide, dtype="datetime64[D]")
    before, after = named[named < table.dates[0]], named[named > table.dates[-1]]
    covered = coverage(table.source.name, table.dates, own, named[before.size : named.size - after.size])
    if not before.size or not after.size:
        return covered
    return replace(covered, reach=int((after[0] - before[-1]).astype(np.int64)) - 1)


def _held_whole(table: Returns, of_benchmark: str | None) -> Coverage:
    """The coverage of a table with its bars, beside the market of its benchmark."""
    calendar = table.time.calendar
    covered = _held(table, calendar)
    if table.time.frequency is not Frequency.DAILY:
        return covered
    return replace(_beside_benchmark(table, covered, of_benchmark), bars=counted_bars(table, calendar))


def _beside_benchmark(table: Returns, covered: Coverage, declared: str | None) -> Coverage:
    """Days with one of two markets open are no fault if the other market is declared or evident."""
    is_whole = not covered.missing.size and not covered.shut.size
    if is_whole or table.benchmark is None or covered.calendar in {"", EVERY_DAY, WEEKDAYS}:
        return covered
    own = _sessions(covered.calendar, table)
    others = _candidates(table) if declared is None else ((declared, _sessions(declared, table)),)
    for name, days in others:
        of_both = beside_another(covered, own, days, name, is_declared=declared is not None)
        if of_both is not None:
            return of_both
    return covered


def _sessions(calendar: str, table: Returns) -> Days:
    if calendar in {EVERY_DAY, WEEKDAYS}:
        days = np.arange(table.dates[0], table.dates[-1] + 1)
        return days if calendar == EVERY_DAY else days[np.is_busday(days)]
    return np.array(ExchangeCalendar().days(calendar, *table.period), dtype="datetime64[D]")


def _candidates(table: Returns, *first: str) -> Iterator[tuple[str, Days]]:
    """The candidate exchanges and their sessions; calendars that do not cover the table are skipped."""
    for name in dict.fromkeys((*first, *EXCHANGES)):
        if name in {EVERY_DAY, WEEKDAYS}:
            continue
        try:
            yield name, _sessions(name, table)
        except BadInputError:
            continue


def _of_two(dates: Days, table: Returns, own: str) -> str:
    """The first of two exchanges whose joint sessions are the dates; "" without such a pair."""
    sessions = dict(_candidates(table, own))
    for name, days in sessions.items():
        for other in sessions.values():
            if np.setxor1d(np.union1d(days, other), dates).size <= NONE_SHUT * dates.size:
                return name
    return ""


def _lagged(folder: Path, backtest: Returns, declared: EvidenceDeclaration) -> Returns:
    """The backtest with the lag of its benchmark; refused if another lag agrees better."""
    assert backtest.sampling is not None
    lag = declared.benchmark_lag or 0
    if backtest.benchmark is None:
        if declared.benchmark_lag:
            raise BadInputError(
                f"{folder / backtest.source.name}: expected a column benchmark, since evidence.benchmark_lag of "
                f"dossier.yaml is {lag}, found none. Add the column or remove the key. Nothing was written."
            )
        return backtest
    better = _better_lag(backtest.returns, backtest.benchmark, lag)
    if better is not None:
        at, correlation, own = better
        reason = (
            f"as evidence.benchmark_lag of dossier.yaml says ({lag})"
            if declared.benchmark_lag is not None
            else "as no evidence.benchmark_lag is declared"
        )
        raise BadInputError(
            f"{folder / backtest.source.name}: expected returns that agree best with the benchmark {_rows(lag)}, "
            f"{reason}, found a correlation of {own:.2f} there and of {correlation:.2f} {_rows(at)}. If the "
            f"benchmark's session truly is another one (a book in Tokyo and the index of New York), write "
            f"benchmark_lag: {at} under evidence of dossier.yaml; else shift the column. Nothing was written."
        )
    return replace(backtest, sampling=replace(backtest.sampling, lag=lag))


def _rows(lag: int) -> str:
    if lag == 0:
        return "of the same row"
    return f"{abs(lag)} row{'s' if abs(lag) > 1 else ''} {'earlier' if lag > 0 else 'later'}"


def _refuse_shifted(folder: Path, new: Returns, old: Returns) -> None:
    """Refuse a previous version whose returns agree better when moved by a row."""
    _, at_new, at_old = np.intersect1d(new.dates, old.dates, return_indices=True)
    better = _better_lag(new.returns[at_new], old.returns[at_old], 0, most=1)
    if better is None:
        return
    at, correlation, own = better
    raise BadInputError(
        f"{folder / old.source.name}: expected returns that agree best with those of {new.source.name} of the same "
        f"row, found a correlation of {own:.2f} there and of {correlation:.2f} with its returns {_rows(at)}. One of "
        "the two tables is shifted by a row: label both by the day on which the return was made, and export them "
        "again. Nothing was written."
    )


def _better_lag(own: Floats, other: Floats, lag: int, *, most: int = MOST_LAG) -> tuple[int, float, float] | None:
    """The lag within `most` rows at which two series agree better beyond chance: (lag, there, at `lag`).

    The absolute rank correlation counts, from .1 on, since a book may be short of its benchmark. The difference is
    Fisher's, in standard errors of independent rows.
    """
    correlations = {at: _correlation(own, other, at) for at in range(-most, most + 1)}
    base = correlations.get(lag, 0.0)
    n = min(own.size, other.size) - most
    if n < FEWEST_LAGGED:
        return None
    best = max((at for at in correlations if at != lag), key=lambda at: abs(correlations[at]))
    error = sqrt(2 / (n - 3))
    best_size, here = abs(correlations[best]), abs(base)
    if best_size > max(here, LEAST) and (_fisher(best_size) - _fisher(here)) / error > CERTAIN:
        return best, correlations[best], base
    return None


def _fisher(correlation: float) -> float:
    return atanh(max(-0.999999, min(0.999999, correlation)))


def _correlation(own: Floats, other: Floats, lag: int) -> float:
    """The rank correlation of the own returns with the other's `lag` rows before."""
    size = own.size - abs(lag)
    if size < FEWEST_LAGGED:
        return 0.0
    first = _ranks(own[max(lag, 0) : max(lag, 0) + size])
    second = _ranks(other[max(-lag, 0) : max(-lag, 0) + size])
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    """Ranks with ties averaged, so that a few extreme days do not decide the lag."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    ranks: Floats = (upto - (counts - 1) / 2)[place]
    return ranks
