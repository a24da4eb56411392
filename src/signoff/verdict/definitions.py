"""What each gate asks, by which formula and paper, and what it needs: what `signoff verdict --explain` prints."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from signoff.domain.policy import Policy

_TRIALS: Final = "the returns, and those of every configuration that was tried (--trials)"
_RETURNS: Final = "the returns: a year of rows at least, and never fewer than 24"
DEFINITIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "pbo": {
        "title": "PBO (Probability of Backtest Overfitting)",
        "asks": "Would the configuration that looked best have been below the median afterwards?",
        "formula": "Cut the rows into S blocks. For each of the C(S, S/2) halves choose the trial with the highest "
        "Sharpe ratio. ω is its rank, of N + 1, in the other half, and λ = ln(ω / (1 − ω)). PBO is the share of halves "
        "with λ ≤ 0.",
        "paper": "Bailey, Borwein, López de Prado and Zhu (2015), The probability of backtest overfitting",
        "needs": _TRIALS,
    },
    "deflated_sharpe": {
        "title": "Deflated Sharpe Ratio",
        "asks": "Is this better than the best of N worthless trials?",
        "formula": "Φ((SR − SR₀)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)), where SR₀ is the highest Sharpe ratio that "
        "N independent trials without skill would be expected to show: √V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))).",
        "paper": "Bailey and López de Prado (2014), The deflated Sharpe ratio",
        "needs": _TRIALS,
    },
    "hansen_spa": {
        "title": "Superior Predictive Ability (Hansen)",
        "asks": "Does the best of all trials beat the benchmark, or was it lucky?",
        "formula": "max over k of √T·mean(dₖ)/ωₖ, with dₖ the return of trial k over the benchmark's; its distribution "
        "is that of the stationary bootstrap, centred where a trial is not clearly worse. The consistent p-value "
        "counts.",
        "paper": "Hansen (2005), A test for superior predictive ability; White (2000), A reality check for data "
        "snooping",
        "needs": _TRIALS,
    },
    "dsr": {
        "title": "DSR (Downside Sensitivity Ratio)",
        "asks": "Are losses larger than gains?",
        "formula": "√mean(min(r, 0)²) / √mean(max(r, 0)²)",
        "paper": "none; it is the ratio of the two semi-deviations about zero",
        "needs": _RETURNS,
    },
    "walk_forward": {
        "title": "Walk-Forward Consistency",
        "asks": "How many windows out of sample made money?",
        "formula": "The share of consecutive windows whose compounded return is above 0, with 10 windows at least.",
        "paper": "none; Pardo (2008), The evaluation and optimization of trading strategies, describes the practice",
        "needs": "the returns: ten whole windows at least",
    },
    "var": {
        "title": "VaR Compliance",
        "asks": "Is the risk within its limit, and was it forecast well?",
        "formula": "Value at risk of the record by the policy's method, within the limit; and the days on which a loss "
        "was larger than its forecast: neither their number (LR of a binomial) nor their order (LR of a Markov chain) "
        "is rejected.",
        "paper": "Kupiec (1995), Techniques for verifying risk measurement models; Christoffersen (1998), Evaluating "
        "interval forecasts",
        "needs": "the returns: a window of forecasts, and days after it",
    },
    "sessions": {
        "title": "Sessions of the Calendar",
        "asks": "Does the record lack sessions, or have rows while the market is shut?",
        "formula": "(sessions that are missing + rows while the market is shut) / sessions that the calendar names",
        "paper": "none; it is a count",
        "needs": "the returns with their dates; --calendar where the dates follow no calendar that is known",
    },
    "spa": {
        "title": "SPA (Symmetric Prediction Accuracy)",
        "asks": "Does the model predict equally well in both directions?",
        "formula": "The lower of both sides' one-sided 95% Wilson bounds, on effective numbers of rows clustered by "
        "date.",
        "paper": "Wilson (1927); Korn and Graubard (1998), Confidence intervals for proportions with small counts",
        "needs": "a dossier with the file predictions: what the model predicted, and what came",
    },
    "point_in_time": {
        "title": "Point-in-time Integrity",
        "asks": "Does any feature use what was not yet known?",
        "formula": "Features are computed again with the future removed and scrambled; none may move.",
        "paper": "none; it is a replay",
        "needs": "a dossier that names the feature code and its inputs",
    },
}


def thresholds_of(key: str, policy: Policy) -> tuple[str, ...]:
    """Every number and choice that the policy has of a gate."""
    gate = getattr(policy.gates, key)
    return tuple(f"{one.name} {getattr(gate, one.name)}" for one in fields(gate))
