"""The names that others rely on, and how little it costs to import them."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import signoff.stats


def test_every_public_name_is_there_and_is_no_module():
    for found in pkgutil.iter_modules(signoff.stats.__path__):
        importlib.import_module(f"signoff.stats.{found.name}")

    for name in signoff.stats.__all__:
        assert callable(getattr(signoff.stats, name)), name


PROMISED = """
    symmetric_prediction_accuracy downside_sensitivity_ratio probability_of_backtest_overfitting
    walk_forward_consistency value_at_risk conditional_value_at_risk kupiec christoffersen superior_predictive_ability
    reality_check probabilistic_sharpe_ratio deflated_sharpe_ratio minimum_track_record_length minimum_backtest_length
    sharpe_ratio sharpe_standard_error sharpe_difference_test annualized_return max_drawdown hit_rate win_loss_ratio
    information_ratio population_stability_index kolmogorov_smirnov jensen_shannon
"""


def test_the_names_that_interfaces_promise_are_public():
    assert set(PROMISED.split()) <= set(signoff.stats.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sharp_ratio'"):
        signoff.stats.sharp_ratio  # noqa: B018


def test_importing_the_package_loads_neither_compiler_nor_special_functions():
    program = "import sys, signoff.stats, signoff.stats.performance; print({'numba', 'scipy'} & sys.modules.keys())"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "set()"


def test_the_guide_lists_every_function():
    guide = Path(__file__).parents[2].joinpath("docs", "how-to-evidence.md").read_text(encoding="utf-8")
    table = guide.partition("## In Python")[2].partition("\n## ")[0]
    assert [name for name in signoff.stats.__all__ if f"`{name}`" not in table] == []
