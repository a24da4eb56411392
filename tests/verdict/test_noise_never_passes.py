"""Verdicts on trials that are noise: an advisory gate that they fail counts, and no sentence contradicts it."""

import numpy as np
import pytest

import signoff


@pytest.fixture(scope="module")
def verdicts():
    """Verdicts on the best of 40 trials of noise; PBO passes one, and fails the other for its sub-families alone."""
    return {seed: judged(seed) for seed in (1, 11)}


def judged(seed):
    draws = np.random.default_rng(seed).normal(0, 0.01, (800, 40))
    days = np.arange("2019-01-01", "2023-01-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)][:800]
    names = [f"t{n}" for n in range(40)]
    best = int(np.argmax(draws.mean(axis=0) / draws.std(axis=0)))
    trials = {"date": days, **dict(zip(names, draws.T, strict=True))}
    return signoff.evaluate({"date": days, "return": draws[:, best]}, trials=trials, calendar="XNYS")


def test_a_gate_of_the_trials_that_fails_counts_though_the_policy_makes_it_advisory(verdicts):
    found = verdicts[11].findings
    assert (found["pbo"].outcome, found["deflated_sharpe"].outcome, found["hansen_spa"].outcome) == (
        "pass",
        "fail",
        "pass",
    )
    assert (found["deflated_sharpe"].blocks, found["hansen_spa"].blocks) == (True, False)
    assert verdicts[11].outcome == "fail"
    assert "deflated_sharpe" in verdicts[11].headline.partition("Overfitting")[0]


def test_no_gate_that_fails_says_when_it_would_fail(verdicts):
    failed = [one for verdict in verdicts.values() for one in verdict.findings.values() if one.outcome == "fail"]
    assert not [one.key for one in failed if one.turning_point.startswith("It would fail")]
    pbo = verdicts[1].findings["pbo"]
    assert pbo.value < pbo.threshold
    assert pbo.turning_point.startswith("The statistic would pass already")


def test_errors_of_evaluate_can_be_caught_by_their_public_name():
    with pytest.raises(signoff.BadInputError):
        signoff.evaluate({"date": [], "return": []})
