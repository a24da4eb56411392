"""Compares the true extreme returns that a dossier declares with the rows of its tables."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from signoff.domain.dossier import EvidenceDeclaration, ExtremeReturn, ReturnUnit
from signoff.domain.evidence import Days

SAME: Final = 1e-9
KEY: Final = "evidence.extreme_returns"
Held = tuple[str, Days, pl.DataFrame]
"""A table's file, its days and its columns of returns."""


@dataclass(frozen=True, slots=True)
class _Row:
    file: str
    value: float
    symbol: str | None
    column: str
    day: date


def line_for(day: date, value: float, symbol: str | None) -> str:
    """The line to write under `extreme_returns`."""
    named = "" if symbol is None else f", symbol: {symbol}"
    return f"- {{date: {day}, value: {value:.12g}{named}}}"


def is_same(value: float, one: ExtremeReturn) -> bool:
    """Whether a return is the declared one."""
    return abs(value - one.value) <= SAME * abs(one.value)


def nearly_declared(day: date, value: float, symbol: str | None, declared: Iterable[ExtremeReturn]) -> str:
    """The differences between the row and the nearest declaration; empty if none is near."""
    for one in declared:
        parts = [
            *([f"the date {one.date}"] if one.date != day else []),
            *([f"the value {one.value:.12g}"] if not is_same(value, one) else []),
            *([f"the symbol {one.symbol}"] if one.symbol not in (None, symbol) else []),
        ]
        if len(parts) == 1 or (parts and one.date == day):
            return f" ({KEY} declares {' and '.join(parts)} instead)"
    return ""


def unmatched(tables: Sequence[Held], declared: EvidenceDeclaration) -> str | None:
    """The first declaration without a row, what was found, and what to write; None if all have one."""
    largest = 100.0 if declared.return_unit is ReturnUnit.PERCENT else 1.0
    for place, one in enumerate(declared.extreme_returns):
        on_day = sorted(_rows(one.date, tables), key=lambda row: -abs(row.value))
        if any(_has(one, row) for row in on_day):
            continue
        near = next((row for row in on_day if is_same(row.value, one) or row.value > largest), None)
        near = near or next((row for row in _rows(None, tables, largest) if is_same(row.value, one)), None)
        text = f"the date {one.date}, the value {one.value:.12g}" + (f", the symbol {one.symbol}" if one.symbol else "")
        return f"{KEY}, line {place + 1}: expected a row for what it declares ({text}), found {_found(near, on_day)}"
    return None


def _has(one: ExtremeReturn, row: _Row) -> bool:
    return is_same(row.value, one) and (
        one.symbol in (None, row.symbol) or (row.column == "return" and row.symbol is None)
    )


def _found(near: _Row | None, on_day: Sequence[_Row]) -> str:
    if near is not None:
        of = f" of {near.symbol}" if near.symbol is not None else ""
        line = line_for(near.day, near.value, near.symbol)
        return f"{near.value:.12g} on {near.day}{of} in {near.file}. Write {line}"
    if on_day:
        return (
            f"no return above 100% on that day, the largest {on_day[0].value:.6g} ({on_day[0].file}). Remove the line"
        )
    return "no row of that date in any table. Correct its date, or remove the line"


def _rows(day: date | None, tables: Sequence[Held], largest: float = 0.0) -> Iterator[_Row]:
    """Every return of a day, or every one above the largest undeclared size."""
    for file, days, frame in tables:
        symbols = frame["symbol"] if "symbol" in frame.columns else None
        for column in frame.columns:
            if column == "date" or not frame[column].dtype.is_numeric():
                continue
            values = frame[column].to_numpy()
            chosen = values > largest if day is None else days == np.datetime64(day)
            own = None if column in ("return", "benchmark") else column
            for row in np.flatnonzero(chosen).tolist():
                symbol = own if symbols is None else str(symbols[row])
                yield _Row(file, float(values[row]), symbol, column, days[row].item())
