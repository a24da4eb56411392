"""Finds symbols that changed their name while held: one ends, another begins with exactly its weight."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from signoff.adapters.evidence.tables import EvidenceTable
from signoff.domain.evidence import Positions

SAME: Final = 1e-9


def under_new_names(table: EvidenceTable, positions: Positions, renames: Mapping[str, str]) -> Positions:
    """The positions under the declared names; an undeclared rename is asked about."""
    _refuse_undeclared(table, positions, renames)
    if not any(old != new for old, new in renames.items()):
        return positions
    symbols = np.array([renames.get(str(symbol), str(symbol)) for symbol in positions.symbols], dtype=np.str_)
    return replace(positions, symbols=symbols)


def _refuse_undeclared(table: EvidenceTable, positions: Positions, renames: Mapping[str, str]) -> None:
    """Ask about a unique weight that passes from a symbol that ends to one that begins."""
    days, symbols, weights = positions.dates, positions.symbols, positions.weight
    every = np.unique(days)
    span = {str(symbol): np.flatnonzero(symbols == symbol) for symbol in np.unique(symbols)}
    begins: dict[object, list[str]] = {}
    for symbol, rows in span.items():
        begins.setdefault(days[rows[0]], []).append(symbol)
    for old, rows in span.items():
        last = days[rows[-1]]
        after = every[every > last]
        if after.size == 0 or old in renames:
            continue
        weight = weights[rows[-1]]
        last_weights = weights[days == last]
        if weight == 0 or int((np.abs(last_weights - weight) <= SAME * abs(weight)).sum()) > 1:
            continue
        for new in begins.get(after[0], []):
            row = int(span[new][0])
            if abs(weights[row] - weight) <= SAME * abs(weight):
                table.refuse(
                    f"{table.row(row)}: {new} begins on {after[0]} with the weight {weight:g} that {old} had on "
                    f"{last}, its last day. Is it a new name? Say evidence.renames: {{{old}: {new}}} in dossier.yaml, "
                    f"or {{{old}: {old}}} if it is another symbol"
                )
