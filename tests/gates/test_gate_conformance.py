"""What every gate promises, whatever its statistic: nothing unknown, broken or empty ever passes."""

from dataclasses import replace

import numpy as np
import pytest
from releases import trials

from signoff.domain.dossier import PredictionKind
from signoff.domain.gates import GATES, assess
from signoff.domain.gates.assess import OWN
from signoff.domain.outcome import Outcome

KEYS = ("spa", "dsr", "pbo", "walk_forward", "var", "point_in_time", "deflated_sharpe", "hansen_spa", "sessions")
BY_KEY = dict(zip(KEYS, GATES, strict=True))
STATISTICAL = tuple(key for key in KEYS if key not in {"point_in_time", "sessions"})  # these judge a replay, and dates


def change_returns(evidence, change):
    return replace(evidence, backtest=reshape(evidence.backtest, change(evidence.backtest.returns)))


def reshape(returns, values):
    return replace(returns, returns=values, dates=returns.dates[: values.size], benchmark=None)


def change_trials(evidence, change):
    values = change(evidence.trials.returns)
    return replace(evidence, trials=replace(trials(np.zeros(values.shape)), returns=values))


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
    "huge": lambda values: values / np.abs(values).max() * 1e308,
    "one huge": planted(1e308),
    "squares overflow": lambda values: values * 1e160,
    "percentages of percentages": lambda values: values * 1e17,
    "squares vanish": lambda values: values * 1e-160,
    "tiny": lambda values: values * 1e-298,
    "subnormal": lambda values: np.sign(values) * 5e-324,
    "texts": lambda values: values.astype(str),
    "objects": lambda values: values.astype(object),
    "objects, one of them None": lambda values: planted(None)(values.astype(object)),
    "complex": lambda values: values + 1j,
    "truth values": lambda values: values > 0,
    "whole numbers": lambda values: np.sign(values).astype(np.int64),
    "dates": lambda values: (values * 1e6).astype("datetime64[s]"),
    "durations": lambda values: (values * 1e6).astype("timedelta64[s]"),
    "records": lambda values: values.astype([("value", float)]),
    "some masked": lambda values: np.ma.masked_array(values, mask=values > 0.01),
    "all masked": lambda values: np.ma.masked_array(values, mask=True),
    "one dimension too many": lambda values: values[..., np.newaxis],
}
LAID_OUT = {
    "read-only": lambda values: np.frombuffer(values.tobytes()).reshape(values.shape),
    "Fortran order": np.asfortranarray,
    "every other row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "reversed view": lambda values: values[::-1].copy()[::-1],
    "big endian": lambda values: values.astype(">f8"),
}


def test_every_gate_is_defined_beside_its_function(evidence, dossier, policy):
    for definition, gate in OWN:
        finding = gate(evidence, dossier, policy)
        assert (finding.key, finding.title) == (definition.key, definition.title)
        assert getattr(policy.gates, definition.key).blocking == finding.is_blocking
        names = {quantity.name.rpartition(".")[2] for quantity in finding.figures}
        assert not definition.shown or names & {name for name, _ in definition.shown}


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


@pytest.mark.parametrize(("key", "part"), [("deflated_sharpe", change_returns), ("deflated_sharpe", change_trials)])
@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_gate_that_reads_two_files_passes_on_neither_alone(key, part, change, evidence, dossier, policy):
    finding = BY_KEY[key](part(evidence, change), dossier, policy)

    assert finding.outcome is not Outcome.PASS, finding.reason


@pytest.mark.parametrize("key", STATISTICAL)
@pytest.mark.parametrize("laid_out", LAID_OUT.values(), ids=LAID_OUT)
def test_only_the_numbers_matter_and_not_how_they_lie_in_memory(key, laid_out, evidence, dossier, policy):
    plain, other = (BY_KEY[key](given, dossier, policy) for given in (evidence, change_all(evidence, laid_out)))

    assert (other.outcome, other.statistic, other.figures) == (plain.outcome, plain.statistic, plain.figures)


def test_what_is_no_array_is_an_error(evidence, dossier, policy):
    for wrong in (None, [0.01] * 1600, "returns"):
        given = replace(
            evidence,
            backtest=replace(evidence.backtest, returns=wrong),
            trials=replace(evidence.trials, returns=wrong),
            predictions=replace(evidence.predictions, prediction=wrong, realized=wrong),
        )
        for key in STATISTICAL:
            assert BY_KEY[key](given, dossier, policy).outcome is Outcome.ERROR


IMPOSSIBLE = [
    *[("pbo", {"partitions": partitions}) for partitions in (-2, 0, 1, 15, 26, 2.5, np.nan)],
    *[("var", {"level": level}) for level in (0.0, 1.0, 95.0, -0.05, np.nan)],
    *[("var", {"window_sessions": window}) for window in (-5, 0, 1, 2.5)],
    *[("walk_forward", {"window_sessions": window}) for window in (-5, 0, 2.5)],
    *[("hansen_spa", {"mean_block_sessions": block}) for block in (-1.0, 0.0, 0.5, np.nan, np.inf, 1e6)],
    *[("hansen_spa", {"repetitions": repetitions}) for repetitions in (-1, 0)],
    ("hansen_spa", {"seed": -1}),
]


@pytest.mark.parametrize(("key", "values"), IMPOSSIBLE, ids=[f"{key} {values}" for key, values in IMPOSSIBLE])
def test_a_policy_that_asks_for_the_impossible_passes_nothing(key, values, evidence, dossier, with_gate):
    """The policy file is checked when it is read; a policy made in Python reaches the statistic, which refuses."""
    finding = BY_KEY[key](evidence, dossier, with_gate(key, **values))

    assert finding.outcome in {Outcome.ERROR, Outcome.INCONCLUSIVE}
    assert finding.statistic.value is None


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 37.0])
def test_a_prediction_that_is_no_probability_is_refused_where_the_dossier_says_so(wrong, evidence, dossier, policy):
    said = replace(dossier, validation=replace(dossier.validation, prediction=PredictionKind.PROBABILITY))
    halves = np.where(evidence.predictions.prediction > 0, 0.6, 0.4)
    given = replace(evidence, predictions=replace(evidence.predictions, prediction=halves))

    assert BY_KEY["spa"](given, said, policy).outcome is Outcome.PASS
    finding = BY_KEY["spa"](
        replace(given, predictions=replace(given.predictions, prediction=planted(wrong)(halves))), said, policy
    )

    assert finding.outcome is Outcome.ERROR
    assert "row 2000" in finding.reason


@pytest.mark.parametrize("key", ["dsr", "walk_forward", "var", "deflated_sharpe", "pbo", "hansen_spa"])
def test_percentages_taken_for_fractions_are_noticed_by_every_gate(key, evidence, dossier, policy):
    """The statistic of a ratio would be the same; that a day lost 390 percent is impossible to all of them."""
    finding = BY_KEY[key](change_all(evidence, lambda values: values * 100), dossier, policy)

    assert finding.outcome is Outcome.ERROR
    assert "fractions" in finding.reason


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


@pytest.mark.parametrize("key", ["pbo", "deflated_sharpe"])
def test_the_worst_member_at_other_leverages_is_no_padding_either(key, evidence, dossier, policy):
    """Two hundred of them would lower the bar of deflation by two fifths: they have no spread among themselves."""
    leverages = np.concatenate([np.linspace(0.3, 3, 40), [1e-3]])
    padded = change_trials(evidence, lambda values: np.hstack([values, values[:, :1] * leverages]))
    turned = change_trials(evidence, lambda values: np.hstack([values, -values[:, :1]]))

    plain, with_copies, with_mirror = (BY_KEY[key](given, dossier, policy) for given in (evidence, padded, turned))

    assert with_copies.statistic.value == plain.statistic.value
    assert figure(with_copies, "copies_dropped") == 41
    assert figure(with_mirror, "copies_dropped") == 0
    assert figure(with_mirror, "reversals") == 1
    assert with_mirror.statistic.value == plain.statistic.value


def test_against_a_benchmark_leverage_makes_another_trial(evidence, dossier, policy):
    doubled = change_trials(evidence, lambda values: np.hstack([values, 2 * values[:, -1:]]))

    assert figure(BY_KEY["hansen_spa"](doubled, dossier, policy), "copies_dropped") == 0


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
    if key == "pbo":  # neither of these two is junk: the statistic alone decides
        evidence = change_trials(evidence, lambda values: values[:, [9, 11]])
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
    assert finding.charts or key in {"point_in_time", "sessions"}
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
