"""The gates as a text names them: by key, title, abbreviation or synonym, each with its outcome.

An outcome is passed on as a quantity whose name has its scopes, so that it travels with the other figures.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.assess import DEFINITIONS
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, count

# fmt: off
NUMBERS: Final = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_OUTCOME: Final = re.compile(r"outcome\.(memo|beside)\.(blocking|advisory)\.(most|least)\.(\w+)")
_CODES: Final = {Outcome.PASS: 1, Outcome.FAIL: 0, Outcome.INCONCLUSIVE: -1, Outcome.ERROR: -2}
WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "passes",
    Outcome.FAIL: "fails",
    Outcome.INCONCLUSIVE: "is inconclusive",
    Outcome.ERROR: "ended in an error",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate with a pattern of its names; `is_at_most` where a statistic above its threshold is bad."""

    key: str
    title: str
    names: str
    is_memo: bool
    is_blocking: bool
    is_at_most: bool
    outcome: Outcome

    @property
    def passes(self) -> bool:
        return self.outcome is Outcome.PASS


def outcomes(findings: Sequence[Finding], memo: Sequence[Finding]) -> Iterator[Quantity]:
    """The outcome of each gate, as a quantity; its source is the gate's title."""
    own = {finding.key for finding in memo}
    for finding in findings:
        scope = f"{'memo' if finding.key in own else 'beside'}.{'blocking' if finding.is_blocking else 'advisory'}"
        side = "most" if finding.comparison in {Comparison.AT_MOST, Comparison.BELOW} else "least"
        yield count(f"outcome.{scope}.{side}.{finding.key}", _CODES[finding.outcome], source=finding.title)


def is_outcome(fact: Quantity) -> bool:
    """Whether a fact is the outcome of a gate and not a figure."""
    return _OUTCOME.fullmatch(fact.name) is not None


def gates_of(facts: Sequence[Quantity]) -> list[Gate]:
    """The gates whose outcomes are among the facts."""
    by_code = {code: outcome for outcome, code in _CODES.items()}
    return [
        Gate(
            key=match[4],
            title=fact.source.partition(" (")[0],
            names=_names(match[4], fact.source),
            is_memo=match[1] == "memo",
            is_blocking=match[2] == "blocking",
            is_at_most=match[3] == "most",
            outcome=by_code[int(fact.value or 0)],
        )
        for fact in facts
        if (match := _OUTCOME.fullmatch(fact.name))
    ]


def _names(key: str, title: str) -> str:
    """A pattern of the names of a gate: its key in words, its title, the part in brackets, and synonyms."""
    head, _, bracketed = title.partition(" (")
    names = {key.replace("_", " "), head, head.removesuffix(" Ratio"), head.removesuffix(" Compliance"), bracketed[:-1]}
    patterns = []
    for name in sorted((name for name in names if name), key=len, reverse=True):
        words = r"(?:['’]s)?[\s-]+".join(map(re.escape, re.split(r"[\s-]+", name)))
        is_common = re.fullmatch(r"[A-Z]?[a-z]+", name) is not None and title.partition(" ")[0] != name
        patterns.append(rf"{words}(?=\s+gates?\b)" if is_common and name != "var" else words)
    patterns += [DEFINITIONS[key].names] if key in DEFINITIONS else []
    return rf"(?<![\w-])(?:{'|'.join(patterns)})(?!\w|-(?!gates?\b))"


def named(text: str, gates: Sequence[Gate]) -> list[tuple[int, int, Gate]]:
    """The places where gates are named; of two overlapping names the longer one."""
    spans = [(m.start(), m.end(), gate) for gate in gates for m in re.finditer(gate.names, text, re.IGNORECASE)]
    longest: list[tuple[int, int, Gate]] = []
    for one in sorted(spans, key=lambda each: each[0] - each[1]):
        if all(one[1] <= other[0] or other[1] <= one[0] for other in longest):
            longest.append(one)
    return sorted(longest, key=lambda each: each[0])
