"""Whatever is wrong with an argument is told under that argument's name, for every argument of every statistic."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from signoff import stats
from signoff.stats.autocorrelation import annual_scale, autocorrelation_test
from signoff.stats.deflated import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from signoff.stats.dispersion import volatility_ratio
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sharpe import annual_sharpe, lo_standard_error
from signoff.stats.value_at_risk import volatility_scaled

A, B = np.random.default_rng(1).normal(0.0003, 0.01, (2, 400))
LOSSES = np.random.default_rng(2).normal(0, 1, (400, 3))
SPA = {"block": 5, "repetitions": 5, "seed": 0}

SERIES: dict[str, tuple[Callable[..., object], str]] = {
    "sharpe_ratio": (stats.sharpe_ratio, "returns"),
    "annual_sharpe": (annual_sharpe, "returns"),
    "sharpe_error": (stats.sharpe_error, "returns"),
    "annualized_return": (stats.annualized_return, "returns"),
    "max_drawdown": (stats.max_drawdown, "returns"),
    "hit_rate": (stats.hit_rate, "returns"),
    "win_loss_ratio": (stats.win_loss_ratio, "returns"),
    "rolling_sharpe": (lambda x: stats.rolling_sharpe(x, 20), "returns"),
    "value_at_risk": (stats.value_at_risk, "returns"),
    "rolling_value_at_risk": (lambda x: stats.rolling_value_at_risk(x, window=20), "returns"),
    "volatility_scaled": (volatility_scaled, "returns"),
    "downside_sensitivity_ratio": (stats.downside_sensitivity_ratio, "returns"),
    "information_ratio, returns": (lambda x: stats.information_ratio(x, B), "returns"),
    "information_ratio, benchmark": (lambda x: stats.information_ratio(A, x), "benchmark"),
    "sharpe_difference_test, a": (lambda x: stats.sharpe_difference_test(x, B), "a"),
    "sharpe_difference_test, b": (lambda x: stats.sharpe_difference_test(A, x), "b"),
    "mean_difference_sequence, a": (lambda x: stats.mean_difference_sequence(x, B), "a"),
    "mean_difference_sequence, b": (lambda x: stats.mean_difference_sequence(A, x), "b"),
    "walk_forward_consistency": (lambda x: stats.walk_forward_consistency([A[:9], x]), "window 1"),
    "benchmark_losses": (lambda x: stats.reality_check(x, LOSSES, **SPA), "benchmark_losses"),
    "model_losses": (
        lambda x: stats.reality_check(LOSSES[:, 0], x.to_frame() if hasattr(x, "to_frame") else x[:, None], **SPA),
        "model_losses",
    ),
}
UNORDERED = {
    "pearson_correlation, a": (lambda x: stats.pearson_correlation(x, B), "a"),
    "pearson_correlation, b": (lambda x: stats.pearson_correlation(A, x), "b"),
    "volatility_ratio, reference": (lambda x: volatility_ratio(x, B), "reference"),
    "volatility_ratio, current": (lambda x: volatility_ratio(A, x), "current"),
    "psi, reference": (lambda x: stats.population_stability_index(x, B), "reference"),
    "psi, current": (lambda x: stats.population_stability_index(A, x), "current"),
    "ks, reference": (lambda x: stats.kolmogorov_smirnov(x, B), "reference"),
    "js, current": (lambda x: stats.jensen_shannon(A, x), "current"),
    "autocorrelation_test": (autocorrelation_test, "returns"),
    "annual_scale": (lambda x: annual_scale(x, periods=252.0), "returns"),
    "symmetric, prediction": (lambda x: stats.symmetric_prediction_accuracy(x, B), "prediction"),
    "symmetric, realized": (lambda x: stats.symmetric_prediction_accuracy(A, x), "realized"),
}
EVERY = SERIES | UNORDERED


def refused(act, *given):
    with pytest.raises((InputError, InsufficientData)) as caught:
        act(*given)
    return str(caught.value)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_no_number(kind, wrong):
    act, name = EVERY[kind]
    spoiled = A.copy()
    spoiled[3] = wrong
    assert refused(act, spoiled).startswith((f"{name}: row 3", f"{name}, row 3"))


@pytest.mark.parametrize("kind", SERIES)
def test_disorder(kind):
    act, name = SERIES[kind]
    index = pd.bdate_range("2018-01-01", periods=400).to_numpy().copy()
    index[[3, 4]] = index[[4, 3]]
    assert refused(act, pd.Series(A, index=index)).startswith(f"{name}: row 4 (")
    index[4] = index[3]
    assert refused(act, pd.Series(A, index=index)).startswith(f"{name}: row 4 (")


PAIRED = {
    "sharpe_difference_test": (stats.sharpe_difference_test, ("a", "b")),
    "mean_difference_sequence": (stats.mean_difference_sequence, ("a", "b")),
    "pearson_correlation": (stats.pearson_correlation, ("a", "b")),
    "information_ratio": (stats.information_ratio, ("returns", "benchmark")),
    "symmetric_prediction_accuracy": (stats.symmetric_prediction_accuracy, ("prediction", "realized")),
}


@pytest.mark.parametrize("kind", PAIRED)
def test_two_that_do_not_belong_together(kind):
    act, (one, other) = PAIRED[kind]
    first, second = pd.bdate_range("2018-01-01", periods=400), pd.bdate_range("2018-01-02", periods=400)
    said = refused(act, pd.Series(A, index=first), pd.Series(B, index=second))

    assert refused(act, A, B[:-1]) == f"{one} has 400 rows and {other} has 399; align them first."
    assert said.startswith(f"{one} and {other}: row 0 is labelled 2018-01-01 00:00:00 in one and 2018-01-02 00:00:00")
    if kind != "symmetric_prediction_accuracy":
        for fewer in ((A[:1], B), (A, B[:1])):
            assert " 1 observations; at least " in refused(act, *fewer)


CONSTANT = set(EVERY) - {
    "annualized_return", "max_drawdown", "rolling_sharpe", "benchmark_losses", "model_losses", "hit_rate",
    "win_loss_ratio", "rolling_value_at_risk", "downside_sensitivity_ratio", "information_ratio, returns",
    "information_ratio, benchmark", "walk_forward_consistency", "psi, current", "js, current",
    "mean_difference_sequence, a", "mean_difference_sequence, b", "symmetric, prediction", "symmetric, realized",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(CONSTANT))
def test_nothing_that_varies(kind):
    act, name = EVERY[kind]
    assert refused(act, np.full(400, 0.25)).startswith(f"{name}: ")


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_at_all_or_another_shape(kind):
    act, name = EVERY[kind]
    for wrong in (np.empty(0), np.zeros((400, 2, 2))):
        said = refused(act, wrong)
        assert name in said.partition(":")[0] or name in said


SCALARS = {
    "confidence of an annual ratio": (lambda x: annual_sharpe(A, confidence=x), "confidence"),
    "significance": (lambda x: annual_sharpe(A, significance=x), "significance"),
    "material": (lambda x: annual_sharpe(A, material=x), "material"),
    "periods": (lambda x: stats.sharpe_ratio(A, periods=x), "periods"),
    "periods of a difference": (lambda x: stats.sharpe_difference_test(A, B, periods=x), "periods"),
    "lags": (lambda x: stats.sharpe_error(A, lags=x), "lags"),
    "method": (lambda x: stats.sharpe_error(A, method=x), "method"),
    "lags of a difference": (lambda x: stats.sharpe_difference_test(A, B, lags=x), "lags"),
    "block": (lambda x: stats.sharpe_difference_test(A, B, method="bootstrap", block=x), "block"),
    "repetitions": (lambda x: stats.sharpe_difference_test(A, B, method="bootstrap", repetitions=x), "repetitions"),
    "seed": (lambda x: stats.sharpe_difference_test(A, B, method="bootstrap", seed=x), "seed"),
    "confidence of a sequence": (lambda x: stats.mean_difference_sequence(A, B, confidence=x), "confidence"),
    "horizon of a sequence": (lambda x: stats.mean_difference_sequence(A, B, horizon=x), "horizon"),
    "minimum of a sequence": (lambda x: stats.mean_difference_sequence(A, B, minimum=x), "minimum"),
    "mean block": (lambda x: stats.reality_check(A, LOSSES, block=x, repetitions=5, seed=0), "block"),
    "resamples": (lambda x: stats.reality_check(A, LOSSES, block=5, repetitions=x, seed=0), "repetitions"),
    "seed of resamples": (lambda x: stats.reality_check(A, LOSSES, block=5, repetitions=5, seed=x), "seed"),
    "partitions": (
        lambda x: stats.probability_of_backtest_overfitting(LOSSES / 100, partitions=x), "partitions",
    ),
    "level": (lambda x: stats.value_at_risk(A, level=x), "level"),
    "window": (lambda x: stats.rolling_value_at_risk(A, window=x), "window"),
    "level of coverage": (lambda x: stats.kupiec(5, 100, level=x), "level"),
    "exceptions": (lambda x: stats.kupiec(x, 100), "exceptions"),
    "n of coverage": (lambda x: stats.kupiec(5, x), "n"),
    "threshold": (lambda x: stats.downside_sensitivity_ratio(A, threshold=x), "threshold"),
    "neutral": (lambda x: stats.symmetric_prediction_accuracy(A, B, neutral=x), "neutral"),
    "horizon of rows": (lambda x: stats.symmetric_prediction_accuracy(A, B, horizon=x or 0), "horizon"),
    "rate": (lambda x: stats.walk_forward_consistency([A[:9]], rate=x), "rate"),
    "dates_count": (lambda x: stats.windows(x, 2), "dates_count"),
    "window of rows": (lambda x: stats.windows(9, x), "window"),
    "bins": (lambda x: stats.population_stability_index(A, B, bins=x), "bins"),
    "minimum of a sample": (lambda x: stats.population_stability_index(A, B, minimum=x), "minimum"),
    "confidence of a correlation": (lambda x: stats.pearson_correlation(A, B, confidence=x), "confidence"),
    "method of a correlation": (lambda x: stats.pearson_correlation(A, B, method=x), "method"),
    "confidence of a ratio": (lambda x: volatility_ratio(A, B, confidence=x), "confidence"),
    "minimum of a ratio": (lambda x: volatility_ratio(A, B, minimum=x), "minimum"),
    "trials": (lambda x: expected_maximum_sharpe(x, 0.1), "trials"),
    "variance of trials": (lambda x: expected_maximum_sharpe(9, x), "trial_sharpe_variance"),
    "ratio of a year": (lambda x: minimum_backtest_length(9, x), "sharpe"),
    "benchmark": (lambda x: minimum_track_record_length(0.1, benchmark=x), "benchmark"),
    "confidence of a length": (lambda x: minimum_track_record_length(0.1, confidence=x), "confidence"),
    "skew": (lambda x: minimum_track_record_length(0.1, skew=x), "skew"),
    "kurtosis": (lambda x: minimum_track_record_length(0.1, kurtosis=x), "kurtosis"),
    "ratio of an error": (lambda x: lo_standard_error(x, 9), "sharpe"),
    "n of an error": (lambda x: lo_standard_error(0.1, x), "n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.5, "x"], ids=str)
def test_a_number_or_word_that_is_none(kind, wrong):
    act, name = SCALARS[kind]
    if wrong == -1.5 and kind in {"threshold", "neutral", "rate", "skew", "benchmark", "ratio of an error"}:
        return
    assert refused(act, wrong).startswith(f"{name}: ")


def test_the_arguments_of_a_ratio():
    good = {"sharpe_per_period": 0.1, "n": 100}
    for name in ("sharpe_per_period", "n", "skew", "kurtosis", "benchmark"):
        said = refused(lambda name=name: probabilistic_sharpe_ratio(**(good | {name: np.nan})))
        assert said.startswith(f"{name}: ")
    deflating = good | {"trials": 9, "trial_variance_per_period": 0.01, "skew": 0.0, "kurtosis": 3.0}
    for name in deflating:
        said = refused(lambda name=name: deflated_sharpe_ratio(**(deflating | {name: np.nan})))
        assert said.startswith(f"{name}: ")
