"""Metrics of daily returns: Sharpe ratios, value-at-risk exceptions, market volatility, the lead on the champion.

A figure needs a whole window. A row that is duplicated, missing or not a number makes every figure unknown whose window
contains it; rows before the window do not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats
from signoff.domain.monitoring.measurement import DailyReturns, Measurement
from signoff.domain.monitoring.readings import NOT_YET, Figure, as_date, newest, some, too_few
from signoff.domain.monitoring.usual import MIN_SESSIONS, range_of
from signoff.domain.policy import Policy
from signoff.domain.profiles import Range
from signoff.domain.thresholds import LiveThreshold, Sign, ThresholdKind
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.performance import sharpe_ratio
from signoff.stats.returns import as_lived
from signoff.stats.sequential import MIN_OBSERVATIONS as PAIRS
from signoff.stats.sequential import mean_difference_sequence

BETA_SESSIONS: Final = 250
VAR_SESSIONS: Final = 500
VAR_PAST: Final = 100
VOLATILITY_SESSIONS: Final = 30
# Without a past to compare with: more than 100% in a session is damage.
GREATEST_RETURN: Final = 1.0
# A return is relative to the median size of this many before it, and compared with at least a hundred others.
SIZE_SESSIONS: Final = 60
STORM_SESSIONS: Final = 5
FORTY_YEARS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VarException:
    """A loss beyond the value at risk, and whether the market explains it."""

    is_exception: bool
    is_attributed: bool
    value_at_risk: float
    residual_value_at_risk: float


def rolling_sharpe(returns: Floats, window: int, periods: float = 252.0) -> float | None:
    """The annualised Sharpe ratio of the last `window` sessions, None if it does not exist."""
    tail = returns[-window:]
    if tail.size < window or not np.isfinite(tail).all() or float(np.std(tail)) == 0.0:
        return None
    try:
        with as_lived():
            return float(sharpe_ratio(tail, periods=periods))
    except InsufficientData:  # equal returns, whose deviation is rounding
        return None


def var_exception(returns: Floats, benchmark: Floats, level: float) -> VarException | None:
    """Whether the last return is beyond the value at risk forecast from the sessions before it.

    The loss is attributed to the model if its residual after beta times the benchmark is also beyond the value at risk
    of such residuals; otherwise the market explains it. None with fewer than 100 earlier sessions, or if one of them is
    not finite.
    """
    if returns.size <= VAR_PAST or benchmark.size != returns.size:
        return None
    past, today = returns[:-1][-VAR_SESSIONS:], float(returns[-1])
    if not (np.isfinite(returns[-VAR_SESSIONS - 1 :]).all() and np.isfinite(benchmark[-BETA_SESSIONS - 1 :]).all()):
        return None
    market = benchmark[:-1][-BETA_SESSIONS:]
    own = returns[:-1][-BETA_SESSIONS:]
    variance = float(np.var(market, ddof=1))
    beta = float(np.cov(own, market, ddof=1)[0, 1]) / variance if variance > 0 else 0.0
    limit = float(np.quantile(past, 1 - level))
    residual_limit = float(np.quantile(own - beta * market, 1 - level))
    is_exception = today < limit
    residual = today - beta * float(benchmark[-1])
    return VarException(
        is_exception=is_exception,
        is_attributed=is_exception and residual < residual_limit,
        value_at_risk=limit,
        residual_value_at_risk=residual_limit,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """The release's returns in order of their days, and which of them are impossible.

    An implausible gain becomes NaN, since it would hide every loss around it. An implausible loss stays a loss of at
    most 100%: it makes figures unknown and silences no trigger. An implausible return of the benchmark becomes NaN.
    """

    measured: Measurement
    dates: Days
    returns: Floats
    benchmark: Floats
    odd: Mapping[int, str] = field(default_factory=dict)
    odd_market: Mapping[int, str] = field(default_factory=dict)
    rate: float = 0.0

    @classmethod
    def of(cls, measured: Measurement, rate: float = 0.0) -> "Track":
        """History and live returns as one series; `rate` is the risk-free return of a session."""
        tables = (measured.history, measured.live)
        dates = np.concatenate([table.dates for table in tables])
        order = np.argsort(dates, kind="stable")
        returns = np.concatenate([table.returns for table in tables])[order]
        benchmark = np.concatenate([_benchmark(table) for table in tables])[order]
        past = int((dates < np.datetime64(measured.live_since, "D")).sum())
        odd, odd_market = implausible(returns, past), implausible(benchmark, past)
        gains = [row for row in odd if returns[row] > 0]
        return cls(
            measured=measured,
            dates=dates[order],
            returns=np.maximum(_blanked(returns, gains), -GREATEST_RETURN),
            benchmark=_blanked(benchmark, list(odd_market)),
            rate=rate,
            odd=odd,
            odd_market=odd_market,
        )

    @property
    def is_of_session(self) -> bool:
        """Whether the session itself has a return."""
        return bool(self.dates.size and self.dates[-1] == np.datetime64(self.measured.session, "D"))

    @property
    def n_lived(self) -> int:
        """How many rows are of the rollout."""
        return int((self.dates >= np.datetime64(self.measured.live_since, "D")).sum())

    @property
    def newest(self) -> date | None:
        """The day of the newest return."""
        return newest(self.dates)

    @cached_property
    def missing(self) -> Days:
        """Expected lived sessions without a finite return."""
        dates = self.dates[np.isfinite(self.returns)]
        expected = self.measured.expected
        return expected[~np.isin(expected, dates)]

    @cached_property
    def doubled(self) -> Days:
        """Duplicated days."""
        days, counts = np.unique(self.dates, return_counts=True)
        return np.asarray(days[counts > 1], dtype="datetime64[D]")

    def known(self, beside: Floats | None = None) -> tuple[Days, Floats, Floats]:
        """Days, returns and benchmark of the finite rows, here and in `beside`; of duplicates the worst."""
        finite = np.isfinite(self.returns) & (np.isfinite(beside) if beside is not None else True)
        dates, returns, benchmark = self.dates[finite], self.returns[finite], self.benchmark[finite]
        order = np.lexsort((returns, dates))
        _, first = np.unique(dates[order], return_index=True)
        rows = order[first]
        return dates[rows], returns[rows], benchmark[rows]

    def flaw(self, n: int, *, end: int | None = None, values: Floats | None = None, needed: int | None = None) -> str:
        """Why a figure over the `n` rows up to `end` is unknown; "" if it is known."""
        end = self.dates.size if end is None else end
        first = max(0, end - n)
        if end - first < (n if needed is None else needed):
            return too_few(end - first, n if needed is None else needed)
        if end == self.dates.size and not self.is_of_session:
            return f"stale: the newest return is of {as_date(self.dates[-1])}"
        if broken := self._broken(first, end, self.returns if values is None else values):
            return broken
        begun, over = self.dates[first], self.dates[end - 1]
        if (twice := self.doubled[(self.doubled >= begun) & (self.doubled <= over)]).size:
            return f"{as_date(twice[0])} occurs more than once"
        if (gone := self.missing[(self.missing >= begun) & (self.missing <= over)]).size:
            return f"the return of {as_date(gone[0])} is missing"
        return ""

    def _broken(self, first: int, end: int, values: Floats) -> str:
        """The first of these rows that is not finite or impossible; "" if all are sound."""
        what, odd = ("return", self.odd) if values is self.returns else ("benchmark", self.odd_market)
        if (strange := next((row for row in odd if first <= row < end), None)) is not None:
            return f"the {what} of {as_date(self.dates[strange])} is implausible: {odd[strange]}"
        broken = np.flatnonzero(~np.isfinite(values[first:end]))
        return f"the {what} of {as_date(self.dates[first + broken[0]])} is no number" if broken.size else ""

    def figure(self, value: float | None, n: int, why: str) -> Figure:
        """A figure over the last `n` rows."""
        return self.aged(Figure(value=value, n=min(n, self.dates.size), needed=n, as_of=self.newest, why=why))

    def aged(self, figure: Figure) -> Figure:
        """The figure, young if only time is missing: each lived session has its return, and the window is longer."""
        if figure.n is None or figure.needed is None or self.missing.size or not self.is_of_session:
            return figure
        waits = figure.n < figure.needed and figure.because == too_few(figure.n, figure.needed)
        return replace(figure, is_young=waits and self.measured.expected.size < figure.needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """The certain value-at-risk exceptions of the trigger's window, and why the count may be incomplete."""

    exceptions: int
    attributed: int
    why: str


def var_exceptions(track: Track, policy: Policy) -> Exceptions:
    """Exceptions within the trigger's window of live sessions."""
    dates, returns, benchmark = track.known(track.benchmark)
    days = np.unique(track.dates[track.dates.size - track.n_lived :])[-policy.triggers.var.window_days :]
    judged, why = [], "" if days.size else "no session was lived yet"
    for day in days[::-1]:
        raw, end = (int(np.searchsorted(each, day, side="right")) for each in (track.dates, dates))
        why = (
            why
            or track.flaw(VAR_SESSIONS + 1, end=raw, needed=VAR_PAST + 1)
            or track.flaw(BETA_SESSIONS + 1, end=raw, values=track.benchmark, needed=1)
        )
        if end and dates[end - 1] == day:
            judged.append(var_exception(returns[:end], benchmark[:end], policy.gates.var.level))
    return Exceptions(
        exceptions=sum(x is not None and x.is_exception for x in judged),
        attributed=sum(x is not None and x.is_attributed for x in judged),
        why=why,
    )


def sharpe_floor(policy: Policy) -> LiveThreshold:
    """The Sharpe ratio below which a session counts for the trigger."""
    return LiveThreshold(
        key="rolling_sharpe_30d", kind=ThresholdKind.TRIGGER, sign=Sign.BELOW, value=policy.triggers.sharpe.below
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LowSharpeStreak:
    """The number of sessions in a row with a known Sharpe ratio below the floor, and why others are unknown."""

    days: int
    why: str


def days_below(track: Track, policy: Policy) -> LowSharpeStreak:
    """The number of sessions in a row in which the lived window's Sharpe ratio was below the trigger's floor.

    Sessions with too few lived ones before them do not count.
    """
    trigger, since = policy.triggers.sharpe, np.datetime64(track.measured.live_since, "D")
    dates, returns, _ = track.known()
    lived = np.unique(track.dates[track.dates >= since])
    floor = sharpe_floor(policy)
    first = int(np.searchsorted(dates, since))
    judged, why = max(0, lived.size - trigger.minimum_days + 1), ""
    for back in range(judged):
        day = lived[lived.size - back - 1]
        n, end = min(trigger.window_days, lived.size - back), int(np.searchsorted(dates, day, side="right"))
        why = why or track.flaw(n, end=int(np.searchsorted(track.dates, day, side="right")))
        window = returns[first:end][-n:]
        value = rolling_sharpe(window - track.rate, window.size, policy.phases.sessions_a_year) if window.size else None
        if value is None:
            return LowSharpeStreak(days=back, why=why or f"the {n} returns up to {as_date(day)} do not vary")
        if not floor.holds(value):
            return LowSharpeStreak(days=back, why=why)
    return LowSharpeStreak(days=judged, why=why)


def daily_return(track: Track) -> Figure:
    """The return of the session."""
    return track.figure(float(track.returns[-1]) if track.returns.size else None, 1, track.flaw(1))


def sharpe(track: Track, policy: Policy, window: int | None = None) -> Figure:
    """The rolling Sharpe ratio over so many sessions, before the rollout too; else over the trigger's window."""
    window = policy.triggers.sharpe.window_days if window is None else window
    value = rolling_sharpe(track.returns - track.rate, window, policy.phases.sessions_a_year)
    why = track.flaw(window) or ("" if value is not None else f"the {window} returns do not vary")
    return track.figure(value, window, why)


def below(track: Track, policy: Policy) -> Figure:
    """The number of sessions in a row with the lived window's Sharpe ratio below the floor, as a certain bound."""
    run, needed, n = days_below(track, policy), policy.triggers.sharpe.minimum_days, track.n_lived
    why = run.why or ("" if track.is_of_session else track.flaw(1))
    detail = "" if n >= needed else f"the trigger judges from {needed} lived sessions on"
    figure = Figure(value=run.days, n=n, needed=needed, as_of=track.newest, why=why, detail=detail, sure=run.days)
    return track.aged(figure)


def exceptions(track: Track, counted: Exceptions, count: int) -> Figure:
    """A count of value-at-risk exceptions, as a certain bound."""
    n = min(track.dates.size, VAR_SESSIONS + 1)
    figure = Figure(value=count, n=n, needed=VAR_PAST + 1, as_of=track.newest, why=counted.why, sure=count)
    return track.aged(figure)


def volatility(track: Track, policy: Policy) -> Figure:
    """The annualised volatility of the benchmark in percent."""
    window = track.benchmark[-VOLATILITY_SESSIONS:]
    why = track.flaw(VOLATILITY_SESSIONS, values=track.benchmark)
    value = None if why else float(np.std(window, ddof=1) * np.sqrt(policy.phases.sessions_a_year) * 100)
    return track.figure(value, VOLATILITY_SESSIONS, why)


def missing(track: Track) -> Figure:
    """The number of lived sessions without a return."""
    days = [str(day) for day in track.missing]
    n = track.measured.expected.size
    detail = f"of {n} lived sessions without a return: {some(days)}" if days else ""
    return Figure(value=len(days), n=n, as_of=track.newest, detail=detail)


def too_large(track: Track) -> Figure:
    """The number of impossible returns."""
    texts = [f"return of {as_date(track.dates[row])}: {why}" for row, why in track.odd.items()]
    texts += [f"benchmark of {as_date(track.dates[row])}: {why}" for row, why in track.odd_market.items()]
    n = track.dates.size
    why = f"no return is on record: {too_few(0, 1)}" if not n else ""
    if not texts and (gone := track.missing).size:
        why = f"the return of {as_date(gone[0])} is missing"
    return track.aged(Figure(value=len(texts), n=n, needed=1, as_of=track.newest, why=why, detail=some(texts)))


def implausible(values: Floats, past: int = 0) -> dict[int, str]:
    """The rows of a series of daily returns that are impossible, and why.

    A return's size is relative to the median of the sixty before it, or of the last five in a storm. At least a hundred
    `past` rows show the usual size, or else all rows before the last month. A size far above the largest is damage,
    such as percent for fractions.
    """
    size, unit = np.abs(values), np.fmax(_unit(values, SIZE_SESSIONS, MIN_SESSIONS), _unit(values, STORM_SESSIONS, 3))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = size / unit
    usual = next(
        (
            range_of(shown)
            for shown in (ratio[:past], ratio[:-VOLATILITY_SESSIONS])
            if np.isfinite(shown).sum() >= VAR_PAST
        ),
        None,
    )
    faults: dict[int, str] = {}
    for row in np.flatnonzero(np.isfinite(size)):
        shown = f"{100 * values[row]:.4g}%".replace("-", "−")
        if usual is None or not np.isfinite(ratio[row]):
            if size[row] > GREATEST_RETURN:
                faults[int(row)] = f"{shown} in a session is more than everything"
        elif ratio[row] > _largest(usual):
            seen = f"at most {usual.most:.3g} times in {usual.n:,} sessions"
            faults[int(row)] = f"{shown} is {ratio[row]:.3g} times the usual size, {seen}"
    return faults


def _largest(usual: Range) -> float:
    """The largest usual size: that of forty years by the cubic law of tails, and as far again above the median."""
    most = usual.most * float(max(1.0, FORTY_YEARS / usual.n) ** (1 / 3))
    return most + (most - usual.median)


def _unit(values: Floats, sessions: int, needed: int) -> Floats:
    """The median size of the moves in so many sessions before each row, NaN with fewer than needed."""
    size = np.where(np.isfinite(values) & (values != 0.0), np.abs(values), np.nan)
    padded = np.concatenate([np.full(sessions, np.nan), size])[:-1] if size.size else size
    if not size.size:
        return size
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, sessions), axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    middle = ordered[np.arange(size.size), np.maximum(count - 1, 0) // 2]
    return np.asarray(np.where(count >= needed, middle, np.nan), dtype=np.float64)


def _blanked(values: Floats, rows: list[int]) -> Floats:
    blank = values.astype(np.float64, copy=True)
    blank[rows] = np.nan
    return blank


def _benchmark(table: DailyReturns) -> Floats:
    return np.full(table.dates.size, np.nan) if table.benchmark is None else table.benchmark


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """The returns of candidate and champion on their shared lived sessions, and why they cannot be compared."""

    dates: Days
    own: Floats
    other: Floats
    why: str


def _pairs(track: Track, champion: DailyReturns) -> _Pairs:
    lived = track.dates >= np.datetime64(track.measured.live_since, "D")
    mine, index_mine = np.unique(track.dates[lived], return_index=True)
    others, index_others = np.unique(champion.dates, return_index=True)
    dates, first, second = np.intersect1d(mine, others, assume_unique=True, return_indices=True)
    own = track.returns[lived][index_mine[first]]
    other = _blanked(champion.returns, list(implausible(champion.returns)))[index_others[second]]
    return _Pairs(dates=dates, own=own, other=other, why=_objection(track, champion, dates, mine, own, other))


def _objection(
    track: Track, champion: DailyReturns, dates: Days, mine: NDArray[np.datetime64], own: Floats, other: Floats
) -> str:
    if not dates.size:
        return "the champion has no return of a lived session"
    days, counts = np.unique(champion.dates, return_counts=True)
    twice = np.concatenate([days[counts > 1], track.doubled])
    if np.isin(dates, twice).any():
        return f"{as_date(dates[np.isin(dates, twice)][0])} occurs more than once"
    broken = np.flatnonzero(~(np.isfinite(own) & np.isfinite(other)))
    if broken.size:
        return f"a return of {as_date(dates[broken[0]])} is no number"
    between = mine[(mine >= dates[0]) & (mine <= dates[-1])]
    if (alone := between[~np.isin(between, dates)]).size:
        return f"the champion's return of {as_date(alone[0])} is missing"
    return ""


def less_champion(track: Track) -> Figure:
    """Candidate less champion in basis points a day, by a confidence sequence, which is valid on every day.

    It appears once there are enough sessions, and ends with the champion's last return. A sequence below zero blocks an
    advance; it never rolls back, since the memo prints no such trigger.
    """
    champion = track.measured.champion
    if champion is None or track.n_lived < PAIRS:
        return NOT_YET
    pairs = _pairs(track, champion)
    figure = Figure(n=int(pairs.dates.size), needed=PAIRS, as_of=newest(pairs.dates), why=pairs.why)
    if pairs.why or pairs.dates.size < PAIRS:
        return track.aged(figure)
    try:
        result = mean_difference_sequence(pairs.own, pairs.other)
    except (InputError, InsufficientData) as error:
        return replace(figure, why=str(error))
    low, high = (f"{1e4 * bound:+.1f}".replace("-", "−") for bound in (result.lower, result.upper))
    return replace(
        figure,
        value=1e4 * result.estimate,
        is_critical=result.upper < 0,
        detail=f"95% confidence sequence {low} to {high} bps a day after {result.n} sessions, widened by their "
        "autocorrelation (94% where they are as skewed as an option seller's)",
    )
