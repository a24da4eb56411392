"""Symmetric Prediction Accuracy: whether the model predicts equally well in both directions.

It tests symmetry, not skill: a coin passes it with enough tosses.
"""

from collections.abc import Iterator

from signoff.domain.charts import Interval, IntervalChart, Reference
from signoff.domain.dossier import Dossier, PredictionKind
from signoff.domain.evidence import Evidence, Predictions
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.plausible import plausible_probabilities, plausible_scores
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.stats.symmetry import SymmetricPredictionAccuracy, symmetric_prediction_accuracy, wilson_lower_bound


def symmetric_accuracy(evidence: Evidence, dossier: Dossier, policy: Policy) -> Finding:
    """The weaker side's accuracy, as its one-sided 95% Wilson lower bound."""
    gate = policy.gates.spa
    neutral = dossier.validation.prediction.neutral
    rule = Rule(
        key="spa",
        title="SPA (Symmetric Prediction Accuracy)",
        comparison=Comparison.AT_LEAST,
        threshold=gate.threshold,
        unit=Unit.RATIO,
        digits=3,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method=f"accuracy of the weaker side, predictions above and below {neutral:g}",
    )

    def measure() -> Measurement | Lack:
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
        result = symmetric_prediction_accuracy(predictions.prediction, predictions.realized, neutral=neutral)
        is_waived = gate.long_only_waiver and result.short_n == 0
        fewest = min(n for n in (result.long_n, result.short_n) if n)
        value = result.long_bound if is_waived else result.score
        if fewest < gate.minimum_per_side and value >= gate.threshold:
            return Lack(
                f"{result.long_n:,} long and {result.short_n:,} short predictions pass nothing, however good; at "
                f"least {gate.minimum_per_side} of a side are needed. Add a longer period of predictions."
            )
        return Measurement(
            value=value,
            n=result.n,
            source=predictions.source.name,
            convention="one-sided 95% Wilson lower bound of long accuracy alone; flat predictions and zero realised "
            "returns excluded"
            if is_waived
            else result.convention,
            explanation=_explanation(result, is_waived=is_waived) + _absent(predictions, result, gate.threshold, value),
            figures=_figures(result),
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


def _absent(predictions: Predictions, result: SymmetricPredictionAccuracy, threshold: float, value: float) -> str:
    """Which predictions are absent between the first and last of their symbol, and whether a pass hangs on them."""
    found = predictions.absences
    if found is None:
        return ""
    symbol, when = found.example
    said = (
        f" {found.absent:,} of {found.expected:,} predictions between the first and last of their symbol are absent "
        f"(most of {symbol}, first at {when:%Y-%m-%d %H:%M} UTC; symbols: {found.symbols:,}); they count for "
        "neither side."
    )
    fewest = min(n for n in (result.long_n, result.short_n) if n)
    hangs = value >= threshold and value * fewest / (fewest + found.absent) < threshold
    return f"{said} It could fail if all of them had been wrong." if hangs else said


def _turning_point(result: SymmetricPredictionAccuracy, threshold: float, *, is_waived: bool) -> str:
    """How many predictions of the weaker side decide the verdict."""
    is_long_weaker = is_waived or result.long_bound <= result.short_bound
    side, n = ("long", result.long_n) if is_long_weaker else ("short", result.short_n)
    hits = round((result.long_accuracy if is_long_weaker else result.short_accuracy) * n)
    needed = _hits_needed(n, threshold)
    if needed is None:
        return f"No accuracy on {n:,} {side} predictions could reach the threshold; more of them are needed."
    share = number(needed / n, Unit.PERCENT, 1)
    if hits >= needed:
        return (
            f"It would fail if {hits - needed + 1:,} more of the {n:,} {side} predictions had been wrong; "
            f"{needed:,} right ({share}%) are enough."
        )
    return f"It would pass with {needed - hits:,} more right among the {n:,} {side} predictions ({share}%)."


def _hits_needed(n: int, threshold: float) -> int | None:
    """The fewest hits of n whose lower bound reaches the threshold; the bound rises with the hits."""
    low, high = 0, n
    if n == 0 or wilson_lower_bound(n, n) < threshold:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson_lower_bound(middle, n) >= threshold else (middle + 1, high)
    return low


def _picture(result: SymmetricPredictionAccuracy, threshold: float) -> IntervalChart:
    return IntervalChart(
        "spa",
        f"Share of predictions that were right, by direction, with the 90% Wilson interval whose lower end is the "
        f"one-sided 95% bound; n = {result.n:,}.",
        tuple(_intervals(result)),
        Reference(threshold, f"threshold {number(threshold, Unit.PERCENT, 0)}%"),
        "accuracy %",
    )


def _intervals(result: SymmetricPredictionAccuracy) -> Iterator[Interval]:
    for side, accuracy, n in (
        ("long", result.long_accuracy, result.long_n),
        ("short", result.short_accuracy, result.short_n),
    ):
        if n:
            hits = round(accuracy * n)
            high = 1 - wilson_lower_bound(n - hits, n)
            yield Interval(f"{side}, n = {n:,}", accuracy, wilson_lower_bound(hits, n), high)


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
        count("gates.spa.flat_predictions_excluded", result.flat_excluded),
        count("gates.spa.zero_returns_excluded", result.zero_excluded),
        share("plain_minimum", result.plain_minimum),
        share("harmonic_mean", result.harmonic_mean),
        share("gap", result.gap),
        share("balanced_accuracy", result.balanced_accuracy),
        Quantity(name="gates.spa.pesaran_timmermann", value=result.pesaran_timmermann, n=result.n),
        Quantity(name="gates.spa.pesaran_timmermann_p", value=result.pesaran_timmermann_p_value, unit=Unit.PROBABILITY),
    )
