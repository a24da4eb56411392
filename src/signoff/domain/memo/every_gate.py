"""Compares sentences about outcomes of gates ("every gate passes", "PBO fails") with each gate.

Advisory gates count too, unless the sentence restricts itself to the memo's five or to blocking gates.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from signoff.domain.memo.gate_names import NUMBERS, Gate, gates_of, named
from signoff.domain.memo.held import Held, HeldKind
from signoff.domain.memo.outcome_words import EXCEPT, held_names, sweeping, unnamed_passes
from signoff.domain.quantity import Quantity

MOST_OUTCOMES: Final = 150
"""In one text: each is compared with every gate, and its sentence is searched for their outcomes."""
_NUMBER: Final = rf"\d{{1,4}}|{'|'.join(NUMBERS[1:])}"
_NO: Final = r"no|none|not one|not a single|not any|not an?|zero|0|never an?|without (?:an?|any|one)|neither"
_ALL: Final = r"all|every|every single|each|any|both|100 ?%(?: of)?"
_GATE_NOUN: Final = r"(?:gates?|hurdles?|validation (?:checks?|tests?|criteria|criterion))"
_OTHER_NOUN: Final = (
    r"(?:checks?|criteri(?:a|on)|requirements?|thresholds?|standards?|limits?|box(?:es)?|lights?|rules?"
    r"|(?<!unit )(?<!integration )(?<!stress )tests?(?!\s+(?:data|sets?|periods?|windows?|samples?|splits?)\b))"
)
_NOUN: Final = rf"(?:{_GATE_NOUN}|{_OTHER_NOUN})"
_OTHER: Final = rf"{_NO}|{_ALL}|and|or|but|which|that|with|to|for|in|at|is|are|was|were"
_BETWEEN: Final = rf"(?:(?!(?:{_OTHER})\b)[\w'’]+,?\s+){{0,6}}"
_PASS_WORD: Final = r"(?:pass\w*|clear\w*|green|satisf\w*|met|meets?|ok|fine|good|respected|ticked|fulfilled)"
_OF_KIND: Final = r"(?:(?:memo['’]s|blocking|advisory|validation|mandatory|required)\s+){0,2}"
_CLAIM: Final = re.compile(
    rf"\b(?:(?P<not>not)\s+)?(?P<how>{_NO}|{_ALL})\s+{_BETWEEN}{_NOUN}\b"
    rf"|\b{_NOUN}(?:\s+(?!(?:{_NO})\b)\w+){{0,2}}\s+(?P<after>all|each|none)\b"
    rf"|(?:(?<!of )\b(?:the|its|our|their|these|those)\s+|^\W*|[,:]\s+){_OF_KIND}"
    rf"{_NOUN}\b(?<=s|a)(?=(?:\s+\w+){{0,3}}?[:\s]+{_PASS_WORD}\b)"
    rf"|\b(?P<over>pass\w*|clear\w*|satisf\w*|meets?|met)\s+(?:the|its|our|their|these|those)\s+"
    rf"{_OF_KIND}{_NOUN}\b(?<=s|a)"
    rf"|\b(?:everything\s+(?:\w+\s+){{0,2}}{_PASS_WORD}|pass(?:es|ed)?\s+everything|all\s+(?:is\s+)?green)\b",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(rf"[.!?;](?=\s|$)|\n|(?:\s[-–—]{{1,2}}\s|—)(?!{EXCEPT}\b)", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[,:()](?=\s|$)|\s(?:and|while|but)\s", re.IGNORECASE)
_FAILS: Final = re.compile(
    r"\b(?:fail\w*|miss(?:es|ed|ing)?|breach\w*|violat\w*|unmet|red|broke\w*)\b"
    r"|\bnot (?:\w+ ){0,2}(?:pass\w*|clear\w*|met)\b"
    r"|n['’]t (?:pass|clear)",
    re.IGNORECASE,
)
_PASSES: Final = re.compile(
    r"\b(?:pass\w*|clear\w*|green|holds?|held|met|meets?|satisf\w*|succe\w*|fine|ok(?:ay)?|good|well|clean|sound|fulfil\w*"
    r"|in order|compl(?:y|ies|iant)|positive|perfect\w*|excellent|flawless\w*|healthy|robust|respected|ticked)\b",
    re.IGNORECASE,
)
_BLOCKS: Final = re.compile(rf"\bblock(?:s|ed|ing)?\b(?!\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b)", re.IGNORECASE)
_NEUTRAL: Final = re.compile(
    r"\b(?:comput|measur|assess|judg|evaluat|run|ran|report|list|show|print|chang|alter|remov|add|skip|drop|loosen|relax"
    r"|tighten|touch|edit|amend|adjust|omit|exempt|modif|disabl|exclud|overrid|waive|left out|switched)\w*\b",
    re.IGNORECASE,
)
_MEMO: Final = re.compile(
    rf"\bmemo(?:['’]s)?\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b|\b(?:five|5)\b[\w\s'’]{{0,40}}\bgates?\b", re.IGNORECASE
)
_KINDS: Final = r"(?P<blocking>blocking|mandatory|required|binding|hard)|(?P<advisory>advisory|optional|soft)"
_KIND: Final = re.compile(rf"\b(?:{_KINDS})\b(?=\s+(?:[\w'’]+\s+){{0,3}}{_NOUN}\b)", re.IGNORECASE)
# "All others pass": all but those that the text names.
_OTHERS: Final = re.compile(r"\b(?:else|others|the rest|remaining|other(?!\s+than))\b", re.IGNORECASE)
# "PB0": digits among letters are read as the letters that they look like.
_MIXED: Final = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*\d)\w+\b")
_LETTERS: Final = str.maketrans("01345", "oleas")
_UNNAMED: Final = re.compile(
    rf"\b(?:{_ALL}|{_NO})\s+{_BETWEEN}{_NOUN},?\s+(?:(?:\w+\s+){{0,2}}(?:pass|fail)\w*,?\s+)?{EXCEPT}\s+"
    rf"|\b(?:all|every)\s+but\s+(?=(?:[\w'’]+\s+){{0,5}}{_NOUN}\b)",
    re.IGNORECASE,
)


def held_outcomes(text: str, facts: Sequence[Quantity]) -> Iterator[Held]:
    """The check of each sentence about outcomes of gates, with expected and found."""
    gates = gates_of(facts)
    if not gates:
        return
    if (number := sum(1 for _ in _CLAIM.finditer(text)) + len(named(text, gates))) > MOST_OUTCOMES:
        yield Held(f"expected at most {MOST_OUTCOMES} outcomes of gates to check against the evidence, found {number}.")
        return
    text = _MIXED.sub(lambda m: m[0].translate(_LETTERS), text)
    judged: list[Gate] = []
    others = [gate for *_, gate in named(text, gates) if not gate.passes]
    for sentence in _SENTENCE.split(text):
        plain, excepted = _exceptions(sentence, gates)
        claims = list(_CLAIM.finditer(plain))
        judged += excepted if claims else []
        excepted += others if _OTHERS.search(plain) else []
        if not excepted and (unnamed := _UNNAMED.search(sentence)):
            yield from map(Held, _but_some(unnamed, sentence, gates))
            continue
        for match in claims:
            yield from _checked(match, sentence, plain, gates, excepted)
        yield from sweeping(plain, gates, excepted)
        if not claims and not named(sentence, gates):
            yield from unnamed_passes(sentence, [gate for gate in gates if gate not in excepted])
    yield from held_names(text, gates, judged)


def _exceptions(sentence: str, gates: Sequence[Gate]) -> tuple[str, list[Gate]]:
    """The sentence with the words after "except" blanked, and the gates named in them."""
    excepted: list[Gate] = []
    for match in re.finditer(rf",?\s*\b{EXCEPT}\s+(?:the\s+)?", sentence, re.IGNORECASE):
        end, own = match.end(), list[Gate]()
        kind = re.match(rf"(?:{_KINDS})\b(?:\s+(?:ones?|gates?))?", sentence[end:], re.IGNORECASE)
        if kind is not None:
            own = [gate for gate in gates if gate.is_blocking == (kind["blocking"] is not None)]
            end += kind.end()
        for start, stop, gate in named(sentence, gates):
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


def _checked(
    match: re.Match[str], written: str, plain: str, gates: Sequence[Gate], excepted: Sequence[Gate]
) -> Iterator[Held]:
    left, right = _around(match, plain)
    clause = plain[match.start("how") if match["not"] else left : right]
    quoted = written[match.start() : max(right, match.end())].strip()[:200]
    scoped, scope = _scoped(clause, gates, excepted)
    how = (match["how"] or match["after"] or "all").lower()
    is_none = re.fullmatch(_NO, how) is not None
    if _BLOCKS.search(clause) and not _FAILS.search(clause):
        return  # a sweeping sentence, checked against the gates that may block
    fails = _FAILS.search(clause) is not None
    is_of_others = re.search(_GATE_NOUN, match[0], re.IGNORECASE) is None and match["how"] is not None
    if not fails and not _PASSES.search(clause) and (is_of_others or _NEUTRAL.search(clause)):
        return
    yield Held("", HeldKind.OUTCOME)
    failing = [gate.key for gate in scoped if not gate.passes]
    if how == "any":
        is_none = re.search(r"\b(?:not|never|no|without)\b|n['’]t\b", clause, re.IGNORECASE) is not None
        fails = fails and re.search(r"\b(?:fail|miss|breach|violat)", clause, re.IGNORECASE) is not None
    all_pass = is_none == fails
    number = re.search(rf"\b(?:{_NUMBER})(?=\s+(?:[\w'’]+\s+){{0,5}}gates?\b)", match[0], re.IGNORECASE)
    if number is not None and _number(number[0]) not in {len(scoped), len(scoped) + len(excepted)}:
        yield Held(f"“{quoted}” is not so: expected {len(scoped)} gates, found “{number[0]}”.")
    elif match["not"]:
        if all_pass and not failing:
            yield Held(f"“{quoted}” is not so: {scope} pass.")
    elif all_pass and failing:
        expected = f"expected every one of {scope} to pass, found {len(scoped) - len(failing)} of {len(scoped)}"
        yield Held(f"“{quoted}” is not so: {expected}; not passed: {', '.join(failing)}.")
    elif not all_pass and len(failing) < len(scoped):
        expected = f"expected none of {scope} to pass, found {len(scoped) - len(failing)} of {len(scoped)}"
        yield Held(f"“{quoted}” is not so: {expected}.")
    if wrong := [gate.key for gate in excepted if gate.passes == all_pass]:
        does = "passes too" if all_pass else "does not pass either"
        yield Held(f"“{quoted}” is not so: it excepts {', '.join(wrong)}, which {does}.")


def _but_some(match: re.Match[str], sentence: str, gates: Sequence[Gate]) -> Iterator[str]:
    """The check of an exception without names: a number of gates is counted, anything else is refused."""
    rest = sentence[match.end() :]
    number = re.match(rf"(?:{_NUMBER}|one)\b", rest, re.IGNORECASE)
    scoped, scope = _scoped(sentence, gates, ())
    failing = [gate.key for gate in scoped if not gate.passes]
    quoted = sentence[match.start() :].strip()[:200]
    if number is None:
        yield f"“{quoted}” cannot be checked; name the gates that it excepts: {', '.join(g.key for g in gates)}."
    elif _number(number[0]) != len(failing):
        yield f"“{quoted}” is not so: {len(failing)} of {scope} did not pass: {', '.join(failing) or 'none'}."


def _around(match: re.Match[str], sentence: str) -> tuple[int, int]:
    left = max((m.end() for m in _CLAUSE.finditer(sentence) if m.end() <= match.start()), default=0)
    right = min((m.start() for m in _CLAUSE.finditer(sentence) if m.start() >= match.end()), default=len(sentence))
    return left, right


def _scoped(clause: str, gates: Sequence[Gate], excepted: Iterable[Gate]) -> tuple[list[Gate], str]:
    """The gates of a clause: all, unless it says the memo's five or the blocking ones."""
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
