"""Figures beside the gates: computed if the evidence allows it, else "not provided" with the reason.

A descriptive figure decides nothing, so its failure does not stop an assessment.
"""

from collections.abc import Callable
from math import isnan

import numpy as np

from signoff.domain.quantity import Quantity, Uncertainty, Unit
from signoff.stats.errors import InputError, InsufficientData


def figure(
    name: str,
    compute: Callable[[], float],
    *,
    unit: Unit = Unit.RATIO,
    n: int | None = None,
    source: str = "",
    digits: int | None = None,
    uncertainty: Callable[[], Uncertainty] | None = None,
) -> Quantity:
    """The figure that `compute` gives, or a figure without a value whose source says why."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            value = float(compute())
            error = None if uncertainty is None else uncertainty()
    except (InputError, InsufficientData, ArithmeticError, ValueError, IndexError) as trouble:
        return absent(name, str(trouble), unit=unit, digits=digits)
    if isnan(value):
        return absent(name, "the value is undefined for these data", unit=unit, digits=digits)
    return Quantity(
        name=name,
        value=value,
        unit=unit,
        digits=digits,
        standard_error=None if error is None else error.standard_error,
        half_width=None if error is None else error.half_width,
        interval="" if error is None else error.method,
        n=n,
        source=source,
    )


def absent(name: str, reason: str, *, unit: Unit = Unit.RATIO, digits: int | None = None) -> Quantity:
    """A figure that could not be computed, with the reason as its source."""
    return Quantity(name=name, value=None, unit=unit, digits=digits, source=reason)
