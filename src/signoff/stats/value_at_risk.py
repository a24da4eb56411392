"""Value at risk and expected shortfall, as returns: −0.02 says that 2% or more is lost one time in twenty.

Three estimates of the same quantile, and the forecasts out of sample that `coverage` tests. A higher (less negative)
figure is less risk.

The shortfall beyond it has one convention for every method: the mean of the method's own distribution at or below the
method's own quantile. A normal quantile goes with a normal tail, a filtered one with the filtered returns.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.returns import simple_returns
from signoff.stats.sample import Flags, Floats, confidence_level, one_of, unit_scaled, varying, whole
from signoff.stats.shown import Shown

EWMA_DECAY: Final = 0.94
CONVENTIONS: Final = {
    "historical": "empirical quantile of the returns, interpolated linearly between order statistics "
    "(Hyndman and Fan 1996, type 7)",
    "parametric": "normal quantile, mean + z × standard deviation (ddof = 1)",
    "filtered_historical": "next period's EWMA volatility (decay 0.94, zero mean, started at the sample's mean square) "
    "× the type 7 quantile of returns over their EWMA volatility (Hull and White 1998)",
}

SHORTFALL_CONVENTION: Final = "mean of the method's own distribution at or below its own VaR"
SHORTFALLS: Final = {
    "historical": "mean of the returns at or below it",
    "parametric": "mean − φ(z)/(1 − level) × standard deviation, the tail mean of that normal distribution",
    "filtered_historical": "next period's volatility × the mean of the filtered returns at or below their quantile",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ValueAtRisk(Shown):
    """`value` is a return per period, below zero for a loss."""

    value: float
    n: int
    level: float
    method: str
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConditionalValueAtRisk(Shown):
    """`value` is the mean of the method's distribution at or below `value_at_risk`.

    `exceedances` counts the returns there, or the filtered returns if the method filters.
    """

    value: float
    value_at_risk: float
    exceedances: int
    n: int
    level: float
    method: str
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RollingValueAtRisk(Shown):
    """One forecast for each period that has a full window before it: entry i is about return `window` + i."""

    forecasts: Floats
    is_exception: Flags
    exceptions: int
    n: int
    window: int
    level: float
    method: str
    convention: str


def value_at_risk(returns: ArrayLike, *, level: float = 0.95, method: str = "historical") -> ValueAtRisk:
    """The (1 − level) quantile of the return distribution: a return per period, not a positive loss.

    Parameters
    ----------
    returns : (T,) simple returns per period, oldest first.
    level : confidence, 0.95 for the worst day in twenty.
    method : "historical", "parametric" or "filtered_historical"; `CONVENTIONS` says what each does.

    Raises
    ------
    InputError
        NaN, infinite or misshapen input, an unknown method, a level outside 0.5 to 1.
    InsufficientData
        Not one return expected beyond the quantile (T (1 − level) < 1), or constant returns.
    """
    sample = _sample(returns, level, method)
    return ValueAtRisk(
        value=_estimate(sample, level, method),
        n=sample.size,
        level=level,
        method=method,
        convention=CONVENTIONS[method],
    )


def conditional_value_at_risk(
    returns: ArrayLike, *, level: float = 0.95, method: str = "historical"
) -> ConditionalValueAtRisk:
    """Expected shortfall: the mean at or below the value at risk, of the distribution that `method` takes returns from.

    Takes and refuses what `value_at_risk` does.

    Notes
    -----
    "historical" is the mean of the returns at or below their quantile; "parametric" is μ − σ φ(z)/(1 − level), the
    normal one; "filtered_historical" is next period's volatility times the mean of the filtered returns at or below
    their own quantile (Barone-Adesi, Giannopoulos and Vosper 1999).
    """
    sample = _sample(returns, level, method)
    threshold = _estimate(sample, level, method)
    value, exceedances = _shortfall(sample, level, method)
    return ConditionalValueAtRisk(
        value=value,
        value_at_risk=threshold,
        exceedances=exceedances,
        n=sample.size,
        level=level,
        method=method,
        convention=f"{SHORTFALL_CONVENTION}: {SHORTFALLS[method]}; VaR by {CONVENTIONS[method]}",
    )


def _shortfall(sample: Floats, level: float, method: str) -> tuple[float, int]:
    """The shortfall of a validated sample, and the number of its values at or below the quantile."""
    if method == "historical":
        beyond = sample[sample <= _estimate(sample, level, method)]
        return _mean(beyond), beyond.size
    scaled, exponent = unit_scaled(sample)
    if method == "parametric":
        normal, tail = NormalDist(), 1 - level
        z = normal.inv_cdf(tail)
        value = scaled.mean() - normal.pdf(z) / tail * scaled.std(ddof=1)
        exceedances = int((sample <= _estimate(sample, level, method)).sum())
    else:
        shocks, volatility = _filter(scaled[np.newaxis, :])
        beyond = shocks[0][shocks[0] <= _quantile(shocks, 1 - level)[0]]
        value, exceedances = beyond.mean() * volatility[0], beyond.size
    with np.errstate(over="ignore"):
        unscaled = np.ldexp(np.asarray([value]), exponent)
    return float(_finite(unscaled)[0]), exceedances


def rolling_value_at_risk(
    returns: ArrayLike, *, window: int, level: float = 0.95, method: str = "historical"
) -> RollingValueAtRisk:
    """One-step-ahead forecasts, each from the `window` returns before it alone, and which of them were exceeded.

    An exception is a return strictly below its forecast. Takes and refuses what `value_at_risk` does, per window.

    Parameters
    ----------
    returns : (T,) simple returns per period, oldest first; the first `window` of them are not forecast.
    window : periods for each forecast.
    level, method : as in `value_at_risk`.

    Raises
    ------
    InputError
        As `value_at_risk`, or a window that is not a whole number of at least 2.
    InsufficientData
        No return is left to forecast, or a window is constant or too short for the level.
    """
    window = whole(window, "window", at_least=2)
    _sample_size(window, level)
    one_of(method, "method", CONVENTIONS)
    sample = simple_returns(returns, at_least=window + 1)
    trailing = np.lib.stride_tricks.sliding_window_view(sample[:-1], window)
    still = trailing.max(axis=1) == trailing.min(axis=1)
    if still.any():
        raise InsufficientData(f"returns: the {window} from row {int(np.argmax(still))} on are all equal.")
    forecasts = _finite(_rolling(trailing, level, method))
    is_exception = sample[window:] < forecasts
    return RollingValueAtRisk(
        forecasts=forecasts,
        is_exception=is_exception,
        exceptions=int(is_exception.sum()),
        n=forecasts.size,
        window=window,
        level=level,
        method=method,
        convention=f"one step ahead from the {window} returns before: {CONVENTIONS[method]}; an exception lies below",
    )


def volatility_scaled(returns: ArrayLike) -> Floats:
    """The returns of a book whose positions are scaled to a constant forecast of its volatility, before costs.

    Each return is multiplied by σ̄ / σ_t. σ_t is the EWMA volatility forecast from the returns before it (decay 0.94,
    zero mean, started at the sample's mean square), and σ̄² the mean of the forecasts' squares.

    Parameters
    ----------
    returns : (T,) simple returns per period, oldest first.

    Raises
    ------
    InputError
        NaN, infinite or misshapen input.
    InsufficientData
        Constant returns.
    """
    sample = varying(simple_returns(returns), "returns")
    scale = float(np.abs(sample).max())
    forecasts = _ewma_volatility(sample[np.newaxis, :] / scale)[0, :-1]
    level = float(np.sqrt(np.mean(forecasts**2)))
    return np.asarray(sample * level / np.maximum(forecasts, np.finfo(np.float64).tiny), dtype=np.float64)


def _sample(returns: ArrayLike, level: float, method: str) -> Floats:
    one_of(method, "method", CONVENTIONS)
    sample = simple_returns(returns)
    _sample_size(sample.size, level)
    return varying(sample, "returns")


def _sample_size(n: int, level: float) -> None:
    expected = n * (1 - confidence_level(level, "level"))
    if expected < 1 - 1e-9:
        raise InsufficientData(
            f"returns: {n} of them hold {expected:.2f} expected losses beyond the {level:g} quantile; at least one is "
            "needed. Give a longer record or a lower level."
        )


def _estimate(sample: Floats, level: float, method: str) -> float:
    return float(_finite(_rolling(sample[np.newaxis, :], level, method))[0])


def _finite(estimates: Floats) -> Floats:
    """Refuse an estimate that overflowed."""
    if not np.isfinite(estimates).all():
        raise InputError("returns: the value at risk is beyond any number; pass returns as fractions, 0.01 for 1%.")
    return estimates


def _mean(values: Floats) -> float:
    scaled, exponent = unit_scaled(values)
    return float(np.ldexp(scaled.mean(), exponent))


def _rolling(samples: Floats, level: float, method: str) -> Floats:
    """The estimate of each row."""
    if method == "historical":
        return _quantile(samples, 1 - level)
    if method == "parametric":
        scaled, exponent = unit_scaled(samples)
        normal = scaled.mean(axis=1) + NormalDist().inv_cdf(1 - level) * scaled.std(axis=1, ddof=1)
        with np.errstate(over="ignore"):
            return np.asarray(np.ldexp(normal, exponent), dtype=np.float64)
    if method == "filtered_historical":
        return _filtered(samples, level)
    raise InputError(f"method: {method!r} is not known.")


def _filtered(samples: Floats, level: float) -> Floats:
    scale = np.abs(samples).max(axis=1)
    shocks, volatility = _filter(samples / scale[:, np.newaxis])
    return np.asarray(_quantile(shocks, 1 - level) * volatility * scale, dtype=np.float64)


def _filter(samples: Floats) -> tuple[Floats, Floats]:
    """Each return over the volatility forecast for it, and the forecast of the period after the last."""
    volatility = _ewma_volatility(samples)
    shocks = np.asarray(samples / np.maximum(volatility[:, :-1], np.finfo(np.float64).tiny), dtype=np.float64)
    return shocks, volatility[:, -1]


def _ewma_volatility(samples: Floats) -> Floats:
    """σ²_{t+1} = λσ²_t + (1 − λ)r²_t by row, one column more than `samples`: σ_t is before the return at t."""
    variance = np.empty((samples.shape[1] + 1, samples.shape[0]))
    variance[0] = np.mean(samples**2, axis=1)
    for row, squares in enumerate(samples.T**2):
        variance[row + 1] = EWMA_DECAY * variance[row] + (1 - EWMA_DECAY) * squares
    return np.asarray(np.sqrt(variance.T), dtype=np.float64)


def _quantile(samples: Floats, probability: float) -> Floats:
    """Type 7 of each row. A position that is whole up to rounding (100 × (1 − 0.9)) is that order statistic.

    Otherwise the tail at or below the quantile could lack one return.
    """
    position = round((samples.shape[1] - 1) * probability, 9)
    low = int(position)
    high = min(low + 1, samples.shape[1] - 1)
    ordered = np.partition(samples, [low, high], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        between = ordered[:, low] + (position - low) * (ordered[:, high] - ordered[:, low])
    return np.asarray(between, dtype=np.float64)
