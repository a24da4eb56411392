"""Every number of an assessment under one unique dotted name.

They are the content of `assessment.json`, and texts that people wrote are checked against them.
"""

from collections.abc import Iterator

from signoff.domain.assessment import Assessment, MetricRow, PaperSummary
from signoff.domain.finding import Finding
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit, count


def facts(assessment: Assessment) -> tuple[Quantity, ...]:
    """The assessment as a flat list, in the memo's order; ValueError if a name is not unique."""
    listed = tuple(_facts(assessment))
    names = [fact.name for fact in listed]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"each fact must have a name of its own, found twice: {', '.join(repeated)}")
    return listed


def _facts(assessment: Assessment) -> Iterator[Quantity]:
    for row in assessment.metrics:
        yield from _of_metric(row)
    yield Quantity(name="time.rows_a_year", value=assessment.time.rows_a_year, digits=1, source=assessment.time.words)
    yield Quantity(name="time.risk_free_rate", value=assessment.time.risk_free_pct / 100, unit=Unit.PERCENT, digits=2)
    yield assessment.sharpe_difference
    yield assessment.sharpe_difference_p
    yield assessment.sharpe_difference_bootstrap_p
    for finding in assessment.findings:
        yield from _of_finding(finding)
    yield count("gates.passed", sum(finding.outcome is Outcome.PASS for finding in assessment.findings))
    yield count("gates.total", len(assessment.findings))
    yield assessment.value_at_risk_new
    yield assessment.value_at_risk_old
    yield assessment.conditional_value_at_risk
    yield assessment.latency_p95_new
    yield assessment.latency_p95_old
    if (measured := assessment.benchmark) is not None:
        yield from (measured.median, measured.p95, measured.p99, measured.memory, measured.rate)
    if assessment.paper is not None:
        yield from _of_paper(assessment.paper)
    for stress in assessment.stress:
        yield from (stress.sharpe, stress.max_drawdown, stress.total_return, stress.benchmark_return)
        yield from (stress.portfolio_return, stress.portfolio_drawdown)
    for regime in assessment.regimes:
        yield from (regime.sharpe, regime.annual_return, regime.p_value)
        yield count(f"{regime.sharpe.name.rpartition('.')[0]}.days", regime.days)
    for contrast in (assessment.trend_contrast, assessment.volatility_contrast):
        yield from (contrast.difference, contrast.p_value)


def _of_metric(row: MetricRow) -> Iterator[Quantity]:
    yield row.new
    yield row.old
    yield Quantity(name=f"metrics.{row.key}.change", value=row.change, unit=Unit.PERCENT)
    yield row.target
    yield from row.figures


def _of_finding(finding: Finding) -> Iterator[Quantity]:
    yield finding.statistic
    yield finding.threshold
    yield count(f"gates.{finding.key}.n", finding.n)
    yield from finding.figures


def _of_paper(paper: PaperSummary) -> Iterator[Quantity]:
    yield Quantity(name="paper.days", value=paper.days, unit=Unit.DAYS)
    yield paper.sharpe
    yield paper.correlation
    yield paper.correlation_low
    yield paper.correlation_high
    yield paper.slippage
    yield paper.slippage_per_trade
    yield paper.slippage_buys
    yield paper.slippage_sells
    yield paper.latency_p50
    yield paper.latency_p95
    yield paper.latency_p99
    yield paper.error_rate
    yield count("paper.predictions", paper.predictions)
    yield count("paper.orders", paper.orders)
    yield count("paper.anomalies", sum(anomaly.count for anomaly in paper.anomalies))
