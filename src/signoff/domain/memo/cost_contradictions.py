"""Compares words on costs beside a return or Sharpe ratio with what is declared: whether returns are net of costs."""

import re
from collections.abc import Iterator
from typing import Final

from signoff.domain.costs import Costs

_SENTENCE: Final = re.compile(r"(?:[^.!?\n]|[.!?](?!\s|$))+")
_COST: Final = (
    r"(?:costs?|costed|fees?|commissions?|slippage|brokerage|expenses|spreads?|market impact|charged?|charges)"
)
_NET: Final = (
    r"(?<!neural )(?<!between )\bnet(?:ted)?\b"
    r"(?! (?:exposure|long|short|asset|position|of (?:features?|selection|market|beta)))"
)
_ANY: Final = re.compile(rf"\b{_COST}\b|{_NET}", re.IGNORECASE)
# Words for "net of costs".
_AFTER: Final = re.compile(
    rf"{_NET}|\b(?:after|less|including|inclusive|once|paid|paying|minus|with)\b[^,;:]{{0,60}}?\b{_COST}\b"
    rf"|\b{_COST}\b[^,;:]{{0,40}}?\b(?:deducted|includ\w+|paid|taken|charged|already|subtracted)\b"
    rf"|\b(?:includ\w+|charg\w+|deduct\w+|subtract\w+|pa(?:id|ys))\b[^,;:]{{0,40}}?\b{_COST}\b"
    r"|\bpost[ -]costs?\b|\bfully costed\b",
    re.IGNORECASE,
)
_RETURN: Final = re.compile(
    r"\b(?:sharpe|returns?|perform\w*|profit\w*|p&l|annual\w*|earn\w*|gain\w*|backtest\w*|alpha|a year|yield\w*)\b",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(
    r"\b(?:before|gross|without|exclud\w+|pre-?costs?|ex[ -]costs?|not stated|not known|unknown|no costs?)\b"
    r"|\bnot (?:in|included|deducted|charged|paid|taken|net)\b",
    re.IGNORECASE,
)
# Costs of paper fills and costs charged in the backtest are figures of their own.
_OWN_FIGURE: Final = re.compile(
    r"\bslippage (?:(?:in|of|was|is|at|paper|trading|orders|only) ){0,5}(?=[\d{])|\{costs\.\w+\}", re.IGNORECASE
)


def cost_contradictions(text: str, costs: Costs) -> Iterator[str]:
    """Each sentence that calls returns net of costs, though they are gross or nothing is stated."""
    if costs not in {Costs.BEFORE, Costs.NOT_STATED}:
        return
    words = _ANY if costs is Costs.BEFORE else _AFTER
    for sentence in _SENTENCE.findall(text):
        claim = words.search(_OWN_FIGURE.sub(" ", sentence))
        if claim and _RETURN.search(sentence) and not _BEFORE.search(sentence):
            advice = "say “before costs”" if costs is Costs.BEFORE else "state in evidence.costs whether they are net"
            yield f"“{sentence.strip()[:200]}” is not so (“{claim[0]}”): the backtest returns: {costs}; {advice}."
