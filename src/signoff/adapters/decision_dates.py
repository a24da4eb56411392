"""Decision dates of a release's record, so that a replay can say which part of the record it covered.

A prediction is a decision, else a change of positions, else a session of the backtest. Sessions without predictions
count as well, so that a shortened file of predictions does not shorten the record.
"""

import numpy as np
import polars as pl

from signoff.domain.evidence import CodedSymbols, Days, Evidence, Floats, Instants, Replayed, ReplayGap, Symbols
from signoff.pit.coverage import DayNumbers, Decisions, ReplayCoverage, around


def decisions(evidence: Evidence) -> Decisions:
    """The decisions in the backtest and in its inputs."""
    backtest = evidence.backtest
    sessions = _numbers(backtest.dates[_begins(backtest.returns) :])
    if evidence.predictions is not None and evidence.predictions.timestamps.size:
        pairs = _pairs(evidence.predictions.timestamps, evidence.predictions.symbols)
    elif evidence.positions is not None and evidence.positions.dates.size:
        pairs = _pairs(evidence.positions.dates, evidence.positions.symbols)
    else:
        return Decisions(days=np.unique(sessions))
    days = np.unique(pairs["day"].to_numpy())
    return Decisions(days=np.union1d(days, sessions[~around(days, sessions)]), pairs=pairs)


def range_of(replayed: ReplayCoverage, evidence: Evidence) -> Replayed:
    """The replayed range, beside the backtest's own."""
    return Replayed(
        dates=replayed.dates,
        of=replayed.of,
        first=replayed.first,
        last=replayed.last,
        record=evidence.backtest.period,
        record_dates=evidence.backtest.dates.size,
        gaps=tuple(ReplayGap(first=gap.first, last=gap.last, dates=gap.dates) for gap in replayed.gaps),
        pairs=replayed.pairs,
        of_pairs=replayed.of_pairs,
        symbols=tuple(
            f"{one.symbol} {one.replayed:,} of {one.of:,}"
            + ("" if one.first is None else f", {one.first} to {one.last}")
            for one in replayed.symbols
        ),
    )


def _begins(returns: Floats) -> int:
    """The first row with a position: zeros before it are not decisions."""
    moving = np.flatnonzero(returns != 0)
    return int(moving[0]) if moving.size else 0


def _numbers(days: Days | Instants) -> DayNumbers:
    numbers: DayNumbers = days.astype("datetime64[D]").astype(np.int64)
    return numbers


def _pairs(times: Days | Instants, symbols: Symbols | CodedSymbols) -> pl.DataFrame:
    if isinstance(symbols, CodedSymbols):
        named = pl.Series("symbol", symbols.names.tolist(), dtype=pl.String)[symbols.codes.astype(np.uint32)]
    else:
        named = pl.Series("symbol", symbols.tolist(), dtype=pl.String)
    return pl.DataFrame({"day": _numbers(times), "symbol": named}).unique().sort("day", "symbol")
