"""Applies the limits of `check` for returns during an import, and the declared true returns beyond them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.results.series import DAY, Labelled
from signoff.domain.errors import BadInputError
from signoff.stats.returns import impossible

WITHIN: Final = 1e-4
"""How near a declared return must be to the one found; people copy it from a message."""


def refuse_impossible(
    labelled: Labelled, frame: pl.DataFrame, names: Sequence[str], declared: Mapping[date, float], *, may_rest: bool
) -> None:
    """Refuse impossible returns, and declarations without a row."""
    days = frame[DAY].cast(pl.Date).to_list()
    for name in names:
        values = frame[name].to_numpy()
        admitted = np.array([is_declared(day, value, declared) for day, value in zip(days, values, strict=True)])
        if (fault := impossible(values, admitted, may_rest=may_rest)) is not None:
            row, problem = fault
            advice = ""
            if values[row] > 0:
                met = {days[place] for place in np.flatnonzero(admitted).tolist()}
                others = ", ".join(f"{day}={value:g}" for day, value in declared.items() if day not in met)
                advice = (
                    f". If it is true, say --extreme {days[row]}={values[row]:.6g}"
                    f"{f' (--extreme {others} is another row)' if others else ''}, and list it under "
                    "evidence.extreme_returns in dossier.yaml"
                )
            raise labelled.refuse(f"{days[row]}, column {name}: found {values[row]:g}; {problem}{advice}.")
    refuse_unmatched(labelled, frame, names, declared)


def refuse_unmatched(
    labelled: Labelled, frame: pl.DataFrame, names: Sequence[str], declared: Mapping[date, float]
) -> None:
    """Refuse a declared day without such a return: another row may be meant."""
    days = frame[DAY].cast(pl.Date)
    for day, value in declared.items():
        returns = [float(one) for name in names for one in frame.filter(days == day)[name]]
        if any(is_declared(day, one, declared) for one in returns):
            continue
        if not returns:
            every = days.to_list()
            raise labelled.refuse(
                f"expected a return on {day}, as --extreme {day}={value:g} says, found no row of that date "
                f"({min(every)} to {max(every)}). Correct the date, or leave the option out."
            )
        nearest = min(returns, key=lambda one: abs(one - value))
        raise labelled.refuse(
            f"expected {value:g} on {day}, as --extreme says, found {nearest:.6g}. Say --extreme {day}={nearest:.6g}, "
            "or leave the option out."
        )


def is_declared(day: date, value: float, declared: Mapping[date, float]) -> bool:
    """Whether the return of a day was declared true."""
    return day in declared and abs(value - declared[day]) <= WITHIN * abs(declared[day])


def declared_values(texts: Sequence[str]) -> dict[date, float]:
    """The days and true returns in texts such as 2021-01-27=1.35."""
    returns = {}
    for text in texts:
        day, _, value = text.partition("=")
        try:
            returns[date.fromisoformat(day)] = float(value)
        except ValueError as error:
            raise BadInputError(
                f"Expected --extreme DATE=RETURN such as 2021-01-27=1.35, found {text!r}. Nothing was written."
            ) from error
    return returns
