"""The checks of a text against the evidence, one record each; the mark under a summary counts them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class HeldKind(StrEnum):
    """What was checked, in the singular."""

    FIGURE = "figure"
    OUTCOME = "gate outcome"
    SIGNIFICANCE = "word on significance"
    RESULT = "word on the result of paper trading"


@dataclass(frozen=True, slots=True)
class Held:
    """One statement of a text: its contradiction, if any, and its kind, None if it could not be checked."""

    contradiction: str = ""
    kind: HeldKind | None = None


def held_in_words(results: Iterable[Held]) -> str:
    """The counts of what was checked, and that nothing else was."""
    counts = Counter(one.kind for one in results)
    counted = [
        _counted(counts[kind], kind) for kind in HeldKind if counts[kind] or kind in {HeldKind.FIGURE, HeldKind.OUTCOME}
    ]
    return f"Checked against the evidence: {', '.join(counted)}; nothing else in these words was checked"


def _counted(number: int, kind: HeldKind) -> str:
    head, space, rest = kind.partition(" on ")
    return f"{number} {head}{'' if number == 1 else 's'}{space}{rest}"
