"""What the statistics refuse, to the letter, the bounds at which they do, and how their results word themselves."""

from dataclasses import dataclass, fields
from math import erfc, exp, inf, log, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

from signoff.stats import returns as r
from signoff.stats import sample as s
from signoff.stats.association import pearson_correlation
from signoff.stats.bootstrap import _drawn_lengths, reality_check, superior_predictive_ability
from signoff.stats.clusters import clusters, date_codes
from signoff.stats.comparison import sharpe_difference_test
from signoff.stats.coverage import christoffersen, kupiec
from signoff.stats.deflated import expected_maximum_sharpe, minimum_backtest_length, minimum_track_record_length
from signoff.stats.dispersion import volatility_ratio
from signoff.stats.downside import downside_sensitivity_ratio
from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.overfitting import probability_of_backtest_overfitting, unchoosable
from signoff.stats.performance import (
    annualized_return,
    equity_curve,
    hit_rate,
    information_ratio,
    rolling_sharpe,
    sharpe_ratio,
    total_return,
    win_loss_ratio,
)
from signoff.stats.rows import read_rows, rows_a_year
from signoff.stats.sequential import mean_difference_sequence
from signoff.stats.sharpe import annual_sharpe, lo_standard_error, sharpe_error
from signoff.stats.shown import Shown, _text
from signoff.stats.spacing import CONVENTIONS, Spacing, first_days, period_numbers, spacing, wandering, weekday
from signoff.stats.symmetry import symmetric_prediction_accuracy, wilson_bound
from signoff.stats.value_at_risk import (
    conditional_value_at_risk,
    rolling_value_at_risk,
    value_at_risk,
    volatility_scaled,
)
from signoff.stats.walk_forward import first_windows, walk_forward_consistency, windows

NOISE = np.random.default_rng(1).normal(0.0005, 0.01, 400)
OTHER = np.random.default_rng(2).normal(0.0002, 0.01, 400)


def altered(values, at, value):
    found = np.array(values, dtype=float)
    found[at] = value
    return found


TRIALS = np.random.default_rng(3).normal(0, 0.01, (64, 3))
LOSSES = np.random.default_rng(4).normal(0, 1, (100, 3))
SPA = {"block": 5, "repetitions": 10, "seed": 0}

REFUSED = {
    # Samples and options.
    "no number": (lambda: sharpe_ratio(altered(NOISE, 3, nan)), InputError, "returns: row 3 is"),
    "beyond a loss of all": (
        lambda: sharpe_ratio(altered(NOISE, 3, -1.5)), InputError,
        "returns: row 3 is -1.5; expected a simple return such as 0.012, at least −1, since nothing loses more than "
        "all of it. Are these percentages, or amounts of money?",
    ),
    "a gain that nobody declared": (
        lambda: sharpe_ratio(altered(NOISE, 3, 1.5)), InputError,
        "returns: row 3 is 1.5; expected a simple return such as 0.012, at most 1 (+100%) in one period unless it is "
        "declared. Are these percentages, or worths instead of returns?",
    ),
    "rows after a loss of all": (
        lambda: sharpe_ratio(altered(NOISE, 397, -1.0)), InputError,
        "returns: row 397 is -1; a loss of 100% ends the record, and 2 rows follow it. End the record there, or "
        "correct the return.",
    ),
    "worths": (
        lambda: sharpe_ratio(np.linspace(0.6, 0.9, 5)), InputError,
        "returns: expected returns such as 0.012, found 5 values that are all above 0, with a median of 0.75: they "
        "read as an equity curve. Pass the changes, worth[t] / worth[t − 1] − 1.",
    ),
    "a sum so far": (
        lambda: sharpe_ratio(np.linspace(-0.1, 0.3, 60)), InputError,
        "returns: expected returns such as 0.012, found 60 values of which each is almost the one before it: they read "
        "as a sum of returns so far. Pass the return of each period.",
    ),
    "equal returns": (
        lambda: sharpe_ratio([0.01] * 5), InsufficientData, "returns: all 5 values are equal (0.01); nothing varies.",
    ),
    "returns that are equal to rounding": (
        lambda: sharpe_ratio([0.01, 0.01 + 1e-9]), InsufficientData,
        "returns: all 2 values are equal to rounding (0.01 to 0.010000001); nothing varies, and a ratio to their "
        "deviation means nothing.",
    ),
    "a table with a wrong entry": (
        lambda: probability_of_backtest_overfitting(altered(TRIALS, (5, 1), -2.0)), InputError,
        "trials: row 5, column 1 is -2; expected a simple return such as 0.012, at least −1, since nothing loses more "
        "than all of it. Are these percentages, or amounts of money?",
    ),
    "a limit that is none": (
        lambda: r.returns_up_to(0.5).__enter__(), InputError,
        "largest: expected a finite fraction of at least 1, found 0.5; pass 1.5 for +150%.",
    ),
    "a curve below nothing": (
        lambda: r.compoundable(np.array([0.1, -1.1])), InputError,
        "returns: row 1 is -1.1; a simple return is at least −1. Are these percentages?",
    ),
    "no finite number": (
        lambda: s.finite(inf, "x"), InputError, "x: expected a finite number, found inf; pass one.",
    ),
    "a list for a number": (
        lambda: s.finite([1.0], "x"), InputError, "x: expected a finite number, found [1.0]; pass one.",
    ),
    "not above 0": (lambda: s.positive(0, "x"), InputError, "x: expected a number above 0, found 0; pass one."),
    "no share": (
        lambda: s.share(1, "x"), InputError,
        "x: expected a number between 0 and 1, found 1; pass 0.95 for 95 percent.",
    ),
    "a tail for a confidence": (
        lambda: s.confidence_level(0.05, "x"), InputError,
        "x: expected a confidence from 0.5 to 1, such as 0.95 for the worst 5 percent, found 0.05; pass 0.95 if 0.05 "
        "is the tail.",
    ),
    "no whole number": (
        lambda: s.whole(1.5, "x", at_least=1), InputError,
        "x: expected a whole number of at least 1, found 1.5; pass one.",
    ),
    "a flag for a number": (
        lambda: s.whole(True, "x", at_least=0), InputError,
        "x: expected a whole number of at least 0, found True; pass one.",
    ),
    "an unknown word": (
        lambda: s.one_of("c", "x", {"b", "a"}), InputError, "x: expected one of a, b, found 'c'.",
    ),
    # Performance.
    "no return but zeros": (
        lambda: hit_rate([0.0, 0.0]), InsufficientData,
        "returns: all 2 are zero; there is nothing to hit or miss.",
    ),
    "no loss": (
        lambda: win_loss_ratio([0.1, 0.0]), InsufficientData,
        "returns: 1 gains and 0 losses; one of each is needed.",
    ),
    "compounding beyond any number": (
        lambda: equity_curve(np.ones(1100)), InputError, "returns: expected returns such as 0.012, found 1100 values",
    ),
    "a year beyond any number": (
        lambda: annualized_return([0.9, 0.9, -0.1], periods=99999), InputError,
        "returns: 3 of them compound beyond any number a year; are these percentages?",
    ),
    "a benchmark that is tracked": (
        lambda: information_ratio([0.01, 0.02, 0.01], [0.0, 0.01, 0.0]), InsufficientData,
        "active returns: all 3 values are equal",
    ),
    "a window of one": (
        lambda: rolling_sharpe(NOISE, 1), InputError,
        "window: expected a whole number of at least 2, found 1; pass one.",
    ),
    # Comparison.
    "one record twice": (
        lambda: sharpe_difference_test(NOISE, 2 * NOISE), InsufficientData,
        "a and b: one is a multiple of the other; there is no difference to test.",
    ),
    "a first record that is flat": (
        lambda: sharpe_difference_test(np.full(400, 0.01), NOISE), InsufficientData,
        "a: all 400 values are equal (0.01); nothing varies.",
    ),
    "a second record that is flat": (
        lambda: sharpe_difference_test(NOISE, np.full(400, 0.01)), InsufficientData,
        "b: all 400 values are equal (0.01); nothing varies.",
    ),
    "a block of more than all": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", block=401), InputError,
        "block: 401 periods are more than the 400 observed; pass at most 40.",
    ),
    "too few blocks": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", block=41), InsufficientData,
        "block: 400 periods hold 9 blocks of 41; 10 are needed.",
    ),
    "no block": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", block=0), InputError,
        "block: expected a whole number of at least 1, found 0; pass one.",
    ),
    "no repetition": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", repetitions=0), InputError,
        "repetitions: expected a whole number of at least 1, found 0; pass one.",
    ),
    "a seed below 0": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", seed=-1), InputError,
        "seed: expected a whole number of at least 0, found -1; pass one.",
    ),
    "lags below 0": (
        lambda: sharpe_difference_test(NOISE, OTHER, lags=-1), InputError,
        "lags: expected a whole number of at least 0, found -1; pass one.",
    ),
    "another method": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="x"), InputError,
        "method: expected one of bootstrap, hac, found 'x'.",
    ),
    # Data snooping.
    "a block of less than one": (
        lambda: reality_check(LOSSES[:, 0], LOSSES[:, 1:], **SPA | {"block": 0.5}), InputError,
        "block: expected a mean length from 1 to the 100 periods given, found 0.5; pass n^(1/3).",
    ),
    "a block of more than all periods": (
        lambda: reality_check(LOSSES[:, 0], LOSSES[:, 1:], **SPA | {"block": 101}), InputError,
        "block: expected a mean length from 1 to the 100 periods given, found 101; pass n^(1/3).",
    ),
    "nine blocks": (
        lambda: reality_check(LOSSES[:99, 0], LOSSES[:99, 1:], **SPA | {"block": 10}), InsufficientData,
        "losses: 99 periods hold 9.9 blocks of 10; 10 are needed.",
    ),
    "no resample": (
        lambda: reality_check(LOSSES[:, 0], LOSSES[:, 1:], **SPA | {"repetitions": 0}), InputError,
        "repetitions: expected a whole number of at least 1, found 0; pass 1000 or more.",
    ),
    "rows of two lengths": (
        lambda: reality_check(LOSSES[:99, 0], LOSSES[:, 1:], **SPA), InputError,
        "benchmark_losses has 99 rows and model_losses 100; align them.",
    ),
    "no model": (
        lambda: reality_check(LOSSES[:, 0], np.empty((100, 0)), **SPA), InsufficientData,
        "model_losses: no model to compare.",
    ),
    "a model that is the benchmark": (
        lambda: reality_check(LOSSES[:, 0], np.column_stack([LOSSES[:, 1], LOSSES[:, 0]]), **SPA), InsufficientData,
        "model_losses: column 1 differs from the benchmark by a constant; there is nothing to resample.",
    ),
    "losses of no size": (
        lambda: reality_check(np.zeros(100), 1e-120 * LOSSES, **SPA), InputError,
        f"model_losses: column 0 differs from the benchmark by up to {1e-120 * np.abs(LOSSES[:, 0]).max():g}, whose "
        "square is no number; pass losses in another unit, as fractions of capital.",
    ),
    "another stream": (
        lambda: superior_predictive_ability(LOSSES[:, 0], LOSSES[:, 1:], **SPA, stream="x"), InputError,
        "stream: expected one of arch, own, found 'x'.",
    ),
    # Overfitting.
    "an odd number of blocks": (
        lambda: probability_of_backtest_overfitting(TRIALS, partitions=3), InputError,
        "partitions: 3 cannot be cut into equal halves in good time; take an even number up to 24, 16 unless the "
        "record is short.",
    ),
    "too many blocks": (
        lambda: probability_of_backtest_overfitting(TRIALS, partitions=26), InputError,
        "partitions: 26 cannot be cut into equal halves in good time; take an even number up to 24, 16 unless the "
        "record is short.",
    ),
    "no blocks": (
        lambda: probability_of_backtest_overfitting(TRIALS, partitions=0), InputError,
        "partitions: expected a whole number of at least 2, found 0; take an even number up to 24, 16 unless the "
        "record is short.",
    ),
    "one trial": (
        lambda: probability_of_backtest_overfitting(TRIALS[:, :1]), InsufficientData,
        "trials: 1 column(s); overfitting shows only against at least two. Add every configuration tried.",
    ),
    "one row": (
        lambda: probability_of_backtest_overfitting(TRIALS[:1], partitions=2), InsufficientData,
        "trials: 1 row(s); there is nothing to cut into halves.",
    ),
    "more blocks than rows": (
        lambda: probability_of_backtest_overfitting(TRIALS[:7], partitions=8), InputError,
        "partitions: 8 blocks cannot be cut from 7 rows; pass at most 6 or a longer record.",
    ),
    "halves of one row": (
        lambda: probability_of_backtest_overfitting(TRIALS[:3], partitions=2), InsufficientData,
        "trials: 3 rows leave halves of fewer than two rows, which have no Sharpe ratio.",
    ),
    "a trial that never traded": (
        lambda: probability_of_backtest_overfitting(np.column_stack([TRIALS, np.zeros(64)])), InsufficientData,
        "trials: column 3 is constant (0) over the 64 rows used; it has no Sharpe ratio. Leave out what never traded, "
        "and say so.",
    ),
    "a trial that rests elsewhere than at 0": (
        lambda: probability_of_backtest_overfitting(
            np.column_stack([TRIALS, np.concatenate([np.full(32, 0.01), TRIALS[:32, 0]])]), partitions=4
        ),
        InsufficientData,
        "trials: column 3 has one and the same return throughout at least half of the record; a half without variation "
        "has no Sharpe ratio.",
    ),
    # Deflation.
    "one trial to deflate by": (
        lambda: expected_maximum_sharpe(1, 0.1), InsufficientData,
        "trials: 1; overfitting shows only against at least two. Count every one tried.",
    ),
    "a variance below 0": (
        lambda: expected_maximum_sharpe(2, -0.1), InputError,
        "trial_sharpe_variance: expected at least 0, found -0.1; a variance has no sign.",
    ),
    "trials of one ratio": (
        lambda: expected_maximum_sharpe(2, 0), InsufficientData,
        "trials: the Sharpe ratios of all 2 are equal; they are not different trials.",
    ),
    "a ratio below its benchmark": (
        lambda: minimum_track_record_length(0.1, benchmark=0.1), InsufficientData,
        "sharpe_per_period: 0.1 is not above 0.1; no record is long enough to show it.",
    ),
    "a ratio of nothing": (
        lambda: minimum_backtest_length(2, 0), InputError, "sharpe: expected a number above 0, found 0; pass one.",
    ),
    # Value at risk and coverage.
    "too few returns for a level": (
        lambda: value_at_risk(NOISE[:19]), InsufficientData,
        "returns: 19 of them hold 0.95 expected losses beyond the 0.95 quantile; at least one is needed. Give a longer "
        "record or a lower level.",
    ),
    "a flat window": (
        lambda: rolling_value_at_risk(np.concatenate([NOISE[:30], np.zeros(30), NOISE[:30]]), window=20),
        InsufficientData, "returns: the 20 from row 30 on are all equal.",
    ),
    "another method of risk": (
        lambda: value_at_risk(NOISE, method="x"), InputError,
        "method: expected one of filtered_historical, historical, parametric, found 'x'.",
    ),
    "more exceptions than periods": (
        lambda: kupiec(101, 100), InputError,
        "exceptions: expected 0 to n = 100, found 101; count both over the same periods.",
    ),
    "not one exception expected": (
        lambda: kupiec(0, 19), InsufficientData, "n: 19 forecasts at 0.95 expect 0.95 exceptions; one is needed.",
    ),
    # Windows.
    "no window": (
        lambda: walk_forward_consistency([]), InsufficientData,
        "windows: 0 complete out-of-sample windows; 1 is needed.",
    ),
    "flat windows": (
        lambda: walk_forward_consistency([[0.0, 0.0], [0.01, 0.01]]), InsufficientData,
        "windows: in none of the 2 do the returns vary.",
    ),
    "a window after ruin": (
        lambda: walk_forward_consistency([[0.1, -1.0], [0.1, 0.2], [0.1, 0.2]]), InputError,
        "window 0: its last return is −1; a loss of 100% ends the record, and 2 windows follow it. End the record "
        "there, or correct the return.",
    ),
    "a window of no session": (
        lambda: windows(10, 0), InputError, "window: expected a whole number of at least 1, found 0; pass one.",
    ),
    # The others.
    "an even split of nothing": (
        lambda: downside_sensitivity_ratio([0.01, 0.01], threshold=0.01), InsufficientData,
        "returns: all 2 equal the threshold 0.01; nothing was won or lost.",
    ),
    "nothing to judge": (
        lambda: symmetric_prediction_accuracy([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), InsufficientData,
        "predictions: of 3 rows 2 are flat and 1 have a zero return; none is left to judge.",
    ),
    "dates of another number": (
        lambda: date_codes(np.arange(3), 4), InputError, "dates: expected one for each of 4 rows, found shape (3,).",
    ),
    "a date that is none": (
        lambda: date_codes(np.array(["2019-01-01", "NaT"], dtype="datetime64[D]"), 2), InputError,
        "dates: row 1 has none; give every row its date.",
    ),
    "a horizon of nothing": (
        lambda: clusters(3, horizon=0), InputError,
        "horizon: expected a whole number of at least 1, found 0; pass one.",
    ),
    "differences that never vary": (
        lambda: mean_difference_sequence(NOISE + 0.5, NOISE), InsufficientData, "the first 20 differences",
    ),
    "bounds beyond any number": (
        lambda: mean_difference_sequence(1e308 * np.tile([1, -1], 5), np.zeros(10), horizon=1, minimum=2),
        InputError,
        "a − b: its bounds are beyond any number; pass returns as fractions, 0.01 for one percent.",
    ),
    "another dependence": (
        lambda: mean_difference_sequence(NOISE, OTHER, dependence="x"), InputError,
        "dependence: expected one of autoregressive, independent, found 'x'.",
    ),
    "another method of association": (
        lambda: pearson_correlation(NOISE, OTHER, method="x"), InputError,
        "method: expected one of fisher, hac, found 'x'.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_and_why(kind):
    act, error, words = REFUSED[kind]
    with pytest.raises(error) as caught:
        act()
    said = str(caught.value)
    assert said == words if words.endswith((".", "?")) else said.startswith(words)


class TestBounds:
    """What lies at a bound is let through."""

    def test_of_samples(self):
        assert rolling_sharpe([0.01, 0.02, 0.04], 2, periods=1) == pytest.approx(
            [0.015 / (0.01 / sqrt(2)), 0.03 / (0.02 / sqrt(2))]
        )
        assert probability_of_backtest_overfitting(TRIALS[:5], partitions=4).n == 4
        assert probability_of_backtest_overfitting(TRIALS[:4], partitions=4).rows_trimmed == 0
        assert probability_of_backtest_overfitting(TRIALS[:4, :2], partitions=2).splits == 2
        assert value_at_risk(NOISE[:20]).n == 20
        assert kupiec(0, 20).n == 20
        assert reality_check(LOSSES[:, 0], LOSSES[:, 1:], **SPA | {"block": 10}).block == 10
        assert sharpe_difference_test(NOISE, OTHER, method="bootstrap", block=40, repetitions=1).block == 40
        assert s.confidence_level(0.5, "x") == 0.5
        assert s.whole(np.int64(3), "x", at_least=3) == 3
        assert total_return([1.0, -0.5]) == pytest.approx(0.0)
        with r.returns_up_to(1.5):
            assert total_return([1.5]) == pytest.approx(1.5)
        with r.returns_up_to(1.0):
            assert total_return([1.0]) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("options", "fewest"), [({}, 4), ({"lags": 0}, 2), ({"lags": 1}, 2), ({"method": "iid"}, 2)]
    )
    def test_of_an_error(self, options, fewest):
        assert sharpe_error(NOISE[:fewest], **options).n == fewest
        with pytest.raises(InsufficientData, match=f"^returns: .* at least {fewest} are needed"):
            sharpe_error(NOISE[: fewest - 1], **options)

    @pytest.mark.parametrize(("n", "window", "found"), [(10, 3, 3), (9, 3, 3), (8, 3, 2), (2, 3, 0), (3, 1, 3)])
    def test_of_windows(self, n, window, found):
        assert windows(n, window) == tuple(slice(at, at + window) for at in range(0, found * window, window))

    @pytest.mark.parametrize(
        ("values", "is_one"),
        [
            (np.linspace(0.51, 0.9, 3), True),
            (np.linspace(0.51, 0.9, 2), False),
            ([0.4, 0.5, 0.6], False),
            ([0.4, 0.51, 0.6], True),
            ([0.0, 0.6, 0.7], False),
            (np.cumsum(NOISE[:60]), False),
            (np.linspace(-0.3, 0.3, 60), True),
            (np.linspace(-0.3, 0.3, 59), False),
            (np.zeros(60), False),
        ],
    )
    def test_of_curves(self, values, is_one):
        assert (r.worths(np.asarray(values, dtype=float)) is not None) is is_one

    def test_of_percentages(self):
        sizes = np.tile([0.19, -0.21], 10)

        assert not r.is_percent(sizes[:19] * 2)
        assert not r.is_percent(np.full(20, 0.2))
        assert r.is_percent(np.append(np.full(20, 0.21), np.zeros(50)))

    def test_the_typical_volatility(self):
        moved = np.tile([0.01, -0.03, 0.02], 7)[:20]

        assert r.typical_volatility(np.append(moved[:19], np.zeros(9)), 252) is None
        assert r.typical_volatility(moved, 252) == pytest.approx(1.4826 * 0.02 * sqrt(252))
        assert r.typical_volatility(np.append(moved, np.zeros(20)), 252) == pytest.approx(1.4826 * 0.02 * sqrt(126))

    def test_a_ruin_may_rest_in_a_table(self):
        after = np.array([0.1, -1.0, 0.0, 0.0])
        assert r.impossible(after, may_rest=True) is None
        assert r.impossible(after)[0] == 1
        assert r.impossible(np.append(after, 0.1), may_rest=True)[0] == 1
        assert r.impossible(after[:2]) is None
        assert r.impossible(np.array([0.1, 1.2]), np.array([False, True])) is None
        assert r.impossible(np.array([1.2, 1.2]), np.array([False, True]))[0] == 0
        assert r.impossible_columns(np.array([[0.1, 0.1], [0.1, -1.0], [0.1, 0.2]]))[:2] == (1, 1)
        with r.as_lived():
            assert r.impossible(np.array([-5.0, -1.0, 9.0])) is None

    def test_steadiness_is_a_thousandth_of_the_mean(self):
        assert r.is_steady(np.array([1.0, 1.0019]))
        assert not r.is_steady(np.array([1.0, 1.0021]))
        assert not r.is_steady(np.array([-1.0, 1.0]))


class TestDispersion:
    """Bonett's interval as his paper writes it, by sums."""

    @pytest.mark.parametrize(("n", "m", "confidence"), [(40, 20, 0.99), (25, 60, 0.9)])
    def test_by_another_derivation(self, n, m, confidence):
        rng = np.random.default_rng(n)
        first, second = rng.standard_t(5, n), 1.3 * rng.standard_t(5, m)

        def trimmed(values):
            cut = int(len(values) / (2 * sqrt(len(values) - 4)))
            kept = sorted(values)[cut : len(values) - cut]
            return sum(kept) / len(kept)

        fourth = sum(sum((x - trimmed(part)) ** 4 for x in part) for part in (first, second))
        squares = sum(sum((x - sum(part) / len(part)) ** 2 for x in part) for part in (first, second))
        kurtosis = (n + m) * fourth / squares**2
        error = sqrt((kurtosis - (n - 3) / n) / (n - 1) + (kurtosis - (m - 3) / m) / (m - 1)) / 2
        centre = log(np.std(second, ddof=1) / np.std(first, ddof=1))
        half = reference.norm.ppf((1 + confidence) / 2) * error

        found = volatility_ratio(first, second, confidence=confidence)

        assert found.value == pytest.approx(exp(centre))
        assert (found.low, found.high) == (pytest.approx(exp(centre - half)), pytest.approx(exp(centre + half)))
        assert found.p_value == pytest.approx(erfc(abs(centre) / error / sqrt(2)))
        assert (found.kurtosis, found.n_reference, found.n_current) == (pytest.approx(kurtosis), n, m)
        assert found.convention == f"ratio of standard deviations, Bonett's (2006) {100 * confidence:g}% interval"

    def test_fewest(self):
        assert volatility_ratio(NOISE, OTHER[:20]).n_current == 20
        assert volatility_ratio(NOISE, OTHER[:6], minimum=6).n_current == 6
        with pytest.raises(InsufficientData, match="current"):
            volatility_ratio(NOISE, OTHER[:5], minimum=6)
        with pytest.raises(InputError, match="minimum: expected a whole number of at least 6, found 5"):
            volatility_ratio(NOISE, OTHER, minimum=5)


def test_a_book_that_is_scaled_to_a_constant_forecast():
    """λσ² + (1 − λ)r² from the mean square on, by a loop."""
    own = NOISE[:50].tolist()
    variance, forecasts = sum(x * x for x in own) / 50, []
    for x in own:
        forecasts.append(sqrt(variance))
        variance = 0.94 * variance + 0.06 * x * x
    level = sqrt(sum(f * f for f in forecasts) / 50)

    assert volatility_scaled(NOISE[:50]) == pytest.approx([x * level / f for x, f in zip(own, forecasts, strict=True)])
    with pytest.raises(InsufficientData, match="returns"):
        volatility_scaled([0.01, 0.01])


class TestDownside:
    def test_by_hand(self):
        found = downside_sensitivity_ratio([0.03, -0.01, 0.01, -0.03, 0.01], threshold=0.01)
        down, up = sqrt((0.02**2 + 0.04**2) / 5), sqrt(0.02**2 / 5)

        assert found.ratio == pytest.approx(down / up)
        assert (found.downside, found.upside) == (pytest.approx(down), pytest.approx(up))
        assert (found.n, found.losses, found.gains, found.ties, found.threshold) == (5, 2, 1, 2, 0.01)
        assert found.convention == "√mean(min(r − τ, 0)²) / √mean(max(r − τ, 0)²) over all T, τ = 0.01"
        assert downside_sensitivity_ratio([-0.1, -0.2]).ratio == inf
        assert downside_sensitivity_ratio([0.1, 0.2]).ratio == 0.0


class TestLengths:
    @pytest.mark.parametrize(("n", "block"), [(1, 1.0), (30, 3.0), (50, 50.0)])
    def test_drawn_lengths_cover_the_record(self, n, block):
        drawn = _drawn_lengths(n, block, 40, np.random.default_rng(1))
        assert (drawn.sum(axis=1) >= n).all()
        assert (drawn >= 1).all()
        assert (drawn <= n).all()


CONVENTION = {
    "sharpe error by hac": (
        lambda: sharpe_error(NOISE).convention.partition(",")[0], "delta method",
    ),
    "sharpe error of independent ones": (
        lambda: sharpe_error(NOISE, method="iid").convention, "Lo (2002), independent returns",
    ),
    "sharpe error with lags": (
        lambda: sharpe_error(NOISE, lags=3).convention, "delta method, Bartlett HAC, 3 lags",
    ),
    "difference with lags": (
        lambda: sharpe_difference_test(NOISE, OTHER, lags=2).convention,
        "Ledoit and Wolf (2008), two-sided, Bartlett HAC with 2 lags and T/(T − 4)",
    ),
    "difference by bootstrap": (
        lambda: sharpe_difference_test(NOISE, OTHER, method="bootstrap", repetitions=9).convention,
        "Ledoit and Wolf (2008), two-sided, Bartlett HAC with 5 lags and T/(T − 4); studentised circular bootstrap, "
        "blocks of 6, p = (b + 1)/(B + 1)",
    ),
    "spa": (
        lambda: superior_predictive_ability(LOSSES[:, 0], LOSSES[:, 1:], **SPA).convention,
        "Hansen (2005), studentised, stationary bootstrap with mean block 5, p = (b + 1)/(B + 1)",
    ),
    "spa of plain means by arch": (
        lambda: superior_predictive_ability(
            LOSSES[:, 0], LOSSES[:, 1:], **SPA, studentize=False, stream="arch"
        ).convention,
        "Hansen (2005), not studentised, stationary bootstrap with mean block 5 by the rows of arch 8.0.0, p = (b + "
        "1)/(B + 1)",
    ),
    "reality check": (
        lambda: reality_check(LOSSES[:, 0], LOSSES[:, 1:], **SPA).convention,
        "White (2000), stationary bootstrap with mean block 5, p = (b + 1)/(B + 1)",
    ),
    "sequence": (
        lambda: mean_difference_sequence(NOISE, OTHER).convention,
        "asymptotic confidence sequence (Waudby-Smith et al. 2024), two-sided 0.95, tightest near 60 observations, "
        "from observation 20 on; widened by the first autocorrelation and its error",
    ),
    "sequence of independent ones": (
        lambda: mean_difference_sequence(NOISE, OTHER, dependence="independent", horizon=9, minimum=5).convention,
        "asymptotic confidence sequence (Waudby-Smith et al. 2024), two-sided 0.95, tightest near 9 observations, "
        "from observation 5 on; differences taken as serially uncorrelated",
    ),
    "fisher": (
        lambda: pearson_correlation(NOISE, OTHER, method="fisher", confidence=0.9).convention,
        "Pearson, Fisher's (1921) 90% interval, of independent and bivariate normal pairs",
    ),
    "a perfect correlation": (
        lambda: pearson_correlation(NOISE, NOISE).convention,
        "Pearson, 95% interval by the jackknife on Fisher's scale",
    ),
    "historical shortfall": (
        lambda: conditional_value_at_risk(NOISE).convention,
        "mean of the method's own distribution at or below its own VaR: mean of the returns at or below it; VaR by "
        "empirical quantile of the returns, interpolated linearly between order statistics (Hyndman and Fan 1996, type "
        "7)",
    ),
    "rolling": (
        lambda: rolling_value_at_risk(NOISE, window=30, method="parametric").convention,
        "one step ahead from the 30 returns before: normal quantile, mean + z × standard deviation (ddof = 1); an "
        "exception lies below",
    ),
    "kupiec": (lambda: kupiec(9, 100).convention, "Kupiec (1995) LRuc ~ χ² with 1 degrees of freedom, 0·ln 0 = 0"),
    "first windows": (
        lambda: first_windows(NOISE, 20).convention,
        "share of contiguous windows of 20 sessions whose compounded return is above zero, for each of the 20 sessions "
        "that the first may begin on; the last partial window is dropped",
    ),
    "rows without dates": (
        lambda: clusters(3).words, "no dates given: rows taken in their order, oldest first, neighbours as dependent",
    ),
    "rows with dates": (lambda: clusters(3, [1, 1, 2]).words, "clustered by date (2 dates)"),
    "rows that overlap": (
        lambda: clusters(3, [1, 1, 2], horizon=5).words,
        "clustered by date (2 dates, realised returns cover 5 of them)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONVENTION)
def test_a_result_says_how_it_was_computed(kind):
    ask, words = CONVENTION[kind]
    assert ask() == words


class TestResults:
    """The fields beside the figures: what a result was asked for, and what it rests on."""

    def test_of_a_difference(self):
        plain = sharpe_difference_test(NOISE, OTHER, periods=4)
        drawn = sharpe_difference_test(NOISE, OTHER, method="bootstrap", repetitions=9, seed=3)
        own = [NOISE.mean() / NOISE.std(ddof=1), OTHER.mean() / OTHER.std(ddof=1)]

        assert (plain.sharpe_a, plain.sharpe_b) == (pytest.approx(2 * own[0]), pytest.approx(2 * own[1]))
        assert (plain.n, plain.lags, plain.block, plain.repetitions, plain.seed) == (400, None, None, None, None)
        assert plain.degrees == 21
        assert plain.statistic == pytest.approx(plain.difference / plain.standard_error)
        assert plain.p_value == pytest.approx(2 * reference.t.sf(abs(plain.statistic), 21))
        assert plain.half_width == pytest.approx(plain.standard_error * reference.t.ppf(0.975, 21))
        assert (drawn.lags, drawn.degrees, drawn.block, drawn.repetitions, drawn.seed) == (5, None, 6, 9, 3)
        assert drawn.half_width == pytest.approx(drawn.standard_error * reference.norm.ppf(0.975))
        with_lags = sharpe_difference_test(NOISE, OTHER, lags=2)
        assert (with_lags.lags, with_lags.degrees, with_lags.block) == (2, None, None)
        assert with_lags.p_value == pytest.approx(2 * reference.norm.sf(abs(with_lags.statistic)))

    def test_of_a_family(self):
        found = superior_predictive_ability(LOSSES[:, 0], LOSSES[:, 1:], block=5, repetitions=40, seed=7)
        checked = reality_check(LOSSES[:, 0], LOSSES[:, 1:], block=5, repetitions=40, seed=7)
        gains = LOSSES[:, :1] - LOSSES[:, 1:]

        for one in (found, checked):
            assert (one.n, one.models, one.block, one.repetitions, one.seed) == (100, 2, 5, 40, 7)
        assert checked.best_model == int(np.argmax(gains.mean(axis=0)))
        assert checked.statistic == pytest.approx(max(0.0, sqrt(100) * gains.mean(axis=0).max()))
        assert checked.p_value == pytest.approx((40 * checked.raw + 1) / 41)
        assert checked.monte_carlo_error == pytest.approx(sqrt(checked.raw * (1 - checked.raw) / 40))
        for name in ("lower", "consistent", "upper"):
            raw = getattr(found.raw, name)
            assert getattr(found, name) == pytest.approx((40 * raw + 1) / 41)
            assert getattr(found.monte_carlo_error, name) == pytest.approx(sqrt(raw * (1 - raw) / 40))
        assert found.raw.consistent == np.mean(found.resamples >= found.statistic - 1e-10)
        assert found.is_studentized
        assert not superior_predictive_ability(LOSSES[:, 0], LOSSES[:, 1:], **SPA, studentize=False).is_studentized
        hopeless = np.column_stack([LOSSES[:, 1], LOSSES[:, 2] + 3])
        apart = superior_predictive_ability(LOSSES[:, 0], hopeless, block=5, repetitions=200, seed=7)
        resampled = superior_predictive_ability(LOSSES[:, 0], hopeless[:, :1], block=5, repetitions=200, seed=7)
        assert apart.resamples == pytest.approx(resampled.resamples)  # consistent: a hopeless model changes nothing
        assert apart.raw.lower <= apart.raw.consistent <= apart.raw.upper
        named = pd.DataFrame(LOSSES[:, 1:], columns=["one", "two"])
        assert reality_check(LOSSES[:, 0], named, **SPA).best_model in {"one", "two"}

    def test_of_an_overfit_family(self):
        found = probability_of_backtest_overfitting(np.vstack([TRIALS[:3] * 9, TRIALS]), partitions=8)
        ratios = TRIALS.mean(axis=0) / TRIALS.std(axis=0, ddof=1)

        assert (found.n, found.trials, found.partitions, found.splits, found.rows_trimmed) == (64, 3, 8, 70, 3)
        assert found.best_trial == int(np.argmax(ratios))
        assert found.probability_of_loss == np.mean(found.out_of_sample_sharpe < 0)
        gained = found.in_sample_sharpe > 0
        assert found.is_oos_ratio == pytest.approx(
            np.median(found.out_of_sample_sharpe[gained] / found.in_sample_sharpe[gained])
        )
        assert found.slope == pytest.approx(np.polyfit(found.in_sample_sharpe, found.out_of_sample_sharpe, 1)[0])
        assert (found.ties, found.flat_halves) == (0, 0)
        resting = np.column_stack([TRIALS, np.concatenate([np.zeros(48), TRIALS[:16, 0]])])
        assert probability_of_backtest_overfitting(resting, partitions=4).flat_halves == 3
        assert unchoosable(TRIALS, partitions=4, share=0.0).tolist() == (ratios <= ratios.max() / 3).tolist()

    def test_of_value_at_risk(self):
        for method in ("historical", "parametric", "filtered_historical"):
            plain, tail = value_at_risk(NOISE, method=method), conditional_value_at_risk(NOISE, method=method)
            assert (plain.n, plain.level, plain.method) == (tail.n, tail.level, tail.method) == (400, 0.95, method)
            assert tail.value_at_risk == plain.value
            assert tail.value < plain.value
            assert 10 < tail.exceedances < 30
        rolled = rolling_value_at_risk(NOISE, window=30)
        assert (rolled.n, rolled.window, rolled.level, rolled.method) == (370, 30, 0.95, "historical")
        assert rolled.exceptions == int(rolled.is_exception.sum()) == int((NOISE[30:] < rolled.forecasts).sum())
        assert rolled.forecasts[0] == pytest.approx(np.quantile(NOISE[:30], 0.05))
        normal = value_at_risk(NOISE, method="parametric").value
        assert normal == pytest.approx(NOISE.mean() + reference.norm.ppf(0.05) * NOISE.std(ddof=1))

    def test_of_coverage(self):
        found = christoffersen(np.tile([1, *[0] * 19], 10))

        assert [one.n for one in (found.unconditional, found.independence, found.conditional)] == [200, 199, 200]
        assert [one.degrees for one in (found.unconditional, found.independence, found.conditional)] == [1, 1, 2]
        assert {one.level for one in (found.unconditional, found.independence, found.conditional)} == {0.95}
        assert found.transitions == ((180, 9), (10, 0))
        assert kupiec(10, 200).exceptions == 10
        assert kupiec(10, 200).statistic == pytest.approx(0.0, abs=1e-9)

    def test_of_sharpe_ratios(self):
        found = sharpe_error(NOISE, method="iid", periods=9)

        assert (found.n, found.method, found.lags, found.degrees) == (400, "iid", None, None)
        assert found.annual_sharpe == pytest.approx(3 * found.sharpe)
        assert found.standard_error == pytest.approx(lo_standard_error(found.sharpe, 400))
        assert (sharpe_error(NOISE, lags=3).lags, sharpe_error(NOISE).lags) == (3, None)
        annual = annual_sharpe(NOISE, confidence=0.9)
        assert (annual.confidence, annual.n, annual.is_scaled) == (0.9, 400, annual.scale.order > 0)
        assert annual.unscaled == pytest.approx(NOISE.mean() / NOISE.std(ddof=1) * sqrt(252))
        few = annual_sharpe(NOISE[:3])
        assert few.degrees is None
        assert few.convention.endswith("; 95% interval, Lo (2002), independent normal returns")
        assert few.standard_error == pytest.approx(lo_standard_error(few.unscaled / sqrt(252), 3) * sqrt(252))
        assert few.half_width == pytest.approx(reference.norm.ppf(0.975) * few.standard_error)

    def test_of_windows(self):
        found = walk_forward_consistency([[0.1, -0.1], [0.2, 0.1], [0.0, 0.0], [-0.1, 0.2]], periods=1, rate=0.01)

        assert (found.n, found.positive, found.zero, found.constant, found.consistency) == (4, 2, 1, 1, 0.5)
        assert found.window_returns == pytest.approx([-0.01, 0.32, 0.0, 0.08])
        ratios = [(np.mean(w) - 0.01) / np.std(w, ddof=1) for w in ([0.1, -0.1], [0.2, 0.1], [-0.1, 0.2])]
        assert found.mean_sharpe == pytest.approx(np.mean(ratios))
        first = first_windows([0.1, -0.05, -0.2, 0.3, 0.1], 2)
        growth = [1.1 * 0.95, 0.95 * 0.8, 0.8 * 1.3, 1.3 * 1.1]
        assert first.shares.tolist() == [np.mean([g > 1 for g in growth[0::2]]), np.mean([g > 1 for g in growth[1::2]])]
        assert (first.n, first.window) == (5, 2)

    def test_of_symmetry(self):
        said, came = [1, 1, 1, -1, -1, 0, 1, -1], [1, -1, 1, -1, -1, 1, 0, 1]
        found = symmetric_prediction_accuracy(said, came)

        assert (found.long_n, found.short_n, found.n) == (3, 3, 6)
        assert (found.flat_excluded, found.zero_excluded) == (1, 1)
        assert (found.long_accuracy, found.short_accuracy) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
        assert (found.dates, found.horizon, found.neutral, found.degrees) == (6, 1, 0.0, None)
        assert (found.gap, found.plain_minimum) == (pytest.approx(0.0), pytest.approx(2 / 3))
        assert found.harmonic_mean == pytest.approx(2 / 3)
        assert found.balanced_accuracy == pytest.approx(2 / 3)
        assert found.score == min(found.long_bound, found.short_bound)
        assert found.convention == (
            "smaller of the one-sided 95% Wilson lower bounds of long and short accuracy, on effective numbers of "
            "rows, no dates given: rows taken in their order, oldest first, neighbours as dependent; flat predictions "
            "and zero realised returns excluded"
        )
        low = (2 / 3 + 2.70554345 / 6 - 1.644853627 * sqrt(2 / 9 / 3 + 2.70554345 / 36)) / (1 + 2.70554345 / 3)
        assert wilson_bound(2 / 3, 3) == pytest.approx(low)
        assert (wilson_bound(0.0, 0), wilson_bound(0.0, 5)) == (0.0, 0.0)


class TestClusters:
    def test_rows_are_kept_and_dates_numbered_anew(self):
        held = clusters(5, ["b", "a", "a", "c", "b"], horizon=2)

        assert (held.codes.tolist(), held.dates, held.horizon, held.is_dated) == ([1, 0, 0, 2, 1], 3, 2, True)
        kept = held.kept(np.array([True, False, False, True, True]))
        assert (kept.codes.tolist(), kept.dates, kept.horizon, kept.is_dated) == ([0, 1, 0], 2, 2, True)
        assert held.kept(np.ones(5, dtype=bool)) is held
        assert held.sums(np.arange(5.0)).tolist() == [3.0, 4.0, 3.0]
        assert held.counts(np.array([0, 1, 1, 0, 1], dtype=np.uint8), 2).tolist() == [[0, 2], [1, 1], [1, 0]]
        assert clusters(0, []).dates == 0
        assert (clusters(3).codes.tolist(), clusters(3).dates, clusters(3).is_dated) == ([0, 1, 2], 3, False)

    @pytest.mark.parametrize(
        ("dates", "codes"),
        [
            ([1, 1, 2, 5], [0, 0, 1, 2]),
            ([2, 1, 1, 5], [1, 0, 0, 2]),
            (np.array(["2019-01-01T01", "2019-01-01T23", "2019-01-02T00", "2019-01-02T01"], dtype="datetime64[h]"),
             [0, 0, 1, 1]),
            (np.array(["b", "a", "a", "c"], dtype=object), [1, 0, 0, 2]),
        ],
    )  # fmt: skip
    def test_dates_are_numbered_in_time(self, dates, codes):
        assert date_codes(dates, 4).tolist() == codes

    @pytest.mark.parametrize(("dates", "is_known"), [(7, False), (8, True)])
    def test_eight_dates_have_a_variance(self, dates, is_known):
        held = clusters(dates, np.arange(dates))
        assert (held.variance(NOISE[:dates]) is not None) is is_known


class TestSpacing:
    """Monday 2018-01-01 is day 17532 since 1970."""

    MONDAY = 17532

    def days(self, *offsets):
        return self.MONDAY + np.array(offsets, dtype=np.int64)

    def test_weekdays_and_periods(self):
        week = self.days(*range(8))

        assert weekday(week).tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
        assert np.diff(period_numbers(week, "weekly")).tolist() == [0] * 6 + [1]
        assert period_numbers(week, "daily").tolist() == week.tolist()
        months = np.array(["2018-01-31", "2018-02-01", "2018-12-31"], dtype="datetime64[D]").astype(np.int64)
        assert (period_numbers(months, "monthly") - 48 * 12).tolist() == [0, 1, 11]
        assert (period_numbers(months, "quarterly") - 48 * 4).tolist() == [0, 0, 3]
        assert (period_numbers(months, "half-yearly") - 48 * 2).tolist() == [0, 0, 1]
        assert (period_numbers(months, "yearly") - 48).tolist() == [0, 0, 0]
        for frequency in ("daily", "weekly", "monthly", "quarterly", "half-yearly", "yearly"):
            starts = first_days(period_numbers(months, frequency), frequency)
            assert (period_numbers(starts, frequency) == period_numbers(months, frequency)).all()
            assert (period_numbers(starts - 1, frequency) == period_numbers(months, frequency) - 1).all()

    @pytest.mark.parametrize(
        ("offsets", "found"),
        [
            ((), Spacing("daily", 252.0)),
            ((0,), Spacing("daily", 252.0)),
            ([d for d in range(60) if d % 7 < 5], Spacing("daily", 252.0)),
            (range(60), Spacing("daily", 365.0)),
            ([d for d in range(60) if d % 7 < 4], Spacing("daily", 252.0)),
            (range(0, 140, 7), Spacing("weekly", 52.0)),
            ([*range(0, 70, 7), 74, *range(77, 140, 7)], Spacing("weekly", 52.0)),
            ((0, 4, 5), Spacing("daily", 252.0)),
            ((0, 7, 14, 21, 28, 39), Spacing("weekly", 52.0)),
            (range(0, 91 * 40, 91), Spacing("quarterly", 4.0)),
            (range(0, 182 * 20, 182), Spacing("half-yearly", 2.0)),
            (range(0, 364 * 9, 364), Spacing("yearly", 1.0)),
        ],
    )
    def test_days_and_weeks(self, offsets, found):
        assert spacing(self.days(*offsets)) == found

    @pytest.mark.parametrize(
        ("months", "frequency"), [(1, "monthly"), (3, "quarterly"), (6, "half-yearly"), (12, "yearly")]
    )
    @pytest.mark.parametrize("day", ["start", "middle", "end"])
    def test_months(self, months, frequency, day):
        starts = (np.arange(24) * months + 576).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        at = {"start": starts, "middle": starts + 14, "end": starts - 1}[day]
        assert spacing(at) == Spacing(frequency, CONVENTIONS[frequency])

    def test_four_weeks_are_no_month(self):
        found = spacing(self.days(*range(0, 28 * 30, 28)))
        assert (found.frequency, found.a_year) == ("", pytest.approx(365.25 / 28))
        assert found.unclear == "rows that are mostly 28 days apart, from 28 to 28"

    def test_picked_days_of_weeks_wander(self):
        picked = self.days(*(7 * week + (0, 2, 1, 3)[week % 4] for week in range(30)))
        found = spacing(picked)

        assert (found.frequency, found.a_year) == ("", 52.0)
        assert found.unclear == (
            "one row for most weeks, but on days that wander (2018-01-01 (Monday), 2018-01-10 (Wednesday), 2018-01-16 "
            "(Tuesday), 2018-01-25 (Thursday), …)"
        )
        assert found.remedy == (
            "Rows of a week lie on one weekday, but for holidays; picked days leave the others of the week out. Give "
            "the full daily table, with a row for every session."
        )
        assert wandering(picked, "daily") is wandering(picked[:2], "weekly") is None

    @pytest.mark.parametrize(("moved", "is_placed"), [(1, True), (2, True), (4, False)])
    def test_one_row_in_ten_may_be_moved(self, moved, is_placed):
        weeks = np.arange(0, 210, 7)
        weeks[5 : 5 + 2 * moved : 2] += 1
        assert (wandering(self.days(*weeks), "weekly") is None) is is_placed

    def test_days_without_a_rule(self):
        found = spacing(self.days(*(d for d in range(140) if d % 7 in {0, 2} or d % 14 == 5)))
        assert found.frequency in {"", "daily"}
        three = spacing(self.days(*(d for d in range(140) if d % 7 in {0, 2, 5})))
        rate = 365.25 * 59 / 138
        assert three == Spacing("", pytest.approx(rate), f"about {rate:.0f} rows a year, on 3 days of the week")
        assert spacing(self.days(*range(60)), moves_at_weekends=False).a_year == 252.0

    def test_a_year_left_out_changes_nothing(self):
        weekdays = [d for d in range(60) if d % 7 < 5]
        assert spacing(self.days(*weekdays, *(d + 364 for d in weekdays))) == Spacing("daily", 252.0)


class TestRows:
    def series(self, dates):
        return pd.Series(NOISE[: len(dates)], index=dates)

    def test_what_dates_say_counts_and_252_without(self):
        daily = self.series(pd.bdate_range("2018-01-01", periods=60))
        monthly = self.series(pd.date_range("2018-01-31", periods=24, freq="ME"))

        assert rows_a_year(None, NOISE) == 252.0
        assert rows_a_year(12, NOISE) == 12
        assert rows_a_year(None, monthly) == 12.0
        assert rows_a_year(None, NOISE, monthly) == rows_a_year(None, monthly, daily) == 12.0
        assert rows_a_year(1, daily) == 1
        assert rows_a_year(260, daily) == 260

    @pytest.mark.parametrize(("periods", "is_taken"), [(264.6, True), (264.7, False), (240, True), (239.9, False)])
    def test_a_declared_number_agrees_to_five_percent(self, periods, is_taken):
        daily = self.series(pd.bdate_range("2018-01-01", periods=60))
        if is_taken:
            assert rows_a_year(periods, daily) == periods
        else:
            with pytest.raises(InputError) as caught:
                rows_a_year(periods, daily)
            assert str(caught.value) == (
                "periods: expected about 252 rows a year, since the index has daily dates, found "
                f"{periods:g}. Leave periods out, or pass rows with the dates that they belong to."
            )

    def test_several_rows_a_day_have_to_be_declared(self):
        hourly = self.series(pd.date_range("2018-01-01", periods=240, freq="h"))
        with pytest.raises(InputError) as caught:
            rows_a_year(None, hourly)
        assert str(caught.value) == (
            "periods: expected it to be given, found several rows within days (24 on most), about 8,760 a year. Pass "
            "periods=… (rows a year), or returns by day, week or month."
        )
        found = read_rows(hourly.index.to_numpy())
        assert (found.a_year, found.is_clear, found.agrees) == (8760.0, False, 1.05)

    def test_irregular_dates_agree_roughly(self):
        dates = np.datetime64("2018-01-01") + np.array([d for d in range(140) if d % 7 in {0, 2, 5}])
        found = read_rows(dates)

        assert (found.is_clear, found.agrees) == (False, 3.0)
        assert found.words == "rows of about 156 rows a year, on 3 days of the week"
        four = read_rows(np.datetime64("2018-01-01") + np.arange(0, 840, 28))
        assert four.words == "rows that are mostly 28 days apart, from 28 to 28"
        every = read_rows(np.datetime64("2018-01-01") + np.arange(60))
        assert (every.words, every.a_year) == ("rows on every day of the week", 365.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Made(Shown):
    number: float = 1 / 3
    text: str = "a"
    array: object = None
    pairs: object = None


class TestShown:
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (np.arange(3.0), "<3 values, 0 to 2>"),
            (np.array([[nan, 1.23456]]), "<1 × 2 values, 1.235 to 1.235>"),
            (np.empty((0, 4)), "<0 × 4>"),
            (np.array([True, False, True]), "<3 flags, 2 true>"),
            (np.zeros(1234), "<1,234 values, 0 to 0>"),
            (((1, 2), (3, 4)), "((1, 2), (3, 4))"),
            ((1, 2), "(1, 2)"),
            ((), "()"),
            (None, "None"),
            ("x" * 238, f"'{'x' * 238}'"),
        ],
    )
    def test_a_value(self, value, said):
        assert _text(value) == said

    def test_a_long_value_is_cut(self):
        assert _text("x" * 239) == f"'{'x' * 238}…"
        assert _text(1 / 3) == "0.333333"

    def test_a_result_fits_a_line_or_is_wrapped(self):
        assert repr(Made()) == "Made(number=0.333333, text='a', array=None, pairs=None)"
        room = 100 - len(repr(Made(text="")))
        assert repr(Made(text="x" * room)).count("\n") == 0
        wrapped = repr(Made(text="x" * (room + 1)))
        assert wrapped.splitlines()[0] == "Made("
        assert wrapped.splitlines()[-1] == ")"
        assert all(line.startswith("    ") and len(line) <= 100 for line in wrapped.splitlines()[1:-1])
        assert "".join(line.strip() for line in repr(Made(text="x-y" * 90)).splitlines()).startswith("Made(number=")
        assert [field.name for field in fields(Made())] == ["number", "text", "array", "pairs"]
