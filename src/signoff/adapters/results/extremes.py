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
Declared = Mapping[date, Sequence[float]]
"""The true returns of a day; several columns may jump on the same day."""


def refuse_impossible(
    labelled: Labelled, frame: pl.DataFrame, names: Sequence[str], declared: Declared, *, may_rest: bool
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
                others = ", ".join(
                    f"{day}={one:g}" for day, of_day in declared.items() if day not in met for one in of_day
                )
                advice = (
                    f". If it is true, say --extreme {days[row]}={values[row]:.6g}"
                    f"{f' (--extreme {others} is another row)' if others else ''}, and list it under "
                    "evidence.extreme_returns in dossier.yaml"
                )
            raise labelled.refuse(f"{days[row]}, column {name}: found {values[row]:g}; {problem}{advice}.")
    refuse_unmatched(labelled, frame, names, declared)


def refuse_unmatched(labelled: Labelled, frame: pl.DataFrame, names: Sequence[str], declared: Declared) -> None:
    """Refuse a declared return without its row: another row may be meant."""
    found(labelled, [(frame, names)], declared)


def found(
    labelled: Labelled, tables: Sequence[tuple[pl.DataFrame, Sequence[str]]], declared: Declared
) -> list[tuple[date, float]]:
    """The declared returns with the digits of the tables: people copy a rounded value from a message.

    A declared return that no table has is refused, and the nearest of its day is named.
    """
    exact = []
    for day, value in ((day, value) for day, values in declared.items() for value in values):
        returns = [
            float(one)
            for frame, names in tables
            for name in names
            for one in frame.filter(pl.col(DAY).cast(pl.Date) == day)[name].drop_nulls()
        ]
        if same := [one for one in returns if is_declared(day, one, {day: (value,)})]:
            exact += [(day, one) for one in dict.fromkeys(same)]
            continue
        if not returns:
            every = [day for frame, _ in tables for day in frame[DAY].cast(pl.Date)]
            raise labelled.refuse(
                f"expected a return on {day}, as --extreme {day}={value:g} says, found no row of that date "
                f"({min(every)} to {max(every)}). Correct the date, or leave the option out."
            )
        nearest = min(returns, key=lambda one: abs(one - value))
        raise labelled.refuse(
            f"expected {value:g} on {day}, as --extreme says, found {nearest:.6g}. Say --extreme {day}={nearest:.6g}, "
            "or leave the option out."
        )
    return exact


def is_declared(day: date, value: float, declared: Declared) -> bool:
    """Whether the return of a day was declared true."""
    return any(abs(value - one) <= WITHIN * abs(one) for one in declared.get(day, ()))


def declared_values(texts: Sequence[str]) -> dict[date, tuple[float, ...]]:
    """The days and true returns in texts such as 2021-01-27=1.35."""
    returns: dict[date, tuple[float, ...]] = {}
    for text in texts:
        day, _, value = text.partition("=")
        try:
            when, size = date.fromisoformat(day.strip()), float(value)
        except ValueError as error:
            raise BadInputError(
                f"Expected --extreme DATE=RETURN such as 2021-01-27=1.35, found {text!r}. Nothing was written."
            ) from error
        returns[when] = (*returns.get(when, ()), size)
    return returns
