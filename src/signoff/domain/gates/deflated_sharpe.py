"""Deflated Sharpe ratio: whether the backtest beats what the best of N worthless configurations would have shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.figures import figure
from signoff.domain.gates.track import track_record
from signoff.domain.gates.trials import Family, family
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.stats.deflated import (
    DeflatedSharpeRatio,
    deflated_sharpe_ratio,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from signoff.stats.errors import InsufficientData

MIN_SESSIONS: Final = 252


def deflated_sharpe(evidence: Evidence, _dossier: Dossier, policy: Policy) -> Finding:
    """The probability that the true Sharpe ratio is above that of the luckiest of N trials without skill."""
    gate = policy.gates.deflated_sharpe
    rule = Rule(
        key="deflated_sharpe",
        title="Deflated Sharpe Ratio",
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.PROBABILITY,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        ceiling=1.0,
        method="deflated by the number of distinct trials and the variance (ddof = 1) of their Sharpe ratios",
    )

    def measure() -> Measurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        trials = family(evidence)
        if isinstance(trials, Lack):
            return trials
        sample = _moments(returns)
        variance = float(np.var(_session_sharpes(trials), ddof=1))
        result = deflated_sharpe_ratio(
            sample.sharpe,
            sample.n,
            skew=sample.skew,
            kurtosis=sample.kurtosis,
            trials=trials.size,
            trial_sharpe_variance=variance,
        )
        return Measurement(
            value=result.probability,
            n=sample.n,
            source=f"{evidence.backtest.source.name}, {trials.source}",
            convention=result.convention,
            explanation=f"The backtest's Sharpe ratio is {number(sample.sharpe, Unit.RATIO, 4)} a session; the best of "
            f"{trials.size} trials without skill would be expected to show {number(result.threshold, Unit.RATIO, 4)}.",
            figures=tuple(_figures(sample, result, trials, variance)),
        )

    return guarded(rule, measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What the deflation needs to know of a sample of returns; kurtosis is 3 for a normal one."""

    n: int
    sharpe: float
    skew: float
    kurtosis: float


def _moments(returns: Floats) -> Moments:
    if returns.size < MIN_SESSIONS:
        raise InsufficientData(f"The backtest has {returns.size} sessions; at least {MIN_SESSIONS} are needed.")
    centred = returns - returns.mean()
    deviation = float(np.sqrt(np.mean(centred**2)))
    return Moments(
        n=returns.size,
        sharpe=float(returns.mean() / returns.std(ddof=1)),
        skew=float(np.mean((centred / deviation) ** 3)),
        kurtosis=float(np.mean((centred / deviation) ** 4)),
    )


def _session_sharpes(trials: Family) -> Floats:
    sharpes: Floats = trials.returns.mean(axis=0) / trials.returns.std(axis=0, ddof=1)
    return sharpes


def _figures(sample: Moments, result: DeflatedSharpeRatio, trials: Family, variance: float) -> Iterator[Quantity]:
    def ratio(name: str, value: float) -> Quantity:
        return Quantity(name=f"gates.deflated_sharpe.{name}", value=value, digits=4, n=sample.n)

    yield ratio("session_sharpe", sample.sharpe)
    yield ratio("expected_best_sharpe", result.threshold)
    yield figure(
        "gates.deflated_sharpe.probabilistic_sharpe_ratio",
        lambda: probabilistic_sharpe_ratio(sample.sharpe, sample.n, skew=sample.skew, kurtosis=sample.kurtosis),
        unit=Unit.PROBABILITY,
        n=sample.n,
    )
    yield figure(
        "gates.deflated_sharpe.minimum_track_record",
        lambda: minimum_track_record_length(
            sample.sharpe, skew=sample.skew, kurtosis=sample.kurtosis, benchmark=result.threshold
        ),
        unit=Unit.DAYS,
        n=sample.n,
    )
    yield ratio("skew", sample.skew)
    yield ratio("kurtosis", sample.kurtosis)
    yield count("gates.deflated_sharpe.trials", trials.size)
    yield count("gates.deflated_sharpe.copies_dropped", trials.copies)
    yield Quantity(
        name="gates.deflated_sharpe.trial_sharpe_variance",
        value=variance,
        digits=6,
        n=trials.size,
        source=trials.source,
    )
