"""The figures beside the gates: metrics, stress, regimes, paper trading, point in time, and every fact by name."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from releases import paper_log, paper_row, weekdays
from scipy import stats as reference

from signoff.domain.assessment import MetricStatus, PitStatus
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import PitEvidence, PitFinding, RegisteredVersion
from signoff.domain.gates import assess, facts
from signoff.domain.gates.metrics import metric_status
from signoff.domain.gates.point_in_time import point_in_time
from signoff.domain.shortened import effective

SESSIONS = 1600


class TestMetrics:
    @pytest.mark.parametrize(
        ("value", "target", "status"),
        [
            (1.1, 1.0, MetricStatus.PASS),
            (1.0, 1.0, MetricStatus.WARN),
            (1.04, 1.0, MetricStatus.WARN),
            (0.999, 1.0, MetricStatus.MISSED),
            (0.96, 1.0, MetricStatus.MISSED),
            (19.0, 20.0, MetricStatus.MISSED),
            (-0.15, -0.20, MetricStatus.PASS),
            (-0.195, -0.20, MetricStatus.WARN),
            (-0.209, -0.20, MetricStatus.MISSED),
            (0.0, 0.0, MetricStatus.WARN),
            (float("nan"), 1.0, MetricStatus.MISSED),
            (None, 1.0, MetricStatus.NOT_PROVIDED),
        ],
    )
    def test_a_shortfall_of_five_percent_is_near_and_more_is_a_failure(self, value, target, status):
        assert metric_status(value, target) is status

    def test_the_five_rows_stand_in_the_order_of_the_memo(self, evidence, dossier, policy):
        rows = assess(evidence, dossier, policy).metrics

        assert [row.key for row in rows] == ["sharpe", "annual_return", "max_drawdown", "hit_rate", "win_loss_ratio"]

    def test_each_figure_is_what_its_name_says(self, evidence, dossier, policy):
        rows = {row.key: row for row in assess(evidence, dossier, policy).metrics}
        r = evidence.backtest.returns
        wealth = np.concatenate([[1], np.cumprod(1 + r)])

        assert rows["sharpe"].new.value == pytest.approx(r.mean() / r.std(ddof=1) * np.sqrt(252))
        assert rows["sharpe"].new.standard_error == pytest.approx(np.sqrt(252 / SESSIONS), rel=0.35)  # 35 degrees
        assert rows["annual_return"].new.value == pytest.approx(wealth[-1] ** (252 / SESSIONS) - 1)
        assert rows["max_drawdown"].new.value == pytest.approx((wealth / np.maximum.accumulate(wealth)).min() - 1)
        assert rows["hit_rate"].new.value == pytest.approx((r > 0).mean())
        assert rows["win_loss_ratio"].new.value == pytest.approx(r[r > 0].mean() / -r[r < 0].mean())

    def test_a_change_is_relative_to_the_old_version(self, evidence, dossier, policy):
        row = assess(evidence, dossier, policy).metrics[0]

        assert row.change == pytest.approx((row.new.value - row.old.value) / abs(row.old.value))

    def test_the_old_version_is_measured_on_the_sessions_both_have(self, evidence, dossier, policy):
        previous = evidence.backtest_previous
        longer = replace(
            previous,
            dates=np.concatenate([weekdays("2011-01-03", 200), previous.dates]),
            returns=np.concatenate([np.full(200, -0.01), previous.returns]),
        )

        plain, given = (assess(replace(evidence, backtest_previous=old), dossier, policy) for old in (previous, longer))

        assert given.metrics[0].old.value == plain.metrics[0].old.value
        assert given.sharpe_difference.value == plain.sharpe_difference.value

    def test_an_initial_deployment_has_no_old_figures(self, evidence, dossier, policy):
        assessment = assess(replace(evidence, backtest_previous=None), dossier, policy)

        assert all(row.old.value is None and row.change is None for row in assessment.metrics)
        assert assessment.sharpe_difference.value is None
        assert assessment.sharpe_difference_p.value is None
        assert assessment.value_at_risk_old.value is None

    def test_a_better_version_shows_in_the_difference(self, evidence, dossier, policy):
        assessment = assess(evidence, dossier, policy)
        new, old = (assessment.metrics[0].new.value, assessment.metrics[0].old.value)

        assert assessment.sharpe_difference.value == pytest.approx(new - old)
        z = assessment.sharpe_difference.value / assessment.sharpe_difference.standard_error
        degrees = int(0.4 * SESSIONS ** (2 / 3))
        assert assessment.sharpe_difference_p.value == pytest.approx(2 * reference.t.sf(abs(z), degrees))
        margin = reference.t.ppf(0.975, degrees) * assessment.sharpe_difference.standard_error
        assert assessment.sharpe_difference.half_width == pytest.approx(margin)
        assert assessment.sharpe_difference.n == SESSIONS


class TestPointInTime:
    @pytest.mark.parametrize(
        ("change", "reviewer", "status"),
        [
            ({}, "Grace", PitStatus.VERIFIED),
            ({}, None, PitStatus.CONDITIONAL),
            ({}, "", PitStatus.CONDITIONAL),
            ({"dates_checked": 1, "features_checked": 1}, "Grace", PitStatus.VERIFIED),
            ({"dates_checked": 0}, "Grace", PitStatus.FAILED),
            ({"features_checked": 0}, "Grace", PitStatus.FAILED),
            ({"error": "no module pkg"}, "Grace", PitStatus.FAILED),
            (
                {"findings": (PitFinding(feature="f", kind="truncation", first_date="2018-01-02", size=0.1),)},
                "Grace",
                PitStatus.FAILED,
            ),
        ],
    )
    def test_verified_takes_a_clean_replay_and_a_reviewer(self, change, reviewer, status, dossier):
        clean = PitEvidence(findings=(), dates_checked=24, features_checked=7, seed=0)
        declared = replace(dossier.validation.pit, code_review_by=reviewer)

        assert point_in_time(replace(clean, **change), declared, "Ada").status is status

    def test_a_replay_that_never_ran_is_not_provided(self, dossier):
        assert point_in_time(None, dossier.validation.pit, "Ada").status is PitStatus.NOT_PROVIDED

    def test_leaking_features_are_named(self, dossier):
        leaks = tuple(
            PitFinding(feature=feature, kind="truncation", first_date=first, size=0.1)
            for feature, first in (("volume_5d", "2018-01-03"), ("close", "2018-01-02"), ("close", "2018-01-04"))
        )
        evidence = PitEvidence(findings=leaks, dates_checked=24, features_checked=7, seed=0)

        assert point_in_time(evidence, dossier.validation.pit, "Ada").reason == (
            "2 features use what was not yet known: close, volume_5d; earliest 2018-01-02 (truncation of close). "
            "Which part of the record the replay speaks of was not recorded."
        )


class TestFacts:
    def test_every_number_has_a_name_of_its_own(self, evidence, dossier, policy):
        given = replace(evidence, paper=paper_log([paper_row(0), paper_row(1)]))

        found = facts(assess(given, dossier, policy))
        names = [fact.name for fact in found]

        assert len(names) == len(set(names))
        assert {
            "gates.pbo.statistic",
            "gates.pbo.threshold",
            "gates.spa.long_accuracy",
            "metrics.sharpe.new",
            "metrics.sharpe.change",
            "sharpe_difference.p_value",
            "risk.value_at_risk.new",
            "stress.crisis_2008.max_drawdown",
            "regimes.bull.sharpe",
            "regimes.bull.days",
            "paper.slippage",
            "latency_p95.new",
        } <= set(names)

    def test_what_is_unknown_is_among_the_facts_without_a_value(self, evidence, dossier, policy):
        found = {fact.name: fact for fact in facts(assess(replace(evidence, trials=None), dossier, policy))}

        assert found["gates.pbo.statistic"].value is None
        assert found["gates.pbo.statistic"].text == "not provided"


class TestAssess:
    def test_the_dossier_tightens_and_never_loosens(self, evidence, dossier, policy):
        def threshold(value):
            declared = replace(dossier, plan=replace(dossier.plan, tighten={"gates.pbo.threshold": value}))
            held_to, _ = effective(policy, declared)
            return assess(evidence, declared, held_to).finding("pbo").threshold.value

        assert threshold(0.3) == 0.3
        assert threshold(0.9) == 0.5

    def test_a_broken_backtest_leaves_every_figure_unknown_and_raises_nothing(self, evidence, dossier, policy):
        values = evidence.backtest.returns.copy()
        values[700] = np.nan
        broken = replace(evidence, backtest=replace(evidence.backtest, returns=values))

        assessment = assess(broken, dossier, policy)

        assert all(row.status is MetricStatus.NOT_PROVIDED for row in assessment.metrics)
        assert {finding.key for finding in assessment.blocking} >= {"dsr", "walk_forward", "var"}
        assert assessment.value_at_risk_new.value is None

    def test_a_backtest_without_rows_is_refused(self, evidence, dossier, policy):
        empty = replace(evidence.backtest, dates=evidence.backtest.dates[:0], returns=np.zeros(0), benchmark=None)

        with pytest.raises(BadInputError, match="no rows"):
            assess(replace(evidence, backtest=empty), dossier, policy)

    def test_latency_of_the_old_version_comes_from_the_registry(self, evidence, dossier, policy):
        champion = RegisteredVersion(
            model="momentum",
            version="1.0",
            run_id="r",
            experiment="e",
            parameters={},
            metrics={"latency_p95_ms": 120.0},
            features=(),
            training_start=None,
            training_end=None,
            git_commit=None,
            architecture="",
            tags={},
            aliases=(),
            artifacts=(),
            model_uri="",
        )
        given = replace(evidence, champion=champion, paper=paper_log([paper_row(latency=85.0)]))

        assessment = assess(given, dossier, policy)

        assert assessment.latency_p95_new.text == "85.0 ms"
        assert assessment.latency_p95_old.text == "120.0 ms"
        assert assess(evidence, dossier, policy).latency_p95_old.text == "not provided"

    def test_each_picture_is_drawn_from_what_its_gate_judged(self, evidence, dossier, policy):
        assessment = assess(evidence, dossier, policy)
        charts = {chart.name: chart for finding in assessment.findings for chart in finding.charts}
        figures = {figure.name: figure.value for finding in assessment.findings for figure in finding.figures}
        exceptions, logits, resamples = charts["var_exceptions"], charts["pbo_logits"], charts["hansen_spa"]

        assert assessment.curves.new is evidence.backtest.returns
        assert logits.values.size == 12_870
        assert np.mean(logits.values <= 0) == assessment.finding("pbo").statistic.value
        assert exceptions.dates.size == exceptions.value_at_risk.size == SESSIONS - 500
        assert (exceptions.returns < exceptions.value_at_risk).sum() == figures["gates.var.exceptions"]
        assert np.mean(resamples.values >= resamples.marked.value) == pytest.approx(
            figures["gates.hansen_spa.consistent_p_raw"]
        )
        assert (charts["walk_forward"].values > 0).sum() == figures["gates.walk_forward.positive_windows"]
        assert [row.value for row in charts["spa"].rows] == [
            figures["gates.spa.long_accuracy"],
            figures["gates.spa.short_accuracy"],
        ]

    def test_the_track_record_is_drawn_for_both_versions(self, evidence, dossier, policy):
        rolling, underwater = assess(evidence, dossier, policy).charts

        assert rolling.lines[0].values.size == SESSIONS - 251
        assert (rolling.lines[0].low < rolling.lines[0].values).all()
        assert underwater.lines[0].values is evidence.backtest.returns

    def test_the_period_is_that_of_the_backtest(self, evidence, dossier, policy):
        assert assess(evidence, dossier, policy).period[0] == date(2012, 1, 2)
