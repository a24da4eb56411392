"""Circumstances that a sentence names (paper trading, a regime, a crisis, a year) and to which its figures then belong.

Live trading and a year that no window covers have no figures, so no number agrees with them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from signoff.domain.assessment import StressRow

_NONE: Final = r"(?!)"


@dataclass(frozen=True, slots=True)
class Circumstance:
    """Its title in messages, the words that name it, and a pattern of its facts."""

    name: str
    words: str
    facts: str


_LIVE: Final = (
    r"(?<!go )(?<!goes )(?<!going )(?<!gone )(?<!went )\blive\b(?! (?:date|phase|rollout|deployment))"
    r"|(?<!version )(?<!model )\bin production\b|\breal[ -](?:money|capital|trading)\b"
)
_UNSEEN: Final = r"\bhold-?outs?\b|\bheld[ -]out\b|\bforward[ -]test\w*|\bdry[ -]runs?\b|\bcross-?validat\w*"
_WALK_FORWARD: Final = r"\bwalk[ -]forward\b(?! (?:gates?|consistency|passes|fails|clears|holds)\b)"
BASIC: Final = (
    Circumstance("paper trading", r"\bpaper\b|\b(?:shadow|simulated) trading\b", r"^paper\."),
    Circumstance("live trading", _LIVE, r"^live\."),
    Circumstance("a test beside the backtest", _UNSEEN, _NONE),
    Circumstance("the walk-forward windows", _WALK_FORWARD, r"^gates\.walk_forward\."),
    Circumstance("bull markets", r"\bbull(?:ish)?\b", r"^regimes\.bull\."),
    Circumstance("bear markets", r"\bbear(?:ish)?\b", r"^regimes\.bear\."),
    Circumstance(
        "high volatility",
        r"\b(?:high|elevated)(?:er)?[ -]volatility\b"
        r"|\b(?:volatile|turbulent) (?:markets?|times|periods?|regimes?|sessions)\b",
        r"^regimes\.high_volatility\.",
    ),
    Circumstance(
        "low volatility",
        r"\blow(?:er)?[ -]volatility\b|\b(?:calm|quiet) (?:markets?|times|periods?|regimes?|sessions)\b",
        r"^regimes\.low_volatility\.",
    ),
    Circumstance("the 2020 COVID crash", r"\bcovid\b", r"^stress\.covid"),
    Circumstance("the flash crash", r"\bflash[ -]crash\b", r"^stress\.flash"),
    Circumstance("the 2008 financial crisis", r"\bfinancial crisis\b|\bGFC\b", r"^stress\.crisis_2008"),
)
_MONTHS: Final = r"(?:Jan|Febr?|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_YEAR: Final = re.compile(
    r"\b(?:in|during|through(?:out)?|across|survived|weathered)\s+(?:(?:the|all|whole|year|of|early|mid|late)[\s-]+){0,3}"
    rf"(?:{_MONTHS}\s+)?(?P<year>(?:19|20)\d\d)\b(?!\s?[-–/.]\d|\s+(?:to|through|until)\s+\d|\s?%)",
    re.IGNORECASE,
)


def circumstances(text: str, windows: Sequence[StressRow]) -> Iterator[tuple[Circumstance, int, int]]:
    """The circumstances in the text with their places; of two overlapping names the longer one."""
    titled = [
        Circumstance(f"“{row.title}”", rf"(?<!\w){re.escape(row.title)}(?!\w)", _facts_of([row])) for row in windows
    ]
    taken: list[tuple[int, int]] = []
    for one in (*titled, *BASIC):
        for match in re.finditer(one.words, text, re.IGNORECASE):
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                taken += [match.span()] if one in titled else []
                yield one, *match.span()
    for match in _YEAR.finditer(text):
        if all(match.end() <= start or end <= match.start() for start, end in taken):
            year = int(match["year"])
            own = [row for row in windows if row.start.year <= year <= row.end.year]
            yield Circumstance(match["year"], "", _facts_of(own)), match.start("year"), match.end()


def _facts_of(rows: Sequence[StressRow]) -> str:
    stems = [re.escape(row.sharpe.name.rpartition(".")[0]) for row in rows]
    return rf"^(?:{'|'.join(stems)})\." if stems else _NONE
