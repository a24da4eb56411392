"""Section 2.4: what paper trading showed, and every oddity in its log as a sentence with a count.

Slippage is signed by side, so that a positive figure is a cost, and weighted by quantity. Quantiles of latency are
observed values (nearest rank), never interpolated ones.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.assessment import PaperSummary
from signoff.domain.evidence import Days, Evidence, Floats, PaperLog, Returns
from signoff.domain.gates.figures import absent, figure
from signoff.domain.quantity import Quantity, Unit
from signoff.stats.errors import InsufficientData
from signoff.stats.performance import sharpe_ratio, sharpe_standard_error

MIN_SHARED_DATES: Final = 10
STALE_RUN: Final = 3
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
        correlation=_correlation(evidence.paper_returns, evidence.backtest),
        slippage=_slippage(log),
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


def _correlation(paper: Returns | None, backtest: Returns) -> Quantity:
    if paper is None:
        return absent("paper.correlation", "no paper returns were given")
    shared, at_paper, at_backtest = np.intersect1d(paper.dates, backtest.dates, return_indices=True)

    def correlation() -> float:
        if shared.size < MIN_SHARED_DATES:
            raise InsufficientData(
                f"paper returns and backtest share {shared.size} dates, at least {MIN_SHARED_DATES} are needed"
            )
        return float(np.corrcoef(paper.returns[at_paper], backtest.returns[at_backtest])[0, 1])

    return figure(
        "paper.correlation",
        correlation,
        n=shared.size,
        source=paper.source.name,
        standard_error=lambda r: (1 - r * r) / np.sqrt(shared.size - 1),
    )


def _slippage(log: PaperLog) -> Quantity:
    usable = _is_priced(log)

    def weighted() -> float:
        if not usable.any():
            raise InsufficientData("no order in the paper log has a side and both prices")
        return float(np.average(_slippage_bps(log, usable), weights=np.abs(log.quantity[usable])))

    return figure("paper.slippage", weighted, unit=Unit.BPS, n=int(usable.sum()), source=log.source.name)


def _slippage_bps(log: PaperLog, rows: Mask) -> Floats:
    decision = log.decision_price[rows]
    cost: Floats = _signs(log)[rows] * (log.fill_price[rows] - decision) / decision * 1e4
    return cost


def _anomalies(log: PaperLog, backtest: Returns) -> Iterator[str]:
    yield from _broken_rows(log)
    yield from _gaps(log, backtest)
    yield from _stale_prices(log)
    yield from _duplicate_orders(log)
    yield from _outliers(log)


def _broken_rows(log: PaperLog) -> Iterator[str]:
    if errors := int(log.is_error.sum()):
        yield f"{_counted(errors, 'prediction')} of {log.is_error.size:,} ended in an error."
    if silent := int((~np.isfinite(log.latency_ms)).sum()):
        yield f"{_counted(silent, 'row')} without a latency, left out of the latency figures."
    if unusable := int((_is_order(log) & ~_is_priced(log)).sum()):
        yield f"{_counted(unusable, 'order')} without a side (buy or sell) or a positive price, left out of slippage."


def _gaps(log: PaperLog, backtest: Returns) -> Iterator[str]:
    """Sessions that are missing altogether, and symbols that miss sessions on which others were predicted."""
    days = _days(log)
    sessions = np.unique(days)
    inside = backtest.dates[(backtest.dates >= sessions[0]) & (backtest.dates <= sessions[-1])]
    if (absent_days := np.setdiff1d(inside, sessions)).size:
        yield f"{_counted(absent_days.size, 'session')} of the backtest without any prediction, first {absent_days[0]}."
    seen = {str(symbol): np.unique(days[log.symbols == symbol]) for symbol in np.unique(log.symbols)}
    fullest = max(own.size for own in seen.values())
    expected = np.unique(np.concatenate([own for own in seen.values() if own.size == fullest]))
    missing = {symbol: np.setdiff1d(expected, own) for symbol, own in seen.items()}
    gaps = {symbol: dates for symbol, dates in missing.items() if dates.size}
    if gaps:
        worst = max(gaps, key=lambda symbol: gaps[symbol].size)
        total = sum(dates.size for dates in gaps.values())
        yield (
            f"{_counted(total, 'symbol session')} missing over {_counted(len(gaps), 'symbol')} against the symbols "
            f"seen most often; most in {worst} ({gaps[worst].size}, first {gaps[worst][0]})."
        )


def _stale_prices(log: PaperLog) -> Iterator[str]:
    priced = _is_priced(log)
    longest: tuple[int, str] = (0, "")
    runs = 0
    for symbol in np.unique(log.symbols[priced]):
        lengths = _run_lengths(log.decision_price[priced & (log.symbols == symbol)])
        stale = lengths[lengths >= STALE_RUN]
        runs += stale.size
        if stale.size:
            longest = max(longest, (int(stale.max()), str(symbol)))
    if runs:
        yield (
            f"{_counted(runs, 'run')} of {STALE_RUN} or more orders in a row at the same decision price (stale?); "
            f"longest {longest[0]} in {longest[1]}."
        )


def _duplicate_orders(log: PaperLog) -> Iterator[str]:
    rows = _is_order(log)
    keys = zip(log.timestamps[rows].tolist(), log.symbols[rows].tolist(), log.side[rows].tolist(), strict=True)
    repeated = {key: times - 1 for key, times in Counter(keys).items() if times > 1}
    if repeated:
        when, symbol, _ = min(repeated)
        yield (
            f"{_counted(sum(repeated.values()), 'duplicate order')} (same time, symbol and side); "
            f"first {symbol} at {when:%Y-%m-%d %H:%M} UTC."
        )


def _outliers(log: PaperLog) -> Iterator[str]:
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
        yield (
            f"{_counted(int(outside.sum()), 'order')} with slippage more than {limit:.0f} bps from the median; "
            f"worst {slippage[worst]:+.0f} bps in {log.symbols[rows][worst]} on {_days(log)[rows][worst]}."
        )


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
