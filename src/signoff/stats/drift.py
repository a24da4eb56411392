"""Drift: whether the distribution of a feature or prediction has moved away from its reference.

Bins are quantiles of the reference, because equal widths collapse on heavy tails. Every distance is biased upwards in
small samples; the bias is subtracted beside the raw value, and a p-value allows for the sample size. Significance alone
is not an alarm on large samples, nor size alone on small ones: ask for both.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats._special import chdtrc, kolmogorov
from signoff.stats.sample import Floats, varying, vector, whole
from signoff.stats.shown import Shown

MIN_OBSERVATIONS: Final = 200
PSI_BINS: Final = 10
JS_BINS: Final = 64
_EMPTY_COUNT: Final = 0.5
_PARTS: Final = 4096
_FEW_EDGES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PopulationStabilityIndex(Shown):
    """`value` is raw; `adjusted` is less its expectation without drift, and may be below zero."""

    value: float
    adjusted: float
    bias: float
    p_value: float
    n_reference: int
    n_current: int
    bins: int
    empty_bins: int
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KolmogorovSmirnov(Shown):
    """`value` is the largest distance of the empirical distributions, the effect size to act on."""

    value: float
    p_value: float
    n_reference: int
    n_current: int
    ties: int
    convention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JensenShannon(Shown):
    """`value` is the distance √divergence in base 2, from 0 to 1; `adjusted` is of the divergence less its bias."""

    value: float
    adjusted: float
    divergence_bits: float
    bias_bits: float
    p_value: float
    n_reference: int
    n_current: int
    bins: int
    convention: str


def population_stability_index(
    reference: ArrayLike, current: ArrayLike, *, bins: int = PSI_BINS, minimum: int = MIN_OBSERVATIONS
) -> PopulationStabilityIndex:
    """Σ (q − p) ln(q / p) over quantile bins of the reference.

    Parameters
    ----------
    reference, current : (n,) and (m,) values, in any order.
    bins : B wanted; ties in the reference may leave fewer, and `bins` of the result says how many.
    minimum : observations that either sample must have.

    Notes
    -----
    p and q are the shares of reference and current in a bin; Yurdakul and Naranjo (2020) give the distribution. Without
    drift nm/(n + m) × PSI is asymptotically χ² with B − 1 degrees of freedom, hence bias (B − 1)(1/n + 1/m).
    The p-value is that of Pearson's test of homogeneity on the same bins, which comes closer to its size. A bin that is
    empty on one side counts half an observation there.

    Raises
    ------
    InputError
        NaN or infinite values, with their row; fewer than 2 bins.
    InsufficientData
        Fewer than `minimum` values on a side, or a constant reference.
    """
    before, after = _samples(reference, current, minimum)
    first, second = _counts(before, after, bins)
    value = float(stability_of_counts(first, second))
    bias = (first.size - 1) * (1 / before.size + 1 / after.size)
    return PopulationStabilityIndex(
        value=value,
        adjusted=value - bias,
        bias=bias,
        p_value=_homogeneity_p(first, second),
        n_reference=before.size,
        n_current=after.size,
        bins=first.size,
        empty_bins=int(((first == 0) | (second == 0)).sum()),
        convention=f"{first.size} bins by reference quantiles, natural logarithm, empty bins count 0.5; adjusted by "
        "(B − 1)(1/n + 1/m)",
    )


def stability_of_counts(reference: NDArray[np.int64], current: NDArray[np.int64]) -> Floats:
    """Σ (q − p) ln(q / p) of counts in the same bins; `current` may hold many windows as (…, B)."""
    p, q = _shares(reference), _shares(current)
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=-1), dtype=np.float64)


def kolmogorov_smirnov(
    reference: ArrayLike, current: ArrayLike, *, minimum: int = MIN_OBSERVATIONS
) -> KolmogorovSmirnov:
    """The largest |F − G| of the two empirical distributions, exact, with Stephens's (1970) asymptotic p-value.

    p = 2 Σ (−1)^(k−1) exp(−2k²x²) with x = (√m + 0.12 + 0.11/√m) D and m = n₁n₂/(n₁ + n₂). Takes and refuses what
    `population_stability_index` does. With `ties`, values that are not the first of their kind, it is conservative.
    """
    before, after = (np.sort(sample) for sample in _samples(reference, current, minimum))
    everywhere = np.concatenate([before, after])
    gaps = np.searchsorted(before, everywhere, side="right") / before.size
    gaps -= np.searchsorted(after, everywhere, side="right") / after.size
    distance = float(np.abs(gaps).max())
    root = np.sqrt(before.size * after.size / (before.size + after.size))
    return KolmogorovSmirnov(
        value=distance,
        p_value=kolmogorov((root + 0.12 + 0.11 / root) * distance),
        n_reference=before.size,
        n_current=after.size,
        ties=everywhere.size - np.unique(everywhere).size,
        convention="two-sample, two-sided, exact distance; p-value by Stephens (1970)",
    )


def jensen_shannon(
    reference: ArrayLike, current: ArrayLike, *, bins: int = JS_BINS, minimum: int = MIN_OBSERVATIONS
) -> JensenShannon:
    """Square root of the Jensen-Shannon divergence (Lin 1991) in base 2, over quantile bins of the reference.

    H((p + q)/2) − (H(p) + H(q))/2 with H the entropy in bits; a bin that is empty on one side adds 0 there.
    Takes and refuses what `population_stability_index` does. Without drift 8 ln 2 nm/(n + m) × divergence is
    asymptotically χ² with B − 1 degrees of freedom, hence the bias; the p-value is Pearson's.
    """
    before, after = _samples(reference, current, minimum)
    first, second = _counts(before, after, bins)
    p, q = first / before.size, second / after.size
    middle = (p + q) / 2
    divergence = float((_relative_entropy_bits(p, middle) + _relative_entropy_bits(q, middle)) / 2)
    divergence = min(max(divergence, 0.0), 1.0)
    bias = float((first.size - 1) * (1 / before.size + 1 / after.size) / (8 * np.log(2)))
    return JensenShannon(
        value=float(np.sqrt(divergence)),
        adjusted=float(np.sqrt(max(divergence - bias, 0.0))),
        divergence_bits=divergence,
        bias_bits=bias,
        p_value=_homogeneity_p(first, second),
        n_reference=before.size,
        n_current=after.size,
        bins=first.size,
        convention=f"distance √JS in base 2, {first.size} bins by reference quantiles; adjusted by "
        "(B − 1)(1/n + 1/m) / (8 ln 2)",
    )


def reference_edges(reference: Floats, bins: int) -> Floats:
    """Upper edges of all bins but the last: distinct quantiles of the reference, each an observed value.

    If nearly all of the reference is its maximum, the one edge is the value next to it. A bin is above the edge before
    it and up to its own; the last is open. Every bin has values of the reference.
    """
    whole(bins, "bins", at_least=2)
    values = varying(reference, "reference")
    ranks = np.maximum(np.ceil(values.size * (np.arange(1, bins) / bins) - 1), 0).astype(np.intp)
    quantiles = _of_ranks(values, ranks)
    edges = np.unique(quantiles[quantiles < reference.max()])
    return np.asarray(edges if edges.size else [reference[reference < reference.max()].max()], dtype=np.float64)


def bins_of(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """The bin of each value by `reference_edges`; a few comparisons are faster than a search."""
    if edges.size > _FEW_EDGES:
        return np.searchsorted(edges, values, side="left")
    bins = np.zeros(values.size, dtype=np.int8)
    for edge in edges.tolist():
        bins += values > edge
    return bins.astype(np.int64)


def _of_ranks(values: Floats, ranks: NDArray[np.intp]) -> Floats:
    """The values of these ranks; only the parts of the range that contain one are sorted."""
    low, high = float(values.min()), float(values.max())
    with np.errstate(over="ignore", invalid="ignore"):
        width = (high - low) / _PARTS
        part = np.zeros(values.size) if not 0 < width < np.inf else np.minimum((values - low) / width, _PARTS)
    of = part.astype(np.intp)
    below = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=_PARTS + 1))])
    wanted = np.unique(np.searchsorted(below, ranks, side="right") - 1)
    is_wanted = np.zeros(below.size, dtype=np.bool_)
    is_wanted[wanted] = True
    ordered = np.sort(values[is_wanted[of]])
    counts = np.where(is_wanted[:-1], np.diff(below), 0)
    skipped = below[:-1] - np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(ordered[ranks - skipped[np.searchsorted(below, ranks, side="right") - 1]], dtype=np.float64)


def _samples(reference: ArrayLike, current: ArrayLike, minimum: int) -> tuple[Floats, Floats]:
    least = whole(minimum, "minimum", at_least=2)
    return varying(vector(reference, "reference", at_least=least, flags=True), "reference"), vector(
        current, "current", at_least=least, flags=True
    )


def _counts(before: Floats, after: Floats, bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    edges = reference_edges(before, bins)
    first, second = (np.bincount(bins_of(sample, edges), minlength=edges.size + 1) for sample in (before, after))
    return first, second


def _shares(counts: NDArray[np.int64]) -> Floats:
    return np.asarray(
        np.where(counts == 0, _EMPTY_COUNT, counts) / counts.sum(axis=-1, keepdims=True), dtype=np.float64
    )


def _relative_entropy_bits(share: Floats, middle: Floats) -> float:
    positive = share > 0
    return float(np.sum(share[positive] * np.log2(share[positive] / middle[positive])))


def _homogeneity_p(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Pearson's χ² of two rows of counts; every bin has values of the reference."""
    weight = np.sqrt(second.sum() / first.sum())
    statistic = np.sum((first * weight - second / weight) ** 2 / (first + second))
    return chdtrc(first.size - 1, statistic)
