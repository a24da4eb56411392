"""What a text says against the facts, for tests that ask for nothing else."""

from collections.abc import Collection, Sequence

from signoff.domain.assessment import StressRow
from signoff.domain.memo.claims import held
from signoff.domain.quantity import Quantity


def contradictions(
    text: str, facts: Sequence[Quantity], known_words: Collection[str] = (), windows: Sequence[StressRow] = ()
) -> tuple[str, ...]:
    """Each contradiction of the text in a sentence."""
    return tuple(one.contradiction for one in held(text, facts, known_words, windows) if one.contradiction)
