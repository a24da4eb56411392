"""Sentences about the outcomes of gates ("every gate passes", "PBO fails"), held against each gate there is.

The advisory gates count too, unless the sentence says that it speaks of the memo's five, or of those that block. An
outcome is passed on as a quantity whose name holds its scopes, so that it travels with the other figures.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from signoff.domain.finding import Finding, Outcome
from signoff.domain.quantity import Quantity, count

MOST_OUTCOMES: Final = 150
"""In one text: each is held against every gate, and its sentence is searched for what it says of them."""
_OUTCOME: Final = re.compile(r"outcome\.(memo|beside)\.(blocking|advisory)\.(\w+)")
# fmt: off
NUMBERS: Final = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_NUMBER: Final = rf"\d{{1,4}}|{'|'.join(NUMBERS[1:])}"
_NO: Final = r"no|none|not one|not a single|not any|not an?|zero|0|never an?|without (?:an?|any|one)|neither"
_ALL: Final = r"all|every|every single|each|any|both|100 ?%(?: of)?"
_NOUN: Final = r"(?:gates?|hurdles?|validation (?:checks?|tests?|criteria|criterion))"
_OTHER: Final = rf"{_NO}|{_ALL}|and|or|but|which|that|with|to|for|in|at|is|are|was|were"
_BETWEEN: Final = rf"(?:(?!(?:{_OTHER})\b)[\w'’]+,?\s+){{0,6}}"
_PASS_WORD: Final = r"(?:pass\w*|clear\w*|green|satisf\w*|met|meets?)"
_OF_KIND: Final = r"(?:(?:memo['’]s|blocking|advisory|validation)\s+){0,2}"
_CLAIM: Final = re.compile(
    rf"\b(?:(?P<not>not)\s+)?(?P<how>{_NO}|{_ALL})\s+{_BETWEEN}{_NOUN}\b"
    rf"|\b{_NOUN}(?:\s+(?!(?:{_NO})\b)\w+){{0,2}}\s+(?P<after>all|each|none)\b"
    rf"|(?<!of )(?P<these>\b(?:the|its|our|their|these|those))\s+{_OF_KIND}"
    rf"gates\b(?=(?:\s+\w+){{0,3}}?\s+{_PASS_WORD}\b)"
    rf"|\b(?P<over>pass\w*|clear\w*|satisf\w*|meets?|met)\s+(?:the|its|our|their|these|those)\s+"
    rf"{_OF_KIND}gates\b"
    rf"|\b(?:everything\s+(?:\w+\s+){{0,2}}{_PASS_WORD}|pass(?:es|ed)?\s+everything|all\s+(?:is\s+)?green)\b",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"[.!?;](?=\s|$)|\n")
_CLAUSE: Final = re.compile(r"[,:()](?=\s|$)|\s(?:and|while|but)\s", re.IGNORECASE)
_FAILS: Final = re.compile(
    r"\b(?:fail\w*|miss(?:es|ed|ing)?|breach\w*|violat\w*|unmet|red|broke\w*)\b"
    r"|\bnot (?:\w+ ){0,2}(?:pass\w*|clear\w*|met)\b"
    r"|n['’]t (?:pass|clear)",
    re.IGNORECASE,
)
_PASSES: Final = re.compile(r"\b(?:pass\w*|clear\w*|green|hold|held|met|meets?|satisf\w*|succe\w*)\b", re.IGNORECASE)
_BLOCKS: Final = re.compile(rf"\bblock(?:s|ed|ing)?\b(?!\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b)", re.IGNORECASE)
_NEUTRAL: Final = re.compile(
    r"\b(?:comput|measur|assess|judg|evaluat|run|ran|report|list|show|print)\w*\b", re.IGNORECASE
)
_MEMO: Final = re.compile(
    rf"\bmemo(?:['’]s)?\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b|\b(?:five|5)\b[\w\s'’]{{0,40}}\bgates?\b", re.IGNORECASE
)
_KINDS: Final = r"(?P<blocking>blocking|mandatory|required|binding|hard)|(?P<advisory>advisory|optional|soft)"
_KIND: Final = re.compile(rf"\b(?:{_KINDS})\b(?=\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b)", re.IGNORECASE)
_EXCEPT: Final = (
    r"(?:except(?:ing)?(?: for)?|other than|apart from|aside from|besides?|save(?: for)?|excluding|but(?: for)?|"
    r"bar(?:ring)?|with the exception of|leaving out)"
)
_UNNAMED: Final = re.compile(
    rf"\b(?:{_ALL}|{_NO})\s+{_BETWEEN}{_NOUN},?\s+(?:(?:\w+\s+){{0,2}}(?:pass|fail)\w*,?\s+)?{_EXCEPT}\s+"
    rf"|\b(?:all|every)\s+but\s+(?=(?:[\w'’]+\s+){{0,5}}{_NOUN}\b)",
    re.IGNORECASE,
)
_VERDICT: Final = re.compile(
    r"\b(?P<not>(?:does|do|did|has|have|could|can|will|would)(?: not|n['’]t)|cannot|never|not)?\s*"
    r"\b(?P<verb>pass(?:es|ed|ing)?|clear(?:s|ed)?|fail(?:s|ed|ing)?(?! to\b)|miss(?:es|ed))\b"
    r"|\b(?P<ellipsis>(?:does|do|did)(?: not|n['’]t))(?=\s*(?:$|[,.;:)]))",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(r"\b(?:if|should|unless|whenever|when|until|once)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Gate:
    key: str
    names: str
    is_memo: bool
    is_blocking: bool
    passes: bool


def outcomes(findings: Sequence[Finding], memo: Sequence[Finding]) -> Iterator[Quantity]:
    """Whether each gate passes, as a quantity; its source is the gate's title."""
    own = {finding.key for finding in memo}
    for finding in findings:
        scope = f"{'memo' if finding.key in own else 'beside'}.{'blocking' if finding.is_blocking else 'advisory'}"
        name = f"outcome.{scope}.{finding.key}"
        yield count(name, int(finding.outcome is Outcome.PASS), source=finding.title)


def is_outcome(fact: Quantity) -> bool:
    """Whether a fact is the outcome of a gate, which no number of a text is about."""
    return _OUTCOME.fullmatch(fact.name) is not None


def gate_contradictions(text: str, facts: Sequence[Quantity]) -> Iterator[str]:
    """What each sentence about outcomes of gates says against them, expected and found."""
    gates = [_gate(found, fact) for fact in facts if (found := _OUTCOME.fullmatch(fact.name))]
    if not gates:
        return
    said = True
    number = sum(1 for pattern in (_CLAIM, _VERDICT) for _ in pattern.finditer(text))
    if number > MOST_OUTCOMES:
        yield f"expected at most {MOST_OUTCOMES} outcomes of gates to hold against the evidence, found {number}."
        return
    for sentence in _SENTENCE.split(text):
        plain, excepted = _exceptions(sentence, gates)
        unnamed = None if excepted else _UNNAMED.search(sentence)
        if unnamed is not None:
            yield from _but_some(unnamed, sentence, gates)
            continue
        for match in _CLAIM.finditer(plain):
            yield from _contradiction(match, sentence, plain, gates, excepted)
        for gate, passes, quoted in _verdicts(plain, gates, is_last_passed=said):
            said = passes
            if passes != gate.passes:
                does = ("does not pass", "passes")
                yield f"“{quoted}” is not so: the gate {gate.key} {does[gate.passes]}."


def _gate(found: re.Match[str], fact: Quantity) -> _Gate:
    return _Gate(
        found[3], _names(found[3], fact.source), found[1] == "memo", found[2] == "blocking", passes=fact.value == 1
    )


def _names(key: str, title: str) -> str:
    """A pattern of what people call a gate: its key in words, its title, and what stands in the title's brackets."""
    head, _, bracketed = title.partition(" (")
    said = {key.replace("_", " "), head, head.removesuffix(" Ratio"), head.removesuffix(" Compliance"), bracketed[:-1]}
    patterns = []
    for name in sorted((name for name in said if name), key=len, reverse=True):
        words = r"(?:['’]s)?[\s-]+".join(map(re.escape, re.split(r"[\s-]+", name)))
        is_common = re.fullmatch(r"[A-Z]?[a-z]+", name) is not None and title.partition(" ")[0] != name
        patterns.append(rf"{words}(?=\s+gates?\b)" if is_common and name != "var" else words)
    return rf"(?<![\w-])(?:{'|'.join(patterns)})(?![\w-])"


def _named(text: str, gates: Sequence[_Gate]) -> list[tuple[int, int, _Gate]]:
    """Where gates are named, the longest name first where two begin together or hold each other."""
    found = [(m.start(), m.end(), gate) for gate in gates for m in re.finditer(gate.names, text, re.IGNORECASE)]
    kept: list[tuple[int, int, _Gate]] = []
    for one in sorted(found, key=lambda each: each[0] - each[1]):
        if all(one[1] <= other[0] or other[1] <= one[0] for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda each: each[0])


def _exceptions(sentence: str, gates: Sequence[_Gate]) -> tuple[str, list[_Gate]]:
    """The sentence with what follows "except" blanked, and the gates that are named there."""
    excepted: list[_Gate] = []
    for match in re.finditer(rf",?\s*\b{_EXCEPT}\s+(?:the\s+)?", sentence, re.IGNORECASE):
        end, own = match.end(), list[_Gate]()
        kind = re.match(rf"(?:{_KINDS})\b(?:\s+(?:ones?|gates?))?", sentence[end:], re.IGNORECASE)
        if kind is not None:
            own = [gate for gate in gates if gate.is_blocking == (kind["blocking"] is not None)]
            end += kind.end()
        for start, stop, gate in _named(sentence, gates):
            if start >= end and re.fullmatch(
                r"(?:\s*gates?)?(?:\s*,)?\s*(?:(?:and|or)\s+)?(?:for\s+)?(?:the\s+)?",
                sentence[end:start],
                re.IGNORECASE,
            ):
                own.append(gate)
                end = stop
        if own:
            excepted += own
            end += len((re.match(r"(?:\s+gates?\b)?,?", sentence[end:]) or match)[0])
            sentence = sentence[: match.start()] + " " * (end - match.start()) + sentence[end:]
    return sentence, excepted


def _contradiction(
    match: re.Match[str], written: str, plain: str, gates: Sequence[_Gate], excepted: Sequence[_Gate]
) -> Iterator[str]:
    left, right = _around(match, plain)
    clause = plain[match.start("how") if match["not"] else left : right]
    quoted = written[match.start() : max(right, match.end())].strip()[:200]
    scoped, scope = _scoped(clause, gates, excepted)
    how = (match["how"] or match["after"] or "all").lower()
    is_none = re.fullmatch(_NO, how) is not None
    if _BLOCKS.search(clause) and not _FAILS.search(clause):
        yield from _blocking(quoted, scoped, is_none=is_none, is_denied=bool(match["not"]))
        return
    fails = _FAILS.search(clause) is not None
    if not fails and not _PASSES.search(clause) and _NEUTRAL.search(clause):
        return
    failing = [gate.key for gate in scoped if not gate.passes]
    if how == "any":
        is_none = re.search(r"\b(?:not|never|no|without)\b|n['’]t\b", clause, re.IGNORECASE) is not None
        fails = fails and re.search(r"\b(?:fail|miss|breach|violat)", clause, re.IGNORECASE) is not None
    all_pass = is_none == fails
    said = re.search(rf"\b(?:{_NUMBER})(?=\s+(?:[\w'’]+\s+){{0,5}}gates?\b)", match[0], re.IGNORECASE)
    if said is not None and _number(said[0]) not in {len(scoped), len(scoped) + len(excepted)}:
        yield f"“{quoted}” is not so: expected {len(scoped)} gates, found “{said[0]}”."
    elif match["not"]:
        if all_pass and not failing:
            yield f"“{quoted}” is not so: {scope} pass."
    elif all_pass and failing:
        expected = f"expected every one of {scope} to pass, found {len(scoped) - len(failing)} of {len(scoped)}"
        yield f"“{quoted}” is not so: {expected}; not passed: {', '.join(failing)}."
    elif not all_pass and len(failing) < len(scoped):
        expected = f"expected none of {scope} to pass, found {len(scoped) - len(failing)} of {len(scoped)}"
        yield f"“{quoted}” is not so: {expected}."
    if wrong := [gate.key for gate in excepted if gate.passes == all_pass]:
        does = "passes too" if all_pass else "does not pass either"
        yield f"“{quoted}” is not so: it excepts {', '.join(wrong)}, which {does}."


def _blocking(quoted: str, scoped: Sequence[_Gate], *, is_none: bool, is_denied: bool) -> Iterator[str]:
    """A sentence on what blocks: no gate does where each that may block has passed."""
    holding = [gate.key for gate in scoped if gate.is_blocking and not gate.passes]
    advisory = [gate.key for gate in scoped if not gate.is_blocking]
    if is_none and holding:
        yield f"“{quoted}” is not so: blocked by {', '.join(holding)}."
    elif not is_none and not is_denied and advisory:
        yield f"“{quoted}” is not so: advisory are {', '.join(advisory)}."


def _but_some(match: re.Match[str], sentence: str, gates: Sequence[_Gate]) -> Iterator[str]:
    """An exception that names no gate: a number of them is counted, anything else cannot be held."""
    rest = sentence[match.end() :]
    number = re.match(rf"(?:{_NUMBER}|one)\b", rest, re.IGNORECASE)
    scoped, scope = _scoped(sentence, gates, ())
    failing = [gate.key for gate in scoped if not gate.passes]
    quoted = sentence[match.start() :].strip()[:200]
    if number is None:
        yield f"“{quoted}” cannot be held against the gates; name those it excepts: {', '.join(g.key for g in gates)}."
    elif _number(number[0]) != len(failing):
        yield f"“{quoted}” is not so: {len(failing)} of {scope} did not pass: {', '.join(failing) or 'none'}."


def _verdicts(sentence: str, gates: Sequence[_Gate], *, is_last_passed: bool) -> Iterator[tuple[_Gate, bool, str]]:
    """Each gate that the sentence gives an outcome by name, with that outcome."""
    named, used = _named(sentence, gates), 0
    last = is_last_passed
    for match in _VERDICT.finditer(sentence):
        if _CONDITION.search(sentence, used, match.start()):
            continue
        if match["ellipsis"]:
            passes = not last
        else:
            passes = last = match["verb"].lower().startswith(("pass", "clear")) != bool(match["not"])
        subjects = _subjects(sentence, named, used, match.start())
        objects, end = _objects(sentence, named, match.end())
        used = max(end, match.end())
        start = min((start for start, _, _ in subjects), default=match.start())
        for _, _, gate in subjects or objects:
            yield gate, passes, sentence[start:used].strip()[:200]


def _subjects(
    sentence: str, named: Sequence[tuple[int, int, _Gate]], left: int, right: int
) -> list[tuple[int, int, _Gate]]:
    """The gates named before a verdict that it is about: "SPA and DSR", also with a phrase between commas behind."""
    found: list[tuple[int, int, _Gate]] = []
    end, joint = right, r"(?:\s+gates?)?(?:\s*,[^,]{0,80},)?(?:(?!\s(?:and|while|but|gates)\b)[^,;:()]){0,60}"
    for one in reversed([each for each in named if left <= each[0] and each[1] <= right]):
        if re.fullmatch(joint, sentence[one[1] : end]) is None:
            break
        found.append(one)
        end, joint = one[0], r"(?:\s+gates?)?\s*(?:,|,?\s+(?:and|or|nor)|\s*/)\s*(?:the\s+)?"
    return found


def _objects(
    sentence: str, named: Sequence[tuple[int, int, _Gate]], left: int
) -> tuple[list[tuple[int, int, _Gate]], int]:
    """The gates named right behind a verdict ("passes SPA and DSR"), and those that it says to be included."""
    found: list[tuple[int, int, _Gate]] = []
    end, joint = left, r"\s*,?\s*(?:(?:the|its|both|even|including|also)\s+){0,3}"
    for one in named:
        if one[0] < end:
            continue
        is_included = re.match(r"(?:\s+gates?)?\s+(?:included|too|as well)\b", sentence[one[1] :], re.IGNORECASE)
        between = sentence[end : one[0]]
        is_apart = "," in between and not found and not re.search(r"even|includ", between, re.IGNORECASE)
        if re.fullmatch(joint, between, re.IGNORECASE) is None or (is_apart and is_included is None):
            break
        found.append(one)
        end, joint = one[1], r"(?:\s+gates?)?\s*(?:,|,?\s+(?:and|or))\s*(?:the\s+)?"
    return found, end


def _around(match: re.Match[str], sentence: str) -> tuple[int, int]:
    left = max((m.end() for m in _CLAUSE.finditer(sentence) if m.end() <= match.start()), default=0)
    right = min((m.start() for m in _CLAUSE.finditer(sentence) if m.start() >= match.end()), default=len(sentence))
    return left, right


def _scoped(clause: str, gates: Sequence[_Gate], excepted: Iterable[_Gate]) -> tuple[list[_Gate], str]:
    """The gates that a clause speaks of: all there are, unless it names the memo's five, or those that block."""
    is_memo = _MEMO.search(clause) is not None
    left_out = {gate.key for gate in excepted}
    named = [gate for gate in gates if (gate.is_memo or not is_memo) and gate.key not in left_out]
    kind = _KIND.search(clause)
    if kind is not None:
        named = [gate for gate in named if gate.is_blocking == (kind["blocking"] is not None)]
    word = f"{kind[0].lower()} " if kind else ""
    other = "other " if left_out else ""
    return named, f"{'the memo’s' if is_memo else 'the'} {other}{len(named)} {word}gates"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else NUMBERS.index(text.lower()) + 1
