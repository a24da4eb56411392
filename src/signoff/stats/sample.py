"""Validated input of statistics: finite float64 arrays of the right shape, or a refusal that names row and column."""

from collections.abc import Collection, Sized
from math import isfinite
from operator import index
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signoff.stats.errors import InputError, InsufficientData
from signoff.stats.frames import column_name, floats, refuse_misaligned, row_name

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_RELATIVE_SPREAD: Final = 1e-12
_SHOWN: Final = 60
_FEW: Final = 3


def vector(values: ArrayLike, name: str, *, at_least: int = 1, flags: bool = False) -> Floats:
    """`values` as a finite vector of `at_least` entries; `name` is for messages."""
    array = floats(values, name, flags=flags)
    if array.ndim != 1:
        raise InputError(f"{name}: expected one dimension, found shape {array.shape}; pass one series.")
    if array.size < at_least:
        raise InsufficientData(f"{name}: {array.size} observations; at least {at_least} are needed.")
    if not (is_finite := np.isfinite(array)).all():
        row = int(np.argmin(is_finite))
        raise InputError(
            f"{name}: {row_name(values, row)} is {array[row]}; expected a finite number. Repair or remove that row."
        )
    return np.ascontiguousarray(array)  # the order of memory decides the last bit of a sum


def matrix(values: ArrayLike, name: str, *, flags: bool = False) -> Floats:
    """`values` as a finite T×N matrix, rows contiguous."""
    array = unchecked_matrix(values, name, flags=flags)
    if not (is_finite := np.isfinite(array)).all():
        row, column = (int(place) for place in np.unravel_index(np.argmin(is_finite), array.shape))
        raise InputError(
            f"{name}: {row_name(values, row)}, {column_name(values, column)} is {array[row, column]}; "
            "expected a finite number. Repair or remove that entry."
        )
    return array


def unchecked_matrix(values: ArrayLike, name: str, *, flags: bool = False) -> Floats:
    """`values` as a T×N matrix, rows contiguous, for callers that check every entry and refuse by `matrix`."""
    array = floats(values, name, flags=flags)
    if array.ndim != 2:
        raise InputError(f"{name}: expected two dimensions (rows by columns), found shape {array.shape}.")
    return np.ascontiguousarray(array)


def pair(first: ArrayLike, second: ArrayLike, names: tuple[str, str], *, at_least: int = 1) -> tuple[Floats, Floats]:
    """Two finite vectors of one length."""
    left, right = vector(first, names[0], at_least=at_least), vector(second, names[1], at_least=at_least)
    if left.size != right.size:
        raise InputError(f"{names[0]} has {left.size} rows and {names[1]} has {right.size}; align them first.")
    refuse_misaligned(first, second, names)
    return left, right


def varying(array: Floats, name: str) -> Floats:
    """`array`, refused if it is constant up to rounding, since it has no risk to divide by."""
    if is_constant(array):
        raise InsufficientData(f"{name}: all {array.size} values are equal ({array.flat[0]:g}); nothing varies.")
    return array


def is_constant(array: Floats) -> bool:
    """Whether the values differ by no more than rounding."""
    low, high = float(array.min()), float(array.max())
    return high - low <= _RELATIVE_SPREAD * max(abs(low), abs(high))


def constant_columns(array: Floats) -> NDArray[np.int64]:
    """The columns of (T, N) whose values differ by no more than rounding."""
    low, high = array.min(axis=0), array.max(axis=0)
    with np.errstate(over="ignore"):  # an infinite spread is not small
        return np.flatnonzero(high - low <= _RELATIVE_SPREAD * np.maximum(np.abs(low), np.abs(high)))


def unit_scaled(array: Floats) -> tuple[Floats, int]:
    """`array` × 2^−e with its largest entry between one half and one, and e.

    A power of two changes no digit and makes squaring safe: the squares of 1e-170 and 1e170 are out of range.
    """
    exponent = int(np.frexp(np.abs(array).max())[1])
    return np.asarray(np.ldexp(array, -exponent), dtype=np.float64), exponent


def difference(first: Floats, second: Floats, name: str) -> Floats:
    """`first` − `second` of validated vectors, refused if an entry overflows."""
    with np.errstate(over="ignore"):
        array = np.asarray(first - second, dtype=np.float64)
    if not (is_finite := np.isfinite(array)).all():
        raise InputError(f"{name}: row {int(np.argmin(is_finite))} is beyond any number; pass returns as fractions.")
    return array


def described(value: object) -> str:
    """A wrong argument in a few words: a series by its type and size, never by its entries."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of {' by '.join(map(str, shape))} entries"
    if shape != () and isinstance(value, Sized) and not isinstance(value, str | bytes) and len(value) > _FEW:
        return f"{type(value).__name__} of {len(value)} entries"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def finite(value: float, name: str) -> float:
    """`value`, refused unless it is a finite number."""
    try:
        is_finite = np.ndim(value) == 0 and isfinite(value)
    except (TypeError, OverflowError):
        is_finite = False
    if not is_finite:
        raise InputError(f"{name}: expected a finite number, found {described(value)}; pass one.")
    return value


def positive(value: float, name: str) -> float:
    """`value`, refused unless it is a finite number above zero."""
    if not finite(value, name) > 0:
        raise InputError(f"{name}: expected a number above 0, found {value}; pass one.")
    return value


def share(value: float, name: str) -> float:
    """`value`, refused unless it is strictly between 0 and 1."""
    if not 0 < finite(value, name) < 1:
        raise InputError(f"{name}: expected a number between 0 and 1, found {value}; pass 0.95 for 95 percent.")
    return value


def confidence_level(value: float, name: str) -> float:
    """`value`, refused below one half: 0.05 is the tail of 0.95 and means the opposite."""
    if share(value, name) < 0.5:
        raise InputError(
            f"{name}: expected a confidence from 0.5 to 1, such as 0.95 for the worst 5 percent, found {value:g}; "
            f"pass {1 - value:g} if {value:g} is the tail."
        )
    return value


def whole(value: int, name: str, *, at_least: int, advice: str = "pass one") -> int:
    """`value` as an int, refused unless it is a whole number of `at_least` or more."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < at_least:
        raise InputError(f"{name}: expected a whole number of at least {at_least}, found {described(value)}; {advice}.")
    return number


def one_of(value: object, name: str, names: Collection[str]) -> str:
    """`value`, refused unless it is one of these names."""
    if not isinstance(value, str) or value not in names:
        raise InputError(f"{name}: expected one of {', '.join(sorted(names))}, found {described(value)}.")
    return value
