"""Section 3.3: the backtest inside named market crises.

A window counts only when the backtest covers all of it. Otherwise its figures are not provided, and the note says
where the data begin or end: a crisis outside the data is unknown, never survived.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from signoff.domain.assessment import StressRow
from signoff.domain.evidence import Days, Floats, Returns
from signoff.domain.gates.figures import absent, figure
from signoff.domain.quantity import Quantity, Unit
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import max_drawdown, sharpe_ratio

MIN_SHARPE_SESSIONS: Final = 10
_MIN_SHARE_OF_WEEKDAYS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Window:
    """A crisis by its first and last session."""

    key: str
    title: str
    start: date
    end: date
    caveat: str = ""


_CLOSE_ONLY: Final = "Daily returns run from close to close and cannot show the fall and recovery within the day."

WINDOWS: Final = (
    Window("crisis_2008", "2008 financial crisis", date(2007, 10, 9), date(2009, 3, 9)),
    Window("covid_2020", "2020 COVID crash", date(2020, 2, 19), date(2020, 3, 23)),
    Window("flash_crash_day", "Flash crash, 6 May 2010", date(2010, 5, 6), date(2010, 5, 6), _CLOSE_ONLY),
    Window("flash_crash_week", "Flash crash, the days around it", date(2010, 5, 3), date(2010, 5, 10), _CLOSE_ONLY),
    Window("august_2015", "August 2015 sell-off", date(2015, 8, 18), date(2015, 8, 25)),
    Window("february_2018", "February 2018 volatility shock", date(2018, 1, 26), date(2018, 2, 8)),
)


def stress_rows(backtest: Returns) -> tuple[StressRow, ...]:
    """Every window of the catalogue, covered or not."""
    return tuple(_row(window, backtest) for window in WINDOWS)


def _row(window: Window, backtest: Returns) -> StressRow:
    inside = (backtest.dates >= np.datetime64(window.start)) & (backtest.dates <= np.datetime64(window.end))
    gap = _gap(window, backtest.dates, int(inside.sum()))

    def measured(name: str, statistic: Callable[[Floats], float], returns: Floats | None, unit: Unit) -> Quantity:
        name = f"stress.{window.key}.{name}"
        if gap:
            return absent(name, gap, unit=unit)
        if returns is None:
            return absent(name, "the backtest has no benchmark column", unit=unit)
        values = returns[inside]
        return figure(name, lambda: statistic(values), unit=unit, n=values.size, source=backtest.source.name)

    return StressRow(
        title=window.title,
        start=window.start,
        end=window.end,
        sharpe=measured("sharpe", _sharpe, backtest.returns, Unit.RATIO),
        max_drawdown=measured("max_drawdown", max_drawdown, backtest.returns, Unit.PERCENT),
        total_return=measured("total_return", compounded, backtest.returns, Unit.PERCENT),
        benchmark_return=measured("benchmark_return", compounded, backtest.benchmark, Unit.PERCENT),
        note=" ".join(filter(None, (gap, window.caveat))),
    )


def _gap(window: Window, dates: Days, sessions: int) -> str:
    """Why the backtest does not cover the window, or nothing."""
    if dates[-1] < np.datetime64(window.end):
        return f"Not covered: the data end on {dates[-1]}."
    if dates[0] > np.datetime64(window.start):
        return f"Not covered: the data begin on {dates[0]}."
    weekdays = int(np.busday_count(window.start, window.end + timedelta(days=1)))
    if sessions < _MIN_SHARE_OF_WEEKDAYS * weekdays:
        return f"Not covered: the data have {sessions} of the window's {weekdays} weekdays."
    return ""


def _sharpe(returns: Floats) -> float:
    if returns.size < MIN_SHARPE_SESSIONS:
        raise InsufficientData(f"{returns.size} sessions are too few for a Sharpe ratio; {MIN_SHARPE_SESSIONS} needed")
    return sharpe_ratio(returns)


def compounded(returns: Floats) -> float:
    """The total return of a stretch of simple returns."""
    return float(np.prod(1 + returns) - 1)
