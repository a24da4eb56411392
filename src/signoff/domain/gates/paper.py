"""Section 2.4: what paper trading showed, and every oddity in its log as a sentence with a count.

Slippage is signed by side, so that a positive figure is a cost, and weighted by quantity. Quantiles of latency are
observed values (nearest rank), never interpolated ones.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.assessment import Anomaly, AnomalyKind, PaperSummary
from signoff.domain.evidence import Days, Evidence, Floats, PaperLog, Returns
from signoff.domain.gates.figures import absent, figure
from signoff.domain.quantity import Quantity, Unit
from signoff.stats.association import PearsonCorrelation, pearson_correlation
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import sharpe_ratio, sharpe_standard_error

MIN_SHARED_DATES: Final = 10
MIN_TRADES: Final = 2
STALE_RUN: Final = 3
DUPLICATE_WITHIN: Final = np.timedelta64(60, "s")
OUTLIER_SCALES: Final = 6.0
OUTLIER_FLOOR_BPS: Final = 25.0
_SIDES: Final = {"buy": 1.0, "sell": -1.0}

Mask = NDArray[np.bool_]


def paper_summary(evidence: Evidence) -> PaperSummary | None:
    """The figures of the paper period; None where no log was given or it is empty."""
    log = evidence.paper
    if log is None or log.timestamps.size == 0:
        return None
    days = _days(log)
    return PaperSummary(
        start=days[0].item(),
        end=days[-1].item(),
        days=int(np.unique(days).size),
        sharpe=_sharpe(evidence.paper_returns),
        **_correlation(evidence.paper_returns, evidence.backtest),
        slippage=_slippage(log),
        slippage_per_trade=_slippage_per_trade("paper.slippage_per_trade", log, _is_priced(log)),
        slippage_buys=_slippage_per_trade("paper.slippage_buys", log, _is_priced(log) & (_signs(log) > 0)),
        slippage_sells=_slippage_per_trade("paper.slippage_sells", log, _is_priced(log) & (_signs(log) < 0)),
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
        orders=int(_is_order(log).sum()),
        anomalies=tuple(_anomalies(log, evidence.backtest)),
    )


def latency_quantile(name: str, log: PaperLog, share: float) -> Quantity:
    """The latency that `share` of the predictions stayed within, over rows that carry one."""
    known = log.latency_ms[np.isfinite(log.latency_ms)]
    return figure(
        name,
        lambda: float(np.quantile(known, share, method="inverted_cdf")),
        unit=Unit.MILLISECONDS,
        n=known.size,
        source=log.source.name,
    )


def _sharpe(returns: Returns | None) -> Quantity:
    if returns is None:
        return absent("paper.sharpe", "no paper returns were given")
    size = returns.returns.size
    return figure(
        "paper.sharpe",
        lambda: sharpe_ratio(returns.returns),
        n=size,
        source=returns.source.name,
        standard_error=lambda _: sharpe_standard_error(returns.returns),
    )


def _correlation(paper: Returns | None, backtest: Returns) -> dict[str, Quantity]:
    """The correlation over the shared dates and its 95% limits."""
    keys = ("correlation", "correlation_low", "correlation_high")
    if paper is None:
        return {key: absent(f"paper.{key}", "no paper returns were given") for key in keys}
    shared, at_paper, at_backtest = np.intersect1d(paper.dates, backtest.dates, return_indices=True)

    def estimate() -> PearsonCorrelation:
        if shared.size < MIN_SHARED_DATES:
            raise InsufficientData(
                f"paper returns and backtest share {shared.size} dates, at least {MIN_SHARED_DATES} are needed"
            )
        return pearson_correlation(paper.returns[at_paper], backtest.returns[at_backtest])

    source = f"{paper.source.name}; Fisher's 95% interval"
    parts: tuple[Callable[[], float], ...] = (
        lambda: estimate().correlation,
        lambda: estimate().low,
        lambda: estimate().high,
    )
    return {
        key: figure(f"paper.{key}", part, n=shared.size, source=source) for key, part in zip(keys, parts, strict=True)
    }


def _slippage(log: PaperLog) -> Quantity:
    usable = _is_priced(log)

    def weighted() -> float:
        if not usable.any():
            raise InsufficientData("no order in the paper log has a side and both prices")
        return float(np.average(_slippage_bps(log, usable), weights=np.abs(log.quantity[usable])))

    return figure("paper.slippage", weighted, unit=Unit.BPS, n=int(usable.sum()), source=log.source.name)


def _slippage_per_trade(name: str, log: PaperLog, rows: Mask) -> Quantity:
    """The plain mean over orders, every order counting once, with its standard error."""
    costs = _slippage_bps(log, rows)

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
        standard_error=lambda _: float(costs.std(ddof=1) / np.sqrt(costs.size)),
    )


def _slippage_bps(log: PaperLog, rows: Mask) -> Floats:
    """Signed by side: positive where the fill was worse than the price that the decision was made at."""
    decision = log.decision_price[rows]
    cost: Floats = _signs(log)[rows] * (log.fill_price[rows] - decision) / decision * 1e4
    return cost


def _anomalies(log: PaperLog, backtest: Returns) -> Iterator[Anomaly]:
    yield from _broken_rows(log)
    yield from _gaps(log, backtest)
    yield from _stale_prices(log)
    yield from _duplicate_orders(log)
    yield from _outliers(log)


def _anomaly(kind: AnomalyKind, rows: Mask, text: str) -> Anomaly:
    found = np.flatnonzero(rows)
    return Anomaly(kind=kind, count=found.size, text=text, rows=tuple(found.tolist()))


def _broken_rows(log: PaperLog) -> Iterator[Anomaly]:
    if errors := int(log.is_error.sum()):
        text = f"{_counted(errors, 'prediction')} of {log.is_error.size:,} ended in an error."
        yield _anomaly(AnomalyKind.ERROR, log.is_error, text)
    silent = ~np.isfinite(log.latency_ms)
    if silent.any():
        text = f"{_counted(int(silent.sum()), 'row')} without a latency, left out of the latency figures."
        yield _anomaly(AnomalyKind.NO_LATENCY, silent, text)
    unusable = _is_order(log) & ~_is_priced(log)
    if unusable.any():
        text = (
            f"{_counted(int(unusable.sum()), 'order')} without a side (buy or sell) or a positive price, left out of "
            "slippage."
        )
        yield _anomaly(AnomalyKind.UNPRICED, unusable, text)


def _gaps(log: PaperLog, backtest: Returns) -> Iterator[Anomaly]:
    """Sessions that are missing altogether, and symbols that miss sessions on which others were predicted."""
    days = _days(log)
    sessions = np.unique(days)
    inside = backtest.dates[(backtest.dates >= sessions[0]) & (backtest.dates <= sessions[-1])]
    if (absent_days := np.setdiff1d(inside, sessions)).size:
        said = f"{_counted(absent_days.size, 'session')} of the backtest without any prediction"
        text = f"{said}, first {absent_days[0]}."
        yield Anomaly(kind=AnomalyKind.MISSING_SESSION, count=absent_days.size, text=text)
    seen = {str(symbol): np.unique(days[log.symbols == symbol]) for symbol in np.unique(log.symbols)}
    fullest = max(own.size for own in seen.values())
    expected = np.unique(np.concatenate([own for own in seen.values() if own.size == fullest]))
    missing = {symbol: np.setdiff1d(expected, own) for symbol, own in seen.items()}
    gaps = {symbol: dates for symbol, dates in missing.items() if dates.size}
    if gaps:
        worst = max(gaps, key=lambda symbol: gaps[symbol].size)
        total = sum(dates.size for dates in gaps.values())
        text = (
            f"{_counted(total, 'symbol session')} missing over {_counted(len(gaps), 'symbol')} against the symbols "
            f"seen most often; most in {worst} ({gaps[worst].size}, first {gaps[worst][0]})."
        )
        yield Anomaly(kind=AnomalyKind.GAP, count=total, text=text)


def _stale_prices(log: PaperLog) -> Iterator[Anomaly]:
    """Runs of orders in one symbol at one decision price: a feed that stands still looks like that."""
    priced = np.flatnonzero(_is_priced(log))
    longest: tuple[int, str] = (0, "")
    is_stale = np.zeros(log.quantity.size, dtype=np.bool_)
    runs = 0
    for symbol in np.unique(log.symbols[priced]):
        rows = priced[log.symbols[priced] == symbol]
        lengths = _run_lengths(log.decision_price[rows])
        stale = lengths[lengths >= STALE_RUN]
        is_stale[rows[np.repeat(lengths >= STALE_RUN, lengths)]] = True
        runs += stale.size
        if stale.size:
            longest = max(longest, (int(stale.max()), str(symbol)))
    if runs:
        text = (
            f"{_counted(runs, 'run')} of {STALE_RUN} or more orders in a row at the same decision price (stale?); "
            f"longest {longest[0]} in {longest[1]}."
        )
        yield _anomaly(AnomalyKind.STALE_PRICE, is_stale, text)


def _duplicate_orders(log: PaperLog) -> Iterator[Anomaly]:
    """The same symbol, side and quantity again within a minute: an order that was sent twice looks like that."""
    rows = np.flatnonzero(_is_order(log))
    last: dict[tuple[str, str, float], np.datetime64] = {}
    is_repeated = np.zeros(log.quantity.size, dtype=np.bool_)
    for row in rows[np.argsort(log.timestamps[rows], kind="stable")]:
        key = (str(log.symbols[row]), str(log.side[row]).strip().lower(), float(log.quantity[row]))
        before = last.get(key)
        is_repeated[row] = before is not None and log.timestamps[row] - before <= DUPLICATE_WITHIN
        last[key] = log.timestamps[row]
    if is_repeated.any():
        first = int(np.flatnonzero(is_repeated)[0])
        text = (
            f"{_counted(int(is_repeated.sum()), 'duplicate order')} (same symbol, side and quantity within a minute); "
            f"first {log.symbols[first]} at {log.timestamps[first].item():%Y-%m-%d %H:%M} UTC."
        )
        yield _anomaly(AnomalyKind.DUPLICATE_ORDER, is_repeated, text)


def _outliers(log: PaperLog) -> Iterator[Anomaly]:
    """Slippage far outside the usual spread: beyond six robust scales of the median, and 25 bps at least."""
    rows = _is_priced(log)
    if not rows.any():
        return
    slippage = _slippage_bps(log, rows)
    distance = np.abs(slippage - np.median(slippage))
    scale = 1.4826 * float(np.median(distance))
    limit = max(OUTLIER_SCALES * scale, OUTLIER_FLOOR_BPS)
    outside = distance > limit
    if outside.any():
        worst = int(np.argmax(distance))
        text = (
            f"{_counted(int(outside.sum()), 'order')} with slippage more than {limit:.0f} bps from the median; "
            f"worst {slippage[worst]:+.0f} bps in {log.symbols[rows][worst]} on {_days(log)[rows][worst]}."
        )
        where = np.zeros(rows.size, dtype=np.bool_)
        where[np.flatnonzero(rows)[outside]] = True
        yield _anomaly(AnomalyKind.SLIPPAGE_OUTLIER, where, text)


def _days(log: PaperLog) -> Days:
    return log.timestamps.astype("datetime64[D]")


def _is_order(log: PaperLog) -> Mask:
    return np.abs(log.quantity) > 0


def _is_priced(log: PaperLog) -> Mask:
    with np.errstate(invalid="ignore"):
        positive = (log.decision_price > 0) & (log.fill_price > 0)
    finite = np.isfinite(log.decision_price) & np.isfinite(log.fill_price) & np.isfinite(log.quantity)
    known: Mask = _is_order(log) & positive & finite & (_signs(log) != 0)
    return known


def _signs(log: PaperLog) -> Floats:
    return np.array([_SIDES.get(side.strip().lower()) or 0.0 for side in log.side.tolist()])


def _run_lengths(values: Floats) -> NDArray[np.int64]:
    if values.size == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths: NDArray[np.int64] = np.diff(np.append(starts, values.size))
    return lengths


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
