"""The track record: the backtest's returns, if they can be judged, and their charts."""

from typing import Final

import numpy as np

from signoff.domain.charts import Chart, ChartLine, LinesChart, ReferenceLine, UnderwaterChart
from signoff.domain.evidence import Evidence, Floats, Returns
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.verdict import Lack
from signoff.domain.sampling import FEWEST, OF_A_YEAR, Sampling, coverage
from signoff.stats._special import stdtrit
from signoff.stats.performance import rolling_sharpe
from signoff.stats.returns import impossible, is_steady
from signoff.stats.sharpe import lo_standard_error, sharpe_error

_TWO_SIDED_95: Final = 1.959963984540054


def track_record(evidence: Evidence) -> Floats | Lack:
    """The returns, or why they cannot be judged: a model whose returns never vary was not run.

    Raises `InputError` if they cannot be returns.
    """
    returns = evidence.backtest.returns
    plausible_returns(returns, "backtest")
    if returns.size == 0:
        return Lack("The file `backtest` holds no returns; run the backtest and add its returns.")
    if np.isfinite(returns).all() and is_steady(returns):  # the statistic refuses broken values
        return Lack(
            f"All {returns.size:,} returns of the file `backtest` are equal to rounding ({returns[0]:g}), which no "
            "traded model produces; check how the file was made."
        )
    return returns


def less_than_a_year(evidence: Evidence) -> Lack | None:
    """That the record is too short for a gate; None if it is long enough.

    The error of an annual Sharpe ratio falls with the years of a record and hardly with its rows. So the minimum is a
    year: the usual number of rows, or a calendar year with nearly all of its sessions, and never fewer than 24 rows.
    """
    backtest, time = evidence.backtest, evidence.backtest.time
    rows = backtest.returns.size
    if rows >= time.year:
        return None
    covered = evidence.coverage[0] if evidence.coverage else coverage("backtest", backtest.dates, time, None)
    if rows >= FEWEST and covered.spans_a_year(rows):
        return None
    return Lack(
        f"The backtest has {time.counted(rows)}; at least {time.year} are needed ({time.year_words}), or a year of its "
        f"calendar with {OF_A_YEAR:.0%} of its {time.unit}s: it covers {covered.reach:,} days."
    )


def windowed(sessions: int, rows: int, time: Sampling) -> str:
    """A window that a policy gives in sessions, in words; in rows if a row is longer than a session."""
    if rows == sessions:
        return f"{sessions} sessions"
    return f"{time.counted(rows)} (the policy's {sessions} sessions)"


def track_charts(evidence: Evidence, new: str, old: str | None) -> tuple[Chart, ...]:
    """Rolling Sharpe ratios with their confidence bands, and the drawdown of each version."""
    versions = [(new, evidence.backtest, True)]
    if evidence.backtest_previous is not None:
        versions.append((old or "previous", evidence.backtest_previous, False))
    judged = [(label, returns, is_new) for label, returns, is_new in versions if _is_sound(returns.returns)]
    under_water = tuple(ChartLine(label, r.dates, r.returns, is_new) for label, r, is_new in judged)
    rolling = tuple(_rolling(label, r, is_new=is_new) for label, r, is_new in judged if r.dates.size > r.time.year)
    charts: list[Chart] = []
    if rolling:
        time = evidence.backtest.time
        charts.append(
            LinesChart(
                "rolling_sharpe",
                f"Sharpe ratio over the last {time.counted(time.year)} with its 95% band (Lo 2002, widened by the "
                "dependence, tails and skew that the whole record shows); windows overlap, so neighbouring points "
                "say almost the same.",
                rolling,
                ReferenceLine(0.0, "0"),
                "rolling Sharpe",
            )
        )
    if under_water:
        charts.append(
            UnderwaterChart("underwater", f"Distance below the highest equity before; {evidence.costs}.", under_water)
        )
    return tuple(charts)


def _rolling(label: str, returns: Returns, *, is_new: bool) -> ChartLine:
    time, window = returns.time, returns.time.year
    own = time.excess(returns.returns)
    sharpes = rolling_sharpe(own, window, periods=time.rows_a_year)
    error = np.sqrt((time.rows_a_year + sharpes**2 / 2) / window)
    half = _TWO_SIDED_95 * error * _widening(own)
    dates = returns.dates[window - 1 :]
    return ChartLine(label, dates, sharpes, is_new, sharpes - half, sharpes + half)


def _widening(returns: Floats) -> float:
    """The half width of the whole record's ratio over that of independent normal returns."""
    if is_steady(returns):
        return 1.0
    error = sharpe_error(returns)
    return (
        stdtrit(error.degrees or 1, 0.975)
        / _TWO_SIDED_95
        * error.standard_error
        / lo_standard_error(error.sharpe, error.n)
    )


def _is_sound(returns: Floats) -> bool:
    return returns.size > 0 and bool(np.isfinite(returns).all()) and impossible(returns) is None
