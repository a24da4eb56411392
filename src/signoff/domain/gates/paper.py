"""Section 2.4: the figures of paper trading. `anomalies` checks its log.

Slippage is signed by side, so that a positive figure is a cost, and weighted by quantity. Quantiles of latency are
observed values (nearest rank), never interpolated ones.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from signoff.domain.assessment import CORRELATION_INTERVAL, PaperSummary
from signoff.domain.evidence import Days, Evidence, Floats, PaperLog, Returns
from signoff.domain.gates.anomalies import anomaly_checks
from signoff.domain.gates.comparable import comparable, compared_by
from signoff.domain.gates.figures import absent, figure
from signoff.domain.gates.own_returns import own_returns
from signoff.domain.gates.paper_rows import Mask, days, is_order, is_priced, signs, slippage_bps
from signoff.domain.gates.uncertainty import annual_ratio, of_annual_sharpe, of_mean
from signoff.domain.quantity import Quantity, Unit
from signoff.stats.association import PearsonCorrelation, pearson_correlation
from signoff.stats.errors import InsufficientData

MIN_SHARED_DATES: Final = 10
MIN_TRADES: Final = 2
MOST_NAMED: Final = 5


def paper_summary(evidence: Evidence, version: str = "") -> PaperSummary | None:
    """The figures of the paper period; None without a log or with an empty one. `version` is the release's."""
    log = evidence.paper
    if log is None or log.timestamps.size == 0:
        return None
    dates, checks = days(log), anomaly_checks(log, evidence)
    refused = _another_model(log, evidence, version) or _not_lived(evidence, log)
    return PaperSummary(
        start=dates[0].item(),
        end=dates[-1].item(),
        days=int(np.unique(dates).size),
        sharpe=_sharpe(evidence.paper_returns),
        **_correlation(evidence, log, refused),
        correlation_refused=refused,
        slippage=_slippage(log),
        slippage_per_trade=_slippage_per_trade("paper.slippage_per_trade", log, is_priced(log)),
        slippage_buys=_slippage_per_trade("paper.slippage_buys", log, is_priced(log) & (signs(log) > 0)),
        slippage_sells=_slippage_per_trade("paper.slippage_sells", log, is_priced(log) & (signs(log) < 0)),
        latency_p50=latency_quantile("paper.latency_p50", log, 0.50),
        latency_p95=latency_quantile("paper.latency_p95", log, 0.95),
        latency_p99=latency_quantile("paper.latency_p99", log, 0.99),
        error_rate=figure(
            "paper.error_rate",
            lambda: float(log.is_error.mean()),
            unit=Unit.PERCENT,
            digits=2,
            n=log.is_error.size,
            source=log.source.name,
        ),
        predictions=log.timestamps.size,
        orders=int(is_order(log).sum()),
        anomalies=tuple(anomaly for check in checks for anomaly in check.anomalies),
        checks=tuple(check.outcome for check in checks),
    )


def latency_quantile(name: str, log: PaperLog, share: float) -> Quantity:
    """The latency that `share` of the predictions stayed within, over rows that have one."""
    latencies = log.latency_ms[np.isfinite(log.latency_ms)]
    return figure(
        name,
        lambda: float(np.quantile(latencies, share, method="inverted_cdf")),
        unit=Unit.MILLISECONDS,
        n=latencies.size,
        source=log.source.name,
    )


def _sharpe(returns: Returns | None) -> Quantity:
    if returns is None:
        return absent("paper.sharpe", "no paper returns were given")
    size = returns.returns.size
    return figure(
        "paper.sharpe",
        lambda: annual_ratio(returns),
        n=size,
        source=returns.source.name,
        uncertainty=lambda: of_annual_sharpe(returns),
    )


def _another_model(log: PaperLog, evidence: Evidence, version: str) -> str:
    """That the log names another model than the registered one; "" if it does not."""
    run = "" if evidence.candidate is None else evidence.candidate.run_id
    for what, named, own in (("version", log.versions, version), ("run_id", log.runs, run)):
        others = [name or "none" for name in named if name.removeprefix("v") != own.removeprefix("v")]
        if own and others:
            return (
                f"{log.source.name} is of another model than the registered one: its column {what} names "
                f"{', '.join(others[:MOST_NAMED])}, and the release is of {own}"
            )
    return ""


def _not_lived(evidence: Evidence, log: PaperLog) -> str:
    """That the paper returns are the backtest's own less costs; "" if nothing indicates it."""
    paper, backtest = evidence.paper_returns, evidence.backtest
    if paper is None:
        return ""
    stated = [] if log.timestamps.size == 0 else [_shortfall_of(log, paper.dates)]
    orders = [comparable(replace(paper, cost=cost), backtest)[0].cost for cost in stated]
    paper, backtest = comparable(paper, backtest)
    _, at_paper, at_backtest = np.intersect1d(paper.dates, backtest.dates, return_indices=True)
    stated = [column[at_paper] for column in (paper.turnover, paper.cost, *orders) if column is not None]
    stated += [column[at_backtest] for column in (backtest.turnover, backtest.cost) if column is not None]
    why = own_returns(paper.returns[at_paper], backtest.returns[at_backtest], stated)
    return "" if why is None else f"the paper returns are the backtest's own less costs: {why}"


def _shortfall_of(log: PaperLog, dates: Days) -> Floats:
    """The cost of each day's orders against their decision prices, in money."""
    rows = is_priced(log)
    cost = slippage_bps(log, rows) * np.abs(log.quantity[rows]) * log.decision_price[rows]
    total: Floats = np.zeros(dates.size)
    placed, of = days(log)[rows], np.searchsorted(dates, days(log)[rows])
    is_shared = (of < dates.size) & (dates[np.minimum(of, dates.size - 1)] == placed) if dates.size else of < 0
    np.add.at(total, of[is_shared], cost[is_shared])
    return total


def _correlation(evidence: Evidence, log: PaperLog, refused: str) -> dict[str, Quantity]:
    """The correlation over the shared dates and its 95% limits; not provided if `refused` says why."""
    keys = ("correlation", "correlation_low", "correlation_high")
    paper, backtest = evidence.paper_returns, evidence.backtest
    if paper is None or refused:
        return {key: absent(f"paper.{key}", refused or "no paper returns were given") for key in keys}
    how = compared_by(paper, backtest)
    paper, backtest = comparable(paper, backtest)
    shared, at_paper, at_backtest = np.intersect1d(paper.dates, backtest.dates, return_indices=True)

    def estimate() -> PearsonCorrelation:
        if shared.size < MIN_SHARED_DATES:
            raise InsufficientData(
                f"paper returns and backtest share {shared.size} dates, at least {MIN_SHARED_DATES} are needed"
                + f" ({how})" * bool(how)
            )
        return pearson_correlation(paper.returns[at_paper], backtest.returns[at_backtest])

    named = ", ".join(log.versions or log.runs)
    source = f"{paper.source.name}; {CORRELATION_INTERVAL}; model {named or 'declared'}" + f"; {how}" * bool(how)
    parts: tuple[Callable[[], float], ...] = (
        lambda: estimate().correlation,
        lambda: estimate().low,
        lambda: estimate().high,
    )
    return {
        key: figure(f"paper.{key}", part, n=shared.size, source=source) for key, part in zip(keys, parts, strict=True)
    }


def _slippage(log: PaperLog) -> Quantity:
    usable = is_priced(log)

    def weighted() -> float:
        if not usable.any():
            raise InsufficientData("no order in the paper log has a side and both prices")
        return float(np.average(slippage_bps(log, usable), weights=np.abs(log.quantity[usable])))

    return figure("paper.slippage", weighted, unit=Unit.BPS, n=int(usable.sum()), source=log.source.name)


def _slippage_per_trade(name: str, log: PaperLog, rows: Mask) -> Quantity:
    """The plain mean over orders, every order counting once, with its standard error."""
    costs = slippage_bps(log, rows)

    def mean() -> float:
        if costs.size < MIN_TRADES:
            raise InsufficientData(f"{costs.size} such orders with both prices; at least {MIN_TRADES} are needed")
        return float(costs.mean())

    return figure(
        name,
        mean,
        unit=Unit.BPS,
        n=costs.size,
        source=log.source.name,
        uncertainty=lambda: of_mean(costs, days(log)[rows]),
    )
