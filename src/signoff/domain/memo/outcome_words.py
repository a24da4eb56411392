"""Words that would hide the outcome of a gate that does not pass.

A sentence that names such a gate must state its outcome ("PBO fails"). A sentence about everything ("nothing blocks",
"all good") is refused while one of its gates does not pass.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from signoff.domain.memo.gate_names import NUMBERS, WORDS, Gate, named
from signoff.domain.memo.held import Held, HeldKind
from signoff.domain.outcome import Outcome

Named = tuple[int, int, Gate]
_SENTENCE: Final = re.compile(r"[.!?](?=\s|$)|\n")
_BREAK: Final = re.compile(r";|,?\s(?:but|while|whereas|although|though|yet|however|unlike)\s", re.IGNORECASE)
_GOOD: Final = (
    r"pass(?:es|ed|ing)?|clear(?:s|ed)?|fine|ok(?:ay)?|good|well|met|meets?|satisf\w+|green|sound|healthy|strong|robust"
    r"|solid|clean|low|excellent|comfortabl\w+|succe\w+"
)
_MISSED: Final = (
    r"fail(?:s|ed|ing|ures?)?(?!\s+to\b(?!\s+(?:pass|meet|reach|clear|satisfy|stay)))|miss(?:es|ed)|breach(?:es|ed)?"
    r"|not\s+(?:\w+\s+){0,2}(?:pass\w*|clear\w*|met|meet|reach|hold|satisf\w+)|(?:does|do|did|has|ca|wo"
    r"|could)n['’]t\s+(?:pass|clear|meet|reach|hold)"
    r"|(?:does|do|did)(?:\s+not|n['’]t)(?=\s*(?:$|[,.;:)]))"
)
_HINDERED: Final = r"block(?:s|ed|ing)?|overr[io]d\w*|waive[dr]?|unmet|violat\w+|red|exception|rejected|short of"
_ELLIPSIS: Final = re.compile(r"(?:does|do|did)(?:\s+not|n['’]t)", re.IGNORECASE)
_VERB: Final = re.compile(r"\b(?:pass|clear|fail|miss(?:es|ed))", re.IGNORECASE)
_UNDECIDED: Final = (
    r"inconclusive|undecided|unknown|not evidenced|error|insufficient|too (?:few|little|short)"
    r"|(?:could|can) ?not be (?:comput|measur|decid|judg|evaluat)\w*"
)
_LINE: Final = (
    r"(?=\s+(?:\S+\s+){0,4}?"
    r"(?:\d|threshold|limit|line|bar|mark|ask|allow|requir|maxim|minim|target|half|policy|level|what))"
)
_ABOVE: Final = rf"(?:above|exceeds?|exceeded|(?:higher|greater|more) than){_LINE}"
_BELOW: Final = rf"(?:below|beneath|(?:lower|less) than){_LINE}"
# Words that negate an outcome: "does not fail", "would fail", "failed until", "fails nothing".
_DENIED: Final = re.compile(
    r"(?:\b(?:not?|never|without|cannot|nor|hardly|barely|scarcely|far from|free of|avoid\w*|if|unless|were|would|could"
    r"|might|may|should|nothing|none|zero|neither|stop\w*|ceas\w*|until|used to|once|almost|nearly|instead of"
    r"|rather than"
    r"|ever|myth|(?:trials?|models?|configurations?|runs?|sessions?|orders?|versions?|others|many|some) (?:that"
    r"|which))\b|n['’]t)\W+(?:\w+\W+){0,3}$",
    re.IGNORECASE,
)
_EMPTY: Final = re.compile(r"\W*(?:no|nothing|none|neither|nowhere|only (?:if|when|where))\b", re.IGNORECASE)
_PAST: Final = re.compile(
    r"\b(?:until|earlier|previously|formerly|at first|initially|originally|historically|no longer|in the past"
    r"|(?:in|for|under|with) (?:the |our )?(?:old|previous|former|prior|last)"
    rf"|(?:now|today|since|again|later|then|finally|eventually|meanwhile)\W+(?:\w+\W+){{0,2}}(?:{_GOOD}))\b",
    re.IGNORECASE,
)
EXCEPT: Final = (
    r"(?:except(?:ing)?(?: for)?|other than|apart from|aside from|besides?|save(?: for)?|excluding|but(?: for)?|"
    r"bar(?:ring)?|with the exception of|leaving out)"
)
# A gate that a sentence excepts: "all gates except PBO".
_SURELY_EXCEPT: Final = EXCEPT.replace("but(?: for)?|", "but for|(?:all|every|everything|nothing|none) but|")
_EXCEPTED: Final = re.compile(
    rf"\b{_SURELY_EXCEPT}\s+(?:[\w\s-]+(?:,|\sand\s|\sor\s)\s*){{0,4}}(?:the\s+)?$", re.IGNORECASE
)
_TAKEN_UP: Final = re.compile(
    r"(?<!if )(?<!when )(?<!once )(?<!until )(?<!whether )\b(?:it|this|that|they|and|but|in truth|in fact|actually"
    r"|really)\s+"
    r"(?:(?:now|then|also|clearly|easily|in truth|in fact|actually|really|still|has|had)\s+){0,2}(?P<verb>pass(?:es"
    r"|ed)?|clears?)\b",
    re.IGNORECASE,
)
_PASSED: Final = re.compile(
    r"\b(?:pass(?:es|ed|ing)?(?!\s+(?:to|through|on|by|over|along|within|as|from|into|of)\b)|green|ticked|validated)\b",
    re.IGNORECASE,
)
_OF_OTHER_MATTERS: Final = re.compile(
    r"\b(?:unit|integration|performance|reviews?|audits?|near miss\w*|orders?|trades?|requests?|messages?|targets?"
    r"|time|days?"
    r"|sessions?|months?|not|never|no|if|once|until|when|unless|\d+ of \d+|\d+ gates?|(?:one|two|three|four|five"
    r"|six|seven|eight)"
    r" (?:\w+ ){0,4}gates?)\b|n['’]t\b|\d+\s?/\s?\d+",
    re.IGNORECASE,
)
_LIST: Final = r"(?:['’]s)?(?:\s+gates?)?\s*(?:,|/|&|,?\s+(?:and|or|nor|as well as))\s*(?:the\s+|also\s+|both\s+){0,2}"
_TO_VERB: Final = (
    r"(?:['’]s)?(?:\s+gates?)?(?:\s*,[^,]{0,80},|\s*\([^()]*\))?\s?(?:(?!\s(?:and|gates)\b)[^,;:()]){0,60}"
    r"(?:,\s*|:\s*|,?\s(?:and|so|thus|hence|therefore|which|that)\s)?(?:(?:still|therefore|thus|it|also|just|well"
    r"|does|do|did|has|have|is|are|was|can|could|will)\s){0,3}"
)
_SWEEPING: Final = re.compile(
    r"\b(?:nothing|none|no ?one|nobody)\b[^.;,]{0,40}?\b(?:fail\w*|block\w*|breach\w*|miss(?:es|ed|ing)|red|wrong|amiss"
    r"|in (?:the|our) way|prevents?|against|outstanding|open|worr\w+|to (?:report|fix|flag|add)|of note|left|keeps"
    r"|stops|hinders|hold(?:s|ing) (?:it|us) back)\b"
    r"|\b(?:no|zero|without(?: an?| any)?|free (?:of|from)|not an?|not any|not a single"
    r"|never an?)\s+(?:[\w'’-]+\s+){0,3}?"
    r"(?:issues?|problems?|block\w*|fail\w*|breach(?:es)?|reds?(?: flags?)?|weakness\w*|obstacles?|show-?stoppers?"
    r"|shortcomings?)\b"
    r"(?!\s+(?:(?:with|in|of|at|from) (?:the |our |any )?)?(?:orders?|fills?|sessions?|predictions?"
    r"|(?:data )?feeds?|data"
    r"|symbols?|trades?|days?|trials?|features?|rows?|lines?|vendors?|brokers?|prices?|infrastructure)\b"
    r"(?![^.;]*\b(?:gates?|checks?|criteria|tests?|else)\b))"
    rf"|\b(?:everything|all)\s+(?:(?:is|are|was|looks?|of (?:it|them|these)|the|that|else|we"
    rf"|\w+ed)\s+){{0,4}}(?:{_GOOD})\b"
    r"|\b(?:fail\w*|issues?|problems?|block\w*|breach\w*|red flags?)\b[^.;,]{0,20}[:=–-]\s*(?:none|nil|zero|no"
    r"|nothing)\b"
    r"|(?:\b(?:never|nowhere|at no \w+|not once)|n['’]t (?:a|any|one))\s+(?:\w+\s+){0,4}?(?:fail|block)\w*"
    r"|(?:failure|issue|problem)-free"
    r"|\b(?:not|never|n['’]t)\s+(?:\w+\s+)?block\w*|\bon (?:every count|all counts|all fronts)\b"
    r"|\bin every (?:respect|way)\b"
    r"|\bby every measure\b|\b(?:top marks|perfect (?:score|record)|all systems go|all-clear)\b|\bfully compliant\b"
    r"|\b(?:everything|all)\s+(?:is\s+)?(?:checks? out|works|holds?|in order|right|set|as it should)\b"
    r"|\bcompl(?:y|ies) with (?:all|every)\b"
    r"|\bacross the board\b|\bclean (?:sweep|bill|sheet|slate)\b|\bflying colou?rs\b|\bfull marks\b"
    r"|\bwithout exception\b"
    r"|\b(?:pass\w*|clear\w*|fully|success\w*)\s+(?:its\s+|the\s+|all\s+|full\s+)?validat\w+"
    r"|\bvalidat\w+\s+(?:is\s+|was\s+)?"
    r"(?:success\w*|pass\w*|clean|complete[dly]* and)|\bno (?:override|waiver)s? (?:is |was |are )?(?:needed"
    r"|required|necessary)"
    r"|\b(?:needs?|requires?) no (?:override|waiver)|\bwithout (?:an? |any )?(?:override|waiver)|\bunblocked\b"
    rf"|\b(?P<same>\d+|{'|'.join(NUMBERS[1:])}) (?:out )?of (?P=same)\b(?!\s+(?!gates?|checks?|tests?|criteria|pass"
    rf"|are)\w)",
    re.IGNORECASE,
)
_OF_BLOCKS: Final = re.compile(r"\b(?:un)?block|overrid|override|waiver|in (?:the|our) way|prevent", re.IGNORECASE)


def held_names(text: str, gates: Sequence[Gate], judged: Sequence[Gate]) -> Iterator[Held]:
    """The check of each sentence that names a gate: it must state a failure, and must not call a pass a failure.

    `judged` are those that a sentence over all gates has excepted.
    """
    everywhere = named(text, gates)
    for match in _TAKEN_UP.finditer(text):
        last = max((one for one in everywhere if one[1] <= match.start("verb")), key=lambda one: one[1], default=None)
        if last is not None and not last[2].passes:
            yield Held(f"“{match[0]}” is not so: {last[2].title} {WORDS[last[2].outcome]}.")
    for sentence in re.findall(r"(?:[^.!?\n]|[.!?](?!\s|$))+[.!?]?", text):
        mentions = [
            one for one in named(sentence, gates) if one[2] not in judged or not _EXCEPTED.search(sentence[: one[0]])
        ]
        quoted = f"“{sentence.strip().rstrip('.!?')[:200]}”"
        for gate in {gate.key: gate for *_, gate in mentions}.values():
            is_carried = not sentence.endswith("?") and gate in list(_carried(sentence, mentions, gate))
            if gate.passes and is_carried:
                yield Held(f"{quoted} is not so: the gate {gate.key} passes.", HeldKind.OUTCOME)
            elif not gate.passes and not is_carried:
                outcome = WORDS[gate.outcome]
                yield Held(
                    f"{quoted} names {gate.title}, which {outcome}, and does not say so; write its outcome beside it, "
                    f"as in “{gate.title} {outcome}” or “{gate.title} {{gates.{gate.key}.outcome}}”."
                )
            elif is_carried or _PASSED.search(sentence):
                yield Held("", HeldKind.OUTCOME)


def unnamed_passes(sentence: str, gates: Sequence[Gate]) -> Iterator[Held]:
    """The check of a sentence in which something unnamed passes, while a gate does not."""
    failing = ", ".join(f"{gate.title} {WORDS[gate.outcome]}" for gate in gates if not gate.passes)
    word = _PASSED.search(sentence)
    if failing and word and not _OF_OTHER_MATTERS.search(sentence):
        message = f"“{sentence.strip()[:200]}” does not say what “{word[0]}” is about, and {failing}; name the gate."
        yield Held(message)


def sweeping(sentence: str, gates: Sequence[Gate], excepted: Sequence[Gate]) -> Iterator[Held]:
    """The check of a sentence that praises everything, while one of its gates does not pass."""
    for match in _SWEEPING.finditer(sentence):
        if re.search(r"\b(?:not|n['’]t)\s+$", sentence[: match.start()], re.IGNORECASE):
            continue
        only_blocking = _OF_BLOCKS.search(match[0]) is not None
        failing = [
            gate
            for gate in gates
            if not gate.passes and gate not in excepted and (gate.is_blocking or not only_blocking)
        ]
        if failing:
            which = ", ".join(f"{gate.title} {WORDS[gate.outcome]}" for gate in failing)
            yield Held(f"“{match[0]}” is not so: {which}.")


def _carried(sentence: str, mentions: Sequence[Named], gate: Gate) -> Iterator[Gate]:
    """The gates to which the sentence gives an outcome as bad as this gate's, or a failure if it passes."""
    words = [_MISSED]
    if not gate.passes:
        words += [_ABOVE if gate.is_at_most else _BELOW, *([] if gate.outcome is Outcome.FAIL else [_UNDECIDED])]
        words += [_HINDERED]
    left, mentions = 0, [one for one in mentions if not _EXCEPTED.search(sentence[: one[0]])]
    for part_end in [*(m.start() for m in _BREAK.finditer(sentence)), len(sentence)]:
        part = sentence[left:part_end]
        own = [(a - left, b - left, g) for a, b, g in mentions if left <= a and b <= part_end]
        for word in re.finditer(rf"(?<!\w)(?:{'|'.join(words)})(?!-?\w)", part, re.IGNORECASE) if own else ():
            verbs = _VERB.findall(sentence[: left + word.start()])
            is_good = _ELLIPSIS.fullmatch(word[0]) and verbs and verbs[-1].lower().startswith(("fail", "miss"))
            if not (
                is_good or _DENIED.search(part[: word.start()]) or _EMPTY.match(part, word.end()) or _PAST.search(part)
            ):
                yield from _about(part, own, word.start(), word.end())
        left = part_end


def _about(part: str, own: Sequence[Named], start: int, end: int) -> Iterator[Gate]:
    """The gates of an outcome: those listed before it, else those right after it."""
    before = [one for one in own if one[1] <= start and not re.match(r"[^(]*\)", part[one[1] : start])]
    if before and not re.search(rf"\b(?:{_GOOD})\b", part[before[-1][1] : start], re.IGNORECASE):
        joint = _TO_VERB
        for one in reversed(before):
            if re.fullmatch(joint, part[one[1] : start], re.IGNORECASE) is None:
                return
            yield one[2]
            start, joint = one[0], _LIST
        return
    joint = r"(?:\s+(?!and\s)[^,;()\s]+){0,6}:?\s*"
    behind = [one for one in own if one[0] >= end]
    listed = 0
    for one in behind:
        if re.fullmatch(joint, part[end : one[0]], re.IGNORECASE) is None:
            break
        listed, end, joint = listed + 1, one[1], _LIST
    following = behind[listed][0] if listed < len(behind) else len(part)
    if not re.search(rf"\b(?:{_GOOD})\b", re.split(r",|\sand\s", part[end:following])[0], re.IGNORECASE):
        yield from (gate for *_, gate in behind[:listed])
