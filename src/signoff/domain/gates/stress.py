"""Section 3.3: the model, and the portfolio it holds today, inside named market crises.

A window counts only if the data cover all of it. Otherwise its figures are not provided, and the note says where the
data begin or end: a crisis outside the data is unknown, never survived. Windows outside the backtest come in the file
`stress`; they count if the registered version's run made them, else they are declared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.assessment import StressRow
from signoff.domain.dossier import StressWindow
from signoff.domain.evidence import AssetReturns, Days, Evidence, Floats, Positions, Returns, Symbols
from signoff.domain.frequency import Frequency
from signoff.domain.gates.figures import absent, figure
from signoff.domain.quantity import Quantity, Unit, number
from signoff.domain.sampling import Sampling, inferred, row_spans
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import max_drawdown, sharpe_ratio

MIN_SHARPE_SESSIONS: Final = 10
MIN_COVERED_WEIGHT: Final = 0.95
_MIN_SHARE_OF_WEEKDAYS: Final = 0.9
NOT_RUN: Final = "no run of the registered version made it"


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
    Window("rates_2022", "2022 rise of interest rates", date(2022, 1, 3), date(2022, 10, 12)),
)


@dataclass(frozen=True, slots=True, eq=False)
class HeldWeights:
    """The weights last held: (K,) symbols without repetition, and their shares of capital."""

    day: date
    symbols: Symbols
    weights: Floats
    source: str


@dataclass(frozen=True, slots=True)
class HeldThrough:
    """The result of a book held through a window."""

    total: Quantity
    drawdown: Quantity
    note: str


def stress_rows(evidence: Evidence, own: tuple[StressWindow, ...] = ()) -> tuple[StressRow, ...]:
    """Every window of the catalogue and of the dossier, covered or not."""
    named = (Window(f"own_{n}", w.title, w.start, w.end) for n, w in enumerate(own, start=1))
    book = _last_book(evidence.positions)
    return tuple(_row(window, evidence, book) for window in (*WINDOWS, *named))


def _row(window: Window, evidence: Evidence, book: HeldWeights | None) -> StressRow:
    returns, gap = _covering(window, evidence)
    inside = _inside(returns.dates, window, returns.time)

    def measured(name: str, statistic: Callable[[Floats], float], values: Floats | None, unit: Unit) -> Quantity:
        name = f"stress.{window.key}.{name}"
        if gap:
            return absent(name, gap, unit=unit)
        if values is None:
            return absent(name, f"{returns.source.name} has no benchmark column", unit=unit)
        chosen = values[inside]
        return figure(name, lambda: statistic(chosen), unit=unit, n=chosen.size, source=returns.source.name)

    portfolio = _portfolio(window, book, evidence.asset_returns)
    is_again = returns is not evidence.backtest and not gap
    caveat = window.caveat if returns.time.frequency is Frequency.DAILY else ""
    again = f"By the registered version's run ({returns.source.name})." if is_again else ""
    return StressRow(
        title=window.title,
        start=window.start,
        end=window.end,
        sharpe=measured("sharpe", partial(_sharpe, time=returns.time), returns.returns, Unit.RATIO),
        max_drawdown=measured("max_drawdown", max_drawdown, returns.returns, Unit.PERCENT),
        total_return=measured("total_return", compounded, returns.returns, Unit.PERCENT),
        benchmark_return=measured("benchmark_return", compounded, returns.benchmark, Unit.PERCENT),
        portfolio_return=portfolio.total,
        portfolio_drawdown=portfolio.drawdown,
        note=" ".join(filter(None, (gap, again, _whole_periods(returns, inside, gap), portfolio.note, caveat))),
    )


def _covering(window: Window, evidence: Evidence) -> tuple[Returns, str]:
    """The returns that cover the window, the backtest's first, and what is missing if none do."""
    gap = _gap(window, evidence.backtest.dates, evidence.backtest.time)
    if not gap or evidence.stress is None or _gap(window, evidence.stress.dates, evidence.stress.time):
        return evidence.backtest, gap
    if not _is_of_the_version(evidence):
        return evidence.backtest, f"{gap} {evidence.stress.source.name} is declared: {NOT_RUN}."
    return evidence.stress, ""


def _is_of_the_version(evidence: Evidence) -> bool:
    """Whether the registered version's own run made the windows' returns, according to the tracker."""
    ids = next((table.ids for table in evidence.tracked if table.name == "stress"), ())
    return evidence.candidate is not None and ids == (evidence.candidate.run_id,)


def _inside(dates: Days, window: Window, time: Sampling) -> NDArray[np.bool_]:
    """The rows of a window: its days, or every week (month, …) that it touches."""
    first, last = row_spans(dates, time.frequency, dates)
    inside: NDArray[np.bool_] = (last >= np.datetime64(window.start)) & (first <= np.datetime64(window.end))
    return inside


def _whole_periods(returns: Returns, inside: NDArray[np.bool_], gap: str) -> str:
    """The weeks (months, …) that cover the window; "" if rows are days."""
    time = returns.time
    if gap or time.frequency is Frequency.DAILY or not inside.any():
        return ""
    first, last = row_spans(returns.dates[inside], time.frequency, returns.dates)
    return f"The whole {time.unit}s that the window touches: {time.counted(first.size)}, {first[0]} to {last[-1]}."


def _gap(window: Window, dates: Days, time: Sampling) -> str:
    """Why the data do not cover the window, or ""; a window of daily rows is cut to its weekdays."""
    if time.frequency is not Frequency.DAILY:
        return _gap_of_periods(window, dates, time)
    first = np.busday_offset(window.start, 0, roll="forward")
    last = np.busday_offset(window.end, 0, roll="backward")
    weekdays = int(np.busday_count(window.start, window.end + timedelta(days=1)))
    if weekdays <= 0:
        return "Not covered: the window holds no weekday."
    if dates[-1] < last:
        return f"Not covered: the data end on {dates[-1]}."
    if dates[0] > first:
        return f"Not covered: the data begin on {dates[0]}."
    sessions = int(_inside(dates, window, time).sum())
    if sessions < _MIN_SHARE_OF_WEEKDAYS * weekdays:
        return f"Not covered: the data have {sessions} of the window's {weekdays} weekdays."
    return ""


def _gap_of_periods(window: Window, dates: Days, time: Sampling) -> str:
    """Why rows of weeks (months, …) do not cover the window; a crisis within one row is invisible."""
    edges = np.array([window.start, window.end], dtype="datetime64[D]")
    first, last = row_spans(edges, time.frequency, dates)
    own_first, own_last = row_spans(dates[[0, -1]], time.frequency, dates)
    days, of_a_row = (window.end - window.start).days + 1, int((last - first).astype(np.int64).min()) + 1
    if days < of_a_row:
        return f"Not covered: the window of {days} day{'s' * (days > 1)} is shorter than a {time.unit}."
    if own_last[-1] < last[-1]:
        return f"Not covered: the data end on {dates[-1]}."
    if own_first[0] > first[0]:
        return f"Not covered: the data begin on {dates[0]}."
    within = np.arange(first[0], last[-1] + 1)
    touched = np.unique(row_spans(within, time.frequency, dates)[1]).size
    rows = int(_inside(dates, window, time).sum())
    if rows < touched:
        return f"Not covered: the data have {rows} of the {touched} {time.unit}s that the window touches."
    return ""


def _last_book(positions: Positions | None) -> HeldWeights | None:
    if positions is None or positions.dates.size == 0:
        return None
    last = positions.dates == positions.dates.max()
    rows = last & (positions.weight != 0)
    return HeldWeights(
        positions.dates.max().item(), positions.symbols[rows], positions.weight[rows], f"{positions.source.name}"
    )


def _portfolio(window: Window, book: HeldWeights | None, assets: AssetReturns | None) -> HeldThrough:
    """The book bought before the window and held through it; the rest of the capital is cash.

    Symbols without a return on every session of the window are left out; without a figure if they are more than 5% of
    the gross weight.
    """
    names = (f"stress.{window.key}.portfolio_return", f"stress.{window.key}.portfolio_drawdown")

    def nothing(reason: str, note: str = "") -> HeldThrough:
        total, drawdown = (absent(name, reason, unit=Unit.PERCENT) for name in names)
        return HeldThrough(total, drawdown, note)

    if book is None or book.weights.size == 0:
        return nothing("no positions were given")
    if assets is None:
        return nothing("no asset_returns were given")
    paths = _paths(window, book, assets)
    if isinstance(paths, str):
        return nothing(paths)
    gross = float(np.abs(book.weights).sum())
    covered = float(np.abs(book.weights[paths.is_held]).sum()) / gross
    if covered < MIN_COVERED_WEIGHT:
        missing = ", ".join(sorted(book.symbols[~paths.is_held].tolist())[:5])
        reason = (
            f"{number(covered, Unit.PERCENT, 0)}% of the gross weight has returns in the window (without {missing})"
        )
        return nothing(reason, f"Portfolio not provided: {reason}.")
    worth = 1 + (paths.growth - 1) @ book.weights[paths.is_held]
    steps = np.diff(worth, prepend=1.0) / np.concatenate(([1.0], worth[:-1]))
    source = f"{book.source} of {book.day} over {assets.source.name}"
    total, drawdown = (
        figure(name, compute, unit=Unit.PERCENT, n=worth.size, source=source)
        for name, compute in zip(names, (lambda: float(worth[-1] - 1), lambda: max_drawdown(steps)), strict=True)
    )
    left_out = f"Portfolio: {number(covered, Unit.PERCENT, 1)}% of its gross weight." if covered < 1 else ""
    return HeldThrough(total, drawdown, left_out)


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """(sessions, held) growth of 1 in each symbol that has every session, and which of the book's symbols those are."""

    growth: Floats
    is_held: NDArray[np.bool_]


def _paths(window: Window, book: HeldWeights, assets: AssetReturns) -> Paths | str:
    """The symbols' paths through the window, or why they are missing."""
    dates = np.unique(assets.dates)
    read = inferred(dates)
    time = read if isinstance(read, Sampling) else Sampling()
    days = dates[_inside(dates, window, time)]
    rows = np.isin(assets.dates, days)
    if days.size == 0 or _gap(window, dates, time):
        return f"{assets.source.name} does not cover the window"
    growths, is_held = [], np.zeros(book.symbols.size, dtype=np.bool_)
    for place, symbol in enumerate(book.symbols):
        own = rows & (assets.symbols == symbol)
        if int(own.sum()) == days.size:
            growths.append(np.cumprod(1 + assets.returns[own]))
            is_held[place] = True
    if not growths:
        return f"{assets.source.name} has no symbol of the book on every session of the window"
    return Paths(np.column_stack(growths), is_held)


def _sharpe(returns: Floats, time: Sampling) -> float:
    if returns.size < MIN_SHARPE_SESSIONS:
        raise InsufficientData(
            f"{time.counted(returns.size)} are too few for a Sharpe ratio; {MIN_SHARPE_SESSIONS} needed"
        )
    return sharpe_ratio(time.excess(returns), periods=time.rows_a_year)


def compounded(returns: Floats) -> float:
    """The total of simple returns."""
    return float(np.prod(1 + returns) - 1)
