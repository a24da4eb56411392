"""The one definition of a simple return, for every table, importer, gate and function.

A return is the change of a value over the value before it, as a fraction: 0.012 is 1.2%. No loss exceeds 100%, and no
return follows a loss of 100%. A gain above 100% in one period is nearly always a wrong unit, so it is refused unless it
is declared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, refuse_disorder, row_name
from signoff.stats.sample import Floats, finite, is_constant, matrix, unit_scaled, vector

LARGEST: Final = 1.0
"""The largest gain of one period without a declaration: a doubling."""
RUIN: Final = -1.0
STEADY: Final = 1e-3
"""A deviation below this share of the mean is rounding: no strategy has a Sharpe ratio of 1,000 in each period."""
MIN_OF_PATH: Final = 3
WORTHS: Final = 0.5
"""A series without a loss and with a larger median is an equity curve, since nothing gains half each period."""
MIN_OF_SUMS: Final = 60
SUMS: Final = 0.02
"""Squared changes over squared deviations: 2 for independent returns, near 0 for a sum of returns so far."""
PERCENT_SIZE: Final = 0.2
"""The median size of returns above which they read as percentages."""
MIN_OF_UNIT: Final = 20
QUIETEST: Final = 0.01
"""The annual volatility below which percentages read as fractions: no risky strategy is that quiet."""
WILDEST: Final = 3.0
"""The annual volatility above which large fractions read as percentages, whatever is declared."""
SIGMA_OF_MEDIAN: Final = 1.4826
"""The deviation of a normal sample over its median absolute value, which one outlier cannot move."""


@dataclass(frozen=True, slots=True)
class _Limits:
    smallest: float = RUIN
    largest: float = LARGEST
    ends_a_life: bool = True


_USUAL: Final = _Limits()
_LIMITS: Final = ContextVar("limits of a return", default=_USUAL)


@contextmanager
def returns_up_to(largest: float) -> Iterator[None]:
    """Declare the largest true gain of one period: `with returns_up_to(1.5)` admits a day of +120%.

    Refuses a limit that is not a finite fraction of at least 1.
    """
    if not finite(largest, "largest") >= LARGEST:
        raise InputError(
            f"largest: expected a finite fraction of at least {LARGEST:g}, found {largest:g}; pass 1.5 for +150%."
        )
    token = _LIMITS.set(_Limits(largest=largest))
    try:
        yield
    finally:
        _LIMITS.reset(token)


@contextmanager
def as_lived() -> Iterator[None]:
    """Accept returns as journaled: monitoring judges damage itself, and a bad figure must not stop it."""
    token = _LIMITS.set(_Limits(smallest=float("-inf"), largest=float("inf"), ends_a_life=False))
    try:
        yield
    finally:
        _LIMITS.reset(token)


def simple_returns(values: ArrayLike, name: str = "returns", *, at_least: int = 1) -> Floats:
    """A vector of simple returns in order of time, or a refusal that names the row."""
    array = vector(values, name, at_least=at_least)
    refuse_disorder(values, name)
    if (fault := impossible(array)) is not None:
        row, problem = fault
        raise InputError(f"{name}: {row_name(values, row)} is {array[row]:g}; {problem}{_end(problem)}")
    refuse_worths(array, name)
    return array


def simple_return_columns(values: ArrayLike, name: str) -> Floats:
    """A T×N matrix of simple returns. A column may have zeros after a loss of 100%."""
    array = matrix(values, name)
    refuse_disorder(values, name)
    if (fault := impossible_columns(array)) is not None:
        row, column, problem = fault
        raise InputError(
            f"{name}: {row_name(values, row)}, {column_name(values, column)} is {array[row, column]:g}; "
            f"{problem}{_end(problem)}"
        )
    return array


def impossible(
    array: Floats, admitted: NDArray[np.bool_] | None = None, *, may_rest: bool = False
) -> tuple[int, str] | None:
    """The first row that is not a return, and what is wrong; None if all could be.

    `admitted` marks declared gains. `may_rest` allows zeros after a loss of 100%.
    """
    limits = _LIMITS.get()
    wrong = np.flatnonzero(array < limits.smallest)
    if wrong.size:
        return int(wrong[0]), (
            "expected a simple return such as 0.012, at least −1, since nothing loses more than all of it. "
            "Are these percentages, or amounts of money"
        )
    large = array > limits.largest
    if admitted is not None:
        large &= ~admitted
    if large.any():
        return int(np.argmax(large)), (
            f"expected a simple return such as 0.012, at most {limits.largest:g} (+{100 * limits.largest:g}%) in one "
            "period unless it is declared. Are these percentages, or worths instead of returns"
        )
    return _after_ruin(array, may_rest=may_rest) if limits.ends_a_life else None


def impossible_columns(array: Floats) -> tuple[int, int, str] | None:
    """The first column of (T, N) with a row that is not a return: row, column and what is wrong."""
    limits = _LIMITS.get()
    suspect = (array.min(axis=0) <= RUIN) | (array.max(axis=0) > limits.largest) if array.size else np.zeros(0)
    for column in np.flatnonzero(suspect):
        if (fault := impossible(array[:, column], may_rest=True)) is not None:
            return fault[0], int(column), fault[1]
    return None


def compoundable(array: Floats, name: str = "returns") -> Floats:
    """Lived returns, refused below −1, where compounding is meaningless."""
    if (array < RUIN).any():
        row = int(np.argmax(array < RUIN))
        raise InputError(f"{name}: row {row} is {array[row]:g}; a simple return is at least −1. Are these percentages?")
    return array


def refuse_worths(array: Floats, name: str) -> None:
    """Refuse an equity curve, or a cumulative sum of returns, given as returns."""
    if (problem := worths(array)) is not None:
        raise InputError(f"{name}: {problem}")


def worths(array: Floats) -> str | None:
    """Why a series is an equity curve; None if it could be returns."""
    if not _LIMITS.get().ends_a_life or array.size < MIN_OF_PATH:
        return None
    if (array > 0).all() and float(np.median(array)) > WORTHS and not _is_declared(array):
        return (
            f"expected returns such as 0.012, found {array.size} values that are all above 0, with a median of "
            f"{np.median(array):g}: they read as an equity curve. Pass the changes, worth[t] / worth[t − 1] − 1."
        )
    if array.size >= MIN_OF_SUMS and not is_constant(array):
        scaled, _ = unit_scaled(array)
        deviations = scaled - scaled.mean()
        ratio = float((np.diff(scaled) ** 2).sum() / (deviations**2).sum())
        if ratio < SUMS:
            return (
                f"expected returns such as 0.012, found {array.size} values of which each is almost the one before "
                "it: they read as a sum of returns so far. Pass the return of each period."
            )
    return None


def is_percent(array: Floats) -> bool:
    """Whether returns read as percentages: at least half of the nonzero ones are 20% or more in size."""
    moved = np.abs(array[array != 0])
    return moved.size >= MIN_OF_UNIT and float(np.median(moved)) > PERCENT_SIZE


def typical_volatility(array: Floats, rows_a_year: float) -> float | None:
    """The annual volatility by the median size of the nonzero returns; None with fewer than 20."""
    moved = np.abs(array[array != 0])
    if moved.size < MIN_OF_UNIT:
        return None
    return SIGMA_OF_MEDIAN * float(np.median(moved)) * sqrt(rows_a_year * moved.size / array.size)


def is_steady(array: Floats) -> bool:
    """Whether returns are equal up to rounding, so that they have no Sharpe ratio."""
    if is_constant(array):
        return True
    scaled, _ = unit_scaled(array)
    return float(scaled.std()) <= STEADY * abs(float(scaled.mean()))


def unsteady(array: Floats, name: str) -> Floats:
    """`array`, refused if it is constant up to rounding."""
    if is_steady(array):
        low, high = float(array.min()), float(array.max())
        if low == high:
            raise InsufficientData(f"{name}: all {array.size} values are equal ({low:g}); nothing varies.")
        raise InsufficientData(
            f"{name}: all {array.size} values are equal to rounding ({low:.12g} to {high:.12g}); nothing varies, and a "
            "ratio to their deviation means nothing."
        )
    return array


def _after_ruin(array: Floats, *, may_rest: bool) -> tuple[int, str] | None:
    ruin = np.flatnonzero(array == RUIN)
    if not ruin.size:
        return None
    first = int(ruin[0])
    after = array[first + 1 :]
    if after.size == 0 or (may_rest and not after.any()):
        return None
    return first, (
        f"a loss of 100% ends the record, and {after.size} rows follow it. End the record there, or correct the return"
    )


def _end(problem: str) -> str:
    return "?" if ". Are these" in problem else "."


def _is_declared(array: Floats) -> bool:
    return float(array.max()) > LARGEST and float(array.max()) <= _LIMITS.get().largest
