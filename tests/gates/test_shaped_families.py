"""A family of trials that was shaped: what it is padded with neither lowers PBO nor lifts the deflated Sharpe ratio."""

from dataclasses import replace
from math import e, sqrt

import numpy as np
import pytest
from releases import backtest, trials
from scipy.stats import kurtosis, norm, skew

from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.hansen_spa import hansen_spa
from signoff.domain.gates.pbo import backtest_overfitting
from signoff.domain.outcome import Outcome

SESSIONS = 1600
GATES = {"pbo": backtest_overfitting, "deflated_sharpe": deflated_sharpe, "hansen_spa": hansen_spa}


def figures(finding):
    return {quantity.name.rpartition(".")[2]: quantity.value for quantity in finding.figures}


def tried(evidence, family, column=0):
    """The release whose backtest is this column of these trials."""
    return replace(evidence, backtest=backtest(family[:, column]), trials=trials(family))


def deflated_by_hand(returns, family):
    """Bailey and López de Prado (2014) over these trials, none of them like another."""
    ratio = returns.mean() / returns.std(ddof=1)
    sharpes = family.mean(axis=0) / family.std(axis=0, ddof=1)
    n, gamma = family.shape[1], 0.5772156649015329
    best = sharpes.std(ddof=1) * ((1 - gamma) * norm.ppf(1 - 1 / n) + gamma * norm.ppf(1 - 1 / (n * e)))
    spread = 1 - skew(returns) * ratio + (kurtosis(returns, fisher=False) - 1) * ratio**2 / 4
    return norm.cdf((ratio - best) * sqrt(returns.size - 1) / sqrt(spread))


def unselected(seed=11, count=10, mean=0.0006):
    """Trials of one and the same skill: whichever is chosen, the choice is luck."""
    return np.random.default_rng(seed).normal(mean, 0.01, (SESSIONS, count))


class TestCopiesThatDiffer:
    """Case 06: six hundred near copies of a middling trial lifted the deflated ratio above its threshold."""

    @pytest.fixture
    def family(self):
        rng = np.random.default_rng(5)
        return np.linspace(-0.0006, 0.0008, 30) + rng.normal(0, 0.01, (SESSIONS, 30))

    def test_without_any_copy_it_is_the_paper(self, family, evidence, dossier, policy):
        given = tried(evidence, family, 29)

        found = deflated_sharpe(given, dossier, policy)

        assert found.statistic.value == pytest.approx(deflated_by_hand(family[:, 29], family), rel=1e-9)
        assert figures(found)["effective_trials"] == 30

    @pytest.mark.parametrize(
        "made",
        [
            lambda x, _: x,
            lambda x, rng: x + 1e-9 * rng.normal(size=x.size),
            lambda x, rng: x + 1e-5 * rng.normal(size=x.size),
            lambda x, rng: x + 1e-3 * rng.normal(size=x.size),
            lambda x, rng: rng.uniform(0.1, 3) * x,
            lambda x, rng: -rng.uniform(0.1, 1) * x,
            lambda x, rng: rng.choice([-1, 1]) * rng.uniform(0.3, 1) * x + 1e-4 * rng.normal(size=x.size),
            lambda x, rng: x - rng.uniform(0, 1e-4),
        ],
        ids=["exact", "1e-9", "1e-5", "1e-3", "levered", "reversed", "levered, reversed, noisy", "after costs"],
    )
    def test_copies_do_not_lift_the_deflated_ratio(self, made, family, evidence, dossier, policy):
        rng = np.random.default_rng(6)
        copies = np.column_stack([made(family[:, 14], rng) for _ in range(300)])

        found = deflated_sharpe(tried(evidence, np.hstack([family, copies]), 29), dossier, policy)

        assert found.statistic.value == pytest.approx(deflated_by_hand(family[:, 29], family), abs=0.01)
        assert figures(found)["effective_trials"] == 30

    def test_copies_just_below_the_limit_are_told_to_decide(self, evidence, dossier, with_gate):
        """Correlated .89 with one another they are no copies; they have hardly a spread of their own all the same."""
        rng = np.random.default_rng(5)
        family = np.linspace(-0.0006, 0.0018, 30) + rng.normal(0, 0.01, (SESSIONS, 30))
        noisy = family[:, [14]] + 0.0035 * rng.normal(size=(SESSIONS, 300))
        policy = with_gate("deflated_sharpe", threshold=0.8)
        plain = deflated_sharpe(tried(evidence, family, 29), dossier, policy)
        padded = deflated_sharpe(tried(evidence, np.hstack([family, noisy]), 29), dossier, policy)

        assert plain.outcome is Outcome.FAIL
        assert padded.statistic.value > 0.8
        assert padded.outcome is Outcome.FAIL
        assert "hangs on trials that are nearly alike" in padded.reason


class TestReversals:
    @pytest.fixture
    def family(self):
        return unselected(13)

    def test_each_trial_reversed_leaves_pbo_as_it_was(self, family, evidence, dossier, policy):
        plain = backtest_overfitting(tried(evidence, family), dossier, policy)
        padded = backtest_overfitting(tried(evidence, np.hstack([family, -family])), dossier, policy)

        assert plain.statistic.value > 0.5
        assert padded.statistic.value == plain.statistic.value
        assert figures(padded)["effective_trials"] == figures(padded)["reversals"] == 10
        assert figures(padded)["as_tried"] < 0.5
        assert "the verdict hangs on them" in padded.reason

    @pytest.mark.parametrize("order", ["reversals first", "in pairs", "shuffled"])
    @pytest.mark.parametrize("leverage", [1.0, 0.4])
    def test_no_order_and_no_leverage_of_reversals_makes_a_failure_a_pass(
        self, order, leverage, family, evidence, dossier, policy
    ):
        both = np.hstack([-leverage * family, family])
        columns = {
            "reversals first": np.arange(20),
            "in pairs": np.arange(20).reshape(2, 10).T.ravel(),
            "shuffled": np.random.default_rng(3).permutation(20),
        }[order]
        shaped = both[:, columns]
        chosen = int(np.flatnonzero(columns == 10)[0])

        found = backtest_overfitting(tried(evidence, shaped, chosen), dossier, policy)

        assert found.outcome is Outcome.FAIL

    def test_the_deflated_ratio_does_not_rise(self, family, evidence, dossier, policy):
        plain = deflated_sharpe(tried(evidence, family), dossier, policy)
        padded = deflated_sharpe(tried(evidence, np.hstack([family, -family])), dossier, policy)

        assert padded.statistic.value == pytest.approx(plain.statistic.value, abs=1e-9)


JUNK = {
    "forty that lose": lambda rng, _: rng.normal(-0.002, 0.01, (SESSIONS, 40)),
    "nine that lose": lambda rng, _: rng.normal(-0.0015, 0.01, (SESSIONS, 9)),
    "others' reversals": lambda rng, family: -family[:, ::-1] + 0.004 * rng.normal(size=family.shape),
    "twenty that were late": lambda rng, _: rng.normal(-0.001, 0.004, (SESSIONS, 20)),
}


class TestConstants:
    """The same trials again less a constant a row are no trials of their own, at any leverage, sign and place."""

    @pytest.mark.parametrize(
        "again",
        [
            lambda family: family - 0.006,
            lambda family: 0.5 * family - 0.002,
            lambda family: -2 * family - 0.004,
            lambda family: family + 0.003,
        ],
        ids=["ruinous costs", "half the leverage", "reversed", "a rebate"],
    )
    @pytest.mark.parametrize("is_first", [True, False])
    def test_they_change_neither_the_number_of_bets_nor_the_deflated_ratio(
        self, again, is_first, evidence, dossier, policy
    ):
        family = unselected(13, mean=0.001)
        best = int(np.argmax(family.mean(axis=0) / family.std(axis=0)))
        both = np.hstack([again(family), family] if is_first else [family, again(family)])
        chosen = best + family.shape[1] * is_first

        plain = deflated_sharpe(tried(evidence, family, best), dossier, policy)
        found = deflated_sharpe(tried(evidence, both, chosen), dossier, policy)

        bets = [q.value for q in found.figures if q.name.endswith("deflated_sharpe.effective_trials")]
        assert bets == [family.shape[1]]
        assert found.statistic.value <= plain.statistic.value + 1e-9 or np.mean(again(family)) > np.mean(family)


class TestJunk:
    @pytest.mark.parametrize("made", JUNK.values(), ids=JUNK)
    @pytest.mark.parametrize("seed", [13, 14, 18])
    def test_a_pass_that_hangs_on_junk_is_none(self, made, seed, evidence, dossier, policy):
        family = unselected(seed, mean=0.001)
        padded = np.hstack([family, made(np.random.default_rng(seed), family)])
        best = int(np.argmax(family.mean(axis=0) / family.std(axis=0)))

        plain = backtest_overfitting(tried(evidence, family, best), dossier, policy)
        found = backtest_overfitting(tried(evidence, padded, best), dossier, policy)

        assert plain.outcome is Outcome.FAIL
        assert found.statistic.value < 0.5
        assert figures(found)["without_junk"] >= 0.5
        assert figures(found)["junk"] >= 9
        assert found.outcome is Outcome.FAIL
        assert "The verdict hangs on how the trials are counted" in found.reason

    def test_a_trial_of_true_skill_passes_among_poor_ones(self, evidence, dossier, policy):
        family = np.random.default_rng(2).normal(0, 0.01, (SESSIONS, 20))
        family[:, 3] += 0.002

        found = backtest_overfitting(tried(evidence, family, 3), dossier, policy)

        assert found.outcome is Outcome.PASS
        assert found.statistic.value < 0.05

    @pytest.mark.parametrize("seed", range(4))
    def test_a_grid_of_some_better_and_some_worse_still_passes(self, seed, evidence, dossier, policy):
        rng = np.random.default_rng(seed)
        market = rng.normal(0, 0.01, (SESSIONS, 1))
        family = np.linspace(0, 0.0016, 12) + 0.7 * market + 0.007 * rng.normal(size=(SESSIONS, 12))

        found = backtest_overfitting(tried(evidence, family, 11), dossier, policy)

        assert found.outcome is Outcome.PASS
        assert figures(found).get("without_junk", 0.0) < 0.5


def of_ratio(rng, ratios, volatility=0.008):
    """Unrelated columns whose annual Sharpe ratios over the record are exactly these."""
    drawn = rng.standard_normal((SESSIONS, len(ratios)))
    drawn = (drawn - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1)
    return volatility * (drawn + np.asarray(ratios) / sqrt(252))


class TestTooLittleSpread:
    """Many unrelated trials of one Sharpe ratio shrank the variance that deflation rests on."""

    @pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.7])
    def test_the_more_unrelated_trials_of_one_ratio_the_lower_the_deflated_ratio(
        self, ratio, evidence, dossier, policy
    ):
        """A spread beyond estimation error may shrink to the floor; it never shrinks below it."""
        rng = np.random.default_rng(4)
        family = of_ratio(rng, np.linspace(-0.6, 1.4, 20))
        crowd = of_ratio(rng, [ratio] * 300)
        shaped = [np.hstack([family, crowd[:, :count]]) for count in (60, 150, 300)]

        found = [deflated_sharpe(tried(evidence, padded, 19), dossier, policy) for padded in shaped]

        few, more, most = (finding.statistic.value for finding in found)
        assert few > more > most
        for finding, padded in zip(found, shaped, strict=True):
            assert finding.statistic.value <= deflated_by_hand(padded[:, 19], padded) + 1e-12
            assert "less than estimation error alone gives them; the floor of" in finding.reason
            assert figures(finding)["variance_floor"] == figures(finding)["trial_sharpe_variance"]

    @pytest.mark.parametrize("rho", [0.0, 0.4])
    def test_the_floor_is_that_of_the_mean_correlation(self, rho, evidence, dossier, policy):
        rng = np.random.default_rng(7)
        mixed = sqrt(rho) * rng.standard_normal((SESSIONS, 1)) + sqrt(1 - rho) * rng.standard_normal((SESSIONS, 30))
        family = 0.01 * ((mixed - mixed.mean(axis=0)) / mixed.std(axis=0, ddof=1) + 0.04)
        pairs = np.corrcoef(family.T)[np.triu_indices(30, 1)]

        found = deflated_sharpe(tried(evidence, family), dossier, policy)

        by_hand = (1 - pairs.mean()) * (1 + 0.04**2 / 2) / SESSIONS
        assert figures(found)["variance_floor"] == pytest.approx(by_hand, rel=1e-9)

    def test_no_floor_is_told_where_the_trials_differ_by_more(self, evidence, dossier, policy):
        family = of_ratio(np.random.default_rng(4), np.linspace(-1, 2, 20))

        found = deflated_sharpe(tried(evidence, family, 19), dossier, policy)

        assert "variance_floor" not in figures(found)
        assert "the floor of" not in found.reason


class TestPoorerHalf:
    @pytest.mark.parametrize("poor", [[0.0] * 30, [-0.1] * 30, list(np.linspace(-0.2, 0.05, 30)), [0.0] * 40], ids=str)
    def test_a_pass_that_hangs_on_the_poorer_half_says_so(self, poor, evidence, dossier, policy):
        good = of_ratio(np.random.default_rng(1), np.linspace(0.9, 0.96, 12))
        family = np.hstack([good, of_ratio(np.random.default_rng(2), poor)])

        found = backtest_overfitting(tried(evidence, family, 11), dossier, policy)

        assert found.statistic.value < 0.5 <= figures(found)["better_half"]
        half = 100 * figures(found)["better_half"]
        assert f"The verdict hangs on the poorer half of the trials: over the better half it is {half:.1f}%" in (
            found.reason
        )

    def test_a_trial_of_true_skill_does_not_hang_on_the_poorer_half(self, evidence, dossier, policy):
        family = np.random.default_rng(2).normal(0, 0.01, (SESSIONS, 20))
        family[:, 3] += 0.002

        found = backtest_overfitting(tried(evidence, family, 3), dossier, policy)

        assert figures(found)["better_half"] < 0.5
        assert "Over the better half it is" in found.reason
        assert "hangs" not in found.reason

    def test_a_family_of_two_has_no_better_half(self, evidence, dossier, policy):
        found = backtest_overfitting(tried(evidence, unselected(count=2)), dossier, policy)

        assert "better_half" not in figures(found)


def gross_less(cost):
    return lambda family, rng: family[:, 3] - cost * rng.uniform(0.2, 1.8, SESSIONS)


NO_TRIAL = {
    "nobody's": (lambda family, rng: rng.normal(0.0012, 0.01, SESSIONS), "No cost, leverage"),
    "a mixture of two": (lambda family, _: (family[:, 0] + family[:, 1]) / 2, "No cost, leverage"),
    "net of costs": (gross_less(2e-4), "The trial looks gross of costs and the backtest net"),
    "net of a constant": (lambda family, _: family[:, 3] - 5e-5, "The trial looks gross of costs"),
    "gross of costs": (gross_less(-2e-4), "The backtest looks gross of costs and the trial net"),
    "levered": (lambda family, _: 1.5 * family[:, 3], "The backtest is 1.5 times that trial"),
    "reversed": (lambda family, _: -family[:, 3], "−1 times that trial: another leverage or unit with its sign"),
    "a third": (lambda family, _: family[:, 3] / 3, "The backtest is 0.3333 times that trial"),
    "logarithmic": (lambda family, _: np.log1p(family[:, 3]), "One of the two holds logarithmic returns"),
    "rounded": (lambda family, _: np.round(family[:, 3], 4), "One of the two was rounded to 4 decimals"),
    "a day late": (lambda family, _: np.roll(family[:, 3], 1), "run-3 one row after"),
    "a day early": (lambda family, _: np.roll(family[:, 3], -1), "run-3 one row before"),
    "the worst tenth left out": (
        lambda family, _: np.where(family[:, 3] < np.quantile(family[:, 3], 0.1), 0.0, family[:, 3]),
        "equals it on 90.0% of its 1,600 dates",
    ),
}


ONE = {
    "itself": lambda x, rng: x,
    "itself but for dust": lambda x, rng: x + 9e-7 * rng.uniform(-1, 1, x.size),
    "itself but for one day in thirty": lambda x, rng: x + 1e-5 * (np.arange(x.size) % 30 == 0),
    "itself but for the order of the last month": lambda x, rng: np.concatenate([x[:-21], x[:-22:-1]]),
    "itself but for one day": lambda x, rng: x + 0.0005 * (np.arange(x.size) == 700),
}


def sharpe(returns):
    return returns.mean() / returns.std(ddof=1) * sqrt(252)


def at(places, value):
    """These rows take another value."""
    return lambda x, rng: np.where(places(x), value(x, rng), x)


# Each equals its trial on at least 95% of dates, and earns something else.
ELSE_EARNED = {
    "the worst days about zero": at(
        lambda x: x <= np.sort(x)[int(0.0495 * x.size) - 1], lambda x, rng: 0.0001 * rng.standard_normal(x.size)
    ),
    "the worst days halved": at(lambda x: x <= np.sort(x)[60], lambda x, _: x / 2),
    "the best days doubled": at(lambda x: x >= np.sort(x)[-30], lambda x, _: 2 * x),
    "the best days forgotten": at(lambda x: x >= np.sort(x)[-70], lambda x, _: 0 * x),
    "one day in twenty at the same": at(lambda x: np.arange(x.size) % 20 == 0, lambda x, _: 0.001 + 0 * x),
    "the last month at the same": at(lambda x: np.arange(x.size) >= x.size - 21, lambda x, _: 0.002 + 0 * x),
    "one day that made it": at(lambda x: np.arange(x.size) == 700, lambda x, _: 0.4 + 0 * x),
}


class TestBacktestIsATrial:
    @pytest.fixture
    def family(self):
        return np.random.default_rng(8).normal(0.0004, 0.01, (SESSIONS, 12))

    @pytest.mark.parametrize("key", GATES)
    @pytest.mark.parametrize(("made", "said"), NO_TRIAL.values(), ids=NO_TRIAL)
    def test_a_backtest_that_is_none_of_its_trials_is_inconclusive(
        self, made, said, key, family, evidence, dossier, policy
    ):
        own = made(family, np.random.default_rng(9))

        found = GATES[key](replace(evidence, backtest=backtest(own), trials=trials(family)), dossier, policy)

        assert found.outcome is Outcome.INCONCLUSIVE
        assert "The backtest is not one of its 12 trials: the nearest" in found.reason
        assert said in found.reason
        assert figures(found)["backtest_equals_trial"] < 0.95

    @pytest.mark.parametrize("made", [made for made, said in NO_TRIAL.values() if not said.startswith("No")])
    def test_the_nearest_trial_is_named(self, made, family, evidence, dossier, policy):
        own = made(family, np.random.default_rng(9))

        found = backtest_overfitting(replace(evidence, backtest=backtest(own), trials=trials(family)), dossier, policy)

        assert "run-3" in found.reason

    @pytest.mark.parametrize("key", GATES)
    @pytest.mark.parametrize("made", ONE.values(), ids=ONE)
    def test_a_backtest_that_is_one_is_judged(self, made, key, family, evidence, dossier, policy):
        own = made(family[:, 3], np.random.default_rng(9))

        found = GATES[key](replace(evidence, backtest=backtest(own), trials=trials(family)), dossier, policy)

        assert found.outcome in {Outcome.PASS, Outcome.FAIL}
        assert figures(found)["backtest_equals_trial"] >= 0.95

    @pytest.mark.parametrize("key", GATES)
    @pytest.mark.parametrize("made", ELSE_EARNED.values(), ids=ELSE_EARNED)
    def test_a_backtest_that_earned_something_else_on_few_dates_is_none(
        self, made, key, family, evidence, dossier, policy
    ):
        trial, own = family[:, 3], made(family[:, 3], np.random.default_rng(9))
        other = int((np.abs(own - trial) > 1e-6).sum())
        moved = abs(sharpe(own) - sharpe(trial)) > 0.02 * max(1, abs(sharpe(trial)))
        named, earned = ("Sharpe ratio", sharpe) if moved else ("total log growth", lambda x: np.log1p(x).sum())
        verb = ("raise" if earned(own) > earned(trial) else "lower") + "s" * (other == 1)
        dates = f"{other} dates" if other > 1 else "date"

        found = GATES[key](replace(evidence, backtest=backtest(own), trials=trials(family)), dossier, policy)

        assert found.outcome is Outcome.INCONCLUSIVE
        assert figures(found)["backtest_equals_trial"] == 1 - other / SESSIONS >= 0.95
        before, after = (f"{earned(returns):.2f}".replace("-", "−") for returns in (trial, own))
        assert (
            f"it equals run-3 on {100 - other / 16:.1f}% of dates, and the other {dates} {verb} its {named} from "
            f"{before} to {after}; expected" in found.reason
        )

    def test_a_growth_of_its_own_is_told_where_the_sharpe_ratio_hardly_moves(self, family, evidence, dossier, policy):
        wild = 3 * (family - family.mean(axis=0))
        own = wild[:, 3] + 0.0004 * (np.arange(SESSIONS) % 21 == 0)

        found = backtest_overfitting(replace(evidence, backtest=backtest(own), trials=trials(wild)), dossier, policy)

        assert abs(sharpe(own) - sharpe(wild[:, 3])) < 0.02
        assert found.outcome is Outcome.INCONCLUSIVE
        before, after = (f"{np.log1p(x).sum():.2f}".replace("-", "−") for x in (wild[:, 3], own))
        assert f"the other 77 dates raise its total log growth from {before} to {after}" in found.reason

    def test_returns_so_small_that_all_are_equal_are_told_by_what_they_earned(self, family, evidence, dossier, policy):
        tiny = 1e-5 * family
        own = tiny[:, 3] + 5e-9

        found = backtest_overfitting(replace(evidence, backtest=backtest(own), trials=trials(tiny)), dossier, policy)

        assert found.outcome is Outcome.INCONCLUSIVE
        assert "run-3 on 100.0% of dates, and differences of at most 0.000001 raise its Sharpe ratio" in found.reason

    def test_the_trial_that_is_closest_is_the_backtest_where_all_are_nearly_equal(
        self, family, evidence, dossier, policy
    ):
        tiny = 1e-5 * family

        found = backtest_overfitting(tried(evidence, tiny, 7), dossier, policy)

        assert found.outcome in {Outcome.PASS, Outcome.FAIL}

    @pytest.mark.parametrize("key", GATES)
    def test_dates_that_differ_are_told_though_the_backtest_is_the_trial(self, key, family, evidence, dossier, policy):
        own = ONE["itself but for one day in thirty"](family[:, 3], None)

        found = GATES[key](replace(evidence, backtest=backtest(own), trials=trials(family)), dossier, policy)
        equal = GATES[key](tried(evidence, family, 3), dossier, policy)

        assert found.reason.endswith(
            "The backtest differs from its trial run-3 on 54 of their 1,600 dates, by up to 1e-05."
        )
        assert "differs from its trial" not in equal.reason

    def test_trials_over_a_shorter_period_are_told(self, family, evidence, dossier, policy):
        given = replace(evidence, backtest=backtest(family[:, 3]), trials=trials(family[:1400]))

        found = backtest_overfitting(given, dossier, policy)

        assert found.outcome is Outcome.INCONCLUSIVE
        assert "200 of which the trials lack" in found.reason
        assert "The trials have no return on 200 of the backtest's dates" in found.reason

    def test_trials_over_a_longer_period_hold_the_backtest(self, family, evidence, dossier, policy):
        given = replace(
            evidence, backtest=backtest(family[200:, 3], start=trials(family).dates[200]), trials=trials(family)
        )

        assert backtest_overfitting(given, dossier, policy).outcome in {Outcome.PASS, Outcome.FAIL}
