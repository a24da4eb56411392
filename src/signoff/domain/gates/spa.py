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
from signoff.stats.clusters import inferred_horizon
from signoff.stats.symmetry import SymmetricPredictionAccuracy, symmetric_prediction_accuracy, wilson_bound


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
        days = predictions.timestamps.astype("datetime64[D]")
        inferred = inferred_horizon(predictions.realized, days, predictions.symbols)
        declared = dossier.validation.prediction_horizon
        result = symmetric_prediction_accuracy(
            predictions.prediction,
            predictions.realized,
            neutral=neutral,
            dates=days,
            horizon=max(inferred, declared or 1),
        )
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
            convention="one-sided 95% Wilson lower bound of long accuracy alone, on its effective number, clustered by "
            "date; flat predictions and zero realised returns excluded"
            if is_waived
            else result.convention,
            explanation=f"{_explanation(result, is_waived=is_waived)} {_effective(result, inferred, declared)}"
            f"{_absent(predictions, result, gate.threshold, value)}",
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


def _effective(result: SymmetricPredictionAccuracy, inferred: int, declared: int | None) -> str:
    """What the rows are worth together, and which overlap was reckoned with."""
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
    """The fewest hits of n whose lower bound reaches the threshold, at the present effective number of them."""
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
        Reference(threshold, f"threshold {number(threshold, Unit.PERCENT, 0)}%"),
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
