"""Words that call a comparison more than chance ("significantly better"), held against the p-value of its test."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

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
    r"(?:\b(?:not?|never|neither|nor|without|cannot|hardly|whether|if|lacks?|far from|fails to)\b|n['’]t\b)"
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
_OF_OTHER_MATTERS: Final = re.compile(
    r"\b(?:latency|faster|slower|memory|throughput|turnover|costs?|slippage|code|features?|data|errors?|coverage|process\w*"
    r"|risks?|readab\w+|architecture|rewrite|pipeline|documentation|monitoring|market|regimes?|events?|trials?)\b",
    re.IGNORECASE,
)
# What a sentence names, and the p-value that belongs to it; without such a name, that of the Sharpe difference.
_TESTS: Final = (
    (r"bull", r"^regimes\.bull\.p_value"),
    (r"bear", r"^regimes\.bear\.p_value"),
    (r"high[ -]volatility", r"^regimes\.high_volatility\.p_value"),
    (r"low[ -]volatility", r"^regimes\.low_volatility\.p_value"),
    (r"hansen|reality check|superior predictive", r"^gates\.hansen_spa\.statistic"),
    (r"accuracy|direction\w*|pesaran", r"^gates\.spa\.pesaran_timmermann_p"),
    (r"auto-?correlat\w+|serial", r"^metrics\.serial_dependence\.p_value"),
    (r"paper|live", r"(?!)"),
    (r"", r"^sharpe_difference\.p_value"),
)


def claims_significance(text: str) -> bool:
    """Whether any words call something significant."""
    return _SURE.search(text) is not None


def significance_contradictions(text: str, facts: Sequence[Quantity]) -> Iterator[str]:
    """Each sentence that calls a comparison significant whose p-value is at or above the level, or that has none."""
    for sentence, match in ((one, m) for one in _SENTENCE.findall(text) for m in _SURE.finditer(one)):
        parts = [(m.start(), m.end()) for m in _CLAUSE.finditer(sentence)]
        left = max((end for _, end in parts if end <= match.start()), default=0)
        clause = sentence[left : min((start for start, _ in parts if start >= match.end()), default=len(sentence))]
        is_other = _OF_OTHER_MATTERS.search(clause) and "statistical" not in clause.lower()
        words, pattern = next((w, p) for w, p in _TESTS if re.search(w, sentence, re.IGNORECASE))
        is_about = words not in {"", "paper|live"} or (_OF_RETURNS.search(sentence) and not is_other)
        if not is_about or _DENIED.search(sentence[: match.start()]):
            continue
        test = next((fact for fact in facts if fact.is_provided and re.search(pattern, fact.name)), None)
        said = (
            f"“{sentence.strip()[:200]}” is not so: expected a p-value below {SIGNIFICANCE:g} for “{match[0]}”, found "
        )
        if test is None:
            yield f"{said}no test of it."
        elif test.value is not None and test.value >= SIGNIFICANCE:
            yield f"{said}{test.name} = {test.text}."
