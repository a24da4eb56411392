"""Statistics of the memo: arrays in, numbers out, each with its convention. No I/O, no clock, no randomness of its own.

Names load on first use, so that a process pays only for those it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

# This function shares its module's name: if it were lazy, importing the module would replace it.
from signoff.stats.value_at_risk import value_at_risk

if TYPE_CHECKING:
    from signoff.stats.association import pearson_correlation
    from signoff.stats.autocorrelation import autocorrelation_test
    from signoff.stats.bootstrap import reality_check, superior_predictive_ability
    from signoff.stats.comparison import sharpe_difference_test
    from signoff.stats.coverage import christoffersen, kupiec
    from signoff.stats.deflated import (
        deflated_sharpe_ratio,
        expected_maximum_sharpe,
        minimum_backtest_length,
        minimum_track_record_length,
        probabilistic_sharpe_ratio,
    )
    from signoff.stats.dispersion import volatility_ratio
    from signoff.stats.downside import downside_sensitivity_ratio
    from signoff.stats.drift import jensen_shannon, kolmogorov_smirnov, population_stability_index
    from signoff.stats.errors import InputError, InsufficientData, StatisticsError
    from signoff.stats.overfitting import probability_of_backtest_overfitting
    from signoff.stats.performance import (
        annualized_return,
        drawdowns,
        equity_curve,
        hit_rate,
        information_ratio,
        max_drawdown,
        rolling_sharpe,
        total_return,
        win_loss_ratio,
    )
    from signoff.stats.returns import returns_up_to  # noqa: F401 - loaded by name, and no statistic
    from signoff.stats.sequential import mean_difference_sequence
    from signoff.stats.sharpe import annual_sharpe, sharpe_error, sharpe_ratio, sharpe_standard_error
    from signoff.stats.symmetry import symmetric_prediction_accuracy
    from signoff.stats.value_at_risk import conditional_value_at_risk, rolling_value_at_risk
    from signoff.stats.walk_forward import first_windows, walk_forward_consistency, windows

__all__ = [
    "InputError",
    "InsufficientData",
    "StatisticsError",
    "annual_sharpe",
    "annualized_return",
    "autocorrelation_test",
    "christoffersen",
    "conditional_value_at_risk",
    "deflated_sharpe_ratio",
    "downside_sensitivity_ratio",
    "drawdowns",
    "equity_curve",
    "expected_maximum_sharpe",
    "first_windows",
    "hit_rate",
    "information_ratio",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "kupiec",
    "max_drawdown",
    "mean_difference_sequence",
    "minimum_backtest_length",
    "minimum_track_record_length",
    "pearson_correlation",
    "population_stability_index",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "reality_check",
    "rolling_sharpe",
    "rolling_value_at_risk",
    "sharpe_difference_test",
    "sharpe_error",
    "sharpe_ratio",
    "sharpe_standard_error",
    "superior_predictive_ability",
    "symmetric_prediction_accuracy",
    "total_return",
    "value_at_risk",
    "volatility_ratio",
    "walk_forward_consistency",
    "win_loss_ratio",
    "windows",
]

# `returns_up_to`, a declaration about the input of all statistics, is loaded by name too.
_MODULES: Final = {
    "association": ("pearson_correlation",),
    "autocorrelation": ("autocorrelation_test",),
    "bootstrap": ("reality_check", "superior_predictive_ability"),
    "comparison": ("sharpe_difference_test",),
    "coverage": ("christoffersen", "kupiec"),
    "deflated": (
        "deflated_sharpe_ratio",
        "expected_maximum_sharpe",
        "minimum_backtest_length",
        "minimum_track_record_length",
        "probabilistic_sharpe_ratio",
    ),
    "dispersion": ("volatility_ratio",),
    "downside": ("downside_sensitivity_ratio",),
    "drift": ("jensen_shannon", "kolmogorov_smirnov", "population_stability_index"),
    "errors": ("InputError", "InsufficientData", "StatisticsError"),
    "overfitting": ("probability_of_backtest_overfitting",),
    "performance": (
        "annualized_return",
        "drawdowns",
        "equity_curve",
        "hit_rate",
        "information_ratio",
        "max_drawdown",
        "rolling_sharpe",
        "total_return",
        "win_loss_ratio",
    ),
    "returns": ("returns_up_to",),
    "sequential": ("mean_difference_sequence",),
    "sharpe": ("annual_sharpe", "sharpe_error", "sharpe_ratio", "sharpe_standard_error"),
    "symmetry": ("symmetric_prediction_accuracy",),
    "value_at_risk": ("conditional_value_at_risk", "rolling_value_at_risk"),
    "walk_forward": ("first_windows", "walk_forward_consistency", "windows"),
}
_HOME: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names, and those that every module has."""
    return sorted({*_HOME, *__all__, *(name for name in globals() if name.startswith("__"))})
