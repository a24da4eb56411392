"""Anomalies in a paper log: checks, each with a figure and an n, or with the reason why it could not run.

"None found" is a claim about checks that ran. A check without data reads "not checked".
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.domain.assessment import Anomaly, AnomalyKind, PaperCheck
from signoff.domain.evidence import Days, Evidence, Floats, PaperLog, Returns
from signoff.domain.frequency import Frequency
from signoff.domain.gates.comparable import comparable, compared_by
from signoff.domain.gates.paper_rows import Mask, counted, days, is_order, is_priced, run_lengths, slippage_bps
from signoff.stats.dispersion import volatility_ratio
from signoff.stats.drift import kolmogorov_smirnov
from signoff.stats.errors import InputError, InsufficientData

STALE_RUN: Final = 3
DUPLICATE_WITHIN: Final = np.timedelta64(60, "s")
OUTLIER_SCALES: Final = 6.0
OUTLIER_FLOOR_BPS: Final = 25.0
# A coin falls twelve times alike once in two thousand; fewer equal predictions are no finding.
MIN_CONSTANT: Final = 12
# A symbol whose predictions span less than this part of all predictions' spread is constant but for noise.
STILL: Final = 1e-3
REPEATED_RUN: Final = 3
MIN_FROZEN_SYMBOLS: Final = 5
# If fewer than half of successive values are distinct, the model predicts a few values on purpose.
MIN_DISTINCT: Final = 0.5
MIN_SESSIONS: Final = 20
SIGNIFICANCE: Final = 0.01
OF_PRICE: Final = 1e-9
MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One check and its anomalies."""

    outcome: PaperCheck
    anomalies: tuple[Anomaly, ...] = ()


def anomaly_checks(log: PaperLog, evidence: Evidence) -> tuple[Checked, ...]:
    """Every check of the paper period, in the memo's order."""
    orders, priced = int(is_order(log).sum()), int(is_priced(log).sum())
    rows, returns = log.timestamps.size, evidence.paper_returns
    no_orders = "" if orders else "no orders were given"
    no_fills = "" if priced else "no fills were given"
    return (
        _check("errors and rows without a figure", rows, lambda: _broken_rows(log)),
        _check("predictions that are no number", rows, lambda: _not_finite(log)),
        _check("constant predictions", rows, lambda: _constant(log)),
        _check("repeated predictions", rows, lambda: _repeated(log)),
        _check("missing sessions", _expected_sessions(log, evidence)[0].size, lambda: _missing_sessions(log, evidence)),
        _check("gaps of symbols", np.unique(log.symbols).size, lambda: _gaps(log)),
        _check("stale prices", priced, lambda: _stale_prices(log), no_fills),
        _check("duplicate orders", orders, lambda: _duplicate_orders(log), no_orders),
        _check("slippage outliers", priced, lambda: _outliers(log), no_fills),
        _check("fills outside the bar", _barred(log), lambda: _outside_bar(log), no_fills or _no_bars(log)),
        _check("returns against the backtest", _size(returns), lambda: _distribution(returns, evidence.backtest)),
        _check("volatility against the backtest", _size(returns), lambda: _volatility(returns, evidence.backtest)),
    )


def _check(name: str, n: int, look: Callable[[], Iterable[Anomaly]], missing: str = "") -> Checked:
    """Run one check, unless its data are missing or too few."""
    if missing:
        return Checked(outcome=PaperCheck(name=name, n=n, not_checked=missing))
    try:
        return Checked(anomalies=tuple(look()), outcome=PaperCheck(name=name, n=n))
    except (InputError, InsufficientData) as reason:
        return Checked(outcome=PaperCheck(name=name, n=n, not_checked=str(reason).rstrip(".")))


def _size(returns: Returns | None) -> int:
    return 0 if returns is None else int(returns.returns.size)


def _predicted(log: PaperLog) -> Mask:
    """Rows with a prediction; a row that ended in an error has none."""
    return ~log.is_error & np.isfinite(log.prediction)


def _by_symbol(log: PaperLog) -> Iterator[tuple[str, np.ndarray]]:
    """The rows of each symbol that have a prediction, in the order of time."""
    rows = np.flatnonzero(_predicted(log))
    rows = rows[np.lexsort((log.timestamps[rows], log.symbols[rows]))]
    if not rows.size:
        return
    changes = np.flatnonzero(log.symbols[rows][1:] != log.symbols[rows][:-1]) + 1
    for own in np.split(rows, changes):
        yield str(log.symbols[own[0]]), own


def _not_finite(log: PaperLog) -> Iterator[Anomaly]:
    broken = ~log.is_error & ~np.isfinite(log.prediction)
    if broken.any():
        text = f"{counted(int(broken.sum()), 'prediction')} of {broken.size:,} without an error that are no number."
        yield _anomaly(AnomalyKind.NOT_FINITE, broken, text)


def _constant(log: PaperLog) -> Iterator[Anomaly]:
    """One value everywhere, in a symbol through time, or over all symbols of a session."""
    rows = _predicted(log)
    values = log.prediction[rows]
    if values.size < MIN_CONSTANT:
        raise InsufficientData(f"{counted(values.size, 'prediction')}, at least {MIN_CONSTANT} are needed")
    if _is_one(values):
        text = f"All {values.size:,} predictions are {values[0]:g} (n = {values.size:,})."
        yield _anomaly(AnomalyKind.CONSTANT_PREDICTION, rows, text)
        return
    symbols = {name: own for name, own in _by_symbol(log) if own.size >= MIN_CONSTANT}
    span = STILL * float(np.std(values))
    still = {name: own for name, own in symbols.items() if float(np.ptp(log.prediction[own])) <= span}
    if still:
        named = ", ".join(f"{name} {log.prediction[own[0]]:g} (n = {own.size:,})" for name, own in _first(still))
        text = f"Constant predictions in {counted(len(still), 'symbol')} of {len(symbols)}: {named}."
        yield _anomaly(AnomalyKind.CONSTANT_PREDICTION, _marked(log, still.values()), text)
    yield from _constant_sessions(log, rows)


def _constant_sessions(log: PaperLog, has_value: Mask) -> Iterator[Anomaly]:
    rows = np.flatnonzero(has_value)
    order = rows[np.argsort(log.timestamps[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(days(log)[order]).astype(np.int64)) + 1)
    several = [own for own in groups if np.unique(log.symbols[own]).size > 1]
    flat = [own for own in several if _is_one(log.prediction[own])]
    is_always = len(flat) == len(several) >= MIN_CONSTANT
    named = flat if is_always else [own for own in flat if own.size >= MIN_CONSTANT]
    if named:
        first = named[0][0]
        text = (
            f"{counted(len(named), 'session')} of {len(several)} with one prediction for every symbol; first "
            f"{days(log)[first]}, {log.prediction[first]:g} (n = {named[0].size})."
        )
        yield _anomaly(AnomalyKind.CONSTANT_PREDICTION, _marked(log, named), text)


def _repeated(log: PaperLog) -> Iterator[Anomaly]:
    """Values that repeat in a model whose values otherwise move, as from a stuck pipeline."""
    symbols = dict(_by_symbol(log))
    starts = [own[np.append(True, np.diff(log.prediction[own]) != 0)] for own in symbols.values()]
    moved = log.prediction[np.concatenate(starts)] if starts else np.zeros(0)
    if moved.size < MIN_CONSTANT:
        raise InsufficientData(f"{counted(moved.size, 'change')} of a prediction, at least {MIN_CONSTANT} are needed")
    distinct = int(np.unique(moved).size)
    if distinct < MIN_DISTINCT * moved.size:
        raise InsufficientData(f"predictions take {distinct} values, so that repeats say nothing")
    long: list[tuple[int, str, np.ndarray]] = []
    for name, own in symbols.items():
        lengths = run_lengths(log.prediction[own])
        if lengths.size > 1 or own.size < MIN_CONSTANT:
            runs = np.split(own, np.cumsum(lengths)[:-1])
            long += [(run.size, name, run) for run in runs if run.size >= REPEATED_RUN]
    if long:
        longest, where, run = max(long, key=lambda each: (each[0], each[1]))
        text = (
            f"{counted(len(long), 'run')} of {REPEATED_RUN} or more equal predictions in a row; longest {longest} in "
            f"{where} from {days(log)[run[0]]}, {log.prediction[run[0]]:g} (n = {int(_predicted(log).sum()):,})."
        )
        yield _anomaly(AnomalyKind.REPEATED_PREDICTION, _marked(log, [run for _, _, run in long]), text)
    yield from _frozen_sessions(log, symbols)


def _frozen_sessions(log: PaperLog, symbols: dict[str, np.ndarray]) -> Iterator[Anomaly]:
    """Sessions in which every prediction repeats that of the session before."""
    later = np.concatenate([own[1:] for own in symbols.values()])
    same = np.concatenate([log.prediction[own[1:]] == log.prediction[own[:-1]] for own in symbols.values()])
    sessions, which = np.unique(days(log)[later], return_inverse=True)
    seen, repeated = np.bincount(which), np.bincount(which, weights=same)
    frozen = (seen >= MIN_FROZEN_SYMBOLS) & (repeated == seen)
    if frozen.any():
        text = (
            f"{counted(int(frozen.sum()), 'session')} of {sessions.size} with the predictions of the session before in "
            f"every symbol; first {sessions[frozen][0]} (n = {seen[frozen][0]})."
        )
        yield _anomaly(AnomalyKind.REPEATED_PREDICTION, _marked(log, [later[frozen[which]]]), text)


def _barred(log: PaperLog) -> int:
    return 0 if log.bar_low is None or log.bar_high is None else int((is_priced(log) & _has_bar(log)).sum())


def _no_bars(log: PaperLog) -> str:
    if log.bar_low is None or log.bar_high is None:
        return "no bars were given"
    return "" if _barred(log) else "no fill has a bar"


def _has_bar(log: PaperLog) -> Mask:
    assert log.bar_low is not None
    assert log.bar_high is not None
    with np.errstate(invalid="ignore"):
        valid: Mask = np.isfinite(log.bar_low) & np.isfinite(log.bar_high) & (log.bar_low <= log.bar_high)
    return valid


def _outside_bar(log: PaperLog) -> Iterator[Anomaly]:
    """Fills at prices outside the bar: above its high or below its low."""
    assert log.bar_low is not None
    assert log.bar_high is not None
    priced = is_priced(log)
    unbarred = priced & ~_has_bar(log)
    if unbarred.any():
        text = f"{counted(int(unbarred.sum()), 'fill')} of {int(priced.sum()):,} without a bar from low to high."
        yield _anomaly(AnomalyKind.NO_BAR, unbarred, text)
    rows = priced & _has_bar(log)
    with np.errstate(invalid="ignore"):
        beyond = np.maximum(log.bar_low - log.fill_price, log.fill_price - log.bar_high) / log.fill_price
    outside = rows & (beyond > OF_PRICE)
    if outside.any():
        worst = int(np.argmax(np.where(outside, beyond, -np.inf)))
        text = (
            f"{counted(int(outside.sum()), 'fill')} of {int(rows.sum()):,} outside the bar's low to high; worst "
            f"{log.symbols[worst]} on {days(log)[worst]}, {log.fill_price[worst]:g} outside {log.bar_low[worst]:g} to "
            f"{log.bar_high[worst]:g}."
        )
        yield _anomaly(AnomalyKind.OUTSIDE_BAR, outside, text)


def _distribution(paper: Returns | None, backtest: Returns) -> Iterator[Anomaly]:
    """Whether paper returns can have the backtest's distribution, by Kolmogorov and Smirnov's test."""
    own, reference, how = _enough(paper, backtest)
    test = kolmogorov_smirnov(reference, own, minimum=MIN_SESSIONS)
    if test.p_value < SIGNIFICANCE:
        text = (
            f"{how} paper returns are distributed otherwise than the backtest's: Kolmogorov-Smirnov distance "
            f"{test.value:.2f}, p = {test.p_value:.2g} (n = {test.n_current} against {test.n_reference:,})."
        )
        yield Anomaly(kind=AnomalyKind.DISTRIBUTION, count=1, text=text)


def _volatility(paper: Returns | None, backtest: Returns) -> Iterator[Anomaly]:
    own, reference, how = _enough(paper, backtest)
    ratio = volatility_ratio(reference, own, minimum=MIN_SESSIONS)
    if ratio.p_value < SIGNIFICANCE:
        text = (
            f"{how} paper returns vary {ratio.value:.2g} times as much as the backtest's (99%: {ratio.low:.2g} to "
            f"{ratio.high:.2g} if returns are independent, p = {ratio.p_value:.2g}, n = {ratio.n_current} against "
            f"{ratio.n_reference:,})."
        )
        yield Anomaly(kind=AnomalyKind.VOLATILITY, count=1, text=text)


def _enough(paper: Returns | None, backtest: Returns) -> tuple[Floats, Floats, str]:
    """Both returns at the coarser of their frequencies, and that frequency."""
    if paper is None:
        raise InsufficientData("no paper returns were given")
    own, reference = comparable(paper, backtest)
    time, size = own.time, own.returns.size
    if size < MIN_SESSIONS:
        how = compared_by(paper, backtest)
        raise InsufficientData(
            f"{counted(size, time.unit)} of paper returns, at least {MIN_SESSIONS} are needed" + f" ({how})" * bool(how)
        )
    return own.returns, reference.returns, time.frequency.title()


def _is_one(values: Floats) -> bool:
    return bool(values.size) and bool((values == values[0]).all())


def _marked(log: PaperLog, groups: Iterable[np.ndarray]) -> Mask:
    marked = np.zeros(log.timestamps.size, dtype=np.bool_)
    for rows in groups:
        marked[rows] = True
    return marked


def _first(named: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return sorted(named.items())[:MOST_NAMED]


def _expected_sessions(log: PaperLog, evidence: Evidence) -> tuple[Days, str]:
    """The sessions of the paper period, and the table that gives them: the backtest, or else the paper returns."""
    is_daily = evidence.backtest.time.frequency is Frequency.DAILY
    inside = _sessions_inside(log, evidence.backtest)
    if (inside.size and is_daily) or evidence.paper_returns is None:
        return inside, "backtest"
    return _sessions_inside(log, evidence.paper_returns), "paper returns"


def _sessions_inside(log: PaperLog, backtest: Returns) -> Days:
    sessions = np.unique(days(log))
    inside: Days = backtest.dates[(backtest.dates >= sessions[0]) & (backtest.dates <= sessions[-1])]
    return inside


def _anomaly(kind: AnomalyKind, rows: Mask, text: str) -> Anomaly:
    places = np.flatnonzero(rows)
    return Anomaly(kind=kind, count=places.size, text=text, rows=tuple(places.tolist()))


def _broken_rows(log: PaperLog) -> Iterator[Anomaly]:
    if errors := int(log.is_error.sum()):
        text = f"{counted(errors, 'prediction')} of {log.is_error.size:,} ended in an error."
        yield _anomaly(AnomalyKind.ERROR, log.is_error, text)
    silent = ~np.isfinite(log.latency_ms)
    if silent.any():
        text = f"{counted(int(silent.sum()), 'row')} without a latency, left out of the latency figures."
        yield _anomaly(AnomalyKind.NO_LATENCY, silent, text)
    unusable = is_order(log) & ~is_priced(log)
    if unusable.any():
        text = (
            f"{counted(int(unusable.sum()), 'order')} without a side (buy or sell) or a positive price, left out of "
            "slippage."
        )
        yield _anomaly(AnomalyKind.UNPRICED, unusable, text)


def _missing_sessions(log: PaperLog, evidence: Evidence) -> Iterator[Anomaly]:
    """Sessions that are missing altogether, by the sessions of the backtest or of the paper returns."""
    inside, whose = _expected_sessions(log, evidence)
    if not inside.size:
        raise InsufficientData("neither the backtest nor paper returns have a session of the paper period")
    if (absent_days := np.setdiff1d(inside, days(log))).size:
        absent = f"{counted(absent_days.size, 'session')} of the {whose} without any prediction"
        text = f"{absent}, first {absent_days[0]}."
        yield Anomaly(kind=AnomalyKind.MISSING_SESSION, count=absent_days.size, text=text)


def _gaps(log: PaperLog) -> Iterator[Anomaly]:
    """Symbols that miss sessions on which others were predicted."""
    own_days = days(log)
    seen = {str(symbol): np.unique(own_days[log.symbols == symbol]) for symbol in np.unique(log.symbols)}
    fullest = max(own.size for own in seen.values())
    expected = np.unique(np.concatenate([own for own in seen.values() if own.size == fullest]))
    missing = {symbol: np.setdiff1d(expected, own) for symbol, own in seen.items()}
    gaps = {symbol: dates for symbol, dates in missing.items() if dates.size}
    if gaps:
        worst = max(gaps, key=lambda symbol: gaps[symbol].size)
        total = sum(dates.size for dates in gaps.values())
        text = (
            f"{counted(total, 'symbol session')} missing over {counted(len(gaps), 'symbol')} against the symbols "
            f"seen most often; most in {worst} ({gaps[worst].size}, first {gaps[worst][0]})."
        )
        yield Anomaly(kind=AnomalyKind.GAP, count=total, text=text)


def _stale_prices(log: PaperLog) -> Iterator[Anomaly]:
    """Runs of orders in one symbol at one decision price, as from a stuck feed."""
    priced = np.flatnonzero(is_priced(log))
    longest: tuple[int, str] = (0, "")
    is_stale = np.zeros(log.quantity.size, dtype=np.bool_)
    runs = 0
    for symbol in np.unique(log.symbols[priced]):
        rows = priced[log.symbols[priced] == symbol]
        lengths = run_lengths(log.decision_price[rows])
        stale = lengths[lengths >= STALE_RUN]
        is_stale[rows[np.repeat(lengths >= STALE_RUN, lengths)]] = True
        runs += stale.size
        if stale.size:
            longest = max(longest, (int(stale.max()), str(symbol)))
    if runs:
        text = (
            f"{counted(runs, 'run')} of {STALE_RUN} or more orders in a row at the same decision price (stale?); "
            f"longest {longest[0]} in {longest[1]}."
        )
        yield _anomaly(AnomalyKind.STALE_PRICE, is_stale, text)


def _duplicate_orders(log: PaperLog) -> Iterator[Anomaly]:
    """The same symbol, side and quantity again within a minute, as from an order sent twice."""
    rows = np.flatnonzero(is_order(log))
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
            f"{counted(int(is_repeated.sum()), 'duplicate order')} (same symbol, side and quantity within a minute); "
            f"first {log.symbols[first]} at {log.timestamps[first].item():%Y-%m-%d %H:%M} UTC."
        )
        yield _anomaly(AnomalyKind.DUPLICATE_ORDER, is_repeated, text)


def _outliers(log: PaperLog) -> Iterator[Anomaly]:
    """Slippage beyond six robust scales of the median and at least 25 bps from it."""
    rows = is_priced(log)
    if not rows.any():
        return
    slippage = slippage_bps(log, rows)
    distance = np.abs(slippage - np.median(slippage))
    scale = 1.4826 * float(np.median(distance))
    limit = max(OUTLIER_SCALES * scale, OUTLIER_FLOOR_BPS)
    outside = distance > limit
    if outside.any():
        worst = int(np.argmax(distance))
        text = (
            f"{counted(int(outside.sum()), 'order')} with slippage more than {limit:.0f} bps from the median; "
            f"worst {slippage[worst]:+.0f} bps in {log.symbols[rows][worst]} on {days(log)[rows][worst]}."
        )
        where = np.zeros(rows.size, dtype=np.bool_)
        where[np.flatnonzero(rows)[outside]] = True
        yield _anomaly(AnomalyKind.SLIPPAGE_OUTLIER, where, text)
