"""Symmetric Prediction Accuracy: whether the model predicts equally well in both directions.

It tests symmetry, not skill: a coin passes with enough tosses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.domain.charts import Interval, IntervalChart, ReferenceLine
from signoff.domain.dossier import Dossier, PredictionKind
from signoff.domain.evidence import Evidence, Predictions
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.plausible import plausible_probabilities, plausible_scores
from signoff.domain.gates.realized import Agreement, agreement, sampled_agreement
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded, has_and_needs
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.domain.sampling import Days
from signoff.stats.clusters import inferred_horizon
from signoff.stats.symmetry import SymmetricPredictionAccuracy, symmetric_prediction_accuracy, wilson_bound

SPA: Final = GateDefinition(
    key="spa",
    title="SPA (Symmetric Prediction Accuracy)",
    asks="Does the model predict equally well in both directions?",
    formula=("The lower of both sides' one-sided 95% Wilson bounds, on effective numbers of rows clustered by date."),
    paper="Wilson (1927); Korn and Graubard (1998), Confidence intervals for proportions with small counts",
    needs="a dossier with the file predictions: what the model predicted, and what came",
    names=r"symmetric accuracy|S[.·\s-]{1,2}P[.·\s-]{1,2}A",
    shown=(
        ("long_predictions", "Wilson 95%, {} long"),
        ("long_effective_n", "effective {}"),
        ("short_predictions", "{} short"),
        ("short_effective_n", "effective {}"),
    ),
    is_of_dossier=True,
)


def symmetric_accuracy(evidence: Evidence, dossier: Dossier, policy: Policy) -> Finding:
    """The weaker side's accuracy, as its one-sided 95% Wilson lower bound."""
    gate = policy.gates.spa
    neutral = dossier.validation.prediction.neutral
    rule = Rule(
        key=SPA.key,
        title=SPA.title,
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.RATIO,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"accuracy of the weaker side, predictions above and below {neutral:g}",
    )

    def measure() -> GateMeasurement | Lack:
        predictions = evidence.predictions
        if predictions is None:
            return Lack(
                "The file `predictions` is missing; add it to the dossier with the columns timestamp, symbol, "
                "prediction and realized."
            )
        if dossier.validation.prediction is PredictionKind.PROBABILITY:
            plausible_probabilities(predictions.prediction, "predictions, column prediction")
        plausible_scores(predictions.prediction, "predictions, column prediction")
        plausible_scores(predictions.realized, "predictions, column realized")
        inferred = inferred_horizon(predictions.realized, predictions.timestamps, predictions.symbols)
        declared = dossier.validation.prediction_horizon
        agreed = agreement(evidence, declared)
        if agreed is not None and evidence.asset_returns is not None and agreed.share < gate.realized_agreement:
            sources = predictions.source.name, evidence.asset_returns.source.name
            return Lack(agreed.words(gate.realized_agreement, *sources), tuple(agreed.figures()))
        result = symmetric_prediction_accuracy(
            predictions.prediction,
            predictions.realized,
            neutral=neutral,
            dates=predictions.timestamps,
            horizon=max(inferred, declared or 1),
        )
        is_waived = gate.long_only_waiver and result.short_n == 0
        fewest = min(n for n in (result.long_n, result.short_n) if n)
        value = result.long_bound if is_waived else result.score
        if fewest < gate.minimum_per_side and value >= gate.threshold:
            return Lack(
                f"{result.long_n:,} long and {result.short_n:,} short predictions pass nothing, however good; at "
                f"least {gate.minimum_per_side} of a side are needed. Add a longer period of predictions.",
                has_and_needs("spa", "predictions_of_a_side", fewest, gate.minimum_per_side),
            )
        dates = _dates_without(predictions.timestamps.astype("datetime64[D]"), evidence.backtest.dates)
        limit = policy.gates.sessions.limit_pct / 100
        omitted = _Omitted.of(dates, predictions, result, limit)
        worse = value if agreed is None else _were_wrong(agreed, predictions, result, neutral, is_waived=is_waived)
        hangs = value >= gate.threshold and value * fewest / (fewest + omitted.rows) < gate.threshold
        return GateMeasurement(
            value=value,
            n=result.n,
            source=predictions.source.name,
            convention="one-sided 95% Wilson lower bound of long accuracy alone, on its effective number, clustered by "
            "date; flat predictions and zero realised returns excluded"
            if is_waived
            else result.convention,
            explanation=f"{_explanation(result, is_waived=is_waived)} {_effective(result, inferred, declared)}"
            f"{_absent(predictions, result, gate.threshold, value)}{omitted.text(hangs=hangs)}"
            f"{_not_held(evidence, declared, inferred)}",
            figures=(
                *_figures(result),
                *(agreed.figures() if agreed is not None else ()),
                count("gates.spa.dates_expected", dates.expected),
                count("gates.spa.dates_absent", dates.absent),
            ),
            objections=omitted.objections(limit) if hangs else (),
            unsettled=() if agreed is None or worse >= gate.threshold else (_hangs_on_others(agreed, worse),),
            turning_point=_turning_point(result, gate.threshold, is_waived=is_waived),
            charts=(_picture(result, gate.threshold),),
        )

    return guarded(rule, measure)


def _explanation(result: SymmetricPredictionAccuracy, *, is_waived: bool) -> str:
    if is_waived:
        return (
            f"{_side(result.long_accuracy, result.long_n, 'long')}; no short prediction was made, and the policy "
            "records a long-only waiver."
        )
    if result.long_n == 0 or result.short_n == 0:
        side = "long" if result.long_n == 0 else "short"
        return f"No {side} prediction was made, so that side scores 0; a long-only model needs a waiver in the policy."
    return (
        f"{_side(result.long_accuracy, result.long_n, 'long')} and "
        f"{_side(result.short_accuracy, result.short_n, 'short')}; the weaker side counts, less its sampling error."
    )


def _effective(result: SymmetricPredictionAccuracy, inferred: int, declared: int | None) -> str:
    """The effective number of rows, and the overlap that it takes into account."""
    sides = (("long", result.long_n, result.long_effective_n), ("short", result.short_n, result.short_effective_n))
    worth = " and ".join(f"{n:,} {side} as {effective:,.0f}" for side, n, effective in sides if n)
    overlap = f"realised returns cover {result.horizon} session{'s' if result.horizon > 1 else ''}"
    if declared is None:
        how = "inferred from their autocorrelation"
    elif declared < inferred:
        how = f"inferred from their autocorrelation; the dossier declares {declared} in validation.prediction_horizon"
    else:
        how = "declared in validation.prediction_horizon"
    return f"Clustered by {result.dates:,} dates they count for less: {worth} ({overlap}, {how})."


def _not_held(evidence: Evidence, declared: int | None, inferred: int) -> str:
    """A sentence that `realized` was not compared with asset returns, if the release has both tables."""
    if evidence.asset_returns is None or declared is not None:
        return ""
    sample = sampled_agreement(evidence, inferred)
    at = f"the inferred horizon of {inferred} session{'s' * (inferred > 1)}"
    seen = f"At {at} too few rows have the assets' returns to compare." if sample is None else ""
    if sample is not None:
        seen = f"At {at} it is the assets' return on {sample.share_text}."
    return (
        " Column realized was not compared with asset_returns, since validation.prediction_horizon is not declared: it "
        f"is its author's word. {seen}"
    )


def _were_wrong(
    agreed: Agreement, predictions: Predictions, result: SymmetricPredictionAccuracy, neutral: float, *, is_waived: bool
) -> float:
    """The score if every prediction whose realised return is not its asset's were a miss."""
    predicted, came = predictions.prediction[agreed.others] - neutral, predictions.realized[agreed.others]

    def bound(sign: int, accuracy: float, n: int, effective: float) -> float:
        is_own = sign * predicted > 0
        hits, zeros = int((is_own & (sign * came > 0)).sum()), int((is_own & (came == 0)).sum())
        rows = n + zeros
        return wilson_bound(max(0.0, accuracy * n - hits) / rows, effective * rows / n) if n else 0.0

    long = bound(1, result.long_accuracy, result.long_n, result.long_effective_n)
    if is_waived:
        return long
    return min(long, bound(-1, result.short_accuracy, result.short_n, result.short_effective_n))


def _hangs_on_others(agreed: Agreement, worse: float) -> str:
    """Why a pass is inconclusive: it needs rows whose realised return is not the asset's."""
    return (
        f"Column realized is another return than that of the assets on {agreed.others.size:,} of {agreed.rows:,} rows, "
        f"and the verdict hangs on these: with all of them counted as wrong the score is "
        f"{number(worse, Unit.RATIO, 3)}. Write the assets' returns after each of these predictions."
    )


def _absent(predictions: Predictions, result: SymmetricPredictionAccuracy, threshold: float, value: float) -> str:
    """How many predictions are absent within the span of their symbol, and whether a pass depends on them."""
    absences = predictions.absences
    if absences is None:
        return ""
    symbol, when = absences.example
    text = (
        f" {absences.absent:,} of {absences.expected:,} predictions between the first and last of their symbol are "
        f"absent (most of {symbol}, first at {when:%Y-%m-%d %H:%M} UTC; symbols: {absences.symbols:,}); they count for "
        "neither side."
    )
    fewest = min(n for n in (result.long_n, result.short_n) if n)
    hangs = value >= threshold and value * fewest / (fewest + absences.absent) < threshold
    return f"{text} It could fail if all of them had been wrong." if hangs else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dates:
    """The dates on which a prediction was due between the first and the last, and those without one."""

    expected: int = 0
    absent: int = 0
    first: str = ""
    every: int = 1

    @property
    def share(self) -> float:
        return self.absent / self.expected if self.expected else 0.0


def _dates_without(days: Days, backtest: Days) -> _Dates:
    """The dates of the backtest that have no prediction, counted in the rhythm of the predictions.

    A prediction belongs to the first date of the backtest that is not before it. The UTC day may be the one before or
    after the market's (Sunday evening for Monday), so the shift with the fewest gaps is taken.
    """
    dates, days = np.unique(backtest.astype("datetime64[D]")), np.unique(days)
    return min((_dates_at(days + shift, dates) for shift in (0, 1, -1)), key=lambda one: one.absent)


def _dates_at(days: Days, dates: Days) -> _Dates:
    """The same for unshifted days: every date is due if half of them have predictions, else the commonest step."""
    at = np.unique(np.searchsorted(dates, days))
    at = at[at < dates.size]
    if at.size < 2:
        return _Dates()
    steps = np.diff(at)
    is_daily = 2 * at.size >= at[-1] - at[0] + 1
    every = 1 if is_daily else int(np.argmax(np.bincount(steps)))
    lacking = np.maximum(np.rint(steps / every).astype(np.int64) - 1, 0)
    absent = int(lacking.sum())
    first = str(dates[at[np.argmax(lacking > 0)] + every]) if absent else ""
    return _Dates(expected=at.size + absent, absent=absent, first=first, every=every)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Omitted:
    """Predictions that count for neither side and may have been wrong: those of absent dates, and flat ones."""

    dates: _Dates
    flat: int
    flat_share: float
    zeros: int
    zero_share: float
    are_zeros_beyond: bool
    rows: int
    are_dates_beyond: bool
    is_flat_beyond: bool

    @classmethod
    def of(
        cls, dates: _Dates, predictions: Predictions, result: SymmetricPredictionAccuracy, limit: float
    ) -> "_Omitted":
        rows = predictions.prediction.size
        of_dates = dates.absent * -(-rows // max(1, dates.expected - dates.absent))
        share = result.flat_excluded / rows
        zeros = result.zero_excluded
        are_dates_beyond, is_flat_beyond = dates.share > limit, share > limit
        return cls(
            dates=dates,
            flat=result.flat_excluded,
            flat_share=share,
            zeros=zeros,
            zero_share=zeros / rows,
            rows=of_dates + result.flat_excluded + zeros,
            are_zeros_beyond=zeros / rows > limit,
            are_dates_beyond=are_dates_beyond,
            is_flat_beyond=is_flat_beyond,
        )

    def text(self, *, hangs: bool) -> str:
        """What was left out, in sentences, and whether the verdict depends on it."""
        rhythm = "" if self.dates.every == 1 else f" (one is due every {self.dates.every} dates)"
        parts = (
            f"{self.dates.absent:,} of {self.dates.expected:,} dates of the backtest between the first and the last "
            f"prediction have none{rhythm}, first {self.dates.first}."
            if self.dates.absent
            else "",
            f"{self.flat:,} predictions ({number(self.flat_share, Unit.PERCENT, 1)}%) are flat and count for neither "
            "side."
            if self.flat
            else "",
            f"{self.zeros:,} predictions ({number(self.zero_share, Unit.PERCENT, 1)}%) have a realized return of zero "
            "and count for neither side."
            if self.zeros
            else "",
            "It could fail if all of these had been wrong." if hangs else "",
        )
        return "".join(f" {part}" for part in parts if part)

    def objections(self, limit: float) -> tuple[str, ...]:
        """Why a verdict that depends on them fails: more are omitted than sessions may be missing."""
        allowed = f"the limit of gates.sessions.limit_pct is {number(limit, Unit.PERCENT, 1)}%"
        return tuple(
            text
            for is_beyond, text in (
                (
                    self.are_dates_beyond,
                    f"Predictions are absent on {number(self.dates.share, Unit.PERCENT, 1)}% of the dates ({allowed}), "
                    "and it could fail if these had been wrong: add the predictions of those dates.",
                ),
                (
                    self.is_flat_beyond,
                    f"{number(self.flat_share, Unit.PERCENT, 1)}% of the predictions are flat ({allowed}), and it "
                    "could fail if these had been wrong: give the model's own prediction in their place.",
                ),
                (
                    self.are_zeros_beyond,
                    f"{number(self.zero_share, Unit.PERCENT, 1)}% of the predictions have a realized return of zero "
                    f"({allowed}), and it could fail if these had been wrong: give the returns that came, or leave the "
                    "rows of what did not trade out.",
                ),
            )
            if is_beyond
        )


def _turning_point(result: SymmetricPredictionAccuracy, threshold: float, *, is_waived: bool) -> str:
    """How many predictions of the weaker side decide the verdict."""
    is_long_weaker = is_waived or result.long_bound <= result.short_bound
    side, n = ("long", result.long_n) if is_long_weaker else ("short", result.short_n)
    effective = result.long_effective_n if is_long_weaker else result.short_effective_n
    hits = round((result.long_accuracy if is_long_weaker else result.short_accuracy) * n)
    needed = _hits_needed(n, effective, threshold)
    if needed is None:
        return f"No accuracy on {n:,} {side} predictions could reach the threshold; more of them are needed."
    share = number(needed / n, Unit.PERCENT, 1)
    if hits >= needed:
        return (
            f"It would fail if about {hits - needed + 1:,} more of the {n:,} {side} predictions had been wrong; "
            f"{needed:,} right ({share}%) are enough."
        )
    return f"It would pass with about {needed - hits:,} more right among the {n:,} {side} predictions ({share}%)."


def _hits_needed(n: int, effective: float, threshold: float) -> int | None:
    """The fewest hits of n whose lower bound reaches the threshold, at the present effective number."""
    low, high = 0, n
    if n == 0 or wilson_bound(1.0, effective) < threshold:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson_bound(middle / n, effective) >= threshold else (middle + 1, high)
    return low


def _picture(result: SymmetricPredictionAccuracy, threshold: float) -> IntervalChart:
    return IntervalChart(
        "spa",
        f"Share of predictions that were right, by direction, with the 90% Wilson interval whose lower end is the "
        f"one-sided 95% bound, on effective numbers clustered by date; n = {result.n:,}.",
        tuple(_intervals(result)),
        ReferenceLine(threshold, f"threshold {number(threshold, Unit.PERCENT, 0)}%"),
        "accuracy %",
    )


def _intervals(result: SymmetricPredictionAccuracy) -> Iterator[Interval]:
    for side, accuracy, n, effective in (
        ("long", result.long_accuracy, result.long_n, result.long_effective_n),
        ("short", result.short_accuracy, result.short_n, result.short_effective_n),
    ):
        if n:
            low, high = wilson_bound(accuracy, effective), 1 - wilson_bound(1 - accuracy, effective)
            yield Interval(f"{side}, n = {n:,} (effective {effective:,.0f})", accuracy, low, high)


def _side(accuracy: float, n: int, side: str) -> str:
    return f"{number(accuracy, Unit.PERCENT, 1)}% of {n:,} {side} predictions were right"


def _figures(result: SymmetricPredictionAccuracy) -> tuple[Quantity, ...]:
    def share(name: str, value: float, n: int = result.n) -> Quantity:
        return percent(f"gates.spa.{name}", value, n=n)

    return (
        share("long_accuracy", result.long_accuracy, result.long_n),
        share("short_accuracy", result.short_accuracy, result.short_n),
        count("gates.spa.long_predictions", result.long_n),
        count("gates.spa.short_predictions", result.short_n),
        count("gates.spa.long_effective_n", result.long_effective_n),
        count("gates.spa.short_effective_n", result.short_effective_n),
        count("gates.spa.dates", result.dates),
        count("gates.spa.horizon_sessions", result.horizon),
        count("gates.spa.flat_predictions_excluded", result.flat_excluded),
        count("gates.spa.zero_returns_excluded", result.zero_excluded),
        share("plain_minimum", result.plain_minimum),
        share("harmonic_mean", result.harmonic_mean),
        share("gap", result.gap),
        share("balanced_accuracy", result.balanced_accuracy),
        Quantity(name="gates.spa.pesaran_timmermann", value=result.pesaran_timmermann, n=result.n),
        Quantity(name="gates.spa.pesaran_timmermann_p", value=result.pesaran_timmermann_p_value, unit=Unit.PROBABILITY),
    )
