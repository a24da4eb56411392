"""What every gate promises, whatever its statistic: nothing unknown, broken or empty ever passes."""

from dataclasses import replace

import numpy as np
import pytest
from releases import trials

from signoff.domain.finding import Outcome
from signoff.domain.gates import GATES, assess

KEYS = ("spa", "dsr", "pbo", "walk_forward", "var", "point_in_time", "deflated_sharpe", "hansen_spa")
BY_KEY = dict(zip(KEYS, GATES, strict=True))
STATISTICAL = tuple(key for key in KEYS if key != "point_in_time")  # the others judge numbers, this one a replay


def change_returns(evidence, change):
    return replace(evidence, backtest=reshape(evidence.backtest, change(evidence.backtest.returns)))


def reshape(returns, values):
    return replace(returns, returns=values, dates=returns.dates[: values.size], benchmark=None)


def change_trials(evidence, change):
    return replace(evidence, trials=trials(change(evidence.trials.returns)))


def change_predictions(evidence, change):
    given = evidence.predictions
    prediction, realized = change(given.prediction), change(given.realized)
    return replace(
        evidence,
        predictions=replace(
            given,
            prediction=prediction,
            realized=realized,
            timestamps=given.timestamps[: prediction.size],
            symbols=given.symbols[: prediction.size],
        ),
    )


def change_all(evidence, change):
    """Every array of the release changed, and the replay, which has none, as one that looked at nothing."""
    evidence = replace(evidence, pit=replace(evidence.pit, dates_checked=0))
    return change_predictions(change_trials(change_returns(evidence, change), change), change)


def planted(value):
    def plant(values):
        broken = values.copy()
        broken[len(broken) // 2] = value
        return broken

    return plant


BROKEN = {
    "empty": lambda values: values[:0],
    "a single row": lambda values: values[:1],
    "nine rows": lambda values: values[:9],
    "constant": lambda values: np.full_like(values, 0.001),
    "all zero": np.zeros_like,
    "all negative constant": lambda values: np.full_like(values, -0.001),
    "one NaN": planted(np.nan),
    "all NaN": lambda values: np.full_like(values, np.nan),
    "one infinity": planted(np.inf),
    "one negative infinity": planted(-np.inf),
    "all infinite": lambda values: np.full_like(values, np.inf),
}


def test_the_release_that_the_other_tests_break_passes_every_gate(evidence, dossier, policy):
    outcomes = {gate(evidence, dossier, policy).key: gate(evidence, dossier, policy).outcome for gate in GATES}

    assert outcomes == dict.fromkeys(KEYS, Outcome.PASS)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_no_gate_passes_evidence_that_says_nothing(key, change, evidence, dossier, policy):
    finding = BY_KEY[key](change_all(evidence, change), dossier, policy)

    assert finding.outcome is not Outcome.PASS, finding.reason
    assert finding.reason
    assert finding.is_near_miss is False


@pytest.mark.parametrize("key", STATISTICAL)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_broken_number_is_an_error_and_no_verdict(key, value, evidence, dossier, policy):
    finding = BY_KEY[key](change_all(evidence, planted(value)), dossier, policy)

    assert finding.outcome is Outcome.ERROR
    assert finding.statistic.value is None


@pytest.mark.parametrize(
    ("key", "name"),
    [("spa", "predictions"), ("pbo", "trials"), ("deflated_sharpe", "trials"), ("hansen_spa", "trials")],
)
def test_a_missing_file_is_inconclusive_and_named(key, name, evidence, dossier, policy):
    finding = BY_KEY[key](replace(evidence, **{name: None}), dossier, policy)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert f"`{name}`" in finding.reason


@pytest.mark.parametrize("key", ["pbo", "deflated_sharpe", "hansen_spa"])
@pytest.mark.parametrize("copies", [1, 2, 12])
def test_a_family_of_copies_is_a_family_of_one(key, copies, evidence, dossier, policy):
    family = change_trials(evidence, lambda values: np.repeat(values[:, -1:], copies, axis=1))

    assert BY_KEY[key](family, dossier, policy).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("key", ["pbo", "deflated_sharpe", "hansen_spa"])
def test_padding_the_family_with_copies_of_its_worst_member_changes_nothing(key, evidence, dossier, policy):
    padded = change_trials(evidence, lambda values: np.hstack([values, np.repeat(values[:, :1], 30, axis=1)]))

    plain, with_copies = (BY_KEY[key](given, dossier, policy) for given in (evidence, padded))

    assert with_copies.statistic.value == plain.statistic.value
    assert figure(with_copies, "copies_dropped") == 30


@pytest.mark.parametrize("key", ["pbo", "deflated_sharpe", "hansen_spa"])
def test_a_configuration_that_never_traded_is_named_and_not_judged(key, evidence, dossier, policy):
    idle = change_trials(evidence, lambda values: np.hstack([values, np.zeros((len(values), 1))]))

    finding = BY_KEY[key](idle, dossier, policy)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "run-12" in finding.reason


@pytest.mark.parametrize("key", ["dsr", "walk_forward", "var", "deflated_sharpe"])
def test_a_short_backtest_is_inconclusive(key, evidence, dossier, policy):
    short = change_returns(evidence, lambda values: values[:200])

    assert BY_KEY[key](short, dossier, policy).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("key", KEYS)
def test_a_gate_that_blocks_blocks_on_every_outcome_but_a_pass(key, evidence, dossier, with_gate):
    for is_blocking in (True, False):
        policy = with_gate(key, blocking=is_blocking)
        passed = BY_KEY[key](evidence, dossier, policy)
        unknown = BY_KEY[key](change_all(evidence, BROKEN["empty"]), dossier, policy)
        broken = BY_KEY[key](change_all(evidence, BROKEN["one NaN"]), dossier, policy)

        assert not passed.blocks
        assert unknown.blocks is is_blocking
        assert broken.blocks is is_blocking


THRESHOLDS = {
    "spa": ("threshold", 0.0, 1.0),
    "dsr": ("threshold", 10.0, 0.01),
    "pbo": ("threshold", 1.0, 0.0),
    "walk_forward": ("threshold", 0.0, 1.0),
    "var": ("limit_pct", -90.0, -0.01),
    "deflated_sharpe": ("threshold", 0.0, 1.0),
    "hansen_spa": ("threshold", 0.9, 1e-7),
}


@pytest.mark.parametrize("key", STATISTICAL)
def test_tightening_turns_a_pass_into_a_failure_once_and_never_back(key, evidence, dossier, with_gate):
    name, loose, strict = THRESHOLDS[key]

    outcomes = [
        BY_KEY[key](evidence, dossier, with_gate(key, **{name: float(threshold)})).outcome
        for threshold in np.linspace(loose, strict, 9)
    ]

    assert outcomes[0] is Outcome.PASS
    assert outcomes[-1] is Outcome.FAIL
    assert outcomes == sorted(outcomes, key=[Outcome.PASS, Outcome.FAIL].index)


@pytest.mark.parametrize("key", STATISTICAL)
def test_a_pass_within_the_margin_is_a_near_miss_and_a_failure_within_it_stays_a_failure(
    key, evidence, dossier, with_gate
):
    name, scale = THRESHOLDS[key][0], 100 if key == "var" else 1
    value = BY_KEY[key](evidence, dossier, with_gate(key)).statistic.value * scale
    # A positive step softens the threshold: upwards where a low statistic is good, downwards where a high one is.
    room = min(value, 1 - value) if key == "deflated_sharpe" else abs(value)
    step = 0.0002 * room * (1 if key in {"dsr", "pbo", "hansen_spa"} else -1)

    just_passed = BY_KEY[key](evidence, dossier, with_gate(key, **{name: value + step}))
    just_failed = BY_KEY[key](evidence, dossier, with_gate(key, **{name: value - step}))
    clearly_passed = BY_KEY[key](evidence, dossier, with_gate(key, **{name: value + 2000 * step}))

    assert (just_passed.outcome, just_passed.word) == (Outcome.PASS, "NEAR MISS")
    assert "but only by 0.0%" in just_passed.reason
    assert (just_failed.outcome, just_failed.word) == (Outcome.FAIL, "FAIL")
    assert "short by 0.0%" in just_failed.reason
    assert (clearly_passed.outcome, clearly_passed.word) == (Outcome.PASS, "PASS")


@pytest.mark.parametrize("key", KEYS)
def test_a_finding_carries_what_a_reader_needs_to_judge_it_again(key, evidence, dossier, policy):
    finding = BY_KEY[key](evidence, dossier, policy)

    assert finding.key == key
    assert finding.n > 0
    assert finding.method
    assert finding.statistic.source
    assert finding.figures
    assert all(quantity.name.startswith(f"gates.{key}.") for quantity in finding.figures)
    assert all(quantity.is_provided for quantity in finding.figures)
    assert finding.turning_point.startswith(("It would fail", "Positions"))
    assert finding.charts or key == "point_in_time"
    assert all(chart.caption for chart in finding.charts)


@pytest.mark.parametrize("key", KEYS)
def test_a_gate_is_a_pure_function(key, evidence, dossier, policy):
    assert BY_KEY[key](evidence, dossier, policy) == BY_KEY[key](evidence, dossier, policy)


def test_the_gates_stand_in_the_order_of_the_memo(evidence, dossier, policy):
    assessment = assess(evidence, dossier, policy)

    assert tuple(finding.key for finding in assessment.findings) == KEYS
    assert tuple(finding.key for finding in assessment.memo_gates) == KEYS[:5]


def figure(finding, name):
    return next(quantity.value for quantity in finding.figures if quantity.name == f"gates.{finding.key}.{name}")
