"""Hansen's and White's tests against a plain resampling loop, and by their size and power."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.stats.bootstrap import (
    data_snooping,
    long_run_deviation,
    reality_check,
    stationary_blocks,
    superior_predictive_ability,
)
from signoff.stats.errors import InputError, InsufficientData


def losses(n=300, models=8, seed=0, edge=0.0):
    rng = np.random.default_rng(seed)
    benchmark, others = rng.normal(0, 1, n), rng.normal(0, 1, (n, models))
    others[:, 0] -= edge
    return benchmark, others


def resampled_rows(n, block, repetitions, seed):
    """The same draws, written out as rows: 250 resamples from each seed that the given one spawns."""
    for own in np.random.SeedSequence(seed).spawn(-(-repetitions // 250)):
        size = min(250, repetitions)
        repetitions -= size
        starts, lengths, ends = stationary_blocks(n, block, size, np.random.default_rng(own))
        for first, last in itertools.pairwise(ends):
            yield np.concatenate([(starts[b] + np.arange(lengths[b])) % n for b in range(first, last)])


@pytest.mark.parametrize("studentize", [True, False])
def test_it_is_the_definition_row_by_row(studentize):
    benchmark, models = losses(edge=0.1)
    models[:, 3] += 0.8
    models[:, 4:] += 0.2  # poor by about two and a half errors, between √(2 ln ln n) and √(2 ln n)
    d = benchmark[:, None] - models
    n, mean = len(d), d.mean(axis=0)
    omega = np.array([by_definition(column, 1 / 8) for column in d.T])
    scale = omega if studentize else 1.0
    centres = (
        np.maximum(mean, 0),
        np.where(np.sqrt(n) * mean / omega >= -np.sqrt(2 * np.log(np.log(n))), mean, 0),
        mean,
    )
    statistic = max(0, (np.sqrt(n) * mean / scale).max())
    reached = np.array(
        [
            [max(0, (np.sqrt(n) * (d[rows].mean(axis=0) - centre) / scale).max()) >= statistic for centre in centres]
            for rows in resampled_rows(n, 8, 200, 11)
        ]
    )

    result = superior_predictive_ability(benchmark, models, block=8, repetitions=200, seed=11, studentize=studentize)

    assert result.statistic == pytest.approx(statistic)
    assert [result.raw.lower, result.raw.consistent, result.raw.upper] == pytest.approx(list(reached.mean(axis=0)))
    assert result.consistent == pytest.approx((reached[:, 1].sum() + 1) / 201)
    assert (result.n, result.models, result.seed, result.is_studentized) == (300, 8, 11, studentize)


def by_definition(d, q):
    n, centred = len(d), d - d.mean()
    gamma = [centred[: n - i] @ centred[i:] / n for i in range(n)]
    kappa = [(1 - i / n) * (1 - q) ** i + (i / n) * (1 - q) ** (n - i) for i in range(n)]
    return np.sqrt(gamma[0] + 2 * sum(k * g for k, g in zip(kappa[1:], gamma[1:], strict=True)))


def test_omega_is_the_deviation_of_the_resampled_means():
    d = np.convolve(np.random.default_rng(0).normal(size=260), np.ones(5), mode="valid")
    means = [d[rows].mean() for rows in resampled_rows(d.size, 6, 4000, 1)]

    assert long_run_deviation(d[:, None], 6)[0] == pytest.approx(np.std(means) * np.sqrt(d.size), rel=0.05)


def test_a_resample_has_every_row_equally_often_and_blocks_of_the_mean_length():
    starts, lengths, ends = stationary_blocks(100, 7, 2000, np.random.default_rng(0))
    rows = np.concatenate(list(resampled_rows(100, 7, 2000, 0)))

    assert all(lengths[a:b].sum() == 100 for a, b in itertools.pairwise(ends))
    assert np.bincount(rows, minlength=100) == pytest.approx(2000, rel=0.2)
    assert starts.size / 2000 == pytest.approx(100 / 7, rel=0.1)


def test_white_is_the_upper_recentring_without_studentising():
    benchmark, models = losses(edge=0.2)

    white = reality_check(benchmark, models, block=5, repetitions=300, seed=2)
    hansen = superior_predictive_ability(benchmark, models, block=5, repetitions=300, seed=2, studentize=False)

    assert white.statistic == pytest.approx(hansen.statistic)
    assert white.p_value == pytest.approx(hansen.upper)
    assert white.monte_carlo_error == pytest.approx(np.sqrt(white.raw * (1 - white.raw) / 300))


def test_worthless_models_are_rejected_one_time_in_twenty():
    found = [
        superior_predictive_ability(*losses(seed=seed), block=3, repetitions=199, seed=seed).upper
        for seed in range(300)
    ]

    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.035)


def test_a_better_model_is_found_and_named():
    result = superior_predictive_ability(*losses(edge=0.6), block=3, repetitions=499, seed=0)

    assert result.upper < 0.01
    assert result.best_model == 0


def test_poor_models_do_not_hide_a_good_one_from_hansen():
    benchmark, models = losses(models=40, edge=0.33)
    models[:, 1:] = models[:, 1:] * 4 + 2

    hansen = superior_predictive_ability(benchmark, models, block=3, repetitions=499, seed=0)
    white = reality_check(benchmark, models, block=3, repetitions=499, seed=0)

    assert hansen.consistent < 0.05 < white.p_value


def test_a_family_in_which_nothing_beats_the_benchmark_has_p_one():
    benchmark, models = losses()
    result = superior_predictive_ability(benchmark, models + 3, block=3, repetitions=99, seed=0)

    assert (result.statistic, result.lower, result.consistent, result.upper) == (0, 1, 1, 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.permutations(range(6)), st.sampled_from([2.0**-20, 0.5, 2.0**20]))
def test_neither_order_nor_unit_of_the_losses_matters(seed, order, unit):
    benchmark, models = losses(60, 6, seed)

    one = superior_predictive_ability(benchmark, models, block=4, repetitions=50, seed=1)
    other = superior_predictive_ability(benchmark * unit, models[:, order] * unit, block=4, repetitions=50, seed=1)

    assert one.lower <= one.consistent <= one.upper
    assert (other.lower, other.consistent, other.upper) == (one.lower, one.consistent, one.upper)
    assert other.statistic == pytest.approx(one.statistic)
    assert order[other.best_model] == one.best_model


@pytest.mark.parametrize("test", [superior_predictive_ability, reality_check])
class TestRefusals:
    def test_too_little_is_no_answer(self, test):
        benchmark, models = losses()
        for one, other in (
            ([], np.empty((0, 3))),
            (benchmark, np.empty((300, 0))),
            (benchmark[:49], models[:49]),
            (benchmark, np.column_stack([models, benchmark])),
            (benchmark, np.column_stack([models, benchmark + 1])),
        ):
            with pytest.raises(InsufficientData):
                test(one, other, block=5, repetitions=10, seed=0)

    def test_broken_input_is_refused(self, test):
        benchmark, models = losses()
        models[5, 2] = np.nan
        with pytest.raises(InputError, match="row 5, column 2"):
            test(benchmark, models, block=5, repetitions=10, seed=0)
        with pytest.raises(InputError, match="align"):
            test(benchmark[1:], losses()[1], block=5, repetitions=10, seed=0)
        for wrong in ({"block": 0.5}, {"block": np.nan}, {"repetitions": 0}, {"seed": -1}):
            with pytest.raises(InputError):
                test(*losses(), **{"block": 5, "repetitions": 10, "seed": 0} | wrong)


RECORDED = json.loads((Path(__file__).parent / "recorded" / "arch_p_values.json").read_text())


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"seed {case['seed']}")
def test_with_the_rows_of_arch_the_p_values_are_those_of_arch_to_the_last_bit(case):
    """Recorded from arch 8.0.0 by recorded/arch_p_values.py; `make bench` compares again with arch itself."""
    rng = np.random.default_rng([case["seed"], case["n"]])
    n, models = case["n"], case["models"]
    benchmark = rng.standard_normal(n)
    losses = rng.standard_normal((n, models)) + rng.normal(0, 0.05, models)

    found = superior_predictive_ability(
        benchmark,
        losses,
        block=case["block"],
        repetitions=case["repetitions"],
        seed=case["seed"],
        studentize=False,
        stream="arch",
    )

    assert (found.raw.lower, found.raw.consistent, found.raw.upper) == (
        case["lower"],
        case["consistent"],
        case["upper"],
    )


def test_an_unknown_stream_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="stream"):
        superior_predictive_ability(
            rng.normal(size=50), rng.normal(size=(50, 2)), block=2, repetitions=10, seed=0, stream="other"
        )


def test_both_tests_of_one_call_are_those_of_two():
    rng = np.random.default_rng(1)
    benchmark, models = rng.normal(size=200), rng.normal(size=(200, 130))
    how = {"block": 4, "repetitions": 200, "seed": 3}

    both = data_snooping(benchmark, models, **how)

    assert both.reality_check == reality_check(benchmark, models, **how)
    assert both.superior_predictive_ability.raw == superior_predictive_ability(benchmark, models, **how).raw


@pytest.mark.parametrize(("studentize", "said"), [(True, ", studentised,"), (False, ", not studentised,")])
def test_the_convention_says_whether_differences_were_studentised(studentize, said):
    rng = np.random.default_rng(1)
    losses = rng.normal(size=60), rng.normal(size=(60, 2))
    tested = data_snooping(*losses, block=5.0, repetitions=100, seed=1, studentize=studentize)
    assert said in tested.superior_predictive_ability.convention
