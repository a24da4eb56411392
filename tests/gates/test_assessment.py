"""The figures beside the gates: metrics, stress, regimes, paper trading, point in time, and every fact by name."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from math import erfc, sqrt

import numpy as np
import pytest
from releases import backtest, paper_log, weekdays

from signoff.domain.assessment import MetricStatus, PitStatus
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import PitEvidence, PitFinding, RegisteredVersion
from signoff.domain.gates import assess, facts
from signoff.domain.gates.metrics import metric_status
from signoff.domain.gates.paper import paper_summary
from signoff.domain.gates.point_in_time import point_in_time
from signoff.domain.gates.regimes import regime_rows, relative_volatility, trailing_trend
from signoff.domain.gates.stress import WINDOWS, stress_rows

SESSIONS = 1600


class TestMetrics:
    @pytest.mark.parametrize(
        ("value", "target", "status"),
        [
            (1.0, 1.0, MetricStatus.PASS),
            (0.96, 1.0, MetricStatus.WARN),
            (19.0, 20.0, MetricStatus.WARN),
            (0.94, 1.0, MetricStatus.FAIL),
            (-0.15, -0.20, MetricStatus.PASS),
            (-0.209, -0.20, MetricStatus.WARN),
            (-0.22, -0.20, MetricStatus.FAIL),
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
        assert rows["sharpe"].new.standard_error == pytest.approx(np.sqrt(252 / SESSIONS), rel=0.05)
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
        assert assessment.sharpe_difference_p.value == pytest.approx(erfc(z / sqrt(2)))
        assert assessment.sharpe_difference.n == SESSIONS


class TestStress:
    def rows(self, start, sessions, returns=None):
        values = np.resize([0.01, -0.012, 0.003], sessions) if returns is None else returns
        given = backtest(values, start=start, benchmark=np.full(sessions, -0.001))
        return {window.key: row for window, row in zip(WINDOWS, stress_rows(given), strict=True)}

    def test_a_crisis_after_the_data_end_is_unknown_and_says_so(self):
        rows = self.rows("2006-01-02", 3391)  # to 2018-12-31

        covid = rows["covid_2020"]
        assert "data end on 2018-12-31" in covid.note
        assert [covid.sharpe.text, covid.max_drawdown.text, covid.total_return.text, covid.benchmark_return.text] == [
            "not provided"
        ] * 4
        assert rows["crisis_2008"].sharpe.is_provided
        assert rows["crisis_2008"].note == ""

    def test_a_crisis_that_is_only_half_covered_is_unknown(self):
        crisis = self.rows("2008-06-02", 1000)["crisis_2008"]

        assert crisis.max_drawdown.value is None
        assert "data begin on 2008-06-02" in crisis.note

    def test_a_hole_in_the_data_during_the_crisis_is_unknown(self):
        given = backtest(np.resize([0.01, -0.012, 0.003], 3400), start="2006-01-02")
        kept = (given.dates < np.datetime64("2008-09-01")) | (given.dates > np.datetime64("2009-02-01"))
        holed = replace(given, dates=given.dates[kept], returns=given.returns[kept])

        assert stress_rows(holed)[0].total_return.value is None

    def test_a_flash_crash_is_told_apart_from_what_daily_data_can_show(self):
        row = self.rows("2009-01-01", 1000)["flash_crash_day"]

        assert row.total_return.is_provided
        assert row.total_return.n == 1
        assert not row.sharpe.is_provided
        assert "within the day" in row.note

    def test_a_window_that_is_covered_to_the_day_counts(self):
        sessions = np.busday_count("2007-10-09", "2009-03-10")

        assert self.rows("2007-10-09", sessions)["crisis_2008"].note == ""
        assert self.rows("2007-10-10", sessions)["crisis_2008"].note != ""
        assert self.rows("2007-10-09", sessions - 1)["crisis_2008"].note != ""

    def test_the_figures_are_those_of_the_window(self):
        dates = weekdays("2006-01-02", 3400)
        returns = np.resize([0.001, -0.0005], 3400)
        inside = (dates >= np.datetime64("2010-05-03")) & (dates <= np.datetime64("2010-05-10"))
        returns[inside] = [0.1, -0.5, 0.1, 0.1, -0.1, 0.2]

        row = self.rows("2006-01-02", 3400, returns)["flash_crash_week"]

        assert row.total_return.value == pytest.approx(1.1 * 0.5 * 1.1 * 1.1 * 0.9 * 1.2 - 1)
        assert row.max_drawdown.value == pytest.approx(-0.5)
        assert row.benchmark_return.value == pytest.approx(0.999**6 - 1)


class TestRegimes:
    def test_a_session_is_classified_by_what_was_known_before_it(self):
        market = np.random.default_rng(1).normal(0, 0.01, 700)
        changed = market.copy()
        changed[500:] *= -3

        for classify in (trailing_trend, relative_volatility):
            np.testing.assert_array_equal(classify(market)[:501], classify(changed)[:501])
            assert not np.array_equal(classify(market)[501:], classify(changed)[501:])

    def test_the_trend_is_the_return_of_the_two_hundred_sessions_before(self):
        market = np.random.default_rng(1).normal(0, 0.01, 203)

        trend = trailing_trend(market)

        assert np.isnan(trend[:200]).all()
        assert np.exp(trend[202]) == pytest.approx(np.prod(1 + market[2:202]))

    def test_a_market_that_stands_still_is_no_bull_market(self):
        given = backtest(np.random.default_rng(8).normal(0, 0.01, 300), benchmark=np.zeros(300))

        bull, bear, high, low = regime_rows(given)

        assert (bull.days, bear.days, high.days, low.days) == (0, 100, 0, 240)

    @pytest.mark.parametrize(("sessions", "is_enough"), [(219, False), (220, True)])
    def test_twenty_sessions_make_a_regime(self, sessions, is_enough):
        given = backtest(np.random.default_rng(9).normal(0, 0.01, sessions), benchmark=np.full(sessions, 0.001))

        assert regime_rows(given)[0].sharpe.is_provided is is_enough

    def test_each_session_lies_on_one_side_once_there_is_history(self, evidence):
        bull, bear, high, low = regime_rows(evidence.backtest)

        assert bull.days + bear.days == SESSIONS - 200
        assert high.days + low.days == SESSIONS - 60

    def test_a_market_that_only_rises_has_no_bear(self):
        rng = np.random.default_rng(2)
        given = backtest(rng.normal(0.001, 0.01, 600), benchmark=np.abs(rng.normal(0, 0.01, 600)))

        bull, bear, *_ = regime_rows(given)

        assert bull.days == 400
        assert bull.sharpe.is_provided
        assert bear.days == 0
        assert not bear.sharpe.is_provided
        assert "0 sessions" in bear.sharpe.source

    def test_a_strong_gain_has_a_small_p_value_and_a_loss_a_large_one(self):
        market = np.resize([0.01, 0.01, -0.005], 800)
        noise = np.random.default_rng(3).normal(0, 0.01, 800)

        gain, loss = (regime_rows(backtest(noise + mean, benchmark=market))[0] for mean in (0.003, -0.003))

        assert gain.p_value.value < 0.001
        assert loss.p_value.value > 0.999

    def test_without_a_benchmark_regimes_are_not_provided(self):
        rows = regime_rows(backtest(np.random.default_rng(4).normal(0, 0.01, 600)))

        assert [row.title for row in rows] == ["Bull market", "Bear market", "High volatility", "Low volatility"]
        assert all(row.days == 0 and not row.sharpe.is_provided for row in rows)

    def test_volatility_is_held_against_the_median_so_far(self):
        calm, wild = np.resize([0.001, -0.001], 200), np.resize([0.02, -0.02], 100)

        excess = relative_volatility(np.concatenate([calm, wild]))

        assert np.isnan(excess[:60]).all()
        assert (excess[60:200] <= 1e-12).all()
        assert (excess[262:] > 0).all()


OPEN = datetime(2018, 3, 1, 14, 30)  # noqa: DTZ001 - UTC by the record's promise


def row(day=0, symbol="AAA", latency=10.0, *, error=False, side="buy", quantity=100.0, decision=100.0, fill=100.0):
    price = decision + day * 0.5
    return (OPEN + timedelta(days=day), symbol, latency, error, side, quantity, price, fill + day * 0.5)


class TestPaper:
    def summary(self, evidence, rows, **changes):
        return paper_summary(replace(evidence, paper=paper_log(rows), **changes))

    def test_slippage_is_a_cost_on_either_side_weighted_by_quantity(self, evidence):
        rows = [
            row(0, fill=100.10, quantity=300),  # bought 10 bps too high
            row(0, "BBB", side="sell", fill=99.80, quantity=100),  # sold 20 bps too low
            row(0, "CCC", side="", quantity=0, fill=np.nan, decision=np.nan),
        ]

        summary = self.summary(evidence, rows)

        assert summary.slippage.value == pytest.approx((300 * 10 + 100 * 20) / 400)
        assert summary.slippage.n == 2
        assert (summary.predictions, summary.orders) == (3, 2)

    def test_a_better_fill_is_a_negative_cost(self, evidence):
        assert self.summary(evidence, [row(fill=99.9)]).slippage.value == pytest.approx(-10)

    def test_latencies_are_observed_values(self, evidence):
        summary = self.summary(evidence, [row(k % 5, f"S{k}", latency=float(k + 1)) for k in range(100)])

        assert (summary.latency_p95.value, summary.latency_p99.value) == (95, 99)

    def test_a_clean_log_has_no_anomalies(self, evidence):
        rows = [row(day, symbol) for day in (0, 1, 4, 5, 6) for symbol in ("AAA", "BBB")]

        summary = self.summary(evidence, rows)

        assert summary.anomalies == ()
        assert (summary.start, summary.end, summary.days) == (date(2018, 3, 1), date(2018, 3, 7), 5)
        assert summary.error_rate.value == 0

    @pytest.mark.parametrize(
        ("rows", "sentence"),
        [
            ([row(0), row(1, error=True)], "1 prediction of 2 ended in an error."),
            ([row(0), row(1, latency=np.nan)], "1 row without a latency"),
            ([row(0), row(1, side="hold")], "1 order without a side"),
            ([row(0), row(1), row(0, "BBB")], "1 symbol session missing over 1 symbol"),
            (
                [row(d, s) for d, s in ((0, "AAA"), (1, "AAA"), (4, "AAA"), (0, "BBB"), (1, "BBB"), (4, "CCC"))],
                "3 symbol sessions missing over 2 symbols against the symbols seen most often; "
                "most in CCC (2, first 2018-03-01).",
            ),
            ([row(0), row(5)], "2 sessions of the backtest without any prediction, first 2018-03-02"),
            ([row(0), row(0), row(1)], "1 duplicate order (same time, symbol and side); first AAA at 2018-03-01 14:30"),
            ([row(d, decision=100 - d * 0.5) for d in (0, 1, 4)], "1 run of 3 or more orders in a row at the same"),
            (
                [row(d, s, decision=100 - d * 0.5) for s, n in (("AAA", 4), ("BBB", 3)) for d in range(n)],
                "2 runs of 3 or more orders in a row at the same decision price (stale?); longest 4 in AAA.",
            ),
            (
                [row(0), row(0), row(1), row(1)],
                "2 duplicate orders (same time, symbol and side); first AAA at 2018-03-01",
            ),
            ([row(0, decision=0.0)], "1 order without a side"),
            ([row(0, fill=0.0)], "1 order without a side"),
            ([row(0, f"S{k}", fill=100.01) for k in range(20)] + [row(0, "ZZZ", fill=101)], "worst +100 bps in ZZZ"),
        ],
    )
    def test_each_oddity_is_a_sentence_with_a_count(self, rows, sentence, evidence):
        short = backtest(np.zeros(4), start="2018-03-01")
        anomalies = self.summary(evidence, rows, backtest=short).anomalies

        assert any(sentence in anomaly for anomaly in anomalies), anomalies

    def test_a_wide_spread_of_slippage_makes_no_outlier_of_its_members(self, evidence):
        rows = [row(k // 5, f"S{k % 5}", fill=100 + (k % 5 - 2) / 4) for k in range(100)]

        assert not any("median" in anomaly for anomaly in self.summary(evidence, rows).anomalies)

    @pytest.mark.parametrize(("dates", "is_enough"), [(9, False), (10, True)])
    def test_ten_shared_dates_make_a_correlation(self, dates, is_enough, evidence):
        tail = replace(
            evidence.backtest, dates=evidence.backtest.dates[-dates:], returns=evidence.backtest.returns[-dates:] * 0.9
        )

        assert self.summary(evidence, [row()], paper_returns=tail).correlation.is_provided is is_enough

    def test_paper_returns_give_sharpe_and_correlation_over_the_shared_dates(self, evidence):
        tail = evidence.backtest.returns[-60:]
        returns = replace(
            evidence.backtest,
            dates=evidence.backtest.dates[-60:],
            returns=tail + np.random.default_rng(5).normal(0, 0.002, 60),
        )

        summary = self.summary(evidence, [row()], paper_returns=returns)

        assert summary.correlation.value == pytest.approx(np.corrcoef(tail, returns.returns)[0, 1])
        assert summary.correlation.n == 60
        assert summary.correlation.standard_error == pytest.approx((1 - summary.correlation.value**2) / np.sqrt(59))
        assert summary.sharpe.standard_error is not None

    def test_without_shared_dates_there_is_no_correlation(self, evidence):
        later = backtest(np.random.default_rng(6).normal(0, 0.01, 60), start="2030-01-01")

        summary = self.summary(evidence, [row()], paper_returns=later)

        assert summary.correlation.value is None
        assert "share 0 dates" in summary.correlation.source

    def test_no_log_is_no_paper_trading(self, evidence):
        assert paper_summary(evidence) is None


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

        assert point_in_time(replace(clean, **change), declared).status is status

    def test_a_replay_that_never_ran_is_not_provided(self, dossier):
        assert point_in_time(None, dossier.validation.pit).status is PitStatus.NOT_PROVIDED

    def test_leaking_features_are_named(self, dossier):
        leaks = tuple(
            PitFinding(feature=feature, kind="truncation", first_date=first, size=0.1)
            for feature, first in (("volume_5d", "2018-01-03"), ("close", "2018-01-02"), ("close", "2018-01-04"))
        )
        evidence = PitEvidence(findings=leaks, dates_checked=24, features_checked=7, seed=0)

        assert point_in_time(evidence, dossier.validation.pit).reason == (
            "2 features use what was not yet known: close, volume_5d; earliest 2018-01-02 (truncation of close)."
        )


class TestFacts:
    def test_every_number_has_a_name_of_its_own(self, evidence, dossier, policy):
        given = replace(evidence, paper=paper_log([row(0), row(1)]))

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
            return assess(evidence, declared, policy).finding("pbo").threshold.value

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
        given = replace(evidence, champion=champion, paper=paper_log([row(latency=85.0)]))

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
