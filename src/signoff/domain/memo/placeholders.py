"""Figures that a text asks for by name: `{metrics.sharpe.new}` is filled with the fact, as the memo prints it.

A figure that is filled in is true as printed and needs no further check. The text around it must not change it into
another figure.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from signoff.domain.quantity import NOT_PROVIDED, Quantity

PLACEHOLDER: Final = re.compile(r"\{\s*(?P<name>[A-Za-z_]\w*(?:\.\w+)*)\s*\}")
_BEFORE: Final = re.compile(
    r"(?:[\w.,%}]|[+\-−–±$~<>≤≥]\s?|\b(?:minus|plus|negative|twice|double|triple|half|times)\s+)$", re.IGNORECASE
)
_BEHIND: Final = re.compile(
    r"[\w{]|[.,]\d|\s?-?(?:%|per ?cent|pp|percentage|bps|basis points?|ms|milliseconds?|s|secs?|seconds?|min|minutes?|"
    r"[kKM]|bn|MB|[x×]|times|thousand|million|billion|/s)(?!\w)"
)
_NEAREST: Final = 5
_OUTCOME_WORD: Final = re.compile(r"gates\.\w+\.outcome")
LISTED: Final = "`signoff check DIR --json` lists all under summary_figures"


def filled(text: str, facts: Sequence[Quantity]) -> str:
    """The text with its figures filled in; an unknown name stays as written."""
    by_name = {fact.name: fact for fact in facts}

    def fill(match: re.Match[str]) -> str:
        fact = by_name.get(match["name"])
        return match[0] if fact is None else printed(fact)

    return PLACEHOLDER.sub(fill, text)


def is_word(fact: Quantity) -> bool:
    """Whether a fact is filled in as a word: the outcome of a gate."""
    return _OUTCOME_WORD.fullmatch(fact.name) is not None


def printed(fact: Quantity) -> str:
    """A fact as the memo prints it, or "not provided"."""
    if is_word(fact):
        return fact.source
    return fact.text if fact.is_provided else NOT_PROVIDED


def blanked(text: str) -> str:
    """The text with its placeholders blanked; everything else keeps its place."""
    return PLACEHOLDER.sub(lambda m: " " * len(m[0]), text)


def misplaced(text: str, facts: Sequence[Quantity]) -> Iterator[str]:
    """Each placeholder that names no fact, or that touches text which would change the figure."""
    names = [fact.name for fact in facts]
    for match in PLACEHOLDER.finditer(text):
        if match["name"] not in names:
            near = get_close_matches(match["name"], names, n=_NEAREST, cutoff=0.4)
            nearest = f"the nearest are {', '.join(near)}; " if near else ""
            yield f"“{match[0]}” names no figure; {nearest}{LISTED}."
        elif _BEFORE.search(text[max(0, match.start() - 20) : match.start()]) or _BEHIND.match(text, match.end()):
            around = text[max(0, match.start() - 2) : match.end() + 6].strip()
            yield (
                f"“{around}” would print another figure than {match['name']}, which is filled in with its sign and its "
                "unit; write it apart."
            )
