"""Compares words that give paper trading a sign ("profitable", "beat the backtest") with its Sharpe ratio.

Without such a figure the words are their author's declaration.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from signoff.domain.memo.held import Held, HeldKind
from signoff.domain.quantity import Quantity

_SENTENCE: Final = re.compile(r"[.!?;](?=\s|$)|\n|,?\s(?:but|while|whereas)\s", re.IGNORECASE)
_PAPER: Final = re.compile(r"\bpaper\b|\b(?:shadow|simulated) trading\b", re.IGNORECASE)
_NOT: Final = re.compile(r"(?:\b(?:not?|never|without|nor|hardly|neither)\b|n['’]t)\W+(?:\w+\W+){0,2}$", re.IGNORECASE)
_BACKTEST: Final = r"(?:than|of)?\s*(?:the |its |our )?(?:own )?(?:back-?test\w*|expectations?)"
# The words, whether they mean a gain, and whether they compare with the backtest.
_SIGNS: Final = (
    (
        r"profitabl\w*|in profit|profits?|gain(?:s|ed)?|(?:made|makes|earn(?:s|ed)?|making) money|in the black"
        r"|money-?making|positive(?:ly)?|paid off|succe(?:ss|eded)|winning",
        (True, False),
    ),
    (
        r"un-?profitabl\w*|loss-?making|(?:lost|loses|losing)(?= money| capital|\s*$| on | in )|in the red"
        r"|negative(?:ly)?|(?:an?|at a|made a|with a|net) loss",
        (False, False),
    ),
    (
        rf"(?:(?:beat|outperform|exceed|surpass|out-?did|outstrip)\w*|better|above|higher|ahead)\s+{_BACKTEST}",
        (True, True),
    ),
    (
        rf"(?:(?:underperform|trail|lag|miss)\w*|fell short of|worse|below|lower|behind)\s+{_BACKTEST}",
        (False, True),
    ),
)


def held_signs(text: str, facts: Sequence[Quantity]) -> Iterator[Held]:
    """The check of each word that gives paper trading a sign, if there is a Sharpe ratio."""
    by_name = {fact.name: fact for fact in facts if fact.is_provided}
    paper, backtest = by_name.get("paper.sharpe"), by_name.get("metrics.sharpe.new")
    for sentence, says_up, is_beside in _claims(text):
        other = 0.0 if not is_beside else None if backtest is None else backtest.value
        if paper is None or paper.value is None or other is None:
            continue
        beside = f", and of the backtest {backtest.text}" if is_beside and backtest is not None else ""
        is_so = paper.value > other if says_up else paper.value < other
        message = f"“{sentence}” is not so: the Sharpe ratio of paper trading is {paper.text}{beside}."
        yield Held("" if is_so else message, HeldKind.RESULT)


def _claims(text: str) -> Iterator[tuple[str, bool, bool]]:
    for sentence in _SENTENCE.split(text):
        for words, (is_up, is_beside) in _SIGNS if _PAPER.search(sentence) else ():
            for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", sentence, re.IGNORECASE):
                yield sentence.strip()[:200], is_up != bool(_NOT.search(sentence[: match.start()])), is_beside
