"""The uncertainty of figures beside the gates: standard error, half of the 95% interval, and the method in words.

Every interval allows for serial dependence, tails and skew of the record. `benchmarks/coverage_intervals.py` measures
their coverage.
"""

from math import hypot
from typing import Final

import numpy as np

from signoff.domain.evidence import Days, Floats, Returns
from signoff.domain.quantity import NORMAL_95, PLUS_MINUS, Quantity, Uncertainty, Unit, number
from signoff.stats._special import stdtr, stdtrit
from signoff.stats.clusters import clusters
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sharpe import AnnualSharpe, SharpeStandardError, annual_sharpe, sharpe_error

SIGNIFICANCE: Final = 0.01
MATERIAL: Final = 0.1
"""Autocorrelation is significant below this p-value, by chance in one record in a hundred. It matters if it moves the
annual ratio by more than this share."""


def annual_ratio(of: Returns) -> float:
    """The Sharpe ratio that the memo prints: Lo's if autocorrelation matters, else by √q.

    It is in excess of the declared rate, and q is the table's number of rows a year.
    """
    return _annual(of).value


def of_annual_sharpe(of: Returns) -> Uncertainty:
    """Of the ratio that the memo prints."""
    sharpe = _annual(of)
    return Uncertainty(standard_error=sharpe.standard_error, half_width=sharpe.half_width, method=sharpe.convention)


def _annual(of: Returns) -> AnnualSharpe:
    return annual_sharpe(
        of.time.excess(of.returns), periods=of.time.rows_a_year, significance=SIGNIFICANCE, material=MATERIAL
    )


def of_sharpe(returns: Floats, periods: float) -> Uncertainty:
    """Of a ratio annualised by the square root of the periods a year."""
    error = sharpe_error(returns, periods=periods)
    return Uncertainty(
        standard_error=error.annual_standard_error,
        half_width=_quantile(error) * error.annual_standard_error,
        method=error.convention,
    )


def of_difference(first: Floats, second: Floats, periods: float) -> tuple[Uncertainty, float]:
    """Of the difference of two ratios over disjoint rows, and its degrees of freedom (Welch and Satterthwaite)."""
    one, other = sharpe_error(first, periods=periods), sharpe_error(second, periods=periods)
    error = hypot(one.annual_standard_error, other.annual_standard_error)
    parts = sum(e.annual_standard_error**4 / (e.degrees or 1) for e in (one, other))
    degrees = error**4 / parts
    whole = Uncertainty(
        standard_error=error,
        half_width=stdtrit(degrees, 0.975) * error,
        method=f"{one.convention}; the two taken as independent, {degrees:.0f} degrees of freedom by Satterthwaite",
    )
    return whole, degrees


def upper_tail(returns: Floats) -> float:
    """The one-sided p-value of a Sharpe ratio that is not above zero."""
    error = sharpe_error(returns)
    return stdtr(error.degrees or 1, -error.sharpe / error.standard_error)


def of_mean(values: Floats, dates: Days) -> Uncertainty:
    """Of a mean over rows that depend on each other within a date and between neighbouring dates."""
    groups = clusters(values.size, dates)
    measured = groups.variance(groups.sums(values - values.mean()))
    if measured is None:
        error = float(values.std(ddof=1) / np.sqrt(values.size))
        return Uncertainty(
            standard_error=error,
            half_width=stdtrit(values.size - 1, 0.975) * error,
            method=f"Student's t; rows taken as independent, for they lie on {groups.dates} dates only",
        )
    scale = groups.dates / values.size
    return Uncertainty(
        standard_error=measured.standard_error * scale,
        half_width=measured.half_width() * scale,
        method=f"clustered by date ({groups.dates:,}), {measured.words}",
    )


def _quantile(error: SharpeStandardError) -> float:
    return NORMAL_95 if error.degrees is None else stdtrit(error.degrees, 0.975)


def sharpe_notes(label: str, returns: Returns) -> tuple[str, ...]:
    """What ± means for an annual Sharpe ratio, and whether the returns depend on their own past."""
    ratio = _estimated(returns)
    if ratio is None:
        return ()
    return (
        f"{label} Sharpe ratio: {PLUS_MINUS}, {ratio.convention.partition('interval, ')[2]}. {_autocorrelation(ratio)}",
    )


def autocorrelation_figures(returns: Returns) -> tuple[Quantity, ...]:
    """The first autocorrelation with the p-value for none, and the ratio by the square root of time."""
    sharpe = _estimated(returns)
    if sharpe is None or sharpe.scale.autocorrelation is None:
        return ()
    tested = sharpe.scale.autocorrelation
    return (
        Quantity(name="metrics.serial_dependence.first", value=tested.first, n=tested.n, source=tested.convention),
        Quantity(
            name="metrics.serial_dependence.p_value",
            value=tested.p_value,
            unit=Unit.PROBABILITY,
            n=tested.n,
            source=f"{tested.convention}, {_lags(tested.lags)}",
        ),
        Quantity(
            name="metrics.serial_dependence.ratio_by_square_root",
            value=sharpe.unscaled,
            n=sharpe.n,
            source="annualised as if returns were uncorrelated",
        ),
    )


def _autocorrelation(sharpe: AnnualSharpe) -> str:
    tested = sharpe.scale.autocorrelation
    if tested is None:
        return f"{sharpe.n} returns are too few to test for autocorrelation."
    text = (
        f"Autocorrelation of the returns {number(tested.first, Unit.RATIO)} at one lag, p "
        f"{number(tested.p_value, Unit.PROBABILITY)} (Escanciano and Lobato 2009, {_lags(tested.lags)})"
    )
    if sharpe.scale.by_lo is None:
        return f"{text}: not below {SIGNIFICANCE:g}, so the ratio is {sharpe.scale.convention}."
    if not sharpe.is_scaled:
        moved = number(sharpe.scale.by_lo / sharpe.scale.value - 1, Unit.PERCENT, 1)
        return (
            f"{text}: below {SIGNIFICANCE:g}, but Lo's (2002) scaling would move the ratio by {moved}% only, less than "
            f"{number(MATERIAL, Unit.PERCENT, 0)}%, so it is {sharpe.scale.convention}."
        )
    return (
        f"{text}: it matters (p < {SIGNIFICANCE:g}, and the ratio moves by more than "
        f"{number(MATERIAL, Unit.PERCENT, 0)}%), so the annual ratio is {sharpe.scale.convention}. By the square "
        f"root of time it would read {number(sharpe.unscaled, Unit.RATIO)}."
    )


def _lags(count: int) -> str:
    return "1 lag" if count == 1 else f"{count} lags"


def _estimated(returns: Returns) -> AnnualSharpe | None:
    try:
        return _annual(returns)
    except (InputError, InsufficientData):
        return None
