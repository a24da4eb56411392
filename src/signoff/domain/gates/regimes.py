"""Section 3.3: the model in rising and falling, calm and volatile markets.

A session is classified by the benchmark up to the evening before: its return over the last 200 sessions (bull above
zero), and its volatility over the last 60 against the median of all such volatilities until then. The desk could have
named each regime in time.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.assessment import RegimeContrast, RegimeRow
from signoff.domain.evidence import Floats, Returns
from signoff.domain.gates.figures import absent, figure
from signoff.domain.gates.uncertainty import of_difference, of_sharpe, upper_tail
from signoff.domain.quantity import Quantity, Unit
from signoff.domain.sampling import Sampling
from signoff.stats._special import stdtr
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import annualized_return, sharpe_ratio

TREND_SESSIONS: Final = 200
VOLATILITY_SESSIONS: Final = 60
MIN_SESSIONS: Final = 60
MIN_ROWS: Final = 24
NO_BENCHMARK: Final = "the backtest has no benchmark column to tell regimes by"

Mask = NDArray[np.bool_]


def regime_rows(backtest: Returns) -> tuple[RegimeRow, ...]:
    """Bull, bear, high and low volatility; not provided if the backtest has no benchmark."""
    return tuple(_row(key, title, backtest, inside) for key, title, inside in _regimes(backtest))


def regime_contrasts(backtest: Returns) -> tuple[RegimeContrast, RegimeContrast]:
    """Bull less bear, and high less low volatility.

    One significant regime beside another that is not says nothing about their difference, so the difference is tested.
    The two Sharpe ratios are of disjoint sessions and taken as independent, each with its HAC standard error; the
    p-value is two-sided.
    """
    inside = {key: mask for key, _, mask in _regimes(backtest)}
    return (
        _contrast("trend", "Bull less bear market", backtest, inside["bull"], inside["bear"]),
        _contrast(
            "volatility", "High less low volatility", backtest, inside["high_volatility"], inside["low_volatility"]
        ),
    )


def _contrast(key: str, title: str, backtest: Returns, one: Mask | None, other: Mask | None) -> RegimeContrast:
    names = (f"regimes.{key}_contrast.difference", f"regimes.{key}_contrast.p_value")
    if one is None or other is None:
        return RegimeContrast(
            title=title,
            difference=absent(names[0], NO_BENCHMARK),
            p_value=absent(names[1], NO_BENCHMARK, unit=Unit.PROBABILITY),
        )
    time, periods = backtest.time, backtest.time.rows_a_year
    first, second = time.excess(backtest.returns[one]), time.excess(backtest.returns[other])

    def difference() -> float:
        return sharpe_ratio(_enough(first, time), periods=periods) - sharpe_ratio(
            _enough(second, time), periods=periods
        )

    def p_value() -> float:
        error, degrees = of_difference(first, second, periods)
        return 2 * stdtr(degrees, -abs(difference()) / error.standard_error)

    n, source = first.size + second.size, f"{backtest.source.name}; independent regimes, HAC standard errors"
    return RegimeContrast(
        title=title,
        difference=figure(
            names[0], difference, n=n, source=source, uncertainty=lambda: of_difference(first, second, periods)[0]
        ),
        p_value=figure(
            names[1],
            p_value,
            unit=Unit.PROBABILITY,
            n=n,
            source=f"{source}, two-sided",
        ),
    )


def _regimes(backtest: Returns) -> Iterator[tuple[str, str, Mask | None]]:
    benchmark, time = backtest.benchmark, backtest.time
    sessions, fewest = time.rows(TREND_SESSIONS), time.rows(VOLATILITY_SESSIONS, fewest=MIN_ROWS)
    trend = None if benchmark is None else _known_before(trailing_trend(benchmark, sessions), time.lag)
    nervous = None if benchmark is None else _known_before(relative_volatility(benchmark, fewest), time.lag)
    yield "bull", "Bull market", None if trend is None else trend > 0
    yield "bear", "Bear market", None if trend is None else trend <= 0
    yield "high_volatility", "High volatility", None if nervous is None else nervous > 0
    yield "low_volatility", "Low volatility", None if nervous is None else nervous <= 0


def _known_before(figure_of: Floats, lag: int) -> Floats:
    """The figure of each row before its row of the benchmark; NaN if the benchmark lacks it."""
    if lag == 0:
        return figure_of
    moved = np.full(figure_of.size, np.nan)
    if abs(lag) < figure_of.size:
        moved[max(lag, 0) : figure_of.size + min(lag, 0)] = figure_of[max(-lag, 0) : figure_of.size - max(lag, 0)]
    return moved


def trailing_trend(benchmark: Floats, sessions: int = TREND_SESSIONS) -> Floats:
    """The log return of the 200 sessions before each session; NaN until there are that many."""
    trend = np.full(benchmark.size, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.concatenate(([0.0], np.cumsum(np.log1p(benchmark))))
    trend[sessions:] = level[sessions:-1] - level[: -sessions - 1]
    return trend


def relative_volatility(benchmark: Floats, sessions: int = VOLATILITY_SESSIONS) -> Floats:
    """The volatility of the 60 sessions before each session less the median of all such so far; NaN at first."""
    excess = np.full(benchmark.size, np.nan)
    seen: list[float] = []
    if benchmark.size <= sessions:
        return excess
    trailing = np.lib.stride_tricks.sliding_window_view(benchmark[:-1], sessions).std(axis=1, ddof=1)
    for row, volatility in enumerate(trailing.tolist(), start=sessions):
        insort(seen, volatility)
        excess[row] = volatility - _median(seen)
    return excess


def _median(ordered: list[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _row(key: str, title: str, backtest: Returns, inside: Mask | None) -> RegimeRow:
    name = f"regimes.{key}"
    if inside is None:
        reason = NO_BENCHMARK
        return RegimeRow(
            title=title,
            days=0,
            sharpe=absent(f"{name}.sharpe", reason),
            annual_return=absent(f"{name}.annual_return", reason, unit=Unit.PERCENT),
            p_value=absent(f"{name}.p_value", reason, unit=Unit.PROBABILITY),
        )
    returns, time = backtest.returns[inside], backtest.time
    own, periods = time.excess(returns), time.rows_a_year
    return RegimeRow(
        title=title,
        days=returns.size,
        sharpe=figure(
            f"{name}.sharpe",
            lambda: sharpe_ratio(_enough(own, time), periods=periods),
            n=returns.size,
            source=backtest.source.name,
            uncertainty=lambda: of_sharpe(own, periods),
        ),
        annual_return=figure(
            f"{name}.annual_return",
            lambda: annualized_return(_enough(returns, time), periods=periods),
            unit=Unit.PERCENT,
            n=returns.size,
            source=backtest.source.name,
        ),
        p_value=_p_value(f"{name}.p_value", own, backtest),
    )


def _p_value(name: str, returns: Floats, backtest: Returns) -> Quantity:
    """One-sided, for a mean return that is not above zero: the Sharpe ratio over its HAC standard error."""
    return figure(
        name,
        lambda: upper_tail(_enough(returns, backtest.time)),
        unit=Unit.PROBABILITY,
        n=returns.size,
        source=backtest.source.name,
    )


def _enough(returns: Floats, time: Sampling) -> Floats:
    needed = time.rows(MIN_SESSIONS, fewest=MIN_ROWS)
    if returns.size < needed:
        raise InsufficientData(f"{time.counted(returns.size)} in this regime; at least {needed} are needed")
    return returns
