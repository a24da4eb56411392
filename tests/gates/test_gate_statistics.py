"""Small cases whose statistic can be worked out by hand."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from releases import backtest, good_predictions, predictions, trials

from signoff.domain.dossier import PredictionKind
from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.dsr import downside_sensitivity
from signoff.domain.gates.pbo import backtest_overfitting
from signoff.domain.gates.spa import symmetric_accuracy
from signoff.domain.gates.value_at_risk import rolling_forecasts, value_at_risk_compliance
from signoff.domain.gates.walk_forward import walk_forward
from signoff.domain.outcome import Outcome


def figures(finding):
    return {quantity.name.rpartition(".")[2]: quantity.value for quantity in finding.figures}


def chosen_from(evidence, family, column=-1):
    """The release whose backtest is this column of these trials."""
    return replace(evidence, backtest=backtest(family[:, column]), trials=trials(family))


def wilson(share, n, z=1.6448536269514722):
    return (share + z * z / (2 * n) - z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)


class TestSpa:
    def judge(self, evidence, dossier, policy, rows):
        mixed = np.random.default_rng(0).permutation(len(rows))  # rows in order of success would be one long streak
        said, happened = np.array(rows, dtype=float)[mixed].T
        return symmetric_accuracy(replace(evidence, predictions=predictions(said, happened)), dossier, policy)

    def test_the_weaker_side_decides_by_its_lower_bound(self, evidence, dossier, policy):
        longs = [(1, 1)] * 70 + [(1, -1)] * 30
        shorts = [(-1, -1)] * 60 + [(-1, 1)] * 40
        nothing = [(0, 1)] * 5 + [(1, 0)] * 3

        finding = self.judge(evidence, dossier, policy, longs + shorts + nothing)

        assert finding.statistic.value == pytest.approx(wilson(0.6, figures(finding)["short_effective_n"]))
        assert figures(finding)["short_effective_n"] <= 100
        assert finding.n == 200
        assert figures(finding)["long_accuracy"] == pytest.approx(0.7)
        assert figures(finding)["short_accuracy"] == pytest.approx(0.6)
        assert figures(finding)["plain_minimum"] == pytest.approx(0.6)
        assert figures(finding)["harmonic_mean"] == pytest.approx(2 * 0.7 * 0.6 / 1.3)
        assert figures(finding)["gap"] == pytest.approx(0.1)
        assert figures(finding)["flat_predictions_excluded"] == 5
        assert figures(finding)["zero_returns_excluded"] == 3

    def test_a_side_that_never_spoke_scores_zero_and_fails(self, evidence, dossier, policy):
        finding = self.judge(evidence, dossier, policy, [(1, 1)] * 90 + [(1, -1)] * 10)

        assert (finding.outcome, finding.statistic.value) == (Outcome.FAIL, 0)
        assert (
            "No short prediction was made, so that side scores 0; a long-only model needs a waiver in the policy."
            in finding.reason
        )

    def test_both_sides_are_told_when_both_spoke(self, evidence, dossier, policy):
        rows = [(1, 1)] * 60 + [(1, -1)] * 40 + [(-1, -1)] * 7 + [(-1, 1)] * 3

        reason = self.judge(evidence, dossier, policy, rows).reason

        assert "60.0% of 100 long predictions were right and 70.0% of 10 short predictions were right" in reason

    def test_a_long_only_waiver_judges_the_long_side_alone(self, evidence, dossier, with_gate):
        waived = with_gate("spa", long_only_waiver=True)

        finding = self.judge(evidence, dossier, waived, [(1, 1)] * 60 + [(1, -1)] * 40)

        assert finding.outcome is Outcome.PASS
        assert finding.statistic.value == pytest.approx(wilson(0.6, figures(finding)["long_effective_n"]))
        assert "waiver" in finding.reason

    def test_a_long_only_waiver_excuses_neither_bad_longs_nor_bad_shorts(self, evidence, dossier, with_gate):
        waived = with_gate("spa", long_only_waiver=True)
        bad_longs = [(1, 1)] * 40 + [(1, -1)] * 60
        bad_shorts = [(1, 1)] * 60 + [(1, -1)] * 40 + [(-1, 1)] * 10
        shorts_only = [(-1, -1)] * 60 + [(-1, 1)] * 40

        for rows in (bad_longs, bad_shorts, shorts_only):
            assert self.judge(evidence, dossier, waived, rows).outcome is Outcome.FAIL

    @pytest.mark.parametrize(("shorts", "outcome"), [(29, Outcome.INCONCLUSIVE), (30, Outcome.PASS)])
    def test_a_handful_of_right_predictions_passes_nothing(self, shorts, outcome, evidence, dossier, policy):
        rows = [(1, 1)] * 100 + [(-1, -1)] * shorts

        assert self.judge(evidence, dossier, policy, rows).outcome is outcome

    def test_a_probability_is_neutral_at_one_half(self, evidence, dossier, policy):
        probability = replace(dossier, validation=replace(dossier.validation, prediction=PredictionKind.PROBABILITY))
        rows = [(0.6, 1)] * 60 + [(0.6, -1)] * 40 + [(0.4, -1)] * 60 + [(0.4, 1)] * 40 + [(0.5, 1)] * 7

        finding = self.judge(evidence, probability, policy, rows)

        effective = min(figures(finding)[f"{side}_effective_n"] for side in ("long", "short"))
        assert finding.statistic.value == pytest.approx(wilson(0.6, effective))
        assert figures(finding)["flat_predictions_excluded"] == 7

    def test_only_flat_predictions_never_pass(self, evidence, dossier, with_gate):
        for is_waived in (True, False):
            policy = with_gate("spa", long_only_waiver=is_waived)
            assert self.judge(evidence, dossier, policy, [(0, 1)] * 100).outcome is not Outcome.PASS


class TestDsr:
    def judge(self, evidence, dossier, policy, returns):
        return downside_sensitivity(replace(evidence, backtest=backtest(returns)), dossier, policy)

    def test_losses_twice_the_gains_are_two(self, evidence, dossier, policy):
        finding = self.judge(evidence, dossier, policy, [0.01, -0.02] * 150)

        assert finding.outcome is Outcome.FAIL
        assert finding.statistic.value == pytest.approx(2)
        assert figures(finding) == {"losses": 150, "gains": 150, "unchanged": 0}

    def test_gains_that_never_came_fail_at_infinity(self, evidence, dossier, policy):
        finding = self.judge(evidence, dossier, policy, [0.0, -0.01] * 150)

        assert finding.outcome is Outcome.FAIL
        assert finding.statistic.text == "∞"

    def test_a_year_of_returns_is_the_least(self, evidence, dossier, policy):
        returns = np.resize([0.01, -0.01], 252)

        assert self.judge(evidence, dossier, policy, returns).outcome is Outcome.PASS
        assert self.judge(evidence, dossier, policy, returns[:251]).outcome is Outcome.INCONCLUSIVE


class TestPbo:
    def test_a_configuration_that_is_always_best_is_never_overfit(self, evidence, dossier, policy):
        noise = np.random.default_rng(1).normal(0, 0.01, 330)
        own = np.random.default_rng(2).normal(0, 0.002, (330, 5))
        family = np.stack([noise + 0.004 * k for k in range(5)], axis=1) + 2 * own

        finding = backtest_overfitting(chosen_from(evidence, family), dossier, policy)

        assert (finding.outcome, finding.statistic.value) == (Outcome.PASS, 0)
        assert figures(finding)["rows_trimmed"] == 330 % 16
        assert figures(finding)["splits"] == 12_870
        assert figures(finding)["trials"] == 5
        assert finding.n == 320

    def test_two_configurations_that_take_turns_are_always_overfit(self, evidence, dossier, with_gate):
        noise = np.random.default_rng(2).normal(0, 0.004, 400)
        turns = np.repeat([0.01, -0.01, 0.01, -0.01], 100)
        family = np.stack([noise + turns, noise - turns], axis=1)

        finding = backtest_overfitting(chosen_from(evidence, family), dossier, with_gate("pbo", partitions=4))

        # Of the six splits two put equal turns on both sides; the other four crown the loser of the other half.
        assert finding.outcome is Outcome.FAIL
        assert finding.statistic.value >= 4 / 6
        assert figures(finding)["splits"] == 6

    def test_the_picture_has_the_logits_that_the_gate_counted(self, evidence, dossier, policy):
        finding = backtest_overfitting(evidence, dossier, policy)
        logits = finding.charts[0].values

        assert logits.size == figures(finding)["splits"]
        assert np.mean(logits <= 0) == pytest.approx(finding.statistic.value)

    def test_there_is_no_picture_without_a_family(self, evidence, dossier, policy):
        assert backtest_overfitting(replace(evidence, trials=None), dossier, policy).charts == ()


class TestWalkForward:
    def judge(self, evidence, dossier, policy, windows, extra=()):
        returns = np.concatenate([np.array([0.001, -0.001, 0.002, -0.002, shift]) for shift in windows])
        return walk_forward(replace(evidence, backtest=backtest([*returns, *extra])), dossier, policy)

    def test_windows_that_gained_are_counted(self, evidence, dossier, with_gate):
        finding = self.judge(
            evidence, dossier, with_gate("walk_forward", window_sessions=5), [0.01] * 7 + [-0.01] * 3, extra=[-0.5] * 4
        )

        assert (finding.outcome, finding.word) == (Outcome.PASS, "NEAR MISS")
        assert finding.statistic.value == pytest.approx(0.7)
        assert finding.n == 10
        assert figures(finding)["positive_windows"] == 7
        assert figures(finding)["sessions_dropped"] == 4

    def test_nine_windows_are_too_few(self, evidence, dossier, with_gate):
        finding = self.judge(evidence, dossier, with_gate("walk_forward", window_sessions=5), [0.01] * 9)

        assert finding.outcome is Outcome.INCONCLUSIVE

    def test_a_window_that_ends_where_it_began_is_not_positive(self, evidence, dossier, with_gate):
        flat = np.zeros(5)
        gains = np.tile([0.01, -0.005, 0.0, 0.0, 0.0], 9)
        given = replace(evidence, backtest=backtest(np.concatenate([flat, gains])))

        finding = walk_forward(given, dossier, with_gate("walk_forward", window_sessions=5))

        assert finding.statistic.value == pytest.approx(0.9)


class TestValueAtRisk:
    def test_a_forecast_knows_only_the_sessions_before_it(self, evidence, policy):
        gate = policy.gates.var
        changed = evidence.backtest.returns.copy()
        changed[900:] *= -3

        before = rolling_forecasts(evidence.backtest, gate)
        after = rolling_forecasts(replace(evidence.backtest, returns=changed), gate)

        known = before.dates <= evidence.backtest.dates[900]
        assert known.sum() == 401
        assert np.array_equal(before.value_at_risk[known], after.value_at_risk[known])
        assert not np.array_equal(before.value_at_risk[~known], after.value_at_risk[~known])

    def test_a_loss_that_is_within_the_limit_but_comes_too_often_fails(self, evidence, dossier, policy):
        calm = np.random.default_rng(3).normal(0.0005, 0.003, 700)
        wild = np.random.default_rng(4).normal(0.0005, 0.02, 500)
        finding = value_at_risk_compliance(
            replace(evidence, backtest=backtest(np.concatenate([calm, wild]))), dossier, policy
        )

        assert finding.outcome is Outcome.FAIL
        assert finding.statistic.value > policy.gates.var.limit_pct / 100
        assert "Kupiec" in finding.reason

    def test_a_loss_beyond_the_limit_fails_however_well_forecast(self, evidence, dossier, with_gate):
        finding = value_at_risk_compliance(evidence, dossier, with_gate("var", limit_pct=-0.5))

        assert finding.outcome is Outcome.FAIL
        assert "reject" not in finding.reason

    @pytest.mark.parametrize(("sessions", "is_enough"), [(749, False), (750, True)])
    def test_coverage_takes_a_year_of_forecasts(self, sessions, is_enough, evidence, dossier, policy):
        given = replace(evidence, backtest=backtest(evidence.backtest.returns[:sessions]))

        finding = value_at_risk_compliance(given, dossier, policy)

        assert (finding.outcome is not Outcome.INCONCLUSIVE) is is_enough

    def test_the_figures_are_those_of_the_tests(self, evidence, dossier, policy):
        finding = value_at_risk_compliance(evidence, dossier, policy)
        forecasts = rolling_forecasts(evidence.backtest, policy.gates.var)

        assert figures(finding)["forecasts"] == 1100
        assert figures(finding)["exceptions_expected"] == pytest.approx(55)
        assert figures(finding)["exceptions"] == forecasts.is_exception.sum()
        assert "55.0 were expected" in finding.reason
        assert figures(finding)["conditional_value_at_risk"] <= finding.statistic.value
        assert {"kupiec_p", "independence_p", "conditional_p"} <= figures(finding).keys()

    @pytest.mark.parametrize("method", ["parametric", "filtered_historical"])
    def test_every_method_of_the_policy_can_be_computed(self, method, evidence, dossier, with_gate):
        finding = value_at_risk_compliance(evidence, dossier, with_gate("var", method=method))

        assert finding.outcome in {Outcome.PASS, Outcome.FAIL}
        assert method in finding.method

    def test_an_unknown_method_is_an_error(self, evidence, dossier, with_gate):
        assert value_at_risk_compliance(evidence, dossier, with_gate("var", method="magic")).outcome is Outcome.ERROR


class TestDeflatedSharpe:
    def test_more_worthless_trials_deflate_more(self, evidence, dossier, policy):
        rng = np.random.default_rng(5)
        noise = rng.normal(0, 0.01, (evidence.backtest.returns.size, 200))

        few, many = (deflated_sharpe(chosen_from(evidence, noise[:, :n], 0), dossier, policy) for n in (5, 200))

        assert many.statistic.value < few.statistic.value
        assert figures(many)["expected_best_sharpe"] > figures(few)["expected_best_sharpe"]
        assert figures(many)["trials"] == 200

    def test_the_figures_follow_the_paper(self, evidence, dossier, policy):
        given = figures(deflated_sharpe(evidence, dossier, policy))
        returns = evidence.backtest.returns
        sharpes = evidence.trials.returns.mean(axis=0) / evidence.trials.returns.std(axis=0, ddof=1)

        centred = (returns - returns.mean()) / returns.std()
        assert given["skew"] == pytest.approx((centred**3).mean())
        assert given["kurtosis"] == pytest.approx((centred**4).mean())
        assert given["session_sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1))
        assert given["trial_sharpe_variance"] == pytest.approx(np.var(sharpes, ddof=1))
        # Exact expected maximum of 12 standard normals is 1.6292; the paper's approximation lies close to it.
        assert given["expected_best_sharpe"] == pytest.approx(1.6292 * np.std(sharpes, ddof=1), rel=0.03)

    @pytest.mark.parametrize(("sessions", "is_enough"), [(251, False), (252, True)])
    def test_a_year_of_returns_is_the_least(self, sessions, is_enough, evidence, dossier, policy):
        given = replace(evidence, backtest=backtest(evidence.backtest.returns[:sessions]))

        finding = deflated_sharpe(given, dossier, policy)

        assert (finding.outcome is not Outcome.INCONCLUSIVE) is is_enough

    def test_it_does_not_block_unless_the_policy_says_so(self, evidence, dossier, policy, with_gate):
        poor = chosen_from(evidence, np.random.default_rng(6).normal(0, 0.01, (800, 12)))

        assert deflated_sharpe(poor, dossier, policy).outcome is Outcome.FAIL
        assert not deflated_sharpe(poor, dossier, policy).blocks
        assert deflated_sharpe(poor, dossier, with_gate("deflated_sharpe", blocking=True)).blocks


def test_a_coin_passes_the_symmetry_gate_which_is_why_it_says_that_it_tests_no_skill(evidence, dossier, policy):
    coin = good_predictions(np.random.default_rng(7), size=20_000, accuracy=0.5)

    assert symmetric_accuracy(replace(evidence, predictions=coin), dossier, policy).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("gate", "size", "what", "has", "needs"),
    [
        (value_at_risk_compliance, 600, "forecasts", 100, 250),
        (value_at_risk_compliance, 400, "forecasts", 0, 250),
        (walk_forward, 600, "windows", 9, 10),
    ],
)
def test_a_record_that_is_too_short_says_what_it_has_and_needs(evidence, dossier, policy, gate, size, what, has, needs):
    short = replace(evidence, backtest=backtest(evidence.backtest.returns[:size]))
    finding = gate(short, dossier, policy)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert (figures(finding)[what], figures(finding)[f"{what}_needed"]) == (has, needs)


def test_too_few_predictions_of_a_side_say_how_many_there_are_and_are_needed(evidence, dossier, policy):
    said = np.random.default_rng(0).permutation([1.0] * 25 + [-1.0] * 25)
    finding = symmetric_accuracy(replace(evidence, predictions=predictions(said, said)), dossier, policy)

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert figures(finding)["predictions_of_a_side"] == 25
    assert figures(finding)["predictions_of_a_side_needed"] == 30
