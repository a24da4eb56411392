"""Words that give a result its sign ("paper trading was profitable", "it beat the backtest"), held against the figures.

Where the figure is not there, the words are their author's declaration.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from signoff.domain.quantity import Quantity

_SENTENCE: Final = re.compile(r"[.!?;](?=\s|$)|\n|,?\s(?:but|while|whereas)\s", re.IGNORECASE)
# Whose result a sentence is of: the figure is that of the first row whose words it has.
_RESULTS: Final = (
    (r"\bpaper\b|\bshadow trading\b|\bsimulated trading\b", "paper.sharpe", "paper trading"),
    (r"\b(?:previous|old|former|incumbent) (?:version|model)|\bpredecessor|\bchampion", "metrics.sharpe.old", "it"),
    (r"\bbacktest|\bthe (?:new )?(?:model|version|strategy|candidate)\b", "metrics.sharpe.new", "the backtest"),
)
_BACKTEST: Final = r"(?:the |its |our )?(?:own )?(?:back-?test\w*|expectations?)"
_UP: Final = (
    r"profitabl\w*|in profit|profits?|gain(?:s|ed)?(?! \w+ (?:access|approval))|(?:made|makes|earn(?:s|ed)?) money"
    r"|in the black|money-?making|positive(?:ly)?|paid off|a success|succeeded|winning"
)
_DOWN: Final = (
    r"un-?profitabl\w*|loss-?making|(?:lost|loses|losing)(?= money| capital|\s*$| on | in )|in the red|negative(?:ly)?"
    r"|(?:a|at a|made a|with a|net) loss"
)
_ABOVE: Final = rf"(?:beat|outperform|exceed|surpass|out-?did|top|outstrip)\w*\s+{_BACKTEST}|(?:better|above|higher|ahead)\s+(?:than|of)?\s*{_BACKTEST}"
_UNDER: Final = rf"(?:underperform|trail|lag|miss|fell short of|undershot)\w*\s+{_BACKTEST}|(?:worse|below|lower|behind)\s+(?:than)?\s*{_BACKTEST}"
_NOT: Final = re.compile(
    r"(?:\b(?:not?|never|without|nor|hardly|neither|un)\b|n['’]t)\W+(?:\w+\W+){0,2}$", re.IGNORECASE
)


def sign_contradictions(text: str, facts: Sequence[Quantity]) -> Iterator[str]:
    """Each sentence that gives a result the sign that its figure does not have."""
    known = {fact.name: fact for fact in facts if fact.is_provided}
    backtest = known.get("metrics.sharpe.new")
    for sentence in _SENTENCE.split(text):
        row = next((row for row in _RESULTS if re.search(row[0], sentence, re.IGNORECASE)), None)
        if row is None or (fact := known.get(row[1])) is None or fact.value is None:
            continue
        against = backtest.value if backtest is not None and fact is not backtest else None
        for words, is_up, other in (
            (_DOWN, False, 0.0),
            (_UP, True, 0.0),
            (_ABOVE, True, against),
            (_UNDER, False, against),
        ):
            for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", sentence, re.IGNORECASE):
                claims_up = is_up != (_NOT.search(sentence[: match.start()]) is not None)
                if other is None or (fact.value > other if claims_up else fact.value < other):
                    continue
                beside = f", that of the backtest {backtest.text}" if other and backtest is not None else ""
                yield f"“{sentence.strip()[:200]}” is not so: the Sharpe ratio of {row[2]} is {fact.text}{beside} ({fact.name})."


def gives_sign(text: str) -> bool:
    """Whether any sentence gives paper trading a sign."""
    paper = re.compile(_RESULTS[0][0], re.IGNORECASE)
    signs = re.compile(rf"(?<![\w-])(?:{_DOWN}|{_UP}|{_ABOVE}|{_UNDER})(?![\w-])", re.IGNORECASE)
    return any(paper.search(one) and signs.search(one) for one in _SENTENCE.split(text))
