"""Whether returns are net of trading costs, in the words that every page prints."""

from enum import StrEnum
from typing import Final

BEFORE_FEES: Final = "no column of fees was found: returns are before fees"
"""The note of an import that found no fees."""


class CostBasis(StrEnum):
    """What a dossier declares of all its returns."""

    NET = "net"
    GROSS = "gross"


class Costs(StrEnum):
    """What is known of one table. A column cannot show that its returns are net, so net is declared or imported."""

    IMPORTED = "net of the fees in its list of trades"
    DECLARED = "net of costs (declared)"
    BEFORE = "before costs"
    NOT_STATED = "costs not stated"


_DECLARED: Final = {CostBasis.NET: Costs.DECLARED, CostBasis.GROSS: Costs.BEFORE, None: Costs.NOT_STATED}


def costs_of(imported: Costs | None, declared: CostBasis | None) -> Costs | None:
    """What is known of a table from its import and its dossier; None if the two disagree."""
    if imported is None or imported is Costs.NOT_STATED:
        return _DECLARED[declared]
    disagrees = declared is (CostBasis.NET if imported is Costs.BEFORE else CostBasis.GROSS)
    return None if disagrees else imported


def costs_in_words(new: Costs, old: Costs | None = None) -> str:
    """The words beside figures of one table, or of two shown together."""
    return new.value if old in {None, new} else f"{new.value}; previous version: {old}"
