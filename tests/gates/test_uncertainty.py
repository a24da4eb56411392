"""± is half of a 95% interval that says how it was found; accuracy, windows and tails say what they rest on."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from releases import backtest, paper_log, paper_row, source, weekdays
from scipy import stats as reference

from signoff.domain.evidence import Predictions
from signoff.domain.gates.metrics import metric_rows
from signoff.domain.gates.paper import paper_summary
from signoff.domain.gates.regimes import regime_rows
from signoff.domain.gates.spa import symmetric_accuracy
from signoff.domain.gates.uncertainty import of_mean
from signoff.domain.gates.value_at_risk import conditional_value_at_risk_figure
from signoff.domain.gates.walk_forward import walk_forward
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit
from signoff.rendering.terminal import metric_notes
from signoff.stats import annual_sharpe, sharpe_error
from signoff.verbs.documents import metric_document


def persistent(share, n=1260, seed=0):
    drawn = np.random.default_rng(seed).normal(size=n + 50)
    for row in range(1, n + 50):
        drawn[row] += share * drawn[row - 1]
    return 0.01 * drawn[50:] * sqrt(1 - share**2) + 0.0005


def sharpe_row(evidence, dossier, returns):
    given = replace(evidence, backtest=backtest(returns), backtest_previous=None)
    return metric_rows(given, dossier.validation.targets)[0]


def figures(finding):
    return {quantity.name.rpartition(".")[2]: quantity.value for quantity in finding.figures}


class TestPlusMinus:
    def test_the_half_width_is_that_of_the_student_interval(self, evidence, dossier):
        returns = persistent(0.0)
        row = sharpe_row(evidence, dossier, returns)
        error, degrees = row.new.standard_error, int(0.4 * 1260 ** (2 / 3))

        assert row.new.half_width == pytest.approx(reference.t.ppf(0.975, degrees) * error)
        assert row.new.text == f"{row.new.value:.2f} ±{row.new.half_width:.2f}"
        assert f"HAC by {degrees} equal-weighted cosines" in row.new.interval

    def test_a_figure_with_an_error_alone_shows_its_normal_interval(self):
        shown = Quantity(name="x", value=1.0, unit=Unit.RATIO, standard_error=0.1)

        assert (shown.text, shown.bounds) == ("1.00 ±0.20", pytest.approx((0.804, 1.196), abs=1e-4))

    def test_dependence_widens_it(self, evidence, dossier):
        row = sharpe_row(evidence, dossier, persistent(0.5))
        independent = 1.96 * sqrt(252 / 1260)

        # By η(252) the ratio and its error both shrink by √((1 − ½)/(1 + ½)), and the error grows by its inverse.
        assert row.new.half_width / abs(row.new.value) > 1.4 * independent / abs(
            annual_sharpe(persistent(0.5)).unscaled
        )

    @pytest.mark.parametrize("share", [0.5, 0.3, 0.2, -0.3])
    def test_the_row_is_los_where_returns_depend_on_their_past(self, share, evidence, dossier):
        returns = persistent(share, n=5000)
        row = sharpe_row(evidence, dossier, returns)
        lags = np.arange(1, 252)
        eta = 252 / sqrt(252 + 2 * float(((252 - lags) * float(share) ** lags).sum()))
        ratio = returns.mean() / returns.std(ddof=1)

        assert row.new.value == pytest.approx(ratio * eta, rel=0.06)
        assert "it matters (p < 0.01" in row.notes[0]
        assert "Lo's (2002) η(252)" in row.notes[0]
        assert f"it would read {ratio * sqrt(252):.2f}".replace("-", "−") in row.notes[0]
        assert {q.name.rpartition(".")[2]: q.value for q in row.figures}["first"] == pytest.approx(share, abs=0.05)

    def test_the_notes_say_the_method_and_show_the_autocorrelation(self, evidence, dossier):
        row = sharpe_row(evidence, dossier, persistent(0.0, seed=3))

        assert row.notes[0].startswith("New Sharpe ratio: ± is half of the 95% interval, HAC by ")
        assert "Autocorrelation of the returns" in row.notes[0]
        assert "scaled by √252" in row.notes[0]

    def test_machines_read_the_interval_and_its_method(self, evidence, dossier):
        row = sharpe_row(evidence, dossier, persistent(0.5))
        document = metric_document(row)

        interval = document["new_interval"]
        assert interval["level"] == 0.95
        assert (interval["low"] + interval["high"]) / 2 == pytest.approx(row.new.value)
        assert "HAC" in interval["method"]
        assert metric_notes([document]) == row.notes
        assert metric_notes([{"title": "of an older server"}]) == ()

    def test_the_previous_version_has_its_own_note(self, evidence, dossier):
        row = metric_rows(evidence, dossier.validation.targets)[0]

        assert [note.partition(" ")[0] for note in row.notes] == ["New", "Old"]

    def test_a_regimes_interval_is_hac_too(self, evidence):
        row = regime_rows(evidence.backtest)[0]

        assert "HAC by" in row.sharpe.interval
        assert row.sharpe.half_width > row.sharpe.standard_error

    def test_the_paper_periods_intervals_are_hac(self, evidence):
        paper = replace(evidence.backtest, dates=evidence.backtest.dates[-60:], returns=persistent(0.4, n=60, seed=5))
        rows = [paper_row(day) for day in range(3)]
        summary = paper_summary(replace(evidence, paper=paper_log(rows), paper_returns=paper))

        assert "HAC by 6 equal-weighted cosines" in summary.sharpe.interval
        assert summary.sharpe.half_width == pytest.approx(annual_sharpe(paper.returns).half_width)
        assert "jackknife" in summary.correlation_low.source

    def test_orders_of_one_day_share_their_day(self):
        """Ten copies of a day's cost say what one of them says."""
        costs, days = np.random.default_rng(6).normal(5, 3, 40), weekdays("2020-01-01", 40)
        one, ten = of_mean(costs, days), of_mean(np.repeat(costs, 10), np.repeat(days, 10))

        assert ten.half_width == pytest.approx(one.half_width)
        assert "clustered by date" in ten.method


def panel(horizon, *, symbols=20, sessions=400, seed=0, hits=0.5):
    """Rows of a panel whose realised returns overlap and correlate, and predictions right `hits` of the time."""
    rng = np.random.default_rng(seed)
    daily = sqrt(0.3) * rng.normal(size=(sessions + horizon, 1)) + sqrt(0.7) * rng.normal(
        size=(sessions + horizon, symbols)
    )
    total = np.cumsum(daily, axis=0)
    realized = (total[horizon:] - total[:-horizon])[:sessions] * 0.01
    said = np.where(rng.random(realized.shape) < hits, 1, -1) * np.sign(realized)
    return Predictions(
        source=source("predictions.parquet"),
        timestamps=np.repeat(weekdays("2012-01-02", sessions), symbols).astype("datetime64[us]"),
        symbols=np.tile([f"S{k:02d}" for k in range(symbols)], sessions),
        prediction=said.ravel().astype(float),
        realized=realized.ravel(),
    )


class TestAccuracy:
    @pytest.mark.parametrize("horizon", [1, 3, 5, 10])
    def test_the_overlap_is_inferred_and_the_effective_number_told(self, horizon, evidence, dossier, policy):
        finding = symmetric_accuracy(replace(evidence, predictions=panel(horizon)), dossier, policy)
        shown = figures(finding)

        assert abs(shown["horizon_sessions"] - horizon) <= horizon // 5
        assert shown["dates"] == 400
        assert 0 < shown["long_effective_n"] <= shown["long_predictions"]
        assert "Clustered by 400 dates they count for less" in finding.reason
        assert "inferred from their autocorrelation" in finding.reason
        assert "effective numbers" in finding.method

    def test_a_declared_horizon_is_used_and_named(self, evidence, dossier, policy):
        declared = replace(dossier, validation=replace(dossier.validation, prediction_horizon=21))
        finding = symmetric_accuracy(replace(evidence, predictions=panel(1)), declared, policy)

        assert figures(finding)["horizon_sessions"] == 21
        assert "declared in validation.prediction_horizon" in finding.reason

    def test_a_declaration_below_what_the_data_show_is_not_believed(self, evidence, dossier, policy):
        declared = replace(dossier, validation=replace(dossier.validation, prediction_horizon=1))
        finding = symmetric_accuracy(replace(evidence, predictions=panel(5)), declared, policy)

        assert figures(finding)["horizon_sessions"] == 5
        assert "the dossier declares 1 in validation.prediction_horizon" in finding.reason

    def test_a_thousand_symbols_on_three_dates_pass_nothing(self, evidence, dossier, policy):
        crowd = panel(1, symbols=1000, sessions=3, hits=0.6)
        finding = symmetric_accuracy(replace(evidence, predictions=crowd), dossier, policy)

        assert figures(finding)["long_effective_n"] <= 3
        assert finding.outcome is Outcome.FAIL


class TestWindows:
    @pytest.mark.parametrize("seed", range(4))
    def test_the_range_over_all_first_days_is_printed(self, seed, evidence, dossier, policy):
        returns = np.random.default_rng(seed).normal(0.0006, 0.01, 1200)
        finding = walk_forward(replace(evidence, backtest=backtest(returns)), dossier, policy)
        window = policy.gates.walk_forward.window_sessions
        shares = [
            np.mean([np.prod(1 + returns[a : a + window]) > 1 for a in range(first, 1201 - window, window)])
            for first in range(window)
        ]

        shown = figures(finding)
        assert (shown["lowest"], shown["highest"]) == pytest.approx((min(shares), max(shares)))
        reach = sum(share >= policy.gates.walk_forward.threshold for share in shares)
        assert f"ranges from {100 * min(shares):.1f}% to {100 * max(shares):.1f}%" in finding.reason
        assert f"{reach} of {window} reach the threshold" in finding.reason
        is_lucky = finding.outcome is Outcome.PASS and reach < window / 2
        is_unlucky = finding.outcome is Outcome.FAIL and reach > window / 2
        assert ("rests on the session that the file begins on" in finding.reason) is bool(is_lucky or is_unlucky)


@pytest.mark.parametrize("method", ["historical", "parametric", "filtered_historical"])
def test_the_shortfall_states_its_one_convention(method, evidence, with_gate):
    gate = with_gate("var", method=method).gates.var
    found = conditional_value_at_risk_figure("x", evidence.backtest, gate)

    assert "mean of the method's own distribution at or below its own VaR" in found.source


def test_the_square_root_ratio_keeps_its_definition():
    """`sharpe_ratio` is the published one; only what the memo prints is Lo's."""
    returns = persistent(0.5)

    assert sharpe_error(returns).annual_sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * sqrt(252))
