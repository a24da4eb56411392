"""The probability of skill behind a Sharpe ratio, given the sample, its tails and the number of trials.

All ratios here are per period, never annualised, and kurtosis is 3 for a normal distribution, never excess. Published
libraries differ on both, and the results with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from math import e, sqrt
from typing import Final, ParamSpec, TypeVar
from warnings import warn

from signoff.stats._special import ndtr, ndtri
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sample import confidence_level, finite, positive, whole
from signoff.stats.shown import Shown

EULER_MASCHERONI: Final = 0.5772156649015329
PER_PERIOD: Final = "sharpe_per_period"
VARIANCE_PER_PERIOD: Final = "trial_variance_per_period"
_LARGEST_RATIO: Final = 1e100
_ANNUAL: Final = 1.0
"""A ratio of 1 a day is 16 a year: a larger one reads as annual unless it is named per period."""
_DAILY: Final = 252
_ANNUAL_OF_DAYS: Final = 0.3
"""The same for records of at least 252 periods, mostly days: 0.3 a day is 4.8 a year."""
_ANNUAL_VARIANCE_OF_DAYS: Final = 0.02
"""Trials whose ratios have this variance a day deviate by 2.2 a year from each other."""

P = ParamSpec("P")
T = TypeVar("T")


def _per_period(function: Callable[P, T]) -> Callable[P, T]:
    """Refuse a ratio that reads as annual, and accept the old name `sharpe` with a warning.

    An argument `sharpe_per_period=` states the period and is not questioned.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        limit = _ANNUAL_OF_DAYS if _is_daily(kwargs.get("n", args[1] if len(args) > 1 else 0)) else _ANNUAL
        if "sharpe" in kwargs:
            warn(
                f"{function.__name__}: `sharpe` is now `{PER_PERIOD}`; it takes an annual ratio over √(periods a year)",
                DeprecationWarning,
                stacklevel=2,
            )
            return checked(*args, **{PER_PERIOD: _not_annual(kwargs.pop("sharpe"), "sharpe", limit)}, **kwargs)  # type: ignore[arg-type]
        if args:
            _not_annual(args[0], PER_PERIOD, limit)
            _not_annual(kwargs.get("benchmark", 0.0), "benchmark", limit)
        return function(*args, **kwargs)

    return checked


def _is_daily(n: object) -> bool:
    return isinstance(n, int | float) and n >= _DAILY


def _not_annual(value: T, name: str, limit: float) -> T:
    if isinstance(value, int | float) and limit <= abs(value) <= _LARGEST_RATIO:
        raise InputError(
            f"{name}: expected a Sharpe ratio per period, found {value:g}, which reads as an annual one. Divide it by "
            f"the root of the periods a year (√252 for days), or write {PER_PERIOD}={value:g} if it is per period."
        )
    return value


def _variance_per_period(questioned: float | None, believed: float | None, n: float) -> float:
    """The one variance that is given; one whose name does not say per period is questioned."""
    if (questioned is None) == (believed is None):
        passed = "neither" if believed is None else "both"
        raise InputError(f"trial_sharpe_variance: expected it or {VARIANCE_PER_PERIOD}, found {passed}; pass one.")
    if questioned is None:
        assert believed is not None
        return finite(believed, VARIANCE_PER_PERIOD)
    if _is_daily(n) and finite(questioned, "trial_sharpe_variance") > _ANNUAL_VARIANCE_OF_DAYS:
        raise InputError(
            f"trial_sharpe_variance: expected the variance of Sharpe ratios per period, found {questioned:g} for {n:g} "
            "periods, which reads as that of annual ones. Divide it by the periods a year (252 for days), or write "
            f"{VARIANCE_PER_PERIOD}={questioned:g} if it is per period."
        )
    return questioned


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DeflatedSharpeRatio(Shown):
    """The probability that the true ratio exceeds `threshold`, the expected best of `trials` worthless ones."""

    probability: float
    threshold: float
    sharpe: float
    n: int
    skew: float
    kurtosis: float
    trials: int
    trial_sharpe_variance: float
    convention: str


@_per_period
def probabilistic_sharpe_ratio(
    sharpe_per_period: float, n: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`, as a plain float (Bailey and López de Prado 2012).

    Φ((SR − SR₀) √(T − 1) / √(1 − γ₃SR + (γ₄ − 1)SR²/4)).

    Parameters
    ----------
    sharpe_per_period, benchmark : an annual ratio over √(periods a year). Given without its name, 1 or
        more is refused, and from 252 periods on 0.3 or more.
    n : T, periods observed.
    skew, kurtosis : γ₃ and γ₄ of the returns, γ₄ = 3 for a normal distribution.

    Raises
    ------
    InputError
        Numbers that are not finite, or a kurtosis below 1 + skew², which no distribution has (excess kurtosis?).
    InsufficientData
        n < 2.
    """
    sharpe, variance = sharpe_per_period, _unit_variance(sharpe_per_period, skew, kurtosis)
    finite(benchmark, "benchmark")
    if finite(n, "n") < 2:
        raise InsufficientData(f"n: {n} periods; a Sharpe ratio takes at least 2.")
    return ndtr((sharpe - benchmark) * sqrt(n - 1) / sqrt(variance))


@_per_period
def deflated_sharpe_ratio(
    sharpe_per_period: float,
    n: int,
    *,
    skew: float,
    kurtosis: float,
    trials: int,
    trial_sharpe_variance: float | None = None,
    trial_variance_per_period: float | None = None,
) -> DeflatedSharpeRatio:
    """The probabilistic ratio against the expected maximum of the trials (Bailey and López de Prado 2014).

    PSR(SR₀) with SR₀ = `expected_maximum_sharpe(trials, trial_sharpe_variance)`.

    Parameters
    ----------
    sharpe_per_period, n, skew, kurtosis : as in `probabilistic_sharpe_ratio`.
    trials : N, independent configurations tried.
    trial_sharpe_variance : V, the variance across trials of their Sharpe ratios per period; that of annual ratios over
        the periods a year. From 252 periods on more than 0.02 is refused, unless it is given as
        `trial_variance_per_period`.

    Raises
    ------
    InputError
        As `probabilistic_sharpe_ratio`, a negative variance, or one that reads as annual.
    InsufficientData
        Fewer than two trials, no variance between them, or n < 2.
    """
    variance = _variance_per_period(trial_sharpe_variance, trial_variance_per_period, n)
    threshold = expected_maximum_sharpe(trials, variance)
    return DeflatedSharpeRatio(
        probability=probabilistic_sharpe_ratio(
            sharpe_per_period=sharpe_per_period, n=n, skew=skew, kurtosis=kurtosis, benchmark=threshold
        ),
        threshold=threshold,
        sharpe=sharpe_per_period,
        n=n,
        skew=skew,
        kurtosis=kurtosis,
        trials=trials,
        trial_sharpe_variance=variance,
        convention="Bailey and López de Prado (2014): Sharpe ratio per period, kurtosis 3 for a normal distribution, "
        "√(T − 1)",
    )


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """√V [(1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(Ne))] (Bailey and López de Prado 2014): the best of N worthless trials.

    An approximation of E[max] of N independent normal ratios with variance V, 1 to 3 percent above it from N = 5 on.

    Parameters
    ----------
    trials : N, at least 2.
    variance : V, of the trials' Sharpe ratios, in the square of the unit that the result is to have.

    Raises
    ------
    InputError
        A number of trials that is not whole or below 1, a variance that is negative, NaN or infinite.
    InsufficientData
        One trial, or no variance.
    """
    if whole(trials, "trials", at_least=1) < 2:
        raise InsufficientData(f"trials: {trials}; overfitting shows only against at least two. Count every one tried.")
    if finite(variance, "trial_sharpe_variance") < 0:
        raise InputError(f"trial_sharpe_variance: expected at least 0, found {variance}; a variance has no sign.")
    if variance == 0:
        raise InsufficientData(f"trials: the Sharpe ratios of all {trials} are equal; they are not different trials.")
    nearer, farther = -ndtri(1 / trials), -ndtri(1 / trials / e)
    return sqrt(variance) * ((1 - EULER_MASCHERONI) * nearer + EULER_MASCHERONI * farther)


@_per_period
def minimum_track_record_length(
    sharpe_per_period: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Observations after which the ratio would be significantly above `benchmark`, as a plain float.

    1 + (1 − γ₃SR + (γ₄ − 1)SR²/4) (Φ⁻¹(confidence) / (SR − SR₀))² (Bailey and López de Prado 2012). Ratios are per
    period; divide by the periods a year for years.

    Raises
    ------
    InputError
        As `probabilistic_sharpe_ratio`, or a confidence outside 0.5 to 1.
    InsufficientData
        A ratio that is not above its benchmark: no record is long enough.
    """
    sharpe, variance = sharpe_per_period, _unit_variance(sharpe_per_period, skew, kurtosis)
    confidence_level(confidence, "confidence")
    if not sharpe > finite(benchmark, "benchmark"):
        raise InsufficientData(
            f"sharpe_per_period: {sharpe:g} is not above {benchmark:g}; no record is long enough to show it."
        )
    return 1 + variance * (ndtri(confidence) / (sharpe - benchmark)) ** 2


def minimum_backtest_length(trials: int, sharpe: float) -> float:
    """Years below which the best of N worthless trials is expected to show the annual ratio `sharpe`, a plain float.

    (E[max_N] / SR)² (Bailey, Borwein, López de Prado and Zhu 2014), E[max_N] for unit variance a year.

    Raises
    ------
    InputError
        A number of trials that is not whole or below 1, a ratio that is not a finite number above 0.
    InsufficientData
        One trial.
    """
    ratio = expected_maximum_sharpe(trials, 1.0) / positive(sharpe, "sharpe")
    if ratio > _LARGEST_RATIO:
        raise InputError(f"sharpe: {sharpe:g} a year takes more years than numbers can say; pass an annual ratio.")
    return ratio**2


def _unit_variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """1 − γ₃SR + (γ₄ − 1)SR²/4, T times the variance of the estimated ratio."""
    for value, name in ((sharpe, PER_PERIOD), (skew, "skew"), (kurtosis, "kurtosis")):
        if abs(finite(value, name)) > _LARGEST_RATIO:
            raise InputError(f"{name}: {value:g} is beyond what can be squared; pass it per period, as a plain ratio.")
    if kurtosis < (1 + skew**2) * (1 - 1e-9):
        raise InputError(
            f"kurtosis: {kurtosis:g} is below 1 + skew² = {1 + skew**2:g}, which no distribution has; "
            "give it as 3 for a normal distribution, not as excess."
        )
    variance = 1 - skew * sharpe + (kurtosis - 1) * sharpe**2 / 4
    if variance <= 0:
        raise InsufficientData(f"skew {skew:g} and kurtosis {kurtosis:g} leave no variance at a ratio of {sharpe:g}.")
    return variance
