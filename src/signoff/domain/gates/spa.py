"""Symmetric Prediction Accuracy: whether the model predicts equally well in both directions.

It tests symmetry, not skill: a coin passes it with enough tosses.
"""

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.verdict import Lack, Measurement, Rule, guarded
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.stats.symmetry import SymmetricPredictionAccuracy, symmetric_prediction_accuracy


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
        result = symmetric_prediction_accuracy(predictions.prediction, predictions.realized, neutral=neutral)
        is_waived = gate.long_only_waiver and result.short_n == 0
        return Measurement(
            value=result.long_bound if is_waived else result.score,
            n=result.n,
            source=predictions.source.name,
            convention="one-sided 95% Wilson lower bound of long accuracy alone; flat predictions and zero realised "
            "returns excluded"
            if is_waived
            else result.convention,
            explanation=_explanation(result, is_waived=is_waived),
            figures=_figures(result),
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
