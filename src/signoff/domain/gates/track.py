"""The track record: the backtest's returns, where there is something in them to judge, and pictures of them."""

from typing import Final

import numpy as np

from signoff.domain.charts import Chart, Line, LinesChart, Reference, UnderwaterChart
from signoff.domain.evidence import Evidence, Floats, Returns
from signoff.domain.gates.plausible import plausible_returns
from signoff.domain.gates.verdict import Lack
from signoff.stats._special import stdtrit
from signoff.stats.performance import rolling_sharpe
from signoff.stats.sample import is_constant
from signoff.stats.sharpe import lo_standard_error, sharpe_error

ROLLING_SESSIONS: Final = 252
SESSIONS_A_YEAR: Final = 252
_TWO_SIDED_95: Final = 1.959963984540054


def track_record(evidence: Evidence) -> Floats | Lack:
    """The daily returns, or why they say nothing: a model whose returns never vary was not run.

    Raises `InputError` where they cannot be returns.
    """
    returns = evidence.backtest.returns
    plausible_returns(returns, "backtest")
    if returns.size == 0:
        return Lack("The file `backtest` holds no returns; run the backtest and add its daily returns.")
    if np.isfinite(returns).all() and is_constant(returns):  # a broken value is for the statistic to refuse
        return Lack(
            f"All {returns.size:,} returns of the file `backtest` are equal ({returns[0]:g}), which no traded model "
            "produces; check how the file was made."
        )
    return returns


def track_charts(evidence: Evidence, new: str, old: str | None) -> tuple[Chart, ...]:
    """Rolling Sharpe ratios with their confidence bands, and how far under water each version was."""
    versions = [(new, evidence.backtest, True)]
    if evidence.backtest_previous is not None:
        versions.append((old or "previous", evidence.backtest_previous, False))
    judged = [(label, returns, is_new) for label, returns, is_new in versions if _is_sound(returns.returns)]
    under_water = tuple(Line(label, r.dates, r.returns, is_new) for label, r, is_new in judged)
    rolling = tuple(_rolling(label, r, is_new=is_new) for label, r, is_new in judged if r.dates.size > ROLLING_SESSIONS)
    charts: list[Chart] = []
    if rolling:
        charts.append(
            LinesChart(
                "rolling_sharpe",
                f"Sharpe ratio over the last {ROLLING_SESSIONS} sessions with its 95% band (Lo 2002, widened by the "
                "dependence, tails and skew that the whole record shows); windows overlap, so neighbouring points "
                "say almost the same.",
                rolling,
                Reference(0.0, "0"),
                "rolling Sharpe",
            )
        )
    if under_water:
        charts.append(
            UnderwaterChart("underwater", "Distance below the highest equity before, net of costs.", under_water)
        )
    return tuple(charts)


def _rolling(label: str, returns: Returns, *, is_new: bool) -> Line:
    sharpes = rolling_sharpe(returns.returns, ROLLING_SESSIONS)
    error = np.sqrt((SESSIONS_A_YEAR + sharpes**2 / 2) / ROLLING_SESSIONS)
    half = _TWO_SIDED_95 * error * _widening(returns.returns)
    dates = returns.dates[ROLLING_SESSIONS - 1 :]
    return Line(label, dates, sharpes, is_new, sharpes - half, sharpes + half)


def _widening(returns: Floats) -> float:
    """The half width of the whole record's ratio over that of independent normal returns."""
    if is_constant(returns):
        return 1.0
    found = sharpe_error(returns)
    return (
        stdtrit(found.degrees or 1, 0.975)
        / _TWO_SIDED_95
        * found.standard_error
        / lo_standard_error(found.sharpe, found.n)
    )


def _is_sound(returns: Floats) -> bool:
    return returns.size > 0 and bool(np.isfinite(returns).all()) and bool((returns > -1).all())
