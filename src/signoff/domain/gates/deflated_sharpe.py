"""Deflated Sharpe ratio: whether the backtest beats the expected best of N worthless configurations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from signoff.domain.charts import HistogramChart, ReferenceLine, Shade
from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence, Floats, Returns, Trials
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.among_trials import shared_rows
from signoff.domain.gates.definition import OF_TRIALS, GateDefinition
from signoff.domain.gates.figures import figure
from signoff.domain.gates.sessions import at_their_worst, hangs_on_missing
from signoff.domain.gates.sub_families import SubFamily, junk, of_deflation
from signoff.domain.gates.track import less_than_a_year, track_record
from signoff.domain.gates.trials import Bets, Family, bets_of, difference, judged_family, membership, sides
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number
from signoff.domain.sampling import Sampling
from signoff.stats.deflated import (
    DeflatedSharpeRatio,
    deflated_sharpe_ratio,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from signoff.stats.errors import InputError, InsufficientData

MIN_BETS: Final = 2
COARSER_LIMITS: Final = (0.9, 0.8, 0.7, 0.6, 0.5)


DEFLATED_SHARPE: Final = GateDefinition(
    key="deflated_sharpe",
    title="Deflated Sharpe Ratio",
    asks="Is this better than the best of N worthless trials?",
    formula=(
        "Φ((SR − SR₀)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)), where SR₀ is the highest Sharpe ratio that "
        "N independent trials without skill would be expected to show: √V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − "
        "1/(N·e)))."
    ),
    paper="Bailey and López de Prado (2014), The deflated Sharpe ratio",
    needs=OF_TRIALS,
    names=r"deflat(?:ed|ion)(?:[\s-]+sharpe)?|multiple[\s-]test(?:s|ing)|selection bias",
    shown=(("trials", "{} trials"), ("effective_trials", "{} effective"), ("trial_sharpe_variance", "V = {}")),
    parts=(
        ("without_crowd", "{} without the crowd"),
        ("without_junk", "{} without junk"),
        ("without_junk_and_crowd", "{} without junk and crowd"),
        ("akin_alone", "{} by akin trials alone"),
    ),
    is_of_record=True,
    is_of_trials=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The moments of a sample of returns that deflation needs; kurtosis is 3 for a normal one."""

    n: int
    sharpe: float
    skew: float
    kurtosis: float
    time: Sampling


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """The Sharpe ratios of the bets, their observed variance, and the least variance by estimation error alone."""

    sharpes: Floats
    observed: float
    floor: float

    @property
    def variance(self) -> float:
        return max(self.observed, self.floor)

    @property
    def is_floored(self) -> bool:
        return self.observed < self.floor

    @property
    def words(self) -> str:
        """A sentence that the floor of the variance applies; empty if it does not."""
        if not self.is_floored:
            return ""
        return (
            f" Their Sharpe ratios differ by a variance of {self.observed:.3g}, less than estimation error alone gives "
            f"them; the floor of {self.floor:.3g} is used."
        )


def deflated_sharpe(evidence: Evidence, dossier: Dossier, policy: Policy) -> Finding:
    """The probability that the true Sharpe ratio is above that of the luckiest of N trials without skill."""
    gate = policy.gates.deflated_sharpe
    rule = Rule(
        key=DEFLATED_SHARPE.key,
        title=DEFLATED_SHARPE.title,
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.PROBABILITY,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        ceiling=1.0,
        method="deflated by the effective number of trials (bets, by complete linkage on 1 − |ρ|) and the variance "
        "(ddof = 1) of their Sharpe ratios",
    )

    def measure() -> GateMeasurement | Lack:
        returns = track_record(evidence)
        if isinstance(returns, Lack):
            return returns
        time = evidence.backtest.time
        if (lack := less_than_a_year(evidence)) is not None:
            return lack
        trials = judged_family(evidence, "deflated_sharpe", at_any_leverage=True)
        if isinstance(trials, Lack):
            return trials
        bets = bets_of(trials, policy.gates.same_trial_correlation)
        if isinstance(bets, Lack):
            return bets
        sample = _moments(time.excess(returns), time)
        spread = _spread(bets.returns, bets.better, time)
        idle = dossier.evidence.never_traded
        if idle is not None and (
            both := sorted(set(idle.names) & set(evidence.trials.names if evidence.trials else ()))
        ):
            return Lack(
                f"evidence.never_traded of the dossier names {both[0]}, which has a column in the file `trials`; a "
                "trial that never traded has none. Remove one of them."
            )
        never = 0 if idle is None else idle.trials
        result = _deflated(sample, bets.size + never, spread.variance)
        fuller = at_their_worst(evidence, returns)
        unsettled: tuple[str, ...] = ()
        if fuller is not None:
            worse = _deflated(_moments(time.excess(fuller), time), bets.size + never, spread.variance).probability
            effect = f"the probability would be {number(worse, Unit.PROBABILITY, 3)}"
            unsettled = () if worse >= gate.threshold else (hangs_on_missing(evidence, float(returns.min()), effect),)
        passes = result.probability >= gate.threshold
        coarser = _coarser(sample, trials, bets, gate.threshold, never) if passes else None
        parts = _parts(evidence, sample, bets, spread, policy, never)
        objections = (*((coarser,) if coarser else ()), *(part.objection(gate.threshold) for part in parts if passes))
        return GateMeasurement(
            value=result.probability,
            n=sample.n,
            source=trials.source,
            convention=result.convention,
            explanation=f"The backtest's Sharpe ratio is {number(sample.sharpe, Unit.RATIO, 4)} a "
            f"{time.unit}, in {time.rate_words}; the best of "
            f"{bets.size + never} independent trials without skill would be expected to show "
            f"{number(result.threshold, Unit.RATIO, 4)}. {trials.size} distinct trials are {bets.size} bets."
            f"{_idle(never, dossier.header.deployed_by.name)}"
            f"{spread.words}{_parts_text(parts, result.probability, gate.threshold)}{difference(trials.nearest)}",
            figures=(
                *_figures(sample, result, trials, bets, spread),
                *((count("gates.deflated_sharpe.never_traded", never),) if never else ()),
                *(quantity for part in parts for quantity in part.figures()),
            ),
            objections=tuple(text for text in objections if text),
            unsettled=unsettled,
            turning_point=_turning_point(sample, result.threshold, gate.threshold),
            charts=(_picture(sample, result.threshold, spread.sharpes),),
        )

    return guarded(rule, measure)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The backtest deflated by a part of its family."""

    family: SubFamily
    probability: float

    @property
    def text(self) -> str:
        return number(self.probability, Unit.PROBABILITY, 3)

    def objection(self, threshold: float) -> str:
        """Why the whole may not pass; empty if this part passes too."""
        if self.probability >= threshold:
            return ""
        return (
            f"The verdict hangs on how the trials are counted: {self.family.counted}, the probability is {self.text}."
        )

    def figures(self) -> Iterator[Quantity]:
        name = f"gates.deflated_sharpe.{self.family.key}"
        yield Quantity(name=name, value=self.probability, unit=Unit.PROBABILITY, digits=3, n=self.family.size)
        yield count(f"{name}_trials", self.family.size)


def _parts(
    evidence: Evidence, sample: Moments, bets: Bets, spread: Spread, policy: Policy, never: int
) -> tuple[Part, ...]:
    """The deflated ratio over each part of the family that has a spread of its own."""
    gate, time, trials = policy.gates.pbo, evidence.backtest.time, evidence.trials
    assert trials is not None  # the family was made of them
    try:
        is_junk = junk(bets, time, partitions=gate.partitions, share=gate.junk_share)
    except (InputError, InsufficientData):
        is_junk = None  # a record too short for PBO has no halves to find junk by
    better = _row_sharpes(bets.better, time) if bets.has_turned else spread.sharpes
    parts = []
    for part in of_deflation(bets, _on_rows_of(trials, evidence.backtest), better, is_junk):
        if part.size >= MIN_BETS:
            first = np.ascontiguousarray(bets.returns[:, part.bets])
            other = np.ascontiguousarray(bets.better[:, part.bets]) if bets.has_turned else first
            variance = _spread(first, other, time).variance
            parts.append(Part(family=part, probability=_deflated(sample, part.size + never, variance).probability))
    return tuple(parts)


def _idle(never: int, author: str) -> str:
    """A sentence on the trials that never traded and who declared them; empty if there are none."""
    if not never:
        return ""
    return f" {never:,} more never traded, as declared by {author} in evidence.never_traded; they count as trials."


def _on_rows_of(trials: Trials, backtest: Returns) -> Floats:
    """The backtest on the dates of its trials, 0 where it has none."""
    own = np.zeros(trials.returns.shape[0])
    rows, present = shared_rows(backtest, trials)
    own[rows] = backtest.returns[present]
    return own


def _parts_text(parts: tuple[Part, ...], probability: float, threshold: float) -> str:
    """The results for parts of the family, and which of them would pass where the whole fails."""
    texts = []
    for part in parts:
        turns = probability < threshold <= part.probability
        hangs = "; the verdict hangs on them" if turns else ""
        counted = f"{part.family.counted[0].upper()}{part.family.counted[1:]}"
        texts.append(f" {counted} it is {part.text}{hangs}.")
    return "".join(texts)


def _turning_point(sample: Moments, expected_best: float, threshold: float) -> str:
    """The Sharpe ratio, or the length of record, at which the probability would reach the threshold."""

    def probability(sharpe: float) -> float:
        return probabilistic_sharpe_ratio(
            sharpe_per_period=sharpe, n=sample.n, skew=sample.skew, kurtosis=sample.kurtosis, benchmark=expected_best
        )

    def annual(sharpe: float) -> str:
        return _annual(sharpe, sample.time)

    try:
        needed = _first_at(probability, threshold, expected_best, expected_best + 1)
    except (InputError, InsufficientData):
        return ""
    verb = "pass" if sample.sharpe < needed else "fail"
    text = (
        f"It would {verb} with an annualised Sharpe ratio {'of' if verb == 'pass' else 'below'} "
        f"{annual(needed)}; it is {annual(sample.sharpe)}."
    )
    if sample.sharpe <= expected_best:
        return f"{text} No longer record would help while the ratio stays below {annual(expected_best)}."
    try:
        length = minimum_track_record_length(
            sharpe_per_period=sample.sharpe,
            skew=sample.skew,
            kurtosis=sample.kurtosis,
            benchmark=expected_best,
            confidence=threshold,
        )
    except (InputError, InsufficientData):
        return text
    years, is_enough = length / sample.time.rows_a_year, "would be" if verb == "pass" else "is"
    return (
        f"{text} At this ratio a record of {number(length, Unit.COUNT)} {sample.time.unit}s ({years:.1f} years) "
        f"{is_enough} enough if the trials stay as far apart as they are; it has {sample.n:,}."
    )


def _first_at(rising: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where a rising function reaches `level` between `low` and `high`, by bisection; refused if it never does."""
    if not rising(high) >= level:
        raise InsufficientData(f"no Sharpe ratio up to {high:g} a session reaches a probability of {level:g}")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) >= level else (middle, high)
    return high


def _annual(row_sharpe: float, time: Sampling) -> str:
    return number(row_sharpe * sqrt(time.rows_a_year), Unit.RATIO)


def _picture(sample: Moments, expected_best: float, sharpes: Floats) -> HistogramChart:
    root = sqrt(sample.time.rows_a_year)
    return HistogramChart(
        "deflated_sharpe",
        f"Sharpe ratios of {sharpes.size} bets among the trials (annualised), what the best of as many without skill "
        f"would be expected to show, and the backtest; n = {sample.time.counted(sample.n)}.",
        sharpes * root,
        ReferenceLine(expected_best * root, f"luck alone {_annual(expected_best, sample.time)}"),
        "Sharpe ratio, annualised",
        Shade.NONE,
        (ReferenceLine(sample.sharpe * root, f"backtest {_annual(sample.sharpe, sample.time)}"),),
    )


def _moments(returns: Floats, time: Sampling) -> Moments:
    centred = returns - returns.mean()
    deviation = float(np.sqrt(np.mean(centred**2)))
    return Moments(
        n=returns.size,
        sharpe=float(returns.mean() / returns.std(ddof=1)),
        skew=float(np.mean((centred / deviation) ** 3)),
        kurtosis=float(np.mean((centred / deviation) ** 4)),
        time=time,
    )


def _spread(first: Floats, better: Floats, time: Sampling) -> Spread:
    """Sharpe ratios of the bets, and the variance that deflation rests on.

    A bet that was tried with both signs has two Sharpe ratios. The signs with the wider spread count, so that the order
    of trials in the file cannot make the best one look less lucky.
    """
    sharpes, turned = _row_sharpes(first, time), _row_sharpes(better, time)
    observed = max(float(np.var(sharpes, ddof=1)), float(np.var(turned, ddof=1)))
    return Spread(sharpes=sharpes, observed=observed, floor=_estimation_variance(first, sharpes))


def _estimation_variance(returns: Floats, sharpes: Floats) -> float:
    """The variance across bets of estimated Sharpe ratios with the same true value.

    An estimated ratio over T rows errs by a variance of (1 + SR²/2)/T (Lo 2002), and two of them by a covariance of
    about ρ times that. The expected sample variance of K numbers is their mean variance less their mean covariance:
    (1 − ρ̄)·(1 + SR²/2)/T, with ρ̄ the mean correlation of two bets and SR² the mean square. True differences only add
    to it, so less than this means trials that were made alike. The mean of K standardised columns has a variance of
    (1 + (K − 1)·ρ̄)/K, which gives ρ̄ without any K by K matrix.
    """
    rows, bets = returns.shape
    together = float(np.var(returns @ (1 / returns.std(axis=0)) / bets))
    correlation = (bets * together - 1) / (bets - 1)
    return float(max(0.0, 1 - correlation) * (1 + float(np.mean(sharpes**2)) / 2) / rows)


def _row_sharpes(returns: Floats, time: Sampling) -> Floats:
    rate = time.row_rate if time.risk_free_pct else 0.0
    sharpes: Floats = (returns.mean(axis=0) - rate) / returns.std(axis=0, ddof=1)
    return sharpes


def _deflated(sample: Moments, trials: int, variance: float) -> DeflatedSharpeRatio:
    return deflated_sharpe_ratio(
        sharpe_per_period=sample.sharpe,
        n=sample.n,
        skew=sample.skew,
        kurtosis=sample.kurtosis,
        trials=trials,
        trial_variance_per_period=variance,
    )


def _coarser(sample: Moments, trials: Family, bets: Bets, threshold: float, never: int) -> str | None:
    """The objection that the verdict would fail if trials that are nearly one bet were counted as one.

    Trials just below the limit have little spread and so lower the variance that deflation uses.
    """
    sizes = {bets.size}
    for limit in COARSER_LIMITS:
        coarse = bets.resemblance.bets(limit) if limit < bets.limit else ()
        if len(coarse) < MIN_BETS or len(coarse) in sizes:
            continue
        sizes.add(len(coarse))
        variance = _spread(*sides(trials.returns, coarse), sample.time).variance
        probability = _deflated(sample, len(coarse) + never, variance).probability
        if probability < threshold:
            return (
                f"The verdict hangs on trials that are nearly alike: with those above a correlation of {limit:g} "
                f"counted as one, {len(coarse)} are left and the probability is "
                f"{number(probability, Unit.PROBABILITY, 3)}."
            )
    return None


def _figures(
    sample: Moments, result: DeflatedSharpeRatio, trials: Family, bets: Bets, spread: Spread
) -> Iterator[Quantity]:
    def ratio(name: str, value: float) -> Quantity:
        return Quantity(name=f"gates.deflated_sharpe.{name}", value=value, digits=4, n=sample.n)

    yield ratio("session_sharpe", sample.sharpe)
    yield ratio("expected_best_sharpe", result.threshold)
    yield figure(
        "gates.deflated_sharpe.probabilistic_sharpe_ratio",
        lambda: probabilistic_sharpe_ratio(
            sharpe_per_period=sample.sharpe, n=sample.n, skew=sample.skew, kurtosis=sample.kurtosis
        ),
        unit=Unit.PROBABILITY,
        n=sample.n,
    )
    yield figure(
        "gates.deflated_sharpe.minimum_track_record",
        lambda: minimum_track_record_length(
            sharpe_per_period=sample.sharpe, skew=sample.skew, kurtosis=sample.kurtosis, benchmark=result.threshold
        ),
        unit=Unit.DAYS,
        n=sample.n,
    )
    yield ratio("skew", sample.skew)
    yield ratio("kurtosis", sample.kurtosis)
    yield count("gates.deflated_sharpe.trials", trials.size)
    yield count("gates.deflated_sharpe.copies_dropped", trials.copies)
    yield from bets.figures("deflated_sharpe")
    yield from membership(trials.nearest, "deflated_sharpe")
    yield Quantity(
        name="gates.deflated_sharpe.trial_sharpe_variance",
        value=spread.variance,
        digits=6,
        n=bets.size,
        source=trials.source,
    )
    if spread.is_floored:
        yield Quantity(name="gates.deflated_sharpe.variance_floor", value=spread.floor, digits=6, n=bets.size)
