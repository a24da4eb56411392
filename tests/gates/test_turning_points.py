"""What would change a verdict is no phrase: the change it names changes the verdict, and one step less does not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, predictions

from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.dsr import downside_sensitivity
from signoff.domain.gates.hansen_spa import hansen_spa
from signoff.domain.gates.pbo import backtest_overfitting
from signoff.domain.gates.spa import symmetric_accuracy
from signoff.domain.gates.value_at_risk import value_at_risk_compliance
from signoff.domain.gates.walk_forward import walk_forward
from signoff.domain.outcome import Outcome
from signoff.stats.deflated import probabilistic_sharpe_ratio
from signoff.stats.symmetry import wilson_bound


def numbers(text):
    return [float(found.replace(",", "")) for found in re.findall(r"[\d,]*\.?\d+", text)]


@pytest.mark.parametrize(("hits", "verdict"), [(560, Outcome.PASS), (440, Outcome.FAIL)])
def test_spa_names_the_hits_that_decide(hits, verdict, evidence, dossier, policy):
    def judged(right):
        said = np.concatenate([np.ones(1000), -np.ones(1000)])
        came = np.concatenate([np.ones(900), -np.ones(100), -np.ones(right), np.ones(1000 - right)])
        mixed = np.random.default_rng(1).permutation(2000)
        return symmetric_accuracy(replace(evidence, predictions=predictions(said[mixed], came[mixed])), dossier, policy)

    finding = judged(hits)
    step = int(numbers(finding.turning_point)[0])
    towards = -1 if verdict is Outcome.PASS else 1

    assert finding.outcome is verdict
    # The effective number moves with the hits, so the step is told as about; a fifth more and less decide.
    assert judged(hits + towards * int(1.2 * step + 1)).outcome is not verdict
    assert judged(hits + towards * int(0.8 * step)).outcome is verdict
    assert "about" in finding.turning_point


def test_spa_says_when_no_accuracy_on_so_few_predictions_could_pass(evidence, dossier, with_gate):
    assert wilson_bound(1.0, 40) < 0.95
    few = replace(evidence, predictions=predictions([1.0] * 40 + [-1.0] * 40, [1.0] * 40 + [-1.0] * 40))

    finding = symmetric_accuracy(few, dossier, with_gate("spa", threshold=0.95))

    assert "No accuracy on 40 long predictions could reach the threshold" in finding.turning_point


def test_dsr_names_how_much_larger_the_losses_may_be(evidence, dossier, policy):
    returns = evidence.backtest.returns
    finding = downside_sensitivity(evidence, dossier, policy)
    percent = numbers(finding.turning_point)[0]

    def with_losses(factor):
        scaled = np.where(returns < 0, returns * factor, returns)
        return downside_sensitivity(replace(evidence, backtest=backtest(scaled)), dossier, policy).outcome

    assert with_losses(1 + (percent - 1) / 100) is Outcome.PASS
    assert with_losses(1 + (percent + 1) / 100) is Outcome.FAIL


@pytest.mark.parametrize("threshold", [0.9, 0.001])
def test_pbo_names_the_splits_that_decide(threshold, evidence, dossier, with_gate):
    finding = backtest_overfitting(evidence, dossier, with_gate("pbo", threshold=threshold))
    logits = finding.charts[0].values
    step, splits = (int(found) for found in numbers(finding.turning_point)[:2])
    below = int((logits <= 0).sum())
    passes = finding.outcome is Outcome.PASS

    assert splits == logits.size
    changed = below + step if passes else below - step
    assert (changed / splits < threshold) is not passes
    nearly = below + step - 1 if passes else below - step + 1
    assert (nearly / splits < threshold) is passes


@pytest.mark.parametrize("threshold", [0.5, 0.99])
def test_walk_forward_names_the_windows_that_decide(threshold, evidence, dossier, with_gate):
    finding = walk_forward(evidence, dossier, with_gate("walk_forward", threshold=threshold))
    step, needed, n = (int(found) for found in numbers(finding.turning_point))
    positive = int((finding.charts[0].values > 0).sum())

    assert needed / n >= threshold > (needed - 1) / n
    if finding.outcome is Outcome.PASS:
        assert positive - step == needed - 1
    else:
        assert positive + step == needed


def test_var_names_the_size_of_position_that_reaches_the_limit(evidence, dossier, policy):
    finding = value_at_risk_compliance(evidence, dossier, policy)
    percent = numbers(finding.turning_point)[0]

    def with_positions(factor):
        larger = backtest(evidence.backtest.returns * factor)
        return value_at_risk_compliance(replace(evidence, backtest=larger), dossier, policy).outcome

    assert with_positions(1 + (percent - 1) / 100) is Outcome.PASS
    assert with_positions(1 + (percent + 1) / 100) is Outcome.FAIL


def test_var_names_the_exceptions_that_kupiec_accepts(evidence, dossier, policy):
    accepted = value_at_risk_compliance(evidence, dossier, policy).turning_point

    assert re.search(r"Kupiec's test accepts \d+ to \d+ exceptions of [\d,]+; there were \d+\.", accepted)


def test_deflated_sharpe_names_the_ratio_that_decides(evidence, dossier, with_gate):
    finding = deflated_sharpe(evidence, dossier, with_gate("deflated_sharpe", threshold=0.9))
    needed = numbers(finding.turning_point)[0]
    given = {quantity.name.rpartition(".")[2]: quantity.value for quantity in finding.figures}

    def probability(annual):
        return probabilistic_sharpe_ratio(
            annual / np.sqrt(252),
            finding.n,
            skew=given["skew"],
            kurtosis=given["kurtosis"],
            benchmark=given["expected_best_sharpe"],
        )

    assert probability(needed + 0.02) > 0.9 > probability(needed - 0.02)


def test_hansens_critical_value_is_the_quantile_of_the_resamples(evidence, dossier, with_gate):
    finding = hansen_spa(evidence, dossier, with_gate("hansen_spa", repetitions=2000))
    critical, observed = numbers(finding.turning_point)[:2]
    resamples = finding.charts[0].values

    assert observed == pytest.approx(finding.charts[0].marked.value, abs=0.005)
    assert np.mean(resamples > critical + 0.005) <= 0.05 <= np.mean(resamples >= critical - 0.005)


class TestBenchmark:
    def test_the_previous_version_can_be_the_benchmark(self, evidence, dossier, with_gate):
        gate = with_gate("hansen_spa", benchmark="previous", repetitions=500)
        noise = np.random.default_rng(5).normal(0, 0.002, evidence.backtest.returns.size)
        weaker, stronger = (
            replace(
                evidence,
                backtest_previous=replace(evidence.backtest, returns=evidence.backtest.returns + shift + noise),
            )
            for shift in (-0.002, 0.002)
        )

        assert hansen_spa(weaker, dossier, gate).outcome is Outcome.PASS
        assert hansen_spa(stronger, dossier, gate).outcome is Outcome.FAIL

    def test_without_a_previous_version_nothing_is_compared(self, evidence, dossier, with_gate):
        gate = with_gate("hansen_spa", benchmark="previous")

        finding = hansen_spa(replace(evidence, backtest_previous=None), dossier, gate)

        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "`backtest_previous`" in finding.reason

    def test_a_previous_version_over_another_period_is_named(self, evidence, dossier, with_gate):
        gate = with_gate("hansen_spa", benchmark="previous")
        short = replace(
            evidence.backtest,
            dates=evidence.backtest.dates[:-7],
            returns=evidence.backtest.returns[:-7],
            benchmark=None,
        )

        finding = hansen_spa(replace(evidence, backtest_previous=short), dossier, gate)

        assert finding.outcome is Outcome.INCONCLUSIVE
        assert "no return on 7 of the trials'" in finding.reason

    def test_the_previous_version_is_no_rival_of_itself(self, evidence, dossier, with_gate):
        gate = with_gate("hansen_spa", benchmark="previous", repetitions=500)
        chosen = replace(evidence.backtest, returns=evidence.trials.returns[:, 0])

        finding = hansen_spa(replace(evidence, backtest_previous=chosen), dossier, gate)

        assert finding.outcome is Outcome.PASS
        assert next(f.value for f in finding.figures if f.name == "gates.hansen_spa.trials") == 11
