"""What a text says that was held against the evidence, one record each: the mark under a summary counts these."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class HeldKind(StrEnum):
    """What was held, in the singular."""

    FIGURE = "figure"
    OUTCOME = "gate outcome"
    SIGNIFICANCE = "word on significance"
    RESULT = "word on the result of paper trading"


@dataclass(frozen=True, slots=True)
class Held:
    """One saying of a text: what contradicts it, if anything does, and its kind, None where nothing could be held."""

    contradiction: str = ""
    kind: HeldKind | None = None


def held_in_words(held: Iterable[Held]) -> str:
    """What was held of a text, and that nothing else of it was."""
    counts = Counter(one.kind for one in held)
    said = [
        _counted(counts[kind], kind) for kind in HeldKind if counts[kind] or kind in {HeldKind.FIGURE, HeldKind.OUTCOME}
    ]
    return f"Held against the evidence: {', '.join(said)}; nothing else of these words was checked"


def _counted(number: int, kind: HeldKind) -> str:
    head, space, rest = kind.partition(" on ")
    return f"{number} {head}{'' if number == 1 else 's'}{space}{rest}"
