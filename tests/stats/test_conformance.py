"""What every statistic promises, whatever it computes: a finite figure, or a refusal in words; never a crash or NaN.

Each function is given here once with sound arguments; everything hostile is done to all of them alike.
"""

import dataclasses
from math import inf, nan

import numpy as np
import pytest

import signoff.stats as s
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.sharpe import lo_standard_error

N = 320
_RNG = np.random.default_rng(20050101)
OWN, OTHER = _RNG.normal(0.0005, 0.01, N), _RNG.normal(0.0003, 0.01, N)
FAMILY = _RNG.normal(0.0002, 0.01, (N, 6))
BOOTSTRAP = {"block": 4, "repetitions": 40, "seed": 1}

ON_ARRAYS = {
    "symmetric_prediction_accuracy": lambda f: s.symmetric_prediction_accuracy(f(OWN), f(OTHER)),
    "downside_sensitivity_ratio": lambda f: s.downside_sensitivity_ratio(f(OWN)),
    "probability_of_backtest_overfitting": lambda f: s.probability_of_backtest_overfitting(f(FAMILY), partitions=8),
    "walk_forward_consistency": lambda f: s.walk_forward_consistency([f(OWN[a : a + 20]) for a in range(0, N, 20)]),
    "reality_check": lambda f: s.reality_check(f(OWN), f(FAMILY), **BOOTSTRAP),
    "superior_predictive_ability": lambda f: s.superior_predictive_ability(f(OWN), f(FAMILY), **BOOTSTRAP),
    "sharpe_ratio": lambda f: s.sharpe_ratio(f(OWN)),
    "annual_sharpe": lambda f: s.annual_sharpe(f(OWN)),
    "autocorrelation_test": lambda f: s.autocorrelation_test(f(OWN)),
    "first_windows": lambda f: s.first_windows(f(OWN), 20),
    "sharpe_error": lambda f: s.sharpe_error(f(OWN)),
    "sharpe_error, HAC": lambda f: s.sharpe_error(f(OWN), method="hac"),
    "sharpe_standard_error": lambda f: s.sharpe_standard_error(f(OWN)),
    "sharpe_difference_test": lambda f: s.sharpe_difference_test(f(OWN), f(OTHER)),
    "sharpe_difference_test, bootstrap": lambda f: s.sharpe_difference_test(
        f(OWN), f(OTHER), method="bootstrap", repetitions=20
    ),
    "annualized_return": lambda f: s.annualized_return(f(OWN)),
    "total_return": lambda f: s.total_return(f(OWN)),
    "max_drawdown": lambda f: s.max_drawdown(f(OWN)),
    "drawdowns": lambda f: s.drawdowns(f(OWN)),
    "equity_curve": lambda f: s.equity_curve(f(OWN)),
    "hit_rate": lambda f: s.hit_rate(f(OWN)),
    "win_loss_ratio": lambda f: s.win_loss_ratio(f(OWN)),
    "pearson_correlation": lambda f: s.pearson_correlation(f(OWN), f(OTHER)),
    "information_ratio": lambda f: s.information_ratio(f(OWN), f(OTHER)),
    "rolling_sharpe": lambda f: s.rolling_sharpe(f(OWN), 60),
    "population_stability_index": lambda f: s.population_stability_index(f(OWN), f(OTHER)),
    "kolmogorov_smirnov": lambda f: s.kolmogorov_smirnov(f(OWN), f(OTHER)),
    "jensen_shannon": lambda f: s.jensen_shannon(f(OWN), f(OTHER)),
    "volatility_ratio": lambda f: s.volatility_ratio(f(OWN), f(OTHER)),
    "mean_difference_sequence": lambda f: s.mean_difference_sequence(f(OWN), f(OTHER)),
    "christoffersen": lambda f: s.christoffersen(f((OWN < -0.014).astype(float))),
    **{
        f"{name}, {method}": lambda f, name=name, method=method: getattr(s, name)(f(OWN), method=method)
        for name in ("value_at_risk", "conditional_value_at_risk")
        for method in ("historical", "parametric", "filtered_historical")
    },
    **{
        f"rolling_value_at_risk, {method}": lambda f, method=method: s.rolling_value_at_risk(
            f(OWN), window=100, method=method
        )
        for method in ("historical", "parametric", "filtered_historical")
    },
}
ON_NUMBERS = {
    "kupiec": lambda: s.kupiec(12, 250),
    "probabilistic_sharpe_ratio": lambda: s.probabilistic_sharpe_ratio(0.1, 250),
    "deflated_sharpe_ratio": lambda: s.deflated_sharpe_ratio(
        0.1, 250, skew=0, kurtosis=3, trials=9, trial_sharpe_variance=0.001
    ),
    "expected_maximum_sharpe": lambda: s.expected_maximum_sharpe(9, 0.001),
    "minimum_track_record_length": lambda: s.minimum_track_record_length(0.1),
    "minimum_backtest_length": lambda: s.minimum_backtest_length(9, 1.0),
    "windows": lambda: s.windows(100, 20),
}


def row(values, place, value):
    changed = values.copy()
    changed[place] = value
    return changed


HOSTILE = {
    "empty": lambda a: a[:0],
    "one row": lambda a: a[:1],
    "two rows": lambda a: a[:2],
    "constant": lambda a: np.full_like(a, 0.001),
    "negative constant": lambda a: np.full_like(a, -0.001),
    "zero": np.zeros_like,
    "two values": lambda a: np.where(a > 0, 0.01, -0.01),
    "one nonzero": lambda a: row(np.zeros_like(a), 7, 0.01),
    "subnormal": lambda a: np.sign(a) * 5e-324,
    "tiny": lambda a: a * 1e-298,
    "squares vanish": lambda a: a * 1e-160,
    "squares overflow": lambda a: a * 1e160,
    "huge": lambda a: a / np.abs(a).max() * 1e308 if a.any() else a,
    "huge and opposite": lambda a: np.where(a > 0, 1.7e308, -1.7e308),
    "one huge": lambda a: row(a, 3, 1e308),
    "a large level": lambda a: 1 + a * 1e-7,
    "a larger level": lambda a: 1 + a * 1e-9,
    "integers": lambda a: (100 * a).round().astype(int),
    "single precision": lambda a: a.astype(np.float32),
}


def not_finite(result):
    """The names of figures that are no numbers."""
    if dataclasses.is_dataclass(result):
        values = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        return [name for name, value in values.items() if not_finite(value)]
    if result is None or isinstance(result, str | bool | slice):
        return []
    if isinstance(result, tuple):
        return [entry for entry in result if not_finite(entry)]
    return [] if np.isfinite(np.asarray(result, dtype=float)).all() else ["value"]


def test_no_public_function_is_forgotten():
    covered = {name.partition(",")[0] for name in ON_ARRAYS} | ON_NUMBERS.keys()
    functions = {name for name in s.__all__ if not isinstance(getattr(s, name), type)}

    assert covered == functions


@pytest.mark.parametrize("call", [*ON_ARRAYS.values()], ids=ON_ARRAYS)
def test_a_sound_sample_has_a_finite_figure(call):
    assert not_finite(call(lambda a: a)) == []


@pytest.mark.parametrize(
    ("name", "hostile"),
    [(name, change) for name in ON_ARRAYS for change in HOSTILE],
)
def test_a_hostile_sample_has_a_finite_figure_or_none(name, hostile):
    """Warnings are errors here, so an overflow on the way to a figure fails too."""
    try:
        result = ON_ARRAYS[name](HOSTILE[hostile])
    except (InputError, InsufficientData):
        return
    if name == "rolling_sharpe":
        result = result[~np.isnan(result)]  # windows without variation are gaps in a curve
    if name == "downside_sensitivity_ratio" and result.gains == 0:
        result = dataclasses.replace(result, ratio=0.0)  # infinite by definition
    assert not_finite(result) == []


@pytest.mark.parametrize("broken", [nan, inf, -inf])
@pytest.mark.parametrize("name", ON_ARRAYS)
def test_one_broken_entry_is_refused_by_its_row(name, broken):
    with pytest.raises(InputError, match="row 5"):
        ON_ARRAYS[name](lambda a: row(a, 5, broken))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: None,
        lambda a: "returns",
        lambda a: {"r": 1},
        lambda a: [["one", "two"]],
        lambda a: np.array(0.01),
        lambda a: a.reshape(1, 1, -1),
        lambda a: np.full(a.shape, "x", dtype=object),
    ],
    ids=["none", "word", "dictionary", "words", "scalar", "three dimensions", "objects"],
)
@pytest.mark.parametrize("name", ON_ARRAYS)
def test_what_is_no_sample_is_refused_in_words(name, wrong):
    with pytest.raises((InputError, InsufficientData)):
        ON_ARRAYS[name](wrong)


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_a_masked_entry_is_missing_and_refused_by_its_row(name):
    """numpy hands out what lies under a mask without a word."""
    with pytest.raises(InputError, match="row 5"):
        ON_ARRAYS[name](lambda a: np.ma.masked_array(a, mask=row(np.zeros(a.shape, dtype=bool), 5, True)))


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_a_number_beyond_double_precision_is_infinite_and_refused(name):
    with pytest.raises(InputError, match="row 5"):
        ON_ARRAYS[name](lambda a: row(a.astype(np.longdouble), 5, np.longdouble("1e4000")))


def read_only(values):
    copy = values.copy()
    copy.setflags(write=False)
    return copy


@pytest.mark.parametrize(
    "laid_out",
    [
        read_only,
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.astype(">f8"),
        lambda a: a.astype(object),
        lambda a: a.tolist(),
    ],
    ids=["read-only", "Fortran order", "every other row", "reversed view", "big endian", "objects", "list"],
)
@pytest.mark.parametrize("name", ON_ARRAYS)
def test_only_the_numbers_matter_and_not_how_they_lie_in_memory(name, laid_out):
    assert repr(ON_ARRAYS[name](laid_out)) == repr(ON_ARRAYS[name](lambda a: a))


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_the_input_is_left_as_it_was(name):
    given = []

    def remember(values):
        given.append((values.copy(), mine := values.copy()))
        return mine

    ON_ARRAYS[name](remember)

    assert all((before == after).all() for before, after in given)


@pytest.mark.parametrize("name", ON_ARRAYS | ON_NUMBERS)
def test_a_record_says_what_it_rests_on(name):
    """The sample and the convention always, and the seed where there are resamples."""
    result = ON_ARRAYS[name](lambda a: a) if name in ON_ARRAYS else ON_NUMBERS[name]()
    if not dataclasses.is_dataclass(result):
        return  # a plain float, as INTERFACES.md promises: its docstring is its convention
    parts = [getattr(result, field.name) for field in dataclasses.fields(result)]
    for record in [part for part in parts if dataclasses.is_dataclass(part) and hasattr(part, "p_value")] or [result]:
        names = {field.name for field in dataclasses.fields(record)}
        assert record.convention
        assert names & {"n", "n_reference"}
        assert ("repetitions" in names) == ("seed" in names)


@pytest.mark.parametrize("name", s.__all__)
def test_every_public_name_says_what_it_refuses(name):
    text = getattr(s, name).__doc__

    assert text
    if not isinstance(getattr(s, name), type):
        assert "refuse" in text.lower() or "Raises" in text, name


def test_ties_are_counted():
    reference, current = np.repeat(np.arange(100.0), 3), np.arange(0.0, 300.0)

    assert s.kolmogorov_smirnov(reference, current).ties == 600 - 300
    assert s.symmetric_prediction_accuracy([0, 0, 1, -1, 1], [1, 0, 0, -1, 1]).flat_excluded == 2
    assert s.symmetric_prediction_accuracy([0, 0, 1, -1, 1], [1, 0, 0, -1, 1]).zero_excluded == 1


def test_independence_rests_on_transitions():
    result = s.christoffersen(OWN < -0.01)

    assert (result.unconditional.n, result.independence.n) == (N, N - 1)
    assert sum(map(sum, result.transitions)) == N - 1


NOT_WHOLE = (2.5, 8.0, nan, inf, "8", None, True)
NO_NUMBER = (nan, inf, "0.5", None)
NO_SHARE = (0, 1, -0.1, 95, *NO_NUMBER)
PARAMETERS = {
    "partitions": (lambda v: s.probability_of_backtest_overfitting(FAMILY, partitions=v), (-2, 0, 1, 7, 26, 400)),
    "threshold": (lambda v: s.downside_sensitivity_ratio(OWN, threshold=v), NO_NUMBER),
    "neutral": (lambda v: s.symmetric_prediction_accuracy(OWN, OTHER, neutral=v), NO_NUMBER),
    "periods": (lambda v: s.sharpe_ratio(OWN, periods=v), (0, -252, nan, inf, "0.5")),
    "periods of windows": (lambda v: s.walk_forward_consistency([OWN[:9]] * 12, periods=v), (0, -1, nan, inf, "0.5")),
    "periods a year": (lambda v: s.annualized_return(OWN, periods=v), (0, -1, nan, inf, "0.5")),
    "window": (lambda v: s.windows(100, v), (0, -1, *NOT_WHOLE)),
    "rolling window": (lambda v: s.rolling_value_at_risk(OWN, window=v), (0, 1, -5, *NOT_WHOLE)),
    "window of ratios": (lambda v: s.rolling_sharpe(OWN, v), (1, 0, -1, *NOT_WHOLE)),
    "level": (lambda v: s.value_at_risk(OWN, level=v), NO_SHARE),
    "tail level": (lambda v: s.conditional_value_at_risk(OWN, level=v), NO_SHARE),
    "level of exceptions": (lambda v: s.kupiec(12, 250, level=v), NO_SHARE),
    "level of hits": (lambda v: s.christoffersen(OWN < -0.01, level=v), NO_SHARE),
    "method": (lambda v: s.value_at_risk(OWN, method=v), ("magic", None, 3, ["historical"])),
    "exceptions": (lambda v: s.kupiec(v, 250), (-1, 251, *NOT_WHOLE)),
    "forecasts": (lambda v: s.kupiec(5, v), (-1, 4, *NOT_WHOLE)),
    "sample": (lambda v: s.probabilistic_sharpe_ratio(0.1, v), NO_NUMBER),
    "observed ratio": (lambda v: s.probabilistic_sharpe_ratio(v, 100), (1e200, *NO_NUMBER)),
    "excess kurtosis": (lambda v: s.probabilistic_sharpe_ratio(0.1, 100, kurtosis=v), (0, 0.99, *NO_NUMBER)),
    "benchmark": (lambda v: s.minimum_track_record_length(0.1, benchmark=v), NO_NUMBER),
    "confidence": (lambda v: s.minimum_track_record_length(0.1, confidence=v), (0.4, *NO_SHARE)),
    "trials": (lambda v: s.expected_maximum_sharpe(v, 0.1), (0, -1, *NOT_WHOLE)),
    "variance": (lambda v: s.expected_maximum_sharpe(9, v), (-1, *NO_NUMBER)),
    "annual ratio": (lambda v: s.minimum_backtest_length(9, v), (0, -1, 1e-300, *NO_NUMBER)),
    "lags": (lambda v: s.sharpe_error(OWN, method="hac", lags=v), (-1, N, 2.5, nan, "5")),
    "lags of two": (lambda v: s.sharpe_difference_test(OWN, OTHER, lags=v), (-1, N, 2.5, nan, "5")),
    "circular block": (
        lambda v: s.sharpe_difference_test(OWN, OTHER, method="bootstrap", block=v, repetitions=9),
        (0, -1, N + 1, 2.5, nan, "5"),
    ),
    "repetitions": (
        lambda v: s.sharpe_difference_test(OWN, OTHER, method="bootstrap", repetitions=v),
        (0, -1, *NOT_WHOLE),
    ),
    "seed": (
        lambda v: s.sharpe_difference_test(OWN, OTHER, method="bootstrap", repetitions=9, seed=v),
        (-1, *NOT_WHOLE),
    ),
    "correlation confidence": (lambda v: s.pearson_correlation(OWN, OTHER, confidence=v), NO_SHARE),
    "sequence confidence": (lambda v: s.mean_difference_sequence(OWN, OTHER, confidence=v), NO_SHARE),
    "horizon": (lambda v: s.mean_difference_sequence(OWN, OTHER, horizon=v), (0, -1, *NOT_WHOLE)),
    "minimum": (lambda v: s.mean_difference_sequence(OWN, OTHER, minimum=v), (1, 0, -1, *NOT_WHOLE)),
    "bins": (lambda v: s.population_stability_index(OWN, OTHER, bins=v), (1, 0, -1, *NOT_WHOLE)),
    "minimum of drift": (lambda v: s.kolmogorov_smirnov(OWN, OTHER, minimum=v), (1, 0, -1, *NOT_WHOLE)),
    "ratio": (lambda v: lo_standard_error(v, 10), NO_NUMBER),
    "mean block": (
        lambda v: s.superior_predictive_ability(OWN, FAMILY, **BOOTSTRAP | {"block": v}),
        (0, 0.5, -1, N + 1, 1e9, *NO_NUMBER),
    ),
    "resamples": (lambda v: s.reality_check(OWN, FAMILY, **BOOTSTRAP | {"repetitions": v}), (0, -1, *NOT_WHOLE)),
    "seed of resamples": (lambda v: s.reality_check(OWN, FAMILY, **BOOTSTRAP | {"seed": v}), (-1, *NOT_WHOLE)),
}


@pytest.mark.parametrize(
    ("call", "value"),
    [(call, value) for call, values in PARAMETERS.values() for value in values],
    ids=[f"{name}={value!r}" for name, (_, values) in PARAMETERS.items() for value in values],
)
def test_an_impossible_parameter_is_refused_and_the_message_shows_it(call, value):
    with pytest.raises(InputError) as refusal:
        call(value)

    assert str(value) in str(refusal.value) or "1e+200" in str(refusal.value)


def test_a_block_without_ten_of_its_kind_is_too_little_data():
    for call in (
        lambda block: s.superior_predictive_ability(OWN, FAMILY, **BOOTSTRAP | {"block": block}),
        lambda block: s.sharpe_difference_test(OWN, OTHER, method="bootstrap", block=block),
    ):
        with pytest.raises(InsufficientData, match="10 are needed"):
            call(33)


@pytest.mark.parametrize("name", ["sharpe_ratio", "sharpe_error, HAC", "win_loss_ratio", "hit_rate"])
@pytest.mark.parametrize("power", [-1000, -500, -3, 1])
def test_a_ratio_is_the_same_at_every_scale_that_numbers_have(name, power):
    """Powers of two lose no digit, so not even the last bit may move."""
    assert repr(ON_ARRAYS[name](lambda a: np.ldexp(a, power))) == repr(ON_ARRAYS[name](lambda a: a))
