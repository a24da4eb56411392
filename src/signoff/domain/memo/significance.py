"""Compares words such as "significantly better" with the p-value of the test."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from signoff.domain.memo.held import Held, HeldKind
from signoff.domain.quantity import Quantity

SIGNIFICANCE: Final = 0.05
_SURE: Final = re.compile(
    r"\b(?:(?:statistical\w*|highly|clearly|very)\s+)*significan(?:t|tly|ce)\b(?!\s+(?:level|digits?|figures?|threshold))"
    r"|\bstatistically\b|\brobust(?:ly)?\s+(?:beat|better|outperform|higher|superior|improv)\w*"
    r"|\b(?:beats?|outperform\w*|improv\w*)\s+(?:[\w.]+\s+){0,4}robustly\b"
    r"|\b(?:beyond|more than|not|unlikely to be)\s+(?:due to\s+|by\s+|mere\s+|pure\s+)*chance\b",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\b(?:not?(?! only)|never|neither|nor|without|cannot|hardly|whether|if|lacks?|far from|fails to)\b|n['’]t\b)"
    r"\W*(?:[\w%]+\W+){0,4}$",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[,;:()–—]|\s(?:and|but|while|whereas|though)\s", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?:[^.!?\n]|[.!?](?!\s|$))+")
_OF_RETURNS: Final = re.compile(
    r"\b(?:sharpe|returns?|performance|perform(?:s|ed)?|beat\w*|outperform\w*|alpha|edge|profit\w*|draw-?down|hit rate"
    r"|skill|gains?|risk-adjusted|champion|previous version|predecessor|superior|better|higher|improve\w*|difference"
    r"|chance|statistical\w*)\b",
    re.IGNORECASE,
)
# Measures other than returns; a clause that names returns too is about returns.
_OF_OTHER_MATTERS: Final = re.compile(
    r"\b(?:latency|faster|slower|memory|throughput|turnover|costs?|slippage|error rate)\b", re.IGNORECASE
)
_SURELY_OF_RETURNS: Final = re.compile(
    r"\b(?:sharpe|returns?|perform\w*|beat\w*|outperform\w*|alpha|profit\w*|statistical\w*)\b", re.IGNORECASE
)
_OF_VERSIONS: Final = re.compile(
    r"\bv\d|\b(?:previous|old|champion|incumbent|predecessor|overall|outperform\w*|beats?|than (?!zero|chance))\b",
    re.IGNORECASE,
)
_OF_THE_DIFFERENCE: Final = r"^sharpe_difference\.p_value"
# Subjects of a sentence and their p-values; a comparison of versions needs that of the difference too.
_TESTS: Final = (
    (r"bull", r"^regimes\.bull\.p_value"),
    (r"bear", r"^regimes\.bear\.p_value"),
    (r"high[ -]volatility", r"^regimes\.high_volatility\.p_value"),
    (r"low[ -]volatility|\bcalm", r"^regimes\.low_volatility\.p_value"),
    (r"hansen|reality check|superior predictive", r"^gates\.hansen_spa\.statistic"),
    (r"accuracy|direction\w*|pesaran", r"^gates\.spa\.pesaran_timmermann_p"),
    (r"auto-?correlat\w+|serial", r"^metrics\.serial_dependence\.p_value"),
    (r"\b(?:paper|live)\b", r"(?!)"),
)


def held_significance(text: str, facts: Sequence[Quantity]) -> Iterator[Held]:
    """The check of each word that calls a comparison significant, by the p-values of what its sentence names."""
    for sentence, match in ((one, m) for one in _SENTENCE.findall(text) for m in _SURE.finditer(one)):
        parts = [(m.start(), m.end()) for m in _CLAUSE.finditer(sentence)]
        left = max((end for _, end in parts if end <= match.start()), default=0)
        clause = sentence[left : min((start for start, _ in parts if start >= match.end()), default=len(sentence))]
        tests = [pattern for words, pattern in _TESTS if re.search(words, sentence, re.IGNORECASE)]
        is_other = _OF_OTHER_MATTERS.search(clause) and not _SURELY_OF_RETURNS.search(clause)
        is_about = tests or (_OF_RETURNS.search(sentence) and not is_other)
        if not is_about or _DENIED.search(sentence[left : match.start()]):
            continue
        if not tests or _OF_VERSIONS.search(sentence):
            tests.append(_OF_THE_DIFFERENCE)
        shown = next(filter(None, (_missing(pattern, facts) for pattern in tests)), "")
        quoted = (
            f"“{sentence.strip()[:200]}” is not so: expected a p-value below {SIGNIFICANCE:g} for “{match[0]}”, found"
        )
        yield Held(f"{quoted} {shown}." if shown else "", HeldKind.SIGNIFICANCE)


def _missing(pattern: str, facts: Sequence[Quantity]) -> str:
    """What was found instead of a small p-value; empty if the p-value is small."""
    test = next((fact for fact in facts if fact.is_provided and re.search(pattern, fact.name)), None)
    if test is None or test.value is None:
        return "no test of it"
    return f"{test.name} = {test.text}" if test.value >= SIGNIFICANCE else ""
