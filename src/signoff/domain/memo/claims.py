"""Compares the numbers in a text that people wrote with the facts.

A text with placeholders (`{metrics.sharpe.new}`) may contain no bare figure. In any other text each number must agree
with a fact at its printed precision. The words around a number name its subject: "+15% Sharpe" is compared with the
change of the Sharpe ratio and with no other 15%. A number that no fact supports is a contradiction.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final
from unicodedata import bidirectional

from signoff.domain.assessment import StressRow
from signoff.domain.look_alikes import folded
from signoff.domain.memo.circumstances import circumstances
from signoff.domain.memo.every_gate import held_outcomes
from signoff.domain.memo.gate_names import NUMBERS, gates_of, is_outcome
from signoff.domain.memo.held import Held, HeldKind
from signoff.domain.memo.labels import INTERVAL, is_of, label_of, refusal
from signoff.domain.memo.placeholders import LISTED, PLACEHOLDER, blanked, filled, is_word, misplaced, printed
from signoff.domain.memo.significance import held_significance
from signoff.domain.memo.signs import held_signs
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit

MOST_NUMBERS: Final = 150
"""In one text: each is compared with every figure, and its subject is searched for in the whole sentence."""
_WORDS: Final = {"zero": 0} | {word: value for value, word in enumerate(NUMBERS, start=1)}
_UNITS: Final = (
    (r"percentage points?|pp", "points"),
    (r"%|per ?cent\b", "%"),
    (r"bps|basis points?", "bps"),
    (r"ms|milliseconds?", "ms"),
    (r"seconds?|secs?|s", "s"),
    (r"minutes?|mins?", "min"),
    (r"trading days?|days?|sessions?|d", "days"),
    (r"months?", "months"),
    (r"years?|yrs?|y", "years"),
    (r"MB", "MB"),
    (r"/s|per second|predictions/s(?:ec)?", "/s"),
    (r"[x×]", "times"),
)
_NUMBER: Final = re.compile(
    r"(?P<sign>(?<![\w.])[+\-−–]\s?|±\s?)?(?<![\w.])(?P<dollar>\$)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:(?P<scale>\s?(?:k|K|M|bn))(?![\w/%]))?"
    r"(?:\s?-?(?:"
    + "|".join(f"(?P<u{i}>{pattern})" for i, (pattern, _) in enumerate(_UNITS))
    + r")(?![\w]))?(?P<tail>\w\S*)?"
)
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
# Digits that are names: versions, dates and times, moments like T-24h, references to the memo itself.
_NAMES: Final = (
    r"\bv\d+(?:\.\d+)*[\w.+-]*(?<!\.)",
    r"\bversions?\s+\d+(?:\.\d+)*",
    r"(?<![\w.])\d+\.\d+\.\d+[\w.+-]*(?<!\.)",
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z\b|[+-]\d\d:?\d\d\b|\b)",
    r"\b(?:\d{1,2}/){1,2}(?:19|20)\d\d\b",
    r"\b(?:19|20)(?:\d0s|\d\d[ -]?[QH][1-4])\b|\bFY ?(?:19|20)?\d\d\b",
    r"\b(?:10-[KQ]|8-K|20-F|13F)\b",
    r"\b95\s?%(?=\s(?:two-sided\s)?(?:confidence|intervals?|CI|band|bounds?)\b)",
    r"\bhalf\b(?= of (?:the|its) (?:trials|family|configurations|splits|partitions)\b)",
    r"\b\d{4}-(?:0[1-9]|1[0-2])(?:-[0-3]\d)?\b",
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}(?:\s+\d{{4}})?\b",
    rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}\b",
    rf"\b{_MONTH}\s+(?:[12]?\d|3[01]|(?:19|20)\d\d)\b(?!%|[.,]\d)",
    r"(?<!ratio of )\b\d{1,2}:\d{2}\b",
    r"\bT\s?[+\-−]\s?\d+\s?[dhm]?\b",
    r"\b(?:sections?|phases?|steps?|chapters?)\s+\d+(?:\.\d+)*\b",
    r"\b15c3-5\b",
    r"\bp(?:50|90|95|99)\b",
    r"\b[HQ][1-4]\b",
    r"(?<![\w.])24/[57](?![\w.])",
    r"(?<![\w.,$])(?:19|20)\d\d(?![\w%]|[.,]\d)(?!\s+(?:\w+\s+)?(?:trials|features|predictions|sessions|configurations"
    r"|orders|days|stocks|symbols|trades|bps|basis|ms|milli\w+|seconds|points|per|%|dollars|USD|times|rows|gates))",
)


_WINDOW: Final = (
    r"\b\d{1,3}-(?:day|session|week|month|year)\b(?=\s+(?:\w+\s+)?"
    r"(?:sharpe|returns?|VaR|value at risk|draw-?down|volatility|hit[ -]rate|latency|correlation|slippage)\b)"
)
_NO_METRIC: Final = (
    r"(?![.,]?\d)(?!\s+(?:sharpe|ratio|returns?|hit|win\w*|gains?|draw-?down|per ?cent|%|bps|sigma|alpha|profit)\b)"
)


class Gain(Enum):
    """What a rising figure means, which gives "improved" its sign."""

    GOOD = auto()  # Sharpe ratio, return, hit rate
    LOSS = auto()  # negative figures: nearer to zero is better, and people often omit the sign
    COST = auto()  # latency, slippage, error rate


@dataclass(frozen=True, slots=True)
class ClaimSubject:
    """What a number may be about: the words that name it, and the facts that it is compared with."""

    words: str
    facts: str
    gain: Gain = Gain.GOOD


_COUNTS: Final = "windows|predictions|partitions|orders|trials|counts|features"
_GATE_COUNTS: Final = ClaimSubject(r"gates?", r"^gates\.(?:passed|total)$")
_SUBJECTS: Final = (
    ClaimSubject(r"deflated(?: sharpe(?: ratio)?)?", r"^gates\.deflated_sharpe\."),
    ClaimSubject(r"hansen(?:['’]s)?(?: SPA)?|superior predictive ability|reality check", r"^gates\.hansen_spa\."),
    ClaimSubject(r"sharpe(?: ratio)?", r"^(?!gates\.deflated)(?!.*p_value).*sharpe"),
    ClaimSubject(r"p(?:[ -]values?)?(?=\s{0,9}[=<>≤≥]?\s{0,9}\d)", r"_p$|p_value$|\.p$"),
    ClaimSubject(r"CVaR|conditional value at risk|expected shortfall", r"conditional_value_at_risk", Gain.LOSS),
    ClaimSubject(r"VaR|values? at risk", r"^risk\.value_at_risk|^gates\.var\.", Gain.LOSS),
    ClaimSubject(r"(?:max(?:imum)? )?draw-?downs?", r"drawdown", Gain.LOSS),
    ClaimSubject(r"hit[ -]rate", r"hit_rate"),
    ClaimSubject(r"win\W?loss", r"win_loss"),
    ClaimSubject(r"returns?", r"return"),
    ClaimSubject(r"latency|inference", r"latency|inference", Gain.COST),
    ClaimSubject(r"slippage", r"slippage", Gain.COST),
    ClaimSubject(r"error rate|errors", r"error_rate", Gain.COST),
    ClaimSubject(r"correlations?", r"correlation"),
    ClaimSubject(r"PBO|overfitting", r"^gates\.pbo\.", Gain.COST),
    ClaimSubject(r"SPA|symmetric prediction accuracy", r"^gates\.spa\."),
    ClaimSubject(r"DSR|downside sensitivity", r"^gates\.dsr\.", Gain.COST),
    ClaimSubject(r"walk[ -]forward", r"^gates\.walk_forward\."),
    ClaimSubject(r"windows?|quarters?", r"windows$"),
    ClaimSubject(r"predictions?", r"predictions|\.n$"),
    ClaimSubject(r"partitions?|splits?", r"partitions$|splits$"),
    ClaimSubject(r"orders?", r"\.orders$"),
    _GATE_COUNTS,
    ClaimSubject(r"features?", r"^features\."),
    ClaimSubject(r"trials?|configurations?", r"\.trials$"),
    ClaimSubject(r"stocks|symbols|equities|instruments|assets", r"^counts\.symbols$"),
    ClaimSubject(r"allocations?|capital", r"^plan\.allocation$"),
    ClaimSubject(r"shadow|limited", r"^plan\."),
    ClaimSubject(r"training|look-?back", r"^training_days\."),
)
# Facts of a special circumstance count only if the sentence names it.
_SCOPES: Final = (
    (r"^regimes\.bull", r"\bbull"),
    (r"^regimes\.bear", r"\bbear"),
    (r"^regimes\.\w*volatility", r"volatil"),
    (r"^stress\.crisis_2008", r"2008|crisis"),
    (r"^stress\.covid", r"covid|2020"),
    (r"^stress\.flash", r"flash"),
    (r"^stress\.august_2015", r"2015"),
    (r"^stress\.february_2018", r"2018"),
    (r"^stress\.rates_2022", r"2022|interest rates"),
    (r"^stress\.own_", r"stress"),
    (r"^paper\.(?:sharpe|correlation|days)", r"paper|correlat"),
    (r"\.(?:low|high)$", INTERVAL),
)
_PREVIOUS: Final = re.compile(
    r"(?<!than )(?<!over )(?<!with )(?<!to )(?<!against )(?<!versus )(?<!vs )(?<!from )(?<!replaces )"
    r"\b(?:(?:the|our|its) )?(?:previous|old|former|incumbent|champion|predecessor)\b",
    re.IGNORECASE,
)
PREVIOUS: Final = "the previous version"
_ELSEWHERE: Final = re.compile(r"\b(?:new|candidate|backtest\w*|out of sample)\b", re.IGNORECASE)
_OF_THE_BACKTEST: Final = re.compile(r"\b(?:backtest\w*|out of sample|overall)\b", re.IGNORECASE)
_PLANNED: Final = r"^(?:\^plan|\^features|\^training|\^gates\\\.\()"
_BETTER: Final = r"improv\w*|better(?!\s+(?:half|of (?:the|its))\b)|enhanc\w*|strengthen\w*"
_WORSE: Final = r"worse\w*|deteriorat\w*|weaken\w*|slower"
_MORE: Final = r"increas\w*|higher|rise[sn]?|rose|rising|gain(?:s|ed)?|more|up|grow\w*|grew|greater|larger|deeper"
_LESS: Final = (
    r"reduc\w*|decreas\w*|lower\w*|less|fall(?:s|en|ing)?|fell|drop\w*|declin\w*|down|cuts?|smaller|shallower"
)
_ARROW: Final = re.compile(r"^(?:\s\w+)?\s*(?:→|->|⟶|–>)\s*$")
_FROM_TO: Final = re.compile(r"^(?:\s\w+)?\s+to\s+$", re.IGNORECASE)
_BOUNDS: Final = re.compile(r"^(?:\s(?:to|and)\s|\s?[-–,;]\s?)[+−-]?$")
_AGAINST: Final = re.compile(
    r"^(?:\s\w+)?,?\s+(?:against|vs\.?|versus|compared (?:with|to)|(?:up|down) from)\s+$", re.IGNORECASE
)
_BREAK: Final = re.compile(r"[.!?:](?=\s|$)|[,;](?=\s)|[()\n]|\s(?:and|while|but)\s", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"[.!?](?=\s|$)|\n")
# Repetitions are bounded wherever another one follows, so that matching stays linear in the text.
_COUNT: Final = rf"(?:(?<!\d)\d{{1,9}}(?!\d)|{'|'.join(_WORDS)})"
_GATES: Final = re.compile(
    rf"(?<!but )\b(?P<n>{_COUNT}|all|every|none)(?: of|\s?/)?(?: (?:the|its|our|all)){{0,4}}(?: memo['’]s)?"
    rf"(?:\s?(?P<total>{_COUNT}))?"
    r"(?: (?:validation|risk|memo)){0,4} gates?\b(?P<rest>[^.;,]*)",
    re.IGNORECASE,
)
# "3 are inconclusive and 1 fails", in a sentence on gates.
_NUMBERED: Final = re.compile(
    rf"(?<!of )(?<!/)\b(?P<n>{_COUNT})\s+(?:(?:(?:blocking|advisory|others?|gates?)\s+){{0,2}}(?:(?:is|are)\s+"
    r"(?P<inconclusive>inconclusive)|end(?:s|ed)? in an (?P<error>error))|(?:others?\s+)?(?P<fail>fails?))\b",
    re.IGNORECASE,
)
_FAILING: Final = re.compile(r"\b(?:fail\w*|miss(?:es|ed)?|not pass\w*)\b|n['’]t pass", re.IGNORECASE)
_SPOKEN: Final = (
    rf"{'|'.join(_WORDS)}|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[ -]\w+)?|hundred|half a"
)
AMOUNT_IN_WORDS: Final = re.compile(
    rf"\b(?:{_SPOKEN})\s+(?:per ?cent|percentage points?|basis points?|bps|ms|milliseconds?|seconds?)\b"
    r"|\d{0,9}[¼½¾⅓⅔]",
    re.IGNORECASE,
)
_TURNING: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_VERSION: Final = re.compile(r"\d+(?:\.\d+)*")
_SPELT: Final = (
    rf"(?:{'|'.join(NUMBERS[1:])}|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|dozens?|hundreds?|thousands?"
    r"|millions?|billions?)"
)
# Digits in any word, and number words from two upward; "the two versions" and "two-sided" are no counts.
_FIGURE: Final = re.compile(
    r"(?<!\w)[+\-−–±$€£~<>≤≥#]*(?:[\w.,:/'’-]*\d[\w.,:/'’+\-−–]*%?|[½¼¾⅓⅔])"
    rf"|\b(?!(?<=\b(?:the|its|our)\s)(?:two|three|four)\s+(?!{_SPELT}\b|per|percent|points?|of|bps|basis|gates?\b)[a-z])"
    rf"{_SPELT}\b(?!-(?:sided|tailed|stage|step|way|factor|phase|tier)\b)(?:[\s-](?:and\s)?{_SPELT}\b)*"
    r"|\bhalf\b(?=\s+(?:of|the|a|an|its|as)\b)|\bby (?:a |one )?(?:half|third|quarter|fifth|tenth)\b"
    r"|\b(?:a|one) (?:third|quarter|fifth|tenth) (?:better|more|less|higher|lower|faster|of)\b",
    re.IGNORECASE,
)
# What may stand between the name of a figure and the figure.
_BESIDE: Final = (
    r"(?:\s*(?:of|is|was|at|reads?|stands?|came|comes|to|reached|reaches|ratio|:|=|\(|now|a|the|only)\s*){0,4}\s*"
)
_MULTIPLES: Final = re.compile(r"\b(?:doubl|tripl|quadrupl|halv)\w*|\btwice\b|\b\w+fold\b", re.IGNORECASE)
_PASSING: Final = re.compile(r"\b(?:pass\w*|clear\w*|green|hold|held)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A number of the text with its context."""

    text: str
    value: float
    decimals: int
    scale: float
    sign: str
    unit: str
    start: int
    end: int
    subject: ClaimSubject | None
    change: int | None
    sentence: str
    is_taken_over: bool = False
    scope: str = ""
    own_facts: str = ""

    @property
    def signed(self) -> float:
        return -self.value if self.sign == "-" else self.value

    @property
    def tolerance(self) -> float:
        return 0.5 * 10.0**-self.decimals * self.scale + 1e-9


def held(
    text: str, facts: Sequence[Quantity], known_words: Collection[str] = (), windows: Sequence[StressRow] = ()
) -> tuple[Held, ...]:
    """The checks of everything in a text that can be compared with the facts, and what cannot be.

    `known_words` are names that contain digits; a bare number ("2.0") is such a name only if no figure is the subject.
    A figure beside the title or the year of one of the `windows` is one of its figures.
    """
    if turned := sorted({f"U+{ord(char):04X}" for char in text if bidirectional(char) in _TURNING}):
        return (Held(f"expected a text that is read in one direction, found {', '.join(turned)}; remove them."),)
    text = folded(text)
    valued = [fact for fact in facts if fact.is_provided]
    named = [fact for fact in facts if not is_outcome(fact)]
    filled_in = blanked(filled(text, [fact for fact in named if fact.name.startswith("gates.")]))
    has_outcomes = any(is_outcome(fact) for fact in valued)
    checks = [*held_outcomes(filled_in, valued), *held_signs(blanked(text), valued), *_held_numbers(filled_in, valued)]
    checks += _held_counts(_without_counts(filled_in), valued, is_counted_only=has_outcomes)
    checks += held_significance(blanked(text), valued)
    plain = _without_names(blanked(text), known_words)
    if (numbers := sum(1 for _ in _NUMBER.finditer(plain))) > MOST_NUMBERS:
        message = f"expected at most {MOST_NUMBERS} numbers to check against the evidence, found {numbers}; shorten it."
        return (Held(message),)
    figures = [fact for fact in valued if not is_outcome(fact) and not is_word(fact)]
    scopes = _Scopes.of(plain, blanked(text), windows)
    if PLACEHOLDER.search(text):
        refused = (
            *misplaced(text, named),
            *_mislabelled(text, named, scopes),
            *(one.contradiction for one in checks if one.contradiction),
            *_bare(plain, figures, known_words, scopes),
        )
        held_well = [one for one in checks if not one.contradiction]
        asked = {match["name"] for match in PLACEHOLDER.finditer(text)}
        filled_from = [fact for fact in figures if fact.name in asked and not _is_declared(fact)]
        return (*map(Held, refused), *held_well, *(Held("", HeldKind.FIGURE) for _ in filled_from))
    return (*checks, *map(Held, _unreadable(plain)), *_unsupported(plain, text, figures, known_words, scopes))


def _is_declared(fact: Quantity) -> bool:
    return fact.name.startswith(("declared.", "registered."))


def _unsupported(
    text: str, written: str, facts: Sequence[Quantity], known_words: Collection[str], scopes: "_Scopes"
) -> Iterator[Held]:
    """The checks of the numbers of a text without placeholders, one by one or in pairs."""
    candidates = [*facts, *_differences(facts)]
    text = _GATES.sub(_blank_counts, _without_counts(text))
    bare = {word for word in known_words if _VERSION.fullmatch(word)}
    claims = [
        claim
        for claim in _claims(text, scopes)
        if not (claim.subject is None and not claim.unit and claim.text.strip() in bare)
    ]
    index = 0
    while index < len(claims):
        pair = claims[index : index + 2]
        order = _order(text, pair)
        judged = pair if order is not None else pair[:1]
        if order is None:
            errors = _contradiction(pair[0], candidates)
        else:
            errors = tuple(_pair_contradictions(pair[0], pair[1], order, candidates))
        for claim in judged if candidates else ():
            name, pattern = label_of(written, claim.start, claim.end)
            own = [fact for fact in candidates if name and is_of(fact, pattern, written, claim.start)]
            if claim.own_facts and claim.scope != PREVIOUS:
                own = [fact for fact in own if re.search(claim.own_facts, fact.name)]
            agreed = [fact for fact in own if _agrees(claim, fact)]
            is_told = bool(errors and claim.scope and not own)
            if name and not agreed and not is_told and not any(f" {fact.name} = " in "".join(errors) for fact in own):
                errors = (*(one for one in errors if claim.text not in one), refusal(claim.text, name, own))
            elif order is None and not claim.scope and any(fact.name.startswith("gates.") for fact in agreed):
                errors = ()
            agreed = agreed or [fact for fact in _candidates(claim, candidates) if _agrees(claim, fact)]
            if not agreed or not all(_is_declared(fact) for fact in agreed):
                yield Held("", HeldKind.FIGURE)
        yield from map(Held, errors)
        index += len(judged)


def _bare(text: str, facts: Sequence[Quantity], known_words: Collection[str], scopes: "_Scopes") -> Iterator[str]:
    """Each bare figure, in digits or words, of a text with placeholders."""
    claims = [*_claims(text, scopes)]
    for match in _FIGURE.finditer(text):
        written = match[0].rstrip(".,:;-")
        claim = next((c for c in claims if c.start < match.end() and match.start() < c.end), None)
        subject, _ = _subject(text, _clause(text, *match.span()), *match.span())
        if subject is None and "." in written and written in known_words:
            continue  # a version without its "v"
        about = [fact for fact in facts if subject is not None and re.search(subject.facts, fact.name)]
        pool = (_candidates(claim, facts) if claim else about) or about or facts
        near = _closest(claim, pool) if claim else next(iter(pool), None)
        nearest = f"the nearest is {{{near.name}}} ({printed(near)}); " if near else ""
        yield f"“{written}” is a bare figure in a summary that asks for its figures by name; {nearest}{LISTED}."
    for match in _MULTIPLES.finditer(text):
        yield f"“{match[0]}” is a figure in words; ask for it by name, as in {{metrics.sharpe.change}}; {LISTED}."


def _mislabelled(text: str, facts: Sequence[Quantity], scopes: "_Scopes") -> Iterator[str]:
    """Each placeholder with another figure's name before it, or of a circumstance that the text does not name."""
    by_name = {fact.name: fact for fact in facts}
    plain, previous = blanked(text), 0
    for match in PLACEHOLDER.finditer(text):
        start, (fact, begin) = match.start(), (by_name.get(match["name"]), previous)
        previous = match.end()
        if fact is None:
            continue
        clause = max(begin, _clause(plain, start, match.end())[0])
        label = plain[clause:start]
        subjects = [one for one in _subjects(plain, clause, start) if one[0] is not _GATE_COUNTS]
        last = max(subjects, key=lambda one: one[1], default=None)
        is_beside = last is not None and re.fullmatch(_BESIDE, plain[last[2] : start], re.IGNORECASE)
        is_about = any(re.search(subject.facts, fact.name) for subject in _SUBJECTS)
        scope, own_facts = scopes.around(match.span(), (clause, start), None)
        is_scoped = scope and (scope != PREVIOUS or _PREVIOUS.match(label.lstrip()))
        sentence = _sentence(plain, start)
        name, pattern = label_of(plain, start, match.end())
        if (last is not None and is_beside and is_about and not re.search(last[0].facts, fact.name)) or (
            name and not is_word(fact) and not is_of(fact, pattern, plain, start)
        ):
            yield f"“{match[0]}” is not what its words say it is: “{label.strip()[-80:]}”."
        elif is_scoped and re.search(own_facts, fact.name) is None and fact.name.startswith("metrics."):
            yield f"“{match[0]}” is no figure of {scope}, which its sentence names."
        elif not all(re.search(w, sentence, re.IGNORECASE) for name, w in _SCOPES if re.search(name, fact.name)):
            yield f"“{match[0]}” is of a circumstance that its sentence does not name; say what {fact.name} is of."


def _without_names(text: str, known_words: Collection[str]) -> str:
    words = [word for word in known_words if word and not _VERSION.fullmatch(word)]
    patterns = [
        rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words, key=len, reverse=True) if re.search(r"\d", word)
    ]
    named = [rf"(?<!\w){re.escape(word)}\s+\d+(?:\.\d+)+(?!\w)" for word in words]
    for pattern in (*patterns, *named, _WINDOW, *(f"{name}{_NO_METRIC}" for name in _NAMES)):
        text = re.sub(pattern, _blank, text, flags=re.IGNORECASE)
    return text


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _differences(facts: Sequence[Quantity]) -> list[Quantity]:
    """New less old of every share, for numbers in percentage points."""
    by_name = {fact.name: fact for fact in facts}
    points = []
    for name, new in by_name.items():
        old = by_name.get(f"{name.removesuffix('.new')}.old") if name.endswith(".new") else None
        if old is None or new.unit is not Unit.PERCENT or new.value is None or old.value is None:
            continue
        points.append(replace(new, name=f"{name.removesuffix('.new')}.points", value=new.value - old.value))
    return points


def _claims(text: str, scopes: "_Scopes") -> Iterator[Claim]:
    matches = [m for m in _NUMBER.finditer(text) if not re.match(r"(?:st|nd|rd|th)\b", m["tail"] or "")]
    spoken = [
        m
        for m in re.finditer(rf"\b(?:{'|'.join(_WORDS)})(?= (?:\w+ )?(?:features?|gates?)\b)", text, re.IGNORECASE)
        if m[0].lower() != "one"
    ]
    spans = sorted([(m.start(), m.end()) for m in (*matches, *spoken)])
    by_start = {m.start(): m for m in (*matches, *spoken)}
    for position, (start, end) in enumerate(spans):
        before = spans[position - 1][1] if position else 0
        after = spans[position + 1][0] if position + 1 < len(spans) else len(text)
        clause = _clause(text, start, end)
        subject, is_taken_over = _subject(text, clause, start, end)
        lead, trail = text[max(before, clause[0]) : start], text[end : min(after, clause[1])]
        if trail.rstrip().endswith(" by"):
            trail = ""  # the words before "by 8%" belong to the 8%
        claim = _claim(by_start[start], subject, _change(lead, trail, subject), _sentence(scopes.written, start))
        scope, own_facts = scopes.around((start, end), (clause[0], min(after, clause[1])), subject)
        yield replace(claim, is_taken_over=is_taken_over, scope=scope, own_facts=own_facts)


@dataclass(frozen=True, slots=True)
class _Scopes:
    """The circumstances that a text names, and where; "" means the backtest itself."""

    text: str
    written: str
    named: tuple[tuple[str, str, int, int], ...]

    @classmethod
    def of(cls, text: str, written: str, windows: Sequence[StressRow]) -> "_Scopes":
        named = [(one.name, one.facts, start, end) for one, start, end in circumstances(written, windows)]
        return cls(text, written, (*named, *(("", "", *m.span()) for m in _OF_THE_BACKTEST.finditer(text))))

    def around(self, span: tuple[int, int], clause: tuple[int, int], subject: ClaimSubject | None) -> tuple[str, str]:
        """The circumstance of a number (paper, live, previous version) and a pattern of its figures."""
        (start, end), text = span, self.text
        if subject is not None and re.match(_PLANNED, subject.facts):
            return "", ""
        left = max((m.end() for m in _SENTENCE.finditer(text, 0, start)), default=0)
        ending = _SENTENCE.search(text, end)
        right = ending.start() if ending else len(text)
        sentence = [
            one
            for one in self.named
            if left <= one[2] < right
            and (one[2] < clause[1] or re.search(r"\d", text[slice(*_clause(text, *one[2:]))]) is None)
        ]
        if any(name for name, *_ in sentence):
            inside = [one for one in sentence if clause[0] <= one[2] < clause[1]]
            nearest = min(inside or sentence, key=lambda one: max(start - one[3], one[2] - end))
            return nearest[0], nearest[1]
        previous = [m for m in _PREVIOUS.finditer(text, left, start) if not _ELSEWHERE.search(text, m.end(), start)]
        previous += list(_PREVIOUS.finditer(text, end, clause[1]))
        return (PREVIOUS, r"\.old$") if previous else ("", "")


def _claim(match: re.Match[str], subject: ClaimSubject | None, change: int | None, sentence: str) -> Claim:
    start, end, written = match.start(), match.end(), match[0].strip()
    if written.lower() in _WORDS:
        value, decimals, scale, sign, unit = float(_WORDS[written.lower()]), 0, 1.0, "", ""
    else:
        digits = match["digits"].replace(",", "")
        scale = {"k": 1e3, "K": 1e3, "M": 1e6, "bn": 1e9}.get((match["scale"] or "").strip()) or 1.0
        value, decimals = float(digits) * scale, len(digits.partition(".")[2])
        sign = (match["sign"] or "").strip().replace("−", "-").replace("–", "-")
        unit = next((name for i, (_, name) in enumerate(_UNITS) if match[f"u{i}"]), "")
        if match["dollar"] or match["tail"]:
            unit = "$" if match["dollar"] else f"?{match['tail']}"
    return Claim(
        text=written,
        value=value,
        decimals=decimals,
        scale=scale,
        sign=sign,
        unit=unit,
        start=start,
        end=end,
        subject=subject,
        change=change if unit == "%" and not sign else None,
        sentence=sentence,
    )


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    left = max((m.end() for m in _BREAK.finditer(text, 0, start)), default=0)
    following = _BREAK.search(text, end)
    return left, following.start() if following else len(text)


def _sentence(text: str, start: int) -> str:
    left = max((m.end() for m in _SENTENCE.finditer(text, 0, start)), default=0)
    following = _SENTENCE.search(text, start)
    return text[left : following.start() if following else len(text)]


def _subject(text: str, clause: tuple[int, int], start: int, end: int) -> tuple[ClaimSubject | None, bool]:
    """The subject named nearest to the number in its clause, else the last one named before it in the sentence.

    The second value says that it was taken over from there.
    """
    named = _subjects(text, *clause)
    if any(subject is not _GATE_COUNTS for subject, *_ in named):
        named = [each for each in named if each[0] is not _GATE_COUNTS]  # counts of gates were judged before
    written = text[start:end].strip()
    is_count = written[-1:].isdigit() or written.lower() in _WORDS  # a share or an amount is no count
    named = [each for each in named if is_count or re.search(_COUNTS, each[0].facts) is None]
    nearest = min(named, key=lambda s: max(start - s[2], s[1] - end), default=None)
    if nearest is not None:
        return nearest[0], False
    sentence = max((m.end() for m in _SENTENCE.finditer(text, 0, start)), default=0)
    before = [one for one in _subjects(text, sentence, start) if is_count or not re.search(_COUNTS, one[0].facts)]
    earlier = max(before, key=lambda s: s[2], default=None)
    return (None, False) if earlier is None else (earlier[0], True)


def _subjects(text: str, left: int, right: int) -> list[tuple[ClaimSubject, int, int]]:
    subjects: list[tuple[ClaimSubject, int, int]] = []
    for subject in _SUBJECTS:
        for match in re.finditer(rf"(?<!\w)(?:{subject.words})(?!\w)", text[left:right], re.IGNORECASE):
            span = (left + match.start(), left + match.end())
            if not any(span[0] < taken[2] and taken[1] < span[1] for taken in subjects):
                subjects.append((subject, *span))
    return subjects


def _change(lead: str, trail: str, subject: ClaimSubject | None) -> int | None:
    """The sign that a word such as "improved" or "lower" by the number gives a change; None without such a word."""
    if re.search(r"\b(?:to|from|at|of)\s*$", lead, re.IGNORECASE):
        return None
    gain = subject.gain if subject else Gain.GOOD
    for words in (lead, trail):
        if re.search(rf"\b(?:{_WORSE})\b", words, re.IGNORECASE):
            return 1 if gain is Gain.COST else -1
        if re.search(rf"\b(?:{_BETTER}|faster)\b", words, re.IGNORECASE):
            return -1 if gain is Gain.COST else 1
        if re.search(rf"\b(?:{_MORE})\b", words, re.IGNORECASE):
            return -1 if gain is Gain.LOSS else 1
        if re.search(rf"\b(?:{_LESS})\b", words, re.IGNORECASE):
            return 1 if gain is Gain.LOSS else -1
    return None


def _contradiction(claim: Claim, facts: Sequence[Quantity]) -> tuple[str, ...]:
    candidates = _candidates(claim, facts)
    if any(_agrees(claim, fact) for fact in candidates):
        return ()
    if claim.scope:
        expected = _nearest(claim, candidates) if candidates else "it has no such figure"
        return (f"“{claim.text}” agrees with no figure of {claim.scope}, which its sentence names; {expected}.",)
    return (f"“{claim.text}” agrees with no figure of the evidence; {_nearest(claim, candidates or facts)}.",)


def _candidates(claim: Claim, facts: Sequence[Quantity]) -> list[Quantity]:
    about = claim.subject.facts if claim.subject else ""
    candidates = _about(about, claim, facts)
    if claim.unit == "days":
        candidates += _about(r"^counts\.trading_days$|\.days$", claim, facts)
    if claim.subject is _GATE_COUNTS and claim.unit:
        return _about("", claim, facts)
    if claim.is_taken_over and all(_written(fact, claim.unit) is None for fact in candidates):
        return _about("", claim, facts)
    return candidates


def _about(about: str, claim: Claim, facts: Sequence[Quantity]) -> list[Quantity]:
    return [
        fact
        for fact in facts
        if re.search(about, fact.name)
        and (
            not claim.scope or (claim.scope == PREVIOUS and _is_change(claim)) or re.search(claim.own_facts, fact.name)
        )
        and all(
            re.search(words, claim.sentence, re.IGNORECASE) for name, words in _SCOPES if re.search(name, fact.name)
        )
        and fact.name.endswith(".points") == (claim.unit == "points")
        and (fact.name.endswith(".change") or not _is_change(claim))
        and (about or claim.unit or fact.unit is not Unit.COUNT)
    ]


def _is_change(claim: Claim) -> bool:
    return claim.unit == "%" and (claim.change is not None or claim.sign == "+")


def _agrees(claim: Claim, fact: Quantity) -> bool:
    if claim.sign == "±":
        margin = None if fact.margin is None else _written(replace(fact, value=fact.margin), claim.unit)
        return margin is not None and abs(margin - claim.value) <= claim.tolerance
    value = _written(fact, claim.unit)
    if value is None:
        return False
    if claim.change is not None:
        return abs(value - claim.change * claim.value) <= claim.tolerance and value * claim.change >= 0
    if claim.sign:
        return abs(value - claim.signed) <= claim.tolerance and value * (-1 if claim.sign == "-" else 1) >= 0
    is_loss = bool(re.search(r"drawdown|value_at_risk(?!\.level)|gates\.var\.(?:statistic|threshold)", fact.name))
    is_loss = is_loss and not fact.name.endswith((".change", ".points"))
    return abs((abs(value) if is_loss else value) - claim.value) <= claim.tolerance


def _written(fact: Quantity, unit: str) -> float | None:  # noqa: PLR0911 - one visible table
    """The fact in the unit that people wrote; None if the two do not measure the same thing."""
    value = fact.value
    if value is None:
        return None
    match fact.unit, unit:
        case (Unit.PERCENT, "%" | "points") | (Unit.PROBABILITY, "%"):
            return value * 100
        case (Unit.PERCENT, "bps"):
            return value * 1e4
        case (Unit.BPS, "%"):
            return value / 100
        case (Unit.MILLISECONDS, "s") | (Unit.SECONDS, "ms"):
            return value / 1000 if unit == "s" else value * 1000
        case (Unit.SECONDS, "min"):
            return value / 60
        case (Unit.DAYS, "years"):
            return value / 365.25
        case (Unit.DAYS, "months"):
            return value * 12 / 365.25
        case (Unit.RATIO | Unit.PROBABILITY | Unit.COUNT, "") | (Unit.COUNT | Unit.DAYS, "days"):
            return value
        case _:
            own = {Unit.BPS: "bps", Unit.MILLISECONDS: "ms", Unit.SECONDS: "s", Unit.MINUTES: "min"}
            own |= {Unit.MEGABYTES: "MB", Unit.PER_SECOND: "/s"}
            return value if own.get(fact.unit) == unit and unit else None


def _distance(claim: Claim, fact: Quantity) -> float:
    value = _written(fact, claim.unit)
    return float("inf") if value is None else abs(value - (claim.change or 1) * claim.signed)


def _closest(claim: Claim, facts: Sequence[Quantity]) -> Quantity | None:
    return min(facts, key=lambda fact: _distance(claim, fact), default=None)


def _nearest(claim: Claim, facts: Sequence[Quantity]) -> str:
    if (nearest := _closest(claim, facts)) is None:
        return "there is no fact to hold it against"
    kind = "the nearest" if _distance(claim, nearest) < float("inf") else "none has its unit, and what it is about"
    return f"{kind} is {nearest.name} = {nearest.text}"


class NumberOrder(Enum):
    """How to read two numbers that stand together."""

    OLD_NEW = auto()
    NEW_OLD = auto()
    BOUNDS = auto()  # of an interval


def _order(text: str, pair: Sequence[Claim]) -> NumberOrder | None:
    if len(pair) < 2 or any(claim.sign == "±" or claim.scope not in {"", PREVIOUS} for claim in pair):
        return None  # each has its own circumstance, or the second is the margin of the first
    between = text[pair[0].end : pair[1].start]
    is_from = re.search(r"\bfrom\s*$", text[: pair[0].start], re.IGNORECASE)
    if _BOUNDS.match(between) and re.search(rf"(?:{INTERVAL})", pair[0].sentence, re.IGNORECASE):
        return NumberOrder.BOUNDS
    if _ARROW.match(between) or (is_from and _FROM_TO.match(between)):
        return NumberOrder.OLD_NEW
    if not _AGAINST.match(between):
        return None
    return NumberOrder.OLD_NEW if pair[0].scope == PREVIOUS != pair[1].scope else NumberOrder.NEW_OLD


def _pair_contradictions(first: Claim, second: Claim, order: NumberOrder, facts: Sequence[Quantity]) -> Iterator[str]:
    """Both numbers must be of the same figure, old and new as the words say."""
    first, second = replace(first, change=None), replace(second, change=None)
    unit, subject = second.unit or first.unit, second.subject or first.subject
    if order is NumberOrder.NEW_OLD:
        subject = first.subject or second.subject
    first, second = (
        replace(first, unit=first.unit or unit, subject=subject),
        replace(second, unit=unit, subject=subject),
    )
    new, old = (first, second) if order is NumberOrder.NEW_OLD else (second, first)
    sides = {
        NumberOrder.OLD_NEW: [("new", "old")],
        NumberOrder.NEW_OLD: [("new", "old"), ("new", "target"), ("statistic", "threshold")],
        NumberOrder.BOUNDS: [("high", "low"), ("new", "old"), ("old", "new")],
    }[order]
    if any(_agrees(new, a) and _agrees(old, b) for a, b in _partners(_candidates(new, facts), facts, sides)):
        return
    alone = (*_contradiction(first, facts), *_contradiction(second, facts))
    if alone:
        yield from alone
        return
    yield f"“{first.text}” and “{second.text}” are figures of the evidence, but not of one of them, as is said."


def _partners(
    candidates: Sequence[Quantity], facts: Sequence[Quantity], sides: Sequence[tuple[str, str]]
) -> Iterator[tuple[Quantity, Quantity]]:
    by_name = {fact.name: fact for fact in facts}
    for fact in candidates:
        stem, _, side = fact.name.rpartition(".")
        for mine, other in sides:
            if side == mine and (partner := by_name.get(f"{stem}.{other}")) is not None:
                yield fact, partner


def _held_counts(text: str, facts: Sequence[Quantity], *, is_counted_only: bool) -> Iterator[Held]:
    """Counts of passing or failing gates, in digits or words ("four of the memo's five gates pass")."""
    by_name = {fact.name: fact.value for fact in facts}
    passed, total = by_name.get("gates.passed"), by_name.get("gates.total")
    if passed is None or total is None:
        return
    gates = gates_of(facts)
    parts = [part for part in (gates, [gate for gate in gates if gate.is_memo]) if part]
    counted = [(passed, total), *((float(sum(gate.passes for gate in part)), float(len(part))) for part in parts)]
    for match in _GATES.finditer(text):
        fails = bool(_FAILING.search(match["rest"]))
        number = match["n"].lower()
        if is_counted_only and number in {"all", "every", "none"}:
            continue  # sentences over all gates are checked against each gate's outcome
        is_plain = match["total"] is None and not fails and not _PASSING.search(match["rest"])
        for right, of in counted:
            counts = {"all": of, "every": of, "none": 0.0}
            claimed = counts[number] if number in counts else _counted(number)
            is_right = claimed == (of - right if fails else right) or (is_plain and claimed == of)
            if is_right and (match["total"] is None or _counted(match["total"]) == of):
                yield Held("", HeldKind.OUTCOME)
                break
        else:
            does = f"{total - passed if fails else passed:g} of {total:g} gates {'fail' if fails else 'pass'}"
            yield Held(f"“{match[0].strip()}” agrees with no figure of the evidence; {does}.", HeldKind.OUTCOME)


def _numbered(text: str) -> Iterator[re.Match[str]]:
    for match in _NUMBERED.finditer(text):
        if re.search(r"\bgates?\b", _sentence(text, match.start()), re.IGNORECASE):
            yield match


def _held_numbers(text: str, facts: Sequence[Quantity]) -> Iterator[Held]:
    """Counts of gates with another outcome than pass, of all gates or of the blocking or advisory ones."""
    gates = gates_of(facts)
    for match in _numbered(text) if gates else ():
        outcome = Outcome(next(name for name in ("inconclusive", "fail", "error") if match[name]))
        kind = re.search(r"\b(?:blocking|advisory)\b", match[0], re.IGNORECASE)
        own = [gate for gate in gates if kind is None or gate.is_blocking == (kind[0].lower() == "blocking")]
        count = sum(gate.outcome is outcome for gate in own)
        of_memo = sum(gate.outcome is outcome for gate in own if gate.is_memo)
        message = f"“{match[0]}” is not so: expected {count} of {len(own)} gates, found {match['n']}."
        yield Held("" if _counted(match["n"]) in {count, of_memo} else message, HeldKind.OUTCOME)


def _without_counts(text: str) -> str:
    """The text without the counts of outcomes, which are checked already."""
    for match in [*_numbered(text)]:
        text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    return text


def _unreadable(text: str) -> Iterator[str]:
    """Amounts in words, which must be written in digits to be checked."""
    for match in AMOUNT_IN_WORDS.finditer(text):
        yield f"“{match[0]}” cannot be checked against the evidence; write the figure in digits."
    for match in _MULTIPLES.finditer(text):
        if _subjects(text, *_clause(text, match.start(), match.end())):
            yield f"“{match[0]}” cannot be checked against the evidence; write the change in percent."


def _counted(text: str) -> float:
    spoken = _WORDS.get(text.lower())
    return float(text) if spoken is None else float(spoken)


def _blank_counts(match: re.Match[str]) -> str:
    """The matched words without their counts, which are checked already."""
    gates_end = match.start("rest") - match.start()
    return (
        re.sub(rf"\b{_COUNT}\b", lambda m: " " * len(m[0]), match[0][:gates_end], flags=re.IGNORECASE) + match["rest"]
    )
