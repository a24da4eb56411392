"""Section 2.4: shortfall by trade and side, latencies, correlation with its interval, every oddity with its rows."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from releases import backtest, paper_log
from releases import paper_row as row

from signoff.domain.assessment import AnomalyKind
from signoff.domain.gates.paper import paper_summary
from signoff.stats import pearson_correlation


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
            (
                [row(0), row(0), row(1)],
                "1 duplicate order (same symbol, side and quantity within a minute); first AAA at 2018-03-01 14:30",
            ),
            ([row(d, decision=100 - d * 0.5) for d in (0, 1, 4)], "1 run of 3 or more orders in a row at the same"),
            (
                [row(d, s, decision=100 - d * 0.5) for s, n in (("AAA", 4), ("BBB", 3)) for d in range(n)],
                "2 runs of 3 or more orders in a row at the same decision price (stale?); longest 4 in AAA.",
            ),
            (
                [row(0), row(0), row(1), row(1)],
                "2 duplicate orders (same symbol, side and quantity within a minute); first AAA at 2018-03-01",
            ),
            ([row(0, decision=0.0)], "1 order without a side"),
            ([row(0, fill=0.0)], "1 order without a side"),
            ([row(0, f"S{k}", fill=100.01) for k in range(20)] + [row(0, "ZZZ", fill=101)], "worst +100 bps in ZZZ"),
        ],
    )
    def test_each_oddity_is_a_sentence_with_a_count(self, rows, sentence, evidence):
        short = backtest(np.zeros(4), start="2018-03-01")
        anomalies = self.summary(evidence, rows, backtest=short).anomalies

        assert any(sentence in anomaly.text for anomaly in anomalies), anomalies

    def test_a_wide_spread_of_slippage_makes_no_outlier_of_its_members(self, evidence):
        rows = [row(k // 5, f"S{k % 5}", fill=100 + (k % 5 - 2) / 4) for k in range(100)]

        assert not any("median" in anomaly.text for anomaly in self.summary(evidence, rows).anomalies)

    @pytest.mark.parametrize(("dates", "is_enough"), [(9, False), (10, True)])
    def test_ten_shared_dates_make_a_correlation(self, dates, is_enough, evidence):
        lived = evidence.backtest.returns[-dates:] * 0.9 + np.random.default_rng(1).normal(0.0, 0.002, dates)
        tail = replace(evidence.backtest, dates=evidence.backtest.dates[-dates:], returns=lived)

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
        found = pearson_correlation(returns.returns, tail)
        assert (summary.correlation_low.value, summary.correlation_high.value) == pytest.approx((found.low, found.high))
        assert summary.sharpe.standard_error is not None

    def test_without_shared_dates_there_is_no_correlation(self, evidence):
        later = backtest(np.random.default_rng(6).normal(0, 0.01, 60), start="2030-01-01")

        summary = self.summary(evidence, [row()], paper_returns=later)

        assert summary.correlation.value is None
        assert "share 0 dates" in summary.correlation.source

    def test_no_log_is_no_paper_trading(self, evidence):
        assert paper_summary(evidence) is None


class TestShortfall:
    def summary(self, evidence, rows):
        return paper_summary(replace(evidence, paper=paper_log(rows)))

    def test_each_side_has_its_own_mean_and_every_trade_counts_once(self, evidence):
        rows = [
            row(0, "A", fill=100.10, quantity=900),
            row(0, "B", fill=100.30, quantity=100),
            row(0, "C", side="sell", fill=99.50, quantity=100),
            row(0, "D", side="sell", fill=99.90, quantity=100),
        ]

        summary = self.summary(evidence, rows)

        assert summary.slippage_buys.value == pytest.approx(20)
        assert summary.slippage_sells.value == pytest.approx(30)
        assert summary.slippage_per_trade.value == pytest.approx(25)
        assert summary.slippage_per_trade.standard_error == pytest.approx(np.std([10, 30, 50, 10], ddof=1) / 2)
        assert summary.slippage.value == pytest.approx((900 * 10 + 100 * 30 + 100 * 50 + 100 * 10) / 1200)

    def test_a_side_that_never_traded_has_no_figure(self, evidence):
        summary = self.summary(evidence, [row(0, "A", fill=100.1), row(0, "B", fill=100.2)])

        assert summary.slippage_buys.is_provided
        assert not summary.slippage_sells.is_provided


class TestWhere:
    def kinds(self, evidence, rows):
        short = backtest(np.zeros(4), start="2018-03-01")
        summary = paper_summary(replace(evidence, paper=paper_log(rows), backtest=short))
        return {anomaly.kind: anomaly for anomaly in summary.anomalies}

    def test_each_odd_row_is_named(self, evidence):
        rows = [row(0, f"S{k}", fill=100.01) for k in range(20)]
        rows += [row(0, "ZZZ", fill=101), row(0, "ERR", error=True), row(0, "S3", fill=100.01)]

        found = self.kinds(evidence, rows)

        assert found[AnomalyKind.SLIPPAGE_OUTLIER].rows == (20,)
        assert found[AnomalyKind.ERROR].rows == (21,)
        assert found[AnomalyKind.DUPLICATE_ORDER].rows == (22,)

    def test_a_run_of_one_price_is_named_row_by_row(self, evidence):
        rows = [row(d, "AAA", decision=100 - d * 0.5) for d in range(3)] + [row(3, "AAA")]

        assert self.kinds(evidence, rows)[AnomalyKind.STALE_PRICE].rows == (0, 1, 2)

    def test_the_same_order_a_minute_and_a_second_later_is_another_one(self, evidence):
        def at(seconds, quantity=100.0):
            given = row(0, quantity=quantity)
            return (given[0] + timedelta(seconds=seconds), *given[1:])

        assert AnomalyKind.DUPLICATE_ORDER in self.kinds(evidence, [at(0), at(60)])
        assert AnomalyKind.DUPLICATE_ORDER not in self.kinds(evidence, [at(0), at(61)])
        assert AnomalyKind.DUPLICATE_ORDER not in self.kinds(evidence, [at(0), at(30, quantity=200)])
