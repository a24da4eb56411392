"""Whether numbers can be what their file says: returns as fractions of capital, scores of a usable size.

Most statistics are ratios and accept percentages, amounts of money or the residue of a failed division as returns. So
numbers that no traded model produces are refused here, before anything is computed from them.
"""

from typing import Final

import numpy as np

from signoff.domain.evidence import Floats
from signoff.stats.errors import InputError
from signoff.stats.returns import LARGEST, RUIN, impossible, impossible_columns

SMALLEST_RETURN: Final = 1e-9
LARGEST_SCORE: Final = 1e12
SMALLEST_SCORE: Final = 1e-12


def plausible_returns(values: Floats, what: str, *, dimensions: int = 1) -> None:
    """Refuse (T,) or (T, N) `values` unless each column could be simple returns; NaN and infinities pass through.

    The statistic refuses these with their row.
    """
    array = _numbers(values, what)
    if array.ndim != dimensions:
        raise InputError(f"{what}: expected {dimensions} dimension(s), found shape {array.shape}; check its columns.")
    if array.size == 0:
        return
    low, high = array.min(axis=0), array.max(axis=0)
    _refuse_sizes(array, low, high, what, SMALLEST_RETURN, np.inf, "returns are fractions, 0.01 for one percent")
    if (low > RUIN).all() and (high <= LARGEST).all():  # NaN compares false, and would hide the rest of its column
        return
    columns = array if dimensions == 2 else array[:, np.newaxis]
    fault = impossible_columns(columns) if dimensions == 2 else _impossible(array)
    if fault is not None:
        row, column, problem = fault
        raise InputError(
            f"{what}: row {row} is {columns[row, column]:g}; {problem}. Returns are fractions, −0.01 for a loss of one "
            "percent."
        )


def plausible_scores(values: Floats, what: str) -> None:
    """Refuse (n,) `values` unless their sizes could mean something; NaN and infinities pass through."""
    array = _numbers(values, what)
    if array.size:
        low, high = array.min(axis=0), array.max(axis=0)
        _refuse_sizes(array, low, high, what, SMALLEST_SCORE, LARGEST_SCORE, "check how they were computed")


def plausible_probabilities(values: Floats, what: str) -> None:
    """Refuse (n,) `values` unless all lie from 0 to 1; NaN passes through."""
    array = _numbers(values, what)
    if (outside := (array < 0) | (array > 1)).any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{what}: row {row} is {array[row]:g}, which is no probability; say `score` in the dossier, or repair it."
        )


def _impossible(array: Floats) -> tuple[int, int, str] | None:
    fault = impossible(array)
    return None if fault is None else (fault[0], 0, fault[1])


def _numbers(values: object, what: str) -> Floats:
    if not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise InputError(f"{what}: expected an array of floating-point numbers, found {kind}; convert it first.")
    if np.ma.is_masked(values):
        raise InputError(f"{what}: some entries are masked, which is missing; fill them or leave their rows out.")
    return values


def _refuse_sizes(
    array: Floats, low: Floats, high: Floats, what: str, smallest: float, largest: float, advice: str
) -> None:
    """`low` and `high` are the columns' extremes, which show in two passes that evidence is sound."""
    sizes_of_columns = np.atleast_1d(np.maximum(high, -low))
    if not np.isfinite(sizes_of_columns).all():
        sizes_of_columns = np.atleast_1d(np.abs(np.where(np.isfinite(array), array, 0.0)).max(axis=0))
    if (sizes_of_columns > largest).any():
        sizes = np.abs(np.where(np.isfinite(array), array, 0.0))
        row = int(np.argwhere(sizes > largest)[0][0])
        raise InputError(f"{what}: row {row} is {sizes[row].max():g} in size, expected at most {largest:g}; {advice}.")
    if (is_dust := (sizes_of_columns > 0) & (sizes_of_columns < smallest)).any():
        raise InputError(
            f"{what}: the largest of {array.shape[0]:,} is {sizes_of_columns[is_dust][0]:g} in size, expected at least "
            f"{smallest:g}; {advice}."
        )
