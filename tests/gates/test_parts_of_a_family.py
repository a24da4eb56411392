"""What a part of the family says of the backtest: without a crowd, without junk, by the akin trials alone."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from releases import backtest, trials

from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.pbo import backtest_overfitting
from signoff.domain.memo.validation import _how
from signoff.domain.outcome import Outcome
from signoff.rendering.terminal import reasons
from signoff.stats.crowds import crowd, poor
from signoff.verbs.documents import gate_document

SESSIONS = 1600


def figures(finding):
    return {quantity.name.rpartition(".")[2]: quantity.value for quantity in finding.figures}


def tried(evidence, family, column=0):
    return replace(evidence, backtest=backtest(family[:, column]), trials=trials(family))


def of_ratio(rng, ratios):
    drawn = rng.standard_normal((SESSIONS, len(ratios)))
    drawn = (drawn - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1)
    return 0.008 * (drawn + np.asarray(ratios) / sqrt(252))


BROAD = np.linspace(2.0, -1.5, 20)
CROWDS = {
    "of one ratio": lambda rng: np.full(150, 0.3),
    "of nearly one ratio": lambda rng: rng.normal(0.3, 0.05, 300),
    "scattered by half a standard error": lambda rng: rng.normal(0.6, 0.2, 200),
    "at two ratios": lambda rng: np.repeat([0.1, 0.7], 120),
    "between two better ones": lambda rng: np.full(200, 0.9),
}


class TestCrowds:
    @pytest.mark.parametrize("made", CROWDS.values(), ids=CROWDS)
    def test_a_crowd_of_unrelated_trials_lifts_no_deflated_ratio(self, made, evidence, dossier, policy):
        rng = np.random.default_rng(3)
        family = of_ratio(rng, np.concatenate([BROAD, made(rng)]))

        found = deflated_sharpe(tried(evidence, family), dossier, policy)

        assert deflated_sharpe(tried(evidence, family[:, :20]), dossier, policy).outcome is Outcome.FAIL
        assert found.statistic.value >= 0.95
        assert found.outcome is Outcome.FAIL
        assert figures(found)["without_crowd"] < 0.95
        assert "unrelated trials of about equal Sharpe ratios, the probability is" in found.reason

    @pytest.mark.parametrize("count", [20, 100, 500])
    @pytest.mark.parametrize("world", ["no skill", "one skilled", "related"])
    def test_an_honest_family_has_no_crowd(self, count, world):
        rng = np.random.default_rng(count)
        for _ in range(20):
            related = 0.5 if world == "related" else 0.0
            error = 1 / sqrt(SESSIONS)
            sharpes = error * (sqrt(related) * rng.normal() + sqrt(1 - related) * rng.normal(size=count))
            sharpes[0] += 4 * error * (world == "one skilled")

            assert not crowd(sharpes, error, lambda places, related=related: related).any()

    def test_related_trials_of_one_ratio_are_no_crowd(self):
        """Those of a grid correlate, and agree for that reason."""
        rng = np.random.default_rng(1)
        error = 1 / sqrt(SESSIONS)
        grid = 0.2 * error * rng.normal(size=30)
        sharpes = np.concatenate([grid, 2 * error * rng.normal(size=30)])

        assert crowd(sharpes, error, lambda _: 0.0).any()

        def correlation(places):
            return 0.96 if places.size < 50 and (places < 30).mean() > 0.5 else 0.2

        assert not crowd(sharpes, error, correlation).any()

    def test_akin_trials_that_spread_more_are_told(self, evidence, dossier, policy):
        rng = np.random.default_rng(8)
        shared = of_ratio(rng, [0.0])
        akin = 0.75 * shared + 0.66 * of_ratio(rng, np.linspace(3.2, -2.0, 12))
        family = np.hstack([akin, of_ratio(rng, rng.normal(0.2, 0.4, 80))])

        found = deflated_sharpe(tried(evidence, family), dossier, policy)

        assert figures(found)["akin_alone_trials"] == 12
        assert "the 12 akin to the backtest alone it is" in found.reason


class TestOnePoorTrial:
    @pytest.mark.parametrize("poor_ones", [[-15.0], [-10.0], [-8.0, -9.0], [-25.0]], ids=str)
    def test_a_failure_that_hangs_on_it_says_so(self, poor_ones, evidence, dossier, policy):
        rng = np.random.default_rng(5)
        family = of_ratio(rng, np.concatenate([[2.6], np.linspace(-0.4, 1.0, 19), poor_ones]))

        plain = deflated_sharpe(tried(evidence, family[:, :20]), dossier, policy)
        found = deflated_sharpe(tried(evidence, family), dossier, policy)

        assert plain.outcome is Outcome.PASS
        assert found.outcome is Outcome.FAIL
        assert figures(found)["without_junk"] >= 0.95
        assert "; the verdict hangs on them." in found.reason
        assert "the verdict hangs on the trials counted" in _how(found, ())


class TestJunkIsTheMajority:
    @pytest.mark.parametrize(
        "ratios",
        [np.full(60, 0.0), np.full(40, -0.2), np.linspace(-0.4, 0.05, 90), np.full(150, -0.1)],
        ids=["sixty", "forty", "ninety", "a hundred and fifty"],
    )
    def test_a_pass_that_hangs_on_it_is_none(self, ratios, evidence, dossier, policy):
        rng = np.random.default_rng(1)
        good = of_ratio(rng, np.linspace(0.9, 0.96, 10))
        family = np.hstack([good, of_ratio(rng, ratios)])

        plain = backtest_overfitting(tried(evidence, good, 9), dossier, policy)
        found = backtest_overfitting(tried(evidence, family, 9), dossier, policy)

        assert plain.outcome is Outcome.FAIL
        assert found.statistic.value < 0.5
        assert figures(found)["junk"] >= ratios.size * 0.9
        assert found.outcome is Outcome.FAIL

    def test_trials_that_estimation_error_explains_are_not_poor(self):
        error = 1 / sqrt(SESSIONS)

        assert not poor(error * np.array([3.0, 2.0, 1.5, 0.9, 0.5]), error).any()
        assert poor(error * np.array([3.0, 2.0, 1.5, 0.9, -0.5]), error).tolist() == [False] * 4 + [True]
        assert not poor(error * np.array([-1.0, -2.0, -9.0]), error).any()


class TestWhereTheVerdictHangs:
    @pytest.fixture
    def found(self, evidence, dossier, policy):
        good = of_ratio(np.random.default_rng(1), np.linspace(1.2, 1.3, 12))
        family = np.hstack([good, of_ratio(np.random.default_rng(2), np.full(90, 0.45))])
        finding = backtest_overfitting(tried(evidence, family, 11), dossier, policy)
        assert finding.outcome is Outcome.PASS
        assert figures(finding)["better_half"] >= 0.5
        return finding

    def test_page_one_says_so(self, found):
        half = 100 * figures(found)["better_half"]

        assert f"the verdict hangs on the trials counted: {half:.1f}% over the better half" in _how(found, ())

    def test_check_says_so_beneath_its_table(self, found):
        (said,) = reasons([gate_document(found)])

        assert "The verdict hangs on the poorer half of the trials: over the better half it is" in said.plain

    def test_nothing_is_said_where_nothing_hangs(self, evidence, dossier, policy):
        plain = np.random.default_rng(2).normal(0, 0.01, (SESSIONS, 20))
        plain[:, 3] += 0.002
        finding = backtest_overfitting(tried(evidence, plain, 3), dossier, policy)

        assert "hangs" not in _how(finding, ())
        assert reasons([gate_document(replace(finding, is_near_miss=False))]) == ()
